"""The stage of links: one task decides which keys are one customer, and publishes it to the home partitions of the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from msgspec.json import encode

from streams.engine.stage import Flush, Output
from streams.stages.counters import StageCounters
from streams.stages.customer_progress import progress_outputs
from streams.tracking.customer_facts import customer_partition
from streams.tracking.customer_links import LinkTracker
from streams.windows.slices import pane_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.configuration import Configuration
    from streams.engine.stage import Record, Row
    from streams.stages.customers import CustomerTopics
    from streams.tracking.parts import Part

__all__ = ["CustomerLinkStage"]

_META = b"m"


class CustomerLinkStage:
    """All links between customers, in one partition: any two keys may be linked, and links are few."""

    def __init__(self, configuration: Configuration, topics: CustomerTopics, counters: StageCounters | None = None) -> None:
        self._topics = topics
        self.tracker = LinkTracker(configuration, topics.contact_parts())
        #: shown in the flow's table: families by key
        self.rows = self.tracker.families
        self.counters = counters if counters is not None else StageCounters()
        self._parts_written: dict[Part, Any] = {}
        self._progress_step: int | None = None

    def process(self, records: Sequence[Record]) -> None:
        """Apply links and reports; other stages wrote them, so none is malformed."""
        for record in records:
            if record.value is not None:
                self.tracker.apply(orjson.loads(record.value))
        self.counters.events += len(records)

    def collect(self) -> Flush:
        """Return the changed families, for the home partitions of their keys, and the progress of links."""
        tracker = self.tracker
        tracker.flush()
        self.counters.links_refused += tracker.refused
        tracker.refused = 0
        outputs = [output for family in tracker.outgoing() for output in self._family(family)]
        outputs += self._progress()
        rows: list[Row] = [(b"f|" + root.encode(), None if row is None else encode(row)) for root, row in tracker.changed_rows()]
        if tracker.parts.reported != self._parts_written:
            self._parts_written = dict(tracker.parts.reported)
            rows.append((_META, encode(tracker.parts.row())))
        return Flush(rows, outputs)

    def _family(self, family: dict[str, Any]) -> Iterator[Output]:
        topics, value = self._topics, encode(family)
        for partition in sorted({customer_partition(key, topics.partitions) for key in family["keys"]}):
            yield Output(topics.facts, partition, f"family|{family['keys'][0]}".encode(), value)

    def _progress(self) -> Iterator[Output]:
        through, topics = self.tracker.parts.through_ms(), self._topics
        step = None if through is None else pane_of(through)
        if step == self._progress_step:
            return
        self._progress_step = step
        yield from progress_outputs((topics.links, 0), topics.fact_parts(), through)

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:  # noqa: ARG002 - there is one
        """Restore the families."""
        for key, value in rows:
            if key == _META:
                self.tracker.parts.restore(orjson.loads(value))
            else:
                self.tracker.restore_row(orjson.loads(value))
        self._parts_written = dict(self.tracker.parts.reported)
