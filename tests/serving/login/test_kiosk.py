"""Screens: a link opens once, at whichever server and whatever fails meanwhile, and its device is let in until it is ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from streams.listening.tokens import new_secret
from streams.serving.login.devices import Devices
from tests.serving.login.desk import Desk, Topic, access_of, kiosk_entry, user_entry
from tests.serving.records import client_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp import ClientResponse, web
    from aiohttp.test_utils import TestClient

    Client = TestClient[web.Request, web.Application]

TICKET = new_secret()


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


async def redeem(client: Client, ticket: str = TICKET) -> ClientResponse:
    """Do what the page of the link does."""
    return await client.post("/kiosk", json={"ticket": ticket})


async def status(client: Client) -> int:
    """Return how the server answers a request that brings what the client keeps."""
    return (await client.get("/api/v1/figures")).status


def test_a_link_opens_once_and_the_screen_stays(caplog: pytest.LogCaptureFixture) -> None:
    """The first browser is the screen, at both servers and after a restart of them; no other gets in by the link, anywhere."""
    caplog.set_level(logging.DEBUG)

    async def check() -> None:
        access, topic = access_of(kiosks={"hall": kiosk_entry(TICKET)}), Topic()
        first, second = Desk(access, topic), Desk(access, topic)
        async with client_of(first.serving()) as screen, client_of(first.serving()) as other, client_of(second.serving()) as elsewhere:
            assert TICKET not in await (await screen.get("/kiosk")).text()
            opened = await redeem(screen)
            assert (opened.status, await opened.json()) == (200, {"name": "hall"})
            cookie = opened.cookies["device"]
            assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
            assert int(cookie["max-age"]) == 400 * 24 * 60 * 60
            assert await status(screen) == 200
            assert (await (await screen.get("/api/v1/session")).json())["kind"] == "kiosk"
            for client in (screen, other, elsewhere):
                again = await redeem(client)
                assert again.status == 403
                assert "device" not in again.cookies
            assert await status(other) == 401
            elsewhere.session.cookie_jar.update_cookies({"device": cookie.value})
            assert await status(elsewhere) == 200
            assert [each[0] for each in first.audit.entries] == ["kiosk_redeemed", "login_refused", "login_refused"]
        restarted = Desk(access, topic)
        async with client_of(restarted.serving()) as screen, client_of(restarted.serving()) as other:
            screen.session.cookie_jar.update_cookies({"device": cookie.value})
            assert await status(screen) == 200
            assert (await redeem(other)).status == 403
        for record in topic.records:
            assert TICKET.encode() not in b"".join(record)
            assert cookie.value.encode() not in b"".join(record)
        assert TICKET not in caplog.text
        assert cookie.value not in caplog.text

    run(check())


@pytest.mark.parametrize(
    "wrong",
    ["", "x", new_secret(), TICKET[:-1], TICKET.lower(), f"{TICKET} ", "é" * 43, "x" * 15_000, None, 1, [], {}],
    ids=range(12),  # secrets are others in each process
)
def test_what_is_no_ticket_opens_nothing(wrong: Any) -> None:
    """Neither other texts nor other values; and the ticket still opens afterwards."""

    async def check() -> None:
        desk = Desk(access_of(kiosks={"hall": kiosk_entry(TICKET)}))
        async with client_of(desk.serving()) as client:
            refused = await redeem(client, wrong)
            assert refused.status == 403
            assert refused.cookies == {}
            # What the access file holds opens nothing either.
            assert (await redeem(client, desk.running.kiosks["hall"].ticket)).status == 403
            assert desk.topic.records == []
            assert (await redeem(client)).status == 200

    run(check())


@pytest.mark.parametrize(
    ("body", "kind", "status_"),
    [
        (b'{"ticket": "' + b"x" * 20_000, "application/json", 413),
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b'{"ticket": "\xff"}', "application/json", 400),
        (f'{{"ticket": "{TICKET}"}}'.encode(), "text/plain", 415),
        (f"ticket={TICKET}".encode(), "application/x-www-form-urlencoded", 415),
    ],
    ids=range(8),
)
def test_only_a_script_of_the_page_can_send_a_ticket(body: bytes, kind: str, status_: int) -> None:
    """A form of another site cannot send JSON; what is none is refused in order."""

    async def check() -> None:
        desk = Desk(access_of(kiosks={"hall": kiosk_entry(TICKET)}))
        async with client_of(desk.serving()) as client:
            assert (await client.post("/kiosk", data=body, headers={"Content-Type": kind})).status == status_
            assert desk.topic.records == []

    run(check())


def test_two_servers_that_redeem_at_the_same_time_agree() -> None:
    """Both see an unused ticket and write; the one whose record comes first has the screen, the other learns that it is used."""

    async def check() -> None:
        access, topic = access_of(kiosks={"hall": kiosk_entry(TICKET)}), Topic()
        desks = [Desk(access, topic), Desk(access, topic)]
        both_write = asyncio.Barrier(2)
        for desk in desks:
            write = desk.log.write

            async def together(record: Any, write: Any = write) -> None:
                await both_write.wait()
                await write(record)

            desk.log.write = together  # type: ignore[method-assign]
        async with client_of(desks[0].serving()) as one, client_of(desks[1].serving()) as two:
            answers = await asyncio.gather(redeem(one), redeem(two))
            assert sorted(answer.status for answer in answers) == [200, 403]
            assert len(topic.records) == 2
            for client, answer in zip((one, two), answers, strict=True):
                assert await status(client) == (200 if answer.status == 200 else 401)

    run(check())


def test_two_browsers_at_one_server_do_not_share_a_screen() -> None:
    """While a ticket is being redeemed a second browser must retry, and then learns that it is used."""

    async def check() -> None:
        desk = Desk(access_of(kiosks={"hall": kiosk_entry(TICKET)}))
        write, begun, resume = desk.log.write, asyncio.Event(), asyncio.Event()

        async def slowly(record: Any) -> None:
            begun.set()
            await resume.wait()
            await write(record)

        desk.log.write = slowly  # type: ignore[method-assign]
        async with client_of(desk.serving()) as one, client_of(desk.serving()) as two:
            first = asyncio.ensure_future(redeem(one))
            await begun.wait()
            waiting = await redeem(two)
            assert (waiting.status, waiting.headers["Retry-After"]) == (503, "5")
            resume.set()
            assert (await first).status == 200
            assert (await redeem(two)).status == 403

    run(check())


@pytest.mark.parametrize("fate", ["lost", "written, not learned of"])
def test_a_link_is_not_lost_when_kafka_does_not_answer(fate: str) -> None:
    """The screen asks again, and is let in whether or not the first record had come; another browser still is not, afterwards."""

    async def check() -> None:
        desk = Desk(access_of(kiosks={"hall": kiosk_entry(TICKET)}))
        async with client_of(desk.serving()) as screen, client_of(desk.serving()) as other:
            desk.log.fate = fate
            failed = await redeem(screen)
            assert (failed.status, failed.headers["Retry-After"]) == (503, "5")
            assert await status(screen) == 401
            desk.log.fate = "written"
            assert (await redeem(screen)).status == 200
            assert await status(screen) == 200
            assert (await redeem(other)).status == 403
            assert len(desk.topic.records) == 1

    run(check())


def test_a_screen_ends_with_its_entry_at_once() -> None:
    """Deleted, with another ticket, or expired; a link that is not opened in time expires, and its screen continues."""

    async def check() -> None:
        # The clock of the test is at 09:00:01.
        entry = kiosk_entry(TICKET, expires="2026-04-01T09:00:20Z") | {"open_until": "2026-04-01T09:00:10Z"}
        desk = Desk(access_of(kiosks={"hall": entry}))
        late = new_secret()
        async with client_of(desk.serving()) as screen, client_of(desk.serving()) as other:
            assert (await redeem(screen)).status == 200
            for kiosks in ({}, {"hall": kiosk_entry(new_secret())}):
                desk.running = access_of(kiosks=kiosks)
                assert await status(screen) == 401
            desk.running = access_of(kiosks={"hall": entry, "late": kiosk_entry(late) | {"open_until": "2026-04-01T09:00:10Z"}})
            assert await status(screen) == 200
            desk.clock.seconds += 9
            assert (await redeem(other, late)).status == 403
            assert await status(screen) == 200
            desk.clock.seconds += 10
            assert await status(screen) == 401

    run(check())


def test_a_screen_is_ended_with_the_right_and_by_itself() -> None:
    """Listed under what its entry shows, ended for good at all servers; a logout at the screen does the same."""

    async def check() -> None:
        second = new_secret()
        access = access_of(users={"ken": user_entry(role="operator")}, kiosks={"hall": kiosk_entry(TICKET), "lobby": kiosk_entry(second)})
        topic = Topic()
        desk, elsewhere = Desk(access, topic), Desk(access, topic)
        async with client_of(desk.serving()) as hall, client_of(elsewhere.serving()) as lobby, client_of(desk.serving()) as operator:
            await redeem(hall)
            await redeem(lobby, second)
            await operator.post("/login", data={"name": "ken", "password": "seven blue herons"}, allow_redirects=False)
            listed = {each["name"]: each for each in (await (await operator.get("/api/v1/sessions")).json())["sessions"]}
            assert listed["hall"] == {
                "id": access.kiosks["hall"].ticket[len("sha256:") :][:16],
                "kind": "kiosk",
                "name": "hall",
                "began_at": "2026-04-01T09:00:01.000Z",
                "used_at": None,
                "ends_at": None,
            }
            # Of the screen that another server let in too.
            path = f"/api/v1/sessions/{listed['lobby']['id']}"
            assert (await hall.delete(path)).status == 403
            desk.log.fate = "lost"
            assert (await operator.delete(path)).status == 503
            assert await status(lobby) == 200
            desk.log.fate = "written"
            assert (await operator.delete(path)).status == 204
            assert await status(lobby) == 401
            assert (await redeem(lobby, second)).status == 403
            assert (await operator.delete(path)).status == 404

            left = await hall.post("/logout")
            assert left.cookies["device"].value == ""
            assert await status(hall) == 401
            assert (await redeem(hall)).status == 403
            assert [each["name"] for each in (await (await operator.get("/api/v1/sessions")).json())["sessions"]] == ["ken"]

    run(check())


def test_a_user_at_a_screen_logs_out_alone() -> None:
    """The screen is itself again afterwards, whether or not Kafka answers."""

    async def check() -> None:
        desk = Desk(access_of(users={"yuki": user_entry()}, kiosks={"hall": kiosk_entry(TICKET)}))
        async with client_of(desk.serving()) as screen:

            async def kind() -> str:
                return str((await (await screen.get("/api/v1/session")).json())["kind"])

            await redeem(screen)
            await screen.post("/login", data={"name": "yuki", "password": "seven blue herons"}, allow_redirects=False)
            assert await kind() == "user"
            desk.log.fate = "lost"
            assert (await screen.post("/logout")).status == 200
            assert await kind() == "kiosk"
            assert (await screen.post("/logout")).status == 503
            assert await kind() == "kiosk"

    run(check())


def test_a_server_that_has_not_read_the_topic_lets_no_screen_in_and_sends_none_away() -> None:
    """After a restart a screen must retry, its page shows the login meanwhile; no ticket is redeemed before."""

    async def check() -> None:
        access, topic = access_of(kiosks={"hall": kiosk_entry(TICKET)}), Topic()
        desk = Desk(access, topic)
        async with client_of(desk.serving()) as screen:
            cookie = (await redeem(screen)).cookies["device"].value
        starting = Desk(access, topic)
        starting.login.devices = Devices()
        starting.log.fate = "lost"  # as the writer to Kafka has it while nothing is known
        async with client_of(starting.serving()) as screen:
            screen.session.cookie_jar.update_cookies({"device": cookie})
            answer = await screen.get("/api/v1/figures")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            assert (await screen.get("/api/v1/session")).status == 503
            page = await screen.get("/?view=wall", headers={"Accept": "text/html"})
            assert page.url.path_qs == "/login?next=/?view%3Dwall"
            assert page.status == 200
            assert (await redeem(screen)).status == 503
            starting.login.devices = topic.server()
            assert await status(screen) == 200

    run(check())
