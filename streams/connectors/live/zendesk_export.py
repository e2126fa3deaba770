"""Poll Zendesk Support's incremental exports for ticket events, tickets and satisfaction ratings."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.live.zendesk_incremental import SPACING_SECONDS, WITHHELD, base, by_time, headers
from streams.connectors.pull.model import Page, PollContext, Pull
from streams.connectors.pull.overlap import MAX_SEEN, fresh, listed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

#: Ratings have no export: those of the last days are read this often.
_RATINGS_EVERY: Final = timedelta(minutes=10)
_RATINGS_BACK: Final = timedelta(days=14)
_MOST_PAGES: Final = 200


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Poll tickets first: comments wait for the requester in them."""
    began = poll.now()
    cursor: dict[str, Any] = dict(poll.cursor)
    async for records, state in _tickets(poll, cursor.get("tickets") or {}):
        cursor = {**cursor, "tickets": state}
        yield Page(records, cursor)
    exports = [("ticket_events", "ticket_events", {"include": "comment_events"})]
    if poll.settings.get("replies") == "metric_events":
        exports.append(("ticket_metric_events", "ticket_metric_events", {}))
    for path, name, params in exports:
        pages = by_time(poll, f"/api/v2/incremental/{path}.json", name, cursor.get(name) or {}, lambda item: str(item.get("id")), **params)
        async for records, state in pages:
            cursor = {**cursor, name: state}
            yield Page(records, cursor)
    async for records, state in _ratings(poll, cursor.get("ratings") or {}, began):
        cursor = {**cursor, "ratings": state}
        yield Page(records, cursor)
    yield Page(b"", cursor, began - WITHHELD)


async def _tickets(poll: PollContext, state: Mapping[str, Any]) -> AsyncGenerator[tuple[bytes, dict[str, Any]], None]:
    """Yield the answers of the export by cursor, which is exact."""
    after = state.get("after")
    while True:
        params = {"cursor": str(after)} if after else {"start_time": str(int(poll.since.timestamp()))}
        content = (await poll.client.get("/api/v2/incremental/tickets/cursor.json", params=params)).object()
        items = listed(content, "tickets")
        before, after = after, content.get("after_cursor") or after
        # Only the requester is needed.
        known = [{name: item.get(name) for name in ("id", "requester_id", "status")} for item in items]
        yield written({"tickets": known}) if known else b"", {"after": after}
        if content.get("end_of_stream") is not False or after == before:
            return


async def _ratings(poll: PollContext, state: Mapping[str, Any], began: datetime) -> AsyncGenerator[tuple[bytes, dict[str, Any]], None]:
    """Yield the ratings that are new or were changed."""
    polled_at = state.get("asked")
    if polled_at is not None and began - datetime.fromisoformat(polled_at) < _RATINGS_EVERY:
        return
    seen = list(state.get("told") or ())
    remembered: list[str] = []
    params: dict[str, str] | None = {"start_time": str(int(max(began - _RATINGS_BACK, poll.since).timestamp())), "page[size]": "100"}
    path = "/api/v2/satisfaction_ratings.json"
    for _ in range(_MOST_PAGES):
        content = (await poll.client.get(path, params=params)).object()
        items = listed(content, "satisfaction_ratings")
        new, again = fresh(items, seen)
        seen, remembered = [*seen, *again][-MAX_SEEN:], [*remembered, *again][-MAX_SEEN:]
        yield written({"satisfaction_ratings": new}) if new else b"", {"asked": polled_at, "told": seen}
        following = (content.get("links") or {}).get("next")
        if (content.get("meta") or {}).get("has_more") is not True or not following:
            break
        path, params = str(following), None
    yield b"", {"asked": began.isoformat(), "told": remembered}


PULL = Pull(name="zendesk-export", fetch=_fetch, base=base, headers=headers, spacing_seconds=SPACING_SECONDS)
