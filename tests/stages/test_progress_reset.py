"""Times of senders and operators, and how far they move a stage: never beyond the append, and back on an operator's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.operator import ProgressReset, encode_order
from schemas.times import format_ms, from_ms
from streams.stages.rollup import RollUpStage
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from tests.stages.test_track import ROLL_UP, rows_of
from tests.tracking.harness import CONFIGURATION, event, ms, record

if TYPE_CHECKING:
    from streams.engine.stage import Flush

HOUR = 3_600
TOPICS = TrackTopics("contacts", "panes", 1, "dead", "group", lambda: 0)


def at(appended: float, value: bytes) -> Any:
    """Return a record that the broker appended at a second."""
    return record(value, timestamp=ms(appended))


def beat(appended: float, complete: float | None = None, received: float | None = None) -> Any:
    """Return a heartbeat, by default complete up to its receipt."""
    received = appended if received is None else received
    complete_through = format_ms(ms(received if complete is None else complete))
    return at(appended, event("source.heartbeat", received, complete_through=complete_through))


def reset(appended: float, to: float | None = None) -> Any:
    """Return an operator's order."""
    order = ProgressReset(event_id="r1", occurred_at=from_ms(ms(appended)), to=from_ms(ms(appended if to is None else to)))
    return at(appended, encode_order(order))


def progress(flush: Flush) -> dict[str, Any]:
    """Return the progress that a flush publishes."""
    (found,) = [orjson.loads(output.value or b"") for output in flush.outputs if (output.key or b"").startswith(b"progress|")]
    return dict(found)


def dead(flush: Flush) -> list[str]:
    """Return the reasons of the dead letters."""
    return [dict(output.headers)["dead-letter-reason"].decode() for output in flush.outputs if output.topic == "dead"]


class TestBound:
    """Times of a record, bounded by its append."""

    def test_a_gateway_whose_clock_is_ahead_loses_nothing_and_moves_nothing(self) -> None:
        """Received 270 s ahead, an event counts; as-of and progress are at the broker's clock, the heartbeat's too."""
        stage = ContactStage(0, CONFIGURATION, TOPICS)
        stage.process([at(1, event("contact.queued", 0, received=271, queue="A")), beat(2, received=272, complete=270)])
        flush = stage.collect()

        reported = progress(flush)
        assert (reported["received_through_ms"], reported["progress_ms"]) == (ms(2), ms(2))
        assert dead(flush) == []
        visit = stage.tracker.conversations["c1\x1ftest"].state.visit
        assert visit is not None
        assert visit.entered == ms(0)
        assert stage.tracker.late == 0

    @pytest.mark.parametrize("complete", [3.0, 9.0 * HOUR, 60 * 365 * 24 * HOUR])
    def test_a_heartbeat_of_the_future_is_a_dead_letter(self, complete: float) -> None:
        """Earlier state continues with true times."""
        stage = ContactStage(0, CONFIGURATION, TOPICS)
        stage.process([at(0, event("contact.queued", 0, queue="A")), beat(0), beat(0.5, complete=0.5 + complete)])
        flush = stage.collect()

        assert dead(flush) == ["complete_through_in_future"]
        assert progress(flush)["progress_ms"] == ms(0)

    def test_two_clocks_ahead_do_not_add_up(self) -> None:
        """An event that occurred more than 5 minutes after its append is refused, though neither clock is that far ahead of the next."""
        stage = ContactStage(0, CONFIGURATION, TOPICS)
        stage.process([at(0, event("contact.queued", 480, received=240, queue="A"))])

        assert dead(stage.collect()) == ["time_in_future"]

    def test_two_clocks_that_are_kept_differ_a_little(self) -> None:
        """Up to two seconds after its receipt count as now."""
        stage = ContactStage(0, CONFIGURATION, TOPICS)
        stage.process([beat(10, complete=12)])
        flush = stage.collect()

        assert (dead(flush), progress(flush)["progress_ms"]) == ([], ms(10))


class TestReset:
    """An operator resets progress that an older version moved too far."""

    def test_state_before_the_instant_stays(self) -> None:
        """Where nothing lies beyond, an order changes nothing."""
        stage, other = ContactStage(0, CONFIGURATION, TOPICS), ContactStage(0, CONFIGURATION, TOPICS)
        story = [at(0, event("contact.queued", 0, queue="A", event_id="q")), beat(5)]
        stage.process(story)
        other.process([*story, reset(6)])

        ours, theirs = stage.collect(), other.collect()
        assert [output for output in ours.outputs if b"progress|" not in (output.key or b"")] == [
            output for output in theirs.outputs if b"progress|" not in (output.key or b"")
        ]
        assert progress(ours)["progress_ms"] == progress(theirs)["progress_ms"] == ms(5)

    def test_a_call_that_was_lost_only_beyond_waits_again(self) -> None:
        """Progress 9 h ahead lost a call that waits; set back, it waits, is answered and counts, and nothing is left where it was lost."""
        stage = ContactStage(0, CONFIGURATION, TOPICS)
        stage.process([at(0, event("contact.queued", 0, queue="A"))])
        stage.tracker.watermark.heartbeat("test", ms(0), ms(9 * HOUR))
        rows = rows_of(stage.collect(), {})
        lost = orjson.loads(rows[b"m"])
        assert lost["lost_to"] == ms(9 * HOUR)

        after = ContactStage(0, CONFIGURATION, TOPICS)
        after.restore("state", rows.items())
        after.process([reset(30), at(31, event("contact.answered", 30, agent="ann")), beat(40)])
        flush = after.collect()

        assert progress(flush)["progress_ms"] == ms(40)
        cells = {
            orjson.loads(row)["start_ms"]: orjson.loads(row)["counts"]
            for key, row in rows_of(flush, rows).items()
            if key.startswith(b"cohort|voice|") and key.endswith(b"queue:A")
        }
        assert {start: counts for start, counts in cells.items() if any(counts.values())}.keys() == {ms(0)}
        assert (cells[ms(0)]["offered"], cells[ms(0)]["answered"]) == (1, 1)
        assert not cells[ms(0)].get("lost_contacts")

    def test_time_booked_beyond_is_reversed(self) -> None:
        """Ann is idle from 0 on; progress went 9 h ahead, is set back at 60 s, and comes to 120 s: two minutes, as if never ahead."""
        rows: dict[bytes, bytes] = {}
        stage = AgentStage(0, CONFIGURATION, TOPICS)
        stage.process([at(0, event("agent.state_changed", 0, axis="routing", state="idle"))])
        stage.tracker.watermark.heartbeat("test", ms(0), ms(9 * HOUR))
        rows_of(stage.collect(), rows)

        after = AgentStage(0, CONFIGURATION, TOPICS)
        after.restore("state", rows.items())
        after.process([reset(60)])
        rows_of(after.collect(), rows)
        after.process([beat(120)])
        rows_of(after.collect(), rows)

        cells = [orjson.loads(row) for key, row in rows.items() if key.startswith(b"cell|-|") and key.endswith(b"team:red")]
        assert {cell["start_ms"]: cell["counts"]["idle_ms"] for cell in cells if cell["counts"].get("idle_ms")} == {ms(0): 120_000}

    def test_a_new_state_counts_again(self) -> None:
        """Beyond it, ann's events are late; after the reset they are not."""
        rows: dict[bytes, bytes] = {}
        stage = AgentStage(0, CONFIGURATION, TOPICS)
        stage.process([at(0, event("agent.state_changed", 0, axis="routing", state="idle"))])
        stage.tracker.watermark.heartbeat("test", ms(0), ms(9 * HOUR))
        rows_of(stage.collect(), rows)

        after = AgentStage(0, CONFIGURATION, TOPICS)
        after.restore("state", rows.items())
        after.process([reset(60), at(90, event("agent.state_changed", 90, axis="presence", state="offline")), beat(120)])
        rows_of(after.collect(), rows)

        assert after.tracker.late == 0
        cells = [orjson.loads(row) for key, row in rows.items() if key.startswith(b"cell|-|") and key.endswith(b"team:red")]
        assert {cell["start_ms"]: cell["counts"]["idle_ms"] for cell in cells if cell["counts"].get("idle_ms")} == {ms(0): 90_000}


class TestWindows:
    """What roll-up serves of a stream whose progress was set back."""

    @pytest.mark.parametrize("ahead", [9 * HOUR, 73 * 365 * 24 * HOUR])
    @pytest.mark.parametrize("restart", [False, True])
    def test_figures_continue(self, ahead: int, restart: bool) -> None:
        """As-of and completeness are set back, waiting is served as it is, later contacts count in every window; no window lies ahead."""
        center = Center()
        center.apply(at(0, event("contact.queued", 0, queue="A")), beat(1))
        assert center.day("queue:A")["counts"]["offered"] == 1
        center.track.tracker.watermark.heartbeat("test", ms(1), ms(ahead))
        center.track.tracker.watermark.received("test", ms(ahead))
        center.apply()
        assert center.latest["progress|0"]["complete_through"] == format_ms(ms(ahead))
        if restart:
            center.restart()
        center.apply(reset(20))
        center.apply(at(30, event("contact.queued", 30, queue="A", conversation_id="c2")), beat(40))

        assert center.latest["progress|0"]["as_of"] == center.latest["progress|0"]["complete_through"] == format_ms(ms(40))
        assert max(each["as_of"] for each in center.latest.values() if each["kind"] != "definition") == format_ms(ms(40))
        # 73 years ahead no contact waits and all panes and cells have expired; 9 h ahead the call is lost and the panes have expired.
        kept = ahead == 9 * HOUR
        assert center.latest["now|voice|queue:A"]["waiting"] == 1 + kept
        assert center.latest["window|trailing_15m|voice|queue:A"]["kpis"]["offered"]["value"] == 1
        assert center.day("queue:A")["counts"]["offered"] == 1 + kept
        assert not center.day("queue:A")["counts"].get("lost_contacts")
        assert all(each["window_start"] <= format_ms(ms(40)) for each in center.latest.values() if each["kind"] == "window")

    def test_the_same_as_never_ahead(self) -> None:
        """Counting from the reset on gives the same records as without it, if no pane was dropped meanwhile."""
        ahead, straight = Center(), Center()
        before = [at(0, event("contact.queued", 0, queue="A", event_id="q1")), beat(1)]
        after = [at(30, event("contact.answered", 30, agent="ann", event_id="a1")), beat(400)]
        for center in (ahead, straight):
            center.apply(*before)
        ahead.track.tracker.watermark.heartbeat("test", ms(1), ms(1_500))
        ahead.apply()
        for center in (ahead, straight):
            center.apply(reset(20))
            center.apply(*after)

        ignored = ("as_of", "complete_through", "revision")
        ours, theirs = (
            {
                key: {name: part for name, part in each.items() if name not in ignored}
                for key, each in center.latest.items()
                if "voice" in key
            }
            for center in (ahead, straight)
        )
        assert ours == theirs


class Center:
    """A contact stage and its roll-up, and what the latest topic holds."""

    def __init__(self) -> None:
        self.track = ContactStage(0, CONFIGURATION, TOPICS)
        self.roll_up = RollUpStage(0, CONFIGURATION, ROLL_UP)
        self.rows: dict[bytes, bytes] = {}
        self.panes: dict[bytes, bytes] = {}
        self.latest: dict[str, dict[str, Any]] = {}

    def apply(self, *records: Any) -> None:
        """Process a chunk in both."""
        if records:
            self.track.process(records)
        flush = self.track.collect()
        rows_of(flush, self.rows)
        panes = [output for output in flush.outputs if output.topic == "panes"]
        for output in panes:
            _put(self.panes, output.key or b"", output.value)
        self.roll_up.process([record(output.value, key=output.key) for output in panes])
        for output in self.roll_up.collect().outputs:
            if output.topic == "latest":
                key = (output.key or b"").decode()
                _put(self.latest, key, None if output.value is None else orjson.loads(output.value))

    def restart(self) -> None:
        """Restart from stored rows."""
        self.track = ContactStage(0, CONFIGURATION, TOPICS)
        self.track.restore("state", self.rows.items())
        self.roll_up = RollUpStage(0, CONFIGURATION, ROLL_UP)
        self.roll_up.restore("latest", [(key.encode(), orjson.dumps(value)) for key, value in self.latest.items()])
        self.roll_up.restore("panes", self.panes.items())

    def day(self, scope: str) -> dict[str, Any]:
        """Return the only record of a day of a scope."""
        (found,) = [value for key, value in self.latest.items() if key.startswith(f"window|day|voice|{scope}|")]
        return found


def _put(into: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value


def test_bookings_in_the_future_hold_no_scope() -> None:
    """Set back, a scope expires by bookings before and since; one with later events stays."""
    stage = ContactStage(0, CONFIGURATION, TOPICS)
    far = 500 * HOUR
    for name in ("gone", "lives"):
        stage.process([at(far, event("contact.not_offered", far, conversation_id=name, channel="voice", site=name)), beat(far)])
    stage.collect()
    stage.process([reset(10)])
    stage.collect()
    stage.process([at(20, event("contact.not_offered", 20, conversation_id="more", channel="voice", site="lives")), beat(30)])
    stage.collect()
    reported: dict[bytes | None, bytes | None] = {}
    for hour in (100, 168, 171):
        more = event("contact.not_offered", hour * HOUR, conversation_id=f"h{hour}", channel="voice", site="lives")
        stage.process([at(hour * HOUR, more), beat(hour * HOUR)])
        reported.update({output.key: output.value for output in stage.collect().outputs})
    assert reported[b"now|voice|contacts|0|-|site:gone"] is None
    assert b"now|voice|contacts|0|-|site:lives" not in reported
