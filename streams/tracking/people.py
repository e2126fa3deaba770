"""All people of one source partition: their states over time and what time that makes (``docs/counting.md`` section 6)."""

from __future__ import annotations

from bisect import bisect_right
from sys import intern
from typing import TYPE_CHECKING, Any

from streams.tracking.contacts import keep_ms, retention_ms
from streams.tracking.grid import grid_of
from streams.tracking.ledger import Ledger
from streams.tracking.progress import progress_of
from streams.tracking.scopes import TOTAL, Scope, Targets
from streams.tracking.slices import Slices
from streams.tracking.snapshots import Snapshots
from streams.tracking.standing import GONE, Stand, Standing, Stands, StateMap
from streams.windows.slices import PANE_MS, pane_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration
    from streams.tracking.standing import PersonFact

__all__ = ["PeopleTracker"]

_SIGNS_OF_LIFE = frozenset({"agent.skills_changed", "agent.heartbeat"})


class _Person:
    __slots__ = ("base", "base_at", "base_ms", "facts", "ids", "noted", "source", "stale", "stands")

    def __init__(self, base: Stand) -> None:
        self.base = base
        self.base_ms: int | None = None  # facts before this have been folded into the base
        self.base_at: int | None = None  # the last of these
        self.source: str | None = None  # of the last fact
        self.noted: Stand | None = None
        self.stale = False  # as noted
        self.facts: list[PersonFact] = []
        self.stands: list[Stand] = []  # one for each fact
        self.ids: set[str] = set()

    @property
    def last(self) -> Stand:
        return self.stands[-1] if self.stands else self.base

    def seen(self, place: int) -> int | None:
        """Return when the last of the facts before a place was heard."""
        return self.facts[place - 1][0] if place else self.base_at

    @property
    def last_seen(self) -> int | None:
        return self.facts[-1][0] if self.facts else self.base_at


class PeopleTracker:
    """People by id; time is booked pane by pane as the partition's progress passes each pane's end."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        counting = configuration.counting
        self._grace_ms = 1000 * counting.grace_seconds
        self._timeout_ms = 1000 * counting.person_timeout_seconds
        self._retention_ms = retention_ms(configuration)
        self._soonest_ms = min(self._timeout_ms, self._retention_ms)
        self._targets = Targets(configuration)
        self._states = StateMap(configuration)
        self._stands = Stands(configuration, self._targets)
        self._ledger = Ledger()
        panes, cells = (None, None) if keep_everything else keep_ms(configuration)
        self.slices = Slices(self._targets, panes, cells, grid_of(configuration))
        self.progress = progress_of(configuration)
        self.people: dict[str, _Person] = {}
        self.snapshots = Snapshots("agents", self._grace_ms)
        self._now: dict[int, dict[str, int]] = {}
        self._touched_now: set[int] = set()
        self._changed: set[str] = set()
        #: snapshots have been applied up to this progress
        self.compared_to: int | None = None
        #: panes that end at or before this have been given their time
        self.booked_to: int | None = None
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Take a decoded agent event whose times have been checked."""
        received, at = event.received_ms, event.occurred_ms
        self.progress.received(event.source, received)
        if event.type == "agent.state_changed":
            axis, category = event.axis, self._states.category(event.axis, event.state)
        elif event.type in _SIGNS_OF_LIFE:
            axis, category = "", ""
        else:
            if received > pane_of(at) + PANE_MS + self._grace_ms:
                self._count_late(received)
            return
        name = event.person_id
        person = self.people.get(name)
        if person is not None and event.event_id in person.ids:
            self.repeated += 1
            return
        behind = person is not None and person.base_ms is not None and at < person.base_ms
        if behind or received > pane_of(at) + PANE_MS + self._grace_ms:
            self._count_late(received)
            return
        if person is None:
            person = self.people[name] = _Person(self._stands.start(name, Standing()))
        team, site = (None, None) if event.type == "agent.heartbeat" else (event.team, event.site)
        self._take(name, person, (at, event.sequence or 0, event.event_id, axis, category, team, site))
        if person.last_seen == at:
            person.source = intern(event.source)
        self._changed.add(name)

    def snapshot(self, event: Any) -> None:
        """Take a source's word of who is there."""
        self.progress.received(event.source, event.received_ms)
        self.snapshots.take(event)

    def _count_late(self, received: int) -> None:
        self.late += 1
        self._ledger.book(self._targets.number(Scope(TOTAL, None)), received, received, (("late_events", 1),))

    def _take(self, name: str, person: _Person, fact: PersonFact) -> None:
        booked, at, facts = self.booked_to, fact[0], person.facts
        person.ids.add(fact[2])
        if (booked is None or at >= booked) and (not facts or fact > facts[-1]):
            seen, before = (facts[-1][0], person.stands[-1]) if facts else (person.base_at, person.base)
            # Nothing of a person is forgotten sooner: the look-up alone says where the fact leads.
            recent = seen is None or at - seen <= self._soonest_ms
            after = self._stands.after(name, before, fact) if recent else self._onward(name, before, seen, fact)
            person.stands.append(after)
            facts.append(fact)
            if after is person.noted and not person.stale:
                return
        else:
            end_ms = at if booked is None else booked
            self._book(person, at, end_ms, -1)
            place = bisect_right(facts, fact)
            facts.insert(place, fact)
            self._stand_anew(name, person, place)
            self._book(person, at, end_ms, 1)
        self._note_now(person, person.last)

    def _stand_anew(self, name: str, person: _Person, place: int) -> None:
        """Follow the facts from a place on."""
        del person.stands[place:]
        stand, seen = person.last, person.seen(place)
        for fact in person.facts[place:]:
            stand, seen = self._onward(name, stand, seen, fact), fact[0]
            person.stands.append(stand)

    def _onward(self, name: str, stand: Stand, seen: int | None, fact: PersonFact) -> Stand:
        """Return where a fact leads from a stand, or from nothing if that was forgotten meanwhile."""
        if seen is not None and fact[0] - seen > self._forgotten_after(stand):
            stand = self._stands.start(name, Standing())
        return self._stands.after(name, stand, fact)

    def _forgotten_after(self, stand: Stand) -> int:
        return self._retention_ms if stand.category is None else self._timeout_ms + self._retention_ms

    def _note_now(self, person: _Person, after: Stand | None) -> None:
        """Count a person where the person stands now, or nowhere any more."""
        seen, booked = person.last_seen, self.booked_to
        stale = after is not None and seen is not None and booked is not None and seen + self._timeout_ms < booked
        if after is person.noted and stale == person.stale:
            return
        for stand, silent, change in ((person.noted, person.stale, -1), (after, stale, 1)):
            if stand is not None and stand.category is not None:
                category = "stale" if silent else stand.category
                counts = self._now.setdefault(stand.group, {})
                counts[category] = counts.get(category, 0) + change
                self._touched_now.add(stand.group)
        person.noted, person.stale = after, stale

    def _book(self, person: _Person, start_ms: int, end_ms: int, sign: int) -> None:
        """Book a person's time from start to end, but none while the person is stale; or with sign −1 take it back."""
        stand, since = person.base, start_ms
        until = None if person.base_at is None else person.base_at + self._timeout_ms
        for fact, after in zip(person.facts, person.stands, strict=True):
            at = fact[0]
            if at >= end_ms:
                break
            if at > since:
                if stand.category is not None and until is not None:
                    self._ledger.book_time(stand.group, since, min(until, at), stand.field, sign)
                since = at
            stand, until = after, at + self._timeout_ms
        if stand.category is not None and until is not None:
            self._ledger.book_time(stand.group, since, min(until, end_ms), stand.field, sign)

    # --- at a flush

    def settle(self) -> None:
        """Book the time of the panes that progress has passed, and write everything booked into the slices."""
        self.progress.advance()
        if self.progress.through is not None:
            self._look_at_snapshots(self.progress.through)
            self._book_to(pane_of(self.progress.through))
        self.slices.book(self._ledger)
        self._ledger.clear()
        if self.progress.through is not None:
            self.slices.evict(self.progress.through)

    def _look_at_snapshots(self, through: int) -> None:
        """Take those whom a source does not list for gone: nothing is known of them until they are heard of again."""
        before, self.compared_to = self.compared_to, through
        for snapshot, is_new in self.snapshots.applicable(before, through):
            for name in list(self.people if is_new else self._changed):
                person = self.people.get(name)
                if person is None or person.source != snapshot.source or snapshot.name in person.ids:
                    continue
                heard = [fact[0] for fact in person.facts if fact[3] != GONE]
                if person.base_at is not None:
                    heard.append(person.base_at)
                if snapshot.misses(name, None, heard) and person.last.category is not None:
                    self._take(name, person, (snapshot.at_ms, -1, snapshot.name, GONE, "", None, None))
                    self._changed.add(name)

    def _book_to(self, end_ms: int) -> None:
        booked = self.booked_to
        if booked is not None and end_ms <= booked:
            return
        self.booked_to = end_ms
        forget_ms = end_ms - self._grace_ms - 2 * PANE_MS
        silent_before = end_ms - self._soonest_ms
        timeout_ms, book_time = self._timeout_ms, self._ledger.book_time
        gone: list[str] = []
        for name, person in self.people.items():
            facts = person.facts
            seen = facts[-1][0] if facts else person.base_at
            if booked is None or seen is None or seen > booked:
                start = booked if booked is not None else (facts[0][0] if facts else end_ms)
                self._book(person, start, end_ms, 1)
            else:
                # Nothing new of most people in most panes: all of it goes to where they stand.
                stand, until = person.stands[-1] if facts else person.base, seen + timeout_ms
                if stand.category is not None and until > booked:
                    book_time(stand.group, booked, min(until, end_ms), stand.field, 1)
            if facts and facts[0][0] < forget_ms:
                self._forget(name, person, forget_ms)
            if seen is not None and seen < silent_before:
                self._note_now(person, person.last)
                if seen + self._forgotten_after(person.last) < end_ms:
                    gone.append(name)
        for name in gone:
            self._note_now(self.people.pop(name), None)
            self._changed.add(name)

    def _forget(self, name: str, person: _Person, before_ms: int) -> None:
        gone = sum(fact[0] < before_ms for fact in person.facts)
        person.base, person.base_at, person.base_ms = person.stands[gone - 1], person.facts[gone - 1][0], before_ms
        person.ids.difference_update(fact[2] for fact in person.facts[:gone])
        del person.facts[:gone], person.stands[:gone]
        self._changed.add(name)

    def changed_people(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield what is kept of the people changed since the last call, None for those given up."""
        changed, self._changed = self._changed, set()
        for name in changed:
            person = self.people.get(name)
            if person is None:
                yield name, None
            else:
                base = {"base": tuple(person.base.standing), "base_ms": person.base_ms, "base_at": person.base_at, "source": person.source}
                yield name, {**base, "facts": person.facts}

    def changed_now(self) -> Iterator[tuple[Scope, dict[str, int]]]:
        """Yield scope and people per category where that changed."""
        touched, self._touched_now = self._touched_now, set()
        for scope in {scope for group in touched for scope in self._targets.scopes[group]}:
            total: dict[str, int] = {}
            for group in self._targets.feeding[scope]:
                for category, people in self._now.get(group, {}).items():
                    total[category] = total.get(category, 0) + people
            yield scope, {category: people for category, people in sorted(total.items()) if people}

    # --- after a restart

    def restore_person(self, name: str, kept: dict[str, Any]) -> None:
        """Take a kept person back in."""
        person = self.people[name] = _Person(self._stands.start(name, Standing(*kept["base"])))
        person.base_ms = kept["base_ms"]
        person.base_at = kept.get("base_at", person.base_ms)  # older rows say only before when it was
        person.source = kept.get("source")
        person.facts = [tuple(fact) for fact in kept["facts"]]
        person.ids = {fact[2] for fact in person.facts}
        self._stand_anew(name, person, 0)

    def restored(self) -> None:
        """Say that everything kept has been taken back in, ``booked_to`` too."""
        for person in self.people.values():
            self._note_now(person, person.last)
