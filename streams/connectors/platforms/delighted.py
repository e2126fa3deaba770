"""Delighted: answers by webhook, or by its API as a file; an answer may be changed, and the last one counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.surveys import Given, answers, contact_of, survey_settings
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Type of survey → kind and scale, as the vendor describes them. An old response without a type is of the first type.
_QUESTIONS: Final = {
    "nps": "nps 0-10",
    "csat": "csat 1-5",
    "ces": "ces 1-5",
    "smiley": "csat 1-5",
    "thumbs": "csat 0-1",
    "five_star": "csat 1-5",
}
_PERSONAL: Final = ("person", "person_properties", "comment", "notes", "tags", "additional_answers", "permalink")
_NOT_OF_CUSTOMERS: Final = {"enps", "pmf"}


def _response(record: Record) -> Fields:
    fields = Fields(record.content)
    return Fields(fields.need_object("event_data")) if "event_data" in record.content else fields


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    kind = fields.text("event_type")
    if kind is None:
        if fields.get("score") is None or fields.get("person") is None:
            raise UnusableError("unknown_kind", "neither event_type nor score")
        kind = "response"
    if kind.startswith(("survey_response.", "response")) and _response(record).text("survey_type") in _NOT_OF_CUSTOMERS:
        return "other surveys"
    return kind


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = _response(record)
    survey_type = fields.text("survey_type") or "nps"
    return answers(
        context,
        connector="delighted",
        response=fields.need("id"),
        at=fields.time("updated_at") or fields.need_time("created_at"),
        contact=fields.text(f"person_properties.{contact_of(context)}"),
        given=[Given((survey_type,), fields.number("score"))],
        questions=_QUESTIONS,
    )


CONNECTOR = Connector(
    name="delighted",
    title="Delighted",
    family="survey",
    # A delivery may be hours late, and the answer counts all the same.
    delivery="journal",
    ways=("webhook", "file"),
    kinds={
        "survey_response.created": "survey.answered",
        "survey_response.updated": "survey.answered, in place of the response before",
        "response": "the same, of an entry of the API",
    },
    ignored={
        "other surveys": "asks employees (eNPS) or about the product (PMF), no customer about a contact",
        "survey_response.deleted": "a deleted response: its answers stay counted",
        "unsubscribe.created": "a customer wants no more surveys",
        "bounce.created": "a mail that did not arrive",
    },
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={"csat": ""},
    personal=(
        *(f"event_data.{name}" for name in _PERSONAL),
        *_PERSONAL,
    ),
    verification=Verification(header="X-Delighted-Webhook-Signature", prefix="sha256="),
    settings=survey_settings(_QUESTIONS),
    guessed=("The scales of CES (1-5) and of thumbs (0-1).", "The events beside `survey_response.created` and `.updated`."),
)
