"""A platform is asked: what it answers is written with its cursor, and trouble of any kind loses nothing and repeats nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest
from prometheus_client import generate_latest

from schemas.other import SourceHeartbeat
from streams.connectors.pull import entries
from streams.connectors.pull.client import ClientLimits
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.status import RunSettings
from tests.support.polled_desk import SOURCE, Desk, make_runner
from tests.support.services import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.connectors.pull.entries import Entry
    from streams.connectors.pull.runner import Runner

QUICK = RunSettings(first_pause_seconds=0.05, longest_pause_seconds=0.2, heartbeat_seconds=0.1)


def happened(desk: Desk) -> list[str]:
    """Return the ids of the events that a desk's tickets are to become."""
    return sorted(
        f"{SOURCE}-{ticket}-{name}"
        for ticket, fields in desk.tickets.items()
        for name in ("created_at", "answered_at", "solved_at")
        if name in fields
    )


def published(ledger: MemoryLedger) -> list[str]:
    """Return the ids of the events that were written, repeats too."""
    return sorted(event.event_id for event in ledger.events if event.type != "source.heartbeat")


@asynccontextmanager
async def running(desk: Desk, ledger: MemoryLedger, limits: ClientLimits | None = None) -> AsyncIterator[Runner]:
    """Run the connector beside its platform."""
    async with desk.serve() as address:
        stop = asyncio.Event()
        runner = make_runner(address, ledger, run=QUICK, limits=limits)
        task = asyncio.create_task(runner.run(stop))
        try:
            yield runner
            assert not task.done(), "it ended by itself"
        finally:
            stop.set()
            await asyncio.wait_for(task, 2)


def filled(tickets: int = 12) -> Desk:
    """Return a desk with some tickets, half of them answered."""
    desk = Desk()
    for number in range(tickets):
        desk.change(f"t{number}", created_at="2026-03-02T09:00:00Z")
    for number in range(0, tickets, 2):
        desk.change(f"t{number}", answered_at="2026-03-02T09:10:00Z", agent="anna")
    return desk


def test_pages_become_events_once() -> None:
    """Several pages, then changes while it runs: each change is one event, and no event is published again."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)
        async with running(desk, ledger) as runner:
            await until(lambda: published(ledger) == happened(desk), 5)
            desk.change("t1", answered_at="2026-03-02T09:20:00Z", agent="ben")
            desk.change("t0", solved_at="2026-03-02T09:40:00Z")
            await until(lambda: published(ledger) == happened(desk), 5)
            assert len(published(ledger)) == 12 + 6 + 2
            assert runner.status.trouble is None
        answered = next(event for event in ledger.events if event.event_id == "desk-t1-answered_at")
        # A journal: received when it occurred, so that it makes nothing late.
        assert answered.received_at == answered.occurred_at == datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
        assert b"customer@example.com" not in orjson.dumps([event.model_dump(mode="json") for event in ledger.events])
        assert not any(b"customer@example.com" in (value or b"") for value in ledger.rows.values())

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ([(429, {"Retry-After": "0"})] * 3, None),
        ([(503, {"Retry-After": "0"})], None),
        ([(429, {"Retry-After": "0"})] * 5, "limited"),
        ([(500, {})], "unavailable"),
        ([(401, {}), (403, {})], "refused"),
        ([(302, {"Location": "http://127.0.0.1:1/"})], "refused"),
        (["hang"], "unreachable"),
        (["cut"], "unreachable"),
        ([b"<html>a login page</html>"], "malformed"),
        ([b'{"tickets": []}'], "malformed"),
        ([b"[1, 2]"], "malformed"),
        ([b'{"tickets": [], "after": 1, "end": true, "through": "soon"}'], "malformed"),
        ([b""], "malformed"),
    ],
    ids=[
        "429",
        "503 with Retry-After",
        "429 for long",
        "500",
        "401, 403",
        "redirect",
        "hang",
        "cut",
        "html",
        "fields",
        "list",
        "type",
        "empty",
    ],
)
def test_trouble_is_waited_out(trouble: list[object], reason: str | None) -> None:
    """Whatever the platform answers instead: nothing is lost or published twice, and the failure is counted by its reason."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)
        desk.instead = list(trouble)  # type: ignore[arg-type]
        # Who answers may take longer than one who hangs is waited for: others run beside.
        async with running(desk, ledger, ClientLimits(timeout_seconds=0.3 if trouble == ["hang"] else 10)) as runner:
            await until(lambda: published(ledger) == happened(desk), 10, lambda: str(runner.status))
            desk.instead = list(trouble)  # type: ignore[arg-type]
            desk.change("t3", answered_at="2026-03-02T11:00:00Z")
            await until(lambda: published(ledger) == happened(desk), 10, lambda: str(runner.status))
            await until(lambda: runner.status.trouble is None, 5)
            counted = generate_latest(runner._metrics.registry).decode()
        failures = {
            line.split('reason="')[1].split('"')[0]
            for line in counted.splitlines()
            if "failures_total{" in line and not line.endswith(" 0.0")
        }
        assert failures == (set() if reason is None else {reason})

    asyncio.run(scenario())


def test_source_is_stale_while_it_cannot_ask() -> None:
    """While the platform does not answer there are no heartbeats; afterwards there are, and completeness never goes back."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)

        def beats() -> list[datetime]:
            return [event.complete_through for event in ledger.events if isinstance(event, SourceHeartbeat)]

        async with running(desk, ledger) as runner:
            await until(lambda: len(beats()) >= 2, 5)
            desk.instead = [(500, {})] * 1000
            await until(lambda: runner.status.trouble == "unavailable", 5)
            silent = len(beats())
            await asyncio.sleep(0.4)
            assert len(beats()) == silent
            desk.instead = []
            await until(lambda: len(beats()) > silent + 1, 5)
        assert beats() == sorted(beats())
        # The desk reports the last second only once nothing more is to be polled.
        assert datetime.now(UTC) - beats()[-1] < timedelta(seconds=10)

    asyncio.run(scenario())


@pytest.mark.parametrize("in_doubt", [False, True])
def test_kafka_fails(in_doubt: bool) -> None:
    """An entry that was refused, or was taken and not acknowledged: what Kafka has decides, and each event is there once."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)
        async with running(desk, ledger) as runner:
            await until(lambda: published(ledger) == happened(desk), 5)
            if in_doubt:
                ledger.in_doubt = True
            else:
                ledger.down = True
            desk.change("t5", answered_at="2026-03-02T12:00:00Z")
            await until(lambda: runner.summary.failures > 0, 5)
            ledger.down = False
            await until(lambda: published(ledger) == happened(desk), 5)

    asyncio.run(scenario())


def test_a_large_answer_is_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is larger than Kafka has time for; where one of them fails the answer is asked again, and each event is that of before."""
    monkeypatch.setattr(entries, "_MOST_TOGETHER", 2)

    class Small(MemoryLedger):
        async def write(self, entry: Entry) -> None:
            assert len(entry.events) + len(entry.rejected) + len(entry.changes) <= 2
            if entry.cursor is not None and entry.cursor.pages == 1:
                # Five tickets on a page: the cursor is written after all of it.
                assert (len(set(published(self))), len(self.rows)) == (5, 5)
            self.down = self.entries == 4 and not self.failed
            self.failed |= self.down
            await super().write(entry)

        failed = False

    async def scenario() -> None:
        desk, ledger = filled(), Small(SOURCE)
        async with running(desk, ledger) as runner:
            await until(lambda: runner.summary.failures > 0, 5)
            ledger.down = False
            await until(lambda: sorted(set(published(ledger))) == happened(desk), 5)
        # Five events and the states of two tickets were there when the fifth failed: the other three tickets are published again.
        assert len(published(ledger)) - len(set(published(ledger))) == 3

    asyncio.run(scenario())


def test_next_process_continues() -> None:
    """Another process begins where the last one was, with what that had seen."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)
        async with running(desk, ledger):
            await until(lambda: published(ledger) == happened(desk), 5)
        desk.asked.clear()
        desk.change("t0", solved_at="2026-03-02T13:00:00Z")
        async with running(desk, ledger):
            await until(lambda: published(ledger) == happened(desk), 5)
        # The first question is for what came after the last page that was written.
        assert desk.asked[0] >= 18

    asyncio.run(scenario())


def test_once_publishes_the_end() -> None:
    """A run that ends by itself reads all there is and publishes a last heartbeat."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)
        async with desk.serve() as address:
            summary = await make_runner(address, ledger).run(asyncio.Event(), once=True)
        assert published(ledger) == happened(desk)
        last = ledger.events[-1]
        assert isinstance(last, SourceHeartbeat)
        assert last.ended
        assert (summary.pages, summary.records, summary.events) == (3, 12, 18)

    asyncio.run(scenario())


def test_once_fails_at_once() -> None:
    """What ends by itself does not wait for a platform that refuses it."""

    async def scenario() -> None:
        desk = filled()
        desk.instead = [(401, {})]
        async with desk.serve() as address:
            with pytest.raises(PollError, match="status 401"):
                await make_runner(address, MemoryLedger(SOURCE)).run(asyncio.Event(), once=True)

    asyncio.run(scenario())


def test_bad_record_stops_nothing() -> None:
    """A record that is none becomes a dead letter without what is personal, and leaves no trace in what is kept."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)
        desk.change("bad", created_at="no time at all")
        desk.change("note", kind="note")
        desk.change("odd", kind="odd")
        async with running(desk, ledger):
            await until(lambda: len(ledger.rejected) == 2, 5)
        assert {each.reason for each in ledger.rejected} == {"bad_time", "unknown_kind"}
        assert all(b"customer@example.com" not in each.raw for each in ledger.rejected)
        assert b"seen|desk|bad" not in ledger.rows
        assert len(published(ledger)) == 18

    asyncio.run(scenario())


def test_a_repeated_cursor_is_not_polled_forever() -> None:
    """A platform that reports more at the same cursor is polled once, not in a loop."""

    async def scenario() -> None:
        desk, ledger = filled(), MemoryLedger(SOURCE)
        async with running(desk, ledger):
            await until(lambda: published(ledger) == happened(desk), 5)
            body = orjson.dumps({"tickets": [], "after": desk.last, "end": False, "through": 1_772_442_000})
            desk.instead = [body] * 10_000
            before = len(desk.asked)
            await asyncio.sleep(0.5)
            # Ten times a round, and a round each 0.05 s.
            assert 20 <= len(desk.asked) - before <= 120

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", ["hang", (429, {"Retry-After": "3600"})], ids=["hangs", "an hour"])
def test_stops_at_once_while_it_waits(trouble: str | tuple[int, dict[str, str]]) -> None:
    """Stopped while the platform hangs, or limits requests for an hour, it stops within the two seconds of ``running``."""

    async def scenario() -> None:
        desk = filled()
        desk.instead = [trouble]
        async with running(desk, MemoryLedger(SOURCE), ClientLimits(timeout_seconds=30)):
            await until(lambda: desk.asked, 5)
            await asyncio.sleep(0.1)

    asyncio.run(scenario())
