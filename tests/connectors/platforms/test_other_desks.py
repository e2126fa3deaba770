"""Salesforce, MailDealer, IMAP, Customerly and web forms beyond the two tickets."""

from __future__ import annotations

import orjson
import pytest

from tests.connectors.platforms.desks import becomes, content, documents, rejections
from tests.support.platforms import counted

FIELDS = {"id": "mail_no", "received_at": "recv_dt", "status": "state"}


def test_omni_channel_offers_and_answers_a_chat() -> None:
    """Pushed to A for a minute in vain, accepted by B after three minutes in all and closed six later; an agent's state begins and ends."""
    done = becomes(
        "salesforce-service-cloud", *documents("salesforce-service-cloud")[:11], settings={"queues": {"00GIU0000009QqQ2AU": "chat"}}
    )
    totals = counted(done.events)["totals"]
    assert {name: totals[name]["value"] for name in ("offered", "answered", "asa", "non_response", "handled", "att")} == {
        "offered": 1,
        "answered": 1,
        "asa": 180,
        "non_response": 1,
        "handled": 1,
        "att": 360,
    }
    assert [each["state"] for each in content(done).values() if each["type"] == "agent.state_changed"] == ["0N5AVAIL", "offline"]
    assert dict(done.ignored) == {"other objects": 1, "gaps": 1, "deletions": 1, "platform events": 1}


def test_changes_of_work_in_any_order() -> None:
    """A change has only changed fields; in any order of arrival the final events are the same."""
    work = documents("salesforce-service-cloud")[:5]
    assert content(becomes("salesforce-service-cloud", *work)) == content(becomes("salesforce-service-cloud", *reversed(work)))


def test_one_change_of_many_cases() -> None:
    """A change that records share names them all."""
    change = orjson.loads(orjson.dumps(documents("salesforce-service-cloud")[-1]))
    change["payload"] = {
        "Status": "Closed",
        "ChangeEventHeader": {
            "entityName": "Case",
            "changeType": "UPDATE",
            "recordIds": ["500A", "500B"],
            "commitTimestamp": 1_778_576_400_000,
            "transactionKey": "k",
            "sequenceNumber": 1,
        },
    }
    assert {each.conversation_id for each in becomes("salesforce-service-cloud", change).events} == {"500A", "500B"}  # type: ignore[attr-defined]


def test_a_case_is_transferred_to_another_queue() -> None:
    """From the queue that was seen; an unknown status needs a setting."""
    (created,) = [each for each in documents("salesforce-service-cloud") if "Origin" in each["payload"]][:1]
    moved = orjson.loads(orjson.dumps(created))
    header = {**moved["payload"]["ChangeEventHeader"], "changeType": "UPDATE", "transactionKey": "m"}
    moved["payload"] = {"OwnerId": "00GOTHER", "ChangeEventHeader": header}
    done = becomes("salesforce-service-cloud", created, moved, settings={"queues": {"00GOTHER": "billing", "00GIU0000009QqQ2AU": "mail"}})
    (transfer,) = [each for each in done.events if each.type == "contact.transferred"]
    assert (transfer.from_queue, transfer.to_queue) == ("mail", "billing")  # type: ignore[attr-defined]
    moved["payload"] = {"Status": "Parked", "ChangeEventHeader": header}
    assert rejections(becomes("salesforce-service-cloud", moved))[0][0] == "bad_setting"
    (held,) = becomes("salesforce-service-cloud", moved, settings={"statuses": {"Parked": "on_hold"}}).events
    assert held.status == "on_hold"  # type: ignore[attr-defined]


@pytest.mark.parametrize("fields", [None, {}, {"id": "mail_no"}, {**FIELDS, "priority": "p"}, "mail_no"])
def test_maildealer_needs_its_field_names(fields: object) -> None:
    """What is missing is named; nothing is guessed."""
    ((reason, detail),) = set(rejections(becomes("maildealer", *documents("maildealer"), settings={"fields": fields})))
    assert reason == "bad_setting"
    assert "id, received_at, status" in detail


def test_maildealer_statuses_are_named() -> None:
    """One that is neither the vendor's nor a setting is refused; mails are in the file's local time."""
    mail = {"mail_no": 9, "recv_dt": "2026-05-12 18:00:00", "state": "その他"}
    assert rejections(becomes("maildealer", mail, settings={"fields": FIELDS})) == [
        ("bad_setting", "statuses: the status of a mail is not among them")
    ]
    done = becomes("maildealer", mail, settings={"fields": FIELDS, "statuses": {"その他": "on_hold"}})
    assert [each.type for each in done.events] == ["contact.arrived", "contact.queued", "contact.status_changed"]


def test_mails_that_need_no_answer() -> None:
    """Lists and machines are passed over, junk counts nowhere, and an answer in a thread of the business is outbound."""
    done = becomes("imap", *documents("imap")[:5])
    assert dict(done.ignored) == {"automatic mails": 2}
    assert [each.type for each in done.events if each.type != "contact.message"] == [
        "contact.excluded",
        "contact.arrived",
        "contact.arrived",
        "contact.queued",
        "contact.status_changed",
    ]
    outbound, answer = [each for each in done.events if each.type == "contact.arrived"]
    assert (outbound.event_id, outbound.direction) == (answer.event_id, "outbound")  # type: ignore[attr-defined]
    assert counted([each for each in done.events if each is not answer])["totals"]["offered"]["value"] == 0


def test_a_mail_moved_back_is_open_again() -> None:
    """Its arrival stays the same."""
    mail = documents("imap")[5]
    back = {**mail, "uid": 777, "at": "2026-05-12T12:00:00Z", "back": True}
    done = becomes("imap", mail, back)
    assert [each.status for each in done.events if each.type == "contact.status_changed"] == ["reopened"]  # type: ignore[attr-defined]
    assert len({each.event_id for each in done.events if each.type == "contact.arrived"}) == 1


def test_the_agent_of_a_reply_is_a_setting() -> None:
    """By the address it is sent from."""
    done = becomes("imap", *documents("imap"), settings={"agents": {"a@shop.example": "A"}})
    assert {each.agent for each in done.events if each.type == "contact.message" and each.author_kind == "agent"} == {"A", None}  # type: ignore[attr-defined]


def test_votes_of_customerly() -> None:
    """Once, however often users are listed; another vote is another event; ratings need their scale."""
    users = documents("customerly")[1]
    changed = orjson.loads(orjson.dumps(users))
    changed["data"]["users"][0] |= {"nps_vote": 3, "last_update": "2026-05-13 10:00:00"}
    done = becomes("customerly", users, users, changed, users, settings={"rating_scale": "1-5"})
    scores = [(event.event_id, event.score, event.scale) for event in done.events]  # type: ignore[attr-defined]
    assert scores == [
        ("customerly:user-7001-nps_vote", 9, "0-10"),
        ("customerly:user-7001-rating", 4, "1-5"),
        ("customerly:user-7001-nps_vote", 3, "0-10"),
    ]
    assert len(becomes("customerly", users).events) == 1


def test_a_form_is_a_contact() -> None:
    """As JSON and as form fields, under configured names; without an id the same content is the same form."""
    json, bare = documents("web-form")
    done = becomes("web-form", json, bare, bare)
    assert [(each.type, each.conversation_id[:8]) for each in done.events[:3]] == [  # type: ignore[attr-defined]
        ("contact.arrived", "form-f-1"),
        ("contact.queued", "form-f-1"),
        ("contact.categorized", "form-f-1"),
    ]
    assert len({each.event_id for each in done.events}) == 5
    form = b"nr=5&when=2026-05-12T09%3A00%3A00Z&mail=haru%40example.jp"
    posted = becomes("web-form", form, settings={"fields": {"id": "nr", "submitted_at": "when", "customer": "mail"}, "queue": "web"})
    assert [each.event_id for each in posted.events] == ["form-5-arrived", "form-5-queued"]
    assert posted.events[1].queue == "web"  # type: ignore[attr-defined]
    assert rejections(becomes("web-form", form, settings={"fields": {"nr": "id"}}))[0][0] == "bad_setting"
