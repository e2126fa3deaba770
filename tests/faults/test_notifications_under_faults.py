"""An alert fires, is delivered, escalated, cleared, and another acknowledged, on Apache Kafka, while all who take part are killed."""

# ruff: noqa: T201 - a fault test prints what it did.

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from streams.configuration import load_configuration
from streams.worker import create_topics
from tests.faults.test_alerts_under_faults import CENTER, Stream, ready, restart, start
from tests.serving.alerting.center import FakeSystem
from tests.serving.alerting.test_notifier import written
from tests.support import kafka as apache
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from tests.support.kafka import Cluster

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.nightly]

PREFIX = "notifications"
ESCALATED_AFTER_SECONDS = 8
ALERTING = f"""\
alerting:
  group_seconds: 1
  receivers:
    floor: {{kind: webhook, url_variable: FLOOR_URL}}
    manager: {{kind: webhook, url_variable: MANAGER_URL}}
  routes:
    - receivers: [floor]
      escalation: [{{escalate_after_seconds: {ESCALATED_AFTER_SECONDS}, receivers: [manager]}}]
"""


class Killer(FakeSystem):
    """A receiver that, at the first message of each event, has all servers killed before it answers."""

    kill: Callable[[], None]
    killed_at: set[str]

    async def answer(self, request: web.Request) -> web.Response:
        event = request.headers["Contact-Streams-Event"]
        response = await super().answer(request)
        if event not in self.killed_at:
            self.killed_at.add(event)
            self.kill()
        return response


class Servers:
    """Two servers, killed together."""

    def __init__(self, kafka: Cluster, file: Path, addresses: dict[str, str]) -> None:
        self._command = ["serve", "--bootstrap", kafka.bootstrap, "--prefix", PREFIX, "--config", str(file)]
        self._environment = {**os.environ, **addresses}
        self.ports = [_free_port(), _free_port()]
        self._running: list[subprocess.Popen[bytes]] = []
        self.kills = 0

    def start(self) -> None:
        """Start them."""
        self._running = [
            subprocess.Popen(
                [sys.executable, "-m", "streams", *self._command, "--port", str(port)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                cwd=Path(__file__).parents[2],
                preexec_fn=apache.die_with_parent,  # noqa: PLW1509 - as all processes of tests
            )
            for port in self.ports
        ]

    def kill(self) -> None:
        """Kill them."""
        for process in self._running:
            process.kill()
            process.wait()
        self._running = []
        self.kills += 1

    async def again(self) -> None:
        """Wait until they were killed, and start them."""
        await until(lambda: not self._running, 90)
        print(f"  {time.monotonic():.0f}: servers killed, {self.kills} times by now")
        self.start()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what other processes do
            await asyncio.sleep(0.05)


async def until_delivered(bootstrap: str, event: str, number: int) -> None:
    """Wait until ``number`` messages of an event are recorded as delivered."""
    async with asyncio.timeout(90):
        while True:
            found = await written(bootstrap, PREFIX)
            if len({each["message_id"] for each in found if each["event"] == event and each["outcome"] == "delivered"}) >= number:
                return
            await asyncio.sleep(0.3)


async def acknowledged(ports: list[int], alert_id: str) -> dict[str, Any]:
    """Acknowledge an alert at the first server, once it answers; return what the API of the other shows beside it."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            try:
                path = f"http://127.0.0.1:{ports[0]}/api/v1/alerts/{alert_id}/acknowledgement"
                async with session.post(path, json={"note": "seen"}) as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
        while True:
            async with session.get(f"http://127.0.0.1:{ports[1]}/api/v1/alerts?state=firing") as answer:
                for each in (await answer.json())["alerts"] or ():
                    if "acknowledged" in each:
                        return dict(each["acknowledged"])
            await asyncio.sleep(0.2)


def test_each_step_once_under_kills_of_all_processes(kafka: Cluster, tmp_path: Path) -> None:
    """Worker, servers and receivers are killed at each step: by our record each message is once; receivers know repeats by their key."""
    file = tmp_path / "center.yaml"
    file.write_text(CENTER.format(dwell=8, clear=2) + ALERTING, encoding="utf-8")
    floor, manager = Killer(), Killer()
    addresses = {"FLOOR_URL": floor.url, "MANAGER_URL": manager.url}
    servers = Servers(kafka, file, addresses)
    for each in (floor, manager):
        each.kill, each.killed_at = servers.kill, set()
    stream = Stream(kafka.bootstrap, PREFIX, load_configuration(file))

    async def story(workers: Workers) -> None:
        await asyncio.sleep(12)  # someone leads
        await stream.contacts(range(12, 16), answered=False)
        await stream.until(lambda record: record["state"] == "pending", 30)
        await restart(workers, 2)
        # No receiver listens yet: the servers try on; then they are killed while the floor answers.
        await stream.until(lambda record: record["state"] == "firing", 40)
        await asyncio.sleep(3)
        async with floor.listening():
            await servers.again()
            await until_delivered(kafka.bootstrap, "fired", 1)
            print("  fired is delivered")
        # Not acknowledged, it is escalated to a manager who listens late, and kills too.
        await asyncio.sleep(ESCALATED_AFTER_SECONDS)
        async with manager.listening():
            await servers.again()
            await until_delivered(kafka.bootstrap, "escalated", 1)
            print("  escalated is delivered")
        workers.kill("worker")
        await stream.contacts(range(16, 24), answered=True)
        workers.start("worker")
        await ready(workers, 3)
        _, gone = await stream.until(lambda record: record["state"] == "cleared", 60)
        async with floor.listening():
            await servers.again()
            async with manager.listening():
                await servers.again()
                await until_delivered(kafka.bootstrap, "cleared", 2)
                print("  cleared is delivered to both")
                await stream.contacts(range(24, 36), answered=False)
                _, second = await stream.until(lambda record: record["state"] == "firing" and record["since"] > gone["since"], 60)
                await until_delivered(kafka.bootstrap, "fired", 2)
                acknowledgement = await acknowledged(servers.ports, second["alert_id"])
                assert acknowledgement["note"] == "seen"
                servers.kill()
                await servers.again()
                await asyncio.sleep(ESCALATED_AFTER_SECONDS + 15)

    async def run_scenario() -> None:
        await create_topics(kafka.bootstrap, PREFIX)
        with Workers(tmp_path, "tests.support.product_worker") as workers:
            start(workers, kafka, PREFIX, file)
            await ready(workers)
            servers.start()
            try:
                async with stream.running():
                    await stream.contacts(range(12), answered=True)
                    await story(workers)
            finally:
                servers.kill()
        check(await written(kafka.bootstrap, PREFIX))

    def check(found: list[dict[str, Any]]) -> None:
        states = [record["state"] for _, record in stream.history()]
        assert states == ["firing", "cleared", "firing"]
        first, second = (record["alert_id"] for _, record in stream.history() if record["state"] == "firing")
        # By our record: each message is decided once and completed once.
        assert set(Counter((each["message_id"], each["outcome"]) for each in found).values()) == {1}
        delivered = sorted(
            (each["event"], each["receiver"], each["alerts"][0]["alert_id"]) for each in found if each["outcome"] == "delivered"
        )
        wanted = [("cleared", "floor", first), ("cleared", "manager", first), ("escalated", "manager", first)]
        wanted += [("fired", "floor", first), ("fired", "floor", second)]
        assert delivered == sorted(wanted)
        assert len({each["message_id"] for each in found}) == len(wanted)
        # At the receivers: each at least once, and what came again came under its key.
        keys = Counter([*floor.keys, *manager.keys])
        assert keys.keys() == {each["message_id"] for each in found}
        assert sum(keys.values()) > len(keys), "no kill has met a message on its way: this test would prove nothing"
        print(f"  {len(keys)} messages, {sum(keys.values())} requests, {servers.kills} kills of both servers")

    asyncio.run(asyncio.wait_for(run_scenario(), 420))
