"""``contact-streams check``: every mistake in a line of its own, for people and for programs, and a word about what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.cli import main

if TYPE_CHECKING:
    from _pytest.capture import CaptureFixture

ROOT = Path(__file__).parents[2]

CENTER = """\
sites:
  tokyo: {zone: Asia/Tokyo}
queues:
  sales: {site: tokyo}
  support: {}
teams:
  red: {}
people:
  ann: {team: red}
alerts:
  long wait: {kpi: longest_wait, above: 120}
"""

MAPPING = """\
version: 1
name: helpdesk
source: helpdesk-osaka
read: {format: csv}
record_id: {from: id}
conversation_id: {from: id}
times:
  received: {from: at}
events:
  - type: contact.queued
    at: received
    set: {queue: {from: team}}
"""

CONNECTORS = """\
connectors:
  line-shop: {connector: line, secrets: [{env: NOT_SET_HERE}]}
"""

UNSIGNED = """\
connectors:
  zen: {connector: zendesk}
"""


def check(tmp_path: Path, text: str, *options: str, name: str = "file.yaml") -> int:
    """Run the command on a text."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    return main(["check", str(tmp_path / name), *options])


class TestRight:
    """Files that can be used."""

    @pytest.mark.parametrize(
        ("text", "summary"),
        [
            (CENTER, "configuration: 1 sites, 2 queues, 1 teams, 1 people, 1 alerts"),
            (MAPPING, "mapping helpdesk of helpdesk-osaka: 1 events from 3 columns"),
            (CONNECTORS, "connectors: 1; their secrets were not read\n  line-shop: line, webhook or file"),
            (UNSIGNED, "connectors: 1; their secrets were not read\n  zen: zendesk, webhook or file; no webhooks: it names no secrets"),
            ("", "configuration: no queues or sites"),
        ],
        ids=["configuration", "mapping", "connectors", "unsigned", "empty"],
    )
    def test_ok_and_what_is_in_it(self, tmp_path: Path, capsys: CaptureFixture[str], text: str, summary: str) -> None:
        """What a file is, is seen by its keys; an empty one is a configuration of defaults."""
        assert check(tmp_path, text) == 0
        assert capsys.readouterr().out == f"{tmp_path}/file.yaml: ok ({summary})\n"

    def test_everything_that_is_shipped(self, capsys: CaptureFixture[str]) -> None:
        """The configurations and mappings of this repository pass, in one call."""
        files = [
            ROOT / "deploy" / "configuration" / "contact-center.yaml",
            ROOT / "streams" / "demo" / "configuration.yaml",
            *(ROOT / "deploy" / "mappings").glob("*.yaml"),
            *(ROOT / "deploy" / "examples").glob("*.yaml"),
        ]

        assert main(["check", *map(str, files)]) == 0
        assert capsys.readouterr().out.count(": ok (") == len(files) >= 5


ACCESS = """\
certificates:
  scraper: {roles: [{role: viewer, sites: [tokyo]}, {role: viewer, queues: [salse, support]}]}
  wall: {roles: [{role: viewer, teams: [blue]}]}
"""
SENDERS = """\
senders:
  crm: {tokens: [], queues: ["s*", "tech*"], sites: [osaka]}
"""
BOARD = """\
boards:
  hall:
    title: {en: Hall}
    pages:
      - tiles:
          - {kind: figure, kpi: waiting, scope: "queue:claims", channel: voice}
          - {kind: alerts, queues: [sales, sels], site: kyoto}
alerting:
  receivers: {floor: {kind: webhook, url_variable: URL}}
  routes: [{scopes: ["queue:s*", "queue:x*"], receivers: [floor]}]
"""


class TestNames:
    """Names of places that no configuration has: no error, for events may bring them, and noted with those that there are."""

    def test_in_files_beside_a_configuration(self, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
        """In access, senders and connectors files; what is known or fits something known is passed over."""
        files = {"access": ACCESS, "senders": SENDERS, "connectors": CONNECTORS.replace("line,", "line, site: tokio,"), "center": CENTER}
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")

        assert main(["check", *(str(tmp_path / f"{name}.yaml") for name in files)]) == 0
        out = capsys.readouterr().out
        for line in (
            "certificates.scraper.roles.1.queues: 'salse' is no queue of the configuration, did you mean sales?; known: sales, support",
            "certificates.wall.roles.0.teams: 'blue' is no team of the configuration; known: red",
            "senders.crm.queues: 'tech*' fits no queue of the configuration; known: sales, support",
            "senders.crm.sites: 'osaka' is no site of the configuration; known: tokyo",
            "connectors.line-shop.site: 'tokio' is no site of the configuration, did you mean tokyo?; known: tokyo",
        ):
            assert out.count(f"  {line}\n") == 1
        assert out.count(" of the configuration") == 5

    def test_in_a_configuration(self, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
        """In boards and in routes of alerts: what else names places is refused where they are unknown."""
        assert check(tmp_path, CENTER + BOARD, "--json") == 0
        (file,) = json.loads(capsys.readouterr().out)["files"]
        assert file["errors"] == []
        assert file["notes"] == [
            "boards.hall.pages.0.tiles.0.scope: 'claims' is no queue of the configuration; known: sales, support",
            "boards.hall.pages.0.tiles.1.queues: 'sels' is no queue of the configuration, did you mean sales?; known: sales, support",
            "boards.hall.pages.0.tiles.1.site: 'kyoto' is no site of the configuration, did you mean tokyo?; known: tokyo",
            "alerting.routes.0.scopes: 'x*' fits no queue of the configuration; known: sales, support",
        ]

    def test_a_single_file_names_what_to_check_beside_it(self, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
        """Without a configuration nothing is known, and nothing is called unknown."""
        assert check(tmp_path, ACCESS) == 0
        note = "  names of queues, teams, sites and departments are compared with a configuration given beside it\n"
        assert capsys.readouterr().out.endswith(f"ok (access: 2 certificates)\n{note}")


class TestWrong:
    """Files that cannot be used; ``test_refusals`` has the problems of configurations, those of mappings are in ``test_mapping_files``."""

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            (
                CENTER.replace("Asia/Tokyo", "Asia/Tokio").replace("site: tokyo", "site: osaka").replace("above: 120", "above: soon"),
                [
                    "2: sites.tokyo.zone: unknown time zone 'Asia/Tokio'; permitted: IANA names such as UTC, Europe/Berlin or Asia/Tokyo",
                    "4: queues.sales.site: 'osaka' is not among sites; permitted: tokyo",
                    '11: alerts.long wait.above: found "soon"; permitted: a number',
                ],
            ),
            (
                MAPPING.replace("source: helpdesk-osaka\n", "").replace("name:", "nam:").replace("at: received", "att: received"),
                [
                    "1: name: required",
                    "1: source: required",
                    "2: nam: unknown key, did you mean name?; permitted: version, name, description,",
                    "9: events.0.at: required",
                    "10: events.0.att: unknown key, did you mean at?; permitted: type, when, each, at, set",
                ],
            ),
            (
                MAPPING.replace("{from: team}", "{form: team}"),
                [
                    "12: events.0.set.queue.form: unknown key, did you mean from?; permitted: from, first_of, join, constant, value,",
                ],
            ),
        ],
        ids=["configuration", "mapping", "inside an event"],
    )
    def test_all_of_it_a_line_each(self, tmp_path: Path, capsys: CaptureFixture[str], text: str, lines: list[str]) -> None:
        """File, line, place, reason and what is permitted; status 2, nothing on stdout."""
        assert check(tmp_path, text) == 2

        output = capsys.readouterr()
        problems = [line.removeprefix(f"{tmp_path}/file.yaml:") for line in output.err.splitlines()]
        assert [line[: len(wanted)] for line, wanted in zip(problems, lines, strict=True)] == lines
        assert output.out == ""

    def test_for_programs(self, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
        """The same as JSON."""
        assert check(tmp_path, "default_zone: Mars\n", "--json") == 2

        (found,) = json.loads(capsys.readouterr().out)["files"]
        assert (found["kind"], found["summary"]) == ("configuration", {})
        (error,) = found["errors"]
        assert (error["line"], error["path"]) == (1, "default_zone")
        assert "unknown time zone 'Mars'; permitted: IANA names" in error["reason"]

    def test_kind(self, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
        """With ``--kind`` a file is judged as that kind."""
        assert check(tmp_path, MAPPING, "--kind", "configuration") == 2
        assert "1: version: unknown key; permitted: default_zone," in capsys.readouterr().err

    def test_one_wrong_among_right_ones(self, tmp_path: Path, capsys: CaptureFixture[str]) -> None:
        """Every file is checked; one mistake makes the status 2."""
        (tmp_path / "good.yaml").write_text(CENTER)
        assert check(tmp_path, "sitez: {}\n", str(tmp_path / "good.yaml"), str(tmp_path / "none.yaml"), name="bad.yaml") == 2

        output = capsys.readouterr()
        assert output.out.startswith(f"{tmp_path}/good.yaml: ok (")
        assert [line.partition(": ")[0].removeprefix(f"{tmp_path}/") for line in output.err.splitlines()] == ["bad.yaml:1", "none.yaml"]
