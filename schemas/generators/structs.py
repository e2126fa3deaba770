"""Writes the source of `schemas/structs.py`: one msgspec Struct for each pydantic model of an event."""

from __future__ import annotations

import types
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MaxLen, MinLen

from schemas.base import TEXT_PATTERN, Channel, Event
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

__all__ = ["struct_source", "time_fields"]

_HEADER = '''"""The events as msgspec Structs, for speed; written by `python -m schemas.generate` from the models: change those.

Times are whole milliseconds since the epoch and carry the suffix `_ms`. Texts are checked further in `schemas.decoding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    Ms: TypeAlias = int
else:
    Ms = str  # The wire has text; `schemas.decoding` replaces it by milliseconds before it returns the event.
'''

#: The length the formatter allows a line.
_LINE = 140

_COMMON = [*Event.model_fields]


def _meta(constraints: Iterable[object]) -> str:
    """Return the arguments of msgspec's Meta; raise TypeError for an unknown constraint."""
    arguments: list[str] = []
    for constraint in constraints:
        match constraint:
            case MinLen(min_length=value):
                arguments.append(f"min_length={value}")
            case MaxLen(max_length=value):
                arguments.append(f"max_length={value}")
            case Ge(ge=value):
                arguments.append(f"ge={value}")
            case Le(le=value):
                arguments.append(f"le={value}")
            case _ if (pattern := getattr(constraint, "pattern", None)) is not None:
                if pattern != TEXT_PATTERN:  # The common pattern is checked on the whole record at once: see `schemas.decoding`.
                    arguments.append(f'pattern=r"{pattern}"')
            case _:
                raise TypeError(f"no msgspec word for {constraint!r}")
    return ", ".join(arguments)


def _annotation(hint: Any) -> str:
    """Return the source of the annotation that decodes the same values as pydantic's."""
    origin = get_origin(hint)
    if hint == Channel:
        return "Channel"
    if origin is Annotated:
        inner, *metadata = get_args(hint)
        if inner is datetime:
            return "Ms"
        constraints = [
            part for field in metadata for part in getattr(field, "metadata", ())
        ]  # composing a text is up to `schemas.decoding`
        return f"Annotated[{_annotation(inner)}, Meta({_meta(constraints)})]"
    if origin is Literal:
        return f"Literal[{', '.join(_quoted(value) for value in get_args(hint))}]"
    if origin is tuple:
        return f"tuple[{_annotation(get_args(hint)[0])}, ...]"
    if origin in {Union, types.UnionType}:
        return " | ".join(_annotation(part) for part in get_args(hint))
    if hint is type(None):
        return "None"
    if hint in {str, int, float, bool}:
        return str(hint.__name__)
    raise TypeError(f"no msgspec annotation for {hint!r}")


def _quoted(text: object) -> str:
    return f'"{text}"'


def _is_time(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return get_args(hint)[0] is datetime
    return any(_is_time(part) for part in get_args(hint))


def time_fields(model: type[Event]) -> dict[str, str]:
    """Return the fields that hold a time: name in the struct by name in the model."""
    hints = get_type_hints(model, include_extras=True)
    return {name: f"{name.removesuffix('_at')}_ms" for name in model.model_fields if _is_time(hints[name])}


def _line(name: str, field: FieldInfo, hint: Any, times: dict[str, str]) -> str:
    """Return the source of one field, optional as in the model."""
    wire = field.alias or name
    own = times.get(name, name)
    arguments = []
    if not field.is_required():
        arguments.append(f"default={field.default!r}")
    if own != wire:
        arguments.append(f'name="{wire}"')
    if not arguments:
        return f"    {own}: {_annotation(hint)}"
    if own == wire:
        return f"    {own}: {_annotation(hint)} = {field.default!r}"
    return f"    {own}: {_annotation(hint)} = msgspec.field({', '.join(arguments)})"


def _fields(model: type[Event], skipped: Iterable[str]) -> list[str]:
    hints = get_type_hints(model, include_extras=True)
    times = time_fields(model)
    return [_line(name, field, hints[name], times) for name, field in model.model_fields.items() if name not in {*skipped, "type"}]


def _struct(model: type[Event]) -> str:
    """Return the source of the Struct of one kind."""
    kind = model.model_fields["type"].default
    summary = (model.__doc__ or "").strip()
    lines = [f'class {model.__name__}(Event, kw_only=True, tag="{kind}"):', f'    """{summary}"""', ""]
    lines.append(f'    type: ClassVar[Literal["{kind}"]] = "{kind}"')
    lines += _fields(model, _COMMON)
    further = [own for name, own in time_fields(model).items() if name not in _COMMON]
    if further:
        lines.append(f"    further_times: ClassVar[tuple[str, ...]] = {_tuple(further)}")
    return "\n".join(lines) + "\n"


def _tuple(texts: list[str]) -> str:
    quoted = ", ".join(map(_quoted, texts))
    return f"({quoted},)" if len(texts) == 1 else f"({quoted})"


def _union(name: str, models: Iterable[type[Event]], summary: str) -> str:
    names = [model.__name__ for model in models]
    line = f"{name}: TypeAlias = {' | '.join(names)}\n"
    if len(line) <= _LINE:
        return f'{line}"""{summary}"""\n'
    members = " | ".join(names)
    if len(members) + 4 > _LINE:
        members = "\n    | ".join(names)
    return f'{name}: TypeAlias = (\n    {members}\n)\n"""{summary}"""\n'


def struct_source() -> str:
    """Return the source of `schemas/structs.py`."""
    models = list(dict.fromkeys([*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS]))
    names = sorted(["AgentEvent", "Channel", "ContactEvent", "CustomerEvent", "Event", *(model.__name__ for model in models)])
    common = [
        'class Event(msgspec.Struct, kw_only=True, gc=False, tag_field="type"):',
        '    """What every event carries."""',
        "",
        "    type: ClassVar[str]",
        "    further_times: ClassVar[tuple[str, ...]] = ()",
        *_fields(Event, ()),
    ]
    blocks = [
        "__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n\n" + f"Channel: TypeAlias = {_literal(Channel)}",
        "\n".join(common),
        *(_struct(model).rstrip() for model in models),
        _union("ContactEvent", CONTACT_KINDS, "What a record of contact-events holds.").rstrip()
        + "\n\n"
        + _union("AgentEvent", AGENT_KINDS, "What a record of agent-events holds.").rstrip()
        + "\n\n"
        + _union("CustomerEvent", CUSTOMER_KINDS, "What a record of customer-events holds.").rstrip(),
    ]
    return _HEADER + "\n" + "\n\n\n".join(blocks) + "\n"


def _literal(hint: Any) -> str:
    return "Literal[\n" + "".join(f"    {_quoted(value)},\n" for value in get_args(hint)) + "]"
