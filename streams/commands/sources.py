"""``contact-streams sources``: list when each source was last seen, and which are quarantined and why; quarantine or release a source."""

from __future__ import annotations

import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

from schemas.audit import AuditObject
from schemas.operator import SourceQuarantined, SourceReleased
from schemas.times import format_ms, from_ms
from streams.commands.account import record_and_order
from streams.commands.common import add_kafka_options, add_log_option, fail, label, write_json
from streams.commands.dead_letter_text import printable
from streams.commands.kafka_security import kafka_client_options
from streams.commands.kafka_work import confirmed, guarded
from streams.connectors.operator import read_progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from schemas.audit import Action
    from streams.connectors.operator import PartitionProgress

__all__ = ["add_parser", "of_partition", "run_list", "run_quarantine", "run_release"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("sources", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list",
        help="one line for each source of each partition",
        description="Lists when each source was last seen on each partition of events, as last committed; which are quarantined, since "
        "when, why, and how many of their records were dead-lettered.",
    )
    listing.add_argument("--source", type=label, help="only this source")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=run_list)
    quarantine = actions.add_parser(
        "quarantine",
        help="dead-letter the records of a source",
        description="Orders the workers to dead-letter the records of a source on every partition, from now on, until it is released.",
    )
    quarantine.set_defaults(run=run_quarantine)
    release = actions.add_parser(
        "release",
        help="count a source again",
        description="Orders the workers to count the records of a source again on every partition, from now on. Its dead letters stay "
        "where they are: `contact-streams dead-letters replay --reason source_quarantined` replays them.",
    )
    release.set_defaults(run=run_release)
    for action in (quarantine, release):
        action.add_argument("source", type=label, metavar="SOURCE", help="as `list` names it; quote (unreadable) and (other)")
        action.add_argument("--why", type=label, help="reason; it is stored with the order")
        action.add_argument("--yes", action="store_true", help="do not ask")
    for action in (listing, quarantine, release):
        add_kafka_options(action)
        add_log_option(action, default="WARNING")


def run_list(args: argparse.Namespace) -> int:
    """Print the sources."""
    return guarded(args, _list)


def run_quarantine(args: argparse.Namespace) -> int:
    """Ask, and order the quarantine of a source."""
    return _ordered(args, SourceQuarantined, "Dead-letter every record of {source} from now on")


def run_release(args: argparse.Namespace) -> int:
    """Ask, and order the release of a source."""
    return _ordered(args, SourceReleased, "Count the records of {source} again from now on")


def _ordered(args: argparse.Namespace, kind: type[SourceQuarantined | SourceReleased], question: str) -> int:
    if not args.yes:
        if not sys.stdin.isatty():
            return fail("stdin is not a terminal: add --yes")
        if not confirmed(f"{question.format(source=printable(args.source))}?"):
            return 0

    async def publish(args: argparse.Namespace) -> int:
        now = from_ms(int(time.time() * 1000))
        order = kind(event_id=f"source-order-{uuid.uuid4()}", occurred_at=now, source=args.source, why=args.why)
        action: Action = "source_released" if kind is SourceReleased else "source_quarantined"
        about = AuditObject(source=args.source, order_id=order.event_id)
        partitions = await record_and_order(args, order, kafka_client_options(), action, about)
        sys.stdout.write(
            f"Ordered on {partitions} partitions ({order.event_id}). The workers apply it when they reach it: "
            "see `contact-streams sources list`.\n"
        )
        return 0

    return guarded(args, publish)


async def _list(args: argparse.Namespace) -> int:
    partitions = await read_progress(args.bootstrap, args.prefix, kafka_client_options())
    entries = [entry for partition in partitions for entry in of_partition(partition) if args.source in {None, entry["source"]}]
    entries.sort(key=lambda entry: (entry["source"], entry["topic"], entry["partition"]))
    if args.json:
        write_json({"sources": entries})
        return 0
    sys.stdout.writelines(line + "\n" for line in _table(entries, args.prefix))
    quarantined = sorted({entry["source"] for entry in entries if entry["quarantined"]})
    named = f": {', '.join(map(printable, quarantined))}" if quarantined else ""
    sys.stdout.write(f"{len({entry['source'] for entry in entries}):,} sources, {len(quarantined):,} of them quarantined{named}\n")
    return 0


def of_partition(partition: PartitionProgress) -> Iterator[dict[str, Any]]:
    """Yield an entry for each source of a partition, quarantined or not."""
    for source in sorted({*partition.sources, *partition.watched, *partition.quarantined}):
        report, quarantine = partition.sources.get(source), partition.quarantined.get(source)
        newest = partition.received_through
        yield {
            "source": source,
            "topic": partition.topic,
            "partition": partition.partition,
            "received": None if report is None else format_ms(report.received),
            "complete_through": None if report is None or report.complete_through is None else format_ms(report.complete_through),
            # By the time of the other sources, as workers measure silence.
            "silent_seconds": None if report is None or newest is None else (newest - report.received) / 1000,
            "quarantined": None if quarantine is None else _quarantine(quarantine),
            "bad_lately": dict(partition.watched.get(source, {})),
        }


def _table(entries: list[dict[str, Any]], prefix: str) -> Iterator[str]:
    if not entries:
        return
    yield f"{'source':<24} {'partition':<24} {'last received':<24} {'complete through':<24} status"
    for entry in entries:
        partition = f"{entry['topic'].removeprefix(prefix + '.')}/{entry['partition']}"
        times = f"{entry['received'] or '-':<24} {entry['complete_through'] or '-':<24}"
        yield f"{printable(entry['source']):<24} {partition:<24} {times} {_status(entry)}"


def _status(entry: dict[str, Any]) -> str:
    quarantine = entry["quarantined"]
    if quarantine is not None:
        why = f" ({printable(quarantine['detail'])})" if quarantine["detail"] else ""
        return f"quarantined since {quarantine['since']}: {quarantine['reason']}{why}; {quarantine['records']:,} dead-lettered since"
    bad = ", ".join(f"{reason} {number:,}" for reason, number in sorted(entry["bad_lately"].items()))
    silent_seconds = entry["silent_seconds"]
    status = "no event accepted yet" if silent_seconds is None else f"silent for {silent_seconds:,.0f} s" if silent_seconds else "active"
    return f"{status}; recently bad: {bad}" if bad else status


def _quarantine(state: Any) -> dict[str, Any]:
    return {"reason": state["reason"], "detail": state["detail"], "since": format_ms(state["since_ms"]), "records": state["records"]}
