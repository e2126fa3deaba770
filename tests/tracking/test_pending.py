"""What waits, is in progress and is pending by scope: kept by changes, and equal to what a count of everything finds."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from streams.configuration import Configuration
from streams.tracking.pending import HOUR_MS, Open, Pending, ScopeLoad
from streams.tracking.scopes import Scope, Targets

CONFIGURATION = Configuration.model_validate(
    {
        "definitions": {"strict": [{"threshold_s": 10}], "usual": [{"threshold_s": 20}]},
        "default_definitions": {"*": ["usual"]},
        "sites": {"bonn": {"zone": "Europe/Berlin"}},
        "queues": {
            "sales": {"site": "bonn"},
            "care": {"site": "bonn", "definitions": {"*": ["strict"]}},
            "claims": {},
        },
    }
)
#: queue → its scopes, and the definition by which larger ones judge its contacts if it is not theirs
SCOPES = {
    "sales": ["queue:sales", "site:bonn", "total:all"],
    "care": ["queue:care", "site:bonn", "total:all"],
    "claims": ["queue:claims", "total:all"],
}
JUDGED = {"care": "strict"}


@pytest.mark.parametrize("seed", range(5))
def test_who_waits_in_a_scope(seed: int) -> None:
    """After any changes a scope has the entries of all who wait in it, ascending; larger ones those of care by its definition too."""
    random, targets = Random(seed), Targets(CONFIGURATION)
    load = ScopeLoad(targets)
    waiting: list[tuple[str, int]] = []
    active: list[str] = []
    for _ in range(300):
        queue = random.choice([*SCOPES])
        group = targets.of_queue(queue, "voice").everything
        if waiting and random.random() < 0.4:
            queue, since = waiting.pop(random.randrange(len(waiting)))
            load.end_wait(targets.of_queue(queue, "voice").everything, since)
        else:
            waiting.append((queue, random.randrange(50)))
            load.begin_wait(group, waiting[-1][1])
        if active and random.random() < 0.5:
            load.add_active(targets.of_queue(active.pop(), "voice").everything, -1)
        else:
            active.append(queue)
            load.add_active(targets.of_queue(queue, "voice").everything, 1)

        for name in ("queue:sales", "queue:care", "queue:claims", "site:bonn", "total:all"):
            scope = Scope(name, "voice")
            assert load.waiting(scope) == sorted(since for queue, since in waiting if name in SCOPES[queue])
            assert load.active(scope) == sum(name in SCOPES[queue] for queue in active)
            strict = sorted(since for queue, since in waiting if queue in JUDGED and name in SCOPES[queue][1:])
            assert load.waiting_by_definition(scope) == ({"strict": strict} if strict else {})
    for queue, since in waiting:
        load.end_wait(targets.of_queue(queue, "voice").everything, since)
    assert len(load) == 0


@pytest.mark.parametrize("seed", range(5))
def test_what_is_pending_in_a_scope(seed: int) -> None:
    """After any changes a scope has the backlog, callbacks and replies of all contacts in it, and nothing is left once they are gone."""
    random, targets = Random(seed), Targets(CONFIGURATION)
    pending = Pending(targets)
    items: dict[int, tuple[str, Open]] = {}
    for number in range(400):
        contact = random.randrange(40)
        before = items.pop(contact, None)
        after = None
        if random.random() < 0.7:
            queue, start = random.choice([*SCOPES]), random.randrange(5 * HOUR_MS)
            backlog = random.choice((None, "untouched", "waiting"))
            callback, reply = random.random() < 0.4, random.choice((None, start + number))
            due = start + 7 if callback and random.random() < 0.5 else None
            after = Open(targets.of_queue(queue, "mail").everything, backlog, random.choice((None, start)), callback, due, reply)
            items[contact] = (queue, after)
        pending.note(None if before is None else before[1], after)

        for name in ("queue:sales", "queue:care", "queue:claims", "site:bonn", "total:all"):
            found = pending.figures(Scope(name, "mail"), 2 * HOUR_MS)
            here = [each for queue, each in items.values() if name in SCOPES[queue]]
            starts = [each.start for each in here if each.backlog is not None and each.start is not None]
            replies = [each.reply_due for each in here if each.reply_due is not None]
            assert found.get("backlog", {}) == Counter(each.backlog for each in here if each.backlog is not None)
            assert found.get("backlog_oldest_ms") == min(starts, default=None)
            assert found.get("backlog_hours", []) == sorted(map(list, Counter(start // HOUR_MS for start in starts).items()))
            assert found.get("callbacks_waiting", 0) == sum(each.callback for each in here)
            assert found.get("callback_due_ms", []) == sorted(each.due for each in here if each.due is not None)
            assert found.get("replies_overdue", 0) == sum(due < 2 * HOUR_MS for due in replies)
            assert found.get("reply_due_ms", []) == sorted(due for due in replies if due >= 2 * HOUR_MS)
            assert pending.is_open(Scope(name, "mail")) == bool(here)
    for _, each in items.values():
        pending.note(each, None)
    assert len(pending) == 0
