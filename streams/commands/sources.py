"""``contact-streams sources``: what was last heard of each source, who is quarantined and why; quarantine a source, and release it."""

from __future__ import annotations

import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

from schemas.audit import AuditObject
from schemas.operator import SourceQuarantined, SourceReleased
from schemas.times import format_ms, from_ms
from streams.commands.account import ordered
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
        help="a line for each source of each partition",
        description="Lists what was last heard of each source on each partition of events, as last committed; who is quarantined, "
        "since when, why, and how many of its records were dead-lettered.",
    )
    listing.add_argument("--source", type=label, help="of this one alone")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=run_list)
    quarantine = actions.add_parser(
        "quarantine",
        help="set a source apart",
        description="Orders the workers to set the records of a source aside on every partition, from there on, until it is released.",
    )
    quarantine.set_defaults(run=run_quarantine)
    release = actions.add_parser(
        "release",
        help="let a source count again",
        description="Orders the workers to count the records of a source again on every partition, from there on. Its dead letters stay "
        "where they are: `contact-streams dead-letters replay --reason source_quarantined` replays them.",
    )
    release.set_defaults(run=run_release)
    for action in (quarantine, release):
        action.add_argument("source", type=label, metavar="SOURCE", help="as `list` names it; quote (unreadable) and (other)")
        action.add_argument("--why", type=label, help="what for; it is kept with the order")
        action.add_argument("--yes", action="store_true", help="do not ask")
    for action in (listing, quarantine, release):
        add_kafka_options(action)
        add_log_option(action, default="WARNING")


def run_list(args: argparse.Namespace) -> int:
    """Print what is known of the sources."""
    return guarded(args, _list)


def run_quarantine(args: argparse.Namespace) -> int:
    """Ask, and order that a source is set apart."""
    return _ordered(args, SourceQuarantined, "Set every record of {source} aside from now on")


def run_release(args: argparse.Namespace) -> int:
    """Ask, and order that a source counts again."""
    return _ordered(args, SourceReleased, "Count the records of {source} again from now on")


def _ordered(args: argparse.Namespace, kind: type[SourceQuarantined | SourceReleased], question: str) -> int:
    if not args.yes:
        if not sys.stdin.isatty():
            return fail("stdin is not a terminal: add --yes")
        if not confirmed(f"{question.format(source=printable(args.source))}?"):
            return 0

    async def give(args: argparse.Namespace) -> int:
        now = from_ms(int(time.time() * 1000))
        order = kind(event_id=f"source-order-{uuid.uuid4()}", occurred_at=now, source=args.source, why=args.why)
        action: Action = "source_released" if kind is SourceReleased else "source_quarantined"
        about = AuditObject(source=args.source, order_id=order.event_id)
        partitions = await ordered(args, order, kafka_client_options(), action, about)
        sys.stdout.write(
            f"Ordered on {partitions} partitions ({order.event_id}). The workers carry it out where they come to it: "
            "see `contact-streams sources list`.\n"
        )
        return 0

    return guarded(args, give)


async def _list(args: argparse.Namespace) -> int:
    found = await read_progress(args.bootstrap, args.prefix, kafka_client_options())
    told = [each for partition in found for each in of_partition(partition) if args.source in {None, each["source"]}]
    told.sort(key=lambda each: (each["source"], each["topic"], each["partition"]))
    if args.json:
        write_json({"sources": told})
        return 0
    sys.stdout.writelines(line + "\n" for line in _table(told, args.prefix))
    apart = sorted({each["source"] for each in told if each["quarantined"]})
    named = f": {', '.join(map(printable, apart))}" if apart else ""
    sys.stdout.write(f"{len({each['source'] for each in told}):,} sources, {len(apart):,} of them quarantined{named}\n")
    return 0


def of_partition(found: PartitionProgress) -> Iterator[dict[str, Any]]:
    """Yield what a partition knows of each of its sources, quarantined or not."""
    for source in sorted({*found.sources, *found.watched, *found.quarantined}):
        heard, apart = found.sources.get(source), found.quarantined.get(source)
        newest = found.received_through
        yield {
            "source": source,
            "topic": found.topic,
            "partition": found.partition,
            "received": None if heard is None else format_ms(heard.received),
            "complete_through": None if heard is None or heard.complete_through is None else format_ms(heard.complete_through),
            # By the others' time, as workers measure silence.
            "silent_seconds": None if heard is None or newest is None else (newest - heard.received) / 1000,
            "quarantined": None if apart is None else _apart(apart),
            "bad_lately": dict(found.watched.get(source, {})),
        }


def _table(told: list[dict[str, Any]], prefix: str) -> Iterator[str]:
    if not told:
        return
    yield f"{'source':<24} {'partition':<24} {'last received':<24} {'complete through':<24} standing"
    for each in told:
        place = f"{each['topic'].removeprefix(prefix + '.')}/{each['partition']}"
        times = f"{each['received'] or '-':<24} {each['complete_through'] or '-':<24}"
        yield f"{printable(each['source']):<24} {place:<24} {times} {_standing(each)}"


def _standing(each: dict[str, Any]) -> str:
    apart = each["quarantined"]
    if apart is not None:
        why = f" ({printable(apart['detail'])})" if apart["detail"] else ""
        return f"quarantined since {apart['since']}: {apart['reason']}{why}; {apart['records']:,} dead-lettered since"
    bad = ", ".join(f"{reason} {number:,}" for reason, number in sorted(each["bad_lately"].items()))
    silent = f"silent for {each['silent_seconds']:,.0f} s" if each["silent_seconds"] else "heard"
    return f"{silent}; lately bad: {bad}" if bad else silent


def _apart(kept: Any) -> dict[str, Any]:
    return {"reason": kept["reason"], "detail": kept["detail"], "since": format_ms(kept["since_ms"]), "records": kept["records"]}
