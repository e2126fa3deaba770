"""How far a partition is complete, from what its sources say; seconds count from 0."""

from __future__ import annotations

from copy import deepcopy

import orjson

from schemas.limits import MAX_INSTANCES
from streams.tracking.progress import Progress


def progress() -> Progress:
    """Return the progress of a partition with a timeout of 60 s, a disorder of 5 s and sources forgotten after an hour."""
    return Progress(60_000, 5_000, 3_600_000)


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


def test_a_source_that_has_ended() -> None:
    """Nobody waits for it or misses it, and an older last word ends nothing; alone, all that came in is complete."""
    told = progress()
    told.heartbeat("alive", 100_000, 90_000)
    told.received("file", 20_000)
    told.heartbeat("file", 20_000, 20_000, ended=True)
    told.advance()

    assert (told.through, told.stale()) == (90_000, [])

    told.heartbeat("alive", 50_000, 50_000, ended=True)
    assert list(told.sources) == ["alive"]

    told.heartbeat("alive", 100_000, 100_000, ended=True)
    assert told.advance()
    assert (told.through, told.received_through, told.stale()) == (100_000, 100_000, [])

    told.received("file", 200_000)
    told.advance()
    assert (told.through, list(told.sources)) == (195_000, ["file"])


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


def test_a_source_that_never_comes_back() -> None:
    """At exactly an hour of silence it is stale still, a millisecond later it is forgotten, with what it said of itself."""
    told = progress()
    told.heartbeat("gone", 10_000, 10_000)
    told.heartbeat("alive", 3_610_000, 3_610_000)
    told.advance()
    still = told.stale()
    told.heartbeat("alive", 3_610_001, 3_610_001)
    told.advance()
    then = (told.stale(), deepcopy(told.state()))
    told.received("gone", 3_620_000)
    told.heartbeat("alive", 3_620_000, 3_620_000)
    told.advance()

    assert still == ["gone"]
    assert then == (
        [],
        {
            "sources": {"alive": 3_610_001},
            "complete": {"alive": 3_610_001},
            "spoke": {"alive": 3_610_001},
            "instances": {},
            "through": 3_610_001,
            "received_through": 3_610_001,
        },
    )
    assert told.through == 3_615_000


def test_the_only_source_is_not_forgotten() -> None:
    """Nothing tells how long it has been silent: it is where it was."""
    told = progress()
    told.heartbeat("only", 10_000, 10_000)
    told.advance()
    told.heartbeat("only", 90_000_000, 90_000_000)
    told.advance()

    assert (told.through, told.stale()) == (90_000_000, [])


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
    told.heartbeat("c", 21_000, 20_500, instance="one")
    told.heartbeat("c", 21_000, 19_500, instance="two")
    told.advance()
    after.restore(orjson.loads(orjson.dumps(told.state())))

    assert not after.advance()
    assert after.state() == told.state()
    after.received("b", 40_000)
    after.advance()
    assert after.through == 19_000


def test_the_slowest_instance_decides() -> None:
    """A source whose events come by two gateways is complete through the least that they say, whichever was heard last."""
    told = progress()
    told.heartbeat("crm", 20_000, 11_000, instance="one")
    told.heartbeat("crm", 20_500, 18_500, instance="two")
    told.heartbeat("crm", 21_000, 12_000, instance="one")
    told.advance()

    assert told.through == 12_000


def test_an_instance_that_ends() -> None:
    """It is not waited for any more; an older last word ends nothing; with the last one gone the source is as one without heartbeats."""
    told = progress()
    told.heartbeat("crm", 20_000, 11_000, instance="one")
    told.heartbeat("crm", 20_000, 18_000, instance="two")
    told.heartbeat("crm", 19_000, 19_000, instance="one", ended=True)
    told.advance()
    still = told.through
    told.heartbeat("crm", 21_000, 11_000, instance="one", ended=True)
    told.advance()
    then = told.through
    told.heartbeat("crm", 30_000, 18_000, instance="two", ended=True)
    told.advance()

    assert (still, then, told.through) == (11_000, 18_000, 25_000)
    assert told.sources == {"crm": 30_000}


def test_an_instance_that_falls_silent() -> None:
    """At exactly 60 s of silence it still holds its source back, a millisecond later no more."""
    told = progress()
    told.heartbeat("crm", 10_000, 9_000, instance="killed")
    told.heartbeat("crm", 70_000, 69_000, instance="alive")
    told.advance()
    still = told.through
    told.heartbeat("crm", 70_001, 69_001, instance="alive")
    told.advance()

    assert (still, told.through) == (9_000, 69_001)


def test_a_source_that_speaks_for_itself() -> None:
    """What its gateways say does not count, one of which may not have heard of it; until it has been silent for 60 s."""
    told = progress()
    told.heartbeat("crm", 10_000, 10_000)
    told.heartbeat("crm", 70_000, 68_000, instance="one")
    told.advance()
    still = told.through
    told.heartbeat("crm", 70_001, 68_001, instance="one")
    told.advance()

    assert (still, told.through) == (10_000, 68_001)


def test_instances_are_bounded() -> None:
    """Of more than 16 the one that was heard of last is kept, and the one silent for longest is not."""
    told = progress()
    for number in range(MAX_INSTANCES + 1):
        told.heartbeat("crm", 20_000 + number, 10_000 + number, instance=f"gateway-{number}")
    told.advance()

    assert MAX_INSTANCES == 16
    assert len(told.state()["instances"]["crm"]) == 16
    assert told.through == 10_001


def test_state_kept_before_there_were_instances() -> None:
    """What a gateway of before had said does not hold its source back once that gateway names itself."""
    told = progress()
    told.restore({"sources": {"crm": 20_000}, "complete": {"crm": 18_000}, "through": 18_000, "received_through": 20_000})
    told.received("crm", 20_500)
    told.advance()
    still = told.through
    told.heartbeat("crm", 21_000, 19_000, instance="one")
    told.advance()

    assert (still, told.through) == (18_000, 19_000)
