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

#: End of an open exception: beyond every valid time of an event.
_OPEN_END_MS: Final = 1 << 60


class Exceptional(NamedTuple):
    """A calendar exception in the time zone of one site."""

    span: Span
    name: str

    def touches(self, start_ms: int, end_ms: int) -> bool:
        """Return whether it overlaps the time from start to end."""
        return self.span.start_ms < end_ms and start_ms < self.span.end_ms


class Exceptions:
    """The calendar exceptions of a configuration by scope."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def of(self, scope: str, *, about_people: bool) -> tuple[Exceptional, ...]:
        """Return the exceptions of a scope in order; a larger scope has those of its queues, or of its teams if ``about_people``."""
        exceptions: set[Exceptional] = set()
        for configured in self._configuration.calendar_exceptions:
            for site in self._sites(configured, scope, about_people=about_people):
                exceptions.add(Exceptional(self._span(configured, site), configured.name))
        return tuple(sorted(exceptions))

    def of_queue(self, name: str, at_ms: int) -> list[str]:
        """Return the names of a queue's exceptions at an instant."""
        queue = self._configuration.queues.get(name)
        site = None if queue is None else queue.site
        exceptions = (exception for exception in self._configuration.calendar_exceptions if self._is_about(exception, site, name))
        spans = ((exception.name, self._span(exception, site)) for exception in exceptions)
        return [name for name, span in spans if span.start_ms <= at_ms < span.end_ms]

    def closures(self, kind: str, name: str) -> list[Span]:
        """Return the exceptional closures of a queue or site."""
        queue = self._configuration.queues.get(name) if kind == "queue" else None
        site = name if kind == "site" else queue.site if queue is not None else None
        return [
            self._span(exception, site)
            for exception in self._configuration.calendar_exceptions
            if exception.kind == "closed" and self._is_about(exception, site, name if kind == "queue" else None)
        ]

    def _sites(self, exception: CalendarException, scope: str, *, about_people: bool) -> Iterator[str | None]:
        """Yield the sites in whose time zones an exception affects a scope."""
        configuration = self._configuration
        kind, name = scope.split(":", 1)
        if kind == "site" and self._is_about(exception, name, None):
            yield name
        if kind == "agent":
            site = configuration.place_of_person(name)[1]
            if self._is_about(exception, site, None):
                yield site
        if about_people:
            for team_name, team in configuration.teams.items():
                belongs = kind == "total" or (kind == "team" and team_name == name) or (kind == "business" and team.business == name)
                if belongs and self._is_about(exception, team.site, None):
                    yield team.site
            return
        for queue_name, queue in configuration.queues.items():
            belongs = kind == "total" or (queue_name if kind == "queue" else getattr(queue, kind, None)) == name
            if belongs and self._is_about(exception, queue.site, queue_name):
                yield queue.site
        if not exception.sites and not exception.queues and (kind == "total" or (kind == "queue" and name not in configuration.queues)):
            yield None

    @staticmethod
    def _is_about(exception: CalendarException, site: str | None, queue: str | None) -> bool:
        return (not exception.sites and not exception.queues) or site in exception.sites or queue in exception.queues

    def _span(self, exception: CalendarException, site: str | None) -> Span:
        zone = self._configuration.zone_of_site(site)

        def instant(text: str) -> int:
            local = datetime.fromisoformat(text)
            return first_shown(zone, local.toordinal(), 60 * local.hour + local.minute)

        return Span(instant(exception.begins), _OPEN_END_MS if exception.ends is None else instant(exception.ends))
