"""Freshdesk and Oracle B2C Service: each record has the state at one time, and is compared with the states before."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from streams.connectors.kit.model import Context, Record
from streams.connectors.platforms import connector
from tests.connectors.platforms.desks import becomes, content, rejections


def ticket(updated: str, **more: Any) -> dict[str, Any]:
    """Return Freshdesk's ticket 5 in its state at a time of 2026-05-12."""
    return {
        "id": 5,
        "status": 2,
        "source": 1,
        "group_id": 21,
        "responder_id": None,
        "created_at": "2026-05-12T09:00:00Z",
        "updated_at": f"2026-05-12T{updated}Z",
        "stats": {},
        **more,
    }


def incident(updated: str, **more: Any) -> dict[str, Any]:
    """Return Oracle's incident 5 by ROQL, at a time of 2026-05-12."""
    return {"id": "5", "createdTime": "2026-05-12T09:00:00Z", "updatedTime": f"2026-05-12T{updated}Z", "queue": "4", **more}


def types(*bodies: object, name: str = "freshdesk", **settings: Any) -> list[str]:
    """Return the types of events in order, each id once."""
    return [each["type"] for each in content(becomes(name, *bodies, settings=settings)).values()]


def test_the_same_state_again_is_the_same_events() -> None:
    """Polled twice, no event is added; the ids do not depend on the poll."""
    once, twice = ticket("09:10:00", responder_id=31), ticket("09:10:00", responder_id=31)
    assert content(becomes("freshdesk", once, twice)) == content(becomes("freshdesk", once))


def test_another_group_is_a_transfer() -> None:
    """At the last update, from the group that was seen; the first queue stays the one that was seen first."""
    done = becomes("freshdesk", ticket("09:10:00"), ticket("09:20:00", group_id=22), settings={"queues": {21: "care", 22: "billing"}})
    events = content(done)
    assert [(event["type"], event.get("queue"), event["occurred_at"][11:16]) for event in events.values()] == [
        ("contact.arrived", None, "09:00"),
        ("contact.queued", "care", "09:00"),
        ("contact.transferred", None, "09:20"),
        ("contact.queued", "billing", "09:20"),
    ]
    # An older state that arrives late changes nothing.
    late = becomes("freshdesk", ticket("09:10:00"), ticket("09:20:00", group_id=22), ticket("09:10:00"))
    assert content(late).keys() == events.keys()


def test_own_statuses_need_a_setting() -> None:
    """A site's own status has the configured meaning, and none without it."""
    own = ticket("09:30:00", status=11, stats={"status_updated_at": "2026-05-12T09:30:00Z"})
    assert "contact.status_changed" not in types(own)
    assert types(own, statuses={11: "on_hold"})[-1] == "contact.status_changed"


def test_spam_and_outbound() -> None:
    """Spam counts nowhere, and a mail that the business begins is no contact of a customer."""
    assert types(ticket("09:30:00", spam=True))[-1] == "contact.excluded"
    (arrived, *rest) = becomes("freshdesk", ticket("09:30:00", source=10)).events
    assert arrived.direction == "outbound"  # type: ignore[attr-defined]
    assert rest == []


@pytest.mark.parametrize(("value", "score"), [(-103, 1), (-102, 2), (-101, 3), (100, 4), (101, 5), (102, 6), (103, 7)])
def test_ratings_are_seven_steps(value: int, score: int) -> None:
    """From extremely unhappy to extremely happy, with nothing between -101 and 100."""
    rating = {"id": 1, "ticket_id": 5, "ratings": {"default_question": value}, "created_at": "2026-05-12T09:00:00Z"}
    (event,) = becomes("freshdesk", rating).events
    assert (event.score, event.scale) == (score, "1-7")  # type: ignore[attr-defined]


def test_another_rating_is_refused() -> None:
    """0 is none of the seven."""
    rating = {"id": 1, "ticket_id": 5, "ratings": {"default_question": 0}, "created_at": "2026-05-12T09:00:00Z"}
    assert rejections(becomes("freshdesk", rating)) == [
        ("not_on_scale", "ratings.default_question: none of the seven answers of Freshdesk")
    ]


def test_rest_and_roql_give_one_incident() -> None:
    """One has objects with id and name, the other ids as texts."""
    rest = {**incident("09:20:00"), "id": 5, "queue": {"id": 4, "lookupName": "mail"}, "assignedTo": {"account": {"id": 31}}}
    roql = {
        "items": [
            {
                "columnNames": ["id", "createdTime", "updatedTime", "queue", "assignedTo.account"],
                "rows": [["5", "2026-05-12T09:00:00Z", "2026-05-12T09:20:00Z", "4", "31"]],
            }
        ]
    }
    assert content(becomes("oracle-b2c-service", rest)) == content(becomes("oracle-b2c-service", roql))


def test_an_incident_that_is_solved_again() -> None:
    """A reopening is seen between two states, and the time it was closed at last is a resolution."""
    solved = {"statusWithType": {"statusType": "2"}, "initialSolutionTime": "2026-05-12T09:30:00Z"}
    done = becomes(
        "oracle-b2c-service",
        incident("09:30:00", **solved, closedTime="2026-05-12T09:30:00Z"),
        incident("09:40:00", **{**solved, "statusWithType": {"statusType": "1"}}, closedTime=None),
        incident("09:50:00", **solved, closedTime="2026-05-12T09:50:00Z"),
    )
    assert [each["status"] for each in content(done).values() if each["type"] == "contact.status_changed"] == [
        "resolved",
        "reopened",
        "resolved",
    ]


def final_events(bodies: tuple[dict[str, Any], ...]) -> set[tuple[Any, ...]]:
    """Return the final events of states: of each id the highest revision, without withdrawn ones."""
    by_id: dict[str, dict[str, Any]] = {}
    for event in becomes("oracle-b2c-service", *bodies).events:
        fields = event.model_dump()
        before = by_id.get(fields["event_id"])
        if before is None or (fields["revision"] or 0) > (before["revision"] or 0):
            by_id[fields["event_id"]] = fields
    names = ("event_id", "type", "occurred_at", "queue", "from_queue", "to_queue", "agent", "status", "score")
    final = [fields for fields in by_id.values() if fields["type"] != "contact.withdrawn"]
    return {tuple(fields.get(name) for name in names) for fields in final}


def test_states_in_any_order() -> None:
    """Five states of an incident that is moved, assigned, solved and reopened become the same in each of their 120 orders."""
    solved = {"initialSolutionTime": "2026-05-12T09:30:00Z", "statusWithType.statusType": "2", "queue": "6", "assignedTo.account": "32"}
    states = (
        incident("09:10:00", **{"statusWithType.statusType": "1"}),
        incident("09:20:00", **{"statusWithType.statusType": "1", "queue": "6", "assignedTo.account": "31"}),
        incident("09:30:00", **solved),
        incident("09:40:00", **{**solved, "statusWithType.statusType": "1"}),
        incident("09:50:00", **{**solved, "statusWithType.statusType": "1", "queue": "4"}),
    )
    rows = [{"columnNames": [*state], "rows": [[*state.values()]]} for state in states]
    tables = [{"items": [row]} for row in rows]
    expected = final_events(tuple(tables))
    held = sorted((at.strftime("%H:%M"), kind) for _, kind, at, *_ in expected)
    assert held == [
        ("09:00", "contact.arrived"),
        ("09:00", "contact.queued"),
        ("09:20", "contact.assigned"),
        ("09:20", "contact.queued"),
        ("09:20", "contact.transferred"),
        ("09:30", "contact.assigned"),
        ("09:30", "contact.status_changed"),
        ("09:40", "contact.status_changed"),
        ("09:50", "contact.queued"),
        ("09:50", "contact.transferred"),
    ]
    for order in permutations(tables):
        assert final_events(order) == expected


def test_the_state_of_an_older_version_is_read() -> None:
    """It stored the last state alone: a change is compared with that, and nothing is reported again."""
    platform, context = connector("oracle-b2c-service"), Context(source="desk", customer_key=str, settings={})
    assert platform.compare is not None
    at_ms = 1_778_577_000_000  # 2026-05-12T09:10:00Z
    seen = {"first_queue": "6", "queue": "4", "status": "2", "agent": "31", "score": None, "updated": at_ms}
    content = incident("09:20:00", statusWithType={"statusType": "1"}, assignedTo={"account": "31"})
    compared = platform.compare(Record(content, b"", "file", 0), seen, context)
    assert [(each["type"], each["event_id"], each.get("queue")) for each in compared.events] == [
        ("contact.arrived", "5-arrived", None),
        ("contact.queued", "5-queued", "6"),
        ("contact.status_changed", f"5-reopened-{at_ms // 1000 + 600}", None),
    ]


def test_a_survey_is_answered_when_its_score_is_seen() -> None:
    """Once, however often the incident is updated; another score is a revision of the same answer."""
    states = [incident(at, lastSurveyScore=score) for at, score in (("09:10:00", None), ("09:20:00", 4), ("09:30:00", 4), ("09:40:00", 2))]
    answers = [each for each in becomes("oracle-b2c-service", *states).events if each.type == "survey.answered"]
    assert [(each.event_id, each.score, each.occurred_at.minute) for each in answers] == [  # type: ignore[attr-defined]
        ("5-survey", 4, 20),
        ("5-survey", 2, 40),
    ]


def test_a_malformed_table_is_refused() -> None:
    """Rows of another length, columns that are both value and part, and a request without the times."""
    table = {"columnNames": ["id", "createdTime"], "rows": [["5"]]}
    both = {"columnNames": ["a", "a.b"], "rows": [["1", "2"]]}
    short = {"columnNames": ["id"], "rows": [["5"]]}
    assert [rejections(becomes("oracle-b2c-service", {"items": [each]}))[0][0] for each in (table, both, short)] == [
        "wrong_type",
        "wrong_type",
        "unknown_kind",
    ]
