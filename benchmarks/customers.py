"""What customers cost: CPU a fact, how partitions share it, and the memory of a million of them. ``python -m benchmarks.customers``.

The stages run in this process, without Kafka: what it takes to read and write the topics is in ``benchmarks/pipeline.py``. Each worker's
partitions are processed one worker after the other, so that CPU time is not that of two processes on a busy machine.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import subprocess
import sys
import uuid
from random import Random
from time import process_time
from types import SimpleNamespace
from typing import Any

import orjson

from benchmarks.memory import resident_mib
from schemas.times import parse_time_ms
from schemas.topics import topic
from streams.configuration import Configuration
from streams.stages.customers import CustomerStage, CustomerTopics
from streams.tracking.customer_facts import customer_partition

_PARTITIONS = topic("customer-facts.v2").partitions
_START_MS = parse_time_ms("2026-06-01T00:00:00Z")
_DAY_MS = 86_400_000
#: Records of a chunk; a flush follows each.
_CHUNK = 4_000
_CONFIGURATION = Configuration.model_validate(
    {"queues": {f"q{number}": {"channel": "voice", "department": f"d{number % 4}", "business": "b"} for number in range(20)}}
)


def _key(number: int) -> str:
    return "v1:" + hashlib.sha256(b"%d" % number).hexdigest()


def _contact(random: Random, number: int, customer: int) -> dict[str, Any]:
    return {
        "kind": "contact",
        "conversation_id": str(uuid.UUID(int=random.getrandbits(128))),
        "id_space": "switch",
        "customer_key": _key(customer),
        "start_ms": _START_MS + number * 500,
        "queue": f"q{random.randrange(20)}",
        "channel": "voice",
        "category": random.choice(("billing", "returns", None)),
        "resolved": False,
        "first_contact": False,
    }


def _facts(count: int) -> list[list[Any]]:
    """Return the facts of contacts by partition: each once when it begins and once when it is resolved; some customers call again."""
    random = Random(1)
    partitions: list[list[Any]] = [[] for _ in range(_PARTITIONS)]
    for number in range(count // 2):
        contact = _contact(random, number, random.randrange(number + 1) if random.random() < 1 / 4 else number)
        partition = partitions[customer_partition(contact["customer_key"], _PARTITIONS)]
        for fact in (contact, {**contact, "resolved": True, "first_contact": True}):
            partition.append(SimpleNamespace(value=orjson.dumps(fact)))
    return partitions


def _progress(at_ms: int) -> list[Any]:
    names = [("contacts", 0), ("links", 0), *(("facts", number) for number in range(_PARTITIONS))]
    records = ({"kind": "progress", "source_topic": name, "source_partition": number} for name, number in names)
    return [SimpleNamespace(value=orjson.dumps({**each, "progress_ms": at_ms, "received_through_ms": at_ms})) for each in records]


def _stage(number: int) -> CustomerStage:
    topics = CustomerTopics("panes", 4, "facts", _PARTITIONS, "links", "contacts", 1)
    return CustomerStage(number, _CONFIGURATION, topics)


def _take(partitions: range, facts: list[list[Any]]) -> float:
    """Return the seconds of CPU that a worker with some partitions takes."""
    stages = [_stage(number) for number in partitions]
    gc.collect()
    began = process_time()
    for begin in range(0, max(map(len, facts)), _CHUNK // _PARTITIONS):
        for number, stage in zip(partitions, stages, strict=True):
            stage.process(facts[number][begin : begin + _CHUNK // _PARTITIONS])
            stage.process(_progress(_START_MS + begin * _PARTITIONS * 250))
            stage.collect()
    return process_time() - began


def _memory(customers: int) -> tuple[float, float]:
    """Return the megabytes of the process before and with ``customers``, with a contact each and orders of every tenth."""
    random, stages = Random(2), [_stage(number) for number in range(_PARTITIONS)]
    gc.collect()
    before = resident_mib() or 0.0
    for begin in range(0, customers, _CHUNK):
        chunks: list[list[Any]] = [[] for _ in range(_PARTITIONS)]
        for customer in range(begin, min(begin + _CHUNK, customers)):
            facts = [_contact(random, 0, customer)]
            if customer % 10 == 0:
                order = {"kind": "order", "event_id": str(uuid.UUID(int=random.getrandbits(128))), "id_space": "shop", "sequence": 0}
                order |= {"at_ms": _START_MS, "order_id": f"o-{customer}", "value_milli": 1_200_000, "currency": "JPY"}
                facts.append({**order, "customer_key": facts[0]["customer_key"]})
            chunks[customer_partition(facts[0]["customer_key"], _PARTITIONS)] += [SimpleNamespace(value=orjson.dumps(f)) for f in facts]
        for stage, chunk in zip(stages, chunks, strict=True):
            stage.process([*chunk, *_progress(_START_MS + _DAY_MS)])
            stage.collect()
    gc.collect()
    return before, resident_mib() or 0.0


def main() -> None:
    """Measure and print one JSON line; memory is that of a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=200_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--memory-only", action="store_true")
    arguments = parser.parse_args()
    if arguments.memory_only:
        before, after = _memory(arguments.customers)
        print(orjson.dumps({"customers": arguments.customers, "resident_mb_without": round(before), "resident_mb": round(after)}).decode())
        return
    facts = _facts(arguments.facts)
    _take(range(1), [each[:_CHUNK] for each in facts])  # warm
    one = _take(range(_PARTITIONS), facts)
    two = [_take(half, facts) for half in (range(_PARTITIONS // 2), range(_PARTITIONS // 2, _PARTITIONS))]
    document = {"facts": arguments.facts, "cpu_us_a_fact": round(one / arguments.facts * 1e6, 1)}
    command = [sys.executable, "-m", "benchmarks.customers", "--memory-only", "--customers", str(arguments.customers)]
    memory = orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    print(orjson.dumps({**document, "two_workers_take_times_one": round(one / max(two), 2), **memory}).decode())


if __name__ == "__main__":
    main()
