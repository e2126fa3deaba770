"""Contact records by a stream of Kinesis. A record arrives when a contact and its after-contact work are over."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from streams.connectors.live.kinesis import kinesis

__all__ = ["PULL"]

#: A longer contact still counts, in the intervals in which it occurred.
PULL: Final = kinesis("amazon-connect-contact-records", final_after=timedelta(hours=1))
