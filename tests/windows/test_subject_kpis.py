"""Figures of section 12 of docs/counting.md from sums written by hand: as wholes, by label, and when they are final."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from schemas.times import parse_time_ms
from streams.catalogue import KPI_BY_ID
from streams.catalogue import fields as f
from streams.catalogue.choices import ByWindow
from streams.catalogue.formulas import Count, Ratio
from streams.configuration.models import ServiceLevelDefinition
from streams.windows.kpis import contact_kpis
from streams.windows.labels import figures_by_label, horizon_ms_of, horizons_of
from tests.windows.test_rollup import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.catalogue.formulas import Formula

#: Of 8 sessions 6 are decided, 4 of them contained and 3 solved; the category of one is not known.
SESSIONS = {
    "sessions": 8,
    "sessions_decided": 6,
    "sessions_decided=returns": 4,
    "sessions_decided=tariff": 1,
    "sessions_contained": 4,
    "sessions_contained=returns": 3,
    "sessions_solved": 3,
    "sessions_solved=returns": 1,
    "sessions_solved=tariff": 1,
}


def of_contacts(sums: dict[str, int], *, by_offer: bool) -> Mapping[str, Any]:
    """Return the figures of contacts in a chat."""
    figures: dict[str, Any] = contact_kpis(sums, ServiceLevelDefinition(), "chat", by_offer=by_offer)
    return figures


def parts(figure: Any) -> tuple[Any, ...]:
    """Return value, numerator, denominator and coverage."""
    return figure["value"], figure["numerator"], figure["denominator"], figure["coverage"]


class TestWholes:
    """Figures over all labels."""

    def test_counts_are_the_sums_of_their_labels(self) -> None:
        """3 busy and 2 full are 5 not offered; one that has been moved is in its new category alone."""
        sums = {"not_offered=busy": 3, "not_offered=full": 2, "excluded=spam": 1, "category=returns": 4, "category=a=b: c": 2}
        kpis = of_contacts(sums, by_offer=False)

        assert [kpis[kpi]["value"] for kpi in ("not_offered", "excluded", "contacts_by_category", "complaints")] == [5, 1, 6, 0]

    def test_sessions(self) -> None:
        """4 of 6 contained, 3 of 6 solved; of 8 offered sessions, 6 are decided."""
        by_offer, trailing = of_contacts(SESSIONS, by_offer=True), of_contacts(SESSIONS, by_offer=False)

        assert parts(by_offer["containment_rate"]) == (4 / 6, 4, 6, 6 / 8)
        assert parts(by_offer["self_service_rate"]) == (3 / 6, 3, 6, 6 / 8)
        assert parts(trailing["containment_rate"]) == (4 / 6, 4, 6, 1)
        assert parts(of_contacts({}, by_offer=True)["containment_rate"]) == (None, 0, 0, None)

    def test_complaints(self) -> None:
        """Of 5 complaints the start of 4 is known, 3 of which were resolved within their day; no such share in trailing windows."""
        sums = {"complaints": 5, "complaints_dated": 4, "complaints_within_day": 3}

        assert parts(of_contacts(sums, by_offer=True)["complaints_within_day_rate"]) == (3 / 4, 3, 4, 4 / 5)
        assert "complaints_within_day_rate" not in of_contacts(sums, by_offer=False)


class TestByLabel:
    """Figures of single reasons and categories."""

    def test_rates_have_their_parts(self) -> None:
        """Returns: 3 of 4 contained, 1 of 4 solved; tariff: none of 1, and 1 of 1."""
        found = figures_by_label(SESSIONS)

        assert {label: parts(each) for label, each in found["containment_rate"].items()} == {
            "returns": (3 / 4, 3, 4, None),
            "tariff": (0, 0, 1, None),
        }
        assert {label: parts(each)[1:3] for label, each in found["self_service_rate"].items()} == {"returns": (1, 4), "tariff": (1, 1)}
        assert figures_by_label({"offered": 3}) == {}

    def test_complaints_and_thanks(self) -> None:
        """Four complaints, three of them of a category; of five thanks three are: of how many texts of each is not counted, so no share."""
        thanks = {"texts": 9, "texts_looked": 8, "thanked": 5, "thanked=a": 2, "thanked=c": 1}
        sums = {"complaints": 4, "complaints=a": 2, "complaints=b": 1, **thanks}
        found = figures_by_label(sums)

        assert {label: each["value"] for label, each in found["complaints"].items()} == {"a": 2, "b": 1}
        assert {label: parts(each) for label, each in found["gratitude_rate"].items()} == {
            "a": (None, 2, None, None),
            "c": (None, 1, None, None),
        }
        # What is reported by label also counts in the total, as before.
        whole = of_contacts(sums, by_offer=True)
        assert (whole["complaints"]["value"], parts(whole["gratitude_rate"])) == (4, (5 / 8, 5, 8, 8 / 9))
        assert (KPI_BY_ID["complaints"].label, KPI_BY_ID["contacts_by_category"].label) == (None, "category")

    def test_at_most_a_hundred(self) -> None:
        """Of 103 categories the 100 largest are named, of equals the first by name; three and what is called so are the others."""
        sums = {f"category=c{number:03}": 1 for number in range(103)} | {"category=z": 9, "category=(other)": 5}
        found = figures_by_label(sums)["contacts_by_category"]

        assert len(found) == 101
        # z and c000 to c098 are named; c099 to c102 are four, and five more were called so by their source.
        assert (found["z"]["value"], "c098" in found, "c099" in found, found["(other)"]["value"]) == (9, True, False, 9)
        assert sum(figure["value"] or 0 for figure in found.values()) == 103 + 9 + 5

    def test_rates_are_named_by_their_denominators(self) -> None:
        """A category with many sessions is named, one with more that went well but fewer in all is not."""
        sums = {f"sessions_decided=c{number:03}": 10 for number in range(100)} | {"sessions_decided=few": 2, "sessions_solved=few": 2}
        found = figures_by_label(sums)["self_service_rate"]

        assert "few" not in found
        assert parts(found["(other)"]) == (1, 2, 2, None)


class TestRecords:
    """What roll-up publishes."""

    def interval(self, stream: Stream) -> dict[str, Any]:
        """Return the record of the first interval."""
        (found,) = (record for key, record in stream.latest.items() if key.startswith("window|interval_15m|voice|queue:A|"))
        return dict(found)

    def test_labels_are_separate_from_counts(self) -> None:
        """A record has labels under by_label, and none among its counts."""
        stream = Stream()
        stream.slice("cohort", 0, {"not_offered=full": 2, "complaints": 1})
        stream.as_of(30)
        record = self.interval(stream)

        assert record["counts"] == {"complaints": 1}
        assert record["by_label"] == {"not_offered": {"full": {"value": 2, "numerator": 2, "denominator": None, "coverage": None}}}

    # The interval ends at 900 s; grace 120 s and rejoin 60 s later it is 1,080 s.
    @pytest.mark.parametrize(
        ("sums", "seconds", "final"),
        [
            ({"sessions": 2, "sessions_decided": 1}, 80_000, False),
            ({"sessions": 2, "sessions_decided": 2}, 1_140, True),
            ({"complaints": 1}, 86_400 + 1_079, False),
            ({"complaints": 1}, 86_400 + 1_140, True),
            ({"category=returns": 1}, 1_140, True),
        ],
        ids=["a session open", "all decided", "a complaint's day is not over", "and is over", "a category"],
    )
    def test_final(self, sums: dict[str, int], seconds: int, final: bool) -> None:
        """An interval is final once its sessions are decided and the day of its complaints is over."""
        stream = Stream()
        stream.slice("cohort", 0, sums)
        stream.as_of(30)
        for step in range(3_600, seconds, 3_600):
            stream.as_of(step)
        stream.as_of(seconds)

        assert self.interval(stream)["final"] is final

    @pytest.mark.parametrize(
        ("formula", "sums", "hours"),
        [
            (Ratio(f.COMPLAINTS_WITHIN_DAY, f.COMPLAINTS_DATED, f.COMPLAINTS), {"complaints": 1}, 6),
            (Ratio(f.COMPLAINTS_WITHIN_DAY, f.COMPLAINTS_DATED, f.COMPLAINTS), {"offered": 1, "complaints": 0}, 0),
            (Ratio(f.ANSWERED, f.OFFERED), {"offered": 1}, 6),
            (ByWindow(Count(f.OFFERED), Ratio(f.ANSWERED, f.OFFERED)), {"offered": 1}, 6),
            (ByWindow(Count(f.OFFERED), Ratio(f.ANSWERED, f.OFFERED)), {"complaints": 1}, 0),
            (Count(f.CATEGORY), {"offered": 1}, 6),
        ],
        ids=["the base is there", "nothing of it", "of another figure", "of any window", "nor of any", "a count has no base"],
    )
    def test_a_window_waits_for_the_horizon_of_its_figures(self, formula: Formula, sums: dict[str, int], hours: int) -> None:
        """A window stays provisional for the horizon of every figure that may occur, and of every count."""
        kpi = replace(KPI_BY_ID["complaints_within_day_rate"], formula=formula, horizon="6 h")

        assert horizon_ms_of(sums, horizons_of((KPI_BY_ID["offered"], kpi))) == hours * 3_600_000

    @pytest.mark.parametrize(("horizon", "kpi"), [("25 h", "offered"), ("soon", "offered"), ("0 h", "offered"), ("24 h", "occupancy")])
    def test_horizons_that_cannot_be_kept(self, horizon: str, kpi: str) -> None:
        """An entry has a time for which past days are revised, and a KPI with a horizon."""
        with pytest.raises(ValueError, match=f"^{kpi}: .*horizon"):
            replace(KPI_BY_ID[kpi], horizon=horizon)

    def test_a_complaint_of_the_evening_is_resolved_the_day_after(self) -> None:
        """A complaint 23 hours into the day, resolved 23 hours later, is in the day's record 46 hours after its begin."""
        stream = Stream(parse_time_ms("2026-06-14T22:00:00Z"))  # midnight in Bonn
        late = 23 * 3_600
        stream.slice("cohort", late, {"complaints": 1, "complaints_dated": 1})
        stream.as_of(late + 60)
        stream.as_of(late + 23 * 3_600)
        stream.slice("cohort", late, {"complaints": 1, "complaints_dated": 1, "complaints_within_day": 1})
        stream.as_of(late + 23 * 3_600 + 60)
        days = [record for key, record in stream.latest.items() if key.startswith("window|day|voice|queue:A|")]

        assert [parts(day["kpis"]["complaints_within_day_rate"])[:3] for day in days if day["counts"]] == [(1, 1, 1)]
