"""Of several words of a source on one event the last one holds, in whatever order they come (docs/counting.md section 3)."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.limits import MAX_FACTS, MAX_RECOUNTED
from streams.configuration import Configuration
from streams.stages.counters import StageCounters
from streams.stages.track import ContactStage
from tests.stages.test_track import TOPICS, rows_of
from tests.tracking.harness import CONFIGURATION, Contacts, event, ms, record

if TYPE_CHECKING:
    from streams.engine.stage import Flush

UNLIMITED = Configuration.model_validate({**CONFIGURATION.model_dump(exclude_unset=True), "dead_letters": {"max_run": 0, "max_ratio": 0}})

CALL = (
    event("contact.queued", 0, queue="A", event_id="q"),
    event("contact.answered", 30, agent="ann", event_id="a"),
    event("contact.ended", 90, by="customer", event_id="z"),
)


def score(value: float, revision: int | None, seconds: float = 100, **fields: Any) -> bytes:
    """Return an answer to one and the same survey."""
    return event("survey.answered", seconds, kind="csat", score=value, event_id="s", revision=revision, **fields)


def dead(flush: Flush) -> int:
    """Return how many dead letters a flush has."""
    return sum(output.topic == "dead" for output in flush.outputs)


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("together", [True, False], ids=["in one flush", "in flushes of their own"])
def test_the_answer_that_was_changed_last_counts(order: tuple[int, ...], *, together: bool) -> None:
    """Scores 2, then 5, then 4, and the second once more: the answer is 4, whatever comes first."""
    words = (score(2, None), score(5, 1), score(4, 2), score(5, 1))
    contacts = Contacts(*CALL)
    for group in [[words[index] for index in order]] if together else [[words[index]] for index in order]:
        contacts.apply(group)

    sums = contacts.sums("queue:A")
    assert (sums["surveys_answered"], sums["csat_count"], sums["csat_milli"]) == (1, 1, 4000)


def test_what_was_moved_is_gone_where_it_was() -> None:
    """The answer at 30 s was one at 50 s: the wait is 50 s, and nothing is left in the pane of before."""
    contacts = Contacts(*CALL)
    contacts.apply([event("contact.answered", 50, agent="ann", event_id="a", revision=7)])

    assert contacts.starts("queue:A", "answered") == {50: 1}
    assert contacts.starts("queue:A", "answered_wait_ms") == {50: 50_000}


@pytest.mark.parametrize("first", [True, False], ids=["before it", "after it"])
def test_a_withdrawn_event_counts_nothing(*, first: bool) -> None:
    """A transfer that was withdrawn counts nothing, also where that is known before the transfer; a still later word brings it back."""
    transferred = event("contact.transferred", 60, agent="ann", event_id="t", revision=1)
    words = [event("contact.withdrawn", 60, event_id="t", revision=2), transferred]
    contacts = Contacts(*CALL)
    for word in words if first else reversed(words):
        contacts.apply([word])

    assert "transfers_out" not in {field for field, amount in contacts.sums("queue:A").items() if amount}
    contacts.apply([event("contact.transferred", 60, agent="ann", event_id="t", revision=3)])
    assert contacts.sums("queue:A")["transfers_out"] == 1


def test_an_exclusion_may_be_withdrawn() -> None:
    """The withdrawn event counts again."""
    contacts = Contacts(*CALL, event("contact.excluded", 95, reason="spam", event_id="x"))
    assert "handled" not in {field for field, amount in contacts.sums("queue:A").items() if amount}

    contacts.apply([event("contact.withdrawn", 95, event_id="x", revision=1)])
    sums = contacts.sums("queue:A")
    assert [sums.get(field, 0) for field in ("offered", "answered", "handled", "excluded=spam")] == [1, 1, 1, 0]


def test_late_words_change_nothing() -> None:
    """What is received after the grace of its pane is a late event, with a revision too."""
    contacts = Contacts(*CALL, score(2, None))
    contacts.apply([score(5, 1, received=100 + 300)])

    assert contacts.sums("queue:A")["csat_milli"] == 2000
    assert contacts.tracker.late == 1


def test_repeats_count_towards_no_limit() -> None:
    """A conversation with 2,000 events takes later words on them, the same and older ones are repeats, and one more event is too many."""
    counters = StageCounters()
    stage = ContactStage(0, UNLIMITED, TOPICS, counters)
    stage.process([record(event("contact.message", number, event_id=f"m{number}", author_kind="customer")) for number in range(MAX_FACTS)])
    again = event("contact.message", 1_900, event_id="m1900", author_kind="agent", revision=5)
    stage.process([record(again)] * 500)
    stage.process([record(event("contact.message", 1_900, event_id="m1900", author_kind="agent", revision=number)) for number in range(5)])
    # Repeated under a higher revision, it is the same.
    stage.process(
        [record(event("contact.message", 1_900, event_id="m1900", author_kind="agent", revision=number)) for number in range(6, 3_000)]
    )

    assert dead(stage.collect()) == 0
    assert counters.repeated == 499 + 5
    stage.process([record(event("contact.message", 3_000, event_id="one more", author_kind="customer"))])
    assert dead(stage.collect()) == 1


@pytest.mark.parametrize("flushes", [1, 7, 100])
def test_what_replacing_costs_is_bounded_and_does_not_depend_on_flushes(flushes: int) -> None:
    """Each change of the first of 100 events costs 101, it and what is counted again: 247 are taken (25,000 ÷ 101), however they come."""
    stage = ContactStage(0, UNLIMITED, TOPICS)
    stage.process([record(event("contact.message", number, event_id=f"m{number}", author_kind="customer")) for number in range(100)])
    changes = [
        record(event("contact.message", 0, event_id="m0", author_kind="agent", agent=f"a{number}", revision=number))
        for number in range(1, 301)
    ]
    refused = 0
    rows: dict[bytes, bytes] = {}
    for begin in range(flushes):
        stage.process(changes[begin * 300 // flushes : (begin + 1) * 300 // flushes])
        flush = stage.collect()
        refused += dead(flush)
        rows = rows_of(flush, rows)
        if begin % 3 == 2:
            stage = ContactStage(0, UNLIMITED, TOPICS)
            stage.restore("state", rows.items())

    assert MAX_RECOUNTED == 25_000
    assert refused == 300 - 247


def test_revisions_outlive_a_restart() -> None:
    """Of a conversation of several rows, and of one of which only a withdrawal is known."""
    stage = ContactStage(0, UNLIMITED, TOPICS)
    stage.process([record(event("contact.queued", 0, queue="A", event_id="q"))])
    stage.process([record(event("contact.message", n, event_id=f"m{n}", author_kind="customer", revision=n)) for n in range(1, 60)])
    stage.process([record(event("contact.withdrawn", 5, event_id="gone", revision=3, conversation_id="c2"))])
    rows = rows_of(stage.collect(), {})
    # The second row alone is written again when its fact has a later revision.
    stage.process([record(event("contact.message", 20, event_id="m20", author_kind="customer", revision=77))])
    rows = rows_of(stage.collect(), rows)

    counters = StageCounters()
    again = ContactStage(0, UNLIMITED, TOPICS, counters)
    again.restore("state", rows.items())
    kept, expected = again.tracker.conversations["c1\x1ftest"].revised, {f"m{n}": n for n in range(1, 60)} | {"m20": 77}
    assert kept is not None
    assert kept.facts == expected
    again.process([record(event("contact.message", n, event_id=f"m{n}", author_kind="agent", revision=n)) for n in range(1, 60)])
    again.process([record(event("contact.queued", 5, queue="A", event_id="gone", revision=2, conversation_id="c2"))])
    assert counters.repeated == 60
    assert again.tracker.conversations["c2\x1ftest"].facts == []


def test_what_consists_of_a_withdrawal_is_forgotten_in_time() -> None:
    """As any conversation is that is over."""
    stage = ContactStage(0, UNLIMITED, TOPICS)
    stage.process([record(event("contact.withdrawn", 0, event_id="gone", revision=3))])
    rows = rows_of(stage.collect(), {})
    assert b"s|c1\x1ftest" in rows

    day = 86_400 * 2
    stage.process([record(event("contact.queued", day, queue="A", conversation_id="c2"))])
    stage.process([record(event("source.heartbeat", day + 1, complete_through="2026-06-17T09:00:00Z"))])
    rows = rows_of(stage.collect(), rows)
    assert b"s|c1\x1ftest" not in rows
    assert stage.tracker.conversations.keys() == {"c2\x1ftest"}


def test_rows_of_a_version_that_knew_no_revisions() -> None:
    """They have neither revisions nor withdrawals: any revision above 0 is a later word."""
    facts = [[3, ms(0), 0, "q", "", "A", None, None], [6, ms(30), 0, "a", "", "ann", None, None, False, False, True]]
    row = {"facts": facts, "source": "test"}
    stage = ContactStage(0, UNLIMITED, TOPICS)
    stage.restore("state", [(b"s|c1\x1ftest", orjson.dumps(row))])
    stage.process([record(event("contact.answered", 50, agent="bo", event_id="a", revision=1))])
    rows = rows_of(stage.collect(), {})

    kept = orjson.loads(rows[b"s|c1\x1ftest"])
    assert [fact[1] for fact in kept["facts"]] == [ms(0), ms(50)]
    assert kept["revisions"] == {"a": 1}
