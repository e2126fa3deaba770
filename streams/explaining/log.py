"""Read one partition of contact events again: what each conversation contributes, and its offsets."""

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

__all__ = ["Known", "Offsets", "PartitionLog", "Share", "WatchedEvent"]

#: Records between two flushes of the tracker, as a worker does.
_FLUSH_EVERY = 1000


class Offsets(NamedTuple):
    """The offsets of records in a partition."""

    first: int
    last: int
    records: int


class Known(NamedTuple):
    """One conversation, by its name in the tracker: its facts in order, and the last source that reported it."""

    name: str
    facts: list[AnyFact]
    source: str | None


class Share(NamedTuple):
    """The counts of one conversation, by its name in the tracker, in one window."""

    conversation: str
    counts: Counts
    offsets: Offsets


class WatchedEvent(NamedTuple):
    """An event of the watched conversation, its offset, and why it counted nothing; None where it counted."""

    event_id: str
    type: str
    occurred_ms: int
    source: str
    offset: int
    reason: str | None


class PartitionLog:
    """Reads one partition in order, as a worker's tracker does, and knows what each conversation contributes.

    Events received after ``until_ms``, the figure's as-of, are ignored. Events of the conversation with the id ``watched`` are recorded.
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
        self._unflushed = 0
        self._watched = watched
        self._watched_events: list[WatchedEvent] = []
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
        if not tracker.watermark.has_room(event.source):
            self.rejected += 1
            return
        if event.type == "source.heartbeat":
            tracker.watermark.heartbeat(
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
                self._watched_events.append(WatchedEvent(event.event_id, event.type, event.occurred_ms, event.source, offset, dropped))
            known = tracker.conversations.find(name)
            if known is not None:
                self._remembered[name] = known
            before = self._offsets.get(name)
            self._offsets[name] = Offsets(offset, offset, 1) if before is None else Offsets(before.first, offset, before.records + 1)
        self._unflushed += 1
        if self._unflushed >= _FLUSH_EVERY:
            self.flush()

    def complete_all(self, at_ms: int) -> None:
        """Mark every source complete through an instant, as at the end of a file."""
        watermark = self._tracker.watermark
        for source in watermark.known():
            watermark.heartbeat(source, at_ms, at_ms)

    def flush(self) -> None:
        """Count what is lost by now, and move conversations that are over."""
        self._unflushed = 0
        self._tracker.flush()
        for name in self._tracker.take_changed():
            # A conversation may begin and end between two flushes; it is still remembered here.
            if name not in self._tracker.conversations:
                over = self._remembered.pop(name)
                self._over.append(Known(name, over.facts, over.source))

    def conversations(self) -> list[Known]:
        """Return all conversations read."""
        return [*self._over, *(Known(name, each.facts, each.source) for name, each in self._remembered.items())]

    def shares(self, scope: str, channel: str, span: Span, *, by_offer: bool) -> Iterator[Share]:
        """Yield what each conversation contributes to a window, where it contributes something."""
        self.flush()
        targets = self._tracker.booked_under(Scope(scope, channel))
        if not targets:
            return
        for name, facts, _ in self.conversations():
            booked = self._tracker.postings_of(name, facts)
            counts: Counts = {}
            for (target, start), amounts in (booked.by_offer if by_offer else booked.by_outcome).items():
                if target in targets and span.start_ms <= start < span.end_ms:
                    add_counts(counts, amounts)
            if counts:
                yield Share(name, counts, self._offsets[name])

    def watched_events(self) -> list[WatchedEvent]:
        """Return the events of the watched conversation in order of arrival, each with why it counted nothing."""
        self.flush()
        reasons: dict[str, str] = {}
        for name, facts, _ in self.conversations():
            if id_of(name) == self._watched:
                reasons |= self._tracker.reasons(name, facts)
        return [each if each.reason is not None else each._replace(reason=reasons.get(each.event_id)) for each in self._watched_events]

    def waiting(self, scope: str, channel: str) -> dict[str, int]:
        """Return the conversations that wait in a scope: name → since when, in ms."""
        return self._tracker.waiting_in(Scope(scope, channel))
