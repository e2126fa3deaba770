"""Section 12 of ``docs/counting.md``: the subject of a conversation is evaluated from its complete story."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.contact import (
    ContactArrived,
    ContactCategorized,
    ContactExcluded,
    ContactModel,
    ContactNotOffered,
    ContactQueued,
    ContactStatusChanged,
    SelfServiceEnded,
    SelfServiceStarted,
)
from schemas.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.configuration.models import Configuration

__all__ = ["Booking", "Moment", "category_after", "is_about", "of_exclusion", "of_story", "outside"]

DAY_MS = 24 * 3_600_000

#: scope, channel, what, amount, instant by outcome, instant by offer
Booking = tuple[str, str, str, int, int, int]


@dataclass(frozen=True)
class Moment:
    """The state of a conversation after an event, or after it was lost (no event)."""

    at: int
    event: ContactModel | None
    place: tuple[str, str] | None
    offers: tuple[tuple[str, int], ...]
    """Scopes of the place, each with the instant by offer."""
    start: int | None
    resolved: bool
    turned_to_people: bool


def is_about(event: ContactModel) -> bool:
    """Return whether an event is about a subject."""
    if isinstance(event, ContactQueued):
        return event.category is not None
    return isinstance(event, ContactNotOffered | ContactCategorized | SelfServiceStarted | SelfServiceEnded)


def of_story(moments: Sequence[Moment], configuration: Configuration) -> Iterator[Booking]:
    """Yield the bookings of a story."""
    yield from _not_offered(moments, configuration)
    yield from _category(moments)
    yield from _complaint(moments, category_after(moments))
    yield from _sessions(moments, configuration)


def of_exclusion(before: Sequence[Moment], exclusion: ContactExcluded, configuration: Configuration) -> Iterator[Booking]:
    """Yield the one booking of an excluded conversation, from its state before."""
    at = to_ms(exclusion.occurred_at)
    if before and before[-1].place is not None:
        scopes, channel = [scope for scope, _ in before[-1].offers], before[-1].place[1]
    else:
        scopes, channel = outside(before, exclusion, configuration)
    for scope in scopes:
        yield scope, channel, f"excluded={exclusion.reason}", 1, at, at


def outside(moments: Sequence[Moment], event: ContactModel, configuration: Configuration) -> tuple[list[str], str]:
    """Return scopes and channel of an event after these moments."""
    arrivals = [each.event for each in moments if isinstance(each.event, ContactArrived)]
    place = moments[-1].place if moments else None
    queue = configuration.queues.get(place[0]) if place is not None else None
    sites = [event.site, queue.site if queue is not None else None, *(each.site for each in reversed(arrivals))]
    site = next((each for each in sites if each is not None), None)
    channel = arrivals[-1].channel if arrivals else place[1] if place is not None else "voice"
    return (["total:all"] if site is None else ["total:all", f"site:{site}"]), channel


def _not_offered(moments: Sequence[Moment], configuration: Configuration) -> Iterator[Booking]:
    seen = set()
    for number, moment in enumerate(moments):
        if isinstance(moment.event, ContactNotOffered) and moment.event.reason not in seen:
            seen.add(moment.event.reason)
            scopes, channel = outside(moments[:number], moment.event, configuration)
            for scope in scopes:
                yield scope, channel, f"not_offered={moment.event.reason or 'unknown'}", 1, moment.at, moment.at


def category_after(moments: Sequence[Moment]) -> str | None:
    """Return the category that a conversation has after these moments: section 12.3."""
    events = [each.event for each in reversed(moments)]
    for kinds in (ContactCategorized, ContactQueued, (SelfServiceStarted, SelfServiceEnded)):
        categories = [event.category for event in events if isinstance(event, kinds) and event.category is not None]
        if categories:
            return categories[0]
    return None


def _category(moments: Sequence[Moment]) -> Iterator[Booking]:
    for number, moment in enumerate(moments):
        if moment.place is not None and category_after(moments[: number + 1]) is not None:
            for scope, offer in moment.offers:
                yield scope, moment.place[1], f"category={category_after(moments)}", 1, moment.at, offer
            return


def _complaint(moments: Sequence[Moment], category: str | None) -> Iterator[Booking]:
    complained = False
    for moment in moments:
        complained |= isinstance(moment.event, ContactCategorized) and moment.event.complaint is True
        if not complained or moment.place is None:
            continue
        what = ["complaints"] if category is None else ["complaints", f"complaints={category}"]
        if moment.start is not None:
            what.append("complaints_dated")
            statuses = [each for each in moments if isinstance(each.event, ContactStatusChanged)]
            in_time = [each for each in statuses if each.start is None or each.at <= each.start + DAY_MS]
            if in_time and in_time[-1].resolved:
                what.append("complaints_within_day")
        for scope, offer in moment.offers:
            for each in what:
                yield scope, moment.place[1], each, 1, moment.at, offer
        return


def _sessions(moments: Sequence[Moment], configuration: Configuration) -> Iterator[Booking]:
    for number, moment in enumerate(moments):
        begun = moment.event
        if not isinstance(begun, SelfServiceStarted):
            continue
        scopes, _ = outside(moments[:number], begun, configuration)
        what = []
        category = begun.category
        end = next((each for each in moments[number + 1 :] if _ends_session(each)), None)
        if end is not None:
            later = moments[moments.index(end) :]
            outcome = "left"
            if end.turned_to_people:
                outcome = "handed_over"
            elif isinstance(end.event, SelfServiceEnded):
                outcome = end.event.outcome or "left"
                category = end.event.category or category
            what.append("sessions_decided")
            if outcome != "handed_over" and not any(each.turned_to_people for each in later):
                what.append("sessions_contained")
            if outcome == "confirmed_solved" or (outcome == "left" and not any(each.turned_to_people for each in moments)):
                what.append("sessions_solved")
            if category is not None:
                what += [f"{each}={category}" for each in what]
        for scope in scopes:
            yield scope, begun.kind, "sessions", 1, moment.at, moment.at
            for each in what:
                yield scope, begun.kind, each, 1, (moment if end is None else end).at, moment.at


def _ends_session(moment: Moment) -> bool:
    return moment.event is None or moment.turned_to_people or isinstance(moment.event, SelfServiceStarted | SelfServiceEnded)
