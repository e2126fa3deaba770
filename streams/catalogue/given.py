"""Quantities that formulas read beside single fields: sums of several fields, and amounts that come with a window."""

from __future__ import annotations

from streams.catalogue import fields as f
from streams.catalogue.quantities import given

__all__ = [
    "ADHERED",
    "ATTRIBUTED",
    "AT_WORK",
    "AVAILABILITY_KNOWN",
    "BUSY",
    "COST",
    "COSTS",
    "COUNTED",
    "DECIDED",
    "DECIDED_BUT_LOST",
    "FORECAST_CELLS",
    "FORECAST_HIT_MILLI",
    "FORECAST_OVER",
    "MET",
    "PLANNED",
    "PLANNED_KNOWN",
    "PLANNED_WORK",
    "PLANNED_WORK_KNOWN",
    "PLANNED_WORK_MISSED",
    "READY",
    "STAFF_LENGTH",
    "WAITING_PAST_THRESHOLD",
    "WINDOW",
    "WORKED",
    "WORK_LENGTH",
]

# --- contacts
#: Contacts that left the queue in any way.
DECIDED = (f.ANSWERED + f.ABANDONED + f.FLOW_OUT).called(short="decided")
DECIDED_BUT_LOST = (DECIDED - f.FLOW_OUT.at("those lost", reason="lost")).called("(answered + abandoned + flow-outs, without those lost)")
#: By the definition of the scope, or of each contact's queue (`streams.catalogue.levels`).
MET = given("met", "answered within the threshold", f.ANSWERED, f.ANSWERED_WAITS, f.ABANDONED_WAITS, f.LEFT_WAITS, f.SHORT_ABANDONED_WAITS)
COUNTED = given(
    "counted",
    "(answered + abandons counted + flow-outs of negative reasons)",
    f.ANSWERED,
    f.ABANDONED,
    f.ABANDONED_WAITS,
    f.SHORT_ABANDONED_WAITS,
    f.FLOW_OUT,
)
WAITING_PAST_THRESHOLD = given("waiting_past_threshold", "contacts waiting now for longer than the threshold")

# --- agents
BUSY = (f.HANDLING_MS + f.WRAP_UP_MS).called(short="busy")
READY = (BUSY + f.IDLE_MS).called(short="ready")
AT_WORK = (READY + f.AVAILABLE_MS).called(short="at_work")
WORKED = (AT_WORK + f.UNAVAILABLE_MS).called("time in every state but offline", short="worked")
AVAILABILITY_KNOWN = WORKED - f.AVAILABLE_MS
ATTRIBUTED = WORKED - f.UNATTRIBUTED_MS
_WORK = {how: f.PLANNED_MS.at(f"planned work {how}", plan="work", how=how) for how in ("adhered", "missed", "unknown")}
_OTHER = {how: f.PLANNED_MS.at(f"planned otherwise {how}", plan="other", how=how) for how in ("adhered", "missed", "unknown")}
PLANNED_WORK = (_WORK["adhered"] + _WORK["missed"] + _WORK["unknown"]).called("planned work", short="planned_work")
PLANNED_WORK_KNOWN = (_WORK["adhered"] + _WORK["missed"]).called(short="planned_work_known")
PLANNED_WORK_MISSED = (_WORK["missed"] + _WORK["unknown"]).called(
    "planned work not available (unavailable, offline, unknown)", short="planned_work_missed"
)
PLANNED_KNOWN = (PLANNED_WORK_KNOWN + _OTHER["adhered"] + _OTHER["missed"]).called(short="planned_known")
PLANNED = (PLANNED_KNOWN + _WORK["unknown"] + _OTHER["unknown"]).called("planned time", short="planned")
ADHERED = (_WORK["adhered"] + _OTHER["adhered"]).called("time in the planned kind of activity", short="adhered")
WINDOW = given("window_ms", "length of the window", unit="seconds", per=1000)
COSTS = given("costs", "costs in the configuration")
COST = f.LABOR_COST + given("fixed_cost", "fixed cost of the staffed time", f.STAFFED_MS, unit="currency", per=f.LABOR_COST.per)

# --- forecasts, of the cells of a window in which there is one
FORECAST_CELLS = given("forecast_cells", "cells with a forecast", f.FORECASTS)
FORECAST_OVER = given("forecast_over", "a final window with a forecast", f.FORECASTS)
FORECAST_HIT_MILLI = given(
    "forecast_hit_milli", "(contacts forecast − distance to contacts offered)", f.FORECAST_MILLI, f.OFFERED, f.FORECASTS, per=1000
)
WORK_LENGTH = given("work_length_ms", "time forecast", f.FORECASTS_OF_WORK, unit="seconds", per=1000)
STAFF_LENGTH = given("staff_length_ms", "time forecast", f.FORECASTS_OF_STAFF, unit="seconds", per=1000)
