"""The track stages: rows and panes, before and after a restart, and how much room they take."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import TypeAdapter

from schemas.metrics import MetricRecord
from schemas.panes import PaneRecord
from schemas.times import format_ms
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from tests.support.slices import rows_by_pane
from tests.tracking.harness import CONFIGURATION, START_MS, event, ms, record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.configuration import Configuration
    from streams.engine.stage import Flush

TOPICS = TrackTopics("contacts", "panes", 1, "dead", "group", lambda: 0)
ROLL_UP = RollUpTopics("panes", 1, "metrics", "latest", "alerts", "alerts-latest", "contacts", 1, "contacts", 1)

HOUR_MS = 3_600_000

#: Gives up what is over after an hour; by default that takes a day.
FORGETFUL = CONFIGURATION.model_copy(update={"counting": CONFIGURATION.counting.model_copy(update={"closed_retention_seconds": 3_600})})


def contacts(configuration: Configuration = CONFIGURATION) -> ContactStage:
    """Return a stage of partition 0."""
    return ContactStage(0, configuration, TOPICS)


def rows_of(flush: Flush, into: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Compact the rows of a flush into those there are, as the changelog does."""
    for key, value in flush.rows:
        if value is None:
            into.pop(key, None)
        else:
            into[key] = value
    return into


def beat(seconds: float) -> Any:
    """Return a heartbeat of the test's source."""
    return record(event("source.heartbeat", seconds, complete_through=format_ms(ms(seconds))))


STORY = [
    record(value)
    for value in (
        event("contact.queued", 0, queue="A"),
        event("contact.queued", 2, queue="B", conversation_id="c2"),
        event("contact.answered", 20, agent="ann", reports=["hold"]),
        event("contact.held", 25),
        event("contact.queued", 30, queue="C", conversation_id="c2"),
        event("contact.resumed", 31),
        event("contact.ended", 60, by="customer"),
        event("contact.wrapped_up", 75, agent="ann"),
        event("contact.answered", 80, agent="bo", conversation_id="c2"),
        event("contact.answered", 9, received=85, agent="cy", conversation_id="c2"),
        event("contact.excluded", 86, reason="test", conversation_id="c1"),
        event("contact.ended", 90, conversation_id="c2"),
    )
]


class TestRestore:
    """What a stage knows after it has read its rows."""

    def test_at_every_point(self) -> None:
        """Restarted after any event, a stage writes the same rows and the same panes as one that never stopped."""
        whole = contacts()
        expected_rows: dict[bytes, bytes] = {}
        expected_panes: dict[bytes | None, bytes | None] = {}
        for each in STORY:
            whole.process([each])
            flush = whole.collect()
            rows_of(flush, expected_rows)
            expected_panes.update({output.key: output.value for output in flush.outputs})

        for cut in range(1, len(STORY)):
            rows: dict[bytes, bytes] = {}
            panes: dict[bytes | None, bytes | None] = {}
            before, after = contacts(), contacts()
            before.process(STORY[:cut])
            first = before.collect()
            after.restore("state", rows_of(first, rows).items())
            after.process(STORY[cut:])
            second = after.collect()
            rows_of(second, rows)
            for flush in (first, second):
                panes.update({output.key: output.value for output in flush.outputs})

            assert rows_by_pane({key.decode(): orjson.loads(value) for key, value in rows.items()}) == rows_by_pane(
                {key.decode(): orjson.loads(value) for key, value in expected_rows.items()}
            )
            assert meant(panes) == meant(expected_panes)

    def test_nothing_changes_by_a_restart_alone(self) -> None:
        """A stage that has only read its rows has no rows to write."""
        before, after = contacts(), contacts()
        before.process(STORY)
        after.restore("state", rows_of(before.collect(), {}).items())

        assert after.collect().rows == []

    def test_repeats_after_a_restart(self) -> None:
        """Repeated events after a restart are known."""
        before, after = contacts(), contacts()
        before.process(STORY)
        after.restore("state", rows_of(before.collect(), {}).items())
        after.process(STORY)

        assert after.counters.repeated == len(STORY)
        assert [key for key, _ in after.collect().rows] == [b"m"]


def meant(panes: dict[bytes | None, bytes | None]) -> dict[str, Any]:
    """Return the content of panes, each by itself; an empty one equals none, and counts have no order."""
    found = rows_by_pane({(key or b"").decode(): orjson.loads(value) for key, value in panes.items() if value is not None})
    return {
        key: value
        for key, value in found.items()
        if value.get("counts", True) and not (value["kind"] == "now" and not value["waiting_since_ms"] and not value["in_progress"])
    }


class TestForgetting:
    """What is over takes no room."""

    def test_a_closed_conversation_leaves_a_tombstone(self) -> None:
        """An hour after its last event a closed conversation is deleted with a tombstone; one that still waits is stored."""
        stage = contacts(FORGETFUL)
        stage.process(
            [
                record(event("contact.queued", 0, queue="A")),
                record(event("contact.ended", 60)),
                record(event("contact.queued", 0, queue="A", conversation_id="waiting")),
                beat(60),
            ]
        )
        stage.collect()
        stage.process([beat(60 + 3_600)])
        still = dict(stage.collect().rows)
        stage.process([beat(60 + 3_600.001)])
        then = dict(stage.collect().rows)

        assert b"s|c1\x1ftest" not in still
        assert then[b"s|c1\x1ftest"] is None
        assert set(stage.tracker.conversations) == {"waiting\x1ftest"}

    def test_a_conversation_with_new_events_is_stored(self) -> None:
        """The hour restarts with every event."""
        stage = contacts(FORGETFUL)
        stage.process([record(event("contact.queued", 0, queue="A")), record(event("contact.ended", 60))])
        stage.process([record(event("contact.wrapped_up", 100)), beat(60 + 3_601)])
        stage.collect()
        kept = set(stage.tracker.conversations)
        stage.process([beat(100 + 3_601)])
        stage.collect()

        assert (kept, set(stage.tracker.conversations)) == ({"c1\x1ftest"}, set())

    def test_after_a_restart(self) -> None:
        """A restarted stage gives up what it has read, too."""
        before, after = contacts(FORGETFUL), contacts(FORGETFUL)
        before.process([record(event("contact.queued", 0, queue="A")), record(event("contact.ended", 60)), beat(60)])
        after.restore("state", rows_of(before.collect(), {}).items())
        after.process([beat(60 + 3_601)])

        assert dict(after.collect().rows)[b"s|c1\x1ftest"] is None

    def test_a_day_leaves_a_bounded_state(self) -> None:
        """Eight hours of a contact every four seconds leave the conversations of one hour, and the retained slices."""
        stage = contacts(FORGETFUL)
        for hour in range(8):
            stage.process([each for number in range(900) for each in _contact(hour * 900 + number)])
            for part in range(4):
                stage.process([beat(hour * 3_600 + 900 * (part + 1))])
                stage.collect()
        tracker = stage.tracker

        # Complete through 28,800 s; what ended at 28,800 - 3,600 = 25,200 s or later is kept. Number n ends at 4 n + 70 s, so those from
        # 6,283 (25,202 s) to 7,199 (28,866 s): 917, the last hour's 900 and 17 that end after what is complete.
        assert len(tracker.conversations) == 7_199 - 6_283 + 1
        # Panes of 60 min + 180 s + 120 s = 65 min: 390, and the 7 from 28,800 s to the one of 28,866 s, when the last contact ends;
        # by offer the cells of 8 h, all younger than 51 h: 32; all in two scopes. What ann handled counts in her team, site, business
        # and in total: the same panes, and by outcome the cells of 8 h and the one of 28,866 s: 33.
        assert len(tracker.slices) == 2 * (390 + 7 + 32) + 4 * (390 + 7 + 33)

    def test_a_contact_in_flight_takes_little_room(self) -> None:
        """A contact that waits takes at most 1 KiB, everything counted: the names it came with, its facts, where it waits."""
        stage = contacts()
        events = [record(value) for number in range(4_002) for value in _entry(number)]
        stage.process(events[:4])
        stage.collect()
        gc.collect()  # empties the interpreter's lists of free objects: taking from them would count as nothing
        tracemalloc.start()
        try:
            stage.process(events[4:])
            stage.collect()
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        each = taken / 4_000
        print(f"{each:.0f} bytes a waiting contact")  # noqa: T201 - shown with -s
        assert each <= 1_024


def _entry(number: int) -> tuple[bytes, bytes]:
    name = f"1755561230.{number:06d}"
    return (
        event("contact.arrived", number / 100, conversation_id=name, event_id=f"pbx-1:{name}:1", channel="voice", direction="inbound"),
        event("contact.queued", number / 100, conversation_id=name, event_id=f"pbx-1:{name}:2", queue="Orders 注文受付"),
    )


def _contact(number: int) -> Iterable[Any]:
    at, name = 4 * number, f"n{number}"
    steps = [("arrived", 0, {"channel": "voice"}), ("queued", 0, {"queue": "Z"}), ("answered", 10, {"agent": "ann"}), ("ended", 70, {})]
    for kind, after, fields in steps:
        text = format_ms(START_MS + 1000 * (at + after))
        value = {"type": f"contact.{kind}", "event_id": f"{name}.{kind}", "occurred_at": text, "received_at": text, "source": "test"}
        yield record(orjson.dumps({**value, "conversation_id": name, **fields}))


class TestCatchingUp:
    """A flush over hours of events writes what is still asked for."""

    def test_no_panes_are_written_that_no_window_reaches(self) -> None:
        """Five hours in one flush: panes are those of the last minutes, no tombstone is written without a pane; intervals have all."""
        stage, people = contacts(), AgentStage(0, CONFIGURATION, TOPICS)
        hours = range(0, 5 * 3_600, 600)
        calls = [event("contact.queued", at, queue="A", conversation_id=f"c{at}") for at in hours]
        calls += [event("contact.answered", at + 5, queue="A", agent="ann", conversation_id=f"c{at}") for at in hours]
        states = [event("agent.state_changed", at, axis="activity", state=("busy", "idle")[at % 1200 // 600]) for at in hours]
        stage.process([*map(record, sorted(calls, key=lambda each: orjson.loads(each)["occurred_at"])), beat(hours.stop)])
        people.process([*map(record, states), beat(hours.stop)])

        # By default they reach 60 minutes back, and events may be late: 60 min + 180 s + 120 s.
        oldest_ms = ms(hours.stop) - 65 * 60_000
        # 30 contacts are offered; of 600 s each, half of 30 are busy.
        for flush, kind, field, total in (
            (stage.collect(), b"cohort", "offered", 30),
            (people.collect(), b"cell", "handling_ms", 9_000_000),
        ):
            written = [(key.split(b"|"), value) for key, value in flush.rows if key.startswith((b"pane|", b"cell|", b"cohort|"))]
            panes = [int(parts[4]) for parts, _ in written if parts[0] == b"pane"]
            counted = [value for parts, value in written if parts[0] == kind and parts[5] == b"total:all"]
            assert oldest_ms <= min(panes) < max(panes) < ms(hours.stop)
            assert all(value is not None for _, value in written)
            assert sum(orjson.loads(value)["counts"].get(field, 0) for value in counted if value is not None) == total


class TestContracts:
    """What the stages write is what the schemas promise."""

    def test_every_record_fits_its_model(self) -> None:
        """Panes of contacts and people, now, progress, windows: the models accept them all, with every field."""
        agents = AgentStage(0, CONFIGURATION, TOPICS._replace(source="agents"))
        people = [
            record(event("agent.state_changed", 0, axis="activity", state="busy")),
            record(event("agent.state_changed", 30, axis="activity", state="idle")),
            beat(100),
        ]
        track = contacts()
        track.process([*STORY, beat(100)])
        agents.process(people)
        outputs = [*track.collect().outputs, *agents.collect().outputs]
        rollup = RollUpStage(0, CONFIGURATION, ROLL_UP._replace(agent_events="agents"))
        rollup.process([record(output.value, key=output.key) for output in outputs])
        pane, metric = TypeAdapter[Any](PaneRecord), TypeAdapter[Any](MetricRecord)

        kinds: set[str] = set()
        written = [(pane, output.value) for output in outputs] + [(metric, output.value) for output in rollup.collect().outputs]
        for model, value in written:
            expected = orjson.loads(value or b"")
            kinds.add(expected["kind"])
            taken = model.validate_json(value or b"").model_dump(mode="json")

            assert {name: content for name, content in taken.items() if name in expected} == expected
        assert kinds == {"pane", "cell", "cohort", "now", "progress", "window"}
