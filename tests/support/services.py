"""The product's long-running commands as processes with an address, for tests that kill, pause and measure them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.support.kafka import free_port
from tests.support.product import CONFIGURATION
from tests.support.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Services", "rss_mib", "until"]


class Services(Workers):
    """Commands by name: ``worker``, ``serve`` or ``gateway``, or such a word and a number."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, configuration: Path = CONFIGURATION) -> None:
        """Run them on the topics of ``prefix``."""
        super().__init__(folder, "tests.support.product_worker")
        self._common = ["--bootstrap", bootstrap, "--prefix", prefix]
        self._configuration = ["--config", str(configuration)]
        #: Name → ``http://127.0.0.1:port``; a name keeps its address through restarts.
        self.addresses: dict[str, str] = {}

    def run(self, name: str, *options: str, **more: Any) -> None:
        """Start a command on a port of its own; ``more`` is for ``tests.support.product_worker``."""
        command = name.rstrip("0123456789")
        port = free_port()
        self.addresses[name] = f"http://127.0.0.1:{port}"
        configured = [] if command == "gateway" else self._configuration
        self.start(name, {"arguments": [command, *self._common, *configured, "--port", str(port), *options], **more})

    async def ask(self, name: str, path: str) -> tuple[int, Any]:
        """Return the status and the JSON of an answer; status 0 when there is none."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(self.addresses[name] + path) as response,
            ):
                return response.status, await response.json(content_type=None) if response.content_type.endswith(
                    "json"
                ) else await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0, None

    async def ready(self, *names: str, seconds: float = 90) -> None:
        """Wait until each is ready."""
        for name in names:

            async def is_ready(name: str = name) -> bool:
                self.supervise()
                return (await self.ask(name, "/readyz"))[0] == 200

            await until(is_ready, seconds, lambda name=name: f"{name} is not ready:\n{self.log(name)[-4000:]}")  # type: ignore[misc]

    async def counter(self, name: str, sample: str) -> float:
        """Return the sum of all samples whose name and labels begin with ``sample``."""
        _, text = await self.ask(name, "/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in (text or "").splitlines() if line.startswith(sample))


async def until(condition: Callable[[], Any], seconds: float, otherwise: Callable[[], str] = lambda: "") -> None:
    """Wait until a condition, which may be a coroutine function, holds."""
    deadline = time.monotonic() + seconds
    while True:
        holds = condition()
        if asyncio.iscoroutine(holds):
            holds = await holds
        if holds:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {seconds:.0f} s. {otherwise()}")
        await asyncio.sleep(0.2)


def rss_mib(pid: int) -> float:
    """Return the memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
