"""Writes JSON Schema: one document for each kind of event, one for each topic whose values have a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS
from schemas.topics import TOPICS

if TYPE_CHECKING:
    from schemas.base import Event

__all__ = ["event_kinds", "json_schemas", "kind_of"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE = "#/$defs/{model}"


def kind_of(model: type[Event]) -> str:
    """Return the `type` of an event model."""
    return str(model.model_fields["type"].default)


def event_kinds() -> list[type[Event]]:
    """Return every event model once, in the order of the documentation."""
    return list(dict.fromkeys([*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS]))


def _finish(schema: dict[str, Any]) -> None:
    """Require what a reader chooses by: Python code may leave a constant `type` or `kind` out, a record may not."""
    for part in [schema, *schema.get("$defs", {}).values()]:
        constants = [name for name in ("kind", "type") if "const" in part.get("properties", {}).get(name, {})]
        if constants:
            for name in constants:
                part["properties"][name].pop("default", None)
            part["required"] = sorted({*part.get("required", []), *constants})


def _document(value: Any, urn: str, **extra: str) -> str:
    schema = TypeAdapter(value).json_schema(by_alias=True, ref_template=_TEMPLATE)
    _finish(schema)
    schema |= {"$schema": _DIALECT, "$id": f"urn:contact-streams:{urn}", **extra}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def json_schemas() -> dict[str, str]:
    """Return the documents by their path below `schemas/json/`."""
    documents = {
        f"events/{kind_of(model)}.json": _document(model, f"event:{kind_of(model)}:v1", title=kind_of(model)) for model in event_kinds()
    }
    for topic in TOPICS:
        if topic.model is not None:
            documents[f"topics/{topic.name}.json"] = _document(
                topic.model, f"topic:{topic.name}", title=topic.name, description=topic.summary
            )
    return documents
