"""One conversation, from its facts to dated contributions: sections 2 to 5 of ``docs/counting.md``, read without the pipeline."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from schemas.contact import (
    ContactAnswered,
    ContactArrived,
    ContactCallbackAttempted,
    ContactCallbackEnded,
    ContactCallbackRequested,
    ContactCategorized,
    ContactConsultEnded,
    ContactConsultStarted,
    ContactEnded,
    ContactEscalated,
    ContactExcluded,
    ContactHandedOver,
    ContactHeld,
    ContactLeftQueue,
    ContactMessage,
    ContactModel,
    ContactOfferEnded,
    ContactQueued,
    ContactResumed,
    ContactStatusChanged,
    ContactTransferred,
    ContactWithdrawn,
    ContactWorkEnded,
    ContactWorkStarted,
    ContactWrappedUp,
    ContactWrapUpStarted,
    SelfServiceEnded,
    SelfServiceStarted,
    SurveyAnswered,
    SurveyInvited,
)
from schemas.times import seconds_to_ms, to_ms
from tests.oracle import outbound, subjects
from tests.oracle.definitions import chosen_for
from tests.oracle.messages import Correspondence, is_customers, is_reply
from tests.oracle.places import scopes_of_agent
from tests.oracle.wall import open_ms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from schemas.other import SourceSnapshot
    from streams.configuration.models import Configuration, ServiceLevelDefinition

__all__ = ["PANE_MS", "REPLY_CHANNELS", "Contribution", "OpenItem", "Verdict", "is_late", "journals_of", "judge"]

PANE_MS = 10_000
#: A conversation has at most this number of open visits, and of active legs, at a time.
MOST_OPEN = 50
DAY_MS = 86_400_000
MINUTE_MS = 60_000

#: In these channels an agent answers in writing, and talk is the touch time.
REPLY_CHANNELS = frozenset({"mail", "web_form", "ticket", "social", "sms"})

#: Kinds of the events of a consultation; they come before all other events of their instant.
OF_VISITS_AND_LEGS = (
    ContactArrived,
    ContactLeftQueue,
    ContactTransferred,
    ContactQueued,
    ContactOfferEnded,
    ContactAnswered,
    ContactWorkStarted,
    ContactHeld,
    ContactResumed,
    ContactWorkEnded,
    ContactEnded,
    ContactWrapUpStarted,
    ContactWrappedUp,
)
RANK_OF_CONSULTATION = -3

#: Scales of satisfaction that are counted separately.
SCALES = {"0-1", "1-2", "1-3", "0-4", "1-4", "0-5", "1-6", "1-7", "0-10", "1-10", "0-100", "1-100", "-100-100", "-103-103"}

#: The order of events of one instant.
RANKS = {
    kind: rank
    for rank, kind in enumerate(
        (
            "contact.arrived",
            "contact.left_queue",
            "contact.transferred",
            "contact.queued",
            "contact.agent_offered",
            "contact.offer_ended",
            "contact.answered",
            "contact.work_started",
            "contact.held",
            "contact.resumed",
            "contact.message",
            "contact.work_ended",
            "contact.status_changed",
            "contact.ended",
            "contact.wrap_up_started",
            "contact.wrapped_up",
            "contact.excluded",
            "contact.escalated",
            "contact.callback_requested",
            "contact.callback_attempted",
            "contact.callback_ended",
            "survey.invited",
            "survey.answered",
        )
    )
} | {"self_service.started": -2, "self_service.ended": -1, "contact.not_offered": 40, "contact.categorized": 41, "contact.handed_over": 42}
RANKS |= {"contact.consult_ended": -4, "contact.consult_started": 43}


@dataclass(frozen=True)
class Contribution:
    """One figure's growth: in which scope and channel, of what, how much, and when by outcome and by offer."""

    scope: str
    channel: str | None
    """None for figures of agents."""
    what: str
    amount: int
    outcome_ms: int
    offer_ms: int
    wait_ms: int | None = None
    queue: str | None = None
    """Of an exit from waiting: the queue, the wait, and the time since the contact arrived."""
    waited_ms: int | None = None
    in_system_ms: int | None = None
    score: Fraction | None = None
    held_ms: int = 0
    """The hold time within a handle time."""


@dataclass(frozen=True)
class OpenItem:
    """An open state of a conversation in a scope now.

    ``at_ms`` is the start of ``waiting`` and ``backlog_…``, the due time of ``callback`` and ``reply``, and None for ``in_progress``.
    """

    scope: str
    channel: str
    what: str
    at_ms: int | None = None
    queue: str | None = None


@dataclass
class Verdict:
    """The result of one conversation."""

    contributions: list[Contribution] = field(default_factory=list)
    open_items: list[OpenItem] = field(default_factory=list)
    late: list[ContactModel] = field(default_factory=list)
    story: _Story | None = None
    """The story of its events; None where it counts nothing."""
    customer_key: str | None = None
    category: str | None = None


@dataclass
class _Visit:
    queue: str
    channel: str
    entered: int
    contact: str | None
    open: bool = True


@dataclass
class _Leg:
    agent: str | None
    contact: str | None
    queue: str
    channel: str
    started: int
    visit: _Visit | None
    hold_known: bool = False
    held_since: int | None = None
    hold: int = 0
    talk: int | None = None
    ended: int | None = None
    wrap_started: int | None = None
    wrapped: bool = False
    moved_on: bool = False
    asks_since: int | None = None

    def is_meant(self, contact: str | None, agent: str | None, queue: str | None, never: str | None) -> bool:
        """Return whether all names fit, and the agent is not the excluded one."""
        names = _fits(contact, self.contact) and _fits(agent, self.agent) and _fits(queue, self.queue)
        return names and (never is None or self.agent != never)


@dataclass
class _Episode:
    first_entry: int
    state: Literal["waiting", "answered", "abandoned", "flowed_out"] = "waiting"
    flowed_out_at: int = 0
    flow_out: Contribution | None = None


def is_late(occurred_ms: int, received_ms: int, grace_ms: int) -> bool:
    """Return whether an event arrived after the pane of its instant was frozen."""
    pane_end = (occurred_ms // PANE_MS + 1) * PANE_MS
    return received_ms > pane_end + grace_ms


def journals_of(configuration: Configuration) -> set[str]:
    """Return the sources that report after the fact."""
    return {name for name, source in configuration.sources.items() if source.delivery == "journal"}


def judge(
    deliveries: Iterable[ContactModel],
    configuration: Configuration,
    through_ms: int | None = None,
    snapshots: Iterable[SourceSnapshot] = (),
) -> Verdict:
    """Return what the deliveries of one conversation contribute, in whatever order they are given.

    A conversation without further events by `through_ms` (None: nothing is missing) is lost: section 4.3.
    """
    grace_ms = configuration.counting.grace_seconds * 1000
    verdict = Verdict()
    received = sorted(deliveries, key=lambda event: (event.received_at, event.event_id))
    journals = journals_of(configuration)
    revisions, verdict.late = _latest_revisions(received, grace_ms, journals)
    exclusions = sorted((each for each in revisions if isinstance(each, ContactExcluded)), key=lambda event: event.received_at)
    ordered = _in_order(revisions)
    arrivals = _arrivals(ordered)
    ours = _is_ours(arrivals)
    gone = sorted(_gone_at(ordered, snapshots, grace_ms, through_ms))
    story = _story_of(ordered, configuration, through_ms, gone)
    excluded: list[ContactExcluded] = []
    for exclusion in exclusions:  # by received_at: once one holds, a further one changes nothing
        by_then, _ = _latest_revisions((each for each in received if each.received_at <= exclusion.received_at), grace_ms, journals)
        touched = (
            []
            if excluded or exclusion.source in journals
            else _contributed(_in_order(by_then), configuration, to_ms(exclusion.received_at), gone)
        )
        if any(is_late(each.outcome_ms, to_ms(exclusion.received_at), grace_ms) for each in touched):
            verdict.late.append(exclusion)
        else:
            excluded.append(exclusion)
    if ours:
        verdict.contributions = [] if excluded else _outbound(ordered)
    elif not excluded:
        verdict.contributions = story.everything()
        verdict.open_items = story.open_items()
        verdict.story = story
        verdict.category = subjects.category_after(story.moments)
        verdict.customer_key = next((arrival.customer_key for arrival in arrivals if arrival.customer_key is not None), None)
    else:
        first = min(excluded, key=_order)
        before = _story_of([event for event in ordered if _order(event) < _order(first)], configuration, None, [])
        verdict.contributions = [Contribution(*booking) for booking in subjects.of_exclusion(before.moments, first, configuration)]
    return verdict


def _contributed(ordered: list[ContactModel], configuration: Configuration, through_ms: int, gone: Iterable[int]) -> list[Contribution]:
    """Return the contributions of facts, inbound or outbound."""
    return _outbound(ordered) if _is_ours(_arrivals(ordered)) else _story_of(ordered, configuration, through_ms, gone).everything()


def _arrivals(ordered: Iterable[ContactModel]) -> list[ContactArrived]:
    return [each for each in ordered if isinstance(each, ContactArrived) and not _is_of_consultation(each)]


def _is_ours(arrivals: Iterable[ContactArrived]) -> bool:
    return any(arrival.direction in {"outbound", "internal"} for arrival in arrivals)


def _outbound(ordered: list[ContactModel]) -> list[Contribution]:
    """Return the contributions of a conversation that the business began."""
    events = [event for event in ordered if not _is_of_consultation(event)]
    return [Contribution(*booking) for booking in outbound.bookings(events)] if any(_is_outbound(event) for event in events) else []


def _is_outbound(event: ContactModel) -> bool:
    return isinstance(event, ContactArrived) and event.direction == "outbound"


def _latest_revisions(
    received: Iterable[ContactModel], grace_ms: int, journals: Collection[str]
) -> tuple[list[ContactModel], list[ContactModel]]:
    """Return the revision of each event id that holds, by time of receipt, and the late events: section 3."""
    revisions: dict[str, ContactModel] = {}
    late: list[ContactModel] = []
    for event in received:
        if event.event_id in revisions and (event.revision or 0) <= (revisions[event.event_id].revision or 0):
            continue
        if event.source not in journals and is_late(to_ms(event.occurred_at), to_ms(event.received_at), grace_ms):
            late.append(event)
        else:
            revisions[event.event_id] = event
    return [*revisions.values()], late


def _in_order(revisions: Iterable[ContactModel]) -> list[ContactModel]:
    """Return the events that may count, in order."""
    return sorted((each for each in revisions if not isinstance(each, ContactExcluded | ContactWithdrawn)), key=_order)


def _order(event: ContactModel) -> tuple[datetime, int, int, str]:
    rank = RANK_OF_CONSULTATION if _is_of_consultation(event) else RANKS.get(event.type, len(RANKS))
    return event.occurred_at, event.sequence or 0, rank, event.event_id


def _is_of_consultation(event: ContactModel) -> bool:
    return event.relation == "consult" and isinstance(event, OF_VISITS_AND_LEGS)


def _fits(name: str | None, known: str | None) -> bool:
    return name is None or known is None or name == known


def _gone_at(ordered: list[ContactModel], snapshots: Iterable[SourceSnapshot], grace_ms: int, through_ms: int | None) -> set[int]:
    """Return when its source no longer listed it, and sent no event of it within a minute: section 4.4."""
    signs = [event for event in ordered if _is_sign_of_life(event)]
    names = {event.conversation_id for event in signs} | {event.contact_id for event in signs if event.contact_id is not None}
    gone: set[int] = set()
    for snapshot in snapshots:
        at = to_ms(snapshot.occurred_at)
        seen = [to_ms(event.occurred_at) for event in signs]
        if through_ms is None or through_ms <= at + MINUTE_MS or snapshot.kind != "contacts" or not names.isdisjoint(snapshot.open_ids):
            continue
        if is_late(at, to_ms(snapshot.received_at), grace_ms) or not signs or snapshot.source != signs[-1].source:
            continue
        if min(seen) < at and not any(at <= each <= at + MINUTE_MS for each in seen):
            gone.add(at)
    return gone


def _story_of(ordered: Iterable[ContactModel], configuration: Configuration, through_ms: int | None, gone: Iterable[int]) -> _Story:
    """Return the story of the ordered events up to an instant."""
    story = _Story(configuration)
    still_gone = list(gone)
    for event in ordered:
        while _is_sign_of_life(event) and still_gone and still_gone[0] <= to_ms(event.occurred_at):
            story.lose_as_missing(still_gone.pop(0))
        if _is_sign_of_life(event):
            story.lose_if_silent(to_ms(event.occurred_at))
            story.last_known = to_ms(event.occurred_at)
        story.apply(event)
    for at in still_gone:
        story.lose_as_missing(at)
    if through_ms is not None:
        story.lose_if_silent(through_ms)
    return story


class _Story:
    """The story of one conversation, from its first fact to its last; methods are named as the rules are."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.contributions: list[Contribution] = []
        self.arrived_channel: str | None = None
        self.legs: list[_Leg] = []  # in order of their start
        self.ever_answered = False
        self.contacts: set[str] = set()  # named by visits and legs
        self.consultations: set[str] = set()
        self.places: list[tuple[str, str]] = []  # queue and channel of every visit and leg, in order
        self.episodes: dict[tuple[str, str], _Episode] = {}
        self.counted: set[tuple[str, str, str]] = set()
        self.work_since: dict[str, int] = {}
        self.touches: list[int] = []  # closed work intervals that no leg has booked yet
        self.arrived_at: int | None = None
        self.visits: list[_Visit] = []
        self.responded = False
        self.status: ContactStatusChanged | None = None
        self.resolved = self.ever_resolved = False
        self.resolved_at_first_contact = self.undone = False
        self.ever_transferred = self.ever_escalated = False
        self.callback_pending = False
        self.callback_due: int | None = None
        self.last_known = 0
        self.correspondence = Correspondence()
        self.reopened_by: str | None = None
        self.called_back_since = 0
        self.ever_called_back = False
        self.moments: list[subjects.Moment] = []
        self.session: SelfServiceStarted | None = None

    def everything(self) -> list[Contribution]:
        """Return all contributions of the story, those by subject included."""
        if not any(each.event is not None and subjects.is_about(each.event) for each in self.moments):
            return self.contributions
        category = subjects.category_after(self.moments)
        texts = [each for each in self.contributions if category is not None and each.what == "thanked"]
        by_category = [replace(each, what=f"{each.what}={category}") for each in texts]
        about = (Contribution(*booking) for booking in subjects.of_story(self.moments, self.configuration))
        return [*self.contributions, *by_category, *about]

    def apply(self, event: ContactModel) -> None:
        at = to_ms(event.occurred_at)
        visits = len(self.visits)
        if self.is_of_consultation(event):
            return
        self.apply_queues_and_agents(event, at)
        self.apply_to_conversation(event, at)
        self.apply_messages(event, at)
        turned = len(self.visits) > visits or isinstance(event, ContactAnswered | ContactHandedOver)
        turned = turned or (isinstance(event, ContactMessage) and is_reply(event))
        if isinstance(event, SelfServiceStarted):
            self.session = event
        elif turned or isinstance(event, SelfServiceEnded):
            self.session = None
        self.note(event, at, turned=turned)

    def is_of_consultation(self, event: ContactModel) -> bool:
        """Return whether it belongs to a consultation between agents: section 4."""
        if not isinstance(event, OF_VISITS_AND_LEGS):
            return False
        if event.relation == "consult":
            if event.contact_id is not None:
                self.consultations.add(event.contact_id)
            return True
        if isinstance(event, ContactAnswered) and event.relation == "transfer":
            self.consultations.discard(event.contact_id or "")
        return event.contact_id in self.consultations

    def open_visits(self) -> list[_Visit]:
        return [visit for visit in self.visits if visit.open]

    def active_legs(self) -> list[_Leg]:
        return [leg for leg in self.legs if leg.ended is None]

    def visit_of(self, contact: str | None, queue: str | None) -> _Visit | None:
        """Return the open visit that an event with these names is about."""
        fitting = [visit for visit in self.open_visits() if _fits(contact, visit.contact) and _fits(queue, visit.queue)]
        return fitting[-1] if fitting else None

    def leg_of(self, contact: str | None, agent: str | None, queue: str | None = None, never: str | None = None) -> _Leg | None:
        """Return the active leg that an event with these names is about."""
        fitting = [leg for leg in self.active_legs() if leg.is_meant(contact, agent, queue, never)]
        return fitting[-1] if fitting else None

    def note(self, event: ContactModel | None, at: int, *, turned: bool = False) -> None:
        """Record the current moment."""
        place = self.place()
        offers: tuple[tuple[str, int], ...] = () if place is None else tuple(self.offers_of_place(at))
        self.moments.append(subjects.Moment(at, event, place, offers, self.start(), self.resolved, turned))

    def apply_messages(self, event: ContactModel, at: int) -> None:
        """Apply section 11, last of all."""
        channel = self.channel()
        correspondence = self.correspondence
        match event:
            case ContactArrived() if event.channel in REPLY_CHANNELS:
                correspondence.arrived = True
                if event.initiated_by not in {"agent", "system"}:
                    correspondence.record_customer(at)
            case ContactMessage() if is_customers(event):
                correspondence.record_message(at, event.thanks)
            case ContactMessage() if is_reply(event):
                begun, counts = correspondence.record_reply(at, event.agent)
                if begun is not None:
                    self.book_in_place("response_ms", at, self.passed_ms(self.without_bot(begun, at), at))
                for what in counts:
                    self.book_in_place(what, at)
            case ContactEnded() if self.open_visits() or self.active_legs():
                pass
            case ContactEnded() | ContactStatusChanged(status="resolved" | "closed"):
                correspondence.close(at)
            case _:
                pass
        if isinstance(event, ContactStatusChanged):
            if "customer" in {event.waiting_on, event.status.removeprefix("waiting_on_")}:
                correspondence.turn_to_customer(at)
            elif self.reopened_by == event.event_id and channel in REPLY_CHANNELS:
                correspondence.record_customer(at)
        if self.place() is not None:
            for what in correspondence.new_texts():
                self.book_in_place(what, at)

    def channel(self) -> str | None:
        """Return the channel of the place, else of the last arrival."""
        place = self.place()
        return self.arrived_channel if place is None else place[1]

    def apply_queues_and_agents(self, event: ContactModel, at: int) -> None:
        match event:
            case ContactArrived():
                self.arrived_channel = event.channel
                if self.arrived_at is None:
                    self.arrived_at = at
            case ContactQueued():
                self.know(event.contact_id)
                if not self.enter(event.queue, self.channel_of_visit(event.queue, event.channel), event.contact_id, entered=at, booked=at):
                    self.count_nothing("too_many_open", event, at)
            case ContactAnswered():
                self.know(event.contact_id)
                for leg in self.active_legs():
                    joined = leg.agent is not None and event.agent not in {None, leg.agent} and leg.channel not in REPLY_CHANNELS
                    if _fits(event.contact_id, leg.contact) and not joined:
                        self.move_on(leg, at)
                visit = self.visit_of(event.contact_id, event.queue)
                refused = False
                if visit is None:
                    visit = self.enter_afterwards(event.queue, event.wait_seconds, event.contact_id, at)
                    refused = visit is None and event.queue is not None and event.wait_seconds is not None
                refused = refused or len(self.active_legs()) >= MOST_OPEN
                answering = None if refused else self.answer(event.agent, event.queue, event.contact_id, visit, at)
                if answering is None:
                    self.count_nothing("too_many_open" if refused else "no_queue", event, at)
                if answering is not None and "hold" in (event.reports or ()):
                    answering.hold_known = True
            case ContactMessage():
                visit = self.visit_of(event.contact_id, None)
                if is_reply(event) and visit is not None and visit.channel in REPLY_CHANNELS:
                    for leg in self.active_legs():
                        if _fits(event.contact_id, leg.contact):
                            self.move_on(leg, at)
                    if len(self.active_legs()) < MOST_OPEN:
                        self.answer(event.agent, None, event.contact_id, visit, at)
                    else:
                        self.count_nothing("too_many_open", event, at)
            case ContactLeftQueue():
                self.know(event.contact_id)
                visit = self.visit_of(event.contact_id, event.queue)
                if visit is None:
                    visit = self.enter_afterwards(event.queue, event.wait_seconds, event.contact_id, at)
                if visit is not None:
                    self.leave(visit, event.reason, at)
                else:
                    refused = event.queue is not None and event.wait_seconds is not None
                    self.count_nothing("too_many_open" if refused else "no_visit", event, at)
            case ContactTransferred():
                self.transfer(event, at)
            case ContactOfferEnded(outcome="no_answer"):
                if event.queue is None and self.visit_of(event.contact_id, None) is None:
                    self.count_nothing("no_queue", event, at)
                self.no_response(event.contact_id, event.queue, at)
            case ContactHeld() | ContactResumed():
                held = self.leg_of(event.contact_id, event.agent)
                if held is None:
                    self.count_nothing("no_leg", event, at)
                elif isinstance(event, ContactHeld):
                    self.hold(held, at)
                else:
                    self.resume(held, at, event.hold_seconds)
            case ContactConsultStarted() | ContactConsultEnded():
                self.ask(event, at)
            case ContactWorkStarted():
                self.work_since.setdefault(event.agent, at)
            case ContactWorkEnded():
                if event.agent not in self.work_since:
                    self.count_nothing("no_begin", event, at)
                else:
                    self.touches.append(at - self.work_since.pop(event.agent))
            case ContactStatusChanged(status="resolved" | "closed"):
                self.count_nothing_without_place(event, at)
                self.end(None, by_customer=False, at=at)
            case ContactEscalated() | ContactCallbackRequested() | SurveyInvited() | SurveyAnswered():
                self.count_nothing_without_place(event, at)
            case ContactEnded():
                self.end_leg_or_contact(event, at)
            case ContactWrapUpStarted() | ContactWrappedUp():
                unwrapped = self.latest_unwrapped(event.contact_id, event.agent)
                if unwrapped is None:
                    self.count_nothing("no_leg", event, at)
                elif isinstance(event, ContactWrapUpStarted):
                    self.start_wrap_up(unwrapped, at)
                else:
                    self.wrap_up(unwrapped, event.wrap_up_seconds, at)
            case _:
                pass

    def count_nothing_without_place(self, event: ContactModel, at: int) -> None:
        if self.place() is None:
            self.count_nothing("no_begin" if self.arrived_channel is None else "no_queue", event, at)

    def count_nothing(self, reason: str, event: ContactModel, at: int) -> None:
        """Count that an event counted nothing: section 12.5."""
        place = self.place()
        if place is not None:
            queue, channel = place
            scopes = [f"queue:{queue}", *self.larger_scopes(queue)]
        else:
            scopes, channel = subjects.outside(self.moments, event.model_copy(update={"site": None}), self.configuration)
        for scope in scopes:
            self.book(scope, channel, f"uncounted={reason}", at=at, offer=at)

    def know(self, contact: str | None) -> None:
        if contact is not None:
            self.contacts.add(contact)

    def apply_to_conversation(self, event: ContactModel, at: int) -> None:
        """Apply section 4.2, after the effects on queues and agents."""
        match event:
            case ContactAnswered():
                # In writing a message is the response, where messages are reported.
                if not self.correspondence.thanks or self.channel() not in {*REPLY_CHANNELS, "chat"}:
                    self.respond(at)
            case ContactMessage():
                if is_reply(event):
                    self.respond(at)
            case ContactTransferred():
                self.ever_transferred = True
            case ContactEscalated():
                self.ever_escalated = True
                self.book_in_place("escalations", at)
            case ContactStatusChanged():
                self.status = event
                if event.status in {"resolved", "closed"}:
                    self.resolve(at)
                elif event.status in {"reopened", "new", "open"}:
                    if self.resolved:
                        self.reopened_by = event.event_id
                    self.reopen(at)
            case ContactCallbackRequested():
                self.request_callback(event.due, at)
            case ContactCallbackAttempted():
                if event.due is not None:
                    self.callback_due = to_ms(event.due)
                self.call_back(reached=event.outcome == "reached", over=event.outcome in {"reached", "cancelled", "expired"}, at=at)
            case ContactCallbackEnded():
                self.call_back(reached=event.outcome == "reached", over=True, at=at)
            case SurveyInvited():
                self.book_in_place("surveys_invited", at)
            case SurveyAnswered():
                self.survey(event, at)
            case _:
                pass

    # ---- scopes and channels

    def larger_scopes(self, queue: str) -> list[str]:
        place = self.configuration.queues.get(queue)
        scopes = []
        if place is not None:
            named = (("department", place.department), ("business", place.business), ("site", place.site))
            scopes = [f"{kind}:{name}" for kind, name in named if name is not None]
        return [*scopes, "total:all"]

    def channel_of_visit(self, queue: str, reported: str | None = None) -> str:
        place = self.configuration.queues.get(queue)
        return reported or self.arrived_channel or (place.channel if place else None) or "voice"

    def channel_without_visit(self, queue: str) -> str:
        """Return the channel of the last visit or leg if it was in the queue, else the channel of a new visit there."""
        last_queue, last_channel = self.places[-1] if self.places else (None, "")
        return last_channel if last_queue == queue else self.channel_of_visit(queue)

    def offer_ms(self, scope: str, channel: str, visit: _Visit | None, at: int) -> int:
        """Return the instant by offer of a booking that is neither the entry to a visit nor its end."""
        if scope.startswith("queue:"):
            return at if visit is None else visit.entered
        return self.episodes[scope, channel].first_entry if (scope, channel) in self.episodes else at

    def book(
        self, scope: str, channel: str, what: str, *, at: int, offer: int, amount: int = 1, wait: int | None = None, **more: Any
    ) -> Contribution:
        contribution = Contribution(scope, channel, what, amount, at, offer, wait, **more)
        self.contributions.append(contribution)
        return contribution

    # ---- the queue

    def enter(self, queue: str, channel: str, contact: str | None, *, entered: int, booked: int) -> bool:
        """Enter a queue unless too many visits are open; return whether there is a visit now."""
        if self.visit_of(contact, queue) is not None:
            return True
        for visit in self.open_visits():
            if _fits(contact, visit.contact):
                self.leave(visit, "overflow", booked)
        for leg in self.active_legs():
            if _fits(contact, leg.contact):
                self.move_on(leg, booked)
        if len(self.open_visits()) >= MOST_OPEN:
            return False
        self.visits.append(_Visit(queue, channel, entered, contact))
        self.places.append((queue, channel))
        self.book(f"queue:{queue}", channel, "offered", at=booked, offer=entered)
        if self.ever_answered:
            self.book(f"queue:{queue}", channel, "transfers_in", at=booked, offer=entered)
        rejoin_ms = self.configuration.counting.rejoin_seconds * 1000
        for scope in self.larger_scopes(queue):
            episode = self.episodes.get((scope, channel))
            if episode is not None and episode.state == "answered":
                self.book(scope, channel, "transfers_in", at=booked, offer=episode.first_entry)
            elif episode is not None and episode.state == "flowed_out" and entered - episode.flowed_out_at <= rejoin_ms:
                self.contributions = [each for each in self.contributions if each is not episode.flow_out]
                episode.state = "waiting"
            elif episode is None or episode.state != "waiting":
                self.episodes[scope, channel] = _Episode(entered)
                self.book(scope, channel, "offered", at=booked, offer=entered)
        return True

    def enter_afterwards(self, queue: str | None, wait_seconds: float | None, contact: str | None, at: int) -> _Visit | None:
        """Enter a queue that is known only from the wait of an answer or exit."""
        if queue is None or wait_seconds is None:
            return None
        self.enter(queue, self.channel_of_visit(queue), contact, entered=at - seconds_to_ms(wait_seconds), booked=at)
        return self.visit_of(contact, queue)

    def answer(self, agent: str | None, queue: str | None, contact: str | None, visit: _Visit | None, at: int) -> _Leg | None:
        self.ever_answered = True
        if visit is not None:
            exit_ = self.exit_of(visit, visit.entered, at)
            self.book(f"queue:{visit.queue}", visit.channel, "answered", at=at, offer=visit.entered, wait=at - visit.entered, **exit_)
            for scope in self.larger_scopes(visit.queue):
                episode = self.episodes[scope, visit.channel]
                if episode.state == "waiting":
                    episode.state = "answered"
                    since = episode.first_entry
                    exit_ = self.exit_of(visit, since, at)
                    self.book(scope, visit.channel, "answered", at=at, offer=since, wait=at - since, **exit_)
            visit.open = False
            queue, channel = visit.queue, visit.channel
            contact = visit.contact if contact is None else contact
        else:
            if queue is None and self.places:
                queue = self.places[-1][0]
            if queue is None:
                return None
            channel = self.channel_without_visit(queue)
        leg = _Leg(agent, contact, queue, channel, at, visit)
        self.legs.append(leg)
        self.places.append((queue, channel))
        return leg

    def exit_of(self, visit: _Visit, since: int, at: int) -> dict[str, Any]:
        """Return the fields of an exit that definitions use."""
        start = self.start()
        return {"queue": visit.queue, "waited_ms": at - since, "in_system_ms": at - min(since, since if start is None else start)}

    def leave(self, visit: _Visit, reason: str, at: int) -> None:
        visit.open = False
        still_in = {(scope, other.channel) for other in self.open_visits() for scope in self.larger_scopes(other.queue)}
        what, wait = ("abandoned", at - visit.entered) if reason == "abandoned" else (f"flow_out:{reason}", None)
        exit_ = self.exit_of(visit, visit.entered, at)
        self.book(f"queue:{visit.queue}", visit.channel, what, at=at, offer=visit.entered, wait=wait, **exit_)
        for scope in self.larger_scopes(visit.queue):
            episode = self.episodes[scope, visit.channel]
            since = episode.first_entry
            exit_ = self.exit_of(visit, since, at)
            if episode.state == "waiting" and (scope, visit.channel) in still_in:
                continue
            if episode.state == "waiting" and reason == "abandoned":
                episode.state = "abandoned"
                self.book(scope, visit.channel, "abandoned", at=at, offer=since, wait=at - since, **exit_)
            elif episode.state == "waiting":
                episode.state, episode.flowed_out_at = "flowed_out", at
                episode.flow_out = self.book(scope, visit.channel, what, at=at, offer=since, **exit_)
            elif reason == "abandoned":
                self.book(scope, visit.channel, "abandoned_after_answer", at=at, offer=since)

    def transfer(self, event: ContactTransferred, at: int) -> None:
        names = (event.contact_id, event.agent, event.from_queue)
        leg = self.leg_of(*names, never=event.to_agent)
        if leg is not None:
            if not event.agent_stays:
                self.end_leg(leg, at)
        else:
            visit = None if event.agent is not None else self.visit_of(event.contact_id, event.from_queue)
            if visit is not None:
                self.leave(visit, "transfer", at)
                return
            moved = [
                each
                for each in self.legs
                if (each.moved_on or event.agent_stays) and not each.wrapped and each.is_meant(*names, event.to_agent)
            ]
            if names == (None, None, None) or not moved:
                self.count_nothing("no_leg", event, at)
                return
            leg = moved[-1]
            leg.moved_on = leg.moved_on and bool(event.agent_stays)
        for scope in (f"queue:{leg.queue}", *self.larger_scopes(leg.queue)):
            self.book(scope, leg.channel, "transfers_out", at=at, offer=self.offer_ms(scope, leg.channel, leg.visit, at))

    def no_response(self, contact: str | None, queue: str | None, at: int) -> None:
        visit = self.visit_of(contact, queue)
        if visit is not None:
            queue, channel = visit.queue, visit.channel
        elif queue is not None:
            channel = self.channel_without_visit(queue)
        else:
            return
        for scope in (f"queue:{queue}", *self.larger_scopes(queue)):
            self.book(scope, channel, "non_response", at=at, offer=self.offer_ms(scope, channel, visit, at))

    def end_leg_or_contact(self, event: ContactEnded, at: int) -> None:
        contact = event.contact_id
        if event.agent is not None:
            leg = self.leg_of(contact, event.agent)
            if leg is not None:
                self.end_leg(leg, at)
            else:
                self.count_nothing("no_leg", event, at)
            return
        if self.place() is None and self.arrived_channel is None:
            self.count_nothing("no_begin", event, at)
            return
        of_open = [each.contact for each in self.open_visits()] + [each.contact for each in self.active_legs()]
        is_known = contact in self.contacts or any(_fits(contact, each) for each in of_open)
        self.end(contact if is_known else None, by_customer=event.by == "customer", at=at)

    def end(self, contact: str | None, *, by_customer: bool, at: int) -> None:
        for visit in self.open_visits():
            if _fits(contact, visit.contact):
                self.leave(visit, "abandoned" if by_customer else "other", at)
        for leg in self.active_legs():
            if _fits(contact, leg.contact):
                self.end_leg(leg, at)

    # ---- the agent

    def hold(self, leg: _Leg | None, at: int) -> None:
        if leg is not None:
            leg.hold_known = True
            if leg.held_since is None:
                leg.held_since = at

    def ask(self, event: ContactConsultStarted | ContactConsultEnded, at: int) -> None:
        leg = self.leg_of(event.contact_id, event.agent)
        if leg is None:
            self.count_nothing("no_leg", event, at)
        elif isinstance(event, ContactConsultStarted):
            leg.asks_since = at if leg.asks_since is None else leg.asks_since
        elif leg.asks_since is None:
            self.count_nothing("no_begin", event, at)
        else:
            self.have_answer(leg, at)

    def have_answer(self, leg: _Leg, at: int) -> None:
        if leg.asks_since is None:
            return
        length, leg.asks_since = at - leg.asks_since, None
        for scope in (f"queue:{leg.queue}", *self.larger_scopes(leg.queue)):
            offer = self.offer_ms(scope, leg.channel, leg.visit, at)
            self.book(scope, leg.channel, "consult_count", at=at, offer=offer)
            self.book(scope, leg.channel, "consult_ms", at=at, offer=offer, amount=length)

    def resume(self, leg: _Leg | None, at: int, reported_seconds: float | None = None) -> None:
        if leg is not None:
            leg.hold_known = True
            if reported_seconds is not None:
                leg.hold, leg.held_since = min(leg.hold + round(reported_seconds * 1000), at - leg.started), None
            elif leg.held_since is not None:
                leg.hold += at - leg.held_since
                leg.held_since = None

    def move_on(self, leg: _Leg, at: int) -> None:
        """End a leg because the contact moved elsewhere."""
        self.end_leg(leg, at)
        leg.moved_on = True

    def end_leg(self, leg: _Leg, at: int) -> None:
        if leg.held_since is not None:
            self.resume(leg, at)
        self.have_answer(leg, at)
        leg.ended = at
        sums: dict[str, int] = {}
        counts = ["handled"]
        if leg.channel in REPLY_CHANNELS:
            leg.hold, leg.hold_known = 0, False
            leg.talk = sum(self.touches) if self.touches else None
            self.touches = []
            if leg.talk is not None:
                sums["handle_ms"] = leg.talk
                counts.append("handle_count")
        else:
            leg.talk = at - leg.started - leg.hold
        if leg.talk is not None:
            sums["talk_ms"] = leg.talk
            counts.append("talk_count")
        if leg.hold_known:
            sums["hold_ms"] = leg.hold
            counts.append("hold_count")
            if leg.hold > 0:
                counts.append("held_count")
        self.book_leg(leg, leg.queue, at, sums, counts)
        self.book_agent(leg.agent, at)

    def book_agent(self, agent: str | None, at: int) -> None:
        """Count a contact as handled by its agent: section 13."""
        for scope in scopes_of_agent(agent, self.configuration):
            self.contributions.append(Contribution(scope, None, "handled", 1, at, at))

    def latest_unwrapped(self, contact: str | None, agent: str | None) -> _Leg | None:
        legs = [leg for leg in self.legs if not leg.wrapped and leg.is_meant(contact, agent, None, None)]
        return legs[-1] if legs else None

    def start_wrap_up(self, leg: _Leg | None, at: int) -> None:
        if leg is None:
            return
        if leg.ended is None:
            self.end_leg(leg, at)
        if leg.wrap_started is None:
            leg.wrap_started = at

    def wrap_up(self, leg: _Leg | None, reported_seconds: float | None, at: int) -> None:
        if leg is None:
            return
        if leg.ended is None:
            self.end_leg(leg, at)
        leg.wrapped = True
        began = leg.wrap_started if leg.wrap_started is not None else leg.ended
        timed = max(0, at - (at if began is None else began))
        wrap = timed if reported_seconds is None else seconds_to_ms(reported_seconds)
        sums, counts = {"wrap_ms": wrap}, ["wrap_count"]
        if leg.talk is not None and leg.channel not in REPLY_CHANNELS:
            sums["handle_ms"] = leg.talk + leg.hold + wrap
            counts.append("handle_count")
        self.book_leg(leg, leg.queue, at, sums, counts)

    def book_leg(self, leg: _Leg, queue: str, at: int, sums: dict[str, int], counts: list[str]) -> None:
        """Book sums everywhere, and counts once per conversation in the larger scopes."""
        for scope in (f"queue:{queue}", *self.larger_scopes(queue)):
            offer = self.offer_ms(scope, leg.channel, leg.visit, at)
            for what, amount in sums.items():
                self.book(scope, leg.channel, what, at=at, offer=offer, amount=amount, held_ms=leg.hold if what == "handle_ms" else 0)
            for what in counts:
                if scope.startswith("queue:") or (scope, leg.channel, what) not in self.counted:
                    self.counted.add((scope, leg.channel, what))
                    self.book(scope, leg.channel, what, at=at, offer=offer)

    # ---- the conversation

    def place(self) -> tuple[str, str] | None:
        """Return the queue and channel of the last visit or leg."""
        return self.places[-1] if self.places else None

    def start(self) -> int | None:
        if self.arrived_at is not None:
            return self.arrived_at
        return self.visits[0].entered if self.visits else None

    def book_in_place(self, what: str, at: int, amount: int = 1, score: Fraction | None = None) -> None:
        """Book in all scopes of the place, if there is one."""
        place = self.place()
        if place is not None:
            for scope, offer in self.offers_of_place(at):
                self.book(scope, place[1], what, at=at, offer=offer, amount=amount, score=score)

    def offers_of_place(self, at: int) -> Iterator[tuple[str, int]]:
        """Yield the scopes of the place, each with the instant by offer of what counts once per conversation."""
        place = self.place()
        if place is None:
            return
        queue, channel = place
        last = self.visits[-1] if self.visits else None
        own = last if last is not None and (last.queue, last.channel) == place else None
        for scope in (f"queue:{queue}", *self.larger_scopes(queue)):
            yield scope, self.offer_ms(scope, channel, own, at)

    def passed_ms(self, since: int, at: int) -> int:
        """Return the time passed, on the clock of its queue: section 15.2."""
        place = self.place()
        entry = None if place is None else self.configuration.queues.get(place[0])
        if place is None or entry is None or entry.clock == "calendar":
            return max(0, at - since)
        return open_ms(self.configuration, place[0], since, at)

    def respond(self, at: int) -> None:
        if self.responded or self.place() is None:
            return
        self.responded = True
        start = self.start()
        if start is not None:
            self.book_in_place("first_response_ms", at, self.passed_ms(self.response_start(start, at), at))
            self.book_in_place("first_response_count", at)

    def response_start(self, start: int, at: int) -> int:
        """Return the start of a first response, by the first definition of its place."""
        definition = self.definition(at)
        if definition.first_response == "handed_over":
            handed = self.handovers_before(at)
            return handed[-1] if handed else start
        return self.visits[-1].entered if self.visits and definition.first_response == "queued" else start

    def without_bot(self, since: int, at: int) -> int:
        """Return the start of a time that ends now, without the bot's: section 14, bot_time."""
        if self.place() is None or self.definition(at).bot_time == "counted":
            return since
        return max([since, *self.handovers_before(at)])

    def handovers_before(self, at: int) -> list[int]:
        return [each.at for each in self.moments if isinstance(each.event, ContactHandedOver) and each.at < at]

    def definition(self, at: int) -> ServiceLevelDefinition:
        """Return the first definition of its place, in the version in force."""
        queue, channel = self.places[-1]
        return chosen_for(self.configuration, f"queue:{queue}", channel, at, {})[1]

    def resolve(self, at: int) -> None:
        if self.resolved:
            return
        first = not self.ever_resolved
        self.resolved = self.ever_resolved = True
        self.book_in_place("resolved", at)
        if self.correspondence.known:
            self.book_in_place("exchanged", at)
            self.book_in_place("exchanges", at, self.correspondence.new_trips())
        if not first:
            return
        self.book_in_place("first_resolved", at)
        start = self.start()
        if start is not None:
            self.book_in_place("resolution_ms", at, self.passed_ms(self.without_bot(start, at), at))
            self.book_in_place("resolution_count", at)
        if not self.ever_transferred and not self.ever_escalated and len(self.visits) <= 1:
            self.resolved_at_first_contact = self.place() is not None
            self.book_in_place("first_contact_resolved", at)

    def reopen(self, at: int) -> None:
        if not self.resolved:
            return
        self.resolved = False
        self.book_in_place("reopened", at)
        if self.resolved_at_first_contact and not self.undone:
            self.undone = True
            self.book_in_place("first_contact_undone", at)

    def request_callback(self, due: datetime | None, at: int) -> None:
        if self.callback_pending:
            return
        self.callback_pending = True
        self.callback_due = None if due is None else to_ms(due)
        waits_since_queued = self.visits and not self.ever_answered and not self.ever_called_back
        self.called_back_since = self.visits[0].entered if waits_since_queued else at
        self.book_in_place("callbacks_requested", at)

    def call_back(self, *, reached: bool, over: bool, at: int) -> None:
        if self.callback_pending and reached:
            self.ever_called_back = True
            self.book_in_place("callbacks_reached", at)
            self.book_in_place("callback_wait_ms", at, at - self.called_back_since)
        if over:
            self.callback_pending = False

    def survey(self, event: SurveyAnswered, at: int) -> None:
        self.book_in_place("surveys_answered", at)
        lowest, highest = map(int, re.fullmatch(r"(-?\d+)-(\d+)", event.scale or "1-5").groups())  # type: ignore[union-attr]
        if event.kind == "csat" and lowest < highest and lowest <= event.score <= highest:
            converted = 1 + 4 * (Fraction(event.score) - lowest) / (highest - lowest)
            self.book_in_place("csat_count", at, score=converted)
            if highest - lowest == 1:
                self.book_in_place("csat_good_or_bad", at)
            else:
                self.book_in_place("csat_milli", at, round(converted * 1000))
            if converted >= 4:
                self.book_in_place("csat_top", at)
            if (lowest, highest) != (1, 5):
                self.book_in_place(f"csat_scale={event.scale if event.scale in SCALES else '(other)'}", at)
        if event.kind == "nps" and event.scale in {None, "0-10"} and 0 <= event.score <= 10:
            self.book_in_place("nps_count", at)
            if event.score >= 9:
                self.book_in_place("nps_promoters", at)
            if event.score <= 6:
                self.book_in_place("nps_detractors", at)

    def backlog(self) -> str | None:
        """Return the state of the backlog that the conversation is in."""
        if self.place_or_unassigned() is None or self.channel() not in REPLY_CHANNELS or self.resolved:
            return None
        status = None if self.status is None else self.status.status
        waiting_on = None if self.status is None else self.status.waiting_on
        rules = (
            (status == "on_hold", "backlog_on_hold"),
            (status == "waiting_on_customer" or waiting_on == "customer", "backlog_waiting_on_customer"),
            (self.is_untouched(status), "backlog_untouched"),
            (self.is_active() or status in {"open", "new", "reopened"}, "backlog_in_progress"),
        )
        return next((state for holds, state in rules if holds), None)

    def is_untouched(self, status: str | None) -> bool:
        if self.place() is not None:
            return bool(self.open_visits()) and not self.ever_answered
        return self.is_active() and not self.ever_answered and not self.correspondence.replied and status in {None, "new"}

    def is_active(self) -> bool:
        if self.place() is not None:
            return bool(self.open_visits() or self.active_legs())
        return not self.correspondence.is_closed()

    def place_or_unassigned(self) -> tuple[str, str] | None:
        """Return the place, or the one of section 11.5 for a conversation without a queue."""
        if self.place() is None and self.correspondence.arrived and self.arrived_channel in REPLY_CHANNELS:
            return "(unassigned)", self.arrived_channel
        return self.place()

    def reply_due(self) -> int | None:
        """Return when a reply to the customer is due: section 11.4."""
        since, place = self.correspondence.waits_since(), self.place_or_unassigned()
        if since is None or place is None or self.resolved:
            return None
        queue, channel = place
        configured = self.configuration.queues.get(queue)
        if configured is not None and configured.reply_target_seconds is not None:
            return since + seconds_to_ms(configured.reply_target_seconds)
        _, judging = chosen_for(self.configuration, f"queue:{queue}", channel, since, {})
        return since + seconds_to_ms(judging.threshold_s) if channel in REPLY_CHANNELS else None

    # ---- lost contacts

    def lost_from(self) -> int | None:
        """Return when it is lost without a further event; None if nothing of it is open."""
        at = self.lost_from_beside_sessions()
        if at is None and self.session is not None:
            return self.last_known + 1000 * self.configuration.counting.lost_after_seconds[self.session.kind]
        return at

    def lost_from_beside_sessions(self) -> int | None:
        place = self.place_or_unassigned()
        at_work = bool(self.active_legs())
        called = self.callback_pending and self.place() is not None
        waited_for = self.backlog() is not None or self.reply_due() is not None
        if place is None or not (self.open_visits() or at_work or called or waited_for):
            return None
        lost_after = self.configuration.counting.lost_after_seconds
        instants = [self.last_known + 1000 * lost_after[place[1]]]  # type: ignore[index]
        if called:
            due = self.last_known if self.callback_due is None else self.callback_due
            believed = min(due, self.last_known + 30 * DAY_MS)
            instants.append(max(believed, self.last_known) + 1000 * lost_after["callback"])
        return max(instants)

    def lose_if_silent(self, now: int) -> None:
        """End what is open if it was lost before this instant."""
        at = self.lost_from()
        if at is not None and now > at:
            self.lose(at)

    def lose_as_missing(self, at: int) -> None:
        """End what is open though its source does not list it."""
        self.lose_if_silent(at)
        if self.lost_from() is not None:
            self.lose(at)

    def lose(self, at: int) -> None:
        place = self.place_or_unassigned()
        if place is None or self.lost_from_beside_sessions() is None:
            self.session = None
            self.note(None, at)
            return
        self.correspondence.close(at)
        queue, channel = place
        for scope in (f"queue:{queue}", *self.larger_scopes(queue)):
            self.book(scope, channel, "lost_contacts", at=at, offer=at)
        for visit in self.open_visits():
            self.leave(visit, "lost", at)
        for leg in self.active_legs():
            leg.ended = at
            sums, counts = {}, ["handled"]
            if leg.channel in REPLY_CHANNELS and self.touches:
                sums = dict.fromkeys(("talk_ms", "handle_ms"), sum(self.touches))
                counts += ["talk_count", "handle_count"]
                self.touches = []
            self.book_leg(leg, leg.queue, at, sums, counts)
            self.book_agent(leg.agent, at)
        for each in self.legs:
            each.wrapped = True
        self.work_since = {}
        self.callback_pending = False
        self.status = None
        self.session = None
        self.note(None, at)

    # ---- now

    def open_items(self) -> list[OpenItem]:
        found: list[OpenItem] = []
        place = self.place_or_unassigned()
        waiting: dict[tuple[str, str], OpenItem] = {}
        for visit in self.open_visits():
            own = f"queue:{visit.queue}"
            for scope in (own, *self.larger_scopes(visit.queue)):
                episode = None if scope == own else self.episodes[scope, visit.channel]
                since = visit.entered if episode is None or episode.state != "waiting" else episode.first_entry
                before = waiting.get((scope, visit.channel))
                if before is None or before.at_ms is None or since < before.at_ms:
                    waiting[scope, visit.channel] = OpenItem(scope, visit.channel, "waiting", since, visit.queue)
        found += waiting.values()
        at_work = {(scope, leg.channel) for leg in self.active_legs() for scope in (f"queue:{leg.queue}", *self.larger_scopes(leg.queue))}
        found += [OpenItem(*each, "in_progress") for each in at_work]
        if place is not None:
            queue, channel = place
            state, reply_due = self.backlog(), self.reply_due()
            for scope in (f"queue:{queue}", *self.larger_scopes(queue)):
                if self.callback_pending and self.place() is not None:
                    found.append(OpenItem(scope, channel, "callback", self.callback_due))
                if state is not None:
                    found.append(OpenItem(scope, channel, state, self.start()))
                if reply_due is not None:
                    found.append(OpenItem(scope, channel, "reply", reply_due))
        return found


def _is_sign_of_life(event: ContactModel) -> bool:
    """Return whether its kind counts somewhere; other events do not keep a conversation from being lost."""
    if _is_of_consultation(event):
        return event.contact_id is not None
    if isinstance(event, ContactMessage):
        return is_reply(event) or is_customers(event)
    if isinstance(event, ContactOfferEnded):
        return event.outcome == "no_answer"
    if isinstance(event, ContactCategorized):
        return event.category is not None or event.complaint is True
    return event.type in RANKS and event.type != "contact.agent_offered"
