"""Logging in at the whole server on a real broker: what one server let in the others know, and a restart forgets no used ticket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml

from schemas.topics import topic
from streams.listening.tokens import new_secret
from streams.serving.door import WatchedAccess
from streams.serving.login.devices import devices_topic
from streams.serving.reader import latest_topic
from streams.serving.reload import now_ms
from streams.serving.service import ServeSettings, run_serve
from streams.topics import create_topics
from tests.serving.login.desk import PASSWORD, kiosk_entry, user_entry
from tests.serving.records import small_center
from tests.serving.topics import bootstrap, publish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.kafka import Cluster

__all__ = ["bootstrap"]


class Center:
    """A center whose servers share one broker and one access file."""

    def __init__(self, bootstrap: str, path: Path) -> None:
        self.bootstrap, self.path = bootstrap, path
        self.prefix = f"login-{uuid.uuid4().hex[:8]}"

    async def prepare(self, *, devices: bool = True) -> None:
        """Make the topics as a worker does, or one of the last release, with some figures."""
        names = {latest_topic(self.prefix), *(topic(name).full_name(self.prefix) for name in ("audit.v1", "alerts-latest.v1"))}
        if devices:
            names.add(devices_topic(self.prefix))
        await create_topics(self.bootstrap, self.prefix, only=names)
        await publish(self.bootstrap, latest_topic(self.prefix), small_center())

    def permit(self, **keys: Any) -> None:
        """Replace the access file."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(keys), encoding="utf-8")
        os.replace(fresh, self.path)  # noqa: PTH105 - two files of a test

    @contextlib.asynccontextmanager
    async def server(self) -> AsyncIterator[str]:
        """Run one more server until its figures are read, and give its address."""
        announced: asyncio.Queue[str] = asyncio.Queue()
        access = WatchedAccess(self.path, now_ms())
        settings = ServeSettings(bootstrap=self.bootstrap, topic_prefix=self.prefix, port=0, access=access, audit=True)
        serving = asyncio.create_task(run_serve(settings, announce=announced.put_nowait, handle_signals=False))
        try:
            address = (await announced.get()).removeprefix("serving ").rstrip("/")
            async with aiohttp.ClientSession(address) as client, asyncio.timeout(30):
                while (await client.get("/readyz")).status != 200:  # noqa: ASYNC110 - asks over HTTP
                    await asyncio.sleep(0.05)
            yield address
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def browser(address: str, **cookies: str) -> aiohttp.ClientSession:
    """Return what keeps cookies of one browser."""
    return aiohttp.ClientSession(address, cookie_jar=aiohttp.CookieJar(unsafe=True), cookies=cookies)


async def status(client: aiohttp.ClientSession) -> int:
    """Return how the server answers."""
    async with client.get("/api/v1/figures") as answer:
        return answer.status


async def status_once_read(client: aiohttp.ClientSession) -> int:
    """Return how the server answers once it has read its topics."""
    async with asyncio.timeout(20):
        while (found := await status(client)) == 503:  # noqa: ASYNC110 - asks over HTTP
            await asyncio.sleep(0.05)
    return found


async def redeem(client: aiohttp.ClientSession, ticket: str) -> tuple[int, str | None]:
    """Return how the server answers a ticket once it has read its topics, and the device's secret."""
    async with asyncio.timeout(20):
        while True:
            async with client.post("/kiosk", json={"ticket": ticket}) as answer:
                if answer.status != 503:
                    return answer.status, answer.cookies["device"].value if "device" in answer.cookies else None
            await asyncio.sleep(0.05)


async def story(center: Center) -> None:
    """Run the story on either broker."""
    await center.prepare()
    ticket, second = new_secret(), new_secret()
    kiosks = {"hall": kiosk_entry(ticket), "lobby": kiosk_entry(second)}
    users = {"yuki": user_entry(), "ken": user_entry(role="operator")}
    center.permit(kiosks=kiosks, users=users)
    async with center.server() as one, center.server() as two:
        async with browser(one) as screen, browser(one) as other, browser(two) as elsewhere:
            opened, device = await redeem(screen, ticket)
            assert opened == 200
            assert device is not None
            assert await status(screen) == 200
            assert await redeem(other, ticket) == (403, None)
            assert await redeem(elsewhere, ticket) == (403, None)
        async with browser(two, device=device) as moved:
            assert await status_once_read(moved) == 200

        # Two servers at the same time: one of them has the screen, and both know which.
        async with browser(one) as left, browser(two) as right:
            answers = await asyncio.gather(redeem(left, second), redeem(right, second))
            assert sorted(found for found, _ in answers) == [200, 403]
            (lobby,) = [secret for _, secret in answers if secret is not None]

        async with browser(one) as person:
            form = {"name": "yuki", "password": PASSWORD}
            async with person.post("/login", data=form, allow_redirects=False) as entered:
                assert entered.status == 303
            assert await status(person) == 200
            # The file is looked at every two seconds, and judged at the second look.
            center.permit(kiosks={"hall": kiosks["hall"]}, users={"ken": users["ken"]})
            async with asyncio.timeout(30), browser(one, device=lobby) as gone:
                while (await status(person), await status(gone)) != (401, 401):  # noqa: ASYNC110 - asks over HTTP
                    await asyncio.sleep(0.2)

    async with center.server() as again, browser(again) as late, browser(again, device=device) as screen, browser(again) as operator:
        assert await redeem(late, ticket) == (403, None)
        assert await status_once_read(screen) == 200
        async with operator.post("/login", data={"name": "ken", "password": PASSWORD}, allow_redirects=False):
            pass
        async with operator.get("/api/v1/sessions") as answer:
            (hall,) = [each["id"] for each in (await answer.json())["sessions"] if each["kind"] == "kiosk"]
        async with operator.delete(f"/api/v1/sessions/{hall}") as answer:
            assert answer.status == 204
        assert await status(screen) == 401
    async with center.server() as once_more, browser(once_more, device=device) as screen:
        assert await status_once_read(screen) == 401
        assert await redeem(screen, ticket) == (403, None)


@pytest.mark.embedded
def test_what_one_server_let_in_the_others_know(bootstrap: str, tmp_path: Path) -> None:
    """On the embedded broker: a ticket opens once at all servers, its device is let in at all of them, and its end holds everywhere."""
    asyncio.run(asyncio.wait_for(story(Center(bootstrap, tmp_path / "access.yaml")), 120))


@pytest.mark.kafka
def test_what_one_server_let_in_the_others_know_on_apache_kafka(kafka: Cluster, tmp_path: Path) -> None:
    """The same on Apache Kafka."""
    asyncio.run(asyncio.wait_for(story(Center(kafka.bootstrap, tmp_path / "access.yaml")), 180))


@pytest.mark.embedded
def test_without_the_topic_no_link_opens_and_logins_continue(bootstrap: str, tmp_path: Path) -> None:
    """With a worker of the last release links answer 503 and are not used up; users log in. Links open once the topic is created."""

    async def check() -> None:
        center, ticket = Center(bootstrap, tmp_path / "access.yaml"), new_secret()
        names = {
            latest_topic(center.prefix),
            topic("audit.v1").full_name(center.prefix),
            topic("alerts-latest.v1").full_name(center.prefix),
        }
        await create_topics(center.bootstrap, center.prefix, only=names)
        await publish(center.bootstrap, latest_topic(center.prefix), small_center())
        center.permit(kiosks={"hall": kiosk_entry(ticket)}, users={"yuki": user_entry()})
        async with center.server() as address, browser(address) as screen, browser(address) as person:
            async with screen.post("/kiosk", json={"ticket": ticket}) as answer:
                assert answer.status == 503
            async with person.post("/login", data={"name": "yuki", "password": PASSWORD}, allow_redirects=False) as answer:
                assert answer.status == 303
            assert await status(person) == 200
            await create_topics(center.bootstrap, center.prefix, only={devices_topic(center.prefix)})
            assert (await redeem(screen, ticket))[0] == 200
            assert await status(screen) == 200

    asyncio.run(asyncio.wait_for(check(), 90))
