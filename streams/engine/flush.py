"""One transaction: the rows, outputs and source offset of one source partition become visible together, or not at all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation

from streams.engine.exits import CrashPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaProducer

    from streams.engine.stage import Output, Row

__all__ = ["Transaction", "TransactionWriter"]

_Headers = list[tuple[str, bytes]]
_Entry = tuple[bytes | None, bytes | None, _Headers]
#: aiokafka's compiled builder takes a list and nothing else.
_NO_HEADERS: _Headers = []
_Batches = list[tuple[TopicPartition, Any]]


@dataclass(slots=True)
class Transaction:
    """Batches ready to send, and the offset they stand for."""

    rows: _Batches
    outputs: _Batches
    source: TopicPartition
    next_offset: int


class TransactionWriter:
    """Writes the transactions of one source partition through its producer, one after the other."""

    def __init__(self, producer: AIOKafkaProducer, group: str) -> None:
        """Write through ``producer``, which is started and fences its predecessors, for consumer group ``group``."""
        self._producer = producer
        self._group = group
        self._after_rows = CrashPoint("after_rows")
        self._after_outputs = CrashPoint("after_outputs")
        self._after_offsets = CrashPoint("after_offsets")
        self._after_commit_sent = CrashPoint("after_commit_sent")

    def prepare(
        self,
        changelog: TopicPartition | None,
        rows: Sequence[Row],
        outputs: Sequence[Output],
        source: TopicPartition,
        next_offset: int,
    ) -> Transaction:
        """Build every batch. No transaction is open meanwhile, so nobody waits for the work done here."""
        if rows and changelog is None:
            raise ValueError(f"{source} has rows to keep but no changelog.")
        # One clock reading a flush: the record timestamp is the time of publishing.
        now = time.time_ns() // 1_000_000
        prepared = Transaction([], [], source, next_offset)
        if rows and changelog is not None:
            self._fill(prepared.rows, changelog, [(key, value, _NO_HEADERS) for key, value in rows], now)
        grouped: dict[TopicPartition, list[_Entry]] = {}
        for output in outputs:
            target = TopicPartition(output.topic, output.partition)
            grouped.setdefault(target, []).append((output.key, output.value, list(output.headers) if output.headers else _NO_HEADERS))
        for target, entries in grouped.items():
            self._fill(prepared.outputs, target, entries, now)
        return prepared

    def _fill(self, batches: _Batches, target: TopicPartition, entries: Sequence[_Entry], now: int) -> None:
        create = self._producer.create_batch
        batch = create()
        batches.append((target, batch))
        append = batch.append
        for key, value, headers in entries:
            if append(key=key, value=value, timestamp=now, headers=headers) is None:
                batch = create()
                batches.append((target, batch))
                append = batch.append
                append(key=key, value=value, timestamp=now, headers=headers)
        # Closed by hand: aiokafka would otherwise let a later ``send`` append to it.
        for _, batch in batches:
            batch.close()

    async def write(self, transaction: Transaction) -> None:
        """Write ``transaction`` and return when it is committed. After any exception nothing more may be written.

        One step at a time, and the partitions are announced together: while the coordinator takes one step, the
        brokers refuse the batches of another (as NOT_ENOUGH_REPLICAS, aiokafka's protocol version being old), and
        each refusal costs a wait.
        """
        producer = self._producer
        await producer.begin_transaction()
        if self._after_rows.armed or self._after_outputs.armed:
            await self._deliver(transaction.rows)
            self._after_rows.reach()
            await self._deliver(transaction.outputs)
            self._after_outputs.reach()
        else:
            await self._deliver(transaction.rows + transaction.outputs)
        await producer.send_offsets_to_transaction({transaction.source: transaction.next_offset}, self._group)
        self._after_offsets.reach()
        if self._after_commit_sent.armed:
            commit = asyncio.ensure_future(producer.commit_transaction())
            await asyncio.sleep(0.003)
            self._after_commit_sent.reach()
            await commit
        else:
            await producer.commit_transaction()

    async def _deliver(self, batches: _Batches) -> None:
        """Send ``batches`` and wait until each is acknowledged.

        aiokafka would commit even if one had been refused for good (message_accumulator.py, flush_for_commit).
        """
        number: Counter[TopicPartition] = Counter()
        rounds: dict[int, _Batches] = {}
        for target, batch in batches:
            rounds.setdefault(number[target], []).append((target, batch))
            number[target] += 1
        # A second batch of a partition waits for the first: the first of all partitions go out together.
        try:
            pending = [
                await self._producer.send_batch(batch, target.topic, partition=target.partition)
                for same_round in rounds.values()
                for target, batch in same_round
            ]
        except IllegalOperation as refused:
            # The transaction has failed since it was begun. Why, is known to the one who waits for its end.
            raise self._failure() or refused from refused
        for delivered in pending:
            await delivered

    def _failure(self) -> BaseException | None:
        """Return what ended the transaction under way, if something has."""
        ended: asyncio.Future[None] | None = self._producer._txn_manager.wait_for_transaction_end()
        return ended.exception() if ended is not None and ended.done() else None
