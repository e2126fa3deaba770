"""How the page is laid out: words are whole, tiles in even rows, walls of other shapes hold their texts, and every view is printed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streams.catalogue import WORDS
from tests.serving.chromium import Chromium, binary
from tests.serving.detail_center import center as morning
from tests.serving.detail_center import day
from tests.serving.detail_center import serving as of_morning
from tests.serving.page_views import BROKEN, CUT, views
from tests.serving.records import Backend, client_of, figure, now_record, people_now, progress, window
from tests.serving.test_dense_wall import backend, pictures, queue, shown, targets
from tests.serving.test_page import url
from tests.serving.test_sizes import center
from tests.serving.test_wall import FAINT
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from streams.catalogue.words import Language

__all__ = ["pictures"]

pytestmark = pytest.mark.browser

#: Twelve columns, as many as there may be, with long words among them.
COLUMNS = (
    "service_level_live,trend,offered,answered,abandoned,abandon_rate,asa,aht,first_contact_resolution,transfer_rate,"
    "escalation_rate,first_response_time"
)
#: How many items of a list are in each of its rows.
ROWS_OF = """(selector => Object.values(Object.groupBy([...document.querySelectorAll(selector)].filter(e => e.checkVisibility()),
  e => Math.round(e.getBoundingClientRect().top))).map(row => row.length))"""
#: Texts beside figures that lie over a figure of their row.
OVERLAID = """[...document.querySelectorAll('.beside > *')].filter(e => e.checkVisibility() && e.innerText.trim()).filter(e => {
  const mine = e.getBoundingClientRect();
  return [...e.closest('tr').querySelectorAll('td > b')].some(b => {
    const range = document.createRange();
    range.selectNodeContents(b);
    const r = range.getBoundingClientRect();
    return r.width && mine.left < r.right - 1 && r.left < mine.right - 1 && mine.top < r.bottom && r.top < mine.bottom;
  });
}).map(e => e.innerText)"""
#: Whether an element is within the window, and nothing of it beyond.
WITHIN = "(e => (r => r.top >= 0 && r.bottom <= innerHeight)(e.getBoundingClientRect()))"


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for two minutes at most."""
    asyncio.run(asyncio.wait_for(check, 120))


def test_words_stay_whole_and_tiles_in_even_rows() -> None:
    """With twelve columns at widths of laptops no word is broken, in Japanese neither; no tile is alone in the last of several rows."""

    async def check() -> None:
        async with client_of(center(7)) as client, Chromium(width=1440, height=900) as page:
            for language in ("en", "ja"):
                await page.open(url(client, f"?lang={language}&columns={COLUMNS}"))
                await page.until("document.querySelectorAll('#queues tbody tr').length === 7 && !document.body.matches('.stale')")
                for width in (1920, 1440, 1024):
                    await page.resize(width, 900)
                    assert await page.ask(BROKEN) == [], (language, width)
                    assert await page.ask("document.documentElement.scrollWidth") <= width
                    rows = await page.ask(f"{ROWS_OF}('#summary li')")
                    assert sum(rows) == 5
                    assert max(rows) - min(rows) <= 1, (width, rows)
            await page.open(url(client, f"?view=queue&of={queue(0)}"))
            await page.until("document.querySelectorAll('.today li').length === 6")
            for width, tiles in ((1920, [6]), (1440, [6]), (1024, [3, 3]), (390, [2, 2, 2])):
                await page.resize(width, 900)
                assert await page.ask(f"{ROWS_OF}('.today li')") == tiles, width
            # It would be found.
            await page.ask("document.querySelector('h3').style.cssText = 'width: 2em; overflow-wrap: anywhere'")
            assert await page.ask(BROKEN) != []

    run(check())


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 1024)])
def test_walls_of_other_shapes(width: int, height: int, pictures: Path) -> None:
    """On 16:10 and 5:4 the alert is whole, a second definition is beside its figure and over none, and nothing is cut."""
    beside = {"strict@1": {"service_level_live": figure(0.759, 759, 1000, 1)}}

    async def check() -> None:
        held = backend(20, alerts=3)
        for n in range(20):
            level = figure((100 - n) / 100, 100 - n, 100, 1)
            kpis = {"service_level_live": level, "service_level": level, "asa": figure(18, 18, 1), "aht": figure(300 + n, 300 + n, 1)}
            key, value = window(f"queue:{queue(n)}", ("voice", "voice", "chat", "mail")[n % 4], kpis=kpis, by_definition=beside, revision=2)
            assert held.store.feed(key, value)
        async with client_of(held.serving(targets=targets(20))) as client, Chromium(width=width, height=height) as page:
            for language in ("en", "ja"):
                await page.open(url(client, f"?view=wall&rotate=0&lang={language}"))
                await shown(page, 20, language)
                await page.photograph(pictures / f"wall-shape-{language}-{width}.png")
                assert await page.ask("document.querySelectorAll('.beside').length") == 20
                assert await page.ask(OVERLAID) == []
                assert await page.ask(CUT) == []
                whole = "[...document.querySelectorAll('#alerts li')].map(e => e.scrollWidth - e.clientWidth)"
                assert max(await page.ask(whole)) <= 1
                assert await page.ask("document.querySelector('#alerts .figure').getBoundingClientRect().right") <= width
            await page.ask("document.querySelector('.beside').style.cssText = 'left: auto; right: 0; width: auto'")
            assert await page.ask(OVERLAID) != []

    run(check())


def test_details_are_shown_where_they_were_opened(tmp_path: Path) -> None:
    """On a laptop the values of a column are in the window at once; a cell of the week opens its hour, headings arrange its days."""
    panel = "document.querySelector('.opened')"
    days = "[...document.querySelectorAll('table.week tbody th')].map(e => e.innerText)"

    async def check() -> None:
        async with client_of(of_morning(morning(), tmp_path)) as client, Chromium(width=1366, height=768) as page:
            await page.open(url(client, "?view=queue&of=sales"))
            await page.until("document.querySelector('.course canvas') && document.querySelector('table.week td.opens')")
            await page.ask("document.querySelector('.course').focus()")
            await page.press("End")
            await page.until(f"!{panel}.hidden && {WITHIN}({panel}.querySelector('.said')) && {WITHIN}({panel}.querySelector('table'))")

            # Of the two days that are held, the title says two; what is to come, gone and without a contact differ.
            assert await page.ask("document.querySelector('.week h3').innerText") == "The last 2 days by hour"
            cells = "[...document.querySelectorAll('table.week tbody tr')].map(row => [...row.cells].slice(1).map(e => e.innerText))"
            today, yesterday = await page.ask(cells)
            assert (today[14:19], yesterday[14:18]) == (["–", "90\n80", "90\n80", "▼ 73\n90", ""], ["·", "·", "·", "▼ 80\n40"])
            assert await page.ask(days) == ["Wed 1 Apr", "Tue 31 Mar"]
            for key, wanted in (
                ("by day", ["Tue 31 Mar", "Wed 1 Apr"]),
                ("by 17", ["Wed 1 Apr", "Tue 31 Mar"]),
                ("by 17", ["Tue 31 Mar", "Wed 1 Apr"]),
            ):
                await page.ask(f"document.querySelector('[data-focus=\"{key}\"]').focus()")
                await page.press("Enter")
                await page.until(f"JSON.stringify({days}) === JSON.stringify({wanted})")
                assert await page.ask("document.activeElement.dataset.focus") == key
            assert (
                await page.ask("document.querySelector('[data-focus=\"by 17\"]').closest('th').getAttribute('aria-sort')") == "descending"
            )

            # By arrow keys and Enter; by click.
            await page.ask("document.querySelector('table.week td[title*=\"Tue 31 Mar, 08:00\"]').focus()")
            await page.press("Enter")
            await page.until(f"{panel}.innerText.startsWith('08:00 to 08:15') && {WITHIN}({panel}.querySelector('.said'))")
            assert await page.ask("new URLSearchParams(location.search).get('day')") == "1"
            await page.ask("document.querySelector('table.week td[title*=\"Wed 1 Apr, 07:00\"]').click()")
            await page.until(f"{panel}.innerText.startsWith('07:00 to 07:15')")
            assert await page.ask("new URLSearchParams(location.search).get('at')") == "2026-04-01T07:00:00.000Z"
            assert page.complaints == []

    run(check())


def test_a_cell_of_the_map_opens_its_queue() -> None:
    """By key and click; what its two figures are called arranges the cells."""
    names = "[...document.querySelectorAll('#map li:not(.total) > b:first-child')].map(e => e.title)"

    async def check() -> None:
        async with client_of(backend(20).serving(targets=targets(20))) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client, "?view=map"))
            await page.until("document.querySelectorAll('#map li:not(.total)').length === 20")
            # Of calls: those with the lowest level last arrived here; the longest wait is that of the first, who wait since 08:00.
            assert (await page.ask(names))[0] == queue(17)
            await page.ask("document.querySelectorAll('#map .legend button')[1].focus()")
            await page.press("Enter")
            await page.until(f"{names}[0] === '{queue(1)}'")
            assert await page.ask("document.querySelectorAll('#map .legend button')[1].getAttribute('aria-pressed')") == "true"
            await page.ask("document.querySelector('#map li:not(.total) .opens').focus()")
            await page.press("Enter")
            await page.until("document.querySelector('.view.queue select.of')")
            assert await page.ask("new URLSearchParams(location.search).get('of')") == queue(1)

    run(check())


#: What differs most: the tables and turns of the page itself, charts, and tiles; all views are printed in the night.
FEW = ("overview", "wall", "queue", "board")


@pytest.mark.parametrize(("language", "only"), [("ja", FEW), pytest.param("en", (), marks=pytest.mark.nightly)])
def test_every_view_on_paper(language: Language, only: tuple[str, ...], pictures: Path) -> None:
    """Black on white although the screen is dark, no navigation; all 60 rows of tables and walls, headings, what it is, as of when."""
    rows = "[...document.querySelectorAll('#queues tbody tr')].filter(e => e.checkVisibility() && e.getBoundingClientRect().height).length"
    pressed = "nav, #menu, #pages, #leave-wall, #alerts, #burning, .files, .pin, .name .more"
    seen = f"[...document.querySelectorAll('{pressed}')].filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 80))"
    title_content = "(e => e.checkVisibility() && getComputedStyle(e, '::after').content)(document.querySelector('h1'))"
    dated = "(e => e.checkVisibility() && getComputedStyle(e, '::before').content)(document.getElementById('as-of'))"

    async def check() -> None:
        async with client_of(center(60)) as client, Chromium(width=1032, height=700) as page:
            async for name, _ in views(page, client, f"lang={language}&theme=dark&rotate=0&board=floor", rows=60, only=only):
                await page.media("print")
                await page.photograph(pictures / f"paper-{name}-{language}.png")
                assert await page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
                if name != "map":  # its colors are mixed, which that cannot read
                    assert await page.ask(FAINT) == [], name
                assert await page.ask(seen) == [], name
                assert await page.ask("document.documentElement.scrollWidth") <= 1032, name
                assert {"en": "1 Apr 2026", "ja": "2026年4月1日"}[language] in await page.ask(dated), name
                title = WORDS[language][f"view.{name}"]
                title = title[0].upper() + title[1:]
                if name in {"overview", "wall", "map"}:
                    assert title in await page.ask(title_content)
                elif name != "board":
                    assert await page.ask("document.querySelector('main.view > h2').innerText") == title
                if name in {"overview", "wall"}:
                    assert await page.ask(rows) == 60, name
                    assert await page.ask("document.querySelector('#queues thead').checkVisibility()")
                if name == "map":
                    assert await page.ask("document.querySelectorAll('#map li:not(.total)').length") == 60
                await page.media("")

    run(check())


def test_terms_by_channel_and_contacts_of_no_queue() -> None:
    """呼 is a call: of chats it is 件. Written contacts of no queue are called so in every list of queues."""

    async def check() -> None:
        records = [progress(), day("sales", 90, 100), day("talk", 90, 100, "chat"), now_record("queue:sales", waiting=0)]
        records += [now_record("queue:(unassigned)", "mail", backlog_untouched=3), day("(unassigned)", 9, 20, "mail")]
        async with client_of(Backend.fed(records).serving()) as client, Chromium() as page:
            for name, term in (("sales", "放棄呼数"), ("talk", "放棄件数")):
                await page.open(url(client, f"?lang=ja&view=queue&of={name}"))
                await page.until("document.querySelectorAll('.today li').length === 6")
                text = await page.ask("document.querySelector('main.view').innerText")
                assert {each: each in text for each in ("放棄呼数", "放棄件数")} == {
                    each: each == term for each in ("放棄呼数", "放棄件数")
                }
            names = "[...document.querySelectorAll('main.view select')].flatMap(e => [...e.options].map(o => o.text))"
            assert "キュー未割当" in await page.ask(names)
            for view in ("queue&of=(unassigned)", "contacts", "goals"):
                await page.open(url(client, f"?lang=ja&view={view}"))
                await page.until("document.querySelector('main.view:not([aria-busy])')?.innerText.includes('キュー未割当')")
                assert "unassigned" not in await page.ask("document.body.innerText"), view

    run(check())


def test_free_agents_are_grey_while_their_source_is_silent() -> None:
    """As all else that may have passed; while another source is silent it is not."""
    free = """(e => [e.matches('.silent'), e.querySelector('b').innerText, e.querySelector('.silent-mark').innerText])(
      document.querySelector('#summary .free'))"""

    async def check() -> None:
        records = [now_record("queue:sales", waiting=1), now_record("total:all", waiting=1), people_now("team:north", {"idle": 2})]
        records += [people_now("total:all", {"idle": 2})]
        quiet: dict[str, Any] = {"sources": {"pbx": "2026-04-01T09:00:00Z", "wfm": "2026-04-01T08:00:00Z"}, "stale_sources": ["wfm"]}
        held = Backend.fed([progress(**quiet), *records])
        fed_by = {"queue:sales": ["pbx"], "team:north": ["wfm"]}
        async with client_of(held.serving(fed_by=fed_by)) as client, Chromium() as page:
            await page.open(url(client))
            await page.until("document.querySelectorAll('#queues tbody tr').length === 1")
            assert await page.ask(free) == [True, "2", "wfm silent since 08:00:00"]
            await page.open(url(client, "?view=outlook"))
            await page.until("document.querySelector('.view.outlook .silent-mark')?.innerText === 'wfm silent since 08:00:00'")
            other: dict[str, Any] = {"sources": {"wfm": "2026-04-01T09:00:00Z", "pbx": "2026-04-01T08:00:00Z"}, "stale_sources": ["pbx"]}
            assert held.store.feed(*progress(revision=2, **other))
            await page.open(url(client))
            await page.until("document.querySelector('#queues tr.silent')")
            assert await page.ask(free) == [False, "2", ""]

    run(check())
