"""Reads a report: one row for each queue and interval, each figure with the precision of its text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, get_args
from zoneinfo import ZoneInfo, available_timezones

from schemas.base import Channel
from schemas.times import to_ms
from streams.catalogue import KPI_BY_ID
from streams.configuration.base import nearest
from streams.configuration.problems import FileError, Problem
from streams.reconciling.layout import COMPARED

if TYPE_CHECKING:
    from pathlib import Path

    from streams.reconciling.layout import Column, Layout, Unit

__all__ = ["Cell", "ReportError", "Row", "read_report"]

_CHANNELS: Final[tuple[str, ...]] = get_args(Channel)
_EMPTY: Final = frozenset({"", "-", "–", "—", "n/a", "na", "null", "none"})
_NUMBER: Final = re.compile(r"-?\d+(?:\.(\d+))?")
_CLOCK: Final = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})(?:\.(\d+))?")
#: Problems that are listed of one file.
_MAX_PROBLEMS: Final = 20


class ReportError(FileError):
    """The report is invalid; names line and column."""


class Cell(NamedTuple):
    """A figure in our unit, with the step of its last written digit; a count is exact."""

    value: float
    step: float
    text: str
    column: str


class Row(NamedTuple):
    """A queue and interval of the report."""

    line: int
    queue: str
    channel: str | None
    start_ms: int
    cells: Mapping[str, Cell]
    """by KPI, without empty cells"""


class _WrongError(ValueError):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


def read_report(path: Path, layout: Layout) -> list[Row]:
    """Return the rows of a report.

    Raises:
        ReportError: the report cannot be read, lacks a column, or has an invalid cell.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig" if layout.encoding == "utf-8" else layout.encoding)
    except OSError as error:
        raise ReportError(path, [Problem(None, "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeError as error:
        raise ReportError(path, [Problem(None, "", f"is not {layout.encoding}; permitted: the encoding that the layout names")]) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=layout.delimiter)
    try:
        return _rows(path, reader, layout)
    except csv.Error as error:
        raise ReportError(path, [Problem(reader.line_num + 1, "", f"is no CSV that can be read: {error}")]) from error


def _rows(path: Path, reader: csv.DictReader[str], layout: Layout) -> list[Row]:
    names = list(reader.fieldnames or ())
    if problems := _missing(names, layout):
        raise ReportError(path, problems)
    figures = {name: column for name in names if (column := layout.column(name)) is not None}
    rows: list[Row] = []
    problems = []
    seen: dict[tuple[str, str | None, int], int] = {}
    for record in reader:
        if not any((value or "").strip() for value in record.values() if isinstance(value, str)):
            continue
        try:
            row = _row(reader.line_num, record, layout, figures)
        except _WrongError as wrong:
            problems.append(Problem(reader.line_num, wrong.column, str(wrong)))
            if len(problems) == _MAX_PROBLEMS:
                break
            continue
        key = (row.queue, row.channel, row.start_ms)
        if key in seen:
            problems.append(Problem(row.line, layout.start, f"the interval is already in line {seen[key]}; permitted: once for each queue"))
        seen.setdefault(key, row.line)
        rows.append(row)
    if problems:
        raise ReportError(path, problems)
    return rows


def _missing(names: list[str], layout: Layout) -> list[Problem]:
    found = ", ".join(names) or "none"
    problems = [
        Problem(1, name, f"there is no such column{nearest(name, names)}; found: {found}")
        for name in (layout.queue, layout.start, *layout.kpis)
        if name not in names
    ]
    if not layout.kpis and not any(name in COMPARED for name in names):
        problems.append(Problem(1, "", f"no column is named by a KPI; found: {found}; permitted: {', '.join(COMPARED)}, or a layout"))
    return problems


def _row(line: int, record: Mapping[str, str | None], layout: Layout, figures: Mapping[str, Column]) -> Row:
    queue = (record[layout.queue] or "").strip()
    if not queue:
        raise _WrongError(layout.queue, "is empty; permitted: the name of a queue")
    channel = (record.get(layout.channel_column or "") or "").strip() or layout.channel
    if channel is not None and channel not in _CHANNELS:
        raise _WrongError(layout.channel_column or "", f'found "{channel}"{nearest(channel, _CHANNELS)}; permitted: {", ".join(_CHANNELS)}')
    start_ms = _start(record, layout)
    cells = {}
    for name, column in figures.items():
        text = (record[name] or "").strip()
        if text.lower() not in _EMPTY:
            cells[column.kpi] = _cell(text, name, column, layout)
    return Row(line, layout.queues.get(queue, queue), channel, start_ms, cells)


def _start(record: Mapping[str, str | None], layout: Layout) -> int:
    text = (record[layout.start] or "").strip()
    try:
        at = datetime.fromisoformat(text) if layout.time_format is None else datetime.strptime(text, layout.time_format)  # noqa: DTZ007 - below
    except ValueError as error:
        written = "an ISO 8601 time, such as 2026-03-02 09:00" if layout.time_format is None else f"a time written as {layout.time_format}"
        raise _WrongError(layout.start, f'found "{text}"; permitted: {written}') from error
    if at.tzinfo is None:
        name = (record.get(layout.zone_column or "") or "").strip() or layout.zone
        if name is None:
            raise _WrongError(
                layout.start, f'found "{text}", of no known zone; permitted: a time with its offset, or a zone in the layout or a column'
            )
        if name not in available_timezones():
            raise _WrongError(
                layout.zone_column or "zone", f'found "{name}"; permitted: IANA names such as UTC, Europe/Berlin or Asia/Tokyo'
            )
        at = at.replace(tzinfo=ZoneInfo(name))
    offset = at.utcoffset() or timedelta(0)
    local_ms = to_ms(at) + offset // timedelta(milliseconds=1)
    if local_ms % (60_000 * layout.interval_minutes):
        raise _WrongError(layout.start, f'found "{text}"; permitted: the begin of an interval of {layout.interval_minutes} minutes')
    return to_ms(at)


def _cell(text: str, name: str, column: Column, layout: Layout) -> Cell:
    kind = KPI_BY_ID[column.kpi]
    plain = text.replace(" ", "").replace("\u00a0", "")
    percent = plain.endswith(("%", "％"))
    plain = plain.rstrip("%％").replace("." if layout.decimal == "," else ",", "").replace(layout.decimal, ".")
    clock = _CLOCK.fullmatch(plain)
    unit = column.unit
    if unit is None:
        units: dict[str, Unit] = {"seconds": "hms" if clock else "seconds", "ratio": "percent" if percent else "ratio"}
        unit = units.get(kind.unit, "count")
    if unit == "hms":
        if clock is None:
            raise _WrongError(name, f'found "{text}"; permitted: a time as 1:02:03 or 02:03')
        hours, minutes, seconds, fraction = clock[1] or "0", clock[2], clock[3], clock[4] or ""
        value = 3600 * int(hours) + 60 * int(minutes) + float(f"{seconds}.{fraction or 0}")
        return Cell(value, 10.0 ** -len(fraction), text, name)
    number = _NUMBER.fullmatch(plain)
    if number is None or (percent and unit != "percent"):
        raise _WrongError(name, f'found "{text}"; permitted: a number as {unit}')
    step = 10.0 ** -len(number[1] or "")
    if unit == "count":
        return Cell(float(plain), 0.0 if number[1] is None else step, text, name)
    scales: dict[Unit, float] = {"percent": 0.01, "minutes": 60.0}
    scale = scales.get(unit, 1.0)
    return Cell(float(plain) * scale, step * scale, text, name)
