"""The stages about customers: customer-events become forecasts and facts; facts of customers become sums of days and months."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from msgspec.json import encode

from schemas.decoding import decode_customer_event
from streams.engine.stage import Flush, Output
from streams.stages.counters import StageCounters
from streams.stages.customer_progress import progress_outputs
from streams.stages.customer_sums import CustomerSums
from streams.stages.track import TrackStage
from streams.tracking.customer_facts import Customer
from streams.tracking.customers import CustomerTracker
from streams.tracking.forecasts import CustomerEventTracker
from streams.tracking.parts import Parts
from streams.windows.slices import pane_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from streams.configuration import Configuration
    from streams.engine.stage import Record, Row
    from streams.stages.track import TrackTopics
    from streams.tracking.parts import Part
    from streams.tracking.scopes import Scope

__all__ = ["CustomerEventStage", "CustomerStage", "CustomerTopics"]

_META = b"m"
_GONE = b"g"


class CustomerEventStage(TrackStage):
    """Books the forecasts of one partition of customer-events, and publishes the facts of its customers."""

    def __init__(
        self,
        partition: int,
        configuration: Configuration,
        topics: TrackTopics,
        counters: StageCounters | None = None,
        *,
        keep_everything: bool = False,
    ) -> None:
        self.tracker = CustomerEventTracker(configuration, keep_everything=keep_everything)
        #: shown in the flow's table: forecasts by queue and channel
        self.rows = self.tracker.forecasts
        self._restored_cell_ms: int | None = None
        self._quarantined_written: dict[str, Any] = {}
        super().__init__(partition, configuration, topics, self.tracker, decode_customer_event, counters)

    def _customer_facts(self) -> list[tuple[str, dict[str, Any]]]:
        return [(f"event|{fact['event_id']}", fact) for fact in self.tracker.facts()]

    def _changed_progress(self) -> Iterator[Output]:
        """Yield quarantined sources only: the watermark of contacts does not wait for customer-events."""
        quarantined = self._quarantine.summary()
        if quarantined == self._quarantined_written:
            return
        self._quarantined_written = quarantined
        empty: dict[str, Any] = {"progress_ms": None, "received_through_ms": None, "sources": {}, "stale_sources": []}
        yield from self._progress_outputs({**empty, "configuration_hash": self._hash, "quarantined_sources": quarantined})

    def _changed_rows(self) -> Iterator[Row]:
        for (queue, channel), forecasts in self.tracker.changed_forecasts():
            yield f"s|{channel}|{queue}".encode(), encode(forecasts) if forecasts else None

    def _changed_now(self, begun: Iterable[Scope]) -> Iterator[tuple[Scope, bytes]]:  # noqa: ARG002
        return iter(())

    def _meta(self) -> dict[str, Any]:
        return {"forecast_cell_ms": self.tracker.cell_ms}

    def _restore_meta(self, row: dict[str, Any]) -> None:
        self._restored_cell_ms = row.get("forecast_cell_ms")

    def _restored(self) -> None:
        self._quarantined_written = self._quarantine.summary()
        if self._restored_cell_ms not in (None, self.tracker.cell_ms):
            self.tracker.rebook()

    def _subjects(self) -> Callable[[str, bytes], None]:
        return self._restore_forecasts

    def _restore_forecasts(self, name: str, row: bytes) -> None:
        channel, queue = name.split("|", 1)
        self.tracker.restore_forecasts((queue, channel), orjson.loads(row))


class CustomerTopics(NamedTuple):
    """The topics of customers: full names and partition counts."""

    panes: str
    pane_partitions: int
    facts: str
    partitions: int
    links: str
    contact_events: str
    contact_partitions: int
    #: Customer-facts of the last release, whose customers are still to be moved; empty: none.
    before: str = ""

    def contact_parts(self) -> list[Part]:
        """Return the partitions of contact-events, which progress requires."""
        return [(self.contact_events, number) for number in range(self.contact_partitions)]

    def fact_parts(self) -> list[Part]:
        """Return the home partitions of customers."""
        return [(self.facts, number) for number in range(self.partitions)]


class CustomerStage:
    """The customers of one partition of customer-facts; their absolute sums go to queue-panes."""

    def __init__(self, partition: int, configuration: Configuration, topics: CustomerTopics, counters: StageCounters | None = None) -> None:
        self._topics, self._partition = topics, partition
        homes = [part for part in topics.fact_parts() if part != (topics.facts, partition)]
        required = [*topics.contact_parts(), (topics.links, 0)]
        parts = Parts(required, homes, (topics.before, 0) if topics.before else None)
        self.tracker = CustomerTracker(configuration, parts, partition, topics.partitions)
        self.sums = CustomerSums(configuration, topics.panes, topics.pane_partitions, topics.facts, partition)
        #: shown in the flow's table: customers by key
        self.rows = self.tracker.customers
        self.counters = counters if counters is not None else StageCounters()
        self._parts_written: dict[Part, Any] = {}
        self._gone_written: set[tuple[str, str]] = set()
        self._progress_step: int | None = None

    def process(self, records: Sequence[Record]) -> None:
        """Apply facts; other stages wrote them, so none is malformed."""
        apply = self.tracker.apply
        for record in records:
            if record.value is not None:
                apply(orjson.loads(record.value))
        self.counters.events += len(records)

    def flush_batch(self) -> list[Output]:
        """Flush in a batch, without rows: return changed sums, and facts for other partitions."""
        outputs = self._fold()
        self.tracker.discard_changes()
        outputs += self.sums.changed_records(self.tracker)
        for _ in self.sums.changed_keys():
            pass
        return outputs

    def _fold(self) -> list[Output]:
        """Return facts and progress for other partitions."""
        tracker, topics = self.tracker, self._topics
        tracker.flush()
        self.counters.overfull[self._partition] = len(tracker.overfull)
        outputs = [Output(topics.links, 0, f"heard|{fact['customer_key']}".encode(), encode(fact)) for fact in tracker.reports()]
        outputs += [
            Output(topics.facts, number, f"copy|{fact['customer_key']}".encode(), encode(fact)) for number, fact in tracker.outgoing()
        ]
        outputs += self._progress()
        return outputs

    def collect(self) -> Flush:
        """Return the changed customers as rows, facts for other partitions, and changed sums."""
        tracker = self.tracker
        outputs = self._fold()
        rows: list[Row] = [
            (b"s|" + key.encode(), None if customer is None else encode(customer.row())) for key, customer in tracker.changed_customers()
        ]
        rows += [(b"c|" + key.encode(), None if copy is None else encode(copy.row())) for key, copy in tracker.changed_copies()]
        rows += [(b"f|" + root.encode(), None if row is None else encode(row)) for root, row in tracker.families.changed_rows()]
        if tracker.gone != self._gone_written:
            self._gone_written = set(tracker.gone)
            rows.append((_GONE, encode(sorted(tracker.gone)) if tracker.gone else None))
        if tracker.parts.reported != self._parts_written:
            self._parts_written = dict(tracker.parts.reported)
            rows.append((_META, encode(tracker.parts.row())))
        outputs += self.sums.changed_records(tracker)
        rows += [(b"w|" + key.encode(), b"true" if exists else None) for key, exists in self.sums.changed_keys()]
        return Flush(rows, outputs)

    def _progress(self) -> Iterator[Output]:
        """Yield the progress of this partition's facts for the other partitions, in steps of a pane."""
        complete_ms, topics = self.tracker.parts.taken_in_ms(), self._topics
        step = None if complete_ms is None else pane_of(complete_ms)
        if step == self._progress_step:
            return
        self._progress_step = step
        origin = (topics.facts, self._partition)
        yield from progress_outputs(origin, [part for part in topics.fact_parts() if part != origin], complete_ms)

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:  # noqa: ARG002 - there is one
        """Restore the customers."""
        tracker = self.tracker
        for key, value in rows:
            row = orjson.loads(value)
            if key == _META:
                tracker.parts.restore(row)
            elif key == _GONE:
                tracker.gone = {(customer, name) for customer, name in row}
            elif key.startswith(b"w|"):
                self.sums.restore_key(key[2:].decode())
            elif key.startswith(b"f|"):
                tracker.families.restore_row(row)
            elif key.startswith(b"c|"):
                tracker.copies.put(key[2:].decode(), Customer.from_row(row))
            else:
                tracker.restore_customer(key[2:].decode(), row)
        self._parts_written = dict(tracker.parts.reported)
        self._gone_written = set(tracker.gone)
        tracker.restored()
        self.counters.overfull[self._partition] = len(tracker.overfull)
