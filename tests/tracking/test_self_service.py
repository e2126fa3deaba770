"""Sessions with a bot or a FAQ, by hand: section 12.4 of docs/counting.md."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import pytest

from streams.configuration import Configuration
from tests.tracking.harness import CONFIGURATION, Contacts, event, ms

QUICK = Configuration.model_validate(
    {**CONFIGURATION.model_dump(exclude_defaults=True), "counting": {"lost_after_seconds": {"bot": 600, "faq": 300, "voice": 900}}}
)


def session(begin: float = 0, end: float | None = 60, outcome: str | None = "left", **fields: Any) -> list[bytes]:
    """Return a session with a bot."""
    how: dict[str, Any] = {} if outcome is None else {"outcome": outcome}
    ended = [] if end is None else [event("self_service.ended", end, **how)]
    return [event("self_service.started", begin, **{"kind": "bot", **fields}), *ended]


def counted(calls: Contacts, scope: str = "total:all", channel: str = "bot", kind: str = "cohort") -> tuple[int, ...]:
    """Return sessions, decided, contained, solved."""
    sums = calls.sums(scope, channel, kind)
    return tuple(sums.get(name, 0) for name in ("sessions", "sessions_decided", "sessions_contained", "sessions_solved"))


QUEUED = event("contact.queued", 100, queue="A")
WROTE = event("contact.message", 100, author_kind="agent")
HANDED_OVER = event("contact.handed_over", 100)
CUSTOMER_WROTE = event("contact.message", 100, author_kind="customer")
ANSWERED = event("contact.answered", 100, agent="ann")


class TestOutcomes:
    """How sessions end."""

    @pytest.mark.parametrize(
        ("events", "expected"),
        [
            (session(outcome="confirmed_solved"), (1, 1, 1, 1)),
            (session(outcome="left"), (1, 1, 1, 1)),
            (session(outcome=None), (1, 1, 1, 1)),
            (session(outcome="handed_over"), (1, 1, 0, 0)),
            (session(end=None), (1, 0, 0, 0)),
            ([*session(end=None), QUEUED], (1, 1, 0, 0)),
            ([*session(end=None), WROTE], (1, 1, 0, 0)),
            ([*session(end=None), ANSWERED], (1, 1, 0, 0)),
            ([*session(end=None), HANDED_OVER], (1, 1, 0, 0)),
            ([*session(end=None), CUSTOMER_WROTE], (1, 0, 0, 0)),
            ([*session(outcome="left"), QUEUED], (1, 1, 0, 0)),
            ([*session(outcome="left"), CUSTOMER_WROTE], (1, 1, 1, 1)),
            ([*session(outcome="confirmed_solved"), QUEUED], (1, 1, 0, 1)),
            ([*session(end=None), *session(30, 60)], (2, 2, 2, 2)),
            ([*session(0, 20), *session(30, 60, "confirmed_solved"), WROTE], (2, 2, 0, 1)),
            ([QUEUED, *session(200, 260)], (1, 1, 1, 0)),
            ([WROTE, *session(200, 260)], (1, 1, 1, 0)),
            ([HANDED_OVER, *session(200, 260)], (1, 1, 1, 0)),
            ([CUSTOMER_WROTE, *session(200, 260)], (1, 1, 1, 1)),
            ([ANSWERED, *session(200, 260, "confirmed_solved")], (1, 1, 1, 1)),
            ([event("self_service.ended", 10, outcome="left")], (0, 0, 0, 0)),
        ],
        ids=[
            "solved", "left", "ended somehow", "handed over", "open", "queued", "an agent wrote", "answered", "handed over by event",
            "the customer wrote", "left, queued later", "left, wrote later", "solved, queued later", "begun again", "two, people later",
            "after a queue", "after an agent", "after a hand-over", "after own words", "after people, solved", "an end without a begin",
        ],
    )  # fmt: skip
    def test_outcome(self, events: list[bytes], expected: tuple[int, ...]) -> None:
        """Sessions, decided, contained and solved are these, in whatever order the events come, by outcome as by offer."""
        for order in list(permutations(events)) if len(events) < 5 else [events, Random(1).sample(events, len(events))]:
            calls = Contacts(*order)
            assert (counted(calls), counted(calls, kind="pane")) == (expected, expected)

    def test_where_it_is_booked(self) -> None:
        """Begun at 10 and ended at 950: decided in the pane of 950, by offer in the cell of the begin; reversed there too."""
        calls = Contacts(*session(10, 950, site="bonn", category="returns"))
        for scope in ("total:all", "site:bonn"):
            assert calls.starts(scope, "sessions", "bot") == {10: 1}
            assert calls.starts(scope, "sessions_solved", "bot") == {950: 1}
            assert calls.starts(scope, "sessions_solved=returns", "bot", "cohort") == {0: 1}
        calls.apply([event("contact.queued", 2_000, queue="A")])

        assert not any(calls.starts("site:bonn", "sessions_contained", "bot").values())
        assert not any(calls.starts("site:bonn", "sessions_contained=returns", "bot", "cohort").values())
        assert calls.starts("site:bonn", "sessions_decided", "bot") == {950: 1}

    def test_the_end_may_name_the_category(self) -> None:
        """What it was about at the end is what counts."""
        calls = Contacts(*session(category="returns", end=None), event("self_service.ended", 60, outcome="left", category="refund"))
        sums = calls.sums("total:all", "bot")

        assert {field: n for field, n in sums.items() if field.startswith("sessions_decided=")} == {"sessions_decided=refund": 1}

    def test_channels(self) -> None:
        """A FAQ and a bot are channels of their own, whatever the customer came by."""
        calls = Contacts(event("contact.arrived", 0, channel="chat"), *session(1, 2, kind="faq"), *session(3, 4))

        assert (counted(calls), counted(calls, channel="faq"), counted(calls, channel="chat")) == (
            (1, 1, 1, 1),
            (1, 1, 1, 1),
            (0, 0, 0, 0),
        )

    def test_same_instant(self) -> None:
        """Ended and queued in one instant: the customer turned to agents."""
        calls = Contacts(event("contact.queued", 60, queue="A"), *session(0, 60))

        assert counted(calls) == (1, 1, 0, 0)


class TestSilence:
    """Sessions without further events."""

    def silent(self, *events: bytes, until: float) -> Contacts:
        """Return what is counted once nothing is still to come before an instant."""
        calls = Contacts(*events, configuration=QUICK)
        calls.tracker.watermark.heartbeat("test", ms(until), ms(until))
        calls.apply([])
        return calls

    @pytest.mark.parametrize(("until", "expected"), [(605, (1, 0, 0, 0)), (605.001, (1, 1, 1, 1))])
    def test_left(self, until: float, expected: tuple[int, ...]) -> None:
        """A bot's session whose last fact is of second 5 is left after 600 s; nothing is counted as lost."""
        calls = self.silent(*session(5, None), until=until)

        assert counted(calls) == expected
        assert "lost_contacts" not in calls.sums("total:all", "bot")

    def test_at_its_instant(self) -> None:
        """It is decided when it is left, not when that is seen; and the same if the next fact is known by then."""
        seen = self.silent(*session(5, None), until=5_000)
        known = self.silent(*session(5, None), event("contact.categorized", 2_000, category="returns"), until=5_000)

        assert seen.starts("total:all", "sessions_decided", "bot") == {600: 1}
        assert known.starts("total:all", "sessions_decided", "bot") == {600: 1}

    def test_turning_to_people_after_the_silence(self) -> None:
        """Who comes to a queue after all was not helped."""
        calls = self.silent(*session(5, None), event("contact.queued", 2_000, queue="A"), until=2_500)

        assert counted(calls) == (1, 1, 0, 0)

    def test_a_session_after_a_call(self) -> None:
        """A session that follows a call is left by the time of its own channel, and the call is not lost."""
        call = [event("contact.queued", 0, queue="A"), event("contact.answered", 5), event("contact.ended", 60)]
        calls = self.silent(*call, *session(100, None, kind="faq"), until=400.001)

        assert counted(calls, channel="faq") == (1, 1, 1, 0)
        assert "lost_contacts" not in calls.sums("queue:A")

    def test_with_a_call_that_is_lost(self) -> None:
        """A session in a conversation that is still being talked about is left when that is lost: after 900 s."""
        call = [event("contact.queued", 0, queue="A"), event("contact.answered", 5)]
        calls = self.silent(*call, *session(100, None), until=1_000.001)

        assert counted(calls) == (1, 1, 1, 0)
        assert calls.sums("queue:A")["lost_contacts"] == 1
        assert calls.starts("total:all", "sessions_decided", "bot") == {1_000: 1}
