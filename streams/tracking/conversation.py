"""One conversation: its ordered facts, the state they lead to, and what of it goes on now (``docs/counting.md`` sections 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.base import REPLY_CHANNELS
from streams.tracking.backlog import backlog_of, reply_due, standing_place
from streams.tracking.facts import Kind
from streams.tracking.ledger import Ledger, Waits
from streams.tracking.losses import lose, lost_from
from streams.tracking.needs import Needs
from streams.tracking.pending import Open
from streams.tracking.scopes import Targets
from streams.tracking.steps import NOT_INBOUND, STEPS
from streams.tracking.subjects import book_excluded
from streams.windows.hours import OpeningHours

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.tracking.customer_facts import ContactFact
    from streams.tracking.facts import Fact
    from streams.tracking.legs import Leg
    from streams.tracking.matters import Matter
    from streams.tracking.scopes import QueueTargets
    from streams.tracking.self_service import SelfService
    from streams.tracking.subjects import Subject
    from streams.tracking.timers import Bucket
    from streams.tracking.visits import Episode
    from streams.tracking.words import Words

__all__ = ["STATE", "Conversation", "Disorder", "Rules"]

_ARRIVED, _EXCLUDED = int(Kind.ARRIVED), int(Kind.EXCLUDED)


class Rules(NamedTuple):
    """What counting needs from the configuration."""

    targets: Targets
    waits: Waits
    rejoin_ms: int
    lost_after_ms: dict[str, int]
    """channel → how long after its last fact a conversation is lost"""
    shortest_ms: int
    """no conversation is lost sooner than this after a fact"""
    business: dict[str, OpeningHours]
    """queue → when it is open, where it has its times measured on the business clock"""
    needs: Needs = Needs()


class Disorder:
    """What is kept of a conversation some of whose facts came out of order."""

    __slots__ = ("aside", "counted_anew", "marks")

    def __init__(self, counted_anew: int = 0) -> None:
        #: facts that are not counted yet, ordered
        self.aside: list[Fact] = []
        #: how many facts have been counted again for others
        self.counted_anew = counted_anew
        #: (number of facts, what they lead to): counting can go on there
        self.marks: list[tuple[int, Conversation]] = []


class Conversation:
    """One conversation's facts and the state they lead to.

    While a conversation has entered only one queue, its episodes in all larger scopes are the same as its visit and
    are booked together with it under the queue's group; they are told apart from the second visit on.
    """

    __slots__ = (
        "apart", "channel", "contact", "counted", "customer", "disorder", "entered", "episodes", "facts", "had_leg", "last", "last_ms",
        "leg", "legs", "lost_at", "matter", "name", "noted_active", "noted_leg", "noted_open", "noted_visit", "noted_waiting", "passed_on",
        "responded", "service", "single", "single_targets", "source", "start", "subject", "timer", "told", "touch_ms", "visit",
        "visit_channel", "visit_queue", "void", "words", "working",
    )  # fmt: skip

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.facts: list[Fact] = []
        self.noted_visit: int | None = None
        self.noted_leg: Leg | None = None
        self.noted_waiting: tuple[tuple[int, int], ...] = ()
        self.noted_active: int | None = None
        self.noted_open: Open | None = None
        self.source: str | None = None  # of the last fact
        self.contact: str | None = None  # the last contact id, if that is another
        self.told: ContactFact | None = None  # what customers were last told of it
        self.timer: Bucket | None = None  # when it is looked at again, at the latest
        self.disorder: Disorder | None = None  # from the first fact out of order on
        self._reset()

    def _reset(self) -> None:
        self.last_ms = 0  # its last fact, or when it was lost
        self.lost_at = 0  # when it was lost for the last time
        self.void = False
        self.channel: str | None = None
        self.customer: str | None = None
        self.start: int | None = None  # first arrival, else the entry of the first visit
        self.visit: int | None = None  # entered at
        self.entered = 0  # the same of the last visit, open or not
        self.visit_queue = ""
        self.visit_channel = ""
        self.single_targets: QueueTargets | None = None
        self.single: Episode | None = None  # the one episode of a conversation with one visit
        self.episodes: dict[int, Episode] | None = None  # per larger scope's number, from the second visit on
        self.leg: Leg | None = None
        self.legs: list[Leg] | None = None  # ended, wrap-up still to come
        self.had_leg = False
        self.last: tuple[str, str] | None = None  # queue and channel of the last visit or leg
        self.counted: set[str | tuple[int, str]] | None = None  # names: booked under the single group
        self.apart = False  # whether a leg was booked in larger scopes apart from its queue
        self.working: dict[str | None, int] | None = None
        self.touch_ms: int | None = None  # closed and not yet booked
        self.responded = False
        self.passed_on = False  # transferred or escalated
        self.matter: Matter | None = None  # from the first status or callback on
        self.words: Words | None = None  # from the first message on; in reply channels from the arrival on
        self.subject: Subject | None = None  # once it is told what it is about, or that it was kept out
        self.service: SelfService | None = None  # from the first session with a bot or a FAQ on

    # --- taking facts in

    def knows(self, event_id: str) -> bool:
        """Say whether an event is among the facts."""
        for fact in self.facts:
            if fact[3] == event_id:
                return True
        return self.disorder is not None and any(fact[3] == event_id for fact in self.disorder.aside)

    @property
    def newest(self) -> Fact:
        """The last fact, counted or not."""
        aside = None if self.disorder is None else self.disorder.aside
        return self.facts[-1] if not aside or (self.facts and self.facts[-1] > aside[-1]) else aside[-1]

    @property
    def known(self) -> int:
        """How many facts there are, counted or not."""
        return len(self.facts) if self.disorder is None else len(self.facts) + len(self.disorder.aside)

    def takes_in_order(self, fact: Fact) -> bool:
        """Say whether a fact can be counted on top of the others, without counting them anew."""
        facts = self.facts
        # Event ids differ, so the comparison never goes beyond the first four parts.
        return fact[2] != _EXCLUDED and (not facts or (fact > facts[-1] and fact[2] != _ARRIVED and fact[0] > self.lost_at))

    def append(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        """Count a fact that comes after all others."""
        self.facts.append(fact)
        self.step(fact, rules, ledger)

    def refold(self, facts: Sequence[Fact], rules: Rules, ledger: Ledger, through_ms: int | None = None) -> None:
        """Take these ordered facts for all there are up to an instant, and book everything they contribute."""
        self._reset()
        self.facts = list(facts)
        ours = any(f[2] == _ARRIVED and f[5] in NOT_INBOUND for f in self.facts)
        excluded = next((number for number, f in enumerate(self.facts) if f[2] == _EXCLUDED), None)
        self.void = ours or excluded is not None
        for fact in self.facts:
            self.step(fact, rules, ledger)
        if excluded is not None and not ours:
            before = Conversation()
            before.refold(self.facts[:excluded], rules, Ledger())
            book_excluded(before, self.facts[excluded], rules, ledger)
        if through_ms is not None:
            self.lose_by(through_ms, rules, ledger)

    def take_notes(self, other: Conversation) -> None:
        """Take over what was noted of the one that this takes the place of."""
        self.noted_visit, self.noted_leg = other.noted_visit, other.noted_leg
        self.noted_waiting, self.noted_active, self.noted_open = other.noted_waiting, other.noted_active, other.noted_open
        self.source, self.contact, self.timer, self.told = other.source, other.contact, other.timer, other.told
        self.disorder = other.disorder

    # --- what is never heard of again

    @property
    def ended_by_silence(self) -> bool:
        """Whether it was lost after the last of its facts."""
        return self.lost_at > 0 and self.lost_at == self.last_ms

    def lose_by(self, now_ms: int, rules: Rules, ledger: Ledger) -> bool:
        """Count it as lost if it is open and too long nothing is known of it before an instant; say whether it was."""
        due = lost_from(self, rules)
        if due is None or due >= now_ms:
            return False
        lose(self, due, rules, ledger)
        return True

    # --- what goes on now

    def moved(self) -> bool:
        """Say whether it may wait, be worked on or be pending otherwise than when this was last noted."""
        return (
            self.visit != self.noted_visit
            or self.leg is not self.noted_leg
            or self.episodes is not None
            or self.matter is not None
            or self.words is not None
            or self.service is not None
        )

    def note(self, rules: Rules) -> tuple[tuple[tuple[int, int], ...], int | None]:
        """Note and return the targets it waits in, each with since when, and the group in whose scopes an agent works on it."""
        self.noted_visit, self.noted_leg = self.visit, self.leg
        self.noted_waiting = () if self.visit is None else tuple(self._waiting(self.visit, rules))
        self.noted_active = None if self.leg is None else self.leg.targets.everything
        return self.noted_waiting, self.noted_active

    def note_open(self, rules: Rules) -> Open | None:
        """Note and return what of it is pending: a callback, its share of the backlog, a reply."""
        self.noted_open = None
        if self.matter is not None or self.words is not None or (self.last is not None and self.last[1] in REPLY_CHANNELS):
            place = standing_place(self)
            if place is not None:
                backlog, reply = backlog_of(self), reply_due(self, rules)
                callback, due = (False, None) if self.matter is None or self.last is None else (self.matter.callback, self.matter.due)
                if backlog is not None or callback or reply is not None:
                    self.noted_open = Open(rules.targets.of_queue(*place).everything, backlog, self.start, callback, due, reply)
        return self.noted_open

    def _waiting(self, entered: int, rules: Rules) -> Iterable[tuple[int, int]]:
        targets = rules.targets.of_queue(self.visit_queue, self.visit_channel)
        if self.episodes is None:
            yield targets.everything, entered
            return
        yield targets.queue, entered
        for scope, waits_in in zip(targets.larger, targets.larger_waiting, strict=True):
            episode = self.episodes[scope]
            yield waits_in, (episode.entered if episode.state == "waiting" else entered)

    def current_group(self, rules: Rules) -> int | None:
        """Return the group of the queue it is or was last in."""
        return rules.targets.of_queue(*self.last).everything if self.last else None

    def standing_group(self, rules: Rules) -> int | None:
        """Return the group in whose scopes it is pending, if it is."""
        place = standing_place(self)
        return None if place is None else rules.targets.of_queue(*place).everything

    # --- the steps

    def step(self, fact: Fact, rules: Rules, ledger: Ledger) -> None:
        """Count a fact that is among ``facts`` already, after those before it."""
        at = fact[0]
        if at - self.last_ms > rules.shortest_ms:
            self.lose_by(at, rules, ledger)
        self.last_ms = at
        if not self.void:
            STEPS[fact[2]](self, fact, rules, ledger)


#: What a conversation's facts lead to; the rest is what they are, and what was noted of them.
STATE = (
    "apart", "channel", "counted", "customer", "entered", "episodes", "had_leg", "last", "last_ms", "leg", "lost_at", "matter",
    "passed_on", "responded", "service", "single", "single_targets", "start", "subject", "touch_ms", "visit", "visit_channel",
    "visit_queue", "void", "words", "working",
)  # fmt: skip
