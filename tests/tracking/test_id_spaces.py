"""An id belongs to its source, unless the configuration joins sources: section 3 of ``docs/counting.md``."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.decoding import decode_agent_event, decode_contact_event
from streams.configuration import Configuration
from streams.configuration.joined_sources import joined_as
from streams.configuration.patterns import matches, overlap
from streams.explaining import PartitionLog, Question, explain
from streams.tracking.spaces import MARK, Spaces
from tests.tracking.harness import CONFIGURATION, Contacts, People, event, ms

A: dict[str, Any] = {"source": "phone"}
B: dict[str, Any] = {"source": "other"}


def configured(**more: Any) -> Configuration:
    """Return the configuration of these tests with more in it."""
    return Configuration.model_validate({**CONFIGURATION.model_dump(by_alias=True, exclude_unset=True), **more})


def apply(people: People, *events: bytes, through: float) -> None:
    """Apply events of several sources, each complete through an instant."""
    for value in events:
        decoded = decode_agent_event(value)
        people.tracker.apply(decoded)
        people.tracker.watermark.heartbeat(decoded.source, ms(through), ms(through))
    people.apply(through=through)


JOINED = configured(joined_sources=[["phone", "survey*"]])


class TestContacts:
    """Conversations of two sources with the same id."""

    def test_are_two(self) -> None:
        """Both count, with the same event ids; an end, an exclusion and an exit of one source change nothing of the other's."""
        contacts = Contacts(
            event("contact.queued", 0, event_id="1", queue="A", **A),
            event("contact.queued", 1, event_id="1", queue="B", **B),
            event("contact.excluded", 2, event_id="2", reason="spam", **B),
            event("contact.left_queue", 3, event_id="3", reason="abandoned", **B),
            event("contact.answered", 5, event_id="2", agent="ann", **A),
        )

        assert contacts.sums("queue:A") == {
            "offered": 1,
            "answered": 1,
            "answered_wait_ms": 5_000,
            "first_response_count": 1,
            "first_response_ms": 5_000,
        }
        assert contacts.sums("queue:B") == {"excluded=spam": 1}
        assert contacts.tracker.repeated == 0

    def test_joined(self) -> None:
        """A survey tool's answer about a call counts where the call does, and an event id of one is a repeat from the other."""
        survey: dict[str, Any] = {"kind": "csat", "score": 5, "scale": "1-5"}
        events = (
            event("contact.queued", 0, event_id="1", queue="A", **A),
            event("contact.answered", 5, event_id="2", agent="ann", **A),
            event("survey.answered", 9, event_id="3", source="survey of Bonn", **survey),
            event("survey.answered", 10, event_id="2", source="survey of Tokyo", **survey),
        )
        separate, joined = Contacts(*events), Contacts(*events, configuration=JOINED)

        assert joined.sums("queue:A")["csat_count"] == 1
        assert joined.tracker.repeated == 1
        assert "csat_count" not in separate.sums("queue:A")
        assert len(separate.tracker.conversations) == 3

    def test_who_waits(self) -> None:
        """Two contacts of one id wait, and when one is answered the other still waits."""
        contacts = Contacts(event("contact.queued", 0, queue="A", **A), event("contact.queued", 1, queue="A", **B))
        both = contacts.now()["queue:A"]
        contacts.apply([event("contact.answered", 2, **B)])
        left = contacts.now()["queue:A"]

        assert (both, left) == (([0, 1], 0), ([0], 1))

    def test_late_is_counted_where_its_own_conversation_is(self) -> None:
        """A late event that names no queue counts as late in the total, though another source's conversation of that id has a queue."""
        contacts = Contacts(event("contact.queued", 0, queue="A", **A), event("contact.ended", 1, received=500, **B))

        assert contacts.tracker.late == 1
        assert "late_events" not in contacts.sums("queue:A", kind="pane")
        assert contacts.sums("total:all", kind="pane")["late_events"] == 1

    def test_snapshots(self) -> None:
        """A snapshot of another source closes nothing, and does not use up the event id of the right one."""
        contacts = Contacts(event("contact.queued", 0, queue="A", **A), event("contact.queued", 0, queue="B", conversation_id="open", **A))
        for source in ("other", "phone"):
            listed = ["open"] if source == "phone" else []
            snapshot = event("source.snapshot", 20, event_id="s", kind="contacts", open_ids=listed, source=source)
            contacts.tracker.snapshot(decode_contact_event(snapshot))
            contacts.tracker.watermark.heartbeat(source, ms(90), ms(90))
            contacts.tracker.flush()
            contacts.apply([])
            assert ("lost_contacts" in contacts.sums("queue:A")) == (source == "phone")

        assert "lost_contacts" not in contacts.sums("queue:B")


class TestPeople:
    """People of two sources with the same id."""

    def test_are_two(self) -> None:
        """Each is counted by the states of its own source."""
        people = People()
        apply(
            people,
            event("agent.state_changed", 0, event_id="1", person_id="7", axis="presence", state="ready", team="red", **A),
            event("agent.state_changed", 0, event_id="1", person_id="7", axis="presence", state="away", team="blue", **B),
            event("agent.state_changed", 10, event_id="2", person_id="7", axis="presence", state="offline", team="blue", **B),
            through=30,
        )

        assert people.sums("team:red", None, "pane")["available_ms"] == 30_000
        assert people.sums("team:blue", None, "pane")["unavailable_ms"] == 10_000

    def test_the_configurations_own(self) -> None:
        """An agent with identities at two sources is one agent there; at a third source it is another one, without team and own figures."""
        named = {
            "sites": {"bonn": {"zone": "UTC", "individual_figures": True}},
            "people": {"ann": {"team": "red", "identities": {"phone": ["1"], "chat": ["a"]}}},
        }
        people = People(configured(**named))
        apply(
            people,
            event("agent.state_changed", 0, axis="presence", state="ready", **A),
            event("agent.state_changed", 10, axis="activity", state="talking", source="chat"),
            event("agent.state_changed", 5, axis="presence", state="offline", **B),
            event("agent.state_changed", 12, axis="presence", state="away", **B),
            through=30,
        )
        contacts = Contacts(
            *(event("contact.queued", 0, queue="A", **each) for each in (A, B)),
            *(event("contact.answered", 5, agent="ann", **each) for each in (A, B)),
            *(event("contact.ended", 9, **each) for each in (A, B)),
            configuration=configured(**named),
        )

        assert people.sums("agent:ann", None, "cell")["available_ms"] == 10_000
        assert people.sums("agent:ann", None, "cell")["handling_ms"] == 20_000
        assert "unavailable_ms" not in people.sums("team:red", None, "pane")
        assert people.sums("total:all", None, "pane")["unavailable_ms"] == 18_000
        assert contacts.sums("agent:ann", None, "cell")["handled"] == 1
        assert contacts.sums("total:all", None, "cell")["handled"] == 2

    def test_joined_with_a_source_of_hers(self) -> None:
        """If one source of a joined list is among an agent's identities, the others report the same agent."""
        named = {"people": {"ann": {"team": "red", "identities": {"phone": ["1"]}}}, "joined_sources": [["phone", "desk"]]}
        people = People(configured(**named))
        apply(
            people,
            event("agent.state_changed", 0, axis="presence", state="ready", **A),
            event("agent.state_changed", 10, axis="presence", state="away", source="desk"),
            through=30,
        )

        assert people.sums("team:red", None, "pane")["available_ms"] == 10_000
        assert people.sums("team:red", None, "pane")["unavailable_ms"] == 20_000


def test_explained_with_their_sources() -> None:
    """An id that two sources have is shown with the source; one that only one has is shown alone."""
    log = PartitionLog(CONFIGURATION, None)
    events = [event("contact.queued", 0, queue="A", **A), event("contact.queued", 1, queue="A", **B)]
    events.append(event("contact.queued", 2, queue="A", conversation_id="c2", **B))
    for offset, value in enumerate(events):
        log.take(value, offset, ms(10**9))
    log.complete_all(ms(60))
    question = Question.of([], CONFIGURATION, queue="A", kpi="offered", window="interval_15m", channel="voice", at_ms=ms(1))
    answer = explain(question, CONFIGURATION, {0: log})

    assert answer.parts[0].conversations == ("c1 (other)", "c1 (phone)", "c2")


class TestSpaces:
    """What shares its ids with what."""

    @pytest.mark.parametrize(
        ("pattern", "source", "is_meant"),
        [
            ("pbx", "pbx", True),
            ("pbx", "pbx2", False),
            ("*", "anything", True),
            ("pbx*", "pbx", True),
            ("pbx-*-eu", "pbx-1-eu", True),
            ("pbx-*-eu", "pbx-eu", False),
            ("*bx*x", "bx", False),
            ("a*a", "a", False),
            ("a*b*a", "a b a", True),
            ("a*b*b*a", "aba", False),
            ("p?x", "pbx", False),
            ("p[b]x", "pbx", False),
        ],
    )
    def test_patterns(self, pattern: str, source: str, is_meant: bool) -> None:
        """A star matches any characters or none; all else matches itself."""
        assert matches(pattern, source) == is_meant

    @pytest.mark.parametrize(
        ("one", "two", "meet"),
        [
            ("pbx", "pbx", True),
            ("pbx", "p*", True),
            ("p*x", "*b*", True),
            ("p*x", "q*", False),
            ("a*b", "a*c", False),
            ("*a", "b*", True),
            ("a*a", "a", False),
            ("*" * 100, "*a" * 50, True),
        ],
    )
    def test_patterns_that_overlap(self, one: str, two: str, meet: bool) -> None:
        """Two patterns overlap if some name is meant by both."""
        assert overlap(one, two) == overlap(two, one) == meet

    def test_a_long_name_takes_no_time(self) -> None:
        """The work grows with the lengths, whatever a sender calls itself: a backtracking match would not end."""
        assert not matches("*a" * 50 + "*b", "a" * 100)

    def test_names_of_spaces_are_no_other_sources(self) -> None:
        """A list goes by its first entry, which no source outside it can be called."""
        joined = (("pbx-*", "survey"), ("shop", "orders"))
        assert [joined_as(each, joined) for each in ("survey", "pbx-1", "orders", "else")] == ["pbx-*", "pbx-*", "shop", "else"]

    def test_room(self) -> None:
        """Sources that a sender invents take no more room than some thousands."""
        spaces = Spaces(CONFIGURATION)
        assert {spaces[f"s{number}"] for number in range(10_000)} == {f"{MARK}s{number}" for number in range(10_000)}
        assert len(spaces) < 5_000
