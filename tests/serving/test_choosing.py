"""What one chooses on the page, in a real browser: columns, order, site, department, search; by key, and kept in the address."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from streams.catalogue import KPI_BY_ID, WORDS
from streams.configuration import Configuration
from streams.configuration.access_places import places_by_scope
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, alert, client_of, figure, now_record, people_now, progress, window
from tests.serving.test_page import run, url
from tests.support.require import require

if TYPE_CHECKING:
    from streams.catalogue.words import Language
    from streams.serving.api import Serving

pytestmark = pytest.mark.browser

SHOWN = "[...document.querySelectorAll('#queues tbody tr')].filter(e => e.getClientRects().length)"
NAMES = f"{SHOWN}.map(e => e.querySelector('.name b').innerText)"
HEADS = "[...document.querySelectorAll('#queues thead th')].map(e => e.className)"
ANSWERED = {"sakura": 30, "momiji": None, "ajisai": 10, "tsubaki": 20}
PLACED = Configuration.model_validate(
    {
        "sites": {name: {"zone": "Asia/Tokyo"} for name in ("kanto", "kansai")},
        "queues": {
            name: {"site": site, "department": department, "channel": "voice"}
            for name, site, department in (
                ("sakura", "kanto", "ume"),
                ("momiji", "kanto", "matsu"),
                ("ajisai", "kansai", "matsu"),
                ("tsubaki", "kansai", "matsu"),
            )
        },
        "teams": {"tora": {"site": "kanto"}, "kuma": {"site": "kansai"}},
    }
)


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def placed() -> Serving:
    """Return a center of four queues at two sites, in two departments, and of one that is nowhere; each with a figure of its own."""
    records = [progress(), people_now("team:tora", {"idle": 1}), people_now("team:kuma", {"idle": 2})]
    for number, name in enumerate([*ANSWERED, "yurei"], start=1):
        kpis = {"answered": figure(ANSWERED.get(name), ANSWERED.get(name))}
        records += [window(f"queue:{name}", kpis=kpis), now_record(f"queue:{name}", waiting=number)]
    serving = Backend.fed(records).serving()
    serving.figures.places = places_by_scope(PLACED)
    return serving


def test_columns_order_and_places_are_in_the_address() -> None:
    """Each choice leads to an address that shows the same when it is reopened; unknown values come last either way."""

    async def check() -> None:
        async with client_of(placed()) as client, Chromium(width=1280, height=900) as page:
            await page.open(url(client, "?order=answered&columns=answered,waiting,no_such_kpi"))
            await page.until(f"{NAMES}.length === 5")
            assert await page.ask(HEADS) == ["name", "answered", "waiting"]
            assert await page.ask(NAMES) == ["sakura", "tsubaki", "ajisai", "momiji", "yurei"]
            await page.open(url(client, "?order=-answered"))
            await page.until(f"{NAMES}.length === 5")
            assert await page.ask(NAMES) == ["ajisai", "tsubaki", "sakura", "momiji", "yurei"]

            choose = """(name, value) => {
                const list = document.querySelector(`.choice.${name} select`);
                list.value = value;
                list.dispatchEvent(new Event('change'));
            }"""
            await page.ask(f"({choose})('site', 'kansai')")
            await page.until(f"{NAMES}.length === 2")
            # What these two make together, 3 and 4 that wait; and the team of the site.
            assert await page.ask("document.querySelector('#queues tfoot .waiting b').innerText") == "7"
            assert await page.ask("[...document.querySelectorAll('#teams tbody .name b')].map(e => e.innerText)") == ["kuma"]
            assert await page.ask("document.querySelector('#summary .free b').innerText") == "2"
            await page.ask(f"({choose})('department', 'ume')")
            await page.until("document.getElementById('no-queues').getClientRects().length")
            assert await page.ask("document.getElementById('no-queues').innerText") == WORDS["en"]["no_queues_chosen"]
            await page.ask(f"({choose})('site', '')")
            await page.until(f"{NAMES}.length === 1")
            assert await page.ask("location.search") == "?order=-answered&lang=en&window=15&department=ume"
            await page.open(await page.ask("location.href"))
            await page.until(f"{NAMES}.length === 1 && document.querySelector('.choice.department select').value === 'ume'")
            assert await page.ask(NAMES) == ["sakura"]
            assert page.complaints == []

    run(check())


def test_by_key_alone() -> None:
    """/ searches; columns are added, moved and removed in a dialog that Escape closes; the focus stays where one works."""

    async def check() -> None:
        async with client_of(placed()) as client, Chromium(width=1280, height=900) as page:
            await page.open(url(client))
            await page.until(f"{NAMES}.length === 5")
            await page.press("/")
            for character in "AJI":
                await page.press(character)
            await page.until(f"{NAMES}.length === 1 && location.search.includes('search=AJI')")
            assert await page.ask(NAMES) == ["ajisai"]

            await page.ask("document.querySelector('button.columns').focus()")
            await page.press("Enter")
            await page.until("document.querySelector('dialog.chooser[open]')")
            # The last of seven goes up twice.
            await page.ask("document.querySelector('.chooser ol li:last-child .up').focus()")
            await page.press("Enter")
            await page.press("Enter")
            expected = ["service_level_live", "trend", "waiting", "longest_wait", "abandon_rate", "asa", "aht"]
            await page.until(f"{HEADS}.join() === 'name,{','.join(expected)}'")
            label = "document.activeElement.getAttribute('aria-label')"
            assert await page.ask(label) == "Move Abandonment rate up"
            await page.ask("document.querySelector('.chooser ol li:first-child .remove').focus()")
            await page.press("Enter")
            # One is found among all by its name, and added at the end.
            await page.ask("document.querySelector('.chooser input').focus()")
            for character in "contacts answered":
                await page.press(character)
            await page.until("document.querySelectorAll('.chooser .add').length === 1")
            await page.press("Tab")
            await page.press("Enter")
            await page.until(f"{HEADS}.join() === 'name,{','.join([*expected[1:], 'answered'])}'")
            assert await page.ask(label) == "Move Contacts answered up"
            assert await page.ask("document.querySelector('#queues tbody .answered b').innerText") == "10"
            await page.press("Escape")
            await page.until("!document.querySelector('dialog[open]')")
            assert await page.ask("document.activeElement.className") == "choice columns"
            query = await page.ask("location.search")
            await page.open(url(client, query))
            await page.until(f"{HEADS}.join() === 'name,{','.join([*expected[1:], 'answered'])}' && {NAMES}.length === 1")
            assert page.complaints == []

    run(check())


def test_a_heading_arranges() -> None:
    """By a click and by key: the most urgent first, then the reverse; the address and the list of orders agree."""
    order = "document.querySelector('.choice.order select').value"

    async def check() -> None:
        async with client_of(placed()) as client, Chromium(width=1280, height=900) as page:
            await page.open(url(client, "?columns=waiting,answered,answer_rate"))
            await page.until(f"{NAMES}.length === 5")
            sorts = "[...document.querySelectorAll('#queues thead th')].map(e => e.ariaSort)"
            assert await page.ask(sorts) == ["ascending", None, None, None]
            for kpi, orders in (("waiting", ["waiting", "-waiting"]), ("answer_rate", ["-answer_rate", "answer_rate"]), ("name", ["name"])):
                await page.ask(f"document.querySelector('#queues thead .{kpi} button').focus()")
                for expected in orders:
                    await page.press("Enter")
                    await page.until(f"new URLSearchParams(location.search).get('order') === {expected!r} && {order} === {expected!r}")
                    assert await page.ask(f"document.activeElement.parentElement.className === {kpi!r}")
            await page.open(url(client, "?order=-waiting"))
            await page.until(f"{NAMES}.length === 5")
            assert await page.ask(NAMES) == ["sakura", "momiji", "ajisai", "tsubaki", "yurei"]
            assert await page.ask("document.querySelector('#queues thead .waiting').ariaSort") == "ascending"
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_figures_are_explained_without_a_mouse(language: Language) -> None:
    """Tab comes to a cell, arrows to the others; each explains itself, as it does on a tap; Escape and moving on hide it."""
    explanation = "document.querySelector('#explanation:popover-open')?.innerText ?? ''"
    meanings = {name: getattr(KPI_BY_ID[name], f"meaning_{language}") for name in ("waiting", "longest_wait")}

    async def check() -> None:
        async with client_of(placed()) as client, Chromium(width=1280, height=900) as page:
            await page.open(url(client, f"?lang={language}&columns=waiting,longest_wait"))
            await page.until(f"{NAMES}.length === 5")
            await page.until("document.querySelector('#queues td[tabindex=\"0\"]')")
            assert await page.ask("document.querySelectorAll('#queues :is(td, tbody th)[tabindex=\"0\"]').length") == 1
            # From the last thing before the table, over its headings.
            await page.ask("document.querySelector('#summary li:last-child').focus()")
            for _ in range(6):
                await page.press("Tab")
                if await page.ask("document.activeElement.tagName") == "TD":
                    break
            await page.until(f"{explanation}.includes({meanings['waiting']!r})")
            assert await page.ask("document.activeElement.getAttribute('aria-describedby')") == "explanation"
            await page.press("ArrowRight")
            await page.until(f"{explanation}.includes({meanings['longest_wait']!r})")
            await page.press("ArrowDown")
            await page.until("document.activeElement.parentElement.rowIndex === 2")
            assert await page.ask("document.querySelectorAll('#queues :is(td, tbody th)[tabindex=\"0\"]').length") == 1
            await page.press("Escape")
            await page.until(f"{explanation} === ''")
            await page.tap("#summary li:last-child .part")
            await page.until(f"{explanation}.length > 10")

    run(check())


def test_a_telephone_shows_the_alerts_and_the_worst_queues_first() -> None:
    """On the first screen: how many alerts and the worst, and the worst queues; the rest of 60 a button away, no endless page."""

    async def check() -> None:
        records = [progress()]
        for n in range(60):
            level = figure((60 - n) / 100, 60 - n, 100, 1)
            records += [window(f"queue:Q{n:02}", kpis={"service_level_live": level}), now_record(f"queue:Q{n:02}", waiting=n)]
        fired = [alert(f"queue:Q{n:02}", alert_id=f"a{n}", since=f"2026-04-01T08:{n:02}:00Z") for n in range(40, 60)]
        backend = Backend.fed(records).with_alerts(*fired)
        async with (
            client_of(backend.serving(targets={f"Q{n:02}": 0.8 for n in range(60)})) as client,
            Chromium(width=390, height=844) as page,
        ):
            for language, label in (("en", "20 alerts"), ("ja", "アラート20件")):
                await page.open(url(client, f"?lang={language}"))
                await page.until(f"{NAMES}.length === 10 && document.querySelector('#burning b').innerText === {label!r}")
                # Of equal severity the oldest is the worst; of queues the one that is furthest from its target.
                assert (await page.ask("document.querySelector('#burning span').innerText")).startswith("Q40 · ")
                assert await page.ask(NAMES) == [f"Q{n}" for n in range(59, 49, -1)]
                ends = f"{SHOWN}.map(e => e.getBoundingClientRect().bottom)"
                assert sum(bottom <= 844 for bottom in await page.ask(ends)) >= 6
                assert await page.ask("document.documentElement.scrollHeight") < 2000
                cells = "[...document.querySelectorAll('#queues tbody tr:first-child td')].filter(e => e.getClientRects().length)"
                figures = f"{cells}.map(e => e.className.split(' ')[0])"
                assert await page.ask(figures) == ["service_level_live", "waiting", "longest_wait"]
                await page.ask("document.querySelector('#queues tbody tr:first-child .more').click()")
                await page.until(f"{figures}.length === 7")
                await page.ask("document.querySelector('#queues + .whole').click()")
                await page.until(f"{NAMES}.length === 60")
                await page.ask("document.getElementById('burning').click()")
                await page.until("document.querySelectorAll('dialog[open] li').length === 20")
                await page.press("Escape")
                # Views and choices are behind a button.
                assert await page.ask("document.getElementById('views').getClientRects().length") == 0
                await page.ask("document.getElementById('menu').click()")
                for place in ("#views a", ".choice.search"):
                    await page.until(f"document.querySelector({place!r}).getClientRects().length")
                assert page.complaints == []

    run(check())


def test_a_site_is_returned_only_to_those_who_see_it() -> None:
    """As configured; the matrix of roles and endpoints tests which view gets what."""

    async def check() -> None:
        async with client_of(placed()) as client:
            places = (await (await client.get("/api/v1/figures")).json())["places"]
            assert places == {
                "queue:sakura": {"site": "kanto", "department": "ume"},
                "queue:momiji": {"site": "kanto", "department": "matsu"},
                "queue:ajisai": {"site": "kansai", "department": "matsu"},
                "queue:tsubaki": {"site": "kansai", "department": "matsu"},
                "team:tora": {"site": "kanto", "department": None},
                "team:kuma": {"site": "kansai", "department": None},
            }

    asyncio.run(check())
