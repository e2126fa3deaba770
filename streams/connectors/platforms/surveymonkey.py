"""SurveyMonkey: a webhook has only the id of a response; the answers themselves arrive as the API's lists of responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.accounts import URL
from streams.connectors.kit.answers import Answers
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting
from streams.connectors.kit.reading import list_records
from streams.connectors.kit.surveys import Given, answers, contact_of, survey_settings
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable

_IDS_ONLY: Final = "has only the id of the response: its answers are fetched"
_ABOUT_SURVEYS: Final = "about a survey, a collector or the app, no answer"


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    return fields.text("event_type") or f"response: {fields.need('response_status')}"


def _value(rows: list[Fields]) -> object:
    """Return the answer to a question: a text, or the names and the weight of a choice."""
    if len(rows) == 1 and rows[0].text("choice_id") is None:
        return rows[0].text("text")
    names = [row.text(name) for row in rows for name in ("choice_id", "other_id", "simple_text")]
    # A rating's choices have a weight.
    return [*names, *(row.number("choice_metadata.weight") for row in rows)]


def _given(fields: Fields) -> Iterable[Given]:
    for page in fields.entries("pages"):
        for question in page.entries("questions"):
            question_id, rows = question.need("id"), question.entries("answers")
            yield Given((question_id,), _value(rows))
            # Each row of a matrix is a question of its own.
            for row in rows:
                if row.text("row_id") is not None:
                    yield Given((f"{question_id}.{row.text('row_id')}", str(row.text("row_id"))), _value([row]))


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content, context.zone)
    name = contact_of(context)
    return answers(
        context,
        connector="surveymonkey",
        response=fields.need("id"),
        at=fields.time("date_modified") or fields.need_time("date_created"),
        contact=fields.text("custom_value") if name == "custom_value" else fields.text(f"custom_variables.{name}"),
        given=_given(fields),
    )


CONNECTOR = Connector(
    name="surveymonkey",
    title="SurveyMonkey",
    family="survey",
    delivery="journal",
    ways=("webhook", "pull", "file"),
    kinds={"response: completed": "survey.answered for each answer to a question under `questions`"},
    ignored={
        "response_completed": _IDS_ONLY,
        "response_updated": _IDS_ONLY,
        "response_created": "a response that is not complete",
        "response_deleted": "a deleted response: its answers stay counted",
        "response_disqualified": "a respondent whom the survey screened out",
        "response_overquota": "a respondent beyond the survey's quota",
        "response: partial": "a response that is not complete",
        "response: overquota": "a respondent beyond the survey's quota",
        "response: disqualified": "a respondent whom the survey screened out",
        **dict.fromkeys(
            (
                "app_installed",
                "app_uninstalled",
                "collector_created",
                "collector_deleted",
                "collector_updated",
                "survey_created",
                "survey_deleted",
                "survey_updated",
            ),
            _ABOUT_SURVEYS,
        ),
    },
    read=list_records("data"),
    kind=_kind,
    translate=_translate,
    reports={"csat": ""},
    personal=(
        "pages.*.questions.*.answers.*.text",
        "pages.*.questions.*.answers.*.simple_text",
        "pages.*.questions.*.answers.*.tag_data",
        "custom_variables.*",
        "custom_value",
        "ip_address",
        "metadata",
        "first_name",
        "last_name",
        "email_address",
        "edit_url",
        "analyze_url",
    ),
    verification=Verification(header="Sm-Signature", algorithm="sha1", encoding="base64", key="client_id&secret"),
    # Without it SurveyMonkey does not create the webhook.
    answers=Answers(head=True),
    settings=(
        Setting(name="surveys", meaning="Ids of the surveys whose responses are polled", default=[]),
        URL,
        *survey_settings(),
    ),
    credentials=(Setting(name="access_token", meaning="Of an app that may view responses and their details", required=True),),
    guessed=("`choice_metadata.weight`, the value of a choice of a rating.",),
)
