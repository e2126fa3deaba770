"""Poll MailDealer with a request from the configuration: only customers get the specification of its API."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of, time_of
from streams.connectors.pull.overlap import MAX_SEEN, fresh, merged

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

__all__ = ["PULL"]

_MOST_PAGES: Final = 10_000
#: Passes over the pages of one poll, until none of their mails is gone.
_MOST_PASSES: Final = 5
#: An update may be found this late; so each poll overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=5)
_LISTS: Final = ("mails", "mail", "items", "results", "data", "records")


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Return a request with its placeholders filled in; a value that is one placeholder keeps its type."""
    if isinstance(value, dict):
        return {name: _filled(content, known) for name, content in value.items()}
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    if isinstance(value, str):
        for name, known_value in known.items():
            if value == f"{{{name}}}":
                return known_value
            value = value.replace(f"{{{name}}}", str(known_value))
    return value


def _mails(content: Any) -> list[dict[str, Any]]:
    mails = content
    if isinstance(content, dict):
        mails = next((content[name] for name in _LISTS if isinstance(content.get(name), list)), None)
    if not isinstance(mails, list) or not all(isinstance(mail, dict) for mail in mails):
        raise PollError("malformed", f"answered without a list of mails, alone or under {', '.join(_LISTS)}")
    return mails


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    settings, began = poll.settings, poll.now()
    since = time_of(poll.cursor, "since") or poll.since
    seen: list[str] = list(poll.cursor.get("told") or ())
    before: set[str] = set()
    zone, form = ZoneInfo(str(settings.get("request_zone") or "Asia/Tokyo")), str(settings.get("request_time") or "%Y-%m-%d %H:%M:%S")
    size = int(settings.get("page_mails") or 0)
    span = {"since": _formatted(since, zone, form), "until": _formatted(began, zone, form), "size": size}
    for _ in range(_MOST_PASSES):
        remembered: list[str] = []
        for page in range(_MOST_PAGES):
            known = {**span, "page": page + 1, "offset": page * size}
            answer = await poll.client.post(text_of(settings, "path"), content=_filled(settings.get("request") or {}, known))
            mails = _mails(answer.json())
            new, again = fresh(mails, seen)
            seen, remembered = merged(seen, again), [*remembered, *again]
            # The cursor moves also where nothing is new: the runner ends a poll whose cursor stalls.
            yield Page(written(new) if new else b"", {"since": since.isoformat(), "told": seen, "page": page + 1})
            if not size or len(mails) < size:
                break
        else:
            raise PollError("malformed", "has pages without end: is {page} or {offset} in `request`?")
        # A mail changed meanwhile leaves the span, and later ones move up: the pages hold all if none of their mails is gone afterwards.
        if page == 0 or (before and before <= set(remembered)):
            yield Page(b"", {"since": (began - _OVERLAP).isoformat(), "told": remembered[-MAX_SEEN:]}, began - _OVERLAP)
            return
        before = set(remembered)
    # The mails never stopped changing: the next poll begins at the same time.


def _formatted(at: datetime, zone: ZoneInfo, form: str) -> str:
    return at.astimezone(zone).strftime(form)


PULL = Pull(
    name="maildealer",
    fetch=_fetch,
    base=lambda settings: text_of(settings, "url"),
    headers=lambda settings: {"X-MD-apitoken": text_of(settings, "api_token")},
    poll_seconds=300.0,
)
