"""Figures of a replay at its end: totals, queues, teams, intervals and current state, from the sums of the entire input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.times import format_ms
from streams.catalogue.entries.waiting import NEVER_ABANDONED
from streams.catalogue.kpis import KPIS
from streams.windows.judging import leave_out
from streams.windows.kpis import contact_kpis
from streams.windows.labels import figures_by_label
from streams.windows.scope_keys import permanent_scope_keys
from streams.windows.sums import Counts, add_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration
    from streams.windows.rollup import RollUp
    from streams.windows.scope_keys import ScopeKey
    from streams.windows.scope_state import ScopeState

__all__ = ["ReplayFigures"]

#: Fields of a record of now that identify it and are no figures.
_IDENTITY_FIELDS = frozenset({"kind", "source_topic", "source_partition", "scope", "channel", "expires"})
#: Figures that mean nothing when channels are mixed.
_PER_CHANNEL = tuple(kpi.id for kpi in KPIS if kpi.per_channel)
_NOTHING: dict[str, Any] = {"value": None, "numerator": 0, "denominator": 0, "coverage": None}


class ReplayFigures:
    """The figures of everything that a roll-up has counted, as of its end."""

    def __init__(self, configuration: Configuration, rollup: RollUp) -> None:
        self._rollup = rollup
        #: scope and channel → the sums of the entire input
        self._total_sums: dict[ScopeKey, Counts] = {scope_key: state.cells.total() for scope_key, state in rollup.scopes.items()}
        permanent = permanent_scope_keys(configuration)
        states = [state for scope_key, state in rollup.scopes.items() if scope_key in permanent or self._has_counts(state)]
        self._states = sorted(states, key=lambda state: (state.scope, state.channel or ""))

    def document(self, *, intervals: bool) -> dict[str, Any]:
        """Return all figures; intervals as an iterator, for they may not fit into memory."""
        return {
            "totals": self._totals(),
            "queues": self._by_queue(),
            "by_definition": self._by_definition(),
            "by_label": self._by_label(),
            "teams": {
                state.scope.split(":", 1)[1]: self._figures(state)["kpis"] for state in self._states if state.scope.startswith("team:")
            },
            "intervals": self._intervals() if intervals else iter(()),
            "now": [self._now(state) for state in self._states if not state.about_people or state.now],
        }

    def _has_counts(self, state: ScopeState) -> bool:
        """Return whether a scope counts: whether a short-lived one was seen depends on the time of the flush."""
        is_active = any(value for record in state.now.values() for name, value in record.items() if name not in _IDENTITY_FIELDS)
        return is_active or any(self._sums(state).values())

    def _sums(self, state: ScopeState) -> Counts:
        return self._total_sums[state.scope, state.channel]

    def _totals(self) -> dict[str, Any]:
        contacts = [state for state in self._states if state.scope == "total:all" and not state.about_people]
        total: Counts = {}
        abandonable: Counts = {}
        handled_channels = 0
        for state in contacts:
            sums = self._sums(state)
            handled_channels += bool(sums.get("handled"))
            add_counts(total, sums)
            if state.channel not in NEVER_ABANDONED:
                add_counts(abandonable, sums)
        figures: dict[str, Any] = {}
        if contacts:
            as_of = self._rollup.as_of or 0
            first = contacts[0].definitions.first(as_of).definition
            judged = [state.definitions.judge(self._sums(state), as_of)[0] for state in contacts]
            level = (sum(met for met, _ in judged), sum(counted for _, counted in judged))
            figures = dict(contact_kpis(total, first, "any", by_offer=True, level=level))
            figures["abandon_rate"] = contact_kpis(abandonable, first, "any", by_offer=True)["abandon_rate"]
            leave_out(figures, frozenset.intersection(*(state.not_reported for state in contacts)))
            if handled_channels > 1:
                for name in _PER_CHANNEL:
                    figures[name] = dict.fromkeys(("value", "numerator", "denominator", "coverage"))
        people = next((state for state in self._states if state.scope == "total:all" and state.about_people), None)
        figures.update(self._figures(people)["kpis"] if people is not None else {"occupancy": _NOTHING})
        return figures

    def _of_queues(self) -> Iterator[tuple[str, str, ScopeState]]:
        """Yield the states of queues with their names and channels."""
        for state in self._states:
            kind, name = state.scope.split(":", 1)
            if kind == "queue" and state.channel is not None:
                yield name, state.channel, state

    def _by_queue(self) -> dict[str, Any]:
        by_queue: dict[str, Any] = {}
        for name, channel, state in self._of_queues():
            by_queue.setdefault(name, {})[channel] = self._figures(state)["kpis"]
        return by_queue

    def _figures(self, state: ScopeState) -> dict[str, Any]:
        """Return the figures of the entire input, judged as of its end."""
        return self._rollup.figures(state, self._sums(state), self._rollup.as_of or 0, trailing=False)

    def _by_label(self) -> dict[str, Any]:
        """Return the total's figures by reason and category, by channel."""
        contacts = [state for state in self._states if state.scope == "total:all" and state.channel is not None]
        by_channel = {state.channel or "": figures_by_label(self._sums(state)) for state in contacts}
        return {channel: labels for channel, labels in by_channel.items() if labels}

    def _by_definition(self) -> dict[str, Any]:
        """Return, by queue and channel, the judging definition and the figures of the others; only queues with several definitions."""
        by_queue: dict[str, Any] = {}
        for name, channel, state in self._of_queues():
            figures = self._figures(state)
            if "by_definition" in figures:
                judged = {"judged_by": figures["definitions"]["service_level"], "beside": figures["by_definition"]}
                by_queue.setdefault(name, {})[channel] = judged
        return by_queue

    def _intervals(self) -> Iterator[dict[str, Any]]:
        for state in self._states:
            if state.scope.startswith("queue:"):
                # Only one queue's cells are in memory at a time.
                spilled = state.cells, state.outcome_cells
                state.cells, state.outcome_cells = (cells.read_back() for cells in spilled)
                try:
                    yield from self._intervals_of(state)
                finally:
                    state.cells, state.outcome_cells = spilled

    def _intervals_of(self, state: ScopeState) -> Iterator[dict[str, Any]]:
        rollup, dated = self._rollup, self._rollup.dated
        for name, span in sorted({window for cell in state.cells for window in dated.windows(state, cell)}):
            if name != "day" and span.start_ms <= (rollup.as_of or 0):  # later intervals hold forecasts only
                sums = state.cells.sums(span)
                figures = rollup.figures(state, sums, span.start_ms, trailing=False)
                figures["kpis"].update(dated.forecasts(state, span, sums, over=rollup.is_over(span)))
                yield {
                    "queue": state.scope.split(":", 1)[1],
                    "channel": state.channel,
                    "interval": name,
                    "start": format_ms(span.start_ms),
                    "end": format_ms(span.end_ms),
                    **figures,
                    **dated.extra_fields(state, name, span, over=rollup.is_over(span)),
                }

    def _now(self, state: ScopeState) -> dict[str, Any]:
        kind, name = state.scope.split(":", 1)
        return {"scope_kind": kind, "scope": name, "channel": state.channel, **state.now_figures(self._rollup.as_of or 0)}
