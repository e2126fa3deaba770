"""Shared code of running a connector: its publisher, credentials, the addresses of its state, and its last line."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streams.commands.common import fail
from streams.commands.connection_options import ListeningError, listening_beside
from streams.commands.kafka_security import kafka_client_options
from streams.commands.topic_making import topic_maker
from streams.configuration import load_configuration
from streams.connectors.identities import IdentifyingPublisher, Identities
from streams.connectors.outgoing import EventTopics
from streams.connectors.publishing import KafkaPublisher
from streams.connectors.pull.service import PullService

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from streams.connectors.configured import Configured
    from streams.connectors.publishing import Publisher
    from streams.connectors.pull.metrics import PullMetrics
    from streams.connectors.pull.status import HasStatus, Summary

__all__ = ["cannot_listen", "identifying_publisher", "need_credentials", "report", "serving"]


def identifying_publisher(args: argparse.Namespace, source: str) -> Publisher:
    """Return the publisher of a source, with agents as the configuration names them; raise FileError or KafkaSecurityError."""
    identities = Identities(load_configuration(args.config))
    publisher = KafkaPublisher(
        args.bootstrap,
        EventTopics.with_prefix(args.prefix),
        now=lambda: datetime.now(UTC),
        timeout_seconds=10,
        client_id=f"contact-streams-{source}",
        client_options=(client_options := kafka_client_options()),
        prepare=topic_maker(args, client_options),
    )
    return IdentifyingPublisher(publisher, identities)


def need_credentials(entry: Configured, do: str) -> None:
    """Raise ValueError where credentials are missing that are required to ``do`` something with a platform."""
    missing = [
        credential.name for credential in entry.connector.credentials if credential.required and credential.name not in entry.credentials
    ]
    if missing:
        purpose = f"required to {do} {entry.connector.title}, each as {{env: NAME}} or {{file: PATH}}"
        raise ValueError(f"connectors.{entry.source}.credentials: {', '.join(missing)}: {purpose}")


@contextlib.asynccontextmanager
async def serving(args: argparse.Namespace, runner: HasStatus, metrics: PullMetrics) -> AsyncIterator[None]:
    """Serve ``/metrics`` and health pages while a source runs, and print the address; raise OSError or ListeningError."""
    service = PullService(runner, metrics.registry, listening_beside(args))
    try:
        sys.stdout.write(f"connector {args.source} {await service.start(args.host, args.port)}/metrics\n")
        sys.stdout.flush()
        yield
    finally:
        await service.stop()


def cannot_listen(args: argparse.Namespace, error: OSError | ListeningError) -> int:
    """Print the error; return the exit code."""
    if isinstance(error, ListeningError):
        return fail(error)
    return fail(f"cannot listen on {args.host} port {args.port}: {error.strerror or error}. Choose another --host or --port.", code=1)


def report(summary: Summary, asked: str) -> int:
    """Print the result of a run, ``asked`` being its number of answers or connections; return the exit code."""
    sys.stdout.write(
        f"{summary.records} records {asked}: {summary.events} events, {summary.rejected} dead letters, "
        f"{summary.ignored} not counted; {summary.failures} failures retried\n"
    )
    return 0
