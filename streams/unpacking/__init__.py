"""How much the packed batches of Kafka may unpack to, for every consumer of a process."""

from __future__ import annotations

from streams.unpacking.batches import (
    MAX_UNPACKED_BYTES,
    RECORDS_AT_ONCE,
    UnreadableBatchError,
    bound_batches,
    taken_enough,
    taking,
)

__all__ = ["MAX_UNPACKED_BYTES", "RECORDS_AT_ONCE", "UnreadableBatchError", "bound_batches", "taken_enough", "taking"]
