"""The page rounds percentages as texts and commands do, never across a limit, and shows talk where no handle time is known."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.catalogue.test_percent import CASES
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, client_of, figure, progress, window
from tests.serving.test_page import ROW, url
from tests.support.require import require

pytestmark = pytest.mark.browser

#: 1 of 18 abandoned; a service level that rounding would put onto its target; calls of which talk alone is known.
KPIS = {
    "service_level_live": figure(0.7996, 1999, 2500),
    "service_level": figure(0.7996, 1999, 2500),
    "abandon_rate": figure(0.0555, 111, 2000),
    "aht": figure(None, 0, 0, 0.0),
    "att": figure(200.0, 3400, 17, 1.0),
}


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def test_the_page_rounds_as_all_else_does() -> None:
    """The same list by the page's own function, and a row in both languages."""

    async def check() -> None:
        backend = Backend.fed([progress(), window("queue:sales", kpis=KPIS)])
        async with client_of(backend.serving(targets={"sales": 0.8})) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{ROW}('sales')")
            row = await page.ask(f"{ROW}('sales')")
            assert row["service_level_live"] == ["79.9 %", "1,999 / 2,500 · target 80 % in 20 s"]
            assert row["abandon_rate"][0] == "5.6 %"
            assert row["aht"] == ["–", "talk 3:20"]
            title = await page.ask("document.querySelector('#queues tbody td[data-kpi=aht]')?.title ?? ''")
            assert "aht_parts: [talk]" in title
            asked = json.dumps([[share, limit] for share, limit, _ in CASES])
            shown = await page.ask(f"import('./text.js').then((text) => {asked}.map(([share, limit]) => text.percent(share, 1, limit)))")
            assert shown == [f"{each} %" for _, _, each in CASES]
            await page.open(url(client, "?lang=ja"))
            await page.until(f"{ROW}('sales')")
            row = await page.ask(f"{ROW}('sales')")
            assert (row["service_level_live"][0], row["aht"][1]) == ("79.9%", "通話 3:20")

    asyncio.run(check())
