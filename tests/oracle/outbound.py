"""Contacts that the business begins, from the list of their events: section 4.5 of ``docs/counting.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.contact import ContactAnswered, ContactArrived, ContactEnded, ContactHeld, ContactResumed
from schemas.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schemas.contact import ContactModel

__all__ = ["bookings"]

#: scope, channel, what, amount, by outcome, by offer
Booking = tuple[str, str, str, int, int, int]


def bookings(events: Sequence[ContactModel]) -> Iterator[Booking]:
    """Yield the bookings of an outbound conversation from its events in order, without consultations."""
    arrivals = [event for event in events if isinstance(event, ContactArrived)]
    if any(event.direction == "internal" for event in arrivals):
        return
    begin = next(number for number, event in enumerate(events) if isinstance(event, ContactArrived) and event.direction == "outbound")
    after = range(begin + 1, len(events))
    yield from _booked(events, begin, {"outbound": 1}, events[begin].site)
    answer = next((number for number in after if isinstance(events[number], ContactAnswered)), None)
    if answer is None:
        return
    yield from _booked(events, answer, {"outbound_reached": 1}, None)
    end = next((number for number in range(answer + 1, len(events)) if isinstance(events[number], ContactEnded)), None)
    if end is None:
        return
    talked, on_hold, since = 0, False, _at(events[answer])
    for event in events[answer + 1 : end + 1]:
        if not on_hold:
            talked += _at(event) - since
        since = _at(event)
        on_hold = isinstance(event, ContactHeld) or (on_hold and not isinstance(event, ContactResumed))
    yield from _booked(events, end, {"outbound_talk_ms": talked, "outbound_talk_count": 1}, None)


def _booked(events: Sequence[ContactModel], number: int, amounts: dict[str, int], site: str | None) -> Iterator[Booking]:
    """Yield amounts at an event: in the total and the site known by then, on the channel of the last arrival."""
    before = [event for event in events[: number + 1] if isinstance(event, ContactArrived)]
    known = [event.site for event in reversed(before) if event.site is not None and event is not events[number]]
    site = site or next(iter(known), None)
    for scope in ("total:all", *((f"site:{site}",) if site is not None else ())):
        for what, amount in amounts.items():
            yield scope, before[-1].channel, what, amount, _at(events[number]), _at(events[number])


def _at(event: ContactModel) -> int:
    return to_ms(event.occurred_at)
