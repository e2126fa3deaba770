"""Figures of individual agents: written if their site permits it, deleted when it no longer does, served only on request."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson

from schemas.agent_metrics import AgentFigures
from streams.configuration import Configuration
from streams.serving.agents import Agents
from streams.stages.rollup import RollUpStage, RollUpTopics
from tests.serving.records import Backend, client_of, small_center

if TYPE_CHECKING:
    from streams.engine.stage import Output

TOPICS = RollUpTopics("panes", 1, "metrics", "latest", "alerts", "alerts-latest", "contacts", 1, "agents", 1)
START_MS = 1_775_034_000_000


def stage(*, permitted: bool) -> RollUpStage:
    """Return a roll-up of a center with a rule about all figures of agents."""
    return RollUpStage(
        0,
        Configuration.model_validate(
            {
                "sites": {"bonn": {"zone": "Europe/Berlin", "individual_figures": permitted}},
                "people": {"ann": {"site": "bonn"}, "bo": {}},
                "alerts": {
                    "busy": {"kpi": "occupancy", "above": 0.1, "for_seconds": 0, "minimum_contacts": 0, "scopes": ["site:*", "total:*"]}
                },
            }
        ),
        TOPICS,
    )


def outputs_of(of: RollUpStage) -> list[Output]:
    """Feed a stage a minute of ann's and of bo's, and return its output."""
    records: list[tuple[str, Any]] = [
        (f"cell|-|agents|0|{START_MS}|agent:{name}", {"counts": {"handling_ms": 45_000, "idle_ms": 15_000}}) for name in ("ann", "bo")
    ]
    progress = {"progress_ms": START_MS + 60_000, "received_through_ms": START_MS + 60_000, "sources": {}, "stale_sources": []}
    records += [(f"progress|-|{source}|0|-|-", progress) for source in ("contacts", "agents")]
    of.process([SimpleNamespace(key=key.encode(), value=orjson.dumps(value)) for key, value in records])
    return of.collect().outputs


def people_in(outputs: list[Output]) -> dict[str, set[str]]:
    """Return the agents with figures, by topic."""
    found: dict[str, set[str]] = {}
    for output in outputs:
        name = (output.key or b"").decode().split("agent:")
        if len(name) > 1:
            found.setdefault(output.topic, set()).add(name[1].split("|")[0])
    return found


def test_only_into_their_own_topics_and_only_if_permitted() -> None:
    """Ann's site permits it, bo has none: only hers are written, to the topics of agents, and no alert is about her."""
    outputs = outputs_of(stage(permitted=True))

    assert people_in(outputs) == {"agent-metrics": {"ann"}, "agent-metrics-latest": {"ann"}}
    assert people_in(outputs_of(stage(permitted=False))) == {}
    for output in outputs:
        if output.topic == "agent-metrics":
            record = AgentFigures.model_validate_json(output.value or b"")
            assert record.kpis["utilization"].value == 0.75
            assert record.kpis["handled_per_agent"].value == 0


def test_figures_no_longer_permitted_are_deleted() -> None:
    """A stage that finds figures of an agent whose site forbids them deletes each, once."""
    before = [output for output in outputs_of(stage(permitted=True)) if output.topic == "agent-metrics-latest"]
    after = stage(permitted=False)
    after.restore("agent-metrics-latest", [(output.key or b"", output.value or b"") for output in before])
    first, second = after.collect().outputs, after.collect().outputs

    assert len(before) == 3
    assert [(each.topic, each.key, each.value) for each in first] == [("agent-metrics-latest", each.key, None) for each in before]
    assert second == []


def test_served_only_when_asked_for() -> None:
    """Without the option the endpoint does not exist; with it records are served by window and agent, and null while none are known."""
    fed = Agents()
    for output in outputs_of(stage(permitted=True)):
        if output.topic == "agent-metrics-latest":
            assert fed.feed(output.key, output.value)
    agents = Agents()

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client:
            answer = await client.get("/api/v1/agents")
            assert answer.status == 404
            assert "serve with --agents" in (await answer.json())["error"]
        async with client_of(backend.serving(agents=agents)) as client:
            assert (await (await client.get("/api/v1/agents")).json())["agents"] is None
            agents.take_over(fed)
            everything = (await (await client.get("/api/v1/agents")).json())["agents"]
            day = (await (await client.get("/api/v1/agents?window=day&agent=ann")).json())["agents"]
            absent = (await (await client.get("/api/v1/agents?agent=bo")).json())["agents"]
            assert [each["window"] for each in everything] == ["day", "interval_15m", "interval_30m"]
            assert [(each["scope"], each["window"]) for each in day] == [("ann", "day")]
            assert absent == []
            assert (await client.get("/api/v1/agents?window=week")).status == 400
            assert b'"ann"' not in await (await client.get("/metrics")).read()

    asyncio.run(check())


def test_foreign_records_are_left_out() -> None:
    """A record that is not an agent's figures is counted and skipped."""
    agents = Agents()

    assert not agents.feed(b"window|day|-|agent:ann|0", b'{"kind":"now"}')
    assert agents.rejected == 1
