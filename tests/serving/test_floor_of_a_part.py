"""The floor of a restricted view: nothing of how busy others are, and nothing of what others have typed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from streams.serving.audit.auditor import Auditor
from streams.serving.audit.writer import Entry
from streams.serving.call_backs import CallBacks, contacts_of
from streams.serving.people import People
from streams.serving.store import Store
from tests.serving.audit.held import HeldAuditLog
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.matrix_center import AREAS, CONFIGURATION, Center, Grantee
from tests.serving.test_matrix import GRANTEES, PARTIAL, fetch, made, serving_app

if TYPE_CHECKING:
    from schemas.audit import AuditRecord
    from streams.configuration import Configuration

MAY_ASK = [each for each in PARTIAL if each.role == "supervisor"]


def grantee(role: str, area: str) -> Grantee:
    """Return one of the matrix."""
    return next(each for each in GRANTEES if (each.role, each.area) == (role, area))


def configured() -> Configuration:
    """Return the configuration, one object as a running server has it."""
    return CONFIGURATION


def floor(contacts: list[dict[str, Any]], people: list[dict[str, Any]]) -> Center:
    """Return the center with these events."""
    whole = made()
    read = contacts_of(HeldLog(contacts), configured, whole.clock)
    serving = replace(whole.serving, call_backs=CallBacks(read), people=People(HeldLog(people), configured, whole.clock, read))
    return whole._replace(serving=serving)


def visits(queue: str, minute: int, *, seconds: int = 0) -> list[dict[str, Any]]:
    """Return of a queue one visit that was given up, and one that waits."""
    at = f"2026-04-01T08:{minute:02}"
    return [
        contact_event("queued", f"{at}:00.000Z", f"gone-{queue}-{minute}", queue=queue, channel="voice"),
        contact_event("left_queue", f"{at}:{seconds:02}.000Z", f"gone-{queue}-{minute}", reason="abandoned"),
        contact_event("queued", f"{at}:10.000Z", f"here-{queue}-{minute}", queue=queue, channel="voice"),
        contact_event("answered", f"{at}:20.000Z", f"here-{queue}-{minute}", agent=f"{queue}-agent"),
    ]


OWN_QUEUES = {area: [each.partition(":")[2] for each in AREAS[area].contacts.split() if each.startswith("queue:")] for area in AREAS}
EVERY_QUEUE = OWN_QUEUES["everywhere"]
#: Later than all other events and the figures, of what is hidden.
LATE = "2026-04-01T09:00:30.000Z"


async def answers(center: Center, asker: Grantee) -> list[tuple[int, str]]:
    """Return the answers about agents and call-backs."""
    async with serving_app(center) as server, aiohttp.ClientSession() as session:
        paths = ("people?strip=true", "people", "abandoned", "abandoned?order=longest", "abandoned?hours=1")
        return [await fetch(session, str(server.make_url(f"/api/v1/{path}")), asker) for path in paths]


@pytest.mark.parametrize("figures", [True, False], ids=["figures", "none yet"])
@pytest.mark.parametrize("asker", MAY_ASK, ids=lambda each: each.area)
def test_activity_of_others_changes_no_answer(asker: Grantee, figures: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later events of hidden queues and agents: the same bytes, ``people_as_of`` and ``abandoned_as_of`` with them."""
    queues, teams = OWN_QUEUES[asker.area], AREAS[asker.area].agents_of.split()
    people = [name for name, each in CONFIGURATION.people.items() if each.team in teams]
    others = [name for name in CONFIGURATION.people if name not in people]
    mine = [event for queue in queues for event in visits(queue, 40, seconds=30)]
    of_mine = [agent_event("2026-04-01T08:40:00.000Z", name, "presence", "away", reason="lunch") for name in people]
    busy = [
        *mine,
        *(event for queue in EVERY_QUEUE if queue not in queues for event in visits(queue, 50, seconds=30)),
        *(contact_event("queued", LATE, "late", queue=queue, channel="voice") for queue in EVERY_QUEUE if queue not in queues),
    ]
    of_all = [*of_mine, *(agent_event(LATE, name, "presence", "ready") for name in others)]
    if not figures:
        monkeypatch.setattr(Store, "as_of_ms", None)

    async def check() -> None:
        quiet = await answers(floor(mine, of_mine), asker)
        assert {status for status, _ in quiet} <= {200}
        assert await answers(floor(busy, of_all), asker) == quiet
        # An unrestricted view gets the newest event.
        whole = "".join(text for _, text in await answers(floor(busy, of_all), grantee("supervisor", "everywhere")))
        assert f'"people_as_of":"{LATE}"' in whole
        assert f'"abandoned_as_of":"{LATE}"' in whole

    asyncio.run(check())


class Written:
    """A topic of the audit that takes every record at once."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def put(self, record: AuditRecord) -> Entry:
        """Take it."""
        self.records.append(record)
        entry = Entry(record)
        entry.acknowledged.set_result(None)
        return entry


@pytest.mark.parametrize("typed", ["ajisai", "nowhere", "Kamo Ryokan 301"])
def test_typed_names_that_are_hidden_are_not_on_record(typed: str) -> None:
    """A supervisor of kanto asks for a queue of kansai, or an unknown one: no auditor reads its name; the look itself is on record."""

    async def check() -> None:
        written, whole = Written(), made()
        audit = Auditor(written, "serve@a/1", whole.clock)  # type: ignore[arg-type]
        whole = whole._replace(serving=replace(whole.serving, audit=audit, audit_log=lambda: HeldAuditLog(written.records)))
        async with serving_app(whole) as server, aiohttp.ClientSession() as session:

            async def ask(path: str, asker: Grantee, **query: str) -> tuple[int, str]:
                return await fetch(session, str(server.make_url(f"/api/v1/{path}")), asker, params=query)

            kanto = grantee("supervisor", "kanto")
            assert (await ask("abandoned", kanto, queue=typed))[0] == 200
            assert (await ask("contacts", kanto, queue=typed, kpi="offered"))[0] == 404
            assert (await ask("people", kanto, queue=typed))[0] == 200
            assert [each.action for each in written.records] == ["looked_at_contacts", "looked_at_agents"]
            for area in ("everywhere", "kanto", "kansai", "matsu", "ajisai"):
                status, read = await ask("audit", grantee("auditor", area))
                assert (status, typed in read) == (200, False), area
                assert ("looked_at_contacts" in read) == (area in {"everywhere", "kanto", "matsu"}), area
            # What is one's own is.
            assert (await ask("abandoned", kanto, queue="sakura"))[0] == 200
            assert '"scope":"sakura"' in (await ask("audit", grantee("auditor", "kanto")))[1]

    asyncio.run(check())
