"""State is bounded: what a sender makes up, sends out of order or never ends costs no more than a stated amount."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from streams.stages.track import AgentStage, ContactStage
from tests.stages.test_too_many_events import UNLIMITED, reasons
from tests.stages.test_track import TOPICS
from tests.tracking.telling import event, record

if TYPE_CHECKING:
    from streams.engine.stage import Record

_FACTS = 2_000
_KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("contact.queued", {"queue": "A"}),
    ("contact.answered", {"agent": "ann"}),
    ("contact.message", {"author_kind": "customer"}),
    ("contact.transferred", {}),
)


def _conversation() -> list[Record]:
    """Return 2,000 events of one conversation in half a minute, all received at its end."""
    kinds = [_KINDS[number % len(_KINDS)] for number in range(_FACTS)]
    return [
        record(event(kind, number / 100, conversation_id="c", event_id=f"e{number}", received=30, **fields))
        for number, (kind, fields) in enumerate(kinds)
    ]


def _person() -> list[Record]:
    states = ("idle", "interacting", "away")
    return [
        record(event("agent.state_changed", number / 100, person_id="p", axis="routing", state=states[number % 3], received=30))
        for number in range(_FACTS)
    ]


def _cpu_seconds(kind: type[ContactStage | AgentStage], records: list[Record], chunk: int) -> float:
    """Return the least of three times that records take, with a flush after so many of them."""
    taken = []
    for _ in range(3):
        stage = kind(0, UNLIMITED, TOPICS)
        begun = time.process_time()
        for first, after in pairwise([*range(0, len(records), chunk), len(records)]):
            stage.process(records[first:after])
            flush = stage.collect()
        taken.append(time.process_time() - begun)
        assert set(reasons(flush)) <= {"too_many_out_of_order"}
    return min(taken)


@pytest.mark.parametrize("chunk", [_FACTS, 1])
@pytest.mark.parametrize(("kind", "records"), [(ContactStage, _conversation()), (AgentStage, _person())], ids=["contact", "person"])
def test_events_backwards_cost_little_more_than_in_order(kind: type[ContactStage | AgentStage], records: list[Record], chunk: int) -> None:
    """H3: 2,000 events of one conversation, or person, in reverse: at most five times what they take in order, not eighty times."""
    assert _cpu_seconds(kind, records[::-1], chunk) <= 5 * _cpu_seconds(kind, records, chunk)
