"""The track stages: contact events and agent events become rows of state, and panes with absolute sums."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import orjson
from msgspec.json import encode

from schemas.by_type import by_type
from schemas.dead_letters import REPLAYED_FROM
from schemas.decoding import (
    Rejected,
    decode_agent_event,
    decode_contact_event,
    source_of,
    usual_agent_events,
    usual_contact_events,
)
from schemas.limits import (
    ENDS_WORKERS,
    MAX_AHEAD_MS,
    MAX_SOURCES,
    MIN_TIME_MS,
    SOURCE_QUARANTINED,
    TIME_DETAILS,
    TOO_MANY_OPEN,
    TOO_MANY_PEOPLE,
    TOO_MANY_SOURCES,
    UNREADABLE_BATCH,
    bound_complete_through,
    bound_times,
)
from schemas.operator import BadOrderError, ProgressReset, SourceQuarantined, SourceReleased, parse_order
from schemas.structs import SourceHeartbeat, SourceSnapshot
from schemas.times import to_ms
from streams.configuration.file import configuration_hash
from streams.engine.stage import Flush, Output, Row
from streams.stages.audit import Decisions
from streams.stages.counters import StageCounters
from streams.stages.customer_progress import progress_outputs
from streams.stages.dead_letters import dead_letter
from streams.stages.panes import PaneWriter
from streams.tracking.agents import AgentTracker
from streams.tracking.contact_fact import contact_fact
from streams.tracking.contacts import ContactTracker
from streams.tracking.customer_facts import ContactFact, customer_partition
from streams.tracking.expiry import Expiry
from streams.tracking.facts import TooManyFactsError
from streams.tracking.freezing import is_over
from streams.tracking.intake import agent_intake, contact_intake
from streams.tracking.names import FIELDS, Names
from streams.tracking.packed import PackedRows
from streams.tracking.quarantine import BY_OPERATOR, NO_ROOM, Quarantine
from streams.tracking.scopes import Scope
from streams.tracking.spaces import MARK
from streams.windows.slices import pane_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from schemas.decoding import Usual
    from streams.configuration import Configuration
    from streams.engine.stage import Record
    from streams.tracking.slices import Slices
    from streams.tracking.snapshots import Snapshots
    from streams.tracking.state import Conversation
    from streams.tracking.watermark import Watermark
    from streams.windows.sums import Counts

__all__ = ["AgentStage", "ContactStage", "TrackStage", "TrackTopics"]

_IS_NO_SOURCE = f"source: {MAX_SOURCES} others already send on this partition; a source names a system, not a conversation or agent"
#: Reason of a dead letter → the kind that is beyond the limit of its source.
_BEYOND = {TOO_MANY_OPEN: "conversation", TOO_MANY_PEOPLE: "person"}
_META = b"m"
_SNAPSHOT = b"p|"
_NAMES = b"n|"
_BOOKED = b"b|"
_PLANS = b"P|"
#: The further rows of a long conversation.
_MORE = b"t|"
#: Records that are decoded before the first of them is applied: few enough to stay in the CPU cache.
_AT_ONCE = 200
#: Fields of a contact's fact beside the key of its customer.
_FACT_FIELDS = ContactFact._fields[1:]


class TrackTopics(NamedTuple):
    """Where a track stage reads and writes: full topic names, the consumer group, and a clock for dead letters' headers."""

    source: str
    panes: str
    pane_partitions: int
    dead_letters: str
    consumer_group: str
    now_ms: Callable[[], int]
    #: Topic of customer facts; empty: none.
    customer_facts: str = ""
    customer_partitions: int = 1
    #: Topic of links between customers.
    customer_links: str = "customer-links"
    #: Topic of decisions about sources; empty: none.
    audit: str = ""


class _Tracker(Protocol):
    slices: Slices
    watermark: Watermark
    late: int
    repeated: int

    snapshots: Snapshots

    def apply(self, event: Any) -> None: ...
    def snapshot(self, event: Any) -> bool: ...
    def flush(self) -> None: ...
    def set_back(self, to_ms: int, now_ms: int) -> None: ...


class TrackStage:
    """The common part of track stages: decode, refuse and apply records; at a flush, write what has changed."""

    def __init__(
        self,
        partition: int,
        configuration: Configuration,
        topics: TrackTopics,
        tracker: _Tracker,
        decode: Callable[[bytes | None], Any],
        counters: StageCounters | None,
        usual: Usual | None = None,
    ) -> None:
        self._topics = topics
        self._tracker = tracker
        self._decode = decode
        #: decodes most records in one call; None: records are decoded one by one
        self._usual = usual
        #: compiled: applies usual events of a list from an index on, and returns the index of the first other one; None: not compiled
        self._ingest: Callable[[list[Any], int], int] | None = None
        self._writer = PaneWriter(topics.source, partition, topics.pane_partitions)
        self._hash = configuration_hash(configuration)
        self._dead: list[Output] = []
        self._decisions = Decisions(topics.audit, (topics.source, partition), topics.consumer_group)
        self._quarantine = Quarantine(configuration.dead_letters, configuration.source_limits, tracker.watermark)
        self._names = Names(configuration)
        #: the last booking in each scope; None: scopes do not expire
        self._expiry: Expiry | None = None
        #: marks records of now and progress: records without it are of a version without expiry
        self._expires: dict[str, bool] = {}
        self._meta_changed = False
        #: no record has arrived since a flush without changes
        self._is_idle = False
        self._meta_written: dict[str, Any] = {}
        self._progress_written: tuple[Any, ...] | None = None
        self._is_catching_up = False
        self._partition = partition
        self._progress_step: int | None = None
        self.counters = counters if counters is not None else StageCounters()

    def process(self, records: Sequence[Record], events: Iterator[Any] | None = None) -> None:
        """Apply every record; a bad one becomes a dead letter, and so do all records of a source in quarantine.

        ``events``: the decoded events of the records, if there are any.
        """
        decode, tracker, counters, quarantine = self._decode, self._tracker, self.counters, self._quarantine
        apply_of, watermark, admit, fields = by_type(type(tracker).apply), tracker.watermark, self._names.admit, FIELDS
        quarantined, watched = quarantine.quarantined, quarantine.watched
        late, repeated, has_room = tracker.late, tracker.repeated, watermark.has_room
        known_late, usual = late, None if events is not None else self._usual
        for begin in range(0, len(records), _AT_ONCE):
            some = records[begin : begin + _AT_ONCE]
            for record, decoded in zip(some, repeat(None)) if usual is None else self._remaining_events(some, usual(some)):
                event = decoded
                if event is None:
                    try:
                        event = decode(record.value) if events is None else next(events)
                    except Rejected as rejected:
                        if rejected.reason != "unknown_type" or not self._execute_order(record):
                            self._reject(record, source_of(record.value), rejected.reason, rejected.detail)
                        continue
                    # The checks of ``bound_times``, without a call for valid times.
                    received = event.received_ms
                    is_sound = MIN_TIME_MS <= event.occurred_ms <= received + MAX_AHEAD_MS and received <= record.timestamp
                    wrong = None if is_sound else bound_times(event, record.timestamp)
                    if wrong is not None:
                        self._reject(record, event.source, wrong, TIME_DETAILS[wrong])
                        continue
                source, kind = event.source, type(event)
                if quarantined and source in quarantined:
                    watermark.pass_time(event.received_ms)
                    # Heartbeats need no replay.
                    if kind is not SourceHeartbeat:
                        quarantined[source].records += 1
                        self._add_dead_letter(record, SOURCE_QUARANTINED, f"{source}: {quarantined[source].reason}")
                elif source not in watermark.sources and not has_room(source):
                    self._reject(record, NO_ROOM, TOO_MANY_SOURCES, _IS_NO_SOURCE)
                elif kind is SourceHeartbeat:
                    self._apply_heartbeat(record, event)
                elif kind is SourceSnapshot:
                    if not tracker.snapshot(event):
                        self._names.note_beyond(source, "snapshot")
                else:
                    names = fields.get(kind)
                    if names is not None:
                        admit(event, names)
                    try:
                        apply_of[kind](tracker, event)
                    except TooManyFactsError as too_many:
                        if too_many.reason in _BEYOND:
                            self._names.note_beyond(source, _BEYOND[too_many.reason])
                        self._reject(record, source, too_many.reason, str(too_many))
                        continue
                    if tracker.late != known_late:
                        known_late = tracker.late
                        self._record_late(record, source)
                    elif watched:
                        quarantine.fine(source)
        self._meta_changed, self._is_idle = True, False
        counters.events += len(records)
        counters.late += known_late - late
        counters.repeated += tracker.repeated - repeated

    def _remaining_events(self, records: Sequence[Record], events: list[Any]) -> Iterator[tuple[Record, Any]]:
        """Yield the records and events that compiled code leaves to Python; it has applied all before them."""
        ingest = self._ingest
        if ingest is None:
            yield from zip(records, events, strict=True)
            return
        index = ingest(events, 0)
        while index < len(events):
            yield records[index], events[index]
            index = ingest(events, index + 1)

    def _apply_heartbeat(self, record: Record, event: SourceHeartbeat) -> None:
        wrong = bound_complete_through(event, record.timestamp)
        if wrong is None:
            received, complete = event.received_ms, event.complete_through_ms
            self._tracker.watermark.heartbeat(event.source, received, complete, ended=event.ended, instance=event.instance)
        else:
            self._reject(record, event.source, wrong, TIME_DETAILS[wrong])

    def _set_expiry(self, expiry: Expiry) -> None:
        self._expiry, self._expires = expiry, {"expires": True}

    def _execute_order(self, record: Record) -> bool:
        """Execute an operator's order; return whether the record is one."""
        try:
            order = parse_order(record.value)
        except BadOrderError as bad:
            self._reject(record, None, "invalid_value", str(bad))
            return True
        if isinstance(order, ProgressReset):
            to = min(to_ms(order.to), record.timestamp)
            self._tracker.set_back(to, record.timestamp)
            if self._expiry is not None:
                self._expiry.set_back(to)
                self._tracker.slices.forget_hours()
        elif isinstance(order, SourceQuarantined):
            self._quarantine.begin(order.source, BY_OPERATOR, order.why or "", record.offset, record.timestamp)
        elif isinstance(order, SourceReleased) and self._quarantine.release(order.source):
            self._decisions.released(order.source, record, BY_OPERATOR, order.why or "")
        return order is not None

    def _record_late(self, record: Record, source: str) -> None:
        # A replayed dead letter is late because it was one.
        if not any(name == REPLAYED_FROM for name, _ in record.headers):
            self._quarantine.late(source, record.offset, record.timestamp)

    def _reject(self, record: Record, source: str | None, reason: str, detail: str) -> None:
        self._quarantine.bad(source, reason, record.offset, record.timestamp)
        self._add_dead_letter(record, reason, detail)

    def _add_dead_letter(self, record: Record, reason: str, detail: str) -> None:
        self.counters.reject(reason)
        topics = self._topics
        self._dead.append(
            dead_letter(
                topics.dead_letters,
                (topics.source, self._partition),
                record,
                reason,
                detail,
                consumer_group=topics.consumer_group,
                failed_at_ms=topics.now_ms(),
            )
        )

    def add_dead_letter(self, record: Record, how: str) -> None:
        """Dead-letter a record that ends the process, without decoding it: its source is unknown."""
        self._add_dead_letter(record, ENDS_WORKERS, f"processing it {how}")
        self._meta_changed, self._is_idle = True, False

    def refuse(self, record: Record, detail: str) -> None:
        """Dead-letter a batch that cannot be read; its sources are unknown."""
        self._reject(record, None, UNREADABLE_BATCH, detail)
        self._meta_changed, self._is_idle = True, False

    @property
    def is_catching_up(self) -> bool:
        """Whether the worker still reads the backlog that the partition had at its assignment."""
        return self._is_catching_up

    @is_catching_up.setter
    def is_catching_up(self, value: bool) -> None:
        self._is_catching_up, self._is_idle = value, False

    def collect(self) -> Flush:
        """Return rows, panes, progress and dead letters that changed."""
        if self._is_idle:
            return Flush([], [])
        tracker, writer, panes = self._tracker, self._writer, self._topics.panes
        self._fold()
        rows: list[Row] = list(self._changed_rows())
        rows += ((_SNAPSHOT + name.encode(), None if row is None else encode(row)) for name, row in tracker.snapshots.changed())
        rows += ((_NAMES + key.encode(), None if names is None else encode(names)) for key, names in self._names.changed_rows())
        outputs: list[Output] = []
        for (kind, scope, start), counts in tracker.slices.changes():
            key = writer.key(kind, scope, start)
            value = None if counts is None else writer.slice(kind, scope, start, counts)
            rows.append((key, value))
            outputs.append(Output(panes, writer.partition(scope), key, value))
        begun, expired = set[Scope](), list[Scope]()
        expiry, booked = self._expiry, tracker.slices.booked()
        if expiry is not None:
            for scope, start in booked:
                expiry.note(scope, start)
            begun, expired = expiry.begun(), expiry.expired(tracker.watermark.ms)
            rows += ((_BOOKED + key.encode(), None if last is None else encode(last)) for key, last in expiry.changed_rows())
        now = {**dict(self._changed_now(begun)), **dict.fromkeys(expired)}
        outputs += (Output(panes, writer.partition(scope), writer.key("now", scope, None), value) for scope, value in now.items())
        outputs += self._changed_progress()
        outputs += self._facts()
        meta = {"through": tracker.watermark.ms, **self._meta()}
        if self._meta_changed or meta != self._meta_written:
            self._meta_changed, self._meta_written = False, meta
            rows.append(
                (
                    _META,
                    encode(
                        {
                            "progress": tracker.watermark.state(),
                            "sources": self._quarantine.state(),
                            "beyond_limits": self._names.beyond,
                            "grid": tracker.slices.grid.state(),
                            **({"snapshots": tracker.snapshots.lately} if tracker.snapshots.lately else {}),
                            **self._meta(),
                        }
                    ),
                )
            )
        outputs += self._dead
        self._dead = []
        outputs += self._decisions.outputs(self._quarantine)
        self._is_idle = not rows and not outputs
        return Flush(rows, outputs)

    def _fold(self) -> None:
        self._tracker.flush()
        self.counters.beyond_limits[self._topics.source, self._partition] = self._names.totals()
        self.counters.quarantined[self._topics.source, self._partition] = tuple(self._quarantine.quarantined)

    def flush_batch(
        self, add: Callable[[str, str, str | None, int, Counts], None], add_fact: Callable[[dict[str, Any]], None]
    ) -> list[Output]:
        """Flush in a batch, without rows and with one partition a topic; return records of now, progress and dead letters.

        Args:
            add: called with the difference of each changed cell: kind, scope, channel, start in ms, counts.

            add_fact: called with each fact of customers.
        """
        self._fold()
        self._discard_rows()
        for (kind, (scope, channel), start), counts in self._tracker.slices.changes():
            add(kind, scope, channel, start, cast("Counts", counts))
        self._tracker.slices.forget_booked()
        outputs = [Output(self._topics.panes, 0, self._writer.key("now", scope, None), value) for scope, value in self._changed_now(())]
        outputs += self._changed_progress()
        topics, facts = self._topics, self._customer_facts()
        if topics.customer_facts and self._tracker.watermark.received_through is not None:
            for _, fact in facts:
                add_fact(fact)
            changed = {topics.customer_links if fact["kind"] == "link" else topics.customer_facts for _, fact in facts}
            outputs += self._customer_progress({(topic, 0) for topic in changed})
        outputs += self._dead
        self._dead = []
        return outputs

    def _discard_rows(self) -> None:
        """Discard changed rows."""
        for _ in (*self._changed_rows(), *self._tracker.snapshots.changed(), *self._names.changed_rows()):
            pass

    def _changed_progress(self) -> Iterator[Output]:
        watermark = self._tracker.watermark
        stale, quarantined = watermark.stale(), self._quarantine.summary()
        beyond = {source: dict(counts) for source, counts in self._names.beyond.items()}
        journals = watermark.journals()
        figures = (watermark.ms, watermark.received_through, stale, quarantined, beyond, journals, self._is_catching_up)
        if figures == self._progress_written or (watermark.received_through is None and not quarantined):
            return
        self._progress_written = figures
        yield from self._progress_outputs(
            {
                "progress_ms": watermark.ms,
                "received_through_ms": watermark.received_through,
                "sources": watermark.sources,
                "stale_sources": stale,
                "configuration_hash": self._hash,
                **({"quarantined_sources": quarantined} if quarantined else {}),
                **({"beyond_limits": beyond} if beyond else {}),
                **({"journals": journals} if journals else {}),
                **({"catching_up": True} if self._is_catching_up else {}),
                **self._expires,
                **self._tracker.slices.grid.since(),
            }
        )

    def _progress_outputs(self, figures: dict[str, Any]) -> Iterator[Output]:
        key, value = self._writer.key("progress", None, None), self._writer.progress(figures)
        for partition in range(self._writer.pane_partitions):
            yield Output(self._topics.panes, partition, key, value)

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:  # noqa: ARG002
        """Restore the state from its rows."""
        self._is_idle = False
        slices, expiry = self._tracker.slices, self._expiry
        grid: dict[str, Any] | None = None
        #: scope → start of the last slice
        booked: dict[Scope, int] = {}
        restore_subject = self._subjects()
        for key, value in rows:
            if key[:2] == b"s|":
                restore_subject(key[2:].decode(), value)
                continue
            if key.startswith(_MORE):
                number, name = key[len(_MORE) :].split(b"|", 1)
                self._restore_more(name.decode(), int(number), value)
                continue
            row = orjson.loads(value)
            if key == _META:
                grid = row.get("grid", {})
                self._tracker.watermark.restore(row["progress"])
                # Older versions counted the bad records of all sources together, under "flood"; these are dropped.
                self._quarantine.restore(row.get("sources", {}))
                self._names.restore_beyond(row.get("beyond_limits", {}))
                self._tracker.snapshots.lately = {source: (sent[0], sent[1]) for source, sent in row.get("snapshots", {}).items()}
                self._restore_meta(row)
            elif key.startswith(_PLANS):
                self._restore_plans(key[len(_PLANS) :].decode(), row)
            elif key.startswith(_NAMES):
                self._names.restore_row(key[len(_NAMES) :].decode(), row)
            elif key.startswith(_SNAPSHOT):
                self._tracker.snapshots.restore(key[len(_SNAPSHOT) :].decode(), row)
            elif key.startswith(_BOOKED):
                if expiry is not None:
                    expiry.restore_row(key[len(_BOOKED) :].decode(), row)
            else:
                scope, start = Scope(row["scope"], row["channel"]), row["start_ms"]
                slices.put(row["kind"], scope, start, row)
                if row["counts"]:
                    booked[scope] = max(start, booked.get(scope, start))
        through = self._tracker.watermark.ms
        if through is not None:
            slices.evict(through)
        if grid is not None:
            slices.restore_grid(grid)
        if expiry is not None:
            # Rows of versions without expiry lack the last booking.
            for scope, start in booked.items():
                expiry.note(scope, start)
        self._restored()
        self._meta_written = {"through": through, **self._meta()}

    def _meta(self) -> dict[str, Any]:
        return {}

    def _restore_meta(self, row: dict[str, Any]) -> None:
        """Restore what ``_meta`` returned."""

    def _restored(self) -> None:
        """Complete the restore after the last row."""

    def _facts(self) -> Iterator[Output]:
        """Yield the new facts of customers, and their progress in steps of a pane; rows must be collected before."""
        topic, facts = self._topics.customer_facts, self._customer_facts()
        watermark = self._tracker.watermark
        if not topic or watermark.received_through is None:
            return
        changed: set[tuple[str, int]] = set()
        for key, fact in facts:
            partition = (self._topics.customer_links, 0)
            if fact["kind"] != "link":
                partition = (topic, customer_partition(fact["customer_key"], self._topics.customer_partitions))
            changed.add(partition)
            yield Output(*partition, key.encode(), encode(fact))
        yield from self._customer_progress(changed)

    def _customer_progress(self, changed: set[tuple[str, int]]) -> Iterator[Output]:
        """Yield the progress of facts of customers: to partitions with new facts, and once a pane to all."""
        topic, watermark = self._topics.customer_facts, self._tracker.watermark
        step = None if watermark.ms is None else pane_of(watermark.ms)
        if step != self._progress_step:
            changed = {(self._topics.customer_links, 0), *((topic, number) for number in range(self._topics.customer_partitions))}
            self._progress_step = step
        origin = (self._topics.source, self._partition)
        yield from progress_outputs(origin, sorted(changed), watermark.ms, watermark.received_through)

    def _customer_facts(self) -> list[tuple[str, dict[str, Any]]]:
        """Return key and content of the new facts of customers."""
        return []

    def _changed_rows(self) -> Iterator[Row]:
        raise NotImplementedError

    def _changed_now(self, begun: Iterable[Scope]) -> Iterator[tuple[Scope, bytes]]:
        """Yield the records of now of changed scopes and of ``begun``."""
        raise NotImplementedError

    def _subjects(self) -> Callable[[str, bytes], None]:
        """Return a function that restores the first row of a conversation or agent, by its name."""
        raise NotImplementedError

    def _restore_more(self, name: str, number: int, row: bytes) -> None:
        """Restore a further row of a conversation."""

    def _restore_plans(self, name: str, row: Any) -> None:
        """Restore the plans of an agent."""


class ContactStage(TrackStage):
    """Tracks the conversations of one partition of contact-events."""

    def __init__(
        self,
        partition: int,
        configuration: Configuration,
        topics: TrackTopics,
        counters: StageCounters | None = None,
        *,
        keep_everything: bool = False,
    ) -> None:
        self.tracker = ContactTracker(configuration, keep_everything=keep_everything)
        #: What the flow's table shows: conversations by name.
        self.rows = self.tracker.conversations
        self._new_facts: list[tuple[str, dict[str, Any]]] = []
        #: rows during the restore: further ones by number
        self._more_rows: dict[str, dict[int, bytes]] = {}
        self._first_rows: dict[str, bytes] = {}
        #: conversations dropped since the last flush → former names in facts of customers
        self._former_names: dict[str, Sequence[str]] = {}
        super().__init__(partition, configuration, topics, self.tracker, decode_contact_event, counters, usual_contact_events)
        self._names.conversation_of = self.tracker.conversation_of
        if not keep_everything:
            self.tracker.pack_idle(PackedRows())
            self._set_expiry(Expiry(configuration, self.tracker.is_open))
        self._ingest = contact_intake(self.tracker, self._quarantine, self._names)

    def _changed_rows(self) -> Iterator[Row]:
        tracker = self.tracker
        live, changed_rows, stored_names = tracker.conversations.live, tracker.changed_rows, tracker.stored_names
        for name in tracker.take_changed():
            only, head, number = None, None, 0
            for number, row in changed_rows(name):
                value = None if row is None else encode(row)
                if not number and row is not None:
                    only, head = value, row.head
                yield _row_key(name, number) if number else b"s|" + name.encode(), value
            replaced = stored_names.replaced(name) if stored_names.any_replaced else ()
            for other in replaced:
                for other_number, _ in tracker.changed_rows(other):
                    yield _row_key(other, other_number), None
            conversation = live.get(name)
            if conversation is None:
                self._former_names[name] = replaced
                continue
            if conversation.state.customer is not None or conversation.published_fact is not None or name in tracker.merged:
                self._update_fact(conversation, replaced)
            if is_over(conversation):
                tracker.record_idle(name, None if number else only, head)
        tracker.merged.clear()
        tracker.pack_closed()

    def _update_fact(self, conversation: Conversation, former_names: Sequence[str]) -> None:
        """Add the changed fact of a contact, and withdraw its facts under former names."""
        before, fact = conversation.published_fact, contact_fact(conversation.state)
        customer = conversation.state.customer or "" if before is None else before.customer
        self._new_facts += (_fact_entry(name, customer) for name in former_names)
        if former_names:
            before = None
        conversation.published_fact = fact
        if fact == before:
            return
        if fact is None or (before is not None and before.customer != fact.customer):
            self._new_facts.append(_fact_entry(conversation.name, customer))
        if fact is not None:
            self._new_facts.append(_fact_entry(conversation.name, fact.customer, fact))

    def _discard_rows(self) -> None:
        tracker = self.tracker
        live = tracker.conversations.live
        for name in tracker.take_changed():
            conversation = live.get(name)
            if conversation is not None and (conversation.state.customer is not None or conversation.published_fact is not None):
                self._update_fact(conversation, ())
        tracker.discard_changes()
        super()._discard_rows()

    def _customer_facts(self) -> list[tuple[str, dict[str, Any]]]:
        forgotten, self.tracker.evicted = self.tracker.evicted, []
        for conversation in forgotten:
            self._update_fact(conversation, self._former_names.get(conversation.name, ()))
        self._former_names.clear()
        facts, self._new_facts = self._new_facts, []
        return facts

    def _changed_now(self, begun: Iterable[Scope]) -> Iterator[tuple[Scope, bytes]]:
        # The reader of a record has read the progress written before it: replies due by then are overdue.
        passed = None if self._progress_written is None else self._progress_written[1]
        for scope, since, in_progress in self.tracker.changed_now(begun):
            figures = {"waiting_since_ms": since, "in_progress": in_progress, **self.tracker.pending(scope, passed), **self._expires}
            yield scope, self._writer.now(scope, figures)

    def _subjects(self) -> Callable[[str, bytes], None]:
        return self._first_rows.__setitem__

    def _restore_more(self, name: str, number: int, row: bytes) -> None:
        self._more_rows.setdefault(name, {})[number] = row

    def _meta(self) -> dict[str, Any]:
        tracker = self.tracker
        since = {"uncounted_from_ms": tracker.uncounted_from_ms, "by_category_from_ms": tracker.by_category_from_ms}
        known = {name: at_ms for name, at_ms in since.items() if at_ms is not None}
        return {"lost_to": tracker.lost_to, **known, "counts_uncounted": True, "tells_by_category": True}

    def _restore_meta(self, row: dict[str, Any]) -> None:
        # Older rows have none: overdue conversations are lost, and counted, at the next flush.
        self.tracker.lost_to = row.get("lost_to")
        # Older versions booked neither uncounted events nor complaints and thanks by category.
        received = self.tracker.watermark.received_through
        self.tracker.uncounted_from_ms = row.get("uncounted_from_ms") if "counts_uncounted" in row else received
        self.tracker.by_category_from_ms = row.get("by_category_from_ms") if "tells_by_category" in row else received

    def _restored(self) -> None:
        self.tracker.restore_rows(self._first_rows, self._more_rows)
        self._more_rows, self._first_rows = {}, {}
        self.tracker.restored()


def _row_key(name: str, number: int) -> bytes:
    return b"t|%d|%b" % (number, name.encode()) if number else b"s|" + name.encode()


def _fact_entry(name: str, customer: str, fact: ContactFact | None = None) -> tuple[str, dict[str, Any]]:
    """Return key and content of the fact of a contact; without ``fact``, it withdraws the fact from that customer."""
    conversation_id, mark, space = name.partition(MARK)
    content: dict[str, Any] = {"kind": "contact", "conversation_id": conversation_id}
    if mark:
        content["id_space"] = space
    content["customer_key"] = customer
    if fact is None:
        content["gone"] = True
    else:
        _, *values = fact
        content |= zip(_FACT_FIELDS, values, strict=True)
    return f"contact|{name}", content


class AgentStage(TrackStage):
    """Tracks the agents of one partition of agent-events."""

    def __init__(
        self,
        partition: int,
        configuration: Configuration,
        topics: TrackTopics,
        counters: StageCounters | None = None,
        *,
        keep_everything: bool = False,
    ) -> None:
        self.tracker = AgentTracker(configuration, keep_everything=keep_everything)
        #: What the flow's table shows: agents by name.
        self.rows = self.tracker.agents
        super().__init__(partition, configuration, topics, self.tracker, decode_agent_event, counters, usual_agent_events)
        self._ingest = agent_intake(self.tracker, self._quarantine, self._names)
        if not keep_everything:
            self._set_expiry(Expiry(configuration, self.tracker.is_open))

    def _meta(self) -> dict[str, Any]:
        return {"booked_to": self.tracker.booked_to, "compared_to": self.tracker.compared_to}

    def _restore_meta(self, row: dict[str, Any]) -> None:
        self.tracker.booked_to, self.tracker.compared_to = row["booked_to"], row.get("compared_to")

    def _restored(self) -> None:
        self.tracker.restored()

    def _discard_rows(self) -> None:
        self.tracker.discard_changes()
        super()._discard_rows()

    def _changed_rows(self) -> Iterator[Row]:
        tracker = self.tracker
        for name, row in tracker.changed_agents():
            yield b"s|" + name.encode(), None if row is None else encode(row)
            for before in tracker.stored_names.replaced(name):
                tracker.rewrite_plans(name)
                yield b"s|" + before.encode(), None
                yield _PLANS + before.encode(), None
        for name, plans in tracker.changed_plans():
            yield _PLANS + name.encode(), None if plans is None else encode(plans)

    def _changed_now(self, begun: Iterable[Scope]) -> Iterator[tuple[Scope, bytes]]:
        for scope, agents in self.tracker.changed_now(begun):
            yield scope, self._writer.now(scope, {"agents_by_state": agents, **self._expires})

    def _subjects(self) -> Callable[[str, bytes], None]:
        return lambda name, row: self.tracker.restore_agent(name, orjson.loads(row))

    def _restore_plans(self, name: str, row: Any) -> None:
        self.tracker.restore_plans(name, row)
