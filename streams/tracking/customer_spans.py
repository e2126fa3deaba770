"""Contribution of a customer to days, months and contact days: a function of the facts under all keys that links ever join."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.times import from_ms
from streams.windows.calendar import Calendars
from streams.windows.slices import DAY_MS, MIN_CELL_MS, cell_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.configuration import Configuration
    from streams.tracking.customer_facts import Contact, Customer

__all__ = [
    "CONTACT_DAY_SUMS",
    "NOTHING",
    "Changes",
    "ContactDay",
    "Contribution",
    "CustomerRules",
    "Group",
    "Links",
    "contribution",
    "contribution_of_one",
]

#: Keys that links ever join, with the customer of each.
Group = dict[str, "Customer"]
#: (from when on, key, key)
Links = list[tuple[int, str, str]]
#: date or month → field → change from then on
Changes = dict[int, dict[str, int]]
#: (scope, channel, start of the day in ms)
ContactDay = tuple[str, str, int]
#: customer_contacts, repeated_contacts, customer_resolved, customer_resolved_once
_Counts = tuple[int, int, int, int]

#: Sums of the contacts of a day.
CONTACT_DAY_SUMS: Final = ("customer_contacts", "repeated_contacts", "customer_resolved", "customer_resolved_once")
_EVER: Final = -(10**9)
_NEVER: Final = 10**9
#: From 1973 on all zones are whole quarters of an hour away from UTC, so that all instants of one have the same date.
_QUARTERS_FROM_MS: Final = 94_694_400_000
#: Dates, and places of contacts, cached.
_REMEMBERED: Final = 20_000
_SUPPORTED: Final = {"supported_customers": 1}
_NO_LONGER: Final = {"supported_customers": -1}


class Contribution(NamedTuple):
    """Contribution of one customer; compared and never changed."""

    days: Changes
    months: Changes
    #: number of a place (``CustomerRules.place``) → counts of the contacts there
    contacts: dict[int, _Counts]


NOTHING: Final = Contribution({}, {}, {})


class CustomerRules:
    """Rules of counting customers, from the configuration; dates are ordinals, months count from year 0."""

    def __init__(self, configuration: Configuration) -> None:
        settings = configuration.customers
        self._configuration = configuration
        self._zone = configuration.zone_of_site(None)
        self._calendars = Calendars(configuration)
        self._dates: dict[int, int] = {}
        self._places: dict[tuple[str, str, int], int] = {}
        self._numbers: dict[tuple[ContactDay, ...], int] = {}
        #: number of a place → contact days
        self.contact_days: list[tuple[ContactDay, ...]] = []
        self.repeat_ms = settings.repeat_days * DAY_MS
        self.window_days = settings.order_window_days
        self.retention_days = settings.retention_days
        self.currency = settings.currency

    def date(self, at_ms: int) -> int:
        """Return the date of an instant in the default zone."""
        if at_ms < _QUARTERS_FROM_MS:
            return self._date(at_ms)
        quarter = at_ms // MIN_CELL_MS
        day = self._dates.get(quarter)
        if day is None:
            if len(self._dates) >= _REMEMBERED:
                self._dates.clear()
            day = self._dates[quarter] = self._date(at_ms)
        return day

    def _date(self, at_ms: int) -> int:
        return from_ms(at_ms).astimezone(self._zone).date().toordinal()

    def month(self, at_ms: int) -> int:
        """Return the month of an instant in the default zone."""
        return month_of(self.date(at_ms))

    def place(self, contact: Contact) -> int:
        """Return the number of a contact's contact days, valid until ``forget_places``."""
        cell = cell_of(contact.start_ms, MIN_CELL_MS)
        number = self._places.get((contact.queue, contact.channel, cell))
        if number is None:
            scopes = self._configuration.scopes_of_queue(contact.queue)
            contact_days = tuple((scope, contact.channel, self._calendars.of(scope).day(cell).start_ms) for scope in scopes)
            number = self._numbers.setdefault(contact_days, len(self.contact_days))
            if number == len(self.contact_days):
                self.contact_days.append(contact_days)
            self._places[contact.queue, contact.channel, cell] = number
        return number

    def forget_places(self) -> None:
        """Reset the numbers of places, if there are many."""
        if len(self._places) > _REMEMBERED:
            self._places, self._numbers, self.contact_days = {}, {}, []


def month_of(day: int) -> int:
    """Return the month of a date."""
    first = date.fromordinal(day)
    return first.year * 12 + first.month - 1


def contribution(group: Group, links: Links, last_seen_ms: int, rules: CustomerRules) -> Contribution:
    """Return the contribution of keys joined by links, the last of them at ``last_seen_ms``."""
    months = _month_changes(group, links, rules) if any(customer.statuses for customer in group.values()) else {}
    return Contribution(_day_changes(group, links, last_seen_ms, rules), months, _contacts(group, links, rules))


def contribution_of_one(customer: Customer, rules: CustomerRules) -> Contribution:
    """Return the contribution of a single key, with a shortcut for the usual case of contacts alone."""
    group = {"": customer}
    if customer.orders:
        days = _day_changes(group, [], 0, rules)
    else:
        first, active = customer.first_contact_ms(), customer.is_active()
        forgotten = _NEVER if active else rules.date(customer.last_ms()) + rules.retention_days + 1
        supported = forgotten if first is None else rules.date(first)
        days = {supported: _SUPPORTED, forgotten: _NO_LONGER} if supported < forgotten else {}
        if active:
            days = {} if first is None else {supported: _SUPPORTED}
    months = _month_changes(group, [], rules) if customer.statuses else {}
    if len(customer.contacts) == 1:
        (contact,) = customer.contacts.values()
        contacts = {rules.place(contact): (1, 0, int(contact.resolved), int(contact.first_contact))}
    else:
        contacts = _contacts(group, [], rules) if customer.contacts else {}
    return Contribution(days, months, contacts)


def _day_changes(group: Group, links: Links, last_seen_ms: int, rules: CustomerRules) -> Changes:
    """Return the changes of customer figures by day."""
    forgotten = _forgotten(group, last_seen_ms, rules)
    changes: dict[int, Counter[str]] = {}
    for begin, end, members in _epochs(group, [(rules.date(at), key, other) for at, key, other in links]):
        _sweep(_steps(members, rules), begin, min(end, forgotten), changes)
    return dict(changes)


def _forgotten(group: Group, last_seen_ms: int, rules: CustomerRules) -> int:
    """Return the date from which a silent customer no longer counts."""
    if any(customer.is_active() for customer in group.values()):
        return _NEVER
    return rules.date(max(last_seen_ms, *(customer.last_ms() for customer in group.values()))) + rules.retention_days + 1


def _steps(members: Iterable[Customer], rules: CustomerRules) -> dict[int, Counter[str]]:
    """Return changes of one customer by date: orders in the window, those after a contact, and all orders."""
    steps: dict[int, Counter[str]] = {}

    def step(day: int, what: str, amount: int) -> None:
        steps.setdefault(day, Counter())[what] += amount

    members = list(members)
    firsts = [first for first in (customer.first_contact_ms() for customer in members) if first is not None]
    first = min(firsts, default=None)
    supported = None if first is None else rules.date(first)
    if supported is not None:
        step(supported, "supported", 1)
    for customer in members:
        for order, cancelled_ms in customer.orders_with_cancellations():
            placed = rules.date(order.at_ms)
            cancelled = _NEVER if cancelled_ms is None else max(placed, rules.date(cancelled_ms))
            for what, holds in (("window", True), ("window_after", first is not None and order.at_ms > first)):
                if holds:
                    step(placed, what, 1)
                    step(min(placed + rules.window_days, cancelled), what, -1)
            if supported is not None and max(supported, placed) < cancelled:
                valued = order.value_milli is not None and order.currency == rules.currency
                for what, amount in (("orders", 1), ("valued", int(valued)), ("value", order.value_milli or 0 if valued else 0)):
                    step(max(supported, placed), what, amount)
                    step(cancelled, what, -amount)
    return steps


def _sweep(steps: Mapping[int, Counter[str]], begin: int, end: int, changes: dict[int, Counter[str]]) -> None:
    """Add the changes of a customer from ``begin`` to ``end``, exclusive."""
    if begin >= end:
        return
    state: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    for day in [*sorted(day for day in steps if day < end), *([end] if end < _NEVER else [])]:
        if day < end:
            state.update(steps[day])
        else:
            state.clear()
        now = _figures(state)
        at = max(day, begin)
        for what in {*now, *counted}:
            change = now[what] - counted[what]
            if change:
                changes.setdefault(at, Counter())[what] += change
        counted = now


def _figures(state: Counter[str]) -> Counter[str]:
    any_order, several, after = state["window"] > 0, state["window"] > 1, state["window_after"] > 0
    return Counter(
        order_customers=int(any_order),
        repeat_customers=int(several),
        order_customers_after_contact=int(after),
        repeat_customers_after_contact=int(after and several),
        supported_customers=state["supported"],
        supported_orders=state["orders"],
        supported_orders_valued=state["valued"],
        supported_value_milli=state["value"],
    )


def _month_changes(group: Group, links: Links, rules: CustomerRules) -> Changes:
    """Return the changes of retention figures by month."""
    changes: dict[int, Counter[str]] = {}
    statuses = {key: [(rules.month(at), active) for at, active in customer.statuses_in_order()] for key, customer in group.items()}

    def active_at_end(key: str, month: int) -> bool:
        return next((active for at, active in reversed(statuses[key]) if at <= month), False)

    names = {id(customer): key for key, customer in group.items()}
    for begin, end, members in _epochs(group, [(rules.month(at), key, other) for at, key, other in links]):
        keys = [names[id(customer)] for customer in members]
        marks = {at for key in keys for at, _ in statuses[key]}
        counted: Counter[str] = Counter()
        inside = sorted({max(month, begin) for mark in marks for month in (mark, mark + 1) if month < end})
        for month in [*inside, *([end] if end < _NEVER else [])]:
            now: Counter[str] = Counter()
            if month < end and any(active_at_end(key, month - 1) for key in keys):
                now["active_at_start"] = 1
                now["retained_customers"] = int(any(active_at_end(key, month) for key in keys))
            for what in {*now, *counted}:
                change = now[what] - counted[what]
                if change:
                    changes.setdefault(month, Counter())[what] += change
            counted = now
    return dict(changes)


def _contacts(group: Group, links: Links, rules: CustomerRules) -> dict[int, _Counts]:
    """Return the counts of a customer's contacts, by place."""
    keyed = [(key, contact) for key, customer in group.items() for contact in customer.contacts.values()]
    keyed.sort(key=lambda item: item[1].start_ms)
    links = _first_links(links)
    by_place: dict[int, _Counts] = {}
    for index, (_, contact) in enumerate(keyed):
        repeated = _is_repeated(keyed, index, contact.start_ms + rules.repeat_ms, links)
        place, once = rules.place(contact), contact.first_contact and not repeated
        contacts, repeats, resolved, resolved_once = by_place.get(place, (0, 0, 0, 0))
        by_place[place] = (contacts + 1, repeats + repeated, resolved + contact.resolved, resolved_once + once)
    return by_place


def _is_repeated(keyed: list[tuple[str, Contact]], index: int, last_ms: int, links: list[tuple[int, str, str]]) -> bool:
    """Return whether the same customer has a later contact up to an instant; contacts are ordered by start."""
    key, contact = keyed[index]
    for number in range(index + 1, len(keyed)):
        other, later = keyed[number]
        if later.start_ms > last_ms:
            return False
        if later.start_ms == contact.start_ms or (contact.category and later.category and contact.category != later.category):
            continue
        if other == key:
            return True
        pairs = [(one, two) for at, one, two in links if at <= later.start_ms]
        if any({key, other} <= joined for joined in _joined({key, other}, pairs)):
            return True
    return False


def _first_links(links: Iterable[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Return, in order, the links that join keys not joined by earlier ones; they are equivalent at any instant."""
    of: dict[str, set[str]] = {}
    joining: list[tuple[int, str, str]] = []
    for at, key, other in sorted(links):
        one, two = of.setdefault(key, {key}), of.setdefault(other, {other})
        if one is not two:
            joining.append((at, key, other))
            one |= two
            of.update(dict.fromkeys(two, one))
    return joining


def _epochs(group: Group, links: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, int, list[Customer]]]:
    """Yield (from, to, customers joined in between); ``links`` are by date or month."""
    parts: dict[str, tuple[int, set[str]]] = {key: (_EVER, {key}) for key in group}
    for at, key, other in _first_links(links):
        ended = [parts.setdefault(name, (_EVER, {name})) for name in (key, other)]
        for begin, keys in ended:
            if begin < at:
                yield begin, at, [group[name] for name in sorted(keys) if name in group]
        joined = at, ended[0][1] | ended[1][1]
        parts.update(dict.fromkeys(joined[1], joined))
    for begin, keys in {min(part[1]): part for part in parts.values()}.values():
        yield begin, _NEVER, [group[name] for name in sorted(keys) if name in group]


def _joined(keys: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of keys that pairs join, directly or not."""
    of: dict[str, set[str]] = {key: {key} for key in keys}
    for pair in pairs:
        for key in pair:
            of.setdefault(key, {key})
        one, other = of[pair[0]], of[pair[1]]
        if one is not other:
            one |= other
            for key in other:
                of[key] = one
    return list({id(part): part for part in of.values()}.values())
