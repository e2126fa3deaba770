"""Count a finished stream in this process: the stages of the worker, fed from memory, with figures only at the end."""

from __future__ import annotations

import base64
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import orjson

from schemas.times import format_ms
from schemas.topics import topic
from streams.configuration.dead_letters import DeadLetterLimits, SourceLimits
from streams.replay_figures import ReplayFigures
from streams.spill import CellRows, ConversationRows, CustomerRows, Spill
from streams.stages.customer_links import CustomerLinkStage
from streams.stages.customers import CustomerEventStage, CustomerStage, CustomerTopics
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackStage, TrackTopics
from streams.windows.batch_cells import BatchCells
from streams.windows.customer_windows import CUSTOMER_WINDOWS
from streams.windows.faq_changes import faq_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from streams.configuration import Configuration
    from streams.engine.stage import Output, Stage
    from streams.windows.scope_state import ScopeState

__all__ = ["STREAMED", "Kind", "Piece", "Replay"]

Kind = Literal["contact", "agent", "customer"]

_CONTACTS, _AGENTS, _CUSTOMERS, _PANES, _FACTS = "contact-events", "agent-events", "customer-events", "queue-panes", "customer-facts"
_LINKS = "customer-links"
_FAR_FUTURE_MS = 253_402_300_799_000
#: Events between two flushes: no figure is read meanwhile, so only memory limits the number.
_CHUNK = 20_000
#: Flushes between two scans of all customers.
_FLUSHES_PER_SCAN = 10
#: The most conversations and customers in memory between two flushes: some 2 kB and 350 bytes each.
_MAX_CONVERSATIONS, _MAX_CUSTOMERS = 20_000, 40_000
#: The most dead letters, and bytes of them, in the result; all are counted.
_MAX_DEAD_LETTERS, _MAX_DEAD_LETTER_BYTES = 10_000, 64 * 1024 * 1024


class _Read(msgspec.Struct, gc=False):
    """A record read from a file, and its line number. There are millions: common values are attributes of the class."""

    value: bytes
    offset: int
    topic: ClassVar[str]
    partition: ClassVar[int] = 0
    #: The time of publishing is unknown; it decides only which times are impossible.
    timestamp: ClassVar[int] = _FAR_FUTURE_MS
    key: ClassVar[None] = None
    headers: ClassVar[tuple[()]] = ()


class _ReadContact(_Read, gc=False):
    topic: ClassVar[str] = _CONTACTS


class _ReadAgent(_Read, gc=False):
    topic: ClassVar[str] = _AGENTS


class _ReadCustomer(_Read, gc=False):
    topic: ClassVar[str] = _CUSTOMERS


_READ: dict[Kind, type[_Read]] = {"contact": _ReadContact, "agent": _ReadAgent, "customer": _ReadCustomer}


class Part:
    """The records of a piece of a file for one stage, and their events."""

    __slots__ = ("events", "records")

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.records: list[Any] = []


class Piece:
    """Consecutive decoded events of a file, by stage; reusable: filled, added and cleared."""

    def __init__(self) -> None:
        self.parts = [Part() for _ in _READ]
        #: time of the latest event
        self.last_ms: int | None = None
        #: kind → functions that add an event and its record, and the record's class
        self.taking: dict[Kind, tuple[Callable[[Any], None], Callable[[Any], None], type[_Read]]] = {
            kind: (part.events.append, part.records.append, read) for part, (kind, read) in zip(self.parts, _READ.items(), strict=True)
        }

    def add(self, kinds: Iterable[Kind], event: Any, value: bytes, line: int) -> None:
        """Add an event for stages of some kinds."""
        for kind in kinds:
            add_event, add_record, read = self.taking[kind]
            add_event(event)
            add_record(read(value, line))
        self.note(event.occurred_ms)

    def note(self, occurred_ms: int) -> None:
        """Record the time of an event."""
        if self.last_ms is None or occurred_ms > self.last_ms:
            self.last_ms = occurred_ms

    def clear(self) -> None:
        """Remove all events."""
        self.last_ms = None
        for part in self.parts:
            part.events.clear()
            part.records.clear()


class Replay:
    """Counts canonical events as JSON and returns the figures of all of them.

    Events are counted in the order in which they are added. ``published_ms`` is the time of publishing that a live stream would have
    stamped; it decides only which times are impossible. ``file`` begins the origins of lines. ``on_dead_letter`` is called with each
    dead letter at once: the result holds only a limited number. With ``figures_only`` trailing windows are not computed, and ``latest``
    holds only records of customers: half the work, and memory does not grow with the length of the file. Ended conversations are then
    in a temporary file until ``close``. Without ``intervals`` the result has none, and their sums are not stored.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        file: str = "events",
        figures_only: bool = False,
        intervals: bool = True,
        on_dead_letter: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._configuration = configuration
        self._figures_only, self._intervals = figures_only, intervals
        self._file = file
        self._on_dead_letter = on_dead_letter

        # A file is counted to its end, and its dead letters are in the result.
        no_limits = DeadLetterLimits(max_run=None, max_ratio=None)
        # One partition here represents all partitions of a live stream, each with its own limits.
        limits = _for_all_partitions(configuration.source_limits, topic("contact-events.v1").partitions)
        configuration = configuration.model_copy(update={"dead_letters": no_limits, "source_limits": limits})

        def topics(source: str) -> TrackTopics:
            return TrackTopics(source, _PANES, 1, f"{source}-dead-letters", "replay", lambda: 0, "" if source == _AGENTS else _FACTS)

        self._contacts = ContactStage(0, configuration, topics(_CONTACTS), keep_everything=True)
        self._agents = AgentStage(0, configuration, topics(_AGENTS), keep_everything=True)
        self._customer_events = CustomerEventStage(0, configuration, topics(_CUSTOMERS), keep_everything=True)
        self._stages: tuple[tuple[str, TrackStage], ...] = (
            (_CONTACTS, self._contacts),
            (_AGENTS, self._agents),
            (_CUSTOMERS, self._customer_events),
        )
        for track in (self._contacts, self._agents, self._customer_events):
            # Reading an event twice would double the cost of reading.
            track._decode, track._usual = self._with_times(track._decode), None  # noqa: SLF001
        self._spill, self._spilled_scopes = Spill(), 0
        customers = CustomerTopics(_PANES, 1, _FACTS, 1, _LINKS, _CONTACTS, 1)
        self._links, self._customers = CustomerLinkStage(configuration, customers), CustomerStage(0, configuration, customers)
        self._rollup = RollUpStage(
            0,
            configuration,
            RollUpTopics(_PANES, 1, "queue-metrics", "queue-metrics-latest", "alerts", "alerts-latest", _CONTACTS, 1, _AGENTS, 1),
            keep_everything=True,
            cells_of=self._cells_of if figures_only else None,
        )
        if figures_only:
            self._contacts.tracker.emit_differences()
            for slices in (self._agents.tracker.slices, self._customer_events.tracker.slices):
                slices.emit_differences()
            self._contacts.tracker.conversations.frozen = ConversationRows(self._spill)
            self._customers.tracker.customers.keep_few(_MAX_CUSTOMERS, CustomerRows(self._spill))
        self._pending: dict[str, list[Any]] = {_CONTACTS: [], _AGENTS: [], _CUSTOMERS: []}
        self._waiting = self._offset = self._flushes = 0
        self._last_ms: int | None = None
        self._dead: list[dict[str, Any]] = []
        self._dead_bytes = 0
        #: reason → number of dead letters
        self.dead_letters: Counter[str] = Counter()
        #: key → last published record, as in the latest topic
        self.latest: dict[str, dict[str, Any]] = {}

    def _cells_of(self, state: ScopeState) -> tuple[BatchCells, BatchCells]:
        """Return the cells of a scope by offer (of agents by outcome) and by outcome; of most scopes only the sum is read."""
        needs_cells = self._intervals and state.scope.startswith("queue:")
        # Changes of the FAQ are judged by days; a staffed cell states that itself.
        by_day = bool(self._configuration.faq_changes) and state.scope.startswith("total:")
        return (
            BatchCells(self._cell_rows() if needs_cells or by_day or state.fixed_per_hour else None),
            BatchCells(self._cell_rows() if needs_cells else None),
        )

    def _cell_rows(self) -> CellRows:
        self._spilled_scopes += 1
        return CellRows(self._spill, self._spilled_scopes)

    def close(self) -> None:
        """Delete the temporary file, with all intervals that were not read."""
        self._spill.close()

    def _with_times(self, decode: Callable[[bytes | None], Any]) -> Callable[[bytes | None], Any]:
        """Return a decoder that also records the time of the latest event."""

        def decode_and_note(value: bytes | None) -> Any:
            event = decode(value)
            self._note(event.occurred_ms)
            return event

        return decode_and_note

    def add(self, value: bytes | None, kind: Kind, *, published_ms: int | None = None, origin: str | None = None) -> None:
        """Count one event; a rejected one becomes a dead letter named by ``origin``."""
        name = _READ[kind].topic
        self._offset += 1
        at = _FAR_FUTURE_MS if published_ms is None else published_ms
        headers = (("origin", origin.encode()),) if origin is not None else ()
        record = SimpleNamespace(topic=name, partition=0, offset=self._offset, timestamp=at, key=None, value=value, headers=headers)
        self._pending[name].append(record)
        self._count(1)

    def add_piece(self, piece: Piece) -> None:
        """Count a piece of the file with decoded events; faster than one by one."""
        number = 0
        for (name, stage), part in zip(self._stages, piece.parts, strict=True):
            if part.events:
                if self._pending[name]:
                    self._process(name, stage)
                stage.process(part.records, iter(part.events))
                number += len(part.events)
        if piece.last_ms is not None:
            self._note(piece.last_ms)
        self._count(number)

    def _note(self, occurred_ms: int) -> None:
        if self._last_ms is None or occurred_ms > self._last_ms:
            self._last_ms = occurred_ms

    @property
    def last_ms(self) -> int | None:
        """Time of the latest readable event, in ms."""
        if self._waiting:
            self._work_off()
        return self._last_ms

    def _count(self, number: int) -> None:
        self._waiting += number
        if self._waiting >= _CHUNK:
            self._work_off()

    def _process(self, name: str, stage: TrackStage) -> None:
        records, self._pending[name] = self._pending[name], []
        stage.process(records)

    def reject(self, dead_letter: dict[str, Any]) -> None:
        """Record a dead letter: ``origin``, ``reason``, ``detail`` and ``bytes`` (base64)."""
        self.dead_letters[dead_letter["reason"]] += 1
        if self._on_dead_letter is not None:
            self._on_dead_letter(dead_letter)
        size = len(dead_letter["bytes"])
        if len(self._dead) < _MAX_DEAD_LETTERS and self._dead_bytes + size <= _MAX_DEAD_LETTER_BYTES:
            self._dead.append(dead_letter)
            self._dead_bytes += size

    def heartbeat(self, source: str, at_ms: int) -> None:
        """Add a heartbeat: the source is complete through an instant."""
        at = format_ms(at_ms)
        beat = (
            f'{{"event_id":"heartbeat-{source}-{at_ms}","type":"source.heartbeat","occurred_at":"{at}","received_at":"{at}",'
            f'"source":"{source}","complete_through":"{at}"}}'
        ).encode()
        self.add(beat, "contact")
        self.add(beat, "agent")
        self.add(beat, "customer")

    def _work_off(self) -> None:
        self._waiting = 0
        for name, stage in self._stages:
            self._process(name, stage)
            self._flush(stage)
        self._flushes += 1
        if self._figures_only:
            self._contacts.tracker.freeze(_MAX_CONVERSATIONS)
            self._customers.tracker.flush()
            self._customers.tracker.discard_changes()
            self._rollup.rollup.advance()
            if self._flushes % _FLUSHES_PER_SCAN == 0:
                # Customers who no longer count are removed then.
                self._publish_customers()

    def _flush(self, stage: TrackStage) -> None:
        if self._figures_only:
            self._route(stage.flush_batch(self._rollup.rollup.add, self._apply_fact))
        else:
            self._route(stage.collect().outputs)

    def _apply_fact(self, fact: dict[str, Any]) -> None:
        """Apply a fact to the state of customers or links."""
        (self._links if fact["kind"] == "link" else self._customers).tracker.apply(fact)

    def _publish(self) -> None:
        """Compute the windows once: the intermediate records of a live worker are not needed."""
        self._publish_customers()
        if not self._figures_only:
            for output in self._rollup.collect().outputs:
                self._take_latest(output.topic, output.key, output.value)

    def _publish_customers(self) -> None:
        # The first pass publishes families of links, the second the customers' figures with them.
        for _ in range(2):
            self._route(self._links.collect().outputs)
            self._route(self._customers.flush_batch())
        for key, record in self._rollup.customers.changed_records():
            if record is None:
                self.latest.pop(key, None)
            else:
                self.latest[key] = record

    def _days(self) -> Iterator[dict[str, Any]]:
        """Yield the records that judge changes of the FAQ."""
        if not self._figures_only:
            yield from self.latest.values()
        elif self._configuration.faq_changes:
            for state in self._rollup.rollup.scopes.values():
                if state.scope.startswith("total:"):
                    state.cells = state.cells.read_back()
                    yield from self._rollup.rollup.by_day(state)

    def _route(self, outputs: Sequence[Output]) -> None:
        stages: dict[str, Stage] = {_PANES: self._rollup, _FACTS: self._customers, _LINKS: self._links}
        for name, stage in stages.items():
            stage.process([SimpleNamespace(key=o.key, value=o.value) for o in outputs if o.topic == name])
        for output in outputs:
            if output.topic not in stages:
                self.reject(_dead_letter(output.value, output.headers, self._file))

    def _take_latest(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic == "queue-metrics-latest" and key is not None:
            if value is None:
                self.latest.pop(key.decode(), None)
            else:
                self.latest[key.decode()] = orjson.loads(value)

    def finish(self, until_ms: int | None = None, sources: Iterable[str] = ("replay",)) -> dict[str, Any]:
        """Return the figures as of an instant, by default of the last event; all earlier events count as received."""
        result = self.figures(until_ms, sources)
        return {name: [*value] if name in STREAMED else value for name, value in result.items()}

    def figures(self, until_ms: int | None = None, sources: Iterable[str] = ("replay",)) -> dict[str, Any]:
        """Return the same, with iterators for the parts in ``STREAMED``, which may not fit into memory."""
        self._work_off()
        received = [t.watermark.received_through for t in (self._contacts.tracker, self._agents.tracker) if t.watermark.received_through]
        as_of = until_ms if until_ms is not None else max(received, default=None)
        if as_of is not None:
            for source in {*sources, *self._contacts.tracker.watermark.known(), *self._agents.tracker.watermark.known()}:
                self.heartbeat(source, as_of)
            self._work_off()
        self._publish()
        figures = ReplayFigures(self._configuration, self._rollup.rollup).document(intervals=self._intervals)
        now = figures.pop("now")
        return {
            "as_of": None if as_of is None else format_ms(as_of),
            "definitions": _definitions(self._configuration),
            **figures,
            "customers": [record for _, record in sorted(self.latest.items()) if record.get("window") in CUSTOMER_WINDOWS],
            "now": now,
            "late_events": self._contacts.tracker.late + self._agents.tracker.late,
            "dead_letters": sorted(self._dead, key=_line_of),
            "dead_letters_by_reason": dict(sorted(self.dead_letters.items())),
            "faq_changes": faq_answers(self._configuration, self._days()),
        }


#: Parts of the figures that ``Replay.figures`` returns as iterators.
STREAMED = frozenset({"intervals"})


def _definitions(configuration: Configuration) -> dict[str, Any]:
    """Return the definition under ``service_level``, and every version of every named definition."""
    versions = {
        f"{name}@{definition.version}": definition for name, definitions in configuration.definitions.items() for definition in definitions
    }
    definitions = {"service_level": configuration.service_level, **versions}
    return {name: definition.model_dump(mode="json") for name, definition in definitions.items()}


def _line_of(dead_letter: dict[str, Any]) -> int:
    """Return the line number of a dead letter; 0 if its origin names none."""
    number = dead_letter["origin"].rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _for_all_partitions(limits: SourceLimits, partitions: int) -> SourceLimits:
    """Return the limits with counts multiplied by the partitions; shares do not change."""
    counted = [name for name in SourceLimits.model_fields if name.startswith(("max_new_", "max_contact", "max_people"))]
    return limits.model_copy(update={name: limit * partitions for name in counted if (limit := getattr(limits, name))})


def _dead_letter(value: bytes | None, headers: Sequence[tuple[str, bytes]], file: str) -> dict[str, Any]:
    texts = {name: content.decode(errors="replace") for name, content in headers}
    return {
        "origin": texts.get("origin", f"{file}:{texts.get('dead-dead_letter-original-offset')}"),
        "reason": texts.get("dead-letter-reason"),
        "detail": texts.get("dead-letter-detail"),
        "bytes": base64.b64encode(value or b"").decode(),
    }
