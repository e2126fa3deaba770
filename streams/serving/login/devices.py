"""Screens that have opened their link: which device each ticket belongs to, as all servers read it from one topic; no clock, no network."""

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
    """Return the name of the compacted topic that says which tickets were redeemed."""
    return topic("access-devices.v1").full_name(topic_prefix)


def key_of(record: RedeemedTicket | EndedDevice) -> str:
    """Return the key of a record.

    The device is part of it: compaction keeps the last record of a key, and of a ticket the first has to stay.
    """
    return f"ended|{record.ticket}" if isinstance(record, EndedDevice) else f"redeemed|{record.ticket}|{record.device}"


@dataclass(slots=True, frozen=True)
class Device:
    """What one record says."""

    key: str
    record: RedeemedTicket | EndedDevice
    version: int
    at_ms: int
    #: A key is written once: a second record of it changes nothing.
    revision: int = 1


class Devices(Latest[Device]):
    """The devices of redeemed tickets."""

    def __init__(self) -> None:
        super().__init__()
        #: Ticket → its device: of several the one that came first, which the order of entries keeps.
        self._by_ticket: dict[str, Device] = {}
        #: Hash of a device's secret → its ticket.
        self._tickets: dict[str, str] = {}
        self._ended: set[str] = set()

    def read(self, key: str, value: bytes, version: int, partition: int | None) -> Device:  # noqa: ARG002 - told to all tables
        """Return the entry of a record; raise ValueError if it is none."""
        try:
            record = _RECORD.validate_python(orjson.loads(value))
        except ValidationError as error:
            raise ValueError("not a record of a device") from error
        if key != key_of(record):
            raise ValueError("not the key of its record")
        return Device(key, record, version, to_ms(record.at))

    def ticket_of(self, secret: str) -> str | None:
        """Return the ticket that a device's secret was given for, None where there is none or where it has ended."""
        ticket = self._tickets.get(hash_of(secret)) if is_secret(secret) else None
        return None if ticket in self._ended else ticket

    def is_used(self, ticket: str) -> bool:
        """Say whether a ticket was redeemed or ended."""
        return ticket in self._by_ticket or ticket in self._ended

    def has(self, ticket: str, device: str) -> bool | None:
        """Say whether a device is the one of a ticket; None while the topic says nothing of it."""
        found = self._by_ticket.get(ticket)
        if found is None or f"redeemed|{ticket}|{device}" not in self._entries:
            return None
        return isinstance(found.record, RedeemedTicket) and found.record.device == device and ticket not in self._ended

    def in_use(self, tickets: Iterable[str]) -> dict[str, Device]:
        """Return the devices of those tickets that are let in, by ticket."""
        return {ticket: self._by_ticket[ticket] for ticket in tickets if ticket in self._by_ticket and ticket not in self._ended}

    def _replaced(self, entry: Device | None = None, before: Device | None = None) -> None:
        if entry is not None and before is None:
            self._take(entry)
            return
        self._by_ticket, self._tickets, self._ended = {}, {}, set()
        for each in self._entries.values():
            self._take(each)

    def _take(self, entry: Device) -> None:
        record = entry.record
        if isinstance(record, EndedDevice):
            self._ended.add(record.ticket)
        elif self._by_ticket.setdefault(record.ticket, entry) is entry:
            self._tickets[record.device] = record.ticket


def kiosk_of(access: AccessFile, ticket: str) -> str | None:
    """Return the name of the screen that a ticket is for, None where the access file has none."""
    return next((name for name, kiosk in access.kiosks.items() if kiosk.ticket == ticket), None)


def identity_of(access: AccessFile, devices: Devices, secret: str) -> Identity | None:
    """Return whose device a secret is, by the access file and the topic as they are now."""
    ticket = devices.ticket_of(secret)
    name = None if ticket is None else kiosk_of(access, ticket)
    return None if name is None else Identity("kiosk", name)
