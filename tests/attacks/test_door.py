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
from streams.serving.clients import Clients
from streams.serving.door import Door
from streams.serving.turns import SCRAPES_WAITING
from tests.serving.login.desk import PASSWORD, Desk, RecordingAudit, access_of, kiosk_entry, user_entry
from tests.serving.records import Backend, client_of, small_center
from tests.serving.test_door import NEW, OLD, Held, bearing, token

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


def test_of_two_sessions_neither_is_accepted() -> None:
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


#: A reason of an acknowledgement that continues as if it were the next record of the audit.
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


#: What a viewer may not ask, spelled otherwise.
SPELLINGS = (
    "/%61pi/v1/audit",
    "/api/v1/%61udit",
    "/API/v1/audit",
    "//api/v1/audit",
    "/./api/v1/audit",
    "/x/../api/v1/audit",
    "/api/v1/figures/../audit",
    "/api/v1/catalogue/..%2faudit",
    "/api//v1/audit",
    "/api/v1/audit;",
    "/api/v1/audit%2f",
    "http://localhost/api/v1/audit",
)
PROXY_HEADERS = (
    "X-Original-URL: /api/v1/audit",
    "X-Rewrite-URL: /api/v1/audit",
    "X-HTTP-Method-Override: GET",
    "X-Forwarded-User: all",
    "X-Remote-User: all",
    "X-Client-Cert: CN=all",
)


def test_no_spelling_opens_more() -> None:
    """Over a raw socket, as a viewer and as no one: no address, method or header gets at what takes another right."""
    door = Door(Held(tokens={"viewer": token(OLD), "all": token(NEW, role="auditor")}))

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving(door=door)) as client:

            async def asks(path: str, *headers: str, method: str = "GET") -> int:
                reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
                lines = (f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "Connection: close", "", "")
                writer.write("\r\n".join(lines).encode())
                answer = await reader.read()
                writer.close()
                return int(answer.split(b" ")[1])

            mine = f"Authorization: Bearer {OLD}"
            # The auditor is let in; there is no Kafka behind this server.
            assert await asks("/api/v1/audit", f"Authorization: Bearer {NEW}") == 404
            assert await asks("/api/v1/audit", mine) == 403
            for path in SPELLINGS:
                for method in ("GET", "HEAD", "POST", "OPTIONS", "TRACE", "PUT"):
                    assert await asks(path, mine, method=method) in {400, 403, 404, 405}, (method, path)
            for header in PROXY_HEADERS:
                assert await asks("/api/v1/audit", mine, header) == 403, header
                assert await asks("/api/v1/figures", header) == 401, header
            for query in ("token", "access_token", "bearer", "authorization"):
                assert await asks(f"/api/v1/figures?{query}={OLD}") == 401, query
            assert await asks("/api/v1/figures", f"Authorization: Bearer {OLD[:-1]}x", mine) == 401

    run(check())


def two_accounts() -> Door:
    """Return a door that knows a viewer and another account."""
    return Door(Held(tokens={"viewer": token(OLD), "other": token(NEW)}))


def test_one_account_does_not_take_the_streams_of_all() -> None:
    """A viewer who comes from an address a stream has as many as from one; colleagues at these addresses have their own."""

    async def check() -> None:
        clients = Clients(4, 2)
        serving = Backend.fed(small_center()).serving(door=two_accounts(), clients=clients, whose=lambda request: request.headers["X-From"])
        async with client_of(serving) as client:

            async def opened(given: str, address: str) -> int:
                return (await client.get("/api/v1/events", headers={**bearing(given), "X-From": address})).status

            assert [await opened(OLD, f"192.0.2.{number}") for number in range(4)] == [200, 200, 429, 429]
            assert [await opened(NEW, "192.0.2.0") for _ in range(3)] == [200, 200, 429]
            assert len(clients) == 4

    run(check())


def test_one_account_does_not_take_the_scrapes_of_all() -> None:
    """Scrapes of a viewer that pile up are refused, and the other account's is made in its turn, before those that wait."""

    async def check() -> None:
        serving = Backend.fed(small_center()).serving(door=two_accounts())
        done: list[str] = []
        async with client_of(serving) as client:

            async def scrape(given: str, name: str) -> int:
                answer = await client.get("/metrics", headers=bearing(given))
                await answer.read()
                done.append(name)
                assert answer.status == 200 or answer.headers["Retry-After"]
                return answer.status

            async with serving.scrape_turns.turn("another"):
                mine = [asyncio.create_task(scrape(OLD, "viewer")) for _ in range(SCRAPES_WAITING)]
                while serving.scrape_turns.waiting < SCRAPES_WAITING:  # noqa: ASYNC110 - turns have no event to wait for
                    await asyncio.sleep(0.01)
                assert await scrape(OLD, "refused") == 429
                other = asyncio.create_task(scrape(NEW, "other"))
                while serving.scrape_turns.waiting == SCRAPES_WAITING:  # noqa: ASYNC110 - turns have no event to wait for
                    await asyncio.sleep(0.01)
            assert set(await asyncio.gather(*mine, other)) == {200}
            assert done.index("other") <= 3

    run(check())


def from_elsewhere(site: str, mode: str, dest: str) -> dict[str, str]:
    """Return the headers by which browsers mark a request from a page of another site or host."""
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}


LINK, IMAGE, FRAME = ("navigate", "document"), ("no-cors", "image"), ("navigate", "iframe")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_foreign_page_reads_as_the_user(site: str) -> None:
    """A page that a supervisor visits opens addresses with the supervisor's cookie: no look and no export is on record, no work is done."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry(role="supervisor")}))
        audit = RecordingAudit()
        async with client_of(desk.serving(audit=audit)) as client:
            await client.post("/login", data={"name": "yuki", "password": PASSWORD}, allow_redirects=False)

            async def asks(path: str, headers: dict[str, str]) -> int:
                return (await client.get(path, headers=headers, allow_redirects=False)).status

            for path in ("/api/v1/export", "/api/v1/explain?queue=sales&kpi=asa", "/api/v1/agents"):
                for way in (LINK, IMAGE, FRAME):
                    assert await asks(path, from_elsewhere(site, *way)) == 403
            for path in ("/", "/metrics", "/api/v1/figures", "/api/v1/alerts"):
                assert await asks(path, from_elsewhere(site, *LINK)) == 200
                for way in (IMAGE, FRAME):
                    assert await asks(path, from_elsewhere(site, *way)) == 403
            assert audit.entries == []

            for headers in ({}, from_elsewhere("same-origin", "cors", "empty"), from_elsewhere("none", *LINK)):
                assert await asks("/api/v1/export", headers) == 200
            assert [action for action, *_ in audit.entries] == ["exported"] * 3

    run(check())


class Noting(RecordingAudit):
    """Remembers whose sessions were ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str | None] = []

    def record(self, action: Any, outcome: Any = "done", **more: Any) -> None:
        super().record(action, outcome, **more)
        if action == "session_ended":
            self.ended.append(more["about"].account)


def test_a_manager_of_one_site_ends_no_session_of_another() -> None:
    """Neither listed nor ended is who sees more than the operator's site, or another one, or a screen there; the answer is as for none."""

    async def check() -> None:
        users = {
            "ken": user_entry(role="operator", sites=["tokyo"]),
            "yuki": user_entry(sites=["tokyo"]),
            "aoi": user_entry(sites=["osaka"]),
            "rin": user_entry(role="auditor"),
            "nobody": {**user_entry(), "roles": []},
        }
        ticket = "T" * 43
        desk = Desk(access_of(users=users, kiosks={"hall": kiosk_entry(ticket, sites=["osaka"])}))
        noting = desk.door.audit = Noting()
        async with client_of(desk.serving()) as client:
            assert (await client.post("/kiosk", json={"ticket": ticket})).status == 200
            for name in ("aoi", "rin", "nobody", "yuki", "ken"):
                client.session.cookie_jar.clear()
                assert (await client.post("/login", data={"name": name, "password": PASSWORD}, allow_redirects=False)).status == 303
            ids = {each.identity.name: each.id for each in desk.login.sessions}
            listed = (await (await client.get("/api/v1/sessions")).json())["sessions"]
            assert {each["name"] for each in listed} == {"ken", "yuki"}
            none = await client.delete("/api/v1/sessions/none")
            screen = next(iter(desk.running.kiosks.values())).ticket.removeprefix("sha256:")[:16]
            for other in (ids["aoi"], ids["rin"], ids["nobody"], screen):
                answer = await client.delete(f"/api/v1/sessions/{other}")
                assert (answer.status, await answer.read()) == (404, await none.read())
            assert {each.identity.name for each in desk.login.sessions} == set(users)
            assert (await client.delete(f"/api/v1/sessions/{ids['yuki']}")).status == 204
            assert {each.identity.name for each in desk.login.sessions} == set(users) - {"yuki"}
            assert noting.ended == ["user:yuki"]

    run(check())
