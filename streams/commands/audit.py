"""``contact-streams audit``: list who logged in, was refused, viewed people or contacts, or changed something, and from where."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from schemas.audit import ACTIONS
from schemas.times import format_ms, to_ms
from schemas.visible import escaped_json
from streams.catalogue import LANGUAGES
from streams.columns import padded
from streams.commands.account import record_action
from streams.commands.common import add_kafka_options, add_log_option, fail, instant, interruptible
from streams.commands.kafka_security import kafka_client_options
from streams.commands.kafka_work import guarded
from streams.serving.audit.log import AuditLog, Wanted
from streams.serving.audit.texts import ACTION_TEXTS, HEADINGS, OUTCOME_TEXTS, object_text
from streams.serving.broker import TopicError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine

    from schemas.audit import AuditRecord

__all__ = ["add_parser", "run"]

_WIDTHS: Final = (24, 24, 15, 22, 8)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("audit", description=__doc__)
    parser.add_argument("--since", type=instant, metavar="TIME", help="RFC 3339 time (default: all that Kafka has)")
    parser.add_argument("--until", type=instant, metavar="TIME", help="RFC 3339 time, exclusive")
    parser.add_argument("--actor", action="append", default=[], metavar="NAME", help="name of an account, or KIND:NAME; may be repeated")
    parser.add_argument("--action", action="append", default=[], choices=ACTIONS, metavar="ACTION", help=f"of {', '.join(ACTIONS)}")
    parser.add_argument("--follow", action="store_true", help="continue with new records until interrupted")
    parser.add_argument("--json", action="store_true", help="one JSON object per line, as in the topic")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    add_kafka_options(parser)
    add_log_option(parser, default="WARNING")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the records."""
    return guarded(args, _print)


async def _print(args: argparse.Namespace) -> int:
    options = kafka_client_options()
    log = AuditLog(args.bootstrap, args.prefix, options)
    wanted = Wanted(since_ms=args.since, until_ms=args.until, actors=frozenset(args.actor), actions=frozenset(args.action))
    lang = LANGUAGES.index(args.lang)

    async def print_all() -> None:
        async for record in log.records(wanted, follow=args.follow):
            _print_line(escaped_json(record.model_dump_json(exclude_none=True)) if args.json else _row(record, args.lang))
            if args.follow:
                sys.stdout.flush()

    try:
        # Fails first without Kafka or the topic.
        await log.partition()
        await record_action(args, "audit_read", options)
        if not args.json:
            _print_line(padded(HEADINGS[lang], _WIDTHS))
        if args.follow:
            await _until_interrupted(print_all())
        else:
            await print_all()
    except TopicError as error:
        return fail(f"{error}: wrong --prefix, or no worker of this version has run here yet", code=1)
    if log.unreadable:
        sys.stderr.write(f"{log.unreadable:,} records cannot be read and are left out: is a newer version running?\n")
    return 0


async def _until_interrupted(work: Coroutine[object, object, None]) -> None:
    tasks = {asyncio.ensure_future(work), asyncio.ensure_future(interruptible().wait())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _row(record: AuditRecord, lang: str) -> str:
    index = LANGUAGES.index(lang)
    actor = record.actor
    return padded(
        (
            format_ms(to_ms(record.at)),
            actor.kind if actor.name is None else f"{actor.kind}:{actor.name}",
            record.client_address or "-",
            ACTION_TEXTS[record.action][index],
            OUTCOME_TEXTS[record.outcome][index],
            object_text(record.about, record.reason, record.times, lang),
        ),
        _WIDTHS,
    )


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
