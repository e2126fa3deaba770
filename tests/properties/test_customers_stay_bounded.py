"""Weeks of customers, forecasts, plans and self-service at one rate: what is kept once all retention has passed does not grow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
from msgspec.json import encode

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.engine.stage import Flush, Output
from streams.stages.customer_links import CustomerLinkStage
from streams.stages.customers import CustomerEventStage, CustomerStage, CustomerTopics
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from streams.windows.customer_merge import CustomerMerge
from tests.properties.compacted import compact

if TYPE_CHECKING:
    from collections.abc import Iterator


START_MS = parse_time_ms("2026-06-01T00:00:00Z")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
#: Six days of retention, one of repeats and five more; published windows are kept for two months.
DAYS, COMPARED_FROM = 100, 80

CONFIGURATION = Configuration.model_validate(
    {
        # Here retention bounds the queues that come and go.
        "source_limits": {"max_new_queues": None},
        "queues": {"sales": {"channel": "voice"}, "helper": {"channel": "bot"}},
        "teams": {"red": {}},
        "customers": {"repeat_days": 1, "order_window_days": 3, "retention_days": 6},
        "counting": {"person_timeout_seconds": 20_000, "closed_retention_seconds": 40_000},
    }
)


def event(name: str, kind: str, at_ms: int, **fields: Any) -> dict[str, Any]:
    """Return an event as the topics have it."""
    return {"event_id": name, "type": kind, "occurred_at": format_ms(at_ms), "received_at": format_ms(at_ms), "source": "all", **fields}


def six_hours(number: int, at_ms: int) -> Iterator[dict[str, Any]]:
    """Yield the events of six hours: customers never seen again, two of them linked, sessions without end, plans and forecasts."""
    one, two = f"v1:{number}a", f"v1:{number}b"
    for step, key in enumerate((one, two, one)):
        call = {"conversation_id": f"c{number}.{step}"}
        begin = at_ms + step * 600_000
        yield event(f"{number}.{step}.0", "contact.arrived", begin, **call, channel="voice", customer_key=key)
        yield event(f"{number}.{step}.1", "contact.queued", begin + 1, **call, queue="sales")
        yield event(f"{number}.{step}.2", "contact.ended", begin + 60_000, **call, by="customer")
    bot = {"conversation_id": f"b{number}"}
    yield event(f"{number}.b", "contact.arrived", at_ms + 5, **bot, channel="bot", customer_key=one)
    yield event(f"{number}.q", "contact.queued", at_ms + 6, **bot, queue="helper")
    order = {"customer_key": two, "order_id": f"o{number}"}
    yield event(f"{number}.o", "order.placed", at_ms + HOUR_MS, **order, value=10, currency="JPY")
    yield event(f"{number}.x", "order.cancelled", at_ms + 2 * HOUR_MS, **order)
    yield event(f"{number}.l", "customer.linked", at_ms + HOUR_MS, customer_key=one, linked_key=two)
    yield event(f"{number}.a", "customer.activated", at_ms + HOUR_MS, customer_key=one)
    yield event(f"{number}.z", "customer.churned", at_ms + 3 * HOUR_MS, customer_key=one)
    coming = {"interval_start": format_ms(at_ms + DAY_MS), "interval_seconds": 1800, "volume": 20, "handle_seconds": 300, "staff": 5}
    yield event(f"{number}.f", "forecast.set", at_ms, queue="sales", **coming)
    yield event(f"{number}.g", "forecast.set", at_ms, queue=f"only-{number}", channel="voice", **coming)
    for person in ("steady", f"p{number}"):
        plan = {"start": format_ms(at_ms + DAY_MS), "end": format_ms(at_ms + DAY_MS + HOUR_MS), "activity": "work"}
        yield event(f"{number}.p.{person}", "schedule.planned", at_ms, person_id=person, **plan)
        yield event(f"{number}.h.{person}", "agent.heartbeat", at_ms, person_id=person)


class Worker:
    """The stages of one partition each, with what Kafka's compacted topics would hold."""

    def __init__(self) -> None:
        topics = TrackTopics("contacts", "panes", 1, "dead", "group", lambda: 0, "facts", 1)
        self.contacts = ContactStage(0, CONFIGURATION, topics)
        self.agents = AgentStage(0, CONFIGURATION, topics._replace(source="agents", customer_facts=""))
        self.events = CustomerEventStage(0, CONFIGURATION, topics._replace(source="events"))
        customers = CustomerTopics("panes", 1, "facts", 1, "customer-links", "contacts", 1)
        self.links, self.customers = CustomerLinkStage(CONFIGURATION, customers), CustomerStage(0, CONFIGURATION, customers)
        self.merge = CustomerMerge(CONFIGURATION, 1)
        names = ("contacts", "agents", "events", "customers", "links", "panes", "latest")
        self.compacted: dict[str, dict[bytes, bytes]] = {name: {} for name in names}

    def process(self, events: list[dict[str, Any]]) -> None:
        """Process events, each in its stage, and flush everything."""
        of: dict[str, list[dict[str, Any]]] = {"contacts": [], "agents": [], "events": []}
        for each in events:
            names = list(of) if each["type"].startswith("source.") else [_place(each)]
            for name in names:
                of[name].append(each)
        for name, stage in (("contacts", self.contacts), ("agents", self.agents), ("events", self.events)):
            stage.process([record(each) for each in of[name]])
            flush = stage.collect()
            assert [output.value for output in flush.outputs if output.topic == "dead"] == []
            self._pass_on(name, flush)
        for _ in range(2):
            self._pass_on("links", self.links.collect())
            self._pass_on("customers", self.customers.collect())
        news = self.merge.changed_records()
        compact(
            self.compacted,
            "rows of none",
            Flush([], [Output("latest", 0, key.encode(), None if record is None else encode(record)) for key, record in news]),
        )

    def _pass_on(self, name: str, flush: Flush) -> None:
        compact(self.compacted, name, flush)
        for output in flush.outputs:
            key = (output.key or b"").decode()
            if output.topic == "panes" and key.startswith("customer_"):
                self.merge.apply(key, None if output.value is None else orjson.loads(output.value))
        for topic, stage in (("facts", self.customers), ("customer-links", self.links)):
            stage.process([output for output in flush.outputs if output.topic == topic])  # type: ignore[misc]

    def sizes(self) -> dict[str, int]:
        """Return the number of entries of every store, and the bytes that a restart would read."""
        customers, merge = self.customers.tracker, self.merge
        return {
            "conversations": len(self.contacts.tracker.conversations),
            "people": len(self.agents.tracker.agents),
            "plans and facts": sum(len(person.facts) + len(person.ids) for person in self.agents.tracker.agents.values()),
            "forecasts": sum(map(len, self.events.tracker.forecasts.values())),
            "places of forecasts": len(self.events.tracker.forecasts),
            "slices of forecasts": len(self.events.tracker.slices),
            "customers": len(customers.customers),
            "contacts of customers": sum(len(customer.contacts) for customer in customers.customers.values()),
            "linked": len(self.links.tracker.families) + len(customers.families._of),
            "cohorts": len(customers.contact_days),
            "dates": len(customers.days._changes) + len(customers.months._changes),
            "sums": len(self.customers.sums._keys) + sum(map(len, merge._sums.values())),
            "windows": sum(len(each) for each in vars(merge.windows).values() if isinstance(each, dict)),
            **{f"rows of {name}": len(rows) for name, rows in self.compacted.items()},
            **{f"bytes of {name}": sum(map(len, rows.values())) for name, rows in self.compacted.items()},
        }


def _place(each: dict[str, Any]) -> str:
    if "conversation_id" in each:
        return "contacts"
    return "agents" if "person_id" in each else "events"


def record(each: dict[str, Any]) -> Any:
    """Return an event as the topics have it."""
    return SimpleNamespace(topic="t", partition=0, offset=0, timestamp=10**15, key=None, value=orjson.dumps(each), headers=())


def test_the_last_weeks_are_no_larger() -> None:
    """Customers, links, forecasts of queues that come and go, plans and sessions without end all leave, with their rows."""
    worker = Worker()
    sizes: dict[int, dict[str, int]] = {}
    for number in range(DAYS * 4):
        at_ms = START_MS + number * 6 * HOUR_MS
        events = sorted(six_hours(number, at_ms), key=lambda each: str(each["received_at"]))
        end_ms = at_ms + 6 * HOUR_MS
        worker.process([*events, event(f"beat.{number}", "source.heartbeat", end_ms, complete_through=format_ms(end_ms))])
        if number % 4 == 3:
            sizes[number // 4 + 1] = worker.sizes()
    early, late = sizes[COMPARED_FROM], sizes[DAYS]

    assert early["customers"] > 20
    assert early["forecasts"] > 5
    grown = {name: (early[name], late[name]) for name in early if late[name] > 1.05 * early[name] + 3}
    assert grown == {}
