"""Records of the windows about customers: which exist, when they are final, and which have changed."""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from schemas.times import format_ms
from streams.catalogue.entries.customers import SMALLEST_GROUP
from streams.windows.calendar import Calendars, Span, first_shown
from streams.windows.kpis import contact_day_kpis, customer_kpis, retention_kpis
from streams.windows.slices import DAY_MS, MIN_CELL_MS, cell_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.catalogue.formulas import Figure
    from streams.configuration import Configuration

__all__ = ["CUSTOMER_WINDOWS", "CustomerWindows", "Progress"]

#: The names of these windows.
CUSTOMER_WINDOWS = ("customers_day", "customers_month")
_TOTAL = "total:all"
_encode = msgspec.json.Encoder(order="sorted").encode
#: Fields that change without new content.
_NOT_CONTENT = ("as_of", "complete_through", "revision")


class Progress(NamedTuple):
    """As-of and watermark of customers, in ms."""

    as_of: int
    watermark: int


class CustomerWindows:
    """The last published record of each window, in event time."""

    def __init__(self, configuration: Configuration) -> None:
        counting, customers = configuration.counting, configuration.customers
        self._configuration = configuration
        self._zone = configuration.zone_of_site(None)
        self._completion_delay_ms = 1000 * (counting.grace_seconds + counting.rejoin_seconds)
        self._horizon_ms = customers.repeat_days * DAY_MS
        self._calendars = Calendars(configuration)
        #: key → revision and digest of the content
        self._published: dict[str, tuple[int, bytes]] = {}

    def contact_days(
        self, contact_days: Iterable[tuple[tuple[str, str, int], Mapping[str, int]]], at: Progress
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the changed records of contacts by scope, channel and start of the day."""
        for (scope, channel, start), sums in contact_days:
            day = self.day(scope, start)
            yield from self._changed(scope, channel, CUSTOMER_WINDOWS[0], day, sums, contact_day_kpis(sums), at, self._horizon_ms)

    def day(self, scope: str, at_ms: int) -> Span:
        """Return the day of a scope that holds an instant."""
        return self._calendars.of(scope).day(cell_of(at_ms, MIN_CELL_MS))

    def days(self, days: Iterable[tuple[int, Mapping[str, int]]], at: Progress) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the changed records of customers at the ends of days."""
        for day, sums in days:
            span = Span(self._midnight(day), self._midnight(day + 1))
            few = sums.get("supported_customers", 0) < SMALLEST_GROUP
            shown = {what: amount for what, amount in sums.items() if not few or what != "supported_value_milli"}
            yield from self._changed(_TOTAL, None, CUSTOMER_WINDOWS[0], span, shown, customer_kpis(sums), at, 0)

    def months(self, months: Iterable[tuple[int, Mapping[str, int]]], at: Progress) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the changed records of customers retained through months."""
        for month, sums in months:
            begin, end = (self._midnight(date(number // 12, number % 12 + 1, 1).toordinal()) for number in (month, month + 1))
            yield from self._changed(_TOTAL, None, CUSTOMER_WINDOWS[1], Span(begin, end), sums, retention_kpis(sums), at, 0)

    def expire(self, days_before_ms: int, months_before_ms: int) -> Iterator[str]:
        """Drop the windows that began before an instant, and yield their keys."""
        for key in list(self._published):
            before = months_before_ms if key.startswith(f"window|{CUSTOMER_WINDOWS[1]}|") else days_before_ms
            if int(key.rsplit("|", 1)[1]) < before:
                del self._published[key]
                yield key

    def _midnight(self, day: int) -> int:
        return first_shown(self._zone, day, 0)

    def _changed(
        self,
        scope: str,
        channel: str | None,
        window: str,
        span: Span,
        sums: Mapping[str, int],
        kpis: dict[str, Figure],
        at: Progress,
        horizon_ms: int,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        key = f"window|{window}|{channel or '-'}|{scope}|{span.start_ms}"
        counts = {what: amount for what, amount in sorted(sums.items()) if amount}
        if not counts and key not in self._published:
            return
        kind, name = scope.split(":", 1)
        record: dict[str, Any] = {
            "kind": "window",
            "scope_kind": kind,
            "scope": name,
            "channel": channel,
            "as_of": format_ms(at.as_of),
            "complete_through": format_ms(at.watermark),
            "window": window,
            "window_start": format_ms(span.start_ms),
            "window_end": format_ms(span.end_ms),
            "final": at.watermark >= span.end_ms + horizon_ms + self._completion_delay_ms,
            "late_events": 0,
            "definitions": {},
            "kpis": kpis,
            "counts": counts,
        }
        digest = _digest(record)
        revision, before = self._published.get(key, (0, b""))
        if digest != before:
            record["revision"] = revision + 1
            self._published[key] = (revision + 1, digest)
            yield key, record

    def restore(self, key: str, record: Mapping[str, Any]) -> None:
        """Restore the record that was published last under a key."""
        self._published[key] = (record["revision"], _digest(record))


def _digest(record: Mapping[str, Any]) -> bytes:
    return blake2b(_encode({name: value for name, value in record.items() if name not in _NOT_CONTENT}), digest_size=16).digest()
