"""State of one conversation: data alone. The modules that import this one hold the rules that change it."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from schemas.compiled import compiled
from streams.tracking.facts import Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.tracking.customer_facts import ContactFact
    from streams.tracking.extra_postings import Amounts  # noqa: TC004 - annotations of structs are not evaluated
    from streams.tracking.facts import AnyFact
    from streams.tracking.pending import Open
    from streams.tracking.scopes import QueueTargets  # noqa: TC004 - likewise
    from streams.tracking.timers import Bucket

__all__ = [
    "PASSED_ON",
    "SEPARATE",
    "BotSession",
    "BotSessions",
    "Consults",
    "Conversation",
    "Disorder",
    "Episode",
    "Leg",
    "Messages",
    "Outbound",
    "Revised",
    "State",
    "Ticket",
    "Topic",
    "Visit",
    "Waits",
    "Where",
    "Work",
    "changed_leg",
    "copy_of",
]

Slotted = TypeVar("Slotted")

_EVENT_ID = Fact.__dict__["event_id"]


def _any_has(facts: list[Any], slot: Any, text: str) -> bool:
    value_of = slot.__get__
    return any(value_of(fact) == text for fact in facts)


_has_event: Callable[[list[Any], Any, str], bool] = _any_has if compiled is None else compiled.any_has

#: Mark: a leg was booked in larger scopes separately from its queue.
SEPARATE = "\x1fseparate"
#: Mark: it was transferred or escalated.
PASSED_ON = "\x1fpassed on"

#: Targets, each with the start of the wait there.
Waits = tuple[tuple[int, int], ...]

#: Targets, each with the entry it is booked under by offer, and the instant of the booking.
Where = tuple[tuple[tuple[int, int], ...], int]


class Visit(Struct, gc=False, eq=False):
    """A conversation's stay in one queue, named by the targets; never changed in place."""

    entered: int
    contact: str | None
    targets: QueueTargets


class Episode(Struct, gc=False, eq=False):
    """A conversation's stay in one larger scope; ``left``: the amounts booked when it left."""

    entered: int
    state: str = "waiting"
    left_at: int = 0
    left: Amounts = ()


class Leg(Struct, gc=False, eq=False):
    """An agent's share of a conversation; never changed in place once it has ended.

    ``people``: the group in which the agent's contacts count. ``number``: the legs that began before it. ``moved_on``: it ended because the
    contact was queued or answered elsewhere, not because its end was reported.
    """

    agent: str | None
    contact: str | None
    channel: str
    started: int
    offered: int | None
    targets: QueueTargets
    people: int
    number: int
    hold_known: bool
    moved_on: bool = False
    hold_ms: int = 0
    held_at: int | None = None
    talk_ms: int | None = None
    ended: int = 0
    wrap_at: int | None = None


class Ticket:
    """State of a conversation by its statuses and callbacks; a call that is answered and ended has none."""

    __slots__ = (
        "asked", "callback", "due", "reached", "resolution_booked", "resolved", "resolved_before", "resolved_in_a_day", "status",
        "undoable", "waiting_on",
    )  # fmt: skip

    def __init__(self) -> None:
        self.status: str | None = None
        self.waiting_on: str | None = None
        self.resolved = False
        self.resolved_before = False
        #: at the end of the day that began with the conversation, by the facts known
        self.resolved_in_a_day = False
        #: its first resolution is booked
        self.resolution_booked = False
        #: counted as resolved at first contact, and not reopened since
        self.undoable = False
        #: a callback is pending
        self.callback = False
        #: when the customer's wait for a callback began
        self.asked = 0
        self.due: int | None = None
        #: a callback has reached the customer
        self.reached = False


class Messages:
    """State of the correspondence of a conversation; a call has none."""

    __slots__ = (
        "answered", "booked", "doubled", "has_message", "is_closed", "last_agent", "replied", "seen", "since", "thanked_where",
        "trips", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        #: first customer message that no agent has answered
        self.since: int | None = None
        #: ended, resolved or lost since the customer's last message
        self.is_closed = False
        #: when the customer's wait for a reply began
        self.waits: int | None = None
        #: an agent has answered the customer's last message
        self.answered = False
        self.last_agent: str | None = None
        self.doubled = False
        self.replied = False
        #: either side has sent a message
        self.has_message = False
        #: round trips since the last resolution
        self.trips = 0
        #: how many of ``messages._TEXTS`` hold
        self.seen = 0
        self.booked = 0
        #: where thanks are booked: they count by category too
        self.thanked_where: Where | None = None


class Topic:
    """What a conversation is about; of most it is never reported."""

    __slots__ = ("complaint", "complaint_where", "counted", "dated", "named", "where", "within_day")

    def __init__(self) -> None:
        #: origin of the report → category
        self.named: dict[str, str] = {}
        #: the category it counts under
        self.counted: str | None = None
        self.where: Where | None = None
        self.complaint = False
        self.complaint_where: Where | None = None
        self.dated = False
        self.within_day = False


class BotSession:
    """One stay with a bot or a FAQ."""

    __slots__ = ("category", "channel", "first", "group", "started")

    def __init__(self, channel: str, group: int, started: int, category: str | None, first: bool) -> None:
        self.channel = channel
        self.group = group
        self.started = started
        self.category = category
        #: no agent had been involved before
        self.first = first


class BotSessions:
    """The sessions of a conversation: the open one, and what to reverse of those that ended well."""

    __slots__ = ("ended", "open")

    def __init__(self) -> None:
        self.open: BotSession | None = None
        #: group, end, start, and what to book once the customer turns to an agent
        self.ended: list[tuple[int, int, int, Amounts]] = []


class Consults:
    """Consultations between agents while the customer waits; most conversations have none."""

    __slots__ = ("contacts", "since")

    def __init__(self, contacts: Iterable[str] = (), since: Mapping[int, int] | None = None) -> None:
        #: ids of contacts in which agents consult
        self.contacts = set(contacts)
        #: number of the active leg → start of its agent's consultation
        self.since = {} if since is None else dict(since)


class Work:
    """Reported work of agents on a conversation; most calls have none."""

    __slots__ = ("since", "touch_ms")

    def __init__(self, since: Mapping[str | None, int] | None = None, touch_ms: int | None = None) -> None:
        #: agent → start of the work
        self.since = {} if since is None else dict(since)
        #: closed and not yet booked
        self.touch_ms = touch_ms


class Outbound:
    """State of a conversation that the business began."""

    __slots__ = ("answered", "begun", "held_at", "hold_ms", "over")

    def __init__(self) -> None:
        self.begun = False
        self.answered: int | None = None
        self.held_at: int | None = None
        self.hold_ms = 0
        self.over = False


class State:
    """The result of the ordered facts of a conversation.

    While a conversation has entered only one queue, its episodes in all larger scopes equal its visit and are booked
    with it under the queue's group. From the second visit on each scope has its own episode.
    """

    __slots__ = (
        "bot_sessions", "channel", "consults", "counted", "customer", "ended_legs", "episodes", "facts",
        "first_targets", "last_ms", "last_visit", "leg", "legs_begun", "lost_at", "messages", "more_legs", "more_visits", "name",
        "place", "responded", "single", "start", "ticket", "topic", "visit", "void", "work",
    )  # fmt: skip

    def __init__(self, name: str, facts: list[AnyFact]) -> None:
        self.name = name
        #: in order; rules search them for what is seldom needed
        self.facts = facts
        #: instant of its last fact or loss
        self.last_ms = 0
        #: instant of its last loss
        self.lost_at = 0
        #: it counts nothing, or only as a conversation that the business began
        self.void: bool | Outbound = False
        #: of the last arrival
        self.channel: str | None = None
        self.customer: str | None = None
        #: first arrival, else the entry of the first visit
        self.start: int | None = None
        #: the open visit; of several the last
        self.visit: Visit | None = None
        #: the other open visits, in the order they were opened
        self.more_visits: list[Visit] | None = None
        #: open or not
        self.last_visit: Visit | None = None
        self.first_targets: QueueTargets | None = None
        #: the only episode of a conversation with one visit; while it waits, the visit itself
        self.single: Episode | Visit | None = None
        #: number of a larger scope → episode, from the second visit on
        self.episodes: dict[int, Episode] | None = None
        #: the active leg; of several the last
        self.leg: Leg | None = None
        #: the other active legs, in the order they began
        self.more_legs: list[Leg] | None = None
        #: ended legs whose wrap-up may follow, in the order they began
        self.ended_legs: list[Leg] | None = None
        self.legs_begun = 0
        #: from the first consultation on
        self.consults: Consults | None = None
        #: where the last visit or leg was: figures per contact are booked there
        self.place: QueueTargets | None = None
        #: names of sums booked under the first group or once a conversation; and marks
        self.counted: set[str | tuple[int, str]] | None = None
        #: from the first work outside of talking on
        self.work: Work | None = None
        self.responded = False
        #: from the first status or callback on
        self.ticket: Ticket | None = None
        #: from the first message on, in reply channels from the arrival
        self.messages: Messages | None = None
        #: once a category, a complaint or a refusal is reported
        self.topic: Topic | None = None
        #: from the first session with a bot or a FAQ on
        self.bot_sessions: BotSessions | None = None


class Disorder:
    """Retained state of a conversation with facts that arrived out of order."""

    __slots__ = ("checkpoints", "counted_anew")

    def __init__(self, counted_anew: int = 0) -> None:
        #: facts recounted because others arrived late
        self.counted_anew = counted_anew
        #: (number of facts, state after them): counting can restart there
        self.checkpoints: list[tuple[int, State]] = []


class Revised:
    """Revisions above 0 of events of a conversation; most have none."""

    __slots__ = ("counted", "facts", "withdrawn")

    def __init__(self, facts: dict[str, int] | None = None, withdrawn: dict[str, tuple[int, int]] | None = None) -> None:
        #: event id of a fact → revision
        self.facts = {} if facts is None else facts
        #: event id of a withdrawn fact → revision and occurred_ms
        self.withdrawn = {} if withdrawn is None else withdrawn
        #: the facts last counted, if some were replaced since; the next fold recounts them
        self.counted: list[AnyFact] | None = None

    def of(self, event_id: str) -> int:
        """Return the revision of an event, 0 without one."""
        return self.facts.get(event_id) or self.withdrawn.get(event_id, (0, 0))[0]

    def note(self, event_id: str, revision: int, at_ms: int, *, is_fact: bool) -> None:
        """Record the current revision of an event."""
        if is_fact:
            self.withdrawn.pop(event_id, None)
            self.facts[event_id] = revision
        else:
            self.facts.pop(event_id, None)
            self.withdrawn[event_id] = revision, at_ms


class Conversation:
    """One conversation: its facts, the state of those folded so far, and its entries in other structures."""

    __slots__ = (
        "contact", "disorder", "fresh", "name", "newest", "noted_active", "noted_open", "noted_waiting", "published_fact",
        "revised", "row_count", "source", "state", "timer", "written",
    )  # fmt: skip

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.state = State(name, [])
        #: facts since the last fold
        self.fresh: list[AnyFact] | None = None
        self.revised: Revised | None = None
        #: the last of all facts, folded or not
        self.newest: AnyFact | None = None
        #: source of the last fact
        self.source: str | None = None
        #: the last contact id, if it differs; facts in rows of older versions lack it
        self.contact: str | None = None
        #: from the first fact out of order on
        self.disorder: Disorder | None = None
        #: where it waits: its visit, or the targets, each with the start
        self.noted_waiting: Visit | Waits | None = None
        #: where agents work on it: the group of the queue, or the targets
        self.noted_active: int | tuple[int, ...] | None = None
        self.noted_open: Open | None = None
        #: the fact last published to customer-facts
        self.published_fact: ContactFact | None = None
        #: when it is checked again at the latest
        self.timer: Bucket | None = None
        #: number of leading facts that rows hold unchanged, and number of rows
        self.written = 0
        self.row_count = 0

    @property
    def facts(self) -> list[AnyFact]:
        """The facts folded so far, in order."""
        return self.state.facts

    @property
    def known(self) -> int:
        """The number of facts, folded or not."""
        return len(self.state.facts) + (0 if self.fresh is None else len(self.fresh))

    def every_fact(self) -> list[AnyFact]:
        """Return all facts, the folded ones in order first."""
        return self.state.facts if self.fresh is None else [*self.state.facts, *self.fresh]

    def knows(self, event_id: str) -> bool:
        """Return whether an event is among the facts or withdrawn."""
        if _has_event(self.state.facts, _EVENT_ID, event_id) or (self.fresh is not None and _has_event(self.fresh, _EVENT_ID, event_id)):
            return True
        return self.revised is not None and event_id in self.revised.withdrawn

    def fact_of(self, event_id: str) -> AnyFact | None:
        """Return the fact of an event."""
        return next((fact for fact in self.every_fact() if fact.event_id == event_id), None)


def copy_of(state: State) -> State:
    """Return an independent copy of a state; what never changes in place is shared."""
    other = _twin(state)
    other.single = copy(state.single) if isinstance(state.single, Episode) else state.single
    if state.episodes is not None:
        other.episodes = {scope: copy(episode) for scope, episode in state.episodes.items()}
    other.more_visits = None if state.more_visits is None else list(state.more_visits)
    other.leg = None if state.leg is None else copy(state.leg)
    other.more_legs = None if state.more_legs is None else [copy(leg) for leg in state.more_legs]
    if state.consults is not None:
        other.consults = Consults(state.consults.contacts, state.consults.since)
    other.ended_legs = None if state.ended_legs is None else list(state.ended_legs)
    other.counted = None if state.counted is None else set(state.counted)
    other.work = None if state.work is None else Work(state.work.since, state.work.touch_ms)
    other.ticket = None if state.ticket is None else _twin(state.ticket)
    other.messages = None if state.messages is None else _twin(state.messages)
    if state.topic is not None:
        topic = other.topic = _twin(state.topic)
        topic.named = dict(state.topic.named)
    if state.bot_sessions is not None:
        sessions = other.bot_sessions = _twin(state.bot_sessions)
        sessions.open = None if sessions.open is None else _twin(sessions.open)
        sessions.ended = list(sessions.ended)
    return other


def changed_leg(leg: Leg, *, wrap_at: int | None, moved_on: bool) -> Leg:
    """Return a changed copy of an ended leg."""
    other = copy(leg)
    other.wrap_at, other.moved_on = wrap_at, moved_on
    return other


def _twin(value: Slotted) -> Slotted:
    kind = type(value)
    other = kind.__new__(kind)
    for slot in kind.__slots__:  # type: ignore[attr-defined]
        setattr(other, slot, getattr(value, slot))
    return other
