"""Expected volume of contacts, the agents that it needs, and the performance of a number of agents; no clock, no network."""

from __future__ import annotations

from streams.staffing.erlang import Performance, Workload, agents_needed, erlang_a, erlang_b, erlang_c
from streams.staffing.forecast import Forecast
from streams.staffing.outlook import Ahead, Observed, effective_agents, outlook, patience_seconds

__all__ = [
    "Ahead",
    "Forecast",
    "Observed",
    "Performance",
    "Workload",
    "agents_needed",
    "effective_agents",
    "erlang_a",
    "erlang_b",
    "erlang_c",
    "outlook",
    "patience_seconds",
]
