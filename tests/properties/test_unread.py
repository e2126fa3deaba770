"""What heads of rows say of conversations that nothing has read since a restart is what their facts say."""

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


def begun(configuration: Configuration, rows: dict[bytes, bytes]) -> ContactStage:
    """Return a stage that has taken rows back in."""
    stage = ContactStage(0, configuration, TOPICS)
    stage.restore("state", rows.items())
    return stage


def records_of(events: Iterable[Event]) -> list[Any]:
    """Return the records of one partition with all that is told of contacts."""
    return [
        SimpleNamespace(offset=0, timestamp=_FAR_MS, key=None, value=each.model_dump_json(exclude_none=True).encode(), headers=())
        for each in events
        if isinstance(each, ContactModel | SourceHeartbeat | SourceSnapshot)
    ]


def flushed(stage: ContactStage, rows: dict[bytes, bytes]) -> dict[Any, bytes | None]:
    """Take what a flush changes into rows, and return what it publishes, by topic, partition and key."""
    flush = stage.collect()
    for key, value in flush.rows:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
    said = {(each.topic, each.partition, each.key): each.value for each in flush.outputs}
    # That nothing goes on any more where something was lost is said once more by who reads all at once.
    return {key: value for key, value in said.items() if b'"waiting_since_ms":[],"in_progress":0,"expires"' not in (value or b"")}


def without_heads(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the rows as versions wrote them that knew no heads."""
    found = {}
    for key, value in rows.items():
        found[key] = value
        if key.startswith((b"s|", b"t|")):
            row = orjson.loads(value)
            row.pop("head", None)
            found[key] = orjson.dumps(row)
    return found


def goes_on(stage: ContactStage) -> dict[Any, Any]:
    """Return what waits, is in progress and is pending in every scope."""
    tracker = stage.tracker
    found = {}
    for scope in sorted({scope for group in tracker._targets.scopes for scope in group}, key=str):
        now = tracker._load.waiting(scope), tracker._load.active(scope), tracker.pending(scope)
        if now != ([], 0, {}):
            found[scope] = now
    return found


@pytest.mark.parametrize("seed", range(6))
def test_heads_say_what_facts_say(seed: int) -> None:
    """Six times in a world a stage that reads rows when they are asked for goes on beside one that reads all at once: they say the same."""
    random = Random(seed)
    world = random_world(seed, conversations=60, people=0)
    records = records_of(shuffled_within_grace(world.events, random))
    rows: dict[bytes, bytes] = {}
    stage = begun(world.configuration, rows)
    step, unread, in_places = -(-len(records) // 7), 0, 0
    for begin in range(0, len(records), step):
        at_once_rows = without_heads(rows)
        stage, at_once = begun(world.configuration, rows), begun(world.configuration, at_once_rows)
        unread += len(stage.tracker.conversations.unread)
        in_places += len(stage.tracker.conversations.live)
        assert not at_once.tracker.conversations.unread
        assert len(stage.tracker.conversations) == len(at_once.tracker.conversations)
        assert goes_on(stage) == goes_on(at_once)
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
    # Whoever looks has them read: all there is, as the other one has it.
    facts = {name: each.facts for name, each in at_once.tracker.conversations.items()}
    assert {name: each.facts for name, each in stage.tracker.conversations.items()} == facts
    assert goes_on(stage) == goes_on(at_once)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_put_away_says_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that keeps rows alone of all that is over from one flush to the next writes and publishes what one does that keeps all."""
    monkeypatch.setattr("streams.tracking.contacts._IDLE_MS", -_FAR_MS)
    monkeypatch.setattr("streams.tracking.packed._TOGETHER", 3)
    random = Random(seed)
    world = random_world(seed, conversations=60, people=0)
    records = records_of(shuffled_within_grace(world.events, random))
    rows: dict[bytes, bytes] = {}
    all_rows: dict[bytes, bytes] = {}
    stage, keeps_all = begun(world.configuration, rows), begun(world.configuration, all_rows)
    keeps_all.tracker.conversations.frozen = None
    packed = 0
    while records:
        number = random.randint(1, 25)
        some, records = records[:number], records[number:]
        stage.process(some)
        keeps_all.process(some)
        assert flushed(stage, rows) == flushed(keeps_all, all_rows)
        assert rows == all_rows
        assert goes_on(stage) == goes_on(keeps_all)
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
    """What is unread is open again, too, if it was lost only beyond the instant to which an operator sets progress back."""
    world = random_world(seed, conversations=60, people=0)
    rows: dict[bytes, bytes] = {}
    stage = begun(world.configuration, rows)
    stage.process(records_of(world.events))
    flushed(stage, rows)
    at_once_rows = without_heads(rows)
    stage, at_once = begun(world.configuration, rows), begun(world.configuration, at_once_rows)
    assert stage.tracker.conversations.unread
    for each in (stage, at_once):
        each.tracker.set_back(world.start_ms, world.end_ms)
        each._meta_changed, each._is_idle = True, False

    assert flushed(stage, rows) == flushed(at_once, at_once_rows)
    assert goes_on(stage) == goes_on(at_once)
