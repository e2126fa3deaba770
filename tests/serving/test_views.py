"""The frame of the views in a real browser: which one the address names, how to reach another, and the message where that fails."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streams.serving.api import create_app
from streams.serving.page_files import PAGE_FILES
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, now_record, small_center
from tests.serving.test_page import run, url
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

pytestmark = pytest.mark.browser

#: One view that shows figures of both kinds, one that fails, and one that takes a right that no account has.
LIST = """export const VIEWS = [
  { id: "overview", right: "figures", page: true },
  { id: "trial", right: "people", css: true },
  { id: "broken", right: "figures" },
  { id: "secret", right: "none" },
  { id: "wall", right: "figures", page: true },
];"""
TRIAL = """
import { count } from "../text.js";
export async function show(root, context) {
  window.ended = false;
  const place = root.appendChild(document.createElement("p"));
  place.id = "trial";
  const answer = await context.ask("api/v1/figures?window=trailing_15m");
  context.onNews(() => {
    const sales = [...context.gather("queue").values()].find(({ scope }) => scope === "sales");
    place.textContent = `${count(sales?.now?.waiting)} ${context.asked("contact")} ${Object.keys(answer.records).length > 0}`;
  });
  context.every(50, () => context.ask("api/v1/agents"));
  context.signal.addEventListener("abort", () => { window.aborted = true; });
}
export function close() { window.ended = true; }
"""
FILES = {
    "/views.js": LIST,
    "/views/trial.js": TRIAL,
    "/views/broken.js": "export const show = () => { throw new Error('no such thing'); };",
}
STYLE = "main.trial { outline: 3px solid rgb(1, 2, 3); }"
LINKS = "[...document.querySelectorAll('#views a')].map(e => [e.innerText, e.getAttribute('aria-current')])"


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def app(backend: Backend, files: Mapping[str, str] = FILES) -> web.Application:
    """Return the application with other views."""

    @web.middleware
    async def instead(request: web.Request, handler: Handler) -> web.StreamResponse:
        if text := files.get(request.path):
            return web.Response(text=text, content_type="text/javascript")
        if request.path == "/views/trial.css":
            return web.Response(text=STYLE, content_type="text/css")
        return await handler(request)

    application = create_app(backend.serving())
    application.middlewares.append(instead)
    return application


def test_views_are_shown_in_turn() -> None:
    """A link, the address and the way back show a view without loading the page; it follows the stream, and ends with all it began."""
    trial = "document.getElementById('trial')?.innerText"

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with TestClient(TestServer(app(backend))) as client, Chromium(width=1280, height=900) as page:
            await page.open(url(client, "?order=worst"))
            await page.until("document.querySelectorAll('#views a').length === 4")
            assert await page.ask(LINKS) == [["Overview", "page"], ["View.trial", None], ["View.broken", None], ["Wall", None]]
            await page.ask("window.same = true")
            # By key alone: Enter on a link.
            await page.ask("document.querySelectorAll('#views a')[1].focus()")
            await page.press("Enter")
            await page.until(f"{trial} === '2 null true'")
            assert await page.ask("getComputedStyle(document.querySelector('main.trial')).outlineColor") == "rgb(1, 2, 3)"
            assert await page.ask("[location.search, document.activeElement.id]") == [
                "?order=worst&lang=en&window=15&view=trial",
                "view-title",
            ]
            assert await page.ask("document.querySelector('#queues').getClientRects().length") == 0
            assert (await page.ask(LINKS))[1] == ["View.trial", "page"]
            assert "View.trial – Contact Streams" in await page.ask("document.title")
            backend.store.feed(*now_record("queue:sales", waiting=5, revision=2))
            await page.until(f"{trial} === '5 null true'")
            # What the server refuses is shown below the heading: here agents are not served.
            await page.until("document.querySelector('.view > .none').innerText.includes('--agents')")

            await page.ask("history.back()")
            await page.until("document.querySelector('#queues').getClientRects().length && window.ended && window.aborted")
            assert await page.ask("[location.search, !!document.querySelector('.view'), window.same]") == ["?order=worst", False, True]
            asked = len([address for address in page.requested if address.endswith("/api/v1/agents")])
            await asyncio.sleep(0.3)
            assert len([address for address in page.requested if address.endswith("/api/v1/agents")]) == asked

            # A name of its own in the address goes with the view; what holds for all stays.
            await page.open(url(client, "?view=trial&contact=c1&order=worst&lang=ja"))
            await page.until(f"{trial} === '5 c1 true'")
            hrefs = await page.ask("[...document.querySelectorAll('#views a')].map(e => e.getAttribute('href'))")
            assert hrefs[:2] == ["?order=worst&lang=ja&window=15", "?order=worst&lang=ja&window=15&view=trial"]

    run(check())


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?view=broken", "This could not be shown: no such thing"),
        ("?view=broken&lang=ja", "表示できませんでした：no such thing"),
        ("?view=secret", "Your role does not permit this view."),
        ("?view=secret&lang=ja", "この画面を表示する権限がありません。"),
    ],
)
def test_a_view_that_cannot_be_shown_gives_the_reason(query: str, message: str) -> None:
    """In its place; the rest of the page continues, and the overview is a link away."""

    async def check() -> None:
        async with TestClient(TestServer(app(Backend.fed(small_center())))) as client, Chromium() as page:
            await page.open(url(client, query))
            await page.until("document.querySelector('.view > .none')?.innerText" + f".startsWith({message!r})")
            await page.ask("document.querySelector('#views a').click()")
            await page.until("document.querySelector('#queues tbody tr')?.getClientRects().length")

    run(check())


def test_the_documents_list_every_view() -> None:
    """docs/operations.md lists the values of ``view=``, in the order of the page's list."""
    page = files("streams.serving").joinpath("page", "views.js").read_text(encoding="utf-8")
    ids = re.findall(r'^  \{ id: "(\w+)"', page, flags=re.MULTILINE)
    documents = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `view` \| ([^|;]+); without it `(\w+)` \|", documents, flags=re.MULTILINE)

    assert re.findall(r"`(\w+)`", row[0]) == ids
    assert row[1] == ids[0]
    assert len(ids) > 10


def test_the_server_has_every_file_of_the_page() -> None:
    """Each in the folder, below it too, by its media type; and nothing but these."""

    async def check() -> None:
        async with TestClient(TestServer(create_app(Backend().serving()))) as client:
            for name, media in PAGE_FILES.items():
                answer = await client.get("/" if name == "index.html" else f"/{name}")
                assert (answer.status, answer.content_type) == (200, media)
            for name in ("views/", "views/..%2fviews.js", "page_files.py", "..%2fstore.py"):
                assert (await client.get(f"/{name}")).status == 404

    assert {"index.html", "icon.svg", "views.js", "wallboard.css"} <= set(PAGE_FILES)
    run(check())
