"""H4 on a running system: names that a sender makes up cost no process more than a stated amount, and change no figure of others."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import ClientSession

from schemas.times import format_ms
from tests.support.services import Services, rss_mib, until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.kafka import Cluster


NAMES = 100_000
#: Facts a conversation: what is measured is names, not contacts that wait.
FACTS = 200
GROWTH_MB = 50


def test_a_hundred_thousand_new_names_from_one_sender(kafka: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """H4, on a real gateway, worker and server: none grows by more than 50 MB, and the other senders' figures stay right."""
    configuration = tmp_path / "center.yaml"
    configuration.write_text("queues:\n  Sales: {channel: voice}\n  Service: {channel: voice}\n", encoding="utf-8")
    monkeypatch.setenv("CONTACT_STREAMS_GATEWAY_TOKENS", "pbx=pbx-token-0123456789,evil=evil-token-0123456789")

    async def post(client: ClientSession, sender: str, events: list[dict[str, Any]]) -> None:
        headers = {"Authorization": f"Bearer {sender}-token-0123456789", "Content-Type": "application/json"}
        async with client.post("/v1/events", data=orjson.dumps(events), headers=headers) as response:
            assert response.status == 200, await response.text()

    def event(kind: str, conversation: str, number: int, **fields: Any) -> dict[str, Any]:
        now = round(time.time() * 1000)
        name = f"{conversation}-{number}"
        return {"type": kind, "event_id": name, "occurred_at": format_ms(now), "conversation_id": conversation, **fields}

    def made_up_name(number: int) -> dict[str, Any]:
        return event("contact.queued", f"e{number // FACTS}", number, queue=f"made up {number}", channel="voice", category=f"c{number}")

    async def check() -> None:
        beyond = 'contact_center_beyond_source_limits_total{flow="track-contacts",kind="queue"}'
        names = ("gateway", "worker", "serve")
        with Services(tmp_path, kafka.bootstrap, "names", configuration) as services:
            services.run("worker")
            await services.ready("worker")
            services.run("gateway", "--rate", "1000000", "--burst", "1000000")
            services.run("serve")
            await services.ready("gateway", "serve")
            async with ClientSession(services.addresses["gateway"]) as client:

                async def honest(first: int) -> None:
                    for number in range(first, first + 20):
                        await post(client, "pbx", [event("contact.queued", f"p{number}", 1, queue="Sales", channel="voice")])
                        if number % 2:
                            await post(client, "pbx", [event("contact.answered", f"p{number}", 2, agent="ann")])

                async def figures() -> dict[str, dict[str, int]]:
                    _, answer = await services.ask("serve", "/api/v1/figures?window=trailing_60m")
                    records = [r for r in (answer or {}).get("records", {}).values() if r["kind"] == "window"]
                    return {f"{r['scope_kind']}:{r['scope']}": r["counts"] for r in records if r["channel"] == "voice"}

                async def counted(offered: int) -> bool:
                    services.supervise()
                    return (await figures()).get("queue:Sales", {}).get("offered") == offered

                await honest(0)
                await until(lambda: counted(20), 60, lambda: services.log("worker")[-3000:])
                # What every first event, scrape and page takes for good.
                for path in ("/metrics", "/api/v1/figures?window=trailing_60m"):
                    await services.ask("serve", path)
                before = {name: rss_mib(services.pid(name)) for name in names}
                for first in range(0, NAMES, 500):
                    await post(
                        client,
                        "evil",
                        [
                            event(
                                "contact.queued",
                                f"e{number // FACTS}",
                                number,
                                queue=f"made up {number}",
                                channel="voice",
                                category=f"c{number}",
                            )
                            for number in range(first, first + 500)
                        ],
                    )
                await honest(20)
                await until(lambda: counted(40), 120, lambda: services.log("worker")[-3000:])

                async def all_taken() -> bool:
                    services.supervise()
                    return await services.counter("worker", beyond) >= NAMES - 24 * 8

                await until(all_taken, 120)
                for _ in range(4):
                    await services.ask("serve", "/metrics")
                    await asyncio.sleep(1)
                grown = {name: round((rss_mib(services.pid(name)) - before[name]) * 1.048576) for name in names}
                found = await figures()
                _, header = await services.ask("serve", "/api/v1/figures?window=trailing_60m")
        assert (found["queue:Sales"]["offered"], found["queue:Sales"]["answered"]) == (40, 20)
        assert found["queue:Service"].get("offered", 0) == 0
        made_up = {scope for scope in found if scope.startswith("queue:made up")}
        assert 24 <= len(made_up) <= 24 * 8
        # Every conversation of theirs stays in the total once, whatever its names are.
        assert found["total:all"]["offered"] == 40 + NAMES // FACTS
        assert header["sources"]["evil"]["beyond_limits"]["queue"] == NAMES - len(made_up)
        assert "beyond_limits" not in header["sources"]["pbx"]
        assert max(grown.values()) <= GROWTH_MB, grown
        sys.stdout.write(f"grown by MB: {grown}; {len(made_up)} names admitted\n")

    asyncio.run(asyncio.wait_for(check(), 300))
