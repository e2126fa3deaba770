"""The table of devices that have redeemed their ticket, which all servers read from one topic; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.access_devices import DeviceRecord, EndedDevice, RedeemedTicket
from schemas.times import to_ms
from schemas.topics import topic
from streams.access.principals import Identity
from streams.listening.tokens import hash_of, is_secret
from streams.serving.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.configuration.access import AccessFile

__all__ = ["Device", "Devices", "devices_topic", "identity_of", "key_of", "kiosk_of"]

_RECORD: TypeAdapter[DeviceRecord] = TypeAdapter(DeviceRecord)


def devices_topic(topic_prefix: str) -> str:
    """Return the name of the compacted topic of redeemed tickets."""
    return topic("access-devices.v1").full_name(topic_prefix)


def key_of(record: RedeemedTicket | EndedDevice) -> str:
    """Return the key of a record.

    It contains the device: compaction keeps the last record of a key, but the first record of a ticket must stay.
    """
    return f"ended|{record.ticket}" if isinstance(record, EndedDevice) else f"redeemed|{record.ticket}|{record.device}"


@dataclass(slots=True, frozen=True)
class Device:
    """The entry of one record."""

    key: str
    record: RedeemedTicket | EndedDevice
    version: int
    at_ms: int
    #: A key is written once: its second record changes nothing.
    revision: int = 1


class Devices(Latest[Device]):
    """The devices of redeemed tickets."""

    def __init__(self) -> None:
        super().__init__()
        #: Ticket → its device: of several the first, by the order of entries.
        self._by_ticket: dict[str, Device] = {}
        #: Hash of a device's secret → its ticket.
        self._tickets: dict[str, str] = {}
        self._ended: set[str] = set()

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> Device:  # noqa: ARG002 - as of all tables
        """Return the entry of a record; raise ValueError if it is none."""
        try:
            record = _RECORD.validate_python(orjson.loads(value))
        except ValidationError as error:
            raise ValueError("not a record of a device") from error
        if key != key_of(record):
            raise ValueError("not the key of its record")
        return Device(key, record, version, to_ms(record.at))

    def ticket_of(self, secret: str) -> str | None:
        """Return the ticket of a device's secret, None where there is none or where it has ended."""
        ticket = self._tickets.get(hash_of(secret)) if is_secret(secret) else None
        return None if ticket in self._ended else ticket

    def is_used(self, ticket: str) -> bool:
        """Return whether a ticket was redeemed or ended."""
        return ticket in self._by_ticket or ticket in self._ended

    def has(self, ticket: str, device: str) -> bool | None:
        """Return whether a device is the one of a ticket; None while the topic has no such record."""
        entry = self._by_ticket.get(ticket)
        if entry is None or f"redeemed|{ticket}|{device}" not in self._entries:
            return None
        return isinstance(entry.record, RedeemedTicket) and entry.record.device == device and ticket not in self._ended

    def in_use(self, tickets: Iterable[str]) -> dict[str, Device]:
        """Return the active devices of these tickets, by ticket."""
        return {ticket: self._by_ticket[ticket] for ticket in tickets if ticket in self._by_ticket and ticket not in self._ended}

    def _replaced(self, entry: Device | None = None, before: Device | None = None) -> None:
        if entry is not None and before is None:
            self._index(entry)
            return
        self._by_ticket, self._tickets, self._ended = {}, {}, set()
        for each in self._entries.values():
            self._index(each)

    def _index(self, entry: Device) -> None:
        record = entry.record
        if isinstance(record, EndedDevice):
            self._ended.add(record.ticket)
        elif self._by_ticket.setdefault(record.ticket, entry) is entry:
            self._tickets[record.device] = record.ticket


def kiosk_of(access: AccessFile, ticket: str) -> str | None:
    """Return the name of the screen that a ticket is for, None where the access file has none."""
    return next((name for name, kiosk in access.kiosks.items() if kiosk.ticket == ticket), None)


def identity_of(access: AccessFile, devices: Devices, secret: str) -> Identity | None:
    """Return the screen of a device's secret, by the current access file and topic."""
    ticket = devices.ticket_of(secret)
    name = None if ticket is None else kiosk_of(access, ticket)
    return None if name is None else Identity("kiosk", name)
