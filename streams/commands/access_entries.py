"""``contact-streams access user|kiosk``: entries of the access file for users with passwords and for screens with links."""

from __future__ import annotations

import getpass
import re
import sys
import warnings
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.times import format_ms, to_ms
from streams.access.rights import ROLES
from streams.commands.common import fail
from streams.configuration.access import ACCESS_NAME, URL, load_access
from streams.configuration.problems import FileError
from streams.listening.tokens import hash_of, new_secret
from streams.serving.login.passwords import NEEDS_ARGON2, hashed, problem_of

if TYPE_CHECKING:
    import argparse

__all__ = ["LONGEST_DAYS", "NAME_PROBLEM", "PLACES", "add_kiosk", "add_role_options", "add_user", "is_name", "role_lines"]

LONGEST_DAYS: Final = 36_500
PLACES: Final = ("sites", "departments", "queues", "teams")
NAME_PROBLEM: Final = "access: NAME is 1 to 80 letters, digits and _ . @ + -"
_LONGEST_HOURS: Final = 24 * 365
_LONGEST_LINE: Final = 10_000


def is_name(name: str) -> bool:
    """Return whether an entry of the access file can have this name."""
    return re.fullmatch(ACCESS_NAME, name) is not None


def add_role_options(parser: argparse.ArgumentParser) -> None:
    """Declare the role of an entry, and its scope."""
    parser.add_argument("--role", choices=tuple(ROLES), default="viewer", help="(default: %(default)s)")
    for kind in PLACES:
        parser.add_argument(
            f"--{kind[:-1]}", action="append", default=[], metavar="NAME", dest=kind, help="where the role holds; repeat it"
        )


def role_lines(args: argparse.Namespace) -> list[str]:
    """Return the lines of an entry with its role."""
    places = [f"        {kind}: [{', '.join(map(_quoted, names))}]" for kind in PLACES if (names := getattr(args, kind))]
    return ["    roles:", f"      - role: {args.role}", *places]


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def add_user(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare ``access user``."""
    parser = actions.add_parser(
        "user",
        help="ask for a password and print the entry of the access file that holds its hash",
        description="Asks for a password, twice and without showing it, and prints the entry of a user for the access file. "
        "From a pipe it reads the first line. The password is stored nowhere, its hash (argon2id) only in the entry.",
    )
    parser.add_argument("name", metavar="NAME", help="the login name of the user")
    add_role_options(parser)
    parser.set_defaults(run=_user)


def _user(args: argparse.Namespace) -> int:
    """Print the entry of a user."""
    if not is_name(args.name):
        return fail(NAME_PROBLEM)
    if find_spec("argon2") is None:
        return fail(f"access: {NEEDS_ARGON2}", code=1)
    try:
        password = _asked(args.name)
    except ValueError as error:
        return fail(f"access: {error}")
    problem = problem_of(password, args.name)
    if problem is not None:
        return fail(f"access: the password {problem}; choose at least 12 characters, such as four words of your own")
    lines = ["users:", f"  {args.name}:", f'    password: "{hashed(password)}"', *role_lines(args)]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _asked(name: str) -> str:
    """Return the password from the terminal or a pipe; raise ValueError if there is none."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline(_LONGEST_LINE)
        if not line.strip("\r\n"):
            raise ValueError("no password received; type it at a terminal, or send it as a line")
        return line.rstrip("\r\n")
    with warnings.catch_warnings():
        # Otherwise the terminal would show the password.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            password = getpass.getpass(f"Password of {name}: ")
            again = getpass.getpass("Once more: ")
        except (getpass.GetPassWarning, EOFError):
            raise ValueError("this terminal would show the password; send it as a line through a pipe") from None
    if password != again:
        raise ValueError("the two passwords differ")
    return password


def add_kiosk(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare ``access kiosk``."""
    parser = actions.add_parser(
        "kiosk",
        help="print a link that a screen opens once, and the entry of the access file that holds its hash",
        description="Prints a new link on one line, for the screen, and below it the entry for the access file. The first browser that "
        "opens the link becomes the screen; no other can open it. Deleting the entry ends it at once.",
    )
    parser.add_argument("name", metavar="NAME", help="the screen's name in the access file")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", metavar="URL", help="the address of the server, as the screen's browser reaches it")
    where.add_argument("--access", type=Path, metavar="FILE", help="the access file, whose public_url is that address")
    add_role_options(parser)
    parser.add_argument(
        "--open-hours", type=int, default=24, metavar="N", help="for how many hours the link can be opened (default: %(default)s)"
    )
    parser.add_argument("--days", type=int, help="days until the screen's access expires (default: never, until its entry is deleted)")
    parser.set_defaults(run=_kiosk)


def _kiosk(args: argparse.Namespace) -> int:
    """Print a link and the entry of its screen."""
    if not is_name(args.name):
        return fail(NAME_PROBLEM)
    if args.days is not None and not 1 <= args.days <= LONGEST_DAYS:
        return fail(f"access: --days is 1 to {LONGEST_DAYS}")
    if not 1 <= args.open_hours <= _LONGEST_HOURS:
        return fail(f"access: --open-hours is 1 to {_LONGEST_HOURS}")
    url = args.url
    if args.access is not None:
        try:
            url = load_access(args.access).public_url
        except FileError as error:
            return fail(error)
        if url is None:
            return fail(f"access: {args.access} has no public_url; use --url instead")
    if re.fullmatch(URL, url) is None:
        return fail("access: --url is an address such as https://wall.example.com, without query")
    now = datetime.now(UTC)
    ticket = new_secret()
    lines = [
        # After the #: not sent to any server, proxy or log.
        f"{url.rstrip('/')}/kiosk#{ticket}",
        "",
        "kiosks:",
        f"  {args.name}:",
        f'    ticket: "{hash_of(ticket)}"',
        f'    open_until: "{_in(now, timedelta(hours=args.open_hours))}"',
    ]
    if args.days is not None:
        lines.append(f'    expires: "{_in(now, timedelta(days=args.days))}"')
    sys.stdout.write("\n".join(lines + role_lines(args)) + "\n")
    return 0


def _in(now: datetime, time: timedelta) -> str:
    return format_ms(to_ms(now + time))
