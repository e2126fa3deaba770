"""Zendesk's exports are asked: by cursor and by time, ten times a minute, without the last minute.

The server is a fake, written from the pages of Zendesk's developer documentation about incremental exports and rate limits.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from schemas.other import SourceHeartbeat
from streams.connectors.live import zendesk_incremental
from streams.connectors.live.zendesk_incremental import base, headers
from streams.connectors.pull.entries import MemoryLedger
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.base import Event

NOW = datetime(2026, 4, 6, 9, tzinfo=UTC)
SETTINGS = {"email": "ops@example.com", "api_token": "zendesk-token"}
AUTHORIZATION = "Basic b3BzQGV4YW1wbGUuY29tL3Rva2VuOnplbmRlc2stdG9rZW4="


class Zendesk:
    """The fake: tickets with their audits, and ratings, each with the second of its last change."""

    def __init__(self, clock: Clock, page: int = 3) -> None:
        self.clock, self.page = clock, page
        self.audits: list[dict[str, Any]] = []
        self.tickets: dict[int, dict[str, Any]] = {}
        self.ratings: dict[int, dict[str, Any]] = {}
        #: Every n-th request is refused as too many; 0 for none.
        self.limit_every = 0
        self.asked: list[str] = []

    def ticket(self, number: int, at: datetime) -> None:
        """Make a ticket."""
        self.tickets[number] = {"id": number, "requester_id": 900 + number, "status": "open", "subject": "of anna", "at": at}
        self.audit(number, at, {"event_type": "Create", "status": "new"}, {"event_type": "Create", "group_id": "7"}, by=900 + number)

    def audit(self, ticket: int, at: datetime, *children: dict[str, Any], by: int = 5) -> None:
        """Change a ticket."""
        number = len(self.audits) + 1
        self.tickets[ticket]["at"] = at
        self.audits.append(
            {
                "id": 10_000 + number,
                "ticket_id": ticket,
                "created_at": at.isoformat().replace("+00:00", "Z"),
                "updater_id": by,
                "via": "Web form",
                "event_type": "Audit",
                "child_events": [{"id": number * 10 + index, "via": "Web form", **child} for index, child in enumerate(children)],
                "at": at,
            }
        )

    def reply(self, ticket: int, at: datetime) -> None:
        """Have an agent answer a ticket."""
        comment = {"event_type": "Comment", "comment_public": True, "public": True, "author_id": 5, "body": "dear anna"}
        self.audit(ticket, at, comment, {"event_type": "Change", "status": "solved", "previous_value": "open"})

    def _turn(self, request: web.Request) -> web.Response | None:
        assert request.headers["Authorization"] == AUTHORIZATION
        self.asked.append(request.path)
        if self.limit_every and len(self.asked) % self.limit_every == 0:
            return web.json_response({"error": "APIRateLimitExceeded"}, status=429, headers={"Retry-After": "7"})
        return None

    def _shown(self, items: Iterable[dict[str, Any]], start: int) -> list[dict[str, Any]]:
        last = self.clock.now - timedelta(seconds=60)
        return sorted((item for item in items if start <= int(item["at"].timestamp()) and item["at"] < last), key=lambda item: item["at"])

    async def by_time(self, request: web.Request) -> web.Response:
        """Answer an export by time: from a second on, which is in it."""
        if (refused := self._turn(request)) is not None:
            return refused
        start = int(request.query["start_time"])
        if start > self.clock.now.timestamp() - 60:
            return web.json_response({"error": "StartTimeTooRecent"}, status=422)
        name = request.path.rpartition("/")[2].removesuffix(".json")
        found = self._shown(self.audits, start)
        # A page ends with a second: what shares it is never torn.
        ends = {item["at"] for item in found[: self.page]}
        shown = [item for item in found if item["at"] in ends]
        end_time = int(shown[-1]["at"].timestamp()) if shown else None
        ended = {"end_of_stream": len(shown) == len(found)}
        listed = [{key: value for key, value in item.items() if key != "at"} for item in shown]
        return web.json_response({name: listed, "count": len(listed), "end_time": end_time, "next_page": str(request.url), **ended})

    async def by_cursor(self, request: web.Request) -> web.Response:
        """Answer the export of tickets by cursor, which has each change once."""
        if (refused := self._turn(request)) is not None:
            return refused
        start, _, number = (request.query.get("cursor") or f"{request.query['start_time']}|0").partition("|")
        place = (float(start), int(number))
        last = self.clock.now - timedelta(seconds=60)

        def key(item: dict[str, Any]) -> tuple[float, int]:
            return (item["at"].timestamp(), item["id"])

        found = sorted((item for item in self.tickets.values() if key(item) > place and item["at"] < last), key=key)
        shown = found[: self.page]
        after = "|".join(map(str, key(shown[-1]) if shown else place))
        listed = [{key: value for key, value in item.items() if key != "at"} for item in shown]
        return web.json_response({"tickets": listed, "after_cursor": after, "end_of_stream": len(shown) == len(found)})

    async def rated(self, request: web.Request) -> web.Response:
        """Answer ratings page by page, the newest first."""
        if (refused := self._turn(request)) is not None:
            return refused
        after = int(request.query.get("page[after]", "0"))
        found = sorted(self.ratings.values(), key=lambda each: str(each["created_at"]), reverse=True)
        more = after + 2 < len(found)
        links = {"next": str(request.url.with_query({"page[after]": str(after + 2)}))} if more else {}
        return web.json_response({"satisfaction_ratings": found[after : after + 2], "meta": {"has_more": more}, "links": links})

    def routes(self, app: web.Application) -> None:
        """Add where it answers."""
        app.router.add_get("/api/v2/incremental/tickets/cursor.json", self.by_cursor)
        app.router.add_get("/api/v2/incremental/ticket_events.json", self.by_time)
        app.router.add_get("/api/v2/satisfaction_ratings.json", self.rated)


def ids(ledger: MemoryLedger) -> list[str]:
    """Return the ids of the published events, repeats too."""
    return sorted(event.event_id for event in ledger.events if not isinstance(event, SourceHeartbeat))


def through(events: list[Event]) -> datetime:
    """Return how far the source last reported to be complete."""
    return [event.complete_through for event in events if isinstance(event, SourceHeartbeat)][-1]


def test_tickets_and_ratings() -> None:
    """Pages, limits, and rounds later: nothing is lost or published twice, and what is younger than a minute comes next time."""

    async def scenario() -> None:
        clock, ledger = Clock(NOW), MemoryLedger("platform")
        desk = Zendesk(clock)
        desk.limit_every = 4
        for number in range(1, 9):
            desk.ticket(number, NOW - timedelta(minutes=30 - number))
        # Four in one second, where a page ends.
        for number in range(1, 5):
            desk.reply(number, NOW - timedelta(minutes=5))
        desk.ratings[1] = {
            "id": 1,
            "ticket_id": 1,
            "score": "bad",
            "created_at": "2026-04-06T08:56:00Z",
            "updated_at": "2026-04-06T08:56:00Z",
        }
        for number in (2, 3, 4):
            desk.ratings[number] = {
                "id": number,
                "ticket_id": number,
                "score": "offered",
                "created_at": "2026-04-06T08:57:00Z",
                "updated_at": "2026-04-06T08:57:00Z",
            }
        desk.reply(5, NOW - timedelta(seconds=30))
        async with serving(desk.routes) as url:
            settings = {**SETTINGS, "url": url}
            await poll_once("zendesk-export", settings, ledger, clock)
            published = Counter(event.type for event in ledger.events)
            assert (published["contact.arrived"], published["contact.message"], published["contact.status_changed"]) == (8, 4, 4)
            assert (published["survey.answered"], published["survey.invited"]) == (1, 4)
            assert through(ledger.events) == NOW - timedelta(seconds=60)
            assert 7.0 in clock.waited
            before = ids(ledger)
            assert len(before) == len(set(before))

            await poll_once("zendesk-export", settings, ledger, clock, rounds=2)
            assert ids(ledger) == before

            clock.now += timedelta(minutes=11)
            desk.ratings[1] |= {"score": "good", "updated_at": "2026-04-06T09:05:00Z"}
            await poll_once("zendesk-export", settings, ledger, clock, rounds=2)
            new = Counter(ids(ledger)) - Counter(before)
            assert set(new) >= {"5-comment-130", "1-rating-1"}
            assert Counter(event.type for event in ledger.events)["contact.message"] == 5
        # Ten questions a minute.
        assert [wait for wait in clock.waited if wait == pytest.approx(zendesk_incremental.SPACING_SECONDS, abs=0.5)]
        assert not any(b"anna" in (value or b"") for value in ledger.rows.values())

    asyncio.run(scenario())


def test_account() -> None:
    """Where and as whom it asks; what is missing is named."""
    assert base({"subdomain": "acme"}) == "https://acme.zendesk.com"
    assert headers(SETTINGS) == {"Authorization": AUTHORIZATION}
    assert headers({"access_token": "t"}) == {"Authorization": "Bearer t"}
    with pytest.raises(ValueError, match="subdomain: required"):
        base({})
    with pytest.raises(ValueError, match="api_token: required"):
        headers({"email": "a"})
