"""How room is shared out among senders; the numbers follow from the halves and eighths written in ``docs/connectors.md``."""

from __future__ import annotations

import pytest

from streams.connectors.capacity import Pace, Share


def filled(share: Share, sender: str, senders: list[str], amount: int = 1) -> int:
    """Let a sender take as much as it can; return how much it got."""
    got = 0
    while share.lacks(sender, senders, amount) is None:
        share.take(sender, amount)
        got += amount
    return got


def test_a_sender_has_half_and_the_only_one_all() -> None:
    """Of 64 places one of two senders gets 32, the other the rest; one alone gets all 64."""
    share = Share(64)

    assert filled(share, "a", ["a", "b"]) == 32
    assert share.lacks("a", ["a", "b"]) == "own"
    assert filled(share, "b", ["a", "b"]) == 32
    assert filled(Share(64), "a", ["a"]) == 64
    assert filled(Share(64), "gateway", []) == 64


@pytest.mark.parametrize(("total", "count", "kept"), [(64, 4, 8), (64, 16, 2), (6, 2, 3), (3, 3, 1), (64, 100, 0)])
def test_for_each_sender_some_is_left(total: int, count: int, kept: int) -> None:
    """However much all others took, a sender gets an eighth, or its part of one half where that is less; more where halves leave more."""
    senders = [f"s{number}" for number in range(count)]
    share = Share(total)
    for sender in senders[1:]:
        filled(share, sender, senders)

    assert share.taken <= total
    assert filled(share, "s0", senders) == kept


def test_released_capacity_is_available_again() -> None:
    """Others find the place free, and so does the sender."""
    share = Share(4)
    filled(share, "a", ["a", "b"])
    share.release("a")

    assert share.taken == 1
    assert filled(share, "a", ["a", "b"]) == 1


def test_how_long_a_body_is_waited_for() -> None:
    """3 s for its begin, a second more for each 1,024 bytes, 10 s for all."""
    pace = Pace()

    assert [pace.seconds_for(received) for received in (0, 1, 1024, 4096, 1_000_000)] == [3.0, 3 + 1 / 1024, 4.0, 7.0, 10.0]
