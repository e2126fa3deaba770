"""Logging in in a real browser: by password and by a screen's link, with keyboard and on a phone, and what scripts cannot get at."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from streams.configuration import Configuration
from streams.listening import HttpServer, Listening
from streams.listening.tokens import new_secret
from streams.serving.api import create_app
from streams.serving.door import Door
from tests.serving.chromium import Chromium, binary
from tests.serving.login.desk import PASSWORD, Desk, Topic, access_of, kiosk_entry, user_entry
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from streams.configuration.access import AccessFile

pytestmark = pytest.mark.browser

#: The two queues and the team of the small center are at two sites.
CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"tokyo": {"zone": "Asia/Tokyo"}, "osaka": {"zone": "Asia/Tokyo"}},
        "queues": {"sales": {"site": "tokyo"}, "claims": {"site": "osaka"}},
        "teams": {"north": {"site": "tokyo"}},
    }
)
NAMES = "[...document.querySelectorAll('#queues tbody .name b, #teams tbody .name b')].map(e => e.innerText)"
SALES = f"{NAMES}.includes('sales')"
#: All that a script of the page can read of where secrets could be.
READABLE = """[document.cookie, document.documentElement.outerHTML, location.href,
  JSON.stringify(localStorage), JSON.stringify(sessionStorage), history.state, window.name,
  [...document.querySelectorAll('input')].map(e => e.value).join()].join('\\n')"""


@pytest.fixture(autouse=True)
def _browser() -> None:
    require(binary(), "the page is tested in Chromium: apt-get install chromium")


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute and a half at most."""
    asyncio.run(asyncio.wait_for(check, 90))


def desk_of(access: AccessFile, topic: Topic | None = None) -> Desk:
    """Return a desk whose door knows where queues and teams are."""
    desk = Desk(access, Topic() if topic is None else topic)
    desk.door = Door(
        desk,
        configuration=lambda: CONFIGURATION,
        signed_in=lambda: {"team:north": 9},
        identifiers=desk.login.identifiers,
        audit=desk.audit,
        login="/login",
        clock=desk.clock,
    )
    return desk


@contextlib.asynccontextmanager
async def served(desk: Desk, port: int = 0) -> AsyncIterator[str]:
    """Serve as ``contact-streams serve`` does, and give the address."""
    listening = Listening()
    server = HttpServer(create_app(desk.serving()), listening.connections(), listening, shutdown_timeout=1)
    address = await server.start("127.0.0.1", port)
    try:
        yield address
    finally:
        await server.stop()


async def type_in(page: Chromium, text: str) -> None:
    """Type with the keyboard."""
    for character in text:
        await page.press(character)


async def log_in(page: Chromium, name: str = "yuki", password: str = PASSWORD) -> None:
    """Fill the form without a mouse."""
    await page.until("document.activeElement.id === 'name'")
    await type_in(page, name)
    await page.press("Tab")
    await page.until("document.activeElement.id === 'password'")
    await type_in(page, password)
    await page.press("Enter")


@pytest.mark.parametrize(
    ("language", "heading", "wrong"),
    [("en", "Log in", "Name or password is wrong."), ("ja", "ログイン", "ユーザー名またはパスワードが違います。")],
)
def test_a_viewer_of_one_site_sees_that_site_alone(language: str, heading: str, wrong: str) -> None:
    """Sent to the login and back to what was asked for, in the language of the page; the other site's queue is nowhere in it."""

    async def check() -> None:
        desk = desk_of(access_of(users={"yuki": user_entry(sites=["tokyo"])}, smallest_group=1))
        async with served(desk) as address, Chromium() as page:
            await page.open(f"{address}/?lang={language}&window=5")
            await page.until("document.querySelector('h2')?.innerText")
            assert await page.ask("document.querySelector('h2').innerText") == heading

            await log_in(page, password="not the password")
            await page.until("document.querySelector('[role=alert]')")
            assert await page.ask("document.querySelector('[role=alert]').innerText") == wrong
            # The name is still there, and the cursor where it is needed.
            assert await page.ask("document.getElementById('name').value") == "yuki"
            await page.until("document.activeElement.id === 'password'")
            await type_in(page, PASSWORD)
            await page.press("Enter")

            await page.until(SALES)
            assert await page.ask("location.pathname + location.search") == f"/?lang={language}&window=5"
            assert await page.ask("document.documentElement.lang") == language
            assert set(await page.ask(NAMES)) == {"sales", "north"}
            assert "claims" not in await page.ask("document.documentElement.outerHTML")
            # In place of the total: what waits in sales, and of the north 2 idle and 0 available.
            tiles = await page.ask("[...document.querySelectorAll('#summary b')].map(b => b.innerText)")
            assert tiles[1:3] == ["2", "1:12"]
            assert tiles[4] == "2"
            assert await page.ask("document.querySelector('#session span').innerText") == "yuki"
            # An error of the form is an answer of 403, which the console shows; nothing else was wrong.
            assert [each for each in page.complaints if "403" not in each] == []

            await page.ask("document.getElementById('leave').click()")
            await page.until("location.pathname === '/login'")
            await page.open(f"{address}/?lang={language}")
            await page.until("location.pathname === '/login'")

    run(check())


def test_an_open_page_ends_with_the_entry() -> None:
    """Within seconds its stream ends and it goes to the login; logged in again it is where it was."""

    async def check() -> None:
        access = access_of(users={"yuki": user_entry()})
        desk = desk_of(access)
        serving = desk.serving()
        listening = Listening()
        server = HttpServer(create_app(serving), listening.connections(), listening, shutdown_timeout=1)
        address = await server.start("127.0.0.1", 0)
        try:
            async with Chromium() as page:
                await page.open(f"{address}/login?next=/%3Fwindow%3D30")
                await log_in(page)
                await page.until(SALES)
                assert len(serving.clients) == 1
                began = asyncio.get_running_loop().time()
                desk.running = access_of()
                await page.until("location.pathname === '/login'", seconds=60)
                assert asyncio.get_running_loop().time() - began < 60
                assert len(serving.clients) == 0
                assert "sales" not in await page.ask("document.documentElement.outerHTML")
                desk.running = access
                await log_in(page)
                await page.until(f"{SALES} && location.search === '?window=30'")
        finally:
            await server.stop()

    run(check())


def test_a_session_that_is_ended_elsewhere_ends_its_page() -> None:
    """Also while the file stays as it is: the stream is looked at every 15 s."""

    async def check() -> None:
        desk = desk_of(access_of(users={"yuki": user_entry()}))
        async with served(desk) as address, Chromium() as page:
            await page.open(f"{address}/login")
            await log_in(page)
            await page.until(SALES)
            (session,) = desk.login.sessions
            assert desk.login.sessions.end(session.id)
            # A second of the test's clock, by which the door looks, is one of the wall's.
            for _ in range(300):
                desk.clock.seconds += 0.1
                await asyncio.sleep(0.1)
                if await page.ask("location.pathname") == "/login":
                    break
            assert await page.ask("location.pathname") == "/login"

    run(check())


@pytest.mark.parametrize("secure", [False, True], ids=["session", "__Host-session"])
def test_scripts_get_at_no_secret(*, secure: bool) -> None:
    """Theft by script: cookies, document, addresses and storage hold neither password nor session, nor what marks the browser."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}), secure=secure)
        secrets: list[str] = []
        begin = desk.login.sessions.begin

        def noted(*given: Any, **more: Any) -> str:
            secrets.append(begin(*given, **more))
            return secrets[-1]

        desk.login.sessions.begin = noted  # type: ignore[method-assign]
        async with served(desk) as address, Chromium() as page:
            # Browsers take this name for a trustworthy one, so that it may have cookies that are for TLS.
            await page.open(f"{address.replace('127.0.0.1', 'localhost')}/login")
            await log_in(page)
            await page.until(SALES)
            readable = await page.ask(READABLE)
            assert await page.ask("document.cookie") == ""
            cookies = {each["name"]: each for each in (await page._call("Network.getCookies"))["cookies"]}
            prefix = "__Host-" if secure else ""
            assert set(cookies) == {f"{prefix}session", f"{prefix}known"}
            assert cookies[f"{prefix}session"]["value"] == secrets[0]
            for cookie in cookies.values():
                assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"], cookie["path"]) == (True, "Lax", secure, "/")
                assert cookie["value"] not in readable
                assert not any(cookie["value"] in asked for asked in page.requested)
            assert PASSWORD not in readable
            assert not any(PASSWORD in asked or "seven" in asked for asked in page.requested)
            assert await page.ask("fetch('/api/v1/session').then(a => a.text())") == '{"kind":"user","name":"yuki","rights":["figures"]}'

    run(check())


EVIL = """<!doctype html><title>evil</title><body><script>
const form = document.body.appendChild(document.createElement("form"));
form.method = "post";
const [action, fields] = JSON.parse(decodeURIComponent(location.hash.slice(1)));
form.action = action;
for (const [name, value] of Object.entries(fields)) Object.assign(form.appendChild(document.createElement("input")), { name, value });
form.submit();
</script>"""


def test_other_sites_change_nothing() -> None:
    """A page of another origin logs no one out, no one in as its own account, and gets no answer that it may read."""

    async def check() -> None:
        desk = desk_of(access_of(users={"yuki": user_entry(), "mallory": user_entry("an attacker's own")}))

        async def evil(_: web.Request) -> web.Response:
            return web.Response(text=EVIL, content_type="text/html")

        app = web.Application()
        app.router.add_get("/", evil)
        runner = web.AppRunner(app)
        await runner.setup()
        port = unused_port()
        # Another name of this machine: another site, whose form takes along no cookie that is Lax.
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            async with served(desk) as address, Chromium() as page:
                await page.open(f"{address}/login")
                await log_in(page)
                await page.until(SALES)
                (session,) = desk.login.sessions
                for host in ("127.0.0.1", "localhost"):
                    for path, fields in (
                        ("/logout", {}),
                        ("/login", {"name": "mallory", "password": "an attacker's own", "next": "/"}),
                    ):
                        target = quote(orjson.dumps([address + path, fields]).decode(), safe="")
                        await page.open(f"http://{host}:{port}/#{target}")
                        await page.until(f"!location.href.startsWith('http://{host}:{port}')")
                        assert [each.id for each in desk.login.sessions] == [session.id]
                        assert not session.ended
                    read = f"fetch('{address}/api/v1/figures', {{credentials: 'include'}}).then(a => a.text(), e => 'refused')"
                    await page.open(f"http://{host}:{port}/nothing")
                    assert await page.ask(read) == "refused"
                    send = f"fetch('{address}/logout', {{method: 'POST', mode: 'no-cors', credentials: 'include'}}).then(a => a.type)"
                    assert await page.ask(send) in {"opaque", "opaqueredirect"}
                    assert not session.ended
                await page.open(f"{address}/")
                await page.until(f"{SALES} && document.querySelector('#session span')?.innerText === 'yuki'")
        finally:
            await runner.cleanup()

    run(check())


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_screen_opens_its_link_once(language: str) -> None:
    """It goes to the wall of its site, keeps the ticket nowhere, is let in after a restart, and its entry's end is its page's end."""

    async def check() -> None:
        ticket, port = new_secret(), unused_port()
        access, topic = access_of(kiosks={"hall": kiosk_entry(ticket, sites=["tokyo"])}), Topic()
        desk = desk_of(access, topic)
        async with Chromium() as page, Chromium() as other:
            async with served(desk, port) as address:
                link = f"{address}/kiosk{'?lang=ja' if language == 'ja' else ''}#{ticket}"
                await page.open(link)
                await page.until(SALES)
                assert await page.ask("location.pathname + location.search") == "/?view=wall" + ("&lang=ja" if language == "ja" else "")
                assert "claims" not in await page.ask("document.documentElement.outerHTML")
                assert ticket not in await page.ask(READABLE)
                # The first address is what the viewer typed; the browser sends it without the fragment.
                assert not any(ticket in asked.partition("#")[0] for asked in page.requested)
                assert not any(ticket in asked for asked in page.requested[1:])
                history = await page._call("Page.getNavigationHistory")
                assert not any(ticket in entry["url"] for entry in history["entries"])

                await other.open(link)
                await other.until("document.getElementById('standing').classList.contains('problem')")
                failed = {"en": "This link is not valid", "ja": "このリンクは使えません"}[language]
                assert (await other.ask("document.getElementById('standing').innerText")).startswith(failed)
                assert await other.ask("fetch('/api/v1/figures').then(a => a.status)") == 401
            desk = desk_of(access, topic)
            async with served(desk, port):
                await page.until("!document.body.classList.contains('stale')", seconds=20)
                await page.open(f"{address}/?view=wall")
                await page.until(SALES)
                desk.running = access_of()
                await page.until("location.pathname === '/login'", seconds=60)

    run(check())


def test_the_login_fits_a_phone() -> None:
    """Nothing runs out of a narrow window, what is touched is large enough, letters do not make a phone zoom, and contrasts hold."""

    async def check() -> None:
        desk = desk_of(access_of(users={"yuki": user_entry()}))
        async with served(desk) as address, Chromium(width=360, height=640) as page:
            for query in ("", "?lang=ja"):
                await page.open(f"{address}/login{query}")
                await page.until("document.documentElement.dataset.theme")
                assert await page.ask("document.documentElement.scrollWidth <= innerWidth")
                sizes = await page.ask("[...document.querySelectorAll('input:not([type=hidden]), button')].map(e => e.offsetHeight)")
                assert len(sizes) == 3
                assert min(sizes) >= 44
                font_sizes = "[...document.querySelectorAll('input')].map(e => parseFloat(getComputedStyle(e).fontSize))"
                assert min(await page.ask(font_sizes)) >= 16
                assert await page.ask("[...document.querySelectorAll('input:not([type=hidden])')].every(e => e.labels.length === 1)")
                assert await page.ask("document.querySelector('button').getBoundingClientRect().bottom <= innerHeight")
            assert page.complaints == []

    run(check())
