"""The people of sites that permit figures of single people: what each is doing, why, since when, and the day so far; no broker, no clock.

States are those that the tracker of agents counts (``docs/counting.md`` section 6), by its own rules.
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

__all__ = ["Floor", "Standing", "Stretch"]

#: More facts of a person than this are folded, the oldest half of them.
_MOST_FACTS = 1_000
#: A snapshot is held against what its source told when so much more has been received: what is on its way may still contradict it.
_SETTLED_MS = 5_000

#: The platform's word for a state, and why, as an event has them.
_Words = tuple[str, "str | None"]


class Stretch(NamedTuple):
    """Time in one state: a category, ``offline``, ``stale``, or None while nothing is known; with the platform's word for it, and why."""

    state: str | None
    word: str | None
    reason: str | None
    start_ms: int
    end_ms: int


class Standing(NamedTuple):
    """What a person is doing at an instant, and what was known of the time before, the oldest first."""

    person: str
    team: str | None
    site: str | None
    #: Those that the person serves, where the platform says so.
    queues: tuple[str, ...] | None
    #: Those that the person has, where the platform says so.
    skills: tuple[str, ...] | None
    #: Of the id and the source that tells of the person, as of a contact and its source.
    name: str
    now: Stretch
    past: tuple[Stretch, ...]


class _Known:
    """One person: facts as the tracker has them, and beside them the words of the platform."""

    __slots__ = ("agent", "base_words", "queues", "queues_at", "skills", "skills_at", "source", "stretches", "until_ms", "words")

    def __init__(self, agent: Agent, source: str) -> None:
        self.agent = agent
        self.source = source
        #: event id → axis and words; and the words that held on each axis before the first fact
        self.words: dict[str, tuple[str, _Words]] = {}
        self.base_words: dict[str, _Words] = {}
        self.queues: tuple[str, ...] | None = None
        self.queues_at = 0
        self.skills: tuple[str, ...] | None = None
        self.skills_at = 0
        #: what was found last, and until when that holds if nothing comes in; the last of them goes on
        self.stretches: list[Stretch] = []
        self.until_ms = 0


class Floor:
    """Takes the records of the topic of agent events, and keeps what is known of people of whom figures are kept, and of no others."""

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
            self._tell(event)

    def _tell(self, event: Any) -> None:
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
            known.words[event.event_id] = (event.axis, (event.state, event.reason))
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
        # Of signs of life one after the other the last one says as much, as long as no silence lies between.
        follows_signs = _is_sign(fact) and len(facts) > 1 and facts[-1] < fact and _is_sign(facts[-1])
        if follows_signs and fact[0] - facts[-2][0] <= self._silence.soonest_ms:
            agent.ids.discard(facts.pop()[2])
            agent.states.pop()
        place = bisect_right(facts, fact)
        insort(facts, fact)
        agent.ids.add(fact[2])
        self._changed.add(name)
        self._follow(name, agent, place)
        if len(facts) > _MOST_FACTS:
            self._fold(known, facts[_MOST_FACTS // 2][0])

    def _follow(self, name: str, agent: Agent, place: int) -> None:
        """Follow the facts from a place on, as the tracker does."""
        del agent.states[place:]
        state, seen = agent.last, agent.seen(place)
        for fact in agent.facts[place:]:
            if seen is not None and fact[0] - seen > self._silence.forgotten_after(state):
                state = self._states.start(name, Reported())
            state, seen = self._states.after(name, state, fact), fact[0]
            agent.states.append(state)

    def _fold(self, known: _Known, before_ms: int) -> None:
        agent = known.agent
        gone = bisect_left(agent.facts, (before_ms,))
        if gone:
            known.until_ms = 0
            for fact in agent.facts[:gone]:
                _say(known.base_words, fact, known.words.pop(fact[2], None))
            agent.fold(before_ms)

    def forget(self, age_ms: int) -> None:
        """Keep of what was so long before the newest that was received no more than what it has led to."""
        for known in self._people.values():
            self._fold(known, (self.received_ms or 0) - age_ms)

    def _look_at_snapshots(self) -> None:
        """Make people whom a source does not list unknown until their next event."""
        if self.received_ms is None or not len(self._snapshots):
            self._changed.clear()
            return
        before, through = self._compared_to, self.received_ms - _SETTLED_MS
        self._compared_to = through
        for name, snapshot in self._snapshots.to_compare(before, through, self._people, self._changed):
            known = self._people[name]
            agent = known.agent
            if snapshot.name in agent.ids:
                continue
            heard = [fact[0] for fact in agent.facts if fact[3] != GONE]
            if agent.base_at is not None:
                heard.append(agent.base_at)
            if snapshot.misses(id_of(name), None, heard) and agent.last.category is not None:
                self._put(name, known, (snapshot.at_ms, -1, snapshot.name, GONE, "", None, None, None))
        self._changed.clear()

    def standing(self, at_ms: int, since_ms: Mapping[str | None, int] = MappingProxyType({})) -> Iterator[Standing]:
        """Yield, by name, what people of whom anything is known do at an instant, and by site what they did since another."""
        self._look_at_snapshots()
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
            yield Standing(person, team, site, known.queues, known.skills, name, stretches[-1]._replace(end_ms=at_ms), past)

    def _known_stretches(self, known: _Known, at_ms: int) -> list[Stretch]:
        """Return the states of a person up to an instant: those found before, where nothing has changed since."""
        agent, found = known.agent, known.stretches
        if found and found[-1].start_ms < at_ms < known.until_ms:
            found[-1] = found[-1]._replace(end_ms=at_ms + 1)
            return found
        first = agent.base_at if agent.base_at is not None else agent.facts[0][0]
        found = known.stretches = list(self._stretches(known, first, at_ms + 1))
        seen = agent.last_seen
        is_last = seen is not None and seen <= at_ms
        known.until_ms = self._silence.at(agent.last, seen, agent.nobody, at_ms)[1] if is_last else 0
        return found

    def _stretches(self, known: _Known, low: int, high: int) -> Iterator[Stretch]:
        """Yield the states of a person from low to high, those alike that follow one another as one."""
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
        agent, words = known.agent, dict(known.base_words)
        state, seen, since = agent.base, agent.base_at, low
        for fact, after in zip(agent.facts, agent.states, strict=True):
            at = fact[0]
            if at >= high:
                break
            if at > since:
                yield from self._silent(agent, state, seen, words, since, at)
                since = at
            _say(words, fact, known.words.get(fact[2]))
            state, seen = after, at
        if since < high:
            yield from self._silent(agent, state, seen, words, since, high)

    def _silent(
        self, agent: Agent, state: AgentState, seen: int | None, words: dict[str, _Words], low: int, high: int
    ) -> Iterator[Stretch]:
        """Yield what a state becomes from low to high, if nothing was heard since ``seen``."""
        for now, begin, end in self._silence.phases(state, seen, agent.nobody, low, high):
            category = now.reported.category()
            if category is not None:
                word, reason = words.get(now.reported.axis() or "", (None, None))
                yield Stretch(category, word, reason, begin, end)
            else:
                stale = state.category is not None and seen is not None and begin < seen + self._silence.forgotten_after(state)
                yield Stretch("stale" if stale else None, None, None, begin, end)


def _is_sign(fact: AgentFact) -> bool:
    """Say whether a fact is a sign of life alone."""
    return fact[3:] == ("", "", None, None, None)


def _say(words: dict[str, _Words], fact: AgentFact, said: tuple[str, _Words] | None) -> None:
    """Have the words of a fact hold on its axis."""
    if fact[3] == GONE:
        words.clear()
    elif said is not None:
        words[said[0]] = said[1]
