"""Agents of versions that wrote facts and plans in one row, as an object: they are read, and written as present rows.

``agents_as_objects.jsonl`` has the rows of 4:50 of a day. At the desk ann was busy from 0 s, idle from 100, in wrap-up from 190 (sent at
275) and busy from 240; bo was idle in the team blue from 5 s and offline from 235. Ann is planned to work from 0 to 400, with lunch from
350 to 380, bo to work from 0 to 250.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.times import format_ms
from streams.stages.track import AgentStage
from tests.stages.test_rows_keyed_by_id import StoredStage, beat
from tests.tracking.harness import event, ms

DESK: dict[str, Any] = {"source": "desk"}


@pytest.fixture
def agents() -> StoredStage:
    """Return agents restored from old rows."""
    lines = (Path(__file__).parent / "agents_as_objects.jsonl").read_bytes().splitlines()
    rows = (orjson.loads(line) for line in lines)
    return StoredStage(AgentStage, {row["key"].encode(): orjson.dumps(row["value"]) for row in rows})


def state(seconds: float, axis: str, name: str, **fields: Any) -> bytes:
    """Return a change of state at the desk."""
    return event("agent.state_changed", seconds, axis=axis, state=name, **DESK, **fields)


def seconds(agents: StoredStage, scope: str) -> dict[str, int]:
    """Return the sums of time of a scope, in seconds."""
    return {field: amount // 1000 for field, amount in agents.sums(scope, None).items() if amount}


@pytest.mark.parametrize("restarts", [False, True])
def test_counting_continues_from_old_rows(agents: StoredStage, restarts: bool) -> None:
    """The next events change what was booked before, a repeat changes nothing, and earlier plans hold."""
    batches = [
        (state(240, "activity", "busy", event_id="a3"), state(210, "activity", "idle", received=292), beat(292, **DESK)),
        (state(238, "presence", "online", person_id="bo", received=293),),
        (event("schedule.planned", 293, activity="break", start=format_ms(ms(300)), end=format_ms(ms(320)), **DESK), beat(300, **DESK)),
        (state(310, "activity", "idle"), beat(340, **DESK)),
        (beat(400, **DESK),),
    ]
    for events in batches:
        agents.apply(*events)
        if restarts:
            agents.restart()

    # Ann: handling 0-100, idle -190, wrap-up -210, idle -240, handling -310, idle -400; planned otherwise than as work 300-320 and 350-380.
    assert seconds(agents, "team:red") == {
        "handling_ms": 170,
        "idle_ms": 210,
        "wrap_up_ms": 20,
        "planned_work_adhered_ms": 350,
        "planned_other_missed_ms": 50,
    }
    # Bo: idle 5-235, offline -238, idle -400; the configuration has no team for bo.
    assert seconds(agents, "team:blue") == {
        "idle_ms": 392,
        "unattributed_ms": 392,
        "planned_work_adhered_ms": 242,
        "planned_work_missed_ms": 3,
    }
    assert seconds(agents, "total:all")["planned_work_unknown_ms"] == 5
    assert agents.now["total:all"]["agents_by_state"] == {"idle": 2}


def test_rows_of_today_take_their_place(agents: StoredStage) -> None:
    """At the first flush facts and plans have rows of their own, and facts that are too old to change are in none after the next event."""
    agents.apply(beat(300, **DESK))
    agents.apply(state(301, "activity", "idle"), beat(340, **DESK))

    facts, plans = orjson.loads(agents.rows[b"s|ann\x1fdesk"]), orjson.loads(agents.rows[b"P|ann\x1fdesk"])
    # What happened before 200 is final at 340, with a grace of 120 s and two panes.
    assert [fact[2] for fact in facts[3]][:-1] == ["a3"]
    assert [plan[2] for plan in plans] == ["p1", "p2"]
    assert [plan[2] for plan in orjson.loads(agents.rows[b"P|bo\x1fdesk"])] == ["p3"]
    agents.restart().apply(state(500, "activity", "busy"), beat(700, **DESK))
    assert [plan for plan in agents.rows if plan.startswith(b"P|")] == []
    agents.apply(state(701, "activity", "idle"))
    assert len(orjson.loads(agents.rows[b"s|ann\x1fdesk"])[3]) == 1
