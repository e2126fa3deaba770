"""Data files: compressed, in Japanese and UTF-16 encodings, damaged, as workbooks, large, in the order of the file."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from streams.cli import main
from streams.connectors.lines import Rejected
from streams.connectors.mapping import Mapper, MappingError, load_mapping
from streams.connectors.mapping.records import read_records as records_of
from tests.support.mapped import outcomes_of
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, tzinfo=UTC)

MAPPING = """\
version: 1
name: test
source: crm
zone: Asia/Tokyo
read: {read}
record_id: {{from: 番号}}
conversation_id: {{from: 番号}}
events:
  - type: contact.queued
    at: {{from: 受付}}
    set: {{queue: {{from: 窓口}}, channel: mail}}
"""
TABLE = "番号,受付,窓口\n1,2026-03-02 09:00:00,修理\n2,2026-03-02 09:05:00,注文\n"
#: The contents of the table, in any encoding.
TABLE_EVENTS = [("crm:1", "2026-03-02T00:00:00", "修理"), ("crm:2", "2026-03-02T00:05:00", "注文")]


def mapped(folder: Path, mapping: str, data: bytes) -> tuple[list[Any], list[Rejected], Mapper]:
    """Map a file; return its events, its rejections, and the mapper."""
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    (folder / "data").write_bytes(data)
    outcomes, mapper = outcomes_of(folder / "mapping.yaml", folder / "data", NOW)
    events = [event for outcome in outcomes if not isinstance(outcome, Rejected) for event in outcome]
    return events, [outcome for outcome in outcomes if isinstance(outcome, Rejected)], mapper


def summaries(events: list[Any]) -> list[tuple[str, str, str]]:
    """Return conversation, time and queue of events."""
    return [(event.conversation_id, event.occurred_at.isoformat()[:19], event.queue) for event in events]


# ---- Encodings ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("cp932", "cp932"),
        ("euc_jp", "euc_jp"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, written: str, packed: bool) -> None:
    """The same table in each, with a byte order mark and compressed, gives the same events."""
    data = TABLE.encode(written)
    read = f"{{format: csv, encoding: {encoding}}}"
    events, rejected, mapper = mapped(tmp_path, MAPPING.format(read=read), gzip.compress(data) if packed else data)
    assert (summaries(events), rejected, mapper.notes()) == (TABLE_EVENTS, [], [])


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_in_utf_16(tmp_path: Path, form: str) -> None:
    """JSON and JSON Lines too."""
    lines = [
        '{"番号": 1, "受付": "2026-03-02T09:00:00", "窓口": "修理"}',
        '{"番号": 2, "受付": "2026-03-02T09:05:00", "窓口": "注文"}',
    ]
    events, rejected, _ = mapped(tmp_path, MAPPING.format(read=f"{{format: {form}, encoding: utf-16}}"), "\n".join(lines).encode("utf-16"))
    assert (summaries(events), rejected) == (TABLE_EVENTS, [])


@pytest.mark.parametrize(
    ("encoding", "damaged"),
    [
        ("utf-8", TABLE.encode().replace("修理".encode(), b"\xe4\xbf")),
        ("cp932", TABLE.encode("cp932").replace("修理".encode("cp932"), b"\x81\x20")),
        # A lone surrogate.
        ("utf-16-le", TABLE.encode("utf-16-le").replace("修理".encode("utf-16-le"), b"\x00\xd8")),
    ],
    ids=["utf-8", "cp932", "utf-16"],
)
def test_a_damaged_record(tmp_path: Path, encoding: str, damaged: bytes) -> None:
    """It alone is lost, or none is: its bytes are replaced, and a note counts such records."""
    events, rejected, mapper = mapped(tmp_path, MAPPING.format(read=f"{{format: csv, encoding: {encoding}}}"), damaged)
    assert summaries(events) == TABLE_EVENTS[1:]
    assert [(item.reason, item.origin) for item in rejected] == [("not_text", "data:2")]
    assert "another encoding? Or read.bad_bytes: replace" in rejected[0].detail
    assert mapper.notes() == []

    events, rejected, mapper = mapped(tmp_path, MAPPING.format(read=f"{{format: csv, encoding: {encoding}, bad_bytes: replace}}"), damaged)
    assert [(item[0], item[1]) for item in summaries(events)] == [(item[0], item[1]) for item in TABLE_EVENTS]
    assert "\ufffd" in events[0].queue
    assert rejected == []
    assert mapper.notes() == [f"1 records hold bytes that are no {encoding}: replaced by \ufffd, and counted all the same"]


def test_a_file_of_utf_16_that_is_cut(tmp_path: Path) -> None:
    """Half of the last character is missing: its record alone is damaged."""
    _, rejected, _ = mapped(tmp_path, MAPPING.format(read="{format: csv, encoding: utf-16}"), TABLE.rstrip().encode("utf-16")[:-1])
    assert [(rejection.reason, rejection.origin) for rejection in rejected] == [("not_text", "data:3")]


def test_damaged_json(tmp_path: Path) -> None:
    """A document is refused entirely or, with replacement, read."""
    data = b'[{"\xe7\x95\xaa\xe5\x8f\xb7": 1, "\xe5\x8f\x97\xe4\xbb\x98": "2026-03-02T09:00:00", "\xe7\xaa\x93\xe5\x8f\xa3": "\xff"}]'
    with pytest.raises(MappingError, match="another encoding"):
        mapped(tmp_path, MAPPING.format(read="{format: json}"), data)
    events, rejected, mapper = mapped(tmp_path, MAPPING.format(read="{format: json, bad_bytes: replace}"), data)
    assert [event.queue for event in events] == ["\ufffd"]
    assert (rejected, mapper.replaced) == ([], 1)


def test_commands_show_replaced_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``mappings test`` and ``replay`` show it."""
    (tmp_path / "m.yaml").write_text(MAPPING.format(read="{format: csv, bad_bytes: replace}"), encoding="utf-8")
    (tmp_path / "d.csv").write_bytes(TABLE.encode().replace("修理".encode(), b"\xff"))
    for command in (["mappings", "test", str(tmp_path / "m.yaml")], ["replay", "--mapping", str(tmp_path / "m.yaml")]):
        assert main([*command, str(tmp_path / "d.csv")]) == 0
        assert "1 records hold bytes that are no utf-8: replaced" in capsys.readouterr().out


# ---- Workbooks ---------------------------------------------------------------------------------------------------------------------


def workbook(rows: list[list[Any]], title: str = "Sheet1") -> bytes:
    """Return a workbook with a sheet in front that has nothing, if another title is asked for."""
    openpyxl = require_openpyxl()
    book = openpyxl.Workbook()
    sheet = book.active if title == "Sheet1" else book.create_sheet(title)
    sheet.title = title
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def require_openpyxl() -> Any:
    """Return openpyxl; skip the running test, in CI fail it, without the extra."""
    require(find_spec("openpyxl"), "workbooks need openpyxl: pip install -e .[xlsx]")
    return import_module("openpyxl")


def test_a_workbook(tmp_path: Path) -> None:
    """Dates, numbers and texts of cells, an empty row, and cells that are left out at the end."""
    rows: list[list[Any]] = [
        ["番号", "受付", "窓口", "待ち"],
        [1, datetime(2026, 3, 2, 9, 0), "修理", timedelta(minutes=1, seconds=30)],  # noqa: DTZ001 - a workbook knows no zone
        [],
        [2.0, datetime(2026, 3, 2, 9, 5), "注文"],  # noqa: DTZ001
    ]
    mapping = (
        MAPPING.format(read="{format: xlsx}")
        + "  - type: contact.left_queue\n    at: {from: 受付}\n    when: {from: 待ち, present: true}\n"
    )
    mapping += "    set: {reason: abandoned, wait_seconds: {from: 待ち, format: 'HH:MM:SS'}}\n"
    events, rejected, _ = mapped(tmp_path, mapping, workbook(rows))
    assert rejected == []
    assert summaries([event for event in events if event.type == "contact.queued"]) == TABLE_EVENTS
    assert [event.wait_seconds for event in events if event.type == "contact.left_queue"] == [90.0]


def test_a_sheet_by_name(tmp_path: Path) -> None:
    """The error for an unknown one names those that exist."""
    data = workbook([["番号", "受付", "窓口"], ["1", "2026-03-02T09:00:00", "修理"]], "三月")
    assert summaries(mapped(tmp_path, MAPPING.format(read="{format: xlsx, sheet: 三月}"), data)[0]) == TABLE_EVENTS[:1]
    with pytest.raises(MappingError, match=r"read\.sheet: data: has no sheet '四月'; permitted: Sheet, 三月"):
        mapped(tmp_path, MAPPING.format(read="{format: xlsx, sheet: 四月}"), data)


def test_a_workbook_with_too_many_cells_in_a_row(tmp_path: Path) -> None:
    """The row alone is rejected, and its line is that of the sheet."""
    data = workbook([["番号", "受付", "窓口"], ["1", "2026-03-02T09:00:00", "修理", "more"], ["2", "2026-03-02T09:05:00", "注文"]])
    events, rejected, _ = mapped(tmp_path, MAPPING.format(read="{format: xlsx}"), data)
    assert summaries(events) == TABLE_EVENTS[1:]
    assert [(rejection.origin, rejection.reason) for rejection in rejected] == [("data:2", "column_count")]


def test_an_invalid_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text, a damaged one, one that would be huge, and one whose sheet is cut."""
    require_openpyxl()
    good = workbook([["番号", "受付", "窓口"], ["1", "2026-03-02T09:00:00", "修理"]])
    mapping = MAPPING.format(read="{format: xlsx}")
    for data, complaint in ((TABLE.encode(), "is no workbook"), (good[: len(good) // 2], "is no workbook"), (b"", "is empty")):
        with pytest.raises(MappingError, match=complaint):
            mapped(tmp_path, mapping, data)
    cut = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(cut, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            new.writestr(entry, content[:-200] if entry.endswith("sheet1.xml") else content)
    with pytest.raises(MappingError, match=r"cannot be read as a workbook|is damaged"):
        mapped(tmp_path, mapping, cut.getvalue())
    monkeypatch.setattr("streams.connectors.mapping.workbooks.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(MappingError, match="bytes when it is unpacked; save it as CSV"):
        mapped(tmp_path, mapping, good)


# ---- Order -------------------------------------------------------------------------------------------------------------------------

ORDER = """\
version: 1
name: test
source: crm
zone: Europe/Berlin
read: {format: csv}
record_id: {from: id}
conversation_id: {from: id}
"""


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        ("file order", ["first", "second", "third"]),
        ("reverse file order", ["third", "second", "first"]),
        ("{from: n}", ["second", "third", "first"]),
    ],
)
def test_order_within_an_instant(tmp_path: Path, sequence: str, expected: list[str]) -> None:
    """Records of one second have the order of the file or of a column."""
    mapping = ORDER + f"sequence: {sequence}\nevents:\n  - {{type: contact.queued, at: {{from: at}}, set: {{queue: {{from: q}}}}}}\n"
    data = "id,at,q,n\n1,2026-03-02T09:00:00,first,3\n2,2026-03-02T09:00:00,second,1\n3,2026-03-02T09:00:00,third,2\n"
    events, _, _ = mapped(tmp_path, mapping, data.encode())
    assert [event.queue for event in sorted(events, key=lambda event: event.sequence)] == expected


def test_events_of_a_record_stay_together(tmp_path: Path) -> None:
    """The events of two records of one instant do not interleave."""
    mapping = ORDER + "sequence: file order\nevents:\n"
    mapping += "".join(f"  - {{type: contact.categorized, at: {{from: at}}, set: {{category: '{name}'}}}}\n" for name in "ab")
    events, _, _ = mapped(tmp_path, mapping, b"id,at\n1,2026-03-02T09:00:00\n2,2026-03-02T09:00:00\n")
    assert [event.sequence for event in events] == [10_000, 10_001, 20_000, 20_001]


@pytest.mark.parametrize(
    ("sequence", "complaint"),
    [
        ("backwards", "permitted: file order, reverse file order, or a value"),
        ("{value: 3}", "the same for all records orders none"),
        ("{from: q}", None),
    ],
)
def test_a_wrong_sequence(tmp_path: Path, sequence: str, complaint: str | None) -> None:
    """It is refused with the mapping, or the record that has no number."""
    mapping = ORDER + f"sequence: {sequence}\nevents:\n  - {{type: contact.queued, at: {{from: at}}, set: {{queue: {{from: q}}}}}}\n"
    data = b"id,at,q\n1,2026-03-02T09:00:00,first\n"
    if complaint is not None:
        with pytest.raises(MappingError, match=complaint):
            mapped(tmp_path, mapping, data)
    else:
        assert [rejection.reason for rejection in mapped(tmp_path, mapping, data)[1]] == ["not_a_number"]


NIGHT = (
    ORDER
    + """\
events:
  - {type: contact.queued, at: {from: at, ambiguous: AMBIGUOUS}, set: {queue: night}}
"""
)


def clocks(folder: Path, ambiguous: str, *times: str) -> tuple[list[str], list[str]]:
    """Return local times of the night of 2026-10-25 in Berlin as UTC, and the notes on them."""
    data = "id,at\n" + "".join(f"{number},2026-10-25 {at}\n" for number, at in enumerate(times))
    events, rejected, mapper = mapped(folder, NIGHT.replace("AMBIGUOUS", ambiguous), data.encode())
    assert rejected == []
    return [event.occurred_at.isoformat()[11:16] for event in events], mapper.notes()


def test_the_repeated_hour_is_in_the_order_of_the_file(tmp_path: Path) -> None:
    """02:58 is of the first time because 02:03 follows it, which is of the second; worked out by hand (CEST is UTC+2, CET UTC+1)."""
    times = ("01:30", "02:10", "02:58", "02:03", "02:30", "02:59", "03:05")
    assert clocks(tmp_path, "file order", *times) == (["23:30", "00:10", "00:58", "01:03", "01:30", "01:59", "02:05"], [])
    assert clocks(tmp_path, "earlier", *times)[0] == ["23:30", "00:10", "00:58", "00:03", "00:30", "00:59", "02:05"]


def test_a_note_counts_ambiguous_times(tmp_path: Path) -> None:
    """Nothing resolves 02:10 and 02:40: both are read as of the first time, and counted."""
    times, notes = clocks(tmp_path, "file order", "01:30", "02:10", "02:40", "03:05")
    assert times == ["23:30", "00:10", "00:40", "02:05"]
    assert notes == ["2 moments of events.0.at lie in an hour that came twice, and may be of either: read as of the first"]


# ---- Size --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "form"), [("utf-8", "csv"), ("utf-16-le", "csv"), ("utf-8", "jsonl")])
def test_a_large_file_is_streamed(tmp_path: Path, encoding: str, form: str) -> None:
    """48 MB pass through less than 3 MB of memory, whatever the encoding."""
    mapping = (ORDER + "events:\n  - {type: contact.queued, at: {from: at}, set: {queue: night}}\n").replace(
        "{format: csv}", f"{{format: {form}, encoding: {encoding}}}"
    )
    (tmp_path / "m.yaml").write_text(mapping, encoding="utf-8")
    row = f"1,2026-03-02T09:00:00,{'x' * 2_000}\n" if form == "csv" else f'{{"id": 1, "at": "2026-03-02T09:00:00", "x": "{"x" * 2_000}"}}\n'
    rows = 48_000_000 // len(row.encode(encoding))
    with (tmp_path / "data").open("wb") as file:
        if form == "csv":
            file.write("id,at,x\n".encode(encoding))
        for _ in range(0, rows, 100):
            file.write((row * 100).encode(encoding))
    loaded = load_mapping(tmp_path / "m.yaml")
    tracemalloc.start()
    try:
        count = sum(not isinstance(record, Rejected) for record in records_of(tmp_path / "data", loaded))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count >= rows
    assert peak < 3_000_000
