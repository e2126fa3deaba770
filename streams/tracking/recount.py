"""Facts that arrive out of order: set aside, and counted among the others once a flush, from where they belong on."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_COUNTED_ANEW, TOO_MANY_OUT_OF_ORDER
from streams.tracking.conversation import STATE, Conversation, Disorder
from streams.tracking.facts import Kind, TooManyFactsError
from streams.tracking.ledger import Ledger
from streams.tracking.legs import Leg
from streams.tracking.matters import Matter
from streams.tracking.self_service import SelfService, Session
from streams.tracking.steps import NOT_INBOUND
from streams.tracking.subjects import Subject
from streams.tracking.visits import Episode
from streams.tracking.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.tracking.conversation import Rules
    from streams.tracking.facts import Fact

    Marks = list[tuple[int, Conversation]]

__all__ = ["count_in", "set_aside"]

_ARRIVED, _EXCLUDED = int(Kind.ARRIVED), int(Kind.EXCLUDED)
#: Facts between two places from which counting can go on; a conversation of fewer than twice as many has none.
_STEP = 32
#: What changes in place while facts are counted. Ended legs do not, so they are shared.
_CHANGING = (Leg, Matter, Words, Subject, SelfService, Session, Episode)


def set_aside(c: Conversation, fact: Fact) -> Disorder:
    """Keep a fact that comes before others until ``count_in``, and add up what that costs.

    Raises:
        TooManyFactsError: too much of the conversation has been counted anew already.
    """
    disorder = c.disorder
    if disorder is None:
        disorder = c.disorder = Disorder()
    spent = disorder.counted_anew + _facts_after(c, disorder.aside, fact)
    if spent > MAX_COUNTED_ANEW:
        raise TooManyFactsError("conversation_id", MAX_COUNTED_ANEW, TOO_MANY_OUT_OF_ORDER)
    disorder.counted_anew = spent
    insort(disorder.aside, fact)
    return disorder


def _facts_after(c: Conversation, aside: list[Fact], fact: Fact) -> int:
    """Return how many facts have to be counted anew for one: a function of what has arrived, however it came in chunks."""
    known = len(c.facts) + len(aside)
    if _makes_void(fact):
        return known
    if c.void or any(map(_makes_void, aside)):
        first = _first_exclusion((*c.facts, *aside))
        return 1 if first is None or fact > first else known
    return 1 + known - bisect_left(c.facts, fact) - bisect_left(aside, fact)


def _makes_void(fact: Fact) -> bool:
    return fact[2] == _EXCLUDED or (fact[2] == _ARRIVED and fact[5] in NOT_INBOUND)


def _first_exclusion(facts: Iterable[Fact]) -> Fact | None:
    return min((fact for fact in facts if fact[2] == _EXCLUDED), default=None)


def count_in(c: Conversation, rules: Rules, ledger: Ledger, lost_to: int | None) -> Conversation:
    """Count what was set aside and book the difference; return the conversation that takes the place of this one."""
    disorder = c.disorder
    if disorder is None or not disorder.aside:
        return c
    aside, disorder.aside = disorder.aside, []
    facts = sorted([*c.facts, *aside])
    voiding = any(map(_makes_void, aside))
    if c.void and not voiding:
        first = _first_exclusion(c.facts)
        if first is None or aside[0] > first:
            # Nothing counts after an exclusion, nor in a contact that the business began.
            c.facts, c.last_ms = facts, facts[-1][0]
            return c
    place = bisect_left(c.facts, aside[0])
    before = Ledger()
    lost_before = lost_to if c.ended_by_silence else None
    if c.void or voiding:
        disorder.marks = []
        Conversation(c.name).refold(c.facts, rules, before, lost_before)
        counted = Conversation(c.name)
        counted.refold(facts, rules, ledger, lost_to)
    else:
        marks = [mark for mark in disorder.marks if mark[0] <= place]
        start = marks[-1][0] if marks else 0
        _fold(_state_at(marks, c.name), c.facts, start, rules, before, lost_before)
        counted = _state_at(marks, c.name)
        _fold(counted, facts, start, rules, ledger, lost_to, marks if len(facts) >= 2 * _STEP else None)
        disorder.marks = marks
    ledger.add(before, -1)
    counted.take_notes(c)
    return counted


def _fold(
    c: Conversation, facts: list[Fact], start: int, rules: Rules, ledger: Ledger, lost_to: int | None, marks: Marks | None = None
) -> None:
    """Count the facts from a place on; note in ``marks`` from where it can be done again."""
    c.facts = facts
    for number in range(start, len(facts)):
        if marks is not None and number % _STEP == 0 and number > start:
            marks.append((number, _copy_of(c)))
            _thin_out(marks)
        c.step(facts[number], rules, ledger)
    if lost_to is not None:
        c.lose_by(lost_to, rules, ledger)


def _thin_out(marks: Marks) -> None:
    """Keep few places, the closer the nearer to the end: from any fact back to one is no farther than from it to the end."""
    last = marks[-1][0]
    for index in range(len(marks) - 2, 0, -1):
        after = marks[index + 1][0]
        if after - marks[index - 1][0] <= last - after:
            del marks[index]


def _state_at(marks: Marks, name: str) -> Conversation:
    return _copy_of(marks[-1][1], name) if marks else Conversation(name)


def _copy_of(c: Conversation, name: str = "") -> Conversation:
    copy = Conversation(name)
    for slot in STATE:
        setattr(copy, slot, _copied(getattr(c, slot)))
    copy.legs = None if c.legs is None else list(c.legs)
    return copy


def _copied(value: Any) -> Any:
    if isinstance(value, _CHANGING):
        copy = object.__new__(type(value))
        for slot in value.__slots__:
            setattr(copy, slot, _copied(getattr(value, slot)))
        return copy
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return set(value) if isinstance(value, set) else value
