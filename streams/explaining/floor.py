"""Follow agents of sites that permit figures of single agents: state, reason, since when, and the day so far; no broker, no clock.

States follow the rules of the agent tracker (``docs/counting.md`` section 6).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from schemas.decoding import decode_agent_event
from streams.explaining.accepting import accepted
from streams.tracking.agent import Agent, Silence
from streams.tracking.agent_states import GONE, AgentStates, Categories, Reported
from streams.tracking.contacts import retention_ms
from streams.tracking.scopes import Targets
from streams.tracking.snapshots import Snapshots
from streams.tracking.spaces import Spaces, id_of, space_of
from streams.windows.slices import PANE_MS, pane_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from streams.configuration import Configuration
    from streams.tracking.agent_states import AgentFact, AgentState

__all__ = ["AgentStatus", "Floor", "Stretch"]

#: Beyond this many facts of an agent the oldest half is folded.
_MOST_FACTS = 1_000
#: A snapshot is compared only after this much more was received: events on their way may contradict it.
_SNAPSHOT_DELAY_MS = 5_000

#: The platform's name of a state, and its reason, as in an event.
_Label = tuple[str, "str | None"]


class Stretch(NamedTuple):
    """Time in one state: a category, ``offline``, ``stale``, or None while unknown; with the platform's name of it, and the reason."""

    state: str | None
    word: str | None
    reason: str | None
    start_ms: int
    end_ms: int


class AgentStatus(NamedTuple):
    """An agent's state at an instant, and the stretches before it, the oldest first."""

    person: str
    team: str | None
    site: str | None
    #: The queues that the agent serves, where the platform reports them.
    queues: tuple[str, ...] | None
    #: The agent's skills, where the platform reports them.
    skills: tuple[str, ...] | None
    #: The tracker's name: of the id and the source that reports the agent.
    name: str
    now: Stretch
    past: tuple[Stretch, ...]


class _Known:
    """One agent: facts as the tracker has them, and the platform's labels."""

    __slots__ = ("agent", "base_labels", "labels", "queues", "queues_at", "skills", "skills_at", "source", "stretches", "until_ms")

    def __init__(self, agent: Agent, source: str) -> None:
        self.agent = agent
        self.source = source
        #: event id → axis and label; and the label on each axis before the first fact
        self.labels: dict[str, tuple[str, _Label]] = {}
        self.base_labels: dict[str, _Label] = {}
        self.queues: tuple[str, ...] | None = None
        self.queues_at = 0
        self.skills: tuple[str, ...] | None = None
        self.skills_at = 0
        #: the stretches found last, and until when they hold without an event; the last one continues
        self.stretches: list[Stretch] = []
        self.until_ms = 0


class Floor:
    """Reads the topic of agent events, and keeps only agents whose figures are permitted."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        targets = Targets(configuration)
        self._persons = targets.persons
        self._place_of = targets.place_of
        self._states = AgentStates(configuration, targets)
        self._categories = Categories(configuration)
        self._silence = Silence(1000 * configuration.counting.person_timeout_seconds, retention_ms(configuration))
        self._spaces = Spaces(configuration)
        self._grace_ms = 1000 * configuration.counting.grace_seconds
        self._snapshots = Snapshots("agents", self._grace_ms)
        self._compared_to: int | None = None
        self._changed: set[str] = set()
        self._people: dict[str, _Known] = {}
        #: The newest instant at which anything was received; None before that.
        self.received_ms: int | None = None
        self.rejected = 0

    def take(self, value: bytes | None, published_ms: int) -> None:
        """Take one record."""
        event = accepted(decode_agent_event, value, published_ms)
        if event is None:
            self.rejected += 1
            return
        self.received_ms = max(self.received_ms or 0, event.received_ms)
        if event.type == "source.snapshot":
            self._snapshots.take(event, self._spaces[event.source], self.received_ms)
        elif event.type in {"agent.state_changed", "agent.heartbeat", "agent.skills_changed"}:
            self._apply(event)

    def _apply(self, event: Any) -> None:
        person_id, suffix = event.person_id, self._spaces[event.source]
        name = self._persons.name(person_id, suffix)
        known = self._people.get(name)
        if known is None:
            if not (self._configuration.is_individual(person_id) and self._persons.is_configured(person_id, space_of(name))):
                return
            known = self._people[name] = _Known(Agent(self._states.start(name, Reported()), [0, 0]), event.source)
        agent, at = known.agent, event.occurred_ms
        late = event.received_ms > pane_of(at) + PANE_MS + self._grace_ms
        if late or event.event_id in agent.ids or (agent.base_at is not None and at <= agent.base_at):
            return
        known.source = event.source
        if event.type == "agent.state_changed":
            category = self._categories.category(event.axis, event.state)
            fact: AgentFact = (at, event.sequence or 0, event.event_id, event.axis, category, event.team, event.site, None)
            known.labels[event.event_id] = (event.axis, (event.state, event.reason))
        else:
            team = event.team if event.type == "agent.skills_changed" else None
            site = event.site if event.type == "agent.skills_changed" else None
            fact = (at, event.sequence or 0, event.event_id, "", "", team, site, None)
            if event.type == "agent.skills_changed" and event.queues is not None and at >= known.queues_at:
                known.queues, known.queues_at = tuple(event.queues), at
            if event.type == "agent.skills_changed" and event.skills is not None and at >= known.skills_at:
                known.skills, known.skills_at = tuple(event.skills), at
        self._put(name, known, fact)

    def _put(self, name: str, known: _Known, fact: AgentFact) -> None:
        agent, known.until_ms = known.agent, 0
        facts = agent.facts
        # Of consecutive heartbeats only the last matters, as long as no silence lies between.
        follows_heartbeats = _is_heartbeat(fact) and len(facts) > 1 and facts[-1] < fact and _is_heartbeat(facts[-1])
        if follows_heartbeats and fact[0] - facts[-2][0] <= self._silence.soonest_ms:
            agent.ids.discard(facts.pop()[2])
            agent.states.pop()
        index = bisect_right(facts, fact)
        insort(facts, fact)
        agent.ids.add(fact[2])
        self._changed.add(name)
        self._follow(name, agent, index)
        if len(facts) > _MOST_FACTS:
            self._fold(known, facts[_MOST_FACTS // 2][0])

    def _follow(self, name: str, agent: Agent, index: int) -> None:
        """Recompute the states from a fact on, as the tracker does."""
        del agent.states[index:]
        state, seen = agent.last, agent.seen(index)
        for fact in agent.facts[index:]:
            if seen is not None and fact[0] - seen > self._silence.forgotten_after(state):
                state = self._states.start(name, Reported())
            state, seen = self._states.after(name, state, fact), fact[0]
            agent.states.append(state)

    def _fold(self, known: _Known, before_ms: int) -> None:
        agent = known.agent
        folded = bisect_left(agent.facts, (before_ms,))
        if folded:
            known.until_ms = 0
            for fact in agent.facts[:folded]:
                _update_labels(known.base_labels, fact, known.labels.pop(fact[2], None))
            agent.fold(before_ms)

    def forget(self, age_ms: int) -> None:
        """Fold facts that are this much older than the newest received."""
        for known in self._people.values():
            self._fold(known, (self.received_ms or 0) - age_ms)

    def _compare_snapshots(self) -> None:
        """Make agents that a source does not list unknown until their next event."""
        if self.received_ms is None or not len(self._snapshots):
            self._changed.clear()
            return
        before, through = self._compared_to, self.received_ms - _SNAPSHOT_DELAY_MS
        self._compared_to = through
        for name, snapshot in self._snapshots.to_compare(before, through, self._people, self._changed):
            known = self._people[name]
            agent = known.agent
            if snapshot.name in agent.ids:
                continue
            seen_ms = [fact[0] for fact in agent.facts if fact[3] != GONE]
            if agent.base_at is not None:
                seen_ms.append(agent.base_at)
            if snapshot.misses(id_of(name), None, seen_ms) and agent.last.category is not None:
                self._put(name, known, (snapshot.at_ms, -1, snapshot.name, GONE, "", None, None, None))
        self._changed.clear()

    def statuses(self, at_ms: int, since_ms: Mapping[str | None, int] = MappingProxyType({})) -> Iterator[AgentStatus]:
        """Yield, by name, the state of each known agent at an instant, with its stretches since the instant of its site."""
        self._compare_snapshots()
        for name, known in sorted(self._people.items()):
            person = id_of(name)
            stretches = self._known_stretches(known, at_ms)
            if not stretches or stretches[-1].state is None:
                continue
            reported = known.agent.last.reported
            team, site = self._configuration.place_of_person(person)
            team, site = self._place_of(reported.team or team, reported.site or site)
            past: tuple[Stretch, ...] = ()
            if (begin := since_ms.get(site)) is not None:
                past = tuple(each if each.start_ms >= begin else each._replace(start_ms=begin) for each in stretches if each.end_ms > begin)
            yield AgentStatus(person, team, site, known.queues, known.skills, name, stretches[-1]._replace(end_ms=at_ms), past)

    def _known_stretches(self, known: _Known, at_ms: int) -> list[Stretch]:
        """Return the states of an agent up to an instant; those found before, where nothing has changed."""
        agent, stretches = known.agent, known.stretches
        if stretches and stretches[-1].start_ms < at_ms < known.until_ms:
            stretches[-1] = stretches[-1]._replace(end_ms=at_ms + 1)
            return stretches
        first = agent.base_at if agent.base_at is not None else agent.facts[0][0]
        stretches = known.stretches = list(self._stretches(known, first, at_ms + 1))
        seen = agent.last_seen
        is_last = seen is not None and seen <= at_ms
        known.until_ms = self._silence.at(agent.last, seen, agent.blank, at_ms)[1] if is_last else 0
        return stretches

    def _stretches(self, known: _Known, low: int, high: int) -> Iterator[Stretch]:
        """Yield the states of an agent from low to high, equal neighbours merged."""
        last: Stretch | None = None
        for stretch in self._phases(known, low, high):
            if last is not None and last[:3] == stretch[:3]:
                last = last._replace(end_ms=stretch.end_ms)
                continue
            if last is not None:
                yield last
            last = stretch
        if last is not None:
            yield last

    def _phases(self, known: _Known, low: int, high: int) -> Iterator[Stretch]:
        agent, labels = known.agent, dict(known.base_labels)
        state, seen, since = agent.base, agent.base_at, low
        for fact, after in zip(agent.facts, agent.states, strict=True):
            at = fact[0]
            if at >= high:
                break
            if at > since:
                yield from self._silent(agent, state, seen, labels, since, at)
                since = at
            _update_labels(labels, fact, known.labels.get(fact[2]))
            state, seen = after, at
        if since < high:
            yield from self._silent(agent, state, seen, labels, since, high)

    def _silent(
        self, agent: Agent, state: AgentState, seen: int | None, labels: dict[str, _Label], low: int, high: int
    ) -> Iterator[Stretch]:
        """Yield what a state becomes from low to high, if nothing was received since ``seen``."""
        for state_now, begin, end in self._silence.phases(state, seen, agent.blank, low, high):
            category = state_now.reported.category()
            if category is not None:
                word, reason = labels.get(state_now.reported.axis() or "", (None, None))
                yield Stretch(category, word, reason, begin, end)
            else:
                stale = state.category is not None and seen is not None and begin < seen + self._silence.forgotten_after(state)
                yield Stretch("stale" if stale else None, None, None, begin, end)


def _is_heartbeat(fact: AgentFact) -> bool:
    """Return whether a fact carries no state, team, site or queue."""
    return fact[3:] == ("", "", None, None, None)


def _update_labels(labels: dict[str, _Label], fact: AgentFact, label: tuple[str, _Label] | None) -> None:
    """Set the label of a fact on its axis."""
    if fact[3] == GONE:
        labels.clear()
    elif label is not None:
        labels[label[0]] = label[1]
