"""How often accounts may ask, at instants of a test; the expected numbers are computed by hand."""

from __future__ import annotations

import pytest

from streams.access.rates import RequestRates


def taken(rates: RequestRates, account: str, at: float, per_minute: int, tries: int) -> int:
    """Return how many of some requests at one instant are accepted."""
    return sum(rates.wait(account, at, per_minute) == 0.0 for _ in range(tries))


def test_a_minute_of_requests_at_once_and_then_the_average() -> None:
    """120 a minute: 120 at once, then one in half a second; after ten idle seconds 20 more, after a minute all again and no more."""
    rates = RequestRates()

    assert taken(rates, "token:a", 1000.0, 120, 200) == 120
    assert rates.wait("token:a", 1000.0, 120) == pytest.approx(0.5)
    assert rates.wait("token:a", 1000.3, 120) == pytest.approx(0.2)
    assert taken(rates, "token:a", 1000.5, 120, 5) == 1
    assert taken(rates, "token:a", 1010.5, 120, 50) == 20
    assert taken(rates, "token:a", 5000.0, 120, 200) == 120


def test_what_is_refused_does_not_count() -> None:
    """An account that keeps asking is accepted again as soon as one that waited."""
    rates = RequestRates()
    taken(rates, "user:a", 0.0, 60, 60)

    assert taken(rates, "user:a", 0.5, 60, 10_000) == 0
    assert taken(rates, "user:a", 1.0, 60, 10) == 1


def test_accounts_are_separate() -> None:
    """Of another kind or name: each has its own."""
    rates = RequestRates()

    assert [taken(rates, account, 7.0, 60, 100) for account in ("token:a", "user:a", "token:b")] == [60, 60, 60]


def test_another_number_in_the_file_holds_at_once() -> None:
    """Half a minute's requests of 120 were accepted: until they expire, half of 60 a minute are left."""
    rates = RequestRates()
    assert taken(rates, "token:a", 0.0, 120, 60) == 60

    assert taken(rates, "token:a", 0.0, 60, 100) == 30


def test_only_the_first_refusal_of_a_row_is_new() -> None:
    """Again after the account has rested, and not before."""
    rates = RequestRates()
    new = []
    for at in (0.0, 1.0, 100.0):
        taken(rates, "token:a", at, 60, 100)
        new += [rates.is_new("token:a"), rates.is_new("token:a")]

    assert new == [True, False, False, False, True, False]


def test_as_many_are_remembered_as_have_asked_of_late() -> None:
    """100,000 accounts, one a millisecond, each of which is forgotten after a second (60 a minute): never as many as 25,000."""
    rates = RequestRates()
    most = 0
    for number in range(100_000):
        assert rates.wait(f"provider:{number}", number / 1000, 60) == 0.0
        most = max(most, len(rates))

    assert 1_000 < most < 25_000
