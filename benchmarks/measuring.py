"""Measures a process from the first event it reads to the last figure it publishes.

A running program is not asked for its progress, as the answer would cost: progress is what it has committed, or prints. The last figure is
published when it can be read: when the end offset of the output topics, for a reader of committed records, has its last value. CPU is that
of the process with all its threads, memory its peak resident size.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import platform
import sysconfig
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    #: Returns the number of counted events.
    Done = Callable[[], Awaitable[int]]

__all__ = [
    "Cost",
    "Look",
    "as_json",
    "committed",
    "committed_ends",
    "cost",
    "cpu_seconds",
    "follow",
    "last_records",
    "python",
    "table",
]

#: No figure may follow the last one for this long.
QUIET_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05
_TICKS_A_SECOND: Final = 100


@dataclass(frozen=True, slots=True)
class Look:
    """One sample of a running process."""

    #: Wall clock.
    seconds: float
    cpu_seconds: float
    #: Events counted so far.
    done: int
    #: Sum of the end offsets of its output.
    published: int


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a program; CPU in microseconds per event, None where unknown."""

    name: str
    events: int
    cpu_us: float
    #: Of the second half of the events.
    warm_cpu_us: float | None
    events_per_second: float
    peak_mib: float | None
    #: Whether the figures are those of the recount; None: not compared.
    right: bool | None = None


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process until now, or nan if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return float("nan") if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


async def committed_ends(consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> int:
    """Return the sum of the end offsets that a reader of committed records sees."""
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    return sum(ends.values())


@contextlib.asynccontextmanager
async def committed(bootstrap: str, group: str, sources: Sequence[TopicPartition]) -> AsyncIterator[Done]:
    """Yield a function that reads from Kafka, not from the program, the number of events that a group has committed of its sources."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def done() -> int:
        try:
            offsets = await admin.list_consumer_group_offsets(group, partitions=list(sources))
            return sum(max(0, committed.offset) for committed in offsets.values())
        except GroupCoordinatorNotAvailableError:
            # A new broker has none before its first group.
            return 0

    try:
        yield done
    finally:
        await admin.close()


def python() -> str:
    """Return the running Python, and whether it was optimized with a profile, as far as known.

    Debian runs ``make profile-opt`` without configuring it, which leaves no trace: that is unknown.
    """
    variables = sysconfig.get_config_vars()
    flags = (str(value) for name, value in variables.items() if "CFLAGS" in name)
    is_optimized = "--enable-optimizations" in str(variables.get("CONFIG_ARGS")) or any("-fprofile-use" in flag for flag in flags)
    optimization = "optimized with a profile" if is_optimized else "optimized with a profile: unknown"
    return f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}, {optimization}"


async def follow(
    bootstrap: str, output: Sequence[TopicPartition], pids: Sequence[int], done: Done, events: int, give_up_seconds: float
) -> list[Look]:
    """Sample processes until they have counted all events and published nothing more for a while.

    Raises:
        RuntimeError: one ended, or they were not ready in time.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    looks: list[Look] = []
    changed = began = time.monotonic()
    try:
        while time.monotonic() - began < give_up_seconds:
            published = await committed_ends(consumer, output)
            cpu = sum(map(cpu_seconds, pids))
            if math.isnan(cpu):  # one has ended
                raise RuntimeError("it ended by itself")
            looks.append(Look(time.monotonic(), cpu, await done(), published))
            if len(looks) < 2 or published != looks[-2].published:  # noqa: PLR2004 - the one before
                changed = time.monotonic()
            if looks[-1].done >= events and published and time.monotonic() - changed > QUIET_SECONDS:
                return looks
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        await consumer.stop()
    taken, shown = (looks[-1].done, looks[-1].published) if looks else (0, 0)
    raise RuntimeError(f"after {give_up_seconds:.0f} s it had counted {taken:,} of {events:,} events and published {shown:,} records")


def cost(name: str, events: int, looks: Sequence[Look], peak: float | None, right: bool | None = None) -> Cost:
    """Return the cost from the last sample without a counted event to the first with everything published.

    The second half begins with the first sample at which half was done, or with the last sample before all was done. A worker's progress is
    what it has committed: work for the next commit is charged to the first half.
    """
    first = next(number for number, look in enumerate(looks) if look.done)
    begin = looks[max(0, first - 1)]
    end = next(look for look in looks if look.published == looks[-1].published and look.done >= events)
    wanted = min(events / 2, max(look.done for look in looks if look.done < events))
    half = next(look for look in looks if look.done >= wanted)
    remaining = events - half.done
    return Cost(
        name=name,
        events=events,
        cpu_us=(end.cpu_seconds - begin.cpu_seconds) / events * 1e6,
        warm_cpu_us=(end.cpu_seconds - half.cpu_seconds) / remaining * 1e6 if remaining else None,
        events_per_second=events / max(end.seconds - begin.seconds, 1e-9),
        peak_mib=peak,
        right=right,
    )


async def last_records(bootstrap: str, places: Sequence[TopicPartition]) -> dict[str, Any]:
    """Return the last committed value of each key, as JSON."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    found: dict[str, Any] = {}
    try:
        consumer.assign(list(places))
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    found[record.key.decode()] = record.value
    finally:
        await consumer.stop()
    return {key: orjson.loads(value) for key, value in found.items() if value is not None}


def table(costs: Sequence[Cost], ceiling_cpu_us: float) -> str:
    """Return the costs as a table in Markdown."""
    lines = [
        "| program | events | µs of CPU an event | second half (warm) | of the ceiling | events/s | peak MiB | totals |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in costs:
        warm = "–" if each.warm_cpu_us is None else f"{each.warm_cpu_us:.1f}"
        peak = "–" if each.peak_mib is None else f"{each.peak_mib:,.0f}"
        right = {None: "–", True: "right", False: "WRONG"}[each.right]
        lines.append(
            f"| {each.name} | {each.events:,} | {each.cpu_us:.1f} | {warm} | {ceiling_cpu_us / each.cpu_us:.2f} "
            f"| {each.events_per_second:,.0f} | {peak} | {right} |"
        )
    return "\n".join(lines)


def as_json(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """Return the costs as JSON."""
    return [asdict(each) for each in costs]
