"""Targets of random files, figures and worlds are judged as the decimal recount judges them."""

from __future__ import annotations

from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import parse_time_ms
from streams.catalogue import KPI_BY_ID, KPIS, Kpi
from streams.configuration.models import Configuration
from streams.configuration.targets import units_of
from streams.serving.store import Store
from streams.serving.targets import judged_targets
from streams.windows.targets import judged, terms_of, together
from tests.oracle.recount import recount
from tests.oracle.targets import attainments, of_channels, target_recounted
from tests.oracle.worlds import random_world
from tests.properties.pipeline import MemoryPipeline

ZONES = ("UTC", "Europe/Berlin", "Asia/Tokyo", "America/St_Johns")
TARGET_KPIS = [kpi for kpi in KPIS if kpi.subject == "contacts" and not kpi.per_channel and kpi.split_by is None]
TARGET_KPIS += [KPI_BY_ID["occupancy"]]
TENTHS = st.integers(0, 1000).map(lambda n: n / 10)
PERCENT = st.integers(0, 1000).map(lambda n: n / 10)


@st.composite
def targets(draw: st.DrawFn) -> dict[str, Any]:
    """Return a target that a file may hold."""
    kpi = draw(st.sampled_from(TARGET_KPIS))
    unit = units_of(kpi)[-1]
    low, middle, high, top = sorted(draw(st.lists(TENTHS, min_size=4, max_size=4, unique=True)))
    target: dict[str, Any] = {"kpi": kpi.id, "scope": "total:all", "unit": unit}
    if kpi.windows == ("trailing",):
        target["window"] = "trailing_15m"
    if kpi.direction == "none":
        return target | draw(st.sampled_from([{"low": low}, {"high": high}, {"low": low, "high": high}]))
    start, goal, stretch = (low, middle, high) if kpi.direction == "up" else (top, high, middle)
    target["target"] = goal
    if draw(st.booleans()):
        target["stretch"] = stretch
    if draw(st.booleans()):
        target["due"] = f"2026-{draw(st.integers(4, 12)):02}-{draw(st.integers(1, 30)):02}"
        if draw(st.booleans()):
            target |= {"start_value": start, "start_date": f"2026-{draw(st.integers(1, 3)):02}-{draw(st.integers(1, 28)):02}"}
    return target


@st.composite
def figures(draw: st.DrawFn, kpi: Kpi) -> dict[str, float | None]:
    """Return a figure as it may be served."""
    if draw(st.integers(0, 9)) == 0:
        return {"value": None, "numerator": None, "denominator": None, "coverage": None}
    number = draw(st.integers(0, 400))
    if not kpi.has_parts:
        return {"value": number, "numerator": number, "denominator": None, "coverage": None}
    under = draw(st.integers(0, 400))
    over = draw(st.integers(-4000, 4000)) / 8 if kpi.unit == "score" else number
    coverage = draw(st.sampled_from([None, 0.25, 1.0]))
    return {"value": over / under if under else None, "numerator": over, "denominator": under, "coverage": coverage}


@given(st.data())
def test_any_target_and_figure(data: st.DataObject) -> None:
    """Figure, attainment with its parts, verdict, margin and the line are those of the recount."""
    written, zone = data.draw(targets()), data.draw(st.sampled_from(ZONES))
    configuration = Configuration.model_validate({"default_zone": zone, "targets": [written]})
    kpi = KPI_BY_ID[written["kpi"]]
    channels: list[Any] = data.draw(st.lists(figures(kpi), max_size=3))
    as_of = parse_time_ms("2026-01-01T00:00:00Z") + data.draw(st.integers(0, 360 * 86_400)) * 1000
    terms = terms_of(configuration)[0]
    figure, should_be = together(terms, channels), of_channels(kpi.id, channels)
    verdict = judged(terms, figure, as_of)
    should = target_recounted(configuration.targets[0], ZoneInfo(zone), should_be, as_of)

    assert figure == should_be
    assert (verdict.standing, verdict.met, verdict.stretch_met, verdict.margin) == tuple(
        should[name] for name in ("standing", "met", "stretch_met", "margin")
    )
    assert (verdict.attainment["value"], verdict.attainment["numerator"], verdict.attainment["denominator"]) == should["attainment"]
    assert (verdict.progress is None) is (should["progress"] is None)
    if verdict.progress is not None:
        way = verdict.progress
        assert (way.figure["value"], way.figure["numerator"], way.figure["denominator"]) == should["progress"]["progress"]
        assert way.expected == pytest.approx(should["progress"]["expected"])
        assert way.ahead == pytest.approx(should["progress"]["ahead"])
        assert (way.on_track, way.projected_ms) == (should["progress"]["on_track"], should["progress"]["projected_ms"])


@pytest.mark.parametrize("seed", [3])
def test_worlds(seed: int) -> None:
    """From published records of a world, the attainment of each target is that of the recounted figures."""
    world = random_world(seed)
    wanted = [
        {"kpi": kpi, "scope": scope, "unit": units_of(KPI_BY_ID[kpi])[0], "target": 0.5, "window": window, "channel": channel}
        for kpi, channel in (("service_level", None), ("asa", "voice"), ("abandoned", None), ("csat", None), ("first_response_time", None))
        for scope in ("total:all", *(f"queue:{name}" for name in world.configuration.queues))
        for window in ("day", "trailing_60m")
    ]
    wanted.append({"kpi": "occupancy", "scope": "total:all", "unit": "percent", "low": 40, "high": 60, "window": "trailing_60m"})
    targets_of = Configuration.model_validate({**world.configuration.model_dump(exclude_unset=True), "targets": wanted})
    pipeline = MemoryPipeline(world.configuration, Random(seed))
    pipeline.run(world.events)
    store = Store()
    for key, record in pipeline.latest.items():
        assert store.feed(key.encode(), orjson.dumps(record))
    oracle = recount(world.events, world.configuration)
    oracle.configuration = targets_of
    served = {
        (terms.kpi, f"{terms.scope_kind}:{terms.scope}", terms.channel or "", terms.window): judgment.attainment
        for terms, judgment, *_ in judged_targets(store, terms_of(targets_of))
    }

    should = attainments(oracle)
    assert served.keys() == should.keys()
    for target, attained in should.items():
        # Without counts no record is published: unknown, which is not 0.
        assert served[target] == attained or (not attained["value"] and served[target]["value"] is None), target
    assert sum(each["value"] is not None for each in should.values()) > 8
