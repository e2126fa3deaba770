"""Writes to the topic of devices, and waits until this server has read there what it wrote."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.serving.login.devices import devices_topic, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.access_devices import EndedDevice, RedeemedTicket
    from streams.serving.login.devices import Devices

__all__ = ["DeviceLog", "KafkaDeviceLog", "NotWrittenError"]

_log = logging.getLogger(__name__)

#: How long a record may take to Kafka and back, and how many are on their way at a time.
_PATIENCE_SECONDS: Final = 10.0
_AT_A_TIME: Final = 4


class NotWrittenError(Exception):
    """It is not known, or not in time, whether the topic has the record."""


class DeviceLog(Protocol):
    """Where records of devices go."""

    async def write(self, record: RedeemedTicket | EndedDevice) -> None:
        """Return when the record is in the topic and in the table, with all that came before it; raise NotWrittenError."""


class KafkaDeviceLog:
    """The topic, with a connection for each record: few screens open their link on one day."""

    def __init__(self, devices: Devices, *, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self._devices = devices
        self._topic = devices_topic(topic_prefix)
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-devices", **(client_options or {})}
        self._under_way = 0

    async def write(self, record: RedeemedTicket | EndedDevice) -> None:
        """Return when the record is in the topic and in the table, with all that came before it; raise NotWrittenError."""
        # What is not known to be there would be made by a broker that makes topics by itself.
        if not self._devices.known or self._under_way >= _AT_A_TIME:
            raise NotWrittenError
        self._under_way += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._send(record)
                await _read(self._devices, key_of(record))
        except (KafkaError, OSError, TimeoutError) as error:
            _log.warning("%s cannot be written: %r.", self._topic, error)
            raise NotWrittenError from None
        finally:
            self._under_way -= 1

    async def _send(self, record: RedeemedTicket | EndedDevice) -> None:
        producer = AIOKafkaProducer(**self._client, acks="all", enable_idempotence=True)
        try:
            await producer.start()
            await producer.send_and_wait(self._topic, record.model_dump_json().encode(), key=key_of(record).encode(), partition=0)
        finally:
            await asyncio.shield(producer.stop())


async def _read(devices: Devices, key: str) -> None:
    """Wait until the table has a record, and so all before it."""
    changed = asyncio.Event()
    unsubscribe = devices.subscribe(changed.set)
    try:
        while key not in devices:
            await changed.wait()
            changed.clear()
    finally:
        unsubscribe()
