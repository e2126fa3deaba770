"""Self-service before and after a change of the FAQ, by hand: docs/judging.md."""

from __future__ import annotations

from typing import Any

import pytest

from streams.configuration import Configuration
from streams.windows.faq_changes import faq_answers

#: Tokyo is nine hours ahead: its 5 November begins at 15:00 UTC on the 4th. The change is in the morning of the 5th, local time.
ZONE = "Asia/Tokyo"


def configured(days: int = 7, category: str = "Returns") -> Configuration:
    """Return a configuration with one change."""
    change = {"at": "2026-11-05T09:30:00+09:00", "category": category, "name": "Rewritten", "days": days}
    return Configuration.model_validate({"default_zone": ZONE, "faq_changes": [change]})


def day(number: int, channel: str = "faq", through: str = "2026-11-01T15:00:00Z", **by_label: tuple[int, int, int]) -> dict[str, Any]:
    """Return the record of a local day of November: category → decided, contained, solved."""

    def rates(part: int) -> dict[str, Any]:
        figures = {name: {"value": n[part] / n[0], "numerator": n[part], "denominator": n[0]} for name, n in by_label.items()}
        return {name.replace("other", "(other)"): figure for name, figure in figures.items()}

    return {
        "kind": "window",
        "window": "day",
        "scope_kind": "total",
        "channel": channel,
        "window_start": f"2026-11-{number - 1:02}T15:00:00Z",
        "complete_through": through,
        "by_label": {"containment_rate": rates(1), "self_service_rate": rates(2)} if by_label else {},
    }


#: From the 2nd to the 8th. A local day ends at 15:00 UTC, and is complete three minutes later.
WEEK = [
    day(2, "voice"),
    day(3, Returns=(4, 2, 1), Tariff=(9, 9, 9)),
    day(3, "bot", Returns=(6, 3, 3)),
    day(4, Returns=(10, 4, 2)),
    day(5, Returns=(99, 99, 99)),
    day(6, Returns=(8, 6, 6)),
    day(7, "voice"),
    day(8, Returns=(2, 2, 1)),
]
#: A later record, by which all of them are complete.
COMPLETE = day(20, "voice", "2026-11-20T15:03:00Z")


def sides(answer: dict[str, Any]) -> list[tuple[int, int, int] | None]:
    """Return decided, contained and solved of both sides."""
    found: list[tuple[int, int, int] | None] = []
    for side in (answer["before"], answer["after"]):
        rates = None if side is None else (side["containment_rate"], side["self_service_rate"])
        found.append(None if rates is None else (rates[0]["denominator"], rates[0]["numerator"], rates[1]["numerator"]))
    return found


@pytest.mark.parametrize(
    ("through", "days", "expected"),
    [
        ("2026-11-06T15:02:59Z", None, [None, None]),
        ("2026-11-06T15:03:00Z", 1, [(10, 4, 2), (8, 6, 6)]),
        ("2026-11-07T15:03:00Z", 2, [(20, 9, 6), (8, 6, 6)]),
        ("2026-11-08T15:03:00Z", 3, [(20, 9, 6), (10, 8, 7)]),
        ("2026-11-20T15:03:00Z", 3, [(20, 9, 6), (10, 8, 7)]),
    ],
    ids=["the first day is not complete", "one", "two, one of them without sessions", "three", "no more, for there was nothing before"],
)
def test_spans_grow_with_the_days(through: str, days: int | None, expected: list[Any]) -> None:
    """As many complete days on both sides as are known, FAQ and bot together, without the day of the change."""
    (answer,) = faq_answers(configured(), [*WEEK, day(20, "voice", through)])

    assert (answer["days"], sides(answer)) == (days, expected)


def test_rates() -> None:
    """The answer names the change and both spans; a rate has its parts."""
    (answer,) = faq_answers(configured(days=1), [*WEEK, COMPLETE])

    assert (answer["name"], answer["category"], answer["at"]) == ("Rewritten", "Returns", "2026-11-05T00:30:00.000Z")
    assert (answer["before"]["start"], answer["before"]["end"]) == ("2026-11-03T15:00:00.000Z", "2026-11-04T15:00:00.000Z")
    assert (answer["after"]["start"], answer["after"]["end"]) == ("2026-11-05T15:00:00.000Z", "2026-11-06T15:00:00.000Z")
    assert answer["after"]["containment_rate"] == {"value": 0.75, "numerator": 6, "denominator": 8, "coverage": None}


def test_nothing_decided_is_null() -> None:
    """A category without questions has 0 of 0 on both sides, which is no rate."""
    (answer,) = faq_answers(configured(days=1, category="Meters"), [*WEEK, COMPLETE])

    assert [answer[side]["self_service_rate"]["value"] for side in ("before", "after")] == [None, None]
    assert sides(answer) == [(0, 0, 0), (0, 0, 0)]


def test_among_the_others() -> None:
    """Where a day has put its rarer categories together, a category that it does not name is not known, on that side."""
    (answer,) = faq_answers(configured(days=1, category="Meters"), [*WEEK[:-2], day(6, "bot", other=(5, 5, 5)), *WEEK[-2:], COMPLETE])

    assert answer["after"]["containment_rate"] == dict.fromkeys(("value", "numerator", "denominator", "coverage"))
    assert answer["before"]["containment_rate"]["denominator"] == 0


def test_no_records() -> None:
    """Without figures there is no answer yet; without changes there is nothing to answer."""
    (answer,) = faq_answers(configured(), [])

    assert (answer["days"], answer["before"], answer["after"]) == (None, None, None)
    assert faq_answers(Configuration(), WEEK) == []
