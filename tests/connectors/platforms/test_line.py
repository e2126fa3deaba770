"""LINE: messages of customers count once, and once as a conversation of a day; figures are worked out by hand."""

from __future__ import annotations

import hashlib
from zoneinfo import ZoneInfo

import pytest

from streams.connectors.kit.model import Context
from streams.connectors.kit.translating import translate
from streams.connectors.platforms import connector
from tests.support.gateways import NOON
from tests.support.platforms import FIXTURES, SHARED, counted, translated
from tests.support.require import require

LINE = connector("line")
FILE = FIXTURES / "line" / "webhook.jsonl"
BODIES = [("webhook.jsonl", FILE.read_bytes())]
CUSTOMER = "Uc0ffee00000000000000000000000001"


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_messages_of_a_day_are_one_conversation(seed: int | None) -> None:
    """08:00:00, 08:01:00 and 14:00 UTC of one day, the first twice: three messages of one conversation that waits in one queue."""
    done = translated(LINE, BODIES, settings={"queue": "LINE"}, seed=seed)
    result = counted(done.events)

    assert result["queues"]["LINE"]["social"]["offered"]["value"] == 1
    messages = {event.event_id for event in done.events if event.type == "contact.message"}
    assert messages == {"01JRCA0000000000000000TEXT-message", "01JRCA000000000000000IMAGE-message", "01JRCA00000000000000LATER1-message"}
    name = "line-" + hashlib.sha256(f"{CUSTOMER}/2026-04-07".encode()).hexdigest()[:32]
    assert {event.conversation_id for event in done.events} == {name}  # type: ignore[attr-defined]


def test_the_day_is_that_of_the_zone() -> None:
    """In Tokyo 08:00 and 14:00 UTC are 17:00 and 23:00 of the same day; in Auckland the last is of the next."""
    days = {}
    for zone in ("Asia/Tokyo", "Pacific/Auckland"):
        context = Context(source="line", zone=ZoneInfo(zone), settings={"channel": "chat", "queue": ""})
        events = translate(LINE, FILE.read_bytes(), context, origin="x", now=NOON.replace(year=2027)).events
        days[zone] = len({event.conversation_id for event in events})  # type: ignore[attr-defined]

    assert days == {"Asia/Tokyo": 1, "Pacific/Auckland": 2}


def test_ignored_kinds_have_a_reason_and_unknown_kinds_are_dead_letters() -> None:
    """Groups, other modules, taps and unsent messages; a new kind of LINE becomes a dead letter."""
    done = translated(LINE, BODIES)

    assert done.ignored == {"follow": 1, "message in a group": 1, "message in standby": 1, "postback": 1, "unsend": 1}
    assert [each.reason for each in done.rejected] == ["unknown_kind"]


def test_the_shared_samples_are_understood() -> None:
    """LINE's own samples: of older accounts without webhookEventId, redelivered, and of kinds to come."""
    files = sorted(SHARED.glob("line.webhook.*.json"))
    require(files, f"the shared samples are not there: {SHARED}")
    done = translated(LINE, [(path.name, path.read_bytes()) for path in files])

    assert {event.event_id for event in done.events if event.type == "contact.message"} == {
        "01G2KZKG2DS765NMRH3GZFD8AP-message",
        "message-325708-message",
    }
    assert dict(done.ignored) == {"follow": 1, "message in a group": 1, "postback": 1, "unfollow": 1, "unsend": 1}
    assert [each.reason for each in done.rejected] == ["unknown_kind"]
