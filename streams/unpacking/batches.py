"""Let aiokafka read packed batches within bounds: each by itself, and those of one fetch together.

A batch of 1 MB may hold 1 GB, or a million records without content. Replaces internals of aiokafka 0.14, named below.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaError

from streams.unpacking.codecs import DECODERS, MAX_UNPACKED_BYTES, TooLargeError, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka import TopicPartition

__all__ = ["MAX_UNPACKED_BYTES", "RECORDS_AT_ONCE", "UnreadableBatchError", "bound_batches", "unpacked_enough", "unpacked_so_far"]

#: Unpacked bytes and records of one poll; the remaining part of the fetch stays packed until the next.
_BYTES_AT_ONCE: Final = 1024 * 1024
RECORDS_AT_ONCE: Final = 10_000

_READERS: Final = ("_crecords.default_records", "_crecords.legacy_records", "default_records", "legacy_records")


class UnreadableBatchError(KafkaError):  # type: ignore[misc]
    """A batch that is not read to its end: it would take too much memory, or a record in it violates the protocol.

    Its offsets from ``offset`` to ``next_offset`` - 1 are not read. ``timestamp`` is the batch's, in milliseconds since the epoch.
    Formats before Kafka 0.11 have only the last offset, and no time (-1).
    """

    def __init__(self, partition: TopicPartition, batch: Any, why: Exception, begin: int = 0) -> None:
        self.partition = partition
        self.next_offset: int = batch.next_offset
        self.offset: int = max(begin, getattr(batch, "base_offset", self.next_offset - 1))
        self.timestamp: int = getattr(batch, "max_timestamp", -1)
        self.timestamp_type: int = getattr(batch, "timestamp_type", 0)
        # Messages of other errors may quote what was sent.
        reason = str(why) if isinstance(why, TooLargeError) else f"{type(why).__name__}: its producer violates the protocol"
        offsets = f"offsets {self.offset} to {self.next_offset - 1}"
        super().__init__(f"{partition.topic} partition {partition.partition}: {offsets} cannot be read: {reason}.")

    def __str__(self) -> str:
        return str(self.args[0])


class _Batch:
    """A batch whose iterator raises UnreadableBatchError."""

    __slots__ = ("_batch", "_partition")

    def __init__(self, partition: TopicPartition, batch: Any) -> None:
        self._partition, self._batch = partition, batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - each codec has errors of its own
            raise UnreadableBatchError(self._partition, self._batch, error) from None


class _Batches:
    """The batches of a fetch of one partition. Wraps record/memory_records.py, MemoryRecords, which is ``itself``."""

    __slots__ = ("_partition", "has_next", "itself", "size_in_bytes")

    def __init__(self, partition: TopicPartition, records: Any) -> None:
        self._partition, self.itself = partition, records
        self.has_next, self.size_in_bytes = records.has_next, records.size_in_bytes

    def next_batch(self) -> Any:
        batch = self.itself.next_batch()
        return batch if batch.is_control_batch else _Batch(self._partition, batch)


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Extends consumer/fetcher.py, PartitionRecords."""

    def __init__(self, tp: TopicPartition, records: Any, *others: Any) -> None:
        super().__init__(tp, _Batches(tp, records), *others)


def unpacked_so_far() -> int:
    """Return the bytes that this thread has unpacked, for ``unpacked_enough``."""
    return unpacked.bytes


def unpacked_enough(begun: int) -> bool:
    """Return whether enough was unpacked for one poll since ``unpacked_so_far`` returned ``begun``."""
    return unpacked.bytes - begun >= _BYTES_AT_ONCE


def _getall(self: Any, max_records: int | None = None) -> list[Any]:
    """Return the next records. Replaces consumer/fetcher.py, FetchResult.getall: fewer at once, up to a batch that cannot be read."""
    if not self.check_assignment(self._topic_partition) or not self.has_more():
        return []
    records, begun = list[Any](), unpacked_so_far()
    most = RECORDS_AT_ONCE if max_records is None else max_records
    try:
        for record in self._partition_records:
            records.append(record)
            if len(records) >= most or unpacked_enough(begun):
                self._update_position()
                return records
    except UnreadableBatchError:
        if not records:
            raise
    self._update_position()
    self._partition_records = None
    return records


def bound_batches() -> None:
    """Let all consumers of this process read batches within bounds.

    Before a batch that cannot be read a consumer returns the records of before; then it raises UnreadableBatchError at each poll.
    """
    for name in _READERS:
        # Without its compiled readers aiokafka uses those in Python.
        with contextlib.suppress(ImportError):
            reader = importlib.import_module(f"aiokafka.record.{name}")
            for decoder, ours in DECODERS.items():
                if hasattr(reader, decoder):
                    setattr(reader, decoder, ours)
    fetcher.PartitionRecords = _PartitionRecords
    fetcher.FetchResult.getall = _getall
