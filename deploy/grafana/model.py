"""The parts of a Grafana dashboard as plain dictionaries: variables, panels, queries and the grid they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Panel", "Query", "annotation", "board", "from_label", "threshold_steps"]

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
    #: Column of a table → colors of its cells.
    column_steps: Mapping[str, Sequence[tuple[float | None, str]]] = field(default_factory=dict)
    #: Column of a table → title and address that a click on it leads to.
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    #: Color of what each query gives, None for the panel's own.
    colors: Sequence[str | None] = ()
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
                "colorMode": "background" if panel.steps or panel.colors else "value",
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
        defaults["thresholds"] = _thresholds(panel.steps)
        defaults["color"] = {"mode": "thresholds"}
    overrides = [_override("byName", name, unit=unit) for name, unit in panel.columns.items()]
    for name, steps in panel.column_steps.items():
        overrides.append(
            _override(
                "byName", name, **{"thresholds": _thresholds(steps), "custom.cellOptions": {"type": "color-background", "mode": "basic"}}
            )
        )
    for name, (title, url) in panel.links.items():
        overrides.append(_override("byName", name, links=[{"title": title, "url": url, "targetBlank": False}]))
    for index, color in enumerate(panel.colors):
        if color is not None:
            overrides.append(_override("byFrameRefID", _letter(index), color={"mode": "fixed", "fixedColor": color}))
    return {"defaults": defaults, "overrides": overrides}


def _thresholds(steps: Sequence[tuple[float | None, str]]) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def _override(matcher: str, of: str, **properties: object) -> dict[str, Any]:
    """Return what is otherwise for a column, or for what a query gives."""
    return {"matcher": {"id": matcher, "options": of}, "properties": [{"id": name, "value": value} for name, value in properties.items()]}


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


def from_label(name: str, label: str, metric: str, *, several: bool = True, chosen: str | None = None) -> dict[str, Any]:
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
    if chosen is not None:
        variable["current"] = {"text": chosen, "value": chosen}
    return variable


def annotation(name: str, expr: str, title: str, text: str, color: str) -> dict[str, Any]:
    """Return what marks times on the panels: those in which an expression gives something; it can be switched off on the page."""
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "expr": expr,
        "step": "30s",
        "titleFormat": title,
        "textFormat": text,
        "iconColor": color,
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "multi": False}


def board(
    *,
    uid: str,
    title: str,
    description: str,
    variables: Sequence[dict[str, Any]],
    rows: Sequence[tuple[str, Sequence[Panel]]],
    annotations: Sequence[dict[str, Any]] = (),
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
        "annotations": {"list": list(annotations)},
        "templating": {"list": [_datasource(), *variables]},
        "panels": _grid(rows),
    }
