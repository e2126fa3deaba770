"""Agents' states, contacts behind figures and call-backs in the API; all expectations are by hand."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.configuration import Configuration
from streams.configuration.floor import Links
from streams.configuration.service_level import ServiceLevelDefinition
from streams.serving.agents import Agents
from streams.serving.audit import NoAudit
from streams.serving.broker import TopicError
from streams.serving.call_backs import CallBacks, contacts_of, links_of
from streams.serving.event_log import Limits, Span
from streams.serving.explainer import Explainer
from streams.serving.materialized import Materialized, UnreadError
from streams.serving.people import People
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.records import Backend, Clock, client_of, figure, person, small_center, window

CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"tokyo": {"zone": "Asia/Tokyo", "day_start": "17:00", "individual_figures": True}},
        "teams": {"north": {"site": "tokyo"}},
        "people": {name: {"team": "north"} for name in ("abe", "baba", "chiba")},
        "too_long_seconds": {"Toilet break": 300},
        "links": {"conversation": "https://pbx.example/calls/{conversation_id}", "sources": {"mail": "https://mail.example/?id={conversation_id}"}},
    }
)  # fmt: skip


def day(time: str) -> str:
    """Return an instant of the center's day, UTC."""
    return f"2026-04-01T{time}.000Z"


#: The figures are as of 09:00. Tokyo's day began at 08:00. Abe has been at lunch for 61 minutes, baba on a break of five minutes by the
#: words of the center, chiba in a call for an hour.
AGENTS = [
    agent_event(day("07:30:00"), "abe", "presence", "ready"),
    agent_event(day("07:59:00"), "abe", "presence", "Away", reason="Lunch"),
    agent_event(day("08:30:00"), "baba", "presence", "ready"),
    agent_event(day("08:55:00"), "baba", "presence", "toilet-break"),
    agent_event(day("08:00:00"), "chiba", "routing", "interacting"),
]
CONTACTS = [
    contact_event("arrived", day("08:50:00"), "call 1", channel="voice", customer_key="+81 3 1234 5678"),
    contact_event("queued", day("08:50:00"), "call 1", queue="sales"),
    contact_event("left_queue", day("08:50:42"), "call 1", reason="abandoned"),
    contact_event("queued", day("08:52:00"), "call/2", queue="sales", channel="voice"),
    contact_event("answered", day("08:52:10"), "call/2", agent="abe"),
    contact_event("queued", day("08:59:00"), "call 3", queue="sales", channel="voice"),
]


def configured() -> Configuration:
    """Return the configuration, one object as a running server has it."""
    return CONFIGURATION


class MemoryAudit(NoAudit):
    """Holds the audited records."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str | None]] = []

    async def recorded(self, action: Any, **more: Any) -> None:
        """Hold a record."""
        self.entries.append((action, more["about"].scope))


async def get(client: Any, path: str) -> tuple[int, Any]:
    """Return status and document."""
    answer = await client.get(path)
    return answer.status, await answer.json()


def serving(backend: Backend, **changes: Any) -> Any:
    """Return an application with agents and contacts."""
    read = Agents()
    assert read.feed(*person("abe", kpis={"occupancy": figure(0.75, 900, 1200, 1)}, counts={"handled": 14, "handling_ms": 900_000}))
    # A day that ended before now is not today's.
    assert read.feed(*person("baba", counts={"handled": 99}, window_start="2026-03-31T08:00:00Z", window_end=day("08:00:00")))
    agents = Agents()
    agents.take_over(read)
    return backend.serving(
        agents=agents,
        people=People(HeldLog(AGENTS), configured, backend.clock),
        explainer=Explainer(HeldLog(CONTACTS), configured, Limits()),
        call_backs=CallBacks(contacts_of(HeldLog(CONTACTS), configured, backend.clock)),
        **changes,
    )


def test_people_now() -> None:
    """State, reason, duration, limit and day of each agent; by team, queue and state; each request is audited."""

    async def check() -> None:
        backend, audit = Backend.fed(small_center()), MemoryAudit()
        async with client_of(serving(backend, audit=audit)) as client:
            status, document = await get(client, "/api/v1/people?strip=true")
            assert (status, document["people_as_of"], document["people_complete"], document["as_of"]) == (
                200,
                day("09:00:00"),
                True,
                day("09:00:00"),
            )
            abe, baba, chiba = document["people"]
            assert abe == {
                "person": "abe", "team": "north", "site": "tokyo", "queues": None, "state": "unavailable", "word": "Away",
                "reason": "Lunch", "since": day("07:59:00"), "seconds": 3660, "limit_seconds": 3600, "too_long": True, "handled": 14,
                "skills": None, "at_work": None, "occupancy": figure(0.75, 900, 1200, 1),
                "strip": [{"start": day("08:00:00"), "state": "unavailable", "reason": "Lunch"}],
            }  # fmt: skip
            assert [baba[name] for name in ("state", "word", "seconds", "limit_seconds", "too_long", "handled", "occupancy")] == [
                "unavailable", "toilet-break", 300, 300, False, None, None,
            ]  # fmt: skip
            assert [(each["start"], each["state"]) for each in baba["strip"]] == [
                (day("08:30:00"), "available"), (day("08:55:00"), "unavailable"),
            ]  # fmt: skip
            assert (document["reading"], document["sites"]) == (None, [{"site": "tokyo", "individual_figures": True}])
            # No limit is on calls unless one is configured.
            assert [chiba[name] for name in ("state", "seconds", "limit_seconds", "too_long")] == ["handling", 3600, None, False]

            assert [each["person"] for each in (await get(client, "/api/v1/people?state=unavailable&team=north"))[1]["people"]] == [
                "abe",
                "baba",
            ]
            for query in ("team=south", "queue=sales", "state=stale"):
                assert (await get(client, f"/api/v1/people?{query}"))[1]["people"] == []
            for wrong in ("state=asleep", "strip=yes"):
                assert (await get(client, f"/api/v1/people?{wrong}"))[0] == 400
        assert set(audit.entries) == {("looked_at_agents", None)}
        assert len(audit.entries) == 5
        async with client_of(backend.serving()) as client:
            assert (await get(client, "/api/v1/people"))[0] == (await get(client, "/api/v1/abandoned"))[0] == 404

    asyncio.run(check())


def test_contacts_behind_a_figure_and_whom_to_call() -> None:
    """Ids with their links, abandoned first; of the customer eight digits of a hash of the key; each request is audited."""

    async def check() -> None:
        audit = MemoryAudit()
        async with client_of(serving(Backend.fed([*small_center(), window("total:all", kpis={}, revision=2)]), audit=audit)) as client:
            status, document = await get(client, "/api/v1/contacts?queue=sales&kpi=offered")
            assert (status, document["window"], document["channel"], document["total"]) == (200, "trailing_15m", "voice", 3)
            # The record has 52: the answer says that these contacts do not add up to it.
            assert (document["agrees"], document["complete"]) == (False, True)
            shown = ("conversation_id", "outcome", "waited_seconds", "entered", "link")
            assert [[each[name] for name in shown] for each in document["contacts"]] == [
                ["call 1", "abandoned", 42, day("08:50:00"), "https://pbx.example/calls/call%201"],
                ["call 3", "waiting", 60, day("08:59:00"), "https://pbx.example/calls/call%203"],
                ["call/2", "answered", 10, day("08:52:00"), "https://pbx.example/calls/call%2F2"],
            ]  # fmt: skip
            waiting = (await get(client, "/api/v1/contacts?queue=sales&kpi=waiting"))[1]
            assert (waiting["window"], [each["conversation_id"] for each in waiting["contacts"]]) == (None, ["call 3"])
            limited = (await get(client, "/api/v1/contacts?queue=sales&kpi=offered&limit=1"))[1]
            assert (limited["total"], len(limited["contacts"])) == (3, 1)

            # All together, each with its queue.
            status, document = await get(client, "/api/v1/contacts?scope=total:all&kpi=waiting&channel=voice")
            assert (status, document["scope"], document["queue"], document["channel"]) == (200, "total:all", None, "voice")
            assert [(each["conversation_id"], each["queue"]) for each in document["contacts"]] == [("call 3", "sales")]

            status, document = await get(client, "/api/v1/abandoned?hours=2")
            assert (status, document["total"], document["complete"], document["since"]) == (200, 1, True, day("06:59:00"))
            assert (document["reading"], document["links_known"]) == (None, False)
            (customer,) = document["abandoned"]
            assert re.fullmatch(r"[0-9a-f]{8}", customer.pop("customer"))
            assert customer == {
                "conversation_id": "call 1", "source": "pbx", "queue": "sales", "channel": "voice", "left": day("08:50:42"),
                "first_left": day("08:50:42"),
                "waited_seconds": 42, "times": 1, "waits_again": False, "link": "https://pbx.example/calls/call%201",
                "platform": "pbx.example",
            }  # fmt: skip
            assert (document["short_total"], document["short_abandon_seconds"]) == (0, [])
            assert (document["got_through_total"], document["got_through"]) == (0, [])
            assert (await get(client, "/api/v1/abandoned?queue=claims"))[1]["abandoned"] == []
            for wrong in (
                "contacts?queue=sales",
                "contacts?queue=sales&kpi=waiting&window=week",
                "contacts?queue=sales&kpi=occupancy",
                "contacts?queue=sales&kpi=offered&label=x",
                "contacts?scope=team:north&kpi=waiting",
                "contacts?scope=site:nowhere&kpi=waiting",
                "contacts?scope=total:all&queue=sales&kpi=waiting",
                "contacts/reading?kpi=waiting",
                "abandoned?hours=25",
                "abandoned?limit=x",
                "abandoned?order=oldest",
            ):
                assert (await get(client, f"/api/v1/{wrong}"))[0] == 400, wrong
        assert audit.entries == [("looked_at_contacts", name) for name in ("sales", "sales", "sales", "all", None, "claims")]

    asyncio.run(check())


def test_short_abandonments_are_left_out_and_counted() -> None:
    """An abandonment after 42 s with a limit of 45 s is not listed but counted; in an unwanted queue it is not counted either."""
    short = CONFIGURATION.model_copy(update={"service_level": ServiceLevelDefinition(short_abandon_s=45)})
    backend = Backend.fed(small_center())

    async def totals(queue: str) -> list[Any]:
        made = CallBacks(contacts_of(HeldLog(CONTACTS), lambda: short, backend.clock))
        document = await made.document("x", 8, lambda name: name == queue, 9)
        return [document[name] for name in ("total", "abandoned", "got_through_total", "short_total", "short_abandon_seconds")]

    assert asyncio.run(totals("sales")) == [0, [], 0, 1, [45]]
    assert asyncio.run(totals("claims")) == [0, [], 0, 0, []]


def test_the_name_of_a_platform() -> None:
    """It is the configured name of the source, else the known name of its host, else the host; without a link there is none."""
    links = Links(
        conversation="https://pbx.example:8443/{conversation_id}",
        sources={
            "desk": "https://acme.zendesk.com/agent/tickets/{conversation_id}",
            "fake": "https://zendesk.com.example/{conversation_id}",
        },
        names={"crm": "Our CRM"},
    )
    assert [links.platform_of(source) for source in ("desk", "fake", "crm", "pbx", None)] == [
        "Zendesk", "zendesk.com.example", "Our CRM", "pbx.example", "pbx.example",
    ]  # fmt: skip
    assert Links().platform_of("pbx") is None


def link(at: str, one: str, other: str) -> dict[str, Any]:
    """Return a link between two keys of a customer."""
    common = {"type": "customer.linked", "event_id": f"{one}-{other}", "source": "crm", "customer_key": one, "linked_key": other}
    return {**common, "occurred_at": day(at), "received_at": day(at)}


def gave_up(contact: str, customer: str, begin: str, end: str) -> list[dict[str, Any]]:
    """Return a call that was given up."""
    return [
        contact_event("arrived", day(begin), contact, channel="voice", customer_key=customer),
        contact_event("queued", day(begin), contact, queue="sales", channel="voice"),
        contact_event("left_queue", day(end), contact, reason="abandoned"),
    ]


async def called(log: HeldLog, links: HeldLog | None, order: str = "newest") -> tuple[list[tuple[str, int]], bool]:
    """Return the customers to call back with their number of attempts, and whether links are known."""
    backend = Backend.fed(small_center())
    read = None if links is None else links_of(links, configured, backend.clock)
    made = backend.serving(call_backs=CallBacks(contacts_of(log, configured, backend.clock), read))
    async with client_of(made) as client:
        document = (await get(client, f"/api/v1/abandoned?order={order}"))[1]
    return [(each["conversation_id"], each["times"]) for each in document["abandoned"]], document["links_known"]


def test_a_customer_who_got_through_under_a_linked_key_is_not_listed() -> None:
    """Kato gave up under one key and got through under another: the link drops the call, whenever it arrives; mori stays."""
    events = [
        *gave_up("kato 1", "k1", "08:00:00", "08:00:30"),
        *gave_up("mori 1", "m1", "08:01:00", "08:01:30"),
        *gave_up("mori 2", "m2", "08:40:00", "08:40:20"),
        *gave_up("sato 1", "s1", "08:20:00", "08:20:20"),
        contact_event("arrived", day("08:30:00"), "kato 2", channel="voice", customer_key="k2"),
        contact_event("queued", day("08:30:00"), "kato 2", queue="claims", channel="voice"),
        contact_event("answered", day("08:30:10"), "kato 2", agent="abe"),
    ]

    async def check() -> None:
        unlinked = [("mori 2", 1), ("sato 1", 1), ("mori 1", 1), ("kato 1", 1)]
        assert await called(HeldLog(events), HeldLog([])) == (unlinked, True)
        for at in ("07:30:00", "08:15:00", "08:50:00"):
            links = HeldLog([link(at, "k2", "k1"), link(at, "m1", "m2")])
            assert await called(HeldLog(events), links) == ([("mori 2", 2), ("sato 1", 1)], True), at
            # Mori has been waiting for a call since 08:01:30, sato since 08:20:20.
            assert await called(HeldLog(events), links, "longest") == ([("mori 2", 2), ("sato 1", 1)], True)
        assert (await called(HeldLog(events), HeldLog([]), "longest"))[0] == unlinked[::-1]

    asyncio.run(check())


def test_a_link_that_arrives_after_both_calls_holds_for_the_next_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One request comes before the link and one after; if links cannot be read, the list lacks them and is marked so."""
    monkeypatch.setattr("streams.serving.materialized._FRESH_SECONDS", 0.0)
    events = [
        *gave_up("kato 1", "k1", "08:00:00", "08:00:30"),
        contact_event("arrived", day("08:30:00"), "kato 2", channel="voice", customer_key="k2"),
        contact_event("answered", day("08:30:10"), "kato 2", agent="abe", queue="sales"),
    ]

    async def check() -> None:
        backend, links = Backend.fed(small_center()), HeldLog([])
        made = CallBacks(contacts_of(HeldLog(events), configured, backend.clock), links_of(links, configured, backend.clock))

        async def ids() -> list[str]:
            document = await made.document("x", 8, lambda _: True, 9)
            return [each["conversation_id"] for each in document["abandoned"]]

        assert await ids() == ["kato 1"]
        links.records = HeldLog([link("08:45:00", "k1", "k2")]).records
        assert await ids() == []

        class Unreadable(HeldLog):
            async def events(self, *_: Any, **__: Any) -> Any:
                raise KafkaConnectionError

        assert await called(HeldLog(events), Unreadable([])) == ([("kato 1", 1)], False)
        # It is logged once for any number of requests.
        unreadable = CallBacks(contacts_of(HeldLog(events), configured, backend.clock), links_of(Unreadable([]), configured, backend.clock))
        caplog.clear()
        for _ in range(3):
            assert (await unreadable.document("x", 8, lambda _: True, 9))["links_known"] is False
        assert [each for each in caplog.messages if "cannot be read" in each] == caplog.messages[-1:]

    asyncio.run(check())


def test_the_queue_of_an_agents_contact() -> None:
    """Abe answered call/2, of sales; chiba is in a call without contact events. The filter by queue finds abe, too."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        skills = {"type": "agent.skills_changed", "event_id": "s", "source": "pbx", "person_id": "chiba", "skills": ["english"]}
        skills |= {"queues": ["claims"], "occurred_at": day("08:00:00"), "received_at": day("08:00:00")}
        people = People(HeldLog([*AGENTS, skills]), configured, backend.clock, contacts_of(HeldLog(CONTACTS), configured, backend.clock))
        async with client_of(backend.serving(people=people)) as client:
            abe, baba, chiba = (await get(client, "/api/v1/people"))[1]["people"]
            assert abe["at_work"] == [{"queue": "sales", "channel": "voice", "since": day("08:52:10"), "wraps_up": False}]
            assert (baba["at_work"], chiba["at_work"]) == ([], [])
            assert [chiba[name] for name in ("queues", "skills")] == [["claims"], ["english"]]
            for queue, name in (("sales", "abe"), ("claims", "chiba")):
                found = (await get(client, f"/api/v1/people?queue={queue}"))[1]["people"]
                assert [each["person"] for each in found] == [name]

    asyncio.run(check())


def test_contacts_of_another_system_belong_to_its_agents_as_in_figures() -> None:
    """States are from a workforce system, calls from two telephone systems. Baba is baba at one of them only; chiba is two at the other."""
    people_there: dict[str, Any] = {name: {"team": "north"} for name in ("abe", "baba", "chiba")}
    people_there["baba"]["identities"] = {"workforce": ["baba"], "osaka": ["baba"]}
    sites = {"tokyo": {"zone": "Asia/Tokyo", "individual_figures": True}}
    configuration = Configuration.model_validate({"sites": sites, "teams": {"north": {"site": "tokyo"}}, "people": people_there})
    agents = [each | {"source": "workforce"} for each in AGENTS]
    agents.append(agent_event(day("08:30:00"), "chiba", "routing", "idle") | {"source": "osaka"})
    calls = [
        each | {"source": source}
        for number, (source, agent) in enumerate(
            [("tokyo", "abe"), ("tokyo", "baba"), ("osaka", "baba"), ("osaka", "chiba"), ("tokyo", "chiba"), ("tokyo", "nishi")]
        )
        for each in (
            contact_event("queued", day(f"08:5{number}:00"), f"call {number}", queue=f"{source} sales", channel="voice"),
            contact_event("answered", day(f"08:5{number}:10"), f"call {number}", agent=agent),
        )
    ]

    async def check() -> None:
        backend = Backend.fed(small_center())
        contacts = contacts_of(HeldLog(calls), lambda: configuration, backend.clock)
        people = People(HeldLog(agents), lambda: configuration, backend.clock, contacts)
        async with client_of(backend.serving(people=people)) as client:
            found = (await get(client, "/api/v1/people"))[1]["people"]
            at_work = [(each["person"], each["state"], [(work["queue"], work["since"]) for work in each["at_work"]]) for each in found]
            assert at_work == [
                ("abe", "unavailable", [("tokyo sales", day("08:50:10"))]),
                ("baba", "unavailable", [("osaka sales", day("08:52:10"))]),
                # One is osaka's own, with osaka's calls. No system that reports calls in tokyo reports states: figures give them to both.
                ("chiba", "idle", [("tokyo sales", day("08:54:10")), ("osaka sales", day("08:53:10"))]),
                ("chiba", "handling", [("tokyo sales", day("08:54:10"))]),
            ]
            of_osaka = (await get(client, "/api/v1/people?queue=osaka%20sales"))[1]["people"]
            assert [each["person"] for each in of_osaka] == ["baba", "chiba"]

    asyncio.run(check())


class Slow(HeldLog):
    """Returns half of its records, and the other half when permitted."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        super().__init__(events)
        self.may_go_on = asyncio.Event()

    async def events(self, since_ms: int, limits: Limits, take: Any, report: Any = None, *, after: Any = None) -> Span:
        """Return the records in two parts."""
        half = len(self.records) // 2
        take(self.records[:half])
        report(Span(self.topic, half, to_pass=len(self.records), passed=half))
        await self.may_go_on.wait()
        take(self.records[half:])
        return Span(self.topic, len(self.records), to_pass=len(self.records), passed=len(self.records))


def test_a_slow_read_is_answered_with_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the read is reported with topic and start; concurrent requests share one read; then the answer is complete."""
    monkeypatch.setattr("streams.serving.materialized._PATIENCE_SECONDS", 0.01)

    async def check() -> None:
        backend, log = Backend.fed(small_center()), Slow(CONTACTS)
        made = CallBacks(contacts_of(log, configured, backend.clock))
        ask = [
            made.document(f"x{number}", 8, lambda _: True, 9, unrestricted=number == 0, as_of_ms=backend.store.as_of_ms)
            for number in range(2)
        ]
        whole, part = await asyncio.gather(*ask)
        # The clock is at 09:00:01, and a day back is read.
        reading = {"topic": "contactcenter.contact-events.v1", "since": "2026-03-31T09:00:01.000Z", "share": 0.5}
        assert (whole["complete"], whole["reading"]) == (False, reading)
        # How fast the share grows reveals how much there is of others.
        assert part["reading"] == {**reading, "share": None}
        log.may_go_on.set()
        await asyncio.sleep(0.02)
        then = await made.document("x", 8, lambda _: True, 9)
        assert (then["complete"], then["reading"], then["total"]) == (True, None, 1)
        await made.readings[0].close()

    asyncio.run(check())


def test_the_state_is_read_without_requests_and_failures_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the start of the server; while the topic cannot be read, every request gets the failure at once."""
    monkeypatch.setattr("streams.serving.materialized._READY_SECONDS", 0.01)
    monkeypatch.setattr("streams.serving.materialized._RETRY_SECONDS", 0.01)

    async def check() -> None:
        log = HeldLog(CONTACTS)
        reading = Materialized(log, Counter, configured, look_back_seconds=3600, clock=Clock())
        running = asyncio.create_task(reading.run())
        while not reading.complete:  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.005)
        assert (log.given, await reading.query("x", lambda state, _: len(state.taken))) == (6, 6)

        # Kafka does not answer, for long at a time: requests meanwhile get the last failure.
        monkeypatch.setattr("streams.serving.materialized._FRESH_SECONDS", 0.0)
        monkeypatch.setattr("streams.serving.materialized._PATIENCE_SECONDS", 0.02)

        async def unreachable(*_: Any, **__: Any) -> Any:
            await asyncio.sleep(0.05)
            raise KafkaConnectionError

        plain, log.events = log.events, unreachable  # type: ignore[method-assign]
        await asyncio.sleep(0.2)
        for _ in range(3):
            with pytest.raises((UnreadError, KafkaConnectionError)):
                await reading.query("x", lambda state, _: len(state.taken))
        log.events = plain  # type: ignore[method-assign]
        await asyncio.sleep(0.2)
        assert await reading.query("x", lambda state, _: len(state.taken)) == 6
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert (reading.complete, reading.reading) == (False, None)

    asyncio.run(check())


class Counter:
    """Counts its records."""

    def __init__(self, _: Configuration) -> None:
        self.taken: list[bytes | None] = []

    def take(self, value: bytes | None, _published_ms: int) -> None:
        """Count a record."""
        self.taken.append(value)

    def forget(self, _age_ms: int) -> None:
        """Evict nothing."""


def test_only_new_records_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record is read once, whatever the number of requests; again for another configuration, and after the topic was recreated."""
    monkeypatch.setattr("streams.serving.materialized._FRESH_SECONDS", 0.0)

    async def check() -> None:
        log, configuration = HeldLog(CONTACTS[:4]), [CONFIGURATION]
        reading = Materialized(log, Counter, lambda: configuration[0], look_back_seconds=3600, clock=Clock())
        asked = [await reading.query("x", lambda state, _: len(state.taken)) for _ in range(3)]
        assert (asked, log.given) == ([4, 4, 4], 4)
        log.records = HeldLog(CONTACTS).records
        assert await reading.query("x", lambda state, _: len(state.taken)) == 6
        configuration[0] = Configuration()
        assert (await reading.query("x", lambda state, _: len(state.taken)), log.given) == (6, 12)

        async def recreated(*_: Any, **__: Any) -> Any:
            raise TopicError

        plain, log.events = log.events, recreated  # type: ignore[method-assign]
        with pytest.raises(TopicError):
            await reading.query("x", lambda state, _: len(state.taken))
        log.events = plain  # type: ignore[method-assign]
        assert (await reading.query("x", lambda state, _: len(state.taken)), log.given) == (6, 18)

    asyncio.run(check())


def test_requests_in_quick_succession_share_one_read() -> None:
    """Ten concurrent requests cause one read, and a state without requests is evicted."""

    async def check() -> None:
        log = HeldLog(CONTACTS)
        reading = Materialized(log, Counter, configured, look_back_seconds=3600, clock=Clock())
        counts = await asyncio.gather(*(reading.query(f"asker {n}", lambda state, _: len(state.taken)) for n in range(10)))
        assert (counts, log.read) == ([6] * 10, 1)
        reading.drop()
        assert not reading.complete
        await reading.query("x", lambda state, _: len(state.taken))
        assert log.read == 2

    asyncio.run(check())
