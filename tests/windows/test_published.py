"""The last published content decides what is published; of intervals and days only a digest is stored, with the same effect."""

from __future__ import annotations

from typing import Any

import pytest
from orjson import loads

from streams.windows.published import Published


def record(window: str, start_ms: int, **content: Any) -> tuple[str, dict[str, Any]]:
    """Return key and record of a window as the roll-up makes them."""
    content = {"kind": "window", "window": window, "as_of": "2026-06-15T09:00:00.000Z", **content}
    return f"window|{window}|voice|queue:注文|窓口{'' if window.startswith('trailing') else f'|{start_ms}'}", content


def revision(written: bytes | None) -> int | None:
    """Return the revision of what was published."""
    return None if written is None else loads(written)["revision"]


@pytest.mark.parametrize("window", ["interval_15m", "day", "trailing_5m"])
def test_revisions(window: str) -> None:
    """Every other content is a revision more, three hundred of them too; the same at a later as-of is no change."""
    published = Published()
    for number in range(1, 301):
        key, content = record(window, 900_000, counts={"offered": number})
        assert revision(published.revise(key, content)) == number
        assert not published.revise(key, {**content, "as_of": "2026-06-15T09:00:01.000Z"})
    # An older content is news like any other.
    key, content = record(window, 900_000, counts={"offered": 1})
    assert revision(published.revise(key, content)) == 301


@pytest.mark.parametrize("window", ["interval_15m", "day", "trailing_5m"])
def test_restored(window: str) -> None:
    """A restored record, with its parts in any order, is no change; a different one is the next revision."""
    published = Published()
    key, content = record(window, 900_000, counts={"offered": 2, "answered": 1}, revision=300)
    published.restore(key, dict(reversed(content.items())))

    _, again = record(window, 900_000, counts={"answered": 1, "offered": 2})
    assert not published.revise(key, again)
    _, other = record(window, 900_000, counts={"answered": 2, "offered": 2})
    assert revision(published.revise(key, other)) == 301


@pytest.mark.parametrize(("window", "is_news"), [("trailing_5m", False), ("day", True)])
def test_only_the_span_is_another(window: str, *, is_news: bool) -> None:
    """A moved trailing window with the same figures is no change; a day with the same start and another end is one."""
    published = Published()
    key, content = record(window, 0, window_end="2026-06-15T09:00:00.000Z", counts={"offered": 2})
    assert published.revise(key, content)

    assert (published.revise(key, {**content, "window_end": "2026-06-15T09:00:10.000Z"}) is not None) is is_news


def test_expired() -> None:
    """Intervals and days that began before an instant expire, by their keys; later ones of that start restart, others continue."""
    published = Published()
    kept = [record(window, start) for window, start in (("interval_15m", 0), ("interval_15m", 900_000), ("day", 0), ("trailing_5m", 0))]
    for key, content in kept:
        published.revise(key, content)
    assert len(published) == 4

    assert sorted(published.expire(900_000)) == sorted(key for key, _ in (kept[0], kept[2]))
    assert len(published) == 2
    assert list(published.expire(900_000)) == []
    changed = [(key, {**content, "counts": {"offered": 1}}) for key, content in kept]
    assert [revision(published.revise(key, content)) for key, content in changed] == [1, 2, 1, 2]
