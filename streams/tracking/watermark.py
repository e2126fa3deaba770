"""How far one source partition's event time is complete (``docs/counting.md`` section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.limits import MAX_INSTANCES, MAX_SOURCES

if TYPE_CHECKING:
    from streams.configuration import Configuration

__all__ = ["Watermark", "journals_of", "watermark_of"]


def watermark_of(configuration: Configuration) -> Watermark:
    """Return the progress of a partition of which nothing is known yet."""
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
    """Return the sources that tell after the fact."""
    return frozenset(name for name, source in configuration.sources.items() if source.delivery == "journal")


class Silence(NamedTuple):
    """How long sources may say nothing of themselves until they are stale, in ms."""

    #: while an instance, such as a gateway, says how far what comes by it is complete
    vouched_ms: int
    #: by source, in any case
    declared_ms: Mapping[str, int]


class Watermark:
    """Signs of life of the sources seen on one partition; all instants in ms."""

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
        #: source → what it said of itself, and when it last did
        self._complete: dict[str, int] = {}
        self._reported_ms: dict[str, int] = {}
        #: source → instance → last received_at and what it said: one way of several that the source's events take
        self._instances: dict[str, dict[str, tuple[int, int]]] = {}
        self.received_through: int | None = None
        #: nothing earlier is still to come; goes back only when an operator sets it back
        self.ms: int | None = None

    def has_room(self, source: str) -> bool:
        """Say whether something of a source may be taken: it is known, or not too many others are."""
        return source in self.sources or source in self._instances or len(self.known()) < MAX_SOURCES

    def known(self) -> set[str]:
        """Return the sources that have sent something, or for which an instance speaks."""
        return self.sources.keys() | self._instances.keys()

    def received(self, source: str, received_ms: int) -> None:
        """Take note that an event of a source came in."""
        last = self.sources.get(source)
        if last is None or received_ms > last:
            self.sources[source] = received_ms
            if self.received_through is None or received_ms > self.received_through:
                self.received_through = received_ms

    def heartbeat(self, source: str, received_ms: int, complete_ms: int, *, ended: bool = False, instance: str | None = None) -> None:
        """Take a source's word that nothing earlier than ``complete_ms`` is still to come, or nothing at all.

        With an ``instance`` it is said of what comes that way alone, and is no sign of the source's life: a gateway says it of every
        sender that may send.
        """
        if instance is not None:
            self.pass_time(received_ms)
            words = self._instances.setdefault(source, {})
            self._heard_of(words, instance, received_ms, complete_ms, ended=ended)
            if not words:
                del self._instances[source]
            return
        self.received(source, received_ms)
        if not ended:
            self._complete[source] = max(complete_ms, self._complete.get(source, complete_ms))
            self._reported_ms[source] = max(received_ms, self._reported_ms.get(source, received_ms))
        elif received_ms >= self.sources[source]:
            self._forget(source)

    def _heard_of(self, words: dict[str, tuple[int, int]], instance: str, received_ms: int, complete_ms: int, *, ended: bool) -> None:
        received_before, complete_before = words.get(instance, (received_ms, complete_ms))
        if not ended:
            words[instance] = max(received_ms, received_before), max(complete_ms, complete_before)
            if len(words) > MAX_INSTANCES:
                del words[min(words, key=lambda name: (words[name], name))]
        elif received_ms >= received_before:
            words.pop(instance, None)

    def exclude(self, source: str) -> None:
        """Neither wait for a source any more nor ask whether it is silent."""
        self._instances.pop(source, None)
        if source in self.sources:
            self._forget(source)

    def pass_time(self, received_ms: int) -> None:
        """Take note of the time at which something came in, also what is no sign of life of its source or of one that is left out."""
        if self.received_through is None or received_ms > self.received_through:
            self.received_through = received_ms

    def stale(self) -> list[str]:
        """Return the sources that have said nothing of themselves for longer than they may, by the time of all, or lag too far behind."""
        newest = self.received_through
        if newest is None:
            return []
        silent = (source for source, last in self.sources.items() if newest - last > self._silence_ms(source, newest))
        complete = self._complete_sources(newest)
        return sorted({*silent, *(complete.keys() - self._kept_up(complete, newest).keys() - self._journals)})

    def journals(self) -> dict[str, int]:
        """Return how far each journal that has been heard of is complete, by its own word or what has come of it, in ms."""
        newest = self.received_through
        if newest is None or not self._journals:
            return {}
        return {source: self._complete_of(source, newest - self._timeout_ms) for source in sorted(self._journals & self.known())}

    def _silence_ms(self, source: str, newest_ms: int) -> int:
        declared = self._declared_ms.get(source)
        if declared is not None:
            return declared
        words = self._instances.get(source, {}).values()
        return self._vouched_ms if any(newest_ms - last <= self._timeout_ms for last, _ in words) else self._timeout_ms

    def advance(self) -> bool:
        """Bring ``through`` up to date; say whether it moved."""
        newest = self.received_through
        if newest is None:
            return False
        self._forget_silent(newest - self._forget_ms)
        self._forget_instances(newest - self._timeout_ms)
        # Where the source heard last has ended, there may be none.
        through = min(self._kept_up(self._complete_sources(newest), newest).values(), default=newest)
        if self.ms is not None and through <= self.ms:
            return False
        self.ms = through
        return True

    def _complete_sources(self, newest_ms: int) -> dict[str, int]:
        """Return how far each source is complete that has given a sign of life, or has an instance that speaks for it."""
        limit, heard, spoken_for = newest_ms - self._timeout_ms, self.sources, self._instances
        # What is on the way by an instance is waited for, also where its source has been silent for long.
        return {each: self._complete_of(each, limit) for each in self.known() if each in spoken_for or heard[each] >= limit}

    def _kept_up(self, complete: dict[str, int], newest_ms: int) -> dict[str, int]:
        """Return those that lag no farther behind than they may; all, if all lag: then none of them holds another back.

        A journal lags by its nature: it counts only where there is none but journals.
        """
        if self._journals:
            complete = {source: at for source, at in complete.items() if source not in self._journals} or complete
        limit = newest_ms - self._lag_limit_ms
        return {source: at for source, at in complete.items() if at >= limit} or complete

    def _complete_of(self, source: str, limit_ms: int) -> int:
        """Return its own word, if it gave one since the limit; else the least of its instances', else the best guess there is."""
        own = self._complete.get(source)
        words = self._instances.get(source)
        if words and (own is None or self._reported_ms.get(source, limit_ms - 1) < limit_ms):
            return min(complete for _, complete in words.values())
        return self.sources[source] - self._disorder_ms if own is None else own

    def _forget_instances(self, before_ms: int) -> None:
        """Give up instances silent since before an instant: what was on its way there is sent again elsewhere."""
        for source, words in [*self._instances.items()]:
            for name in [name for name, (last, _) in words.items() if last < before_ms]:
                del words[name]
            if not words:
                del self._instances[source]

    def set_back(self, to_ms: int) -> None:
        """Let nothing lie beyond an instant: neither the progress nor what is known of any source."""
        self.sources = {source: min(last, to_ms) for source, last in self.sources.items()}
        self._complete = {source: min(complete, to_ms) for source, complete in self._complete.items()}
        self._reported_ms = {source: min(last, to_ms) for source, last in self._reported_ms.items()}
        self._instances = {
            source: {name: (min(last, to_ms), min(complete, to_ms)) for name, (last, complete) in words.items()}
            for source, words in self._instances.items()
        }
        if self.received_through is not None:
            self.received_through = min(self.received_through, to_ms)
        if self.ms is not None:
            self.ms = min(self.ms, to_ms)

    def _forget_silent(self, before_ms: int) -> None:
        """Give up sources silent since before an instant; those that the configuration expects to hear stay, to be named as silent."""
        for source in [source for source, last in self.sources.items() if last < before_ms and source not in self._declared_ms]:
            self._forget(source)

    def _forget(self, source: str) -> None:
        del self.sources[source]
        for kept in (self._complete, self._reported_ms):
            kept.pop(source, None)

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` takes."""
        return {
            "sources": self.sources,
            "complete": self._complete,
            "spoke": self._reported_ms,
            "instances": self._instances,
            "through": self.ms,
            "received_through": self.received_through,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a kept state; an older one does not tell a source's own word from that of its instances."""
        self.sources, self._complete = dict(state["sources"]), dict(state["complete"])
        self._reported_ms = dict(state.get("spoke", {}))
        self._instances = {
            source: {name: (last, complete) for name, (last, complete) in words.items()}
            for source, words in state.get("instances", {}).items()
        }
        self.ms, self.received_through = state["through"], state["received_through"]
