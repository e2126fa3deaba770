"""What a sender by webhook wants to be answered; data alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Answers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a hook. What it cannot take now it answers with 429 or 503 and a ``Retry-After`` under a minute."""

    #: The status of a delivery that was taken; 204 has no body.
    accepted: Literal[200, 204] = 200
    #: How long the sender waits: a delivery that is not in Kafka by then is answered with 503, so that it comes again.
    within_seconds: float = 10.0
    #: Whether the answer is an empty JSON object: a sender that reads it takes words that it does not know for a fault (Dialogflow).
    empty: bool = False
    #: Whether HEAD is answered with 200, for a sender that asks so whether the address is there.
    head: bool = False
    #: How the sender asks by GET whether the address is its receiver's. ``crc``: a token to be signed (X). ``hub``: a text to be said back
    #: to who knows the ``verify_token`` (Facebook).
    challenge: Literal["none", "crc", "hub"] = "none"
