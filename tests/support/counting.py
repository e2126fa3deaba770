"""A stage that counts records per key, the worker process that runs it, and the exact recount to compare with."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

from streams.engine.app import run_worker
from streams.engine.settings import EngineSettings, Flow
from streams.engine.stage import Flush, Output, Record

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["POISON", "CountingStage", "counting_flow", "main", "pane_key", "pane_partition"]

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

    def __init__(self, partition: int, panes: str, pane_partitions: int) -> None:
        """Count for source ``partition`` into topic ``panes``."""
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
            if record.value == POISON:
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


def counting_flow(source: str, changelog: str, panes: str, pane_partitions: int) -> Flow:
    """Return the flow that counts ``source``."""
    return Flow(
        name="counts",
        source=source,
        changelog=changelog,
        stage_factory=lambda partition: CountingStage(partition, panes, pane_partitions),
    )


def main(arguments: str) -> NoReturn:
    """Run a worker; ``arguments`` is JSON with ``settings`` and ``flow``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    for noisy in ("faust", "mode", "aiokafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    given = json.loads(arguments)
    run_worker(EngineSettings(**given["settings"]), [counting_flow(**given["flow"])])


if __name__ == "__main__":
    main(sys.argv[1])
