"""The client itself."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from schemas.api import (
    AbandonedAnswer,
    AgentsAnswer,
    AlertHistoryAnswer,
    AlertsAnswer,
    BoardsAnswer,
    CatalogueAnswer,
    ContactsAnswer,
    CustomersAnswer,
    EarlierAnswer,
    ExplainAnswer,
    FiguresAnswer,
    IntervalsAnswer,
    OutlookAnswer,
    PeopleAnswer,
    QueueAnswer,
    SourcesAnswer,
    StandingAnswer,
    TargetsAnswer,
    TodayAnswer,
    TrendsAnswer,
)
from streams.client.errors import TooManyRequestsError, UnavailableError, UnexpectedAnswerError, UnreachableError, error_of
from streams.client.events import EventReader, Message, message_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

    from schemas.api import CallOrder

__all__ = ["Client"]

log = logging.getLogger(__name__)

_A = TypeVar("_A", bound=BaseModel)
_Query = list[tuple[str, str]]

#: How long an answer may take; explain may wait for its turn.
_ANSWER_SECONDS: Final = 120.0
#: A server sends a message every two seconds.
_SILENT_SECONDS: Final = 10.0
#: Between two attempts to connect: at first, and at most.
_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 30.0


class Client:
    """A connection to one server; use it as an async context manager, within one event loop.

    Args:
        url: address of ``serve``, such as ``https://board.example``, with the prefix of a proxy if there is one.
        token: of the access file; it is sent only to this server, and shown in no text of this client.
        ssl_context: trusts the certificate of the server, and has that of the client; the usual authorities without it.
        insecure: send the token even if the connection is not encrypted and leaves this machine.

    Every method raises UnreachableError, ApiError (by status one of its subclasses) or UnexpectedAnswerError.

    Raises:
        ValueError: the address is invalid, or the token would go over the network in the clear.
    """

    def __init__(self, url: str, *, token: str | None = None, ssl_context: ssl.SSLContext | None = None, insecure: bool = False) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("url: http or https, a host, and a path if a proxy needs one")
        if token is not None and parts.scheme == "http" and not insecure and not _is_here(parts.hostname):
            raise ValueError(f"the token would go to {parts.hostname} in the clear: use https, or set insecure=True")
        self._url = url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Client({self._url!r})"

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=True if self._ssl is None else self._ssl)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def figures(self, *windows: str) -> FiguresAnswer:
        """Return the newest records of all visible scopes; with ``windows`` only theirs, and those of now."""
        return await self._answer("/api/v1/figures", _many("window", windows), FiguresAnswer)

    def figure_pages(self, *windows: str, limit: int = 1000) -> AsyncGenerator[FiguresAnswer, None]:
        """Yield the same by pages of at most ``limit`` records: each page has the header of its moment."""
        return self._pages("/api/v1/figures", [*_many("window", windows), ("limit", str(limit))], FiguresAnswer)

    async def queue(self, name: str) -> QueueAnswer:
        """Return the figures of one queue."""
        return await self._answer(f"/api/v1/queues/{quote(name, safe='')}", [], QueueAnswer)

    async def alerts(self, *states: Literal["pending", "firing", "cleared"]) -> AlertsAnswer:
        """Return the state of every alert, or of those in some states."""
        return await self._answer("/api/v1/alerts", _many("state", states), AlertsAnswer)

    async def alert_history(
        self, *, rules: Iterable[str] = (), scopes: Iterable[str] = (), since: str | None = None, limit: int = 100
    ) -> AlertHistoryAnswer:
        """Return the history of the alerts that fired last, at most 1000; ``scopes`` are KIND:NAME, ``since`` is an RFC 3339 time."""
        query = [*_many("rule", rules), *_many("scope", scopes), ("limit", f"{limit}")]
        return await self._answer("/api/v1/alerts/history", query if since is None else [*query, ("since", since)], AlertHistoryAnswer)

    async def targets(self) -> TargetsAnswer:
        """Return every target with its judgment."""
        return await self._answer("/api/v1/targets", [], TargetsAnswer)

    async def trends(self) -> TrendsAnswer:
        """Return the day so far of every queue, by interval."""
        return await self._answer("/api/v1/trends", [], TrendsAnswer)

    async def intervals(self, queue: str) -> IntervalsAnswer:
        """Return one queue by interval, and its day so far."""
        return await self._answer("/api/v1/intervals", [("queue", queue)], IntervalsAnswer)

    async def earlier(self, at: str | None = None) -> EarlierAnswer:
        """Return all queues in the interval that holds an RFC 3339 time, or in the last one that is over."""
        return await self._answer("/api/v1/earlier", [] if at is None else [("at", at)], EarlierAnswer)

    async def today(self) -> TodayAnswer:
        """Return the day so far of every scope, and what would restore its service level."""
        return await self._answer("/api/v1/today", [], TodayAnswer)

    async def customers(self) -> CustomersAnswer:
        """Return today's feedback and subjects of customers, and whether they come back."""
        return await self._answer("/api/v1/customers", [], CustomersAnswer)

    async def sources(self) -> SourcesAnswer:
        """Return the state of every source of events."""
        return await self._answer("/api/v1/sources", [], SourcesAnswer)

    async def outlook(self) -> OutlookAnswer:
        """Return what to expect of every queue of calls in the next two hours."""
        return await self._answer("/api/v1/outlook", [], OutlookAnswer)

    async def standing(self) -> StandingAnswer:
        """Return the state of the system, and what is broken, in one sentence."""
        return await self._answer("/api/v1/standing", [], StandingAnswer)

    async def boards(self) -> BoardsAnswer:
        """Return the boards of wall screens."""
        return await self._answer("/api/v1/boards", [], BoardsAnswer)

    async def catalogue(self) -> CatalogueAnswer:
        """Return every KPI with names, unit and formula."""
        return await self._answer("/api/v1/catalogue", [], CatalogueAnswer)

    async def agents(self, *people: str, windows: Iterable[str] = ()) -> AgentsAnswer:
        """Return the figures of single agents, of some or all, in some windows or all."""
        return await self._answer("/api/v1/agents", [*_many("agent", people), *_many("window", windows)], AgentsAnswer)

    async def people(
        self, *, teams: Iterable[str] = (), queues: Iterable[str] = (), states: Iterable[str] = (), strip: bool = False
    ) -> PeopleAnswer:
        """Return what single agents are doing, with ``strip`` their day so far too."""
        query = [*_many("team", teams), *_many("queue", queues), *_many("state", states), ("strip", "true" if strip else "false")]
        return await self._answer("/api/v1/people", query, PeopleAnswer)

    async def contacts(
        self,
        queue: str | None,
        kpi: str,
        *,
        scope: str | None = None,
        window: str | None = None,
        channel: str | None = None,
        label: str | None = None,
    ) -> ContactsAnswer:
        """Return the contacts behind a figure of a queue, abandoned first; with ``label`` only those under it, empty: under none.

        ``scope`` is KIND:NAME (``total:all``, ``site:tokyo``), for a figure of more than a queue; ``queue`` is None then.

        Raises:
            BadRequestError: both are given, or neither.
        """
        parameters = {"queue": queue, "scope": scope, "kpi": kpi, "window": window, "channel": channel, "label": label}
        query = [(name, value) for name, value in parameters.items() if value is not None]
        return await self._answer("/api/v1/contacts", query, ContactsAnswer)

    async def abandoned(self, *queues: str, hours: int = 8, order: CallOrder = "newest") -> AbandonedAnswer:
        """Return the customers to call back: abandoned within these hours and not got through since; and separately those who have."""
        query = [*_many("queue", queues), ("hours", str(hours)), *((("order", order),) if order != "newest" else ())]
        return await self._answer("/api/v1/abandoned", query, AbandonedAnswer)

    async def explain(
        self,
        queue: str,
        kpi: str,
        *,
        window: str | None = None,
        channel: str | None = None,
        at: str | None = None,
        lang: Literal["en", "ja"] | None = None,
        limit: int | None = None,
    ) -> ExplainAnswer:
        """Return the contacts behind a figure; ``at`` is an RFC 3339 time, ``limit`` the number of conversations listed a part."""
        parameters = {"window": window, "channel": channel, "at": at, "lang": lang, "limit": None if limit is None else str(limit)}
        query = [("queue", queue), ("kpi", kpi), *((name, value) for name, value in parameters.items() if value is not None)]
        return await self._answer("/api/v1/explain", query, ExplainAnswer)

    async def export(
        self,
        file: IO[bytes],
        *,
        form: Literal["csv", "xlsx"] = "csv",
        windows: Iterable[str] = (),
        scope_kinds: Iterable[str] = (),
        scopes: Iterable[str] = (),
        channels: Iterable[str] = (),
        kpis: Iterable[str] = (),
        lang: Literal["en", "ja"] = "en",
        mark: bool = False,
    ) -> int:
        """Write chosen figures into a file and return their size in bytes; ``mark`` puts a byte order mark first, for Excel."""
        query = [("format", form), ("lang", lang), ("bom", "true" if mark else "false"), *_many("window", windows)]
        query += [*_many("scope_kind", scope_kinds), *_many("scope", scopes), *_many("channel", channels), *_many("kpi", kpis)]
        size = 0
        async with self._asked("/api/v1/export", query) as answer:
            async for chunk in answer.chunks():
                file.write(chunk)
                size += len(chunk)
        return size

    async def events(self, *windows: str) -> AsyncGenerator[Message, None]:
        """Yield everything once, then the changes, without end; after a broken connection everything again.

        A server that cannot be reached, or has no room, is retried at growing intervals. Any other error is raised, such as
        UnauthorizedError when the token ends. The connection is open until the iteration ends: leave it with ``contextlib.aclosing``.
        """
        attempts = 0
        while True:
            wait = None
            try:
                async with self._asked("/api/v1/events", _many("window", windows), silent_seconds=_SILENT_SECONDS) as answer:
                    reader = EventReader()
                    async for chunk in answer.chunks():
                        for event, data in reader.feed(chunk):
                            attempts = 0
                            if (message := message_of(event, data)) is not None:
                                yield message
            except (TooManyRequestsError, UnavailableError) as error:
                wait = error.retry_after_seconds
            except UnreachableError as error:
                log.info("The event stream of %s is interrupted: %s.", self._url, error)
            if wait is None:
                wait = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**attempts) * random.uniform(0.5, 1)
            attempts = min(attempts + 1, 10)
            await asyncio.sleep(wait)

    async def _answer(self, path: str, query: _Query, model: type[_A]) -> _A:
        async with self._asked(path, query) as answer:
            return _read(await answer.read(), model)

    async def _pages(self, path: str, query: _Query, model: type[_A]) -> AsyncGenerator[_A, None]:
        where: URL | None = self._at(path, query)
        while where is not None:
            async with self._asked_at(where) as answer:
                page = _read(await answer.read(), model)
            yield page
            # At the same address: a page elsewhere would get the token.
            where = None if answer.following is None else where.with_query(answer.following)

    def _at(self, path: str, query: _Query) -> URL:
        return URL(f"{self._url}{path}", encoded=True).with_query(query)

    def _asked(self, path: str, query: _Query, *, silent_seconds: float | None = None) -> _Asked:
        return self._asked_at(self._at(path, query), silent_seconds=silent_seconds)

    def _asked_at(self, where: URL, *, silent_seconds: float | None = None) -> _Asked:
        if self._session is None:
            raise RuntimeError("use the client as an async context manager: async with Client(...) as client")
        return _Asked(self._session, where, silent_seconds)


class _Asked:
    """One request: its answer, or any error as a ClientError."""

    def __init__(self, session: aiohttp.ClientSession, where: URL, silent_seconds: float | None) -> None:
        self._session, self._where = session, where
        seconds = None if silent_seconds is not None else _ANSWER_SECONDS
        self._timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=10, sock_read=silent_seconds)
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> _Answer:
        with _unreachable(self._where):
            # This API never redirects; following would take the token elsewhere.
            response = self._response = await self._session.get(self._where, timeout=self._timeout, allow_redirects=False)
            if response.status == 200:  # noqa: PLR2004 - OK
                return _Answer(response, self._where)
            body = await response.read()
        raise error_of(response.status, body, response.headers.get("Retry-After"))

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if self._response is not None:
            self._response.close()


class _Answer:
    """The body of an answer as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse, where: URL) -> None:
        self._response, self._where = response, where

    @property
    def following(self) -> str | None:
        """The query of the next page."""
        link = self._response.links.get("next")
        return None if link is None else URL(str(link["url"])).raw_query_string

    async def read(self) -> bytes:
        """Return the entire body."""
        with _unreachable(self._where):
            return await self._response.read()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield chunks as they arrive, until the body ends."""
        while True:
            with _unreachable(self._where):
                chunk = await self._response.content.readany()
            if not chunk:
                return
            yield chunk


@contextmanager
def _unreachable(where: URL) -> Iterator[None]:
    """Raise errors of the connection as UnreachableError, without the library's error, which may hold the request's headers."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        detail = "it does not answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise UnreachableError(f"{where.host}:{where.port}: {detail}") from None


def _many(name: str, values: Iterable[str]) -> _Query:
    return [(name, value) for value in values]


def _read(body: bytes, model: type[_A]) -> _A:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnexpectedAnswerError(f"the answer does not fit this version: {where}: {first['msg']}") from None


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
