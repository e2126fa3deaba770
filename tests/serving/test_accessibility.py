"""axe finds no violation on any view, in both languages and both themes, on a wide page and on a telephone; its dialogs too."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import files
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.chromium import Chromium, binary
from tests.serving.page_views import views
from tests.serving.records import client_of
from tests.serving.running import full
from tests.serving.test_page import url
from tests.support.require import require

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.test_utils import TestClient

pytestmark = pytest.mark.browser

#: Violations: id of the rule, and the elements with axe's messages.
_RUN = """axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(
  ({ id, help, nodes }) => [id, help, nodes.slice(0, 5).map(n => [n.html.slice(0, 160), n.failureSummary])]))"""
#: The page is English; and each of the two differs from the other in language, theme and size. All together are looked at in the night.
FEW = [("en", "light", 1280), ("ja", "dark", 390)]
ALL = [each for each in product(("en", "ja"), ("light", "dark"), (1920, 390)) if each not in FEW]


def axe() -> str:
    """Return the text of axe, which a package for another driver carries."""
    (found,) = [each for each in files("axe-playwright-python") or [] if each.name == "axe.min.js"]
    return found.locate().read_text(encoding="utf-8")  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


async def found(page: Chromium) -> list[Any]:
    """Return what axe finds wrong with what the page shows."""
    if not await page.ask("typeof axe !== 'undefined'"):
        await page.ask(axe())
    violations: list[Any] = await page.ask(_RUN)
    return violations


async def dialogs(page: Chromium, client: TestClient[web.Request, web.Application], query: str) -> list[Any]:
    """Return what axe finds where one chooses columns, and where the menu of a telephone is open."""
    await page.open(url(client, f"?{query}"))
    await page.until("document.querySelector('#queues tbody tr')")
    await page.ask("document.getElementById('menu').click()")
    wrong = await found(page)
    await page.ask("document.querySelector('button.columns').click()")
    return wrong + await found(page)


async def board(page: Chromium, client: TestClient[web.Request, web.Application], query: str) -> list[Any]:
    """Return what axe finds on a board with a list of queues, figures, a map and alerts."""
    await page.open(url(client, f"?{query}&view=board&board=floor"))
    await page.until("document.querySelector('.board .tile td')")
    wrong = await found(page)
    await page.press("ArrowRight")
    await page.until("document.querySelector('.board .map li') && document.querySelector('.board .alerts li')")
    return wrong + await found(page)


async def look(language: str, theme: str, width: int) -> None:
    """Look at every view."""
    async with client_of(full()) as client, Chromium(width=width, height=844) as page:
        query = f"lang={language}&theme={theme}"
        wrong = {name: violations async for name, _ in views(page, client, query) if (violations := await found(page))}
        wrong |= {"board": violations} if (violations := await board(page, client, query)) else {}
        wrong |= {"dialogs": violations} if (violations := await dialogs(page, client, query)) else {}
        assert wrong == {}, json.dumps(wrong, indent=1, ensure_ascii=False)


@pytest.mark.parametrize(("language", "theme", "width"), FEW)
def test_axe_finds_nothing(language: str, theme: str, width: int) -> None:
    """Every view of the list, and the dialogs."""
    asyncio.run(asyncio.wait_for(look(language, theme, width), 180))


@pytest.mark.nightly
@pytest.mark.parametrize(("language", "theme", "width"), ALL)
def test_axe_finds_nothing_in_any_language_theme_and_size(language: str, theme: str, width: int) -> None:
    """The rest of the combinations."""
    asyncio.run(asyncio.wait_for(look(language, theme, width), 240))


def test_axe_would_find_something() -> None:
    """An image without a text and a text that can hardly be read are found, so that finding nothing means something."""

    async def check() -> None:
        async with client_of(full()) as client, Chromium() as page:
            await page.open(url(client))
            await page.until("document.querySelector('#queues tbody tr')")
            await page.ask("""document.querySelector('main').append(document.createElement('img'),
                Object.assign(document.createElement('p'), { textContent: 'faint', style: 'color: #eee; background: #fff' }))""")
            assert {"image-alt", "color-contrast"} <= {rule for rule, *_ in await found(page)}

    asyncio.run(check())
