"""Serve with its audit on a real broker: what is looked at and changed is on record, and nothing personal is shown that is not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
import yaml

from schemas.api import AuditAnswer
from schemas.audit import Actor, AuditObject
from streams.configuration.file import ConfigurationFile, configuration_hash
from streams.configuration.loading import load_configuration
from streams.listening.tokens import TOKEN_FORM, hash_of, new_token
from streams.serving.agents import agents_topic
from streams.serving.audit.auditor import audit_record
from streams.serving.audit.writer import write_now
from streams.serving.door import WatchedAccess
from streams.serving.reader import latest_topic
from streams.serving.reload import now_ms
from streams.serving.service import ServeSettings, run_serve
from tests.serving.audit.topics import make_audit_topic, raw_records, recorded_in
from tests.serving.records import Backend, client_of, small_center
from tests.serving.topics import bootstrap, make, publish
from tests.support import kafka as apache
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from streams.configuration import Configuration

__all__ = ["bootstrap"]


@contextlib.asynccontextmanager
async def served(bootstrap: str, prefix: str, **settings: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Run serve with its audit, as the command does, until its figures are read; stop it in order."""
    await make(bootstrap, latest_topic(prefix))
    await make(bootstrap, agents_topic(prefix))
    await publish(bootstrap, latest_topic(prefix), small_center())
    announced: asyncio.Queue[str] = asyncio.Queue()
    chosen = ServeSettings(bootstrap=bootstrap, topic_prefix=prefix, port=0, agents=True, audit=True, **settings)
    serving = asyncio.create_task(run_serve(chosen, announce=announced.put_nowait, handle_signals=False))
    try:
        async with aiohttp.ClientSession((await announced.get()).removeprefix("serving ")) as client:
            async with asyncio.timeout(15):
                while (await client.get("readyz")).status != 200:  # noqa: ASYNC110 - asks over HTTP
                    await asyncio.sleep(0.05)
            yield client
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def run(check: Any) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


@pytest.mark.embedded
def test_looks_and_changes_are_on_record(bootstrap: str, tmp_path: Path) -> None:
    """Looks at people and at the audit, and a changed configuration: exactly these, with hashes, and with no name of a person."""
    path = tmp_path / "center.yaml"
    path.write_text("queues: {}\n", encoding="utf-8")
    file = ConfigurationFile(path, now_ms())

    def settings_of(configuration: Configuration) -> ServeSettings:
        return ServeSettings()

    async def check() -> None:
        await make_audit_topic(bootstrap, "served")
        async with served(bootstrap, "served", file=file, of_configuration=settings_of) as client:
            for query in ("", "?window=day", "?agent=ann&agent=bo", "?agent=ann&agent=cleo"):
                assert (await client.get(f"api/v1/agents{query}")).status == 200
            for path_of in ("figures", "alerts", "trends", "targets", "catalogue", "queues/sales"):
                assert (await client.get(f"api/v1/{path_of}")).status == 200
            path.write_text("queues: {claims: {}}\n", encoding="utf-8")
            async with asyncio.timeout(20):
                while (found := await (await client.get("api/v1/audit?action=configuration_changed")).json())["records"] == []:  # noqa: ASYNC110 - asks over HTTP
                    await asyncio.sleep(0.3)
            (changed,) = found["records"]
            assert changed["actor"] == {"kind": "process", "name": "serve"}
            assert changed["about"] == {
                "file": "center.yaml",
                "hash_before": configuration_hash(load_configuration(None)),
                "hash_after": configuration_hash(load_configuration(path)),
            }

        assert [(each.action, each.about.endpoint, each.about.people) for each in await recorded_in(bootstrap, "served")] == [
            ("looked_at_agents", "GET /api/v1/agents", None),
            ("looked_at_agents", "GET /api/v1/agents", 2),
            ("audit_read", "GET /api/v1/audit", None),
            ("configuration_changed", None, None),
        ]
        written = b"".join((key or b"") + (value or b"") for key, value in await raw_records(bootstrap, "served"))
        assert b"ann" not in written.lower()
        assert b"cleo" not in written.lower()

    run(check())


@pytest.mark.embedded
def test_pages_of_the_audit(bootstrap: str) -> None:
    """A page names the next one in its Link; invalid filters and limits are refused with what is permitted."""

    async def check() -> None:
        await make_audit_topic(bootstrap, "paged")
        async with served(bootstrap, "paged") as client:
            for people in range(1, 6):
                query = "&".join(f"agent=a{number}" for number in range(people))
                assert (await client.get(f"api/v1/agents?{query}")).status == 200
            seen, where = [], "api/v1/audit?limit=2&action=looked_at_agents"
            while where:
                answer = await client.get(where)
                assert answer.status == 200
                body = await answer.json()
                assert AuditAnswer.model_validate_json(orjson.dumps(body)).model_dump(mode="json", exclude_unset=True) == body
                page = body["records"]
                assert len(page) <= 2
                seen += [record["about"]["people"] for record in page]
                link = answer.links.get("next")
                where = "" if link is None else str(link["url"])
            assert seen == [1, 2, 3, 4, 5]

            for query, expected in {
                "limit=0": "1 to 1000",
                "limit=1001": "1 to 1000",
                "cursor=x": "Link",
                "since=yesterday": "RFC 3339",
                "action=looked": "looked_at_agents",
            }.items():
                answer = await client.get(f"api/v1/audit?{query}")
                assert (answer.status, expected in (await answer.json())["detail"]) == (400, True), query
            assert (await (await client.get("api/v1/audit?actor=user:none")).json())["records"] == []

    run(check())


@pytest.mark.embedded
def test_without_the_topic_people_are_not_shown_and_figures_are(bootstrap: str) -> None:
    """503 with Retry-After in seconds, and not a byte about people; figures as ever; once the topic is there people are shown."""

    async def check() -> None:
        async with served(bootstrap, "unrecorded") as client:
            began = time.monotonic()
            answer = await client.get("api/v1/agents")
            assert (answer.status, answer.content_type) == (503, "application/problem+json")
            assert time.monotonic() - began < 6
            assert int(answer.headers["Retry-After"]) > 0
            assert "agents" not in await answer.json()
            assert (await client.get("api/v1/audit")).status == 503
            assert (await client.get("api/v1/figures")).status == 200
            assert 'contact_center_audit_records_total{result="withdrawn"} 1.0' in await (await client.get("metrics")).text()

            await make_audit_topic(bootstrap, "unrecorded")
            async with asyncio.timeout(30):
                while (await client.get("api/v1/agents")).status != 200:
                    pass
        assert {record.action for record in await recorded_in(bootstrap, "unrecorded")} == {"looked_at_agents"}

    run(check())


def test_without_an_access_file_nothing_is_recorded() -> None:
    """The address reports it, and there are no metrics of the audit."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            answer = await client.get("/api/v1/audit")
            assert (answer.status, "start serve with --access" in (await answer.json())["detail"]) == (404, True)
            assert "contact_center_audit" not in await (await client.get("/metrics")).text()
        assert not ServeSettings().audit

    run(check())


@pytest.mark.embedded
def test_an_auditor_of_a_site_reads_of_its_queues_alone(bootstrap: str, tmp_path: Path) -> None:
    """What is about a queue elsewhere is not there, nor in the number of pages, nor are logins of elsewhere; a viewer reads nothing."""
    center, access = tmp_path / "center.yaml", tmp_path / "access.yaml"
    sites = {name: {"zone": "UTC"} for name in ("tokyo", "bonn")}
    center.write_text(
        yaml.safe_dump({"sites": sites, "queues": {"sales": {"site": "tokyo"}, "claims": {"site": "bonn"}}}), encoding="utf-8"
    )
    roles: dict[str, list[dict[str, Any]]] = {
        "all": [{"role": "auditor"}],
        "tokyo": [{"role": "auditor", "sites": ["tokyo"]}],
        "viewer": [{"role": "viewer"}],
    }
    tokens = {name: new_token(TOKEN_FORM) for name in roles}
    entries = {name: {"hashes": [hash_of(token)], "roles": roles[name]} for name, token in tokens.items()}
    access.write_text(yaml.safe_dump({"tokens": entries}), encoding="utf-8")
    actor = Actor(kind="user", name="tanaka")
    looks = [
        audit_record("looked_at_contacts", actor=actor, instance="test", at=time.time(), about=AuditObject(scope_kind="queue", scope=queue))
        for queue in ("sales", "claims", "sales", "claims")
    ]
    logins = [audit_record("login", actor=actor, instance="test", at=time.time(), places=(f"site:{site}",)) for site in ("tokyo", "bonn")]
    written = [*logins, *looks]

    async def check() -> None:
        await make_audit_topic(bootstrap, "scoped")
        await write_now(bootstrap, "scoped", written, {})
        files: dict[str, Any] = {"file": ConfigurationFile(center, now_ms()), "access": WatchedAccess(access, now_ms())}
        async with served(bootstrap, "scoped", **files) as client:

            async def read(name: str, query: str = "") -> tuple[int, list[tuple[str, str | None]], bool]:
                headers = {"Authorization": f"Bearer {tokens[name]}"}
                answer = await client.get(f"api/v1/audit?actor=tanaka{query}", headers=headers)
                body = (await answer.json()).get("records", [])
                return answer.status, [(each["action"], each["about"].get("scope")) for each in body], "next" in answer.links

            seen = [("login", None), ("looked_at_contacts", "sales"), ("looked_at_contacts", "sales")]
            assert await read("tokyo") == (200, seen, False)
            assert await read("tokyo", "&limit=3") == (200, seen, False)
            assert await read("tokyo", "&limit=2") == (200, seen[:2], True)
            assert await read("all") == (
                200,
                [("login", None), ("login", None), *(("looked_at_contacts", each.about.scope) for each in looks)],
                False,
            )
            assert (await read("viewer"))[:2] == (403, [])
            assert (await client.get("api/v1/audit")).status == 401

    run(check())


@pytest.mark.kafka
def test_with_kafka_killed_people_are_not_shown_and_figures_are() -> None:
    """Recorded views stay open, nothing else about agents is shown; figures continue, and afterwards agents are shown again."""
    reason = apache.missing()
    require(reason is None, reason or "")
    with apache.cluster() as kafka:

        async def check() -> None:
            await make_audit_topic(kafka.bootstrap, "killed")
            async with served(kafka.bootstrap, "killed") as client:
                assert (await client.get("api/v1/agents")).status == 200
                kafka.kill(1)
                for path, status in {"agents?agent=ann": 503, "audit": 503, "figures": 200, "queues/sales": 200, "agents": 200}.items():
                    began = time.monotonic()
                    answer = await client.get(f"api/v1/{path}")
                    assert (path, answer.status) == (path, status)
                    # The audit is read from Kafka, which is asked for several things.
                    assert time.monotonic() - began < (25 if path == "audit" else 6)
                kafka.start(1)
                async with asyncio.timeout(60):
                    while (await client.get("api/v1/agents?agent=ann")).status != 200:
                        pass
            found = {record.audit_id: record.about.people for record in await recorded_in(kafka.bootstrap, "killed")}
            assert set(found.values()) == {None, 1}

        asyncio.run(asyncio.wait_for(check(), 150))
