"""The topics of a round, compared with each other and with what was published."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.dead_letters import REASON, origin_of, original_headers
from schemas.topics import TOPICS, topic
from tests.support.product_load import bad_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiokafka import ConsumerRecord

__all__ = ["RoundTopics"]

#: Nothing may change any more for this long once everything has arrived.
_QUIET_SECONDS = 1.5


@dataclass(frozen=True)
class RoundTopics:
    """The topics of one round."""

    bootstrap: str
    prefix: str

    async def caught_up(
        self, final: str, seconds: float, meanwhile: Callable[[], None], explain: Callable[[], str]
    ) -> tuple[dict[str, dict[str, Any]], float]:
        """Return the latest records once all is counted through the end and nothing changes any more, and the seconds it took.

        ``meanwhile`` is called all the time; ``explain`` returns why it may have taken too long.
        """
        latest_topic = topic("queue-metrics-latest.v1")
        facts = [
            TopicPartition(entry.full_name(self.prefix), number)
            for entry in (topic("customer-facts.v2"), topic("customer-links.v1"))
            for number in range(entry.partitions)
        ]
        places = [TopicPartition(latest_topic.full_name(self.prefix), number) for number in range(latest_topic.partitions)]
        reader = await self._reader([*places, *facts])
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        latest: dict[bytes, bytes] = {}
        last_facts = dict.fromkeys(facts, -1)
        began = changed = time.monotonic()
        waited: float | None = None
        try:
            while waited is None or time.monotonic() - changed < _QUIET_SECONDS:
                meanwhile()
                for place, records in (await reader.getmany(timeout_ms=200)).items():
                    if place in last_facts:
                        last_facts[place] = records[-1].offset
                        continue
                    changed = time.monotonic()
                    for record in records:
                        _compact(latest, record)
                progress = [orjson.loads(latest.get(b"progress|%d" % place.partition, b"{}")) for place in places]
                rolled_up = all(each.get("as_of") == each.get("complete_through") == final for each in progress)
                if waited is None and rolled_up and await self._customers_counted(admin, reader, last_facts):
                    waited, changed = time.monotonic() - began, time.monotonic()
                if time.monotonic() - began > seconds:
                    reached = [(each.get("as_of"), each.get("complete_through")) for each in progress]
                    raise TimeoutError(f"After {seconds:.0f} s not at {final} but at {reached}, last facts {last_facts}.\n{explain()}")
        finally:
            await reader.stop()
            await admin.close()
        return {key.decode(): orjson.loads(value) for key, value in latest.items()}, waited

    async def _customers_counted(self, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, last_facts: dict[TopicPartition, int]) -> bool:
        """Return whether every event of customers, and every fact about them, has been counted; of each partition that was read last."""
        entry = topic("customer-events.v1")
        sources = [TopicPartition(entry.full_name(self.prefix), number) for number in range(entry.partitions)]
        ends = await reader.end_offsets([*sources, *last_facts])
        committed = {place: found.offset for place, found in (await admin.list_consumer_group_offsets(f"{self.prefix}.worker")).items()}
        if not all(committed.get(place, 0) == ends[place] for place in sources):
            return False
        for place, last in last_facts.items():
            # Behind the last fact there may be transaction markers, which are never committed.
            if await reader.position(place) < ends[place] or committed.get(place, 0) <= last:
                return False
        return True

    async def contradictions(self, latest: dict[str, dict[str, Any]]) -> list[str]:
        """Hold the topics against each other: history and latest, panes and the state that they come from."""
        wrong: list[str] = []
        last: dict[str, dict[str, Any]] = {}
        homes: dict[bytes, set[int]] = {}
        async for record in self._read("queue-metrics.v1"):
            key, value = record.key.decode(), orjson.loads(record.value)
            homes.setdefault(record.key, set()).add(record.partition)
            before = last[key]["revision"] if key in last else 0
            if value["revision"] != before + 1:
                wrong.append(f"{key}: revision {value['revision']} after {before} at offset {record.offset}")
            last[key] = value
        wrong += [
            f"{key}: latest is {latest.get(key)}, the history ends with {value}" for key, value in last.items() if latest.get(key) != value
        ]
        wrong += [f"{key} is in latest only" for key in latest.keys() - last.keys()]
        panes: dict[bytes, bytes] = {}
        async for record in self._read("queue-panes.v1"):
            if not record.key.startswith((b"progress|", b"customer_progress|")):
                homes.setdefault(record.key, set()).add(record.partition)
            _compact(panes, record)
        rows: dict[bytes, bytes] = {}
        for name in ("track-contacts-state.v1", "track-agents-state.v1", "track-customer-events-state.v1"):
            async for record in self._read(name):
                _compact(rows, record)
        # Of the rows of state, cells are what the panes hold; panes hold beside them what is in progress, and the watermark.
        rows = {key: value for key, value in rows.items() if key.startswith((b"pane|", b"cell|", b"cohort|"))}
        panes = {key: value for key, value in panes.items() if not key.startswith((b"now|", b"progress|", b"customer_"))}
        wrong += [
            f"{key!r}: the pane is {panes.get(key)!r}, the state {rows.get(key)!r}"
            for key in panes.keys() | rows.keys()
            if panes.get(key) != rows.get(key)
        ]
        return wrong + [f"{key!r} is in partitions {sorted(partitions)}" for key, partitions in homes.items() if len(partitions) > 1]

    async def unexpected_dead_letters(self, seed: int, places: list[list[Any]]) -> list[str]:
        """Return what is missing or too much among the dead letters: origin, reason, key, bytes and headers of each bad record, once."""
        expected = Counter(
            ((topic_name, partition, offset), bad.reason, bad.key, bad.value, tuple(bad.headers))
            for (topic_name, partition, offset), bad in zip(places, bad_records(seed), strict=True)
        )
        found: Counter[Any] = Counter()
        for entry in TOPICS:
            if entry.dead_letters is None:
                continue
            async for record in self._read(entry.dead_letters):
                origin, headers = origin_of(record.headers), dict(record.headers)
                if origin.consumer_group != f"{self.prefix}.worker" or origin.topic != entry.full_name(self.prefix):
                    found["in the wrong place", str(origin)] += 1
                place = (origin.topic, origin.partition, origin.offset)
                found[place, headers[REASON].decode(), record.key, record.value, tuple(original_headers(record.headers))] += 1
        return [f"missing {str(each)[:300]}" for each in (expected - found)] + [
            f"too much {str(each)[:300]}" for each in (found - expected)
        ]

    async def _read(self, name: str) -> AsyncIterator[ConsumerRecord]:
        """Yield every committed record of a topic, a partition after the other's chunks."""
        entry = topic(name)
        places = [TopicPartition(entry.full_name(self.prefix), number) for number in range(entry.partitions)]
        consumer = await self._reader(places)
        try:
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        yield record
        finally:
            await consumer.stop()

    async def _reader(self, places: list[TopicPartition]) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        return consumer

    async def delete_topics(self) -> None:
        """Make room."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([entry.full_name(self.prefix) for entry in TOPICS])
        finally:
            await admin.close()


def _compact(kept: dict[bytes, bytes], record: ConsumerRecord) -> None:
    if record.value is None:
        kept.pop(record.key, None)
    else:
        kept[record.key] = record.value
