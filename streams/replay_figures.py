"""What a replay says at its end: totals, queues, teams, intervals and what goes on, from the sums of the whole input."""

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

#: What a record of now says of itself, and not of what goes on.
_SAYS_WHERE = frozenset({"kind", "source_topic", "source_partition", "scope", "channel", "expires"})
#: Figures that mean nothing when channels are mixed.
_PER_CHANNEL = tuple(kpi.id for kpi in KPIS if kpi.per_channel)
_NOTHING: dict[str, Any] = {"value": None, "numerator": 0, "denominator": 0, "coverage": None}


class ReplayFigures:
    """The figures of everything that a roll-up has taken in, as of its end."""

    def __init__(self, configuration: Configuration, rollup: RollUp) -> None:
        self._rollup = rollup
        #: scope and channel → the sums of the whole input
        self._whole: dict[ScopeKey, Counts] = {place: state.cells.total() for place, state in rollup.scopes.items()}
        lasting = permanent_scope_keys(configuration)
        there = [state for place, state in rollup.scopes.items() if place in lasting or self._holds_anything(state)]
        self._states = sorted(there, key=lambda state: (state.scope, state.channel or ""))

    def told(self, *, intervals: bool) -> dict[str, Any]:
        """Return all of them; intervals as an iterator, for there may be far more than fits into memory."""
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

    def _holds_anything(self, state: ScopeState) -> bool:
        """Say whether a scope counts: of one that was there for a moment it depends on when it was looked at whether it was seen."""
        goes_on = any(value for told in state.now.values() for name, value in told.items() if name not in _SAYS_WHERE)
        return goes_on or any(self._sums(state).values())

    def _sums(self, state: ScopeState) -> Counts:
        return self._whole[state.scope, state.channel]

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
        found: dict[str, Any] = {}
        for name, channel, state in self._of_queues():
            found.setdefault(name, {})[channel] = self._figures(state)["kpis"]
        return found

    def _figures(self, state: ScopeState) -> dict[str, Any]:
        """Return the figures of the whole input, judged as of its end."""
        return self._rollup.figures(state, self._sums(state), self._rollup.as_of or 0, trailing=False)

    def _by_label(self) -> dict[str, Any]:
        """Return by channel of the total what happened by reason and category."""
        contacts = [state for state in self._states if state.scope == "total:all" and state.channel is not None]
        found = {state.channel or "": figures_by_label(self._sums(state)) for state in contacts}
        return {channel: labels for channel, labels in found.items() if labels}

    def _by_definition(self) -> dict[str, Any]:
        """Return, by queue and channel, what judges it and what the definitions beside that give; queues with several alone."""
        found: dict[str, Any] = {}
        for name, channel, state in self._of_queues():
            figures = self._figures(state)
            if "by_definition" in figures:
                judged = {"judged_by": figures["definitions"]["service_level"], "beside": figures["by_definition"]}
                found.setdefault(name, {})[channel] = judged
        return found

    def _intervals(self) -> Iterator[dict[str, Any]]:
        for state in self._states:
            if state.scope.startswith("queue:"):
                # Of one queue at a time they are in memory.
                kept = state.cells, state.outcome_cells
                state.cells, state.outcome_cells = (cells.read_back() for cells in kept)
                try:
                    yield from self._intervals_of(state)
                finally:
                    state.cells, state.outcome_cells = kept

    def _intervals_of(self, state: ScopeState) -> Iterator[dict[str, Any]]:
        rollup, dated = self._rollup, self._rollup.dated
        for name, span in sorted({window for cell in state.cells for window in dated.windows(state, cell)}):
            if name != "day" and span.start_ms <= (rollup.as_of or 0):  # what is forecast is told when its time comes
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
