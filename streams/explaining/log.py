"""One partition of contact events read again: what each conversation contributes, and at which offsets it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.decoding import Rejected, decode_contact_event
from schemas.limits import bound_complete_through, bound_times
from schemas.operator import is_order
from streams.tracking.contacts import ContactTracker
from streams.tracking.facts import AnyFact, TooManyFactsError
from streams.tracking.names import FIELDS, Names
from streams.tracking.scopes import Scope
from streams.tracking.spaces import id_of
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration
    from streams.tracking.state import Conversation
    from streams.windows.calendar import Span

__all__ = ["Known", "Offsets", "PartitionLog", "Share", "Told"]

#: Records between two looks at what is lost or over, as a worker does at its flushes.
_SETTLE_EVERY = 1000


class Offsets(NamedTuple):
    """Where records of something stand in a partition."""

    first: int
    last: int
    records: int


class Known(NamedTuple):
    """What is known of one conversation, by its name in the tracker: its facts in order, and the source that told last of it."""

    name: str
    facts: list[AnyFact]
    source: str | None


class Share(NamedTuple):
    """What one conversation, by its name in the tracker, contributes to one window."""

    conversation: str
    counts: Counts
    offsets: Offsets


class Told(NamedTuple):
    """An event of a conversation, where it stands in its partition, and why it counted nothing; None if that is not so."""

    event_id: str
    type: str
    occurred_ms: int
    source: str
    offset: int
    reason: str | None


class PartitionLog:
    """Takes the records of one partition in order, as the tracker of a worker does, and knows what each conversation made of its figures.

    What was received after ``until_ms`` is passed over: a figure says as of when it is. The events of the conversation
    with the id ``watched`` are noted.
    """

    def __init__(self, configuration: Configuration, until_ms: int | None, *, watched: str | None = None) -> None:
        self._until_ms = until_ms
        self._tracker = ContactTracker(configuration)
        self._names = Names(configuration)
        self._names.conversation_of = self._tracker.conversation_of
        #: the conversations still remembered, and the facts of those that are over
        self._remembered: dict[str, Conversation] = {}
        self._over: list[Known] = []
        self._offsets: dict[str, Offsets] = {}
        self._unsettled = 0
        self._watched = watched
        self._told: list[Told] = []
        self.records = 0
        self.rejected = 0

    def take(self, value: bytes | None, offset: int, published_ms: int) -> None:
        """Take one record."""
        self.records += 1
        try:
            event = decode_contact_event(value)
        except Rejected:
            self.rejected += not is_order(value)
            return
        wrong = bound_times(event, published_ms)
        if wrong is None and event.type == "source.heartbeat":
            wrong = bound_complete_through(event, published_ms)
        if wrong is not None:
            self.rejected += 1
            return
        if self._until_ms is not None and event.received_ms > self._until_ms:
            return
        tracker = self._tracker
        if not tracker.progress.has_room(event.source):
            self.rejected += 1
            return
        if event.type == "source.heartbeat":
            tracker.progress.heartbeat(
                event.source, event.received_ms, event.complete_through_ms, ended=event.ended, instance=event.instance
            )
        elif event.type == "source.snapshot":
            tracker.snapshot(event)
        else:
            named = FIELDS.get(type(event))
            if named is not None:
                self._names.admit(event, named)
            name = event.conversation_id + tracker.spaces[event.source]
            late, repeated = tracker.late, tracker.repeated
            try:
                tracker.apply(event)
            except TooManyFactsError:
                self.rejected += 1
                return
            if event.conversation_id == self._watched:
                dropped = "late" if tracker.late > late else "repeated" if tracker.repeated > repeated else None
                self._told.append(Told(event.event_id, event.type, event.occurred_ms, event.source, offset, dropped))
            known = tracker.conversations.find(name)
            if known is not None:
                self._remembered[name] = known
            before = self._offsets.get(name)
            self._offsets[name] = Offsets(offset, offset, 1) if before is None else Offsets(before.first, offset, before.records + 1)
        self._unsettled += 1
        if self._unsettled >= _SETTLE_EVERY:
            self.settle()

    def said(self, at_ms: int) -> None:
        """Take every source's word that nothing up to an instant is still to come, as at the end of a file."""
        progress = self._tracker.progress
        for source in progress.known():
            progress.heartbeat(source, at_ms, at_ms)

    def settle(self) -> None:
        """Count what is lost by now, and take note of what has changed."""
        self._unsettled = 0
        self._tracker.settle()
        for name in self._tracker.take_changed():
            # A conversation may begin and be over between two looks: what was known of it then is in what is remembered here.
            if name not in self._tracker.conversations:
                over = self._remembered.pop(name)
                self._over.append(Known(name, over.facts, over.source))

    def conversations(self) -> list[Known]:
        """Return all conversations that were read of."""
        return [*self._over, *(Known(name, each.facts, each.source) for name, each in self._remembered.items())]

    def shares(self, scope: str, channel: str, span: Span, *, by_offer: bool) -> Iterator[Share]:
        """Yield what each conversation contributes to a window, those that contribute something."""
        self.settle()
        targets = self._tracker.booked_under(Scope(scope, channel))
        if not targets:
            return
        for name, facts, _ in self.conversations():
            booked = self._tracker.contribution(name, facts)
            counts: Counts = {}
            for (target, start), amounts in (booked.by_offer if by_offer else booked.by_outcome).items():
                if target in targets and span.start_ms <= start < span.end_ms:
                    add_counts(counts, amounts)
            if counts:
                yield Share(name, counts, self._offsets[name])

    def told(self) -> list[Told]:
        """Return the events of the watched conversation in the order in which they came, with why they counted nothing."""
        self.settle()
        reasons: dict[str, str] = {}
        for name, facts, _ in self.conversations():
            if id_of(name) == self._watched:
                reasons |= self._tracker.reasons(name, facts)
        return [each if each.reason is not None else each._replace(reason=reasons.get(each.event_id)) for each in self._told]

    def waiting(self, scope: str, channel: str) -> dict[str, int]:
        """Return the names of who waits in a scope and since when, in ms."""
        return self._tracker.waiting_in(Scope(scope, channel))
