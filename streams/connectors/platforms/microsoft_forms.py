"""Microsoft Forms: the workbook of answers, saved as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.forms import DATE_ORDER, column, date_order, digest, given, local_time
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.surveys import answers, contact_of, survey_settings
from streams.connectors.kit.tables import table_records

if TYPE_CHECKING:
    from collections.abc import Iterable

_ID: Final = ("ID", "Id")
_STARTED: Final = ("Start time", "開始時刻", "Startzeit", "Heure de début", "Hora de inicio")
_COMPLETED: Final = ("Completion time", "完了時刻", "Fertigstellungszeit", "Heure de fin", "Hora de finalización")


def _kind(record: Record) -> str:
    if column(record, *_ID) is None:
        raise UnusableError("unknown_kind", "a row of Microsoft Forms has an ID")
    return "row"


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    chosen = context.settings.get("time")
    name = next((column_name for column_name in ((str(chosen),) if chosen else _COMPLETED) if column_name in record.content), None)
    if name is None:
        raise UnusableError("missing_field", "no column with the time of completion; name it in the setting time")
    return answers(
        context,
        connector="microsoft-forms",
        # An id counts the answers of one form; the time of starting distinguishes those of several forms.
        response=digest(column(record, *_ID), column(record, *_STARTED)),
        at=local_time(record.content[name], context.zone, date_order(context), name),
        contact=record.content.get(contact_of(context)) or None,
        given=given(record, context),
    )


CONNECTOR = Connector(
    name="microsoft-forms",
    title="Microsoft Forms",
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
    settings=(
        *survey_settings({}),
        Setting(name="time", meaning="The column with the time of completion, where its name is not known here", default=""),
        DATE_ORDER,
    ),
    guessed=("The names of the columns in languages other than English and Japanese.",),
)
