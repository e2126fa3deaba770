"""People now, contacts behind figures and whom to call, as the API tells them; all expectations are by hand."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from streams.configuration import Configuration
from streams.serving.agents import Agents
from streams.serving.audit import NoAudit
from streams.serving.broker import TopicError
from streams.serving.call_backs import CallBacks
from streams.serving.event_log import Limits
from streams.serving.explainer import Explainer
from streams.serving.people import People
from streams.serving.reading_on import ReadingOn
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.records import Clock, Stand, client_of, figure, person, small_center

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


class Noted(NoAudit):
    """Remembers what is put on record."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, str | None]] = []

    async def recorded(self, action: Any, **more: Any) -> None:
        """Remember it."""
        self.looks.append((action, more["about"].scope))


async def asked(client: Any, path: str) -> tuple[int, Any]:
    """Return status and document."""
    answer = await client.get(path)
    return answer.status, await answer.json()


def serving(stand: Stand, **changes: Any) -> Any:
    """Return what serves people and contacts."""
    read = Agents()
    assert read.feed(*person("abe", kpis={"occupancy": figure(0.75, 900, 1200, 1)}, counts={"handled": 14, "handling_ms": 900_000}))
    # A day that ended before now is not today's.
    assert read.feed(*person("baba", counts={"handled": 99}, window_start="2026-03-31T08:00:00Z", window_end=day("08:00:00")))
    agents = Agents()
    agents.take_over(read)
    return stand.serving(
        agents=agents,
        people=People(HeldLog(AGENTS), configured, stand.clock),
        explainer=Explainer(HeldLog(CONTACTS), configured, Limits()),
        call_backs=CallBacks(HeldLog(CONTACTS), configured, stand.clock),
        **changes,
    )


def test_people_now() -> None:
    """Who, what, why, for how long, whether too long, and the day; by team, queue and state; each look is on record."""

    async def check() -> None:
        stand, audit = Stand.fed(small_center()), Noted()
        async with client_of(serving(stand, audit=audit)) as client:
            status, told = await asked(client, "/api/v1/people?strip=true")
            assert (status, told["people_as_of"], told["people_complete"], told["as_of"]) == (200, day("09:00:00"), True, day("09:00:00"))
            abe, baba, chiba = told["people"]
            assert abe == {
                "person": "abe", "team": "north", "site": "tokyo", "queues": None, "state": "unavailable", "word": "Away",
                "reason": "Lunch", "since": day("07:59:00"), "seconds": 3660, "limit_seconds": 3600, "too_long": True, "handled": 14,
                "occupancy": figure(0.75, 900, 1200, 1), "strip": [{"start": day("08:00:00"), "state": "unavailable", "reason": "Lunch"}],
            }  # fmt: skip
            assert [baba[name] for name in ("state", "word", "seconds", "limit_seconds", "too_long", "handled", "occupancy")] == [
                "unavailable", "toilet-break", 300, 300, False, None, None,
            ]  # fmt: skip
            assert [(each["start"], each["state"]) for each in baba["strip"]] == [
                (day("08:30:00"), "available"), (day("08:55:00"), "unavailable"),
            ]  # fmt: skip
            # No limit is on calls unless one is configured.
            assert [chiba[name] for name in ("state", "seconds", "limit_seconds", "too_long")] == ["handling", 3600, None, False]

            assert [each["person"] for each in (await asked(client, "/api/v1/people?state=unavailable&team=north"))[1]["people"]] == [
                "abe",
                "baba",
            ]
            for nobody in ("team=south", "queue=sales", "state=stale"):
                assert (await asked(client, f"/api/v1/people?{nobody}"))[1]["people"] == []
            for wrong in ("state=asleep", "strip=yes"):
                assert (await asked(client, f"/api/v1/people?{wrong}"))[0] == 400
        assert set(audit.looks) == {("looked_at_agents", None)}
        assert len(audit.looks) == 5
        async with client_of(stand.serving()) as client:
            assert (await asked(client, "/api/v1/people"))[0] == (await asked(client, "/api/v1/abandoned"))[0] == 404

    asyncio.run(check())


def test_contacts_behind_a_figure_and_whom_to_call() -> None:
    """Ids with their links, abandoned first; of the customer eight digits that are not the key; each look is on record."""

    async def check() -> None:
        audit = Noted()
        async with client_of(serving(Stand.fed(small_center()), audit=audit)) as client:
            status, told = await asked(client, "/api/v1/contacts?queue=sales&kpi=offered")
            assert (status, told["window"], told["channel"], told["total"]) == (200, "trailing_15m", "voice", 3)
            # The stand serves 52: it is said that these contacts do not make them.
            assert (told["agrees"], told["complete"]) == (False, True)
            shown = ("conversation_id", "outcome", "waited_seconds", "entered", "link")
            assert [[each[name] for name in shown] for each in told["contacts"]] == [
                ["call 1", "abandoned", 42, day("08:50:00"), "https://pbx.example/calls/call%201"],
                ["call 3", "waiting", 60, day("08:59:00"), "https://pbx.example/calls/call%203"],
                ["call/2", "answered", 10, day("08:52:00"), "https://pbx.example/calls/call%2F2"],
            ]  # fmt: skip
            waiting = (await asked(client, "/api/v1/contacts?queue=sales&kpi=waiting"))[1]
            assert (waiting["window"], [each["conversation_id"] for each in waiting["contacts"]]) == (None, ["call 3"])
            limited = (await asked(client, "/api/v1/contacts?queue=sales&kpi=offered&limit=1"))[1]
            assert (limited["total"], len(limited["contacts"])) == (3, 1)

            status, told = await asked(client, "/api/v1/abandoned?hours=2")
            assert (status, told["total"], told["complete"], told["since"]) == (200, 1, True, day("06:59:00"))
            (customer,) = told["abandoned"]
            assert re.fullmatch(r"[0-9a-f]{8}", customer.pop("customer"))
            assert customer == {
                "conversation_id": "call 1", "source": "pbx", "queue": "sales", "channel": "voice", "left": day("08:50:42"),
                "waited_seconds": 42, "times": 1, "waits_again": False, "link": "https://pbx.example/calls/call%201",
            }  # fmt: skip
            assert (await asked(client, "/api/v1/abandoned?queue=claims"))[1]["abandoned"] == []
            for wrong in (
                "contacts?queue=sales",
                "contacts?queue=sales&kpi=waiting&window=week",
                "contacts?queue=sales&kpi=occupancy",
                "abandoned?hours=25",
                "abandoned?limit=x",
            ):
                assert (await asked(client, f"/api/v1/{wrong}"))[0] == 400, wrong
        assert audit.looks == [("looked_at_contacts", "sales")] * 3 + [("looked_at_contacts", None), ("looked_at_contacts", "claims")]

    asyncio.run(check())


class Heard:
    """Counts what it takes."""

    def __init__(self, _: Configuration) -> None:
        self.taken: list[bytes | None] = []

    def take(self, value: bytes | None, _published_ms: int) -> None:
        """Take one."""
        self.taken.append(value)

    def forget(self, _age_ms: int) -> None:
        """Forget nothing."""


def test_only_what_is_new_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record once, however often one asks; anew for another configuration, and for a topic that was made anew."""
    monkeypatch.setattr("streams.serving.reading_on._FRESH_SECONDS", 0.0)

    async def check() -> None:
        log, configuration = HeldLog(CONTACTS[:4]), [CONFIGURATION]
        reading = ReadingOn(log, Heard, lambda: configuration[0], look_back_seconds=3600, clock=Clock())
        asked = [await reading.told("x", lambda heard, _: len(heard.taken)) for _ in range(3)]
        assert (asked, log.given) == ([4, 4, 4], 4)
        log.records = HeldLog(CONTACTS).records
        assert await reading.told("x", lambda heard, _: len(heard.taken)) == 6
        configuration[0] = Configuration()
        assert (await reading.told("x", lambda heard, _: len(heard.taken)), log.given) == (6, 12)

        async def made_anew(*_: Any, **__: Any) -> Any:
            raise TopicError

        plain, log.events = log.events, made_anew  # type: ignore[method-assign]
        with pytest.raises(TopicError):
            await reading.told("x", lambda heard, _: len(heard.taken))
        log.events = plain  # type: ignore[method-assign]
        assert (await reading.told("x", lambda heard, _: len(heard.taken)), log.given) == (6, 18)

    asyncio.run(check())


def test_who_asks_soon_after_another_gets_what_was_read_then() -> None:
    """Ten who ask at once have it read once, and what is not asked for long is given up."""

    async def check() -> None:
        log = HeldLog(CONTACTS)
        reading = ReadingOn(log, Heard, configured, look_back_seconds=3600, clock=Clock())
        told = await asyncio.gather(*(reading.told(f"asker {n}", lambda heard, _: len(heard.taken)) for n in range(10)))
        assert (told, log.read) == ([6] * 10, 1)
        reading.give_up()
        assert not reading.complete
        await reading.told("x", lambda heard, _: len(heard.taken))
        assert log.read == 2

    asyncio.run(check())
