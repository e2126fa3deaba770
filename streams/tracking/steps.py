"""The effect of each kind of fact on a conversation (``docs/counting.md`` section 4, event by event)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.base import REPLY_CHANNELS
from streams.tracking.bot_sessions import end_session, hand_over, start_session, turn_to_agent
from streams.tracking.callbacks import attempt_callback, end_callback, request_callback
from streams.tracking.facts import Kind, precedes
from streams.tracking.legs import (
    active_legs,
    begin_wrap_up,
    book_consult,
    book_leg,
    book_separately,
    consults_of,
    counted_of,
    end_leg,
    find_leg,
    fits,
    is_full,
    leg_to_wrap_up,
    take_transfer,
)
from streams.tracking.losses import lose, lost_from
from streams.tracking.messages import await_reply, book_texts, channel_of, close_messages, messages_of, record_customer_message, reply
from streams.tracking.state import PASSED_ON, Leg, Work
from streams.tracking.ticket import DONE, change_status, escalate, invite, respond, take_opinion
from streams.tracking.topic import categorize, find_place, name_category, not_offer
from streams.tracking.uncounted import NO_BEGIN, NO_LEG, NO_QUEUE, NO_VISIT, TOO_MANY, count_uncounted, count_without_place
from streams.tracking.visits import answer_visit, channel_in, enter, find_visit, leave, open_visits

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.tracking.facts import (
        Answered,
        AnyFact,
        Arrived,
        CallbackRequested,
        Consult,
        ConsultEnded,
        ConsultStarted,
        Ended,
        Escalated,
        Held,
        LeftQueue,
        Message,
        Missing,
        OfferEnded,
        Queued,
        Resumed,
        StatusChanged,
        SurveyAnswered,
        SurveyInvited,
        Transferred,
        WorkEnded,
        WorkStarted,
        WrappedUp,
        WrapUpStarted,
    )
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import State, Visit

__all__ = ["STEPS"]

#: Channels where the first response is a message, if messages are reported.
_WRITTEN = REPLY_CHANNELS | {"chat"}


def _on_arrived(s: State, fact: Arrived, _rules: Rules, _postings: Postings) -> None:
    if s.channel is None:
        s.start = fact.at  # precedes the entry of a visit and later arrivals
    s.channel = fact.channel
    if s.customer is None:
        s.customer = fact.customer_key
    if s.channel in REPLY_CHANNELS:
        messages_of(s)
        if fact.initiated_by is None:
            await_reply(s, fact.at)  # an arrival brings the customer's first message


def _on_queued(s: State, fact: Queued, rules: Rules, postings: Postings) -> None:
    if not enter(s, fact.at, fact.queue, fact.channel, fact.contact, fact.at, rules, postings):
        count_uncounted(s, fact, TOO_MANY, rules, postings)
    if fact.category is not None:
        name_category(s, fact.at, fact.category, rules, postings)


def _on_left_queue(s: State, fact: LeftQueue, rules: Rules, postings: Postings) -> None:
    at, queue, contact = fact.at, fact.queue, fact.contact
    visit = find_visit(s, contact, queue) if fact.named else s.visit
    has_room = True
    if visit is None and queue is not None and fact.wait_ms is not None:
        has_room = enter(s, at - fact.wait_ms, queue, None, contact, at, rules, postings)
        visit = find_visit(s, contact, queue)
    if visit is not None:
        leave(s, visit, at, fact.reason, rules, postings)
    else:
        count_uncounted(s, fact, NO_VISIT if has_room else TOO_MANY, rules, postings)


def _on_transferred(s: State, fact: Transferred, rules: Rules, postings: Postings) -> None:
    at, contact, agent, queue = fact.at, fact.contact, fact.agent, fact.from_queue
    counted_of(s).add(PASSED_ON)
    leg = find_leg(s, contact, agent, queue, fact.to_agent)
    if leg is not None:
        if not fact.agent_stays:
            end_leg(s, leg, at, postings)
    else:
        visit = find_visit(s, contact, queue) if agent is None else None
        if visit is not None:
            leave(s, visit, at, "transfer", rules, postings)
            return
        if contact is not None or agent is not None or queue is not None:
            leg = take_transfer(s, contact, agent, queue, fact.to_agent, whichever=fact.agent_stays)
    if leg is None:
        count_uncounted(s, fact, NO_LEG, rules, postings)
    else:
        book_separately(s, leg.targets, leg.offered, at, (("transfers_out", 1),), postings)


def _on_offer_ended(s: State, fact: OfferEnded, rules: Rules, postings: Postings) -> None:
    queue, visit = fact.queue, find_visit(s, fact.contact, fact.queue)
    if visit is not None:
        book_separately(s, visit.targets, visit.entered, fact.at, (("non_response", 1),), postings)
    elif queue is not None:
        targets = rules.targets.of_queue(queue, channel_in(s, queue, rules))
        book_separately(s, targets, None, fact.at, (("non_response", 1),), postings)
    else:
        count_uncounted(s, fact, NO_QUEUE, rules, postings)


def _on_answered(s: State, fact: Answered, rules: Rules, postings: Postings) -> None:
    at, queue, contact = fact.at, fact.queue, fact.contact
    if s.leg is not None:
        for leg in active_legs(s):
            # Another agent joins; in writing one agent follows another.
            of_another = not fits(fact.agent, leg.agent) and fact.named and leg.channel not in REPLY_CHANNELS
            if fits(contact, leg.contact) and not of_another:
                end_leg(s, leg, at, postings, moved_on=True)
    visit = find_visit(s, contact, queue) if fact.named else s.visit
    has_room = True
    if visit is None and queue is not None and fact.wait_ms is not None:
        has_room = enter(s, at - fact.wait_ms, queue, None, contact, at, rules, postings)
        visit = find_visit(s, contact, queue)
    if not has_room or not _answer(s, at, fact.agent, contact, queue, visit, fact.hold_known, rules, postings):
        count_uncounted(s, fact, TOO_MANY, rules, postings)
    elif s.place is None:
        count_uncounted(s, fact, NO_QUEUE, rules, postings)
    if not s.responded and not _is_only_joined(s, at, rules):
        respond(s, at, rules, postings)
    if s.bot_sessions is not None:
        turn_to_agent(s.bot_sessions, at, postings)


def _is_only_joined(s: State, at: int, rules: Rules) -> bool:
    """Return whether joining is no response: in writing only a message is, where the customer's messages are reported."""
    if s.messages is None or not s.messages.seen or channel_of(s) not in _WRITTEN:
        return False
    return rules.counts_uncounted(at)


def _on_message(s: State, fact: Message, rules: Rules, postings: Postings) -> None:
    if fact.by_customer:
        record_customer_message(s, fact.at, fact.thanks, rules, postings)
        return
    if s.bot_sessions is not None:
        turn_to_agent(s.bot_sessions, fact.at, postings)
    visit = find_visit(s, fact.contact, None)
    if visit is not None and visit.targets.place[1] in REPLY_CHANNELS:
        for leg in active_legs(s):
            if fits(fact.contact, leg.contact):
                end_leg(s, leg, fact.at, postings, moved_on=True)
        if not _answer(s, fact.at, fact.agent, fact.contact, None, visit, False, rules, postings):  # noqa: FBT003
            count_uncounted(s, fact, TOO_MANY, rules, postings)
    if not s.responded:
        respond(s, fact.at, rules, postings)
    reply(s, fact.at, fact.agent, rules, postings)


def _on_held(s: State, fact: Held, rules: Rules, postings: Postings) -> None:
    leg = find_leg(s, fact.contact, fact.agent)
    if leg is not None:
        leg.hold_known = True
        if leg.held_at is None:
            leg.held_at = fact.at
    else:
        count_uncounted(s, fact, NO_LEG, rules, postings)


def _on_resumed(s: State, fact: Resumed, rules: Rules, postings: Postings) -> None:
    leg = find_leg(s, fact.contact, fact.agent)
    if leg is not None:
        leg.hold_known = True
        if fact.hold_ms is not None:
            # Reported afterwards; a leg was not on hold for longer than it lasts.
            leg.hold_ms = min(leg.hold_ms + fact.hold_ms, fact.at - leg.started)
            leg.held_at = None
        elif leg.held_at is not None:
            leg.hold_ms += fact.at - leg.held_at
            leg.held_at = None
    else:
        count_uncounted(s, fact, NO_LEG, rules, postings)


def _on_work_started(s: State, fact: WorkStarted, _rules: Rules, _postings: Postings) -> None:
    if s.work is None:
        s.work = Work()
    s.work.since.setdefault(fact.agent, fact.at)


def _on_work_ended(s: State, fact: WorkEnded, rules: Rules, postings: Postings) -> None:
    work = s.work
    if work is not None and fact.agent in work.since:
        work.touch_ms = (work.touch_ms or 0) + fact.at - work.since.pop(fact.agent)
    else:
        count_uncounted(s, fact, NO_BEGIN, rules, postings)


def _on_ended(s: State, fact: Ended, rules: Rules, postings: Postings) -> None:
    at, contact, agent = fact.at, fact.contact, fact.agent
    if agent is not None:
        leg = find_leg(s, contact, agent)
        if leg is not None:
            end_leg(s, leg, at, postings)
        else:
            count_uncounted(s, fact, NO_LEG, rules, postings)
    elif s.place is None and s.channel is None:
        count_uncounted(s, fact, NO_BEGIN, rules, postings)
    else:
        if contact is not None and not _is_of(s, fact):
            contact = None  # It ends the entire conversation.
        _end(s, at, contact, "abandoned" if fact.by == "customer" else "other", rules, postings)
    if s.messages is not None and s.visit is None and s.leg is None:
        close_messages(s.messages)


def _is_of(s: State, fact: Ended) -> bool:
    """Return whether any visit or leg so far fits the contact that an end names."""
    contact = fact.contact
    if any(fits(contact, visit.contact) for visit in open_visits(s)) or any(fits(contact, leg.contact) for leg in active_legs(s)):
        return True
    return any(earlier.contact == contact and earlier.kind in _OPENING and precedes(earlier, fact) for earlier in s.facts)


def _on_status_changed(s: State, fact: StatusChanged, rules: Rules, postings: Postings) -> None:
    if fact.status in DONE:
        count_without_place(s, fact, rules, postings)
        _end(s, fact.at, None, "other", rules, postings)
        if s.messages is not None:
            close_messages(s.messages)
    change_status(s, fact, rules, postings)


def _on_wrap_up_started(s: State, fact: WrapUpStarted, rules: Rules, postings: Postings) -> None:
    leg = leg_to_wrap_up(s, fact.contact, fact.agent)
    if leg is not None:
        if leg in active_legs(s):
            end_leg(s, leg, fact.at, postings)
        begin_wrap_up(s, leg, fact.at)
    else:
        count_uncounted(s, fact, NO_LEG, rules, postings)


def _on_wrapped_up(s: State, fact: WrappedUp, rules: Rules, postings: Postings) -> None:
    at, wrap_ms = fact.at, fact.wrap_ms
    leg = leg_to_wrap_up(s, fact.contact, fact.agent)
    if leg is None:
        count_uncounted(s, fact, NO_LEG, rules, postings)
        return
    if leg in active_legs(s):
        end_leg(s, leg, at, postings)
    if s.ended_legs is not None:
        s.ended_legs.remove(leg)
    if wrap_ms is None:
        wrap_ms = max(0, at - (leg.wrap_at if leg.wrap_at is not None else leg.ended))
    counts, sums = ["wrap_count"], [("wrap_ms", wrap_ms)]
    if leg.talk_ms is not None and leg.channel not in REPLY_CHANNELS:
        counts.append("handle_count")
        sums.append(("handle_ms", leg.talk_ms + leg.hold_ms + wrap_ms))
        if rules.extra.handle_hold:
            sums.append(("handle_hold_ms", leg.hold_ms))
    book_leg(s, leg, at, counts, sums, postings)


def _on_consult(s: State, fact: Consult, _rules: Rules, _postings: Postings) -> None:
    consults = consults_of(s)
    if fact.contact is not None:
        consults.contacts.add(fact.contact)


def _on_consult_started(s: State, fact: ConsultStarted, rules: Rules, postings: Postings) -> None:
    leg = find_leg(s, fact.contact, fact.agent)
    if leg is None:
        count_uncounted(s, fact, NO_LEG, rules, postings)
    else:
        consults_of(s).since.setdefault(leg.number, fact.at)


def _on_consult_ended(s: State, fact: ConsultEnded, rules: Rules, postings: Postings) -> None:
    leg = find_leg(s, fact.contact, fact.agent)
    if leg is None:
        count_uncounted(s, fact, NO_LEG, rules, postings)
    elif not book_consult(s, leg, fact.at, postings):
        count_uncounted(s, fact, NO_BEGIN, rules, postings)


def _on_escalated(s: State, fact: Escalated, rules: Rules, postings: Postings) -> None:
    count_without_place(s, fact, rules, postings)
    escalate(s, fact, postings)


def _on_callback_requested(s: State, fact: CallbackRequested, rules: Rules, postings: Postings) -> None:
    count_without_place(s, fact, rules, postings)
    request_callback(s, fact, postings)


def _on_survey_invited(s: State, fact: SurveyInvited, rules: Rules, postings: Postings) -> None:
    count_without_place(s, fact, rules, postings)
    invite(s, fact, postings)


def _on_survey_answered(s: State, fact: SurveyAnswered, rules: Rules, postings: Postings) -> None:
    count_without_place(s, fact, rules, postings)
    take_opinion(s, fact, rules, postings)


def _on_nothing(_s: State, _fact: AnyFact, _rules: Rules, _postings: Postings) -> None:
    """Count nothing: the kind only affects the conversation as one."""


def _on_missing(s: State, fact: Missing, rules: Rules, postings: Postings) -> None:
    if lost_from(s, rules) is not None:
        lose(s, fact.at, rules, postings)


def _end(s: State, at: int, contact: str | None, reason: str, rules: Rules, postings: Postings) -> None:
    """End open visits and legs, of one contact if it is named."""
    for visit in open_visits(s):
        if fits(contact, visit.contact):
            leave(s, visit, at, reason, rules, postings)
    for leg in active_legs(s):
        if fits(contact, leg.contact):
            end_leg(s, leg, at, postings)


def _answer(
    s: State,
    at: int,
    agent: str | None,
    contact: str | None,
    queue: str | None,
    visit: Visit | None,
    hold_known: bool,
    rules: Rules,
    postings: Postings,
) -> bool:
    """Begin a leg in the queue of the visit it answers, else in the named queue, else in the conversation's place.

    Return False and change nothing if the limit of active legs is reached.
    """
    if s.leg is not None and is_full(active_legs(s), at, rules):
        return False
    number, offered = s.legs_begun, None
    s.legs_begun = number + 1
    if visit is not None:
        answer_visit(s, visit, at, rules, postings)
        targets, offered = visit.targets, visit.entered
        if contact is None:
            contact = visit.contact
    elif queue is not None:
        targets = rules.targets.of_queue(queue, channel_in(s, queue, rules))
    elif s.place is not None:
        targets = s.place
    else:
        return True
    s.place = targets
    if s.leg is not None:
        s.more_legs = active_legs(s)
    s.leg = Leg(agent, contact, targets.place[1], at, offered, targets, rules.targets.of_agent(agent, s.name), number, hold_known)
    if s.messages is not None:
        book_texts(s, s.messages, at, rules, postings)
    if s.topic is not None:
        find_place(s, s.topic, at, rules, postings)
    return True


#: Kinds that open visits and legs.
_OPENING = frozenset({Kind.QUEUED, Kind.ANSWERED, Kind.LEFT_QUEUE})

#: Kind of fact → its effect on a conversation.
STEPS: dict[int, Callable[[State, Any, Rules, Postings], None]] = {
    Kind.CONSULT_ENDED: _on_consult_ended,
    Kind.CONSULT: _on_consult,
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
    Kind.ESCALATED: _on_escalated,
    Kind.CALLBACK_REQUESTED: _on_callback_requested,
    Kind.CALLBACK_ATTEMPTED: lambda s, fact, _, postings: attempt_callback(s, fact, postings),
    Kind.CALLBACK_ENDED: lambda s, fact, _, postings: end_callback(s, fact, postings),
    Kind.SURVEY_INVITED: _on_survey_invited,
    Kind.SURVEY_ANSWERED: _on_survey_answered,
    Kind.MISSING: _on_missing,
    Kind.NOT_OFFERED: not_offer,
    Kind.CATEGORIZED: categorize,
    Kind.HANDED_OVER: hand_over,
    Kind.CONSULT_STARTED: _on_consult_started,
    Kind.SELF_SERVICE_STARTED: start_session,
    Kind.SELF_SERVICE_ENDED: end_session,
}
