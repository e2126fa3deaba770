"""A version holds for windows that begin under it: through restarts, in a replay, and in a stream that sees it late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson
import pytest

from schemas.events import parse_contact_event
from streams.configuration import Configuration
from streams.engine.stage import ConfigurationRefusedError
from streams.replay import Replay
from tests.oracle.recount import recount
from tests.properties.compare import differences
from tests.properties.pipeline import MemoryPipeline

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
QUARTER_MS = 900_000

V1 = {"version": 1, "threshold_s": 20}
AT_A_QUARTER_PAST = {"version": 2, "threshold_s": 12, "effective_from": "2026-03-02T13:15:00+01:00"}
AT_HALF_A_MINUTE_PAST = AT_A_QUARTER_PAST | {"effective_from": "2026-03-02T12:00:30Z"}


def configuration(*versions: dict[str, Any], **more: Any) -> Configuration:
    """Return queue sales, judged by the versions of ``standard``, and queue vip, judged by ``strict`` with ``standard`` beside it."""
    strict = {"threshold_s": 13, "abandon": "positive"}
    queues = {"sales": {"definitions": ["standard"]}, "vip": {"definitions": ["strict", "standard"]}}
    return Configuration.model_validate({"definitions": {"standard": versions, "strict": strict}, "queues": queues, **more})


def event(kind: str, second: float, **fields: Any) -> Any:
    """Return an event at a second after noon."""
    at = (NOON + timedelta(seconds=second)).isoformat()
    common = {"type": kind, "event_id": f"{kind}@{second}", "occurred_at": at, "received_at": at, "source": "switch"}
    return parse_contact_event(orjson.dumps({**common, **fields}))


def call(begin: float, wait: float, queue: str = "sales", *, abandoned: bool = False) -> list[Any]:
    """Return a call that is answered, or abandoned, after a wait."""
    name = f"{queue}@{begin}"
    queued = event("contact.queued", begin, conversation_id=name, queue=queue, channel="voice")
    if abandoned:
        return [queued, event("contact.left_queue", begin + wait, conversation_id=name, reason="abandoned")]
    return [queued, event("contact.answered", begin + wait, conversation_id=name, agent="a")]


def beat(second: float) -> list[Any]:
    """Return a heartbeat, complete through its own time."""
    return [event("source.heartbeat", second, complete_through=(NOON + timedelta(seconds=second)).isoformat())]


def pipeline(configured: Configuration) -> MemoryPipeline:
    """Return a pipeline of several partitions."""
    return MemoryPipeline(configured, Random(3), contacts=2, agents=1, panes=2)


def level(there: MemoryPipeline, window: str, scope: str = "queue:sales") -> tuple[str, float, float]:
    """Return the definition of a window's service level, contacts met and contacts counted."""
    record = there.latest[f"window|{window.partition('|')[0]}|voice|{scope}{window[len(window.partition('|')[0]) :]}"]
    figure = record["kpis"]["service_level"]
    return record["definitions"]["service_level"], figure["numerator"], figure["denominator"]


FIRST, SECOND = f"interval_15m|{NOON_MS}", f"interval_15m|{NOON_MS + QUARTER_MS}"
DAY = f"day|{NOON_MS - 12 * 3_600_000}"
#: Four calls that wait 15 s, within the first version's 20 s and beyond the second's 12 s.
CALLS = [*call(60, 15), *call(400, 15), *call(960, 15), *call(1000, 15)]


@pytest.mark.parametrize("restarts", [0.0, 1.0])
def test_a_window_keeps_its_version_after_the_next_takes_effect(restarts: float) -> None:
    """Must-show 6: the first quarter and the earlier day have 2 of 2 and 4 of 4 by version 1; the second quarter 0 of 2 by version 2."""
    configured = configuration(V1, AT_A_QUARTER_PAST)
    there = pipeline(configured)
    there.run([*CALLS, *beat(1020)], restarts=restarts, moves=1.0)

    assert there.restarts >= (len(CALLS) if restarts else 0)
    assert level(there, FIRST) == ("standard@1", 2, 2)
    assert level(there, SECOND) == ("standard@2", 0, 2)
    assert level(there, DAY) == ("standard@1", 4, 4)
    # From 12:12:10 on: it begins under version 1, though two calls in it arrived under version 2.
    assert level(there, "trailing_5m") == ("standard@1", 2, 2)

    # 12:21:40, from 12:16:50 on: the call answered at 12:16:55 alone.
    there.run(beat(1300))
    assert level(there, "trailing_5m") == ("standard@2", 0, 1)


def test_a_trailing_window_changes_its_version_when_nothing_else_changes() -> None:
    """At 12:18:20 the window begins at 12:13:30; at 12:20:00 at 12:15:10: the same call, judged again though no sum has changed."""
    there = pipeline(configuration(V1, AT_A_QUARTER_PAST))
    there.run([*call(960, 15), *beat(1100)])
    assert level(there, "trailing_5m") == ("standard@1", 1, 1)
    there.run(beat(1200))
    assert level(there, "trailing_5m") == ("standard@2", 0, 1)


def test_a_replay_gives_the_same_figures() -> None:
    """Counted from a file the intervals have the versions and figures that the stream gave them."""
    configured = configuration(V1, AT_A_QUARTER_PAST)
    replay = Replay(configured)
    for each in CALLS:
        replay.add(each.model_dump_json(exclude_none=True).encode(), "contact")
    found = replay.finish()
    intervals = [each for each in found["intervals"] if each["interval"] == "interval_15m" and each["queue"] == "sales"]

    named = [(each["definitions"]["service_level"], each["kpis"]["service_level"]["value"]) for each in intervals]
    assert named == [("standard@1", 1.0), ("standard@2", 0.0)]


def test_a_version_seen_late_holds_from_the_next_quarter_on() -> None:
    """A stream that runs since noon sees at 12:06:55 that version 2 holds since 12:00:30: the running quarter keeps its version."""
    there = pipeline(configuration(V1))
    there.run([*CALLS[:2], *beat(400)])
    configured = configuration(V1, AT_HALF_A_MINUTE_PAST)
    there.restart_with(configured)
    there.run([*CALLS[2:], *beat(1020)], restarts=0.2, moves=0.5)

    assert level(there, FIRST) == ("standard@1", 2, 2)
    assert level(there, SECOND) == ("standard@2", 0, 2)
    records = [record for key, record in there.latest.items() if key.startswith("definition|") and key.endswith("|standard@2")]
    assert [record["known_since"] for record in records] == ["2026-03-02T12:15:00.000Z"] * 2
    assert {record["effective_from"] for record in records} == {"2026-03-02T12:00:30.000Z"}
    # The first version has been there from the beginning.
    assert there.latest["definition|0|standard@1"]["known_since"] is None
    known = dict.fromkeys(("standard@2",), NOON_MS + QUARTER_MS)
    counted = recount([*CALLS, *beat(400), *beat(1020)], configured)
    counted.known_since = known
    assert differences(there.latest, counted) == []


def test_a_definition_that_is_new_beside_another_begins_when_it_is_known() -> None:
    """Its threshold of 13 s is no edge of earlier counts: the first quarter has no figure of it, the second is exact."""
    before = Configuration.model_validate({"definitions": {"standard": V1}, "queues": {"sales": {"definitions": ["standard"]}}})
    after = configuration(V1, queues={"sales": {"definitions": ["standard", "strict"]}})
    there = pipeline(before)
    there.run([*CALLS[:2], *beat(400)])
    there.restart_with(after)
    there.run([*call(960, 12.5), *call(1000, 15), *beat(1030)])

    first, second = (there.latest[f"window|interval_15m|voice|queue:sales|{NOON_MS + n * QUARTER_MS}"] for n in (0, 1))
    assert "by_definition" not in first
    assert second["by_definition"]["strict@1"]["service_level"] == {"value": 0.5, "numerator": 1, "denominator": 2, "coverage": 1.0}


def test_a_version_changed_in_place_is_refused() -> None:
    """Roll-up does not start: the message names the key, both values and the remedy."""
    there = pipeline(configuration(V1))
    there.run([*CALLS[:2], *beat(400)])
    changed = configuration(V1 | {"threshold_s": 25})

    message = (
        "definition standard@1 was published with threshold_s 20.0 and is configured with 25.0: a version does not change in place. "
        "Leave it unchanged and add version 2 with an effective_from"
    )
    with pytest.raises(ConfigurationRefusedError, match=message):
        there.restart_with(changed)


def test_larger_scopes_judge_each_contact_by_its_queue() -> None:
    """15 s are within sales' 20 s and beyond vip's 13 s; vip's abandon after 5 s is met there: 1 of 1, 1 of 2, and 2 of 3 in total."""
    there = pipeline(configuration(V1))
    there.run([*call(60, 15), *call(100, 15, "vip"), *call(130, 5, "vip", abandoned=True), *beat(200)])

    assert level(there, FIRST) == ("standard@1", 1, 1)
    assert level(there, FIRST, "queue:vip") == ("strict@1", 1, 2)
    assert level(there, FIRST, "total:all") == ("service_level@1, standard@1, strict@1", 2, 3)
    beside = there.latest[f"window|interval_15m|voice|queue:vip|{NOON_MS}"]["by_definition"]
    # By standard the abandon is missed: 15 s are within 20 s, 1 of 2; an abandon counts as missed there.
    assert (beside["standard@1"]["service_level"]["numerator"], beside["standard@1"]["service_level"]["denominator"]) == (1, 2)


def test_a_waiting_contact_is_late_by_its_queue() -> None:
    """At 16 s one waits in each queue: beyond vip's 13 s and not beyond sales' 20 s; in total one is."""
    there = pipeline(configuration(V1))
    there.run([*call(60, 15)[:1], *call(60, 15, "vip")[:1], *beat(76)])

    past = {scope: there.latest[f"now|voice|{scope}"]["waiting_past_threshold"] for scope in ("queue:sales", "queue:vip", "total:all")}
    assert past == {"queue:sales": 0, "queue:vip": 1, "total:all": 1}
    live = there.latest["window|trailing_5m|voice|total:all"]["kpis"]["service_level_live"]
    assert (live["numerator"], live["denominator"]) == (0, 1)
