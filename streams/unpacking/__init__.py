"""Bound what the packed batches of Kafka unpack to, for every consumer of a process."""

from __future__ import annotations

from streams.unpacking.batches import (
    MAX_UNPACKED_BYTES,
    RECORDS_AT_ONCE,
    UnreadableBatchError,
    bound_batches,
    unpacked_enough,
    unpacked_so_far,
)

__all__ = ["MAX_UNPACKED_BYTES", "RECORDS_AT_ONCE", "UnreadableBatchError", "bound_batches", "unpacked_enough", "unpacked_so_far"]
