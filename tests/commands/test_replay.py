"""``contact-streams replay``: what it reads, what it prints and writes, and that all outputs agree."""

from __future__ import annotations

import csv
import fcntl
import gzip
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import unicodedata
from importlib.util import find_spec
from io import BufferedReader, BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.limits import MAX_RECORD_BYTES
from streams.cli import main
from streams.commands.replay_table import table
from streams.demo.simulator.load import load_events
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "streams" / "demo" / "configuration.yaml"


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated center's events, with lines that are none among them."""
    file = tmp_path_factory.mktemp("events") / "events.jsonl"
    lines = [json.dumps(each.event, ensure_ascii=False) for each in load_events(6_000, 7, rate=1) if each.destination != "every-partition"]
    lines[10:10] = ["nonsense", "", '{"type":"contact.queued"}', '{"type":"unheard.of","occurred_at":"2026-01-05T06:00:00Z"}']
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def replayed(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run with --json and return what was printed."""
    assert main(["replay", "--connector", "canonical", "--json", "--config", str(CONFIGURATION), *map(str, arguments)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


class TestInput:
    """One file in several forms."""

    def test_forms(self, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Compressed, in two members, with other line ends, or on standard input it is the same."""
        plain = replayed(capsys, events)
        assert plain["totals"]["offered"]["value"] > 50
        content = events.read_bytes()
        packed = tmp_path / "events.jsonl"  # its content shows that it is compressed
        packed.write_bytes(gzip.compress(content[:100_000]) + gzip.compress(content[100_000:]))
        assert replayed(capsys, packed) == plain
        packed.write_bytes(content.replace(b"\n", b"\r\n") + b"\r\n")
        again = replayed(capsys, packed)
        assert again["dead_letters"].pop(0)["detail"] is not None  # its bytes have the line end
        plain["dead_letters"].pop(0)
        assert {**again, "dead_letters": None} == {**plain, "dead_letters": None}
        for piped in (content, gzip.compress(content)):
            monkeypatch.setattr("sys.stdin", TextIOWrapper(BufferedReader(BytesIO(piped))))
            found = replayed(capsys, "-")
            assert [dead_letter["origin"] for dead_letter in found["dead_letters"]] == ["stdin:11", "stdin:13", "stdin:14"]
            assert {**found, "dead_letters": None} == {**plain, "dead_letters": None}

    def test_invalid_lines(self, events: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Each is named by its line; an empty one is passed over."""
        found = replayed(capsys, events)
        dead_letters = [(dead_letter["origin"], dead_letter["reason"]) for dead_letter in found["dead_letters"]]
        assert dead_letters == [
            ("events.jsonl:11", "invalid_json"),
            ("events.jsonl:13", "missing_field"),
            ("events.jsonl:14", "unknown_type"),
        ]
        assert found["dead_letters_by_reason"] == {"invalid_json": 1, "missing_field": 1, "unknown_type": 1}

    @pytest.mark.parametrize("longer", [1, 700_000])
    def test_a_line_that_is_too_long(self, longer: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], events: Path) -> None:
        """It is one dead letter with its true length, however many pieces it is read in, and the lines after it count."""
        first, *others = [line for line in events.read_bytes().split(b"\n") if line.startswith(b'{"')]
        length = MAX_RECORD_BYTES + longer
        long = first[:-1] + b',"x":"' + b"x" * (length - len(first) - 7) + b'"}'
        file = tmp_path / "events.jsonl"
        file.write_bytes(b"\n".join([first, long, *others]))
        found = replayed(capsys, file)
        (dead_letter, *_) = found["dead_letters"]
        assert (dead_letter["origin"], dead_letter["reason"]) == ("events.jsonl:2", "too_large")
        assert dead_letter["detail"] == f"{len(long)} bytes; at most {MAX_RECORD_BYTES}"
        assert found["totals"] == replayed(capsys, events)["totals"]

    def test_until(self, events: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """With --until it counts as if the file had no later events."""
        lines = [line for line in events.read_bytes().split(b"\n") if b"occurred_at" in line and b"unheard" not in line]
        until = json.loads(lines[len(lines) // 2])["occurred_at"]
        early = tmp_path / "early.jsonl"
        early.write_bytes(b"\n".join(line for line in lines if json.loads(line)["occurred_at"] <= until))
        all_lines = tmp_path / "all.jsonl"
        all_lines.write_bytes(b"\n".join(lines))
        assert early.stat().st_size < all_lines.stat().st_size
        assert replayed(capsys, all_lines, "--until", until) == replayed(capsys, early, "--until", until)

    def test_what_cannot_be_read(self, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A truncated compressed file is reported."""
        cut = tmp_path / "cut.jsonl.gz"
        cut.write_bytes(gzip.compress(events.read_bytes())[:-2_000])
        assert main(["replay", "--connector", "canonical", str(cut)]) == 2
        assert "cut.jsonl.gz: cannot be read: the gzip data is damaged or ends too early" in capsys.readouterr().err


def figures_of(row: dict[str, Any], kpis: dict[str, Any]) -> None:
    """Compare a row of a file with the KPIs of the JSON: every part of every figure, where a column has it or is implied."""
    columns = {name: None if value in ("", None) else float(value) for name, value in row.items()}
    seen = set()
    for name, figure in kpis.items():
        assert columns[name] == figure["value"], name
        assert columns[f"{name}_coverage"] == figure["coverage"], name
        seen |= {name, f"{name}_coverage"}
        if f"{name}_numerator" in columns:
            assert columns[f"{name}_numerator"] == figure["numerator"], name
            assert columns[f"{name}_denominator"] == figure["denominator"], name
            seen |= {f"{name}_numerator", f"{name}_denominator"}
        else:  # a count: its value is all
            assert figure["denominator"] is None
            assert figure["numerator"] == figure["value"]
    assert {name for name, value in columns.items() if value is not None} <= seen


def rows(directory: Path, name: str, form: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    if form == "csv":
        with (directory / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            return [*csv.DictReader(file)]
    from pyarrow import parquet

    found: list[dict[str, Any]] = parquet.read_table(directory / f"{name}.parquet").to_pylist()
    return found


@pytest.fixture(scope="module")
def written(events: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a directory with the files, and the JSON of the same run."""
    require(condition=find_spec("pyarrow") is not None, reason="pyarrow is not installed: `make setup`")
    directory = tmp_path_factory.mktemp("out") / "new"
    command = [sys.executable, "-m", "streams", "replay", "--connector", "canonical", str(events), "--config", str(CONFIGURATION)]
    done = subprocess.run([*command, "--json", "--out", str(directory)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return directory, json.loads(done.stdout)


class TestFiles:
    """``--out``."""

    @pytest.mark.parametrize("form", ["csv", "parquet"])
    def test_equal_the_json(self, written: tuple[Path, dict[str, Any]], form: str) -> None:
        """Every figure of totals, queues, teams and intervals, every dead letter; the rest is in summary.json."""
        directory, result = written
        (total,) = rows(directory, "totals", form)
        figures_of(total, result["totals"])
        queues = rows(directory, "queues", form)
        expected = [(queue, channel, kpis) for queue, channels in result["queues"].items() for channel, kpis in channels.items()]
        assert len(queues) == len(expected) > 5
        for row, (queue, channel, kpis) in zip(queues, expected, strict=True):
            assert (row.pop("queue"), row.pop("channel")) == (queue, channel)
            figures_of(row, kpis)
        teams = {row.pop("team"): row for row in rows(directory, "teams", form)}
        assert teams.keys() == result["teams"].keys()
        for team, row in teams.items():
            figures_of(row, result["teams"][team])
        intervals = rows(directory, "intervals", form)
        assert len(intervals) == len(result["intervals"]) > 10
        for row, each in zip(intervals, result["intervals"], strict=True):
            kpis = each.pop("kpis")
            for name in ("start", "end"):
                cell = row.pop(name)
                text = cell if form == "csv" else cell.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                assert text == each[name]
            assert {**json.loads(row.pop("details")), **{name: row.pop(name) for name in ("queue", "channel", "interval")}} == {
                name: value for name, value in each.items() if name not in ("start", "end")
            }
            figures_of(row, kpis)
            each["kpis"] = kpis
        assert rows(directory, "dead_letters", form) == result["dead_letters"]
        summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
        tables = ("totals", "queues", "teams", "intervals", "dead_letters")
        assert summary == {name: value for name, value in result.items() if name not in tables}

    def test_nothing_is_overwritten(self, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A directory with a file of these names is refused before anything is read."""
        (tmp_path / "intervals.csv").write_text("mine")
        arguments = ["replay", "--connector", "canonical", str(events), "--out", str(tmp_path), "--out-format", "csv"]
        assert main(arguments) == 2
        assert "intervals.csv exists there already; give another directory" in capsys.readouterr().err
        assert (tmp_path / "intervals.csv").read_text() == "mine"
        assert [each.name for each in tmp_path.iterdir()] == ["intervals.csv"]

    def test_without_pyarrow(
        self, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Parquet names the package to install and the format to write instead; CSV needs nothing."""
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        arguments = ["replay", "--connector", "canonical", str(events), "--out", str(tmp_path / "out")]
        assert main(arguments) == 2
        errors = capsys.readouterr().err
        assert "pip install 'contact-streams[parquet]'" in errors
        assert "--out-format csv" in errors
        assert not (tmp_path / "out").exists()
        assert main([*arguments, "--out-format", "csv"]) == 0
        assert capsys.readouterr().out == ""
        assert (tmp_path / "out" / "queues.csv").exists()

    def test_a_name_is_no_formula(self, tmp_path: Path) -> None:
        """A queue that a sender calls =1+1 is a text in a spreadsheet."""
        times = {"occurred_at": "2026-03-02T09:00:00Z", "received_at": "2026-03-02T09:00:00Z", "event_id": "e", "source": "x"}
        file = tmp_path / "events.jsonl"
        file.write_text(json.dumps({"type": "contact.queued", "queue": "=1+1", "conversation_id": "c", **times}))
        assert main(["replay", "--connector", "canonical", str(file), "--out", str(tmp_path / "out"), "--out-format", "csv"]) == 0
        assert [row["queue"] for row in rows(tmp_path / "out", "queues", "csv")] == ["'=1+1"]

    def test_nothing_personal(self, tmp_path: Path) -> None:
        """No file has a caller's number or an agent's name of a queue_log."""
        log = tmp_path / "queue_log"
        lines = ("1772442010|1.1|sales|NONE|ENTERQUEUE||0312345678|1", "1772442015|1.1|sales|SIP/7|CONNECT|5|1.2|3", "rubbish 0312345678")
        log.write_text("".join(f"{line}\n" for line in lines))
        out = tmp_path / "out"
        assert main(["replay", "--connector", "asterisk-queue-log", str(log), "--out", str(out), "--out-format", "csv"]) == 0
        written = "".join(file.read_text(encoding="utf-8") for file in out.iterdir())
        assert "sales" in written
        assert "0312345678" not in written
        assert "SIP/7" not in written


class TestProgress:
    """How far it has come, while it reads."""

    @pytest.fixture
    def slowly(self, events: Path) -> Iterator[list[str]]:
        """Yield the command for a file of some seconds."""
        file = events.parent / "many.jsonl"
        content = events.read_bytes().replace(b"\n", b"\n", 1) + b"\n"
        with file.open("wb") as many:
            for _ in range(30):
                many.write(content)
        yield [sys.executable, "-m", "streams", "replay", "--connector", "canonical", str(file), "--config", str(CONFIGURATION)]
        file.unlink()

    def test_a_bar_on_a_terminal(self, slowly: list[str]) -> None:
        """On a terminal one line is written over and over: share, events, rate, time left; afterwards it is gone."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        process = subprocess.Popen(slowly, cwd=ROOT, stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        written = b""
        try:
            while data := os.read(master, 4096):
                written += data
        except OSError:  # the other end is closed
            pass
        finally:
            os.close(master)
            out = process.communicate()[0]
        assert process.returncode == 0
        shown = [line.decode() for line in written.split(b"\r") if b"a second" in line]
        assert len(shown) >= 2, written
        assert all("events" in line and "left" in line and " %" in line and "⟨" not in line for line in shown)
        assert len({line.split("%")[0] for line in shown}) >= 2
        assert b"\n" not in written.strip(b"\r\n ")
        assert b"a second" not in out

    def test_lines_elsewhere(self, slowly: list[str]) -> None:
        """Into a file go lines, one in ten seconds, and none with --log-level WARNING; here with a second between them."""
        code = "import sys; import streams.commands.replay_progress as p; p._LINE_SECONDS = 0.3; from streams.cli import main; "
        command = [sys.executable, "-c", f"{code}sys.exit(main(sys.argv[1:]))", *slowly[3:]]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        lines = [line for line in done.stderr.splitlines() if "a second" in line]
        assert lines
        assert all("% of the file, about" in line and "\r" not in line for line in lines)
        done = subprocess.run([*command, "--log-level", "WARNING"], cwd=ROOT, capture_output=True, text=True, check=True)
        assert "a second" not in done.stderr


class TestTable:
    """Readable for many queues."""

    def kpis(self, offered: int) -> dict[str, Any]:
        """Return figures of a queue."""
        return {"offered": {"value": offered}, "service_level": {"value": 0.5}, "asa": {"value": 1234.5}}

    def test_two_hundred_queues(self) -> None:
        """The total is first and last, the header returns every 40 rows, and every line has its columns in the same places."""
        names = [f"queue {number}" for number in range(198)] + ["注文受付" * 9, "a name that is much longer than all of the others are, 1"]
        queues = {name: {"voice": self.kpis(number)} for number, name in enumerate(names)}
        dead_letters = [{"origin": f"f:{number}", "reason": "late", "detail": "d"} for number in range(30)]
        result = {
            "as_of": "T",
            "queues": queues,
            "totals": self.kpis(7),
            "dead_letters": dead_letters,
            "dead_letters_by_reason": {"late": 30},
        }
        lines = [*table(result)]
        header = lines[1]
        assert header.split()[:4] == ["queue", "channel", "offered", "answered"]
        assert lines[2].split()[:2] == ["all", "7"]
        assert lines.count(header) == 1 + 5
        until = lines.index("30 dead letters:")
        assert lines[until - 1] == lines[2]
        wide = {sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in line) for line in lines[1:until] if line}
        assert len(wide) == 1
        # Of 40 columns the first 20 and the last 19, two for each Japanese character.
        cut = [line.split("  ")[0].strip() for line in lines if "…" in line]
        assert cut == ["注文受付注文受付注文…付注文受付注文受付", "a name that is much …f the others are, 1"]
        assert lines[until + 1 : until + 4] == ["  30 late", "  the first 20 of them (--out lists all):", "  f:0: late: d"]
        assert len(lines[until:]) == 3 + 20
