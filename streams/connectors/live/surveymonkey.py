"""SurveyMonkey is asked for the responses of surveys, by when they were last modified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import AskError
from streams.connectors.pull.model import Asking, Page, Pull, text_of
from streams.connectors.pull.overlap import fresh, listed

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


async def _fetch(asking: Asking) -> AsyncGenerator[Page, None]:
    began = asking.now()
    cursor: dict[str, Any] = dict(asking.cursor)
    for survey in _surveys(asking.settings):
        state = cursor.get(survey) or {}
        since = str(state.get("since") or asking.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
        told: list[str] = list(state.get("told") or ())
        remembered: list[str] = []
        for page in range(1, _MOST_PAGES):
            params = {
                "start_modified_at": since,
                "sort_by": "date_modified",
                "sort_order": "ASC",
                "per_page": str(_PAGE),
                "page": str(page),
            }
            content = (await asking.client.get(f"/v3/surveys/{survey}/responses/bulk", params=params)).object()
            items = listed(content, "data")
            new, again = fresh(items, told, lambda item: f"{item.get('id')} {item.get('date_modified')}", lambda _: True)
            told, remembered = [*told, *again][-5_000:], [*remembered, *again]
            cursor = {**cursor, survey: {"since": since, "told": told}}
            yield Page(written({"data": new}) if new else b"", cursor)
            if len(items) < _PAGE or page * _PAGE >= int(content.get("total") or 0):
                break
        else:
            raise AskError("malformed", "has pages without end")
        following = max(began - _OVERLAP, datetime.fromisoformat(since).replace(tzinfo=UTC))
        cursor = {**cursor, survey: {"since": following.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "told": remembered[-5_000:]}}
    yield Page(b"", cursor, began - _OVERLAP)


PULL = Pull(
    name="surveymonkey",
    fetch=_fetch,
    base=lambda settings: str(settings.get("url") or "https://api.surveymonkey.com"),
    headers=_headers,
    poll_seconds=300.0,
)
