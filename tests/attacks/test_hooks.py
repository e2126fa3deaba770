"""What reaches a gateway's webhooks that no platform sent: it takes nothing from others, and makes nothing grow or fail."""

from __future__ import annotations

import asyncio
import json
import random
import time
from typing import TYPE_CHECKING

import pytest

from streams.connectors.admission import MAX_EVENTS
from streams.connectors.doors import Pace
from streams.connectors.senders import Senders
from tests.connectors.test_hooks import BELL, DEAD_LETTERS, House, configured, inside, ring

if TYPE_CHECKING:
    from collections.abc import Callable

TOKENS = Senders.parse("crm=crm-token-0123456789")
SIGNED = {"X-Timestamp": "1772452800", "X-Signature": "sha256=" + "0" * 64}


async def slowly(there: House, source: str) -> int:
    """Begin a body that does not come; return the status."""
    host, _, port = there.address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "".join(f"{name}: {value}\r\n" for name, value in SIGNED.items())
    writer.write(f"POST /v1/hooks/{source} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 1000\r\n\r\n".encode())
    answer = await reader.read(12)
    writer.close()
    return int(answer.split()[1])


def test_bodies_that_do_not_come_hold_back_their_own_hook_alone() -> None:
    """They have a share of the places of that hook, are given up, and no other hook or sender notices."""

    async def scenario(there: House) -> None:
        slow = [asyncio.create_task(slowly(there, "bell")) for _ in range(40)]
        await asyncio.sleep(0.2)
        assert (await there.post(ring(), source="other"))[0] == 200
        async with there.session.post(
            f"{there.address}/v1/events", data=b"[]", headers={"Authorization": "Bearer crm-token-0123456789"}
        ) as response:
            assert response.status == 400
        there.seconds = 100
        there.publisher.records.clear()
        await there.gateway.beat()
        beats = [json.loads(kept.value) for kept in there.publisher.records["contactcenter.contact-events.v1"]]
        # Bodies of nobody's do not have a platform look incomplete: 100 s after noon, less the two that the gateway is behind.
        assert {beat["complete_through"] for beat in beats if beat["source"] == "bell"} == {"2026-03-02T12:01:38.000Z"}
        there.seconds = 0
        statuses = await asyncio.gather(*slow)
        assert set(statuses) <= {408, 429, 503}
        assert statuses.count(408) >= 1
        assert (await there.post(ring()))[0] == 200

    inside(
        scenario,
        configured(BELL),
        configured(BELL, "other"),
        senders=TOKENS,
        max_in_flight=16,
        pace=Pace(grace_seconds=0.5, body_seconds=1),
    )


def test_names_of_no_hook_make_nothing_grow() -> None:
    """Neither series nor hooks; the metrics have names of the configuration alone."""

    async def scenario(there: House) -> None:
        before = await there.metrics()
        for name in (f"made-up-{number}" for number in range(50)):
            assert (await there.send("POST", name, b"{}", headers=SIGNED))[0] == 404
            assert (await there.send("GET", name))[0] == 404
        for odd in ("%00", "..%2f..%2fmetrics", "x" * 2000, "bell%20", "BELL", "bell;x"):
            assert (await there.send("POST", odd, b"{}", headers=SIGNED))[0] in {400, 404}
        after = await there.metrics()
        assert "made-up" not in after
        assert after.count("\n") == before.count("\n")

    inside(scenario)


def _nested(depth: int) -> bytes:
    return b'{"kind":"ring","id":"e1","at":"2026-03-02T11:59:59Z","call":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    "body",
    [
        _nested(100_000),
        b"[" * 1_000_000,
        b"[" + b"{}," * 300_000 + b"{}]",
        b"\n" * 1_000_000,
        b'{"kind":"' + b"x" * 900_000 + b'"}',
        b'{"kind":"ring","id":1e400}',
        b'{"kind":"ring","id":' + b"9" * 100_000 + b"}",
        b'{"kind":"ring","\\ud800":"\\udfff"}',
        b"\xff\xfe" * 1000,
        b"\x00" * 100_000,
        b"{}" * 1000,
    ],
    ids=lambda body: f"{bytes(body[:12])!r} {len(body)}",
)
def test_a_verified_body_of_nonsense_is_an_answer_and_no_failure(body: bytes) -> None:
    """Who has the secret may send anything: 200 or 400, within a second or two, and others are answered meanwhile."""

    async def scenario(there: House) -> None:
        began = time.monotonic()
        nonsense = asyncio.create_task(there.post(body))
        await asyncio.sleep(0)
        assert (await there.post(ring(), source="other"))[0] == 200
        assert (await nonsense)[0] in {200, 400, 413}
        assert time.monotonic() - began < 10
        # A record of nonsense is a dead letter: of a megabyte there are not more than of a request of events.
        assert len(there.publisher.records.get(DEAD_LETTERS, [])) <= MAX_EVENTS

    inside(scenario, configured(BELL), configured(BELL, "other"))


def test_mutated_deliveries_never_make_it_fail() -> None:
    """Bodies, headers and addresses changed at random: no status but those that are documented."""
    chance = random.Random(4)

    def changed(data: bytes) -> bytes:
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data) + 1)
            data = data[:at] + chance.randbytes(chance.randint(0, 3)) + data[at + chance.randint(0, 3) :]
        return data

    async def scenario(there: House) -> None:
        good = json.dumps([ring(), {"kind": "noise"}]).encode()
        for _ in range(300):
            assert (await there.post(changed(good)))[0] in {200, 400, 403}
        pick: Callable[..., str] = chance.choice
        for _ in range(200):
            odd = {name: pick(["", "x", "sha256=", "\u00e9", "1" * 4000, "v1,a v1,b", "NaN", "-1"]) for name in SIGNED}
            assert (await there.send("POST", "bell", good, headers=odd))[0] in {401, 403}

    inside(scenario, events_per_second=1e9, burst_events=1e9)
