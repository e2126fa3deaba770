"""Measures what ``serve`` takes for centers of 10, 100 and 1,000 queues: reading, scrapes, the API and memory.

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

from tests.support.kafka import VERSION, cluster, missing
from tests.support.many_queues import cpu_seconds, fetch, make_topics, of_many_queues, publish, revised, settled
from tests.support.services import Services, rss_mib

PATHS = ("/metrics", "/api/v1/figures?window=trailing_15m", "/api/v1/trends", "/api/v1/queues/queue%200001")
TIMES = 3


async def measured(bootstrap: str, queues: int, rounds: int) -> str:
    """Return the line of one size."""
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
        told = [f"{queues:,} queues, {len(records):,} records: {reading / changed * 1e6:.0f} µs a record, {rss_mib(pid):.0f} MiB held"]
        told += [
            f"  {path}: {taken * 1000:.0f} ms, {size / 1e6:.2f} MB, {wire / 1e6:.2f} MB sent" for path, (taken, size, wire) in found.items()
        ]
        return "\n".join(told)


def main() -> int:
    """Print a few lines for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queues", type=int, nargs="+", default=[10, 100, 1000])
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
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
