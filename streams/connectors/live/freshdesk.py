"""Poll Freshdesk for tickets in the order of their last updates, and for satisfaction ratings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, basic, text_of, time_of, utc_second
from streams.connectors.pull.overlap import MAX_SEEN, fresh

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

_PAGE: Final = 100
#: Freshdesk refuses later pages of one request.
_MOST_PAGES: Final = 300
#: An update may be found this late; so each poll overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=2)
_SECOND: Final = timedelta(seconds=1)


def _base(settings: Mapping[str, Any]) -> str:
    return str(settings["url"]) if settings.get("url") else f"https://{text_of(settings, 'subdomain')}.freshdesk.com"


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    began = poll.now()
    cursor: dict[str, Any] = dict(poll.cursor)
    for name, path, params, of in (
        ("tickets", "/api/v2/tickets", {"include": "stats", "order_by": "updated_at", "order_type": "asc"}, "updated_since"),
        ("ratings", "/api/v2/surveys/satisfaction_ratings", {}, "created_since"),
    ):
        async for records, state in _changed(poll, path, params, of, cursor.get(name) or {}):
            cursor = {**cursor, name: state}
            yield Page(records, cursor)
    yield Page(b"", cursor, began - _OVERLAP)


async def _changed(
    poll: PollContext, path: str, params: Mapping[str, str], of: str, state: Mapping[str, Any]
) -> AsyncGenerator[tuple[bytes, dict[str, Any]], None]:
    """Yield what changed since the last poll, page by page; the next poll begins a little before the last change."""
    since = str(state.get("since") or utc_second(poll.since))
    seen: list[str] = list(state.get("told") or ())
    last = datetime.fromisoformat(since)
    # The next poll begins here at the latest: by the begin of this one, in an earlier process too.
    floor = min(poll.now() - _OVERLAP, time_of(state, "floor") or poll.now())
    remembered: list[str] = []
    in_order = "order_by" in params
    page = 1
    while True:
        query = {**params, of: since, "per_page": str(_PAGE), "page": str(page)}
        items = (await poll.client.get(path, params=query)).json()
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise PollError("malformed", "answered without a list of objects")
        new, again = fresh(items, seen)
        remembered = [*remembered, *again][-MAX_SEEN:]
        last = max([last, *(datetime.fromisoformat(str(item["updated_at"])) for item in items)])
        seen = [*seen, *again][-MAX_SEEN:]
        if len(items) < _PAGE:
            break
        yield written(new) if new else b"", {"since": since, "told": seen, "floor": floor.isoformat()}
        # Tickets updated meanwhile move to the end, and later ones up: the next request begins with the last ticket answered.
        begin = last - _SECOND
        if in_order and begin > datetime.fromisoformat(since):
            since, page = utc_second(begin), 1
        elif page < _MOST_PAGES:
            page += 1
        else:
            raise PollError("refused", f"has more than {_PAGE * _MOST_PAGES} of one second, and does not return them")
    yield written(new) if new else b"", {"since": utc_second(min(last - _OVERLAP, floor)), "told": remembered}


PULL = Pull(
    name="freshdesk",
    fetch=_fetch,
    base=_base,
    # The password is not looked at.
    headers=lambda settings: basic(text_of(settings, "api_key"), "X"),
)
