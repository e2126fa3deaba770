"""What is known of one conversation: data alone; the rules that change it are in the modules that import this one."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from schemas.compiled import compiled
from streams.tracking.facts import Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streams.tracking.customer_facts import ContactFact
    from streams.tracking.extra_postings import Amounts  # noqa: TC004 - annotations of structs are not looked at
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

#: Mark: a leg was booked in larger scopes apart from its queue.
SEPARATE = "\x1fseparate"
#: Mark: it was transferred or escalated.
PASSED_ON = "\x1fpassed on"

#: Targets, each with since when it waits there.
Waits = tuple[tuple[int, int], ...]

#: Targets, each with the entry that it is booked under by offer, and the instant of it all.
Where = tuple[tuple[tuple[int, int], ...], int]


class Visit(Struct, gc=False, eq=False):
    """A conversation's stay in one queue, which the targets name; never changed in place."""

    entered: int
    contact: str | None
    targets: QueueTargets


class Episode(Struct, gc=False, eq=False):
    """A conversation's stay in one larger scope; ``left``: what its leaving has booked."""

    entered: int
    state: str = "waiting"
    left_at: int = 0
    left: Amounts = ()


class Leg(Struct, gc=False, eq=False):
    """An agent's share of a conversation; once it has ended it is never changed in place.

    ``people``: the group in which the agent's contacts count. ``number``: how many had begun before it. ``moved_on``: it ended because the
    contact was queued or answered elsewhere, not because that was said.
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
    """What statuses and callbacks have made of a conversation; a call that is answered and ended has none."""

    __slots__ = (
        "asked", "callback", "due", "reached", "resolution_booked", "resolved", "resolved_before", "resolved_in_a_day", "status",
        "undoable", "waiting_on",
    )  # fmt: skip

    def __init__(self) -> None:
        self.status: str | None = None
        self.waiting_on: str | None = None
        self.resolved = False
        self.resolved_before = False
        #: at the end of the day that began with the conversation, as far as is known
        self.resolved_in_a_day = False
        #: counted as resolved for the first time
        self.resolution_booked = False
        #: counted as resolved at first contact, and not reopened since
        self.undoable = False
        #: pending
        self.callback = False
        #: since when who is to be called back has been waiting
        self.asked = 0
        self.due: int | None = None
        #: by any callback
        self.reached = False


class Messages:
    """Where the correspondence of a conversation stands; a call has none."""

    __slots__ = (
        "answered", "booked", "doubled", "has_message", "is_closed", "last_agent", "replied", "seen", "since", "thanked_where",
        "trips", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        #: first words of the stretch that no agent has answered
        self.since: int | None = None
        #: ended, resolved or lost since the last words of the customer
        self.is_closed = False
        #: since when the customer waits for a reply
        self.waits: int | None = None
        #: the customer's last words were, and it is the agents' replies that follow
        self.answered = False
        self.last_agent: str | None = None
        self.doubled = False
        self.replied = False
        #: a message is known of, from either side
        self.has_message = False
        #: since the last resolution
        self.trips = 0
        #: how many of the texts hold
        self.seen = 0
        self.booked = 0
        #: where thanks are booked, which count by what the conversation is about too
        self.thanked_where: Where | None = None


class Topic:
    """What a conversation is about; most are never told."""

    __slots__ = ("complaint", "complaint_where", "counted", "dated", "named", "where", "within_day")

    def __init__(self) -> None:
        #: who says so → category
        self.named: dict[str, str] = {}
        #: the category it counts under
        self.counted: str | None = None
        self.where: Where | None = None
        self.complaint = False
        self.complaint_where: Where | None = None
        self.dated = False
        self.within_day = False


class BotSession:
    """One stay with a bot or in a FAQ."""

    __slots__ = ("category", "channel", "first", "group", "started")

    def __init__(self, channel: str, group: int, started: int, category: str | None, first: bool) -> None:
        self.channel = channel
        self.group = group
        self.started = started
        self.category = category
        #: people had not been turned to before
        self.first = first


class BotSessions:
    """The sessions of a conversation: the open one, and what would have to be taken back of those that ended well."""

    __slots__ = ("ended", "open")

    def __init__(self) -> None:
        self.open: BotSession | None = None
        #: group, instant of the end, start, and what to book once the customer turns to people
        self.ended: list[tuple[int, int, int, Amounts]] = []


class Consults:
    """Agents who ask one another while the customer waits; most never do."""

    __slots__ = ("contacts", "since")

    def __init__(self, contacts: Iterable[str] = (), since: Mapping[int, int] | None = None) -> None:
        #: in which they do
        self.contacts = set(contacts)
        #: number of the active leg → since when its agent asks
        self.since = {} if since is None else dict(since)


class Work:
    """What agents do for a conversation as they tell of it: of calls they mostly do not."""

    __slots__ = ("since", "touch_ms")

    def __init__(self, since: Mapping[str | None, int] | None = None, touch_ms: int | None = None) -> None:
        #: agent → since when
        self.since = {} if since is None else dict(since)
        #: closed and not yet booked
        self.touch_ms = touch_ms


class Outbound:
    """How far a conversation has come that the business began."""

    __slots__ = ("answered", "begun", "held_at", "hold_ms", "over")

    def __init__(self) -> None:
        self.begun = False
        self.answered: int | None = None
        self.held_at: int | None = None
        self.hold_ms = 0
        self.over = False


class State:
    """What the ordered facts of a conversation lead to.

    While a conversation has entered only one queue, its episodes in all larger scopes are the same as its visit and
    are booked together with it under the queue's group; they are told apart from the second visit on.
    """

    __slots__ = (
        "bot_sessions", "channel", "consults", "counted", "customer", "ended_legs", "episodes", "facts",
        "first_targets", "last_ms", "last_visit", "leg", "legs_begun", "lost_at", "messages", "more_legs", "more_visits", "name",
        "place", "responded", "single", "start", "ticket", "topic", "visit", "void", "work",
    )  # fmt: skip

    def __init__(self, name: str, facts: list[AnyFact]) -> None:
        self.name = name
        #: in order; the rules look back in them for what is seldom asked
        self.facts = facts
        #: its last fact, or when it was lost
        self.last_ms = 0
        #: when it was lost for the last time
        self.lost_at = 0
        #: it counts nothing, or only what counts of a conversation that the business began
        self.void: bool | Outbound = False
        #: of the last arrival
        self.channel: str | None = None
        self.customer: str | None = None
        #: first arrival, else the entry of the first visit
        self.start: int | None = None
        #: the open one, of several the one opened last
        self.visit: Visit | None = None
        #: the others that are open, in the order in which they were opened
        self.more_visits: list[Visit] | None = None
        #: open or not
        self.last_visit: Visit | None = None
        self.first_targets: QueueTargets | None = None
        #: the one episode of a conversation with one visit: while it waits the visit says all of it
        self.single: Episode | Visit | None = None
        #: per larger scope's number, from the second visit on
        self.episodes: dict[int, Episode] | None = None
        #: the active one, of several the one begun last
        self.leg: Leg | None = None
        #: the others that are active, in the order in which they began
        self.more_legs: list[Leg] | None = None
        #: wrap-up still to come, in the order in which they began
        self.ended_legs: list[Leg] | None = None
        self.legs_begun = 0
        #: from the first time on that one agent asks another
        self.consults: Consults | None = None
        #: where the last visit or leg was: what belongs to the whole is booked there
        self.place: QueueTargets | None = None
        #: names: booked under the first group, or once a conversation; and marks of what has happened
        self.counted: set[str | tuple[int, str]] | None = None
        #: from the first time on that an agent works on it apart from talking
        self.work: Work | None = None
        self.responded = False
        #: from the first status or callback on
        self.ticket: Ticket | None = None
        #: from the first message on; in reply channels from the arrival on
        self.messages: Messages | None = None
        #: once it is told what it is about, or that it was kept out
        self.topic: Topic | None = None
        #: from the first session with a bot or a FAQ on
        self.bot_sessions: BotSessions | None = None


class Disorder:
    """What is kept of a conversation some of whose facts came out of order."""

    __slots__ = ("counted_anew", "marks")

    def __init__(self, counted_anew: int = 0) -> None:
        #: how many facts have been counted again for others
        self.counted_anew = counted_anew
        #: (number of facts, what they lead to): counting can go on there
        self.marks: list[tuple[int, State]] = []


class Revised:
    """What a source has said of events of a conversation in revisions above 0; of most it says nothing."""

    __slots__ = ("counted", "facts", "withdrawn")

    def __init__(self, facts: dict[str, int] | None = None, withdrawn: dict[str, tuple[int, int]] | None = None) -> None:
        #: event id of a fact → revision
        self.facts = {} if facts is None else facts
        #: event id of what counts nothing → revision and when it occurred
        self.withdrawn = {} if withdrawn is None else withdrawn
        #: what was last counted, if some of it has been replaced since: what is fresh is to be folded with the others anew
        self.counted: list[AnyFact] | None = None

    def of(self, event_id: str) -> int:
        """Return the revision of an event, 0 if it was told without one or not at all."""
        return self.facts.get(event_id) or self.withdrawn.get(event_id, (0, 0))[0]

    def note(self, event_id: str, revision: int, at_ms: int, *, is_fact: bool) -> None:
        """Take note of the revision that holds now."""
        if is_fact:
            self.withdrawn.pop(event_id, None)
            self.facts[event_id] = revision
        else:
            self.facts.pop(event_id, None)
            self.withdrawn[event_id] = revision, at_ms


class Conversation:
    """One conversation: its facts, the state that those folded so far lead to, and what of it is noted elsewhere."""

    __slots__ = (
        "contact", "disorder", "fresh", "name", "newest", "noted_active", "noted_open", "noted_waiting", "published_fact",
        "revised", "row_count", "source", "state", "timer", "written",
    )  # fmt: skip

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.state = State(name, [])
        #: facts that came since the last fold
        self.fresh: list[AnyFact] | None = None
        self.revised: Revised | None = None
        #: the last of all facts, folded or not
        self.newest: AnyFact | None = None
        #: of the last fact
        self.source: str | None = None
        #: the last contact id, if that is another; facts in rows of before do not say it
        self.contact: str | None = None
        #: from the first fact out of order on
        self.disorder: Disorder | None = None
        #: where it waits: its visit, or the targets, each with since when
        self.noted_waiting: Visit | Waits | None = None
        #: where agents work on it: the group of the queue, or the targets
        self.noted_active: int | tuple[int, ...] | None = None
        self.noted_open: Open | None = None
        #: what customers were last told of it
        self.published_fact: ContactFact | None = None
        #: when it is looked at again, at the latest
        self.timer: Bucket | None = None
        #: so many of the first facts are in rows as they are, and so many rows there are
        self.written = 0
        self.row_count = 0

    @property
    def facts(self) -> list[AnyFact]:
        """The facts folded so far, in order."""
        return self.state.facts

    @property
    def known(self) -> int:
        """How many facts there are, folded or not."""
        return len(self.state.facts) + (0 if self.fresh is None else len(self.fresh))

    def every_fact(self) -> list[AnyFact]:
        """Return all facts, the folded ones in order first."""
        return self.state.facts if self.fresh is None else [*self.state.facts, *self.fresh]

    def knows(self, event_id: str) -> bool:
        """Say whether an event is among the facts, or what its source has said last of it counts nothing."""
        if _has_event(self.state.facts, _EVENT_ID, event_id) or (self.fresh is not None and _has_event(self.fresh, _EVENT_ID, event_id)):
            return True
        return self.revised is not None and event_id in self.revised.withdrawn

    def fact_of(self, event_id: str) -> AnyFact | None:
        """Return the fact of an event."""
        return next((fact for fact in self.every_fact() if fact.event_id == event_id), None)


def copy_of(state: State) -> State:
    """Return a state that does not change with this one; what never changes in place is shared."""
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
    """Return an ended leg of which something else is known."""
    other = copy(leg)
    other.wrap_at, other.moved_on = wrap_at, moved_on
    return other


def _twin(value: Slotted) -> Slotted:
    kind = type(value)
    other = kind.__new__(kind)
    for slot in kind.__slots__:  # type: ignore[attr-defined]
        setattr(other, slot, getattr(value, slot))
    return other
