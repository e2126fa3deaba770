"""``contact-streams connector run`` of a platform that sends its events over a connection."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streams.commands.common import fail, interruptible
from streams.commands.connection_options import ListeningError
from streams.commands.connector_common import cannot_listen, identifying_publisher, need_credentials, report, serving
from streams.connectors.connection.runner import Address, ConnectionSettings, Runner
from streams.connectors.publishing import NotPublishedError
from streams.connectors.pull.metrics import PullMetrics

if TYPE_CHECKING:
    import argparse

    from streams.connectors.configured import Configured
    from streams.connectors.connection.model import Connection
    from streams.connectors.publishing import Publisher
    from streams.connectors.pull.status import Summary

__all__ = ["run_connection"]

_MAX_PORT = 65_535


def run_connection(args: argparse.Namespace, entry: Configured, connection: Connection) -> int:
    """Follow a platform until SIGTERM or SIGINT; raise ValueError or FileError for settings that cannot be used."""
    if args.once:
        return fail(f"{entry.connector.title} is followed and has no end: leave out --once")
    address = _address(entry, connection)
    metrics = PullMetrics(entry.source)
    publisher = identifying_publisher(args, entry.source)
    link = ConnectionSettings(site=entry.site, sends_heartbeats=not entry.context.settings.get("beside_queue_log"))
    runner = Runner(
        connection,
        entry.connector,
        entry.context,
        address,
        publisher,
        now=lambda: datetime.now(UTC),
        settings=link,
        metrics=metrics,
    )
    try:
        summary = asyncio.run(_run(args, runner, metrics, publisher))
    except NotPublishedError as error:
        return fail(error, code=1)
    except (OSError, ListeningError) as error:
        return cannot_listen(args, error)
    return report(summary, f"over {summary.pages} connections")


def _address(entry: Configured, connection: Connection) -> Address:
    settings, at = entry.context.settings, f"connectors.{entry.source}"
    need_credentials(entry, "connect to")
    port = settings.get("port") or (connection.tls_port if settings.get("tls") else connection.port)
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"{at}.settings.port: permitted: 1 to {_MAX_PORT}, or 0 for the default one")
    tls = None
    if settings.get("tls"):
        try:
            tls = ssl.create_default_context(cafile=settings.get("tls_ca") or None)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"{at}.settings.tls_ca: no file of certificates ({error})") from error
    return Address(host=settings["host"], port=port, credentials=entry.credentials, tls=tls)


async def _run(args: argparse.Namespace, runner: Runner, metrics: PullMetrics, publisher: Publisher) -> Summary:
    stop = interruptible()
    try:
        async with serving(args, runner, metrics):
            return await runner.run(stop)
    finally:
        await publisher.stop()
