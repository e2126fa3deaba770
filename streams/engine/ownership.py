"""Which source partitions this process owns: taken by fencing and restoring, flushed on a timer, dropped or kept."""

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
from streams.engine.records import leave_records_as_they_are
from streams.engine.stage import ConfigurationRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from streams.engine.flush import Share
    from streams.engine.health import Health
    from streams.engine.settings import EngineSettings, Flow
    from streams.engine.transport import Chunk

__all__ = ["Ownership"]

logger = logging.getLogger(__name__)

#: What aiokafka raises at a producer whose transactional id has been taken over, or whose transaction timed out.
_FENCED = (ProducerFenced, InvalidProducerEpoch, InvalidTxnState)

#: From one round of flushes to the next, processing has this many times as long as what they hold took to put together: a worker that
#: catches up writes in larger rounds.
_REST = 3
#: Of the processor's time rounds put together for one part in so many, as far as that makes them no longer than this: what a round costs
#: beside its events is paid less often the more it is.
_PARTS = 12
_LONGEST_SECONDS = 0.3

#: With fewer records to be passed on, a round waits for more, up to so long after the one before: each costs the same two transactions.
_FEW = 16
_QUIET_SECONDS = 0.75
#: With nothing at all it waits for something, up to so long.
_IDLE_SECONDS = 0.9

#: What comes for the next round is taken in from so long before it on, unless it was so many records: it would wait there anyway.
_TAKE_SECONDS = 0.06
_MANY = 2000

#: How long the flows that read what the first ones wrote wait for it. It takes a fetch; what is missed waits for the next round.
_ARRIVAL_SECONDS = 0.3

#: Beyond the transaction timeout, the time a flush may take before it counts as stuck.
_GRACE_SECONDS = 5.0

#: How long a process that was paused has to read what arrived meanwhile.
_SECOND_LOOK_SECONDS = 2.0

#: How long an unneeded producer may take to close.
_CLOSE_SECONDS = 2.0

Place = tuple[str, int]


class Ownership:
    """All owned partitions of this process, through its rebalances."""

    def __init__(
        self,
        settings: EngineSettings,
        flows: Iterable[Flow],
        health: Health,
        on_owned: Callable[[Owner], None],
        on_dropped: Callable[[Owner], None],
    ) -> None:
        """Own nothing yet; ``on_owned`` and ``on_dropped`` follow what is owned."""
        self._settings = settings
        self._flows = {flow.source: flow for flow in flows}
        self._health = health
        self._on_owned, self._on_dropped = on_owned, on_dropped
        self._owners: dict[Place, Owner] = {}
        self._taking: dict[Place, asyncio.Task[None]] = {}
        self._ready: set[Place] = set()
        self._flusher: asyncio.Task[None] | None = None
        #: One transaction, or one change of claims, at a time.
        self._writing = asyncio.Lock()
        self._fencing: asyncio.Task[None] | None = None
        self._writer: TransactionWriter | None = None
        self._claims: Claims | None = None
        #: Partitions whose claims Kafka has confirmed. Only they are flushed: nothing fences a worker at another partition, not even while
        #: another worker counts it.
        self._claimed: set[Place] = set()
        #: Partitions that this worker may have claimed, whether or not it was told so: they are to be released.
        self._asked_for: set[Place] = set()
        #: What the last flush wrote to partitions that are read here: where they end with it.
        self._awaited: dict[Place, int] = {}
        self._came_in = asyncio.Event()
        #: Whether a round waits for them now: they are taken without a pause.
        self.awaits = False
        #: Called when a pause that goes on is longer than it should be by now.
        self.on_hurry: Callable[[], None] = lambda: None
        #: Records that have come for the first flows since the last round.
        self._came = 0
        self._enough = asyncio.Event()
        #: Set when records have come for any flow.
        self._anything = asyncio.Event()
        #: What comes for the next round need not be taken in before this.
        self.quiet_until = 0.0
        #: The processor time that this round's flushes took to put together.
        self._collecting_seconds = 0.0
        self._restores = asyncio.Semaphore(settings.parallel_restores)
        #: Consumers to restore with that are not in use.
        self._readers: list[AIOKafkaConsumer] = []
        self._attempts = Attempts(settings)
        self._paused = True
        self._stopping = asyncio.Event()
        self._generation = -1
        self._member_name = ""
        self._rebalances = 0
        self._epoch = 0

    def on_assigned(self, assigned: set[Place], generation: int, member_name: str = "") -> None:
        """Keep, drop and begin to take partitions. Returns at once: no heartbeat is sent until it has."""
        # Who missed a generation cannot know whether another process has owned its partitions meanwhile.
        missed = generation != self._generation + 1
        self._generation, self._member_name = generation, member_name
        for place in list(self._owners):
            if missed or place not in assigned:
                self._drop(place)
        new = [place for place in assigned if place not in self._owners and place[0] in self._flows]
        if new:
            self._fencing = asyncio.ensure_future(self._fence(new, self._fencing))
            for place in new:
                owner = Owner(self._settings, self._flows[place[0]], place[1], self._health)
                self._owners[place] = owner
                self._taking[place] = asyncio.ensure_future(self._take(place, owner, self._fencing))
        self._health.recovering = bool(self._taking)
        if self._flusher is None:
            self._flusher = asyncio.ensure_future(self._flush_regularly())

    async def on_revoked(self) -> None:
        """Make a last flush of everything, and none before the next assignment."""
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

    async def _fence(self, places: Sequence[Place], before: asyncio.Task[None] | None) -> None:
        """End the transactions of the workers that held ``places``; the first time, make the writer."""
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
                # Also the wait before a transaction step is tried again while the step before it settles.
                retry_backoff_ms=20,
                **settings.client_options,
            )
            await producer.start()
            self._claims = Claims(settings, producer.client, holder)
            self._writer = TransactionWriter(producer, settings.app_id, self._claims.held)
        await self._claims.fence(places)

    async def _claim(self, rebalances: int) -> bool:
        """Claim all that is owned, before any of it is processed; say whether that holds: not if another rebalance has begun."""
        async with self._writing:
            if rebalances != self._rebalances:
                return False
            if self._claims is None or not self._ready:
                return True
            # Even if the answer is not heard any more the claim may stand.
            self._asked_for = set(self._ready)
            offsets = {place: self._owners[place].committed_offset for place in self._ready}
            try:
                held = await self._claims.claim(Member(self._generation, self._member_name), offsets)
            except Exception as error:  # noqa: BLE001 - what is not claimed must not be processed
                leave(ExitCode.RESTORE_FAILED, "%d partitions could not be claimed: %r.", len(offsets), error, error=error)
            if not held:
                logger.info("The group has a newer generation: %d partitions are not claimed.", len(offsets))
            elif rebalances == self._rebalances:
                self._claimed = set(offsets)
                return True
            return False

    async def _release(self) -> None:
        """Take the claims back: what has been written is over everywhere, so the next owner need not fence this worker."""
        async with self._writing:
            claimed, self._asked_for, self._claimed = self._asked_for, set(), set()
            if self._claims is None or self._writer is None or not claimed:
                return
            try:
                await self._writer.settled()
            except _FENCED as fenced:
                leave(ExitCode.FENCED, "another worker owns partitions of this one: %r.", fenced)
            offsets = {place: self._owners[place].committed_offset for place in claimed if place in self._owners}
            try:
                await self._claims.release(Member(self._generation, self._member_name), offsets)
            except Exception as error:  # noqa: BLE001 - who takes them next then fences this worker
                logger.warning("%d partitions could not be released: %r.", len(offsets), error)

    async def _begin(self) -> None:
        """Count the starts of what is newly owned; nothing is processed before that stands in Kafka."""
        owners = {place: self._owners[place] for place in self._ready if place in self._owners}
        new = {place: owner for place, owner in owners.items() if owner.mark is None}
        # What was kept through the rebalance was left in order for it.
        await self._attempts.write({place: owner.mark for place, owner in owners.items() if owner.mark is not None})
        for place, mark in (await self._attempts.begin({place: owner.next_offset for place, owner in new.items()})).items():
            new[place].mark = mark
        careful = [owner for owner in new.values() if owner.mark is not None and owner.mark.starts >= CAREFUL_FROM]
        if careful:
            limits = await self._attempts.largest_records()
            for owner in careful:
                owner.be_careful(limits)

    async def _leave_in_order(self) -> None:
        """Say of everything that has been begun that it is left with all its changes durable."""
        left = {
            place: Mark(owner.next_offset, 0) for place, owner in self._owners.items() if place in self._ready and owner.mark is not None
        }
        await self._attempts.write(left)

    def read_again(self, places: Iterable[Place]) -> tuple[int, dict[Place, int]]:
        """Return a new epoch and the offset that each owned one of ``places`` has to be read from in it.

        From now on only chunks of that epoch count.
        """
        self._epoch += 1
        owners = {place: self._owners[place] for place in places if place in self._ready}
        for owner in owners.values():
            owner.epoch = self._epoch
        return self._epoch, {place: owner.next_offset for place, owner in owners.items()}

    def process(self, chunk: Chunk) -> None:
        """Process a chunk if its partition is owned and it was read after the last seek."""
        place = (chunk.topic, chunk.partition)
        # What comes while nothing is claimed is read again.
        if self._stopping.is_set() or self._paused or place not in self._ready:
            return
        owner = self._owners[place]
        try:
            count = owner.process(chunk)
        except Exception as error:  # noqa: BLE001 - whatever it was, Faust would go on with the next chunk
            leave(
                ExitCode.STAGE_FAILED,
                "the stage of %s partition %d raised between offsets %d and %d.",
                *(chunk.topic, chunk.partition, chunk.begin, chunk.records[-1].offset),
                error=error,
            )
        self._health.records += count
        if count:
            self._anything.set()
        if not owner.flow.flushes_second:
            self._came += count
            if self._came >= _FEW:
                self._enough.set()
        if self._awaited.get(place, owner.next_offset + 1) <= owner.next_offset:
            del self._awaited[place]
            self._came_in.set()

    async def stop(self) -> None:
        """Flush a last time and let everything go."""
        self._stopping.set()
        self._enough.set()
        self._anything.set()
        for task in self._taking.values():
            task.cancel()
        await self._flush()
        await self._leave_in_order()
        await self._release()
        for place in list(self._owners):
            self._drop(place)
        await self._dismiss_readers()
        if self._writer is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._writer.close(), _CLOSE_SECONDS)

    async def _take(self, place: Place, owner: Owner, fencing: asyncio.Task[None]) -> None:
        try:
            await asyncio.shield(fencing)
            async with self._restores, self._reader() as consumer:
                await owner.take(consumer)
            self._ready.add(place)
            self._on_owned(owner)
        except ConfigurationRefusedError as refused:
            leave(ExitCode.CONFIGURATION_REFUSED, "%s", refused)
        except Exception as error:  # noqa: BLE001 - a partition that cannot be taken must not be processed
            leave(ExitCode.RESTORE_FAILED, "%s partition %d could not be restored.", *place, error=error)
        finally:
            if self._owners.get(place) is owner:
                del self._taking[place]

    @contextlib.asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Lend a consumer to restore with; they are kept until everything is restored."""
        consumer = self._readers.pop() if self._readers else None
        if consumer is None:
            consumer = restoring_consumer(self._settings)
            await consumer.start()
            leave_records_as_they_are(consumer)
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

    def _drop(self, place: Place) -> None:
        owner = self._owners.pop(place)
        taking = self._taking.pop(place, None)
        if taking is not None:
            taking.cancel()
        if place in self._ready:
            self._ready.discard(place)
            self._on_dropped(owner)
        self._claimed.discard(place)
        self._asked_for.discard(place)
        logger.info("%s partition %d is dropped.", *place)
        owner.close()

    async def _flush_regularly(self) -> None:
        interval = self._settings.flush_interval_seconds
        two = any(flow.flushes_second for flow in self._flows.values())
        began = time.monotonic() - _QUIET_SECONDS
        while not self._stopping.is_set():
            came, self._came = self._came, 0
            self._enough.clear()
            self._anything.clear()
            before, began, self._collecting_seconds = began, time.monotonic(), 0.0
            quiet_until, self.quiet_until = self.quiet_until, 0.0
            if quiet_until > began:
                self.on_hurry()
            await self._flush_unless_paused(second=False)
            if two:
                await self._arrival()
                if not self._came:
                    self._anything.clear()  # it was what goes out now
                await self._flush_unless_paused(second=True)
            took = time.monotonic() - began
            # While Kafka is waited for, processing goes on.
            collecting = self._collecting_seconds
            wanted = min(collecting, interval) * _REST - (took - collecting)
            rest = max(interval - took, min(collecting * _PARTS, _LONGEST_SECONDS) - took, wanted, 0.0)
            if came < _MANY and rest <= _LONGEST_SECONDS:
                # At the pace of the round before there are enough by then.
                enough = _FEW / came * (began - before) if came else _QUIET_SECONDS
                self.quiet_until = began + max(took + rest, min(enough, _QUIET_SECONDS)) - _TAKE_SECONDS
            await self._rest(rest)
            if self._came < _FEW:
                await self._until_set(self._enough, began + _QUIET_SECONDS)
                await self._until_set(self._anything, began + _IDLE_SECONDS)

    @staticmethod
    async def _until_set(event: asyncio.Event, until: float) -> None:
        if not event.is_set() and (seconds := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)

    async def _arrival(self) -> None:
        """Wait until what the first flows have written has come in for those that read it here, but no longer than it usually takes."""
        until = time.monotonic() + _ARRIVAL_SECONDS
        if self._awaited and not self._stopping.is_set():
            self.awaits = True
            self.on_hurry()
        while self._awaited and not self._stopping.is_set():
            self._came_in.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came_in.wait(), max(0.0, until - time.monotonic()))
            if time.monotonic() >= until:
                break
        self.awaits, self._awaited = False, {}

    async def _rest(self, seconds: float) -> None:
        """Let chunks be processed, but no longer than until the stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _flush_unless_paused(self, *, second: bool) -> None:
        if not self._paused:
            await self._flush([place for place in self._claimed if self._flows[place[0]].flushes_second == second])
            self._health.progressed()

    async def _flush(self, places: Iterable[Place] | None = None) -> None:
        """Make everything processed so far durable and visible, in one transaction; of some partitions, or all that are claimed.

        A caller that is canceled does not cancel the flush: the stages have handed their changes over already.
        """
        await asyncio.shield(asyncio.ensure_future(self._flush_or_leave(places)))

    async def _flush_or_leave(self, places: Iterable[Place] | None) -> None:
        async with self._writing:
            owners = [self._owners[place] for place in sorted(self._claimed if places is None else places) if place in self._claimed]
            shares: list[Share] = []
            try:
                await self._write(owners, shares)
            except Exception as error:  # noqa: BLE001 - after any failure the state here is ahead of what is durable
                what = ", ".join(f"{topic} partition {number}" for topic, number in (share.source for share in shares))
                if isinstance(error, _FENCED) or isinstance(error.__cause__, _FENCED):
                    leave(ExitCode.FENCED, "another worker owns one of %s, or the transaction timed out: %r.", what, error)
                leave(ExitCode.FLUSH_FAILED, "%s could not be flushed: %r.", what, error, error=error)

    async def _write(self, owners: Iterable[Owner], shares: list[Share]) -> None:
        """Add what ``owners`` have to write to ``shares``, and return when it is committed."""
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
        # Looked at twice: after a pause of the whole process the limit is over, but the answers are there to be read.
        for seconds in (limit, _SECOND_LOOK_SECONDS):
            await asyncio.wait({writing}, timeout=seconds)
        if not writing.done():
            raise TimeoutError(f"Not written in {limit:.0f} s.")
        ends = await writing
        for owner, share in wrote:
            owner.wrote(share)
        self._awaited = {place: end for place, end in ends.items() if place in self._claimed and self._owners[place].next_offset < end}
        self._health.flushes += 1
        self._health.last_flush_seconds = time.monotonic() - began
