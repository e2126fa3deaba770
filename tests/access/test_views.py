"""What one sees of a center of two sites; every expectation is reckoned by hand from the plan below."""

from __future__ import annotations

import pytest

from streams.access.principals import MOST_VIEWS, Grant, Principal
from streams.access.views import EVERYTHING, Area, Places, QueuePlace, TeamPlace, View, view_of

# tokyo: queues t1 (department care, business shop), t2 (department tech, business shop)
# osaka: queues o1 (department care, business shop), o2 (department loans, business bank)
# home: a queue without a site. Business bank: queue o2 and team o-bank, all in osaka. Department tech lies in tokyo, loans in osaka.
QUEUES = {
    "t1": QueuePlace("care", "shop", "tokyo"),
    "t2": QueuePlace("tech", "shop", "tokyo"),
    "o1": QueuePlace("care", "shop", "osaka"),
    "o2": QueuePlace("loans", "bank", "osaka"),
    "home": QueuePlace(),
}
TEAMS = {
    "t-a": TeamPlace("shop", "tokyo"),
    "t-b": TeamPlace("shop", "tokyo"),
    "o-a": TeamPlace("shop", "osaka"),
    "o-bank": TeamPlace("bank", "osaka"),
}


def people(**numbers: int) -> dict[str, tuple[str | None, str | None]]:
    """Return a number of agents of each team, by names such as ``t-a 1``, at the team's site."""
    named = {team.replace("_", "-"): number for team, number in numbers.items()}
    return {f"{team} {index + 1}": (team, TEAMS[team].site) for team, number in named.items() for index in range(number)}


def steady(numbers: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Return how many were signed in while that did not change."""
    return {scope: (number, number) for scope, number in numbers.items()}


def seen(view: View, *, of_people: bool = False) -> set[str]:
    """Return which of the plan's scopes a view shows."""
    sees = view.sees_people if of_people else view.sees
    names = [
        *(f"queue:{name}" for name in QUEUES),
        *(f"team:{name}" for name in TEAMS),
        *("site:tokyo", "site:osaka", "department:care", "department:tech", "department:loans"),
        *("business:shop", "business:bank", "total:all"),
    ]
    return {name for name in names if sees(*name.split(":"))}


def of(**named: str) -> Area:
    """Return an area, of names with spaces between them."""
    return Area(**{kind: frozenset(names.split()) for kind, names in named.items()})


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        # A site: its queues and teams, and larger scopes that lie in it as a whole: tech has t2 alone.
        (of(sites="tokyo"), "site:tokyo queue:t1 queue:t2 team:t-a team:t-b department:tech"),
        # bank has o2 and o-bank, both in osaka.
        (of(sites="osaka"), "site:osaka queue:o1 queue:o2 team:o-a team:o-bank department:loans business:bank"),
        # A department reaches over sites; no site lies in it: contacts without a queue count there too, and people.
        (of(departments="care"), "department:care queue:t1 queue:o1"),
        (of(queues="t2"), "queue:t2 department:tech"),
        (of(queues="home unknown"), "queue:home"),
        (of(teams="o-bank"), "team:o-bank"),
        # Named together is the sum of both; all of shop's queues without its teams is not shop.
        (of(queues="t1 t2 o1"), "queue:t1 queue:t2 queue:o1 department:care department:tech"),
        (of(queues="o2", teams="o-bank"), "queue:o2 team:o-bank department:loans business:bank"),
    ],
)  # fmt: skip
def test_what_an_area_shows(area: Area, expected: str) -> None:
    """No more than what is named, what belongs to it, and what lies in it as a whole; never the total."""
    assert seen(view_of([area], [area], Places(QUEUES, TEAMS, people(t_a=2)))) == set(expected.split())


def test_a_name_that_no_configuration_has_shows_itself_alone() -> None:
    """A queue that only events know belongs to no site; who is to see it is given it by name."""
    view = view_of([of(queues="unknown")], [], Places(QUEUES, TEAMS))

    assert view.sees("queue", "unknown")
    assert not view_of([of(sites="tokyo")], [], Places(QUEUES, TEAMS)).sees("queue", "unknown")


def test_everywhere_is_everything_for_who_may_see_people() -> None:
    """Nothing is looked at one by one then."""
    assert view_of([Area()], [Area()], Places(QUEUES, TEAMS)) == EVERYTHING


def test_agents_are_seen_with_their_team_or_site() -> None:
    """A person placed elsewhere than the team is seen by both."""
    places = Places(QUEUES, TEAMS, {"ABE": ("t-a", "osaka"), "ITO": ("t-a", "tokyo"), "UNO": (None, None)})

    def agents(area: Area) -> set[str]:
        view = view_of([area], [area], places)
        return {name for name in ("ABE", "ITO", "UNO") if view.sees_people("agent", name)}

    assert agents(of(sites="osaka")) == {"ABE"}
    assert agents(of(teams="t-a")) == agents(of(sites="tokyo")) == {"ABE", "ITO"}
    assert agents(Area()) == {"ABE", "ITO", "UNO"}


def test_without_the_right_no_agent_is_seen() -> None:
    """However many they are."""
    places = Places(QUEUES, TEAMS, people(t_a=9))

    assert not view_of([Area()], [], places).sees_people("agent", "t-a 1")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        # 5 are enough, 4 are not. tokyo's 9 − 5 = 4 would be t-b: so tokyo is not there, and so neither shop nor the total.
        ({"t_a": 5, "t_b": 4}, "team:t-a"),
        # Both are there: nothing is left of tokyo, shop and the total.
        ({"t_a": 5, "t_b": 5}, "team:t-a team:t-b site:tokyo business:shop total:all"),
        # Two small teams: 4 + 4 people are left of tokyo, enough.
        ({"t_a": 4, "t_b": 4}, "site:tokyo business:shop total:all"),
        # tokyo's 5 + 4 as above; osaka has o-a alone. shop − t-a − osaka = 4, total − t-a − o-a = 4.
        ({"t_a": 5, "t_b": 4, "o_a": 6}, "team:t-a team:o-a site:osaka"),
        # The 4 of t-b and the 3 of o-bank: of tokyo 4 are left, of osaka 3, of shop 4, of bank 3; of the total 7, enough.
        ({"t_a": 5, "t_b": 4, "o_a": 6, "o_bank": 3}, "team:t-a team:o-a total:all"),
        # No agent is known: nothing.
        ({}, ""),
        ({"t_a": 4}, ""),
    ],
)  # fmt: skip
def test_small_groups_are_not_there_nor_what_they_are_left_of(numbers: dict[str, int], expected: str) -> None:
    """A viewer of everything sees groups of five or more, and no larger one of which one to four would be left."""
    view = view_of([Area()], [], Places(QUEUES, TEAMS, people(**numbers)))

    assert seen(view, of_people=True) == set(expected.split())
    assert view.sees("team", "t-b")
    assert view.sees("total", "all")


def test_people_without_a_team_count_in_what_is_left() -> None:
    """Six of t-a and two without a team: of tokyo two would be left. With five of these it is there."""
    few = people(t_a=6) | {f"free {index}": (None, "tokyo") for index in range(2)}
    more = few | {f"other {index}": (None, "tokyo") for index in range(3)}

    assert seen(view_of([of(sites="tokyo")], [], Places(QUEUES, TEAMS, few)), of_people=True) == {"team:t-a"}
    assert seen(view_of([of(sites="tokyo")], [], Places(QUEUES, TEAMS, more)), of_people=True) == {"team:t-a", "site:tokyo"}


def test_who_may_see_people_of_a_small_team_cannot_subtract_it_from_a_larger_one() -> None:
    """t-a (3) is the supervisor's. Of tokyo the 4 of t-b would be left, of the total the same."""
    places = Places(QUEUES, TEAMS, people(t_a=3, t_b=4))
    both = Principal("x", "user", (Grant("viewer"), Grant("supervisor", teams=frozenset({"t-a"}))))

    assert seen(both.view("figures", places), of_people=True) == {"team:t-a"}


def test_sites_are_subtracted_too() -> None:
    """Of the total, without tokyo (two small teams, 8) and o-a (6), the 4 of o-bank would be left; so it is not there."""
    view = view_of([Area()], [], Places(QUEUES, TEAMS, people(t_a=4, t_b=4, o_a=6, o_bank=4)))

    # osaka − o-a = 4, bank = 4; shop (14) − o-a = 8, shop − tokyo = 6 = o-a; total − shop = 4.
    assert seen(view, of_people=True) == {"team:o-a", "site:tokyo", "business:shop"}


def test_where_the_configuration_names_no_people_those_signed_in_count() -> None:
    """t-a has 6 signed in, t-b 2: of tokyo's 8 the 2 would be left. What is not known of is not there."""
    now = steady({"team:t-a": 6, "team:t-b": 2, "site:tokyo": 8, "total:all": 8})
    view = view_of([Area()], [], Places(QUEUES, TEAMS, {}, now))

    assert seen(view, of_people=True) == {"team:t-a"}
    # A team that no configuration names.
    assert view_of([Area()], [], Places({}, {}, {}, steady({"team:x": 5}))).sees_people("team", "x")
    assert not view_of([Area()], [], Places({}, {}, {}, steady({"team:x": 5}))).sees_people("team", "y")


def test_one_that_no_configuration_names_is_not_left_over() -> None:
    """The configuration has the 6 of t-a; 7 are signed in at tokyo, 6 of them of t-a: the seventh is not to be worked out."""
    places = Places(QUEUES, TEAMS, people(t_a=6), steady({"team:t-a": 6, "site:tokyo": 7, "total:all": 7}))

    assert seen(view_of([Area()], [], places), of_people=True) == {"team:t-a", "business:shop"}


def test_who_has_just_come_or_gone_is_not_left_over() -> None:
    """The site's record has counted a seventh, whose team's record has not yet: where 6 or 7 were, no agent is left."""
    coming = {"team:t-a": (6, 7), "site:tokyo": (7, 7), "total:all": (6, 7)}

    assert "site:tokyo" in seen(view_of([Area()], [], Places(QUEUES, TEAMS, people(t_a=6), coming)), of_people=True)
    # A team that was of 4 a moment ago is not yet of 5.
    assert not view_of([Area()], [], Places({}, {}, {}, {"team:x": (4, 5)})).sees_people("team", "x")


def test_the_limit_is_configured() -> None:
    """With 3, a team of 3 is there; with 1, all that is known of."""
    numbers = people(t_a=3, t_b=1)

    assert seen(view_of([Area()], [], Places(QUEUES, TEAMS, numbers, smallest_group=3)), of_people=True) == {"team:t-a"}
    assert seen(view_of([Area()], [], Places(QUEUES, TEAMS, numbers, smallest_group=1)), of_people=True) == {
        "team:t-a", "team:t-b", "site:tokyo", "business:shop", "total:all",
    }  # fmt: skip


def test_equal_grants_share_a_view_while_places_stay() -> None:
    """What is made for one serves the other."""
    places = Places(QUEUES, TEAMS)
    one = Principal("x", "user", (Grant("viewer", sites=frozenset({"tokyo"})),))
    other = Principal("y", "kiosk", (Grant("viewer", sites=frozenset({"tokyo"})),))

    assert one.view("figures", places) is other.view("figures", places)
    assert one.view("figures", Places(QUEUES, TEAMS)) == other.view("figures", places)


def test_records_without_a_scope_are_for_who_sees_every_scope() -> None:
    """Progress names all sources, and definitions those of all departments."""
    assert View(None, frozenset()).shows(None, "", None)
    assert not View(frozenset({"site:tokyo"}), None).shows(None, "", None)


def test_a_record_without_a_channel_is_about_people() -> None:
    """A site whose people are too few has its contacts' figures all the same."""
    view = View(frozenset({"site:tokyo"}), frozenset())

    assert view.shows("site", "tokyo", "voice")
    assert not view.shows("site", "tokyo", None)


def test_views_that_are_kept_are_bounded() -> None:
    """However many grants there are; a dropped view is computed again, the same."""
    places = Places(QUEUES, TEAMS)
    first = Principal("x", "provider", (Grant("viewer", queues=frozenset({"q0"})),))
    view = first.view("figures", places)
    for index in range(2 * MOST_VIEWS):
        Principal("x", "provider", (Grant("viewer", queues=frozenset({f"q{index}"})),)).view("figures", places)
        assert len(places.views) <= MOST_VIEWS
    assert first.view("figures", places) == view
