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
from streams.catalogue.entries.waiting import NEVER_ABANDONED
from streams.catalogue.kpis import KPIS
from streams.configuration.dead_letters import DeadLetterLimits, SourceLimits
from streams.stages.customer_links import CustomerLinkStage
from streams.stages.customers import CustomerEventStage, CustomerStage, CustomerTopics
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackStage, TrackTopics
from streams.windows.customer_windows import CUSTOMER_WINDOWS
from streams.windows.faq_changes import faq_answers
from streams.windows.judging import leave_out
from streams.windows.kpis import contact_kpis
from streams.windows.labels import figures_by_label
from streams.windows.lasting import lasting_places
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from streams.configuration import Configuration
    from streams.engine.stage import Flush, Stage
    from streams.windows.scope_state import ScopeState

__all__ = ["STREAMED", "Kind", "Replay"]

Kind = Literal["contact", "agent", "customer"]

_CONTACTS, _AGENTS, _CUSTOMERS, _PANES, _FACTS = "contact-events", "agent-events", "customer-events", "queue-panes", "customer-facts"
_LINKS = "customer-links"
_FAR_FUTURE_MS = 253_402_300_799_000
#: What a record of now says of itself, and not of what goes on.
_SAYS_WHERE = frozenset({"kind", "source_topic", "source_partition", "scope", "channel", "expires"})
#: Figures that mean nothing when channels are mixed.
_PER_CHANNEL = tuple(kpi.id for kpi in KPIS if kpi.per_channel)
#: Events between two flushes: no figure is asked for meanwhile, so only memory speaks for few.
_CHUNK = 20_000
#: Flushes between two looks at all customers.
_FLUSHES_A_LOOK = 10
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


class Replay:
    """Takes canonical events as JSON and returns the figures of all of them.

    Events are taken in the order they are added. ``published_ms`` is the time of publishing that a live stream would
    have stamped; it decides only which times cannot be true. ``file`` is what origins of lines begin with, and
    ``on_dead_letter`` is called with each dead letter when it is known: the result holds only so many of them. With
    ``figures_only`` trailing windows are not computed, and ``latest`` holds records of customers alone: half the work, and no memory
    that grows with the length of the file but for its cells.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        file: str = "events",
        figures_only: bool = False,
        on_dead_letter: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._configuration = configuration
        self._figures_only = figures_only
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
            each._decode = self._noting(each._decode)  # noqa: SLF001 - what is read twice costs as much as all else of reading
        if figures_only:
            for stage in (self._contacts, self._agents, self._customer_events):
                stage.tracker.slices.leave_panes_out()
        customers = CustomerTopics(_PANES, 1, _FACTS, 1, _LINKS, _CONTACTS, 1)
        self._links, self._customers = CustomerLinkStage(configuration, customers), CustomerStage(0, configuration, customers)
        self._rollup = RollUpStage(
            0,
            configuration,
            RollUpTopics(_PANES, 1, "queue-metrics", "queue-metrics-latest", "alerts", "alerts-latest", _CONTACTS, 1, _AGENTS, 1),
            keep_everything=True,
        )
        self._pending: dict[str, list[Any]] = {_CONTACTS: [], _AGENTS: [], _CUSTOMERS: []}
        self._waiting = self._offset = self._flushes = 0
        #: when the last event occurred that could be read, in ms
        self.last_ms: int | None = None
        self._dead: list[dict[str, Any]] = []
        self._dead_bytes = 0
        #: reason → how many dead letters
        self.dead_letters: Counter[str] = Counter()
        #: key → last published record, as the latest topic has it
        self.latest: dict[str, dict[str, Any]] = {}

    def _noting(self, decode: Callable[[bytes | None], Any]) -> Callable[[bytes | None], Any]:
        """Return a decoder that also keeps up when the last event occurred."""

        def decode_and_note(value: bytes | None) -> Any:
            event = decode(value)
            occurred = event.occurred_ms
            if self.last_ms is None or occurred > self.last_ms:
                self.last_ms = occurred
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

    def add_lines(self, lines: Sequence[tuple[Kind, bytes, int]]) -> None:
        """Take events of the file: kind, JSON, and the number of the line; cheaper than one by one."""
        pending = {kind: (self._pending[read.topic].append, read) for kind, read in _READ.items()}
        for kind, value, line in lines:
            append, read = pending[kind]
            append(read(value, line))
        self._count(len(lines))

    def _count(self, number: int) -> None:
        self._waiting += number
        if self._waiting >= _CHUNK:
            self._work_off()

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
            records, self._pending[name] = self._pending[name], []
            stage.process(records)
            self._pass_on(stage.collect())
        self._flushes += 1
        if self._figures_only:
            self._rollup.rollup.pass_over()
            if self._flushes % _FLUSHES_A_LOOK == 0:
                # Customers who count nowhere any more are forgotten then.
                self._publish_customers()

    def _publish(self) -> None:
        """Compute the windows, once: what a live worker publishes between is asked for by none here."""
        self._publish_customers()
        if not self._figures_only:
            for output in self._rollup.collect().outputs:
                self._take_latest(output.topic, output.key, output.value)
        elif self._configuration.faq_changes:
            days = ((key, record) for key, record in self._rollup.rollup.collect() if key.startswith("window|day|"))
            self.latest.update((key, orjson.loads(record)) for key, record in days if record is not None)

    def _publish_customers(self) -> None:
        # Links become families, families are heard of, and what customers come to is known then.
        for stage in (self._links, self._customers, self._links, self._customers):
            self._pass_on(stage.collect())
        for key, record in self._rollup.customers.news():
            if record is None:
                self.latest.pop(key, None)
            else:
                self.latest[key] = record

    def _pass_on(self, flush: Flush) -> None:
        stages: dict[str, Stage] = {_PANES: self._rollup, _FACTS: self._customers, _LINKS: self._links}
        for name, stage in stages.items():
            stage.process([SimpleNamespace(key=o.key, value=o.value) for o in flush.outputs if o.topic == name])
        for output in flush.outputs:
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
        received = [t.progress.received_through for t in (self._contacts.tracker, self._agents.tracker) if t.progress.received_through]
        as_of = until_ms if until_ms is not None else max(received, default=None)
        if as_of is not None:
            for source in {*sources, *self._contacts.tracker.progress.known(), *self._agents.tracker.progress.known()}:
                self.heartbeat(source, as_of)
            self._work_off()
        self._publish()
        rollup = self._rollup.rollup
        lasting = lasting_places(self._configuration)
        there = [state for place, state in rollup.scopes.items() if place in lasting or self._holds_anything(state)]
        states = sorted(there, key=lambda state: (state.scope, state.channel or ""))
        return {
            "as_of": None if as_of is None else format_ms(as_of),
            "definitions": _definitions(self._configuration),
            "totals": self._totals(states),
            "queues": self._by_queue(states),
            "by_definition": self._by_definition(states),
            "by_label": self._by_label(states),
            "teams": self._by_team(states),
            "intervals": self._intervals(states),
            "customers": [record for _, record in sorted(self.latest.items()) if record.get("window") in CUSTOMER_WINDOWS],
            "now": [self._now(state) for state in states if not state.about_people or state.now],
            "late_events": self._contacts.tracker.late + self._agents.tracker.late,
            "dead_letters": sorted(self._dead, key=_line_of),
            "dead_letters_by_reason": dict(sorted(self.dead_letters.items())),
            "faq_changes": faq_answers(self._configuration, self.latest.values()),
        }

    def _holds_anything(self, state: ScopeState) -> bool:
        """Say whether a scope counts: of one that was there for a moment it depends on when it was looked at whether it was seen."""
        goes_on = any(value for told in state.now.values() for name, value in told.items() if name not in _SAYS_WHERE)
        return goes_on or any(self._whole(state).values())

    def _whole(self, state: ScopeState) -> Counts:
        total: Counts = {}
        for counts in state.cells.values():
            add_counts(total, counts)
        return total

    def _totals(self, states: Sequence[ScopeState]) -> dict[str, Any]:
        rollup = self._rollup.rollup
        contacts = [state for state in states if state.scope == "total:all" and not state.about_people]
        total: Counts = {}
        abandonable: Counts = {}
        handled_channels = 0
        for state in contacts:
            sums = self._whole(state)
            handled_channels += bool(sums.get("handled"))
            add_counts(total, sums)
            if state.channel not in NEVER_ABANDONED:
                add_counts(abandonable, sums)
        figures: dict[str, Any] = {}
        if contacts:
            as_of = rollup.as_of or 0
            first = contacts[0].definitions.first(as_of).definition
            judged = [state.definitions.judge(self._whole(state), as_of)[0] for state in contacts]
            level = (sum(met for met, _ in judged), sum(counted for _, counted in judged))
            figures = dict(contact_kpis(total, first, "any", by_offer=True, level=level))
            figures["abandon_rate"] = contact_kpis(abandonable, first, "any", by_offer=True)["abandon_rate"]
            leave_out(figures, frozenset.intersection(*(state.not_reported for state in contacts)))
            if handled_channels > 1:
                for name in _PER_CHANNEL:
                    figures[name] = dict.fromkeys(("value", "numerator", "denominator", "coverage"))
        people = next((state for state in states if state.scope == "total:all" and state.about_people), None)
        figures.update(self._figures(people)["kpis"] if people is not None else {"occupancy": _NOTHING})
        return figures

    def _by_queue(self, states: Sequence[ScopeState]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for state in states:
            kind, name = state.scope.split(":", 1)
            if kind == "queue" and state.channel is not None:
                found.setdefault(name, {})[state.channel] = self._figures(state)["kpis"]
        return found

    def _figures(self, state: ScopeState) -> dict[str, Any]:
        """Return the figures of the whole input, judged as of its end."""
        rollup = self._rollup.rollup
        return rollup.figures(state, self._whole(state), rollup.as_of or 0, trailing=False)

    def _by_label(self, states: Sequence[ScopeState]) -> dict[str, Any]:
        """Return by channel of the total what happened by reason and category."""
        contacts = [state for state in states if state.scope == "total:all" and state.channel is not None]
        found = {state.channel or "": figures_by_label(self._whole(state)) for state in contacts}
        return {channel: labels for channel, labels in found.items() if labels}

    def _by_definition(self, states: Sequence[ScopeState]) -> dict[str, Any]:
        """Return, by queue and channel, what judges it and what the definitions beside that give; queues with several alone."""
        found: dict[str, Any] = {}
        for state in states:
            kind, name = state.scope.split(":", 1)
            if kind == "queue" and state.channel is not None and "by_definition" in (figures := self._figures(state)):
                judged = {"judged_by": figures["definitions"]["service_level"], "beside": figures["by_definition"]}
                found.setdefault(name, {})[state.channel] = judged
        return found

    def _by_team(self, states: Sequence[ScopeState]) -> dict[str, Any]:
        return {s.scope.split(":", 1)[1]: self._figures(s)["kpis"] for s in states if s.scope.startswith("team:")}

    def _intervals(self, states: Sequence[ScopeState]) -> Iterator[dict[str, Any]]:
        rollup = self._rollup.rollup
        for state in states:
            if not state.scope.startswith("queue:"):
                continue
            for name, span in sorted({window for cell in state.cells for window in rollup.dated.windows(state, cell)}):
                if name != "day" and span.start_ms <= (rollup.as_of or 0):  # what is forecast is told when its time comes
                    sums = state.cells.sums(span)
                    figures = rollup.figures(state, sums, span.start_ms, trailing=False)
                    figures["kpis"].update(rollup.dated.forecasts(state, span, sums, over=rollup.is_over(span)))
                    yield {
                        "queue": state.scope.split(":", 1)[1],
                        "channel": state.channel,
                        "interval": name,
                        "start": format_ms(span.start_ms),
                        "end": format_ms(span.end_ms),
                        **figures,
                        **rollup.dated.otherwise(state, name, span, over=rollup.is_over(span)),
                    }

    def _now(self, state: ScopeState) -> dict[str, Any]:
        kind, name = state.scope.split(":", 1)
        return {"scope_kind": kind, "scope": name, "channel": state.channel, **state.now_figures(self._rollup.rollup.as_of or 0)}


#: Parts of the figures that ``Replay.figures`` gives one by one.
STREAMED = frozenset({"intervals"})

_NOTHING: dict[str, Any] = {"value": None, "numerator": 0, "denominator": 0, "coverage": None}


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
