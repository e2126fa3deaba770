"""Requests over HTTPS to a platform: within its limits, bounded in time and size, and never redirected to another host."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from streams.connectors.kit.reading import loaded
from streams.connectors.pull.failures import PollError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime
    from types import TracebackType

__all__ = ["LOOPBACK", "Answer", "Client", "ClientLimits", "checked"]

logger = logging.getLogger(__name__)

#: Hosts that are this machine: requests to them need no encryption.
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_OK, _LIMITED, _UNAVAILABLE = 200, 429, 503
_SERVER_ERROR: Final = 500
_EPOCH_FROM: Final = 1_000_000_000
_REMAINING: Final = re.compile(r"x-?rate-?limit(.*)-remaining|ratelimit(.*)-remaining")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """How much time and memory a platform may take."""

    #: For one answer.
    timeout_seconds: float = 60.0
    max_answer_bytes: int = 64 * 1024 * 1024
    #: The longest ``Retry-After`` that is obeyed.
    longest_wait_seconds: float = 3600.0
    #: Attempts of one request while the platform limits its rate.
    tries: int = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform answered."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        """Return the JSON of the answer; raise PollError where it is none."""
        try:
            return loaded(self.body)
        except ValueError as error:
            raise PollError("malformed", f"answered with status {self.status} and no JSON") from error

    def object(self) -> dict[str, Any]:
        """Return the JSON object of the answer; raise PollError where it is none."""
        content = self.json()
        if not isinstance(content, dict):
            raise PollError("malformed", f"answered with status {self.status} and no JSON object")
        return content


class Client:
    """Sends requests to one platform.

    Args:
        base: prefix of all addresses, ``https://``; plain HTTP to this machine alone.
        now: the wall clock, for limits that name a time.
        pause: waits a number of seconds.
        spacing_seconds: between two requests at least.
        waits: called with the seconds that the platform wants to pause, before the pause.
        headers: of every request, such as the one with the token.
    """

    def __init__(
        self,
        base: str,
        *,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        spacing_seconds: float = 0.0,
        waits: Callable[[float], None] = lambda _: None,
        headers: Mapping[str, str] | None = None,
        limits: ClientLimits | None = None,
    ) -> None:
        self.base = checked(base)
        self.limits = limits or ClientLimits()
        self._now = now
        self._pause = pause
        self._spacing = spacing_seconds
        self._waits = waits
        self._headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None
        #: No request is sent before this, in seconds of the loop's clock.
        self._not_before = 0.0

    async def __aenter__(self) -> Self:
        """Return the client, connected when first needed."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, *, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Return the answer at a path, or at an address on the host of the base; raise PollError."""
        return await self.request("GET", path, params=params, headers=headers)

    async def post(
        self, path: str, *, form: Mapping[str, str] | None = None, content: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a form, or JSON; raise PollError."""
        return await self.request("POST", path, form=form, content=content, headers=headers)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        content: object = None,
        headers: Mapping[str, str] | None = None,
        taken: tuple[int, ...] = (_OK,),
    ) -> Answer:
        """Return an answer with one of the statuses in ``taken``; wait where the platform limits requests.

        Raises:
            PollError: there is none.
        """
        url = self._url(path)
        sent: dict[str, Any] = {"params": params, "headers": {**self._headers, **(headers or {})}}
        if form is not None:
            sent["data"] = form
        elif content is not None:
            sent["json"] = content
        wait: float | None = None
        for attempt in range(1, self.limits.tries + 1):
            await self._turn()
            answer = await self._answer(method, url, sent)
            self._spare(answer.headers)
            if answer.status in taken:
                return answer
            wait = self._retry_after(answer.headers)
            if answer.status != _LIMITED and not (answer.status == _UNAVAILABLE and wait is not None):
                raise _failure(answer, wait)
            if attempt < self.limits.tries:
                await self._wait(min(2.0**attempt, 60.0) if wait is None else wait)
        raise PollError("limited", f"too many requests, {self.limits.tries} times in a row", wait)

    def _url(self, path: str) -> URL:
        url = URL(path) if "://" in path else URL(self.base.rstrip("/") + "/" + path.lstrip("/"))
        base = URL(self.base)
        # The platform names its next page; the credentials go to no other host.
        if url.origin() != base.origin():
            raise PollError("malformed", "named a page of another host")
        return url

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        if self._not_before > loop.time():
            await self._pause(self._not_before - loop.time())
        self._not_before = loop.time() + self._spacing

    async def _wait(self, seconds: float) -> None:
        self._waits(seconds)
        await self._pause(seconds)

    async def _answer(self, method: str, url: URL, sent: dict[str, Any]) -> Answer:
        if self._session is None:
            # No cookies; the environment configures a proxy alone.
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=True)
        try:
            async with (
                asyncio.timeout(self.limits.timeout_seconds),
                self._session.request(method, url, allow_redirects=False, **sent) as response,
            ):
                body = bytearray()
                async for part in response.content.iter_chunked(64 * 1024):
                    body += part
                    if len(body) > self.limits.max_answer_bytes:
                        raise PollError("malformed", f"answered with more than {self.limits.max_answer_bytes} bytes")
                return Answer(response.status, response.headers, bytes(body))
        except TimeoutError as error:
            raise PollError("unreachable", f"did not answer within {self.limits.timeout_seconds:g} s") from error
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            # The text of the error may hold the address, which may hold a secret.
            raise PollError("unreachable", f"cannot be reached or broke off ({type(error).__name__})") from None

    def _spare(self, headers: CIMultiDictProxy[str]) -> None:
        """Delay the next request where the platform reports that none remains for now."""
        for name, value in headers.items():
            if value.strip() == "0" and _REMAINING.fullmatch(name.lower()):
                reset = self._seconds(headers.get(name[: -len("remaining")] + "reset", ""))
                if reset is not None and reset > 0:
                    self._waits(reset)
                    self._not_before = max(self._not_before, asyncio.get_running_loop().time() + reset)

    def _retry_after(self, headers: CIMultiDictProxy[str]) -> float | None:
        return self._seconds(headers.get("Retry-After", ""))

    def _seconds(self, text: str) -> float | None:
        """Return how long a header asks to wait: seconds, seconds since the epoch, or a date; None if it is none of these."""
        try:
            seconds = float(text)
            if seconds >= _EPOCH_FROM:
                seconds -= self._now().timestamp()
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(text) - self._now()).total_seconds()
            except (ValueError, TypeError):
                return None
        if not math.isfinite(seconds):
            return None
        return min(max(seconds, 0.0), self.limits.longest_wait_seconds)


def _failure(answer: Answer, wait: float | None) -> PollError:
    if answer.status >= _SERVER_ERROR:
        return PollError("unavailable", f"answered with status {answer.status}", wait)
    return PollError("refused", f"answered with status {answer.status}", wait)


def checked(base: str) -> str:
    """Return the address if secrets may be sent to it; raise ValueError otherwise."""
    url = URL(base)
    if url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK):
        return base
    raise ValueError(f"{base}: an address begins with https://")
