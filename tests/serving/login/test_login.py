"""Logging in by a page: what the form does, what the browser keeps, and what an attacker gets out of it."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, CookieJar

from schemas.api import SessionsAnswer
from streams.listening import HttpServer, Listening
from streams.listening.access_log import AccessLog
from streams.listening.tokens import new_secret
from streams.serving.api import create_app
from streams.serving.login.known import known_browser, make_known
from tests.serving.login.desk import PASSWORD, Desk, access_of, kiosk_entry, user_entry
from tests.serving.records import Backend, client_of

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from aiohttp import ClientResponse, web
    from aiohttp.test_utils import TestClient

    Client = TestClient[web.Request, web.Application]

FORM = {"name": "yuki", "password": PASSWORD}


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


async def enter(client: Client, **form: str) -> ClientResponse:
    """Send the form as a browser that follows nothing."""
    return await client.post("/login", data={**FORM, **form}, allow_redirects=False)


async def status(client: Client, path: str = "/api/v1/figures") -> int:
    """Return how the server answers a request that brings what the client keeps."""
    return (await client.get(path, allow_redirects=False)).status


def test_the_login_has_the_language_of_the_requested_page() -> None:
    """A link to the Japanese page leads over a Japanese login, and what is chosen there holds behind it; else the browser decides."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            for path, language in (
                ("/?lang=ja", "ja"),
                ("/?view=wall&lang=ja", "ja"),
                ("/?view=wall", "en"),
                ("/?lang=xx", "en"),
                ("/login?next=%2F%3Flang%3Dja&lang=en", "en"),
            ):
                answer = await client.get(path, headers={"Accept": "text/html"})
                assert f'<html lang="{language}">' in await answer.text(), path
            chosen = await (await client.get("/login?next=%2F%3Flang%3Den%26window%3D5&lang=ja")).text()
            assert 'name="next" value="/?window=5&amp;lang=ja"' in chosen

    run(check())


def test_a_login_lets_in_until_the_logout() -> None:
    """The page, the form, the redirect, the identity, and the logout; the session is gone at the server and in the browser."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            assert await status(client) == 401
            answer = await client.get("/?view=wall", headers={"Accept": "text/html"})
            assert answer.url.path_qs == "/login?next=/?view%3Dwall"
            page = await answer.text()
            assert '<form method="post" action="/login">' in page
            assert 'value="/?view=wall"' in page

            entered = await enter(client, next="/?view=wall")
            assert (entered.status, entered.headers["Location"]) == (303, "/?view=wall")
            secret = entered.cookies["session"].value
            assert await status(client) == 200
            assert await (await client.get("/api/v1/session")).json() == {"kind": "user", "name": "yuki", "rights": ["figures"]}
            assert "Logged in as yuki." in await (await client.get("/login")).text()

            left = await client.post("/logout")
            assert await left.json() == {"next": "/login"}
            assert left.cookies["session"].value == ""
            assert await status(client) == 401
            assert (await client.get("/api/v1/figures", cookies={"session": secret})).status == 401
            assert [(action, name) for action, _, name, _ in desk.audit.entries] == [("login", "yuki"), ("logout", "yuki")]

    run(check())


def test_without_an_access_file_there_is_no_login() -> None:
    """Everything is as without logins: no user is asked, and the login's addresses report that they are off."""

    async def check() -> None:
        async with client_of(Backend().serving()) as client:
            assert await status(client) == 200
            assert (await (await client.get("/api/v1/session")).json())["kind"] == "anyone"
            for method, path in (("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/kiosk"), ("POST", "/kiosk")):
                assert (await client.request(method, path)).status == 404
            assert (await client.get("/api/v1/sessions")).status == 404
            assert (await client.delete("/api/v1/sessions/a")).status == 404

    run(check())


@pytest.mark.parametrize(
    "form", [{"password": "wrong horse battery"}, {"name": "nobody"}, {"name": ""}, {"password": ""}, {"name": "YUKI"}]
)
def test_errors_do_not_reveal_whether_a_name_exists(form: dict[str, str]) -> None:
    """Wrong name or wrong password: the same answer, byte for byte but for what was typed as the name."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            wrong = await enter(client, password="not the password")
            answer = await enter(client, **form)
            assert answer.status == 403
            typed = FORM["name"] if "name" not in form else form["name"]
            expected = (await wrong.text()).replace('value="yuki"', f'value="{typed}"')
            if not typed:
                expected = expected.replace('required><label for="password">', 'required autofocus><label for="password">')
                expected = expected.replace("required autofocus><input", "required><input")
            assert await answer.text() == expected
            assert {k for k in answer.headers if k != "Date"} == {k for k in wrong.headers if k != "Date"}
            assert "session" not in answer.cookies
            # The account, if there is one, and not what was typed: it may have been the password.
            account = "yuki" if typed.strip() == "yuki" else None
            assert desk.audit.entries[-1] == ("login_refused", "refused", account, "wrong")

    run(check())


@pytest.mark.parametrize(
    ("accepted", "query", "language"),
    [
        ("", "", "en"),
        ("ja", "", "ja"),
        ("fr, ja-JP;q=0.8, en;q=0.5", "", "ja"),
        ("en-GB, ja;q=0.9", "", "en"),
        ("ja;q=0", "", "en"),
        ("ja;q=nan, ja;q=9, ja;q=x", "", "en"),
        ("ja", "?lang=en", "en"),
        ("", "?lang=ja", "ja"),
        ("ja", "?lang=xx", "ja"),
        (",".join(["ja"] * 2000), "", "ja"),
    ],
)
def test_the_page_has_the_browsers_language(accepted: str, query: str, language: str) -> None:
    """The first of ours that the browser names; a switch on the page is stronger, and an error keeps to it."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            page = await (await client.get(f"/login{query}", headers={"Accept-Language": accepted})).text()
            assert f'<html lang="{language}">' in page
            assert {"en": "<h2>Log in</h2>", "ja": "<h2>ログイン</h2>"}[language] in page
            wrong = await (await enter(client, password="wrong wrong wrong", lang=language)).text()
            assert {"en": "Name or password is wrong.", "ja": "ユーザー名またはパスワードが違います。"}[language] in wrong

    run(check())


def test_the_page_is_locked_down() -> None:
    """Its policy permits nothing inline and nothing from elsewhere, and its form to be sent here alone; it is kept by no cache."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            for answer in (await client.get("/login"), await enter(client, password="wrong wrong wrong"), await client.get("/kiosk")):
                policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
                assert policy == {
                    "default-src": "'none'",
                    **dict.fromkeys(["script-src", "style-src", "img-src", "connect-src", "form-action"], "'self'"),
                    "base-uri": "'none'",
                    "frame-ancestors": "'none'",
                }
                assert answer.headers["Referrer-Policy"] == "same-origin"
                assert answer.headers["Cache-Control"] == "no-store"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                page = await answer.text()
                assert not re.search(r"<script(?![^>]* src=)|<style| on\w+=|javascript:|https?:", page)

    run(check())


def test_typed_markup_is_returned_as_text() -> None:
    """A name or a target that is markup is shown as it is typed, or not at all."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            markup = "\"><script>alert(1)</script><input value='"
            page = await (await enter(client, name=markup, next=f"/{markup}", lang=markup)).text()
            assert "<script>alert" not in page
            assert "&quot;&gt;&lt;script&gt;alert(1)" in page
            assert 'name="next" value="/"' in page
            page = await (await client.get("/login", params={"next": f"/?{markup}", "lang": markup})).text()
            assert "<script>alert" not in page
            assert PASSWORD not in await (await enter(client, name="ken")).text()

    run(check())


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "/\r\nX: y", "javascript:alert(1)", "/login"],
)
def test_a_login_leads_to_this_server_alone(target: str) -> None:
    """For any form or address of the page."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            page = await (await client.get("/login", params={"next": target})).text()
            assert "evil" not in page
            entered = await enter(client, next=target)
            assert (entered.status, entered.headers["Location"]) == (303, "/")
            assert "evil" not in await (await client.get("/kiosk", params={"next": target})).text()

    run(check())


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookies_are_for_this_host_and_no_script(*, secure: bool) -> None:
    """Both cookies; under TLS they are bound to the host, and a plain name, which other hosts of the domain can set, is not read."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}), secure=secure)
        async with client_of(desk.serving()) as client:
            entered = await enter(client)
            prefix = "__Host-" if secure else ""
            assert set(entered.cookies) == {f"{prefix}session", f"{prefix}known"}
            for cookie in entered.cookies.values():
                assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
                assert bool(cookie["secure"]) is secure
            # It goes with the browser; that the browser was here before stays.
            assert entered.cookies[f"{prefix}session"].get("max-age", "") == ""
            secret = entered.cookies[f"{prefix}session"].value
        async with client_of(desk.serving()) as client:
            assert (await client.get("/api/v1/figures", headers={"Cookie": f"__Host-session={secret}"})).status == (200 if secure else 401)
            assert (await client.get("/api/v1/figures", headers={"Cookie": f"session={secret}"})).status == (401 if secure else 200)

    run(check())


def test_a_session_that_was_planted_is_not_taken_over() -> None:
    """Fixation: what a browser brings to a login lets in no one afterwards, known to the server or not; nor does the one before."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry(), "mallory": user_entry("an attacker's own")}))
        async with client_of(desk.serving()) as attacker, client_of(desk.serving()) as victim:
            planted = (await enter(attacker, name="mallory", password="an attacker's own")).cookies["session"].value
            victim.session.cookie_jar.update_cookies({"session": planted})
            fresh = (await enter(victim)).cookies["session"].value
            assert fresh != planted
            assert await status(attacker) == 401
            assert await status(victim) == 200

            made_up = "A" * 43
            victim.session.cookie_jar.clear()
            victim.session.cookie_jar.update_cookies({"session": made_up})
            assert (await enter(victim)).cookies["session"].value not in {made_up, fresh}
            for old in (made_up, planted):
                assert (await victim.get("/api/v1/figures", cookies={"session": old})).status == 401

    run(check())


def test_a_right_that_ends_in_the_file_ends_at_once() -> None:
    """The next request after the entry is gone, or its password another, is refused, and stays so when the entry is restored."""

    async def check() -> None:
        entry = user_entry()
        desk = Desk(access_of(users={"yuki": entry}))
        for changed in ({}, {"yuki": user_entry()}, {"yuki": user_entry("another password")}):
            async with client_of(desk.serving()) as client:
                desk.running = access_of(users={"yuki": entry})
                await enter(client)
                assert await status(client) == 200
                desk.running = access_of(users=changed)
                assert await status(client) == 401
                desk.running = access_of(users={"yuki": entry})
                assert await status(client) == 401

    run(check())


def test_a_user_without_a_role_is_informed_and_can_log_out() -> None:
    """Known, without a role: the page leads to the login, which states it and offers the logout; programs get 403."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry() | {"roles": []}}))
        async with client_of(desk.serving()) as client:
            assert (await enter(client)).status == 303
            assert await status(client) == 403
            page = await client.get("/?window=5", headers={"Accept": "text/html"})
            assert page.url.path_qs == "/login?next=/?window%3D5"
            text = await page.text()
            assert "Your account has no rights here" in text
            assert "Logged in as yuki." in text
            assert "Continue" not in text
            assert 'action="/logout"' in text
            left = await client.post("/logout", headers={"Accept": "text/html"}, allow_redirects=False)
            assert (left.status, left.headers["Location"]) == (303, "/login")
            assert await status(client) == 401

    run(check())


def test_a_session_ends_by_the_files_times() -> None:
    """The access file limits idle minutes and total hours."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}, session={"idle_minutes": 10, "hours": 1}))
        async with client_of(desk.serving()) as client:
            await enter(client)
            desk.clock.seconds += 599
            assert await status(client) == 200
            desk.clock.seconds += 600
            assert await status(client) == 401
            await enter(client)
            for _ in range(7):
                desk.clock.seconds += 500
                assert await status(client) == 200
            desk.clock.seconds += 100
            assert await status(client) == 401

    run(check())


def test_guessing_is_slowed_down_and_the_owner_is_not() -> None:
    """Six tries from one address, then 429 with Retry-After; a known browser is admitted at once."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as owner, client_of(desk.serving()) as attacker:
            assert (await enter(owner)).status == 303
            answers = [await enter(attacker, password=f"guess number {n}") for n in range(7)]
            assert [answer.status for answer in answers] == [403] * 6 + [429]
            assert answers[-1].headers["Retry-After"] == "1"
            assert "Try again in 1 s." in await answers[-1].text()
            # Even the right password has to wait there; a made-up name is no different.
            assert (await enter(attacker)).status == 429
            for _ in range(6):
                assert (await enter(attacker, name="made-up")).status == 403
            assert (await enter(attacker, name="made-up")).status == 429
            assert (await enter(owner)).status == 303
            # A cookie of another name, or a forged one, spares nothing.
            known = owner.session.cookie_jar.filter_cookies(owner.make_url("/"))["known"].value
            for value in (known[:-1] + ("0" if known[-1] != "0" else "1"), "a.1.b", "." * 500, "é"):
                answer = await attacker.post("/login", data=FORM, headers={"Cookie": f"known={value}"}, allow_redirects=False)
                assert answer.status == 429
            desk.clock.seconds += 1
            assert (await enter(attacker)).status == 303
            assert desk.audit.entries[-1] == ("login", "done", "yuki", None)

    run(check())


def test_a_browser_is_known_for_its_name_and_ninety_days() -> None:
    """By another name, another password or later it is like any; each login creates a new one."""
    entry, other, now = user_entry()["password"], user_entry()["password"], 1_000_000.0
    cookie = make_known(entry, "yuki", now)
    browser_ = known_browser(cookie, entry, "yuki", now + 90 * 86_400 - 1)
    assert browser_ is not None
    assert known_browser(make_known(entry, "yuki", now), entry, "yuki", now) != browser_
    assert known_browser(cookie, entry, "yuki", now + 90 * 86_400) is None
    assert known_browser(cookie, entry, "ken", now) is None
    assert known_browser(cookie, other, "yuki", now) is None
    name, since, signature = cookie.split(".")
    for made_up in (
        f"{name}.{int(since) + 1}.{signature}",
        f"{name}0.{since}.{signature}",
        f"{name}.{since}.",
        "..",
        "",
        "a.²." + signature,
    ):
        assert known_browser(made_up, entry, "yuki", now) is None
    # It reveals nothing of the password's hash, and grants no access.
    assert entry.rsplit("$", 1)[1] not in cookie


@pytest.mark.parametrize("names", [10_000, pytest.param(100_000, marks=pytest.mark.nightly)])
def test_made_up_names_change_nothing(names: int) -> None:
    """Ten from each address, as many as are verified without a wait: what is kept is bounded, and the owner logs in from a new browser."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}), address="192.0.2.1")
        throttle = desk.login._throttle
        request = type("Request", (), {"cookies": {}})()
        for number in range(names):
            desk.address = f"client {number % (names // 10)}"
            await desk.login.enter(request, f"made-up {number}", "a guess of somebody")
        # Pairs and names, of which 20,000 each are kept, and addresses.
        assert len(throttle) == 2 * min(names, 20_000) + names // 10
        assert len(desk.login.sessions) == 0
        desk.address = "192.0.2.1"
        async with client_of(desk.serving()) as client:
            assert (await enter(client)).status == 303

    asyncio.run(asyncio.wait_for(check(), 300))


@pytest.mark.parametrize(
    ("body", "kind", "status_"),
    [
        (b"name=yuki&password=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"name=" + b"%41" * 5_000 + b"&password=x", "application/x-www-form-urlencoded", 403),
        (b"name=yuki", "application/x-www-form-urlencoded", 400),
        (b"name=yuki&name=ken&password=x", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=b" for _ in range(1000)), "application/x-www-form-urlencoded", 400),
        (b"name=%ff&password=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400),
        (b'{"name": "yuki", "password": "x"}', "application/json", 400),
        (b"name=yuki&password=x", "text/plain", 400),
        (b"name=a%00b&password=%00", "application/x-www-form-urlencoded", 403),
    ],
    ids=range(11),
)
def test_a_form_that_is_none_is_refused_in_order(body: bytes, kind: str, status_: int) -> None:
    """Too long, twice the same, many fields, no text, another type: an error for each, and never a 500."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            answer = await client.post("/login", data=body, headers={"Content-Type": kind}, allow_redirects=False)
            assert answer.status == status_
            assert len(await answer.text()) < 5_000

    run(check())


def test_no_secret_is_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """Not at the finest level, whatever goes wrong: neither password nor session nor what marks a browser."""
    caplog.set_level(logging.DEBUG)

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            entered = await enter(client)
            await enter(client, password="a wrong password")
            secret, known = (entered.cookies[name].value for name in ("session", "known"))
            await client.get("/api/v1/figures")
            await client.post("/logout")
            for text in (PASSWORD, "a wrong password", secret, known):
                assert text not in caplog.text
            assert desk.running.users["yuki"].password not in caplog.text

    run(check())


@pytest.mark.parametrize(
    ("headers", "same_origin"),
    [
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "{own}"}, False),
        ({"Origin": "{own}"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "{own}"}, True),
        ({}, True),  # a program, which no other site's page makes send anything
    ],
    ids=range(8),
)
def test_no_other_site_logs_in_or_out(headers: dict[str, str], *, same_origin: bool) -> None:
    """A form of another page neither begins a session, which would be the attacker's own, nor ends one, nor redeems a ticket."""

    async def check() -> None:
        ticket = new_secret()
        desk = Desk(access_of(users={"yuki": user_entry(), "ken": user_entry(role="operator")}, kiosks={"hall": kiosk_entry(ticket)}))
        listening = Listening()
        server = HttpServer(create_app(desk.serving()), listening.connections(), listening, shutdown_timeout=1)
        address = await server.start("127.0.0.1", 0)
        sent = {name: value.format(own=address) for name, value in headers.items()}
        async with ClientSession(address, cookie_jar=CookieJar(unsafe=True)) as client:
            async with client.post("/login", data=FORM | {"name": "ken"}, allow_redirects=False) as answer:
                assert answer.status == 303
            (before,) = desk.login.sessions
            for method, path, more, expected in (
                ("DELETE", "/api/v1/sessions/none", {}, 404),
                ("POST", "/kiosk", {"json": {"ticket": ticket}}, 200),
                ("POST", "/login", {"data": FORM}, 303),
                ("POST", "/logout", {}, 200),
            ):
                async with client.request(method, path, headers=sent, allow_redirects=False, **more) as answer:  # type: ignore[arg-type]
                    assert answer.status == (expected if same_origin else 403)
                    assert bool(answer.cookies) is (same_origin and method == "POST")
            assert (desk.topic.records != []) is same_origin
            assert before.ended is same_origin
        await server.stop()

    run(check())


@pytest.mark.parametrize("form", ["combined", "json"])
def test_no_secret_is_in_the_access_log(form: Literal["combined", "json"], tmp_path: Path) -> None:
    """As the server writes it: neither a password, nor a session, nor a ticket put into the query by mistake."""
    log = AccessLog(tmp_path / "access.log", form)

    async def check() -> list[str]:
        ticket = new_secret()
        desk = Desk(access_of(users={"yuki": user_entry()}, kiosks={"hall": kiosk_entry(ticket)}))
        listening = Listening(access_log=log)
        server = HttpServer(create_app(desk.serving()), listening.connections(), listening, shutdown_timeout=1)
        address = await server.start("127.0.0.1", 0)
        async with ClientSession(address, cookie_jar=CookieJar(unsafe=True)) as client:
            asked: tuple[tuple[str, str, dict[str, Any]], ...] = (
                ("POST", "/login", {"data": FORM}),
                ("POST", f"/login?password={quote(PASSWORD)}", {"data": FORM | {"password": "a wrong password"}}),
                ("GET", "/api/v1/figures", {}),
                ("GET", f"/kiosk?ticket={ticket}", {"headers": {"Referer": f"{address}/kiosk?ticket={ticket}"}}),
                ("POST", "/kiosk", {"json": {"ticket": ticket}}),
                ("POST", "/logout", {}),
            )
            cookies = []
            for method, path, more in asked:
                async with client.request(method, path, allow_redirects=False, **more) as answer:
                    cookies += [each.value for each in answer.cookies.values() if each.value]
        await server.stop()
        assert len(cookies) == 3
        return [ticket, PASSWORD, quote(PASSWORD), "a wrong password", "seven", *cookies]

    secrets = asyncio.run(asyncio.wait_for(check(), 60))
    written = (tmp_path / "access.log").read_text(encoding="utf-8")
    assert len(written.splitlines()) == 6
    assert not [secret for secret in secrets if secret in written]


def test_sessions_are_listed_and_ended_with_the_right(caplog: pytest.LogCaptureFixture) -> None:
    """An operator sees who is logged in and ends one, at once; a viewer sees nothing of it. What is listed opens nothing."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry(), "ken": user_entry(role="operator")}))
        async with client_of(desk.serving()) as viewer, client_of(desk.serving()) as operator:
            secret = (await enter(viewer)).cookies["session"].value
            await enter(operator, name="ken")
            assert await status(viewer, "/api/v1/sessions") == 403
            answer = await operator.get("/api/v1/sessions")
            assert secret not in await answer.text()
            assert SessionsAnswer.model_validate(await answer.json()).model_dump() == await answer.json()
            listed = {each["name"]: each for each in (await answer.json())["sessions"]}
            # By the clock of the test, an hour idle and twelve hours in all, as the file has it by default.
            assert listed["yuki"] == {
                "id": listed["yuki"]["id"],
                "kind": "user",
                "name": "yuki",
                "began_at": "2026-04-01T09:00:01.000Z",
                "used_at": "2026-04-01T09:00:01.000Z",
                "ends_at": "2026-04-01T10:00:01.000Z",
            }
            assert set(listed) == {"yuki", "ken"}
            path = f"/api/v1/sessions/{listed['yuki']['id']}"
            assert (await viewer.delete(path)).status == 403
            assert await status(viewer) == 200
            assert (await operator.delete(path)).status == 204
            assert await status(viewer) == 401
            assert (await operator.delete(path)).status == 404
            assert desk.audit.entries[-1] == ("session_ended", "done", "ken", None)

    run(check())
