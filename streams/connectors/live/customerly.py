"""Poll Customerly for all users, page by page: it has no filter by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["PULL"]

_PAGE: Final = 100
_MOST_PAGES: Final = 100_000
_SERVER_ERROR: Final = 500


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    began = poll.now()
    for page in range(_MOST_PAGES):
        params = {"page": str(page), "per_page": str(_PAGE), "sort": "last_update", "sort_direction": "desc"}
        answer = await poll.client.request("GET", "/v1/users/list", params=params, taken=(200, _SERVER_ERROR))
        if answer.status == _SERVER_ERROR:
            # Customerly answers a wrong token as a server error.
            wrong = b"token" in answer.body[:10_000].lower()
            raise PollError(
                "refused" if wrong else "unavailable", f"answered with status 500{', as it does to a wrong access token' if wrong else ''}"
            )
        users = answer.object()["data"]["users"]
        yield Page(answer.body, {"page": page + 1})
        if len(users) < _PAGE:
            break
    yield Page(b"", {"page": 0}, began)


PULL = Pull(
    name="customerly",
    fetch=_fetch,
    base=lambda settings: str(settings.get("url") or "https://api.customerly.io"),
    headers=lambda settings: {"Authorization": f"Bearer {text_of(settings, 'access_token')}"},
    poll_seconds=3600.0,
)
