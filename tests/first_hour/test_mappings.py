"""A newcomer's first mapping: an error is reported with what the column holds; a file of which nothing counts is no success."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MAPPING = """\
version: 1
name: helpdesk
source: helpdesk
zone: Asia/Tokyo
read: {format: csv, encoding: ENCODING}
record_id: {from: 番号}
conversation_id: {from: 番号}
times: {received: {from: 日時}}
events:
  - {type: contact.queued, at: received, set: {queue: 受付, channel: voice}}
  - {type: contact.answered, when: {from: 結果, equals: ANSWERED}, at: received, set: {agent: A}}
  - {type: contact.left_queue, when: {from: 結果, equals: 放棄}, at: received, set: {reason: abandoned}}
"""
#: Ten calls: six answered, three given up, one passed on.
RESULTS = ["応答"] * 6 + ["放棄"] * 3 + ["溢れ"]


def files(tmp_path: Path, answered: str, *, encoding: str = "utf-8", date: str = "2026-11-20") -> list[str]:
    """Write mapping and data, and return the arguments that name them."""
    mapping, data = tmp_path / "mapping.yaml", tmp_path / "calls.csv"
    mapping.write_text(MAPPING.replace("ANSWERED", answered).replace("ENCODING", encoding), encoding="utf-8")
    rows = [f"C-{number},{date} 10:{number:02}:00,{result}" for number, result in enumerate(RESULTS)]
    data.write_bytes("\n".join(["番号,日時,結果", *rows, ""]).encode(encoding))
    return [str(mapping), str(data)]


def test_a_condition_that_holds_for_no_row_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`equals: answered` where the column reads 応答: which event, of how many rows, what the column holds; tried and replayed."""
    mapping, data = files(tmp_path, "answered")
    warning = "contact.answered: 0 of 10 rows; 結果 holds 応答 6, 放棄 3, 溢れ 1\n"

    assert main(["mappings", "test", mapping, data]) == 0
    assert warning in capsys.readouterr().out
    # Ten were counted as offered and none as answered: no success, and no file of dead letters either.
    assert main(["replay", "--mapping", mapping, data]) == 3
    out, err = capsys.readouterr()
    assert warning in out
    assert err.endswith(f"calls.csv: an event of {mapping} matched no row, see the values of its column above\n")
    mapping, data = files(tmp_path, "応答")
    assert main(["replay", "--mapping", mapping, data]) == 0


def test_a_condition_that_holds_for_some_row_is_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once the value is right the hint is gone, though 溢れ is named by no condition."""
    assert main(["mappings", "test", *files(tmp_path, "応答")]) == 0
    assert "rows; " not in capsys.readouterr().out


def test_a_column_of_many_contents_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What holds something else in every row is compared with nothing fixed, and may be personal: none of it is printed."""
    mapping, data = files(tmp_path, "answered")
    rows = "".join(f"C-{number},2026-11-20 10:00:00,090-0000-{number:04}\n" for number in range(60))
    (tmp_path / "calls.csv").write_text(f"番号,日時,結果\n{rows}", encoding="utf-8")

    assert main(["replay", "--mapping", mapping, data]) == 0
    assert "090-" not in capsys.readouterr().out


def test_a_file_of_dead_letters_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where every row is refused, replay reports it and ends with 1; with one good row it ends with 0."""
    mapping, data = files(tmp_path, "応答", date="someday")

    assert main(["replay", "--mapping", mapping, data]) == 1
    out, err = capsys.readouterr()
    assert "10 dead letters:" in out
    assert "every record is a dead letter, so nothing was counted" in err
    assert "rows; " not in out
    with (tmp_path / "calls.csv").open("a", encoding="utf-8") as file:
        file.write("C-99,2026-11-20 11:00:00,応答\n")
    assert main(["replay", "--mapping", mapping, data]) == 0


def test_shift_jis_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in layouts of reports: ten rows, six answered, three given up."""
    assert main(["mappings", "test", *files(tmp_path, "応答", encoding="shift_jis")]) == 0
    assert "10 rows, 0 not mapped; events: contact.queued 10, contact.answered 6, contact.left_queue 3" in capsys.readouterr().out


REPORT = "queue,interval_start,zone,offered,answered\n受付,2026-11-20 10:00,Asia/Tokyo,10,6\n"


def test_reconcile_reports_that_every_record_was_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten rows of a mapping whose times nothing can read: that, with the first of them, and not a report full of gaps."""
    mapping, data = files(tmp_path, "応答", date="someday")
    report = tmp_path / "report.csv"
    report.write_text(REPORT, encoding="utf-8")

    assert main(["reconcile", str(report), "--replay", data, "--mapping", mapping]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{data}: every record was refused, so there is nothing to compare with" in err
    assert "calls.csv:2: not_a_time" in err


def test_reconcile_lists_uncounted_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row of eleven is refused, and a condition holds for no row: both are below the comparison."""
    mapping, data = files(tmp_path, "応答")
    with (tmp_path / "calls.csv").open("a", encoding="utf-8") as file:
        file.write("C-99,someday,応答\n")
    report = tmp_path / "report.csv"
    report.write_text(REPORT, encoding="utf-8")

    assert main(["reconcile", str(report), "--replay", data, "--mapping", mapping]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 figures compared, 2 equal\n")
    assert "1 dead letter, which count nowhere: 1 not_a_time; the first:\n  calls.csv:12: not_a_time" in out
    mapping, data = files(tmp_path, "answered")
    assert main(["reconcile", str(report), "--replay", data, "--mapping", mapping]) == 1
    assert "contact.answered: 0 of 10 rows; 結果 holds 応答 6, 放棄 3, 溢れ 1" in capsys.readouterr().out


def test_a_comma_in_a_duration_suggests_decimal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seconds written 12,5: the message names the entry for the mapping, and with it the row counts."""
    mapping, data = files(tmp_path, "応答")
    text = (tmp_path / "mapping.yaml").read_text(encoding="utf-8")
    text = text.replace("times: {", "times: {ended: {from: 日時, plus: {from: 秒}}, ") + "  - {type: contact.ended, at: ended}\n"
    (tmp_path / "mapping.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "calls.csv").write_text('番号,日時,秒,結果\nC-1,2026-11-20 10:00:00,"12,5",応答\n', encoding="utf-8")

    assert main(["mappings", "test", mapping, data]) == 1
    hint = "if ',' is the decimal sign, write decimal: ',' under read"
    assert hint in capsys.readouterr().out
    (tmp_path / "mapping.yaml").write_text(text.replace("{format: csv,", '{format: csv, decimal: ",",'), encoding="utf-8")
    assert main(["mappings", "test", mapping, data]) == 0
    assert hint not in capsys.readouterr().out


def test_columns_are_listed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of 60 other columns: each of the mapping's six faults names its column, and the columns of the file are listed once."""
    mapping, data = files(tmp_path, "応答")
    columns = [f"column with a rather long name {number}" for number in range(60)]
    (tmp_path / "calls.csv").write_text(",".join(columns) + "\n", encoding="utf-8")

    assert main(["mappings", "test", mapping, data]) == 2
    err = capsys.readouterr().err
    assert err.count("unknown column") == 5
    assert err.count("column with a rather long name 59") == 1
    assert "mapping.yaml:5: read: the columns of calls.csv:1 are: column with a rather long name 0, " in err
    assert len(err) < 3_500
