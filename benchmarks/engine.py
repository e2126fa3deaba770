"""Measures the engine on Apache Kafka: restoring beside Faust's own recovery, and chunks beside a plain aiokafka loop.

``python -m benchmarks.engine`` starts a broker of its own and prints records a second and the ratios; ratios of one run
compare, figures of two machines do not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import tempfile
import time
from typing import TYPE_CHECKING

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.engine.app import build_app
from streams.engine.flush import Share, TransactionWriter
from streams.engine.health import Health
from streams.engine.settings import EngineSettings, Flow
from streams.engine.stage import Flush, Record
from streams.engine.topics import TopicSpec, ensure_topics
from tests.support.kafka import VERSION, cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PARTITIONS = 4
_ROWS_A_TRANSACTION = 5_000
_GIVE_UP_SECONDS = 600.0
#: As long as an event of the product.
_VALUE = b'{"event":"contact.answered","contact":"0123456789abcdef","queue":"support","agent":"a-0042","at":"2026-01-01T00:00:00.000Z",'
_VALUE += b'"source":"bench","padding":"0123456789012345678901234567"}'


class Trivial:
    """A stage that only counts, so that what is measured is the engine."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.seen = 0

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Hold the rows, as a stage would."""
        del topic
        self.rows = dict(rows)

    def process(self, records: Sequence[Record]) -> None:
        """Count."""
        self.seen += len(records)

    def collect(self) -> Flush:
        """Keep the count."""
        return Flush(rows=[(b"seen", b"%d" % self.seen)])


async def fill(bootstrap: str, topic: str, partitions: int, count: int, *, keyed: bool) -> None:
    """Write ``count`` records into ``topic``, not in transactions."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=512 * 1024)
    await producer.start()
    for partition in range(partitions):
        batch = producer.create_batch()
        for number in range(count // partitions):
            key = b'"%d"' % number if keyed else None
            if batch.append(key=key, value=_VALUE, timestamp=None) is None:
                await producer.send_batch(batch, topic, partition=partition)
                batch = producer.create_batch()
                batch.append(key=key, value=_VALUE, timestamp=None)
        await producer.send_batch(batch, topic, partition=partition)
    await producer.stop()


async def fill_in_transactions(bootstrap: str, topic: str, source: str, count: int) -> None:
    """Write ``count`` rows into ``topic`` as flushes of ``source`` do, thus with control records between them."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="fill", max_batch_size=512 * 1024)
    await producer.start()
    writer = TransactionWriter(producer, f"engine-{source}")
    changelog, read = TopicPartition(topic, 0), TopicPartition(source, 0)
    for begin in range(0, count, _ROWS_A_TRANSACTION):
        rows = [(b'"%d"' % number, _VALUE) for number in range(begin, min(count, begin + _ROWS_A_TRANSACTION))]
        await writer.write(writer.prepare([Share(read, 0, changelog, rows, [])]))
    await producer.stop()


async def faust_recovery(bootstrap: str, rows: int) -> float:
    """Return the seconds Faust takes for a plain table with a plain changelog."""
    with tempfile.TemporaryDirectory() as folder:
        app = faust.App(
            "faust-plain",
            broker=f"kafka://{bootstrap}",
            datadir=folder,
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=0,
            web_enabled=False,
            store="memory://",
        )
        table = app.Table("plain", partitions=1, changelog_topic=app.topic("plain-rows", key_type=str, partitions=1))
        app.agent(app.topic("source-1", partitions=1))(_ignore)
        starting = asyncio.ensure_future(app.start())
        began = None
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while len(table) < rows and time.monotonic() < deadline:
            if began is None and app.tables.recovery.in_recovery:
                began = time.monotonic()
            await asyncio.sleep(0.01)
        seconds = time.monotonic() - (began or 0.0)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        await app.stop()
        return seconds


async def _ignore(stream: faust.Stream[object]) -> None:
    async for _ in stream:
        pass


async def engine(bootstrap: str, source: str, changelog: str, records: int) -> tuple[Health, float, float]:
    """Return the health of an app once it has processed ``records``, and its seconds, wall and processor, for them."""
    health = Health()
    app = build_app(
        EngineSettings(app_id=f"engine-{source}", bootstrap=bootstrap),
        [Flow(name="bench", source=source, changelog=changelog, stage_factory=lambda _: Trivial())],
        health,
    )
    await app.start()
    while health.recovering:  # noqa: ASYNC110 - health is polled, as its readers do
        await asyncio.sleep(0.001)
    partitions = dict(health.partitions)
    began, processor = time.monotonic(), time.process_time()
    while health.records < records:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    wall, processor = time.monotonic() - began, time.process_time() - processor
    await app.stop()
    health.partitions = partitions
    return health, wall, processor


async def plain_loop(bootstrap: str, source: str, records: int) -> tuple[float, float]:
    """Return the seconds, wall and processor, of the smallest program that reads ``records``."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([TopicPartition(source, number) for number in range(PARTITIONS)])
    began, processor = time.monotonic(), time.process_time()
    seen = 0
    while seen < records:
        for fetched in (await consumer.getmany(timeout_ms=1000)).values():
            seen += len(fetched)
    wall, processor = time.monotonic() - began, time.process_time() - processor
    await consumer.stop()
    return wall, processor


async def measure(bootstrap: str, rows: int, records: int) -> None:
    """Run both comparisons; without ``records`` only that of restoring."""
    compact = {"cleanup.policy": "compact"}
    await ensure_topics(
        bootstrap,
        [
            *(TopicSpec(name, 1, config=compact) for name in ("plain-rows", "engine-rows", "source-1")),
            TopicSpec("source-4", PARTITIONS),
            TopicSpec("rows-4", PARTITIONS, config=compact),
        ],
    )
    await fill(bootstrap, "plain-rows", 1, rows, keyed=True)
    await fill_in_transactions(bootstrap, "engine-rows", "source-1", rows)
    health, _, _ = await engine(bootstrap, "source-1", "engine-rows", 0)
    [restored] = health.partitions.values()
    ours = restored.restored_rows / restored.restore_seconds
    print(f"restore, engine:         {ours:>9,.0f} rows/s ({restored.restored_rows:,} rows in {restored.restore_seconds:.2f} s)")
    theirs = rows / await faust_recovery(bootstrap, rows)
    print(f"restore, Faust's own:    {theirs:>9,.0f} rows/s")
    print(f"restore, ratio:          {ours / theirs:>9.1f}")

    if not records:
        return
    await fill(bootstrap, "source-4", PARTITIONS, records, keyed=False)
    loop = await plain_loop(bootstrap, "source-4", records)
    chunks = (await engine(bootstrap, "source-4", "rows-4", records))[1:]
    for name, (wall, processor) in (("plain aiokafka loop", loop), ("engine, trivial stage", chunks)):
        print(f"{name + ':':<24} {records / wall:>9,.0f} records/s, {processor / records * 1e6:.2f} us of processor a record")
    print(f"chunks, ratio:           {loop[0] / chunks[0]:>9.2f}")


def main() -> None:
    """Start a broker and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--records", type=int, default=1_000_000, help="0 leaves the chunks out (default: %(default)s)")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    print(f"Apache Kafka {VERSION}, one node on this machine")
    with cluster() as running:
        asyncio.run(measure(running.bootstrap, arguments.rows, arguments.records))


if __name__ == "__main__":
    main()
