"""Write redeemed tickets and ended devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from streams.serving.login.devices import devices_topic, key_of
from streams.serving.topic_writer import TopicWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.access_devices import EndedDevice, RedeemedTicket
    from streams.serving.login.devices import Devices

__all__ = ["DeviceLog", "KafkaDeviceLog"]


class DeviceLog(Protocol):
    """Writes records of devices."""

    async def write(self, record: RedeemedTicket | EndedDevice) -> None:
        """Return once the record and all before it are in the topic and in the table; raise NotWrittenError."""


class KafkaDeviceLog:
    """Writes them to the topic."""

    def __init__(self, devices: Devices, *, bootstrap: str, topic_prefix: str, client_options: Mapping[str, Any] | None = None) -> None:
        self._writer = TopicWriter(
            devices, devices_topic(topic_prefix), bootstrap=bootstrap, client_id="contact-streams-devices", client_options=client_options
        )

    async def write(self, record: RedeemedTicket | EndedDevice) -> None:
        """Return once the record and all before it are in the topic and in the table; raise NotWrittenError."""
        await self._writer.write({key_of(record): record.model_dump_json().encode()})
