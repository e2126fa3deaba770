"""``contact-streams gateway``: receive canonical events and platforms' webhooks over HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from schemas.audit import Actor
from streams.commands.common import (
    add_kafka_options,
    add_log_option,
    add_replication_option,
    customer_key,
    fail,
    interruptible,
    start_logging,
)
from streams.commands.connection_options import (
    ListeningError,
    add_connection_options,
    add_insecure_option,
    add_metrics_option,
    listening_beside,
    why_not_open,
)
from streams.commands.kafka_security import KafkaSecurityError, kafka_client_options
from streams.commands.topic_making import topic_maker
from streams.configuration import load_configuration
from streams.configuration.problems import FileError
from streams.connectors.gateway import Gateway, GatewaySettings, NotPermittedHereError
from streams.connectors.identities import IdentifyingPublisher, Identities
from streams.connectors.publishing import EventTopics, KafkaPublisher
from streams.connectors.senders import TOKENS_VARIABLE, Senders, TokensError
from streams.connectors.watched_files import Changes, WatchedConnectors, WatchedFiles, WatchedSenders
from streams.serving.audit.auditor import Auditor, changed_file, instance_of
from streams.serving.audit.writer import AuditWriter
from streams.serving.reload import FileGauges, now_ms, watch

if TYPE_CHECKING:
    import argparse

    from schemas.audit import Action
    from streams.configuration.watched import WatchedFile
    from streams.connectors.publishing import Publisher

__all__ = ["add_parser", "run"]

_GATEWAY = Actor(kind="process", name="gateway")
logger = logging.getLogger(__name__)

_POLL_SECONDS = 2.0

#: Length of an instance's name, which is in every heartbeat.
_MAX_INSTANCE = 100


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    defaults = GatewaySettings()
    parser = subparsers.add_parser(
        "gateway",
        description=f"Receives canonical events at POST /v1/events. Senders are named in a file (--senders), with what each may send, or "
        f"in {TOKENS_VARIABLE}, as name=token pairs. Webhooks of the platforms of a file (--connectors) are received at /v1/hooks/NAME.",
    )
    add_kafka_options(parser)
    add_replication_option(parser)
    parser.add_argument("--host", default=defaults.host, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=defaults.port, help="its port, 0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=defaults.events_per_second, help="sustained events per second of a sender (default: %(default)s)"
    )
    parser.add_argument("--burst", type=float, default=defaults.burst_events, help="burst of events of a sender (default: %(default)s)")
    parser.add_argument(
        "--complete-after",
        type=float,
        default=defaults.complete_after_seconds,
        metavar="SECONDS",
        help="how far behind now the senders count as complete (default: %(default)s)",
    )
    parser.add_argument(
        "--instance-id",
        default=defaults.instance,
        metavar="NAME",
        help="name of this gateway among several: unique, and the same after a restart (default: host name and port)",
    )
    parser.add_argument("--senders", type=Path, metavar="FILE", help="senders file (YAML); a change applies without a restart")
    parser.add_argument(
        "--connectors", type=Path, metavar="FILE", help="connectors file (YAML), for webhooks; a change applies without a restart"
    )
    parser.add_argument("--config", type=Path, help="configuration file (YAML), for the identities of people")
    add_connection_options(parser)
    add_metrics_option(parser)
    add_insecure_option(parser, "a token or TLS")
    add_log_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    start_logging(args.log_level)
    if args.rate <= 0 or args.burst <= 0 or args.complete_after < 0:
        return fail("gateway: --rate and --burst are above 0, --complete-after is 0 or more")
    if len(args.instance_id) > _MAX_INSTANCE or not args.instance_id.isprintable():
        return fail(f"gateway: --instance-id has at most {_MAX_INSTANCE} printable characters")
    # Without senders the gateway itself reports what is missing.
    closed = why_not_open(args, login=None)
    if closed is not None and (args.senders or args.connectors or os.environ.get(TOKENS_VARIABLE)):
        return fail(f"gateway: {closed}")
    try:
        how = listening_beside(args)
        file = None if args.senders is None else WatchedSenders(args.senders, now_ms())
        key = customer_key()
        connectors = None if args.connectors is None else WatchedConnectors(args.connectors, now_ms(), key)
        senders = Senders.parse(os.environ.get(TOKENS_VARIABLE, ""), None if file is None else file.running)
        identities = Identities(load_configuration(args.config))
        client_options = kafka_client_options()
    except ListeningError as error:
        return fail(f"gateway: {error}")
    except TokensError as error:
        return fail(f"{TOKENS_VARIABLE}: {error}")
    except (FileError, KafkaSecurityError, ValueError) as error:
        return fail(error)
    settings = GatewaySettings(
        host=args.host,
        listening=how,
        insecure=args.insecure,
        port=args.port,
        events_per_second=args.rate,
        burst_events=args.burst,
        complete_after_seconds=args.complete_after,
        instance=args.instance_id,
    )
    kafka = KafkaPublisher(
        args.bootstrap,
        EventTopics.with_prefix(args.prefix),
        now=lambda: datetime.now(UTC),
        client_id="contact-streams-gateway",
        client_options=client_options,
        prepare=topic_maker(args, client_options),
    )
    auditor = Auditor(AuditWriter(args.bootstrap, args.prefix, client_options), instance_of("gateway"))
    return asyncio.run(_serve(args, senders, WatchedFiles(file, connectors), settings, IdentifyingPublisher(kafka, identities), auditor))


async def _serve(
    args: argparse.Namespace,
    senders: Senders,
    files: WatchedFiles,
    settings: GatewaySettings,
    publisher: Publisher,
    auditor: Auditor,
) -> int:
    stop = interruptible()
    about: dict[str, Any] = {"status": lambda: files.status, "collectors": [FileGauges(files)]} if files else {}
    if files.connectors is not None:
        about["connectors"] = files.connectors.running
    try:
        gateway = Gateway(publisher, senders, settings, **about)
        address = await gateway.start()
    except NotPermittedHereError as error:
        return fail(error)
    except (OSError, OverflowError) as error:
        return fail(f"gateway: cannot listen on {args.host} port {args.port}: {str(error).rstrip('.')}. Choose another --host or --port.")
    tokens = (
        ""
        if senders or files.connectors is not None
        else f" (no tokens: from this machine only; use --senders or {TOKENS_VARIABLE} for other machines)"
    )
    sys.stdout.write(f"gateway {address}/v1/events{tokens}\n")
    sys.stdout.flush()

    auditing: list[asyncio.Task[NoReturn]] = []

    def record(action: Action, file: WatchedFile[Any] | None) -> None:
        if file is not None:
            auditor.record(action, principal=_GATEWAY, about=changed_file(file))
        if not auditing:  # without changes of files the topic is not needed
            auditing.append(asyncio.create_task(auditor.run(), name="gateway-audit"))

    def take(changes: Changes) -> None:
        if changes.senders is not None:
            gateway.take(changes.senders)
            record("senders_changed", files.senders)
        if changes.connectors is not None:
            gateway.take_connectors(changes.connectors)
            record("connectors_changed", files.connectors)

    watching = asyncio.create_task(watch(files, take), name="gateway-files") if files else None
    waiting = asyncio.create_task(_wait_for_kafka(publisher, args.bootstrap), name="gateway-kafka")
    await stop.wait()
    waiting.cancel()
    if watching is not None:
        watching.cancel()
    await gateway.stop()
    await publisher.stop()
    if auditing:
        await auditor.finish()
        auditing[0].cancel()
        await asyncio.gather(*auditing, return_exceptions=True)
    return 0


async def _wait_for_kafka(publisher: Publisher, bootstrap: str) -> None:
    """Log once that Kafka is not reached yet, and once that it is, before a sender's first request fails."""
    if await publisher.ready():
        return
    logger.warning("Kafka at %s is not reached yet: requests are answered with 503 until it is; senders should retry.", bootstrap)
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        if await publisher.ready():
            break
    logger.info("Kafka at %s is reached: requests are accepted.", bootstrap)
