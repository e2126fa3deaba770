"""Acknowledge and silence alerts, and list their history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

import orjson
from aiohttp import web

from schemas.api import AcknowledgeBody, SilenceBody
from schemas.metrics import ScopeKind
from schemas.times import parse_time_ms
from streams.serving.alerting.action_records import about_alert, about_silence, acknowledgement_of, silence_of, too_many_silences
from streams.serving.alerting.actions import key_of
from streams.serving.alerting.past import past_document, past_of
from streams.serving.api.answers import answer, asked_paging, asked_scopes, expect_table, instant_ms, json_answer
from streams.serving.api.serving import SERVING
from streams.serving.audit.auditor import actor_of
from streams.serving.bodies import body_of
from streams.serving.door import principal_of, view_of
from streams.serving.paging import cursor_of, number_of
from streams.serving.problems import ProblemError
from streams.serving.topic_writer import NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.alert_actions import ActionRecord, Silence
    from schemas.alerts import AlertRecord
    from schemas.audit import Action, AuditObject
    from streams.access.views import View

__all__ = ["acknowledge", "alert_history", "end_silence", "make_silence", "silences"]

_NO_ALERT: Final = "no firing alert has this id"
_NO_SILENCE: Final = "there is no such silence"
_RETRY_SECONDS: Final = 5
#: Alerts of one page of the history.
_MOST_LISTED: Final = 1000


async def acknowledge(request: web.Request) -> web.Response:
    """Acknowledge a firing alert."""
    body = await body_of(request, AcknowledgeBody, may_lack=True)
    serving, view = request.app[SERVING], view_of(request, "alerts")
    alert_id = request.match_info["alert"]
    # A hidden alert takes as long as one that does not exist.
    shown = (each for each in _firing(request) if view.shows(each.scope_kind, each.scope, each.channel))
    alert = next((each for each in shown if each.alert_id == alert_id), None)
    if alert is None:
        expect_table(serving.figures.alerts, "alerts")
        raise ProblemError(404, _NO_ALERT)
    actions = serving.figures.actions
    known = actions.acknowledgement(alert_id)
    if known is None:
        acknowledgement = acknowledgement_of(alert, actor_of(principal_of(request)), _now_ms(request), body.note)
        await _write(request, acknowledgement)
        _record(request, "alert_acknowledged", about_alert(alert), body.note)
        known = actions.acknowledgement(alert_id) or acknowledgement
    return _record_answer(known)


async def alert_history(request: web.Request) -> web.Response:
    """Answer with the history of alerts."""
    figures, view, query = request.app[SERVING].figures, view_of(request, "figures"), request.query
    since_ms = instant_ms("since", query["since"]) if "since" in query else None
    rules, scopes = frozenset(query.getall("rule", [])), asked_scopes(request, get_args(ScopeKind))
    limit = number_of(query.get("limit", "100"), 1, _MOST_LISTED)
    if limit is None:
        raise ProblemError(400, f"limit: permitted: 1 to {_MOST_LISTED}")
    paging = asked_paging(request)
    if not figures.past.known:
        return await answer(request, {**figures.header(view), "history": None})
    matching = [
        each
        for each in figures.past.seen(past_of(figures.past, figures.actions), view)
        if (not rules or each.record.rule in rules)
        and (not scopes or f"{each.record.scope_kind}:{each.record.scope}" in scopes)
        and (since_ms is None or parse_time_ms(each.fired_at) >= since_ms)
        and (paging.after is None or each.sort_key < paging.after)
    ]
    page = matching[:limit]
    cursor = cursor_of(page[-1].sort_key) if len(matching) > limit else None
    return await answer(
        request, {**figures.header(view), "history": [past_document(each, figures.actions) for each in page]}, cursor=cursor
    )


async def silences(request: web.Request) -> web.Response:
    """Answer with the silences in force."""
    view, actions = view_of(request, "figures"), request.app[SERVING].figures.actions
    if not actions.known:
        return json_answer({"silences": None})
    shown = [each for each in actions.silences(_now_ms(request)) if _is_shown(each, view)]
    return json_answer({"silences": [each.model_dump(mode="json") for each in shown]})


async def make_silence(request: web.Request) -> web.Response:
    """Silence some alerts."""
    body = await body_of(request, SilenceBody)
    serving, now_ms = request.app[SERVING], _now_ms(request)
    until_ms = instant_ms("until", body.until)
    try:
        silence = silence_of(body.rule, body.scope, until_ms, body.reason, actor_of(principal_of(request)), now_ms)
    except ValueError as error:
        raise ProblemError(400, str(error)) from error
    if not _is_shown(silence, view_of(request, "alerts")):
        raise ProblemError(404, "no figures of this scope are known" if body.scope else "your role has some scopes only: name one")
    if (refused := too_many_silences(serving.figures.actions.silences(now_ms), silence.by)) is not None:
        raise ProblemError(409, refused)
    await _write(request, silence)
    _record(request, "silence_made", about_silence(silence), body.reason)
    return _record_answer(silence)


async def end_silence(request: web.Request) -> web.Response:
    """End a silence."""
    actions = request.app[SERVING].figures.actions
    if not actions.known:
        raise _not_ready()
    view, asked = view_of(request, "alerts"), request.match_info["silence"]
    shown = (each for each in actions.silences(_now_ms(request)) if _is_shown(each, view))
    silence = next((each for each in shown if each.silence_id == asked), None)
    if silence is None:
        raise ProblemError(404, _NO_SILENCE)
    await _write(request, without=[key_of(silence)])
    _record(request, "silence_ended", about_silence(silence), None)
    return web.Response(status=204)


def _firing(request: web.Request) -> Iterable[AlertRecord]:
    return (entry.record for entry in request.app[SERVING].figures.alerts.chosen({"firing"}))


def _is_shown(silence: Silence, view: View) -> bool:
    """Return whether a view may see and set a silence; one without a scope applies everywhere."""
    if silence.scope is None:
        return view.scopes is None
    kind, _, name = silence.scope.partition(":")
    return view.sees(kind, name)


async def _write(request: web.Request, record: ActionRecord | None = None, *, without: Iterable[str] = ()) -> None:
    """Write a record and delete expired ones."""
    serving = request.app[SERVING]
    figures = serving.figures
    expired = figures.actions.expired((each.alert_id for each in _firing(request)), _now_ms(request)) if figures.alerts.known else []
    if serving.action_log is None:
        raise _not_ready()
    try:
        await serving.action_log.write(record, without={*without, *expired})
    except NotWrittenError as error:
        raise _not_ready() from error


def _not_ready() -> ProblemError:
    return ProblemError(503, "actions on alerts cannot be written to Kafka now: try again", retry_after_seconds=_RETRY_SECONDS)


def _record(request: web.Request, action: Action, about: AuditObject, reason: str | None) -> None:
    request.app[SERVING].audit.record(action, principal=principal_of(request), request=request, about=about, reason=reason)


def _record_answer(record: ActionRecord) -> web.Response:
    return json_answer(orjson.loads(record.model_dump_json()))


def _now_ms(request: web.Request) -> int:
    return int(request.app[SERVING].figures.clock() * 1000)
