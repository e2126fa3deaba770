"""Zendesk Talk's incremental exports of calls and legs, by the time of their last update; ten questions a minute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.live.zendesk_incremental import base
from streams.connectors.pull.failures import AskError
from streams.connectors.pull.model import Page, Pull, basic, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streams.connectors.pull.model import Asking

__all__ = ["PULL"]

#: Later than this before now the export may not be asked for.
_WITHHELD: Final = timedelta(seconds=61)
#: A call is told when it and the work after it are over: so long after its beginning at the latest, or in the time in which it occurred.
_SETTLES: Final = timedelta(hours=1)


async def _fetch(asking: Asking) -> AsyncGenerator[Page, None]:
    """Ask for calls, then for legs, as far as there are any. The end of a page is the begin of the next: what lies on it comes twice."""
    cursor: dict[str, Any] = dict(asking.cursor)
    through = asking.now()
    for name in ("calls", "legs") if asking.settings.get("legs", True) else ("calls",):
        begin = int(cursor.get(name) or asking.since.timestamp())
        while begin <= (asking.now() - _WITHHELD).timestamp():
            params = {"start_time": str(begin)}
            answer = (await asking.client.get(f"api/v2/channels/voice/stats/incremental/{name}.json", params=params)).object()
            found, end = answer[name], answer["end_time"]
            if not isinstance(found, list) or not isinstance(end, int | None):
                raise AskError("malformed", f"answered without a list of {name} or its end")
            # The address of a next page is always there: where there is nothing more, nothing is found from the next second on.
            if not found or end is None or end < begin:
                break
            if end == begin == cursor.get(name):
                begin += 1
                continue
            begin = cursor[name] = end
            yield Page(written({name: found}), dict(cursor))
    yield Page(b"", cursor, through - _SETTLES)


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
