"""The recount against figures calculated by hand; comments have the arithmetic."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from schemas.agent import AgentHeartbeat, AgentSkillsChanged, AgentStateChanged
from schemas.contact import (
    ContactAnswered,
    ContactArrived,
    ContactEnded,
    ContactExcluded,
    ContactHeld,
    ContactLeftQueue,
    ContactMessage,
    ContactOfferEnded,
    ContactQueued,
    ContactResumed,
    ContactStatusChanged,
    ContactTransferred,
    ContactWorkEnded,
    ContactWorkStarted,
    ContactWrappedUp,
    ContactWrapUpStarted,
)
from schemas.events import encode, parse_agent_event, parse_contact_event, parse_customer_event
from schemas.other import SourceHeartbeat
from schemas.times import parse_time, to_ms
from streams.configuration import Configuration
from tests.oracle.recount import Recount, progress_of, recount
from tests.oracle.reporting import CONFIGURATION, beat, call, ms, parts, report
from tests.oracle.worlds import World, random_world, repeated, shuffled_within_grace, worlds

if TYPE_CHECKING:
    from schemas.base import Event


def with_level(**fields: Any) -> Configuration:
    """Return the configuration with another service level."""
    level = CONFIGURATION.service_level.model_copy(update=fields)
    return CONFIGURATION.model_copy(update={"service_level": level})


class TestServiceLevel:
    """The service level is a policy."""

    @pytest.mark.parametrize(
        ("abandon", "met", "counting"),
        [
            ("ignore_in_threshold", 70, 90),  # 70 / (100 − 10 abandoned in time) = 77.8 %
            ("negative", 70, 100),  # 70 / 100
            ("positive", 80, 100),  # (70 + 10) / 100
            ("handled_only", 70, 90),  # 70 / (70 + 20 answered later)
        ],
    )
    def test_cisco(self, abandon: str, met: int, counting: int) -> None:
        """The guide's 70 in time, 10 abandoned in time and 20 later give 77.8, 70 and 80 %."""
        events = [event for i in range(70) for event in call(f"in{i}", 10)]
        events += [event for i in range(10) for event in call(f"gone{i}", 15, given_up=True)]
        events += [event for i in range(20) for event in call(f"out{i}", 30)]

        result = recount(events, with_level(abandon=abandon))

        for name in ("trailing_15m", "interval_15m", "day"):
            assert parts(result.window("queue:A", "voice", name)["service_level"]) == (met / counting, met, counting, 1)

    def test_boundary(self) -> None:
        """A wait of exactly the threshold is in time with `le` and not with `lt`."""
        events = call("c1", 20)

        assert recount(events, with_level(boundary="le")).totals()["service_level"]["numerator"] == 1
        assert recount(events, with_level(boundary="lt")).totals()["service_level"]["numerator"] == 0

    def test_short_abandons_and_flow_outs(self) -> None:
        """Short abandons count nowhere in it, flow-outs only those of negative reasons."""
        events = call("short", 4.999, given_up=True) + call("gone", 5, given_up=True) + call("in", 1)
        for reason in ("timeout", "empty", "voicemail", "callback"):
            events += [report(ContactQueued, 0, reason, queue="A"), report(ContactLeftQueue, 9, reason, reason=reason)]

        kpis = recount(events, with_level(short_abandon_s=5)).window("queue:A", "voice", "trailing_5m")

        assert parts(kpis["service_level"]) == (1 / 4, 1, 4, 1)  # in ÷ (in + gone + timeout + empty)
        assert parts(kpis["abandon_rate"]) == (2 / 7, 2, 7, 1)  # both abandons ÷ all seven decided

    def test_own_definition(self) -> None:
        """A queue has its own definition, larger scopes the default."""
        own = CONFIGURATION.service_level.model_copy(update={"threshold_s": 5})
        queues = {**CONFIGURATION.queues, "A": CONFIGURATION.queues["A"].model_copy(update={"service_level": own})}

        result = recount(call("c1", 10), CONFIGURATION.model_copy(update={"queues": queues}))

        assert result.window("queue:A", "voice", "day")["service_level"]["value"] == 0
        assert result.window("department:help", "voice", "day")["service_level"]["value"] == 1

    def test_live(self) -> None:
        """The live form counts those waiting longer than the threshold as missed."""
        events = (
            call("c1", 10) + [report(ContactQueued, 0, f"w{i}", queue="A") for i in range(2)] + [report(ContactQueued, 20, "w3", queue="A")]
        )

        result = recount([*events, beat(40)], CONFIGURATION)
        kpis = result.window("queue:A", "voice", "trailing_5m")

        assert parts(kpis["service_level"]) == (1, 1, 1, 1)
        assert parts(kpis["service_level_live"]) == (1 / 3, 1, 3, 1)  # two wait 40 s; the third exactly 20 s, which is not over
        assert "service_level_live" not in result.window("queue:A", "voice", "day")
        assert result.now("queue:A", "voice") == {
            "waiting": 3,
            "waiting_since_ms": [ms(0), ms(0), ms(20)],
            "longest_wait_seconds": 40,
            "waiting_past_threshold": 2,
            "in_progress": 1,
            "callbacks_waiting": 0,
            "callbacks_overdue": 0,
            "backlog_untouched": 0,
            "backlog_in_progress": 0,
            "backlog_waiting_on_customer": 0,
            "backlog_on_hold": 0,
            "backlog_oldest_since_ms": None,
            "backlog_by_age": {"0-4h": 0, "4-24h": 0, "1-3d": 0, "3-7d": 0, "over-7d": 0},
            "reply_overdue": None,
        }


class TestQueues:
    """Visits, episodes and where they are booked."""

    def test_offered_and_answered_in_different_intervals(self) -> None:
        """Offered 7:28, answered 7:32: one contact of 7:00 by offer, but the answer alone in the five minutes before 7:33:10."""
        result = recount([*call("c1", 4 * 60, at=28 * 60), beat(33 * 60 + 5)], CONFIGURATION)

        intervals = result.intervals("queue:A", "voice", 30)
        assert list(intervals) == [ms(0)]
        assert parts(intervals[ms(0)]["answer_rate"]) == (1, 1, 1, 1)
        assert result.window("queue:A", "voice", "interval_30m", ms(30 * 60))["answered"]["value"] == 0
        trailing = result.window("queue:A", "voice", "trailing_5m")
        assert trailing["offered"]["value"] == 0
        assert trailing["answered"]["value"] == 1
        assert parts(trailing["asa"]) == (240, 240, 1, 1)

    def test_interval_of_quarter_hour_zone(self) -> None:
        """Half hours of Nepal, 5:45 ahead, begin at a quarter past and to of UTC."""
        configuration = CONFIGURATION.model_copy(update={"default_zone": "Asia/Kathmandu"})

        result = recount(call("c1", 5, at=10 * 60), configuration)

        assert list(result.intervals("total:all", "voice", 30)) == [ms(-15 * 60)]  # 07:10Z is 12:55, in 12:30–13:00

    def test_overflow(self) -> None:
        """From A after 40 s to B, answered there 20 s later: two visits, and one conversation that waited 60 s."""
        events = [
            report(ContactQueued, 0, queue="A"),
            report(ContactLeftQueue, 40, reason="overflow", queue="A"),
            report(ContactQueued, 40, queue="B"),
            report(ContactAnswered, 60),
        ]

        result = recount(events, CONFIGURATION)

        for scope in ("department:help", "total:all"):
            kpis = result.window(scope, "voice", "day")
            assert (kpis["offered"]["value"], kpis["answered"]["value"], kpis["asa"]["value"]) == (1, 1, 60)
            assert parts(kpis["service_level"]) == (0, 0, 1, 1)
        assert result.counts("queue:A", "voice", "day") == {"offered": 1, "flow_out:overflow": 1}
        assert result.window("queue:B", "voice", "day")["asa"]["value"] == 20

    @pytest.mark.parametrize(("gap", "offered"), [(60, 1), (60.001, 2)])
    def test_rejoin(self, gap: float, offered: int) -> None:
        """Queued again within 60 s is one wait; a millisecond later it is a second offer."""
        events = [
            report(ContactQueued, 0, queue="A"),
            report(ContactLeftQueue, 10, reason="timeout"),
            report(ContactQueued, 10 + gap, queue="B"),
            report(ContactAnswered, 100),
        ]

        counts = recount(events, CONFIGURATION).counts("department:help", "voice", "day")

        waited = 100 if offered == 1 else 100 - 70.001  # since the first entry, or since the second
        expected = {"offered": offered, "answered": 1, "answered_wait_ms": round(waited * 1000)}
        expected |= {"first_response_ms": 100_000, "first_response_count": 1}  # since the first entry in any case
        assert counts == expected | ({} if offered == 1 else {"flow_out:timeout": 1})

    def test_other_department(self) -> None:
        """A transfer to another department is offered there, and a transfer in where the conversation was answered before."""
        events = [
            report(ContactQueued, 0, queue="A"),
            report(ContactAnswered, 10, agent="ann"),
            report(ContactTransferred, 70),
            report(ContactQueued, 70, queue="C"),
            report(ContactAnswered, 95, agent="bo"),
            report(ContactEnded, 125, by="customer"),
        ]

        result = recount(events, CONFIGURATION)

        assert result.counts("queue:A", "voice", "day") == {
            "offered": 1,
            "answered": 1,
            "answered_wait_ms": 10_000,
            "first_response_ms": 10_000,
            "first_response_count": 1,
            "handled": 1,
            "talk_ms": 60_000,
            "talk_count": 1,
            "transfers_out": 1,
        }
        assert result.counts("department:shop", "voice", "day") == {
            "offered": 1,
            "answered": 1,
            "answered_wait_ms": 25_000,
            "handled": 1,
            "talk_ms": 30_000,
            "talk_count": 1,
        }
        assert result.counts("queue:C", "voice", "day")["transfers_in"] == 1
        # Everything once, and the talk of both legs: 60 s + 30 s.
        assert result.counts("total:all", "voice", "day") == {
            "offered": 1,
            "answered": 1,
            "answered_wait_ms": 10_000,
            "first_response_ms": 10_000,
            "first_response_count": 1,
            "handled": 1,
            "talk_ms": 90_000,
            "talk_count": 1,
            "transfers_in": 1,
            "transfers_out": 1,
        }

    def test_two_queues_of_a_department(self) -> None:
        """A contact of two queues counts in both rows and once in the department."""
        events = [
            report(ContactQueued, 0, queue="A"),
            report(ContactAnswered, 5),
            report(ContactQueued, 30, queue="B"),
            report(ContactAnswered, 40),
            report(ContactEnded, 60),
        ]

        result = recount(events, CONFIGURATION)

        for name, talk in (("A", 25), ("B", 20)):
            assert parts(result.window(f"queue:{name}", "voice", "day")["att"]) == (talk, talk, 1, 1)
        assert parts(result.window("department:help", "voice", "day")["att"]) == (45, 45, 1, 1)
        assert set(result.queues()) == {"A", "B"}

    def test_abandoned_after_answer(self) -> None:
        """An abandon after a transfer counts in the second queue, but is no abandoned conversation."""
        events = [
            *call("c1", 5),
            report(ContactTransferred, 20),
            report(ContactQueued, 20, queue="B"),
            report(ContactEnded, 50, by="customer"),
        ]

        result = recount(events, CONFIGURATION)

        assert parts(result.window("queue:B", "voice", "day")["time_to_abandon"]) == (30, 30, 1, 1)
        assert result.window("department:help", "voice", "day")["abandoned"]["value"] == 0
        assert result.counts("department:help", "voice", "day")["abandoned_after_answer"] == 1

    def test_waiting_again_after_an_answer(self) -> None:
        """The customer of an answered conversation waits again since the second entry, everywhere."""
        events = [*call("c1", 5), report(ContactTransferred, 20), report(ContactQueued, 25, queue="B"), beat(60)]

        result = recount(events, CONFIGURATION)

        assert result.now("department:help", "voice")["longest_wait_seconds"] == 35
        assert result.now("total:all", "voice")["in_progress"] == 0

    def test_answered_with_its_wait(self) -> None:
        """An answer with its wait is an entry that long before: offered in the pane of the answer and in the cell of the entry."""
        events = [report(ContactAnswered, 905, queue="A", wait_seconds=30.5), beat(1180)]

        result = recount(events, CONFIGURATION)

        assert result.intervals("queue:A", "voice", 15).keys() == {ms(0)}  # entered at 874.5 s, before 900 s
        trailing = result.window("queue:A", "voice", "trailing_5m")  # [890 s, 1190 s)
        assert (trailing["offered"]["value"], trailing["answered"]["value"], trailing["asa"]["value"]) == (1, 1, 30.5)

    def test_left_with_its_wait(self) -> None:
        """An exit without an entry counts if it has queue and wait, else it counts as uncounted, by reason."""
        result = recount([report(ContactLeftQueue, 60, reason="abandoned", queue="A", wait_seconds=8)], CONFIGURATION)
        nothing = recount([report(ContactLeftQueue, 60, reason="abandoned", queue="A")], CONFIGURATION)

        assert result.counts("queue:A", "voice", "day") == {"offered": 1, "abandoned": 1, "abandoned_wait_ms": 8_000}
        assert nothing.counts("total:all", "voice", "day") == {"uncounted=no_visit": 1}
        assert nothing.scopes() == [("total:all", "voice")]

    def test_queued_twice(self) -> None:
        """A second entry to the same queue changes nothing."""
        events = [report(ContactQueued, 0, queue="A"), report(ContactQueued, 9, queue="A"), report(ContactAnswered, 12)]

        assert parts(recount(events, CONFIGURATION).totals()["asa"]) == (12, 12, 1, 1)

    def test_no_response(self) -> None:
        """An unanswered offer counts in the queue it names, else where the contact waits."""
        events = [
            report(ContactQueued, 0, queue="A"),
            report(ContactOfferEnded, 5, agent="ann", outcome="no_answer"),
            report(ContactOfferEnded, 9, agent="bo", outcome="no_answer", queue="C"),
            report(ContactOfferEnded, 9, agent="bo", outcome="declined"),
        ]

        result = recount(events, CONFIGURATION)

        found = {scope: result.window(scope, "voice", "day")["non_response"]["value"] for scope, _ in result.scopes()}
        assert found == {"queue:A": 1, "queue:C": 1, "department:help": 1, "department:shop": 1, "total:all": 2}

    def test_outbound(self) -> None:
        """An outbound contact is only in outbound figures: one attempt, reached, without an end."""
        events = [report(ContactArrived, 0, channel="voice", direction="outbound"), *call("c1", 5)]
        result = recount(events, CONFIGURATION)

        assert result.scopes() == [("total:all", "voice")]
        assert result.counts("total:all", "voice", "day") == {"outbound": 1, "outbound_reached": 1}
        internal = [report(ContactArrived, 0, channel="voice", direction="internal"), *call("c1", 5)]
        assert recount(internal, CONFIGURATION).scopes() == []

    def test_no_contacts(self) -> None:
        """Without contacts a ratio is null with 0/0 beside it."""
        kpis = recount([beat(0)], CONFIGURATION).window("queue:A", "voice", "trailing_5m")

        for name in ("service_level", "answer_rate", "asa", "aht"):
            assert parts(kpis[name]) == (None, 0, 0, None)
        assert parts(kpis["offered"]) == (0, 0, None, None)

    def test_undecided(self) -> None:
        """Rates of a day divide by offered contacts; coverage is the decided share of them."""
        events = call("c1", 5) + call("c2", 9, given_up=True) + [report(ContactQueued, 0, whom, queue="A") for whom in ("c3", "c4")]

        result = recount(events, CONFIGURATION)

        assert parts(result.window("queue:A", "voice", "day")["answer_rate"]) == (1 / 4, 1, 4, 1 / 2)
        assert parts(result.window("queue:A", "voice", "trailing_5m")["answer_rate"]) == (1 / 2, 1, 2, 1)


class TestHandling:
    """Legs: talk, hold and wrap-up."""

    def test_hold(self) -> None:
        """60 s connected with 15 s and, to the end, 10 s of hold are 35 s of talk."""
        events = [
            *call("c1", 0),
            report(ContactHeld, 30),
            report(ContactResumed, 45),
            report(ContactHeld, 50),
            report(ContactEnded, 60),
            report(ContactWrappedUp, 72.5),
        ]

        kpis = recount(events, CONFIGURATION).totals()

        assert parts(kpis["average_hold"]) == (25, 25, 1, 1)
        assert parts(kpis["att"]) == (35, 35, 1, 1)
        assert parts(kpis["acw"]) == (12.5, 12.5, 1, 1)
        assert parts(kpis["aht"]) == (72.5, 72.5, 1, 1)

    def test_hold_unknown(self) -> None:
        """Where no hold is reported it is null with coverage, not zero; where the source would report it, it is zero."""
        events = [
            *(report(ContactQueued, 0, whom, queue="A") for whom in ("c1", "c2")),
            report(ContactAnswered, 5, "c1"),
            report(ContactAnswered, 5, "c2", reports=("hold",)),
            *(report(ContactEnded, 35, whom) for whom in ("c1", "c2")),
        ]

        kpis = recount(events, CONFIGURATION).totals()

        assert parts(kpis["average_hold"]) == (0, 0, 1, 1 / 2)
        assert parts(kpis["att"]) == (30, 60, 2, 1)
        assert parts(kpis["aht"]) == (None, 0, 0, 0)  # no wrap-up was reported

    @pytest.mark.parametrize(
        ("steps", "talk", "wrap"),
        [
            ([(ContactEnded, 60, {}), (ContactWrapUpStarted, 65, {}), (ContactWrappedUp, 80, {})], 60, 15),
            ([(ContactEnded, 60, {}), (ContactWrappedUp, 80, {})], 60, 20),
            ([(ContactEnded, 60, {}), (ContactWrappedUp, 80, {"wrap_up_seconds": 7.25})], 60, 7.25),
            ([(ContactWrapUpStarted, 50, {}), (ContactEnded, 60, {}), (ContactWrappedUp, 80, {})], 50, 30),
            ([(ContactWrappedUp, 80, {"wrap_up_seconds": 12}), (ContactEnded, 90, {})], 80, 12),
            ([(ContactWrappedUp, 80, {}), (ContactEnded, 90, {})], 80, 0),
        ],
    )
    def test_wrap_up(self, steps: list[tuple[type[Event], float, dict[str, Any]]], talk: float, wrap: float) -> None:
        """Wrap-up counts as given, else since it began, else since the leg ended; it ends a leg that is still active."""
        events = [*call("c1", 0), *(report(kind, at, **fields) for kind, at, fields in steps)]

        kpis = recount(events, CONFIGURATION).totals()

        assert kpis["att"]["value"] == talk
        assert kpis["acw"]["value"] == wrap
        assert parts(kpis["aht"]) == (talk + wrap, talk + wrap, 1, 1)

    def test_wrap_up_of_an_earlier_leg(self) -> None:
        """The wrap-up of the first agent belongs to the first leg though the second talks already."""
        events = [
            report(ContactQueued, 0, queue="A"),
            report(ContactAnswered, 0, agent="ann"),
            report(ContactTransferred, 30),
            report(ContactAnswered, 30, agent="bo"),
            report(ContactWrappedUp, 40, agent="ann"),
            report(ContactEnded, 90),
        ]

        result = recount(events, CONFIGURATION)

        kpis = result.window("queue:A", "voice", "day")
        assert parts(kpis["acw"]) == (10, 10, 1, 1 / 2)  # one of two legs
        assert parts(kpis["aht"]) == (40, 40, 1, 1 / 2)
        assert parts(kpis["att"]) == (45, 90, 2, 1)  # 30 s and 60 s; the second leg stays in the queue of the first
        assert parts(result.window("department:help", "voice", "day")["att"]) == (90, 90, 1, 1)

    def test_mail(self) -> None:
        """A mail is answered by the first public message that an agent wrote, and talk is the touch time until then and after."""
        events = [
            report(ContactArrived, 0, channel="mail"),
            report(ContactQueued, 0, queue="A"),
            report(ContactMessage, 1, author_kind="agent", automatic=True),
            report(ContactMessage, 2, author_kind="agent", public=False),
            report(ContactWorkStarted, 600, agent="ann"),
            report(ContactMessage, 840, author_kind="agent"),
            report(ContactWorkEnded, 900, agent="ann"),
            report(ContactWorkStarted, 1000, agent="bo"),
            report(ContactWorkEnded, 1060, agent="bo"),
            report(ContactStatusChanged, 1060, status="resolved"),
        ]

        result = recount(events, CONFIGURATION)
        kpis = result.window("queue:A", "mail", "day")

        assert parts(kpis["asa"]) == (840, 840, 1, 1)
        assert parts(kpis["att"]) == (360, 360, 1, 1)  # 300 s by ann, 60 s by bo
        assert parts(kpis["average_hold"]) == (None, 0, 0, 0)
        assert parts(kpis["abandon_rate"]) == (None, None, None, None)
        assert result.scopes() == [("department:help", "mail"), ("queue:A", "mail"), ("total:all", None), ("total:all", "mail")]

    def test_mail_without_work(self) -> None:
        """Without reported work the talk of a mail is unknown, not zero."""
        events = [
            report(ContactQueued, 0, queue="A", channel="mail"),
            report(ContactMessage, 9, author_kind="agent", public=True),
            report(ContactStatusChanged, 20, status="closed"),
        ]

        assert parts(recount(events, CONFIGURATION).totals()["att"]) == (None, 0, 0, 0)

    def test_mail_passed_on(self) -> None:
        """Each leg has the touch time closed since the last; whose agent is unknown, as after a message, wraps up for any."""
        events = [
            report(ContactQueued, 0, queue="A", channel="mail"),
            report(ContactWorkStarted, 10, agent="ann"),
            report(ContactWorkEnded, 40, agent="ann"),
            report(ContactMessage, 40, author_kind="agent"),
            report(ContactTransferred, 50),
            report(ContactWrappedUp, 55, agent="ann"),
            report(ContactQueued, 60, queue="B", channel="mail"),
            report(ContactWorkStarted, 70, agent="bo"),
            report(ContactWorkStarted, 75, agent="bo"),
            report(ContactMessage, 80, author_kind="agent"),
            report(ContactWorkEnded, 90, agent="bo"),
            report(ContactEnded, 95, by="agent"),
        ]

        result = recount(events, CONFIGURATION)

        first = result.window("queue:A", "mail", "day")
        assert parts(first["att"]) == (30, 30, 1, 1)  # 10 s to 40 s
        assert parts(first["aht"]) == (30, 30, 1, 1)  # handling is touch time: the 5 s of wrap-up add nothing
        assert parts(first["acw"]) == (5, 5, 1, 1)
        assert result.window("queue:B", "mail", "day")["att"]["value"] == 20  # 70 s to 90 s

    def test_leg_without_visit(self) -> None:
        """A leg that answered no visit is booked at its end in the queue, and with the latest episode in larger scopes."""
        events = [
            *call("c1", 5),
            report(ContactTransferred, 20),
            report(ContactAnswered, 890, agent="bo"),
            report(ContactEnded, 910),
        ]

        result = recount(events, CONFIGURATION)

        in_queue = result.intervals("queue:A", "voice", 15)
        assert {start: kpis["handled"]["value"] for start, kpis in in_queue.items()} == {ms(0): 1, ms(900): 1}
        in_department = result.intervals("department:help", "voice", 15)
        assert parts(in_department[ms(0)]["att"]) == (15 + 20, 35, 1, 1)
        assert list(in_department) == [ms(0)]

    def test_chat(self) -> None:
        """A short message answers where people reply by writing; a chat is answered when an agent takes it."""
        answered = {}
        for channel in ("sms", "social", "chat"):
            events = [report(ContactQueued, 0, queue="A", channel=channel), report(ContactMessage, 9, author_kind="agent")]
            answered[channel] = recount(events, CONFIGURATION).totals()["answered"]["value"]

        assert answered == {"sms": 1, "social": 1, "chat": 0}

    def test_totals_of_channels(self) -> None:
        """Handling times are not averaged over channels; counts and rates are."""
        events = [*call("c1", 5), report(ContactEnded, 30)]
        events += [
            report(ContactQueued, 0, "c2", queue="A", channel="chat"),
            report(ContactAnswered, 9, "c2"),
            report(ContactEnded, 90, "c2"),
        ]

        kpis = recount(events, CONFIGURATION).totals()

        assert parts(kpis["answer_rate"]) == (1, 2, 2, 1)
        for name in ("aht", "att", "acw", "average_hold"):
            assert (kpis[name]["value"], kpis[name]["coverage"]) == (None, None)


class TestReceiving:
    """Repeated, late and excluded events."""

    @pytest.mark.parametrize(("delay", "late"), [(127, 0), (127.001, 1)])
    def test_late(self, delay: float, late: int) -> None:
        """An event of 7:00:03 is late after 7:00:10 + 120 s, and counts nothing then."""
        result = recount([report(ContactQueued, 3, queue="A", delay=delay)], CONFIGURATION)

        assert result.late_contacts.total() == late
        assert result.late_contacts["A"] == late
        assert len(result.scopes()) == (0 if late else 3)

    @pytest.mark.parametrize(("received", "removed"), [(130, True), (130.001, False)])
    def test_excluded(self, received: float, removed: bool) -> None:
        """An exclusion removes everything and is counted; once a pane of it is frozen (7:00:10 + 120 s), it removes nothing."""
        events = [*call("c1", 20), report(ContactExcluded, 100, reason="spam", delay=received - 100)]

        result = recount(events, CONFIGURATION)

        assert (result.counts("queue:A", "voice", "all") == {"excluded=spam": 1}) is removed
        assert result.late_contacts == ({} if removed else {None: 1})

    def test_repeats(self) -> None:
        """An event that comes again, even when late by then, counts once."""
        events: list[Event] = [*call("c1", 5), report(ContactEnded, 60)]
        again = [event.model_copy(update={"received_at": event.received_at + timedelta(hours=1)}) for event in events]

        result = recount([*again, *events, *events], CONFIGURATION)

        assert result.totals() == recount(events, CONFIGURATION).totals()
        assert not result.late_contacts

    @pytest.mark.parametrize("seed", range(12))
    def test_order(self, seed: int) -> None:
        """The order of the input, repeats and arrival times within the grace change nothing."""
        world = random_world(seed, conversations=25, people=4)
        rng = Random(seed)
        result = recount(world.events, world.configuration)
        shuffled = list(world.events)
        rng.shuffle(shuffled)

        otherwise = repeated(shuffled_within_grace(world.events, rng), rng)

        for events in (shuffled, otherwise):
            again = recount(events, world.configuration, result.as_of_ms, result.people_through_ms)
            assert everything(again) == everything(result)

    @settings(max_examples=30, deadline=None)
    @given(world=worlds(late=True))
    def test_sums(self, world: World) -> None:
        """In any world intervals add up to the input, what is decided is offered, and channels of the total are its scopes'."""
        result = recount(world.events, world.configuration)

        for scope, channel in result.scopes():
            if channel is not None:
                whole = result.window(scope, channel, "all")
                for name in ("offered", "answered", "abandoned", "handled", "non_response", "escalation_count", "callbacks_requested"):
                    by_interval = [kpis[name]["value"] or 0 for kpis in result.intervals(scope, channel, 15).values()]
                    assert sum(by_interval) == (whole[name]["value"] or 0)
        counts = [
            result.counts(scope, channel, "all") for scope, channel in result.scopes() if scope == "total:all" and channel is not None
        ]
        ends = ("answered", "abandoned")
        decided = sum(n for each in counts for what, n in each.items() if what in ends or what.startswith("flow_out:"))
        assert decided <= (result.totals()["offered"]["value"] or 0)


def everything(result: Recount) -> dict[str, Any]:
    """Return all figures of a recount."""
    windows = ("trailing_5m", "trailing_60m", "interval_15m", "day", "all")
    return {
        "totals": result.totals(),
        "queues": result.queues(),
        "windows": {(*pair, name): result.window(*pair, name) for pair in result.scopes() for name in windows},
        "intervals": {pair: result.intervals(*pair, 30) for pair in result.scopes()},
        "now": {pair: result.now(*pair) for pair in result.scopes()},
    }


class TestDays:
    """A day is the scope's own."""

    def test_midnight_in_tokyo(self) -> None:
        """A call that waits over Tokyo's midnight (15:00 UTC) belongs to the day it was offered; elsewhere the day has not ended."""
        start = "2026-06-15T14:59:50Z"
        events = [report(ContactQueued, 0, queue="osaka", start=start), report(ContactAnswered, 20, start=start)]
        events += [report(ContactQueued, 15, "c2", queue="osaka", start=start)]

        result = recount(events, CONFIGURATION)

        assert result.bounds("queue:osaka", "voice", "day") == (ms(10, start), ms(10 + 86_400, start))
        assert result.counts("queue:osaka", "voice", "day") == {"offered": 1}  # only the second call
        assert result.counts("site:tokyo", "voice", "day") == {"offered": 1}
        assert result.counts("total:all", "voice", "day") == {
            "offered": 2,
            "answered": 1,
            "answered_wait_ms": 20_000,
            "first_response_ms": 20_000,
            "first_response_count": 1,
        }
        assert result.window("queue:osaka", "voice", "trailing_5m")["answered"]["value"] == 1

    def test_day_of_25_hours(self) -> None:
        """When Berlin's clock goes back its day lasts from 22:00 to 23:00 UTC of the next, and 2:00 to 3:00 comes twice."""
        start = "2026-10-24T22:00:00Z"
        hours = (-0.01, 0, 2.5, 3.5, 24.99, 25)  # local 23:59, 0:00, 2:30, 2:30 again, 23:59, 0:00
        events = [report(ContactQueued, hour * 3600, f"c{hour}", queue="bonn", start=start) for hour in hours]

        result = recount(events, CONFIGURATION, as_of_ms=ms(24 * 3600, start))

        assert result.bounds("queue:bonn", "voice", "day") == (ms(0, start), ms(25 * 3600, start))
        assert result.window("queue:bonn", "voice", "day")["offered"]["value"] == 4
        # Those of the six entries, and of what is lost four hours after the first four: in one of these already, at 4:00, 6:30 and 7:30.
        assert len(result.intervals("site:berlin", "voice", 30)) == 6 + 3

    @pytest.mark.parametrize(("as_of", "offered"), [(5.99, 1), (6, 2)])
    def test_day_start(self, as_of: float, offered: int) -> None:
        """A site's day begins at its configured time, here at 6:00."""
        midnight = "2026-06-15T00:00:00Z"
        hours = {"yesterday": -1.0, "early": 6.0, "today": 6.5}
        events = [report(ContactQueued, hour * 3600, whom, queue="dawn", start=midnight) for whom, hour in hours.items()]

        result = recount(events, CONFIGURATION, as_of_ms=ms(as_of * 3600, midnight))

        assert result.window("site:early", "voice", "day")["offered"]["value"] == offered


def state(seconds: float, axis: str, name: str, whom: str = "ann", **fields: Any) -> AgentStateChanged:
    """Return a change of a person's state."""
    return report(AgentStateChanged, seconds, whom, axis=axis, state=name, **fields)


class TestPeople:
    """Time of people, and the count of them now."""

    def test_two_axes_and_a_break(self) -> None:
        """Of 600 s: 100 s idle, 200 s handling, 60 s break, 140 s handling, 40 s of it on, then 60 s offline."""
        events: list[Event] = [
            state(0, "presence", "On Queue"),
            state(0, "routing", "IDLE"),
            state(100, "routing", "INTERACTING"),
            state(300, "routing", "OFF_QUEUE"),
            state(300, "presence", "Break"),
            state(360, "presence", "On Queue"),
            state(360, "routing", "Communicating"),
            state(500, "presence", "Meal"),  # still with the customer
            state(540, "presence", "Offline"),
            beat(600),
        ]

        result = recount(events, CONFIGURATION)

        # handling 200 + 140 + 40 = 380 s, idle 100 s: 380 / 480
        assert parts(result.window("team:red", None, "day")["occupancy"]) == (380 / 480, 380, 480, 1)
        assert result.counts("total:all", None, "day") == {"handling": 380_000, "idle": 100_000, "unavailable": 60_000}
        # [300 s, 600 s) holds no idle time.
        assert parts(result.window("site:berlin", None, "trailing_5m")["occupancy"]) == (1, 180, 180, 1)
        assert result.now("total:all", None) == {"agents_by_state": {}}
        assert result.scopes() == [("business:acme", None), ("site:berlin", None), ("team:red", None), ("total:all", None)]

    def test_presence_only(self) -> None:
        """An agent with presence alone may be idle or not: occupancy is null, and covers nothing."""
        result = recount([state(0, "presence", "Available"), beat(100)], CONFIGURATION)

        assert parts(result.window("team:red", None, "trailing_5m")["occupancy"]) == (None, 0, 0, 0)
        assert result.now("team:red", None) == {"agents_by_state": {"available": 1}}

    def test_mixed_sources(self) -> None:
        """The time of agents without reported idle states lowers the coverage."""
        events = [
            state(0, "presence", "online"),
            state(0, "activity", "on call", "bo"),
            state(0, "activity", "ringing", "cy"),
            state(50, "activity", "After-Contact Work", "cy"),
            beat(100),
        ]

        result = recount(events, CONFIGURATION)

        # handling 100 + wrap-up 50 of that + idle 50 = 200 s; ann's 100 s are not known: 200 / 300
        assert parts(result.window("total:all", None, "day")["occupancy"]) == (150 / 200, 150, 200, 200 / 300)
        assert result.now("total:all", None)["agents_by_state"] == {"available": 1, "handling": 1, "wrap_up": 1}

    def test_booked_by_panes(self) -> None:
        """Time is booked up to the last whole pane that progress has passed."""
        events = [state(3, "activity", "idle"), beat(29.999)]

        assert recount(events, CONFIGURATION).counts("team:red", None, "day") == {"idle": 17_000}  # 3 s to 20 s
        assert recount([*events, beat(30)], CONFIGURATION).counts("team:red", None, "day") == {"idle": 27_000}

    def test_break_of_presence(self) -> None:
        """A break on the presence axis takes precedence over idle on another, but not over handling."""
        events = [state(0, "presence", "Lunch"), state(0, "routing", "idle"), state(20, "activity", "on call"), beat(60)]

        assert recount(events, CONFIGURATION).counts("team:red", None, "day") == {"unavailable": 20_000, "handling": 40_000}

    def test_trailing_window(self) -> None:
        """The trailing window of people ends with progress, that of contacts with as-of."""
        events = [
            state(0, "activity", "idle"),
            report(ContactQueued, 15, queue="A"),
            beat(400, complete_through=parse_time("2026-06-15T07:05:05Z")),
        ]

        result = recount(events, CONFIGURATION)

        assert result.counts("team:red", None, "trailing_5m") == {"idle": 300_000}
        assert result.bounds("team:red", None, "trailing_5m") == (ms(0), ms(300))
        assert result.bounds("queue:A", "voice", "trailing_5m") == (ms(110), ms(410))

    def test_agent_of_two_queues(self) -> None:
        """An agent of two queues is one agent in the total; no agent's time belongs to a queue."""
        events = [report(AgentSkillsChanged, 0, "ann", queues=("A", "B")), state(0, "activity", "idle"), beat(60)]

        result = recount(events, CONFIGURATION)

        assert result.now("total:all", None) == {"agents_by_state": {"idle": 1}}
        assert not [scope for scope, _ in result.scopes() if scope.startswith("queue:")]

    def test_another_team(self) -> None:
        """From the event that names another team on the time is that team's; an own site goes before the team's; heartbeats name none."""
        events = [
            state(0, "activity", "idle"),
            report(AgentSkillsChanged, 20, "ann", team="blue"),
            report(AgentHeartbeat, 30, "ann", site="berlin"),
            report(AgentSkillsChanged, 60, "ann", site="early"),
            beat(100),
        ]

        result = recount(events, CONFIGURATION)

        found = {scope: result.counts(scope, None, "all") for scope, _ in result.scopes()}
        assert found == {
            "team:red": {"idle": 20_000},
            "business:acme": {"idle": 20_000},
            "site:berlin": {"idle": 20_000},
            "team:blue": {"idle": 80_000},
            "site:tokyo": {"idle": 40_000},
            "site:early": {"idle": 40_000},
            "total:all": {"idle": 100_000},
        }

    def test_intervals(self) -> None:
        """A contact of 52 minutes from 5:23 is split 7, 30 and 15 minutes over the half hours."""
        five = "2026-06-15T05:00:00Z"
        events = [
            state(23 * 60, "activity", "on call", start=five),
            state(75 * 60, "activity", "idle", start=five),
            beat(90 * 60, start=five),
        ]

        intervals = recount(events, CONFIGURATION).intervals("team:red", None, 30)

        handled = {start: kpis["occupancy"]["numerator"] for start, kpis in intervals.items()}
        assert handled == {ms(0, five): 7 * 60, ms(1800, five): 30 * 60, ms(3600, five): 15 * 60}

    def test_late(self) -> None:
        """A late event of a person is no fact."""
        result = recount([state(0, "activity", "idle"), state(5, "activity", "talk", delay=200), beat(300)], CONFIGURATION)

        assert result.late_people == 1
        assert result.counts("team:red", None, "all") == {"idle": 300_000}


class TestProgress:
    """How far a partition has come."""

    def test_heartbeats(self) -> None:
        """Progress is the smallest of the sources': its heartbeat, else the last event less the disorder allowed for."""
        events = [beat(90, source="switch"), report(ContactQueued, 100, queue="A", source="log"), beat(80, source="desk")]

        progress = progress_of(events, CONFIGURATION)

        assert (progress.received_through_ms, progress.progress_ms) == (ms(100), ms(80))
        assert progress_of(events[:2], CONFIGURATION).progress_ms == ms(90)
        assert progress_of(events[1:2], CONFIGURATION).progress_ms == ms(95)
        assert progress_of([], CONFIGURATION).progress_ms is None

    def test_ended(self) -> None:
        """A source that ended is neither waited for nor stale, until its next event."""
        events = [beat(20, source="file", ended=True), beat(100, source="alive")]

        assert progress_of(events, CONFIGURATION).progress_ms == ms(100)
        assert progress_of(events, CONFIGURATION).stale == set()
        assert progress_of(events[:1], CONFIGURATION).progress_ms == ms(20)
        assert progress_of([*events, beat(30, source="file")], CONFIGURATION).stale == {"file"}
        assert progress_of(events, CONFIGURATION).seen == {"alive"}

    def test_instances(self) -> None:
        """A source is complete through the least of its gateways, without ended or silent ones; its own heartbeat takes precedence."""
        one, two = beat(90, source="desk", instance="one"), beat(80, source="desk", instance="two")

        assert progress_of([one, two], CONFIGURATION).progress_ms == ms(80)
        assert progress_of([one, two, beat(91, source="desk", instance="two", ended=True)], CONFIGURATION).progress_ms == ms(90)
        assert progress_of([two, beat(120, source="desk", instance="one")], CONFIGURATION).progress_ms == ms(80)
        assert progress_of([two, beat(120.001, source="desk", instance="one")], CONFIGURATION).progress_ms == ms(120.001)
        assert progress_of([one, two, beat(95, source="desk")], CONFIGURATION).progress_ms == ms(95)

    @pytest.mark.parametrize(
        ("now", "declared", "stale"), [(1000, None, False), (1000.001, None, True), (130, 30, False), (130.001, 30, True)]
    )
    def test_silent_behind_a_gateway(self, now: float, declared: int | None, stale: bool) -> None:
        """A gateway's heartbeat is waited for, but is no sign of life: silent after 15 minutes, or as configured."""
        configuration = Configuration.model_validate({"sources": {"desk": {"silence_seconds": declared}}})
        sent, heartbeat = report(ContactQueued, 100, queue="A", source="desk"), beat(now, source="desk", instance="one")

        assert progress_of([sent, heartbeat], configuration).stale == ({"desk"} if stale else set())
        assert progress_of([sent, heartbeat], configuration).progress_ms == ms(now)
        assert progress_of([heartbeat], configuration).stale == set()
        assert [progress_of(each, configuration).seen for each in ([sent, heartbeat], [heartbeat])] == [{"desk"}, set()]

    @pytest.mark.parametrize(("now", "stale"), [(140, False), (140.001, True)])
    def test_stale(self, now: float, stale: bool) -> None:
        """A source silent for more than 40 s by the others' clock holds nothing back."""
        progress = progress_of([beat(100, source="old"), beat(now, source="new")], CONFIGURATION)

        assert progress.stale == ({"old"} if stale else set())
        assert progress.progress_ms == ms(now if stale else 100)


class TestWorlds:
    """The generator keeps its promises."""

    @pytest.mark.parametrize("seed", range(8))
    def test_valid(self, seed: int) -> None:
        """Every event of a world survives the wire, and the list is in received order; the same seed gives the same world."""
        world = random_world(seed, conversations=15, people=3, late=bool(seed % 2))

        for event in world.events:
            encoded = encode(event)
            match event.type.partition(".")[0]:
                case "agent" | "schedule":
                    assert parse_agent_event(encoded) == event
                case "customer" | "order" | "forecast":
                    assert parse_customer_event(encoded) == event
                case _:
                    assert parse_contact_event(encoded) == event
        assert world.events == sorted(world.events, key=lambda event: event.received_at)
        assert world == random_world(seed, conversations=15, people=3, late=bool(seed % 2))

    def test_late_only_when_asked_for(self) -> None:
        """By default nothing is late, nor after shuffles and repeats; with the option something is."""
        world = random_world(3)
        otherwise = repeated(shuffled_within_grace(world.events, Random(3)), Random(3))

        for events in (world.events, otherwise):
            result = recount([each for each in events if not isinstance(each, ContactExcluded)], world.configuration)
            assert (result.late_contacts.total(), result.late_people) == (0, 0)
        assert recount(random_world(3, late=True).events, world.configuration).late_contacts.total() > 0

    @pytest.mark.parametrize("seed", range(8))
    def test_honest_heartbeats(self, seed: int) -> None:
        """Nothing that occurred before a heartbeat's time comes after it, but repeats."""
        world = random_world(seed)

        for events in (world.events, shuffled_within_grace(world.events, Random(seed))):
            through: dict[str, dict[str | None, int]] = defaultdict(dict)
            for event in events:
                if isinstance(event, SourceHeartbeat):
                    through[event.source][event.instance] = to_ms(event.complete_through)
                else:
                    assert to_ms(event.occurred_at) >= min(through[event.source].values(), default=0)
