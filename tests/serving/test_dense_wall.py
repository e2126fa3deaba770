"""Walls at five meters in a real browser: how much they show, how large, alerts, channels, long names, and the way out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.catalogue import WORDS
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, alert, client_of, figure, now_record, people_now, people_window, progress, small_center, window
from tests.serving.test_page import MARK, run, url
from tests.support.require import require

if TYPE_CHECKING:
    from streams.catalogue.words import Language

pytestmark = pytest.mark.browser

#: Where pictures to be looked at go; pytest's own folder without it.
PICTURES = "WALLBOARD_SCREENSHOTS"
NAMES = ("Sales", "Claims", "Technical support for business customers, second level", "法人のお客様 技術サポート 二次窓口")
ROWS = "[...document.querySelectorAll('#queues tbody tr')].filter(e => e.getClientRects().length)"
#: What an element of a text looks like from five meters on a screen of 55 inches (16:9) that the window fills: the height of its digits, or
#: of its letters, in minutes of arc.
ARC = """((selector, sample) => {
  const pixel = 55 * 25.4 * 16 / Math.hypot(16, 9) / innerWidth;
  const pen = document.createElement('canvas').getContext('2d');
  const seen = [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length && e.innerText.trim());
  return seen.map(e => {
    const style = getComputedStyle(e);
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const size = pen.measureText(sample);
    const height = (size.actualBoundingBoxAscent + size.actualBoundingBoxDescent) * pixel;
    return [Math.atan(height / 5000) * 180 / Math.PI * 60, e.innerText];
  });
})"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return the folder of the screenshots."""
    folder = Path(os.environ.get(PICTURES) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def center(number: int) -> list[tuple[bytes, bytes]]:
    """Return a center with this number of queues, most of them of calls, with totals by channel and two teams."""
    records = [progress(), people_now("total:all", {"idle": 12, "handling": 40})]
    for team in ("north", "south"):
        records += [people_now(f"team:{team}", {"idle": 6, "handling": 20}), people_window(f"team:{team}", figure(0.81, 81, 100, 1))]
    for n in range(number):
        channel = ("voice", "voice", "chat", "mail")[n % 4]
        level = figure((100 - n) / 100, 100 - n, 100, 1)
        kpis = {"service_level_live": level, "service_level": level, "asa": figure(18, 18, 1), "aht": figure(300 + n, 300 + n, 1)}
        name = f"queue:{queue(n)}"
        records.append(window(name, channel, kpis={**kpis, "abandon_rate": figure(0.05, 5, 100)}))
        records.append(now_record(name, channel, waiting=n, waiting_since=f"2026-04-01T08:{n:02}:00Z", in_progress=3))
    for channel in ("mail", "voice", "chat")[: 1 if number == 1 else 3]:
        times = {"voice": "2026-04-01T08:59:19Z", "chat": "2026-04-01T08:58:00Z", "mail": "2026-04-01T08:57:39Z"}
        records.append(now_record("total:all", channel, waiting=3, waiting_since=times[channel], in_progress=9))
    return records


def queue(n: int) -> str:
    """Return the name of a queue."""
    return f"{NAMES[n % len(NAMES)]} {n:02}"


def backend(number: int, alerts: int = 0) -> Backend:
    """Return the center with this number of firing alerts."""
    fired = [
        alert(f"queue:{queue(n)}", ("voice", "voice", "chat", "mail")[n % 4], alert_id=f"a{n}") for n in range(number)[-alerts:] if alerts
    ]
    return Backend.fed(center(number)).with_alerts(*fired)


def targets(number: int) -> dict[str, float]:
    """Return a target of 80 % for every queue."""
    return {queue(n): 0.8 for n in range(number)}


async def shown(page: Chromium, number: int, language: Language) -> None:
    """Wait until everything is there."""
    await page.until(f"document.querySelectorAll('#queues tbody tr').length === {number}")
    await page.until(f"{MARK} === '{WORDS[language]['live']}'")
    await page.until("document.querySelector('#alerts .none')?.innerText || document.querySelector('#alerts li .figure')?.innerText")


SIZES = [(1920, 1080), (3840, 2160)]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_wall_is_dense_and_large_enough(width: int, height: int, language: Language, pictures: Path) -> None:
    """12 to 20 rows with totals by channel, more on finer dots; figures and alerts have 14 minutes of arc, headings 10; none is cut."""

    async def check() -> None:
        held = backend(60, alerts=31)
        async with client_of(held.serving(targets=targets(60))) as client, Chromium(width=width, height=height) as page:
            await page.open(url(client, f"?view=wall&rotate=0&lang={language}"))
            await shown(page, 60, language)
            await page.photograph(pictures / f"wall-60-{language}-{width}.png")
            rows, totals = await page.ask(f"[{ROWS}.length, document.querySelectorAll('#queues tfoot tr').length]")
            assert totals == 3
            assert (12 if height == 1080 else 15) <= rows + totals <= (20 if height == 1080 else 30)
            channels = await page.ask("[...document.querySelectorAll('#queues tfoot .name b')].map(e => e.innerText)")
            words = WORDS[language]
            assert channels == [f"{words['scope.total']} · {words[f'channel.{name}']}" for name in ("voice", "chat", "mail")]
            for selector, least in (("#queues td:not(.trend) > b, #summary b", 14), ("#alerts .figure", 14)):
                arcs = await page.ask(f"{ARC}({selector!r}, '0')")
                assert len(arcs) >= 1
                assert [each for each in arcs if each[0] < least] == []
            heads = await page.ask(f"{ARC}('#queues thead th, #summary .heading', {'国' if language == 'ja' else 'H'!r})")
            assert len(heads) > 8
            assert [each for each in heads if each[0] < 10] == []
            assert await page.ask("document.documentElement.scrollHeight") <= height
            outside = "e => e.offsetParent && !e.matches('.name *, .beside *, #mark') && e.scrollWidth > e.clientWidth + 1"
            cut = f"[...document.querySelectorAll('td b, thead th, #alerts .figure, #summary *')].filter({outside}).map(e => e.outerHTML)"
            assert await page.ask(cut) == []
            pages = await page.ask("document.getElementById('pages').innerText")
            assert int(pages.split(" / ")[1]) <= 7
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_sixty_queues_are_one_map(width: int, height: int, language: Language, pictures: Path) -> None:
    """Each queue is a cell of a single page, channel by channel with its total first, calls before all; figures are large enough."""

    async def check() -> None:
        held = backend(60, alerts=2)
        async with client_of(held.serving(targets=targets(60))) as client, Chromium(width=width, height=height) as page:
            await page.open(url(client, f"?view=map&lang={language}"))
            await shown(page, 60, language)
            await page.until("document.querySelectorAll('#map li').length === 63")
            await page.photograph(pictures / f"map-60-{language}-{width}.png")
            assert await page.ask("document.getElementById('pages').hidden")
            words = WORDS[language]
            names = await page.ask("[...document.querySelectorAll('#map li > b:first-child')].map(e => e.title)")
            totals = [names.index(f"{words['scope.total']} · {words[f'channel.{name}']}") for name in ("voice", "chat", "mail")]
            assert totals == [0, 31, 47]  # 30 queues of calls, 15 of chats and as many of mail
            assert names[1] == queue(57)  # the worst of calls
            arcs = await page.ask(f"{ARC}('#map .level, #map .longest', '0')")
            assert len(arcs) == 2 * 63
            assert [each for each in arcs if each[0] < 14] == []
            assert min(arc for arc, _ in await page.ask(f"{ARC}('#map .legend', {'国' if language == 'ja' else 'H'!r})")) >= 10
            assert await page.ask("document.documentElement.scrollHeight") <= height
            outside = "e => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().bottom > innerHeight"
            assert await page.ask(f"[...document.querySelectorAll('#map li')].filter({outside}).map(e => e.outerHTML)") == []
            # Shown by shape, too: below the target, met, and too far off to be the same color.
            shapes = "[...document.querySelectorAll('#map .missed > b:first-child')].map(e => getComputedStyle(e, '::before').content)"
            assert set(await page.ask(shapes)) == {'"▼ "'}
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_one_queue_has_the_wall_for_itself(width: int, height: int, language: Language, pictures: Path) -> None:
    """Its service level is larger than 60 minutes of arc, and no foreign team is below."""

    async def check() -> None:
        query = f"?view=wall&lang={language}&queue={queue(0).replace(' ', '%20')}"
        async with client_of(backend(7).serving(targets=targets(7))) as client, Chromium(width=width, height=height) as page:
            await page.open(url(client, query))
            await shown(page, 1, language)
            await page.photograph(pictures / f"one-{language}-{width}.png")
            ((arc, text),) = await page.ask(f"{ARC}('#queues td.service_level_live > b', '0')")
            assert (arc > 60, text.replace(" ", "")) == (True, "100.0%")
            assert min(arc for arc, _ in await page.ask(f"{ARC}('#queues td > b', '0')")) >= 40
            assert await page.ask("document.getElementById('teams').getClientRects().length") == 0
            assert await page.ask("document.documentElement.scrollHeight") <= height
            bottom = "Math.max(...[...document.querySelectorAll('#queues tbody td')].map(e => e.getBoundingClientRect().bottom))"
            assert await page.ask(bottom) <= height
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(("query", "names"), [("", ["Leave the wall (Escape)"]), ("&lang=ja", ["大画面表示を終了（Escキー）"])])
def test_a_wall_can_be_left(query: str, names: list[str]) -> None:
    """By a link, on a telephone too, and by Escape; all else of the address stays. Escape in the list of alerts closes that."""
    link = "document.getElementById('leave-wall')"

    async def check() -> None:
        async with client_of(backend(7, alerts=3).serving(targets=targets(7))) as client, Chromium(width=390, height=844) as page:
            await page.open(url(client, f"?view=wall&order=name{query}"))
            await page.until(f"{link}.getClientRects().length && document.querySelector('#alerts li .figure')?.innerText")
            assert [await page.ask(f"{link}.getAttribute('aria-label')")] == names
            await page.ask("document.querySelector('#alerts .more').click()")
            await page.until("document.querySelectorAll('dialog[open] li').length === 3")
            await page.press("Escape")
            await page.until("!document.querySelector('dialog[open]')")
            assert "view=wall" in await page.ask("location.search")
            await page.press("Escape")
            await page.until("!location.search.includes('view') && location.search.includes('order=name')")

    run(check())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_alerts_name_their_figure_as_it_is_now(language: Language) -> None:
    """What missed what, by name; the value is the current figure, of other windows too; a value of the last change has its time."""
    alerts = [
        alert("queue:sales", below=0.8, value=0.5),
        alert("queue:sales", rule="of-now", kpi="longest_wait", window=None, below=None, above=60, value=61.0),
        alert("queue:sales", rule="five", kpi="abandon_rate", window="trailing_5m", below=None, above=0.05, value=0.3),
        alert("queue:sales", rule="day", kpi="aht", window="day", below=None, above=200, value=250),
    ]
    expected = {
        "en": [
            "Service level 71.2 % (target 80 % missed)",
            "Longest wait now 1:12 (above 1:00)",
            "Abandonment rate 20.0 % (above 5 %)",
            "Average handle time 4:10 (above 3:20 · as of ",
        ],
        "ja": [
            "サービスレベル 71.2%（目標80%未達）",
            "最長待ち時間 1:12（1:00超）",
            "放棄率 20.0%（5%超）",
            "平均処理時間 (AHT) 4:10（3:20超 · ",
        ],
    }[language]

    async def check() -> None:
        five = window("queue:sales", name="trailing_5m", kpis={"abandon_rate": figure(0.2, 2, 10)})
        held = Backend.fed([*small_center(), five]).with_alerts(*alerts)
        async with client_of(held.serving(targets={"sales": 0.8})) as client, Chromium() as page:
            await page.open(url(client, f"?lang={language}"))
            figures = "[...document.querySelectorAll('#alerts li .figure')].map(e => e.innerText)"
            await page.until(f"{figures}.some(text => text.includes('20.0'))")
            texts = await page.ask(figures)
            assert all(any(text.startswith(each) for text in texts) for each in expected), texts
            # The alert's record stays as it is; its figure does not.
            level = figure(0.6, 30, 50, 1)
            held.store.feed(*window("queue:sales", kpis={"service_level_live": level}, revision=2))
            await page.until(f"{figures}.some(text => text.includes('60.0'))")
            assert page.complaints == []

    run(check())


def test_all_alerts_are_reachable_and_push_no_row_away(pictures: Path) -> None:
    """A list opens by click and key, holds every alert and scrolls by key; rows of a wall do not move when 31 fire."""
    places = (
        "JSON.stringify([...document.querySelectorAll('tbody tr, tfoot tr')].map(e => Object.values(e.getBoundingClientRect().toJSON())))"
    )

    async def check() -> None:
        held = backend(20)
        async with client_of(held.serving(targets=targets(20))) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client, "?view=wall&rotate=0"))
            await shown(page, 20, "en")
            before = await page.ask(places)
            held.with_alerts(*(alert(f"queue:{queue(n)}", "voice", alert_id=f"a{n}", rule=f"r{n}") for n in range(31)))
            await page.until("document.querySelector('#alerts .more')?.innerText === '1 / 31'")
            assert await page.ask(places) == before
            await page.ask("document.querySelector('#alerts .more').focus()")
            await page.press("Enter")
            await page.until("document.querySelectorAll('dialog[open] li').length === 31")
            await page.photograph(pictures / "alerts-all.png")
            assert await page.ask("document.querySelector('dialog[open] ul').tabIndex") == 0
            await page.open(url(client, "?"))
            await page.until("document.querySelector('#alerts .more')?.innerText === '25 more'")
            await page.ask("document.querySelector('#alerts .more').click()")
            await page.until("document.querySelectorAll('dialog[open] li').length === 31")
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(("language", "heads"), [("en", ["Voice", "Chat", "Mail"]), ("ja", ["電話", "チャット", "メール"])])
def test_channels_are_never_in_one_tile(language: Language, heads: list[str]) -> None:
    """A call of 0:41 is not hidden behind a mail of 2:21: each channel has its tile, calls first."""

    async def check() -> None:
        async with client_of(backend(8).serving()) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client, f"?lang={language}"))
            tiles = (
                "[...document.querySelectorAll('#summary .channel')].map(e => [...e.querySelectorAll('.heading, b')].map(b => b.innerText))"
            )
            await page.until(f"{tiles}.length === 3")
            waits = ("0:41", "2:00", "2:21")
            assert await page.ask(tiles) == [[head, "3", wait, "9"] for head, wait in zip(heads, waits, strict=True)]
            # Of some queues what these make: 0, 1 and 5 are of calls, of which 1 and 5 wait since 08:01 and 08:05; 2 is a chat.
            names = "&".join(f"queue={queue(n).replace(' ', '%20')}" for n in (0, 1, 2, 5))
            await page.open(url(client, f"?lang={language}&{names}"))
            await page.until(f"{tiles}.length === 2")
            assert await page.ask(tiles) == [[heads[0], "6", "59:00", "9"], [heads[1], "2", "58:00", "3"]]
            cells = "#queues tfoot :is(.service_level_live, .longest_wait) b"
            foot = f"[...document.querySelectorAll('{cells}')].map(e => e.innerText.replace(' ', ''))"
            # (100 + 99 + 95) of 300 in time; one chat alone has no total.
            assert await page.ask(foot) == ["98.0%", "59:00"]

    run(check())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_title_of_the_tab_shows_the_worst_alert(language: Language) -> None:
    """The worst alert, how many, or that the figures are old; nothing of it while all is well."""
    words = WORDS[language]

    async def check() -> None:
        held = Backend.fed(small_center()).with_alerts()
        async with client_of(held.serving()) as client, Chromium() as page:
            await page.open(url(client, f"?lang={language}"))
            await page.until(f"document.title === '{words['wallboard']} – Contact Streams' && {MARK} === '{words['live']}'")
            held.alerts.feed(*alert())
            level = "サービスレベル" if language == "ja" else "Service level"
            await page.until(f"document.title.startsWith('▲ 1 · sales · {words['channel.voice']} · {level} – ')")
            held.clock.seconds += 60
            held.store.feed(*progress(revision=2))
            old = words["stale"].format(age=words["minutes"].format(n="1"))
            await page.until(f"document.title.startsWith('▲ {old} – ')")

    run(check())
