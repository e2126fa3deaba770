"""What a sender may send: names by pattern, the defaults, and every field of every event that names a queue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.agent import AgentStateChanged
from schemas.contact import ContactAnswered, ContactQueued
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS
from streams.configuration.senders import Sender, SendersFile
from streams.connectors.permissions import QUEUE_FIELDS, TEAM_FIELD, Names, Permissions
from streams.connectors.senders import Senders

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
STATE = AgentStateChanged(
    event_id="e", occurred_at=AT, received_at=AT, source="a", person_id="ann", axis="presence", state="online", team="care-a"
)
KINDS = sorted({*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS}, key=lambda kind: kind.__name__)
COMMON: dict[str, Any] = {"event_id": "e", "occurred_at": AT, "received_at": AT, "source": "a", "conversation_id": "c"}


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("Orders", ["Orders"], ["orders", "Orders 2", ""]),
        ("Orders*", ["Orders", "Orders 2"], ["My Orders"]),
        ("*-tokyo", ["pbx-tokyo", "-tokyo"], ["tokyo", "pbx-tokyo-2"]),
        ("a*b*c", ["abc", "a-b-c", "abbc"], ["acb", "ab", "ac"]),
        ("a*a", ["aa", "aba"], ["a"]),
        ("*", ["", "anything"], []),
        ("a.c[d]?", ["a.c[d]?"], ["abc[d]?", "a.cdx"]),
    ],
)
def test_patterns(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    """A * matches any text, and every other character itself."""
    names = Names([pattern])

    assert [name for name in (*fits, *fits_not) if name in names] == fits


@given(st.lists(st.text("ab", max_size=3), min_size=2, max_size=5), st.text("ab", max_size=9))
def test_patterns_of_several_stars(pieces: list[str], name: str) -> None:
    """A pattern fits exactly when some way to fill in its stars does."""

    def filled(left: list[str], rest: str) -> bool:
        if len(left) == 1:
            return rest.endswith(left[0])
        return any(rest[at:].startswith(left[0]) and filled(left[1:], rest[at + len(left[0]) :]) for at in range(len(rest) + 1))

    expected = name.startswith(pieces[0]) and filled(pieces[1:], name[len(pieces[0]) :])
    assert (name in Names(["*".join(pieces)])) == expected


def test_ten_thousand_names_are_not_remembered() -> None:
    """Names come from senders: what is remembered of them is bounded."""
    names = Names(["q*"])

    assert all(f"q{number}" in names for number in range(10_000))
    assert len(names._remembered) <= 1_000


def test_defaults() -> None:
    """Without permissions a sender speaks for the source of its own name alone, of everything; the only other source is stamped too."""
    default = Permissions.of("crm", Sender(tokens=()))
    other = Permissions.of("crm", Sender(tokens=(), sources=("crm-tokyo",)))
    several = Permissions.of("crm", Sender(tokens=(), sources=("crm-*",)))

    assert default.sources is not None
    assert ("crm" in default.sources, "crm-tokyo" in default.sources) == (True, False)
    assert (default.types, default.queues, default.sites, default.teams) == (None,) * 4
    assert [each.default_source for each in (default, other, several)] == ["crm", "crm-tokyo", None]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_that_names_a_queue_is_judged(kind: Any) -> None:
    """A field of a queue's name that is added to the contract is judged too."""
    assert {name for name in kind.model_fields if "queue" in name} <= QUEUE_FIELDS


@pytest.mark.parametrize("kind", [kind for kind in KINDS if QUEUE_FIELDS & set(kind.model_fields)], ids=lambda kind: kind.__name__)
def test_a_queue_that_is_not_permitted(kind: Any) -> None:
    """In any field, alone or among others."""
    may = Permissions.of("a", Sender(tokens=(), queues=("mine",)))
    for field in QUEUE_FIELDS & set(kind.model_fields):
        value: Any = ("mine", "theirs") if field == "queues" else "theirs"
        reason = may.refusal(kind.model_construct(**{field: value}, **dict.fromkeys(QUEUE_FIELDS & set(kind.model_fields) - {field})))
        assert reason is not None
        assert reason[0] == "queue_not_permitted"
        assert reason[1].startswith(f"{field}: ")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_that_names_a_team_is_judged(kind: Any) -> None:
    """A field of a team's name that is added to the contract is judged too."""
    assert {name for name in kind.model_fields if "team" in name} <= {TEAM_FIELD}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if TEAM_FIELD in kind.model_fields], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("limits", "permitted"),
    [
        ({}, ["mine 1", "theirs"]),
        ({"queues": ("q",)}, ["mine 1", "theirs"]),
        ({"teams": ("mine *",)}, ["mine 1"]),
        ({"teams": ("mine *",), "sites": ("tokyo",)}, ["mine 1"]),
        ({"teams": ("*",), "sites": ("tokyo",)}, ["mine 1", "theirs"]),
        # A team counts in its own site: with sites alone it may name none.
        ({"sites": ("*",)}, []),
        ({"teams": ()}, []),
    ],
)
def test_teams(kind: Any, limits: dict[str, Any], permitted: list[str]) -> None:
    """A team is judged where it is named, and who is confined to sites names teams only by a list of them."""
    may = Permissions.of("a", Sender(tokens=(), **limits))
    others = {"site": None, **dict.fromkeys(QUEUE_FIELDS & set(kind.model_fields))}
    refusals = {name: may.refusal(kind.model_construct(team=name, **others)) for name in ("mine 1", "theirs")}

    assert [name for name, why in refusals.items() if why is None] == permitted
    assert {why[0] for why in refusals.values() if why is not None} <= {"team_not_permitted"}
    assert may.refusal(kind.model_construct(team=None, **others)) is None


def test_the_refusal_of_a_team_has_a_hint() -> None:
    """It names what is permitted, and where to permit more."""
    why = Permissions.of("a", Sender(tokens=(), sites=("tokyo",))).refusal(STATE)

    assert why is not None
    assert why[0] == "team_not_permitted"
    assert why[1].startswith("team: this sender may name the teams none; ")
    assert "`teams` of the senders file" in why[1]


def test_sites_and_events_that_name_neither() -> None:
    """A site is judged where it is named; an event that names no queue and no site belongs to its conversation."""
    may = Permissions.of("a", Sender(tokens=(), queues=("mine",), sites=("tokyo",)))
    elsewhere = may.refusal(ContactQueued(**COMMON, queue="mine", site="berlin"))

    assert elsewhere is not None
    assert elsewhere[0] == "site_not_permitted"
    assert may.refusal(ContactQueued(**COMMON, queue="mine", site="tokyo")) is None
    assert may.refusal(ContactAnswered(**COMMON, agent="ann")) is None


def test_a_name_of_both_is_as_in_the_file() -> None:
    """A token of the environment of a sender that is in the file too permits what the file permits."""
    senders = Senders(
        {"crm-token-0123456789": "crm", "old-token-0123456789": "old"},
        SendersFile(senders={"crm": Sender(tokens=(), types=("contact.queued",))}),
    )
    crm, old = senders.permissions_of("crm"), senders.permissions_of("old")

    assert senders.named_by("Bearer crm-token-0123456789", 0) == "crm"
    assert crm is not None
    assert old is not None
    assert (crm.types, old.types) == (frozenset({"contact.queued"}), None)
