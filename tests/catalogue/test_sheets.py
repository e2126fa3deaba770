"""Sheets: whatever is known of a window, the figures are those of each formula by itself, and what is encoded says the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode
from orjson import loads

from streams.catalogue import KPI_BY_ID
from streams.catalogue.formulas import How
from streams.catalogue.sheets import SheetKind, sheet_of

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
        expected[kpi] = formula.reader()({**values, **sums}.get)
    assert sheet.figures(dict(values)) == expected
    assert loads(encode(sheet.written(dict(values)))) == expected
