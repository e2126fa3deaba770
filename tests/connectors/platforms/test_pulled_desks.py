"""Freshdesk and Oracle B2C Service: records of which each tells the state at one time, compared with what was seen before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.platforms.desks import becomes, content, rejections


def ticket(updated: str, **more: Any) -> dict[str, Any]:
    """Return Freshdesk's ticket 5 as it was at a time of 2026-05-12."""
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
    """Return Oracle's incident 5 as ROQL tells it, at a time of 2026-05-12."""
    return {"id": "5", "createdTime": "2026-05-12T09:00:00Z", "updatedTime": f"2026-05-12T{updated}Z", "queue": "4", **more}


def types(*bodies: object, name: str = "freshdesk", **settings: Any) -> list[str]:
    """Return the types of events in order, each id once."""
    return [each["type"] for each in content(becomes(name, *bodies, settings=settings)).values()]


def test_the_same_state_again_is_the_same_events() -> None:
    """Asked twice, nothing comes to it; the ids do not depend on the question."""
    once, twice = ticket("09:10:00", responder_id=31), ticket("09:10:00", responder_id=31)
    assert content(becomes("freshdesk", once, twice)) == content(becomes("freshdesk", once))


def test_another_group_is_a_transfer() -> None:
    """At the last update, from the group that was seen; the first queue stays the one that was seen first."""
    done = becomes("freshdesk", ticket("09:10:00"), ticket("09:20:00", group_id=22), settings={"queues": {21: "care", 22: "billing"}})
    found = content(done)
    assert [(each["type"], each.get("queue"), each["occurred_at"][11:16]) for each in found.values()] == [
        ("contact.arrived", None, "09:00"),
        ("contact.queued", "care", "09:00"),
        ("contact.transferred", None, "09:20"),
        ("contact.queued", "billing", "09:20"),
    ]
    # An older state that comes late changes nothing.
    late = becomes("freshdesk", ticket("09:10:00"), ticket("09:20:00", group_id=22), ticket("09:10:00"))
    assert content(late).keys() == found.keys()


def test_own_statuses_need_a_setting() -> None:
    """A status of one's own means what the setting says, and nothing without it."""
    own = ticket("09:30:00", status=11, stats={"status_updated_at": "2026-05-12T09:30:00Z"})
    assert "contact.status_changed" not in types(own)
    assert types(own, statuses={11: "on_hold"})[-1] == "contact.status_changed"


def test_spam_and_outbound() -> None:
    """Spam counts nowhere, and a mail that the business begins is no contact of a customer's."""
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


def test_rest_and_roql_tell_one_incident() -> None:
    """One tells objects with id and name, the other ids as texts."""
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


def test_a_survey_is_answered_when_its_score_is_seen() -> None:
    """Once, however often the incident is updated; another score is another word on the same answer."""
    states = [incident(at, lastSurveyScore=score) for at, score in (("09:10:00", None), ("09:20:00", 4), ("09:30:00", 4), ("09:40:00", 2))]
    answers = [each for each in becomes("oracle-b2c-service", *states).events if each.type == "survey.answered"]
    assert [(each.event_id, each.score, each.occurred_at.minute) for each in answers] == [  # type: ignore[attr-defined]
        ("5-survey", 4, 20),
        ("5-survey", 2, 40),
    ]


def test_a_table_that_does_not_fit_says_so() -> None:
    """Rows of another length, columns that are both value and part, and a question that forgot the times."""
    table = {"columnNames": ["id", "createdTime"], "rows": [["5"]]}
    both = {"columnNames": ["a", "a.b"], "rows": [["1", "2"]]}
    short = {"columnNames": ["id"], "rows": [["5"]]}
    assert [rejections(becomes("oracle-b2c-service", {"items": [each]}))[0][0] for each in (table, both, short)] == [
        "wrong_type",
        "wrong_type",
        "unknown_kind",
    ]
