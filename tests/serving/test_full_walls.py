"""Walls hold their texts: none lies over another, and a name is cut only where its row is full, beside the widest of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from streams.catalogue import LANGUAGES
from streams.configuration.boards import USUAL_BOARDS
from tests.serving.chromium import Chromium, binary
from tests.serving.records import client_of, figure, now_record, people_window, window
from tests.serving.test_dense_wall import SIZES, backend, pictures, queue, targets
from tests.serving.test_page import run, url
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

    from streams.catalogue.words import Language
    from tests.serving.records import Backend

__all__ = ["pictures"]

pytestmark = pytest.mark.browser

#: What is seen of each text on the page, and of each mark that a style draws: its element, its words, and where, without what boxes hide.
_SEEN = """
  const clipped = (rect, from) => {
    let [left, top, right, bottom] = [rect.left, rect.top, rect.right, rect.bottom];
    for (let a = from; a && a !== document.body; a = a.parentElement) {
      if (getComputedStyle(a).overflowX === 'visible') continue;
      const box = a.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return { left, top, right, bottom };
  };
  const shown = e => e.checkVisibility({ visibilityProperty: true }) && !e.closest('.unseen, [popover], dialog, svg, h1')
    && getComputedStyle(e.closest('thead') ?? e).clipPath === 'none' && getComputedStyle(e.closest('section') ?? e).clipPath === 'none';
  const range = document.createRange();
  const texts = [...document.body.querySelectorAll('*')].filter(shown).flatMap(e => {
    const own = [...e.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    const drawn = ['::before', '::after'].some(p => !['none', 'normal', '""', "''"].includes(getComputedStyle(e, p).content));
    const inline = getComputedStyle(e).display.startsWith('inline');
    const rects = own.map(n => { range.selectNodeContents(n); return range.getBoundingClientRect(); });
    if (drawn && inline) rects.push(e.getBoundingClientRect());
    // Of a line what letters take up: neither the space above capitals nor all of the space below the baseline.
    const letters = ({ left, right, top, height }) => ({ left, right, top: top + 0.14 * height, bottom: top + 0.86 * height });
    return rects.map(rect => ({ e, text: own.map(n => n.data).join(''), ...clipped(letters(rect), e) }));
  }).filter(r => r.right - r.left > 1 && r.bottom - r.top > 1);
"""
#: The number of digits that a column may keep free, as for the next one of its figures.
ALLOWED = 4
#: Pairs of texts of which one lies over another.
OVER = f"""(() => {{
  {_SEEN}
  const found = [];
  for (const one of texts) for (const other of texts) {{
    if (one.e === other.e || one.e.contains(other.e) || other.e.contains(one.e)) continue;
    const x = Math.min(one.right, other.right) - Math.max(one.left, other.left);
    const y = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
    if (x > 1.5 && y > 1.5) found.push([one.text || one.e.className, other.text || other.e.className].sort().join(' | '));
  }}
  return [...new Set(found)];
}})()"""
#: Names that are cut in rows that have room for more of them: each with how much is missing, and how much room there is, in digits.
#: The room of a row is what its columns have beyond their widest text, and of a cell what its name has beside it.
CUT_WITH_ROOM = f"""(() => {{
  {_SEEN}
  const within = box => texts.filter(({{ e }}) => box.contains(e));
  const room = new Map();
  for (const table of document.querySelectorAll('main table')) {{
    if (!table.checkVisibility() || getComputedStyle(table).display !== 'table') continue;
    const head = [...table.tHead.rows[0].cells];
    const rows = [...table.rows].filter(row => row.checkVisibility());
    let sum = 0;
    head.forEach((column, n) => {{
      if (column.matches('.name, .trend')) return;
      const wide = rows.map(row => row.cells[n]).map(cell => {{
        const inside = within(cell);
        return inside.length ? Math.max(...inside.map(r => r.right)) - Math.min(...inside.map(r => r.left)) : 0;
      }});
      const style = getComputedStyle(rows.at(-1).cells[n]);
      sum += column.getBoundingClientRect().width - Math.max(...wide) - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    }});
    room.set(table, sum);
  }}
  const names = [...document.querySelectorAll('main .head')].filter(e => shown(e) && e.scrollWidth > e.clientWidth + 1);
  return names.map(head => {{
    const name = head.parentElement;
    const digit = parseFloat(getComputedStyle(name).fontSize) * 0.56;
    const table = head.closest('table');
    const cell = head.closest('th, li');
    const {{ bottom }} = name.getBoundingClientRect();
    const others = within(cell).filter(({{ e }}) => !name.contains(e) && e.getBoundingClientRect().top < bottom);
    const used = [...others, ...within(name)].reduce((sum, r) => sum + r.right - r.left, 0);
    const style = getComputedStyle(cell);
    const left = cell.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - used;
    const beside = table ? room.get(table) ?? 0 : 0;
    return [name.title, Math.round((head.scrollWidth - head.clientWidth) / digit), Math.round((beside + left) / digit)];
  }}).filter(([, , width]) => width > {ALLOWED});
}})()"""


#: Until what was drawn has been laid out.
FRAMES = "new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 100))"


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def full(number: int) -> Backend:
    """Return a center with this number of queues whose figures are as wide as figures get, with a second definition of every level."""
    made = backend(number, alerts=max(1, number // 2))
    for n in range(number):
        channel = ("voice", "voice", "chat", "mail")[n % 4]
        level = figure(1.0, 1000, 1000, 1) if n % 3 == 0 else figure(0.759, 759, 1000, 1)
        kpis = {"service_level_live": level, "service_level": level, "asa": figure(18, 18, 1), "aht": figure(3723, 3723, 1)}
        beside = {"strict@1": {"service_level_live": level}}
        key, value = window(
            f"queue:{queue(n)}", channel, kpis={**kpis, "abandon_rate": figure(0.125, 125, 1000)}, by_definition=beside, revision=2
        )
        assert made.store.feed(key, value)
        waits = {"waiting": n + 1, "waiting_since": "2026-03-31T08:00:00Z", "in_progress": 3, "revision": 2}
        backlog = {}
        if channel == "mail":
            backlog = {"backlog_untouched": 3, "backlog_in_progress": 1, "backlog_waiting_on_customer": 12, "backlog_on_hold": 0}
        assert made.store.feed(*now_record(f"queue:{queue(n)}", channel, **backlog, **waits))
    for channel in ("voice", "chat", "mail"):
        kpis = {"service_level_live": figure(1.0, 50, 50, 1), "abandon_rate": figure(0.062, 31, 500), "asa": figure(3723, 1, 1)}
        assert made.store.feed(*window("total:all", channel, kpis={**kpis, "aht": figure(412, 1, 1), "offered": figure(12345, 12345)}))
    assert made.store.feed(*people_window("total:all", figure(1.0, 81, 81, 1)))
    return made


def walls(number: int) -> dict[str, tuple[str, int]]:
    """Return the walls by name: the query of each, and how many pages are checked."""
    boards = {f"board-{name}": (f"view=board&board={name}", len(board["pages"])) for name, board in USUAL_BOARDS.items()}
    one = f"view=wall&queue={quote(queue(min(2, number - 1)))}"
    return {"wall": ("view=wall", 2 if number > 7 else 1), "one": (one, 1), "map": ("view=map", 1), **boards}


async def look(page: Chromium, client: Any, language: Language, number: int, folder: Path, width: int, only: tuple[str, ...] = ()) -> Any:
    """Return what is wrong with the walls of a center, by wall and page."""
    wrong: dict[str, Any] = {}
    for name, (query, pages) in walls(number).items():
        if only and name not in only:
            continue
        await page.open(url(client, f"?{query}&lang={language}&rotate=0"))
        ready = "'.board .tile'" if "board" in name else "'#queues tbody tr'"
        await page.until(
            f"document.querySelector({ready}) && document.querySelector('#alerts li .figure')?.innerText"
            " && !document.body.matches('.stale')"
        )
        await page.ask(FRAMES)
        for turn in range(pages):
            await page.photograph(folder / f"full-{name}-{turn}-{number}-{language}-{width}.png")
            found = {"over": await page.ask(OVER), "cut": await page.ask(CUT_WITH_ROOM)}
            if any(found.values()):
                wrong[f"{name} {turn}"] = {kind: texts for kind, texts in found.items() if texts}
            await page.press("ArrowRight")
            await page.ask(FRAMES)
    return wrong


def test_walls_hold_their_texts(pictures: Path) -> None:
    """Seven queues, two of which have long names; what lies over another, and what is cut for nothing, would be found."""

    async def check() -> None:
        async with client_of(full(7).serving(targets=targets(7))) as client, Chromium(width=1920, height=1080) as page:
            assert await look(page, client, "en", 7, pictures, 1920, ("board-floor", "one", "map", "wall")) == {}
            await page.open(url(client, "?view=wall&rotate=0"))
            await page.until("document.querySelector('.beside em')?.innerText && document.querySelector('#queues thead .name').style.width")
            await page.ask("document.querySelector('.beside').style.cssText = 'left: auto; right: 0'")
            assert await page.ask(OVER) != []
            await page.ask("document.querySelector('#queues thead .name').style.width = '150px'")
            assert await page.ask(CUT_WITH_ROOM) != []

    run(check())


@pytest.mark.nightly
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("number", [1, 7, 60])
def test_all_walls_hold_their_texts(number: int, width: int, height: int, language: Language, pictures: Path) -> None:
    """Each of them, with its pages, in both languages."""

    async def check() -> None:
        async with client_of(full(number).serving(targets=targets(number))) as client, Chromium(width=width, height=height) as page:
            assert await look(page, client, language, number, pictures, width) == {}
            assert page.complaints == []

    run(check())
