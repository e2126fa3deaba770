"""The independent recount of customers and forecasts: section 16, every figure from all events.

No key is ever overfull here (section 16.1): worlds have far fewer than 10,000 facts of a key.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from schemas.other import (
    CustomerActivated,
    CustomerChurned,
    CustomerLinked,
    CustomerModel,
    ForecastSet,
    OrderCancelled,
    OrderPlaced,
)
from schemas.times import from_ms, to_ms
from tests.oracle.spaces import with_ids_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    from schemas.base import Event
    from streams.configuration.models import Configuration
    from tests.oracle.conversation import Verdict
    from tests.oracle.figures import Figure

__all__ = ["Contact", "Customers", "contact_of"]

DAY_MS = 86_400_000
NOTHING: Figure = {"value": None, "numerator": None, "denominator": None, "coverage": None}


@dataclass(frozen=True)
class Contact:
    """A conversation of a known customer."""

    customer: str
    start: int
    queue: str
    channel: str
    scopes: tuple[str, ...]
    category: str | None
    resolved: bool
    at_once: bool


def contact_of(verdict: Verdict) -> Contact | None:
    """Return the contact of a conversation, None if it counts as none."""
    story, customer = verdict.story, verdict.customer_key
    if story is None or customer is None:
        return None
    place, start = story.place(), story.start()
    if place is None or start is None:
        return None
    booked = {each.what for each in verdict.contributions}
    return Contact(
        customer=customer,
        start=start,
        queue=place[0],
        channel=place[1],
        scopes=(f"queue:{place[0]}", *story.larger_scopes(place[0])),
        category=verdict.category,
        resolved="first_resolved" in booked,
        at_once="first_contact_resolved" in booked and "first_contact_undone" not in booked,
    )


class Customers:
    """What customers did, and what was forecast."""

    def __init__(self, events: Iterable[Event], contacts: list[Contact], configuration: Configuration) -> None:
        spaced = [with_ids_of_its_own(event, configuration) for event in events if isinstance(event, CustomerModel)]
        by_id = {event.event_id: event for event in spaced}
        forecasts = {event.event_id: event for event in events if isinstance(event, ForecastSet)}
        self.events = sorted(by_id.values(), key=lambda event: (event.occurred_at, event.sequence or 0, event.event_id))
        self.forecasts = sorted(forecasts.values(), key=lambda event: (event.occurred_at, event.sequence or 0, event.event_id))
        self.contacts = contacts
        self.configuration = configuration
        self.settings = configuration.customers
        self.zone: ZoneInfo = configuration.zone_of_site(None)
        self.events_of: dict[str, list[CustomerModel]] = defaultdict(list)
        self.contacts_of: dict[str, list[Contact]] = defaultdict(list)
        for event in self.events:
            self.events_of[event.customer_key].append(event)
        for contact in contacts:
            self.contacts_of[contact.customer].append(contact)
        links = [(event.customer_key, event.linked_key) for event in self.events if isinstance(event, CustomerLinked)]
        #: keys that are ever linked, by each of them
        self.family = {key: group for group in _groups({*self.events_of, *self.contacts_of}, links) for key in group}
        self.cells: dict[tuple[tuple[str, str], int, int], dict[str, Fraction]] = {}

    # ---- linked keys

    def customers(self, before: int | date, family: set[str] | None = None) -> Iterator[set[str]]:
        """Yield the keys of each customer (of a family) as known at an instant, or at the end of a date."""
        for group in {id(each): each for each in self.family.values()}.values() if family is None else [family]:
            links = []
            for event in (event for key in group for event in self.events_of[key] if isinstance(event, CustomerLinked)):
                when = to_ms(event.occurred_at) if isinstance(before, int) else self.date_of(to_ms(event.occurred_at))
                if when <= before:  # type: ignore[operator]
                    links.append((event.customer_key, event.linked_key))
            yield from _groups(group, links)

    def date_of(self, at_ms: int) -> date:
        """Return the date of an instant in the default zone."""
        return from_ms(at_ms).astimezone(self.zone).date()

    def midnight(self, day: date) -> int:
        """Return when a date begins in the default zone."""
        return to_ms(datetime.combine(day, time(), self.zone).astimezone(UTC))

    # ---- contacts

    def is_repeated(self, contact: Contact) -> bool:
        """Return whether the same customer made contact again within ``repeat_days``."""
        family = self.family[contact.customer]
        for later in (each for key in family for each in self.contacts_of[key]):
            if not contact.start < later.start <= contact.start + self.settings.repeat_days * DAY_MS:
                continue
            if contact.category is not None and later.category is not None and contact.category != later.category:
                continue
            if any({contact.customer, later.customer} <= group for group in self.customers(later.start, family)):
                return True
        return False

    def of_contacts(self, scope: str, channel: str, low: int, high: int) -> dict[str, Figure]:
        """Return the figures of the contacts that began in a day."""
        there = [each for each in self.contacts if scope in each.scopes and each.channel == channel and low <= each.start < high]
        repeated = {id(each) for each in there if self.is_repeated(each)}
        resolved = [each for each in there if each.resolved]
        at_once = [each for each in resolved if each.at_once and id(each) not in repeated]
        return {
            "repeat_contact_rate": {**_rate(len(repeated), len(there)), "coverage": None},
            "first_contact_resolution_with_repeats": {**_rate(len(at_once), len(resolved)), "coverage": None},
        }

    def contact_starts(self) -> Iterator[tuple[str, str, int]]:
        """Yield scope, channel and start of every contact that counts there."""
        for each in self.contacts:
            for scope in each.scopes:
                yield scope, each.channel, each.start

    # ---- orders

    def orders(self, keys: Iterable[str]) -> Iterator[tuple[OrderPlaced, date | None]]:
        """Yield the orders of some keys, each with the date of its cancellation."""
        for key in keys:
            seen: set[str] = set()
            for event in sorted(self.events_of[key], key=lambda each: (each.occurred_at, each.event_id)):
                if not isinstance(event, OrderPlaced):
                    continue
                if event.order_id is None:
                    yield event, None
                elif event.order_id not in seen:
                    seen.add(event.order_id)
                    back = [
                        self.date_of(to_ms(each.occurred_at))
                        for each in self.events_of[key]
                        if isinstance(each, OrderCancelled) and each.order_id == event.order_id
                    ]
                    yield event, max(min(back), self.date_of(to_ms(event.occurred_at))) if back else None

    def of_day(self, day: date) -> dict[str, Figure]:
        """Return the figures of customers at the end of a date."""
        number: defaultdict[str, int] = defaultdict(int)
        for keys in self.customers(day):
            if self.is_forgotten(keys, day):
                continue
            starts = [each.start for key in keys for each in self.contacts_of[key]]
            first = min(starts, default=None)
            valid = [
                (order, to_ms(order.occurred_at))
                for order, back in self.orders(keys)
                if self.date_of(to_ms(order.occurred_at)) <= day and (back is None or back > day)
            ]
            window = [at for _, at in valid if self.date_of(at) > day - timedelta(days=self.settings.order_window_days)]
            after = first is not None and any(at > first for at in window)
            number["order"] += len(window) > 0
            number["repeat"] += len(window) > 1
            number["order after"] += after
            number["repeat after"] += after and len(window) > 1
            if first is not None and self.date_of(first) <= day:
                number["supported"] += 1
                number["orders"] += len(valid)
                valued = [order.value for order, _ in valid if order.value is not None and order.currency == self.settings.currency]
                number["valued"] += len(valued)
                number["milli"] += sum(round(value * 1000) for value in valued)
        lifetime = NOTHING
        if number["supported"] >= 5:
            value = number["milli"] / (1000 * number["supported"])
            coverage = number["valued"] / number["orders"] if number["orders"] else None
            lifetime = {"value": value, "numerator": number["milli"] / 1000, "denominator": number["supported"], "coverage": coverage}
        return {
            "repeat_customer_rate": _rate(number["repeat"], number["order"]),
            "repeat_customer_rate_after_contact": _rate(number["repeat after"], number["order after"]),
            "lifetime_value": lifetime,
        }

    def is_forgotten(self, keys: set[str], day: date) -> bool:
        """Return whether no sign of a customer, or of a key ever linked with it, came within ``retention_days``."""
        ever = self.family[min(keys)]
        signs = [to_ms(event.occurred_at) for key in ever for event in self.events_of[key] if not _is_no_sign(event)]
        signs += [each.start for key in ever for each in self.contacts_of[key]]
        if any(self.is_active(key, date.max) for key in ever):
            return False
        return bool(signs) and day > self.date_of(max(signs)) + timedelta(days=self.settings.retention_days)

    # ---- customers who stay

    def is_active(self, key: str, day: date) -> bool:
        """Return whether a key is active at the end of a date."""
        changes = [
            event
            for event in self.events_of[key]
            if isinstance(event, CustomerActivated | CustomerChurned) and self.date_of(to_ms(event.occurred_at)) <= day
        ]
        return bool(changes) and isinstance(changes[-1], CustomerActivated)

    def of_month(self, first: date) -> dict[str, Figure]:
        """Return the figures of customers who stay through the month that begins with a date."""
        last = _next_month(first) - timedelta(days=1)
        start = stayed = 0
        for keys in self.customers(last):
            if any(self.is_active(key, first - timedelta(days=1)) for key in keys):
                start += 1
                stayed += any(self.is_active(key, last) for key in keys)
        return {"retention_rate": _rate(stayed, start), "churn_rate": _rate(start - stayed, start)}

    # ---- forecasts

    def of_forecasts(
        self, scope: str, channel: str, cells_ms: Iterable[int], cell_ms: int, offered: list[int], *, over: bool
    ) -> dict[str, Figure]:
        """Return the figures about forecasts of these cells; ``offered`` are the entries of the contacts offered in them."""
        places = {(each.queue, each.channel or self._channel(each.queue)) for each in self.forecasts}
        here = sorted(place for place in places if place[1] == channel and scope in self._scopes(place[0]))
        if not here:
            return {"forecast_contacts": NOTHING, "staff_forecast": NOTHING, "staff_required": NOTHING, "forecast_accuracy": NOTHING}
        volume = worked = work_ms = staff_ms = hits = 0
        cells = work_cells = staff_cells = 0
        entries = sorted(offered)
        for cell in cells_ms:
            known = [each for each in (self._cell(place, cell, cell_ms) for place in here) if each]
            with_volume = [each for each in known if "volume" in each]
            with_work = [each for each in known if "work" in each]
            with_staff = [each for each in known if "staff" in each]
            cells, work_cells, staff_cells = cells + bool(with_volume), work_cells + bool(with_work), staff_cells + bool(with_staff)
            volume += sum(round(each["volume"]) for each in with_volume)
            worked += sum(round(each["worked"]) for each in with_work)
            work_ms += sum(round(each["work"]) for each in with_work)
            staff_ms += sum(round(each["staff"]) for each in with_staff)
            hits += bisect_left(entries, cell + cell_ms) - bisect_left(entries, cell) if with_volume else 0
        forecast = {**NOTHING, "value": volume / 1000, "numerator": volume / 1000} if cells else NOTHING
        accuracy = NOTHING
        if cells and over:
            hit = volume - abs(1000 * hits - volume)
            accuracy = {
                "value": hit / volume if volume else None,
                "numerator": hit / 1000,
                "denominator": volume / 1000,
                "coverage": 1.0 if volume else None,
            }
        return {
            "forecast_contacts": forecast,
            "staff_forecast": _people(work_ms, work_cells * cell_ms, worked / volume if volume else None),
            "staff_required": _people(staff_ms, staff_cells * cell_ms, 1.0 if staff_cells else None),
            "forecast_accuracy": accuracy,
        }

    def _cell(self, place: tuple[str, str], cell: int, cell_ms: int) -> dict[str, Fraction]:
        """Return what is forecast in a cell, second by second: forecasts of these worlds begin and end at full seconds."""
        if (place, cell, cell_ms) in self.cells:
            return self.cells[place, cell, cell_ms]
        found = self.cells[place, cell, cell_ms] = {}
        overlapping = [
            each
            for each in self.forecasts
            if (each.queue, each.channel or self._channel(each.queue)) == place
            and to_ms(each.interval_start) < cell + cell_ms
            and to_ms(each.interval_start) + 1000 * each.interval_seconds > cell
        ]
        seconds = range(cell, cell + cell_ms, 1000)
        for each, length in _holding(overlapping, seconds):
            share = Fraction(length) / (1000 * Fraction(each.interval_seconds))
            if each.volume is not None:
                found["volume"] = found.get("volume", Fraction(0)) + Fraction(each.volume) * 1000 * share
                if each.handle_seconds is not None:
                    found["worked"] = found.get("worked", Fraction(0)) + Fraction(each.volume) * 1000 * share
                    found["work"] = found.get("work", Fraction(0)) + Fraction(each.volume) * 1000 * share * Fraction(each.handle_seconds)
            if each.staff is not None:
                found["staff"] = found.get("staff", Fraction(0)) + Fraction(each.staff) * length
        return found

    def window(self, scope: str, channel: str | None, name: str, low: int, high: int) -> dict[str, Figure]:
        """Return the figures of a window of customers."""
        if name == "customers_month":
            return self.of_month(self.date_of(low))
        return self.of_day(self.date_of(low)) if channel is None else self.of_contacts(scope, channel, low, high)

    def _channel(self, queue: str) -> str:
        found = self.configuration.queues.get(queue)
        return (found.channel if found else None) or "voice"

    def _scopes(self, queue: str) -> list[str]:
        found = self.configuration.queues.get(queue)
        larger = [] if found is None else [("department", found.department), ("business", found.business), ("site", found.site)]
        return [f"queue:{queue}", *(f"{kind}:{name}" for kind, name in larger if name is not None), "total:all"]


def _groups(keys: Iterable[str], links: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Return the sets of linked keys."""
    of: dict[str, set[str]] = {key: {key} for key in keys}
    for one, other in links:
        joined = of.get(one, {one}) | of.get(other, {other})
        for key in joined:
            of[key] = joined
    return list({id(group): group for group in of.values()}.values())


def _holding(forecasts: list[ForecastSet], seconds: range) -> Iterator[tuple[ForecastSet, int]]:
    """Yield the forecasts that hold, each with its ms: the latest of those that cover a second."""
    lengths: dict[str, int] = {}
    starts = [(to_ms(each.interval_start), each) for each in forecasts]
    spans = [(start, start + 1000 * each.interval_seconds, each.event_id) for start, each in starts]
    for at in seconds:
        covering = [event_id for start, end, event_id in spans if start <= at < end]
        if covering:
            lengths[covering[-1]] = lengths.get(covering[-1], 0) + 1000
    for each in forecasts:
        if each.event_id in lengths:
            yield each, lengths[each.event_id]


def _is_no_sign(event: CustomerModel) -> bool:
    return isinstance(event, OrderCancelled) and event.order_id is None


def _rate(part: int, whole: int) -> Figure:
    return {"value": part / whole if whole else None, "numerator": part, "denominator": whole, "coverage": 1.0 if whole else None}


def _people(time_ms: int, length_ms: int, coverage: float | None) -> Figure:
    if not length_ms:
        return {**NOTHING, "coverage": coverage}
    return {"value": time_ms / length_ms, "numerator": time_ms / 1000, "denominator": length_ms / 1000, "coverage": coverage}


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
