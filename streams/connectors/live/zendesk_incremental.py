"""What Zendesk's exports by time have alike: from a second on, at most a thousand at once, without the last minute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.model import Asking, basic, text_of
from streams.connectors.pull.overlap import fresh, listed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

__all__ = ["SPACING_SECONDS", "WITHHELD", "base", "by_time", "headers"]

#: Ten questions a minute are permitted.
SPACING_SECONDS: Final = 6.5
#: What changed in the last minute is left out of every export.
WITHHELD: Final = timedelta(seconds=60)

_MOST: Final = 1_000


def base(settings: Mapping[str, Any]) -> str:
    """Return where the account is; raise ValueError."""
    return str(settings["url"]) if settings.get("url") else f"https://{text_of(settings, 'subdomain')}.zendesk.com"


def headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what names the user: of an API token, or the token of an OAuth client; raise ValueError."""
    if settings.get("access_token"):
        return {"Authorization": f"Bearer {text_of(settings, 'access_token')}"}
    return basic(f"{text_of(settings, 'email')}/token", text_of(settings, "api_token"))


async def by_time(
    asking: Asking, path: str, name: str, state: Mapping[str, Any], version: Callable[[dict[str, Any]], str], **params: str
) -> AsyncGenerator[tuple[bytes, dict[str, Any]], None]:
    """Yield the answers of an export until its end: records, and where to go on.

    Args:
        asking: what ``fetch`` was given.
        path: of the export.
        name: of the list in its answers.
        state: where to go on; empty at first.
        version: names an item, as it is now.
        params: of every question.
    """
    start = int(state.get("start") or asking.since.timestamp())
    told = list(state.get("told") or ())
    while True:
        # A later one is refused.
        start = min(start, int((asking.now() - WITHHELD).timestamp()) - 1)
        content = (await asking.client.get(path, params={"start_time": str(start), **params})).object()
        items = listed(content, name)
        end = int(content.get("end_time") or start)
        # The next question begins with the second in which this one ended. Who is in it is known by name alone.
        new, again = fresh(items, told, version)
        told = again if end > start else list(dict.fromkeys([*told, *again]))
        ended = content.get("end_of_stream")
        # `next_page` is never null: where nothing else does, the number of records says whether there are more.
        more = ended is False or (ended is None and len(items) >= _MOST)
        # What shares a second comes together, so a full answer of one second alone has all of it.
        start = start + 1 if more and end <= start else end
        yield written({name: new}) if new else b"", {"start": start, "told": told[-_MOST:]}
        if not more:
            return
