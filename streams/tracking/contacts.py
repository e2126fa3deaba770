"""All conversations of one source partition, what they contribute and what goes on among them."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_AHEAD_MS, MAX_FACTS, TOO_MANY_OPEN
from streams.tracking.conversation import Conversation, Disorder, Rules
from streams.tracking.facts import FACT_PARTS, Kind, TooManyFactsError, fact_of
from streams.tracking.grid import grid_of
from streams.tracking.held import Held
from streams.tracking.ledger import Ledger, Waits
from streams.tracking.losses import lost_from
from streams.tracking.needs import needs_of, thresholds_ms
from streams.tracking.pending import Pending
from streams.tracking.progress import progress_of
from streams.tracking.recount import count_in, set_aside
from streams.tracking.scopes import TOTAL, Scope, Targets
from streams.tracking.slices import Slices
from streams.tracking.snapshots import Snapshots
from streams.tracking.spaces import KeptNames, Spaces, id_of
from streams.tracking.timers import Timers
from streams.windows.hours import business_clocks
from streams.windows.slices import CELL_MS, PANE_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.configuration import Configuration
    from streams.tracking.facts import Fact
    from streams.tracking.snapshots import Snapshot

__all__ = ["ContactTracker", "keep_ms", "retention_ms"]

#: Cells are kept this long and the grace behind the progress: an hour longer than roll-up revises a past day.
_DAY_KEEP_MS = 51 * 3_600_000
#: So few facts are counted anew at once: by the flush there would be more of them.
_FEW = 8
#: Panes outlive the longest trailing window by this and the grace.
_PANE_SLACK_MS = 120_000


def keep_ms(configuration: Configuration) -> tuple[int, int]:
    """Return how far behind the progress panes and cells are kept, in ms."""
    counting = configuration.counting
    settle = 1000 * (counting.grace_seconds + counting.rejoin_seconds)
    return max(counting.trailing_minutes) * 60_000 + settle + _PANE_SLACK_MS, _DAY_KEEP_MS + settle


def retention_ms(configuration: Configuration) -> int:
    """Return how long what is over is kept, in ms: at least as long as something of it may still come in."""
    counting = configuration.counting
    return 1000 * max(counting.closed_retention_seconds, counting.grace_seconds + counting.rejoin_seconds)


def _origin_of(conversation: Conversation) -> list[tuple[Any, ...]]:
    """Return a row's last entry, after the facts: source, contact id, and how many facts were counted anew if there are any."""
    source, contact, disorder = conversation.source, conversation.contact, conversation.disorder
    if source is None:
        return []
    return [(source, contact) if disorder is None else (source, contact, disorder.counted_anew)]


def _events_of(conversation: Conversation) -> int:
    return sum(fact[2] != Kind.MISSING for fact in conversation.facts)


class ContactTracker:
    """Conversations by id and space; absolute slices; open visits, active legs and what is pending by target."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        counting = configuration.counting
        self._grace_ms = 1000 * counting.grace_seconds
        self._retention_ms = retention_ms(configuration)
        self._targets = Targets(configuration)
        lost_after_ms = {str(channel): 1000 * seconds for channel, seconds in counting.lost_after_seconds.items()}
        shortest_ms = min(lost_after_ms.values())
        waits, business = Waits(thresholds_ms(configuration)), business_clocks(configuration)
        self._rules = Rules(
            self._targets, waits, 1000 * counting.rejoin_seconds, lost_after_ms, shortest_ms, business, needs_of(configuration)
        )
        self._ledger = Ledger()
        panes, cells = (None, None) if keep_everything else keep_ms(configuration)
        self.slices = Slices(self._targets, panes, cells, grid_of(configuration))
        self.progress = progress_of(configuration)
        #: source → what follows its ids in the names of conversations
        self.spaces = Spaces(configuration)
        self.conversations: dict[str, Conversation] = {}
        limits = configuration.source_limits
        self._held = Held(TOO_MANY_OPEN, limits.max_contacts, limits.max_contact_events)
        self.kept_names = KeptNames()
        #: names of conversations that were two before a restart
        self.united: set[str] = set()
        self._to_unite: list[Conversation] = []
        self._waiting: dict[int, dict[str, int]] = {}
        self._active: dict[int, int] = {}
        self._pending = Pending()
        self._touched_now: set[int] = set()
        self._changed: set[str] = set()
        #: conversations with facts that are not counted yet
        self._aside: set[str] = set()
        self._timers = Timers()
        self.snapshots = Snapshots("contacts", self._grace_ms)
        self._soonest_ms = min(shortest_ms, self._retention_ms)
        #: conversations open too long before this have been counted as lost
        self.lost_to: int | None = None
        #: conversations of known customers given up since somebody looked: what they came to may be news still
        self.forgotten: list[Conversation] = []
        #: late events and repeats since the process began
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Take a decoded contact event whose times have been checked.

        Raises:
            TooManyFactsError: its conversation has as many as may be.
        """
        received = event.received_ms
        self.progress.received(event.source, received)
        fact = fact_of(event)
        late = received > event.occurred_ms - event.occurred_ms % PANE_MS + PANE_MS + self._grace_ms
        if fact is None:
            if late:
                self._count_late(event, received)
            return
        suffix = self.spaces[event.source]
        name = event.conversation_id + suffix
        conversation = self.conversations.get(name)
        if conversation is None and self.kept_names.unclaimed(event.conversation_id):
            conversation = self._claim(event.conversation_id, name)
        if conversation is not None and conversation.knows(fact[3]):
            self.repeated += 1
            return
        if late:
            self._count_late(event, received)
            return
        may_have_moved = conversation is None
        held = self._held.room(suffix, begins=may_have_moved)
        if conversation is None:
            conversation = self.conversations[name] = Conversation(name)
            held[0] += 1
        elif conversation.known >= MAX_FACTS:
            raise TooManyFactsError("conversation_id", MAX_FACTS)
        if conversation.takes_in_order(fact):
            conversation.append(fact, self._rules, self._ledger)
        else:
            conversation = self._set_aside(conversation, fact, received)
            if conversation is None:
                self._count_late(event, received)
                return
        held[1] += 1
        self._changed.add(name)
        if conversation.newest == fact:
            conversation.source = intern(event.source)
            if event.contact_id is not None and event.contact_id != event.conversation_id:
                conversation.contact = event.contact_id
        if may_have_moved or conversation.moved():
            # Its own name: each event brings another copy of it.
            self._note_now(conversation.name, conversation)

    def conversation_of(self, event: Any) -> Conversation | None:
        """Return what is known of the conversation of an event."""
        return self.conversations.get(event.conversation_id + self.spaces[event.source])

    def _claim(self, row: str, name: str) -> Conversation | None:
        """Give a conversation that was kept without a source to the first one that tells of it."""
        conversation = self.conversations.pop(row, None)
        if conversation is None:
            return None
        for target, _ in conversation.noted_waiting:
            self._waiting[target][name] = self._waiting[target].pop(row)
        if conversation.noted_open is not None:
            self._pending.note(row, conversation.noted_open, None)
            self._pending.note(name, None, conversation.noted_open)
        self.kept_names.take(row, name)
        self._held.move(row, name, _events_of(conversation))
        conversation.name, conversation.timer = name, None
        self.conversations[name] = conversation
        self._changed.add(name)
        conversation.timer = self._timers.add(name, conversation.last_ms + self._soonest_ms, None)
        return conversation

    def _set_aside(self, conversation: Conversation, fact: Fact, received: int) -> Conversation | None:
        """Take a fact that comes before others; refuse what would change a frozen pane after an exclusion."""
        name = conversation.name
        disorder = set_aside(conversation, fact)
        if fact[2] == Kind.EXCLUDED:
            # What it would take back is known of the others alone. What looking costs is remembered, whatever becomes of it.
            self._changed.add(name)
            disorder.aside.remove(fact)
            conversation = self._up_to_date(conversation)
            if self._is_frozen(conversation, received):
                return None
            disorder.aside.append(fact)
            return self._up_to_date(conversation)
        if conversation.known <= _FEW:
            return self._up_to_date(conversation)
        self._aside.add(name)
        return conversation

    def _count_aside(self) -> None:
        for name in [*self._aside]:
            self._up_to_date(self.conversations[name])

    def _up_to_date(self, conversation: Conversation) -> Conversation:
        """Count what was set aside of a conversation."""
        if conversation.disorder is None or not conversation.disorder.aside:
            return conversation
        self._aside.discard(conversation.name)
        counted = count_in(conversation, self._rules, self._ledger, self.lost_to)
        self.conversations[counted.name] = counted
        # It may wait since the same instant, but in another queue or channel than was thought.
        self._note_now(counted.name, counted)
        return counted

    def _count_instead(self, conversation: Conversation, facts: list[Fact], lost_to: int | None = None) -> Conversation:
        """Book what is different with other facts; return the conversation that takes the place of this one.

        ``lost_to``: how far the progress had come with which it was counted, if that is not how far it has come now.
        """
        before = Ledger()
        counted_to = (self.lost_to if lost_to is None else lost_to) if conversation.ended_by_silence else None
        Conversation(conversation.name).refold(conversation.facts, self._rules, before, counted_to)
        counted = Conversation(conversation.name)
        counted.refold(facts, self._rules, self._ledger, self.lost_to)
        self._ledger.add(before, -1)
        counted.take_notes(conversation)
        if counted.disorder is not None:
            counted.disorder.marks = []
        self.conversations[counted.name] = counted
        return counted

    def _is_frozen(self, conversation: Conversation, received: int) -> bool:
        """Say whether something that a conversation contributes is in a pane that is frozen for an event received now."""
        if conversation.void:
            return False  # What it contributes is its first exclusion, and no further one that is not late moves that back far enough.
        contributed = Ledger()
        # By the time of receipt and not by the progress: whether it is lost by then must not depend on when this is looked at.
        Conversation(conversation.name).refold(conversation.facts, self._rules, contributed, received)
        earliest = contributed.earliest_change()
        return earliest is not None and earliest + PANE_MS + self._grace_ms < received

    def snapshot(self, event: Any) -> bool:
        """Take a source's word of what is open; say whether it has not said so too often."""
        self.progress.received(event.source, event.received_ms)
        return self.snapshots.take(event, self.spaces[event.source], self.progress.received_through or 0)

    def _count_late(self, event: Any, received: int) -> None:
        self.late += 1
        conversation = self.conversations.get(event.conversation_id + self.spaces[event.source])
        group = self._up_to_date(conversation).current_group(self._rules) if conversation is not None else None
        if group is None:
            queue = getattr(event, "queue", None)
            channel = getattr(event, "channel", None)
            if queue is not None:
                group = self._targets.of_queue(queue, channel or self._targets.channel_of(queue) or "voice").everything
            else:
                group = self._targets.number(Scope(TOTAL, channel or "voice"))
        self._ledger.book(group, received, received, (("late_events", 1),))

    def _note_now(self, name: str, conversation: Conversation) -> None:
        """Keep up who waits where and since when, what is in progress and what is pending."""
        waiting, active = conversation.noted_waiting, conversation.noted_active
        now_waiting, now_active = conversation.note(self._rules)
        if now_waiting != waiting:
            for target, _ in waiting:
                del self._waiting[target][name]
                self._touched_now.add(target)
            for target, since in now_waiting:
                self._waiting.setdefault(target, {})[name] = since
                self._touched_now.add(target)
        if now_active != active:
            for group, change in ((active, -1), (now_active, 1)):
                if group is not None:
                    self._active[group] = self._active.get(group, 0) + change
                    self._touched_now.add(group)
        was_open = conversation.noted_open
        now_open = conversation.note_open(self._rules)
        if now_open != was_open:
            self._pending.note(name, was_open, now_open)
            self._touched_now.update(each.group for each in (was_open, now_open) if each is not None)
        # Nothing falls due sooner than this after a fact; when it is looked at, it is put off.
        conversation.timer = self._timers.add(name, conversation.last_ms + self._soonest_ms, conversation.timer)

    # --- what is behind a figure

    def contribution(self, name: str, facts: Sequence[Fact]) -> Ledger:
        """Return what a conversation with these facts contributes, as far as the progress has come."""
        contributed = Ledger()
        Conversation(name).refold(facts, self._rules, contributed, self.lost_to)
        return contributed

    def booked_under(self, scope: Scope) -> frozenset[int]:
        """Return the targets of a ledger that count in a scope."""
        return frozenset(self._targets.feeding.get(scope, ()))

    def waiting_in(self, scope: Scope) -> dict[str, int]:
        """Return the names of who waits in a scope and since when, in ms."""
        return {name: since for target in self._targets.feeding.get(scope, ()) for name, since in self._waiting.get(target, {}).items()}

    def _due(self, conversation: Conversation) -> int:
        """Return when a conversation is lost, or forgotten, if nothing more is known of it."""
        lost = lost_from(conversation, self._rules)
        return conversation.last_ms + self._retention_ms if lost is None else lost

    # --- at a flush

    def settle(self) -> None:
        """Count what was set aside and what is lost, write what was booked into the slices, and give up what is too old."""
        self._count_aside()
        self.progress.advance()
        through = self.progress.through
        if through is not None:
            before, self.lost_to = self.lost_to, through
            self._look_at_the_silent(through)
            self._look_at_snapshots(before, through)
        self.slices.book(self._ledger)
        self._ledger.clear()
        if through is not None:
            self.slices.evict(through)

    def set_back(self, to_ms: int, now_ms: int) -> None:
        """Set progress back to an instant if it lies beyond; what was lost only beyond it is open again, unless it is forgotten.

        By ``now_ms`` an event may have happened; nothing has that lies further off than clocks may differ.
        """
        self._count_aside()
        self.progress.set_back(to_ms)
        before = self.lost_to
        if before is None or before <= to_ms:
            return
        self.lost_to = to_ms
        pending, self._ledger = self._ledger, Ledger()
        for name, conversation in list(self.conversations.items()):
            if conversation.ended_by_silence and (conversation.lost_at or 0) >= to_ms:
                self._changed.add(name)
                self._note_now(name, self._count_instead(conversation, conversation.facts, before))
        # What was given up beyond is not to become less than nothing.
        self.slices.book(self._ledger)
        self._ledger = pending
        self.slices.empty_from(now_ms + MAX_AHEAD_MS + CELL_MS)
        self.slices.set_back(to_ms)

    def _look_at_the_silent(self, through: int) -> None:
        """Count the open conversations of which nothing more is known as lost, and forget the closed ones."""
        for name, bucket in self._timers.passed(through):
            conversation = self.conversations.get(name)
            if conversation is None or conversation.timer is not bucket:
                continue
            if conversation.lose_by(through, self._rules, self._ledger):
                self._note_now(name, conversation)
            due = self._due(conversation)
            if due < through:
                del self.conversations[name]
                self._held.drop(name, _events_of(conversation))
                self._changed.add(name)
                if conversation.customer is not None or conversation.told is not None:
                    self.forgotten.append(conversation)
            else:
                conversation.timer = self._timers.add(name, due, None)

    def _look_at_snapshots(self, before: int | None, through: int) -> None:
        """Count what a source does not list as lost; and look again at what has changed, while that may still decide."""
        for name, snapshot in self.snapshots.to_compare(before, through, self.conversations, self._changed):
            self._compare(self.conversations[name], snapshot)

    def _compare(self, conversation: Conversation, snapshot: Snapshot) -> None:
        """Put among the facts that a conversation is missing from a snapshot, or take that out again."""
        marked = conversation.knows(snapshot.name)
        at = snapshot.at_ms
        if not marked and (conversation.void or (lost_from(conversation, self._rules) is None and conversation.last_ms < at)):
            return
        facts = [fact for fact in conversation.facts if fact[3] != snapshot.name]
        missing = snapshot.misses(id_of(conversation.name), conversation.contact, [fact[0] for fact in facts if fact[2] != Kind.MISSING])
        if missing:
            then = Conversation()
            then.refold([fact for fact in facts if fact[0] < at], self._rules, Ledger())
            due = lost_from(then, self._rules)
            missing = due is not None and due >= at
        if missing != marked:
            mark: list[Fact] = [(at, -1, int(Kind.MISSING), snapshot.name, None, None, None, None)] if missing else []
            name = conversation.name
            self._changed.add(name)
            self._note_now(name, self._count_instead(conversation, sorted(facts + mark)))

    def changed_conversations(self) -> Iterator[tuple[str, list[Any] | None]]:
        """Yield name and facts of conversations changed since the last call, with their source, None for those given up."""
        changed, self._changed = self._changed, set()
        for name in changed:
            conversation = self.conversations.get(name)
            if conversation is None:
                yield name, None
            else:
                yield name, [*conversation.facts, *_origin_of(conversation)]

    def is_open(self, scope: Scope) -> bool:
        """Say whether anything waits, is in progress or is pending in a scope."""
        feeding = self._targets.feeding.get(scope, ())
        return any(self._waiting.get(target) or self._active.get(target) or self._pending.is_open(target) for target in feeding)

    def changed_now(self, begun: Iterable[Scope] = ()) -> Iterator[tuple[Scope, list[int], int]]:
        """Yield scope, entries of the waiting (ascending, ms) and contacts in progress: where anything changed, and of these scopes."""
        touched, self._touched_now = self._touched_now, set()
        for scope in {scope for target in touched for scope in self._targets.scopes[target]}.union(begun):
            feeding = self._targets.feeding.get(scope, ())
            since = sorted(entry for target in feeding for entry in self._waiting.get(target, {}).values())
            yield scope, since, sum(self._active.get(target, 0) for target in feeding)

    def pending(self, scope: Scope, passed_ms: int | None = None) -> dict[str, Any]:
        """Return what is pending in a scope, and who waits there judged by another definition, as fields of a now record.

        As-of has passed ``passed_ms`` already.
        """
        feeding = self._targets.feeding.get(scope, ())
        figures = self._pending.figures(feeding, passed_ms)
        judged: dict[str, list[int]] = {}
        if self._targets.judged and not scope.scope.startswith("queue:"):
            for target in feeding:
                name = self._targets.judged.get(target)
                if name is not None:
                    judged.setdefault(name, []).extend(self._waiting.get(target, {}).values())
        waiting = {name: sorted(since) for name, since in judged.items() if since}
        return {**figures, "waiting_since_ms_by_definition": waiting} if waiting else figures

    # --- after a restart

    def restore_conversation(self, row: str, facts: list[Any]) -> None:
        """Take a kept conversation back in; older rows do not say of what source it is."""
        source, contact, *anew = facts.pop() if facts and len(facts[-1]) < FACT_PARTS else (None, None)
        conversation = Conversation(self.kept_names.take(row, None if source is None else id_of(row) + self.spaces[source]))
        conversation.source, conversation.contact = None if source is None else intern(source), contact
        conversation.disorder = Disorder(anew[0]) if anew else None
        conversation.refold(facts, self._rules, Ledger())
        if self.conversations.setdefault(conversation.name, conversation) is not conversation:
            self._to_unite.append(conversation)

    def _unite(self, other: Conversation) -> None:
        """Make one of two conversations of one id whose sources have been joined since."""
        name = other.name
        known = self.conversations[name]
        before, counted = Ledger(), Conversation(name)
        for each in (known, other):
            Conversation(name).refold(each.facts, self._rules, before, self.lost_to)
        facts = sorted({fact[3]: fact for fact in (*known.facts, *other.facts)}.values())
        counted.refold(facts[:MAX_FACTS], self._rules, self._ledger, self.lost_to)
        self._ledger.add(before, -1)
        last = max(known, other, key=lambda each: each.facts[-1])
        counted.source, counted.contact, counted.disorder = last.source, last.contact, known.disorder or other.disorder
        self.conversations[name] = counted
        self.united.add(name)
        self._changed.add(name)

    def restored(self) -> None:
        """Say that everything kept has been taken back in, ``lost_to`` too."""
        for other in self._to_unite:
            self._unite(other)
        self._to_unite = []
        self._held.count_anew((name, _events_of(each)) for name, each in self.conversations.items())
        for name, conversation in self.conversations.items():
            group = conversation.standing_group(self._rules)
            if self.lost_to is not None and conversation.lose_by(self.lost_to, self._rules, Ledger()) and group is not None:
                # It is shown as waiting still if it was not lost by the settings with which that was last written.
                self._touched_now.add(group)
            self._note_now(name, conversation)
