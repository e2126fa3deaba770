"""Which contacts are behind a figure."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka.errors import KafkaError

from streams.explaining import QuestionError
from streams.serving.api.answers import compressed, json_answer
from streams.serving.api.serving import SERVING
from streams.serving.broker import TopicError
from streams.serving.explainer import asked_of
from streams.serving.turns import NoTurnError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp import web

__all__ = ["explain"]

log = logging.getLogger(__name__)

#: How often it is looked whether who asked is still there.
_LOOK_SECONDS = 0.5
#: Who is turned away with a question comes back after so long, and again as long for each that waits.
_EXPLAIN_RETRY_SECONDS = 2

_T = TypeVar("_T")


async def explain(request: web.Request) -> web.Response:
    """Answer a question when its turn has come."""
    serving = request.app[SERVING]
    if serving.explainer is None:
        return json_answer({"error": "explain is off here: start serve with --explain"}, status=404)
    try:
        lang, limit, asked = asked_of(request.query)
        document = await _while_connected(
            request,
            serving.explainer.document(serving.figures.window_records, asker=serving.whose(request), lang=lang, limit=limit, asked=asked),
        )
    except QuestionError as error:
        return json_answer({"error": str(error)}, status=400)
    except NoTurnError as error:
        whose = "of yours" if error.own else "of all"
        response = json_answer({"error": f"too many questions {whose} wait for an answer", "waiting": error.ahead}, status=429)
        response.headers["Retry-After"] = str(_EXPLAIN_RETRY_SECONDS * (1 + error.ahead))
        return response
    except (KafkaError, TopicError, OSError, TimeoutError) as error:
        log.warning("Events could not be read: %r.", error)
        return json_answer({"error": "events cannot be read from Kafka now"}, status=503)
    return await compressed(request, json_answer(document))


async def _while_connected(request: web.Request, answer: Coroutine[Any, Any, _T]) -> _T:
    """Return the answer; give it up, and raise ConnectionResetError, when the client has gone."""
    answering = asyncio.ensure_future(answer)
    try:
        while not (await asyncio.wait({answering}, timeout=_LOOK_SECONDS))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError
        return answering.result()
    finally:
        answering.cancel()
