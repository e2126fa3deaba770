"""What a customer contributes to days, months and cohorts: a function of the facts known under all keys that links ever join."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from schemas.times import from_ms
from streams.windows.calendar import Calendars
from streams.windows.slices import DAY_MS, GRAIN_MS, cell_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.configuration import Configuration
    from streams.tracking.customer_facts import ContactFact, Customer

__all__ = ["Changes", "CustomerRules", "Group", "cohorts", "day_changes", "month_changes"]

#: Keys that links ever join, with what is known under each.
Group = dict[str, "Customer"]
#: date or month → what a figure rises or falls by from then on
Changes = dict[int, Counter[str]]
#: (scope, channel, start of the day in ms)
Cohort = tuple[str, str, int]

_EVER = -(10**9)
_NEVER = 10**9


class CustomerRules:
    """What counting customers needs from the configuration; dates are ordinals, months count from year 0."""

    def __init__(self, configuration: Configuration) -> None:
        settings = configuration.customers
        self._configuration = configuration
        self._zone = configuration.zone_of_site(None)
        self._calendars = Calendars(configuration)
        self.repeat_ms = settings.repeat_days * DAY_MS
        self.window_days = settings.order_window_days
        self.retention_days = settings.retention_days
        self.currency = settings.currency

    def date(self, at_ms: int) -> int:
        """Return the date of an instant in the default zone."""
        return from_ms(at_ms).astimezone(self._zone).date().toordinal()

    def month(self, at_ms: int) -> int:
        """Return the month of an instant in the default zone."""
        return month_of(self.date(at_ms))

    def cohorts_of(self, contact: ContactFact) -> Iterator[Cohort]:
        """Yield the scopes and days that a contact counts in."""
        for scope in self._configuration.scopes_of_queue(contact.queue):
            yield scope, contact.channel, self._calendars.of(scope).day(cell_of(contact.start_ms, GRAIN_MS)).start_ms


def month_of(day: int) -> int:
    """Return the month of a date."""
    found = date.fromordinal(day)
    return found.year * 12 + found.month - 1


def day_changes(group: Group, rules: CustomerRules) -> Changes:
    """Return how the figures of customers at the end of a day change from day to day."""
    found: Changes = {}
    forgotten = _forgotten(group, rules)
    for begin, end, members in _epochs(group, [(rules.date(at), key, other) for at, key, other in _links(group)]):
        _sweep(_steps(members, rules), begin, min(end, forgotten), found)
    return found


def _forgotten(group: Group, rules: CustomerRules) -> int:
    """Return the date from which a customer of whom nothing is heard counts no more."""
    if any(active for customer in group.values() for _, active in customer.statuses_in_order()[-1:]):
        return _NEVER
    return rules.date(max(customer.last_ms() for customer in group.values())) + rules.retention_days + 1


def _steps(members: Iterable[Customer], rules: CustomerRules) -> dict[int, Counter[str]]:
    """Return by date what changes of one customer: orders in the window, those after a contact, and what was ever ordered."""
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
        for order, taken_back_ms in customer.standing_orders():
            placed = rules.date(order.at_ms)
            back = _NEVER if taken_back_ms is None else max(placed, rules.date(taken_back_ms))
            for what, holds in (("window", True), ("window_after", first is not None and order.at_ms > first)):
                if holds:
                    step(placed, what, 1)
                    step(min(placed + rules.window_days, back), what, -1)
            if supported is not None and max(supported, placed) < back:
                valued = order.value_milli is not None and order.currency == rules.currency
                for what, amount in (("orders", 1), ("valued", int(valued)), ("value", order.value_milli or 0 if valued else 0)):
                    step(max(supported, placed), what, amount)
                    step(back, what, -amount)
    return steps


def _sweep(steps: Mapping[int, Counter[str]], begin: int, end: int, found: Changes) -> None:
    """Add what a customer counts from ``begin`` up to and without ``end``."""
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
                found.setdefault(at, Counter())[what] += change
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


def month_changes(group: Group, rules: CustomerRules) -> Changes:
    """Return how the figures of customers who stay change from month to month."""
    found: Changes = {}
    statuses = {key: [(rules.month(at), active) for at, active in customer.statuses_in_order()] for key, customer in group.items()}
    if not any(statuses.values()):
        return found

    def active_at_end(key: str, month: int) -> bool:
        return next((active for at, active in reversed(statuses[key]) if at <= month), False)

    names = {id(customer): key for key, customer in group.items()}
    for begin, end, members in _epochs(group, [(rules.month(at), key, other) for at, key, other in _links(group)]):
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
                    found.setdefault(month, Counter())[what] += change
            counted = now
    return found


def cohorts(group: Group, rules: CustomerRules) -> dict[Cohort, Counter[str]]:
    """Return what the contacts of a customer contribute to the days of their starts."""
    found: dict[Cohort, Counter[str]] = {}
    contacts = sorted((contact for customer in group.values() for contact in customer.contacts.values()), key=lambda each: each.start_ms)
    links = _first_links(_links(group))
    for place, contact in enumerate(contacts):
        counts = Counter(customer_contacts=1)
        repeated = any(_repeats(contact, later, links) for later in _until(contacts, place, contact.start_ms + rules.repeat_ms))
        counts["repeated_contacts"] += repeated
        counts["customer_resolved"] += contact.resolved
        counts["customer_resolved_once"] += contact.first_contact and not repeated
        for cohort in rules.cohorts_of(contact):
            found.setdefault(cohort, Counter()).update(counts)
    return found


def _until(contacts: list[ContactFact], place: int, last_ms: int) -> Iterator[ContactFact]:
    for number in range(place + 1, len(contacts)):
        if contacts[number].start_ms > last_ms:
            return
        yield contacts[number]


def _repeats(contact: ContactFact, later: ContactFact, links: list[tuple[int, str, str]]) -> bool:
    if later.start_ms == contact.start_ms or (contact.category and later.category and contact.category != later.category):
        return False
    if later.customer == contact.customer:
        return True
    pairs = [(key, other) for at, key, other in links if at <= later.start_ms]
    return any({contact.customer, later.customer} <= joined for joined in _joined({contact.customer, later.customer}, pairs))


def _links(group: Group) -> Iterator[tuple[int, str, str]]:
    for key, customer in group.items():
        for at, other in customer.links.values():
            yield at, key, other


def _first_links(links: Iterable[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Return, in order, those links that join what no earlier ones do; at any instant they join what all of them join."""
    of: dict[str, set[str]] = {}
    found: list[tuple[int, str, str]] = []
    for at, key, other in sorted(links):
        one, two = of.setdefault(key, {key}), of.setdefault(other, {other})
        if one is not two:
            found.append((at, key, other))
            one |= two
            of.update(dict.fromkeys(two, one))
    return found


def _epochs(group: Group, links: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, int, list[Customer]]]:
    """Yield from when up to when which keys are one customer, with what is known under them; ``links`` are by date or month."""
    parts: dict[str, tuple[int, set[str]]] = {key: (_EVER, {key}) for key in group}
    for at, key, other in _first_links(links):
        ended = [parts.setdefault(each, (_EVER, {each})) for each in (key, other)]
        for begin, keys in ended:
            if begin < at:
                yield begin, at, [group[each] for each in sorted(keys) if each in group]
        joined = at, ended[0][1] | ended[1][1]
        parts.update(dict.fromkeys(joined[1], joined))
    for begin, keys in {id(part): part for part in parts.values()}.values():
        yield begin, _NEVER, [group[each] for each in sorted(keys) if each in group]


def _joined(keys: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of keys that pairs join, by way of others too."""
    of: dict[str, set[str]] = {key: {key} for key in keys}
    for pair in pairs:
        for key in pair:
            of.setdefault(key, {key})
        one, other = of[pair[0]], of[pair[1]]
        if one is not other:
            one |= other
            for key in other:
                of[key] = one
    return list({id(each): each for each in of.values()}.values())
