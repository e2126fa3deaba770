"""``contact-streams connector run``: poll a platform for new events, or follow it over a connection, and publish them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.times import TimeFormatError, parse_time
from schemas.topics import topic
from streams.commands.common import (
    add_kafka_options,
    add_log_option,
    add_replication_option,
    customer_key,
    fail,
    interruptible,
    start_logging,
)
from streams.commands.connection_options import ListeningError, add_connection_options, add_insecure_option, add_metrics_option
from streams.commands.connector_common import cannot_listen, need_credentials, report, serving
from streams.commands.connector_connection import run_connection
from streams.commands.kafka_security import KafkaSecurityError, kafka_client_options
from streams.commands.topic_making import topic_maker
from streams.configuration import load_configuration
from streams.configuration.connectors import ConnectorsError, parse_connectors
from streams.configuration.problems import FileError, read_text
from streams.connectors.configured import read_connectors
from streams.connectors.customer_keys import CUSTOMER_KEY_VARIABLE
from streams.connectors.identities import Identities
from streams.connectors.live import connection_of, pull_of
from streams.connectors.outgoing import EventTopics
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.client import Client, checked
from streams.connectors.pull.entries import STATE_TOPIC, FencedError
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.ledger import KafkaLedger
from streams.connectors.pull.metrics import PullMetrics
from streams.connectors.pull.runner import Runner
from streams.connectors.pull.status import RunSettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from streams.connectors.configured import Configured
    from streams.connectors.pull.model import Pull
    from streams.connectors.pull.status import Summary

__all__ = ["add_parser", "run"]

_LEAST_SECONDS, _MOST_SECONDS = 1.0, 86_400.0

_DESCRIPTION: Final = (
    "Polls a platform of a connectors file for new events and publishes them. Its position is stored in Kafka with the events, so it may "
    "be stopped and started anywhere. Only one process per source runs: a second one fences the first. A platform that sends its events "
    "over a connection is followed; events without a connection are not reported."
)


def add_parser(platforms: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = platforms.add_parser("run", help="poll or follow a platform of a connectors file", description=_DESCRIPTION)
    parser.add_argument("source", metavar="NAME", help="the source, as the file names it")
    parser.add_argument("--connectors", type=Path, required=True, metavar="FILE", help="connectors file (YAML)")
    parser.add_argument("--once", action="store_true", help="publish all new events, then exit; the next run continues from there")
    parser.add_argument("--config", type=Path, help="configuration file (YAML), for the identities of people")
    parser.add_argument("--host", default="127.0.0.1", help="address of /metrics and /healthz (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="its port, 0 for a free one (default: %(default)s)")
    add_kafka_options(parser)
    add_replication_option(parser)
    add_connection_options(parser)
    add_metrics_option(parser)
    add_insecure_option(parser, "a token")
    add_log_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Poll until SIGTERM or SIGINT, or once."""
    start_logging(args.log_level)
    try:
        entry = _entry(args.connectors, args.source)
        if (connection := connection_of(entry.connector.name)) is not None:
            return run_connection(args, entry, connection)
        pull = pull_of(entry.connector.name)
        if pull is None:
            return fail(f"{args.connectors}: connectors.{args.source}: {entry.connector.title} is not polled: {_instead(entry)}")
        runner, metrics = _runner(args, entry, pull)
    except ModuleNotFoundError as error:
        extra = entry.connector.extra
        return fail(f"{entry.connector.title} needs {error.name}: pip install 'contact-streams[{extra}]'")
    except (FileError, KafkaSecurityError, ValueError) as error:
        return fail(f"{args.connectors}: {error}" if str(error).startswith("connectors.") else error)
    try:
        summary = asyncio.run(_run(args, runner, metrics))
    except FencedError as error:
        return fail(f"{error}. This process exits; the data in Kafka is complete.", code=1)
    except PollError as error:
        return fail(f"{entry.connector.title} {error}", code=1)
    except NotPublishedError as error:
        return fail(error, code=1)
    except (OSError, ListeningError) as error:
        return cannot_listen(args, error)
    return report(summary, f"in {summary.pages} answers")


def _entry(path: Path, source: str) -> Configured:
    """Return an entry of the file; raise FileError or ValueError. Secrets of other entries are not read."""
    text = read_text(path, ConnectorsError)
    names = parse_connectors(path, text).connectors
    if source not in names:
        raise ValueError(f"{path}: no connector {source}; known: {', '.join(names) or 'none'}")
    entry = read_connectors(path, text, customer_key=customer_key(), only=source)[source]
    if entry.connector.family == "order" and entry.context.customer_key is None:
        raise ValueError(f"{source}: orders count by customer: set {CUSTOMER_KEY_VARIABLE}")
    return entry


def _instead(entry: Configured) -> str:
    return (
        "its webhooks are received by `contact-streams gateway`"
        if "webhook" in entry.connector.ways
        else "see its page in the documentation"
    )


def _run_settings(entry: Configured) -> RunSettings:
    settings = entry.context.settings
    poll, since = settings.get("poll_seconds"), settings.get("since")
    if poll is not None and (isinstance(poll, bool) or not isinstance(poll, (int, float)) or not _LEAST_SECONDS <= poll <= _MOST_SECONDS):
        raise ValueError(f"connectors.{entry.source}.settings.poll_seconds: permitted: a number, 1 to 86400")
    try:
        begin = None if since is None else parse_time(str(since))
    except TimeFormatError as error:
        raise ValueError(f"connectors.{entry.source}.settings.since: permitted: a time such as 2026-04-01T00:00:00Z") from error
    return RunSettings(poll_seconds=poll, since=begin, site=entry.site)


def _runner(args: argparse.Namespace, entry: Configured, pull: Pull) -> tuple[Runner, PullMetrics]:
    need_credentials(entry, "poll")
    settings: Mapping[str, Any] = {**entry.context.settings, **entry.credentials}
    base, headers = checked(pull.base(settings)), pull.headers(settings)
    client_options = kafka_client_options()
    topics = {*astuple(EventTopics.with_prefix(args.prefix)), topic(STATE_TOPIC).full_name(args.prefix)}

    def now() -> datetime:
        return datetime.now(UTC)

    ledger = KafkaLedger(
        args.bootstrap,
        entry.source,
        now=now,
        prefix=args.prefix,
        client_options=client_options,
        prepare=topic_maker(args, client_options, topics),
    )
    metrics = PullMetrics(entry.source)
    runner = Runner(
        pull,
        entry.connector,
        entry.context,
        settings,
        _run_settings(entry),
        ledger,
        lambda waits, pause: Client(base, now=now, waits=waits, pause=pause, spacing_seconds=pull.spacing_seconds, headers=headers),
        identities=Identities(load_configuration(args.config)),
        metrics=metrics,
        now=now,
    )
    return runner, metrics


async def _run(args: argparse.Namespace, runner: Runner, metrics: PullMetrics) -> Summary:
    stop = interruptible()
    async with contextlib.nullcontext() if args.once else serving(args, runner, metrics):
        return await runner.run(stop, once=args.once)
