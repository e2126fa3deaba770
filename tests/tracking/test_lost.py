"""Contacts without further events (``docs/counting.md`` section 4.3), with values counted by hand; seconds count from 9:00."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.decoding import decode_contact_event
from schemas.times import format_ms
from tests.tracking.harness import CONFIGURATION, Contacts, event, ms

if TYPE_CHECKING:
    from streams.configuration import Configuration

HOUR = 3_600


def losing(**seconds: int) -> Configuration:
    """Return the configuration with other times after which contacts are lost."""
    counting = CONFIGURATION.counting.model_dump(exclude_defaults=True)
    return CONFIGURATION.model_validate(
        {**CONFIGURATION.model_dump(exclude={"counting"}), "counting": {**counting, "lost_after_seconds": seconds}}
    )


def silent(*events: bytes, through: float, configuration: Configuration = CONFIGURATION) -> Contacts:
    """Return what is booked of events once everything is reported up to an instant."""
    contacts = Contacts(*events, configuration=configuration)
    pass_on(contacts, through)
    return contacts


def pass_on(contacts: Contacts, through: float) -> None:
    """Report the source complete through an instant."""
    contacts.tracker.watermark.heartbeat("test", ms(through), ms(through))
    contacts.apply([])


def mail(*further: bytes) -> list[bytes]:
    """Return a mail that has come in."""
    return [event("contact.arrived", 0, channel="mail"), event("contact.queued", 0, queue="M"), *further]


class TestWhen:
    """The instant at which a contact is lost."""

    def test_a_call_that_waits(self) -> None:
        """Four hours after it was queued, and not at that instant yet, it has left the queue as lost."""
        contacts = silent(event("contact.queued", 5, queue="A"), through=5 + 4 * HOUR)
        before = contacts.sums("queue:A")
        waiting = contacts.now()["queue:A"]
        pass_on(contacts, 5 + 4 * HOUR + 0.001)

        assert (before, waiting) == ({"offered": 1}, ([5.0], 0))
        assert contacts.sums("queue:A") == {"offered": 1, "flow_out_lost": 1, "lost_contacts": 1}
        assert contacts.starts("queue:A", "lost_contacts") == {4 * HOUR: 1}
        assert contacts.starts("total:all", "flow_out_lost", kind="cohort") == {0: 1}
        assert contacts.starts("site:bonn", "lost_contacts", kind="cohort") == {4 * HOUR: 1}
        assert contacts.now()["total:all"] == ([], 0)

    def test_each_fact_puts_it_off(self) -> None:
        """The four hours restart with every fact."""
        contacts = silent(event("contact.queued", 0, queue="A"), event("contact.answered", 3 * HOUR, agent="ann"), through=7 * HOUR)
        before = contacts.sums("queue:A").get("lost_contacts")
        pass_on(contacts, 7 * HOUR + 1)

        assert before is None
        assert contacts.starts("queue:A", "lost_contacts") == {7 * HOUR: 1}

    def test_a_finished_contact_is_not_lost(self) -> None:
        """A call that ended is closed, whatever arrives later."""
        contacts = silent(event("contact.queued", 0, queue="A"), event("contact.ended", 9, by="customer"), through=30 * HOUR)

        assert "lost_contacts" not in contacts.sums("queue:A")

    def test_channels_have_their_own_time(self) -> None:
        """A mail is silent for thirty days; a setting of one channel leaves the others as they are."""
        thirty_days = 30 * 24 * HOUR
        assert "lost_contacts" not in silent(*mail(), through=thirty_days).sums("queue:M", "mail", "pane")
        assert silent(*mail(), through=thirty_days + 1).starts("queue:M", "lost_contacts", "mail") == {thirty_days: 1}
        quick = losing(mail=60)
        assert silent(*mail(), through=61, configuration=quick).starts("queue:M", "lost_contacts", "mail") == {60: 1}
        voice = event("contact.queued", 0, queue="A")
        assert "lost_contacts" not in silent(voice, through=61, configuration=quick).sums("queue:A")

    def test_a_callback_is_waited_for_until_it_is_due(self) -> None:
        """With a callback due in two days a call is lost a week after that, not four hours after the request."""
        due, week = 2 * 24 * HOUR, 7 * 24 * HOUR
        call = (
            event("contact.queued", 0, queue="A"),
            event("contact.callback_requested", 10, due=format_ms(ms(due))),
            event("contact.left_queue", 10, reason="callback"),
        )

        assert "lost_contacts" not in silent(*call, through=due + week).sums("queue:A", kind="pane")
        assert silent(*call, through=due + week + 1).starts("queue:A", "lost_contacts") == {due + week: 1}

    def test_a_callback_due_in_more_than_a_year(self) -> None:
        """A due time is believed thirty days ahead, no further."""
        month, week = 30 * 24 * HOUR, 7 * 24 * HOUR
        call = (event("contact.queued", 0, queue="A"), event("contact.callback_requested", 0, due=format_ms(ms(400 * 24 * HOUR))))

        assert silent(*call, through=month + week + 1).starts("queue:A", "lost_contacts") == {month + week: 1}


class TestWhat:
    """What is counted of a lost contact."""

    def test_a_call_under_way(self) -> None:
        """The agent handled it, for how long is not known: nothing is added to talk, hold and handle time."""
        contacts = silent(
            event("contact.queued", 0, queue="A"),
            event("contact.answered", 10, agent="ann", reports=["hold"]),
            event("contact.held", 20),
            through=4 * HOUR + 21,
        )
        pass_on(contacts, 5 * HOUR)
        contacts.apply([event("contact.wrapped_up", 5 * HOUR, agent="ann", wrap_up_seconds=9)])

        assert contacts.sums("queue:A") == {
            "offered": 1,
            "answered": 1,
            "answered_wait_ms": 10_000,
            "handled": 1,
            "lost_contacts": 1,
            "first_response_ms": 10_000,
            "first_response_count": 1,
            "uncounted=no_leg": 1,  # the wrap-up
        }
        assert contacts.now()["queue:A"] == ([], 0)

    def test_a_mail_under_way(self) -> None:
        """What was worked on it and reported is its handle time; what was begun and not ended is not."""
        contacts = silent(
            *mail(
                event("contact.work_started", 10, agent="ann"),
                event("contact.message", 30, author_kind="agent"),
                event("contact.work_ended", 40, agent="ann"),
                event("contact.work_started", 50, agent="ann"),
            ),
            through=111,
            configuration=losing(mail=60),
        )
        contacts.apply([event("contact.work_ended", 200, agent="ann"), event("contact.status_changed", 210, status="resolved")])
        sums = contacts.sums("queue:M", "mail")

        assert {name: sums[name] for name in ("lost_contacts", "handled", "talk_ms", "talk_count", "handle_ms", "resolved")} == {
            "lost_contacts": 1,
            "handled": 1,
            "talk_ms": 30_000,
            "talk_count": 1,
            "handle_ms": 30_000,
            "resolved": 1,
        }

    def test_it_leaves_the_backlog(self) -> None:
        """An open ticket that is lost is in the backlog no more, and comes back with its next status."""
        contacts = silent(*mail(event("contact.status_changed", 9, status="on_hold")), through=60, configuration=losing(mail=60))
        scope = next(scope for scope, _, _ in contacts.tracker.changed_now() if scope.scope == "queue:M")
        before: Any = contacts.tracker.pending(scope)
        pass_on(contacts, 70)
        gone = contacts.tracker.pending(scope)
        contacts.apply([event("contact.escalated", 80)])
        escalated = contacts.tracker.pending(scope)
        contacts.apply([event("contact.status_changed", 90, status="open")])

        assert (before["backlog"], gone, escalated) == ({"on_hold": 1}, {}, {})
        assert contacts.tracker.pending(scope)["backlog"] == {"in_progress": 1}

    def test_a_lost_callback(self) -> None:
        """The callback was requested and not reached; an attempt reported later counts nothing."""
        contacts = silent(
            event("contact.queued", 0, queue="A"),
            event("contact.callback_requested", 10),
            event("contact.left_queue", 10, reason="callback"),
            through=71,
            configuration=losing(voice=60, callback=60),
        )
        contacts.apply([event("contact.callback_ended", 100, outcome="reached")])

        assert contacts.sums("queue:A") == {"offered": 1, "callbacks_requested": 1, "flow_out_callback": 1, "lost_contacts": 1}


class TestThatArrivalDecidesNothing:
    """The facts alone, and how far the partition has come."""

    def test_the_next_fact_before_progress(self) -> None:
        """Whether the fact after the silence is known before progress has passed it or later, the same is counted."""
        early = Contacts(event("contact.queued", 0, queue="A"), event("contact.answered", 5 * HOUR, agent="ann", queue="A"))
        late = silent(event("contact.queued", 0, queue="A"), through=5 * HOUR)
        late.apply([event("contact.answered", 5 * HOUR, agent="ann", queue="A")])

        assert early.sums("queue:A") == {
            "offered": 1,
            "flow_out_lost": 1,
            "lost_contacts": 1,
            "first_response_ms": 5 * HOUR * 1000,
            "first_response_count": 1,
        }
        assert late.slices == early.slices

    def test_a_fact_that_was_missing(self) -> None:
        """A fact from before the instant reverses the loss, though progress had passed it."""
        contacts = silent(event("contact.queued", 0, queue="A"), through=95, configuration=losing(voice=60))
        lost = contacts.sums("queue:A")
        contacts.apply([event("contact.answered", 59, received=100, agent="ann")])

        assert lost == {"offered": 1, "flow_out_lost": 1, "lost_contacts": 1}
        assert contacts.sums("queue:A") == {
            "offered": 1,
            "answered": 1,
            "answered_wait_ms": 59_000,
            "first_response_ms": 59_000,
            "first_response_count": 1,
        }
        assert contacts.now()["queue:A"] == ([], 1)

    def test_back_in_time_to_rejoin(self) -> None:
        """Queued again within a minute of being lost, a contact continues to wait in the larger scopes, but still counts as lost."""
        contacts = silent(event("contact.queued", 0, queue="A"), through=61, configuration=losing(voice=60))
        contacts.apply([event("contact.queued", 120, queue="B")])

        assert contacts.sums("department:help") == {"offered": 1, "lost_contacts": 1}
        assert contacts.now()["department:help"] == ([0.0], 0)


def snapshot(seconds: float, *open_ids: str, source: str = "test", received: float | None = None) -> Any:
    """Return a source's word of which contacts are open, decoded."""
    return decode_contact_event(event("source.snapshot", seconds, received=received, kind="contacts", open_ids=open_ids, source=source))


class TestSnapshots:
    """What a source does not list (section 4.4)."""

    CALLS = (
        event("contact.queued", 0, queue="A"),
        event("contact.queued", 0, queue="A", conversation_id="c2", contact_id="leg 2"),
        event("contact.queued", 0, queue="A", conversation_id="c3"),
        event("contact.queued", 0, queue="A", conversation_id="of another", source="mail"),
        event("contact.queued", 0, queue="A", conversation_id="over"),
        event("contact.ended", 50, by="customer", conversation_id="over"),
    )

    def test_an_unlisted_contact_is_lost(self) -> None:
        """Open contacts of that source that are not listed, by either id, are lost at that instant; once progress is a minute beyond it."""
        contacts = Contacts(*self.CALLS)
        contacts.tracker.snapshot(snapshot(100, "c1", "leg 2"))
        pass_on(contacts, 160)
        before = contacts.sums("queue:A").get("lost_contacts")
        pass_on(contacts, 160.001)

        assert before is None
        assert contacts.starts("queue:A", "lost_contacts") == {100: 1}
        assert contacts.sums("queue:A") == {
            "offered": 5,
            "abandoned": 1,
            "abandoned_wait_ms": 50_000,
            "flow_out_lost": 1,
            "lost_contacts": 1,
        }
        assert contacts.now()["queue:A"] == ([0.0, 0.0, 0.0], 0)

    def test_a_contact_with_an_event_within_a_minute_was_open(self) -> None:
        """A fact from the instant of the snapshot to a minute later overrides the list."""
        for seconds, lost in ((99.999, 1), (100, 0), (160, 0), (160.001, 1)):
            contacts = Contacts(event("contact.queued", 0, queue="A"), event("contact.answered", seconds, agent="ann"))
            contacts.tracker.snapshot(snapshot(100))
            pass_on(contacts, 161)

            assert contacts.sums("queue:A").get("lost_contacts", 0) == lost, seconds

    def test_the_order_of_arrival_decides_nothing(self) -> None:
        """What is received after progress has passed the snapshot, but is not late, is taken as if it had come before."""
        contacts = Contacts(event("contact.queued", 0, queue="A"), event("contact.queued", 60, queue="A", conversation_id="c2"))
        contacts.tracker.snapshot(snapshot(100))
        pass_on(contacts, 170)
        lost = contacts.sums("queue:A")["lost_contacts"]
        contacts.apply(
            [
                event("contact.answered", 130, received=171, agent="ann"),
                event("contact.queued", 90, received=171, queue="A", conversation_id="c3"),
            ]
        )

        assert lost == 2
        assert contacts.starts("queue:A", "lost_contacts") == {100: 2}
        assert contacts.now()["queue:A"] == ([], 1)

    def test_a_late_snapshot(self) -> None:
        """One received after its pane is frozen changes nothing."""
        contacts = Contacts(event("contact.queued", 0, queue="A"))
        contacts.tracker.snapshot(snapshot(100, received=231))
        pass_on(contacts, 300)

        assert "lost_contacts" not in contacts.sums("queue:A")

    def test_later_facts(self) -> None:
        """An unlisted contact with a later event was lost, and starts again."""
        contacts = Contacts(event("contact.queued", 0, queue="A"))
        contacts.tracker.snapshot(snapshot(100))
        contacts.apply([event("contact.queued", 300, queue="A")])
        pass_on(contacts, 310)

        assert contacts.sums("queue:A") == {"offered": 2, "flow_out_lost": 1, "lost_contacts": 1}
        assert contacts.now()["queue:A"] == ([300.0], 0)


def test_an_exclusion_before_the_other_events() -> None:
    """Received before all else of its conversation, an exclusion holds for what comes after it."""
    contacts = Contacts(event("contact.excluded", 0, reason="spam"), event("contact.queued", 5, queue="A"))

    assert contacts.sums("queue:A") == {}
    assert contacts.now() == {}
