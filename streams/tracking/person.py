"""One person: ordered facts, where they lead to, what is planned, and what of a stretch of time was spent where."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.limits import MAX_COUNTED_ANEW, TOO_MANY_OUT_OF_ORDER
from streams.tracking.facts import TooManyFactsError
from streams.tracking.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.tracking.plans import PlanFact, Plans
    from streams.tracking.standing import PersonFact, Stand

__all__ = ["Aside", "Person", "Silence", "fact_of_row", "standing_of_row"]

_FACT_PARTS, _SLOTS = 8, 5
_HOUR_MS = 3_600_000


class Silence(NamedTuple):
    """What silence does: after ``timeout_ms`` somebody at work is stale, after ``retention_ms`` more everybody is forgotten."""

    timeout_ms: int
    retention_ms: int

    def forgotten_after(self, stand: Stand) -> int:
        """Return after how long of silence somebody is forgotten who stands so."""
        return self.retention_ms if stand.category is None else self.timeout_ms + self.retention_ms

    def phases(self, stand: Stand, seen: int | None, nobody: Stand, low: int, high: int) -> Iterator[tuple[Stand, int, int]]:
        """Yield where somebody stood from low to high of whom nothing more was heard since an instant."""
        if seen is not None:
            forgotten = seen + self.forgotten_after(stand)
            stale = forgotten if stand.category is None else seen + self.timeout_ms
            for each, until in ((stand, stale), (stand.unknown, forgotten)):
                end = min(until, high)
                if low < end:
                    yield each, low, end
                    low = end
        if low < high:
            yield nobody, low, high


class Aside:
    """What of a person is to be counted at the next flush, because it comes before what has been counted."""

    __slots__ = ("counted_anew", "facts", "hour", "plans")

    def __init__(self, hour: int = 0, counted_anew: int = 0) -> None:
        #: ordered
        self.facts: list[PersonFact] = []
        self.plans: list[PlanFact] = []
        #: the newest hour of receipt since the epoch, and how many facts have been counted again for what was received in it
        self.hour = hour
        self.counted_anew = counted_anew


class Person:
    """One person's facts and plans."""

    __slots__ = ("aside", "base", "base_at", "base_ms", "facts", "ids", "nobody", "noted", "plans", "source", "stale", "stands")

    def __init__(self, nobody: Stand) -> None:
        #: where the person stands while nothing is known
        self.nobody = nobody
        self.noted: Stand | None = None
        self.stale = False  # as noted
        self.plans: Plans | None = None
        self.aside: Aside | None = None
        self.source: str | None = None  # of the last fact
        self.ids: set[str] = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all but what is planned."""
        self.base = self.nobody
        self.base_ms: int | None = None  # facts before this have been folded into the base
        self.base_at: int | None = None  # the last of these
        self.facts: list[PersonFact] = []
        self.stands: list[Stand] = []  # one for each fact
        self.ids = set() if self.plans is None else {fact[2] for fact in self.plans.facts}

    @property
    def last(self) -> Stand:
        """Where the person stands now, if nothing was forgotten."""
        return self.stands[-1] if self.stands else self.base

    def seen(self, place: int) -> int | None:
        """Return when the last of the facts before a place was heard."""
        return self.facts[place - 1][0] if place else self.base_at

    @property
    def newest(self) -> PersonFact | None:
        """The last fact that is not folded, counted or not."""
        return max((*self.facts[-1:], *(self.aside.facts[-1:] if self.aside is not None else ())), default=None)

    @property
    def known(self) -> int:
        """How many facts there are that are not folded, counted or not."""
        return len(self.facts) + (0 if self.aside is None else len(self.aside.facts))

    def set_aside(self, fact: PersonFact, received_ms: int | None) -> None:
        """Keep a fact for the next flush, and add up what it costs that it comes before others; not of one that nothing sent.

        Raises:
            TooManyFactsError: too many have been counted again for what was received within the hour.
        """
        if self.aside is None:
            self.aside = Aside()
        aside = self.aside
        newest = self.newest
        if received_ms is not None and newest is not None and fact < newest:
            hour = received_ms // _HOUR_MS
            if hour > aside.hour:
                aside.hour, aside.counted_anew = hour, 0
            after = self.known - bisect_left(self.facts, fact) - bisect_left(aside.facts, fact)
            if aside.counted_anew + after > MAX_COUNTED_ANEW:
                raise TooManyFactsError("person_id", MAX_COUNTED_ANEW, TOO_MANY_OUT_OF_ORDER)
            aside.counted_anew += after
        insort(aside.facts, fact)

    @property
    def last_seen(self) -> int | None:
        """When something was heard for the last time."""
        return self.facts[-1][0] if self.facts else self.base_at

    @property
    def first_ms(self) -> int | None:
        """When the first began of what is known and not folded."""
        begins = [self.facts[0][0]] if self.facts else []
        if self.plans is not None and self.plans.begin_ms is not None:
            begins.append(self.plans.begin_ms)
        return min(begins, default=None)

    def phases(self, start_ms: int, end_ms: int, silence: Silence) -> Iterator[tuple[Stand, int, int]]:
        """Yield where the person stood from start to end, silence taken into account."""
        place = bisect_left(self.facts, (start_ms,))
        stand, seen, since = self.stands[place - 1] if place else self.base, self.seen(place), start_ms
        for number in range(place, len(self.facts)):
            at, after = self.facts[number][0], self.stands[number]
            if at >= end_ms:
                break
            if at > since:
                yield from silence.phases(stand, seen, self.nobody, since, at)
                since = at
            stand, seen = after, at
        if since < end_ms:
            yield from silence.phases(stand, seen, self.nobody, since, end_ms)

    def fold(self, before_ms: int) -> None:
        """Keep of the facts before an instant no more than where they lead to."""
        gone = sum(fact[0] < before_ms for fact in self.facts)
        self.base, self.base_at, self.base_ms = self.stands[gone - 1], self.facts[gone - 1][0], before_ms
        self.ids.difference_update(fact[2] for fact in self.facts[:gone])
        del self.facts[:gone], self.stands[:gone]

    def drop_plans(self, before_ms: int) -> bool:
        """Forget the plans that ended before an instant; say whether there was one."""
        gone = [] if self.plans is None else self.plans.over(before_ms)
        self.ids.difference_update(fact[2] for fact in gone)
        if self.plans is not None and not self.plans.facts:
            self.plans = None
        return bool(gone)

    def take_back(self, to_ms: int, plans: Sequence[PlanFact]) -> None:
        """Be open again for facts that come after the last one folded, if that was beyond an instant; and forget some plans."""
        if self.base_ms is not None and self.base_ms > to_ms:
            self.base_ms = to_ms if self.base_at is None else min(self.base_ms, self.base_at + 1)
        if self.plans is not None and plans:
            self.ids.difference_update(fact[2] for fact in plans)
            self.plans = self.plans.without(plans)

    def row(self) -> dict[str, Any]:
        """Return what is kept."""
        row: dict[str, Any] = {"base": tuple(self.base.standing), "base_ms": self.base_ms, "base_at": self.base_at, "source": self.source}
        row |= {"facts": self.facts} if self.plans is None else {"facts": self.facts, "plans": self.plans.facts}
        aside = self.aside
        return row if aside is None or not aside.counted_anew else {**row, "counted_anew": (aside.hour, aside.counted_anew)}


def standing_of_row(kept: list[Any]) -> Standing:
    """Return a standing that was kept; older rows know nothing of slots."""
    presence, routing, activity, team, site = kept[:_SLOTS]
    slots = kept[_SLOTS] if len(kept) > _SLOTS else ()
    return Standing(presence, routing, activity, team, site, tuple(tuple(each) for each in slots))


def fact_of_row(kept: list[Any]) -> PersonFact:
    """Return a fact that was kept; older rows know nothing of slots."""
    at, sequence, name, axis, category, team, site = kept[: _FACT_PARTS - 1]
    said = kept[_FACT_PARTS - 1] if len(kept) == _FACT_PARTS else None
    return (at, sequence, name, axis, category, team, site, None if said is None else tuple(said))
