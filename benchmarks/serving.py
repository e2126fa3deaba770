"""Measures what ``serve`` takes for centers of 10, 100 and 1,000 queues, and of 10,000 agents: reading, scrapes, the API and memory.

``python -m benchmarks.serving`` (``make bench-serving``) starts Apache Kafka, publishes what the worker would, starts ``serve`` and
prints what each size takes. Each answer is asked for after every record of what is now has changed. The embedded broker would not
do: its clients ask it again and again without a pause.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import orjson

from streams.configuration import Configuration
from streams.serving.agents import agents_topic
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.topics import create_topics
from tests.support.kafka import VERSION, cluster, missing
from tests.support.many_queues import START_MS, cpu_seconds, fetch, make_topics, of_many_queues, publish, revised, settled
from tests.support.services import Services, rss_mib

PATHS = ("/metrics", "/api/v1/figures?window=trailing_15m", "/api/v1/trends", "/api/v1/queues/queue%200001")
AGENT_PATHS = ("/api/v1/agents", "/api/v1/agents?window=day")
TIMES = 3


def of_many_agents(agents: int) -> dict[bytes, bytes]:
    """Return agent-metrics-latest after a minute of each agent, at a site that permits figures of single people; its records by key."""
    configuration = Configuration.model_validate(
        {
            "sites": {"bonn": {"zone": "Europe/Berlin", "individual_figures": True}},
            "people": {f"agent-{number:05d}": {"site": "bonn"} for number in range(agents)},
        }
    )
    stage = RollUpStage(
        0, configuration, RollUpTopics("panes", 1, "metrics", "latest", "alerts", "alerts-latest", "contacts", 1, "agents", 1)
    )
    records: list[tuple[str, object]] = [
        (f"cell|-|agents|0|{START_MS}|agent:agent-{number:05d}", {"counts": {"handling_ms": 45_000, "idle_ms": 15_000}})
        for number in range(agents)
    ]
    through = {"progress_ms": START_MS + 60_000, "received_through_ms": START_MS + 60_000, "sources": {}, "stale_sources": []}
    records += [(f"progress|-|{source}|0|-|-", through) for source in ("contacts", "agents")]
    stage.process([SimpleNamespace(key=key.encode(), value=orjson.dumps(value)) for key, value in records])
    return {
        output.key: output.value
        for output in stage.collect().outputs
        if output.topic == "agent-metrics-latest" and output.key is not None and output.value is not None
    }


async def measured_agents(bootstrap: str, agents: int) -> str:
    """Return the lines for a number of agents: the cost of a record, and the answer with all of them."""
    records, prefix = of_many_agents(agents), f"agents-{agents}"
    with tempfile.TemporaryDirectory() as folder, Services(Path(folder), bootstrap, prefix) as services:
        await create_topics(bootstrap, prefix)
        await publish(bootstrap, prefix, of_many_queues(10, rounds=1))
        services.run("serve", "--agents")
        await services.ready("serve")
        pid, address = services.pid("serve"), services.addresses["serve"]
        reading = 0.0
        for _ in range(TIMES):
            await settled(pid)
            before = cpu_seconds(pid)
            await publish(bootstrap, prefix, records, into=agents_topic(prefix))
            await settled(pid)
            reading += cpu_seconds(pid) - before
        each_us = reading / TIMES / len(records) * 1e6
        lines = [f"{agents:,} agents, {len(records):,} records: {each_us:.0f} µs a record, {rss_mib(pid):.0f} MiB held"]
        for path in AGENT_PATHS:
            takes = []
            for _ in range(TIMES):
                before = cpu_seconds(pid)
                answer = await fetch(address, path)
                takes.append(cpu_seconds(pid) - before)
            lines.append(f"  {path}: {min(takes) * 1000:.0f} ms, {len(answer.body) / 1e6:.2f} MB, {answer.wire_bytes / 1e6:.2f} MB sent")
        return "\n".join(lines)


async def measured(bootstrap: str, queues: int, rounds: int) -> str:
    """Return the lines of one size."""
    records, prefix = of_many_queues(queues, rounds=rounds), f"many-{queues}"
    with tempfile.TemporaryDirectory() as folder, Services(Path(folder), bootstrap, prefix) as services:
        await make_topics(bootstrap, prefix)
        await publish(bootstrap, prefix, records)
        services.run("serve")
        await services.ready("serve")
        pid, address = services.pid("serve"), services.addresses["serve"]
        found: dict[str, tuple[float, int, int]] = {}
        changed, reading = 0, 0.0
        for revision in range(1, TIMES + 1):
            await settled(pid)
            again = revised(records, 1_000_000 + revision)
            before = cpu_seconds(pid)
            await publish(bootstrap, prefix, again)
            await settled(pid)
            changed, reading = changed + len(again), reading + cpu_seconds(pid) - before
            for path in PATHS:
                before = cpu_seconds(pid)
                answer = await fetch(address, path)
                taken = cpu_seconds(pid) - before
                now = (taken, len(answer.body), answer.wire_bytes)
                found[path] = min(found.get(path, now), now)
        lines = [f"{queues:,} queues, {len(records):,} records: {reading / changed * 1e6:.0f} µs a record, {rss_mib(pid):.0f} MiB held"]
        lines += [
            f"  {path}: {taken * 1000:.0f} ms, {size / 1e6:.2f} MB, {wire / 1e6:.2f} MB sent" for path, (taken, size, wire) in found.items()
        ]
        return "\n".join(lines)


def main() -> int:
    """Print a few lines for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queues", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--agents", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--rounds", type=int, default=6, help="calls of each queue, one every ten minutes (default: %(default)s)")
    options = parser.parse_args()
    if (reason := missing()) is not None:
        sys.stderr.write(f"{reason}\n")
        return 1
    with cluster(1) as running:
        sys.stdout.write(f"Apache Kafka {VERSION}; CPU of serve, the least of {TIMES}\n")
        for queues in options.queues:
            sys.stdout.write(asyncio.run(measured(running.bootstrap, queues, options.rounds)) + "\n")
            sys.stdout.flush()
        for agents in options.agents:
            sys.stdout.write(asyncio.run(measured_agents(running.bootstrap, agents)) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
