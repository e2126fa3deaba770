"""Several files in one mapping: tickets with their comments, agents by number, sheets of a workbook; figures worked out by hand."""

from __future__ import annotations

import io
import json
import tracemalloc
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from schemas.events import encode
from streams.cli import main
from streams.connectors.lines import Rejected
from streams.connectors.mapping import MappingError, load_mapping, read_records
from tests.connectors.test_mapping_inputs import require_openpyxl
from tests.support.mapped import outcomes_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, tzinfo=UTC)

MAPPING = """\
version: 1
name: desk
source: desk
zone: UTC
read: {format: csv}
record_id: {from: id}
conversation_id: {from: id}
tables:
  comments:
    file: comments.csv
    key: {from: ticket}
    record: {from: id}
    row_id: {from: comment}
  agents:
    file: agents.jsonl
    read: {format: jsonl}
    key: {from: number}
    record: {from: owner}
    rows: one
events:
  - type: contact.arrived
    at: {from: opened}
    set: {channel: ticket}
  - type: contact.queued
    at: {from: opened}
    set: {queue: support, channel: ticket}
  - type: contact.assigned
    when: {from: agents.name, present: true}
    at: {from: opened, plus: 1}
    set: {agent: {from: agents.name}}
  - type: contact.message
    each: comments
    when: {from: comments.kind, in: [reply, note]}
    at: {from: comments.at}
    set:
      author_kind: {from: comments.by, map: {agent: agent, customer: customer}}
      agent: {from: agents.name}
      public: {from: comments.kind, map: {reply: true, note: false}}
  - type: contact.status_changed
    when: {from: solved, present: true}
    at: {from: solved}
    set: {status: resolved}
"""
#: Two tickets: T1 answered after 600 s and 1500 s, solved after 2400 s; T2 answered after 1200 s, before that a note.
TICKETS = """\
id,opened,owner,solved
T1,2026-03-02T09:00:00,7,2026-03-02T09:40:00
T2,2026-03-02T09:05:00,8,2026-03-02T09:25:00
"""
COMMENTS = """\
comment,ticket,at,by,kind
c1,T1,2026-03-02T09:10:00,agent,reply
c2,T2,2026-03-02T09:06:00,agent,note
c3,T1,2026-03-02T09:15:00,customer,reply
c4,T1,2026-03-02T09:25:00,agent,reply
c5,T2,2026-03-02T09:25:00,agent,reply
"""
AGENTS = '{"number": 7, "name": "Ada"}\n{"number": 8, "name": "Ben"}\n'


def desk(folder: Path, **files: str | bytes) -> Path:
    """Write a mapping and its files; return the data file."""
    there: dict[str, str | bytes] = {"mapping.yaml": MAPPING, "tickets.csv": TICKETS, "comments.csv": COMMENTS, "agents.jsonl": AGENTS}
    there |= {name.replace("_", ".", 1): content for name, content in files.items()}
    for name, content in there.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "tickets.csv"


def mapped(data: Path) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Return the events of a data file and its tables as JSON, and its rejections."""
    outcomes, _ = outcomes_of(data.parent / "mapping.yaml", data, NOW)
    events = [json.loads(encode(event)) for outcome in outcomes if not isinstance(outcome, Rejected) for event in outcome]
    return events, [outcome for outcome in outcomes if isinstance(outcome, Rejected)]


def figures(folder: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the totals of a replay."""
    assert main(["replay", "--mapping", str(folder / "mapping.yaml"), str(data), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["dead_letters"] == []
    return {name: figure["value"] for name, figure in result["totals"].items()}


def test_tickets_with_comments_and_agents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """First response (600 + 1200) / 2 s: the note counts nothing; resolution (2400 + 1200) / 2 s."""
    data = desk(tmp_path)
    events, rejected = mapped(data)
    assert rejected == []
    assigned = {event["conversation_id"]: event["agent"] for event in events if event["type"] == "contact.assigned"}
    assert assigned == {"desk:T1": "Ada", "desk:T2": "Ben"}
    assert len({event["event_id"] for event in events}) == len(events) == 13

    totals = figures(tmp_path, data, capsys)
    assert (totals["offered"], totals["first_response_time"], totals["resolution_time"]) == (2, 900.0, 1800.0)


def test_the_order_of_the_tables_changes_nothing(tmp_path: Path) -> None:
    """Rows of a table arrive in any order, and more than once: the same events with the same ids."""
    expected = sorted(event["event_id"] for event in mapped(desk(tmp_path))[0])
    header, *rows = COMMENTS.splitlines()
    for seed in range(3):
        random = Random(seed)
        again = [row for row in rows for _ in range(random.randint(1, 3))]
        random.shuffle(again)
        events, rejected = mapped(desk(tmp_path, comments_csv="\n".join([header, *again]) + "\n"))
        assert rejected == []
        assert sorted(event["event_id"] for event in events) == expected


def test_rows_of_no_record_become_dead_letters(tmp_path: Path) -> None:
    """A comment of a missing ticket, one without a ticket, a damaged one: each is a dead letter, and stops no other."""
    more = COMMENTS + "c6,T9,2026-03-02T09:30:00,agent,reply\nc7,,2026-03-02T09:30:00,agent,reply\nc8,T1\n"
    events, rejected = mapped(desk(tmp_path, comments_csv=more))
    assert len(events) == 13
    assert sorted((rejection.origin, rejection.reason) for rejection in rejected) == [
        ("comments.csv:7", "no_record"),
        ("comments.csv:8", "missing_value"),
        ("comments.csv:9", "column_count"),
    ]
    assert next(rejection.raw for rejection in rejected if rejection.reason == "no_record") == b"c6,T9,2026-03-02T09:30:00,agent,reply"


def test_a_record_without_rows(tmp_path: Path) -> None:
    """It has its own events alone; what a lookup does not find is nothing."""
    events, rejected = mapped(desk(tmp_path, comments_csv="comment,ticket,at,by,kind\n", agents_jsonl=""))
    assert rejected == []
    assert sorted({event["type"] for event in events}) == ["contact.arrived", "contact.queued", "contact.status_changed"]


def test_a_bad_row_rejects_its_record(tmp_path: Path) -> None:
    """A record becomes all of its events or none; two rows with one id, and two rows where one is permitted, reject it."""
    for changed, reason, detail in (
        ({"comments_csv": COMMENTS.replace("c1,T1,2026-03-02T09:10:00", "c1,T1,yesterday")}, "not_a_time", "comments.at"),
        ({"comments_csv": COMMENTS.replace("c3,", "c1,")}, "repeated_id", "tables.comments.row_id: comments.csv:4"),
        ({"comments_csv": COMMENTS.replace("c3,", ",")}, "missing_value", "tables.comments.row_id: comments.csv:4"),
        ({"agents_jsonl": AGENTS + '{"number": 7, "name": "Eve"}\n'}, "too_many_rows", "tables.agents: more than 1 rows"),
    ):
        events, rejected = mapped(desk(tmp_path, **changed))
        assert {event["conversation_id"] for event in events} == {"desk:T2"}
        assert [(rejection.reason, rejection.origin) for rejection in rejected] == [(reason, "tickets.csv:2")]
        assert detail in rejected[0].detail


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("    row_id: {from: comment}\n", "", "9: tables.comments: row_id: required, as its rows become events"),
        ("    each: comments\n", "", "comments has many rows a record; permitted: in events with each: comments, or with rows: one"),
        ("    each: comments\n", "    each: coments\n", "unknown table 'coments'; permitted: comments, agents"),
        ("    record: {from: owner}\n", "", "tables.agents.record: required"),
        ("at: {from: comments.at}", "at: {from: comments.when}", "unknown column 'when'"),
        (
            "key: {from: ticket}",
            "key: {from: tiket}",
            "unknown column 'tiket', did you mean ticket?",
        ),
        ("  agents:\n", "  staff:\n", "tables.staff: is not used"),
        ("read: {format: jsonl}", "read: {format: jsonl, delimiter: ';'}", "tables.agents.read.delimiter: means nothing for jsonl"),
        ("comments.kind, map: {reply: true", "agents.name.x, map: {reply: true", None),
    ],
)
def test_wrong_tables(tmp_path: Path, old: str, new: str, complaint: str | None) -> None:
    """Each is refused with its location in the mapping, or is permitted."""
    assert old in MAPPING
    data = desk(tmp_path, mapping_yaml=MAPPING.replace(old, new, 1))
    if complaint is None:
        mapped(data)
        return
    with pytest.raises(MappingError) as caught:
        mapped(data)
    assert complaint in str(caught.value)


def test_damaged_rows_are_counted(tmp_path: Path) -> None:
    """Those of a table as well as those of the data file."""
    data = desk(
        tmp_path,
        mapping_yaml=MAPPING.replace("    file: comments.csv\n", "    file: comments.csv\n    read: {format: csv, bad_bytes: replace}\n"),
        comments_csv=COMMENTS.encode().replace(b"c1,", b"c\xff,"),
    )
    outcomes, mapper = outcomes_of(tmp_path / "mapping.yaml", data, NOW)
    assert sum(len(outcome) for outcome in outcomes if not isinstance(outcome, Rejected)) == 13
    assert mapper.replaced == 1


def test_a_table_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command names it."""
    data = desk(tmp_path)
    (tmp_path / "comments.csv").unlink()
    assert main(["mappings", "test", str(tmp_path / "mapping.yaml"), str(data)]) == 2
    assert "comments.csv: cannot be read" in capsys.readouterr().err


def test_the_command_shows_and_checks_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``mappings test`` counts their columns as used; ``check`` knows them."""
    data = desk(tmp_path)
    assert main(["mappings", "test", str(tmp_path / "mapping.yaml"), str(data), "--rows", "0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["empty"], result["not_used"], result["rejected"]) == ([], [], 0)
    assert result["events"]["contact.message"] == 5
    assert main(["check", str(tmp_path / "mapping.yaml")]) == 0


def test_sheets_of_one_workbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tickets and comments on two sheets of one file, agents beside it: the same figures."""
    book = require_openpyxl().Workbook()
    for title, text in (("Tickets", TICKETS), ("Comments", COMMENTS)):
        sheet = book.create_sheet(title)
        for line in text.splitlines():
            sheet.append([int(cell) if cell.isdecimal() else cell for cell in line.split(",")])
    file = io.BytesIO()
    book.save(file)
    mapping = MAPPING.replace("read: {format: csv}", "read: {format: xlsx, sheet: Tickets}", 1)
    mapping = mapping.replace("    file: comments.csv\n", "    read: {format: xlsx, sheet: Comments}\n")
    desk(tmp_path, mapping_yaml=mapping)
    (tmp_path / "desk.xlsx").write_bytes(file.getvalue())
    totals = figures(tmp_path, tmp_path / "desk.xlsx", capsys)
    assert (totals["offered"], totals["first_response_time"], totals["resolution_time"]) == (2, 900.0, 1800.0)


def test_a_large_table_is_not_held_in_memory(tmp_path: Path) -> None:
    """20 MB of comments are joined in less than 5 MB of memory."""
    count = 5_000
    tickets = "id,opened,owner,solved\n" + "".join(f"T{number},2026-03-02T09:00:00,7,\n" for number in range(count))
    with (tmp_path / "large.csv").open("w") as file:
        file.write("comment,ticket,at,by,kind,text\n")
        file.writelines(f"c{number},T{number * 7919 % count},2026-03-02T09:10:00,agent,reply,{'x' * 4000}\n" for number in range(count))
    data = desk(tmp_path, mapping_yaml=MAPPING.replace("comments.csv", "large.csv"), tickets_csv=tickets)
    loaded = load_mapping(tmp_path / "mapping.yaml")
    tracemalloc.start()
    try:
        joined = sum(len(record.joined["comments"]) for record in read_records(data, loaded) if not isinstance(record, Rejected))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert joined == count
    assert peak < 5_000_000
