"""Contact events by EventBridge's rule and a queue of SQS."""

from __future__ import annotations

from typing import Final

from streams.connectors.live.sqs import sqs

__all__ = ["PULL"]

PULL: Final = sqs("amazon-connect-contact-events")
