"""Logins at a real Keycloak, with the realm of deploy/: what it gives is taken, and what its administrator does is followed."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from yarl import URL

from streams.access.principals import Identity
from streams.serving.login.provider.attempts import Attempts
from streams.serving.login.provider.problems import ProviderRefusedError, TokenError
from streams.serving.login.provider.provider import Provider
from streams.serving.login.provider.settings import Settings
from streams.serving.login.sessions import Session
from tests.support.keycloak import PASSWORD, SECRET, VALUES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.support.keycloak import Keycloak, Realm

PUBLIC_URL = VALUES["CONTACT_STREAMS_PUBLIC_URL"]


class RelyingParty:
    """A realm, and this server's side of it."""

    def __init__(self, realm: Realm, http: aiohttp.ClientSession) -> None:
        self.realm = realm
        self.http = http
        settings = Settings(
            issuer=realm.issuer,
            client_id="contact-streams",
            client_secret=SECRET,
            public_url=PUBLIC_URL,
            audience="contact-streams-api",
        )
        self.here = Provider(settings, http, clock=time.time, ticks=time.monotonic)
        self.attempts = Attempts(time.time)

    async def log_in(self, user: str, *, password: str = PASSWORD) -> Session:
        """Log in as a browser does, by the page of Keycloak; return the session."""
        _, attempt = self.attempts.begin("/")
        # Browsers send cookies for TLS to their own machine, too.
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self.realm.keycloak.url)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            async with browser.get(await self.here.login_url(attempt)) as page:
                form = re.search(r'<form[^>]+id="kc-form-login"[^>]+action="([^"]+)"', await page.text())
            assert form is not None
            fields = {"username": user, "password": password}
            async with browser.post(URL(html.unescape(form[1]), encoded=True), data=fields, allow_redirects=False) as answer:
                if answer.status != 302:
                    raise PermissionError
                back = URL(answer.headers["Location"])
        assert str(back.with_query(None)) == f"{PUBLIC_URL}/login/provider/callback"
        identity, check = await self.here.logged_in(attempt, back.query)
        return Session("1", identity, began=0.0, used=0.0, check=check)


@contextlib.asynccontextmanager
async def relying_party(keycloak: Keycloak) -> AsyncIterator[RelyingParty]:
    """Make a realm."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield RelyingParty(await keycloak.realm(http), http)


def run(keycloak: Keycloak, check: Callable[[RelyingParty], Awaitable[None]]) -> None:
    """Run a check for three minutes at most: other tests may want the machine, too."""

    async def whole() -> None:
        async with relying_party(keycloak) as party:
            await check(party)

    asyncio.run(asyncio.wait_for(whole(), 180))


async def now(session: Session) -> Identity | None:
    """Return what a session becomes when it is checked."""
    assert session.check is not None
    return await session.check(session)


def test_people_of_keycloak_log_in_and_are_followed(keycloak: Keycloak) -> None:
    """Name and groups are those of the realm; groups that change, keys that are replaced and users who are disabled are followed."""

    async def check(it: RelyingParty) -> None:
        aoki = await it.log_in("aoki")
        assert aoki.identity == await now(aoki) == Identity("provider", "aoki", ("tokyo-wall",))
        await it.realm.move("aoki", "tokyo-supervisors")
        assert await now(aoki) == Identity("provider", "aoki", ("tokyo-supervisors",))

        await it.realm.rotate_keys()
        assert await now(aoki) == Identity("provider", "aoki", ("tokyo-supervisors",))
        mori = await it.log_in("mori")
        assert mori.identity == Identity("provider", "mori", ("tokyo-supervisors",))

        await it.realm.enable("aoki", enabled=False)
        assert await now(aoki) is None
        assert await now(mori) is not None
        for user, password in (("aoki", PASSWORD), ("mori", "another password")):
            with pytest.raises(PermissionError):
                await it.log_in(user, password=password)

        person = await it.realm.user("mori")
        await it.realm.ask("POST", f"/users/{person['id']}/logout")
        assert await now(mori) is None

    run(keycloak, check)


def test_keycloak_asks_for_the_proof_that_belongs_to_a_code(keycloak: Keycloak) -> None:
    """The realm requires PKCE: without a challenge no login begins, and with another's verifier no code is redeemed."""

    async def check(it: RelyingParty) -> None:
        _, attempt = it.attempts.begin("/")
        url = URL(await it.here.login_url(attempt))
        without = url.with_query([(name, value) for name, value in url.query.items() if not name.startswith("code_challenge")])
        async with it.http.get(without, allow_redirects=False) as answer:
            assert answer.status == 302
            assert "code_challenge_method" in URL(answer.headers["Location"]).query["error_description"]
        logged_in = it.here.logged_in

        async def stolen(mine: object, answer: dict[str, str]) -> object:
            _, thief = it.attempts.begin("/")
            return await logged_in(thief, {**answer, "state": thief.state})

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(it.here, "logged_in", stolen)
            with pytest.raises(ProviderRefusedError):
                await it.log_in("aoki")

    run(keycloak, check)


def test_programs_of_keycloak_show_their_own_tokens(keycloak: Keycloak) -> None:
    """A service account's token for our audience is taken; a person's tokens, which have none, are not."""

    async def check(it: RelyingParty) -> None:
        token = await it.realm.program_token("prometheus", VALUES["CONTACT_STREAMS_SCRAPE_CLIENT_SECRET"])
        assert await it.here.program(token) == Identity("provider", "service-account-prometheus", ("monitoring",))
        await it.realm.rotate_keys()
        new = await it.realm.program_token("prometheus", VALUES["CONTACT_STREAMS_SCRAPE_CLIENT_SECRET"])
        header = token.partition(".")[0]
        assert not new.startswith(header)
        with pytest.raises(TokenError):
            await it.here.program(f"{new.partition('.')[0]}.{token.partition('.')[2]}")

    run(keycloak, check)


def test_sessions_outlive_a_keycloak_that_does_not_answer(keycloak: Keycloak) -> None:
    """A session of a stopped Keycloak continues, and is checked again when it answers."""

    async def check(it: RelyingParty) -> None:
        aoki = await it.log_in("aoki")
        keycloak.pause()
        try:
            assert await now(aoki) == aoki.identity
        finally:
            keycloak.resume()
        await it.realm.move("aoki", "auditors")
        assert await now(aoki) == Identity("provider", "aoki", ("auditors",))

    run(keycloak, check)


def test_keycloak_imports_the_realm_of_deploy_by_itself(keycloak: Keycloak) -> None:
    """As compose starts it: the variables of the file are those of the environment, and its people are in their groups."""

    async def check() -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            realm = keycloak.imported(http)
            (client,) = await realm.ask("GET", "/clients?clientId=contact-streams")
            assert client["secret"] == SECRET
            assert client["redirectUris"] == [f"{PUBLIC_URL}/login/provider/callback"]
            assert client["attributes"]["post.logout.redirect.uris"] == f"{PUBLIC_URL}/login"
            assert client["attributes"]["backchannel.logout.url"] == f"{PUBLIC_URL}/login/provider/logout"
            assert "${CONTACT_STREAMS" not in str(await realm.ask("GET", "/clients"))
            for name, group in (("aoki", "tokyo-wall"), ("mori", "tokyo-supervisors"), ("service-account-prometheus", "monitoring")):
                person = await realm.user(name)
                assert [each["name"] for each in await realm.ask("GET", f"/users/{person['id']}/groups")] == [group]

    asyncio.run(asyncio.wait_for(check(), 60))
