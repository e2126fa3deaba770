"""A customer is packed until read, and is unchanged then."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import pytest
from msgspec.json import encode

from streams.tracking.customer_facts import Cancellation, Contact, Customer, Order, contact_name
from streams.tracking.customer_store import Customers
from tests.tracking.test_customers import CustomerHarness


def known() -> Customer:
    """Return a customer with some of everything, the oldest before 1970 as far as the types go."""
    customer = Customer()
    customer.contacts = {contact_name("c1"): Contact(5_000, "注文受付", "voice", None, resolved=True, first_contact=False)}
    customer.orders = {"o1": Order(6_000, None, 12_500, "JPY"), "o2": Order(7_000, "42", None, None)}
    customer.cancellations = {"x1": Cancellation(8_000, "42")}
    customer.statuses = {"s1": (9_000, -1, True)}
    customer.base_first_ms = -1_000
    return customer


def written(customer: Customer) -> Any:
    """Return a row as it is read again."""
    return orjson.loads(encode(customer.row()))


DIGEST = "0123456789abcdef" * 4
KEYS = [
    "ann 安",
    f"v1:{DIGEST}",
    f"v2:{DIGEST}",
    f"v1:{DIGEST.upper()}",
    f"é1:{DIGEST}",
    f"v1:{DIGEST[:-1]} ",
    f"v1:{DIGEST}0",
    "\0" * 34,
    "",
]


@pytest.mark.parametrize("key", KEYS)
def test_as_it_was(key: str) -> None:
    """Packed and unpacked, a customer has its key and the facts it had, of the same kinds."""
    customers = Customers()
    customers.put(key, known())
    found = customers[key]

    assert list(customers) == [key]
    assert found == known()
    assert type(found.contacts[contact_name("c1")]) is Contact
    assert type(found.orders["o1"]) is Order
    assert type(found.cancellations["x1"]) is Cancellation
    assert found.last_ms() == 9_000
    assert Customer.from_row(written(found)) == known()


def test_keys_are_distinguished() -> None:
    """Keys that differ in their version, their digest or its letters' case are other customers."""
    customers = Customers()
    for number, key in enumerate(KEYS):
        customers.put(key, Customer(base_last_ms=number))

    assert {key: customer.base_last_ms for key, customer in customers.items()} == {key: number for number, key in enumerate(KEYS)}


def test_rows_with_names() -> None:
    """A row with contacts by conversation name and with their customer is read like one that has neither."""
    row = {"base": [None, 0], "contacts": {"c1\0switch": ["ann", 5_000, "sales", "voice", "billing", True, False]}}

    found = Customer.from_row(row)

    assert found.contacts == {contact_name("c1\0switch"): Contact(5_000, "sales", "voice", "billing", resolved=True, first_contact=False)}
    assert Customer.from_row(written(found)) == found


def test_overfull() -> None:
    """Whether a key is overfull is stored, packed and in its row; older rows do not have it."""
    customers = Customers()
    emptied = known()
    emptied.empty()
    customers.put("ann", emptied)

    assert customers["ann"].overfull
    assert written(customers["ann"]) == {"base": [None, 9_000], "overfull": True}
    assert Customer.from_row(written(customers["ann"])).overfull
    assert "overfull" not in known().row()
    assert not Customer.from_row(written(known())).overfull


def test_changed_in_place() -> None:
    """What is changed of a customer that was taken to be changed stays, before and after it is packed; of a copy nothing does."""
    customers = Customers()
    customers.own("ann").statuses["s1"] = (1_000, 0, True)
    before = (customers["ann"].statuses, customers["ann"].last_ms())
    customers.pack()
    customers["ann"].statuses.clear()
    customers.own("ann").statuses["s2"] = (2_000, 0, False)
    customers.pack()

    assert before == ({"s1": (1_000, 0, True)}, 1_000)
    assert customers["ann"].row() == {"base": (None, 0), "statuses": {"s1": (1_000, 0, True), "s2": (2_000, 0, False)}}


def test_forgotten() -> None:
    """A forgotten customer is removed, changed or not, and starts from zero."""
    customers = Customers()
    for key in ("ann", "bo"):
        customers.own(key).statuses["s"] = (1_000, 0, True)
    del customers["ann"]
    customers.pack()
    del customers["bo"]

    assert dict(customers) == {}
    assert customers.own("bo").row() == {"base": (None, 0)}


def test_some_at_a_time() -> None:
    """Each is returned in turn, those that are there when it is their turn."""
    customers = Customers()
    for number in range(10):
        customers.put(f"k{number}", Customer())
    found = customers.some(4)
    del customers["k0"]
    customers.put("new", Customer())
    found += customers.some(4) + customers.some(4)

    assert sorted(found) == [f"k{number}" for number in range(1, 10)]
    assert "new" in customers.some(20)


def test_kept_packed() -> None:
    """Once its row is written a customer with one contact takes less than 100 bytes: one dictionary of CPython alone takes 184 or more."""
    harness = CustomerHarness()
    harness.contact("ann", 0, "8f8e1c1e-5a9e-4a5d-8f6f-0a5f5b1c2d3e")
    harness.tracker.apply(
        {"kind": "progress", "source_topic": "contacts", "source_partition": 0, "progress_ms": 2**40, "received_through_ms": 2**40}
    )
    harness.tracker.flush()
    written = dict(harness.tracker.changed_customers())

    assert written["ann"] is not None
    assert harness.tracker.customers._live == {}
    assert [sys.getsizeof(packed) < 100 for packed in harness.tracker.customers._packed.values()] == [True]
