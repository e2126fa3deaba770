"""When alerts fire and clear, by hand: evaluations at given seconds after 09:00:00."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from schemas.alerts import AlertRecord
from schemas.metrics import NowFigures
from schemas.times import format_ms, parse_time_ms
from streams.catalogue.kpis import KPIS
from streams.configuration import Configuration
from streams.windows.alerts import Alerts, Evaluation
from streams.windows.rollup import RollUp

START_MS = parse_time_ms("2026-06-15T09:00:00Z")
KEY = "alert|level|voice|queue:A"

#: Below 80 % for a minute with ten contacts behind it; over when above 85 % for half a minute.
LEVEL = {"window": "trailing_15m", "below": 0.8, "clear_at": 0.85, "for_seconds": 60, "clear_for_seconds": 30}


def ms(second: float) -> int:
    """Return an instant."""
    return START_MS + round(second * 1000)


def at(second: float) -> str:
    """Return an instant as records have it."""
    return format_ms(ms(second))


def configuration(**rules: dict[str, Any]) -> Configuration:
    """Return a configuration of queue A, with a target of 80 %, B and team red."""
    return Configuration.model_validate(
        {"queues": {"A": {"channel": "voice", "target": 0.8}, "B": {"channel": "mail"}}, "teams": {"red": {}}, "alerts": rules}
    )


class Watched:
    """The alerts of one rule on queue A, voice."""

    def __init__(self, rule: dict[str, Any] = LEVEL, name: str = "level") -> None:
        self.rules = {name: rule}
        self.latest: dict[str, AlertRecord] = {}
        #: what has fired and cleared
        self.history: list[AlertRecord] = []
        self.restart()

    def restart(self, **rules: dict[str, Any]) -> None:
        """Restart from the latest records, with other rules if there are any."""
        self.rules = rules or self.rules
        configured = configuration(**self.rules)
        self.alerts = Alerts(configured)
        for key, record in self.latest.items():
            self.alerts.restore(key, AlertRecord.model_validate_json(record.model_dump_json()))
        self.watches = self.alerts.watches_of("queue:A", "voice")

    def look(self, second: float, value: float | None, of: float | None = 20, *, stale: bool = False, before: float | None = None) -> str:
        """Evaluate a value with a number of contacts; return the state, ``recovering`` for firing that has begun to recover."""
        self.alerts.begin(ms(second))
        for watch in self.watches:
            self.alerts.evaluate(
                watch,
                [{"value": value, "numerator": None, "denominator": of}],
                Evaluation(ms(second), stale, None if before is None else ms(before)),
                "service_level@1",
            )
        for key, record, announced in self.alerts.changes():
            if record is None:
                assert not announced
                del self.latest[key]
                continue
            assert record.revision > (self.latest[key].revision if key in self.latest else 0)
            self.latest[key] = record
            if announced:
                self.history.append(record)
        found = self.latest.get(KEY)
        if found is None:
            return "none"
        return "recovering" if found.state == "firing" and found.recovering_since is not None else found.state


def firing() -> Watched:
    """Return an alert that has been firing since second 60, pending since 0."""
    watched = Watched()
    assert [watched.look(0, 0.5), watched.look(60, 0.5)] == ["pending", "firing"]
    return watched


class TestFires:
    """From none to firing."""

    def test_after_the_dwell(self) -> None:
        """Pending at 0, not yet firing at 59.999 s, firing at the first evaluation from 60 s on; announced once."""
        watched = Watched()

        assert [watched.look(0, 0.79), watched.look(59.999, 0.4), watched.look(61, 0.7), watched.look(62, 0.7)] == [
            "pending",
            "pending",
            "firing",
            "firing",
        ]
        (fired,) = watched.history
        assert (fired.state, fired.since, fired.fired_at, fired.as_of, fired.value) == ("firing", at(0), at(61), at(61), 0.7)
        assert (fired.cleared_at, fired.cleared_because, fired.recovering_since) == (None, None, None)

    def test_a_breach_begins_at_the_evaluation_before(self) -> None:
        """Good at 9.75 s, beyond at 10 s: since 9.75 s, due at 69.75 s; an evaluation after a pause of 5 s covers one second of it."""
        watched, paused = Watched(), Watched()

        assert [watched.look(10, 0.5, before=9.75), watched.look(69.749, 0.5, before=69.5), watched.look(69.75, 0.5, before=69.749)] == [
            "pending",
            "pending",
            "firing",
        ]
        assert (watched.history[0].since, watched.history[0].fired_at) == (at(9.75), at(69.75))
        assert [paused.look(10, 0.5, before=5), paused.look(69, 0.5, before=68)] == ["pending", "firing"]
        assert paused.history[0].since == at(9)

    def test_a_record_has_its_terms(self) -> None:
        """The record has rule, scope, KPI, window, thresholds, dwell and definition."""
        fired = firing().history[0].model_dump()
        terms = {
            "kind": "alert",
            "rule": "level",
            "severity": "warning",
            "scope_kind": "queue",
            "scope": "A",
            "channel": "voice",
            "kpi": "service_level_live",
            "window": "trailing_15m",
            "below": 0.8,
            "above": None,
            "clear_at": 0.85,
            "minimum_contacts": 10,
            "for_seconds": 60,
            "clear_for_seconds": 30,
            "definition": "service_level@1",
            "denominator": 20,
        }

        assert {name: fired[name] for name in terms} == terms

    def test_exactly_the_threshold_is_not_beyond(self) -> None:
        """0.8 is not below 0.8, nor 180 above 180."""
        assert Watched().look(0, 0.8) == "none"
        above = {"kpi": "asa", "above": 180.0, "for_seconds": 0}
        assert Watched(above).look(0, 180.0) == "none"
        assert Watched(above).look(0, 180.001) == "firing"

    def test_a_good_evaluation_ends_pending(self) -> None:
        """An evaluation that is not beyond restarts the dwell, and deletes a pending alert."""
        watched = Watched()

        assert [watched.look(0, 0.5), watched.look(50, 0.8), watched.look(60, 0.5), watched.look(119, 0.5), watched.look(120, 0.5)] == [
            "pending",
            "none",
            "pending",
            "pending",
            "firing",
        ]
        assert [each.since for each in watched.history] == [at(60)]

    @pytest.mark.parametrize(("value", "of"), [(0.0, 9), (None, 0), (None, None)])
    def test_too_few_contacts_fire_nothing(self, value: float | None, of: float | None) -> None:
        """Nine contacts are not ten, and no contact is no service level of 0."""
        assert Watched().look(0, value, of) == "none"

    def test_ten_contacts_are_enough(self) -> None:
        """The least number counts itself."""
        assert Watched().look(0, 0.0, 10) == "pending"

    def test_too_few_contacts_end_pending(self) -> None:
        """Fewer contacts than needed are not beyond, whatever the value."""
        watched = Watched()

        assert [watched.look(0, 0.5), watched.look(30, 0.5, 9), watched.look(31, 0.5)] == ["pending", "none", "pending"]

    def test_at_once(self) -> None:
        """With ``for_seconds: 0`` the first evaluation beyond fires, without a pending record."""
        watched = Watched({**LEVEL, "for_seconds": 0})

        assert watched.look(5, 0.5) == "firing"
        assert [(each.since, each.fired_at) for each in watched.history] == [(at(5), at(5))]

    def test_beyond_at_two_evaluations_is_beyond_between(self) -> None:
        """After an hour without an evaluation it fires at the next one."""
        watched = Watched()

        assert [watched.look(0, 0.5), watched.look(3600, 0.5)] == ["pending", "firing"]
        assert watched.history[0].fired_at == at(3600)

    def test_a_stale_source_keeps_nothing_from_firing(self) -> None:
        """A breach fires even while a source is stale."""
        watched = Watched()

        assert [watched.look(0, 0.5, stale=True), watched.look(60, 0.5, stale=True)] == ["pending", "firing"]


class TestClears:
    """From firing to cleared."""

    def test_after_its_dwell(self) -> None:
        """Good from 100 s on, over at 130 s."""
        watched = firing()

        assert [watched.look(100, 0.9), watched.look(129.999, 0.9), watched.look(130, 0.95)] == ["recovering", "recovering", "cleared"]
        fired, cleared = watched.history
        assert (cleared.since, cleared.fired_at, cleared.recovering_since, cleared.cleared_at) == (at(0), at(60), at(100), at(130))
        assert (cleared.cleared_because, cleared.value, cleared.as_of) == ("recovered", 0.95, at(130))
        assert cleared.alert_id == fired.alert_id

    def test_hysteresis(self) -> None:
        """Between the threshold and ``clear_at`` it continues to fire; ``clear_at`` itself is good."""
        watched = firing()

        assert [watched.look(100, 0.82), watched.look(110, 0.849), watched.look(120, 0.85)] == ["firing", "firing", "recovering"]

    def test_a_bad_evaluation_restarts_recovery(self) -> None:
        """One evaluation below ``clear_at`` restarts the time to clear."""
        watched = firing()

        states = [watched.look(100, 0.9), watched.look(120, 0.84), watched.look(125, 0.9), watched.look(150, 0.9), watched.look(155, 0.9)]
        assert states == ["recovering", "firing", "recovering", "recovering", "cleared"]
        assert len(watched.history) == 2

    @pytest.mark.parametrize(("value", "of"), [(0.1, 9), (None, 0)])
    def test_too_few_contacts_clear(self, value: float | None, of: float) -> None:
        """Too few contacts end a breach; the record does not state a recovery."""
        watched = firing()

        assert [watched.look(100, value, of), watched.look(130, value, of)] == ["recovering", "cleared"]
        assert watched.history[-1].cleared_because == "too_few_contacts"

    def test_while_a_source_is_stale(self) -> None:
        """Silence clears nothing, and what was good before it counts no more: 30 s from when the source is back."""
        watched = firing()

        assert [watched.look(100, 0.9), watched.look(120, 0.9, stale=True), watched.look(600, None, 0, stale=True)] == [
            "recovering",
            "firing",
            "firing",
        ]
        assert [watched.look(601, 0.9), watched.look(630, 0.9), watched.look(631, 0.9)] == ["recovering", "recovering", "cleared"]

    def test_at_once(self) -> None:
        """With ``clear_for_seconds: 0`` the first good evaluation clears."""
        watched = Watched({**LEVEL, "for_seconds": 0, "clear_for_seconds": 0})

        assert [watched.look(0, 0.5), watched.look(1, 0.9), watched.look(2, 0.5)] == ["firing", "cleared", "firing"]
        assert [each.state for each in watched.history] == ["firing", "cleared", "firing"]
        assert len({each.alert_id for each in watched.history}) == 2

    def test_the_next_breach_is_another_alert(self) -> None:
        """It has its own instant and id, and its revisions continue."""
        watched = firing()
        watched.look(100, 0.9)
        watched.look(130, 0.9)

        assert [watched.look(140, 0.5), watched.look(200, 0.5)] == ["pending", "firing"]
        first, _, second = watched.history
        assert second.since == at(140)
        assert second.alert_id != first.alert_id
        assert second.revision > first.revision

    def test_above(self) -> None:
        """A wait above 180 s fires, at 120 s it is over."""
        watched = Watched({"kpi": "longest_wait", "above": 180, "clear_at": 120, "for_seconds": 0, "clear_for_seconds": 0})

        assert [watched.look(0, 181, None), watched.look(1, 121, None), watched.look(2, 120, None)] == ["firing", "firing", "cleared"]

    def test_no_contact_waits_any_more(self) -> None:
        """The longest wait of an empty queue is null: too few contacts, not recovered."""
        watched = Watched({"kpi": "longest_wait", "above": 180, "for_seconds": 0, "clear_for_seconds": 0})

        assert [watched.look(0, 181, None), watched.look(1, None, None)] == ["firing", "cleared"]
        assert watched.history[-1].cleared_because == "too_few_contacts"


class TestRestarts:
    """A restarted worker continues from the latest records."""

    def test_pending_continues(self) -> None:
        """The dwell counts from before the restart."""
        watched = Watched()
        watched.look(0, 0.5)
        watched.restart()

        assert [watched.look(59, 0.5), watched.look(60, 0.5)] == ["pending", "firing"]
        assert watched.history[0].since == at(0)

    def test_nothing_is_announced_twice(self) -> None:
        """Firing and recovery continue; the same evaluation again changes nothing."""
        watched = firing()
        watched.restart()
        assert [watched.look(60, 0.5), watched.look(100, 0.9)] == ["firing", "recovering"]
        watched.restart()
        assert [watched.look(100, 0.9), watched.look(130, 0.9)] == ["recovering", "cleared"]
        watched.restart()
        assert watched.look(130, 0.9) == "cleared"
        assert [each.state for each in watched.history] == ["firing", "cleared"]

    def test_revisions_grow_past_a_deletion(self) -> None:
        """Who has seen revision r of an alert since deleted sees a greater one of the next, though nothing remembers r."""
        watched = Watched()
        watched.look(0, 0.5)
        first = watched.latest[KEY].revision
        watched.look(1, 0.9)
        watched.restart()
        watched.look(2, 0.5)

        assert watched.latest[KEY].revision > first

    def test_a_rule_is_removed(self) -> None:
        """Its alert is cleared at the first evaluation, with no value; alerts of other rules stay."""
        watched = firing()
        watched.restart(other=LEVEL)
        watched.look(70, 0.9)

        cleared = watched.history[-1]
        assert (cleared.state, cleared.cleared_because, cleared.cleared_at, cleared.value) == ("cleared", "rule_removed", at(70), None)
        assert (cleared.rule, cleared.since, cleared.fired_at) == ("level", at(0), at(60))
        watched.restart()
        watched.look(71, 0.9)
        assert len(watched.history) == 2

    def test_a_rule_is_removed_while_pending(self) -> None:
        """What was only pending is deleted."""
        watched = Watched()
        watched.look(0, 0.5)
        watched.restart(other={**LEVEL, "channels": ["chat"]})
        watched.look(1, 0.5)

        assert (watched.latest, watched.history) == ({}, [])

    @pytest.mark.parametrize("narrower", [{"channels": ["chat"]}, {"scopes": ["queue:B"]}])
    def test_a_rule_changes_its_scope_or_channel(self, narrower: dict[str, Any]) -> None:
        """An alert whose scope or channel its rule is not about any more is cleared like one without a rule."""
        watched = firing()
        watched.restart(level={**LEVEL, **narrower})
        watched.look(70, 0.5)

        assert watched.history[-1].cleared_because == "rule_removed"

    def test_a_rule_changes(self) -> None:
        """The alert continues by the new terms, and its next record has them."""
        watched = firing()
        watched.restart(level={**LEVEL, "below": 0.4, "clear_at": 0.45, "clear_for_seconds": 0})
        watched.look(70, 0.5)

        assert [(each.state, each.below, each.clear_at) for each in watched.history] == [("firing", 0.8, 0.85), ("cleared", 0.4, 0.45)]


class TestWatches:
    """The scopes and figures of a rule."""

    @pytest.mark.parametrize(
        ("rule", "scope", "channel", "watches"),
        [
            ({"below": 0.5}, "queue:A", "voice", True),
            ({"below": 0.5}, "queue:found later", "sms", True),
            ({"below": 0.5}, "total:all", "voice", False),
            ({"below": 0.5}, "queue:A", None, False),
            ({"below": 0.5, "channels": ["mail"]}, "queue:A", "voice", False),
            ({"below": 0.5, "scopes": ["total:all", "queue:B*"]}, "queue:A", "voice", False),
            ({"below": 0.5, "scopes": ["total:all", "queue:B*"]}, "queue:Bonn", "voice", True),
            ({"below": 0.5, "scopes": ["total:all", "queue:B*"]}, "total:all", "voice", True),
            ({"below": 0.5, "scopes": ["queue:*n"]}, "queue:Bonn (2)", "voice", False),
            ({"below": 0.5, "scopes": ["queue:*(?)"]}, "queue:Bonn (2)", "voice", False),
            ({"below": "target"}, "queue:A", "voice", True),
            ({"below": "target"}, "queue:B", "mail", False),
            ({"below": "target"}, "queue:found later", "voice", False),
            ({"kpi": "occupancy", "above": 0.9}, "team:red", None, True),
            ({"kpi": "occupancy", "above": 0.9}, "total:all", None, False),
            ({"kpi": "occupancy", "above": 0.9, "scopes": ["total:*"]}, "total:all", None, True),
            ({"kpi": "occupancy", "above": 0.9, "scopes": ["total:*"]}, "total:all", "voice", False),
        ],
    )
    def test_scopes_and_channels(self, rule: dict[str, Any], scope: str, channel: str | None, watches: bool) -> None:
        """Patterns, channels, contacts or people, and queues with a target."""
        found = Alerts(configuration(rule=rule)).watches_of(scope, channel)

        assert bool(found) is watches

    def test_the_target_is_the_queues(self) -> None:
        """``below: target`` is queue A's 80 %, and the record states it."""
        watched = Watched({"below": "target", "for_seconds": 0})

        assert watched.look(0, 0.8) == "none"
        assert watched.look(1, 0.799) == "firing"
        assert (watched.history[0].below, watched.history[0].clear_at) == (0.8, 0.8)

    def test_every_figure_of_now_has_a_field(self) -> None:
        """A rule about any figure of now finds it among the fields of its record."""
        for kpi in KPIS:
            if "now" in kpi.windows and kpi.split_by is None:
                (watch,) = Alerts(configuration(rule={"kpi": kpi.id, "above": 1})).watches_of("queue:A", "voice")
                assert watch.conditions[0].field in NowFigures.model_fields


class Stream:
    """A roll-up of one contact and one agent partition with rules, fed with their records."""

    def __init__(self, **rules: dict[str, Any]) -> None:
        self.rollup = RollUp(configuration(**rules), 0, [("contacts", 0)], [("agents", 0)])

    def apply(self, kind: str, second: float | None, value: dict[str, Any], place: str = "voice|contacts|queue:A") -> None:
        """Apply a record of a slice or of now."""
        channel, source, scope = place.split("|")
        self.rollup.apply(f"{kind}|{channel}|{source}|0|{'-' if second is None else ms(second)}|{scope}", value)

    def as_of(self, second: float, stale: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        """Set the progress of both partitions, flush, and return the key and state of changed alerts."""
        for source in ("contacts", "agents"):
            progress = {"progress_ms": ms(second), "received_through_ms": ms(second), "sources": {"pbx": ms(second)}, "stale_sources": []}
            silent = {"sources": {"pbx": ms(second), **dict.fromkeys(stale, ms(0))}, "stale_sources": list(stale)}
            self.rollup.apply(f"progress|-|{source}|0|-|-", {**progress, **silent})
        list(self.rollup.collect())
        return [(key, record.state if record else "none") for key, record, _ in self.rollup.alerts.changes()]


class TestFigures:
    """The evaluated figures are the published ones."""

    def test_a_wait_that_grows_is_evaluated(self) -> None:
        """Nothing but as-of moves: three wait beside 12 answered in time, and after more than 20 s it is 12 of 15 and not of 12.

        What 20.001 s is the first to see began at 20 s, so the dwell of 10 s is over at 30 s.
        """
        stream = Stream(level={"below": 0.9, "for_seconds": 10})
        stream.apply("pane", 0, {"counts": {"offered": 12, "answered": 12, "answered_wait_ms": 60_000, "answered_wait_le_5000": 12}})
        stream.apply("now", None, {"waiting_since_ms": [ms(0)] * 3, "in_progress": 12})

        assert [stream.as_of(1), stream.as_of(20), stream.as_of(20.001), stream.as_of(30), stream.as_of(30.001)] == [
            [],
            [],
            [(KEY, "pending")],
            [(KEY, "firing")],
            [],
        ]

    def test_the_longest_wait_grows_without_being_written(self) -> None:
        """It is as-of − the entry at each evaluation."""
        stream = Stream(level={"kpi": "longest_wait", "above": 30, "for_seconds": 0, "clear_for_seconds": 0})
        stream.apply("now", None, {"waiting_since_ms": [ms(0)]})

        assert [stream.as_of(1), stream.as_of(30), stream.as_of(30.5)] == [[], [], [(KEY, "firing")]]
        stream.apply("now", None, {"waiting_since_ms": []})
        assert stream.as_of(31) == [(KEY, "cleared")]

    def test_the_oldest_of_a_backlog_without_waiting_contacts(self) -> None:
        """Its age is evaluated too when only as-of moves."""
        stream = Stream(old={"kpi": "backlog_oldest", "above": 3600, "for_seconds": 0})
        stream.apply("now", None, {"backlog": {"in_progress": 1}, "backlog_oldest_ms": ms(0)}, "mail|contacts|queue:B")

        assert [stream.as_of(3600), stream.as_of(3601)] == [[], [("alert|old|mail|queue:B", "firing")]]

    def test_overdue_callbacks(self) -> None:
        """A callback due at 10 s is overdue after it."""
        stream = Stream(level={"kpi": "callbacks_overdue", "above": 0, "for_seconds": 0})
        stream.apply("now", None, {"callbacks_waiting": 1, "callback_due_ms": [ms(10)]})

        assert [stream.as_of(10), stream.as_of(10.5)] == [[], [(KEY, "firing")]]

    def test_people(self) -> None:
        """Nine and a half of ten seconds busy, with nothing idle left out: 95 % is above 90 %."""
        stream = Stream(busy={"kpi": "occupancy", "above": 0.9, "window": "trailing_5m", "for_seconds": 0})
        stream.apply("pane", 0, {"counts": {"handling_ms": 9_500, "idle_ms": 500}}, "-|agents|team:red")

        assert [stream.as_of(5), stream.as_of(10)] == [[], [("alert|busy|-|team:red", "firing")]]

    def test_contacts_that_leave_the_window_clear(self) -> None:
        """Five minutes and ten seconds later nothing is left in the window; a silent source holds that back."""
        stream = Stream(level={"below": 0.9, "window": "trailing_5m", "for_seconds": 0, "clear_for_seconds": 0})
        stream.apply("pane", 0, {"counts": {"offered": 10, "abandoned": 10, "abandoned_wait_ms": 10_000, "abandoned_wait_le_5000": 10}})

        assert [stream.as_of(1), stream.as_of(299), stream.as_of(301, ("chat",)), stream.as_of(302)] == [
            [(KEY, "firing")],
            [],
            [],
            [(KEY, "cleared")],
        ]

    def test_a_scope_that_only_an_alert_remembers(self) -> None:
        """After a restart a firing alert of a queue that is not configured is evaluated even if nothing else is left of it."""
        first = Stream(level={"below": 0.9, "for_seconds": 0, "clear_for_seconds": 0})
        first.apply("pane", 0, {"counts": {"offered": 10, "abandoned": 10}}, "voice|contacts|queue:found")
        first.rollup.apply(
            "progress|-|contacts|0|-|-", {"progress_ms": ms(1), "received_through_ms": ms(1), "sources": {}, "stale_sources": []}
        )
        list(first.rollup.collect())
        ((key, record, announced),) = first.rollup.alerts.changes()
        assert record is not None
        assert (record.state, announced) == ("firing", True)
        second = Stream(level={"below": 0.9, "for_seconds": 0, "clear_for_seconds": 0})
        second.rollup.alerts.restore(key, record)

        assert second.as_of(2) == [(key, "cleared")]


def test_without_rules_nothing_is_evaluated() -> None:
    """Nothing is compiled, and a flush publishes nothing."""
    stream = Stream()
    stream.apply("now", None, {"waiting_since_ms": [ms(0)]})

    assert stream.as_of(100) == []
    assert stream.rollup.alerts.is_idle
    assert all(state.watches == () for state in stream.rollup.scopes.values())


def test_a_calendar_exception_that_closes() -> None:
    """The typhoon closes the queue at 09:02: what fires clears, closed, and nothing fires until it is over, though the figure is as bad."""
    rule = {**LEVEL, "during": "business_hours"}
    typhoon = {"name": "Typhoon 台風", "kind": "closed", "from": "2026-06-15T09:02", "to": "2026-06-15T09:10", "queues": ["A"]}
    watched = Watched(rule)
    settings = configuration(level=rule).model_dump(by_alias=True, exclude_unset=True)
    watched.alerts = Alerts(Configuration.model_validate({**settings, "calendar_exceptions": [typhoon]}))
    watched.watches = watched.alerts.watches_of("queue:A", "voice")

    seconds = (0, 60, 119, 120, 300, 599, 600, 660)
    states = [watched.look(second, 0.5) for second in seconds]
    assert states == ["pending", "firing", "firing", "cleared", "cleared", "cleared", "pending", "firing"]
    assert [each.cleared_because for each in watched.history if each.state == "cleared"] == ["closed"]


class TestSeveral:
    """Rules of several figures."""

    ALL: ClassVar[dict[str, Any]] = {
        "all": [{"kpi": "waiting", "above": 5, "clear_at": 3}, {"below": 0.8, "window": "trailing_5m"}],
        "for_seconds": 0,
        "clear_for_seconds": 0,
    }
    ANY: ClassVar[dict[str, Any]] = {**ALL, "all": None, "any": ALL["all"]}

    def looks(self, rule: dict[str, Any], *seen: tuple[float | None, float | None, float]) -> list[AlertRecord | None]:
        """Return the state of the alert after evaluations, one a second, of the number waiting and a level with a number of contacts."""
        (watch,) = Alerts(configuration(level=rule)).watches_of("queue:A", "voice")
        last, found = None, list[AlertRecord | None]()
        for second, (waiting, level, of) in enumerate(seen):
            figures = [{"value": waiting}, {"value": level, "numerator": None, "denominator": of}]
            last = watch.step(last, figures, Evaluation(ms(second), stale=False), "service_level@1")
            found.append(last)
        return found

    def test_all(self) -> None:
        """6 waiting and 79 %; 4 waiting keeps it, 3 does not; nor 70 % with 9 contacts, which is no recovery."""
        states = self.looks(self.ALL, (6, 0.8, 20), (5, 0.79, 20), (6, 0.79, 20), (4, 0.79, 20), (3, 0.79, 20), (6, 0.7, 20), (6, 0.7, 9))

        assert [each and (each.state, each.cleared_because) for each in states] == [
            None,
            None,
            ("firing", None),
            ("firing", None),
            ("cleared", "recovered"),
            ("firing", None),
            ("cleared", "too_few_contacts"),
        ]
        fired = states[2]
        assert fired is not None
        assert (fired.kpi, fired.window, fired.value, fired.above, fired.below, fired.clear_at) == ("waiting", None, 6, 5, None, 3)
        assert (fired.combined, fired.definition) == ("all", "service_level@1")
        assert [(each.kpi, each.value, each.denominator, each.below) for each in fired.conditions or []] == [
            ("waiting", 6, None, None),
            ("service_level_live", 0.79, 20, 0.8),
        ]

    def test_any(self) -> None:
        """Its record shows the condition by which it fired; it continues while another is beyond, and clears when all are good."""
        states = self.looks(self.ANY, (5, 0.8, 20), (5, 0.79, 20), (6, 0.9, 20), (4, 0.9, 20), (3, 0.9, 20), (6, 0.7, 20), (1, 0.7, 9))

        assert [each and (each.state, each.kpi, each.value, each.cleared_because) for each in states] == [
            None,
            ("firing", "service_level_live", 0.79, None),
            ("firing", "service_level_live", 0.79, None),
            ("firing", "service_level_live", 0.79, None),
            ("cleared", "service_level_live", 0.9, "recovered"),
            ("firing", "waiting", 6, None),
            ("cleared", "waiting", 1, "too_few_contacts"),
        ]

    def test_a_rule_about_an_expected_figure_is_not_evaluated(self) -> None:
        """No worker watches it."""
        assert Alerts(configuration(soon={"expected_within_minutes": 30, "below": 0.8})).watches_of("queue:A", "voice") == ()
