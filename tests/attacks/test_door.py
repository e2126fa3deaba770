"""What attackers with little got from the server behind its door: a viewer's account, a page that others visit, a name that is typed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from schemas.audit import Actor
from schemas.visible import in_one_line
from streams.columns import aligned, padded
from streams.commands import audit as audit_command
from streams.serving.audit.auditor import audit_record
from tests.serving.login.desk import PASSWORD, Desk, access_of, user_entry
from tests.serving.records import client_of

if TYPE_CHECKING:
    from collections.abc import Coroutine


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


#: What pages of a sibling host can have a browser send: cookies of other names, whose values hold a blank, and names that begin with
#: blanks which browsers do not know as such; and a second cookie of the very name, which browsers that are old let them set.
TOSSED = (
    "a=x {name}={secret}",
    "a=x\t{name}={secret}",
    "a={name}={secret}",
    "\u2000{name}={secret}",
    "\u00a0{name}={secret}",
    "a[b c=1; \u3000{name}={secret}",
    "={name}={secret}",
    '{name}="{secret}"',
    "$Version=1,{name}={secret}",
)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("tossed", TOSSED)
def test_a_cookie_of_another_name_is_no_session(tossed: str, *, secure: bool) -> None:
    """A sibling host plants mallory's session under another name: the browser stays logged out, or is still yuki's."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry(), "mallory": user_entry()}), secure=secure)
        name = desk.login.session_cookie.full_name
        async with client_of(desk.serving()) as client:

            async def secret_of(person: str) -> str:
                form = {"name": person, "password": PASSWORD}
                return (await client.post("/login", data=form, allow_redirects=False)).cookies[name].value

            async def asks(cookies: str) -> tuple[int, str | None]:
                client.session.cookie_jar.clear()
                answer = await client.get("/api/v1/session", headers={"Cookie": cookies})
                return answer.status, (await answer.json()).get("name")

            planted = tossed.format(name=name, secret=await secret_of("mallory"))
            client.session.cookie_jar.clear()
            own = f"{name}={await secret_of('yuki')}"
            assert await asks(own) == (200, "yuki")
            assert await asks(f"a=1; {own};b=2") == (200, "yuki")
            assert await asks(planted) == (401, None)
            for both in (f"{own}; {planted}", f"{planted}; {own}"):
                assert await asks(both) in {(200, "yuki"), (401, None)}

    run(check())


def test_of_two_sessions_neither_is_taken() -> None:
    """Without TLS another program of the machine may set a cookie of the same name for a path: whose the browser is stays open."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}))
        async with client_of(desk.serving()) as client:
            form = {"name": "yuki", "password": PASSWORD}
            secret = (await client.post("/login", data=form, allow_redirects=False)).cookies["session"].value
            client.session.cookie_jar.clear()
            own, other = f"session={secret}", f"session={'A' * 43}"
            for cookies, status in ((own, 200), (f"{own}; {other}", 401), (f"{other}; {own}", 401), (f"{own}; x=1", 200)):
                assert (await client.get("/api/v1/session", headers={"Cookie": cookies})).status == status

    run(check())


#: A reason of an acknowledgement that goes on as if it were the next record of the audit.
FORGED = "on it)\n2026-03-29T12:00:00.000Z  user:ken                 192.0.2.1        login                   done"


def test_no_text_begins_a_line_of_a_table() -> None:
    """A supervisor's note is one cell of one row, whatever it holds: in the audit at the terminal, and in every other table."""
    record = audit_record("alert_acknowledged", actor=Actor(kind="user", name="mallory\nuser:ken"), instance="test", at=0.0, reason=FORGED)
    row = audit_command._row(record, "en")

    assert row.splitlines() == [row]
    assert "(on it)⟨U+000A⟩2026-03-29T12:00:00.000Z" in row
    assert "mallory⟨U+000A⟩user:ken" in row
    for end in ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"):
        assert len(padded([f"a{end}b", f"c{end}d"], [10]).splitlines()) == 1, repr(end)
        assert len(aligned([[f"a{end}b", "\tc"], ["d", "e"]]).splitlines()) == 2, repr(end)
    assert in_one_line("営業\t1") == "営業⟨U+0009⟩1"
    assert in_one_line("plain – 営業") == "plain – 営業"
