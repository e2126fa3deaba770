"""Sessions: how many, for how long, what is kept of their secrets, and how a provider ends them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from streams.access.principals import Identity
from streams.serving.login import sessions as module
from streams.serving.login.sessions import SESSION, Cookie, Session, SessionIdentifier, SessionLimits, Sessions, tend

if TYPE_CHECKING:
    from collections.abc import Callable

YUKI, KEN = Identity("user", "yuki"), Identity("user", "ken")


def over(session: Session | None) -> bool:
    """Return whether an earlier session has ended."""
    assert session is not None
    return session.ended


def test_a_session_is_found_by_its_secret_alone() -> None:
    """Each begin gives another secret of 256 bits; nothing that is kept holds it, and no other text finds the session."""
    sessions = Sessions()
    first, second = sessions.begin(YUKI, 0.0), sessions.begin(YUKI, 0.0)
    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", first)  # 43 characters of 6 bits hold 256
    found = sessions.find(first, 1.0)
    assert found is not None
    assert found.identity == YUKI
    other = sessions.find(second, 1.0)
    assert other is not None
    assert other.id != found.id
    kept = repr(vars(sessions))
    assert first not in kept
    assert second not in kept
    for wrong in ("", "x" * 43, first[:-1], f"{first}=", found.id, "é" * 43, "a" * 1_000_000):
        assert sessions.find(wrong, 1.0) is None


def test_a_session_ends_when_it_is_not_used() -> None:
    """Use prolongs it by the idle time, up to its lifetime and no further."""
    sessions = Sessions(SessionLimits(idle_seconds=600, lasting_seconds=3600))
    used, unused = sessions.begin(YUKI, 0.0), sessions.begin(KEN, 0.0)
    held = sessions.find(used, 0.0)
    for now in range(500, 3600, 500):
        assert sessions.find(used, float(now)) is not None
    assert sessions.find(unused, 600.0) is None
    assert not over(held)
    assert sessions.find(used, 3600.0) is None
    assert over(held)
    assert len(sessions) == 0


def test_a_sweep_ends_unused_sessions() -> None:
    """What was opened in a session learns of its end without another request; a limit that is lowered ends open ones."""
    sessions = Sessions(SessionLimits(idle_seconds=600))
    session = sessions.find(sessions.begin(YUKI, 0.0), 0.0)
    sessions.sweep(599.0)
    assert not over(session)
    sessions.limits = SessionLimits(idle_seconds=60)
    sessions.sweep(599.0)
    assert over(session)
    assert len(sessions) == 0


def test_a_session_ends_with_what_it_was_begun_by() -> None:
    """A password that is changed, or an account that is taken away, ends it for good: it does not come back with the account."""
    sessions, holds = Sessions(), [True]
    secret = sessions.begin(YUKI, 0.0, is_valid=lambda: holds[0])
    session = sessions.find(secret, 1.0)
    assert not over(session)
    holds[0] = False
    assert sessions.find(secret, 2.0) is None
    holds[0] = True
    assert sessions.find(secret, 3.0) is None
    assert over(session)


def test_a_clock_set_back_prolongs_nothing() -> None:
    """A use at a time before the last one takes nothing back."""
    sessions = Sessions(SessionLimits(idle_seconds=600))
    secret = sessions.begin(YUKI, 1000.0)
    session = sessions.find(secret, 100.0)
    assert session is not None
    assert session.used == 1000.0
    assert sessions.find(secret, 1600.0) is None


def test_the_number_is_bounded_for_each_and_in_all() -> None:
    """One more login of a user ends that user's least used session, and never another's; in all, the least used one goes."""
    sessions = Sessions(SessionLimits(total=5, per_identity=3))
    kens = sessions.begin(KEN, 0.0)
    yukis = [sessions.begin(YUKI, float(n)) for n in range(3)]
    assert sessions.find(yukis[0], 3.0) is not None
    yukis.append(sessions.begin(YUKI, 4.0))
    assert [sessions.find(secret, 5.0) is not None for secret in yukis] == [True, False, True, True]
    assert sessions.find(kens, 5.0) is not None
    sessions.begin(Identity("kiosk", "yuki"), 6.0)  # another kind of the same name has its own
    assert len(sessions) == 5
    sessions.begin(Identity("user", "mia"), 7.0)
    assert len(sessions) == 5
    assert sessions.find(yukis[0], 8.0) is None
    assert sessions.find(kens, 8.0) is not None


def test_an_ended_session_is_gone() -> None:
    """A logout ends one session, by its public name, and frees its place; a second one finds nothing."""
    sessions = Sessions(SessionLimits(per_identity=1))
    secret = sessions.begin(YUKI, 0.0)
    session = sessions.find(secret, 0.0)
    assert session is not None
    assert sessions.end(session.id)
    assert over(session)
    assert not sessions.end(session.id)
    assert sessions.find(secret, 0.0) is None
    fresh = sessions.begin(YUKI, 0.0)
    assert sessions.find(fresh, 0.0) is not None


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-session"), (False, "session")])
def test_the_cookie_is_for_this_host_and_no_script(secure: bool, name: str) -> None:
    """Under TLS it has the prefix that binds it to the host; it is never readable by scripts nor sent by other sites' requests."""
    cookie = Cookie("session", secure=secure)
    response = web.Response()
    cookie.set(response, "value")
    given = response.cookies[name]
    assert given.value == "value"
    assert (given["path"], given["httponly"], given["samesite"], given["domain"], given.get("max-age", "")) == ("/", True, "Lax", "", "")
    assert bool(given["secure"]) is secure
    cookie.delete(response)
    assert response.cookies[name].value == ""
    assert response.cookies[name]["max-age"] in {0, "0"}


def test_a_request_is_its_session() -> None:
    """The cookie of a live session identifies the user, and the request holds the session; other cookies do not."""
    sessions, cookie = Sessions(), Cookie("session", secure=True)
    secret = sessions.begin(YUKI, 0.0)
    identifier = SessionIdentifier(sessions, cookie, lambda: 1.0)

    async def check() -> None:
        request = make_mocked_request("GET", "/", headers={"Cookie": f"__Host-session={secret}"})
        assert await identifier.identify(request) == YUKI
        assert request[SESSION].identity == YUKI
        for header in (f"session={secret}", f"__Host-session={secret[:-1]}", "__Host-session=", ""):
            request = make_mocked_request("GET", "/", headers={"Cookie": header})
            assert await identifier.identify(request) is None
            assert SESSION not in request

    asyncio.run(check())


class Provider:
    """Answers about sessions as a test sets it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.reply: Callable[[], Identity | None] = lambda: None

    async def check(self, session: Session) -> Identity | None:
        self.asked.append(session.identity.name)
        return self.reply()


def test_a_provider_is_asked_again_and_ends_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what has a check is asked about, not before its time; groups follow, and a no, an error or another name is the end."""
    monkeypatch.setattr(module, "_SCAN_SECONDS", 0.001)
    groups = ("tokyo",)

    def refuse() -> Identity | None:
        raise ConnectionError("the provider's words")

    async def check() -> None:
        now = 0.0
        sessions, provider = Sessions(), Provider()
        local = sessions.find(sessions.begin(KEN, now), now)

        def begun() -> Session:
            session = sessions.find(sessions.begin(Identity("provider", "yuki"), now, check=provider.check), now)
            assert session is not None
            return session

        tending = asyncio.create_task(tend(sessions, lambda: now))
        session = begun()
        now = 29.0
        await asyncio.sleep(0.02)
        assert provider.asked == []
        provider.reply = lambda: Identity("provider", "yuki", groups)
        now = 30.0
        await asyncio.sleep(0.02)
        assert provider.asked == ["yuki"]
        assert session.identity.groups == groups
        assert not over(session)
        for reply in (lambda: None, refuse, lambda: Identity("provider", "ken", groups)):
            provider.reply = reply
            session = begun() if over(session) else session
            now += 31.0
            await asyncio.sleep(0.02)
            assert over(session)
        assert not over(local)
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)

    asyncio.run(asyncio.wait_for(check(), 10))
