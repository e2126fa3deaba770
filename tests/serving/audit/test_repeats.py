"""Repeats are recorded once per interval and counted; texts of clients are bounded; every action has its texts."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from schemas.audit import ACTIONS, Actor, AuditObject, AuditRecord, Outcome, encode_audit
from streams.serving.audit.auditor import audit_record
from streams.serving.audit.repeats import MANY_CLIENTS, Repeats
from streams.serving.audit.texts import ACTION_TEXTS, OUTCOME_TEXTS, REASON_TEXTS, object_text

ANNA = Actor(kind="user", name="anna")


def denied(address: str = "192.0.2.1", endpoint: str = "GET /api/v1/agents", actor: Actor = ANNA) -> AuditRecord:
    """Return a denial."""
    about = AuditObject(endpoint=endpoint)
    return audit_record("denied", "refused", actor=actor, instance="test", at=1.0, client_address=address, about=about)


def test_repeats_are_counted_and_recorded_once() -> None:
    """Of five equal ones within a minute the first passes, the last is recorded with the number of the other four; then it restarts."""
    repeats = Repeats(60)
    records = [denied() for _ in range(5)]

    assert [repeats.is_first(record, float(now)) for now, record in enumerate(records)] == [True, False, False, False, False]
    assert list(repeats.ended(59.9)) == []
    (repeated,) = repeats.ended(60.0)
    assert (repeated.audit_id, repeated.times) == (records[4].audit_id, 4)
    assert list(repeats.ended()) == []
    assert repeats.is_first(records[0], 61.0)


def test_a_single_record_is_not_repeated() -> None:
    """A record that was not repeated leaves nothing behind."""
    repeats = Repeats(60)
    assert repeats.is_first(denied(), 0.0)
    assert list(repeats.ended(100.0)) == []
    assert len(repeats) == 0


@pytest.mark.parametrize(
    "other",
    [denied("192.0.2.2"), denied(endpoint="GET /api/v1/audit"), denied(actor=Actor(kind="token", name="anna"))],
    ids=["address", "endpoint", "actor"],
)
def test_what_differs_is_no_repeat(other: AuditRecord) -> None:
    """Another client, another object, another actor: each is recorded."""
    repeats = Repeats(60)
    assert repeats.is_first(denied(), 0.0)
    assert repeats.is_first(other, 0.0)


def test_addresses_of_one_network_are_one_client() -> None:
    """Of IPv6 a client has 2^64 addresses: they are no way to fill the topic."""
    repeats = Repeats(60)
    assert repeats.is_first(denied("2001:db8::1"), 0.0)
    assert not repeats.is_first(denied("2001:db8::2"), 0.0)
    assert repeats.is_first(denied("2001:db8:0:1::2"), 0.0)


def test_very_many_clients_take_bounded_room() -> None:
    """Beyond the most that are distinguished, all others are counted together."""
    repeats = Repeats(60, most=100)
    passed = [repeats.is_first(denied(f"10.0.{number // 256}.{number % 256}"), 0.0) for number in range(1000)]

    assert sum(passed) == 101
    assert len(repeats) == 101
    (repeated,) = repeats.ended()
    assert (repeated.reason, repeated.times, repeated.client_address) == (MANY_CLIENTS, 899, None)


def test_texts_of_clients_are_bounded() -> None:
    """Any input of a client gives a record, which stays small."""
    about = AuditObject(kpi="k" * 5000, scope="\ud800")
    record = audit_record("looked_at_contacts", actor=ANNA, instance="test", at=0.0, about=about, reason="r" * 301)
    key, value = encode_audit(record)

    assert (about.kpi, about.scope, record.reason) == ("k" * 299 + "…", "?", "r" * 299 + "…")
    assert len(key) + len(value) < 2000
    assert AuditRecord.model_validate_json(value) == record


def test_only_what_is_known_is_an_action() -> None:
    """A misspelled action is no record."""
    with pytest.raises(ValidationError):
        audit_record("log_in", actor=ANNA, instance="test", at=0.0)  # type: ignore[arg-type]


def test_every_action_and_outcome_has_words() -> None:
    """In both languages, each its own."""
    assert sorted(ACTION_TEXTS) == sorted(ACTIONS)
    assert sorted(OUTCOME_TEXTS) == sorted(get_args(Outcome))
    for words in (ACTION_TEXTS, OUTCOME_TEXTS):
        for which in (0, 1):
            texts = [pair[which] for pair in words.values()]
            assert all(texts)
            assert len(set(texts)) == len(texts)
    assert all(not japanese.isascii() for _, japanese in (*ACTION_TEXTS.values(), *OUTCOME_TEXTS.values(), *REASON_TEXTS.values()))


def test_an_object_in_one_line() -> None:
    """Scope, hashes, reason and number as people read them."""
    asked = AuditObject(endpoint="GET /api/v1/explain", scope_kind="queue", scope="billing", kpi="aht", window="day")
    changed = AuditObject(file="center.yaml", hash_before="aa", hash_after="bb")

    assert object_text(asked, None, 1, "en") == "queue:billing, GET /api/v1/explain, aht, window=day"
    assert object_text(changed, "a new site", 3, "en") == "center.yaml, aa → bb, (a new site), 3 times"
    assert object_text(changed, None, 3, "ja") == "center.yaml, aa → bb, 3 回"
    login = AuditObject(endpoint="POST /login")
    assert object_text(login, "wrong", 1, "en") == "POST /login, (name or password is wrong)"
    assert object_text(login, "wrong", 3, "ja") == "POST /login, (ユーザー名またはパスワードが違います), 3 回"
    assert object_text(changed, "現場の追加", 1, "ja") == "center.yaml, aa → bb, (現場の追加)"
