"""Survey tools: answers find their contact, count once, and carry nothing personal; figures are worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.platforms import connector
from tests.connectors.platforms.surveys import ANSWERS, FORM, PERSONAL, figures, scores_of, tickets, translated
from tests.support.platforms import FIXTURES, SHARED, fixture
from tests.support.require import require

#: Of the answers 5 and 2: their mean is 3.5, one of two is 4 or more. Of 10 and 3: a promoter and a detractor.
EXPECTED = {"csat": 3.5, "csat_top2": 0.5, "nps": 0.0}
NAMES = ("delighted", "google-forms", "microsoft-forms", "qualtrics", "surveymonkey", "typeform")


def by_kpi(totals: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of answers."""
    return {name: totals[name]["value"] for name in EXPECTED}


@pytest.mark.parametrize(("name", "file", "settings"), [each for each in ANSWERS if each[0] != "delighted"])
def test_answers_find_their_contact(name: str, file: str, settings: dict[str, Any]) -> None:
    """Both answers of both customers, on their scales, about their tickets."""
    done = translated(name, fixture(name, file), settings)
    assert scores_of(done) == [
        ("T-100", "csat", 5.0, "1-5"),
        ("T-100", "nps", 10.0, "0-10"),
        ("T-200", "csat", 2.0, "1-5"),
        ("T-200", "nps", 3.0, "0-10"),
    ]
    assert done.rejected == []
    assert {event.occurred_at.isoformat()[:16] for event in done.events} == {"2026-04-07T08:15", "2026-04-07T09:02"}


@pytest.mark.parametrize(("name", "file", "settings"), ANSWERS)
def test_figures_whatever_order_and_however_often(name: str, file: str, settings: dict[str, Any]) -> None:
    """Shuffled and up to three times, the figures are those of the answers in order."""
    events = translated(name, fixture(name, file), settings).events
    random = Random(7)
    again = [event for event in events for _ in range(random.randint(1, 3))]
    random.shuffle(again)
    assert by_kpi(figures(events, of=tickets("T-100", "T-200"))) == EXPECTED
    assert by_kpi(figures(again, of=tickets("T-100", "T-200"))) == EXPECTED


def test_what_is_passed_over_has_a_reason() -> None:
    """Partial, unfinished, foreign and test responses, and notices of ids alone, are ignored by kind."""
    ignored = {
        ("typeform", "webhook.jsonl"): {"form_response_partial": 1},
        ("typeform", "responses.json"): {"response (not sent)": 1},
        ("surveymonkey", "webhook.json"): {"response_completed": 1},
        ("surveymonkey", "responses.json"): {"response: partial": 1},
        ("qualtrics", "event.form.txt"): {"completedResponse": 1},
        ("qualtrics", "responses.json"): {"response (preview, test or spam)": 1, "response (not finished)": 1},
        ("delighted", "webhook.jsonl"): {"other surveys": 1},
    }
    for (name, file), expected in ignored.items():
        settings = next((settings for each, _, settings in ANSWERS if each == name), {})
        assert dict(translated(name, fixture(name, file), settings).ignored) == expected
        assert all(connector(name).ignored[kind] for kind in expected)


def test_an_answer_by_webhook_and_by_the_api_is_one() -> None:
    """Typeform's webhook and an entry of its Responses API give the same event."""
    (pulled,) = translated("typeform", fixture("typeform", "responses.json")).events
    assert pulled.event_id in {event.event_id for event in translated("typeform", fixture("typeform", "webhook.jsonl")).events}


def test_an_answer_that_changes_keeps_its_id() -> None:
    """Delighted: the second answer of a response replaces the first; another survey of the same customer does not."""
    events = translated("delighted", fixture("delighted", "webhook.jsonl")).events
    assert [(event.event_id.rpartition("-")[0], event.score) for event in events] == [  # type: ignore[attr-defined]
        ("delighted:801-csat", 4.0),
        ("delighted:801-csat", 5.0),
        ("delighted:802-csat", 2.0),
        ("delighted:803-nps", 10.0),
        ("delighted:804-nps", 3.0),
    ]
    assert events[0].event_id == events[1].event_id
    # The second was given 100 s after the first.
    assert events[1].revision == 100_000 + (events[0].revision or 0)


def test_without_a_contact_an_answer_is_its_own() -> None:
    """It is accepted, as a conversation that no other source can have."""
    body = b'{"event_type":"survey_response.created","event_data":{"id":"9","score":8,"person":{"id":"1"},"updated_at":1775549600}}'
    (event,) = translated("delighted", body).events
    assert event.conversation_id == "delighted:9"  # type: ignore[attr-defined]


def test_a_prefix_leads_to_the_other_source() -> None:
    """A source whose conversations begin with its name is found by the setting."""
    done = translated("google-forms", fixture("google-forms", "answers.en.csv"), {**FORM, "conversation_prefix": "pbx:"})
    assert {score[0] for score in scores_of(done)} == {"pbx:T-100", "pbx:T-200"}


@pytest.mark.parametrize(
    ("settings", "reason", "detail"),
    [
        ({}, "unknown_question", "none of the questions that it answers is in the setting `questions`"),
        ({"questions": {"How was it?": "stars 1-5"}}, "bad_setting", "questions.How was it?: its kind is one of csat, nps, ces"),
        ({"questions": {"How was it?": "csat 5-1"}}, "bad_setting", "a scale is its lowest and highest score"),
        ({"questions": {"How was it?": "csat 1-4"}}, "not_on_scale", "How was it?: the answer is not on the scale 1-4"),
        ({"questions": {"Case": "csat"}, "contact": "other"}, "unknown_answer", "Case: the answer is no number"),
        ({"questions": {"How was it?": "csat"}, "date_order": "xyz"}, "bad_setting", "date_order: mdy, dmy or ymd"),
    ],
)
def test_an_unusable_answer_has_a_reason(settings: dict[str, Any], reason: str, detail: str) -> None:
    """The reason, and a detail that names the setting."""
    first = translated("google-forms", fixture("google-forms", "answers.en.csv"), settings).rejected[0]
    assert first.reason == reason
    assert detail in first.detail


@pytest.mark.parametrize(
    ("written", "order", "expected"),
    [
        ("2026/04/07 5:15:00 午後 GMT+9", "mdy", "2026-04-07T08:15"),
        ("2026/04/07 12:30:00 午前 GMT+9", "mdy", "2026-04-06T15:30"),
        ("2026/04/07 12:30:00 PM GMT-7", "mdy", "2026-04-07T19:30"),
        ("2026/04/07 5:15:00 PM GMT+5:30", "mdy", "2026-04-07T11:45"),
        ("2026/04/07 午後 5:15:00", "mdy", "2026-04-07T08:15"),
        ("4/7/26 17:15:00", "mdy", "2026-04-07T08:15"),
        ("07/04/2026 17:15", "dmy", "2026-04-07T08:15"),
        ("07.04.2026 17:15:00", "mdy", "2026-04-07T08:15"),
        ("26/4/7 17:15:00", "ymd", "2026-04-07T08:15"),
    ],
)
def test_times(written: str, order: str, expected: str) -> None:
    """As form builders write them, in Tokyo where they name no offset; worked out by hand."""
    body = f"Timestamp,How was it?,Case\n{written},5,T-1\n".encode()
    (event,) = translated("google-forms", body, {**FORM, "date_order": order}).events
    assert event.occurred_at.isoformat()[:16] == expected


@pytest.mark.parametrize("written", ["yesterday", "2026/13/07 5:15:00 PM GMT+9", "2026/04/07 13:15:00 PM GMT+9", "", "99/99/9999 1:00"])
def test_bad_times(written: str) -> None:
    """They are refused as such."""
    body = f"Timestamp,How was it?,Case\n{written},5,T-1\n".encode()
    assert [each.reason for each in translated("google-forms", body, FORM).rejected] == ["bad_time"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
def test_encodings(encoding: str) -> None:
    """The same table in the encodings of common programs."""
    settings = next(settings for name, file, settings in ANSWERS if file == "answers.ja.csv")
    body = fixture("google-forms", "answers.ja.csv").decode().encode(encoding)
    assert len(translated("google-forms", body, settings).events) == 4


def test_nothing_personal_passes() -> None:
    """No name, address, number or text of a customer is in an event or a dead letter, with settings and without."""
    seen = 0
    for name in NAMES:
        for path in (each for each in (FIXTURES / name).iterdir() if not each.name.endswith("settings.json")):
            assert name in {"surveymonkey", "qualtrics"} or any(each in path.read_text().lower() for each in PERSONAL)
            for settings in ({}, *(settings for each, _, settings in ANSWERS if each == name), {"questions": {"nothing": "csat"}}):
                done = translated(name, path.read_bytes(), settings)
                out = [event.model_dump_json() for event in done.events] + [each.raw.decode() + each.detail for each in done.rejected]
                seen += len(out)
                assert not [word for word in PERSONAL for text in out if word in text.lower()], (name, path.name)
    assert seen > 40


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_malformed_records_raise_nothing(name: str, data: st.DataObject) -> None:
    """Any value at any path of a record gives events or a reason."""
    file = next(file for each, file, _ in ANSWERS if each == name)
    settings = next((settings for each, _, settings in ANSWERS if each == name), {})
    body = bytearray(fixture(name, file))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 12))] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"null", b"[]", b"{}", b"-1", b"1e9"])
        )
    done = translated(name, bytes(body), settings)
    assert done.events or done.rejected or done.ignored or not done.records
    assert all(each.reason and each.detail for each in done.rejected)


def test_a_late_delivery_is_not_late() -> None:
    """An answer that a webhook delivers hours late counts as any other."""
    late = datetime(2026, 4, 7, 23, tzinfo=UTC)
    assert (
        by_kpi(figures(translated("typeform", fixture("typeform", "webhook.jsonl"), now=late).events, of=tickets("T-100", "T-200")))
        == EXPECTED
    )


def _malformed(value: Any) -> st.SearchStrategy[Any]:
    strange: st.SearchStrategy[Any] = st.sampled_from([None, True, -1, 1e308, "", "x" * 300, [], {}, [None], {"a": {}}, "\u0000", 10**19])
    if isinstance(value, dict):
        return strange | st.fixed_dictionaries({key: _malformed(each) for key, each in value.items()})
    if isinstance(value, list):
        return strange | st.tuples(*map(_malformed, value)).map(list)
    return st.just(value) | strange


@pytest.mark.parametrize("name", ["typeform", "delighted", "surveymonkey", "qualtrics"])
@given(data=st.data())
def test_strange_values_raise_nothing(name: str, data: st.DataObject) -> None:
    """The same with values of every type at every path of a valid JSON document."""
    file = next(file for each, file, _ in ANSWERS if each == name)
    settings = next((settings for each, _, settings in ANSWERS if each == name), {})
    body = fixture(name, file)
    content = orjson.loads(body.splitlines()[0] if file.endswith("l") else body)
    translated(name, orjson.dumps(data.draw(_malformed(content)), option=orjson.OPT_NON_STR_KEYS), settings)


def test_published_samples() -> None:
    """Each sample of the platforms gives the figures worked out for it: csat of 5 and 1, nps of 9 and 2."""
    require(SHARED.is_dir(), "the shared samples are not beside this repository (../shared/payloads)")
    questions: dict[str, dict[str, Any]] = {
        "google-forms": {"questions": {"満足度を教えてください": "csat 1-5", "他の人に勧めますか": "nps"}, "contact": "お問い合わせ番号"},
        "microsoft-forms": {"questions": {"How satisfied are you?": "csat", "Would you recommend us?": "nps"}, "contact": "Contact number"},
        "qualtrics": {"questions": {"QID1": "csat", "QID2": "nps"}},
    }
    translations = {}
    for name in NAMES:
        paths = [path for path in SHARED.iterdir() if name in path.name and "signature" not in path.name]
        assert paths
        for path in paths:
            done = translated(name, path.read_bytes(), questions.get(name))
            assert done.events or done.ignored or done.rejected
            translations[path.name] = done
    twice = translations["DERIVED.delighted.survey-response-updated.twice.json"].events
    for events in (twice, twice[::-1], [*twice, *twice[::-1]]):
        assert figures(events, of=tickets("5158", day="2026-03-02", hour=9))["csat"]["value"] == 4.0
    for form in ("DERIVED.google-forms.export.ja.csv", "DERIVED.microsoft-forms.export.csv"):
        totals = figures(translations[form].events, of=tickets("5158", "5159", day="2026-03-02", hour=8))
        assert (totals["csat"]["value"], totals["nps"]["value"]) == (3.0, 0.0)
    assert [rejection.reason for rejection in translations["surveymonkey.rest.responses-bulk.json"].rejected] == ["unknown_question"]
    assert scores_of(translations["DERIVED.typeform.form-response.csat-nps.json"]) == [
        ("5158", "csat", 5.0, "1-5"),
        ("5158", "nps", 9.0, "0-10"),
    ]
    assert scores_of(translations["DERIVED.qualtrics.get-response.json"]) == [("5158", "csat", 5.0, "1-5"), ("5158", "nps", 9.0, "0-10")]
