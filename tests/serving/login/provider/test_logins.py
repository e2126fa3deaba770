"""A whole server and its provider, over HTTP: how a browser gets in and out, how a program does, and what neither can do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from joserfc.jwk import RSAKey
from yarl import URL

from streams.serving.door import WatchedAccess
from streams.serving.login import sessions
from streams.serving.login.provider.logins import ProviderLogins
from streams.serving.reload import now_ms
from streams.serving.service import ServeSettings, run_serve
from tests.serving.login.desk import PASSWORD, Desk, access_of, user_entry
from tests.serving.login.provider.small_provider import CLIENT_ID, CLIENT_SECRET, SmallProvider, small_provider
from tests.serving.records import client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from aiohttp import ClientResponse, web
    from aiohttp.test_utils import TestClient

    Client = TestClient[web.Request, web.Application]

HTML = {"Accept": "text/html"}
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Deployment:
    """A provider, a server, and its browsers."""

    def __init__(self, there: SmallProvider, *, secure: bool = False, **keys: Any) -> None:
        self.there = there
        self.keys: dict[str, Any] = {
            "provider": {"issuer": there.issuer, "client_id": CLIENT_ID, "audience": "api"},
            "public_url": "http://127.0.0.1:8080",
            "groups": {"tokyo": [{"role": "viewer"}]},
            **keys,
        }
        self.desk = Desk(access_of(**self.keys), secure=secure)
        there.clock = self.desk.clock
        self.logins = ProviderLogins(self.desk.login, client_secret=CLIENT_SECRET, audit=self.desk.audit, ticks=self.desk.clock)
        self.desk.door.identifiers += (self.logins,)
        #: All that browsers were answered.
        self.answers: list[str] = []

    def change(self, **keys: Any) -> None:
        """Put another access file in force."""
        self.desk.running = access_of(**self.keys | keys)

    @contextlib.asynccontextmanager
    async def browser(self) -> AsyncIterator[Client]:
        """Run the server with one browser of its own."""
        async with client_of(self.desk.serving(provider_logins=self.logins)) as client:
            yield client

    async def get(self, client: Client, path: str, **headers: str) -> ClientResponse:
        """Ask as a browser that follows nothing."""
        answer = await client.get(path, headers=HTML | headers, allow_redirects=False)
        self.answers.append(f"{answer.headers} {await answer.text()}")
        return answer

    async def begin(self, client: Client, user: str = "aoki", target: str = "/") -> str:
        """Go to the provider and log in there; return the path that it sends the browser back to."""
        answer = await self.get(client, str(URL("/login/provider").with_query(next=target)))
        assert answer.status == 303
        return str(URL("/login/provider/callback").with_query(self.there.log_in(answer.headers["Location"], user)))

    async def log_in(self, client: Client, user: str = "aoki", target: str = "/") -> ClientResponse:
        """Log in as a person does."""
        return await self.get(client, await self.begin(client, user, target))


def run(check: Callable[[Deployment], Awaitable[None]], **keys: Any) -> None:
    """Run a check for half a minute at most."""

    async def whole() -> None:
        async with small_provider() as there:
            it = Deployment(there, **keys)
            holding = asyncio.create_task(it.logins.run())
            try:
                await check(it)
            finally:
                holding.cancel()
                await asyncio.gather(holding, return_exceptions=True)

    asyncio.run(asyncio.wait_for(whole(), 30))


async def status(client: Client, **headers: str) -> int:
    """Return how the server answers when it is asked for figures."""
    return (await client.get("/api/v1/figures", headers=headers)).status


def test_a_person_logs_in_sees_and_logs_out() -> None:
    """The way to the provider, back to where one was going, and out: here at once, and on to the provider's own logout."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            assert await status(client) == 401
            assert 'href="/login/provider?next=' in await (await client.get("/login?next=/?view=wall")).text()
            answer = await it.log_in(client, target="/?view=wall")
            assert (answer.status, answer.headers["Location"]) == (303, "/?view=wall")
            assert answer.cookies["attempt"].value == ""
            assert await status(client) == 200
            session = await (await client.get("/api/v1/session")).json()
            assert session == {"kind": "provider", "name": "aoki", "rights": ["figures"]}
            left = await client.post("/logout")
            way = URL((await left.json())["next"])
            assert way.with_query(None) == URL(f"{it.there.issuer}/logout")
            assert way.query["post_logout_redirect_uri"] == "http://127.0.0.1:8080/login"
            assert await status(client) == 401
            assert [(action, name) for action, _, name, _ in it.desk.audit.entries] == [("login", "aoki"), ("logout", "aoki")]

    run(check)


@pytest.mark.parametrize(("secure", "name"), [(False, "attempt"), (True, "__Host-attempt")])
def test_what_a_browser_keeps_is_out_of_reach_of_scripts_and_of_other_sites(secure: bool, name: str) -> None:
    """Both cookies are for this server alone, hidden from scripts, and come with no post of another site; under TLS by TLS alone."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            answer = await it.get(client, "/login/provider")
            cookie = answer.cookies[name]
            assert (cookie["httponly"], cookie["samesite"], cookie["path"], bool(cookie["secure"])) == (True, "Lax", "/", secure)
            assert cookie["domain"] == ""
            assert cookie["max-age"] == "600"
            query = it.there.log_in(answer.headers["Location"], "aoki")
            back = str(URL("/login/provider/callback").with_query(query))
            come = await it.get(client, back, Cookie=f"{name}={cookie.value}")
            session = come.cookies["__Host-session" if secure else "session"]
            assert (session["httponly"], session["samesite"], session["path"], bool(session["secure"])) == (True, "Lax", "/", secure)

    run(check, secure=secure)


def test_no_token_reaches_a_browser() -> None:
    """Neither a page nor a header nor a cookie, from the first step to the logout, holds a token, a verifier or the client's secret."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            await it.log_in(client)
            await it.get(client, "/api/v1/session")
            left = await client.post("/logout")
            it.answers.append(f"{left.headers} {await left.text()}")
        hidden = [*it.there.given, *(form["code_verifier"] for form in it.there.forms), CLIENT_SECRET, "a+secret"]
        assert len(hidden) == 6
        assert not [each for each in hidden if any(each in answer for answer in it.answers)]

    run(check)


def test_a_login_that_another_browser_began_is_refused() -> None:
    """A user who is sent an attacker's callback does not enter the attacker's account (login CSRF), with or without a login begun."""

    async def check(it: Deployment) -> None:
        async with it.browser() as attacker, it.browser() as victim:
            back = await it.begin(attacker)
            for _ in range(2):
                answer = await it.get(victim, back)
                assert answer.status == 403
                assert "session" not in answer.cookies
                assert "The login was not completed." in await answer.text()
                await it.get(victim, "/login/provider")
            assert await status(victim) == 401
            assert it.there.forms == []
            assert [action for action, *_ in it.desk.audit.entries] == ["login_refused"]

    run(check)


def test_a_way_back_leads_in_once() -> None:
    """The address in a browser's history opens nothing more: the attempt is over, and the provider has taken its code."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            back = await it.begin(client)
            cookie = client.session.cookie_jar.filter_cookies(client.make_url("/"))["attempt"].value
            assert (await it.get(client, back)).status == 303
            await client.post("/logout")
            assert (await it.get(client, back)).status == 403
            assert (await it.get(client, back, Cookie=f"attempt={cookie}")).status == 403
            assert await status(client) == 401

    run(check)


def test_an_attempt_is_over_after_ten_minutes() -> None:
    """A user who returns too late is asked to begin again, in the browser's language."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            back = await it.begin(client)
            it.desk.clock.seconds += 600
            answer = await it.get(client, back, **{"Accept-Language": "ja"})
            assert answer.status == 403
            assert "ログインを完了できませんでした。" in await answer.text()

    run(check)


def test_a_session_that_was_laid_into_a_browser_is_not_gone_on_with() -> None:
    """A login gives a new secret, whatever the browser had, and ends the session it had (session fixation)."""

    async def check(it: Deployment) -> None:
        async with it.browser() as attacker, it.browser() as victim:
            laid = (await it.log_in(attacker)).cookies["session"].value
            victim.session.cookie_jar.update_cookies({"session": laid}, victim.make_url("/"))
            own = (await it.log_in(victim)).cookies["session"].value
            assert own != laid
            assert await status(victim) == 200
            assert await status(attacker) == 401

    run(check)


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "/%0d%0aLocation:%20//evil.example", "javascript:alert(1)", "/login"],
)
def test_a_login_leads_to_this_server_alone(target: str) -> None:
    """``next`` is a path of this server, or the login leads home (open redirect)."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            location = (await it.log_in(client, target=target)).headers["Location"]
            assert location in {"/", target} - {
                "//evil.example",
                "https://evil.example/",
                "/\\evil.example",
                "javascript:alert(1)",
                "/login",
            }
            assert client.make_url("/").join(URL(location)).host == "127.0.0.1"

    run(check)


def test_a_user_without_a_configured_group_gets_no_session() -> None:
    """The provider knows the user, the access file none of the groups: the page states it, and it is recorded."""

    async def check(it: Deployment) -> None:
        it.there.claims["aoki"]["groups"] = ["cleaning"]
        async with it.browser() as client:
            answer = await it.log_in(client)
            assert answer.status == 403
            assert "Your account has no rights here." in await answer.text()
            assert "session" not in answer.cookies
            assert it.desk.audit.entries == [("login_refused", "refused", "aoki", "none of the groups has a role")]

    run(check)


def test_a_right_that_ends_in_the_access_file_ends_at_once() -> None:
    """A group that loses its role, a provider that is taken out or replaced: the next request of the session finds nothing."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            await it.log_in(client)
            assert await status(client) == 200
            it.change(groups={"tokyo": []})
            assert await status(client) == 403
            it.change()
            assert await status(client) == 200
            it.change(provider={**it.keys["provider"], "client_id": "another"})
            assert await status(client) == 401
            it.change()
            await it.log_in(client)
            assert await status(client) == 200
            it.change(provider=None, groups={})
            assert await status(client) == 401
            assert (await it.get(client, "/login/provider")).status == 404
            assert (await client.post("/login/provider/logout")).status == 404

    run(check)


def test_a_right_that_ends_at_the_provider_ends_with_the_next_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute after a group is lost, or the user disabled, the session shows less, or has ended."""
    monkeypatch.setattr(sessions, "_SCAN_SECONDS", 0.02)

    async def check(it: Deployment) -> None:
        tending = asyncio.create_task(it.desk.login.tend())

        async def soon(client: Client, expected: int) -> None:
            for _ in range(200):
                if await status(client) == expected:
                    return
                await asyncio.sleep(0.02)
            raise AssertionError(f"not {expected}")

        async with it.browser() as client:
            await it.log_in(client)
            it.there.claims["aoki"]["groups"] = ["cleaning"]
            it.desk.clock.seconds += 29
            await asyncio.sleep(0.1)
            assert await status(client) == 200
            it.desk.clock.seconds += 1
            await soon(client, 403)
            it.there.claims["aoki"]["groups"] = ["tokyo"]
            it.desk.clock.seconds += 30
            await soon(client, 200)
            it.there.disabled.add("aoki")
            it.desk.clock.seconds += 30
            await soon(client, 401)
            assert it.desk.audit.entries[-1] == ("session_ended", "done", "aoki", "the provider says so")
            assert [action for action, *_ in it.desk.audit.entries].count("session_ended") == 1
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)

    run(check)


def test_the_provider_ends_sessions_by_notice() -> None:
    """A signed notice ends the session it names; one that is forged, old, for another or sent again ends nothing."""

    async def check(it: Deployment) -> None:
        def notice(**claims: Any) -> str:
            whole = {"aud": CLIENT_ID, "jti": secrets.token_hex(4), "sub": "sub-aoki", "sid": "sid-aoki", "events": {EVENT: {}}}
            return it.there.signed({name: value for name, value in {**whole, **claims}.items() if value is not None}, typ="logout+jwt")

        async def status_of(client: Client, token: str) -> int:
            return (await client.post("/login/provider/logout", data={"logout_token": token})).status

        async with it.browser() as client:
            await it.log_in(client)
            key = it.there.key
            it.there.key = RSAKey.generate_key(2048, {"kid": "one"})
            forged = notice()
            it.there.key = key
            for wrong in (forged, notice(aud="another"), notice(nonce="n"), notice(events=None), notice(iat=1), "", "a.b.c", "x" * 15_000):
                assert await status_of(client, wrong) == 400
            assert (await client.post("/login/provider/logout", data=b"x" * 20_000)).status in {400, 413}
            assert (await client.post("/login/provider/logout", json={"logout_token": notice()})).status == 400
            assert (await client.get("/login/provider/logout")).status == 405
            assert await status_of(client, notice(sid="sid-of-another")) == 200
            assert await status_of(client, notice(sub="sub-of-another", sid=None)) == 200
            assert await status(client) == 200
            right = notice()
            assert await status_of(client, right) == 200
            assert await status(client) == 401
            assert it.desk.audit.entries[-1] == ("session_ended", "done", "aoki", "the provider says so")
            # Who has caught a notice keeps no one out with it.
            await it.log_in(client)
            assert await status_of(client, right) == 200
            assert await status(client) == 200

    run(check)


def test_programs_come_in_by_a_token_of_the_provider() -> None:
    """The groups of a program's token are those of the access file; the error of another one is not sent to its program."""

    async def check(it: Deployment) -> None:
        claims = {"sub": "sub-prometheus", "aud": "api", "groups": ["tokyo"]}
        async with it.browser() as client:
            assert (await client.get("/metrics", headers={"Authorization": f"Bearer {it.there.signed(claims)}"})).status == 200
            assert await status(client, Authorization=f"bearer {it.there.signed(claims)}") == 200
            assert await status(client, Authorization=f"Bearer {it.there.signed({**claims, 'groups': ['cleaning']})}") == 403
            refusals = set()
            for wrong in ({"aud": CLIENT_ID}, {"exp": 1}, {"iss": "https://evil.example"}, {"nonce": "n"}):
                answer = await client.get("/metrics", headers={"Authorization": f"Bearer {it.there.signed({**claims, **wrong})}"})
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="contact-streams", error="invalid_token"'
                refusals.add((answer.status, await answer.text()))
            assert len(refusals) == 1
            assert next(iter(refusals))[0] == 401
            # Addresses are in logs and histories.
            for name in ("access_token", "token", "Authorization"):
                assert (await client.get(f"/api/v1/figures?{name}={it.there.signed(claims)}")).status == 401
            it.change(provider={**it.keys["provider"], "audience": None})
            assert await status(client, Authorization=f"Bearer {it.there.signed(claims)}") == 401

    run(check)


def test_a_token_ends_in_the_middle_of_what_it_opened() -> None:
    """The same token that was taken a moment ago is not taken when its time is over."""

    async def check(it: Deployment) -> None:
        token = it.there.signed({"sub": "sub-prometheus", "aud": "api", "groups": ["tokyo"]})
        async with it.browser() as client:
            assert await status(client, Authorization=f"Bearer {token}") == 200
            it.desk.clock.seconds += 331
            assert await status(client, Authorization=f"Bearer {token}") == 401

    run(check)


def test_a_provider_that_is_away_keeps_none_of_the_others_out() -> None:
    """Without its keys a program must retry, a user sees that the login does not answer; local users log in."""

    async def check(it: Deployment) -> None:
        it.there.status = 503
        async with it.browser() as client:
            token = it.there.signed({"sub": "sub-prometheus", "aud": "api", "groups": ["tokyo"]})
            answer = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            page = await it.get(client, "/login/provider")
            assert page.status == 503
            assert "Your organization’s login does not answer." in await page.text()
            form = {"name": "yuki", "password": PASSWORD}
            assert (await client.post("/login", data=form, allow_redirects=False)).status == 303
            assert await status(client) == 200
            it.there.status = None
            it.desk.clock.seconds += 10
            assert await status(client, Authorization=f"Bearer {it.there.signed({'sub': 's', 'aud': 'api', 'groups': ['tokyo']})}") == 200

    run(check, users={"yuki": user_entry()})


def test_many_logins_at_a_time_are_bounded() -> None:
    """No more than twenty logins wait for the provider at a time; further ones must retry, and none gets in by it."""

    async def check(it: Deployment) -> None:
        async with it.browser() as client:
            back = await it.begin(client)
            for _ in range(20):
                await it.logins.under_way.acquire()
            answer = await it.get(client, back)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            it.logins.under_way.release()
            assert (await it.get(client, back)).status == 303

    run(check)


def test_serve_logs_in_at_the_provider_of_its_access_file(tmp_path: Path) -> None:
    """The whole process: begins a login with its secret at hand, takes the provider's tokens, and leaves no connection behind."""

    async def check(it: Deployment) -> None:
        it.there.clock = time.time
        path = tmp_path / "access.yaml"
        path.write_text(json.dumps(it.keys), encoding="utf-8")
        settings = ServeSettings(bootstrap="127.0.0.1:9", port=0, access=WatchedAccess(path, now_ms()), provider_secret=CLIENT_SECRET)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            run_serve(settings, announce=lambda line: address.set_result(line.removeprefix("serving ")), handle_signals=False)
        )
        try:
            url = URL(await address)
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
                async with http.get(url / "login/provider", allow_redirects=False) as answer:
                    query = it.there.log_in(answer.headers["Location"], "aoki")
                async with http.get((url / "login/provider/callback").with_query(query), allow_redirects=False) as answer:
                    assert (answer.status, answer.headers["Location"]) == (303, "/")
                async with http.get(url / "api/v1/session") as answer:
                    assert (await answer.json())["name"] == "aoki"
            token = it.there.signed({"sub": "sub-prometheus", "aud": "api", "groups": ["tokyo"]})
            async with aiohttp.request("GET", url / "api/v1/session", headers={"Authorization": f"Bearer {token}"}) as answer:
                assert (await answer.json())["name"] == "sub-prometheus"
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    run(check)
