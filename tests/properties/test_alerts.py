"""Alerts over random worlds, flushed at random instants and restarted: each fires and clears when the oracle's does, and once."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32
from zoneinfo import ZoneInfo

import pytest

from schemas.other import SourceSnapshot
from schemas.times import format_ms
from streams.configuration.models import LOST_AFTER_SECONDS, Configuration
from tests.oracle.alerts import Breach, Seen, breaches
from tests.oracle.recount import progress_of, recount
from tests.oracle.worlds import random_world
from tests.properties.pipeline import MemoryPipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.configuration.alert_conditions import AlertCondition
    from streams.configuration.alerts import AlertRule
    from tests.oracle.recount import Recount

RULES: dict[str, dict[str, Any]] = {
    "level": {"window": "trailing_5m", "below": 0.8, "for_seconds": 30, "clear_for_seconds": 20, "minimum_contacts": 2},
    "target": {"window": "trailing_15m", "below": "target", "for_seconds": 60, "clear_for_seconds": 0, "minimum_contacts": 1},
    "long wait": {"kpi": "longest_wait", "above": 45, "clear_at": 20, "for_seconds": 20, "clear_for_seconds": 30},
    "waiting": {"kpi": "waiting", "above": 1, "for_seconds": 0, "clear_for_seconds": 0, "scopes": ["queue:*", "total:all"]},
    "given up": {"kpi": "abandon_rate", "above": 0.3, "clear_at": 0.1, "minimum_contacts": 3, "scopes": ["total:*", "site:*"]},
    "speed": {"kpi": "asa", "window": "trailing_5m", "above": 20, "for_seconds": 0, "minimum_contacts": 1, "channels": ["voice", "chat"]},
    "in hours": {
        "kpi": "waiting",
        "above": 0,
        "for_seconds": 10,
        "clear_for_seconds": 60,
        "scopes": ["queue:*", "total:all"],
        "during": "business_hours",
    },
    "both": {
        "all": [
            {"kpi": "longest_wait", "above": 15, "clear_at": 5},
            {"kpi": "offered", "window": "trailing_15m", "above": 1, "clear_at": 0},
        ],
        "for_seconds": 0,
        "clear_for_seconds": 15,
        "scopes": ["queue:*", "total:all"],
    },
    "either": {
        "any": [
            {"kpi": "longest_wait", "above": 60, "clear_at": 10},
            {"kpi": "service_level_live", "window": "trailing_5m", "below": "target", "minimum_contacts": 2},
            {"kpi": "abandon_rate", "window": "trailing_15m", "above": 0.4, "minimum_contacts": 2},
        ],
        "for_seconds": 20,
        "clear_for_seconds": 0,
    },
    "old mail": {"kpi": "backlog_oldest", "above": 120, "for_seconds": 30, "clear_for_seconds": 10, "channels": ["mail", "ticket"]},
}
#: In every hour open from minute 0 to 5, 8 to 13, … 48 to 53: several times in the length of a world.
HOURS = {"mon-sun": [f"{hour:02}:{minute:02}-{hour:02}:{minute + 5:02}" for hour in range(24) for minute in range(0, 56, 8)]}
TARGETS = {"sales": 0.9, "care": 0.5}
PANES = 2
SEEDS = range(4)


def with_rules(configuration: Configuration) -> Configuration:
    """Return the configuration of a world with rules and targets."""
    content = configuration.model_dump(exclude_unset=True)
    # Lost contacts depend on each partition's progress, which the oracle of alerts does not follow: here none are lost.
    content["counting"]["lost_after_seconds"] = dict.fromkeys(LOST_AFTER_SECONDS, 30 * 86_400)
    for queue in content["queues"].values():
        queue["business_hours"] = HOURS
    for name, target in TARGETS.items():
        content["queues"][name]["target"] = target
    return Configuration.model_validate({**content, "alerts": RULES})


def evaluations(pipeline: MemoryPipeline, configuration: Configuration) -> Iterator[tuple[int, Recount, bool, int | None]]:
    """Yield for each flush its partition, the recount of all events known by then, if a source was stale, and the last evaluation."""
    before: dict[tuple[int, int], int] = {}
    for number, start, known in pipeline.flushes:
        parts = [pipeline.taken[place][:count] for place, count in known.items()]
        progress = [progress_of(part, configuration) for part in parts]
        received = [each.received_through_ms for each in progress if each.received_through_ms is not None]
        if not received:
            continue
        seen = {source for each in progress for source in each.seen}
        fresh = {source for each in progress for source in each.seen - each.stale}
        everything = [event for part in parts for event in part]
        stale = seen != fresh
        yield number, recount(everything, configuration, max(received)), stale, before.get((number, start))
        before[number, start] = max(received)


def seen_by(rule: AlertRule, oracle: Recount, scope: str, channel: str, before: int | None, *, stale: bool) -> Seen:
    """Return the values of one scope and channel in one evaluation."""
    assert oracle.as_of_ms is not None
    (value, denominator), *others = [figure_of(each, oracle, scope, channel) for each in rule.conditions]
    return Seen(oracle.as_of_ms, value, denominator, stale, before, tuple(others))


def figure_of(condition: AlertCondition, oracle: Recount, scope: str, channel: str) -> tuple[float | None, float | None]:
    """Return value and denominator of a condition's figure."""
    assert oracle.as_of_ms is not None
    if condition.window is not None:
        figure = oracle.window(scope, channel, condition.window)[condition.kpi]
        return figure["value"], figure["denominator"] or 0
    now = oracle.now(scope, channel)
    value = now.get("longest_wait_seconds" if condition.kpi == "longest_wait" else condition.kpi)
    if condition.kpi == "backlog_oldest":
        oldest = now["backlog_oldest_since_ms"]
        value = None if oldest is None else max(0, oracle.as_of_ms - oldest) / 1000
    return value, None


def in_hours(at_ms: int, zones: Iterable[str]) -> bool:
    """Return whether HOURS hold an instant in one of the zones; the repeated hour of a clock set back is excluded."""
    clocks = [datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)) for zone in zones]
    return any(clock.minute < 56 and clock.minute % 8 < 5 and not clock.fold for clock in clocks)


def zones_of(scope: str, configuration: Configuration) -> set[str]:
    """Return the zones of the queues that a scope has."""
    named = scope.removeprefix("queue:")
    queues = [queue for name, queue in configuration.queues.items() if scope == "total:all" or name == named]
    return {configuration.default_zone if queue.site is None else configuration.sites[queue.site].zone for queue in queues}


def always(_: int) -> bool:
    """Return that a rule without hours is in force."""
    return True


def expected(pipeline: MemoryPipeline, configuration: Configuration) -> dict[str, list[Breach]]:
    """Return the oracle's alerts by key."""
    seen: dict[tuple[str, str, str], list[Seen]] = defaultdict(list)
    every = list(evaluations(pipeline, configuration))
    places = {place for _, oracle, _, _ in every for place in oracle.scopes()}
    for number, oracle, stale, before in every:
        for scope, channel in places:
            if channel is None or crc32(scope.encode()) % PANES != number:
                continue
            for name, rule in configuration.alerts.items():
                if (rule.channels is None or channel in rule.channels) and any(fnmatchcase(scope, each) for each in rule.scopes):
                    seen[name, channel, scope].append(seen_by(rule, oracle, scope, channel, before, stale=stale))
    found: dict[str, list[Breach]] = {}
    for (name, channel, scope), sights in seen.items():
        target = TARGETS.get(scope.removeprefix("queue:"))
        if not configuration.alerts[name].of_a_target or target is not None:
            zones = zones_of(scope, configuration) if RULES[name].get("during") else None
            is_open = partial(in_hours, zones=zones) if zones else always
            found[f"alert|{name}|{channel}|{scope}"] = breaches(sights, configuration.alerts[name], target=target, is_open=is_open)
    return {key: each for key, each in found.items() if each}


def values_of(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return the compared values of a record."""
    return tuple(record[name] for name in ("state", "since", "fired_at", "cleared_at", "cleared_because", "value"))


def of_oracle(each: Breach) -> Iterator[tuple[Any, ...]]:
    """Yield the same values of an alert that fired, and of its end."""
    since, fired = format_ms(each.since_ms), format_ms(each.fired.at_ms)
    yield "firing", since, fired, None, None, each.fired.figure(each.shown)[0]
    if each.cleared is not None:
        yield "cleared", since, fired, format_ms(each.cleared.at_ms), each.because, each.cleared.figure(each.shown)[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_alerts_equal_the_oracles(seed: int) -> None:
    """Alerts fire and clear as the oracle's do from the same evaluations, each once, through restarts and lost flushes."""
    world = random_world(seed, conversations=30, people=2)
    configuration = with_rules(world.configuration)
    pipeline = MemoryPipeline(configuration, Random(seed), panes=PANES)
    pipeline.run([event for event in world.events if not isinstance(event, SourceSnapshot)], restarts=1 / 4)

    wanted = {key: [values for each in alerts for values in of_oracle(each)] for key, alerts in expected(pipeline, configuration).items()}
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for record in pipeline.alerts:
        found[record["key"]].append(values_of(record))
    assert found == wanted
    ids = [(record["alert_id"], record["state"]) for record in pipeline.alerts]
    assert len(ids) == len(set(ids))
    revisions: dict[str, int] = {}
    for record in pipeline.alerts:
        assert record["revision"] > revisions.get(record["key"], 0)
        revisions[record["key"]] = record["revision"]
    firing = {key for key, states in wanted.items() if states[-1][0] == "firing"}
    assert {key for key, record in pipeline.alerts_latest.items() if record["state"] == "firing"} == firing
    print(f"seed {seed}: {sum(map(len, wanted.values()))} records of {len(wanted)} alerts, {len(pipeline.flushes)} flushes")  # noqa: T201
    assert {"both", "either"} <= {key.split("|")[1] for key in wanted}, "rules of several figures have to fire"
    assert any(state[4] == "closed" for states in wanted.values() for state in states)
    assert any(state[0] == "cleared" for states in wanted.values() for state in states)
