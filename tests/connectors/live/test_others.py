"""SurveyMonkey, Oracle, Customerly and MailDealer are asked.

The servers are fakes, written from what is public of each API: parameters, pages, orders and errors. MailDealer's has the fields that the
test gives it, as its specification is not public.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from aiohttp import web

from schemas.other import SourceHeartbeat
from streams.connectors.live import pull_of
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NOW = datetime(2026, 4, 6, 9, tzinfo=UTC)


def ids(ledger: MemoryLedger) -> list[str]:
    """Return the ids of the published events, repeats too."""
    return sorted(event.event_id for event in ledger.events if not isinstance(event, SourceHeartbeat))


def through(ledger: MemoryLedger) -> datetime:
    """Return how far the source last reported to be complete."""
    return [event.complete_through for event in ledger.events if isinstance(event, SourceHeartbeat)][-1]


def at(path: str, handler: Callable[[web.Request], Awaitable[web.Response]], method: str = "GET") -> Callable[[web.Application], None]:
    """Return what adds a handler."""

    def add(app: web.Application) -> None:
        app.router.add_route(method, path, handler)

    return add


class SurveyMonkey:
    """The fake: the responses of a survey by when they were modified."""

    #: What its connector needs beside the address.
    settings: ClassVar[dict[str, Any]] = {
        "access_token": "sm-token",
        "surveys": [77],
        "questions": {"8801": {"kind": "csat", "scale": "1-5", "scores": {f"410{score}": score for score in range(1, 6)}}},
    }

    def __init__(self) -> None:
        self.responses: dict[int, dict[str, Any]] = {}

    def respond(self, number: int, when: datetime, choice: str) -> None:
        """Let a customer answer, or answer otherwise."""
        answers = [{"id": "8801", "answers": [{"choice_id": choice}]}]
        content = {"id": str(number), "survey_id": "77", "response_status": "completed", "custom_variables": {"contact_id": f"T-{number}"}}
        formatted = when.strftime("%Y-%m-%dT%H:%M:%S+00:00")
        self.responses[number] = {
            **content,
            "date_created": formatted,
            "date_modified": formatted,
            "pages": [{"id": "1", "questions": answers}],
        }

    async def bulk(self, request: web.Request) -> web.Response:
        """Answer a page."""
        query = request.query
        assert request.headers["Authorization"] == "Bearer sm-token"
        assert (query["sort_by"], query["sort_order"]) == ("date_modified", "ASC")
        found = sorted(
            (each for each in self.responses.values() if each["date_modified"][:19] >= query["start_modified_at"]),
            key=lambda each: each["date_modified"],
        )
        size, page = int(query["per_page"]), int(query["page"])
        shown = found[(page - 1) * size : page * size]
        limits = {"X-Ratelimit-App-Global-Minute-Remaining": "0", "X-Ratelimit-App-Global-Minute-Reset": "33"}
        return web.json_response({"data": shown, "per_page": size, "page": page, "total": len(found)}, headers=limits)

    def routes(self, app: web.Application) -> None:
        """Add where it answers."""
        app.router.add_get("/v3/surveys/77/responses/bulk", self.bulk)


def test_surveymonkey() -> None:
    """Responses of a survey by pages, then one that was changed: each answer once, and again where it changed."""

    async def scenario() -> None:
        clock, site, ledger = Clock(NOW), SurveyMonkey(), MemoryLedger("platform")
        for number in range(250):
            site.respond(number, NOW - timedelta(hours=10) + timedelta(seconds=number), "4105")
        async with serving(site.routes) as url:
            settings = {**site.settings, "url": url}
            await poll_once("surveymonkey", settings, ledger, clock)
            assert len(ids(ledger)) == len(set(ids(ledger))) == 250
            assert through(ledger) == NOW - timedelta(minutes=5)
            # The answer announces that no request remains for now.
            assert [wait for wait in clock.waited if wait == pytest.approx(33, abs=1)]
            clock.now += timedelta(minutes=10)
            site.respond(3, NOW + timedelta(minutes=7), "4101")
            await poll_once("surveymonkey", settings, ledger, clock, rounds=3)
        assert len(ids(ledger)) == 251
        assert ledger.rejected == []

    asyncio.run(scenario())


class Oracle:
    """The fake: a table of incidents, all values texts, and incidents with their threads."""

    def __init__(self) -> None:
        self.incidents: dict[int, dict[str, str]] = {}
        self.queries: list[str] = []

    def change(self, number: int, when: datetime, **fields: str) -> None:
        """Make an incident or change it."""
        formatted = when.strftime("%Y-%m-%dT%H:%M:%SZ")
        incident = self.incidents.setdefault(
            number, {"id": str(number), "createdTime": formatted, "queue": "2", "statusWithType.statusType": "1"}
        )
        incident |= {"updatedTime": formatted, **fields}

    async def query(self, request: web.Request) -> web.Response:
        """Answer ROQL as far as it is asked."""
        assert request.headers["OSvC-CREST-Time-UTC"] == "yes"
        text = request.query["query"]
        self.queries.append(text)
        found = re.fullmatch(
            r"select (.+) from incidents where updatedTime >= '(.+)' order by updatedTime, id limit (\d+) offset (\d+)", text
        )
        assert found, text
        names = found[1].split(", ")
        rows = sorted(
            (each for each in self.incidents.values() if each["updatedTime"] >= found[2]),
            key=lambda each: (each["updatedTime"], int(each["id"])),
        )
        shown = rows[int(found[4]) : int(found[4]) + int(found[3])]
        table = {
            "tableName": "incidents",
            "count": len(shown),
            "columnNames": names,
            "rows": [[row.get(name) for name in names] for row in shown],
        }
        return web.json_response({"items": [table], "links": []})

    async def incident(self, request: web.Request) -> web.Response:
        """Answer an incident as an object."""
        row = self.incidents[int(request.match_info["id"])]
        thread = {"id": 1, "createdTime": row["updatedTime"], "entryType": {"id": 2}, "account": {"id": 7}, "text": "dear anna"}
        status = {"statusType": {"id": int(row["statusWithType.statusType"])}}
        return web.json_response(
            {**row, "id": int(row["id"]), "queue": {"id": 2}, "statusWithType": status, "threads": {"items": [thread]}}
        )

    def routes(self, app: web.Application) -> None:
        """Add where it answers."""
        app.router.add_get("/services/rest/connect/v1.4/queryResults", self.query)
        app.router.add_get("/services/rest/connect/v1.4/incidents/{id}", self.incident)


@pytest.mark.parametrize("threads", [False, True])
def test_oracle(threads: bool) -> None:
    """Rows of ROQL in the order of their updates, more than an answer has, then one that is solved: each step once."""

    async def scenario() -> None:
        clock, site, ledger = Clock(NOW), Oracle(), MemoryLedger("platform")
        many = 120 if threads else 2_100
        for number in range(1, many + 1):
            site.change(number, NOW - timedelta(hours=20) + timedelta(seconds=number // 3))
        async with serving(site.routes) as url:
            settings = {"url": url, "user": "api", "password": "pw", "threads": threads}
            await poll_once("oracle-b2c-service", settings, ledger, clock)
            kinds = Counter(event.type for event in ledger.events)
            assert kinds["contact.arrived"] == many
            assert kinds["contact.message"] == (many if threads else 0)
            assert through(ledger) == NOW - timedelta(minutes=2)
            assert ledger.rejected == []
            clock.now += timedelta(minutes=10)
            solved = NOW + timedelta(minutes=4)
            site.change(5, solved, initialSolutionTime=solved.strftime("%Y-%m-%dT%H:%M:%SZ"), **{"statusWithType.statusType": "2"})
            await poll_once("oracle-b2c-service", settings, ledger, clock, rounds=3)
        assert Counter(event.type for event in ledger.events)["contact.status_changed"] == 1

    asyncio.run(scenario())


def test_customerly() -> None:
    """All users by pages in each round: a vote counts once, a changed one again; a wrong token is distinguished from a failure."""
    users = [
        {
            "crmhero_user_id": number,
            "email": f"u{number}@customer.example",
            "last_update": "2026-04-05 10:00:00",
            "nps_vote": 9 if number < 40 else None,
        }
        for number in range(150)
    ]
    down: list[str] = []

    async def listed(request: web.Request) -> web.Response:
        if down:
            return web.json_response({"error": {"message": down[0]}}, status=500)
        size, page = int(request.query["per_page"]), int(request.query["page"])
        return web.json_response({"data": {"users": users[page * size : (page + 1) * size]}})

    async def scenario() -> None:
        clock, ledger = Clock(NOW), MemoryLedger("platform")
        async with serving(at("/v1/users/list", listed)) as url:
            settings = {"url": url, "access_token": "c-token"}
            await poll_once("customerly", settings, ledger, clock, rounds=2)
            assert len(ids(ledger)) == 40
            users[3] |= {"nps_vote": 2, "last_update": "2026-04-06 08:00:00"}
            await poll_once("customerly", settings, ledger, clock, rounds=2)
            assert len(ids(ledger)) == 41
            for message, reason in (("Access token not found", "refused"), ("gateway", "unavailable")):
                down[:] = [message]
                with pytest.raises(PollError) as raised:
                    await poll_once("customerly", settings, ledger, clock)
                assert raised.value.reason == reason
        assert not any(b"customer.example" in (value or b"") for value in ledger.rows.values())

    asyncio.run(scenario())


def test_maildealer() -> None:
    """The request that the user wrote is filled in and sent; mails by pages, repeats left out, changes published."""
    mails = [{"no": str(number), "came": "2026-04-06 05:00:00", "state": "新着", "box": "info"} for number in range(5)]
    requests: list[dict[str, Any]] = []

    async def listed(request: web.Request) -> web.Response:
        assert request.headers["X-MD-apitoken"] == "md-token"
        content = await request.json()
        requests.append(content)
        begin = content["start"]
        return web.json_response({"mails": mails[begin : begin + 2]})

    async def scenario() -> None:
        clock, ledger = Clock(NOW), MemoryLedger("platform")
        async with serving(at("/api/mail/list", listed, "POST")) as url:
            settings = {
                "url": url,
                "path": "/api/mail/list",
                "api_token": "md-token",
                "request": {"from": "{since}", "label": "until {until}", "start": "{offset}", "nested": ["{page}"]},
                "page_mails": 2,
                "fields": {"id": "no", "received_at": "came", "status": "state", "folder": "box"},
            }
            await poll_once("maildealer", settings, ledger, clock)
            assert len(ids(ledger)) == len(set(ids(ledger))) == 10
            # Times in the zone of Japan; numbers stay numbers.
            assert requests[0] == {"from": "2026-04-01 09:00:00", "label": "until 2026-04-06 18:00:00", "start": 0, "nested": [1]}
            # Twice: whether one left the span meanwhile, so that others moved up, shows afterwards.
            assert [each["start"] for each in requests] == [0, 2, 4, 0, 2, 4]
            assert through(ledger) == NOW - timedelta(minutes=5)
            before = len(ids(ledger))
            await poll_once("maildealer", settings, ledger, clock)
            assert len(ids(ledger)) == before
            mails[1] |= {"state": "対応完了"}
            await poll_once("maildealer", settings, ledger, clock)
            assert Counter(event.type for event in ledger.events)["contact.status_changed"] == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "settings", "missing"),
    [
        ("surveymonkey", {"access_token": "t"}, "surveys"),
        ("surveymonkey", {"surveys": [1]}, "access_token"),
        ("oracle-b2c-service", {"user": "u"}, "password"),
        ("customerly", {}, "access_token"),
        ("maildealer", {}, "api_token"),
        ("freshdesk", {}, "api_key"),
    ],
)
def test_what_is_missing_is_named(name: str, settings: dict[str, Any], missing: str) -> None:
    """Before anything is asked."""
    pull = pull_of(name)
    assert pull is not None
    with pytest.raises(ValueError, match=missing):
        pull.headers(settings)
