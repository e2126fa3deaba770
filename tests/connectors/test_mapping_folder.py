"""A folder that exports come to is followed by a mapping: each file once it is whole, and none is left out whatever ends in between."""

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
    return "".join(f"{each},2026-03-02T09:{int(each[1:]):02}:00Z,{result},7\n" for each in ids)


class Killed(BaseException):
    """The process is gone."""


class Mortal(MemoryPublisher):
    """A publisher whose process is killed when it publishes for so many times: before, or when Kafka has it and nobody hears of it."""

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
        """Return what stands in the topic: conversation and type, in order; without words of the source."""
        told = [json.loads(each.value) for each in self.records.get(self.topics.contacts, [])]
        return [(each["conversation_id"].removeprefix("pbx:"), each["type"]) for each in told if "conversation_id" in each]

    def ids(self) -> list[str]:
        """Return the ids of the events, in order."""
        told = [json.loads(each.value) for each in self.records.get(self.topics.contacts, [])]
        return [each["event_id"] for each in told if "conversation_id" in each]


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
    """Follow a folder while ``work`` goes on; return what became of it."""
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


def test_files_are_published_as_they_come(folder: Path) -> None:
    """Those that are there by name, then what comes; what grows is read again; other files, and the table, are none."""
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
    answered = [json.loads(each.value) for each in publisher.records[publisher.topics.contacts]]
    assert {each["agent"] for each in answered if each["type"] == "contact.answered"} == {"Ada"}
    assert (summary.lines, summary.events, summary.rejected) == (5, 10, 0)


def test_a_file_that_grows_waits(folder: Path) -> None:
    """While every look sees it otherwise than the one before it is not read."""
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


def test_a_lock_says_that_a_file_is_whole(folder: Path) -> None:
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
    """Of three files killed in each, before Kafka has it and after: the next process publishes the rest, that file under the same ids."""
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


def test_what_was_read_is_not_read_again(folder: Path) -> None:
    """A second process publishes what came meanwhile alone."""
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
    """It is said once, with the file; mended, it is read."""
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

    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("a.csv cannot be read; it is tried again once it changes:")
    assert "unknown column 'id'" in said


def test_kafka_that_is_away_is_waited_for(folder: Path) -> None:
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
    """What is wrong at the start is said, with its name."""

    async def nothing(_until: Any) -> None:
        await asyncio.sleep(0.1)

    with pytest.raises(FolderError, match=r"other: No such file"):
        follow(folder.with_name("other"), Mortal(), nothing)
    (folder.parent / "place.state").write_text('{"version": 1}', encoding="utf-8")
    with pytest.raises(StateFileError, match=r"place\.state: is no state file .* Remove it to read all files again"):
        follow(folder, Mortal(), nothing)


def test_the_command_says_what_it_follows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder needs --follow, and --follow a folder."""
    mapping = os.fspath(folder.parent / "mapping.yaml")

    assert main(["connector", "mapping", os.fspath(folder), "--mapping", mapping]) == 2
    assert f"{folder}: is a folder; --follow publishes its files" in capsys.readouterr().err
    assert main(["connector", "mapping", os.fspath(folder / "agents.csv"), "--mapping", mapping, "--follow"]) == 2
    assert "agents.csv: --follow takes a folder" in capsys.readouterr().err
    assert main(["connector", "mapping", os.fspath(folder), "--mapping", mapping, "--follow", "--poll-seconds", "0"]) == 2
    assert "'0' is no number of seconds from 0.1 to 3600" in capsys.readouterr().err


@pytest.mark.embedded
def test_the_command_is_killed_and_goes_on(folder: Path) -> None:
    """On a broker: killed after the first file, the next process reads what came meanwhile alone; told to stop, it says what it did."""
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
            json.loads(each.value or b"{}") for each in asyncio.run(read(broker.bootstrap_servers, "contactcenter.contact-events.v1"))
        ]

    assert (second.returncode, out) == (0, "1 records: 2 events, 0 dead letters\n"), err
    assert "b.csv: 1 records, 2 events, 0 dead letters" in err
    assert sorted(each["conversation_id"] for each in events if each["type"] == "contact.queued") == ["pbx:c1", "pbx:c2", "pbx:c3"]
    assert len({each["event_id"] for each in events if "conversation_id" in each}) == 6
