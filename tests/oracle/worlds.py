"""Small random worlds of events for property tests: nasty, valid, the same for the same seed; not a model of a contact center."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zlib import crc32

from hypothesis import strategies as st

from schemas.agent import AgentHeartbeat, AgentModel, AgentSkillsChanged, AgentStateChanged, SchedulePlanned
from schemas.base import Event
from schemas.contact import (
    ContactAgentOffered,
    ContactAnswered,
    ContactArrived,
    ContactAssigned,
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
    ContactNotOffered,
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
from schemas.other import ForecastSet, SourceHeartbeat, SourceSnapshot
from schemas.times import format_ms, from_ms, parse_time_ms, to_ms
from streams.configuration.models import Configuration
from tests.oracle.conversation import PANE_MS, is_late, journals_of
from tests.oracle.spaces import person_of, space_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

__all__ = ["World", "configuration_of", "random_world", "repeated", "shuffled_within_grace", "worlds"]

T = TypeVar("T")
E = TypeVar("E", bound="Event")

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS

#: A summer morning, midnight in Tokyo, and both nights on which Berlin's clock changes.
STARTS = tuple(
    parse_time_ms(text)
    for text in ("2026-06-15T08:50:00Z", "2026-05-11T14:25:00Z", "2026-03-29T00:25:00Z", "2026-10-25T00:25:00Z", "2026-10-24T21:25:00Z")
)

QUEUES = ("sales", "support", "care", "mailbox", "chats", "tickets", "unlisted")
VOICE = ("sales", "support", "care", "unlisted")
WRITTEN = ("mailbox", "tickets", "care")
AGENTS = ("ann", "bo", "cy")
#: Agents that have events of their own; two of them handle contacts, too.
PEOPLE = ("p0", "ann", "p2", "p3", "bo", "p1")

#: The first two send heartbeats, the third never does: it counts as complete a few seconds ago.
SOURCES = ("switch", "desk", "log")
SILENT = "log"
#: Events of the second one come by one of two gateways, each of which reports how far it is complete.
GATEWAYS = {"desk": ("gateway-1", "gateway-2")}
#: The sources that share their ids.
JOINED: tuple[list[list[str]], ...] = ([], [], [["switch", "desk"]], [["*"]], [["log", "s*"]], [["d*k", "switch"], ["log", "another"]])
#: The sources that report after the fact.
JOURNALS: tuple[tuple[str, ...], ...] = ((), (), (), ("log",), ("desk",), ("switch", "desk"))
#: The sources that do not report some figures: without another source these are null.
NOT_REPORTED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    ((), ()),
    ((), ()),
    (("switch",), ("non_response", "occupancy")),
    (SOURCES, ("non_response", "service_level", "service_level_live", "occupancy")),
)
#: The number of a configured agent at some sources; none: the id names an agent of its own at each source.
IDENTITIES: tuple[dict[str, int], ...] = ({}, {}, {"switch": 7}, {"switch": 7, "log": 17})

#: Nothing, one millisecond, exact edges of panes, thresholds and rejoin, and in between.
GAPS_MS = (0, 0, 1, 250, 999, 1_000, 4_321, 10_000, 19_999, 20_000, 20_001, 29_500, 30_000, 45_678, 59_999, 60_000, 60_001, 95_000, 180_000)
DELAYS_MS = (0, 0, 3, 40, 250, 900, 2_500)
LONG_DELAYS_MS = (0, 700, 4_999, 5_001, 12_000, 31_000, 55_000)
WAITS_S = (0.0, 0.001, 3.25, 12.345, 20.0, 20.001, 60.0, 140.5)
WRAPS_S = (0.0, 1.001, 15.5, 42.0)

#: When a callback is due, from now: long ago, now, soon, and after the end of any world.
DUES_MS = (None, None, -60_000, 0, 1, 90_000, 600_000, 30 * 3_600_000, 30 * 3_600_000)

#: How long after the last event a survey is answered; the longest only in some worlds, as they empty the windows of now.
#: A few together stay within the 36 hours for which a day is revised.
SURVEYED_MS = (0, 0, 1, 20_000, 60_001, 310_000)
SURVEYED_LONG_AFTER_MS = (*SURVEYED_MS, 3_600_000, 3 * 3_600_000)

STATUSES = ("new", "open", "waiting_on_customer", "on_hold", "resolved", "closed", "reopened")
WAITING_ON = (None, None, "customer", "agent", "third_party")

#: The author, whether the customer sees it, whether it is automatic, and whether the connector found thanks.
MESSAGES: dict[str, Sequence[Any]] = {
    "author_kind": ("customer", "customer", "agent", "agent", "agent", "bot", "system"),
    "agent": (None, "ann", "ann", "bo", "cy"),
    "public": (None, True, True, False),
    "automatic": (None, None, False, True),
    "thanks": (None, None, False, True),
}
#: Targets of replies, instead of the threshold.
REPLY_TARGETS_S = (None, 1, 45, 7_200)

#: Scales and scores that count and that do not: fractions, the edges, beyond them.
SURVEYS: dict[str, Sequence[Any]] = {
    "kind": ("csat", "csat", "nps", "nps", "ces"),
    "scale": (None, None, None, "1-5", "0-10", "1-10", "0-100", "0-1", "-103-103", "0-7", "5-5"),
    "score": (-103, -1.5, 0, 0.5, 1, 3.9996, 4, 4.25, 5, 5.001, 6, 6.5, 8.999, 9, 10, 10.5, 77),
}
INVITATIONS: dict[str, Sequence[Any]] = {"kind": ("csat", "nps"), "scale": (None, "1-5")}
#: The silence after which a contact is lost: never within these worlds, and often.
LOST_AFTER_S: tuple[dict[str, int], ...] = (
    {},
    {"voice": 90, "chat": 95, "mail": 170},
    {"voice": 50, "ticket": 60, "callback": 120, "sms": 1, "bot": 30, "faq": 61},
)
CATEGORIES = (None, None, "returns", "tariff", "returns: late")
CATEGORIZED: dict[str, Sequence[Any]] = {"category": CATEGORIES, "complaint": (None, False, True)}
KEPT_OUT: dict[str, Sequence[Any]] = {
    "reason": ("busy", "full", "closed", "menu_ended", "blocked", None),
    "site": (None, None, "tokyo", "nowhere"),
}
SELF_SERVICE_ENDS = (None, "confirmed_solved", "left", "left", "handed_over")
#: How customers turn to agents.
TO_PEOPLE: tuple[tuple[type[ContactModel], dict[str, Sequence[Any]]], ...] = (
    (ContactHandedOver, {}),
    (ContactMessage, {"author_kind": ("agent",), "public": (None, False)}),
    (ContactAnswered, {"agent": ("ann", None)}),
    (ContactLeftQueue, {"reason": ("abandoned",), "queue": ("care",), "wait_seconds": (0.0, 3.25)}),
)
CALLBACK_ENDS = ("reached", "reached", "no_answer", "cancelled", "expired")


class Pick(Protocol):
    """Choose one of some options: a random generator's choice, or hypothesis's, which shrinks."""

    def __call__(self, options: Sequence[T], /) -> T:
        """Return one of the options."""


@dataclass(frozen=True)
class World:
    """Events in the order received, and their configuration."""

    configuration: Configuration
    events: list[Event]
    start_ms: int
    end_ms: int
    """After the last event."""


# ---- one conversation


class _Story:
    """Creates events of one conversation and advances its clock."""

    def __init__(self, pick: Pick, conversation: str, at_ms: int, source: str) -> None:
        self.pick = pick
        self.conversation = conversation
        self.at_ms = at_ms
        self.source = source
        self.contact_id = pick((None, None, f"leg of {conversation}"))
        self.events: list[ContactModel] = []

    def add(self, kind: type[ContactModel], /, after_ms: int | None = None, **fields: Any) -> None:
        """Add an event, some time after the last one."""
        self.at_ms += self.pick(GAPS_MS) if after_ms is None else after_ms
        # The first letter decides the order of ids, so that it differs from the orders of time.
        event_id = f"{self.pick('bca')}{len(self.events)}.{self.conversation}"
        delay = self.pick(LONG_DELAYS_MS if self.source == SILENT else DELAYS_MS)
        self.events.append(
            kind(
                event_id=event_id,
                occurred_at=from_ms(self.at_ms),
                received_at=from_ms(self.at_ms + delay),
                source=self.source,
                sequence=self.pick((None, None, None, 0, 1, 7)),
                conversation_id=self.conversation,
                **{"contact_id": self.contact_id, **fields},
            ),
        )

    def maybe(self, kind: type[ContactModel], /, **fields: Any) -> None:
        """Add an event, or leave it out."""
        if self.pick((True, True, False)):
            self.add(kind, **fields)

    def one_of(self, choices: dict[str, Sequence[Any]]) -> dict[str, Any]:
        """Return fields, each with one of its choices."""
        return {name: self.pick(options) for name, options in choices.items()}

    def due(self) -> datetime | None:
        """Return when a callback is due."""
        after_ms = self.pick(DUES_MS)
        return None if after_ms is None else from_ms(self.at_ms + after_ms)


def _arrive(story: _Story, channels: Sequence[str], direction: str | None = None) -> None:
    if direction is not None or story.pick((True, False)):
        story.add(ContactArrived, 0, channel=story.pick(channels), direction=direction or story.pick((None, "inbound")))


def _talk(story: _Story, agent: str | None, **fields: Any) -> None:
    story.add(ContactAnswered, agent=agent, reports=story.pick((None, (), ("hold",), ("hold", "wrap_up"), ("ring",))), **fields)
    for _ in range(story.pick((0, 0, 1, 2))):
        story.add(ContactHeld, agent=agent)
        story.maybe(ContactResumed, agent=agent, hold_seconds=story.pick((None, None, None, 0, 7.25, 90)))


def _finish(story: _Story, agent: str | None) -> None:
    """End a leg with its wrap-up in one of the orders that platforms have."""
    ended: tuple[type[ContactModel], dict[str, Any]] = (ContactEnded, {"by": story.pick(("customer", "agent", "system", None))})
    started: tuple[type[ContactModel], dict[str, Any]] = (ContactWrapUpStarted, {"agent": story.pick((agent, None))})
    wrapped: tuple[type[ContactModel], dict[str, Any]] = (
        ContactWrappedUp,
        {"agent": story.pick((agent, None)), "wrap_up_seconds": story.pick((None, None, *WRAPS_S))},
    )
    order = story.pick(
        (
            [ended],
            [ended, wrapped],
            [ended, started, wrapped],
            [started, ended, wrapped],
            [started, wrapped, ended],
            [wrapped, ended],
            [started, started, wrapped, wrapped, ended],
            [],
        ),
    )
    for kind, fields in order:
        story.add(kind, **fields)


def _call(story: _Story) -> None:
    _arrive(story, ("voice", "video", "chat"))
    story.add(ContactQueued, queue=story.pick(VOICE), channel=story.pick((None, None, "voice", "chat")))
    agent = story.pick(AGENTS)
    for _ in range(story.pick((0, 0, 1, 2))):
        ringing = story.pick(AGENTS)
        story.maybe(ContactAgentOffered, agent=ringing)
        story.add(
            ContactOfferEnded, agent=ringing, outcome=story.pick(("no_answer", "declined", "accepted")), queue=story.pick((None, *VOICE))
        )
    _talk(story, agent)
    _finish(story, agent)


def _given_up(story: _Story) -> None:
    _arrive(story, ("voice", "chat"))
    story.add(ContactQueued, queue=story.pick(QUEUES))
    if story.pick((True, False)):
        story.add(ContactLeftQueue, reason="abandoned")
    story.add(ContactEnded, by="customer")
    if story.pick((True, False)):  # and comes back
        story.add(ContactQueued, queue=story.pick(QUEUES))
        story.maybe(ContactAnswered, agent="bo")


def _answered_afterwards(story: _Story) -> None:
    _arrive(story, ("voice",))
    story.at_ms += max(round(wait * 1000) for wait in WAITS_S)
    if story.pick((True, True, False)):
        _talk(story, "ann", queue=story.pick(VOICE), wait_seconds=story.pick(WAITS_S))
        if story.pick((True, False)):
            story.add(ContactAnswered, agent="bo", queue=story.pick((None, *VOICE)), wait_seconds=story.pick((None, *WAITS_S)))
        _finish(story, story.pick(("ann", "bo")))
    else:
        story.add(ContactLeftQueue, reason=story.pick(("abandoned", "timeout")), queue=story.pick(VOICE), wait_seconds=story.pick(WAITS_S))


def _wandering(story: _Story) -> None:
    """Overflow and queue again, within the time to rejoin, at its edge and beyond."""
    _arrive(story, ("voice",))
    story.add(ContactQueued, queue=story.pick(VOICE))
    for _ in range(story.pick((1, 1, 2, 3))):
        if story.pick((True, True, False)):
            story.add(
                ContactLeftQueue,
                reason=story.pick(("overflow", "timeout", "empty", "voicemail", "keypress", "callback", "withdrawn", "transfer")),
            )
        story.add(
            ContactQueued,
            story.pick((0, 1, 29_999, 30_000, 30_001, 60_000, 60_001, 95_000)),
            queue=story.pick(QUEUES),
            channel=story.pick((None, None, None, "chat")),
        )
    if story.pick((True, False)):
        _talk(story, "cy")
        _finish(story, "cy")
    else:
        story.maybe(ContactEnded, by=story.pick(("customer", "system")))


def _passed_on(story: _Story) -> None:
    _arrive(story, ("voice", "chat"))
    story.add(ContactQueued, queue=story.pick(VOICE))
    agent = story.pick((*AGENTS, None))
    _talk(story, agent)
    for _ in range(story.pick((1, 1, 2))):
        if story.pick((True, False, False)):
            story.add(ContactEscalated, kind=story.pick((None, "functional", "hierarchical")))
        stays = story.pick((None, None, False, True))
        story.maybe(ContactTransferred, kind=story.pick(("blind", "attended", "queue", None)), agent_stays=stays)
        story.maybe(ContactWrappedUp, agent=agent)
        if story.pick((True, True, False)):
            story.add(ContactQueued, queue=story.pick(QUEUES))
        if story.pick((True, True, False)):
            agent = story.pick(AGENTS)
            _talk(story, agent)
        else:
            story.add(ContactEnded, by="customer")
    _finish(story, agent)


def _together(story: _Story) -> None:
    """Several visits and legs at once, named by contact, queue and agent, by some or none: warm transfers, conferences."""
    contacts = (None, *(f"{number} of {story.conversation}" for number in range(3)))
    queues = story.pick((VOICE, ("sales", "support", "care"), WRITTEN, QUEUES))
    _arrive(story, ("voice", "chat", "mail", "ticket"))
    story.add(ContactQueued, queue=story.pick(queues), contact_id=story.pick(contacts))

    def named(**choices: Sequence[Any]) -> dict[str, Any]:
        return {name: story.pick((None, *options)) for name, options in {"contact_id": contacts, **choices}.items()}

    for _ in range(story.pick((4, 6, 9, 14))):
        step = story.pick(
            (
                "queued",
                "queued",
                "answered",
                "answered",
                "answered",
                "held",
                "transferred",
                "left",
                "ended",
                "wrap",
                "offer",
                "consult",
                "message",
            ),
        )
        if step == "queued":
            story.add(ContactQueued, queue=story.pick(queues), contact_id=story.pick(contacts), channel=story.pick((None, None, "chat")))
        elif step == "answered":
            waited = story.pick((None, None, None, *WAITS_S))
            fields = named(agent=AGENTS, queue=queues, relation=("transfer",))
            story.add(ContactAnswered, wait_seconds=waited, reports=story.pick((None, ("hold",))), **fields)
        elif step == "held":
            holds: tuple[type[ContactModel], ...] = (ContactHeld, ContactHeld, ContactResumed)
            story.add(story.pick(holds), **named(agent=AGENTS))
        elif step == "transferred":
            stays = story.pick((None, None, False, True))
            story.add(ContactTransferred, agent_stays=stays, **named(agent=AGENTS, from_queue=queues, to_agent=AGENTS))
        elif step == "left":
            waited = story.pick((None, None, *WAITS_S))
            reason = story.pick(("abandoned", "abandoned", "overflow", "timeout"))
            story.add(ContactLeftQueue, reason=reason, wait_seconds=waited, **named(queue=queues))
        elif step == "ended":
            story.add(ContactEnded, by=story.pick(("customer", "agent", None)), **named(agent=AGENTS))
        elif step == "wrap":
            wraps: tuple[type[ContactModel], ...] = (ContactWrapUpStarted, ContactWrappedUp)
            story.add(story.pick(wraps), **named(agent=AGENTS))
        elif step == "offer":
            story.add(ContactOfferEnded, outcome="no_answer", agent=story.pick(AGENTS), **named(queue=queues))
        elif step == "consult":
            asked = story.pick(contacts)
            story.add(ContactConsultStarted, agent=story.pick(AGENTS))
            story.maybe(ContactArrived, channel="voice", direction="internal", relation="consult", contact_id=asked)
            story.add(ContactAnswered, agent=story.pick(AGENTS), queue=story.pick((None, *queues)), relation="consult", contact_id=asked)
            story.maybe(ContactEnded, relation=story.pick((None, "consult")), contact_id=asked)
        else:
            story.add(ContactMessage, **{**story.one_of(MESSAGES), "contact_id": story.pick(contacts)})
    story.maybe(ContactEnded, by=story.pick(("customer", "agent")))


def _writing(story: _Story) -> None:
    """Mail, tickets and their like: answered by a message, worked on by several, reopened."""
    _arrive(story, ("mail", "ticket", "web_form", "social", "sms"))
    for _ in range(story.pick((1, 1, 2))):
        story.add(ContactQueued, queue=story.pick(WRITTEN))
        for _ in range(story.pick((1, 2, 4))):
            agent = story.pick(AGENTS)
            story.maybe(ContactWorkStarted, agent=agent)
            story.add(ContactMessage, **{**story.one_of(MESSAGES), "agent": story.pick((None, agent, "bo"))})
            story.maybe(ContactWorkEnded, agent=story.pick((agent, agent, "bo")))
        if story.pick((False, False, True)):
            story.add(ContactWrappedUp, agent=story.pick((None, "ann")), wrap_up_seconds=story.pick((None, *WRAPS_S)))
        story.maybe(
            ContactStatusChanged,
            status=story.pick(("resolved", "closed", "waiting_on_customer", "reopened")),
            waiting_on=story.pick(WAITING_ON),
        )


def _ticket(story: _Story) -> None:
    """A ticket through its statuses in any order, with replies, escalations and further queues in between."""
    _arrive(story, ("mail", "ticket", "ticket", "sms", "voice"))
    story.maybe(ContactStatusChanged, status="new", waiting_on=story.pick(WAITING_ON))
    story.add(ContactQueued, queue=story.pick(WRITTEN), channel=story.pick((None, None, "ticket")))
    for _ in range(story.pick((1, 2, 3, 5, 8))):
        step = story.pick(("status", "status", "status", "resolved", "reply", "escalated", "queued", "transferred", "ended"))
        if step == "status":
            story.add(ContactStatusChanged, status=story.pick(STATUSES), waiting_on=story.pick(WAITING_ON))
        elif step == "resolved":  # resolved, sometimes reopened, sometimes within the same instant
            story.add(ContactStatusChanged, status=story.pick(("resolved", "closed")))
            story.maybe(ContactStatusChanged, status=story.pick(("reopened", "open", "new", "on_hold", "closed")))
        elif step == "reply":
            agent = story.pick(AGENTS)
            story.maybe(ContactWorkStarted, agent=agent)
            story.maybe(ContactMessage, author_kind="customer", thanks=story.pick((None, False, True)))
            story.add(ContactMessage, author_kind="agent", agent=story.pick((None, agent)), public=story.pick((None, True)))
            story.maybe(ContactMessage, author_kind="agent", agent=story.pick(AGENTS))
            story.maybe(ContactWorkEnded, agent=agent)
        elif step == "escalated":
            story.add(ContactEscalated, to=story.pick((None, "care")))
        elif step == "queued":
            story.add(ContactQueued, queue=story.pick(WRITTEN))
        elif step == "transferred":
            story.add(ContactTransferred)
        else:
            story.add(ContactEnded, by=story.pick(("agent", "system", None)))


def _chat(story: _Story) -> None:
    """A bot first, then agents who write before and after they take the chat."""
    _arrive(story, ("chat", "chat", "sms"))
    for _ in range(story.pick((0, 1, 2))):
        story.add(ContactMessage, **story.one_of(MESSAGES))
    story.add(ContactQueued, queue=story.pick(("chats", "care", "unlisted")), channel=story.pick((None, "chat")))
    for _ in range(story.pick((0, 1, 2, 3))):
        story.add(ContactMessage, **story.one_of(MESSAGES))
    story.maybe(ContactAnswered, agent=story.pick((*AGENTS, None)))
    story.maybe(ContactMessage, author_kind="agent")
    story.maybe(ContactStatusChanged, status=story.pick(STATUSES))
    _finish(story, "ann")


def _called_back(story: _Story) -> None:
    """A customer asks for a callback, is tried some times, and asks again."""
    _arrive(story, ("voice", "voice", "mail"))
    if story.pick((True, *(False,) * 5)):  # before there is a queue to count it in
        story.add(ContactCallbackRequested, due=story.due())
    story.add(ContactQueued, queue=story.pick(VOICE))
    for _ in range(story.pick((1, 1, 2))):
        story.add(ContactCallbackRequested, due=story.due())
        story.maybe(ContactLeftQueue, reason=story.pick(("callback", "callback", "abandoned")))
        for _ in range(story.pick((0, 1, 2, 3))):
            story.add(
                ContactCallbackAttempted, due=story.due(), outcome=story.pick((None, "no_answer", "no_answer", "cancelled", *CALLBACK_ENDS))
            )
        if story.pick((True, False)):
            _talk(story, story.pick(AGENTS), queue=story.pick((None, *VOICE)))
            _finish(story, "bo")
        if story.pick((True, False, False)):
            story.add(ContactCallbackEnded, outcome=story.pick(CALLBACK_ENDS))


def _asides(story: _Story, surveyed_ms: Sequence[int]) -> None:
    """Add what may happen in any conversation: between its events, at its end and long after."""
    if story.pick((True, False, False, False)):
        over_ms = story.at_ms
        story.at_ms = max(story.at_ms - story.pick((0, 1, 30_000, 120_000)), min(to_ms(each.occurred_at) for each in story.events))
        kind, choices = story.pick(ASIDES)
        story.add(kind, 0, **story.one_of(choices))
        story.at_ms = over_ms
    for _ in range(story.pick((0, 0, 1, 2))):
        story.maybe(SurveyInvited, **story.one_of(INVITATIONS))
        story.add(SurveyAnswered, story.pick(surveyed_ms), **story.one_of(SURVEYS))


def _correspondence(story: _Story) -> None:
    """Messages to and fro, with a queue early, late or never, two answers to one message, and resolutions in between."""
    story.add(ContactArrived, 0, channel=story.pick(("mail", "ticket", "chat")), initiated_by=story.pick((None, "customer", "system")))
    queued = story.pick((0, 1, 4, 99))
    for number in range(story.pick((2, 4, 7))):
        if number == queued:
            story.add(ContactQueued, queue=story.pick(("mailbox", "tickets", "chats", "care")))
        step = story.pick(("customer", "customer", "reply", "reply", "another", "status", "ended", "answered"))
        if step == "customer":
            story.add(ContactMessage, author_kind="customer", thanks=story.pick((None, False, True)))
        elif step in {"reply", "another"}:
            story.add(ContactMessage, author_kind="agent", agent="ann" if step == "reply" else story.pick((None, "bo", "cy")))
        elif step == "status":
            story.add(ContactStatusChanged, status=story.pick(STATUSES), waiting_on=story.pick(WAITING_ON))
        elif step == "ended":
            story.add(ContactEnded, by=story.pick(("customer", "agent")))
        else:
            story.maybe(ContactAnswered, agent="ann", queue=story.pick((None, "mailbox")))


def _kept_out(story: _Story) -> None:
    """Find busy lines or closed queues, again and again, and sometimes get through."""
    _arrive(story, ("voice", "chat", "mail"))
    for _ in range(story.pick((1, 1, 2, 3))):
        story.add(ContactNotOffered, **story.one_of(KEPT_OUT))
    if story.pick((True, False)):
        story.add(ContactQueued, queue=story.pick(QUEUES), category=story.pick(CATEGORIES))
        story.maybe(ContactNotOffered, **story.one_of(KEPT_OUT))
        story.maybe(ContactAnswered, agent="cy")
    if story.pick((True, False, False)):
        story.add(ContactExcluded, reason=story.pick(("spam", "duplicate")), site=story.pick((None, "tokyo")))


def _helping_themselves(story: _Story) -> None:
    """Ask a bot or a FAQ first, once or again, and turn to agents in some way, or not."""
    if story.pick((True, False)):
        _arrive(story, ("chat", "bot", "faq"))
    for _ in range(story.pick((1, 1, 2, 3))):
        story.add(SelfServiceStarted, kind=story.pick(("faq", "bot")), category=story.pick(CATEGORIES), site=story.pick((None, "berlin")))
        story.maybe(ContactMessage, author_kind=story.pick(("bot", "customer")))
        if story.pick((True, True, True, False)):
            story.add(SelfServiceEnded, category=story.pick(CATEGORIES), outcome=story.pick(SELF_SERVICE_ENDS))
        if story.pick((True, False, False, False)):
            kind, choices = story.pick(TO_PEOPLE)
            story.add(kind, **story.one_of(choices))
    if story.pick((True, False)):
        story.add(ContactQueued, queue=story.pick(("chats", "care")), category=story.pick(CATEGORIES))
        story.maybe(ContactAnswered, agent="bo")
        story.maybe(ContactCategorized, **story.one_of(CATEGORIZED))


def _complaining(story: _Story) -> None:
    """Complain, be categorized again, and have it resolved and reopened around a day later."""
    _arrive(story, ("mail", "ticket", "voice"))
    story.maybe(ContactCategorized, **story.one_of(CATEGORIZED))
    story.add(ContactQueued, queue=story.pick(WRITTEN), category=story.pick(CATEGORIES))
    for _ in range(story.pick((1, 2, 4))):
        story.maybe(ContactCategorized, **story.one_of(CATEGORIZED))
        story.maybe(ContactStatusChanged, status=story.pick(STATUSES))
        story.maybe(ContactQueued, queue=story.pick(WRITTEN), category=story.pick(CATEGORIES))


def _reaching_out(story: _Story) -> None:
    _arrive(story, ("voice", "chat"), story.pick(("outbound", "outbound", "internal")))
    story.maybe(ContactQueued, queue="sales")
    if story.pick((True, True, False)):
        _talk(story, "ann")
    _finish(story, "ann")


def _anything(story: _Story) -> None:
    """Add any events that the models allow, in any order."""
    agents = (*AGENTS, None)
    queues = (*QUEUES[:4], None)
    reasons = ("abandoned", "overflow", "timeout", "transfer", "empty")
    story.at_ms += max(round(wait * 1000) for wait in WAITS_S)
    kinds: tuple[tuple[type[ContactModel], dict[str, Sequence[Any]]], ...] = (
        (ContactArrived, {"channel": ("voice", "mail", "chat"), "direction": (None, "inbound"), "initiated_by": (None, "agent")}),
        (ContactQueued, {"queue": QUEUES, "channel": (None, None, "voice", "mail")}),
        (ContactQueued, {"queue": QUEUES}),
        (ContactAnswered, {"agent": agents, "queue": queues, "wait_seconds": (None, *WAITS_S), "reports": (None, ("hold",))}),
        (ContactAnswered, {"agent": agents}),
        (ContactLeftQueue, {"reason": reasons}),
        (ContactLeftQueue, {"reason": reasons, "queue": queues, "wait_seconds": (None, *WAITS_S)}),
        (ContactTransferred, {"kind": (None, "blind"), "agent_stays": (None, True)}),
        (ContactAgentOffered, {"agent": AGENTS, "queue": queues}),
        (ContactOfferEnded, {"agent": AGENTS, "queue": queues, "outcome": ("no_answer", "declined")}),
        (ContactHeld, {"agent": agents}),
        (ContactResumed, {"agent": agents, "hold_seconds": (None, *WRAPS_S)}),
        (ContactMessage, MESSAGES),
        (ContactWorkStarted, {"agent": AGENTS}),
        (ContactWorkEnded, {"agent": AGENTS}),
        (ContactWrapUpStarted, {"agent": agents}),
        (ContactWrappedUp, {"agent": agents, "wrap_up_seconds": (None, *WRAPS_S)}),
        (ContactStatusChanged, {"status": STATUSES, "waiting_on": WAITING_ON}),
        (ContactStatusChanged, {"status": ("resolved", "closed", "reopened")}),
        (ContactEnded, {"by": ("customer", "agent", "system", None)}),
        (ContactAssigned, {"agent": agents}),
        (ContactCategorized, CATEGORIZED),
        (ContactHandedOver, {}),
        (SelfServiceStarted, {"kind": ("faq", "bot"), "category": CATEGORIES, "site": (None, None, "tokyo")}),
        (SelfServiceEnded, {"category": CATEGORIES, "outcome": SELF_SERVICE_ENDS}),
        (ContactConsultStarted, {"agent": agents}),
        (ContactEscalated, {}),
        (ContactNotOffered, KEPT_OUT),
        (ContactCallbackRequested, {"due": (None, from_ms(story.at_ms), from_ms(story.at_ms + 10 * MINUTE_MS))}),
        (ContactCallbackAttempted, {"due": (None, from_ms(story.at_ms + MINUTE_MS)), "outcome": (None, *CALLBACK_ENDS)}),
        (ContactCallbackEnded, {"outcome": CALLBACK_ENDS}),
        (SurveyInvited, INVITATIONS),
        (SurveyAnswered, SURVEYS),
    )
    for _ in range(story.pick(range(1, 15))):
        kind, choices = story.pick(kinds)
        story.add(kind, **story.one_of(choices))


ASIDES: tuple[tuple[type[ContactModel], dict[str, Sequence[Any]]], ...] = (
    (SurveyInvited, INVITATIONS),
    (SurveyAnswered, SURVEYS),
    (ContactEscalated, {}),
    (ContactStatusChanged, {"status": STATUSES, "waiting_on": WAITING_ON}),
    (ContactMessage, MESSAGES),
    (ContactCategorized, CATEGORIZED),
    (SelfServiceStarted, {"kind": ("faq", "bot"), "category": CATEGORIES}),
)

PLOTS: tuple[Callable[[_Story], None], ...] = (
    _call,
    _call,
    _given_up,
    _answered_afterwards,
    _wandering,
    _wandering,
    _passed_on,
    _passed_on,
    _together,
    _together,
    _together,
    _writing,
    _writing,
    _ticket,
    _ticket,
    _ticket,
    _correspondence,
    _correspondence,
    _correspondence,
    _chat,
    _called_back,
    _called_back,
    _kept_out,
    _helping_themselves,
    _helping_themselves,
    _complaining,
    _reaching_out,
    _reaching_out,
    _anything,
    _anything,
)


def _conversation(pick: Pick, name: str, at_ms: int, surveyed_ms: Sequence[int], source: str) -> list[ContactModel]:
    story = _Story(pick, name, at_ms, source)
    pick(PLOTS)(story)
    _asides(story, surveyed_ms)
    if pick((True, *(False,) * 9)):
        story.add(ContactExcluded, pick((0, 1_000, 40_000, 400_000)), reason=pick(("spam", "test", "merged")))
    if pick((True, False, False)):  # one event got lost on the way
        kept = pick(range(len(story.events)))
        story.events = story.events[:kept] + story.events[kept + 1 :]
    return _revised(pick, story.events) if pick((True, False, False, False)) else story.events


#: How a source may revise an event: unchanged, as another event or withdrawn.
AGAIN = ("unchanged", "changed", "changed", "withdrawn")


def _revised(pick: Pick, events: list[ContactModel]) -> list[ContactModel]:
    """Return the events with revisions of some, before or after the first; an exclusion comes once."""
    revisions = []
    for event in events:
        revisions.append(event)
        if not isinstance(event, ContactExcluded) and pick((True, False, False)):
            revisions[-1] = event.model_copy(update={"revision": pick((None, 0, 4))})
            for revision in pick(((1,), (9,), (9, 3))):
                others = [each for each in events if not isinstance(each, ContactExcluded)]
                revised = {"unchanged": event, "changed": pick(others), "withdrawn": event}[how := pick(AGAIN)]
                revised = revised.model_copy(update={"event_id": event.event_id, "revision": revision})
                if how == "withdrawn":
                    common = {name: getattr(revised, name) for name in ContactModel.model_fields if name != "type"}
                    revised = ContactWithdrawn(**common)
                revisions.append(revised)
    return revisions


# ---- one person

STATES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "two axes": (
        ("presence", ("Available", "On Queue", "Break", "offline", "Lunch", "training")),
        ("routing", ("IDLE", "INTERACTING", "COMMUNICATING", "OFF_QUEUE", "Not-Responding")),
    ),
    "presence only": (("presence", ("available", "online", "away", "logged-out")),),
    "activity": (("activity", ("idle", "ringing", "on call", "After-Contact Work", "wrap_up", "hold")), ("presence", ("ready", "offline"))),
    "all": (
        ("presence", ("ready", "break", "signed out")),
        ("routing", ("ready", "interacting", "off queue")),
        ("activity", ("idle", "talking", "wrap up", "paperwork")),
    ),
}


#: Reports of slots, mostly none: in parts, of all channels, above the accepted limit.
SLOTS: tuple[dict[str, Any], ...] = (
    *({},) * 5,
    {"capacity": 3, "in_use": 1, "channel": "chat"},
    {"in_use": 2, "channel": "chat"},
    {"capacity": 1, "in_use": 1, "channel": "voice"},
    {"capacity": 4, "in_use": 5},
    {"in_use": 0},
    {"capacity": 1_001, "in_use": 1_000, "channel": "mail"},
)
ACTIVITIES = ("work", "Work", "On Queue", "break", "training", "Back-Office", "available")


def _person(pick: Pick, name: str, start_ms: int, end_ms: int, source: str) -> list[AgentModel]:
    axes = STATES[pick(tuple(STATES))]
    at_ms = start_ms + pick((0, 10_000, 123_456))
    events: list[AgentModel] = []
    while at_ms < end_ms and len(events) < 60:
        delay = pick(LONG_DELAYS_MS if source == SILENT else DELAYS_MS)
        common: dict[str, Any] = {
            "event_id": f"{pick('bca')}{len(events)}.{name}",
            "occurred_at": from_ms(at_ms),
            "received_at": from_ms(at_ms + delay),
            "source": source,
            "site": pick((*(None,) * 8, "berlin", "tokyo")),
            "sequence": pick((None, None, 0, 3)),
            "person_id": name,
        }
        kind = pick(("state",) * 12 + ("skills", "alive", "plan", "plan"))
        if kind == "state":
            axis, states = pick(axes)
            team = pick((*(None,) * 6, "red", "blue", "nobody knows"))
            slots = pick(SLOTS)
            events.append(AgentStateChanged(**common, axis=axis, state=pick(states), team=team, **slots))  # type: ignore[arg-type]
        elif kind == "skills":
            events.append(AgentSkillsChanged(**common, queues=("sales",), team=pick((None, "blue"))))
        elif kind == "alive":
            events.append(AgentHeartbeat(**common))
        else:
            begins = at_ms + pick((0, 0, -90_000, 1, 10_000, 200_000))
            until = from_ms(begins + pick((0, 9_999, MINUTE_MS, 5 * MINUTE_MS, 20 * MINUTE_MS, 40 * 3_600_000)))
            events.append(SchedulePlanned(**common, activity=pick(ACTIVITIES), start=from_ms(begins), end=until))
        at_ms += pick((0, 1, 2_500, 10_000, 10_001, 45_000, 60_000, 333_333))
    return events


# ---- the world


def _definitions(pick: Pick, start_ms: int) -> dict[str, Any]:
    """Return definitions that differ in every key, some with versions that take effect during the world."""

    def changed(minutes: float) -> str:
        return format_ms(start_ms + round(minutes * MINUTE_MS))

    return {
        "standard": [
            {
                "threshold_s": 20,
                "first_response": pick(("arrived", "queued", "handed_over")),
                "bot_time": pick(("counted", "left_out")),
            },
            {
                "version": 2,
                "effective_from": changed(pick((1, 7.3, 15))),
                "threshold_s": pick((12.5, 30)),
                "abandon": "positive",
                "csat_top": 5,
            },
            {
                "version": 3,
                "effective_from": changed(pick((31, 46))),
                "count_at": "outcome",
                "first_response": "queued",
                "bot_time": pick(("counted", "left_out")),
            },
        ],
        "strict": [
            {
                "threshold_s": 10,
                "boundary": "lt",
                "abandon": "ignore_in_threshold",
                "asa_denominator": "decided",
                "aht_parts": ["talk"],
                "bot_time": "left_out",
            },
            {"version": 4, "effective_from": changed(pick((3, 20))), "preset": "amazon-connect", "hold_denominator": "held"},
        ],
        "system": {
            "preset": "talkdesk",
            "short_abandon_s": pick((5, 45)),
            "flow_out": {"overflow": "positive", "timeout": "exclude", "transfer": "positive"},
            "aht_parts": pick((["talk", "wrap_up"], ["talk", "hold"])),
            "first_contact_resolution": pick(("reopening_ignored", "of_offered")),
        },
    }


def _identities(pick: Pick, name: str) -> dict[str, list[str]]:
    return {source: [f"{name} {number}"] for source, number in pick(IDENTITIES).items()}


def configuration_of(pick: Pick, start_ms: int) -> Configuration:
    """Return a configuration for the queues and people of these worlds, with settings that differ from world to world."""
    strict = {"threshold_s": 60, "boundary": "lt"}
    default = pick((None, None, ["standard"], ["standard", "system"], {"voice": ["strict", "standard"], "mail": ["system"]}))
    costs = pick((None, {"currency": "EUR", "hourly": 21.5}, {"currency": "JPY", "hourly": 2400}))
    own_costs = costs and pick((None, {"hourly": 30, "fixed_per_hour": 7}, {"currency": costs["currency"], "fixed_per_hour": 0.01}))
    return Configuration.model_validate(
        {
            "default_zone": pick(("UTC", "Asia/Tokyo", "Asia/Kathmandu", "America/New_York")),
            "service_level": {
                "threshold_s": pick((20, 10.5, 60)),
                "abandon": pick(("negative", "positive", "handled_only", "ignore_in_threshold")),
                "short_abandon_s": pick((None, 5, 10)),
                "boundary": pick(("le", "lt")),
            },
            "definitions": _definitions(pick, start_ms),
            "default_definitions": default,
            "sites": {
                "berlin": {"zone": "Europe/Berlin", "individual_figures": pick((True, False))},
                "tokyo": {"zone": "Asia/Tokyo", "day_start": pick(("00:00", "06:30")), "individual_figures": pick((True, False))},
            },
            "queues": {
                "sales": {
                    "channel": "voice",
                    "department": "front",
                    "business": "acme",
                    "site": "berlin",
                    "definitions": pick((None, ["standard", "strict", "system"], ["strict"])),
                    "sources": pick(((), ("switch",))),
                },
                "support": {
                    "sources": pick(((), ("switch",), ("switch", "desk"))),
                    "department": "back",
                    "business": "acme",
                    "site": "berlin",
                    "service_level": strict,
                },
                "care": {
                    "department": "back",
                    "business": "acme",
                    "site": "tokyo",
                    "definitions": pick((None, {"voice": ["system", "standard"], "mail": ["strict"]})),
                },
                "mailbox": {
                    "channel": "mail",
                    "department": "back",
                    "site": "tokyo",
                    "service_level": {"threshold_s": 3600, "version": 4},
                    "reply_target_seconds": pick(REPLY_TARGETS_S),
                },
                "chats": {
                    "channel": "chat",
                    "business": "best",
                    "definitions": ["system", "strict"],
                    "reply_target_seconds": pick(REPLY_TARGETS_S),
                },
                "tickets": {"channel": "ticket", "reply_target_seconds": pick(REPLY_TARGETS_S)},
            },
            "costs": costs,
            "joined_sources": pick(JOINED),
            "sources": _sources(pick(JOURNALS), *pick(NOT_REPORTED)),
            "planned_activities": {"back office": "work", "available": pick(("work", "not_work"))},
            "teams": {
                "red": {"site": "berlin", "business": "acme", "costs": own_costs, "sources": pick(((), ("switch",)))},
                "blue": {"site": "tokyo"},
                "green": {"business": "best", "costs": costs and {"fixed_per_hour": 12.25}},
            },
            "people": {
                "p0": {"team": "red", "identities": _identities(pick, "p0")},
                "p1": {"team": "green", "site": "tokyo"},
                "p2": {"site": "berlin"},
                "ann": {"team": "red", "identities": _identities(pick, "ann")},
                "bo": {"team": "blue", "site": pick((None, "berlin"))},
            },
            "agent_state_map": {"presence": {"Training": "ready"}, "activity": {"paperwork": "wrap_up"}},
            # Nothing of these worlds is forgotten.
            "counting": {
                "rejoin_seconds": pick((60, 60, 30, 0)),
                "closed_retention_seconds": 86_400,
                "lost_after_seconds": pick(LOST_AFTER_S),
                "person_timeout_seconds": pick((43_200, 43_200, 50, 333)),
            },
        },
    )


def _sources(journals: tuple[str, ...], silent: tuple[str, ...], figures: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {name: {"delivery": "journal"} for name in journals}
    for name in silent:
        entries.setdefault(name, {})["not_reported"] = list(figures)
    return entries


def _with_heartbeats(pick: Pick, events: list[Event], configuration: Configuration, grace_ms: int, end_ms: int) -> list[Event]:
    """Return the events in received order with honest heartbeats of those sources that send them: only late events come after all."""
    journals = journals_of(configuration)
    timely = [each for each in events if each.source in journals or not is_late(to_ms(each.occurred_at), to_ms(each.received_at), grace_ms)]
    beats: list[Event] = []
    # From here only late events can arrive, and the silent source is stale: every partition is equally far.
    over_ms = end_ms + grace_ms + pick((8 * PANE_MS, 14 * PANE_MS))
    for source in (each for each in SOURCES if each != SILENT):
        own = [each for each in timely if each.source == source]
        at_ms = min((to_ms(each.received_at) for each in own), default=end_ms)
        while at_ms < end_ms:
            beats += _heartbeats(source, len(beats), at_ms, own)
            at_ms += pick((5_000, 10_000, 10_000, 25_000, 150_000))  # the last is silence that makes the source stale
        beats += _heartbeats(source, len(beats), over_ms, own)
    return sorted([*events, *beats], key=lambda each: each.received_at)


def _heartbeats(source: str, number: int, at_ms: int, own: Iterable[Event]) -> list[Event]:
    """Return the heartbeats of a source, or of each of its gateways, at an instant."""
    to_come = [each for each in own if to_ms(each.received_at) > at_ms]
    ways = GATEWAYS.get(source, (None,))
    return [
        SourceHeartbeat(
            event_id=f"beat-{number + way}-{source}",
            occurred_at=from_ms(at_ms),
            received_at=from_ms(at_ms),
            source=source,
            complete_through=from_ms(
                min([at_ms, *(to_ms(each.occurred_at) for each in to_come if crc32(each.event_id.encode()) % len(ways) == way)])
            ),
            instance=name,
        )
        for way, name in enumerate(ways)
    ]


def _snapshot(pick: Pick, number: int, events: Sequence[Event], start_ms: int, end_ms: int) -> SourceSnapshot:
    """Return a source's list of open contacts: some of its own, by their ids or by their conversations'."""
    source = pick(SOURCES)
    at_ms = start_ms + (end_ms - start_ms) * pick(range(11)) // 10
    of_source = sorted({(e.conversation_id, e.contact_id) for e in events if isinstance(e, ContactModel) and e.source == source}, key=str)
    listed = tuple(pick((own or name, name)) for name, own in of_source if pick((True, True, False)))
    common: dict[str, Any] = {
        "event_id": f"snapshot-{number}",
        "occurred_at": from_ms(at_ms),
        "received_at": from_ms(at_ms + pick(DELAYS_MS)),
    }
    return SourceSnapshot(**common, source=source, kind="contacts", open_ids=listed)


def _forecast(pick: Pick, number: int, start_ms: int) -> ForecastSet:
    """Return a forecast of a queue for a time that may have begun, may overlap others, and is not aligned."""
    at_ms = start_ms + pick((0, 60_000, 400_000))
    return ForecastSet(
        event_id=f"forecast-{number}",
        occurred_at=from_ms(at_ms),
        received_at=from_ms(at_ms + pick(DELAYS_MS)),
        source=pick(SOURCES),
        queue=pick(("sales", "support", "unlisted")),
        channel=pick((None, None, "voice", "chat")),
        interval_start=from_ms(start_ms - start_ms % 300_000 + pick((-1_800_000, -900_000, 0, 0, 300_000, 1_801_000))),
        interval_seconds=pick((300, 900, 1800, 3600, 777)),
        volume=pick((None, 0, 3, 12.5, 1 / 3)),
        handle_seconds=pick((None, 0, 180, 93.7)),
        staff=pick((None, 0, 2, 4.5)),
    )


def _received(event: Event, at_ms: int) -> Event:
    return event.model_copy(update={"received_at": from_ms(at_ms)})


def _frozen_ms(event: Event, grace_ms: int) -> int:
    """Return the last millisecond at which the event is not late."""
    return to_ms(event.occurred_at) // PANE_MS * PANE_MS + PANE_MS + grace_ms


def _second_source(pick: Pick, source: str) -> list[str]:
    """Return another source that uses the same id, if there is one."""
    return [pick([each for each in SOURCES if each != source])] if pick((True, False, False, False)) else []


def _with_own_event_ids(events: Sequence[E]) -> list[E]:
    """Return events with ids of their own."""
    return [each.model_copy(update={"event_id": f"{each.event_id} too"}) for each in events]


def _world(pick: Pick, conversations: int, people: int, *, late: bool) -> World:
    start_ms = pick(STARTS)
    configuration = configuration_of(pick, start_ms)
    grace_ms = configuration.counting.grace_seconds * SECOND_MS
    events: list[Event] = []
    at_ms = start_ms
    surveyed_ms = pick((*(SURVEYED_MS,) * 5, SURVEYED_LONG_AFTER_MS))
    for number in range(conversations):
        source = pick(SOURCES)
        events += _conversation(pick, f"c{number}", at_ms, surveyed_ms, source)
        for other in _second_source(pick, source):
            # Of the same id, with the same event ids where these are other events.
            twin = _conversation(pick, f"c{number}", at_ms, surveyed_ms, other)
            events += _with_own_event_ids(twin) if space_of(other, configuration) == space_of(source, configuration) else twin
        at_ms += pick((0, 1_000, 12_345, 60_000, 200_000))
    end_ms = max([start_ms + 10 * MINUTE_MS, *(to_ms(each.occurred_at) + 1 for each in events)])
    for number in range(people):
        name = PEOPLE[number] if number < len(PEOPLE) else f"p{number}"
        source = pick(SOURCES)
        events += _person(pick, name, start_ms, end_ms, source)
        for other in _second_source(pick, source):
            double = _person(pick, name, start_ms, end_ms, other)
            same = person_of(double[0], configuration) == person_of(double[0].model_copy(update={"source": source}), configuration)
            events += _with_own_event_ids(double) if same else double
    for number in range(pick((0, 0, 3, 8))):
        events.append(_forecast(pick, number, start_ms))
    for number in range(pick((0, 0, 1, 4))):
        events.append(_snapshot(pick, number, events, start_ms, end_ms))
    if late:
        slow = [pick((True, *(False,) * 11)) for _ in events]
        events = [
            _received(each, _frozen_ms(each, grace_ms) + pick((0, 1, 1, 40_000))) if at_last else each
            for each, at_last in zip(events, slow, strict=True)
        ]
    end_ms = max([end_ms, *(to_ms(each.received_at) + 1 for each in events)])
    return World(configuration, _with_heartbeats(pick, events, configuration, grace_ms, end_ms), start_ms, end_ms)


def random_world(seed: int, conversations: int = 50, people: int = 6, *, late: bool = False) -> World:
    """Return the world of a seed; with `late` about one event of twelve arrives at the last moment or later."""
    return _with_answers(_world(Random(seed).choice, conversations, people, late=late))


def _with_answers(world: World) -> World:
    """End consultations: some agents who resume from a hold have consulted another one, and report it in that instant."""
    events: list[Event] = []
    for each in world.events:
        events.append(each)
        if isinstance(each, ContactResumed) and each.event_id[0] != "a":
            fields = each.model_dump(exclude={"type", "event_id", "hold_seconds"})
            events.append(ContactConsultEnded(**fields, event_id=f"{each.event_id} asked"))
    return dataclasses.replace(world, events=events)


@st.composite
def worlds(draw: st.DrawFn, max_conversations: int = 6, max_people: int = 3, *, late: bool = False) -> World:
    """Generate worlds that hypothesis can shrink."""

    def pick(options: Sequence[T]) -> T:
        return options[draw(st.integers(0, len(options) - 1))]

    conversations = draw(st.integers(0, max_conversations))
    return _with_answers(_world(pick, conversations, draw(st.integers(0, max_people)), late=late))


# ---- the same world, received in another order


def shuffled_within_grace(events: Sequence[Event], rng: Random, grace_seconds: int = 120) -> list[Event]:
    """Return the events as received at other times and in another order, none of them late that was not.

    Late events and exclusions keep their time, since their effect depends on it; so do revised events of an excluded conversation.
    Heartbeats keep their time and stay honest.
    """
    grace_ms = grace_seconds * SECOND_MS
    excluded = {each.conversation_id for each in events if isinstance(each, ContactExcluded)}
    deliveries = Counter((each.conversation_id, each.event_id) for each in events if isinstance(each, ContactModel))
    revised = {event_id for (name, event_id), number in deliveries.items() if number > 1 and name in excluded}
    moved: list[Event] = []
    for each in events:
        last_ms = _frozen_ms(each, grace_ms)
        fixed = isinstance(each, SourceHeartbeat | ContactExcluded) or each.event_id in revised or to_ms(each.received_at) > last_ms
        moved.append(each if fixed else _received(each, rng.randint(to_ms(each.occurred_at), last_ms)))
    rng.shuffle(moved)  # those received in one millisecond too
    timely = [each for each in moved if not isinstance(each, SourceHeartbeat) and to_ms(each.received_at) <= _frozen_ms(each, grace_ms)]
    honest: list[Event] = []
    for each in moved:
        if isinstance(each, SourceHeartbeat):
            own = (other for other in timely if other.source == each.source and other.received_at > each.received_at)
            through = min([each.complete_through, *(other.occurred_at for other in own)])
            honest.append(each.model_copy(update={"complete_through": through}))
        else:
            honest.append(each)
    return sorted(honest, key=lambda each: each.received_at)


def repeated(events: Sequence[Event], rng: Random, grace_seconds: int = 120) -> list[Event]:
    """Return the events, each one to three times, as a broker repeats them (the same) or a sender (received later, but not late)."""
    grace_ms = grace_seconds * SECOND_MS
    copies: list[Event] = []
    for each in events:
        copies.append(each)
        last_ms = _frozen_ms(each, grace_ms)
        received_ms = to_ms(each.received_at)
        for _ in range(rng.choice((0, 0, 1, 2))):
            resent = rng.random() < 1 / 2 and received_ms < last_ms and not isinstance(each, SourceHeartbeat)
            copies.append(_received(each, rng.randint(received_ms, last_ms)) if resent else each)
    return sorted(copies, key=lambda each: each.received_at)
