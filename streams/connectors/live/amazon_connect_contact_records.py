"""Contact records by a stream of Kinesis. A record comes when a contact and the work after it are over."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from streams.connectors.live.kinesis import kinesis

__all__ = ["PULL"]

#: What is longer than this is told all the same, in the times in which it occurred.
PULL: Final = kinesis("amazon-connect-contact-records", settles=timedelta(hours=1))
