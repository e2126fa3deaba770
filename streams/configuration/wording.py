"""Texts of what is permitted at a location of a file, from the JSON Schema of its models, and of pydantic's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.configuration.base import PERMITTED
from streams.configuration.consistency import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

__all__ = ["permitted", "schema_at", "unknown_key", "worded"]

Schema = dict[str, Any]

_SHOWN: Final = 60
_KEY: Final = "[key]"


def worded(error: ErrorDetails, schema: Schema) -> tuple[tuple[int | str, ...], str]:
    """Return the location of an error of pydantic, as far as the file has it, and the text of what is found and permitted there."""
    at, here = schema_at(schema, error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        return (*at, error["loc"][-1]), unknown_key(error["loc"], schema)
    if kind == "missing":
        return at, f"required; permitted: {permitted(here, schema)}"
    if kind == "refused":
        return at, error["msg"]
    if kind == "value_error" and "enum" not in here:
        return at, error["msg"].removeprefix("Value error, ")
    value = error["input"]
    choices = _choices(here, schema)
    close = nearest(value, choices) if isinstance(value, str) else ""
    return at, f"found {_shown(value)}{close}; permitted: {permitted(here, schema)}"


def unknown_key(location: tuple[int | str, ...], schema: Schema) -> str:
    """Return the message about an unknown key, at its location in a file with this schema."""
    keys = schema_at(schema, location[:-1])[1].get("properties", {})
    return f"unknown key{nearest(str(location[-1]), keys)}; permitted: {', '.join(keys)}"


def schema_at(schema: Schema, location: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], Schema]:
    """Return the part of a location that the file has, and the schema there; pydantic adds the branches of unions and ``[key]``."""
    at: list[int | str] = []
    here = schema
    for index, part in enumerate(location):
        within = _resolved(here, schema)
        inner: Any = None
        if (branch := within.get("discriminator", {}).get("mapping", {}).get(part)) is not None:
            here = {"$ref": branch}
            continue
        if location[index + 1 : index + 2] == (_KEY,):
            inner = within.get("propertyNames")
            return (*at, part), {"type": "string", **(inner or {"pattern": next(iter(within.get("patternProperties", ())), "")})}
        if isinstance(part, int):
            inner = within.get("items")
        elif part in within.get("properties", {}):
            inner = within["properties"][part]
        elif "properties" not in within:
            inner = within.get("additionalProperties") or _pattern_property(within)
        if not isinstance(inner, dict):
            break
        at.append(part)
        here = inner
    return tuple(at), _resolved(here, schema)


def _pattern_property(within: Mapping[str, Any]) -> Any:
    return next(iter(within.get("patternProperties", {}).values()), None)


def _resolved(here: Schema, schema: Schema) -> Schema:
    """Follow references, and skip ``or null``."""
    while True:
        if "$ref" in here:
            here = schema["$defs"][here["$ref"].rpartition("/")[2]]
        elif "anyOf" in here and len(some := [option for option in here["anyOf"] if option.get("type") != "null"]) == 1:
            here = some[0]
        else:
            return here


def _choices(here: Schema, schema: Schema) -> list[str]:
    here = _resolved(here, schema)
    if "anyOf" in here:
        return [choice for option in here["anyOf"] for choice in _choices(option, schema)]
    return [str(choice) for choice in here.get("enum", [here["const"]] if "const" in here else [])]


def permitted(here: Schema, schema: Schema) -> str:
    """Return the text of what a schema permits."""
    here = _resolved(here, schema)
    if "anyOf" in here:
        return " or ".join(permitted(option, schema) for option in here["anyOf"] if option.get("type") != "null")
    if choices := _choices(here, schema):
        return ", ".join(choices)
    match here.get("type"):
        case "integer" | "number" as kind:
            limits = _limits(here)
            return ("a whole number" if kind == "integer" else "a number") + (f", {limits}" if limits else "")
        case "string":
            known = PERMITTED.get(str(here.get("pattern", here.get("format"))))
            return known or ("a text of {minLength} to {maxLength} characters".format(**here) if "maxLength" in here else "a text")
        case "boolean":
            return "true or false"
        case "array":
            least = f", at least {here['minItems']}" if here.get("minItems") else ""
            return f"a list{least}: {permitted(here.get('items', {}), schema)}"
        case "object":
            if keys := here.get("properties"):
                return f"keys and values, with the keys {', '.join(keys)}"
            inner = here.get("additionalProperties") or _pattern_property(here) or {}
            names = here.get("propertyNames") or {"pattern": next(iter(here.get("patternProperties", ())), "")}
            return f"keys and values: {permitted({'type': 'string', **names}, schema)}, each with {permitted(inner, schema)}"
    return "anything"


def _limits(here: Schema) -> str:
    low, high = here.get("minimum"), here.get("maximum")
    above, below = here.get("exclusiveMinimum"), here.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{_number(low)} to {_number(high)}"
    parts = [
        f"{_number(low)} or more" if low is not None else "",
        f"above {_number(above)}" if above is not None else "",
        f"at most {_number(high)}" if high is not None else "",
        f"below {_number(below)}" if below is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _SHOWN else f'"{value[:_SHOWN]}…"'
    if isinstance(value, dict):
        return "keys and values"
    return "a list" if isinstance(value, list | tuple | set | frozenset) else str(value)
