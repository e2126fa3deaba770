"""Boards for wall screens: pages of tiles, their figures, sizes and color limits; ``docs/boards.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from schemas.base import Channel
from streams.catalogue.kpis import KPI_BY_ID
from streams.configuration.alerts import ScopePattern
from streams.configuration.base import Model, Name, nearest, refuse

if TYPE_CHECKING:
    from streams.catalogue.model import Kpi

__all__ = ["USUAL_BOARDS", "AlertsTile", "Board", "BoardPage", "FigureTile", "MapTile", "OfQueues", "QueuesTile", "TextTile", "Words"]

#: At five meters a figure on 55 inches has 14 minutes of arc in a tile of the smallest size that these leave.
_MOST_COLUMNS: Final = 6
_MOST_ROWS: Final = 8
_Kpi = Annotated[str, Field(min_length=1, max_length=100)]
_Color = Literal["plain", "accent", "good", "warn", "bad"]


class Words(Model):
    """A text in both languages; a missing one is replaced by the other."""

    en: Name | None = None
    """In English."""
    ja: Name | None = None
    """In Japanese."""

    @model_validator(mode="after")
    def _has_text(self) -> Words:
        if self.en is None and self.ja is None:
            raise refuse("permitted: en, ja, or both")
        return self


class _Tile(Model):
    width: int = Field(default=1, ge=1, le=_MOST_COLUMNS)
    """Columns of the page that it takes."""
    height: int = Field(default=1, ge=1, le=_MOST_ROWS)
    """Rows of the page that it takes."""
    title: Words | None = None
    """The heading; by default the figure and its scope."""


class FigureTile(_Tile):
    """One figure, large."""

    kind: Literal["figure"]
    """What it is: `figure`."""
    kpi: _Kpi
    """Id of the KPI; one that is served of now or of trailing windows."""
    scope: Annotated[ScopePattern, Field(max_length=110)] = "total:all"
    """The scope, as in `queue:sales`."""
    channel: Channel | None = None
    """The channel: channels are never mixed. A figure about agents has none; one of a queue needs none if the queue has only one."""
    warn: float | None = None
    """From this on it is yellow, and marked: downwards where more is better, else upwards. Shares are numbers from 0 to 1."""
    bad: float | None = None
    """From this on it is red, and marked. Without both, a service level of a queue is compared with its target."""

    @model_validator(mode="after")
    def _is_served(self) -> FigureTile:
        kpi = KPI_BY_ID.get(self.kpi)
        if kpi is None or not _is_shown(kpi):
            known = [entry.id for entry in KPI_BY_ID.values() if _is_shown(entry)]
            raise refuse(f"{self.kpi!r} is no figure of now or of trailing windows{nearest(self.kpi, known)}; docs/metrics.md lists them")
        if "*" in self.scope:
            raise refuse("a tile shows one scope; permitted: a name in place of *")
        people = kpi.subject == "people"
        if people and self.channel is not None:
            raise refuse(f"{self.kpi} is about agents, who have no channel; permitted: no channel")
        if not people and self.channel is None and not self.scope.startswith("queue:"):
            raise refuse("channels are never mixed in one figure; permitted: a channel")
        if kpi.direction == "none" and (self.warn is not None or self.bad is not None):
            raise refuse(f"of {self.kpi} neither more nor less is better; permitted: neither warn nor bad")
        if self.warn is not None and self.bad is not None and (self.warn < self.bad) != (kpi.direction == "down"):
            raise refuse("bad comes after warn: further down where more is better, else further up")
        return self


class TextTile(_Tile):
    """A text."""

    kind: Literal["text"]
    """What it is: `text`."""
    text: Words
    """The text."""
    color: _Color = "plain"
    """Its color."""


class OfQueues(_Tile):
    """The queues of a tile; all keys here limit them together."""

    queues: Annotated[tuple[Name, ...], Field(max_length=200, strict=False)] = ()
    """Only these; by default all."""
    site: Name | None = None
    """Only those of a site."""
    department: Name | None = None
    """Only those of a department."""
    channels: Annotated[tuple[Channel, ...], Field(max_length=20, strict=False)] = ()
    """Only these channels; by default all."""


class MapTile(OfQueues):
    """Every queue as a cell with its service level and longest wait, the deeper in color the further below its target."""

    kind: Literal["map"]
    """What it is: `map`."""


class AlertsTile(OfQueues):
    """Alerts that fire there, unacknowledged ones first, as many as there is room for."""

    kind: Literal["alerts"]
    """What it is: `alerts`."""
    severities: Annotated[tuple[Literal["warning", "critical"], ...], Field(max_length=2, strict=False)] = ()
    """Only these severities; by default all."""


class QueuesTile(OfQueues):
    """Queues, the furthest below their targets first, as many as there is room for."""

    kind: Literal["queues"]
    """What it is: `queues`."""
    columns: Annotated[tuple[_Kpi, ...], Field(min_length=1, max_length=5, strict=False)] = (
        "service_level_live",
        "waiting",
        "longest_wait",
    )
    """Ids of KPIs, from left to right."""

    @model_validator(mode="after")
    def _are_served(self) -> QueuesTile:
        known = [kpi.id for kpi in KPI_BY_ID.values() if _is_shown(kpi) and kpi.subject == "contacts" and "queue" in kpi.dimensions]
        for column in self.columns:
            if column not in known:
                raise refuse(f"{column!r} is no figure of queues{nearest(column, known)}; docs/metrics.md lists them")
        return self


Tile = Annotated[FigureTile | TextTile | QueuesTile | MapTile | AlertsTile, Field(discriminator="kind")]


class BoardPage(Model):
    """One page: tiles on a grid, placed from left to right and from top to bottom where there is room."""

    title: Words | None = None
    """The heading of the page."""
    columns: int = Field(default=4, ge=1, le=_MOST_COLUMNS)
    """Columns of the grid."""
    rows: int = Field(default=3, ge=1, le=_MOST_ROWS)
    """Rows of the grid."""
    tiles: Annotated[tuple[Tile, ...], Field(max_length=_MOST_COLUMNS * _MOST_ROWS, strict=False)]
    """Its tiles, at least one."""

    @model_validator(mode="after")
    def _fits(self) -> BoardPage:
        # No minimum length of the list: one bad tile would make two errors.
        if not self.tiles:
            raise refuse("permitted: at least one tile")
        for number, tile in enumerate(self.tiles):
            if tile.width > self.columns or tile.height > self.rows:
                raise refuse(f"tile {number + 1} is {tile.width} by {tile.height}; permitted: {self.columns} by {self.rows}, as the page")
        if not _placed([(tile.width, tile.height) for tile in self.tiles], self.columns, self.rows):
            raise refuse(f"the tiles do not fit on {self.columns} columns and {self.rows} rows; permitted: fewer or smaller ones")
        return self


class Board(Model):
    """The content of a wall screen: pages that take turns."""

    title: Words
    """Its title."""
    theme: Literal["dark", "light"] = "dark"
    """Its colors."""
    window_minutes: Literal[5, 15, 30, 60] = 15
    """The trailing window of its figures."""
    rotate_seconds: int = Field(default=20, ge=0, le=3_600)
    """How long each page stays; 0 for no rotation."""
    pages: Annotated[tuple[BoardPage, ...], Field(max_length=20, strict=False)]
    """Its pages, in their order; at least one."""

    @model_validator(mode="after")
    def _has_pages(self) -> Board:
        if not self.pages:
            raise refuse("permitted: at least one page")
        return self


def _is_shown(kpi: Kpi) -> bool:
    """Return whether a page has a figure: of now, or of trailing windows."""
    return kpi.subject in {"contacts", "people"} and kpi.split_by is None and not {"now", "trailing"}.isdisjoint(kpi.windows)


def _placed(tiles: list[tuple[int, int]], columns: int, rows: int) -> bool:
    """Return whether tiles fit in a grid of a page: each goes to the first position with room, also before others (dense)."""
    used: set[tuple[int, int]] = set()
    for width, height in tiles:
        positions = ((x, y) for y in range(rows - height + 1) for x in range(columns - width + 1))
        candidates = ({(x + dx, y + dy) for dx in range(width) for dy in range(height)} for x, y in positions)
        cells = next((candidate for candidate in candidates if used.isdisjoint(candidate)), None)
        if cells is None:
            return False
        used |= cells
    return True


def _figures(channel: str, *tiles: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"kind": "figure", "channel": channel, **tile} for tile in tiles]


_CALLS: Final = {
    "title": {"en": "Calls", "ja": "電話"},
    "pages": [
        {
            "tiles": [
                *_figures("voice", {"kpi": "service_level_live", "width": 2, "height": 2}, {"kpi": "waiting"}, {"kpi": "longest_wait"}),
                *_figures("voice", {"kpi": "in_progress"}, {"kpi": "abandon_rate", "warn": 0.05, "bad": 0.1}),
                *_figures("voice", {"kpi": "offered"}, {"kpi": "answered"}, {"kpi": "asa"}, {"kpi": "aht"}),
            ]
        },
        {"columns": 1, "rows": 1, "tiles": [{"kind": "queues", "channels": ["voice"]}]},
    ],
}
_WRITTEN: Final = {
    "title": {"en": "Chat and mail", "ja": "チャットとメール"},
    "window_minutes": 60,
    "pages": [
        {
            "rows": 2,
            "tiles": [
                *_figures("chat", {"kpi": "service_level_live"}, {"kpi": "waiting"}, {"kpi": "longest_wait"}, {"kpi": "in_progress"}),
                *_figures("mail", {"kpi": "service_level_live"}, {"kpi": "waiting"}, {"kpi": "longest_wait"}, {"kpi": "in_progress"}),
            ],
        },
        {"columns": 1, "rows": 1, "tiles": [{"kind": "queues", "channels": ["chat", "sms", "social", "mail", "web_form", "ticket"]}]},
    ],
}
_FLOOR: Final = {
    "title": {"en": "Floor", "ja": "フロア"},
    "pages": [
        {
            "columns": 3,
            "tiles": [
                {"kind": "queues", "width": 2, "height": 3},
                {"kind": "figure", "kpi": "occupancy"},
                *_figures("voice", {"kpi": "waiting"}, {"kpi": "longest_wait"}),
            ],
        },
        {"columns": 2, "rows": 1, "tiles": [{"kind": "map"}, {"kind": "alerts", "title": {"en": "Alerts", "ja": "アラート"}}]},
    ],
}

#: Boards of every center; a board of the file replaces one of the same name.
USUAL_BOARDS: Final[dict[str, dict[str, Any]]] = {"calls": _CALLS, "written": _WRITTEN, "floor": _FLOOR}
