"""The stages about customers: customer-events become forecasts in cells and facts; facts of all customers become records of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from msgspec.json import encode

from schemas.decoding import decode_customer_event
from streams.engine.stage import Flush, Output
from streams.stages.counters import StageCounters
from streams.stages.panes import pane_partition
from streams.stages.track import TrackStage
from streams.tracking.customers import CustomerTracker
from streams.tracking.forecasts import CustomerEventTracker
from streams.windows.customer_windows import CustomerWindows, Progress
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.configuration import Configuration
    from streams.engine.stage import Record, Row
    from streams.stages.track import TrackTopics
    from streams.tracking.scopes import Scope

__all__ = ["CustomerEventStage", "CustomerStage", "CustomerTopics"]

_MONTHS_KEPT_MS = 62 * DAY_MS
_META = b"m"


class CustomerEventStage(TrackStage):
    """Books the forecasts of one partition of customer-events, and passes its customers on."""

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
        #: What the flow's table shows: forecasts by queue and channel.
        self.rows = self.tracker.forecasts
        self._cell_ms_kept: int | None = None
        self._quarantined_written: dict[str, Any] = {}
        super().__init__(partition, configuration, topics, self.tracker, decode_customer_event, counters)

    def _customer_facts(self) -> list[tuple[str, dict[str, Any]]]:
        return [(f"event|{fact['event_id']}", fact) for fact in self.tracker.facts()]

    def _changed_progress(self) -> Iterator[Output]:
        """Tell of quarantined sources alone: contacts do not wait for orders."""
        quarantined = self._quarantine.told()
        if quarantined == self._quarantined_written:
            return
        self._quarantined_written = quarantined
        nothing: dict[str, Any] = {"progress_ms": None, "received_through_ms": None, "sources": {}, "stale_sources": []}
        yield from self._progress_outputs({**nothing, "configuration_hash": self._hash, "quarantined_sources": quarantined})

    def _changed_rows(self) -> Iterator[Row]:
        for (queue, channel), forecasts in self.tracker.changed_forecasts():
            yield f"s|{channel}|{queue}".encode(), encode(forecasts) if forecasts else None

    def _changed_now(self, begun: Iterable[Scope]) -> Iterator[tuple[Scope, bytes]]:  # noqa: ARG002
        return iter(())

    def _meta(self) -> dict[str, Any]:
        return {"forecast_cell_ms": self.tracker.cell_ms}

    def _restore_meta(self, kept: dict[str, Any]) -> None:
        self._cell_ms_kept = kept.get("forecast_cell_ms")

    def _restored(self) -> None:
        self._quarantined_written = self._quarantine.told()
        if self._cell_ms_kept not in (None, self.tracker.cell_ms):
            self.tracker.rebook()

    def _restore_subject(self, name: str, row: bytes) -> None:
        channel, queue = name.split("|", 1)
        self.tracker.restore_forecasts((queue, channel), orjson.loads(row))


class CustomerTopics(NamedTuple):
    """Where the customers are written to, and what they come from."""

    pane_partitions: int
    metrics: str
    latest: str
    contact_events: str
    contact_partitions: int


class CustomerStage:
    """All customers: their facts come in one partition, and what they come to goes out as records of windows."""

    def __init__(self, configuration: Configuration, topics: CustomerTopics, counters: StageCounters | None = None) -> None:
        self._topics = topics
        parts = [(topics.contact_events, number) for number in range(topics.contact_partitions)]
        self.tracker = CustomerTracker(configuration, parts)
        self.windows = CustomerWindows(configuration)
        #: What the flow's table shows: customers by key.
        self.rows = self.tracker.customers
        self.counters = counters if counters is not None else StageCounters()
        self._kept_ms = (configuration.customers.repeat_days + 3) * DAY_MS
        self._parts_written: dict[tuple[str, int], tuple[int | None, int | None]] = {}
        self._looked_at: tuple[int | None, int | None, int] | None = None

    def process(self, records: Sequence[Record]) -> None:
        """Take facts; they were written by other stages, so none is bad."""
        apply = self.tracker.apply
        for record in records:
            if record.value is not None:
                apply(orjson.loads(record.value))
        self.counters.events += len(records)

    def collect(self) -> Flush:
        """Return the customers that changed, and the windows that are news."""
        tracker = self.tracker
        tracker.settle()
        self._count()
        rows: list[Row] = [
            (b"s|" + key.encode(), None if customer is None else encode(customer.row())) for key, customer in tracker.changed_customers()
        ]
        outputs = [output for key, record in self._news() for output in self._outputs(key, record)]
        rows += [(b"w|" + key.encode(), None if kept is None else encode(kept)) for key, kept in self.windows.changes()]
        if tracker.parts != self._parts_written:
            self._parts_written = dict(tracker.parts)
            rows.append((_META, encode([[*part, *told] for part, told in sorted(tracker.parts.items())])))
        return Flush(rows, outputs)

    def _count(self) -> None:
        tracker, counters = self.tracker, self.counters
        counters.overfull = len(tracker.overfull)
        counters.links_refused += tracker.links_refused
        tracker.links_refused = 0

    def _news(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        tracker, windows = self.tracker, self.windows
        as_of, through, today, month = tracker.as_of_ms, tracker.through_ms, tracker.today(), tracker.this_month()
        if as_of is None or through is None or today is None or month is None:
            return
        at = Progress(as_of, through)
        looked_at = (today, month, through // 60_000)
        changed, tracker.changed_cohorts = tracker.changed_cohorts, set()
        if looked_at != self._looked_at:
            # Once a minute everything that is kept: what was not final may be by now.
            changed = set(tracker.cohorts)
        yield from windows.cohorts(((cohort, tracker.cohorts.get(cohort, {})) for cohort in sorted(changed)), at)
        if tracker.figures_changed or looked_at != self._looked_at:
            yield from windows.days(tracker.days.through(today), at)
            yield from windows.months(tracker.months.through(month), at)
            for key in windows.give_up(through - self._kept_ms - 2 * DAY_MS, through - _MONTHS_KEPT_MS):
                yield key, None
        tracker.figures_changed, self._looked_at = False, looked_at

    def _outputs(self, key: str, record: dict[str, Any] | None) -> list[Output]:
        topics, name = self._topics, key.encode()
        partition = pane_partition(key.split("|", 3)[3].rpartition("|")[0], topics.pane_partitions)
        if record is None:
            return [Output(topics.latest, partition, name, None)]
        value = encode(record)
        return [Output(topics.metrics, partition, name, value), Output(topics.latest, partition, name, value)]

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:  # noqa: ARG002 - there is one
        """Take the customers back in, and what was published of them."""
        for key, value in rows:
            kept = orjson.loads(value)
            if key == _META:
                self.tracker.parts = {(source, number): (progress, received) for source, number, progress, received in kept}
            elif key.startswith(b"w|"):
                self.windows.restore(key[2:].decode(), *kept)
            else:
                self.tracker.restore_customer(key[2:].decode(), kept)
        self._parts_written = dict(self.tracker.parts)
        self.tracker.restored()
        self._count()
