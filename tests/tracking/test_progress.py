"""How far a partition is complete, from what its sources say; seconds count from 0."""

from __future__ import annotations

from streams.tracking.progress import Progress


def progress() -> Progress:
    """Return the progress of a partition with a timeout of 60 s and a disorder of 5 s."""
    return Progress(60_000, 5_000)


def test_nobody_has_said_anything() -> None:
    """Without a source there is no progress."""
    told = progress()

    assert not told.advance()
    assert (told.through, told.received_through, told.stale()) == (None, None, [])


def test_a_source_that_sends_heartbeats() -> None:
    """It is complete through what it says, and not through what has come in."""
    told = progress()
    told.heartbeat("a", 10_000, 8_000)
    told.received("a", 14_000)

    assert told.advance()
    assert (told.through, told.received_through) == (8_000, 14_000)


def test_a_source_without_heartbeats() -> None:
    """It is taken as complete up to 5 s before the last that came in."""
    told = progress()
    told.received("a", 20_000)
    told.received("a", 18_000)

    assert told.advance()
    assert told.through == 15_000


def test_the_slowest_source_decides() -> None:
    """Progress is the smallest over all sources."""
    told = progress()
    told.heartbeat("a", 30_000, 29_000)
    told.received("b", 26_000)
    told.advance()

    assert told.through == 21_000


def test_a_source_that_falls_silent() -> None:
    """At exactly 60 s of silence it still holds progress back, a millisecond later no more."""
    told = progress()
    told.received("silent", 10_000)
    told.heartbeat("alive", 70_000, 70_000)
    told.advance()
    still = (told.through, told.stale())
    told.heartbeat("alive", 70_001, 70_001)
    told.advance()

    assert still == (5_000, [])
    assert (told.through, told.stale()) == (70_001, ["silent"])


def test_it_never_goes_back() -> None:
    """A stale source that comes back far behind does not take progress back."""
    told = progress()
    told.received("silent", 10_000)
    told.heartbeat("alive", 100_000, 100_000)
    told.advance()
    told.received("silent", 99_000)

    assert not told.advance()
    assert told.through == 100_000


def test_an_older_heartbeat_changes_nothing() -> None:
    """Of two heartbeats the further one counts, in whatever order they come."""
    told = progress()
    told.heartbeat("a", 20_000, 19_000)
    told.heartbeat("a", 10_000, 9_000)
    told.advance()

    assert (told.through, told.received_through) == (19_000, 20_000)


def test_restored() -> None:
    """A restored progress goes on as the one before would have."""
    told, after = progress(), progress()
    told.heartbeat("a", 20_000, 19_000)
    told.received("b", 21_000)
    told.advance()
    after.restore(told.state())

    assert not after.advance()
    assert after.state() == told.state()
    after.received("b", 40_000)
    after.advance()
    assert after.through == 19_000
