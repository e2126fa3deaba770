"""Which calendar exceptions a scope has, and when: a typhoon, an outage (``docs/counting.md`` section 15)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.windows.calendar import Span, first_shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration
    from streams.configuration.calendar_exceptions import CalendarException

__all__ = ["Exceptional", "Exceptions"]

#: The end of what has none yet: beyond every instant that an event may have.
_OPEN_END_MS: Final = 1 << 60


class Exceptional(NamedTuple):
    """A calendar exception on the clock of one site."""

    span: Span
    name: str

    def touches(self, start_ms: int, end_ms: int) -> bool:
        """Say whether any of the time from start to end is in it."""
        return self.span.start_ms < end_ms and start_ms < self.span.end_ms


class Exceptions:
    """The calendar exceptions of a configuration by scope."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def of(self, scope: str, *, about_people: bool) -> tuple[Exceptional, ...]:
        """Return those of a scope in order; a larger scope has those of any of its queues, or of its teams if it is about people."""
        found: set[Exceptional] = set()
        for each in self._configuration.calendar_exceptions:
            for site in self._sites(each, scope, about_people=about_people):
                found.add(Exceptional(self._span(each, site), each.name))
        return tuple(sorted(found))

    def of_queue(self, name: str, at_ms: int) -> list[str]:
        """Return the names of those that a queue has at an instant."""
        queue = self._configuration.queues.get(name)
        site = None if queue is None else queue.site
        found = (each for each in self._configuration.calendar_exceptions if self._is_about(each, site, name))
        spans = ((each.name, self._span(each, site)) for each in found)
        return [name for name, span in spans if span.start_ms <= at_ms < span.end_ms]

    def closures(self, kind: str, name: str) -> list[Span]:
        """Return when a queue or site is closed out of turn."""
        queue = self._configuration.queues.get(name) if kind == "queue" else None
        site = name if kind == "site" else queue.site if queue is not None else None
        return [
            self._span(each, site)
            for each in self._configuration.calendar_exceptions
            if each.kind == "closed" and self._is_about(each, site, name if kind == "queue" else None)
        ]

    def _sites(self, each: CalendarException, scope: str, *, about_people: bool) -> Iterator[str | None]:
        """Yield the sites on whose clocks an exception touches a scope."""
        configuration = self._configuration
        kind, name = scope.split(":", 1)
        if kind == "site" and self._is_about(each, name, None):
            yield name
        if kind == "agent":
            place = configuration.place_of_person(name)[1]
            if self._is_about(each, place, None):
                yield place
        if about_people:
            for team_name, team in configuration.teams.items():
                belongs = kind == "total" or (kind == "team" and team_name == name) or (kind == "business" and team.business == name)
                if belongs and self._is_about(each, team.site, None):
                    yield team.site
            return
        for queue_name, queue in configuration.queues.items():
            belongs = kind == "total" or (queue_name if kind == "queue" else getattr(queue, kind, None)) == name
            if belongs and self._is_about(each, queue.site, queue_name):
                yield queue.site
        if not each.sites and not each.queues and (kind == "total" or (kind == "queue" and name not in configuration.queues)):
            yield None

    @staticmethod
    def _is_about(each: CalendarException, site: str | None, queue: str | None) -> bool:
        return (not each.sites and not each.queues) or site in each.sites or queue in each.queues

    def _span(self, each: CalendarException, site: str | None) -> Span:
        zone = self._configuration.zone_of_site(site)

        def instant(text: str) -> int:
            local = datetime.fromisoformat(text)
            return first_shown(zone, local.toordinal(), 60 * local.hour + local.minute)

        return Span(instant(each.begins), _OPEN_END_MS if each.ends is None else instant(each.ends))
