"""Agents' time by plans, slots, costs and handled contacts, calculated by hand; seconds count from 09:00:00."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.times import format_ms
from streams.configuration import Configuration
from streams.tracking.plans import NOT_PLANNED, PLANNED_WORK, Plans
from tests.tracking.harness import CONFIGURATION, Contacts, People, event, ms

if TYPE_CHECKING:
    from streams.tracking.plans import PlanFact

PERMITTED = CONFIGURATION.model_dump(exclude_unset=True) | {"sites": {"bonn": {"zone": "Europe/Berlin", "individual_figures": True}}}
EUROS = PERMITTED | {
    "costs": {"currency": "EUR", "hourly": 36.5},
    "teams": {"red": {"site": "bonn", "business": "acme", "costs": {"hourly": 72}}, "blue": {}},
}


def state(seconds: float, axis: str, name: str, **fields: Any) -> bytes:
    """Return a change of ann's state."""
    return event("agent.state_changed", seconds, axis=axis, state=name, **fields)


def plan(reported: float, activity: str, start: float, end: float, **fields: Any) -> bytes:
    """Return what ann is planned to do."""
    return event("schedule.planned", reported, activity=activity, start=format_ms(ms(start)), end=format_ms(ms(end)), **fields)


def planned(people: People, scope: str = "team:red") -> dict[str, int]:
    """Return the planned time that was booked, in seconds, without the zeros that a correction leaves."""
    sums = people.sums(scope, None, "pane")
    return {field.removesuffix("_ms"): ms_ // 1000 for field, ms_ in sums.items() if field.startswith("planned_") and ms_}


_facts = st.tuples(st.integers(0, 8), st.integers(0, 3), st.integers(0, 20), st.integers(1, 12), st.booleans())


@given(st.lists(_facts, max_size=25), st.integers(0, 25))
def test_the_latest_plan_holds(drawn: list[tuple[int, int, int, int, bool]], hidden_after: int) -> None:
    """At every instant the plan reported last holds, in any order of arrival, whether or not hidden ones are forgotten."""
    facts = [(at, sequence, f"p{number}", begin, begin + length, work) for number, (at, sequence, begin, length, work) in enumerate(drawn)]
    plans = Plans([])
    gone: list[PlanFact] = []
    for number, fact in enumerate(facts):
        plans.add(fact)
        if number == hidden_after:
            gone = plans.hidden()
    spans = list(plans.between(0, 40))
    assert [low for _, low, _ in spans] + [40] == [0, *(high for _, _, high in spans)]
    found = {at: planned == PLANNED_WORK for planned, low, high in spans if planned != NOT_PLANNED for at in range(low, high)}
    assert all(low <= at < plans.at(at)[1] and plans.at(at)[0] == planned for planned, low, high in spans for at in range(low, high))

    holding = {
        at: max(fact for fact in facts if fact[3] <= at < fact[4]) for at in range(40) if any(fact[3] <= at < fact[4] for fact in facts)
    }
    assert found == {at: fact[5] for at, fact in holding.items()}
    assert not {*gone} & {*holding.values()}
    assert sorted([*plans.facts, *gone]) == sorted(facts)


class TestPlans:
    """Planned time is adhered to, missed or unknown."""

    def test_a_break_in_a_shift(self) -> None:
        """Work from 10 to 50 s with a break from 30 to 40 s, and ann away from 35 to 45 s."""
        people = People()
        people.apply(
            plan(0, "work", 10, 50),
            plan(0, "break", 30, 40, sequence=1),
            state(0, "routing", "idle"),
            state(35, "presence", "lunch"),
            state(45, "presence", "ready"),
            through=60,
        )

        # Work 10-30 and 45-50 idle, 40-45 away; break 30-35 idle, 35-40 away.
        assert planned(people) == {
            "planned_work_adhered": 25,
            "planned_work_missed": 5,
            "planned_other_missed": 5,
            "planned_other_adhered": 5,
        }
        assert planned(people, "total:all") == planned(people)

    def test_nothing_has_been_planned_for_the_past(self) -> None:
        """A plan reported at 25 s holds from then on; without a known state its adherence is unknown."""
        people = People()
        people.apply(plan(25, "work", 0, 40), through=60)

        assert planned(people) == {"planned_work_unknown": 15}

    def test_offline_and_stale(self) -> None:
        """An offline agent misses planned work; for a stale agent it is unknown."""
        people = People(Configuration.model_validate({**PERMITTED, "counting": {"person_timeout_seconds": 30}}))
        people.apply(plan(0, "Available", 0, 100), state(10, "presence", "offline"), state(20, "presence", "ready"), through=110)

        # 0-10 unknown, 10-20 offline, 20-50 available, then 30 s of silence are over: 50-100 unknown.
        assert planned(people) == {"planned_work_unknown": 60, "planned_work_missed": 10, "planned_work_adhered": 30}

    def test_a_later_plan_takes_the_place_of_an_earlier_one(self) -> None:
        """It does so for the overlap alone, and also where that has been booked, within the grace."""
        people = People()
        people.apply(plan(0, "work", 0, 100), state(0, "routing", "idle"), through=100)
        before = planned(people)
        people.apply(plan(50, "training", 60, 80, received=100), through=110)

        assert before == {"planned_work_adhered": 100}
        assert planned(people) == {"planned_work_adhered": 80, "planned_other_missed": 20}

    def test_any_order_and_repeats(self) -> None:
        """The latest report counts, in any order of arrival, and each once."""
        values = [plan(0, "work", 0, 60), plan(5, "meal", 20, 40), plan(6, "work", 30, 90), state(1, "routing", "idle")]
        found = []
        for order in permutations(values):
            people = People()
            people.apply(*order, order[0], through=120)
            found.append((planned(people), people.tracker.repeated))

        # Before 1 s nothing is known of ann; work 1-20 and 30-90, a meal 20-30.
        assert found == [({"planned_work_unknown": 1, "planned_work_adhered": 79, "planned_other_missed": 10}, 1)] * 24

    def test_own_words(self) -> None:
        """Activities of the planning tool are mapped as configured, without regard to case, spaces and dashes."""
        people = People(Configuration.model_validate({**PERMITTED, "planned_activities": {"Back Office": "work", "on_queue": "not_work"}}))
        people.apply(plan(0, "back-office", 0, 10), plan(0, "On Queue", 10, 30), state(0, "routing", "idle"), through=40)

        assert planned(people) == {"planned_work_adhered": 10, "planned_other_missed": 20}

    def test_kept_until_it_is_over(self) -> None:
        """A plan outlives what else is known of a person, and nothing is left once it is over and the grace too."""
        people = People(Configuration.model_validate({**PERMITTED, "counting": {"closed_retention_seconds": 200}}))
        people.apply(plan(0, "work", 500, 510), state(0, "presence", "offline", team="blue"), through=450)
        waiting = set(people.tracker.agents)
        people.apply(through=660)

        # Offline since 0 s, forgotten after 200 s: at 500 s ann has her configured team, and her state is unknown.
        assert (waiting, set(people.tracker.agents)) == ({"ann\x1ftest"}, set())
        assert planned(people) == {"planned_work_unknown": 10}
        assert planned(people, "team:blue") == {}


class TestSlots:
    """Capacity and contacts in use, as reported."""

    def test_by_channel_and_of_all(self) -> None:
        """Chats one and two of three, then all channels together one of one; a part that is not reported stays as it was."""
        people = People()
        people.apply(
            state(0, "routing", "interacting", channel="chat", capacity=3, in_use=2),
            state(10, "routing", "interacting", channel="chat", in_use=1),
            state(20, "routing", "interacting", capacity=1, in_use=1),
            state(30, "presence", "break", in_use=0),
            through=40,
        )
        sums = people.sums("team:red", None, "pane")

        # 10 s x 3 + 10 s x 3 + 10 s x 1, and 10 s x 2 + 10 s x 1 + 10 s x 1; at 30 s routing still handles: 0 of 1 for 10 s.
        assert sums["slotted_ms"] == 40_000
        assert sums["slot_capacity_ms"] == 80_000
        assert sums["slot_in_use_ms"] == 40_000

    def test_half_of_it_or_too_much(self) -> None:
        """Without both numbers nothing is known of slots, and a capacity of more than a thousand is none."""
        people = People()
        people.apply(state(0, "routing", "idle", capacity=1_001, in_use=1), through=10)

        assert people.sums("team:red", None, "pane") == {"idle_ms": 10_000}


class TestCostsAndContacts:
    """What time costs, and whose contacts count where."""

    def test_a_team_has_its_own_costs(self) -> None:
        """Ten seconds in red at 72 an hour, then ten in blue at the common 36.50, in ms x hundredths an hour."""
        people = People(Configuration.model_validate(EUROS))
        people.apply(state(0, "routing", "idle"), event("agent.skills_changed", 10, team="blue"), through=20)

        assert people.sums("team:red", None, "pane")["labor_cost"] == 10_000 * 7_200
        assert people.sums("team:blue", None, "pane")["labor_cost"] == 10_000 * 3_650
        assert people.sums("total:all", None, "pane")["labor_cost"] == 10_000 * (7_200 + 3_650)

    def test_contacts_count_where_their_agent_belongs(self) -> None:
        """Two calls of ann count in her team, site, business and in total; one of an unknown agent in total alone."""
        calls = []
        for whom, agent in (("c1", "ann"), ("c2", "ann"), ("c3", "nobody knows")):
            calls.append(event("contact.queued", 0, conversation_id=whom, queue="C"))
            calls.append(event("contact.answered", 5, conversation_id=whom, agent=agent))
            calls.append(event("contact.ended", 20, conversation_id=whom))
        contacts = Contacts(*calls)

        handled = {scope: contacts.sums(scope, None, "pane") for scope in ("team:red", "site:bonn", "business:acme", "total:all")}
        assert handled == {
            "team:red": {"handled": 2},
            "site:bonn": {"handled": 2},
            "business:acme": {"handled": 2},
            "total:all": {"handled": 3},
        }

    def test_single_people_only_where_it_is_permitted(self) -> None:
        """By default nothing is booked about one person; where the site permits it, quarter hours are, and no panes."""
        found = []
        for configuration in (CONFIGURATION, Configuration.model_validate(PERMITTED)):
            people = People(configuration)
            people.apply(state(0, "routing", "idle"), state(0, "routing", "idle", person_id="bo", site="bonn"), through=20)
            calls = (event("contact.queued", 0, queue="C"), event("contact.answered", 1, agent="ann"), event("contact.ended", 9))
            contacts = Contacts(*calls, configuration=configuration)
            found.append([each for tracker in (people, contacts) for each in tracker.slices if each[1].startswith("agent:")])
            assert all(not scope.startswith("agent:") for scope in people.now())

        assert found == [[], [("cell", "agent:ann", None, 0)] * 2]
