"""All that may be done on a running server, its gateway and by commands: exactly that is on record, and nothing that must not be."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml

from streams.demo.broker import EmbeddedBroker
from streams.listening.tokens import TOKEN_FORM, hash_of, new_token
from streams.serving.agents import agents_topic
from streams.serving.login.passwords import hashed
from streams.serving.reader import latest_topic
from streams.worker import create_topics
from tests.serving.audit.topics import raw_records, recorded_in
from tests.serving.records import small_center
from tests.serving.test_agents import outputs_of, stage
from tests.serving.topics import publish
from tests.support.require import require_embedded_broker
from tests.support.services import Services, until

if TYPE_CHECKING:
    from schemas.audit import AuditRecord

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[3]
PREFIX = "everything"
PASSWORD, TYPED_AS_NAME = "seven blue herons", "eight green herons"
TOKENS = {role: new_token(TOKEN_FORM) for role in ("viewer", "supervisor", "auditor")}
SENDERS = {name: new_token("cst_") for name in ("first", "second")}
STRANGE = new_token(TOKEN_FORM)


def test_exactly_what_was_done_is_on_record(tmp_path: Path) -> None:
    """Logins, refusals, looks, an export, changed files, an order: one record each, in order; no token, password, cookie or person."""
    require_embedded_broker()
    center, access, senders = (tmp_path / name for name in ("center.yaml", "access.yaml", "senders.yaml"))
    written(center, {"default_zone": "UTC"})
    written(access, access_file())
    written(senders, senders_file("first"))
    with EmbeddedBroker() as broker, Services(tmp_path, broker.bootstrap_servers, PREFIX, center) as services:
        asyncio.run(asyncio.wait_for(do_it(services, broker.bootstrap_servers, center, access, senders), 150))


def written(file: Path, content: dict[str, Any]) -> None:
    """Write a file, another one if there is one."""
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def access_file(**more: Any) -> dict[str, Any]:
    """Return an access file with a token for each role, and a person."""
    tokens = {f"{role}-program": {"hashes": [hash_of(token)], "roles": [{"role": role}]} for role, token in TOKENS.items()}
    return {"tokens": tokens, "users": {"yuki": {"password": hashed(PASSWORD), "roles": [{"role": "viewer"}]}}, **more}


def senders_file(name: str) -> dict[str, Any]:
    """Return a senders file with one sender."""
    return {"senders": {name: {"tokens": [{"name": "one", "hash": hash_of(SENDERS[name])}]}}}


async def do_it(services: Services, bootstrap: str, center: Path, access: Path, senders: Path) -> None:
    """Do everything, and look what is on record."""
    await create_topics(bootstrap, PREFIX)
    await publish(bootstrap, latest_topic(PREFIX), small_center())
    people = [(each.key or b"", each.value) for each in outputs_of(stage(permitted=True)) if each.topic == "agent-metrics-latest"]
    await publish(bootstrap, agents_topic(PREFIX), people)
    services.run("serve", "--agents", "--access", str(access))
    services.run("gateway", "--senders", str(senders))
    await services.ready("serve", "gateway")
    cookies = await as_people(services.addresses["serve"])
    await as_programs(services.addresses["serve"])

    async def changed(file: Path, content: dict[str, Any]) -> None:
        written(file, content)
        name = file.name

        async def is_on_record() -> bool:
            return any(record.about.file == name for record in await recorded_in(bootstrap, PREFIX))

        await until(is_on_record, 30)

    await changed(senders, senders_file("second"))
    await changed(center, {"default_zone": "Asia/Tokyo"})
    await changed(access, access_file(smallest_group=6))
    command = [sys.executable, "-m", "streams", "progress", "reset", "--yes", "--why", "a test"]
    command += ["--bootstrap", bootstrap, "--prefix", PREFIX]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, check=False, stdin=subprocess.DEVNULL, text=True)
    assert (done.returncode, "not in the audit" in done.stderr) == (0, False), done.stderr

    api = services.addresses["serve"] + "/api/v1/audit"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKENS['auditor']}"}) as session, session.get(api) as answer:
        assert answer.status == 200
        seen = (await answer.json())["records"]
    assert services.terminate("serve") == 0  # what it has in hand it writes
    records = await recorded_in(bootstrap, PREFIX)
    assert [fields_of(record) for record in records] == [
        ("login_refused", "refused", "user:yuki", "POST /login", "wrong"),
        ("login_refused", "refused", "anyone:", "POST /login", "wrong"),
        ("login", "done", "user:yuki", "POST /login", None),
        ("denied", "refused", "user:yuki", "GET /api/v1/agents", None),
        ("logout", "done", "user:yuki", "POST /logout", None),
        ("denied", "refused", "anyone:", "GET /api/v1/figures", "what the request carries proves nothing"),
        ("denied", "refused", "token:viewer-program", "GET /api/v1/agents", None),
        ("denied", "refused", "token:supervisor-program", "GET /api/v1/audit", None),
        ("looked_at_agents", "done", "token:supervisor-program", "GET /api/v1/agents", None),
        ("looked_at_agents", "done", "token:supervisor-program", "GET /api/v1/export", None),
        ("exported", "done", "token:supervisor-program", "GET /api/v1/export", None),
        ("senders_changed", "done", "process:gateway", None, None),
        ("configuration_changed", "done", "process:serve", None, None),
        ("access_changed", "done", "process:serve", None, None),
        ("progress_reset", "ordered", f"account:{owner()}", None, "a test"),
        ("audit_read", "done", "token:auditor-program", "GET /api/v1/audit", None),
        # Of the repeats: the viewer's program tried three times.
        ("denied", "refused", "token:viewer-program", "GET /api/v1/agents", None),
    ]
    assert [each["audit_id"] for each in seen] == [each.audit_id for each in records[:15]]
    assert [each.times for each in records] == [*[1] * 16, 2]
    assert {each.client_address for each in records if each.about.endpoint is not None} == {"127.0.0.1"}
    files = [each.about for each in records if each.action.endswith("_changed")]
    assert [each.file for each in files] == ["senders.yaml", "center.yaml", "access.yaml"]
    assert all(each.hash_before and each.hash_after and each.hash_before != each.hash_after for each in files)

    topic = b"".join((key or b"") + (value or b"") for key, value in await raw_records(bootstrap, PREFIX)).decode()
    secrets = [*TOKENS.values(), *SENDERS.values(), STRANGE, PASSWORD, TYPED_AS_NAME, *cookies]
    secrets += [hash_of(each) for each in (*TOKENS.values(), *SENDERS.values(), STRANGE)]
    assert len(cookies) >= 2
    assert [each for each in secrets if each in topic or each[4:30] in topic] == []
    assert "ann" not in topic.lower()


async def as_people(address: str) -> list[str]:
    """Log in wrongly, by what may be a password, rightly, look at what is not permitted, and log out; return the cookies."""
    async with aiohttp.ClientSession(address, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:

        async def enter(name: str, password: str) -> int:
            headers = {"Origin": address}
            async with client.post("/login", data={"name": name, "password": password}, headers=headers, allow_redirects=False) as answer:
                return answer.status

        assert await enter("yuki", "not the password") == 403
        assert await enter(TYPED_AS_NAME, "yuki") == 403
        assert await enter("yuki", PASSWORD) == 303
        cookies = [each.value for each in client.cookie_jar]
        for path, status in {"figures": 200, "agents": 403}.items():
            async with client.get(f"/api/v1/{path}") as answer:
                assert answer.status == status
        async with client.post("/logout", headers={"Origin": address}) as answer:
            assert answer.status == 200
        return cookies


async def as_programs(address: str) -> None:
    """Ask with a token that is none, with one that permits too little, and with one that permits."""
    async with aiohttp.ClientSession(address) as client:

        async def ask(token: str, path: str) -> tuple[int, str]:
            async with client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}) as answer:
                return answer.status, await answer.text()

        assert (await ask(STRANGE, "figures"))[0] == 401
        for _ in range(3):
            assert (await ask(TOKENS["viewer"], "agents"))[0] == 403
        assert (await ask(TOKENS["supervisor"], "audit"))[0] == 403
        status, text = await ask(TOKENS["supervisor"], "agents?agent=ann")
        assert (status, '"ann"' in text) == (200, True)
        assert (await ask(TOKENS["supervisor"], "export?scope_kind=agent"))[0] == 200


def fields_of(record: AuditRecord) -> tuple[str, str, str, str | None, str | None]:
    """Return what is compared of a record."""
    actor = record.actor
    return record.action, record.outcome, f"{actor.kind}:{actor.name or ''}", record.about.endpoint, record.reason


def owner() -> str:
    """Return the system's account that runs the tests."""
    return subprocess.check_output(["id", "-un"], text=True).strip()
