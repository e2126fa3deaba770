"""Poll Typeform for the responses of forms, by when they were submitted; responses that webhooks brought already count once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of, utc_second
from streams.connectors.pull.overlap import fresh, listed, merged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

_PAGE: Final = 500
#: A response may be found this late; so each poll overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=5)


def _forms(settings: Mapping[str, Any]) -> list[str]:
    forms = settings.get("forms")
    if not isinstance(forms, list) or not forms or not all(isinstance(form, str) and form.isalnum() for form in forms):
        raise ValueError("forms: required, a list of ids of forms, which are letters and digits")
    return forms


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    # Here, so that a missing setting fails before the first request.
    _forms(settings)
    return {"Authorization": f"Bearer {text_of(settings, 'access_token')}"}


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    began = poll.now()
    through = began - _OVERLAP
    cursor: dict[str, Any] = dict(poll.cursor)
    for form in _forms(poll.settings):
        state = cursor.get(form) or {}
        since = str(state.get("since") or utc_second(poll.since))
        seen: list[str] = list(state.get("told") or ())
        # The next poll begins here, whatever was answered by then: by the begin of this one, in an earlier process too.
        floor = utc_second(max(poll.since, began - _OVERLAP))
        floor = min(floor, str(state.get("floor") or floor))
        through = min(through, datetime.fromisoformat(floor))
        while True:
            params = {"page_size": str(_PAGE), "since": since, "sort": "submitted_at,asc", "response_type": "completed"}
            items = listed((await poll.client.get(f"/forms/{form}/responses", params=params)).object(), "items")
            last = max((str(item.get("submitted_at") or "") for item in items), default="")
            more = len(items) >= _PAGE
            # After a full page the next begins with its last second; after the last one the overlap is requested again.
            following = last if more else floor
            new, remembered = fresh(items, seen, lambda item: str(item.get("token")), _from(min(following, floor)))
            if more and following <= since:
                raise PollError("malformed", "has more responses of one second than a page holds")
            since, seen = following, merged(seen, remembered) if since >= floor else remembered
            cursor = {**cursor, form: {"since": since, "told": seen, **({"floor": floor} if more else {})}}
            yield Page(written({"items": new}) if new else b"", cursor)
            if not more:
                break
    yield Page(b"", cursor, through)


def _from(following: str) -> Any:
    """Return a predicate: may a later answer hold a response too."""
    return lambda item: str(item.get("submitted_at") or "") >= following


PULL: Final = Pull(
    name="typeform",
    fetch=_fetch,
    base=lambda settings: str(settings.get("url") or "https://api.typeform.com"),
    headers=_headers,
    poll_seconds=300.0,
    spacing_seconds=0.5,
)
