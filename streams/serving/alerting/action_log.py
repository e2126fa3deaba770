"""Writes what was done about alerts, and waits until this server has read it there."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.serving.alerting.actions import actions_topic, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.alert_actions import ActionRecord
    from streams.serving.alerting.actions import Actions

__all__ = ["ActionLog", "KafkaActionLog", "NotWrittenError", "encoded"]

_log = logging.getLogger(__name__)

#: How long records may take to Kafka and back, and how many requests write at a time.
_PATIENCE_SECONDS: Final = 10.0
_AT_A_TIME: Final = 4


class NotWrittenError(Exception):
    """It is not known, or not in time, whether the topic has the record."""


class ActionLog(Protocol):
    """Where records of actions go."""

    async def write(self, record: ActionRecord | None = None, *, without: Iterable[str] = ()) -> None:
        """Write a record and delete keys; return when the table has it, with all that came before; raise NotWrittenError."""


def encoded(record: ActionRecord) -> tuple[bytes, bytes]:
    """Return key and value of a record in Kafka."""
    return key_of(record).encode(), record.model_dump_json().encode()


class KafkaActionLog:
    """The topic, with a connection for each action: people act seldom."""

    def __init__(self, actions: Actions, *, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self._actions = actions
        self._topic = actions_topic(topic_prefix)
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-actions", **(client_options or {})}
        self._under_way = 0

    async def write(self, record: ActionRecord | None = None, *, without: Iterable[str] = ()) -> None:
        """Write a record and delete keys; return when the table has it, with all that came before; raise NotWrittenError."""
        # A topic that is not known to be there would be made by a broker that makes topics by itself.
        if not self._actions.known or self._under_way >= _AT_A_TIME:
            raise NotWrittenError
        self._under_way += 1
        gone = list(without)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._send([(key.encode(), None) for key in gone] + ([] if record is None else [encoded(record)]))
                await self._seen(None if record is None else key_of(record), gone)
        except (KafkaError, OSError, TimeoutError) as error:
            _log.warning("%s cannot be written: %r.", self._topic, error)
            raise NotWrittenError from None
        finally:
            self._under_way -= 1

    async def _send(self, records: list[tuple[bytes, bytes | None]]) -> None:
        producer = AIOKafkaProducer(**self._client, acks="all", enable_idempotence=True)
        try:
            await producer.start()
            for key, value in records:
                await producer.send_and_wait(self._topic, value, key=key, partition=0)
        finally:
            await asyncio.shield(producer.stop())

    async def _seen(self, key: str | None, gone: list[str]) -> None:
        changed = asyncio.Event()
        unsubscribe = self._actions.subscribe(changed.set)
        try:
            while (key is not None and key not in self._actions) or any(each in self._actions for each in gone):
                await changed.wait()
                changed.clear()
        finally:
            unsubscribe()
