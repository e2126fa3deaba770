"""The event-time watermark of one source partition (``docs/counting.md`` section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.limits import MAX_INSTANCES, MAX_SOURCES

if TYPE_CHECKING:
    from streams.configuration import Configuration

__all__ = ["Watermark", "journals_of", "watermark_of"]


def watermark_of(configuration: Configuration) -> Watermark:
    """Return the watermark of a partition without records."""
    counting = configuration.counting
    declared = {name: source.silence_seconds for name, source in configuration.sources.items() if source.silence_seconds is not None}
    return Watermark(
        1000 * counting.source_timeout_seconds,
        1000 * counting.disorder_seconds,
        1000 * counting.source_forget_seconds,
        1000 * counting.lag_limit_seconds,
        Silence(1000 * counting.silence_seconds, {name: 1000 * seconds for name, seconds in declared.items()}),
        journals_of(configuration),
    )


def journals_of(configuration: Configuration) -> frozenset[str]:
    """Return the sources that deliver journals, after the fact."""
    return frozenset(name for name, source in configuration.sources.items() if source.delivery == "journal")


class Silence(NamedTuple):
    """Silence in ms after which a source is stale."""

    #: while an instance, such as a gateway, reports completeness for the source
    vouched_ms: int
    #: by source, where configured
    declared_ms: Mapping[str, int]


class Watermark:
    """Watermark of one partition, from the events and heartbeats of its sources; all instants in ms."""

    def __init__(
        self,
        source_timeout_ms: int,
        disorder_ms: int,
        source_forget_ms: int,
        lag_limit_ms: int = 600_000,
        silence: Silence | None = None,
        journals: frozenset[str] = frozenset(),
    ) -> None:
        self._timeout_ms = source_timeout_ms
        self._forget_ms = max(source_timeout_ms, source_forget_ms)
        self._disorder_ms = disorder_ms
        self._lag_limit_ms = lag_limit_ms
        self._journals = journals
        self._declared_ms = {} if silence is None else silence.declared_ms
        self._vouched_ms = max(source_timeout_ms, 0 if silence is None else silence.vouched_ms)
        #: source → last received_at of its events and of its own heartbeats
        self.sources: dict[str, int] = {}
        #: source → completeness as last reported, and received_at of that report
        self._complete: dict[str, int] = {}
        self._reported_ms: dict[str, int] = {}
        #: source → instance, one of several routes of its events → last received_at and completeness
        self._instances: dict[str, dict[str, tuple[int, int]]] = {}
        self.received_through: int | None = None
        #: the watermark: no earlier event is expected; only an operator sets it back
        self.ms: int | None = None

    def has_room(self, source: str) -> bool:
        """Return whether a source is accepted: it is known, or the limit of sources is not reached."""
        return source in self.sources or source in self._instances or len(self.known()) < MAX_SOURCES

    def known(self) -> set[str]:
        """Return the sources with events or heartbeats, or with an instance that reports for them."""
        return self.sources.keys() | self._instances.keys()

    def received(self, source: str, received_ms: int) -> None:
        """Record that an event of a source arrived."""
        last = self.sources.get(source)
        if last is None or received_ms > last:
            self.sources[source] = received_ms
            if self.received_through is None or received_ms > self.received_through:
                self.received_through = received_ms

    def heartbeat(self, source: str, received_ms: int, complete_ms: int, *, ended: bool = False, instance: str | None = None) -> None:
        """Apply a heartbeat: the source sends nothing earlier than ``complete_ms``, or nothing more if it ``ended``.

        With an ``instance`` the report covers that route alone and is no sign of life of the source: a gateway sends it for every
        permitted sender.
        """
        if instance is not None:
            self.pass_time(received_ms)
            reports = self._instances.setdefault(source, {})
            self._record_instance(reports, instance, received_ms, complete_ms, ended=ended)
            if not reports:
                del self._instances[source]
            return
        self.received(source, received_ms)
        if not ended:
            self._complete[source] = max(complete_ms, self._complete.get(source, complete_ms))
            self._reported_ms[source] = max(received_ms, self._reported_ms.get(source, received_ms))
        elif received_ms >= self.sources[source]:
            self._forget(source)

    def _record_instance(
        self, reports: dict[str, tuple[int, int]], instance: str, received_ms: int, complete_ms: int, *, ended: bool
    ) -> None:
        received_before, complete_before = reports.get(instance, (received_ms, complete_ms))
        if not ended:
            reports[instance] = max(received_ms, received_before), max(complete_ms, complete_before)
            if len(reports) > MAX_INSTANCES:
                del reports[min(reports, key=lambda name: (reports[name], name))]
        elif received_ms >= received_before:
            reports.pop(instance, None)

    def exclude(self, source: str) -> None:
        """Exclude a source from the watermark and from the check for silence."""
        self._instances.pop(source, None)
        if source in self.sources:
            self._forget(source)

    def pass_time(self, received_ms: int) -> None:
        """Record a time of receipt, of a record that is no sign of life of its source."""
        if self.received_through is None or received_ms > self.received_through:
            self.received_through = received_ms

    def stale(self) -> list[str]:
        """Return the sources that were silent for too long by the newest receipt, or lag too far behind."""
        newest = self.received_through
        if newest is None:
            return []
        silent = (source for source, last in self.sources.items() if newest - last > self._silence_ms(source, newest))
        complete = self._complete_sources(newest)
        return sorted({*silent, *(complete.keys() - self._kept_up(complete, newest).keys() - self._journals)})

    def journals(self) -> dict[str, int]:
        """Return how far each known journal is complete, as reported or by its events, in ms."""
        newest = self.received_through
        if newest is None or not self._journals:
            return {}
        return {source: self._complete_of(source, newest - self._timeout_ms) for source in sorted(self._journals & self.known())}

    def _silence_ms(self, source: str, newest_ms: int) -> int:
        declared = self._declared_ms.get(source)
        if declared is not None:
            return declared
        reports = self._instances.get(source, {}).values()
        return self._vouched_ms if any(newest_ms - last <= self._timeout_ms for last, _ in reports) else self._timeout_ms

    def advance(self) -> bool:
        """Advance the watermark; return whether it moved."""
        newest = self.received_through
        if newest is None:
            return False
        self._forget_silent(newest - self._forget_ms)
        self._forget_instances(newest - self._timeout_ms)
        # There may be no source left, if the last one has ended.
        through = min(self._kept_up(self._complete_sources(newest), newest).values(), default=newest)
        if self.ms is not None and through <= self.ms:
            return False
        self.ms = through
        return True

    def _complete_sources(self, newest_ms: int) -> dict[str, int]:
        """Return how far each live source, or source with an instance, is complete."""
        limit, last_received, with_instances = newest_ms - self._timeout_ms, self.sources, self._instances
        # Events on the route of an instance are awaited even if their source has been silent for long.
        return {name: self._complete_of(name, limit) for name in self.known() if name in with_instances or last_received[name] >= limit}

    def _kept_up(self, complete: dict[str, int], newest_ms: int) -> dict[str, int]:
        """Return the sources within the limit of lag; all, if all lag: then none holds another back.

        A journal lags by nature: it counts only if all sources are journals.
        """
        if self._journals:
            complete = {source: at for source, at in complete.items() if source not in self._journals} or complete
        limit = newest_ms - self._lag_limit_ms
        return {source: at for source, at in complete.items() if at >= limit} or complete

    def _complete_of(self, source: str, limit_ms: int) -> int:
        """Return its own report if newer than the limit, else the least of its instances', else an estimate."""
        own = self._complete.get(source)
        reports = self._instances.get(source)
        if reports and (own is None or self._reported_ms.get(source, limit_ms - 1) < limit_ms):
            return min(complete for _, complete in reports.values())
        return self.sources[source] - self._disorder_ms if own is None else own

    def _forget_instances(self, before_ms: int) -> None:
        """Drop instances silent since before an instant: their events are sent again by another."""
        for source, reports in [*self._instances.items()]:
            for name in [name for name, (last, _) in reports.items() if last < before_ms]:
                del reports[name]
            if not reports:
                del self._instances[source]

    def set_back(self, to_ms: int) -> None:
        """Limit the watermark and every source's instants to ``to_ms``."""
        self.sources = {source: min(last, to_ms) for source, last in self.sources.items()}
        self._complete = {source: min(complete, to_ms) for source, complete in self._complete.items()}
        self._reported_ms = {source: min(last, to_ms) for source, last in self._reported_ms.items()}
        self._instances = {
            source: {name: (min(last, to_ms), min(complete, to_ms)) for name, (last, complete) in reports.items()}
            for source, reports in self._instances.items()
        }
        if self.received_through is not None:
            self.received_through = min(self.received_through, to_ms)
        if self.ms is not None:
            self.ms = min(self.ms, to_ms)

    def _forget_silent(self, before_ms: int) -> None:
        """Drop sources silent since before an instant; those configured with a silence stay, to be reported as silent."""
        for source in [source for source, last in self.sources.items() if last < before_ms and source not in self._declared_ms]:
            self._forget(source)

    def _forget(self, source: str) -> None:
        del self.sources[source]
        for instants in (self._complete, self._reported_ms):
            instants.pop(source, None)

    def state(self) -> dict[str, Any]:
        """Return the state for ``restore``."""
        return {
            "sources": self.sources,
            "complete": self._complete,
            "spoke": self._reported_ms,
            "instances": self._instances,
            "through": self.ms,
            "received_through": self.received_through,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a stored state; older ones do not distinguish a source's own report from its instances'."""
        self.sources, self._complete = dict(state["sources"]), dict(state["complete"])
        self._reported_ms = dict(state.get("spoke", {}))
        self._instances = {
            source: {name: (last, complete) for name, (last, complete) in reports.items()}
            for source, reports in state.get("instances", {}).items()
        }
        self.ms, self.received_through = state["through"], state["received_through"]
