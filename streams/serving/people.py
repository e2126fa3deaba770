"""The state of every agent for the people view: reason, duration, whether that is too long, and the day so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.times import format_ms, parse_time_ms
from streams.configuration.floor import too_long_after
from streams.explaining import Floor, works_of
from streams.serving.materialized import Materialized
from streams.windows.calendar import Calendar
from streams.windows.slices import cell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from schemas.agent_metrics import AgentFigures
    from streams.access.views import View
    from streams.configuration import Configuration
    from streams.explaining import RecentContacts
    from streams.explaining.floor import AgentStatus, Stretch
    from streams.explaining.recent_contacts import AtWork
    from streams.serving.agents import Agents
    from streams.serving.event_log import EventLog

__all__ = ["People"]

#: An agent who signed in longer ago, without events since, is not known.
_LOOK_BACK_SECONDS: Final = 36 * 3600.0
_QUARTER_MS: Final = 900_000


class People:
    """The states of agents, for the API; with ``contacts`` also the contacts they are at, if these can be read."""

    def __init__(
        self,
        log: EventLog,
        configuration: Callable[[], Configuration],
        clock: Callable[[], float],
        contacts: Materialized[RecentContacts] | None = None,
    ) -> None:
        self.floor = Materialized(log, Floor, configuration, look_back_seconds=_LOOK_BACK_SECONDS, clock=clock)
        self._contacts = contacts
        self.readings = tuple(source for source in (self.floor, contacts) if source is not None)

    async def document(
        self,
        asker: str,
        as_of_ms: int | None,
        agents: Agents | None,
        view: View,
        wanted: Callable[[dict[str, Any]], bool],
        *,
        strip: bool,
    ) -> dict[str, Any]:
        """Return the wanted agents that a view shows, by name, at the newest instant known.

        Raises:
            NoTurnError, TopicError, KafkaError, OSError, TimeoutError: as ``Materialized.query``.
        """
        days = {} if agents is None or not agents.known else _days_of(agents)
        # The time of the newest event reveals how busy hidden scopes are.
        unrestricted = view.scopes is None
        at_work = await self._at_work(asker, as_of_ms, unrestricted=unrestricted)

        def compute(floor: Floor, configuration: Configuration) -> dict[str, Any]:
            at_ms = _newest_ms(as_of_ms, floor.received_ms if unrestricted else None)
            people: list[dict[str, Any]] = []
            if at_ms is not None:
                statuses = list(floor.statuses(at_ms, _day_starts(configuration, at_ms) if strip else {}))
                works = None if at_work is None else works_of((status.name for status in statuses), at_work)
                for status in statuses:
                    if view.sees("agent", status.person):
                        person = _person(status, view, configuration, days.get(status.person), at_ms, strip=strip)
                        person["at_work"] = None if works is None else _works(works[status.name], view)
                        if wanted(person):
                            people.append(person)
            sites = [
                {"site": name, "individual_figures": site.individual_figures}
                for name, site in sorted(configuration.sites.items())
                if view.sees("site", name)
            ]
            return {"people_as_of": None if at_ms is None else format_ms(at_ms), "people": people, "sites": sites}

        document = await self.floor.query(asker, compute)
        reading = self.floor.reading
        return {
            **document,
            "people_complete": reading is None,
            "days_known": agents is not None and agents.known,
            "reading": None if reading is None else reading.document(unrestricted=unrestricted),
        }

    async def _at_work(self, asker: str, as_of_ms: int | None, *, unrestricted: bool) -> Mapping[str, Sequence[AtWork]] | None:
        """Return the contacts that agents are at, by name; None if unknown, or not complete yet."""
        if self._contacts is None:
            return None

        def compute(contacts: RecentContacts, _: Configuration) -> Mapping[str, Sequence[AtWork]] | None:
            at_ms = _newest_ms(as_of_ms, contacts.received_ms if unrestricted else None)
            return None if at_ms is None else contacts.at_work(at_ms)

        at_work = await self._contacts.query_if_readable(asker, compute)
        return at_work if self._contacts.complete else None


def _newest_ms(*instants: int | None) -> int | None:
    return max((ms for ms in instants if ms is not None), default=None)


def _works(works: Sequence[AtWork], view: View) -> list[dict[str, Any]]:
    return [
        {
            "queue": work.queue if view.sees("queue", work.queue) else None,
            "channel": work.channel,
            "since": format_ms(work.since_ms),
            "wraps_up": work.wraps_up,
        }
        for work in works
    ]


def _days_of(agents: Agents) -> dict[str, AgentFigures]:
    """Return the newest day of each agent."""
    days: dict[str, AgentFigures] = {}
    for entry in agents.chosen(frozenset({"day"})):
        before = days.get(entry.record.scope)
        if before is None or parse_time_ms(entry.record.window_end) > parse_time_ms(before.window_end):
            days[entry.record.scope] = entry.record
    return days


def _day_starts(configuration: Configuration, at_ms: int) -> dict[str | None, int]:
    """Return the start of the day of each site."""
    sites: Collection[str | None] = (None, *configuration.sites)
    starts: dict[str | None, int] = {}
    for site in sites:
        own = configuration.sites.get(site) if site is not None else None
        calendar = Calendar(configuration.zone_of_site(site), "00:00" if own is None else own.day_start)
        starts[site] = calendar.day(cell_of(at_ms, _QUARTER_MS)).start_ms
    return starts


def _person(
    status: AgentStatus, view: View, configuration: Configuration, day: AgentFigures | None, at_ms: int, *, strip: bool
) -> dict[str, Any]:
    now = status.now
    seconds = max(0, at_ms - now.start_ms) // 1000
    limit = None if now.state in {"stale", "offline"} else too_long_after(configuration.too_long_seconds, now.reason, now.word, now.state)
    # A day that is over is not today's.
    today = None if day is None or parse_time_ms(day.window_end) <= at_ms else day
    person: dict[str, Any] = {
        "person": status.person,
        "team": status.team if status.team is not None and view.sees("team", status.team) else None,
        "site": status.site if status.site is not None and view.sees("site", status.site) else None,
        "queues": None if status.queues is None else [name for name in status.queues if view.sees("queue", name)],
        "skills": None if status.skills is None else list(status.skills),
        "state": now.state,
        "word": now.word,
        "reason": now.reason,
        "since": format_ms(now.start_ms),
        "seconds": seconds,
        "limit_seconds": limit,
        "too_long": limit is not None and seconds > limit,
        "handled": None if today is None else today.counts.get("handled", 0),
        "occupancy": None if today is None or "occupancy" not in today.kpis else today.kpis["occupancy"].model_dump(),
    }
    if strip:
        person["strip"] = _strip(status.past)
    return person


def _strip(past: tuple[Stretch, ...]) -> list[dict[str, Any]]:
    """Return the day so far, each part up to the start of the next; equal neighbours are merged."""
    parts: list[dict[str, Any]] = []
    for stretch in past:
        part = {"start": format_ms(stretch.start_ms), "state": stretch.state, "reason": stretch.reason or stretch.word}
        if not parts or (parts[-1]["state"], parts[-1]["reason"]) != (part["state"], part["reason"]):
            parts.append(part)
    return parts
