"""The page in a real browser: what it shows, in both languages and sizes, and its warnings when figures cannot be trusted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port

from streams.catalogue import KPI_BY_ID
from streams.configuration.hours import Hours
from streams.serving.api import create_app
from streams.windows.hours import OpeningHours
from tests.serving.chromium import Chromium, binary
from tests.serving.records import (
    EVERYTHING,
    Backend,
    Clock,
    client_of,
    figure,
    heartbeat,
    live_workers,
    now_record,
    progress,
    small_center,
    window,
)
from tests.serving.test_api import half_restored
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from aiohttp.typedefs import Handler

pytestmark = pytest.mark.browser

#: The cells of a row by KPI, and its heads; undefined until the row is there.
ROW = """(name => {
  const row = [...document.querySelectorAll('tbody tr')].find(row => row.querySelector('.name b').innerText.startsWith(name));
  return row && Object.fromEntries([...row.cells].filter(cell => cell.dataset.kpi !== 'trend').map(
    cell => [cell.dataset.kpi ?? 'name', [...cell.querySelectorAll('b, small, .silent-mark')].map(e => e.innerText).filter(Boolean)]));
})"""
MARK = "document.getElementById('mark').innerText"
#: Which source feeds whom in the small center; the mail source is silent there.
FED_BY = {"queue:sales": ["pbx"], "queue:claims": ["mail"], "team:north": ["pbx"]}
STALE = "document.body.classList.contains('stale')"

#: What runs out of its own box; the headings of a narrow page are for screen readers alone.
OUTSIDE = """[...document.querySelectorAll('td, th, header *, #summary *')]
  .filter(e => e.offsetParent && (innerWidth > 760 || !e.closest('thead')))
  .filter(e => getComputedStyle(e).display !== 'inline' && e.scrollWidth > e.clientWidth + 1)
  .map(e => e.outerHTML)"""


ENGLISH = "Service level, live, by the definition strict@4: 31 / 52. The large figure, its color and alerts go by standard@2."
JAPANESE = "定義「strict@4」によるリアルタイムのサービスレベル：31 / 52。大きな値とその色、アラートは「standard@2」による。"


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


def url(client: TestClient[web.Request, web.Application], query: str = "") -> str:
    """Return the address of the page."""
    return str(client.make_url(f"/{query}"))


def test_figures_are_shown_and_null_is_a_dash() -> None:
    """Each queue and channel has its figures with their parts; what is unknown is a dash, and a zero that is known is 0."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving(targets={"sales": 0.8}, fed_by=FED_BY)) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{ROW}('sales') && {ROW}('north')")

            assert await page.ask(f"{ROW}('sales')") == {
                "name": ["sales", "Voice"],
                # Of those decided, 37 of 50; two who wait past the threshold already count as missed.
                "service_level_live": ["71.2 %", "37 / 52 · target 80 % in 20 s · decided 74.0 %"],
                "waiting": ["2"],
                "longest_wait": ["1:12"],
                "asa": ["0:18"],
                "aht": ["3:53", "91 % measured"],
                "abandon_rate": ["10.0 %", "5 / 50"],
            }
            claims = await page.ask(f"{ROW}('claims')")
            assert claims["name"] == ["claims", "Mail", "mail silent since 08:00:00"]
            assert claims["waiting"] == ["0"]
            unknown = ("service_level_live", "longest_wait", "asa", "aht", "abandon_rate")
            assert {kpi: claims[kpi][0] for kpi in unknown} == dict.fromkeys(unknown, "–")
            # 0 untouched + 4 in progress + 7 waiting on the customer + 1 on hold; the oldest is of two days ago; two replies are overdue
            backlog = await page.ask("[...document.querySelectorAll('#backlogs tbody td b')].map(b => b.innerText)")
            assert backlog == ["12", "0", "4", "7", "1", "2 d 0 h", "2"]
            north = await page.ask(f"{ROW}('north')")
            assert north["occupancy"] == ["81.3 %", "95 % measured"]
            assert [north[state] for state in ("handling", "wrap_up", "idle", "available", "unavailable")] == [
                ["6"],
                ["1"],
                ["2"],
                ["0"],
                ["1"],
            ]
            assert await page.ask("[...document.querySelectorAll('#summary b')].map(b => b.innerText)") == ["1 / 1", "2", "1:12", "6", "2"]
            assert "mail" in await page.ask("document.getElementById('silent').innerText")
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(
    ("query", "partly", "wholly"),
    [
        ("", "partly stalled – events are not counted", "stalled – no worker counts"),
        ("?lang=ja", "一部停止中 – 集計されていないイベントあり", "停止中 – 集計プロセスの応答なし"),
    ],
    ids=["English", "Japanese"],
)
def test_the_page_states_what_no_worker_counts(query: str, partly: str, wholly: str) -> None:
    """While no worker counts a part of the events, or any, the page is gray with a warning, without any record."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        clock = Clock()
        backend.workers = live_workers(clock, {})
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client, query))
            await page.until(f"{ROW}('sales') && !{STALE}")
            clock.seconds += 2.1
            backend.workers.feed(heartbeat({"contact-events.v1": range(1, 8), "agent-events.v1": range(8), "queue-panes.v1": range(4)}))
            await page.until(f"{MARK} === '{partly}' && {STALE}")
            clock.seconds += 2.1
            await page.until(f"{MARK} === '{wholly}' && {STALE}")
            backend.workers.feed(heartbeat(EVERYTHING))
            await page.until(f"!{STALE}")
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(
    ("query", "row", "banner"),
    [
        ("", "recovering, as of 08:59:35", "Some figures have been stalled since 08:59:35 UTC (queue:claims"),
        ("?lang=ja", "復旧中：08:59:35時点", "08:59:35 UTCから一部の数値が更新されていません（queue:claims"),
    ],
    ids=["English", "Japanese"],
)
def test_queues_not_yet_restored_are_marked(query: str, row: str, banner: str) -> None:
    """A queue that is stalled while others advance is gray with the time; once it advances again the mark is gone."""

    async def check() -> None:
        backend = half_restored()
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client, query))
            await page.until(f"{ROW}('sales') && {ROW}('claims')")
            assert (await page.ask(f"{ROW}('claims')"))["name"][-1] == row
            assert row not in (await page.ask(f"{ROW}('sales')"))["name"]
            await page.until(f"document.getElementById('silent').innerText.includes({banner!r})")
            key, value = progress(1, revision=2)
            backend.store.feed(key, value, 1)
            await page.until("document.getElementById('silent').hidden")
            assert row not in (await page.ask(f"{ROW}('claims')"))["name"]
            assert page.complaints == []

    run(check())


def test_only_the_server_is_asked() -> None:
    """The page loads nothing from anywhere else, and its content policy has nothing to refuse."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{ROW}('sales')")

            assert len(page.requested) >= 4
            assert [address for address in page.requested if not address.startswith(url(client))] == []
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(
    ("level", "target", "verdict"),
    [
        (figure(0.79996, 79996, 100000), 0.8, "missed"),
        (figure(0.8, 8, 10), 0.8, "met"),
        (figure(0.25, 1, 4), 0.8, ""),
        (figure(0.25, 25, 100), None, ""),
        (figure(None, 0, 0), 0.8, ""),
    ],
    ids=["just below", "reached", "too few to judge", "no target", "unknown"],
)
def test_a_verdict_has_color_and_shape(level: dict[str, Any], target: float | None, verdict: str) -> None:
    """A service level is judged by its unrounded value, only with enough contacts, and not by color alone."""

    async def check() -> None:
        backend = Backend.fed([progress(), window("queue:sales", kpis={"service_level_live": level})])
        targets = {} if target is None else {"sales": target}
        async with client_of(backend.serving(targets=targets)) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{ROW}('sales')")
            classes = await page.ask("[...document.querySelector('[data-kpi=service_level_live]').classList]")
            shape = await page.ask("getComputedStyle(document.querySelector('[data-kpi=service_level_live] .shape'), '::before').content")
            label = await page.ask("document.querySelector('[data-kpi=service_level_live] .shape').getAttribute('aria-label')")

            assert [name for name in classes if name in {"met", "missed"}] == ([verdict] if verdict else [])
            assert shape == {"met": '"✓"', "missed": '"▼"', "": "none"}[verdict]
            assert label == {"met": "target met", "missed": "target missed", "": ""}[verdict]
            if verdict == "missed":
                assert (await page.ask(f"{ROW}('sales')"))["service_level_live"][0] == "79.9 %"

    run(check())


def test_the_longest_wait_ticks_with_as_of_alone() -> None:
    """The wait advances with as-of alone, not with the clock."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{ROW}('sales')")
            await asyncio.sleep(1.5)
            assert (await page.ask(f"{ROW}('sales')"))["longest_wait"] == ["1:12"]

            backend.store.feed(*progress(revision=2, as_of="2026-04-01T09:00:05Z"))
            await page.until(f"{ROW}('sales').longest_wait[0] === '1:17'")

    run(check())


def test_figures_that_catch_up_are_marked() -> None:
    """An hour behind and gaining two minutes a step, figures are not marked as old; stalled they are, and at last live."""

    async def check() -> None:
        backend = Backend.fed([progress(as_of="2026-04-01T08:00:00Z"), window("queue:sales", as_of="2026-04-01T08:00:00Z")])
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{MARK}.includes(' old')")
            for look in range(1, 11):
                backend.store.feed(*progress(revision=1 + look, as_of=f"2026-04-01T08:{2 * look:02}:00Z"))
                await asyncio.sleep(0.3)
            await page.until(f"{MARK}.includes('catching up, ')", seconds=3)
            assert await page.ask(STALE)
            await page.until(f"{MARK}.includes(' old')", seconds=12)
            backend.store.feed(*progress(revision=20))
            await page.until(f"{MARK} === 'live' && !{STALE}")

    run(check())


def test_the_age_of_the_oldest_backlog_stops_while_it_is_closed() -> None:
    """On the business clock it ages by open time, on the page as in the API, over a break and past it, though its record stays as it is."""
    hours = OpeningHours(ZoneInfo("UTC"), [Hours.model_validate({"business_hours": {"mon-sun": ["08:00-09:00", "09:30-12:00"]}})])
    # Since 08:30, by hand: open until 09:00, and from 09:30.
    moments = {"08:59:58": "29:58", "09:00:07": "30:00", "09:29:59": "30:00", "09:30:05": "30:05", "09:31:05": "31:05"}
    record = now_record(
        "queue:claims", "mail", backlog_untouched=1, backlog_oldest_since="2026-04-01T08:30:00Z", as_of="2026-04-01T08:59:57Z"
    )
    of = "document.querySelector('#backlogs [data-kpi=backlog_oldest] b')?.innerText"

    async def check() -> None:
        backend = Backend.fed([progress(as_of="2026-04-01T08:59:57Z"), record])
        backend.store.business = {"claims": hours}
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{of} === '29:57'")
            for revision, (time, age) in enumerate(moments.items(), start=2):
                as_of = f"2026-04-01T{time}Z"
                backend.store.feed(*progress(revision=revision, as_of=as_of))
                await page.until(f"document.getElementById('as-of').dateTime.startsWith('{as_of[:-1]}')")
                answer = await (await client.get("/api/v1/figures")).json()
                queue_now = next(each for each in answer["records"].values() if each["kind"] == "now")
                minutes, seconds = age.split(":")
                assert (await page.ask(of), queue_now["backlog_oldest_seconds"]) == (age, 60 * int(minutes) + int(seconds))

    run(check())


def test_figures_grow_stale_without_news() -> None:
    """Figures that were 9 s old turn stale a good second later, though nothing came; fresh ones turn them live again."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        backend.clock.seconds += 8
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{MARK} === 'live' && !{STALE}")
            await page.until(f"{STALE} && {MARK}.endsWith('s old')", seconds=5)

            backend.store.feed(*progress(revision=2, as_of="2026-04-01T09:00:09Z"))
            await page.until(f"{MARK} === 'live' && !{STALE}")

            backend.connected = False
            await page.until(f"{STALE} && {MARK} === 'Kafka cannot be read'")

    run(check())


def test_figures_of_a_time_to_come_are_stale() -> None:
    """Figures as of 270 s from now are not live: a clock is wrong, and the page shows by how much."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{MARK} === 'live' && !{STALE}")
            backend.store.feed(*progress(revision=2, as_of="2026-04-01T09:04:31Z"))
            await page.until(f"{STALE} && {MARK}.endsWith('ahead: a clock is wrong')")

    run(check())


def test_the_page_waits_for_figures() -> None:
    """Before the topic is read the page shows that, and neither zeros nor a live mark; then it shows figures by itself."""

    async def check() -> None:
        backend = Backend(ready=False, connected=False)
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{MARK} === 'reading figures' && {STALE}")
            assert await page.ask("[...document.querySelectorAll('#summary b')].map(b => b.innerText)") == ["–"] * 2
            for place in ("no-queues", "no-teams"):
                text = "Not known yet: figures have not been read from Kafka"
                await page.until(f"document.getElementById('{place}').innerText === '{text}'")

            backend.store.take_over(Backend.fed(small_center()).store)
            backend.ready = backend.connected = True
            await page.until(f"{ROW}('sales') && {MARK} === 'live'")

    run(check())


def test_a_page_that_opens_has_lost_nothing() -> None:
    """Until the first answer it reads figures; a server that is slow to give it is no lost connection."""

    @web.middleware
    async def slow(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/api/v1/events":
            await asyncio.sleep(2)
        return await handler(request)

    async def check() -> None:
        application = create_app(Backend.fed(small_center()).serving())
        application.middlewares.append(slow)
        async with TestClient(TestServer(application)) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{STALE} && {MARK} === 'reading figures'", seconds=1.5)
            await page.until(f"{MARK} === 'live' && !{STALE}")

    run(check())


def test_a_cut_connection_is_marked_and_mends_itself() -> None:
    """When the server goes the last figures stay, marked; when one is there again the page follows it without a reload."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        port = unused_port()

        async def serve() -> web.AppRunner:
            runner = web.AppRunner(create_app(backend.serving()), shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            return runner

        runner = await serve()
        async with Chromium() as page:
            await page.open(f"http://127.0.0.1:{port}/")
            await page.until(f"{ROW}('sales') && {MARK} === 'live'")

            await runner.cleanup()
            await page.until(f"{STALE} && {MARK}.startsWith('connection lost')")
            assert (await page.ask(f"{ROW}('sales')"))["waiting"] == ["2"]

            backend.store.feed(*now_record("queue:sales", waiting=5, revision=2))
            backend.store.feed(now_record("queue:claims", "mail")[0], None)
            backend.store.feed(window("queue:claims", "mail")[0], None)
            runner = await serve()
            await page.until(f"{ROW}('sales').waiting[0] === '5' && {MARK} === 'live' && !{ROW}('claims')", seconds=15)
        await runner.cleanup()

    run(check())


def test_japanese() -> None:
    """``?lang=ja`` shows the catalogue's Japanese names, Japanese words, and a way back."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving(targets={"sales": 0.8}, fed_by=FED_BY)) as client, Chromium() as page:
            await page.open(url(client, "?lang=ja"))
            await page.until(f"{ROW}('sales')")
            heads = await page.ask("[...document.querySelectorAll('#queues thead th')].map(th => th.innerText)")

            assert heads == [
                "キュー",
                KPI_BY_ID["service_level"].ja,
                "本日の推移",
                *(KPI_BY_ID[kpi].ja for kpi in ("waiting", "longest_wait", "asa", "aht", "abandon_rate")),
            ]
            assert KPI_BY_ID["service_level_live"].meaning_ja in await page.ask("document.querySelector('th.service_level_live').title")
            assert await page.ask("document.documentElement.lang") == "ja"
            assert (await page.ask(f"{ROW}('sales')"))["name"] == ["sales", "電話"]
            assert (await page.ask(f"{ROW}('sales')"))["service_level_live"] == ["71.2%", "37 / 52 · 目標 20秒以内80% · 確定 74.0%"]
            assert await page.ask(MARK) == "リアルタイム"
            assert await page.ask("document.getElementById('language').getAttribute('href')") == "?lang=en&window=15"
            assert page.complaints == []

    run(check())


def test_another_window() -> None:
    """``?window=`` chooses the trailing window, and the choice is marked."""

    async def check() -> None:
        backend = Backend.fed([*small_center(), window("queue:sales", name="trailing_60m", kpis={"asa": figure(61, 61, 1)})])
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client, "?window=60"))
            await page.until(f"{ROW}('sales')")

            assert (await page.ask(f"{ROW}('sales')"))["asa"] == ["1:01"]
            assert await page.ask("document.querySelector('.choice [aria-current]').innerText") == "60 min"

    run(check())


def test_names_are_text() -> None:
    """A queue named like markup is shown as it is named."""
    name = "<img src=x onerror=document.title='taken'>"

    async def check() -> None:
        backend = Backend.fed([progress(), now_record(f"queue:{name}", waiting=1)])
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until("document.querySelector('tbody .name')")

            assert await page.ask("document.querySelector('tbody .name b').innerText") == name
            assert await page.ask("document.images.length") == 0
            assert "taken" not in await page.ask("document.title")

    run(check())


@pytest.mark.parametrize(("query", "title"), [("", ENGLISH), ("?lang=ja", JAPANESE), ("?view=wall", ENGLISH)])
def test_the_second_definition_is_shown_small_beside_the_first(query: str, title: str) -> None:
    """Its name and share, with both versions and the parts in the tooltip; on a wall too. A queue with one definition has none."""

    async def check() -> None:
        level = {"service_level_live": figure(37 / 52, 37, 52)}
        named = dict.fromkeys(("service_level", "service_level_live"), "standard@2")
        beside = {"strict@4": {"service_level_live": figure(31 / 52, 31, 52)}, "lenient@1": {"service_level_live": figure(1, 52, 52)}}
        two = window("queue:two", kpis=level, definitions=named, by_definition=beside)
        backend = Backend.fed([progress(), two, window("queue:one", kpis=level)])
        async with client_of(backend.serving()) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client, query))
            await page.until(f"{ROW}('two')")
            # 31 of 52 is 59.615… %, cut.
            shown = """[...document.querySelectorAll('.beside')].filter(e => e.getClientRects().length)
                .map(e => [e.innerText.replace('\\n', ' '), e.title])"""
            share = "59.6%" if "ja" in query else "59.6 %"
            assert await page.ask(shown) == [[f"{share} strict", title]]

    run(check())


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (390, 844)])
def test_nothing_is_cut_off(width: int, height: int, language: str, tmp_path: Path) -> None:
    """On a wall and on a telephone nothing runs out of the window or of its own cell, with a long name too."""
    long = "Technische Kundenbetreuung Geschäftskunden, zweite Ebene"

    async def check() -> None:
        beside = {"strict-contract@12": {"service_level_live": figure(0.91234, 11404, 12500)}}
        level = {"service_level_live": figure(0.98765, 12345, 12500), "aht": figure(5432, 1, 1, 0.5)}
        records = [window(f"queue:{long}", kpis=level, by_definition=beside)]
        backend = Backend.fed([*small_center(), *records, now_record(f"queue:{long}", waiting=1234, waiting_since="2026-03-31T20:00:00Z")])
        async with client_of(backend.serving(targets={long: 0.8})) as client, Chromium(width=width, height=height) as page:
            await page.open(url(client, f"?lang={language}"))
            await page.until(f"{ROW}('Technische')")

            assert await page.ask("document.documentElement.scrollWidth") <= width
            outside = await page.ask(OUTSIDE)
            picture = tmp_path / f"{language}-{width}.png"  # pytest keeps it for a while: look at it
            await page.photograph(picture)
            assert outside == []
            assert picture.stat().st_size > 10_000

    run(check())
