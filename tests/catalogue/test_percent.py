"""Percentages are rounded, and never across what decides how they are judged; figures by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.catalogue.percent import percent

#: Share, limit, as it is shown. The page has the same list to show (tests/serving/test_rounding.py).
CASES = [
    (0.0555, None, "5.6"),  # 5.55 abandoned of 100 was shown as 5.5
    (0.0554, None, "5.5"),
    (1.0555, None, "105.6"),
    (0.5, None, "50.0"),
    (2 / 3, None, "66.7"),
    (0.7996, 0.8, "79.9"),  # has not reached 80
    (0.7994, 0.8, "79.9"),
    (0.79949, 0.9, "79.9"),
    (0.79951, 0.9, "80.0"),
    (0.8, 0.8, "80.0"),
    (0.8004, 0.8, "80.1"),  # is above 80
    (0.0504, 0.05, "5.1"),  # above 5, and so it fires
    (0.05, 0.05, "5.0"),
    (0.9996, None, "99.9"),  # not all
    (1.0, None, "100.0"),
    (1.0004, None, "100.1"),
    (0.0004, None, "0.1"),  # not none
    (0.0, None, "0.0"),
    (-0.0004, None, "-0.1"),
    (-0.1236, None, "-12.4"),
    (0.85549, 0.8555, "85.5"),
]


@pytest.mark.parametrize(("share", "limit", "shown"), CASES)
def test_by_hand(share: float, limit: float | None, shown: str) -> None:
    """As written down."""
    assert percent(share, limit) == shown


def test_whole_percentages() -> None:
    """Of coverage: 99.4 % is 99, 99.6 % is not all."""
    assert [percent(each, digits=0) for each in (0.994, 0.996, 0.5, 0.005, 0.004, 1.0)] == ["99", "99", "50", "1", "1", "100"]


@given(st.integers(0, 5000), st.integers(1, 5000), st.integers(1, 999))
def test_shown_it_is_judged_alike(part: int, whole: int, per_mille: int) -> None:
    """A shown value compares with a limit of one decimal as the exact value does, and is never further off than a step."""
    share, limit = part / whole, per_mille / 1000
    shown = round(float(percent(share, limit)) * 10)

    assert (shown < per_mille, shown > per_mille) == (1000 * part < per_mille * whole, 1000 * part > per_mille * whole)
    assert abs(shown - 1000 * share) <= 1.0 + 1e-6
