"""The record that ends a process: how starts are counted, and how a child finds it without harm to its parent."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from streams.engine.attempts import REACH, Mark, next_mark
from streams.engine.probing import find_culprit
from tests.support.counting import CountingStage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.mark.parametrize(
    ("before", "offset", "starts"),
    [
        (None, 10, 1),
        (Mark(10, 1), 10, 2),
        (Mark(10, 2), 500, 3),  # it came a little further before it died
        (Mark(10, 0), 10, 1),  # left in order
        (Mark(10, 2), 10 + REACH, 3),
        (Mark(10, 2), 11 + REACH, 1),  # that was something else
        (Mark(10, 2), 5, 1),  # recreated
    ],
)
def test_starts_are_counted_while_they_may_have_ended_at_the_same_record(before: Mark | None, offset: int, starts: int) -> None:
    """Progress beyond reach, or an orderly end, restarts the count."""
    assert next_mark(before, offset) == Mark(offset, starts)


def records(*values: bytes) -> list[Any]:
    """Return records with these values."""
    return [
        SimpleNamespace(topic="source", partition=0, offset=offset, timestamp=0, key=b"k%d" % offset, value=value, headers=())
        for offset, value in enumerate(values)
    ]


def hang() -> None:
    """Do not return."""
    time.sleep(60)


class Fragile(CountingStage):
    """Counts, but for what ``does`` does at a record with the value ``bad``."""

    def __init__(self, does: Callable[[], Any]) -> None:
        """Count without a reader."""
        super().__init__(0, "panes", 1)
        self._does = does

    def process(self, records: Sequence[Any]) -> None:
        """Count, or do it."""
        for record in records:
            if record.value == b"bad":
                self._does()
        super().process(records)


@pytest.mark.parametrize(
    ("does", "how"),
    [
        (lambda: dict[str, int]()["missing"], "raises KeyError"),
        (lambda: os._exit(0), "ends the process"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), f"ends the process by signal {signal.SIGSEGV.value}"),
        (hang, "hangs"),
    ],
    ids=["raises", "exits", "crashes", "hangs"],
)
def test_the_record_is_found_however_it_ends_the_process(does: Callable[[], Any], how: str) -> None:
    """Its offset and how it ends are reported; the stage of the parent has read nothing."""
    stage = Fragile(does)
    stage.process(records(b"x"))
    found = find_culprit(stage, "changelog", records(*[b"x"] * 7, b"bad", b"x", b"bad"), {}, hangs_after=1)
    assert found == (7, how)
    assert stage.rows == {b"k0": 1}
    assert len(stage.collect().rows) == 1


def test_without_such_a_record_nothing_is_found() -> None:
    """Records that do no harm are none."""
    assert find_culprit(CountingStage(0, "panes", 1), "changelog", records(*[b"x"] * 100), {}) is None


def test_bad_luck_is_no_record_of_that_kind(tmp_path: Path) -> None:
    """An end of one child and not of the next, such as a kill, is not blamed on the record."""
    flag = tmp_path / "was-there"

    def once() -> None:
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    assert find_culprit(Fragile(once), "changelog", records(b"x", b"bad", b"x"), {}) is None
    assert flag.exists()


def test_a_record_that_makes_a_flush_too_large_is_identified() -> None:
    """Of what is collected together, the record is named with which it became too large: for the state, and for an output."""
    chunk = records(*[b"x"] * 50)
    chunk[33].key = b"k" * 5000
    for limits in ({"changelog": 4096, "panes": 10_000}, {"changelog": 10_000, "panes": 4096}):
        assert find_culprit(CountingStage(0, "panes", 1), "changelog", chunk, limits) == (33, "writes a record too large for its topic")
    assert find_culprit(CountingStage(0, "panes", 1), "changelog", chunk, {}) is None
