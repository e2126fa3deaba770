"""Publish a mapped file to Kafka: read once as history, acknowledged before it counts as published."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from schemas.times import to_ms
from streams.connectors.feed import Summary
from streams.connectors.lines import Rejected
from streams.connectors.mapping.ordering import in_order
from streams.connectors.mapping.records import read_records
from streams.connectors.publishing import ended_heartbeat, publish_with_retries

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator, Iterator
    from datetime import datetime
    from pathlib import Path

    from schemas.base import Event
    from streams.connectors.inputs import Input
    from streams.connectors.mapping.loading import Mapping
    from streams.connectors.mapping.mapper import Mapper
    from streams.connectors.publishing import Publisher

__all__ = ["mapped_events", "publish_file"]

#: Events published together.
_BATCH_EVENTS: Final = 500


def mapped_events(path: Path | Input, mapping: Mapping, mapper: Mapper, summary: Summary) -> Generator[tuple[Event | Rejected, str]]:
    """Yield the events of a file by time, each with the ``file:line`` of its record, and rejected records among them.

    Raises:
        MappingError: the file does not have what the mapping names.
        OSError: the file cannot be read.
    """

    def timed() -> Iterator[tuple[int, tuple[Event | Rejected, str]]]:
        for record in records:
            summary.lines += 1
            outcome = record if isinstance(record, Rejected) else mapper.map(record)
            if isinstance(outcome, Rejected):
                summary.rejected += 1
                # A rejected record has no time to be ordered by.
                yield 0, (outcome, outcome.origin)
                continue
            summary.events += len(outcome)
            yield from ((to_ms(event.occurred_at), (event, record.origin)) for event in outcome)

    with closing(read_records(path, mapping)) as records:
        yield from (item for _, item in in_order(timed()))


async def publish_file(path: Path, mapping: Mapping, mapper: Mapper, publisher: Publisher, *, stop: asyncio.Event | None = None) -> Summary:
    """Publish an entire file, or until ``stop`` is set; every event counts as received when it occurred.

    Raises:
        MappingError: the file does not have what the mapping names.
        NotPublishedError: Kafka did not acknowledge it, after several tries. Published again, nothing counts twice.
        OSError: the file cannot be read.
    """
    summary = Summary()
    rejected: list[Rejected] = []
    batch: list[Event] = []
    last_received_at: datetime | None = None
    with closing(mapped_events(path, mapping, mapper, summary)) as mapped:
        for item, _ in mapped:
            if stop is not None and stop.is_set():
                return summary
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                batch.append(item)
                last_received_at = item.received_at if last_received_at is None else max(last_received_at, item.received_at)
            if len(batch) + len(rejected) >= _BATCH_EVENTS:
                await publish_with_retries(publisher, batch, rejected, source=mapper.source)
                batch.clear()
                rejected.clear()
    if last_received_at is not None:
        batch.append(ended_heartbeat(mapper.source, last_received_at))
    await publish_with_retries(publisher, batch, rejected, source=mapper.source)
    return summary
