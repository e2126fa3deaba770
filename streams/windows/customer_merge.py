"""The sums of all partitions of customers, put together into the windows about customers (``docs/counting.md`` section 16.3)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from schemas.times import from_ms
from streams.windows.calendar import first_shown
from streams.windows.customer_windows import CUSTOMER_WINDOWS, CustomerWindows, Progress
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from streams.configuration import Configuration

__all__ = ["CONTACT_DAY", "DAY", "KEPT_SLACK_DAYS", "MONTH", "PROGRESS", "TOTAL", "CustomerMerge", "date_start_ms", "month_start_ms"]

#: Kinds of records of queue-panes.
CONTACT_DAY: Final = "customer_cohort"
DAY: Final = "customer_day"
MONTH: Final = "customer_month"
PROGRESS: Final = "customer_progress"
TOTAL: Final = "total:all"
#: Days are served for so long beyond the horizon of repeats, and what lies further back is kept as sums only.
KEPT_SLACK_DAYS: Final = 3
_MONTHS_KEPT_MS: Final = 62 * DAY_MS
_MINUTE_MS: Final = 60_000

#: (scope, channel or none, start in ms)
_Place = tuple[str, str | None, int]


def date_start_ms(number: int, zone: ZoneInfo) -> int:
    """Return when the date of an ordinal begins."""
    return first_shown(zone, number, 0)


def month_start_ms(number: int, zone: ZoneInfo) -> int:
    """Return when a month begins, months being counted from year 0."""
    return date_start_ms(date(number // 12, number % 12 + 1, 1).toordinal(), zone)


class CustomerMerge:
    """Sums by place and partition of customers; their records go out once every partition has said how far it is."""

    def __init__(self, configuration: Configuration, partitions: int) -> None:
        self.windows = CustomerWindows(configuration)
        self._partitions = partitions
        self._kept_ms = (configuration.customers.repeat_days + KEPT_SLACK_DAYS) * DAY_MS
        self._zone = configuration.zone_of_site(None)
        #: kind → place → partition → sums
        self._sums: dict[str, dict[_Place, dict[int, dict[str, int]]]] = {CONTACT_DAY: {}, DAY: {}, MONTH: {}}
        self._changed: dict[str, set[_Place]] = {CONTACT_DAY: set(), DAY: set(), MONTH: set()}
        #: partition → (as of, complete before) in ms
        self._progress: dict[int, tuple[int, int]] = {}
        self._looked_at: tuple[int, int] | None = None
        self._furthest: int | None = None
        #: kind → what began before is kept no more
        self._floors: dict[str, int] = {}

    def restore(self, key: str, record: dict[str, Any]) -> None:
        """Take back what was published last under a key; whatever it says, there may be nothing there any more."""
        self.windows.restore(key, record)
        _, window, channel, scope, start = key.split("|", 4)
        kind = CONTACT_DAY if channel != "-" else DAY if window == CUSTOMER_WINDOWS[0] else MONTH
        self._sums[kind].setdefault((scope, None if channel == "-" else channel, int(start)), {})

    def apply(self, key: str, record: dict[str, Any] | None) -> None:
        """Take a record of queue-panes about customers; None where a partition has nothing there any more."""
        kind, channel, _, partition, start, scope = key.split("|", 5)
        number = int(partition)
        if kind == PROGRESS:
            if record is not None:
                self._progress[number] = record["as_of_ms"], record["through_ms"]
            return
        place = scope, None if channel == "-" else channel, int(start)
        if place[2] < self._floors.get(kind, 0):
            return
        sums = self._sums[kind].setdefault(place, {})
        if record is None:
            sums.pop(number, None)
        else:
            sums[number] = record["counts"]
        self._changed[kind].add(place)

    def news(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield the records that are news, by key; None for those given up."""
        if len(self._progress) < self._partitions:
            return
        at = Progress(min(as_of for as_of, _ in self._progress.values()), min(through for _, through in self._progress.values()))
        furthest = max(through for _, through in self._progress.values())
        if furthest != self._furthest:
            self._furthest = furthest
            self._give_up(furthest)
        looked_at = at.as_of // _MINUTE_MS, at.through // _MINUTE_MS
        anew, self._looked_at = looked_at != self._looked_at, looked_at
        if anew:
            # Once a minute everything that is kept: what was not final may be by now, and a date may have begun.
            self._changed = {kind: set(sums) for kind, sums in self._sums.items()}
        windows = self.windows
        yield from windows.cohorts(
            (((scope, channel or "", start), sums) for (scope, channel, start), sums in self._summed(CONTACT_DAY)), at
        )
        yield from windows.days(((self._date(start), sums) for (_, _, start), sums in self._summed(DAY) if start <= at.as_of), at)
        yield from windows.months(((self._month(start), sums) for (_, _, start), sums in self._summed(MONTH) if start <= at.as_of), at)
        if anew:
            for key in windows.give_up(at.through - self._kept_ms - 2 * DAY_MS, at.through - _MONTHS_KEPT_MS):
                yield key, None

    def _date(self, at_ms: int) -> int:
        return from_ms(at_ms).astimezone(self._zone).date().toordinal()

    def _month(self, at_ms: int) -> int:
        day = from_ms(at_ms).astimezone(self._zone)
        return day.year * 12 + day.month - 1

    def _give_up(self, through: int) -> None:
        """Forget what the partition that is furthest has given up: it cannot be complete any more."""
        floors = {
            CONTACT_DAY: through - self._kept_ms,
            DAY: date_start_ms(self._date(through) - self._kept_ms // DAY_MS, self._zone),
            MONTH: month_start_ms(self._month(through) - 1, self._zone),
        }
        for kind, sums in self._sums.items():
            for place in [place for place in sums if place[2] < floors[kind]]:
                del sums[place]
        self._floors = floors

    def _begins(self, kind: str, place: _Place) -> bool:
        """Say whether a day or month of this configuration begins there; what is left of another one says nothing."""
        scope, _, start = place
        if kind == CONTACT_DAY:
            return self.windows.day(scope, start).start_ms == start
        return start == (date_start_ms(self._date(start), self._zone) if kind == DAY else month_start_ms(self._month(start), self._zone))

    def _summed(self, kind: str) -> Iterator[tuple[_Place, dict[str, int]]]:
        """Yield the places that have changed, with the sums of all partitions."""
        changed, self._changed[kind] = self._changed[kind], set()
        for place in sorted(changed, key=str):
            if place in self._sums[kind] and self._begins(kind, place):
                summed: dict[str, int] = {}
                for counts in self._sums[kind][place].values():
                    for what, amount in counts.items():
                        summed[what] = summed.get(what, 0) + amount
                yield place, summed
