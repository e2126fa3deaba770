"""The audit on a real broker: in the topic once acknowledged, in order, withdrawn without an answer, dropped and logged when full."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.audit import ActorKind, AuditObject, encode_audit
from schemas.times import to_ms
from streams.serving.audit import NotRecordedError
from streams.serving.audit.log import AuditLog, Wanted
from streams.serving.audit.writer import audit_topic
from tests.serving.audit.topics import auditing, make_audit_topic, raw_records, recorded_in
from tests.serving.topics import bootstrap, until
from tests.support import kafka as apache
from tests.support.require import require

if TYPE_CHECKING:
    from schemas.audit import AuditRecord

__all__ = ["bootstrap"]


class FakePrincipal(NamedTuple):
    """A principal as the audit sees it."""

    name: str
    kind: ActorKind = "user"


ANNA, BEN = FakePrincipal("anna"), FakePrincipal("ben", "token")
AGENTS = AuditObject(endpoint="GET /api/v1/agents")


def run(check: Any) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


def fields_of(records: list[AuditRecord]) -> list[tuple[str, str, str | None, int]]:
    """Return what tests compare of records."""
    return [(record.action, record.outcome, record.actor.name, record.times) for record in records]


@pytest.mark.embedded
def test_a_recorded_action_is_in_the_topic_when_the_call_returns(bootstrap: str) -> None:
    """In order and under the key of its actor; what waits returns only once Kafka has it and all before it."""

    async def check() -> None:
        await make_audit_topic(bootstrap, "landed")
        async with auditing(bootstrap, "landed") as auditor:
            auditor.record("login", principal=ANNA)
            auditor.record("login_refused", "refused", reason="wrong_password")
            await auditor.recorded("looked_at_agents", principal=BEN, about=AGENTS)
            found = await recorded_in(bootstrap, "landed")

        assert fields_of(found) == [
            ("login", "done", "anna", 1),
            ("login_refused", "refused", None, 1),
            ("looked_at_agents", "done", "ben", 1),
        ]
        assert [key for key, _ in await raw_records(bootstrap, "landed")] == [b"user:anna", b"anyone:", b"token:ben"]
        assert auditor.writer.results == {"written": 3, "dropped": 0, "withdrawn": 0}

    run(check())


@pytest.mark.embedded
def test_a_page_that_asks_again_and_again_is_recorded_once_in_ten_minutes(bootstrap: str) -> None:
    """Forty looks of two accounts at the same are two records, and two more ten minutes later; each export is one."""

    async def check() -> None:
        await make_audit_topic(bootstrap, "again")
        now = [0.0]
        async with auditing(bootstrap, "again", monotonic=lambda: now[0]) as auditor:
            for at in (0.0, 599.0, 600.5):
                now[0] = at
                looks = [auditor.recorded("looked_at_agents", principal=who, about=AGENTS) for who in (ANNA, BEN) for _ in range(20)]
                await asyncio.gather(*looks)
            await auditor.recorded("exported", principal=ANNA)
            await auditor.recorded("exported", principal=ANNA)

        assert fields_of(await recorded_in(bootstrap, "again")) == [
            ("looked_at_agents", "done", "anna", 1),
            ("looked_at_agents", "done", "ben", 1),
            ("looked_at_agents", "done", "anna", 1),
            ("looked_at_agents", "done", "ben", 1),
            ("exported", "done", "anna", 1),
            ("exported", "done", "anna", 1),
        ]

    run(check())


@pytest.mark.embedded
def test_the_first_refusal_is_recorded_at_once_and_their_number_at_the_end(bootstrap: str) -> None:
    """A thousand denials of one client are two records that add up to a thousand."""

    async def check() -> None:
        await make_audit_topic(bootstrap, "flood")
        async with auditing(bootstrap, "flood") as auditor:
            for _ in range(1000):
                auditor.record("denied", "refused", principal=ANNA, about=AGENTS)

        assert [record.times for record in await recorded_in(bootstrap, "flood")] == [1, 999]

    run(check())


@pytest.mark.embedded
def test_without_the_topic_nothing_personal_is_shown_and_nothing_else_is_lost(bootstrap: str) -> None:
    """A look ends in seconds as not recorded, and leaves no record; a login waits for the topic, which is not made here."""

    async def check() -> None:
        async with auditing(bootstrap, "missing", acknowledged_within_seconds=0.3) as auditor:
            auditor.record("login", principal=ANNA)
            began = time.monotonic()
            with pytest.raises(NotRecordedError):
                await auditor.recorded("looked_at_agents", principal=ANNA, about=AGENTS)
            assert time.monotonic() - began < 2
            admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
            await admin.start()
            assert audit_topic("missing") not in await admin.list_topics()
            await admin.close()

            await make_audit_topic(bootstrap, "missing")
            await until(lambda: auditor.writer.results["written"] == 1, seconds=20)
            await auditor.recorded("looked_at_agents", principal=BEN, about=AGENTS)

        assert fields_of(await recorded_in(bootstrap, "missing")) == [("login", "done", "anna", 1), ("looked_at_agents", "done", "ben", 1)]
        assert auditor.writer.results == {"written": 2, "dropped": 0, "withdrawn": 1}

    run(check())


@pytest.mark.embedded
def test_the_buffer_is_bounded_and_drops_are_logged(bootstrap: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without Kafka five records of twelve are kept; a view finds no room and is not recorded; this is logged once."""

    async def check() -> None:
        async with auditing(bootstrap, "full", capacity=5) as auditor:
            for _ in range(12):
                auditor.record("login", principal=ANNA)
            with pytest.raises(NotRecordedError):
                await auditor.recorded("looked_at_agents", principal=ANNA)
            assert auditor.writer.results["dropped"] == 8
            metrics = {sample.name: sample.value for family in auditor.collect() for sample in family.samples}
            assert metrics["contact_center_audit_records_waiting"] == 5

    with caplog.at_level(logging.ERROR, "streams.serving.audit.writer"):
        run(check())
    assert [record.levelname for record in caplog.records if "are dropped" in record.message] == ["ERROR"]


@pytest.mark.embedded
def test_the_log_is_read_in_pages_by_time_actor_and_action(bootstrap: str) -> None:
    """Pages end where the next begins; repeats and hidden scopes are left out; unreadable records are counted."""

    async def check() -> None:
        await make_audit_topic(bootstrap, "pages")
        now = [time.time() - 100]
        async with auditing(bootstrap, "pages", clock=lambda: now[0]) as auditor:
            for number in range(25):
                now[0] += 1
                auditor.record("login" if number % 2 else "exported", principal=ANNA if number % 5 else BEN)
            auditor.record("looked_at_contacts", principal=ANNA, about=AuditObject(scope_kind="queue", scope="billing"))
            auditor.record("looked_at_contacts", principal=ANNA, about=AuditObject(scope_kind="queue", scope="claims"))
        written = await recorded_in(bootstrap, "pages")
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        await producer.send_and_wait(audit_topic("pages"), b'{"action":"of another version"}', partition=0)
        key, value = encode_audit(written[3])
        await producer.send_and_wait(audit_topic("pages"), value, key=key, partition=0)
        await producer.stop()

        async def pages(wanted: Wanted, limit: int, most: int = 1000) -> list[list[AuditRecord]]:
            found, offset, log = [], None, AuditLog(bootstrap, "pages")
            while True:
                page = await log.page(wanted, offset=offset, limit=limit, most=most)
                found.append(page.records)
                offset = page.next_offset
                if offset is None:
                    assert log.unreadable == 1
                    return found

        async def all_of(wanted: Wanted, limit: int, most: int = 1000) -> list[AuditRecord]:
            return [record for page in await pages(wanted, limit, most) for record in page]

        everything = await pages(Wanted(), 10)
        assert [len(page) for page in everything] == [10, 10, 7]
        assert [record for page in everything for record in page] == written
        assert await all_of(Wanted(), 10, most=4) == written
        assert await all_of(Wanted(actors={"token:ben"}), 10) == [each for each in written if each.actor.name == "ben"]
        assert await all_of(Wanted(actions={"login"}), 5) == [each for each in written if each.action == "login"]
        since, until_ms = to_ms(written[5].at), to_ms(written[9].at)
        assert await all_of(Wanted(since_ms=since, until_ms=until_ms), 100) == written[5:9]
        seen = await all_of(Wanted(sees=lambda record: record.about.scope in {None, "claims"}), 100)
        assert seen == [each for each in written if each.about.scope != "billing"]

    run(check())


@pytest.mark.kafka
def test_a_killed_kafka_shows_nothing_personal_and_loses_no_record() -> None:
    """While Kafka is dead looks are refused in seconds; once it is back every record waiting is there, each once."""
    reason = apache.missing()
    require(reason is None, reason or "")
    with apache.cluster() as kafka:

        async def check() -> None:
            await make_audit_topic(kafka.bootstrap, "killed")
            async with auditing(kafka.bootstrap, "killed", acknowledged_within_seconds=1.0) as auditor:
                await auditor.recorded("looked_at_agents", principal=ANNA, about=AGENTS)
                kafka.kill(1)
                for number in range(50):
                    auditor.record("login", principal=FakePrincipal(f"user-{number}"))
                await asyncio.sleep(0.5)
                for who in (BEN, ANNA):
                    with pytest.raises(NotRecordedError):
                        await auditor.recorded("exported", principal=who)
                kafka.start(1)
                await until(lambda: auditor.writer.results["written"] == 51, seconds=60)
                await auditor.recorded("exported", principal=ANNA)
            found = await recorded_in(kafka.bootstrap, "killed")
            # A record may have been written twice where Kafka died before its acknowledgement: readers know it by its id.
            names = list(dict.fromkeys((record.audit_id, record.action, record.actor.name) for record in found))
            assert [name[1:] for name in names] == [
                ("looked_at_agents", "anna"),
                *(("login", f"user-{number}") for number in range(50)),
                ("exported", "anna"),
            ]

        asyncio.run(asyncio.wait_for(check(), 150))
