"""Links between customers' keys without end cost what as many unrelated ones do, and change nobody else's figures."""

from __future__ import annotations

from random import Random
from time import process_time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.limits import MAX_JOINED_KEYS
from streams.configuration import Configuration
from streams.stages.customers import CustomerStage, CustomerTopics
from tests.tracking.test_customers import at
from tests.tracking.test_overfull import figures

if TYPE_CHECKING:
    from collections.abc import Iterable

LINKS = 3_000
#: Of the cost of unrelated links; without a limit it is hundreds of times as much.
MULTIPLE = 10
_CHUNK = 100

Pair = tuple[str, str]
CHAIN = [(f"k{number}", f"k{number + 1}") for number in range(LINKS)]
STAR = [("hub", f"k{number}") for number in range(LINKS)]
STAR_TOLD_UNDER_ITS_POINTS = [(f"k{number}", "hub") for number in range(LINKS)]
_RANDOM = Random(7)
GROWING = [(f"k{_RANDOM.randrange(number + 1)}", f"k{number + 1}") for number in range(LINKS)]
#: The same few keys, at ever other instants.
AGAIN = [tuple(_RANDOM.sample([f"k{number}" for number in range(MAX_JOINED_KEYS)], 2)) for _ in range(LINKS)]
UNRELATED = [(f"a{number}", f"b{number}") for number in range(LINKS)]
ATTACKS = pytest.mark.parametrize("pairs", [CHAIN, STAR, STAR_TOLD_UNDER_ITS_POINTS, GROWING, AGAIN])


def _stage() -> CustomerStage:
    return CustomerStage(Configuration.model_validate({}), CustomerTopics(1, "metrics", "latest", "contacts", 1))


def _progress(days: float) -> dict[str, Any]:
    return {"kind": "progress", "source_topic": "contacts", "source_partition": 0, "progress_ms": at(days), "received_through_ms": at(days)}


def _event(kind: str, name: str, key: str, days: float, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "event_id": name, "id_space": "crm", "customer_key": key, "at_ms": at(days), "sequence": 0, **fields}


def _links(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Return links on a hundred dates, each with an order of its first key once in a while."""
    facts: list[dict[str, Any]] = []
    for number, (key, other) in enumerate(pairs):
        facts.append(_event("link", f"l{number}", key, -(number % 100), linked_key=other))
        if number % 10 == 0:
            facts.append(_event("order", f"o{number}", key, -1, order_id=None, value_milli=None, currency=None))
    return facts


def _seconds(stage: CustomerStage, facts: list[dict[str, Any]], at_most: float = float("inf")) -> float:
    """Return what it takes to take facts in and flush, or what it took when it was too much."""
    begun = process_time()
    for first in range(0, len(facts), _CHUNK):
        stage.process([SimpleNamespace(value=orjson.dumps(fact)) for fact in [*facts[first : first + _CHUNK], _progress(1)]])
        stage.collect()
        if process_time() - begun > at_most:
            break
    return process_time() - begun


def _rows(pairs: Iterable[Pair]) -> dict[bytes, bytes]:
    """Return rows as versions without a limit wrote them."""
    customers: dict[str, dict[str, Any]] = {}
    for number, pair in enumerate(pairs):
        one, _ = (customers.setdefault(key, {"base": [None, 0], "links": {}}) for key in pair)
        one["links"][f"l{number}\x00crm"] = [at(-(number % 100)), pair[1]]
    for customer in customers.values():
        if not customer["links"]:
            del customer["links"]
    rows = {b"s|" + key.encode(): orjson.dumps(customer) for key, customer in customers.items()}
    return {**rows, b"m": orjson.dumps([["contacts", 0, at(1), at(1)]])}


@ATTACKS
def test_what_links_cost(pairs: list[Pair]) -> None:
    """However they hang together: a chain, a star, a crowd, or the same keys again and again."""
    stage, usual = _stage(), _seconds(_stage(), _links(UNRELATED))

    assert _seconds(stage, _links(pairs), MULTIPLE * usual) < MULTIPLE * usual
    assert max(map(len, stage.tracker._joined.values())) == MAX_JOINED_KEYS
    joined = len(stage.tracker._joined) - len({id(group) for group in stage.tracker._joined.values()})
    refused = stage.counters.links_refused
    assert refused == (0 if pairs is AGAIN else LINKS - joined)


@ATTACKS
def test_what_kept_links_cost(pairs: list[Pair]) -> None:
    """A worker that finds customers of thousands of keys in its state starts, and once it has flushed the state is within the limit."""
    usual = process_time()
    _stage().restore("state", _rows(UNRELATED).items())
    usual = process_time() - usual
    stage, rows = _stage(), _rows(pairs)
    begun = process_time()
    stage.restore("state", rows.items())
    written = stage.collect().rows
    assert process_time() - begun < MULTIPLE * max(usual, 0.1)
    assert max(map(len, stage.tracker._joined.values())) <= MAX_JOINED_KEYS

    rows |= {key: value for key, value in written if value is not None}
    again, otherwise = _stage(), _stage()
    again.restore("state", rows.items())
    otherwise.restore("state", reversed(_rows(pairs).items()))
    assert again.counters.links_refused == 0
    assert otherwise.counters.links_refused == stage.counters.links_refused
    assert again.tracker._joined == stage.tracker._joined == otherwise.tracker._joined
    assert [key for key, value in again.collect().rows if key.startswith(b"s|") and value is not None] == []


def test_the_others_figures() -> None:
    """A customer that links have filled is joined to no honest one: days, months and contacts are those without the links."""
    honest = [_event("order", f"h{number}", f"c{number % 700}", -1, order_id=None, value_milli=5, currency="JPY") for number in range(900)]
    honest += [_event("status", f"s{number}", f"c{number}", -40, active=True) for number in range(0, 700, 3)]
    honest += [_event("link", f"f{number}", f"c{number}", -30, linked_key=f"c{number + 1}") for number in range(0, 700, 7)]
    known = {"queue": "A", "channel": "voice", "category": None, "resolved": True, "first_contact": True}
    honest += [
        {
            "kind": "contact",
            "conversation_id": f"x{number}",
            "customer_key": f"c{number % 500}",
            "start_ms": at(-1 - number / 1_000),
            **known,
        }
        for number in range(900)
    ]
    filled = [("hub", f"own{number}") for number in range(MAX_JOINED_KEYS - 1)]
    attack = [fact for fact in _links([*filled, *(("hub", f"c{number}") for number in range(700))]) if fact["kind"] == "link"]
    with_links, without = _stage(), _stage()
    _seconds(without, honest)
    mixed = [*attack[: len(filled)], *honest, *attack[len(filled) :]]
    Random(3).shuffle(rest := mixed[len(filled) :])
    _seconds(with_links, [*mixed[: len(filled)], *rest])

    assert figures(SimpleNamespace(tracker=with_links.tracker)) == figures(SimpleNamespace(tracker=without.tracker))  # type: ignore[arg-type]
    assert with_links.counters.links_refused == 700
    assert set(with_links.tracker.customers) == {*without.tracker.customers, "hub", *(key for _, key in filled)}


def test_of_one_key_to_another_the_earliest_holds() -> None:
    """Told again with later instants, or with earlier ones: one link is kept, and when something was last heard."""
    stage = _stage()
    for number, days in enumerate((-3, -2, -9, -5, -1)):
        _seconds(stage, [_event("link", f"l{number}", "ann", days, linked_key="bo")])

    assert list(stage.tracker.customers["ann"].links.values()) == [(at(-9), "bo")]
    assert stage.tracker.customers["ann"].last_ms() == at(-1)


def test_of_kept_links_the_earliest_hold() -> None:
    """Whatever came later in a chain of thousands: keys that were joined long before stay one customer."""
    rows = _rows(CHAIN)
    rows[b"s|k1500"] = orjson.dumps({"base": [None, 0], "links": {"old": [at(-400), "k1501"]}})
    stage = _stage()
    stage.restore("state", rows.items())

    assert "k1501" in stage.tracker._joined["k1500"]
    assert stage.tracker.customers["k1500"].links == {"old": (at(-400), "k1501")}
