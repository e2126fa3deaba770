"""Producers compress as they like, and a worker compresses as configured: on Apache Kafka, every codec of Kafka."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import AIOKafkaProducer

from tests.attacks.test_times import Center, counts, queued, run
from tests.support import packed
from tests.support.services import rss_mib, until
from tests.support.topics import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

CODECS = (None, "gzip", "snappy", "lz4", "zstd")


def test_every_codec_is_read_and_output_is_compressed(kafka: Cluster, tmp_path: Path) -> None:
    """A call packed by each codec counts; the worker's own records are packed on the brokers' disk, and read as ever."""
    prefix = f"t{uuid.uuid4().hex[:10]}"

    async def scenario(center: Center) -> None:
        services = center.services
        services.run("worker", "--compression", "zstd")
        await services.ready("worker")
        services.run("serve")
        await services.ready("serve")
        for number, codec in enumerate(CODECS):
            producer = AIOKafkaProducer(bootstrap_servers=center.bootstrap, compression_type=codec)
            await producer.start()
            try:
                call = orjson.dumps(queued(f"call-{number}", received=0))
                await producer.send_and_wait(f"{prefix}.contact-events.v1", call, partition=number)
            finally:
                await producer.stop()
        await center.counted(waiting=len(CODECS), offered=len(CODECS))

        latest = f"{prefix}.queue-metrics-latest.v1"
        assert any(b'"service_level"' in (record.value or b"") for record in await read(center.bootstrap, latest))
        logs = [file.read_bytes() for node in kafka.nodes for file in kafka.data(node).glob(f"{latest}-*/*.log")]
        assert sum(map(len, logs)) > 0
        assert not any(b'"service_level"' in log for log in logs)

    run(kafka, tmp_path, prefix, scenario)


#: Codec → MiB of zeros that fit into a batch of the topic: Snappy packs a twentieth, the others a hundredth and less.
BOMBS = {"gzip": 400, "snappy": 100, "lz4": 400, "zstd": 1000}
#: Less than the smallest bomb; most of it is 20,000 dead letters at once.
GROWS_MIB = 90


def test_batches_that_cannot_be_read_take_no_memory_and_no_other_events(kafka: Cluster, tmp_path: Path) -> None:
    """Written past the gateway: a bomb of each codec, broken batches that Kafka takes, one of empty records. Calls after them count."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    name = f"{prefix}.contact-events.v1"

    async def scenario(center: Center) -> None:
        services = center.services
        services.run("worker")
        await services.ready("worker")
        services.run("serve", "--explain")
        await services.ready("serve")
        producer = AIOKafkaProducer(bootstrap_servers=center.bootstrap, max_request_size=8 * 1024 * 1024)
        await producer.start()
        peaks = {each: [rss_mib(services.pid(each))] for each in ("worker", "serve")}
        places: set[tuple[int, int]] = set()

        async def calls(word: str) -> None:
            for partition in range(8):
                await producer.send_and_wait(name, orjson.dumps(queued(f"{word}-{partition}", received=0)), partition=partition)

        try:
            # A broker that looks for a time in the first batch of all unpacks it itself, and fails.
            await calls("before")
            for partition, (codec, mebibytes) in enumerate(BOMBS.items()):
                bomb = packed.batch(codec, packed.packed(codec, packed.zeros(mebibytes)))
                places |= {(partition, await packed.publish(producer, name, partition, bomb)) for _ in range(2)}
            garbage = packed.batch("gzip", packed.packed("gzip", [packed.record(0, b"x")]) + b"garbage")
            places.add((4, await packed.publish(producer, name, 4, garbage)))
            empty = packed.packed("zstd", (packed.record(number, None) for number in range(20_000)))
            await packed.publish(producer, name, 5, packed.batch("zstd", empty, count=20_000))
            await calls("after")
        finally:
            await producer.stop()

        def look() -> None:
            services.supervise()
            for each, seen in peaks.items():
                seen.append(rss_mib(services.pid(each)))

        async def all_count() -> bool:
            look()
            return counts(await center.figures())[0] == 16

        await until(all_count, 60, lambda: services.log("worker")[-3000:])

        contacts: dict[str, Any] = {}

        async def shown() -> bool:
            look()
            contacts.update((await services.ask("serve", "/api/v1/contacts?queue=orders&kpi=waiting"))[1] or {})
            return contacts.get("total") == 16

        await until(shown, 15, lambda: f"{contacts} {services.log('serve')[-3000:]}")
        assert services.ended == []

        dead_letters = await read(center.bootstrap, f"{prefix}.contact-events-dead-letters.v1")
        headers = [{key: value.decode() for key, value in dead_letter.headers} for dead_letter in dead_letters]
        reasons = [each["dead-letter-reason"] for each in headers]
        assert {reason: reasons.count(reason) for reason in set(reasons)} == {"unreadable_batch": len(places), "empty": 20_000}
        unread = [each for each in headers if each["dead-letter-reason"] == "unreadable_batch"]
        assert {(int(each["dead-letter-original-partition"]), int(each["dead-letter-original-offset"])) for each in unread} == places
        log = services.log("worker")
        for partition, offset in places:
            assert f"A BATCH THAT CANNOT BE READ: {name} partition {partition}: offsets {offset} to {offset} cannot be read" in log
        counted = 'contact_center_events_dead_lettered_total{flow="track-contacts",reason="unreadable_batch"}'
        assert await services.counter("worker", counted) == len(places)
        for each, seen in peaks.items():
            assert max(seen) - seen[0] < GROWS_MIB, (each, seen)

    run(kafka, tmp_path, prefix, scenario)
