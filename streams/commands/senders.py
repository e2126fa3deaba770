"""``contact-streams senders``: create a token for a sender of the gateway."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from schemas.times import format_ms, to_ms
from streams.commands.common import fail
from streams.configuration.senders import SENDER_NAME
from streams.connectors.senders import new_token
from streams.listening.tokens import hash_of

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser", "run"]

_LONGEST_DAYS = 36_500


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("senders", help="create a token for a sender of the gateway")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    token = actions.add_parser(
        "token",
        help="print a new token, once, and the entry of the senders file that holds its hash",
        description="Prints a new random token on one line, for the sender, and below it the entry for the gateway's senders file. "
        "The token is stored nowhere: create another one if it is lost.",
    )
    token.add_argument("sender", metavar="NAME", help="the sender's name in the senders file")
    token.add_argument("--name", help="name of the token (default: today's date)")
    token.add_argument("--days", type=int, help="days until it expires (default: never, until its entry is deleted)")
    token.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a token and its entry."""
    if not re.fullmatch(SENDER_NAME, args.sender):
        return fail("senders: NAME is 1 to 80 letters, digits and _ . : / -")
    if args.days is not None and not 1 <= args.days <= _LONGEST_DAYS:
        return fail(f"senders: --days is 1 to {_LONGEST_DAYS}")
    now = datetime.now(UTC)
    name = now.date().isoformat() if args.name is None else args.name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", name):
        return fail("senders: --name is 1 to 40 letters, digits, dots, dashes and underscores")
    token = new_token()
    lines = [token, "", "senders:", f"  {args.sender}:", "    tokens:", f'      - name: "{name}"', f"        hash: {hash_of(token)}"]
    if args.days is not None:
        lines.append(f'        not_after: "{format_ms(to_ms(now + timedelta(days=args.days)))}"')
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
