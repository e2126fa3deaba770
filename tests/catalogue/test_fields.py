"""Every counted field is declared once, under the name that it has on the wire, and some formula reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from schemas.contact import ContactLeftQueue
from streams.catalogue import KPIS
from streams.catalogue.fields import FIELD_BY_ID, WAYS_OUT, parse
from streams.catalogue.formulas import NOTHING, Count, How, Mean, Ratio, Ways
from tests.catalogue.reading import figure

if TYPE_CHECKING:
    from streams.catalogue.quantities import Field

#: Names as the last release wrote them, written by hand → field, values of its dimensions, label and definition.
NAMES: dict[str, tuple[str, dict[str, str], str | None, str | None]] = {
    "offered": ("offered", {}, None, None),
    "answered_wait_le_20000": ("answered_wait", {"edge": "20000"}, None, None),
    "abandoned_wait_le_inf": ("abandoned_wait", {"edge": "inf"}, None, None),
    "short_5000_abandoned_wait_le_4999": ("short_abandoned_wait", {"limit": "5000", "edge": "4999"}, None, None),
    "left_callback_wait_le_20000": ("left_wait", {"reason": "callback", "edge": "20000"}, None, None),
    "left_wait_ms": ("left_wait_ms", {}, None, None),
    "flow_out_lost": ("flow_out", {"reason": "lost"}, None, None),
    "csat_top": ("csat_top", {}, None, None),
    "csat_top_5": ("csat_tops", {"top": "5"}, None, None),
    "planned_other_adhered_ms": ("planned_ms", {"plan": "other", "how": "adhered"}, None, None),
    "category=a=b: c": ("category", {}, "a=b: c", None),
    "sessions_solved=tariff": ("sessions_solved", {}, "tariff", None),
    "gold:answered_wait_le_20000": ("answered_wait", {"edge": "20000"}, None, "gold"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_parsed_and_built(name: str) -> None:
    """A name on the wire is parsed to field and dimensions, and these build the same name again."""
    key, values, label, definition = NAMES[name]
    found = parse(name)

    assert found == (FIELD_BY_ID[key], values, label, definition)
    assert found.field.name(**values, label=label, definition=definition) == name


@pytest.mark.parametrize("name", ["", "flow_out", "answered_wait", "answered_wait_le_", "answered_wait_le_x", "nothing", "planned_work_ms"])
def test_other_names_are_no_field(name: str) -> None:
    """A name that nothing books is that of no field."""
    assert parse(name) is None


def test_ways_out_are_those_of_the_event() -> None:
    """A contact that left a queue and was not abandoned counts as decided: all reasons of the event, other ends, and the lost."""
    reasons = set(get_args(ContactLeftQueue.model_fields["reason"].annotation))

    assert set(WAYS_OUT) == reasons - {"abandoned"} | {"other", "lost"}


@pytest.mark.parametrize("field", FIELD_BY_ID.values(), ids=lambda field: field.key)
def test_every_field_is_read(field: Field) -> None:
    """Some formula reads it, or it states why it is stored."""
    readers = [kpi.id for kpi in KPIS if field.key in kpi.formula.fields]

    assert bool(readers) is (field.raw is None), readers


def test_integers_are_divided_once() -> None:
    """The figure is the float nearest to the true quotient: 1/3 s is 333.33 ms of one, and not a rounded sum of ms."""
    sums = {"talk_ms": 1_000_000_000_000_001, "talk_count": 3, "handled": 4}
    mean = Mean(FIELD_BY_ID["talk_ms"], FIELD_BY_ID["talk_count"], FIELD_BY_ID["handled"])

    assert figure(mean, sums) == {
        "value": 1_000_000_000_000_001 / 3000,
        "numerator": 1_000_000_000_000.001,
        "denominator": 3,
        "coverage": 0.75,
    }


def test_coverage_is_one_at_most() -> None:
    """A wrap-up may end in a window in which its call has not."""
    ratio = Ratio(FIELD_BY_ID["talk_ms"], FIELD_BY_ID["talk_count"], FIELD_BY_ID["handled"])

    assert figure(ratio, {"talk_ms": 5000, "talk_count": 5, "handled": 4})["coverage"] == 1


def test_formulas_are_resolved_by_window_definition_and_channel() -> None:
    """One KPI, three formulas: of the window's kind, of the definition's key, and none where it means nothing."""
    sums = {"offered": 4, "answered": 1, "abandoned": 1, "answered_wait_ms": 9000, "abandoned_wait_ms": 1000}
    sums["(answered + abandoned + flow_out)"] = 2
    formulas = {kpi.id: kpi.formula for kpi in KPIS}

    def of(kpi: str, **how: object) -> object:
        return figure(formulas[kpi].of(How(**how)), sums)  # type: ignore[arg-type]

    assert of("answer_rate", by_offer=True) == {"value": 0.25, "numerator": 1, "denominator": 4, "coverage": 0.5}
    assert of("answer_rate", by_offer=False) == {"value": 0.5, "numerator": 1, "denominator": 2, "coverage": 1.0}
    assert of("abandon_rate", channel="mail") == NOTHING
    assert of("asa") == {"value": 9, "numerator": 9, "denominator": 1, "coverage": 1}
    assert str(formulas["asa"].of(How(ways=Ways(asa_denominator="decided")))).endswith("flow-outs, without those lost)")


def test_formulas_take_fields() -> None:
    """A name in place of a field is refused where it is written, with what to write."""
    name: Any = "hold_ms"
    for formula in (Count, lambda each: Mean(each, FIELD_BY_ID["hold_count"]), lambda each: Ratio(FIELD_BY_ID["handled"], each)):
        with pytest.raises(TypeError, match=r"^formulas take fields, such as f\.HOLD_MS, not 'hold_ms'$"):
            formula(name)


def test_what_is_added_up_is_in_one_unit() -> None:
    """Milliseconds and contacts make no sum."""
    with pytest.raises(ValueError, match=r"^hold_ms is in 1/1000 seconds, hold_count in contacts: add up what is in one unit$"):
        _ = FIELD_BY_ID["hold_ms"] + FIELD_BY_ID["hold_count"]
    assert (FIELD_BY_ID["talk_ms"] + FIELD_BY_ID["hold_ms"]).per == 1000
