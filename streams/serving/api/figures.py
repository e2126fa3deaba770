"""Figures, alerts, targets and the catalogue as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import orjson

from schemas.alerts import AlertRecord
from schemas.audit import AuditObject
from streams.catalogue import AGENT_STATES, KPIS, WORDS, describe
from streams.serving.api.answers import answer, asked_paging, asked_windows, expect_figures
from streams.serving.api.audit import recorded
from streams.serving.api.serving import OUTLOOK, SERVING, TARGETS, TRENDS
from streams.serving.boards import boards_of
from streams.serving.door import view_of
from streams.serving.figures import AHEAD_SECONDS, NO_QUEUE, STALE_AFTER_SECONDS
from streams.serving.problems import ProblemError

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["agents", "alerts", "boards", "catalogue", "catalogue_document", "figures", "outlook", "queue", "targets", "trends"]

_STATES = frozenset(get_args(AlertRecord.model_fields["state"].annotation))


async def figures(request: web.Request) -> web.Response:
    """Answer with the newest records."""
    served, windows, view = request.app[SERVING].figures, asked_windows(request), view_of(request, "figures")
    entries, cursor = asked_paging(request).of(served.chosen(windows, view))
    return await answer(request, served.everything(entries, view), cursor=cursor)


async def queue(request: web.Request) -> web.Response:
    """Answer with one queue."""
    served, view = request.app[SERVING].figures, view_of(request, "figures")
    expect_figures(served, view)
    document = served.queue(request.match_info["queue"], view)
    if document is None:
        raise ProblemError(404, NO_QUEUE)
    return await answer(request, document)


async def alerts(request: web.Request) -> web.Response:
    """Answer with the alerts."""
    served, states = request.app[SERVING].figures, frozenset(request.query.getall("state", []))
    if unknown := states - _STATES:
        raise ProblemError(400, f"unknown state {min(unknown)!r}: one of {', '.join(sorted(_STATES))}")
    view = view_of(request, "figures")
    entries, cursor = asked_paging(request).of(served.alerts.seen(served.alerts.chosen(states or None), view))
    return await answer(request, served.alerts_document(entries, view), cursor=cursor)


async def trends(request: web.Request) -> web.Response:
    """Answer with the day so far."""
    return await answer(request, await request.app[TRENDS].answer(view_of(request, "figures")))


async def outlook(request: web.Request) -> web.Response:
    """Answer with the outlook."""
    return await answer(request, await request.app[OUTLOOK].answer(view_of(request, "figures")))


async def targets(request: web.Request) -> web.Response:
    """Answer with the targets."""
    return await answer(request, await request.app[TARGETS].answer(view_of(request, "figures")))


async def boards(request: web.Request) -> web.Response:
    """Answer with the boards."""
    return await answer(request, boards_of(request.app[SERVING].configuration.boards, view_of(request, "figures")))


async def catalogue(request: web.Request) -> web.Response:
    """Answer with the KPIs."""
    return await answer(request, catalogue_document(request.app[SERVING].figures.zone))


async def agents(request: web.Request) -> web.Response:
    """Answer with the figures of single agents."""
    serving = request.app[SERVING]
    if serving.agents is None:
        raise ProblemError(404, "figures of single agents are off here: start serve with --agents")
    people = frozenset(request.query.getall("agent", [])) or None
    view = view_of(request, "people")
    entries, cursor = asked_paging(request).of(serving.agents.chosen(asked_windows(request), people, view))
    # Recorded for each page too: the list is what is viewed.
    await recorded(request, "looked_at_agents", AuditObject(people=None if people is None else len(people)))
    records = [orjson.Fragment(entry.raw) for entry in entries] if serving.agents.known else None
    return await answer(request, {**serving.figures.header(view), "agents": records}, cursor=cursor)


def catalogue_document(zone: str) -> dict[str, Any]:
    """Return every KPI, the states of agents, the texts of pages, and the zone of their times."""
    return {
        "kpis": [describe(kpi) for kpi in KPIS],
        "agent_states": AGENT_STATES,
        "words": WORDS,
        "stale_after_seconds": STALE_AFTER_SECONDS,
        "ahead_seconds": AHEAD_SECONDS,
        "zone": zone,
    }
