"""Which workers count as silent: only those that are missing while others are received without a gap."""

from __future__ import annotations

from streams.engine.silence import Silence

STEP_MS = 500


def beat(silence: Silence, begin_ms: int, end_ms: int, *others: str) -> list[tuple[int, str]]:
    """Have ``me`` and ``others`` speak twice a second; return when who was found silent, and forget nothing."""
    found = []
    for at_ms in range(begin_ms, end_ms, STEP_MS):
        for other in others:
            silence.record_heartbeat(other, f"member-{other}", at_ms)
        found += [(at_ms, worker) for worker, _ in silence.record_heartbeat("me", "member-me", at_ms)]
    return found


def test_a_worker_that_falls_silent_is_found_after_three_seconds() -> None:
    """It is found at the first look 3 s after its last heartbeat, with its member, and again until the group has removed it."""
    silence = Silence("me", 3.0)
    assert beat(silence, 0, 10_000, "other") == []
    assert beat(silence, 10_000, 13_000) == [(12_500, "other")]  # its last one is at 9,500
    assert silence.record_heartbeat("me", "member-me", 13_000) == [("other", "member-other")]
    silence.record_removal("other")
    assert beat(silence, 13_500, 30_000) == []


def test_a_pause_of_the_observer_makes_no_member_dead() -> None:
    """A worker that was paused, or cut off together with all others, begins to listen again."""
    silence = Silence("me", 3.0)
    beat(silence, 0, 10_000, "other")
    assert beat(silence, 40_000, 42_500) == []
    assert beat(silence, 42_500, 60_000, "other") == []


def test_a_member_that_ends_in_order_is_not_missed() -> None:
    """After its last heartbeat a static member may take its time to come back."""
    silence = Silence("me", 3.0)
    beat(silence, 0, 5_000, "other")
    silence.record_heartbeat("other", None, 5_000)
    assert beat(silence, 5_000, 60_000) == []


def test_between_two_memberships_there_is_nothing_to_remove() -> None:
    """A member id that is not known yet keeps the one before, and is a sign of life."""
    silence = Silence("me", 3.0)
    silence.record_heartbeat("other", "", 0)
    assert beat(silence, 0, 20_000) == []
    silence.record_heartbeat("other", "first", 20_000)
    assert beat(silence, 20_000, 22_000) == []
    silence.record_heartbeat("other", "", 22_000)
    assert beat(silence, 22_000, 25_000) == []
    assert silence.record_heartbeat("me", "", 25_000) == [("other", "first")]


def test_a_removed_member_that_returns_is_spared_for_a_minute() -> None:
    """An overloaded worker must not cause rebalances without end: the session timeout holds meanwhile."""
    silence = Silence("me", 3.0)
    beat(silence, 0, 5_000, "other")
    assert beat(silence, 5_000, 8_000)
    silence.record_removal("other")
    beat(silence, 8_000, 10_000, "other")
    assert beat(silence, 10_000, 60_000) == []
    found = beat(silence, 60_000, 90_000)
    assert found
    assert found[0] == (67_500, "other")  # removed at 7,500


def test_a_worker_that_died_before_this_one_began_is_found_too() -> None:
    """Older heartbeats in the topic count, but their sender has half the time from one's own first heartbeat on."""
    silence = Silence("me", 3.0)
    silence.record_heartbeat("before", "gone", 0)
    assert beat(silence, 100_000, 102_500) == [(at, "before") for at in (101_500, 102_000)]


def test_on_a_busy_machine_silence_is_detected_later() -> None:
    """One's own heartbeats come late, every two seconds: each counts for one, so a dead one is found after the third."""
    silence = Silence("me", 3.0)
    beat(silence, 0, 10_000, "other")
    found = [at for at in range(11_500, 22_000, 2_000) if silence.record_heartbeat("me", "", at)]
    assert found[0] == 15_500
    # And one that is as late as oneself is not.
    silence = Silence("me", 3.0)
    for at in range(0, 60_000, 2_500):
        silence.record_heartbeat("other", "member", at)
        assert silence.record_heartbeat("me", "", at + 1_200) == []
