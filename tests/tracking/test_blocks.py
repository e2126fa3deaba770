"""Blocks hold every pane once, however what is booked comes."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from streams.configuration import Configuration
from streams.tracking.postings import Postings
from streams.tracking.scopes import Scope, Targets
from streams.tracking.slices import Slices
from streams.windows.panes import Panes
from streams.windows.slices import PANE_MS
from tests.support.slices import by_pane

CONFIGURATION = Configuration.model_validate({"queues": {"A": {"department": "help"}, "B": {"department": "help"}, "C": {}}})
#: queue, pane, field, amount
bookings = st.tuples(st.sampled_from("ABC"), st.integers(0, 70), st.sampled_from(["offered", "handle_ms"]), st.integers(-2, 3))


class Written:
    """What is written of the slices, by key, as the topic keeps it."""

    def __init__(self) -> None:
        self.targets = Targets(CONFIGURATION)
        self.slices = self.new()
        self.rows: dict[tuple[str, Scope, int], bytes] = {}

    def new(self) -> Slices:
        """Return slices that know nothing."""
        return Slices(self.targets, 600_000, 3_600_000)

    def book(self, booked: list[tuple[str, int, str, int]]) -> None:
        """Book at once, and write what changed."""
        postings = Postings()
        for queue, pane, field, amount in booked:
            postings.book(self.targets.of_queue(queue, "voice").everything, pane * PANE_MS, pane * PANE_MS, ((field, amount),))
        self.slices.book(postings)
        self.write()

    def write(self) -> None:
        """Write what changed."""
        for key, counts in self.slices.changes():
            if counts is None:
                self.rows.pop(key, None)
            elif isinstance(counts, Panes):
                self.rows[key] = orjson.dumps(counts.written())

    def restart(self) -> None:
        """Restart from written rows."""
        self.slices = self.new()
        for (kind, scope, start), row in self.rows.items():
            self.slices.put(kind, scope, start, orjson.loads(row))

    def panes(self) -> dict[tuple[str, int], dict[str, int]]:
        """Return scope and pane → sums; each pane is in one row alone."""
        found: dict[tuple[str, int], dict[str, int]] = {}
        for (_, scope, start), row in self.rows.items():
            for pane, counts in by_pane(Panes.read(start, orjson.loads(row))).items():
                assert (scope.scope, pane) not in found
                found[scope.scope, pane] = counts
        return {place: counts for place, counts in found.items() if counts}


def plain(booked: list[tuple[str, int, str, int]]) -> dict[tuple[str, int], dict[str, int]]:
    """Add up what is booked in each scope, one by one."""
    found: dict[tuple[str, int], dict[str, int]] = {}
    for queue, pane, field, amount in booked:
        department = [] if queue == "C" else ["department:help"]
        for scope in (f"queue:{queue}", *department, "total:all"):
            counts = found.setdefault((scope, pane * PANE_MS), {})
            counts[field] = counts.get(field, 0) + amount
    left = {place: {field: amount for field, amount in counts.items() if amount} for place, counts in found.items()}
    return {place: counts for place, counts in left.items() if counts}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100), st.lists(bookings, max_size=12)), max_size=8))
def test_as_a_plain_recount(flushes: list[tuple[bool, int, list[Any]]]) -> None:
    """Flush by flush, packed in between and over restarts, each pane of each scope has its sums, and is in one block."""
    written = Written()
    booked: list[tuple[str, int, str, int]] = []
    for restarts, packed_to, each in flushes:
        written.book(each)
        booked += each
        if restarts:
            written.restart()
        written.slices._panes.compact(packed_to * PANE_MS)
        assert written.panes() == plain(booked)


def test_catching_up_writes_few_rows() -> None:
    """Seventy panes that come at once are three rows of their scope, for they begin in three times five minutes; one by one they are 70."""
    at_once, one_by_one = Written(), Written()
    booked = [("C", pane, "offered", 1) for pane in range(70)]
    at_once.book(booked)
    for each in booked:
        one_by_one.book([each])

    assert at_once.panes() == one_by_one.panes() == plain(booked)
    assert [len([scope for _, scope, _ in each.rows if scope.scope == "queue:C"]) for each in (at_once, one_by_one)] == [3, 70]


def test_a_block_is_dropped_at_once() -> None:
    """Five minutes of panes go with one record, once all of them are too old."""
    written = Written()
    written.book([("C", pane, "offered", 1) for pane in range(35)])
    written.slices.evict(600_000 + 299_999)
    written.write()
    before = set(written.panes())
    written.slices.evict(600_000 + 300_000)
    written.write()

    assert before == set(plain([("C", pane, "offered", 1) for pane in range(35)]))
    assert set(written.panes()) == set(plain([("C", pane, "offered", 1) for pane in range(30, 35)]))
