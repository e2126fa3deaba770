"""The product's own command in a process that a test can have die at a crash point of one flow, or stop reading."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas import limits
from streams import cli
from streams.engine import health
from streams.engine.flush import TransactionWriter
from streams.engine.transport import _ConsumerThread
from streams.tracking.facts import FACT_OF

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import TopicPartition

    from streams.engine.flush import Transaction

__all__ = ["main"]


def main(arguments: str) -> int:
    """Run ``contact-streams``; ``arguments`` is JSON with its ``arguments``.

    With ``crash_source``, the end of a topic's name, the crash points of a flush count only the flushes of that source.
    While the file ``reads_unless`` exists, nothing is fetched any more, as when a client has lost its way; ``stuck_after_seconds``
    makes the worker report it sooner. ``ends_at`` maps conversations to what an event of theirs does to the process: ``raise`` or ``exit``.
    ``max_ahead_ms`` takes the place of the five minutes that a clock may run ahead.
    """
    given = json.loads(arguments)
    if given.get("crash_source"):
        _crash_only_at(given["crash_source"])
    if given.get("ends_at"):
        _end_at(given["ends_at"])
    if given.get("reads_unless"):
        _read_unless(Path(given["reads_unless"]))
    if given.get("max_ahead_ms"):
        limits.MAX_AHEAD_MS = given["max_ahead_ms"]
    if given.get("stuck_after_seconds"):
        health.STUCK_AFTER_SECONDS = given["stuck_after_seconds"]
    return cli.main(given["arguments"])


def _crash_only_at(source: str) -> None:
    write = TransactionWriter.write

    async def write_of_any_flow(self: TransactionWriter, transaction: Transaction) -> dict[TopicPartition, int]:
        points = (self._after_rows, self._after_outputs, self._after_offsets, self._after_commit_sent)
        left = [point._left for point in points]
        passed_by = not any(place.topic.endswith(source) for place in transaction.offsets)
        for point in points:
            point._left = 0 if passed_by else point._left
        ends = await write(self, transaction)
        for point, count in zip(points, left, strict=True):
            point._left = count if passed_by else point._left
        return ends

    TransactionWriter.write = write_of_any_flow  # type: ignore[method-assign]


def _end_at(ends: dict[str, str]) -> None:
    """Have a fact of these conversations end the process, whether compiled code asks for it or not."""

    def ending(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def make_or_end(event: Any) -> Any:
            how = ends.get(event.conversation_id)
            if how == "raise":
                raise ZeroDivisionError("A defect of ours.")
            if how == "exit":
                os._exit(139)
            return make(event)

        return make_or_end

    for kind, make in FACT_OF.items():
        FACT_OF[kind] = ending(make)


def _read_unless(flag: Path) -> None:
    fetch = _ConsumerThread._fetch_records

    async def fetch_if_allowed(self: _ConsumerThread, *args: Any, **options: Any) -> dict[Any, Any]:
        while flag.exists():  # noqa: ASYNC110, ASYNC240 - a file is how a test reaches into this process
            await asyncio.sleep(0.2)
        return await fetch(self, *args, **options)

    _ConsumerThread._fetch_records = fetch_if_allowed  # type: ignore[method-assign]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
