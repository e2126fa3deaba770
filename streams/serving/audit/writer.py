"""Write records to the audit topic, in order and from a bounded buffer, and report Kafka's acknowledgements."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aiokafka import AIOKafkaProducer
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from schemas.audit import AuditRecord, encode_audit
from schemas.topics import topic
from streams.catalogue import SERVING_METRICS
from streams.serving.broker import PATIENCE_SECONDS, keep_trying, partitions_of, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from prometheus_client import Metric


__all__ = ["AuditWriter", "Entry", "audit_topic", "write_now"]

log = logging.getLogger(__name__)

#: Records that wait for Kafka: of some 500 bytes each, so that an outage costs no more than some megabytes.
_CAPACITY: Final = 10_000
#: Records handed to Kafka at a time.
_BATCH: Final = 500
#: A batch that is not acknowledged after this time is sent again by another producer.
_SEND_SECONDS: Final = 30.0
#: Between two log lines about dropped records.
_LOG_EVERY_SECONDS: Final = 60.0
_RECORDS, _WAITING = "contact_center_audit_records_total", "contact_center_audit_records_waiting"
_HELP: Final = {metric.name: metric.help for metric in SERVING_METRICS}


def audit_topic(topic_prefix: str) -> str:
    """Return the full name of the topic."""
    return topic("audit.v1").full_name(topic_prefix)


@dataclass(slots=True, eq=False)
class Entry:
    """A record in the buffer; ``acknowledged`` is set once Kafka has it, and cancelled if it never will."""

    record: AuditRecord
    acknowledged: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    #: Sent to Kafka, which may have it even without an acknowledgement.
    handed: bool = False


class AuditWriter:
    """One buffer and one producer. ``results`` counts records: written, dropped or withdrawn."""

    def __init__(
        self, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None, *, capacity: int = _CAPACITY
    ) -> None:
        self.topic = audit_topic(topic_prefix)
        self.results = Counter({"written": 0, "dropped": 0, "withdrawn": 0})
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-audit", **(client_options or {})}
        self._capacity = capacity
        self._buffer: deque[Entry] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._logged_at = -_LOG_EVERY_SECONDS

    def put(self, record: AuditRecord) -> Entry | None:
        """Add a record; None where there is no room: it is dropped, which is counted and logged."""
        if len(self._buffer) >= self._capacity:
            self._drop(1)
            return None
        entry = Entry(record)
        self._buffer.append(entry)
        self._filled.set()
        self._empty.clear()
        return entry

    def withdraw(self, entry: Entry) -> None:
        """Remove a record that was not handed to Kafka yet: its action did not take place."""
        if not entry.handed and not entry.acknowledged.done():
            self._buffer.remove(entry)
            entry.acknowledged.cancel()
            self.results["withdrawn"] += 1
            self._signal_if_empty()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, for a registry."""
        family = CounterMetricFamily(_RECORDS, _HELP[_RECORDS], labels=["result"])
        for result, number in self.results.items():
            family.add_metric([result], number)
        yield family
        yield GaugeMetricFamily(_WAITING, _HELP[_WAITING], value=len(self._buffer))

    async def run(self) -> NoReturn:
        """Write until cancelled; failures of Kafka are logged and retried."""
        await keep_trying(self.topic, self._write, "written")

    async def finish(self, seconds: float) -> None:
        """Wait at most ``seconds`` until all is written, while ``run`` still runs; drop the remaining records."""
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            self._drop(len(self._buffer))
            for entry in self._buffer:
                entry.acknowledged.cancel()
            self._buffer.clear()

    async def _write(self) -> NoReturn:
        # A producer would have the broker create a missing topic with default settings.
        await partitions_of(self.topic, self._client)
        producer = AIOKafkaProducer(**self._client, acks="all", enable_idempotence=True, retry_backoff_ms=20)
        try:
            await asyncio.wait_for(producer.start(), PATIENCE_SECONDS)
            while True:
                await self._filled.wait()
                batch = list(islice(self._buffer, _BATCH))
                for entry in batch:
                    entry.handed = True
                async with asyncio.timeout(_SEND_SECONDS):
                    await _send(producer, self.topic, [entry.record for entry in batch])
                self._acknowledge(batch)
        finally:
            await stop(producer)

    def _acknowledge(self, batch: list[Entry]) -> None:
        for entry in batch:
            if entry.acknowledged.done():  # `finish` has dropped it
                continue
            self._buffer.popleft()
            entry.acknowledged.set_result(None)
            self.results["written"] += 1
        self._signal_if_empty()

    def _signal_if_empty(self) -> None:
        if not self._buffer:
            self._filled.clear()
            self._empty.set()

    def _drop(self, number: int) -> None:
        self.results["dropped"] += number
        now = asyncio.get_running_loop().time()
        if number and now - self._logged_at >= _LOG_EVERY_SECONDS:
            self._logged_at = now
            log.error(
                "%d audit records could not be written to %s and are dropped; %d since the start.",
                number,
                self.topic,
                self.results["dropped"],
            )


async def write_now(bootstrap: str, topic_prefix: str, records: Sequence[AuditRecord], client_options: Mapping[str, Any]) -> None:
    """Write records and return once Kafka has them, within seconds: for a command that ends.

    Raises:
        TopicError, KafkaError, OSError, TimeoutError: it does not have all of them.
    """
    client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-audit", **client_options}
    name = audit_topic(topic_prefix)
    await partitions_of(name, client)
    producer = AIOKafkaProducer(**client, acks="all", enable_idempotence=True, retry_backoff_ms=20)
    try:
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            await producer.start()
            await _send(producer, name, records)
    finally:
        await stop(producer)


async def _send(producer: AIOKafkaProducer, name: str, records: Sequence[AuditRecord]) -> None:
    """Send records in order, and return once all are acknowledged."""
    acknowledged = []
    for record in records:
        key, value = encode_audit(record)
        acknowledged.append(await producer.send(name, value, key=key, partition=0))
    await asyncio.gather(*acknowledged)
