"""The door of a server that runs, with files and a broker: what a site's token shows, and that an open stream follows the files."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml

from schemas.topics import DEFAULT_PREFIX
from streams.configuration.file import ConfigurationFile
from streams.listening.tokens import TOKEN_FORM, hash_of
from streams.serving.door import WatchedAccess
from streams.serving.reader import alerts_topic, latest_topic
from streams.serving.reload import now_ms
from streams.serving.service import ServeSettings, run_serve
from tests.serving.records import now_record, progress
from tests.serving.topics import bootstrap, make, publish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from streams.configuration import Configuration

__all__ = ["bootstrap"]

pytestmark = pytest.mark.embedded

PREFIX = f"{DEFAULT_PREFIX}-door"
TOKEN = TOKEN_FORM + "d" * 43


def written(path: Path, content: dict[str, Any]) -> Path:
    """Write a file, another one if there is one."""
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def access(*roles: dict[str, Any]) -> dict[str, Any]:
    """Return an access file for one token."""
    return {"tokens": {"wall": {"hashes": [hash_of(TOKEN)], "roles": [*roles]}}}


def center(site_of_help: str) -> dict[str, Any]:
    """Return a configuration of three queues."""
    sites = {name: {"zone": "Asia/Tokyo"} for name in ("tokyo", "osaka")}
    return {"sites": sites, "queues": {"sales": {"site": "tokyo"}, "help": {"site": site_of_help}, "loans": {"site": "osaka"}}}


@contextlib.asynccontextmanager
async def served(settings: ServeSettings) -> AsyncIterator[aiohttp.ClientSession]:
    """Run the server, and yield a client that shows the token."""
    announced: asyncio.Queue[str] = asyncio.Queue()
    running = asyncio.create_task(run_serve(settings, announce=announced.put_nowait, handle_signals=False))
    address = (await announced.get()).removeprefix("serving ")
    try:
        async with aiohttp.ClientSession(address, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            async with asyncio.timeout(20):
                while (await client.get("readyz")).status != 200:  # noqa: ASYNC110 - asks over HTTP
                    await asyncio.sleep(0.05)
            yield client
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until_line(answer: aiohttp.ClientResponse, *wanted: str) -> str:
    """Read a stream up to a line that holds all of some texts, and return what was read."""
    read = ""
    async for line in answer.content:
        read += line.decode()
        if all(text in line.decode() for text in wanted):
            return read
    raise AssertionError(f"the stream ended before {wanted} came: {read[-500:]}")


def test_rights_follow_the_files(bootstrap: str, tmp_path: Path) -> None:
    """A site is seen alone; a queue that the configuration moves elsewhere goes; when the role goes the stream ends, within a minute."""

    async def check() -> None:
        for name in (latest_topic(PREFIX), alerts_topic(PREFIX)):
            await make(bootstrap, name)
        queues = ("sales", "help", "loans")
        await publish(bootstrap, latest_topic(PREFIX), [progress(), *(now_record(f"queue:{name}", waiting=1) for name in queues)])
        access_file = written(tmp_path / "access.yaml", access({"role": "viewer", "sites": ["tokyo"]}))
        configuration = written(tmp_path / "center.yaml", center("tokyo"))

        def settings_of(_: Configuration) -> ServeSettings:
            return ServeSettings(
                bootstrap=bootstrap,
                topic_prefix=PREFIX,
                port=0,
                access=WatchedAccess(access_file, now_ms()),
                file=file,
                of_configuration=settings_of,
            )

        file = ConfigurationFile(configuration, now_ms())
        async with served(settings_of(file.running)) as client:
            document = await (await client.get("api/v1/figures")).json()
            assert set(document["records"]) == {"now|voice|queue:sales", "now|voice|queue:help"}
            assert (await client.get("api/v1/queues/loans")).status == (await client.get("api/v1/queues/none")).status == 404
            assert (await client.get("api/v1/agents")).status == 403
            async with asyncio.timeout(55), client.get("api/v1/events") as stream:
                read = await until_line(stream, "data: ", "queue:help")
                written(configuration, center("osaka"))
                resent = await until_line(stream, "data: ", "queue:sales")
                assert "queue:help" not in resent
                read += resent
                written(access_file, access())
                read += (await stream.read()).decode()
                assert "loans" not in read
            assert (await client.get("api/v1/figures")).status == 403
            written(access_file, {})
            async with asyncio.timeout(20):
                while (await client.get("api/v1/figures")).status != 401:  # noqa: ASYNC110 - asks over HTTP
                    await asyncio.sleep(0.2)

    asyncio.run(asyncio.wait_for(check(), 110))
