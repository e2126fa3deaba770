"""Count a finished stream in this process: the stages of the worker, fed from memory."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import orjson

from schemas.times import format_ms
from streams.catalogue.entries.waiting import NEVER_ABANDONED
from streams.catalogue.kpis import KPIS
from streams.configuration.dead_letters import DeadLetterLimits
from streams.stages.customers import CustomerEventStage, CustomerStage, CustomerTopics
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackStage, TrackTopics
from streams.windows.customer_windows import CUSTOMER_WINDOWS
from streams.windows.faq_changes import faq_answers
from streams.windows.kpis import contact_kpis
from streams.windows.labels import figures_by_label
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.configuration import Configuration
    from streams.engine.stage import Flush
    from streams.windows.scope_state import ScopeState

__all__ = ["Replay"]

_CONTACTS, _AGENTS, _CUSTOMERS, _PANES, _FACTS = "contact-events", "agent-events", "customer-events", "queue-panes", "customer-facts"
_FAR_FUTURE_MS = 253_402_300_799_000
#: Figures that mean nothing when channels are mixed.
_PER_CHANNEL = tuple(kpi.id for kpi in KPIS if kpi.per_channel)
#: Events between two flushes: nobody looks at figures meanwhile, so only memory speaks for few.
_CHUNK = 20_000


class Replay:
    """Takes canonical events as JSON and returns the figures of all of them.

    Events are taken in the order they are added. ``published_ms`` is the time of publishing that a live stream would
    have stamped; it decides only which times cannot be true.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

        # A file is counted to its end, and whoever asked for it sees what could not be used.
        no_limits = DeadLetterLimits(max_run=None, max_ratio=None)
        configuration = configuration.model_copy(update={"dead_letters": no_limits})

        def topics(source: str) -> TrackTopics:
            return TrackTopics(source, _PANES, 1, f"{source}-dead-letters", "replay", lambda: 0, "" if source == _AGENTS else _FACTS)

        self._contacts = ContactStage(0, configuration, topics(_CONTACTS), keep_everything=True)
        self._agents = AgentStage(0, configuration, topics(_AGENTS), keep_everything=True)
        self._customer_events = CustomerEventStage(0, configuration, topics(_CUSTOMERS), keep_everything=True)
        self._customers = CustomerStage(configuration, CustomerTopics(1, "queue-metrics", "queue-metrics-latest", _CONTACTS, 1))
        self._rollup = RollUpStage(
            0,
            configuration,
            RollUpTopics(_PANES, 1, "queue-metrics", "queue-metrics-latest", "alerts", "alerts-latest", _CONTACTS, 1, _AGENTS, 1),
            keep_everything=True,
        )
        self._pending: dict[str, list[Any]] = {_CONTACTS: [], _AGENTS: [], _CUSTOMERS: []}
        self._offset = 0
        self._dead: list[dict[str, Any]] = []
        #: key → last published record, as the latest topic has it
        self.latest: dict[str, dict[str, Any]] = {}

    def add(
        self,
        value: bytes | None,
        kind: Literal["contact", "agent", "customer"],
        *,
        published_ms: int | None = None,
        origin: str | None = None,
    ) -> None:
        """Take one event; what cannot be used becomes a dead letter named by ``origin``."""
        topic = {"contact": _CONTACTS, "agent": _AGENTS, "customer": _CUSTOMERS}[kind]
        self._offset += 1
        at = _FAR_FUTURE_MS if published_ms is None else published_ms
        headers = (("origin", origin.encode()),) if origin is not None else ()
        record = SimpleNamespace(topic=topic, partition=0, offset=self._offset, timestamp=at, key=None, value=value, headers=headers)
        pending = self._pending[topic]
        pending.append(record)
        if len(pending) >= _CHUNK:
            self._work_off()

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
        stages: tuple[tuple[str, TrackStage], ...] = (
            (_CONTACTS, self._contacts),
            (_AGENTS, self._agents),
            (_CUSTOMERS, self._customer_events),
        )
        for topic, stage in stages:
            records, self._pending[topic] = self._pending[topic], []
            stage.process(records)
            self._pass_on(stage.collect())

    def _publish(self) -> None:
        """Compute the windows, once: what a live worker publishes between is nobody's here."""
        for output in [*self._rollup.collect().outputs, *self._customers.collect().outputs]:
            self._take_latest(output.topic, output.key, output.value)

    def _pass_on(self, flush: Flush) -> None:
        self._rollup.process([SimpleNamespace(key=o.key, value=o.value) for o in flush.outputs if o.topic == _PANES])
        self._customers.process([SimpleNamespace(key=o.key, value=o.value) for o in flush.outputs if o.topic == _FACTS])
        self._dead.extend(_dead_letter(o.value, o.headers) for o in flush.outputs if o.topic not in {_PANES, _FACTS})

    def _take_latest(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic == "queue-metrics-latest" and key is not None:
            if value is None:
                self.latest.pop(key.decode(), None)
            else:
                self.latest[key.decode()] = orjson.loads(value)

    def finish(self, until_ms: int | None = None, sources: Iterable[str] = ("replay",)) -> dict[str, Any]:
        """Return the figures as of an instant, by default of the last event, having taken note that no event is missing before it."""
        self._work_off()
        received = [t.progress.received_through for t in (self._contacts.tracker, self._agents.tracker) if t.progress.received_through]
        as_of = until_ms if until_ms is not None else max(received, default=None)
        if as_of is not None:
            for source in {*sources, *self._contacts.tracker.progress.known(), *self._agents.tracker.progress.known()}:
                self.heartbeat(source, as_of)
            self._work_off()
        self._publish()
        rollup = self._rollup.rollup
        states = sorted(rollup.scopes.values(), key=lambda state: (state.scope, state.channel or ""))
        result: dict[str, Any] = {
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
            "dead_letters": self._dead,
            "faq_changes": faq_answers(self._configuration, self.latest.values()),
        }
        return result

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

    def _intervals(self, states: Sequence[ScopeState]) -> list[dict[str, Any]]:
        rollup = self._rollup.rollup
        found: list[dict[str, Any]] = []
        for state in states:
            if not state.scope.startswith("queue:"):
                continue
            for name, span in sorted({window for cell in state.cells for window in rollup.dated.windows(state, cell)}):
                if name != "day" and span.start_ms <= (rollup.as_of or 0):  # what is forecast is told when its time comes
                    sums = state.cells.sums(span)
                    figures = rollup.figures(state, sums, span.start_ms, trailing=False)
                    figures["kpis"].update(rollup.dated.forecasts(state, span, sums, over=rollup.is_over(span)))
                    found.append(
                        {
                            "queue": state.scope.split(":", 1)[1],
                            "channel": state.channel,
                            "interval": name,
                            "start": format_ms(span.start_ms),
                            "end": format_ms(span.end_ms),
                            **figures,
                            **rollup.dated.otherwise(state, name, span, over=rollup.is_over(span)),
                        }
                    )
        return found

    def _now(self, state: ScopeState) -> dict[str, Any]:
        kind, name = state.scope.split(":", 1)
        return {"scope_kind": kind, "scope": name, "channel": state.channel, **state.now_figures(self._rollup.rollup.as_of or 0)}


_NOTHING: dict[str, Any] = {"value": None, "numerator": 0, "denominator": 0, "coverage": None}


def _definitions(configuration: Configuration) -> dict[str, Any]:
    """Return what stands under ``service_level``, and every version of every named definition."""
    versions = {f"{name}@{each.version}": each for name, every in configuration.definitions.items() for each in every}
    return {name: each.model_dump(mode="json") for name, each in {"service_level": configuration.service_level, **versions}.items()}


def _dead_letter(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    found = {name: content.decode(errors="replace") for name, content in headers}
    return {
        "origin": found.get("origin", f"{found.get('dead-letter-original-topic')}@{found.get('dead-letter-original-offset')}"),
        "reason": found.get("dead-letter-reason"),
        "detail": found.get("dead-letter-detail"),
        "bytes": base64.b64encode(value or b"").decode(),
    }
