"""Views of supervisors: agents now, the contacts behind a figure, and callers to call back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, get_args

from aiokafka.errors import KafkaError

from schemas.api import CallOrder, PersonState
from schemas.audit import NOTHING, AuditObject
from streams.explaining import QuestionError
from streams.serving.api.answers import answer, asked_windows, expect_figures
from streams.serving.api.audit import recorded
from streams.serving.api.serving import SERVING, asker_of
from streams.serving.broker import TopicError
from streams.serving.call_backs import MOST_HOURS
from streams.serving.door import view_of
from streams.serving.endpoints import MAX_LISTED
from streams.serving.explainer import asked_of
from streams.serving.figures import NO_QUEUE
from streams.serving.paging import number_of
from streams.serving.problems import ProblemError
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import web

    from streams.access.views import View
    from streams.serving.explainer import Explainer

__all__ = ["abandoned", "contacts", "contacts_reading", "people"]

log = logging.getLogger(__name__)

_NO_CONTACTS: Final = "contacts are not served here: start serve with --explain"

_RETRY_SECONDS: Final = 3
_KAFKA_RETRY_SECONDS: Final = 5
#: Default number of contacts, and default hours of call-backs.
_LISTED, _HOURS = 200, 8
_STATES: Final = get_args(PersonState)
_YES_OR_NO: Final = {"true": True, "false": False}
_ORDERS: Final[dict[str, CallOrder]] = {each: each for each in get_args(CallOrder)}


async def people(request: web.Request) -> web.Response:
    """Answer with the state of single agents."""
    serving = request.app[SERVING]
    if serving.people is None:
        raise ProblemError(404, "single agents are not served here: start serve with --agents")
    query, view = request.query, view_of(request, "people")
    teams, queues, states = (frozenset(query.getall(name, [])) for name in ("team", "queue", "state"))
    if unknown := states.difference(_STATES):
        raise ProblemError(400, f"unknown state {min(unknown)[:40]!r}: one of {', '.join(_STATES)}")
    strip = _YES_OR_NO.get(query.get("strip", "false"))
    if strip is None:
        raise ProblemError(400, f"strip {query['strip'][:20]!r}; permitted: true, false")

    def wanted(entry: dict[str, Any]) -> bool:
        return (
            (not teams or entry["team"] in teams)
            and (not states or entry["state"] in states)
            and (not queues or not queues.isdisjoint((*(entry["queues"] or ()), *(work["queue"] for work in entry["at_work"] or ()))))
        )

    figures = serving.figures
    document = await _read(
        serving.people.document(asker_of(request), figures.store.as_of_ms, serving.agents, view, wanted, strip=strip), "agent events"
    )
    await recorded(request, "looked_at_agents")
    return await answer(request, {**figures.header(view), **document})


async def contacts(request: web.Request) -> web.Response:
    """Answer with the contacts behind a figure."""
    explainer = _explaining(request)
    view = view_of(request, "contacts")
    try:
        limit = _asked_number(request, "limit", _LISTED, 0, MAX_LISTED)
        asked, label = _asked_contacts(request, view), request.query.get("label")
        reading = explainer.contacts(
            request.app[SERVING].figures.window_records, asker=asker_of(request), limit=limit, asked=asked, label=label
        )
        document = await _read(reading, "contact events")
    except QuestionError as error:
        # The cause names definitions of scopes outside the view.
        detail = str(error) if error.__cause__ is None or view.scopes is None else "this is not the configuration that the worker has"
        raise ProblemError(400, detail) from error
    kind, name = document["scope"].split(":", 1)
    about = AuditObject(scope_kind=kind, scope=name, kpi=asked["kpi"], window=document["window"], channel=document["channel"])
    await recorded(request, "looked_at_contacts", about)
    return await answer(request, document)


async def contacts_reading(request: web.Request) -> web.Response:
    """Answer with the progress of reading events for the client's open question about contacts."""
    explainer = _explaining(request)
    view = view_of(request, "contacts")
    try:
        reading = explainer.reading(asker_of(request), _asked_contacts(request, view))
    except QuestionError as error:
        raise ProblemError(400, str(error)) from error
    return await answer(request, {"reading": None if reading is None else reading.document(unrestricted=view.scopes is None)})


def _explaining(request: web.Request) -> Explainer:
    """Return the explainer; raise ProblemError where there is none."""
    explainer = request.app[SERVING].explainer
    if explainer is None:
        raise ProblemError(404, _NO_CONTACTS)
    return explainer


def _asked_contacts(request: web.Request, view: View) -> dict[str, Any]:
    """Return the question about contacts; raise QuestionError, or ProblemError for a queue or wider scope outside the view."""
    asked_windows(request)
    _, _, asked = asked_of({name: value for name, value in request.query.items() if name not in {"lang", "limit", "label"}}, wider=True)
    expect_figures(request.app[SERVING].figures, view)
    kind, name = asked["scope"].split(":", 1) if "scope" in asked else ("queue", asked["queue"])
    if view.scopes is not None and not (view.sees(kind, name) and request.app[SERVING].figures.names(name, kind)):
        raise ProblemError(404, NO_QUEUE)
    return asked


async def abandoned(request: web.Request) -> web.Response:
    """Answer with the callers to call back."""
    serving = request.app[SERVING]
    if serving.call_backs is None:
        raise ProblemError(404, _NO_CONTACTS)
    view, queues = view_of(request, "contacts"), frozenset(request.query.getall("queue", []))
    hours = _asked_number(request, "hours", _HOURS, 1, MOST_HOURS)
    limit = _asked_number(request, "limit", _LISTED, 0, MAX_LISTED)
    order = _ORDERS.get(request.query.get("order", "newest"))
    if order is None:
        raise ProblemError(400, f"order {request.query['order'][:20]!r}; permitted: {', '.join(_ORDERS)}")

    def wanted(queue: str) -> bool:
        return view.sees("queue", queue) and (not queues or queue in queues)

    reading = serving.call_backs.document(
        asker_of(request), hours, wanted, limit, order=order, unrestricted=view.scopes is None, as_of_ms=serving.figures.store.as_of_ms
    )
    document = await _read(reading, "contact events")
    # Only queues of the view are recorded, not arbitrary input.
    shown = [queue for queue in queues if view.sees("queue", queue) and serving.figures.names(queue)]
    about = AuditObject(scope_kind="queue", scope=shown[0]) if len(queues) == len(shown) == 1 else NOTHING
    await recorded(request, "looked_at_contacts", about)
    return await answer(request, {**serving.figures.header(view), **document})


def _asked_number(request: web.Request, name: str, otherwise: int, least: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return otherwise
    number = number_of(text, least, most)
    if number is None:
        raise ProblemError(400, f"{name} {text[:20]!r}; permitted: {least} to {most}")
    return number


async def _read(document: Awaitable[dict[str, Any]], what: str) -> dict[str, Any]:
    """Return a document read from Kafka; raise ProblemError where it cannot be read."""
    try:
        return await document
    except NoTurnError as error:
        raise ProblemError(429, "too many requests at once", retry_after_seconds=_RETRY_SECONDS) from error
    except (KafkaError, TopicError, OSError, TimeoutError) as error:
        log.warning("%s could not be read: %r.", what.capitalize(), error)
        raise ProblemError(503, f"{what} cannot be read from Kafka now", retry_after_seconds=_KAFKA_RETRY_SECONDS) from error
