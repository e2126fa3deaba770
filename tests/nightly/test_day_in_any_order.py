"""A simulated day, shuffled within the grace, every event sent one to three times, with restarts: the final figures are the same."""

# ruff: noqa: T201 - prints its figures.

from __future__ import annotations

import gc
import multiprocessing
import time
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.contact import ContactExcluded
from schemas.events import parse_agent_event, parse_contact_event
from schemas.other import SourceHeartbeat
from schemas.times import from_ms, to_ms
from streams.configuration import load_configuration
from streams.demo.simulator.load import LOAD_START_MS
from streams.demo.simulator.simulation import Simulation, final_heartbeats
from tests.oracle.recount import recount
from tests.oracle.worlds import repeated
from tests.properties.compare import differences
from tests.properties.pipeline import MemoryPipeline
from tests.support.product import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from schemas.base import Event
    from streams.configuration import Configuration
    from streams.demo.simulator.emission import Emission

HOUR_MS = 3_600_000
PANE_MS, GRACE_MS = 10_000, 120_000
#: Chunks are processed, and flushed one time in two, after this many events on average.
MOVES = 1 / 50
SEED = 20261
SIZES = [pytest.param(0.5, id="quick"), pytest.param(8, id="nightly", marks=pytest.mark.nightly)]


def simulated(hours: float) -> list[Event]:
    """Return ``hours`` hours of the demo's center, and final heartbeats well behind the grace."""
    end_ms = LOAD_START_MS + int(hours * HOUR_MS)

    def emissions() -> Iterator[Emission]:
        for emission in Simulation(seed=SEED, start_ms=LOAD_START_MS).emissions():
            if emission.published_ms >= end_ms:
                break
            yield emission
        # Whatever is shuffled is received before this; no edge of a window is near it.
        yield from final_heartbeats(end_ms + 10 * 60_000 + 7_321, str(SEED))

    events: list[Event] = []
    for emission in emissions():
        parse = parse_agent_event if emission.destination == "agent-events" else parse_contact_event
        events.append(parse(orjson.dumps(emission.event)))
    return events


def shuffled(events: list[Event], random: Random) -> list[Event]:
    """Return the events as received at any time from their own to the end of the grace; heartbeats keep their time and stay honest."""
    moved, beats = [], []
    for event in events:
        if isinstance(event, SourceHeartbeat):
            beats.append(event)
            continue
        occurred = to_ms(event.occurred_at)
        last = occurred // PANE_MS * PANE_MS + PANE_MS + GRACE_MS
        assert to_ms(event.received_at) <= last
        # The effect of an exclusion depends on its time.
        fixed = isinstance(event, ContactExcluded)
        moved.append(event if fixed else event.model_copy(update={"received_at": from_ms(random.randint(occurred, last))}))
    moved.sort(key=lambda each: each.received_at, reverse=True)
    beats.sort(key=lambda each: each.received_at, reverse=True)
    # From the last to the first: the earliest that is still to come of each source.
    to_come: dict[str, Any] = {}
    ahead, honest = iter(moved), []
    following = next(ahead, None)
    for beat in beats:
        while following is not None and following.received_at > beat.received_at:
            to_come[following.source] = min(following.occurred_at, to_come.get(following.source, following.occurred_at))
            following = next(ahead, None)
        through = min(beat.complete_through, to_come.get(beat.source, beat.complete_through))
        honest.append(beat.model_copy(update={"complete_through": through}))
    return sorted([*moved, *honest], key=lambda each: each.received_at)


def final_figures(latest: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the final records, but for how many revisions they took and which sources were last seen.

    A trailing window of which nothing changes moves on without being written: its bounds are those of the last flush that had news.
    """
    figures = ("kpis", "counts", "late_events", "final")
    return {
        key: {
            name: record[name]
            for name in (figures if key.startswith("window|trailing_") else (*figures, "window_start", "window_end"))
            if name in record
        }
        for key, record in latest.items()
        if key.startswith("window|")
    }


def beside(events: list[Event], bent: list[Event], configuration: Configuration, far_end: Connection) -> None:
    """Run the events in order and recount those in disorder; send the result, receive the figures in disorder, and send the differences."""
    in_order = MemoryPipeline(configuration, Random(1), contacts=4, agents=4, panes=2)
    in_order.run(events, moves=MOVES)
    recounted = recount(bent, configuration)
    far_end.send(in_order.latest)
    far_end.send(differences(far_end.recv(), recounted))


@pytest.mark.parametrize("hours", SIZES)
def test_any_order_within_the_grace(hours: float) -> None:
    """Must-show 3: a day shuffled and repeated, random chunks, flushes and restarts: the figures are those in order, and the recount's."""
    random, began = Random(SEED), time.monotonic()
    configuration = load_configuration(CONFIGURATION)
    # Forked: what both runs need is made once, and they share nothing else.
    processes = multiprocessing.get_context("fork")
    process = None
    gc.disable()  # millions of objects that all stay: collecting would take most of the time
    try:
        events = simulated(hours)
        bent = repeated(shuffled(events, random), random)
        near_end, far_end = processes.Pipe()
        process = processes.Process(target=beside, args=(events, bent, configuration, far_end))
        process.start()
        far_end.close()  # from now on it is the other's alone: should that die, reading here fails
        other = MemoryPipeline(configuration, random, contacts=3, agents=2, panes=2)
        other.run(bent, restarts=10 / (len(bent) * MOVES), moves=MOVES)
        in_order, in_disorder = near_end.recv(), other.latest
        near_end.send(in_disorder)
        print(
            f"\nseed {SEED}: {hours} h, {len(events):,} events in order, {len(bent):,} in disorder with {other.restarts} restarts, "
            f"{time.monotonic() - began:.0f} s; {len(in_order)} records"
        )
        assert other.restarts > 2
        assert final_figures(in_order) == final_figures(in_disorder)
        assert near_end.recv() == []
        print(f"equal to the recount, {time.monotonic() - began:.0f} s")
    finally:
        gc.enable()
        if process is not None:
            process.kill()
            process.join()
