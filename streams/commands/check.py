"""``contact-streams check``: say what is wrong with a configuration or a mapping before anything starts with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from streams.commands.common import write_json
from streams.configuration import Configuration, load_configuration
from streams.configuration.problems import FileError, read_text
from streams.configuration.yaml_lines import YamlError, parse
from streams.connectors.mapping import load_mapping
from streams.connectors.mapping.format import MappingFile

if TYPE_CHECKING:
    import argparse

    from streams.connectors.mapping import Mapping

__all__ = ["add_parser", "run"]

Kind = Literal["configuration", "mapping"]

_USAGE: Final = 2


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "check",
        help="say what is wrong with a configuration or a mapping",
        description="Reads configurations and mappings and says all that is wrong; ends with 0 if nothing is, else with 2.",
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--kind", choices=("configuration", "mapping"), help="what the files are (default: what their keys say)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check each file and print what was found."""
    results = [_checked(path, args.kind) for path in args.files]
    if args.json:
        files = [result for result, _ in results]
        write_json({"files": files})
    else:
        for result, said in results:
            (sys.stderr if result["errors"] else sys.stdout).write(f"{said}\n")
    return _USAGE if any(result["errors"] for result, _ in results) else 0


def _checked(path: Path, kind: Kind | None) -> tuple[dict[str, Any], str]:
    """Return what was found, for programs and for people."""
    found = kind or _kind(path)
    result: dict[str, Any] = {"file": str(path), "kind": found, "summary": {}, "errors": []}
    try:
        result["summary"] = _of_mapping(load_mapping(path)) if found == "mapping" else _of_configuration(load_configuration(path))
    except FileError as error:
        result["errors"] = [{"line": each.line, "path": each.at, "reason": each.reason} for each in error.problems]
        return result, str(error)
    return result, f"{path}: ok ({_told(found, result['summary'])})"


def _kind(path: Path) -> Kind:
    """Return what the keys of a file say it is; what cannot be read is a configuration, and its errors are said as one."""
    try:
        content = parse(read_text(path, FileError), aliases=True).content
    except (FileError, YamlError):
        return "configuration"
    keys = set(content) if isinstance(content, dict) else set()
    return "mapping" if len(keys & set(MappingFile.keys())) > len(keys & set(Configuration.model_fields)) else "configuration"


def _of_configuration(configuration: Configuration) -> dict[str, int]:
    return {
        "sites": len(configuration.sites),
        "queues": len(configuration.queues),
        "teams": len(configuration.teams),
        "people": len(configuration.people),
        "alerts": len(configuration.alerts),
        "targets": len(configuration.targets),
    }


def _of_mapping(mapping: Mapping) -> dict[str, Any]:
    file = mapping.plan.file
    return {"name": file.name, "source": file.source, "events": len(file.events), "columns": len({name for _, name in mapping.plan.paths})}


def _told(kind: Kind, summary: dict[str, Any]) -> str:
    if kind == "mapping":
        return f"mapping {summary['name']} of {summary['source']}: {summary['events']} events from {summary['columns']} columns"
    return "configuration: " + (", ".join(f"{number} {name}" for name, number in summary.items() if number) or "no queues or sites")
