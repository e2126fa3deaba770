"""Decisions: by hand for each case, and random runs in which restarts neither repeat nor lose a decision."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert_actions import Notification, OpenAlert
from schemas.times import format_ms, parse_time_ms
from streams.serving.alerting.action_log import encoded
from streams.serving.alerting.actions import Actions
from streams.serving.alerting.decisions import MOST_IN_ONE, decide, ingested, with_outcome
from tests.serving.alerting.center import alerting, cleared, fired

if TYPE_CHECKING:
    from schemas.alerts import AlertRecord
    from streams.configuration.alerting import Alerting

BEGAN = parse_time_ms("2026-04-01T09:00:00Z")


class Process:
    """The topic, and a process that decides on it and may restart at any time."""

    def __init__(self, configured: Alerting | None = None) -> None:
        self.alerting = configured or alerting()
        self.topic: list[tuple[bytes, bytes | None]] = []
        self.actions = Actions()
        self.now_ms = BEGAN

    def write(self, key: bytes, value: bytes | None) -> None:
        """Write a record to the topic and the table."""
        self.topic.append((key, value))
        self.actions.feed(key, value)

    def ingest(self, alert: AlertRecord) -> None:
        """Ingest an alert of the history."""
        notified = ingested(self.actions, alert, self.now_ms)
        if notified is not None:
            self.write(*encoded(notified))

    def decide_after(self, seconds: float = 0) -> list[str]:
        """Let time pass, decide and write; return the decided notifications: event, receiver and scopes."""
        self.now_ms += int(1000 * seconds)
        decided = decide(self.actions, self.alerting, self.now_ms)
        for record in decided.records:
            self.write(*encoded(record))
        for key in decided.deleted:
            self.write(key.encode(), None)
        notified = [each for each in decided.records if isinstance(each, Notification)]
        return [f"{each.event} {each.receiver} {' '.join(alert.scope for alert in each.alerts)}" for each in notified]

    def restart(self) -> None:
        """Continue with another process, from the topic alone."""
        self.actions = Actions()
        for key, value in self.topic:
            self.actions.feed(key, value)

    def acknowledged(self, name: str) -> None:
        """Have an alert acknowledged."""
        who: dict[str, Any] = {"by": {"kind": "user", "name": "tanaka"}, "at": format_ms(self.now_ms)}
        about = {"alert_id": f"id-{name}", "rule": "r", "scope_kind": "queue", "scope": name, "channel": None}
        self.write(f"acknowledged|id-{name}".encode(), orjson.dumps({"kind": "acknowledged", **about, **who}))

    def silenced(self, name: str, seconds: int) -> None:
        """Have a queue silenced."""
        until = format_ms(self.now_ms + 1000 * seconds)
        who: dict[str, Any] = {"by": {"kind": "user", "name": "tanaka"}, "at": format_ms(self.now_ms), "reason": "drill"}
        about = {"silence_id": name, "rule": None, "scope": f"queue:{name}", "until": until}
        self.write(f"silence|{name}".encode(), orjson.dumps({"kind": "silence", **about, **who}))

    def deliver_all(self) -> None:
        """Deliver every notification that is due."""
        for message in self.actions.due():
            self.write(*encoded(with_outcome(message, accepted=True, now_ms=self.now_ms)))


def test_unacknowledged_it_is_escalated_step_by_step_and_all_are_notified_that_it_cleared() -> None:
    """After the group's seconds the floor; 60 s later the manager; 120 s later the head and the manager again; then no one; once each."""
    process = Process()
    process.ingest(fired())
    assert process.decide_after(4.9) == []
    assert process.decide_after(0.1) == ["fired floor sales"]
    assert process.decide_after(59.9) == []
    assert process.decide_after(0.1) == ["escalated manager sales"]
    assert process.decide_after(119.9) == []
    assert process.decide_after(0.1) == ["escalated head sales", "escalated manager sales"]
    assert process.decide_after(86_400) == []
    process.ingest(cleared())
    assert process.decide_after(5) == ["cleared floor sales", "cleared manager sales", "cleared head sales"]
    assert process.actions.open_alerts() == []
    assert process.decide_after(600) == []


def test_an_acknowledged_alert_is_not_escalated() -> None:
    """Receivers that were notified are notified that it cleared, others are not; the next alert of the same queue starts again."""
    process = Process()
    process.ingest(fired())
    assert process.decide_after(5) == ["fired floor sales"]
    process.acknowledged("sales")
    assert process.decide_after(3600) == []
    process.ingest(cleared())
    assert process.decide_after(5) == ["cleared floor sales"]
    process.ingest(fired(alert_id="another"))
    assert process.decide_after(5) == ["fired floor sales"]


def test_silenced_no_receiver_is_notified_until_it_ends() -> None:
    """Alerts that fire meanwhile are notified when the silence ends; those cleared by then are not."""
    process = Process()
    process.silenced("sales", 600)
    process.silenced("claims", 600)
    process.ingest(fired())
    process.ingest(fired("claims"))
    assert process.decide_after(300) == []
    process.ingest(cleared("claims"))
    assert process.decide_after(200) == []
    assert process.decide_after(101) == ["fired floor sales"]
    assert [each.alert.scope for each in process.actions.open_alerts()] == ["sales"]


def test_alerts_of_one_rule_are_in_one_message() -> None:
    """Those that fire within the group's seconds; another rule by itself; they are escalated and cleared together; 50 at most in one."""
    process = Process()
    process.ingest(fired("a"))
    process.now_ms += 3000
    process.ingest(fired("b"))
    process.ingest(fired("c", rule="long-wait"))
    assert process.decide_after(2) == ["fired floor a b"]
    assert process.decide_after(3) == ["fired floor c"]
    assert process.decide_after(57) == ["escalated manager a b"]
    assert process.decide_after(3) == ["escalated manager c"]
    process.ingest(cleared("a"))
    process.ingest(cleared("b"))
    assert process.decide_after(5) == ["cleared floor a b", "cleared manager a b"]
    many = Process()
    for number in range(MOST_IN_ONE + 1):
        many.ingest(fired(f"q{number:03}"))
    assert [len(each.split()) - 2 for each in many.decide_after(5)] == [MOST_IN_ONE, 1]


def test_an_alert_that_cleared_before_its_notification_has_both() -> None:
    """Nothing that fired is kept from people because it was short."""
    process = Process()
    process.ingest(fired())
    process.ingest(cleared())
    assert process.decide_after(1) == ["fired floor sales"]
    assert process.decide_after(5) == ["cleared floor sales"]


def test_the_first_route_that_fits_holds_and_without_one_there_is_no_notification() -> None:
    """By rule, scope and severity; a route without receivers keeps quiet."""
    routes = [
        {"rules": ["low-*"], "scopes": ["queue:a*"], "receivers": ["head"]},
        {"severities": ["warning"], "receivers": []},
        {"scopes": ["queue:b"], "receivers": ["manager"]},
    ]
    process = Process(alerting(routes=routes))
    for name, more in (("a1", {}), ("b", {}), ("c", {}), ("b2", {"severity": "warning"})):
        process.ingest(fired(name, **more))
    assert sorted(process.decide_after(5)) == ["fired head a1", "fired manager b"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fire"), st.integers(0, 2)),
        st.tuples(st.just("clear"), st.integers(0, 2)),
        st.tuples(st.just("acknowledge"), st.integers(0, 2)),
        st.tuples(st.just("silence"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.integers(1, 200)),
        st.tuples(st.just("deliver"), st.just(0)),
    ),
    max_size=30,
)


def notifications_of(steps: list[tuple[str, int]], *, restarting: bool) -> list[str]:
    """Run the steps, with a restart after each if asked to; return the notifications, in order."""
    process, notified, rounds = Process(), list[str](), [0, 0, 0]
    for what, number in steps:
        name, alert_id = f"q{number}", f"id-{number}-{rounds[number % 3]}"
        match what:
            case "fire":
                process.ingest(fired(name, alert_id=alert_id))
            case "clear":
                process.ingest(cleared(name, alert_id=alert_id))
                rounds[number] += 1
            case "acknowledge":
                process.write(b"acknowledged|" + alert_id.encode(), orjson.dumps(_acknowledgement(alert_id, name)))
            case "silence":
                process.silenced(name, 100)
            case "deliver":
                process.deliver_all()
            case _:
                notified += process.decide_after(number)
        if restarting:
            process.restart()
    ids = [key for key, value in process.topic if key.startswith(b"notification|") and value and orjson.loads(value)["outcome"] == "due"]
    assert all(number == 1 for number in Counter(ids).values())
    return notified


def _acknowledgement(alert_id: str, name: str) -> dict[str, Any]:
    about = {"kind": "acknowledged", "alert_id": alert_id, "rule": "r", "scope_kind": "queue", "scope": name, "channel": None}
    return {**about, "by": {"kind": "anyone", "name": None}, "at": "2026-04-01T09:00:00.000Z"}


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_successor_decides_the_same(steps: list[tuple[str, int]]) -> None:
    """A process that restarts after every step notifies the same as one that continues; no notification is decided twice."""
    assert notifications_of(steps, restarting=True) == notifications_of(steps, restarting=False)


def test_a_repeat_of_the_history_changes_nothing() -> None:
    """An alert that comes twice, fired or cleared, is open once."""
    process = Process()
    process.ingest(fired())
    process.ingest(fired())
    process.decide_after(5)
    process.ingest(fired())
    process.ingest(cleared())
    process.ingest(cleared())
    opened = [value for key, value in process.topic if key == b"open|id-sales" and value is not None]
    assert [OpenAlert.model_validate_json(each).revision for each in opened] == [1, 2, 3]
