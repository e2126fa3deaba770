"""``contact-streams connectors``: list platforms, show what each reports, try a payload, configure a platform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streams.commands import platform_options
from streams.commands.common import add_kafka_options, add_log_option, fail, write_json
from streams.commands.connectors_add import run_add
from streams.connectors import platforms

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from streams.connectors.kit.model import Connector

__all__ = ["add_parser", "run_list", "run_show"]

_FILE: Final = Path("connectors.yaml")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("connectors", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list platforms, one line each")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=run_list)
    show = actions.add_parser("show", help="show what a platform reports and what not, its settings, its verification")
    _add_name(show)
    show.add_argument("--json", action="store_true", help="for programs")
    show.set_defaults(run=run_show)
    test = actions.add_parser("test", help="show the events of each record of a payload, without Kafka")
    _add_name(test)
    test.add_argument("file", type=Path, metavar="FILE", help="a payload or export of the platform; - for standard input")
    platform_options.add_source_options(test)
    platform_options.add_setting_options(test)
    test.add_argument("--json", action="store_true", help="one JSON object for each record")
    test.set_defaults(run=run_test)
    add = actions.add_parser("add", help="write an entry into a connectors file, with comments")
    _add_name(add)
    add.add_argument("--source", help="names the platform in every event (default: the connector's name)")
    _add_file(add)
    add.add_argument("--print", action="store_true", help="print the entry and write nothing")
    add.set_defaults(run=run_add)
    status = actions.add_parser("status", help="show when each platform of a connectors file was last seen, as the workers last committed")
    _add_file(status)
    status.add_argument("--json", action="store_true", help="for programs")
    add_kafka_options(status)
    add_log_option(status, default="WARNING")
    status.set_defaults(run=run_status)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", type=platform_options.named(), help="as `list` shows it")


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connectors", type=Path, default=_FILE, metavar="FILE", help="connectors file (default: %(default)s)")


def run_list(args: argparse.Namespace) -> int:
    """Print a line for each platform."""
    connectors = [platforms.connector(name) for name in platforms.names()]
    if args.json:
        write_json({"connectors": [_summary(connector) for connector in connectors]})
        return 0
    width = max(len(connector.name) for connector in connectors)
    title = max(len(connector.title) for connector in connectors)
    sys.stdout.write(f"{'name':<{width}}  {'platform':<{title}}  {'family':<12}  {'when':<8}  comes by\n")
    for connector in connectors:
        names = f"{connector.name:<{width}}  {connector.title:<{title}}"
        sys.stdout.write(f"{names}  {connector.family:<12}  {connector.delivery:<8}  {', '.join(connector.ways)}\n")
    sys.stdout.write(
        "\nBeside these: contact-streams connector asterisk-queue-log FILE, contact-streams connector mapping (any CSV, JSON or workbook)\n"
    )
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Print the description of a connector."""
    connector = platforms.connector(args.name)
    if args.json:
        write_json(_document(connector))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(connector))
    return 0


def _summary(connector: Connector) -> dict[str, Any]:
    return {
        "name": connector.name,
        "title": connector.title,
        "family": connector.family,
        "ways": connector.ways,
        "delivery": connector.delivery,
    }


def _document(connector: Connector) -> dict[str, Any]:
    settings = [
        {"name": setting.name, "meaning": setting.meaning, "default": setting.default, "required": setting.required}
        for setting in connector.settings
    ]
    return {
        **_summary(connector),
        "reports": {part: not why for part, why in connector.reports.items()},
        "not_reported": connector.not_reported,
        "why_not": {part: why for part, why in connector.reports.items() if why},
        "kinds": dict(connector.kinds),
        "ignored": dict(connector.ignored),
        "settings": settings,
        "credentials": [credential.name for credential in connector.credentials],
        "verification": _verified(connector),
        "extra": connector.extra,
        "guessed": connector.guessed,
    }


def _lines(connector: Connector) -> Iterator[str]:
    yield f"{connector.title}: {connector.name}, {connector.family}, comes by {', '.join(connector.ways)}"
    yield ("live: within seconds" if connector.delivery == "live" else "journal: delayed; its events count as received when they occurred")
    yield from _part("reports", [(part.replace("_", " "), f"no: {why}" if why else "yes") for part, why in connector.reports.items()])
    if connector.not_reported:
        line = f"not_reported: [{', '.join(connector.not_reported)}]"
        yield from _part("configure", [(line, "under sources: of the configuration, so that these are null and not 0")])
    yield from _part("becomes", [*connector.kinds.items(), *((kind, f"nothing: {why}") for kind, why in connector.ignored.items())])
    settings = [(setting.name, _default(setting.meaning, setting.default, required=setting.required)) for setting in connector.settings]
    yield from _part("settings", settings)
    yield from _part("credentials", [(credential.name, credential.meaning) for credential in connector.credentials])
    if "webhook" in connector.ways:
        yield from _part("webhook", [("address", "POST /v1/hooks/SOURCE of the gateway"), ("verified", _verified(connector))])
    if connector.extra is not None:
        yield from _part("needs", [("extra", f"pip install 'contact-streams[{connector.extra}]'")])
    yield from _part("guessed", [("-", guess) for guess in connector.guessed])


def _part(head: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        width = max(len(name) for name, _ in rows)
        yield ""
        yield f"{head}:"
        yield from (f"  {name:<{width}}  {text}" for name, text in rows)


def _default(meaning: str, default: Any, *, required: bool) -> str:
    return f"{meaning} (required)" if required else meaning if default in (None, "", [], (), {}) else f"{meaning} (default: {default})"


def _verified(connector: Connector) -> str:
    scheme = connector.verification
    if "webhook" not in connector.ways:
        return "not called by webhook"
    if scheme is None:
        return "by a secret of yours, as Authorization: Bearer or as token in the address"
    if scheme.kind != "hmac":
        where = [
            scheme.header or ("Authorization" if scheme.kind == "basic" else ""),
            scheme.query_parameter and f"{scheme.query_parameter} in the address",
        ]
        return f"by {'user and password' if scheme.kind == 'basic' else 'a secret of yours'} in {' or '.join(filter(None, where))}"
    stale = f", at most {scheme.tolerance_seconds:g} s old" if scheme.tolerance_seconds else ""
    return f"by {scheme.header}: HMAC-{scheme.algorithm.upper()} of {scheme.signed}, {scheme.encoding}{stale}"


def run_test(args: argparse.Namespace) -> int:
    """Print the events of each record of a payload."""
    from streams.commands.connectors_test import run_test as run  # noqa: PLC0415 - imports the models of all events

    return run(args)


def run_status(args: argparse.Namespace) -> int:
    """Print when each platform was last seen."""
    if not args.connectors.is_file():
        return fail(f"{args.connectors}: does not exist; name it with --connectors")
    from streams.commands.connectors_status import run_status as run  # noqa: PLC0415 - imports the Kafka client

    return run(args)
