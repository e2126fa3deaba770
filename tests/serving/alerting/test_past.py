"""The history of alerts: the events and actions of each, in order, bounded, and only the permitted ones."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from schemas.alert_actions import Acknowledgement, Notification
from schemas.api import AlertHistoryAnswer
from schemas.times import format_ms, parse_time, parse_time_ms
from streams.serving.alerting import past
from streams.serving.alerting.action_log import encoded
from streams.serving.alerting.actions import Actions
from streams.serving.alerting.past import PastAlerts
from streams.serving.reader import Reader
from tests.serving.alerting.center import cleared, fired
from tests.serving.alerting.memory import known_actions
from tests.serving.records import Backend, alert, client_of, small_center
from tests.serving.topics import bootstrap, make, publish, until

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from schemas.alerts import AlertRecord

__all__ = ["bootstrap"]

DAY_MS = 86_400_000


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


def read(*records: tuple[bytes, bytes]) -> PastAlerts:
    """Return what was read of the history."""
    found = PastAlerts()
    found.known = True
    for key, value in records:
        assert found.feed(key, value)
    return found


def message(
    event: str, receiver: str, at: str, *alerts: AlertRecord, step: int = 0, settled: str | None = None, outcome: str = "delivered"
) -> Any:
    """Return a message about alerts, with its outcome or still due."""
    fields: dict[str, Any] = {
        "message_id": f"{event}-{receiver}",
        "receiver": receiver,
        "event": event,
        "step": step,
        "alerts": list(alerts),
    }
    fields |= {"decided_at": parse_time(at), "outcome": outcome if settled else "due"}
    return Notification(**fields, settled_at=None if settled is None else parse_time(settled))


def acknowledged(alert_id: str, at: str) -> Acknowledgement:
    """Return an acknowledgement of an alert."""
    about: dict[str, Any] = {"alert_id": alert_id, "rule": "r", "scope_kind": "queue", "scope": "sales", "channel": "voice"}
    return Acknowledgement(**about, by={"kind": "user", "name": "tanaka"}, at=parse_time(at), note="calling two back")


def clock(time: str) -> str:
    """Return a time of the day of the alerts."""
    return f"2026-04-01T{time}Z"


async def history(client: Any, query: str = "") -> tuple[list[dict[str, Any]], str | None]:
    """Return the alerts of a page, and the query of the next one."""
    answer = await client.get(f"/api/v1/alerts/history{query}")
    assert answer.status == 200
    body = await answer.read()
    AlertHistoryAnswer.model_validate_json(body)
    link = answer.headers.get("Link")
    return (await answer.json())["history"], None if link is None else link.split("<")[1].split(">")[0]


def test_everything_that_happened_is_there_in_order() -> None:
    """Fired, delivered to the floor, escalated to the manager whose message is refused, acknowledged by name, cleared, and notified."""
    actions = known_actions()
    for record in (
        message("fired", "floor", clock("08:55:05"), fired(), settled=clock("08:55:06")),
        message("escalated", "manager", clock("08:56:05"), fired(), step=1, settled=clock("08:56:07"), outcome="refused"),
        acknowledged("id-sales", clock("08:57:00")),
        message("cleared", "floor", clock("09:00:05"), cleared()),
    ):
        assert actions.feed(*encoded(record))

    async def check() -> None:
        serving = Backend.fed(small_center()).serving()
        serving.figures.actions = actions
        serving.figures.past = read(alert(), alert(state="cleared", value=0.85))
        async with client_of(serving) as client:
            ((fields,), following) = await history(client)
        assert following is None
        assert (fields["state"], fields["rule"], fields["value"]) == ("cleared", "low-service-level", 0.85)
        events = [{name: value for name, value in event.items() if value is not None} for event in fields["events"]]
        assert events == [
            {"event": "fired", "at": clock("08:55:00"), "value": 0.62},
            {"event": "delivered", "at": clock("08:55:06.000"), "of": "fired", "receiver": "floor"},
            {"event": "escalated", "at": clock("08:56:05.000"), "receiver": "manager", "step": 1},
            {"event": "refused", "at": clock("08:56:07.000"), "of": "escalated", "receiver": "manager"},
            {
                "event": "acknowledged",
                "at": clock("08:57:00.000"),
                "by": {"kind": "user", "name": "tanaka"},
                "note": "calling two back",
            },
            {"event": "cleared", "at": clock("09:00:00"), "because": "recovered", "value": 0.85},
            {"event": "due", "at": clock("09:00:05.000"), "of": "cleared", "receiver": "floor"},
        ]

    run(check())


def many(number: int) -> list[tuple[bytes, bytes]]:
    """Return alerts, a minute apart, of two rules and queues in turn."""
    found = []
    for n in range(number):
        at = format_ms(parse_time_ms(clock("01:00:00")) + 60_000 * n)
        names = (("sales", "claims")[n % 2], ("low", "long")[n // 2 % 2])
        found.append(alert(f"queue:{names[0]}", alert_id=f"a{n:03}", rule=names[1], since=at, fired_at=at, as_of=at, revision=n + 1))
    return found


def test_it_is_asked_for_by_pages_rules_scopes_and_time() -> None:
    """The last to fire first, each once over all pages; 8 of 25 are of sales and its first rule; what is wrong is refused."""

    async def check() -> None:
        serving = Backend.fed(small_center()).serving()
        serving.figures.past = read(*many(25))
        async with client_of(serving) as client:
            found, query = [], "?limit=10"
            sizes = []
            while query:
                page, following = await history(client, query)
                found += [each["alert_id"] for each in page]
                sizes.append(len(page))
                query = following or ""
            assert sizes == [10, 10, 5]
            assert found == [f"a{n:03}" for n in reversed(range(25))]
            some, _ = await history(client, "?scope=queue:sales&rule=low")
            assert [each["alert_id"] for each in some] == ["a024", "a020", "a016", "a012", "a008", "a004", "a000"]
            late, _ = await history(client, f"?since={clock('01:23:00')}")
            assert [each["alert_id"] for each in late] == ["a024", "a023"]
            for wrong in ("?limit=0", "?limit=1001", "?limit=x", "?since=yesterday", "?cursor=%21"):
                assert (await client.get(f"/api/v1/alerts/history{wrong}")).status == 400

    run(check())


def test_before_it_is_read_it_is_null() -> None:
    """An empty history would mean that nothing ever fired."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            assert (await (await client.get("/api/v1/alerts/history")).json())["history"] is None

    run(check())


def test_only_the_newest_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 25 with room for 10 the last 10."""
    monkeypatch.setattr(past, "MOST_ALERTS", 10)
    held = read(*many(25))

    assert [each.key for each in held.entries()] == [f"a{n:03}" for n in range(15, 25)]


def test_what_was_done_is_kept_for_a_week_and_bounded() -> None:
    """Of alerts that are over: seven days; of those that fire for as long as they do; of more than 5,000 the newest."""
    now = parse_time_ms(clock("09:00:00"))
    actions = Actions()
    old, new = format_ms(now - 7 * DAY_MS), format_ms(now - 7 * DAY_MS + 1)
    for record in (
        acknowledged("old", old),
        acknowledged("new", new),
        acknowledged("fires", old),
        message("fired", "floor", old, fired(alert_id="old"), settled=old),
        message("fired", "manager", new, fired(alert_id="new"), settled=new),
        message("fired", "head", old, fired(alert_id="old")),
    ):
        assert actions.feed(*encoded(record))
    assert sorted(actions.expired(["fires"], now)) == ["acknowledged|old", "notification|fired-floor"]

    for n in range(5010):
        actions.feed(*encoded(acknowledged(f"n{n}", format_ms(now - 60_000 + n))))
    gone = actions.expired(["fires"], now)
    assert len(gone) == 2 + 2 + 10  # and the two that were new, which are the oldest now
    assert {f"acknowledged|n{n}" for n in range(10)} <= set(gone)


@pytest.mark.embedded
def test_it_is_read_from_the_topic(bootstrap: str) -> None:
    """What fired before the server started, and what clears while it runs."""

    async def check() -> None:
        name = past.history_topic("past")
        await make(bootstrap, name)
        await publish(bootstrap, name, [alert(), alert("queue:claims")])
        held = PastAlerts()
        reader = Reader(held, bootstrap=bootstrap, topic_name=name)
        task = asyncio.create_task(reader.run())
        try:
            await until(lambda: held.known and len(held.entries()) == 2)
            await publish(bootstrap, name, [alert(state="cleared", value=0.9)])
            await until(lambda: {each.key: each.record.state for each in held.entries()}["id-sales"] == "cleared")
            sales = next(each for each in held.entries() if each.key == "id-sales")
            assert sales.fired is not None
            assert (sales.fired.value, sales.record.value) == (0.62, 0.9)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(check())
