"""``contact-streams check``: say what is wrong with a configuration, mapping, senders, connectors or access file before it is used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

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
    result: dict[str, Any] = {"file": str(path), "kind": found, "summary": {}, "notes": [], "errors": []}
    try:
        if found == "configuration":
            configuration = load_configuration(path)
            result["summary"], result["notes"] = _of_configuration(configuration), [*_notes(configuration)]
        else:
            result["summary"] = _others().SUMMARIES[found](path)
    except FileError as error:
        result["errors"] = [{"line": each.line, "path": each.at, "reason": each.reason} for each in error.problems]
        return result, str(error)
    told = "".join(f"\n  {note}" for note in result["notes"])
    return result, f"{path}: ok ({_told(found, result['summary'])}){told}"


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
