"""``contact-streams explain``: show the contacts and records of Kafka behind a figure, or the uncounted events of a conversation."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiokafka.errors import KafkaError

from schemas.audit import AuditObject
from schemas.times import format_ms
from streams.catalogue import LANGUAGES
from streams.commands.account import record_action
from streams.commands.common import add_kafka_options, add_log_option, fail, instant, start_logging, write_json
from streams.commands.event_files import add_content_options, read_events
from streams.commands.kafka_security import KafkaSecurityError, kafka_client_options
from streams.configuration import ConfigurationError, load_configuration
from streams.connectors.identities import Identities
from streams.connectors.mapping import MappingError
from streams.connectors.publishing import kafka_trouble
from streams.explaining import PartitionLog, Question, QuestionError, explain, explain_conversation
from streams.explaining.text import conversation_lines, lines
from streams.replay import Replay
from streams.serving.broker import TopicError
from streams.serving.event_log import EventLog, Limits
from streams.serving.explainer import answered, watched

if TYPE_CHECKING:
    from streams.configuration import Configuration
    from streams.connectors.lines import Rejected
    from streams.serving.event_log import Span

__all__ = ["add_parser", "run"]

_FAR_FUTURE_MS: Final = 253_402_300_799_000
_DIFFERS: Final = 1
_ANSWER_SECONDS: Final = 120
_DAY_SECONDS: Final = 86_400


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "explain",
        description="Counts the contact events of Kafka, or of a file, again and shows the contacts behind a figure. "
        "Exits with 0 if they result in the served figure, else with 1. With only the id of a CONVERSATION it shows which of its "
        "events were not counted, and why.",
    )
    parser.add_argument("queue", metavar="QUEUE|CONVERSATION", help="a queue, with KPI; or only the id of a conversation")
    parser.add_argument("kpi", metavar="KPI", nargs="?", help="its id, such as service_level; docs/metrics.md lists all")
    parser.add_argument("--window", default="trailing_15m", help="such as trailing_5m, interval_30m or day (default: %(default)s)")
    parser.add_argument("--at", type=instant, metavar="TIME", help="the window that holds this RFC 3339 time (default: the newest)")
    parser.add_argument("--channel", help="needed where the queue has several")
    parser.add_argument("--config", type=Path, help="configuration file (YAML), the one that the worker has")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument("--limit", type=_number, default=20, help="contacts listed per part, or events (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--look-back",
        type=_number,
        metavar="SECONDS",
        help="begin this long before the window (default: by channel, at most a day), or before now",
    )
    parser.add_argument("--max-megabytes", type=_number, default=512, help="read no more than this (default: %(default)s)")
    parser.add_argument("--max-seconds", type=_number, default=600, help="read no longer than this (default: %(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="ask a server that was started with --explain, in place of Kafka")
    where.add_argument("--replay", type=Path, dest="file", metavar="FILE", help="count a file of events in place of Kafka")
    add_content_options(parser, required=False)
    add_kafka_options(parser)
    add_log_option(parser)
    parser.set_defaults(run=run, log_level="WARNING")


def run(args: argparse.Namespace) -> int:
    """Find the figure, read, count, print."""
    start_logging(args.log_level, reports_kafka=True)
    try:
        if args.kpi is None:
            document = _conversation(args, load_configuration(args.config))
        elif args.url is not None:
            document = asyncio.run(_asked(args))
        elif args.file is not None:
            document = _replayed(args, load_configuration(args.config))
        else:
            document = asyncio.run(_read(args, load_configuration(args.config)))
    except (ConfigurationError, KafkaSecurityError, MappingError, ValueError) as error:
        return fail(error)
    except aiohttp.ClientError as error:
        return fail(f"{args.url}: {error}", code=1)
    except (KafkaError, TopicError, TimeoutError) as error:
        return fail(kafka_trouble(args.bootstrap, error), code=1)
    except OSError as error:
        return fail(f"{error.filename or args.file or args.bootstrap}: {error.strerror or error}", code=1)
    if args.json:
        write_json(document)
    else:
        text_of = conversation_lines if args.kpi is None else lines
        sys.stdout.writelines(f"{line}\n" for line in text_of(document, args.lang))
    return _DIFFERS if document.get("agrees") is False else 0


def _wanted(args: argparse.Namespace) -> dict[str, Any]:
    return {"queue": args.queue, "kpi": args.kpi, "window": args.window, "channel": args.channel, "at_ms": args.at}


async def _read(args: argparse.Namespace, configuration: Configuration) -> dict[str, Any]:
    options = kafka_client_options()
    log = EventLog(args.bootstrap, args.prefix, options)

    async def find() -> Question:
        return Question.of(await log.latest(), configuration, **_wanted(args))

    answer, span, _ = await answered(
        find,
        log,
        configuration,
        _limits(args),
        look_back_ms=None if args.look_back is None else 1000 * args.look_back,
        report=_show_progress,
    )
    _end_progress()
    about = AuditObject(scope_kind="queue", scope=args.queue, kpi=args.kpi, window=args.window, channel=args.channel)
    await record_action(args, "looked_at_contacts", options, about=about)
    return {**answer.document(lang=args.lang, limit=args.limit), "read": span.document()}


def _limits(args: argparse.Namespace) -> Limits:
    return Limits(megabytes=args.max_megabytes, seconds=args.max_seconds)


def _show_progress(span: Span) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r  {span.records:,} records, {span.bytes / 1_000_000:.1f} MB read ")
        sys.stderr.flush()


def _end_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r" + " " * 60 + "\r")


def _conversation(args: argparse.Namespace, configuration: Configuration) -> dict[str, Any]:
    """Return the outcome of each event of a conversation, from a file or from Kafka; raise QuestionError if there are none."""
    wrong = [name for name in ("url", "channel", "at") if getattr(args, name) is not None]
    if wrong:
        raise QuestionError(f"--{wrong[0]} goes with QUEUE and KPI; a conversation is read from Kafka or, with --replay, from a file")
    conversation, logs = args.queue, dict[int, PartitionLog]()
    if args.file is not None:
        logs[0], read = _log_of_file(args, configuration, watched=conversation)
    else:
        since_ms = round(1000 * (time.time() - (_DAY_SECONDS if args.look_back is None else args.look_back)))
        log = EventLog(args.bootstrap, args.prefix, kafka_client_options())
        read = asyncio.run(watched(conversation, log, configuration, since_ms, _limits(args), logs, _show_progress)).document()
        _end_progress()
    document = explain_conversation(conversation, logs, limit=args.limit)
    if args.file is None:
        asyncio.run(record_action(args, "looked_at_contacts", kafka_client_options()))
    return {**document, "read": read}


async def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """Return a server's answer; raise QuestionError with its error."""
    wanted = {"queue": args.queue, "kpi": args.kpi, "window": args.window, "lang": args.lang, "limit": str(args.limit)}
    if args.channel is not None:
        wanted["channel"] = args.channel
    if args.at is not None:
        wanted["at"] = format_ms(args.at)
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{args.url.rstrip('/')}/api/v1/explain", params=wanted) as got,
    ):
        document: dict[str, Any] = await got.json()
        if got.status != 200:  # noqa: PLR2004 - OK
            raise QuestionError(f"{args.url} answers {got.status}: {document.get('error')}")
        return document


def _replayed(args: argparse.Namespace, configuration: Configuration) -> dict[str, Any]:
    """Count the file, and explain the figure from its conversations."""
    replay = Replay(configuration)
    log, read = _log_of_file(args, configuration, replay)
    question = Question.of(replay.latest.values(), configuration, **_wanted(args))
    return {**explain(question, configuration, {0: log}).document(lang=args.lang, limit=args.limit), "read": read}


def _log_of_file(
    args: argparse.Namespace, configuration: Configuration, replay: Replay | None = None, watched: str | None = None
) -> tuple[PartitionLog, dict[str, Any]]:
    """Return the events of the file as one partition, and what was read; add them to ``replay`` too, if given."""
    rejected: list[Rejected] = []
    identities = Identities(configuration)
    log = PartitionLog(configuration, None, watched=watched)
    last_ms = 0
    with closing(read_events(args, rejected)) as events:
        for number, (occurred_ms, value, kinds, origin) in enumerate(events, 1):
            record = identities.of_record(value) if identities else value
            last_ms = max(last_ms, occurred_ms)
            if replay is not None:
                for kind in kinds:
                    replay.add(record, kind, origin=origin)
            if "contact" in kinds:
                log.take(record, number, _FAR_FUTURE_MS)
    if replay is not None:
        replay.finish(last_ms or None)
    log.complete_all(last_ms)
    read = {"topic": str(args.file), "records": log.records, "bytes": args.file.stat().st_size, "complete": True, "incomplete": []}
    return log, read


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        message = "a number from 0 on"
        raise argparse.ArgumentTypeError(message)
    return int(text)
