"""A folder of exports is followed by a mapping: each file once it is complete, and none is left out, whatever process ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streams.cli import main
from streams.connectors.folders import FolderError
from streams.connectors.follow import StateFileError
from streams.connectors.mapping import Mapper, load_mapping
from streams.connectors.mapping.folder import FolderSettings, follow_folder
from streams.connectors.publishing import MemoryPublisher
from streams.demo.broker import EmbeddedBroker
from tests.support.require import require_embedded_broker
from tests.support.topics import read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streams.connectors.feed import Summary

ROOT = Path(__file__).parents[2]
MAPPING = """\
version: 1
name: calls
source: pbx
read: {format: csv}
tables: {agents: {file: agents.csv, key: {from: number}, record: {from: agent}, rows: one}}
record_id: {from: id}
conversation_id: {from: id}
events:
  - {type: contact.queued, at: {from: at}, set: {queue: sales, channel: voice}}
  - {type: contact.left_queue, when: {from: result, equals: lost}, at: {from: at}, set: {reason: abandoned}}
  - {type: contact.answered, when: {from: result, equals: won}, at: {from: at}, set: {agent: {from: agents.name}}}
"""
HEADER = "id,at,result,agent\n"
NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def rows(*ids: str, result: str = "lost") -> str:
    """Return rows of calls; two events each."""
    return "".join(f"{call},2026-03-02T09:{int(call[1:]):02}:00Z,{result},7\n" for call in ids)


class Killed(BaseException):
    """The process was killed."""


class Mortal(MemoryPublisher):
    """A publisher whose process is killed at the nth publication: before it, or when Kafka has it without an acknowledgement."""

    def __init__(self, lives: int = 10**9, *, acknowledged: bool = True) -> None:
        super().__init__(now=lambda: NOON, partitions=1)
        self.lives = lives
        self.acknowledged = acknowledged

    async def publish(self, events: Any, rejected: Any = (), *, source: str) -> None:
        """Publish or die."""
        self.lives -= 1
        if self.lives > 0 or self.acknowledged:
            await super().publish(events, rejected, source=source)
        if self.lives <= 0:
            raise Killed

    def events(self) -> list[tuple[str, str]]:
        """Return conversation and type of the events in the topic, in order; without those of the source."""
        events = [json.loads(record.value) for record in self.records.get(self.topics.contacts, [])]
        return [(event["conversation_id"].removeprefix("pbx:"), event["type"]) for event in events if "conversation_id" in event]

    def ids(self) -> list[str]:
        """Return the ids of the events, in order."""
        events = [json.loads(record.value) for record in self.records.get(self.topics.contacts, [])]
        return [event["event_id"] for event in events if "conversation_id" in event]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for exports, with a table that all of them are joined with."""
    (tmp_path / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    made = tmp_path / "exports"
    made.mkdir()
    (made / "agents.csv").write_text("number,name\n7,Ada\n", encoding="utf-8")
    return made


def follow(
    folder: Path, publisher: Mortal, work: Callable[[Callable[[Callable[[], bool]], Awaitable[None]]], Awaitable[None]], **settings: Any
) -> Summary:
    """Follow a folder while ``work`` runs; return the totals."""
    mapping = load_mapping(folder.parent / "mapping.yaml")

    async def scenario() -> Summary:
        stop = asyncio.Event()
        task = asyncio.create_task(
            follow_folder(
                folder,
                folder.parent / "place.state",
                mapping,
                lambda: Mapper(mapping, now=lambda: NOON),
                publisher,
                now=lambda: NOON,
                stop=stop,
                settings=FolderSettings(**{"poll_seconds": 0.02, "retry_seconds": 0.05, **settings}),
            )
        )

        async def until(holds: Callable[[], bool]) -> None:
            async with asyncio.timeout(10):
                while not holds():
                    if task.done():
                        task.result()
                    await asyncio.sleep(0.005)

        try:
            await work(until)
        finally:
            stop.set()
            summary = await asyncio.wait_for(task, 10)
        return summary

    return asyncio.run(scenario())


def test_files_are_published_as_they_arrive(folder: Path) -> None:
    """Present files by name, then new ones; a file that grows is read again; other files, and the table, are left out."""
    (folder / "b.csv").write_text(HEADER + rows("c3"), encoding="utf-8")
    (folder / "a.csv").write_text(HEADER + rows("c1", "c2", result="won"), encoding="utf-8")
    (folder / "a.txt").write_text("no export", encoding="utf-8")
    (folder / ".c.csv.part").write_text(HEADER + rows("c9"), encoding="utf-8")
    publisher = Mortal()
    queued = "contact.queued"

    async def work(until: Any) -> None:
        await until(lambda: len(publisher.events()) == 6)
        assert [name for name, kind in publisher.events() if kind == queued] == ["c1", "c2", "c3"]
        with (folder / "b.csv").open("a", encoding="utf-8") as file:
            file.write(rows("c4"))
        await until(lambda: len(publisher.events()) == 10)

    summary = follow(folder, publisher, work, pattern="*.csv")

    assert [name for name, kind in publisher.events() if kind == queued] == ["c1", "c2", "c3", "c3", "c4"]
    assert len(set(publisher.ids())) == 8
    answered = [json.loads(record.value) for record in publisher.records[publisher.topics.contacts]]
    assert {event["agent"] for event in answered if event["type"] == "contact.answered"} == {"Ada"}
    assert (summary.lines, summary.events, summary.rejected) == (5, 10, 0)


def test_a_file_that_grows_waits(folder: Path) -> None:
    """While every poll sees another version, it is not read."""
    publisher = Mortal()

    async def work(until: Any) -> None:
        (folder / "a.csv").write_text(HEADER, encoding="utf-8")
        for number in range(20):
            with (folder / "a.csv").open("a", encoding="utf-8") as file:
                file.write(rows(f"c{number}"))
            await asyncio.sleep(0.05)
            assert publisher.events() == []
        await until(lambda: len(publisher.events()) == 40)

    summary = follow(folder, publisher, work, poll_seconds=0.2)

    assert summary.lines == 20


def test_a_lock_marks_a_complete_file(folder: Path) -> None:
    """With ``ready`` a file is read once its lock is there."""
    publisher = Mortal()

    async def work(until: Any) -> None:
        (folder / "a.csv").write_text(HEADER + rows("c1"), encoding="utf-8")
        await asyncio.sleep(0.15)
        assert publisher.events() == []
        (folder / "a.lock").touch()
        await until(lambda: len(publisher.events()) == 2)

    follow(folder, publisher, work, lock="ready")


@pytest.mark.parametrize("acknowledged", [True, False])
@pytest.mark.parametrize("lives", range(1, 5))
def test_killed_anywhere_nothing_is_lost_and_ids_are_the_same(folder: Path, lives: int, acknowledged: bool) -> None:
    """Killed in each of three files, before or after Kafka has it: the next process publishes the remaining ones, with the same ids."""
    for name, ids in {"a": ("c1", "c2"), "b": ("c3",), "c": ("c4", "c5")}.items():
        (folder / f"{name}.csv").write_text(HEADER + rows(*ids), encoding="utf-8")

    async def all_of_them(until: Any, publisher: Mortal) -> None:
        await until(lambda: {name for name, _ in publisher.events()} >= {"c4", "c5"})
        await until(lambda: len(json.loads((folder.parent / "place.state").read_text(encoding="utf-8"))["files"]) == 3)

    first, second = Mortal(lives, acknowledged=acknowledged), Mortal()
    try:
        follow(folder, first, lambda until: all_of_them(until, first))
    except Killed:
        follow(folder, second, lambda until: all_of_them(until, second))
    else:
        assert lives == 4

    together = first.ids() + second.ids()
    assert len(set(together)) == 10
    # Published twice is the one file that it was killed in, if Kafka had it.
    assert len(together) - len(set(together)) == ({1: 4, 2: 2, 3: 4}.get(lives, 0) if acknowledged else 0)


def test_a_read_file_is_not_read_again(folder: Path) -> None:
    """A second process publishes only files that arrived meanwhile."""
    (folder / "a.csv").write_text(HEADER + rows("c1"), encoding="utf-8")
    first, second = Mortal(), Mortal()

    async def one(until: Any) -> None:
        await until(lambda: len(first.events()) == 2)
        await until((folder.parent / "place.state").exists)

    async def two(until: Any) -> None:
        await until(lambda: len(second.events()) == 2)

    follow(folder, first, one)
    (folder / "b.csv").write_text(HEADER + rows("c2"), encoding="utf-8")
    follow(folder, second, two)

    assert {name for name, _ in second.events()} == {"c2"}


def test_a_file_that_cannot_be_read_holds_up_no_other(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, with the file; fixed, it is read."""
    (folder / "a.csv").write_text("other,columns\n1,2\n", encoding="utf-8")
    (folder / "b.csv").write_text(HEADER + rows("c2"), encoding="utf-8")
    publisher = Mortal()

    async def work(until: Any) -> None:
        await until(lambda: len(publisher.events()) == 2)
        await asyncio.sleep(0.2)
        (folder / "a.csv").write_text(HEADER + rows("c1"), encoding="utf-8")
        await until(lambda: len(publisher.events()) == 4)

    with caplog.at_level(logging.ERROR):
        follow(folder, publisher, work)

    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("a.csv cannot be read; it is tried again once it changes:")
    assert "unknown column 'id'" in message


def test_files_wait_while_kafka_is_unavailable(folder: Path) -> None:
    """The file stays where it is, and is published afterwards."""
    (folder / "a.csv").write_text(HEADER + rows("c1"), encoding="utf-8")
    publisher = Mortal()
    publisher.down = True

    async def work(until: Any) -> None:
        await asyncio.sleep(0.2)
        publisher.down = False
        await until(lambda: len(publisher.events()) == 2)

    assert follow(folder, publisher, work).events == 2


def test_no_folder_and_no_state_file(folder: Path) -> None:
    """An error at the start names its file."""

    async def nothing(_until: Any) -> None:
        await asyncio.sleep(0.1)

    with pytest.raises(FolderError, match=r"other: No such file"):
        follow(folder.with_name("other"), Mortal(), nothing)
    (folder.parent / "place.state").write_text('{"version": 1}', encoding="utf-8")
    with pytest.raises(StateFileError, match=r"place\.state: is no state file .* Remove it to read all files again"):
        follow(folder, Mortal(), nothing)


def test_the_command_shows_the_followed_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder needs --follow, and --follow a folder."""
    mapping = os.fspath(folder.parent / "mapping.yaml")

    assert main(["connector", "mapping", os.fspath(folder), "--mapping", mapping]) == 2
    assert f"{folder}: is a folder; --follow publishes its files" in capsys.readouterr().err
    assert main(["connector", "mapping", os.fspath(folder / "agents.csv"), "--mapping", mapping, "--follow"]) == 2
    assert "agents.csv: --follow takes a folder" in capsys.readouterr().err
    assert main(["connector", "mapping", os.fspath(folder), "--mapping", mapping, "--follow", "--poll-seconds", "0"]) == 2
    assert "'0' is no number of seconds from 0.1 to 3600" in capsys.readouterr().err


@pytest.mark.embedded
def test_the_command_is_killed_and_continues(folder: Path) -> None:
    """On a broker: killed after the first file, the next process reads only files that arrived meanwhile; stopped, it prints the totals."""
    require_embedded_broker()
    state = folder.parent / "exports.state"

    def follow_in_a_process(bootstrap: str) -> subprocess.Popen[str]:
        mapping = os.fspath(folder.parent / "mapping.yaml")
        arguments = [
            os.fspath(folder),
            "--mapping",
            mapping,
            "--follow",
            "--pattern",
            "*.csv",
            "--poll-seconds",
            "0.1",
            "--bootstrap",
            bootstrap,
        ]
        return subprocess.Popen(
            [sys.executable, "-m", "streams", "connector", "mapping", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_read(number: int) -> None:
        deadline = time.monotonic() + 60
        while not state.exists() or len(json.loads(state.read_text(encoding="utf-8"))["files"]) < number:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with EmbeddedBroker() as broker:
        (folder / "a.csv").write_text(HEADER + rows("c1", "c2"), encoding="utf-8")
        first = follow_in_a_process(broker.bootstrap_servers)
        until_read(1)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        (folder / "b.csv").write_text(HEADER + rows("c3"), encoding="utf-8")
        second = follow_in_a_process(broker.bootstrap_servers)
        until_read(2)
        second.send_signal(signal.SIGTERM)
        out, err = second.communicate(timeout=30)
        events = [
            json.loads(record.value or b"{}") for record in asyncio.run(read(broker.bootstrap_servers, "contactcenter.contact-events.v1"))
        ]

    assert (second.returncode, out) == (0, "1 records: 2 events, 0 dead letters\n"), err
    assert "b.csv: 1 records, 2 events, 0 dead letters" in err
    assert sorted(event["conversation_id"] for event in events if event["type"] == "contact.queued") == ["pbx:c1", "pbx:c2", "pbx:c3"]
    assert len({event["event_id"] for event in events if "conversation_id" in event}) == 6
