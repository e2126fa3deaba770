"""The fast decoder: it accepts and refuses what the models do, yields the same values, and states why not."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import structs
from schemas.decoding import (
    _IS_TEXT,
    _PLAIN,
    _SPECIAL,
    IS_COMPILED,
    _interpreted,
    decode_agent_event,
    decode_contact_event,
    source_of,
    usual_agent_events,
    usual_contact_events,
)
from schemas.events import AGENT_KINDS, CONTACT_KINDS, encode, parse_agent_event, parse_contact_event
from schemas.limits import MAX_AHEAD_MS, MAX_RECORD_BYTES, MIN_TIME_MS
from schemas.rejection import REJECT_REASONS, Rejected
from schemas.times import parse_time_ms, to_ms
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXAMPLES: list[dict[str, Any]] = [json.loads(line) for line in (Path(__file__).parent / "examples.jsonl").read_text("utf-8").splitlines()]
#: Where something is compiled, what takes its place elsewhere is held to the models as well.
READERS: tuple[tuple[Callable[[bytes], Any], Callable[[bytes], Any]], ...] = (
    (decode_contact_event, parse_contact_event),
    (decode_agent_event, parse_agent_event),
    *(
        (
            (_interpreted(structs.ContactEvent, parse_contact_event, CONTACT_KINDS), parse_contact_event),
            (_interpreted(structs.AgentEvent, parse_agent_event, AGENT_KINDS), parse_agent_event),
        )
        if IS_COMPILED
        else ()
    ),
)
QUEUED: dict[str, Any] = {
    "type": "contact.queued",
    "event_id": "e-1",
    "occurred_at": "2026-08-06T12:34:56.789Z",
    "received_at": "2026-08-06T12:34:57Z",
    "source": "pbx-1",
    "conversation_id": "c-1",
    "queue": "sales",
}


def written(event: object) -> bytes:
    """Return JSON as our own connectors write it: compact, UTF-8."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def by_models(parse: Callable[[bytes], Any], value: bytes) -> dict[str, object] | None:
    """Return a record as the models read it, by wire name with times in milliseconds; None when they refuse it."""
    if len(value) > MAX_RECORD_BYTES:
        return None
    try:
        event = parse(value)
    except ValueError:
        return None
    plain = {field.alias or name: getattr(event, name) for name, field in type(event).model_fields.items()}
    return {name: to_ms(content) if isinstance(content, datetime) else content for name, content in plain.items()}


def outcome(decode: Callable[[bytes], Any], value: bytes) -> Any:
    """Return the event of a record, or its refusal."""
    try:
        return decode(value)
    except Rejected as rejected:
        return rejected


def by_decoder(decode: Callable[[bytes], Any], value: bytes) -> dict[str, object] | None:
    """Return a record as the decoder reads it, in the same form."""
    event = outcome(decode, value)
    if isinstance(event, Rejected):
        assert event.reason in REJECT_REASONS
        assert event.detail
        return None
    fields = {wire: getattr(event, name) for name, wire in zip(event.__struct_fields__, event.__struct_encode_fields__, strict=True)}
    return {"type": event.type, **fields}


def assert_alike(value: bytes) -> bool:
    """Hold that models and decoder agree on a record, for both topics; return whether any accepted it."""
    accepted, models = False, {parse: by_models(parse, value) for _, parse in READERS[:2]}
    for decode, parse in READERS:
        expected = models[parse]
        found = by_decoder(decode, value)
        assert found == expected, value[:2000]
        if expected is not None and found is not None:
            accepted = True
            assert {name: type(content) for name, content in found.items()} == {name: type(content) for name, content in expected.items()}
    return accepted


# ---- Agreement -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_examples_are_read_alike(example: dict[str, Any]) -> None:
    """Every kind gives the same values on both ways, in each usual way to write JSON."""
    kinds = {model.model_fields["type"].default for model in (*CONTACT_KINDS, *AGENT_KINDS)}
    expected = example["type"] in kinds

    assert assert_alike(written(example)) is expected
    assert assert_alike(json.dumps(example).encode()) is expected
    assert assert_alike(json.dumps(example, indent=2, ensure_ascii=False).encode()) is expected
    assert assert_alike(json.dumps(dict(reversed(example.items()))).encode()) is expected


#: A value each for what goes wrong in practice and in malice; raw, because some are no JSON.
HOSTILE_VALUES = [
    *(
        '""',
        '" "',
        '"\\u3000"',
        '"　"',
        '"\u2003"',
        '"\u1680"',
        '"\u205f"',
        '"\xa0"',
        '"\u200b"',
        '"\ufeff"',
        '"a\\nb"',
        '"\\u0000"',
        '"\\u007f"',
    ),
    *(
        '"a\x7f"',
        '"a\x85b"',
        '"\\u0085"',
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"😀"',
        '"\\q"',
        '"\\/"',
        '" a "',
        '"a\nb"',
        '"a\tb"',
        '"\x00"',
        '"営業　部"',
    ),
    *(
        '"' + "q" * 100 + '"',
        '"' + "q" * 101 + '"',
        '"' + "q" * 200 + '"',
        '"' + "q" * 201 + '"',
        '"' + "営" * 200 + '"',
        '"' + "😀" * 201 + '"',
    ),
    *(
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "-0",
        "-0.0",
        "0.0",
        "1.0",
        "1.5",
        "1e2",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
    ),
    *(
        "01",
        "1.",
        ".5",
        "+1",
        "0x10",
        "1_000",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551616",
        "9" * 400,
        "9" * 5000,
        "1e-400",
    ),
    *("315576000", "315576000.0", "315576000.1", "-0.001", "1000000001", "1000001"),
    *(
        "[]",
        "{}",
        "[[]]",
        '["ja"]',
        '["ja",""]',
        '["ja",null]',
        '["ja",1]',
        '[" "]',
        '["a\\u0001"]',
        '["hold"]',
        '["hold","hold","ring","ring"]',
    ),
    *("[" + ",".join(['"x"'] * count) + "]" for count in (500, 501)),
    *("[" * depth + "]" * depth for depth in (10, 199, 200, 201, 600, 3000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (10, 198, 201, 1500)),
    *('"2026-08-06T12:34:56Z"', '"2026-08-06T21:34:56.5+09:00"', '"2026-08-06T12:34:56.123456789Z"', '"1969-12-31T23:59:59.9999Z"'),
    *(
        '"2026-08-06T12:34:56"',
        '"2026-08-06 12:34:56Z"',
        '"2026-08-06T12:34:56z"',
        '"2026-08-06t12:34:56Z"',
        '"2026-08-06"',
        '"1786000000"',
        "1786000000",
    ),
    *(
        '"2026-08-06T12:34:56+0900"',
        '"2026-08-06T12:34:60Z"',
        '"2026-08-06T24:00:00Z"',
        '"2026-02-30T00:00:00Z"',
        '"20260806T123456Z"',
        '"P1D"',
    ),
    *(
        '"0001-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00+01:00"',
        '"9999-12-31T23:59:59.999Z"',
        '"9999-12-31T23:59:59-01:00"',
        '"0999-01-01T00:00:00Z"',
    ),
    *('"2026-08-06T12:34:56.\\u0037Z"', '"\\u0032026-08-06T12:34:56Z"', '"2026-08-06T12:34:56Z "', '"２０２６-08-06T12:34:56Z"'),
    *('"contact.queued"', '"contact.ended"', '"agent.heartbeat"', '"source.heartbeat"', '"contact.nothing"', '"Contact.queued"'),
    *('"voice"', '"fax"', '"inbound"', '"abandoned"', '"transfer"', '"routing"', '"1-5"', '"1-5\\n"', '"JPY"', '"contacts"', '"csat"'),
    # Format characters, fillers, private use, tags, and texts that are not composed, plain and escaped.
    *(f'"Sa{character}les"' for character in "\u200b\u200d\u202e\u2066\xad\u061c\u180e\ufeff\u2028\u3164\uffa0\u115f"),
    *(f'"Sa{character}les"' for character in "\u034f\ue000\U000e0041\U000f0000\u0604\u06dd\u070f\u0890\u08e2\u17b4\U000110bd"),
    *(
        '"Cafe\u0301"',
        '"\u30ab\u3099"',
        '"\\u30ab\\u3099"',
        '"\\u200b"',
        '"\u2126"',
        '"' + "\ufb2c" * 70 + '"',
        '"' + "e\u0301" * 110 + '"',
    ),
    *('"\u65e5\u672c"', '"\uff08\uff09"', '"\u845b\U000e0100"', '"\u2764\ufe0f"', '"\u0301"', '"\u0e01\u0e33"', '"\u212b"'),
    # White space at the ends.
    *(
        f'"{text}"'
        for text in (
            " Sales",
            "Sales ",
            "Sales\u3000",
            "\xa0Sales",
            "\u65e5\u672c ",
            "Sales\\u0020",
            " , ",
            "a, ",
            "Sales\\n ",
            "x" * 200 + " ",
        )
    ),
    *('["a "]', '[" a","b"]', '["a" ]', '["a ", "b"]', '"a " ', '"\\\\ "', '" \u0301"', '"\\" "', '"" '),
    *("nul", "tru", "'a'", "", "undefined", "[1,]", '{"a":1,}', '{"a":1,"a":2}', '"unended', "/* no */ 1"),
]


A_TEXT = "queue: a text without control, format and private characters that is not blank"


def raw(event: dict[str, str]) -> bytes:
    """Return the text of an object whose values are JSON already, or nearly."""
    return ("{" + ",".join(f'"{name}":{value}' for name, value in event.items()) + "}").encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("hostile", HOSTILE_VALUES, ids=lambda text: f"{len(text)} {text[:40]!a}")
def test_hostile_values_are_judged_alike_in_every_field(hostile: str) -> None:
    """For any value in any field, known or not, both ways agree."""
    for example in EXAMPLES:
        plain = {name: json.dumps(value, ensure_ascii=False) for name, value in example.items()}
        assert_alike(raw({**plain, "unknown": hostile}))
        for name in plain:
            assert_alike(raw({**plain, name: hostile}))


@pytest.mark.parametrize(
    "value",
    [
        # The name would hold as many bytes beyond ASCII as what is refused, were it not escaped, or overruled by the name after it.
        b'"queue":"\\u6771","conversation_id":"c\xe2\x80\x8b"',
        b'"queue":"\xe2\x80\x8b","queue":"\xe6\x9d\xb1","conversation_id":"c-1"',
        b'"queue":"\xe6\x9d\xb1","conversation_id":"\xe2\x80\x8b"',
        # Not sound by itself, seen once and again.
        b'"queue":"\xe2\x80\x8b","conversation_id":"c-1"',
        b'"queue":"\xe3\x82\xab\xe3\x82\x99","conversation_id":"c-1"',
        b'"queue":"\xe6\x9d\xb1","conversation_id":"c-1","unknown":"\xff"',
        # The same of blanks.
        b'"queue":"a\\u0020b","conversation_id":"c-1 "',
        b'"queue":"a b","queue":"ab","conversation_id":" c-1"',
        b'"queue":" ab","conversation_id":"c-1"',
        b'"queue":"a b","conversation_id":"c-1 "',
        b'"queue":"a b","conversation_id":"c- 1"',
        # Not sound, with as many bytes beyond ASCII as what they weigh could leave.
        b'"queue":"ab\xc2\xa0","conversation_id":"c-1"',
        b'"queue":"a b\xc2\xa0","category":"\xc2\xa0","conversation_id":"c-1"',
    ],
)
def test_a_name_that_is_not_ascii_vouches_for_nothing_else(value: bytes) -> None:
    """What makes up for the bytes of a name is judged as the models judge it."""
    event = written({name: content for name, content in QUEUED.items() if name not in {"queue", "conversation_id"}})
    for _ in range(2):
        assert_alike(written({**QUEUED, "queue": "東"}))
        assert_alike(event[:-1] + b"," + value + b"}")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_missing_fields_are_judged_alike(example: dict[str, Any]) -> None:
    """Whichever field is missing, both ways agree."""
    for name in example:
        assert_alike(written({key: value for key, value in example.items() if key != name}))


FOREIGN = {
    "nothing": b"",
    "blank": b"   ",
    "null": b"null",
    "number": b"17",
    "text": b'"contact.queued"',
    "list": b"[]",
    "list of an event": b"[" + written(QUEUED) + b"]",
    "empty object": b"{}",
    "no json": b"type=contact.queued",
    "xml": b"<event/>",
    "two events": written(QUEUED) * 2,
    "two lines": written(QUEUED) + b"\n" + written(QUEUED),
    "trailing comma": written(QUEUED)[:-1] + b",}",
    "trailing text": written(QUEUED) + b"x",
    "trailing zero byte": written(QUEUED) + b"\x00",
    "byte order mark": b"\xef\xbb\xbf" + written(QUEUED),
    "utf-16": written(QUEUED).decode().encode("utf-16"),
    "latin-1": written(QUEUED).replace(b"sales", b"caf\xe9"),
    "bad utf-8 in an unknown field": written(QUEUED)[:-1] + b',"x":"\xff"}',
    "utf-8 in two parts in an unknown field": written(QUEUED)[:-1] + b',"x":"\xe6A\x9d\xb1"}',
    "bad utf-8 in an unknown key": written(QUEUED)[:-1] + b',"\xff":1}',
    "overlong utf-8": written(QUEUED).replace(b"sales", b"\xc0\xaf"),
    "utf-8 surrogate": written(QUEUED).replace(b"sales", b"\xed\xa0\x80"),
    "half an escape": written(QUEUED)[:-1] + b',"x":"\\ud800"}',
    "half an escape in a key": written(QUEUED)[:-1] + b',"\\ud800":1}',
    "NaN in an unknown field": written(QUEUED)[:-1] + b',"x":NaN}',
    "endless number in an unknown field": written(QUEUED)[:-1] + b',"x":' + b"1" * 5000 + b"}",
    "endless fraction in an unknown field": written(QUEUED)[:-1] + b',"x":0.' + b"1" * 5000 + b"}",
    "endless exponent in an unknown field": written(QUEUED)[:-1] + b',"x":1e' + b"1" * 5000 + b"}",
    "number of two long halves in an unknown field": written(QUEUED)[:-1] + b',"x":' + b"1" * 4200 + b"." + b"1" * 4200 + b"}",
    "long text of digits": written({**QUEUED, "x": "1" * 5000}),
    "long list of numbers": written({**QUEUED, "x": [10**300] * 500}),
    "long list of texts": written({**QUEUED, "x": ["é\u0301 \u200b"] * 5000}),
    "confluent wire format": b"\x00\x00\x00\x00\x07" + written(QUEUED),
    "same key twice, same value": written(QUEUED)[:-1] + b',"queue":"sales"}',
    "same key twice, other value": written(QUEUED)[:-1] + b',"queue":"support"}',
    "same key twice, first bad": b'{"queue":5,' + written(QUEUED)[1:],
    "same key twice, last bad": written(QUEUED)[:-1] + b',"queue":5}',
    "type twice": written(QUEUED)[:-1] + b',"type":"contact.ended"}',
    "type twice, first unknown": b'{"type":"contact.nothing",' + written(QUEUED)[1:],
    "type twice, first a number": b'{"type":1,' + written(QUEUED)[1:],
    "time twice": written(QUEUED)[:-1] + b',"occurred_at":"2026-08-06T12:00:00Z"}',
    "time twice, last bad": written(QUEUED)[:-1] + b',"occurred_at":"noon"}',
    "type last": written(dict(reversed(QUEUED.items()))),
    "key written with escapes": written(QUEUED).replace(b'"queue"', b'"que\\u0075e"'),
    "name of the struct's field": written(QUEUED)[:-1] + b',"occurred_ms":"x","further_times":["queue"]}',
    "name of the model's field": written({**QUEUED, "type": "contact.consult_started", "with_whom": "a"}),
    "largest": written({**QUEUED, "x": ""})[:-2] + b"x" * (MAX_RECORD_BYTES - len(written({**QUEUED, "x": ""}))) + b'"}',
    "one byte too large": written({**QUEUED, "x": ""})[:-2] + b"x" * (MAX_RECORD_BYTES - len(written({**QUEUED, "x": ""})) + 1) + b'"}',
    "5 MB of spaces": written(QUEUED) + b" " * 5_000_000,
    "5 MB in a text": written({**QUEUED, "queue": "x" * 5_000_000}),
    "5 MB of openings": b"[" * 5_000_000,
}


@pytest.mark.parametrize("value", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_records_are_judged_alike(value: bytes) -> None:
    """What is no event, or barely one, is accepted by both ways or by neither."""
    assert_alike(value)


def test_every_truncation_is_refused_by_both() -> None:
    """A record cut anywhere is no event."""
    value = written({**QUEUED, "queue": "営業", "skills": ["ja"]})

    assert not any(assert_alike(value[:end]) for end in range(len(value)))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw an example's record with fields removed, replaced, repeated or added, and bytes changed."""
    example = draw(st.sampled_from(EXAMPLES))
    members = [(json.dumps(name), json.dumps(value, ensure_ascii=draw(st.booleans()))) for name, value in example.items()]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(members) - 1))
        match draw(st.sampled_from(("remove", "replace", "repeat", "add", "move"))):
            case "remove" if len(members) > 1:
                del members[at]
            case "replace":
                members[at] = (members[at][0], draw(st.sampled_from(HOSTILE_VALUES)))
            case "repeat":
                members.insert(
                    draw(st.integers(0, len(members))), (members[at][0], draw(st.sampled_from([members[at][1], *HOSTILE_VALUES])))
                )
            case "add":
                members.append((json.dumps(draw(st.text(max_size=8))), json.dumps(draw(JSON_VALUES), ensure_ascii=draw(st.booleans()))))
            case _:
                members.append(members.pop(at))
    colon, comma = draw(st.sampled_from(((":", ","), (": ", ", "), (" :", " ,"), (":\n", ",\r\n\t"))))
    value = ("{" + comma.join(f"{name}{colon}{content}" for name, content in members) + "}").encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(value)))
        value = value[:at] + draw(st.sampled_from(SPLINTERS)) + value[at + draw(st.integers(0, 2)) :]
    return value


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
SPLINTERS = [
    b"",
    b"\x00",
    b"\n",
    b" ",
    b'"',
    b"\\",
    b"\\u",
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"0",
    b"-",
    b".",
    b"e",
    b"T",
    b"\x7f",
    b"\x80",
    b"\xc2\x85",
    b"\xe3",
    b"\xff",
]


@settings(max_examples=2000, deadline=None)
@given(mutated())
def test_mutated_records_are_judged_alike(value: bytes) -> None:
    """However a record is bent, both ways accept it with the same values or both refuse it."""
    assert_alike(value)


# ---- What the structs hold -------------------------------------------------------------------------------------------------------------


def test_times_are_integer_milliseconds() -> None:
    """All times of an event, optional ones too, are whole milliseconds."""
    event = decode_contact_event(written({**QUEUED, "type": "contact.callback_requested", "due": "2026-08-06T21:34:56.7899+09:00"}))

    assert isinstance(event, structs.ContactCallbackRequested)
    assert (event.occurred_ms, event.received_ms, event.due_ms) == (1_786_019_696_789, 1_786_019_697_000, 1_786_019_696_789)


def test_absent_times_stay_absent() -> None:
    """A time that was not sent is None, never 0."""
    event = decode_contact_event(written({**QUEUED, "type": "contact.callback_requested"}))

    assert isinstance(event, structs.ContactCallbackRequested)
    assert event.due_ms is None


def test_every_kind_has_a_struct_of_its_name() -> None:
    """Models and structs are found under the same names, with the same type."""
    for model in (*CONTACT_KINDS, *AGENT_KINDS):
        assert getattr(structs, model.__name__).type == model.model_fields["type"].default


def test_models_are_asked_only_when_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What connectors publish, Japanese, spaces and escapes included, takes the fast way."""

    def asked(*_: object) -> None:
        raise AssertionError("the models were asked")

    monkeypatch.setattr("schemas.decoding._decode_by_models", asked)
    for example in EXAMPLES:
        for (decode, parse), kinds in zip(READERS, (CONTACT_KINDS, AGENT_KINDS) * 2, strict=False):
            if example["type"] in {model.model_fields["type"].default for model in kinds}:
                decode(encode(parse(written(example))))
                decode(json.dumps(example).encode())


# ---- Reasons ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, "empty", "the record has no value"),
        (b"", "empty", "the record has no value"),
        (b" " * (MAX_RECORD_BYTES + 1), "too_large", "262145 bytes; at most 262144"),
        (written(QUEUED).replace(b"sales", b"\xff"), "invalid_utf8", "byte 170"),
        (b"{", "invalid_json", None),
        (written(QUEUED)[:-1] + b',"x":NaN}', "invalid_json", None),
        (b"[]", "wrong_type", "record: an object"),
        (written({**QUEUED, "type": "contact.secret"}), "unknown_type", None),
        (written({**QUEUED, "type": 1}), "unknown_type", None),
        (written({"queue": "sales"}), "missing_field", "type: required"),
        (written({key: value for key, value in QUEUED.items() if key != "queue"}), "missing_field", "queue: required"),
        (written({**QUEUED, "queue": 1}), "wrong_type", "queue: a text"),
        (written({**QUEUED, "occurred_at": 1}), "wrong_type", "occurred_at: a time as text, such as 2026-08-06T12:34:56.789Z"),
        (written({**QUEUED, "priority": 1.5}), "wrong_type", "priority: a whole number"),
        (written({**QUEUED, "skills": "ja"}), "wrong_type", "skills: a list"),
        (written({**QUEUED, "skills": ["ja", 1]}), "wrong_type", "skills.1: a text"),
        (
            written({**QUEUED, "occurred_at": "noon"}),
            "invalid_value",
            "occurred_at: a time such as 2026-08-06T12:34:56.789Z, with Z or an offset",
        ),
        (written({**QUEUED, "queue": ""}), "invalid_value", "queue: a length of at least 1"),
        (written({**QUEUED, "queue": " "}), "invalid_value", A_TEXT),
        (written({**QUEUED, "queue": "Sa\u200bles"}), "invalid_value", A_TEXT),
        (written({**QUEUED, "queue": "q" * 201}), "invalid_value", "queue: a length of at most 200"),
        (written({**QUEUED, "relation": "x"}), "invalid_value", "relation: one of 'transfer', 'callback', 'consult' or 'reopen'"),
        (written({**QUEUED, "type": "contact.answered", "wait_seconds": -1}), "invalid_value", "wait_seconds: at least 0"),
        (written({**QUEUED, "type": "contact.answered", "wait_seconds": 1e9}), "invalid_value", "wait_seconds: at most 315576000"),
        (written({**QUEUED, "type": "survey.invited", "kind": "csat", "scale": "one-five"}), "invalid_value", None),
    ],
)
def test_a_refusal_states_reason_and_field(value: bytes | None, reason: str, detail: str | None) -> None:
    """The reason is stable for counters; the detail names the field and what it may hold."""
    with pytest.raises(Rejected) as refused:
        decode_contact_event(value)

    assert refused.value.reason == reason
    if detail is not None:
        assert refused.value.detail == detail


@pytest.mark.parametrize("name", [*QUEUED, "channel", "priority", "skills", "unknown"])
def test_a_refusal_quotes_nothing_that_was_sent(name: str) -> None:
    """Details go to logs and headers: what a sender wrote must not reach them."""
    for hostile in (
        written("0312345678\n"),
        written({"0312345678": "0312345678"}),
        written(["0312345678"] * 600),
        b'"0312345678',
        b"0312345678x",
        b'"\\u00000312345678"',
    ):
        plain = {key: json.dumps(value) for key, value in QUEUED.items()}
        event = outcome(decode_contact_event, raw({**plain, name: hostile.decode()}))
        if isinstance(event, Rejected):
            assert "0312345678" not in str(event)
            assert event.__cause__ is None
            assert event.__suppress_context__
        else:
            assert name == "unknown"


def test_an_agent_event_is_unknown_among_contacts() -> None:
    """Each topic accepts its own kinds only, and names them."""
    with pytest.raises(Rejected) as refused:
        decode_agent_event(written(QUEUED))

    assert refused.value.reason == "unknown_type"
    assert refused.value.detail == (
        "type: one of agent.state_changed, agent.skills_changed, agent.heartbeat, schedule.planned, source.heartbeat, source.snapshot"
    )


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("name", [" support", "support ", "\u3000support\xa0", " support,  "])
def test_white_space_at_the_ends_makes_no_other_name(name: str, separators: tuple[str, str]) -> None:
    """It cannot be seen: such a name would pass for another queue."""
    value = json.dumps({**QUEUED, "queue": name, "skills": ["ja ", " en"]}, ensure_ascii=False, separators=separators).encode()
    event, model = decode_contact_event(value), parse_contact_event(value)

    expected = "support," if "," in name else "support"
    assert (event.queue, event.skills) == (expected, ("ja", "en"))  # type: ignore[union-attr]
    assert (model.queue, model.skills) == (expected, ("ja", "en"))  # type: ignore[union-attr]
    assert source_of(json.dumps({"source": name}).encode()) == expected


def test_what_the_fast_path_takes_for_sound_is() -> None:
    """Of U+3000 to U+9FFF, all but the special ones may be in texts, are composed, and combine with nothing."""
    special = {sequence.decode() for sequence in _SPECIAL}
    others = [chr(point) for point in range(0x3000, 0xA000) if chr(point) not in special]

    assert all(_IS_TEXT(each) for each in others)
    assert not any(map(unicodedata.combining, others))
    assert all(unicodedata.is_normalized("NFC", f"{before}{each}") for each in others for before in ("e", "か", ""))
    assert all(_PLAIN[each.encode()] for each in others)
    assert not any(_PLAIN[f"注{each}文".encode()] for each in (*special, "é", "e\u0301", "\u200b", "ａ", "\U00020000"))


# ---- What is compiled --------------------------------------------------------------------------------------------------------------------


def test_it_is_compiled_where_tests_decide() -> None:
    """Else the tests above would not cover it."""
    require(IS_COMPILED, "schemas/_compiled.c is not compiled: apt-get install gcc libc6-dev python3-dev, then `make setup`")


APPENDED_MS = 1_790_000_000_000


def many(usual: Any, values: Sequence[bytes | None], appended_ms: int = APPENDED_MS) -> list[Any]:
    """Return records decoded at once."""
    require(usual, "schemas/_compiled.c is not compiled")
    found: list[Any] = usual([SimpleNamespace(value=value, timestamp=appended_ms) for value in values])
    assert len(found) == len(values)
    return found


def test_many_records_are_decoded_as_each_by_itself() -> None:
    """Those that are usual; the others are left to the decoder of one, by None in their place."""
    values = [written(example) for example in EXAMPLES]
    unusual = [
        b"",
        b"{",
        b"null",
        None,
        written({**QUEUED, "queue": "a\u3000b"}),
        written({**QUEUED, "queue": " a"}),
        written(QUEUED) + b"x",
    ]
    for usual, decode in ((usual_contact_events, decode_contact_event), (usual_agent_events, decode_agent_event)):
        for value, event in zip([*values, *unusual], many(usual, [*values, *unusual]), strict=True):
            alone = outcome(decode, value)  # type: ignore[arg-type]
            assert event is None if isinstance(alone, Rejected) or value in unusual else event == alone, value


@pytest.mark.parametrize(
    ("occurred", "received", "appended", "is_usual"),
    [
        ("2026-08-06T12:00:00Z", "2026-08-06T12:00:00Z", "2026-08-06T12:00:00Z", True),
        # Five minutes ahead of what received it, and a millisecond more.
        ("2026-08-06T12:05:00Z", "2026-08-06T12:00:00Z", "2026-08-06T12:00:00Z", True),
        ("2026-08-06T12:05:00.001Z", "2026-08-06T12:00:00Z", "2026-08-06T12:00:00Z", False),
        ("2000-01-01T00:00:00Z", "2026-08-06T12:00:00Z", "2026-08-06T12:00:00Z", True),
        ("1999-12-31T23:59:59.999Z", "2026-08-06T12:00:00Z", "2026-08-06T12:00:00Z", False),
        # Received after it was appended: a clock is wrong.
        ("2026-08-06T12:00:00Z", "2026-08-06T12:00:00.001Z", "2026-08-06T12:00:00Z", False),
    ],
)
def test_times_that_cannot_be_true_are_not_usual(occurred: str, received: str, appended: str, *, is_usual: bool) -> None:
    """They are looked at one by one."""
    value = written({**QUEUED, "occurred_at": occurred, "received_at": received})

    (event,) = many(usual_contact_events, [value], parse_time_ms(appended))

    assert (event is not None) is is_usual


@given(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001 - a text gets its zone below
    st.sampled_from(["", ".", ".5", ".78", ".789", ".7899999", ".123456789", ".1234567890"]),
    st.sampled_from(["Z", "z", "+00:00", "-00:00", "+09:00", "-23:59", "+24:00", "+9:00", "+0900", ""]),
)
def test_compiled_times_are_those_of_the_other_reader(moment: datetime, fraction: str, zone: str) -> None:
    """To the millisecond, and refused alike."""
    text = f"{moment.isoformat(timespec='seconds')}{fraction}{zone}"
    try:
        expected: int | None = parse_time_ms(text)
    except ValueError:
        expected = None

    (event,) = many(usual_contact_events, [written({**QUEUED, "occurred_at": text, "received_at": "9998-12-31T23:59:59.999Z"})], 1 << 52)

    # What occurred too early or too late is None as well.
    assert (
        event is None
        if expected is None or not MIN_TIME_MS <= expected <= 253_370_764_799_999 + MAX_AHEAD_MS
        else event.occurred_ms == expected
    )
