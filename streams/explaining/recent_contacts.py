"""Follow recent contact events: callers who gave up waiting and were not reached since, and agents at work; no broker, no clock.

Callers who gave up are those that the tracker counts as abandoned (``docs/counting.md`` section 4); agents' work is its legs.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from schemas.decoding import decode_contact_event
from schemas.structs import SourceHeartbeat, SourceSnapshot
from streams.catalogue.fields import ABANDONED, ABANDONED_WAIT_MS, SHORT_ABANDONED_WAITS, parse
from streams.configuration.judges import definition_at
from streams.explaining.accepting import accepted
from streams.tracking.contacts import ContactTracker
from streams.tracking.facts import (
    Answered,
    Arrived,
    CallbackAttempted,
    CallbackEnded,
    Ended,
    LeftQueue,
    Message,
    Queued,
    StatusChanged,
    fact_of,
    is_voiding,
    order_of,
)
from streams.tracking.legs import active_legs
from streams.tracking.spaces import Persons, Spaces, id_of, space_of
from streams.windows.slices import pane_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from streams.configuration import Configuration
    from streams.tracking.facts import AnyFact
    from streams.tracking.postings import Postings
    from streams.tracking.state import Leg, State

__all__ = ["AtWork", "GaveUp", "RecentContacts", "works_of"]

#: Conversations remembered; beyond that the oldest are evicted.
_MOST_CONVERSATIONS = 200_000
#: Facts of a conversation that are read.
_MOST_FACTS = 500
#: After this much silence the facts of a conversation are folded into their result.
_FOLD_AFTER_MS = 1_800_000

_LEAVING = (LeftQueue, Ended, StatusChanged)
_NOT_LINKED: Mapping[str, str] = MappingProxyType({})


class GaveUp(NamedTuple):
    """A customer who gave up waiting: the last time, and how often since the customer was last reached."""

    conversation_id: str
    source: str
    queue: str
    channel: str | None
    left_ms: int
    waited_ms: int
    customer_key: str | None
    times: int
    #: The first time since the customer was last reached.
    first_left_ms: int
    #: Whether the customer waits in a queue again now.
    waits_again: bool
    #: When the customer was last reached; None if not since.
    reached_ms: int | None = None


class AtWork(NamedTuple):
    """An agent's work on a contact: queue, channel, since when, and whether it is wrap-up."""

    queue: str
    channel: str
    since_ms: int
    wraps_up: bool


class _Abandon(NamedTuple):
    queue: str
    channel: str | None
    left_ms: int
    waited_ms: int
    #: The limit below which it is short and outside the service level; None: it is not short.
    short_of_ms: int | None


class _Conversation:
    """One conversation: its recent facts, and the result of all of them."""

    __slots__ = (
        "abandons", "at_work", "customer_key", "facts", "folded_abandons", "folded_reached_ms", "last_ms", "reached_ms", "revisions",
        "source", "waits_in",
    )  # fmt: skip

    def __init__(self, source: str) -> None:
        self.source = source
        #: in order
        self.facts: list[AnyFact] = []
        #: event id → its revision
        self.revisions: dict[str, int] = {}
        self.last_ms = 0
        self.customer_key: str | None = None
        #: when customer and agent were last connected
        self.reached_ms: int | None = None
        self.abandons: tuple[_Abandon, ...] = ()
        #: both, of folded facts
        self.folded_reached_ms: int | None = None
        self.folded_abandons: tuple[_Abandon, ...] = ()
        #: the channel in which it waits, if it does
        self.waits_in: str | None = None
        #: agent as named in the events, and the agent's work on it
        self.at_work: tuple[tuple[str, AtWork], ...] = ()


class RecentContacts:
    """Reads the topic of contact events."""

    def __init__(self, configuration: Configuration) -> None:
        # It stores no conversation: it only counts each alone.
        self._counter = ContactTracker(configuration)
        self._persons = Persons(configuration)
        self._spaces = Spaces(configuration)
        self._lost_after_ms = {str(channel): 1000 * seconds for channel, seconds in configuration.counting.lost_after_seconds.items()}
        self._configuration = configuration
        self._conversations: dict[str, _Conversation] = {}
        self._changed: set[str] = set()
        #: The newest instant at which anything was received; None before that.
        self.received_ms: int | None = None
        self.rejected = 0

    def take(self, value: bytes | None, published_ms: int) -> None:
        """Take one record."""
        event = accepted(decode_contact_event, value, published_ms)
        if event is None:
            self.rejected += 1
            return
        self.received_ms = max(self.received_ms or 0, event.received_ms)
        if isinstance(event, (SourceHeartbeat, SourceSnapshot)):
            return
        fact, revision = fact_of(event), event.revision or 0
        name = event.conversation_id + self._spaces[event.source]
        known = self._conversations.get(name)
        if fact is None and (known is None or event.event_id not in known.revisions):
            return
        if known is None:
            if len(self._conversations) >= _MOST_CONVERSATIONS:
                self._changed.discard(oldest := next(iter(self._conversations)))
                del self._conversations[oldest]
            known = self._conversations[name] = _Conversation(event.source)
        before = known.revisions.get(event.event_id)
        if (before is not None and revision <= before) or len(known.facts) >= _MOST_FACTS:
            return
        if before is not None:
            known.facts = [each for each in known.facts if each.event_id != event.event_id]
        known.revisions[event.event_id] = revision
        if fact is not None:
            insort(known.facts, fact, key=order_of)
            known.last_ms = max(known.last_ms, fact.at)
        self._changed.add(name)

    def forget(self, age_ms: int) -> None:
        """Evict conversations this much older than the newest received, and fold the facts of silent ones."""
        self._update()
        newest_ms = self.received_ms or 0
        fold_before_ms = newest_ms - _FOLD_AFTER_MS
        for name in [name for name, each in self._conversations.items() if each.last_ms < newest_ms - age_ms]:
            del self._conversations[name]
        for each in self._conversations.values():
            if each.facts and each.last_ms < fold_before_ms and each.waits_in is None and not self._is_at_work(each, newest_ms):
                each.facts, each.revisions = [], {}
                each.folded_reached_ms, each.folded_abandons, each.at_work = each.reached_ms, each.abandons, ()

    def _update(self) -> None:
        """Recompute the conversations that have changed."""
        changed, self._changed = self._changed, set()
        for name in changed:
            known = self._conversations.get(name)
            if known is not None:
                self._recompute(name, known)

    def _recompute(self, name: str, known: _Conversation) -> None:
        facts = known.facts
        known.customer_key = next((fact.customer_key for fact in facts if type(fact) is Arrived and fact.customer_key), known.customer_key)
        reached = [fact.at for fact in facts if _reaches(fact)]
        known.reached_ms = max((*reached, *(() if known.folded_reached_ms is None else (known.folded_reached_ms,))), default=None)
        if any(is_voiding(fact) for fact in facts):
            known.abandons, known.waits_in, known.at_work = (), None, ()
            return
        state, postings = self._counter.counted_alone(name, facts)
        known.at_work = tuple(_at_work(state))
        known.abandons = (*known.folded_abandons, *self._abandons(postings, facts))
        last = next((fact for fact in reversed(facts) if isinstance(fact, (Queued, Answered, *_LEAVING))), None)
        known.waits_in = (last.channel or "voice") if isinstance(last, Queued) else None

    def _abandons(self, postings: Postings, facts: list[AnyFact]) -> Iterator[_Abandon]:
        """Yield the visits to queues that count as abandoned."""
        for (target, pane), amounts in postings.by_outcome.items():
            if amounts.get(ABANDONED.key, 0) <= 0:
                continue
            left_ms = max((fact.at for fact in facts if isinstance(fact, _LEAVING) and pane_of(fact.at) == pane), default=pane)
            for scope in self._counter.scopes_under(target):
                if scope.scope.startswith("queue:"):
                    queue, waited_ms = scope.scope.removeprefix("queue:"), amounts.get(ABANDONED_WAIT_MS.key, 0)
                    short_of_ms = self._short_of(queue, scope.channel, left_ms - waited_ms, waited_ms, amounts)
                    yield _Abandon(queue, scope.channel, left_ms, waited_ms, short_of_ms)

    def _short_of(self, queue: str, channel: str | None, entered_ms: int, waited_ms: int, amounts: Mapping[str, int]) -> int | None:
        """Return the limit of a queue's definition where an abandon is below it; None where it is not short."""
        definition = definition_at(self._configuration, queue, channel, entered_ms)
        limit_ms = definition.short_ms
        if limit_ms is None:
            return None
        if definition.short_abandon_clock == "queue_enter":
            return limit_ms if waited_ms < limit_ms else None
        # By the platform's clock it is counted separately for each limit.
        sums = (parse(name) for name, number in amounts.items() if number > 0)
        short = any(each is not None and each.field is SHORT_ABANDONED_WAITS and each.values["limit"] == str(limit_ms) for each in sums)
        return limit_ms if short else None

    def _is_at_work(self, known: _Conversation, now_ms: int) -> bool:
        """Return whether an agent works on it, and it does not count as lost by its silence."""
        return any(now_ms - known.last_ms <= self._lost_after_ms.get(work.channel, 0) for _, work in known.at_work)

    def at_work(self, now_ms: int) -> dict[str, list[AtWork]]:
        """Return the work of agents, by name, of configured agents only."""
        self._update()
        by_agent: dict[str, list[AtWork]] = defaultdict(list)
        for known in self._conversations.values():
            if known.at_work and self._is_at_work(known, now_ms):
                suffix = self._spaces[known.source]
                for agent, work in known.at_work:
                    name = self._persons.name(agent, suffix)
                    if self._persons.is_configured(agent, space_of(name)):
                        by_agent[name].append(work)
        return by_agent

    def who_gave_up(
        self, since_ms: int, wanted: Callable[[str, str | None], bool], now_ms: int, linked: Mapping[str, str] = _NOT_LINKED
    ) -> tuple[list[GaveUp], list[GaveUp]]:
        """Return the customers who gave up since an instant in the wanted queues and channels: those to call back, and those reached since.

        The latter were reached, in any queue, after their last abandon. Short abandons do not count, as in the service level.
        A customer is identified by the customer's key, else by the conversation. ``linked``: key → one key of the same customer.
        Both begin with the latest.
        """
        self._update()
        customer_of = {
            name: name if each.customer_key is None else linked.get(each.customer_key, each.customer_key)
            for name, each in self._conversations.items()
        }
        reached: dict[str, int] = defaultdict(int)
        waiting: set[str] = set()
        for name, each in self._conversations.items():
            who = customer_of[name]
            if each.reached_ms is not None:
                reached[who] = max(reached[who], each.reached_ms)
            if each.waits_in is not None and now_ms - each.last_ms <= self._lost_after_ms.get(each.waits_in, 0):
                waiting.add(who)
        to_call: dict[str, GaveUp] = {}
        reached_since: dict[str, GaveUp] = {}
        for name, each in self._conversations.items():
            who = customer_of[name]
            for abandon in each.abandons:
                if abandon.short_of_ms is not None or abandon.left_ms < since_ms or not wanted(abandon.queue, abandon.channel):
                    continue
                reached_ms = reached[who] if who in reached and abandon.left_ms < reached[who] else None
                customers = to_call if reached_ms is None else reached_since
                before = customers.get(who)
                times = 1 if before is None else before.times + 1
                first = abandon.left_ms if before is None else min(before.first_left_ms, abandon.left_ms)
                if before is None or abandon.left_ms >= before.left_ms:
                    key = None if each.customer_key is None else who
                    customers[who] = GaveUp(id_of(name), each.source, *abandon[:4], key, times, first, who in waiting, reached_ms)
                else:
                    customers[who] = before._replace(times=times, first_left_ms=first)
        return _latest_first(to_call), _latest_first({who: each for who, each in reached_since.items() if who not in to_call})

    def short_abandons(self, since_ms: int, wanted: Callable[[str, str | None], bool]) -> Counter[int]:
        """Return how many short abandons there were since an instant, in the wanted queues and channels, by their limit in ms."""
        self._update()
        return Counter(
            abandon.short_of_ms
            for each in self._conversations.values()
            for abandon in each.abandons
            if abandon.short_of_ms is not None and abandon.left_ms >= since_ms and wanted(abandon.queue, abandon.channel)
        )


def works_of(names: Iterable[str], at_work: Mapping[str, Sequence[AtWork]]) -> dict[str, list[AtWork]]:
    """Return the work of the agents of these names, the latest first.

    One system may report an agent's states and another the agent's contacts; figures of single agents join them too. Where one system
    reports both under this id, its contacts go with its states.
    """
    by_name = {name: list(at_work.get(name, ())) for name in names}
    elsewhere: defaultdict[str, list[AtWork]] = defaultdict(list)
    for name, works in at_work.items():
        if name not in by_name:
            elsewhere[id_of(name)] += works
    for name, own in by_name.items():
        own.extend(elsewhere.get(id_of(name), ()))
        own.sort(key=lambda work: (-work.since_ms, work.queue))
    return by_name


def _latest_first(customers: dict[str, GaveUp]) -> list[GaveUp]:
    return sorted(customers.values(), key=lambda each: (-each.left_ms, each.conversation_id))


def _at_work(state: State) -> Iterator[tuple[str, AtWork]]:
    """Yield the agents on a conversation: those with active legs, and those in wrap-up."""
    for leg in active_legs(state):
        if leg.agent is not None:
            yield leg.agent, _work_of(leg, leg.started, wraps_up=False)
    for leg in state.ended_legs or ():
        if leg.agent is not None and leg.wrap_at is not None:
            yield leg.agent, _work_of(leg, leg.wrap_at, wraps_up=True)


def _work_of(leg: Leg, since_ms: int, *, wraps_up: bool) -> AtWork:
    return AtWork(leg.targets.place[0], leg.channel, since_ms, wraps_up)


def _reaches(fact: AnyFact) -> bool:
    """Return whether customer and agent were connected: by an answer, a callback that reached, or an agent's message."""
    if isinstance(fact, (CallbackAttempted, CallbackEnded)):
        return fact.outcome == "reached"
    return type(fact) is Answered or (type(fact) is Message and not fact.by_customer)
