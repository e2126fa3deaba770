"""Fold ordered facts into state and postings: once a flush, from the position of the first new fact on."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any, get_args

from schemas.by_type import own_code
from schemas.limits import MAX_RECOUNTED, TOO_MANY_OUT_OF_ORDER
from streams.tracking.facts import (
    NOT_INBOUND,
    Answered,
    AnyFact,
    Arrived,
    Excluded,
    Kind,
    TooManyFactsError,
    is_voiding,
    order_of,
    precedes,
)
from streams.tracking.losses import lose, lost_from
from streams.tracking.outbound import count_outbound, is_outbound
from streams.tracking.postings import Postings
from streams.tracking.state import Disorder, Outbound, State, copy_of
from streams.tracking.steps import STEPS
from streams.tracking.topic import book_excluded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streams.tracking.rules import Rules
    from streams.tracking.state import Conversation, Revised

    Checkpoints = list[tuple[int, State]]

__all__ = ["charge", "ended_by_silence", "fold", "folded", "is_consult", "is_ours", "lose_by", "put", "replace", "step", "unfolded"]

#: Kinds about visits and legs.
_OF_LEGS = frozenset(range(Kind.ARRIVED, Kind.WRAPPED_UP + 1)) - {Kind.MESSAGE, Kind.STATUS_CHANGED}
#: Facts that may exclude the entire conversation.
_MAY_VOID = frozenset({Arrived, Excluded})
#: Facts between two checkpoints; a conversation of fewer than twice as many has none.
_STEP = 32
#: Facts compared one by one from the end, before a bisection.
_NEAR = 8


# --- adding facts


def put(c: Conversation, fact: AnyFact) -> None:
    """Add a fact to those that the next fold counts.

    Raises:
        TooManyFactsError: it precedes or excludes others, and the recounts of the conversation are exhausted.
    """
    newest, fresh = c.newest, c.fresh
    if newest is not None:
        in_order = newest.at < fact.at or precedes(newest, fact)
        if not in_order or (type(fact) in _MAY_VOID and is_voiding(fact)):
            charge(c, fact)
        if not in_order:
            if fresh is None:
                c.fresh = [fact]
            else:
                insort(fresh, fact, key=order_of)
            return
    c.newest = fact
    if fresh is None:
        c.fresh = [fact]
    else:
        fresh.append(fact)


def replace(c: Conversation, revised: Revised, old: AnyFact, fact: AnyFact | None) -> None:
    """Replace the fact of an event by another or by nothing.

    Raises:
        TooManyFactsError: the recounts of the conversation are exhausted; nothing has changed.
    """
    first = old if fact is None or precedes(old, fact) else fact
    charge(c, next((candidate for candidate in (old, fact) if candidate is not None and is_voiding(candidate)), first))
    state, fresh = c.state, c.fresh or []
    place = bisect_left(state.facts, order_of(old), key=order_of)
    if place < len(state.facts) and state.facts[place] is old:
        revised.counted = state.facts if revised.counted is None else revised.counted
        state.facts = [*state.facts[:place], *state.facts[place + 1 :]]
        # The cost of the next fact must not depend on whether this is folded before it.
        state.void = any(map(is_voiding, state.facts))
        c.written = min(c.written, place)
    else:
        fresh = [other for other in fresh if other is not old]
    if fact is not None:
        insort(fresh, fact, key=order_of)
    c.fresh = fresh if fresh or revised.counted is not None else None
    c.newest = max((*state.facts[-1:], *fresh[-1:]), key=order_of, default=None)


def charge(c: Conversation, fact: AnyFact) -> None:
    """Charge the recounts of a fact that precedes or excludes others; arrivals decide the cost, not folds.

    Raises:
        TooManyFactsError: the recounts of the conversation are exhausted.
    """
    disorder = c.disorder
    if disorder is None:
        disorder = c.disorder = Disorder()
    spent = disorder.counted_anew + _facts_after(c, fact)
    if spent > MAX_RECOUNTED:
        raise TooManyFactsError("conversation_id", MAX_RECOUNTED, TOO_MANY_OUT_OF_ORDER)
    disorder.counted_anew = spent


def _facts_after(c: Conversation, fact: AnyFact) -> int:
    """Return how many facts a fact causes to be recounted."""
    fresh = c.fresh or ()
    if type(fact) in _MAY_VOID and is_voiding(fact):
        return c.known
    is_void = bool(c.state.void)
    for added in fresh:
        is_void = is_void or (type(added) in _MAY_VOID and is_voiding(added))
    if is_void:
        first = _first_exclusion(c.every_fact())
        return 1 if first is None or precedes(first, fact) else c.known
    return 1 + _number_after(c.facts, fact) + _number_after(fresh, fact)


def _number_after(facts: Sequence[AnyFact], fact: AnyFact) -> int:
    """Return how many of some ordered facts follow one; search from the end, where it usually belongs."""
    length = len(facts)
    for number in range(min(length, _NEAR)):
        if precedes(facts[length - 1 - number], fact):
            return number
    return length - bisect_left(facts, order_of(fact), key=order_of)


def _first_exclusion(facts: Iterable[AnyFact]) -> AnyFact | None:
    return min((fact for fact in facts if isinstance(fact, Excluded)), default=None, key=order_of)


# --- folding


def fold(c: Conversation, rules: Rules, postings: Postings, lost_to: int | None) -> None:
    """Count the facts since the last fold and book their changes; ``lost_to``: contacts silent for too long by then are lost."""
    fresh, state = c.fresh, c.state
    if fresh is None:
        return
    c.fresh = None
    if c.revised is not None and c.revised.counted is not None:
        _fold_replaced(c, c.revised.counted, fresh, rules, postings, lost_to)
        c.revised.counted = None
        return
    facts, first = state.facts, fresh[0]
    appends = state.void is not True and first.at > state.lost_at and (not facts or precedes(facts[-1], first))
    if appends:
        for fact in fresh:
            if type(fact) in _MAY_VOID and is_voiding(fact):
                appends = False
    if appends:
        if facts:
            facts += fresh
        else:
            state.facts = [*fresh]  # exact size: most waiting conversations get no further fact soon
        for fact in fresh:
            _STEPS[type(fact)](state, fact, rules, postings)
    else:
        c.written = min(c.written, bisect_left(facts, order_of(first), key=order_of))
        _fold_among(c, fresh, rules, postings, lost_to)


def _fold_among(c: Conversation, fresh: list[AnyFact], rules: Rules, postings: Postings, lost_to: int | None) -> None:
    """Count facts that precede or exclude others, and book the difference."""
    state = c.state
    facts = sorted([*state.facts, *fresh], key=order_of)
    voiding = any(map(is_voiding, fresh))
    if state.void is True and not voiding:
        first = _first_exclusion(state.facts)
        if first is None or precedes(first, fresh[0]):
            # Nothing counts after an exclusion, or in a contact that the business began.
            state.facts, state.last_ms = facts, facts[-1].at
            return
    _recount(c, state.facts, facts, rules, postings, lost_to, from_start=bool(state.void) or voiding)


def _fold_replaced(
    c: Conversation, counted: list[AnyFact], fresh: list[AnyFact], rules: Rules, postings: Postings, lost_to: int | None
) -> None:
    """Count facts of which some replace others, and book the difference."""
    unchanged = c.state.facts
    if fresh:
        c.written = min(c.written, bisect_left(unchanged, order_of(fresh[0]), key=order_of))
    from_start = any(map(is_voiding, counted)) or any(map(is_voiding, fresh))
    _recount(c, counted, sorted([*unchanged, *fresh], key=order_of), rules, postings, lost_to, from_start=from_start)


def _recount(
    c: Conversation,
    counted: list[AnyFact],
    facts: list[AnyFact],
    rules: Rules,
    postings: Postings,
    lost_to: int | None,
    *,
    from_start: bool,
) -> None:
    """Book the difference between two lists of facts; ``from_start``: without checkpoints."""
    state, disorder, before = c.state, c.disorder, Postings()
    lost_before = lost_to if ended_by_silence(state) else None
    if from_start or disorder is None:
        if disorder is not None:
            disorder.checkpoints = []
        if counted:
            folded(c.name, counted, rules, before, lost_before)
        c.state = folded(c.name, facts, rules, postings, lost_to)
    else:
        shorter = min(len(counted), len(facts))
        place = next((index for index in range(shorter) if counted[index] is not facts[index]), shorter)
        checkpoints = [mark for mark in disorder.checkpoints if mark[0] <= place]
        start = checkpoints[-1][0] if checkpoints else 0
        _fold_from(_state_at(checkpoints, c.name), counted, start, rules, before, lost_before)
        c.state = _state_at(checkpoints, c.name)
        _fold_from(c.state, facts, start, rules, postings, lost_to, checkpoints if len(facts) >= 2 * _STEP else None)
        disorder.checkpoints = checkpoints
    postings.add(before, -1)


def folded(name: str, facts: list[AnyFact], rules: Rules, postings: Postings, lost_to: int | None = None) -> State:
    """Return the state of these ordered facts alone, and book all their postings."""
    state = unfolded(name, facts)
    for fact in facts:
        _STEPS[type(fact)](state, fact, rules, postings)
    excluded = next((fact for fact in facts if isinstance(fact, Excluded)), None) if state.void is True else None
    if excluded is not None and not is_ours(facts):
        before = folded(name, facts[: facts.index(excluded)], rules, Postings())
        book_excluded(before, excluded, rules, postings)
    if lost_to is not None:
        lose_by(state, lost_to, rules, postings)
    return state


def unfolded(name: str, facts: list[AnyFact]) -> State:
    """Return the initial state for counting these ordered facts."""
    state = State(name, facts)
    ours, excluded = is_ours(facts), any(isinstance(fact, Excluded) for fact in facts)
    state.void = Outbound() if ours and not excluded and is_outbound(facts) else ours or excluded
    return state


def is_ours(facts: list[AnyFact]) -> bool:
    """Return whether the business began the conversation, or it is internal."""
    return any(isinstance(fact, Arrived) and fact.direction in NOT_INBOUND for fact in facts)


def step(state: State, fact: AnyFact, rules: Rules, postings: Postings) -> None:
    """Count the next of the state's facts."""
    _STEPS[type(fact)](state, fact, rules, postings)


def _stepper(count: Callable[[State, Any, Rules, Postings], None]) -> Callable[[State, AnyFact, Rules, Postings], None]:
    """Return ``step`` for facts of one type, given their effect."""

    def step(state: State, fact: AnyFact, rules: Rules, postings: Postings) -> None:
        at, last = fact.at, state.last_ms
        if last and at - last > rules.shortest_ms:  # before the first fact nothing is open
            lose_by(state, at, rules, postings)
        state.last_ms = at
        if not state.void and (state.consults is None or not is_consult(state.consults.contacts, fact)):
            count(state, fact, rules, postings)
        elif isinstance(state.void, Outbound):
            count_outbound(state, state.void, fact, rules, postings)

    return own_code(step)


#: Type of fact → function that counts one, with its own code object.
_STEPS = {kind: _stepper(STEPS[kind.kind]) for kind in get_args(AnyFact)}


def is_consult(consults: set[str], fact: AnyFact) -> bool:
    """Return whether a fact is of a consultation; an answer by transfer turns its contact into the customer's."""
    if fact.contact not in consults or fact.kind not in _OF_LEGS:
        return False
    if isinstance(fact, Answered) and fact.joins:
        consults.discard(fact.contact)
        return False
    return True


def _fold_from(
    state: State,
    facts: list[AnyFact],
    start: int,
    rules: Rules,
    postings: Postings,
    lost_to: int | None,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Count the facts from an index on; add ``checkpoints`` for later recounts."""
    state.facts = facts
    for number in range(start, len(facts)):
        if checkpoints is not None and number % _STEP == 0 and number > start:
            checkpoints.append((number, copy_of(state)))
            _thin_out(checkpoints)
        _STEPS[type(facts[number])](state, facts[number], rules, postings)
    if lost_to is not None:
        lose_by(state, lost_to, rules, postings)


def _thin_out(checkpoints: Checkpoints) -> None:
    """Keep few checkpoints, denser towards the end: the distance back to one never exceeds the distance to the end."""
    last = checkpoints[-1][0]
    for index in range(len(checkpoints) - 2, 0, -1):
        after = checkpoints[index + 1][0]
        if after - checkpoints[index - 1][0] <= last - after:
            del checkpoints[index]


def _state_at(checkpoints: Checkpoints, name: str) -> State:
    return copy_of(checkpoints[-1][1]) if checkpoints else State(name, [])


# --- silent conversations


def ended_by_silence(state: State) -> bool:
    """Return whether the conversation was lost after its last fact."""
    return state.lost_at > 0 and state.lost_at == state.last_ms


def lose_by(state: State, now_ms: int, rules: Rules, postings: Postings) -> bool:
    """Count a conversation as lost if it is open and was silent for too long by an instant; return whether it was lost."""
    due = lost_from(state, rules)
    if due is None or due >= now_ms:
        return False
    lose(state, due, rules, postings)
    return True
