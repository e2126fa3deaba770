"""The answers that a sender of webhooks expects; data alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Answers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a hook. A delivery that it cannot accept now gets 429 or 503, and a ``Retry-After`` under a minute."""

    #: The status of an accepted delivery; 204 has no body.
    accepted: Literal[200, 204] = 200
    #: How long the sender waits: a delivery that is not in Kafka by then gets 503, so that it is sent again.
    within_seconds: float = 10.0
    #: Whether the answer is an empty JSON object: some senders treat unknown keys as an error (Dialogflow).
    empty: bool = False
    #: Whether HEAD gets 200, for a sender that checks the address so.
    head: bool = False
    #: How the sender verifies the address by GET. ``crc``: a token to sign (X). ``hub``: a text to echo to a sender that knows the
    #: ``verify_token`` (Facebook).
    challenge: Literal["none", "crc", "hub"] = "none"
