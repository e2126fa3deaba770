"""Counts the machine instructions of the stages per event, beside a plain loop over the same records; the figure that CI guards.

``python -m benchmarks.instructions`` runs the stages of the worker over ``benchmarks/events.jsonl.gz`` under valgrind, without
broker, network or clock. Instructions, unlike seconds, are the same on a busy machine. They differ by a few per cent between builds
of Python, so the guard compares the ratio to the plain loop, which reads, parses and adds up in a dictionary and is counted in the same
process. ``--write`` puts the figures into ``benchmarks/instructions.json``: do so in the commit that changes them, and state why.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import orjson

from schemas.decoding import IS_COMPILED
from streams.configuration import load_configuration
from streams.demo.simulator.load import LOAD_START_MS, load_events
from streams.stages.customers import CustomerStage, CustomerTopics
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackTopics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["BUILD", "FIGURES", "LIMIT", "dearer", "measure", "plain_loop", "plain_ratio", "stages_in_memory"]

#: The figures of the last commit that changed them, by version of Python, and separate without compiled code.
FIGURES: Final = Path(__file__).with_name("instructions.json")
#: The most that an event may cost, as a multiple of the figure in the repository.
LIMIT: Final = 1.1

#: The key of the figures.
BUILD: Final = f"{sys.version_info.major}.{sys.version_info.minor}{'' if IS_COMPILED else ' without a compiler'}"
_EVENTS: Final = Path(__file__).with_name("events.jsonl.gz")
_CONFIGURATION: Final = Path(__file__).parents[1] / "streams" / "demo" / "configuration.yaml"
#: Events between two flushes.
_CHUNK: Final = 500
#: Source and pane partitions.
_PARTITIONS: Final = 2
#: Called at the beginning of the plain loop and of each part, and at the end: valgrind then writes its counts.
_MARK: Callable[[], int] = os.getppid
_PARTS: Final = ("start", "plain", "contacts", "agents", "customers", "roll_up")


def measure() -> dict[str, float]:
    """Return the instructions per event of the plain loop, of each part of the pipeline, and of all parts (``total``).

    Raises:
        RuntimeError: valgrind failed; the message is its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counted", "--dump-before=getppid"]
        # The order of sets of strings depends on the hash seed.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        child = [sys.executable, "-m", "benchmarks.instructions", "--run"]
        done = subprocess.run(
            [*command, *child], env=environment, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"valgrind or what it ran failed: {done.stderr[-2000:]}")
        counted = [_total(Path(f"{folder}/counted.{number}")) for number in range(1, len(_PARTS) + 1)]
    events = json.loads(done.stdout)["events"]
    # Each file has the count up to a mark: the first is the start of Python and the imports.
    figures = {name: round(count / events, 1) for name, count in zip(_PARTS[1:], counted[1:], strict=True)}
    return {**figures, "total": round(sum(value for name, value in figures.items() if name != "plain"), 1)}


def _total(path: Path) -> int:
    totals = re.search(r"^(?:totals|summary): (\d+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    if totals is None:
        raise RuntimeError(f"{path.name} of callgrind has no totals")
    return int(totals.group(1))


def plain_ratio(figures: dict[str, float]) -> float:
    """Return the instructions of the stages per event, as a multiple of the plain loop."""
    return figures["total"] / figures["plain"]


def dearer(figures: dict[str, float], kept: dict[str, float], limit: float = LIMIT) -> str | None:
    """Return the parts that have become too expensive against the stored figures, None if none has."""
    exceeded = []
    for name in (*_PARTS[2:], "total"):
        now, then = figures[name] / figures["plain"], kept[name] / kept["plain"]
        if now > then * limit:
            exceeded.append(
                f"{name}: {now / then:.3f} times the {then:.2f} kept ({kept[name]:,.0f} -> {figures[name]:,.0f} instructions an event)"
            )
    return (
        f"dearer than {limit:g} times what benchmarks/instructions.json has, beside the plain loop: {'; '.join(exceeded)}"
        if exceeded
        else None
    )


# ---- What is counted: runs in the child, under valgrind ----------------------------------------------------------------------------------


def _run() -> int:
    """Run every part between two marks; print the number of events."""
    with gzip.open(_EVENTS) as lines:
        emissions = [orjson.loads(line) for line in lines]
    configuration = load_configuration(_CONFIGURATION)
    sources = {name: list(_records(name, emissions)) for name in ("contact-events", "agent-events", "customer-events")}
    records = [record for partitions in sources.values() for partition in partitions for record in partition]
    contacts, agents, roll_up = stages_in_memory(configuration, _PARTITIONS, facts="facts")
    _MARK()
    plain_loop(records)
    _MARK()
    from_contacts = _track(contacts, sources["contact-events"])
    _MARK()
    from_agents = _track(agents, sources["agent-events"])
    _MARK()
    facts = [output for flush in from_contacts for output in flush if output.topic == "facts"]
    _customers(configuration, facts)
    _MARK()
    _roll_up(roll_up, from_contacts, from_agents)
    _MARK()
    sys.stdout.write(json.dumps({"events": len(records)}) + "\n")
    return 0


def _records(topic: str, emissions: Sequence[dict[str, Any]]) -> Iterator[list[Any]]:
    """Yield the records of each partition of a topic."""
    places: list[list[Any]] = [[] for _ in range(_PARTITIONS)]
    for emission in emissions:
        key = emission["key"].encode()
        everywhere = emission["destination"] == "every-partition"
        if not everywhere and emission["destination"] != topic:
            continue
        for number in range(_PARTITIONS) if everywhere else (crc32(key) % _PARTITIONS,):
            record = SimpleNamespace(topic=topic, partition=number, offset=len(places[number]), key=key, headers=())
            record.timestamp, record.timestamp_type = emission["published_ms"], 1
            record.value = orjson.dumps(emission["event"])
            places[number].append(record)
    yield from places


def stages_in_memory(configuration: Any, partitions: int, facts: str = "") -> tuple[list[Any], list[Any], list[Any]]:
    """Return the stages of contacts, agents and roll-up, one each per partition; ``facts``: the topic of customer facts."""

    def topics(source: str, facts: str) -> TrackTopics:
        return TrackTopics(source, "panes", partitions, f"{source}-dead", "benchmark", lambda: 0, facts)

    numbers = range(partitions)
    sources = ("contact-events", partitions, "agent-events", partitions)
    rolled_up = RollUpTopics("panes", partitions, "metrics", "latest", "alerts", "alerts-latest", *sources)
    return (
        [ContactStage(number, configuration, topics("contact-events", facts)) for number in numbers],
        [AgentStage(number, configuration, topics("agent-events", "")) for number in numbers],
        [RollUpStage(number, configuration, rolled_up) for number in numbers],
    )


def plain_loop(records: Sequence[Any]) -> None:
    """Read, parse and add up by type and queue: the least that a consumer in this language does."""
    sums: dict[tuple[str, str | None], list[int]] = {}
    loads = orjson.loads
    for record in records:
        event = loads(record.value)
        place = sums.setdefault((event["type"], event.get("queue")), [0, 0])
        place[0] += 1
        place[1] += len(event["occurred_at"])


def _track(stages: Sequence[Any], places: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Return the outputs of each flush, partition by partition in turn as a worker flushes them."""
    flushes: list[list[Any]] = []
    for begin in range(0, max(map(len, places)), _CHUNK):
        for stage, records in zip(stages, places, strict=True):
            if chunk := records[begin : begin + _CHUNK]:
                stage.process(chunk)
            flushes.append(stage.collect().outputs)
    return flushes


def _customers(configuration: Any, facts: Sequence[Any]) -> None:
    stage = CustomerStage(0, configuration, CustomerTopics("panes", _PARTITIONS, "facts", 1, "links", "contact-events", _PARTITIONS))
    for begin in range(0, len(facts), _CHUNK):
        stage.process(facts[begin : begin + _CHUNK])
        stage.collect()


def _roll_up(stages: Sequence[Any], from_contacts: Sequence[Any], from_agents: Sequence[Any]) -> None:
    for number in range(max(len(from_contacts), len(from_agents))):
        outputs = [output for flushes in (from_contacts, from_agents) if number < len(flushes) for output in flushes[number]]
        for place, stage in enumerate(stages):
            stage.process([output for output in outputs if output.topic == "panes" and output.partition == place])
            stage.collect()


def _fill(count: int, seed: int, rate: int) -> None:
    """Write the events again: the simulated center at ten in the morning."""
    with gzip.GzipFile(_EVENTS, "wb", mtime=0) as file:
        for emission in load_events(count, seed, rate=rate, start_ms=LOAD_START_MS + 10 * 3_600_000):
            file.write(orjson.dumps(emission._asdict()) + b"\n")


def main() -> int:
    """Measure, and print or write the figures; exit 1 if an event has become too expensive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="store the figures in benchmarks/instructions.json")
    what.add_argument("--fill", action="store_true", help="write benchmarks/events.jsonl.gz again; its figures then need --write")
    what.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        return _run()
    if args.fill:
        _fill(count=6000, seed=1, rate=4)
        return 0
    figures = measure()
    for name in (*_PARTS[1:], "total"):
        print(f"{name:10} {figures[name]:>12,.0f} instructions an event")
    print(f"ratio to the plain loop {plain_ratio(figures):.2f}")
    every = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if args.write:
        FIGURES.write_text(json.dumps({**every, BUILD: figures}, indent=2) + "\n", encoding="utf-8")
        return 0
    if BUILD not in every:
        print(f"benchmarks/instructions.json has no figures for Python {BUILD}; --write keeps these")
        return 0
    exceeded = dearer(figures, every[BUILD])
    if exceeded:
        print(exceeded)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
