"""Messages, replies, thanks and callbacks, counted by hand and by the recount: docs/counting.md section 11."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest

from schemas.events import parse_contact_event
from schemas.times import format_ms
from streams.configuration import Configuration
from streams.tracking.pending import Open, Pending
from streams.tracking.scopes import Scope, Targets
from tests.oracle.recount import recount
from tests.tracking.desk import START_MS, Desk

CONFIGURATION = Configuration.model_validate(
    {
        "queues": {
            "calls": {"channel": "voice", "department": "desk"},
            "mails": {"channel": "mail", "department": "desk", "reply_target_seconds": 3600},
            "claims": {"channel": "mail", "service_level": {"threshold_s": 600}},
            "chats": {"channel": "chat", "reply_target_seconds": 30},
            "talks": {"channel": "chat"},
        }
    }
)
DAY = 86_400
Step = tuple[float, str, dict[str, Any]]


def text(at: float, **fields: Any) -> Step:
    """Let the customer write."""
    return at, "message", {"author_kind": "customer", **fields}


def reply(at: float, agent: str | None = None, **fields: Any) -> Step:
    """Let an agent write."""
    return at, "message", {"author_kind": "agent", **({} if agent is None else {"agent": agent}), **fields}


def named(at: float, category: str) -> Step:
    """Return a categorization."""
    return at, "categorized", {"category": category}


def status(at: float, value: str, **fields: Any) -> Step:
    """Change the status."""
    return at, "status_changed", {"status": value, **fields}


#: A mail of second 0, in its queue at 10.
MAIL: tuple[Step, ...] = ((0, "arrived", {"channel": "mail"}), (10, "queued", {"queue": "mails"}))
#: A chat of second 0, in its queue at once.
CHAT: tuple[Step, ...] = ((0, "arrived", {"channel": "chat"}), (0, "queued", {"queue": "chats"}))


def sums(*story: Step, queue: str = "mails", channel: str = "mail") -> dict[str, int]:
    """Return what a story books of section 11, which must be equal in the tracker and the recount."""
    desk = Desk(CONFIGURATION)
    events = []
    for number, (at, kind, fields) in enumerate(story):
        desk.apply(at, kind, **fields)
        occurred_at = format_ms(START_MS + round(at * 1000))
        common = {
            "event_id": f"e{number}",
            "occurred_at": occurred_at,
            "received_at": occurred_at,
            "source": "test",
            "conversation_id": "c",
        }
        events.append(parse_contact_event(orjson.dumps({"type": f"contact.{kind}", **common, **fields})))
    recounted_sums = Counter(recount(events, CONFIGURATION).counts(f"queue:{queue}", channel, "all"))
    booked = Counter(desk.sums(f"queue:{queue}", channel))
    of_replies = ("response_ms", "response_count", "exchanges", "exchanged", "duplicate_replies", "replies", "replies_named")
    labelled = {name for name in (*booked, *recounted_sums) if name.startswith("thanked=")}
    others = ("texts", "texts_looked", "thanked", "callback_wait_ms", "callbacks_reached", *sorted(labelled))
    found = {name: booked[name] for name in (*of_replies, *others)}
    assert found == {name: recounted_sums[name] for name in found}
    return {name: amount for name, amount in found.items() if amount}


def part(found: dict[str, int], *names: str) -> tuple[int, ...]:
    """Return some of the sums."""
    return tuple(found.get(name, 0) for name in names)


class TestResponses:
    """How long customers wait for replies, all of them."""

    @pytest.mark.parametrize(
        ("story", "expected"),
        [
            # In mail the arrival at 0 brings the first message; written again at 50, replied to at 100.
            ((*MAIL, text(50), reply(100)), (100_000, 1)),
            # In chat only messages count: from the first unanswered one, at 5.
            ((*CHAT, text(5), text(20), reply(45)), (40_000, 1)),
            # Twice: 100 - 0, and 400 - 300; the second reply at 110 answers nothing.
            ((*MAIL, reply(100), reply(110), text(300), text(310), reply(400)), (200_000, 2)),
            # Neither internal notes nor machines reply, and no machine's message is the customer's: 70 - 0.
            (
                (*MAIL, reply(20, public=False), reply(30, automatic=True), reply(70), text(80, automatic=True), reply(90)),
                (70_000, 1),
            ),
            # An agent began it: the wait begins when the customer writes at 60.
            (((0, "arrived", {"channel": "mail", "initiated_by": "agent"}), MAIL[1], reply(20), text(60), reply(90)), (30_000, 1)),
        ],
    )
    def test_of_messages(self, story: tuple[Step, ...], expected: tuple[int, int]) -> None:
        """From the first unanswered message to the reply."""
        place = ("chats", "chat") if story[0] is CHAT[0] else ("mails", "mail")

        assert part(sums(*story, queue=place[0], channel=place[1]), "response_ms", "response_count") == expected

    @pytest.mark.parametrize(
        "taken_up",
        [
            (status(5 * DAY, "reopened"),),
            (text(5 * DAY), status(5 * DAY + 1, "open")),
            (status(5 * DAY - 2, "reopened", waiting_on="customer"), text(5 * DAY)),
        ],
        ids=("reopened", "written to", "written to later"),
    )
    @pytest.mark.parametrize(
        "resolution", [(reply(100), status(200, "resolved")), (status(200, "resolved"),)], ids=("replied", "unanswered")
    )
    def test_reopened_five_days_later_and_answered_after_ten_minutes(
        self, resolution: tuple[Step, ...], taken_up: tuple[Step, ...]
    ) -> None:
        """Ten minutes, and not five days (Chatwoot's pull request 12058); beside the first reply, at 100, if there was one."""
        found = sums(*MAIL, *resolution, *taken_up, reply(5 * DAY + 600))

        before = (100_000, 1) if len(resolution) == 2 else (0, 0)
        assert part(found, "response_ms", "response_count") == (before[0] + 600_000, before[1] + 1)

    def test_a_reply_just_after_the_resolution(self) -> None:
        """A source that resolves first and sends then, a second later, has answered all the same."""
        assert part(sums(*MAIL, status(100, "resolved"), reply(101)), "response_ms", "response_count") == (101_000, 1)

    def test_without_a_place(self) -> None:
        """A reply before there is a queue is counted nowhere."""
        assert sums(MAIL[0], reply(5), (10, "queued", {"queue": "mails"})) == {}


class TestExchanges:
    """Round trips until things are resolved."""

    def test_at_each_resolution_those_since_the_last(self) -> None:
        """Two round trips, resolved; one more, resolved again: 3 round trips in 2 resolutions."""
        found = sums(
            *MAIL, reply(100), text(200), text(210), reply(300), status(400, "resolved"), text(500), status(501, "reopened"), reply(600),
            status(700, "closed"),
        )  # fmt: skip

        assert part(found, "exchanges", "exchanged") == (3, 2)

    def test_without_a_known_message(self) -> None:
        """A ticket whose source reports no message has unknown round trips, not none."""
        assert part(sums(*MAIL, status(100, "resolved")), "exchanges", "exchanged") == (0, 0)

    def test_resolved_without_an_answer(self) -> None:
        """Where messages are reported, a resolution without a reply is one with no round trip."""
        assert part(sums(*MAIL, text(20), status(100, "resolved")), "exchanges", "exchanged") == (0, 1)


class TestThanks:
    """Words of thanks, each conversation once."""

    @pytest.mark.parametrize(
        ("story", "expected"),
        [
            ((*MAIL, text(20, thanks=True), text(30, thanks=True)), (1, 1, 1)),
            ((*MAIL, text(20, thanks=False), text(30, thanks=True), text(40, thanks=False)), (1, 1, 1)),
            ((*MAIL, text(20, thanks=False)), (1, 1, 0)),
            ((*MAIL, text(20)), (1, 0, 0)),
            ((*MAIL, reply(20, thanks=True)), (0, 0, 0)),
            # Before there is a queue: booked when there is one.
            ((MAIL[0], text(5, thanks=True), MAIL[1]), (1, 1, 1)),
            ((MAIL[0], text(5, thanks=True)), (0, 0, 0)),
        ],
    )
    def test_once(self, story: tuple[Step, ...], expected: tuple[int, int, int]) -> None:
        """Texts, examined texts, and texts with thanks."""
        assert part(sums(*story), "texts", "texts_looked", "thanked") == expected

    @pytest.mark.parametrize(
        ("story", "expected"),
        [
            # Named after the thanks, and then again: of the last category alone.
            ((*MAIL, text(20, thanks=True), named(30, "delivery"), named(40, "refund")), {"thanked=refund": 1}),
            ((named(3, "refund"), *MAIL, text(20, thanks=False), text(30, thanks=True)), {"thanked=refund": 1}),
            ((*MAIL, named(15, "refund"), text(20, thanks=False)), {}),
            ((*MAIL, named(15, "refund"), text(20)), {}),
            ((*MAIL, text(20, thanks=True)), {}),
            # All of it before there is a queue.
            ((named(1, "a"), text(5, thanks=True), named(6, "b"), MAIL[1]), {"thanked=b": 1}),
        ],
    )
    def test_by_category(self, story: tuple[Step, ...], expected: dict[str, int]) -> None:
        """Thanks are of the category that the contact has."""
        assert {name: amount for name, amount in sums(*story).items() if "=" in name} == expected

    def test_booked_when_the_queue_is_known(self) -> None:
        """Words of second 5 of a conversation queued at 70 are in the minute from 60 on."""
        desk = Desk(CONFIGURATION)
        for at, kind, fields in (MAIL[0], text(5, thanks=True), (70, "queued", {"queue": "mails"})):
            desk.apply(at, kind, **fields)
        desk.sums()

        (start,) = {key[2] for key, counts in desk._sums.items() if key[0] == "pane" and "thanked" in counts}
        assert start == START_MS + 70_000


class TestDoubleReplies:
    """Two agents who answer the same message."""

    @pytest.mark.parametrize(
        ("replies", "expected"),
        [
            ((reply(100, "ann"), reply(110, "bo")), 1),
            ((reply(100, "ann"), reply(110, "ann")), 0),
            ((reply(100, "ann"), reply(110, "bo"), reply(120, "cy"), reply(130, "ann")), 1),  # once a message
            ((reply(100, "ann"), text(105), reply(110, "bo")), 0),
            ((reply(100, "ann"), reply(110, "bo"), text(120), reply(130, "bo"), reply(140, "ann")), 2),
            ((reply(100), reply(110, "bo")), 0),  # the agent is unknown
            ((reply(100, "ann"), reply(110)), 0),
            ((reply(100, "ann"), reply(110), reply(120, "bo")), 0),  # the last reply's agent is not known
        ],
    )
    def test_of_replies(self, replies: tuple[Step, ...], expected: int) -> None:
        """Once for each message of the customer, between agents that are known."""
        found = sums(*MAIL, *replies)
        named = [fields for _, _, fields in replies if fields["author_kind"] == "agent"]

        assert part(found, "duplicate_replies") == (expected,)
        assert part(found, "replies", "replies_named") == (len(named), sum("agent" in fields for fields in named))

    def test_without_a_message_of_the_customer(self) -> None:
        """Two agents who write to a customer without messages give no duplicate reply."""
        story: tuple[Step, ...] = ((0, "queued", {"queue": "chats"}), reply(5, "ann"), reply(9, "bo"))

        assert sums(*story, queue="chats", channel="chat") == {}


class TestCallbacks:
    """The whole wait of who is called back."""

    def test_the_example_of_amazon_connect(self) -> None:
        """Queued 11:35, requested 11:37, accepted 11:40, connected 11:40:25: one conversation, two contacts, 325 s."""
        story: tuple[Step, ...] = (
            (0, "queued", {"queue": "calls", "contact_id": "first"}),
            (120, "callback_requested", {"contact_id": "first"}),
            (120, "left_queue", {"reason": "callback", "contact_id": "first"}),
            (300, "answered", {"agent": "ann", "contact_id": "second", "related_contact_id": "first", "relation": "callback"}),
            (325, "callback_ended", {"outcome": "reached", "contact_id": "second"}),
        )
        desk = Desk(CONFIGURATION)
        for at, kind, fields in story:
            desk.apply(at, kind, **fields)

        assert part(sums(*story, queue="calls", channel="voice"), "callback_wait_ms", "callbacks_reached") == (325_000, 1)
        assert desk.sums("department:desk", "voice")["offered"] == 1

    @pytest.mark.parametrize(
        ("story", "expected"),
        [
            # From the first of two queues on: 500 - 0.
            (((0, "queued", {"queue": "claims"}), (50, "queued", {"queue": "calls"}), (100, "callback_requested", {})), 500_000),
            # An agent has been there: since the request only.
            (((0, "queued", {"queue": "calls"}), (50, "answered", {"agent": "ann"}), (100, "callback_requested", {})), 400_000),
            # Known from the answer, with its wait: 80 - 30 = 50.
            (((80, "left_queue", {"queue": "calls", "wait_seconds": 30, "reason": "callback"}), (90, "callback_requested", {})), 450_000),
        ],
    )
    def test_since_when(self, story: tuple[Step, ...], expected: int) -> None:
        """From the entry of the first visit if it is unanswered, else from the request; reached at 500."""
        found = sums(*story, (500, "callback_attempted", {"outcome": "reached"}), queue="calls", channel="voice")

        assert part(found, "callback_wait_ms") == (expected,)

    def test_the_second_callback(self) -> None:
        """Once a callback has reached the customer, the next one's wait begins at its request: 100 - 0, and 900 - 700."""
        story: tuple[Step, ...] = (
            (0, "queued", {"queue": "calls"}),
            (10, "callback_requested", {}),
            (100, "callback_ended", {"outcome": "reached"}),
            (700, "callback_requested", {}),
            (900, "callback_ended", {"outcome": "reached"}),
        )

        assert part(sums(*story, queue="calls", channel="voice"), "callback_wait_ms", "callbacks_reached") == (300_000, 2)


def pending(*story: Step, queue: str = "mails", channel: str = "mail", scope: str | None = None) -> dict[str, Any]:
    """Return what a story leaves pending; due times in seconds."""
    desk = Desk(CONFIGURATION)
    for at, kind, fields in story:
        desk.apply(at, kind, **fields)
    found = desk.pending(Scope(scope or f"queue:{queue}", channel))
    again = desk.restarted().pending(Scope(scope or f"queue:{queue}", channel))
    assert found == again
    return {**found, "due": [(due - START_MS) / 1000 for due in found.get("reply_due_ms", ())]}


class TestRepliesDue:
    """By when customers are to have their replies."""

    @pytest.mark.parametrize(
        ("story", "due"),
        [
            (MAIL, [3600]),  # since the arrival; the target of mails is an hour
            ((*MAIL, reply(100)), []),
            ((*MAIL, reply(100), text(200), text(300)), [3800]),
            ((*MAIL, status(50, "waiting_on_customer")), []),
            ((*MAIL, status(50, "open", waiting_on="customer"), text(70)), [3670]),  # written though the turn was the customer's
            ((*MAIL, status(50, "resolved"), text(60)), []),
            ((*MAIL, status(50, "resolved"), text(60), status(61, "reopened")), [3660]),
            ((*MAIL, (50, "ended", {"by": "agent"})), []),
            ((*MAIL, (50, "ended", {"by": "agent"}), text(60)), [3660]),
            ((*MAIL, status(50, "on_hold")), [3600]),
        ],
    )
    def test_of_a_mail(self, story: tuple[Step, ...], due: list[float]) -> None:
        """A reply is due while the customer waits for one, and the contact is unresolved."""
        assert pending(*story)["due"] == due
        assert pending(*story, scope="department:desk")["due"] == due

    def test_targets(self) -> None:
        """The queue's own, else the threshold of its service level where people write, else none."""
        claim: tuple[Step, ...] = (MAIL[0], (10, "queued", {"queue": "claims"}))
        talk: tuple[Step, ...] = ((0, "queued", {"queue": "talks"}), text(5))

        assert pending(*claim, queue="claims")["due"] == [600]
        assert pending(*CHAT, text(5), queue="chats", channel="chat")["due"] == [35]
        assert pending(*talk, queue="talks", channel="chat")["due"] == []

    def test_those_that_as_of_has_passed_are_a_number(self) -> None:
        """Thousands of overdue replies take no more room than one."""
        desk = Desk(CONFIGURATION)
        for number in range(5):
            desk.apply(number, "arrived", f"c{number}", channel="mail").apply(number, "queued", f"c{number}", queue="mails")
        found = desk.pending(Scope("queue:mails", "mail"), START_MS + 3_602_000)

        assert (found["replies_overdue"], found["reply_due_ms"]) == (2, [START_MS + (3600 + n) * 1000 for n in (2, 3, 4)])


class TestOfNoQueue:
    """Written contacts that are in no queue."""

    HERE = "(unassigned)"

    @pytest.mark.parametrize(
        ("story", "state"),
        [
            ((MAIL[0],), "untouched"),
            ((MAIL[0], status(5, "new")), "untouched"),
            ((MAIL[0], status(5, "open")), "in_progress"),
            ((MAIL[0], reply(5)), "in_progress"),
            ((MAIL[0], status(5, "on_hold")), "on_hold"),
            ((MAIL[0], status(5, "waiting_on_customer")), "waiting_on_customer"),
            ((MAIL[0], status(5, "resolved")), None),
            ((MAIL[0], status(5, "resolved"), status(9, "reopened")), "in_progress"),
            ((MAIL[0], (5, "ended", {"by": "agent"})), None),
            ((MAIL[0], (5, "ended", {"by": "agent"}), text(9)), "untouched"),
            (MAIL, None),  # it has a queue
            (((0, "arrived", {"channel": "mail", "direction": "outbound"}),), None),
            (((0, "arrived", {"channel": "chat"}), text(3)), None),
            ((text(3),), None),  # the channel is unknown
        ],
    )
    def test_state(self, story: tuple[Step, ...], state: str | None) -> None:
        """Open ones are in the backlog of a queue of their own, and in total."""
        expected = None if state is None else {state: 1}

        assert pending(*story, queue=self.HERE).get("backlog") == expected
        assert (pending(*story, scope="total:all").get("backlog") == expected) or story is MAIL

    def test_a_reply_is_due_by_the_default(self) -> None:
        """The threshold of the default service level, 20 s after the arrival; as old as the arrival."""
        found = pending(MAIL[0], queue=self.HERE)

        assert (found["due"], found["backlog_oldest_ms"]) == ([20], START_MS)

    def test_it_moves_to_its_queue(self) -> None:
        """Queued, it is where it belongs and nowhere else."""
        assert "backlog" not in pending(*MAIL, queue=self.HERE)
        assert pending(*MAIL)["backlog"] == {"untouched": 1}

    def test_lost(self) -> None:
        """After 30 days without events it is lost there, and leaves the backlog."""
        desk = Desk(CONFIGURATION).apply(0, "arrived", channel="mail").apply(30 * DAY + 60, "arrived", "other", channel="voice")

        assert desk.sums(f"queue:{self.HERE}") == {"lost_contacts": 1}
        assert desk.pending(Scope("total:all", "mail")) == {}


def test_the_backlog_by_whole_hours() -> None:
    """Twenty tickets of two hours take two entries; START is 9:00, so those before 0 began in the hour from 8:00."""
    desk = Desk(CONFIGURATION)
    for number in range(20):
        at = -60 * number if number % 2 else 60 * number
        desk.apply(at, "arrived", f"c{number}", channel="mail").apply(at, "queued", f"c{number}", queue="mails")
    nine = START_MS // 3_600_000

    assert START_MS % 3_600_000 == 0
    assert desk.pending(Scope("queue:mails", "mail"))["backlog_hours"] == [[nine - 1, 10], [nine, 10]]


def test_twenty_thousand_tickets_in_a_small_record() -> None:
    """One a minute for two weeks, their replies overdue: what is written of them are 335 hours and some numbers."""
    targets = Targets(CONFIGURATION)
    kept, group = Pending(targets), targets.of_queue("mails", "mail").everything
    for number in range(20_000):
        start = START_MS - 60_000 * number
        kept.note(None, Open(group, "untouched", start, callback=False, due=None, reply_due=start + 600_000))
    record = kept.figures(Scope("queue:mails", "mail"), START_MS)

    # 19,999 min before 9:00 are 333 h 19 min: from 9:00 the hour that it begins, and 334 before it, the last one for 19 min: 335.
    # Replies are due 10 min later: at 9:00 or after it those of the last 10 min, and of the one that began at 9:00, 11 of them.
    assert (len(record["backlog_hours"]), sum(number for _, number in record["backlog_hours"])) == (335, 20_000)
    assert (record["replies_overdue"], len(record["reply_due_ms"])) == (19_989, 11)
    assert len(orjson.dumps(record)) < 5_000


@pytest.mark.parametrize("queue", ["mails", "claims"])
def test_order_of_arrival_does_not_matter(queue: str) -> None:
    """In reverse order, a correspondence gives the same figures."""
    story = [
        MAIL[0], (10, "queued", {"queue": queue}), text(20, thanks=True), reply(50, "ann"), reply(60, "bo"), text(70), reply(80, "cy"),
        status(90, "resolved"), text(100), status(101, "reopened"),
    ]  # fmt: skip
    forwards, backwards = Desk(CONFIGURATION), Desk(CONFIGURATION)
    for at, kind, fields in story:
        forwards.apply(at, kind, **fields)
    for at, kind, fields in reversed(story):
        backwards.apply(at, kind, **fields)
    scope = Scope(f"queue:{queue}", "mail")

    assert forwards.sums(scope.scope) == backwards.sums(scope.scope)
    assert forwards.pending(scope) == backwards.pending(scope)
