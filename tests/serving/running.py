"""A running server of a full center, with access control: a token with every right, and one that sees a single site."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from aiohttp import web

from schemas.audit import Actor, AuditObject
from streams.configuration import Configuration
from streams.listening import ConnectionLimits, Connections, HttpServer
from streams.listening.tokens import TOKEN_FORM, hash_of
from streams.serving.agents import Agents
from streams.serving.api import create_app
from streams.serving.audit.auditor import audit_record
from streams.serving.audit.log import AuditLog
from streams.serving.call_backs import CallBacks, contacts_of
from streams.serving.door import Door
from streams.serving.event_log import EventLog, Limits
from streams.serving.explainer import Explainer
from streams.serving.login.login import Login
from streams.serving.people import People
from streams.windows.targets import terms_of
from tests.serving.alerting.memory import MemoryActionLog, known_actions
from tests.serving.audit.held import HeldAuditLog
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.login.desk import MemoryLog, Topic
from tests.serving.records import AS_OF, Backend, alert, now_record, people_window, person, progress, small_center, window
from tests.serving.test_door import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.serving.api import Serving

__all__ = ["ALL", "FEW", "full", "guarded", "reading", "serving"]

#: Nothing listens there: what reads Kafka has it answer 503.
NO_KAFKA: Final = "127.0.0.1:9"
ALL, FEW = (TOKEN_FORM + character * 43 for character in "ab")


def full(**changes: Any) -> Serving:
    """Return a center with a record of every kind, each with all the fields that a record may have, a target of each kind, and people."""
    level = {"value": 0.74, "numerator": 37.0, "denominator": 50.0, "coverage": 1.0}
    records = [
        *small_center(),
        window(
            "queue:sales",
            name="interval_15m",
            kpis={"offered": {"value": 52.0, "numerator": 52.0}, "service_level": level},
            by_definition={"fast@1": {"service_level": level}},
            by_outcome={"kpis": {"offered": {"value": 51.0}}},
            exceptions=["golden week"],
            counts={"offered": 52},
        ),
        window("queue:sales", name="day", window_end="2026-04-01T15:00:00Z", kpis={"service_level": level}),
        window("queue:sales", name="day", channel="chat", without_exceptions={"kpis": {"service_level": level}}),
        people_window("queue:sales", level, name="day"),
        (
            b"definition|service_level@1",
            orjson.dumps(
                {
                    "kind": "definition",
                    "name": "service_level",
                    "version": 1,
                    "effective_from": None,
                    "known_since": AS_OF,
                    "content": {"threshold_seconds": 20},
                    "revision": 1,
                }
            ),
        ),
        progress(
            2,
            quarantined_sources={"chat": {"reason": "bad_records", "since": AS_OF, "partitions": 2, "records": 4}},
            beyond_limits={"pbx": {"queues": 3}},
            journals={"cdr": AS_OF},
            sources={"pbx": AS_OF, "chat": AS_OF, "cdr": AS_OF},
        ),
    ]
    backend = Backend.fed(records).with_alerts(*(alert(f"queue:{state}", state=state) for state in ("pending", "firing", "cleared")))
    backend.store.feed(*progress(3, as_of="2026-04-01T08:00:00Z"), 3)
    backend.store.feed(*now_record("queue:late", waiting=1), 3)
    backend.store.expected = frozenset({"never"})
    read = Agents()
    assert read.feed(*person("tanaka", exceptions=["golden week"], without_exceptions={"kpis": {"occupancy": level}}))
    agents = Agents()
    agents.take_over(read)
    configuration = Configuration.model_validate(
        {
            "queues": {"sales": {"channel": "voice", "target": 0.8}},
            "targets": [
                {"kpi": "asa", "scope": "queue:sales", "window": "trailing_15m", "target": 15, "start_value": 30, "unit": "seconds"}
                | {"start_date": "2026-01-01", "due": "2026-12-31"},
                {"kpi": "waiting", "scope": "queue:sales", "target": 3, "unit": "contacts"},
                {"kpi": "offered", "scope": "total:all", "window": "day", "low": 90, "high": 110, "unit": "contacts"},
            ],
        }
    )
    permits = Configuration.model_validate(
        {"sites": {"tokyo": {"zone": "Asia/Tokyo", "individual_figures": True}}, "people": {"tanaka": {"site": "tokyo"}}}
    )
    at = "2026-04-01T08:50:00.000Z"
    away = HeldLog([agent_event(at, "tanaka", "presence", "away", reason="lunch")])
    queued = contact_event("queued", at, "gone", queue="sales", channel="voice")
    gone = [queued, contact_event("ended", at, "gone", by="customer")]
    people = People(away, lambda: permits, backend.clock)
    call_backs = CallBacks(contacts_of(HeldLog(gone), lambda: permits, backend.clock))
    rest: dict[str, Any] = {
        "agents": agents,
        "people": people,
        "call_backs": call_backs,
        "explainer": Explainer(HeldLog(gone, incomplete="a part"), lambda: permits, Limits()),
        "targets": {"sales": 0.8},
        "fed_by": {"queue:sales": ["pbx"]},
    }
    actions = known_actions()
    actions.concerns = backend.alerts.resend
    made = backend.serving(**{**rest, "kpi_targets": terms_of(configuration), "action_log": MemoryActionLog(actions), **changes})
    made.figures.actions = actions
    made.figures.past.known = True
    for state in ("firing", "cleared"):
        assert made.figures.past.feed(*alert(f"queue:{state}", state=state))
    by, at = {"kind": "user", "name": "tanaka"}, "2026-04-01T09:00:00.000Z"
    held = {"kind": "silence", "silence_id": "s1", "rule": None, "scope": "queue:firing", "reason": "drill", "by": by, "at": at}
    assert actions.feed(b"silence|s1", orjson.dumps({**held, "until": "2026-04-02T09:00:00.000Z"}))
    acknowledged = {"kind": "acknowledged", "alert_id": "id-firing", "rule": "low-service-level", "scope_kind": "queue", "scope": "firing"}
    assert actions.feed(b"acknowledged|id-firing", orjson.dumps({**acknowledged, "channel": "voice", "by": by, "at": at}))
    return made


def reading() -> dict[str, Any]:
    """Return what reads events and records that a test holds, in place of Kafka: for a server that answers all that it may be asked."""
    configuration = Configuration.model_validate({"queues": {"sales": {"channel": "voice"}}})
    events = [
        contact_event("queued", "2026-04-01T08:50:00.000Z", "one", queue="sales", channel="voice"),
        contact_event("answered", "2026-04-01T08:50:10.000Z", "one", agent="tanaka"),
        contact_event("queued", "2026-04-01T08:51:00.000Z", "two", queue="sales", channel="voice"),
        contact_event("left_queue", "2026-04-01T08:51:30.000Z", "two", reason="abandoned"),
    ]
    by: dict[str, Any] = {"actor": Actor(kind="user", name="tanaka"), "instance": "serve@a/1", "at": 1_775_000_000.0}
    records = [
        audit_record("login", client_address="192.0.2.7", places=("site:tokyo",), **by),
        audit_record("looked_at_contacts", about=AuditObject(scope_kind="queue", scope="sales", kpi="asa", window="day"), **by),
        audit_record("denied", "refused", reason="wrong", **by),
    ]
    return {
        "explainer": Explainer(HeldLog(events), lambda: configuration, Limits()),
        "audit_log": lambda: HeldAuditLog(records),
    }


def guarded(**changes: Any) -> tuple[Serving, Held]:
    """Return the center, and its access file."""
    configuration = Configuration.model_validate(
        {
            "sites": {"tokyo": {"zone": "Asia/Tokyo"}},
            "queues": {"sales": {"channel": "voice", "site": "tokyo"}, "claims": {"channel": "mail"}},
        }
    )
    access = Held(
        requests_per_minute=1_000_000,
        tokens={
            "all": {"hashes": [hash_of(ALL)], "roles": [{"role": role} for role in ("supervisor", "auditor", "operator")]},
            "few": {"hashes": [hash_of(FEW)], "roles": [{"role": "viewer", "sites": ["tokyo"]}]},
        },
    )
    topic = Topic()
    login = Login(access, secure=False, devices=topic.server(), log=MemoryLog(topic))
    without_kafka: dict[str, Any] = {
        "explainer": Explainer(EventLog(NO_KAFKA, "none"), lambda: configuration, Limits(megabytes=1, seconds=2)),
        "audit_log": lambda: AuditLog(NO_KAFKA, "none"),
    }
    made = full(
        door=Door(access, configuration=lambda: configuration, identifiers=login.identifiers, login="/login"),
        login=login,
        **{**without_kafka, **changes},
    )
    return made, access


def end_streams_after(app: web.Application, seconds: float) -> None:
    """Have each event stream of an application end by itself, in order, so that a client that reads to the end comes to one."""

    @web.middleware
    async def ended(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.match_info.route.name != "events":
            return cast("web.StreamResponse", await handler(request))
        try:
            async with asyncio.timeout(seconds):
                return cast("web.StreamResponse", await handler(request))
        except TimeoutError:
            return cast("web.StreamResponse", request["begun"])

    async def begun(request: web.Request, response: web.StreamResponse) -> None:
        request["begun"] = response

    app.middlewares.append(ended)
    app.on_response_prepare.append(begun)


@contextmanager
def serving(*, stream_seconds: float | None = None, **changes: Any) -> Iterator[str]:
    """Run it in a thread of its own; yield its address. Event streams end after the given time, or not at all."""
    loop = asyncio.new_event_loop()
    served, _ = guarded(**changes)

    async def start() -> tuple[HttpServer, str]:
        app = create_app(served)
        if stream_seconds is not None:
            end_streams_after(app, stream_seconds)
        server = HttpServer(app, Connections(ConnectionLimits()), shutdown_timeout=0.5)
        return server, await server.start("127.0.0.1", 0)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = None
    try:
        server, address = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield address
    finally:
        if server is not None:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
