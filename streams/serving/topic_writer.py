"""Writes to a compacted topic, and waits until this server has read the records back."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.serving.latest import Latest

__all__ = ["NotWrittenError", "TopicWriter"]

_log = logging.getLogger(__name__)

#: The timeout of writing and reading back, and how many requests write at a time.
_PATIENCE_SECONDS: Final = 10.0
_AT_A_TIME: Final = 4


class NotWrittenError(Exception):
    """It is unknown whether the topic has the record, or the confirmation is late."""


class TopicWriter:
    """Writes the topic of ``table``, with a connection per request: users' actions are rare."""

    def __init__(
        self, table: Latest[Any], topic: str, *, bootstrap: str, client_id: str, client_options: Mapping[str, Any] | None = None
    ) -> None:
        self._table = table
        self._topic = topic
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": client_id, **(client_options or {})}
        self._writing = 0

    async def write(self, records: Mapping[str, bytes | None]) -> None:
        """Write values by key, None deletes; return when the table has read them.

        Raises:
            NotWrittenError: it is unknown whether the topic has the records.
        """
        # A broker that creates topics automatically would create an unknown one.
        if not self._table.known or self._writing >= _AT_A_TIME:
            raise NotWrittenError
        self._writing += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._send(records)
                await self._read(records)
        except (KafkaError, OSError, TimeoutError) as error:
            _log.warning("%s cannot be written: %r.", self._topic, error)
            raise NotWrittenError from None
        finally:
            self._writing -= 1

    async def _send(self, records: Mapping[str, bytes | None]) -> None:
        producer = AIOKafkaProducer(**self._client, acks="all", enable_idempotence=True)
        try:
            await producer.start()
            for key, value in records.items():
                await producer.send_and_wait(self._topic, value, key=key.encode(), partition=0)
        finally:
            await asyncio.shield(producer.stop())

    async def _read(self, records: Mapping[str, bytes | None]) -> None:
        changed = asyncio.Event()
        unsubscribe = self._table.subscribe(changed.set)
        try:
            while any((key in self._table) is (value is None) for key, value in records.items()):
                await changed.wait()
                changed.clear()
        finally:
            unsubscribe()
