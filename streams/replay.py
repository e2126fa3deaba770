"""Count a finished stream in this process: the stages of the worker, fed from memory, asked for the figures at the end alone."""

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
#: Events between two flushes: no figure is asked for meanwhile, so only memory speaks for few.
_CHUNK = 20_000
#: Flushes between two looks at all customers.
_FLUSHES_A_LOOK = 10
#: So many conversations, and customers, are in memory at most between two flushes: some 2 kB and 350 bytes each.
_MOST_CONVERSATIONS, _MOST_CUSTOMERS = 20_000, 40_000
#: So many dead letters, and bytes of them, are kept for the result; all of them are counted.
_KEPT_LETTERS, _KEPT_LETTER_BYTES = 10_000, 64 * 1024 * 1024


class _Read(msgspec.Struct, gc=False):
    """A record read from a file, and the number of its line. There are millions: what all have alike is the class's."""

    value: bytes
    offset: int
    topic: ClassVar[str]
    partition: ClassVar[int] = 0
    #: When it was published is not known; it decides only which times cannot be true.
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
    """The records of a piece of a file that one stage takes, and their events."""

    __slots__ = ("events", "records")

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.records: list[Any] = []


class Piece:
    """Events of a file that stand together, decoded, by the stages that take them; to be filled, added and cleared again and again."""

    def __init__(self) -> None:
        self.parts = [Part() for _ in _READ]
        #: when the last of them occurred
        self.last_ms: int | None = None
        #: kind → what takes an event, its JSON and the number of its line
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
        """Take note that an event occurred then."""
        if self.last_ms is None or occurred_ms > self.last_ms:
            self.last_ms = occurred_ms

    def clear(self) -> None:
        """Be empty again."""
        self.last_ms = None
        for part in self.parts:
            part.events.clear()
            part.records.clear()


class Replay:
    """Takes canonical events as JSON and returns the figures of all of them.

    Events are taken in the order they are added. ``published_ms`` is the time of publishing that a live stream would
    have stamped; it decides only which times cannot be true. ``file`` is what origins of lines begin with, and
    ``on_dead_letter`` is called with each dead letter when it is known: the result holds only so many of them. With
    ``figures_only`` trailing windows are not computed, and ``latest`` holds records of customers alone: half the work, and no memory
    that grows with the length of the file. What is over is then in a temporary file until ``close``; without ``intervals`` there are
    none in the result, and their sums need not be kept.
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

        # A file is counted to its end, and its reader sees what could not be used.
        no_limits = DeadLetterLimits(max_run=None, max_ratio=None)
        # One partition here stands for all there are live, and a source may reach its limits on each of them.
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
        for each in (self._contacts, self._agents, self._customer_events):
            # What is read twice costs as much as all else of reading.
            each._decode, each._usual = self._noting(each._decode), None  # noqa: SLF001
        self._spill, self._places = Spill(), 0
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
            self._customers.tracker.customers.keep_few(_MOST_CUSTOMERS, CustomerRows(self._spill))
        self._pending: dict[str, list[Any]] = {_CONTACTS: [], _AGENTS: [], _CUSTOMERS: []}
        self._waiting = self._offset = self._flushes = 0
        self._last_ms: int | None = None
        self._dead: list[dict[str, Any]] = []
        self._dead_bytes = 0
        #: reason → how many dead letters
        self.dead_letters: Counter[str] = Counter()
        #: key → last published record, as the latest topic has it
        self.latest: dict[str, dict[str, Any]] = {}

    def _cells_of(self, state: ScopeState) -> tuple[BatchCells, BatchCells]:
        """Return what keeps the cells of a scope, by offer (of people by outcome) and by outcome: most are asked for their sum alone."""
        of_interest = self._intervals and state.scope.startswith("queue:")
        # Of days a change of the FAQ is judged by; and whether a cell is staffed already, it says itself.
        by_day = bool(self._configuration.faq_changes) and state.scope.startswith("total:")
        return (
            BatchCells(self._cell_rows() if of_interest or by_day or state.fixed_per_hour else None),
            BatchCells(self._cell_rows() if of_interest else None),
        )

    def _cell_rows(self) -> CellRows:
        self._places += 1
        return CellRows(self._spill, self._places)

    def close(self) -> None:
        """Give up what is in a temporary file; intervals that have not been taken by then are gone."""
        self._spill.close()

    def _noting(self, decode: Callable[[bytes | None], Any]) -> Callable[[bytes | None], Any]:
        """Return a decoder that also keeps up when the last event occurred."""

        def decode_and_note(value: bytes | None) -> Any:
            event = decode(value)
            self._note(event.occurred_ms)
            return event

        return decode_and_note

    def add(self, value: bytes | None, kind: Kind, *, published_ms: int | None = None, origin: str | None = None) -> None:
        """Take one event; what cannot be used becomes a dead letter named by ``origin``."""
        name = _READ[kind].topic
        self._offset += 1
        at = _FAR_FUTURE_MS if published_ms is None else published_ms
        headers = (("origin", origin.encode()),) if origin is not None else ()
        record = SimpleNamespace(topic=name, partition=0, offset=self._offset, timestamp=at, key=None, value=value, headers=headers)
        self._pending[name].append(record)
        self._count(1)

    def add_piece(self, piece: Piece) -> None:
        """Take a piece of the file whose events have been decoded; cheaper than one by one."""
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
        """When the last event occurred that could be read, in ms."""
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

    def reject(self, letter: dict[str, Any]) -> None:
        """Take note of what is no event: ``origin``, ``reason``, ``detail`` and ``bytes`` (base64)."""
        self.dead_letters[letter["reason"]] += 1
        if self._on_dead_letter is not None:
            self._on_dead_letter(letter)
        size = len(letter["bytes"])
        if len(self._dead) < _KEPT_LETTERS and self._dead_bytes + size <= _KEPT_LETTER_BYTES:
            self._dead.append(letter)
            self._dead_bytes += size

    def heartbeat(self, source: str, at_ms: int) -> None:
        """Say for a source that nothing at or before an instant is still to come."""
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
            self._contacts.tracker.freeze(_MOST_CONVERSATIONS)
            self._customers.tracker.flush()
            self._customers.tracker.pass_over_rows()
            self._rollup.rollup.advance()
            if self._flushes % _FLUSHES_A_LOOK == 0:
                # Customers who count nowhere any more are forgotten then.
                self._publish_customers()

    def _flush(self, stage: TrackStage) -> None:
        if self._figures_only:
            self._pass_on(stage.pass_on(self._rollup.rollup.add, self._tell))
        else:
            self._pass_on(stage.collect().outputs)

    def _tell(self, fact: dict[str, Any]) -> None:
        """Let customers know something."""
        (self._links if fact["kind"] == "link" else self._customers).tracker.apply(fact)

    def _publish(self) -> None:
        """Compute the windows, once: what a live worker publishes between is asked for by none here."""
        self._publish_customers()
        if not self._figures_only:
            for output in self._rollup.collect().outputs:
                self._take_latest(output.topic, output.key, output.value)

    def _publish_customers(self) -> None:
        # Links become families, families are heard of, and what customers come to is known then.
        for _ in range(2):
            self._pass_on(self._links.collect().outputs)
            self._pass_on(self._customers.pass_on())
        for key, record in self._rollup.customers.news():
            if record is None:
                self.latest.pop(key, None)
            else:
                self.latest[key] = record

    def _days(self) -> Iterator[dict[str, Any]]:
        """Yield the records by which changes of the FAQ are judged."""
        if not self._figures_only:
            yield from self.latest.values()
        elif self._configuration.faq_changes:
            for state in self._rollup.rollup.scopes.values():
                if state.scope.startswith("total:"):
                    state.cells = state.cells.read_back()
                    yield from self._rollup.rollup.by_day(state)

    def _pass_on(self, outputs: Sequence[Output]) -> None:
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
        """Return the figures as of an instant, by default of the last event, having taken note that no event is missing before it."""
        result = self.figures(until_ms, sources)
        return {name: [*value] if name in STREAMED else value for name, value in result.items()}

    def figures(self, until_ms: int | None = None, sources: Iterable[str] = ("replay",)) -> dict[str, Any]:
        """Return the same, but what ``STREAMED`` names as iterators: there may be far more of it than fits into memory."""
        self._work_off()
        received = [t.watermark.received_through for t in (self._contacts.tracker, self._agents.tracker) if t.watermark.received_through]
        as_of = until_ms if until_ms is not None else max(received, default=None)
        if as_of is not None:
            for source in {*sources, *self._contacts.tracker.watermark.known(), *self._agents.tracker.watermark.known()}:
                self.heartbeat(source, as_of)
            self._work_off()
        self._publish()
        figures = ReplayFigures(self._configuration, self._rollup.rollup).told(intervals=self._intervals)
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


#: Parts of the figures that ``Replay.figures`` gives one by one.
STREAMED = frozenset({"intervals"})


def _definitions(configuration: Configuration) -> dict[str, Any]:
    """Return what stands under ``service_level``, and every version of every named definition."""
    versions = {f"{name}@{each.version}": each for name, every in configuration.definitions.items() for each in every}
    return {name: each.model_dump(mode="json") for name, each in {"service_level": configuration.service_level, **versions}.items()}


def _line_of(letter: dict[str, Any]) -> int:
    """Return the line that a dead letter stood in; 0 if its origin names none."""
    number = letter["origin"].rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _for_all_partitions(limits: SourceLimits, partitions: int) -> SourceLimits:
    """Return so many times the limits that count something; limits that are shares stay."""
    counted = [name for name in SourceLimits.model_fields if name.startswith(("max_new_", "max_contact", "max_people"))]
    return limits.model_copy(update={name: limit * partitions for name in counted if (limit := getattr(limits, name))})


def _dead_letter(value: bytes | None, headers: Sequence[tuple[str, bytes]], file: str) -> dict[str, Any]:
    found = {name: content.decode(errors="replace") for name, content in headers}
    return {
        "origin": found.get("origin", f"{file}:{found.get('dead-letter-original-offset')}"),
        "reason": found.get("dead-letter-reason"),
        "detail": found.get("dead-letter-detail"),
        "bytes": base64.b64encode(value or b"").decode(),
    }
