"""``contact-streams replay --out DIR``: the figures as CSV and Parquet, written row by row, and all else as JSON."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import orjson

from streams.catalogue.kpis import KPI_BY_ID
from streams.replay import STREAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["FORMATS", "OutputError", "ReplayFiles"]

Form = Literal["csv", "parquet"]

FORMATS: Final[dict[str, tuple[Form, ...]]] = {"csv": ("csv",), "parquet": ("parquet",), "both": ("csv", "parquet")}

#: Rows of Parquet that are buffered.
_ROW_GROUP: Final = 5_000
#: Characters that make a spreadsheet read a text as a formula: a sender may name a queue so.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SUMMARY: Final = "summary.json"
_DEAD_LETTERS: Final = "dead_letters"
_TIMES: Final = ("start", "end")


class OutputError(Exception):
    """The figures cannot be written there; the message states what to do."""


class _Table(NamedTuple):
    #: Columns that identify a row; texts.
    keys: tuple[str, ...]
    #: Columns with figures; numbers.
    figures: tuple[str, ...] = ()
    #: Whether a row has other values, as JSON.
    has_details: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, *self.figures, *(("details",) if self.has_details else ()))


def _figures(subject: str) -> tuple[str, ...]:
    """Return the columns of a table of KPIs: the value, its coverage, and the parts of a ratio."""
    columns: list[str] = []
    for kpi in KPI_BY_ID.values():
        if kpi.split_by is None and kpi.subject == subject and {"interval", "day"} & set(kpi.windows):
            parts = () if kpi.denominator_unit is None else ("_numerator", "_denominator")
            columns += (kpi.id, *(f"{kpi.id}{part}" for part in (*parts, "_coverage")))
    return tuple(columns)


_CONTACTS: Final = _figures("contacts")
_PEOPLE: Final = _figures("people")

_TABLES: Final = {
    "totals": _Table((), (*_CONTACTS, *_PEOPLE)),
    "queues": _Table(("queue", "channel"), _CONTACTS),
    "teams": _Table(("team",), _PEOPLE),
    "intervals": _Table(("queue", "channel", "interval", *_TIMES), _CONTACTS, has_details=True),
    _DEAD_LETTERS: _Table(("origin", "reason", "detail", "bytes")),
}


class _Writer(Protocol):
    def write(self, row: Mapping[str, Any]) -> None: ...
    def close(self) -> None: ...


class _Csv:
    def __init__(self, path: Path, table: _Table) -> None:
        # Spreadsheets recognize UTF-8 by a byte order mark.
        self._file: IO[str] = path.open("x", encoding="utf-8-sig", newline="")
        self._columns = table.columns
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self._columns)

    def write(self, row: Mapping[str, Any]) -> None:
        self._rows.writerow([_cell(row.get(column)) for column in self._columns])

    def close(self) -> None:
        self._file.close()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


class _Parquet:
    def __init__(self, path: Path, table: _Table) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - as above

        def kind(column: str) -> Any:
            if column in table.figures:
                return pa.float64()
            return pa.timestamp("ms", tz="UTC") if column in _TIMES else pa.string()

        self._batch_of = pa.RecordBatch.from_pylist
        self._schema = pa.schema([(column, kind(column)) for column in table.columns])
        self._file = path.open("xb")
        self._writer = parquet.ParquetWriter(self._file, self._schema)
        self._rows: list[dict[str, Any]] = []

    def write(self, row: Mapping[str, Any]) -> None:
        times = {name: datetime.fromisoformat(row[name]) for name in _TIMES if name in row}
        self._rows.append({**row, **times})
        if len(self._rows) >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(self._batch_of(self._rows, schema=self._schema))
            self._rows = []

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._file.close()


class ReplayFiles:
    """The files of one replay in a directory; dead letters are written at once, figures at the end.

    Raises:
        OutputError: the directory cannot be written to, one of the files exists, or Parquet is requested without pyarrow.
    """

    def __init__(self, directory: Path, formats: str) -> None:
        forms = FORMATS[formats]
        if "parquet" in forms:
            _need_pyarrow()
        self._directory = directory
        names = [_SUMMARY, *(f"{name}.{form}" for name in _TABLES for form in forms)]
        self._stack = ExitStack()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            existing = [name for name in names if (directory / name).exists()]
            if existing:
                raise OutputError(f"--out {directory}: {', '.join(existing)} exists there already; give another directory")
            self._writers = {name: [self._open(name, form) for form in forms] for name in _TABLES}
        except OSError as error:
            self._stack.close()
            raise OutputError(f"--out {error.filename or directory}: cannot be written: {error.strerror or error}") from error

    def _open(self, name: str, form: Form) -> _Writer:
        path = self._directory / f"{name}.{form}"
        writer: _Writer = (_Csv if form == "csv" else _Parquet)(path, _TABLES[name])
        self._stack.callback(writer.close)
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def dead_letter(self, dead_letter: Mapping[str, Any]) -> None:
        """Write a dead letter."""
        self._write(_DEAD_LETTERS, dead_letter)

    def figures(self, result: Mapping[str, Any]) -> None:
        """Write the figures of a replay; its iterators are consumed."""
        self._write("totals", _row({}, result["totals"]))
        for queue, channels in result["queues"].items():
            for channel, kpis in channels.items():
                self._write("queues", _row({"queue": queue, "channel": channel}, kpis))
        for team, kpis in result["teams"].items():
            self._write("teams", _row({"team": team}, kpis))
        for row in _intervals(result["intervals"]):
            self._write("intervals", row)
        summary = {name: value for name, value in result.items() if name not in STREAMED and name not in _TABLES}
        with (self._directory / _SUMMARY).open("xb") as file:
            file.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    def _write(self, name: str, row: Mapping[str, Any]) -> None:
        for writer in self._writers[name]:
            writer.write(row)


def _intervals(intervals: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    keys: Sequence[str] = _TABLES["intervals"].keys
    for interval in intervals:
        details = {name: value for name, value in interval.items() if name not in keys and name != "kpis"}
        yield {**_row({name: interval[name] for name in keys}, interval["kpis"]), "details": orjson.dumps(details).decode()}


def _row(keys: dict[str, Any], kpis: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row with the figures of its KPIs as columns."""
    row = dict(keys)
    for name, figure in kpis.items():
        row[name] = figure["value"]
        row |= {f"{name}_{part}": figure[part] for part in ("numerator", "denominator", "coverage") if figure.get(part) is not None}
    return row


def _need_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        message = "Parquet needs pyarrow: install it with `pip install 'contact-streams[parquet]'`, or write only CSV with --out-format csv"
        raise OutputError(message) from error
