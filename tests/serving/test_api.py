"""The HTTP API: figures as JSON, queues, catalogue, metrics, health, page files, and the headers of every answer."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from typing import Any

import pytest

from streams.catalogue import KPIS, WORDS
from streams.configuration import Configuration
from streams.serving.event_log import EventLog, Limits
from streams.serving.explainer import Explainer
from streams.serving.workers import Workers
from tests.serving.records import (
    AS_OF,
    EVERYTHING,
    Backend,
    Clock,
    client_of,
    heartbeat,
    live_workers,
    now_record,
    progress,
    small_center,
    window,
)
from tests.serving.running import NO_KAFKA

PATHS = ["/", "/wallboard.js", "/wallboard.css", "/icon.svg", "/alerts.js", "/alerts.css", "/metrics", "/healthz", "/readyz"]
PATHS += ["/api/v1/figures", "/api/v1/queues/sales", "/api/v1/catalogue", "/api/v1/nothing"]


def test_figures_hold_everything() -> None:
    """All records by key, unchanged, with their as-of, sources and age."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        async with client_of(backend.serving(targets={"sales": 0.8})) as client:
            document = await (await client.get("/api/v1/figures")).json()

            assert document["as_of"] == "2026-04-01T09:00:00.000Z"
            assert document["complete_through"] == "2026-04-01T08:59:55.000Z"
            assert (document["age_seconds"], document["stale"], document["ready"], document["connected"]) == (1.0, False, True, True)
            assert document["sources"]["mail"] == {"last_seen": "2026-04-01T08:00:00.000Z", "stale": True}
            assert document["targets"] == {"sales": 0.8}
            assert set(document["records"]) == {key.decode() for key, _ in small_center()}
            level = document["records"]["trailing_15m|voice|queue:sales"]["kpis"]["service_level"]
            assert level == {"value": 0.74, "numerator": 37, "denominator": 50, "coverage": 1}
            assert document["records"]["trailing_15m|mail|queue:claims"]["kpis"]["asa"]["value"] is None

    asyncio.run(check())


def test_the_longest_wait_is_of_the_current_as_of() -> None:
    """A now record has the wait at the as-of of the answer, not at its own."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        backend.store.feed(*progress(revision=2, as_of="2026-04-01T09:00:30Z"))
        async with client_of(backend.serving()) as client:
            document = await (await client.get("/api/v1/figures")).json()

            assert document["records"]["now|voice|queue:sales"]["longest_wait_seconds"] == 102
            assert document["records"]["now|mail|queue:claims"]["longest_wait_seconds"] is None

    asyncio.run(check())


@pytest.mark.parametrize(
    ("ahead_seconds", "ready", "connected", "stale"),
    [
        (10.0, True, True, False),
        (10.5, True, True, True),
        (-2.0, True, True, False),
        (-2.5, True, True, True),
        (-3600.0, True, True, True),
        (1.0, False, True, True),
        (1.0, True, False, True),
    ],
    ids=range(7),
)
def test_stale(ahead_seconds: float, ready: bool, connected: bool, stale: bool) -> None:
    """Figures are stale if the wall clock is more than 10 s ahead of them or 2 s behind, or if nothing would update them."""
    backend = Backend.fed(small_center())
    backend.clock.seconds += ahead_seconds - 1
    backend.ready, backend.connected = ready, connected

    assert backend.serving().figures.stale is stale


def half_restored() -> Backend:
    """Return a backend of two partitions, the second stalled for 25 s."""
    backend = Backend()
    for partition, as_of, queue in ((0, AS_OF, "sales"), (1, "2026-04-01T08:59:35Z", "claims")):
        for key, value in (progress(partition, as_of=as_of), now_record(f"queue:{queue}", waiting=1), window(f"queue:{queue}")):
            assert backend.store.feed(key, value, partition)
    return backend


def test_the_scopes_of_a_stalled_partition_are_named() -> None:
    """While other partitions advance, the queues of a stalled one are recovering, with its as-of; the figures are not stale."""

    async def check() -> None:
        backend = half_restored()
        async with client_of(backend.serving()) as client:
            document = await (await client.get("/api/v1/figures")).json()
            assert (document["stale"], document["recovering"]) == (False, {"queue:claims": "2026-04-01T08:59:35.000Z"})
            assert "contact_center_figures_recovering 1.0" in await (await client.get("/metrics")).text()

            backend.connected = False
            cut = await (await client.get("/api/v1/figures")).json()
            assert (cut["stale"], cut["recovering"]) == (True, {})
            backend.connected = True

            key, value = progress(1, revision=2)
            assert backend.store.feed(key, value, 1)
            assert (await (await client.get("/api/v1/queues/claims")).json())["recovering"] == {}

    asyncio.run(check())


def test_stalled_partitions_are_reported() -> None:
    """A partition is stalled 2 s after its last heartbeat; without any roll-up all figures are stale. No record is needed."""

    async def check() -> None:
        backend = half_restored()
        backend.store.feed(*progress(1, revision=2), 1)
        clock = Clock()
        backend.workers = live_workers(clock, {})
        async with client_of(backend.serving()) as client:

            async def document() -> dict[str, Any]:
                answer: dict[str, Any] = await (await client.get("/api/v1/figures")).json()
                return answer

            well = await document()
            assert (well["stale"], well["standing_still"], well["recovering"]) == (False, {}, {})
            clock.seconds += 2.1
            backend.workers.feed(
                heartbeat({"contact-events.v1": [0, 1, 2, 4, 5, 6, 7], "agent-events.v1": range(8), "queue-panes.v1": [0, 2, 3]})
            )
            partly = await document()
            assert (partly["stale"], partly["standing_still"]) == (False, {"contact-events.v1": [3], "queue-panes.v1": [1]})
            assert partly["recovering"] == {"queue:claims": "2026-04-01T09:00:00.000Z"}
            metrics = await (await client.get("/metrics")).text()
            assert 'contact_center_partitions_standing_still{topic="contact-events.v1"} 1.0' in metrics
            assert 'contact_center_partitions_standing_still{topic="agent-events.v1"} 0.0' in metrics
            clock.seconds += 2.1
            dead = await document()
            assert (dead["stale"], dead["standing_still"]) == (True, {name: list(numbers) for name, numbers in EVERYTHING.items()})
            for odd in (b"", b"[]", b'{"going_on":{"x":3}}', b'{"going_on":[]}', b'{"going_on":{"x":[[]]}}', None):
                backend.workers.feed(odd)
            assert (await document())["stale"] is True

    asyncio.run(check())


def test_without_heartbeats_stalled_partitions_are_unknown() -> None:
    """Workers of an older version send none: figures are judged by their age."""
    backend = Backend.fed(small_center())
    clock = Clock()
    backend.workers = Workers("contactcenter", clock)
    clock.seconds += 60
    figures = backend.serving().figures
    assert (figures.stale, figures.stalled) == (False, None)
    backend.workers.begin()
    clock.seconds += 1.9
    assert (figures.stale, figures.stalled) == (False, {})
    clock.seconds += 0.2
    assert figures.stale is True


def test_without_figures_all_is_stale() -> None:
    """Before any progress record there is no age, and no figure is current."""
    figures = Backend().serving().figures

    assert (figures.age_seconds, figures.stale, figures.header()["as_of"]) == (None, True, None)


def test_a_queue_by_name() -> None:
    """A queue has its channels with their windows and current figures; of repeated windows the newest."""

    async def check() -> None:
        backend = Backend.fed(small_center())
        key, value = window("queue:sales", name="interval_30m", revision=5, window_end="2026-04-01T08:30:00Z")
        backend.store.feed(key + b"|2", value)
        backend.store.feed(*window("queue:sales", name="interval_30m", revision=4))
        backend.store.feed(*now_record("queue:a/b c", "chat", waiting=1))
        async with client_of(backend.serving(targets={"sales": 0.8})) as client:
            document = await (await client.get("/api/v1/queues/sales")).json()
            assert (document["queue"], document["target"], document["as_of"]) == ("sales", 0.8, "2026-04-01T09:00:00.000Z")
            assert set(document["channels"]) == {"voice"}
            voice = document["channels"]["voice"]
            assert set(voice["windows"]) == {"trailing_15m", "interval_30m"}
            assert voice["windows"]["interval_30m"]["window_end"] == AS_OF
            assert (voice["now"]["waiting"], voice["now"]["longest_wait_seconds"]) == (2, 72)
            assert voice["windows"]["trailing_15m"]["by_label"]["not_offered"]["full"]["value"] == 3

            document = await (await client.get("/api/v1/queues/a%2Fb%20c")).json()
            assert document["channels"]["chat"]["now"]["waiting"] == 1

            missing = await client.get("/api/v1/queues/north")
            assert (missing.status, (await missing.json())["error"]) == (404, "no record names this queue")

    asyncio.run(check())


def test_only_the_windows_asked_for() -> None:
    """``?window=`` leaves out other windows and keeps current figures; a misspelled parameter is refused with its spelling."""

    async def check() -> None:
        backend = Backend.fed([*small_center(), window("queue:sales", name="trailing_5m"), window("queue:sales", name="day")])
        async with client_of(backend.serving()) as client:
            document = await (await client.get("/api/v1/figures?window=day&window=trailing_5m")).json()
            assert {r["window"] for r in document["records"].values() if r["kind"] == "window"} == {"day", "trailing_5m"}
            assert {r["kind"] for r in document["records"].values()} == {"window", "now"}

            for path in ("/api/v1/figures", "/api/v1/events"):
                refused = await client.get(f"{path}?window=15")
                assert refused.status == 400
                assert "trailing_15m" in (await refused.json())["error"]

    asyncio.run(check())


def test_the_catalogue_is_served() -> None:
    """Pages label figures by the catalogue: every KPI with both names and its metrics, and the texts of pages."""

    async def check() -> None:
        async with client_of(Backend().serving()) as client:
            document = await (await client.get("/api/v1/catalogue")).json()

            assert [(kpi["id"], kpi["ja"]) for kpi in document["kpis"]] == [(kpi.id, kpi.ja) for kpi in KPIS]
            assert document["kpis"][6]["metrics"][0]["name"] == "contact_center_service_level_ratio"
            assert document["words"] == WORDS
            assert (document["stale_after_seconds"], document["ahead_seconds"], document["zone"]) == (10, 2, "UTC")

    asyncio.run(check())


def test_metrics_in_both_formats() -> None:
    """``/metrics`` answers in the accepted format, compressed if accepted."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving(windows=("trailing_15m",))) as client:
            plain = await client.get("/metrics", headers={"Accept-Encoding": "identity"})
            assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert "Content-Encoding" not in plain.headers
            assert "\ncontact_center_contacts_waiting{" in await plain.text()

            opened = await client.get(
                "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
            )
            assert opened.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
            assert opened.headers["Content-Encoding"] == "gzip"
            assert (await opened.text()).endswith("# EOF\n")

    asyncio.run(check())


def test_health_and_readiness() -> None:
    """Alive from the start; ready once the topic has been read, and always after: old figures with their age are better than none."""

    async def check() -> None:
        backend = Backend(ready=False, connected=False)
        async with client_of(backend.serving()) as client:
            seen = []
            for backend.ready, backend.connected in ((False, False), (True, True), (True, False)):
                ready = await client.get("/readyz")
                seen.append((ready.status, (await ready.json())["status"], (await client.get("/healthz")).status))

            assert seen == [(503, "reading", 200), (200, "ready", 200), (200, "ready", 200)]

    asyncio.run(check())


def test_every_answer_is_locked_down() -> None:
    """Every answer, errors and the event stream too, forbids foreign content, guessing of types and framing."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            for path in [*PATHS, "/api/v1/events"]:
                answer = await client.get(path)
                policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
                assert policy["default-src"] == "'none'"
                assert {policy[kind] for kind in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
                assert {policy[kind] for kind in ("frame-ancestors", "base-uri", "form-action")} == {"'none'"}
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                answer.close()
            refused = await client.post("/api/v1/figures")
            assert (refused.status, refused.headers["Allow"]) == (405, "GET,HEAD")
            assert "Content-Security-Policy" in refused.headers

    asyncio.run(check())


def test_only_the_files_of_the_page() -> None:
    """No path leads out of the page's folder, and each file has its media type."""

    async def check() -> None:
        async with client_of(Backend().serving()) as client:
            types = {path: (await client.get(path)).headers["Content-Type"] for path in PATHS[:6]}
            assert types == {
                "/": "text/html; charset=utf-8",
                "/wallboard.js": "text/javascript; charset=utf-8",
                "/wallboard.css": "text/css; charset=utf-8",
                "/icon.svg": "image/svg+xml; charset=utf-8",
                "/alerts.js": "text/javascript; charset=utf-8",
                "/alerts.css": "text/css; charset=utf-8",
            }
            for path in ("/index.html", "/store.py", "/..%2fstore.py", "/page/wallboard.js", "/wallboardxjs"):
                assert (await client.get(path)).status == 404

    asyncio.run(check())


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """The page's files name no other host, and have no inline script or style, which the policy would refuse."""
    page = files("streams.serving").joinpath("page")
    names = ("index.html", "wallboard.js", "wallboard.css", "alerts.js", "alerts.css")
    texts = {name: page.joinpath(name).read_text(encoding="utf-8") for name in names}

    assert not [
        name for name, text in texts.items() if re.search(r"(https?:)?//[a-z0-9]", re.sub(r"^\s*// .*$", "", text, flags=re.MULTILINE))
    ]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", texts["index.html"])
    assert not re.search(r"innerHTML|insertAdjacentHTML|outerHTML|\beval\b|new Function", texts["wallboard.js"] + texts["alerts.js"])


def test_an_internal_error_reveals_nothing() -> None:
    """A failing handler answers 500 in JSON, with the headers of every answer, without the error's text."""

    async def check() -> None:
        serving = Backend.fed(small_center()).serving()
        serving.figures.clock = None  # type: ignore[assignment]
        async with client_of(serving) as client:
            failed = await client.get("/api/v1/figures")
            assert (failed.status, (await failed.json())["detail"]) == (500, "internal error")
            assert "Content-Security-Policy" in failed.headers

    asyncio.run(check())


@pytest.mark.parametrize("limit", ["1001", "-1", "2.5", "٣", "9" * 5000])
def test_an_invalid_number_is_refused(limit: str) -> None:
    """An invalid limit of explain is an error of the client, even with more digits than Python reads."""

    async def check() -> None:
        explainer = Explainer(EventLog(NO_KAFKA, "none"), Configuration, Limits(megabytes=1, seconds=2))
        async with client_of(Backend.fed(small_center()).serving(explainer=explainer)) as client:
            answer = await client.get("/api/v1/explain", params={"queue": "sales", "kpi": "offered", "limit": limit})
            assert answer.status == 400
            assert (await answer.json())["detail"] == f"limit {limit[:20]!r}; permitted: 0 to 1000"

    asyncio.run(check())


def test_explain_is_off_by_default() -> None:
    """Without the option serve reads no events, and the endpoint names the option."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            answer = await client.get("/api/v1/explain?queue=sales&kpi=offered")
            assert answer.status == 404
            assert (await answer.json())["error"] == "explain is off here: start serve with --explain"

    asyncio.run(check())
