"""Follow Genesys Cloud by its notification service's WebSocket, or by EventBridge and a queue of SQS where `queue_url` is configured.

A channel ends after a day, or earlier when its server announces that it closes: the next one is open by then, and for some seconds both
are read. What both report counts once, by its id.
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from yarl import URL

from streams.connectors.kit.reading import loaded, written
from streams.connectors.pull.client import LOOPBACK, Client
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, Pull, basic, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime
    from types import TracebackType

    from streams.connectors.pull.model import PollContext

__all__ = ["PULL"]

_CHANNELS: Final = "api/v2/notifications/channels"
_CLOSING: Final = "v2.system.socket_closing"
_MOST_TOPICS: Final = 1_000
_MAX_MESSAGE_BYTES: Final = 1024 * 1024
_GOODBYE: Final = aiohttp.ClientWSTimeout(ws_close=1.0)
_PAGE_MESSAGES: Final = 1_000

#: A channel ends after 24 hours.
_RENEWED_AFTER: Final = timedelta(hours=23)
#: The service sends a heartbeat every 30 s.
_SILENT_SECONDS: Final = 75.0
#: Messages within this are one page.
_GATHERED_SECONDS: Final = 0.5
#: The watermark advances at least this often, also where nothing happens.
_IDLE_SECONDS: Final = 10.0
#: An old channel is read beside the new one for this long.
_BOTH_SECONDS: Final = 5.0
_WITHHELD: Final = timedelta(seconds=2)


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    if poll.settings.get("queue_url"):
        from streams.connectors.live.sqs import messages_of  # noqa: PLC0415 - notifications need no library of AWS

        pages = messages_of(poll)
    else:
        pages = _notified(poll)
    try:
        async for page in pages:
            yield page
    finally:
        await pages.aclose()


async def _notified(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Yield the notifications, until something fails."""
    number = int(poll.cursor.get("pages", 0))
    async with AsyncExitStack() as open_channels:
        channel = await open_channels.enter_async_context(_Channel(poll))
        while True:
            lines = await channel.gather(_IDLE_SECONDS)
            number += 1
            yield Page(b"\n".join(lines), {"pages": number}, poll.now() - _WITHHELD)
            if channel.closing or poll.now() - channel.opened >= _RENEWED_AFTER:
                old, channel = channel, await open_channels.enter_async_context(_Channel(poll))
                remaining = await old.remaining(_BOTH_SECONDS)
                await old.close()
                number += 1
                yield Page(b"\n".join(remaining), {"pages": number})


class _Channel:
    """A channel of the notification service with its socket."""

    def __init__(self, poll: PollContext) -> None:
        self._poll = poll
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self.opened: datetime = poll.now()
        self._silent = 0.0
        #: Whether the server announced that it closes.
        self.closing = False

    async def __aenter__(self) -> Self:
        """Open a channel, subscribe and connect; raise PollError."""
        topics = _topics(self._poll.settings)
        headers = {"Authorization": f"Bearer {await _token(self._poll)}"}
        answer = (await self._poll.client.post(_CHANNELS, headers=headers)).object()
        channel, uri = str(answer["id"]), self._checked(str(answer["connectUri"]))
        subscribed = [{"id": topic} for topic in topics]
        await self._poll.client.request(
            "PUT", f"{_CHANNELS}/{URL.build(path=channel).raw_path}/subscriptions", content=subscribed, headers=headers
        )
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=True)
        try:
            async with asyncio.timeout(30):
                self._socket = await self._session.ws_connect(uri, max_msg_size=_MAX_MESSAGE_BYTES, timeout=_GOODBYE)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            await self.close()
            raise PollError("unreachable", f"(notifications) cannot be reached ({type(error).__name__})") from None
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect."""
        await self.close()

    async def close(self) -> None:
        """Disconnect, without waiting for a silent server."""
        if self._socket is not None:
            await self._socket.close()
        if self._session is not None:
            await self._session.close()

    def _checked(self, uri: str) -> URL:
        """Return where to connect: a host of the configured region, encrypted."""
        url, api = URL(uri), URL(self._poll.client.base)
        domain = (api.host or "").partition(".")[2]
        if url.scheme == "wss" and domain and (url.host or "").endswith(f".{domain}"):
            return url
        if url.scheme == "ws" and url.host in LOOPBACK and api.host in LOOPBACK:
            return url
        raise PollError("malformed", "named another host for notifications")

    async def gather(self, seconds: float) -> list[bytes]:
        """Wait up to ``seconds`` for a message; return it with those that follow within a moment.

        Raises:
            PollError: the socket is closed, or sends no heartbeats.
        """
        lines: list[bytes] = []
        first = await self._next(seconds)
        if first is None:
            self._silent += seconds
            if self._silent >= _SILENT_SECONDS:
                raise PollError("unreachable", f"(notifications) sent no heartbeat for {_SILENT_SECONDS:g} s")
            return lines
        self._silent = 0.0
        lines.append(first)
        until = asyncio.get_running_loop().time() + _GATHERED_SECONDS
        while len(lines) < _PAGE_MESSAGES and (left := until - asyncio.get_running_loop().time()) > 0:
            message = await self._next(left)
            if message is None:
                break
            lines.append(message)
        return lines

    async def remaining(self, seconds: float) -> list[bytes]:
        """Return the remaining messages, within ``seconds`` or until the socket is closed."""
        lines: list[bytes] = []
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            try:
                message = await self._next(left)
            except PollError:
                break
            if message is not None:
                lines.append(message)
        return lines

    async def _next(self, seconds: float) -> bytes | None:
        """Return a message as JSON on one line, None if there is none; raise PollError where the socket is closed."""
        assert self._socket is not None  # noqa: S101 - entered
        try:
            async with asyncio.timeout(seconds):
                message = await self._socket.receive()
        except TimeoutError:
            return None
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return self._json(message.data)
        raise PollError("unreachable", "(notifications) the channel was closed")

    def _json(self, data: str | bytes) -> bytes:
        try:
            content = loaded(data)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            content = {"not_json": data if isinstance(data, str) else base64.b64encode(data).decode()}
        self.closing |= content.get("topicName") == _CLOSING
        return written(content)


def _topics(settings: Mapping[str, Any]) -> list[str]:
    users = [str(user) for user in settings.get("users") or ()]
    topics = [f"v2.users.{user}.{what}" for user in users for what in ("presence", "routingStatus")]
    topics += [str(topic) for topic in settings.get("topics") or ()]
    if not topics:
        raise PollError("refused", "cannot be followed: configure users, topics or queue_url")
    if len(topics) > _MOST_TOPICS:
        raise PollError("refused", f"cannot be followed: {len(topics)} topics, and a channel takes {_MOST_TOPICS}")
    return topics


async def _token(poll: PollContext) -> str:
    """Return a token for the client credentials; raise PollError."""
    settings = poll.settings
    base = str(settings.get("login_url") or f"https://login.{text_of(settings, 'region')}")
    who = basic(text_of(settings, "client_id"), text_of(settings, "client_secret"))
    async with Client(base, now=poll.now) as client:
        answer = await client.post("oauth/token", form={"grant_type": "client_credentials"}, headers=who)
    return str(answer.object()["access_token"])


def _base(settings: Mapping[str, Any]) -> str:
    return str(settings.get("url") or f"https://api.{text_of(settings, 'region')}")


PULL: Final = Pull(name="genesys-cloud", fetch=_fetch, base=_base, poll_seconds=1.0)
