"""Customers of the last release are handed on once, in portions, each with the rows that it takes out of the old state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streams.stages import customers_before
from streams.stages.customers import CustomerTopics
from streams.stages.customers_before import CustomersBeforeStage
from streams.tracking.customer_facts import customer_partition

TOPICS = CustomerTopics("panes", 1, "facts", 2, "links", "contacts", 1, "before")
CONTACT = ["k0", 5, "sales", "voice", None, True, False]
LINK = {"links": {"l": [7, "k1"]}}


def state() -> dict[bytes, bytes]:
    """Return rows as the last release wrote them: ten customers, one with a link, and what it had of parts and windows."""
    rows: dict[str, dict[str, Any]] = {f"k{number}": {"base": [None, number]} for number in range(10)}
    rows["k0"] |= {"contacts": {"c\x1fswitch": CONTACT}}
    rows["k3"] |= LINK
    encoded = {b"s|" + key.encode(): orjson.dumps(row) for key, row in rows.items()}
    return {**encoded, b"m": b"[]", b"w|window|customers_day|-|total:all|0": b"[1,2]"}


def stage(rows: dict[bytes, bytes], facts: dict[bytes, bytes] | None = None) -> CustomersBeforeStage:
    """Return a stage that has been restored."""
    found = CustomersBeforeStage(TOPICS)
    found.restore("state", rows.items())
    found.restore("before", (facts or {}).items())
    return found


def test_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each flush moves some, reports that there are more, and is durable by itself: a restart continues with the remaining ones."""
    monkeypatch.setattr(customers_before, "_AT_ONCE", 4)
    rows, moved, mores = state(), list[str](), list[bool]()
    for _ in range(3):
        flush = stage(rows).collect()
        mores.append(flush.more)
        for key, value in flush.rows:
            rows = {**{each: kept for each, kept in rows.items() if each != key}, **({} if value is None else {key: value})}
        published = [(output, orjson.loads(output.value or b"")) for output in flush.outputs]
        moved += [fact["customer_key"] for _, fact in published if fact["kind"] == "moved"]
        assert all(output.partition == customer_partition(fact["customer_key"], 2) for output, fact in published if fact["kind"] == "moved")

    assert mores == [True, True, False]
    assert sorted(moved) == [f"k{number}" for number in range(10)]
    assert rows == {b"done": b"true"}
    assert [output.partition for output, fact in published if fact["kind"] == "progress"] == [0, 1]


def test_links_come_first_and_to_their_own_topic() -> None:
    """Rows are handed on without them."""
    published = [(output.topic, orjson.loads(output.value or b"")) for output in stage(state()).collect().outputs]

    assert published[0] == ("links", {"kind": "link", "event_id": "l", "customer_key": "k3", "linked_key": "k1", "at_ms": 7})
    assert all("links" not in fact["row"] for _, fact in published if fact["kind"] == "moved")


def test_facts_that_had_not_been_counted() -> None:
    """The last of each key counts: a moved contact leaves one customer and joins the other; an order is added."""
    known = {"start_ms": 5, "queue": "sales", "channel": "voice", "category": "billing", "resolved": True, "first_contact": True}
    contact = {"kind": "contact", "conversation_id": "c", "id_space": "switch", "customer_key": "k5", **known}
    order = {"kind": "order", "event_id": "e", "id_space": "shop", "customer_key": "new", "at_ms": 9, "sequence": 0}
    order |= {"order_id": "o", "value_milli": 1, "currency": "JPY"}
    flush = stage(state(), {b"contact|c": orjson.dumps(contact), b"event|e": orjson.dumps(order)}).collect()
    rows = {fact["customer_key"]: fact["row"] for fact in (orjson.loads(o.value or b"") for o in flush.outputs) if fact["kind"] == "moved"}

    assert rows["k0"]["contacts"] == {}
    assert list(rows["k5"]["contacts"].values()) == [[5, "sales", "voice", "billing", True, True]]
    assert rows["new"]["orders"] == {"e\x1fshop": [9, "o\x1fshop", 1, "JPY"]}


def test_done_once() -> None:
    """With nothing left it publishes only its progress again, for partitions that were recreated."""
    flush = stage({b"done": b"true"}, {b"event|e": orjson.dumps({"kind": "status"})}).collect()

    assert flush.rows == []
    assert {orjson.loads(output.value or b"")["kind"] for output in flush.outputs} == {"progress"}


def test_a_worker_of_the_last_release_still_runs() -> None:
    """Its records would count twice or not at all: the new worker ends, and its message names what to do."""
    with pytest.raises(RuntimeError, match="Stop all of them"):
        stage(state()).process([SimpleNamespace(value=b"{}")])
