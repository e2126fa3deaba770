"""Several visits and legs of one conversation at once, calculated by hand; seconds count from 09:00:00."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.tracking.harness import Contacts, event

#: Billing is A (department help), Technical is C (department shop).
_ALICE: dict[str, Any] = {"contact_id": "k1", "agent": "alice"}
_BOB: dict[str, Any] = {"contact_id": "k2", "agent": "bob"}
#: Fields of the contact of a consultation.
_ASKED: dict[str, Any] = {"contact_id": "session 2", "relation": "consult"}


def part(calls: Contacts, scope: str, *names: str) -> dict[str, int]:
    """Return some sums of a scope, those that are not zero."""
    sums = calls.sums(scope)
    return {name: sums[name] for name in names if sums.get(name)}


def in_any_order(events: list[bytes], *, seed: int = 1) -> list[Contacts]:
    """Return trackers with the events applied in order, backwards, and in six random orders with flushes in between."""
    dice, calls = random.Random(seed), [Contacts(*events), Contacts(*reversed(events))]
    for _ in range(6):
        order = dice.sample(events, len(events))
        other = Contacts()
        while order:
            cut = dice.randint(1, len(order))
            other.apply(order[:cut])
            order = order[cut:]
        calls.append(other)
    return calls


class TestWarmTransfer:
    """Amazon Connect makes a contact record of its own for each agent; the second begins before the first ends."""

    def test_the_second_agent_joins_before_the_first_leaves(self) -> None:
        """Alice 09:00:40-09:06:00 with 120 s of hold and 60 s of wrap-up; bob from 09:03:45 to 09:16:00 and 30 s."""
        first: dict[str, Any] = {"contact_id": "k1"}
        for calls in in_any_order(
            [
                event("contact.arrived", 0, channel="voice", **first),
                event("contact.queued", 10, queue="A", **first),
                event("contact.answered", 40, queue="A", reports=["hold", "wrap_up"], **_ALICE),
                event("contact.held", 40, **_ALICE),
                event("contact.resumed", 160, **_ALICE),
                event("contact.queued", 200, queue="C", contact_id="k2", related_contact_id="k1"),
                event("contact.answered", 225, queue="C", reports=["hold", "wrap_up"], **_BOB),
                event("contact.transferred", 360, from_queue="A", **first),
                event("contact.wrap_up_started", 360, **_ALICE),
                event("contact.wrapped_up", 420, **_ALICE),
                event("contact.ended", 960, by="customer", contact_id="k2"),
                event("contact.wrap_up_started", 960, **_BOB),
                event("contact.wrapped_up", 990, **_BOB),
            ]
        ):
            # 360 - 40 = 320 connected, 120 of it held, 60 of wrap-up: 380. 960 - 225 = 735 and 30: 765.
            assert part(calls, "queue:A", "offered", "answered", "handled", "talk_ms", "hold_ms", "handle_ms", "transfers_out") == {
                "offered": 1, "answered": 1, "handled": 1, "talk_ms": 200_000, "hold_ms": 120_000, "handle_ms": 380_000, "transfers_out": 1,
            }  # fmt: skip
            names = ("offered", "answered", "answered_wait_ms", "handled", "talk_ms", "handle_ms", "transfers_out")
            assert part(calls, "queue:C", *names) == {
                "offered": 1, "answered": 1, "answered_wait_ms": 25_000, "handled": 1, "talk_ms": 735_000, "handle_ms": 765_000,
            }  # fmt: skip
            # One conversation for all: first answered after 30 s, handled once, with the time of both.
            assert part(calls, "total:all", "offered", "answered", "answered_wait_ms", "handled", "talk_ms", "transfers_in") == {
                "offered": 1, "answered": 1, "answered_wait_ms": 30_000, "handled": 1, "talk_ms": 935_000, "transfers_in": 1,
            }  # fmt: skip

    @pytest.mark.parametrize("left", [200, 205])
    def test_the_first_agent_leaves_while_the_customer_waits_again(self, left: float) -> None:
        """In the second in which the customer is queued for bob, or 5 s later: he answers after 25 s either way."""
        for calls in in_any_order(
            [
                event("contact.queued", 10, queue="A", contact_id="k1"),
                event("contact.answered", 40, queue="A", **_ALICE),
                event("contact.queued", 200, queue="C", contact_id="k2"),
                event("contact.transferred", left, from_queue="A", contact_id="k1"),
                event("contact.answered", 225, queue="C", **_BOB),
                event("contact.ended", 960, by="customer", contact_id="k2"),
            ]
        ):
            assert part(calls, "queue:A", "transfers_out", "talk_ms") == {"transfers_out": 1, "talk_ms": int(1000 * (left - 40))}
            found = part(calls, "queue:C", "offered", "answered", "answered_wait_ms", "talk_ms", "transfers_out", "flow_out_transfer")
            assert found == {"offered": 1, "answered": 1, "answered_wait_ms": 25_000, "talk_ms": 735_000}

    @pytest.mark.parametrize("left", [100, 160])
    def test_an_agent_who_stays_after_a_transfer(self, left: float) -> None:
        """Amazon's contact events: the new contact names the first when it begins, and the first one's end is when ann left."""
        for calls in in_any_order(
            [
                event("contact.queued", 0, queue="A", contact_id="k1"),
                event("contact.answered", 10, agent="ann", contact_id="k1"),
                event("contact.transferred", 100, contact_id="k1", agent_stays=True),
                event("contact.queued", 100, queue="C", contact_id="k2"),
                event("contact.answered", 125, agent="bo", contact_id="k2"),
                event("contact.ended", left, contact_id="k1"),
                event("contact.ended", 260, by="customer", contact_id="k2"),
            ]
        ):
            found = part(calls, "queue:A", "handled", "talk_ms", "transfers_out")
            assert found == {"handled": 1, "talk_ms": int(1000 * (left - 10)), "transfers_out": 1}
            found = part(calls, "queue:C", "offered", "answered", "answered_wait_ms", "talk_ms", "transfers_out")
            assert found == {"offered": 1, "answered": 1, "answered_wait_ms": 25_000, "talk_ms": 135_000}

    def test_an_agent_who_had_left_before_the_transfer(self) -> None:
        """By a tenth of a second: it counts all the same, until the work after it is over."""
        for calls in in_any_order(
            [
                event("contact.queued", 0, queue="A", contact_id="k1"),
                event("contact.answered", 10, agent="ann", contact_id="k1"),
                event("contact.ended", 99.9, contact_id="k1"),
                event("contact.transferred", 100, contact_id="k1", agent_stays=True),
                event("contact.queued", 100, queue="C", contact_id="k2"),
            ]
        ):
            assert part(calls, "queue:A", "handled", "talk_ms", "transfers_out") == {"handled": 1, "talk_ms": 89_900, "transfers_out": 1}

    def test_by_their_legs_alone(self) -> None:
        """Zendesk Talk: each leg has an id; the end of the first one ends nothing of the second."""
        calls = Contacts(
            event("contact.queued", 0, queue="A"),
            event("contact.answered", 10, agent="ann", contact_id="leg 1"),
            event("contact.answered", 50, agent="bo", contact_id="leg 2"),
            event("contact.ended", 55, by="agent", contact_id="leg 1"),
        )
        between = calls.now()["queue:A"]
        calls.apply([event("contact.ended", 90, by="customer", contact_id="leg 2")])

        # 55 - 10 = 45 s and 90 - 50 = 40 s.
        assert part(calls, "queue:A", "answered", "handled", "talk_ms") == {"answered": 1, "handled": 2, "talk_ms": 85_000}
        assert (between, calls.now()["queue:A"]) == (([], 1), ([], 0))

    def test_without_contacts_the_transfer_may_be_reported_after_the_next_queue(self) -> None:
        """An Asterisk whose attended transfer is logged 2 s after the new entry: it is of the queue that it names, and B waits on."""
        for calls in in_any_order(
            [
                event("contact.queued", 0, queue="A"),
                event("contact.answered", 5, agent="ann", queue="A"),
                event("contact.queued", 58, queue="B"),
                event("contact.transferred", 60, kind="attended", from_queue="A"),
                event("contact.transferred", 61, kind="attended", from_queue="A"),
                event("contact.answered", 80, agent="bo", queue="B"),
                event("contact.ended", 120),
            ]
        ):
            # Being queued ended ann's leg after 53 s; her transfer counts when it is reported, and once.
            assert part(calls, "queue:A", "handled", "talk_ms", "transfers_out") == {"handled": 1, "talk_ms": 53_000, "transfers_out": 1}
            found = part(calls, "queue:B", "offered", "answered", "answered_wait_ms", "talk_ms", "flow_out_transfer")
            assert found == {"offered": 1, "answered": 1, "answered_wait_ms": 22_000, "talk_ms": 40_000}

    @pytest.mark.parametrize("kind", ["attended", "blind"])
    def test_transferred_before_the_next_queue(self, kind: str) -> None:
        """BLINDTRANSFER and ATTENDEDTRANSFER of a queue_log, where every line has the same call."""
        call: dict[str, Any] = {"contact_id": "call"}
        calls = Contacts(
            event("contact.queued", 0, queue="A", **call),
            event("contact.answered", 5, agent="ann", queue="A", **call),
            event("contact.transferred", 60, kind=kind, from_queue="A", **call),
            event("contact.queued", 60, queue="B", **call),
            event("contact.answered", 80, agent="bo", queue="B", **call),
            event("contact.ended", 120, **call),
        )

        assert part(calls, "queue:A", "handled", "talk_ms", "transfers_out") == {"handled": 1, "talk_ms": 55_000, "transfers_out": 1}
        assert part(calls, "queue:B", "answered_wait_ms", "handled", "talk_ms") == {
            "answered_wait_ms": 20_000,
            "handled": 1,
            "talk_ms": 40_000,
        }

    def test_the_leg_of_the_receiving_agent_continues(self) -> None:
        """Ann joins bo and passes the customer on to him: the transfer ends hers, though his began last."""
        calls = Contacts(
            event("contact.queued", 0, queue="A"),
            event("contact.answered", 10, agent="ann"),
            event("contact.answered", 50, agent="bo"),
            event("contact.transferred", 70, kind="attended", to_agent="bo"),
            event("contact.ended", 100, by="customer"),
        )

        # Ann 70 - 10 = 60, bo 100 - 50 = 50.
        assert part(calls, "queue:A", "handled", "talk_ms", "transfers_out") == {"handled": 2, "talk_ms": 110_000, "transfers_out": 1}


class TestConference:
    """Twilio: two reservations of one task."""

    def test_each_reservation_is_a_leg(self) -> None:
        """Ann accepts after 10 s, bo at 60; ann wraps up from 120 to 150, bo talks until 200 and wraps up for 15 s."""
        task: dict[str, Any] = {"contact_id": "task"}
        events = [
            event("contact.queued", 0, queue="A", **task),
            event("contact.answered", 10, agent="ann", **task),
            event("contact.answered", 60, agent="bo", **task),
            event("contact.wrap_up_started", 120, agent="ann", **task),
            event("contact.wrapped_up", 150, agent="ann", **task),
            event("contact.ended", 200, by="customer", **task),
            event("contact.wrapped_up", 215, agent="bo", **task),
        ]
        for calls in in_any_order(events):
            # Talk 120 - 10 = 110 and 200 - 60 = 140; wrap-up 30 and 15; the department has one contact with all of it.
            times = {"talk_ms": 250_000, "wrap_ms": 45_000, "handle_ms": 295_000}
            assert part(calls, "queue:A", "answered", "handled", *times) == {"answered": 1, "handled": 2, **times}
            assert part(calls, "department:help", "answered", "handled", *times) == {"answered": 1, "handled": 1, **times}

    def test_it_is_in_progress_once(self) -> None:
        """However many agents are on it, it is one contact; until the last one has left."""
        calls = Contacts(*(event("contact.answered", at, agent=agent, queue="A") for at, agent in ((10, "ann"), (20, "bo"), (30, "cy"))))
        scopes = ("queue:A", "department:help", "total:all")
        begun = calls.now()
        calls.apply([event("contact.ended", 40, agent="bo"), event("contact.wrap_up_started", 45, agent="cy")])
        during = {**begun, **calls.now()}
        calls.apply([event("contact.ended", 50)])

        assert [found[scope] for found in (begun, during) for scope in scopes] == [([], 1)] * 6
        assert [calls.now()["total:all"], part(calls, "queue:A", "handled")] == [([], 0), {"handled": 3}]

    def test_hold_belongs_to_the_agent_who_reports_it(self) -> None:
        """Ann holds for 20 s and leaves; bo never does."""
        calls = Contacts(
            event("contact.answered", 0, agent="ann", queue="A", reports=["hold"]),
            event("contact.answered", 10, agent="bo", queue="A", reports=["hold"]),
            event("contact.held", 20, agent="ann"),
            event("contact.resumed", 40, agent="ann"),
            event("contact.ended", 50, agent="ann"),
            event("contact.held", 60, agent="cy"),
            event("contact.ended", 100),
        )

        # Ann 50 - 20 = 30, bo 100 - 10 = 90; cy has no leg, so that nothing is held at 60.
        assert part(calls, "queue:A", "talk_ms", "hold_ms", "held_count") == {"talk_ms": 120_000, "hold_ms": 20_000, "held_count": 1}

    @pytest.mark.parametrize("channel", ["mail", "ticket"])
    def test_in_writing_one_agent_follows_another(self, channel: str) -> None:
        """Who answers a ticket next takes it over: nothing is in progress twice, and handled counts both."""
        calls = Contacts(
            event("contact.queued", 0, queue="A", channel=channel),
            event("contact.answered", 10, agent="ann"),
            event("contact.answered", 60, agent="bo"),
        )

        assert calls.sums("queue:A", channel)["handled"] == 1


class TestConsultation:
    """An agent asks another before the customer is passed on: Genesys Cloud's consult transfer."""

    def events(self) -> list[bytes]:
        """Return a call with ann, who holds it at 60 to ask bo, through the queue C, from 70 on."""
        return [
            event("contact.queued", 0, queue="A", contact_id="session 1"),
            event("contact.answered", 10, agent="ann", contact_id="session 1", reports=["hold"]),
            event("contact.held", 60, agent="ann", contact_id="session 1"),
            event("contact.consult_started", 60, agent="ann"),
            event("contact.arrived", 60, channel="voice", direction="internal", **_ASKED),
            event("contact.queued", 60, queue="C", **_ASKED),
            event("contact.answered", 70, agent="bo", queue="C", **_ASKED),
        ]

    def test_passed_on(self) -> None:
        """At 100 bo takes the customer: his leg begins there; what was asked of C is no offer and no answer."""
        taken: dict[str, Any] = {"contact_id": "session 2", "relation": "transfer"}
        for calls in in_any_order(
            [
                *self.events(),
                event("contact.transferred", 100, kind="attended", to_agent="bo", contact_id="session 1"),
                event("contact.answered", 100, agent="bo", queue="C", **taken),
                event("contact.ended", 160, by="customer", contact_id="session 2"),
            ]
        ):
            # Ann: 100 - 10 = 90 connected, held from 60: 40. Bo: 160 - 100 = 60.
            assert part(calls, "queue:A", "offered", "answered", "handled", "talk_ms", "hold_ms", "transfers_out") == {
                "offered": 1, "answered": 1, "handled": 1, "talk_ms": 50_000, "hold_ms": 40_000, "transfers_out": 1,
            }  # fmt: skip
            assert part(calls, "queue:C", "offered", "answered", "transfers_in", "handled", "talk_ms") == {
                "handled": 1,
                "talk_ms": 60_000,
            }

    def test_asked_only(self) -> None:
        """The end of the consultation, reported without its relation, ends nothing of the customer's; the call becomes no internal one."""
        for calls in in_any_order(
            [
                *self.events(),
                event("contact.ended", 90, contact_id="session 2"),
                event("contact.resumed", 90, agent="ann", contact_id="session 1"),
                event("contact.ended", 130, by="customer", contact_id="session 1"),
            ]
        ):
            # 130 - 10 = 120 connected, 30 held.
            assert part(calls, "queue:A", "answered", "handled", "talk_ms", "hold_ms") == {
                "answered": 1, "handled": 1, "talk_ms": 90_000, "hold_ms": 30_000,
            }  # fmt: skip
            assert "queue:C" not in calls.scopes()

    @pytest.mark.parametrize(
        ("calls", "expected"),
        [
            # 60 to 90, and 95 to the end of the leg at 130: its start is reported twice.
            ([("started", 60), ("ended", 90), ("started", 95), ("started", 99)], {"consult_ms": 65_000, "consult_count": 2}),
            # The answer comes in the instant in which the leg ends.
            ([("started", 60), ("ended", 130)], {"consult_ms": 70_000, "consult_count": 1}),
            # The begin is not known; after the leg nothing is open.
            ([("ended", 90), ("started", 131)], {"uncounted=no_begin": 1, "uncounted=no_leg": 1}),
        ],
    )
    def test_how_long_it_took(self, calls: list[tuple[str, int]], expected: dict[str, int]) -> None:
        """Consultations count in the queue of who asks, from begin to end, or the leg's end; what is unknown is left out."""
        asked = [event(f"contact.consult_{what}", at, agent="ann") for what, at in calls]
        of_call = [
            event("contact.queued", 0, queue="A"),
            event("contact.answered", 10, agent="ann"),
            event("contact.ended", 130, by="agent"),
        ]
        for tracked in in_any_order([*of_call, *asked]):
            assert part(tracked, "queue:A", "handled", "consult_ms", "consult_count", "uncounted=no_begin", "uncounted=no_leg") == {
                "handled": 1, **expected,
            }  # fmt: skip

    def test_asked_under_the_id_of_the_conversation(self) -> None:
        """What follows under the id of a consultation counts nothing, also where that id is the conversation's own."""
        own: dict[str, Any] = {"contact_id": "call-1", "conversation_id": "call-1"}
        for calls in in_any_order(
            [
                event("contact.queued", 0, queue="A", contact_id="session 1", conversation_id="call-1"),
                event("contact.answered", 10, agent="ann", contact_id="session 1", conversation_id="call-1"),
                event("contact.queued", 60, queue="C", relation="consult", **own),
                event("contact.queued", 70, queue="C", **own),
                event("contact.ended", 130, by="customer", contact_id="session 1", conversation_id="call-1"),
            ]
        ):
            assert part(calls, "queue:A", "offered", "answered", "handled", "talk_ms") == {
                "offered": 1, "answered": 1, "handled": 1, "talk_ms": 120_000,
            }  # fmt: skip
            assert "queue:C" not in calls.scopes()


class TestTwoQueues:
    """Events of one queue change nothing of another."""

    def test_left_one_of_two(self) -> None:
        """The call waits in A and, under another contact, in B, both of one department: it gives up B, and is answered from A."""
        both = [
            event("contact.queued", 0, queue="A", contact_id="k1"),
            event("contact.queued", 10, queue="B", contact_id="k2"),
            event("contact.left_queue", 30, queue="B", reason="abandoned"),
        ]
        for calls in in_any_order([*both, event("contact.answered", 50, agent="ann", queue="A")]):
            assert part(calls, "queue:B", "offered", "abandoned", "abandoned_wait_ms") == {
                "offered": 1, "abandoned": 1, "abandoned_wait_ms": 20_000,
            }  # fmt: skip
            assert part(calls, "queue:A", "offered", "answered", "answered_wait_ms") == {
                "offered": 1,
                "answered": 1,
                "answered_wait_ms": 50_000,
            }
            # The department waited on while A did: one contact, answered after 50 s, nothing abandoned.
            assert part(calls, "department:help", "offered", "answered", "answered_wait_ms", "abandoned", "abandoned_after_answer") == {
                "offered": 1, "answered": 1, "answered_wait_ms": 50_000,
            }  # fmt: skip

    def test_waiting_in_both(self) -> None:
        """It waits in each queue since its own entry, and once in the department, since the first."""
        calls = Contacts(event("contact.queued", 0, queue="A", contact_id="k1"), event("contact.queued", 10, queue="B", contact_id="k2"))

        found = calls.now()
        assert (found["queue:A"], found["queue:B"], found["department:help"]) == (([0.0], 0), ([10.0], 0), ([0.0], 0))

    def test_names_that_fit_nothing(self) -> None:
        """An answer from C, and leaving C, while the contact waits in A: it waits on; no answer is counted, but a leg in C."""
        calls = Contacts(
            event("contact.queued", 0, queue="A"),
            event("contact.left_queue", 10, queue="C", reason="timeout"),
            event("contact.answered", 20, agent="ann", queue="C"),
        )

        assert part(calls, "queue:A", "offered", "answered", "flow_out_timeout") == {"offered": 1}
        assert calls.now()["queue:A"] == ([0.0], 0)

    def test_an_end_of_an_unknown_contact(self) -> None:
        """It is the conversation's own: everything ends."""
        calls = Contacts(
            event("contact.queued", 0, queue="A", contact_id="k1"),
            event("contact.ended", 40, by="customer", contact_id="the call"),
        )

        assert part(calls, "queue:A", "abandoned", "abandoned_wait_ms") == {"abandoned": 1, "abandoned_wait_ms": 40_000}


class TestEventsThatCountNothing:
    """They are counted by reason, where the conversation is."""

    def test_by_reason(self) -> None:
        """Each event about what is not there counts once, in its queue and the larger scopes; one without a place in the total."""
        for calls in in_any_order(
            [
                event("contact.status_changed", 0, status="resolved"),  # before anything began
                event("contact.queued", 10, queue="A"),
                event("contact.left_queue", 20, queue="B", reason="timeout"),  # another queue
                event("contact.held", 30),  # not answered yet
                event("contact.answered", 40, agent="ann"),
                event("contact.resumed", 50, agent="bo"),  # ann's leg
                event("contact.ended", 60),
                event("contact.wrapped_up", 70, agent="ann"),
                event("contact.wrapped_up", 80, agent="ann"),  # once more
                event("contact.work_ended", 90, agent="ann"),  # never begun
            ]
        ):
            expected = {"uncounted=no_visit": 1, "uncounted=no_leg": 3, "uncounted=no_begin": 1}
            assert part(calls, "queue:A", *expected) == part(calls, "department:help", *expected) == expected
            assert part(calls, "total:all", *expected) == {**expected, "uncounted=no_begin": 2}
            assert part(calls, "queue:A", "answered", "handled", "wrap_count") == {"answered": 1, "handled": 1, "wrap_count": 1}

    def test_a_usual_call_has_none(self) -> None:
        """Nor does one that is given up, or one that hangs up before it is in any queue."""
        for events in (
            [
                event("contact.queued", 0, queue="A"),
                event("contact.answered", 5),
                event("contact.ended", 9),
                event("contact.wrapped_up", 12),
            ],
            [event("contact.queued", 0, queue="A"), event("contact.left_queue", 5, reason="abandoned"), event("contact.ended", 5)],
            [event("contact.arrived", 0, channel="voice"), event("contact.ended", 5)],
        ):
            sums = Contacts(*events).sums("total:all")
            assert not any(field.startswith("uncounted") for field in sums)

    def test_an_answer_from_nowhere(self) -> None:
        """An arrival names the channel; without a queue there is no leg."""
        calls = Contacts(event("contact.arrived", 0, channel="chat"), event("contact.answered", 5, agent="ann"))

        assert calls.sums("total:all", "chat") == {"uncounted=no_queue": 1}
