"""When an offer counts as readable."""

from __future__ import annotations

from benchmarks.latency import Counted, Offers


def _day(offered: int | None, channel: str | None = "voice") -> dict[str, object]:
    return {"scope": "Orders", "channel": channel, "kpis": {"offered": {"value": offered}}}


def test_an_offer_is_readable_when_the_day_counts_it() -> None:
    """Published at 1, 2 and 3 s; the topic shows 1 at 1.5 s, the same again at 2.5 s, and 3 at 4 s: 500, 2,000 and 1,000 ms."""
    offers = Offers()
    offers.published["Orders", "voice"] = [1.0, 2.0, 3.0]
    counted = Counted(offers)
    key = "window|day|voice|queue:Orders"
    counted.add_day(key, _day(1), 1.5)
    counted.add_day(key, _day(1), 2.5)
    assert offers.missing() == ["('Orders', 'voice'): 3 published, 1 counted"]
    counted.add_day(key, _day(3), 4.0)
    assert offers.missing() == []
    assert offers.took_ms(0.0, 10.0) == [500.0, 1_000.0, 2_000.0]
    assert offers.took_ms(2.5, 10.0) == [1_000.0]


def test_other_windows_and_scopes_are_no_sign_of_an_offer() -> None:
    """A trailing window, a day of a site and one of all channels of a queue are passed over; a day without offers is none."""
    offers = Offers()
    counted = Counted(offers)
    counted.add_day("window|trailing_15m|voice|queue:Orders", _day(5), 1.0)
    counted.add_day("window|day|voice|site:Bonn", _day(5), 1.0)
    counted.add_day("window|day|-|queue:Orders", _day(5, channel=None), 1.0)
    counted.add_day("window|day|voice|queue:Orders", _day(None), 1.0)
    assert not any(offers.readable.values())


def test_the_intervals_of_a_peer_add_up() -> None:
    """Two offers in one quarter of an hour and one in the next are three; its trailing windows are passed over."""
    offers = Offers()
    offers.published["Orders", "voice"] = [1.0, 1.0, 2.0]
    counted = Counted(offers)
    counted.add_interval("15m|Orders|voice|900000", {"offered": 2}, 1.5)
    counted.add_interval("trailing|Orders|voice", {"offered": 3}, 1.6)
    counted.add_interval("15m|Orders|voice|1800000", {"offered": 1}, 2.25)
    assert offers.took_ms(0.0, 10.0) == [250.0, 500.0, 500.0]
