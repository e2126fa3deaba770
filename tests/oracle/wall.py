"""The wall clock, minute by minute: intervals, days, opening hours, open time (``docs/judging.md``; ``docs/counting.md`` 15).

It asks a zone for nothing but what the clock shows at an instant, and shares no line with ``streams/windows``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from schemas.times import from_ms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from streams.configuration.hours import Hours
    from streams.configuration.models import Configuration

__all__ = ["Exceptional", "day", "exceptions_of", "interval", "is_open", "open_ms"]

MINUTE_MS = 60_000
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@cache
def shown(zone: ZoneInfo, minute: int) -> datetime:
    """Return the clock time at the start of a minute since the epoch."""
    return from_ms(minute * MINUTE_MS).astimezone(zone)


@cache
def interval(zone: ZoneInfo, at_ms: int, minutes: int) -> tuple[int, int]:
    """Return the first and the first no longer included millisecond of the interval that holds an instant."""

    def label(minute: int) -> tuple[date, int, timedelta | None]:
        local = shown(zone, minute)
        return local.date(), (60 * local.hour + local.minute) // minutes, local.utcoffset()

    first = last = at_ms // MINUTE_MS
    while label(first - 1) == label(at_ms // MINUTE_MS):
        first -= 1
    while label(last + 1) == label(at_ms // MINUTE_MS):
        last += 1
    return first * MINUTE_MS, (last + 1) * MINUTE_MS


@cache
def first_shows(zone: ZoneInfo, on: date, at: time) -> int:
    """Return the first instant at which the clock shows a time of a date, or a later one."""
    wanted = datetime.combine(on, at)
    # No zone is further from UTC than 14 hours.
    minute = int(datetime.combine(on, at, UTC).timestamp()) // 60 - 15 * 60
    while shown(zone, minute).replace(tzinfo=None) < wanted:
        minute += 1
    return minute * MINUTE_MS


def day(zone: ZoneInfo, begins: time, at_ms: int) -> tuple[int, int]:
    """Return the begin and the end of the day that holds an instant."""
    about = shown(zone, at_ms // MINUTE_MS).date()
    dates = [about + timedelta(days=number) for number in (-1, 0, 1, 2)]
    starts = [first_shows(zone, each, begins) for each in dates]
    number = max(number for number in range(3) if starts[number] <= at_ms)
    return starts[number], starts[number + 1]


# ---- opening hours


class Exceptional(NamedTuple):
    """A calendar exception in time."""

    start_ms: int
    name: str
    kind: str
    end_ms: int | None


def exceptions_of(configuration: Configuration, scope: str, *, about_people: bool = False) -> list[Exceptional]:
    """Return the calendar exceptions of a scope."""
    found = []
    for each in configuration.calendar_exceptions:
        for site, queue in _places(configuration, scope, about_people=about_people):
            everywhere = not each.sites and not each.queues
            if everywhere or site in each.sites or queue in each.queues:
                zone = configuration.zone_of_site(site)
                start, end = _instant(zone, each.begins), None if each.ends is None else _instant(zone, each.ends)
                found.append(Exceptional(start, each.name, each.kind, end))
    return found


def _places(configuration: Configuration, scope: str, *, about_people: bool) -> list[tuple[str | None, str | None]]:
    """Return the pairs of site and queue that make up a scope."""
    kind, name = scope.split(":", 1)
    places: list[tuple[str | None, str | None]] = [(name, None)] if kind == "site" else []
    if kind == "agent":
        person = configuration.people[name]
        return [(person.site or (configuration.teams[person.team].site if person.team else None), None)]
    if about_people:
        teams = configuration.teams.items()
        chosen = {"team": [name], "business": [t for t, team in teams if team.business == name], "total": [t for t, _ in teams]}
        return places + [(configuration.teams[t].site, None) for t in chosen.get(kind, []) if t in configuration.teams]
    for queue, entry in configuration.queues.items():
        belongs = {"queue": queue, "department": entry.department, "business": entry.business, "site": entry.site, "total": "all"}
        if belongs.get(kind) == name:
            places.append((entry.site, queue))
    if kind == "total" or (kind == "queue" and name not in configuration.queues):
        places.append((None, None))
    return places


def _instant(zone: ZoneInfo, text: str) -> int:
    local = datetime.fromisoformat(text)
    return first_shows(zone, local.date(), local.time())


def _days_of(key: str) -> list[str]:
    days: list[str] = []
    for part in key.split(","):
        first, _, last = part.partition("-")
        turn = WEEK[WEEK.index(first) :] + WEEK[: WEEK.index(first)]
        days += turn[: turn.index(last or first) + 1]
    return days


def _spans_of(hours: Iterable[Hours], on: date) -> tuple[str, ...]:
    """Return the hours of a date from the first entry that names it, else the first week. Holiday calendars are not read here."""
    known = list(hours)
    assert not any(each.holiday_calendar for each in known)
    for each in known:
        if on.isoformat() in each.exceptions:
            return each.exceptions[on.isoformat()]
        if on.isoformat() in each.holidays:
            return ()
    for each in known:
        if each.business_hours is not None:
            return next((spans for key, spans in each.business_hours.items() if WEEK[on.weekday()] in _days_of(key)), ())
    return ("00:00-24:00",)


def is_open(configuration: Configuration, queue: str, minute: int) -> bool:
    """Return whether a queue is open at a minute since the epoch."""
    entry = configuration.queues.get(queue)
    site = configuration.sites.get(entry.site) if entry is not None and entry.site is not None else None
    zone = configuration.zone_of_site(None if entry is None else entry.site)
    at_ms = minute * MINUTE_MS
    for each in exceptions_of(configuration, f"queue:{queue}"):
        if each.kind == "closed" and each.start_ms <= at_ms and (each.end_ms is None or at_ms < each.end_ms):
            return False
    today = shown(zone, minute).date()
    for on in (today - timedelta(days=1), today):
        for text in _spans_of([place for place in (entry, site) if place is not None], on):
            begin, _, end = text.partition("-")
            passes = end == "24:00" or end <= begin
            begins = first_shows(zone, on, time.fromisoformat(begin))
            ends = first_shows(zone, on + timedelta(days=passes), time.fromisoformat("00:00" if end == "24:00" else end))
            if begins <= at_ms < ends:
                return True
    return False


def open_ms(configuration: Configuration, queue: str, start_ms: int, end_ms: int) -> int:
    """Return for how long a queue is open from start to end, minute by minute; hours begin and end with minutes."""
    total = 0
    for minute in range(start_ms // MINUTE_MS, -(-end_ms // MINUTE_MS)):
        if is_open(configuration, queue, minute):
            total += min(end_ms, (minute + 1) * MINUTE_MS) - max(start_ms, minute * MINUTE_MS)
    return total
