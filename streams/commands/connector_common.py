"""What the ways to run a connector have alike: its publisher, credentials, the addresses that say how it stands, and its last line."""

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
    """Return what publishes a source, with people as the configuration names them; raise FileError or KafkaSecurityError."""
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
    """Raise ValueError where credentials are missing without which a platform cannot be asked, or what else it is to ``do``."""
    missing = [each.name for each in entry.connector.credentials if each.required and each.name not in entry.credentials]
    if missing:
        what = f"required to {do} {entry.connector.title}, each as {{env: NAME}} or {{file: PATH}}"
        raise ValueError(f"connectors.{entry.source}.credentials: {', '.join(missing)}: {what}")


@contextlib.asynccontextmanager
async def serving(args: argparse.Namespace, runner: HasStatus, metrics: PullMetrics) -> AsyncIterator[None]:
    """Serve ``/metrics`` and its kin while a source is run, and say where; raise OSError or ListeningError where it cannot."""
    service = PullService(runner, metrics.registry, listening_beside(args))
    try:
        sys.stdout.write(f"connector {args.source} {await service.start(args.host, args.port)}/metrics\n")
        sys.stdout.flush()
        yield
    finally:
        await service.stop()


def cannot_listen(args: argparse.Namespace, error: OSError | ListeningError) -> int:
    """Say so; return the exit code."""
    if isinstance(error, ListeningError):
        return fail(error)
    return fail(f"cannot listen on {args.host} port {args.port}: {error.strerror or error}. Choose another --host or --port.", code=1)


def report(summary: Summary, asked: str) -> int:
    """Say what a run came to, ``asked``: in how many answers or over how many connections; return the exit code."""
    sys.stdout.write(
        f"{summary.records} records {asked}: {summary.events} events, {summary.rejected} dead letters, "
        f"{summary.ignored} of which nothing counts; {summary.failures} failures waited out\n"
    )
    return 0
