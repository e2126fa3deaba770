"""Figures that count once per conversation, calculated by hand; comments have the arithmetic."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from schemas.contact import (
    ContactAnswered,
    ContactArrived,
    ContactCallbackAttempted,
    ContactCallbackEnded,
    ContactCallbackRequested,
    ContactEnded,
    ContactEscalated,
    ContactExcluded,
    ContactLeftQueue,
    ContactMessage,
    ContactQueued,
    ContactStatusChanged,
    ContactTransferred,
    ContactWorkEnded,
    ContactWorkStarted,
    ContactWrappedUp,
    SurveyAnswered,
    SurveyInvited,
)
from schemas.times import parse_time
from tests.oracle.recount import recount
from tests.oracle.reporting import CONFIGURATION, SEVEN, beat, call, ms, parts, report

if TYPE_CHECKING:
    from datetime import datetime

    from schemas.base import Event

#: What a figure without a denominator shows.
NOTHING: tuple[float | None, float | None, float | None, float | None] = (None, 0, 0, None)


def written(*steps: tuple[float, str], whom: str = "c1", queue: str = "A") -> list[Event]:
    """Return a ticket of 7:00:00 in a queue since 7:01:00, and its statuses."""
    begun: list[Event] = [report(ContactArrived, 0, whom, channel="ticket"), report(ContactQueued, 60, whom, queue=queue)]
    return [*begun, *(report(ContactStatusChanged, at, whom, status=status) for at, status in steps)]


def at_seven(seconds: float) -> datetime:
    """Return a time after 7:00."""
    return parse_time(SEVEN) + timedelta(seconds=seconds)


class TestFirstResponse:
    """The time until the first reaction."""

    @pytest.mark.parametrize(
        ("steps", "figure"),
        [
            ([(ContactAnswered, 90, {})], (90, 90, 1, 1)),  # since the arrival, not since the entry at 60 s
            ([(ContactMessage, 80, {"author_kind": "agent"}), (ContactAnswered, 90, {})], (80, 80, 1, 1)),
            ([(ContactMessage, 80, {"author_kind": "bot"}), (ContactAnswered, 90, {})], (90, 90, 1, 1)),
            ([(ContactMessage, 80, {"author_kind": "agent", "automatic": True}), (ContactAnswered, 90, {})], (90, 90, 1, 1)),
            ([(ContactMessage, 80, {"author_kind": "agent", "public": False})], NOTHING),
            ([(ContactMessage, 30, {"author_kind": "agent"}), (ContactAnswered, 90, {})], (90, 90, 1, 1)),  # at 30 s it had no place
            ([(ContactAnswered, 90, {}), (ContactTransferred, 95, {}), (ContactAnswered, 99, {})], (90, 90, 1, 1)),  # once
        ],
    )
    def test_chat(self, steps: list[tuple[type[Event], float, dict[str, Any]]], figure: tuple[float | None, ...]) -> None:
        """An answer or a public message of an agent, whichever is first, of a chat arrived 7:00:00 and queued 7:01:00."""
        events = [
            report(ContactArrived, 0, channel="chat"),
            report(ContactQueued, 60, queue="A"),
            *(report(kind, at, **fields) for kind, at, fields in steps),
        ]

        result = recount(events, CONFIGURATION)

        for scope in ("queue:A", "department:help", "total:all"):
            assert parts(result.window(scope, "chat", "day")["first_response_time"]) == figure

    def test_without_arrival(self) -> None:
        """Without an arrival the conversation starts with its first entry, even one known only from the wait of an answer."""
        result = recount([report(ContactAnswered, 60, queue="A", wait_seconds=12.5)], CONFIGURATION)

        assert parts(result.totals()["first_response_time"]) == (12.5, 12.5, 1, 1)

    def test_without_start(self) -> None:
        """A response to what has no start is none, and uses up the chance."""
        events = [
            report(ContactAnswered, 10, queue="A"),
            report(ContactArrived, 20, channel="voice"),
            report(ContactQueued, 30, queue="A"),
            report(ContactAnswered, 40),
        ]

        assert parts(recount(events, CONFIGURATION).totals()["first_response_time"]) == NOTHING

    def test_place_after_the_answer(self) -> None:
        """A reply by mail answers first and is the response then, in the queue of the leg; booked by offer with the entry."""
        events = [
            report(ContactArrived, 800, channel="mail"),
            report(ContactQueued, 890, queue="A"),
            report(ContactMessage, 1000, author_kind="agent"),
            beat(1000),
        ]

        result = recount(events, CONFIGURATION)

        # 1000 − 800 = 200 s; by offer in the quarter of 890 s, by outcome at 1000 s
        assert parts(result.window("queue:A", "mail", "interval_15m", ms(0))["first_response_time"]) == (200, 200, 1, 1)
        assert parts(result.window("queue:A", "mail", "interval_15m", ms(900))["first_response_time"]) == NOTHING
        assert parts(result.window("queue:A", "mail", "trailing_5m")["first_response_time"]) == (200, 200, 1, 1)


class TestTouchTime:
    """Handling in reply channels."""

    def test_wrap_up_adds_nothing(self) -> None:
        """A mail worked on for 30 s + 20 s and wrapped up in 15 s is 50 s of handling; of a call talk and wrap-up are."""
        events = [
            report(ContactQueued, 0, queue="A", channel="mail"),
            report(ContactWorkStarted, 0, agent="ann"),
            report(ContactWorkEnded, 30, agent="ann"),
            report(ContactMessage, 30, author_kind="agent"),
            report(ContactWorkStarted, 40, agent="ann"),
            report(ContactWorkEnded, 60, agent="ann"),
            report(ContactStatusChanged, 60, status="resolved"),
            report(ContactWrappedUp, 80, wrap_up_seconds=15),
            *call("c2", 10),
            report(ContactEnded, 40, "c2"),
            report(ContactWrappedUp, 80, "c2", wrap_up_seconds=15),
        ]

        result = recount(events, CONFIGURATION)

        for channel, handled in (("mail", 50), ("voice", 45)):
            kpis = result.window("queue:A", channel, "day")
            assert parts(kpis["aht"]) == (handled, handled, 1, 1)
            assert parts(kpis["acw"]) == (15, 15, 1, 1)

    def test_unknown(self) -> None:
        """Without reported work the handling of a mail stays unknown, wrapped up or not."""
        events = [
            report(ContactQueued, 0, queue="A", channel="mail"),
            report(ContactMessage, 30, author_kind="agent"),
            report(ContactWrappedUp, 80, wrap_up_seconds=15),
        ]

        kpis = recount(events, CONFIGURATION).totals()

        assert parts(kpis["aht"]) == (None, 0, 0, 0)
        assert parts(kpis["acw"]) == (15, 15, 1, 1)

    def test_two_legs(self) -> None:
        """Two legs of 30 s and 20 s in two queues of a department are 50 s of one conversation there."""
        events = [
            report(ContactQueued, 0, queue="A", channel="mail"),
            report(ContactWorkStarted, 0, agent="ann"),
            report(ContactMessage, 30, author_kind="agent"),
            report(ContactWorkEnded, 30, agent="ann"),
            report(ContactQueued, 40, queue="B", channel="mail"),
            report(ContactWorkStarted, 50, agent="bo"),
            report(ContactMessage, 70, author_kind="agent"),
            report(ContactWorkEnded, 70, agent="bo"),
            report(ContactEnded, 75, by="agent"),
        ]

        result = recount(events, CONFIGURATION)

        assert parts(result.window("queue:A", "mail", "day")["aht"]) == (30, 30, 1, 1)
        assert parts(result.window("queue:B", "mail", "day")["aht"]) == (20, 20, 1, 1)
        assert parts(result.window("department:help", "mail", "day")["aht"]) == (50, 50, 1, 1)


class TestResolution:
    """Resolved, reopened, and resolved at the first contact."""

    def test_resolved_reopened_resolved(self) -> None:
        """Resolved 7:10 and 7:40, reopened in between: two resolutions, one time of 10 min, and no first contact resolution left."""
        result = recount(written((600, "resolved"), (1200, "reopened"), (2400, "closed")), CONFIGURATION)

        for scope in ("queue:A", "department:help", "total:all"):
            kpis = result.window(scope, "ticket", "day")
            assert parts(kpis["resolution_time"]) == (600, 600, 1, 1)
            assert parts(kpis["resolution_rate"]) == (2, 2, 1, 1)  # 2 resolved ÷ 1 offered
            assert parts(kpis["reopen_rate"]) == (1 / 2, 1, 2, 1)
            assert parts(kpis["first_contact_resolution"]) == (0, 0, 1, 1)  # (1 − 1) ÷ 1

    def test_trailing(self) -> None:
        """By outcome a reopening counts at its own time: the five minutes after it hold −1 ÷ 0, and one reopened ÷ none resolved."""
        result = recount([*written((600, "resolved"), (1200, "open")), beat(1300)], CONFIGURATION)

        kpis = result.window("queue:A", "ticket", "trailing_5m")

        assert parts(kpis["first_contact_resolution"]) == (None, -1, 0, None)
        assert parts(kpis["reopen_rate"]) == (None, 1, 0, None)
        assert parts(result.window("queue:A", "ticket", "trailing_15m")["first_contact_resolution"]) == (0, 0, 1, 1)

    def test_statuses_that_change_nothing(self) -> None:
        """Closed after resolved is no second resolution; on hold and waiting are no reopening; open before a resolution neither."""
        steps = ((100, "open"), (200, "resolved"), (300, "closed"), (400, "on_hold"), (500, "waiting_on_customer"), (600, "resolved"))

        counts = recount(written(*steps), CONFIGURATION).counts("queue:A", "ticket", "day")

        assert {what: counts.get(what, 0) for what in ("resolved", "first_resolved", "first_contact_resolved", "reopened")} == {
            "resolved": 1,
            "first_resolved": 1,
            "first_contact_resolved": 1,
            "reopened": 0,
        }

    @pytest.mark.parametrize("status", ["reopened", "new", "open"])
    def test_undone_once(self, status: str) -> None:
        """Reopened twice after a first contact resolution: 2 of 2 resolved are reopened, and one is undone, not two."""
        steps = ((100, "resolved"), (200, status), (300, "resolved"), (400, status))

        counts = recount(written(*steps), CONFIGURATION).counts("queue:A", "ticket", "day")

        assert (counts["resolved"], counts["reopened"], counts["first_contact_undone"]) == (2, 2, 1)

    @pytest.mark.parametrize(
        ("before", "first_contact"),
        [
            ([], 1),
            ([(ContactTransferred, {})], 0),
            ([(ContactEscalated, {})], 0),
            ([(ContactQueued, {"queue": "B"})], 0),  # a second visit
            ([(ContactQueued, {"queue": "A"})], 1),  # the same visit
            ([(ContactLeftQueue, {"reason": "timeout"}), (ContactQueued, {"queue": "A"})], 0),
        ],
    )
    def test_first_contact(self, before: list[tuple[type[Event], dict[str, Any]]], first_contact: int) -> None:
        """A contact transferred, escalated or queued twice is not resolved at the first contact."""
        events = [*written((200, "resolved")), *(report(kind, 100, **fields) for kind, fields in before)]

        assert parts(recount(events, CONFIGURATION).totals()["first_contact_resolution"]) == (first_contact, first_contact, 1, 1)

    @pytest.mark.parametrize(("kind", "first_contact"), [(ContactTransferred, 0), (ContactEscalated, 1)])
    def test_same_instant(self, kind: type[Event], first_contact: int) -> None:
        """Of one instant the transfer comes before the resolution, the escalation after it."""
        events = [*written((200, "resolved")), report(kind, 200)]

        assert recount(events, CONFIGURATION).totals()["first_contact_resolution"]["value"] == first_contact

    def test_place(self) -> None:
        """Resolved in B what was offered in A: in the row of B, and in the total by the time it was offered."""
        events = [
            *written(),
            report(ContactMessage, 100, author_kind="agent"),
            report(ContactQueued, 890, queue="B"),
            report(ContactMessage, 950, author_kind="agent"),
            report(ContactStatusChanged, 1000, status="resolved"),
            report(ContactStatusChanged, 2000, status="reopened"),
        ]

        result = recount(events, CONFIGURATION)

        assert parts(result.window("queue:A", "ticket", "all")["resolution_time"]) == NOTHING
        # B was entered at 890 s, the episode of the total began at 60 s: both in the first quarter of the hour.
        for scope in ("queue:B", "department:help", "total:all"):
            kpis = result.window(scope, "ticket", "interval_15m", ms(0))
            assert parts(kpis["resolution_time"]) == (1000, 1000, 1, 1)
            assert parts(kpis["reopen_rate"]) == (1, 1, 1, 1)

    def test_leg_of_another_queue(self) -> None:
        """A leg in a queue that the last visit was not in is the place, booked there at the event's own instant."""
        events = [
            *call("c1", 5),
            report(ContactTransferred, 20),
            report(ContactAnswered, 30, queue="C"),
            report(ContactStatusChanged, 910, status="resolved"),
        ]

        result = recount(events, CONFIGURATION)

        # No episode in the shop: both at 910 s. The total has one since 0 s.
        quarters = {scope: list(result.intervals(scope, "voice", 15)) for scope in ("queue:C", "department:shop")}
        assert quarters == {"queue:C": [ms(900)], "department:shop": [ms(900)]}
        assert parts(result.window("total:all", "voice", "interval_15m", ms(0))["resolution_time"]) == (910, 910, 1, 1)

    def test_without_place_or_start(self) -> None:
        """Without a queue it counts nothing, by reason; with a queue but no start the time is unknown and the coverage is 0."""
        placeless = [report(ContactArrived, 0, channel="ticket"), report(ContactStatusChanged, 10, status="resolved")]
        startless = [report(ContactAnswered, 10, queue="A"), report(ContactStatusChanged, 30, status="resolved")]

        assert recount(placeless, CONFIGURATION).counts("total:all", "ticket", "day") == {"uncounted=no_queue": 1}
        assert parts(recount(startless, CONFIGURATION).totals()["resolution_time"]) == (None, 0, 0, 0)
        assert parts(recount(startless, CONFIGURATION).totals()["first_contact_resolution"]) == (1, 1, 1, 1)

    def test_resolved_before_the_queue(self) -> None:
        """A resolution without a place uses up the first one: reopened and resolved in a queue there is only a further one."""
        events = [report(ContactStatusChanged, -10, status="resolved"), *written((100, "reopened"), (200, "resolved"))]

        counts = recount(events, CONFIGURATION).counts("total:all", "ticket", "day")

        assert counts == {"offered": 1, "flow_out:other": 1, "reopened": 1, "resolved": 1}

    def test_channels_together(self) -> None:
        """The total's times are means over channels: a ticket of 600 s and a call of 40 s."""
        events = [*written((600, "resolved")), *call("c2", 10), report(ContactStatusChanged, 40, "c2", status="closed")]

        kpis = recount(events, CONFIGURATION).totals()

        assert parts(kpis["resolution_time"]) == (320, 640, 2, 1)
        assert parts(kpis["first_response_time"]) == (10, 10, 1, 1)  # the ticket was not answered
        assert parts(kpis["resolution_rate"]) == (1, 2, 2, 1)


class TestRates:
    """Transfers and escalations."""

    def test_of_handled(self) -> None:
        """Of 4 handled calls one is transferred, and one escalated twice: 1 ÷ 4 and 2 ÷ 4."""
        events = [event for i in range(4) for event in (*call(f"c{i}", 5), report(ContactEnded, 60, f"c{i}"))]
        events += [
            report(ContactTransferred, 30, "c0"),
            report(ContactEscalated, 31, "c1"),
            report(ContactEscalated, 70, "c1", kind="hierarchical"),
        ]

        kpis = recount(events, CONFIGURATION).window("queue:A", "voice", "day")

        assert parts(kpis["transfer_rate"]) == (1 / 4, 1, 4, 1)
        assert parts(kpis["escalation_rate"]) == (2 / 4, 2, 4, 1)
        assert parts(kpis["escalation_count"]) == (2, 2, None, None)

    def test_nothing_handled(self) -> None:
        """An escalation while nothing is handled has no rate; one without a known start is counted as uncounted."""
        events = [report(ContactQueued, 0, queue="A"), report(ContactEscalated, 5)]

        assert parts(recount(events, CONFIGURATION).totals()["escalation_rate"]) == (None, 1, 0, None)
        alone = recount([report(ContactEscalated, 5)], CONFIGURATION)
        assert alone.scopes() == [("total:all", "voice")]
        assert parts(alone.totals()["escalation_rate"]) == (None, 0, 0, None)
        assert parts(alone.totals()["events_uncounted"]) == (1, 1, None, None)


class TestCallbacks:
    """Requested, tried, reached, waiting and overdue."""

    def test_reached(self) -> None:
        """Of three requested one is reached by an attempt, one by the end, one not: 2 ÷ 3."""
        events: list[Event] = []
        for whom in ("c1", "c2", "c3"):
            events += [report(ContactQueued, 0, whom, queue="A"), report(ContactCallbackRequested, 10, whom)]
            events += [
                report(ContactLeftQueue, 10, whom, reason="callback"),
                report(ContactCallbackAttempted, 60, whom, outcome="no_answer"),
            ]
        events += [
            report(ContactCallbackAttempted, 90, "c1", outcome="reached"),
            report(ContactCallbackEnded, 95, "c1", outcome="reached"),  # is not pending any more
            report(ContactCallbackEnded, 95, "c2", outcome="reached"),
            report(ContactCallbackEnded, 95, "c3", outcome="no_answer"),
        ]

        result = recount(events, CONFIGURATION)

        assert parts(result.window("department:help", "voice", "day")["callback_reach_rate"]) == (2 / 3, 2, 3, 1)
        assert parts(result.totals()["callbacks_requested"]) == (3, 3, None, None)
        assert result.now("queue:A", "voice")["callbacks_waiting"] == 0

    def test_asked_twice(self) -> None:
        """A second request while one is pending counts nothing, not even its due time; after the end it is a new one."""
        pending = [
            report(ContactQueued, 0, queue="A"),
            report(ContactCallbackRequested, 10, due=at_seven(100)),
            report(ContactCallbackRequested, 20, due=at_seven(900)),
            beat(200),
        ]
        again = [report(ContactCallbackEnded, 30, outcome="expired"), report(ContactCallbackRequested, 40, due=at_seven(900))]

        once, twice = recount(pending, CONFIGURATION), recount([*pending, *again], CONFIGURATION)

        for result, requested, overdue in ((once, 1, 1), (twice, 2, 0)):
            assert result.totals()["callbacks_requested"]["value"] == requested
            now = result.now("total:all", "voice")
            assert (now["callbacks_waiting"], now["callbacks_overdue"]) == (1, overdue)

    @pytest.mark.parametrize(
        ("due", "attempt", "waiting", "overdue"),
        [
            (None, {}, 1, 0),  # never overdue
            (299.999, {}, 1, 1),
            (300, {}, 1, 0),  # due just now
            (100, {"due": at_seven(400)}, 1, 0),
            (400, {"due": at_seven(100), "outcome": "no_answer"}, 1, 1),
            (None, {"due": at_seven(100)}, 1, 1),
            (100, {"outcome": "no_answer"}, 1, 1),
            (100, {"outcome": "cancelled"}, 0, 0),
            (100, {"outcome": "expired", "due": at_seven(100)}, 0, 0),
            (100, {"outcome": "reached"}, 0, 0),
        ],
    )
    def test_now(self, due: float | None, attempt: dict[str, Any], waiting: int, overdue: int) -> None:
        """At 7:05 a callback waits until it is over, and is overdue when its latest due time has passed."""
        events = [
            report(ContactQueued, 0, queue="A"),
            report(ContactCallbackRequested, 10, due=None if due is None else at_seven(due)),
            report(ContactCallbackAttempted, 20, **attempt),
            beat(300),
        ]

        result = recount(events, CONFIGURATION)

        for scope in ("queue:A", "department:help", "total:all"):
            now = result.now(scope, "voice")
            assert (now["callbacks_waiting"], now["callbacks_overdue"]) == (waiting, overdue)

    def test_moves_with_the_place(self) -> None:
        """A pending callback waits in the last place of the conversation."""
        events = [report(ContactQueued, 0, queue="A"), report(ContactCallbackRequested, 5), report(ContactQueued, 9, queue="C")]

        result = recount(events, CONFIGURATION)

        assert {scope: result.now(scope, "voice")["callbacks_waiting"] for scope, _ in result.scopes()} == {
            "queue:A": 0,
            "department:help": 0,
            "queue:C": 1,
            "department:shop": 1,
            "total:all": 1,
        }
        assert result.counts("queue:A", "voice", "day")["callbacks_requested"] == 1

    def test_asked_before_the_queue(self) -> None:
        """Asked for without a place it is not counted, but it waits, and is reached, once there is one."""
        waiting: list[Event] = [report(ContactCallbackRequested, 0), report(ContactQueued, 10, queue="A")]

        result = recount(waiting, CONFIGURATION)
        reached = recount([*waiting, report(ContactCallbackEnded, 20, outcome="reached")], CONFIGURATION)

        assert result.now("queue:A", "voice")["callbacks_waiting"] == 1
        assert parts(result.totals()["callback_reach_rate"]) == NOTHING
        assert parts(reached.totals()["callback_reach_rate"]) == (None, 1, 0, None)


class TestSurveys:
    """Surveys of customers."""

    def surveyed(self, kind: str, *scores: float, scale: str | None = None) -> list[Event]:
        """Return a call, one invitation a score, and the answers."""
        events = [*call("c1", 5), report(ContactEnded, 60)]
        events += [report(SurveyInvited, 70, kind=kind) for _ in scores]
        return events + [report(SurveyAnswered, 80, kind=kind, score=score, scale=scale) for score in scores]

    def test_csat(self) -> None:
        """5, 4, 3.5 and 1 are 13.5 ÷ 4, two of four at least 4; 0.5 and 6 are no such scores: 4 of 6 answers covered."""
        kpis = recount(self.surveyed("csat", 5, 4, 3.5, 1, 0.5, 6), CONFIGURATION).window("queue:A", "voice", "day")

        assert parts(kpis["csat"]) == (13.5 / 4, 13.5, 4, 4 / 6)
        assert parts(kpis["csat_top2"]) == (2 / 4, 2, 4, 4 / 6)
        assert parts(kpis["nps"]) == (None, 0, 0, 0)
        assert parts(kpis["survey_response_rate"]) == (1, 6, 6, 1)

    @pytest.mark.parametrize(
        ("scale", "score", "mean", "top"),
        [
            (None, 4, 4, 1),
            ("1-5", 4, 4, 1),
            ("1-10", 4, 1 + 4 * 3 / 9, 0),
            ("0-10", 7.5, 4, 1),
            ("0-10", 7, 3.8, 0),
            ("-103-103", 103, 5, 1),
            ("-103-103", 0, 3, 0),
            # Good or bad is a share and no mean.
            ("0-1", 1, None, 1),
            ("0-1", 0, None, 0),
        ],
    )
    def test_scale_of_csat(self, scale: str | None, score: float, mean: float | None, top: int) -> None:
        """Scores are converted to 1 to 5 in a straight line, the lowest to 1, the highest to 5; what is as high as 4 is a top score."""
        result = recount(self.surveyed("csat", score, scale=scale), CONFIGURATION)
        kpis = result.totals()

        assert kpis["csat"]["value"] == (None if mean is None else round(mean, 3))
        assert parts(kpis["csat_top2"]) == (top, top, 1, 1)
        assert kpis["csat_other_scales"]["value"] == (scale not in {None, "1-5"})

    @pytest.mark.parametrize(("scale", "score"), [("1-10", 0.5), ("0-1", 2), ("5-5", 5), ("7-2", 4), ("-1-1", -1.5)])
    def test_scores_beyond_their_scale(self, scale: str, score: float) -> None:
        """They are answers all the same, and so are those on a scale that is none."""
        kpis = recount(self.surveyed("csat", score, scale=scale), CONFIGURATION).totals()

        assert parts(kpis["csat"]) == (None, 0, 0, 0)
        assert (kpis["csat_other_scales"]["value"], kpis["survey_response_rate"]["numerator"]) == (0, 1)

    def test_thousandths(self) -> None:
        """Scores count in thousandths, but the best are those of 4 and more as given: 3.9996 counts 4.000 and is none."""
        kpis = recount(self.surveyed("csat", 3.9996), CONFIGURATION).totals()

        assert parts(kpis["csat"]) == (4, 4, 1, 1)
        assert kpis["csat_top2"]["value"] == 0

    def test_nps(self) -> None:
        """10, 9 promote, 0, 6 and 3 detract, 8, 7 and 6.5 do neither, 11 counts not: 100 × (2 − 3) ÷ 8 = −12.5, covering 8 of 9."""
        kpis = recount(self.surveyed("nps", 10, 9, 0, 6, 3, 8, 7, 6.5, 11, scale="0-10"), CONFIGURATION).totals()

        assert parts(kpis["nps"]) == (-12.5, -100, 8, 8 / 9)

    def test_mixed(self) -> None:
        """Of csat, nps and effort answered once each, with two invited: each a third, and 3 ÷ 2."""
        events = [*call("c1", 5), report(SurveyInvited, 6, kind="csat"), report(SurveyInvited, 7, kind="nps")]
        events += [report(SurveyAnswered, 8, kind=kind, score=5) for kind in ("csat", "nps", "ces")]

        kpis = recount(events, CONFIGURATION).totals()

        assert parts(kpis["csat"]) == (5, 5, 1, 1 / 3)
        assert parts(kpis["nps"]) == (-100, -100, 1, 1 / 3)
        assert parts(kpis["survey_response_rate"]) == (3 / 2, 3, 2, 1)

    def test_long_after(self) -> None:
        """An answer two hours later counts in the interval of the offer, and in the five minutes of its arrival."""
        events = [*call("c1", 5), report(ContactEnded, 60), report(SurveyAnswered, 7200, kind="csat", score=3)]

        result = recount(events, CONFIGURATION)

        assert list(result.intervals("queue:A", "voice", 15)) == [ms(0)]
        assert parts(result.window("queue:A", "voice", "trailing_5m")["csat"]) == (3, 3, 1, 1)
        assert result.counts("queue:A", "voice", "trailing_5m") == {"csat_count": 1, "csat_milli": 3000, "surveys_answered": 1}

    def test_without_contact(self) -> None:
        """An answer without a known contact is uncounted."""
        assert recount([report(SurveyAnswered, 0, kind="csat", score=5)], CONFIGURATION).counts("total:all", "voice", "day") == {
            "uncounted=no_begin": 1
        }

    def test_excluded(self) -> None:
        """An exclusion removes surveys too; only itself is left."""
        events = [*self.surveyed("csat", 5), report(ContactExcluded, 90, reason="test")]

        assert recount(events, CONFIGURATION).counts("total:all", "voice", "all") == {"excluded=test": 1}


class TestBacklog:
    """Unresolved contacts in reply channels."""

    @pytest.mark.parametrize(
        ("steps", "state"),
        [
            ([], "untouched"),
            ([(ContactStatusChanged, {"status": "open"})], "untouched"),
            ([(ContactStatusChanged, {"status": "on_hold"})], "on_hold"),
            ([(ContactStatusChanged, {"status": "on_hold", "waiting_on": "customer"})], "on_hold"),
            ([(ContactStatusChanged, {"status": "waiting_on_customer"})], "waiting_on_customer"),
            ([(ContactStatusChanged, {"status": "open", "waiting_on": "customer"})], "waiting_on_customer"),
            ([(ContactMessage, {"author_kind": "bot"})], "untouched"),
            ([(ContactMessage, {"author_kind": "agent"})], "in_progress"),
            ([(ContactMessage, {"author_kind": "agent"}), (ContactQueued, {"queue": "A"})], "in_progress"),
            ([(ContactMessage, {"author_kind": "agent"}), (ContactEnded, {})], None),
            ([(ContactLeftQueue, {"reason": "withdrawn"})], None),
            ([(ContactLeftQueue, {"reason": "withdrawn"}), (ContactStatusChanged, {"status": "new"})], "in_progress"),
            ([(ContactStatusChanged, {"status": "resolved"})], None),
            ([(ContactStatusChanged, {"status": "resolved"}), (ContactStatusChanged, {"status": "on_hold"})], None),
            ([(ContactStatusChanged, {"status": "closed"}), (ContactStatusChanged, {"status": "reopened"})], "in_progress"),
            ([(ContactStatusChanged, {"status": "on_hold"}), (ContactStatusChanged, {"status": "open"})], "untouched"),
        ],
    )
    def test_state(self, steps: list[tuple[type[Event], dict[str, Any]]], state: str | None) -> None:
        """A ticket of 7:00 is in one state of the backlog or in none, in all scopes of its place."""
        events = [*written(), *(report(kind, 100 + i, **fields) for i, (kind, fields) in enumerate(steps)), beat(300)]

        result = recount(events, CONFIGURATION)

        for scope in ("queue:A", "department:help", "total:all"):
            now = result.now(scope, "ticket")
            assert {name for name, number in now.items() if name.startswith("backlog_") and number == 1} == (
                {f"backlog_{state}"} if state else set()
            )
            assert now["backlog_oldest_since_ms"] == (ms(0) if state else None)

    def test_oldest(self) -> None:
        """The oldest of all states counts, here the one on hold; what was resolved does not."""
        events: list[Event] = []
        for whom, arrived in (("resolved", 0), ("held", 100), ("new", 200)):
            events += [report(ContactArrived, arrived, whom, channel="mail"), report(ContactQueued, arrived, whom, queue="A")]
        events += [
            report(ContactStatusChanged, 300, "resolved", status="resolved"),
            report(ContactStatusChanged, 300, "held", status="on_hold"),
        ]

        now = recount(events, CONFIGURATION).now("total:all", "mail")

        assert (now["backlog_on_hold"], now["backlog_untouched"], now["backlog_oldest_since_ms"]) == (1, 1, ms(100))

    @pytest.mark.parametrize("channel", ["voice", "chat"])
    def test_elsewhere(self, channel: str) -> None:
        """Voice and chat have no backlog."""
        events = [report(ContactQueued, 0, queue="A", channel=channel), report(ContactStatusChanged, 5, status="on_hold")]

        now = recount(events, CONFIGURATION).now("queue:A", channel)

        assert not any(now.pop("backlog_by_age").values())
        assert not any(number for name, number in now.items() if name.startswith("backlog_"))

    def test_without_start(self) -> None:
        """A contact without a start counts, without an age."""
        events = [report(ContactAnswered, 0, queue="A"), report(ContactStatusChanged, 5, status="open")]
        mailbox = CONFIGURATION.queues["A"].model_copy(update={"channel": "mail"})
        configuration = CONFIGURATION.model_copy(update={"queues": {"A": mailbox}})

        now = recount(events, configuration).now("queue:A", "mail")

        assert (now["backlog_in_progress"], now["backlog_oldest_since_ms"]) == (1, None)
