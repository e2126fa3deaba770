"""A sender uses the ids of another one's contacts, events and people: through a gateway, on a worker, on Apache Kafka."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from schemas.times import format_ms
from schemas.topics import topic
from streams.worker import create_topics
from tests.support.recount import last_values
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.kafka import Cluster

TOKENS = {name: f"{name}-token-0123456789" for name in ("phone", "survey", "hostile")}
CENTER = """
joined_sources:
- [phone, sur*]
queues:
  Support: {channel: voice}
teams:
  desk: {}
"""


class Sender:
    """Posts events that happened some seconds before the test began, with event ids of its own unless given."""

    def __init__(self, session: aiohttp.ClientSession, url: str, source: str) -> None:
        self._session, self._url, self._source = session, url, source
        self._begin_ms = int(time.time() * 1000) - 60_000
        self._number = 0

    async def post(self, *events: tuple[float, str, dict[str, Any]]) -> None:
        """Have the gateway take events: seconds after the begin, type, fields."""
        lines = []
        for seconds, kind, fields in events:
            self._number += 1
            at = format_ms(self._begin_ms + round(1000 * seconds))
            common = {"type": kind, "event_id": f"{self._source}-{self._number}", "source": self._source, "occurred_at": at}
            lines.append(orjson.dumps({**common, **fields}))
        headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {TOKENS[self._source]}"}
        async with self._session.post(f"{self._url}/v1/events", data=b"\n".join(lines), headers=headers) as answer:
            assert (answer.status, (await answer.json()).get("rejected", 0)) == (200, 0), await answer.text()


def call(number: int, **fields: Any) -> dict[str, Any]:
    """Return the fields of an event of a call."""
    return {"conversation_id": f"call-{number}", **fields}


def test_ids_of_another_sender(kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of the owner of the ids are by hand, those of the other sender its own; a joined survey tool reports the same calls."""
    prefix = f"ids-{time.time_ns()}"
    monkeypatch.setenv("CONTACT_STREAMS_GATEWAY_TOKENS", ",".join(f"{name}={token}" for name, token in TOKENS.items()))
    (tmp_path / "center.yaml").write_text(CENTER, encoding="utf-8")

    async def records(form: str) -> list[dict[str, Any]]:
        entry = topic("queue-metrics-latest.v1")
        latest = await last_values(kafka.bootstrap, entry.full_name(prefix), range(entry.partitions))
        return [orjson.loads(value) for (_, key), value in latest.items() if value is not None and key.decode().startswith(form)]

    async def day() -> dict[str, float | None]:
        """Return the figures of Support's day; two records around midnight are added."""
        found = await records("window|day|voice|queue:Support|")
        names = ("offered", "answered", "abandoned", "excluded", "csat")
        return {name: sum(each["kpis"][name]["numerator"] or 0 for each in found) for name in names} if found else {}

    async def at_work(team: str) -> dict[str, int]:
        [*found] = await records(f"now|-|team:{team}")
        return dict(found[0]["agents_by_state"]) if found else {}

    async def others() -> float:
        """Return the calls and exclusions of the hostile sender that were counted."""
        found = await records("window|day|voice|total:all|")
        return sum(each["kpis"]["excluded"]["numerator"] or 0 for each in found)

    async def expect(what: Any, value: Any, services: Services) -> None:
        async def holds() -> bool:
            services.supervise()
            return bool(await what() == value)

        await until(holds, 40, lambda: f"expected {value}\n{services.log('worker')[-2000:]}")

    async def scenario(services: Services) -> None:
        await create_topics(kafka.bootstrap, prefix)
        services.run("worker")
        services.run("gateway")
        await services.ready("worker", "gateway")
        async with aiohttp.ClientSession() as session:
            phone, survey, hostile = (Sender(session, services.addresses["gateway"], name) for name in TOKENS)
            # Five calls: three answered, one abandoned, one waiting. An agent is at the desk.
            await phone.post(
                *((number, "contact.queued", call(number, queue="Support", channel="voice")) for number in range(5)),
                *((10 + number, "contact.answered", call(number, agent="ann")) for number in range(3)),
                (20, "contact.left_queue", call(3, reason="abandoned")),
                (1, "agent.state_changed", {"person_id": "ann", "team": "desk", "axis": "presence", "state": "ready"}),
            )
            figures = {"offered": 5, "answered": 3, "abandoned": 1, "excluded": 0, "csat": 0}
            await expect(day, figures, services)
            await expect(lambda: at_work("desk"), {"available": 1}, services)

            await hostile.post(
                (30, "contact.excluded", call(0, reason="spam")),
                (30, "contact.excluded", call(1, reason="spam")),
                (30, "contact.left_queue", call(4, reason="abandoned")),
                # The next event id of the phone system, in the conversation in which that will use it.
                (30, "contact.left_queue", call(4, reason="abandoned", event_id="phone-11")),
                (30, "agent.state_changed", {"person_id": "ann", "team": "other", "axis": "presence", "state": "away"}),
            )
            await expect(others, 2, services)
            await expect(lambda: at_work("other"), {"unavailable": 1}, services)
            assert await day() == figures
            assert await at_work("desk") == {"available": 1}

            await phone.post((40, "contact.answered", call(4, agent="ann")))
            await survey.post((50, "survey.answered", call(4, kind="csat", score=5, scale="1-5")))
            await expect(day, {**figures, "answered": 4, "csat": 5}, services)

            # What a worker knows after a kill is the same.
            services.kill("worker")
            services.start("worker")
            await services.ready("worker")
            await hostile.post((41, "contact.excluded", call(2, reason="spam")))
            await phone.post((42, "contact.ended", call(3)), (43, "contact.queued", call(5, queue="Support", channel="voice")))
            await expect(others, 3, services)
            await expect(day, {**figures, "offered": 6, "answered": 4, "csat": 5}, services)

    with Services(tmp_path, kafka.bootstrap, prefix, tmp_path / "center.yaml") as services:
        asyncio.run(scenario(services))
