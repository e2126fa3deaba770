"""Buckets say what a dictionary says, whatever is put, looked up and taken out, and take less room."""

from __future__ import annotations

import sys
from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import encode

from streams.tracking.buckets import Buckets

steps = st.tuples(st.sampled_from(["put", "pop", "get", "rest"]), st.integers(0, 300).map("顧客 {}".format), st.binary(max_size=20))


@given(st.lists(steps, max_size=400))
def test_as_a_dictionary(taken: list[tuple[str, str, bytes]]) -> None:
    """What is found, taken out, contained, counted and gone through is that of a dictionary."""
    buckets, plain = Buckets(), dict[str, bytes]()
    for what, key, value in taken:
        match what:
            case "put":
                buckets.put(key, value)
                plain[key] = value
            case "pop":
                assert buckets.pop(key) == plain.pop(key, None)
            case "rest":
                for number in range(buckets.buckets):
                    buckets.rest(number)
            case _:
                assert buckets.get(key) == plain.get(key)
        assert (key in buckets) == (key in plain)
        assert len(buckets) == len(plain)
    assert sorted(buckets) == sorted(plain)
    assert [buckets.get(key) for key in sorted(plain)] == [plain[key] for key in sorted(plain)]


def test_growing() -> None:
    """Ten thousand keys: none is lost at any of the splits, none is in two buckets, and no bucket has many more than its share."""
    buckets = Buckets()
    for number in range(10_000):
        buckets.put(str(number), b"%d" % number)

    found = Counter(key for bucket in range(buckets.buckets) for key in buckets.bucket(bucket))
    assert found == Counter(map(str, range(10_000)))
    assert all(buckets.get(str(number)) == b"%d" % number for number in range(10_000))
    assert buckets.buckets == 10_000 / 8
    # Those that have been split have five or so, the others ten: six deviations more are 30.
    assert max(len(buckets.bucket(number)) for number in range(buckets.buckets)) < 30


def test_room() -> None:
    """Contacts by customer take two thirds of the room they take in a dictionary, and at rest half of that: they are much alike."""
    chance = Random(3)
    facts = {
        f"v1:{chance.getrandbits(96):024x}": encode(
            {f"voice-3-695b-{number}": [1_767_571_200_000 + 400 * number, "Orders 注文受付", "voice", None]}
        )
        for number in range(5_000)
    }
    before = sys.getsizeof(facts) + sum(map(sys.getsizeof, facts)) + sum(map(sys.getsizeof, facts.values()))
    buckets = Buckets()
    for name, fact in facts.items():
        buckets.put(name, fact)
    packed = _size(buckets)
    for number in range(buckets.buckets):
        buckets.rest(number)

    assert packed < before * 2 / 3
    assert _size(buckets) < packed / 2
    assert all(buckets.get(name) == fact for name, fact in facts.items())


def _size(buckets: Buckets) -> int:
    return sys.getsizeof(buckets._buckets) + sum(map(sys.getsizeof, buckets._buckets))
