"""How often a source partition was started without a clean stop: that distinguishes a record that ends workers from bad luck.

The marks are committed offsets of a separate group without members: one request reads those of all partitions, one writes them,
and only when partitions change owners. Nothing is written while events are processed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, for_code
from aiokafka.protocol.commit import OffsetCommitRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.engine.settings import EngineSettings

__all__ = ["CAREFUL_FROM", "REACH", "Attempts", "Mark", "next_mark"]

logger = logging.getLogger(__name__)

#: After two unclean stops the third start is careful: no record ends a worker a third time.
CAREFUL_FROM = 3

#: Unclean stops whose offsets differ by more have different causes: it is far more than a worker processes between two flushes.
REACH = 50_000

_PATIENCE_SECONDS = 3.0

Partition = tuple[str, int]


class Mark(NamedTuple):
    """The offset of a partition's last start, and the number of starts in a row without a clean stop; 0 after a clean stop."""

    offset: int
    starts: int


def next_mark(before: Mark | None, offset: int) -> Mark:
    """Return the mark of a start at ``offset``."""
    in_a_row = before is not None and before.starts and 0 <= offset - before.offset <= REACH
    return Mark(offset, before.starts + 1 if in_a_row and before is not None else 1)


class Attempts:
    """Reads and writes the marks; where Kafka does not permit that, every start counts as the first."""

    def __init__(self, settings: EngineSettings) -> None:
        """Use the group of the application of ``settings``."""
        self._settings = settings
        self._group = f"{settings.app_id}.attempts"

    async def begin(self, offsets: Mapping[Partition, int]) -> dict[Partition, Mark]:
        """Return and write the marks of partitions that start at these offsets."""
        marks = {partition: next_mark(None, offset) for partition, offset in offsets.items()}
        if not offsets:
            return marks
        with self._excused():
            async with asyncio.timeout(_PATIENCE_SECONDS), _Admin(self._settings) as admin:
                before = await admin.list_consumer_group_offsets(
                    self._group, partitions=[TopicPartition(*partition) for partition in offsets]
                )
                for partition, offset in offsets.items():
                    stored = before.get(TopicPartition(*partition))
                    is_mark = stored is not None and stored.offset >= 0 and stored.metadata.isdecimal()
                    marks[partition] = next_mark(
                        Mark(stored.offset, int(stored.metadata)) if is_mark and stored is not None else None, offset
                    )
                await self._write(admin, marks)
        return marks

    async def write(self, marks: Mapping[Partition, Mark]) -> None:
        """Write marks, such as those of cleanly stopped partitions."""
        if marks:
            with self._excused():
                async with asyncio.timeout(_PATIENCE_SECONDS), _Admin(self._settings) as admin:
                    await self._write(admin, marks)

    async def largest_records(self) -> dict[str, int]:
        """Return the maximum batch size in bytes by topic."""
        sizes: dict[str, int] = {}
        with self._excused():
            async with asyncio.timeout(_PATIENCE_SECONDS), _Admin(self._settings) as admin:
                names = [name for name in await admin.list_topics() if not name.startswith("__")]
                asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": None}) for name in names]
                for answer in await admin.describe_configs(asked):
                    for _, _, _, name, entries in answer.resources:
                        sizes.update((name, int(entry[1])) for entry in entries if entry[0] == "max.message.bytes")
        return sizes

    async def _write(self, admin: AIOKafkaAdminClient, marks: Mapping[Partition, Mark]) -> None:
        by_topic: dict[str, list[tuple[int, int, str]]] = {}
        for (name, number), mark in marks.items():
            by_topic.setdefault(name, []).append((number, mark.offset, str(mark.starts)))
        request = OffsetCommitRequest(
            self._group, OffsetCommitRequest.DEFAULT_GENERATION_ID, "", OffsetCommitRequest.DEFAULT_RETENTION_TIME, list(by_topic.items())
        )
        coordinator = await admin.find_coordinator(self._group)
        answer = await admin._send_request_to_node(coordinator, request)
        for _, answered in answer.topics:
            for _, code in answered:
                if for_code(code) is not NoError:
                    raise for_code(code)(self._group)

    @contextlib.contextmanager
    def _excused(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a safeguard for rare cases must not stop a worker
            logger.warning("Group %s cannot be used: %r. A record that ends workers would not be found.", self._group, error)


class _Admin:
    def __init__(self, settings: EngineSettings) -> None:
        self._admin = AIOKafkaAdminClient(
            bootstrap_servers=settings.bootstrap, client_id=f"{settings.client_id}-attempts", **settings.client_options
        )

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._admin.start()
        return self._admin

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            await self._admin.close()
