"""Acknowledgements and silences over HTTP: stored, shown with alerts, bounded, seen and set only with the right, and expiring."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.audit import Actor
from schemas.times import format_ms
from streams.serving.alerting.action_log import KafkaActionLog
from streams.serving.alerting.action_records import too_many_silences
from streams.serving.alerting.actions import Actions, actions_topic
from streams.serving.api import create_app
from streams.serving.door import Door
from streams.serving.events import Feed
from streams.serving.reader import Reader
from tests.serving.alerting.memory import MemoryActionLog, known_actions
from tests.serving.records import Backend, alert, client_of, small_center
from tests.serving.test_door import NEW, OLD, Held, bearing, token
from tests.serving.topics import bootstrap, make, until

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from streams.serving.api import Serving

__all__ = ["bootstrap"]

ALERT = "/api/v1/alerts/id-sales/acknowledgement"
HOUR_MS = 3_600_000


def center() -> tuple[Backend, Serving, MemoryActionLog]:
    """Return a center with two alerts that fire and one that has cleared."""
    backend = Backend.fed(small_center()).with_alerts(alert(), alert("queue:claims", "mail"), alert("queue:over", state="cleared"))
    actions = known_actions()
    actions.concerns = backend.alerts.resend
    log = MemoryActionLog(actions)
    serving = backend.serving(action_log=log)
    serving.figures.actions = actions
    return backend, serving, log


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


def later(backend: Backend, ms: int = HOUR_MS) -> str:
    """Return a future time of the backend's clock."""
    return format_ms(int(backend.clock() * 1000) + ms)


async def shown(client: Any) -> dict[str, Any]:
    """Return the alerts by the name of their scope."""
    return {each["scope"]: each for each in (await (await client.get("/api/v1/alerts")).json())["alerts"]}


def test_an_acknowledgement_is_shown_with_its_alert_and_the_first_stays() -> None:
    """User, time and note are in the API and the event stream; a second one changes nothing; other alerts have none."""

    async def check() -> None:
        _, serving, log = center()
        feed = Feed(serving.figures)
        version, _ = feed.alerts(None)
        async with client_of(serving) as client:
            answer = await client.post(ALERT, json={"note": "calling two back"})
            assert answer.status == 200
            first = await answer.json()
            again = await client.post(ALERT)
            assert await again.json() == first
            alerts = await shown(client)
        acknowledged = {"by": {"kind": "anyone", "name": None}, "at": "2026-04-01T09:00:01.000Z", "note": "calling two back"}
        assert alerts["sales"]["acknowledged"] == acknowledged
        assert alerts["sales"]["value"] == 0.62
        assert "acknowledged" not in alerts["claims"]
        assert "acknowledged" not in alerts["over"]
        assert log.written == [("acknowledged|id-sales", False)]
        _, event = feed.alerts(version)
        sent = orjson.loads(event.split(b"data: ")[1])
        assert [each["acknowledged"] for each in sent["firing"].values()] == [acknowledged]

    run(check())


def test_an_acknowledgement_ends_with_its_alert() -> None:
    """Once it cleared, the same rule's next alert has none; it is kept for a week, and the next action deletes it from the topic."""

    async def check() -> None:
        backend, serving, log = center()
        async with client_of(serving) as client:
            assert (await client.post(ALERT)).status == 200
            backend.alerts.feed(*alert(state="cleared"))
            assert "acknowledged" not in (await shown(client))["sales"]
            assert (await client.post(ALERT)).status == 404
            backend.alerts.feed(*alert(alert_id="id-sales-2", revision=9))
            assert "acknowledged" not in (await shown(client))["sales"]
            assert (await client.post("/api/v1/alerts/id-claims/acknowledgement")).status == 200
            assert log.written[1:] == [("acknowledged|id-claims", False)]
            backend.clock.seconds += 7 * 24 * 3600
            assert (await client.post("/api/v1/alerts/id-sales-2/acknowledgement")).status == 200
        assert log.written[2:] == [("acknowledged|id-sales", True), ("acknowledged|id-sales-2", False)]

    run(check())


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"rule": "low-service-level", "scope": "queue:sales", "reason": "drill"}, 400, "until"),
        ({"until": "soon", "rule": "r", "reason": "drill"}, 400, "RFC 3339"),
        ({"until": 0, "reason": "drill"}, 400, "name the alerts"),
        ({"until": -1, "rule": "r", "reason": "drill"}, 400, "a future time"),
        ({"until": 31 * 24 * HOUR_MS, "rule": "r", "reason": "drill"}, 400, "30 days"),
        ({"until": HOUR_MS, "rule": "r", "reason": ""}, 400, "reason"),
        ({"until": HOUR_MS, "rule": "r", "reason": "x" * 301}, 400, "reason"),
        ({"until": HOUR_MS, "scope": "sales", "reason": "x"}, 400, "scope"),
        ({"until": HOUR_MS, "rule": "r", "reason": "x", "rules": "r"}, 400, "rules"),
        ({"until": HOUR_MS, "rule": "r", "reason": "x" * 20_000}, 413, "16384"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(body: dict[str, Any], status: int, detail: str) -> None:
    """What is missing, too long, over, or about everything at once is named, and nothing is kept."""

    async def check() -> None:
        backend, serving, log = center()
        until_ms = body.get("until")
        sent = {**body, "until": later(backend, until_ms or HOUR_MS)} if isinstance(until_ms, int) else body
        async with client_of(serving) as client:
            answer = await client.post("/api/v1/silences", json=sent)
            assert answer.status == status
            assert detail in (await answer.json())["detail"]
            assert (await client.post("/api/v1/silences", data=b"{}", headers={"Content-Type": "text/plain"})).status == 415
        assert log.written == []

    run(check())


def test_a_silence_covers_what_it_names_until_it_ends() -> None:
    """By rule, by scope or both; shown with user and reason; it expires at its time, or at once when it is ended."""

    async def check() -> None:
        backend, serving, _ = center()
        async with client_of(serving) as client:
            made = await client.post("/api/v1/silences", json={"scope": "queue:sales", "until": later(backend), "reason": "fire drill"})
            silence = await made.json()
            alerts = await shown(client)
            assert alerts["sales"]["silenced"]["reason"] == "fire drill"
            assert "silenced" not in alerts["claims"]
            both = {"rule": "low-service-level", "until": later(backend, 2 * HOUR_MS), "reason": "all"}
            assert (await client.post("/api/v1/silences", json=both)).status == 200
            assert {each["silenced"]["reason"] for each in (await shown(client)).values() if each["state"] == "firing"} == {"all"}
            other = {"rule": "another", "scope": "queue:claims", "until": later(backend, 3 * HOUR_MS), "reason": "not this rule"}
            assert (await client.post("/api/v1/silences", json=other)).status == 200
            assert (await shown(client))["claims"]["silenced"]["reason"] == "all"
            assert (await client.delete(f"/api/v1/silences/{silence['silence_id']}")).status == 204
            assert (await client.delete(f"/api/v1/silences/{silence['silence_id']}")).status == 404
            listed = (await (await client.get("/api/v1/silences")).json())["silences"]
            assert [each["reason"] for each in listed] == ["all", "not this rule"]
            backend.clock.seconds += 2.5 * 3600
            assert "silenced" not in (await shown(client))["claims"]
            assert len((await (await client.get("/api/v1/silences")).json())["silences"]) == 1

    run(check())


def test_silences_are_bounded_for_each_account_and_for_all() -> None:
    """A hundred of one account and a thousand of all: another account has its own; what is over or ended makes room."""
    backend, serving, _ = center()
    clock = backend.clock
    access = Held(requests_per_minute=100_000, tokens={name: token(given, role="supervisor") for name, given in (("a", OLD), ("b", NEW))})
    guarded = replace(serving, door=Door(access, clock=clock))

    async def check() -> None:
        async with client_of(guarded) as client:

            async def silence(given: str, ms: int = HOUR_MS) -> tuple[int, dict[str, Any]]:
                body = {"scope": "queue:sales", "until": later(backend, ms), "reason": "drill"}
                answer = await client.post("/api/v1/silences", json=body, headers=bearing(given))
                return answer.status, await answer.json()

            made = [(await silence(OLD, HOUR_MS if number else 1000))[1].get("silence_id") for number in range(100)]
            assert None not in made
            status, answer_body = await silence(OLD)
            assert (status, answer_body["detail"]) == (409, "there are 100 silences of yours: end some")
            assert [(await silence(NEW))[0] for _ in range(100)] == [200] * 100
            assert (await silence(NEW))[0] == 409
            assert (await client.delete(f"/api/v1/silences/{made[50]}", headers=bearing(NEW))).status == 204
            assert [(await silence(OLD))[0] for _ in range(2)] == [200, 409]
            clock.seconds += 2
            assert [(await silence(OLD))[0] for _ in range(2)] == [200, 409]

    run(check())
    held = serving.figures.actions.silences(int(clock() * 1000))
    one = held[0]
    others = [one.model_copy(update={"by": Actor(kind="user", name=str(number // 50))}) for number in range(1000)]
    assert too_many_silences(others[:999], Actor(kind="user", name="new")) is None
    assert too_many_silences(others, Actor(kind="user", name="new")) == "there are 1000 silences: end some"
    # Without an access file all are of one who is not known, and share the whole.
    anyone = [one.model_copy(update={"by": Actor(kind="anyone")}) for _ in range(999)]
    assert too_many_silences(anyone, Actor(kind="anyone")) is None


def test_an_action_that_cannot_be_stored_is_not_done() -> None:
    """While Kafka does not take it, the answer is 503 with Retry-After, and nothing is shown as acknowledged or silenced."""

    async def check() -> None:
        backend, serving, log = center()
        log.fails = True
        async with client_of(serving) as client:
            for path, body in ((ALERT, {}), ("/api/v1/silences", {"rule": "r", "until": later(backend), "reason": "x"})):
                answer = await client.post(path, json=body)
                assert answer.status == 503
                assert answer.headers["Retry-After"] == "5"
            assert "acknowledged" not in (await shown(client))["sales"]

    run(check())


@pytest.mark.embedded
def test_all_servers_follow_what_one_has_taken(bootstrap: str) -> None:
    """An acknowledgement written at one server is in the table of another, and in that of one that starts later."""

    async def check() -> None:
        await make(bootstrap, actions_topic("shared"))
        tables = [Actions() for _ in range(3)]
        readers = [Reader(table, topic_name=actions_topic("shared"), bootstrap=bootstrap) for table in tables]
        tasks = [asyncio.create_task(reader.run()) for reader in readers[:2]]
        try:
            await until(lambda: all(reader.ready for reader in readers[:2]))
            backend = Backend.fed(small_center()).with_alerts(alert())
            serving = backend.serving(action_log=KafkaActionLog(tables[0], bootstrap=bootstrap, topic_prefix="shared"))
            serving.figures.actions = tables[0]
            async with client_of(serving) as client:
                assert (await client.post(ALERT, json={"note": "mine"})).status == 200
            tasks.append(asyncio.create_task(readers[2].run()))
            await until(lambda: readers[2].ready and all(table.acknowledgement("id-sales") for table in tables))
            assert {table.acknowledgement("id-sales").note for table in tables} == {"mine"}  # type: ignore[union-attr]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(check())


def test_every_endpoint_has_a_handler() -> None:
    """The application is made with all of them."""
    _, serving, _ = center()
    assert {"acknowledge", "silences", "make_silence", "end_silence"} <= set(create_app(serving).router.named_resources())
