"""A sender with a valid token that exceeds its permissions, and a silent one: on a real gateway, worker and server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
import yaml

from schemas.topics import topic
from streams.cli import main
from streams.worker import create_topics
from tests.support.services import Services, until
from tests.support.topics import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

CONTACTS, DEAD = "contact-events.v1", "contact-events-dead-letters.v1"
REFUSED = "contact_center_gateway_events_rejected_total"


def event(kind: str, event_id: str, **fields: Any) -> dict[str, Any]:
    """Return a good event of now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"type": kind, "event_id": event_id, "occurred_at": now, "conversation_id": "call-1", **fields}


class Sender:
    """Posts to a gateway with one token."""

    def __init__(self, session: aiohttp.ClientSession, address: str, token: str) -> None:
        """Keep where and with what."""
        self._session, self._url, self._headers = session, f"{address}/v1/events", {"Authorization": f"Bearer {token}"}

    async def post(self, *events: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send events and return status and answer."""
        async with self._session.post(self._url, json=list(events), headers=self._headers) as response:
            return response.status, await response.json()

    async def reasons(self, *events: dict[str, Any]) -> list[str]:
        """Send events and return what became of each: accepted, or the reason."""
        _, answer = await self.post(*events)
        return [each.get("reason", each["status"]) for each in answer["events"]]


class SendersFile:
    """The gateway's file, written as an operator would with ``contact-streams senders token``."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Begin without senders."""
        self.path, self._capsys = path, capsys
        self.content: dict[str, Any] = {}
        self.tokens: list[str] = []

    def token(self, sender: str, name: str, **times: str) -> str:
        """Give a sender a new token, from the command that makes them, and return it."""
        self._capsys.readouterr()
        assert main(["senders", "token", sender, "--name", name]) == 0
        token, _, entry = self._capsys.readouterr().out.partition("\n")
        (made,) = yaml.safe_load(entry)["senders"][sender]["tokens"]
        self.content.setdefault(sender, {"tokens": []})["tokens"].append({**made, **times})
        self.tokens.append(token)
        return token

    def write(self, **limits: dict[str, Any]) -> None:
        """Write the file, with what senders may send."""
        for sender, more in limits.items():
            self.content[sender] |= more
        self.path.write_text(yaml.safe_dump({"senders": self.content}), encoding="utf-8")


@pytest.fixture
def file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> SendersFile:
    """A senders file in a folder of its own."""
    return SendersFile(tmp_path / "senders.yaml", capsys)


def test_a_token_sends_what_it_permits_and_no_more(kafka: Cluster, tmp_path: Path, file: SendersFile) -> None:
    """H2: what a token does not permit is refused with its reason, counted and set aside; tokens come and go under the running gateway."""
    with Services(tmp_path, kafka.bootstrap, "senders") as services:
        asyncio.run(attack(services, file, kafka.bootstrap))


async def attack(services: Services, file: SendersFile, bootstrap: str) -> None:
    """Send as B what only A may, then change the tokens."""
    await create_topics(bootstrap, "senders")
    a, b = file.token("a", "first"), file.token("b", "first")
    file.write(a={"sites": ["berlin"]}, b={"types": ["contact.*", "source.*"], "sources": ["b", "b-*"], "queues": ["B *"]})
    services.run("gateway", "--senders", str(file.path))
    await services.ready("gateway")
    process = services.pid("gateway")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:

        def sender(token: str) -> Sender:
            return Sender(session, services.addresses["gateway"], token)

        assert await sender(a).reasons(event("contact.queued", "a1", queue="A", site="berlin")) == ["accepted"]
        await foreign(sender(a), sender(b))
        await rotation(services, file, sender)
        await expiry(services, file, sender)
        await a_spoiled_file(services, file, sender)
    assert services.pid("gateway") == process
    assert services.ended == []
    metrics = (await services.ask("gateway", "/metrics"))[1]
    everything = services.log("gateway") + metrics + file.path.read_text(encoding="utf-8")
    assert not [token for token in file.tokens if token in everything]
    published = [orjson.loads(record.value) for record in await read(bootstrap, topic(CONTACTS).full_name("senders"))]
    ids = {each["event_id"] for each in published if each["type"] != "source.heartbeat"}
    assert ids == {"a1", "b1", "b2", "b3", "b4", "old", "new", "short"}
    dead = await read(bootstrap, topic(DEAD).full_name("senders"))
    assert Counter(dict(record.headers)["dead-letter-reason"].decode() for record in dead) == {
        "source_not_permitted": 3, "type_not_permitted": 2, "queue_not_permitted": 4, "site_not_permitted": 1,
    }  # fmt: skip
    assert await services.counter("gateway", f'{REFUSED}{{reason="queue_not_permitted",sender="b"}}') == 4


async def foreign(a: Sender, b: Sender) -> None:
    """What H2 did: an exclusion and an end for A's conversation in A's name, states of people, and queues of others."""
    assert await b.reasons(
        event("contact.excluded", "x1", source="a", reason="spam"),
        event("contact.left_queue", "x2", source="a", reason="abandoned", queue="B 1"),
        event("source.heartbeat", "x3", source="a", complete_through="2026-01-01T00:00:00Z"),
        event("agent.state_changed", "x4", person_id="ann", axis="presence", state="offline"),
        event("forecast.set", "x5", queue="B 1", interval_start="2026-01-01T00:00:00Z", interval_seconds=900, volume=9),
        event("contact.queued", "x6", queue="A"),
        event("contact.left_queue", "x7", reason="abandoned", queue="A"),
        event("contact.transferred", "x8", from_queue="A", to_queue="B 1"),
        event("contact.transferred", "x9", from_queue="B 1", to_queue="A"),
        # Its own it may send, also from a source by pattern, and what names no queue.
        event("contact.queued", "b1", queue="B 1", conversation_id="b-1"),
        event("contact.transferred", "b2", to_queue="B 2", conversation_id="b-1"),
        event("contact.answered", "b3", agent="bob", conversation_id="b-1"),
        event("contact.ended", "b4", source="b-south", conversation_id="b-1"),
    ) == [*["source_not_permitted"] * 3, *["type_not_permitted"] * 2, *["queue_not_permitted"] * 4, *["accepted"] * 4]
    assert await a.reasons(event("contact.queued", "x10", queue="A", site="tokyo")) == ["site_not_permitted"]
    # It names sites and no teams: a person who is put into a team counts in that team's site.
    state = event("agent.state_changed", "x11", person_id="ann", axis="presence", state="online", team="care-a", site="berlin")
    assert await a.reasons(state) == ["team_not_permitted"]


async def rotation(services: Services, file: SendersFile, sender: Any) -> None:
    """Two tokens at a time while one replaces the other, and the one that was deleted is refused, without a restart."""
    old, new = sender(file.tokens[0]), sender(file.token("a", "second"))
    assert (await new.post(event("contact.queued", "new", queue="A")))[0] == 401
    file.write()
    await until(lambda: accepted(new, event("contact.queued", "new", queue="A")), 15)
    assert await old.reasons(event("contact.queued", "old", queue="A")) == ["accepted"]
    del file.content["a"]["tokens"][0]
    file.write()
    await until(lambda: answered(old, 401), 15)
    assert await accepted(new, event("contact.queued", "new", queue="A"))


async def expiry(services: Services, file: SendersFile, sender: Any) -> None:
    """A token is refused from its expiry on and before its beginning; a refusal does not give its cause."""
    end = datetime.now(UTC) + timedelta(seconds=6)
    short, early = file.token("a", "short", not_after=end.isoformat()), file.token("a", "early", not_before="2099-01-01T00:00:00Z")
    file.write()
    os.kill(services.pid("gateway"), signal.SIGHUP)
    await until(lambda: accepted(sender(short), event("contact.queued", "short", queue="A")), 5)
    await asyncio.sleep(max(0, (end - datetime.now(UTC)).total_seconds()) + 0.1)
    refusals = [
        await sender(token).post(event("contact.queued", "x", queue="A"))
        for token in (short, early, file.tokens[0], "cst_" + "x" * 43, "x")
    ]
    assert [status for status, _ in refusals] == [401] * 5
    assert all(answer == refusals[0][1] for _, answer in refusals)


async def a_spoiled_file(services: Services, file: SendersFile, sender: Any) -> None:
    """An invalid file changes nothing, and is reported in the log, on the health page and by the gauge of the alert."""
    b, stranger = file.tokens[1], file.token("stranger", "x")
    file.write(stranger={"types": ["nonsense"]})
    await until(lambda: gauge(services, 0), 15)
    assert "senders: refused, using 2 senders of " in (await services.ask("gateway", "/healthz"))[1]
    assert 'senders.stranger.types.0: no event has the type "nonsense"' in services.log("gateway")
    assert await accepted(sender(b), event("contact.answered", "b3", agent="bob", conversation_id="b-1"))
    assert await answered(sender(stranger), 401)
    del file.content["stranger"]
    file.write()
    await until(lambda: gauge(services, 1), 15)


async def accepted(sender: Sender, sent: dict[str, Any]) -> bool:
    """Return whether an event is accepted."""
    return (await sender.post(sent))[0] == 200


async def answered(sender: Sender, status: int) -> bool:
    """Return whether a sender is answered with a status."""
    return (await sender.post(event("contact.answered", "old")))[0] == status


async def gauge(services: Services, value: float) -> bool:
    """Return whether the gateway's gauge of its file has a value."""
    return await services.counter("gateway", "contact_center_configuration_valid") == value


SILENT = """\
counting: {source_timeout_seconds: 3}
sources:
  desk: {silence_seconds: 5}
  night: {silence_seconds: 600}
  never: {silence_seconds: 60}
"""


def test_holding_a_token_is_no_sign_of_life(kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """H9: a sender that never sends is not alive, one that stops is silent after its allowed silence, and the watermark advances."""
    monkeypatch.setenv(
        "CONTACT_STREAMS_GATEWAY_TOKENS", " ".join(f"{name}={name}-token-0123456789" for name in ("desk", "night", "never", "other"))
    )
    configuration = tmp_path / "center.yaml"
    configuration.write_text(SILENT, encoding="utf-8")
    with Services(tmp_path, kafka.bootstrap, "alive", configuration) as services:
        asyncio.run(fall_silent(services, kafka.bootstrap))


async def fall_silent(services: Services, bootstrap: str) -> None:
    """Send once from two of four senders, and look."""
    await create_topics(bootstrap, "alive")
    for name in ("worker", "serve", "gateway"):
        services.run(name)
    await services.ready("worker", "serve", "gateway")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        for name in ("desk", "night"):
            sender = Sender(session, services.addresses["gateway"], f"{name}-token-0123456789")
            assert await accepted(sender, event("contact.queued", f"{name}-1", queue=name, conversation_id=name))
        sent = datetime.now(UTC)

    async def sources() -> dict[str, Any]:
        return dict((await services.ask("serve", "/api/v1/figures"))[1]["sources"])

    async def desk_is(stale: bool) -> bool:
        found = await sources()
        return "desk" in found and found["desk"]["stale"] == stale

    await until(lambda: desk_is(stale=False), 15)
    await until(lambda: desk_is(stale=True), 20)
    found = await sources()
    # Of the sender that never sent and is not expected, nothing is known; the other is missed.
    assert {name: each["stale"] for name, each in found.items()} == {"desk": True, "never": True, "night": False}
    assert found["never"]["last_seen"] is None
    assert abs((datetime.fromisoformat(found["desk"]["last_seen"]) - sent).total_seconds()) < 5
    # Silence delays nothing: the gateway reports that no request is under way.
    figures = (await services.ask("serve", "/api/v1/figures"))[1]
    assert datetime.fromisoformat(figures["complete_through"]) > datetime.fromisoformat(found["desk"]["last_seen"]) + timedelta(seconds=2)
    assert figures["stale"] is False
