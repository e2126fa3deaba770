"""Names without events expire everywhere, whatever the chunks and restarts; configured ones stay."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.agent import AgentStateChanged
from schemas.contact import ContactAnswered, ContactEnded, ContactLeftQueue, ContactQueued
from streams.configuration import Configuration
from streams.replay import Replay
from tests.oracle.reporting import beat, report
from tests.properties.pipeline import MemoryPipeline

if TYPE_CHECKING:
    from schemas.base import Event

HOUR = 3_600
IDLE_HOURS = 72
#: An agent is booked for twelve hours after the last event; then follow the idle hours, or the 74 for which intervals are served.
GONE_HOURS = 12 + 76


def configuration(idle_hours: int = IDLE_HOURS) -> Configuration:
    """Return one queue and one team, and an alert on every queue."""
    return Configuration.model_validate(
        {
            "queues": {"Sales": {"channel": "voice", "department": "shop"}},
            "teams": {"red": {}},
            "sources": {"dead": {"silence_seconds": 5}},
            "source_limits": {"names_idle_hours": idle_hours},
            "alerts": {
                "waits": {"kpi": "longest_wait", "above": 10, "for_seconds": 0, "clear_for_seconds": 60, "scopes": ["queue:*"]},
            },
        }
    )


def call(begin: float, queue: str, name: str, channel: str = "voice") -> list[Event]:
    """Return a call that waits 40 s, with a heartbeat at 30 s, and talks a minute."""
    return [
        report(ContactQueued, begin, name, queue=queue, channel=channel),
        beat(begin + 30),
        report(ContactAnswered, begin + 40, name, agent="a", queue=queue),
        report(ContactEnded, begin + 100, name, by="customer"),
    ]


def beats(first_hour: float, last_hour: float, every: float = 1 / 6) -> list[Event]:
    """Return heartbeats, each complete through its own time."""
    return [beat(HOUR * (first_hour + number * every)) for number in range(round((last_hour - first_hour) / every) + 1)]


def day(made_up: str = "made up") -> list[Event]:
    """Return the first events: calls of a configured queue and of a made-up one, and an agent of a made-up team."""
    person = [
        report(AgentStateChanged, at, "p", axis="routing", state=state, team=made_up, site="nowhere")
        for at, state in ((10, "idle"), (500, "offline"))
    ]
    return sorted(
        [
            *call(60, "Sales", "c1"),
            *call(70, made_up, "c2"),
            *call(80, "Sales", "c3", "chat"),
            *person,
            # Its alert fires, and while a source is silent none recovers.
            beat(0, source="dead"),
            report(ContactQueued, 200, "c4", queue=made_up, channel="voice"),
            beat(260),
            report(ContactLeftQueue, 300, "c4", reason="abandoned"),
        ],
        key=lambda each: each.occurred_at,
    )


def about(keys: Any, *names: str) -> set[str]:
    """Return the keys that hold one of some names."""
    texts = {key.decode() if isinstance(key, bytes) else key for key in keys}
    return {key for key in texts if any(name in key for name in names)}


def stored_keys(there: MemoryPipeline, *names: str) -> dict[str, set[str]]:
    """Return the stored keys of some names, by store."""
    return {
        "latest": about(there.latest, *names),
        "alerts": about(there.alerts_latest, *names),
        "panes": about((key for panes in there._panes for key in panes), *names),
        "rows": about((key for rows in there._rows.values() for key in rows if not key.startswith((b"n|", b"s|"))), *names),
        "roll-up": about((f"{scope}|{channel}" for stage in there._rollups for scope, channel in stage.rollup.scopes), *names),
    }


NOTHING: dict[str, set[str]] = {store: set() for store in ("latest", "alerts", "panes", "rows", "roll-up")}
EXPIRES = ("made up", "nowhere", "|chat|")


@pytest.mark.parametrize(("seed", "restarts"), [(0, 0.0), (1, 0.0), (2, 0.2), (3, 0.2), (4, 0.5)])
def test_what_is_made_up_expires_and_what_is_configured_stays(seed: int, restarts: float) -> None:
    """Records of a made-up queue, team and site, and of an unconfigured channel of a queue, are deleted; all others stay."""
    there = MemoryPipeline(configuration(), Random(seed), contacts=3, agents=2, panes=2)
    there.run(day(), restarts=restarts, moves=1.0)
    there.run(beats(1, 70), restarts=restarts / 10)
    before = stored_keys(there, *EXPIRES)
    assert about(before["latest"], "now|voice|queue:made up", "window|trailing_15m|voice|queue:made up", "window|day|voice|queue:made up|")
    assert about(before["latest"], "now|-|team:made up", "now|-|site:nowhere", "now|chat|queue:Sales", "now|chat|department:shop")
    assert before["panes"]
    assert before["rows"]
    assert [each["state"] for each in there.alerts if each["scope"] == "made up"] == ["firing"]
    stays = about(there.latest, "queue:Sales", "team:red", "department:shop", "total:all|")

    there.run(beats(70, GONE_HOURS), restarts=restarts / 10)
    assert stored_keys(there, *EXPIRES) == NOTHING
    current = {key for key in stays if not key.startswith(("window|interval", "window|day")) and "|chat|" not in key}
    assert {key for key in current if "Sales" in key} >= {"now|voice|queue:Sales", "window|trailing_15m|voice|queue:Sales"}
    assert current <= set(there.latest)
    states = [(each["state"], each["cleared_because"]) for each in there.alerts if each["scope"] == "made up"]
    assert states == [("firing", None), ("cleared", "too_few_contacts")]


@pytest.mark.parametrize("seed", range(3))
def test_neither_chunks_nor_restarts_decide(seed: int) -> None:
    """The same records remain at the same progress, also of scopes with new events in between."""
    events = sorted(
        [*day(), *call(20 * HOUR, "later", "l1"), *call(74 * HOUR, "later", "l2"), *beats(1, 140, 1 / 2)], key=lambda each: each.occurred_at
    )
    at_once = MemoryPipeline(configuration(), Random(seed))
    at_once.run(events, moves=1.0)
    parts = MemoryPipeline(configuration(), Random(seed + 100))
    parts.run(events, moves=1 / 4, restarts=1 / 5)

    assert parts.restarts > 3
    assert set(parts.latest) == set(at_once.latest)
    assert {key: each["kpis"] for key, each in parts.latest.items() if "kpis" in each} == {
        key: each["kpis"] for key, each in at_once.latest.items() if "kpis" in each
    }
    assert about(at_once.latest, "queue:later")
    assert stored_keys(parts, *EXPIRES) == stored_keys(at_once, *EXPIRES) == NOTHING
    # By the second call alone: the first would have ended it after 93 hours.
    assert [set(panes) for panes in parts._panes] == [set(panes) for panes in at_once._panes]


def test_an_open_contact_keeps_its_scope_and_a_name_that_returns_restarts_at_zero() -> None:
    """A contact that waits for weeks is shown as waiting; an expired queue that returns has new figures."""
    there = MemoryPipeline(configuration(), Random(5))
    there.run([*day(), report(ContactQueued, 900, "m1", queue="letters", channel="mail"), *beats(1, 200)], moves=1.0, restarts=0.002)
    assert there.latest["now|mail|queue:letters"]["waiting"] == 1
    assert about(there.latest, "made up") == set()

    there.run([*call(201 * HOUR, "made up", "c9"), *beats(201.2, 202)], moves=1.0)
    day_key = next(key for key in there.latest if key.startswith("window|day|voice|queue:made up|"))
    assert there.latest[day_key]["kpis"]["offered"]["value"] == 1
    assert there.latest["now|voice|queue:made up"]["waiting"] == 0


def test_rows_of_the_last_release_expire_too() -> None:
    """They have neither the last booking nor the mark that scopes expire: without a partition that holds them all are deleted."""
    there = MemoryPipeline(configuration(8_760), Random(6))
    there.run([*day(), *call(79 * HOUR, "recent", "r1"), *beats(1, 80)])
    for rows in there._rows.values():
        for key in [key for key in rows if key.startswith(b"b|")]:
            del rows[key]
    for panes in there._panes:
        for key, value in panes.items():
            record = orjson.loads(value)
            record.pop("expires", None)
            panes[key] = orjson.dumps(record)
    assert about(there.latest, "made up")

    there.restart_with(configuration())
    there.run(beats(80.5, GONE_HOURS), restarts=0.1)
    # Source partitions do not know events that old: their last records in queue-panes stay, and count as nothing.
    assert {key.split("|")[0] for key in stored_keys(there, *EXPIRES).pop("panes")} == {"now"}
    assert stored_keys(there, *EXPIRES) | {"panes": set()} == NOTHING
    assert about(there.latest, "now|voice|queue:recent", "window|trailing_15m|voice|queue:recent")
    there.run(beats(GONE_HOURS, 79 + 76))
    assert stored_keys(there, *EXPIRES, "recent") | {"panes": set()} == NOTHING
    assert not about(there._panes[0] | there._panes[1], "recent")


def test_a_replay_keeps_everything() -> None:
    """Every event of an input is in its figures, however old."""
    replay = Replay(configuration())
    for each in [*day(), *beats(1, 100)]:
        for kind in ("contact", "agent") if each.type.startswith("source.") else ("agent" if each.type.startswith("agent") else "contact",):
            replay.add(each.model_dump_json(exclude_none=True).encode(), kind)
    replay.finish()
    assert about(replay.latest, "now|voice|queue:made up", "window|day|voice|queue:made up|", "now|-|team:made up")
