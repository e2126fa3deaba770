"""``contact-streams access``: check the access file of the server, and make its entries."""

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
    parser = subparsers.add_parser("access", help="check the access file of the server, and make its entries: tokens, people, screens")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = actions.add_parser(
        "check",
        help="say what is wrong with an access file, and who may do what where",
        description="Says all that is wrong with an access file, or who may do what where; with --config also names of sites, departments, "
        "queues and teams that the configuration does not have, what each grant shows, and which groups are too small for it. "
        "Ends with 0 if the file can be used and no site or department is unknown, else with 2.",
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--config", type=Path, metavar="FILE", help="the configuration file of the server")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(run=_check)
    token = actions.add_parser(
        "token",
        help="print a new token, once, and the entry of the access file that holds its hash",
        description="Prints a new random token on one line, for the program, and below it the entry for the access file. "
        "The token is kept nowhere: who loses it makes another one.",
    )
    token.add_argument("name", metavar="NAME", help="the program's name in the access file")
    add_role_options(token)
    token.add_argument("--days", type=int, help="after how many days it is taken no more (default: it is until its entry is deleted)")
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
    """Print what is wrong, or who may do what."""
    try:
        file = load_access(args.file)
        configuration = None if args.config is None else load_configuration(args.config)
    except FileError as error:
        if args.json:
            write_json({"file": str(error.path), "errors": [{"line": p.line, "path": p.at, "reason": p.reason} for p in error.problems]})
            return _USAGE
        return fail(error)
    known = {} if configuration is None else known_names([configuration])
    not_there = [] if configuration is None else [*unknown(in_access(file), known)]
    fatal = any(each.kind in {"site", "department"} for each in not_there)
    places = None if configuration is None else places_of(configuration, smallest_group=file.smallest_group)
    entries = [_entry(name, roles, places) for name, roles in _entries(file)]
    if args.json:
        named = [{"path": ".".join(at), "kind": kind, "name": name} for at, kind, name in not_there]
        write_json({"file": str(args.file), "errors": [], "unknown": named, "entries": entries})
        return _USAGE if fatal else 0
    sys.stderr.writelines(f"{args.file}: {note}\n" for note in notes(not_there, known))
    sys.stdout.write(f"{args.file}: {'ok' if not not_there else 'can be used'}\n")
    for entry in entries:
        sys.stdout.writelines(f"{line}\n" for line in _lines(entry))
    return _USAGE if fatal else 0


def _entries(file: AccessFile) -> Iterator[tuple[str, tuple[RoleGrant, ...]]]:
    found: dict[str, list[RoleGrant]] = {}
    for (kind, name, *_), grant in file.granted():
        found.setdefault(f"{kind}.{name}", []).append(grant)
    yield from ((name, tuple(grants)) for name, grants in found.items())


def _entry(name: str, roles: Iterable[RoleGrant], places: Places | None) -> dict[str, Any]:
    """Return what an entry of the file permits, and what it shows where the configuration is known."""
    told: dict[str, Any] = {"entry": name, "roles": [each.model_dump(exclude_none=True) for each in roles]}
    if places is None:
        return told
    view = Principal(name, "user", tuple(each.grant() for each in roles)).view("figures", places)
    groups = [f"team:{team}" for team in places.teams if view.sees("team", team) and not view.sees_people("team", team)]
    # A view holds the people of what it shows, but only who has the right `people` there sees them.
    shows = None if view.scopes is None else sorted(each for each in view.scopes if _is_shown(view, each))
    return {**told, "shows": shows, "too_small": sorted(groups)}


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
            yield f"    not the figures about people, of whom there are too few, of {kind}: {names}"


def _by_kind(scopes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each kind of the sorted scopes with the names, which may have spaces."""
    for kind, each in groupby(scopes, key=lambda scope: scope.partition(":")[0]):
        yield kind, ", ".join(scope.partition(":")[2] for scope in each)
