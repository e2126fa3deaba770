"""A center that has something of everything, open in one browser; and hands that click there and count."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from schemas.times import parse_time_ms
from streams.catalogue import KPI_BY_ID, WORDS
from streams.configuration.access_places import places_by_scope
from streams.configuration.file import ConfigurationFile
from streams.serving.agents import Agents
from streams.serving.call_backs import CallBacks, contacts_of, links_of
from streams.serving.dead_letters import Dead, DeadLetterCounts
from streams.serving.event_log import Limits
from streams.serving.explainer import Explainer
from streams.serving.people import People
from streams.windows.targets import terms_of
from tests.serving import detail_center
from tests.serving.alerting.memory import MemoryActionLog, known_actions
from tests.serving.chromium import Chromium
from tests.serving.detail_center import NOW, day
from tests.serving.held_log import HeldLog
from tests.serving.records import alert, client_of, figure, now_record, people_now, people_window, person, window
from tests.serving.test_floor_page import CONTACTS, NAMES, agent_events
from tests.serving.test_floor_page import NOW as DOING
from tests.serving.test_outlook import last_hour, records

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from streams.catalogue.words import Language
    from streams.serving.api import Serving

__all__ = ["MOST_CLICKS", "Asking", "Hands", "asking", "center", "table_of"]

#: An answer is no further away than this.
MOST_CLICKS: Final = 3
#: When the overview has everything, so that nothing moves any more while one reaches for it: rights, the course of the day, sentences.
_DRAWN: Final = """!document.querySelector('#queues') || (document.querySelector('#queues[data-opens] tbody td.trend svg')
  && document.querySelector('#alerts li .figure, #alerts[hidden]')
  && (document.getElementById('silent').hidden || /Call |連絡先/.test(document.getElementById('silent').innerText)))"""
_SIZE: Final = (1500, 1000)
#: An element that is not clickable after this time never will be.
_SECONDS: Final = 10.0
#: Where pictures to be looked at go; none are made without it.
PICTURES: Final = "WALLBOARD_SCREENSHOTS"

_VOICE: Final = {"sales": "tokyo", "desk": "tokyo", "claims": "osaka", "billing": "osaka", "vip": "osaka", "idle": "osaka"}
_DESK: Final = {"channel": "voice", "target": 0.75}
_WRITTEN: Final[dict[str, Any]] = {
    "sites": {name: {"zone": "Asia/Tokyo", "individual_figures": True} for name in ("tokyo", "osaka")},
    "teams": {"north": {"site": "tokyo"}, "south": {"site": "osaka"}},
    "people": {name: {"team": team} for team, names in NAMES.items() for name in names},
    "links": {"conversation": "https://pbx.example/calls/{conversation_id}"},
    "on_call": {"default": "IT 4000", "sources": {"mail": "Mail 4200"}},
    "targets": detail_center.WRITTEN["targets"],
    "queues": {
        **{
            name: {"sources": ["pbx"], **detail_center.WRITTEN["queues"].get(name, _DESK), "site": site, "department": "calls"}
            for name, site in _VOICE.items()
        },
        "support": {"channel": "chat", "site": "tokyo", "department": "written", "sources": ["pbx"]},
        "letters": {"channel": "mail", "site": "osaka", "department": "written", "sources": ["mail"]},
    },
}
_HOUR_MS: Final = 3_600_000
#: Queue → of the last quarter of an hour: in time, decided, answered.
_QUARTER: Final = {"sales": (31, 50, 45), "desk": (56, 80, 70), "claims": (30, 40, 36), "billing": (21, 30, 28), "vip": (9, 10, 9)}


def _start_of(record: tuple[bytes, bytes]) -> int:
    return parse_time_ms(orjson.loads(record[1])["window_start"])


def _records() -> Iterator[tuple[bytes, bytes]]:
    """Yield what there is beside the morning of detail_center: a last quarter of an hour, chat, mail, a queue with an outlook, teams."""
    for name, (met, counted, answered) in _QUARTER.items():
        level = figure(met / counted, met, counted, 1)
        counts = {"answered": figure(answered, answered), "offered": figure(counted, counted)}
        kpis = {"service_level_live": level, "service_level": level, **counts, "abandon_rate": figure(0.1, counted / 10, counted, 1)}
        times = {kpi: figure(seconds, seconds * answered, answered, 1) for kpi, seconds in (("asa", 18), ("aht", 310))}
        yield window(f"queue:{name}", kpis={**kpis, **times})
        if name not in {"sales", "claims"}:
            yield now_record(f"queue:{name}", waiting=0, in_progress=1)
    yield window("queue:support", "chat", kpis={"service_level_live": figure(0.6, 12, 20, 1), "answered": figure(19, 19)})
    for scope in ("queue:support", "total:all"):
        yield now_record(scope, "chat", waiting=3, waiting_since="2026-04-01T08:55:00Z", in_progress=4)
    for scope in ("queue:letters", "total:all"):
        yield now_record(scope, "mail", waiting=1, waiting_since="2026-04-01T06:00:00Z", in_progress=0)
    yield now_record("total:all", waiting=2, waiting_since="2026-04-01T08:59:19Z", in_progress=9)
    yield from (record for record in records("desk") if not NOW - 18 * _HOUR_MS <= _start_of(record) < NOW - 3 * _HOUR_MS)
    yield last_hour("desk")
    yield day("desk", 60, 80)
    # 452 of 543: with the 60 of 80 of desk beside the 392 of 463 of the others.
    yield day("total:all", 452, 543, revision=2)
    for team, busy in (("north", 5), ("south", 3)):
        yield people_window(f"team:{team}", figure(0.8, 80, 100, 1))
        yield people_now(f"team:{team}", {"handling": busy, "idle": 1, "unavailable": 2})


def _alerts() -> Iterator[tuple[bytes, bytes]]:
    """Yield eight: that of sales fired at 55 %, and now it is 62 %; it has fired for six minutes."""
    yield alert(value=0.55, below=0.9, clear_at=0.9)
    for minute, (name, below) in enumerate((("vip", 1.0), ("billing", 0.8), ("claims", 0.8), ("desk", 0.75))):
        yield alert(f"queue:{name}", severity="warning", since=f"2026-04-01T08:4{minute}:00Z", below=below, clear_at=below)
    waiting: dict[str, Any] = {"rule": "long-wait", "severity": "warning", "kpi": "longest_wait", "window": None, "below": None}
    for name, channel in (("support", "chat"), ("letters", "mail"), ("sales", "voice")):
        yield alert(f"queue:{name}", channel, alert_id=f"long-{name}", value=21, above=20, clear_at=20, **waiting)


def center(folder: Path) -> Serving:
    """Return what serves it, with its configuration in a file of a folder."""
    path = folder / "configuration.yaml"
    path.write_text(orjson.dumps(_WRITTEN).decode(), encoding="utf-8")
    file = ConfigurationFile(path, NOW)
    stand = detail_center.center().with_alerts(*_alerts())
    for key, value in _records():
        assert stand.store.feed(key, value), key
    stand.store.expected = frozenset({"never"})
    read, agents, counts, actions = Agents(), Agents(), DeadLetterCounts(), known_actions()
    for number, name in enumerate(DOING):
        assert read.feed(*person(name, kpis={"occupancy": figure(0.6 + 0.03 * number, 600, 1000, 1)}, counts={"handled": 9 + number}))
    agents.take_over(read)
    counts.update({"contact-events-dead-letters.v1": Dead(0, 6, 9), "agent-events-dead-letters.v1": Dead(0, 0, 0)}, NOW)
    actions.concerns = stand.alerts.resend
    queues = file.running.queues
    contacts = contacts_of(HeldLog(CONTACTS), lambda: file.running, stand.clock)
    serving = stand.serving(
        targets={name: queue.target for name, queue in queues.items() if queue.target is not None},
        kpi_targets=terms_of(file.running),
        fed_by={f"queue:{name}": queue.sources for name, queue in queues.items() if queue.sources},
        file=file,
        dead_letters=counts,
        agents=agents,
        people=People(HeldLog(agent_events()), lambda: file.running, stand.clock, contacts),
        explainer=Explainer(HeldLog(CONTACTS), lambda: file.running, Limits()),
        call_backs=CallBacks(contacts, links_of(HeldLog([]), lambda: file.running, stand.clock)),
        action_log=MemoryActionLog(actions),
    )
    figures = serving.figures
    figures.actions, figures.on_call, figures.places = actions, file.running.on_call, places_by_scope(file.running)
    figures.past.known = True
    return serving


#: The middle of the first element that is seen, holds a text, does not move, and that nothing covers; null while there is none.
_PLACE = """(async (selector, text, across) => {
  const seen = [...document.querySelectorAll(selector)].filter(e => e.checkVisibility({ visibilityProperty: true }));
  const said = e => (e.innerText || e.value || e.ariaLabel || '').trim();
  const found = text === null ? seen[0] : seen.find(e => said(e) === text) ?? seen.find(e => said(e).includes(text));
  if (!found || found.disabled) return null;
  found.scrollIntoView({ block: 'nearest', behavior: 'instant' });
  const place = () => (r => [r.x + r.width * across, r.y + r.height / 2])(found.getBoundingClientRect());
  const before = place();
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const [x, y] = place();
  const top = document.elementFromPoint(x, y);
  return x === before[0] && y === before[1] && found.contains(top) ? [x, y] : null;
})"""
#: Of each row that is seen the texts of each cell that is, one an element.
_ROWS = """(selector => {
  const seen = e => e.checkVisibility({ visibilityProperty: true });
  const own = e => [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join('').trim();
  const texts = e => [e, ...e.querySelectorAll('*')].filter(each => seen(each) && own(each)).map(own);
  return [...document.querySelectorAll(selector)].filter(seen).map(row => [...(row.cells ?? row.children)].filter(seen).map(texts));
})"""


class Hands:
    """Click, type and read on the page that is open; each click is counted, as is what is typed into a field. Scrolling is not."""

    def __init__(self, page: Chromium, language: Language) -> None:
        self.page = page
        self.language: Language = language
        self.words = WORDS[language]
        self.way: list[str] = []

    def word(self, name: str, **blanks: Any) -> str:
        """Return a word of the page as a heading has it."""
        text = self.words[name].format(**blanks)
        return text[:1].upper() + text[1:]

    def kpi(self, name: str) -> str:
        """Return the name of a figure as a heading has it."""
        text = getattr(KPI_BY_ID[name], self.language)
        return str(text[:1].upper() + text[1:])

    def percent(self, text: str) -> str:
        """Return a number as the page writes percentages."""
        return text + ("%" if self.language == "ja" else " %")

    async def click(self, step: str, selector: str, text: str | None = None, *, across: float = 0.5) -> None:
        """Click with the mouse: the middle of what is seen, or ``across`` of its width."""
        place, before = await self._place(selector, text, across), None
        # As one who looks: what still moves is not clicked on.
        for _ in range(50):
            if place == before:
                break
            await asyncio.sleep(0.1)
            place, before = await self._place(selector, text, across), place
        await self.page.click(*place)
        self.way.append(step)

    async def fill(self, step: str, selector: str, text: str) -> None:
        """Click into a field and type: one step."""
        await self.page.click(*await self._place(selector, None, 0.5))
        await self.page.until(f"document.activeElement === document.querySelector({selector!r})")
        for character in text:
            await self.page.press(character)
        self.way.append(step)

    async def choose(self, step: str, selector: str, value: str) -> None:
        """Open the list that has an entry and click on that: two clicks. Browsers draw lists themselves: the second is made by script."""
        selector += f":has(option[value='{value}'])"
        await self.page.click(*await self._place(selector, None, 0.5))
        chosen = f"""(list => {{
          if (![...list.options].some(each => each.value === {value!r} && !each.disabled)) return false;
          list.value = {value!r};
          list.dispatchEvent(new Event('change', {{ bubbles: true }}));
          return true;
        }})(document.querySelector({selector!r}))"""
        await self.page.press("Escape")
        await self.page.until(chosen)
        self.way += [step, "an entry of the list"]

    async def rows(self, selector: str, number: int | None = None) -> list[list[list[str]]]:
        """Return the texts of the cells of rows that are seen, once there are ``number``, or any."""
        seen = f"{_ROWS}({selector!r})"
        await self.page.until(f"{seen}.length === {number}" if number is not None else f"{seen}.length")
        found: list[list[list[str]]] = await self.page.ask(seen)
        return found

    async def text(self, selector: str, part: str | None = None) -> str:
        """Return the text of the first element that is seen, once it holds a part of it."""
        seen = f"[...document.querySelectorAll({selector!r})].find(e => e.checkVisibility())?.innerText"
        await self.page.until(seen if part is None else f"{seen}?.includes({part!r})")
        found: str = await self.page.ask(seen)
        return found

    async def _place(self, selector: str, text: str | None, across: float) -> list[float]:
        arguments = orjson.dumps([selector, text, across]).decode()[1:-1]
        deadline = asyncio.get_running_loop().time() + _SECONDS
        while (place := await self.page.ask(f"{_PLACE}({arguments})")) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"nothing to click on: {selector} {text}\n{await self.page.ask('document.body.innerText')}")
            await asyncio.sleep(0.02)
        found: list[float] = place
        return found


class Asking:
    """One browser with one page, and the addresses of servers by name."""

    def __init__(self, runner: asyncio.Runner, page: Chromium, addresses: dict[str, str]) -> None:
        self._runner = runner
        self._page = page
        self._addresses = addresses

    def __call__(
        self,
        way: tuple[str, ...],
        language: Language,
        answer: Callable[[Hands], Awaitable[None]],
        *,
        server: str = "center",
        picture: str = "",
    ) -> None:
        """Open the overview as it is by default, find an answer, and compare the steps taken with the documented ones."""

        async def check() -> None:
            page = self._page
            await page.forget()
            page.complaints.clear()
            await page.resize(*_SIZE)
            await page.open(self._addresses[server] + ("" if language == "en" else f"?lang={language}"))
            await page.until(_DRAWN)
            hands = Hands(page, language)
            await answer(hands)
            folder = os.environ.get(PICTURES)
            if folder:
                await page.photograph(Path(folder) / f"{picture}-{language}.png")
            assert tuple(hands.way) == way
            assert len(way) <= MOST_CLICKS
            assert page.complaints == []
            assert await page.ask("localStorage.length + sessionStorage.length") == 0

        self._runner.run(asyncio.wait_for(check(), 60))


@contextlib.contextmanager
def asking(**servers: Serving) -> Iterator[Asking]:
    """Run servers by name and a browser for as long as a file of tests asks."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def begin() -> Asking:
            clients = {name: await stack.enter_async_context(client_of(serving)) for name, serving in servers.items()}
            page = await stack.enter_async_context(Chromium())
            return Asking(runner, page, {name: str(client.make_url("/")) for name, client in clients.items()})

        try:
            yield runner.run(begin())
        finally:
            runner.run(stack.aclose())


def table_of(ways: dict[str, tuple[str, ...]]) -> str:
    """Return the rows of the table in docs/operations.md: what is asked, and the way from the overview."""
    return "\n".join(f"| {asked} | {' → '.join(way) or 'on the overview'} |" for asked, way in ways.items())
