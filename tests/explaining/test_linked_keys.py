"""Which keys are one customer's: by hand, in whatever order links come, and within bounds."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import orjson
import pytest

from schemas.limits import MAX_JOINED_KEYS
from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.explaining import LinkedKeys


def link(at: str, one: str, other: str) -> dict[str, Any]:
    """Return a link that was received when it occurred."""
    time = f"2026-03-02T{at}.000Z"
    common = {"type": "customer.linked", "event_id": f"{one}-{other}-{at}", "occurred_at": time, "received_at": time, "source": "crm"}
    return {**common, "customer_key": one, "linked_key": other}


def keys_of(events: list[dict[str, Any]]) -> LinkedKeys:
    """Return what has taken these events."""
    made = LinkedKeys(Configuration())
    for each in events:
        made.take(orjson.dumps(each), parse_time_ms(each["received_at"]))
    return made


LINKS = [link("09:00:00", "b", "c"), link("09:01:00", "d", "c"), link("09:02:00", "x", "y"), link("09:03:00", "b", "b")]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_links_join_in_any_order(order: tuple[int, ...]) -> None:
    """Links b to c and d to c join three keys of one customer, x to y two of another; self-links and repeats change nothing."""
    joined = keys_of([LINKS[number] for number in (*order, *order)]).joined()

    assert joined == {"b": "b", "c": "b", "d": "b", "x": "x", "y": "x"}


def test_other_events_are_passed_over_and_a_kind_may_be_escaped() -> None:
    """An order joins nothing; what is no event is counted; JSON may write a letter of the kind as a number."""
    order = {**{name: LINKS[0][name] for name in ("occurred_at", "received_at", "source", "customer_key")}, "event_id": "o"}
    made = keys_of([{**order, "type": "order.placed"}])
    made.take(b'{"type": "customer.linked"}', 0)
    made.take(None, 0)
    assert (made.joined(), made.rejected) == ({}, 1)
    made.take(orjson.dumps(LINKS[0]).replace(b"customer.linked", b"customer\\u002elinked"), parse_time_ms(LINKS[0]["received_at"]))
    assert made.joined() == {"b": "b", "c": "b"}


def test_a_customer_has_so_many_keys_at_most_and_the_earliest_links_make_it() -> None:
    """A hub of a hundred keys: the twenty of the earliest links are joined in any order of arrival; the others stay separate."""
    hub = [link(f"09:{number // 60:02}:{number % 60:02}", "hub", f"k{number:03}") for number in range(100)]
    expected = {"hub", *(f"k{number:03}" for number in range(MAX_JOINED_KEYS - 1))}
    for seed in range(5):
        Random(seed).shuffle(hub)
        joined = keys_of(hub).joined()
        assert {key for key in joined if joined[key] == joined["hub"]} == expected


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the first received links are evicted, and so are those last received too long ago."""
    monkeypatch.setattr("streams.explaining.linked_keys._MOST_LINKS", 3)
    made = keys_of([link(f"09:0{number}:00", f"a{number}", f"b{number}") for number in range(5)])
    assert set(made.joined()) == {f"{side}{number}" for number in (2, 3, 4) for side in "ab"}
    made.forget(90_000)
    assert set(made.joined()) == {"a3", "b3", "a4", "b4"}
