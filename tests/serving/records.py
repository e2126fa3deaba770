"""Metric records built by hand, and a serving application around a store that a test feeds."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp.test_utils import TestClient, TestServer

from schemas.times import parse_time_ms
from schemas.topics import DEFAULT_PREFIX
from streams.serving.alerts import Alerts
from streams.serving.api import Serving, create_app
from streams.serving.deliveries import Deliveries
from streams.serving.figures import Figures
from streams.serving.reading import Reading
from streams.serving.store import Store
from streams.serving.workers import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from aiohttp import web

__all__ = [
    "AS_OF",
    "EVERYTHING",
    "FIRED",
    "Backend",
    "Clock",
    "alert",
    "client_of",
    "figure",
    "heartbeat",
    "live_workers",
    "now_record",
    "people_now",
    "people_window",
    "person",
    "progress",
    "small_center",
    "window",
]

AS_OF = "2026-04-01T09:00:00Z"
FIRED = "2026-04-01T08:55:00Z"


def figure(
    value: float | None, numerator: float | None = None, denominator: float | None = None, coverage: float | None = None
) -> dict[str, Any]:
    """Return one KPI with its parts."""
    return {"value": value, "numerator": numerator, "denominator": denominator, "coverage": coverage}


def progress(partition: int = 0, *, revision: int = 1, as_of: str | None = AS_OF, **changes: Any) -> tuple[bytes, bytes]:
    """Return the progress record of a partition of queue-panes."""
    record = {
        "kind": "progress",
        "pane_partition": partition,
        "as_of": as_of,
        "complete_through": "2026-04-01T08:59:55Z",
        "stale_sources": [],
        "sources": {"pbx": "2026-04-01T09:00:00Z"},
        "revision": revision,
        **changes,
    }
    return f"progress|-|{partition}".encode(), orjson.dumps(record)


def _record(key: str, scope: str, channel: str | None, **fields: Any) -> tuple[bytes, bytes]:
    kind, _, name = scope.partition(":")
    record = {
        "scope_kind": kind,
        "scope": name,
        "channel": channel,
        "as_of": AS_OF,
        "complete_through": "2026-04-01T08:59:55Z",
        "revision": 1,
        **fields,
    }
    return f"{key}|{channel or '-'}|{scope}".encode(), orjson.dumps(record)


def window(
    scope: str, channel: str | None = "voice", *, name: str = "trailing_15m", kpis: Mapping[str, Any] | None = None, **changes: Any
) -> tuple[bytes, bytes]:
    """Return a window record, of contacts unless there is no channel."""
    fields = {
        "kind": "window",
        "window": name,
        "window_start": "2026-04-01T08:45:00Z",
        "window_end": "2026-04-01T09:00:00Z",
        "final": False,
        "late_events": 0,
        "definitions": {"service_level": "service_level@1"},
        "kpis": dict(kpis or {}),
        "counts": {},
        **changes,
    }
    return _record(name, scope, channel, **fields)


def now_record(scope: str, channel: str = "voice", **fields: Any) -> tuple[bytes, bytes]:
    """Return a now record about contacts."""
    return _record("now", scope, channel, kind="now", **fields)


def people_now(scope: str, states: Mapping[str, int], **changes: Any) -> tuple[bytes, bytes]:
    """Return a now record about agents."""
    return _record("now", scope, None, kind="now", agents_by_state=dict(states), **changes)


def people_window(scope: str, occupancy: Mapping[str, Any], **changes: Any) -> tuple[bytes, bytes]:
    """Return a window record about agents."""
    return window(scope, None, kpis={"occupancy": occupancy}, definitions={}, **changes)


def person(name: str, *, window: str = "day", **changes: Any) -> tuple[bytes, bytes]:
    """Return the record of an agent's day so far."""
    record = {
        "kind": "window",
        "scope_kind": "agent",
        "scope": name,
        "channel": None,
        "as_of": AS_OF,
        "complete_through": "2026-04-01T08:59:55Z",
        "revision": 1,
        "window": window,
        "window_start": "2026-03-31T15:00:00Z",
        "window_end": "2026-04-01T15:00:00Z",
        "final": False,
        "late_events": 0,
        "definitions": {},
        "kpis": {"occupancy": figure(0.75, 900, 1200, 1)},
        "counts": {"handling_ms": 900_000},
        **changes,
    }
    return f"{window}|-|agent:{name}".encode(), orjson.dumps(record)


def alert(scope: str = "queue:sales", channel: str | None = "voice", *, state: str = "firing", **changes: Any) -> tuple[bytes, bytes]:
    """Return an alert about a live service level of 31 of 50 below 80 %, since a minute before it fired."""
    kind, _, name = scope.partition(":")
    record = {
        "kind": "alert",
        "alert_id": f"id-{name}",
        "rule": "low-service-level",
        "severity": "critical",
        "scope_kind": kind,
        "scope": name,
        "channel": channel,
        "state": state,
        "since": "2026-04-01T08:54:00Z",
        "fired_at": None if state == "pending" else FIRED,
        "recovering_since": None,
        "cleared_at": AS_OF if state == "cleared" else None,
        "cleared_because": "recovered" if state == "cleared" else None,
        "kpi": "service_level_live",
        "window": "trailing_15m",
        "value": 0.62,
        "numerator": 31.0,
        "denominator": 50.0,
        "below": 0.8,
        "above": None,
        "clear_at": 0.8,
        "minimum_contacts": 10,
        "for_seconds": 60,
        "clear_for_seconds": 60,
        "definition": "service_level@1",
        "as_of": AS_OF if state == "cleared" else FIRED,
        "revision": {"pending": 1, "firing": 2, "cleared": 3}[state],
        **changes,
    }
    return f"alert|{record['rule']}|{channel or '-'}|{scope}".encode(), orjson.dumps(record)


def small_center() -> list[tuple[bytes, bytes]]:
    """Return the records of a center with two queues, one with few known figures, and one team."""
    busy = {
        "offered": figure(52, 52),
        "answered": figure(45, 45),
        "abandoned": figure(5, 5),
        "handled": figure(44, 44),
        "answer_rate": figure(0.9, 45, 50, 1),
        "abandon_rate": figure(0.1, 5, 50, 1),
        "service_level": figure(0.74, 37, 50, 1),
        "service_level_live": figure(0.7115384615384616, 37, 52, 1),
        "asa": figure(18.4, 828, 45, 1),
        "time_to_abandon": figure(41, 205, 5, 1),
        "att": figure(201.5, 8866, 44, 1),
        "average_hold": figure(None, 0, 0, 0),
        "acw": figure(31, 1240, 40, 0.9090909090909091),
        "aht": figure(233.2, 9328, 40, 0.9090909090909091),
        "non_response": figure(3, 3),
        "first_response_time": figure(18.5, 832.5, 45, 1),
        "csat": figure(4.25, 17, 4, 0.8),
        "nps": figure(-50, -100, 2, 0.4),
    }
    # 4 excluded for two reasons, 5 of two categories: a total and its labels, with special characters in texts.
    busy |= {"not_offered": figure(4, 4), "events_uncounted": figure(2, 2), "contacts_by_category": figure(5, 5)}
    busy |= {"csat_other_scales": figure(3, 3), "outbound_contacts": figure(8, 8), "outbound_talk_time": figure(62.5, 250, 4, 0.8)}
    labels = {
        "not_offered": {"closed": figure(1, 1), "full": figure(3, 3)},
        "events_uncounted": {"no_begin": figure(2, 2)},
        "csat_other_scales": {"0-1": figure(2, 2), "-103-103": figure(1, 1)},
        "contacts_by_category": {'料金 "基本"': figure(2, 2), "(other)": figure(3, 3)},
    }
    quiet = {kpi: figure(0, 0) for kpi in ("offered", "answered", "abandoned", "handled")}
    empty = {kpi: figure(None, 0, 0) for kpi in ("answer_rate", "service_level", "asa", "aht")}
    return [
        progress(0),
        progress(
            1,
            as_of="2026-04-01T08:59:59.5Z",
            sources={"pbx": "2026-04-01T08:59:58Z", "mail": "2026-04-01T08:00:00Z"},
            stale_sources=["mail"],
        ),
        window("queue:sales", kpis=busy, by_label=labels),
        window("queue:claims", "mail", kpis={**quiet, **empty, "abandon_rate": figure(None)}),
        now_record(
            "queue:sales", waiting=2, waiting_since="2026-04-01T08:58:48Z", longest_wait_seconds=70, in_progress=6, waiting_past_threshold=2
        ),
        now_record(
            "queue:claims",
            "mail",
            waiting=0,
            in_progress=0,
            callbacks_waiting=3,
            callbacks_overdue=1,
            backlog_untouched=0,
            backlog_in_progress=4,
            backlog_waiting_on_customer=7,
            backlog_on_hold=1,
            backlog_oldest_since="2026-03-30T09:00:00Z",
            backlog_oldest_seconds=172_799,
            backlog_by_age={"0-4h": 5, "4-24h": 4, "1-3d": 3, "3-7d": 0, "over-7d": 0},
            reply_overdue=2,
        ),
        now_record("total:all", waiting=2, waiting_since="2026-04-01T08:58:48Z", longest_wait_seconds=72, in_progress=6),
        people_window("team:north", figure(0.8125, 6500, 8000, 0.95)),
        people_now("team:north", {"handling": 6, "idle": 2, "unavailable": 1, "wrap_up": 1}),
        people_now("total:all", {"handling": 6, "idle": 2, "unavailable": 1, "wrap_up": 1}),
    ]


@dataclass
class Clock:
    """A wall clock that a test sets; seconds since the epoch."""

    seconds: float = parse_time_ms(AS_OF) / 1000 + 1

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


#: The partitions that two workers count together, by topic without prefix.
EVERYTHING = {"contact-events.v1": range(8), "agent-events.v1": range(8), "queue-panes.v1": range(4)}


def heartbeat(going_on: Mapping[str, Iterable[int]], worker: str = "w") -> bytes:
    """Return the heartbeat of a worker with these active partitions."""
    active = {f"{DEFAULT_PREFIX}.{name}": list(numbers) for name, numbers in going_on.items()}
    return orjson.dumps({"kind": "worker", "worker": worker, "member_id": "m", "going_on": active})


def live_workers(clock: Clock, without: Mapping[str, Iterable[int]]) -> Workers:
    """Return workers with fresh heartbeats for all partitions except some."""
    workers = Workers(DEFAULT_PREFIX, clock)
    workers.feed(heartbeat({name: set(numbers) - set(without.get(name, ())) for name, numbers in EVERYTHING.items()}))
    return workers


@dataclass
class Backend:
    """A store with the status of its reader: what an application serves from."""

    store: Store = field(default_factory=Store)
    alerts: Alerts = field(default_factory=Alerts)
    deliveries: Deliveries = field(default_factory=Deliveries)
    ready: bool = True
    connected: bool = True
    missing: bool = False
    reached: bool = True
    since_ms: int = 0
    reading: Reading | None = None
    clock: Clock = field(default_factory=Clock)
    workers: Workers | None = None

    @classmethod
    def fed(cls, records: list[tuple[bytes, bytes]]) -> Backend:
        """Return a backend fed with ``records``."""
        backend = cls()
        for key, value in records:
            assert backend.store.feed(key, value)
        return backend

    def with_alerts(self, *records: tuple[bytes, bytes]) -> Backend:
        """Return the backend, fed with alerts too."""
        read = Alerts()
        for key, value in records:
            assert read.feed(key, value)
        self.alerts.take_over(read)
        return self

    def serving(self, **changes: Any) -> Serving:
        """Return the application's state for the store."""
        return Serving(
            Figures(
                self.store,
                self,
                self.clock,
                changes.pop("targets", {}),
                self.alerts,
                changes.pop("fed_by", {}),
                changes.pop("kpi_targets", ()),
                self.workers,
            ),
            **changes,
        )


@contextlib.asynccontextmanager
async def client_of(serving: Serving) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Run the application on a free port."""
    async with TestClient(TestServer(create_app(serving))) as client:
        yield client
