"""The canonical events for mappings: the fields a mapping may set, their kinds, and what is permitted in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic import Field as PydanticField

from schemas.base import MAX_SECONDS, TEXT_PATTERN, Event
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = [
    "EVENTS_PER_RECORD",
    "MAX_ORDER",
    "EventKind",
    "Field",
    "FieldKind",
    "error_text",
    "event_kind",
    "event_types",
    "id_field",
    "sequence_field",
    "site_field",
]

FieldKind = Literal["text", "number", "integer", "boolean", "list", "seconds", "time"]

#: The sequence of a record leaves room for those of its events.
MAX_ORDER: Final = 900_000_000_000
EVENTS_PER_RECORD: Final = 10_000

#: Fields of every event, which other keys of the mapping or the connector set.
_COMMON: Final = frozenset(Event.model_fields)


#: Pydantic's phrases → plain ones.
_PLAIN: Final = {
    "a valid string": "a text",
    "a valid integer, unable to parse string as an integer": "a whole number",
    "a valid integer, got a number with a fractional part": "a whole number",
    "a valid integer": "a whole number",
    "a valid number, unable to parse string as a number": "a number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid list": "a list",
    "a valid tuple": "a list",
    "a valid dictionary": "keys and values",
    "a text that should have at least 1 character": "a text that is not empty",
    "a text that should have": "a text with",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
    "less than": "below",
}


@dataclass(frozen=True)
class Field:
    """One field of an event."""

    name: str
    kind: FieldKind
    required: bool
    adapter: TypeAdapter[Any]

    def problem(self, value: object) -> str | None:
        """Return why a value is not permitted, None if it is."""
        try:
            self.adapter.validate_python(tuple(value) if isinstance(value, list) else value)
        except ValidationError as error:
            return error_text(error.errors(include_input=False, include_url=False)[0])
        return None


@dataclass(frozen=True)
class EventKind:
    """One type of event; ``fields`` by their name on the wire."""

    model: type[Event]
    fields: dict[str, Field]
    about: Literal["contacts", "agents", "customers"]


def error_text(error: ErrorDetails) -> str:
    """Return one error of pydantic as a text, with nothing of the input."""
    if error["type"] == "missing":
        return "required"
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == TEXT_PATTERN:
        return "permitted: a text without control, format and private characters that is not blank"
    text = error["msg"].replace("Input should be ", "permitted: ").replace("String should ", "permitted: a text that should ")
    for phrase, plain in _PLAIN.items():
        text = text.replace(phrase, plain)
    return text


@cache
def event_types() -> tuple[str, ...]:
    """Return the types a mapping may create, in the order of the documentation; the heartbeats of a source are none."""
    return tuple(_type(model) for model in _models())


def _models() -> list[type[Event]]:
    models = dict.fromkeys((*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS))
    return [model for model in models if not _type(model).startswith("source.")]


def _type(model: type[Event]) -> str:
    return str(model.model_fields["type"].default)


@cache
def event_kind(name: str) -> EventKind | None:
    """Return a type of event, None for one that is not permitted."""
    model = next((model for model in _models() if _type(model) == name), None)
    if model is None:
        return None
    properties = model.model_json_schema()["properties"]
    fields = {}
    for python_name, info in model.model_fields.items():
        wire = info.alias or python_name
        if python_name not in _COMMON:
            fields[wire] = Field(wire, _kind(properties[wire]), info.is_required(), _adapter(info))
    about: Literal["contacts", "agents", "customers"] = (
        "contacts" if model in CONTACT_KINDS else "agents" if model in AGENT_KINDS else "customers"
    )
    return EventKind(model, fields, about)


def _kind(schema: dict[str, Any]) -> FieldKind:
    for choice in schema.get("anyOf", [schema]):
        match choice.get("type"):
            case "number":
                return "seconds" if choice.get("maximum") == MAX_SECONDS else "number"
            case "integer":
                return "integer"
            case "boolean":
                return "boolean"
            case "array":
                return "list"
            case "string" if choice.get("format") == "date-time":
                return "time"
    return "text"


def _adapter(info: FieldInfo) -> TypeAdapter[Any]:
    """Return a validator of one field."""
    # Annotated needs an argument beside the type, also without limits; pydantic ignores this one.
    checked: Any = Annotated[info.annotation, "field", *info.metadata]
    return TypeAdapter(checked, config=ConfigDict(strict=True))


@cache
def id_field(name: str) -> Field:
    """Return a field of the mapping itself that holds an id."""
    return Field(name, "text", required=True, adapter=_adapter(Event.model_fields["event_id"]))


@cache
def sequence_field() -> Field:
    """Return the field of a record's sequence among those of one instant."""
    return Field("sequence", "integer", required=False, adapter=TypeAdapter(Annotated[int, PydanticField(ge=0, le=MAX_ORDER)]))


def site_field() -> Field:
    """Return the field that holds the site of an event."""
    return Field("site", "text", required=False, adapter=_adapter(Event.model_fields["site"]))
