"""``contact-streams demo``: run everything on this machine with a simulated contact center."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from streams.commands.common import fail
from streams.configuration import ConfigurationError, load_configuration

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "demo",
        description="Simulates a contact center that opened five hours ago, and continues in real time. With --seconds it ends by itself: "
        "all events are recounted, and the exit code is 0 only if every served figure equals the recount.",
    )
    parser.add_argument(
        "--config", type=Path, help="your configuration file: its entries are added to the demo's or replace those of the same name"
    )
    default = os.environ.get("DEMO_SECONDS") or None
    parser.add_argument(
        "--seconds",
        type=float,
        default=default,
        help="end this long after the figures have caught up (default: DEMO_SECONDS, else run until Ctrl-C)",
    )
    parser.add_argument("--port", type=int, default=0, help="port of the page and /metrics (default: a free one)")
    parser.add_argument("--gateway-port", type=int, default=0, help="port of the gateway (default: a free one)")
    parser.add_argument("--worker-port", type=int, default=0, help="port of the worker's own /metrics (default: a free one)")
    parser.add_argument("--open-hours", type=float, default=5.0, help="how long the center has been open (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another day (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=1, help="how many centers to simulate side by side (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C or for the given seconds."""
    try:
        from streams.demo.run import DemoSettings, run_demo  # noqa: PLC0415 - the other commands need no broker
    except ImportError as error:
        sys.stderr.write(f"contact-streams demo: {error}. Install it with `make setup` or `pip install 'contact-streams[demo]'`.\n")
        return 1
    if args.config is not None:
        try:
            load_configuration(args.config)
        except ConfigurationError as error:
            return fail(error)
    return run_demo(
        DemoSettings(
            configuration=args.config,
            seconds=args.seconds,
            page_port=args.port,
            gateway_port=args.gateway_port,
            worker_port=args.worker_port,
            open_hours=max(0.0, args.open_hours),
            seed=args.seed,
            rate=max(1, args.rate),
        )
    )
