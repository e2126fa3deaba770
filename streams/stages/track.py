"""The track stages: contact events and agent events become rows of state and absolute panes."""

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
#: Reason of a dead letter → the kind of which too much is kept of a source.
_BEYOND = {TOO_MANY_OPEN: "conversation", TOO_MANY_PEOPLE: "person"}
_META = b"m"
_SNAPSHOT = b"p|"
_NAMES = b"n|"
_BOOKED = b"b|"
_PLANS = b"P|"
#: The further rows of a long conversation.
_MORE = b"t|"
#: So many records are decoded before the first of them is applied: few enough to be at hand still.
_AT_ONCE = 200
#: What customers are told of a contact beside whose it is.
_SAID_OF_CONTACTS = ContactFact._fields[1:]


class TrackTopics(NamedTuple):
    """Where a track stage reads and writes: full topic names, the consumer group, and a clock for dead letters' headers."""

    source: str
    panes: str
    pane_partitions: int
    dead_letters: str
    consumer_group: str
    now_ms: Callable[[], int]
    #: Where what is known of customers goes; empty: nowhere.
    customer_facts: str = ""
    customer_partitions: int = 1
    #: Where links between customers go.
    customer_links: str = "customer-links"
    #: Where decisions about sources are recorded; empty: nowhere.
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
    """What all track stages do: decode, refuse, apply; at a flush write what changed."""

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
        #: decodes most records at once; None: each is decoded by itself
        self._usual = usual
        #: takes the usual events of a list from a place on, and returns that of the first that is left out; None: nothing is compiled
        self._take: Callable[[list[Any], int], int] | None = None
        self._writer = PaneWriter(topics.source, partition, topics.pane_partitions)
        self._hash = configuration_hash(configuration)
        self._dead: list[Output] = []
        self._decisions = Decisions(topics.audit, (topics.source, partition), topics.consumer_group)
        self._quarantine = Quarantine(configuration.dead_letters, configuration.source_limits, tracker.watermark)
        self._names = Names(configuration)
        #: when something was last booked in each scope; None where nothing expires
        self._expiry: Expiry | None = None
        #: what records of now and of progress say so that roll-up knows those of a version that gave nothing up
        self._expires: dict[str, bool] = {}
        self._meta_changed = False
        #: nothing has come in since a flush at which nothing had changed
        self._is_idle = False
        self._meta_written: dict[str, Any] = {}
        self._progress_written: tuple[Any, ...] | None = None
        self._partition = partition
        self._progress_told: int | None = None
        self.counters = counters if counters is not None else StageCounters()

    def process(self, records: Sequence[Record], events: Iterator[Any] | None = None) -> None:
        """Apply every record; a bad one becomes a dead letter, and of a source that has too many of them all that follow.

        ``events``: what the records hold, where they have been decoded before.
        """
        decode, tracker, counters, quarantine = self._decode, self._tracker, self.counters, self._quarantine
        apply_of, progress, admit, fields = by_type(type(tracker).apply), tracker.watermark, self._names.admit, FIELDS
        quarantined, watched = quarantine.quarantined, quarantine.watched
        late, repeated, has_room = tracker.late, tracker.repeated, progress.has_room
        known_late, usual = late, None if events is not None else self._usual
        for begin in range(0, len(records), _AT_ONCE):
            some = records[begin : begin + _AT_ONCE]
            for record, decoded in zip(some, repeat(None)) if usual is None else self._left_out(some, usual(some)):
                event = decoded
                if event is None:
                    try:
                        event = decode(record.value) if events is None else next(events)
                    except Rejected as rejected:
                        if rejected.reason != "unknown_type" or not self._carries_out(record):
                            self._reject(record, source_of(record.value), rejected.reason, rejected.detail)
                        continue
                    # As ``bound_times`` has it, but without a call where nothing is wrong.
                    received = event.received_ms
                    is_sound = MIN_TIME_MS <= event.occurred_ms <= received + MAX_AHEAD_MS and received <= record.timestamp
                    wrong = None if is_sound else bound_times(event, record.timestamp)
                    if wrong is not None:
                        self._reject(record, event.source, wrong, TIME_DETAILS[wrong])
                        continue
                source, kind = event.source, type(event)
                if quarantined and source in quarantined:
                    progress.pass_time(event.received_ms)
                    # Heartbeats hold nothing that could be wanted back.
                    if kind is not SourceHeartbeat:
                        quarantined[source].records += 1
                        self._set_aside(record, SOURCE_QUARANTINED, f"{source}: {quarantined[source].reason}")
                elif source not in progress.sources and not has_room(source):
                    self._reject(record, NO_ROOM, TOO_MANY_SOURCES, _IS_NO_SOURCE)
                elif kind is SourceHeartbeat:
                    self._take_heartbeat(record, event)
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
                        self._note_late(record, source)
                    elif watched:
                        quarantine.fine(source)
        self._meta_changed, self._is_idle = True, False
        counters.events += len(records)
        counters.late += known_late - late
        counters.repeated += tracker.repeated - repeated

    def _left_out(self, records: Sequence[Record], events: list[Any]) -> Iterator[tuple[Record, Any]]:
        """Yield the records that compiled code does not take, with what they hold, when all before them have been taken."""
        take = self._take
        if take is None:
            yield from zip(records, events, strict=True)
            return
        place = take(events, 0)
        while place < len(events):
            yield records[place], events[place]
            place = take(events, place + 1)

    def _take_heartbeat(self, record: Record, event: SourceHeartbeat) -> None:
        wrong = bound_complete_through(event, record.timestamp)
        if wrong is None:
            heard, complete = event.received_ms, event.complete_through_ms
            self._tracker.watermark.heartbeat(event.source, heard, complete, ended=event.ended, instance=event.instance)
        else:
            self._reject(record, event.source, wrong, TIME_DETAILS[wrong])

    def _expire(self, expiry: Expiry) -> None:
        self._expiry, self._expires = expiry, {"expires": True}

    def _carries_out(self, record: Record) -> bool:
        """Carry out what an operator orders in a record; say whether it is an order."""
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

    def _note_late(self, record: Record, source: str) -> None:
        # A replayed dead letter is late because it was one.
        if not any(name == REPLAYED_FROM for name, _ in record.headers):
            self._quarantine.late(source, record.offset, record.timestamp)

    def _reject(self, record: Record, source: str | None, reason: str, detail: str) -> None:
        self._quarantine.bad(source, reason, record.offset, record.timestamp)
        self._set_aside(record, reason, detail)

    def _set_aside(self, record: Record, reason: str, detail: str) -> None:
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

    def set_aside(self, record: Record, how: str) -> None:
        """Make a dead letter of a record that ends the process; it is not looked into, so its source is not known."""
        self._set_aside(record, ENDS_WORKERS, f"processing it {how}")
        self._meta_changed, self._is_idle = True, False

    def refuse(self, record: Record, detail: str) -> None:
        """Make a dead letter of a batch that cannot be read; whose records it holds is not known."""
        self._reject(record, None, UNREADABLE_BATCH, detail)
        self._meta_changed, self._is_idle = True, False

    def collect(self) -> Flush:
        """Return rows, panes, progress and dead letters that changed."""
        if self._is_idle:
            return Flush([], [])
        tracker, writer, panes = self._tracker, self._writer, self._topics.panes
        self._settle()
        rows: list[Row] = list(self._changed_rows())
        rows += ((_SNAPSHOT + name.encode(), None if kept is None else encode(kept)) for name, kept in tracker.snapshots.changed())
        rows += ((_NAMES + key.encode(), None if names is None else encode(names)) for key, names in self._names.changed_rows())
        outputs: list[Output] = []
        for (kind, scope, start), counts in tracker.slices.changes():
            key = writer.key(kind, scope, start)
            value = None if counts is None else writer.slice(kind, scope, start, counts)
            rows.append((key, value))
            outputs.append(Output(panes, writer.partition(scope), key, value))
        begun, gone = set[Scope](), list[Scope]()
        expiry, booked = self._expiry, tracker.slices.booked()
        if expiry is not None:
            for scope, start in booked:
                expiry.note(scope, start)
            begun, gone = expiry.begun(), expiry.expired(tracker.watermark.ms)
            rows += ((_BOOKED + key.encode(), None if last is None else encode(last)) for key, last in expiry.changed_rows())
        now = {**dict(self._changed_now(begun)), **dict.fromkeys(gone)}
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

    def _settle(self) -> None:
        self._tracker.flush()
        self.counters.beyond_limits[self._topics.source, self._partition] = self._names.totals()
        self.counters.quarantined[self._topics.source, self._partition] = tuple(self._quarantine.quarantined)

    def pass_on(self, add: Callable[[str, str, str | None, int, Counts], None], tell: Callable[[dict[str, Any]], None]) -> list[Output]:
        """Flush for one who keeps no rows: ``add`` takes what is new in cells (kind, scope, channel, start, difference).

        ``tell`` takes what customers are to be told. Returned are what goes on, progress and dead letters. Slices tell differences, and of
        each topic there is one partition.
        """
        self._settle()
        self._pass_over_rows()
        for (kind, (scope, channel), start), counts in self._tracker.slices.changes():
            add(kind, scope, channel, start, cast("Counts", counts))
        self._tracker.slices.forget_booked()
        outputs = [Output(self._topics.panes, 0, self._writer.key("now", scope, None), value) for scope, value in self._changed_now(())]
        outputs += self._changed_progress()
        topics, facts = self._topics, self._customer_facts()
        if topics.customer_facts and self._tracker.watermark.received_through is not None:
            for _, fact in facts:
                tell(fact)
            told = {topics.customer_links if fact["kind"] == "link" else topics.customer_facts for _, fact in facts}
            outputs += self._told_progress({(topic, 0) for topic in told})
        outputs += self._dead
        self._dead = []
        return outputs

    def _pass_over_rows(self) -> None:
        """Do what follows from a change of rows, without them."""
        for _ in (*self._changed_rows(), *self._tracker.snapshots.changed(), *self._names.changed_rows()):
            pass

    def _changed_progress(self) -> Iterator[Output]:
        progress = self._tracker.watermark
        stale, quarantined = progress.stale(), self._quarantine.summary()
        beyond = {source: dict(counts) for source, counts in self._names.beyond.items()}
        journals = progress.journals()
        figures = (progress.ms, progress.received_through, stale, quarantined, beyond, journals)
        if figures == self._progress_written or (progress.received_through is None and not quarantined):
            return
        self._progress_written = figures
        yield from self._progress_outputs(
            {
                "progress_ms": progress.ms,
                "received_through_ms": progress.received_through,
                "sources": progress.sources,
                "stale_sources": stale,
                "configuration_hash": self._hash,
                **({"quarantined_sources": quarantined} if quarantined else {}),
                **({"beyond_limits": beyond} if beyond else {}),
                **({"journals": journals} if journals else {}),
                **self._expires,
                **self._tracker.slices.grid.since(),
            }
        )

    def _progress_outputs(self, figures: dict[str, Any]) -> Iterator[Output]:
        key, value = self._writer.key("progress", None, None), self._writer.progress(figures)
        for partition in range(self._writer.pane_partitions):
            yield Output(self._topics.panes, partition, key, value)

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:  # noqa: ARG002
        """Take the state back in from its rows."""
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
            kept = orjson.loads(value)
            if key == _META:
                grid = kept.get("grid", {})
                self._tracker.watermark.restore(kept["progress"])
                # Versions before counted the bad records of all sources together, under "flood": who sent them is not known.
                self._quarantine.restore(kept.get("sources", {}))
                self._names.restore_beyond(kept.get("beyond_limits", {}))
                self._tracker.snapshots.lately = {source: (sent[0], sent[1]) for source, sent in kept.get("snapshots", {}).items()}
                self._restore_meta(kept)
            elif key.startswith(_PLANS):
                self._restore_plans(key[len(_PLANS) :].decode(), kept)
            elif key.startswith(_NAMES):
                self._names.restore_row(key[len(_NAMES) :].decode(), kept)
            elif key.startswith(_SNAPSHOT):
                self._tracker.snapshots.restore(key[len(_SNAPSHOT) :].decode(), kept)
            elif key.startswith(_BOOKED):
                if expiry is not None:
                    expiry.restore_row(key[len(_BOOKED) :].decode(), kept)
            else:
                scope, start = Scope(kept["scope"], kept["channel"]), kept["start_ms"]
                slices.put(kept["kind"], scope, start, kept)
                if kept["counts"]:
                    booked[scope] = max(start, booked.get(scope, start))
        through = self._tracker.watermark.ms
        if through is not None:
            slices.evict(through)
        if grid is not None:
            slices.restore_grid(grid)
        if expiry is not None:
            # Rows of a version that gave nothing up do not say it.
            for scope, start in booked.items():
                expiry.note(scope, start)
        self._restored()
        self._meta_written = {"through": through, **self._meta()}

    def _meta(self) -> dict[str, Any]:
        return {}

    def _restore_meta(self, kept: dict[str, Any]) -> None:
        """Take back what ``_meta`` returned."""

    def _restored(self) -> None:
        """Say that everything kept has been taken back in."""

    def _facts(self) -> Iterator[Output]:
        """Yield what customers are to be told, once the rows have been written; and how far it goes, in steps of a pane."""
        topic, facts = self._topics.customer_facts, self._customer_facts()
        progress = self._tracker.watermark
        if not topic or progress.received_through is None:
            return
        told: set[tuple[str, int]] = set()
        for key, fact in facts:
            place = (self._topics.customer_links, 0)
            if fact["kind"] != "link":
                place = (topic, customer_partition(fact["customer_key"], self._topics.customer_partitions))
            told.add(place)
            yield Output(*place, key.encode(), encode(fact))
        yield from self._told_progress(told)

    def _told_progress(self, told: set[tuple[str, int]]) -> Iterator[Output]:
        """Yield how far what customers are told is complete: to those that were told something, and once a pane to all."""
        topic, progress = self._topics.customer_facts, self._tracker.watermark
        step = None if progress.ms is None else pane_of(progress.ms)
        if step != self._progress_told:
            told = {(self._topics.customer_links, 0), *((topic, number) for number in range(self._topics.customer_partitions))}
            self._progress_told = step
        origin = (self._topics.source, self._partition)
        yield from progress_outputs(origin, sorted(told), progress.ms, progress.received_through)

    def _customer_facts(self) -> list[tuple[str, dict[str, Any]]]:
        """Return key and content of what customers are to be told."""
        return []

    def _changed_rows(self) -> Iterator[Row]:
        raise NotImplementedError

    def _changed_now(self, begun: Iterable[Scope]) -> Iterator[tuple[Scope, bytes]]:
        """Yield what goes on in the scopes where that has changed, and in these."""
        raise NotImplementedError

    def _subjects(self) -> Callable[[str, bytes], None]:
        """Return what takes back the first row of a conversation or agent by its name."""
        raise NotImplementedError

    def _restore_more(self, name: str, number: int, row: bytes) -> None:
        """Take back a further row of a conversation."""

    def _restore_plans(self, name: str, kept: Any) -> None:
        """Take back the plans of an agent."""


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
        self._told: list[tuple[str, dict[str, Any]]] = []
        #: rows taken back in, until all are there: further ones by number
        self._more_rows: dict[str, dict[int, bytes]] = {}
        self._first_rows: dict[str, bytes] = {}
        #: conversations given up since the last flush → what else customers know them by
        self._told_as: dict[str, Sequence[str]] = {}
        super().__init__(partition, configuration, topics, self.tracker, decode_contact_event, counters, usual_contact_events)
        self._names.conversation_of = self.tracker.conversation_of
        if not keep_everything:
            self.tracker.pack_idle(PackedRows())
            self._expire(Expiry(configuration, self.tracker.is_open))
        self._take = contact_intake(self.tracker, self._quarantine, self._names)

    def _changed_rows(self) -> Iterator[Row]:
        tracker = self.tracker
        live, changed_rows, kept_names = tracker.conversations.live, tracker.changed_rows, tracker.kept_names
        for name in tracker.take_changed():
            only, head, number = None, None, 0
            for number, row in changed_rows(name):
                value = None if row is None else encode(row)
                if not number and row is not None:
                    only, head = value, row.head
                yield _row_key(name, number) if number else b"s|" + name.encode(), value
            replaced = kept_names.replaced(name) if kept_names.any_replaced else ()
            for other in replaced:
                for other_number, _ in tracker.changed_rows(other):
                    yield _row_key(other, other_number), None
            conversation = live.get(name)
            if conversation is None:
                self._told_as[name] = replaced
                continue
            if conversation.state.customer is not None or conversation.published_fact is not None or name in tracker.merged:
                self._tell(conversation, replaced)
            if is_over(conversation):
                tracker.rest(name, None if number else only, head)
        tracker.merged.clear()
        tracker.put_idle_away()

    def _tell(self, conversation: Conversation, told_as: Sequence[str]) -> None:
        """Have customers told what has changed of a contact, and that nothing is left of it under other names."""
        before, fact = conversation.published_fact, contact_fact(conversation.state)
        customer = conversation.state.customer or "" if before is None else before.customer
        self._told += (_told(row, customer) for row in told_as)
        if told_as:
            before = None
        conversation.published_fact = fact
        if fact == before:
            return
        if fact is None or (before is not None and before.customer != fact.customer):
            self._told.append(_told(conversation.name, customer))
        if fact is not None:
            self._told.append(_told(conversation.name, fact.customer, fact))

    def _pass_over_rows(self) -> None:
        tracker = self.tracker
        live = tracker.conversations.live
        for name in tracker.take_changed():
            conversation = live.get(name)
            if conversation is not None and (conversation.state.customer is not None or conversation.published_fact is not None):
                self._tell(conversation, ())
        tracker.pass_over_rows()
        super()._pass_over_rows()

    def _customer_facts(self) -> list[tuple[str, dict[str, Any]]]:
        forgotten, self.tracker.evicted = self.tracker.evicted, []
        for conversation in forgotten:
            self._tell(conversation, self._told_as.get(conversation.name, ()))
        self._told_as.clear()
        told, self._told = self._told, []
        return told

    def _changed_now(self, begun: Iterable[Scope]) -> Iterator[tuple[Scope, bytes]]:
        # Who reads this has read the progress written before it: what was due by then is overdue.
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

    def _restore_meta(self, kept: dict[str, Any]) -> None:
        # Rows of a version that lost nothing have none: what is overdue is lost, and counted, at the next flush.
        self.tracker.lost_to = kept.get("lost_to")
        # What a version booked that did not count events that counted nothing holds none of them.
        received = self.tracker.watermark.received_through
        self.tracker.uncounted_from_ms = kept.get("uncounted_from_ms") if "counts_uncounted" in kept else received
        # Nor does that of one that did not tell complaints and thanks by category.
        self.tracker.by_category_from_ms = kept.get("by_category_from_ms") if "tells_by_category" in kept else received

    def _restored(self) -> None:
        self.tracker.restore_rows(self._first_rows, self._more_rows)
        self._more_rows, self._first_rows = {}, {}
        self.tracker.restored()


def _row_key(name: str, number: int) -> bytes:
    return b"t|%d|%b" % (number, name.encode()) if number else b"s|" + name.encode()


def _told(name: str, customer: str, fact: ContactFact | None = None) -> tuple[str, dict[str, Any]]:
    """Return key and content of what customers are told of a contact: what it is now, or that it is none of that customer's."""
    conversation_id, mark, space = name.partition(MARK)
    told: dict[str, Any] = {"kind": "contact", "conversation_id": conversation_id}
    if mark:
        told["id_space"] = space
    told["customer_key"] = customer
    if fact is None:
        told["gone"] = True
    else:
        _, *said = fact
        told |= zip(_SAID_OF_CONTACTS, said, strict=True)
    return f"contact|{name}", told


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
        self._take = agent_intake(self.tracker, self._quarantine, self._names)
        if not keep_everything:
            self._expire(Expiry(configuration, self.tracker.is_open))

    def _meta(self) -> dict[str, Any]:
        return {"booked_to": self.tracker.booked_to, "compared_to": self.tracker.compared_to}

    def _restore_meta(self, kept: dict[str, Any]) -> None:
        self.tracker.booked_to, self.tracker.compared_to = kept["booked_to"], kept.get("compared_to")

    def _restored(self) -> None:
        self.tracker.restored()

    def _pass_over_rows(self) -> None:
        self.tracker.pass_over_rows()
        super()._pass_over_rows()

    def _changed_rows(self) -> Iterator[Row]:
        tracker = self.tracker
        for name, row in tracker.changed_agents():
            yield b"s|" + name.encode(), None if row is None else encode(row)
            for before in tracker.kept_names.replaced(name):
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

    def _restore_plans(self, name: str, kept: Any) -> None:
        self.tracker.restore_plans(name, kept)
