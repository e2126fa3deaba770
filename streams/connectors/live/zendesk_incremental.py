"""Zendesk's exports by time: from a second on, at most a thousand at once, without the last minute."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import written
from streams.connectors.pull.model import PollContext, basic, text_of
from streams.connectors.pull.overlap import fresh, listed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

__all__ = ["SPACING_SECONDS", "WITHHELD", "base", "by_time", "headers"]

#: Ten requests a minute are permitted.
SPACING_SECONDS: Final = 6.5
#: Every export leaves out the changes of the last minute.
WITHHELD: Final = timedelta(seconds=60)

_MOST: Final = 1_000


def base(settings: Mapping[str, Any]) -> str:
    """Return the address of the account; raise ValueError."""
    return str(settings["url"]) if settings.get("url") else f"https://{text_of(settings, 'subdomain')}.zendesk.com"


def headers(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the header that authenticates the user: by an API token, or the token of an OAuth client; raise ValueError."""
    if settings.get("access_token"):
        return {"Authorization": f"Bearer {text_of(settings, 'access_token')}"}
    return basic(f"{text_of(settings, 'email')}/token", text_of(settings, "api_token"))


async def by_time(
    poll: PollContext, path: str, name: str, state: Mapping[str, Any], version: Callable[[dict[str, Any]], str], **params: str
) -> AsyncGenerator[tuple[bytes, dict[str, Any]], None]:
    """Yield the answers of an export until its end: records, and where to continue.

    Args:
        poll: the context of ``fetch``.
        path: of the export.
        name: of the list in its answers.
        state: where to continue; empty at first.
        version: returns a name of an item with its version.
        params: of every request.
    """
    start = int(state.get("start") or poll.since.timestamp())
    seen = list(state.get("told") or ())
    while True:
        # Zendesk refuses a later one.
        start = min(start, int((poll.now() - WITHHELD).timestamp()) - 1)
        content = (await poll.client.get(path, params={"start_time": str(start), **params})).object()
        items = listed(content, name)
        end = int(content.get("end_time") or start)
        # The next request begins with the second in which this one ended: its items are known by their names.
        new, again = fresh(items, seen, version)
        seen = again if end > start else list(dict.fromkeys([*seen, *again]))
        ended = content.get("end_of_stream")
        # `next_page` is never null: without `end_of_stream` the number of records shows whether there are more.
        more = ended is False or (ended is None and len(items) >= _MOST)
        # An answer does not split a second, so a full answer of one second holds all of it.
        start = start + 1 if more and end <= start else end
        yield written({name: new}) if new else b"", {"start": start, "told": seen[-_MOST:]}
        if not more:
            return
