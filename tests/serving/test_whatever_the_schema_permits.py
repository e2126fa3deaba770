"""API and pages are asked whatever their document permits, and what it does not: every answer is documented, and none an error of ours.

`schemathesis` makes the requests: the examples of the document, every boundary of its parameters, and chance; each as one who has all
rights, as one who sees one site alone, and as one who is not known. Event streams are real, and end after a moment. The pages (login,
screens, documentation) are in no published document; theirs is built from the same table.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from streams.access.views import EVERYTHING, View
from streams.serving.agents import Agents
from streams.serving.docs import DOCUMENT
from streams.serving.endpoints import ENDPOINTS
from streams.serving.figures import Figures
from streams.serving.openapi import openapi_of
from tests.serving.records import person
from tests.serving.running import ALL, FEW, reading, serving

if TYPE_CHECKING:
    from schemas.agent_metrics import AgentFigures
    from streams.serving.latest import Entry

#: Of event streams, too, it is looked whether they are as documented.
HOOKS: Final = {"SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("schemathesis_checks.py"))}
WHO: Final = {"all": ALL, "few": FEW, "unknown": None}
#: Some addresses → the accounts that get an answer there.
ANSWERED: Final = {"figures": "all few", "events": "all few", "explain": "all", "contacts": "all", "audit": "all"}
#: How long an event stream is read: everything arrives at once.
STREAM_SECONDS: Final = 0.05
#: The pages, but for their files, and what they take.
PAGES: Final = [each for each in ENDPOINTS if not each.documented and each.name != "page_file"]
FORMS: Final = {
    "enter": ("application/x-www-form-urlencoded", {"name": True, "password": True, "next": False, "lang": False}),
    "redeem": ("application/json", {"ticket": True}),
    "provider_logout": ("application/x-www-form-urlencoded", {"logout_token": True}),
}


def pages() -> dict[str, Any]:
    """Return a document of the pages: errors there may be a page, and redirects have no content."""
    document = openapi_of(PAGES)
    for endpoint in PAGES:
        operation = document["paths"][endpoint.template][endpoint.method.lower()]
        for status, response in operation["responses"].items():
            if status == "303":
                response.pop("content", None)
            elif "application/json" in response.get("content", {}):
                response["content"]["application/json"] = {"schema": {"type": "object"}}
            elif "text/html" in endpoint.media and "content" in response:
                response["content"]["text/html"] = {"schema": {"type": "string"}}
        if endpoint.name in FORMS:
            media, fields = FORMS[endpoint.name]
            schema = {
                "type": "object",
                "properties": {name: {"type": "string"} for name in fields},
                "required": [name for name, required in fields.items() if required],
            }
            operation["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    return document


def api() -> dict[str, Any]:
    """Return the published document; that a stream is a text is left out, for schemathesis would take it for what each event is."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
    del document["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    return document


def run_schemathesis(
    address: str, token: str | None, report: Path, *options: str, described: dict[str, Any] | None = None
) -> tuple[str, dict[str, Any]]:
    """Have schemathesis ask a server; return what it printed, and its report."""
    document = report.with_name("document.json")
    document.write_text(json.dumps(api() if described is None else described), encoding="utf-8")
    program, settings = Path(sys.executable).parent / "schemathesis", Path(__file__).parent / "schemathesis.toml"
    command = [str(program), "--config-file", str(settings), "run", str(document), "--url", address]
    # One at a time: in Python before 3.11.9 threads that parse Python at the same time disturb each other (gh-106905).
    command += ["--checks", "all", "--no-color", "--workers", "1", "--continue-on-failure", "--report", "json", "--report-json-path"]
    command += [str(report), "--request-timeout", "20", *options]
    if token is not None:
        command += ["--header", f"Authorization: Bearer {token}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=1500, cwd=report.parent, env=os.environ | HOOKS)
    assert report.exists(), done.stdout + done.stderr
    return done.stdout, json.loads(report.read_text("utf-8"))


def answered(who: str, folder: Path, *options: str) -> None:
    """Test every endpoint as an account; fail with what was found."""
    with serving(stream_seconds=STREAM_SECONDS, **reading()) as address:
        printed, report = run_schemathesis(address, WHO[who], folder / "report.json", "--phases", "examples,coverage,fuzzing", *options)
    assert (report["exit_code"], report["failures"], report["errors"]) == (0, [], []), printed
    documented = len([each for each in ENDPOINTS if each.documented])
    assert (report["operations"]["tested"], report["complete"]) == (documented, True), printed
    assert report["test_cases"]["generated"] > 30 * documented, printed
    # Not only refusals were tried: one who may ask gets what is there.
    for path, asks in ANSWERED.items():
        accepted = sum(phase["accepted"] for phase in report["valid_rates"].get(f"GET /api/v1/{path}", {}).values())
        assert (accepted > 0) == (who in asks.split()), (path, printed)


@pytest.mark.parametrize("who", WHO)
def test_every_answer_is_documented(who: str, tmp_path: Path) -> None:
    """Status, media type, headers and body are as documented; forbidden requests are refused, permitted ones answered."""
    answered(who, tmp_path, "--max-examples", "5", "--seed", "1")


@pytest.mark.nightly
@pytest.mark.parametrize("who", WHO)
def test_every_answer_is_documented_however_long_one_asks(who: str, tmp_path: Path) -> None:
    """The same by chance: some five hundred requests to each address, other ones each night."""
    answered(who, tmp_path, "--max-examples", "500", "--seed", str(random.randrange(1, 10**9)))


def shown(who: str, folder: Path, *options: str) -> None:
    """Test the pages as an account; fail with what was found."""
    with serving() as address:
        printed, report = run_schemathesis(address, WHO[who], folder / "report.json", *options, described=pages())
    assert (report["exit_code"], report["failures"], report["errors"]) == (0, [], []), printed
    assert (report["operations"]["tested"], report["complete"]) == (len(PAGES), True), printed


@pytest.mark.parametrize("who", ["all", "unknown"])
def test_every_answer_of_a_page_is_documented(who: str, tmp_path: Path) -> None:
    """Login, logout, links of screens, the way to a provider and back, the board and the documentation: their statuses and types."""
    shown(who, tmp_path, "--phases", "examples,coverage", "--seed", "1")


@pytest.mark.nightly
@pytest.mark.parametrize("who", WHO)
def test_every_answer_of_a_page_is_documented_however_long_one_asks(who: str, tmp_path: Path) -> None:
    """The same by chance, other requests each night."""
    options = ("--max-examples", "200", "--seed", str(random.randrange(1, 10**9)))
    shown(who, tmp_path, "--phases", "examples,coverage,fuzzing", *options)


def test_events_that_are_not_as_documented_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that lacks its fields fails at the stream."""
    monkeypatch.setattr(Figures, "everything", lambda *_: {"records": {}})
    with serving(stream_seconds=STREAM_SECONDS) as address:
        printed, report = run_schemathesis(
            address, ALL, tmp_path / "report.json", "--phases", "examples", "--include-path", "/api/v1/events"
        )
    assert report["exit_code"] == 1
    assert "event snapshot" in printed, printed


class Broken(Agents):
    """Agents whose answer is not as documented, or fails."""

    def chosen(
        self, windows: frozenset[str] | None = None, people: frozenset[str] | None = None, view: View = EVERYTHING
    ) -> list[Entry[AgentFigures]]:
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
        printed, report = run_schemathesis(
            address, ALL, tmp_path / "report.json", "--phases", "examples,coverage", "--include-path", "/api/v1/agents", "--seed", "1"
        )
    assert report["exit_code"] == 1
    assert {"Response violates schema", "Server error"} <= {each["title"] for each in report["failures"]}, printed
