"""State of the version before: 47 conversations of a random world with the same figures."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from schemas.times import format_ms
from streams.configuration import Configuration
from streams.stages.track import ContactStage, TrackTopics
from streams.tracking.postings import Postings
from streams.tracking.spaces import id_of
from tests.support.slices import changed_slices

_KEPT = json.loads(gzip.decompress(Path(__file__).with_name("rows_of_before.json.gz").read_bytes()))
_TOPICS = TrackTopics("contact-events.v1", "queue-panes.v1", 1, "dead", "group", lambda: 0)


def _restored(rows: dict[bytes, bytes]) -> ContactStage:
    stage = ContactStage(0, Configuration.model_validate(_KEPT["configuration"]), _TOPICS)
    stage.restore("state", rows.items())
    return stage


@pytest.fixture
def rows() -> dict[bytes, bytes]:
    """Return the rows by key."""
    return {key.encode(): orjson.dumps(value) for key, value in _KEPT["rows"]}


def _sums_of_rows(rows: dict[bytes, bytes]) -> Counter[tuple[Any, ...]]:
    sums: Counter[tuple[Any, ...]] = Counter()
    for key, value in rows.items():
        if key.split(b"|")[0] in {b"s", b"m", b"p", b"n", b"b"}:
            continue
        kept = orjson.loads(value)
        for field, amount in kept["counts"].items():
            if amount and field != "late_events":
                sums[kept["kind"], kept["scope"], kept["channel"], kept["start_ms"], field] = amount
    return sums


def _sums_of_facts(stage: ContactStage) -> Counter[tuple[Any, ...]]:
    """Return what the conversations contribute by the rules of now, counted by a tracker that has nothing else."""
    fresh = ContactStage(0, Configuration.model_validate(_KEPT["configuration"]), _TOPICS, keep_everything=True).tracker
    fresh.lost_to, fresh.uncounted_from_ms = stage.tracker.lost_to, stage.tracker.uncounted_from_ms
    fresh.by_category_from_ms = stage.tracker.by_category_from_ms
    booked = Postings()
    for name, conversation in stage.tracker.conversations.items():
        booked.add(fresh.postings_of(name, conversation.facts))
    fresh.slices.book(booked)
    return Counter(
        {
            (kind, scope.scope, scope.channel, start, field): amount
            for (kind, scope, start), counts in changed_slices(fresh.slices)
            for field, amount in (counts or {}).items()
            if amount
        }
    )


def test_facts_of_before_come_to_what_was_booked_then(rows: dict[bytes, bytes]) -> None:
    """Every conversation is read alike: its facts contribute what the stored slices hold."""
    stage = _restored(rows)

    assert len(stage.tracker.conversations) == 47
    kept, found = _sums_of_rows(rows), _sums_of_facts(stage)
    assert len(kept) > 1_000
    # Panes older than the longest window were given up.
    panes = min(key[3] for key in kept if key[0] == "pane")
    assert {key: amount for key, amount in found.items() if key[0] != "pane" or key[3] >= panes} == dict(kept)


def test_changed_rows_are_written_again_and_read_alike(rows: dict[bytes, bytes]) -> None:
    """A further fact of an old conversation writes its row in the new form, with the old facts and the new one."""
    stage = _restored(rows)
    name, conversation = next((name, each) for name, each in stage.tracker.conversations.items() if len(each.facts) > 5)
    facts, source = list(conversation.facts), conversation.source
    at = facts[-1].at + 1_000
    times = dict.fromkeys(("occurred_at", "received_at"), format_ms(at))
    event = {"type": "contact.escalated", "event_id": "further", "source": source, "conversation_id": id_of(name), **times}
    stage.process([SimpleNamespace(topic="t", partition=0, offset=0, timestamp=at, key=None, value=orjson.dumps(event), headers=())])
    written = {key: value for key, value in stage.collect().rows if value is not None}

    row = written[b"s|" + name.encode()]
    assert row.startswith(b'{"facts":[[')
    again = _restored({**rows, **written}).tracker.conversations[name]
    assert again.facts[:-1] == facts
    assert again.facts[-1].event_id == "further"
    assert (again.source, again.contact) == (source, conversation.contact)
