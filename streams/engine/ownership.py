"""The source partitions that this process owns: taken by fencing and restoring, flushed on a timer, kept or dropped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, InvalidTxnState, ProducerFenced

from streams.engine.attempts import CAREFUL_FROM, Attempts, Mark
from streams.engine.claims import Claims, Member
from streams.engine.exits import ExitCode, leave
from streams.engine.flush import TransactionWriter
from streams.engine.owner import Owner, restoring_consumer
from streams.engine.records import return_raw_records
from streams.engine.stage import ConfigurationRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from streams.engine.flush import Share
    from streams.engine.health import Health
    from streams.engine.settings import EngineSettings, Flow
    from streams.engine.transport import Chunk

__all__ = ["Ownership"]

logger = logging.getLogger(__name__)

#: Raised by aiokafka for a producer whose transactional id was taken over, or whose transaction timed out.
_FENCED = (ProducerFenced, InvalidProducerEpoch, InvalidTxnState)

#: Between two rounds of flushes, processing has this many times the processor time that a round took to collect: a worker that catches
#: up writes in larger rounds.
_PROCESSING_FACTOR = 3
#: A round's interval is this many times the processor time of collecting it, up to a maximum: an expensive round runs less often.
_INTERVAL_FACTOR = 12
_LONGEST_SECONDS = 0.3

#: With fewer records a round waits for more, at most this long after the round before: each costs the same two transactions.
_FEW_RECORDS = 16
_QUIET_SECONDS = 0.75
#: With no records it waits at most this long.
_IDLE_SECONDS = 0.9

#: Records of the next round are read this long before it, not earlier: they would only wait. With many records they are read at once.
_READ_AHEAD_SECONDS = 0.06
_MANY_RECORDS = 2000

#: How long the second flows wait for the output of the first. It takes one fetch; later records wait for the next round.
_ARRIVAL_SECONDS = 0.3

#: Beyond the transaction timeout, the time a flush may take before it counts as stuck.
_GRACE_SECONDS = 5.0

#: How long a process that was paused has to read the answers that arrived meanwhile.
_SECOND_CHECK_SECONDS = 2.0

#: How long an unneeded producer may take to close.
_CLOSE_SECONDS = 2.0

Partition = tuple[str, int]


class Ownership:
    """All owned partitions of this process, across rebalances."""

    def __init__(
        self,
        settings: EngineSettings,
        flows: Iterable[Flow],
        health: Health,
        on_owned: Callable[[Owner], None],
        on_dropped: Callable[[Owner], None],
    ) -> None:
        """Own nothing yet; call ``on_owned`` and ``on_dropped`` at each change."""
        self._settings = settings
        self._flows = {flow.source: flow for flow in flows}
        self._health = health
        self._on_owned, self._on_dropped = on_owned, on_dropped
        self._owners: dict[Partition, Owner] = {}
        self._taking: dict[Partition, asyncio.Task[None]] = {}
        self._ready: set[Partition] = set()
        self._flusher: asyncio.Task[None] | None = None
        #: One transaction, or one change of claims, at a time.
        self._writing = asyncio.Lock()
        self._fencing: asyncio.Task[None] | None = None
        self._writer: TransactionWriter | None = None
        self._claims: Claims | None = None
        #: Partitions whose claims Kafka has confirmed. Only they are flushed: a worker cannot be fenced for an unclaimed partition, even
        #: while another worker counts it.
        self._claimed: set[Partition] = set()
        #: Partitions that this worker may have claimed, whether or not Kafka confirmed it: they must be released.
        self._maybe_claimed: set[Partition] = set()
        #: End offsets, after the last flush, of written partitions that this process reads.
        self._unread_ends: dict[Partition, int] = {}
        self._end_reached = asyncio.Event()
        #: Whether a round waits for them now: they are read without a pause.
        self.is_waiting = False
        #: Called when the current pause of reading should end now.
        self.on_hurry: Callable[[], None] = lambda: None
        #: Records that arrived for the first flows since the last round.
        self._arrived_records = 0
        self._enough_arrived = asyncio.Event()
        #: Set when records arrived for any flow.
        self._any_arrived = asyncio.Event()
        #: Records of the next round need not be read before this.
        self.quiet_until = 0.0
        #: The processor time that this round's flushes took to collect.
        self._collecting_seconds = 0.0
        self._restores = asyncio.Semaphore(settings.parallel_restores)
        #: Idle consumers for restoring.
        self._readers: list[AIOKafkaConsumer] = []
        self._attempts = Attempts(settings)
        self._paused = True
        self._stopping = asyncio.Event()
        self._generation = -1
        self._member_name = ""
        self._rebalances = 0
        self._epoch = 0

    def on_assigned(self, assigned: set[Partition], generation: int, member_name: str = "") -> None:
        """Keep, drop and begin to take partitions. Return at once: no heartbeat is sent before."""
        # A worker that missed a generation cannot know whether another process owned its partitions meanwhile.
        missed = generation != self._generation + 1
        self._generation, self._member_name = generation, member_name
        for partition in list(self._owners):
            if missed or partition not in assigned:
                self._drop(partition)
        new = [partition for partition in assigned if partition not in self._owners and partition[0] in self._flows]
        if new:
            self._fencing = asyncio.ensure_future(self._fence(new, self._fencing))
            for partition in new:
                owner = Owner(self._settings, self._flows[partition[0]], partition[1], self._health)
                self._owners[partition] = owner
                self._taking[partition] = asyncio.ensure_future(self._take(partition, owner, self._fencing))
        self._health.recovering = bool(self._taking)
        if self._flusher is None:
            self._flusher = asyncio.ensure_future(self._flush_regularly())

    async def on_revoked(self) -> None:
        """Flush everything a last time, and nothing more before the next assignment."""
        self._rebalances += 1
        self._paused = True
        await self._flush()
        await self._leave_in_order()
        await self._release()

    async def restored(self) -> None:
        """Wait until every assigned partition is taken, then let the flushes run."""
        rebalances = self._rebalances
        while self._taking:
            await asyncio.wait(list(self._taking.values()))
        await self._dismiss_readers()
        await self._begin()
        if await self._claim(rebalances):
            self._health.recovering = False
            self._paused = False

    async def _fence(self, partitions: Sequence[Partition], before: asyncio.Task[None] | None) -> None:
        """End the transactions of workers that held ``partitions``; create the writer the first time."""
        if before is not None:
            await asyncio.wait({before})
        if self._claims is None or self._writer is None:
            settings = self._settings
            holder = f"{settings.app_id}-{uuid.uuid4().hex}"
            producer = AIOKafkaProducer(
                bootstrap_servers=settings.bootstrap,
                client_id=f"{settings.client_id}-writer",
                transactional_id=holder,
                transaction_timeout_ms=int(settings.transaction_timeout_seconds * 1000),
                max_batch_size=settings.max_batch_bytes,
                compression_type=settings.compression,
                # Also the wait before a transaction step is retried while the step before it completes.
                retry_backoff_ms=20,
                **settings.client_options,
            )
            await producer.start()
            self._claims = Claims(settings, producer.client, holder)
            self._writer = TransactionWriter(producer, settings.app_id, self._claims.held)
        await self._claims.fence(partitions)

    async def _claim(self, rebalances: int) -> bool:
        """Claim all owned partitions before they are processed; return False if another rebalance has begun."""
        async with self._writing:
            if rebalances != self._rebalances:
                return False
            if self._claims is None or not self._ready:
                return True
            # Even if the answer is lost, the claim may be in Kafka.
            self._maybe_claimed = set(self._ready)
            offsets = {partition: self._owners[partition].committed_offset for partition in self._ready}
            try:
                held = await self._claims.claim(Member(self._generation, self._member_name), offsets)
            except Exception as error:  # noqa: BLE001 - an unclaimed partition must not be processed
                leave(ExitCode.RESTORE_FAILED, "%d partitions could not be claimed: %r.", len(offsets), error, error=error)
            if not held:
                logger.info("The group has a newer generation: %d partitions are not claimed.", len(offsets))
            elif rebalances == self._rebalances:
                self._claimed = set(offsets)
                return True
            return False

    async def _release(self) -> None:
        """Release the claims once every transaction is complete, so that the next owner need not fence this worker."""
        async with self._writing:
            claimed, self._maybe_claimed, self._claimed = self._maybe_claimed, set(), set()
            if self._claims is None or self._writer is None or not claimed:
                return
            try:
                await self._writer.wait_until_complete()
            except _FENCED as fenced:
                leave(ExitCode.FENCED, "another worker owns partitions of this one: %r.", fenced)
            offsets = {partition: self._owners[partition].committed_offset for partition in claimed if partition in self._owners}
            try:
                await self._claims.release(Member(self._generation, self._member_name), offsets)
            except Exception as error:  # noqa: BLE001 - the next owner then fences this worker
                logger.warning("%d partitions could not be released: %r.", len(offsets), error)

    async def _begin(self) -> None:
        """Count the start of each new partition; it must be in Kafka before processing begins."""
        owners = {partition: self._owners[partition] for partition in self._ready if partition in self._owners}
        new = {partition: owner for partition, owner in owners.items() if owner.mark is None}
        # Partitions kept through the rebalance were stopped cleanly for it.
        await self._attempts.write({partition: owner.mark for partition, owner in owners.items() if owner.mark is not None})
        for partition, mark in (await self._attempts.begin({partition: owner.next_offset for partition, owner in new.items()})).items():
            new[partition].mark = mark
        careful = [owner for owner in new.values() if owner.mark is not None and owner.mark.starts >= CAREFUL_FROM]
        if careful:
            limits = await self._attempts.largest_records()
            for owner in careful:
                owner.be_careful(limits)

    async def _leave_in_order(self) -> None:
        """Mark every started partition as stopped cleanly: all its changes are durable."""
        left = {
            partition: Mark(owner.next_offset, 0)
            for partition, owner in self._owners.items()
            if partition in self._ready and owner.mark is not None
        }
        await self._attempts.write(left)

    def read_again(self, partitions: Iterable[Partition]) -> tuple[int, dict[Partition, int]]:
        """Return a new epoch and the offset from which each owned one of ``partitions`` is read in it.

        Chunks of earlier epochs are ignored from now on.
        """
        self._epoch += 1
        owners = {partition: self._owners[partition] for partition in partitions if partition in self._ready}
        for owner in owners.values():
            owner.epoch = self._epoch
        return self._epoch, {partition: owner.next_offset for partition, owner in owners.items()}

    def process(self, chunk: Chunk) -> None:
        """Process a chunk if its partition is owned and it was read after the last seek."""
        partition = (chunk.topic, chunk.partition)
        # Chunks that arrive while nothing is claimed are read again.
        if self._stopping.is_set() or self._paused or partition not in self._ready:
            return
        owner = self._owners[partition]
        try:
            count = owner.process(chunk)
        except Exception as error:  # noqa: BLE001 - Faust would continue with the next chunk
            leave(
                ExitCode.STAGE_FAILED,
                "the stage of %s partition %d raised between offsets %d and %d.",
                *(chunk.topic, chunk.partition, chunk.begin, chunk.records[-1].offset),
                error=error,
            )
        self._health.records += count
        if count:
            self._any_arrived.set()
        if not owner.flow.flushes_second:
            self._arrived_records += count
            if self._arrived_records >= _FEW_RECORDS:
                self._enough_arrived.set()
        if self._unread_ends.get(partition, owner.next_offset + 1) <= owner.next_offset:
            del self._unread_ends[partition]
            self._end_reached.set()

    async def stop(self) -> None:
        """Flush a last time and release everything."""
        self._stopping.set()
        self._enough_arrived.set()
        self._any_arrived.set()
        for task in self._taking.values():
            task.cancel()
        await self._flush()
        await self._leave_in_order()
        await self._release()
        for partition in list(self._owners):
            self._drop(partition)
        await self._dismiss_readers()
        if self._writer is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._writer.close(), _CLOSE_SECONDS)

    async def _take(self, partition: Partition, owner: Owner, fencing: asyncio.Task[None]) -> None:
        try:
            await asyncio.shield(fencing)
            async with self._restores, self._reader() as consumer:
                await owner.take(consumer)
            self._ready.add(partition)
            self._on_owned(owner)
        except ConfigurationRefusedError as refused:
            leave(ExitCode.CONFIGURATION_REFUSED, "%s", refused)
        except Exception as error:  # noqa: BLE001 - a partition that is not restored must not be processed
            leave(ExitCode.RESTORE_FAILED, "%s partition %d could not be restored.", *partition, error=error)
        finally:
            if self._owners.get(partition) is owner:
                del self._taking[partition]

    @contextlib.asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Lend a consumer for restoring; consumers stay open until everything is restored."""
        consumer = self._readers.pop() if self._readers else None
        if consumer is None:
            consumer = restoring_consumer(self._settings)
            await consumer.start()
            return_raw_records(consumer)
        try:
            yield consumer
        except BaseException:
            with contextlib.suppress(Exception):
                await consumer.stop()
            raise
        self._readers.append(consumer)

    async def _dismiss_readers(self) -> None:
        readers, self._readers = self._readers, []
        await asyncio.gather(*(reader.stop() for reader in readers), return_exceptions=True)

    def _drop(self, partition: Partition) -> None:
        owner = self._owners.pop(partition)
        taking = self._taking.pop(partition, None)
        if taking is not None:
            taking.cancel()
        if partition in self._ready:
            self._ready.discard(partition)
            self._on_dropped(owner)
        self._claimed.discard(partition)
        self._maybe_claimed.discard(partition)
        logger.info("%s partition %d is dropped.", *partition)
        owner.close()

    async def _flush_regularly(self) -> None:
        interval = self._settings.flush_interval_seconds
        has_second = any(flow.flushes_second for flow in self._flows.values())
        began = time.monotonic() - _QUIET_SECONDS
        while not self._stopping.is_set():
            arrived, self._arrived_records = self._arrived_records, 0
            self._enough_arrived.clear()
            self._any_arrived.clear()
            before, began, self._collecting_seconds = began, time.monotonic(), 0.0
            quiet_until, self.quiet_until = self.quiet_until, 0.0
            if quiet_until > began:
                self.on_hurry()
            await self._flush_unless_paused(second=False)
            if has_second:
                await self._arrival()
                if not self._arrived_records:
                    self._any_arrived.clear()  # those records are in the second flush
                await self._flush_unless_paused(second=True)
            took = time.monotonic() - began
            # Processing continues while a round waits for Kafka.
            collecting = self._collecting_seconds
            wanted = min(collecting, interval) * _PROCESSING_FACTOR - (took - collecting)
            pause = max(interval - took, min(collecting * _INTERVAL_FACTOR, _LONGEST_SECONDS) - took, wanted, 0.0)
            if arrived < _MANY_RECORDS and pause <= _LONGEST_SECONDS:
                # At the rate of the round before there are enough by then.
                enough_seconds = _FEW_RECORDS / arrived * (began - before) if arrived else _QUIET_SECONDS
                self.quiet_until = began + max(took + pause, min(enough_seconds, _QUIET_SECONDS)) - _READ_AHEAD_SECONDS
            await self._pause(pause)
            if self._arrived_records < _FEW_RECORDS:
                await self._until_set(self._enough_arrived, began + _QUIET_SECONDS)
                await self._until_set(self._any_arrived, began + _IDLE_SECONDS)

    @staticmethod
    async def _until_set(event: asyncio.Event, until: float) -> None:
        if not event.is_set() and (seconds := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)

    async def _arrival(self) -> None:
        """Wait until the second flows here have read the output of the first, but no longer than that usually takes."""
        until = time.monotonic() + _ARRIVAL_SECONDS
        if self._unread_ends and not self._stopping.is_set():
            self.is_waiting = True
            self.on_hurry()
        while self._unread_ends and not self._stopping.is_set():
            self._end_reached.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end_reached.wait(), max(0.0, until - time.monotonic()))
            if time.monotonic() >= until:
                break
        self.is_waiting, self._unread_ends = False, {}

    async def _pause(self, seconds: float) -> None:
        """Let chunks be processed, at most until the stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _flush_unless_paused(self, *, second: bool) -> None:
        if not self._paused:
            await self._flush([partition for partition in self._claimed if self._flows[partition[0]].flushes_second == second])
            self._health.progressed()

    async def _flush(self, partitions: Iterable[Partition] | None = None) -> None:
        """Commit everything processed so far, of these partitions or of all claimed ones, in one transaction.

        Canceling the caller does not cancel the flush: the stages have handed over their changes already.
        """
        await asyncio.shield(asyncio.ensure_future(self._flush_or_leave(partitions)))

    async def _flush_or_leave(self, partitions: Iterable[Partition] | None) -> None:
        async with self._writing:
            owners = [
                self._owners[partition]
                for partition in sorted(self._claimed if partitions is None else partitions)
                if partition in self._claimed
            ]
            shares: list[Share] = []
            try:
                await self._write(owners, shares)
            except Exception as error:  # noqa: BLE001 - after any failure the state here is ahead of what is durable
                flushed = ", ".join(f"{topic} partition {number}" for topic, number in (share.source for share in shares))
                if isinstance(error, _FENCED) or isinstance(error.__cause__, _FENCED):
                    leave(ExitCode.FENCED, "another worker owns one of %s, or the transaction timed out: %r.", flushed, error)
                leave(ExitCode.FLUSH_FAILED, "%s could not be flushed: %r.", flushed, error, error=error)

    async def _write(self, owners: Iterable[Owner], shares: list[Share]) -> None:
        """Add the changes of ``owners`` to ``shares``, and return when they are committed."""
        if self._writer is None:
            return
        began, worked = time.monotonic(), time.thread_time()
        wrote = []
        for owner in owners:
            share = owner.collect()
            if share is not None:
                shares.append(share)
                wrote.append((owner, share))
        if not shares:
            return
        prepared = self._writer.prepare(shares)
        self._collecting_seconds += time.thread_time() - worked
        writing = asyncio.ensure_future(self._writer.write(prepared))
        limit = self._settings.transaction_timeout_seconds + _GRACE_SECONDS
        # Checked twice: after a pause of the process the limit has passed, but the answers may have arrived.
        for seconds in (limit, _SECOND_CHECK_SECONDS):
            await asyncio.wait({writing}, timeout=seconds)
        if not writing.done():
            raise TimeoutError(f"Not written in {limit:.0f} s.")
        ends = await writing
        for owner, share in wrote:
            owner.mark_durable(share)
        self._unread_ends = {
            partition: end for partition, end in ends.items() if partition in self._claimed and self._owners[partition].next_offset < end
        }
        self._health.flushes += 1
        self._health.last_flush_seconds = time.monotonic() - began
