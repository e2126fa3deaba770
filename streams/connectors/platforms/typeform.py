"""Typeform: answers by webhook, or by the Responses API as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.accounts import URL
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import list_records
from streams.connectors.kit.surveys import Given, answers, contact_of, survey_settings
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Types of answers whose value has the name of the type.
_PLAIN: Final = frozenset({"number", "boolean", "text", "date"})


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    if fields.get("form_response") is not None or fields.get("event_type") is not None:
        return fields.need("event_type")
    # An entry of the Responses API has no event; one that was never sent has no time of submission.
    if fields.get("answers") is None and fields.get("landed_at") is None:
        raise UnusableError("unknown_kind", "neither event_type nor answers")
    sent = fields.text("response_type") in {None, "completed"} and not str(fields.get("submitted_at") or "0001").startswith("0001")
    return "response" if sent else "response (not sent)"


def _value(answer: Fields) -> object:
    kind = answer.text("type")
    if kind == "choice":
        return [answer.text(f"choice.{name}") for name in ("ref", "id", "label")]
    return answer.get(kind) if kind in _PLAIN else None


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    content = Fields(record.content).need_object("form_response") if "form_response" in record.content else record.content
    fields = Fields(content, context.zone)
    given = [
        Given(tuple(filter(None, (answer.text("field.id"), answer.text("field.ref")))), _value(answer))
        for answer in fields.entries("answers")
        if answer.text("field.id") is not None
    ]
    # A question that was shown and not answered counts as asked.
    given += [
        Given(tuple(filter(None, (field.text("id"), field.text("ref")))), None)
        for field in fields.entries("definition.fields")
        if field.text("id") is not None
    ]
    return answers(
        context,
        connector="typeform",
        response=fields.need("token"),
        at=fields.need_time("submitted_at"),
        contact=fields.text(f"hidden.{contact_of(context)}"),
        given=given,
    )


_ANSWER = ("text", "email", "phone_number", "url", "file_url", "date", "choice", "choices", "payment", "calendly", "multi_format")

CONNECTOR = Connector(
    name="typeform",
    title="Typeform",
    family="survey",
    # A delivery may be hours late, and the answer counts all the same.
    delivery="journal",
    ways=("webhook", "pull", "file"),
    kinds={
        "form_response": "survey.answered for each answer to a question under `questions`",
        "response": "the same, of an entry of the Responses API",
    },
    ignored={
        "form_response_partial": "a form that is not sent: its answers may still change",
        "response (not sent)": "a form that was begun and not sent",
    },
    read=list_records("items"),
    kind=_kind,
    translate=_translate,
    reports={"csat": ""},
    personal=(
        *(f"form_response.answers.*.{name}" for name in _ANSWER),
        *(f"answers.*.{name}" for name in _ANSWER),
        "form_response.hidden.*",
        "form_response.variables.*.text",
        "hidden.*",
        "variables.*.text",
        "metadata",
        "form_response.metadata",
    ),
    verification=Verification(header="Typeform-Signature", encoding="base64", prefix="sha256="),
    settings=(
        Setting(name="forms", meaning="Ids of the forms whose responses are polled", default=[]),
        URL,
        *survey_settings(),
    ),
    credentials=(Setting(name="access_token", meaning="A personal access token that may read responses", required=True),),
    guessed=("The names of events of incomplete answers (`form_response_partial`).",),
)
