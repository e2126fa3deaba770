"""Keys with too many facts to be a single customer; section 16.1 of docs/counting.md."""

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
from tests.tracking.test_customers import CustomerHarness, at

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
        """Start without facts."""
        self._settings = settings
        self.harness = CustomerHarness(**settings)
        self.rows: dict[str, Any] = {}
        self._families: dict[str, Any] = {}

    def through(self, days: float) -> set[str]:
        """Flush, with all known up to an instant; return which rows were written."""
        self.harness.progress(days)
        return self.flush()

    def flush(self) -> set[str]:
        """Flush; return which rows were written."""
        self.harness.flush()
        written = dict(self.harness.tracker.changed_customers())
        self._families |= dict(self.harness.tracker.families.changed_rows())
        for key, customer in written.items():
            if customer is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = orjson.loads(encode(customer.row()))
        return set(written)

    def restart(self) -> None:
        """Restart from the rows."""
        links, parts = self.harness.links, self.harness.tracker.parts.row()
        self.harness = CustomerHarness(**self._settings)
        self.harness.links = links
        self.harness.tracker.parts.restore(parts)
        for row in self._families.values():
            if row is not None:
                self.harness.tracker.families.restore_row(orjson.loads(encode(row)))
        for key, row in self.rows.items():
            self.harness.tracker.restore_customer(key, row)
        self.harness.tracker.restored()


def figures(harness: CustomerHarness) -> Any:
    """Return all that is counted, and which keys are overfull."""
    tracker = harness.tracker
    today, month = tracker.today(), tracker.this_month()
    assert today is not None
    assert month is not None
    contact_days = {contact_day: +counts for contact_day, counts in tracker.contact_days.items() if +counts}
    return dict(tracker.days.through(today)), dict(tracker.months.through(month)), contact_days, tracker.overfull


@pytest.mark.usefixtures("five")
class TestCounting:
    """What an overfull key counts, and what the others do."""

    def test_before_and_after(self) -> None:
        """With five facts it counts; with the sixth all is taken out, of days, months and cohorts, and the others stay."""
        harness = CustomerHarness()
        for key in ("hub", "ann"):
            harness.contact(key, 0)
            harness.contact(key, 1)
            harness.order(key, 1)
            harness.order(key, 1, "o")
            harness.status(key, -20, active=True)
        harness.through(2)
        assert harness.contact_day(0) == (2, 2)
        assert harness.day(1, "repeat_customer_rate_after_contact") == (2, 2)
        assert harness.month(0) == (2, 2)

        harness.cancel("hub", 1.5, "o")
        harness.through(2)
        assert harness.contact_day(0) == (1, 1)
        assert [harness.day(day, "repeat_customer_rate_after_contact") for day in (1, 2)] == [(1, 1), (1, 1)]
        assert harness.month(0) == (1, 1)
        assert harness.tracker.overfull == {"hub"}
        assert set(harness.tracker.customers) == {"hub", "ann"}

    def test_as_if_never_known(self) -> None:
        """All figures are those of a world without the key."""
        harness, without = CustomerHarness(), CustomerHarness()
        for each in (harness, without):
            each.contact("ann", 0, "a")
            each.order("ann", 1, "x")
        for number in range(9):
            harness.contact("hub", number * HOUR)
            harness.order("hub", number * HOUR)
        for each in (harness, without):
            each.through(2)

        assert figures(harness)[:3] == figures(without)[:3]

    def test_further_facts(self) -> None:
        """No fact of any kind is stored; the row is written again when the key has an event a day later."""
        kept = Kept()
        for number in range(6):
            kept.harness.order("hub", number * HOUR)
        kept.through(1)
        emptied = kept.rows["hub"]
        assert emptied == {"base": [None, at(5 * HOUR)], "overfull": True}

        kept.harness.contact("hub", 1)
        kept.harness.order("hub", 1.1)
        kept.harness.cancel("hub", 1.1, "o")
        kept.harness.status("hub", 1.1, active=True)
        assert kept.through(1.1) == set()
        assert set(kept.harness.tracker.customers) == {"hub"}

        kept.harness.order("hub", 1 + 5 * HOUR)
        assert kept.through(1.3) == {"hub"}
        assert kept.rows["hub"] == {"base": [None, at(1 + 5 * HOUR)], "overfull": True}

    def test_a_late_event_is_no_fact(self) -> None:
        """Contacts that began too long ago to be looked at are not counted, whether they have been folded by a flush or not."""
        harness = CustomerHarness()
        for number in range(5):
            harness.contact("ann", number * HOUR)
        harness.progress(20)
        harness.contact("ann", 20)
        harness.through(20)

        assert not harness.tracker.overfull
        assert harness.contact_day(20) == (0, 1)

    def test_a_contact_that_moves(self) -> None:
        """From an overfull key to another it counts there; from another to an overfull one it counts nowhere."""
        harness = CustomerHarness()
        for number in range(6):
            harness.contact("hub", 0, f"h{number}")
        harness.contact("ann", 0, "a")
        harness.through(1)
        assert harness.contact_day(0) == (0, 1)

        harness.contact("bo", 0, "h0")
        harness.contact("bo", 0, "h5")
        harness.through(1)
        assert harness.contact_day(0) == (0, 3)

        harness.contact("hub", 0, "a")
        harness.contact("hub", 0, "h0")
        harness.through(1)
        assert harness.contact_day(0) == (0, 1)
        harness.tracker.apply({"kind": "contact", "conversation_id": "h5", "customer_key": "bo", "gone": True})
        harness.through(1)
        assert harness.contact_day(0) == (0, 0)

    def test_linked(self) -> None:
        """Its own facts are removed; the keys that it links are one customer, whether linked before or after."""
        harness = CustomerHarness()
        for key in ("ann", "anna", "bo"):
            harness.contact(key, 1 if key == "anna" else 0)
        harness.link("hub", "ann", -1)
        harness.link("hub", "anna", -1)
        for _ in range(5):
            harness.contact("hub", 0.25)
        harness.through(2)
        # Those of hub and of ann by that of anna.
        assert harness.contact_day(0) == (6, 7)

        harness.contact("hub", 0.25)
        harness.link("bo", "hub", -1)
        harness.contact("bo", 1, "b")
        harness.through(2)
        assert harness.tracker.overfull == {"hub"}
        # Of ann by anna, and of bo by bo.
        assert harness.contact_day(0) == (2, 2)
        assert harness.contact_day(1) == (0, 2)
        assert harness.links.families["ann"].keys == {"hub", "ann", "anna", "bo"}


@pytest.mark.usefixtures("five")
class TestForgetting:
    """An overfull key without further events."""

    @pytest.mark.parametrize("swept", [True, False])
    @pytest.mark.parametrize("again", [False, True])
    def test_new_afterwards(self, swept: bool, again: bool) -> None:
        """After 10 + 7 + 5 days of silence it is forgotten, swept away by then or not; the next order is a new customer's."""
        kept = Kept(retention_days=10, order_window_days=60)
        for _ in range(6):
            kept.harness.order("hub", 0)
        kept.harness.status("hub", 0, active=True)
        kept.through(1)
        if again:
            kept.restart()
        if swept:
            kept.through(22.1)
            assert not kept.rows
            assert not kept.harness.tracker.overfull
        else:
            kept.harness.progress(22.1)
        kept.harness.order("hub", 22.1)
        kept.through(22.1)

        assert kept.harness.day(22, "repeat_customer_rate") == (0, 1)
        assert not kept.harness.tracker.overfull
        assert list(kept.rows) == ["hub"]

    def test_while_events_arrive(self) -> None:
        """Facts that are not kept keep it from being forgotten, and with it the keys that it is linked to."""
        kept = Kept(retention_days=10, order_window_days=60)
        kept.harness.link("hub", "ann", 0)
        for _ in range(6):
            kept.harness.order("hub", 0)
        kept.through(1)
        for days in range(5, 60, 5):
            kept.harness.order("hub", days)
            kept.through(days)
            assert set(kept.rows) == {"hub"}
            assert set(kept.harness.links.families) == {"hub", "ann"}
        kept.through(55 + 24.1)  # reports of linked keys may be a day old

        assert not kept.rows
        assert not kept.harness.links.families
        assert not kept.harness.tracker.overfull


def _world(random: Random) -> list[dict[str, Any]]:
    """Return facts whose instants mostly increase."""
    facts: list[dict[str, Any]] = []
    harness = CustomerHarness()
    harness.links.apply = harness.tracker.apply = facts.append  # type: ignore[method-assign, assignment]
    keys = ["hub", "hub", "hub", "ann", "bo", "cy", "dee"]
    for number in range(160):
        key, days = random.choice(keys), number / 4 - random.random() * 2
        match random.randrange(8):
            case 0 | 1 | 2:
                harness.contact(key, days, f"c{number - random.choice((0, 0, 0, 1, 2, 5))}")
            case 3 | 4:
                harness.order(key, days, f"o{number % 7}")
            case 5:
                harness.cancel(key, days, f"o{number % 5}")
            case 6:
                harness.status(key, days, active=number % 3 > 0)
            case _ if random.random() < 0.3:
                harness.link(key, random.choice(keys), days)
        harness.progress(number / 4 - 2)
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
            each.harness.take(fact)
        if random.random() < 0.3:
            often.flush()
            again.flush()
            again.restart()
            overfull |= often.harness.tracker.overfull
            assert often.rows == again.rows
    for each in (once, often, again):
        each.through(38)

    assert overfull
    assert figures(once.harness) == figures(often.harness) == figures(again.harness)


def _long(kind: str, number: int, character: str) -> dict[str, Any]:
    """Return a fact of one key whose texts are as long as they may be."""
    text, name = 200 * character, str(number).rjust(200, character)
    if kind == "contact":
        known = {"queue": text, "channel": "callback", "category": text, "resolved": True, "first_contact": True}
        return {"kind": kind, "conversation_id": name, "customer_key": text, "start_ms": at(0) + number, **known}
    common = {"kind": kind, "event_id": name, "customer_key": text, "at_ms": at(0), "sequence": 0, "order_id": name}
    return {**common, "value_milli": 10**15, "currency": "JPY"}


def _add(customer: Customer, kind: str, number: int, character: str) -> None:
    """Add the same fact by hand: the tracker takes long to join thousands of keys."""
    fact = _long(kind, number, character)
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
    @pytest.mark.parametrize("character", ["𠮷", '"', "x"])
    def test_texts_that_take_more(self, character: str, kind: str) -> None:
        """However long the texts, and however many bytes a character takes, no row outgrows its record, full or emptied."""
        customer, number = Customer(), 0
        while not customer.too_many():
            _add(customer, kind, number, character)
            number += 1
        full = len(encode(customer.row()))
        customer.empty()

        # The key, and what Kafka puts around a record.
        assert full + 1_000 < ROOM
        assert len(encode(customer.row())) + 1_000 < ROOM
        assert number <= 10_001

    def test_texts_that_grow(self) -> None:
        """If facts are revised with longer texts, the written row is not too large."""
        kept = Kept()
        facts = [_long("contact", number, "𠮷") for number in range(6_000)]
        for fact in facts:
            kept.harness.tracker.apply({**fact, "category": None, "queue": "A"})
        kept.through(1)
        assert not kept.harness.tracker.overfull
        for fact in facts:
            kept.harness.tracker.apply(fact)
        kept.through(1)

        assert len(kept.harness.tracker.overfull) == 1
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
        harness = [{**_long("order", number, "x"), "customer_key": "hub"} for number in range(first, first + 1_000)]
        if first == 0:
            harness = [{**each, "customer_key": "ann"} for each in harness[:2]]
        stage.process([SimpleNamespace(value=orjson.dumps(fact)) for fact in [*harness, *progress]])
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
