"""All conversations of one source partition: their postings, and what of them is waiting, active or pending."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from sys import intern
from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_AHEAD_MS, MAX_FACTS, TOO_MANY_OPEN
from streams.tracking.contact_fact import contact_fact
from streams.tracking.extra_postings import extra_postings_of, thresholds_ms
from streams.tracking.facts import FACT_OF, Excluded, Missing, TooManyFactsError, order_of
from streams.tracking.fold import charge, ended_by_silence, fold, folded, lose_by, put, replace
from streams.tracking.freezing import frozen_rows, is_over, long_idle
from streams.tracking.grid import grid_of
from streams.tracking.held import Held
from streams.tracking.losses import lost_from
from streams.tracking.notes import active_in, actives, has_moved, open_of, pending_group, waiting_in, waits
from streams.tracking.pending import Pending, ScopeLoad
from streams.tracking.postings import OfferPostings, Postings, Waits
from streams.tracking.reasons import reasons_of
from streams.tracking.rows import ROW_FACTS, changed_rows, read_head, read_rows, row_of
from streams.tracking.rules import Rules
from streams.tracking.scopes import TOTAL, Scope, Targets
from streams.tracking.slices import Slices
from streams.tracking.snapshots import Snapshots
from streams.tracking.spaces import Spaces, StoredNames, id_of, space_of
from streams.tracking.state import Conversation, Disorder, Revised
from streams.tracking.timers import Timers
from streams.tracking.unread import Conversations, Notes, Unread, head_of, rules_number
from streams.tracking.watermark import journals_of, watermark_of
from streams.windows.hours import business_clocks
from streams.windows.slices import CELL_MS, PANE_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from streams.configuration import Configuration
    from streams.tracking.facts import AnyFact
    from streams.tracking.rows import ConversationRow
    from streams.tracking.snapshots import Snapshot
    from streams.tracking.state import State
    from streams.tracking.unread import Frozen, Head

__all__ = ["ContactTracker", "keep_ms", "retention_ms"]

#: Cells are retained this long and the grace behind the watermark: an hour longer than roll-up revises a past day.
_DAY_KEEP_MS = 51 * 3_600_000
#: Panes outlive the longest trailing window by this and the grace.
_PANE_SLACK_MS = 120_000
#: A closed conversation is packed after this pause: later events are rare. A flush packs at most so many, at some 15 µs each.
_IDLE_MS = 120_000
_PACKED_A_FLUSH = 2_000
#: Outdated rows rewritten at a flush: some 100 kB.
_REWRITTEN_A_FLUSH = 200


def keep_ms(configuration: Configuration) -> tuple[int, int]:
    """Return how far behind the watermark panes and cells are retained, in ms."""
    counting = configuration.counting
    margin_ms = 1000 * (counting.grace_seconds + counting.rejoin_seconds)
    return max(counting.trailing_minutes) * 60_000 + margin_ms + _PANE_SLACK_MS, _DAY_KEEP_MS + margin_ms


def retention_ms(configuration: Configuration) -> int:
    """Return how long closed conversations are retained, in ms: at least as long as their events may arrive."""
    counting = configuration.counting
    return 1000 * max(counting.closed_retention_seconds, counting.grace_seconds + counting.rejoin_seconds)


def _events_of(conversation: Conversation) -> int:
    withdrawn = 0 if conversation.revised is None else len(conversation.revised.withdrawn)
    return withdrawn + sum(not isinstance(fact, Missing) for fact in conversation.every_fact())


def _merged(first: Conversation, second: Conversation) -> tuple[list[AnyFact], Revised | None]:
    """Return the ordered facts and the revisions of two conversations with one id: of each event the latest revision."""
    latest: dict[str, tuple[int, AnyFact | None, int]] = {}
    for conversation in (first, second):
        revised = conversation.revised or Revised()
        reports: list[tuple[str, tuple[int, AnyFact | None, int]]]
        reports = [(fact.event_id, (revised.facts.get(fact.event_id, 0), fact, fact.at)) for fact in conversation.facts]
        reports += [(event_id, (revision, None, at)) for event_id, (revision, at) in revised.withdrawn.items()]
        latest |= {event_id: report for event_id, report in reports if event_id not in latest or report[0] >= latest[event_id][0]}
    facts = sorted((fact for _, fact, _ in latest.values() if fact is not None), key=order_of)[:MAX_FACTS]
    merged = Revised()
    for event_id, (revision, fact, at) in latest.items():
        if revision:
            merged.note(event_id, revision, at, is_fact=fact is not None)
    return facts, merged if merged.facts or merged.withdrawn else None


def _revised(conversation: Conversation) -> Revised:
    if conversation.revised is None:
        conversation.revised = Revised()
    return conversation.revised


def _check_revisions(revised: Revised) -> None:
    """Raise TooManyFactsError if no further revision can be stored."""
    if len(revised.facts) + len(revised.withdrawn) >= MAX_FACTS:
        raise TooManyFactsError("conversation_id", MAX_FACTS)


class ContactTracker:
    """Conversations by id and space; absolute slices; open visits, active legs and what is pending by target."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        counting = configuration.counting
        self._grace_ms = 1000 * counting.grace_seconds
        #: longest delay of an event that occurred at the start of a pane
        self.late_ms = self._grace_ms + PANE_MS
        self._retention_ms = retention_ms(configuration)
        self._targets = Targets(configuration)
        lost_after_ms = {str(channel): 1000 * seconds for channel, seconds in counting.lost_after_seconds.items()}
        shortest_ms = min(lost_after_ms.values())
        waits, business = Waits(thresholds_ms(configuration)), business_clocks(configuration)
        self._rules = Rules(
            self._targets, waits, 1000 * counting.rejoin_seconds, lost_after_ms, shortest_ms, business, extra_postings_of(configuration)
        )
        self._postings = Postings()
        panes, cells = (None, None) if keep_everything else keep_ms(configuration)
        self.slices = Slices(self._targets, panes, cells, grid_of(configuration))
        self.watermark = watermark_of(configuration)
        self.journals = journals_of(configuration)
        #: source → suffix of its ids in the names of conversations
        self.spaces = Spaces(configuration)
        #: spaces of journals, and retention there: as long as anything can be booked
        self._journal_spaces = frozenset(space_of(self.spaces[source]) for source in self.journals)
        self._journal_ms = max(self._retention_ms, keep_ms(configuration)[1])
        self.conversations = Conversations(self._read)
        self._live, self._unread = self.conversations.live, self.conversations.unread
        limits = configuration.source_limits
        self.held = Held(TOO_MANY_OPEN, limits.max_contacts, limits.max_contact_events)
        self.stored_names = StoredNames()
        #: names of conversations merged after a restart
        self.merged: set[str] = set()
        self._to_merge: list[Conversation] = []
        self._load = ScopeLoad(self._targets)
        self._pending = Pending(self._targets)
        #: version of the rules behind the heads of rows
        self._rules_number = rules_number(configuration)
        #: during a restore: heads of conversations that need not be read
        self._notes = Notes(self._targets)
        #: whether the notes contain a conversation that has been read
        self._has_stale_notes = False
        #: every conversation lost up to here has been read
        self._read_to: int | None = None
        #: names of conversations whose rows lack a current head
        self._outdated: list[str] = []
        self._touched_now: set[int] = set()
        #: names in the order of change: neighbours are alike, and adjacent in memory
        self._changed: dict[str, None] = {}
        #: row of an evicted or renamed conversation → its number of rows
        self._deleted_rows: dict[str, int] = {}
        #: conversations with facts to fold, in the order of the first; some may be folded by now
        self._unfolded: list[Conversation] = []
        self._timers = Timers()
        #: names of conversations closed at a restart and not packed yet
        self._unread_over: list[str] = []
        #: name of a closed conversation → watermark at its last change, row and head; in that order; None: nothing is packed
        self._idle: OrderedDict[str, tuple[int, bytes | None, Head | None]] | None = None
        self.snapshots = Snapshots("contacts", self._grace_ms)
        self._soonest_ms = min(shortest_ms, self._retention_ms)
        #: watermark up to which silent conversations are counted as lost
        self.lost_to: int | None = None
        #: evicted conversations of known customers, whose last fact may be unpublished
        self.evicted: list[Conversation] = []
        #: late events and repeats since the process began
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Apply a decoded contact event with valid times.

        Raises:
            TooManyFactsError: its conversation or source has reached a limit.
        """
        received, at, source = event.received_ms, event.occurred_ms, event.source
        last = self.watermark.sources.get(source)
        if last is None or received > last:
            self.watermark.received(source, received)
        make = FACT_OF.get(type(event))
        fact = None if make is None else make(event)
        late = received > at - at % PANE_MS + self.late_ms and source not in self.journals
        revision = event.revision
        if fact is None and not revision:
            if late:
                self._count_late(event, received)
            return
        conversation_id, suffix = event.conversation_id, self.spaces[source]
        name = conversation_id + suffix
        conversation = self._live.get(name)
        if conversation is None:
            conversation = self.conversations.read(name)
            if conversation is None and self.stored_names.unclaimed(conversation_id):
                conversation = self._claim(conversation_id, name)
        if conversation is not None and conversation.knows(event.event_id):
            if not revision or not self._apply_revision(conversation, event, fact, late=late):
                self.repeated += 1
            return
        if late:
            self._count_late(event, received)
            return
        if revision and conversation is not None and conversation.revised is not None:
            _check_revisions(conversation.revised)
        held = self.held.room(suffix, begins=conversation is None)
        if conversation is None:
            conversation = self._live[name] = Conversation(name)
            held[0] += 1
        elif fact is not None and conversation.known >= MAX_FACTS:
            raise TooManyFactsError("conversation_id", MAX_FACTS)
        if fact is None:
            held[1] += 1
            self._record_withdrawn(conversation, event)
            return
        # Share the conversation's own string: each event brings another copy.
        name = conversation.name
        if type(fact) is Excluded and source not in self.journals and self._excludes_too_late(conversation, fact, received):
            self._count_late(event, received)
            return
        if conversation.fresh is None:
            self._unfolded.append(conversation)
        put(conversation, fact)
        self._changed[name] = None
        held[1] += 1
        if revision:
            _revised(conversation).note(fact.event_id, revision, at, is_fact=True)
        if conversation.newest is fact:
            conversation.source = intern(source)
            contact = fact.contact
            if contact and contact != conversation_id:
                conversation.contact = contact

    def _apply_revision(self, conversation: Conversation, event: Any, fact: AnyFact | None, *, late: bool) -> bool:
        """Apply a revision of a known event; return whether it is a newer one, late or not.

        Raises:
            TooManyFactsError: the recounts of the conversation are exhausted.
        """
        event_id, revision, received = event.event_id, event.revision, event.received_ms
        known = _revised(conversation)
        if revision <= known.of(event_id):
            return False
        old = conversation.fact_of(event_id)
        may_be_too_late = type(old) is not Excluded and event.source not in self.journals
        if late or (type(fact) is Excluded and may_be_too_late and self._excludes_too_late(conversation, fact, received)):
            self._count_late(event, received)
            return True
        if old is None:
            if fact is not None:
                put(conversation, fact)
        elif fact != old:
            replace(conversation, known, old, fact)
        else:
            conversation.written = min(conversation.written, bisect_left(conversation.facts, order_of(old), key=order_of))
        if fact is None:
            self._record_withdrawn(conversation, event)
        else:
            known.note(event_id, revision, event.occurred_ms, is_fact=True)
        if conversation.fresh is not None:
            self._unfolded.append(conversation)
        self._changed[conversation.name] = None
        return True

    def _record_withdrawn(self, conversation: Conversation, event: Any) -> None:
        """Record that an event counts nothing; its conversation may have no other event."""
        _revised(conversation).note(event.event_id, event.revision, event.occurred_ms, is_fact=False)
        self._changed[conversation.name] = None
        if conversation.source is None:
            conversation.source = intern(event.source)
        if conversation.timer is None:
            conversation.timer = self._timers.add(conversation.name, event.occurred_ms + self._soonest_ms, None)

    def conversation_of(self, event: Any) -> Conversation | None:
        """Return the conversation of an event, if there is one."""
        return self.conversations.find(event.conversation_id + self.spaces[event.source])

    def _claim(self, row: str, name: str) -> Conversation | None:
        """Assign a conversation stored without a source to the first source that reports it."""
        conversation = self._live.pop(row, None)
        if conversation is None:
            return None
        self.stored_names.take(row, name)
        self.held.move(row, name, _events_of(conversation))
        conversation.name, conversation.timer = name, None
        self._move_rows(conversation, row)
        self._live[name] = conversation
        self._changed[name] = None
        conversation.timer = self._timers.add(name, conversation.state.last_ms + self._soonest_ms, None)
        return conversation

    def _move_rows(self, conversation: Conversation, row: str) -> None:
        """Schedule a complete write of a conversation stored under another name."""
        self._deleted_rows[row] = conversation.row_count
        conversation.written = conversation.row_count = 0

    def _excludes_too_late(self, conversation: Conversation, fact: Excluded, received: int) -> bool:
        """Return whether an exclusion would change a frozen pane; flushes make no difference."""
        name = conversation.name
        # The check is charged in any case.
        charge(conversation, fact)
        self._changed[name] = None
        self._fold(conversation)
        if conversation.state.void is True:
            return False  # Only its first exclusion counts, and one in time cannot move that into a frozen pane.
        contributed = Postings()
        # By receipt and not by watermark: whether it is lost must not depend on the time of this check.
        folded(name, conversation.facts, self._rules, contributed, received)
        earliest = contributed.earliest_change()
        return earliest is not None and earliest + PANE_MS + self._grace_ms < received

    def _fold(self, conversation: Conversation) -> None:
        """Fold the new facts of a conversation and update its waiting, active and pending entries."""
        if conversation.fresh is not None:
            fold(conversation, self._rules, self._postings, self.lost_to)
            if conversation.timer is None or has_moved(conversation):
                self._note_now(conversation.name, conversation)

    def _fold_all(self) -> None:
        unfolded, self._unfolded = self._unfolded, []
        for conversation in unfolded:
            self._fold(conversation)

    def _replace_facts(self, conversation: Conversation, facts: list[AnyFact], lost_to: int | None = None) -> None:
        """Replace the facts of a conversation and book the difference.

        ``lost_to``: the watermark at which it was counted, if that is not the current one.
        """
        name, before = conversation.name, Postings()
        counted_to = (self.lost_to if lost_to is None else lost_to) if ended_by_silence(conversation.state) else None
        folded(name, conversation.facts, self._rules, before, counted_to)
        conversation.state = folded(name, facts, self._rules, self._postings, self.lost_to)
        conversation.newest = facts[-1] if facts else None
        conversation.written = 0
        self._postings.add(before, -1)
        if conversation.disorder is not None:
            conversation.disorder.checkpoints = []
        self._note_now(name, conversation)

    def snapshot(self, event: Any) -> bool:
        """Accept a source's snapshot of what is open; return whether its rate is within the limit."""
        self.watermark.received(event.source, event.received_ms)
        return self.snapshots.take(event, self.spaces[event.source], self.watermark.received_through or 0)

    def _count_late(self, event: Any, received: int) -> None:
        self.late += 1
        conversation = self.conversations.find(event.conversation_id + self.spaces[event.source])
        group = None
        if conversation is not None:
            self._fold(conversation)
            place = conversation.state.place
            group = None if place is None else place.everything
        if group is None:
            queue = getattr(event, "queue", None)
            channel = getattr(event, "channel", None)
            if queue is not None:
                group = self._targets.of_queue(queue, channel or self._targets.channel_of(queue) or "voice").everything
            else:
                group = self._targets.number(Scope(TOTAL, channel or "voice"))
        self._postings.book(group, received, received, (("late_events", 1),))

    def _note_now(self, name: str, conversation: Conversation) -> None:
        """Update where a conversation waits and since when, is active and is pending."""
        state, load = conversation.state, self._load
        waiting, now_waiting = conversation.noted_waiting, waiting_in(state)
        if now_waiting is not waiting and now_waiting != waiting:
            conversation.noted_waiting = now_waiting
            for target, since in waits(waiting):
                load.end_wait(target, since)
                self._touched_now.add(target)
            for target, since in waits(now_waiting):
                load.begin_wait(target, since)
                self._touched_now.add(target)
        active, now_active = conversation.noted_active, active_in(state)
        if now_active != active:
            conversation.noted_active = now_active
            for groups, change in ((active, -1), (now_active, 1)):
                for group in actives(groups):
                    load.add_active(group, change)
                    self._touched_now.add(group)
        was_open, now_open = conversation.noted_open, open_of(state, self._rules)
        if now_open != was_open:
            conversation.noted_open = now_open
            self._pending.note(was_open, now_open)
            self._touched_now.update(entry.group for entry in (was_open, now_open) if entry is not None)
        # Nothing falls due sooner after a fact; the check then postpones it.
        conversation.timer = self._timers.add(name, state.last_ms + self._soonest_ms, conversation.timer)

    @property
    def taken(self) -> tuple[dict[str, None], list[Conversation]]:
        """Names of the conversations changed since the last flush, and conversations with facts to fold; both are mutable."""
        return self._changed, self._unfolded

    # --- explaining a figure

    def postings_of(self, name: str, facts: list[AnyFact]) -> Postings:
        """Return the postings of a conversation with these facts, at the current watermark."""
        return self.counted_alone(name, facts)[1]

    def counted_alone(self, name: str, facts: list[AnyFact]) -> tuple[State, Postings]:
        """Return the state and the postings of a conversation with these facts, at the current watermark."""
        contributed = Postings()
        return folded(name, facts, self._rules, contributed, self.lost_to), contributed

    def reasons(self, name: str, facts: list[AnyFact]) -> dict[str, str]:
        """Return event id → reason, of the facts of a conversation that count nothing."""
        return reasons_of(name, facts, self._rules)

    def booked_under(self, scope: Scope) -> frozenset[int]:
        """Return the targets of postings that count in a scope."""
        return frozenset(self._targets.feeding.get(scope, ()))

    def scopes_under(self, target: int) -> tuple[Scope, ...]:
        """Return the scopes that a target of postings counts in."""
        return self._targets.scopes[target]

    def waiting_in(self, scope: Scope) -> dict[str, int]:
        """Return the names of the conversations that wait in a scope, with the start of the wait in ms."""
        feeding = self.booked_under(scope)
        return {
            name: since
            for name, conversation in self.conversations.items()
            for target, since in waits(conversation.noted_waiting)
            if target in feeding
        }

    def _due(self, conversation: Conversation) -> int:
        """Return when a silent conversation is lost or evicted."""
        lost = lost_from(conversation.state, self._rules)
        if lost is not None:
            return lost
        revised, last = conversation.revised, conversation.state.last_ms
        if revised is not None and revised.withdrawn:
            last = max(last, *(at for _, at in revised.withdrawn.values()))
        return self._kept_until(conversation.name, last)

    def _kept_until(self, name: str, last_ms: int) -> int:
        """Return when a conversation closed at an instant is evicted."""
        is_of_journal = self._journal_spaces and space_of(name) in self._journal_spaces
        return last_ms + (self._journal_ms if is_of_journal else self._retention_ms)

    # --- at a flush

    def flush(self) -> None:
        """Fold new facts, count lost conversations, write postings into slices and evict what is too old."""
        self._fold_all()
        self.watermark.advance()
        through = self.watermark.ms
        if through is not None:
            self.slices.evict_panes(through)
            before, self.lost_to = self.lost_to, through
            self._expire_silent(through)
            self._apply_snapshots(before, through)
        self._rewrite_outdated()
        self.slices.book(self._postings)
        self._postings.clear()
        if through is not None:
            self.slices.evict(through)

    def set_back(self, to_ms: int, now_ms: int) -> None:
        """Set the watermark back to an instant if it lies beyond; conversations lost after it are open again, unless evicted.

        Bookings later than ``now_ms`` by more than clocks may differ are dropped.
        """
        self._fold_all()
        self.watermark.set_back(to_ms)
        before = self.lost_to
        if before is None or before <= to_ms:
            return
        self.lost_to = to_ms
        pending, self._postings = self._postings, Postings()
        frozen = self.conversations.frozen
        # Conversations closed before stay closed.
        for name in [*self._live, *self._unread, *(() if frozen is None else frozen.open_or_since(to_ms))]:
            conversation = self.conversations[name]
            if ended_by_silence(conversation.state) and conversation.state.lost_at >= to_ms:
                self._changed[name] = None
                self._replace_facts(conversation, conversation.facts, before)
        # Slices evicted in between must not become negative.
        self.slices.book(self._postings)
        self._postings = pending
        self.slices.empty_from(now_ms + MAX_AHEAD_MS + CELL_MS)
        self.slices.set_back(to_ms)

    def _expire_silent(self, through: int) -> None:
        """Count silent open conversations as lost and evict closed ones."""
        frozen = self.conversations.frozen
        if frozen is not None:
            for name, events, row_count in frozen.take_over(through):
                self._evict(name, row_count, events)
            for name in frozen.open_before(through):
                self.conversations.read(name)
        for name, bucket in self._timers.passed(through):
            conversation = self._live.get(name)
            if conversation is None:
                conversation = self._check_unread(name, through)
            elif conversation.timer is not bucket:
                continue
            if conversation is None:
                continue
            if lose_by(conversation.state, through, self._rules, self._postings):
                self._note_now(name, conversation)
                self.record_idle(name, None, None)
            due = self._due(conversation)
            if due < through:
                del self._live[name]
                self._evict(name, conversation.row_count, _events_of(conversation))
                if conversation.state.customer is not None or conversation.published_fact is not None:
                    self.evicted.append(conversation)
            else:
                conversation.timer = self._timers.add(name, due, None)
        self._read_to = through

    def _evict(self, name: str, row_count: int, events: int) -> None:
        self._deleted_rows[name] = row_count
        self.held.drop(name, events)
        self._changed[name] = None

    def _check_unread(self, name: str, through: int) -> Conversation | None:
        """Evict a closed unread conversation; read and return one that is lost or has a customer to publish for."""
        unread = self._unread.get(name)
        if unread is None:
            return None
        if unread.due_ms >= through:
            self._timers.add(name, unread.due_ms, None)
        elif unread.lost_from_ms is None and not unread.has_customer:
            del self._unread[name]
            self._evict(name, len(unread.rows), unread.events)
        else:
            return self.conversations.read(name)
        return None

    def _apply_snapshots(self, before: int | None, through: int) -> None:
        """Count conversations missing from a snapshot as lost; compare changed ones again while late events may decide."""
        frozen = self.conversations.frozen
        for snapshot in self.snapshots.new(before, through) if self._unread or frozen is not None else ():
            # The others are closed, or listed.
            at_ms = snapshot.at_ms
            names = [name for name, unread in self._unread.items() if unread.lost_from_ms is not None or unread.last_ms >= at_ms]
            for name in [*names, *(() if frozen is None else frozen.open_or_since(at_ms))]:
                if id_of(name) not in snapshot.open_ids:
                    self.conversations.read(name)
        for name, snapshot in self.snapshots.to_compare(before, through, self._live, self._changed):
            self._compare(self._live[name], snapshot)

    def _compare(self, conversation: Conversation, snapshot: Snapshot) -> None:
        """Add or remove the fact that a conversation is missing from a snapshot."""
        marked = conversation.knows(snapshot.name)
        at, state = snapshot.at_ms, conversation.state
        if not marked and (state.void or (lost_from(state, self._rules) is None and state.last_ms < at)):
            return
        name = conversation.name
        facts = [fact for fact in conversation.facts if fact.event_id != snapshot.name]
        missing = snapshot.misses(id_of(name), conversation.contact, [fact.at for fact in facts if not isinstance(fact, Missing)])
        missing = missing and not any(fact.contact in snapshot.open_ids for fact in facts)
        if missing:
            due = lost_from(folded(name, [fact for fact in facts if fact.at < at], self._rules, Postings()), self._rules)
            missing = due is not None and due >= at
        if missing != marked:
            if missing:
                facts.append(Missing(at, -1, snapshot.name, None))
            self._changed[name] = None
            self._replace_facts(conversation, sorted(facts, key=order_of))

    def changed_conversations(self) -> Iterator[tuple[str, ConversationRow | None]]:
        """Yield name and row of conversations changed since the last call, None for evicted ones."""
        for name in self.take_changed():
            self._deleted_rows.pop(name, None)
            conversation = self._live.get(name)
            if conversation is None:
                yield name, None
            else:
                self._fold(conversation)
                yield name, row_of(conversation)

    def changed_rows(self, name: str) -> list[tuple[int, ConversationRow | None]]:
        """Return number and content of the rows to write for a changed conversation, None for rows to delete."""
        conversation, gone = self._live.get(name), self._deleted_rows.pop(name, 0)
        if conversation is None:
            return [(number, None) for number in range(max(1, gone))]
        if conversation.fresh is not None:
            self._fold(conversation)
        conversation.row_count = max(conversation.row_count, gone)
        return changed_rows(conversation, head_of(conversation, self._rules, self._rules_number))

    def take_changed(self) -> Collection[str]:
        """Return the names of the conversations changed since the last call, in order of first change."""
        changed, self._changed = self._changed, {}
        return changed

    def discard_changes(self) -> None:
        """Discard the changes: their rows are not to be written."""
        self._changed.clear()
        self._deleted_rows.clear()

    def emit_differences(self) -> None:
        """Retain no slices from now on: emit differences of cells, and no panes."""
        self.slices.emit_differences()
        if not self.slices.grid.both_ways:
            self._postings = OfferPostings()

    def freeze(self, most: int) -> None:
        """Move conversations unlikely to change out of memory if there are more than ``most``; call it right after a flush."""
        frozen, live = self.conversations.frozen, self._live
        if frozen is None or len(live) <= most:
            return
        chosen = long_idle(live.values(), most)
        rows = (
            (conversation.name, frozen_rows(conversation, self._rules, self._rules_number, self._kept_until)) for conversation in chosen
        )
        idle = [(name, row) for name, row in rows if row is not None]
        frozen.put(idle)
        for name, _ in idle:
            del live[name]
        self._timers.keep(live)

    def pack_idle(self, rows: Frozen) -> None:
        """Move closed and idle conversations into ``rows`` from now on."""
        self.conversations.frozen, self._idle = rows, OrderedDict()

    def record_idle(self, name: str, row: bytes | None, head: Head | None) -> None:
        """Record the row of a conversation as just written; None if it has several rows, or none was written."""
        if self._idle is not None:
            self._idle[name] = self.lost_to or 0, row, head
            self._idle.move_to_end(name)

    def pack_closed(self) -> None:
        """Replace some closed and idle conversations by their rows; call it after a flush has written rows."""
        frozen, live, resting = self.conversations.frozen, self._live, self._idle
        if frozen is None or resting is None or not (resting or self._unread_over):
            return
        idle_since = (self.lost_to or 0) - _IDLE_MS
        packed = [(name, self._unread.pop(name)) for name in self._unread_over[-_PACKED_A_FLUSH:] if name in self._unread]
        del self._unread_over[-_PACKED_A_FLUSH:]
        for _ in range(_PACKED_A_FLUSH):
            if not resting:
                break
            name = next(iter(resting))
            since, row, head = resting[name]
            if since > idle_since:
                break
            del resting[name]
            conversation = live.get(name)
            # A conversation never written under its name, or without a source yet, stays.
            if conversation is None or not conversation.row_count or conversation.source is None or not is_over(conversation):
                continue
            if row is None or head is None:
                unread = frozen_rows(conversation, self._rules, self._rules_number, self._kept_until)
            else:
                unread = Unread((row,), head.events, self._kept_until(name, head.last_ms), None, head.last_ms, head.has_customer)
            if unread is not None:
                packed.append((name, unread))
                del live[name]
        frozen.put(packed)

    def is_open(self, scope: Scope) -> bool:
        """Return whether a scope has waiting, active or pending contacts."""
        return bool(self._load.waiting(scope) or self._load.active(scope) or self._pending.is_open(scope))

    def changed_now(self, begun: Iterable[Scope] = ()) -> Iterator[tuple[Scope, list[int], int]]:
        """Yield scope, entries of waiting contacts (ascending, ms) and number of active ones, of changed and ``begun`` scopes."""
        touched, self._touched_now = self._touched_now, set()
        for scope in {scope for target in touched for scope in self._targets.scopes[target]}.union(begun):
            yield scope, self._load.waiting(scope), self._load.active(scope)

    def pending(self, scope: Scope, passed_ms: int | None = None) -> dict[str, Any]:
        """Return what is pending in a scope, and waits judged by another definition, as fields of a now record.

        ``passed_ms``: an instant that as-of has passed.
        """
        figures = self._pending.figures(scope, passed_ms)
        judged = self._load.waiting_by_definition(scope)
        return {**figures, "waiting_since_ms_by_definition": judged} if judged else figures

    # --- after a restart

    @property
    def uncounted_from_ms(self) -> int | None:
        """The instant after which events that count nothing are counted; None: all are."""
        return self._rules.uncounted_from_ms

    @uncounted_from_ms.setter
    def uncounted_from_ms(self, at_ms: int | None) -> None:
        self._rules = self._rules._replace(uncounted_from_ms=at_ms)

    @property
    def by_category_from_ms(self) -> int | None:
        """The instant after which complaints and thanks count by category; None: all do."""
        return self._rules.by_category_from_ms

    @by_category_from_ms.setter
    def by_category_from_ms(self, at_ms: int | None) -> None:
        self._rules = self._rules._replace(by_category_from_ms=at_ms)

    def restore_rows(self, first: dict[str, bytes], more: dict[str, dict[int, bytes]]) -> None:
        """Restore conversations from first rows and, if any, further rows by number; ``lost_to`` is restored before.

        Only conversations without a current head are read now.
        """
        # A restart waits for this loop: lookups are local, and only the needed fields of a head are retained.
        live, unread, spaces, number, read, lost_to = self._live, self._unread, self.spaces, self._rules_number, read_head, self.lost_to
        add_note, journals, retention_ms = self._notes.add, self._journal_spaces, self._retention_ms
        for row, value in first.items():
            values: tuple[bytes, ...] = (value,)
            if more and row in more:
                values = (value, *(more_row for _, more_row in sorted(more[row].items())))
            last = values[-1]
            if last[:1] == b"{":
                headed = read(last)
                head, source = headed.head, headed.source
                if head is not None and head.rules == number and source is not None and row.endswith(spaces[source]) and row not in live:
                    due = lost_from = head.lost_from_ms
                    if due is None:
                        due = self._kept_until(row, head.last_ms) if journals else head.last_ms + retention_ms
                    elif lost_to is not None and due < lost_to:
                        # It was lost without a further fact, after its row was written.
                        live[row] = self._built_from(row, read_rows(values), len(values))
                        continue
                    unread[row] = Unread(values, head.events, due, lost_from, head.last_ms, head.has_customer)
                    place = head.place
                    if place is not None:
                        add_note(head, place)
                    continue
            stored = read_rows(values)
            if stored.source is not None and row.endswith(spaces[stored.source]):
                self._outdated.append(row)
            self.restore_conversation(row, stored, len(values))

    def restore_conversation(self, row: str, stored: ConversationRow, row_count: int = 1) -> None:
        """Restore a conversation stored in ``row_count`` rows; older rows lack the source."""
        source = stored.source
        name = self.stored_names.take(row, None if source is None else id_of(row) + self.spaces[source])
        conversation = self._built_from(name, stored, row_count)
        if name != row:
            self._move_rows(conversation, row)
        unread = self._unread.pop(name, None)
        if unread is not None:
            self._live[name] = self._built_from(name, read_rows(unread.rows), len(unread.rows))
            self._has_stale_notes = True
        if self._live.setdefault(name, conversation) is not conversation:
            self._to_merge.append(conversation)

    def _built_from(self, name: str, stored: ConversationRow, row_count: int) -> Conversation:
        """Return a stored conversation as it was before any loss after its last fact."""
        conversation = Conversation(name)
        conversation.source, conversation.contact = None if stored.source is None else intern(stored.source), stored.contact
        conversation.disorder = None if stored.counted_anew is None else Disorder(stored.counted_anew)
        conversation.state = folded(name, stored.facts, self._rules, Postings())
        conversation.newest = stored.facts[-1] if stored.facts else None
        if stored.revisions or stored.withdrawn:
            conversation.revised = Revised(stored.revisions, stored.withdrawn)
        conversation.row_count = row_count
        # Rows of older versions may hold more facts than a current row.
        conversation.written = len(stored.facts) if len(stored.facts) <= row_count * ROW_FACTS else 0
        return conversation

    def _read(self, name: str, unread: Unread) -> Conversation:
        """Read the rows of a conversation whose waiting, active and pending entries exist."""
        stored = read_rows(unread.rows)
        conversation = self._live[name] = self._built_from(name, stored, len(unread.rows))
        state = conversation.state
        if self._read_to is not None:
            # A loss up to then is booked; the timer handles a later one.
            lose_by(state, self._read_to, self._rules, Postings())
        conversation.timer = self._timers.add(name, unread.due_ms, None)
        if stored.head is not None:
            noted, now = self._notes.of(stored.head), waiting_in(state)
            waiting, conversation.noted_active, conversation.noted_open = noted
            if (waits(now), active_in(state), open_of(state, self._rules)) == noted:
                conversation.noted_waiting = now
            else:
                conversation.noted_waiting = waiting
                self._note_now(name, conversation)
        conversation.published_fact = contact_fact(state)
        self.record_idle(name, None, None)
        return conversation

    def _merge(self, other: Conversation) -> None:
        """Merge two conversations of one id whose sources have been joined since."""
        name = other.name
        known = self._live[name]
        before, counted = Postings(), Conversation(name)
        for conversation in (known, other):
            folded(name, conversation.facts, self._rules, before, self.lost_to)
        facts, counted.revised = _merged(known, other)
        counted.state = folded(name, facts, self._rules, self._postings, self.lost_to)
        counted.newest = facts[-1] if facts else None
        counted.row_count = max(known.row_count, other.row_count)
        self._postings.add(before, -1)
        last = max(known, other, key=lambda conversation: order_of(conversation.facts[-1]) if conversation.facts else (-1, 0, 0, ""))
        counted.source, counted.contact, counted.disorder = last.source, last.contact, known.disorder or other.disorder
        self._live[name] = counted
        self.merged.add(name)
        self._changed[name] = None

    def restored(self) -> None:
        """Complete a restore, after all rows and ``lost_to``."""
        for other in self._to_merge:
            self._merge(other)
        self._to_merge = []
        self._read_to = self.lost_to
        self._schedule_unread()
        self.held.recount([(name, _events_of(conversation)) for name, conversation in self._live.items()])
        self.held.add(zip(self._unread, [unread.events for unread in self._unread.values()], strict=True))
        for name, conversation in self._live.items():
            group = pending_group(conversation.state, self._rules)
            if self.lost_to is not None and lose_by(conversation.state, self.lost_to, self._rules, Postings()) and group is not None:
                # The last now record may show it as waiting, if it was not lost by the settings of then.
                self._touched_now.add(group)
            self._note_now(name, conversation)
            conversation.published_fact = contact_fact(conversation.state)

    def _schedule_unread(self) -> None:
        """Set timers for unread conversations, and add their waiting, active and pending entries."""
        unread = self._unread
        if self._has_stale_notes:
            self._notes, self._has_stale_notes = Notes(self._targets), False
            for row in unread.values():
                head = read_head(row.rows[-1]).head
                if head is not None and head.place is not None:
                    self._notes.add(head, head.place)
        self._timers.add_all(zip(unread, [row.due_ms for row in unread.values()], strict=True))
        self._touched_now |= self._notes.put_into(self._load, self._pending)
        self._unread_over = [name for name, row in unread.items() if row.lost_from_ms is None]

    def _rewrite_outdated(self) -> None:
        """Rewrite a few rows without a current head at each flush: until then each restart reads them."""
        outdated = self._outdated
        for name in outdated[-_REWRITTEN_A_FLUSH:]:
            if name in self._live:
                self._changed[name] = None
        del outdated[-_REWRITTEN_A_FLUSH:]
