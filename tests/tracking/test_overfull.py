"""Keys of which so much is known that they are nobody's single customer; section 16.1 of docs/counting.md."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from msgspec.json import encode

from schemas.topics import topic
from streams.configuration import Configuration
from streams.stages.customers import CustomerStage, CustomerTopics
from streams.tracking import customer_facts
from streams.tracking.customer_facts import Cancellation, Contact, Customer, Order, contact_name
from tests.tracking.test_customers import Told, at

ROOM = int(topic("customers-state.v2").config()["max.message.bytes"])
HOUR = 1 / 24
TOPICS = CustomerTopics("panes", 1, "facts", 1, "links", "contacts", 1)


@pytest.fixture
def five(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let five facts be the most."""
    monkeypatch.setattr(customer_facts, "MAX_FACTS", 5)


class Kept:
    """A tracker whose rows are written at each flush, and read when it starts again."""

    def __init__(self, **settings: Any) -> None:
        """Begin with nothing told."""
        self._settings = settings
        self.told = Told(**settings)
        self.rows: dict[str, Any] = {}
        self._families: dict[str, Any] = {}

    def through(self, days: float) -> set[str]:
        """Flush, with all known up to an instant; return which rows were written."""
        self.told.progress(days)
        return self.flush()

    def flush(self) -> set[str]:
        """Flush; return which rows were written."""
        self.told.flush()
        written = dict(self.told.tracker.changed_customers())
        self._families |= dict(self.told.tracker.families.changed_rows())
        for key, customer in written.items():
            if customer is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = orjson.loads(encode(customer.row()))
        return set(written)

    def restart(self) -> None:
        """Lose all memory, and go on from the rows."""
        links, parts = self.told.links, self.told.tracker.parts.row()
        self.told = Told(**self._settings)
        self.told.links = links
        self.told.tracker.parts.restore(parts)
        for row in self._families.values():
            if row is not None:
                self.told.tracker.families.restore_row(orjson.loads(encode(row)))
        for key, row in self.rows.items():
            self.told.tracker.restore_customer(key, row)
        self.told.tracker.restored()


def figures(told: Told) -> Any:
    """Return all that is counted, and which keys are overfull."""
    tracker = told.tracker
    today, month = tracker.today(), tracker.this_month()
    assert today is not None
    assert month is not None
    cohorts = {cohort: +counts for cohort, counts in tracker.contact_days.items() if +counts}
    return dict(tracker.days.through(today)), dict(tracker.months.through(month)), cohorts, tracker.overfull


@pytest.mark.usefixtures("five")
class TestCounting:
    """What an overfull key counts, and what the others do."""

    def test_before_and_after(self) -> None:
        """With five facts it counts; with the sixth all is taken out, of days, months and cohorts, and the others stay."""
        told = Told()
        for key in ("hub", "ann"):
            told.contact(key, 0)
            told.contact(key, 1)
            told.order(key, 1)
            told.order(key, 1, "o")
            told.status(key, -20, active=True)
        told.through(2)
        assert told.cohort(0) == (2, 2)
        assert told.day(1, "repeat_customer_rate_after_contact") == (2, 2)
        assert told.month(0) == (2, 2)

        told.cancel("hub", 1.5, "o")
        told.through(2)
        assert told.cohort(0) == (1, 1)
        assert [told.day(day, "repeat_customer_rate_after_contact") for day in (1, 2)] == [(1, 1), (1, 1)]
        assert told.month(0) == (1, 1)
        assert told.tracker.overfull == {"hub"}
        assert set(told.tracker.customers) == {"hub", "ann"}

    def test_as_if_never_heard_of(self) -> None:
        """All figures are those of a world without the key."""
        told, without = Told(), Told()
        for each in (told, without):
            each.contact("ann", 0, "a")
            each.order("ann", 1, "x")
        for number in range(9):
            told.contact("hub", number * HOUR)
            told.order("hub", number * HOUR)
        for each in (told, without):
            each.through(2)

        assert figures(told)[:3] == figures(without)[:3]

    def test_further_facts(self) -> None:
        """None is kept, of whatever kind; the row is written again when the key was heard of a day later."""
        kept = Kept()
        for number in range(6):
            kept.told.order("hub", number * HOUR)
        kept.through(1)
        emptied = kept.rows["hub"]
        assert emptied == {"base": [None, at(5 * HOUR)], "overfull": True}

        kept.told.contact("hub", 1)
        kept.told.order("hub", 1.1)
        kept.told.cancel("hub", 1.1, "o")
        kept.told.status("hub", 1.1, active=True)
        assert kept.through(1.1) == set()
        assert set(kept.told.tracker.customers) == {"hub"}

        kept.told.order("hub", 1 + 5 * HOUR)
        assert kept.through(1.3) == {"hub"}
        assert kept.rows["hub"] == {"base": [None, at(1 + 5 * HOUR)], "overfull": True}

    def test_what_is_too_old_is_no_fact(self) -> None:
        """Contacts that began too long ago to be looked at are not counted, whether they have been folded by a flush or not."""
        told = Told()
        for number in range(5):
            told.contact("ann", number * HOUR)
        told.progress(20)
        told.contact("ann", 20)
        told.through(20)

        assert not told.tracker.overfull
        assert told.cohort(20) == (0, 1)

    def test_a_contact_that_moves(self) -> None:
        """From an overfull key to another it counts there; from another to an overfull one it counts nowhere."""
        told = Told()
        for number in range(6):
            told.contact("hub", 0, f"h{number}")
        told.contact("ann", 0, "a")
        told.through(1)
        assert told.cohort(0) == (0, 1)

        told.contact("bo", 0, "h0")
        told.contact("bo", 0, "h5")
        told.through(1)
        assert told.cohort(0) == (0, 3)

        told.contact("hub", 0, "a")
        told.contact("hub", 0, "h0")
        told.through(1)
        assert told.cohort(0) == (0, 1)
        told.tracker.apply({"kind": "contact", "conversation_id": "h5", "customer_key": "bo", "gone": True})
        told.through(1)
        assert told.cohort(0) == (0, 0)

    def test_linked(self) -> None:
        """Its own facts are taken out; what its links join is one customer, whether they were told before or after."""
        told = Told()
        for key in ("ann", "anna", "bo"):
            told.contact(key, 1 if key == "anna" else 0)
        told.link("hub", "ann", -1)
        told.link("hub", "anna", -1)
        for _ in range(5):
            told.contact("hub", 0.25)
        told.through(2)
        # Those of hub and of ann by that of anna.
        assert told.cohort(0) == (6, 7)

        told.contact("hub", 0.25)
        told.link("bo", "hub", -1)
        told.contact("bo", 1, "b")
        told.through(2)
        assert told.tracker.overfull == {"hub"}
        # Of ann by anna, and of bo by bo.
        assert told.cohort(0) == (2, 2)
        assert told.cohort(1) == (0, 2)
        assert told.links.families["ann"].keys == {"hub", "ann", "anna", "bo"}


@pytest.mark.usefixtures("five")
class TestForgetting:
    """An overfull key of which nothing is heard."""

    @pytest.mark.parametrize("swept", [True, False])
    @pytest.mark.parametrize("again", [False, True])
    def test_new_afterwards(self, swept: bool, again: bool) -> None:
        """After 10 + 7 + 5 days of silence it is forgotten, swept away by then or not; the next order is a new customer's."""
        kept = Kept(retention_days=10, order_window_days=60)
        for _ in range(6):
            kept.told.order("hub", 0)
        kept.told.status("hub", 0, active=True)
        kept.through(1)
        if again:
            kept.restart()
        if swept:
            kept.through(22.1)
            assert not kept.rows
            assert not kept.told.tracker.overfull
        else:
            kept.told.progress(22.1)
        kept.told.order("hub", 22.1)
        kept.through(22.1)

        assert kept.told.day(22, "repeat_customer_rate") == (0, 1)
        assert not kept.told.tracker.overfull
        assert list(kept.rows) == ["hub"]

    def test_while_something_is_heard(self) -> None:
        """Facts that are not kept keep it from being forgotten, and with it the keys that it is linked to."""
        kept = Kept(retention_days=10, order_window_days=60)
        kept.told.link("hub", "ann", 0)
        for _ in range(6):
            kept.told.order("hub", 0)
        kept.through(1)
        for days in range(5, 60, 5):
            kept.told.order("hub", days)
            kept.through(days)
            assert set(kept.rows) == {"hub"}
            assert set(kept.told.links.families) == {"hub", "ann"}
        kept.through(55 + 24.1)  # reports of linked keys may be a day old

        assert not kept.rows
        assert not kept.told.links.families
        assert not kept.told.tracker.overfull


def _world(random: Random) -> list[dict[str, Any]]:
    """Return facts whose instants go on in time, on the whole."""
    facts: list[dict[str, Any]] = []
    told = Told()
    told.links.apply = told.tracker.apply = facts.append  # type: ignore[method-assign, assignment]
    keys = ["hub", "hub", "hub", "ann", "bo", "cy", "dee"]
    for number in range(160):
        key, days = random.choice(keys), number / 4 - random.random() * 2
        match random.randrange(8):
            case 0 | 1 | 2:
                told.contact(key, days, f"c{number - random.choice((0, 0, 0, 1, 2, 5))}")
            case 3 | 4:
                told.order(key, days, f"o{number % 7}")
            case 5:
                told.cancel(key, days, f"o{number % 5}")
            case 6:
                told.status(key, days, active=number % 3 > 0)
            case _ if random.random() < 0.3:
                told.link(key, random.choice(keys), days)
        told.progress(number / 4 - 2)
        facts.pop()
    return facts


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize("seed", range(40))
def test_whenever_it_flushes_and_starts_again(seed: int) -> None:
    """Flushed at the end alone, at any time, or started again after each flush: the figures are the same."""
    settings = {"retention_days": 6, "repeat_days": 2, "order_window_days": 3}
    random = Random(seed)
    once, often, again = (Kept(**settings) for _ in range(3))
    overfull: set[str] = set()
    for fact in _world(random):
        for each in (once, often, again):
            each.told.take(fact)
        if random.random() < 0.3:
            often.flush()
            again.flush()
            again.restart()
            overfull |= often.told.tracker.overfull
            assert often.rows == again.rows
    for each in (once, often, again):
        each.through(38)

    assert overfull
    assert figures(once.told) == figures(often.told) == figures(again.told)


def _long(kind: str, number: int, letter: str) -> dict[str, Any]:
    """Return a fact of one key whose texts are as long as they may be."""
    text, name = 200 * letter, str(number).rjust(200, letter)
    if kind == "contact":
        known = {"queue": text, "channel": "callback", "category": text, "resolved": True, "first_contact": True}
        return {"kind": kind, "conversation_id": name, "customer_key": text, "start_ms": at(0) + number, **known}
    told = {"kind": kind, "event_id": name, "customer_key": text, "at_ms": at(0), "sequence": 0, "order_id": name}
    return {**told, "value_milli": 10**15, "currency": "JPY"}


def _add(customer: Customer, kind: str, number: int, letter: str) -> None:
    """Add the same fact by hand: the tracker takes long to join thousands of keys."""
    fact = _long(kind, number, letter)
    if kind == "contact":
        customer.contacts[contact_name(fact["conversation_id"])] = Contact(*(fact[of] for of in Contact.__struct_fields__))
    elif kind == "order":
        customer.orders[fact["event_id"]] = Order(*(fact[of] for of in Order._fields))
    else:
        customer.cancellations[fact["event_id"]] = Cancellation(fact["at_ms"], fact["order_id"])


class TestRoom:
    """A row fits into a record of its topic."""

    @pytest.mark.parametrize("kind", ["order", "cancellation"])
    def test_ten_thousand_facts(self, kind: str) -> None:
        """With ids of 200 characters 10,000 are not too many, and fit; another one is too many."""
        customer = Customer()
        for number in range(10_000):
            _add(customer, kind, number, "x")
            assert not customer.too_many()
        assert 4_000_000 < len(encode(customer.row())) < ROOM

        _add(customer, kind, 10_000, "x")
        assert customer.too_many()

    @pytest.mark.parametrize("kind", ["contact", "order", "cancellation"])
    @pytest.mark.parametrize("letter", ["𠮷", '"', "x"])
    def test_texts_that_take_more(self, letter: str, kind: str) -> None:
        """However long the texts, and however many bytes a character takes, no row outgrows its record, full or emptied."""
        customer, number = Customer(), 0
        while not customer.too_many():
            _add(customer, kind, number, letter)
            number += 1
        full = len(encode(customer.row()))
        customer.empty()

        # The key, and what Kafka puts around a record.
        assert full + 1_000 < ROOM
        assert len(encode(customer.row())) + 1_000 < ROOM
        assert number <= 10_001

    def test_texts_that_grow(self) -> None:
        """Where facts are told anew with longer texts the row that is written is not too large."""
        kept = Kept()
        facts = [_long("contact", number, "𠮷") for number in range(6_000)]
        for fact in facts:
            kept.told.tracker.apply({**fact, "category": None, "queue": "A"})
        kept.through(1)
        assert not kept.told.tracker.overfull
        for fact in facts:
            kept.told.tracker.apply(fact)
        kept.through(1)

        assert len(kept.told.tracker.overfull) == 1
        assert [row["overfull"] for row in kept.rows.values()] == [True]


def test_the_row_of_a_key_with_12000_orders_stays_small() -> None:
    """A stage that takes them writes no row that Kafka would refuse, and small ones afterwards; so does one that begins again."""
    stage = CustomerStage(0, Configuration.model_validate({}), TOPICS)
    rows: dict[bytes, bytes] = {}
    sizes: list[int] = []
    progress = [
        {"kind": "progress", "source_topic": name, "source_partition": 0, "progress_ms": at(3), "received_through_ms": at(3)}
        for name in ("contacts", "links")
    ]
    for first in range(0, 13_000, 1_000):
        told = [{**_long("order", number, "x"), "customer_key": "hub"} for number in range(first, first + 1_000)]
        if first == 0:
            told = [{**each, "customer_key": "ann"} for each in told[:2]]
        stage.process([SimpleNamespace(value=orjson.dumps(fact)) for fact in [*told, *progress]])
        written = stage.collect().rows
        rows |= {key: value for key, value in written if value is not None}
        sizes.append(max((len(value or b"") for key, value in written if key == b"s|hub"), default=0))
    again = CustomerStage(0, Configuration.model_validate({}), TOPICS)
    again.restore("state", rows.items())

    assert 4_000_000 < max(sizes) < ROOM
    assert max(sizes[11:]) < 100
    assert max(map(len, rows.values())) < 2_000
    for each in (stage, again):
        assert each.tracker.overfull == {"hub"}
        assert each.counters.overfull == {0: 1}
        today = each.tracker.today()
        assert today is not None
        assert dict(each.tracker.days.through(today))[today] == {"order_customers": 1, "repeat_customers": 1}
