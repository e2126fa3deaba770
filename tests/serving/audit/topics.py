"""The audit topic of a test: made, read whole, and an auditor that writes into it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.audit import AuditRecord
from streams.serving.audit.auditor import Auditor
from streams.serving.audit.writer import AuditWriter, audit_topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["auditing", "make_audit_topic", "raw_records", "recorded_in"]


async def make_audit_topic(bootstrap: str, prefix: str) -> None:
    """Create the topic as the worker does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(audit_topic(prefix), 1, 1)])
    await admin.close()


async def raw_records(bootstrap: str, prefix: str) -> list[tuple[bytes | None, bytes | None]]:
    """Return key and value of every committed record of the topic, by Kafka's own client and none of our readers."""
    place = TopicPartition(audit_topic(prefix), 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        await consumer.seek_to_beginning(place)
        found: list[tuple[bytes | None, bytes | None]] = []
        while await consumer.position(place) < end:
            found += [(record.key, record.value) for record in (await consumer.getmany(place, timeout_ms=200)).get(place, [])]
        return found
    finally:
        await consumer.stop()


async def recorded_in(bootstrap: str, prefix: str) -> list[AuditRecord]:
    """Return every record of the topic."""
    return [AuditRecord.model_validate_json(value or b"") for _, value in await raw_records(bootstrap, prefix)]


@contextlib.asynccontextmanager
async def auditing(bootstrap: str, prefix: str, **options: Any) -> AsyncIterator[Auditor]:
    """Run an auditor, and have it finish at the end."""
    capacity = {"capacity": options.pop("capacity")} if "capacity" in options else {}
    auditor = Auditor(AuditWriter(bootstrap, prefix, **capacity), "test", **options)
    running = asyncio.create_task(auditor.run())
    try:
        yield auditor
        await auditor.finish()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
