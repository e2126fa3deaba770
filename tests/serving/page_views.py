"""Every view of the page, one after the other, in one browser: what the checks of accessibility and of sizes go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.serving.test_page import url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web
    from aiohttp.test_utils import TestClient

    from tests.serving.chromium import Chromium

__all__ = ["CUT", "views"]

_LIST = "import('./views.js').then(m => m.VIEWS.map(({ id, page }) => [id, page === true]))"
#: What is shown and runs out of the window or of its own box, as its markup. What is made to scroll, meant for screen readers alone, or
#: shortened on purpose (names on walls, whose title has them whole) does not.
CUT = """(() => {
  const wall = document.documentElement.classList.contains('wall');
  const hidden = e => !e.checkVisibility({ visibilityProperty: true }) || e.closest('.unseen, noscript, svg, [popover], option')
    || [...ancestors(e)].some(a => getComputedStyle(a).clipPath === 'inset(50%)');
  const ancestors = function* (e) { for (let a = e; a; a = a.parentElement) yield a; };
  const goes = a => a !== document.documentElement && ['auto', 'scroll'].includes(getComputedStyle(a).overflowX);
  const scrolls = e => [...ancestors(e)].slice(1).some(goes);
  const meant = e => wall && e.closest('.name, #map li > b:first-child, #alerts .where, #mark, #silent');
  const texts = [...document.body.querySelectorAll('*')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return texts.filter(e => !hidden(e) && !meant(e)).filter(e => {
    const style = getComputedStyle(e), place = e.getBoundingClientRect();
    const clips = style.overflowX !== 'visible' && style.display !== 'inline' && e.scrollWidth > e.clientWidth + 1;
    return (clips && !goes(e)) || (!scrolls(e) && (place.right > innerWidth + 1 || place.left < -1));
  }).map(e => e.outerHTML.slice(0, 200));
})()"""


async def views(
    page: Chromium, client: TestClient[web.Request, web.Application], query: str, *, rows: int = 1
) -> AsyncIterator[tuple[str, bool]]:
    """Open every view of the page's own list with a query, and yield its id and whether it is a wall once it is shown.

    Args:
        page: the browser.
        client: the server.
        query: what the address says beside the view, as in ``lang=ja&theme=light``.
        rows: so many rows of queues are waited for where the page itself is shown.
    """
    await page.open(url(client, f"?{query}"))
    for name, own in await page.ask(_LIST):
        await page.open(url(client, f"?{query}&view={name}"))
        if own:
            await page.until(f"document.querySelectorAll('#queues tbody tr').length >= {rows} && !document.body.matches('.stale')")
        else:
            await page.until("document.querySelector('main.view:not([aria-busy])')")
        await page.until(
            "document.querySelector('#alerts .none')?.textContent || document.querySelector('#alerts li .figure')?.textContent"
        )
        yield name, await page.ask("document.documentElement.classList.contains('wall')")
