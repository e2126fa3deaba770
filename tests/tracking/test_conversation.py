"""What one conversation contributes, calculated by hand; seconds count from 09:00:00."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tests.tracking.harness import Contacts, event

HELP = ("department:help", "business:acme", "site:bonn", "total:all")


def call(*further: bytes, queue: str = "A", answered: float = 30, **fields: Any) -> list[bytes]:
    """Return the events of a contact queued at 0 and answered by ann, then what is given."""
    return [
        event("contact.queued", 0, queue=queue),
        event("contact.answered", answered, agent="ann", **fields),
        *further,
    ]


class TestAnswered:
    """A contact that waits, is answered, and ends."""

    def test_every_part(self) -> None:
        """Wait, talk, hold and wrap-up are separate, and count alike in the queue and all its larger scopes."""
        calls = Contacts(
            *call(
                event("contact.held", 60),
                event("contact.resumed", 75),
                event("contact.ended", 130, by="customer"),
                event("contact.wrapped_up", 150, agent="ann"),
                reports=["hold"],
            )
        )

        # connected 130 - 30 = 100, hold 75 - 60 = 15, talk 100 - 15 = 85, wrap-up 150 - 130 = 20, handle 85 + 15 + 20 = 120;
        # no arrival was reported, so the start is the entry at 0, and the answer at 30 is the first response: 30 - 0 = 30.
        expected = {
            "offered": 1, "answered": 1, "answered_wait_ms": 30_000, "handled": 1, "talk_ms": 85_000, "talk_count": 1, "hold_ms": 15_000,
            "hold_count": 1, "held_count": 1, "wrap_ms": 20_000, "wrap_count": 1, "handle_ms": 120_000, "handle_count": 1,
            "first_response_ms": 30_000, "first_response_count": 1,
        }  # fmt: skip
        assert [calls.sums(scope) for scope in ("queue:A", *HELP)] == [expected] * 5
        assert calls.scopes() == {"queue:A", *HELP, "team:red"}

    def test_where_it_is_booked(self) -> None:
        """By outcome each count lies in its own instant, by offer all of them lie where the contact entered."""
        calls = Contacts(
            event("contact.queued", 895, queue="A"), event("contact.answered", 925, agent="ann"), event("contact.ended", 1_805)
        )

        # Entered 09:14:55, answered 09:15:25, ended 09:30:05: panes 890, 920, 1800; by offer cell 0.
        assert calls.starts("queue:A", "offered") == {890: 1}
        assert calls.starts("queue:A", "answered") == {920: 1}
        assert calls.starts("queue:A", "handled") == {1_800: 1}
        assert calls.starts("queue:A", "handled", kind="cohort") == {0: 1}
        assert calls.starts("total:all", "answered", kind="cohort") == {0: 1}

    def test_the_histogram_knows_the_exact_threshold(self) -> None:
        """A wait of exactly 20 s lies in the bucket up to 20 s, one of 20.001 s in the next."""
        exact, over = (Contacts(*call(answered=seconds)) for seconds in (20, 20.001))

        assert exact.starts("queue:A", "answered_wait_le_20000") == {20: 1}
        assert over.starts("queue:A", "answered_wait_le_20000") == {}
        assert over.starts("queue:A", "answered_wait_le_30000") == {20: 1}

    def test_a_queue_that_is_not_configured(self) -> None:
        """It counts under its own name and in the total, as voice."""
        calls = Contacts(*call(queue="Z"))

        assert calls.scopes() == {"queue:Z", "total:all"}
        # The first response is the answer at 30, after the entry at 0: 30 s, like the wait.
        expected = {"offered": 1, "answered": 1, "answered_wait_ms": 30_000, "first_response_ms": 30_000, "first_response_count": 1}
        assert calls.sums("queue:Z") == calls.sums("total:all") == expected

    def test_queued_again_in_the_same_queue(self) -> None:
        """An open visit continues: the second entry changes nothing."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.queued", 10, queue="A"), event("contact.answered", 30))

        # Wait and first response both run from the first entry: 30 - 0 = 30.
        expected = {"offered": 1, "answered": 1, "answered_wait_ms": 30_000, "first_response_ms": 30_000, "first_response_count": 1}
        assert calls.sums("queue:A") == expected

    def test_without_a_visit_but_with_queue_and_wait(self) -> None:
        """The offer is booked at the answer by outcome, and where the contact entered by offer."""
        calls = Contacts(event("contact.answered", 5, agent="ann", queue="A", wait_seconds=20))

        # 5 - 20 = -15: entered in the cell before; the start is that entry, so the first response took 5 - (-15) = 20.
        assert calls.starts("queue:A", "offered") == {0: 1}
        assert calls.starts("queue:A", "offered", kind="cohort") == {-900: 1}
        expected = {"offered": 1, "answered": 1, "answered_wait_ms": 20_000, "first_response_ms": 20_000, "first_response_count": 1}
        assert calls.sums("total:all") == expected
        assert calls.starts("total:all", "first_response_count") == {0: 1}
        assert calls.starts("queue:A", "first_response_count", kind="cohort") == {-900: 1}

    def test_without_a_visit_and_without_a_wait(self) -> None:
        """Without a visit no answer is counted, but the leg is."""
        calls = Contacts(event("contact.answered", 0, agent="ann", queue="A"), event("contact.ended", 60))

        assert calls.sums("queue:A") == {"handled": 1, "talk_ms": 60_000, "talk_count": 1}


class TestHoldAndWrapUp:
    """The parts of handling."""

    @pytest.mark.parametrize(
        ("reports", "during", "expected"),
        [
            # The source does not report hold: 130 - 30 = 100 s of talk, hold not known.
            ([], [], {"talk_ms": 100_000}),
            # Hold is reported, there was none.
            (["hold"], [], {"talk_ms": 100_000, "hold_count": 1}),
            # Held at 100 until the end: 30 s; talk 70 s. The event itself shows that hold is reported.
            ([], [("contact.held", 100)], {"talk_ms": 70_000, "hold_count": 1, "hold_ms": 30_000, "held_count": 1}),
            # A second hold during the first changes nothing: 60 to 70.
            (
                [],
                [("contact.held", 60), ("contact.held", 65), ("contact.resumed", 70)],
                {"talk_ms": 90_000, "hold_count": 1, "hold_ms": 10_000, "held_count": 1},
            ),
            # Reported afterwards: 25 s in place of the 10 s since it was held; talk 75 s.
            (
                [],
                [("contact.held", 60), ("contact.resumed", 70, {"hold_seconds": 25})],
                {"talk_ms": 75_000, "hold_count": 1, "hold_ms": 25_000, "held_count": 1},
            ),
            # And no more than the leg has lasted: 70 - 30 = 40 s.
            (
                [],
                [("contact.resumed", 70, {"hold_seconds": 600})],
                {"talk_ms": 60_000, "hold_count": 1, "hold_ms": 40_000, "held_count": 1},
            ),
            # Resumed without having been held: hold is known to be 0.
            ([], [("contact.resumed", 70)], {"talk_ms": 100_000, "hold_count": 1}),
        ],
    )
    def test_hold(self, reports: list[str], during: list[tuple[Any, ...]], expected: dict[str, int]) -> None:
        """Talk is what is connected and not held; hold counts where it is known."""
        calls = Contacts(
            *call(
                *(event(kind, seconds, **(fields[0] if fields else {})) for kind, seconds, *fields in during),
                event("contact.ended", 130),
                reports=reports,
            )
        )

        found = calls.sums("queue:A")
        assert {name: found[name] for name in ("talk_ms", "hold_ms", "hold_count", "held_count") if name in found} == expected

    @pytest.mark.parametrize(
        ("after", "wrap_ms", "talk_ms"),
        [
            # Reported in seconds: that holds, whenever it arrives.
            ([("contact.ended", 130, {}), ("contact.wrapped_up", 500, {"wrap_up_seconds": 12.5})], 12_500, 100_000),
            # Started at 140, finished at 150.
            ([("contact.ended", 130, {}), ("contact.wrap_up_started", 140, {}), ("contact.wrapped_up", 150, {})], 10_000, 100_000),
            # A second start changes nothing.
            (
                [
                    ("contact.ended", 130, {}),
                    ("contact.wrap_up_started", 140, {}),
                    ("contact.wrap_up_started", 145, {}),
                    ("contact.wrapped_up", 150, {}),
                ],
                10_000,
                100_000,
            ),
            # Never started: from the end of the leg.
            ([("contact.ended", 130, {}), ("contact.wrapped_up", 155, {})], 25_000, 100_000),
            # Started while connected: the leg ends there, 90 - 30 = 60 s of talk.
            ([("contact.wrap_up_started", 90, {}), ("contact.wrapped_up", 100, {}), ("contact.ended", 130, {})], 10_000, 60_000),
            # Finished while connected: the leg ends there, 80 - 30 = 50 s of talk, no wrap-up time.
            ([("contact.wrapped_up", 80, {}), ("contact.ended", 130, {})], 0, 50_000),
        ],
    )
    def test_forms_of_wrap_up(self, after: list[tuple[str, float, dict[str, Any]]], wrap_ms: int, talk_ms: int) -> None:
        """In every way that platforms report wrap-up, its time counts, and handle time is talk and wrap-up together."""
        calls = Contacts(*call(*(event(kind, seconds, agent="ann", **fields) for kind, seconds, fields in after)))

        found = calls.sums("queue:A")
        assert (found.get("wrap_ms", 0), found["wrap_count"], found["handled"]) == (wrap_ms, 1, 1)
        assert (found["talk_ms"], found["handle_ms"], found["handle_count"]) == (talk_ms, talk_ms + wrap_ms, 1)

    def test_wrap_up_belongs_to_the_agents_own_leg(self) -> None:
        """Ann wraps up the leg in A after bo has taken over in B, and each queue has its own."""
        calls = Contacts(
            *call(
                event("contact.transferred", 50),
                event("contact.queued", 50, queue="B"),
                event("contact.answered", 60, agent="bo"),
                event("contact.wrapped_up", 80, agent="ann"),
                event("contact.ended", 100),
                event("contact.wrapped_up", 105, agent="bo"),
            )
        )

        # ann: 80 - 50 = 30 s in A; bo: 105 - 100 = 5 s in B; the department sums both, but counts the conversation once.
        assert (calls.sums("queue:A")["wrap_ms"], calls.sums("queue:B")["wrap_ms"]) == (30_000, 5_000)
        assert (calls.sums("department:help")["wrap_ms"], calls.sums("department:help")["wrap_count"]) == (35_000, 1)

    def test_wrap_up_of_an_unknown_agent(self) -> None:
        """A wrap-up by an agent who had no leg counts nothing."""
        calls = Contacts(*call(event("contact.ended", 130), event("contact.wrapped_up", 150, agent="bo")))

        assert "wrap_count" not in calls.sums("queue:A")


class TestLeaving:
    """A contact that leaves a queue unanswered, and may come back."""

    def test_overflow_is_one_conversation_for_the_department(self) -> None:
        """Queued at A, over to B after 40 s, answered there after 20 s more: two visits, one conversation that waited 60 s."""
        calls = Contacts(
            event("contact.queued", 0, queue="A"),
            event("contact.left_queue", 40, reason="overflow"),
            event("contact.queued", 40, queue="B"),
            event("contact.answered", 60, agent="ann"),
        )

        # The place of the first response is B, where it was answered; its time runs from the start, the entry in A: 60 - 0 = 60.
        response = {"first_response_ms": 60_000, "first_response_count": 1}
        assert calls.sums("queue:A") == {"offered": 1, "flow_out_overflow": 1}
        assert calls.sums("queue:B") == {"offered": 1, "answered": 1, "answered_wait_ms": 20_000, **response}
        assert (
            calls.sums("department:help")
            == calls.sums("total:all")
            == {"offered": 1, "answered": 1, "answered_wait_ms": 60_000, **response}
        )
        # A's site has lost it, and B has none.
        assert calls.sums("site:bonn") == {"offered": 1, "flow_out_overflow": 1}

    def test_queued_elsewhere_without_leaving(self) -> None:
        """An open visit ends as overflow when the contact is queued elsewhere."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.queued", 15, queue="C"), event("contact.answered", 25))

        # Waited in C 25 - 15 = 10, in total 25; the first response, in C and its scopes, runs from the entry in A: 25 - 0 = 25.
        response = {"first_response_ms": 25_000, "first_response_count": 1}
        assert calls.sums("queue:A") == calls.sums("department:help") == {"offered": 1, "flow_out_overflow": 1}
        assert (
            calls.sums("queue:C") == calls.sums("department:shop") == {"offered": 1, "answered": 1, "answered_wait_ms": 10_000, **response}
        )
        assert calls.sums("total:all") == {"offered": 1, "answered": 1, "answered_wait_ms": 25_000, **response}

    @pytest.mark.parametrize(
        ("back", "total"),
        [
            # 10 + 60 = 70: within the limit, the same wait since 0: 90 s.
            (70, {"offered": 1, "answered": 1, "answered_wait_ms": 90_000}),
            # A millisecond later it is another wait: 90 - 70.001 = 19.999 s, and the flow-out stays.
            (70.001, {"offered": 2, "flow_out_timeout": 1, "answered": 1, "answered_wait_ms": 19_999}),
        ],
    )
    def test_rejoining(self, back: float, total: dict[str, int]) -> None:
        """A customer who comes back within 60 s continues to wait; later it is a second offer."""
        calls = Contacts(
            event("contact.queued", 0, queue="A"),
            event("contact.left_queue", 10, reason="timeout"),
            event("contact.queued", back, queue="B"),
            event("contact.answered", 90),
        )

        # However the wait is taken, the conversation started at 0 and was first answered at 90: 90 s.
        expected = {**total, "first_response_ms": 90_000, "first_response_count": 1}
        assert calls.sums("department:help") == calls.sums("total:all") == expected

    def test_a_reversed_flow_out_leaves_its_own_pane(self) -> None:
        """What was booked at 10 s is taken out there, not where the contact came back."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.left_queue", 10, reason="timeout"))
        before = calls.starts("department:help", "flow_out_timeout")
        calls.apply([event("contact.queued", 35, queue="B")])

        assert before == {10: 1}
        assert calls.starts("department:help", "flow_out_timeout") == {}
        assert calls.starts("queue:A", "flow_out_timeout") == {10: 1}

    def test_abandoned(self) -> None:
        """The wait of who gives up is counted on its own."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.left_queue", 25, reason="abandoned"))

        assert calls.sums("queue:A") == calls.sums("total:all") == {"offered": 1, "abandoned": 1, "abandoned_wait_ms": 25_000}

    def test_abandoned_and_back_at_once(self) -> None:
        """An abandoned wait is never taken up again: the contact is offered twice."""
        calls = Contacts(
            event("contact.queued", 0, queue="A"),
            event("contact.left_queue", 20, reason="abandoned"),
            event("contact.queued", 30, queue="A"),
            event("contact.answered", 45),
        )

        # The second wait is 45 - 30 = 15; the first response runs from the first entry: 45 - 0 = 45.
        expected = {
            "offered": 2, "abandoned": 1, "abandoned_wait_ms": 20_000, "answered": 1, "answered_wait_ms": 15_000,
            "first_response_ms": 45_000, "first_response_count": 1,
        }  # fmt: skip
        assert calls.sums("queue:A") == calls.sums("department:help") == expected

    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("customer", {"offered": 1, "abandoned": 1, "abandoned_wait_ms": 12_000}),
            ("system", {"offered": 1, "flow_out_other": 1}),
            (None, {"offered": 1, "flow_out_other": 1}),
        ],
    )
    def test_ended_while_waiting(self, by: str | None, expected: dict[str, int]) -> None:
        """Only the customer can abandon."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.ended", 12, by=by))

        assert calls.sums("queue:A") == expected

    def test_left_without_a_visit(self) -> None:
        """With queue and wait it counts as if it had been queued; with less it counts nothing, and is counted for that."""
        calls = Contacts(event("contact.left_queue", 40, reason="abandoned", queue="A", wait_seconds=15))
        nothing = Contacts(event("contact.left_queue", 40, reason="abandoned", queue="A"))

        assert calls.sums("queue:A") == {"offered": 1, "abandoned": 1, "abandoned_wait_ms": 15_000}
        assert (nothing.scopes(), nothing.sums("total:all")) == ({"total:all"}, {"uncounted=no_visit": 1})


class TestTransfer:
    """A contact that is passed on."""

    def test_to_another_department(self) -> None:
        """Each queue handles its own leg; the total counts one conversation and the talk of both legs."""
        calls = Contacts(
            *call(
                event("contact.transferred", 50),
                event("contact.queued", 50, queue="C"),
                event("contact.answered", 70, agent="bo"),
                event("contact.ended", 100),
                answered=10,
            )
        )

        # ann talks 50 - 10 = 40 s, bo 100 - 70 = 30 s. The first response is ann's, at 10 - 0 = 10 s; bo's answer is none.
        first = {
            "offered": 1,
            "answered": 1,
            "answered_wait_ms": 10_000,
            "handled": 1,
            "talk_ms": 40_000,
            "talk_count": 1,
            "transfers_out": 1,
            "first_response_ms": 10_000,
            "first_response_count": 1,
        }
        second = {"offered": 1, "answered": 1, "answered_wait_ms": 20_000, "handled": 1, "talk_ms": 30_000, "talk_count": 1}
        assert calls.sums("queue:A") == calls.sums("department:help") == first
        assert calls.sums("queue:C") == {**second, "transfers_in": 1}
        assert calls.sums("department:shop") == second
        assert calls.sums("total:all") == {**first, "talk_ms": 70_000, "transfers_in": 1}

    def test_while_waiting(self) -> None:
        """Passed on before an answer, the contact left the queue."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.transferred", 8))

        assert calls.sums("queue:A") == calls.sums("total:all") == {"offered": 1, "flow_out_transfer": 1}

    def test_abandoned_after_an_answer(self) -> None:
        """Who gives up waiting for the second agent abandoned that queue, but the department had answered."""
        calls = Contacts(
            *call(
                event("contact.transferred", 20),
                event("contact.queued", 20, queue="B"),
                event("contact.left_queue", 50, reason="abandoned"),
                answered=10,
            )
        )

        assert calls.sums("queue:B") == {"offered": 1, "transfers_in": 1, "abandoned": 1, "abandoned_wait_ms": 30_000}
        found = calls.sums("department:help")
        assert (found["offered"], found["answered"], found["abandoned_after_answer"]) == (1, 1, 1)
        assert "abandoned" not in found

    def test_non_response(self) -> None:
        """An unanswered offer counts in the queue of the visit, or the one it names; an accepted one counts nowhere."""
        calls = Contacts(
            event("contact.queued", 0, queue="A"),
            event("contact.offer_ended", 15, agent="ann", outcome="no_answer"),
            event("contact.offer_ended", 20, agent="bo", outcome="no_answer", queue="C"),
            event("contact.offer_ended", 25, agent="cy", outcome="accepted"),
        )
        nowhere = Contacts(event("contact.offer_ended", 15, agent="ann", outcome="no_answer"))

        assert [calls.sums(scope).get("non_response") for scope in ("queue:A", "queue:C", "department:help", "total:all")] == [
            1,
            1,
            1,
            2,
        ]
        assert (nowhere.scopes(), nowhere.sums("total:all")) == ({"total:all"}, {"uncounted=no_queue": 1})


class TestReplies:
    """Channels in which a reply is the answer and handling is touch time."""

    def test_mail(self) -> None:
        """The first public reply answers, and what an agent worked on it is its talk time."""
        calls = Contacts(
            event("contact.queued", 0, queue="M"),
            event("contact.message", 10, author_kind="customer"),
            event("contact.message", 20, author_kind="agent", automatic=True),
            event("contact.message", 30, author_kind="agent", public=False),
            event("contact.work_started", 100, agent="ann"),
            event("contact.message", 400, author_kind="agent"),
            event("contact.work_ended", 700, agent="ann"),
            event("contact.status_changed", 720, status="resolved"),
            event("contact.wrapped_up", 730, agent="ann"),
        )

        # Waited 400 s; worked on from 100 to 700: 600 s, though the leg was open for 320 s; wrap-up 730 - 720 = 10 s.
        # Handling is touch time, 600 s, booked when the leg ends at 720: the wrap-up adds nothing to it.
        # Start is the entry at 0: first response 400 - 0, neither automatic nor internal ones before; resolution 720 - 0,
        # at first contact, for there was one visit and no transfer.
        expected = {
            "offered": 1, "answered": 1, "answered_wait_ms": 400_000, "handled": 1, "talk_ms": 600_000, "talk_count": 1,
            "wrap_ms": 10_000, "wrap_count": 1, "handle_ms": 600_000, "handle_count": 1,
            "first_response_ms": 400_000, "first_response_count": 1,
            "resolved": 1, "first_resolved": 1, "resolution_ms": 720_000, "resolution_count": 1, "first_contact_resolved": 1,
            # The customer wrote at 10 and had a reply at 400: one round trip; thanks were not examined, and the agent is unknown.
            "response_ms": 390_000, "response_count": 1, "replies": 1, "exchanged": 1, "exchanges": 1, "texts": 1,
        }  # fmt: skip
        assert calls.sums("queue:M", "mail") == calls.sums("total:all", "mail") == expected
        assert calls.starts("queue:M", "handle_ms", "mail") == {720: 600_000}

    def test_each_leg_has_its_own_touch_time(self) -> None:
        """What was booked with an earlier leg is not booked again; a leg without work has no talk time."""
        calls = Contacts(
            event("contact.queued", 0, queue="M"),
            event("contact.work_started", 0, agent="ann"),
            event("contact.message", 50, author_kind="agent"),
            event("contact.work_ended", 60, agent="ann"),
            event("contact.status_changed", 60, status="resolved"),
            event("contact.queued", 600, queue="M"),
            event("contact.message", 700, author_kind="agent"),
            event("contact.status_changed", 800, status="closed"),
        )

        found = calls.sums("queue:M", "mail")
        assert (found["handled"], found["talk_ms"], found["talk_count"]) == (2, 60_000, 1)
        assert "hold_count" not in found

    def test_a_message_answers_no_call(self) -> None:
        """In voice only an answer answers; the words of an agent are a first response all the same."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.message", 9, author_kind="agent"))

        # Entered at 0, written to at 9: 9 s.
        assert calls.sums("queue:A") == {"offered": 1, "first_response_ms": 9_000, "first_response_count": 1}

    def test_the_channel_of_the_visit_wins(self) -> None:
        """Of the channels that are named, that of the entry counts, then that of the arrival, then the configured one."""
        named = Contacts(event("contact.arrived", 0, channel="chat"), event("contact.queued", 1, queue="M", channel="social"))
        arrived = Contacts(event("contact.arrived", 0, channel="chat"), event("contact.queued", 1, queue="M"))
        configured = Contacts(event("contact.queued", 1, queue="M"))

        assert [calls.sums("total:all", channel) for calls, channel in ((named, "social"), (arrived, "chat"), (configured, "mail"))] == [
            {"offered": 1}
        ] * 3


class TestOrder:
    """In whatever order events come, they count as they occurred."""

    def test_every_order(self) -> None:
        """All 720 orders of six events give the same slices and the same open states."""
        events = [
            *call(answered=10),
            event("contact.transferred", 50),
            event("contact.queued", 50, queue="B"),
            event("contact.left_queue", 80, reason="abandoned"),
            event("contact.wrapped_up", 80, agent="ann"),
        ]
        expected = Contacts(*events).slices

        for order in permutations(events):
            calls = Contacts(*order)

            assert calls.slices == expected
            assert {scope: now for scope, now in calls.now().items() if now != ([], 0)} == {}

    def test_an_answer_after_the_end(self) -> None:
        """An abandoned contact was answered: the correction removes the abandon and counts the answer."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.ended", 60, by="customer"))
        before = calls.sums("queue:A")
        calls.apply([event("contact.answered", 30, received=65, agent="ann")])

        assert before == {"offered": 1, "abandoned": 1, "abandoned_wait_ms": 60_000}
        # Answered after 30 s, which is the first response too: 30 - 0; talked 60 - 30 = 30 s.
        after = {
            "offered": 1, "answered": 1, "answered_wait_ms": 30_000, "handled": 1, "talk_ms": 30_000, "talk_count": 1,
            "first_response_ms": 30_000, "first_response_count": 1,
        }  # fmt: skip
        assert calls.sums("queue:A") == calls.sums("total:all") == after

    def test_the_sequence_decides_within_an_instant(self) -> None:
        """Of two events of one instant the one with the lower sequence came first, whatever their kinds."""
        calls = Contacts(event("contact.queued", 0, queue="A", sequence=2), event("contact.left_queue", 0, reason="abandoned", sequence=1))

        assert calls.sums("queue:A") == {"offered": 1}

    def test_repeats(self) -> None:
        """An event that is known already counts nothing, and is counted as a repeat."""
        events = call(event("contact.ended", 60))
        calls = Contacts(*events, *events)

        assert calls.sums("queue:A")["offered"] == 1
        assert calls.tracker.repeated == 3


class TestTakenBack:
    """Conversations that count nothing."""

    @pytest.mark.parametrize("direction", ["outbound", "internal"])
    def test_not_inbound(self, direction: str) -> None:
        """An outbound call counts only as outbound, or not at all, even if its direction arrives last."""
        arrived = event("contact.arrived", 0, channel="voice", direction=direction)
        first, last = Contacts(arrived, *call()), Contacts(*call(), arrived)

        counted = {"pane": [{"outbound": 1}, {"outbound_reached": 1}], "cohort": [{"outbound": 1, "outbound_reached": 1}]}
        expected = counted if direction == "outbound" else {"pane": [], "cohort": []}
        for calls in (first, last):
            assert {scope for _, scope, _, _ in calls.slices} <= {"total:all"}
            for kind, sums in expected.items():
                assert [counts for (its_kind, *_), counts in sorted(calls.slices.items(), key=str) if its_kind == kind] == sums
        assert {scope: now for scope, now in last.now().items() if now != ([], 0)} == {}

    @pytest.mark.parametrize(
        ("received", "offered", "late"),
        [
            # The first pane ends at 10; with 120 s of grace it is frozen after 130.
            (130, None, 0),
            (130.001, 1, 1),
        ],
    )
    def test_excluded(self, received: float, offered: int | None, late: int) -> None:
        """An exclusion takes everything back, unless that would change a frozen pane: then it is late as a whole."""
        calls = Contacts(*call(event("contact.ended", 60)), event("contact.excluded", 100, received=received, reason="test"))

        assert calls.sums("queue:A").get("offered") == offered
        assert calls.tracker.late == late

    def test_events_after_an_exclusion(self) -> None:
        """Nothing of an excluded conversation counts any more but the exclusion itself."""
        calls = Contacts(*call(), event("contact.excluded", 40, reason="spam"), event("contact.ended", 60))

        assert calls.scopes() == {"queue:A", "department:help", "business:acme", "site:bonn", "total:all"}
        assert list(calls.slices.values()) == [{"excluded=spam": 1}] * 10


class TestLate:
    """Events beyond the grace."""

    @pytest.mark.parametrize(("received", "late"), [(130, 0), (130.001, 1)])
    def test_the_last_instant(self, received: float, late: int) -> None:
        """What occurred at 5 s belongs to the pane that ends at 10 s and may come until 130 s."""
        calls = Contacts(event("contact.queued", 5, received=received, queue="A"))

        assert (calls.sums("queue:A").get("offered", 0), calls.tracker.late) == (1 - late, late)

    def test_where_it_is_counted(self) -> None:
        """A late event counts as late in its queue at the instant it came, and changes no other figure."""
        calls = Contacts(event("contact.queued", 5, received=200, queue="A"))

        assert calls.starts("queue:A", "late_events") == {200: 1}
        assert [calls.sums(scope) for scope in ("queue:A", *HELP)] == [{"late_events": 1}] * 5

    def test_a_late_answer_leaves_the_contact_waiting(self) -> None:
        """What is late is no fact: the contact waits on, and its queue is that of the late event."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.answered", 5, received=131, agent="ann"))

        assert calls.sums("queue:A") == {"offered": 1, "late_events": 1}
        assert calls.now()["queue:A"] == ([0.0], 0)


class TestNow:
    """The current state."""

    def test_waiting_and_in_progress(self) -> None:
        """A waiting contact waits since its entry in every scope; once answered it is in progress in all of them."""
        calls = Contacts(event("contact.queued", 3, queue="A"))
        waiting = calls.now()
        calls.apply([event("contact.answered", 20, agent="ann")])
        answered = calls.now()
        calls.apply([event("contact.ended", 50)])

        assert waiting == dict.fromkeys(("queue:A", *HELP), ([3.0], 0))
        assert answered == dict.fromkeys(("queue:A", *HELP), ([], 1))
        assert calls.now() == dict.fromkeys(("queue:A", *HELP), ([], 0))

    def test_since_when_it_waits_after_an_overflow(self) -> None:
        """In the second queue the wait begins at its own entry, in the department at the first."""
        calls = Contacts(event("contact.queued", 0, queue="A"), event("contact.queued", 40, queue="B"))

        found = calls.now()
        assert (found.get("queue:A"), found["queue:B"], found["department:help"]) == (None, ([40.0], 0), ([0.0], 0))

    def test_since_when_it_waits_after_an_answer(self) -> None:
        """Once answered, a department's customer waits again since the second entry."""
        calls = Contacts(*call(event("contact.transferred", 50), event("contact.queued", 55, queue="B")))

        assert calls.now()["department:help"] == ([55.0], 0)

    def test_a_correction_to_another_channel(self) -> None:
        """An arrival that comes late in the order moves the waiting contact to its channel."""
        calls = Contacts(event("contact.queued", 0, queue="A"))
        calls.now()
        calls.apply([event("contact.arrived", 0, received=4, channel="chat")])

        moved = {(scope.scope, scope.channel): since for scope, since, _ in calls.tracker.changed_now()}
        assert (len(moved["queue:A", "voice"]), len(moved["queue:A", "chat"])) == (0, 1)
