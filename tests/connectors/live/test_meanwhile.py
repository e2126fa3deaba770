"""What happens between two questions of one round: others move up a page, a file is half written, something is found late."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from schemas.other import OrderPlaced, SourceHeartbeat
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.status import RunSettings
from tests.connectors.live.test_freshdesk import Freshdesk
from tests.connectors.live.test_others import SurveyMonkey, at
from tests.connectors.live.test_qualtrics import Qualtrics
from tests.connectors.live.test_tempostar import put, row
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.connectors.pull.entries import Entry

NOW = datetime(2026, 4, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def published(ledger: MemoryLedger) -> set[str]:
    """Return the conversations that were published."""
    return {str(event.conversation_id) for event in ledger.events if not isinstance(event, SourceHeartbeat)}  # type: ignore[attr-defined]


def at_second(happens: Callable[[], None]) -> Callable[[], None]:
    """Return what is called with each question, and lets this happen with the second."""
    questions: list[int] = []

    def asked() -> None:
        questions.append(0)
        if len(questions) == 2:
            happens()

    return asked


def test_surveymonkey_changes_a_response_between_two_pages() -> None:
    """The first of the second page moves to the first, which is published already."""
    clock, site, ledger = Clock(NOW), SurveyMonkey(), MemoryLedger("platform")
    for number in range(250):
        site.respond(number, NOW - HOUR + timedelta(seconds=number), "4105")

    async def scenario() -> None:
        async with serving(site.routes, at_second(lambda: site.respond(0, clock.now, "4101"))) as url:
            for _ in range(2):
                await poll_once("surveymonkey", {**site.settings, "url": url}, ledger, clock)
                clock.now += HOUR

    asyncio.run(scenario())
    assert published(ledger) == {f"T-{number}" for number in range(250)}


def test_maildealer_changes_a_mail_between_two_pages() -> None:
    """It leaves the span, and the first of the second page moves to the first, which is published already."""
    clock, ledger = Clock(NOW), MemoryLedger("platform")
    mails = [{"no": str(number), "came": "2026-04-06 05:00:00", "changed": "2026-04-06 05:00:00", "state": "新着"} for number in range(12)]

    async def listed(request: web.Request) -> web.Response:
        content = await request.json()
        found = [mail for mail in mails if content["from"] <= mail["changed"] <= content["to"]]
        return web.json_response({"mails": found[content["start"] : content["start"] + 5]})

    def change() -> None:
        clock.now += timedelta(seconds=2)
        mails[0] |= {"changed": clock.now.strftime("%Y-%m-%d %H:%M:%S"), "state": "対応完了"}

    async def scenario() -> None:
        settings = {
            "path": "/mails",
            "api_token": "md-token",
            "request": {"from": "{since}", "to": "{until}", "start": "{offset}"},
            "request_zone": "UTC",
            "page_mails": 5,
            "fields": {"id": "no", "received_at": "came", "status": "state", "updated_at": "changed"},
        }
        async with serving(at("/mails", listed, "POST"), at_second(change)) as url:
            for _ in range(2):
                await poll_once("maildealer", {**settings, "url": url}, ledger, clock)
                clock.now += HOUR

    asyncio.run(scenario())
    assert published(ledger) == {str(number) for number in range(12)}


class _Hooked(MemoryLedger):
    """Changes the platform after a number of entries with events."""

    happens: Callable[[], None] | None = None
    after = 1

    async def write(self, entry: Entry) -> None:
        """Write, and let it happen; raise what it raises."""
        await super().write(entry)
        self.after -= bool(entry.events)
        if self.after == 0 and self.happens is not None:
            happens, self.happens = self.happens, None
            happens()


@pytest.mark.parametrize("gone", [False, True])
def test_tempostar_rewrites_a_file_while_another_is_read(gone: bool, tmp_path: Path) -> None:
    """Half a file publishes nothing, neither half an order nor that it was read; a removed file stops nothing."""
    first, second = put(tmp_path, "a.csv", row("A-1")), put(tmp_path, "b.csv", row("B-1"), row("B-2"))
    for each in (first, second):
        each.with_suffix(".lock").touch()
    ledger = _Hooked("platform")

    def happens() -> None:
        second.with_suffix(".lock").unlink()
        second.unlink() if gone else second.write_bytes(second.read_bytes()[:-60])

    ledger.happens = happens
    asyncio.run(poll_once("tempostar", {"folder": str(tmp_path)}, ledger, Clock(NOW)))
    assert [event.order_id for event in ledger.events if isinstance(event, OrderPlaced)] == ["A-1"]
    put(tmp_path, "b.csv", row("B-1"), row("B-2"))
    second.with_suffix(".lock").touch()
    asyncio.run(poll_once("tempostar", {"folder": str(tmp_path)}, ledger, Clock(NOW)))
    assert [event.order_id for event in ledger.events if isinstance(event, OrderPlaced)] == ["A-1", "B-1", "B-2"]
    assert ledger.rejected == []


def test_qualtrics_finds_a_response_late_behind_a_short_window() -> None:
    """A day and two minutes are two exports; the next round goes back for five minutes all the same."""
    clock, site, ledger = Clock(NOW), Qualtrics(), MemoryLedger("platform")
    run = RunSettings(since=NOW - timedelta(days=1, minutes=2))

    async def scenario() -> None:
        async with serving(site.add_to) as url:
            settings = {"url": url, "api_token": "q-token", "surveys": ["SV_abc123"], "questions": {"QID1": "csat"}}
            await poll_once("qualtrics", settings, ledger, clock, run=run)
            site.respond("late", NOW - timedelta(minutes=3), 4)
            clock.now += HOUR
            await poll_once("qualtrics", settings, ledger, clock, run=run)

    asyncio.run(scenario())
    assert published(ledger) == {"T-late"}


def test_freshdesk_finds_a_ticket_late_while_its_connector_is_down() -> None:
    """Broken off behind full pages and begun an hour later, it goes back from when it first began."""
    clock, desk, ledger = Clock(NOW), Freshdesk(), _Hooked("platform")
    for number in range(250):
        desk.ticket(number, NOW - timedelta(seconds=40) + timedelta(seconds=number // 8))

    def ends() -> None:
        raise NotPublishedError("it ends here")

    async def scenario() -> None:
        async with serving(desk.routes) as url:
            settings: dict[str, Any] = {"url": url, "api_key": "key"}
            ledger.happens, ledger.after = ends, 2
            with pytest.raises(NotPublishedError):
                await poll_once("freshdesk", settings, ledger, clock)
            desk.ticket(250, NOW - timedelta(seconds=60))
            clock.now += HOUR
            desk.ticket(251, clock.now)
            await poll_once("freshdesk", settings, ledger, clock, rounds=2)

    asyncio.run(scenario())
    assert len(published(ledger)) == 252
