"""The customers of one partition: their contributions to days, months and contact days, and their watermark."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from streams.tracking.customer_facts import Cancellation, Contact, Customer, Order, contact_name, customer_partition
from streams.tracking.customer_families import Families, Family
from streams.tracking.customer_links import over_before_ms
from streams.tracking.customer_spans import CONTACT_DAY_SUMS, NOTHING, CustomerRules, contribution, contribution_of_one
from streams.tracking.customer_store import Customers
from streams.tracking.running import Running
from streams.tracking.spaces import MARK
from streams.windows.customer_merge import RETENTION_SLACK_DAYS
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.configuration import Configuration
    from streams.tracking.customer_spans import ContactDay, Contribution
    from streams.tracking.parts import Parts

__all__ = ["CustomerTracker"]

#: Customers checked at a flush, to forget silent ones.
_SWEPT = 256


class CustomerTracker:
    """Customers by key whose home is this partition; keys joined by links are counted together, at the home of their root."""

    def __init__(self, configuration: Configuration, parts: Parts, partition: int = 0, partitions: int = 1) -> None:
        self._configuration = configuration
        self._rules = CustomerRules(configuration)
        self._kept_days = configuration.customers.repeat_days + RETENTION_SLACK_DAYS
        self._partition, self._partitions = partition, partitions
        self.parts = parts
        self.customers = Customers()
        #: customers of keys at home elsewhere and counted here
        self.copies = Customers()
        self.families = Families()
        #: keys with too many facts
        self.overfull: set[str] = set()
        #: removed contacts, by key and name, while customers of the last release may still arrive
        self.gone: set[tuple[str, str]] = set()
        self.days, self.months = Running(), Running()
        self.contact_days: dict[ContactDay, Counter[str]] = {}
        self.changed_contact_days: set[ContactDay] = set()
        #: whether a figure of days or months may have changed since this was last reset
        self.figures_changed = False
        #: key, or root of a family → its contribution before this flush
        self._touched: dict[str, Contribution] = {}
        #: number of a place → change of the counts of its contacts
        self._contacts: dict[int, list[int]] = {}
        self._changed: set[str] = set()
        self._changed_copies: set[str] = set()
        self._keys_to_copy: set[str] = set()
        self._outgoing: list[tuple[int, dict[str, Any]]] = []
        #: contact days that began before are no longer published
        self.floor_ms: int | None = None
        #: an operator has set back a part
        self._is_set_back = False
        self._through: int | None = None

    # --- input

    def apply(self, fact: dict[str, Any]) -> None:
        """Apply a record of customer-facts."""
        kind = fact["kind"]
        if kind == "contact":
            self._take_contact(fact)
        elif kind == "progress":
            self._is_set_back |= self.parts.take(fact)
            self._through = self.parts.through_ms()
        elif kind == "family":
            self._take_family(fact)
        elif kind == "copy":
            self._take_copy(fact["customer_key"], fact["row"])
        elif kind == "moved":
            self._take_moved(fact["customer_key"], Customer.from_row(fact["row"]))
        else:
            self._take_event(kind, fact)

    def _take_contact(self, fact: dict[str, Any]) -> None:
        key, name = fact["customer_key"], fact["conversation_id"]
        name = contact_name(name + MARK + fact["id_space"] if "id_space" in fact else name)
        if fact.get("gone"):
            if self.parts.awaits_moved():
                self.gone.add((key, name))
            if key in self.customers and name in self.customers[key].contacts:
                del self._touch(key).contacts[name]
        elif self._takes(fact["start_ms"], key):
            customer = self._touch(key)
            customer.contacts[name] = Contact(
                fact["start_ms"], fact["queue"], fact["channel"], fact["category"], fact["resolved"], fact["first_contact"]
            )
            self._limit(key, customer)

    def _take_event(self, kind: str, fact: dict[str, Any]) -> None:
        name, at, key = fact["event_id"], fact["at_ms"], fact["customer_key"]
        if not self._takes(at, key):
            return
        customer = self._touch(key)
        space = MARK + fact["id_space"] if "id_space" in fact else ""
        # A repeat of a fact stored before ids had a space is found by its id.
        if not any(name in facts for facts in (customer.orders, customer.cancellations, customer.statuses)):
            name += space
        if kind == "order":
            order_id = None if fact["order_id"] is None else fact["order_id"] + space
            customer.orders.setdefault(name, Order(at, order_id, fact["value_milli"], fact["currency"]))
        elif kind == "cancellation":
            customer.cancellations.setdefault(name, Cancellation(at, fact["order_id"] + space))
        else:
            customer.statuses.setdefault(name, (at, fact["sequence"], fact["active"]))
        self._limit(key, customer)

    def _take_moved(self, key: str, moved: Customer) -> None:
        """Merge a customer of the last release; facts received since take precedence."""
        customer = self._touch(key)
        contacts = {name: contact for name, contact in moved.contacts.items() if (key, name) not in self.gone}
        customer.contacts = contacts | customer.contacts
        customer.orders = moved.orders | customer.orders
        customer.cancellations = moved.cancellations | customer.cancellations
        customer.statuses = moved.statuses | customer.statuses
        firsts = [first for first in (moved.base_first_ms, customer.base_first_ms) if first is not None]
        customer.base_first_ms, customer.base_last_ms = min(firsts, default=None), max(moved.base_last_ms, customer.base_last_ms)
        if moved.overfull or customer.too_many():
            self._empty(key, customer)

    def _takes(self, at_ms: int, key: str) -> bool:
        """Return whether a fact is stored; of an overfull key only the instant is."""
        if key not in self.overfull or (key not in self.families and self._is_over(self.customers[key])):
            return True
        # At most once a day: there are many such facts, and each writes the row.
        if at_ms - self.customers[key].last_ms() >= DAY_MS:
            self._touch(key).base_last_ms = at_ms
        return False

    def _limit(self, key: str, customer: Customer) -> None:
        """Mark a customer as overfull if the last fact exceeds the limit."""
        if not customer.too_many():
            return
        # Fold old facts first: the result must not depend on when they are folded.
        self._fold(customer, self._through)
        if customer.too_many():
            self._empty(key, customer)

    def _fold(self, customer: Customer, through: int | None) -> None:
        if through is not None and customer.contacts:
            customer.fold(through - (self._kept_days + 2) * DAY_MS)

    def _empty(self, key: str, customer: Customer) -> None:
        """Drop all facts of a customer whose contribution is being recomputed."""
        customer.empty()
        self.overfull.add(key)
        self._changed.add(key)

    def _touch(self, key: str) -> Customer:
        """Return the customer of a key for a change; ``flush`` books the change of its contribution."""
        customer = self.customers.find(key)
        family = self.families.get(key)
        if family is not None:
            self._touch_unit(family.root)
            self._keys_to_copy.add(key)
        elif customer is not None:
            if self._is_over(customer):
                # The result must not depend on whether it has been swept yet.
                self._book_unit(key, self._touched.pop(key, None))
                self._drop(key)
                customer = None
            elif key not in self._touched:
                self._touched[key] = contribution_of_one(customer, self._rules)
        if customer is None:
            customer = self.customers.own(key)
            if family is None:
                self._touched.setdefault(key, NOTHING)
        self._changed.add(key)
        return customer

    # --- families

    def _home(self, key: str) -> int:
        return customer_partition(key, self._partitions)

    def _counted_at(self, key: str) -> int:
        """Return the partition where a key is counted."""
        family = self.families.get(key)
        return self._home(key if family is None else family.root)

    def _take_family(self, fact: dict[str, Any]) -> None:
        """Join keys to one customer, or dissolve them."""
        family = Family(fact["keys"], [(at, key, other) for at, key, other in fact["links"]], fact["heard_ms"])
        own = [key for key in family.keys if self._home(key) == self._partition]
        for key in own:
            customer = self.customers.get(key)
            if key not in self.families and customer is not None and self._is_over(customer):
                self._book_unit(key, self._touched.pop(key, None))
                self._drop(key)
        before = {key: self._counted_at(key) for key in own}
        for key in family.keys:
            known = self.families.get(key)
            self._touch_unit(key)
            if known is not None:
                self._touch_unit(known.root)
        self.families.replace(family, gone=fact.get("gone", False))
        for key in own:
            if fact.get("gone") and key in self.customers:
                self._forget_up_to(key, family.last_seen_ms)
            self._keys_to_copy.add(key)
            if before[key] not in (self._counted_at(key), self._partition):
                self._outgoing.append((before[key], {"kind": "copy", "customer_key": key, "row": None}))

    def _forget_up_to(self, key: str, through_ms: int) -> None:
        customer = self.customers.own(key)
        if customer.forget(through_ms):
            self._drop(key)
        else:
            self._changed.add(key)

    def _take_copy(self, key: str, row: dict[str, Any] | None) -> None:
        """Apply another partition's copy of a key whose family is counted here."""
        family = self.families.get(key)
        if family is not None:
            self._touch_unit(family.root)
        if row is not None:
            self.copies.put(key, Customer.from_row(row))
        elif key in self.copies:
            del self.copies[key]
        self._changed_copies.add(key)

    def outgoing(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield partition and record for other partitions, of customers changed since the last call."""
        outgoing, self._outgoing = self._outgoing, []
        copied, self._keys_to_copy = self._keys_to_copy, set()
        yield from outgoing
        for key in sorted(copied):
            place = self._counted_at(key)
            if place != self._partition and key in self.customers:
                yield place, {"kind": "copy", "customer_key": key, "row": self.customers[key].row()}

    def reports(self) -> Iterator[dict[str, Any]]:
        """Yield reports of linked keys with new facts, for the dissolution of families."""
        for key in sorted(self._keys_to_copy):
            customer, family = self.customers.get(key), self.families.get(key)
            if family is not None:
                report = (None, False) if customer is None else (customer.last_ms(), customer.is_active())
                if self.families.is_news(key, *report):
                    yield {"kind": "heard", "customer_key": key, "at_ms": report[0], "active": report[1]}

    # --- what is counted

    def _touch_unit(self, root: str) -> None:
        if root not in self._touched:
            self._touched[root] = self._counted(root)

    def _counted(self, root: str) -> Contribution:
        """Return the contribution of a single key, or of the family of a root, here."""
        family = self.families.get(root)
        if family is None:
            customer = self.customers.get(root)
            return NOTHING if customer is None else contribution_of_one(customer, self._rules)
        if family.root != root or self._home(root) != self._partition:
            return NOTHING
        group: dict[str, Customer] = {}
        for key in family.keys:
            customer = (self.customers if self._home(key) == self._partition else self.copies).get(key)
            if customer is not None:
                group[key] = customer
        return contribution(group, family.links, family.last_seen_ms, self._rules) if group else NOTHING

    def _book_unit(self, root: str, before: Contribution | None) -> None:
        """Replace the contribution before this flush by the current one."""
        if before is None:
            return
        now = self._counted(root)
        if before != now:
            self._book(before, now)

    def _book(self, before: Contribution, now: Contribution) -> None:
        for running, changes, changed in ((self.days, before.days, now.days), (self.months, before.months, now.months)):
            if changes != changed:
                self.figures_changed = True
                running.add(changes, -1)
                running.add(changed, 1)
        if before.contacts != now.contacts:
            for sign, contacts in ((-1, before.contacts), (1, now.contacts)):
                for place, counts in contacts.items():
                    into = self._contacts.setdefault(place, [0, 0, 0, 0])
                    for index, amount in enumerate(counts):
                        into[index] += sign * amount

    def _spread(self) -> None:
        """Book the changes of each place's contacts in its scopes."""
        for place, amounts in self._contacts.items():
            if not any(amounts):
                continue
            for contact_day in self._rules.contact_days[place]:
                if self.floor_ms is None or contact_day[2] >= self.floor_ms:
                    into = self.contact_days.setdefault(contact_day, Counter())
                    for what, amount in zip(CONTACT_DAY_SUMS, amounts, strict=True):
                        into[what] += amount
                    self.changed_contact_days.add(contact_day)
        self._contacts = {}
        self._rules.forget_places()

    # --- at a flush

    def through_ms(self) -> int | None:
        """Return the watermark."""
        return self._through

    def today(self) -> int | None:
        """Return the date of as-of."""
        as_of = self.parts.as_of_ms()
        return None if as_of is None else self._rules.date(as_of)

    def this_month(self) -> int | None:
        """Return the month of as-of."""
        as_of = self.parts.as_of_ms()
        return None if as_of is None else self._rules.month(as_of)

    def flush(self) -> None:
        """Book changed contributions, and evict what is too old."""
        through = self._through
        for key in self._changed:
            if key in self.customers:
                customer = self.customers.own(key)
                self._fold(customer, through)
                if customer.too_large():
                    self._empty(key, customer)
        touched, self._touched = self._touched, {}
        for root, before in touched.items():
            self._book_unit(root, before)
        self._spread()
        if self._is_set_back:
            self._recompute()
        if through is not None:
            self._evict(through)
            self._forget(over_before_ms(self._configuration, through))
        if not self.parts.awaits_moved():
            self.gone.clear()

    def _evict(self, through: int) -> None:
        self.days.advance(self._rules.date(through) - self._kept_days)
        self.months.advance(self._rules.month(through) - 1)
        floor = through - self._kept_days * DAY_MS
        if self.floor_ms is None or floor > self.floor_ms:
            self.floor_ms = floor
            for contact_day in [contact_day for contact_day in self.contact_days if contact_day[2] < floor]:
                del self.contact_days[contact_day]
                self.changed_contact_days.add(contact_day)

    def _forget(self, before_ms: int) -> None:
        """Check some customers, others at each flush, and forget expired ones; families are dissolved first."""
        for key in self.customers.some(_SWEPT, before_ms):
            if key not in self.families and key in self.customers:
                customer = self.customers[key]
                if customer.last_ms() < before_ms and not customer.is_active():
                    self._drop(key)

    def _is_over(self, customer: Customer) -> bool:
        """Return whether a customer has been silent for so long that the next fact is a new customer's."""
        if self._through is None:
            return False
        return customer.last_ms() < over_before_ms(self._configuration, self._through) and not customer.is_active()

    def _drop(self, key: str) -> None:
        """Forget a customer, whose contribution ended before the floor."""
        self.overfull.discard(key)
        del self.customers[key]
        self._changed.add(key)

    def discard_changes(self) -> None:
        """Discard the changes: their rows are not to be written."""
        self._changed.clear()
        self._changed_copies.clear()
        self.customers.pack()
        for _ in self.families.changed_rows():
            pass

    def changed_customers(self) -> Iterator[tuple[str, Customer | None]]:
        """Yield the customers changed since the last call, None for those forgotten."""
        changed, self._changed = self._changed, set()
        for key in changed:
            yield key, self.customers.get(key)
        self.customers.pack()

    def changed_copies(self) -> Iterator[tuple[str, Customer | None]]:
        """Yield the copies changed since the last call, None for those no longer counted here."""
        changed, self._changed_copies = self._changed_copies, set()
        for key in changed:
            yield key, self.copies.get(key)

    # --- after a restart

    def restore_customer(self, key: str, row: dict[str, Any]) -> None:
        """Restore a customer."""
        customer = Customer.from_row(row)
        self.customers.put(key, customer)
        if customer.overfull:
            self.overfull.add(key)

    def restored(self) -> None:
        """Complete a restore, after all rows and parts."""
        self._through = through = self.parts.through_ms()
        if through is not None:
            self._evict(through)
        self._book_all()

    def _recompute(self) -> None:
        """Recompute all figures after the watermark was set back."""
        self._is_set_back = False
        self.changed_contact_days |= self.contact_days.keys()
        self.days, self.months, self.contact_days, self.floor_ms = Running(), Running(), {}, None
        if self._through is not None:
            self._evict(self._through)
        self._book_all()

    def _book_all(self) -> None:
        self._book_each(key for key in self.customers if key not in self.families)
        self._book_each(self.families.roots())
        self._spread()

    def _book_each(self, roots: Iterable[str]) -> None:
        for root in roots:
            self._book(NOTHING, self._counted(root))
