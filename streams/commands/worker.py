"""``contact-streams worker``: count what the topics bring."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.topics import DEFAULT_PREFIX
from streams.configuration import ConfigurationError, load_configuration
from streams.worker import WorkerSettings
from streams.worker import run as run_worker

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("worker", help="track contacts and people, and roll their figures up", description=__doc__)
    parser.add_argument(
        "--bootstrap", default=os.environ.get("CONTACT_STREAMS_BOOTSTRAP", "127.0.0.1:9092"), help="Kafka, host:port[,host:port]"
    )
    parser.add_argument("--config", type=Path, help="configuration file (YAML)")
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help="topic prefix (default: %(default)s)")
    parser.add_argument("--replication", type=int, default=1, help="replicas of topics created here (default: %(default)s)")
    parser.add_argument("--instance-id", help="static membership: a name that outlives the process")
    parser.add_argument("--host", default="127.0.0.1", help="address of the worker's own /metrics (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9464, help="its port, 0 for a free one, -1 for none (default: %(default)s)")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:  # noqa: RET503 - the worker itself never returns
    """Run the worker until it is told to stop."""
    logging.basicConfig(level=args.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        configuration = load_configuration(args.config)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    run_worker(
        WorkerSettings(
            bootstrap=args.bootstrap,
            prefix=args.prefix,
            replication=args.replication,
            instance_id=args.instance_id,
            host=args.host,
            port=None if args.port < 0 else args.port,
        ),
        configuration,
    )
