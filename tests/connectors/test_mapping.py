"""Records become events by a mapping: each feature of the format, and the rejection of records that cannot be mapped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import encode
from streams.connectors.customer_keys import hashed_customer
from streams.connectors.lines import Rejected
from streams.connectors.mapping import Mapper, MappingError, load_mapping, read_records
from streams.connectors.mapping.ordering import in_order
from tests.support.mapped import outcomes_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

#: A valid mapping of CSV; tests append or replace lines.
HEAD = """\
version: 1
name: test
source: crm
zone: UTC
read: {format: csv}
record_id: {from: id}
conversation_id: {from: id}
"""
QUEUED = """\
events:
  - type: contact.queued
    at: {from: at}
    set: {queue: sales}
"""


def outcomes(folder: Path, mapping: str, data: str | bytes, *, key: bytes | None = None) -> list[list[dict[str, Any]] | Rejected]:
    """Map a data file; return the events of each record as JSON, or its rejection."""
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    (folder / "data").write_bytes(data.encode() if isinstance(data, str) else data)
    mapped, _ = outcomes_of(folder / "mapping.yaml", folder / "data", NOW, hashed_customer(key) if key else None)
    return [outcome if isinstance(outcome, Rejected) else [json.loads(encode(event)) for event in outcome] for outcome in mapped]


def events(folder: Path, mapping: str, data: str | bytes, **settings: Any) -> list[dict[str, Any]]:
    """Map a data file of good records; return all events."""
    mapped: list[dict[str, Any]] = []
    for outcome in outcomes(folder, mapping, data, **settings):
        assert not isinstance(outcome, Rejected), outcome
        mapped += outcome
    return mapped


def reasons(folder: Path, mapping: str, data: str | bytes) -> list[str | int]:
    """Map a data file; return for each record its number of events, or the reason of its rejection."""
    return [outcome.reason if isinstance(outcome, Rejected) else len(outcome) for outcome in outcomes(folder, mapping, data)]


def value_of(folder: Path, spec: str, columns: dict[str, str], field: str = "category", type_: str = "contact.categorized") -> Any:
    """Return what a field of one record becomes, None if it is absent; a rejection as (reason, detail)."""
    mapping = f"{HEAD}events:\n  - {{type: {type_}, at: {{from: at}}, set: {{{field}: {spec}}}}}\n"
    data = f"id,at,{','.join(columns)}\n1,2026-03-02T09:00:00Z,{','.join(columns.values())}\n"
    (outcome,) = outcomes(folder, mapping, data)
    return (outcome.reason, outcome.detail) if isinstance(outcome, Rejected) else outcome[0].get(field)


# ---- Events ------------------------------------------------------------------------------------------------------------------------


def test_a_record_becomes_an_event(tmp_path: Path) -> None:
    """It carries the source, an id of its own, and the time it occurred as the time it was received."""
    (event,) = events(tmp_path, HEAD + QUEUED, "id,at\n7,2026-03-02T09:00:00Z\n")

    assert {name: content for name, content in event.items() if name != "event_id"} == {
        "type": "contact.queued",
        "occurred_at": "2026-03-02T09:00:00.000Z",
        "received_at": "2026-03-02T09:00:00.000Z",
        "source": "crm",
        "schema_version": 1,
        "conversation_id": "crm:7",
        "queue": "sales",
    }


SEVERAL = (
    HEAD
    + """\
events:
  - {type: contact.queued, at: {from: at}, set: {queue: sales}}
  - {type: contact.left_queue, at: {from: at}, set: {reason: abandoned}}
  - {type: contact.ended, at: {from: at, plus: 1}}
"""
)


def test_events_of_one_instant_keep_the_order_of_the_mapping(tmp_path: Path) -> None:
    """Otherwise a contact would leave its queue before entering it; a single event of an instant needs no sequence."""
    mapped = events(tmp_path, SEVERAL, "id,at\n7,2026-03-02T09:00:00Z\n")

    assert [(event["type"], event.get("sequence")) for event in mapped] == [
        ("contact.queued", None),
        ("contact.left_queue", 1),
        ("contact.ended", None),
    ]


def test_event_ids_are_of_source_record_and_position(tmp_path: Path) -> None:
    """They differ within a record and between records and sources, and not between readings or by position in the file."""
    first = [event["event_id"] for event in events(tmp_path, SEVERAL, "id,at\n7,2026-03-02T09:00:00Z\n8,2026-03-02T09:00:00Z\n")]
    again = [event["event_id"] for event in events(tmp_path, SEVERAL, "at,id\n2026-03-02T10:00:00Z,8\n")]
    other = [
        event["event_id"] for event in events(tmp_path, SEVERAL.replace("source: crm", "source: pbx"), "id,at\n7,2026-03-02T09:00:00Z\n")
    ]

    assert len({*first, *other}) == 9
    assert again == first[3:]


def test_source_and_site_can_be_given_from_outside(tmp_path: Path) -> None:
    """Two call centers share one mapping; their conversations have different ids."""
    (tmp_path / "m.yaml").write_text(HEAD + QUEUED)
    (tmp_path / "data").write_text("id,at\n7,2026-03-02T09:00:00Z\n")
    mapping = load_mapping(tmp_path / "m.yaml", source="osaka", site="Osaka")
    (record,) = read_records(tmp_path / "data", mapping)
    assert not isinstance(record, Rejected)
    outcome = Mapper(mapping, now=lambda: NOW).map(record)
    assert not isinstance(outcome, Rejected)

    assert [(event.source, event.site, event.conversation_id) for event in outcome] == [("osaka", "Osaka", "osaka:7")]  # type: ignore[attr-defined]


def test_agent_events_have_a_person_and_their_dead_letters_are_about_agents(tmp_path: Path) -> None:
    """A mapping of agent events needs no conversation."""
    mapping = """\
version: 1
name: shifts
source: wfm
read: {format: csv}
record_id: {from: id}
events:
  - type: agent.state_changed
    at: {from: at}
    set: {person_id: {from: who}, axis: presence, state: {from: state, map: {"1": available, "0": offline}}}
"""
    good, bad = outcomes(tmp_path, mapping, "id,at,who,state\n1,2026-03-02T09:00:00Z,ada,1\n2,2026-03-02T09:00:00Z,ada,2\n")

    assert isinstance(good, list)
    assert (good[0]["person_id"], good[0]["state"]) == ("ada", "available")
    assert isinstance(bad, Rejected)
    assert (bad.about, bad.reason) == ("agents", "not_in_map")


# ---- Values ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "columns", "expected"),
    [
        ("{from: a}", {"a": " Delivery "}, "Delivery"),
        ("{from: a}", {"a": ""}, None),
        ("{first_of: [a, b]}", {"a": "", "b": "second"}, "second"),
        ("{join: [a, b]}", {"a": "x", "b": "y"}, "x y"),
        ("{join: [a, b], separator: /}", {"a": "x", "b": "y"}, "x/y"),
        ("{join: [a, b]}", {"a": "x", "b": ""}, None),
        ("{from: a, default: other}", {"a": ""}, "other"),
        ("{from: a, prefix: 'T-'}", {"a": "5"}, "T-5"),
        ("{from: a, prefix: 'T-'}", {"a": ""}, None),
        ("{from: a, absent: [n/a, 0]}", {"a": "n/a"}, None),
        ("{from: a, absent: [n/a, 0]}", {"a": "0"}, None),
        ("{from: a, map: {x: ex}}", {"a": "x"}, "ex"),
        ("{from: a, map: {x: ex}, unmapped: keep}", {"a": "y"}, "y"),
        ("{from: a, map: {x: ex}, unmapped: absent}", {"a": "y"}, None),
        ("{from: a, map: {x: ex}, unmapped: absent, default: z}", {"a": "y"}, "z"),
        ("{from: a, map: {NO: Norway}}", {"a": "NO"}, "Norway"),
        ("Delivery", {"a": ""}, "Delivery"),
        ("{value: Delivery}", {"a": ""}, "Delivery"),
    ],
)
def test_a_text_is_read_from_columns(tmp_path: Path, spec: str, columns: dict[str, str], expected: str | None) -> None:
    """Each way to create a text; an empty content stays absent."""
    assert value_of(tmp_path, spec, columns) == expected


@pytest.mark.parametrize(
    ("type_", "field", "spec", "text", "expected"),
    [
        ("contact.categorized", "complaint", "{from: a}", "TRUE", True),
        ("contact.categorized", "complaint", "{from: a, map: {Y: true, N: false}}", "N", False),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a}", "2.5", 2.5),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: milliseconds}", "1500", 1.5),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: minutes}", "1.5", 90.0),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: 'HH:MM:SS'}", "01:02:03", 3723.0),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: 'HH:MM:SS'}", "25:00:00.5", 90000.5),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: 'MM:SS'}", "90:05", 5405.0),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: 'HH:MM'}", "01:30", 5400.0),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: ISO 8601}", "P1DT1H2M3.5S", 90123.5),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: ISO 8601}", "PT90S", 90.0),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, default: 20}", "", 20.0),
        ("contact.wrapped_up", "wrap_up_seconds", "30", "", 30.0),
        ("contact.callback_requested", "due", "{from: a, format: epoch seconds}", "1772442000.9999", "2026-03-02T09:00:00.999Z"),
        ("contact.callback_requested", "due", "{from: a, format: epoch milliseconds}", "1772442000123", "2026-03-02T09:00:00.123Z"),
        ("contact.callback_requested", "due", "{from: a, format: '%d.%m.%Y %H:%M'}", "02.03.2026 09:05", "2026-03-02T09:05:00.000Z"),
        ("contact.callback_requested", "due", "{from: a, zone: Asia/Tokyo}", "2026-03-02 18:00:00", "2026-03-02T09:00:00.000Z"),
        ("contact.callback_requested", "due", "{from: a, zone: Asia/Tokyo}", "2026-03-02T18:00:00+01:00", "2026-03-02T17:00:00.000Z"),
        ("contact.answered", "reports", "[hold, wrap_up]", "", ["hold", "wrap_up"]),
        ("contact.answered", "reports", "{from: a, split: ;}", "hold; ring ;", ["hold", "ring"]),
        ("contact.answered", "reports", "{from: a, split: '+', map: {h: hold, w: wrap_up}}", "h+w", ["hold", "wrap_up"]),
    ],
)
def test_other_kinds_of_fields(tmp_path: Path, type_: str, field: str, spec: str, text: str, expected: object) -> None:
    """Numbers, durations, moments, lists, true and false, each as its field needs it."""
    assert value_of(tmp_path, spec, {"a": text}, field, type_) == expected


@pytest.mark.parametrize(
    ("type_", "field", "spec", "text", "reason"),
    [
        ("contact.categorized", "category", "{from: a, map: {x: ex}}", "s3cret", "not_in_map"),
        ("contact.categorized", "complaint", "{from: a}", "s3cret", "not_a_boolean"),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a}", "-3", "negative_duration"),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a}", "00:00:03", "not_a_duration"),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a}", "1e9", "not_a_duration"),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a}", "999999999999", "not_a_duration"),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: 'HH:MM:SS'}", "02:23", "not_a_duration"),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: ISO 8601}", "P1M", "not_a_duration"),
        ("contact.wrapped_up", "wrap_up_seconds", "{from: a, format: ISO 8601}", "PT", "not_a_duration"),
        ("contact.callback_requested", "due", "{from: a}", "2026-03-02", "not_a_time"),
        ("contact.callback_requested", "due", "{from: a}", "s3cret", "not_a_time"),
        ("contact.callback_requested", "due", "{from: a, format: '%d.%m.%Y %H:%M'}", "2026-03-02 09:00", "not_a_time"),
        ("contact.callback_requested", "due", "{from: a, format: epoch seconds}", "99999999999999999", "not_a_time"),
        ("contact.callback_requested", "due", "{from: a, zone: Europe/Berlin}", "2026-03-29T02:30:00", "time_not_in_zone"),
        (
            "contact.callback_requested",
            "due",
            "{from: a, zone: Europe/Berlin, ambiguous: reject}",
            "2025-10-26T02:30:00",
            "time_not_in_zone",
        ),
        ("contact.queued", "queue: q, priority", "{from: a}", "1.5", "not_a_number"),
        ("contact.queued", "queue: q, priority", "{from: a}", "2000000", "not_permitted"),
        ("contact.ended", "by", "{from: a}", "s3cret", "not_permitted"),
        ("survey.answered", "kind: csat, score", "{from: a}", "s3cret", "not_a_number"),
        ("survey.answered", "kind: csat, score", "{from: a}", "", "missing_value"),
    ],
)
def test_a_bad_value_names_its_column_and_what_is_permitted_and_quotes_nothing(
    tmp_path: Path, type_: str, field: str, spec: str, text: str, reason: str
) -> None:
    """A dead letter's detail is read more widely than its bytes."""
    rejection = value_of(tmp_path, spec, {"a": text}, field, type_)

    assert isinstance(rejection, tuple), rejection
    assert rejection[0] == reason
    assert "'a'" in rejection[1]
    assert "s3cret" not in rejection[1]


def test_a_clock_set_back_shows_two_moments(tmp_path: Path) -> None:
    """The earlier one is meant unless the mapping names the later."""
    read = {
        which: value_of(
            tmp_path, f"{{from: a, zone: Europe/Berlin{which}}}", {"a": "2025-10-26T02:30:00"}, "due", "contact.callback_requested"
        )
        for which in ("", ", ambiguous: later")
    }

    assert list(read.values()) == ["2025-10-26T00:30:00.000Z", "2025-10-26T01:30:00.000Z"]


def test_a_time_without_an_offset_needs_a_zone(tmp_path: Path) -> None:
    """The zone is never guessed; with an offset none is needed."""
    mapping = (HEAD + QUEUED).replace("zone: UTC\n", "")

    assert reasons(tmp_path, mapping, "id,at\n1,2026-03-02T09:00:00\n2,2026-03-02T09:00:00Z\n") == ["no_zone", 1]


def test_a_decimal_comma(tmp_path: Path) -> None:
    """With ``decimal`` a number is read with another decimal sign."""
    mapping = HEAD.replace("{format: csv}", "{format: csv, delimiter: ;, decimal: ','}") + (
        "events:\n  - {type: survey.answered, at: {from: at}, set: {kind: csat, score: {from: score}}}\n"
    )
    data = "id;at;score\n1;2026-03-02T09:00:00Z;3,5\n2;2026-03-02T09:00:00Z;3.5\n"

    assert events(tmp_path, mapping, data.splitlines()[0] + "\n" + data.splitlines()[1])[0]["score"] == 3.5
    assert reasons(tmp_path, mapping, data) == [1, "not_a_number"]


# ---- Personal data -----------------------------------------------------------------------------------------------------------------

CUSTOMER = HEAD + "events:\n  - {type: contact.arrived, at: {from: at}, set: {channel: voice, customer_key: {from: caller, hash: keyed}}}\n"


def test_a_customer_key_is_a_keyed_hash_or_absent(tmp_path: Path) -> None:
    """The same hash as that of other connectors; none without a key, and none of withheld numbers."""
    data = "id,at,caller\n1,2026-03-02T09:00:00Z,+81 3 1234\n2,2026-03-02T09:00:00Z,Anonymous\n3,2026-03-02T09:00:00Z,\n"
    key = b"sixteen characters"
    with_key = [event.get("customer_key") for event in events(tmp_path, CUSTOMER, data, key=key)]
    without = events(tmp_path, CUSTOMER, data)

    assert with_key == [hashed_customer(key)("+8131234"), None, None]
    assert all("customer_key" not in event and "1234" not in json.dumps(event) for event in without)


def test_only_mapped_fields_pass(tmp_path: Path) -> None:
    """Other contents of a record are in no event."""
    mapped = events(tmp_path, HEAD + QUEUED, "id,at,name,notes\n1,2026-03-02T09:00:00Z,s3cret,s3cret\n")

    assert "s3cret" not in json.dumps(mapped)


# ---- Times and conditions ----------------------------------------------------------------------------------------------------------

OFFSETS = (
    HEAD
    + """\
times:
  arrived: {join: [day, clock], format: "%Y-%m-%d %H:%M:%S", zone: Europe/Berlin}
  answered: {time: arrived, plus: {from: wait}}
  ended: {time: answered, plus: [{from: talk, format: "HH:MM:SS"}, {from: hold, format: ISO 8601, default: PT0S}], minus: 1}
events:
  - {type: contact.queued, at: arrived, set: {queue: sales}}
  - {type: contact.answered, at: answered, set: {wait_seconds: {between: [arrived, answered]}}}
  - {type: contact.ended, at: ended}
"""
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrived=st.datetimes(datetime(2001, 1, 1), datetime(2025, 12, 31)),  # noqa: DTZ001 - wall clock
    wait=st.integers(0, 100_000_000),
    talk=st.integers(1, 359_999),
    hold=st.none() | st.integers(0, 10_000),
)
def test_moments_are_sums_of_columns(tmp_path: Path, arrived: datetime, wait: int, talk: int, hold: int | None) -> None:
    """Whatever the zone does that day, offsets are elapsed time; the wait between two times equals the wait that was added."""
    arrived = arrived.replace(microsecond=0)
    begin = arrived.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    shown = f"{talk // 3600:02}:{talk // 60 % 60:02}:{talk % 60:02}"
    row = f"1,{arrived:%Y-%m-%d,%H:%M:%S},{wait / 1000:.3f},{shown},{'' if hold is None else f'PT{hold}S'}"
    (outcome,) = outcomes(tmp_path, OFFSETS, f"id,day,clock,wait,talk,hold\n{row}\n")
    if begin.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) != arrived:
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "time_not_in_zone"
        return

    assert isinstance(outcome, list)
    answered = begin + timedelta(milliseconds=wait)
    ended = answered + timedelta(seconds=talk + (hold or 0) - 1)
    assert [datetime.fromisoformat(event["occurred_at"]) for event in outcome] == [begin, answered, ended]
    assert outcome[1]["wait_seconds"] == wait / 1000


def test_a_time_without_one_of_its_columns_is_missing(tmp_path: Path) -> None:
    """The rejection names every column the moment comes from."""
    (outcome,) = outcomes(tmp_path, OFFSETS, "id,day,clock,wait,talk,hold\n1,2026-03-02,09:00:00,,00:01:00,\n")

    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.detail.split(";")[0]) == (
        "missing_value",
        "contact.answered: no moment from 'wait', 'day', 'clock'",
    )


def test_between_two_times_in_the_wrong_order(tmp_path: Path) -> None:
    """A negative duration is a contradiction in the record."""
    mapping = (
        HEAD
        + """\
times: {a: {from: at}, b: {from: until}}
events:
  - {type: contact.wrapped_up, at: a, set: {wrap_up_seconds: {between: [a, b]}}}
"""
    )

    assert reasons(tmp_path, mapping, "id,at,until\n1,2026-03-02T09:00:00Z,2026-03-02T08:00:00Z\n") == ["negative_duration"]


@pytest.mark.parametrize(
    ("condition", "matching"),
    [
        ("{from: a, equals: Y}", "Y"),
        ("{from: a, equals: 5}", "5"),
        ("{from: a, equals: NO}", "NO"),
        ("{from: a, in: [x, Y]}", "xY"),
        ("{from: a, present: true}", "Yx5NO"),
        ("{from: a, present: false}", "-"),
        ("{not: {from: a, equals: Y}}", "x5NO-"),
        ("[{from: a, present: true}, {not: {from: a, in: [x, 5]}}]", "YNO"),
        ("{any: [{from: a, equals: x}, {from: a, present: false}]}", "x-"),
        ("{all: [{from: a, equals: x}, {from: b, equals: b}]}", "x"),
    ],
)
def test_conditions(tmp_path: Path, condition: str, matching: str) -> None:
    """Records for which its condition holds become an event, here one each of Y, x, 5, NO and nothing."""
    mapping = f"{HEAD}events:\n  - {{type: contact.ended, at: {{from: at}}, when: {condition}, set: {{contact_id: {{from: c}}}}}}\n"
    rows = [f"{n},2026-03-02T09:00:00Z,{a},b,{a or '-'}" for n, a in enumerate(["Y", "x", "5", "NO", ""])]
    mapped = events(tmp_path, mapping, "id,at,a,b,c\n" + "\n".join(rows))

    assert sorted("".join(event["contact_id"] for event in mapped)) == sorted(matching)


def test_records_that_a_mapping_passes_over_are_counted(tmp_path: Path) -> None:
    """Passed over by the mapping, without an event, and repeated unchanged: none is an error, all are counted."""
    mapping = HEAD + "when: {from: kind, in: [call, note]}\n" + QUEUED.replace("    set", "    when: {from: kind, equals: call}\n    set")
    rows = ["1,call", "2,test", "3,note", "1,call"]
    (tmp_path / "m.yaml").write_text(mapping)
    (tmp_path / "data").write_text("id,kind,at\n" + "".join(f"{row},2026-03-02T09:00:00Z\n" for row in rows))
    made, mapper = outcomes_of(tmp_path / "m.yaml", tmp_path / "data", NOW)

    assert [len(outcome) if isinstance(outcome, list) else None for outcome in made] == [1, 0, 0, 0]
    assert mapper.ignored == {"passed_over": 1, "no_event": 1, "repeated": 1}


# ---- Dead letters ------------------------------------------------------------------------------------------------------------------


def test_bad_rows_become_dead_letters_and_others_are_mapped(tmp_path: Path) -> None:
    """Each with its line, its unchanged bytes, a reason and its offset."""
    data = (
        b"id,at\r\n"
        b"1,2026-03-02T09:00:00Z\r\n"
        b",2026-03-02T09:00:00Z\r\n"
        b"2,1999-03-02T09:00:00Z\r\n"
        b"3,2026-03-02T13:00:00Z\r\n"
        b"4\r\n"
        b"5,2026-03-02T09:00:00Z,more\r\n"
        b"\r\n"
        b"6\xff,2026-03-02T09:00:00Z\r\n"
        b"1,2026-03-02T09:00:01Z\r\n"
        b'"7" x,2026-03-02T09:00:00Z\r\n'
        b"8,2026-03-02T09:00:00Z"
    )
    mapped = outcomes(tmp_path, HEAD + QUEUED, data)
    bad = [outcome for outcome in mapped if isinstance(outcome, Rejected)]

    assert [(rejection.origin, rejection.reason) for rejection in bad] == [
        ("data:3", "missing_value"),
        ("data:4", "time_too_old"),
        ("data:5", "time_in_future"),
        ("data:6", "column_count"),
        ("data:7", "column_count"),
        ("data:9", "not_text"),
        ("data:10", "repeated_id"),
        ("data:11", "bad_csv"),
    ]
    assert [outcome[0]["conversation_id"] for outcome in mapped if isinstance(outcome, list)] == ["crm:1", "crm:8"]
    for rejection in bad:
        assert rejection.offset is not None
        assert data[rejection.offset :].startswith(rejection.raw)


def test_a_corrected_version_of_a_rejected_record_may_follow(tmp_path: Path) -> None:
    """A rejected record does not occupy its id."""
    assert reasons(tmp_path, HEAD + QUEUED, "id,at\n1,soon\n1,2026-03-02T09:00:00Z\n") == ["not_a_time", 1]


REVISED = """\
revision: {from: changed}
events:
  - {type: contact.queued, at: {from: at}, set: {queue: {from: queue}}}
  - {type: contact.answered, when: {from: end, present: true}, at: {from: end}}
"""
WORDS = ("1,2026-03-02T09:00:00Z,sales,09:10:00", "1,2026-03-02T09:00:00Z,sales,09:20:00", "1,2026-03-02T09:00:00Z,care,")
CHANGED = ("2026-03-02T10:00:00Z", "2026-03-02T10:00:01.250Z", "2026-03-02T11:00:00Z")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2, 1, 0), (2, 2, 0, 0)])
def test_the_latest_revision_of_a_record_counts(tmp_path: Path, order: tuple[int, ...]) -> None:
    """In any position: earlier revisions after it are passed over, and events it no longer has are withdrawn, with its revision."""
    lines = [f"{WORDS[index].replace(',09:', ',2026-03-02T09:')}{'Z' if index < 2 else ''},{CHANGED[index]}" for index in order]
    mapped = events(tmp_path, HEAD + REVISED, "\n".join(["id,at,queue,end,changed", *lines]))
    last = {event["event_id"]: event for event in sorted(mapped, key=lambda event: event["revision"])}

    newest = [event for event in last.values() if event["type"] != "contact.withdrawn"]
    assert [(event["queue"], event["revision"]) for event in newest] == [("care", 1_772_449_200_000)]
    assert len(mapped) < 2 * len(set(order)) + 1


def test_a_revision_may_be_a_number(tmp_path: Path) -> None:
    """A record has the number of its version; one without is the first."""
    mapping = HEAD + REVISED.replace("{from: changed}", "{from: changed, format: number}").split("  - {type: contact.answered")[0]
    lines = [f"1,2026-03-02T09:00:00Z,{columns}" for columns in ("a,", "b,10", "c,9", "d,x")]
    mapped = outcomes(tmp_path, mapping, "\n".join(["id,at,queue,changed", *lines]))

    versions = [(event["queue"], event["revision"]) for outcome in mapped if isinstance(outcome, list) for event in outcome]
    assert versions == [("a", 0), ("b", 10)]
    assert [outcome.reason for outcome in mapped if isinstance(outcome, Rejected)] == ["not_a_number"]


def test_two_records_of_one_revision(tmp_path: Path) -> None:
    """It is unknown which is the later one, so the second is a dead letter."""
    data = "id,at,queue,end,changed\n1,2026-03-02T09:00:00Z,a,,2026-03-02T10:00:00Z\n1,2026-03-02T09:00:00Z,b,,2026-03-02T10:00:00Z\n"

    assert reasons(tmp_path, HEAD + REVISED, data) == [1, "repeated_id"]


def test_a_record_is_mapped_in_full_or_not_at_all(tmp_path: Path) -> None:
    """An event that cannot be created rejects its entire record."""
    mapping = HEAD + "events:\n  - {type: contact.queued, at: {from: at}, set: {queue: q}}\n  - {type: contact.ended, at: {from: end}}\n"

    assert reasons(tmp_path, mapping, "id,at,end\n1,2026-03-02T09:00:00Z,\n") == ["missing_value"]


# ---- Data files --------------------------------------------------------------------------------------------------------------------


def test_csv_with_quotes_and_line_ends_inside(tmp_path: Path) -> None:
    """A row over several lines is one record at its first line; a byte order mark is no part of a name."""
    mapping = HEAD + "events:\n  - {type: contact.categorized, at: {from: at}, set: {category: {from: what}}}\n"
    data = '\ufeffid,at,what\n1,2026-03-02T09:00:00Z,"a ""b"", c"\n2,2026-03-02T09:00:00Z,"two\nlines"\n3,2026-03-02T09:00:00Z,x\n'
    first, second, third = outcomes(tmp_path, mapping, data)

    assert isinstance(first, list)
    assert first[0]["category"] == 'a "b", c'
    assert isinstance(second, Rejected)
    assert (second.origin, second.reason, second.raw) == ("data:3", "not_permitted", b'2,2026-03-02T09:00:00Z,"two\nlines"')
    assert isinstance(third, list)


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    """The lines below are read again as rows of their own."""
    data = 'id,at\n1,"2026-03-02T09:00:00Z\n2,2026-03-02T09:00:00Z\n3,2026-03-02T09:00:00Z\n'

    assert reasons(tmp_path, HEAD + QUEUED, data) == ["bad_csv", 1, 1]


def test_other_forms_of_csv(tmp_path: Path) -> None:
    """Another delimiter, quote and encoding, no header, rows that end early."""
    mapping = HEAD.replace(
        "{format: csv}", '{format: csv, delimiter: "\\t", quote: "\'", encoding: cp932, columns: [id, at, what], short_rows: true}'
    )
    mapping += "events:\n  - {type: contact.categorized, at: {from: at}, set: {category: {from: what}}}\n"
    mapped = events(tmp_path, mapping, "1\t2026-03-02T09:00:00Z\t'解約 表'\n2\t2026-03-02T09:00:00Z\n".encode("cp932"))

    assert [event.get("category") for event in mapped] == ["解約 表", None]


def test_a_file_of_1_mib_lines_is_refused_line_by_line(tmp_path: Path) -> None:
    """An over-long line is a dead letter with its beginning, and the next one is read."""
    data = b"id,at\n1," + b"x" * 1_100_000 + b"\n2,2026-03-02T09:00:00Z\n"

    assert reasons(tmp_path, HEAD + QUEUED, data) == ["too_long", 1]


JSON_HEAD = HEAD.replace("{format: csv}", "{format: FORMAT}")
PATHS = "events:\n  - {type: contact.queued, at: {from: at}, set: {queue: {from: a.b.1.c\\.d}}}\n"


def test_paths_lead_through_objects_and_lists(tmp_path: Path) -> None:
    """A dot in a name is escaped; a path that ends early holds nothing."""
    mapping = JSON_HEAD.replace("FORMAT", "jsonl") + PATHS
    data = '{"id": 1, "at": "2026-03-02T09:00:00Z", "a": {"b": [0, {"c.d": "x"}]}}\n{"id": 2, "at": "2026-03-02T09:00:00Z", "a": 3}\n'

    assert reasons(tmp_path, mapping, data) == [1, "missing_value"]
    assert events(tmp_path, mapping, data.splitlines()[0])[0]["queue"] == "x"


@pytest.mark.parametrize(
    ("form", "data", "lines"),
    [
        ("jsonl", "{A}\n\n{B}\n", [1, 3]),
        ("json", "[{A},\n {B}]", [1, 2]),
        ("json", "{A}{B}\n{C}", [1, 1, 2]),
        ("json", "[]\n[{A}]\n", [2]),
        ("json, records: data.list", '{"next": [1], "data": {"total": 2, "list": [\n{A},\n{B}\n], "more": {}}}', [2, 3]),
    ],
)
def test_forms_of_json(tmp_path: Path, form: str, data: str, lines: list[int]) -> None:
    """A list, objects one after another, a list within an object, an object a line; each record knows its line."""
    for name in "ABC":
        data = data.replace(f"{{{name}}}", f'{{"id": "{name}", "at": 1772442000, "n": 1.0}}')
    mapping = JSON_HEAD.replace("FORMAT", form) + QUEUED.replace("{from: at}", "{from: at, format: epoch seconds}")
    (tmp_path / "m.yaml").write_text(mapping)
    (tmp_path / "data").write_text(data)
    records = list(read_records(tmp_path / "data", load_mapping(tmp_path / "m.yaml")))

    assert [record.origin for record in records] == [f"data:{line}" for line in lines]
    assert reasons(tmp_path, mapping, data) == [1] * len(lines)


def test_malformed_json_lines_stop_no_other(tmp_path: Path) -> None:
    """No JSON, no object, no finite number: each a dead letter of its own."""
    mapping = JSON_HEAD.replace("FORMAT", "jsonl") + QUEUED
    good = '{"id": 1, "at": "2026-03-02T09:00:00Z"}'

    assert reasons(tmp_path, mapping, f'{{"id"\n[1]\n{{"id": NaN}}\n{{"id": {{}}, "at": 1}}\n{good}\n') == [
        "invalid_json",
        "not_an_object",
        "invalid_json",
        "missing_value",
        1,
    ]


def test_a_truncated_json_file_keeps_the_records_before(tmp_path: Path) -> None:
    """The remaining text is one dead letter at the line where it is truncated."""
    mapping = JSON_HEAD.replace("FORMAT", "json") + QUEUED
    first, rest = outcomes(tmp_path, mapping, '[{"id": 1, "at": "2026-03-02T09:00:00Z"},\n{"id": 2, "at')

    assert isinstance(first, list)
    assert isinstance(rest, Rejected)
    assert (rest.origin, rest.reason, rest.raw) == ("data:2", "invalid_json", b'{"id": 2, "at')


def test_conditions_on_json_compare_numbers_and_truth(tmp_path: Path) -> None:
    """0 is 0.0, true is true, and an object equals nothing."""
    mapping = (
        JSON_HEAD.replace("FORMAT", "jsonl")
        + "events:\n  - {type: contact.ended, at: {from: at}, when: {any: [{from: n, equals: 0}, {from: n, equals: true}]}}\n"
    )
    data = "".join(
        f'{{"id": {number}, "at": "2026-03-02T09:00:00Z", "n": {text}}}\n'
        for number, text in enumerate(["0", "0.0", '"0"', "true", "false", "1", "{}", '{"x": 0}', "null"])
    )

    assert reasons(tmp_path, mapping, data) == [1, 1, 1, 1, 0, 0, 0, 0, 0]


# ---- The file and the mapping do not fit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "data", "complaint"),
    [
        (
            HEAD + QUEUED,
            "id,when\n",
            "mapping.yaml:5: read: the columns of data:1 are: id, when\n",
        ),
        (HEAD + QUEUED, "id,at,at\n", "mapping.yaml:10: events.0.at.from: column 'at' occurs twice in data:1"),
        (HEAD + QUEUED, "", "mapping.yaml:5: read: data: is empty; permitted: a header with the columns, or read.columns"),
        (
            HEAD + QUEUED,
            b"\xff\xfei\x00d\x00",
            "mapping.yaml:5: read: data:1: the header cannot be read: byte 0 of the line is no utf-8 text",
        ),
        (
            JSON_HEAD.replace("FORMAT", "json, records: rows") + QUEUED,
            '{"a": []}',
            "mapping.yaml:5: read.records: data has no list at 'rows'",
        ),
        (JSON_HEAD.replace("FORMAT", "json") + QUEUED, b"\xff", "mapping.yaml:5: read: data: byte 0 is no utf-8 text"),
    ],
)
def test_data_that_does_not_fit_the_mapping(tmp_path: Path, mapping: str, data: str | bytes, complaint: str) -> None:
    """It is reported once, with the location in the mapping and the columns of the file, and not for each row."""
    with pytest.raises(MappingError) as caught:
        outcomes(tmp_path, mapping, data)

    assert complaint in str(caught.value)


@given(st.lists(st.integers(0, 50)), st.integers(0, 60))
def test_events_are_ordered_as_far_as_memory_allows(times: list[int], held: int) -> None:
    """Nothing is lost; with room for all they are in order of time, and events of one time as they arrived."""
    items = [(at, place) for place, at in enumerate(times)]
    ordered = list(in_order(items, held))

    assert sorted(ordered) == sorted(items)
    if held >= len(items):
        assert ordered == sorted(items)
