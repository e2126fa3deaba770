"""Customers by hand: repeats, orders, lifetime value, who stays, links, and what is forgotten; section 16 of docs/counting.md."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.tracking.customer_links import LinkTracker
from streams.tracking.customers import CustomerTracker
from streams.tracking.parts import Parts
from streams.windows.kpis import contact_day_kpis, customer_kpis, retention_kpis

DAY_MS = 86_400_000
#: Noon, so that the dates of UTC are plain.
MONDAY = parse_time_ms("2026-06-01T12:00:00Z")
_numbers = count()


def at(days: float) -> int:
    """Return an instant some days after Monday noon."""
    return MONDAY + round(days * DAY_MS)


class CustomerHarness:
    """A customer tracker and a link tracker."""

    def __init__(self, **settings: Any) -> None:
        """Begin without facts."""
        center = {"queues": {"A": {"department": "help"}}, "customers": settings}
        configuration, contacts = Configuration.model_validate(center), [("contacts", 0)]
        self.links = LinkTracker(configuration, contacts)
        self.tracker = CustomerTracker(configuration, Parts(contacts))
        self._customer_of: dict[str, str] = {}

    def contact(self, key: str, days: float, name: str | None = None, **fields: Any) -> None:
        """Apply a contact; remove it from its former customer, as contact stages publish it."""
        known = {"queue": "A", "channel": "voice", "category": None, "resolved": True, "first_contact": True, **fields}
        name = name or f"c{next(_numbers)}"
        if self._customer_of.setdefault(name, key) != key:
            self._report("contact", conversation_id=name, customer_key=self._customer_of[name], gone=True)
            self._customer_of[name] = key
        self._report("contact", conversation_id=name, customer_key=key, start_ms=at(days), **known)

    def order(self, key: str, days: float, order_id: str | None = None, value: float | None = 10, currency: str = "JPY") -> None:
        """Apply an order."""
        value_milli = None if value is None else round(1000 * value)
        self._event("order", key, days, order_id=order_id, value_milli=value_milli, currency=currency)

    def cancel(self, key: str, days: float, order_id: str) -> None:
        """Apply a cancellation."""
        self._event("cancellation", key, days, order_id=order_id)

    def status(self, key: str, days: float, *, active: bool) -> None:
        """Apply a status change."""
        self._event("status", key, days, active=active)

    def link(self, key: str, other: str, days: float) -> None:
        """Apply a link of two keys."""
        self._event("link", key, days, linked_key=other)

    def report_in(self, space: str | None, kind: str, event_id: str, days: float, **fields: Any) -> None:
        """Apply a fact with ids of a space; None: as of versions without spaces."""
        ids = {"event_id": event_id} if space is None else {"event_id": event_id, "id_space": space}
        self._report(kind, **ids, customer_key="k", at_ms=at(days), sequence=0, **fields)

    def _event(self, kind: str, key: str, days: float, **fields: Any) -> None:
        self._report(kind, event_id=f"e{next(_numbers)}", customer_key=key, at_ms=at(days), sequence=0, **fields)

    def _report(self, kind: str, **fields: Any) -> None:
        self.take({"kind": kind, **fields})

    def take(self, fact: dict[str, Any]) -> None:
        """Apply a fact to its tracker."""
        if fact["kind"] in {"link", "progress"}:
            self.links.apply(fact)
            self._join()
        if fact["kind"] != "link":
            self.tracker.apply(fact)

    def _join(self) -> None:
        for family in self.links.outgoing():
            self.tracker.apply(family)

    def through(self, days: float) -> None:
        """Advance the watermark to an instant, and flush."""
        self.progress(days)
        self.flush()

    def flush(self) -> None:
        """Flush, with reports of linked keys and their results."""
        self.tracker.flush()
        for report in self.tracker.reports():
            self.links.apply(report)
        assert list(self.tracker.outgoing()) == []
        self.links.flush()
        self._join()
        self.tracker.flush()

    def progress(self, days: float) -> None:
        """Advance the watermark to an instant."""
        progress = {"progress_ms": at(days), "received_through_ms": at(days)}
        self._report("progress", source_topic="contacts", source_partition=0, **progress)

    def contact_day(self, days: int, kpi: str = "repeat_contact_rate") -> tuple[Any, Any]:
        """Return the parts of a figure of the contacts of a date."""
        start = at(days) - DAY_MS // 2
        contact_days = self.tracker.contact_days
        figure = contact_day_kpis(contact_days.get(("queue:A", "voice", start), {}))[kpi]
        assert contact_days.get(("department:help", "voice", start)) == contact_days.get(("queue:A", "voice", start))
        return figure["numerator"], figure["denominator"]

    def day(self, days: int, kpi: str) -> tuple[Any, Any]:
        """Return the parts of a figure at the end of a date."""
        today = self.tracker.today()
        assert today is not None
        sums = dict(self.tracker.days.through(today))[parse_day(days)]
        figure = customer_kpis(sums)[kpi]
        return figure["numerator"], figure["denominator"]

    def month(self, months: int, kpi: str = "retention_rate") -> tuple[Any, Any]:
        """Return who stayed (or left) of whom in a month, counted from June 2026."""
        figure = retention_kpis(dict(self.tracker.months.through(2026 * 12 + 5 + months))[2026 * 12 + 5 + months])[kpi]
        return figure["numerator"], figure["denominator"]


def parse_day(days: int) -> int:
    """Return the ordinal of a date: 2026-06-01 is 739768."""
    return 739_768 + days


class TestRepeats:
    """Contacts followed by another one."""

    def test_within_and_beyond(self) -> None:
        """Seven days to the millisecond are a repeat, one more are none, and the last contact has not been repeated."""
        harness = CustomerHarness()
        harness.contact("ann", 0)
        harness.contact("ann", 7)
        harness.contact("bo", 0)
        harness.contact("bo", 7 + 1 / DAY_MS)
        harness.through(8)

        assert harness.contact_day(0) == (1, 2)
        assert harness.contact_day(7) == (0, 2)
        assert harness.contact_day(0, "first_contact_resolution_with_repeats") == (1, 2)

    @pytest.mark.parametrize(("first", "second", "repeats"), [("a", "b", 0), ("a", "a", 1), (None, "b", 1), ("a", None, 1)])
    def test_categories(self, first: str | None, second: str | None, repeats: int) -> None:
        """Another category is another matter; one that is not known may be the same."""
        harness = CustomerHarness()
        harness.contact("ann", 0, category=first)
        harness.contact("ann", 1, category=second)
        harness.through(2)

        assert harness.contact_day(0) == (repeats, 1)

    def test_taken_back(self) -> None:
        """A contact that is excluded afterwards repeats nothing; one whose customer turns out to be another counts there."""
        harness = CustomerHarness()
        harness.contact("ann", 0)
        harness.contact("ann", 1, "x")
        harness.contact("bo", 0)
        harness.through(2)
        assert harness.contact_day(0) == (1, 2)

        harness.contact("bo", 1, "x")
        harness.through(2)
        assert harness.contact_day(0) == (1, 2)

        harness.tracker.apply({"kind": "contact", "conversation_id": "x", "customer_key": "bo", "gone": True})
        harness.through(2)
        assert harness.contact_day(0) == (0, 2)
        assert harness.contact_day(1) == (0, 0)

    def test_links_hold_from_then_on(self) -> None:
        """Two keys linked on day 2 are one customer for a contact of day 3, not for one of day 1."""
        harness = CustomerHarness()
        harness.contact("ann", 0)
        harness.contact("anna", 1)
        harness.contact("an", 3)
        harness.link("anna", "ann", 2)
        harness.link("an", "anna", 2)
        harness.through(4)

        # Of day 0: the contact of day 1 was a stranger's, that of day 3 was not.
        assert harness.contact_day(0) == (1, 1)
        assert harness.contact_day(1) == (1, 1)
        assert harness.contact_day(3) == (0, 1)


class TestOrders:
    """Orders in a window of days."""

    def test_window(self) -> None:
        """With a window of 3 days an order counts on its date and two more; two orders make a repeat customer meanwhile."""
        harness = CustomerHarness(order_window_days=3)
        harness.order("ann", 0)
        harness.order("ann", 2)
        harness.order("bo", 2)
        harness.through(6)

        found = [harness.day(day, "repeat_customer_rate") for day in range(6)]
        assert found == [(0, 1), (0, 1), (1, 2), (0, 2), (0, 2), (0, 0)]

    def test_cancelled_and_repeated_orders(self) -> None:
        """An order counts until the date of its cancellation; placed again under its id it is the same order."""
        harness = CustomerHarness()
        harness.order("ann", 0, "o1")
        harness.order("ann", 1, "o1")
        harness.order("ann", 1, "o2")
        harness.cancel("ann", 3, "o2")
        harness.through(4)

        assert [harness.day(day, "repeat_customer_rate") for day in range(5)] == [(0, 1), (1, 1), (1, 1), (0, 1), (0, 1)]

    def test_after_contact(self) -> None:
        """Only an order placed after the first contact counts, to the millisecond; the others make it a repeat."""
        harness = CustomerHarness()
        for key, ordered in (("ann", -0.1), ("bo", 0), ("cy", 0.1), ("dee", 0.1)):
            harness.contact(key, 0)
            harness.order(key, ordered)
        harness.order("dee", -1)
        harness.through(1)

        assert harness.day(0, "repeat_customer_rate_after_contact") == (1, 2)
        assert harness.day(0, "repeat_customer_rate") == (1, 4)

    def test_lifetime_value(self) -> None:
        """Of five supported customers the orders in one currency are added, others lower the coverage; four customers have no figure."""
        harness = CustomerHarness()
        for number in range(4):
            harness.contact(f"c{number}", 0)
            harness.order(f"c{number}", -1, value=100)
        harness.order("c0", 1, value=50)
        harness.order("c1", 1, value=999, currency="EUR")
        harness.order("never in contact", 0, value=10_000)
        harness.through(1)
        assert harness.day(1, "lifetime_value") == (None, None)

        harness.contact("c4", 1)
        harness.through(2)
        assert harness.day(0, "lifetime_value") == (None, None)
        assert harness.day(1, "lifetime_value") == (450, 5)
        today = harness.tracker.today()
        assert today is not None
        figure = customer_kpis(dict(harness.tracker.days.through(today))[parse_day(1)])["lifetime_value"]
        assert (figure["value"], figure["coverage"]) == (90, 5 / 6)

    def test_linked(self) -> None:
        """Two customers with an order each become one with two, from the date of the link on."""
        harness = CustomerHarness()
        harness.order("ann", 0)
        harness.order("anna", 0)
        harness.link("ann", "anna", 1)
        harness.through(2)

        assert [harness.day(day, "repeat_customer_rate") for day in range(3)] == [(0, 2), (1, 1), (1, 1)]


class TestStaying:
    """Who was active at the start of a month and still is at its end."""

    def test_months(self) -> None:
        """Of two active since May one leaves in June; who comes in June counts from July on."""
        harness = CustomerHarness()
        harness.status("ann", -20, active=True)
        harness.status("bo", -20, active=True)
        harness.status("bo", 10, active=False)
        harness.status("cy", 10, active=True)
        harness.through(35)

        assert harness.month(0) == (1, 2)
        assert harness.month(1) == (2, 2)
        assert harness.month(0, "churn_rate") == (1, 2)
        assert harness.month(1, "churn_rate") == (0, 2)

    def test_one_of_two_keys(self) -> None:
        """A customer with two keys stays while one of them does."""
        harness = CustomerHarness()
        harness.status("ann", -20, active=True)
        harness.status("anna", -20, active=True)
        harness.status("anna", 10, active=False)
        harness.link("ann", "anna", 3)
        harness.through(20)

        assert harness.month(0) == (1, 1)

    def test_forgotten(self) -> None:
        """A customer silent for longer than the retention counts nowhere, and the row is deleted; an active one stays."""
        harness = CustomerHarness(retention_days=10, order_window_days=60)
        harness.order("ann", 0)
        harness.order("bo", 0)
        harness.status("bo", 0, active=True)
        harness.through(15)
        assert [harness.day(day, "repeat_customer_rate") for day in (9, 10, 11)] == [(0, 2), (0, 2), (0, 1)]

        harness.through(40)
        assert set(harness.tracker.customers) == {"bo"}

    def test_linked_keys_are_forgotten_together(self) -> None:
        """While one of them has events all stay; then all expire, and nothing of them is left."""
        harness = CustomerHarness(retention_days=10, order_window_days=60)
        harness.contact("ann", 0, name="c")
        harness.link("ann", "anna", 1)
        harness.order("anna", 8)
        harness.through(29)  # 10 + 7 + 5 days after the first, not after the last
        harness.through(31)
        assert set(harness.tracker.customers) == {"ann", "anna"}
        harness.through(32)  # reports of linked keys may be a day old
        assert not set(harness.tracker.customers)
        assert not harness.links.families
        assert list(harness.tracker.families.roots()) == []

    @pytest.mark.parametrize("swept", [True, False])
    @pytest.mark.parametrize(("days", "known"), [(22, True), (22.1, False)])
    def test_a_customer_who_comes_back(self, days: float, known: bool, swept: bool) -> None:
        """With an order of 22 days ago the next one is a repeat; beyond 10 + 7 + 5 days it is a new customer's, swept by then or not."""
        harness = CustomerHarness(retention_days=10, order_window_days=60)
        harness.order("ann", 0)
        harness.through(days) if swept else harness.progress(days)
        harness.order("ann", days)
        harness.through(days)

        assert harness.day(int(days), "repeat_customer_rate") == (int(known), 1)


class TestIdSpaces:
    """Ids of events and orders belong to their source; section 3."""

    def test_orders_of_two_sources(self) -> None:
        """The same ids of two sources are two orders, and each source cancels its own."""
        harness = CustomerHarness()
        for space in ("shop", "other"):
            harness.report_in(space, "order", "e1", 0, order_id="o1", value_milli=5_000, currency="JPY")
        harness.report_in("shop", "order", "e1", 0, order_id="o1", value_milli=5_000, currency="JPY")
        harness.through(1)
        both = harness.day(0, "repeat_customer_rate")
        harness.report_in("other", "cancellation", "e2", 0.1, order_id="o1")
        harness.through(1)

        assert (both, harness.day(0, "repeat_customer_rate")) == ((1, 1), (0, 1))

    def test_kept_before_ids_had_a_space(self) -> None:
        """An order stored by its id is the same one when it is repeated, placed again or cancelled."""
        harness = CustomerHarness()
        order = {"order_id": "o1", "value_milli": 5_000, "currency": "JPY"}
        harness.report_in(None, "order", "e1", 0, **order)
        harness.report_in("shop", "order", "e1", 0, **order)
        harness.report_in("shop", "order", "e2", 0.1, **order)
        harness.through(1)
        once = harness.day(0, "repeat_customer_rate")
        harness.report_in("shop", "cancellation", "e3", 0.2, order_id="o1")
        harness.through(1)

        assert (once, harness.day(0, "repeat_customer_rate")) == ((0, 1), (0, 0))


@pytest.mark.parametrize("flushed", [False, True])
def test_progress_73_years_ahead_and_set_back(flushed: bool) -> None:
    """Facts of a customer count again at the served dates, and so do later events."""
    harness, straight = CustomerHarness(), CustomerHarness()
    for each in (harness, straight):
        each.contact("k", 0, "c")
        each.order("k", 0.1, "o")
        each.through(1)
    harness.progress(73 * 365)
    if flushed:
        harness.tracker._evict(at(73 * 365))
    for each in (harness, straight):
        each.through(1.5)
        each.order("k", 1.6, "p")
        each.through(2)

    ours, theirs = (dict(each.tracker.days.through(each.tracker.today() or 0)) for each in (harness, straight))
    assert ours == theirs
    assert max(ours.values(), key=lambda figures: figures.get("supported_orders", 0))["supported_orders"] == 2
    assert harness.tracker.contact_days == straight.tracker.contact_days
