"""All people of one source partition: their states over time and what time that makes (``docs/counting.md`` sections 6 and 13)."""

from __future__ import annotations

from bisect import bisect_right
from sys import intern
from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_AHEAD_MS, MAX_FACTS, MAX_PLANS, TOO_MANY_PEOPLE
from streams.tracking.contacts import keep_ms, retention_ms
from streams.tracking.facts import TooManyFactsError
from streams.tracking.grid import grid_of
from streams.tracking.held import Held
from streams.tracking.ledger import Ledger
from streams.tracking.person import Aside, Person, Silence, fact_of_row, standing_of_row
from streams.tracking.plans import Activities, Plans
from streams.tracking.progress import progress_of
from streams.tracking.scopes import TOTAL, Scope, Targets
from streams.tracking.slices import Slices
from streams.tracking.slots import said_of
from streams.tracking.snapshots import Snapshots
from streams.tracking.spaces import MARK, KeptNames, Spaces, id_of
from streams.tracking.standing import GONE, Standing, Stands, StateMap
from streams.tracking.unchanged import Unchanged
from streams.windows.slices import CELL_MS, GRAIN_MS, PANE_MS, pane_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.configuration import Configuration
    from streams.tracking.plans import PlanFact
    from streams.tracking.standing import PersonFact, Stand

__all__ = ["PeopleTracker"]


class PeopleTracker:
    """People by id and space; time is booked pane by pane as the partition's progress passes each pane's end."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        counting = configuration.counting
        self._grace_ms = 1000 * counting.grace_seconds
        self._timeout_ms = 1000 * counting.person_timeout_seconds
        self._silence = Silence(self._timeout_ms, retention_ms(configuration))
        self._soonest_ms = min(self._silence)
        self._targets = Targets(configuration)
        self._states = StateMap(configuration)
        self._stands = Stands(configuration, self._targets)
        self._activities = Activities(configuration)
        self._ledger = Ledger()
        panes, cells = (None, None) if keep_everything else keep_ms(configuration)
        #: time further behind the end of what is booked falls into slices that are given up
        self._keep_ms = None if cells is None else cells + CELL_MS
        self.slices = Slices(self._targets, panes, cells, grid_of(configuration))
        self.progress = progress_of(configuration)
        self._spaces = Spaces(configuration)
        self.people: dict[str, Person] = {}
        limits = configuration.source_limits
        self._held = Held(TOO_MANY_PEOPLE, limits.max_people, limits.max_people_events)
        self.kept_names = KeptNames()
        self._to_unite: list[tuple[str, Person]] = []
        self.snapshots = Snapshots("agents", self._grace_ms)
        self._now: dict[int, dict[str, int]] = {}
        self._touched_now: set[int] = set()
        self._changed: set[str] = set()
        #: people of whom something is not counted yet
        self._aside: set[str] = set()
        #: snapshots have been applied up to this progress
        self.compared_to: int | None = None
        #: panes that end at or before this have been given their time
        self.booked_to: int | None = None
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Take a decoded agent event whose times have been checked.

        Raises:
            TooManyFactsError: of its person as much is known as may be.
        """
        received, at = event.received_ms, event.occurred_ms
        self.progress.received(event.source, received)
        suffix = self._spaces[event.source]
        name = self._targets.persons.name(event.person_id, suffix)
        person = self.people.get(name)
        if person is None and self.kept_names.unclaimed(event.person_id):
            person = self._claim(event.person_id, name)
        if person is not None and event.event_id in person.ids:
            self.repeated += 1
            return
        if received > pane_of(at) + PANE_MS + self._grace_ms or self._is_behind(event, person):
            self._count_late(received)
            return
        if person is not None and len(person.ids) >= MAX_FACTS:
            self._limit(name, person, event)
        held = self._held.room(suffix if name.endswith(suffix) else MARK, begins=person is None)
        if event.type == "schedule.planned":
            begins = max(at, event.start_ms)
            if begins < event.end_ms:
                held[0] += person is None
                plan = (at, event.sequence or 0, event.event_id, begins, event.end_ms, self._activities.is_work(event.activity))
                person = person or self._new(name)
                self._take_plan(name, person, plan)
                held[1] += 1
                person.source = person.source or intern(event.source)
                self._changed.add(name)
            return
        axis, category, team, site, slots = "", "", None, None, None
        if event.type == "agent.state_changed":
            axis, category, slots = event.axis, self._states.category(event.axis, event.state), said_of(event)
        if event.type != "agent.heartbeat":
            team, site = event.team, event.site
        if person is None:
            person = self._new(name)
            held[0] += 1
        fact = (at, event.sequence or 0, event.event_id, axis, category, team, site, slots)
        self._take(name, person, fact, received)
        held[1] += 1
        if person.newest is fact:
            person.source = intern(event.source)
        self._changed.add(name)

    def _claim(self, row: str, name: str) -> Person | None:
        """Give somebody who was kept without a source to the first one that tells of the id."""
        person = self.people.pop(row, None)
        if person is not None:
            self.people[self.kept_names.take(row, name)] = person
            self._changed.add(name)
        return person

    def _limit(self, name: str, person: Person, event: Any) -> None:
        """Raise TooManyFactsError if there are as many of a kind as may be."""
        if event.type != "schedule.planned":
            if person.known >= MAX_FACTS:
                raise TooManyFactsError("person_id", MAX_FACTS)
            return
        if person.aside is not None and person.aside.plans:
            self._up_to_date(name, person)
        if person.plans is not None and len(person.plans.facts) >= MAX_PLANS:
            person.ids.difference_update(plan[2] for plan in person.plans.hidden())
            if len(person.plans.facts) >= MAX_PLANS:
                raise TooManyFactsError("person_id", MAX_PLANS)

    def _new(self, name: str) -> Person:
        person = self.people[name] = Person(self._stands.start(name, Standing()))
        return person

    def _is_behind(self, event: Any, person: Person | None) -> bool:
        """Say whether an event is older than what has been folded, or what is still known of plans."""
        if event.type == "schedule.planned":
            return self.booked_to is not None and event.occurred_ms < self._forget_before(self.booked_to)
        return person is not None and person.base_ms is not None and event.occurred_ms < person.base_ms

    def _forget_before(self, end_ms: int) -> int:
        """Return before what nothing can change any more once panes up to an instant have their time."""
        return end_ms - self._grace_ms - 2 * PANE_MS

    def snapshot(self, event: Any) -> bool:
        """Take a source's word of who is there; say whether it has not said so too often."""
        self.progress.received(event.source, event.received_ms)
        return self.snapshots.take(event, self._spaces[event.source], self.progress.received_through or 0)

    def _count_late(self, received: int) -> None:
        self.late += 1
        self._ledger.book(self._targets.number(Scope(TOTAL, None)), received, received, (("late_events", 1),))

    def _take(self, name: str, person: Person, fact: PersonFact, received: int | None) -> None:
        booked, at, facts = self.booked_to, fact[0], person.facts
        if (booked is not None and at < booked) or (facts and fact < facts[-1]):
            person.set_aside(fact, received)
            person.ids.add(fact[2])
            self._aside.add(name)
            return
        person.ids.add(fact[2])
        seen, before = (facts[-1][0], person.stands[-1]) if facts else (person.base_at, person.base)
        # Nothing of a person is forgotten sooner: the look-up alone says where the fact leads.
        recent = seen is None or at - seen <= self._soonest_ms
        after = self._stands.after(name, before, fact) if recent else self._onward(name, before, seen, fact)
        person.stands.append(after)
        facts.append(fact)
        if after is not person.noted or person.stale:
            self._note_now(person)

    def _take_plan(self, name: str, person: Person, plan: PlanFact) -> None:
        person.ids.add(plan[2])
        if self.booked_to is not None and plan[3] < self.booked_to:
            if person.aside is None:
                person.aside = Aside()
            person.aside.plans.append(plan)
            self._aside.add(name)
            return
        if person.plans is None:
            person.plans = Plans([])
        person.plans.add(plan)

    def _count_aside(self) -> None:
        for name in [*self._aside]:
            self._up_to_date(name, self.people[name])

    def _up_to_date(self, name: str, person: Person) -> None:
        """Count what was set aside of a person: take back the time since the first of it, and book it anew."""
        aside = person.aside
        if aside is None or not (aside.facts or aside.plans):
            return
        self._aside.discard(name)
        facts, plans, aside.facts, aside.plans = aside.facts, aside.plans, [], []
        start_ms = min([*(fact[0] for fact in facts[:1]), *(plan[3] for plan in plans)])
        end_ms = start_ms if self.booked_to is None else self.booked_to
        self._book(person, start_ms, end_ms, -1)
        if facts:
            place = bisect_right(person.facts, facts[0])
            person.facts = sorted([*person.facts, *facts])
            self._stand_anew(name, person, place)
        if plans and person.plans is None:
            person.plans = Plans([])
        for plan in plans:
            if person.plans is not None:
                person.plans.add(plan)
        self._book(person, start_ms, end_ms, 1)
        self._note_now(person)

    def _stand_anew(self, name: str, person: Person, place: int) -> None:
        """Follow the facts from a place on."""
        del person.stands[place:]
        stand, seen = person.last, person.seen(place)
        for fact in person.facts[place:]:
            stand, seen = self._onward(name, stand, seen, fact), fact[0]
            person.stands.append(stand)

    def _onward(self, name: str, stand: Stand, seen: int | None, fact: PersonFact) -> Stand:
        """Return where a fact leads from a stand, or from nothing if that was forgotten meanwhile."""
        if seen is not None and fact[0] - seen > self._silence.forgotten_after(stand):
            stand = self._stands.start(name, Standing())
        return self._stands.after(name, stand, fact)

    def _note_now(self, person: Person) -> None:
        """Count a person where the person stands now, or nowhere any more."""
        seen, booked = person.last_seen, self.booked_to
        silent_ms = 0 if seen is None or booked is None else booked - seen
        after = person.last if silent_ms <= self._silence.forgotten_after(person.last) else None
        stale = after is not None and silent_ms > self._timeout_ms
        if after is person.noted and stale == person.stale:
            return
        for stand, silent, change in ((person.noted, person.stale, -1), (after, stale, 1)):
            if stand is not None and stand.category is not None:
                category = "stale" if silent else stand.category
                counts = self._now.setdefault(stand.group, {})
                counts[category] = counts.get(category, 0) + change
                self._touched_now.add(stand.group)
        person.noted, person.stale = after, stale

    def _book(self, person: Person, start_ms: int, end_ms: int, sign: int) -> None:
        """Book a person's time from start to end, worked and planned; or with sign −1 take it back."""
        if self._keep_ms is not None:
            start_ms = max(start_ms, end_ms - self._keep_ms)
        # Time of panes that are given up goes into cells alone: one who is first heard of costs no more than the panes there are.
        panes_from = self.slices.panes_from
        if panes_from is not None and start_ms < panes_from:
            self._book_by(GRAIN_MS, person, start_ms, min(end_ms, panes_from), sign)
            start_ms = panes_from
        self._book_by(PANE_MS, person, start_ms, end_ms, sign)

    def _book_by(self, step_ms: int, person: Person, start_ms: int, end_ms: int, sign: int) -> None:
        book_time, plans = self._ledger.book_time, person.plans
        for stand, low, high in person.phases(start_ms, end_ms, self._silence):
            for target, rates in stand.bookings:
                book_time(target, low, high, rates, sign, step_ms)
            if plans is not None:
                for begin, end, is_work in plans.between(low, high):
                    book_time(stand.group, begin, end, stand.planned[is_work], sign, step_ms)

    # --- at a flush

    def settle(self) -> None:
        """Book what was set aside and the time of the panes that progress has passed, and write everything booked into the slices."""
        self._count_aside()
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
        for name, snapshot in self.snapshots.to_compare(before, through, self.people, self._changed):
            person = self.people[name]
            if snapshot.name in person.ids:
                continue
            heard = [fact[0] for fact in person.facts if fact[3] != GONE]
            if person.base_at is not None:
                heard.append(person.base_at)
            if snapshot.misses(id_of(name), None, heard) and person.last.category is not None:
                self._take(name, person, (snapshot.at_ms, -1, snapshot.name, GONE, "", None, None, None), None)
                self._up_to_date(name, person)
                self._changed.add(name)

    def _book_to(self, end_ms: int) -> None:
        booked = self.booked_to
        if booked is not None and end_ms <= booked:
            return
        self.booked_to = end_ms
        forget_ms = self._forget_before(end_ms)
        silent_before = end_ms - self._soonest_ms
        timeout_ms, unchanged = self._timeout_ms, Unchanged(end_ms if booked is None else booked, end_ms)
        gone: list[str] = []
        for name, person in self.people.items():
            facts, seen = person.facts, person.last_seen
            if booked is None or seen is None or seen > booked:
                start = booked if booked is not None else person.first_ms
                self._book(person, end_ms if start is None else start, end_ms, 1)
            elif seen + timeout_ms >= end_ms:
                # Of most people in most panes.
                unchanged.add(person.stands[-1] if facts else person.base, person.plans)
            elif seen + timeout_ms > booked or person.plans is not None:
                self._book(person, booked, end_ms, 1)
            if facts and facts[0][0] < forget_ms:
                person.fold(forget_ms)
                self._changed.add(name)
            if person.plans is not None and person.drop_plans(forget_ms):
                self._changed.add(name)
            if seen is None or seen < silent_before:
                self._note_now(person)
                # Until nothing can change what was booked when it was still known.
                if seen is not None and seen + self._silence.forgotten_after(person.last) < forget_ms:
                    person.begin_anew()
                    self._changed.add(name)
                if person.last_seen is None and person.plans is None:
                    gone.append(name)
        for name in gone:
            del self.people[name]
            self._changed.add(name)
        unchanged.book(self._ledger)
        self._count_held()

    def _count_held(self) -> None:
        self._held.count_anew((name, len(person.ids)) for name, person in self.people.items())

    def set_back(self, to_ms: int, now_ms: int) -> None:
        """Set progress back to an instant if it lies beyond: time booked beyond is taken back, and so are plans that are not permitted.

        By ``now_ms`` an event may have happened; nothing has that lies further off than clocks may differ.
        """
        self._count_aside()
        self.progress.set_back(to_ms)
        before = self.booked_to
        end = None if before is None else min(before, pane_of(to_ms))
        went_beyond = before is not None and end is not None and before > end
        pending, self._ledger = self._ledger, Ledger()
        for name, person in self.people.items():
            far = () if person.plans is None else person.plans.far_fetched()
            if before is not None and end is not None and (far or went_beyond):
                since = before - (self._keep_ms or 0) if far else end
                self._book(person, since, before, -1)
                person.take_back(to_ms, far)
                self._book(person, since, end, 1)
            else:
                person.take_back(to_ms, far)
            self._changed.add(name)
        self.booked_to = end
        # With the slices as they are kept still: what was given up beyond is not to become less than nothing.
        self.slices.book(self._ledger)
        self._ledger = pending
        if went_beyond:
            self.compared_to = None if self.compared_to is None else min(self.compared_to, to_ms)
            self.slices.empty_from(now_ms + MAX_AHEAD_MS + CELL_MS)
            self.slices.set_back(to_ms)
            for person in self.people.values():
                self._note_now(person)

    def changed_people(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield what is kept of the people changed since the last call, None for those given up."""
        changed, self._changed = self._changed, set()
        for name in changed:
            person = self.people.get(name)
            if person is None:
                yield name, None
            else:
                yield name, person.row()

    def is_open(self, scope: Scope) -> bool:
        """Say whether anybody is there in a scope."""
        return any(any(self._now.get(group, {}).values()) for group in self._targets.feeding.get(scope, ()))

    def changed_now(self, begun: Iterable[Scope] = ()) -> Iterator[tuple[Scope, dict[str, int]]]:
        """Yield scope and people per category where that changed, and in these scopes."""
        touched, self._touched_now = self._touched_now, set()
        for scope in {scope for group in touched for scope in self._targets.scopes[group]}.union(begun):
            total: dict[str, int] = {}
            for group in self._targets.feeding.get(scope, ()):
                for category, people in self._now.get(group, {}).items():
                    total[category] = total.get(category, 0) + people
            if not scope.is_individual:
                yield scope, {category: people for category, people in sorted(total.items()) if people}

    # --- after a restart

    def restore_person(self, row: str, kept: dict[str, Any]) -> None:
        """Take a kept person back in; older rows do not say of what source."""
        source = kept.get("source")
        name = self.kept_names.take(row, self._targets.persons.name_of_row(row, None if source is None else self._spaces[source]))
        person = Person(self._stands.start(name, Standing()))
        person.base = self._stands.start(name, standing_of_row(kept["base"]))
        person.base_ms = kept["base_ms"]
        person.base_at = kept.get("base_at", person.base_ms)  # older rows say only before when it was
        person.source = None if source is None else intern(source)
        person.facts = [fact_of_row(fact) for fact in kept["facts"]]
        if kept.get("plans"):
            person.plans = Plans([tuple(plan) for plan in kept["plans"]])
        if kept.get("counted_anew"):
            person.aside = Aside(*kept["counted_anew"])
        person.ids = {fact[2] for fact in (*person.facts, *(person.plans.facts if person.plans is not None else ()))}
        self._stand_anew(name, person, 0)
        if self.people.setdefault(name, person) is not person:
            self._to_unite.append((name, person))

    def _unite(self, name: str, other: Person) -> None:
        """Make one of two people of one id whose sources have been joined since; what was booked before their facts stays."""
        known, booked = self.people[name], self.booked_to
        two = (known, other)
        folded = [each.base_ms for each in two if each.base_ms is not None]
        low = max(folded) if folded else min((each.first_ms for each in two if each.first_ms is not None), default=None)
        if booked is not None and low is not None:
            for each in two:
                self._book(each, low, booked, -1)
        latest = max(two, key=lambda each: each.base_at or 0)
        known.base, known.base_at, known.base_ms = latest.base, latest.base_at, latest.base_ms
        known.source = max(two, key=lambda each: each.last_seen or 0).source
        known.facts = sorted({fact[2]: fact for fact in (*known.facts, *other.facts)}.values())
        known.ids |= other.ids
        known.aside = known.aside or other.aside
        if other.plans is not None:
            known.plans = Plans(sorted({plan[2]: plan for each in two if each.plans for plan in each.plans.facts}.values()))
        self._stand_anew(name, known, 0)
        if booked is not None and low is not None:
            self._book(known, low, booked, 1)
        self._changed.add(name)

    def restored(self) -> None:
        """Say that everything kept has been taken back in, ``booked_to`` too."""
        for name, other in self._to_unite:
            self._unite(name, other)
        self._count_held()
        self._to_unite = []
        for person in self.people.values():
            self._note_now(person)
