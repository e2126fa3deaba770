"""A stage that counts records per key, the worker process that runs it, and the exact recount to compare with."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import TYPE_CHECKING
from zlib import crc32

from streams.engine.app import run_worker
from streams.engine.settings import EngineSettings, Flow
from streams.engine.stage import Flush, Output, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NoReturn

    from streams.engine.health import Health

__all__ = ["POISON", "CountingStage", "LatestStage", "counting_flow", "main", "pane_key", "pane_partition"]

#: A record with this value makes the stage raise.
POISON = b"poison"


def pane_key(partition: int, key: bytes) -> bytes:
    """Return the key of an output: the source partition and the key counted."""
    return b"%d:%s" % (partition, key)


def pane_partition(key: bytes, partitions: int) -> int:
    """Return where the output of ``key`` goes, whatever source partition it comes from."""
    return crc32(key) % partitions


class CountingStage:
    """Rows and outputs are both the absolute count of records of each key."""

    def __init__(self, partition: int, panes: str, pane_partitions: int, *, fears_poison: bool = True) -> None:
        """Count for source ``partition`` into topic ``panes``."""
        self._fears_poison = fears_poison
        self.rows: dict[bytes, int] = {}
        self._partition = partition
        self._panes = panes
        self._pane_partitions = pane_partitions
        self._changed: set[bytes] = set()

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the counts."""
        self.rows.update((key, int(value)) for key, value in rows)

    def process(self, records: Sequence[Record]) -> None:
        """Count each record."""
        rows = self.rows
        for record in records:
            if record.value == POISON and self._fears_poison:
                raise RuntimeError("A poisoned record was met.")
            key = record.key or b""
            rows[key] = rows.get(key, 0) + 1
            self._changed.add(key)

    def collect(self) -> Flush:
        """Return the counts that changed."""
        changed, self._changed = self._changed, set()
        counts = [(key, b"%d" % self.rows[key]) for key in changed]
        return Flush(
            rows=list(counts),
            outputs=[
                Output(
                    self._panes,
                    pane_partition(key, self._pane_partitions),
                    pane_key(self._partition, key),
                    count,
                    (("kind", b"count"),),
                )
                for key, count in counts
            ],
        )


class LatestStage:
    """Has the last value of each key for state, rebuilt from the source itself, and publishes what is new."""

    def __init__(self, partition: int, panes: str, pane_partitions: int) -> None:
        """Follow source ``partition`` into topic ``panes``."""
        self.rows: dict[bytes, bytes] = {}
        self._changed: dict[bytes, bytes] = {}
        self._partition = partition
        self._panes = panes
        self._pane_partitions = pane_partitions

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the last values."""
        self.rows.update(rows)

    def process(self, records: Sequence[Record]) -> None:
        """Take the values."""
        changed = {record.key or b"": record.value or b"" for record in records}
        self.rows.update(changed)
        self._changed.update(changed)

    def collect(self) -> Flush:
        """Publish what was processed, and nothing of what was restored."""
        changed, self._changed = self._changed, {}
        return Flush(
            outputs=[
                Output(self._panes, pane_partition(key, self._pane_partitions), pane_key(self._partition, key), value)
                for key, value in changed.items()
            ]
        )


def counting_flow(source: str, changelog: str | None, panes: str, pane_partitions: int, *, fears_poison: bool = True) -> Flow:
    """Return the flow that counts ``source``; without ``changelog``, the one that follows it."""
    if changelog is None:
        return Flow(
            name="latest",
            source=source,
            restore=(source,),
            stage_factory=lambda partition: LatestStage(partition, panes, pane_partitions),
        )
    return Flow(
        name="counts",
        source=source,
        changelog=changelog,
        stage_factory=lambda partition: CountingStage(partition, panes, pane_partitions, fears_poison=fears_poison),
    )


async def report(health: Health) -> None:
    """Print how many records were processed, whenever that has changed."""
    printed = -1
    while True:
        if health.records != printed:
            printed = health.records
            print(f"processed {printed} records", flush=True)  # noqa: T201 - tests read it
        await asyncio.sleep(0.1)


def main(arguments: str) -> NoReturn:
    """Run a worker; ``arguments`` is JSON with ``settings`` and ``flow``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    for noisy in ("faust", "mode", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    given = json.loads(arguments)
    run_worker(EngineSettings(**given["settings"]), [counting_flow(**given["flow"])], background=[report])


if __name__ == "__main__":
    main(sys.argv[1])
