"""Boards: refused files, the parts that each view gets, and how they look in a real browser while their file changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.access.views import EVERYTHING, Area, view_of
from streams.catalogue import WORDS
from streams.configuration import Configuration, ConfigurationError, load_configuration
from streams.configuration.access_places import places_of
from streams.configuration.boards import USUAL_BOARDS, Board
from streams.configuration.file import ConfigurationFile
from streams.serving.boards import boards_of
from tests.serving.chromium import Chromium, binary
from tests.serving.page_views import CUT
from tests.serving.records import Backend, alert, client_of, figure, now_record, people_window, progress, window
from tests.serving.test_dense_wall import ARC, backend, pictures
from tests.serving.test_page import run, url
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

    from streams.catalogue.words import Language

__all__ = ["pictures"]


@pytest.fixture
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def page_of(*tiles: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the configuration of a board with one page."""
    return {"boards": {"hall": {"title": {"en": "Hall"}, "pages": [{"columns": 2, "rows": 2, "tiles": list(tiles), **changes}]}}}


WAITING = {"kind": "figure", "kpi": "waiting", "channel": "voice"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown KPI": ({**WAITING, "kpi": "waitin"}, "'waitin' is no figure of now or of trailing windows, did you mean waiting?"),
    "of days alone": ({**WAITING, "kpi": "forecast_contacts"}, "'forecast_contacts' is no figure of now or of trailing windows"),
    "channels mixed": ({"kind": "figure", "kpi": "waiting"}, "channels are never mixed in one figure; permitted: a channel"),
    "people by channel": ({"kind": "figure", "kpi": "occupancy", "channel": "voice"}, "occupancy is about agents, who have no channel"),
    "many scopes": ({**WAITING, "scope": "queue:*"}, "a tile shows one scope; permitted: a name in place of *"),
    "bounds the wrong way": ({**WAITING, "warn": 9, "bad": 5}, "bad comes after warn"),
    "no good direction": ({**WAITING, "kpi": "offered", "bad": 5}, "of offered neither more nor less is better"),
    "too wide": ({**WAITING, "width": 3}, "tile 1 is 3 by 1; permitted: 2 by 2, as the page"),
    "no text": ({"kind": "text", "text": {}}, "permitted: en, ja, or both"),
    "a severity that there is not": ({"kind": "alerts", "severities": ["loud"]}, 'found "loud"; permitted: warning, critical'),
    "figures on a map": ({"kind": "map", "columns": ["waiting"]}, "columns: unknown key"),
    "a column that queues have not": ({"kind": "queues", "columns": ["occupancy"]}, "'occupancy' is no figure of queues"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_faulty_board_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    """With its location in the file and what is permitted."""
    tile, message = REFUSED[name]
    file = tmp_path / "center.yaml"
    file.write_bytes(orjson.dumps(page_of(tile)))
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(file)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{file}:1: boards.hall.pages.0")
    assert message in line


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [
        ([(1, 1)] * 4, True),
        ([(1, 1)] * 5, False),
        ([(2, 1), (1, 1), (1, 1)], True),
        ([(1, 1), (2, 1), (1, 1)], True),  # the last one goes where there is room beside the first
        ([(1, 2), (1, 2), (1, 1)], False),
        ([(1, 1), (1, 2), (1, 1)], True),
        ([(1, 1), (2, 2)], False),
    ],
)
def test_tiles_fit_as_a_grid_places_them(sizes: list[tuple[int, int]], *, fits: bool) -> None:
    """On two by two places: what a browser would put on a third row is refused."""
    content = page_of(*({**WAITING, "width": width, "height": height} for width, height in sizes))
    if fits:
        assert len(Configuration.model_validate(content).boards["hall"].pages[0].tiles) == len(sizes)
    else:
        with pytest.raises(ValueError, match=r"the tiles do not fit|tile \d is"):
            Configuration.model_validate(content)


PLACED = Configuration.model_validate(
    {
        "sites": {name: {"zone": "Asia/Tokyo"} for name in ("kanto", "kansai")},
        "queues": {"sakura": {"site": "kanto", "department": "ume"}, "ajisai": {"site": "kansai", "department": "ume"}},
        **page_of(
            {**WAITING, "scope": "queue:sakura"},
            {**WAITING, "scope": "queue:ajisai"},
            {"kind": "queues", "queues": ["ajisai", "sakura"]},
            {"kind": "queues", "site": "kansai"},
            {"kind": "map", "queues": ["ajisai", "sakura"]},
            {"kind": "map", "site": "kansai"},
            {"kind": "alerts", "queues": ["ajisai"]},
            {"kind": "alerts", "site": "kanto"},
            columns=4,
        ),
    }
)


def test_a_board_shows_what_its_viewer_may_see() -> None:
    """Tiles about hidden scopes are left out, lists name seen queues alone; a board with nothing left is absent."""
    places = places_of(PLACED)
    kanto = boards_of(PLACED.boards, view_of([Area(sites=frozenset({"kanto"}))], [], places))["boards"]
    tiles = [(tile["kind"], tile.get("scope"), tile.get("queues")) for tile in kanto["hall"]["pages"][0]["tiles"]]
    assert tiles == [
        ("figure", "queue:sakura", None),
        ("queues", None, ("sakura",)),
        ("map", None, ("sakura",)),
        ("alerts", None, ()),
    ]
    nowhere = boards_of(PLACED.boards, view_of([Area(queues=frozenset({"yurei"}))], [], places))["boards"]
    assert "hall" not in nowhere
    # Of the usual ones what is about everything is left out, and what lists queues stays.
    assert {name: [len(page["tiles"]) for page in board["pages"]] for name, board in nowhere.items()} == {
        "calls": [1],
        "written": [1],
        "floor": [1, 2],
    }
    everything = boards_of(PLACED.boards, EVERYTHING)["boards"]
    assert list(everything) == ["hall", *USUAL_BOARDS]
    assert all(Board.model_validate(board) for board in USUAL_BOARDS.values())


TILES: list[dict[str, Any]] = [
    {"kind": "figure", "kpi": "waiting", "scope": "queue:sales", "warn": 2, "bad": 5},
    {"kind": "figure", "kpi": "service_level_live", "scope": "queue:sales", "channel": "voice"},
    {"kind": "figure", "kpi": "asa", "scope": "queue:nowhere", "channel": "voice"},
    {"kind": "text", "text": {"en": "Call 300", "ja": "内線300"}, "color": "accent"},
]
SHOWN_TILES = """[...document.querySelectorAll('.board .tile')].map(
  e => [e.className, ...[...e.querySelectorAll('b, p, small')].map(t => t.innerText)])"""


@pytest.mark.browser
@pytest.mark.usefixtures("_browser")
def test_a_board_is_shown_and_changes_with_its_file(tmp_path: Path) -> None:
    """Figures with their bounds follow the stream, in the window of the board; another file shows itself, and pages turn by key."""
    file = tmp_path / "center.yaml"
    file.write_bytes(orjson.dumps(page_of(*TILES)))

    async def check() -> None:
        level = {"service_level_live": figure(0.7, 35, 50, 1)}
        held = Backend.fed([progress(), window("queue:sales", kpis=level), now_record("queue:sales", waiting=3)]).with_alerts()
        configured = ConfigurationFile(file, 0)
        async with client_of(held.serving(file=configured, targets={"sales": 0.8})) as client, Chromium(width=1920, height=1080) as page:
            await page.open(url(client, "?view=board"))
            await page.until("document.querySelectorAll('.boards a').length === 4")
            await page.ask("document.querySelector('.boards a').click()")
            await page.until("document.querySelectorAll('.board .tile').length === 4")
            assert await page.ask(SHOWN_TILES) == [
                ["tile figure warn", "3", ""],
                ["tile figure bad", "70.0%", "target 80 % in 20 s"],
                ["tile figure", "–", WORDS["en"]["board.missing"]],
                ["tile text accent", "Call 300"],
            ]
            held.store.feed(*now_record("queue:sales", waiting=5, revision=2))
            await page.until(f"{SHOWN_TILES}[0].join() === 'tile figure bad,5,'")

            board = page_of(*TILES[:1])["boards"]["hall"]
            two = {**board, "window_minutes": 30, "pages": [*board["pages"], {"tiles": [{"kind": "queues"}], "columns": 1, "rows": 1}]}
            configured.mark_running(Configuration.model_validate({"boards": {"hall": two}}), 1)
            held.store.resend_all()  # as serve does then
            await page.until("location.search.includes('window=30') && document.querySelectorAll('.board .tile').length === 1")
            await page.press("ArrowRight")
            await page.until("document.querySelector('.board td.service_level_live')")
            assert await page.ask("document.getElementById('pages').innerText") == "2 / 2"
            # A map and alerts of calls, in place of the queues, without a touch of the screen.
            shown = [{"kind": "map"}, {"kind": "alerts", "channels": ["voice"], "severities": ["critical"]}]
            three = {**two, "pages": [{"tiles": shown, "columns": 2, "rows": 1}]}
            configured.mark_running(Configuration.model_validate({"boards": {"hall": three}}), 2)
            assert held.store.feed(*window("queue:sales", name="trailing_30m", kpis=level))
            held.with_alerts(
                alert(),
                alert("queue:sales", rule="slow", severity="warning"),
                alert("queue:claims", "mail", alert_id="m"),
                alert("total:all"),
            )
            held.store.resend_all()
            await page.until(
                "document.querySelectorAll('.board .map li').length === 1 && document.querySelectorAll('.board .alerts li').length === 2"
            )
            texts = "[...e.children].filter(t => !t.matches('a')).map(t => t.innerText)"
            cell = f"[...document.querySelectorAll('.map li')].map(e => [e.className, e.title, ...{texts}])"
            assert await page.ask(cell) == [["bad", "sales · Voice · Service level 70.0% · Longest wait now –", "sales", "", "70.0%", "–"]]
            where = "[...document.querySelectorAll('.board .alerts li')].map(e => [e.className, e.querySelector('.where').innerText])"
            assert await page.ask(where) == [["critical", "sales · Voice"], ["critical", "Total · Voice"]]
            held.with_alerts(alert(state="cleared"))
            await page.until(f"document.querySelector('.board .alerts .none').innerText === {WORDS['en']['alert.none']!r}")
            await page.press("Escape")
            await page.until("!location.search.includes('view=')")
            assert page.complaints == []

    run(check())


@pytest.mark.browser
@pytest.mark.usefixtures("_browser")
@pytest.mark.parametrize(("language", "width", "height"), [("ja", 1920, 1080), ("en", 390, 844)])
def test_the_usual_boards_fit(language: Language, width: int, height: int, pictures: Path) -> None:
    """Nothing is cut and no wall scrolls, with 60 queues; figures have 14 minutes of arc at five meters, headings 10."""

    async def check() -> None:
        held = backend(60, alerts=30)
        for channel in ("voice", "chat", "mail"):
            kpis = {"service_level_live": figure(0.74, 37, 50, 1), "abandon_rate": figure(0.062, 31, 500), "asa": figure(3723, 1, 1)}
            assert held.store.feed(*window("total:all", channel, kpis={**kpis, "aht": figure(412, 1, 1), "offered": figure(12345, 12345)}))
        assert held.store.feed(*people_window("total:all", figure(0.81, 81, 100, 1)))
        async with client_of(held.serving()) as client, Chromium(width=width, height=height) as page:
            for name in USUAL_BOARDS:
                await page.open(url(client, f"?view=board&board={name}&lang={language}"))
                await page.until("document.querySelectorAll('.board .tile').length && document.querySelector('#alerts li')")
                for number in range(len(USUAL_BOARDS[name]["pages"])):
                    await page.photograph(pictures / f"board-{name}-{number}-{language}-{width}.png")
                    assert await page.ask(CUT) == []
                    assert await page.ask("document.documentElement.scrollWidth") <= width
                    if width > 760:
                        assert await page.ask("document.documentElement.scrollHeight") <= height
                        for selector, sample, least in (
                            (".board section.figure > b, .board td b, .board .map :is(.level, .longest)", "0", 14),
                            (".board .alerts li:not([hidden]) :is(.where, .figure)", "0", 14),
                            (".board h3, .board thead th, .board .map .name", "国", 10),
                        ):
                            arcs = await page.ask(f"{ARC}({selector!r}, {sample!r})")
                            assert [each for each in arcs if each[0] < least] == []
                    await page.press("ArrowRight")
            assert page.complaints == []

    run(check())
