"""``contact-streams check``: check a configuration, mapping, senders, connectors or access file before it is used."""

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
        description="Reads configurations, mappings, senders, connectors and access files and lists all errors; "
        "exits with 0 if there are none, else with 2.",
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--kind", choices=get_args(Kind), help="kind of the files (default: by their keys)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check each file and print the results."""
    files = [_Checked(path, args.kind) for path in args.files]
    _compare_names(files)
    if args.json:
        write_json({"files": [file.result for file in files]})
    else:
        for file in files:
            (sys.stderr if file.is_wrong else sys.stdout).write(f"{file.text}\n")
    return _USAGE if any(file.is_wrong for file in files) else 0


class _Checked:
    """A file and its check: ``result`` for programs, ``text`` for operators."""

    def __init__(self, path: Path, kind: Kind | None) -> None:
        self.kind = kind or _kind(path)
        self.configuration: Configuration | None = None
        #: The names that it uses, such as queues.
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
            self.result["errors"] = [{"line": problem.line, "path": problem.at, "reason": problem.reason} for problem in error.problems]
            self._outcome = str(error)
        else:
            self._outcome = f"{path}: ok ({_text_of(self.kind, self.result['summary'])})"

    @property
    def is_wrong(self) -> bool:
        """Whether it cannot be used."""
        return bool(self.result["errors"])

    @property
    def text(self) -> str:
        """The result as text."""
        return self._outcome + "".join(f"\n  {note}" for note in self.result["notes"])


def _compare_names(files: list[_Checked]) -> None:
    """Note the names that no configuration has; each of several configurations is checked by itself."""
    configurations = [file.configuration for file in files if file.configuration is not None]
    has_configuration = any(file.kind == "configuration" for file in files)
    for file in files:
        given = configurations if file.configuration is None else [file.configuration]
        if given:
            file.result["notes"] += notes(file.named, known_names(given))
        elif file.named and file.kind == "access" and not has_configuration:
            file.result["notes"].append("names of queues, teams, sites and departments are compared with a configuration given beside it")


def _kind(path: Path) -> Kind:
    """Return the kind of a file by its keys; an unreadable file is reported as a configuration."""
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
    """Return the module that reads all other kinds of files."""
    from streams.commands import check_others  # noqa: PLC0415 - with the models of all events; a configuration takes nearly half the time

    return check_others


def _notes(configuration: Configuration) -> Iterator[str]:
    """Yield notes about permitted settings that may surprise."""
    uses = [f"the target of {target.scope}" for target in configuration.targets if target.kpi == "aht"]
    uses += [f"the alert {name}" for name, rule in configuration.alerts.items() if rule.kpi == "aht"]
    definitions = [configuration.service_level, *(version for versions in configuration.definitions.values() for version in versions)]
    if uses and not all(definition.aht_parts == {"talk"} for definition in definitions):
        yield (
            f"{', '.join(uses)}: aht adds up talk, hold and wrap-up, and has no value where a source does not report all three, as call "
            "records mostly do not; aht_parts: [talk] under service_level restricts it to talk"
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


def _ways(entry: dict[str, Any]) -> str:
    unsigned = "webhook" in entry["ways"] and not entry["names_secrets"]
    return " or ".join(entry["ways"]) + ("; no webhooks: it names no secrets" if unsigned else "")


def _text_of(kind: Kind, summary: dict[str, Any]) -> str:
    if kind == "senders":
        return f"senders: {len(summary)}" + "".join(_text_of_sender(name, permitted) for name, permitted in summary.items())
    if kind == "connectors":
        lines = (f"\n  {source}: {entry['connector']}, {_ways(entry)}" for source, entry in summary.items())
        return f"connectors: {len(summary)}; their secrets were not read" + "".join(lines)
    if kind == "mapping":
        return f"mapping {summary['name']} of {summary['source']}: {summary['events']} events from {summary['columns']} columns"
    if kind == "access":
        return "access: " + (", ".join(f"{number} {name}" for name, number in summary.items() if number) or "nothing is permitted")
    return "configuration: " + (", ".join(f"{number} {name}" for name, number in summary.items() if number) or "no queues or sites")


def _until(times: dict[str, Any]) -> str:
    return f" until {times['not_after']}" if times["not_after"] else ""


def _text_of_sender(name: str, may: dict[str, Any]) -> str:
    permitted = "; ".join(f"{what} {', '.join(may[what]) or 'none'}" for what in ("sources", "types", "queues", "sites", "teams"))
    tokens = ", ".join(f"{token}{_until(times)}" for token, times in may["tokens"].items())
    return f"\n  {name}: {permitted}; tokens {tokens or 'none'}"
