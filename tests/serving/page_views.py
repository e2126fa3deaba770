"""Every view of the page, one after the other, in one browser: what the checks of accessibility and of sizes go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.serving.test_page import url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from aiohttp import web
    from aiohttp.test_utils import TestClient

    from tests.serving.chromium import Chromium

__all__ = ["BROKEN", "CUT", "views"]

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

#: Words of headings, tiles, choices and buttons that are broken over two lines without a soft hyphen, in the page's own language.
BROKEN = """(() => {
  const segmenter = new Intl.Segmenter(document.documentElement.lang, { granularity: 'word' });
  const spots = 'thead th, #summary li, .today li, h1, h2, h3, h4, button, label, legend, .legend, nav a, .chips, .files';
  const lines = (node, from, to) => {
    const range = document.createRange();
    range.setStart(node, from);
    range.setEnd(node, to);
    return new Set([...range.getClientRects()].filter(r => r.width > 0.5).map(r => Math.round(r.top))).size;
  };
  const found = [];
  for (const spot of document.querySelectorAll(spots)) {
    if (!spot.checkVisibility({ visibilityProperty: true }) || spot.closest('.unseen, .heat main > section:not(#map)')) continue;
    const walker = document.createTreeWalker(spot, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement.closest('svg, option, .name b')) continue;
      for (const { segment, index, isWordLike } of segmenter.segment(node.data)) {
        if (!isWordLike || segment.includes('\\u00ad') || lines(node, index, index + segment.length) < 2) continue;
        found.push([spot.className || spot.tagName, segment, node.data]);
      }
    }
  }
  return [...new Set(found.map(each => each.join(' | ')))];
})()"""


async def views(
    page: Chromium, client: TestClient[web.Request, web.Application], query: str, *, rows: int = 1, only: Collection[str] = ()
) -> AsyncIterator[tuple[str, bool]]:
    """Open every view of the page's own list with a query, and yield its id and whether it is a wall once it is shown.

    Args:
        page: the browser.
        client: the server.
        query: the query of the address beside the view, as in ``lang=ja&theme=light``.
        rows: the least number of rows of queues to wait for, where the page itself is shown.
        only: these views alone, if any are named.
    """
    await page.open(url(client, f"?{query}"))
    for name, own in await page.ask(_LIST):
        if only and name not in only:
            continue
        await page.open(url(client, f"?{query}&view={name}"))
        if own:
            await page.until(f"document.querySelectorAll('#queues tbody tr').length >= {rows} && !document.body.matches('.stale')")
        else:
            await page.until("document.querySelector('main.view:not([aria-busy])')")
        await page.until(
            "document.querySelector('#alerts .none')?.textContent || document.querySelector('#alerts li .figure')?.textContent"
        )
        yield name, await page.ask("document.documentElement.classList.contains('wall')")
