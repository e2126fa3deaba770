"""Agents' time by state, calculated by hand; seconds count from 09:00:00."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.decoding import decode_agent_event
from streams.configuration import Configuration
from streams.stages.track import AgentStage, TrackTopics
from streams.tracking.agent_states import Categories, Reported
from tests.tracking.harness import CONFIGURATION, People, event, ms, record

if TYPE_CHECKING:
    from streams.engine.stage import Flush


def state(seconds: float, axis: str, name: str, **fields: Any) -> bytes:
    """Return a change of ann's state."""
    return event("agent.state_changed", seconds, axis=axis, state=name, **fields)


class TestCategory:
    """From three axes to one category."""

    @pytest.mark.parametrize(
        ("presence", "routing", "activity", "expected"),
        [
            ("", "", "", None),
            ("Logged Out", "Interacting", "Busy", "offline"),
            ("Lunch", "", "On Call", "handling"),
            ("Available", "Interacting", "Wrap-Up", "wrap_up"),
            ("Available", "Communicating", "Idle", "handling"),
            ("Lunch", "Idle", "Idle", "unavailable"),
            ("On Queue", "Not Responding", "Idle", "unavailable"),
            ("On Queue", "Off Queue", "", "unavailable"),
            ("Online", "Idle", "", "idle"),
            ("Online", "", "Ringing", "idle"),
            ("", "", "After Contact Work", "wrap_up"),
            ("Ready", "", "", "available"),
            ("", "Ready", "", "idle"),
            ("", "something new", "", "unavailable"),
            ("", "", "something new", "handling"),
        ],
    )
    def test_the_first_that_holds(self, presence: str, routing: str, activity: str, expected: str | None) -> None:
        """The rules of the page are tried in its order; names are taken without regard to case, spaces and dashes."""
        states = Categories(Configuration())
        axes = {"presence": presence, "routing": routing, "activity": activity}

        categories = {axis: states.category(axis, name) if name else "" for axis, name in axes.items()}

        assert Reported(categories["presence"], categories["routing"], categories["activity"]).category() == expected

    def test_a_configured_state(self) -> None:
        """The operator's word for a state counts before the rule for all others."""
        states = Categories(Configuration.model_validate({"agent_state_map": {"activity": {"Coffee Break": "idle"}}}))

        assert states.category("activity", "coffee-break") == "idle"
        assert states.category("activity", "ringing") == "idle"
        assert states.category("activity", "tea break") == "handling"


class TestTime:
    """Time is booked pane by pane, as progress passes their ends."""

    def test_across_panes(self) -> None:
        """A state from 3 to 27 s fills two panes in part and one whole, and the next state the rest."""
        people = People()
        people.apply(state(3, "activity", "busy"), state(27, "activity", "idle"), through=40)

        # handling: 3-10, 10-20, 20-27; idle: 27-30, 30-40.
        assert people.starts("total:all", "handling_ms", None) == {0: 7_000, 10: 10_000, 20: 7_000}
        assert people.starts("total:all", "idle_ms", None) == {20: 3_000, 30: 10_000}
        assert people.starts("total:all", "handling_ms", None, "cell") == {0: 24_000}

    def test_not_before_progress_has_passed(self) -> None:
        """A pane whose end progress has not reached holds nothing yet."""
        people = People()
        people.apply(state(0, "activity", "busy"), through=29.999)
        before = people.starts("total:all", "handling_ms", None)
        people.apply(through=30)

        assert before == {0: 10_000, 10: 10_000}
        assert people.starts("total:all", "handling_ms", None) == {0: 10_000, 10: 10_000, 20: 10_000}

    def test_across_cells(self) -> None:
        """From 14:50 past the hour to 15:20 past it: 10 s in the one quarter, 20 s in the next."""
        people = People()
        people.apply(state(890, "activity", "busy"), state(920, "activity", "idle"), through=920)

        assert people.starts("total:all", "handling_ms", None, "cell") == {0: 10_000, 900: 20_000}

    def test_offline_agents_are_not_shown(self) -> None:
        """Time offline is not booked, nor is a person who is offline among the people there."""
        people = People()
        people.apply(state(0, "activity", "busy"), state(10, "presence", "offline"), through=60)

        assert people.sums("total:all", None, "pane") == {"handling_ms": 10_000}
        assert people.now()["total:all"] == {}

    def test_a_correction_of_what_is_booked(self) -> None:
        """A state reported after its time was booked takes that time from the state before."""
        people = People()
        people.apply(state(0, "activity", "busy"), through=60)
        people.apply(state(12, "activity", "wrap-up", received=61), state(45, "activity", "idle", received=61), through=61)

        # handling 0-12, wrap-up 12-45, idle 45-60.
        assert people.sums("total:all", None, "pane") == {"handling_ms": 12_000, "wrap_up_ms": 33_000, "idle_ms": 15_000}
        assert people.starts("total:all", "wrap_up_ms", None) == {10: 8_000, 20: 10_000, 30: 10_000, 40: 5_000}

    @pytest.mark.parametrize("second_first", [False, True])
    def test_several_states_within_an_instant(self, second_first: bool) -> None:
        """The last by sequence holds, in whatever order they come; they take no time, and nothing is put off for them."""
        people = People()
        states = [state(12, "activity", "wrap-up", sequence=1), state(12, "activity", "idle", sequence=2)]
        for value in (state(0, "activity", "busy"), *(reversed(states) if second_first else states)):
            people.tracker.apply(decode_agent_event(value))
        put_off = set(people.tracker._with_deferred)
        people.apply(state(25, "activity", "busy"), through=40)

        # handling 0-12 and 25-40, idle 12-25.
        assert people.sums("total:all", None, "pane") == {"handling_ms": 27_000, "idle_ms": 13_000}
        assert people.starts("total:all", "idle_ms", None) == {10: 8_000, 20: 5_000}
        assert put_off == set()

    def test_repeats(self) -> None:
        """A repeated state is counted as a repeat and counts once."""
        people = People()
        busy = state(0, "activity", "busy")
        people.apply(busy, busy, through=10)

        assert people.sums("total:all", None, "pane") == {"handling_ms": 10_000}
        assert people.tracker.repeated == 1


class TestPlaces:
    """Where a person's time counts."""

    def test_the_configured_team(self) -> None:
        """Without a word in the events it is the configuration's team, with that team's site and business."""
        people = People()
        people.apply(state(0, "activity", "busy"), through=10)

        assert people.scopes() == {"team:red", "site:bonn", "business:acme", "total:all"}

    def test_a_team_named_later(self) -> None:
        """From the event on that names it, time counts in the new team, before it in the old one."""
        people = People()
        people.apply(state(0, "activity", "busy"), event("agent.skills_changed", 20, team="blue"), through=50)

        assert people.sums("team:red", None, "pane") == {"handling_ms": 20_000}
        # The configuration places ann in red: there her contacts count.
        assert people.sums("team:blue", None, "pane") == {"handling_ms": 30_000, "unattributed_ms": 30_000}
        assert people.sums("total:all", None, "pane") == {"handling_ms": 50_000}
        now = people.now()
        assert (now["team:red"], now["site:bonn"], now["business:acme"]) == ({}, {}, {})
        assert now["team:blue"] == now["total:all"] == {"handling": 1}

    def test_an_unknown_person(self) -> None:
        """Without a team the time counts in the total alone."""
        people = People()
        people.apply(state(0, "routing", "idle", person_id="zoe"), through=10)

        assert people.scopes() == {"total:all"}


class TestLate:
    """Events beyond the grace."""

    def test_late_states_are_no_facts(self) -> None:
        """A state of second 5 that comes after 130 s changes nothing but the count of late events."""
        people = People()
        people.apply(state(0, "activity", "busy"), through=100)
        people.apply(state(5, "activity", "idle", received=130.001), through=130)

        assert people.sums("total:all", None, "pane") == {"handling_ms": 130_000, "late_events": 1}
        assert people.tracker.late == 1

    @pytest.mark.parametrize(
        "late",
        [
            event("agent.heartbeat", 5, received=131),
            event("schedule.planned", 5, received=131, activity="work", start="2026-06-15T09:00:00Z", end="2026-06-15T17:00:00Z"),
        ],
    )
    def test_late_events_that_change_no_state_were_not_counted(self, late: bytes) -> None:
        """Every late event counts as late, those of kinds that change no state too."""
        people = People()
        people.apply(late, through=131)

        assert people.tracker.late == 1
        assert people.starts("total:all", "late_events", None) == {130: 1}


class TestRestored:
    """Time continues after a restart as if there had been none."""

    def test_as_if_nothing_had_happened(self) -> None:
        """Rows taken after a first part, read into a new stage, lead to the same panes as one uninterrupted run."""
        first = [
            state(0, "presence", "available"),
            state(4, "activity", "busy", team="blue"),
            state(250, "activity", "wrap-up"),
            event("source.heartbeat", 300, complete_through="2026-06-15T09:05:00Z"),
        ]
        second = [
            state(240, "routing", "off queue", received=301),
            state(310, "activity", "idle"),
            event("source.heartbeat", 400, complete_through="2026-06-15T09:06:40Z"),
        ]
        whole, before, after = (AgentStage(0, CONFIGURATION, TrackTopics("s", "panes", 1, "dead", "g", lambda: 0)) for _ in range(3))
        rows: dict[bytes, bytes] = {}
        expected: dict[bytes | None, bytes | None] = {}
        found: dict[bytes | None, bytes | None] = {}

        def written(flush: Flush, into: dict[bytes | None, bytes | None]) -> None:
            into.update({output.key: output.value for output in flush.outputs if output.key is not None and b"now|" not in output.key})

        for part in (first, second):
            whole.process([record(value) for value in part])
            written(whole.collect(), expected)
        before.process([record(value) for value in first])
        flush = before.collect()
        written(flush, found)
        rows.update({key: value for key, value in flush.rows if value is not None})
        after.restore("state", rows.items())
        after.process([record(value) for value in second])
        written(after.collect(), found)

        assert found == expected
        assert after.tracker.booked_to == ms(400)


class TestSilence:
    """Silent agents, with a timeout of ten minutes and an hour until they are forgotten."""

    SILENT = CONFIGURATION.model_copy(
        update={"counting": CONFIGURATION.counting.model_copy(update={"person_timeout_seconds": 600, "closed_retention_seconds": 3_600})}
    )

    def test_from_that_instant(self) -> None:
        """Ten minutes after the last event a person is stale: no time is booked any more, and no count includes them."""
        people = People(self.SILENT)
        people.apply(event("agent.state_changed", 5, axis="routing", state="idle"), through=605)
        before = people.now()["team:red"]
        people.apply(through=700)

        assert before == {"idle": 1}
        assert people.now()["team:red"] == {"stale": 1}
        assert people.sums("team:red", None, "pane") == {"idle_ms": 600_000}
        assert people.starts("team:red", "idle_ms", None)[600] == 5_000

    def test_every_event_is_a_sign_of_life(self) -> None:
        """A heartbeat puts it off, and brings back who is stale: with the state last known, but without the time between."""
        people = People(self.SILENT)
        people.apply(
            event("agent.state_changed", 0, axis="routing", state="idle"),
            event("agent.heartbeat", 500),
            event("agent.heartbeat", 2_000),
            through=2_100,
        )

        assert people.now()["team:red"] == {"idle": 1}
        # From 0 to 1,100 s and from 2,000 to 2,100 s.
        assert people.sums("team:red", None, "pane") == {"idle_ms": 1_200_000}

    def test_an_offline_agent_is_not_stale(self) -> None:
        """Offline agents are not expected to send events."""
        people = People(self.SILENT)
        people.apply(event("agent.state_changed", 0, axis="presence", state="offline"), through=1_000)

        assert people.now() == {}

    def test_a_sign_of_life_within_the_grace(self) -> None:
        """It is booked as if it had come at once, and who was thought stale is not."""
        people = People(self.SILENT)
        people.apply(event("agent.state_changed", 0, axis="routing", state="idle"), through=650)
        stale = people.now()["team:red"]
        people.apply(event("agent.heartbeat", 590, received=660), through=660)

        assert (stale, people.now()["team:red"]) == ({"stale": 1}, {"idle": 1})
        assert people.sums("team:red", None, "pane") == {"idle_ms": 660_000}

    def test_forgotten(self) -> None:
        """An hour after a person became stale, or was last seen offline, and the grace, nothing is left; a later event starts again."""
        people = People(self.SILENT)
        people.apply(
            event("agent.state_changed", 0, axis="presence", state="ready", team="blue"),
            event("agent.state_changed", 0, axis="presence", state="offline", person_id="bo"),
            through=3_600,
        )
        first = set(people.tracker.agents)
        people.apply(through=3_750)
        second = set(people.tracker.agents)
        people.apply(through=4_200)
        third = set(people.tracker.agents)
        kept = dict(people.tracker.changed_agents())
        people.apply(through=4_210)
        people.apply(event("agent.state_changed", 4_215, axis="routing", state="idle"), through=4_220)

        assert (first, second, third) == ({"ann\x1ftest", "bo\x1ftest"}, {"ann\x1ftest"}, {"ann\x1ftest"})
        assert kept["bo\x1ftest"] is None
        assert people.now()["team:red"] == {"idle": 1}

    def test_forgotten_before_progress_has_passed_it(self) -> None:
        """Whether the next event is known before or after the person is forgotten, the same is counted."""
        booked: list[dict[str, int]] = []
        for through in (10, 9_000):
            people = People(self.SILENT)
            people.apply(event("agent.state_changed", 0, axis="presence", state="offline", team="blue"), through=through)
            people.apply(event("agent.state_changed", 9_000, axis="routing", state="idle"), through=9_000)
            people.apply(through=9_060)
            booked.append(people.sums("team:red", None, "pane"))

        assert booked == [{"idle_ms": 60_000}] * 2

    def test_agents_that_a_snapshot_does_not_list(self) -> None:
        """Nothing is known of them from its instant on, until their next state; listed agents and those of other sources are unaffected."""
        people = People(self.SILENT)
        people.apply(
            event("agent.state_changed", 0, axis="routing", state="idle"),
            event("agent.state_changed", 0, axis="routing", state="idle", person_id="bo"),
            event("agent.state_changed", 0, axis="routing", state="idle", person_id="cy", source="other"),
            through=30,
        )
        people.tracker.snapshot(decode_agent_event(event("source.snapshot", 40, kind="agents", open_ids=["bo"])))
        people.apply(through=110)
        gone = people.now()["total:all"]
        people.apply(event("agent.state_changed", 120, axis="routing", state="idle"), through=130)

        assert gone == {"idle": 2}
        assert people.now()["total:all"] == {"idle": 3}
        # Ann from 0 to 40 s and from 120 to 130 s.
        assert people.sums("team:red", None, "pane") == {"idle_ms": 50_000}
