"""SurveyMonkey is asked for the responses of surveys, by when they were last modified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import AskError
from streams.connectors.pull.model import Asking, Page, Pull, text_of, time_of
from streams.connectors.pull.overlap import fresh, listed, together

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

_PAGE: Final = 100
#: A response may take so long to be found; so much is asked for again.
_OVERLAP: Final = timedelta(minutes=5)
_MOST_PAGES: Final = 10_000


def _surveys(settings: Mapping[str, Any]) -> list[str]:
    surveys = settings.get("surveys")
    if not isinstance(surveys, list) or not surveys or not all(str(each).isdigit() for each in surveys):
        raise ValueError("surveys: required, a list of ids of surveys, which are numbers")
    return [str(each) for each in surveys]


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    # Here, so that what is missing is said before anything is asked.
    _surveys(settings)
    return {"Authorization": f"Bearer {text_of(settings, 'access_token')}"}


def _said(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _modified(item: Mapping[str, Any]) -> str:
    """Return when a response was last modified, as it is asked for; raise ValueError."""
    return _said(datetime.fromisoformat(str(item["date_modified"])))


async def _fetch(asking: Asking) -> AsyncGenerator[Page, None]:
    began = asking.now()
    through = began - _OVERLAP
    cursor: dict[str, Any] = dict(asking.cursor)
    for survey in _surveys(asking.settings):
        state = cursor.get(survey) or {}
        since = str(state.get("since") or _said(asking.since))
        told: list[str] = list(state.get("told") or ())
        # So far back the next round begins, whatever was answered by then: from when this one began, in an earlier process too.
        floor = min(max(asking.since, began - _OVERLAP), time_of(state, "floor") or began)
        through = min(through, floor)
        remembered: list[str] = []
        page = 1
        while True:
            params = {
                "start_modified_at": since,
                "sort_by": "date_modified",
                "sort_order": "ASC",
                "per_page": str(_PAGE),
                "page": str(page),
            }
            content = (await asking.client.get(f"/v3/surveys/{survey}/responses/bulk", params=params)).object()
            items = listed(content, "data")
            new, again = fresh(items, told)
            told, remembered = together(told, again), together(remembered, again)
            more = len(items) >= _PAGE and page * _PAGE < int(content.get("total") or 0)
            # What is changed meanwhile moves to the end, and those behind it up: the next question begins with the last one answered.
            last = max((_modified(item) for item in items), default=since)
            if more and last > since:
                since, page = last, 1
            elif page < _MOST_PAGES:
                page += 1
            else:
                raise AskError("malformed", "has pages without end")
            # The page only says that it has moved: a round begins with the first.
            state = (
                {"since": since, "told": told, "page": page, "floor": floor.isoformat()}
                if more
                else {"since": _said(floor), "told": remembered}
            )
            cursor = {**cursor, survey: state}
            yield Page(written({"data": new}) if new else b"", cursor)
            if not more:
                break
    yield Page(b"", cursor, through)


PULL = Pull(
    name="surveymonkey",
    fetch=_fetch,
    base=lambda settings: str(settings.get("url") or "https://api.surveymonkey.com"),
    headers=_headers,
    poll_seconds=300.0,
)
