"""Compile the parts of a mapping into functions of a record; report what no record could satisfy, with its location."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from streams.configuration.consistency import nearest
from streams.connectors.mapping.format import TABULAR
from streams.connectors.mapping.kinds import id_field
from streams.connectors.mapping.texts import (
    BadRecordError,
    boolean_of,
    duration_ms,
    integer_of,
    is_absent,
    moment_reader,
    number_of,
    pattern_problem,
    text_of,
)
from streams.connectors.repeated_hour import RepeatedHour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.configuration.yaml_lines import Location
    from streams.connectors.mapping.format import Condition, Duration, Instant, MappingFile, Revision, Table, Value
    from streams.connectors.mapping.kinds import Field

__all__ = ["Compiler", "Problem", "Row", "TableReaders"]

#: The location of an error in the mapping, and what is permitted there.
Problem = tuple[tuple[int | str, ...], str]

#: Fields that accept a keyed hash only, and a further one that may hold one.
KEYED: Final = frozenset({"customer_key", "linked_key"})
MAY_BE_KEYED: Final = KEYED | {"with"}

#: Placeholders that many customers share: hashed, they would become one big customer.
_WITHHELD: Final = frozenset({"anonymous", "none", "private", "restricted", "unavailable", "unknown", "withheld"})

_MAX_SEGMENTS: Final = 20


class TableReaders(NamedTuple):
    """Readers of a table: the key of a row, the key of a record, and the id of a row."""

    key: Callable[[Row], Any]
    record: Callable[[Row], Any]
    row_id: Callable[[Row], Any] | None


class Row:
    """One record while it is mapped."""

    __slots__ = ("hours", "joined", "keyed", "times", "values")

    def __init__(
        self, values: dict[str, Any], keyed: Callable[[str], str] | None, hours: defaultdict[Location, RepeatedHour] | None = None
    ) -> None:
        self.values = values
        self.keyed = keyed
        #: Table → its current row.
        self.joined: dict[str, dict[str, Any]] = {}
        #: Location of a moment in the mapping → its repeated hour, as far as the records so far resolve it.
        self.hours = defaultdict(RepeatedHour) if hours is None else hours
        #: Named times read so far, in milliseconds.
        self.times: dict[str, int | None] = {}

    def beside(self, table: str, values: dict[str, Any]) -> Row:
        """Return the same record with another row of a table."""
        other = Row(self.values, self.keyed, self.hours)
        # Named times hold nothing of tables with many rows.
        other.times = self.times
        other.joined = {**self.joined, table: values}
        return other


class Compiler:
    """Compiles the parts of one mapping file into functions; ``problems`` collects their errors."""

    def __init__(self, file: MappingFile) -> None:
        self.problems: list[Problem] = []
        #: Every column or path that is used, with the location that names it.
        self.paths: list[tuple[Location, str]] = []
        #: The same by table, for its rows.
        self.paths_of: dict[str, list[tuple[Location, str]]] = {name: [] for name in file.tables}
        #: The table whose rows become events, while such an event is compiled.
        self.each: str | None = None
        self._file = file
        self._tabular = file.read.format in TABULAR
        self._path_noun = "column" if self._tabular else "path"
        self._absent_texts = frozenset(text_of(scalar) for scalar in file.read.absent)
        self._times: dict[str, Callable[[Row], int | None]] = {}
        self._used: set[str] = set()
        self._hashed: dict[str, Location] = {}
        self._shown: set[str] = set()

    # ---- Where contents come from --------------------------------------------------------------------------------------------------

    def _path(self, path: str, location: Location) -> Callable[[Row], Any]:
        """Return a reader of a column or path of a record or a table."""
        table, dot, inner = path.partition(".")
        if dot and table in self.paths_of:
            return self._joined_path(table, inner, location)
        self.paths.append((location, path))
        find = self._walk(path, location, tabular=self._tabular)
        return lambda row: find(row.values)

    def _joined_path(self, table: str, path: str, location: Location) -> Callable[[Row], Any]:
        """Return a reader of a column or path of the row of a table."""
        spec = self._file.tables[table]
        if spec.rows == "many" and self.each != table:
            self.problems.append((location, f"{table} has many rows a record; permitted: in events with each: {table}, or with rows: one"))
        self.paths_of[table].append((location, path))
        find = self._walk(path, location, tabular=(spec.read or self._file.read).format in TABULAR)
        return lambda row: None if (values := row.joined.get(table)) is None else find(values)

    def _walk(self, path: str, location: Location, *, tabular: bool) -> Callable[[dict[str, Any]], Any]:
        if tabular:
            return lambda values: values.get(path)
        segments = [segment.replace("\\.", ".") for segment in re.split(r"(?<!\\)\.", path)]
        if not all(segments) or len(segments) > _MAX_SEGMENTS:
            self.problems.append(
                (location, f"bad path; permitted: 1 to {_MAX_SEGMENTS} names joined by dots, such as Queue.Name (\\. for a dot in a name)")
            )

        def find(values: dict[str, Any]) -> Any:
            content: Any = values
            for segment in segments:
                if isinstance(content, dict):
                    content = content.get(segment)
                elif isinstance(content, list) and segment.isdecimal():
                    content = content[int(segment)] if int(segment) < len(content) else None
                else:
                    return None
            return content

        return find

    def _content(self, spec: Value | Duration | Instant, location: Location) -> tuple[Callable[[Row], Any], str]:
        """Return a reader of the content of a part, None for nothing; and the name of its columns."""
        absent_texts = self._absent_texts | {text_of(scalar) for scalar in spec.absent}
        if spec.separator != " " and spec.join is None:
            self.problems.append(((*location, "separator"), "means nothing without join"))
        if spec.from_ is not None:
            names, key = [spec.from_], "from"
        else:
            names, key = (spec.first_of, "first_of") if spec.first_of is not None else (spec.join or [], "join")
        finders = [self._path(name, (*location, key) if key == "from" else (*location, key, index)) for index, name in enumerate(names)]
        label = f"{self._path_noun} {', '.join(repr(name) for name in names)}"

        def one(row: Row) -> Any:
            for find in finders:
                content = find(row)
                if not is_absent(content, absent_texts):
                    return content
            return None

        def joined(row: Row) -> Any:
            parts = [find(row) for find in finders]
            return None if any(is_absent(part, absent_texts) for part in parts) else spec.separator.join(map(text_of, parts))

        return (one if key != "join" else joined), label

    def _constant(self, name: str, location: Location) -> Any:
        self._used.add(name)
        if name not in self._file.constants:
            permitted = ", ".join(self._file.constants) or "none is declared under constants"
            near = nearest(name, self._file.constants)
            self.problems.append(((*location, "constant"), f"unknown constant {name!r}{near}; permitted: {permitted}"))
        return self._file.constants.get(name)

    def _named(self, read: Callable[[Row], Any], label: str) -> Callable[[Row], Any]:
        """Return a reader whose errors name its column."""

        def named(row: Row) -> Any:
            try:
                return read(row)
            except BadRecordError as error:
                raise BadRecordError(error.reason, f"{label}: {error.detail}") from None

        return named

    # ---- Values --------------------------------------------------------------------------------------------------------------------

    def value(self, spec: Value, field: Field, location: Location, *, prefix: str = "") -> Callable[[Row], Any]:
        """Return a reader of a field, None for nothing; ``prefix`` precedes a text unless the file has one."""
        self._check_value(spec, field, location)
        before = prefix if spec.prefix is None else spec.prefix
        if spec.constant is not None or spec.value is not None:
            literal = spec.value if spec.constant is None else self._constant(spec.constant, location)
            if literal is not None:
                literal = before + literal if before and isinstance(literal, str) else literal
                self._check(field, literal, (*location, "value" if spec.constant is None else "constant"))
            ready = tuple(literal) if isinstance(literal, list) else literal
            return lambda _row: ready
        find, label = self._content(spec, location)
        names = [spec.from_] if spec.from_ is not None else (spec.first_of or spec.join or [])
        if spec.hash is None:
            self._shown.update(names)
        else:
            self._hashed.update(dict.fromkeys(names, location))
        convert = self._converter(spec, field)

        def read(row: Row) -> Any:
            raw = find(row)
            content = None if raw is None else convert(raw)
            if content is None:
                content = spec.default
            if spec.hash is not None and content is not None:
                content = None if row.keyed is None or content.lower() in _WITHHELD else row.keyed(content)
            return before + content if before and isinstance(content, str) else content

        return self._named(read, label)

    def _converter(self, spec: Value, field: Field) -> Callable[[Any], Any]:
        decimal = self._file.read.decimal
        by_kind: dict[str, Callable[[Any], Any]] = {
            "number": lambda raw: number_of(raw, decimal),
            "integer": lambda raw: integer_of(raw, decimal),
            "boolean": boolean_of,
        }
        plain = by_kind.get(field.kind, text_of)
        table = spec.map

        def entry(raw: Any) -> Any:
            if table is None:
                return plain(raw)
            text = text_of(raw)
            if text in table:
                return table[text]
            if spec.unmapped == "reject":
                raise BadRecordError("not_in_map", f"is not in the map; permitted: {', '.join(table)}")
            return plain(raw) if spec.unmapped == "keep" else None

        def entries(raw: Any) -> Any:
            parts = raw if isinstance(raw, list) else text_of(raw).split(spec.split) if spec.split else [raw]
            values = [entry(part) for part in parts if not is_absent(part, self._absent_texts)]
            return tuple(value for value in values if value is not None) or None

        return entries if field.kind == "list" else entry

    def _check_value(self, spec: Value, field: Field, location: Location) -> None:
        """Report errors that no record can avoid."""
        if spec.unmapped != "reject" and spec.map is None:
            self.problems.append(((*location, "unmapped"), "means nothing without map"))
        if spec.split is not None and field.kind != "list":
            self.problems.append(((*location, "split"), f"{field.name} is no list; permitted: no split"))
        if spec.prefix is not None and field.kind != "text":
            self.problems.append(((*location, "prefix"), f"{field.name} is no text; permitted: no prefix"))
        if field.name in KEYED and (spec.hash is None or spec.constant is not None or spec.value is not None or spec.default is not None):
            self.problems.append(
                (location, f"{field.name} takes a keyed hash only; permitted: {{from: COLUMN, hash: keyed}}, without default")
            )
        elif spec.hash is not None and field.name not in MAY_BE_KEYED:
            self.problems.append(((*location, "hash"), f"no hash in {field.name}; permitted in: {', '.join(sorted(MAY_BE_KEYED))}"))
        for text, meaning in (spec.map or {}).items():
            if spec.hash is None:
                self._check(field, (meaning,) if field.kind == "list" else meaning, (*location, "map", text))
        if spec.default is not None and field.name not in KEYED:
            self._check(field, spec.default, (*location, "default"))

    def _check(self, field: Field, value: object, location: Location) -> None:
        problem = field.problem(value)
        if problem is not None:
            self.problems.append((location, f"{field.name}: {problem}"))

    def table(self, name: str, table: Table) -> TableReaders:
        """Return readers of the key and the id of a table's rows, and of the key of a record."""
        inner = Compiler(self._file.model_copy(update={"read": table.read or self._file.read, "tables": {}}))
        key = inner.value(table.key, id_field("key"), ("tables", name, "key"))
        row_id = None if table.row_id is None else inner.value(table.row_id, id_field("row_id"), ("tables", name, "row_id"))
        self.problems += inner.problems
        self.paths_of[name] += inner.paths
        self._used |= inner._used
        return TableReaders(key, self.value(table.record, id_field("record"), ("tables", name, "record")), row_id)

    def check_uses(self) -> None:
        """Report unused constants, and columns that are hashed at one location and not at another."""
        self.problems += [
            (("constants", name), "is not used; permitted: constants that are") for name in self._file.constants if name not in self._used
        ]
        for path in sorted(self._hashed.keys() & self._shown):
            self.problems.append(
                (self._hashed[path], f"{self._path_noun} {path!r} is used unhashed elsewhere, so hashing it hides nothing")
            )

    # ---- Durations -----------------------------------------------------------------------------------------------------------------

    def duration(self, spec: Duration, location: Location) -> Callable[[Row], int | None]:
        """Return a reader of a duration in milliseconds, None for nothing."""
        decimal = self._file.read.decimal
        if spec.between is not None:
            return self._between(spec.between[0], spec.between[1], location)
        default = self._literal_ms(spec, spec.default, (*location, "default")) if spec.default is not None else None
        if spec.constant is not None:
            constant = self._constant(spec.constant, location)
            ready = self._literal_ms(spec, constant, (*location, "constant")) if constant is not None else None
            return lambda _row: ready
        if spec.value is not None:
            ready = self._literal_ms(spec, spec.value, (*location, "value"))
            return lambda _row: ready
        find, label = self._content(spec, location)

        def read(row: Row) -> int | None:
            content = find(row)
            return default if content is None else duration_ms(content, spec.format, decimal)

        return self._named(read, label)

    def _literal_ms(self, spec: Duration, literal: Any, location: Location) -> int | None:
        try:
            return duration_ms(literal, spec.format)
        except BadRecordError as error:
            self.problems.append((location, error.detail))
            return None

    def _between(self, first: str, second: str, location: Location) -> Callable[[Row], int | None]:
        begin = self.named_time(first, (*location, "between", 0))
        end = self.named_time(second, (*location, "between", 1))

        def read(row: Row) -> int | None:
            since, until = begin(row), end(row)
            if since is None or until is None:
                return None
            if until < since:
                raise BadRecordError("negative_duration", f"between {first} and {second}: {second} is the earlier one")
            return until - since

        return read

    # ---- Moments -------------------------------------------------------------------------------------------------------------------

    def declare_time(self, name: str, spec: Instant, location: Location) -> None:
        """Declare a time for the entries below it."""
        read = self.instant(spec, location)

        def once(row: Row) -> int | None:
            if name not in row.times:
                row.times[name] = read(row)
            return row.times[name]

        self._times[name] = once

    def named_time(self, name: str, location: Location) -> Callable[[Row], int | None]:
        """Return a reader of a named time."""
        if name not in self._times:
            permitted = ", ".join(self._times) or "none is declared above this"
            self.problems.append((location, f"unknown time {name!r}{nearest(name, self._times)}; permitted: {permitted}"))
            return lambda _row: None
        return self._times[name]

    def instant(self, spec: Instant, location: Location) -> Callable[[Row], int | None]:
        """Return a reader of a moment in milliseconds since the epoch, None for nothing."""
        base = self._base(spec, location)
        plus = [self.duration(duration, (*location, "plus", index)) for index, duration in enumerate(spec.plus or [])]
        minus = [self.duration(duration, (*location, "minus", index)) for index, duration in enumerate(spec.minus or [])]
        offsets = [(1, read) for read in plus] + [(-1, read) for read in minus]
        if not offsets:
            return base

        def moved(row: Row) -> int | None:
            at = base(row)
            if at is None:
                return None
            for sign, read in offsets:
                length = read(row)
                if length is None:
                    return None
                at += sign * length
            return at

        return moved

    def revision(self, spec: Revision, location: Location) -> Callable[[Row], int | None]:
        """Return a reader of a record's revision, None for nothing: milliseconds since the epoch, or a number of its own."""
        if spec.format != "number":
            return self.instant(spec, location)
        find, label = self._content(spec, location)
        decimal = self._file.read.decimal

        def read(row: Row) -> int | None:
            content = find(row)
            return None if content is None else integer_of(content, decimal)

        return self._named(read, label)

    def _base(self, spec: Instant, location: Location) -> Callable[[Row], int | None]:
        if spec.time is not None:
            for key in sorted(spec.model_fields_set & {"format", "zone", "ambiguous", "absent"}):
                self.problems.append(((*location, key), f"means nothing beside time: {spec.time} has its own"))
            return self.named_time(spec.time, (*location, "time"))
        zone = spec.zone or self._file.zone
        problem = pattern_problem(spec.format)
        if problem is not None:
            self.problems.append(((*location, "format"), problem))
        elif zone is None and "%" in spec.format and "%z" not in spec.format:
            self.problems.append(
                ((*location, "format"), "needs a zone, or %z in the pattern; permitted: zone here or at the top of the file")
            )
        find, label = self._content(spec, location)
        moment = moment_reader(spec.format, zone, spec.ambiguous, self._file.read.decimal)
        in_order = spec.ambiguous == "file order"

        def read(row: Row) -> int | None:
            content = find(row)
            return None if content is None else moment(content, row.hours[location] if in_order else None)

        return self._named(read, label)

    # ---- Conditions ----------------------------------------------------------------------------------------------------------------

    def condition(self, spec: Condition, location: Location) -> Callable[[Row], bool]:
        """Return a function that returns whether a condition holds for a record."""
        if spec.all_ is not None:
            tests = [self.condition(part, (*location, "all", index)) for index, part in enumerate(spec.all_)]
            return lambda row: all(test(row) for test in tests)
        if spec.any_ is not None:
            tests = [self.condition(part, (*location, "any", index)) for index, part in enumerate(spec.any_)]
            return lambda row: any(test(row) for test in tests)
        if spec.not_ is not None:
            test = self.condition(spec.not_, (*location, "not"))
            return lambda row: not test(row)
        path = spec.from_ or ""
        find, absent_texts = self._path(path, (*location, "from")), self._absent_texts
        if spec.present is not None:
            wanted = spec.present
            return lambda row: is_absent(find(row), absent_texts) is not wanted
        accepted = _same(spec.in_ if spec.in_ is not None else [spec.equals])

        def holds(row: Row) -> bool:
            content = find(row)
            return not is_absent(content, absent_texts) and accepted(content)

        return self._named(holds, f"{self._path_noun} {path!r}")


def _same(permitted: Sequence[Any]) -> Callable[[Any], bool]:
    """Return a function that returns whether a content is permitted; a number in the record is compared as a number."""
    texts = frozenset(text_of(scalar) for scalar in permitted)
    numbers = frozenset(scalar for scalar in permitted if isinstance(scalar, int | float) and not isinstance(scalar, bool))

    def accepted(content: Any) -> bool:
        if isinstance(content, dict | list):
            return False
        return (not isinstance(content, str | bool) and content in numbers) or text_of(content) in texts

    return accepted
