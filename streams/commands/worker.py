"""``contact-streams worker``: count the events of the topics."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from streams.commands.common import add_kafka_options, add_log_option, add_replication_option, fail, start_logging
from streams.commands.connection_options import (
    ListeningError,
    add_connection_options,
    add_insecure_option,
    add_metrics_option,
    listening_beside,
)
from streams.commands.kafka_security import KafkaSecurityError, kafka_client_options
from streams.configuration import Configuration, ConfigurationError
from streams.configuration.file import ConfigurationFile
from streams.engine.exits import ExitCode
from streams.engine.topics import PartitionMismatchError, TopicCreationError
from streams.serving.reload import now_ms
from streams.worker import KafkaUnusableError, WorkerSettings
from streams.worker import run as run_worker

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("worker", description=__doc__)
    add_kafka_options(parser)
    parser.add_argument("--config", type=Path, help="configuration file (YAML); a valid change is applied, an invalid one is refused")
    add_replication_option(parser)
    parser.add_argument("--instance-id", help="static membership: a name that stays the same after a restart")
    parser.add_argument(
        "--compression",
        default="none",
        choices=("none", "gzip", "lz4", "snappy", "zstd"),
        help="compression of published records: zstd takes a tenth of the bytes and some CPU (default: %(default)s)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the worker's own /metrics (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9464, help="its port, 0 for a free one, -1 for none (default: %(default)s)")
    add_connection_options(parser)
    add_metrics_option(parser)
    add_insecure_option(parser, "a token")
    add_log_option(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the worker until SIGTERM or SIGINT."""
    start_logging(args.log_level)
    try:
        how = listening_beside(args)
        file = None if args.config is None else ConfigurationFile(args.config, now_ms())
        client_options = kafka_client_options()
    except ListeningError as error:
        return fail(f"worker: {error}")
    except (ConfigurationError, KafkaSecurityError) as error:
        return fail(error)
    if args.port > 0 and (taken := _why_taken(args.host, args.port)):
        return fail(
            f"worker: cannot listen on {args.host} port {args.port}: {taken}. Choose another --port, 0 for a free one, -1 for none."
        )
    settings = WorkerSettings(
        bootstrap=args.bootstrap,
        prefix=args.prefix,
        replication=args.replication,
        instance_id=args.instance_id,
        host=args.host,
        port=None if args.port < 0 else args.port,
        compression=None if args.compression == "none" else args.compression,
        client_options=client_options,
        listening=how,
    )
    try:
        run_worker(settings, Configuration() if file is None else file.running, file)
    except (PartitionMismatchError, TopicCreationError) as error:
        return fail(error)
    except KafkaUnusableError as error:
        return fail(f"worker: {error}", code=ExitCode.FLUSH_FAILED)


def _why_taken(host: str, port: int) -> str | None:
    """Return why the address cannot be listened on, None if it can; checked early, for a clear message."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return None
    except (OSError, OverflowError) as error:
        return str(error)
