"""People now: by hand, and against the oracle's recount of random worlds."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.agent import AgentModel, SchedulePlanned
from schemas.events import encode
from schemas.times import parse_time_ms, to_ms
from streams.configuration import Configuration
from streams.explaining import Floor
from tests.oracle.people import follow
from tests.oracle.places import has_own_figures
from tests.oracle.spaces import as_known_in, person_of
from tests.oracle.worlds import random_world

if TYPE_CHECKING:
    from streams.explaining.floor import AgentStatus

#: A person is stale after two minutes, so that it fits a short story; ann and cho are at a site that permits their figures.
CONFIGURATION = Configuration.model_validate(
    {
        "counting": {"person_timeout_seconds": 120, "closed_retention_seconds": 600, "grace_seconds": 60, "rejoin_seconds": 10},
        "sites": {"bonn": {"zone": "UTC", "individual_figures": True}, "kiel": {"zone": "UTC"}},
        "teams": {"north": {"site": "bonn"}},
        "people": {"ann": {"team": "north"}, "bo": {"site": "kiel"}, "cho": {"site": "bonn"}},
    }
)
DAY_MS = parse_time_ms("2026-03-02T00:00:00Z")


def at(time: str) -> int:
    """Return an instant of the day."""
    return parse_time_ms(f"2026-03-02T{time}Z")


def event(kind: str, time: str, person: str = "ann", **more: Any) -> dict[str, Any]:
    """Return an event that was received when it occurred."""
    occurred = f"2026-03-02T{time}.000Z"
    common = {"event_id": f"{person}-{kind}-{time}-{more.get('axis')}", "source": "pbx", "person_id": person}
    return {"type": f"agent.{kind}", "occurred_at": occurred, "received_at": occurred, **common, **more}


def state(time: str, axis: str, name: str, person: str = "ann", **more: Any) -> dict[str, Any]:
    """Return a change of state."""
    return event("state_changed", time, person, axis=axis, state=name, **more)


#: Ann signs in, takes a call of a minute and a half, wraps up for thirty seconds, goes to lunch, comes back to another axis' lunch of no
#: word, and falls silent.
STORY = [
    state("09:00:00", "presence", "Ready"),
    event("skills_changed", "09:00:01", queues=["sales", "claims"]),
    state("09:00:30", "routing", "idle"),
    state("09:01:00", "routing", "interacting"),
    state("09:02:30", "activity", "After-contact work"),
    state("09:02:30", "routing", "idle"),
    state("09:03:00", "activity", "idle"),
    state("09:03:20", "presence", "Not Ready", reason="lunch"),
    event("heartbeat", "09:04:00"),
    event("heartbeat", "09:05:00"),
    event("heartbeat", "09:06:30"),
]


def floor_of(events: list[dict[str, Any]], configuration: Configuration = CONFIGURATION) -> Floor:
    """Return the floor that has taken these events."""
    floor = Floor(configuration)
    for event in events:
        floor.take(orjson.dumps(event), parse_time_ms(event["received_at"]))
    return floor


def statuses_by_name(floor: Floor, time: str) -> dict[str, AgentStatus]:
    """Return the states of agents at an instant, by name."""
    return {each.person: each for each in floor.statuses(at(time), {None: DAY_MS, "bonn": DAY_MS})}


def now(floor: Floor, time: str, person: str = "ann") -> tuple[Any, ...]:
    """Return state, word, reason and the seconds in it."""
    found = statuses_by_name(floor, time)[person].now
    return found.state, found.word, found.reason, (found.end_ms - found.start_ms) / 1000


def test_what_a_person_does_why_and_since_when() -> None:
    """By hand, at each step; a heartbeat changes nothing, and silence of two minutes makes stale."""
    floor = floor_of(STORY)

    assert now(floor, "09:00:10") == ("available", "Ready", None, 10)
    assert now(floor, "09:00:59") == ("idle", "idle", None, 29)
    assert now(floor, "09:02:29") == ("handling", "interacting", None, 89)
    assert now(floor, "09:02:40") == ("wrap_up", "After-contact work", None, 10)
    assert now(floor, "09:06:40") == ("unavailable", "Not Ready", "lunch", 200)
    # 09:06:30 and two minutes.
    assert now(floor, "09:08:29") == ("unavailable", "Not Ready", "lunch", 309)
    assert now(floor, "09:09:00") == ("stale", None, None, 30)
    # Stale for ten minutes, and then forgotten.
    assert now(floor, "09:18:29")[0] == "stale"
    assert statuses_by_name(floor, "09:18:30") == {}
    found = statuses_by_name(floor, "09:06:40")["ann"]
    assert (found.team, found.site, found.queues) == ("north", "bonn", ("sales", "claims"))
    assert [(each.state, (each.end_ms - each.start_ms) // 1000) for each in found.past] == [
        ("available", 30), ("idle", 30), ("handling", 90), ("wrap_up", 30), ("idle", 20), ("unavailable", 200),
    ]  # fmt: skip


def test_looking_again_finds_the_same_as_looking_once() -> None:
    """Second by second, with events coming in between, each look is what another floor finds that looks for the first time."""
    floor, taken = Floor(CONFIGURATION), 0
    for second in range(0, 720, 7):
        time = f"09:{second // 60:02}:{second % 60:02}"
        while taken < len(STORY) and parse_time_ms(STORY[taken]["received_at"]) <= at(time):
            floor.take(orjson.dumps(STORY[taken]), parse_time_ms(STORY[taken]["received_at"]))
            taken += 1
        assert statuses_by_name(floor, time) == statuses_by_name(floor_of(STORY[:taken]), time)
    assert taken == len(STORY)
    assert now(floor, "09:12:00")[0] == "stale"


def test_of_whom_no_figures_are_kept_nothing_is() -> None:
    """Bo's site permits none, and dee is unknown: neither is there."""
    floor = floor_of([state("09:00:00", "presence", "ready", person) for person in ("ann", "bo", "cho", "dee")])

    assert statuses_by_name(floor, "09:00:10").keys() == {"ann", "cho"}


def test_order_repeats_and_lateness() -> None:
    """Order within the grace and repeats change nothing; neither do late events."""
    mixed = [*STORY, *STORY]
    Random(1).shuffle(mixed)
    plain = floor_of(STORY)
    for time in ("09:00:59", "09:02:29", "09:06:40", "09:09:00"):
        assert now(floor_of(mixed), time) == now(plain, time)
    late = state("09:05:00", "presence", "offline") | {"received_at": "2026-03-02T09:06:10.001Z"}
    in_time = late | {"received_at": "2026-03-02T09:06:10.000Z"}
    assert now(floor_of([*STORY, late]), "09:06:40")[0] == "unavailable"
    assert now(floor_of([*STORY, in_time]), "09:06:40")[0] == "offline"


def test_who_signs_out_is_offline_and_a_snapshot_without_one_forgets() -> None:
    """Offline is a state; a snapshot that lists cho alone makes ann unknown after a minute without events of her."""
    out = floor_of([*STORY[:1], state("09:01:00", "presence", "Logged out", reason="end of shift")])
    assert now(out, "09:01:30") == ("offline", "Logged out", "end of shift", 30)

    snapshot = {
        "type": "source.snapshot", "event_id": "s", "kind": "agents", "open_ids": ["cho"], "source": "pbx",
        "occurred_at": "2026-03-02T09:00:30.000Z", "received_at": "2026-03-02T09:00:30.000Z",
    }  # fmt: skip
    changes = [state("09:00:00", "presence", "ready", person) for person in ("ann", "cho")]
    later = [event("heartbeat", "09:01:36", "cho")]
    assert statuses_by_name(floor_of([*changes, snapshot]), "09:01:00").keys() == {"ann", "cho"}
    assert statuses_by_name(floor_of([*changes, snapshot, *later]), "09:01:40").keys() == {"cho"}


def test_what_is_kept_is_bounded() -> None:
    """Three thousand changes leave a thousand facts or fewer, and the same state; forgetting the past does too."""
    events = [
        state(f"{9 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}", "presence", "ready" if n % 2 else "break", reason=f"r{n}")
        for n in range(3000)
    ]
    floor = floor_of(events)
    known = floor._people["ann\x1fpbx"]

    assert len(known.agent.facts) <= 1000
    assert len(known.labels) == len(known.agent.facts)
    assert now(floor, "09:49:59") == ("available", "ready", "r2999", 0)
    floor.forget(0)
    assert len(known.agent.facts) == 1
    assert now(floor, "09:50:09") == ("available", "ready", "r2999", 10)


@pytest.mark.parametrize("seed", range(6))
def test_it_agrees_with_the_oracle(seed: int) -> None:
    """The state of every permitted agent of a random world at thirty instants equals the oracle's recount."""
    world = random_world(seed, conversations=1, people=8, late=seed % 2 == 1)
    configuration = world.configuration
    sites = {name: site.model_copy(update={"individual_figures": True}) for name, site in configuration.sites.items()}
    configuration = configuration.model_copy(update={"sites": sites})
    by_agent: dict[tuple[str, str], list[AgentModel]] = {}
    floor = Floor(configuration)
    for event in sorted(world.events, key=lambda each: each.received_at):
        if isinstance(event, AgentModel):
            by_agent.setdefault(person_of(event, configuration), []).append(event)
            floor.take(encode(event), to_ms(event.received_at))
    compared = 0
    for step in range(30):
        at_ms = world.start_ms + (world.end_ms - world.start_ms) * step // 29
        found = {(each.person, each.now.state) for each in floor.statuses(at_ms, {})}
        expected = set()
        for (space, person), events in by_agent.items():
            known = as_known_in(space, configuration)
            if not has_own_figures(person, known) or all(isinstance(each, SchedulePlanned) for each in events):
                continue
            begun = [each for each in follow(events, known).stretches if each.start_ms <= at_ms]
            if begun and (begun[-1].end_ms is None or at_ms < begun[-1].end_ms) and begun[-1].category is not None:
                expected.add((person, begun[-1].category))
        assert {each for each in found if each[1] != "stale"} == expected
        compared += len(expected)
    assert compared
