"""Poll Qualtrics by exports of responses: order one, wait for it and fetch it; each holds at most a day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of, time_of, utc_second
from streams.connectors.pull.overlap import fresh, listed, merged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

_SURVEY: Final = re.compile(r"SV_[A-Za-z0-9]{1,40}")
_FILE: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_WINDOW: Final = timedelta(days=1)
#: A response may be found this late; so each poll overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=5)
#: Requests, a second apart, that an export may take to be ready.
_MOST_QUESTIONS: Final = 300


def _surveys(settings: Mapping[str, Any]) -> list[str]:
    surveys = settings.get("surveys")
    if not isinstance(surveys, list) or not surveys or not all(isinstance(survey, str) and _SURVEY.fullmatch(survey) for survey in surveys):
        raise ValueError("surveys: required, a list of ids of surveys such as SV_abc123")
    return surveys


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    # Here, so that a missing setting fails before the first request.
    _surveys(settings)
    return {"X-API-TOKEN": text_of(settings, "api_token")}


def _base(settings: Mapping[str, Any]) -> str:
    return str(settings.get("url") or f"https://{text_of(settings, 'data_center')}.qualtrics.com")


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    began = poll.now()
    through = began - _OVERLAP
    cursor: dict[str, Any] = dict(poll.cursor)
    for survey in _surveys(poll.settings):
        state = cursor.get(survey) or {}
        since = datetime.fromisoformat(str(state.get("since") or utc_second(poll.since)))
        seen: list[str] = list(state.get("told") or ())
        # The next poll begins here, whatever was answered by then: by the begin of this one, in an earlier process too.
        floor = min(max(poll.since, began - _OVERLAP), time_of(state, "floor") or began)
        through = min(through, floor)
        while True:
            until = min(since + _WINDOW, began)
            items = await _export(poll, survey, since, until)
            following = until if until < began else floor
            again = utc_second(min(following, floor))
            new, remembered = fresh(items, seen, again=lambda item, again=again: _recorded(item) >= again)  # type: ignore[misc]
            since, seen = following, merged(seen, remembered) if since >= floor else remembered
            more = {"floor": floor.isoformat()} if until < began else {}
            cursor = {**cursor, survey: {"since": utc_second(since), "told": seen, **more}}
            yield Page(written({"responses": new}) if new else b"", cursor)
            if until >= began:
                break
    yield Page(b"", cursor, through)


def _recorded(item: Mapping[str, Any]) -> str:
    values = item.get("values")
    return str(values.get("recordedDate") or "") if isinstance(values, dict) else ""


async def _export(poll: PollContext, survey: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Order an export, wait until it is ready, and return its responses; raise PollError."""
    path = f"/API/v3/surveys/{survey}/export-responses"
    order = {"format": "json", "compress": False, "startDate": utc_second(since), "endDate": utc_second(until)}
    progress = _result((await poll.client.post(path, content=order)).object(), "progressId")
    for _ in range(_MOST_QUESTIONS):
        content = (await poll.client.get(f"{path}/{progress}")).object()
        result = content.get("result")
        status = result.get("status") if isinstance(result, dict) else None
        if status == "complete":
            return listed((await poll.client.get(f"{path}/{_result(content, 'fileId')}/file")).object(), "responses")
        if status == "failed":
            raise PollError("unavailable", "could not create the export")
    raise PollError("unavailable", f"had no export after {_MOST_QUESTIONS} requests")


def _result(content: Mapping[str, Any], name: str) -> str:
    result = content.get("result")
    value = result.get(name) if isinstance(result, dict) else None
    if not isinstance(value, str) or not _FILE.fullmatch(value.removeprefix("ES_")):
        raise PollError("malformed", f"answered without {name}")
    return value


PULL: Final = Pull(name="qualtrics", fetch=_fetch, base=_base, headers=_headers, poll_seconds=300.0, spacing_seconds=1.0)
