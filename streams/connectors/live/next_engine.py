"""Poll NEXT ENGINE for slips of orders by when they were last changed; any answer may replace its tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from streams.connectors.kit.reading import written
from streams.connectors.platforms.next_engine import FIELDS
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of
from streams.connectors.pull.tokens import TokenFile, Tokens, TokensError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

__all__ = ["PULL"]

_ZONE: Final = ZoneInfo("Asia/Tokyo")
_PATH: Final = "api_v1_receiveorder_base/search"
_CHANGED: Final = "receive_order_last_modified_null_safe_date"
_PAGE_SLIPS: Final = 1_000

#: Changes of the last minute may not be found yet.
_WITHHELD: Final = timedelta(seconds=60)
#: A change may be found this late; so each span overlaps the last one by as much.
_OVERLAP: Final = timedelta(minutes=5)

#: The span of one request series: in a short one little changes meanwhile.
_SPAN: Final = timedelta(days=1)

#: Codes of answers: the tokens have expired or were replaced; the main function is overloaded.
_NO_TOKEN: Final = {"002002", "002004"}
_BUSY: Final = {"003001", "003002"}
_BUSY_SECONDS: Final = 60.0


def _formatted(at: datetime) -> str:
    return at.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M:%S")


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Yield one span of changes after the other, each in pages."""
    cursor: dict[str, Any] = dict(poll.cursor) or {"from": (poll.since - _OVERLAP).isoformat()}
    while True:
        begin = datetime.fromisoformat(cursor["from"])
        if "to" not in cursor:
            to = min(begin + _SPAN, max(poll.now() - _WITHHELD, begin))
            cursor |= {"to": to.isoformat(), "offset": 0, "count": None}
        end = datetime.fromisoformat(cursor["to"])
        offset, before = int(cursor["offset"]), cursor["count"]
        answer = await _request(
            poll,
            {
                "fields": ",".join(FIELDS),
                f"{_CHANGED}-gte": _formatted(begin),
                f"{_CHANGED}-lte": _formatted(end),
                "offset": str(offset),
                "limit": str(_PAGE_SLIPS),
            },
        )
        count, slips = int(answer["count"]), answer["data"]
        if not isinstance(slips, list):
            raise PollError("malformed", "answered without a list under data")
        records = written({"data": slips}) if slips else b""
        if before is not None and count < before:
            # Slips changed meanwhile leave the span, and later ones move up: as many may have been skipped.
            cursor = {**cursor, "offset": max(0, offset - (before - count)), "count": count}
            yield Page(records, cursor)
        elif slips and offset + len(slips) < count:
            cursor = {**cursor, "offset": offset + len(slips), "count": count}
            yield Page(records, cursor)
        else:
            cursor = {"from": (end - _OVERLAP).isoformat()}
            yield Page(records, cursor, end)
            if end >= poll.now() - _WITHHELD - _OVERLAP:
                return


async def _request(poll: PollContext, form: Mapping[str, str]) -> dict[str, Any]:
    """Return an answer, after storing the tokens in it; raise PollError."""
    file = TokenFile(Path(text_of(poll.settings, "tokens_file")))
    try:
        stored = file.read()
    except TokensError as error:
        raise PollError("refused", f"cannot be polled: {error}") from error
    tokens = stored or Tokens(text_of(poll.settings, "access_token"), text_of(poll.settings, "refresh_token"))
    sent = {"access_token": tokens.access, "refresh_token": tokens.refresh, "wait_flag": "1"}
    answer = (await poll.client.post(_PATH, form={**sent, **form})).object()
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    # Errors may bring tokens too.
    if access and refresh and (stored is None or Tokens(access, refresh) != tokens):
        try:
            file.keep(Tokens(str(access), str(refresh)))
        except TokensError as error:
            raise PollError("refused", f"gave new tokens, and {error}") from error
    result, code = answer.get("result"), str(answer.get("code", ""))[:20]
    if result == "success":
        return answer
    if result == "redirect" or code in _NO_TOKEN:
        raise PollError("refused", f"requires a new authorization (code {code}): remove {file.path} and give new tokens")
    if code in _BUSY:
        raise PollError("limited", f"is overloaded (code {code})", _BUSY_SECONDS)
    raise PollError("unavailable", f"answered with an error (code {code})")


PULL = Pull(
    name="next-engine",
    fetch=_fetch,
    base=lambda settings: str(settings.get("url") or "https://api.next-engine.org"),
    poll_seconds=300.0,
)
