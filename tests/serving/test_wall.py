"""The page for viewers who are far away, have many queues, no mouse, or another light: in a real browser."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, client_of, figure, now_record, people_now, progress, small_center, window
from tests.serving.test_page import OUTSIDE, run, url
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

NAMES = (
    "[...document.querySelectorAll('#queues tbody tr:not(.turned) .name b')].filter(e => e.getClientRects().length).map(e => e.innerText)"
)
#: Texts whose contrast with what is behind them is below WCAG's AA, by relative luminance.
FAINT = """(() => {
  const rgb = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.body.querySelectorAll('*')].filter(e => e.getClientRects().length && !e.closest('svg')
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return texts.map(e => {
    const style = getComputedStyle(e);
    const [one, other] = [light(rgb(style.color)), light(behind(e))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    return [(one + 0.05) / (other + 0.05), large ? 3 : 4.5, e.innerText];
  }).filter(([ratio, least]) => ratio < least);
})()"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def many(number: int) -> list[tuple[bytes, bytes]]:
    """Return a center with this number of queues: of 100 contacts each, as many were in time as the queue's number."""
    records = [progress(), people_now("team:north", {"idle": 2})]
    for n in range(number):
        level = figure((99 - n) / 100, 99 - n, 100, 1)
        beside = {"strict@1": {"service_level_live": figure((90 - n) / 100, 90 - n, 100, 1)}}
        records.append(window(f"queue:Q{n:02}", kpis={"service_level_live": level, "service_level": level}, by_definition=beside))
        records.append(now_record(f"queue:Q{n:02}", waiting=n))
    return records


def interval(hour: int, quarter: int, level: dict[str, Any], *, final: bool = True) -> tuple[bytes, bytes]:
    """Return an interval of the queue "sales"; the hour in UTC."""
    start, end = 60 * hour + 15 * quarter, 60 * hour + 15 * quarter + 15
    times = [f"2026-04-01T{minute // 60:02}:{minute % 60:02}:00Z" for minute in (start, end)]
    key, value = window(
        "queue:sales", name="interval_15m", kpis={"service_level": level}, window_start=times[0], window_end=times[1], final=final
    )
    return key + f"|{start}".encode(), value


def test_a_day_is_columns_against_the_target() -> None:
    """Reached, missed, judged too few, still open and without contacts differ in shape; a text states the same; yesterday is not today."""
    day = window("queue:sales", name="day", window_start="2026-04-01T06:00:00Z", window_end="2026-04-02T06:00:00Z")
    intervals = [
        interval(5, 3, figure(0.1, 1, 10)),  # before the day began
        interval(6, 0, figure(0.9, 18, 20)),
        interval(6, 1, figure(None, 0, 0)),
        interval(6, 2, figure(0.55, 11, 20)),
        interval(6, 3, figure(0.0, 0, 2)),
        interval(7, 0, figure(0.8, 8, 10), final=False),
    ]

    async def check() -> None:
        backend = Backend.fed([*small_center(), day, *intervals])
        async with client_of(backend.serving(targets={"sales": 0.8})) as client, Chromium() as page:
            await page.open(url(client))
            await page.until("document.querySelector('.trend rect')")
            columns = "[...document.querySelectorAll('.trend rect')].map(e => e.getAttribute('class'))"
            assert await page.ask(columns) == ["met", "missed", "few", "met open"]
            heights = [float(h) for h in await page.ask("[...document.querySelectorAll('.trend rect')].map(e => e.getAttribute('height'))")]
            assert heights[0] == pytest.approx(0.9 / 0.55 * heights[1], abs=0.02)
            assert heights[2] > 0
            line = float(await page.ask("document.querySelector('.trend:has(rect) .target').getAttribute('y1')"))
            top = float(await page.ask("document.querySelector('.trend .open').getAttribute('y')"))
            assert line == pytest.approx(top, abs=0.02)
            # The text names the ends by the clock of the browser.
            text = await page.ask("document.querySelector('.trend:has(rect) svg').getAttribute('aria-label')")
            assert re.fullmatch(
                r"service level every 15 min, \d\d:00 to \d\d:15 · target 80 % · target missed in 1 of 3 · lowest 55\.0 % at \d\d:30"
                r" · last final 0\.0 %",
                text,
            )
            assert page.complaints == []

    run(check())


def test_calendar_exceptions_are_marked() -> None:
    """What an exception touches has a line above it, with figures or without; its name is beside it and in the text, in both languages."""
    typhoon = ["Typhoon 台風"]
    intervals = [interval(6, 0, figure(0.9, 18, 20)), interval(6, 1, figure(None, 0, 0)), interval(6, 2, figure(0.5, 10, 20))]
    records = [
        (key, orjson.dumps({**orjson.loads(value), "exceptions": typhoon}) if n else value) for n, (key, value) in enumerate(intervals)
    ]

    async def check() -> None:
        backend = Backend.fed([*small_center(), *records])
        async with client_of(backend.serving(targets={"sales": 0.8})) as client, Chromium() as page:
            for query, label in (("", "calendar exception: Typhoon 台風"), ("?lang=ja", "カレンダー例外：Typhoon 台風")):
                await page.open(url(client, query))
                await page.until("document.querySelector('.trend rect')")
                assert await page.ask("document.querySelectorAll('.trend line.exception').length") == 2
                assert await page.ask("document.querySelector('.trend:has(rect) .ends .exception').innerText") == typhoon[0]
                text = await page.ask("document.querySelector('.trend:has(rect) svg').getAttribute('aria-label')")
                assert text.endswith(label)
                assert page.complaints == []

    run(check())


@pytest.mark.parametrize(
    ("language", "sentence", "since"),
    [
        ("en", "Events from mail have been quarantined since 08:00:00", "mail quarantined since"),
        ("ja", "mailのデータは08:00:00 UTCから隔離され", "から隔離中"),
    ],
)
def test_a_quarantined_source_is_named(language: str, sentence: str, since: str) -> None:
    """One line above the figures names it, and the queue that it feeds is gray; queues of other or unknown sources are judged."""
    level = figure(0.5, 10, 20)
    records = [window(f"queue:{name}", kpis={"service_level_live": level}) for name in ("calls", "letters", "unsaid")]
    quarantined = {"mail": {"reason": "bad_records", "since": "2026-04-01T08:00:00Z", "partitions": 1, "records": 7}}
    fed_by = {"queue:calls": ["pbx"], "queue:letters": ["mail"]}

    async def check() -> None:
        backend = Backend.fed([progress(quarantined_sources=quarantined), *records])
        serving = backend.serving(targets=dict.fromkeys(("calls", "letters", "unsaid"), 0.8), fed_by=fed_by)
        async with client_of(serving) as client, Chromium() as page:
            answer = await (await client.get("/api/v1/figures")).json()
            assert answer["sources"]["mail"] == {"last_seen": None, "stale": False, "quarantined": quarantined["mail"]}
            await page.open(url(client) + f"?lang={language}")
            await page.until("document.querySelectorAll('#queues tbody tr').length === 3")
            await page.until(f"document.querySelector('#silent').innerText.startsWith({sentence!r})")
            assert await page.ask("[...document.querySelectorAll('#queues tbody tr')].map(r => r.classList.contains('silent'))") == [
                False,
                True,
                False,
            ]
            assert since in await page.ask("document.querySelector('.silent .silent-mark').innerText")
            backend.store.feed(*progress(revision=2))
            await page.until("document.querySelector('#silent').hidden && document.querySelectorAll('.silent').length === 0")

    run(check())


def test_a_silent_source_marks_whom_it_feeds() -> None:
    """Of three queues the one is gray whose source is silent, and one without configured sources; the third is judged."""
    level = figure(0.5, 10, 20)
    records = [window(f"queue:{name}", kpis={"service_level_live": level}) for name in ("calls", "letters", "unsaid")]
    silent = progress(sources={"pbx": "2026-04-01T08:59:58Z", "mail": "2026-04-01T08:00:00Z"}, stale_sources=["mail"])
    fed_by = {"queue:calls": ["pbx"], "queue:letters": ["mail", "pbx"]}

    async def check() -> None:
        backend = Backend.fed([silent, *records])
        serving = backend.serving(targets=dict.fromkeys(("calls", "letters", "unsaid"), 0.8), fed_by=fed_by)
        async with client_of(serving) as client, Chromium() as page:
            await page.open(url(client))
            await page.until("document.querySelectorAll('#queues tbody tr').length === 3")
            marks = "r => [r.classList.contains('silent'), !!r.querySelector('.missed')]"
            assert await page.ask(f"[...document.querySelectorAll('#queues tbody tr')].map({marks})") == [
                [False, True],
                [True, False],
                [True, False],
            ]
            assert "mail silent since" in await page.ask("document.querySelector('.silent .silent-mark').innerText")
            assert await page.ask("document.querySelector('#summary b').innerText") == "1 / 1"
            assert await page.ask("document.querySelector('#summary small').innerText") == "2 unknown"

            # The known one is all right; the others are unknown, so this is no all-clear.
            good = {"service_level_live": figure(0.9, 18, 20)}
            backend.store.feed(*window("queue:calls", kpis=good, revision=2))
            await page.until("document.querySelector('#summary b').innerText === '0 / 1'")
            assert not await page.ask("document.querySelector('#summary li').classList.contains('met')")
            backend.store.feed(*window("queue:calls", kpis={"service_level_live": level}, revision=3))

            backend.store.feed(*progress(revision=2))
            await page.until("document.querySelectorAll('.silent').length === 0 && document.querySelectorAll('tr .missed').length === 3")

    run(check())


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("age", [1, 60], ids=["fresh", "stale"])
def test_contrast(theme: str, age: float) -> None:
    """In daylight and in the dark, fresh and stale, every text has the contrast of WCAG AA; nothing is shown by opacity alone."""

    async def check() -> None:
        backend = Backend.fed([*many(3)[2:], *small_center(), now_record("total:all", waiting=2, revision=2)])
        backend.clock.seconds += age
        targets = {"Q00": 0.9, "Q01": 0.999, "sales": 0.8}
        async with client_of(backend.serving(targets=targets)) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client, f"?theme={theme}"))
            await page.until("document.querySelectorAll('#queues tbody tr').length === 5")
            await asyncio.sleep(0.5)
            assert await page.ask("document.documentElement.dataset.theme") == theme
            assert await page.ask("document.body.classList.contains('stale')") is (age > 10)
            assert await page.ask(FAINT) == []
            await page.ask("document.getElementById('as-of').style.color = getComputedStyle(document.body).backgroundColor")
            assert [text for _, _, text in await page.ask(FAINT)] != []  # it would be seen
            assert await page.ask("getComputedStyle(document.querySelector('main')).opacity") == "1"

    run(check())


def test_worst_first_and_pins() -> None:
    """``order=worst`` puts the widest gap below the target on top, what cannot be judged last; pins come first and are in the address."""
    targets = {"Q00": 0.9, "Q01": 0.999, "Q02": 0.98}  # reached by 9 points, missed by 1.9 and by 1

    async def check() -> None:
        async with client_of(Backend.fed(many(4)).serving(targets=targets)) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{NAMES}.length === 4")
            assert await page.ask(NAMES) == ["Q00", "Q01", "Q02", "Q03"]

            await page.open(url(client, "?order=worst"))
            await page.until(f"{NAMES}.length === 4")
            assert await page.ask(NAMES) == ["Q01", "Q02", "Q00", "Q03"]

            # With the keyboard alone, and the focus stays on what was pressed.
            await page.ask("document.querySelectorAll('#queues .pin')[3].focus()")
            await page.press("Enter")
            await page.until(f"{NAMES}[0] === 'Q03'")
            assert await page.ask("document.activeElement.getAttribute('aria-pressed')") == "true"
            assert await page.ask("document.activeElement.getAttribute('aria-label')") == "Keep Q03 on top"
            assert "pin=Q03" in await page.ask("location.search")
            await page.open(await page.ask("location.href"))
            await page.until(f"{NAMES}.length === 4")
            assert await page.ask(NAMES) == ["Q03", "Q01", "Q02", "Q00"]

            await page.open(url(client, "?queue=Q02&queue=Q00"))
            await page.until(f"{NAMES}.length === 2")
            # Their total is of these two.
            level = "[...document.querySelectorAll('#queues tfoot .service_level_live b')].map(e => e.innerText)"
            assert await page.ask(level) == ["98.0 %"]  # (99 + 97) of 200

    run(check())


def test_a_wall_of_forty_queues(tmp_path: Path) -> None:
    """A wall never scrolls: its pages come in turn and by key, show every queue once and the pinned one always, and stop on demand."""
    targets = {f"Q{n:02}": 0.9 for n in range(40)}

    async def check() -> None:
        async with client_of(Backend.fed(many(40)).serving(targets=targets)) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client, "?view=wall&rotate=0&pin=Q05"))
            await page.until(f"{NAMES}.length > 3")
            await page.photograph(tmp_path / "wall.png")
            assert await page.ask("document.documentElement.dataset.theme") == "dark"
            button = "document.getElementById('pages').innerText"
            pages = int((await page.ask(button)).split(" / ")[1])
            seen: list[list[str]] = []
            teams: list[int] = []
            for number in range(1, pages + 1):
                assert await page.ask(button) == f"{number} / {pages}"
                assert await page.ask("document.documentElement.scrollHeight") <= 1080
                assert await page.ask(OUTSIDE) == []
                bottom = "Math.max(...[...document.querySelectorAll('main tr')].map(e => e.getBoundingClientRect().bottom))"
                assert await page.ask(bottom) <= 1080
                seen.append(await page.ask(NAMES))
                teams.append(
                    await page.ask("[...document.querySelectorAll('#teams tbody tr')].filter(e => e.getClientRects().length).length")
                )
                await page.press("ArrowRight")
            assert await page.ask(button) == f"1 / {pages}"
            queues = [names for names in seen if names]
            assert all(names[0] == "Q05" for names in queues)
            # The worst is the one with the highest number.
            assert [name for names in queues for name in names[1:]] == [f"Q{n:02}" for n in range(39, -1, -1) if n != 5]
            assert teams == [0] * (pages - 1) + [1]
            figures = "parseFloat(getComputedStyle(document.querySelector('td.service_level_live b')).fontSize)"
            # 20 mm on a screen of 55 inches, the least for five meters.
            assert await page.ask(figures) >= 40

            await page.open(url(client, "?view=wall&rotate=3"))
            await page.until(f"{button}.startsWith('2 /')", seconds=8)
            await page.press(" ")
            await page.until(f"{button}.endsWith('paused')")
            stopped = await page.ask(button)
            await asyncio.sleep(4)
            assert await page.ask(button) == stopped

    run(check())


def test_nothing_moves_when_figures_change() -> None:
    """Every cell stays where it is when its figures grow from one digit to the most there can be."""
    places = (
        "JSON.stringify([...document.querySelectorAll('th, td, #summary li')].map(e => Object.values(e.getBoundingClientRect().toJSON())))"
    )

    async def check() -> None:
        backend = Backend.fed(many(3))
        async with client_of(backend.serving(targets={"Q00": 0.9})) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client))
            await page.until(f"{NAMES}.length === 3")
            before = await page.ask(places)
            kpis = {
                "service_level_live": figure(1, 12345, 12345),
                "service_level": figure(0.5, 1, 2),
                "asa": figure(4000, 1, 1),
                "aht": figure(9999, 1, 1),
            }
            beside = {"strict@1": {"service_level_live": figure(1, 12345, 12345)}}
            backend.store.feed(*window("queue:Q00", kpis=kpis, by_definition=beside, revision=2))
            backend.store.feed(*now_record("queue:Q00", waiting=1234, waiting_since="2026-03-31T20:00:00Z", revision=2))
            await page.until("document.querySelector('td.waiting b').innerText === '1,234'")
            assert await page.ask(places) == before

    run(check())


def test_no_english_is_left_on_the_japanese_page() -> None:
    """But for names and units every text, label and tooltip is Japanese, with a silent source, a backlog and a wall too."""
    everything = """[document.title, document.body.innerText, ...[...document.querySelectorAll('*')].flatMap(
        e => ['title', 'aria-label', 'data-label'].map(name => e.getAttribute(name) ?? ''))].join('\\n')"""
    names = r"Contact Streams|English|Esc|AHT|UTC|on_call|sales|claims|north|pbx|mail"

    async def check() -> None:
        backend = Backend.fed([*small_center(), interval(8, 0, figure(0.5, 10, 20))])
        async with client_of(backend.serving(targets={"sales": 0.8})) as client, Chromium() as page:
            for query in ("?lang=ja", "?lang=ja&view=wall"):
                await page.open(url(client, query))
                await page.until("document.querySelector('.trend rect')")
                text = await page.ask(everything)
                assert re.findall(r"[A-Za-z]{2,}", re.sub(names, "", text)) == []

    run(check())


def test_motion_is_left_out_where_it_is_not_wanted() -> None:
    """A viewer who prefers reduced motion gets none."""

    async def check() -> None:
        async with client_of(Backend.fed(many(1)).serving()) as client, Chromium() as page:
            moves = "[...document.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0).length"
            await page.open(url(client))
            await page.until(f"{NAMES}.length === 1")
            assert await page.ask(moves) > 0
            await page.prefer("prefers-reduced-motion", "reduce")
            assert await page.ask(moves) == 0

            await page.prefer("prefers-color-scheme", "light")
            await page.until("document.documentElement.dataset.theme === 'light'")
            await page.prefer("prefers-color-scheme", "dark")
            await page.until("document.documentElement.dataset.theme === 'dark'")

    run(check())
