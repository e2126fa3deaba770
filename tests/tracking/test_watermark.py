"""How far a partition is complete, from reports of its sources; seconds count from 0."""

from __future__ import annotations

import json
from copy import deepcopy

import orjson

from schemas.limits import MAX_INSTANCES
from streams.configuration import Configuration
from streams.tracking.watermark import Silence, Watermark, watermark_of


def create() -> Watermark:
    """Return the progress of a partition with a timeout of 60 s, a disorder of 5 s and sources forgotten after an hour."""
    return Watermark(60_000, 5_000, 3_600_000)


def test_without_sources() -> None:
    """Without a source there is no progress."""
    watermark = create()

    assert not watermark.advance()
    assert (watermark.ms, watermark.received_through, watermark.stale()) == (None, None, [])


def test_a_source_that_sends_heartbeats() -> None:
    """It is complete through its heartbeat, not through its latest event."""
    watermark = create()
    watermark.heartbeat("a", 10_000, 8_000)
    watermark.received("a", 14_000)

    assert watermark.advance()
    assert (watermark.ms, watermark.received_through) == (8_000, 14_000)


def test_a_source_without_heartbeats() -> None:
    """It is taken as complete up to 5 s before the last that came in."""
    watermark = create()
    watermark.received("a", 20_000)
    watermark.received("a", 18_000)

    assert watermark.advance()
    assert watermark.ms == 15_000


def test_the_slowest_source_decides() -> None:
    """Progress is the smallest over all sources."""
    watermark = create()
    watermark.heartbeat("a", 30_000, 29_000)
    watermark.received("b", 26_000)
    watermark.advance()

    assert watermark.ms == 21_000


def test_a_source_that_has_ended() -> None:
    """It is neither waited for nor missed, and an older end changes nothing; alone, all received events are complete."""
    watermark = create()
    watermark.heartbeat("alive", 100_000, 90_000)
    watermark.received("file", 20_000)
    watermark.heartbeat("file", 20_000, 20_000, ended=True)
    watermark.advance()

    assert (watermark.ms, watermark.stale()) == (90_000, [])

    watermark.heartbeat("alive", 50_000, 50_000, ended=True)
    assert list(watermark.sources) == ["alive"]

    watermark.heartbeat("alive", 100_000, 100_000, ended=True)
    assert watermark.advance()
    assert (watermark.ms, watermark.received_through, watermark.stale()) == (100_000, 100_000, [])

    watermark.received("file", 200_000)
    watermark.advance()
    assert (watermark.ms, list(watermark.sources)) == (195_000, ["file"])


def test_a_source_that_falls_silent() -> None:
    """At exactly 60 s of silence it still holds progress back, a millisecond later no more."""
    watermark = create()
    watermark.received("silent", 10_000)
    watermark.heartbeat("alive", 70_000, 70_000)
    watermark.advance()
    still = (watermark.ms, watermark.stale())
    watermark.heartbeat("alive", 70_001, 70_001)
    watermark.advance()

    assert still == (5_000, [])
    assert (watermark.ms, watermark.stale()) == (70_001, ["silent"])


def test_a_silent_source_is_forgotten() -> None:
    """At exactly an hour of silence it is stale still, a millisecond later it is forgotten, with its heartbeats."""
    watermark = create()
    watermark.heartbeat("gone", 10_000, 10_000)
    watermark.heartbeat("alive", 3_610_000, 3_610_000)
    watermark.advance()
    still = watermark.stale()
    watermark.heartbeat("alive", 3_610_001, 3_610_001)
    watermark.advance()
    then = (watermark.stale(), deepcopy(watermark.state()))
    watermark.received("gone", 3_620_000)
    watermark.heartbeat("alive", 3_620_000, 3_620_000)
    watermark.advance()

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
    assert watermark.ms == 3_615_000


def test_the_only_source_is_not_forgotten() -> None:
    """The length of its silence is unknown: its state is unchanged."""
    watermark = create()
    watermark.heartbeat("only", 10_000, 10_000)
    watermark.advance()
    watermark.heartbeat("only", 90_000_000, 90_000_000)
    watermark.advance()

    assert (watermark.ms, watermark.stale()) == (90_000_000, [])


def test_it_never_decreases() -> None:
    """A stale source that comes back far behind does not take progress back."""
    watermark = create()
    watermark.received("silent", 10_000)
    watermark.heartbeat("alive", 100_000, 100_000)
    watermark.advance()
    watermark.received("silent", 99_000)

    assert not watermark.advance()
    assert watermark.ms == 100_000


def test_an_older_heartbeat_changes_nothing() -> None:
    """Of two heartbeats the further one counts, in whatever order they come."""
    watermark = create()
    watermark.heartbeat("a", 20_000, 19_000)
    watermark.heartbeat("a", 10_000, 9_000)
    watermark.advance()

    assert (watermark.ms, watermark.received_through) == (19_000, 20_000)


def test_restored() -> None:
    """A restored progress continues as the one before would have."""
    watermark, after = create(), create()
    watermark.heartbeat("a", 20_000, 19_000)
    watermark.received("b", 21_000)
    watermark.heartbeat("c", 21_000, 20_500, instance="one")
    watermark.heartbeat("c", 21_000, 19_500, instance="two")
    watermark.advance()
    after.restore(orjson.loads(orjson.dumps(watermark.state())))

    assert not after.advance()
    assert after.state() == watermark.state()
    after.received("b", 40_000)
    after.advance()
    assert after.ms == 19_000


def test_the_slowest_instance_decides() -> None:
    """A source whose events come by two gateways is complete through their minimum, whichever reported last."""
    watermark = create()
    watermark.heartbeat("crm", 20_000, 11_000, instance="one")
    watermark.heartbeat("crm", 20_500, 18_500, instance="two")
    watermark.heartbeat("crm", 21_000, 12_000, instance="one")
    watermark.advance()

    assert watermark.ms == 12_000


def test_an_instance_that_ends() -> None:
    """It is not waited for any more; an older last word ends nothing; with the last one gone the source is as one without heartbeats."""
    watermark = create()
    watermark.heartbeat("crm", 20_000, 11_000, instance="one")
    watermark.heartbeat("crm", 20_000, 18_000, instance="two")
    watermark.heartbeat("crm", 19_000, 19_000, instance="one", ended=True)
    watermark.advance()
    still = watermark.ms
    watermark.heartbeat("crm", 21_000, 11_000, instance="one", ended=True)
    watermark.advance()
    then = watermark.ms
    watermark.received("crm", 30_000)
    watermark.heartbeat("crm", 30_000, 18_000, instance="two", ended=True)
    watermark.advance()

    assert (still, then, watermark.ms) == (11_000, 18_000, 25_000)
    assert watermark.sources == {"crm": 30_000}


def test_an_instance_that_falls_silent() -> None:
    """At exactly 60 s of silence it still holds its source back, a millisecond later no more."""
    watermark = create()
    watermark.heartbeat("crm", 10_000, 9_000, instance="killed")
    watermark.heartbeat("crm", 70_000, 69_000, instance="alive")
    watermark.advance()
    still = watermark.ms
    watermark.heartbeat("crm", 70_001, 69_001, instance="alive")
    watermark.advance()

    assert (still, watermark.ms) == (9_000, 69_001)


def test_a_source_that_sends_its_own_heartbeats() -> None:
    """Its gateways' heartbeats do not count, as one may not know of it, until it has been silent for 60 s."""
    watermark = create()
    watermark.heartbeat("crm", 10_000, 10_000)
    watermark.heartbeat("crm", 70_000, 68_000, instance="one")
    watermark.advance()
    still = watermark.ms
    watermark.heartbeat("crm", 70_001, 68_001, instance="one")
    watermark.advance()

    assert (still, watermark.ms) == (10_000, 68_001)


def test_instances_are_bounded() -> None:
    """Of more than 16 the last seen one is kept, and the one silent for longest is evicted."""
    watermark = create()
    for number in range(MAX_INSTANCES + 1):
        watermark.heartbeat("crm", 20_000 + number, 10_000 + number, instance=f"gateway-{number}")
    watermark.advance()

    assert MAX_INSTANCES == 16
    assert len(watermark.state()["instances"]["crm"]) == 16
    assert watermark.ms == 10_001


def test_state_kept_before_there_were_instances() -> None:
    """Heartbeats of an older gateway do not hold its source back once that gateway names its instance."""
    watermark = create()
    watermark.restore({"sources": {"crm": 20_000}, "complete": {"crm": 18_000}, "through": 18_000, "received_through": 20_000})
    watermark.received("crm", 20_500)
    watermark.advance()
    still = watermark.ms
    watermark.heartbeat("crm", 21_000, 19_000, instance="one")
    watermark.advance()

    assert (still, watermark.ms) == (18_000, 19_000)


def quiet(declared_ms: dict[str, int] | None = None) -> Watermark:
    """Return a progress where sources behind a gateway may be silent for 15 minutes, unless declared otherwise."""
    return Watermark(60_000, 5_000, 3_600_000, silence=Silence(900_000, declared_ms or {}))


def test_a_gateway_heartbeat_is_no_sign_of_life() -> None:
    """Time passes and nothing is waited for, but at 15 minutes and a millisecond without anything of its own the source is silent."""
    watermark = quiet()
    watermark.received("chat", 10_000)
    watermark.heartbeat("chat", 910_000, 908_000, instance="one")
    watermark.advance()
    still = (watermark.ms, watermark.stale())
    watermark.heartbeat("chat", 910_001, 908_001, instance="one")
    watermark.advance()

    assert still == (908_000, [])
    assert (watermark.ms, watermark.received_through, watermark.stale()) == (908_001, 910_001, ["chat"])
    assert watermark.sources == {"chat": 10_000}
    watermark.received("chat", 911_000)
    assert watermark.stale() == []


def test_a_source_that_never_sent_is_not_shown() -> None:
    """Being able to send is no sign of life; what is on its way at the gateway is waited for all the same."""
    watermark = quiet()
    watermark.received("pbx", 20_000)
    watermark.heartbeat("crm", 20_000, 12_000, instance="one")
    watermark.advance()

    assert (watermark.ms, watermark.sources, watermark.stale()) == (12_000, {"pbx": 20_000}, [])


def test_without_its_gateway_a_source_is_silent_after_the_timeout() -> None:
    """With no instance left to speak for it, a minute is too long, as for any source."""
    watermark = quiet()
    watermark.received("chat", 10_000)
    watermark.heartbeat("chat", 10_000, 8_000, instance="one")
    watermark.heartbeat("pbx", 70_000, 70_000)
    still = watermark.stale()
    watermark.heartbeat("pbx", 70_001, 70_001)

    assert (still, watermark.stale()) == ([], ["chat"])


def test_declared_silence() -> None:
    """It holds with and without a gateway, shorter or longer than what holds else, and such a source is not forgotten."""
    watermark = quiet({"desk": 7_200_000, "pbx": 10_000})
    watermark.received("desk", 10_000)
    watermark.received("pbx", 10_000)
    watermark.heartbeat("pbx", 20_001, 20_001, instance="one")
    early = watermark.stale()
    watermark.received("pbx", 7_210_000)
    watermark.advance()
    still = watermark.stale()
    watermark.received("pbx", 7_210_001)
    watermark.advance()

    assert (early, still, watermark.stale()) == (["pbx"], [], ["desk"])
    assert watermark.ms == 7_205_001


def test_silence_is_kept_through_a_restart_and_read_from_older_state() -> None:
    """Written state continues as it was; older state without reports of instances takes what it has for signs of life."""
    watermark, after, older = quiet(), quiet(), quiet()
    watermark.received("chat", 10_000)
    watermark.heartbeat("chat", 500_000, 498_000, instance="one")
    watermark.advance()
    after.restore(json.loads(json.dumps(watermark.state())))
    older.restore({"sources": {"chat": 500_000}, "complete": {"chat": 498_000}, "through": 498_000, "received_through": 500_000})
    for each in (watermark, after, older):
        each.heartbeat("chat", 910_001, 908_001, instance="one")
        each.advance()

    assert (watermark.stale(), after.stale(), older.stale()) == (["chat"], ["chat"], [])
    assert after.state() == watermark.state()
    older.heartbeat("chat", 1_400_001, 1_398_001, instance="one")
    assert older.stale() == ["chat"]


def test_of_the_configuration() -> None:
    """Seconds of the file become what is judged by."""
    watermark = watermark_of(Configuration.model_validate({"sources": {"desk": {"silence_seconds": 7_200}}}))
    watermark.received("desk", 0)
    watermark.received("chat", 0)
    watermark.heartbeat("chat", 900_001, 900_001, instance="one")

    assert watermark.stale() == ["chat"]


def test_a_lagging_source_does_not_hold_progress_back_for_ever() -> None:
    """Ten minutes behind it is waited for; beyond it is stale, and the others continue. Within the limit again, it counts again."""
    watermark = create()
    watermark.heartbeat("a", 700_000, 690_000)
    watermark.heartbeat("liar", 700_000, 100_000)
    assert (watermark.advance(), watermark.ms, watermark.stale()) == (True, 100_000, [])

    watermark.heartbeat("a", 701_000, 691_000)
    watermark.heartbeat("liar", 701_000, 100_000)
    assert (watermark.advance(), watermark.ms, watermark.stale()) == (True, 691_000, ["liar"])

    watermark.heartbeat("a", 702_000, 695_000)
    watermark.heartbeat("liar", 702_000, 693_000)
    assert (watermark.advance(), watermark.ms, watermark.stale()) == (True, 693_000, [])


def test_sources_that_all_lag_are_waited_for() -> None:
    """An honest source hours behind, alone, decides how far its figures are complete."""
    watermark = create()
    watermark.heartbeat("nightly", 10_000_000, 100_000)

    assert (watermark.advance(), watermark.ms, watermark.stale()) == (True, 100_000, [])


def test_a_gateway_that_lags_holds_back_its_own_senders_alone() -> None:
    """Heartbeats of an instance are bounded in the same way."""
    watermark = create()
    watermark.heartbeat("a", 1_000_000, 999_000)
    watermark.heartbeat("b", 1_000_000, 100_000, instance="gateway-1")

    assert (watermark.advance(), watermark.ms, watermark.stale()) == (True, 999_000, ["b"])
