"""Qualtrics: a form has only the id of a response; the response itself arrives as the API's answer or export (JSON)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from streams.connectors.kit.accounts import URL
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_or_form_records, list_records, written
from streams.connectors.kit.surveys import Given, answers, contact_of, survey_settings
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOPIC: Final = re.compile(r"[^.]*\.?(?:surveyengine|controlpanel)\.(\w+)(?:\..*)?")
_NORMAL, _PREVIEW, _TEST, _IMPORTED, _SPAM = 0, 1, 2, 4, 8
_COUNTED: Final = {_NORMAL, _IMPORTED, 16, 17}
_records = json_or_form_records(list_records("responses"))


def _read(body: bytes, origin: str) -> Iterator[Record]:
    for record in _records(body, origin):
        result = record.content.get("result")
        if isinstance(result, dict):
            # A single response has an envelope.
            yield Record(result, written(result), record.origin, record.number)
        else:
            yield record


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    topic = fields.text("Topic")
    if topic is not None:
        match = _TOPIC.fullmatch(topic)
        return match[1] if match else topic
    if not isinstance(fields.get("values"), dict):
        raise UnusableError("unknown_kind", "neither Topic nor values")
    if fields.number("values.finished") == 0:
        return "response (not finished)"
    status = fields.number("values.status")
    return "response" if status is None or status in _COUNTED else "response (preview, test or spam)"


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content, context.zone)
    values = fields.get("values")
    shown = fields.get("displayedFields")
    given = [Given((name,), value) for name, value in values.items() if isinstance(value, (str, int, float, bool)) or value is None]
    given += [Given((name,), None) for name in shown if isinstance(name, str)] if isinstance(shown, list) else []
    return answers(
        context,
        connector="qualtrics",
        response=fields.text("responseId") or fields.need("values._recordId"),
        at=fields.time("values.recordedDate") or fields.need_time("values.endDate"),
        contact=fields.text(f"values.{contact_of(context)}"),
        given=given,
    )


CONNECTOR = Connector(
    name="qualtrics",
    title="Qualtrics",
    family="survey",
    delivery="journal",
    ways=("webhook", "pull", "file"),
    kinds={"response": "survey.answered for each answer to a question under `questions`"},
    ignored={
        "completedResponse": "has only the id of the response: its answers are fetched",
        "partialResponse": "a response that is not finished",
        "activateSurvey": "about a survey, no answer",
        "deactivateSurvey": "about a survey, no answer",
        "response (not finished)": "a response that is not finished",
        "response (preview, test or spam)": "no customer's answer",
    },
    read=_read,
    kind=_kind,
    translate=_translate,
    reports={"csat": ""},
    # Questions have ids of the survey's own, so that any value may be personal.
    personal=("values.*", "labels.*", "displayedValues.*"),
    verification=Verification(kind="token", query_parameter="token"),
    settings=(
        Setting(name="surveys", meaning="Ids of the surveys whose responses are polled", default=[]),
        Setting(name="data_center", meaning="The account's, of DATACENTER.qualtrics.com; needed to poll it"),
        URL,
        *survey_settings({}),
    ),
    credentials=(Setting(name="api_token", meaning="Of a user who may export responses", required=True),),
    guessed=(
        "How deliveries are signed (`sharedKey`): the secret is in the URL, and only the id is read from the form.",
        "The statuses of responses, and that an export in JSON has the structure of a single response.",
        "The requests by which an export is ordered and fetched are from memory of the vendor's reference.",
    ),
)
