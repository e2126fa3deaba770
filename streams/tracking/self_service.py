"""Sessions with a bot or a FAQ: how they end, and whether the customer turns to people (``docs/counting.md`` section 12.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import CUSTOMER, Kind
from streams.tracking.subjects import name_category, outside

if TYPE_CHECKING:
    from streams.tracking.conversation import Conversation, Rules
    from streams.tracking.facts import Fact
    from streams.tracking.ledger import Ledger

__all__ = ["SelfService", "Session", "end_session", "hand_over", "start_session", "stop_session", "turn_to_people"]


class Session:
    """One stay with a bot or in a FAQ."""

    __slots__ = ("category", "channel", "first", "group", "started")

    def __init__(self, channel: str, group: int, started: int, category: str | None, *, first: bool) -> None:
        self.channel = channel
        self.group = group
        self.started = started
        self.category = category
        self.first = first  # nobody had turned to people before


class SelfService:
    """The sessions of a conversation: the open one, and what would have to be taken back of those that ended well."""

    __slots__ = ("ended", "open")

    def __init__(self) -> None:
        self.open: Session | None = None
        #: group, instant of the end, start, and what to book once the customer turns to people
        self.ended: list[tuple[int, int, int, tuple[tuple[str, int], ...]]] = []

    @property
    def channel(self) -> str | None:
        """The channel of the open session."""
        return None if self.open is None else self.open.channel


def start_session(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """Begin a session; the one before is left."""
    at, channel, category, site = fact[0], fact[4], fact[5], fact[6]
    if c.service is None:
        c.service = SelfService()
    stop_session(c.service, at, "left", ledger)
    group = outside(c, fact, site, rules, channel)
    first = c.last is None and not c.had_leg and not any(_is_of_people(each) and each < fact for each in c.facts)
    c.service.open = Session(channel, group, at, category, first=first)
    ledger.book(group, at, at, (("sessions", 1),))
    if category is not None:
        name_category(c, at, category, rules, ledger, served=True)


def end_session(c: Conversation, fact: Fact, rules: Rules, ledger: Ledger) -> None:
    """End the open session as its source says."""
    at, outcome, category = fact[0], fact[4], fact[5]
    if c.service is not None:
        if c.service.open is not None and category is not None:
            c.service.open.category = category
        stop_session(c.service, at, outcome or "left", ledger)
    if category is not None:
        name_category(c, at, category, rules, ledger, served=True)


def hand_over(c: Conversation, fact: Fact, _rules: Rules, ledger: Ledger) -> None:
    """Note that people are to go on."""
    if c.service is not None:
        turn_to_people(c.service, fact[0], ledger)


def _is_of_people(fact: Fact) -> bool:
    """Say whether people were turned to without a queue or an answer, which leave traces of their own."""
    return fact[2] == Kind.HANDED_OVER or (fact[2] == Kind.MESSAGE and fact[5] != CUSTOMER)


def turn_to_people(service: SelfService, at: int, ledger: Ledger) -> None:
    """Take note that the customer does not manage without people."""
    stop_session(service, at, "handed_over", ledger)
    for group, ended, started, undone in service.ended:
        ledger.book(group, ended, started, undone)
    service.ended = []


def stop_session(service: SelfService, at: int, outcome: str, ledger: Ledger) -> None:
    """End the open session, if there is one."""
    session, service.open = service.open, None
    if session is None:
        return
    gains = []
    if outcome != "handed_over":
        gains.append("sessions_contained")
    if outcome == "confirmed_solved" or (outcome == "left" and session.first):
        gains.append("sessions_solved")
    amounts = _with_label(session, ["sessions_decided", *gains], 1)
    ledger.book(session.group, at, session.started, amounts)
    if outcome == "confirmed_solved":
        gains.remove("sessions_solved")  # people met later do not make it unsolved
    if gains:
        service.ended.append((session.group, at, session.started, _with_label(session, gains, -1)))


def _with_label(session: Session, names: list[str], amount: int) -> tuple[tuple[str, int], ...]:
    labelled = [] if session.category is None else [f"{name}={session.category}" for name in names]
    return tuple((name, amount) for name in (*names, *labelled))
