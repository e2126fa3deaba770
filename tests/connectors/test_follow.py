"""A log is followed through its rotations, on a real file system."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from streams.connectors.follow import Follower, Position, State, StateFileError, load_state, read_lines, save_state
from streams.connectors.lines import MAX_LINE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


class Log:
    """A log that is written, rotated and read."""

    def __init__(self, folder: Path) -> None:
        """Begin without a file."""
        self.path = folder / "queue_log"
        self.position: Position | None = None
        self.follower = Follower(self.path)
        self.read: list[bytes] = []
        self.origins: list[str] = []

    def write(self, *lines: str, end: str = "\n", path: Path | None = None) -> None:
        """Append lines."""
        with (path or self.path).open("a") as file:
            file.write("".join(f"{line}{end}" for line in lines))

    def poll(self) -> list[bytes]:
        """Read what there is, as a connector does, and return it."""
        before = len(self.read)
        for line, position in self.follower.poll():
            self.read.append(line.raw)
            self.origins.append(line.origin)
            self.position = position
        return self.read[before:]

    def restart(self) -> None:
        """Read on in a new process, from the remembered position."""
        self.follower.close()
        self.follower = Follower(self.path, self.position)

    def rename(self, suffix: str = ".1") -> Path:
        """Rotate as logrotate does by default; nothing is created yet."""
        target = self.path.with_name(self.path.name + suffix)
        self.path.rename(target)
        return target

    def copy_and_truncate(self, suffix: str = ".1") -> Path:
        """Rotate as logrotate does with copytruncate."""
        target = self.path.with_name(self.path.name + suffix)
        shutil.copyfile(self.path, target)
        os.truncate(self.path, 0)
        return target


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A log in a folder of its own."""
    return Log(tmp_path)


def test_lines_come_as_they_are_written_and_not_before_they_end(log: Log) -> None:
    """A line without its line end is held back, however often one looks, and then comes whole."""
    assert log.poll() == []

    log.write("one", "two")
    log.write("thr", end="")
    assert log.poll() == [b"one", b"two"]
    assert log.poll() == []

    log.write("ee")
    assert log.poll() == [b"three"]
    assert log.origins == ["queue_log:1", "queue_log:2", "queue_log:3"]


def test_a_rename_loses_no_line_of_the_renamed_file(log: Log) -> None:
    """Asterisk writes to the renamed file until it is signalled to reopen; those lines come too, and before the new file's."""
    log.write("one")
    assert log.poll() == [b"one"]

    renamed = log.rename()
    log.write("two", path=renamed)
    assert log.poll() == [b"two"]

    log.path.touch()
    log.write("three", path=renamed)
    assert log.poll() == [b"three"]

    log.write("four", path=renamed)
    log.write("five")
    assert log.poll() == [b"four", b"five"]
    log.write("six")
    assert log.poll() == [b"six"]
    assert log.follower.gaps == 0


def test_the_unfinished_last_line_of_a_renamed_file_is_read_when_the_next_file_begins(log: Log) -> None:
    """No writer will finish it: it is passed on as it is, for the parser to judge."""
    log.write("one")
    log.write("cut", end="")
    assert log.poll() == [b"one"]

    log.rename()
    log.write("two")
    assert log.poll() == [b"cut", b"two"]


def test_copytruncate_loses_nothing_that_was_copied(log: Log) -> None:
    """Lines not yet read when the file was emptied are read from the copy; then the emptied file from its beginning."""
    log.write("one")
    assert log.poll() == [b"one"]
    log.write("two")
    log.copy_and_truncate()

    assert log.poll() == [b"two"]
    log.write("three")
    assert log.poll() == [b"three"]
    assert log.follower.gaps == 0


def test_a_file_emptied_and_filled_beyond_the_old_offset_is_seen(log: Log) -> None:
    """Not the size alone shows that a file was emptied: its beginning is another one."""
    log.write("one")
    assert log.poll() == [b"one"]
    log.copy_and_truncate()
    log.write("a much longer line than the one before", "and one more")

    assert log.poll() == [b"a much longer line than the one before", b"and one more"]


def test_a_restart_continues_at_the_position(log: Log) -> None:
    """A new process reads neither twice nor too little, and counts lines on."""
    log.write("one", "two")
    log.poll()
    log.restart()
    log.write("three")

    assert log.poll() == [b"three"]
    assert log.origins[-1] == "queue_log:3"


@pytest.mark.parametrize("how", ["rename", "copy"])
def test_a_rotation_without_a_reader_loses_nothing(log: Log, how: str) -> None:
    """The rest of the old file is found by its beginning, whatever it is called now, and files between are read as well."""
    log.write("one")
    log.poll()
    log.follower.close()
    log.write("two")
    rotate = log.rename if how == "rename" else log.copy_and_truncate
    rotate("-20260302")
    log.write("three")
    rotate("-20260303")
    log.write("four")

    log.restart()
    assert log.poll() == [b"two", b"three", b"four"]
    assert log.follower.gaps == 0


def test_a_restart_between_rename_and_reopen_still_reads_the_renamed_file(log: Log) -> None:
    """The new file is there but empty: what is still written to the old one comes."""
    log.write("one")
    log.poll()
    renamed = log.rename()
    log.path.touch()
    log.restart()
    log.write("two", path=renamed)

    assert log.poll() == [b"two"]
    log.write("three")
    assert log.poll() == [b"three"]


def test_several_rotations_between_two_scans_lose_nothing(log: Log) -> None:
    """While Kafka is unavailable the follower does not poll; every file between is read, in order."""
    log.write("one")
    log.poll()
    for number, name in enumerate(("two", "three", "four")):
        log.rename(f".{9 - number}")
        log.write(name)

    assert log.poll() == [b"two", b"three", b"four"]


def test_a_rotated_file_that_is_gone_is_a_gap_that_is_counted(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    """If the remaining part was compressed before it was read, that is logged and the new file is read."""
    log.write("one")
    log.poll()
    log.write("two")
    renamed = log.rename()
    with gzip.open(f"{renamed}.gz", "wb") as packed:
        packed.write(renamed.read_bytes())
    renamed.unlink()
    log.write("three")
    log.restart()

    assert log.poll() == [b"three"]
    assert log.follower.gaps == 1
    assert "lines may be missing" in caplog.text


def test_a_log_that_is_removed_does_not_bring_an_older_one_back(log: Log) -> None:
    """With the file gone and no new one there, nothing is read again; the next file is read from its beginning."""
    log.write("one")
    log.poll()
    log.rename()
    log.write("two")
    assert log.poll() == [b"two"]
    log.path.unlink()
    assert log.poll() == []
    log.write("three")
    assert log.poll() == [b"three"]


def test_a_reused_inode_is_not_mistaken_for_the_old_file(log: Log) -> None:
    """A new file under the old inode, longer than the offset, is read from its beginning."""
    log.write("one")
    log.poll()
    log.follower.close()
    log.path.unlink()
    log.write("something else that is longer")
    assert log.position is not None
    position = Position(**{name: getattr(log.position, name) for name in Position.__slots__} | {"inode": log.path.stat().st_ino})
    log.follower = Follower(log.path, position)

    assert log.poll() == [b"something else that is longer"]


def test_an_endless_line_is_cut_in_memory_and_the_next_one_is_complete(log: Log) -> None:
    """A line of a megabyte takes no more than its limit, has its length, and its neighbors are untouched."""
    log.write("before", "x" * 1_000_000, "after")
    lines = [line for line, _ in log.follower.poll()]

    assert [len(line.raw) for line in lines] == [6, MAX_LINE_BYTES, 5]
    assert lines[1].length == 1_000_000
    assert lines[2].raw == b"after"
    assert lines[2].start == lines[1].end == 7 + 1_000_001


def test_a_file_is_read_to_its_end_with_its_last_line_finished_or_not(tmp_path: Path) -> None:
    """Every line of a history comes, with file, number and offsets."""
    path = tmp_path / "old"
    path.write_bytes(b"one\r\n\ntwo")
    lines = list(read_lines(path))

    assert [(line.raw, line.origin, line.start, line.end) for line in lines] == [
        (b"one\r", "old:1", 0, 5),
        (b"", "old:2", 5, 6),
        (b"two", "old:3", 6, 9),
    ]


@pytest.mark.parametrize("seed", range(30))
def test_any_course_of_writing_rotating_and_restarting_gives_every_line_once_and_in_order(tmp_path: Path, seed: int) -> None:
    """Whatever happens in whatever order, what was read is what was written."""
    chance = random.Random(seed)
    log = Log(tmp_path)
    # A file that is rotated away before the first scan is not followed.
    log.path.touch()
    log.position = log.follower.where()
    written: list[bytes] = []
    rotations = 0
    for step in range(120):
        match chance.choices(["write", "part", "poll", "rename", "copy", "restart"], [40, 10, 30, 6, 6, 8])[0]:
            case "write":
                text = f"{seed}-{step}-{'x' * chance.choice([0, 10, 2000])}"
                written.append(text.encode())
                log.write(text)
            case "part":
                text = f"{seed}-{step}"
                written.append(text.encode())
                log.write(text[:2], end="")
                log.poll()
                log.write(text[2:])
            case "poll":
                log.poll()
            case "rename" if log.path.exists():
                rotations += 1
                log.rename(f".{rotations:03}")
            # A file that was emptied before its first byte was read cannot be distinguished from one that was always empty.
            case "copy" if log.path.exists() and log.path.stat().st_size:
                log.poll()
                log.write(f"{seed}-{step}-copied")
                written.append(f"{seed}-{step}-copied".encode())
                rotations += 1
                log.copy_and_truncate(f".{rotations:03}")
            case "restart":
                log.restart()
    log.write("end")
    written.append(b"end")
    log.poll()

    assert log.read == written


def test_the_state_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """What was saved is loaded; nothing else is left in the folder."""
    path = tmp_path / "queue_log.state"
    assert load_state(path) is None

    for offset in (10, 20):
        save_state(path, State(Position(1, offset, 2, 3, "abc"), {"members": {"SIP/7": {"sales": None}}}, history=True))

    assert load_state(path) == State(Position(1, 20, 2, 3, "abc"), {"members": {"SIP/7": {"sales": None}}}, history=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["queue_log.state"]


def test_a_failed_save_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the disk full, the state before is still whole."""
    path = tmp_path / "queue_log.state"
    save_state(path, State(Position(1, 10, 2, 3, "abc"), {}, history=False))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_state(path, State(Position(1, 20, 2, 3, "abc"), {}, history=False))

    loaded = load_state(path)
    assert loaded is not None
    assert loaded.position.offset == 10
    assert [entry.name for entry in tmp_path.iterdir()] == ["queue_log.state"]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "not json", json.dumps({"version": 99}), json.dumps({"version": 1, "position": {}, "parser": {}})]
)
def test_a_foreign_state_file_is_refused_with_its_fix(tmp_path: Path, content: str) -> None:
    """The message names the file; nothing is overwritten."""
    path = tmp_path / "queue_log.state"
    path.write_text(content)

    with pytest.raises(StateFileError, match=r"queue_log\.state"):
        load_state(path)
    assert path.read_text() == content
