"""Shared code of subcommands: options, logging, and error messages."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import orjson

from schemas.prefix import DEFAULT_PREFIX
from schemas.times import TimeFormatError, parse_time_ms
from schemas.visible import escaped_json
from streams.commands.log_limits import limit_libraries
from streams.connectors.customer_keys import CUSTOMER_KEY_VARIABLE, hashed_customer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection

__all__ = [
    "add_kafka_options",
    "add_log_option",
    "add_replication_option",
    "count",
    "customer_key",
    "fail",
    "instant",
    "interruptible",
    "label",
    "start_logging",
    "write_json",
    "zone",
]

#: Libraries that write payloads into their debug messages.
_NO_DEBUG = ("aiokafka", "kafka", "aiohttp", "asyncio")

_MIN_KEY_LENGTH = 16


def add_kafka_options(parser: argparse.ArgumentParser) -> None:
    """Declare the address of Kafka and the prefix of its topics."""
    default = os.environ.get("CONTACT_STREAMS_BOOTSTRAP", "127.0.0.1:9092")
    parser.add_argument(
        "--bootstrap",
        default=default,
        metavar="HOST:PORT",
        help="Kafka, several separated by commas (default: CONTACT_STREAMS_BOOTSTRAP or %(default)s)",
    )
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help="topic prefix (default: %(default)s)")


def add_replication_option(parser: argparse.ArgumentParser) -> None:
    """Declare the number of replicas of created topics."""
    parser.add_argument(
        "--replication", type=count, default=1, help="replicas of topics created here, the same for every process (default: %(default)s)"
    )


def add_log_option(parser: argparse.ArgumentParser, default: str = "INFO") -> None:
    """Declare the log level; commands that print an answer and exit log only warnings."""
    parser.add_argument("--log-level", default=default, choices=("DEBUG", "INFO", "WARNING", "ERROR"))


def count(text: str) -> int:
    """Parse a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        message = f"{text!r} is no whole number above 0"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def customer_key() -> Callable[[str], str] | None:
    """Return a function that hashes a customer's number by the environment's key, None without one; raise ValueError if it is short."""
    secret = os.environ.get(CUSTOMER_KEY_VARIABLE, "")
    if secret and len(secret) < _MIN_KEY_LENGTH:
        message = f"{CUSTOMER_KEY_VARIABLE}: a key has at least {_MIN_KEY_LENGTH} characters; unset it to leave customers out"
        raise ValueError(message)
    return hashed_customer(secret.encode()) if secret else None


def start_logging(level: str, *, reports_kafka: bool = False) -> None:
    """Log to stderr; with ``reports_kafka`` the command itself reports failures of Kafka, and its library does not."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for name in _NO_DEBUG:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    if reports_kafka and level == "WARNING":
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    limit_libraries()


def fail(message: object, *, code: int = 2) -> int:
    """Print an error on stderr, with its location and what to do; return the exit code."""
    sys.stderr.write(f"contact-streams: {message}\n")
    return code


def write_json(document: object, streamed: Collection[str] = ()) -> None:
    """Print a JSON document. The lists under the names in ``streamed`` may be iterators: they are printed entry by entry."""
    if not streamed or not isinstance(document, dict):
        sys.stdout.write(_json(document) + "\n")
        return
    before = "{\n"
    for name, value in document.items():
        sys.stdout.write(f"{before}  {_json(name)}: ")
        before = ",\n"
        if name not in streamed:
            sys.stdout.write(_json(value, 2))
            continue
        between = "[\n"
        for entry in value:
            sys.stdout.write(f"{between}    {_json(entry, 4)}")
            between = ",\n"
        sys.stdout.write("[]" if between == "[\n" else "\n  ]")
    sys.stdout.write("\n}\n")


def _json(document: object, indent: int = 0) -> str:
    text = escaped_json(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    return text.replace("\n", "\n" + " " * indent) if indent else text


def interruptible() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set instead of ending the process."""
    import asyncio  # noqa: PLC0415 - not needed by commands without a loop

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def instant(text: str) -> int:
    """Parse a time to milliseconds since the epoch."""
    try:
        return parse_time_ms(text)
    except TimeFormatError as error:
        message = f"{text!r} is no RFC 3339 time with an offset, such as 2026-03-29T12:00:00Z"
        raise argparse.ArgumentTypeError(message) from error


def label(text: str) -> str:
    """Check a name for events, such as a source."""
    if not 1 <= len(text) <= 100 or not text.isprintable() or not text.strip():  # noqa: PLR2004 - schemas.base.Label
        message = "1 to 100 printable characters"
        raise argparse.ArgumentTypeError(message)
    return text


def zone(text: str) -> ZoneInfo:
    """Parse the name of a time zone."""
    if text not in available_timezones():
        message = f"unknown time zone {text!r}: use an IANA name such as Europe/Berlin or Asia/Tokyo"
        raise argparse.ArgumentTypeError(message)
    return ZoneInfo(text)
