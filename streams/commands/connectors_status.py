"""``contact-streams connectors status``: show when each platform of a connectors file was last seen."""

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

__all__ = ["run_status", "status_of"]


def run_status(args: argparse.Namespace) -> int:
    """Print a line for each platform."""
    try:
        entries = read_connectors(args.connectors, read_text(args.connectors, ConnectorsError), secrets=False)
    except ConnectorsError as error:
        return fail(error)

    async def show(args: argparse.Namespace) -> int:
        progress = await read_progress(args.bootstrap, args.prefix, kafka_client_options())
        statuses = status_of(entries, (report for partition in progress for report in of_partition(partition)))
        if args.json:
            write_json({"connectors": statuses})
            return 0
        sys.stdout.write(f"{'source':<24} {'connector':<32} {'last received':<25} {'complete through':<25} status\n")
        for status in statuses:
            times = f"{status['received'] or '-':<25} {status['complete_through'] or '-':<25}"
            sys.stdout.write(f"{status['source']:<24} {status['connector']:<32} {times} {status['standing']}\n")
        return 0

    return guarded(args, show)


def status_of(entries: dict[str, Configured], reports: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the status of each entry: the newest time that any partition received, and the time through which all are complete."""
    by_source: dict[str, list[dict[str, Any]]] = {}
    for report in reports:
        by_source.setdefault(report["source"], []).append(report)
    statuses = []
    for source, entry in entries.items():
        of_source = by_source.get(source, [])
        received = [report["received"] for report in of_source if report["received"]]
        complete = [report["complete_through"] for report in of_source if report["complete_through"]]
        quarantined = next((report["quarantined"]["reason"] for report in of_source if report["quarantined"]), None)
        silent = [report["silent_seconds"] for report in of_source if report["silent_seconds"] is not None]
        text = (
            "never seen"
            if not received
            else f"quarantined: {quarantined}"
            if quarantined
            # A journal is silent between two deliveries.
            else f"journal, last report {min(silent, default=0):,.0f} s ago"
            if entry.connector.delivery == "journal"
            else f"silent for {min(silent, default=0):,.0f} s"
        )
        statuses.append(
            {
                "source": source,
                "connector": entry.connector.name,
                "delivery": entry.connector.delivery,
                "received": max(received, default=None),
                "complete_through": min(complete, default=None),
                "standing": text,
            }
        )
    return statuses
