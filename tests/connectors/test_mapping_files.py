"""Mapping files: a wrong one is refused with file, line, reason and what is permitted; the shipped ones count their samples."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from schemas.limits import MAX_AHEAD_MS
from streams.cli import main
from streams.connectors.mapping import Mapper, MappingError, load_mapping
from streams.connectors.mapping import format as form
from streams.connectors.mapping.decoding import MAX_RECORD_BYTES
from streams.connectors.mapping.feed import publish_file
from streams.connectors.mapping.json_records import MAX_JSON_BYTES
from streams.connectors.mapping.kinds import event_types
from streams.connectors.mapping.ordering import HELD_EVENTS
from streams.connectors.publishing import MemoryPublisher
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MAPPINGS = ROOT / "deploy" / "mappings"
CALLS = MAPPINGS / "call-records-5000.yaml"
SAMPLE = MAPPINGS / "samples" / "call-records.csv"
FILE_5000 = ROOT.parent / "shared" / "data" / "pwc_call_center_5000.csv"
RECORDS = ROOT.parent / "shared" / "payloads" / "DERIVED.amazon-connect.ctr.lifecycle.jsonl"
PAGE = ROOT / "docs" / "mappings.md"

GOOD = """\
version: 1
name: test
source: crm
zone: UTC
constants: {queue: sales}
read:
  format: csv
record_id: {from: id}
conversation_id: {from: id}
times:
  arrived: {from: at}
events:
  - type: contact.queued
    at: arrived
    set:
      queue: {constant: queue}
      channel: voice
"""


def complaints(path: Path, text: str) -> str:
    """Return the errors of a mapping that must be refused."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_mapping(path)
    return str(caught.value)


# ---- Bad mappings ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("version: 1", "version: 2", "1: version: unknown version; permitted: 1"),
        ("version: 1\n", "", "1: version: required; permitted: 1"),
        ("name: test", "nam: test", "2: nam: unknown key, did you mean name?; permitted: version, name, description, source,"),
        ("source: crm\n", "", "1: source: required"),
        ("zone: UTC", "zone: Mars/Base", "4: zone: unknown time zone; permitted: IANA names such as UTC"),
        ("format: csv", "format: excel", "7: read.format: permitted: 'csv', 'json', 'jsonl' or 'xlsx'"),
        ("format: csv", "format: csv\n  records: rows", "8: read.records: means nothing for csv; permitted with format json"),
        ("format: csv", "format: json\n  columns: [id]", "8: read.columns: means nothing for json; permitted with format csv"),
        ("format: csv", "format: csv\n  short_rows: 'yes'", "8: read.short_rows: permitted: true or false"),
        ("format: csv", "format: csv\n  encoding: latin", "8: read.encoding: permitted: 'utf-8', 'utf-16',"),
        ("record_id: {from: id}", "record_id: {column: id}", "8: record_id.column: unknown key; permitted: from, first_of,"),
        ("record_id: {from: id}", "record_id: {from: id, constant: queue}", "8: record_id: needs exactly one of from, first_of, join,"),
        ("record_id: {from: id}", "record_id:", "8: record_id: permitted: keys and values, with the keys from,"),
        ("conversation_id: {from: id}\n", "", "12: events.0: contact.queued needs conversation_id; permitted: under set, or once"),
        (
            "contact.queued",
            "contact.queue",
            f"13: events.0.type: unknown event type 'contact.queue', did you mean contact.queued?; permitted: {', '.join(event_types())}",
        ),
        ("contact.queued", "source.heartbeat", "13: events.0.type: unknown event type 'source.heartbeat'"),
        ("at: arrived", "at: ended", "14: events.0.at.time: unknown time 'ended'; permitted: arrived"),
        ("at: arrived\n", "{}\n", "is not valid YAML"),
        ("    at: arrived\n", "", "13: events.0.at: required"),
        ("      queue: {constant: queue}\n", "", "15: events.0.set: contact.queued needs queue: required"),
        (
            "{constant: queue}",
            "{constant: que}",
            "16: events.0.set.queue.constant: unknown constant 'que', did you mean queue?; permitted: queue",
        ),
        ("{constant: queue}", "sales", "5: constants.queue: is not used"),
        ("{constant: queue}", "12", "16: events.0.set.queue.value: queue: permitted: a text"),
        ("channel: voice", "channel: phone", "17: events.0.set.channel.value: channel: permitted: 'voice', 'mail', 'web_form'"),
        ("channel: voice", "channel: {from: a, map: {x: phone}}", "17: events.0.set.channel.map.x: channel: permitted: 'voice'"),
        ("channel: voice", "channel: {from: a, default: phone}", "17: events.0.set.channel.default: channel: permitted: 'voice'"),
        (
            "channel: voice",
            "channel: {from: a, unmapped: drop}",
            "17: events.0.set.channel.unmapped: permitted: 'reject', 'absent' or 'keep'",
        ),
        ("channel: voice", "channel: {from: a, unmapped: keep}", "17: events.0.set.channel.unmapped: means nothing without map"),
        ("channel: voice", "channel: {from: a, separator: x}", "17: events.0.set.channel.separator: means nothing without join"),
        ("channel: voice", "channel: {from: a, split: x}", "17: events.0.set.channel.split: channel is no list"),
        ("channel: voice", "priority: {from: a, prefix: x}", "17: events.0.set.priority.prefix: priority is no text"),
        (
            "channel: voice",
            "chanel: voice",
            "17: events.0.set.chanel: contact.queued has no field 'chanel' to set, did you mean channel?; permitted: conversation_id,",
        ),
        ("channel: voice", "event_id: x", "17: events.0.set.event_id: contact.queued has no field 'event_id' to set"),
        (
            "channel: voice",
            "category: {from: a, hash: keyed}",
            "17: events.0.set.category.hash: no hash in category; permitted in: customer_key,",
        ),
        ("channel: voice", "channel: {from: []}", "17: events.0.set.channel.from: permitted: a text"),
        ("from: at}", "from: at, format: '%Y-%m-%d'}", "11: times.arrived.format: permitted: ISO 8601, epoch seconds,"),
        ("from: at}", "from: at, format: '%Q'}", "11: times.arrived.format: unknown directive %Q; permitted: %%"),
        ("from: at}", "from: at, zone: CET2}", "11: times.arrived.zone: unknown time zone"),
        ("from: at}", "time: arrived}", "11: times.arrived.time: unknown time 'arrived'; permitted: none is declared above this"),
        ("from: at}", "from: at, plus: soon}", "11: times.arrived.plus.0: permitted: keys and values, with the keys from,"),
        (
            "from: at}",
            "from: at, plus: {from: a, format: HH:MM:SS.f}}",
            "11: times.arrived.plus.0.format: permitted: 'seconds', 'milliseconds'",
        ),
        ("from: at}", "from: at, plus: {value: soon}}", "11: times.arrived.plus.0.value: is no duration; permitted: a number of seconds"),
        ("from: at}", "from: at, plus: -5}", "11: times.arrived.plus.0.value: is negative; permitted: 0 or more"),
        ("at: arrived", "at: {time: arrived, zone: UTC}", "14: events.0.at.zone: means nothing beside time"),
        ("at: arrived", "at: arrived\n    when: {from: a}", "15: events.0.when: needs exactly one of equals, in, present"),
        ("at: arrived", "at: arrived\n    when: {all: [{from: a, equals: 1}], in: [1]}", "15: events.0.when: needs exactly one of equals"),
        (
            "at: arrived",
            "at: arrived\n    when:\n      - {from: a, is: 1}",
            "16: events.0.when.all.0.is: unknown key; permitted: from, equals,",
        ),
        ("source: crm", "source: crm\nsource: pbx", "4: the key 'source' is here twice"),
        ("source: crm", "source: &a crm\nsite: *a", "4: aliases (*name) are not supported here"),
        ("channel: voice", "channel: [voice", "is not valid YAML"),
    ],
)
def test_a_wrong_mapping_is_refused_with_line_reason_and_permitted_values(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    """Each with its line."""
    assert old in GOOD
    path = tmp_path / "bad.yaml"
    errors = complaints(path, GOOD.replace(old, new, 1))

    assert complaint in errors
    assert all(re.match(r"\S+bad\.yaml:\d+: ", line) for line in errors.splitlines())


def test_the_good_mapping_is_good(tmp_path: Path) -> None:
    """The base of the wrong ones is valid."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)

    assert load_mapping(path).plan.file.name == "test"


def test_every_error_is_named_at_once(tmp_path: Path) -> None:
    """In the order of the lines, to fix them all at once."""
    errors = complaints(tmp_path / "m.yaml", GOOD.replace("at: arrived", "at: ended").replace("voice", "phone").replace("queued", "queues"))
    also = complaints(tmp_path / "m.yaml", GOOD.replace("at: arrived", "at: ended").replace("voice", "phone"))

    assert [line.split(":")[1] for line in errors.splitlines()] == ["5", "13", "14"]
    assert [line.split(":")[1] for line in also.splitlines()] == ["14", "17"]


def test_a_bad_path_of_json(tmp_path: Path) -> None:
    """A path has names between its dots."""
    text = GOOD.replace("format: csv", "format: jsonl").replace("{from: at}", "{from: a..b}")

    assert "11: times.arrived.from: bad path; permitted: 1 to 20 names joined by dots" in complaints(tmp_path / "m.yaml", text)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("{from: phone}", "customer_key takes a keyed hash only"),
        ("{value: somebody}", "customer_key takes a keyed hash only"),
        ("{from: phone, hash: keyed, default: nobody}", "customer_key takes a keyed hash only"),
        ("{from: phone, hash: md5}", "permitted: 'keyed'"),
        ("{from: id, hash: keyed}", "column 'id' is used unhashed elsewhere, so hashing it hides nothing"),
    ],
)
def test_a_customer_passes_only_as_a_keyed_hash(tmp_path: Path, spec: str, complaint: str) -> None:
    """No mapping can publish a customer's identity by mistake."""
    text = GOOD.replace("contact.queued", "contact.arrived").replace("queue: {constant: queue}", f"customer_key: {spec}")

    assert complaint in complaints(tmp_path / "m.yaml", text)


def test_a_zone_is_required_where_no_record_can_have_one(tmp_path: Path) -> None:
    """A pattern without an offset, and no zone anywhere."""
    text = GOOD.replace("zone: UTC\n", "").replace("{from: at}", "{from: at, format: '%Y-%m-%d %H:%M'}")

    assert "times.arrived.format: needs a zone, or %z in the pattern" in complaints(tmp_path / "m.yaml", text)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff", "is not UTF-8 text (byte 0)"),
        (b"", ": permitted: keys and values, with the keys version"),
        (b"- 1", "permitted: keys and"),
    ],
)
def test_an_invalid_mapping(tmp_path: Path, content: bytes, complaint: str) -> None:
    """Binary, empty, a list."""
    path = tmp_path / "m.yaml"
    path.write_bytes(content)
    with pytest.raises(MappingError, match=re.escape(complaint)):
        load_mapping(path)


# ---- The shipped mappings ----------------------------------------------------------------------------------------------------------


def replayed(capsys: pytest.CaptureFixture[str], mapping: Path, data: Path, *more: str) -> dict[str, Any]:
    """Run replay with a mapping and --json; return what it printed."""
    assert main(["replay", "--mapping", str(mapping), str(data), "--json", *more]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def figures(totals: dict[str, Any], *names: str) -> list[float | None]:
    """Return values of figures by name."""
    return [totals[name]["value"] for name in names]


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_mappings_validate_and_have_a_sample(path: Path) -> None:
    """Their names are those of their files, and each has a sample of our own."""
    mapping = load_mapping(path)

    assert mapping.plan.file.name == path.stem
    assert [sample.name for sample in (MAPPINGS / "samples").iterdir() if sample.stem == path.stem.removesuffix("-5000")]


def test_the_sample_of_call_records(capsys: pytest.CaptureFixture[str]) -> None:
    """Four calls, three answered after 12, 48 and 0 s, with 185, 115 and 3600 s of talk; hold and wrap-up stay unknown."""
    result = replayed(capsys, CALLS, SAMPLE)

    assert figures(result["totals"], "offered", "answered", "abandoned", "asa", "att") == [4, 3, 1, 20.0, 1300.0]
    assert figures(result["totals"], "acw", "average_hold", "aht") == [None, None, None]
    assert result["dead_letters"] == []


def test_the_sample_of_amazon_connect(capsys: pytest.CaptureFixture[str]) -> None:
    """Three customers in queues: one abandons after 45 s, one is transferred; hold and after-contact work are known."""
    result = replayed(
        capsys, MAPPINGS / "amazon-connect-contact-records.yaml", MAPPINGS / "samples" / "amazon-connect-contact-records.json"
    )
    orders, returns = (result["queues"][queue]["voice"] for queue in ("Orders", "Returns"))

    assert figures(orders, "offered", "answered", "abandoned", "asa", "time_to_abandon") == [3, 2, 1, 30.0, 45.0]
    assert figures(returns, "offered", "answered", "asa", "att", "acw", "average_hold") == [1, 1, 40.0, 140.0, 20.0, 0.0]
    assert (orders["att"]["numerator"], orders["average_hold"]["numerator"], orders["acw"]["numerator"]) == (270 + 110, 30, 60)
    assert figures(result["totals"], "offered", "answered", "abandoned") == [3, 2, 1]
    assert result["dead_letters"] == []


def test_contact_records_sent_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The record of call 1 arrives again with a later update: no dead letter, and shuffled and sent thrice the figures are the same."""
    require(RECORDS.exists(), f"the shared samples are not there: {RECORDS}")
    lines = RECORDS.read_text(encoding="utf-8").splitlines()
    results = []
    for seed in range(4):
        order = Random(seed).sample(lines * 3, 3 * len(lines)) if seed else lines
        (tmp_path / f"{seed}.json").write_text("\n".join(order), encoding="utf-8")
        results.append(replayed(capsys, MAPPINGS / "amazon-connect-contact-records.yaml", tmp_path / f"{seed}.json"))

    assert results[0]["dead_letters"] == []
    assert [result["dead_letters"] for result in results] == [[]] * 4
    assert [result["totals"] for result in results] == [results[0]["totals"]] * 4
    assert figures(results[0]["totals"], "offered", "answered", "abandoned") == [3, 2, 1]


def test_the_sample_of_zendesk(capsys: pytest.CaptureFixture[str]) -> None:
    """Three tickets: one was replied to after 25 minutes, one is open, one was solved without a reply that is known."""
    result = replayed(capsys, MAPPINGS / "zendesk-tickets.yaml", MAPPINGS / "samples" / "zendesk-tickets.jsonl")

    assert figures(result["queues"]["Support"]["ticket"], "offered", "answered", "asa") == [2, 1, 1500.0]
    assert [now["waiting"] for now in result["now"] if now["scope"] == "Support"] == [1]
    assert result["dead_letters"] == []


def test_the_sample_of_maildealer(capsys: pytest.CaptureFixture[str]) -> None:
    """Two mails answered after 10 and 20 minutes and done after 40 and 20, one still worked on; Japanese columns and encoding."""
    result = replayed(capsys, MAPPINGS / "maildealer-mails.yaml", MAPPINGS / "samples" / "maildealer-mails.csv")

    names = ("offered", "answered", "first_response_time", "resolution_time")
    assert figures(result["queues"]["お問い合わせ"]["mail"], *names) == [3, 2, 900.0, 1800.0]
    assert result["dead_letters"] == []


@pytest.fixture
def calls_5000() -> Path:
    """The file of 5000 calls, which is no part of this repository: without the folder that holds it, its tests are skipped."""
    if not FILE_5000.parent.is_dir():
        pytest.skip("the shared data are not beside this repository (../shared/data): nothing to compare")
    assert FILE_5000.exists(), f"{FILE_5000.name} is not among the shared data"
    return FILE_5000


def test_5000_calls_are_counted_as_by_hand(calls_5000: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Offered, answered, abandoned, speed of answer and talk time are those of a recount with nothing but the csv module."""
    with calls_5000.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    answered = [row for row in rows if row["Answered (Y/N)"] == "Y"]
    waits = [int(row["Speed of answer in seconds"]) for row in answered]
    talks = [sum(int(part) * unit for part, unit in zip(row["AvgTalkDuration"].split(":"), (3600, 60, 1), strict=True)) for row in answered]
    result = replayed(capsys, CALLS, calls_5000)
    totals = result["totals"]

    assert len(rows) == 5000
    assert result["dead_letters"] == []
    assert figures(totals, "offered", "answered", "abandoned") == [len(rows), len(answered), len(rows) - len(answered)]
    assert (totals["asa"]["numerator"], totals["asa"]["denominator"]) == (sum(waits), len(waits))
    assert (totals["att"]["numerator"], totals["att"]["denominator"]) == (sum(talks), len(talks))
    assert totals["asa"]["value"] == pytest.approx(sum(waits) / len(waits))
    assert totals["att"]["value"] == pytest.approx(sum(talks) / len(talks))
    ratings = [int(row["Satisfaction rating"]) for row in rows if row["Satisfaction rating"]]
    assert (totals["csat"]["numerator"], totals["csat"]["denominator"]) == (sum(ratings), len(ratings))
    resolved = sum(row["Resolved"] == "Y" for row in rows)
    assert (totals["resolution_rate"]["numerator"], totals["resolution_rate"]["denominator"]) == (resolved, len(rows))


def test_5000_calls_have_their_surveys_and_resolutions(calls_5000: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each rating and each resolved call is one event, and no other."""
    with calls_5000.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert main(["mappings", "test", str(CALLS), str(calls_5000), "--rows", "0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    surveys = [event for row in result["rows"] for event in row["events"] if event["type"] == "survey.answered"]

    assert sum(event["score"] for event in surveys) == sum(int(row["Satisfaction rating"] or 0) for row in rows)
    assert result["events"]["contact.status_changed"] == sum(row["Resolved"] == "Y" for row in rows)


# ---- The commands ------------------------------------------------------------------------------------------------------------------


def test_the_test_of_a_mapping_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the events of each row, rejections with reasons, empty and unused columns; it exits with 1 as a row was rejected."""
    (tmp_path / "m.yaml").write_text(GOOD.replace("channel: voice", "category: {from: topic}"))
    (tmp_path / "d.csv").write_text("id,at,topic,mail\n1,2026-03-02T09:00:00Z,,s3cret\n2,soon,,\n")

    assert main(["mappings", "test", str(tmp_path / "m.yaml"), str(tmp_path / "d.csv")]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "d.csv:2",
        "  2026-03-02T09:00:00.000Z  contact.queued          conversation_id=crm:1  queue=sales",
        "d.csv:3",
        "  not mapped: not_a_time: column 'at': is no time; permitted: date and time such as 2026-03-29T09:30:00Z",
        "2 rows, 1 not mapped; events: contact.queued 1",
        "empty in all these rows, though the mapping uses it: topic",
        "not used by the mapping: mail",
    ]
    assert "s3cret" not in printed.out + printed.err


def test_the_test_of_a_mapping_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as one object, of the requested number of rows."""
    assert main(["mappings", "test", str(CALLS), str(SAMPLE), "--rows", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)

    assert (result["mapping"], result["read"], result["rejected"]) == ("call-records-5000", 2, 0)
    assert [[event["type"] for event in row["events"]] for row in result["rows"]] == [
        ["contact.queued", "contact.answered", "contact.ended", "contact.status_changed", "survey.answered"],
        ["contact.queued", "contact.left_queue"],
    ]


def test_replay_shows_dead_letters_with_their_location(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other rows of the file are counted."""
    data = tmp_path / "calls.csv"
    data.write_text(SAMPLE.read_text().replace(",48,", ",soon,"))
    result = replayed(capsys, CALLS, data)

    assert figures(result["totals"], "offered", "answered") == [3, 2]
    assert [(dead_letter["origin"], dead_letter["reason"], dead_letter["detail"]) for dead_letter in result["dead_letters"]] == [
        (
            "calls.csv:4",
            "not_a_duration",
            "column 'Speed of answer in seconds': is no duration; permitted: a number of seconds",
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["replay", "x.csv"], "one of the arguments --connector --mapping is required"),
        (["replay", "x.csv", "--mapping", "m.yaml", "--connector", "canonical"], "not allowed with argument"),
        (["replay", "x.csv", "--mapping", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["replay", "x.csv", "--mapping", str(CALLS)], "x.csv: cannot be read"),
        (["replay", str(CALLS), "--mapping", str(CALLS)], "unknown column 'Call Id'"),
        (["mappings", "test", "nowhere.yaml", "x.csv"], "nowhere.yaml: cannot be read"),
        (["mappings", "test", str(CALLS), "x.csv"], "x.csv: cannot be read"),
        (["mappings", "test", str(CALLS), "x.csv", "--rows", "few"], "'few' is no number of rows"),
        (["connector", "mapping", "x.csv"], "required: --mapping"),
        (["connector", "mapping", "x.csv", "--mapping", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["connector", "mapping", "x.csv", "--mapping", str(CALLS)], "x.csv: does not exist or cannot be read"),
        (["connector", "mapping", str(CALLS), "--mapping", str(CALLS)], "unknown column 'Call Id'"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error and its location are printed to stderr; stdout stays empty."""
    assert main(arguments) == 2
    printed = capsys.readouterr()

    assert complaint in printed.err
    assert printed.out == ""


def test_a_short_customer_key_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As with every connector, and without showing it."""
    monkeypatch.setenv("CONTACT_STREAMS_CUSTOMER_KEY", "abcde")

    assert main(["mappings", "test", str(CALLS), str(SAMPLE)]) == 2
    printed = capsys.readouterr()
    assert "CONTACT_STREAMS_CUSTOMER_KEY: a key has at least 16 characters" in printed.err
    assert "abcde" not in printed.err


def test_a_file_is_published_by_time_with_its_dead_letters(tmp_path: Path) -> None:
    """Published again, the events have the same ids; a dead letter has the unchanged bytes and their location."""
    data = tmp_path / "calls.csv"
    data.write_text(SAMPLE.read_text() + "C-5,Ada,soon\n")
    now = lambda: datetime(2026, 3, 3, tzinfo=UTC)  # noqa: E731

    def published() -> MemoryPublisher:
        mapping = load_mapping(CALLS)
        publisher = MemoryPublisher(now=now, partitions=1)
        summary = asyncio.run(publish_file(data, mapping, Mapper(mapping, now=now), publisher))
        assert (summary.lines, summary.events, summary.rejected) == (5, 16, 1)
        return publisher

    first, again = published(), published()
    records = [json.loads(record.value) for record in first.records[first.topics.contacts]]
    (dead_letter,) = first.records[first.topics.contact_dead_letters]

    times = [record["occurred_at"] for record in records]
    assert times == sorted(times)
    assert first.records[first.topics.contacts] == again.records[again.topics.contacts]
    assert dead_letter.value == b"C-5,Ada,soon"
    assert (
        dead_letter.headers["dead-letter-origin"],
        dead_letter.headers["dead-letter-reason"],
        dead_letter.headers["dead-letter-source"],
    ) == (
        b"calls.csv:6",
        b"missing_value",
        b"call-records",
    )


# ---- The page ----------------------------------------------------------------------------------------------------------------------


def models() -> Iterator[type[form._Spec]]:
    """Yield the models of the format, one a table of the page."""
    yield from (form.MappingFile, form.Reading, form.EventRule, form.Table, form.Value, form.Duration, form.Instant, form.Condition)


@pytest.mark.parametrize("model", list(models()), ids=lambda model: model.__name__)
def test_every_key_is_on_the_page_and_no_other(model: type[form._Spec]) -> None:
    """The table of each part has the keys of its model, in their order."""
    section = PAGE.read_text(encoding="utf-8").split(f"<!-- {model.__name__} -->")[1].split("\n\n")[0]

    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == model.keys()


def test_every_reason_is_on_the_page_and_no_other() -> None:
    """An operator finds every reason there."""
    folder = Path(form.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    used = set(re.findall(r'BadRecordError\(\s*"(\w+)"', source)) | {"bad_csv", "column_count", "invalid_json", "not_an_object"}
    used |= set(re.findall(r'Rejected\([\w.]+, "(\w+)"', source))
    rows = PAGE.read_text(encoding="utf-8").split("| reason | the record |")[1].split("\n\n")[0]

    assert set(re.findall(r"^\| `(\w+)`", rows, re.MULTILINE)) == used


def test_the_example_of_the_page_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The copied example maps without an error and counts what the page states."""
    blocks = dict(re.findall(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    for name, content in blocks.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    here = os.fspath(tmp_path)

    assert sorted(blocks) == ["helpdesk.csv", "helpdesk.yaml"]
    assert main(["mappings", "test", f"{here}/helpdesk.yaml", f"{here}/helpdesk.csv"]) == 0
    printed = capsys.readouterr().out
    shown = re.search(r"<!-- output -->\n```\w*\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert printed == shown[1]
    totals = replayed(capsys, tmp_path / "helpdesk.yaml", tmp_path / "helpdesk.csv")["totals"]
    assert figures(totals, "offered", "answered", "abandoned", "asa", "att") == [3, 2, 1, 20.0, 200.0]


def test_the_limits_are_those_of_the_code() -> None:
    """Each number on the page is the actual one."""
    page = PAGE.read_text(encoding="utf-8")
    for text in (
        f"more than {HELD_EVENTS} events",
        f"more than {MAX_RECORD_BYTES // 1024**2} MiB",
        f"at most {MAX_JSON_BYTES // 1024**2} MiB",
        f"more than {MAX_AHEAD_MS // 60_000} minutes after now",
    ):
        assert text in page, text
