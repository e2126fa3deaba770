"""The parts of a Grafana dashboard as plain dictionaries: variables, panels, queries and the grid they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Panel", "Query", "board", "choice", "from_label", "threshold_steps"]

#: Every panel and variable asks the data source that is chosen on the page.
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

#: The schema of Grafana 11; later versions migrate it when they read it.
_SCHEMA_VERSION = 39
_COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression, and what its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel; width and height in units of the grid, which is 24 wide."""

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    decimals: int | None = None
    #: The smallest value the axis of a time series shows, None: that of the series.
    minimum: float | None = 0
    #: The largest value the axis shows.
    maximum: float | None = None
    steps: Sequence[tuple[float | None, str]] = ()
    #: Column of a table → unit, in the order of the queries.
    columns: Mapping[str, str] = field(default_factory=dict)
    no_value: str = "–"


def threshold_steps(*steps: tuple[float | None, str]) -> tuple[tuple[float | None, str], ...]:
    """Return colors from the value on which they begin, the first from the lowest."""
    return steps


def _letter(index: int) -> str:
    return chr(ord("A") + index)


def _targets(panel: Panel) -> list[dict[str, Any]]:
    instant = panel.kind != "timeseries"
    targets = []
    for index, query in enumerate(panel.queries):
        target: dict[str, Any] = {"refId": _letter(index), "datasource": DATASOURCE, "expr": query.expr, "legendFormat": query.legend}
        target |= {"instant": instant, "range": not instant, "editorMode": "code"}
        if panel.kind == "table":
            target["format"] = "table"
        targets.append(target)
    return targets


def _options(panel: Panel) -> dict[str, Any]:
    match panel.kind:
        case "stat":
            return {
                "colorMode": "background" if panel.steps else "value",
                "graphMode": "none",
                "justifyMode": "center",
                "textMode": "auto",
                "orientation": "auto",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            }
        case "bargauge":
            return {
                "displayMode": "basic",
                "orientation": "horizontal",
                "valueMode": "color",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            }
        case "table":
            return {"showHeader": True, "cellHeight": "md"}
        case _:
            return {
                "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }


def _field_config(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "noValue": panel.no_value}
    if panel.kind == "timeseries":
        # A gap is a time about which nothing can be said: it is never bridged.
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 2, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
        if panel.minimum is not None:
            defaults["min"] = panel.minimum
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    if panel.steps:
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in panel.steps]}
        defaults["color"] = {"mode": "thresholds"}
    overrides = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
        for name, unit in panel.columns.items()
    ]
    return {"defaults": defaults, "overrides": overrides}


def _transformations(panel: Panel) -> list[dict[str, Any]]:
    """Join the queries of a table into one row a queue, its columns named as the figures are."""
    if panel.kind != "table":
        return []
    names = {f"Value #{_letter(index)}": name for index, name in enumerate(panel.columns)}
    left_out = dict.fromkeys(("Time", "job", "scope_kind", "window"), True)
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": left_out, "renameByName": {"scope": "Queue", "channel": "Channel", **names}}},
    ]


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": _targets(panel),
        "options": _options(panel),
        "fieldConfig": _field_config(panel),
        "transformations": _transformations(panel),
    }


def _grid(rows: Sequence[tuple[str, Sequence[Panel]]]) -> list[dict[str, Any]]:
    """Place the panels of each row from left to right, wrapping at the edge."""
    placed: list[dict[str, Any]] = []
    y = 0
    for title, panels in rows:
        placed.append({"id": len(placed) + 1, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _whole_width(y)})
        y += 1
        x = tallest = 0
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            placed.append(_panel(panel, len(placed) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return placed


def _whole_width(y: int) -> dict[str, int]:
    return {"x": 0, "y": y, "w": _COLUMNS, "h": 1}


def from_label(name: str, label: str, metric: str, *, several: bool = True) -> dict[str, Any]:
    """Return a variable whose values are those of the label ``name`` of a metric; read anew when the time range changes."""
    query = f"label_values({metric}, {name})"
    variable: dict[str, Any] = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "StandardVariableQuery"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
    }
    if several:
        variable |= {"allValue": ".+", "current": {"text": ["All"], "value": ["$__all"]}}
    return variable


def choice(name: str, label: str, values: Sequence[str], chosen: str) -> dict[str, Any]:
    """Return a variable with fixed values."""
    options = [{"text": value, "value": value, "selected": value == chosen} for value in values]
    current = {"text": chosen, "value": chosen}
    return {"name": name, "label": label, "type": "custom", "query": ",".join(values), "options": options, "current": current}


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "multi": False}


def board(
    *,
    uid: str,
    title: str,
    description: str,
    variables: Sequence[dict[str, Any]],
    rows: Sequence[tuple[str, Sequence[Panel]]],
    refresh: str = "5s",
    since: str = "now-1h",
) -> dict[str, Any]:
    """Return a dashboard that nobody edits on the page."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["contact-streams"],
        "editable": False,
        "schemaVersion": _SCHEMA_VERSION,
        "timezone": "browser",
        "refresh": refresh,
        "time": {"from": since, "to": "now"},
        "graphTooltip": 1,
        "links": [
            {
                "type": "dashboards",
                "title": "Contact Streams",
                "tags": ["contact-streams"],
                "asDropdown": False,
                "keepTime": True,
                "includeVars": False,
            }
        ],
        "templating": {"list": [_datasource(), *variables]},
        "panels": _grid(rows),
    }
