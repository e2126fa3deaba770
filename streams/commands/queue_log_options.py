"""The options of everything that reads an Asterisk queue_log, and the parser they make."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from streams.commands.common import label, zone
from streams.connectors.customer_keys import CUSTOMER_KEY_VARIABLE, hashed_customer
from streams.connectors.queue_log import KindTable, QueueLogParser

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["add_options", "customer_key", "make_parser"]

_MIN_KEY_LENGTH: Final = 16


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare how lines are read."""
    parser.add_argument("--source", type=label, default="asterisk", help="names this Asterisk in every event (default: %(default)s)")
    parser.add_argument("--site", type=label, help="the site its events belong to")
    parser.add_argument("--zone", type=zone, default=UTC, help="time zone of times written as dates; epoch times need none (default: UTC)")
    parser.add_argument(
        "--ignore-kind",
        action="append",
        default=[],
        metavar="KIND",
        help="an event kind of your own dialplan that is to be passed over; may be repeated",
    )
    parser.add_argument(
        "--kind",
        action="append",
        default=[],
        metavar="KIND=MEANING",
        help="what an event kind of your own dialplan means, such as 'EXITCODE|TIMEOUT=left_queue:timeout'; may be repeated",
    )
    parser.add_argument(
        "--reports",
        action="append",
        default=[],
        choices=("hold", "wrap_up"),
        help="what another connector tells of the same calls under the same source, as asterisk-ami tells hold; may be repeated",
    )
    parser.add_argument(
        "--encoding",
        type=_encoding,
        default="utf-8",
        help="encoding of the log's text; what is none in it is replaced (default: %(default)s)",
    )


def _encoding(text: str) -> str:
    """Read the name of an encoding in which lines and their separators are those of ASCII."""
    try:
        is_readable = "1|\n".encode(text) == b"1|\n" and b"1|".decode(text) == "1|"
    except (LookupError, UnicodeError, ValueError):
        is_readable = False
    if not is_readable:
        raise argparse.ArgumentTypeError(f"unknown encoding {text!r}: use one that leaves ASCII as it is, such as utf-8, cp1252 or cp932")
    return text


def _kinds(entries: list[str]) -> dict[str, str]:
    found = {}
    for entry in entries:
        kind, equals, meaning = entry.rpartition("=")
        if not equals:
            raise ValueError(f"--kind {entry!r}: write KIND=MEANING or 'KIND|PARAMETER=MEANING'")
        found[kind] = meaning
    return found


def customer_key() -> Callable[[str], str] | None:
    """Return what hashes a customer's number with the key of the environment, None without one; raise ValueError for a short one."""
    secret = os.environ.get(CUSTOMER_KEY_VARIABLE, "")
    if secret and len(secret) < _MIN_KEY_LENGTH:
        message = f"{CUSTOMER_KEY_VARIABLE}: a key has at least {_MIN_KEY_LENGTH} characters; unset it to leave customers out"
        raise ValueError(message)
    return hashed_customer(secret.encode()) if secret else None


def make_parser(args: argparse.Namespace) -> QueueLogParser:
    """Return the parser for the options; raise ValueError with a sentence for the operator."""
    return QueueLogParser(
        args.source,
        now=lambda: datetime.now(UTC),
        zone=args.zone,
        site=args.site,
        customer_key=customer_key(),
        kinds=KindTable(_kinds(args.kind), args.ignore_kind),
        encoding=args.encoding,
        reports=tuple(args.reports),
    )
