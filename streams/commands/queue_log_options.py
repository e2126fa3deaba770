"""The options of commands that read an Asterisk queue_log, and their parser."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from streams.commands.common import customer_key, label, zone
from streams.configuration.problems import FileError, Problem, read_text
from streams.configuration.yaml_lines import YamlError, line_of, parse
from streams.connectors.queue_log import KindTable, KindTableError, QueueLogParser

__all__ = ["add_options", "make_parser"]


class KindsError(FileError):
    """The file of kinds cannot be used."""


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
        help="an event kind of your own dialplan to skip; may be repeated",
    )
    parser.add_argument(
        "--kind",
        action="append",
        default=[],
        metavar="KIND=MEANING",
        help="meaning of an event kind of your own dialplan, such as 'EXITCODE|TIMEOUT=left_queue:timeout'; may be repeated",
    )
    parser.add_argument(
        "--kinds", type=Path, metavar="FILE", help="a file (YAML) with such meanings by kind, under the key kinds; --kind has precedence"
    )
    parser.add_argument(
        "--reports",
        action="append",
        default=[],
        choices=("hold", "wrap_up"),
        help="what another connector reports of the same calls under the same source, as asterisk-ami reports hold; may be repeated",
    )
    parser.add_argument(
        "--encoding",
        type=_encoding,
        default="utf-8",
        help="encoding of the log's text; undecodable bytes are replaced (default: %(default)s)",
    )


def _encoding(text: str) -> str:
    """Parse the name of an encoding that includes ASCII."""
    try:
        is_readable = "1|\n".encode(text) == b"1|\n" and b"1|".decode(text) == "1|"
    except (LookupError, UnicodeError, ValueError):
        is_readable = False
    if not is_readable:
        raise argparse.ArgumentTypeError(f"unknown encoding {text!r}: use one that includes ASCII, such as utf-8, cp1252 or cp932")
    return text


def _kinds(path: Path | None, entries: list[str]) -> dict[str, str]:
    try:
        meanings = {} if path is None else _kinds_of(path)
    except KindsError as error:
        raise ValueError(str(error)) from error
    for entry in entries:
        kind, equals, meaning = entry.rpartition("=")
        if not equals:
            raise ValueError(f"--kind {entry!r}: write KIND=MEANING or 'KIND|PARAMETER=MEANING'")
        meanings[kind] = meaning
    return meanings


def _kinds_of(path: Path) -> dict[str, str]:
    """Return the entries under ``kinds`` in a file; raise KindsError."""
    try:
        document = parse(read_text(path, KindsError))
    except YamlError as error:
        raise KindsError(path, [Problem(error.line, "", error.reason)]) from error
    kinds = document.content.get("kinds") if isinstance(document.content, dict) and len(document.content) == 1 else None
    if not isinstance(kinds, dict) or document.problems:
        raise KindsError(path, [Problem(1, "kinds", "permitted: this key alone, with KIND or KIND|PARAMETER: MEANING")])
    wrong = []
    for kind, meaning in kinds.items():
        try:
            KindTable({str(kind): str(meaning)})
        except KindTableError as error:
            wrong.append(Problem(line_of(document.root, ("kinds", kind)), f"kinds.{kind}", str(error)))
    if wrong:
        raise KindsError(path, wrong)
    return {str(kind): str(meaning) for kind, meaning in kinds.items()}


def make_parser(args: argparse.Namespace) -> QueueLogParser:
    """Return the parser for the options; raise ValueError with a message for the operator."""
    return QueueLogParser(
        args.source,
        now=lambda: datetime.now(UTC),
        zone=args.zone,
        site=args.site,
        customer_key=customer_key(),
        kinds=KindTable(_kinds(args.kinds, args.kind), args.ignore_kind),
        encoding=args.encoding,
        reports=tuple(args.reports),
    )
