"""Event Streams whose sink is a stream of Kinesis."""

from __future__ import annotations

from typing import Final

from streams.connectors.live.kinesis import kinesis

__all__ = ["PULL"]

PULL: Final = kinesis("twilio-event-streams")
