"""``contact-streams connectors add``: an entry of a connectors file, with all settings of the connector in comments."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Final

import yaml

from streams.commands.common import fail
from streams.configuration.connectors import ConnectorsError, parse_connectors
from streams.configuration.problems import read_text
from streams.configuration.yaml_lines import YamlError, parse
from streams.connectors import platforms
from streams.connectors.configured import HOOKS_PATH, settings_of
from streams.connectors.docs import page_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from streams.configuration.connectors import ConnectorsFile
    from streams.connectors.kit.model import Connector, Setting

__all__ = ["run_add"]

_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_INDENT: Final = "  "


class ConnectorsShapeError(Exception):
    """The file has no location for an entry."""


def run_add(args: argparse.Namespace) -> int:
    """Write the entry, or print it, and print the remaining steps."""
    connector = platforms.connector(args.name)
    source = args.source or connector.name
    if not _SOURCE.fullmatch(source):
        return fail("connectors: --source is 1 to 80 letters, digits and _ . -")
    try:
        text = read_text(args.connectors, ConnectorsError) if args.connectors.exists() else ""
        content = _added(text, source, "".join(f"{line}\n" for line in _entry(connector, source))) if not args.print else ""
        if not args.print:
            file = parse_connectors(args.connectors, content)
            args.connectors.write_text(content, encoding="utf-8")
    except YamlError as error:
        return fail(f"{args.connectors}:{error.line}: {error.reason}")
    except ConnectorsShapeError as error:
        return fail(f"{args.connectors}: {error}")
    except ConnectorsError as error:
        return fail(error)
    except OSError as error:
        return fail(f"{args.connectors}: cannot be written: {error.strerror}")
    if args.print:
        sys.stdout.write("connectors:\n" + "".join(f"{_INDENT}{line}\n" for line in _entry(connector, source)))
        return 0
    sys.stdout.write(f"{args.connectors}: {source} added. Remaining steps:\n")
    sys.stdout.writelines(f"  - {line}\n" for line in _left(connector, source, file, args.connectors))
    return 0


def _left(connector: Connector, source: str, file: ConnectorsFile, path: Path) -> Iterator[str]:
    """Yield the operator's next steps."""
    is_hooked = "webhook" in connector.ways and connector.translate is not None
    if any(setting.required for setting in settings_of(connector)):
        yield f"{path}: replace FILL_IN by the value"
    if is_hooked:
        yield f"for webhooks: remove the # before `secrets`, and put the secret into the variable {_variable(source)}_SECRET"
        if file.public_url is None and connector.verification is not None and "url" in connector.verification.signed:
            yield f"{path}: write `public_url: https://YOUR-HOST` at the top; {connector.title} signs the address that it calls"
        where = (file.public_url or "https://YOUR-HOST").rstrip("/")
        yield f"enter at {connector.title}: {where}{HOOKS_PATH}{source}"
    if is_hooked or "page" in connector.ways:
        yield f"run contact-streams gateway --connectors {path}"
    if {"pull", "connection"} & {*connector.ways}:
        verb = "polled" if "pull" in connector.ways else "followed"
        yield f"to have it {verb}: remove the # before `credentials` and the required `settings`"
        yield f"run contact-streams connector run {source} --connectors {path}"
    page = page_of(connector.name)
    if connector.ways == ("file",):
        yield f"run contact-streams replay --connector {connector.name} --connectors {path} --source {source} FILE"
    yield f"check it by contact-streams check {path}; its page is docs/connectors{'.md' if page is None else f'/{page.name}'}"


def _variable(source: str) -> str:
    """Return the prefix of environment variables."""
    return re.sub(r"[^A-Za-z0-9]", "_", source).upper()


def _entry(connector: Connector, source: str) -> Iterator[str]:
    yield f"{source}:  # {connector.title}"
    yield f"{_INDENT}connector: {connector.name}"
    yield f"{_INDENT}# site: the site its events belong to, where they name none"
    yield f"{_INDENT}# zone: Europe/Berlin  # of times without an offset; default UTC"
    variable = _variable(source)
    if "webhook" in connector.ways:
        yield f"{_INDENT}# The secret that verifies its webhooks; several while one replaces another:"
        yield f"{_INDENT}# secrets: [{{env: {variable}_SECRET}}]"
    if connector.answers.challenge == "hub":
        yield f"{_INDENT}# The text that it repeats when the address is entered there:"
        yield f"{_INDENT}# verify_token: {{env: {variable}_VERIFY_TOKEN}}"
    if connector.credentials:
        yield f"{_INDENT}# Credentials for polling it:"
        yield f"{_INDENT}# credentials:"
        for credential in connector.credentials:
            meaning = _one_line(credential.meaning)
            yield f"{_INDENT}#   {credential.name}: {{env: {variable}_{credential.name.upper()}}}  # {meaning}"
    settings = settings_of(connector)
    required = [setting for setting in settings if setting.required]
    optional = [setting for setting in settings if not setting.required]
    if required:
        yield f"{_INDENT}settings:"
        yield from _settings(required, _INDENT * 2)
    elif optional:
        yield f"{_INDENT}# settings:"
    yield from _settings(optional, _INDENT * 2 + "# " if required else f"{_INDENT}#   ")


def _settings(settings: list[Setting], indent: str) -> Iterator[str]:
    for setting in settings:
        value = "FILL_IN" if setting.required else _value(setting.default)
        yield f"{indent}{setting.name}: {value}  # {_one_line(setting.meaning)}"


def _value(default: Any) -> str:
    """Return a default in YAML, on one line."""
    text = yaml.safe_dump(
        list(default) if isinstance(default, tuple) else default, default_flow_style=True, allow_unicode=True, width=10_000
    )
    return text.removesuffix("...\n").strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _added(text: str, source: str, entry: str) -> str:
    """Return the text of a file with one more entry, otherwise unchanged; raise ConnectorsShapeError where that is impossible."""
    root = parse(text).root
    if root is None:
        return f"{text}connectors:\n{_indented(entry, len(_INDENT))}"
    if not isinstance(root, yaml.MappingNode):
        raise ConnectorsShapeError("the file is no connectors file; add --print, and write the entry yourself")
    for key, value in root.value:
        if key.value != "connectors":
            continue
        if isinstance(value, yaml.MappingNode) and source in {name.value for name, _ in value.value}:
            raise ConnectorsShapeError(f"{source}: there is a connector of this source; give another --source")
        if isinstance(value, yaml.MappingNode) and not value.flow_style and value.value:
            first = value.value[0][0].start_mark
            lines = text.splitlines(keepends=True)
            return "".join([*lines[: first.line], _indented(entry, first.column), *lines[first.line :]])
        raise ConnectorsShapeError("`connectors` has no entries on lines of their own; add --print, and write the entry yourself")
    return f"{text.rstrip()}\nconnectors:\n{_indented(entry, len(_INDENT))}"


def _indented(entry: str, columns: int) -> str:
    return "".join(" " * columns + line for line in entry.splitlines(keepends=True))
