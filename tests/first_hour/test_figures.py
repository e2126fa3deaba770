"""Lines about figures: a handle time that has no value, formulas in Japanese, percentages, and what a demo's seconds count from."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from streams.cli import main
from streams.demo import run as demo_run
from streams.demo.run import DemoSettings

#: Call records as most systems export them: neither hold nor wrap-up.
MAPPING = """\
version: 1
name: calls
source: pbx
read: {format: csv}
record_id: {from: id}
conversation_id: {from: id}
times: {at: {from: at}, ended: {time: at, plus: {from: talk}}}
events:
  - {type: contact.queued, at: at, set: {queue: sales, channel: voice}}
  - {type: contact.answered, when: {from: talk, present: true}, at: at, set: {agent: Ada}}
  - {type: contact.left_queue, when: {from: talk, present: false}, at: {from: at}, set: {reason: abandoned}}
  - {type: contact.ended, when: {from: talk, present: true}, at: ended}
"""
HINT = "ATT is talk alone, and aht_parts: [talk] in the definition makes AHT the same"


@pytest.fixture
def calls(tmp_path: Path) -> list[str]:
    """Eighteen calls: seventeen of 100 s, one given up; 1 of 18 is 5.56 %."""
    (tmp_path / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    rows = [f"c{n},2026-03-02T09:{n:02}:00Z,{'' if n == 17 else 100}" for n in range(18)]
    (tmp_path / "calls.csv").write_text("\n".join(["id,at,talk", *rows, ""]), encoding="utf-8")
    (tmp_path / "talk.yaml").write_text("service_level: {aht_parts: [talk]}\n", encoding="utf-8")
    return ["--mapping", str(tmp_path / "mapping.yaml")]


def test_replay_shows_talk_and_how_it_becomes_aht(calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ATT 100 s beside an AHT without value, and what to write; once it is written, both are 100 s and the hint is gone."""
    assert main(["replay", *calls, str(tmp_path / "calls.csv")]) == 0
    lines = capsys.readouterr().out.splitlines()
    header, sales = lines[1].split(), lines[2].replace(" %", "%").replace(" s", "s").split()
    assert dict(zip(header, sales, strict=True)) | {"att": "100.0s", "aht": "-"} == dict(zip(header, sales, strict=True))
    assert f"aht has no value in 1 row: hold or wrap-up is unknown; {HINT} (docs/definitions.md)" in lines
    assert main(["replay", *calls, "--config", str(tmp_path / "talk.yaml"), str(tmp_path / "calls.csv")]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[2].split()[-4:] == ["100.0", "s", "100.0", "s"]
    assert "aht has no value" not in out


def test_replay_rounds_percentages(calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """17 of 18 answered is 94.44 %: 94.4; without the last call all are, and 2 of 3 are 66.7, cut they were 66.6."""
    assert main(["replay", *calls, str(tmp_path / "calls.csv")]) == 0
    assert "94.4 %" in capsys.readouterr().out
    rows = "id,at,talk\na,2026-03-02T09:00:00Z,1\nb,2026-03-02T09:00:00Z,1\nc,2026-03-02T09:00:00Z,\n"
    (tmp_path / "calls.csv").write_text(rows, encoding="utf-8")
    assert main(["replay", *calls, str(tmp_path / "calls.csv")]) == 0
    assert "66.7 %" in capsys.readouterr().out


def test_explain_shows_why_aht_has_no_value_also_in_japanese(calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The hint and the formula, in the language that is asked for; no English word is left in the formula."""
    asked = ["explain", "sales", "aht", "--window", "day", *calls, "--replay", str(tmp_path / "calls.csv")]

    main(asked)
    assert HINT in capsys.readouterr().out
    main([*asked, "--lang", "ja"])
    output = capsys.readouterr().out
    assert (
        "計算式: Σ（通話 + 保留 + 後処理） ÷ すべての時間が分かる対応数。または定義のaht_partsによる。チャネルをまたいで合算しない"
        in output
    )
    assert "定義で aht_parts: [talk] とすると" in output


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("alerts: {long: {kpi: aht, above: 400}}\n", True),
        ("targets: [{kpi: aht, scope: 'total:all', channel: voice, unit: seconds, low: 200, high: 400}]\n", True),
        ("service_level: {aht_parts: [talk]}\nalerts: {long: {kpi: aht, above: 400}}\n", False),
        ("alerts: {long: {kpi: att, above: 400}}\n", False),
    ],
)
def test_check_names_what_aht_needs(text: str, is_shown: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a target or an alert is about it, and it adds up more than talk."""
    file = tmp_path / "center.yaml"
    file.write_text(text, encoding="utf-8")

    assert main(["check", str(file)]) == 0
    assert ("aht_parts: [talk] under service_level restricts it to talk" in capsys.readouterr().out) is is_shown


def test_the_demo_counts_its_seconds_from_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures are hours old, then minutes, for longer than its seconds: it continues, and ends its seconds after they are current."""
    seconds, slow = 0.4, 1.0
    monkeypatch.setattr(demo_run, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(demo_run, "_REPORT_SECONDS", 0.1)
    demo = demo_run._Demo(DemoSettings(seconds=seconds), tmp_path)
    began = time.monotonic()

    async def as_of(_session: Any) -> float:
        return time.time() - (0.5 if time.monotonic() - began > slow else 10_800)

    monkeypatch.setattr(demo, "_as_of", as_of)
    monkeypatch.setattr(demo, "_supervise", lambda: None)
    asyncio.run(demo._watch(None))  # type: ignore[arg-type]

    lasted = time.monotonic() - began
    assert slow + seconds <= lasted < slow + seconds + 5
    output = capsys.readouterr().out
    assert output.count(": caught up; it ends in 0.4 s.") == 1
    assert output.count(" UTC ...") >= 5


def test_the_sample_event_of_the_page_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sample in docs/events.md is accepted as written, and gives the figures beside it."""
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
    section = page.split("## A sample")[1].split("\n## ")[0]
    (tmp_path / "call.jsonl").write_text(section.split("```json\n")[1].split("```")[0], encoding="utf-8")

    assert main(["replay", "--connector", "canonical", "--json", str(tmp_path / "call.jsonl")]) == 0
    result = json.loads(capsys.readouterr().out)
    names = {"offered": 1, "answered": 1, "asa": 12, "att": 210, "average_hold": 30, "acw": 30, "aht": 270}
    assert {name: result["totals"][name]["value"] for name in names} == names
    assert result["dead_letters"] == []
    assert "offered 1, answered 1 after 12 s, 210 s of talk, 30 s on hold, 30 s of wrap-up" in section
