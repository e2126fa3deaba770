"""``contact-streams survey-link``: create signed links to the built-in survey, for SMS and mail."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from streams.commands.common import fail
from streams.configuration.connectors import ConnectorsError, parse_connectors
from streams.configuration.problems import FileError, read_text
from streams.connectors.configured import read_connectors
from streams.connectors.kit.surveys import SCALES
from streams.connectors.pages.survey import SURVEY_PATH
from streams.connectors.survey_links import MAX_LINK_DAYS, LinkKeys, SurveyLink, scale_ends

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "survey-link",
        description="Prints a signed link for each conversation, one line each: the conversation's id, a tab and the link. "
        "The gateway serves the page behind it, from the same connectors file.",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids of conversations; without any they are read from stdin, one per line")
    parser.add_argument("--connectors", type=Path, required=True, metavar="FILE", help="the connectors file of the gateway")
    parser.add_argument("--source", required=True, help="the survey in it: the name of an entry with connector: survey-link")
    parser.add_argument("--kind", choices=tuple(SCALES), default="csat", help="kind of question (default: %(default)s)")
    parser.add_argument("--scale", help="lowest and highest score, such as 1-5 (default: 1-5 for csat, 0-10 for nps, 1-7 for ces)")
    parser.add_argument("--days", type=float, default=14.0, help="days in which it can be answered (default: %(default)g)")
    parser.add_argument("--language", choices=("en", "ja"), help="the page's language (default: the browser's)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the links."""
    if not 0 < args.days <= MAX_LINK_DAYS:
        return fail(f"survey-link: --days is above 0 and at most {MAX_LINK_DAYS}")
    try:
        low, high = scale_ends(args.kind, args.scale)
        base, keys = _survey(args.connectors, args.source)
    except FileError as error:
        return fail(error)
    except ValueError as error:
        return fail(f"survey-link: {error}")
    expires = int((datetime.now(UTC) + timedelta(days=args.days)).timestamp())
    query = "" if args.language is None else f"?lang={args.language}"
    refused = False
    for name in _ids(args.ids):
        try:
            token = keys.token(SurveyLink(name, args.kind, low, high, expires))
        except ValueError as error:
            sys.stderr.write(f"survey-link: {error}: {name[:40]!r}\n")
            refused = True
            continue
        sys.stdout.write(f"{name}\t{base}{token}{query}\n")
    return 1 if refused else 0


def _survey(path: Path, source: str) -> tuple[str, LinkKeys]:
    """Return the prefix of a survey's links, and its keys; raise FileError or ValueError."""
    text = read_text(path, ConnectorsError)
    public_url = parse_connectors(path, text).public_url
    entry = read_connectors(path, text, only=source).get(source)
    if entry is None or entry.connector.name != "survey-link":
        message = f"{path} has no entry {source!r} with connector: survey-link"
        raise ValueError(message)
    if public_url is None:
        message = f"{path}: write `public_url` at the top, the address at which customers reach the gateway"
        raise ValueError(message)
    return f"{public_url.rstrip('/')}{SURVEY_PATH}{source}/", LinkKeys(entry.secrets)


def _ids(given: Iterable[str]) -> Iterable[str]:
    listed = list(given)
    return (name for line in (listed or sys.stdin) if (name := line.strip()))
