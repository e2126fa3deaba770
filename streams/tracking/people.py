"""All people of one source partition: their states over time and what time that makes (``docs/counting.md`` section 6)."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.tracking.contacts import keep_ms
from streams.tracking.ledger import Ledger
from streams.tracking.progress import Progress
from streams.tracking.scopes import TOTAL, Scope, Targets
from streams.tracking.slices import Slices
from streams.windows.slices import PANE_MS, pane_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration import Configuration

__all__ = ["PeopleTracker", "PersonFact", "StateMap"]

#: (occurred_ms, sequence, event_id, axis or "", category of the axis or "", team, site)
PersonFact = tuple[int, int, str, str, str, str | None, str | None]

_DEFAULT_STATES: dict[str, dict[str, str]] = {
    "presence": {
        **dict.fromkeys(("available", "online", "ready", "on_queue"), "ready"),
        **dict.fromkeys(("offline", "logged_out", "signed_out"), "offline"),
    },
    "routing": {
        **dict.fromkeys(("idle", "ready"), "idle"),
        **dict.fromkeys(("interacting", "communicating"), "handling"),
    },
    "activity": {
        **dict.fromkeys(("idle", "ready", "ringing"), "idle"),
        **dict.fromkeys(("wrap_up", "after_contact_work"), "wrap_up"),
    },
}
_OTHERWISE = {"presence": "unavailable", "routing": "unavailable", "activity": "handling"}


class StateMap:
    """From a platform's states to categories."""

    def __init__(self, configuration: Configuration) -> None:
        self._states: dict[str, dict[str, str]] = {axis: dict(states) for axis, states in _DEFAULT_STATES.items()}
        for axis, states in configuration.agent_state_map.items():
            self._states[axis].update({_normal(state): category for state, category in states.items()})

    def category(self, axis: str, state: str) -> str:
        """Return the category of a state on an axis."""
        return self._states[axis].get(_normal(state), _OTHERWISE[axis])


def _normal(state: str) -> str:
    return state.lower().replace(" ", "_").replace("-", "_")


class _Standing(NamedTuple):
    """Where a person stands: the category of each axis, team and site as last named."""

    presence: str = ""
    routing: str = ""
    activity: str = ""
    team: str | None = None
    site: str | None = None

    def after(self, fact: PersonFact) -> _Standing:
        _, _, _, axis, category, team, site = fact
        standing = self._replace(**{axis: category}) if axis else self
        if team is not None:
            standing = standing._replace(team=team)
        return standing._replace(site=site) if site is not None else standing

    def category(self) -> str | None:
        """Return what the person is taken to be doing, None if nothing is known."""
        presence, routing, activity = self.presence, self.routing, self.activity
        for holds, category in (
            (presence == "offline", "offline"),
            (activity == "handling", "handling"),
            (activity == "wrap_up", "wrap_up"),
            (routing == "handling", "handling"),
            (presence == "unavailable", "unavailable"),
            (routing == "unavailable", "unavailable"),
            (activity == "idle" or routing == "idle", "idle"),
            (presence == "ready", "available"),
        ):
            if holds:
                return category
        return None


class _Person:
    __slots__ = ("base", "base_ms", "facts", "ids", "standing")

    def __init__(self) -> None:
        self.base = _Standing()
        self.base_ms: int | None = None  # facts before this have been folded into the base
        self.facts: list[PersonFact] = []
        self.ids: set[str] = set()
        self.standing = self.base


class PeopleTracker:
    """People by id; time is booked pane by pane as the partition's progress passes each pane's end."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        counting = configuration.counting
        self._grace_ms = 1000 * counting.grace_seconds
        self._targets = Targets(configuration)
        self._states = StateMap(configuration)
        self._ledger = Ledger()
        panes, cells = (None, None) if keep_everything else keep_ms(configuration)
        self.slices = Slices(self._targets, panes, cells)
        self.progress = Progress(1000 * counting.source_timeout_seconds, 1000 * counting.disorder_seconds)
        self._people: dict[str, _Person] = {}
        self._now: dict[int, dict[str, int]] = {}
        self._touched_now: set[int] = set()
        self._changed: set[str] = set()
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
        elif event.type == "agent.skills_changed":
            axis, category = "", ""
        else:
            return
        name = event.person_id
        person = self._people.get(name)
        if person is not None and event.event_id in person.ids:
            self.repeated += 1
            return
        behind = person is not None and person.base_ms is not None and at < person.base_ms
        if behind or received > pane_of(at) + PANE_MS + self._grace_ms:
            self.late += 1
            self._ledger.book(self._targets.number(Scope(TOTAL, None)), received, received, (("late_events", 1),))
            return
        if person is None:
            person = self._people[name] = _Person()
        self._take(name, person, (at, event.sequence or 0, event.event_id, axis, category, event.team, event.site))
        self._changed.add(name)

    def _take(self, name: str, person: _Person, fact: PersonFact) -> None:
        booked, at = self.booked_to, fact[0]
        corrects = booked is not None and at < booked
        if corrects and booked is not None:
            self._book(name, person, at, booked, -1)
        in_order = not person.facts or fact > person.facts[-1]
        if in_order:
            person.facts.append(fact)
        else:
            insort(person.facts, fact)
        person.ids.add(fact[2])
        if corrects and booked is not None:
            self._book(name, person, at, booked, 1)
        standing = person.standing.after(fact) if in_order else self._standing_at_end(person)
        self._note_now(name, person, standing)

    @staticmethod
    def _standing_at_end(person: _Person) -> _Standing:
        standing = person.base
        for fact in person.facts:
            standing = standing.after(fact)
        return standing

    def _group(self, name: str, standing: _Standing) -> int:
        return self._targets.of_person(*self._targets.place_of(name, standing.team, standing.site))

    def _note_now(self, name: str, person: _Person, standing: _Standing) -> None:
        for at, change in ((person.standing, -1), (standing, 1)):
            category = at.category()
            if category is not None and category != "offline":
                group = self._group(name, at)
                counts = self._now.setdefault(group, {})
                counts[category] = counts.get(category, 0) + change
                self._touched_now.add(group)
        person.standing = standing

    def _book(self, name: str, person: _Person, start_ms: int, end_ms: int, sign: int) -> None:
        """Book a person's time from start to end, or with sign −1 take it back."""
        standing, since = person.base, start_ms
        for fact in person.facts:
            at = fact[0]
            if at >= end_ms:
                break
            if at > since:
                self._book_standing(name, standing, since, at, sign)
                since = at
            standing = standing.after(fact)
        self._book_standing(name, standing, since, end_ms, sign)

    def _book_standing(self, name: str, standing: _Standing, start_ms: int, end_ms: int, sign: int) -> None:
        category = standing.category()
        if category is not None and category != "offline" and end_ms > start_ms:
            self._ledger.book_time(self._group(name, standing), start_ms, end_ms, f"{category}_ms", sign)

    # --- at a flush

    def settle(self) -> None:
        """Book the time of the panes that progress has passed, and write everything booked into the slices."""
        if self.progress.advance() and self.progress.through is not None:
            self._book_to(pane_of(self.progress.through))
        self.slices.book(self._ledger)
        self._ledger.clear()
        if self.progress.through is not None:
            self.slices.evict(self.progress.through)

    def _book_to(self, end_ms: int) -> None:
        booked = self.booked_to
        if booked is not None and end_ms <= booked:
            return
        forget_ms = end_ms - self._grace_ms - 2 * PANE_MS
        for name, person in self._people.items():
            start = booked if booked is not None else (person.facts[0][0] if person.facts else end_ms)
            self._book(name, person, start, end_ms, 1)
            if person.facts and person.facts[0][0] < forget_ms:
                self._forget(name, person, forget_ms)
        self.booked_to = end_ms

    def _forget(self, name: str, person: _Person, before_ms: int) -> None:
        kept = [fact for fact in person.facts if fact[0] >= before_ms]
        for fact in person.facts[: len(person.facts) - len(kept)]:
            person.base = person.base.after(fact)
        person.facts, person.base_ms = kept, before_ms
        person.ids = {fact[2] for fact in kept}
        self._changed.add(name)

    def changed_people(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what is kept of the people changed since the last call."""
        changed, self._changed = self._changed, set()
        for name in changed:
            person = self._people[name]
            yield name, {"base": tuple(person.base), "base_ms": person.base_ms, "facts": person.facts}

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
        person = self._people[name] = _Person()
        person.base, person.base_ms = _Standing(*kept["base"]), kept["base_ms"]
        person.facts = [tuple(fact) for fact in kept["facts"]]
        person.ids = {fact[2] for fact in person.facts}
        self._note_now(name, person, self._standing_at_end(person))
