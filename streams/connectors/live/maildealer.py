"""MailDealer is asked with a request that its user writes down: the specification of its API is given to customers alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from streams.connectors.kit.reading import written
from streams.connectors.pull.failures import AskError
from streams.connectors.pull.model import Asking, Page, Pull, text_of, time_of
from streams.connectors.pull.overlap import MAX_TOLD, fresh, together

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

__all__ = ["PULL"]

_MOST_PAGES: Final = 10_000
#: So often the pages of one round are asked for, until none of their mails is gone.
_MOST_PASSES: Final = 5
#: An update may take so long to be found; so much is asked for again.
_OVERLAP: Final = timedelta(minutes=5)
_LISTS: Final = ("mails", "mail", "items", "results", "data", "records")


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    """Return a request with what stands in braces filled in; a value that is nothing else keeps its type."""
    if isinstance(value, dict):
        return {name: _filled(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    if isinstance(value, str):
        for name, known_value in known.items():
            if value == f"{{{name}}}":
                return known_value
            value = value.replace(f"{{{name}}}", str(known_value))
    return value


def _mails(content: Any) -> list[dict[str, Any]]:
    listed = content
    if isinstance(content, dict):
        listed = next((content[name] for name in _LISTS if isinstance(content.get(name), list)), None)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise AskError("malformed", f"answered without a list of mails, alone or under {', '.join(_LISTS)}")
    return listed


async def _fetch(asking: Asking) -> AsyncGenerator[Page, None]:
    settings, began = asking.settings, asking.now()
    since = time_of(asking.cursor, "since") or asking.since
    told: list[str] = list(asking.cursor.get("told") or ())
    before: set[str] = set()
    zone, form = ZoneInfo(str(settings.get("request_zone") or "Asia/Tokyo")), str(settings.get("request_time") or "%Y-%m-%d %H:%M:%S")
    size = int(settings.get("page_mails") or 0)
    span = {"since": _said(since, zone, form), "until": _said(began, zone, form), "size": size}
    for _ in range(_MOST_PASSES):
        remembered: list[str] = []
        for page in range(_MOST_PAGES):
            known = {**span, "page": page + 1, "offset": page * size}
            answer = await asking.client.post(text_of(settings, "path"), content=_filled(settings.get("request") or {}, known))
            mails = _mails(answer.json())
            new, again = fresh(mails, told)
            told, remembered = together(told, again), [*remembered, *again]
            # Where nothing is new it has moved all the same: the runner gives up one that stands still.
            yield Page(written(new) if new else b"", {"since": since.isoformat(), "told": told, "page": page + 1})
            if not size or len(mails) < size:
                break
        else:
            raise AskError("malformed", "has pages without end: is {page} or {offset} in `request`?")
        # A mail that is changed meanwhile leaves the span, and those behind it move up: pages hold all if nothing of them is gone after.
        if page == 0 or (before and before <= set(remembered)):
            yield Page(b"", {"since": (began - _OVERLAP).isoformat(), "told": remembered[-MAX_TOLD:]}, began - _OVERLAP)
            return
        before = set(remembered)
    # It never stood still: the next round begins there again.


def _said(at: datetime, zone: ZoneInfo, form: str) -> str:
    return at.astimezone(zone).strftime(form)


PULL = Pull(
    name="maildealer",
    fetch=_fetch,
    base=lambda settings: text_of(settings, "url"),
    headers=lambda settings: {"X-MD-apitoken": text_of(settings, "api_token")},
    poll_seconds=300.0,
)
