"""Figures, alerts, targets and the catalogue as JSON."""

from __future__ import annotations

from typing import Any, get_args

from aiohttp import web

from schemas.alerts import AlertRecord
from streams.catalogue import AGENT_STATES, KPIS, WORDS, described
from streams.serving.api.answers import asked_windows, compressed, json_answer
from streams.serving.api.serving import SERVING, TARGETS, TRENDS
from streams.serving.figures import AHEAD_SECONDS, STALE_AFTER_SECONDS

__all__ = ["agents", "alerts", "catalogue", "catalogue_document", "figures", "queue", "targets", "trends"]

_STATES = frozenset(get_args(AlertRecord.model_fields["state"].annotation))


async def figures(request: web.Request) -> web.Response:
    """Answer with the newest records."""
    return await compressed(request, json_answer(request.app[SERVING].figures.everything(asked_windows(request))))


async def queue(request: web.Request) -> web.Response:
    """Answer with one queue."""
    found = request.app[SERVING].figures.queue(request.match_info["queue"])
    if found is None:
        return json_answer({"error": "no record names this queue"}, status=404)
    return json_answer(found)


async def alerts(request: web.Request) -> web.Response:
    """Answer with the alerts."""
    states = frozenset(request.query.getall("state", []))
    if unknown := states - _STATES:
        raise web.HTTPBadRequest(reason=f"unknown state {min(unknown)!r}: one of {', '.join(sorted(_STATES))}")
    return await compressed(request, json_answer(request.app[SERVING].figures.alerts_in(states or None)))


async def trends(request: web.Request) -> web.Response:
    """Answer with the day so far."""
    return await compressed(request, json_answer(await request.app[TRENDS].answer()))


async def targets(request: web.Request) -> web.Response:
    """Answer with the targets."""
    return await compressed(request, json_answer(await request.app[TARGETS].answer()))


async def catalogue(request: web.Request) -> web.Response:
    """Answer with the KPIs."""
    return await compressed(request, json_answer(catalogue_document()))


async def agents(request: web.Request) -> web.Response:
    """Answer with the figures of single people."""
    serving = request.app[SERVING]
    if serving.agents is None:
        return json_answer({"error": "figures of single people are off here: start serve with --agents"}, status=404)
    people = frozenset(request.query.getall("agent", [])) or None
    chosen = serving.agents.chosen(asked_windows(request), people)
    return await compressed(request, json_answer({**serving.figures.header(), "agents": chosen}))


def catalogue_document() -> dict[str, Any]:
    """Return every KPI, the states of agents and the words of pages."""
    return {
        "kpis": [described(kpi) for kpi in KPIS],
        "agent_states": AGENT_STATES,
        "words": WORDS,
        "stale_after_seconds": STALE_AFTER_SECONDS,
        "ahead_seconds": AHEAD_SECONDS,
    }
