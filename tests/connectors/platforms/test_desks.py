"""Tests of all desks: nothing personal passes, wrong records have a reason, every collected file is accounted for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import encode
from streams.connectors.kit.translating import redacted
from streams.connectors.platforms import connector
from tests.connectors.platforms.desks import PERSONAL, becomes, documents, paths, records, set_at
from tests.support.platforms import SHARED
from tests.support.require import require

NAMES = (
    "chatwoot",
    "customerly",
    "facebook",
    "freshdesk",
    "imap",
    "intercom",
    "maildealer",
    "oracle-b2c-service",
    "salesforce-service-cloud",
    "web-form",
    "x",
    "zendesk",
    "zendesk-export",
)
#: Required settings of connectors.
NEEDED: dict[str, dict[str, Any]] = {"maildealer": {"fields": {"id": "mail_no", "received_at": "recv_dt", "status": "state"}}}

DESK = pytest.mark.parametrize("name", NAMES)

WRONG: tuple[object, ...] = (
    None,
    "",
    "x",
    -1,
    10**20,
    1e300,
    True,
    [],
    [1],
    {},
    {"id": {}},
    "9" * 300,
    "1970-01-01T00:00:00Z",
    "2999-01-01",
    "\ud7ff\u0000",
)


@DESK
def test_nothing_personal_passes(name: str) -> None:
    """Neither events nor dead letters hold names of customers or texts."""
    assert any(value in repr(documents(name)) for value in PERSONAL), "the fixtures hold something personal"
    for record in records(name):
        content = redacted(record.content, connector(name).personal).decode()
        assert not [value for value in PERSONAL if value in content], record.content
    for event in becomes(name, *documents(name), settings=NEEDED.get(name)).events:
        assert not [value for value in PERSONAL if value in encode(event).decode()]


@DESK
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_wrong_value_has_a_reason(name: str, data: st.DataObject) -> None:
    """Any value at any path of a delivery is handled: with a reason, without an unexpected error."""
    known = documents(name)
    sent = known[data.draw(st.integers(0, len(known) - 1))]
    places = [*paths(sent)]
    body = set_at(sent, places[data.draw(st.integers(0, len(places) - 1))], data.draw(st.sampled_from(WRONG)))
    done = becomes(name, body, settings=NEEDED.get(name))
    assert not [each for each in done.rejected if each.reason == "not_understood"], done.rejected
    assert all(each.detail for each in done.rejected)


#: File → connector, events by type, records ignored by kind, reasons of rejection.
COLLECTED: dict[str, tuple[str, int, dict[str, int], list[str]]] = {
    "zendesk.webhook.ticket-created.test-fixture.json": ("zendesk", 3, {}, []),
    "zendesk.webhook.ticket-status-changed.json": ("zendesk", 1, {}, []),
    "zendesk.webhook.ticket-comment-added.json": ("zendesk", 1, {}, []),
    "zendesk.webhook.ticket-agent-assignment-changed.skinny.json": ("zendesk", 1, {}, []),
    "zendesk.webhook.messaging-ticket-message-added.json": ("zendesk", 1, {}, []),
    "zendesk.webhook.user-active-changed.json": ("zendesk", 0, {"user.*": 1}, []),
    "zendesk.webhook.agent-state-changed.PARTIAL.txt": ("zendesk", 0, {}, ["not_json"]),
    "zendesk.eventbridge.agent-assignment-changed.PARTIAL.txt": ("zendesk", 0, {}, ["not_json"]),
    "DERIVED.zendesk.webhook.ticket-lifecycle.jsonl": ("zendesk", 23, {}, []),
    "DERIVED.zendesk.incremental.ticket-events.lifecycle.json": ("zendesk-export", 21, {}, []),
    "DERIVED.zendesk.incremental.ticket-metric-events.lifecycle.json": ("zendesk-export", 0, {}, []),
    "DERIVED.zendesk.satisfaction-ratings.json": ("zendesk-export", 5, {}, []),
    "intercom.conversation-admin-opened.json": ("intercom", 1, {}, []),
    "DERIVED.intercom.conversation-lifecycle.jsonl": ("intercom", 19, {}, []),
    "DERIVED.chatwoot.conversation-status-changed.json": ("chatwoot", 1, {}, []),
    "DERIVED.chatwoot.message-created.json": ("chatwoot", 1, {}, []),
    "DERIVED.chatwoot.webhook.conversation-lifecycle.jsonl": ("chatwoot", 26, {}, []),
    "DERIVED.freshdesk.tickets-with-stats.json": ("freshdesk", 13, {}, []),
    "DERIVED.freshdesk.satisfaction-ratings.json": ("freshdesk", 2, {}, []),
    "freshdesk.automation-webhook.ticket-created.json": ("freshdesk", 0, {"automation_webhook": 1}, []),
    "DERIVED.oracle-service-cloud.rest.incident.json": ("oracle-b2c-service", 6, {}, []),
    "DERIVED.oracle-service-cloud.rest.roql-incidents.json": ("oracle-b2c-service", 11, {}, []),
    "oracle-service-cloud.roql-incident.normalized.json": ("oracle-b2c-service", 3, {}, []),
    "salesforce.cdc.change-event.account-update.json": ("salesforce-service-cloud", 0, {"other objects": 1}, []),
    "DERIVED.customerly.rest.users-list.json": ("customerly", 1, {}, []),
    "DERIVED.customerly.rest.knowledge-articles.json": ("customerly", 0, {"article": 1}, []),
    "DERIVED.customerly.rest.error-500-bad-token.json": ("customerly", 0, {}, ["unknown_kind"]),
    "DERIVED.customerly.webhook.user-event.json": ("customerly", 0, {"webhook": 1}, []),
    "DERIVED.maildealer.request.json": ("maildealer", 0, {"request": 1}, []),
}


@pytest.mark.parametrize("file", COLLECTED)
def test_collected_file(file: str) -> None:
    """Each collected file of these platforms is translated, ignored or rejected, as checked one by one."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    name, events, ignored, reasons = COLLECTED[file]
    done = becomes(name, (SHARED / file).read_bytes())
    outcome: tuple[Any, ...] = (len(done.events), dict(done.ignored), [rejection.reason for rejection in done.rejected])
    assert outcome == (events, ignored, reasons)
    assert all(connector(name).ignored[kind] for kind in done.ignored)
