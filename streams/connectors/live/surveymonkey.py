"""Poll SurveyMonkey for the responses of surveys, by when they were last modified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of, time_of
from streams.connectors.pull.overlap import fresh, listed, merged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

_PAGE: Final = 100
#: A response may be found this late; so each poll overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=5)
_MOST_PAGES: Final = 10_000


def _surveys(settings: Mapping[str, Any]) -> list[str]:
    surveys = settings.get("surveys")
    if not isinstance(surveys, list) or not surveys or not all(str(survey).isdigit() for survey in surveys):
        raise ValueError("surveys: required, a list of ids of surveys, which are numbers")
    return [str(survey) for survey in surveys]


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    # Here, so that a missing setting fails before the first request.
    _surveys(settings)
    return {"Authorization": f"Bearer {text_of(settings, 'access_token')}"}


def _formatted(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _modified(item: Mapping[str, Any]) -> str:
    """Return when a response was last modified, in the format of requests; raise ValueError."""
    return _formatted(datetime.fromisoformat(str(item["date_modified"])))


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    began = poll.now()
    through = began - _OVERLAP
    cursor: dict[str, Any] = dict(poll.cursor)
    for survey in _surveys(poll.settings):
        state = cursor.get(survey) or {}
        since = str(state.get("since") or _formatted(poll.since))
        seen: list[str] = list(state.get("told") or ())
        # The next poll begins here, whatever was answered by then: by the begin of this one, in an earlier process too.
        floor = min(max(poll.since, began - _OVERLAP), time_of(state, "floor") or began)
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
            content = (await poll.client.get(f"/v3/surveys/{survey}/responses/bulk", params=params)).object()
            items = listed(content, "data")
            new, again = fresh(items, seen)
            seen, remembered = merged(seen, again), merged(remembered, again)
            more = len(items) >= _PAGE and page * _PAGE < int(content.get("total") or 0)
            # Responses changed meanwhile move to the end, and later ones up: the next request begins with the last one answered.
            last = max((_modified(item) for item in items), default=since)
            if more and last > since:
                since, page = last, 1
            elif page < _MOST_PAGES:
                page += 1
            else:
                raise PollError("malformed", "has pages without end")
            # The page only shows that the cursor has moved: a poll begins with the first.
            state = (
                {"since": since, "told": seen, "page": page, "floor": floor.isoformat()}
                if more
                else {"since": _formatted(floor), "told": remembered}
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
