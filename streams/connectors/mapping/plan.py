"""A mapping file, checked against the canonical events and ready to be applied to records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from schemas.base import Event
from streams.configuration.consistency import nearest
from streams.configuration.wording import unknown_key
from streams.configuration.yaml_lines import Location
from streams.connectors.mapping.compiling import Compiler, Problem, Row, TableReaders
from streams.connectors.mapping.format import Duration, Instant, MappingFile, Reading, Revision, Table, Value
from streams.connectors.mapping.kinds import MAX_ORDER, FieldKind, error_text, event_kind, event_types, id_field, sequence_field, site_field
from streams.connectors.mapping.texts import BadRecordError

if TYPE_CHECKING:
    from streams.connectors.mapping.format import EventRule
    from streams.connectors.mapping.kinds import EventKind, Field

__all__ = ["EventPlan", "Plan", "make_plan", "problems_of"]

#: Keys of ``read`` that only some formats have.
_ONLY_OF: Final = {
    "delimiter": ("csv",),
    "quote": ("csv",),
    "columns": ("csv", "xlsx"),
    "short_rows": ("csv",),
    "records": ("json",),
    "encoding": ("csv", "json", "jsonl"),
    "bad_bytes": ("csv", "json", "jsonl"),
    "sheet": ("xlsx",),
}

#: What describes a field of each kind that is not read as a plain value.
_SPECS: Final[dict[FieldKind, type[Duration | Instant]]] = {"seconds": Duration, "time": Instant}


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How one field of an event is filled."""

    name: str
    kind: FieldKind
    required: bool
    read: Callable[[Row], Any]
    #: The columns or constants it comes from, for messages.
    origin: str


@dataclass(frozen=True, slots=True)
class EventPlan:
    """How one event is created."""

    model: type[Event]
    name: str
    when: Callable[[Row], bool] | None
    at: Callable[[Row], int | None]
    #: Where ``at`` comes from, for messages.
    at_origin: str
    fields: tuple[FieldPlan, ...]
    #: The table whose rows each become one.
    each: str | None = None


@dataclass(frozen=True, slots=True)
class TablePlan:
    """How a further table is read and joined."""

    spec: Table
    readers: TableReaders
    #: Every column or path of it that is used, with the location that names it.
    paths: tuple[tuple[Location, str], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A mapping that can be applied."""

    file: MappingFile
    when: Callable[[Row], bool] | None
    record_id: Callable[[Row], Any]
    revision: Callable[[Row], int | None] | None
    site: Callable[[Row], Any] | None
    #: A record and its number in the file → its sequence among those of one instant, None where it is unknown.
    sequence: Callable[[Row, int], int | None] | None
    events: tuple[EventPlan, ...]
    #: Every column or path that is used, with the location that names it.
    paths: tuple[tuple[Location, str], ...]
    #: Whether its rejected records count as those of agents.
    about_agents: bool
    tables: dict[str, TablePlan]


def problems_of(error: ValidationError, location: Location = ()) -> list[Problem]:
    """Return the errors of pydantic as problems with their locations."""
    problems: list[Problem] = []
    for entry in error.errors(include_input=False, include_url=False):
        if entry["type"] == "extra_forbidden":
            problems.append(((*location, *entry["loc"]), unknown_key(entry["loc"], _schema(error.title))))
        else:
            problems.append(((*location, *entry["loc"]), error_text(entry)))
    return problems


@cache
def _schema(model: str) -> dict[str, Any]:
    models: tuple[type[BaseModel], ...] = (MappingFile, Value, Duration, Instant, Revision, Table)
    return next(each for each in models if each.__name__ == model).model_json_schema()


def make_plan(file: MappingFile) -> tuple[Plan, list[Problem]]:
    """Return the plan of a mapping, and its problems; with problems the plan cannot be used."""
    compiler = Compiler(file)
    _check_reading(file.read, ("read",), compiler.problems)
    readers = {name: _table(compiler, name, table) for name, table in file.tables.items()}
    when = compiler.condition(file.when, ("when",)) if file.when is not None else None
    record_id = compiler.value(file.record_id, id_field("record_id"), ("record_id",))
    site = compiler.value(file.site, site_field(), ("site",)) if file.site is not None else None
    sequence = _sequence(compiler, file.sequence, ("sequence",)) if file.sequence is not None else None
    conversation: FieldPlan | None = None
    if file.conversation_id is not None:
        read = compiler.value(file.conversation_id, id_field("conversation_id"), ("conversation_id",), prefix=f"{file.source}:")
        conversation = FieldPlan("conversation_id", "text", required=True, read=read, origin=_origin(file.conversation_id, file))
    for name, spec in file.times.items():
        compiler.declare_time(name, spec, ("times", name))
    revision = None if file.revision is None else compiler.revision(file.revision, ("revision",))
    events = [_event(compiler, file, conversation, index, rule) for index, rule in enumerate(file.events)]
    compiler.check_uses()
    for name in file.tables:
        if not any(location[0] != "tables" for location, _ in compiler.paths_of[name]) and all(rule.each != name for rule in file.events):
            compiler.problems.append((("tables", name), "is not used; permitted: tables that are"))
    event_plans = tuple(event for event, _ in events if event is not None)
    plan = Plan(
        file,
        when,
        record_id,
        revision,
        site,
        sequence,
        event_plans,
        tuple(compiler.paths),
        about_agents=bool(events) and all(kind is not None and kind.about == "agents" for _, kind in events),
        tables={name: TablePlan(table, readers[name], tuple(compiler.paths_of[name])) for name, table in file.tables.items()},
    )
    return plan, compiler.problems


def _sequence(compiler: Compiler, spec: Value | str, location: Location) -> Callable[[Row, int], int | None]:
    """Return a reader of a record's sequence among those of one instant."""
    if isinstance(spec, str):
        # Backwards, so that the last record of the file comes first.
        return (lambda _row, number: number) if spec == "file order" else lambda _row, number: MAX_ORDER - number
    if spec.constant is not None or spec.value is not None:
        compiler.problems.append((location, "the same for all records orders none; permitted: file order, reverse file order, a column"))
    read = compiler.value(spec, sequence_field(), location)

    def sequence(row: Row, _number: int) -> int | None:
        position: int | None = read(row)
        if position is not None and not 0 <= position <= MAX_ORDER:
            raise BadRecordError("not_permitted", f"sequence: permitted: from 0 to {MAX_ORDER}")
        return position

    return sequence


def _table(compiler: Compiler, name: str, table: Table) -> TableReaders:
    if table.read is not None:
        _check_reading(table.read, ("tables", name, "read"), compiler.problems)
    return compiler.table(name, table)


def _check_reading(read: Reading, at: Location, problems: list[Problem]) -> None:
    """Report options that have no effect for the format, and contradictory ones."""
    for key, forms in _ONLY_OF.items():
        if key in read.model_fields_set and read.format not in forms:
            problems.append(((*at, key), f"means nothing for {read.format}; permitted with format {' or '.join(forms)}"))
    if read.delimiter == read.quote or {read.delimiter, read.quote} & {"\n", "\r"}:
        problems.append(((*at, "delimiter"), "permitted: two different characters for delimiter and quote, none of them a line end"))
    if read.columns is not None and len(set(read.columns)) < len(read.columns):
        problems.append(((*at, "columns"), "permitted: each column once"))
    if read.format == "json" and read.records is not None and not all(read.records.split(".")):
        problems.append(((*at, "records"), "bad path; permitted: names joined by dots"))


def _event(
    compiler: Compiler, file: MappingFile, conversation: FieldPlan | None, index: int, rule: EventRule
) -> tuple[EventPlan | None, EventKind | None]:
    location: Location = ("events", index)
    kind = event_kind(rule.type)
    if rule.each is not None:
        table = file.tables.get(rule.each)
        if table is None:
            permitted = ", ".join(file.tables) or "none is declared under tables"
            compiler.problems.append(((*location, "each"), f"unknown table {rule.each!r}; permitted: {permitted}"))
        elif table.row_id is None:
            compiler.problems.append((("tables", rule.each), "row_id: required, as its rows become events"))
    compiler.each = rule.each
    when = compiler.condition(rule.when, (*location, "when")) if rule.when is not None else None
    at = compiler.instant(rule.at, (*location, "at"))
    if kind is None:
        near = nearest(rule.type, event_types())
        compiler.problems.append(((*location, "type"), f"unknown event type {rule.type!r}{near}; permitted: {', '.join(event_types())}"))
        return None, None
    fields = []
    for name, raw in rule.set.items():
        field = kind.fields.get(name)
        if field is None:
            permitted = ", ".join(kind.fields)
            reason = f"{rule.type} has no field {name!r} to set{nearest(name, kind.fields)}; permitted: {permitted}"
            compiler.problems.append(((*location, "set", name), reason))
            continue
        plan = _field(compiler, file, field, raw, (*location, "set", name))
        if plan is not None:
            fields.append(plan)
    if "conversation_id" in kind.fields and "conversation_id" not in rule.set:
        if conversation is None:
            compiler.problems.append((location, f"{rule.type} needs conversation_id; permitted: under set, or once at the top of the file"))
        else:
            fields.append(conversation)
    for name, field in kind.fields.items():
        if field.required and name not in rule.set and name != "conversation_id":
            compiler.problems.append(((*location, "set"), f"{rule.type} needs {name}: required"))
    compiler.each = None
    return EventPlan(kind.model, rule.type, when, at, _origin(rule.at, file), tuple(fields), rule.each), kind


def _field(compiler: Compiler, file: MappingFile, field: Field, raw: Any, location: Location) -> FieldPlan | None:
    """Return the plan of a field, None with a problem."""
    spec_type: type[Value | Duration | Instant] = _SPECS.get(field.kind, Value)
    try:
        spec = spec_type.model_validate(raw)
    except ValidationError as error:
        compiler.problems += problems_of(error, location)
        return None
    read: Callable[[Row], Any]
    if isinstance(spec, Duration):
        milliseconds = compiler.duration(spec, location)
        read = lambda row: None if (found := milliseconds(row)) is None else found / 1000  # noqa: E731
    elif isinstance(spec, Instant):
        read = compiler.instant(spec, location)
    else:
        prefix = f"{file.source}:" if field.name == "conversation_id" else ""
        read = compiler.value(spec, field, location, prefix=prefix)
    return FieldPlan(field.name, field.kind, field.required, read, _origin(spec, file))


def _origin(spec: Value | Duration | Instant, file: MappingFile) -> str:
    """Return the origin of a part, its columns or else, for messages."""
    names = list(dict.fromkeys(_columns(spec, file)))
    if names:
        return f"from {', '.join(map(repr, names))}"
    return f"the constant {spec.constant}" if isinstance(spec, Value | Duration) and spec.constant is not None else "as the mapping has it"


def _columns(spec: Value | Duration | Instant, file: MappingFile) -> Iterator[str]:
    """Yield every column or path that a part is read from."""
    yield from [spec.from_] if spec.from_ is not None else (spec.first_of or spec.join or [])
    times: list[str] = []
    if isinstance(spec, Instant):
        times = [spec.time] if spec.time is not None else []
        for part in (*(spec.plus or []), *(spec.minus or [])):
            yield from _columns(part, file)
    elif isinstance(spec, Duration) and spec.between is not None:
        times = spec.between
    for name in times:
        # A name refers to times above it alone, so that there is no cycle.
        declared = list(file.times)
        if name in file.times:
            above = file.model_copy(update={"times": {part: file.times[part] for part in declared[: declared.index(name)]}})
            yield from _columns(file.times[name], above)
