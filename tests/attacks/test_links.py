"""Links between customers' keys without end cost what as many unrelated ones do, and change no other customer's figures."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.limits import MAX_JOINED_KEYS
from streams.configuration import Configuration
from streams.stages.customer_links import CustomerLinkStage
from streams.stages.customers import CustomerStage, CustomerTopics
from streams.stages.customers_before import CustomersBeforeStage
from tests.support.cpu import timed
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
STAR_KEYED_BY_ITS_POINTS = [(f"k{number}", "hub") for number in range(LINKS)]
_RANDOM = Random(7)
GROWING = [(f"k{_RANDOM.randrange(number + 1)}", f"k{number + 1}") for number in range(LINKS)]
#: The same few keys, at ever other instants.
AGAIN = [tuple(_RANDOM.sample([f"k{number}" for number in range(MAX_JOINED_KEYS)], 2)) for _ in range(LINKS)]
UNRELATED = [(f"a{number}", f"b{number}") for number in range(LINKS)]
ATTACKS = pytest.mark.parametrize("pairs", [CHAIN, STAR, STAR_KEYED_BY_ITS_POINTS, GROWING, AGAIN])


TOPICS = CustomerTopics("panes", 1, "facts", 1, "links", "contacts", 1)


class Customers:
    """The stages of links and of customers, with what they publish to each other."""

    def __init__(self) -> None:
        configuration = Configuration.model_validate({})
        self.links, self.stage = CustomerLinkStage(configuration, TOPICS), CustomerStage(0, configuration, TOPICS)

    @property
    def families(self) -> dict[str, set[str]]:
        """Return by key which keys are one with it."""
        return {key: family.keys for key, family in self.links.tracker.families.items()}

    def take(self, facts: list[dict[str, Any]]) -> None:
        """Take facts in and flush."""
        self.links.process([_record(fact) for fact in facts if fact["kind"] in {"link", "progress"}])
        self.stage.process([_record(fact) for fact in facts if fact["kind"] != "link"])
        self.stage.process([output for output in self.links.collect().outputs if output.topic == "facts"])  # type: ignore[misc]
        self.links.process([output for output in self.stage.collect().outputs if output.topic == "links"])  # type: ignore[misc]


def _record(fact: dict[str, Any]) -> Any:
    return SimpleNamespace(value=orjson.dumps(fact))


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


def _seconds(customers: Customers, facts: list[dict[str, Any]], at_most: float = float("inf")) -> float:
    """Return what it takes to take facts in and flush, or what it took when it was too much."""
    spent = 0.0
    for first in range(0, len(facts), _CHUNK):
        with timed() as taken:
            customers.take([*facts[first : first + _CHUNK], _progress(1)])
        spent += taken[0]
        if spent > at_most:
            break
    return spent


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
def test_the_cost_of_links(pairs: list[Pair]) -> None:
    """However they hang together: a chain, a star, a crowd, or the same keys again and again."""
    customers, usual = Customers(), _seconds(Customers(), _links(UNRELATED))

    assert _seconds(customers, _links(pairs), MULTIPLE * usual) < MULTIPLE * usual
    families = customers.families
    assert max(map(len, families.values())) == MAX_JOINED_KEYS
    joined = len(families) - len({id(group) for group in families.values()})
    assert customers.links.counters.links_refused == (0 if pairs is AGAIN else LINKS - joined)


def _handed_on(rows: Iterable[tuple[bytes, bytes]]) -> tuple[CustomerLinkStage, int]:
    """Return the stage of links after rows of the last release have been handed on to it."""
    before, links = CustomersBeforeStage(TOPICS._replace(before="before")), CustomerLinkStage(Configuration.model_validate({}), TOPICS)
    before.restore("state", rows)
    links.process([output for output in before.collect().outputs if output.topic == "links"])  # type: ignore[misc]
    links.collect()
    return links, links.counters.links_refused


@ATTACKS
def test_the_cost_of_stored_links(pairs: list[Pair]) -> None:
    """A worker that finds customers of thousands of keys in the last release's state hands them on within the limit, in whatever order."""
    unrelated, rows = _rows(UNRELATED).items(), _rows(pairs).items()
    with timed() as usual:
        _handed_on(unrelated)
    with timed() as taken:
        links, refused = _handed_on(rows)
    assert taken[0] < MULTIPLE * max(usual[0], 0.1)
    families = {key: family.keys for key, family in links.tracker.families.items()}
    assert max(map(len, families.values())) <= MAX_JOINED_KEYS

    otherwise, refused_otherwise = _handed_on(reversed(_rows(pairs).items()))
    assert {key: family.keys for key, family in otherwise.tracker.families.items()} == families
    assert refused_otherwise == refused


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
    with_links, without = Customers(), Customers()
    _seconds(without, honest)
    mixed = [*attack[: len(filled)], *honest, *attack[len(filled) :]]
    Random(3).shuffle(rest := mixed[len(filled) :])
    _seconds(with_links, [*mixed[: len(filled)], *rest])

    assert figures(with_links.stage) == figures(without.stage)  # type: ignore[arg-type]
    assert with_links.links.counters.links_refused == 700
    assert set(with_links.stage.tracker.customers) == set(without.stage.tracker.customers)


def test_of_one_key_to_another_the_earliest_holds() -> None:
    """Reported again with later or earlier instants: one link is stored, with the instant when it was last seen."""
    customers = Customers()
    for number, days in enumerate((-3, -2, -9, -5, -1)):
        _seconds(customers, [_event("link", f"l{number}", "ann", days, linked_key="bo")])
    family = customers.stage.tracker.families.get("ann")

    assert family is not None
    assert (family.links, family.last_seen_ms) == ([(at(-9), "ann", "bo")], at(-1))


def test_the_earliest_stored_links_hold() -> None:
    """Whatever came later in a chain of thousands: keys that were joined long before stay one customer."""
    rows = _rows(CHAIN)
    rows[b"s|k1500"] = orjson.dumps({"base": [None, 0], "links": {"old": [at(-400), "k1501"]}})
    links, _ = _handed_on(rows.items())

    family = links.tracker.families["k1500"]
    assert "k1501" in family.keys
    assert family.links["k1500", "k1501"] == at(-400)
