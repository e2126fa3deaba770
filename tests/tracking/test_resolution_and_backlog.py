"""What belongs to a conversation as a whole, counted by hand: docs/counting.md section 4.2 and the end of 4.1."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.times import format_ms
from tests.tracking.desk import CONFIGURATION, START_MS, Desk, mail, reply, status

#: A survey kind and score, and what it adds beside ``surveys_answered``.
SCORES = [
    ({"kind": "csat", "score": 4}, {"csat_count": 1, "csat_milli": 4000, "csat_top": 1}),
    ({"kind": "csat", "score": 3.5, "scale": "1-5"}, {"csat_count": 1, "csat_milli": 3500}),
    ({"kind": "csat", "score": 3.9999, "scale": "1-5"}, {"csat_count": 1, "csat_milli": 4000}),
    ({"kind": "csat", "score": 0}, {}),
    ({"kind": "csat", "score": 6}, {}),
    # 1 + 4 × 4 ÷ 9, 1 + 4 × 3 ÷ 4, and good.
    ({"kind": "csat", "score": 5, "scale": "1-10"}, {"csat_count": 1, "csat_milli": 2778, "csat_scale=1-10": 1}),
    ({"kind": "csat", "score": 51.5, "scale": "-103-103"}, {"csat_count": 1, "csat_milli": 4000, "csat_top": 1, "csat_scale=-103-103": 1}),
    ({"kind": "csat", "score": 1, "scale": "0-1"}, {"csat_count": 1, "csat_good_or_bad": 1, "csat_top": 1, "csat_scale=0-1": 1}),
    ({"kind": "csat", "score": 3, "scale": "3-77"}, {"csat_count": 1, "csat_milli": 1000, "csat_scale=(other)": 1}),
    ({"kind": "csat", "score": 5, "scale": "5-5"}, {}),
    ({"kind": "nps", "score": 9}, {"nps_count": 1, "nps_promoters": 1}),
    ({"kind": "nps", "score": 7, "scale": "0-10"}, {"nps_count": 1}),
    ({"kind": "nps", "score": 6}, {"nps_count": 1, "nps_detractors": 1}),
    ({"kind": "nps", "score": 11}, {}),
    ({"kind": "nps", "score": 3, "scale": "1-5"}, {}),
    ({"kind": "ces", "score": 5}, {}),
]


def part(sums: dict[str, int], *words: str) -> dict[str, int]:
    """Return the sums whose names begin with one of the words."""
    return {name: amount for name, amount in sums.items() if name.startswith(words)}


# ---- handling in reply channels


def test_handle_time_in_reply_channels_is_booked_at_the_end_of_the_leg() -> None:
    """Touch time of 60 s is talk and handle time when the leg ends; wrap-up of 30 s is wrap-up and nothing else."""
    desk = reply(mail(), 100).apply(110, "work_started", agent="ann").apply(170, "work_ended", agent="ann")
    desk.apply(200, "transferred")
    assert part(desk.sums(), "handle", "talk", "wrap") == {
        "handled": 1,
        "handle_ms": 60_000,
        "handle_count": 1,
        "talk_ms": 60_000,
        "talk_count": 1,
    }

    desk.apply(210, "wrapped_up", wrap_up_seconds=30)
    assert part(desk.sums(), "handle", "wrap") == {"handled": 1, "handle_ms": 60_000, "handle_count": 1, "wrap_ms": 30_000, "wrap_count": 1}


def test_handling_without_touch_time_is_not_known() -> None:
    """A mail answered with no work interval is handled, its handle time is not known."""
    assert part(status(reply(mail(), 100), 120, "resolved").sums(), "handle", "talk") == {"handled": 1}


def test_handle_time_of_calls_is_booked_with_the_wrap_up() -> None:
    """A call of 60 s with 15 s of wrap-up has 75 s of handle time once wrapped up, and none before."""
    desk = Desk().apply(0, "queued", queue="calls").apply(10, "answered", agent="ann").apply(70, "ended", by="agent")
    assert "handle_count" not in desk.sums("queue:calls", "voice")

    assert part(desk.apply(85, "wrapped_up").sums("queue:calls", "voice"), "handle_") == {"handle_ms": 75_000, "handle_count": 1}


# ---- first response


def test_the_first_response_runs_from_the_arrival() -> None:
    """Arrived at 0, queued at 10, the first public message of an agent at 100: 100 s, booked once, in every scope of the queue."""
    desk = mail().apply(20, "message", author_kind="bot").apply(30, "message", author_kind="customer")
    reply(reply(desk, 40, public=False), 50, automatic=True)
    reply(reply(desk, 100), 200)

    for scope in ("queue:mails", "department:desk", "total:all"):
        assert part(desk.sums(scope), "first_response") == {"first_response_ms": 100_000, "first_response_count": 1}


def test_an_answered_call_is_responded_to() -> None:
    """Without an arrival the start is the entry of the first visit, known here from the wait; a message later changes nothing."""
    desk = Desk().apply(30, "answered", agent="ann", queue="calls", wait_seconds=12).apply(40, "message", author_kind="agent")

    assert part(desk.sums("queue:calls", "voice"), "first_response") == {"first_response_ms": 12_000, "first_response_count": 1}


def test_a_chat_message_is_a_response_though_no_answer() -> None:
    """In a chat an agent's words answer no visit, but they respond."""
    desk = Desk().apply(0, "queued", queue="calls", channel="chat")
    reply(desk, 25).apply(30, "answered", agent="ann")

    assert part(desk.sums("queue:calls", "chat"), "first_response") == {"first_response_ms": 25_000, "first_response_count": 1}


def test_a_message_without_a_place_is_no_response() -> None:
    """Before any queue is known there is nowhere to count it; the next message counts."""
    desk = reply(Desk().apply(0, "arrived", channel="mail"), 5).apply(10, "queued", queue="mails")

    assert part(reply(desk, 60).sums(), "first_response") == {"first_response_ms": 60_000, "first_response_count": 1}


def test_a_response_without_a_start_takes_the_place_of_later_ones() -> None:
    """An answer in a queue without arrival, visit or wait is the first response, without a time; no later one counts."""
    desk = Desk().apply(10, "answered", agent="ann", queue="calls").apply(20, "queued", queue="calls").apply(30, "answered")

    assert part(desk.sums("queue:calls", "voice"), "first_response") == {}


def test_the_first_response_is_offered_with_the_visit() -> None:
    """Queued at 10 s and answered 20 minutes later it is in the first cell by offer; a leg in another queue has no visit there."""
    desk = reply(mail(), 1200)
    assert desk.by_offer("first_response_count") == {0: 1}

    other = Desk().apply(0, "arrived", channel="mail").apply(10, "queued", queue="mails").apply(20, "left_queue", reason="withdrawn")
    other.apply(1200, "answered", agent="ann", queue="claims")
    assert other.by_offer("first_response_count", "queue:claims") == {15: 1}
    assert other.by_offer("first_response_count", "total:all") == {0: 1}
    assert other.by_offer("first_response_count", "department:desk") == {}


# ---- resolution


def test_a_resolution_at_first_contact() -> None:
    """Resolved 300 s after arrival, by one agent in one queue; closing it afterwards resolves nothing more."""
    desk = status(status(reply(mail(), 100), 300, "resolved"), 400, "closed")

    assert part(desk.sums(), "resol", "first_", "reop") == {
        "first_response_ms": 100_000,
        "first_response_count": 1,
        "resolved": 1,
        "first_resolved": 1,
        "resolution_ms": 300_000,
        "resolution_count": 1,
        "first_contact_resolved": 1,
    }


def test_reopening_takes_the_first_contact_back_once() -> None:
    """Resolved, reopened, closed, opened: two resolutions, one of them first, two reopenings, one first contact undone."""
    desk = mail()
    for seconds, value in ((100, "resolved"), (150, "on_hold"), (200, "reopened"), (210, "open"), (300, "closed"), (400, "new")):
        status(desk, seconds, value)

    sums = part(desk.sums(), "resol", "first_", "reop")
    assert sums == {
        "resolved": 2,
        "reopened": 2,
        "first_resolved": 1,
        "resolution_ms": 100_000,
        "resolution_count": 1,
        "first_contact_resolved": 1,
        "first_contact_undone": 1,
    }


@pytest.mark.parametrize("between", ["transferred", "escalated", "queued"], ids=str)
def test_a_transferred_contact_is_not_resolved_at_first_contact(between: str) -> None:
    """A transfer, an escalation or a second visit before the resolution: resolved, but not at first contact; reopening undoes nothing."""
    desk = reply(mail(), 50).apply(60, between, **({"queue": "mails"} if between == "queued" else {}))
    status(status(desk, 100, "resolved"), 200, "open")

    assert part(desk.sums(), "first_contact", "first_resolved", "reopened") == {"first_resolved": 1, "reopened": 1}


def test_a_resolution_without_a_place_counts_nothing() -> None:
    """Resolved before any queue, the conversation is resolved all the same: what follows is not its first resolution."""
    desk = status(status(Desk().apply(0, "arrived", channel="mail"), 5, "resolved"), 8, "open").apply(10, "queued", queue="mails")
    status(desk, 100, "resolved")

    assert part(desk.sums(), "resol", "first_", "reop") == {"resolved": 1}


def test_the_resolution_is_booked_where_the_conversation_is_then() -> None:
    """Queued to mails, then to claims: resolved counts in claims and the total, not in mails or its department."""
    desk = mail().apply(20, "queued", queue="claims")
    status(desk, 100, "resolved")

    assert (desk.sums().get("resolved"), desk.sums("department:desk").get("resolved")) == (None, None)
    assert (desk.sums("queue:claims")["resolved"], desk.sums("total:all")["resolved"]) == (1, 1)


def test_escalations_are_counted_each_time() -> None:
    """Two escalations of one conversation are two."""
    assert mail().apply(20, "escalated").apply(30, "escalated").sums()["escalations"] == 2


# ---- callbacks


def call() -> Desk:
    """Return a desk where a caller leaves the queue for a callback."""
    return Desk().apply(0, "queued", queue="calls").apply(20, "left_queue", reason="callback")


def due(seconds: float) -> str:
    """Return an instant as text."""
    return format_ms(START_MS + round(seconds * 1000))


def test_a_callback_is_pending_until_reached() -> None:
    """Requested once though asked twice, put off by an attempt in vain, reached by the next; then nothing is pending."""
    desk = call().apply(20, "callback_requested", due=due(600)).apply(30, "callback_requested", due=due(900))
    assert desk.now("total:all", "voice") == {"callbacks_waiting": 1, "callback_due_ms": [600]}

    desk.apply(610, "callback_attempted", outcome="no_answer", due=due(1200))
    assert desk.now("queue:calls", "voice") == {"callbacks_waiting": 1, "callback_due_ms": [1200]}

    desk.apply(1210, "callback_attempted", outcome="reached").apply(1300, "callback_ended", outcome="reached")
    assert desk.now("queue:calls", "voice") == {}
    assert part(desk.sums("queue:calls", "voice"), "callbacks") == {"callbacks_requested": 1, "callbacks_reached": 1}
    assert desk.by_offer("callbacks_reached", "department:desk", "voice") == {0: 1}


@pytest.mark.parametrize("kind", ["callback_attempted", "callback_ended"], ids=str)
@pytest.mark.parametrize("outcome", ["reached", "no_answer", "cancelled", "expired"], ids=str)
def test_how_a_callback_ends(kind: str, outcome: str) -> None:
    """Only an attempt in vain leaves it pending; it can be requested again once it is not."""
    desk = call().apply(20, "callback_requested").apply(100, kind, outcome=outcome)
    pending = (kind, outcome) == ("callback_attempted", "no_answer")
    assert desk.now("queue:calls", "voice") == ({"callbacks_waiting": 1, "callback_due_ms": []} if pending else {})

    sums = desk.apply(200, "callback_requested").sums("queue:calls", "voice")
    assert sums["callbacks_requested"] == (1 if pending else 2)
    assert sums.get("callbacks_reached", 0) == (outcome == "reached")


def test_a_callback_without_a_request_is_not_reached() -> None:
    """Reached without anything pending counts nothing."""
    assert part(call().apply(30, "callback_ended", outcome="reached").sums("queue:calls", "voice"), "callbacks") == {}


# ---- surveys


@pytest.mark.parametrize(("answer", "adds"), SCORES, ids=range(len(SCORES)))
def test_scores_on_their_scale_count(answer: dict[str, Any], adds: dict[str, int]) -> None:
    """Every answer is counted; its score only within its scale, of recommendation only within 0-10."""
    desk = call().apply(40, "survey.invited", kind=answer["kind"]).apply(4000, "survey.answered", **answer)

    assert part(desk.sums("queue:calls", "voice"), "survey", "csat", "nps") == {"surveys_invited": 1, "surveys_answered": 1, **adds}


def test_a_survey_of_an_unknown_conversation_counts_nothing() -> None:
    """Without a place there is nowhere to count it but among what counted nothing."""
    assert Desk().apply(0, "survey.answered", kind="csat", score=5).sums("total:all", "voice") == {"uncounted=no_begin": 1}


# ---- backlog


def test_the_backlog_through_the_life_of_a_mail() -> None:
    """Untouched until answered, in progress, on hold, waiting on the customer, open, resolved and gone; as old as its arrival."""
    desk = mail()
    assert desk.now() == {"backlog": {"untouched": 1}, "backlog_oldest_ms": 0}

    reply(desk, 100)
    assert desk.now() == {"backlog": {"in_progress": 1}, "backlog_oldest_ms": 0}

    for seconds, value, fields, state in (
        (200, "on_hold", {"waiting_on": "customer"}, "on_hold"),
        (300, "waiting_on_customer", {}, "waiting_on_customer"),
        (310, "open", {"waiting_on": "customer"}, "waiting_on_customer"),
        (320, "open", {}, "in_progress"),
    ):
        status(desk, seconds, value, **fields)
        assert desk.now("department:desk") == {"backlog": {state: 1}, "backlog_oldest_ms": 0}

    assert status(desk, 400, "resolved").now() == {}
    assert desk.apply(500, "queued", queue="mails").now() == {}
    assert status(desk, 600, "reopened").now("total:all") == {"backlog": {"in_progress": 1}, "backlog_oldest_ms": 0}


def test_the_backlog_has_no_calls() -> None:
    """A waiting call is no backlog, whatever its status."""
    assert status(Desk().apply(0, "queued", queue="calls"), 10, "open").now("queue:calls", "voice") == {}


def test_the_oldest_of_several() -> None:
    """The second mail is the oldest once the first is resolved; one without a start has no age but counts."""
    desk = mail()
    desk.apply(60, "queued", "d", queue="mails").apply(70, "answered", "e", queue="mails", agent="ann")
    assert desk.now() == {"backlog": {"untouched": 2, "in_progress": 1}, "backlog_oldest_ms": 0}

    desk.apply(80, "status_changed", status="closed")
    assert desk.now() == {"backlog": {"untouched": 1, "in_progress": 1}, "backlog_oldest_ms": 60}

    desk.apply(90, "status_changed", "d", status="closed")
    assert desk.now() == {"backlog": {"in_progress": 1}, "backlog_oldest_ms": None}


# ---- order, restarts, memory


def test_order_of_arrival_does_not_matter() -> None:
    """The same facts in reverse order give the same sums and the same backlog."""
    steps = (
        (0, "arrived", {"channel": "mail"}),
        (10, "queued", {"queue": "mails"}),
        (60, "message", {"author_kind": "agent"}),
        (70, "status_changed", {"status": "resolved"}),
        (80, "survey.answered", {"kind": "nps", "score": 10}),
        (90, "status_changed", {"status": "open"}),
        (95, "callback_requested", {"due": due(600)}),
    )
    one, other = Desk(), Desk()
    for seconds, kind, fields in steps:
        one.apply(seconds, kind, **fields)
    for seconds, kind, fields in reversed(steps):
        other.apply(seconds, kind, **fields)

    for scope in ("queue:mails", "department:desk", "total:all"):
        for kind in ("cohort", "pane"):
            assert other.sums(scope, kind=kind) == one.sums(scope, kind=kind)
        assert other.now(scope) == one.now(scope)
    assert one.now()["callbacks_waiting"] == one.now()["backlog"]["in_progress"] == 1


def test_a_restart_keeps_what_is_pending() -> None:
    """From the facts alone the backlog and the callbacks are there again, and end as they would have."""
    desk = status(reply(mail(), 50), 60, "on_hold").apply(70, "callback_requested", due=due(600)).restarted()
    assert desk.now() == {"backlog": {"on_hold": 1}, "backlog_oldest_ms": 0, "callbacks_waiting": 1, "callback_due_ms": [600]}

    status(desk.apply(80, "callback_ended", outcome="cancelled"), 90, "closed")
    assert desk.now() == {}


def test_an_excluded_conversation_has_nothing_pending() -> None:
    """Spam leaves no backlog behind, and no figure but that it was taken out."""
    desk = reply(mail(), 50).apply(55, "callback_requested").apply(60, "excluded", reason="spam")

    assert (desk.sums(), desk.now()) == ({"excluded=spam": 1}, {})


def test_what_was_pending_at_a_flush_is_gone_once_it_is_excluded() -> None:
    """A mail that no queue has taken yet is in the backlog of a flush, and not in the next one's."""
    desk = Desk().apply(0, "arrived", channel="mail")
    assert desk.now("total:all") == {"backlog": {"untouched": 1}, "backlog_oldest_ms": 0}

    desk.apply(60, "excluded", reason="spam")
    assert desk.now("total:all") == {}


def test_a_pending_contact_is_not_forgotten() -> None:
    """A ticket that waits on the customer stays known beyond the retention; resolved, it is given up."""
    counting = CONFIGURATION.counting.model_copy(update={"closed_retention_seconds": 600})
    desk = Desk(CONFIGURATION.model_copy(update={"counting": counting}))
    status(status(reply(mail(desk), 50), 60, "resolved"), 70, "waiting_on_customer")
    mail(desk, "d").apply(55, "message", "d", author_kind="agent")
    desk.apply(66, "status_changed", "d", status="waiting_on_customer").apply(67, "transferred", "d")
    desk.apply(5000, "queued", "later", queue="claims")
    desk.sums()
    assert set(desk.tracker.conversations) == {"d\x1ftest", "later\x1ftest"}

    desk.apply(5010, "status_changed", "d", status="closed").apply(9000, "queued", "even later", queue="claims").sums()
    assert set(desk.tracker.conversations) == {"later\x1ftest", "even later\x1ftest"}
    assert desk.now() == {}
