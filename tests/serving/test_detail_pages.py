"""The views of one queue, of goals and of the quality of data in a real browser: figures by hand, both languages, by key, on paper."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.serving.chromium import Chromium, binary
from tests.serving.detail_center import BAD, NOW, UNCOUNTED, center, day, interval, serving, staff
from tests.serving.records import client_of, progress
from tests.serving.test_page import OUTSIDE, run, url
from tests.serving.test_wall import FAINT
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

#: Names and abbreviations that are the same in Japanese.
NAMES = (
    r"Contact Streams|English|AHT|CSV|Excel|contact-streams dead-letters list|sales|claims|billing|vip|idle|tokyo|pbx|mail|chat|cdr|never"
)
NAMES += r"|Kafka|UTC|on_call|Enter|\(other\)|no_begin|no_leg|agent-events-dead-letters\.v1|contact-events-dead-letters\.v1"
PAGE_TEXT = "[document.body.innerText, ...[...document.querySelectorAll('main.view [title]')].map(e => e.title)].join('\\n')"
TEXTS = "(selector => [...document.querySelectorAll(selector)].map(e => e.innerText))"
#: The rows of a table: each the texts of its cells.
ROWS = """(selector => {
  for (const each of document.querySelectorAll('details')) each.open = true;
  const text = cell => [...cell.children].map(each => each.innerText).filter(Boolean).join('\\n') || cell.innerText;
  return [...document.querySelectorAll(selector + ' tbody tr')].map(row => [...row.cells].map(text));
})"""
PANEL = "document.querySelector('.view.queue .opened')"
#: Whether anything has been drawn on a canvas.
DRAWN = """(selector => {
  const canvas = document.querySelector(selector + ' canvas');
  return canvas && new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer).some(p => p !== 0);
})"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def test_one_queue(tmp_path: Path) -> None:
    """Tiles, the quarter of an hour in which it went wrong opened by key, the week by hour, waits and ways; nothing from elsewhere."""

    async def check() -> None:
        backend = center()
        async with client_of(serving(backend, tmp_path)) as client, Chromium(width=1400, height=1000) as page:
            await page.open(url(client, "?view=queue&of=sales&window=15"))
            await page.until(f"{DRAWN}('.course') && {DRAWN}('.effort') && {DRAWN}('.waits .chart')")
            tiles = dict(text.split("\n", 1) for text in await page.ask(f"{TEXTS}('.today li')"))
            assert tiles["Service level"].startswith("84.0 %\n210 / 250 · target 90 % · threshold 20 s")
            assert await page.ask("document.querySelector('.today li').className") == "missed"
            assert (tiles["Contacts offered"], tiles["Contacts answered"]) == ("250", "225\nAnswer rate 93.8 %")

            # Eight o'clock is the ninth of twelve quarters: from the last one three back, one further, and forth again.
            await page.ask("document.querySelector('.course').focus()")
            for key in [*["ArrowLeft"] * 5, "ArrowRight"]:
                await page.press(key)
            await page.until(f"{PANEL}.innerText.includes('08:00 to 08:15')")
            assert (await page.ask(f"{TEXTS}('.opened .said')")) == [
                (
                    "Unlike the rest of that day: Contacts offered 30 (50 % above the median of 20), Average handle time 6:00 (20 % above "
                    "the median of 5:00), agents at work (tokyo) 8 (20 % below the median of 10)."
                )
            ]
            opened = {row[0]: row[1:] for row in await page.ask(f"{ROWS}('.opened')")}
            assert opened["Service level"] == ["40.0 %\n12 / 30", "90.0 %", "▼ 50 points"]
            assert opened["Workload in agents"] == ["10.4", "6", "▲ 73 %"]
            assert opened["Contacts handled"] == ["26", "18", "▲ 44 %"]
            assert opened["Contacts abandoned"] == ["2", "2", "0 %"]
            assert await page.ask("document.querySelector('.course').getAttribute('aria-valuetext')") == (
                "08:00 to 08:15: Contacts offered 30, Service level 40.0 %"
            )
            behind = await page.ask("document.querySelector('.opened a').getAttribute('href')")
            assert {"view=contacts", "of=sales", "kpi=service_level", "span=interval_15m"} <= {*behind.lstrip("?").split("&")}
            # It is in the address: who gets it sent sees the same.
            assert BAD in await page.ask("decodeURIComponent(location.search)")
            await page.open(url(client, f"?view=queue&of=sales&at={BAD}"))
            await page.until(f"{PANEL}?.innerText.includes('08:00 to 08:15')")
            await page.ask("document.querySelector('.course').focus()")
            await page.press("Home")
            await page.until(f"{PANEL}.innerText.includes('06:00 to 06:15')")
            assert await page.ask(f"{TEXTS}('.opened .said')") == ["Volume, handle time and staff were within 10 % of that day's median."]

            # The day of Tokyo begins at 15:00 UTC: 06:00 is its 16th hour. 72 of 80, 66 of 90, yesterday 32 of 40.
            # Before that nothing is held (·); from nine on it is still to come.
            week = await page.ask(f"{ROWS}('table.week')")
            assert len(week) == 2
            assert week[0][15:20] == ["–", "90\n80", "90\n80", "▼ 73\n90", ""]
            assert week[1][15:20] == ["·", "·", "·", "▼ 80\n40", "–"]
            await page.ask("[...document.querySelectorAll('table.week button')].at(-1).click()")
            await page.until("document.querySelectorAll('.day details tbody tr').length === 4")
            assert (await page.ask(f"{ROWS}('.day details')"))[0] == ["08:00–08:15", "10", "8", "2", "80.0 %\n8 / 10", "5:00", "–"]

            assert await page.ask(f"{TEXTS}('.waits > .said')") == ["210 of 225 answered within 20 s"]
            waits = await page.ask(f"{ROWS}('.waits details')")
            assert waits[3:] == [["up to 20 s", "20", "5"], ["up to 30 s", "10", "0"], ["up to 1:00", "5", "10"]]
            assert await page.ask(f"{ROWS}('.ways')") == [["overflow", "7", "2.8 %"], ["voicemail", "3", "1.2 %"]]

            assert page.complaints == []
            assert [address for address in page.requested if not address.startswith((url(client), "blob:"))] == []
            # The library is loaded by views that chart alone.
            await page.open(url(client))
            await page.until("document.querySelectorAll('#queues tbody tr').length === 2")
            # From the day of a queue to its page: a click, or two taps.
            for _ in range(2):
                await page.ask("document.querySelector('#queues tr[data-queue=sales] td.trend').click()")
            await page.until(f"{DRAWN}('.course')")
            del page.requested[:]
            await page.open(url(client, "?view=goals"))
            await page.until("document.querySelectorAll('.by_queue tbody tr').length === 4")
            assert [address for address in page.requested if "vendor" in address] == []

            # Five minutes later: five calls have come and ten people were at work in the third of the interval that is over.
            backend.clock.seconds += 300
            backend.store.feed(*progress(0, revision=2, as_of="2026-04-01T09:05:00Z", complete_through="2026-04-01T09:05:00Z"))
            backend.store.feed(*interval(NOW, 5, 4, 300, 2))
            backend.store.feed(*staff(NOW, 10 / 3, complete_through="2026-04-01T09:05:00Z"))
            for lang in ("ja", "en"):
                await page.open(url(client, f"?view=queue&of=sales&lang={lang}&at=2026-04-01T09:00:00.000Z"))
                await page.until(f"{DRAWN}('.course') && {PANEL}.querySelector('h4')")
                await page.photograph(tmp_path / f"so-far-{lang}.png")
            assert await page.ask(f"{TEXTS}('.opened :is(h4, .said)')") == [
                "09:00 to 09:15 (so far)",
                "So far handle time and staff are within 10 % of that day's median. Numbers of contacts still grow.",
            ]
            opened = {row[0]: row[1:] for row in await page.ask(f"{ROWS}('.opened')")}
            # 4 of 5 beside 18 of 20: shares are compared, numbers that still grow are not.
            assert opened["Service level"] == ["80.0 %\n4 / 5", "90.0 %", "▼ 10 points"]
            assert (opened["Contacts offered"], opened["Contacts handled"]) == (["5", "20", "–"], ["2", "18", "–"])
            assert (opened["Agents at work (tokyo)"], opened["Workload in agents"]) == (["10", "10", "0 %"], ["–", "6", "–"])
            assert (await page.ask(f"{ROWS}('.day details')"))[-1] == [
                "09:00–09:15 (so far)", "5", "3", "2", "80.0 %\n4 / 5", "5:00", "10",
            ]  # fmt: skip
            assert (await page.ask(f"{ROWS}('table.week')"))[0][19] == "▼ 80\n5…"
            assert page.complaints == []

    run(check())


def test_what_is_shown_as_files(tmp_path: Path) -> None:
    """The picture is a PNG of the charts, CSV has the queue's rows; on paper there are figures without choices."""

    async def check() -> None:
        async with client_of(serving(center(), tmp_path)) as client, Chromium(width=1400, height=1000) as page:
            await page.open(url(client, "?view=queue&of=sales"))
            await page.until(f"{DRAWN}('.waits .chart')")
            await page.ask("""(() => {
              window.saved = [];
              const make = URL.createObjectURL;
              URL.createObjectURL = blob => { window.saved.push(blob); return make(blob); };
              HTMLAnchorElement.prototype.click = function () { window.named = this.download; };
            })()""")
            await page.ask("document.querySelector('.files .png').click()")
            await page.until("window.saved.length === 1")
            # The signature of a PNG, and its width and height: as wide as the charts, higher than three of them.
            head = await page.ask("window.saved[0].slice(0, 24).arrayBuffer().then(b => [...new Uint8Array(b)])")
            assert bytes(head[:8]) == b"\x89PNG\r\n\x1a\n"
            width, height = (int.from_bytes(bytes(head[at : at + 4])) for at in (16, 20))
            assert width > 1200
            assert height > 220 + 165 + 200
            assert await page.ask("window.named") == "sales-voice-2026-04-01.png"
            await page.ask("document.querySelector('.files .csv').click()")
            await page.until("window.saved.length === 2")
            lines = (await page.ask("window.saved[1].text()")).lstrip("\ufeff").splitlines()
            assert lines[0].startswith("scope_kind,scope,channel,window")
            assert {tuple(line.split(",")[:3]) for line in lines[1:]} == {("queue", "sales", "voice")}
            assert any(
                ",interval_15m,2026-04-01T08:00:00.000Z," in line and ",service_level," in line and ",0.4," in line for line in lines
            )
            await page.media("print")
            hidden = "[...document.querySelectorAll('#options, #views, .files')].every(e => !e.getClientRects().length)"
            assert await page.ask(hidden)
            assert await page.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            assert await page.ask("document.querySelector('.today b').innerText") == "84.0 %"

    run(check())


def test_goals_and_quality(tmp_path: Path) -> None:
    """What restores each target, everything by channel; a sentence a source, dead letters, what counted nothing, what is not measured."""

    async def check() -> None:
        backend = center()
        # 463 were offered in the four queues; 23 of them were passed on from one to another.
        backend.store.feed(*day("total:all", 380, 440, revision=2, by_label=UNCOUNTED))
        async with client_of(serving(backend, tmp_path)) as client, Chromium(width=1400, height=1000) as page:
            await page.open(url(client, "?view=goals"))
            await page.until("document.querySelectorAll('.by_queue tbody tr').length === 4")
            assert await page.ask(f"{TEXTS}('.attained')") == ["1 of 4 service level targets attained today"]
            ways = {row[0].split("\n")[0]: row[4:] for row in await page.ask(f"{ROWS}('.by_queue')")}
            # The farthest from its target first.
            assert list(ways) == ["vip", "sales", "claims", "billing"]
            assert ways["sales"] == ["▼ 84.0 %\n210 / 250", "90 %\nin 20 s", "150 more in a row within 20 s restore 90 %"]
            assert ways["claims"][2] == "17 more in a row within 20 s restore 80 %"
            assert ways["billing"] == ["✓ 90.0 %\n90 / 100", "80 %\nin 20 s", "12 may be missed and 80 % still holds"]
            assert ways["vip"][2] == "100 % cannot be reached again today"
            # Channels are never put together.
            assert [row[:4] for row in await page.ask(f"{ROWS}('.everything')")] == [
                ["Voice", "440\n463 in the queues", "10", "97.7 %\n430 / 440"],
                ["Chat", "40", "10", "75.0 %\n30 / 40"],
            ]
            assert await page.ask(f"{TEXTS}('.everything .meaning')") == [
                "A contact that went through several queues is offered in each of them, and once in the total: the queues add up to more."
            ]
            assert (await page.ask(f"{ROWS}('.other')"))[0][:3] == ["Abandonment rate\nQueue sales", "4.0 %\n10 / 250", "5 %"]
            # To the queue in one click.
            await page.ask("[...document.querySelectorAll('.by_queue a')].find(e => e.innerText === 'sales').click()")
            await page.until(f"{DRAWN}('.course')")

            await page.open(url(client, "?view=quality"))
            await page.until("document.querySelectorAll('.sources tbody tr').length === 5")
            sources = {row[0].split("\n")[0]: row[1:] for row in await page.ask(f"{ROWS}('.sources')")}
            assert list(sources) == ["chat", "mail", "never", "cdr", "pbx"]
            assert sources["mail"] == [
                "▲ silent", "08:00:00\n1 h ago",
                "mail has sent nothing since 08:00:00 UTC, for 1 h: figures of claims lack its later events.",
            ]  # fmt: skip
            assert [row[0] for row in sources.values()] == ["■ quarantined", "▲ silent", "▲ never seen", "● receiving", "● receiving"]
            assert await page.ask(f"{ROWS}('.dead')") == [
                ["agent-events-dead-letters.v1", "0", "0", "0"],
                ["contact-events-dead-letters.v1", "0", "up to 6", "up to 9"],
            ]
            assert await page.ask(f"{ROWS}('.uncounted')") == [
                ["the begin is not known\nno_begin", "5", "Total · Voice"], ["no leg of an agent\nno_leg", "2", "Total · Voice"],
            ]  # fmt: skip
            # AHT of 10 of 20, of 63 of 73, of 80 of 90 and of 230 of 240 contacts.
            assert await page.ask(f"{ROWS}('.coverage')") == [
                ["Average handle time", "50 %", "Queue vip · Voice"], ["Average handle time", "86 %", "Queue claims · Voice"],
                ["Average handle time", "89 %", "Queue billing · Voice"], ["Average handle time", "96 %", "Queue sales · Voice"],
            ]  # fmt: skip
            assert await page.ask(f"{TEXTS}('.complete')") == ["Figures are complete through 08:59:55: nothing earlier is still to come."]
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(("width", "height"), [pytest.param(1400, 1000, marks=pytest.mark.nightly), (390, 844)], ids=["wide", "narrow"])
def test_in_japanese_and_on_a_phone(tmp_path: Path, width: int, height: int) -> None:
    """But for names every word is Japanese, in both colors all can be read, and nothing runs out of its box or of the page."""

    async def check() -> None:
        async with client_of(serving(center(), tmp_path)) as client, Chromium(width=width, height=height) as page:
            for view, there in (
                (f"queue&of=sales&at={BAD}", f"{DRAWN}('.waits .chart') && {PANEL}?.innerText"),
                ("goals", "document.querySelectorAll('.by_queue tbody tr').length === 4"),
                ("quality", "document.querySelectorAll('.sources tbody tr').length === 5"),
            ):
                for theme in ("light", "dark"):
                    await page.open(url(client, f"?lang=ja&theme={theme}&view={view}"))
                    await page.until(there)
                    text = re.sub(NAMES, "", await page.ask(PAGE_TEXT))
                    assert re.findall(r"[A-Za-z]{2,}", text) == [], view
                    assert await page.ask(FAINT) == [], (view, theme)
                assert await page.ask("document.documentElement.scrollWidth <= innerWidth"), view
                assert await page.ask(OUTSIDE) == [], view
            await page.open(url(client, f"?lang=ja&view=queue&of=sales&at={BAD}"))
            await page.until(f"{PANEL}?.innerText")
            assert await page.ask(f"{TEXTS}('.opened .said')") == [
                (
                    "当日の他の時間帯との違い：着信数・問い合わせ件数 30（中央値20より50%多い）、"
                    "平均処理時間 (AHT) 6:00（中央値5:00より20%多い）、稼働人数（tokyo） 8（中央値10より20%少ない）。"
                )
            ]
            await page.open(url(client, "?lang=ja&view=goals"))
            await page.until("document.querySelectorAll('.by_queue tbody tr').length === 4")
            assert "あと17件を続けて20秒以内に応答すれば80%に回復" in await page.ask("document.querySelector('.by_queue').innerText")
            # The total is what its queues add up to: there is nothing to explain.
            assert await page.ask(f"{TEXTS}('.everything .meaning')") == []
            assert page.complaints == []

    run(check())
