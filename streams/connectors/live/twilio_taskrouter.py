"""Poll TaskRouter's events by their dates, so that lost callbacks leave no gap; what both report counts once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, Pull, basic, text_of, time_of, utc_second

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streams.connectors.pull.model import PollContext

__all__ = ["PULL"]

_SPAN: Final = timedelta(minutes=10)
_PAGE_EVENTS: Final = 1_000
#: An event may be found this long after its date.
_WITHHELD: Final = timedelta(seconds=5)
#: Each span overlaps the last one by this.
_OVERLAP: Final = timedelta(seconds=30)


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Yield one span after the other. A span in which a poll stopped is requested again from its beginning."""
    begin = time_of(poll.cursor, "from") or poll.since
    while True:
        end = max(begin, min(begin + _SPAN, poll.now() - _WITHHELD))
        pages, after = 0, f"v1/Workspaces/{text_of(poll.settings, 'workspace')}/Events"
        params: dict[str, str] | None = {"StartDate": utc_second(begin), "EndDate": utc_second(end), "PageSize": str(_PAGE_EVENTS)}
        while after:
            answer = (await poll.client.get(after, params=params)).object()
            events, params = answer["events"], None
            if not isinstance(events, list):
                raise PollError("malformed", "answered without a list of events")
            after, pages = str((answer.get("meta") or {}).get("next_page_url") or ""), pages + 1
            records = written({"events": events}) if events else b""
            if after:
                yield Page(records, {"from": begin.isoformat(), "pages": pages})
        yield Page(records, {"from": max(begin, end - _OVERLAP).isoformat()}, end)
        if end - begin < _SPAN:
            return
        begin = end - _OVERLAP


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    return basic(text_of(settings, "account_sid"), text_of(settings, "auth_token"))


PULL: Final = Pull(
    name="twilio-taskrouter",
    fetch=_fetch,
    base=lambda settings: str(settings.get("url") or "https://taskrouter.twilio.com"),
    headers=_headers,
    poll_seconds=30.0,
)
