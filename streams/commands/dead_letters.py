"""``contact-streams dead-letters``: list the records that could not be used, and replay those that now can."""

from __future__ import annotations

import argparse
import sys
from collections import Counter, deque
from typing import TYPE_CHECKING

import orjson
from aiokafka import TopicPartition

from schemas.audit import AuditObject
from schemas.visible import escaped_json
from streams.commands.account import record_action
from streams.commands.common import add_kafka_options, add_log_option, fail, instant, interruptible
from streams.commands.dead_letter_replay import Sender, consider, replay
from streams.commands.dead_letter_text import facts, pages, printable, row, summary
from streams.commands.kafka_security import kafka_client_options
from streams.commands.kafka_work import confirmed, guarded
from streams.connectors.dead_letters import DeadLetterReader, IncompleteError, Judge, Wanted, dead_letter_topics

if TYPE_CHECKING:
    from streams.commands.dead_letter_replay import Outcome

__all__ = ["add_parser", "run_list", "run_replay", "run_show"]

_TABLE_ROWS = 100
_LATE = "records not reported as replayed were not replayed"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("dead-letters", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="one line each, and counts by reason", description="Lists dead letters without their values.")
    _add_filters(listing)
    listing.add_argument("--limit", type=_number, help=f"show at most N, the newest (default: {_TABLE_ROWS}; with --json all)")
    listing.add_argument("--json", action="store_true", help="one JSON object per line; the summary goes to stderr")
    listing.set_defaults(run=run_list)

    show = actions.add_parser("show", help="one with headers and value", description="Shows one dead letter, including personal data.")
    show.add_argument("place", type=_place, metavar="TOPIC/PARTITION/OFFSET", help="as `list` names it")
    show.add_argument("--raw", action="store_true", help="write the original bytes of the value and nothing else")
    show.set_defaults(run=run_show)

    replaying = actions.add_parser(
        "replay",
        help="replay what would now be accepted",
        description="Replays dead letters to their original topic, in order, with unchanged key, headers and value, each once.",
    )
    _add_filters(replaying)
    replaying.add_argument("--dry-run", action="store_true", help="show the outcome of each, and write nothing")
    replaying.add_argument("--all", action="store_true", help="also those that would be rejected again")
    replaying.add_argument("--yes", action="store_true", help="do not ask")
    replaying.set_defaults(run=run_replay)

    for action in (listing, show, replaying):
        add_kafka_options(action)
        add_log_option(action, default="WARNING")


def run_list(args: argparse.Namespace) -> int:
    """Print a line for each dead letter and count them by reason."""
    return guarded(args, _list, late=_LATE)


def run_show(args: argparse.Namespace) -> int:
    """Print one dead letter."""
    return guarded(args, _show, late=_LATE)


def run_replay(args: argparse.Namespace) -> int:
    """Show the outcome, ask, and replay the dead letters."""
    if not (args.dry_run or args.yes or sys.stdin.isatty()):
        return fail("stdin is not a terminal: add --dry-run or --yes")
    outcomes: list[Outcome] = []
    if not args.yes:
        code = guarded(args, lambda args: _consider(args, outcomes), late=_LATE)
        if code or args.dry_run:
            return code
        if not outcomes[0].sent:
            return 0
        if not confirmed(f"Replay {outcomes[0].sent:,}?"):
            return 0
    return guarded(args, _replay, late=_LATE)


def _reader(args: argparse.Namespace, topics: dict[str, int]) -> DeadLetterReader:
    return DeadLetterReader(args.bootstrap, topics, kafka_client_options())


async def _list(args: argparse.Namespace) -> int:
    wanted, reasons, others = _wanted(args), Counter[str](), Counter[str]()
    limit = args.limit if args.limit is not None else None if args.json else _TABLE_ROWS
    newest: deque[str] = deque(maxlen=limit)
    async with _reader(args, dead_letter_topics(args.prefix, args.source_topic)) as reader:
        for partition in reader.partitions:
            async for dead_letter in reader.dead_letters(partition, wanted.since_ms):
                if not wanted.matches(dead_letter):
                    others[dead_letter.reason] += 1
                    continue
                reasons[dead_letter.reason] += 1
                line = escaped_json(orjson.dumps(facts(dead_letter)).decode()) if args.json else row(dead_letter, args.prefix)
                if limit is None:
                    sys.stdout.write(f"{line}\n")
                else:
                    newest.append(line)
    sys.stdout.writelines(f"{line}\n" for line in newest)
    total = reasons.total()
    shown = f", the last {limit:,} above" if limit is not None and total > limit else ""
    (sys.stderr if args.json else sys.stdout).write(f"{total:,} dead letters{shown}: {summary(reasons)}\n")
    if not reasons and others:
        sys.stderr.write(f"none match; others: {summary(others)}\n")
    return 0


async def _show(args: argparse.Namespace) -> int:
    name, number, offset = args.place
    names = dead_letter_topics(args.prefix)
    full = next((topic for topic in names if name in {topic, topic.removeprefix(f"{args.prefix}.")}), None)
    if full is None:
        return fail(f"{printable(name)}: no topic of dead letters; known: {', '.join(names)}")
    async with _reader(args, {full: names[full]}) as reader:
        partition = TopicPartition(full, number)
        dead_letter = await reader.dead_letter(partition, offset) if partition in reader.ends else None
    if dead_letter is None:
        return fail(f"{full}/{number}/{offset}: does not exist (any more)", code=1)
    await record_action(args, "looked_at_contacts", kafka_client_options(), about=AuditObject(topic=full, partition=number, offset=offset))
    if not args.raw:
        sys.stdout.writelines(f"{line}\n" for line in pages(dead_letter))
        return 0
    try:
        value = dead_letter.original()
    except IncompleteError as error:
        value = dead_letter.value
        sys.stderr.write(f"contact-streams: incomplete: {error}\n")
    sys.stdout.buffer.write(value or b"")
    return 0


async def _consider(args: argparse.Namespace, outcomes: list[Outcome]) -> int:
    def show(line: str) -> None:
        sys.stdout.write(f"{line}\n")

    async with _reader(args, dead_letter_topics(args.prefix, args.source_topic)) as reader:
        outcomes.append(
            await consider(
                reader, _wanted(args), Judge(args.prefix), everything=args.all, prefix=args.prefix, show=show if args.dry_run else None
            )
        )
    sys.stdout.write(f"{outcomes[0].seen:,} dead letters: {outcomes[0].sentence('would be replayed')}\n")
    return 0


async def _replay(args: argparse.Namespace) -> int:
    stop = interruptible()
    topics = dead_letter_topics(args.prefix, args.source_topic)
    async with _reader(args, topics):
        pass  # a wrong prefix fails before the replay begins
    options = kafka_client_options()
    sender = Sender(args.bootstrap, args.prefix, options)
    about = AuditObject(topic=args.source_topic)
    try:
        await sender.start()
        async with _reader(args, topics) as reader:
            outcome = await replay(reader, sender, _wanted(args), Judge(args.prefix), everything=args.all, stop=stop)
    except Exception:
        await record_action(args, "dead_letters_replayed", options, "failed", about=about)
        raise
    finally:
        await sender.stop()
    await record_action(args, "dead_letters_replayed", options, about=about.model_copy(update={"records": outcome.sent}))
    if outcome.stopped:
        sys.stdout.write(f"Stopped after {outcome.up_to or 'nothing'}; the same command continues from there.\n")
    sys.stdout.write(f"{outcome.seen:,} dead letters: {outcome.sentence('replayed')}\n")
    return 130 if outcome.stopped else 0


# ---- Options -----------------------------------------------------------------------------------------------------------------------


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", action="append", help="only these reasons; may be repeated")
    parser.add_argument("--since", type=instant, metavar="TIME", help="dead-lettered at or after this RFC 3339 time")
    parser.add_argument("--until", type=instant, metavar="TIME", help="dead-lettered before this RFC 3339 time")
    parser.add_argument("--source-topic", metavar="TOPIC", help="only those of one topic, such as contact-events")


def _wanted(args: argparse.Namespace) -> Wanted:
    return Wanted(frozenset(args.reason) if args.reason else None, args.since, args.until)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        message = "a number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _place(text: str) -> tuple[str, int, int]:
    name, partition, offset = [*text.rsplit("/", 2), "", ""][:3]
    if not all(number.isascii() and number.isdigit() for number in (partition, offset)):
        message = "topic/partition/offset, such as contact-events-dead-letters.v1/0/17"
        raise argparse.ArgumentTypeError(message)
    return name, int(partition), int(offset)
