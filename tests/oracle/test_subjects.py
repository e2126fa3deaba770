"""The recount of section 12 of docs/counting.md against figures reckoned by hand."""

from __future__ import annotations

from schemas.contact import (
    ContactAnswered,
    ContactArrived,
    ContactCategorized,
    ContactExcluded,
    ContactHandedOver,
    ContactNotOffered,
    ContactQueued,
    ContactStatusChanged,
    SelfServiceEnded,
    SelfServiceStarted,
)
from tests.oracle.recount import recount
from tests.oracle.reporting import CONFIGURATION, beat, ms, parts, report


def test_not_offered() -> None:
    """Two contacts find full lines, one of them twice, and one a closed queue: 2 and 1, in total and at the named site."""
    events = [
        report(ContactNotOffered, 0, "a", reason="full", site="tokyo"),
        report(ContactNotOffered, 5, "a", reason="full", site="tokyo"),
        report(ContactNotOffered, 10, "b", reason="full"),
        report(ContactNotOffered, 20, "c", reason="closed"),
    ]
    result = recount(events, CONFIGURATION)

    assert parts(result.window("total:all", "voice", "day")["not_offered"]) == (3, 3, None, None)
    assert {label: each["value"] for label, each in result.by_label("total:all", "voice", "day")["not_offered"].items()} == {
        "full": 2,
        "closed": 1,
    }
    assert result.counts("site:tokyo", "voice", "day") == {"not_offered=full": 1}


def test_category_and_exclusion() -> None:
    """Of two in a queue one ends as returns, and one as spam, which counts in the same scopes."""
    events = [
        report(ContactQueued, 0, "a", queue="A", category="sales"),
        report(ContactCategorized, 60, "a", category="returns"),
        report(ContactQueued, 0, "b", queue="A", category="sales"),
        report(ContactExcluded, 30, "b", reason="spam"),
    ]
    result = recount(events, CONFIGURATION)

    for scope in ("queue:A", "department:help", "total:all"):
        assert result.counts(scope, "voice", "day") == {"offered": 1, "category=returns": 1, "excluded=spam": 1}
    assert result.contributions
    assert {each.outcome_ms for each in result.contributions if each.what == "category=returns"} == {ms(0)}


def test_complaint() -> None:
    """Resolved at the 24th hour to the second: within its day; another is resolved one millisecond later."""
    events = [
        each
        for whom, late in (("a", 0), ("b", 0.001))
        for each in (
            report(ContactArrived, 0, whom, channel="mail"),
            report(ContactQueued, 0, whom, queue="A"),
            report(ContactCategorized, 10, whom, complaint=True),
            report(ContactStatusChanged, 86_400 + late, whom, status="resolved"),
        )
    ]
    result = recount(events, CONFIGURATION, as_of_ms=ms(20))

    assert parts(result.window("queue:A", "mail", "day")["complaints_within_day_rate"]) == (1 / 2, 1, 2, 1)


def test_sessions() -> None:
    """Solved; left; left and queued a minute later; handed over; and one still open: of 4 decided 2 contained, 2 solved."""
    events = [
        *(report(SelfServiceStarted, 0, whom, kind="bot", category="returns") for whom in "abcde"),
        report(SelfServiceEnded, 30, "a", outcome="confirmed_solved"),
        report(SelfServiceEnded, 30, "b", outcome="left"),
        report(SelfServiceEnded, 30, "c", outcome="left"),
        report(ContactQueued, 90, "c", queue="A"),
        report(ContactHandedOver, 40, "d"),
        report(ContactAnswered, 50, "d", queue="A"),
    ]
    result = recount(events, CONFIGURATION)
    day = result.window("total:all", "bot", "day")

    assert parts(day["containment_rate"]) == (2 / 4, 2, 4, 4 / 5)
    assert parts(day["self_service_rate"]) == (2 / 4, 2, 4, 4 / 5)
    assert parts(result.by_label("total:all", "bot", "day")["containment_rate"]["returns"]) == (2 / 4, 2, 4, None)
    assert parts(result.window("total:all", "bot", "trailing_5m")["containment_rate"]) == (2 / 4, 2, 4, 1)


def test_a_silent_session_is_left() -> None:
    """It counts as left after the hours of its channel, and no contact is lost."""
    hours = CONFIGURATION.counting.lost_after_seconds["bot"]
    for late, decided in ((0, 0), (1, 1)):
        result = recount([report(SelfServiceStarted, 0, kind="bot"), beat(hours + late)], CONFIGURATION)

        assert parts(result.window("total:all", "bot", "all")["self_service_rate"])[1:3] == (decided, decided)
        assert "lost_contacts" not in result.counts("total:all", "bot", "all")
