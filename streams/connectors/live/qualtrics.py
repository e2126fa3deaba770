"""Qualtrics is asked for exports of responses: one is ordered, waited for and fetched; each holds at most a day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import AskError
from streams.connectors.pull.model import Asking, Page, Pull, text_of, time_of, utc_second
from streams.connectors.pull.overlap import fresh, listed, together

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

_SURVEY: Final = re.compile(r"SV_[A-Za-z0-9]{1,40}")
_FILE: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_WINDOW: Final = timedelta(days=1)
#: A response may take so long to be found; so much is asked for again.
_OVERLAP: Final = timedelta(minutes=5)
#: An export that is not ready after so many questions, a second apart, is given up.
_MOST_QUESTIONS: Final = 300


def _surveys(settings: Mapping[str, Any]) -> list[str]:
    surveys = settings.get("surveys")
    if not isinstance(surveys, list) or not surveys or not all(isinstance(each, str) and _SURVEY.fullmatch(each) for each in surveys):
        raise ValueError("surveys: required, a list of ids of surveys such as SV_abc123")
    return surveys


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    # Here, so that what is missing is said before anything is asked.
    _surveys(settings)
    return {"X-API-TOKEN": text_of(settings, "api_token")}


def _base(settings: Mapping[str, Any]) -> str:
    return str(settings.get("url") or f"https://{text_of(settings, 'data_center')}.qualtrics.com")


async def _fetch(asking: Asking) -> AsyncGenerator[Page, None]:
    began = asking.now()
    through = began - _OVERLAP
    cursor: dict[str, Any] = dict(asking.cursor)
    for survey in _surveys(asking.settings):
        state = cursor.get(survey) or {}
        since = datetime.fromisoformat(str(state.get("since") or utc_second(asking.since)))
        told: list[str] = list(state.get("told") or ())
        # So far back the next round begins, whatever was answered by then: from when this one began, in an earlier process too.
        floor = min(max(asking.since, began - _OVERLAP), time_of(state, "floor") or began)
        through = min(through, floor)
        while True:
            until = min(since + _WINDOW, began)
            items = await _export(asking, survey, since, until)
            following = until if until < began else floor
            again = utc_second(min(following, floor))
            new, remembered = fresh(items, told, again=lambda item, again=again: _recorded(item) >= again)  # type: ignore[misc]
            since, told = following, together(told, remembered) if since >= floor else remembered
            more = {"floor": floor.isoformat()} if until < began else {}
            cursor = {**cursor, survey: {"since": utc_second(since), "told": told, **more}}
            yield Page(written({"responses": new}) if new else b"", cursor)
            if until >= began:
                break
    yield Page(b"", cursor, through)


def _recorded(item: Mapping[str, Any]) -> str:
    values = item.get("values")
    return str(values.get("recordedDate") or "") if isinstance(values, dict) else ""


async def _export(asking: Asking, survey: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Order an export, wait until it is ready, and return its responses; raise AskError."""
    path = f"/API/v3/surveys/{survey}/export-responses"
    order = {"format": "json", "compress": False, "startDate": utc_second(since), "endDate": utc_second(until)}
    progress = _result((await asking.client.post(path, content=order)).object(), "progressId")
    for _ in range(_MOST_QUESTIONS):
        content = (await asking.client.get(f"{path}/{progress}")).object()
        result = content.get("result")
        status = result.get("status") if isinstance(result, dict) else None
        if status == "complete":
            return listed((await asking.client.get(f"{path}/{_result(content, 'fileId')}/file")).object(), "responses")
        if status == "failed":
            raise AskError("unavailable", "could not make the export")
    raise AskError("unavailable", f"had no export after {_MOST_QUESTIONS} questions")


def _result(content: Mapping[str, Any], name: str) -> str:
    result = content.get("result")
    value = result.get(name) if isinstance(result, dict) else None
    if not isinstance(value, str) or not _FILE.fullmatch(value.removeprefix("ES_")):
        raise AskError("malformed", f"answered without {name}")
    return value


PULL: Final = Pull(name="qualtrics", fetch=_fetch, base=_base, headers=_headers, poll_seconds=300.0, spacing_seconds=1.0)
