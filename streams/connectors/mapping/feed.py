"""A mapped file on its way to Kafka: read once as history, acknowledged before it counts as published."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from schemas.times import to_ms
from streams.connectors.feed import Summary
from streams.connectors.lines import Rejected
from streams.connectors.mapping.ordering import in_order
from streams.connectors.mapping.records import read_records
from streams.connectors.publishing import NotPublishedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from schemas.base import Event
    from streams.connectors.mapping.loading import Mapping
    from streams.connectors.mapping.mapper import Mapper
    from streams.connectors.publishing import Publisher

__all__ = ["mapped_events", "publish_file"]

#: Events published together.
_BATCH_EVENTS: Final = 500

#: How often a batch is tried; between two tries the pause doubles.
_TRIES: Final = 5


def mapped_events(path: Path, mapping: Mapping, mapper: Mapper, summary: Summary) -> Iterator[tuple[Event | Rejected, str]]:
    """Yield the events of a file by time, each with the ``file:line`` of its record, and among them what is none.

    Raises:
        MappingError: the file does not have what the mapping names.
        OSError: the file cannot be read.
    """

    def timed() -> Iterator[tuple[int, tuple[Event | Rejected, str]]]:
        for record in read_records(path, mapping):
            summary.lines += 1
            outcome = record if isinstance(record, Rejected) else mapper.map(record)
            if isinstance(outcome, Rejected):
                summary.rejected += 1
                # It has no time, and need not wait for its turn.
                yield 0, (outcome, outcome.origin)
                continue
            summary.events += len(outcome)
            yield from ((to_ms(event.occurred_at), (event, record.origin)) for event in outcome)

    yield from (found for _, found in in_order(timed()))


async def publish_file(path: Path, mapping: Mapping, mapper: Mapper, publisher: Publisher, *, stop: asyncio.Event | None = None) -> Summary:
    """Publish a whole file, or until ``stop`` is set; every event counts as received when it occurred.

    Raises:
        MappingError: the file does not have what the mapping names.
        NotPublishedError: Kafka did not take it, after several tries. Published again, nothing counts twice.
        OSError: the file cannot be read.
    """
    summary = Summary()
    rejected: list[Rejected] = []
    batch: list[Event] = []
    for found, _ in mapped_events(path, mapping, mapper, summary):
        if stop is not None and stop.is_set():
            break
        if isinstance(found, Rejected):
            rejected.append(found)
        else:
            batch.append(found)
        if len(batch) + len(rejected) >= _BATCH_EVENTS:
            await _publish(publisher, batch, rejected, mapper.source)
            batch.clear()
            rejected.clear()
    await _publish(publisher, batch, rejected, mapper.source)
    return summary


async def _publish(publisher: Publisher, events: Sequence[Event], rejected: Sequence[Rejected], source: str) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            await publisher.publish(events, rejected, source=source)
        except NotPublishedError:
            if attempt == _TRIES:
                raise
            await asyncio.sleep(2 ** (attempt - 1) / 2)
        else:
            return
