"""The canonical events as a mapping sees them: which fields it may set, of what kind, and what is permitted in each."""

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
    "EVENTS_OF_A_PLACE",
    "MAX_ORDER",
    "EventKind",
    "Field",
    "FieldKind",
    "event_kind",
    "event_types",
    "id_field",
    "sequence_field",
    "site_field",
    "worded",
]

FieldKind = Literal["text", "number", "integer", "boolean", "list", "seconds", "time"]

#: A record's place leaves room below it for the places of its events.
MAX_ORDER: Final = 900_000_000_000
EVENTS_OF_A_PLACE: Final = 10_000

#: What every event carries; the mapping says it elsewhere, or the connector does.
_COMMON: Final = frozenset(Event.model_fields)


#: Pydantic's words → those of a page.
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
            return worded(error.errors(include_input=False, include_url=False)[0])
        return None


@dataclass(frozen=True)
class EventKind:
    """One type of event; ``fields`` by their name on the wire."""

    model: type[Event]
    fields: dict[str, Field]
    about: Literal["contacts", "agents", "customers"]


def worded(error: ErrorDetails) -> str:
    """Return what is permitted, from one error of pydantic; nothing of the input."""
    if error["type"] == "missing":
        return "required"
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == TEXT_PATTERN:
        return "permitted: a text without control, format and private characters that is not blank"
    said = error["msg"].replace("Input should be ", "permitted: ").replace("String should ", "permitted: a text that should ")
    for pydantics, plain in _PLAIN.items():
        said = said.replace(pydantics, plain)
    return said


@cache
def event_types() -> tuple[str, ...]:
    """Return the types a mapping may make, in the order of the documentation; not the signs of life of a source."""
    return tuple(_type(model) for model in _models())


def _models() -> list[type[Event]]:
    found = dict.fromkeys((*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS))
    return [model for model in found if not _type(model).startswith("source.")]


def _type(model: type[Event]) -> str:
    return str(model.model_fields["type"].default)


@cache
def event_kind(name: str) -> EventKind | None:
    """Return what is known of a type of event, None for one that is not permitted."""
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
    """Return what checks a value of a field by itself."""
    # The word in the middle means nothing to pydantic; without limits there would be nothing beside the type.
    checked: Any = Annotated[info.annotation, "field", *info.metadata]
    return TypeAdapter(checked, config=ConfigDict(strict=True))


@cache
def id_field(name: str) -> Field:
    """Return a field of the mapping itself that holds an id."""
    return Field(name, "text", required=True, adapter=_adapter(Event.model_fields["event_id"]))


@cache
def sequence_field() -> Field:
    """Return the field of a record's place among those of one instant."""
    return Field("sequence", "integer", required=False, adapter=TypeAdapter(Annotated[int, PydanticField(ge=0, le=MAX_ORDER)]))


def site_field() -> Field:
    """Return the field that holds the site of an event."""
    return Field("site", "text", required=False, adapter=_adapter(Event.model_fields["site"]))
