"""What the engine runs on one source partition: the contract between Kafka and the pure middle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ConfigurationRefusedError", "Flush", "Output", "Record", "Row", "Stage"]


class ConfigurationRefusedError(Exception):
    """A stage cannot go on from its state with this configuration. No defect: the message says what has to be changed."""


class Record(Protocol):
    """One record of a source partition, as aiokafka's compiled reader has it; ``ConsumerRecord`` will do as well."""

    offset: int
    #: When the broker appended it, in ms; without that its sender's time, and at most that of reading.
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


#: A row of the stage's state: key and value; the value None removes the row.
Row = tuple[bytes, bytes | None]


@dataclass(slots=True)
class Output:
    """A record that a flush publishes. There are many: a frozen one takes four times as long to make."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Flush:
    """What one transaction holds beside the source offset: rows of the changelog, then outputs."""

    rows: list[Row] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    #: There is more to write at the next flush, whether or not a chunk comes before.
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.outputs)


class Stage(Protocol):
    """The state of one source partition and what is computed from it.

    The engine calls ``restore`` once, with every live row of the restored topics, before the first
    ``process``; then ``process`` for each chunk in offset order; and ``collect`` at each flush. All calls
    come from one thread, one at a time. An exception ends the process: a bad record is an output, never an exception.

    A stage may have a method ``set_aside(record, how)``, which makes a dead letter of a record that ends the process whenever it is
    processed, ``how`` being a phrase that says how, and does not look into it.

    A stage may have a method ``refuse(record, detail)``, which makes a dead letter of a batch that cannot be read. ``record`` has the
    batch's last offset and its time, and no content. Without the method such a batch ends the process.

    A stage may have an attribute ``rows``, a live mapping of its state in whatever form it keeps it: that is what the
    flow's table shows. Without it the engine keeps the flushed rows, as bytes, a second time.
    """

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the live rows of one restored topic partition (tombstones already applied)."""

    def process(self, records: Sequence[Record]) -> None:
        """Take a chunk of source records, in offset order."""

    def collect(self) -> Flush:
        """Return what changed since the last call. The engine has it durable before it calls again."""
