"""Has aiokafka read packed batches within bounds: each by itself, and those of one fetch together.

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

__all__ = ["MAX_UNPACKED_BYTES", "RECORDS_AT_ONCE", "UnreadableBatchError", "bound_batches", "taken_enough", "taking"]

#: Once so much has been unpacked for one take, or so many records taken, the rest of the fetch stays as it is until the next.
_BYTES_AT_ONCE: Final = 1024 * 1024
RECORDS_AT_ONCE: Final = 10_000

_READERS: Final = ("_crecords.default_records", "_crecords.legacy_records", "default_records", "legacy_records")


class UnreadableBatchError(KafkaError):  # type: ignore[misc]
    """A batch that is not read to its end: it would take too much memory, or a record in it is not as the protocol has it.

    Its offsets from ``offset`` to ``next_offset`` - 1 are not read. ``timestamp`` is the batch's, in milliseconds since the epoch.
    Formats of before Kafka 0.11 tell the last offset alone, and no time (-1).
    """

    def __init__(self, place: TopicPartition, batch: Any, why: Exception, begin: int = 0) -> None:
        self.place = place
        self.next_offset: int = batch.next_offset
        self.offset: int = max(begin, getattr(batch, "base_offset", self.next_offset - 1))
        self.timestamp: int = getattr(batch, "max_timestamp", -1)
        self.timestamp_type: int = getattr(batch, "timestamp_type", 0)
        # What others say may quote what was sent.
        said = str(why) if isinstance(why, TooLargeError) else f"{type(why).__name__}: its producer does not keep to the protocol"
        offsets = f"offsets {self.offset} to {self.next_offset - 1}"
        super().__init__(f"{place.topic} partition {place.partition}: {offsets} cannot be read: {said}.")

    def __str__(self) -> str:
        return str(self.args[0])


class _Batch:
    """A batch as it is, but for what its iterator raises."""

    __slots__ = ("_batch", "_place")

    def __init__(self, place: TopicPartition, batch: Any) -> None:
        self._place, self._batch = place, batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - each codec has errors of its own
            raise UnreadableBatchError(self._place, self._batch, error) from None


class _Batches:
    """The batches of a fetch of one partition. Stands for record/memory_records.py, MemoryRecords, which is ``itself``."""

    __slots__ = ("_place", "has_next", "itself", "size_in_bytes")

    def __init__(self, place: TopicPartition, records: Any) -> None:
        self._place, self.itself = place, records
        self.has_next, self.size_in_bytes = records.has_next, records.size_in_bytes

    def next_batch(self) -> Any:
        batch = self.itself.next_batch()
        return batch if batch.is_control_batch else _Batch(self._place, batch)


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Extends consumer/fetcher.py, PartitionRecords."""

    def __init__(self, tp: TopicPartition, records: Any, *others: Any) -> None:
        super().__init__(tp, _Batches(tp, records), *others)


def taking() -> int:
    """Begin to take records of one partition; return what ``taken_enough`` is to be told."""
    return unpacked.bytes


def taken_enough(begun: int) -> bool:
    """Say whether what was unpacked since ``taking`` is enough for once."""
    return unpacked.bytes - begun >= _BYTES_AT_ONCE


def _getall(self: Any, max_records: int | None = None) -> list[Any]:
    """Replaces consumer/fetcher.py, FetchResult.getall: takes less at once, and what comes before a batch that cannot be read."""
    if not self.check_assignment(self._topic_partition) or not self.has_more():
        return []
    found, begun = list[Any](), taking()
    most = RECORDS_AT_ONCE if max_records is None else max_records
    try:
        for record in self._partition_records:
            found.append(record)
            if len(found) >= most or taken_enough(begun):
                self._update_position()
                return found
    except UnreadableBatchError:
        if not found:
            raise
    self._update_position()
    self._partition_records = None
    return found


def bound_batches() -> None:
    """Have all consumers of this process read batches within bounds.

    Where one cannot be read, a consumer returns what comes before it; asked again, it raises UnreadableBatchError and stays there.
    """
    for name in _READERS:
        # Without aiokafka's compiled readers its others are in use.
        with contextlib.suppress(ImportError):
            reader = importlib.import_module(f"aiokafka.record.{name}")
            for decoder, ours in DECODERS.items():
                if hasattr(reader, decoder):
                    setattr(reader, decoder, ours)
    fetcher.PartitionRecords = _PartitionRecords
    fetcher.FetchResult.getall = _getall
