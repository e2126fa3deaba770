"""Alerts in the API and the event stream, and without the topic of alerts of an older worker."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.serving.alerts import Alerts
from streams.serving.reader import Reader, Readers, alerts_topic, latest_topic
from streams.serving.service import ServeSettings, run_serve
from streams.serving.store import Store
from streams.serving.webhook import Webhook
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, alert, client_of, figure, small_center, window
from tests.serving.topics import bootstrap, make, publish, until
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from aiohttp import ClientResponse

__all__ = ["bootstrap"]


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


def center() -> Backend:
    """Return a backend with figures and three alerts."""
    return Backend.fed(small_center()).with_alerts(
        alert(), alert("queue:claims", "mail", state="cleared"), alert("team:north", None, state="pending")
    )


async def next_alerts(response: ClientResponse) -> dict[str, Any]:
    """Return the data of the next event about alerts."""
    kind = ""
    while True:
        name, _, value = (await asyncio.wait_for(response.content.readuntil(b"\n"), 5)).decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        if name == "data" and kind == "alerts":
            document: dict[str, Any] = orjson.loads(value)
            return document


def test_the_api_lists_alerts_as_they_are_in_the_topic() -> None:
    """All alerts, or those in the given states, with every field of the record and no others."""

    async def check() -> None:
        backend = center()
        backend.alerts.feed(*alert("queue:new", of_tomorrow={"a": 1}))
        async with client_of(backend.serving()) as client:

            async def states(query: str) -> list[tuple[str, str]]:
                answer = await (await client.get(f"/api/v1/alerts{query}")).json()
                return [(record["scope"], record["state"]) for record in answer["alerts"]]

            everything = await (await client.get("/api/v1/alerts")).json()
            assert everything["alerts"] == [
                orjson.loads(value)
                for _, value in (
                    alert("team:north", None, state="pending"),
                    alert("queue:claims", "mail", state="cleared"),
                    alert("queue:new", of_tomorrow={"a": 1}),
                    alert(),
                )
            ]
            assert (everything["as_of"], everything["stale"]) == ("2026-04-01T09:00:00.000Z", False)
            assert await states("?state=firing") == [("new", "firing"), ("sales", "firing")]
            assert await states("?state=cleared&state=pending") == [("north", "pending"), ("claims", "cleared")]
            refused = await client.get("/api/v1/alerts?state=burning")
            assert (refused.status, "cleared, firing, pending" in (await refused.json())["error"]) == (400, True)

    run(check())


def test_unknown_is_not_none() -> None:
    """Before the topic of alerts has been read they are unknown: null, no event, no sample; an empty topic is an empty list."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving()) as client:
            assert (await (await client.get("/api/v1/alerts")).json())["alerts"] is None
            assert "contact_center_alert_firing" not in await (await client.get("/metrics")).text()
            async with client.get("/api/v1/events") as stream:
                backend.with_alerts()
                assert await next_alerts(stream) == {"version": 1, "whole": True, "firing": {}, "ended": []}
                assert (await (await client.get("/api/v1/alerts")).json())["alerts"] == []
                backend.alerts.known = False
                assert await next_alerts(stream) == {"version": 1, "whole": True, "firing": None, "ended": []}

    run(check())


def test_the_event_stream_sends_firing_and_ended_alerts() -> None:
    """All firing alerts at first, then each change: fired, changed, cleared or removed; pending alerts are not sent."""

    async def check() -> None:
        backend = center()
        sales, claims = alert()[0].decode(), alert("queue:claims", "mail")[0].decode()
        async with client_of(backend.serving()) as client, client.get("/api/v1/events") as stream:
            message = await next_alerts(stream)
            assert (message["whole"], message["firing"], message["ended"]) == (True, {sales: orjson.loads(alert()[1])}, [])

            backend.alerts.feed(*alert("queue:other", state="pending"))
            backend.alerts.feed(*alert("queue:claims", "mail", revision=4))
            message = await next_alerts(stream)
            assert (message["whole"], list(message["firing"])) == (False, [claims])
            assert message["firing"][claims] == orjson.loads(alert("queue:claims", "mail", revision=4)[1])

            backend.alerts.feed(*alert(state="cleared"))
            backend.alerts.feed(claims.encode(), None)
            message = await next_alerts(stream)
            assert (message["whole"], message["firing"], sorted(message["ended"])) == (False, {}, sorted([sales, claims]))

    run(check())


@pytest.mark.parametrize(
    "value",
    [b"no json", b"{}", alert(state="pending")[1].replace(b"pending", b"burning"), alert(since="yesterday")[1]],
    ids=["text", "nothing", "state", "time"],
)
def test_an_invalid_record_is_skipped_and_counted(value: bytes) -> None:
    """An unreadable record does not replace its predecessor."""
    alerts = Alerts()

    assert alerts.feed(*alert())
    assert not alerts.feed(alert()[0], value)
    assert not alerts.feed(*alert())
    assert (alerts.rejected, [entry.raw for entry in alerts.entries()]) == (1, [alert()[1]])


@pytest.mark.embedded
def test_both_topics_are_read_before_anything_is_shown(bootstrap: str) -> None:
    """With figures read and alerts not, serve is not ready; deleted and rewritten alerts are as last in the topic."""

    async def check() -> None:
        store, alerts = Store(), Alerts()
        figures, names = Reader(store, bootstrap=bootstrap, topic_name=latest_topic("both")), alerts_topic("both")
        readers = Readers(figures, Reader(alerts, bootstrap=bootstrap, topic_name=names))
        await make(bootstrap, latest_topic("both"))
        await make(bootstrap, names)
        await publish(bootstrap, names, [alert(), alert("queue:gone"), alert(state="cleared"), (alert("queue:gone")[0], None)])
        tasks = [asyncio.create_task(figures.run())]
        await until(lambda: figures.ready)
        assert (readers.ready, readers.connected) == (False, False)
        tasks.append(asyncio.create_task(readers.alerts.run()))
        await until(lambda: readers.ready and readers.connected)
        assert [(entry.record.scope, entry.record.state) for entry in alerts.entries()] == [("sales", "cleared")]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(check())


@pytest.mark.embedded
def test_an_older_worker_has_no_alerts(bootstrap: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without the topic figures are served and alerts are null, logged once; once it exists, alerts are served without a gap."""
    caplog.set_level(logging.INFO, "streams")

    async def check() -> None:
        store, alerts = Store(), Alerts()
        old = alerts_topic("older")
        readers = Readers(
            Reader(store, bootstrap=bootstrap, topic_name=latest_topic("older")), Reader(alerts, bootstrap=bootstrap, topic_name=old)
        )
        await make(bootstrap, latest_topic("older"))
        await publish(bootstrap, latest_topic("older"), small_center())
        tasks = [asyncio.create_task(reader.run()) for reader in (readers.figures, readers.alerts)]
        await until(lambda: readers.ready and readers.connected)
        await asyncio.sleep(3)
        assert not alerts.known
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        assert old not in await admin.list_topics()
        await admin.close()
        assert sum(old in record.getMessage() and record.levelname == "WARNING" for record in caplog.records) == 1

        unready: list[bool] = []
        alerts.subscribe(lambda: unready.append(not readers.ready))
        await make(bootstrap, old)
        await publish(bootstrap, old, [alert()])
        await until(lambda: alerts.known and len(alerts.entries()) == 1)
        assert readers.ready
        assert not any(unready)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(check())


@pytest.mark.embedded
def test_from_topics_to_every_exit(bootstrap: str) -> None:
    """The running service, with an unreachable webhook, shows alerts in API and metrics; delivery delays nothing."""

    async def check() -> None:
        for name in (latest_topic("exits"), alerts_topic("exits"), "exits.alerts.v1"):
            await make(bootstrap, name)
        await publish(bootstrap, latest_topic("exits"), small_center())
        await publish(bootstrap, alerts_topic("exits"), [alert()])
        announced: asyncio.Queue[str] = asyncio.Queue()
        settings = ServeSettings(bootstrap=bootstrap, topic_prefix="exits", port=0, webhook=Webhook("http://127.0.0.1:1/"))
        serving = asyncio.create_task(run_serve(settings, announce=announced.put_nowait, handle_signals=False))
        async with aiohttp.ClientSession((await announced.get()).removeprefix("serving ")) as client:
            exposed = ""
            while 'attempts_total{result="failed"} 0.0' not in exposed or "alert_firing{" not in exposed:
                await asyncio.sleep(0.1)
                exposed = await (await client.get("metrics")).text()
            labels = 'channel="voice",rule="low-service-level",scope="sales",scope_kind="queue",severity="critical"'
            assert f"contact_center_alert_firing{{{labels}}} 1.0" in exposed
            await asyncio.sleep(5)  # the group has begun
            await publish(bootstrap, "exits.alerts.v1", [alert()])
            while 'attempts_total{result="failed"} 0.0' in exposed or "oldest_undelivered_seconds 0.0" in exposed:
                await asyncio.sleep(0.1)
                exposed = await (await client.get("metrics")).text()
            assert (await client.get("readyz")).status == 200
            document = await (await client.get("api/v1/alerts?state=firing")).json()
            assert document["alerts"] == [orjson.loads(alert()[1])]
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    run(check())


STRIP = "[...document.querySelectorAll('#alerts li')].map(li => [li.className, ...[...li.children].map(e => e.innerText)])"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("language", "texts", "news", "clearing"),
    [
        (
            "en",
            ["Critical", "low-service-level", "sales · Voice", "Service level 71.2 % (below 80 %)", "for 6 min"],
            "Warning: long-wait, claims · Mail",
            [
                "Service level now 85.0 % (was below 80 % · clears in 0:30)",
                "Service level now 85.0 % (was below 80 % · about to clear)",
                "Service level now 85.0 % (was below 80 % · a silent source keeps it)",
                "Service level now 85.0 % (was below 80 % · clears at 90 %)",
                "Service level 71.2 % (below 80 %)",
            ],
        ),
        (
            "ja",
            ["重大", "low-service-level", "sales · 電話", "サービスレベル 71.2%（80%未満）", "6分継続中"],
            "注意: long-wait, claims · メール",
            [
                "サービスレベル 現在85.0%（80%未満から回復 · あと0:30で解消）",
                "サービスレベル 現在85.0%（80%未満から回復 · まもなく解消）",
                "サービスレベル 現在85.0%（80%未満から回復 · 更新途絶中の送信元があるため継続）",
                "サービスレベル 現在85.0%（80%未満から回復 · 90%で解消）",
                "サービスレベル 71.2%（80%未満）",
            ],
        ),
    ],
    ids=["English", "Japanese"],
)
def test_the_page_shows_what_fires(language: str, texts: list[str], news: str, clearing: list[str], tmp_path: Path) -> None:
    """A strip names severity, rule, queue, figure and duration; new alerts are announced, critical ones come first."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")

    async def check() -> None:
        backend = Backend.fed(small_center()).with_alerts(alert(), alert("queue:claims", "mail", state="pending", rule="long-wait"))
        async with client_of(backend.serving()) as client, Chromium(width=390) as page:
            await page.open(str(client.make_url(f"/?lang={language}")))
            await page.until("document.querySelector('#alerts li .lasted')?.innerText")
            assert await page.ask(STRIP) == [["critical", *texts, ""]]
            assert await page.ask("document.getElementById('alert-news').innerText") == ""
            shape = "getComputedStyle(document.querySelector('#alerts .severity'), '::before').content"
            assert await page.ask(shape) == '"▲ "'

            wait: dict[str, Any] = {
                "rule": "long-wait",
                "severity": "warning",
                "kpi": "longest_wait",
                "window": None,
                "below": None,
                "above": 90,
                "value": 3725,
            }
            backend.alerts.feed(*alert("queue:claims", "mail", **{**wait, "since": "2026-04-01T08:00:00Z"}))
            await page.until("document.querySelectorAll('#alerts li').length === 2")
            assert [item[0] for item in await page.ask(STRIP)] == ["critical", "warning"]
            assert "1:02:05" in (await page.ask(STRIP))[1][4]
            assert await page.ask("document.getElementById('alert-news').textContent") == news
            assert await page.ask("document.documentElement.scrollWidth") <= 390
            await page.photograph(tmp_path / "alerts.png")

            # Within its threshold again, it fires until it has stayed there for a while: the page shows nothing false about its figure.
            # As of 09:00:00 it has been good for 30 of the 60 s that it takes; for all of them; while mail is silent; not by enough.
            good, bad = ({"service_level_live": figure(level, 100 * level, 100, 1)} for level in (0.85, 0.7115384615384616))
            backend.store.feed(*window("queue:sales", kpis=good, revision=2))
            states: list[dict[str, Any]] = [{"recovering_since": f"2026-04-01T08:59:{second}Z"} for second in ("30", "00")]
            states += [{}, {"clear_at": 0.9}]
            for number, changes in enumerate(states):
                backend.alerts.feed(*alert(value=0.85, revision=9 + number, **changes))
                await page.until(f"{STRIP}[0][4] === '{clearing[number]}'")
            # Beyond again, and no worker has counted that yet.
            backend.store.feed(*window("queue:sales", kpis=bad, revision=3))
            await page.until(f"{STRIP}[0][4] === '{clearing[4]}'")

            for n in range(7):
                backend.alerts.feed(*alert(f"queue:{n}", severity="warning"))
            await page.until("document.querySelector('#alerts .more').innerText")
            assert "3" in await page.ask("document.querySelector('#alerts .more').innerText")
            backend.with_alerts(alert(state="cleared"))
            await page.until("document.getElementById('alerts').hidden")
            assert page.complaints == []

    run(check())
