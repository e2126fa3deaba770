"""The throttle with a clock of its own: which attempts wait, and for how long."""

from __future__ import annotations

from streams.serving.login import throttle as module
from streams.serving.login.throttle import Attempt, Throttle

YUKI = Attempt("yuki", "192.0.2.1")


def fail(throttle: Throttle, attempt: Attempt, times: int, now: float) -> float:
    """Fail the given number of times, each as soon as it is permitted; return the time of the last."""
    for _ in range(times):
        wait = throttle.begin(attempt, now)
        if wait:
            now += wait
            assert throttle.begin(attempt, now) == 0.0
    return now


def test_delays_grow_from_the_sixth_failure_on() -> None:
    """Five failures are free; then 1 s, 2 s, 4 s and so on up to a quarter of an hour."""
    throttle = Throttle()
    now, waits = 0.0, []
    for _ in range(18):
        waits.append(throttle.begin(YUKI, now))
        now += waits[-1]
        assert waits[-1] == 0.0 or throttle.begin(YUKI, now) == 0.0
    assert waits == [0.0] * 6 + [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 900.0, 900.0]


def test_what_is_refused_counts_nothing() -> None:
    """Attempts during a wait do not prolong it: the seventh attempt is due one second after the sixth."""
    throttle = Throttle()
    now = fail(throttle, YUKI, 6, 0.0)
    for step in range(100):
        assert abs(throttle.begin(YUKI, now + step / 100) - (1.0 - step / 100)) < 1e-9
    assert throttle.begin(YUKI, now + 1.0) == 0.0


def test_attempts_at_the_same_time_count_before_they_are_judged() -> None:
    """A hundred at once are six, whatever becomes of them later."""
    throttle = Throttle()
    assert sum(throttle.begin(YUKI, 0.0) == 0.0 for _ in range(100)) == 6


def test_failures_are_forgiven_with_time() -> None:
    """Once its pause of a second is over, six failures are forgotten within an hour, one every ten minutes."""
    throttle = Throttle()
    now = fail(throttle, YUKI, 6, 0.0)
    later = now + 1.0 + 6 * 600.0
    assert [throttle.begin(YUKI, later) for _ in range(6)] == [0.0] * 6
    assert throttle.begin(YUKI, later) > 0.0


def test_a_success_forgets_its_own_failures_alone() -> None:
    """A user's own login does not clear the failures of the same address at other names."""
    throttle = Throttle()
    now = fail(throttle, YUKI, 4, 0.0)
    throttle.begin(YUKI, now)
    throttle.succeeded(YUKI)
    assert [throttle.begin(YUKI, now) for _ in range(6)] == [0.0] * 6

    throttle, now = Throttle(), 0.0
    own = Attempt("mallory", "192.0.2.9")
    for number in range(31):
        assert throttle.begin(Attempt(f"user-{number}", "192.0.2.9"), now) == 0.0
        if number < 30:
            assert throttle.begin(own, now) == 0.0
            throttle.succeeded(own)
    assert throttle.begin(Attempt("another", "192.0.2.9"), now) == 1.0


def test_an_unjudged_attempt_is_not_counted() -> None:
    """A server that has no time to verify a password lets no one wait for it."""
    throttle = Throttle()
    for _ in range(1000):
        assert throttle.begin(YUKI, 0.0) == 0.0
        throttle.undecided(YUKI)
    assert len(throttle) == 0


def test_ten_thousand_addresses_cannot_shut_a_user_out() -> None:
    """Under an attack from everywhere, the user's own address too, a known browser is let in at once; a new one has to compete."""
    throttle = Throttle()
    known = Attempt("yuki", "192.0.2.1", browser="a browser of yuki")
    tried = 0
    for number in range(10_000):
        now = number / 1000
        for client in (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "192.0.2.1"):
            tried += throttle.begin(Attempt("yuki", client), now) == 0.0
        if number % 1000 == 0:
            assert throttle.begin(known, now) == 0.0
            throttle.succeeded(known)
    # In ten seconds: the hundred that are free, then pauses of 1, 2, 4 and 8 s leave room for three or four more.
    assert 100 < tried <= 105
    assert throttle.begin(Attempt("yuki", "198.51.100.1"), 10.0) > 0.0
    assert throttle.begin(Attempt("ken", "198.51.100.1"), 10.0) == 0.0
    # The name is held up by ten seconds at most, however long it was attacked.
    now = 10.0
    for number in range(1000):
        now = fail(throttle, Attempt("yuki", f"2001:db8::{number}"), 1, now)
    assert throttle.begin(Attempt("yuki", "198.51.100.1"), now) <= 10.0


def test_a_known_browser_does_not_guess_for_ever() -> None:
    """A stolen cookie of a known browser gives ten tries, then as long a wait as any; no more than 1 in 5 minutes."""
    throttle = Throttle()
    known = Attempt("yuki", "192.0.2.1", browser="a browser of yuki")
    now = fail(throttle, known, 30, 0.0)
    assert 250.0 < throttle.begin(known, now) <= 300.0


def test_memory_is_bounded_and_made_up_names_push_out_one_another() -> None:
    """A hundred thousand made-up names from ten thousand addresses leave what is remembered of an attacked name."""
    throttle = Throttle()
    for number in range(101):
        assert throttle.begin(Attempt("yuki", f"victim-{number}"), 0.0) == 0.0
    assert throttle.begin(Attempt("yuki", "fresh"), 0.0) == 1.0
    for number in range(100_000):
        throttle.begin(Attempt(f"made-up-{number}", f"client-{number % 10_000}"), 0.0)
    assert throttle.begin(Attempt("yuki", "fresh"), 0.0) == 1.0
    assert len(throttle) <= 3 * module._REMEMBERED


def test_a_clock_set_back_holds_no_one_up_for_long() -> None:
    """The wait is never longer than the pause itself."""
    throttle = Throttle()
    now = fail(throttle, YUKI, 6, 1_000_000.0)
    assert now == 1_000_000.0
    assert throttle.begin(YUKI, 0.0) == 1.0
