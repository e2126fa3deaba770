"""NEXT ENGINE is asked: spans and offsets, tokens that are replaced with any answer, and codes of errors.

The server is a fake, written from the vendor's public pages: authorization, search, comparison operators, common parameters.
"""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from schemas.other import OrderPlaced
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.tokens import TokenFile, Tokens, TokensError
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 4, 6, 3, tzinfo=UTC)
CHANGED = "receive_order_last_modified_null_safe_date"


class NextEngine:
    """The fake: at most ``limit`` slips a search, in the order of their ids."""

    def __init__(self, page: int = 1_000) -> None:
        self.page = page
        self.slips: dict[int, dict[str, Any]] = {}
        self.tokens = ("access-1", "refresh-1")
        self.old: set[str] = set()
        #: Give new tokens with the next answer, once.
        self.rotate = False
        #: Code of an error in place of the next answers.
        self.errors: list[str] = []
        self.before_answer: Callable[[int], None] = lambda _: None
        self.searches: list[dict[str, str]] = []

    def change(self, order: int, at: datetime, **fields: Any) -> None:
        """Make or change a slip."""
        text = at.astimezone(TOKYO).strftime("%Y-%m-%d %H:%M:%S")
        slip = self.slips.setdefault(
            order,
            {
                "receive_order_id": str(order),
                "receive_order_date": text,
                "receive_order_cancel_type_id": "0",
                "receive_order_cancel_date": None,
                "receive_order_total_amount": "1000",
                "receive_order_purchaser_mail_address": f"c{order % 7}@customer.example",
                "receive_order_deleted_flag": "0",
            },
        )
        slip.update({CHANGED: text, **fields})

    async def search(self, request: web.Request) -> web.Response:
        """Answer a search."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        given = (form.pop("access_token"), form.pop("refresh_token"))
        assert form["wait_flag"] == "1"
        if given[0] in self.old:
            return web.json_response({"result": "error", "code": "002002", "message": "old"})
        if given != self.tokens:
            return web.json_response({"result": "error", "code": "002004", "message": "none", "access_token": "", "refresh_token": ""})
        if self.rotate:
            self.rotate = False
            self.old.add(self.tokens[0])
            number = len(self.old) + 1
            self.tokens = (f"access-{number}", f"refresh-{number}")
        answer_tokens = {"access_token": self.tokens[0], "refresh_token": self.tokens[1], "access_token_end_date": "2026-04-07 12:00:00"}
        if self.errors:
            return web.json_response({"result": "error", "code": self.errors.pop(0), "message": "text", **answer_tokens})
        self.searches.append(form)
        self.before_answer(len(self.searches))
        low, high = form[f"{CHANGED}-gte"], form[f"{CHANGED}-lte"]
        found = [slip for _, slip in sorted(self.slips.items()) if low <= slip[CHANGED] <= high]
        offset = int(form["offset"])
        shown = [
            {field: slip.get(field) for field in form["fields"].split(",")}
            for slip in found[offset : offset + min(self.page, int(form["limit"]))]
        ]
        return web.json_response({"result": "success", "count": str(len(found)), "data": shown, **answer_tokens})

    def routes(self, app: web.Application) -> None:
        """Add where it answers."""
        app.router.add_post("/api_v1_receiveorder_base/search", self.search)


def settings_of(url: str, folder: Path) -> dict[str, Any]:
    """Return what the connectors file would give."""
    return {"url": url, "tokens_file": str(folder / "shop.tokens"), "access_token": "access-1", "refresh_token": "refresh-1"}


def placed(ledger: MemoryLedger) -> list[int]:
    """Return the published orders, repeats too."""
    return sorted(int(event.order_id or 0) for event in ledger.events if isinstance(event, OrderPlaced))


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_spans_and_offsets(tmp_path: Path) -> None:
    """Days of orders in parts, then what is new: each order once, and complete up to a minute ago."""

    async def scenario() -> None:
        shop, ledger, clock = NextEngine(page=4), MemoryLedger("platform"), Clock(NOW)
        for order in range(30):
            shop.change(order, NOW - timedelta(hours=3 * order + 1))
        async with serving(shop.routes) as url:
            settings = settings_of(url, tmp_path)
            await poll_once("next-engine", settings, ledger, clock)
            assert placed(ledger) == list(range(30))
            assert all(form["limit"] == "1000" for form in shop.searches)
            clock.now += timedelta(minutes=10)
            shop.change(30, clock.now - timedelta(minutes=2))
            shop.change(31, clock.now - timedelta(seconds=20))
            await poll_once("next-engine", settings, ledger, clock)
            # What is younger than a minute is asked for next time.
            assert placed(ledger) == list(range(31))
            clock.now += timedelta(minutes=1)
            await poll_once("next-engine", settings, ledger, clock, rounds=2)
            assert placed(ledger) == list(range(32))
            last = ledger.events[-1]
            assert last.complete_through == clock.now - timedelta(minutes=1)  # type: ignore[attr-defined]

    asyncio.run(scenario())


@pytest.mark.parametrize("when", [2, 3, 4])
def test_slips_that_change_while_they_are_polled(when: int, tmp_path: Path) -> None:
    """Slips that are changed between two parts leave the span, and those behind them move up: none is passed over."""

    async def scenario() -> None:
        shop, ledger, clock = NextEngine(page=3), MemoryLedger("platform"), Clock(NOW)
        for order in range(14):
            shop.change(order, NOW - timedelta(hours=2) + timedelta(seconds=order))

        def meanwhile(search: int) -> None:
            if search == first + when:
                for order in (0, 1, 4):
                    shop.change(order, clock.now - timedelta(seconds=10), receive_order_cancel_type_id="1")

        async with serving(shop.routes) as url:
            # The spans before are empty: one question each.
            first = 5
            shop.before_answer = meanwhile
            await poll_once("next-engine", settings_of(url, tmp_path), ledger, clock)
            assert len(shop.searches) > first + when
            assert set(placed(ledger)) >= set(range(14)) - {0, 1, 4}
            clock.now += timedelta(minutes=2)
            await poll_once("next-engine", settings_of(url, tmp_path), ledger, clock)
        assert placed(ledger) == list(range(14))
        assert sorted(event.order_id for event in ledger.events if event.type == "order.cancelled") == ["0", "1", "4"]  # type: ignore[attr-defined]

    asyncio.run(scenario())


def test_tokens_are_stored_before_they_are_used(tmp_path: Path) -> None:
    """New tokens come with an answer and with an error: they are in the file, for this user alone, and the next process has them."""

    async def scenario() -> None:
        shop, ledger, clock = NextEngine(), MemoryLedger("platform"), Clock(NOW)
        shop.change(1, NOW - timedelta(hours=1))
        async with serving(shop.routes) as url:
            settings = settings_of(url, tmp_path)
            shop.rotate = True
            await poll_once("next-engine", settings, ledger, clock)
            file = tmp_path / "shop.tokens"
            assert TokenFile(file).read() == Tokens("access-2", "refresh-2")
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert names(tmp_path) == ["shop.tokens"]
            # An error replaces them too; the configured ones are old by now.
            shop.rotate, shop.errors = True, ["999999"]
            with pytest.raises(PollError, match="code 999999"):
                await poll_once("next-engine", settings, ledger, clock)
            assert TokenFile(file).read() == Tokens("access-3", "refresh-3")
            await poll_once("next-engine", settings, ledger, clock)
        assert placed(ledger) == [1]
        written = b"".join(value or b"" for value in ledger.rows.values())
        assert b"access-" not in written
        assert b"refresh-" not in written

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        ("003002", "limited", "overloaded"),
        ("002004", "refused", "requires a new authorization"),
        ("002002", "refused", "requires a new authorization"),
        ("012345", "unavailable", "012345"),
    ],
)
def test_codes_of_errors(code: str, reason: str, message: str, tmp_path: Path) -> None:
    """Each code is waited out, or logged for the operator, and no message has a token."""

    async def scenario() -> None:
        shop = NextEngine()
        shop.errors = [code]
        async with serving(shop.routes) as url:
            with pytest.raises(PollError, match=message) as raised:
                await poll_once("next-engine", settings_of(url, tmp_path), MemoryLedger("platform"), Clock(NOW))
        assert raised.value.reason == reason
        assert "access-" not in str(raised.value)

    asyncio.run(scenario())


def test_token_file(tmp_path: Path) -> None:
    """A file that others may read, or that is none of ours, is refused by name and without what it holds."""
    file = tmp_path / "shop.tokens"
    assert TokenFile(file).read() is None
    TokenFile(file).keep(Tokens("secret-a", "secret-r"))
    assert "secret" not in repr(TokenFile(file).read())
    file.chmod(0o644)
    with pytest.raises(TokensError, match="chmod 600"):
        TokenFile(file).read()
    file.chmod(0o600)
    file.write_text("secret-a", encoding="utf-8")
    with pytest.raises(TokensError, match="no file of tokens") as raised:
        TokenFile(file).read()
    assert "secret" not in str(raised.value)
    with pytest.raises(TokensError, match="cannot be stored"):
        TokenFile(tmp_path / "nowhere" / "shop.tokens").keep(Tokens("a", "r"))
