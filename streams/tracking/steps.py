"""What each kind of fact does to a conversation (``docs/counting.md`` section 4, event by event)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.base import REPLY_CHANNELS
from streams.tracking.callbacks import attempt_callback, end_callback, request_callback
from streams.tracking.facts import CUSTOMER, Kind
from streams.tracking.legs import Leg, book_apart, book_leg, end_leg, leg_of
from streams.tracking.losses import lose, lost_from
from streams.tracking.matters import DONE, change_status, escalate, invite, respond, take_opinion
from streams.tracking.self_service import end_session, hand_over, start_session, turn_to_people
from streams.tracking.subjects import categorize, find_place, name_category, not_offer
from streams.tracking.visits import answer_visit, channel_in, enter, leave
from streams.tracking.words import book_texts, hear, read, reply, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.facts import Fact
    from streams.tracking.ledger import Ledger

__all__ = ["NOT_INBOUND", "STEPS"]

NOT_INBOUND = frozenset({"outbound", "internal"})


def _on_arrived(c: Conversation, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
    if c.channel is None:
        c.start = fact[0]  # it counts before the entry of a visit, and before later arrivals
    c.channel = fact[4]
    began = fact[6]
    if isinstance(began, tuple | list):
        began, key = began
        if c.customer is None:
            c.customer = key
    c.void = fact[5] in NOT_INBOUND
    if c.channel in REPLY_CHANNELS and not c.void:
        words_of(c)
        if began is None:
            hear(c, fact[0])  # it brings the customer's first message


def _on_queued(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    enter(c, fact[0], fact[4], fact[5], fact[0], rules, ledger)
    if fact[6] is not None:
        name_category(c, fact[0], fact[6], rules, ledger)


def _on_left_queue(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    at, reason, queue, wait_ms = fact[0], fact[4], fact[5], fact[6]
    if c.visit is None and queue is not None and wait_ms is not None:
        enter(c, at - wait_ms, queue, None, at, rules, ledger)
    if c.visit is not None:
        leave(c, at, reason, rules, ledger)


def _on_transferred(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    at, leg = fact[0], c.leg
    c.passed_on = True
    if leg is not None:
        end_leg(c, at, ledger)
        book_apart(c, leg.targets, leg.offered, at, (("transfers_out", 1),), ledger)
    elif c.visit is not None:
        leave(c, at, "transfer", rules, ledger)


def _on_offer_ended(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    at, outcome, queue = fact[0], fact[4], fact[5]
    if outcome != "no_answer":
        return
    if c.visit is not None and queue in (None, c.visit_queue):
        targets, offered = rules.targets.of_queue(c.visit_queue, c.visit_channel), c.visit
    elif queue is not None:
        targets, offered = rules.targets.of_queue(queue, channel_in(c, queue, rules)), None
    else:
        return
    book_apart(c, targets, offered, at, (("non_response", 1),), ledger)


def _on_answered(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    _answer(c, fact[0], fact[4], fact[5], fact[6], rules, ledger, hold_known=bool(fact[7]))
    if not c.responded:
        respond(c, fact[0], rules, ledger)
    if c.service is not None:
        turn_to_people(c.service, fact[0], ledger)


def _on_message(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    if fact[5] == CUSTOMER:
        read(c, fact[0], fact[6], rules, ledger)
        return
    if c.service is not None:
        turn_to_people(c.service, fact[0], ledger)
    if c.visit is not None and c.visit_channel in REPLY_CHANNELS:
        _answer(c, fact[0], fact[4], None, None, rules, ledger, hold_known=False)
    if not c.responded:
        respond(c, fact[0], rules, ledger)
    reply(c, fact[0], fact[4], rules, ledger)


def _on_held(c: Conversation, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
    leg = c.leg
    if leg is not None:
        leg.hold_known = True
        if leg.held_at is None:
            leg.held_at = fact[0]


def _on_resumed(c: Conversation, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
    leg = c.leg
    if leg is not None:
        leg.hold_known = True
        if leg.held_at is not None:
            leg.hold_ms += fact[0] - leg.held_at
            leg.held_at = None


def _on_work_started(c: Conversation, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
    if c.working is None:
        c.working = {}
    c.working.setdefault(fact[4], fact[0])


def _on_work_ended(c: Conversation, fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
    if c.working is not None and fact[4] in c.working:
        c.touch_ms = (c.touch_ms or 0) + fact[0] - c.working.pop(fact[4])


def _on_ended(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    _end(c, fact[0], "abandoned" if fact[4] == "customer" else "other", rules, ledger)


def _on_status_changed(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    if fact[4] in DONE:
        _end(c, fact[0], "other", rules, ledger)
    change_status(c, fact, rules, ledger)


def _on_wrap_up_started(c: Conversation, fact: Fact, _rules: Rules, ledger: Ledger) -> None:
    leg = leg_of(c, fact[4])
    if leg is not None:
        if leg is c.leg:
            end_leg(c, fact[0], ledger)
        if leg.wrap_at is None and c.legs is not None:
            c.legs[c.legs.index(leg)] = leg.wrapping(fact[0])


def _on_wrapped_up(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    at, agent, wrap_ms = fact[0], fact[4], fact[5]
    leg = leg_of(c, agent)
    if leg is None:
        return
    if leg is c.leg:
        end_leg(c, at, ledger)
    if c.legs is not None:
        c.legs.remove(leg)
    if wrap_ms is None:
        wrap_ms = max(0, at - (leg.wrap_at if leg.wrap_at is not None else leg.ended))
    counts, sums = ["wrap_count"], [("wrap_ms", wrap_ms)]
    if leg.talk_ms is not None and leg.channel not in REPLY_CHANNELS:
        counts.append("handle_count")
        sums.append(("handle_ms", leg.talk_ms + leg.hold_ms + wrap_ms))
        if rules.needs.handle_hold:
            sums.append(("handle_hold_ms", leg.hold_ms))
    book_leg(c, leg, at, counts, sums, ledger)


def _on_nothing(c: Conversation, _fact: Fact, _rules: Rules, _ledger: Ledger) -> None:
    """Count nothing: the kind matters only when all facts are taken together."""


def _on_missing(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    if lost_from(c, rules) is not None:
        lose(c, fact[0], rules, ledger)


def _end(c: Conversation, at: int, reason: str, rules: Rules, ledger: Ledger) -> None:
    if c.visit is not None:
        leave(c, at, reason, rules, ledger)
    if c.leg is not None:
        end_leg(c, at, ledger)
    if c.words is not None:
        c.words.settle()


def _answer(
    c: Conversation, at: int, agent: str | None, queue: str | None, wait_ms: int | None, rules: Rules, ledger: Ledger, *, hold_known: bool
) -> None:
    if c.leg is not None:
        end_leg(c, at, ledger)
    if c.visit is None and queue is not None and wait_ms is not None:
        enter(c, at - wait_ms, queue, None, at, rules, ledger)
    c.had_leg = True
    offered = c.visit
    if c.visit is not None:
        answer_visit(c, at, c.visit, rules, ledger)
        queue, channel = c.visit_queue, c.visit_channel
        c.visit = None
    elif queue is not None:
        channel = channel_in(c, queue, rules)
    elif c.last is not None:
        queue, channel = c.last
    else:
        return
    targets = rules.targets.of_queue(queue, channel)
    c.last = targets.place
    c.leg = Leg(agent, channel, at, offered, targets, rules.targets.of_agent(agent, c.name), hold_known=hold_known)
    if c.words is not None:
        book_texts(c, c.words, at, rules, ledger)
    if c.subject is not None:
        find_place(c, c.subject, at, rules, ledger)


#: Kind of fact → what it does to a conversation.
STEPS: dict[int, Callable[[Conversation, Fact, Rules, Ledger], None]] = {
    Kind.ARRIVED: _on_arrived,
    Kind.LEFT_QUEUE: _on_left_queue,
    Kind.TRANSFERRED: _on_transferred,
    Kind.QUEUED: _on_queued,
    Kind.OFFER_ENDED: _on_offer_ended,
    Kind.ANSWERED: _on_answered,
    Kind.WORK_STARTED: _on_work_started,
    Kind.HELD: _on_held,
    Kind.RESUMED: _on_resumed,
    Kind.MESSAGE: _on_message,
    Kind.WORK_ENDED: _on_work_ended,
    Kind.STATUS_CHANGED: _on_status_changed,
    Kind.ENDED: _on_ended,
    Kind.WRAP_UP_STARTED: _on_wrap_up_started,
    Kind.WRAPPED_UP: _on_wrapped_up,
    Kind.EXCLUDED: _on_nothing,
    Kind.ESCALATED: escalate,
    Kind.CALLBACK_REQUESTED: request_callback,
    Kind.CALLBACK_ATTEMPTED: attempt_callback,
    Kind.CALLBACK_ENDED: end_callback,
    Kind.SURVEY_INVITED: invite,
    Kind.SURVEY_ANSWERED: take_opinion,
    Kind.MISSING: _on_missing,
    Kind.NOT_OFFERED: not_offer,
    Kind.CATEGORIZED: categorize,
    Kind.HANDED_OVER: hand_over,
    Kind.SELF_SERVICE_STARTED: start_session,
    Kind.SELF_SERVICE_ENDED: end_session,
}
