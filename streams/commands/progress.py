"""``contact-streams progress``: show the progress of each partition of events, and set back what is beyond the broker's clock."""

from __future__ import annotations

import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

from schemas.audit import AuditObject
from schemas.operator import ProgressReset
from schemas.times import format_ms, from_ms
from streams.commands.account import record_and_order
from streams.commands.common import add_kafka_options, add_log_option, fail, instant, label, write_json
from streams.commands.dead_letter_text import printable
from streams.commands.kafka_security import kafka_client_options
from streams.commands.kafka_work import confirmed, guarded
from streams.connectors.operator import read_progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from streams.connectors.operator import PartitionProgress

__all__ = ["add_parser", "run_reset", "run_show"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("progress", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="show watermark, as-of and each source's last report, by partition",
        description="Shows the progress of each partition of events, as last committed, and what is beyond the broker's clock.",
    )
    show.add_argument("--json", action="store_true", help="for programs")
    show.set_defaults(run=run_show)
    reset = actions.add_parser(
        "reset",
        help="set back what is beyond",
        description="Orders the workers to set progress, as-of and the reports of sources back to an instant where they are beyond it. "
        "Earlier ones do not change, so an unnecessary order has no effect.",
    )
    reset.add_argument("--to", type=instant, metavar="TIME", help="RFC 3339 time (default: now; never after the broker's clock)")
    reset.add_argument("--why", type=label, help="reason; it is stored with the order")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(run=run_reset)
    for action in (show, reset):
        add_kafka_options(action)
        add_log_option(action, default="WARNING")


def run_show(args: argparse.Namespace) -> int:
    """Print the progress of the partitions."""
    return guarded(args, _show)


def run_reset(args: argparse.Namespace) -> int:
    """Show what would be set back, ask, and publish the order."""
    if args.to is None:
        args.to = int(time.time() * 1000)
    if not args.yes:
        if not sys.stdin.isatty():
            return fail("stdin is not a terminal: add --yes")
        code = guarded(args, _show)
        if code:
            return code
        if not confirmed(f"Set back to {format_ms(args.to)} what is beyond it?"):
            return 0
    return guarded(args, _reset)


async def _show(args: argparse.Namespace) -> int:
    partitions = await read_progress(args.bootstrap, args.prefix, kafka_client_options())
    beyond = sum(partition.beyond for partition in partitions)
    if getattr(args, "json", False):
        write_json({"partitions": [_as_json(partition) for partition in partitions], "beyond": beyond})
        return 0
    sys.stdout.writelines(line + "\n" for line in _table(partitions, args.prefix))
    if beyond:
        sys.stdout.write(f"{beyond} partitions are beyond the broker's clock (!): `contact-streams progress reset` sets them back.\n")
    return 0


async def _reset(args: argparse.Namespace) -> int:
    now = from_ms(int(time.time() * 1000))
    order = ProgressReset(event_id=f"progress-reset-{uuid.uuid4()}", occurred_at=now, to=from_ms(args.to), why=args.why)
    about = AuditObject(to=order.to, order_id=order.event_id)
    partitions = await record_and_order(args, order, kafka_client_options(), "progress_reset", about)
    sys.stdout.write(
        f"Ordered on {partitions} partitions to set back to {format_ms(args.to)} what is beyond ({order.event_id}). "
        "The workers apply it when they reach it: see `contact-streams progress show`.\n"
    )
    return 0


def _table(partitions: list[PartitionProgress], prefix: str) -> Iterator[str]:
    """Yield a line for each partition and, below it, for each of its sources; `!` marks what is beyond the broker's clock."""
    yield "partition              progress                   received through           written"
    for partition in partitions:
        name = f"{partition.topic.removeprefix(prefix + '.')}/{partition.partition}"
        instants = "   ".join(_marked(partition, at) for at in (partition.progress, partition.received_through))
        yield f"{name:<22} {instants}   {format_ms(partition.written)}"
        for source, report in partition.sources.items():
            received, complete = (_marked(partition, at).strip() for at in report)
            yield f"  {printable(source)}: received {received}, complete {complete}"


def _marked(partition: PartitionProgress, at_ms: int | None) -> str:
    if at_ms is None:
        return f"{'-':<24}"
    return f"{format_ms(at_ms)}{'!' if partition.is_beyond(at_ms) else '':<1}"


def _as_json(partition: PartitionProgress) -> dict[str, Any]:
    def time_of(at_ms: int | None) -> str | None:
        return None if at_ms is None else format_ms(at_ms)

    sources = {
        name: {"received": time_of(report.received), "complete_through": time_of(report.complete_through)}
        for name, report in partition.sources.items()
    }
    return {
        "topic": partition.topic,
        "partition": partition.partition,
        "written": time_of(partition.written),
        "progress": time_of(partition.progress),
        "received_through": time_of(partition.received_through),
        "beyond": partition.beyond,
        "sources": sources,
    }
