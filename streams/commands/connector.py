"""``contact-streams connector``: publish the events of a platform to Kafka."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.commands import connector_run, queue_log_options
from streams.commands.common import (
    add_kafka_options,
    add_log_option,
    add_replication_option,
    fail,
    interruptible,
    label,
    start_logging,
)
from streams.commands.connector_common import identifying_publisher
from streams.commands.kafka_security import KafkaSecurityError
from streams.commands.mapping_options import make_mapper, mapper_of
from streams.configuration import ConfigurationError
from streams.connectors.feed import Summary, follow, publish_history
from streams.connectors.folders import LOCKS, FolderError
from streams.connectors.follow import StateFileError
from streams.connectors.mapping import MappingError
from streams.connectors.mapping.feed import publish_file
from streams.connectors.mapping.folder import FolderSettings, follow_folder
from streams.connectors.publishing import NotPublishedError

if TYPE_CHECKING:
    from streams.connectors.mapping import Mapper, Mapping
    from streams.connectors.publishing import Publisher
    from streams.connectors.queue_log import QueueLogParser

__all__ = ["add_parser", "run", "run_mapping"]


_LEAST_POLL, _MOST_POLL = 0.1, 3_600.0
_CONFIG_HELP: Final = "configuration file (YAML), for the identities of people"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("connector", description=__doc__)
    platforms = parser.add_subparsers(title="platforms", metavar="PLATFORM", required=True)
    queue_log = platforms.add_parser(
        "asterisk-queue-log", help="Asterisk's queue_log", description="Publishes the events of an Asterisk queue_log."
    )
    queue_log.add_argument("file", type=Path, metavar="FILE", help="the log, usually /var/log/asterisk/queue_log")
    how = queue_log.add_mutually_exclusive_group()
    how.add_argument("--follow", action="store_true", help="follow the file as it grows, through its rotations (default)")
    how.add_argument(
        "--once", action="store_true", help="publish the entire file as history, then exit; may be repeated, nothing counts twice"
    )
    queue_log.add_argument("--state", type=Path, help="file for the position of --follow (default: FILE.state)")
    queue_log_options.add_options(queue_log)
    queue_log.add_argument("--config", type=Path, help=_CONFIG_HELP)
    add_kafka_options(queue_log)
    add_replication_option(queue_log)
    add_log_option(queue_log)
    queue_log.set_defaults(run=run)
    mapping = platforms.add_parser(
        "mapping",
        help="CSV or JSON of any system, by a mapping file",
        description="Publishes a file as history by a mapping file, then exits; may be repeated, nothing counts twice. With --follow, the "
        "files of a folder as they arrive.",
    )
    mapping.add_argument("file", type=Path, metavar="DATA", help="the data file; with --follow the folder of the data files")
    mapping.add_argument("--follow", action="store_true", help="continue: publish each file of a folder once it is complete")
    mapping.add_argument("--pattern", default="*", help="names of the files, such as '*.csv' (default: all)")
    mapping.add_argument(
        "--lock",
        choices=LOCKS,
        default="none",
        help="how a complete file is recognized: a NAME.lock beside it marks it as complete (ready), or as incomplete (busy); without "
        "locks, by two polls without a change (default: %(default)s)",
    )
    mapping.add_argument(
        "--poll-seconds", type=_seconds, default=5.0, help="seconds between two polls of the folder (default: %(default)g)"
    )
    mapping.add_argument("--state", type=Path, help="file for the list of read files of --follow (default: DATA.state)")
    mapping.add_argument("--mapping", type=Path, required=True, metavar="FILE", help="the mapping file (YAML)")
    mapping.add_argument("--source", type=label, help="names the system in every event (default: the mapping's source)")
    mapping.add_argument("--site", type=label, help="the site its events belong to (default: the mapping's site)")
    mapping.add_argument("--config", type=Path, help=_CONFIG_HELP)
    add_kafka_options(mapping)
    add_replication_option(mapping)
    add_log_option(mapping)
    mapping.set_defaults(run=run_mapping)
    connector_run.add_parser(platforms)


def run(args: argparse.Namespace) -> int:
    """Publish until the end of the file, or until SIGTERM or SIGINT."""
    start_logging(args.log_level)
    try:
        parser = queue_log_options.make_parser(args)
        publisher = identifying_publisher(args, parser.source)
    except (ConfigurationError, KafkaSecurityError, ValueError) as error:
        return fail(error)
    if args.once and not os.access(args.file, os.R_OK):
        return fail(f"{args.file}: does not exist or cannot be read")
    if not args.file.parent.is_dir():
        return fail(f"{args.file.parent}: the directory does not exist; create it first. The log itself may be created later")
    try:
        summary = asyncio.run(_publish(args, parser, publisher))
    except (StateFileError, NotPublishedError) as error:
        return fail(error, code=1)
    except OSError as error:
        return fail(f"{error.filename or args.file}: {error.strerror or error}", code=1)
    ignored = ", ".join(f"{kind} {count}" for kind, count in sorted(parser.ignored.items())) or "none"
    sys.stdout.write(f"{summary.lines} lines: {summary.events} events, {summary.rejected} dead letters; only informing: {ignored}\n")
    sys.stdout.writelines(f"{note}\n" for note in parser.notes())
    return 0


def run_mapping(args: argparse.Namespace) -> int:
    """Publish a mapped file, until its end or until SIGTERM or SIGINT."""
    start_logging(args.log_level)
    try:
        mapping, mapper = make_mapper(args.mapping, source=args.source, site=args.site)
        publisher = identifying_publisher(args, mapper.source)
    except (ConfigurationError, KafkaSecurityError, MappingError, ValueError) as error:
        return fail(error)
    if not os.access(args.file, os.R_OK):
        return fail(f"{args.file}: does not exist or cannot be read")
    if args.follow != args.file.is_dir():
        return fail(
            f"{args.file}: is a folder; --follow publishes its files" if not args.follow else f"{args.file}: --follow takes a folder"
        )
    try:
        if args.follow:
            summary = asyncio.run(_publish_folder(args, mapping, publisher))
            sys.stdout.write(f"{summary.lines} records: {summary.events} events, {summary.rejected} dead letters\n")
            return 0
        summary = asyncio.run(_publish_mapped(args, mapping, mapper, publisher))
    except MappingError as error:
        return fail(error)
    except (FolderError, NotPublishedError, StateFileError) as error:
        return fail(error, code=1)
    except OSError as error:
        return fail(f"{error.filename or args.file}: {error.strerror or error}", code=1)
    ignored = ", ".join(f"{kind} {count}" for kind, count in sorted(mapper.ignored.items())) or "none"
    sys.stdout.write(f"{summary.lines} records: {summary.events} events, {summary.rejected} dead letters; without events: {ignored}\n")
    sys.stdout.writelines(f"{note}\n" for note in mapper.notes())
    return 0


async def _publish_mapped(args: argparse.Namespace, mapping: Mapping, mapper: Mapper, publisher: Publisher) -> Summary:
    stop = interruptible()
    try:
        return await publish_file(args.file, mapping, mapper, publisher, stop=stop)
    finally:
        await publisher.stop()


async def _publish_folder(args: argparse.Namespace, mapping: Mapping, publisher: Publisher) -> Summary:
    stop = interruptible()
    folder = args.file.resolve()
    settings = FolderSettings(pattern=args.pattern, lock=args.lock, poll_seconds=args.poll_seconds)
    try:
        return await follow_folder(
            folder,
            args.state or folder.with_name(f"{folder.name}.state"),
            mapping,
            lambda: mapper_of(mapping),
            publisher,
            now=lambda: datetime.now(UTC),
            stop=stop,
            settings=settings,
        )
    finally:
        await publisher.stop()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _LEAST_POLL <= seconds <= _MOST_POLL:
        message = f"{text!r} is no number of seconds from {_LEAST_POLL:g} to {_MOST_POLL:g}"
        raise argparse.ArgumentTypeError(message)
    return seconds


async def _publish(args: argparse.Namespace, parser: QueueLogParser, publisher: Publisher) -> Summary:
    stop = interruptible()
    try:
        if args.once:
            return await publish_history(args.file, parser, publisher, stop=stop)
        state = args.state or args.file.with_name(f"{args.file.name}.state")
        return await follow(args.file, state, parser, publisher, now=lambda: datetime.now(UTC), stop=stop)
    finally:
        await publisher.stop()
