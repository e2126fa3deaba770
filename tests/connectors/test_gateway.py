"""The gateway as its senders meet it, over real HTTP, with a Kafka of lists behind it."""

from __future__ import annotations

import asyncio
import io
import json
import random
import socket
from typing import TYPE_CHECKING, Any

import pytest

from streams.configuration.senders import SendersFile
from streams.connectors.capacity import Pace
from streams.connectors.gateway import MAX_REQUEST_BYTES, Gateway, GatewaySettings, NotPermittedHereError
from streams.connectors.publishing import MemoryPublisher
from streams.connectors.senders import Senders
from streams.listening import ConnectionLimits, Listening
from tests.support import gateways
from tests.support.gateways import CONTACTS, Clock, SlowPublisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

TOKENS = Senders.parse("crm=crm-token-0123456789,chat=chat-token-0123456789")
CRM = {"Authorization": "Bearer crm-token-0123456789"}
CHAT = {"Authorization": "Bearer chat-token-0123456789"}
AGENTS = "contactcenter.agent-events.v1"
CUSTOMERS = "contactcenter.customer-events.v1"
DEAD_LETTERS = "contactcenter.contact-events-dead-letters.v1"


class House(gateways.House):
    """A gateway whose senders post events."""

    async def post(self, body: object, headers: dict[str, str] | None = None, **kwargs: Any) -> tuple[int, dict[str, Any]]:
        """Send a body and return status and answer."""
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self.session.post(
            f"{self.address}/v1/events", data=data, headers=CRM if headers is None else headers, **kwargs
        ) as response:
            return response.status, await response.json()


def house(senders: Senders = TOKENS, **kwargs: Any) -> AbstractAsyncContextManager[House]:
    """Run a gateway."""
    return gateways.running(House, senders, **kwargs)


def inside(scenario: Callable[[House], Awaitable[None]], **kwargs: Any) -> None:
    """Run a scenario in a house."""
    gateways.inside(scenario, house(**kwargs))


def queued(event_id: str = "e1", **fields: Any) -> dict[str, Any]:
    """Return a good event as a sender writes it, without source and time of receipt."""
    return {
        "type": "contact.queued",
        "event_id": event_id,
        "occurred_at": "2026-03-02T11:59:59Z",
        "conversation_id": "c1",
        "queue": "sales",
        **fields,
    }


def test_an_event_is_stamped_published_and_acknowledged() -> None:
    """The sender's name becomes the source, the gateway's clock the time of receipt, whatever the sender wrote."""

    async def scenario(there: House) -> None:
        status, answer = await there.post(queued(received_at="1999-01-01T00:00:00Z"))

        assert (status, answer) == (200, {"accepted": 1, "rejected": 0, "events": [{"index": 0, "status": "accepted", "event_id": "e1"}]})
        (event,) = there.published(CONTACTS)
        assert (event["source"], event["received_at"]) == ("crm", "2026-03-02T12:00:00.000Z")

    inside(scenario)


@pytest.mark.parametrize("source", [None, "crm", " crm", "crm\u3000"])
def test_a_source_is_judged_as_it_will_be_published(source: str | None) -> None:
    """Null is absent, and white space at the ends belongs to no name."""

    async def scenario(there: House) -> None:
        status, answer = await there.post(queued(source=source, queue=" sales "))

        assert status == 200, answer
        (event,) = there.published(CONTACTS)
        assert (event["source"], event["queue"]) == ("crm", "sales")

    inside(scenario)


def test_a_pattern_that_ends_with_a_blank_admits_no_other_source() -> None:
    """The pattern fits "crm " as it is sent, and not "crm", which would be published."""

    async def scenario(there: House) -> None:
        _, answer = await there.post([queued("a", source="crm "), queued("b", source="crm 2")])

        assert [each.get("reason", each["status"]) for each in answer["events"]] == ["source_not_permitted", "accepted"]

    inside(scenario, senders=senders_file(crm={"sources": ["crm *"]}))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (json.dumps([queued("a"), queued("b")]).encode(), {}),
        (json.dumps([queued("a"), queued("b")], indent=2).encode(), {"Content-Type": "application/json"}),
        (b"\n".join(json.dumps(queued(i)).encode() for i in "ab"), {"Content-Type": "application/x-ndjson"}),
        (b"\r\n".join([*(json.dumps(queued(i)).encode() for i in "ab"), b"", b""]), {}),
    ],
    ids=["array", "pretty array", "lines", "lines without a content type"],
)
def test_arrays_and_lines_are_accepted(body: bytes, headers: dict[str, str]) -> None:
    """Each of the forms gives the same two events."""

    async def scenario(there: House) -> None:
        status, answer = await there.post(body, CRM | headers)

        assert (status, answer["accepted"]) == (200, 2)
        assert [event["event_id"] for event in there.published(CONTACTS)] == ["a", "b"]

    inside(scenario)


def test_a_pretty_printed_object_is_one_event() -> None:
    """Line ends inside one JSON object do not make JSON Lines of it."""

    async def scenario(there: House) -> None:
        assert (await there.post(json.dumps(queued(), indent=4).encode()))[0] == 200

    inside(scenario)


def test_good_events_are_accepted_and_bad_ones_named_and_stored() -> None:
    """One bad event does not stop its neighbors; its own bytes go to the dead letters, and the answer has the reason without quoting it."""

    async def scenario(there: House) -> None:
        body = b'[%s, {"type":"contact.queued",  "secret":"0312345678"}, %s]' % tuple(json.dumps(queued(i)).encode() for i in "ab")
        status, answer = await there.post(body)

        assert (status, answer["accepted"], answer["rejected"]) == (202, 2, 1)
        assert [each["status"] for each in answer["events"]] == ["accepted", "rejected", "accepted"]
        assert answer["events"][1] == {"index": 1, "status": "rejected", "reason": "missing_field", "detail": "event_id: required"}
        (dead_letter,) = there.publisher.records[DEAD_LETTERS]
        assert dead_letter.value == b'{"type":"contact.queued",  "secret":"0312345678"}'
        assert dead_letter.headers["dead-letter-origin"] == b"gateway/crm"

    inside(scenario)


def heartbeat(complete_through: str) -> bytes:
    """Return a source's word at 12:00."""
    common = b'{"type":"source.heartbeat","event_id":"h","occurred_at":"2026-03-02T12:00:00Z","complete_through":"%s"}'
    return common % complete_through.encode()


def forecast(start: str, seconds: float) -> bytes:
    """Return a forecast made at 12:00."""
    common = b'{"type":"forecast.set","event_id":"f","queue":"q","occurred_at":"2026-03-02T12:00:00Z",'
    return common + b'"interval_start":"%s","interval_seconds":%d}' % (start.encode(), seconds)


def plan(start: str, end: str) -> bytes:
    """Return a plan published at 12:00."""
    common = b'{"type":"schedule.planned","event_id":"p","person_id":"a","activity":"work","occurred_at":"2026-03-02T12:00:00Z",'
    return common + b'"start":"%s","end":"%s"}' % (start.encode(), end.encode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "invalid_json"),
        (b"[{]", "invalid_json"),
        (b'{"type":"contact.queued"', "invalid_json"),
        (b"\xff\xfe", "invalid_utf8"),
        (b"42", "wrong_type"),
        (b"[[]]", "wrong_type"),
        (b"[" * 50_000, "invalid_json"),
        (b"{}", "missing_field"),
        (b'{"type":7}', "missing_field"),
        (b'{"type":"contact.exploded"}', "unknown_type"),
        (json.dumps(queued(queue="")).encode(), "invalid_value"),
        (json.dumps(queued(queue=["sales"])).encode(), "wrong_type"),
        (json.dumps(queued(occurred_at="1999-12-31T23:59:59Z")).encode(), "time_too_old"),
        (json.dumps(queued(occurred_at="2026-03-02T12:05:01Z")).encode(), "time_in_future"),
        (json.dumps(queued(source="somebody")).encode(), "source_not_permitted"),
        (json.dumps(queued(source="")).encode(), "source_not_permitted"),
        (json.dumps(queued(note="x" * 300_000)).encode(), "too_large"),
        (json.dumps({"type": "order.placed", "event_id": "o", "occurred_at": "2026-03-02T11:00:00Z"}).encode(), "invalid_value"),
        (
            b'{"type":"source.heartbeat","event_id":"h","occurred_at":"2026-03-02T12:00:00Z","complete_through":"2026-03-02T12:00:00Z","source":"chat"}',
            "source_not_permitted",
        ),
        (heartbeat("2099-01-01T00:00:00Z"), "complete_through_in_future"),
        # 12:00 in London, as a clock in Tokyo has it that takes itself to be in London.
        (heartbeat("2026-03-02T21:00:00Z"), "complete_through_in_future"),
        (heartbeat("2026-03-02T12:00:03Z"), "complete_through_in_future"),
        (plan("2026-03-03T08:00:00Z", "9999-12-31T23:59:59Z"), "invalid_value"),
        (plan("2026-03-03T08:00:00Z", "2026-04-03T08:00:01Z"), "invalid_value"),
        (plan("2027-04-06T08:00:00Z", "2027-04-06T12:00:01Z"), "invalid_value"),
        (forecast("2027-04-06T12:00:01Z", 900), "invalid_value"),
        (forecast("2026-04-06T12:00:00Z", 31 * 86_400 + 1), "invalid_value"),
        (b'{"type":"operator.progress_reset","event_id":"r","occurred_at":"2026-03-02T12:00:00Z"}', "unknown_type"),
    ],
)
def test_an_invalid_event_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    """A request with nothing acceptable is a bad request, and what it held is kept as a dead letter."""

    async def scenario(there: House) -> None:
        status, answer = await there.post(body)

        assert (status, answer["accepted"]) == (400, 0)
        assert answer["events"][0]["reason"] == reason
        agents = there.publisher.topics.agent_dead_letters
        assert len([*there.publisher.records.get(DEAD_LETTERS, ()), *there.publisher.records.get(agents, ())]) == 1
        assert there.published(CONTACTS) == []

    inside(scenario)


def test_fields_the_contract_does_not_know_are_left_out() -> None:
    """A sender's extra fields may hold anything about a customer; they are not passed on."""

    async def scenario(there: House) -> None:
        assert (await there.post(queued(caller_number="0312345678")))[0] == 200
        assert "0312345678" not in json.dumps(there.published(CONTACTS))

    inside(scenario)


def test_each_type_is_published_to_its_topic() -> None:
    """Contact, agent and customer events of one request part ways."""
    common = {"occurred_at": "2026-03-02T11:00:00Z"}
    body = [
        queued(),
        {"type": "agent.state_changed", "event_id": "a", "person_id": "p1", "axis": "presence", "state": "online", **common},
        {"type": "customer.activated", "event_id": "k", "customer_key": "v1:ab", **common},
    ]

    async def scenario(there: House) -> None:
        assert (await there.post(body))[0] == 200
        found = {topic: [each.key for each in kept if each.key] for topic, kept in there.publisher.records.items()}
        assert found == {CONTACTS: [b"c1"], AGENTS: [b"p1"], CUSTOMERS: [b"v1:ab"]}

    inside(scenario)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nobody-0123456789"},
        {"Authorization": "Basic crm-token-0123456789"},
        {"Authorization": "Bearer " + "x" * 3000},
    ],
)
def test_without_a_token_nothing_is_read(headers: dict[str, str]) -> None:
    """A stranger is turned away before the body is looked at, however wrong it is."""

    async def scenario(there: House) -> None:
        status, answer = await there.post(b"{" * 100, headers)

        assert (status, answer["reason"]) == (401, "no_token")
        assert there.publisher.records.keys() <= {CONTACTS, AGENTS, CUSTOMERS}

    inside(scenario)


def test_a_stranger_is_answered_before_the_body_is_sent() -> None:
    """With Expect: 100-continue a sender without a token is refused before it has sent a byte of the body; one with a token is asked on."""

    async def head(there: House, token: str) -> bytes:
        host, port = there.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n".encode())
        writer.write(b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        answer = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        return answer

    async def scenario(there: House) -> None:
        assert b" 401 " in await head(there, "wrong-0123456789abc")
        assert b" 100 " in await head(there, "crm-token-0123456789")

    inside(scenario)


def test_too_large_a_request_is_refused_with_its_length_or_without() -> None:
    """A length beyond the limit is refused at once, and so is a body in chunks as soon as it is beyond."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    async def scenario(there: House) -> None:
        assert (await there.post(b" " * (MAX_REQUEST_BYTES + 1)))[0] == 413
        async with there.session.post(f"{there.address}/v1/events", data=chunks(), headers=CRM) as response:
            assert response.status == 413
        assert (await there.post(b" " * MAX_REQUEST_BYTES))[1]["reason"] == "empty"

    inside(scenario, burst_events=1e9)


def test_too_many_events_in_one_request_are_refused() -> None:
    """A megabyte of empty objects is not worked through."""

    async def scenario(there: House) -> None:
        assert (await there.post(b"{}\n" * 10_001))[0] == 413

    inside(scenario)


def test_compressed_bodies_are_refused() -> None:
    """What a body would inflate to is not found out here."""

    async def scenario(there: House) -> None:
        assert (await there.post(b"x", CRM | {"Content-Encoding": "gzip"}))[0] == 415

    inside(scenario)


def test_a_sender_over_its_rate_gets_retry_after() -> None:
    """One sender's flood ends in 429 with a time that is true; another sender does not notice."""

    async def scenario(there: House) -> None:
        assert (await there.post([queued(str(i)) for i in range(30)]))[0] == 200
        status, answer = await there.post(queued())
        assert (status, answer["reason"]) == (429, "too_many")
        async with there.session.post(f"{there.address}/v1/events", data=b"{}", headers=CRM) as response:
            wait = int(response.headers["Retry-After"])
        assert (await there.post(queued(), {"Authorization": "Bearer chat-token-0123456789"}))[0] == 200

        there.clock.seconds += wait
        assert (await there.post(queued()))[0] == 200

    inside(scenario, events_per_second=10, burst_events=10)


def test_nothing_is_acknowledged_that_kafka_has_not() -> None:
    """While Kafka does not answer, the sender is asked to retry, and nothing counts as accepted."""

    async def scenario(there: House) -> None:
        there.publisher.down = True
        async with there.session.post(f"{there.address}/v1/events", json=[queued(), {}], headers=CRM) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
        async with there.session.get(f"{there.address}/readyz") as response:
            assert response.status == 503
        async with there.session.get(f"{there.address}/healthz") as response:
            assert response.status == 200
        there.publisher.down = False
        assert (await there.post(queued()))[0] == 200
        assert len(there.published(CONTACTS)) == 1

    inside(scenario)


def test_requests_beyond_the_bound_get_retry_after() -> None:
    """Nothing is queued without end: with its places taken, a sender is refused at once and others are not; places come free again."""

    async def scenario(there: House) -> None:
        assert isinstance(there.publisher, SlowPublisher)
        there.publisher.gate.clear()
        waiting = [asyncio.create_task(there.post(queued(str(i)))) for i in range(3)]
        await asyncio.sleep(0.2)
        status, answer = await there.post(queued("more"))
        assert (status, answer["reason"]) == (429, "too_many_at_a_time")
        waiting += [asyncio.create_task(there.post(queued(str(i)), CHAT)) for i in range(3)]
        await asyncio.sleep(0.2)
        there.publisher.gate.set()
        assert {status for status, _ in await asyncio.gather(*waiting)} == {200}
        assert (await there.post(queued("later")))[0] == 200

    inside(scenario, publisher=SlowPublisher, max_in_flight=6)


def test_a_single_sender_has_all_slots() -> None:
    """Where no other sender has a token, no room is reserved for one; the first request beyond the limit is asked to retry."""

    async def scenario(there: House) -> None:
        assert isinstance(there.publisher, SlowPublisher)
        there.publisher.gate.clear()
        waiting = [asyncio.create_task(there.post(queued(str(i)))) for i in range(3)]
        await asyncio.sleep(0.2)
        status, answer = await there.post(queued("more"))
        assert (status, answer["reason"]) == (503, "busy")
        there.publisher.gate.set()
        assert {status for status, _ in await asyncio.gather(*waiting)} == {200}

    inside(scenario, senders=Senders.parse("crm=crm-token-0123456789"), publisher=SlowPublisher, max_in_flight=3)


def test_a_slow_body_is_dropped() -> None:
    """Who sends a byte now and then keeps no place, nor who sends more than that for longer than all of it may take."""

    async def drip(size: int) -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * size
            await asyncio.sleep(0.05)

    async def scenario(there: House) -> None:
        took = []
        for size in (1, 200):
            began = asyncio.get_running_loop().time()
            async with there.session.post(f"{there.address}/v1/events", data=drip(size), headers=CRM) as response:
                assert response.status == 408
            took.append(asyncio.get_running_loop().time() - began)
        assert 0.2 <= took[0] < 0.8 <= took[1]

    inside(scenario, pace=Pace(grace_seconds=0.2, bytes_per_second=1000, body_seconds=0.8))


def test_an_endless_request_and_an_unread_answer_are_dropped() -> None:
    """Neither holds a connection for ever; both are counted, and others continue."""

    async def scenario(house: House) -> None:
        host, port = house.address.removeprefix("http://").split(":")
        # 3,000 refusals with their reasons are more than kernels buffer.
        body = b"[" + b",".join([b"{}"] * 3000) + b"]"
        post = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        post += b"Authorization: %s\r\nContent-Length: %d\r\n\r\n" % (CRM["Authorization"].encode(), len(body))
        loop = asyncio.get_running_loop()
        with socket.socket() as halfway, socket.socket() as silent:
            for client, sent in ((halfway, b"POST /v1/ev"), (silent, (post + body) * 5)):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(0)
                await loop.sock_connect(client, (host, int(port)))
                await loop.sock_sendall(client, sent)
            text = ""
            while not ('dropped_total{reason="unread"} 1.0' in text and 'dropped_total{reason="slow_request"} 1.0' in text):
                await asyncio.sleep(0.1)
                async with house.session.get(f"{house.address}/metrics") as response:
                    text = await response.text()
        assert (await house.post(queued()))[0] == 200

    inside(
        scenario,
        burst_events=1_000_000,
        listening=Listening(limits=ConnectionLimits(unread_seconds=0.5, request_seconds=0.5, check_seconds=0.05)),
    )


def test_a_snapshot_costs_its_sender_by_the_ids_it_lists() -> None:
    """8,000 ids use up 2,000 of the burst: every partition reads them."""
    snapshot = {"type": "source.snapshot", "event_id": "s", "kind": "contacts", "open_ids": [f"c{number}" for number in range(8_000)]}

    async def scenario(house: House) -> None:
        assert (await house.post({**snapshot, "occurred_at": queued()["occurred_at"]}))[0] == 200
        assert (await house.post(queued()))[0] == 429

    inside(scenario, burst_events=1_500, events_per_second=0.001)


def test_refusals_cost_a_sender_ten_times_what_events_do() -> None:
    """They are short, and their dead letters are not: 200 use up 2,000 of the burst, and others are not hindered."""

    async def scenario(house: House) -> None:
        async with house.session.post(f"{house.address}/v1/events", data=b"[" + b",".join([b"{}"] * 200) + b"]", headers=CRM) as response:
            assert response.status == 400
        assert (await house.post(queued()))[0] == 429

    inside(scenario, burst_events=1_500, events_per_second=0.001)


def test_stopping_finishes_pending_requests_and_accepts_no_more() -> None:
    """A request that Kafka is about to acknowledge gets its answer."""

    async def scenario(there: House) -> None:
        assert isinstance(there.publisher, SlowPublisher)
        there.publisher.gate.clear()
        waiting = asyncio.create_task(there.post(queued()))
        await asyncio.sleep(0.2)
        stopping = asyncio.create_task(there.gateway.stop())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        there.publisher.gate.set()
        assert (await waiting)[0] == 200
        await asyncio.wait_for(stopping, 10)

    inside(scenario, publisher=SlowPublisher)


def heartbeats(there: House) -> list[tuple[str, str]]:
    """Return source and complete_through of the heartbeats in one partition."""
    found = [json.loads(kept.value) for kept in there.publisher.records.get(CONTACTS, []) if kept.key is None and kept.partition == 0]
    return [(event["source"], event["complete_through"]) for event in found]


def test_heartbeats_of_a_sender_stay_behind_its_pending_requests() -> None:
    """A quiet sender differs from a dead gateway; while a request waits for Kafka, its sender alone is not complete beyond it."""

    async def scenario(there: House) -> None:
        assert isinstance(there.publisher, SlowPublisher)
        await asyncio.sleep(0.05)
        assert heartbeats(there) == [("chat", "2026-03-02T11:59:58.000Z"), ("crm", "2026-03-02T11:59:58.000Z")]
        there.publisher.records.clear()

        there.publisher.gate.clear()
        waiting = asyncio.create_task(there.post(queued()))
        await asyncio.sleep(0.2)
        there.clock.seconds = 60
        beating = asyncio.create_task(there.gateway.beat())
        await asyncio.sleep(0.05)
        there.publisher.gate.set()
        await asyncio.gather(waiting, beating)
        assert sorted(heartbeats(there)) == [("chat", "2026-03-02T12:00:58.000Z"), ("crm", "2026-03-02T11:59:58.000Z")]

        there.publisher.records.clear()
        await there.gateway.beat()
        assert {through for _, through in heartbeats(there)} == {"2026-03-02T12:00:58.000Z"}

    inside(scenario, publisher=SlowPublisher)


def test_a_gateway_names_itself_in_its_heartbeats_and_reports_its_end() -> None:
    """Another gateway of the same senders is distinguished from it, and does not wait for it; no sender may send an instance."""

    async def scenario(there: House) -> None:
        await asyncio.sleep(0.05)
        names = {json.loads(kept.value)["instance"] for kept in there.publisher.records[CONTACTS]}
        assert names == {f"{socket.gethostname()}:{there.address.rpartition(':')[2]}"}
        there.publisher.records.clear()
        own = {
            "type": "source.heartbeat",
            "event_id": "h",
            "occurred_at": "2026-03-02T12:00:00Z",
            "complete_through": "2026-03-02T11:00:00Z",
        }
        status, answer = await there.post({**own, "instance": "another"})
        assert (status, answer["events"][0]["reason"]) == (400, "invalid_value")
        there.publisher.records.clear()
        await there.gateway.stop()
        last = [json.loads(kept.value) for kept in there.publisher.records[CONTACTS]]
        assert {(each["source"], each["instance"], each["ended"]) for each in last} == {(name, *names, True) for name in ("crm", "chat")}

    inside(scenario)


def test_a_sender_with_heartbeats_of_its_own_gets_none_of_the_gateway() -> None:
    """Only the sender knows how far it is complete, once it reports that; its heartbeats go to every partition and the gateway's stop."""

    async def scenario(there: House) -> None:
        own = {
            "type": "source.heartbeat",
            "event_id": "h",
            "occurred_at": "2026-03-02T12:00:00Z",
            "complete_through": "2026-03-02T11:00:00Z",
        }
        await asyncio.sleep(0.05)
        there.publisher.records.clear()
        assert (await there.post(own))[0] == 200
        await there.gateway.beat()

        assert sorted(heartbeats(there)) == [("chat", "2026-03-02T11:59:58.000Z"), ("crm", "2026-03-02T11:00:00.000Z")]
        assert {kept.partition for kept in there.publisher.records[AGENTS]} == set(range(there.publisher.partitions))

    inside(scenario)


def test_without_tokens_it_listens_on_the_loopback_address_only() -> None:
    """Forgetting the tokens must not open the gateway to the network; the error states what to set."""
    publisher = MemoryPublisher(now=Clock().now)
    for host in ("0.0.0.0", "::", "192.0.2.7", "gateway.example"):  # noqa: S104 - the point
        with pytest.raises(NotPermittedHereError, match="CONTACT_STREAMS_GATEWAY_TOKENS"):
            Gateway(publisher, Senders(), GatewaySettings(host=host))
    Gateway(publisher, Senders(), GatewaySettings(host="localhost"))
    Gateway(publisher, TOKENS, GatewaySettings(host="0.0.0.0"))  # noqa: S104 - with tokens it may


def test_without_tokens_this_machine_may_name_sources_but_a_web_page_may_not() -> None:
    """A local sender names its source and gets heartbeats for it; a page in a browser on this machine is refused."""

    async def scenario(there: House) -> None:
        assert (await there.post(queued(source="pbx"), {}))[0] == 200
        assert (await there.post(queued(source="pbx"), {"Origin": "https://evil.example"}))[0] == 403
        await there.gateway.beat()
        assert heartbeats(there) == [("pbx", "2026-03-02T11:59:58.000Z")]

    inside(scenario, senders=Senders())


def test_metrics_begin_with_0() -> None:
    """Before the first event each sender has its series, and of each reason: Prometheus sees no increase where a series begins."""

    async def scenario(there: House) -> None:
        async with there.session.get(f"{there.address}/metrics") as response:
            text = await response.text()

        assert 'contact_center_gateway_events_accepted_total{sender="crm"} 0.0' in text
        for reason in ("invalid_json", "missing_field", "time_in_future", "source_not_permitted"):
            assert f'contact_center_gateway_events_rejected_total{{reason="{reason}",sender="crm"}} 0.0' in text
        assert 'contact_center_gateway_requests_total{status="200"} 0.0' in text

    inside(scenario)


def test_metrics_count_accepted_and_refused_events() -> None:
    """Accepted and rejected by sender and reason, requests by status, and how long Kafka took."""

    async def scenario(there: House) -> None:
        await there.post([queued("a"), queued("b"), {}])
        await there.post(b"{}", {})
        async with there.session.get(f"{there.address}/metrics") as response:
            text = await response.text()

        for line in (
            'contact_center_gateway_events_accepted_total{sender="crm"} 2.0',
            'contact_center_gateway_events_rejected_total{reason="missing_field",sender="crm"} 1.0',
            'contact_center_gateway_requests_total{status="202"} 1.0',
            'contact_center_gateway_requests_total{status="401"} 1.0',
            "contact_center_gateway_publish_seconds_count 1.0",
            "contact_center_gateway_requests_in_flight 0.0",
        ):
            assert line in text

    inside(scenario)


def test_no_log_line_holds_a_token_or_an_event(caplog: pytest.LogCaptureFixture) -> None:
    """Refusals and outages are logged without bodies, and no request is logged with who made it."""

    async def scenario(there: House) -> None:
        await there.post([queued(queue="0312345678"), {"type": "0312345678"}])
        there.publisher.down = True
        await there.post(queued(queue="0312345678"))

    with caplog.at_level("INFO"):
        inside(scenario)
    assert caplog.records
    assert "0312345678" not in caplog.text
    assert "token-0123456789" not in caplog.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/events", 405), ("POST", "/", 404), ("POST", "/v2/events", 404)])
def test_other_ways_are_refused_in_the_same_form(method: str, path: str, status: int) -> None:
    """A wrong path or method gets JSON, too."""

    async def scenario(there: House) -> None:
        async with there.session.request(method, there.address + path, headers=CRM) as response:
            assert response.status == status
            assert (await response.json())["accepted"] == 0

    inside(scenario)


def mutated(chance: random.Random) -> bytes:
    """Return a request body that was good once."""
    events: list[Any] = [queued(str(i)) for i in range(chance.randrange(1, 4))]
    for event in events:
        for _ in range(chance.randrange(4)):
            odd: Any = chance.choice(
                [None, -1, 1e308, 10**400, "", "\x00", "\ud800", [], {}, [[[]]], True, "x" * 300, "2026-13-01T00:00:00Z"]
            )
            event[chance.choice([*event, "sequence", "agent", "channel", "skills", "source", "schema_version"])] = odd
    body = json.dumps(chance.choice([events, events[0]])).encode(errors="surrogatepass")
    if chance.random() < 0.3:
        body = b"\n".join(json.dumps(event).encode() for event in events)
    raw = bytearray(body)
    for _ in range(chance.choice([0, 0, 1, 5])):
        place = chance.randrange(len(raw))
        match chance.randrange(3):
            case 0:
                raw[place] = chance.randrange(256)
            case 1:
                del raw[place : place + chance.randrange(1, 20)]
                raw = raw or bytearray(b" ")
            case _:
                raw[place:place] = chance.randbytes(3)
    return bytes(raw)


def test_thousands_of_mutated_requests_never_make_it_fail() -> None:
    """Whatever a sender with a token sends, the answer is a success or the sender's own fault, and all accepted are published."""
    chance = random.Random(20260302)
    types = ["application/json", "application/x-ndjson", "text/plain", "", "multipart/form-data", "application/json; charset=nonsense"]

    async def scenario(there: House) -> None:
        counts: dict[int, int] = {}
        accepted = 0
        for _ in range(4000):
            status, answer = await there.post(mutated(chance), CRM | {"Content-Type": chance.choice(types)})
            counts[status] = counts.get(status, 0) + 1
            accepted += answer["accepted"]
        assert set(counts) == {200, 202, 400}
        assert accepted == len(there.published(CONTACTS))

    inside(scenario, events_per_second=1e9, burst_events=1e9)


def test_mutated_http_itself_never_makes_it_fail() -> None:
    """Broken heads, lengths and chunks are answered with the sender's fault or a closed connection, and good senders are served on."""
    chance = random.Random(7)
    body = json.dumps(queued()).encode()
    head = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer crm-token-0123456789\r\n"
    heads = [
        head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    ]

    async def one(there: House, raw: bytes) -> bytes:
        host, port = there.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(raw)
            writer.write_eof()
            return await asyncio.wait_for(reader.readline(), 10)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def scenario(there: House) -> None:
        seen: set[bytes] = set()
        for _ in range(1000):
            raw = bytearray(chance.choice(heads))
            for _ in range(chance.randrange(1, 4)):
                place = chance.randrange(len(raw))
                if chance.random() < 0.5:
                    raw[place] = chance.randrange(256)
                else:
                    del raw[place : place + chance.randrange(1, 40)]
                    raw = raw or bytearray(b"x")
            seen.add((await one(there, bytes(raw)))[9:12])
        assert not {status for status in seen if status.startswith(b"5")}
        assert (await there.post(queued()))[0] == 200

    inside(scenario, events_per_second=1e9, burst_events=1e9)


def test_tokens_are_read_with_errors_that_name_the_entry_and_not_the_token() -> None:
    """Several tokens may belong to one name; a short, shared or misshapen one is refused."""
    senders = Senders.parse(" crm=crm-token-0123456789,\n crm=next-token-0123456789 chat=chat-token=with=signs ")
    assert senders.names == ["chat", "crm"]
    assert senders.named_by("bearer next-token-0123456789", 0) == "crm"
    assert senders.named_by("Bearer chat-token=with=signs", 0) == "chat"

    for text in (
        "crm",
        "=crm-token-0123456789",
        "crm=short",
        "a b=crm-token-0123456789",
        "a=same-token-0123456789,b=same-token-0123456789",
    ):
        with pytest.raises(ValueError, match="entry") as error:
            Senders.parse(text)
        assert "0123456789" not in str(error.value)


def senders_file(**senders: dict[str, Any]) -> Senders:
    """Return senders of a file, with no tokens but CRM's of the environment."""
    content = {name: {"tokens": [], **more} for name, more in senders.items()}
    return Senders({"crm-token-0123456789": "crm"}, SendersFile.model_validate({"senders": content}))


def test_a_sender_by_pattern_does_not_bring_a_source_with_every_event() -> None:
    """A hundred names are systems, more are a fault; those it has may continue, and the gateway sends their heartbeats."""

    async def scenario(there: House) -> None:
        _, answer = await there.post([queued(f"e{number}", source=f"crm-{number}") for number in range(120)])
        _, again = await there.post(queued("again", source="crm-7"))
        await there.gateway.beat()

        assert [each.get("reason", each["status"]) for each in answer["events"]] == ["accepted"] * 100 + ["source_not_permitted"] * 20
        assert again["accepted"] == 1
        assert len(there.published(CONTACTS)) == 101
        assert len({kept.value for kept in there.publisher.records[CONTACTS] if b"source.heartbeat" in kept.value}) == 100

    inside(scenario, senders=senders_file(crm={"sources": ["crm-*"]}))


def test_a_sender_of_several_sources_names_one() -> None:
    """Where the gateway cannot know which is meant it stamps none, and speaks for each of them."""

    async def scenario(there: House) -> None:
        _, answer = await there.post([queued("a"), queued("b", source="one"), queued("c", source="crm")])
        await there.gateway.beat()
        beats = [json.loads(kept.value) for kept in there.publisher.records[CONTACTS] if b"source.heartbeat" in kept.value]

        assert [each.get("reason", each["status"]) for each in answer["events"]] == [
            "source_not_permitted",
            "accepted",
            "source_not_permitted",
        ]
        assert {each["source"] for each in beats} == {"one", "two", "chat"}

    inside(scenario, senders=senders_file(crm={"sources": ["one", "two"]}, chat={}))


def test_a_file_without_tokens_opens_nothing() -> None:
    """A sender without a token is refused, also where no sender has one any more."""

    async def scenario(there: House) -> None:
        there.gateway.take(SendersFile(senders={}))

        assert (await there.post(queued()))[0] == 401
        assert (await there.post(queued(), headers={}))[0] == 401

    inside(scenario, senders=Senders(file=SendersFile.model_validate({"senders": {"crm": {"tokens": []}}})))
