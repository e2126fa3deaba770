"""Parts of a mapping turned into functions of a record; what can work with no record is found here, as a problem with its place."""

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
    absent,
    boolean_of,
    duration_ms,
    integer_of,
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

#: Where in the mapping something is wrong, and what is permitted there.
Problem = tuple[tuple[int | str, ...], str]

#: The fields that take nothing of a customer but a keyed hash, and a further one that may take it.
KEYED: Final = frozenset({"customer_key", "linked_key"})
MAY_BE_KEYED: Final = KEYED | {"with"}

#: What stands for many customers at once: hashed, it would become one big customer.
_WITHHELD: Final = frozenset({"anonymous", "none", "private", "restricted", "unavailable", "unknown", "withheld"})

_MAX_SEGMENTS: Final = 20


class TableReaders(NamedTuple):
    """What reads the rows of a table: its key, that of a record, and what tells rows apart."""

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
        #: By table, the row of it that is looked at.
        self.joined: dict[str, dict[str, Any]] = {}
        #: What the records so far say of hours that come twice, by the place of the moment in the mapping.
        self.hours = defaultdict(RepeatedHour) if hours is None else hours
        #: Named times that were read already, in milliseconds.
        self.times: dict[str, int | None] = {}

    def beside(self, table: str, values: dict[str, Any]) -> Row:
        """Return the same record with another row of a table."""
        other = Row(self.values, self.keyed, self.hours)
        # Named times hold nothing of tables with many rows.
        other.times = self.times
        other.joined = {**self.joined, table: values}
        return other


class Compiler:
    """Turns the parts of one mapping file into functions; ``problems`` collects what is wrong with them."""

    def __init__(self, file: MappingFile) -> None:
        self.problems: list[Problem] = []
        #: Every column or path that is used, with the place that names it.
        self.paths: list[tuple[Location, str]] = []
        #: The same by table, for what is read from its rows.
        self.paths_of: dict[str, list[tuple[Location, str]]] = {name: [] for name in file.tables}
        #: The table of whose rows events are made, while one is compiled.
        self.each: str | None = None
        self._file = file
        self._tabular = file.read.format in TABULAR
        self._word = "column" if self._tabular else "path"
        self._nothing = frozenset(text_of(each) for each in file.read.absent)
        self._times: dict[str, Callable[[Row], int | None]] = {}
        self._used: set[str] = set()
        self._hashed: dict[str, Location] = {}
        self._shown: set[str] = set()

    # ---- Where contents come from --------------------------------------------------------------------------------------------------

    def _path(self, path: str, location: Location) -> Callable[[Row], Any]:
        """Return what finds a column or path in a record or a table, whatever is there."""
        table, dot, inner = path.partition(".")
        if dot and table in self.paths_of:
            return self._joined_path(table, inner, location)
        self.paths.append((location, path))
        found = self._walk(path, location, tabular=self._tabular)
        return lambda row: found(row.values)

    def _joined_path(self, table: str, path: str, location: Location) -> Callable[[Row], Any]:
        """Return what finds a column or path in the row of a table."""
        spec = self._file.tables[table]
        if spec.rows == "many" and self.each != table:
            self.problems.append((location, f"{table} has many rows a record; permitted: in events with each: {table}, or with rows: one"))
        self.paths_of[table].append((location, path))
        found = self._walk(path, location, tabular=(spec.read or self._file.read).format in TABULAR)
        return lambda row: None if (values := row.joined.get(table)) is None else found(values)

    def _walk(self, path: str, location: Location, *, tabular: bool) -> Callable[[dict[str, Any]], Any]:
        if tabular:
            return lambda values: values.get(path)
        segments = [segment.replace("\\.", ".") for segment in re.split(r"(?<!\\)\.", path)]
        if not all(segments) or len(segments) > _MAX_SEGMENTS:
            self.problems.append(
                (location, f"bad path; permitted: 1 to {_MAX_SEGMENTS} names joined by dots, such as Queue.Name (\\. for a dot in a name)")
            )

        def find(values: dict[str, Any]) -> Any:
            found: Any = values
            for segment in segments:
                if isinstance(found, dict):
                    found = found.get(segment)
                elif isinstance(found, list) and segment.isdecimal():
                    found = found[int(segment)] if int(segment) < len(found) else None
                else:
                    return None
            return found

        return find

    def _content(self, spec: Value | Duration | Instant, location: Location) -> tuple[Callable[[Row], Any], str]:
        """Return what finds the content that a part takes from a record, None for nothing; and the name of its columns."""
        nothing = self._nothing | {text_of(each) for each in spec.absent}
        if spec.separator != " " and spec.join is None:
            self.problems.append(((*location, "separator"), "means nothing without join"))
        if spec.from_ is not None:
            names, key = [spec.from_], "from"
        else:
            names, key = (spec.first_of, "first_of") if spec.first_of is not None else (spec.join or [], "join")
        finders = [self._path(name, (*location, key) if key == "from" else (*location, key, index)) for index, name in enumerate(names)]
        label = f"{self._word} {', '.join(repr(name) for name in names)}"

        def one(row: Row) -> Any:
            for find in finders:
                found = find(row)
                if not absent(found, nothing):
                    return found
            return None

        def joined(row: Row) -> Any:
            parts = [find(row) for find in finders]
            return None if any(absent(part, nothing) for part in parts) else spec.separator.join(map(text_of, parts))

        return (one if key != "join" else joined), label

    def _constant(self, name: str, location: Location) -> Any:
        self._used.add(name)
        if name not in self._file.constants:
            permitted = ", ".join(self._file.constants) or "none is declared under constants"
            near = nearest(name, self._file.constants)
            self.problems.append(((*location, "constant"), f"unknown constant {name!r}{near}; permitted: {permitted}"))
        return self._file.constants.get(name)

    def _named(self, read: Callable[[Row], Any], label: str) -> Callable[[Row], Any]:
        """Return a reader whose complaints name its column."""

        def named(row: Row) -> Any:
            try:
                return read(row)
            except BadRecordError as error:
                raise BadRecordError(error.reason, f"{label}: {error.detail}") from None

        return named

    # ---- Values --------------------------------------------------------------------------------------------------------------------

    def value(self, spec: Value, field: Field, location: Location, *, prefix: str = "") -> Callable[[Row], Any]:
        """Return what reads a field, None for nothing; ``prefix`` is put before a text unless the file gives one."""
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
            found = None if raw is None else convert(raw)
            if found is None:
                found = spec.default
            if spec.hash is not None and found is not None:
                found = None if row.keyed is None or found.lower() in _WITHHELD else row.keyed(found)
            return before + found if before and isinstance(found, str) else found

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
            word = text_of(raw)
            if word in table:
                return table[word]
            if spec.unmapped == "reject":
                raise BadRecordError("not_in_map", f"is not in the map; permitted: {', '.join(table)}")
            return plain(raw) if spec.unmapped == "keep" else None

        def entries(raw: Any) -> Any:
            parts = raw if isinstance(raw, list) else text_of(raw).split(spec.split) if spec.split else [raw]
            found = [entry(part) for part in parts if not absent(part, self._nothing)]
            return tuple(each for each in found if each is not None) or None

        return entries if field.kind == "list" else entry

    def _check_value(self, spec: Value, field: Field, location: Location) -> None:
        """Find what no record can make right."""
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
        for word, meaning in (spec.map or {}).items():
            if spec.hash is None:
                self._check(field, (meaning,) if field.kind == "list" else meaning, (*location, "map", word))
        if spec.default is not None and field.name not in KEYED:
            self._check(field, spec.default, (*location, "default"))

    def _check(self, field: Field, value: object, location: Location) -> None:
        problem = field.problem(value)
        if problem is not None:
            self.problems.append((location, f"{field.name}: {problem}"))

    def table(self, name: str, table: Table) -> TableReaders:
        """Return what reads the key and the id of a table's rows, and the key of a record."""
        inner = Compiler(self._file.model_copy(update={"read": table.read or self._file.read, "tables": {}}))
        key = inner.value(table.key, id_field("key"), ("tables", name, "key"))
        row_id = None if table.row_id is None else inner.value(table.row_id, id_field("row_id"), ("tables", name, "row_id"))
        self.problems += inner.problems
        self.paths_of[name] += inner.paths
        self._used |= inner._used
        return TableReaders(key, self.value(table.record, id_field("record"), ("tables", name, "record")), row_id)

    def check_uses(self) -> None:
        """Find constants that nothing uses, and columns that are hashed in one place and pass as they are in another."""
        self.problems += [
            (("constants", name), "is not used; permitted: constants that are") for name in self._file.constants if name not in self._used
        ]
        for path in sorted(self._hashed.keys() & self._shown):
            self.problems.append((self._hashed[path], f"{self._word} {path!r} passes elsewhere as it stands, so hashing it hides nothing"))

    # ---- Durations -----------------------------------------------------------------------------------------------------------------

    def duration(self, spec: Duration, location: Location) -> Callable[[Row], int | None]:
        """Return what reads a duration in milliseconds, None for nothing."""
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
            found = find(row)
            return default if found is None else duration_ms(found, spec.format, decimal)

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
        """Make a time known to what stands below it."""
        read = self.instant(spec, location)

        def once(row: Row) -> int | None:
            if name not in row.times:
                row.times[name] = read(row)
            return row.times[name]

        self._times[name] = once

    def named_time(self, name: str, location: Location) -> Callable[[Row], int | None]:
        """Return what reads a named time."""
        if name not in self._times:
            permitted = ", ".join(self._times) or "none stands above this"
            self.problems.append((location, f"unknown time {name!r}{nearest(name, self._times)}; permitted: {permitted}"))
            return lambda _row: None
        return self._times[name]

    def instant(self, spec: Instant, location: Location) -> Callable[[Row], int | None]:
        """Return what reads a moment in milliseconds since the epoch, None for nothing."""
        base = self._base(spec, location)
        plus = [self.duration(each, (*location, "plus", index)) for index, each in enumerate(spec.plus or [])]
        minus = [self.duration(each, (*location, "minus", index)) for index, each in enumerate(spec.minus or [])]
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
        """Return what reads which word on a record it is, None for nothing: milliseconds since the epoch, or a number of its own."""
        if spec.format != "number":
            return self.instant(spec, location)
        find, label = self._content(spec, location)
        decimal = self._file.read.decimal

        def read(row: Row) -> int | None:
            found = find(row)
            return None if found is None else integer_of(found, decimal)

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
            found = find(row)
            return None if found is None else moment(found, row.hours[location] if in_order else None)

        return self._named(read, label)

    # ---- Conditions ----------------------------------------------------------------------------------------------------------------

    def condition(self, spec: Condition, location: Location) -> Callable[[Row], bool]:
        """Return what says of a record whether a condition holds."""
        if spec.all_ is not None:
            tests = [self.condition(each, (*location, "all", index)) for index, each in enumerate(spec.all_)]
            return lambda row: all(test(row) for test in tests)
        if spec.any_ is not None:
            tests = [self.condition(each, (*location, "any", index)) for index, each in enumerate(spec.any_)]
            return lambda row: any(test(row) for test in tests)
        if spec.not_ is not None:
            test = self.condition(spec.not_, (*location, "not"))
            return lambda row: not test(row)
        path = spec.from_ or ""
        find, nothing = self._path(path, (*location, "from")), self._nothing
        if spec.present is not None:
            wanted = spec.present
            return lambda row: absent(find(row), nothing) is not wanted
        accepted = _same(spec.in_ if spec.in_ is not None else [spec.equals])

        def holds(row: Row) -> bool:
            found = find(row)
            return not absent(found, nothing) and accepted(found)

        return self._named(holds, f"{self._word} {path!r}")


def _same(permitted: Sequence[Any]) -> Callable[[Any], bool]:
    """Return what says whether a content is one of some; numbers are compared as numbers where the record has a number."""
    words = frozenset(text_of(each) for each in permitted)
    numbers = frozenset(each for each in permitted if isinstance(each, int | float) and not isinstance(each, bool))

    def accepted(found: Any) -> bool:
        if isinstance(found, dict | list):
            return False
        return (not isinstance(found, str | bool) and found in numbers) or text_of(found) in words

    return accepted
