"""What the engine runs on one source partition: the contract between Kafka and the pure middle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ConfigurationRefusedError", "Flush", "Output", "Record", "Row", "Stage"]


class ConfigurationRefusedError(Exception):
    """A stage cannot continue from its state with this configuration. No defect: the message states what to change."""


class Record(Protocol):
    """One record of a source partition, as aiokafka's compiled reader returns it; ``ConsumerRecord`` works as well."""

    offset: int
    #: Broker's append time in ms; without it the sender's time, at most the time of reading.
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


#: A row of the stage's state: key and value; the value None removes the row.
Row = tuple[bytes, bytes | None]


@dataclass(slots=True)
class Output:
    """A record that a flush publishes. There are many: creating a frozen one takes four times as long."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Flush:
    """Content of one transaction beside the source offset: rows of the changelog, then outputs."""

    rows: list[Row] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    #: There is more to write at the next flush, even without another chunk.
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.outputs)


class Stage(Protocol):
    """The state of one source partition and its computation.

    The engine calls ``restore`` once, with every live row of the restored topics, before the first
    ``process``; then ``process`` for each chunk in offset order; and ``collect`` at each flush. All calls
    come from one thread, one at a time. An exception ends the process: a bad record is an output, never an exception.

    A stage may have a method ``add_dead_letter(record, how)``. It turns a record that ends the process, as ``how`` describes, into a
    dead letter without reading it.

    A stage may have a method ``refuse(record, detail)``. It turns a batch that cannot be read into a dead letter. ``record`` has the
    batch's last offset and time, and no content. Without the method such a batch ends the process.

    A stage may have an attribute ``is_catching_up``: the engine sets it before ``collect``, to True while records that were in the source
    when the partition was taken are still to be read.

    A stage may have an attribute ``rows``, a live mapping of its state in any form, which the flow's table shows. Without it the engine
    stores the flushed rows, as bytes, a second time.
    """

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Restore the live rows of one topic partition (tombstones already applied)."""

    def process(self, records: Sequence[Record]) -> None:
        """Process a chunk of source records, in offset order."""

    def collect(self) -> Flush:
        """Return the changes since the last call. They are durable before the next call."""
