"""Contacts that the business begins count apart from all others (docs/counting.md section 4.5)."""

from __future__ import annotations

from itertools import permutations

import pytest

from streams.stages.track import ContactStage
from tests.stages.test_track import TOPICS, rows_of
from tests.tracking.harness import CONFIGURATION, Contacts, event, record

CALL = (
    event("contact.arrived", 0, channel="voice", direction="outbound", site="bonn"),
    event("contact.queued", 1, queue="A"),
    event("contact.answered", 20, agent="ann", queue="A"),
    event("contact.held", 50),
    event("contact.resumed", 60),
    event("contact.ended", 120, by="customer"),
)
#: 100 s from answer to end, 10 of them on hold.
COUNTED = {"outbound": 1, "outbound_reached": 1, "outbound_talk_ms": 90_000, "outbound_talk_count": 1}


@pytest.mark.parametrize("order", [*permutations(range(4), 4)])
def test_it_counts_where_it_has_no_queue(order: tuple[int, ...]) -> None:
    """In the total and at its site, whatever the order and the flushes; nothing is offered, answered or handled anywhere."""
    pairs = (CALL[:2], CALL[2:3], CALL[3:5], CALL[5:])
    contacts = Contacts()
    for index in order:
        contacts.apply(pairs[index])

    for scope in ("total:all", "site:bonn"):
        assert {field: amount for field, amount in contacts.sums(scope).items() if amount} == COUNTED
    assert {field for field, amount in contacts.sums("queue:A").items() if amount} == set()


def test_a_customer_not_reached_is_an_attempt() -> None:
    """It ended without an answer."""
    contacts = Contacts(CALL[0], CALL[5])

    assert contacts.sums("total:all") == {"outbound": 1}


@pytest.mark.parametrize("excluded", [False, True])
def test_internal_and_excluded_ones_count_nowhere(*, excluded: bool) -> None:
    """Colleagues who call one another, and what is excluded."""
    internal = event("contact.arrived", 130, channel="voice", direction="internal")
    last = event("contact.excluded", 130, reason="test") if excluded else internal
    contacts = Contacts(*CALL)
    contacts.apply([last])

    assert {field for field, amount in contacts.sums("total:all").items() if amount} == set()


def test_a_restart_in_between() -> None:
    """A contact reached before the restart continues after it."""
    stage = ContactStage(0, CONFIGURATION, TOPICS)
    stage.process([record(value) for value in CALL[:4]])
    rows = rows_of(stage.collect(), {})
    again = ContactStage(0, CONFIGURATION, TOPICS)
    again.restore("state", rows.items())
    again.process([record(value) for value in CALL[4:]])
    rows = rows_of(again.collect(), rows)

    cell = next(value for key, value in rows.items() if key.startswith(b"cohort|") and key.endswith(b"total:all"))
    assert all(f'"{field}":{amount}'.encode() in cell for field, amount in COUNTED.items())
