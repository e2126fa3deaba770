"""Every platform that calls by webhook, from signature to topic: its fixtures go through a gateway, and nothing personal does."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import ClientSession, ClientTimeout

from streams.connectors import platforms
from streams.connectors.configured import BY_TOKEN, Configured
from streams.connectors.gateway import Gateway, GatewaySettings
from streams.connectors.kit.model import Connector, Context
from streams.connectors.kit.translating import translate
from streams.connectors.kit.verifying import Delivery, signature
from streams.connectors.publishing import MemoryPublisher
from streams.connectors.senders import Senders
from tests.connectors.test_conformance import fixtures, holds, personal_of, scalars
from tests.connectors.test_verification import SECRET, secret_of
from tests.support.platforms import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.connectors.kit.verification import Verification

NAMES = [
    name for name in platforms.names() if "webhook" in platforms.connector(name).ways and platforms.connector(name).translate is not None
]
NOW = datetime(2027, 1, 1, tzinfo=UTC)
URL = "https://hooks.example.com/v1/hooks/here"
DEAD_LETTERS = "contactcenter.contact-events-dead-letters.v1"


def bodies(name: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield what a platform delivers, with the settings it is read with: a line of a fixture of lines, else a fixture as it is."""
    for file, body, settings in fixtures(name):
        lines = body.splitlines() if file.endswith((".jsonl", ".form.txt")) else [body]
        yield from ((line, settings) for line in lines if line.strip())


def signed(scheme: Verification, body: bytes, number: int) -> tuple[dict[str, str], str]:
    """Return headers and query of a delivery as the platform sends it."""
    if scheme.kind == "token":
        if not scheme.header:
            return {}, f"?{scheme.query_parameter}={SECRET}"
        return {scheme.header: f"{scheme.prefix}{SECRET}"}, ""
    # Each is sent in a second of its own: what is sent again as it was is refused.
    there = {scheme.timestamp_header: f"{NOW.timestamp() + number:.0f}"} if scheme.timestamp_header else {}
    there |= {scheme.id_header: "msg_1"} if scheme.id_header else {}
    query: dict[str, str] = {}
    if scheme.signed == "url+body_sha256":
        query = {"bodySHA256": hashlib.sha256(body).hexdigest()}
    asked = "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
    there[scheme.header] = signature(scheme, secret_of(scheme), Delivery(body, there, query, URL + asked))
    return there, asked


def hook(connector: Connector, settings: dict[str, Any]) -> Configured:
    """Return a platform as a file would have it followed."""
    scheme = connector.verification or BY_TOKEN
    with_defaults = {each.name: each.default for each in connector.settings} | settings
    return Configured(
        source="here",
        connector=connector,
        context=Context(source="here", settings=with_defaults, customer_key=lambda identity: f"k1:{len(identity)}"),
        site=None,
        secrets=(SECRET if scheme.kind == "token" else secret_of(scheme),),
        credentials={},
        verify_token=None,
        hook_url=URL,
        verification=scheme,
    )


async def delivered(connector: Connector, name: str, publisher: MemoryPublisher) -> tuple[list[int], list[str]]:
    """Deliver the fixtures of a platform; return statuses, and all texts of the gateway."""
    statuses, texts = list[int](), list[str]()
    gateway = Gateway(publisher, Senders(), GatewaySettings(port=0, heartbeat_seconds=3600), now=lambda: NOW, connectors={})
    address = await gateway.start()
    try:
        async with ClientSession(timeout=ClientTimeout(total=20)) as session:
            for number, (body, settings) in enumerate(bodies(name)):
                configured = hook(connector, settings)
                gateway.take_connectors({"here": configured})
                there, query = signed(configured.verification, body, number)
                async with session.post(f"{address}/v1/hooks/here{query}", data=io.BytesIO(body), headers=there) as response:
                    statuses.append(response.status)
                    texts.append(await response.text())
            async with session.get(f"{address}/metrics") as response:
                texts.append(await response.text())
    finally:
        await gateway.stop()
    return statuses, texts


@pytest.mark.parametrize("name", NAMES)
def test_a_signed_delivery_is_accepted_and_becomes_events(name: str) -> None:
    """The status that it wants, and the events of its connector from the bytes, in the topics."""
    connector = platforms.connector(name)
    publisher = MemoryPublisher(now=lambda: NOW)

    statuses, _ = asyncio.run(delivered(connector, name, publisher))

    assert set(statuses) == {connector.answers.accepted}
    expected = set()
    for body, settings in bodies(name):
        done = translate(connector, body, hook(connector, settings).context, origin="x", now=NOW)
        expected |= {event.event_id for event in done.events}
    found = {event["event_id"] for event in published(publisher) if event["type"] != "source.heartbeat"}
    assert found == expected
    assert found


def published(publisher: MemoryPublisher) -> list[dict[str, Any]]:
    """Return the events in the topics."""
    return [orjson.loads(kept.value) for topic, records in publisher.records.items() if topic != DEAD_LETTERS for kept in records]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fails", [False, True], ids=["as it is", "with a connector that fails"])
def test_nothing_personal_is_in_any_topic_answer_metric_or_log(name: str, fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Of events, dead letters with their headers, answers, metrics and the log, also where the connector fails at every record."""
    caplog.set_level(logging.DEBUG)
    connector = platforms.connector(name)

    def broken(*_: Any) -> Any:
        raise RuntimeError(connector.title)

    publisher = MemoryPublisher(now=lambda: NOW)
    running = replace(connector, translate=broken) if fails else connector
    statuses, texts = asyncio.run(delivered(running, name, publisher))
    assert set(statuses) == {connector.answers.accepted}
    ours = frozenset(orjson.loads((FIXTURES / name / "ours.json").read_bytes()) if (FIXTURES / name / "ours.json").exists() else ())
    shown = set[str]().union(*(scalars(event) for event in published(publisher)))
    dead_letters = publisher.records.get(DEAD_LETTERS, [])
    assert bool(dead_letters) or not fails
    masked = {*texts, caplog.text}
    for dead_letter in dead_letters:
        masked |= scalars(orjson.loads(dead_letter.value)) if dead_letter.value else set()
        masked |= {value.decode() for value in dead_letter.headers.values()}
    for body, _ in bodies(name):
        for record in connector.read(body, "x"):
            for value in filter(_is_no_word, personal_of(connector, record.content, ours, events=True)):
                assert not holds(shown, value), f"an event holds {value!r}"
            for value in filter(_is_no_word, personal_of(connector, record.content, ours, events=False)):
                assert not holds(masked, value), f"a dead letter, an answer, a metric or the log holds {value!r}"


def _is_no_word(value: str) -> bool:
    """Return whether a value is more than a state of other records, such as pending."""
    return not (value.isascii() and value.islower() and value.isalpha())
