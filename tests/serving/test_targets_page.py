"""The list of targets on the page, in a real browser: figure, goal, standing by word and shape, in both languages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from streams.configuration.models import Configuration
from streams.windows.targets import terms_of
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, client_of, figure, progress, small_center, window
from tests.serving.test_page import OUTSIDE, run, url
from tests.serving.test_wall import FAINT
from tests.support.require import require

pytestmark = pytest.mark.browser

#: As-of is April 1, 09:00; from March 2 to the end of April 30, 30.375 of 60 days have passed.
WAY = {"start_date": "2026-03-02", "due": "2026-04-30"}
SALES = {"scope": "queue:sales", "window": "trailing_15m"}
TARGETS: list[dict[str, Any]] = [
    {"kpi": "abandon_rate", **SALES, "channel": "voice", "unit": "percent", "target": 5, "start_value": 30, **WAY},
    {"kpi": "asa", **SALES, "unit": "seconds", "target": 20, "stretch": 10},
    {"kpi": "csat", **SALES, "unit": "score", "target": 4.5, "start_value": 4, **WAY},
    {"kpi": "answer_rate", **SALES, "unit": "percent", "target": 95, "start_value": 80, **WAY, "due": "2026-04-10"},
    {"kpi": "occupancy", "scope": "team:north", "window": "trailing_15m", "unit": "percent", "low": 70, "high": 75},
    {"kpi": "non_response", "scope": "queue:claims", "unit": "offers", "target": 5, "due": "2026-12-31"},
]
CENTER = {"queues": {"sales": {"target": 0.8}, "claims": {}}, "teams": {"north": {}}, "targets": TARGETS}
FED_BY = {"queue:sales": ["pbx"], "queue:claims": ["mail"], "team:north": ["pbx"]}
ROWS = "[...document.querySelectorAll('#targets tbody tr')].filter(r => r.getClientRects().length)"
#: Of each row its texts, and the shape and color of its standing.
READ = f"""{ROWS}.map(row => {{
  const verdict = row.querySelector('.verdict');
  return [...[...row.querySelectorAll('.name b, .name small, td b, td small')].map(e => e.innerText).filter(Boolean),
    getComputedStyle(verdict.querySelector('.shape'), '::before').content.replace(/"/g, ''), verdict.className];
}})"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def serving(configuration: dict[str, Any] = CENTER) -> Any:
    """Return what serves the small center with targets."""
    return Backend.fed(small_center()).serving(kpi_targets=terms_of(Configuration.model_validate(configuration)), fed_by=FED_BY)


def test_every_target_shows_its_progress() -> None:
    """Figure and goal, attainment, on track or behind and by how much, due and at this pace; few contacts and silence are not judged."""

    async def check() -> None:
        async with client_of(serving()) as client, Chromium(width=1500, height=1100) as page:
            await page.open(url(client))
            await page.until(f"{ROWS}.length === 6")
            rows = {row[0]: row[1:] for row in await page.ask(READ)}

            # A queue's own target is with the queue: it is no row here.
            assert set(rows) == {
                "Abandonment rate", "Average speed of answer", "Customer satisfaction", "Answer rate", "Occupancy",
                "Agent non-response (RONA)",
            }  # fmt: skip
            # The line is at 30 − 0.50625 × 25 = 17.34 %; 20 of 25 points in 30.375 days: all of it in 37.97, on April 8.
            assert rows["Abandonment rate"] == [
                "sales · Voice · last 15 min", "10.0 %", "target 5 % · 5 / 50", "50.0 %", "on track", "7.3 points ahead of plan",
                "30 Apr 2026", "at this pace 8 Apr 2026", "✓", "verdict met",
            ]  # fmt: skip
            assert rows["Average speed of answer"] == [
                "sales · last 15 min", "0:18", "target 0:20 · stretch 0:10", "108.7 %", "met", "–", "✓", "verdict met",
            ]  # fmt: skip
            # Four scores: one would decide it. Behind by three thousandths, which is not nothing.
            assert rows["Customer satisfaction"] == [
                "sales · last 15 min", "4.25", "target 4.5 · 80 % measured", "94.4 %", "behind", "< 0.01 behind plan",
                "30 Apr 2026", "at this pace 1 May 2026", "none", "verdict",
            ]  # fmt: skip
            # 40 days in all: 80 + 0.759375 × 15 = 91.39 %. 10 of 15 points in 30.375 days: 45.5625 days.
            assert rows["Answer rate"] == [
                "sales · last 15 min", "90.0 %", "target 95 % · 45 / 50", "94.7 %", "behind", "1.4 points behind plan",
                "10 Apr 2026", "at this pace 16 Apr 2026", "▼", "verdict missed",
            ]  # fmt: skip
            assert rows["Occupancy"] == [
                "Team north · last 15 min", "81.3 %", "target 70 % to 75 % · 95 % measured", "92.3 %", "missed", "off by 6.3 points",
                "–", "▼", "verdict missed",
            ]  # fmt: skip
            assert rows["Agent non-response (RONA)"] == [
                "claims · today", "–", "target 5", "–", "no figure", "31 Dec 2026", "none", "verdict unknown",
            ]  # fmt: skip
            assert await page.ask(f"{ROWS}.filter(r => r.classList.contains('silent')).map(r => r.querySelector('b').innerText)") == [
                "Agent non-response (RONA)"
            ]
            assert await page.ask(OUTSIDE) == []
            assert page.complaints == []

            await page.open(url(client, "?queue=claims"))
            await page.until(f"{ROWS}.length === 1")
            await page.open(url(client, "?theme=dark&order=worst"))
            await page.until(f"{ROWS}.length === 6")
            # Targets that are not judged are with the unknown; else as in the configuration.
            assert [row[0] for row in await page.ask(READ)] == [
                "Occupancy", "Answer rate", "Customer satisfaction", "Agent non-response (RONA)", "Abandonment rate",
                "Average speed of answer",
            ]  # fmt: skip
            assert await page.ask(FAINT) == []
            await page.open(url(client, "?theme=light"))
            await page.until(f"{ROWS}.length === 6")
            assert await page.ask(FAINT) == []

    run(check())


def test_in_japanese_and_on_a_wall() -> None:
    """But for names every word is Japanese; on a wall the list is a page of its own where it does not fit, and nothing is cut."""
    names = r"Contact Streams|English|AHT|CSAT|UTC|on_call|sales|claims|north|pbx|mail"

    async def check() -> None:
        async with client_of(serving()) as client, Chromium(width=1280, height=720) as page:
            await page.open(url(client, "?lang=ja"))
            await page.until(f"{ROWS}.length === 6")
            text = await page.ask("[document.body.innerText, ...[...document.querySelectorAll('[title]')].map(e => e.title)].join('\\n')")
            assert re.findall(r"[A-Za-z]{2,}", re.sub(names, "", text)) == []
            rows = {row[0]: row[1:] for row in await page.ask(READ)}
            assert rows["放棄率"] == [
                "sales · 電話 · 直近15分", "10.0%", "目標 5% · 5 / 50", "50.0%", "順調", "計画より7.3ポイント先行",
                "2026年4月30日", "このペースで2026年4月8日", "✓", "verdict met",
            ]  # fmt: skip
            assert rows["応答率"][4:6] == ["遅れ", "計画より1.4ポイント遅れ"]

            await page.open(url(client, "?lang=ja&view=wall&rotate=0"))
            await page.until("document.getElementById('pages').innerText === '1 / 2'")
            assert await page.ask(f"{ROWS}.length") == 0
            await page.press("ArrowRight")
            await page.until(f"{ROWS}.length === 6")
            assert await page.ask("document.documentElement.scrollHeight") <= 720
            assert await page.ask(OUTSIDE) == []

    run(check())


def test_a_figure_of_a_past_day_names_its_day() -> None:
    """A figure of a past day or month is not shown as of today; its day is that of Tokyo in any zone of the browser."""
    repeats, kept = figure(0.125, 25, 200), figure(0.95, 95, 100, 1)
    day: dict[str, Any] = {"window_start": "2026-03-20T15:00:00Z", "window_end": "2026-03-21T15:00:00Z", "final": True}
    month: dict[str, Any] = {"window_start": "2026-03-31T15:00:00Z", "window_end": "2026-04-30T15:00:00Z"}
    records = [
        window("queue:sales", name="customers_day", kpis={"repeat_contact_rate": repeats}, **day),
        window("total:all", None, name="customers_month", kpis={"retention_rate": kept}, **month),
    ]
    targets = [
        {"kpi": "repeat_contact_rate", "scope": "queue:sales", "unit": "percent", "target": 10},
        {"kpi": "retention_rate", "scope": "total:all", "unit": "percent", "target": 94, "window": "customers_month"},
    ]
    terms = terms_of(Configuration.model_validate({**CENTER, "targets": targets}))

    async def check() -> None:
        backend = Backend.fed([progress(), *records])
        async with client_of(backend.serving(kpi_targets=terms)) as client, Chromium() as page:
            await page.open(url(client))
            await page.until(f"{ROWS}.length === 2")
            assert [row[1:6] for row in await page.ask(READ)] == [
                ["sales · 21 Mar 2026", "12.5 %", "target 10 % · 25 / 200", "80.0 %", "missed"],
                ["Total · Apr 2026", "95.0 %", "target 94 %", "101.1 %", "met"],
            ]

    run(check())


def test_without_targets_there_is_no_list() -> None:
    """Queues' own targets make none; a phone shows each target as a card."""

    async def check() -> None:
        async with client_of(serving({**CENTER, "targets": []})) as client, Chromium() as page:
            await page.open(url(client))
            await page.until("document.querySelectorAll('#queues tbody tr').length === 2")
            assert await page.ask("document.getElementById('targets-section').getClientRects().length") == 0

        async with client_of(serving()) as client, Chromium(width=390, height=844) as page:
            await page.open(url(client))
            await page.until(f"{ROWS}.length === 6")
            assert await page.ask("document.documentElement.scrollWidth") <= 390
            assert await page.ask("getComputedStyle(document.querySelector('#targets td'), '::before').content") == '"Achieved"'

    run(check())
