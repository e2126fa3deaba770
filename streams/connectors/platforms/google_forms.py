"""Google Forms: the table of answers, saved as CSV from the form or from its sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.connectors.kit.forms import DATE_ORDER, date_order, digest, given, local_time
from streams.connectors.kit.model import Connector, Context, Draft, Record, UnusableError
from streams.connectors.kit.surveys import answers, contact_of, survey_settings
from streams.connectors.kit.tables import table_records

if TYPE_CHECKING:
    from collections.abc import Iterable


def _kind(record: Record) -> str:
    if len(record.content) < 2:  # noqa: PLR2004 - a time and an answer
        raise UnusableError("unknown_kind", "a row has a time and at least one answer")
    return "row"


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    # The time is the first column, by whatever name its language gives it.
    name, written = next(iter(record.content.items()))
    at = local_time(written, context.zone, date_order(context), name)
    contact = record.content.get(contact_of(context)) or None
    # A row has no id. Another answer about one conversation, or an edited one, replaces it.
    response = digest(contact) if contact else digest(*record.content.values())
    return answers(context, connector="google-forms", response=response, at=at, contact=contact, given=given(record, context))


CONNECTOR = Connector(
    name="google-forms",
    title="Google Forms",
    family="survey",
    delivery="journal",
    ways=("file",),
    kinds={"row": "survey.answered for each answer to a question under `questions`"},
    ignored={},
    read=table_records(),
    kind=_kind,
    translate=_translate,
    reports={"csat": ""},
    # A form may ask anything: everything may be personal.
    personal=("*",),
    settings=(*survey_settings({}), DATE_ORDER),
    guessed=("The formats of times other than `2026/03/02 8:00:00 PM GMT+9` and its Japanese one.",),
)
