"""``contact-streams check``: say what is wrong with a configuration, mapping, senders, connectors or access file before it is used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from streams.commands.check_names import Named, in_configuration, known_names, notes
from streams.commands.common import write_json
from streams.configuration import Configuration, load_configuration
from streams.configuration.problems import FileError, read_text
from streams.configuration.yaml_lines import YamlError, parse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["add_parser", "run"]

Kind = Literal["configuration", "mapping", "senders", "connectors", "access"]

_USAGE: Final = 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "check",
        description="Reads configurations, mappings, senders, connectors and access files and says all that is wrong; "
        "ends with 0 if nothing is, else with 2.",
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--kind", choices=get_args(Kind), help="what the files are (default: what their keys say)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check each file and print what was found."""
    files = [_Checked(path, args.kind) for path in args.files]
    _compare_names(files)
    if args.json:
        write_json({"files": [file.result for file in files]})
    else:
        for file in files:
            (sys.stderr if file.is_wrong else sys.stdout).write(f"{file.said}\n")
    return _USAGE if any(file.is_wrong for file in files) else 0


class _Checked:
    """A file, and what was found in it: for programs in ``result``, for people in ``said``."""

    def __init__(self, path: Path, kind: Kind | None) -> None:
        self.kind = kind or _kind(path)
        self.configuration: Configuration | None = None
        #: The names of places that it uses.
        self.named: list[Named] = []
        self.result: dict[str, Any] = {"file": str(path), "kind": self.kind, "summary": {}, "notes": [], "errors": []}
        try:
            if self.kind == "configuration":
                self.configuration = load_configuration(path)
                self.result["summary"], self.result["notes"] = _of_configuration(self.configuration), [*_notes(self.configuration)]
                self.named = [*in_configuration(self.configuration)]
            else:
                self.result["summary"], self.named = _others().SUMMARIES[self.kind](path)
        except FileError as error:
            self.result["errors"] = [{"line": each.line, "path": each.at, "reason": each.reason} for each in error.problems]
            self._said = str(error)
        else:
            self._said = f"{path}: ok ({_told(self.kind, self.result['summary'])})"

    @property
    def is_wrong(self) -> bool:
        """Whether it cannot be used."""
        return bool(self.result["errors"])

    @property
    def said(self) -> str:
        """What people read."""
        return self._said + "".join(f"\n  {note}" for note in self.result["notes"])


def _compare_names(files: list[_Checked]) -> None:
    """Note the names that no configuration has; each of several configurations is looked at by itself."""
    configurations = [file.configuration for file in files if file.configuration is not None]
    are_there = any(file.kind == "configuration" for file in files)
    for file in files:
        given = configurations if file.configuration is None else [file.configuration]
        if given:
            file.result["notes"] += notes(file.named, known_names(given))
        elif file.named and file.kind == "access" and not are_there:
            file.result["notes"].append("names of queues, teams, sites and departments are compared with a configuration given beside it")


def _kind(path: Path) -> Kind:
    """Return what the keys of a file say it is; what cannot be read is a configuration, and its errors are said as one."""
    try:
        content = parse(read_text(path, FileError), aliases=True).content
    except (FileError, YamlError):
        return "configuration"
    keys = set(content) if isinstance(content, dict) else set()
    if keys <= set(Configuration.model_fields):
        return "configuration"
    others = _others()
    if keys & others.KEYS["senders"]:
        return "senders"
    if keys & others.KEYS["connectors"]:
        return "connectors"
    if len(keys & others.KEYS["access"]) > len(keys) / 2:
        return "access"
    return "mapping" if len(keys & others.KEYS["mapping"]) > len(keys & set(Configuration.model_fields)) else "configuration"


def _others() -> ModuleType:
    """Return what reads all other kinds of files."""
    from streams.commands import check_others  # noqa: PLC0415 - with the models of all events; a configuration takes nearly half the time

    return check_others


def _notes(configuration: Configuration) -> Iterator[str]:
    """Yield what is permitted, and may surprise."""
    looked_at = [f"the target of {each.scope}" for each in configuration.targets if each.kpi == "aht"]
    looked_at += [f"the alert {name}" for name, each in configuration.alerts.items() if each.kpi == "aht"]
    definitions = [configuration.service_level, *(each for every in configuration.definitions.values() for each in every)]
    if looked_at and not all(each.aht_parts == {"talk"} for each in definitions):
        yield (
            f"{', '.join(looked_at)}: aht adds up talk, hold and wrap-up, and has no value where a source does not tell all three, as call "
            "records mostly do not; aht_parts: [talk] under service_level makes it of talk alone"
        )


def _of_configuration(configuration: Configuration) -> dict[str, int]:
    return {
        "sites": len(configuration.sites),
        "queues": len(configuration.queues),
        "teams": len(configuration.teams),
        "people": len(configuration.people),
        "alerts": len(configuration.alerts),
        "targets": len(configuration.targets),
    }


def _came_by(entry: dict[str, Any]) -> str:
    unsigned = "webhook" in entry["ways"] and not entry["names_secrets"]
    return " or ".join(entry["ways"]) + ("; no webhooks: it names no secrets" if unsigned else "")


def _told(kind: Kind, summary: dict[str, Any]) -> str:
    if kind == "senders":
        return f"senders: {len(summary)}" + "".join(_told_of_sender(name, each) for name, each in summary.items())
    if kind == "connectors":
        lines = (f"\n  {source}: {each['connector']}, {_came_by(each)}" for source, each in summary.items())
        return f"connectors: {len(summary)}; their secrets were not read" + "".join(lines)
    if kind == "mapping":
        return f"mapping {summary['name']} of {summary['source']}: {summary['events']} events from {summary['columns']} columns"
    if kind == "access":
        return "access: " + (", ".join(f"{number} {name}" for name, number in summary.items() if number) or "nothing is permitted")
    return "configuration: " + (", ".join(f"{number} {name}" for name, number in summary.items() if number) or "no queues or sites")


def _until(times: dict[str, Any]) -> str:
    return f" until {times['not_after']}" if times["not_after"] else ""


def _told_of_sender(name: str, may: dict[str, Any]) -> str:
    permitted = "; ".join(f"{what} {', '.join(may[what]) or 'none'}" for what in ("sources", "types", "queues", "sites", "teams"))
    tokens = ", ".join(f"{each}{_until(times)}" for each, times in may["tokens"].items())
    return f"\n  {name}: {permitted}; tokens {tokens or 'none'}"
