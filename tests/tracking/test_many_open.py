"""At most 50 visits and 50 legs of a conversation are open at a time: what would open one more is counted as counting nothing."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from schemas.limits import MAX_OPEN
from tests.oracle import conversation
from tests.oracle.recount import recount
from tests.oracle.worlds import random_world, shuffled_within_grace
from tests.properties.compare import differences
from tests.properties.pipeline import MemoryPipeline
from tests.tracking.harness import Contacts, event

_UNCOUNTED = "uncounted=too_many_open"


def queued(number: int) -> bytes:
    """Return the entry of another contact of the conversation."""
    return event("contact.queued", number, queue="A", contact_id=f"k{number}", event_id=f"q{number:03}")


def sums(contacts: Contacts, *names: str) -> dict[str, int]:
    """Return some sums of queue A, those that are not zero."""
    found = contacts.sums("queue:A")
    return {name: found[name] for name in names if found.get(name)}


def test_visits() -> None:
    """Of 53 entries of as many contacts 50 open; when all have left, one more does."""
    contacts = Contacts(*(queued(number) for number in range(53)))
    assert sums(contacts, "offered", _UNCOUNTED) == {"offered": 50, _UNCOUNTED: 3}
    contacts.apply([event("contact.ended", 60, by="customer"), queued(61)])
    assert sums(contacts, "offered", "abandoned", _UNCOUNTED) == {"offered": 51, "abandoned": 50, _UNCOUNTED: 3}


def test_an_answer_or_exit_with_its_wait() -> None:
    """With 50 open visits, an answer and an exit with their waits open no visit either, and no leg of an agent."""
    contacts = Contacts(*(queued(number) for number in range(50)))
    wait: dict[str, Any] = {"queue": "B", "wait_seconds": 5}
    contacts.apply([event("contact.answered", 70, agent="ann", contact_id="x", event_id="x", **wait)])
    contacts.apply([event("contact.left_queue", 71, reason="abandoned", contact_id="y", event_id="y", **wait)])
    assert contacts.sums("queue:B") == {}
    # It is where it was last: in A.
    assert sums(contacts, "answered", "handled", _UNCOUNTED) == {_UNCOUNTED: 2}


def test_legs() -> None:
    """52 agents answer as many contacts: 50 shares begin and end; the other two contacts wait on, and are left when all ends."""
    contacts = Contacts()
    for number in range(52):
        agent = f"a{number}"
        contacts.apply([queued(number), event("contact.answered", number + 0.5, agent=agent, contact_id=f"k{number}", event_id=agent)])
    assert sums(contacts, "offered", "answered", _UNCOUNTED) == {"offered": 52, "answered": 50, _UNCOUNTED: 2}
    contacts.apply([event("contact.ended", 100, by="customer")])
    assert sums(contacts, "handled", "abandoned") == {"handled": 50, "abandoned": 2}


def test_the_reason_is_counted() -> None:
    """Each event that counts nothing for this reason is counted as such."""
    contacts = Contacts(*(queued(number) for number in range(MAX_OPEN + 2)))
    (name,) = contacts.tracker.conversations
    facts = contacts.tracker.conversations[name].facts
    assert contacts.tracker.reasons(name, facts) == {"q050": "too_many_open", "q051": "too_many_open"}


def test_what_older_versions_counted_had_no_limit() -> None:
    """What was counted before events that counted nothing were counted is counted as then, however many are open."""
    contacts = Contacts()
    contacts.tracker.uncounted_from_ms = 1 << 60
    contacts.apply([queued(number) for number in range(53)])
    assert sums(contacts, "offered", _UNCOUNTED) == {"offered": 53}


@pytest.mark.parametrize("seed", range(2))
def test_as_the_recount_has_it(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With at most one open at a time, so that random worlds come there: the figures are the recount's, in any order and with restarts."""
    monkeypatch.setattr("streams.tracking.legs.MAX_OPEN", 1)
    monkeypatch.setattr(conversation, "MOST_OPEN", 1)
    random = Random(seed)
    world = random_world(seed, conversations=40, people=0)
    events = shuffled_within_grace(world.events, random)
    pipeline = MemoryPipeline(world.configuration, random)
    pipeline.run(events, restarts=1 / 20)
    found = recount(events, world.configuration)

    assert differences(pipeline.latest, found, agents=pipeline.agents) == []
    labels = [record["by_label"] for record in pipeline.latest.values() if record.get("by_label")]
    assert any("too_many_open" in figures for each in labels for figures in each.values())
