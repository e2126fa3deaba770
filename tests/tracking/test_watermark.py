"""How far a partition is complete, from what its sources say; seconds count from 0."""

from __future__ import annotations

import json
from copy import deepcopy

import orjson

from schemas.limits import MAX_INSTANCES
from streams.configuration import Configuration
from streams.tracking.watermark import Silence, Watermark, watermark_of


def watermark() -> Watermark:
    """Return the progress of a partition with a timeout of 60 s, a disorder of 5 s and sources forgotten after an hour."""
    return Watermark(60_000, 5_000, 3_600_000)


def test_nobody_has_said_anything() -> None:
    """Without a source there is no progress."""
    told = watermark()

    assert not told.advance()
    assert (told.ms, told.received_through, told.stale()) == (None, None, [])


def test_a_source_that_sends_heartbeats() -> None:
    """It is complete through what it says, and not through what has come in."""
    told = watermark()
    told.heartbeat("a", 10_000, 8_000)
    told.received("a", 14_000)

    assert told.advance()
    assert (told.ms, told.received_through) == (8_000, 14_000)


def test_a_source_without_heartbeats() -> None:
    """It is taken as complete up to 5 s before the last that came in."""
    told = watermark()
    told.received("a", 20_000)
    told.received("a", 18_000)

    assert told.advance()
    assert told.ms == 15_000


def test_the_slowest_source_decides() -> None:
    """Progress is the smallest over all sources."""
    told = watermark()
    told.heartbeat("a", 30_000, 29_000)
    told.received("b", 26_000)
    told.advance()

    assert told.ms == 21_000


def test_a_source_that_has_ended() -> None:
    """Nobody waits for it or misses it, and an older last word ends nothing; alone, all that came in is complete."""
    told = watermark()
    told.heartbeat("alive", 100_000, 90_000)
    told.received("file", 20_000)
    told.heartbeat("file", 20_000, 20_000, ended=True)
    told.advance()

    assert (told.ms, told.stale()) == (90_000, [])

    told.heartbeat("alive", 50_000, 50_000, ended=True)
    assert list(told.sources) == ["alive"]

    told.heartbeat("alive", 100_000, 100_000, ended=True)
    assert told.advance()
    assert (told.ms, told.received_through, told.stale()) == (100_000, 100_000, [])

    told.received("file", 200_000)
    told.advance()
    assert (told.ms, list(told.sources)) == (195_000, ["file"])


def test_a_source_that_falls_silent() -> None:
    """At exactly 60 s of silence it still holds progress back, a millisecond later no more."""
    told = watermark()
    told.received("silent", 10_000)
    told.heartbeat("alive", 70_000, 70_000)
    told.advance()
    still = (told.ms, told.stale())
    told.heartbeat("alive", 70_001, 70_001)
    told.advance()

    assert still == (5_000, [])
    assert (told.ms, told.stale()) == (70_001, ["silent"])


def test_a_source_that_never_comes_back() -> None:
    """At exactly an hour of silence it is stale still, a millisecond later it is forgotten, with what it said of itself."""
    told = watermark()
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
    assert told.ms == 3_615_000


def test_the_only_source_is_not_forgotten() -> None:
    """Nothing tells how long it has been silent: it is where it was."""
    told = watermark()
    told.heartbeat("only", 10_000, 10_000)
    told.advance()
    told.heartbeat("only", 90_000_000, 90_000_000)
    told.advance()

    assert (told.ms, told.stale()) == (90_000_000, [])


def test_it_never_goes_back() -> None:
    """A stale source that comes back far behind does not take progress back."""
    told = watermark()
    told.received("silent", 10_000)
    told.heartbeat("alive", 100_000, 100_000)
    told.advance()
    told.received("silent", 99_000)

    assert not told.advance()
    assert told.ms == 100_000


def test_an_older_heartbeat_changes_nothing() -> None:
    """Of two heartbeats the further one counts, in whatever order they come."""
    told = watermark()
    told.heartbeat("a", 20_000, 19_000)
    told.heartbeat("a", 10_000, 9_000)
    told.advance()

    assert (told.ms, told.received_through) == (19_000, 20_000)


def test_restored() -> None:
    """A restored progress goes on as the one before would have."""
    told, after = watermark(), watermark()
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
    assert after.ms == 19_000


def test_the_slowest_instance_decides() -> None:
    """A source whose events come by two gateways is complete through the least that they say, whichever was heard last."""
    told = watermark()
    told.heartbeat("crm", 20_000, 11_000, instance="one")
    told.heartbeat("crm", 20_500, 18_500, instance="two")
    told.heartbeat("crm", 21_000, 12_000, instance="one")
    told.advance()

    assert told.ms == 12_000


def test_an_instance_that_ends() -> None:
    """It is not waited for any more; an older last word ends nothing; with the last one gone the source is as one without heartbeats."""
    told = watermark()
    told.heartbeat("crm", 20_000, 11_000, instance="one")
    told.heartbeat("crm", 20_000, 18_000, instance="two")
    told.heartbeat("crm", 19_000, 19_000, instance="one", ended=True)
    told.advance()
    still = told.ms
    told.heartbeat("crm", 21_000, 11_000, instance="one", ended=True)
    told.advance()
    then = told.ms
    told.received("crm", 30_000)
    told.heartbeat("crm", 30_000, 18_000, instance="two", ended=True)
    told.advance()

    assert (still, then, told.ms) == (11_000, 18_000, 25_000)
    assert told.sources == {"crm": 30_000}


def test_an_instance_that_falls_silent() -> None:
    """At exactly 60 s of silence it still holds its source back, a millisecond later no more."""
    told = watermark()
    told.heartbeat("crm", 10_000, 9_000, instance="killed")
    told.heartbeat("crm", 70_000, 69_000, instance="alive")
    told.advance()
    still = told.ms
    told.heartbeat("crm", 70_001, 69_001, instance="alive")
    told.advance()

    assert (still, told.ms) == (9_000, 69_001)


def test_a_source_that_speaks_for_itself() -> None:
    """What its gateways say does not count, one of which may not have heard of it; until it has been silent for 60 s."""
    told = watermark()
    told.heartbeat("crm", 10_000, 10_000)
    told.heartbeat("crm", 70_000, 68_000, instance="one")
    told.advance()
    still = told.ms
    told.heartbeat("crm", 70_001, 68_001, instance="one")
    told.advance()

    assert (still, told.ms) == (10_000, 68_001)


def test_instances_are_bounded() -> None:
    """Of more than 16 the one that was heard of last is kept, and the one silent for longest is not."""
    told = watermark()
    for number in range(MAX_INSTANCES + 1):
        told.heartbeat("crm", 20_000 + number, 10_000 + number, instance=f"gateway-{number}")
    told.advance()

    assert MAX_INSTANCES == 16
    assert len(told.state()["instances"]["crm"]) == 16
    assert told.ms == 10_001


def test_state_kept_before_there_were_instances() -> None:
    """What a gateway of before had said does not hold its source back once that gateway names itself."""
    told = watermark()
    told.restore({"sources": {"crm": 20_000}, "complete": {"crm": 18_000}, "through": 18_000, "received_through": 20_000})
    told.received("crm", 20_500)
    told.advance()
    still = told.ms
    told.heartbeat("crm", 21_000, 19_000, instance="one")
    told.advance()

    assert (still, told.ms) == (18_000, 19_000)


def quiet(declared_ms: dict[str, int] | None = None) -> Watermark:
    """Return a progress where sources behind a gateway may be silent for 15 minutes, unless declared otherwise."""
    return Watermark(60_000, 5_000, 3_600_000, silence=Silence(900_000, declared_ms or {}))


def test_what_a_gateway_says_is_no_sign_of_life() -> None:
    """Time passes and nothing is waited for, but at 15 minutes and a millisecond without anything of its own the source is silent."""
    told = quiet()
    told.received("chat", 10_000)
    told.heartbeat("chat", 910_000, 908_000, instance="one")
    told.advance()
    still = (told.ms, told.stale())
    told.heartbeat("chat", 910_001, 908_001, instance="one")
    told.advance()

    assert still == (908_000, [])
    assert (told.ms, told.received_through, told.stale()) == (908_001, 910_001, ["chat"])
    assert told.sources == {"chat": 10_000}
    told.received("chat", 911_000)
    assert told.stale() == []


def test_a_source_that_never_sent_is_not_shown() -> None:
    """Being able to send is no sign of life; what is on its way at the gateway is waited for all the same."""
    told = quiet()
    told.received("pbx", 20_000)
    told.heartbeat("crm", 20_000, 12_000, instance="one")
    told.advance()

    assert (told.ms, told.sources, told.stale()) == (12_000, {"pbx": 20_000}, [])


def test_without_its_gateway_a_source_is_silent_after_the_timeout() -> None:
    """With no instance left to speak for it, a minute is too long, as for any source."""
    told = quiet()
    told.received("chat", 10_000)
    told.heartbeat("chat", 10_000, 8_000, instance="one")
    told.heartbeat("pbx", 70_000, 70_000)
    still = told.stale()
    told.heartbeat("pbx", 70_001, 70_001)

    assert (still, told.stale()) == ([], ["chat"])


def test_declared_silence() -> None:
    """It holds with and without a gateway, shorter or longer than what holds else, and such a source is not forgotten."""
    told = quiet({"desk": 7_200_000, "pbx": 10_000})
    told.received("desk", 10_000)
    told.received("pbx", 10_000)
    told.heartbeat("pbx", 20_001, 20_001, instance="one")
    early = told.stale()
    told.received("pbx", 7_210_000)
    told.advance()
    still = told.stale()
    told.received("pbx", 7_210_001)
    told.advance()

    assert (early, still, told.stale()) == (["pbx"], [], ["desk"])
    assert told.ms == 7_205_001


def test_silence_is_kept_through_a_restart_and_read_from_older_state() -> None:
    """What was written goes on as it was; a state of before instances had words takes what it has for signs of life."""
    told, after, older = quiet(), quiet(), quiet()
    told.received("chat", 10_000)
    told.heartbeat("chat", 500_000, 498_000, instance="one")
    told.advance()
    after.restore(json.loads(json.dumps(told.state())))
    older.restore({"sources": {"chat": 500_000}, "complete": {"chat": 498_000}, "through": 498_000, "received_through": 500_000})
    for each in (told, after, older):
        each.heartbeat("chat", 910_001, 908_001, instance="one")
        each.advance()

    assert (told.stale(), after.stale(), older.stale()) == (["chat"], ["chat"], [])
    assert after.state() == told.state()
    older.heartbeat("chat", 1_400_001, 1_398_001, instance="one")
    assert older.stale() == ["chat"]


def test_of_the_configuration() -> None:
    """Seconds of the file become what is judged by."""
    told = watermark_of(Configuration.model_validate({"sources": {"desk": {"silence_seconds": 7_200}}}))
    told.received("desk", 0)
    told.received("chat", 0)
    told.heartbeat("chat", 900_001, 900_001, instance="one")

    assert told.stale() == ["chat"]


def test_a_source_that_lags_holds_nobody_back_for_ever() -> None:
    """Ten minutes behind it is waited for; from then on it is stale, and the others go on. Within the limit again, it counts again."""
    told = watermark()
    told.heartbeat("a", 700_000, 690_000)
    told.heartbeat("liar", 700_000, 100_000)
    assert (told.advance(), told.ms, told.stale()) == (True, 100_000, [])

    told.heartbeat("a", 701_000, 691_000)
    told.heartbeat("liar", 701_000, 100_000)
    assert (told.advance(), told.ms, told.stale()) == (True, 691_000, ["liar"])

    told.heartbeat("a", 702_000, 695_000)
    told.heartbeat("liar", 702_000, 693_000)
    assert (told.advance(), told.ms, told.stale()) == (True, 693_000, [])


def test_sources_that_all_lag_are_waited_for() -> None:
    """An honest source that is hours behind, alone, says how far its figures are complete."""
    told = watermark()
    told.heartbeat("nightly", 10_000_000, 100_000)

    assert (told.advance(), told.ms, told.stale()) == (True, 100_000, [])


def test_a_gateway_that_lags_holds_back_its_own_senders_alone() -> None:
    """What an instance says is bounded likewise."""
    told = watermark()
    told.heartbeat("a", 1_000_000, 999_000)
    told.heartbeat("b", 1_000_000, 100_000, instance="gateway-1")

    assert (told.advance(), told.ms, told.stale()) == (True, 999_000, ["b"])
