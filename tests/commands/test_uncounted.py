"""``replay`` and ``reconcile`` print how many events counted nothing, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streams.cli import main

if TYPE_CHECKING:
    from pathlib import Path

#: A call, a hold and a wrap-up of another that is not known, and an answer without a queue.
EVENTS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("09:00:00", "contact.queued", "c1", {"queue": "sales", "channel": "voice"}),
    ("09:00:10", "contact.answered", "c1", {"agent": "ann"}),
    ("09:01:00", "contact.held", "c2", {}),
    ("09:01:30", "contact.wrapped_up", "c2", {}),
    ("09:31:00", "contact.answered", "c3", {"agent": "ann"}),
)
UNCOUNTED_LINE = "3 events counted nothing: 2 no_leg, 1 no_queue (docs/counting.md, section 12.5)"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the events as a file."""
    lines = []
    for number, (clock, kind, conversation, fields) in enumerate(EVENTS):
        at = f"2026-03-02T{clock}Z"
        times = {"occurred_at": at, "received_at": at}
        lines.append(
            json.dumps({"type": kind, "event_id": f"e{number}", "source": "pbx", "conversation_id": conversation, **times, **fields})
        )
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_replay_counts_uncounted_events(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line is below the table; without uncounted events there is none."""
    assert main(["replay", "--connector", "canonical", str(file)]) == 0
    assert UNCOUNTED_LINE in capsys.readouterr().out.splitlines()

    file.write_text(file.read_text(encoding="utf-8").split("\n")[0], encoding="utf-8")
    assert main(["replay", "--connector", "canonical", str(file)]) == 0
    assert "counted nothing" not in capsys.readouterr().out


def test_a_comparison_with_a_report_counts_uncounted_events(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They may be what the other system has and we have not."""
    report = tmp_path / "report.csv"
    report.write_text("queue,interval_start,zone,offered\nsales,2026-03-02 09:00,UTC,1\n", encoding="utf-8")
    command = ["reconcile", str(report), "--replay", str(file), "--connector", "canonical"]

    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == UNCOUNTED_LINE
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["events_uncounted"] == {"no_leg": 2, "no_queue": 1}
