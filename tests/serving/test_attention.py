"""A notification that a browser shows, and a screen that it keeps on: neither before it is asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, alert, client_of, progress, window
from tests.serving.test_page import url
from tests.support.require import require

pytestmark = pytest.mark.browser

#: Records the calls of the browser's API, and passes them on.
NOTED = """
window.shown = [];
window.locks = [];
const Plain = window.Notification;
window.Notification = class extends Plain {
  constructor(title, options) { super(title, options); window.shown.push([title, options.body]); }
};
const request = navigator.wakeLock.request.bind(navigator.wakeLock);
navigator.wakeLock.request = async (kind) => { const lock = await request(kind); window.locks.push(lock); return lock; };
"""
HELD = "window.locks.filter(lock => !lock.released).length"


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def run(check: Any) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


def test_a_notification_is_shown_where_it_is_asked_for_and_permitted() -> None:
    """A new alert is shown by name and figure; without `notify=on` there is no notification, though the browser permits it."""

    async def check() -> None:
        backend = Backend.fed([progress(), window("queue:sales")]).with_alerts(alert("queue:old", alert_id="old"))
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page._call("Browser.grantPermissions", permissions=["notifications"])
            await page._call("Page.addScriptToEvaluateOnNewDocument", source=NOTED)
            for number, (query, shown) in enumerate((("", 0), ("?notify=on", 1))):
                await page.open(url(client, query))
                await page.until("document.querySelectorAll('#queues tbody tr').length > 0")
                assert await page.ask("Notification.permission") == "granted"
                backend.alerts.feed(*alert("queue:sales", alert_id=f"new{number}", rule=f"rule{number}"))
                await page.until(f"document.getElementById('alert-news').textContent.includes('rule{number}')")
                notifications = await page.ask("window.shown")
                assert len(notifications) == shown
            assert notifications[0][0] == "Alerts"
            assert notifications[0][1].startswith("sales · Voice: Service level ")
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(("query", "held"), [("?view=wall", 1), ("?view=wall&awake=off", 0), ("", 0), ("?awake=on", 1)])
def test_a_wall_keeps_its_screen_on(query: str, held: int) -> None:
    """A wall by itself, unless it is switched off; any other page if it is switched on."""

    async def check() -> None:
        backend = Backend.fed([progress(), window("queue:sales")])
        async with client_of(backend.serving()) as client, Chromium() as page:
            await page._call("Page.addScriptToEvaluateOnNewDocument", source=NOTED)
            await page.open(url(client, query))
            await page.until("document.querySelectorAll('#queues tbody tr').length > 0")
            if held:
                await page.until(f"{HELD} === 1", seconds=5)
            else:
                await asyncio.sleep(0.5)
                assert await page.ask(HELD) == 0

    run(check())
