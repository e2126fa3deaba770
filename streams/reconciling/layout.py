"""The columns of a report: a small YAML file, or the generic layout, whose columns are named by KPI ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from schemas.base import Channel
from streams.catalogue import KPI_BY_ID
from streams.configuration.base import Model, Zone, nearest, refuse
from streams.configuration.problems import FileError, read_text
from streams.configuration.reading import problems_of, read_model
from streams.configuration.wording import worded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import ValidationError

    from streams.configuration.problems import Problem
    from streams.configuration.yaml_lines import Document

__all__ = ["COMPARED", "GENERIC", "Column", "Layout", "LayoutError", "Unit", "load_layout"]

#: KPIs that can be compared: figures about contacts that intervals have.
COMPARED: Final = tuple(kpi.id for kpi in KPI_BY_ID.values() if kpi.subject == "contacts" and "interval" in kpi.windows)

Unit = Literal["count", "ratio", "percent", "seconds", "minutes", "hms"]


class LayoutError(FileError):
    """The layout is invalid."""


def _known_kpi(name: str) -> str:
    if name not in COMPARED:
        message = f"{name!r} is no figure of intervals of contacts{nearest(name, COMPARED)}; permitted: {', '.join(COMPARED)}"
        raise refuse(message)
    return name


class Column(Model):
    """The content of a column."""

    kpi: Annotated[str, AfterValidator(_known_kpi)]
    """An id of [metrics](metrics.md)."""
    unit: Unit | None = None
    """How its numbers are written; by default as the KPI's: contacts as count, ratios as ratio or, with a percent sign, percent, times in
    seconds or, with colons, as hms."""


def _kpi_alone(value: Any) -> Any:
    return {"kpi": value} if isinstance(value, str) else value


class Layout(Model):
    """The format of a report."""

    queue: str = "queue"
    """The column with the name of the queue."""
    start: str = "interval_start"
    """The column with the begin of the interval."""
    zone: Zone | None = None
    """The time zone of `start`, where its times have no offset."""
    zone_column: str | None = "zone"
    """The column with the time zone, where rows have their own; not needed in the file."""
    time_format: str | None = None
    """How `start` is written, as `%Y/%m/%d %H:%M`; by default ISO 8601."""
    interval_minutes: Literal[5, 15, 30, 60] = 30
    """The length of its intervals."""
    channel: Channel | None = None
    """The channel of all rows; needed where a queue has several."""
    channel_column: str | None = "channel"
    """The column with the channel, where rows have their own; not needed in the file."""
    queues: dict[str, str] = Field(default_factory=dict)
    """Name of a queue in the report → our name; other queues have the same name in both."""
    kpis: dict[str, Annotated[Column, BeforeValidator(_kpi_alone)]] = Field(default_factory=dict)
    """Columns with figures; by default those whose names are KPI ids."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """The column delimiter."""
    decimal: Literal[".", ","] = "."
    """The decimal separator; the other one is accepted between thousands."""
    encoding: Literal["utf-8", "utf-16", "shift_jis", "cp932", "latin-1"] = "utf-8"
    """The encoding of the file."""

    def column(self, name: str) -> Column | None:
        """Return the content of a column; None if it is not compared."""
        if self.kpis:
            return self.kpis.get(name)
        return Column(kpi=name) if name in COMPARED else None


#: Columns ``queue``, ``interval_start``, perhaps ``zone`` and ``channel``, and any KPI id.
GENERIC: Final = Layout()


def load_layout(path: Path) -> Layout:
    """Return the layout in a file.

    Raises:
        LayoutError: the file is missing, is not YAML, or is invalid; the error names all problems.
    """
    schema = Layout.model_json_schema()

    def problems(wrong: ValidationError, document: Document) -> Iterator[Problem]:
        return problems_of(wrong, document, lambda error: worded(error, schema))

    return read_model(path, read_text(path, LayoutError), Layout, problems, LayoutError)
