"""Heads of rows that are unread since a restart give the same state as their facts."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.contact import ContactModel
from schemas.other import SourceHeartbeat, SourceSnapshot
from streams.stages.track import ContactStage, TrackTopics
from tests.oracle.worlds import random_world, shuffled_within_grace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.base import Event
    from streams.configuration import Configuration

TOPICS = TrackTopics("contacts", "panes", 1, "dead", "group", lambda: 0, "facts", 1)
_FAR_MS = 253_402_300_799_000


def restored(configuration: Configuration, rows: dict[bytes, bytes]) -> ContactStage:
    """Return a stage restored from rows."""
    stage = ContactStage(0, configuration, TOPICS)
    stage.restore("state", rows.items())
    return stage


def records_of(events: Iterable[Event]) -> list[Any]:
    """Return the records of one partition with all events about contacts."""
    return [
        SimpleNamespace(offset=0, timestamp=_FAR_MS, key=None, value=each.model_dump_json(exclude_none=True).encode(), headers=())
        for each in events
        if isinstance(each, ContactModel | SourceHeartbeat | SourceSnapshot)
    ]


def flushed(stage: ContactStage, rows: dict[bytes, bytes]) -> dict[Any, bytes | None]:
    """Apply a flush to rows, and return its outputs by topic, partition and key."""
    flush = stage.collect()
    for key, value in flush.rows:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
    published = {(each.topic, each.partition, each.key): each.value for each in flush.outputs}
    # A stage that reads all rows at once publishes empty states of lost contacts once more.
    return {key: value for key, value in published.items() if b'"waiting_since_ms":[],"in_progress":0,"expires"' not in (value or b"")}


def without_heads(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the rows as written by versions without heads."""
    found = {}
    for key, value in rows.items():
        found[key] = value
        if key.startswith((b"s|", b"t|")):
            row = orjson.loads(value)
            row.pop("head", None)
            found[key] = orjson.dumps(row)
    return found


def open_states(stage: ContactStage) -> dict[Any, Any]:
    """Return what is waiting, in progress and pending in every scope."""
    tracker = stage.tracker
    found = {}
    for scope in sorted({scope for group in tracker._targets.scopes for scope in group}, key=str):
        now = tracker._load.waiting(scope), tracker._load.active(scope), tracker.pending(scope)
        if now != ([], 0, {}):
            found[scope] = now
    return found


@pytest.mark.parametrize("seed", range(6))
def test_heads_give_the_same_state_as_facts(seed: int) -> None:
    """Six times in a world, a stage that reads rows on demand runs beside one that reads all at once: their outputs are equal."""
    random = Random(seed)
    world = random_world(seed, conversations=60, people=0)
    records = records_of(shuffled_within_grace(world.events, random))
    rows: dict[bytes, bytes] = {}
    stage = restored(world.configuration, rows)
    step, unread, in_places = -(-len(records) // 7), 0, 0
    for begin in range(0, len(records), step):
        at_once_rows = without_heads(rows)
        stage, at_once = restored(world.configuration, rows), restored(world.configuration, at_once_rows)
        unread += len(stage.tracker.conversations.unread)
        in_places += len(stage.tracker.conversations.live)
        assert not at_once.tracker.conversations.unread
        assert len(stage.tracker.conversations) == len(at_once.tracker.conversations)
        assert open_states(stage) == open_states(at_once)
        assert stage.tracker.held.counts == at_once.tracker.held.counts
        chunk = records[begin : begin + step]
        while chunk:
            number = random.randint(1, 25)
            some, chunk = chunk[:number], chunk[number:]
            stage.process(some)
            at_once.process(some)
            assert flushed(stage, rows) == flushed(at_once, at_once_rows)
    assert unread > 100
    assert in_places < unread / 4
    # Iterating reads the remaining rows: all facts are those of the other stage.
    facts = {name: each.facts for name, each in at_once.tracker.conversations.items()}
    assert {name: each.facts for name, each in stage.tracker.conversations.items()} == facts
    assert open_states(stage) == open_states(at_once)


@pytest.mark.parametrize("seed", range(4))
def test_packed_conversations_publish_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that keeps only rows of finished conversations writes and publishes the same as one that keeps all in memory."""
    monkeypatch.setattr("streams.tracking.contacts._IDLE_MS", -_FAR_MS)
    monkeypatch.setattr("streams.tracking.packed._TOGETHER", 3)
    random = Random(seed)
    world = random_world(seed, conversations=60, people=0)
    records = records_of(shuffled_within_grace(world.events, random))
    rows: dict[bytes, bytes] = {}
    all_rows: dict[bytes, bytes] = {}
    stage, keeps_all = restored(world.configuration, rows), restored(world.configuration, all_rows)
    keeps_all.tracker.conversations.frozen = None
    packed = 0
    while records:
        number = random.randint(1, 25)
        some, records = records[:number], records[number:]
        stage.process(some)
        keeps_all.process(some)
        assert flushed(stage, rows) == flushed(keeps_all, all_rows)
        assert rows == all_rows
        assert open_states(stage) == open_states(keeps_all)
        assert stage.tracker.held.counts == keeps_all.tracker.held.counts
        packed = max(packed, len(stage.tracker.conversations.frozen or ()))
    assert packed > 30
    for each in (stage, keeps_all):
        each.tracker.set_back(world.start_ms, world.end_ms)
        each._meta_changed, each._is_idle = True, False
    assert flushed(stage, rows) == flushed(keeps_all, all_rows)
    assert rows == all_rows


@pytest.mark.parametrize("seed", range(2))
def test_progress_set_back(seed: int) -> None:
    """An unread conversation is open again if it was lost only after the instant to which an operator sets progress back."""
    world = random_world(seed, conversations=60, people=0)
    rows: dict[bytes, bytes] = {}
    stage = restored(world.configuration, rows)
    stage.process(records_of(world.events))
    flushed(stage, rows)
    at_once_rows = without_heads(rows)
    stage, at_once = restored(world.configuration, rows), restored(world.configuration, at_once_rows)
    assert stage.tracker.conversations.unread
    for each in (stage, at_once):
        each.tracker.set_back(world.start_ms, world.end_ms)
        each._meta_changed, each._is_idle = True, False

    assert flushed(stage, rows) == flushed(at_once, at_once_rows)
    assert open_states(stage) == open_states(at_once)
