"""From when the first response runs, by the definition of the queue: a bot, its hand-over, a queue, an answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.events import parse_contact_event
from schemas.times import format_ms
from streams.configuration import Configuration
from streams.replay import Replay
from tests.oracle.recount import recount

#: Chat from 09:00:00: to a bot at once, handed over after 100 s, again after 130 s, queued after 135 s, answered after 150 s.
STORY: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("contact.arrived", 0, {"channel": "chat", "direction": "inbound"}),
    ("contact.handed_over", 100, {}),
    ("contact.handed_over", 130, {}),
    ("contact.queued", 135, {"queue": "help", "channel": "chat"}),
    ("contact.answered", 150, {"agent": "ann"}),
    ("contact.handed_over", 160, {}),
)
NINE_MS = 1_796_720_400_000
#: 150 − 0, 150 − 135 and 150 − 130 seconds.
EXPECTED = {"arrived": 150, "queued": 15, "handed_over": 20}


def events(story: tuple[tuple[str, int, dict[str, Any]], ...]) -> list[dict[str, Any]]:
    """Return the story as events of the canonical form."""
    sent = []
    for number, (kind, second, fields) in enumerate(story):
        at = format_ms(NINE_MS + 1000 * second)
        ids = {"event_id": f"e{number}", "conversation_id": "c", "source": "chat"}
        sent.append({"type": kind, "occurred_at": at, "received_at": at, **ids, **fields})
    return sent


def configuration(begin: str) -> Configuration:
    """Return a center whose queue's first response begins so."""
    definitions = {"ours": {"threshold_s": 30, "first_response": begin}}
    return Configuration.model_validate({"definitions": definitions, "queues": {"help": {"channel": "chat", "definitions": ["ours"]}}})


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (4, 0, 3, 2, 5, 1)], ids=["in order", "out of order"])
@pytest.mark.parametrize("begin", EXPECTED)
def test_from_when_it_runs(begin: str, order: tuple[int, ...]) -> None:
    """The last hand-over before the answer counts, whatever came in first; one after it does not."""
    center, sent = configuration(begin), events(STORY)
    replay = Replay(center)
    for number in order:
        replay.add(_encoded(sent[number]), "contact")
    found = replay.finish(None)["totals"]["first_response_time"]
    assert (found["value"], found["denominator"]) == (EXPECTED[begin], 1)
    recounted = recount([parse_contact_event(_encoded(each)) for each in sent], center).totals()["first_response_time"]
    assert recounted["value"] == EXPECTED[begin]


def test_without_a_hand_over_it_runs_from_arrival() -> None:
    """Without a handover: 150 s."""
    center = configuration("handed_over")
    sent = events(tuple(each for each in STORY if each[0] != "contact.handed_over"))
    replay = Replay(center)
    for each in sent:
        replay.add(_encoded(each), "contact")

    assert replay.finish(None)["totals"]["first_response_time"]["value"] == EXPECTED["arrived"]


def _encoded(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event)
