"""A customer is packed until touched, and says the same then."""

from __future__ import annotations

import sys

from streams.tracking.customer_facts import Cancellation, ContactFact, Customer, Order
from streams.tracking.customer_store import Customers
from tests.tracking.test_customers import Told


def known() -> Customer:
    """Return a customer with some of everything, the oldest before 1970 as far as the types go."""
    customer = Customer()
    customer.contacts = {"c1": ContactFact("ann 安", 5_000, "注文受付", "voice", None, resolved=True, first_contact=False)}
    customer.orders = {"o1": Order(6_000, None, 12_500, "JPY"), "o2": Order(7_000, "42", None, None)}
    customer.cancellations = {"x1": Cancellation(8_000, "42")}
    customer.statuses = {"s1": (9_000, -1, True)}
    customer.links = {"l1": (4_000, "bo")}
    customer.base_first_ms = -1_000
    return customer


def test_as_it_was() -> None:
    """Packed and unpacked, a customer has the facts it had, of the same kinds; when it was last heard of, 9 s, can be read off."""
    customers = Customers()
    customers.put("ann 安", known())
    found = customers["ann 安"]

    assert found.row() == known().row()
    assert type(found.contacts["c1"]) is ContactFact
    assert type(found.orders["o1"]) is Order
    assert type(found.cancellations["x1"]) is Cancellation
    assert customers.last_ms("ann 安") == 9_000


def test_overfull() -> None:
    """Whether a key is nobody's single customer is kept, packed and in its row; rows of before say nothing of it."""
    customers = Customers()
    emptied = known()
    assert emptied.empty() == ["c1"]
    customers.put("ann", emptied)

    assert customers["ann"].overfull
    assert customers["ann"].row() == {"base": [None, 9_000], "links": {"l1": (4_000, "bo")}, "overfull": True}
    assert Customer.from_row(customers["ann"].row()).overfull
    assert "overfull" not in known().row()
    assert not Customer.from_row(known().row()).overfull


def test_changed_in_place() -> None:
    """What is changed of a customer that was taken to be changed stays, before and after it is packed; of a copy nothing does."""
    customers = Customers()
    customers.own("ann").statuses["s1"] = (1_000, 0, True)
    before = (customers["ann"].statuses, customers.last_ms("ann"))
    customers.settle()
    customers["ann"].statuses.clear()
    customers.own("ann").links["l1"] = (2_000, "bo")
    customers.settle()

    assert before == ({"s1": (1_000, 0, True)}, 1_000)
    assert customers["ann"].row() == {"base": [None, 0], "statuses": {"s1": (1_000, 0, True)}, "links": {"l1": (2_000, "bo")}}


def test_forgotten() -> None:
    """Who is forgotten is gone, changed or not, and begins anew."""
    customers = Customers()
    for key in ("ann", "bo"):
        customers.own(key).statuses["s"] = (1_000, 0, True)
    del customers["ann"]
    customers.settle()
    del customers["bo"]

    assert dict(customers) == {}
    assert customers.own("bo").row() == {"base": [None, 0]}


def test_kept_packed() -> None:
    """Once its row is written a customer with one contact takes less than 250 bytes: one dictionary of CPython alone takes 184 or more."""
    told = Told()
    told.contact("ann", 0, "c1")
    told.tracker.apply(
        {"kind": "progress", "source_topic": "contacts", "source_partition": 0, "progress_ms": 2**40, "received_through_ms": 2**40}
    )
    told.tracker.settle()
    written = dict(told.tracker.changed_customers())

    assert written["ann"] is not None
    assert told.tracker.customers._live == {}
    assert sys.getsizeof(told.tracker.customers._packed.get("ann")) < 250
