"""``contact-streams connectors status``: when each platform of a connectors file was last heard."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from streams.commands.common import fail, write_json
from streams.commands.kafka_security import kafka_client_options
from streams.commands.kafka_work import guarded
from streams.commands.sources import of_partition
from streams.configuration.connectors import ConnectorsError
from streams.configuration.problems import read_text
from streams.connectors.configured import read_connectors
from streams.connectors.operator import read_progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from streams.connectors.configured import Configured

__all__ = ["run_status", "standing"]


def run_status(args: argparse.Namespace) -> int:
    """Print a line for each platform."""
    try:
        entries = read_connectors(args.connectors, read_text(args.connectors, ConnectorsError), secrets=False)
    except ConnectorsError as error:
        return fail(error)

    async def tell(args: argparse.Namespace) -> int:
        progress = await read_progress(args.bootstrap, args.prefix, kafka_client_options())
        told = standing(entries, (each for partition in progress for each in of_partition(partition)))
        if args.json:
            write_json({"connectors": told})
            return 0
        sys.stdout.write(f"{'source':<24} {'connector':<32} {'last received':<25} {'complete through':<25} standing\n")
        for each in told:
            times = f"{each['received'] or '-':<25} {each['complete_through'] or '-':<25}"
            sys.stdout.write(f"{each['source']:<24} {each['connector']:<32} {times} {each['standing']}\n")
        return 0

    return guarded(args, tell)


def standing(entries: dict[str, Configured], heard: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is known of each entry: the newest that any partition received, and how far all of them are complete."""
    of_source: dict[str, list[dict[str, Any]]] = {}
    for each in heard:
        of_source.setdefault(each["source"], []).append(each)
    told = []
    for source, entry in entries.items():
        found = of_source.get(source, [])
        received = [each["received"] for each in found if each["received"]]
        complete = [each["complete_through"] for each in found if each["complete_through"]]
        quarantined = next((each["quarantined"]["reason"] for each in found if each["quarantined"]), None)
        silent = [each["silent_seconds"] for each in found if each["silent_seconds"] is not None]
        said = (
            "never heard"
            if not received
            else f"quarantined: {quarantined}"
            if quarantined
            # What tells after the fact is silent between two times that it does.
            else f"journal, told {min(silent, default=0):,.0f} s ago"
            if entry.connector.delivery == "journal"
            else f"silent for {min(silent, default=0):,.0f} s"
        )
        told.append(
            {
                "source": source,
                "connector": entry.connector.name,
                "delivery": entry.connector.delivery,
                "received": max(received, default=None),
                "complete_through": min(complete, default=None),
                "standing": said,
            }
        )
    return told
