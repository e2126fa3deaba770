"""The options of commands that read a platform's file with its connector, and the resulting settings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from streams.commands.common import customer_key, label, zone
from streams.configuration.base import nearest
from streams.configuration.connectors import ConnectorsError
from streams.configuration.problems import read_text
from streams.configuration.yaml_lines import YamlError, parse
from streams.connectors import platforms
from streams.connectors.configured import read_connectors
from streams.connectors.kit.model import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.connectors.configured import Configured
    from streams.connectors.kit.model import Connector

__all__ = ["Platform", "add_setting_options", "add_source_options", "named", "platform"]


class Platform:
    """A connector with the settings of options: it reads a file, whose events count as received when they occurred."""

    def __init__(self, connector: Connector, context: Context, site: str | None) -> None:
        # A file is history, even of a platform that reports at once.
        self.connector = replace(connector, delivery="journal")
        self.context = context
        self.site = site


def named(*others: str) -> Callable[[str], str]:
    """Return a parser for the name of a platform's connector, or one of ``others``; the error for a wrong name suggests similar ones."""

    def read(text: str) -> str:
        known = (*others, *platforms.names())
        if text in known:
            return text
        if text == "asterisk-queue-log":
            raise argparse.ArgumentTypeError("the queue_log is no platform: contact-streams connector asterisk-queue-log FILE")
        completions = [name for name in known if text and name.startswith(text.lower())]
        close = (
            f", did you mean {' or '.join(completions)}?"
            if completions
            else nearest(text.lower().replace("_", "-").replace(" ", "-"), known)
        )
        raise argparse.ArgumentTypeError(f"there is no connector {text[:80]!r}{close or '.'} All names: contact-streams connectors list")

    return read


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Declare the name of a source, its site and its time zone."""
    parser.add_argument("--source", type=label, help="names the platform in every event (default: the connector's name)")
    parser.add_argument("--site", type=label, help="the site its events belong to, where they name none")
    parser.add_argument("--zone", type=zone, default=ZoneInfo("UTC"), help="time zone of times without an offset (default: UTC)")


def add_setting_options(parser: argparse.ArgumentParser) -> None:
    """Declare the settings of a platform's connector."""
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="a setting of the platform's connector, in YAML; may be repeated",
    )
    parser.add_argument(
        "--connectors", type=Path, metavar="FILE", help="connectors file (YAML): settings, zone and site of the entry that --source names"
    )


def platform(name: str, args: argparse.Namespace, *, source: str | None) -> Platform:
    """Return a connector with the settings of options; raise ValueError or FileError with a message for the operator."""
    connector = platforms.connector(name)
    if args.connectors is not None:
        entry = _entry(args.connectors, source, name, customer_key())
        return Platform(
            connector, replace(entry.context, settings={**entry.context.settings, **dict(args.setting)}), args.site or entry.site
        )
    settings = {setting.name: setting.default for setting in connector.settings}
    unknown = [setting for setting, _ in args.setting if setting not in settings]
    if unknown:
        known = ", ".join(settings) or "none"
        raise ValueError(f"--setting {unknown[0]}: {name} has no such setting; permitted: {known}")
    context = Context(source=source or name, zone=args.zone, customer_key=customer_key(), settings={**settings, **dict(args.setting)})
    return Platform(connector, context, args.site)


def _entry(path: Path, source: str | None, name: str, key: Callable[[str], str] | None) -> Configured:
    of_platform = {
        other: entry
        for other, entry in read_connectors(path, read_text(path, ConnectorsError), customer_key=key, secrets=False).items()
        if entry.connector.name == name
    }
    chosen = [entry for other, entry in of_platform.items() if source in {None, other}]
    if len(chosen) != 1:
        raise ValueError(f"{path}: choose an entry of {name} with --source; known: {', '.join(of_platform) or 'none'}")
    return chosen[0]


def _setting(text: str) -> tuple[str, Any]:
    """Parse a setting NAME=VALUE."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        message = f"{text!r}: write NAME=VALUE"
        raise argparse.ArgumentTypeError(message)
    try:
        return name, parse(value).content
    except YamlError as error:
        message = f"{name}: {error.reason}"
        raise argparse.ArgumentTypeError(message) from error
