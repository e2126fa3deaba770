"""What compiled code takes in is what ``apply`` takes in: the same rows, panes, dead letters and counts, in whatever chunks."""

from __future__ import annotations

import gc
import gzip
import weakref
from dataclasses import asdict
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import pytest

from benchmarks import instructions
from schemas.agent import AgentModel
from schemas.contact import ContactModel
from schemas.other import SourceHeartbeat, SourceSnapshot
from streams.configuration import Configuration, load_configuration
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from streams.tracking import intake
from streams.tracking.agents import AgentTracker
from streams.tracking.contacts import ContactTracker
from tests.oracle.worlds import random_world, repeated, shuffled_within_grace
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.base import Event

Stage = TypeVar("Stage", ContactStage, AgentStage)

TOPICS = TrackTopics("contacts", "panes", 2, "dead", "group", lambda: 0, "facts", 2, "links", "audit")
_FAR_MS = 253_402_300_799_000
#: What becomes of some records: nothing can be read; the id is a text that no event may have; it is from another time.
_SPOILED = (b"{", b'{"type":"contact.held","event_id":""}', b"\xff")


def limited(configuration: Configuration, **limits: int) -> Configuration:
    """Return a configuration with other limits of a source."""
    return configuration.model_copy(update={"source_limits": configuration.source_limits.model_copy(update=limits)})


def stage_of(kind: type[Stage], configuration: Configuration, *, compiled: bool) -> Stage:
    """Return a stage that takes usual events in by compiled code, or never does."""
    stage = kind(0, configuration, TOPICS)
    if not compiled:
        stage._ingest = None
    return stage


def records_of(values: Sequence[bytes]) -> list[Any]:
    """Return records with these values."""
    return [SimpleNamespace(offset=at, timestamp=_FAR_MS, key=None, value=value, headers=()) for at, value in enumerate(values)]


def written(stage: ContactStage | AgentStage) -> list[str]:
    """Return what a flush writes, but for the order of what is in sets and of what is in a sum."""
    flush = stage.collect()
    rows = [(key, None if value is None else orjson.loads(value)) for key, value in flush.rows]
    outputs = [(each.topic, each.partition, each.key, _read(each.value), each.headers) for each in flush.outputs]
    return sorted(map(_in_order, [*rows, *outputs]))


def _read(value: bytes | None) -> Any:
    """Return the content of an output; dead letters have whatever was sent."""
    try:
        return None if value is None else orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _in_order(written: tuple[Any, ...]) -> str:
    """Return a text of what was written, with the entries of each object by name."""
    return repr([orjson.dumps(part, option=orjson.OPT_SORT_KEYS) if isinstance(part, dict) else part for part in written])


def compare(both: Sequence[Stage], events: Sequence[Event], rng: Random) -> None:
    """Process the events and some malformed ones in both stages in the same random chunks, and compare output and state."""
    values = [each.model_dump_json(exclude_none=True).encode() for each in events]
    for _ in range(len(values) // 20):
        values.insert(rng.randrange(len(values)), rng.choice(_SPOILED))
    records, done = records_of(values), 0
    while done < len(records):
        chunk = records[done : done + rng.choice((1, 7, 60, 450))]
        done += len(chunk)
        for stage in both:
            stage.process(chunk)
        if rng.random() < 2 / 3:
            assert written(both[0]) == written(both[1])
    assert written(both[0]) == written(both[1])
    compiled, interpreted = both
    assert asdict(compiled.counters) == asdict(interpreted.counters)
    assert compiled.tracker.held.counts == interpreted.tracker.held.counts
    assert compiled.tracker.watermark.state() == interpreted.tracker.watermark.state()


@pytest.mark.parametrize("limits", [{}, {"max_contacts": 9}, {"max_contact_events": 40}, {"max_new_queues": 1, "max_new_categories": 1}])
@pytest.mark.parametrize("seed", range(6))
def test_both_ways_write_the_same(seed: int, limits: dict[str, int]) -> None:
    """Out of order, repeated, late, revised, excluded, spoiled, by joined sources or journals, and beyond limits."""
    require(intake.compiled is not None, "streams/tracking/_intake.c is not compiled: apt-get install gcc libc6-dev python3-dev")
    rng, world = Random(seed), random_world(seed, conversations=40, late=seed % 2 == 1)
    events: list[Event] = [each for each in world.events if isinstance(each, ContactModel | SourceHeartbeat | SourceSnapshot)]
    configuration = limited(world.configuration, **limits)
    compiled, interpreted = both = [stage_of(ContactStage, configuration, compiled=compiled) for compiled in (True, False)]

    compare(both, repeated(shuffled_within_grace(events, rng), rng), rng)

    assert {name: each.every_fact() for name, each in compiled.tracker.conversations.items()} == {
        name: each.every_fact() for name, each in interpreted.tracker.conversations.items()
    }


@pytest.mark.parametrize("limits", [{}, {"max_people": 4}, {"max_people_events": 40}, {"max_new_teams": 1, "max_new_sites": 1}])
@pytest.mark.parametrize("seed", range(6))
def test_agents_both_ways(seed: int, limits: dict[str, int]) -> None:
    """The same for agents: with plans, slots, moves between teams, identities, silence and events before booked time."""
    require(intake.compiled is not None, "streams/tracking/_intake.c is not compiled")
    rng, world = Random(seed), random_world(seed, conversations=0, people=25, late=seed % 2 == 1)
    events: list[Event] = [each for each in world.events if isinstance(each, AgentModel | SourceHeartbeat | SourceSnapshot)]
    configuration = limited(world.configuration, **limits)
    compiled, interpreted = both = [stage_of(AgentStage, configuration, compiled=compiled) for compiled in (True, False)]

    compare(both, repeated(shuffled_within_grace(events, rng), rng), rng)

    assert {name: each.facts for name, each in compiled.tracker.agents.items()} == {
        name: each.facts for name, each in interpreted.tracker.agents.items()
    }


@pytest.mark.parametrize(
    ("topic", "kind", "tracker", "share"),
    # Of agents what is planned, and how each begins, is left out.
    [("contact-events", ContactStage, ContactTracker, 1 / 20), ("agent-events", AgentStage, AgentTracker, 1 / 3)],
)
def test_it_takes_nearly_all(topic: str, kind: type[Any], tracker: type[Any], share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few events of the simulated center are left to ``apply``: else it would save little, and nothing would show it."""
    require(intake.compiled is not None, "streams/tracking/_intake.c is not compiled")
    configuration = load_configuration(instructions._CONFIGURATION)
    with gzip.open(instructions._EVENTS) as lines:
        emissions = [orjson.loads(line) for line in lines]
    records = [record for place in instructions._records(topic, emissions) for record in place]
    stage = kind(0, configuration, TOPICS)
    applied: list[Any] = []
    apply = tracker.apply

    def counted(tracker: Any, event: Any) -> None:
        applied.append(event)
        apply(tracker, event)

    monkeypatch.setattr(tracker, "apply", counted)

    stage.process(records)

    assert stage.counters.events == len(records) > 1000
    assert len(applied) <= len(records) * share


def test_a_stage_is_freed() -> None:
    """A released partition is freed: Python's cycle collector traverses compiled objects, too."""
    stage = ContactStage(0, Configuration(), TOPICS)
    stage.cycle = [stage, stage._ingest]  # type: ignore[attr-defined]
    gone = weakref.ref(stage.tracker)
    del stage
    gc.collect()

    assert gone() is None


@pytest.mark.parametrize("kind", [ContactStage, AgentStage])
def test_values_that_are_no_events_are_ignored(kind: type[Any]) -> None:
    """What is in a list but no event is left out, and what is no list is refused."""
    require(intake.compiled is not None, "streams/tracking/_intake.c is not compiled")
    stage = kind(0, Configuration(), TOPICS)
    take = stage._ingest
    wrong: Any

    assert (take([None, 1], 0), take([1], 0), take([object()], 0), take([], 0)) == (0, 0, 0, 0)
    for wrong in ([1], ([],), ([], -1), ([], "0"), ("", 0)):
        with pytest.raises((TypeError, ValueError)):
            take(*wrong)


@pytest.mark.parametrize("kind", ["ContactIntake", "AgentIntake"])
def test_types_without_slots_are_refused(kind: str) -> None:
    """It reads memory by place: types have the slots that it asks for, or there is no intake."""
    require(intake.compiled is not None, "streams/tracking/_intake.c is not compiled")
    stages: dict[str, Any] = {"ContactIntake": ContactStage, "AgentIntake": AgentStage}
    given: dict[str, Any] = {}

    def noted(**options: Any) -> Any:
        given.update(options)
        return make(**options)

    make = getattr(intake.compiled, kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "compiled", SimpleNamespace(**{kind: noted}))
        stages[kind](0, Configuration(), TOPICS)
    for wrong in (int, SimpleNamespace, object):
        for place in range(len(given["types"])):
            types = [*given["types"]]
            types[place] = wrong
            with pytest.raises((TypeError, AttributeError)):
                make(**{**given, "types": tuple(types)})
    with pytest.raises(ValueError, match="panes"):
        make(**{**given, "pane_ms": 0})
    with pytest.raises(TypeError):
        make.__new__(make).take([], 0, {}, [])
    made = make(**given)
    with pytest.raises(ValueError, match="once"):
        made.__init__(**given)
