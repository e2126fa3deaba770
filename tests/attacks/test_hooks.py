"""What reaches a gateway's webhooks that no platform sent: it takes nothing from others, and makes nothing grow or fail."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from schemas.dead_letters import CONTENT_ENCODING
from streams.connectors.admission import MAX_EVENTS
from streams.connectors.capacity import Pace
from streams.connectors.dead_letters import DeadLetter
from streams.connectors.gateway_answers import MAX_REQUEST_BYTES
from streams.connectors.kit.answers import Answers
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.verifying import Delivery, signature
from streams.connectors.lines import Rejected
from streams.connectors.outgoing import MAX_DEAD_LETTER_BYTES, EventTopics, outgoing_dead_letter
from streams.connectors.platforms import connector
from streams.connectors.senders import Senders
from tests.connectors.test_hooks import BELL, DEAD_LETTERS, SECRET, VERIFY_TOKEN, House, configured, inside, ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.connectors.kit.model import Context, Draft, Record

TOKENS = Senders.parse("crm=crm-token-0123456789")
SIGNED = {"X-Timestamp": "1772452800", "X-Signature": "sha256=" + "0" * 64}


async def slowly(there: House, source: str) -> int:
    """Begin a body that does not come; return the status."""
    host, _, port = there.address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "".join(f"{name}: {value}\r\n" for name, value in SIGNED.items())
    writer.write(f"POST /v1/hooks/{source} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: 1000\r\n\r\n".encode())
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
        there.clock.seconds = 100
        there.publisher.records.clear()
        await there.gateway.beat()
        beats = [json.loads(kept.value) for kept in there.publisher.records["contactcenter.contact-events.v1"]]
        # Unauthenticated bodies do not make a platform look incomplete: 100 s after noon, less the two that the gateway is behind.
        assert {beat["complete_through"] for beat in beats if beat["source"] == "bell"} == {"2026-03-02T12:01:38.000Z"}
        there.clock.seconds = 0
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


def test_no_challenge_signs_a_delivery() -> None:
    """Who asks whether the address is a receiver's gets a text signed with the secret that deliveries are: never one that is a delivery."""
    x = connector("x")
    scheme = x.verification
    assert scheme is not None

    async def scenario(there: House) -> None:
        forged = json.dumps({"for_user_id": "1", "direct_message_events": [{"id": "made-up", "type": "message_create"}]})
        for token in (forged, "[]", " ", "a" * 501, "token\n"):
            status, answer = await there.send("GET", "x", query=f"?crc_token={quote(token)}")
            assert (status, "response_token" in answer) == (400, False)
            headers = {scheme.header: str(answer.get("response_token", ""))}
            assert (await there.send("POST", "x", token.encode(), headers=headers))[0] == 401
        # As X sends it.
        honest = "ZDk4NjQ1YTgtYzQ1Ny00ZTQzLTk0ZmItZDQ4+/=_-"
        status, answer = await there.send("GET", "x", query=f"?crc_token={quote(honest)}")
        assert (status, answer["response_token"]) == (200, signature(scheme, SECRET, Delivery(honest.encode(), {}, {}, "")))

    inside(scenario, configured(x, "x"))


def test_a_record_of_many_events_is_paid_and_bounded_as_they_are() -> None:
    """A connector may make many of one record: the rate and the limit of a request are of what comes of it."""

    def many(record: Record, context: Context) -> Iterator[Draft]:
        for number in range(int(Fields(record.content).need("many"))):
            yield {**next(iter(BELL.translate(record, context))), "event_id": f"e{number}"}  # type: ignore[misc]

    async def scenario(there: House) -> None:
        assert (await there.post({**ring(), "many": MAX_EVENTS + 1}))[0] == 413
        assert not there.published()
        assert (await there.post(ring(), source="other"))[0] == 200

    async def rate(there: House) -> None:
        assert [(await there.post({**ring(), "many": many}))[0] for many in (90, 91, 92)] == [200, 200, 429]

    bell = replace(BELL, translate=many)
    inside(scenario, configured(bell), configured(BELL, "other"))
    inside(rate, configured(bell), events_per_second=1, burst_events=100)


def test_a_slow_sender_is_no_failure_of_kafka() -> None:
    """A body that arrives too late for an answer is unauthenticated: it is counted as slow, and not as a record that Kafka refused."""

    async def scenario(there: House) -> None:
        assert await slowly(there, "bell") == 503
        metrics = await there.metrics()
        assert 'contact_center_gateway_hook_deliveries_total{outcome="not_published",source="bell"} 0.0' in metrics
        assert 'contact_center_gateway_requests_refused_total{reason="slow",sender="/hooks/bell"} 1.0' in metrics

    inside(scenario, configured(replace(BELL, answers=Answers(within_seconds=0.3))))


@pytest.mark.parametrize("value", ['""', '"@"', '"%s"' % ("\u00e9@" * 3)], ids=["empty", "mail", "text"])
def test_no_dead_letter_exceeds_the_limit_of_kafka(value: str) -> None:
    """Masked, a record is larger than it came: its dead letter is packed, or each delivery of it would end the producer of all."""
    few = (MAX_REQUEST_BYTES - 100) // (len(value.encode()) + 1)
    body = b'{"kind":"unknown","caller":{"values":[' + ",".join([value] * few).encode() + b"]}}"
    assert len(body) <= MAX_REQUEST_BYTES

    async def scenario(there: House) -> None:
        assert (await there.post(body))[0] == 200
        [dead_letter] = there.publisher.records[DEAD_LETTERS]
        assert len(dead_letter.value) <= MAX_DEAD_LETTER_BYTES
        kept = DeadLetter(DEAD_LETTERS, 0, 0, 0, dead_letter.key, dead_letter.value, tuple(dead_letter.headers.items())).original()
        assert json.loads(kept or b"")["caller"]["values"] == ["(personal)"] * few

    inside(scenario, configured(replace(BELL, personal=("caller.values.*",))))


def test_a_dead_letter_that_cannot_be_packed_is_cut() -> None:
    """Its beginning is kept, and it is marked as a beginning."""
    raw = random.Random(1).randbytes(2 * MAX_DEAD_LETTER_BYTES)
    record = outgoing_dead_letter(EventTopics.with_prefix(), Rejected("hooks/bell", "unknown_kind", "no", raw), "bell", 0)
    assert record.value == raw[:MAX_DEAD_LETTER_BYTES]
    assert (CONTENT_ENCODING, b"cut") in record.headers


def test_the_configuration_is_shown_without_its_secrets() -> None:
    """In a trace or a log."""
    shown = repr(configured(BELL, credentials={"token": "of-the-platform"}))
    assert "bell" in shown
    assert not [each for each in (SECRET, VERIFY_TOKEN, "of-the-platform") if each in shown]
