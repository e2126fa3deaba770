"""``/metrics`` of processes without a door of their own: for this machine alone, for tokens and certificates of a file, or for all."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.access.principals import Identity
from streams.cli import main
from streams.connectors.gateway import Gateway, GatewaySettings
from streams.connectors.publishing import MemoryPublisher
from streams.connectors.pull.service import PullService
from streams.connectors.pull.status import SourceStatus
from streams.connectors.senders import Senders
from streams.engine.health import Health
from streams.listening import HttpServer, Listening
from streams.listening.proxies import Proxies
from streams.serving import scraping as scraping_module
from streams.serving.client_certificates import ClientCertificates
from streams.serving.door import WatchedAccess
from streams.serving.pipeline import pipeline_app
from streams.serving.scraping import Scraping
from tests.serving.test_door import NEW, OLD, OTHER, bearing, token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

#: As a proxy names a client on the network; without it a request is of this machine.
FROM_ELSEWHERE = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}


@contextlib.asynccontextmanager
async def running(what: str, scraping: Scraping) -> AsyncIterator[str]:
    """Run a process' server behind a proxy of this machine; yield its address."""
    how = Listening(proxies=Proxies(["127.0.0.1"]), metrics_refusal=scraping.refusal)
    server: Any
    if what == "gateway":
        publisher = MemoryPublisher(now=lambda: datetime.now(UTC))
        server = Gateway(publisher, Senders(), GatewaySettings(port=0, heartbeat_seconds=3600, listening=how))
        address = await server.start()
    elif what == "worker":
        connections = how.connections()
        server = HttpServer(pipeline_app(Health(), {}, None, connections), connections, how)
        address = await server.start("127.0.0.1", 0)
    else:
        runner: Any = SimpleNamespace(status=SourceStatus())
        server = PullService(runner, CollectorRegistry(), how)
        address = await server.start("127.0.0.1", 0)
    try:
        yield address
    finally:
        await server.stop()


PROCESSES = pytest.mark.parametrize("what", ["gateway", "worker", "connector"])
METRIC = "contact_center_http_connections"


async def asked(client: aiohttp.ClientSession, url: str, headers: dict[str, str], method: str = "GET") -> tuple[int, bool]:
    """Return the status, and whether there are metrics in the answer."""
    async with client.request(method, url, headers=headers) as answer:
        return answer.status, METRIC in await answer.text()


@PROCESSES
def test_without_a_file_this_machine_alone_reads(what: str) -> None:
    """Others get 403 by any spelling and method, and health all the same; with --insecure all read."""

    async def check() -> None:
        async with running(what, Scraping()) as address, aiohttp.ClientSession() as client:
            assert await asked(client, f"{address}/metrics", {}) == (200, True)
            for path in ("/metrics", "/metrics?x=1", "/%6detrics", "//metrics", "/metrics/"):
                assert (await asked(client, f"{address}{path}", FROM_ELSEWHERE)) in {(403, False), (404, False)}, path
            assert (await asked(client, f"{address}/metrics", FROM_ELSEWHERE))[0] == 403
            assert (await asked(client, f"{address}/metrics", FROM_ELSEWHERE, "HEAD"))[0] == 403
            assert (await asked(client, f"{address}/healthz", FROM_ELSEWHERE))[0] in {200, 503}
        async with running(what, Scraping(insecure=True)) as address, aiohttp.ClientSession() as client:
            assert await asked(client, f"{address}/metrics", FROM_ELSEWHERE) == (200, True)

    asyncio.run(check())


def written(path: Path, **keys: Any) -> WatchedAccess:
    """Return the access file of the tokens."""
    path.write_text(yaml.safe_dump(keys), encoding="utf-8")
    return WatchedAccess(path, 0)


@PROCESSES
@pytest.mark.parametrize("insecure", [False, True])
def test_with_a_file_a_token_reads(what: str, insecure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of an account with all figures, from this machine too; a changed file holds without a restart, and --insecure opens nothing."""
    monkeypatch.setattr(scraping_module, "POLL_SECONDS", -1.0)
    path = tmp_path / "access.yaml"
    access = written(
        path,
        tokens={
            "prometheus": token(OLD),
            "tokyo": {**token(NEW), "roles": [{"role": "viewer", "sites": ["tokyo"]}]},
        },
    )

    async def check() -> None:
        async with running(what, Scraping(access, insecure=insecure)) as address, aiohttp.ClientSession() as client:
            url = f"{address}/metrics"
            for whence in ({}, FROM_ELSEWHERE):
                assert await asked(client, url, whence | bearing(OLD)) == (200, True)
                assert await asked(client, url, whence) == (401, False)
                assert await asked(client, url, whence | bearing(OTHER)) == (401, False)
                assert await asked(client, url, whence | bearing(NEW)) == (403, False)
            assert await asked(client, f"{url}?access_token={OLD}", {}) == (401, False)
            path.write_text(yaml.safe_dump({"tokens": {"prometheus": token(OTHER)}}), encoding="utf-8")
            # The second look that finds it takes it up.
            for _ in range(2):
                await asked(client, url, {})
            assert await asked(client, url, bearing(OTHER)) == (200, True)
            assert await asked(client, url, bearing(OLD)) == (401, False)

    asyncio.run(check())


def test_a_client_certificate_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that the file names, as TLS has found it."""
    access = written(tmp_path / "access.yaml", certificates={"prometheus": {"roles": [{"role": "viewer"}]}})

    async def shown(self: ClientCertificates, request: aiohttp.web.Request) -> Identity | None:
        name = request.headers.get("X-Test-Certificate")
        return None if name is None else Identity("certificate", name)

    monkeypatch.setattr(ClientCertificates, "identify", shown)

    async def check() -> None:
        async with running("worker", Scraping(access)) as address, aiohttp.ClientSession() as client:
            for name, status in (("prometheus", 200), ("another", 401)):
                assert (await asked(client, f"{address}/metrics", {"X-Test-Certificate": name}))[0] == status

    asyncio.run(check())


@pytest.mark.parametrize(
    "arguments",
    [["worker"], ["gateway"], ["connector", "run", "crm", "--connectors", "none.yaml"]],
    ids=lambda each: each[0],
)
def test_each_command_has_the_option(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unusable file is reported before anything starts; the connector reads its own file first."""
    (tmp_path / "access.yaml").write_text("tokens: 7\n", encoding="utf-8")
    status = main([*arguments, "--access", str(tmp_path / "access.yaml")])
    stderr = capsys.readouterr().err

    assert status == 2
    assert ("none.yaml" if arguments[0] == "connector" else "access.yaml") in stderr


def test_a_worker_on_the_network_logs_who_may_read(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it does anything else; on the loopback address, with a file and with --insecure nothing is logged."""
    monkeypatch.setattr("streams.commands.worker.run_worker", lambda *_: None)
    with caplog.at_level("WARNING"):
        for options, warnings in ((["--host", "0.0.0.0"], 1), ([], 0), (["--host", "0.0.0.0", "--insecure"], 0)):  # noqa: S104 - the point
            caplog.clear()
            main(["worker", "--port", "0", *options])
            assert len([each for each in caplog.records if "/metrics is served to this machine only" in each.getMessage()]) == warnings
