"""What every person is doing, as the people view shows it: state, why, for how long, whether that is too long, and the day so far."""

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

#: Who signed in longer ago, and of whom nothing was heard since, is not known here.
_LOOK_BACK_SECONDS: Final = 36 * 3600.0
_QUARTER_MS: Final = 900_000


class People:
    """What people do, for the API; with ``contacts`` also which contacts they are at, where these can be read."""

    def __init__(
        self,
        log: EventLog,
        configuration: Callable[[], Configuration],
        clock: Callable[[], float],
        contacts: Materialized[RecentContacts] | None = None,
    ) -> None:
        self.floor = Materialized(log, Floor, configuration, look_back_seconds=_LOOK_BACK_SECONDS, clock=clock)
        self._contacts = contacts
        self.readings = tuple(each for each in (self.floor, contacts) if each is not None)

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
        """Return the people that a view shows and who asks wants, by name, at the newest instant that is known.

        Raises:
            NoTurnError, TopicError, KafkaError, OSError, TimeoutError: as ``Materialized.query``.
        """
        days = {} if agents is None or not agents.known else _days_of(agents)
        # When the newest event came tells who sees a part how busy others are.
        unrestricted = view.scopes is None
        at_work = await self._at_work(asker, as_of_ms, unrestricted=unrestricted)

        def made(floor: Floor, configuration: Configuration) -> dict[str, Any]:
            at_ms = max((each for each in (as_of_ms, floor.received_ms if unrestricted else None) if each is not None), default=None)
            people: list[dict[str, Any]] = []
            if at_ms is not None:
                standings = list(floor.statuses(at_ms, _day_starts(configuration, at_ms) if strip else {}))
                works = None if at_work is None else works_of((standing.name for standing in standings), at_work)
                for standing in standings:
                    if view.sees("agent", standing.person):
                        told = _told(standing, view, configuration, days.get(standing.person), at_ms, strip=strip)
                        told["at_work"] = None if works is None else _works(works[standing.name], view)
                        if wanted(told):
                            people.append(told)
            sites = [
                {"site": name, "individual_figures": site.individual_figures}
                for name, site in sorted(configuration.sites.items())
                if view.sees("site", name)
            ]
            return {"people_as_of": None if at_ms is None else format_ms(at_ms), "people": people, "sites": sites}

        document = await self.floor.query(asker, made)
        reading = self.floor.reading
        return {
            **document,
            "people_complete": reading is None,
            "days_known": agents is not None and agents.known,
            "reading": None if reading is None else reading.document(unrestricted=unrestricted),
        }

    async def _at_work(self, asker: str, as_of_ms: int | None, *, unrestricted: bool) -> Mapping[str, Sequence[AtWork]] | None:
        """Return by name which contacts people are at; None where that is not known, or not yet."""
        if self._contacts is None:
            return None

        def made(contacts: RecentContacts, _: Configuration) -> Mapping[str, Sequence[AtWork]] | None:
            at_ms = max((each for each in (as_of_ms, contacts.received_ms if unrestricted else None) if each is not None), default=None)
            return None if at_ms is None else contacts.at_work(at_ms)

        found = await self._contacts.query_if_readable(asker, made)
        return found if self._contacts.complete else None


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
    """Return of each person the newest day."""
    found: dict[str, AgentFigures] = {}
    for entry in agents.chosen(frozenset({"day"})):
        before = found.get(entry.record.scope)
        if before is None or parse_time_ms(entry.record.window_end) > parse_time_ms(before.window_end):
            found[entry.record.scope] = entry.record
    return found


def _day_starts(configuration: Configuration, at_ms: int) -> dict[str | None, int]:
    """Return when the day of each site began."""
    sites: Collection[str | None] = (None, *configuration.sites)
    found: dict[str | None, int] = {}
    for site in sites:
        own = configuration.sites.get(site) if site is not None else None
        calendar = Calendar(configuration.zone_of_site(site), "00:00" if own is None else own.day_start)
        found[site] = calendar.day(cell_of(at_ms, _QUARTER_MS)).start_ms
    return found


def _told(
    standing: AgentStatus, view: View, configuration: Configuration, day: AgentFigures | None, at_ms: int, *, strip: bool
) -> dict[str, Any]:
    now = standing.now
    seconds = max(0, at_ms - now.start_ms) // 1000
    limit = None if now.state in {"stale", "offline"} else too_long_after(configuration.too_long_seconds, now.reason, now.word, now.state)
    # A day that is over is not today's.
    today = None if day is None or parse_time_ms(day.window_end) <= at_ms else day
    told: dict[str, Any] = {
        "person": standing.person,
        "team": standing.team if standing.team is not None and view.sees("team", standing.team) else None,
        "site": standing.site if standing.site is not None and view.sees("site", standing.site) else None,
        "queues": None if standing.queues is None else [name for name in standing.queues if view.sees("queue", name)],
        "skills": None if standing.skills is None else list(standing.skills),
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
        told["strip"] = _strip(standing.past)
    return told


def _strip(past: tuple[Stretch, ...]) -> list[dict[str, Any]]:
    """Return the day so far, each part up to the begin of the next; parts that look alike are one."""
    found: list[dict[str, Any]] = []
    for each in past:
        part = {"start": format_ms(each.start_ms), "state": each.state, "reason": each.reason or each.word}
        if not found or (found[-1]["state"], found[-1]["reason"]) != (part["state"], part["reason"]):
            found.append(part)
    return found
