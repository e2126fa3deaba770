"""The page about operations is true: links, commands, variables, ports, configuration and dashboards exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas.topics import topic
from streams.cli import COMMANDS
from streams.connectors.gateway import GatewaySettings
from streams.serving.service import ServeSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def code(pattern: str) -> set[str]:
    """Return what a pattern finds in the code spans of the page."""
    spans = re.findall(r"`([^`\n]+)`", PAGE)
    return {found for span in spans for found in re.findall(pattern, span)}


def test_links_and_files_are_there() -> None:
    """What the page links to or names below deploy/ exists; .env is what the reader makes."""
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    named = set(re.findall(r"(?<!tests/)deploy/[\w./-]*\w", PAGE)) - {"deploy/.env"}

    assert len(links) > 5
    assert all((ROOT / "docs" / link).is_file() for link in links)
    assert len(named) > 5
    assert all((ROOT / path).exists() for path in named), named


def test_commands_are_there() -> None:
    """Every command that the page names is one."""
    named = code(r"^contact-streams ([\w-]+)")

    assert {"worker", "serve", "gateway", "connector"} <= named <= set(COMMANDS)


def test_variables_are_read() -> None:
    """Every environment variable on the page is read by a command or by the image, and none of theirs is left out."""
    sources = [*(ROOT / "streams" / "commands").glob("*.py"), *(ROOT / "streams" / "connectors").rglob("*.py"), ROOT / "Dockerfile"]
    read = {name for path in sources for name in re.findall(r"CONTACT_STREAMS_[A-Z_]+", path.read_text(encoding="utf-8"))}

    assert code(r"CONTACT_STREAMS_[A-Z_]+") == read


@pytest.mark.parametrize(
    ("command", "port"), [("gateway", GatewaySettings().port), ("worker", 9464), ("serve", ServeSettings().port)], ids=str
)
def test_ports_are_the_defaults(command: str, port: int) -> None:
    """The table of processes has the port that each listens on by itself."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `contact-streams {command}` |"))

    assert row.endswith(f"| {port} |")


def test_numbers_of_partitions_are_true() -> None:
    """The numbers in the text are those of the list of topics."""
    assert f"{topic('contact-events.v1').partitions} partitions for events and {topic('queue-panes.v1').partitions} for figures" in PAGE


def test_dashboards_are_listed() -> None:
    """The table of dashboards has their titles."""
    titles = {json.loads(path.read_text(encoding="utf-8"))["title"] for path in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")}
    table = PAGE.partition("| dashboard | for |")[2].partition("\n\n")[0]

    listed = {name for cell in re.findall(r"^\| ([A-Z][^|]+) \|", table, re.MULTILINE) for name in cell.split(", ")}
    assert listed == titles
