"""The windows about customers, merged from the sums of all partitions of customers (``docs/counting.md`` section 16.3)."""

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

__all__ = ["CONTACT_DAY", "DAY", "MONTH", "PROGRESS", "RETENTION_SLACK_DAYS", "TOTAL", "CustomerMerge", "date_start_ms", "month_start_ms"]

#: Kinds of records of queue-panes.
CONTACT_DAY: Final = "customer_cohort"
DAY: Final = "customer_day"
MONTH: Final = "customer_month"
PROGRESS: Final = "customer_progress"
TOTAL: Final = "total:all"
#: Days are served for this long beyond the horizon of repeats; older days are stored as sums only.
RETENTION_SLACK_DAYS: Final = 3
_MONTHS_RETENTION_MS: Final = 62 * DAY_MS
_MINUTE_MS: Final = 60_000

#: (scope, channel or none, start in ms)
_SumKey = tuple[str, str | None, int]


def date_start_ms(number: int, zone: ZoneInfo) -> int:
    """Return when the date of an ordinal begins."""
    return first_shown(zone, number, 0)


def month_start_ms(number: int, zone: ZoneInfo) -> int:
    """Return when a month begins, months being counted from year 0."""
    return date_start_ms(date(number // 12, number % 12 + 1, 1).toordinal(), zone)


class CustomerMerge:
    """Sums by key and partition of customers; records are published once every partition has progress."""

    def __init__(self, configuration: Configuration, partitions: int) -> None:
        self.windows = CustomerWindows(configuration)
        self._partitions = partitions
        self._retention_ms = (configuration.customers.repeat_days + RETENTION_SLACK_DAYS) * DAY_MS
        self._zone = configuration.zone_of_site(None)
        #: kind → key → partition → sums
        self._sums: dict[str, dict[_SumKey, dict[int, dict[str, int]]]] = {CONTACT_DAY: {}, DAY: {}, MONTH: {}}
        self._changed: dict[str, set[_SumKey]] = {CONTACT_DAY: set(), DAY: set(), MONTH: set()}
        #: partition → (as of, complete before) in ms
        self._progress: dict[int, tuple[int, int]] = {}
        self._checked_minutes: tuple[int, int] | None = None
        self._furthest: int | None = None
        #: kind → start of the oldest stored sums
        self._floors: dict[str, int] = {}

    def restore(self, key: str, record: dict[str, Any]) -> None:
        """Restore the record that was published last under a key; its sums may be gone."""
        self.windows.restore(key, record)
        _, window, channel, scope, start = key.split("|", 4)
        kind = CONTACT_DAY if channel != "-" else DAY if window == CUSTOMER_WINDOWS[0] else MONTH
        self._sums[kind].setdefault((scope, None if channel == "-" else channel, int(start)), {})

    def apply(self, key: str, record: dict[str, Any] | None) -> None:
        """Read a record of queue-panes about customers; None: the partition has no sums there."""
        kind, channel, _, partition, start, scope = key.split("|", 5)
        number = int(partition)
        if kind == PROGRESS:
            if record is not None:
                self._progress[number] = record["as_of_ms"], record["through_ms"]
            return
        sum_key = scope, None if channel == "-" else channel, int(start)
        if sum_key[2] < self._floors.get(kind, 0):
            return
        sums = self._sums[kind].setdefault(sum_key, {})
        if record is None:
            sums.pop(number, None)
        else:
            sums[number] = record["counts"]
        self._changed[kind].add(sum_key)

    def changed_records(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield key and record of changed windows; None for expired ones."""
        if len(self._progress) < self._partitions:
            return
        at = Progress(min(as_of for as_of, _ in self._progress.values()), min(watermark for _, watermark in self._progress.values()))
        furthest = max(watermark for _, watermark in self._progress.values())
        if furthest != self._furthest:
            self._furthest = furthest
            self._expire(furthest)
        minutes = at.as_of // _MINUTE_MS, at.watermark // _MINUTE_MS
        is_due, self._checked_minutes = minutes != self._checked_minutes, minutes
        if is_due:
            # Once a minute all windows: some may have become final, and a date may have begun.
            self._changed = {kind: set(sums) for kind, sums in self._sums.items()}
        windows = self.windows
        yield from windows.contact_days(
            (((scope, channel or "", start), sums) for (scope, channel, start), sums in self._summed(CONTACT_DAY)), at
        )
        yield from windows.days(((self._date(start), sums) for (_, _, start), sums in self._summed(DAY) if start <= at.as_of), at)
        yield from windows.months(((self._month(start), sums) for (_, _, start), sums in self._summed(MONTH) if start <= at.as_of), at)
        if is_due:
            for key in windows.expire(at.watermark - self._retention_ms - 2 * DAY_MS, at.watermark - _MONTHS_RETENTION_MS):
                yield key, None

    def _date(self, at_ms: int) -> int:
        return from_ms(at_ms).astimezone(self._zone).date().toordinal()

    def _month(self, at_ms: int) -> int:
        day = from_ms(at_ms).astimezone(self._zone)
        return day.year * 12 + day.month - 1

    def _expire(self, watermark: int) -> None:
        """Drop the sums that have expired at the partition that is furthest ahead: they cannot become complete."""
        floors = {
            CONTACT_DAY: watermark - self._retention_ms,
            DAY: date_start_ms(self._date(watermark) - self._retention_ms // DAY_MS, self._zone),
            MONTH: month_start_ms(self._month(watermark) - 1, self._zone),
        }
        for kind, sums in self._sums.items():
            for sum_key in [sum_key for sum_key in sums if sum_key[2] < floors[kind]]:
                del sums[sum_key]
        self._floors = floors

    def _begins(self, kind: str, sum_key: _SumKey) -> bool:
        """Return whether a day or month of this configuration begins at the key; sums of another configuration are ignored."""
        scope, _, start = sum_key
        if kind == CONTACT_DAY:
            return self.windows.day(scope, start).start_ms == start
        return start == (date_start_ms(self._date(start), self._zone) if kind == DAY else month_start_ms(self._month(start), self._zone))

    def _summed(self, kind: str) -> Iterator[tuple[_SumKey, dict[str, int]]]:
        """Yield the changed keys with the sums of all partitions."""
        changed, self._changed[kind] = self._changed[kind], set()
        for sum_key in sorted(changed, key=str):
            if sum_key in self._sums[kind] and self._begins(kind, sum_key):
                summed: dict[str, int] = {}
                for counts in self._sums[kind][sum_key].values():
                    for what, amount in counts.items():
                        summed[what] = summed.get(what, 0) + amount
                yield sum_key, summed
