"""What customers say and whether they come back: worked out by hand from the records of a morning, as JSON and on the page."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.api import CustomersAnswer
from streams.access.views import View
from streams.catalogue import KPI_BY_ID
from streams.serving.customers import COMING_BACK, SAID, shows_window
from tests.serving.chromium import Chromium, binary
from tests.serving.detail_center import DAY
from tests.serving.records import Stand, client_of, figure, progress, window
from tests.serving.test_detail_pages import ROWS, TEXTS
from tests.serving.test_page import OUTSIDE, run, url
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The day of the records, in Tokyo, the day before it and the last month.
TODAY = {name: DAY[name] for name in ("window_start", "window_end")}
YESTERDAY = {"window_start": "2026-03-30T15:00:00Z", "window_end": "2026-03-31T15:00:00Z"}
MARCH = {"window_start": "2026-02-28T15:00:00Z", "window_end": "2026-03-31T15:00:00Z"}
NONE = figure(None, 0, 0, None)


def day(scope: str, channel: str, kpis: Mapping[str, Any], categories: Mapping[str, int], **more: Any) -> tuple[bytes, bytes]:
    """Return the day so far of a scope, with what it is about."""
    by_label = {"contacts_by_category": {name: figure(n, n) for name, n in categories.items()}}
    return window(scope, channel, kpis=kpis, by_label=by_label, **{**DAY, **more})


def dated(record: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a record of a day or month, of which many are held: its key has its start."""
    key, value = record
    return key + f"|{orjson.loads(value)['window_start']}".encode(), value


def stand() -> Stand:
    """Return what was read of a center in which customers are asked."""
    calls = {"csat": figure(4.2, 42, 10, 0.5), "nps": figure(-20, -200, 10, 0.5), "complaints": figure(3, 3), "csat_top2": NONE}
    chats = {"csat": figure(3.5, 7, 2, 1), "self_service_rate": figure(0.6, 30, 50, 1)}
    back = {"repeat_contact_rate": figure(0.125, 5, 40, 0.8), "lifetime_value": figure(1234.5, 6172.5, 5, 1)}
    return Stand.fed(
        [
            progress(),
            day("total:all", "voice", calls, {"delivery": 12, "billing": 5}),
            day("total:all", "chat", chats, {"delivery": 3, "returns": 0}),
            day("queue:sales", "voice", {"csat": figure(4.2, 42, 10, 0.5), "offered": figure(50, 50)}, {"billing": 5}),
            # Neither asked nor about anything that is known: not there.
            day("queue:claims", "voice", {"csat": NONE, "complaints": figure(0, 0), "offered": figure(50, 50)}, {}),
            # No one has called since midnight.
            day("queue:idle", "voice", {"csat": figure(5, 5, 1, 1)}, {}, **YESTERDAY),
            dated(window("total:all", None, name="customers_day", kpis={**back, "repeat_customer_rate": NONE}, **YESTERDAY, final=True)),
            dated(window("total:all", None, name="customers_day", kpis={"repeat_contact_rate": figure(0, 0, 7, 1)}, **TODAY)),
            dated(window("total:all", None, name="customers_month", kpis={"churn_rate": figure(0.02, 2, 100)}, **MARCH, final=True)),
        ]
    )  # fmt: skip


def told() -> CustomersAnswer:
    """Return what the address answers."""

    async def ask() -> CustomersAnswer:
        async with client_of(stand().serving()) as client:
            answer = await client.get("/api/v1/customers")
            assert answer.status == 200
            return CustomersAnswer.model_validate(await answer.json())

    return asyncio.run(ask())


def test_what_is_told_of_customers() -> None:
    """The running day of each scope and channel that says anything, and every day and month of customers, with their figures alone."""
    found = {(each.scope, each.channel, each.window, each.start): each for each in told().windows}
    today = DAY["window_start"]
    assert set(found) == {
        ("all", "voice", "day", today),
        ("all", "chat", "day", today),
        ("sales", "voice", "day", today),
        ("all", None, "customers_day", YESTERDAY["window_start"]),
        ("all", None, "customers_day", today),
        ("all", None, "customers_month", MARCH["window_start"]),
    }
    calls = found["all", "voice", "day", today]
    assert set(calls.figures) == {"csat", "nps", "complaints"}
    assert (calls.figures["csat"].value, calls.figures["csat"].denominator, calls.figures["csat"].coverage) == (4.2, 10, 0.5)
    assert calls.contacts_by_category == {"delivery": 12, "billing": 5}
    assert found["all", "chat", "day", today].contacts_by_category == {"delivery": 3}
    assert set(found["sales", "voice", "day", today].figures) == {"csat"}
    before = found["all", None, "customers_day", YESTERDAY["window_start"]]
    assert (before.final, set(before.figures)) == (True, {"repeat_contact_rate", "lifetime_value"})
    # None of seven has come back: that is said too.
    now = found["all", None, "customers_day", today]
    assert (now.final, now.figures["repeat_contact_rate"].value) == (False, 0)


def test_a_view_of_a_part_has_its_scopes_alone() -> None:
    """Whose view is one queue is told of that."""
    view = View(frozenset({"queue:sales"}), frozenset())
    assert [each.scope for each in told().windows if shows_window(view, each.model_dump())] == ["sales"]


def test_every_figure_is_one() -> None:
    """What is asked for is in the catalogue; all that counts customers is told."""
    assert {*SAID, *COMING_BACK} <= KPI_BY_ID.keys()
    assert {kpi.id for kpi in KPI_BY_ID.values() if kpi.subject == "customers"} <= {*COMING_BACK}
    assert "day" not in {window for kpi in COMING_BACK for window in KPI_BY_ID[kpi].windows}


@pytest.mark.browser
def test_on_the_page() -> None:
    """Categories by size, surveys by channel and queue, bots, days and months; the scope is chosen; Japanese, on a phone too."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")

    async def check() -> None:
        async with client_of(stand().serving()) as client, Chromium(width=1400, height=1000) as page:
            await page.open(url(client, "?view=customers"))
            await page.until("document.querySelectorAll('.about tbody tr').length === 2")
            # Of both channels: 12 + 3 and 5 of 20.
            assert await page.ask(f"{ROWS}('.about')") == [["delivery", "15", "75.0 %"], ["billing", "5", "25.0 %"]]
            assert await page.ask(f"{TEXTS}('.about .counted')") == ["20 contacts with a category"]
            # Each channel by itself, the larger scope first; of 10 answers half of what was sent.
            assert [row[:3] for row in await page.ask(f"{ROWS}('section.said')")] == [
                ["Total\nVoice", "4.2\nof 10 · 50 % measured", "-20\nof 10 · 50 % measured"],
                ["Total\nChat", "3.5\nof 2", "–"],
                ["sales\nQueue · Voice", "4.2\nof 10 · 50 % measured", "–"],
            ]
            assert await page.ask(f"{ROWS}('.alone')") == [["Total\nChat", "60.0 %\n30 / 50"]]
            back = await page.ask(f"{ROWS}('.back')")
            assert [row[1] for row in back] == ["0.0 %*\n0 / 7", "12.5 %\n5 / 40 · 80 % measured"]
            assert await page.ask(f"{ROWS}('.months')") == [["Mar 2026", "2.0 %\n2 / 100"]]
            await page.ask("document.querySelector('.choices select').value = 'queue:sales'")
            await page.ask("document.querySelector('.choices select').dispatchEvent(new Event('change'))")
            await page.until("document.querySelectorAll('.about tbody tr').length === 1")
            assert await page.ask(f"{ROWS}('.about')") == [["billing", "5", "100.0 %"]]
            assert "of=queue%3Asales" in await page.ask("location.search")
            assert page.complaints == []

            files = await (await client.get("/api/v1/export?format=csv&window=day&kpi=csat&kpi=contacts_by_category")).text()
            assert "delivery" in files
            await page.resize(390, 844)
            await page.open(url(client, "?view=customers&lang=ja"))
            await page.until("document.querySelectorAll('.about tbody tr').length === 2")
            said = await page.ask("document.querySelector('main.view').innerText")
            assert re.findall(r"[A-Za-z]{2,}", re.sub(r"UTC|on_call|delivery|billing|sales|CSAT|NPS|LTV|CSV|Excel", "", said)) == []
            assert await page.ask("document.documentElement.scrollWidth <= innerWidth")
            assert await page.ask(OUTSIDE) == []
            assert page.complaints == []

    run(check())
