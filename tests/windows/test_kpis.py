"""Every KPI from sums, calculated by hand."""

from __future__ import annotations

from typing import Any

import pytest

from streams.configuration.models import ServiceLevelDefinition
from streams.windows.kpis import contact_kpis, people_kpis, service_level_parts

NOTHING = {"value": None, "numerator": None, "denominator": None, "coverage": None}


def definition(**fields: Any) -> ServiceLevelDefinition:
    """Return a definition with the defaults of the page."""
    return ServiceLevelDefinition.model_validate(fields)


#: Ten offered: 5 answered (3 within 20 s), 2 abandoned (one after 3 s, one after 40 s), 1 timeout, 1 overflow, 1 waits; 4 legs ended.
SUMS = {
    "offered": 10,
    "answered": 5,
    "answered_wait_ms": 100_000,
    "answered_wait_le_10000": 2,
    "answered_wait_le_20000": 1,
    "answered_wait_le_30000": 2,
    "abandoned": 2,
    "abandoned_wait_ms": 43_000,
    "abandoned_wait_le_5000": 1,
    "abandoned_wait_le_45000": 1,
    "flow_out_timeout": 1,
    "flow_out_overflow": 1,
    "handled": 4,
    "talk_ms": 300_000,
    "talk_count": 3,
    "hold_ms": 30_000,
    "hold_count": 2,
    "wrap_ms": 45_000,
    "wrap_count": 3,
    "handle_ms": 250_000,
    "handle_count": 2,
    "non_response": 6,
}


class TestContacts:
    """Figures about contacts."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("offered", (10, 10, None, None)),
            ("answered", (5, 5, None, None)),
            ("abandoned", (2, 2, None, None)),
            ("handled", (4, 4, None, None)),
            ("non_response", (6, 6, None, None)),
            # decided = 5 + 2 + 1 + 1 = 9 of 10 offered
            ("answer_rate", (5 / 10, 5, 10, 9 / 10)),
            ("abandon_rate", (2 / 10, 2, 10, 9 / 10)),
            # met 2 + 1; counted 5 answered + 2 abandoned + 1 timeout (overflow counts nowhere)
            ("service_level", (3 / 8, 3, 8, 9 / 10)),
            # 100 s ÷ 5 and 43 s ÷ 2
            ("asa", (20, 100, 5, 1)),
            ("time_to_abandon", (21.5, 43, 2, 1)),
            # each with what is known of 4 handled
            ("att", (100, 300, 3, 3 / 4)),
            ("average_hold", (15, 30, 2, 2 / 4)),
            ("acw", (15, 45, 3, 3 / 4)),
            ("aht", (125, 250, 2, 2 / 4)),
        ],
    )
    def test_of_contacts_offered(self, name: str, expected: tuple[float | None, ...]) -> None:
        """In intervals and days the rates are shares of what was offered."""
        figure = contact_kpis(SUMS, definition(), "voice", by_offer=True)[name]

        assert (figure["value"], figure["numerator"], figure["denominator"], figure["coverage"]) == expected

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("answer_rate", (5 / 9, 5, 9, 1)),
            ("abandon_rate", (2 / 9, 2, 9, 1)),
            ("service_level", (3 / 8, 3, 8, 1)),
            # 4 more have waited past the threshold: missed already
            ("service_level_live", (3 / 12, 3, 12, 1)),
        ],
    )
    def test_of_contacts_decided(self, name: str, expected: tuple[float | None, ...]) -> None:
        """In trailing windows they are shares of what was decided."""
        figure = contact_kpis(SUMS, definition(), "voice", by_offer=False, past_threshold=4)[name]

        assert (figure["value"], figure["numerator"], figure["denominator"], figure["coverage"]) == expected

    @pytest.mark.parametrize("by_offer", [True, False])
    def test_without_contacts(self, by_offer: bool) -> None:
        """Nothing is 0 of 0: counts are 0, everything else is null, with 0/0 beside it."""
        kpis = contact_kpis({}, definition(), "voice", by_offer=by_offer, past_threshold=None if by_offer else 0)

        counts = {name: figure for name, figure in kpis.items() if figure["denominator"] is None}
        rest = {name: figure for name, figure in kpis.items() if name not in counts}
        # Some of each kind by name; all others must be equal.
        assert {"offered", "answered", "abandoned", "handled", "duplicate_replies", "contacts_by_category"} <= set(counts)
        assert {"answer_rate", "service_level", "asa", "aht", "csat", "nps", "self_service_rate", "callback_wait"} <= set(rest)
        assert {(f["value"], f["numerator"], f["coverage"]) for f in counts.values()} == {(0, 0, None)}
        assert {(f["value"], f["numerator"], f["denominator"], f["coverage"]) for f in rest.values()} == {(None, 0, 0, None)}
        assert ("service_level_live" in rest) is not by_offer

    def test_one_waits_past_the_threshold_and_none_is_decided(self) -> None:
        """The live service level is 0 while the one of decided contacts is still unknown."""
        kpis = contact_kpis({"offered": 1}, definition(), "voice", by_offer=False, past_threshold=1)

        assert kpis["service_level"]["value"] is None
        assert kpis["service_level_live"] == {"value": 0, "numerator": 0, "denominator": 1, "coverage": 1}

    @pytest.mark.parametrize(("channel", "rate"), [("mail", None), ("ticket", None), ("chat", 0.2)])
    def test_abandon_rate_by_channel(self, channel: str, rate: float | None) -> None:
        """Mails and tickets are never abandoned: the rate is null throughout."""
        figure = contact_kpis(SUMS, definition(), channel, by_offer=True)["abandon_rate"]

        # 2 abandoned of 10 offered, 9 of them decided
        assert dict(figure) == (NOTHING if rate is None else {"value": rate, "numerator": 2, "denominator": 10, "coverage": 0.9})


class TestServiceLevel:
    """One formula, many policies."""

    #: Cisco's example: 70 answered within the threshold, 10 abandoned within it, 20 answered after it.
    CISCO = {"answered": 90, "answered_wait_le_20000": 70, "answered_wait_le_60000": 20, "abandoned": 10, "abandoned_wait_le_10000": 10}  # noqa: RUF012 - read only

    @pytest.mark.parametrize(
        ("abandon", "parts", "value"),
        [
            ("ignore_in_threshold", (70, 90), 0.778),  # 70 ÷ (100 - 10)
            ("negative", (70, 100), 0.70),  # 70 ÷ 100
            ("positive", (80, 100), 0.80),  # (70 + 10) ÷ 100
            ("handled_only", (70, 90), 0.778),  # 70 ÷ (70 + 20)
        ],
    )
    def test_variants(self, abandon: str, parts: tuple[int, int], value: float) -> None:
        """Abandons ignored, as missed and as met give 77.8, 70 and 80 percent."""
        figure = contact_kpis(self.CISCO, definition(abandon=abandon), "voice", by_offer=False)["service_level"]

        assert {"met": figure["numerator"], "counted": figure["denominator"]} == {"met": parts[0], "counted": parts[1]}
        assert figure["value"] == pytest.approx(value, abs=0.0005)

    @pytest.mark.parametrize(
        ("abandon", "parts"),
        [
            # 3 abandoned: after 3 s, after 15 s, after 40 s; 4 answered in time, 1 not.
            ("handled_only", (4, 5)),
            ("negative", (4, 5 + 3)),
            ("ignore_in_threshold", (4, 5 + 1)),
            ("positive", (4 + 2, 5 + 3)),
        ],
    )
    @pytest.mark.parametrize("short", [None, 5])
    def test_short_abandons(self, abandon: str, parts: tuple[int, int], short: float | None) -> None:
        """An abandon shorter than the limit counts nowhere, whatever is done with the others."""
        sums = {
            "answered": 5,
            "answered_wait_le_20000": 4,
            "answered_wait_le_30000": 1,
            "abandoned": 3,
            "abandoned_wait_le_4999": 1,
            "abandoned_wait_le_15000": 1,
            "abandoned_wait_le_45000": 1,
        }
        met, counted = parts
        if short and abandon != "handled_only":
            # The one of 3 s: with ignore it was not counted anyway, with negative it no longer counts, with positive it is no longer met.
            met -= abandon == "positive"
            counted -= abandon != "ignore_in_threshold"

        assert service_level_parts(sums, definition(abandon=abandon, short_abandon_s=short)) == (met, counted)

    def test_an_abandon_at_exactly_the_short_limit(self) -> None:
        """Short is what is below the limit: 5 s is not short, 4.999 s is."""
        short = definition(short_abandon_s=5)

        assert service_level_parts({"abandoned": 1, "abandoned_wait_le_5000": 1}, short) == (0, 1)
        assert service_level_parts({"abandoned": 1, "abandoned_wait_le_4999": 1}, short) == (0, 0)

    @pytest.mark.parametrize(("boundary", "met"), [("le", 1), ("lt", 0)])
    def test_a_wait_of_exactly_the_threshold(self, boundary: str, met: int) -> None:
        """It is met with ``le`` and missed with ``lt``; a millisecond less is met with both."""
        configured = definition(boundary=boundary)

        assert service_level_parts({"answered": 1, "answered_wait_le_20000": 1}, configured) == (met, 1)
        assert service_level_parts({"answered": 1, "answered_wait_le_19999": 1}, configured) == (1, 1)

    def test_flow_outs(self) -> None:
        """Only flow-outs of the reasons that are named count, as missed."""
        sums = {"answered": 1, "answered_wait_le_5000": 1, "flow_out_voicemail": 2, "flow_out_timeout": 3, "flow_out_empty": 4}

        assert service_level_parts(sums, definition()) == (1, 1 + 3 + 4)
        assert service_level_parts(sums, definition(flow_out_negative=["voicemail"])) == (1, 1 + 2)
        assert service_level_parts(sums, definition(flow_out_negative=[])) == (1, 1)

    def test_a_wait_beyond_the_last_edge(self) -> None:
        """It is over any threshold."""
        assert service_level_parts({"answered": 1, "answered_wait_le_inf": 1}, definition(threshold_s=86_400)) == (0, 1)


class TestPeople:
    """Figures about people."""

    def test_occupancy(self) -> None:
        """Handling and wrap-up are shares of themselves and idle; time that may or may not be idle lowers the coverage."""
        sums = {"handling_ms": 50_000, "wrap_up_ms": 10_000, "idle_ms": 20_000, "available_ms": 20_000, "unavailable_ms": 99_000}

        # (50 + 10) ÷ (50 + 10 + 20) = 60 ÷ 80; coverage 80 ÷ (80 + 20)
        assert people_kpis(sums)["occupancy"] == {"value": 0.75, "numerator": 60, "denominator": 80, "coverage": 0.8}

    def test_without_agents(self) -> None:
        """Without agents the rate is null, with 0/0 beside it."""
        assert people_kpis({})["occupancy"] == {"value": None, "numerator": 0, "denominator": 0, "coverage": None}

    def test_unknown_whether_idle(self) -> None:
        """Available time alone may or may not be idle, and lowers the coverage."""
        assert people_kpis({"available_ms": 1_000})["occupancy"] == {"value": None, "numerator": 0, "denominator": 0, "coverage": 0}
