"""Forecasts of one source partition: the latest holds for every instant, spread over cells (``docs/counting.md`` section 16.4)."""

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

#: Sum → the field that counts the queues it is known of.
_COUNT_FIELDS = {"forecast_milli": "forecasts", "forecast_work_milli": "forecasts_of_work", "staff_ms": "forecasts_of_staff"}


class Forecast(NamedTuple):
    """What was said of an interval; of two the greater one holds."""

    occurred_ms: int
    sequence: int
    event_id: str
    start_ms: int
    end_ms: int
    volume: float | None
    handle_seconds: float | None
    staff: float | None


class CustomerEventTracker:
    """Books forecasts into cells, and passes on what is said of customers."""

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
        #: customer events are never late, and a repeat says the same again
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Take a decoded customer event.

        Raises:
            TooManyFactsError: of its queue and channel as many forecasts are known as may be.
        """
        self.watermark.received(event.source, event.received_ms)
        if event.type == "forecast.set":
            self._take_forecast(event)
        else:
            fact = fact_of_customer_event(event, space_of(self._spaces[event.source]))
            if fact is not None:
                self._facts.append(fact)

    def snapshot(self, event: Any) -> bool:
        """Take a source's word of what is open, which is nothing here and costs nothing."""
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
        """Book what is forecast of a place in some cells."""
        target = self._targets.of_queue(*place).everything
        near = [each for each in self.forecasts[place].values() if each.end_ms > cells.start and each.start_ms < cells.stop]
        for cell in cells:
            into = self._postings.by_offer.setdefault((target, cell), {})
            touching = [each for each in near if each.end_ms > cell and each.start_ms < cell + self.cell_ms]
            for what, amount in _amounts(touching, cell, cell + self.cell_ms):
                into[what] = into.get(what, 0) + sign * amount

    def flush(self) -> None:
        """Write what was booked into the cells, and give up what is too old."""
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
        """Set progress back to an instant if it lies beyond; forecasts given up meanwhile have to be sent again."""
        self.watermark.set_back(to_ms)
        self.slices.set_back(to_ms)

    def facts(self) -> list[dict[str, Any]]:
        """Return what was said of customers since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def changed_forecasts(self) -> Iterator[tuple[tuple[str, str], list[Forecast]]]:
        """Yield the places whose forecasts changed since the last call."""
        changed, self._changed = self._changed, set()
        for place in sorted(changed):
            yield place, list(self.forecasts[place].values())
            if not self.forecasts[place]:
                del self.forecasts[place]

    def restore_forecasts(self, place: tuple[str, str], forecasts: list[Any]) -> None:
        """Take kept forecasts back in; their cells are kept too."""
        self.forecasts[place] = {(each.start_ms, each.end_ms): each for each in (Forecast(*kept) for kept in forecasts)}

    def rebook(self) -> None:
        """Book every forecast again, for cells have another length than those that were kept."""
        self.slices.empty(OFFER_CELL)
        for place, by_interval in self.forecasts.items():
            for cell in sorted({cell for each in by_interval.values() for cell in self._cells(each.start_ms, each.end_ms)}):
                self._book(place, range(cell, cell + self.cell_ms, self.cell_ms), 1)


def _amounts(forecasts: list[Forecast], start_ms: int, end_ms: int) -> Iterator[tuple[str, int]]:
    """Yield what the forecasts that touch a cell come to in it."""
    sums: dict[str, Fraction] = {}

    def add(what: str, amount: Fraction) -> None:
        sums[what] = sums.get(what, Fraction(0)) + amount

    edges = sorted({start_ms, end_ms, *(at for each in forecasts for at in each[3:5] if start_ms < at < end_ms)})
    for begin, end in pairwise(edges):
        there = [each for each in forecasts if each.start_ms <= begin and end <= each.end_ms]
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
        # A forecast of nothing is known, and no missing one.
        if what in _COUNT_FIELDS:
            yield _COUNT_FIELDS[what], 1
        yield what, round(amount)
