"""One transaction per flush: rows, outputs and source offsets become visible together, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation
from aiokafka.structs import OffsetAndMetadata

from streams.engine.exits import CrashPoint
from streams.engine.stage import Output, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import AIOKafkaProducer

__all__ = ["Share", "Transaction", "TransactionWriter"]

_Headers = list[tuple[str, bytes]]
_Entry = tuple[bytes | None, bytes | None, _Headers]
#: aiokafka's compiled builder takes a list and nothing else.
_NO_HEADERS: _Headers = []
_Batches = list[tuple[TopicPartition, Any]]


@dataclass(slots=True, frozen=True)
class Share:
    """One source partition's part of a flush."""

    source: TopicPartition
    #: The source offset after the last record that the share includes.
    next_offset: int
    changelog: TopicPartition | None
    rows: Sequence[Row]
    outputs: Sequence[Output]


@dataclass(slots=True)
class Transaction:
    """Batches ready to send, and the source offsets to commit with them."""

    rows: _Batches = field(default_factory=list)
    outputs: _Batches = field(default_factory=list)
    offsets: dict[TopicPartition, OffsetAndMetadata] = field(default_factory=dict)


class TransactionWriter:
    """Writes the transactions of one worker, one after the other."""

    def __init__(self, producer: AIOKafkaProducer, group: str, metadata: str = "") -> None:
        """Write through ``producer``, which is started, for consumer group ``group``; offsets carry ``metadata``."""
        self._producer = producer
        self._group = group
        self._metadata = metadata
        #: A partition of the last transaction; adding it to a new one shows that the last one is complete.
        self._written_to: TopicPartition | None = None
        self._after_rows = CrashPoint("after_rows")
        self._after_outputs = CrashPoint("after_outputs")
        self._after_offsets = CrashPoint("after_offsets")
        self._after_commit_sent = CrashPoint("after_commit_sent")

    def prepare(self, shares: Iterable[Share]) -> Transaction:
        """Build every batch. No transaction is open meanwhile, so readers do not wait for it."""
        # One clock reading per flush: the record timestamp is the time of publishing.
        now = time.time_ns() // 1_000_000
        prepared = Transaction()
        grouped: dict[tuple[str, int], list[Output]] = {}
        for share in shares:
            prepared.offsets[share.source] = OffsetAndMetadata(share.next_offset, self._metadata)
            if share.rows:
                if share.changelog is None:
                    raise ValueError(f"{share.source} has rows to keep but no changelog.")
                self._fill(prepared.rows, share.changelog, ((key, value, _NO_HEADERS) for key, value in share.rows), now)
            for output in share.outputs:
                target = (output.topic, output.partition)
                if target in grouped:
                    grouped[target].append(output)
                else:
                    grouped[target] = [output]
        for target, outputs in grouped.items():
            entries = ((output.key, output.value, list(output.headers) if output.headers else _NO_HEADERS) for output in outputs)
            self._fill(prepared.outputs, TopicPartition(*target), entries, now)
        return prepared

    def _fill(self, batches: _Batches, target: TopicPartition, entries: Iterable[_Entry], now: int) -> None:
        batch: Any = None
        count = 0
        append: Any = None
        for key, value, headers in entries:
            # The compiled builder directly: producer/message_accumulator.py, BatchBuilder.append, takes three times as long.
            if batch is None or append(count, now, key, value, headers) is None:
                if batch is not None:
                    _close(batch, count)
                batch, count = self._producer.create_batch(), 0
                append = batch._builder.append
                batches.append((target, batch))
                append(0, now, key, value, headers)
            count += 1
        if batch is not None:
            _close(batch, count)

    async def write(self, transaction: Transaction) -> dict[TopicPartition, int]:
        """Write ``transaction`` and return when it is committed, with the offset after the last record of each partition.

        After any exception nothing more may be written.

        Partitions are announced together, one step at a time. While the coordinator takes one step, brokers refuse the batches of
        another (as NOT_ENOUGH_REPLICAS, since aiokafka's protocol version is old), and each refusal costs a wait.
        """
        producer = self._producer
        await producer.begin_transaction()
        for target, _ in transaction.rows or transaction.outputs:
            self._written_to = target
            break
        if self._after_rows.armed or self._after_outputs.armed:
            await self._deliver(transaction.rows)
            self._after_rows.reach()
            ends = await self._deliver(transaction.outputs)
            self._after_outputs.reach()
        else:
            ends = await self._deliver(transaction.rows + transaction.outputs)
        await producer.send_offsets_to_transaction(transaction.offsets, self._group)
        self._after_offsets.reach()
        if self._after_commit_sent.armed:
            commit = asyncio.ensure_future(producer.commit_transaction())
            await asyncio.sleep(0.003)
            self._after_commit_sent.reach()
            await commit
        else:
            await producer.commit_transaction()
        return ends

    async def wait_until_complete(self) -> None:
        """Wait until the last transaction is complete on all partitions: Kafka answers a commit before that.

        Kafka begins the next one only then, so an empty one is begun and aborted. Raises the error that fences this writer.
        """
        if self._written_to is not None:
            await self._producer.begin_transaction()
            self._producer._txn_manager.maybe_add_partition_to_txn(self._written_to)
            await self._producer.abort_transaction()

    async def _deliver(self, batches: _Batches) -> dict[TopicPartition, int]:
        """Send ``batches``, wait until each is acknowledged, and return where each partition ends with them.

        aiokafka would commit even if one had been refused for good (message_accumulator.py, flush_for_commit).
        """
        number: Counter[TopicPartition] = Counter()
        rounds: dict[int, _Batches] = {}
        for target, batch in batches:
            rounds.setdefault(number[target], []).append((target, batch))
            number[target] += 1
        # A second batch of a partition waits for the first: the first batches of all partitions are sent together.
        try:
            pending = [
                await self._producer.send_batch(batch, target.topic, partition=target.partition)
                for same_round in rounds.values()
                for target, batch in same_round
            ]
        except IllegalOperation as refused:
            # The transaction has failed since it was begun; the future of its end has the reason.
            raise self._failure() or refused from refused
        in_order = [entry for same_round in rounds.values() for entry in same_round]
        return {
            target: (await delivered).offset + batch.record_count() for (target, batch), delivered in zip(in_order, pending, strict=True)
        }

    def _failure(self) -> BaseException | None:
        """Return the error that ended the current transaction, if any."""
        ended: asyncio.Future[None] | None = self._producer._txn_manager.wait_for_transaction_end()
        return ended.exception() if ended is not None and ended.done() else None

    async def close(self) -> None:
        """Close the connections; an open transaction is aborted."""
        await self._producer.stop()


def _close(batch: Any, count: int) -> None:
    """Close a batch by hand: aiokafka would otherwise let a later ``send`` append to it."""
    batch._relative_offset = count
    batch.close()
