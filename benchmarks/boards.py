"""Measures what many open boards take of one server of 1,000 queues, and how long after a record is in Kafka it is at their sockets.

``python -m benchmarks.boards`` (``make bench-boards``) starts Apache Kafka and two servers that follow the same topic, one with an access
file and one without. It publishes what a worker would, four times a second, and opens the boards at one server after the other, in pairs of
turns, of which the one or the other is first by turns: what else the machine does, and what gets faster or slower, is in both. With a login
each board shows a token of its own. Boards are sockets that follow the event stream of the page and parse nothing but the moments at which
records were sent.

What a login costs is the median over the pairs of with ÷ without. The least and the greatest of six pairs hold the true median 97 times in
100 (1 − 2 × ½⁶), whatever moves them: if 1 lies between them, no difference is shown, and if both lie below 1.1, a login costs less than a
tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import statistics
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import yaml
from aiokafka import AIOKafkaProducer

from streams.listening.tokens import TOKEN_FORM, hash_of
from streams.serving.reader import latest_topic
from tests.support.kafka import VERSION, cluster, missing
from tests.support.many_queues import cpu_seconds, make_topics, of_many_queues, publish
from tests.support.services import Services, rss_mib

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "boards"
PATH = "/api/v1/events?window=trailing_15m"
#: A worker publishes after each flush.
FLUSH_SECONDS = 0.25
#: Boards come one after the other; the first message brings everything, and is not of what changes.
BETWEEN_SECONDS = 0.02
OPENED_WITHIN_SECONDS = 60.0
_OPEN = (b"event: change", b"event: alive")
#: Added to each record: the time of sending, in microseconds of this machine's clock.
_SENT = re.compile(rb'"sent_us":(\d{16})')
_MARK_BYTES = 26
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Turn(NamedTuple):
    """What a server took while the boards were open."""

    p50_ms: float
    p99_ms: float
    longest_ms: float
    records: int
    #: Boards that the server gave up, as they took too little.
    lost: int
    #: Until all had received everything once.
    opening_seconds: float
    megabytes_a_board_second: float
    #: Shares of a core.
    serve_share: float
    boards_share: float
    rss_mib: float
    #: A thousand of the times, evenly over all. A turn has forty messages, and its p99 is that of the slowest; all turns have more.
    times_ms: tuple[float, ...]

    @property
    def figures(self) -> dict[str, float]:
        """All but the times."""
        return {name: value for name, value in self._asdict().items() if name != "times_ms"}


class _Board(asyncio.Protocol):
    """One board: it notes how old each record is when it comes."""

    def __init__(self, request: bytes, took_us: list[int]) -> None:
        self._request, self._took_us, self._rest = request, took_us, b""
        self.bytes = 0
        self.lost = self.open = False
        self.status = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now_us = time.time_ns() // 1000
        self.status = self.status or data[9:12]
        self.bytes += len(data)
        data = self._rest + data
        self.open = self.open or any(mark in data for mark in _OPEN)
        end = 0
        for found in _SENT.finditer(data):
            self._took_us.append(now_us - int(found[1]))
            end = found.end()
        self._rest = data[max(end, len(data) - _MARK_BYTES) :]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason does not matter
        self.lost = True


async def follow(address: str, tokens: list[str | None], seconds: float) -> dict[str, Any]:
    """Open the boards, follow for a while and return what they saw."""
    where = urlsplit(address)
    took_us: list[int] = []
    boards = []
    opening = time.monotonic()
    for token in tokens:
        shown = "" if token is None else f"Authorization: Bearer {token}\r\n"
        request = f"GET {PATH} HTTP/1.1\r\nHost: {where.netloc}\r\nAccept: text/event-stream\r\n{shown}\r\n".encode()
        board = _Board(request, took_us)
        await asyncio.get_running_loop().create_connection(lambda board=board: board, where.hostname or "", where.port or 80)  # type: ignore[misc]
        boards.append(board)
        await asyncio.sleep(BETWEEN_SECONDS)
    async with asyncio.timeout(OPENED_WITHIN_SECONDS):
        while not all(board.open or board.lost for board in boards):  # noqa: ASYNC110 - of all of them
            await asyncio.sleep(0.05)
    opening_seconds = time.monotonic() - opening
    took_us.clear()
    print("opened", flush=True)
    before, cpu = sum(board.bytes for board in boards), time.process_time()
    began = time.monotonic()
    await asyncio.sleep(seconds)
    lasted = time.monotonic() - began
    if refused := {board.status for board in boards} - {b"200"}:
        raise RuntimeError(f"boards were not served: {refused}")
    took = sorted(took_us)
    return {
        "p50_ms": took[len(took) // 2] / 1000,
        "p99_ms": took[len(took) * 99 // 100] / 1000,
        "longest_ms": took[-1] / 1000,
        "records": len(took),
        "times_ms": [took[len(took) * share // 1000] / 1000 for share in range(1000)],
        "lost": sum(board.lost for board in boards),
        "opening_seconds": opening_seconds,
        "megabytes_a_board_second": (sum(board.bytes for board in boards) - before) / 1e6 / len(boards) / lasted,
        "boards_share": (time.process_time() - cpu) / lasted,
    }


async def feed(bootstrap: str, records: Mapping[bytes, bytes], queues_a_second: int) -> None:
    """Publish, every quarter of a second, the records of now and of the windows of some queues, as if they had changed; without end."""
    by_queue: dict[str, list[tuple[bytes, dict[str, Any]]]] = {}
    for key, value in records.items():
        record = orjson.loads(value)
        running = record["kind"] == "now" or record.get("window", "").startswith(("trailing", "day"))
        if record.get("scope_kind") == "queue" and running:
            by_queue.setdefault(record["scope"], []).append((key, record))
    progress = [(key, orjson.loads(value)) for key, value in records.items() if key.startswith(b"progress")]
    names, first = [*by_queue], 0
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=2, max_batch_size=512 * 1024)
    await producer.start()
    try:
        due = time.monotonic()
        for revision in count(1_000_000):
            now_ms = time.time_ns() // 1_000_000
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ms / 1000)) + f".{now_ms % 1000:03}Z"
            changed = [names[(first + n) % len(names)] for n in range(round(queues_a_second * FLUSH_SECONDS))]
            first += len(changed)
            chosen = [each for name in changed for each in by_queue[name]] + (progress if revision % 4 == 0 else [])
            for key, record in chosen:
                again = {**record, "revision": revision, "as_of": at}
                if record["kind"] == "now":
                    again["sent_us"] = time.time_ns() // 1000
                await producer.send(latest_topic(PREFIX), key=key, value=orjson.dumps(again))
            due += FLUSH_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    finally:
        await producer.stop()


async def turn(services: Services, name: str, tokens: list[str | None], seconds: float) -> Turn:
    """Return what one server takes for the boards, which are a process of their own."""
    pid = services.pid(name)
    arguments = json.dumps([services.addresses[name], tokens, seconds])
    boards = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.boards", "--follow", "-", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert boards.stdin is not None  # noqa: S101 - asked for
    assert boards.stdout is not None  # noqa: S101 - asked for
    boards.stdin.write(arguments.encode() + b"\n")
    boards.stdin.close()
    async with asyncio.timeout(seconds + 2 * OPENED_WITHIN_SECONDS):
        if await boards.stdout.readline() != b"opened\n":
            raise RuntimeError("the boards were not served")
        cpu, began = cpu_seconds(pid), time.monotonic()
        found = json.loads(await boards.stdout.readline())
        share = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
        await boards.wait()
    return Turn(**found, serve_share=share, rss_mib=rss_mib(pid))


async def measured(bootstrap: str, options: argparse.Namespace) -> dict[str, list[Turn]]:
    """Return the turns of both servers."""
    records = of_many_queues(options.queues, rounds=1)
    tokens: list[str | None] = [
        TOKEN_FORM + f"{number:03d}".rjust(43, _LETTERS[number % len(_LETTERS)]) for number in range(options.boards)
    ]
    access = {
        "tokens": {
            f"board-{number}": {"hashes": [hash_of(token or "")], "roles": [{"role": "supervisor"}]} for number, token in enumerate(tokens)
        }
    }
    found: dict[str, list[Turn]] = {"without": [], "with": []}
    none: list[str | None] = [None] * options.boards
    with tempfile.TemporaryDirectory() as folder, Services(Path(folder), bootstrap, PREFIX) as services:
        path = Path(folder) / "access.yaml"
        path.write_text(yaml.safe_dump(access), encoding="utf-8")
        await make_topics(bootstrap, PREFIX)
        await publish(bootstrap, PREFIX, records)
        services.run("serve1")
        services.run("serve2", "--access", str(path))
        await services.ready("serve1", "serve2")
        feeding = asyncio.create_task(feed(bootstrap, records, options.changes))
        try:
            pair = [("serve1", "without", none), ("serve2", "with", tokens)]
            for _ in range(options.turns):
                for name, kind, shown in pair:
                    if feeding.done():
                        feeding.result()
                    found[kind].append(await turn(services, name, shown, options.seconds))
                    line = " ".join(f"{field}={value:.4g}" for field, value in found[kind][-1].figures.items())
                    print(f"{kind} login: {line}", flush=True)
                pair.reverse()
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding
    return found


def spread(turns: Mapping[str, list[Turn]], field: str) -> dict[str, float]:
    """Return least, median and greatest of with ÷ without, pair by pair."""
    ratios = sorted(getattr(one, field) / getattr(other, field) for one, other in zip(turns["with"], turns["without"], strict=True))
    return {"least": ratios[0], "median": statistics.median(ratios), "greatest": ratios[-1]}


def main() -> int:
    """Print a line a turn, and one line of JSON with the medians, and the ratios of the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=200)
    parser.add_argument("--queues", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=100, help="queues that change a second, six records each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn, after its opening (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=6, help="of each server, in pairs (default: %(default)s)")
    parser.add_argument("--follow", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.follow:
        print(json.dumps(asyncio.run(follow(*json.loads(sys.stdin.readline())))), flush=True)
        return 0
    if (reason := missing()) is not None:
        sys.stderr.write(f"{reason}\n")
        return 1
    with cluster(1) as running:
        turns = asyncio.run(measured(running.bootstrap, options))
    medians = {
        kind: {field: statistics.median(each.figures[field] for each in of) for field in of[0].figures}
        | {"p99_of_all_ms": statistics.quantiles([time for each in of for time in each.times_ms], n=100)[-1]}
        for kind, of in turns.items()
    }
    ratios = {field: spread(turns, field) for field in ("p50_ms", "p99_ms", "serve_share", "rss_mib")}
    asked = {name: getattr(options, name) for name in ("boards", "queues", "changes", "seconds", "turns")}
    print(json.dumps({"kafka": VERSION, **asked, **medians, "with_by_without": ratios}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
