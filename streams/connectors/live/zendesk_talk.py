"""Poll Zendesk Talk's incremental exports of calls and legs, by the time of their last update; ten requests a minute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.live.zendesk_incremental import base
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, Pull, basic, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streams.connectors.pull.model import PollContext

__all__ = ["PULL"]

#: The export refuses times within the last minute.
_WITHHELD: Final = timedelta(seconds=61)
#: A call is reported after its after-call work: this long after its beginning. A longer call counts in the time in which it occurred.
_FINAL_AFTER: Final = timedelta(hours=1)


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Poll calls, then legs, where configured. The end of a page is the begin of the next: items on it are returned twice."""
    cursor: dict[str, Any] = dict(poll.cursor)
    through = poll.now()
    for name in ("calls", "legs") if poll.settings.get("legs", True) else ("calls",):
        begin = int(cursor.get(name) or poll.since.timestamp())
        while begin <= (poll.now() - _WITHHELD).timestamp():
            params = {"start_time": str(begin)}
            answer = (await poll.client.get(f"api/v2/channels/voice/stats/incremental/{name}.json", params=params)).object()
            items, end = answer[name], answer["end_time"]
            if not isinstance(items, list) or not isinstance(end, int | None):
                raise PollError("malformed", f"answered without a list of {name} or its end")
            # There is always an address of a next page: the last one has no items.
            if not items or end is None or end < begin:
                break
            if end == begin == cursor.get(name):
                begin += 1
                continue
            begin = cursor[name] = end
            yield Page(written({name: items}), dict(cursor))
    yield Page(b"", cursor, through - _FINAL_AFTER)


def _headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    return basic(f"{text_of(settings, 'email')}/token", text_of(settings, "api_token"))


PULL: Final = Pull(
    name="zendesk-talk",
    fetch=_fetch,
    base=base,
    headers=_headers,
    poll_seconds=120.0,
    spacing_seconds=6.0,
)
