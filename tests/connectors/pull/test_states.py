"""States of records are committed with the transaction or rolled back, written only when they change, and evicted in time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.connector_state import SeenRecord
from streams.connectors.kit.model import UnusableError
from streams.connectors.pull.states import States

ROOT = Path(__file__).parents[3]
DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS + 5_000_000


def states(**kept: int) -> States:
    """Return states restored with keys by the days since they were touched."""
    found = States("desk", remembered_days=30)
    for key, days in kept.items():
        found.restore(SeenRecord(source="desk", key=key, seen={"status": "open"}, touched_ms=NOW_MS - NOW_MS % DAY_MS - days * DAY_MS))
    return found


def test_changes_are_provisional() -> None:
    """What a transaction that failed had changed is as before; what one wrote stays."""
    found = states(a=0, b=0)
    found.begin(NOW_MS)
    found["a"] = {"status": "solved"}
    found["c"] = {"status": "new"}
    del found["b"]
    assert (found.get("a"), found.get("b"), found.get("c")) == ({"status": "solved"}, None, {"status": "new"})
    assert (len(found), sorted(found)) == (2, ["a", "c"])
    assert sorted((change.key, change.value is None) for change in found.changes()) == [("a", False), ("b", True), ("c", False)]
    found.roll_back()
    assert (found.get("a"), found.get("b"), found.get("c")) == ({"status": "open"}, {"status": "open"}, None)
    assert (len(found), sorted(found)) == (2, ["a", "b"])
    found["a"] = {"status": "solved"}
    found.commit()
    found.roll_back()
    assert found.get("a") == {"status": "solved"}
    assert list(found.changes()) == []


def test_same_is_written_once_a_day() -> None:
    """An unchanged key that is reported again is written only often enough not to expire."""
    found = states(today=0, yesterday=1)
    found.begin(NOW_MS)
    found["today"] = {"status": "open"}
    found["yesterday"] = {"status": "open"}
    assert [change.key for change in found.changes()] == ["yesterday"]


def test_old_is_forgotten_a_bounded_number_at_a_time() -> None:
    """Keys without a report for thirty days are deleted, at most a thousand in a transaction, and all in the end."""
    found = states(**{f"old{number}": 31 for number in range(2_500)}, young=29)
    sizes = []
    while True:
        found.begin(NOW_MS)
        changes = list(found.changes())
        if not changes:
            break
        assert all(change.value is None for change in changes)
        sizes.append(len(changes))
        found.commit()
    assert sizes == [1_000, 1_000, 500]
    assert list(found) == ["young"]


def test_stored_state_is_bounded() -> None:
    """A platform cannot have anything of any size remembered."""
    found = states()
    found.begin(NOW_MS)
    with pytest.raises(UnusableError):
        found["a"] = {"text": "x" * 70_000}
    with pytest.raises(UnusableError):
        found.get("k" * 301)
    assert list(found.changes()) == []


def test_room_of_many() -> None:
    """A hundred thousand tickets take some 30 MB; packed as orjson returns them they took 400."""
    program = """
import os
from schemas.connector_state import SeenRecord
from streams.connectors.pull.states import States
from tests.support.services import rss_mib
before, found = rss_mib(os.getpid()), States("desk", 30)
for number in range(100_000):
    seen = {"first_group": "8447320466430", "group": "8447320466430", "agent": "8447388090001", "updated": 1772442000000 + number}
    found.restore(SeenRecord(source="desk", key=str(5_000_000 + number), seen=seen, touched_ms=1772442000000))
print(rss_mib(os.getpid()) - before)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert float(done.stdout) < 60
