"""All agents of one source partition: their states over time and the time spent in each (``docs/counting.md`` sections 6 and 13)."""

from __future__ import annotations

from bisect import bisect_right
from sys import intern
from typing import TYPE_CHECKING, Any

from schemas import structs
from schemas.limits import MAX_AHEAD_MS, MAX_FACTS, MAX_PLANS, TOO_MANY_PEOPLE
from streams.tracking.agent import Agent, Deferred, Silence, fact_of_row, reported_of_row
from streams.tracking.agent_states import GONE, AgentStates, Categories, Reported
from streams.tracking.contacts import keep_ms, retention_ms
from streams.tracking.facts import TooManyFactsError
from streams.tracking.grid import grid_of
from streams.tracking.held import Held
from streams.tracking.plans import NEVER_MS, NOT_PLANNED, Activities, Plans
from streams.tracking.postings import Postings
from streams.tracking.scopes import TOTAL, Scope, Targets
from streams.tracking.slices import Slices
from streams.tracking.slots import slot_report_of
from streams.tracking.snapshots import Snapshots
from streams.tracking.spaces import MARK, Spaces, StoredNames, id_of
from streams.tracking.timeline import Timeline
from streams.tracking.timers import Timers
from streams.tracking.watermark import watermark_of
from streams.windows.slices import CELL_MS, MIN_CELL_MS, PANE_MS, pane_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from streams.configuration import Configuration
    from streams.tracking.agent_states import AgentFact, AgentState
    from streams.tracking.plans import PlanFact
    from streams.tracking.timeline import Timed

__all__ = ["AgentTracker"]


class AgentTracker:
    """Agents by id and space; time is booked pane by pane as the watermark passes the end of each."""

    def __init__(self, configuration: Configuration, *, keep_everything: bool = False) -> None:
        counting = configuration.counting
        self._grace_ms = 1000 * counting.grace_seconds
        #: longest delay of an event that occurred at the start of a pane
        self.late_ms = self._grace_ms + PANE_MS
        #: distance behind the booked time at which facts are final
        self._final_ms = self._grace_ms + 2 * PANE_MS
        self._silence = Silence(1000 * counting.person_timeout_seconds, retention_ms(configuration))
        self.targets = Targets(configuration)
        self._categories = Categories(configuration)
        self._states = AgentStates(configuration, self.targets)
        self._activities = Activities(configuration)
        self._postings = Postings()
        panes, cells = (None, None) if keep_everything else keep_ms(configuration)
        #: time further behind the end of the booked time belongs to evicted slices
        self._keep_ms = None if cells is None else cells + CELL_MS
        self.slices = Slices(self.targets, panes, cells, grid_of(configuration))
        self.watermark = watermark_of(configuration)
        self.spaces = Spaces(configuration)
        self.agents: dict[str, Agent] = {}
        limits = configuration.source_limits
        self.held = Held(TOO_MANY_PEOPLE, limits.max_people, limits.max_people_events)
        self.stored_names = StoredNames()
        #: (row, name, agent) during a restore
        self._restored: list[tuple[str, str, Agent]] = []
        self._restored_plans: dict[str, list[PlanFact]] = {}
        self.snapshots = Snapshots("agents", self._grace_ms)
        self._now: dict[int, dict[str, int]] = {}
        self._touched_now: set[int] = set()
        #: names in the order of change: neighbours are alike, and adjacent in memory
        self._changed: dict[str, None] = {}
        #: agents whose plans have changed
        self._changed_plans: set[str] = set()
        #: agents with deferred facts or plans
        self._with_deferred: set[str] = set()
        self._timeline = Timeline()
        self._timers = Timers()
        #: type of event → function that creates its fact; without plans
        self.makers: dict[type, Callable[[Any], AgentFact]] = {
            structs.AgentStateChanged: self._state_changed,
            structs.AgentHeartbeat: self._heartbeat,
            structs.AgentSkillsChanged: self._belongs_to,
        }
        #: watermark up to which snapshots have been applied
        self.compared_to: int | None = None
        #: the time of panes is booked up to here
        self.booked_to: int | None = None
        self.late = 0
        self.repeated = 0

    def apply(self, event: Any) -> None:
        """Apply a decoded agent event with valid times.

        Raises:
            TooManyFactsError: its agent or source has reached a limit.
        """
        received, at, source, event_id, kind = event.received_ms, event.occurred_ms, event.source, event.event_id, event.type
        last = self.watermark.sources.get(source)
        if last is None or received > last:
            self.watermark.received(source, received)
        person_id, suffix = event.person_id, self.spaces[source]
        persons = self.targets.persons
        name = person_id + suffix if person_id not in persons.own else persons.name(person_id, suffix)
        agent = self.agents.get(name)
        if agent is None and self.stored_names.unclaimed(person_id):
            agent = self._claim(person_id, name)
        if agent is not None and event_id in agent.ids:
            self.repeated += 1
            return
        is_plan = kind == "schedule.planned"
        if (
            received > at - at % PANE_MS + self.late_ms
            or (is_plan and self.booked_to is not None and at < self.booked_to - self._final_ms)  # older than the known plans
            or (not is_plan and agent is not None and agent.base_at is not None and at <= agent.base_at)  # or than the folded facts
        ):
            self._count_late(received)
            return
        if agent is None:
            held = self.held.room(suffix if name.endswith(suffix) else MARK, begins=True)
        else:
            held = agent.held
            if len(agent.ids) >= MAX_FACTS:
                self._limit(name, agent, event)
            self.held.check(held)
        if is_plan:
            begins, ends = event.start_ms, event.end_ms
            begins = max(begins, at)
            if begins < ends:
                plan = (at, event.sequence or 0, event_id, begins, ends, self._activities.is_work(event.activity))
                if agent is None:
                    agent = self._new(name, held)
                self._take_plan(name, agent, plan)
                if agent.source is None:
                    agent.source = intern(source)
                self._changed[name] = None
            return
        if agent is None:
            agent = self._new(name, held)
        self.take(name, agent, self.makers[type(event)](event), event)

    def _state_changed(self, event: Any) -> AgentFact:
        axis = event.axis
        slots = slot_report_of(event) if event.capacity is not None or event.in_use is not None else None
        category = self._categories.category(axis, event.state)
        return (event.occurred_ms, event.sequence or 0, event.event_id, axis, category, event.team, event.site, slots)

    def _heartbeat(self, event: Any) -> AgentFact:
        return (event.occurred_ms, event.sequence or 0, event.event_id, "", "", None, None, None)

    def _belongs_to(self, event: Any) -> AgentFact:
        return (event.occurred_ms, event.sequence or 0, event.event_id, "", "", event.team, event.site, None)

    def take(self, name: str, agent: Agent, fact: AgentFact, event: Any) -> None:
        """Add the fact of a new event that is in time.

        Raises:
            TooManyFactsError: the recounts of the agent are exhausted.
        """
        source = event.source
        self._take(name, agent, fact, event.received_ms)
        if agent.source != source and (agent.deferred is None or agent.newest == fact):
            agent.source = intern(source)
        self._changed[name] = None

    def _claim(self, row: str, name: str) -> Agent | None:
        """Assign an agent stored without a source to the first source that reports the id."""
        agent = self.agents.pop(row, None)
        if agent is not None:
            self.agents[self.stored_names.take(row, name)] = agent
            held = self.held.of(name)
            for index, number in enumerate((1, len(agent.ids))):
                agent.held[index] -= number
                held[index] += number
            agent.held, agent.timer = held, None
            self._schedule(name, agent)
            self._changed[name] = None
            if agent.plans is not None:
                self._changed_plans.add(name)
        return agent

    def _limit(self, name: str, agent: Agent, event: Any) -> None:
        """Raise TooManyFactsError if the facts or plans of an agent have reached their limit."""
        if event.type != "schedule.planned":
            if agent.known >= MAX_FACTS:
                raise TooManyFactsError("person_id", MAX_FACTS)
            return
        if agent.deferred is not None and agent.deferred.plans:
            self._up_to_date(name, agent)
        if agent.plans is not None and len(agent.plans.facts) >= MAX_PLANS:
            agent.drop_hidden()
            self._changed_plans.add(name)
            self._changed[name] = None
            if len(agent.plans.facts) >= MAX_PLANS:
                raise TooManyFactsError("person_id", MAX_PLANS)

    def _new(self, name: str, held: list[int]) -> Agent:
        agent = self.agents[name] = Agent(self._states.start(name, Reported()), held)
        held[0] += 1
        return agent

    def snapshot(self, event: Any) -> bool:
        """Accept a source's snapshot of agents; return whether its rate is within the limit."""
        self.watermark.received(event.source, event.received_ms)
        return self.snapshots.take(event, self.spaces[event.source], self.watermark.received_through or 0)

    def _count_late(self, received: int) -> None:
        self.late += 1
        self._postings.book(self.targets.number(Scope(TOTAL, None)), received, received, (("late_events", 1),))

    def _take(self, name: str, agent: Agent, fact: AgentFact, received: int | None) -> None:
        booked, at, facts = self.booked_to, fact[0], agent.facts
        if (booked is not None and at < booked) or (facts and at < facts[-1][0]):
            agent.defer(fact, received)
            self._with_deferred.add(name)
        else:
            if agent.until <= at:
                self._advance(agent, at)
            if facts and fact < facts[-1]:
                # Within an instant no time passes: only the state after it counts.
                agent.charge(fact, received)
                index = bisect_right(facts, fact)
                facts.insert(index, fact)
                self._follow(name, agent, index)
                after = agent.states[-1]
            else:
                seen, before = (facts[-1][0], agent.states[-1]) if facts else (agent.base_at, agent.base)
                # Nothing of an agent expires sooner: the lookup alone decides the next state.
                recent = seen is None or at - seen <= self._silence.soonest_ms
                after = self._states.after(name, before, fact) if recent else self._onward(name, before, seen, fact)
                agent.states.append(after)
                facts.append(fact)
            silence, timed = self._silence, after.timed[agent.planned]
            if timed is not agent.timed:
                self._timeline.move(agent.timed, timed, at)
                agent.timed = timed
                if after.category is not None:
                    # Published even if the state ends before the flush: output must not depend on chunks.
                    self._touched_now.add(after.group)
            until = at + (silence.retention_ms if after.category is None else silence.timeout_ms)
            agent.until = until if until < agent.planned_until else agent.planned_until  # noqa: FURB136 - at every event
            if agent.until < agent.due or facts[0][0] + self._final_ms < agent.due:
                self._schedule(name, agent)
        agent.ids.add(fact[2])
        agent.held[1] += 1

    def _take_plan(self, name: str, agent: Agent, plan: PlanFact) -> None:
        booked = self.booked_to
        if booked is not None and plan[3] < booked:
            if agent.deferred is None:
                agent.deferred = Deferred()
            agent.deferred.plans.append(plan)
            self._with_deferred.add(name)
        else:
            # The timeline changes only if it contains later facts.
            known = bool(agent.facts) and plan[3] <= agent.facts[-1][0]
            if known:
                self._spread(agent, -1)
            if agent.plans is None:
                agent.plans = Plans([])
            agent.plans.add(plan)
            if known:
                self._enter(agent)
            else:
                if plan[3] < agent.planned_until:  # noqa: PLR1730 - at every event
                    agent.planned_until = plan[3]
                if plan[3] < agent.until:  # noqa: PLR1730 - at every event
                    agent.until = plan[3]
            self._schedule(name, agent)
        agent.ids.add(plan[2])
        agent.held[1] += 1
        self._changed_plans.add(name)

    # --- the timeline: contains an agent's states up to the last fact, and silence and plans up to the booked time

    def _spread(self, agent: Agent, agents: int) -> None:
        """Add an agent to the timeline, or remove it with −1."""
        booked = self.booked_to
        first = agent.first_ms if booked is None else booked
        if first is None:
            return
        known = self._known_to(agent, first)
        before: Timed | None = None
        for timed, low, _ in agent.spans(first - 1, known + 1, self._silence):
            if before is not None:
                self._timeline.move(before, timed, low, agents)
            elif booked is not None:
                self._timeline.add(timed, agents)
            before = timed
        if before is not None:
            agent.timed = before

    def _enter(self, agent: Agent) -> None:
        """Add an agent to the timeline, and record until when its state lasts without further facts."""
        self._spread(agent, 1)
        first = agent.first_ms if self.booked_to is None else self.booked_to
        if first is not None:
            known = self._known_to(agent, first)
            silent = self._silence.at(agent.last, agent.last_seen, agent.blank, known)[1]
            agent.planned, agent.planned_until = (NOT_PLANNED, NEVER_MS) if agent.plans is None else agent.plans.at(known)
            agent.until = min(silent, agent.planned_until)

    def _known_to(self, agent: Agent, first_ms: int) -> int:
        """Return the instant up to which the timeline contains an agent, at least the one before the first."""
        return max(agent.facts[-1][0], first_ms - 1) if agent.facts else first_ms - 1

    def _advance(self, agent: Agent, to_ms: int) -> None:
        """Add the changes by silence and plans up to an instant to the timeline."""
        while agent.until <= to_ms:
            at = agent.until
            state, until = self._silence.at(agent.last, agent.last_seen, agent.blank, at)
            if agent.plans is not None and agent.planned_until <= at:
                agent.planned, agent.planned_until = agent.plans.at(at)
            timed = state.timed[agent.planned]
            self._timeline.move(agent.timed, timed, at)
            agent.timed, agent.until = timed, min(until, agent.planned_until)

    def _schedule(self, name: str, agent: Agent) -> None:
        """Schedule the check of an agent at its next possible change."""
        due, final_ms = agent.until, self._final_ms
        if agent.facts and agent.facts[0][0] + final_ms < due:
            due = agent.facts[0][0] + final_ms
        if agent.plans is not None and agent.plans.first_end_ms + final_ms < due:
            due = agent.plans.first_end_ms + final_ms
        seen = agent.last_seen
        if seen is not None:
            forgotten = seen + self._silence.forgotten_after(agent.last) + final_ms
            if forgotten < due:  # noqa: PLR1730 - at every event
                due = forgotten
        if due < agent.due or agent.timer is None:
            agent.due, agent.timer = due, self._timers.add(name, due, agent.timer)

    # --- out of order

    def _count_deferred(self) -> None:
        for name in [*self._with_deferred]:
            self._up_to_date(name, self.agents[name])

    def _up_to_date(self, name: str, agent: Agent) -> None:
        """Count the deferred facts of an agent: reverse its time since the first of them, and book it again."""
        deferred = agent.deferred
        if deferred is None or not (deferred.facts or deferred.plans):
            return
        self._with_deferred.discard(name)
        facts, plans, deferred.facts, deferred.plans = deferred.facts, deferred.plans, [], []
        start_ms = min([*(fact[0] for fact in facts[:1]), *(plan[3] for plan in plans)])
        end_ms = start_ms if self.booked_to is None else self.booked_to
        self._spread(agent, -1)
        self._book(agent, start_ms, end_ms, -1)
        if facts:
            index = bisect_right(agent.facts, facts[0])
            agent.facts = sorted([*agent.facts, *facts])
            self._follow(name, agent, index)
        if plans:
            if agent.plans is None:
                agent.plans = Plans([])
            for plan in plans:
                agent.plans.add(plan)
        self._book(agent, start_ms, end_ms, 1)
        self._enter(agent)
        self._schedule(name, agent)
        self._note_now(agent)

    def _follow(self, name: str, agent: Agent, index: int) -> None:
        """Recompute the states from the fact at an index on."""
        del agent.states[index:]
        state, seen = agent.last, agent.seen(index)
        for fact in agent.facts[index:]:
            state, seen = self._onward(name, state, seen, fact), fact[0]
            agent.states.append(state)

    def _onward(self, name: str, state: AgentState, seen: int | None, fact: AgentFact) -> AgentState:
        """Return the state after a fact, from a state or, if that has expired, from none."""
        if seen is not None and fact[0] - seen > self._silence.forgotten_after(state):
            state = self._states.start(name, Reported())
        return self._states.after(name, state, fact)

    def _book(self, agent: Agent, start_ms: int, end_ms: int, sign: int) -> None:
        """Book an agent's time from start to end, worked and planned; reverse it with sign −1."""
        if self._keep_ms is not None:
            start_ms = max(start_ms, end_ms - self._keep_ms)
        # Time of evicted panes goes into cells alone: the first event of an agent costs no more than the retained panes.
        panes_from = self.slices.panes_from
        if panes_from is not None and start_ms < panes_from:
            self._book_by(MIN_CELL_MS, agent, start_ms, min(end_ms, panes_from), sign)
            start_ms = panes_from
        self._book_by(PANE_MS, agent, start_ms, end_ms, sign)

    def _book_by(self, step_ms: int, agent: Agent, start_ms: int, end_ms: int, sign: int) -> None:
        book_time = self._postings.book_time
        for timed, low, high in agent.spans(start_ms, end_ms, self._silence):
            for target, rates in timed.bookings:
                book_time(target, low, high, rates, sign, step_ms)

    # --- at a flush

    def flush(self) -> None:
        """Book deferred facts and the time of panes behind the watermark, and write postings into slices."""
        self._count_deferred()
        self.watermark.advance()
        through = self.watermark.ms
        if through is not None:
            self._apply_snapshots(through)
        self._note_changed()
        if through is not None:
            self.slices.evict_panes(through)
            self._book_to(pane_of(through))
        self.slices.book(self._postings)
        self._postings.clear()
        if through is not None:
            self.slices.evict(through)

    def _note_changed(self) -> None:
        """Update the current states of changed agents."""
        agents, booked, soonest_ms = self.agents, self.booked_to, self._silence.soonest_ms
        for name in self._changed:
            agent = agents.get(name)
            if agent is not None:
                facts = agent.facts
                after = agent.states[-1] if facts else agent.base
                if after is agent.noted and not agent.stale:
                    continue
                if agent.stale or not facts or (booked is not None and booked - facts[-1][0] > soonest_ms):
                    self._note_now(agent)
                else:
                    self._move_now(agent.noted, after)
                    agent.noted = after

    def _move_now(self, before: AgentState | None, after: AgentState) -> None:
        """Move an agent from one current state to another; neither is stale."""
        if before is not None and before.category is not None:
            counts = self._now[before.group]
            counts[before.category] -= 1
            self._touched_now.add(before.group)
        if after.category is not None:
            counts = self._now.setdefault(after.group, {})
            counts[after.category] = counts.get(after.category, 0) + 1
            self._touched_now.add(after.group)

    def _note_now(self, agent: Agent) -> None:
        """Count an agent in its current state, or nowhere if expired."""
        seen, booked = agent.last_seen, self.booked_to
        silent_ms = 0 if seen is None or booked is None else booked - seen
        after = agent.last if silent_ms <= self._silence.forgotten_after(agent.last) else None
        stale = after is not None and silent_ms > self._silence.timeout_ms
        if after is agent.noted and stale == agent.stale:
            return
        for state, silent, change in ((agent.noted, agent.stale, -1), (after, stale, 1)):
            if state is not None and state.category is not None:
                category = "stale" if silent else state.category
                counts = self._now.setdefault(state.group, {})
                counts[category] = counts.get(category, 0) + change
                self._touched_now.add(state.group)
        agent.noted, agent.stale = after, stale

    def _apply_snapshots(self, through: int) -> None:
        """Set agents missing from a snapshot to unknown until their next event."""
        before, self.compared_to = self.compared_to, through
        for name, snapshot in self.snapshots.to_compare(before, through, self.agents, self._changed):
            agent = self.agents[name]
            if snapshot.name in agent.ids:
                continue
            seen_ms = [fact[0] for fact in agent.facts if fact[3] != GONE]
            if agent.base_at is not None:
                seen_ms.append(agent.base_at)
            if snapshot.misses(id_of(name), None, seen_ms) and agent.last.category is not None:
                self._take(name, agent, (snapshot.at_ms, -1, snapshot.name, GONE, "", None, None, None), None)
                self._up_to_date(name, agent)
                self._changed[name] = None

    def _book_to(self, end_ms: int) -> None:
        booked = self.booked_to
        if booked is not None and end_ms <= booked:
            return
        self.booked_to = end_ms
        for name, bucket in self._timers.passed(end_ms):
            agent = self.agents.get(name)
            if agent is not None and agent.timer is bucket:
                self._pass(name, agent, end_ms)
        self._timeline.book(self._postings, booked, end_ms, self._keep_ms, self.slices.panes_from)

    def _pass(self, name: str, agent: Agent, end_ms: int) -> None:
        """Add an agent's changes by silence and plans to the timeline, and fold final facts."""
        if agent.until < end_ms:
            self._advance(agent, end_ms - 1)
        final_ms = end_ms - self._final_ms
        if agent.facts and agent.facts[0][0] < final_ms:
            # No rows are written for this: a restore folds surplus facts.
            agent.fold(final_ms)
        if agent.plans is not None and agent.drop_plans(final_ms):
            self._changed[name] = None
            self._changed_plans.add(name)
        seen = agent.last_seen
        if seen is None or seen < end_ms - self._silence.soonest_ms:
            self._note_now(agent)
            # Wait until nothing can change the time booked for known states.
            if seen is not None and seen + self._silence.forgotten_after(agent.last) < final_ms:
                agent.held[1] -= len(agent.facts)
                agent.forget()
                self._changed[name] = None
            if agent.last_seen is None and agent.plans is None:
                self._evict(name, agent)
                return
        agent.due, agent.timer = NEVER_MS, None
        self._schedule(name, agent)

    def _evict(self, name: str, agent: Agent) -> None:
        del self.agents[name]
        agent.held[0] -= 1
        agent.held[1] -= len(agent.ids)
        self._changed[name] = None

    def set_back(self, to_ms: int, now_ms: int) -> None:
        """Set the watermark back to an instant if it lies beyond: reverse time booked after it, and drop plans out of range.

        Bookings later than ``now_ms`` by more than clocks may differ are dropped.
        """
        self._count_deferred()
        self.watermark.set_back(to_ms)
        before = self.booked_to
        end = None if before is None else min(before, pane_of(to_ms))
        is_set_back = before is not None and end is not None and before > end
        pending, self._postings = self._postings, Postings()
        for name, agent in self.agents.items():
            far = () if agent.plans is None else agent.plans.far_fetched()
            if before is not None and end is not None and (far or is_set_back):
                since = before - (self._keep_ms or 0) if far else end
                self._book(agent, since, before, -1)
                agent.take_back(far)
                self._book(agent, since, end, 1)
            else:
                agent.take_back(far)
            self._changed[name] = None
            if far:
                self._changed_plans.add(name)
        self.booked_to = end
        self._begin_timeline()
        # Slices evicted in between must not become negative.
        self.slices.book(self._postings)
        self._postings = pending
        if is_set_back:
            self.compared_to = None if self.compared_to is None else min(self.compared_to, to_ms)
            self.slices.empty_from(now_ms + MAX_AHEAD_MS + CELL_MS)
            self.slices.set_back(to_ms)
            for agent in self.agents.values():
                self._note_now(agent)

    def _begin_timeline(self) -> None:
        """Rebuild the timeline from all agents."""
        self._timeline.clear()
        self._timers = Timers()
        for name, agent in self.agents.items():
            self._enter(agent)
            agent.due, agent.timer = NEVER_MS, None
            self._schedule(name, agent)

    def discard_changes(self) -> None:
        """Discard the changes: their rows are not to be written."""
        self._changed.clear()
        self._changed_plans.clear()

    def changed_agents(self) -> Iterator[tuple[str, tuple[Any, ...] | None]]:
        """Yield the rows of agents changed since the last call, without plans; None for evicted ones."""
        changed, self._changed = self._changed, {}
        agents = self.agents
        for name in changed:
            agent = agents.get(name)
            yield name, None if agent is None else agent.row()

    def rewrite_plans(self, name: str) -> None:
        """Mark the plans of an agent as changed: they are stored under another name."""
        self._changed_plans.add(name)

    def changed_plans(self) -> Iterator[tuple[str, list[PlanFact] | None]]:
        """Yield the changed plans of agents since the last call; None if none are left."""
        changed, self._changed_plans = self._changed_plans, set()
        for name in changed:
            agent = self.agents.get(name)
            yield name, None if agent is None or agent.plans is None else agent.plans.facts

    def is_open(self, scope: Scope) -> bool:
        """Return whether a scope has an agent in a known state."""
        return any(any(self._now.get(group, {}).values()) for group in self.targets.feeding.get(scope, ()))

    def changed_now(self, begun: Iterable[Scope] = ()) -> Iterator[tuple[Scope, dict[str, int]]]:
        """Yield scope and agents per category, of changed and ``begun`` scopes."""
        touched, self._touched_now = self._touched_now, set()
        for scope in {scope for group in touched for scope in self.targets.scopes[group]}.union(begun):
            total: dict[str, int] = {}
            for group in self.targets.feeding.get(scope, ()):
                for category, agents in self._now.get(group, {}).items():
                    total[category] = total.get(category, 0) + agents
            if not scope.is_individual:
                yield scope, {category: agents for category, agents in sorted(total.items()) if agents}

    # --- after a restart

    def restore_agent(self, row: str, stored: Any) -> None:
        """Restore an agent; older rows are objects and contain plans."""
        if isinstance(stored, dict):
            base, source, facts, spent = stored["base"], stored.get("source"), stored["facts"], stored.get("counted_anew")
            base_at = stored.get("base_at", stored["base_ms"])  # the oldest have only an upper bound
        else:
            base, base_at, source, facts, *more = stored
            spent = more[0] if more else None
        # The oldest rows lack the source.
        name = self.stored_names.take(row, self.targets.persons.name_of_row(row, None if source is None else self.spaces[source]))
        agent = Agent(self._states.start(name, Reported()), self.held.of(name))
        agent.base, agent.base_at = self._states.start(name, reported_of_row(base)), base_at
        agent.source = None if source is None else intern(source)
        agent.facts = [fact_of_row(fact) for fact in facts]
        if spent:
            agent.deferred = Deferred(*spent)
        if isinstance(stored, dict) and stored.get("plans"):
            agent.plans = Plans([tuple(plan) for plan in stored["plans"]])
            self._changed[name] = None
            self._changed_plans.add(name)
        self._restored.append((row, name, agent))

    def restore_plans(self, row: str, plans: list[Any]) -> None:
        """Restore the plans of an agent."""
        self._restored_plans[row] = [tuple(plan) for plan in plans]

    def restored(self) -> None:
        """Complete a restore, after all rows and ``booked_to``."""
        again: list[tuple[str, Agent]] = []
        for row, name, agent in self._restored:
            plans = self._restored_plans.get(row)
            if plans and agent.plans is None:
                agent.plans = Plans(plans)
            agent.ids = {fact[2] for fact in (*agent.facts, *(agent.plans.facts if agent.plans is not None else ()))}
            agent.held[1] += len(agent.ids)
            self._follow(name, agent, 0)
            if self.booked_to is not None and agent.facts and agent.facts[0][0] < self.booked_to - self._final_ms:
                agent.fold(self.booked_to - self._final_ms)
            if self.agents.setdefault(name, agent) is agent:
                agent.held[0] += 1
            else:
                again.append((name, agent))
        self._restored, self._restored_plans = [], {}
        for name, other in again:
            self._merge(name, other)
        self._begin_timeline()
        for agent in self.agents.values():
            self._note_now(agent)

    def _merge(self, name: str, other: Agent) -> None:
        """Merge two agents of one id whose sources have been joined since; time booked before their facts stays."""
        known, booked = self.agents[name], self.booked_to
        two = (known, other)
        folded = [agent.base_at for agent in two if agent.base_at is not None]
        low = max(folded) + 1 if folded else min((agent.first_ms for agent in two if agent.first_ms is not None), default=None)
        if booked is not None and low is not None:
            for agent in two:
                self._book(agent, low, booked, -1)
        latest = max(two, key=lambda agent: agent.base_at or 0)
        known.base, known.base_at = latest.base, latest.base_at
        known.source = max(two, key=lambda agent: agent.last_seen or 0).source
        known.facts = sorted({fact[2]: fact for fact in (*known.facts, *other.facts)}.values())
        known.deferred = known.deferred or other.deferred
        known.held[1] -= len(known.ids) + len(other.ids)
        if other.plans is not None:
            known.plans = Plans(sorted({plan[2]: plan for agent in two if agent.plans for plan in agent.plans.facts}.values()))
        known.ids = {fact[2] for fact in (*known.facts, *(known.plans.facts if known.plans is not None else ()))}
        known.held[1] += len(known.ids)
        self._follow(name, known, 0)
        if booked is not None and low is not None:
            self._book(known, low, booked, 1)
        self._changed[name] = None
        self._changed_plans.add(name)
