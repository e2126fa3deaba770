"""Explain a figure by its contacts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka.errors import KafkaError

from schemas.audit import AuditObject
from streams.explaining import QuestionError
from streams.serving.api.answers import answer, expect_figures
from streams.serving.api.audit import recorded
from streams.serving.api.serving import SERVING, asker_of
from streams.serving.broker import TopicError
from streams.serving.door import view_of
from streams.serving.explainer import asked_of
from streams.serving.figures import NO_QUEUE
from streams.serving.problems import problem
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp import web

__all__ = ["explain"]

log = logging.getLogger(__name__)

#: How often the client's connection is checked.
_CHECK_SECONDS = 0.5
#: When a rejected client retries, multiplied by the questions that wait.
_EXPLAIN_RETRY_SECONDS = 2
#: When a client retries while Kafka does not answer.
_KAFKA_RETRY_SECONDS = 5

_T = TypeVar("_T")


async def explain(request: web.Request) -> web.Response:
    """Answer a question when its turn comes."""
    serving = request.app[SERVING]
    if serving.explainer is None:
        return problem(404, "explain is off here: start serve with --explain")
    view, contacts = view_of(request, "explain"), view_of(request, "contacts")
    try:
        lang, limit, asked = asked_of(request.query)
        expect_figures(serving.figures, view)
        if view.scopes is not None and not (view.sees("queue", asked["queue"]) and serving.figures.names(asked["queue"])):
            return problem(404, NO_QUEUE)
        document = await _while_connected(
            request,
            serving.explainer.document(serving.figures.window_records, asker=asker_of(request), lang=lang, limit=limit, asked=asked),
        )
    except QuestionError as error:
        # The cause names definitions of scopes outside the view.
        detail = str(error) if error.__cause__ is None or view.scopes is None else "this is not the configuration that the worker has"
        return problem(400, detail)
    except NoTurnError as error:
        whose = "of yours" if error.own else "of all"
        return problem(
            429,
            f"too many questions {whose} wait for an answer",
            retry_after_seconds=_EXPLAIN_RETRY_SECONDS * (1 + error.ahead),
            waiting=error.ahead,
        )
    except (KafkaError, TopicError, OSError, TimeoutError) as error:
        log.warning("Events could not be read: %r.", error)
        return problem(503, "events cannot be read from Kafka now", retry_after_seconds=_KAFKA_RETRY_SECONDS)
    named = contacts.sees("queue", asked["queue"])
    if named:
        scope = AuditObject(
            scope_kind="queue", scope=asked["queue"], kpi=asked["kpi"], window=asked.get("window"), channel=asked.get("channel")
        )
        await recorded(request, "looked_at_contacts", scope)
    return await answer(request, _restricted(document, unrestricted=view.scopes is None, contacts=named))


def _restricted(document: dict[str, Any], *, unrestricted: bool, contacts: bool) -> dict[str, Any]:
    """Return an answer without totals of the center, and without ids of contacts, unless the view may see them."""
    if not unrestricted:
        document = {**document, "records": [], "read": {**document["read"], "records": None, "bytes": None}}
    if not contacts:
        waiting = document["waiting_past_threshold"]
        document = {
            **document,
            "parts": [_unnamed(part) for part in document["parts"]],
            "waiting_past_threshold": None if waiting is None else _unnamed(waiting),
        }
    return document


def _unnamed(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "listed": [], "not_listed": part["conversations"]}


async def _while_connected(request: web.Request, answer: Coroutine[Any, Any, _T]) -> _T:
    """Return the answer; cancel it and raise ConnectionResetError when the client disconnects."""
    answering = asyncio.ensure_future(answer)
    try:
        while not (await asyncio.wait({answering}, timeout=_CHECK_SECONDS))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError
        return answering.result()
    finally:
        answering.cancel()
