"""A login at a provider, and what its session becomes: every answer that a provider can give, wrong, late or hostile, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from joserfc.jwk import RSAKey
from yarl import URL

from streams.access.principals import Identity
from streams.serving.login.provider.attempts import Attempts
from streams.serving.login.provider.problems import ProviderAwayError, ProviderProblem, ProviderRefusedError, TokenError
from streams.serving.login.provider.provider import LogoutNotice, Provider, ProviderSession
from streams.serving.login.provider.settings import Settings
from streams.serving.login.sessions import Session
from tests.serving.login.provider.small_provider import CLIENT_ID, CLIENT_SECRET, SmallProvider, small_provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

AOKI = Identity("provider", "aoki", ("tokyo",))


class RelyingParty:
    """A provider, this server's side of it, and both clocks."""

    def __init__(self, provider: SmallProvider, http: aiohttp.ClientSession, **changed: Any) -> None:
        self.there = provider
        self.seconds = 0.0
        settings = Settings(issuer=provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, public_url="https://wall.example")
        self.here = Provider(replace(settings, **changed), http, clock=lambda: time.time() + self.seconds, ticks=lambda: self.seconds)
        self.attempts = Attempts(time.time)

    async def log_in(self, user: str = "aoki", **answer: str) -> tuple[Identity, ProviderSession]:
        """Log a user in; ``answer`` replaces the parameters of the browser's return."""
        _, attempt = self.attempts.begin("/")
        query = self.there.log_in(await self.here.login_url(attempt), user)
        return await self.here.logged_in(attempt, {**query, **answer})

    async def session(self) -> Session:
        """Return the session of a user who has logged in."""
        identity, check = await self.log_in()
        return Session("1", identity, began=0.0, used=0.0, check=check)


@contextlib.asynccontextmanager
async def relying_party(**changed: Any) -> AsyncIterator[RelyingParty]:
    """Run a provider for the length of a block."""
    async with small_provider() as provider, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield RelyingParty(provider, http, **changed)


def run(check: Callable[[RelyingParty], Awaitable[None]], **changed: Any) -> None:
    """Run a check for half a minute at most."""

    async def whole() -> None:
        async with relying_party(**changed) as party:
            await check(party)

    asyncio.run(asyncio.wait_for(whole(), 30))


async def now(session: Session) -> Identity | None:
    """Return what a session becomes when it is checked."""
    assert session.check is not None
    return await session.check(session)


def test_a_login_keeps_name_and_groups_alone() -> None:
    """A login has a name and groups; it leads through the provider's own address with state, nonce and PKCE."""

    async def check(it: RelyingParty) -> None:
        _, attempt = it.attempts.begin("/")
        url = URL(await it.here.login_url(attempt))
        assert f"{url.origin()}{url.path}" == f"{it.there.issuer}/authorize"
        assert dict(url.query) == {
            "tenant": "1",  # of the address that the provider published
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": "https://wall.example/login/provider/callback",
            "scope": "openid profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        identity, session = await it.here.logged_in(attempt, it.there.log_in(str(url), "aoki"))
        assert identity == AOKI
        assert (session.subject, session.sid) == ("sub-aoki", "sid-aoki")
        assert session.refresh_token not in repr(session)
        assert it.there.forms[0]["code_verifier"] == attempt.verifier

    run(check)


def test_a_public_client_shows_its_id_and_no_secret() -> None:
    """Without a secret the client sends its id in the form."""

    async def check(it: RelyingParty) -> None:
        it.there.public = True
        assert (await it.log_in())[0] == AOKI

    run(check, client_secret="")


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        ({"state": "another"}, TokenError, "(state)"),
        ({"state": ""}, TokenError, "(state)"),
        ({"state": "é"}, TokenError, "(state)"),
        ({"iss": "https://evil.example"}, TokenError, "(iss)"),
        ({"error": "access_denied"}, ProviderRefusedError, "refused the login"),
        ({"code": ""}, ProviderRefusedError, "refused the login"),
        ({"code": "c" * 4001}, ProviderRefusedError, "refused the login"),
        ({"code": "a-code-of-another"}, ProviderRefusedError, "this is over"),
    ],
)
def test_answers_of_no_login_are_refused(answer: dict[str, str], error: type[Exception], reason: str) -> None:
    """The browser's return has to match the login that it began, at this provider; otherwise no code is redeemed."""

    async def check(it: RelyingParty) -> None:
        with pytest.raises(error) as caught:
            await it.log_in(**answer)
        assert reason in str(caught.value)
        assert len(it.there.forms) == (answer == {"code": "a-code-of-another"})

    run(check)


def test_a_code_belongs_to_the_browser_that_began() -> None:
    """A code that was caught on its way brings nothing to another browser: its verifier does not match the challenge."""

    async def check(it: RelyingParty) -> None:
        (_, owner), (_, thief) = it.attempts.begin("/"), it.attempts.begin("/")
        caught = it.there.log_in(await it.here.login_url(owner), "aoki")
        with pytest.raises(ProviderRefusedError):
            await it.here.logged_in(thief, {**caught, "state": thief.state})

    run(check)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "of-another-login"}, "(nonce)"),
        ({"nonce": None}, "(nonce)"),
        ({"aud": "another-client"}, "(aud)"),
        ({"iss": "https://evil.example"}, "(iss)"),
        ({"exp": 1}, "(exp)"),
        ({"sub": None}, "(sub)"),
        ({"sub": "a\nb"}, "(sub)"),
        ({"groups": {"tokyo": True}}, "groups is no list"),
    ],
)
def test_id_tokens_of_another_login_are_refused(claims: dict[str, Any], reason: str) -> None:
    """What the token endpoint gives is judged as strictly as what a stranger brings."""

    async def check(it: RelyingParty) -> None:
        it.there.id_claims = claims
        with pytest.raises(TokenError) as caught:
            await it.log_in()
        assert reason in str(caught.value)

    run(check)


def test_a_token_signed_by_an_unpublished_key_is_refused() -> None:
    """An answer of the token endpoint itself has to be signed by a published key."""

    async def check(it: RelyingParty) -> None:
        await it.log_in()
        published = it.there.key
        it.there.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        forged = it.there.signed({"sub": "sub-aoki", "aud": CLIENT_ID})
        it.there.key, it.there.token_answer = published, {"id_token": forged}
        with pytest.raises(TokenError, match="BadSignatureError"):
            await it.log_in()

    run(check)


@pytest.mark.parametrize(
    ("lacks", "reason"), [("id_token", "is openid one of the scopes"), ("refresh_token", "which later checks of the user.s access need")]
)
def test_what_a_login_needs_is_asked_for(lacks: str, reason: str) -> None:
    """A provider that gives no ID token, or none to ask again with, is named as what has to be configured."""

    async def check(it: RelyingParty) -> None:
        it.there.token_answer = {lacks: None}
        with pytest.raises(ProviderProblem, match=reason):
            await it.log_in()

    run(check)


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        ({"issuer": "https://evil.example"}, "write the issuer as it does"),
        ({"token_endpoint": "http://login.example.com/token"}, "not by TLS"),
        ({"jwks_uri": "file:///etc/passwd"}, "not by TLS"),
        ({"end_session_endpoint": "ftp://127.0.0.1/"}, "not by TLS"),
        ({"authorization_endpoint": "http://127.0.0.1.evil.example/"}, "not by TLS"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "not by TLS"),
        ({"token_endpoint": None}, "cannot be read"),
        ({"jwks_uri": 7}, "cannot be read"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "no client secret by client_secret_basic"),
    ],
)
def test_unusable_providers_are_refused_with_a_reason(offer: dict[str, Any], reason: str) -> None:
    """What a provider publishes of itself is judged before anything is sent there."""

    async def check(it: RelyingParty) -> None:
        it.there.offer = offer
        with pytest.raises(ProviderProblem, match=reason):
            await it.log_in()
        assert it.there.forms == []

    run(check)


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"status": 404},
        {"body": b"<html>"},
        {"body": b"\xff"},
        {"body": b"[" * 100_000},
        {"body": b"x" * 600_000},
        {"redirected": True},
    ],
    ids=["500", "404", "no JSON", "no text", "nested deeply", "without end", "redirects"],
)
def test_answers_that_are_none_are_taken_for_an_absence(trouble: dict[str, Any]) -> None:
    """Whatever a provider answers in its trouble, it is not there: nothing else is raised, and no redirect is followed."""

    async def check(it: RelyingParty) -> None:
        for name, value in trouble.items():
            setattr(it.there, name, value)
        with pytest.raises(ProviderAwayError):
            await it.log_in()
        assert it.there.asked == ["/.well-known/openid-configuration"]

    run(check)


def test_many_logins_ask_an_absent_provider_once() -> None:
    """A provider that is away is asked what it offers once in three seconds, however many want to log in; then it is there again."""

    async def check(it: RelyingParty) -> None:
        it.there.status = 503
        logins = await asyncio.gather(*(it.log_in() for _ in range(50)), return_exceptions=True)
        assert {type(each) for each in logins} == {ProviderAwayError}
        assert len(it.there.asked) == 1
        it.there.status, it.seconds = None, 3.0
        assert (await it.log_in())[0] == AOKI

    run(check)


def test_groups_missing_from_the_id_token_are_requested() -> None:
    """Groups come from userinfo if the ID token has no such claim, and of the same user alone; without any there are none."""

    async def check(it: RelyingParty) -> None:
        it.there.claims["aoki"] = {"preferred_username": "aoki"}
        it.there.userinfo = {"realm_access": {"roles": ["osaka"]}}
        assert (await it.log_in())[0] == Identity("provider", "aoki", ("osaka",))
        it.there.userinfo = {}
        assert (await it.log_in())[0] == Identity("provider", "aoki", ())
        it.there.userinfo = {"sub": "sub-mori", "realm_access": {"roles": ["osaka"]}}
        with pytest.raises(TokenError, match="another user"):
            await it.log_in()

    run(check, groups_claim="realm_access.roles")


def test_a_session_follows_the_provider() -> None:
    """New groups are those of the session at the next check; a disabled user has none any more; each check redeems the newest token."""

    async def check(it: RelyingParty) -> None:
        session = await it.session()
        assert await now(session) == AOKI
        it.there.claims["aoki"]["groups"] = ["osaka"]
        assert await now(session) == Identity("provider", "aoki", ("osaka",))
        it.there.claims["aoki"]["groups"] = []
        assert await now(session) == Identity("provider", "aoki", ())
        # each once: a provider that revokes a repeated token has nothing to revoke
        refreshed = [form["refresh_token"] for form in it.there.forms if form["grant_type"] == "refresh_token"]
        assert len(set(refreshed)) == 3
        it.there.disabled.add("aoki")
        assert await now(session) is None

    run(check)


def test_a_session_ends_when_a_refreshed_token_is_of_another_user() -> None:
    """A refreshed token of another person, for another client, or of a key that is not the provider's ends the session."""

    async def check(it: RelyingParty) -> None:
        for claims in ({"sub": "sub-mori"}, {"aud": "another"}, {"exp": 1}):
            it.there.id_claims = {}
            session = await it.session()
            it.there.id_claims = claims
            assert await now(session) is None

    run(check)


def test_a_refreshed_session_needs_no_id_token() -> None:
    """Without a new ID token the userinfo is fetched; a provider with neither counts as away."""

    async def check(it: RelyingParty) -> None:
        session = await it.session()
        it.there.token_answer, it.there.userinfo = {"id_token": None}, {"preferred_username": "aoki", "groups": ["kyoto"]}
        assert await now(session) == Identity("provider", "aoki", ("kyoto",))
        it.there.token_answer = {"id_token": None, "access_token": None}
        assert await now(session) == AOKI
        it.seconds += 600
        assert await now(session) is None

    run(check)


@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 429}, {"body": b"no JSON"}, {"hangs": True}])
def test_sessions_outlive_a_provider_that_is_away_for_the_configured_time(
    trouble: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the provider cannot be reached sessions continue, for ten minutes from its last confirmation; this is logged once."""
    monkeypatch.setattr("streams.serving.login.provider.client._ANSWER_SECONDS", 0.3)

    async def check(it: RelyingParty) -> None:
        session = await it.session()
        it.seconds = 100.0
        assert await now(session) == AOKI
        for name, value in trouble.items():
            setattr(it.there, name, value)
        for it.seconds in (130.0, 400.0, 699.0):
            assert await now(session) == AOKI
        ended: list[tuple[Identity, str]] = []
        assert isinstance(session.check, ProviderSession)
        session.check.on_end = lambda identity, why: ended.append((identity, why))
        it.seconds = 700.0
        assert await now(session) is None
        assert ended == [(AOKI, "the provider cannot be asked")]
        assert len([each for each in caplog.messages if "Sessions continue for 10 minutes" in each]) == 1

    with caplog.at_level(logging.INFO):
        run(check)


def test_a_wrong_client_secret_ends_no_session_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """When the provider no longer knows this server, it is logged, and ends no session."""

    async def check(it: RelyingParty) -> None:
        session = await it.session()
        it.there.public = True
        assert await now(session) == AOKI
        assert "401 invalid_client" in caplog.text
        it.there.public = False
        assert await now(session) == AOKI
        assert "can be reached again" in caplog.text

    with caplog.at_level(logging.INFO):
        run(check)


def test_keys_may_change_under_a_session() -> None:
    """Sessions continue, and users log in, when the provider changes its signing key."""

    async def check(it: RelyingParty) -> None:
        session = await it.session()
        for number in range(3):
            it.there.key = RSAKey.generate_key(2048, {"kid": f"new-{number}", "use": "sig"})
            assert await now(session) == AOKI
            assert (await it.log_in())[0] == AOKI

    run(check)


def test_programs_show_access_tokens_for_the_configured_audience() -> None:
    """A program's token leads to name and groups; an ID token, one for another audience, and any without an audience are refused."""

    async def check(it: RelyingParty) -> None:
        claims = {"sub": "sub-prometheus", "aud": "api", "preferred_username": "prometheus", "groups": ["monitoring"]}
        assert await it.here.program(it.there.signed(claims)) == Identity("provider", "prometheus", ("monitoring",))
        assert await it.here.program(it.there.signed({"sub": "s", "aud": "api"}, typ="at+jwt")) == Identity("provider", "s", ())
        for wrong in ({**claims, "aud": CLIENT_ID}, {**claims, "nonce": "n"}, {**claims, "exp": 1}):
            with pytest.raises(TokenError):
                await it.here.program(it.there.signed(wrong))

    async def none(it: RelyingParty) -> None:
        with pytest.raises(TokenError, match="no audience is configured"):
            await it.here.program(it.there.signed({"sub": "s", "aud": CLIENT_ID}))

    run(check, audience="api")
    run(none)


@pytest.mark.parametrize(
    ("notice", "ends"),
    [
        (LogoutNotice("sub-aoki", "sid-1", "j"), {"1", "3"}),
        (LogoutNotice(None, "sid-1", "j"), {"1"}),
        (LogoutNotice("sub-aoki", None, "j"), {"1", "2", "3"}),
        (LogoutNotice("sub-mori", "sid-1", "j"), set()),
        (LogoutNotice("sub-mori", None, "j"), set()),
        (LogoutNotice(None, "sid-9", "j"), set()),
    ],
)
def test_a_notice_of_logout_means_a_session_or_all_of_a_person(notice: LogoutNotice, ends: set[str]) -> None:
    """A notice with a session ends that one, one with a person all of hers; one that may be meant, as it has no name there, ends too."""

    async def check(it: RelyingParty) -> None:
        sessions = {"1": "sid-1", "2": "sid-2", "3": None}
        made = {name: ProviderSession(it.here, "sub-aoki", sid, "r") for name, sid in sessions.items()}
        assert {name for name, each in made.items() if each.is_ended_by(notice)} == ends

    run(check)


def test_the_way_out_holds_no_token() -> None:
    """Logging out leads to the provider and back to the login page; the address, which the browser keeps, holds no token."""

    async def check(it: RelyingParty) -> None:
        await it.log_in()
        url = URL(str(await it.here.logout_url()))
        assert dict(url.query) == {"client_id": CLIENT_ID, "post_logout_redirect_uri": "https://wall.example/login"}
        assert url.with_query(None) == URL(f"{it.there.issuer}/logout")

    async def none(it: RelyingParty) -> None:
        it.there.offer = {"end_session_endpoint": None}
        assert await it.here.logout_url() is None

    run(check)
    run(none)


def test_no_log_line_holds_a_token(caplog: pytest.LogCaptureFixture) -> None:
    """Through login, checks, refusals and troubles no token, code, verifier, state or secret comes into the log, nor into an error."""

    async def check(it: RelyingParty) -> None:
        errors = []
        session = await it.session()
        await now(session)
        for trouble in ({"id_claims": {"nonce": "x"}}, {"id_claims": {"exp": 1}}, {"status": 500}, {"body": b"{"}, {"public": True}):
            for name, value in trouble.items():
                before = getattr(it.there, name)
                setattr(it.there, name, value)
                try:
                    await it.log_in()
                except (TokenError, ProviderProblem) as error:
                    errors.append(f"{error!r} {error.__cause__!r}")
                await now(session)
                setattr(it.there, name, before)
        assert len(errors) == 5
        assert session.check is not None
        output = caplog.text + "\n".join(errors)
        secrets = [CLIENT_SECRET, "a+secret"]
        for form in it.there.forms:
            secrets += [value for name, value in form.items() if name in {"code", "code_verifier", "refresh_token"}]
        assert len(secrets) > 8
        assert not [secret for secret in secrets if secret in output]

    with caplog.at_level(logging.DEBUG):
        run(check)
