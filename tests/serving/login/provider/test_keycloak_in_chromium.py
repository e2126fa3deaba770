"""A person with a browser: logs in at a real Keycloak, sees the wallboard of one site, logs out, and loses the right."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from tests.serving.chromium import Chromium, binary
from tests.serving.login.provider.real_server import real_server
from tests.support.keycloak import PASSWORD
from tests.support.require import require

if TYPE_CHECKING:
    from streams.serving.login.login import Login
    from tests.support.keycloak import Keycloak, Realm

pytestmark = [pytest.mark.browser, pytest.mark.long]

NAMES = "[...document.querySelectorAll('tbody .name b')].map(each => each.innerText)"
AT_KEYCLOAK = "document.getElementById('kc-form-login')"


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the login is tested in Chromium: apt-get install chromium")


async def click(page: Chromium, element: str) -> None:
    """Click what an expression finds, when it is there."""
    await page.until(element)
    await page.ask(f"setTimeout(() => {element}.click()) && null")


async def type_in(page: Chromium, element: str, text: str) -> None:
    """Type into a field."""
    await page.ask(f"document.getElementById('{element}').focus()")
    for character in text:
        await page.press(character)


async def log_in(page: Chromium, name: str) -> None:
    """Log in as a person does, from the login page on."""
    await click(page, "document.querySelector('a[href^=\"/login/provider\"]')")
    await page.until(f"document.readyState === 'complete' && {AT_KEYCLOAK}")
    await type_in(page, "username", name)
    await type_in(page, "password", PASSWORD)
    await page.press("Enter")


def test_a_viewer_of_one_site_logs_in_sees_it_and_loses_the_right(keycloak: Keycloak) -> None:
    """In both languages the wallboard shows one site alone; logout, new keys and a user who is disabled are followed within a minute.

    The server is ``localhost`` to the browser and Keycloak 127.0.0.1: to cookies these are two sites, as in a center.
    """

    async def check() -> None:
        port = unused_port()
        public_url = f"http://localhost:{port}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            realm = await keycloak.realm(http, CONTACT_STREAMS_PUBLIC_URL=public_url, CONTACT_STREAMS_LOGOUT_URL=f"http://127.0.0.1:{port}")
            keys = {
                "provider": {"issuer": realm.issuer, "client_id": "contact-streams"},
                "public_url": public_url,
                "groups": {"tokyo-wall": [{"role": "viewer", "sites": ["tokyo"]}]},
            }
            async with real_server(port, **keys) as server, Chromium() as page:
                await watched(page, public_url, realm, server.login)
            actions = [action for action, *_ in server.audit.entries if action != "denied"]
            assert actions == ["login", "logout", "login", "session_ended", "login", "session_ended"]

    asyncio.run(asyncio.wait_for(check(), 300))


async def watched(page: Chromium, public_url: str, realm: Realm, login: Login) -> None:
    """Be a viewer of Tokyo."""
    await page.open(f"{public_url}/?lang=en")
    await page.until("location.pathname === '/login'")
    await log_in(page, "aoki")
    await page.until(f"location.href.startsWith('{public_url}/?lang=en') && {NAMES}.length", seconds=30)
    await only_tokyo(page)
    await page.open(f"{public_url}/?lang=ja")
    await page.until(f"document.documentElement.lang === 'ja' && {NAMES}.length")
    await only_tokyo(page)
    await page.until("document.body.innerText.includes('aoki') && document.getElementById('leave')")
    # What scripts can reach, and what the browser was sent to, holds no token.
    assert await page.ask("document.cookie") == ""
    kept = await page.ask("JSON.stringify([localStorage, sessionStorage])")
    # A signed token is two objects in Base64.
    assert not [each for each in (kept, *page.requested) if re.search(r"eyJ[\w-]+\.eyJ", each)]

    # Keycloak asks whether the person means it, ends its own session, and leads back.
    await click(page, "document.getElementById('leave')")
    await click(page, "document.getElementById('kc-logout')")
    await page.until(f"location.href.startsWith('{public_url}/login')", seconds=30)
    assert len(login.sessions) == 0

    await realm.rotate_keys()
    await log_in(page, "aoki")
    await page.until(f"location.href.startsWith('{public_url}/') && {NAMES}.length", seconds=30)
    await only_tokyo(page)

    # Its administrator ends the session: Keycloak sends a notice, without waiting for a check.
    aoki = await realm.user("aoki")
    await realm.ask("POST", f"/users/{aoki['id']}/logout")
    for _ in range(100):
        if len(login.sessions) == 0:
            break
        await asyncio.sleep(0.1)
    assert len(login.sessions) == 0
    await page.until("location.pathname === '/login'", seconds=30)
    await log_in(page, "aoki")
    await page.until(f"location.href.startsWith('{public_url}/') && {NAMES}.length", seconds=30)

    await realm.enable("aoki", enabled=False)
    since = time.monotonic()
    await page.until("location.pathname === '/login'", seconds=60)
    print(f"A disabled user's page was closed after {time.monotonic() - since:.0f} s.")  # noqa: T201
    assert len(login.sessions) == 0
    await log_in(page, "aoki")
    await page.until("document.body?.innerText.includes('Account is disabled')", seconds=30)


async def only_tokyo(page: Chromium) -> None:
    """Check that nothing on the page, in its answers or in its events, is of the other site."""
    names: list[Any] = await page.ask(NAMES)
    assert any("sales" in name for name in names)
    answers = await page.ask("Promise.all(['figures', 'alerts', 'trends', 'targets'].map(n => fetch('/api/v1/' + n).then(r => r.text())))")
    for text in (await page.ask("document.body.innerText"), *answers):
        assert "claims" not in text
        assert "north" not in text
        assert "osaka" not in text
    assert await page.ask("fetch('/api/v1/queues/claims').then(r => r.status)") == 404
    assert await page.ask("fetch('/api/v1/agents').then(r => r.status)") == 403
