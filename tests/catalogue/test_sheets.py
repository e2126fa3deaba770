"""Sheets: for any input of a window the figures are those of each formula by itself, as objects and as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode
from orjson import loads

from streams.catalogue import KPI_BY_ID
from streams.catalogue.formulas import NOT_REPORTED, How
from streams.catalogue.sheets import SheetKind, sheet_of
from tests.catalogue.reading import figure

KINDS: list[tuple[SheetKind, How]] = [
    ("contacts", How()),
    ("contacts", How(by_offer=False, channel="mail", live=True)),
    ("definitions", How(by_offer=False, live=True)),
    ("people", How()),
    ("people", How(individual=True)),
    ("forecasts", How()),
]


@pytest.mark.parametrize(("kind", "how"), KINDS)
@given(st.data())
def test_each_formula_by_itself(kind: SheetKind, how: How, data: st.DataObject) -> None:
    """Formulas of which nothing is known are not run, and their figures are as if they were."""
    sheet = sheet_of(kind, how)
    formulas = {kpi: KPI_BY_ID[kpi].formula.of(how) for kpi in sheet.figures({})}
    read = sorted({name for each in formulas.values() for one in each.quantities() for name in dict(one.terms) or [one.key]})
    values = data.draw(st.dictionaries(st.sampled_from([*read, "nothing reads it"]), st.integers(0, 5)))

    expected = {}
    for kpi, formula in formulas.items():
        terms = {one.key: one.terms for one in formula.quantities() if not one.is_plain}
        sums = {key: sum(factor * values.get(name, 0) for name, factor in parts) for key, parts in terms.items()}
        expected[kpi] = figure(formula, {**values, **sums})
    assert sheet.figures(values) == expected
    beside = sheet_of("forecasts", How()).figures({}) if kind == "contacts" and how.by_offer else {}
    assert loads(sheet.written(values)) == {**beside, **expected}


@pytest.mark.parametrize(("kind", "how"), KINDS)
@given(st.data())
def test_in_the_order_of_names(kind: SheetKind, how: How, data: st.DataObject) -> None:
    """What is written is in the order of names, as if it were sorted; with forecasts put in among the figures of intervals and days."""
    sheet = sheet_of(kind, how)
    read = [one for kpi in sheet.kpis for one in KPI_BY_ID[kpi].formula.of(how).quantities()]
    names = sorted({name for one in read for name in (one.key, *dict(one.terms))})
    sums = data.draw(st.dictionaries(st.sampled_from(names), st.integers(0, 5)))
    forecast = {"forecast_cells": 1, "forecast_milli": 2_000}
    forecasts = sheet_of("forecasts", How())
    put_in = kind == "contacts" and how.by_offer and data.draw(st.booleans())
    written = sheet.written(sums, {}, None, forecasts.written_by_kpi({}, forecast)) if put_in else sheet.written(sums)

    assert written == encode(loads(written), order="sorted")
    if put_in:
        assert loads(written) == {**sheet.figures(sums), **forecasts.figures({}, forecast)}


def test_what_no_source_reports_is_left_out() -> None:
    """Its figure is null with nothing measured, as an object and as JSON, whatever was counted; those of others are as ever."""
    sums = {"offered": 4, "answered": 3, "abandoned": 1}
    sheet = sheet_of("contacts", How(), None, frozenset({"answered"}))
    whole = sheet_of("contacts", How()).figures(sums)

    assert sheet.figures(sums)["answered"] == NOT_REPORTED == loads(sheet.written(sums))["answered"]
    assert {kpi: figure for kpi, figure in sheet.figures(sums).items() if kpi != "answered"} == {
        kpi: figure for kpi, figure in whole.items() if kpi != "answered"
    }


def test_more_figures_than_are_remembered() -> None:
    """What is remembered of figures is bounded, and they are right once it was full."""
    sheet = sheet_of("contacts", How())
    for number in range(1, 10_001):
        assert loads(sheet.written({"offered": number}))["offered"]["value"] == number
    assert len(sheet._formulas[[each.kpi for each in sheet._formulas].index("offered")].written) <= 4096
