"""Producers pack what they send as they like, and a worker packs what it publishes as it is told: on Apache Kafka, every codec of Kafka."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import orjson
from aiokafka import AIOKafkaProducer

from tests.attacks.test_times import Center, queued, run
from tests.support.topics import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

CODECS = (None, "gzip", "snappy", "lz4", "zstd")


def test_every_codec_is_read_and_what_is_published_is_packed(kafka: Cluster, tmp_path: Path) -> None:
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
