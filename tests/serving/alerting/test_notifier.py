"""Notification of alerts from real topics: by one of many servers, in order, and by the next one when a server is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.times import from_ms
from schemas.topics import topic
from streams.configuration.alerts import AlertRule
from streams.serving.alerting.actions import actions_topic
from streams.serving.alerting.expectations import Outlook
from streams.serving.alerting.messages import message_of
from streams.serving.alerting.notifier import Notifier
from tests.serving.alerting.center import FakeSystem, alerting
from tests.serving.records import alert
from tests.serving.topics import bootstrap, make, publish, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from streams.configuration.alerting import Alerting

__all__ = ["bootstrap"]

QUICK = (0.05, 0.2)


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for two minutes at most."""
    asyncio.run(asyncio.wait_for(check, 120))


def history(prefix: str) -> str:
    """Return the name of the topic of alerts."""
    return topic("alerts.v1").full_name(prefix)


def soon(**changes: Any) -> Alerting:
    """Return a configuration in which the manager is notified after a second."""
    routes = [{"receivers": ["floor"], "escalation": [{"escalate_after_seconds": 1, "receivers": ["manager"]}]}]
    return alerting(**{"group_seconds": 0, "routes": routes, **changes})


def notifier(bootstrap: str, prefix: str, addresses: dict[str, str], configured: Alerting | None = None, **changes: Any) -> Notifier:
    """Return a notifier that does not wait long."""
    held = configured or soon()
    environment = {f"{name.upper()}_URL": url for name, url in addresses.items()}
    return Notifier(
        bootstrap=bootstrap,
        topic_prefix=prefix,
        alerting=lambda: held,
        compose=lambda notification: message_of(notification, lambda each: each, ZoneInfo("Asia/Tokyo"), "https://board.example.com"),
        environment=environment,
        pauses_seconds=QUICK,
        session_seconds=6,
        **changes,
    )


@contextlib.asynccontextmanager
async def running(*notifiers: Notifier) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run notifiers."""
    tasks = [asyncio.create_task(each.run()) for each in notifiers]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def written(bootstrap: str, prefix: str) -> list[dict[str, Any]]:
    """Return all notifications in the topic of actions, as they were written."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        place = TopicPartition(actions_topic(prefix), 0)
        consumer.assign([place])
        end, found = (await consumer.end_offsets([place]))[place], list[dict[str, Any]]()
        while await consumer.position(place) < end:
            records = (await consumer.getmany(place, timeout_ms=200)).get(place, [])
            found += [orjson.loads(record.value) for record in records if record.key.startswith(b"notification|") and record.value]
        return found
    finally:
        await consumer.stop()


async def begun(bootstrap: str, prefix: str) -> None:
    """Wait until someone leads: how far each partition of the history is taken in is written."""
    name = actions_topic(prefix)
    async with asyncio.timeout(30):
        while True:
            consumer = AIOKafkaConsumer(name, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
            await consumer.start()
            try:
                batches = await consumer.getmany(timeout_ms=500)
            finally:
                await consumer.stop()
            keys = {record.key for records in batches.values() for record in records}
            if sum(key.startswith(b"progress|") for key in keys) == topic("alerts.v1").partitions:
                return


async def prepared(bootstrap: str, prefix: str) -> None:
    """Make both topics."""
    await make(bootstrap, history(prefix))
    await make(bootstrap, actions_topic(prefix))


def summary(found: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return event, receiver and outcome of what was written."""
    return [(each["event"], each["receiver"], each["outcome"]) for each in found]


@pytest.mark.embedded
def test_fired_escalated_and_cleared_each_once(bootstrap: str) -> None:
    """Earlier alerts are skipped; then the floor is notified, the manager after a second, both that it cleared; each message once."""

    async def check() -> None:
        await prepared(bootstrap, "all")
        await publish(bootstrap, history("all"), [alert("queue:old")])
        async with FakeSystem().listening() as floor, FakeSystem().listening() as manager:
            leader = notifier(bootstrap, "all", {"floor": floor.url, "manager": manager.url})
            async with running(leader):
                await begun(bootstrap, "all")
                await publish(bootstrap, history("all"), [alert()])
                await until(lambda: len(manager.requests) == 1)
                await publish(bootstrap, history("all"), [alert(state="cleared")])
                await until(lambda: len(manager.requests) == 2 and len(floor.requests) == 2)
                await asyncio.sleep(1)
            assert [body["event"] for _, _, body in floor.requests] == ["fired", "cleared"]
            assert [body["event"] for _, _, body in manager.requests] == ["escalated", "cleared"]
            body = floor.requests[0][2]
            assert body["alerts"][0]["alert_id"] == "id-sales"
            assert body["board_url"] == "https://board.example.com/?queue=sales"
            assert "62.0 %" in body["text_en"]
            assert body["message_id"] == floor.keys[0]
            found = await written(bootstrap, "all")
        assert set(Counter((each["message_id"], each["outcome"]) for each in found).values()) == {1}
        assert sorted(each for each in summary(found) if each[2] == "delivered") == [
            ("cleared", "floor", "delivered"),
            ("cleared", "manager", "delivered"),
            ("escalated", "manager", "delivered"),
            ("fired", "floor", "delivered"),
        ]

    run(check())


@pytest.mark.embedded
def test_acknowledged_at_another_server_it_is_not_escalated(bootstrap: str) -> None:
    """A record that any server writes into the topic stops the leader."""

    async def check() -> None:
        await prepared(bootstrap, "ack")
        slow = soon(routes=[{"receivers": ["floor"], "escalation": [{"escalate_after_seconds": 3, "receivers": ["manager"]}]}])
        async with FakeSystem().listening() as floor, FakeSystem().listening() as manager:
            async with running(notifier(bootstrap, "ack", {"floor": floor.url, "manager": manager.url}, slow)):
                await begun(bootstrap, "ack")
                await publish(bootstrap, history("ack"), [alert(), alert("queue:claims")])
                await until(lambda: len(floor.requests) >= 1)
                who = {"by": {"kind": "user", "name": "tanaka"}, "at": "2026-04-01T09:00:00.000Z"}
                about = {"alert_id": "id-sales", "rule": "r", "scope_kind": "queue", "scope": "sales", "channel": "voice"}
                record = orjson.dumps({"kind": "acknowledged", **about, **who})
                await publish(bootstrap, actions_topic("ack"), [(b"acknowledged|id-sales", record)], partition=0)
                await until(lambda: len(manager.requests) >= 1)
                await asyncio.sleep(3)
            ids = {each["alert_id"] for _, _, body in manager.requests for each in body["alerts"]}
            assert ids == {"id-claims"}

    run(check())


@pytest.mark.embedded
def test_a_receiver_that_is_down_holds_up_no_other_and_loses_nothing(bootstrap: str) -> None:
    """500 and no connection are retried under the same key, 400 is dropped; other receivers are notified meanwhile."""

    async def check() -> None:
        await prepared(bootstrap, "down")
        both = soon(routes=[{"receivers": ["floor", "manager", "head"]}])
        floor = FakeSystem(answers=[500, 503])
        async with FakeSystem().listening() as manager, FakeSystem(answers=[400]).listening() as head:
            leader = notifier(bootstrap, "down", {"floor": floor.url, "manager": manager.url, "head": head.url}, both)
            async with running(leader):
                await begun(bootstrap, "down")
                await publish(bootstrap, history("down"), [alert()])
                await until(lambda: len(manager.requests) == 1 and len(head.requests) == 1)
                async with floor.listening():
                    await until(lambda: len(floor.requests) == 3)
                    await until(lambda: leader.deliveries.attempts["delivered"] == 2)
                await asyncio.sleep(1)
            assert len(set(floor.keys)) == 1
            assert leader.deliveries.attempts["refused"] == 1
            assert sorted(each for each in summary(await written(bootstrap, "down")) if each[2] != "due") == [
                ("fired", "floor", "delivered"),
                ("fired", "head", "refused"),
                ("fired", "manager", "delivered"),
            ]

    run(check())


@pytest.mark.embedded
def test_the_next_server_continues_where_one_was_cut_off(bootstrap: str) -> None:
    """A leader that is cut off after it sent and before it wrote that down: the next sends the same message again, under the same key."""

    async def check() -> None:
        await prepared(bootstrap, "next")
        async with FakeSystem().listening() as floor, FakeSystem().listening() as manager:
            addresses = {"floor": floor.url, "manager": manager.url}
            first, second = (notifier(bootstrap, "next", addresses) for _ in range(2))
            async with running(first):
                await begun(bootstrap, "next")
                floor.answers = [500] * 1000
                await publish(bootstrap, history("next"), [alert()])
                await until(lambda: len(floor.requests) >= 2)
            floor.answers = []
            async with running(second):
                async with asyncio.timeout(30):
                    while len(found := await written(bootstrap, "next")) < 4:  # noqa: ASYNC110 - asks over Kafka
                        await asyncio.sleep(0.1)
            assert len(set(floor.keys)) == 1
            assert len(set(manager.keys)) == 1
        assert sorted(summary(found)) == [
            ("escalated", "manager", "delivered"),
            ("escalated", "manager", "due"),
            ("fired", "floor", "delivered"),
            ("fired", "floor", "due"),
        ]

    run(check())


@pytest.mark.embedded
def test_an_expected_breach_fires_and_clears_once_under_any_leader(bootstrap: str) -> None:
    """Expected below, the floor is notified once, though the leader is cut off; and that it cleared, by the next, under the same id."""
    rules = {"soon": AlertRule.model_validate({"expected_within_minutes": 30, "below": 0.8, "for_seconds": 0, "clear_for_seconds": 0})}
    level = [0.6]

    async def expects() -> Outlook:
        start = from_ms(int(time.time() * 1000) + 600_000).isoformat()
        interval = {"start": start, "contacts": 20.0, "service_level": level[0]}
        queue = {"queue": "sales", "channel": "voice", "target": None, "intervals": [interval]}
        return Outlook(int(time.time() * 1000), [queue], rules)

    async def check() -> None:
        await prepared(bootstrap, "soon")
        quiet = soon(routes=[{"receivers": ["floor"]}])
        async with FakeSystem().listening() as floor:
            options = {"expects": expects, "has_rules": lambda: True}
            first, second = (notifier(bootstrap, "soon", {"floor": floor.url}, quiet, **options) for _ in range(2))
            async with running(first):
                await until(lambda: len(floor.requests) == 1, seconds=40)
            level[0] = 0.9
            async with running(second):
                await until(lambda: len(floor.requests) >= 2, seconds=40)
                await asyncio.sleep(1)
        bodies = [body for _, _, body in floor.requests]
        events = [body["event"] for body in bodies]
        assert (sorted(set(events)), events[-1]) == (["cleared", "fired"], "cleared")
        assert len(set(floor.keys)) == 2
        assert len({each["alert_id"] for body in bodies for each in body["alerts"]}) == 1
        assert "service level 60.0 %, below 80.0 %, expected for " in bodies[0]["text_en"]

    run(check())


@pytest.mark.embedded
def test_of_two_servers_one_sends(bootstrap: str) -> None:
    """Both run; each message is sent once; when the leader ends, the other continues."""

    async def check() -> None:
        await prepared(bootstrap, "two")
        quiet = soon(routes=[{"receivers": ["floor"]}])
        async with FakeSystem().listening() as floor:
            both = [notifier(bootstrap, "two", {"floor": floor.url}, quiet) for _ in range(2)]
            async with running(*both) as tasks:
                await begun(bootstrap, "two")
                for number in range(5):
                    await publish(bootstrap, history("two"), [alert(f"queue:q{number}")])
                await until(lambda: len({each["alert_id"] for _, _, body in floor.requests for each in body["alerts"]}) == 5)
                leading = max(range(2), key=lambda number: both[number].deliveries.attempts["delivered"])
                assert both[1 - leading].deliveries.attempts["delivered"] == 0
                tasks[leading].cancel()
                await publish(bootstrap, history("two"), [alert("queue:later")])
                await until(lambda: "later" in {each["scope"] for _, _, body in floor.requests for each in body["alerts"]}, seconds=40)
            # What was being sent when its server ended is sent once more, with its key.
            by_key = {key: {each["scope"] for each in body["alerts"]} for key, (_, _, body) in zip(floor.keys, floor.requests, strict=True)}
            scopes = sorted(scope for each in by_key.values() for scope in each)
            assert scopes == ["later", "q0", "q1", "q2", "q3", "q4"]
            assert len(floor.keys) - len(by_key) <= 1

    run(check())
