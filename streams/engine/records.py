"""Records as aiokafka's compiled reader makes them: without the object of eleven fields that it makes of each for its users.

Replaces an internal of aiokafka 0.14, named below. It takes a microsecond off each record, of 1.7.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

__all__ = ["leave_records_as_they_are"]


class _Fetched(OrderedDict[Any, Any]):
    """Replaces consumer/fetcher.py, Fetcher._records: what has been fetched of a partition, and not been taken."""

    def __setitem__(self, place: Any, result: Any) -> None:
        records = getattr(result, "_partition_records", None)  # none: it is an error
        if records is not None:
            # In place of consumer/fetcher.py, PartitionRecords._consumer_record.
            records._consumer_record = _as_it_is
        super().__setitem__(place, result)


def _as_it_is(_place: object, record: Any) -> Any:
    return record


def leave_records_as_they_are(consumer: AIOKafkaConsumer) -> None:
    """Have ``consumer``, which is started, return records with offset, timestamp, its type, key, value and headers: all but their place."""
    fetcher = consumer._fetcher
    if not isinstance(fetcher._records, _Fetched):
        fetched = _Fetched()
        for place, result in fetcher._records.items():
            fetched[place] = result
        fetcher._records = fetched
