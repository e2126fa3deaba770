"""Sessions with a bot or a FAQ: their end, and whether the customer turns to an agent (``docs/counting.md`` section 12.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.tracking.facts import HandedOver, Message, precedes
from streams.tracking.state import BotSession, BotSessions
from streams.tracking.topic import name_category, outside

if TYPE_CHECKING:
    from streams.tracking.facts import AnyFact, SelfServiceEnded, SelfServiceStarted
    from streams.tracking.postings import Postings
    from streams.tracking.rules import Rules
    from streams.tracking.state import State

__all__ = ["end_session", "hand_over", "start_session", "stop_session", "turn_to_agent"]


def start_session(s: State, fact: SelfServiceStarted, rules: Rules, postings: Postings) -> None:
    """Begin a session; an open one ends as left."""
    at, channel, category, site = fact.at, fact.channel, fact.category, fact.site
    if s.bot_sessions is None:
        s.bot_sessions = BotSessions()
    stop_session(s.bot_sessions, at, "left", postings)
    group = outside(s, fact, site, rules, channel)
    first = s.place is None and not s.legs_begun and not any(_involves_agents(earlier) and precedes(earlier, fact) for earlier in s.facts)
    s.bot_sessions.open = BotSession(channel, group, at, category, first)
    postings.book(group, at, at, (("sessions", 1),))
    if category is not None:
        name_category(s, at, category, rules, postings, served=True)


def end_session(s: State, fact: SelfServiceEnded, rules: Rules, postings: Postings) -> None:
    """End the open session with the reported outcome."""
    at, outcome, category = fact.at, fact.outcome, fact.category
    if s.bot_sessions is not None:
        if s.bot_sessions.open is not None and category is not None:
            s.bot_sessions.open.category = category
        stop_session(s.bot_sessions, at, outcome or "left", postings)
    if category is not None:
        name_category(s, at, category, rules, postings, served=True)


def hand_over(s: State, fact: HandedOver, _rules: Rules, postings: Postings) -> None:
    """Record a handover to agents."""
    if s.bot_sessions is not None:
        turn_to_agent(s.bot_sessions, fact.at, postings)


def _involves_agents(fact: AnyFact) -> bool:
    """Return whether a fact involves agents; queues and answers are recorded elsewhere."""
    return isinstance(fact, HandedOver) or (isinstance(fact, Message) and not fact.by_customer)


def turn_to_agent(sessions: BotSessions, at: int, postings: Postings) -> None:
    """Record that the customer needs an agent."""
    stop_session(sessions, at, "handed_over", postings)
    for group, ended, started, undone in sessions.ended:
        postings.book(group, ended, started, undone)
    sessions.ended = []


def stop_session(sessions: BotSessions, at: int, outcome: str, postings: Postings) -> None:
    """End the open session, if there is one."""
    session, sessions.open = sessions.open, None
    if session is None:
        return
    gains = []
    if outcome != "handed_over":
        gains.append("sessions_contained")
    if outcome == "confirmed_solved" or (outcome == "left" and session.first):
        gains.append("sessions_solved")
    amounts = _with_label(session, ["sessions_decided", *gains], 1)
    postings.book(session.group, at, session.started, amounts)
    if outcome == "confirmed_solved":
        gains.remove("sessions_solved")  # later contact with an agent does not make it unsolved
    if gains:
        sessions.ended.append((session.group, at, session.started, _with_label(session, gains, -1)))


def _with_label(session: BotSession, names: list[str], amount: int) -> tuple[tuple[str, int], ...]:
    labelled = [] if session.category is None else [f"{name}={session.category}" for name in names]
    return tuple((name, amount) for name in (*names, *labelled))
