"""The API is asked whatever its OpenAPI permits, and what it does not: every answer is documented, and none is an error of ours.

`schemathesis` makes the requests: the examples of the document, every boundary of its parameters, and chance; each as one who has all
rights, as one who sees one site alone, and as one who is not known.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from streams.serving.agents import Agents
from streams.serving.docs import DOCUMENT
from streams.serving.endpoints import ENDPOINTS
from tests.serving.records import person
from tests.serving.running import ALL, FEW, serving

if TYPE_CHECKING:
    from schemas.agent_metrics import AgentFigures
    from streams.serving.latest import Entry

WHO: Final = {"all": ALL, "few": FEW, "unknown": None}
#: An event stream does not end: what it says is compared in test_openapi.py.
ENDLESS: Final = "/api/v1/events"


def asked(address: str, token: str | None, report: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """Have schemathesis ask a server; return what it printed, and its report."""
    program, settings = Path(sys.executable).parent / "schemathesis", Path(__file__).parent / "schemathesis.toml"
    command = [str(program), "--config-file", str(settings), "run", str(DOCUMENT), "--url", address]
    # One at a time: in Python before 3.11.9 threads that parse Python at the same time disturb each other (gh-106905).
    command += ["--checks", "all", "--no-color", "--workers", "1", "--continue-on-failure", "--report", "json", "--report-json-path"]
    command += [str(report), "--request-timeout", "20", "--exclude-path", ENDLESS, *options]
    if token is not None:
        command += ["--header", f"Authorization: Bearer {token}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=1500, cwd=report.parent)
    assert report.exists(), done.stdout + done.stderr
    return done.stdout, json.loads(report.read_text("utf-8"))


def answered(who: str, folder: Path, *options: str) -> None:
    """Ask everything as somebody; fail with what was found."""
    with serving() as address:
        printed, told = asked(address, WHO[who], folder / "report.json", "--phases", "examples,coverage,fuzzing", *options)
    assert (told["exit_code"], told["failures"], told["errors"]) == (0, [], []), printed
    documented = len([each for each in ENDPOINTS if each.documented]) - 1
    assert (told["operations"]["tested"], told["complete"]) == (documented, True), printed
    assert told["test_cases"]["generated"] > 30 * documented, printed
    # Not only refusals were tried: one who may ask gets what is there.
    accepted = sum(phase["accepted"] for phase in told["valid_rates"].get("GET /api/v1/figures", {}).values())
    assert (accepted > 0) == (who != "unknown"), printed


@pytest.mark.parametrize("who", WHO)
def test_every_answer_is_documented(who: str, tmp_path: Path) -> None:
    """Status, media type, headers and body are as the document says; what it forbids is refused, what it permits is answered."""
    answered(who, tmp_path, "--max-examples", "5", "--seed", "1")


@pytest.mark.nightly
@pytest.mark.parametrize("who", WHO)
def test_every_answer_is_documented_however_long_one_asks(who: str, tmp_path: Path) -> None:
    """The same by chance: some five hundred requests to each address, other ones each night."""
    answered(who, tmp_path, "--max-examples", "500", "--seed", str(random.randrange(1, 10**9)))


class Broken(Agents):
    """People of whom what is told is not as documented, or cannot be told at all."""

    def chosen(self, windows: frozenset[str] | None = None, people: frozenset[str] | None = None) -> list[Entry[AgentFigures]]:
        """Return records without most of their fields; fail where people are chosen."""
        if people is not None:
            raise RuntimeError
        return [replace(entry, raw=b'{"scope":"tanaka"}') for entry in self.entries()]


def test_what_is_not_as_documented_is_found(tmp_path: Path) -> None:
    """A body that lacks fields, and an error of ours, are found where they are: else the tests above would prove nothing."""
    read = Broken()
    assert read.feed(*person("tanaka"))
    agents = Broken()
    agents.take_over(read)
    with serving(agents=agents) as address:
        printed, told = asked(
            address, ALL, tmp_path / "report.json", "--phases", "examples,coverage", "--include-path", "/api/v1/agents", "--seed", "1"
        )
    assert told["exit_code"] == 1
    assert {"Response violates schema", "Server error"} <= {each["title"] for each in told["failures"]}, printed
