"""Which device a ticket belongs to, by the records of the topic in whatever state compaction has left it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from schemas.access_devices import EndedDevice, RedeemedTicket
from streams.access.principals import Identity
from streams.configuration.access import AccessFile, parse_access
from streams.listening.tokens import hash_of, new_secret
from streams.serving.login.devices import Devices, identity_of, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

AT = "2026-04-01T09:00:00Z"
TICKET, OTHER = hash_of("ticket"), hash_of("another ticket")
FIRST, SECOND = new_secret(), new_secret()

Record = tuple[bytes, bytes]


def redeemed(ticket: str, secret: str) -> Record:
    """Return the record of a device that opened a link."""
    record = RedeemedTicket.model_validate({"ticket": ticket, "device": hash_of(secret), "at": AT})
    return key_of(record).encode(), record.model_dump_json().encode()


def ended(ticket: str) -> Record:
    """Return the record that ends the device of a ticket."""
    record = EndedDevice.model_validate({"ticket": ticket, "at": AT})
    return key_of(record).encode(), record.model_dump_json().encode()


def compacted(records: list[Record]) -> list[Record]:
    """Return what compaction leaves: of each key the last record, in its place."""
    last = {key: place for place, (key, _) in enumerate(records)}
    return [record for place, record in enumerate(records) if last[record[0]] == place]


def fed(records: list[Record]) -> Devices:
    """Return the table that has read the records."""
    devices = Devices()
    fresh = devices.empty()
    for key, value in records:
        fresh.feed(key, value, 0)
    devices.take_over(fresh)
    return devices


@pytest.mark.parametrize("after", [lambda records: records, compacted], ids=["as written", "compacted"])
def test_of_two_devices_of_a_ticket_the_first_is_let_in(after: Callable[[list[Record]], list[Record]]) -> None:
    """Two servers that redeem at the same time agree; compaction, a repeat and the end of another ticket change nothing of it."""
    records = [redeemed(TICKET, FIRST), redeemed(TICKET, SECOND), redeemed(OTHER, new_secret()), ended(OTHER), redeemed(TICKET, FIRST)]
    if after is compacted:
        records = records[:-1]  # a server writes a key once
    devices = fed(after(records))
    assert devices.ticket_of(FIRST) == TICKET
    assert devices.ticket_of(SECOND) is None
    assert devices.has(TICKET, hash_of(FIRST)) is True
    assert devices.has(TICKET, hash_of(SECOND)) is False
    assert devices.has(TICKET, hash_of(new_secret())) is None
    assert devices.is_used(TICKET)
    assert set(devices.in_use([TICKET, OTHER, hash_of("unused")])) == {TICKET}


def test_an_ended_device_stays_ended() -> None:
    """Neither it nor its ticket, live or read again, before or after compaction."""
    records = [redeemed(TICKET, FIRST)]
    live = fed(records)
    assert live.ticket_of(FIRST) == TICKET
    live.feed(*ended(TICKET), 0)
    records = [*records, ended(TICKET), redeemed(TICKET, SECOND)]
    for devices in (live, fed(records), fed(compacted(records))):
        assert devices.ticket_of(FIRST) is None
        assert devices.ticket_of(SECOND) is None
        assert devices.is_used(TICKET)
        assert devices.in_use([TICKET]) == {}
    assert fed([ended(TICKET)]).is_used(TICKET)


def test_only_whole_records_under_their_own_key_count() -> None:
    """What is no such record lets no one in, and is counted."""
    key, value = redeemed(TICKET, FIRST)
    devices = fed([(redeemed(TICKET, SECOND)[0], value), (key, b"{}"), (key, b"no JSON"), (b"", value), (b"\xff", value)])
    assert devices.rejected == 5
    assert devices.ticket_of(FIRST) is None
    assert not devices.is_used(TICKET)


def test_a_device_is_the_screen_that_the_access_file_names_now() -> None:
    """Found by its ticket: another name is the new name, another ticket or no entry is the end at once."""

    def access(kiosks: dict[str, str]) -> AccessFile:
        entries = {name: {"ticket": ticket, "roles": [{"role": "viewer"}]} for name, ticket in kiosks.items()}
        return parse_access(Path("access.yaml"), yaml.safe_dump({"kiosks": entries}))

    devices = fed([redeemed(TICKET, FIRST)])
    cases = [({"hall": TICKET}, "hall"), ({"lobby": TICKET}, "lobby"), ({"hall": OTHER}, None), ({}, None)]
    for kiosks, name in cases:
        found = identity_of(access(kiosks), devices, FIRST)
        assert found == (None if name is None else Identity("kiosk", name))
    assert identity_of(access({"hall": TICKET}), devices, TICKET) is None  # what is kept opens nothing
