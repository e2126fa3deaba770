"""All customers, what they contribute to days, months and cohorts, and how far the parts they come from are complete."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_JOINED_KEYS
from streams.tracking.customer_facts import Cancellation, Contact, Customer, Order, contact_name
from streams.tracking.customer_spans import COHORT_SUMS, NOTHING, CustomerRules, contribution, contribution_of_one
from streams.tracking.customer_store import Customers
from streams.tracking.running import Running
from streams.tracking.spaces import MARK
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.configuration import Configuration
    from streams.tracking.customer_spans import Cohort, Contribution

__all__ = ["CustomerTracker"]

#: Days are served for so long beyond the horizon of repeats, and what lies further back is kept as sums only.
_SLACK_DAYS = 3
#: How many customers a flush looks at, to forget the silent.
_SWEPT = 256


def _fit(one: set[str], two: set[str]) -> bool:
    """Say whether the keys of two customers may be those of one."""
    return one is two or len(one) + len(two) <= MAX_JOINED_KEYS


class CustomerTracker:
    """Customers by key; the keys that links join are counted together."""

    def __init__(self, configuration: Configuration, contact_parts: Iterable[tuple[str, int]]) -> None:
        self._rules = CustomerRules(configuration)
        self._contact_parts = tuple(contact_parts)
        self._kept_days = configuration.customers.repeat_days + _SLACK_DAYS
        self.customers = Customers()
        #: keys under which so much is known that they are nobody's single customer
        self.overfull: set[str] = set()
        #: links passed over since this was last set back, for they would join too many keys
        self.links_refused = 0
        self.days, self.months = Running(), Running()
        self.cohorts: dict[Cohort, Counter[str]] = {}
        self.changed_cohorts: set[Cohort] = set()
        #: whether a figure of days or months may have changed since this was last set back
        self.figures_changed = False
        #: part → progress and received through
        self.parts: dict[tuple[str, int], tuple[int | None, int | None]] = {}
        self._joined: dict[str, set[str]] = {}
        #: first key of a customer → all of them, and what they counted before this flush
        self._touched: dict[str, tuple[set[str], list[Contribution]]] = {}
        #: number of a place → what its contacts count more by now
        self._contacts: dict[int, list[int]] = {}
        self._changed: set[str] = set()
        self._floor_ms: int | None = None
        #: an operator has set a part back
        self._went_back = False
        self._through: int | None = None

    # --- taking in

    def apply(self, fact: dict[str, Any]) -> None:
        """Take a record of customer-facts."""
        kind = fact["kind"]
        if kind == "progress":
            part = fact["source_topic"], fact["source_partition"]
            before = self.parts.get(part, (None, None))[0]
            self.parts[part] = (fact["progress_ms"], fact["received_through_ms"])
            self._went_back |= before is not None and (fact["progress_ms"] or 0) < before
            self._through = self.through_ms
        elif kind == "contact":
            self._take_contact(fact)
        else:
            self._take_event(kind, fact)

    def _take_contact(self, fact: dict[str, Any]) -> None:
        key, name = fact["customer_key"], fact["conversation_id"]
        name = contact_name(name + MARK + fact["id_space"] if "id_space" in fact else name)
        if fact.get("gone"):
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
        if not self._takes(at, *((key, fact["linked_key"]) if kind == "link" else (key,))):
            return
        if kind == "link" and not self._may_join(key, fact["linked_key"]):
            self.links_refused += 1
            return
        customer = self._touch(key)
        space = MARK + fact["id_space"] if "id_space" in fact else ""
        # What was kept before ids had a space, and is told again, goes by its id.
        if not any(name in kept for kept in (customer.orders, customer.cancellations, customer.statuses, customer.links)):
            name += space
        if kind == "order":
            order_id = None if fact["order_id"] is None else fact["order_id"] + space
            customer.orders.setdefault(name, Order(at, order_id, fact["value_milli"], fact["currency"]))
        elif kind == "cancellation":
            customer.cancellations.setdefault(name, Cancellation(at, fact["order_id"] + space))
        elif kind == "status":
            customer.statuses.setdefault(name, (at, fact["sequence"], fact["active"]))
        elif name not in customer.links and fact["linked_key"] != key:
            self._touch(fact["linked_key"])
            customer.link(name, at, fact["linked_key"])
            self._join(key, fact["linked_key"])
        self._limit(key, customer)

    def _takes(self, at_ms: int, *keys: str) -> bool:
        """Say whether a fact about keys is kept; of one that is overfull it only says that something was heard."""
        if self.overfull.isdisjoint(keys):
            return True
        overfull = [key for key in keys if key in self.overfull and not self._is_over(self._joined.get(key) or {key})]
        for key in overfull:
            # Of a day at most once: there are many such facts, and each time the row is written.
            if at_ms - self.customers[key].last_ms() >= DAY_MS:
                self._touch(key).base_last_ms = at_ms
        return not overfull

    def _limit(self, key: str, customer: Customer) -> None:
        """Let a customer who was given a fact be nobody's if that is one too many."""
        if not customer.too_many():
            return
        # Whether what is too old has been folded by now, or has not been touched since, must make no difference.
        self._fold(customer, self._through)
        if customer.too_many():
            self._empty(key, customer)

    def _fold(self, customer: Customer, through: int | None) -> None:
        if through is not None and customer.contacts:
            customer.fold(through - (self._kept_days + 2) * DAY_MS)

    def _empty(self, key: str, customer: Customer) -> None:
        """Keep nothing of a customer whose contribution is being counted anew."""
        customer.empty()
        self.overfull.add(key)
        self._changed.add(key)

    def _touch(self, key: str) -> Customer:
        """Return what is known under a key, to be changed; at ``settle`` what its customer counts by then is booked."""
        customer = self.customers.find(key)
        if customer is None or key in self._joined or self._is_over((key,)):
            group = self._group(key)
            root, customer = min(group), self.customers.own(key)
            if root not in self._touched:
                self._touched[root] = (group, [self._counted(group)])
        elif key not in self._touched:
            self._touched[key] = ({key}, [contribution_of_one(customer, self._rules)])
        self._changed.add(key)
        return customer

    def _group(self, key: str) -> set[str]:
        """Return the keys that are one customer with a key; of one who is over nothing is left."""
        group = self._joined.get(key) or {key}
        if not self._is_over(group):
            return group
        # Whether it has been swept away by now, or is touched in the same flush, must make no difference.
        touched = self._touched.pop(min(group), None)
        if touched is not None:
            self._book_changed(*touched)
        self._drop(group)
        return {key}

    def _may_join(self, key: str, other: str) -> bool:
        """Say whether a link leaves a customer with no more keys than one may have."""
        return _fit(self._group(key), self._group(other))

    def _join(self, key: str, other: str) -> None:
        one, two = self._joined.get(key) or {key}, self._joined.get(other) or {other}
        if one is two:
            return
        before = [counted for group in (one, two) for counted in self._touched.pop(min(group), (group, []))[1]]
        group = one | two
        for each in group:
            self._joined[each] = group
        self._touched[min(group)] = (group, before)

    def _counted(self, keys: Iterable[str]) -> Contribution:
        """Return what a customer counts."""
        group = {key: self.customers[key] for key in keys if key in self.customers}
        return contribution(group, self._rules) if group else NOTHING

    def _book_changed(self, group: Iterable[str], before: list[Contribution]) -> None:
        """Book what a customer counts in place of what was counted before."""
        now = self._counted(group)
        if len(before) != 1:
            for each in before:
                self._book(each, NOTHING)
            self._book(NOTHING, now)
        elif before[0] != now:
            self._book(before[0], now)

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
        """Book what the contacts of each place count more in its scopes."""
        for place, amounts in self._contacts.items():
            if not any(amounts):
                continue
            for cohort in self._rules.cohorts[place]:
                if self._floor_ms is None or cohort[2] >= self._floor_ms:
                    into = self.cohorts.setdefault(cohort, Counter())
                    for what, amount in zip(COHORT_SUMS, amounts, strict=True):
                        into[what] += amount
                    self.changed_cohorts.add(cohort)
        self._contacts = {}
        self._rules.forget_places()

    # --- at a flush

    @property
    def as_of_ms(self) -> int | None:
        """The newest instant that is taken in."""
        return max((received for _, received in self.parts.values() if received is not None), default=None)

    @property
    def through_ms(self) -> int | None:
        """Before this nothing is still to come; None while a part of contact-events has said nothing."""
        if not all(self.parts.get(part, (None, None))[0] is not None for part in self._contact_parts):
            return None
        return min((progress for progress, _ in self.parts.values() if progress is not None), default=None)

    def today(self) -> int | None:
        """Return the date of as-of."""
        as_of = self.as_of_ms
        return None if as_of is None else self._rules.date(as_of)

    def this_month(self) -> int | None:
        """Return the month of as-of."""
        as_of = self.as_of_ms
        return None if as_of is None else self._rules.month(as_of)

    def settle(self) -> None:
        """Book what was touched, and give up what is too old."""
        through = self.through_ms
        touched, self._touched = self._touched, {}
        for group, before in touched.values():
            for key in group:
                if key in self.customers:
                    customer = self.customers.own(key)
                    self._fold(customer, through)
                    if customer.too_large():
                        self._empty(key, customer)
            self._book_changed(group, before)
        self._spread()
        if self._went_back:
            self._add_up_anew()
        if through is not None:
            self._give_up(through)
            self._forget()

    def _give_up(self, through: int) -> None:
        self.days.advance(self._rules.date(through) - self._kept_days)
        self.months.advance(self._rules.month(through) - 1)
        floor = through - self._kept_days * DAY_MS
        if self._floor_ms is None or floor > self._floor_ms:
            self._floor_ms = floor
            for cohort in [cohort for cohort in self.cohorts if cohort[2] < floor]:
                del self.cohorts[cohort]

    def _forget(self) -> None:
        """Look at some customers, each flush at others, and forget those who count nowhere any more."""
        before = self._over_before_ms()
        if before is None:
            return
        for key in self.customers.some(_SWEPT):
            if key in self.customers and self.customers[key].last_ms() < before:
                group = self._joined.get(key) or {key}
                if self._is_over(group):
                    self._drop(group)

    def _over_before_ms(self) -> int | None:
        """Return since when something must have been heard of a customer who is not over; None while that is unknown."""
        if self._through is None:
            return None
        return self._through - (self._rules.retention_days + self._kept_days + 2) * DAY_MS

    def _is_over(self, group: Iterable[str]) -> bool:
        """Say whether so little was heard of a customer for so long that the next fact is of somebody new."""
        before = self._over_before_ms()
        if before is None:
            return False
        known = False
        for key in group:
            customer = self.customers.get(key)
            if customer is not None:
                if customer.last_ms() >= before or customer.is_active():
                    return False
                known = True
        return known

    def _drop(self, group: Iterable[str]) -> None:
        """Forget a customer with all keys; what it counted has ended before the floor."""
        for key in group:
            self._joined.pop(key, None)
            self.overfull.discard(key)
            if key in self.customers:
                del self.customers[key]
                self._changed.add(key)

    def changed_customers(self) -> Iterator[tuple[str, Customer | None]]:
        """Yield the customers changed since the last call, None for those forgotten."""
        changed, self._changed = self._changed, set()
        for key in changed:
            yield key, self.customers.get(key)
        self.customers.settle()

    # --- after a restart

    def restore_customer(self, key: str, row: dict[str, Any]) -> None:
        """Take a kept customer back in."""
        customer = Customer.from_row(row)
        self.customers.put(key, customer)
        if customer.overfull:
            self.overfull.add(key)

    def restored(self) -> None:
        """Say that everything kept has been taken back in, the parts too."""
        self._through = through = self.through_ms
        self._restore_links()
        self._touched = {}
        if through is not None:
            self._give_up(through)
        self._book_all()

    def _restore_links(self) -> None:
        """Join what links join; of those that versions without limits kept the earliest hold, and the others are given up."""
        links = sorted((at, key, other, name) for key, customer in self.customers.items() for name, (at, other) in customer.links.items())
        seen: set[tuple[str, str]] = set()
        for _, key, other, name in links:
            fits = _fit(self._joined.get(key) or {key}, self._joined.get(other) or {other})
            if fits and (key, other) not in seen:
                seen.add((key, other))
                self._join(key, other)
                continue
            self.links_refused += not fits
            self.customers.own(key).unlink(name)
            self._changed.add(key)

    def _add_up_anew(self) -> None:
        """Count every customer there is by where progress stands, for it was set back."""
        self._went_back = False
        self.changed_cohorts |= self.cohorts.keys()
        self.days, self.months, self.cohorts, self._floor_ms = Running(), Running(), {}, None
        if self._through is not None:
            self._give_up(self._through)
        self._book_all()

    def _book_all(self) -> None:
        for key in self.customers:
            group = self._joined.get(key)
            if group is None or key == min(each for each in group if each in self.customers):
                self._book(NOTHING, self._counted(group or (key,)))
        self._spread()
