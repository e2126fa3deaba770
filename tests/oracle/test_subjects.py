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
from tests.oracle.saying import CONFIGURATION, beat, ms, parts, say


def test_not_offered() -> None:
    """Two find the lines full, one of them twice, and one the doors closed: 2 and 1, in total and at the site that is named."""
    events = [
        say(ContactNotOffered, 0, "a", reason="full", site="tokyo"),
        say(ContactNotOffered, 5, "a", reason="full", site="tokyo"),
        say(ContactNotOffered, 10, "b", reason="full"),
        say(ContactNotOffered, 20, "c", reason="closed"),
    ]
    told = recount(events, CONFIGURATION)

    assert parts(told.window("total:all", "voice", "day")["not_offered"]) == (3, 3, None, None)
    assert {label: each["value"] for label, each in told.by_label("total:all", "voice", "day")["not_offered"].items()} == {
        "full": 2,
        "closed": 1,
    }
    assert told.counts("site:tokyo", "voice", "day") == {"not_offered=full": 1}


def test_category_and_exclusion() -> None:
    """Of two in a queue one is about returns in the end, and one is spam, which counts where it would have."""
    events = [
        say(ContactQueued, 0, "a", queue="A", category="sales"),
        say(ContactCategorized, 60, "a", category="returns"),
        say(ContactQueued, 0, "b", queue="A", category="sales"),
        say(ContactExcluded, 30, "b", reason="spam"),
    ]
    told = recount(events, CONFIGURATION)

    for scope in ("queue:A", "department:help", "total:all"):
        assert told.counts(scope, "voice", "day") == {"offered": 1, "category=returns": 1, "excluded=spam": 1}
    assert told.contributions
    assert {each.outcome_ms for each in told.contributions if each.what == "category=returns"} == {ms(0)}


def test_complaint() -> None:
    """Resolved at the 24th hour to the second: within its day; another is resolved one millisecond later."""
    events = [
        each
        for whom, late in (("a", 0), ("b", 0.001))
        for each in (
            say(ContactArrived, 0, whom, channel="mail"),
            say(ContactQueued, 0, whom, queue="A"),
            say(ContactCategorized, 10, whom, complaint=True),
            say(ContactStatusChanged, 86_400 + late, whom, status="resolved"),
        )
    ]
    told = recount(events, CONFIGURATION, as_of_ms=ms(20))

    assert parts(told.window("queue:A", "mail", "day")["complaints_within_day_rate"]) == (1 / 2, 1, 2, 1)


def test_sessions() -> None:
    """Solved; left; left and queued a minute later; handed over; and one that is still going on: of 4 decided 2 contained, 2 solved."""
    events = [
        *(say(SelfServiceStarted, 0, whom, kind="bot", category="returns") for whom in "abcde"),
        say(SelfServiceEnded, 30, "a", outcome="confirmed_solved"),
        say(SelfServiceEnded, 30, "b", outcome="left"),
        say(SelfServiceEnded, 30, "c", outcome="left"),
        say(ContactQueued, 90, "c", queue="A"),
        say(ContactHandedOver, 40, "d"),
        say(ContactAnswered, 50, "d", queue="A"),
    ]
    told = recount(events, CONFIGURATION)
    day = told.window("total:all", "bot", "day")

    assert parts(day["containment_rate"]) == (2 / 4, 2, 4, 4 / 5)
    assert parts(day["self_service_rate"]) == (2 / 4, 2, 4, 4 / 5)
    assert parts(told.by_label("total:all", "bot", "day")["containment_rate"]["returns"]) == (2 / 4, 2, 4, None)
    assert parts(told.window("total:all", "bot", "trailing_5m")["containment_rate"]) == (2 / 4, 2, 4, 1)


def test_a_session_of_which_nothing_more_is_heard() -> None:
    """It is left after the hours of its channel, and no contact is lost."""
    hours = CONFIGURATION.counting.lost_after_seconds["bot"]
    for late, decided in ((0, 0), (1, 1)):
        told = recount([say(SelfServiceStarted, 0, kind="bot"), beat(hours + late)], CONFIGURATION)

        assert parts(told.window("total:all", "bot", "all")["self_service_rate"])[1:3] == (decided, decided)
        assert "lost_contacts" not in told.counts("total:all", "bot", "all")
