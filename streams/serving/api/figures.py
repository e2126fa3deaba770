"""Figures, alerts, targets and the catalogue as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import orjson

from schemas.alerts import AlertRecord
from schemas.audit import AuditObject
from streams.catalogue import AGENT_STATES, KPIS, WORDS, described
from streams.serving.api.answers import answer, asked_paging, asked_windows
from streams.serving.api.audit import recorded
from streams.serving.api.serving import SERVING, TARGETS, TRENDS
from streams.serving.figures import AHEAD_SECONDS, STALE_AFTER_SECONDS
from streams.serving.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["agents", "alerts", "catalogue", "catalogue_document", "figures", "queue", "targets", "trends"]

_STATES = frozenset(get_args(AlertRecord.model_fields["state"].annotation))


async def figures(request: web.Request) -> web.Response:
    """Answer with the newest records."""
    served, windows = request.app[SERVING].figures, asked_windows(request)
    entries, cursor = asked_paging(request).of(served.chosen(windows))
    return await answer(request, served.everything(entries), cursor=cursor)


async def queue(request: web.Request) -> web.Response:
    """Answer with one queue."""
    found = request.app[SERVING].figures.queue(request.match_info["queue"])
    if found is None:
        raise ProblemError(404, "no record names this queue")
    return await answer(request, found)


async def alerts(request: web.Request) -> web.Response:
    """Answer with the alerts."""
    served, states = request.app[SERVING].figures, frozenset(request.query.getall("state", []))
    if unknown := states - _STATES:
        raise ProblemError(400, f"unknown state {min(unknown)!r}: one of {', '.join(sorted(_STATES))}")
    entries, cursor = asked_paging(request).of(served.alerts.chosen(states or None))
    return await answer(request, served.told_alerts(entries), cursor=cursor)


async def trends(request: web.Request) -> web.Response:
    """Answer with the day so far."""
    return await answer(request, await request.app[TRENDS].answer())


async def targets(request: web.Request) -> web.Response:
    """Answer with the targets."""
    return await answer(request, await request.app[TARGETS].answer())


async def catalogue(request: web.Request) -> web.Response:
    """Answer with the KPIs."""
    return await answer(request, catalogue_document())


async def agents(request: web.Request) -> web.Response:
    """Answer with the figures of single people."""
    serving = request.app[SERVING]
    if serving.agents is None:
        raise ProblemError(404, "figures of single people are off here: start serve with --agents")
    people = frozenset(request.query.getall("agent", [])) or None
    entries, cursor = asked_paging(request).of(serving.agents.chosen(asked_windows(request), people))
    # Of an answer that is shown in pages too: what is looked at is the list.
    await recorded(request, "looked_at_agents", AuditObject(people=None if people is None else len(people)))
    told = [orjson.Fragment(entry.raw) for entry in entries] if serving.agents.known else None
    return await answer(request, {**serving.figures.header(), "agents": told}, cursor=cursor)


def catalogue_document() -> dict[str, Any]:
    """Return every KPI, the states of agents and the words of pages."""
    return {
        "kpis": [described(kpi) for kpi in KPIS],
        "agent_states": AGENT_STATES,
        "words": WORDS,
        "stale_after_seconds": STALE_AFTER_SECONDS,
        "ahead_seconds": AHEAD_SECONDS,
    }
