"""The catalogue holds exactly the KPIs that docs/counting.md defines, complete in both languages, with lawful metric names."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from schemas.base import Channel
from schemas.metrics import NowFigures, ScopeKind
from streams.catalogue import (
    DIMENSIONS,
    KPIS,
    SERVING_METRICS,
    WORDS,
    Direction,
    Kpi,
    Unit,
    WindowKind,
    kind_of_window,
    labels_of,
    metrics_of,
    window_label,
)
from streams.catalogue.fields import FIELD_BY_ID

if TYPE_CHECKING:
    from streams.catalogue.quantities import Field

COUNTING = (Path(__file__).parents[2] / "docs" / "counting.md").read_text(encoding="utf-8")
#: The page is read by people who check a figure: what is written by hand is to stay short.
MOST_WORDS = 5600


def test_the_normative_page_is_short() -> None:
    """At most this number of words, without the formulas, of which each KPI has its own."""
    before, printed = COUNTING.split("<!-- formulas")
    after = printed.split("<!-- end of formulas")[1]

    assert len(f"{before}{after}".split()) < MOST_WORDS


def test_every_formula_is_on_the_normative_page() -> None:
    """The formulas there, printed from the catalogue, name every KPI."""
    printed = COUNTING.split("<!-- formulas")[1].split("<!-- end of formulas")[0]
    named = [name for line in printed.splitlines() if " = " in line for name in re.sub(r" \([^)]*\)", "", line.split(" = ")[0]).split(", ")]

    assert sorted(set(named)) == sorted(kpi.id for kpi in KPIS)


@pytest.mark.parametrize("field", [field for field in FIELD_BY_ID.values() if not field.needed], ids=lambda field: field.key)
def test_the_normative_page_states_where_a_field_is_booked(field: Field) -> None:
    """Each field is there in bold; the histograms of waits are called the bucket of theirs."""
    name = re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), field.wire)
    if field.has_total is False:
        name += "=REASON" if field.label == "reason" else "=LABEL"

    is_described = f"**{name}**" in COUNTING or ("edge" in field.dimensions and "its bucket +1" in COUNTING)
    assert is_described, f"state in docs/counting.md when **{name}** is booked"


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.id)
def test_every_text_is_in_both_languages(kpi: Kpi) -> None:
    """Names and meanings are there, Japanese ones in Japanese script, and a meaning is one sentence."""
    assert kpi.en
    assert kpi.text
    assert re.search(r"[ぁ-んァ-ヶ一-龠]", kpi.ja)
    assert re.search(r"[ぁ-んァ-ヶ一-龠]", kpi.meaning_ja)
    assert kpi.meaning_ja.endswith("。")
    assert kpi.meaning_en.endswith(".")


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.id)
def test_metric_names_follow_the_conventions(kpi: Kpi) -> None:
    """Names are snake_case with the prefix and end in their base unit; none looks like a counter or a percentage."""
    for metric in metrics_of(kpi):
        assert re.fullmatch(r"contact_center_[a-z]+(_[a-z]+)*", metric.name)
        assert not metric.unit or metric.name.endswith(f"_{metric.unit}")
        assert not metric.name.endswith("_total")
        assert "percent" not in metric.name
    assert {"scope_kind", "scope"} < set(labels_of(kpi))
    assert not {"agent", "customer"} & set(labels_of(kpi)), "figures of single people are not exported"
    assert ("channel" in labels_of(kpi)) == (kpi.subject in {"contacts", "targets"})
    assert ("window" in labels_of(kpi)) == (kpi.windows != ("now",))


def test_no_metric_name_is_used_twice() -> None:
    """Each metric belongs to one part of one KPI or to the serving process."""
    names = [metric.name for kpi in KPIS for metric in metrics_of(kpi)] + [metric.name for metric in SERVING_METRICS]

    assert len(names) == len(set(names))


def test_ratios_and_means_ship_both_parts() -> None:
    """A KPI with a denominator exports its numerator and denominator, and its coverage where it can be below 1."""
    for kpi in KPIS:
        parts = [metric.part for metric in metrics_of(kpi)] or list(kpi.parts)
        assert parts == ["value"] + (["numerator", "denominator"] if kpi.has_parts else []) + (["coverage"] if kpi.measured else [])


def test_now_kpis_are_fields_of_the_record() -> None:
    """A KPI that is served now names the field of the now record that carries it."""
    for kpi in KPIS:
        if kpi.windows == ("now",):
            assert kpi.source.split(": ")[1].split()[0] in NowFigures.model_fields


def test_words_have_the_same_blanks_in_both_languages() -> None:
    """A page fills in the same values whatever its language."""

    def blanks(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert WORDS["en"].keys() == WORDS["ja"].keys()
    for name, english in WORDS["en"].items():
        assert (name, blanks(english)) == (name, blanks(WORDS["ja"][name]))


def test_every_channel_scope_unit_and_state_has_a_word() -> None:
    """No page falls back to an identifier for a channel, a kind of scope, a unit, a state or a band of age."""
    wanted = {f"channel.{channel}" for channel in get_args(Channel)} | {f"scope.{kind}" for kind in get_args(ScopeKind)}

    wanted |= {f"{kpi.split_by}.{member}" for kpi in KPIS for member in kpi.members}
    wanted |= {
        f"{kind}.{name}" for kind, names in (("unit", Unit), ("good", Direction), ("windows", WindowKind)) for name in get_args(names)
    }
    wanted |= {f"by.{dimension}" for dimension in DIMENSIONS}

    assert wanted <= WORDS["en"].keys()


@pytest.mark.parametrize(
    ("window", "kind", "label"),
    [
        ("trailing_5m", "trailing", "5m"),
        ("trailing_60m", "trailing", "60m"),
        ("interval_30m", "interval", "interval_30m"),
        ("day", "day", "day"),
        ("customers_day", "customers_day", "customers_day"),
        ("customers_month", "customers_month", "customers_month"),
    ],
    ids=range(6),
)
def test_kinds_and_labels_of_windows(window: str, kind: str, label: str) -> None:
    """A window's name has its kind, and trailing windows get the short label."""
    assert (kind_of_window(window), window_label(window)) == (kind, label)


@pytest.mark.parametrize(
    "window", ["", "15m", "trailing", "trailing_15", "trailing_m", "sliding_15m", "days", "trailing_１５m", "interval_999999m"]
)
def test_other_windows_are_refused(window: str) -> None:
    """A misspelled window is an error that shows how to spell it, not an empty page."""
    with pytest.raises(ValueError, match="trailing_15m"):
        kind_of_window(window)
