"""Entries in Kafka: events, records seen and the cursor, in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.partitioner import DefaultPartitioner

from schemas.times import to_ms
from schemas.topics import DEFAULT_PREFIX, topic
from streams.connectors.outgoing import EventTopics, outgoing
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.entries import STATE_TOPIC, FencedError, Restored, cursor_key, restore_row, seen_key
from streams.connectors.pull.states import States
from streams.connectors.sending import MAX_REQUEST_BYTES, STOP_SECONDS, send, stopped, unanswered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from streams.connectors.pull.entries import Entry

__all__ = ["KafkaLedger", "transactional_id"]

_PARTITIONS: Final = topic(STATE_TOPIC).partitions

#: A killed process's transaction blocks every reader of the events for this long, unless its successor ends it sooner.
_TRANSACTION_SECONDS: Final = 10.0
#: A live process has to commit within this.
_COMMIT_SECONDS: Final = 8.0
_OPEN_SECONDS: Final = 60.0


def transactional_id(prefix: str, source: str) -> str:
    """Return the transactional id of a source: its next user fences the one before."""
    return f"{prefix}-connector-{source}"


def partition_of(source: str) -> int:
    """Return the partition that has all records of a source."""
    everywhere = list(range(_PARTITIONS))
    return int(DefaultPartitioner()(source.encode(), everywhere, everywhere))


def _rows(source: str, entry: Entry) -> list[tuple[bytes, bytes | None]]:
    """Return key and value of the rows that an entry leaves for a restore; a row without a value deletes its key."""
    rows = [(seen_key(source, key), value) for key, value in entry.changes]
    if entry.cursor is not None:
        rows.append((cursor_key(source), orjson.dumps(entry.cursor.model_dump())))
    return rows


class KafkaLedger:
    """A ledger in Kafka.

    Args:
        bootstrap: ``host:port``, several separated by commas.
        source: of the ledger.
        prefix: of the names of all topics.
        now: stamped on dead letters.
        client_options: given to each client too.
        prepare: creates missing topics; raises NotPublishedError where nothing may be published.
    """

    def __init__(
        self,
        bootstrap: str,
        source: str,
        *,
        now: Callable[[], datetime],
        prefix: str = DEFAULT_PREFIX,
        client_options: Mapping[str, Any] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._topics = EventTopics.with_prefix(prefix)
        self._state = topic(STATE_TOPIC).full_name(prefix)
        self._source = source
        self._bootstrap = bootstrap
        self._now = now
        self._client: dict[str, Any] = {
            "bootstrap_servers": bootstrap,
            "client_id": f"contact-streams-{source}",
            **(client_options or {}),
        }
        self._transactional_id = transactional_id(prefix, source)
        self._prepare = prepare
        self._producer: Any = None
        self._fenced = ""
        # The events of a page and a heartbeat must not share a transaction.
        self._one_at_a_time = asyncio.Lock()

    async def open(self, remembered_days: int) -> Restored:
        """See Ledger."""
        if self._fenced:
            raise FencedError(self._fenced)
        await self.close()
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                if self._prepare is not None:
                    await self._prepare()
                producer = AIOKafkaProducer(
                    **self._client,
                    transactional_id=self._transactional_id,
                    transaction_timeout_ms=int(_TRANSACTION_SECONDS * 1000),
                    max_request_size=MAX_REQUEST_BYTES,
                    linger_ms=5,
                )
                try:
                    # Fences the process of before and ends its transaction: only then its rows are complete.
                    await producer.start()
                    restored = await self._restore(remembered_days)
                except BaseException:
                    await stopped(producer)
                    raise
        except TimeoutError as error:
            raise NotPublishedError(f"Kafka at {self._bootstrap} did not answer within {_OPEN_SECONDS:g} s") from error
        except (KafkaError, OSError) as error:
            raise NotPublishedError(f"Kafka at {self._bootstrap} refused: {error!r}") from error
        self._producer = producer
        return restored

    async def write(self, entry: Entry) -> None:
        """See Ledger."""
        async with self._one_at_a_time:
            if self._fenced:
                raise FencedError(self._fenced)
            producer = self._producer
            if producer is None:
                raise NotPublishedError("the last transaction failed")
            try:
                async with asyncio.timeout(_COMMIT_SECONDS):
                    await self._transact(producer, entry)
            except ProducerFenced as error:
                await self._drop()
                # A fenced process does not return by itself: two would fence each other for ever.
                self._fenced = f"another process polls the source {self._source}, or this one stalled for too long"
                raise FencedError(self._fenced) from error
            except TimeoutError as error:
                await self._drop()
                raise NotPublishedError(f"Kafka at {self._bootstrap} did not acknowledge within {_COMMIT_SECONDS:g} s") from error
            except (KafkaError, OSError) as error:
                await self._drop()
                raise NotPublishedError(f"Kafka at {self._bootstrap} refused: {error!r}") from error
            except BaseException:
                await self._drop()
                raise

    async def close(self) -> None:
        """See Ledger."""
        async with self._one_at_a_time:
            await self._drop()

    async def _transact(self, producer: Any, entry: Entry) -> None:
        records = outgoing(self._topics, entry.events, entry.rejected, self._source, to_ms(self._now()))
        rows, own = _rows(self._source, entry), partition_of(self._source)
        await producer.begin_transaction()
        with unanswered() as pending:
            await send(producer, records, pending)
            for key, value in rows:
                pending.append(await producer.send(self._state, value, key=key, partition=own))
            await producer.commit_transaction()
        for future in pending:
            await future

    async def _restore(self, remembered_days: int) -> Restored:
        partition = TopicPartition(self._state, partition_of(self._source))
        restored = Restored(None, States(self._source, remembered_days))
        async with _consumer(self._client, "read_uncommitted") as every, _consumer(self._client, "read_committed") as consumer:
            every.assign([partition])
            # Not the last stable offset: another source's open transaction would hide our last one.
            end = (await every.end_offsets([partition]))[partition]
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            while await consumer.position(partition) < end:
                for record in (await consumer.getmany(partition, timeout_ms=200)).get(partition, ()):
                    restore_row(restored, self._source, record.key, record.value)
        return restored

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stopped(producer)


@contextlib.asynccontextmanager
async def _consumer(client: Mapping[str, Any], isolation: str) -> Any:
    consumer = AIOKafkaConsumer(
        **client,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=isolation,
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(consumer.stop(), STOP_SECONDS)
