"""Figures of agents and staff from sums, and the staffed time of a scope, calculated by hand."""

from __future__ import annotations

import pytest
from orjson import loads

from streams.configuration import Configuration
from streams.windows.kpis import StaffTerms, people_kpis
from streams.windows.rollup import RollUp
from tests.windows.test_rollup import START_MS

#: An hour and more of one agent's time, in seconds: worked 4,000 s, of which 300 s may or may not be idle.
TIME = {"handling": 1_800, "wrap_up": 600, "idle": 900, "available": 300, "unavailable": 400}
PLANNED = {"work_adhered": 3_000, "work_missed": 300, "work_unknown": 300, "other_adhered": 300, "other_missed": 100}
SUMS = {
    **{f"{name}_ms": 1_000 * seconds for name, seconds in TIME.items()},
    **{f"planned_{name}_ms": 1_000 * seconds for name, seconds in PLANNED.items()},
    "handled": 12,
    "unattributed_ms": 1_000_000,
    "slotted_ms": 1_800_000,
    "slot_capacity_ms": 5_400_000,
    "slot_in_use_ms": 2_700_000,
    "labor_cost": 4_000_000 * 240_000,
    "staffed_ms": 3_600_000,
}


@pytest.mark.parametrize(
    ("kpi", "value", "numerator", "denominator", "coverage"),
    [
        ("utilization", 0.6, 2_400, 4_000, 0.925),
        ("utilization_with_idle", 0.825, 3_300, 4_000, 0.925),
        ("occupancy_slot_weighted", 0.5, 2_700, 5_400, 0.5),
        ("adherence", 0.825, 3_300, 4_000, 0.925),
        ("shrinkage", 1 / 6, 600, 3_600, 3_300 / 3_600),
        ("staff_scheduled", 4, 3_600, 900, 1),
        ("staff_actual", 4, 3_600, 900, 1),
        ("contacts_per_hour", 10.8, 12, 4_000 / 3_600, 0.75),
        # 4,000 s at 2,400 an hour are 2,666.67, an hour at 1,500 beside: 4,166.67 for 12 contacts.
        ("cost_per_contact", 4_166 / 12 + 2 / 36, 4_166 + 2 / 3, 12, 0.75),
    ],
)
def test_every_part(kpi: str, value: float, numerator: float, denominator: float, coverage: float) -> None:
    """Value, both parts and coverage of each figure of a team over a quarter of an hour."""
    figure = people_kpis(SUMS, StaffTerms(900_000, 150_000))[kpi]

    assert figure == pytest.approx({"value": value, "numerator": numerator, "denominator": denominator, "coverage": coverage})


def test_nothing_known_is_null() -> None:
    """Without time, plans and costs every figure is null, and no coverage is claimed."""
    kpis = people_kpis({"handled": 3}, StaffTerms(900_000, 0))

    assert {figure["value"] for figure in kpis.values()} == {None}
    assert {figure["coverage"] for figure in kpis.values()} == {None}
    assert people_kpis(SUMS, StaffTerms(900_000))["cost_per_contact"]["numerator"] is None


def test_without_agents_at_work() -> None:
    """Where work is planned and missed, presence is a zero, and known."""
    kpis = people_kpis({"planned_work_missed_ms": 900_000}, StaffTerms(900_000, 0))

    assert [kpis[name]["value"] for name in ("staff_scheduled", "staff_actual", "adherence", "shrinkage")] == [1, 0, 0, 1]


def test_of_one_person() -> None:
    """A single person has a number of contacts and no cost; a whole input has no staff."""
    kpis = people_kpis(SUMS, StaffTerms(individual=True))

    assert kpis["handled_per_agent"]["value"] == 12
    assert not {"cost_per_contact", "staff_scheduled", "staff_actual"} & kpis.keys()


def test_fixed_costs_of_the_staffed_panes() -> None:
    """A pane of ten seconds counts entirely and once, whichever partition reports work in it; one without work does not."""
    configuration = Configuration.model_validate(
        {"costs": {"currency": "JPY", "hourly": 0}, "teams": {"red": {"costs": {"fixed_per_hour": 360}}, "blue": {}}}
    )
    rollup = RollUp(configuration, 0, [("contacts", 0)], [("agents", 0), ("agents", 1)])
    slices = [(0, 0, "pane", {"idle_ms": 1}), (1, 0, "pane", {"handling_ms": 10_000}), (0, 10_000, "pane", {"planned_work_unknown_ms": 9})]
    for partition, start, kind, counts in slices:
        rollup.apply(f"{kind}|-|agents|{partition}|{START_MS + start}|team:red", {"counts": counts})
    rollup.apply(f"pane|-|contacts|0|{START_MS}|team:red", {"counts": {"handled": 2}})
    for source in (("contacts", 0), ("agents", 0), ("agents", 1)):
        at = START_MS + 20_000
        progress = {"progress_ms": at, "received_through_ms": at, "sources": {"pbx": at}, "stale_sources": []}
        rollup.apply(f"progress|-|{source[0]}|{source[1]}|-|-", progress)
    record = loads(dict(rollup.collect())["window|trailing_5m|-|team:red"] or b"")
    assert record is not None

    # Ten seconds at 360 an hour cost 1.00, for two contacts.
    assert record["kpis"]["cost_per_contact"] == {"value": 0.5, "numerator": 1.0, "denominator": 2, "coverage": 1.0}
