"""Whether a site, a queue or what they belong to is open at an instant, on the wall clock of its zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from schemas.times import from_ms, to_ms
from streams.configuration.hours import DAY_MINUTES, span_minutes, weekdays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from streams.configuration import Configuration
    from streams.configuration.hours import Hours

__all__ = ["OpeningHours", "opening_of"]

#: Days that are remembered: yesterday and today, of whatever is asked in between.
_REMEMBERED: Final = 16

#: From midnight, in minutes; the end may lie on the next day.
Span = tuple[int, int]


class OpeningHours:
    """The hours of one place.

    Args:
        zone: whose wall clock the hours are written in.

        hours: where several, the first that says something of a date decides it, and the first with a week the week.
    """

    def __init__(self, zone: ZoneInfo, hours: Iterable[Hours]) -> None:
        self._zone = zone
        self._dates: dict[int, list[Span]] = {}
        self._week: list[list[Span]] | None = None
        for each in hours:
            closed: dict[str, tuple[str, ...]] = dict.fromkeys(each.holidays, ())
            for day, spans in (closed | each.exceptions).items():
                self._dates.setdefault(date.fromisoformat(day).toordinal(), [span_minutes(text) for text in spans])
            if self._week is None and each.business_hours is not None:
                self._week = [[] for _ in range(7)]
                for key, spans in each.business_hours.items():
                    for weekday in weekdays(key):
                        self._week[weekday] = [span_minutes(text) for text in spans]
        self._days: dict[int, list[tuple[int, int]]] = {}

    def is_open(self, instant_ms: int) -> bool:
        """Say whether it is open; a span holds its begin and not its end."""
        today = from_ms(instant_ms).astimezone(self._zone).date().toordinal()
        # A span that passes midnight belongs to the day it begins on.
        return any(begin <= instant_ms < end for day in (today, today - 1) for begin, end in self._spans(day))

    def _spans(self, day: int) -> list[tuple[int, int]]:
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _REMEMBERED:
                self._days.clear()
            found = self._days[day] = [(self._instant(day, begin), self._instant(day, end)) for begin, end in self._written(day)]
        return found

    def _written(self, day: int) -> list[Span]:
        if day in self._dates:
            return self._dates[day]
        return [(0, DAY_MINUTES)] if self._week is None else self._week[date.fromordinal(day).weekday()]

    def _instant(self, day: int, minutes: int) -> int:
        """Return when the wall clock first shows a time or a later one: of two moments the first, and in a gap its end."""
        local = datetime.combine(date.fromordinal(day) + timedelta(days=minutes // DAY_MINUTES), time(), self._zone)
        local = local.replace(hour=minutes % DAY_MINUTES // 60, minute=minutes % 60)
        instant = local.astimezone(UTC)
        if instant.astimezone(self._zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return to_ms(instant)
        # Skipped as clocks were set forward, which happened between the two readings of it: on the old clock and on the new.
        early, late = to_ms(local.replace(fold=1).astimezone(UTC)), to_ms(instant)
        before = from_ms(early).astimezone(self._zone).utcoffset()
        while late - early > 1:
            middle = (early + late) // 2
            if from_ms(middle).astimezone(self._zone).utcoffset() == before:
                early = middle
            else:
                late = middle
        return late


def opening_of(configuration: Configuration) -> Callable[[str, int], bool]:
    """Return what says whether a scope is open at an instant (ms).

    A queue has its own hours and, for what they leave open, its site's. A site has its own, a team its site's.
    A department or business is open while one of its queues is, the total while any queue is. What has no hours is always open.
    """
    known: dict[str, list[OpeningHours]] = {}

    def of_site(name: str | None) -> OpeningHours | None:
        site = configuration.sites.get(name) if name is not None else None
        return None if site is None else OpeningHours(configuration.zone_of_site(name), [site])

    def of_queue(name: str) -> OpeningHours | None:
        queue = configuration.queues.get(name)
        if queue is None:
            return None
        site = configuration.sites.get(queue.site) if queue.site is not None else None
        return OpeningHours(configuration.zone_of_site(queue.site), [queue, *([site] if site is not None else [])])

    def places(scope: str) -> list[OpeningHours]:
        kind, name = scope.split(":", 1)
        found: list[OpeningHours | None]
        match kind:
            case "queue":
                found = [of_queue(name)]
            case "site":
                found = [of_site(name)]
            case "team":
                team = configuration.teams.get(name)
                found = [of_site(team.site if team is not None else None)]
            case _:
                queues = configuration.queues.items()
                found = [of_queue(each) for each, queue in queues if kind == "total" or getattr(queue, kind) == name]
        return [each for each in found if each is not None]

    def is_open(scope: str, instant_ms: int) -> bool:
        if scope not in known:
            known[scope] = places(scope)
        return not known[scope] or any(place.is_open(instant_ms) for place in known[scope])

    return is_open
