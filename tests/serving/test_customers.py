"""Customers' surveys, complaints and returns: computed by hand from the records of a morning, as JSON and on the page."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.api import CustomersAnswer
from streams.access.views import View
from streams.catalogue import KPI_BY_ID, WORDS
from streams.configuration import Configuration
from streams.serving.call_backs import CallBacks, contacts_of
from streams.serving.customers import CUSTOMER_KPIS, DAY_KPIS, shows_window
from streams.serving.event_log import Limits
from streams.serving.explainer import Explainer
from tests.serving.chromium import Chromium, binary
from tests.serving.detail_center import DAY
from tests.serving.held_log import HeldLog, contact_event
from tests.serving.records import Backend, client_of, figure, progress, window
from tests.serving.test_detail_pages import ROWS, TEXTS
from tests.serving.test_page import OUTSIDE, run, url
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: The day of the records, in Tokyo, the day before it and the last month.
TODAY = {name: DAY[name] for name in ("window_start", "window_end")}
YESTERDAY = {"window_start": "2026-03-30T15:00:00Z", "window_end": "2026-03-31T15:00:00Z"}
MARCH = {"window_start": "2026-02-28T15:00:00Z", "window_end": "2026-03-31T15:00:00Z"}
NONE = figure(None, 0, 0, None)


def day(scope: str, channel: str, kpis: Mapping[str, Any], categories: Mapping[str, int], **more: Any) -> tuple[bytes, bytes]:
    """Return the day so far of a scope, with its categories, complaints and thanks."""
    labels = {"contacts_by_category": {name: figure(n, n) for name, n in categories.items()}}
    labels["complaints"] = {name: figure(n, n) for name, n in more.pop("complaints", {}).items()}
    labels["gratitude_rate"] = {name: figure(None, n) for name, n in more.pop("thanks", {}).items()}
    return window(scope, channel, kpis=kpis, by_label={kpi: each for kpi, each in labels.items() if each}, **{**DAY, **more})


def dated(record: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return a record of a day or month; its key has its start, because many are held."""
    key, value = record
    return key + f"|{orjson.loads(value)['window_start']}".encode(), value


def backend() -> Backend:
    """Return the records of a center with surveys."""
    calls = {"csat": figure(4.2, 42, 10, 0.5), "nps": figure(-20, -200, 10, 0.5), "complaints": figure(3, 3), "csat_top2": NONE}
    # No source reports thanks in calls; of six rated chats five had some.
    calls["gratitude_rate"] = figure(None, 0, 0, 0)
    chats = {"csat": figure(3.5, 7, 2, 1), "self_service_rate": figure(0.6, 30, 50, 1), "complaints": figure(1, 1)}
    chats["gratitude_rate"] = figure(5 / 6, 5, 6, 1)
    by_category = {"complaints": {"delivery": 1}, "thanks": {"delivery": 3, "b": 0}}
    sold = {"csat": figure(4.2, 42, 10, 0.5), "offered": figure(50, 50), "complaints": figure(3, 3)}
    asked = {"complaints": figure(1, 1), "gratitude_rate": figure(5 / 6, 5, 6, 1)}
    back = {"repeat_contact_rate": figure(0.125, 5, 40, 0.8), "lifetime_value": figure(1234.5, 6172.5, 5, 1)}
    return Backend.fed(
        [
            progress(),
            day("total:all", "voice", calls, {"delivery": 12, "billing": 5}, complaints={"billing": 1, "delivery": 1}),
            day("total:all", "chat", chats, {"delivery": 3, "returns": 0}, **by_category),
            day("queue:sales", "voice", sold, {"billing": 5}, complaints={"billing": 1, "delivery": 1}),
            day("queue:web", "chat", asked, {}, **by_category),
            # Neither asked nor about anything that is known: not there.
            day("queue:claims", "voice", {"csat": NONE, "complaints": figure(0, 0), "offered": figure(50, 50)}, {}),
            # No one has called since midnight.
            day("queue:idle", "voice", {"csat": figure(5, 5, 1, 1)}, {}, **YESTERDAY),
            dated(window("total:all", None, name="customers_day", kpis={**back, "repeat_customer_rate": NONE}, **YESTERDAY, final=True)),
            dated(window("total:all", None, name="customers_day", kpis={"repeat_contact_rate": figure(0, 0, 7, 1)}, **TODAY)),
            dated(window("total:all", None, name="customers_month", kpis={"churn_rate": figure(0.02, 2, 100)}, **MARCH, final=True)),
        ]
    )  # fmt: skip


def customers_answer() -> CustomersAnswer:
    """Return the answer of the endpoint."""

    async def ask() -> CustomersAnswer:
        async with client_of(backend().serving()) as client:
            answer = await client.get("/api/v1/customers")
            assert answer.status == 200
            return CustomersAnswer.model_validate(await answer.json())

    return asyncio.run(ask())


def test_the_windows_of_the_answer() -> None:
    """The current day of each scope and channel with customer data, and every day and month of customers, with their figures."""
    found = {(each.scope, each.channel, each.window, each.start): each for each in customers_answer().windows}
    today = DAY["window_start"]
    assert set(found) == {
        ("all", "voice", "day", today),
        ("all", "chat", "day", today),
        ("sales", "voice", "day", today),
        ("web", "chat", "day", today),
        ("all", None, "customers_day", YESTERDAY["window_start"]),
        ("all", None, "customers_day", today),
        ("all", None, "customers_month", MARCH["window_start"]),
    }
    calls = found["all", "voice", "day", today]
    assert set(calls.figures) == {"csat", "nps", "complaints"}
    assert (calls.figures["csat"].value, calls.figures["csat"].denominator, calls.figures["csat"].coverage) == (4.2, 10, 0.5)
    assert calls.contacts_by_category == {"delivery": 12, "billing": 5}
    assert (calls.complaints_by_category, calls.complaints_without_category) == ({"billing": 1, "delivery": 1}, 1)
    assert (calls.thanks_by_category, calls.thanks_without_category) == ({}, 0)
    chats = found["all", "chat", "day", today]
    assert chats.contacts_by_category == {"delivery": 3}
    # Three of the five thanks are about deliveries; none are about b, and of two no category is named.
    assert (chats.thanks_by_category, chats.thanks_without_category, chats.complaints_without_category) == ({"delivery": 3}, 2, 0)
    assert set(found["sales", "voice", "day", today].figures) == {"csat", "complaints"}
    before = found["all", None, "customers_day", YESTERDAY["window_start"]]
    assert (before.final, set(before.figures)) == (True, {"repeat_contact_rate", "lifetime_value"})
    # None of seven has come back: that is shown too.
    now = found["all", None, "customers_day", today]
    assert (now.final, now.figures["repeat_contact_rate"].value) == (False, 0)


def test_a_figure_without_value_has_a_reason() -> None:
    """No source reports thanks in calls; no survey was sent yet; below five customers their spending is withheld."""
    found = {(each.scope, each.channel, each.window, each.start): each for each in customers_answer().windows}
    calls = found["all", "voice", "day", DAY["window_start"]]
    assert calls.unknown == {
        "csat_top2": "nothing_yet", "survey_response_rate": "nothing_yet", "gratitude_rate": "not_reported",
        "complaints_within_day_rate": "nothing_yet", "self_service_rate": "nothing_yet", "containment_rate": "nothing_yet",
    }  # fmt: skip
    # A queue has no self-service: nothing is missing there.
    assert "self_service_rate" not in found["sales", "voice", "day", DAY["window_start"]].unknown
    now = found["all", None, "customers_day", TODAY["window_start"]]
    assert (now.unknown["lifetime_value"], now.unknown["repeat_customer_rate"]) == ("too_few", "nothing_yet")
    assert "churn_rate" not in now.unknown
    for each in found.values():
        assert not each.unknown.keys() & {kpi for kpi, of in each.figures.items() if of.value is not None}
    # Each of them has words of its own.
    assert {f"unknown.{kpi}" for kpi in (*DAY_KPIS, *CUSTOMER_KPIS)} <= WORDS["en"].keys()


def test_a_restricted_view_has_its_scopes_only() -> None:
    """A view of one queue has that queue."""
    view = View(frozenset({"queue:sales"}), frozenset())
    assert [each.scope for each in customers_answer().windows if shows_window(view, each.model_dump())] == ["sales"]


def test_every_figure_is_one() -> None:
    """The served KPIs are in the catalogue; every KPI that counts customers is served."""
    assert {*DAY_KPIS, *CUSTOMER_KPIS} <= KPI_BY_ID.keys()
    assert {kpi.id for kpi in KPI_BY_ID.values() if kpi.subject == "customers"} <= {*CUSTOMER_KPIS}
    assert "day" not in {window for kpi in CUSTOMER_KPIS for window in KPI_BY_ID[kpi].windows}


CONFIGURATION = Configuration.model_validate({"queues": {"sales": {"channel": "voice"}}})


def complained(number: int, **about: str) -> list[dict[str, Any]]:
    """Return the events of a call of this morning that is a complaint."""
    at = f"2026-04-01T08:50:{number:02}.000Z"
    return [
        contact_event("queued", at, f"c-{number}", queue="sales", channel="voice"),
        contact_event("categorized", at.replace("08:50", "08:51"), f"c-{number}", complaint=True, **about),
    ]


COMPLAINED = [*complained(1, category="delivery"), *complained(2, category="billing"), *complained(3)]
BEHIND = "[...document.querySelectorAll('.view.contacts .behind tbody tr')]"
#: Cells of tables that are a dash without a text beside it.
UNEXPLAINED = "[...document.querySelectorAll('.view.customers td')].map(cell => cell.innerText.trim()).filter(text => text === '–')"


@pytest.mark.browser
def test_on_the_page(tmp_path: Path) -> None:
    """Categories by size, surveys by channel and queue, bots, days and months; the scope is chosen; Japanese, on a phone too."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")

    async def check() -> None:
        made = backend()
        explainer = Explainer(HeldLog(COMPLAINED), lambda: CONFIGURATION, Limits())
        call_backs = CallBacks(contacts_of(HeldLog(COMPLAINED), lambda: CONFIGURATION, made.clock))
        served = made.serving(explainer=explainer, call_backs=call_backs)
        async with client_of(served) as client, Chromium(width=1400, height=1000) as page:
            await page.open(url(client, "?view=customers"))
            await page.until("document.querySelectorAll('.about tbody tr').length === 2")
            # Of both channels: 12 + 3 and 5 of 20.
            assert await page.ask(f"{ROWS}('.about')") == [["delivery", "15", "75.0 %"], ["billing", "5", "25.0 %"]]
            assert await page.ask(f"{TEXTS}('.about .counted')") == ["20 contacts with a category"]
            # Of both channels, with the queues that they are of: those of no category last.
            assert await page.ask(f"{ROWS}('section.complaints')") == [
                ["delivery", "2", "50.0 %", "sales · Voice 1\nweb · Chat 1"],
                ["billing", "1", "25.0 %", "sales · Voice 1"],
                ["No category", "1", "25.0 %", "sales · Voice 1"],
            ]
            assert await page.ask(f"{ROWS}('section.thanks')") == [
                ["delivery", "3", "60.0 %", "web · Chat 3"],
                ["No category", "2", "40.0 %", "web · Chat 2"],
            ]
            assert await page.ask(f"{TEXTS}('.thanks .counted')") == ["5 contacts with thanks · 2 of them without a category"]
            # Each channel by itself, the larger scope first; of 10 answers half of what was sent.
            lines = await page.ask(f"{ROWS}('section.said')")
            assert [[row[n] for n in (0, 1, 3, 5)] for row in lines] == [
                ["Total\nVoice", "4.2\nof 10 · 50 % measured", "-20\nof 10 · 50 % measured", "–\nno source reports it"],
                ["Total\nChat", "3.5\nof 2", "–\nno score yet", "83.3 %\n5 / 6"],
                ["sales\nQueue · Voice", "4.2\nof 10 · 50 % measured", "–\nno score yet", "–\nno text of customers"],
                ["web\nQueue · Chat", "–\nno score yet", "–\nno score yet", "83.3 %\n5 / 6"],
            ]
            # No dash without its reason, in any table.
            assert await page.ask(UNEXPLAINED) == []
            assert await page.ask(f"{ROWS}('.alone')") == [["Total\nChat", "60.0 %\n30 / 50", "–\nno session ended"]]
            back = await page.ask(f"{ROWS}('.back')")
            assert [row[1] for row in back] == ["0.0 %*\n0 / 7", "12.5 %\n5 / 40 · 80 % measured"]
            assert await page.ask(f"{ROWS}('.months')") == [["Mar 2026", "2.0 %\n2 / 100", "–\nno customer at its start"]]
            await page.ask("document.querySelector('.choices select').value = 'queue:sales'")
            await page.ask("document.querySelector('.choices select').dispatchEvent(new Event('change'))")
            await page.until("document.querySelectorAll('.about tbody tr').length === 1")
            assert await page.ask(f"{ROWS}('.about')") == [["billing", "5", "100.0 %"]]
            assert "of=queue%3Asales" in await page.ask("location.search")
            assert page.complaints == []

            # The contacts behind one category of a queue, and all of them.
            await page.photograph(tmp_path / "customers-en.png")
            await page.ask("document.querySelector('section.complaints a').click()")
            await page.until(f"{BEHIND}.length === 1")
            assert (await page.ask(f"{BEHIND}[0].querySelector('th b').innerText")) == "c-2"
            assert await page.ask("document.querySelector('.under').innerText") == "Complaints: only billing\nAll of the figure"
            await page.ask("document.querySelector('.under button').click()")
            await page.until(f"{BEHIND}.length === 3")
            assert await page.ask("document.querySelector('.under').checkVisibility()") is False
            assert page.complaints == []

            files = await (await client.get("/api/v1/export?format=csv&window=day&kpi=csat&kpi=contacts_by_category")).text()
            assert "delivery" in files
            await page.resize(390, 844)
            await page.open(url(client, "?view=customers&lang=ja"))
            await page.until("document.querySelectorAll('.about tbody tr').length === 2")
            text = await page.ask("document.querySelector('main.view').innerText")
            assert re.findall(r"[A-Za-z]{2,}", re.sub(r"UTC|on_call|delivery|billing|sales|web|CSAT|NPS|LTV|CSV|Excel", "", text)) == []
            assert await page.ask(UNEXPLAINED) == []
            await page.photograph(tmp_path / "customers-ja.png")
            assert await page.ask("document.documentElement.scrollWidth <= innerWidth")
            assert await page.ask(OUTSIDE) == []
            assert page.complaints == []

    run(check())
