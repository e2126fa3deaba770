"""Orders of NEXT ENGINE, TEMPOSTAR and by webhook: which count, with what value, and only a keyed hash of the buyer passes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import encode
from schemas.other import CustomerLinked, CustomerModel, OrderCancelled, OrderPlaced
from schemas.times import to_ms
from streams.configuration import Configuration
from streams.connectors.kit.model import Context
from streams.connectors.kit.translating import translate
from streams.connectors.platforms import connector
from streams.replay import Replay
from tests.support.platforms import SHARED, counted, fixture, translated
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.base import Event

NOW = datetime(2026, 4, 8, tzinfo=UTC)
PERSONAL = (b"hanako", b"taro", b"5555", "花子".encode(), "花子".encode("cp932"))

#: Connector, file, settings → order id and value of those that count, and ids of cancelled ones.
FILES: list[tuple[str, str, dict[str, Any], dict[str, float], set[str]]] = [
    # Of six slips: one is cancelled, one is deleted, one is a part of another; one was merged into another and is an order all the same.
    ("next-engine", "slips.json", {}, {"7001": 5500, "7002": 3300, "7004": 800}, {"7003", "7007"}),
    # (3000 + 2000) + 500 shipping once; 3000 + 300.
    ("tempostar", "orders.csv", {}, {"K-1": 5500, "K-2": 3300}, set()),
    ("tempostar", "orders.csv", {"cancelled_codes": ["9"]}, {"K-1": 5500}, {"K-2"}),
    ("order-webhook", "events.jsonl", {}, {"w-1": 5500, "w-2": 3300}, {"w-3"}),
]
FILE = pytest.mark.parametrize(("name", "file", "settings", "valid", "cancelled_ids"), FILES)


def valid_and_cancelled(events: Iterable[Event]) -> tuple[dict[str, float | None], set[str]]:
    """Return the valid orders with their value in yen, and the cancelled ones."""
    placed, cancelled = {}, set()
    for event in events:
        assert isinstance(event, CustomerModel)
        if isinstance(event, OrderPlaced):
            assert event.currency == "JPY"
            placed[str(event.order_id)] = event.value
        elif isinstance(event, OrderCancelled):
            cancelled.add(str(event.order_id))
    return {order: value for order, value in placed.items() if order not in cancelled}, cancelled


@FILE
@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_orders(name: str, file: str, settings: dict[str, Any], valid: dict[str, float], cancelled_ids: set[str], seed: int | None) -> None:
    """In the order of the file, and shuffled with each record up to three times, the same orders are valid."""
    done = translated(connector(name), [(file, fixture(name, file))], settings=settings, seed=seed)
    assert done.rejected == []
    assert valid_and_cancelled(done.events) == (valid, cancelled_ids)
    assert not counted(done.events)["dead_letters"]
    ids = [event.event_id for event in done.events]
    if connector(name).compare is not None:
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("name", "file", "valid", "cancelled_ids"),
    [
        ("next-engine", "DERIVED.next-engine.receiveorder-search.json", {"1001": 5500, "1002": 3300}, {"1003"}),
        ("tempostar", "DERIVED.tempostar.orders.cp932.csv", {"T-1": 5500, "T-2": 3300}, set()),
    ],
)
def test_collected_files(name: str, file: str, valid: dict[str, float], cancelled_ids: set[str]) -> None:
    """The collected files give the figures worked out by hand: 8,800 yen of two orders."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    done = translated(connector(name), [(file, (SHARED / file).read_bytes())])
    assert done.rejected == []
    assert valid_and_cancelled(done.events) == (valid, cancelled_ids)
    assert sum(valid.values()) == 8800


def test_repeat_customers() -> None:
    """Three orders of one customer, one cancelled: a repeat customer, by two; another one with one order is none."""
    done = translated(connector("next-engine"), [("slips", fixture("next-engine", "slips.json"))])
    replay = Replay(Configuration(), figures_only=True)
    for event in done.events:
        replay.add(encode(event), "customer")
    rate = replay.finish(to_ms(NOW))["customers"][-1]["kpis"]["repeat_customer_rate"]
    assert (rate["numerator"], rate["denominator"]) == (1, 2)


def test_times_of_japan() -> None:
    """Times without an offset are those of Japan."""
    done = translated(connector("next-engine"), [("slips", fixture("next-engine", "slips.json"))])
    at = {event.event_id: event.occurred_at for event in done.events}
    assert at["order-7001-placed"] == datetime(2026, 4, 5, 23, 10, tzinfo=UTC)
    assert at["order-7003-cancelled"] == datetime(2026, 4, 6, 1, 30, tzinfo=UTC)
    done = translated(
        connector("tempostar"),
        [("ordership20260406123000utf8.csv", fixture("tempostar", "orders.csv"))],
        settings={"cancelled_codes": ["9"]},
    )
    at = {event.event_id: event.occurred_at for event in done.events}
    assert at["order-K-2-placed"] == datetime(2026, 4, 6, 0, 20, 30, tzinfo=UTC)
    # No column has the time: the file's name has.
    assert at["order-K-2-cancelled"] == datetime(2026, 4, 6, 3, 30, tzinfo=UTC)


def test_cancelled_later() -> None:
    """A slip that is first valid, then on hold, and cancelled at last: placed once, cancelled once."""
    slip = orjson.loads(fixture("next-engine", "slips.json"))["data"][0]
    steps = [
        {},
        {"receive_order_cancel_type_id": "12"},
        {"receive_order_cancel_type_id": "20", "receive_order_cancel_date": "2026-04-07 09:00:00"},
    ]
    bodies = [("search", orjson.dumps({"data": [{**slip, **step}]})) for step in (*steps, steps[-1])]
    done = translated(connector("next-engine"), bodies)
    assert [event.event_id for event in done.events] == ["order-7001-placed", "order-7001-cancelled"]


def test_a_customer_is_identified_by_mail_or_telephone() -> None:
    """One address in any writing is one customer; linked, the number is the same customer, under the key that calls have."""
    slips = fixture("next-engine", "slips.json")
    by_mail = translated(connector("next-engine"), [("s", slips)]).events
    keys = {event.event_id: event.customer_key for event in by_mail if isinstance(event, OrderPlaced)}
    assert keys["order-7001-placed"] == keys["order-7002-placed"] != keys["order-7004-placed"]
    context = Context(source="pbx", customer_key=lambda identity: f"key of {identity}", settings={"link": True})
    done = translate(connector("next-engine"), slips, context, origin="s", now=NOW)
    links = {event.linked_key for event in done.events if isinstance(event, CustomerLinked)}
    assert links == {"key of 0355550142"}
    by_telephone = translated(connector("next-engine"), [("s", slips)], settings={"customer": "telephone"}).events
    assert len({event.customer_key for event in by_telephone if isinstance(event, OrderPlaced)}) == 1


def test_without_a_key_nothing_passes() -> None:
    """Orders count by customer: without a key to hash it, they are dead letters that name the fix."""
    for name, file, *_ in FILES:
        done = translate(connector(name), fixture(name, file), Context(source="shop"), origin=file, now=NOW)
        assert done.events == []
        assert all("CONTACT_STREAMS_CUSTOMER_KEY" in each.detail for each in done.rejected)
        assert done.rejected
        assert not any(personal in each.raw for each in done.rejected for personal in PERSONAL)


@FILE
def test_nothing_personal_passes(name: str, file: str, settings: dict[str, Any], valid: dict[str, float], cancelled_ids: set[str]) -> None:
    """No name, address or number is in an event, nor in the stored state of an order."""
    states: dict[str, Any] = {}
    context = Context(source=name, customer_key=lambda identity: f"v1:{len(identity)}", settings=settings)
    done = translate(connector(name), fixture(name, file), context, origin=file, now=NOW, states=states)
    stored = orjson.dumps([*(event.model_dump(mode="json") for event in done.events), states])
    assert done.events
    assert not any(personal in stored for personal in PERSONAL)


@given(st.data())
def test_mutated_payloads_never_raise(data: st.DataObject) -> None:
    """With any value replaced, a record is translated, ignored or rejected for a reason, and shows nothing personal."""
    name = data.draw(st.sampled_from(["next-engine", "order-webhook"]))
    content = orjson.loads(fixture("next-engine", "slips.json"))["data"][0]
    if name == "order-webhook":
        content = orjson.loads(fixture("order-webhook", "events.jsonl").splitlines()[0])
    field = data.draw(st.sampled_from(sorted(content)))
    content[field] = data.draw(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20) | st.lists(st.integers(0, 9), max_size=2)
    )
    context = Context(source=name, customer_key=lambda identity: f"v1:{len(identity)}")
    done = translate(connector(name), orjson.dumps(content), context, origin="test", now=NOW)
    assert done.events or done.ignored or done.rejected
    assert all(each.reason != "not_understood" for each in done.rejected)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ("システム受注番号,受注日時\n" + text).encode()))
def test_any_table_is_read_or_refused(body: bytes) -> None:
    """With any bytes of a file, TEMPOSTAR's reader gives orders or a reason."""
    context = Context(source="t", customer_key=lambda identity: f"v1:{len(identity)}")
    done = translate(connector("tempostar"), body, context, origin="t.csv", now=NOW)
    assert all(each.reason for each in done.rejected)
