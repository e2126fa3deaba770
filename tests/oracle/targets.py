"""Targets by ``docs/judging.md`` and the figures of their channels, in decimal numbers."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from streams.catalogue import KPI_BY_ID
from streams.configuration.targets import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from streams.configuration.models import Configuration
    from tests.oracle.figures import Figure
    from tests.oracle.recount import Recount

__all__ = ["attainments", "of_channels", "target_recounted"]

PRECISE = Context(prec=80)
DAY = timedelta(days=1)
#: Number or None by name of the part.
Parts = dict[str, Any]


def of_channels(kpi: str, figures: Sequence[Mapping[str, float | None]]) -> Parts:
    """Return the one figure of all channels."""
    known = [each for each in figures if not (each["value"] is None and each["denominator"] is None)]
    if len(known) == 1:
        return dict(known[0])
    coverage = min((each["coverage"] for each in known if each["coverage"] is not None), default=None)
    if KPI_BY_ID[kpi].denominator_unit is None:
        values = [each["value"] for each in known if each["value"] is not None]
        value = None if not values else max(values) if kpi in {"longest_wait", "backlog_oldest"} else sum(values)
        return {"value": value, "numerator": value, "denominator": None, "coverage": coverage}
    both = [each for each in known if each["numerator"] is not None and each["denominator"] is not None]
    if not both:
        return {"value": None, "numerator": None, "denominator": None, "coverage": coverage}
    over = sum((_decimal(each["numerator"]) for each in both), Decimal(0))
    under = sum((_decimal(each["denominator"]) for each in both), Decimal(0))
    return {"value": _quotient(over, under), "numerator": float(over), "denominator": float(under), "coverage": coverage}


def target_recounted(target: Target, zone: ZoneInfo, figure: Parts, as_of_ms: int) -> Parts:
    """Return the judgment of a target, from its configuration and its figure."""
    if figure["value"] is None:
        return {"standing": "unknown", "attainment": (None, None, None), "met": None, "stretch_met": None, "margin": None, "progress": None}
    percent = Decimal("0.01") if target.unit == "percent" else Decimal(1)
    number = {name: None if (given := getattr(target, name)) is None else _decimal(given) * percent for name in _NUMBERS}
    v, direction = _decimal(figure["value"]), KPI_BY_ID[target.kpi].direction
    if direction == "none":
        return _band(v, number["low"], number["high"])
    goal, stretch = number["target"], number["stretch"]
    assert goal is not None
    upward = direction == "up"
    met = v >= goal if upward else v <= goal
    beyond = None if stretch is None else (v >= stretch if upward else v <= stretch)
    over, under = (v, goal) if upward else (goal, v)
    end = None if target.due is None else _midnight(datetime.fromisoformat(target.due) + DAY, zone)
    way = _way(target, number["start_value"], goal, v, zone, as_of_ms)
    if met:
        standing = "stretch_met" if beyond else "met"
    elif end is None or end <= as_of_ms:
        standing = "missed"
    elif way is None:
        standing = "open"
    else:
        standing = "on_track" if way["on_track"] else "behind"
    return {
        "standing": standing,
        "attainment": (_quotient(over, under) if under > 0 else None, float(over), float(under)),
        "met": met,
        "stretch_met": beyond,
        "margin": float(v - goal if upward else goal - v),
        "progress": way,
    }


_NUMBERS = ("target", "stretch", "low", "high", "start_value")


def _band(v: Decimal, low: Decimal | None, high: Decimal | None) -> Parts:
    if low is not None and v < low:
        over, under, margin = v, low, v - low
    elif high is not None and v > high:
        over, under, margin = high, v, high - v
    else:
        over = under = v
        margin = min(abs(v - bound) for bound in (low, high) if bound is not None)
    standing = "met" if margin >= 0 else "missed"
    attainment = (_quotient(over, under) if under > 0 else None, float(over), float(under))
    return {
        "standing": standing,
        "attainment": attainment,
        "met": margin >= 0,
        "stretch_met": None,
        "margin": float(margin),
        "progress": None,
    }


def _way(target: Target, start: Decimal | None, goal: Decimal, v: Decimal, zone: ZoneInfo, as_of_ms: int) -> Parts | None:
    if start is None or target.start_date is None or target.due is None:
        return None
    begin = _midnight(datetime.fromisoformat(target.start_date), zone)
    end = _midnight(datetime.fromisoformat(target.due) + DAY, zone)
    gone = Decimal(min(max(as_of_ms, begin), end) - begin)
    length = Decimal(end - begin)
    # Multiplied out, so that nothing is rounded: ahead × length.
    ahead = (v - start) * length - gone * (goal - start)
    if goal < start:
        ahead = -ahead
    done, whole = v - start, goal - start
    projected = None
    if as_of_ms > begin and (done > 0) == (whole > 0) and done != 0:
        after = int(PRECISE.divide(PRECISE.multiply(Decimal(as_of_ms - begin), whole), done))
        projected = begin + after if after <= 36_525 * 24 * 3600 * 1000 else None
    return {
        "progress": (_quotient(done, whole), float(done), float(whole)),
        "expected": float(start + PRECISE.divide(gone * whole, length)),
        "on_track": ahead >= 0,
        "ahead": _quotient(ahead, length),
        "projected_ms": projected,
    }


def attainments(result: Recount) -> dict[tuple[str, str, str, str], Figure]:
    """Return the attainment of every target of the running day or a trailing window by KPI, scope, channel (empty: all) and window."""
    configuration = result.configuration
    found: dict[tuple[str, str, str, str], Figure] = {}
    for target in configuration.targets:
        if target.window is not None and target.window.startswith(("day", "trailing_")) and KPI_BY_ID[target.kpi].horizon is None:
            found[target.kpi, target.scope, target.channel or "", target.window] = _attained(result, target)
    written = {scope for kpi, scope, *_ in found if kpi == "service_level"}
    for name, queue in configuration.queues.items():
        scope = f"queue:{name}"
        if queue.target is not None and scope not in written:
            level = of_channels(
                "service_level", [result.window(*each, "day")["service_level"] for each in result.scopes() if each[0] == scope]
            )
            own = Target(kpi="service_level", scope=scope, window="day", unit="ratio", target=queue.target)
            found["service_level", scope, "", "day"] = _with_coverage(own, configuration, level, result.as_of_ms or 0)
    return found


def _attained(result: Recount, target: Target) -> Figure:
    assert target.window is not None
    places = [(scope, channel) for scope, channel in result.scopes() if scope == target.scope]
    places = [place for place in places if target.channel is None or place[1] == target.channel]
    windows = [result.window(scope, channel, target.window) for scope, channel in places]
    figure = of_channels(target.kpi, [window[target.kpi] for window in windows if target.kpi in window])
    return _with_coverage(target, result.configuration, figure, result.as_of_ms or 0)


def _with_coverage(target: Target, configuration: Configuration, figure: Parts, as_of_ms: int) -> Figure:
    value, over, under = target_recounted(target, _zone(target.scope, configuration), figure, as_of_ms)["attainment"]
    return {"value": value, "numerator": over, "denominator": under, "coverage": figure["coverage"]}


def _zone(scope: str, configuration: Configuration) -> ZoneInfo:
    kind, name = scope.split(":", 1)
    if kind == "site":
        return configuration.zone_of_site(name)
    if kind == "queue":
        return configuration.zone_of_site(configuration.queues[name].site)
    return configuration.zone_of_site(configuration.teams[name].site if kind == "team" else None)


def _midnight(day: datetime, zone: ZoneInfo) -> int:
    return round(day.replace(tzinfo=zone).timestamp() * 1000)


def _decimal(value: float | None) -> Decimal:
    return Decimal(str(value))


def _quotient(over: Decimal, under: Decimal) -> float | None:
    return float(PRECISE.divide(over, under)) if under else None
