"""``contact-streams`` in a process whose connector lives by a clock that a test sets, asks for short pages, and reports how many it got."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from streams import cli
from streams.commands import connector_run
from tests.support.polling import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from streams.connectors.pull.model import Page, PollContext

__all__ = ["SharedClock", "main"]


class SharedClock(Clock):
    """A wall clock that a process reads from a file."""

    def __init__(self, file: Path, now: datetime) -> None:
        self._file = file
        super().__init__(now)

    @property
    def now(self) -> datetime:
        """The time."""
        return self._now

    @now.setter
    def now(self, now: datetime) -> None:
        self._now = now
        new = self._file.with_suffix(".new")
        new.write_text(now.isoformat(), encoding="ascii")
        new.replace(self._file)


def main(arguments: str) -> int:
    """Run the command; ``arguments`` is JSON.

    ``arguments`` are those of the command, ``clock`` the file of a SharedClock, ``platform`` names the module of the connector, ``short``
    holds values in place of its constants, ``progress`` is a file that grows by a byte with each page that was read, and
    ``pause_seconds`` lies before each page, so that a kill meets the middle of what there is.
    """
    given: dict[str, Any] = json.loads(arguments)
    clock = Path(given["clock"])

    class Simulated(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromisoformat(clock.read_text(encoding="ascii")).astimezone(tz or UTC)

    connector_run.datetime = Simulated  # type: ignore[attr-defined]
    module: Any = import_module(f"streams.connectors.live.{given['platform']}")
    for name, value in given["short"].items():
        # One that is renamed would make all of this one page.
        if not hasattr(module, name):
            raise AttributeError(name)
        setattr(module, name, value)
    fetch = _with_progress(module.PULL.fetch, Path(given["progress"]), given["pause_seconds"])
    module.PULL = replace(module.PULL, fetch=fetch, spacing_seconds=0.0)
    return cli.main(given["arguments"])


def _with_progress(
    fetch: Callable[[PollContext], AsyncGenerator[Page, None]], progress: Path, pause_seconds: float
) -> Callable[[PollContext], AsyncGenerator[Page, None]]:
    async def fetch_with_progress(asking: PollContext) -> AsyncGenerator[Page, None]:
        async with aclosing(fetch(asking)) as pages:
            async for page in pages:
                with progress.open("ab") as file:
                    file.write(b".")
                await asyncio.sleep(pause_seconds)
                yield page

    return fetch_with_progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
