"""Alerts on expectations: when they fire and clear, by hand; they are served, notified and retained as others are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from schemas.api import AlertHistoryAnswer
from schemas.times import format_ms, parse_time_ms
from streams.configuration.alerts import AlertRule
from streams.serving.alert_text import texts_of
from streams.serving.alerting.action_log import encoded
from streams.serving.alerting.actions import Actions
from streams.serving.alerting.decisions import ingested
from streams.serving.alerting.expectations import Expectations, Outlook
from streams.serving.alerts import Alerts
from tests.serving.alerting.memory import known_actions
from tests.serving.records import Backend, alert, client_of, small_center

if TYPE_CHECKING:
    from schemas.alert_actions import ExpectedAlert

NOW = parse_time_ms("2026-04-01T09:00:00Z")
QUARTER = 900_000
RULE = AlertRule.model_validate({"expected_within_minutes": 30, "below": "target", "for_seconds": 30, "clear_for_seconds": 60})


def queue(*levels: float | None, contacts: float = 20, target: float | None = 0.8, channel: str = "voice") -> dict[str, Any]:
    """Return the outlook of a queue: the service levels of the quarters from a quarter past nine on."""
    intervals = [
        {"start": format_ms(NOW + QUARTER * (number + 1)), "contacts": contacts, "service_level": level}
        for number, level in enumerate(levels)
    ]
    return {"queue": "sales", "channel": channel, "target": target, "intervals": intervals}


class Leader:
    """What is written, and a process that looks at outlooks."""

    def __init__(self, rule: AlertRule | None = RULE) -> None:
        self.rules = {} if rule is None else {"soon": rule}
        self.actions = Actions()
        self.expecting = Expectations()

    def looks(self, second: float, *queues: dict[str, Any]) -> list[tuple[str, Any]]:
        """Look at an outlook; return what is written: state, and why it cleared or what it is expected for."""
        at = NOW + int(1000 * second)
        found = self.expecting.evaluate(Outlook(at, list(queues), self.rules), self.actions.expected(), at)
        for each in found:
            assert self.actions.feed(*encoded(each))
        return [(each.alert.state, each.alert.cleared_because or (each.alert.expected_at or "")[11:16]) for each in found]


def test_fires_and_clears() -> None:
    """Expected below in half an hour for half a minute; over when that is not so for a minute; the time it is for moves on."""
    leader = Leader()

    assert leader.looks(0, queue(0.9, 0.79)) == []
    assert leader.looks(29, queue(0.9, 0.79)) == []
    assert leader.looks(30, queue(0.9, 0.79)) == [("firing", "09:30")]
    assert leader.looks(45, queue(0.9, 0.79)) == []
    assert leader.looks(60, queue(0.7, 0.79)) == [("firing", "09:15")]
    assert leader.looks(75, queue(0.8, 0.9)) == []
    assert leader.looks(90, queue(0.7, 0.9)) == []
    assert leader.looks(105, queue(0.8, 0.9)) == []
    assert leader.looks(164, queue(0.8, 0.9)) == []
    assert leader.looks(165, queue(0.8, 0.9)) == [("cleared", "recovered")]
    assert leader.looks(300, queue(0.8, 0.9)) == []
    (expected,) = leader.actions.expected()
    alert = expected.alert
    assert (alert.since, alert.fired_at, alert.cleared_at) == tuple(format_ms(NOW + 1000 * n) for n in (0, 30, 165))


def test_what_does_not_fire() -> None:
    """Later than half an hour, fewer than ten contacts, no target, another channel, a level that is not known; nor what comes and goes."""
    leader = Leader()
    for second in (0, 30, 60, 90):
        assert leader.looks(second, queue(0.9, 0.9, 0.1)) == []  # a quarter to ten is 45 minutes away
        assert leader.looks(second, queue(0.1, contacts=9.9)) == []
        assert leader.looks(second, queue(0.1, target=None)) == []
        assert leader.looks(second, queue(None, None)) == []
    mail = AlertRule.model_validate({**RULE.model_dump(), "channels": ["video"]})
    assert [Leader(mail).looks(second, queue(0.1)) for second in (0, 60)] == [[], []]
    assert [leader.looks(*each) for each in ((100, queue(0.1)), (115, queue(0.9)), (130, queue(0.1)), (159, queue(0.1)))] == [[]] * 4
    assert leader.looks(160, queue(0.1)) == [("firing", "09:15")]


def test_a_successor_fires_nothing_twice() -> None:
    """Another process reads the topic: a firing alert continues under its id; its minute of recovery starts again."""
    leader = Leader()
    leader.looks(0, queue(0.1))
    assert leader.looks(30, queue(0.1)) == [("firing", "09:15")]
    leader.looks(45, queue(0.9))
    leader.expecting = Expectations()
    assert leader.looks(60, queue(0.1)) == []
    assert leader.looks(75, queue(0.9)) == []
    assert leader.looks(134, queue(0.9)) == []
    assert leader.looks(135, queue(0.9)) == [("cleared", "recovered")]
    assert len(leader.actions.expected()) == 1


def test_an_alert_without_its_rule_or_figure_clears() -> None:
    """A rule that is gone, a queue of which nothing is known, and a level that is not known any more."""
    few = "too_few_contacts"
    cases: list[tuple[dict[str, AlertRule] | None, list[dict[str, Any]], str]]
    cases = [({}, [queue(0.1)], "rule_removed"), (None, [], few), (None, [queue(None)], few)]
    for rules, queues, because in cases:
        leader = Leader()
        leader.looks(0, queue(0.1))
        leader.looks(30, queue(0.1))
        leader.rules = leader.rules if rules is None else rules
        found = leader.looks(60, *queues) or leader.looks(120, *queues)
        assert found == [("cleared", because)]


def fired() -> tuple[Leader, ExpectedAlert]:
    """Return a leader whose alert fires."""
    leader = Leader()
    leader.looks(0, queue(0.9, 0.613))
    leader.looks(30, queue(0.9, 0.613))
    (expected,) = leader.actions.expected()
    return leader, expected


def test_its_text_is_in_both_languages() -> None:
    """What is expected, when, and since when; receivers are notified as of any alert."""
    _, expected = fired()

    assert texts_of(expected.alert, ZoneInfo("Asia/Tokyo")) | {"text": ""} == {
        "text": "",
        "text_en": (
            "Warning: Queue sales (Voice) – service level 61.3 %, below 80.0 %, expected for 18:30, since 2026-04-01 18:00 JST, rule soon"
        ),
        "text_ja": "注意: キュー sales（電話） – サービスレベル 61.3%、80.0%未満、18:30の予測、2026-04-01 18:00 JSTから、ルール soon",
    }
    opened = ingested(Actions(), expected.alert, NOW)
    assert opened is not None
    assert opened.alert == expected.alert


def test_it_is_served_beside_the_others() -> None:
    """In the list while it fires, also after the topic of alerts has been read again; then in the history alone."""

    async def check() -> None:
        leader, expected = fired()
        backend = Backend.fed(small_center()).with_alerts(alert())
        serving = backend.serving()
        actions = known_actions()
        actions.expects = backend.alerts.expect
        serving.figures.actions = actions
        serving.figures.past.known = True
        actions.feed(*encoded(expected))
        async with client_of(serving) as client:

            async def rules() -> list[str]:
                answer = await (await client.get("/api/v1/alerts?state=firing")).json()
                return [each["rule"] for each in answer["alerts"]]

            assert await rules() == ["low-service-level", "soon"]
            backend.with_alerts(alert(revision=3))
            assert await rules() == ["low-service-level", "soon"]
            leader.looks(60, queue(0.9, 0.9))
            leader.looks(120, queue(0.9, 0.9))
            (over,) = leader.actions.expected()
            actions.feed(*encoded(over))
            assert await rules() == ["low-service-level"]
            history = AlertHistoryAnswer.model_validate_json(await (await client.get("/api/v1/alerts/history")).read()).history
            assert history is not None
            assert [(each.rule, [event.event for event in each.events]) for each in history] == [("soon", ["fired", "cleared"])]

    asyncio.run(check())


def test_what_is_served_is_a_record() -> None:
    """Programs that know alerts know this one: only its window is null, and expected_at has the time."""
    _, expected = fired()
    alerts = Alerts()
    alerts.expect([expected.alert])
    (entry,) = alerts.entries()
    record = orjson.loads(entry.raw)
    assert (record["kpi"], record["window"], record["value"], record["below"]) == ("service_level", None, 0.613, 0.8)
    assert record["expected_at"] == "2026-04-01T09:30:00.000Z"
    assert entry.key == "alert|soon|voice|queue:sales"
