"""``contact-streams access``: check the access file of the server, and create its entries."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.times import format_ms, to_ms
from streams.access.principals import Principal
from streams.commands.access_entries import LONGEST_DAYS, NAME_PROBLEM, PLACES, add_kiosk, add_role_options, add_user, is_name, role_lines
from streams.commands.check_names import in_access, known_names, notes, unknown
from streams.commands.common import fail, write_json
from streams.configuration import load_configuration
from streams.configuration.access import AccessFile, RoleGrant, load_access
from streams.configuration.access_places import places_of
from streams.configuration.problems import FileError
from streams.listening.tokens import TOKEN_FORM, hash_of, new_token

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from streams.access.views import Places, View

__all__ = ["add_parser"]

_USAGE: Final = 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("access", help="check the access file of the server, and create its entries: tokens, users, screens")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = actions.add_parser(
        "check",
        help="list the errors of an access file, and which users may do what where",
        description="Lists all errors of an access file, or which users may do what where; with --config also names of sites, departments, "
        "queues and teams that the configuration does not have, what each grant shows, and which groups are too small for it. "
        "Exits with 0 if the file can be used and no site or department is unknown, else with 2.",
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--config", type=Path, metavar="FILE", help="the configuration file of the server")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(run=_check)
    token = actions.add_parser(
        "token",
        help="print a new token, once, and the entry of the access file that holds its hash",
        description="Prints a new random token on one line, for the program, and below it the entry for the access file. "
        "The token is stored nowhere: create another one if it is lost.",
    )
    token.add_argument("name", metavar="NAME", help="the program's name in the access file")
    add_role_options(token)
    token.add_argument("--days", type=int, help="days until it expires (default: never, until its entry is deleted)")
    token.set_defaults(run=_token)
    add_user(actions)
    add_kiosk(actions)


def _token(args: argparse.Namespace) -> int:
    """Print a token and its entry."""
    if not is_name(args.name):
        return fail(NAME_PROBLEM)
    if args.days is not None and not 1 <= args.days <= LONGEST_DAYS:
        return fail(f"access: --days is 1 to {LONGEST_DAYS}")
    token = new_token(TOKEN_FORM)
    lines = [token, "", "tokens:", f"  {args.name}:", f'    hashes: ["{hash_of(token)}"]']
    if args.days is not None:
        lines.append(f'    expires: "{format_ms(to_ms(datetime.now(UTC) + timedelta(days=args.days)))}"')
    sys.stdout.write("\n".join(lines + role_lines(args)) + "\n")
    return 0


def _check(args: argparse.Namespace) -> int:
    """Print the errors, or which users may do what."""
    try:
        file = load_access(args.file)
        configuration = None if args.config is None else load_configuration(args.config)
    except FileError as error:
        if args.json:
            write_json({"file": str(error.path), "errors": [{"line": p.line, "path": p.at, "reason": p.reason} for p in error.problems]})
            return _USAGE
        return fail(error)
    known = {} if configuration is None else known_names([configuration])
    missing = [] if configuration is None else [*unknown(in_access(file), known)]
    is_fatal = any(named.kind in {"site", "department"} for named in missing)
    places = None if configuration is None else places_of(configuration, smallest_group=file.smallest_group)
    entries = [_entry(name, roles, places) for name, roles in _entries(file)]
    if args.json:
        names = [{"path": ".".join(at), "kind": kind, "name": name} for at, kind, name in missing]
        write_json({"file": str(args.file), "errors": [], "unknown": names, "entries": entries})
        return _USAGE if is_fatal else 0
    sys.stderr.writelines(f"{args.file}: {note}\n" for note in notes(missing, known))
    sys.stdout.write(f"{args.file}: {'ok' if not missing else 'can be used'}\n")
    for entry in entries:
        sys.stdout.writelines(f"{line}\n" for line in _lines(entry))
    return _USAGE if is_fatal else 0


def _entries(file: AccessFile) -> Iterator[tuple[str, tuple[RoleGrant, ...]]]:
    by_name: dict[str, list[RoleGrant]] = {}
    for (kind, name, *_), grant in file.granted():
        by_name.setdefault(f"{kind}.{name}", []).append(grant)
    yield from ((name, tuple(grants)) for name, grants in by_name.items())


def _entry(name: str, roles: Iterable[RoleGrant], places: Places | None) -> dict[str, Any]:
    """Return the roles of an entry of the file, and the scopes it shows if the configuration is known."""
    entry: dict[str, Any] = {"entry": name, "roles": [role.model_dump(exclude_none=True) for role in roles]}
    if places is None:
        return entry
    view = Principal(name, "user", tuple(role.grant() for role in roles)).view("figures", places)
    groups = [f"team:{team}" for team in places.teams if view.sees("team", team) and not view.sees_people("team", team)]
    # A view has the agents of its scopes, but only a user with the right `people` there sees them.
    shows = None if view.scopes is None else sorted(scope for scope in view.scopes if _is_shown(view, scope))
    return {**entry, "shows": shows, "too_small": sorted(groups)}


def _is_shown(view: View, scope: str) -> bool:
    kind, _, name = scope.partition(":")
    return kind != "agent" or view.sees_people(kind, name)


def _lines(entry: dict[str, Any]) -> Iterator[str]:
    roles = "; ".join(
        each["role"] + (" of " + ", ".join(f"{kind} {', '.join(each[kind])}" for kind in PLACES if kind in each) if len(each) > 1 else "")
        for each in entry["roles"]
    )
    yield f"  {entry['entry']}: {roles}"
    if "shows" in entry:
        if not entry["shows"]:
            yield f"    shows: {'everything' if entry['shows'] is None else 'nothing'}"
        yield from (f"    shows {kind}: {names}" for kind, names in _by_kind(entry["shows"] or ()))
        for kind, names in _by_kind(entry["too_small"]):
            yield f"    without figures about people, as they are too few, of {kind}: {names}"


def _by_kind(scopes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each kind of the sorted scopes with the names, which may have spaces."""
    for kind, group in groupby(scopes, key=lambda scope: scope.partition(":")[0]):
        yield kind, ", ".join(scope.partition(":")[2] for scope in group)
