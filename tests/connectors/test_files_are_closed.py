"""Files are closed where reading ends, however it ends: not only once what read them is collected as garbage."""

from __future__ import annotations

import argparse
import asyncio
import gc
import gzip
import io
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from streams.cli import main
from streams.commands.event_files import add_content_options, canonical_pieces, read_events
from streams.connectors.feed import publish_history
from streams.connectors.inputs import Input
from streams.connectors.mapping import Mapper, MappingError, json_records, load_mapping, read_records, workbooks
from streams.connectors.mapping.feed import publish_file
from streams.connectors.queue_log import QueueLogParser
from tests.connectors.test_mapping_tables import COMMENTS, MAPPING, NOW, TICKETS, desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = MAPPING.replace("read: {format: csv}", "read: {format: json}", 1)
LINES = MAPPING.replace("read: {format: csv}", "read: {format: jsonl}", 1)
BOOK = MAPPING.replace("read: {format: csv}", "read: {format: xlsx}", 1)
WIDE = MAPPING.replace("read: {format: csv}", "read: {format: csv, encoding: utf-16}", 1)
WIDE_TICKETS = TICKETS.encode("utf-16")
PACKED = gzip.compress(COMMENTS.encode())


def still_open(folder: Path) -> list[str]:
    """Return the names of the files of a folder that are open in this process."""
    files = (each for each in gc.get_objects() if isinstance(each, io.FileIO) and not each.closed)
    return sorted(str(each.name) for each in files if str(each.name).startswith(str(folder)))


@pytest.fixture(autouse=True)
def _nothing_is_collected() -> Iterator[None]:
    """Let no file be closed by chance."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_an_open_file_is_seen(tmp_path: Path) -> None:
    """What the other tests look for is found while it is there."""
    (tmp_path / "file").touch()
    with (tmp_path / "file").open("rb"):
        assert still_open(tmp_path) == [str(tmp_path / "file")]
    assert still_open(tmp_path) == []


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"mapping_yaml": MAPPING.replace("from: owner", "from: ownr")}, "unknown column 'ownr'"),
        ({"mapping_yaml": MAPPING.replace("key: {from: ticket}", "key: {from: tiket}")}, "unknown column 'tiket'"),
        ({"mapping_yaml": MAPPING.replace("key: {from: ticket}", "key: {from: tiket}"), "comments_csv": PACKED}, "unknown column 'tiket'"),
        ({"mapping_yaml": WIDE, "tickets_csv": WIDE_TICKETS, "comments_csv": "ticket\n".encode("utf-16")}, "unknown column 'comment'"),
        ({"comments_csv": '"comment"x\n' * 9}, "the header cannot be read"),
        ({"mapping_yaml": JSON, "tickets_csv": "[" + " " * 999}, "has more than 99 bytes"),
        ({"mapping_yaml": BOOK, "tickets_csv": " " * 999}, "has more than 99 bytes"),
    ],
)
def test_a_file_that_does_not_fit_its_mapping(
    tmp_path: Path, files: dict[str, Any], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the error is still being reported, no file is open."""
    monkeypatch.setattr(json_records, "MAX_JSON_BYTES", 99)
    monkeypatch.setattr(workbooks, "MAX_WORKBOOK_BYTES", 99)
    data = desk(tmp_path, **files)
    with pytest.raises(MappingError) as caught:
        list(read_records(data, load_mapping(tmp_path / "mapping.yaml")))
    assert complaint in str(caught.value)
    assert still_open(tmp_path) == []


@pytest.mark.parametrize("files", [{}, {"comments_csv": PACKED}, {"tickets_csv": TICKETS + "T3\n"}], ids=["plain", "gzip", "damaged"])
@pytest.mark.parametrize("records", [1, 2])
def test_a_file_that_is_read_in_part(tmp_path: Path, files: dict[str, Any], records: int) -> None:
    """It is closed with what reads it, its tables too."""
    data = desk(tmp_path, **files)
    with closing(read_records(data, load_mapping(tmp_path / "mapping.yaml"))) as reading:
        for _ in range(records):
            next(reading)
        assert still_open(tmp_path) == [str(data)]
    assert still_open(tmp_path) == []


def test_a_table_that_is_read_in_part(tmp_path: Path) -> None:
    """Its first row is none, and nothing more is asked for."""
    data = desk(tmp_path, comments_csv=COMMENTS.replace("c1,T1", "c1,"))
    with closing(read_records(data, load_mapping(tmp_path / "mapping.yaml"))) as reading:
        next(reading)
        assert still_open(tmp_path) == [str(tmp_path / "comments.csv")]
    assert still_open(tmp_path) == []


def test_a_command_that_shows_the_first_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``mappings test`` reads no further than it was asked to."""
    data = desk(tmp_path)
    assert main(["mappings", "test", str(tmp_path / "mapping.yaml"), str(data), "--rows", "1"]) == 0
    assert "1 rows, 0 not mapped" in capsys.readouterr().out
    assert still_open(tmp_path) == []


@pytest.mark.parametrize("holds", ["mapped", "canonical", "asterisk-queue-log"])
def test_a_file_of_events_that_is_read_in_part(tmp_path: Path, holds: str) -> None:
    """A command that ends early, with an error or without, closes it."""
    data = desk(tmp_path)
    begun = b'{"type": "contact.arrived", "event_id": "e%d", "conversation_id": "c", "occurred_at": "2026-03-02T09:00:00Z", '
    begun += b'"received_at": "2026-03-02T09:00:00Z", "source": "s", "channel": "voice"}\n'
    if holds == "canonical":
        data.write_bytes(b"".join(begun % number for number in range(2)))
    elif holds == "asterisk-queue-log":
        data.write_text("1772442000|1.1|q|NONE|ENTERQUEUE||100|1\n" * 2)
    parser = argparse.ArgumentParser()
    add_content_options(parser, required=True)
    how = ["--mapping", str(tmp_path / "mapping.yaml")] if holds == "mapped" else ["--connector", holds, "--zone", "UTC"]
    with closing(read_events(parser.parse_args(how), [], Input(data))) as events:
        next(events)
        # What is put in order by its times has been read to the end before.
        assert still_open(tmp_path) == ([] if holds == "mapped" else [str(data)])
    assert still_open(tmp_path) == []


def test_a_replay_that_is_read_in_part(tmp_path: Path) -> None:
    """A canonical file, which is counted in pieces."""
    data = desk(tmp_path)
    with closing(canonical_pieces(Input(data), None, [])) as pieces:
        next(pieces)
        assert still_open(tmp_path) == [str(data)]
    assert still_open(tmp_path) == []


def test_publishing_that_is_stopped(tmp_path: Path) -> None:
    """What was asked to stop before its first line has read some already."""
    data = desk(tmp_path)

    async def stopped() -> None:
        stop = asyncio.Event()
        stop.set()
        loaded = load_mapping(tmp_path / "mapping.yaml")
        await publish_file(data, loaded, Mapper(loaded, now=lambda: NOW), None, stop=stop)  # type: ignore[arg-type]
        await publish_history(data, QueueLogParser("pbx", now=lambda: NOW), None, stop=stop)  # type: ignore[arg-type]

    asyncio.run(stopped())
    assert still_open(tmp_path) == []
