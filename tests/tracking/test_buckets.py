"""Buckets say what a dictionary says, whatever is put, looked up and taken out, and take less room."""

from __future__ import annotations

import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.tracking.buckets import Buckets

steps = st.tuples(st.sampled_from(["put", "pop", "get"]), st.integers(0, 300).map("顧客 {}".format), st.binary(max_size=20))


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
    """Customers' keys with a hundred bytes each take less than two thirds of the room they take in a dictionary."""
    names = [f"v1:{number:024x}" for number in range(5_000)]
    plain = {name: bytes(100) for name in names}
    before = sys.getsizeof(plain) + sum(map(sys.getsizeof, plain)) + sum(map(sys.getsizeof, plain.values()))
    buckets = Buckets()
    for name in names:
        buckets.put(name, bytes(100))
    after = sys.getsizeof(buckets._buckets) + sum(map(sys.getsizeof, buckets._buckets))

    assert after < before * 2 / 3
