"""The life cycle of one conversation: from its ordered facts to what it contributes (``docs/counting.md`` section 4)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streams.tracking.ledger import Ledger, Waits
    from streams.tracking.scopes import QueueTargets, Targets

__all__ = ["Conversation", "Fact", "Kind", "Rules"]

#: Channels where the agent's first public message is the answer, and handling is touch time.
REPLY_CHANNELS = frozenset({"mail", "web_form", "ticket", "social", "sms"})
NOT_INBOUND = frozenset({"outbound", "internal"})


class Kind(IntEnum):
    """Kinds of facts; the value is the order among facts of one instant and sequence."""

    ARRIVED = 0
    LEFT_QUEUE = 1
    TRANSFERRED = 2
    QUEUED = 3
    OFFER_ENDED = 5
    ANSWERED = 6
    WORK_STARTED = 7
    HELD = 8
    RESUMED = 9
    MESSAGE = 10
    WORK_ENDED = 11
    STATUS_CHANGED = 12
    ENDED = 13
    WRAP_UP_STARTED = 14
    WRAPPED_UP = 15
    EXCLUDED = 16


_ARRIVED, _EXCLUDED = int(Kind.ARRIVED), int(Kind.EXCLUDED)

#: (occurred_ms, sequence, kind, event_id, then up to four details of the kind); facts sort by the first four.
Fact = tuple[int, int, int, str, Any, Any, Any, Any]


class Rules(NamedTuple):
    """What counting needs from the configuration."""

    targets: Targets
    waits: Waits
    rejoin_ms: int


class _Leg:
    """An agent's share of a conversation."""

    __slots__ = ("agent", "channel", "ended", "held_at", "hold_known", "hold_ms", "offered", "started", "talk_ms", "targets", "wrap_at")

    def __init__(self, agent: str | None, channel: str, started: int, offered: int | None, targets: QueueTargets, *, hold_known: bool) -> None:
        self.agent = agent
        self.channel = channel
        self.started = started
        self.offered = offered
        self.targets = targets
        self.hold_known = hold_known
        self.hold_ms = 0
        self.held_at: int | None = None
        self.talk_ms: int | None = None
        self.ended = started
        self.wrap_at: int | None = None


class _Episode:
    """A conversation's stay in one larger scope."""

    __slots__ = ("entered", "left_at", "left_reason", "state")

    def __init__(self, entered: int) -> None:
        self.entered = entered
        self.state = "waiting"
        self.left_at = 0
        self.left_reason = ""

    def copy(self) -> _Episode:
        """Return an episode in the same state."""
        other = _Episode(self.entered)
        other.state, other.left_at, other.left_reason = self.state, self.left_at, self.left_reason
        return other


_ANSWERED = "answered"


class Conversation:
    """One conversation's facts and the state they lead to.

    While a conversation has entered only one queue, its episodes in all larger scopes are the same as its visit and
    are booked together with it under the queue's group; they are told apart from the second visit on.
    """

    __slots__ = (
        "_apart", "_channel", "_counted", "_episodes", "_had_leg", "_last", "_leg", "_legs", "_single", "_single_targets", "_touch_ms", "_touch_seen", "_visit",
        "_visit_channel", "_visit_queue", "_void", "_working", "facts", "last_ms", "noted_active", "noted_leg", "noted_visit",
        "noted_waiting",
    )  # fmt: skip

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.noted_visit: int | None = None
        self.noted_leg: _Leg | None = None
        self.noted_waiting: tuple[tuple[int, int], ...] = ()
        self.noted_active: int | None = None
        self._reset()

    def _reset(self) -> None:
        self.last_ms = 0
        self._void = False
        self._channel: str | None = None
        self._visit: int | None = None  # entered at
        self._visit_queue = ""
        self._visit_channel = ""
        self._single_targets: QueueTargets | None = None
        self._single: _Episode | None = None  # the one episode of a conversation with one visit
        self._episodes: dict[int, _Episode] | None = None  # per larger scope's number, from the second visit on
        self._leg: _Leg | None = None
        self._legs: list[_Leg] = []  # ended, wrap-up still to come
        self._had_leg = False
        self._last: tuple[str, str] | None = None  # queue and channel of the last visit or leg
        self._counted: set[str | tuple[int, str]] | None = None  # names: booked under the single group
        self._apart = False  # whether a leg was booked in larger scopes apart from its queue
        self._working: dict[str | None, int] | None = None
        self._touch_ms = 0
        self._touch_seen = False

    # --- taking facts in

    def knows(self, event_id: str) -> bool:
        """Say whether an event is among the facts."""
        for fact in self.facts:  # noqa: SIM110 - a generator costs three times as much, for every event
            if fact[3] == event_id:
                return True
        return False

    def takes_in_order(self, fact: Fact) -> bool:
        """Say whether a fact can be counted on top of the others, without counting them anew."""
        facts = self.facts
        # Event ids differ, so the comparison never goes beyond the first four parts.
        return not facts or (fact > facts[-1] and fact[2] != _EXCLUDED and fact[2] != _ARRIVED)

    def append(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        """Count a fact that comes after all others."""
        self.facts.append(fact)
        self._step(fact, rules, ledger)

    def refold(self, facts: Sequence[Fact], rules: Rules, ledger: Ledger) -> None:
        """Take these ordered facts for all there are, and book everything they contribute."""
        self._reset()
        self.facts = list(facts)
        if any(f[2] == Kind.EXCLUDED or (f[2] == Kind.ARRIVED and f[5] in NOT_INBOUND) for f in self.facts):
            self._void = True
        for fact in self.facts:
            self._step(fact, rules, ledger)

    def become(self, other: Conversation) -> None:
        """Take over another one's facts and state."""
        noted = self.noted_visit, self.noted_leg, self.noted_waiting, self.noted_active
        for name in Conversation.__slots__:
            setattr(self, name, getattr(other, name))
        self.noted_visit, self.noted_leg, self.noted_waiting, self.noted_active = noted

    # --- what goes on now

    def moved(self) -> bool:
        """Say whether it waits or is worked on otherwise than when this was last noted."""
        return self._visit != self.noted_visit or self._leg is not self.noted_leg or self._episodes is not None

    def note(self, rules: Rules) -> tuple[tuple[tuple[int, int], ...], int | None]:
        """Note and return the targets it waits in, each with since when, and the group in whose scopes an agent works on it."""
        self.noted_visit, self.noted_leg = self._visit, self._leg
        self.noted_waiting = () if self._visit is None else tuple(self._waiting(self._visit, rules))
        self.noted_active = None if self._leg is None else self._leg.targets.everything
        return self.noted_waiting, self.noted_active

    def _waiting(self, entered: int, rules: Rules) -> Iterable[tuple[int, int]]:
        targets = rules.targets.of_queue(self._visit_queue, self._visit_channel)
        if self._episodes is None:
            yield targets.everything, entered
            return
        yield targets.queue, entered
        for scope in targets.larger:
            episode = self._episodes[scope]
            yield scope, (episode.entered if episode.state == "waiting" else entered)

    def current_group(self, rules: Rules) -> int | None:
        """Return the group of the queue it is or was last in."""
        return rules.targets.of_queue(*self._last).everything if self._last else None

    @property
    def closed(self) -> bool:
        """Whether nothing of it goes on."""
        return self._visit is None and self._leg is None

    # --- the steps

    def _step(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        self.last_ms = fact[0]
        if not self._void:
            _STEPS[fact[2]](self, fact, rules, ledger)

    def _on_arrived(self, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
        self._channel = fact[4]
        self._void = fact[5] in NOT_INBOUND

    def _on_queued(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        self._enter(fact[0], fact[4], fact[5], fact[0], rules, ledger)

    def _on_left_queue(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        at, reason, queue, wait_ms = fact[0], fact[4], fact[5], fact[6]
        if self._visit is None and queue is not None and wait_ms is not None:
            self._enter(at - wait_ms, queue, None, at, rules, ledger)
        if self._visit is not None:
            self._leave(at, reason, rules, ledger)

    def _on_transferred(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        at, leg = fact[0], self._leg
        if leg is not None:
            self._end_leg(at, ledger)
            self._book_apart(leg.targets, leg.offered, at, (("transfers_out", 1),), ledger)
        elif self._visit is not None:
            self._leave(at, "transfer", rules, ledger)

    def _on_offer_ended(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        at, outcome, queue = fact[0], fact[4], fact[5]
        if outcome != "no_answer":
            return
        if self._visit is not None and queue in (None, self._visit_queue):
            targets, offered = rules.targets.of_queue(self._visit_queue, self._visit_channel), self._visit
        elif queue is not None:
            targets, offered = rules.targets.of_queue(queue, self._channel_in(queue, rules)), None
        else:
            return
        self._book_apart(targets, offered, at, (("non_response", 1),), ledger)

    def _on_answered(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        self._answer(fact[0], fact[4], fact[5], fact[6], rules, ledger, hold_known=bool(fact[7]))

    def _on_message(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        if self._visit is not None and self._visit_channel in REPLY_CHANNELS:
            self._answer(fact[0], fact[4], None, None, rules, ledger, hold_known=False)

    def _on_held(self, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
        leg = self._leg
        if leg is not None:
            leg.hold_known = True
            if leg.held_at is None:
                leg.held_at = fact[0]

    def _on_resumed(self, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
        leg = self._leg
        if leg is not None:
            leg.hold_known = True
            if leg.held_at is not None:
                leg.hold_ms += fact[0] - leg.held_at
                leg.held_at = None

    def _on_work_started(self, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
        if self._working is None:
            self._working = {}
        self._working.setdefault(fact[4], fact[0])

    def _on_work_ended(self, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
        if self._working is not None and fact[4] in self._working:
            self._touch_ms += fact[0] - self._working.pop(fact[4])
            self._touch_seen = True

    def _on_ended(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        if self._visit is not None:
            self._leave(fact[0], "abandoned" if fact[4] == "customer" else "other", rules, ledger)
        if self._leg is not None:
            self._end_leg(fact[0], ledger)

    def _on_wrap_up_started(self, fact: Fact, _rules: Rules, ledger: Ledger) -> None:
        leg = self._leg_of(fact[4])
        if leg is not None:
            if leg is self._leg:
                self._end_leg(fact[0], ledger)
            if leg.wrap_at is None:
                leg.wrap_at = fact[0]

    def _on_wrapped_up(self, fact: Fact, _rules: Rules, ledger: Ledger) -> None:
        at, agent, wrap_ms = fact[0], fact[4], fact[5]
        leg = self._leg_of(agent)
        if leg is None:
            return
        if leg is self._leg:
            self._end_leg(at, ledger)
        self._legs.remove(leg)
        if wrap_ms is None:
            wrap_ms = max(0, at - (leg.wrap_at if leg.wrap_at is not None else leg.ended))
        counts, sums = ["wrap_count"], [("wrap_ms", wrap_ms)]
        if leg.talk_ms is not None:
            counts.append("handle_count")
            sums.append(("handle_ms", leg.talk_ms + leg.hold_ms + wrap_ms))
        self._book_leg(leg, at, counts, sums, ledger)

    def _on_nothing(self, _fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
        """Count nothing: the kind matters only when all facts are taken together."""

    # --- visits, episodes and legs

    def _channel_in(self, queue: str, rules: Rules) -> str:
        """Return the channel of a contribution to a queue it has no open visit in."""
        last = self._last
        if last is not None and last[0] == queue:
            return last[1]
        return self._channel or rules.targets.channel_of(queue) or "voice"

    def _enter(self, entered: int, queue: str, channel: str | None, at: int, rules: Rules, ledger: Ledger) -> None:
        """Begin a visit; ``at`` is the instant its offer is booked at."""
        if self._visit is not None:
            if queue == self._visit_queue:
                return
            self._leave(at, "overflow", rules, ledger)
        if self._leg is not None:
            self._end_leg(at, ledger)
        channel = channel or self._channel or rules.targets.channel_of(queue) or "voice"
        targets = rules.targets.of_queue(queue, channel)
        if self._single is None and self._episodes is None:
            self._single, self._single_targets = _Episode(entered), targets
            ledger.book(targets.everything, at, entered, (("offered", 1),))
        else:
            self._tell_apart()
            ledger.book(targets.queue, at, entered, (("offered", 1),))
            self._enter_larger(targets, entered, at, rules, ledger)
        if self._had_leg:
            ledger.book(targets.queue, at, entered, (("transfers_in", 1),))
        self._visit, self._visit_queue, self._visit_channel = entered, queue, channel
        self._last = (queue, channel)

    def _tell_apart(self) -> None:
        """Give every larger scope an episode of its own: the second visit may enter other ones than the first."""
        if self._single is not None and self._single_targets is not None:
            self._episodes = {scope: self._single.copy() for scope in self._single_targets.larger}
            self._single = None

    def _enter_larger(self, targets: QueueTargets, entered: int, at: int, rules: Rules, ledger: Ledger) -> None:
        episodes = self._episodes if self._episodes is not None else {}
        for scope in targets.larger:
            episode = episodes.get(scope)
            if episode is not None and episode.state == _ANSWERED:
                ledger.book(scope, at, episode.entered, (("transfers_in", 1),))
            elif episode is not None and episode.state == "left" and entered - episode.left_at <= rules.rejoin_ms:
                ledger.book(scope, episode.left_at, episode.entered, ((episode.left_reason, -1),))
                episode.state = "waiting"
            elif episode is None or episode.state != "waiting":
                episodes[scope] = _Episode(entered)
                ledger.book(scope, at, entered, (("offered", 1),))

    def _answer(
        self, at: int, agent: str | None, queue: str | None, wait_ms: int | None, rules: Rules, ledger: Ledger, *, hold_known: bool
    ) -> None:
        if self._leg is not None:
            self._end_leg(at, ledger)
        if self._visit is None and queue is not None and wait_ms is not None:
            self._enter(at - wait_ms, queue, None, at, rules, ledger)
        offered = self._visit
        if self._visit is not None:
            self._answer_visit(at, self._visit, rules, ledger)
            queue, channel = self._visit_queue, self._visit_channel
            self._visit = None
        elif queue is not None:
            channel = self._channel_in(queue, rules)
        elif self._last is not None:
            queue, channel = self._last
        else:
            return
        self._last = (queue, channel)
        self._leg = _Leg(agent, channel, at, offered, rules.targets.of_queue(queue, channel), hold_known=hold_known)
        self._had_leg = True

    def _answer_visit(self, at: int, entered: int, rules: Rules, ledger: Ledger) -> None:
        targets = rules.targets.of_queue(self._visit_queue, self._visit_channel)
        wait = at - entered
        amounts = ((_ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1))
        if self._single is not None:
            ledger.book(targets.everything, at, entered, amounts)
            self._single.state = _ANSWERED
            return
        ledger.book(targets.queue, at, entered, amounts)
        for scope in targets.larger:
            episode = (self._episodes or {})[scope]
            if episode.state == "waiting":
                wait = at - episode.entered
                ledger.book(scope, at, episode.entered, ((_ANSWERED, 1), ("answered_wait_ms", wait), (rules.waits.answered(wait), 1)))
                episode.state = _ANSWERED

    def _leave(self, at: int, reason: str, rules: Rules, ledger: Ledger) -> None:
        targets = rules.targets.of_queue(self._visit_queue, self._visit_channel)
        entered, self._visit = (self._visit if self._visit is not None else at), None
        abandoned = reason == "abandoned"
        state, field = ("abandoned", "abandoned") if abandoned else ("left", f"flow_out_{reason}")

        def amounts(since: int) -> tuple[tuple[str, int], ...]:
            if abandoned:
                return (("abandoned", 1), ("abandoned_wait_ms", at - since), (rules.waits.abandoned(at - since), 1))
            return ((field, 1),)

        if self._single is not None:
            ledger.book(targets.everything, at, entered, amounts(entered))
            self._single.state, self._single.left_at, self._single.left_reason = state, at, field
            return
        ledger.book(targets.queue, at, entered, amounts(entered))
        for scope in targets.larger:
            episode = (self._episodes or {})[scope]
            if episode.state == "waiting":
                ledger.book(scope, at, episode.entered, amounts(episode.entered))
                episode.state, episode.left_at, episode.left_reason = state, at, field
            elif abandoned:
                ledger.book(scope, at, episode.entered, (("abandoned_after_answer", 1),))

    def _end_leg(self, at: int, ledger: Ledger) -> None:
        leg = self._leg
        if leg is None:
            return
        self._leg = None
        leg.ended = at
        if leg.channel in REPLY_CHANNELS:
            leg.hold_known = False
            leg.hold_ms = 0
            if self._touch_seen:
                leg.talk_ms, self._touch_ms, self._touch_seen = self._touch_ms, 0, False
        else:
            if leg.held_at is not None:
                leg.hold_ms += at - leg.held_at
                leg.held_at = None
            leg.talk_ms = at - leg.started - leg.hold_ms
        self._legs.append(leg)
        counts, sums = ["handled"], []
        if leg.talk_ms is not None:
            counts.append("talk_count")
            sums.append(("talk_ms", leg.talk_ms))
        if leg.hold_known:
            counts.append("hold_count")
            sums.append(("hold_ms", leg.hold_ms))
            if leg.hold_ms > 0:
                counts.append("held_count")
        self._book_leg(leg, at, counts, sums, ledger)

    def _leg_of(self, agent: str | None) -> _Leg | None:
        legs = self._legs if self._leg is None else [*self._legs, self._leg]
        return next((leg for leg in reversed(legs) if agent is None or leg.agent in (None, agent)), None)

    def _book_leg(self, leg: _Leg, at: int, counts: list[str], sums: list[tuple[str, int]], ledger: Ledger) -> None:
        """Book a leg in its queue, and in the larger scopes with the counts only where none was booked before."""
        every = (*((name, 1) for name in counts), *sums)
        targets, offered, counted = leg.targets, leg.offered, self._counted
        if counted is None:
            counted = self._counted = set()
        if offered is not None and not self._apart and self._is_single(targets, offered) and counted.isdisjoint(counts):
            ledger.book(targets.everything, at, offered, every)
            counted.update(counts)
            return
        self._apart = True
        ledger.book(targets.queue, at, at if offered is None else offered, every)
        once = counted.intersection(counts)
        for scope in targets.larger:
            new = [name for name in counts if (scope, name) not in counted and not (name in once and self._in_single(scope))]
            counted.update((scope, name) for name in new)
            ledger.book(scope, at, self._entry_in(scope, at), (*((name, 1) for name in new), *sums))

    def _book_apart(self, targets: QueueTargets, offered: int | None, at: int, amounts: tuple[tuple[str, int], ...], ledger: Ledger) -> None:
        """Book in a queue and its larger scopes, by offer under each one's own entry."""
        ledger.book(targets.queue, at, at if offered is None else offered, amounts)
        for scope in targets.larger:
            ledger.book(scope, at, self._entry_in(scope, at), amounts)

    def _is_single(self, targets: QueueTargets, offered: int) -> bool:
        return self._single is not None and offered == self._single.entered and targets is self._single_targets

    def _in_single(self, scope: int) -> bool:
        """Say whether the first visit's larger scopes include this one."""
        return self._single_targets is not None and scope in self._single_targets.larger

    def _entry_in(self, scope: int, at: int) -> int:
        """Return the entry that a contribution to a larger scope is booked under by offer."""
        if self._episodes is not None:
            episode = self._episodes.get(scope)
            return episode.entered if episode is not None else at
        return self._single.entered if self._single is not None and self._in_single(scope) else at


_STEPS: dict[int, Callable[[Conversation, Fact, Rules, Ledger], None]] = {
    Kind.ARRIVED: Conversation._on_arrived,
    Kind.LEFT_QUEUE: Conversation._on_left_queue,
    Kind.TRANSFERRED: Conversation._on_transferred,
    Kind.QUEUED: Conversation._on_queued,
    Kind.OFFER_ENDED: Conversation._on_offer_ended,
    Kind.ANSWERED: Conversation._on_answered,
    Kind.WORK_STARTED: Conversation._on_work_started,
    Kind.HELD: Conversation._on_held,
    Kind.RESUMED: Conversation._on_resumed,
    Kind.MESSAGE: Conversation._on_message,
    Kind.WORK_ENDED: Conversation._on_work_ended,
    Kind.STATUS_CHANGED: Conversation._on_ended,
    Kind.ENDED: Conversation._on_ended,
    Kind.WRAP_UP_STARTED: Conversation._on_wrap_up_started,
    Kind.WRAPPED_UP: Conversation._on_wrapped_up,
    Kind.EXCLUDED: Conversation._on_nothing,
}
