"""The table of rights and roles, written out by hand."""

from __future__ import annotations

from typing import get_args

import pytest

from streams.access import docs
from streams.access.principals import ANYONE, Grant, Principal
from streams.access.rights import MEANINGS, RIGHTS, ROLES, Right, Role
from streams.access.views import Places

#: Role → rights, as the issue has them.
BY_HAND = {
    "viewer": "figures",
    "supervisor": "figures people contacts export explain alerts",
    "auditor": "figures contacts export explain audit",
    "operator": "figures export explain alerts manage",
}


def test_each_role_has_its_rights_and_no_other() -> None:
    """A right more or less in the table fails here."""
    assert {role: " ".join(right for right in RIGHTS if right in rights) for role, rights in ROLES.items()} == BY_HAND
    assert set(get_args(Role)) == set(ROLES)
    assert set(MEANINGS) == set(RIGHTS) == set(get_args(Right))


@pytest.mark.parametrize("right", RIGHTS)
def test_without_an_access_file_everything_is_open(right: Right) -> None:
    """As it was before there were rights."""
    assert ANYONE.may(right)
    assert ANYONE.view(right, Places()).everything


@pytest.mark.parametrize("right", RIGHTS)
def test_without_grants_nothing_is(right: Right) -> None:
    """Who is known and was given nothing sees nothing."""
    no_grants = Principal("x", "provider")

    assert not no_grants.may(right)
    assert not no_grants.view(right, Places()).sees("total", "all")


def test_a_right_holds_at_the_places_of_its_grant() -> None:
    """A viewer of everything who supervises one team sees people there alone, and explains figures there alone."""
    both = Principal("x", "user", (Grant("viewer"), Grant("supervisor", teams=frozenset({"a"}))))
    places = Places()

    assert both.view("figures", places).sees("queue", "any")
    assert both.view("people", places).sees("team", "a")
    assert not both.view("people", places).sees("team", "b")
    assert not both.view("explain", places).sees("queue", "any")
    assert not both.may("audit")


def test_the_page_is_current() -> None:
    """The committed table equals that of the code; if not, run ``make docs``."""
    assert docs.main(["--check"]) == 0
    assert "| `people` | see figures of single agents, and of groups of any size | – | yes | – | – |" in docs.PAGE.read_text(
        encoding="utf-8"
    )
