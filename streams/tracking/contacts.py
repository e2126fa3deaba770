"""All conversations of one source partition, what they contribute and what goes on among them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from streams.tracking.conversation import Conversation, Rules
from streams.tracking.facts import Kind, fact_of
from streams.tracking.ledger import Ledger, Waits
from streams.tracking.pending import Pending
from streams.tracking.progress import Progress
from streams.tracking.scopes import TOTAL, Scope, Targets
from streams.tracking.slices import Slices
from streams.windows.slices import PANE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration
    from streams.tracking.facts import Fact

__all__ = ["ContactTracker", "keep_ms", "thresholds_ms"]

#: Cells are kept this long and the grace behind the progress: an hour longer than roll-up revises a past day.
_DAY_KEEP_MS = 37 * 3_600_000
#: Panes outlive the longest trailing window by this and the grace.
_PANE_SLACK_MS = 120_000


def thresholds_ms(configuration: Configuration) -> set[int]:
    """Return every wait, in ms, that a definition needs as an exact edge of the histograms."""
    edges: set[int] = set()
    for definition in (configuration.service_level, *(q.service_level for q in configuration.queues.values())):
        if definition is None:
            continue
        threshold = round(definition.threshold_s * 1000)
        edges.add(threshold if definition.boundary == "le" else threshold - 1)
        if definition.short_abandon_s is not None:
            edges.add(round(definition.short_abandon_s * 1000) - 1)
    return edges


def keep_ms(configuration: Configuration) -> tuple[int, int]:
    """Return how far behind the progress panes and cells are kept, in ms."""
    counting = configuration.counting
    settle = 1000 * (counting.grace_seconds + counting.rejoin_seconds)
    return max(counting.trailing_minutes) * 60_000 + settle + _PANE_SLACK_MS, _DAY_KEEP_MS + settle


class ContactTracker:
    """Conversations by id; absolute slices; open visits, active legs and what is pending by target."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        counting = configuration.counting
        self._grace_ms = 1000 * counting.grace_seconds
        self._retention_ms = 1000 * max(counting.closed_retention_seconds, counting.grace_seconds + counting.rejoin_seconds)
        self._targets = Targets(configuration)
        self._rules = Rules(self._targets, Waits(thresholds_ms(configuration)), 1000 * counting.rejoin_seconds)
        self._ledger = Ledger()
        panes, cells = (None, None) if keep_everything else keep_ms(configuration)
        self.slices = Slices(self._targets, panes, cells)
        self.progress = Progress(1000 * counting.source_timeout_seconds, 1000 * counting.disorder_seconds)
        self.conversations: dict[str, Conversation] = {}
        self._waiting: dict[int, dict[str, int]] = {}
        self._active: dict[int, int] = {}
        self._pending = Pending()
        self._touched_now: set[int] = set()
        self._changed: set[str] = set()
        self._closed: deque[tuple[int, str]] = deque()
        #: late events and repeats since the process began
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Take a decoded contact event whose times have been checked."""
        received = event.received_ms
        self.progress.received(event.source, received)
        fact = fact_of(event)
        late = received > event.occurred_ms - event.occurred_ms % PANE_MS + PANE_MS + self._grace_ms
        if fact is None:
            if late:
                self._count_late(event, received)
            return
        name = event.conversation_id
        conversation = self.conversations.get(name)
        if conversation is not None and conversation.knows(fact[3]):
            self.repeated += 1
            return
        if late:
            self._count_late(event, received)
            return
        may_have_moved = conversation is None
        if conversation is None:
            conversation = self.conversations[name] = Conversation(name)
        if conversation.takes_in_order(fact):
            conversation.append(fact, self._rules, self._ledger)
        elif self._count_anew(conversation, fact, received):
            # It may wait since the same instant, but in another queue or channel than was thought.
            may_have_moved = True
        else:
            self._count_late(event, received)
            return
        self._changed.add(name)
        if may_have_moved or conversation.moved():
            # Its own name: each event brings another copy of it.
            self._note_now(conversation.name, conversation)

    def _count_anew(self, conversation: Conversation, fact: Fact, received: int) -> bool:
        """Count all facts again with one more among them; refuse what would change a frozen pane after an exclusion."""
        facts = sorted([*conversation.facts, fact])
        before, after = Ledger(), Ledger()
        Conversation().refold(conversation.facts, self._rules, before)
        counted = Conversation(conversation.name)
        counted.refold(facts, self._rules, after)
        after.add(before, -1)
        if fact[2] == Kind.EXCLUDED:
            earliest = after.earliest_change()
            if earliest is not None and earliest + PANE_MS + self._grace_ms < received:
                return False
        self._ledger.add(after)
        conversation.become(counted)
        return True

    def _count_late(self, event: Any, received: int) -> None:
        self.late += 1
        conversation = self.conversations.get(event.conversation_id)
        group = conversation.current_group(self._rules) if conversation is not None else None
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
        if conversation.closed:
            self._closed.append((conversation.last_ms, name))

    # --- at a flush

    def settle(self) -> None:
        """Write what was booked into the slices, and give up what is too old."""
        self.slices.book(self._ledger)
        self._ledger.clear()
        if self.progress.advance() and self.progress.through is not None:
            self.slices.evict(self.progress.through)
            self._forget_closed(self.progress.through - self._retention_ms)

    def _forget_closed(self, before_ms: int) -> None:
        while self._closed and self._closed[0][0] < before_ms:
            _, name = self._closed.popleft()
            conversation = self.conversations.get(name)
            if conversation is None or not conversation.closed:
                continue
            if conversation.last_ms < before_ms:
                del self.conversations[name]
                self._changed.add(name)
            else:
                self._closed.append((conversation.last_ms, name))

    def changed_conversations(self) -> Iterator[tuple[str, list[Fact] | None]]:
        """Yield the facts of conversations changed since the last call, None for those given up."""
        changed, self._changed = self._changed, set()
        for name in changed:
            conversation = self.conversations.get(name)
            yield name, conversation.facts if conversation is not None else None

    def changed_now(self) -> Iterator[tuple[Scope, list[int], int]]:
        """Yield scope, entries of the waiting (ascending, ms) and contacts in progress where these or what is pending changed."""
        touched, self._touched_now = self._touched_now, set()
        for scope in {scope for target in touched for scope in self._targets.scopes[target]}:
            feeding = self._targets.feeding[scope]
            since = sorted(entry for target in feeding for entry in self._waiting.get(target, {}).values())
            yield scope, since, sum(self._active.get(target, 0) for target in feeding)

    def pending(self, scope: Scope) -> dict[str, Any]:
        """Return what is pending in a scope as fields of a now record; no fields for nothing."""
        return self._pending.figures(self._targets.feeding.get(scope, ()))

    # --- after a restart

    def restore_conversation(self, name: str, facts: list[Fact]) -> None:
        """Take a kept conversation back in."""
        conversation = self.conversations[name] = Conversation(name)
        conversation.refold(facts, self._rules, Ledger())
        self._note_now(name, conversation)

    def restored(self) -> None:
        """Say that everything kept has been taken back in."""
        self._closed = deque(sorted(self._closed))
