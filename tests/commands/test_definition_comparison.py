"""``contact-streams replay --definition``: several definitions on one file, by queue and interval, reckoned by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.times import format_ms, parse_time_ms
from streams.cli import main

if TYPE_CHECKING:
    from pathlib import Path

NINE = parse_time_ms("2026-03-02T09:00:00Z")

CENTER = """
definitions:
  standard:
    - {threshold_s: 20}
    - {version: 2, threshold_s: 5, effective_from: 2026-03-02T09:15:00Z}
  strict: {threshold_s: 10, abandon: positive}
queues: {sales: {channel: voice, target: 0.8, service_level: {threshold_s: 3}}}
"""

#: Minute of the entry, seconds of wait, and how it left.
CONTACTS = ((1, 8, "answered"), (2, 15, "answered"), (3, 9, "abandoned"), (4, 30, "abandoned"), (16, 8, "answered"))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Write events and configuration, and return the arguments that name them."""
    lines = []
    for number, (minute, wait, how) in enumerate(CONTACTS):
        begin = NINE + minute * 60_000
        last: dict[str, Any] = {"type": "contact.answered", "agent": "a"}
        if how == "abandoned":
            last = {"type": "contact.left_queue", "reason": "abandoned"}
        steps = ((begin, {"type": "contact.queued", "queue": "sales", "channel": "voice"}), (begin + wait * 1000, last))
        for at_ms, fields in steps:
            at = format_ms(at_ms)
            common = {"event_id": f"{number}-{at}", "conversation_id": f"c{number}", "source": "pbx", "occurred_at": at, "received_at": at}
            lines.append(orjson.dumps({**common, **fields}))
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "center.yaml").write_text(CENTER, encoding="utf-8")
    return ["replay", "--connector", "canonical", str(tmp_path / "events.jsonl"), "--config", str(tmp_path / "center.yaml")]


def test_as_a_table(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """First quarter: standard 2 of 4, strict 8 s and the abandon after 9 s, 2 of 4; second: 8 s are beyond version 2's 5 s."""
    assert main([*files, "--definition", "standard", "--definition", "strict"]) == 0

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["queue", "channel", "from", "standard", "strict", "strict", "-", "standard"],
        ["sales", "voice", "2026-03-02T09:00:00.000Z", "50.0", "%", "2/4", "50.0", "%", "2/4", "+0.0"],
        ["sales", "voice", "2026-03-02T09:15:00.000Z", "0.0", "%", "0/1", "100.0", "%", "1/1", "+100.0"],
    ]


def test_as_json(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A preset against one version from the beginning: cisco-handled has 2 of 2, standard@2 none of 4 within 5 s."""
    assert main([*files, "--json", "--definition", "standard@2", "--definition", "cisco-handled"]) == 0

    found = orjson.loads(capsys.readouterr().out)["comparison"]
    quarter = next(each for each in found if each["interval"] == "interval_15m" and each["start"] == "2026-03-02T09:00:00.000Z")
    assert quarter["versions"] == {"standard@2": 2, "cisco-handled": 1}
    level = quarter["kpis"]["service_level"]
    parts = {name: (figure["numerator"], figure["denominator"]) for name, figure in level["figures"].items()}
    assert parts == {"standard@2": (0, 4), "cisco-handled": (2, 2)}
    assert level["differences"] == {"cisco-handled": 1.0}


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["standard"], "--definition standard; permitted: 2 to 4 definitions, each once"),
        (["standard", "standard"], "--definition standard, standard; permitted: 2 to 4 definitions, each once"),
        (
            ["standard", "strct"],
            "--definition strct is unknown; permitted: standard, strict, standard@1, standard@2, service_level, ",
        ),
        (["standard", "strict@9"], "--definition strict@9 is unknown; permitted: standard, strict,"),
    ],
)
def test_incomparable_definitions(files: list[str], names: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists what is permitted, before anything is read."""
    assert main([*files, *(part for name in names for part in ("--definition", name))]) != 0
    assert complaint in capsys.readouterr().err
