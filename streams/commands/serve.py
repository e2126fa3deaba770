"""``contact-streams serve``: serve the figures of the metric topics as Prometheus metrics, JSON, an event stream and a page."""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streams.catalogue import kind_of_window
from streams.commands.common import add_kafka_options, add_log_option, count, fail, start_logging
from streams.commands.connection_options import ListeningError, add_connection_options, add_insecure_option, listening, why_not_open
from streams.commands.kafka_security import KafkaSecurityError, kafka_client_options
from streams.configuration import Configuration, ConfigurationError
from streams.configuration.access import AccessError, AccessFile
from streams.configuration.access_places import places_by_scope
from streams.configuration.file import ConfigurationFile
from streams.engine.memory import hold_little
from streams.serving.alerting.senders import unset
from streams.serving.door import WatchedAccess
from streams.serving.login.passwords import NEEDS_ARGON2
from streams.serving.login.provider.settings import MISSING
from streams.serving.reload import now_ms
from streams.serving.service import ServeSettings, run_serve
from streams.serving.webhook import Webhook
from streams.windows.hours import business_clocks
from streams.windows.targets import terms_of

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run"]

_PROVIDER_SECRET = "CONTACT_STREAMS_OIDC_CLIENT_SECRET"  # noqa: S105 - a name
_URL, _SECRET = "CONTACT_STREAMS_ALERT_WEBHOOK_URL", "CONTACT_STREAMS_ALERT_WEBHOOK_SECRET"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    defaults = ServeSettings()
    parser = subparsers.add_parser("serve", description=__doc__)
    add_kafka_options(parser)
    parser.add_argument("--config", type=Path, help="configuration file (YAML), for the targets of queues and the sources that feed them")
    parser.add_argument(
        "--access",
        type=Path,
        metavar="FILE",
        help="access file (YAML), reloaded on change; without it everything is open to every client that reaches the server",
    )
    parser.add_argument("--host", default=defaults.host, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=defaults.port, help="its port, 0 for a free one (default: %(default)s)")
    parser.add_argument(
        "--windows",
        default=",".join(defaults.windows),
        metavar="NAME,...",
        help="windows that /metrics exports, such as trailing_5m, interval_30m or day (default: %(default)s)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show the contacts behind a figure, and whom to call back; reads contact and customer events from Kafka",
    )
    parser.add_argument(
        "--agents",
        action="store_true",
        help="figures and states of single agents, of sites that permit it, for users who may see people; reads agent and contact events",
    )
    add_connection_options(parser)
    add_insecure_option(parser, "a login or TLS")
    parser.add_argument(
        "--max-streams",
        type=count,
        default=defaults.max_streams,
        metavar="N",
        help="maximum concurrent event streams (default: %(default)s)",
    )
    parser.add_argument(
        "--max-streams-per-address",
        type=count,
        default=defaults.max_streams_per_address,
        metavar="N",
        help="maximum of these per account; without --access per address, behind a proxy the proxy's (default: %(default)s)",
    )
    add_log_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    start_logging(args.log_level)
    closed = why_not_open(args, login=None if args.access is not None else "--access FILE")
    if closed is not None:
        return fail(f"serve: {closed}")
    try:
        file = None if args.config is None else ConfigurationFile(args.config, now_ms())
        access = None if args.access is None else WatchedAccess(args.access, now_ms())
        how = listening(args, names=lambda: frozenset() if access is None else _hosts_of(access.running))
        client_options = kafka_client_options()
    except ListeningError as error:
        return fail(f"serve: {error}")
    except (ConfigurationError, AccessError, KafkaSecurityError) as error:
        return fail(error)
    if access is not None and access.running.provider is not None and find_spec("joserfc") is None:
        return fail(f"serve: {args.access}: provider: {MISSING}")
    if access is not None and access.running.users and find_spec("argon2") is None:
        return fail(f"serve: {args.access}: users: {NEEDS_ARGON2}")
    windows = tuple(name.strip() for name in args.windows.split(",") if name.strip())
    try:
        for window in windows:
            kind_of_window(window)
    except ValueError as error:
        return fail(f"serve: --windows: {error}")
    try:
        webhook = _webhook()
    except ValueError as error:
        return fail(f"serve: {error}")

    def settings_of(configuration: Configuration) -> ServeSettings:
        return ServeSettings(
            bootstrap=args.bootstrap,
            client_options=client_options,
            topic_prefix=args.prefix,
            host=args.host,
            listening=how,
            max_streams=args.max_streams,
            max_streams_per_address=args.max_streams_per_address,
            port=args.port,
            windows=windows,
            targets={name: queue.target for name, queue in configuration.queues.items() if queue.target is not None},
            kpi_targets=terms_of(configuration),
            fed_by={
                f"{kind}:{name}": place.sources
                for kind, places in (("queue", configuration.queues), ("team", configuration.teams))
                for name, place in places.items()
                if place.sources
            },
            places=places_by_scope(configuration),
            business=business_clocks(configuration),
            expected=frozenset(name for name, source in configuration.sources.items() if source.silence_seconds is not None),
            webhook=webhook,
            zone=configuration.default_zone,
            on_call=configuration.on_call,
            file=file,
            of_configuration=settings_of,
            access=access,
            provider_secret=os.environ.get(_PROVIDER_SECRET, ""),
            audit=access is not None,
            explain=args.explain,
            agents=args.agents,
        )

    lacking = [] if file is None else unset(file.running.alerting)
    if lacking:
        return fail(f"serve: {args.config}: alerting: {'; '.join(lacking)}")
    hold_little()
    settings = settings_of(Configuration() if file is None else file.running)
    try:
        asyncio.run(run_serve(settings))
    except (OSError, OverflowError) as error:
        return fail(
            f"serve: cannot listen on {args.host} port {args.port}: {str(error).rstrip('.')}. Choose another --host or --port.", code=1
        )
    return 0


def _hosts_of(access: AccessFile) -> frozenset[str]:
    """Return the names by which clients reach the server, from its access file."""
    public = () if access.public_url is None else (urlsplit(access.public_url).netloc,)
    return frozenset((*access.hosts, *public))


def _webhook() -> Webhook | None:
    """Return the webhook for alerts from the environment; raise ValueError if it cannot be used, without quoting it."""
    url, secret = os.environ.get(_URL, "").strip(), os.environ.get(_SECRET, "").strip()
    if url:
        try:
            return Webhook(url, secret)
        except ValueError as error:
            raise ValueError(f"{_URL}, {_SECRET}: {error}") from None
    if secret:
        raise ValueError(f"{_SECRET} is set, but not {_URL}")
    return None
