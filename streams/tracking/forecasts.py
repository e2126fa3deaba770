"""Forecasts of one source partition: at each instant the latest holds, spread over cells (``docs/counting.md`` section 16.4)."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.limits import MAX_FORECASTS
from streams.tracking.contacts import keep_ms
from streams.tracking.customer_facts import fact_of_customer_event
from streams.tracking.facts import TooManyFactsError
from streams.tracking.grid import grid_of
from streams.tracking.postings import Postings
from streams.tracking.scopes import Targets
from streams.tracking.slices import OFFER_CELL, Slices
from streams.tracking.snapshots import Snapshots
from streams.tracking.spaces import Spaces, space_of
from streams.tracking.watermark import watermark_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration

__all__ = ["CustomerEventTracker", "Forecast"]

#: Sum → the field that counts queues with it.
_COUNT_FIELDS = {"forecast_milli": "forecasts", "forecast_work_milli": "forecasts_of_work", "staff_ms": "forecasts_of_staff"}


class Forecast(NamedTuple):
    """A forecast of an interval; the greatest one holds."""

    occurred_ms: int
    sequence: int
    event_id: str
    start_ms: int
    end_ms: int
    volume: float | None
    handle_seconds: float | None
    staff: float | None


class CustomerEventTracker:
    """Books forecasts into cells, and forwards facts of customers."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        self._targets = Targets(configuration)
        self._keep_ms = None if keep_everything else keep_ms(configuration)[1]
        self.slices = Slices(self._targets, None, self._keep_ms, grid_of(configuration))
        self.cell_ms = self.slices.grid.cell_ms
        self.watermark = watermark_of(configuration)
        self.snapshots = Snapshots("customers", 0)
        self._postings = Postings()
        self._spaces = Spaces(configuration)
        #: (queue, channel) → forecasts by interval
        self.forecasts: dict[tuple[str, str], dict[tuple[int, int], Forecast]] = {}
        self._changed: set[tuple[str, str]] = set()
        self._facts: list[dict[str, Any]] = []
        #: customer events are never late, and repeats change nothing
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Apply a decoded customer event.

        Raises:
            TooManyFactsError: the forecasts of its queue and channel have reached their limit.
        """
        self.watermark.received(event.source, event.received_ms)
        if event.type == "forecast.set":
            self._take_forecast(event)
        else:
            fact = fact_of_customer_event(event, space_of(self._spaces[event.source]))
            if fact is not None:
                self._facts.append(fact)

    def snapshot(self, event: Any) -> bool:
        """Accept a source's snapshot, which has no effect here."""
        self.watermark.received(event.source, event.received_ms)
        return True

    def _take_forecast(self, event: Any) -> None:
        place = (event.queue, event.channel or self._targets.channel_of(event.queue) or "voice")
        start = event.interval_start_ms
        end = start + round(event.interval_seconds * 1000)
        by_interval = self.forecasts.setdefault(place, {})
        before = by_interval.get((start, end))
        forecast = Forecast(
            event.occurred_ms, event.sequence or 0, event.event_id, start, end, event.volume, event.handle_seconds, event.staff
        )
        if end <= start or (before is not None and before[:3] >= forecast[:3]):
            return
        if before is None and len(by_interval) >= MAX_FORECASTS:
            raise TooManyFactsError("queue", MAX_FORECASTS)
        cells = self._cells(start, end)
        self._book(place, cells, -1)
        by_interval[start, end] = forecast
        self._book(place, cells, 1)
        self._changed.add(place)

    def _cells(self, start: int, end: int) -> range:
        return range(start - start % self.cell_ms, end, self.cell_ms)

    def _book(self, place: tuple[str, str], cells: range, sign: int) -> None:
        """Book the forecasts of a place in some cells."""
        target = self._targets.of_queue(*place).everything
        near = [forecast for forecast in self.forecasts[place].values() if forecast.end_ms > cells.start and forecast.start_ms < cells.stop]
        for cell in cells:
            into = self._postings.by_offer.setdefault((target, cell), {})
            touching = [forecast for forecast in near if forecast.end_ms > cell and forecast.start_ms < cell + self.cell_ms]
            for what, amount in _amounts(touching, cell, cell + self.cell_ms):
                into[what] = into.get(what, 0) + sign * amount

    def flush(self) -> None:
        """Write postings into cells, and evict what is too old."""
        self.watermark.advance()
        self.slices.book(self._postings)
        self._postings.clear()
        through = self.watermark.ms
        if through is not None and self._keep_ms is not None:
            self.slices.evict(through)
            floor = through - self._keep_ms
            for place, by_interval in self.forecasts.items():
                for interval in [interval for interval in by_interval if interval[1] < floor - self.cell_ms]:
                    del by_interval[interval]
                    self._changed.add(place)

    def set_back(self, to_ms: int, now_ms: int) -> None:  # noqa: ARG002 - as the other trackers have it
        """Set the watermark back to an instant if it lies beyond; evicted forecasts have to be sent again."""
        self.watermark.set_back(to_ms)
        self.slices.set_back(to_ms)

    def facts(self) -> list[dict[str, Any]]:
        """Return the facts of customers since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def changed_forecasts(self) -> Iterator[tuple[tuple[str, str], list[Forecast]]]:
        """Yield the places with changed forecasts since the last call."""
        changed, self._changed = self._changed, set()
        for place in sorted(changed):
            yield place, list(self.forecasts[place].values())
            if not self.forecasts[place]:
                del self.forecasts[place]

    def restore_forecasts(self, place: tuple[str, str], forecasts: list[Any]) -> None:
        """Restore forecasts; their cells are restored separately."""
        self.forecasts[place] = {(forecast.start_ms, forecast.end_ms): forecast for forecast in (Forecast(*row) for row in forecasts)}

    def rebook(self) -> None:
        """Book every forecast again, since stored cells have another length."""
        self.slices.empty(OFFER_CELL)
        for place, by_interval in self.forecasts.items():
            for cell in sorted({cell for forecast in by_interval.values() for cell in self._cells(forecast.start_ms, forecast.end_ms)}):
                self._book(place, range(cell, cell + self.cell_ms, self.cell_ms), 1)


def _amounts(forecasts: list[Forecast], start_ms: int, end_ms: int) -> Iterator[tuple[str, int]]:
    """Yield the amounts in a cell of the forecasts that touch it."""
    sums: dict[str, Fraction] = {}

    def add(what: str, amount: Fraction) -> None:
        sums[what] = sums.get(what, Fraction(0)) + amount

    edges = sorted({start_ms, end_ms, *(at for forecast in forecasts for at in forecast[3:5] if start_ms < at < end_ms)})
    for begin, end in pairwise(edges):
        there = [forecast for forecast in forecasts if forecast.start_ms <= begin and end <= forecast.end_ms]
        if not there:
            continue
        holds = max(there)
        if holds.volume is not None:
            volume = Fraction(holds.volume) * 1000 * (end - begin) / (holds.end_ms - holds.start_ms)
            add("forecast_milli", volume)
            if holds.handle_seconds is not None:
                add("forecast_work_milli", volume)
                add("forecast_work_ms", volume * Fraction(holds.handle_seconds))
        if holds.staff is not None:
            add("staff_ms", Fraction(holds.staff) * (end - begin))
    for what, amount in sums.items():
        # A forecast of zero is known, not missing.
        if what in _COUNT_FIELDS:
            yield _COUNT_FIELDS[what], 1
        yield what, round(amount)
