"""Measures what a contact that waits in a queue takes of memory: resident, in a process that takes some ten thousand of them in."""

from __future__ import annotations

import argparse
import ctypes
import gc
import uuid
from random import Random
from types import SimpleNamespace
from typing import Final

import orjson

from benchmarks.memory import resident_mib
from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.stages.track import ContactStage, TrackTopics

__all__ = ["bytes_a_contact"]

_START_MS: Final = parse_time_ms("2026-01-05T08:00:00Z")
#: The first bring code, queues and slices with them.
_FIRST: Final = 10_000
_CHUNK: Final = 1_000


def bytes_a_contact(count: int, *, uuids: bool = True) -> float:
    """Return what each of ``count`` callers who wait takes beyond the first ones, in bytes; ids are UUIDs, as most platforms', or short."""
    queues = {f"queue {number}": {"channel": "voice", "department": f"d{number % 5}", "site": "bonn"} for number in range(50)}
    limits = dict.fromkeys(("max_contacts", "max_contact_events"))
    configuration = Configuration.model_validate({"sites": {"bonn": {"zone": "UTC"}}, "queues": queues, "source_limits": limits})
    stage = ContactStage(0, configuration, TrackTopics("contacts", "panes", 4, "dead", "memory", lambda: 0))
    random, number, before = Random(1), 0, 0.0

    def name(prefix: str, contact: int) -> str:
        return str(uuid.UUID(int=random.getrandbits(128))) if uuids else f"{prefix}{contact}"

    for begin in range(0, _FIRST + count, _CHUNK):
        records = []
        for contact in range(begin, begin + _CHUNK):
            conversation = name("c", contact)
            for kind, fields in (
                ("contact.arrived", {"channel": "voice", "direction": "inbound"}),
                ("contact.queued", {"channel": "voice", "queue": f"queue {contact % 50}"}),
            ):
                at_ms, number = _START_MS + 5 * number, number + 1
                common = {"event_id": name("e", number), "occurred_at": format_ms(at_ms), "received_at": format_ms(at_ms), "source": "pbx"}
                value = orjson.dumps({"type": kind, **common, "conversation_id": conversation, **fields})
                records.append(SimpleNamespace(offset=0, timestamp=at_ms, key=None, value=value, headers=()))
        stage.process(records)
        stage.collect()
        del records
        if begin + _CHUNK == _FIRST:
            before = _resident()
    return (_resident() - before) / count


def _resident() -> float:
    """Return what is resident once free memory has gone back, as a worker gives it back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return (resident_mib() or 0.0) * 2**20


def main() -> None:
    """Print the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=50_000, help="beyond the first ten thousand (default: %(default)s)")
    parser.add_argument("--short-ids", action="store_true", help="c1 and e1 in place of UUIDs")
    arguments = parser.parse_args()
    print(f"{bytes_a_contact(arguments.contacts, uuids=not arguments.short_ids):.0f} bytes a waiting contact")


if __name__ == "__main__":
    main()
