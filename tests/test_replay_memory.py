"""What a replay keeps in memory does not grow with the file, and what is not in memory counts as if it were."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.configuration import load_configuration
from streams.demo.simulator.load import LOAD_START_MS, load_events
from streams.replay import Replay
from streams.spill import OPEN_BEFORE, ConversationRows, Spill, SpillError
from streams.tracking.unread import Unread
from tests.oracle.customer_worlds import customer_world
from tests.support.replaying import replay_events, replay_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.base import Event
    from streams.configuration import Configuration
    from streams.demo.simulator.emission import Emission
    from streams.replay import Kind

ROOT = Path(__file__).parents[1]
CENTER = ROOT / "streams" / "demo" / "configuration.yaml"
KINDS: dict[str, tuple[Kind, ...]] = {
    "contact-events": ("contact",),
    "agent-events": ("agent",),
    "customer-events": ("customer",),
    "every-partition": ("contact", "agent", "customer"),
}


def emissions(count: int, seed: int = 3, rate: int = 1) -> list[Emission]:
    """Return events of the simulated center from ten in the morning on."""
    return [*load_events(count, seed, rate=rate, start_ms=LOAD_START_MS + 10 * 3_600_000)]


def take(replay: Replay, emitted: Iterable[Emission]) -> None:
    """Have a replay take events as the command does, some hundred at a time."""
    replay_values(replay, ((KINDS[each.destination], orjson.dumps(each.event)) for each in emitted), 250)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a replay flush often and keep little."""
    for name, value in (("_CHUNK", 500), ("_MAX_CONVERSATIONS", 60), ("_MAX_CUSTOMERS", 40), ("_FLUSHES_PER_SCAN", 2)):
        monkeypatch.setattr(f"streams.replay.{name}", value)


def sizes(replay: Replay) -> dict[str, int]:
    """Return how many there are of everything that is in memory by a key."""
    contacts, customers, scopes = replay._contacts.tracker, replay._customers.tracker, replay._rollup.rollup.scopes.values()
    return {
        "conversations": len(contacts.conversations.live),
        "timers": len(contacts._timers),
        "unread": len(contacts.conversations.unread),
        "resting": len(contacts._idle or ()) + len(contacts._unread_over),
        "slices": sum(len(each.slices) + len(each.slices._changed) for each in (contacts, replay._agents.tracker)),
        "hours": len(contacts.slices._booked) + len(replay._agents.tracker.slices._booked),
        "customers": len(customers.customers._packed) + len(customers.customers._live),
        "touched": len(customers._touched),
        "cells": sum(len(state.cells._live) + len(state.cells._packed) + len(state.changed_cells) for state in scopes),
        "parts": sum(len(state.cell_parts) for state in scopes),
        "to be written": len(contacts._changed) + len(contacts._deleted_rows) + len(replay._agents.tracker._changed),
    }


@pytest.mark.usefixtures("few")
def test_three_times_the_events_take_no_more() -> None:
    """After 15,000 events as much is in memory as after 5,000, of all that there is one of for an event, contact, customer or hour."""
    emitted = emissions(15_000)
    found: list[tuple[int, dict[str, int], int]] = []
    replay = Replay(load_configuration(CENTER), figures_only=True)
    tracemalloc.start()
    try:
        for part in (emitted[:5_000], emitted[5_000:]):
            take(replay, part)
            gc.collect()
            found.append((tracemalloc.get_traced_memory()[0], sizes(replay), len(replay._contacts.tracker.conversations)))
    finally:
        tracemalloc.stop()
        replay.close()
    (first_bytes, first, known_first), (last_bytes, last, known_last) = found
    # There is something to be kept of three times as much.
    assert known_last > 2.5 * known_first > 500
    # Between two looks there are up to sixty conversations.
    assert {name: (first[name], last[name]) for name in first if last[name] > 1.1 * first[name] + 60} == {}
    # A conversation takes some 2 kB: 5,000 events would bring 800 kB of them alone.
    # Two looks differ by up to 400 kB; with everything in memory by 3 MB.
    assert last_bytes - first_bytes < 800_000


def counted(configuration: Configuration, events: Iterable[Event], until_ms: int | None) -> dict[str, Any]:
    """Return the figures of events, in JSON, as the command counts them."""
    replay = Replay(configuration, figures_only=True)
    try:
        replay_events(replay, events, 20)
        result: dict[str, Any] = orjson.loads(orjson.dumps(replay.finish(until_ms)))
        return result
    finally:
        replay.close()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("seed", range(4))
def test_customers_outside_of_memory_count_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With four customers in memory, and links among the others, days, months and cohorts are those with all in memory."""
    configuration, events, until_ms = customer_world(seed)
    monkeypatch.setattr("streams.replay._CHUNK", 10)
    monkeypatch.setattr("streams.replay._MAX_CUSTOMERS", 4)
    found = counted(configuration, events, until_ms)
    monkeypatch.setattr("streams.replay._MAX_CUSTOMERS", 40_000)
    assert found == counted(configuration, events, until_ms)
    assert found["customers"]


def test_a_flush_does_not_go_through_all_rows() -> None:
    """What is open and due is found by the index, however many conversations there are."""
    spill = Spill()
    try:
        (plan,) = spill.database.execute(f"EXPLAIN QUERY PLAN {OPEN_BEFORE}", (0,)).fetchall()
        assert "USING INDEX conversation_due" in plan[-1]
    finally:
        spill.close()


def test_a_full_disk_is_reported() -> None:
    """Where there is no room for what memory is not to hold, the error names the folder and what to do."""
    spill = Spill()
    try:
        spill.database.execute("PRAGMA max_page_count = 20")
        rows = ConversationRows(spill)
        with pytest.raises(SpillError, match=r"cannot be written to .*disk is full.*TMPDIR"):
            rows.put((f"c{number}", Unread((b"x" * 500,), 1, number, None, number, has_customer=False)) for number in range(1_000))
    finally:
        spill.close()
