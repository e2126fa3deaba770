"""Not offered, excluded, categories and complaints, by hand: sections 12.1 to 12.3 of docs/counting.md."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tests.tracking.harness import Contacts, event, ms

#: Of queue A: department, business and site.
SCOPES_OF_A = {"queue:A", "department:help", "business:acme", "site:bonn", "total:all"}
DAY_S = 86_400


def counts(calls: Contacts, prefix: str, scope: str = "total:all", channel: str | None = "voice", kind: str = "cohort") -> dict[str, int]:
    """Return the sums of labels that are not zero, by label."""
    sums = calls.sums(scope, channel, kind).items()
    return {field.removeprefix(prefix + "="): number for field, number in sums if field.startswith(prefix + "=") and number}


class TestNotOffered:
    """What never came to a queue."""

    def test_each_reason_once(self) -> None:
        """Twice busy and once full in one conversation are one of each; a missing reason is unknown."""
        calls = Contacts(
            event("contact.arrived", 0, channel="chat"),
            *(event("contact.not_offered", at, reason=reason) for at, reason in ((1, "busy"), (2, "full"), (3, "busy"))),
            event("contact.not_offered", 4),
        )

        assert counts(calls, "not_offered", channel="chat") == {"busy": 1, "full": 1, "unknown": 1}
        assert calls.scopes() == {"total:all"}
        assert calls.starts("total:all", "not_offered=full", "chat") == {0: 1}

    @pytest.mark.parametrize(
        ("before", "own", "scopes"),
        [
            ([], {"site": "kobe"}, {"total:all", "site:kobe"}),
            ([("contact.arrived", {"channel": "voice", "site": "bonn"})], {}, {"total:all", "site:bonn"}),
            ([("contact.arrived", {"channel": "voice", "site": "bonn"})], {"site": "kobe"}, {"total:all", "site:kobe"}),
            ([("contact.queued", {"queue": "A"})], {}, SCOPES_OF_A),
            (
                [("contact.queued", {"queue": "B"}), ("contact.arrived", {"channel": "voice", "site": "kobe"})],
                {},
                {"total:all", "site:kobe"},
            ),
        ],
        ids=["its own", "the arrival's", "its own first", "the queue's", "of a queue without one the arrival's"],
    )
    def test_site(self, before: list[tuple[str, dict[str, Any]]], own: dict[str, Any], scopes: set[str]) -> None:
        """It counts in total and at the site of the event, of the place or of the arrival."""
        calls = Contacts(*(event(kind, at, **fields) for at, (kind, fields) in enumerate(before)), event("contact.not_offered", 9, **own))
        found = {scope for scope in calls.scopes() if counts(calls, "not_offered", scope)}

        assert found == {scope for scope in scopes if scope.startswith(("total", "site"))}


class TestExcluded:
    """Of an excluded conversation nothing counts but that it was."""

    def test_where_it_would_have_counted(self) -> None:
        """Spam in a queue counts in the queue and its larger scopes, in the pane of the exclusion."""
        calls = Contacts(event("contact.queued", 5, queue="A"), event("contact.excluded", 100, reason="spam"))

        assert {scope: counts(calls, "excluded", scope) for scope in calls.scopes()} == {scope: {"spam": 1} for scope in SCOPES_OF_A}
        assert calls.starts("queue:A", "excluded=spam") == {100: 1}

    def test_by_offer_when_it_was_excluded(self) -> None:
        """The cell is that of the exclusion, not that of the entry a quarter of an hour before."""
        calls = Contacts(event("contact.queued", 850, queue="A"), event("contact.excluded", 905, reason="test"))

        assert calls.starts("queue:A", "excluded=test", kind="cohort") == {900: 1}

    def test_the_first_of_several(self) -> None:
        """Whichever comes first, the earlier exclusion gives the reason, and the queue entered after it is not the place."""
        events = [
            event("contact.arrived", 0, channel="mail"),
            event("contact.excluded", 10, reason="spam"),
            event("contact.queued", 20, queue="M"),
            event("contact.excluded", 30, reason="duplicate"),
        ]
        for order in permutations(events):
            calls = Contacts(*order)

            assert calls.scopes() == {"total:all"}
            assert calls.sums("total:all", "mail") == {"excluded=spam": 1}

    def test_not_ours(self) -> None:
        """An outbound call that is excluded is none of the customer's contacts."""
        arrived = event("contact.arrived", 0, channel="voice", direction="outbound")

        assert Contacts(arrived, event("contact.excluded", 1, reason="test")).slices == {}


class TestCategory:
    """What contacts are about."""

    def test_counted_once_under_the_last(self) -> None:
        """Named by the queue, then twice by an agent: the last name counts, in the pane and under the entry where it counted first."""
        events = [
            event("contact.queued", 5, queue="A", category="sales"),
            event("contact.answered", 20),
            event("contact.categorized", 950, category="returns"),
            event("contact.queued", 960, queue="B", category="tariff"),
            event("contact.categorized", 970, category="refund"),
        ]
        for order in permutations(events):
            calls = Contacts(*order)

            assert {scope: counts(calls, "category", scope) for scope in SCOPES_OF_A} == {scope: {"refund": 1} for scope in SCOPES_OF_A}
            assert counts(calls, "category", "queue:B") == {}
            assert calls.starts("queue:A", "category=refund") == {0: 1}
            assert calls.starts("queue:A", "category=refund", kind="cohort") == {0: 1}

    def test_known_before_there_is_a_place(self) -> None:
        """A bot reports the category; it counts when the customer comes to a queue, from second 40 on."""
        calls = Contacts(
            event("self_service.started", 0, kind="bot", category="returns"),
            event("self_service.ended", 30, outcome="handed_over"),
            event("contact.queued", 40, queue="A"),
        )

        assert calls.starts("queue:A", "category=returns") == {40: 1}

    def test_a_place_without_a_visit(self) -> None:
        """An answer that names its queue gives a place too."""
        calls = Contacts(event("contact.categorized", 0, category="returns"), event("contact.answered", 30, queue="B"))

        assert calls.starts("queue:B", "category=returns") == {30: 1}

    def test_without_a_place(self) -> None:
        """Who never comes to a queue is about nothing that is counted."""
        assert Contacts(event("contact.categorized", 0, category="returns")).slices == {}


class TestComplaints:
    """Complaints, and whether they were resolved within 24 hours of the start."""

    @pytest.mark.parametrize(
        ("steps", "within"),
        [
            ([], 0),
            ([(DAY_S, "resolved")], 1),
            ([(DAY_S + 0.001, "resolved")], 0),
            ([(100, "resolved"), (200, "reopened")], 0),
            ([(100, "resolved"), (DAY_S + 1, "reopened")], 1),
            ([(100, "closed"), (200, "open"), (300, "resolved"), (400, "on_hold")], 1),
            ([(10, "resolved")], 1),
        ],
        ids=["open", "at the last instant", "too late", "reopened", "reopened after the day", "resolved again", "before it complained"],
    )
    def test_within_a_day(self, steps: list[tuple[float, str]], within: int) -> None:
        """Arrived at 0, queued at 5, a complaint from 50 on."""
        calls = Contacts(
            event("contact.arrived", 0, channel="mail"),
            event("contact.queued", 5, queue="M"),
            event("contact.categorized", 50, complaint=True),
            *(event("contact.status_changed", at, status=status) for at, status in steps),
        )
        for scope in ("queue:M", "department:help", "total:all"):
            sums = calls.sums(scope, "mail")
            assert (sums["complaints"], sums["complaints_dated"], sums.get("complaints_within_day", 0)) == (1, 1, within)
        assert calls.starts("queue:M", "complaints", "mail") == {50: 1}
        # Where the complaint is booked, whenever it was resolved.
        assert {start: number for start, number in calls.starts("queue:M", "complaints_within_day", "mail").items() if number} == (
            {50: 1} if within else {}
        )

    def test_once(self) -> None:
        """Complaining twice, or taking it back, changes nothing."""
        counts = [event("contact.categorized", at, complaint=complaint) for at, complaint in ((10, True), (20, True), (30, False))]
        calls = Contacts(event("contact.queued", 5, queue="A"), *counts)

        assert calls.sums("queue:A")["complaints"] == 1

    def test_by_category(self) -> None:
        """A complaint is of the category that the contact has, where it complained: whenever and however often that is named."""
        events = [
            event("contact.queued", 5, queue="A", category="sales"),
            event("contact.answered", 20),
            event("contact.categorized", 50, complaint=True),
            event("contact.categorized", 950, category="returns"),
        ]
        for order in permutations(events):
            calls = Contacts(*order)

            assert {scope: counts(calls, "complaints", scope) for scope in SCOPES_OF_A} == {scope: {"returns": 1} for scope in SCOPES_OF_A}
            assert calls.starts("queue:A", "complaints=returns") == {50: 1}
            assert calls.starts("queue:A", "complaints=returns", kind="cohort") == {0: 1}
        # Where no event names one, it is of none.
        unnamed = Contacts(event("contact.queued", 5, queue="A"), event("contact.categorized", 50, complaint=True))
        assert (unnamed.sums("queue:A")["complaints"], counts(unnamed, "complaints", "queue:A")) == (1, {})

    @pytest.mark.parametrize(("complained", "labels"), [(50, {}), (100, {"returns": 1})])
    def test_what_a_version_before_has_booked_is_of_no_category(self, complained: float, labels: dict[str, int]) -> None:
        """State of a version without categories up to second 60: its complaint stays without one, and no other category loses a count."""
        calls = Contacts()
        calls.tracker.by_category_from_ms = ms(60)
        calls.apply([event("contact.queued", 5, queue="A", category="sales"), event("contact.categorized", complained, complaint=True)])
        calls.apply([event("contact.categorized", 950, category="returns")])

        assert (counts(calls, "complaints"), counts(calls, "category")) == (labels, {"returns": 1})
        assert calls.sums("total:all")["complaints"] == 1

    def test_a_start_that_is_not_known(self) -> None:
        """Only an answer in a queue is known: a complaint whose day has no known start."""
        calls = Contacts(event("contact.answered", 30, queue="A"), event("contact.categorized", 40, complaint=True))
        calls.apply([event("contact.status_changed", 50, status="resolved")])

        sums = calls.sums("queue:A")
        assert (sums["complaints"], sums.get("complaints_dated", 0), sums.get("complaints_within_day", 0)) == (1, 0, 0)
