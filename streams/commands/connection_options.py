"""The options of commands that listen, and what they say; with them comes the HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.commands.common import count
from streams.listening import ConnectionLimits

if TYPE_CHECKING:
    import argparse

__all__ = ["add_connection_options", "connection_limits"]


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Declare how many clients there may be."""
    defaults = ConnectionLimits()
    parser.add_argument(
        "--max-connections", type=count, default=defaults.total, metavar="N", help="HTTP connections at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--max-connections-per-address",
        type=count,
        default=defaults.per_address,
        metavar="N",
        help="of these from one address; all clients of a proxy come from its address (default: %(default)s)",
    )


def connection_limits(args: argparse.Namespace) -> ConnectionLimits:
    """Return what those options say."""
    return ConnectionLimits(total=args.max_connections, per_address=args.max_connections_per_address)
