"""Restored conversations whose rows are not read yet: the head at the end of a row holds what is needed until then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from streams.configuration.file import configuration_hash
from streams.tracking.backlog import place_or_unassigned
from streams.tracking.facts import Missing
from streams.tracking.losses import lost_from
from streams.tracking.pending import Open, OpenItem
from streams.tracking.state import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.configuration import Configuration
    from streams.tracking.pending import Pending, ScopeLoad
    from streams.tracking.rules import Rules
    from streams.tracking.scopes import Targets
    from streams.tracking.state import Conversation, State, Waits

__all__ = ["Conversations", "Frozen", "Head", "Notes", "Unread", "head_of", "rules_number"]

#: Raise it when rules of waiting, active, pending or lost change: older heads are then ignored.
_FORM: Final = 1
#: Parts of the configuration that decide it.
_DECIDING: Final = {"service_level", "definitions", "default_definitions", "queues", "counting"}


class Head(msgspec.Struct, array_like=True, gc=False):
    """Summary in the last row of a conversation: rules, place, and what is waiting, active or pending.

    ``last_ms``: start of the retention once closed. ``lost_from_ms``: None where nothing is open.
    ``pending``: backlog, start, callback, due and reply due of an ``Open``.
    """

    rules: int
    facts: int
    events: int
    last_ms: int
    lost_from_ms: int | None
    has_customer: bool
    place: tuple[str, str] | None = None
    waiting_since_ms: int | None = None
    is_active: bool = False
    pending: OpenItem | None = None


class Unread(msgspec.Struct, array_like=True, gc=False):
    """The ordered rows of a conversation, and its next events while unread."""

    rows: tuple[bytes, ...]
    events: int
    #: when it is lost or evicted without further facts
    due_ms: int
    #: None where nothing is open
    lost_from_ms: int | None
    last_ms: int
    has_customer: bool


class Frozen(Protocol):
    """Rows of mostly closed and idle conversations, stored outside of memory or packed."""

    def put(self, rows: Iterable[tuple[str, Unread]]) -> None:
        """Add rows of new conversations by name."""

    def take(self, name: str) -> Unread | None:
        """Remove and return the rows of a conversation."""

    def take_over(self, before_ms: int) -> list[tuple[str, int, int]]:
        """Remove closed conversations due before an instant; return names, each with numbers of events and rows."""

    def open_before(self, before_ms: int) -> list[str]:
        """Return the names of open conversations due before an instant."""

    def open_or_since(self, at_ms: int) -> list[str]:
        """Return the names of conversations that are open or have events at an instant or later."""

    def __contains__(self, name: object) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...


class Conversations(Mapping[str, "Conversation"]):
    """All conversations by name; access reads an unread one."""

    def __init__(self, read: Callable[[str, Unread], Conversation]) -> None:
        self._read = read
        self.live: dict[str, Conversation] = {}
        self.unread: dict[str, Unread] = {}
        #: None: unused
        self.frozen: Frozen | None = None

    def find(self, name: str) -> Conversation | None:
        """Return a conversation, if there is one."""
        conversation = self.live.get(name)
        return self.read(name) if conversation is None else conversation

    def read(self, name: str) -> Conversation | None:
        """Read an unread conversation, live from now on; return None if there is none."""
        unread = self.unread.pop(name, None)
        if unread is None and self.frozen is not None:
            unread = self.frozen.take(name)
        return None if unread is None else self._read(name, unread)

    def __getitem__(self, name: str) -> Conversation:
        conversation = self.find(name)
        if conversation is None:
            raise KeyError(name)
        return conversation

    def __contains__(self, name: object) -> bool:
        return name in self.live or name in self.unread or (self.frozen is not None and name in self.frozen)

    def __iter__(self) -> Iterator[str]:
        # Reading a conversation during iteration moves it.
        return iter([*self.live, *self.unread, *(self.frozen or ())])

    def __len__(self) -> int:
        return len(self.live) + len(self.unread) + len(self.frozen or ())


def rules_number(configuration: Configuration) -> int:
    """Return a version number of the rules of waiting, active, pending and lost."""
    return int(configuration_hash(configuration, _DECIDING)[:8], 16) ^ _FORM


def head_of(c: Conversation, rules: Rules, number: int) -> Head | None:
    """Return the head of a folded conversation; None if it is open in several places at once."""
    state, waiting, active, pending = c.state, c.noted_waiting, c.noted_active, c.noted_open
    last, facts = state.last_ms, state.facts
    events = len(facts)
    if c.revised is not None and c.revised.withdrawn:
        withdrawn = c.revised.withdrawn
        events, last = events + len(withdrawn), max(last, *(at for _, at in withdrawn.values()))
    if state.lost_at or c.disorder is not None:
        # Only a lost or recounted conversation may have a fact from a snapshot, which is no event.
        events -= sum([type(fact) is Missing for fact in facts])
    has_customer = state.customer is not None
    if waiting is None and active is None and pending is None:
        session = state.bot_sessions is not None and state.bot_sessions.open is not None
        return Head(number, len(facts), events, last, lost_from(state, rules) if session else None, has_customer)
    since = pending_parts = None
    place: tuple[str, str] | None
    group: int | None
    if state.place is not None:
        place, group = state.place.place, state.place.everything
    else:
        place, group = _unassigned(state, rules)
    if waiting is not None:
        if type(waiting) is not Visit or waiting.targets.everything != group:
            return None
        since = waiting.entered
    if active is not None and active != group:
        return None
    if pending is not None:
        if pending.group != group:
            return None
        pending_parts = pending[1:]
    return Head(number, len(facts), events, last, lost_from(state, rules), has_customer, place, since, active is not None, pending_parts)


def _unassigned(state: State, rules: Rules) -> tuple[tuple[str, str] | None, int | None]:
    place = place_or_unassigned(state)
    return place, None if place is None else rules.targets.of_queue(*place).everything


class Notes:
    """Waiting, active and pending entries of unread conversations, collected: single changes cost by what a scope contains."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._groups: dict[tuple[str, str], int] = {}
        self._waits: defaultdict[int, list[int]] = defaultdict(list)
        self._active: defaultdict[int, int] = defaultdict(int)
        self._open: defaultdict[int, list[OpenItem]] = defaultdict(list)

    def add(self, head: Head, place: tuple[str, str]) -> None:
        """Add the entries of a conversation at a place."""
        group = self._groups.get(place)
        if group is None:
            group = self._group(place)
        waiting_since, pending = head.waiting_since_ms, head.pending
        if waiting_since is not None:
            self._waits[group].append(waiting_since)
        if head.is_active:
            self._active[group] += 1
        if pending is not None:
            self._open[group].append(pending)

    def _group(self, place: tuple[str, str]) -> int:
        group = self._groups.get(place)
        if group is None:
            group = self._groups[place] = self._targets.of_queue(*place).everything
        return group

    def of(self, head: Head) -> tuple[Waits, int | None, Open | None]:
        """Return a conversation's entries: waiting, active, pending."""
        if head.place is None:
            return (), None, None
        group = self._group(head.place)
        waits = () if head.waiting_since_ms is None else ((group, head.waiting_since_ms),)
        return waits, group if head.is_active else None, None if head.pending is None else Open(group, *head.pending)

    def put_into(self, load: ScopeLoad, pending: Pending) -> set[int]:
        """Add and clear all collected entries; return their groups."""
        groups = {*self._waits, *self._active, *self._open}
        load.begin_waits(self._waits)
        for group, number in self._active.items():
            load.add_active(group, number)
        pending.add(self._open)
        for entries in (self._waits, self._active, self._open):
            entries.clear()
        return groups
