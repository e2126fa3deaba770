"""Publicly reported wrong figures and documented behaviours of platforms, each counted by what ``contact-streams replay`` runs.

Each case runs on our own rebuilding of it (``fixtures/cases``), and on the collected one where that lies beside the repository. The right
values are those of the report, by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streams.cli import main
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COLLECTED = Path(__file__).parents[3] / "shared" / "cases"
OURS = Path(__file__).parent / "fixtures" / "cases"


@dataclass(frozen=True)
class Replayed:
    """What ``contact-streams replay --json`` printed."""

    result: dict[str, Any]

    def total(self, figure: str) -> Any:
        """Return a figure of all."""
        return self.result["totals"][figure]["value"]

    def of(self, queue: str, figure: str) -> Any:
        """Return a figure of a queue's calls."""
        return self.result["queues"][queue]["voice"][figure]["value"]

    def now(self, figure: str, scope: str = "all") -> Any:
        """Return what is open at the end, or how many people are in which state."""
        return next(each[figure] for each in self.result["now"] if each["scope"] == scope and figure in each)

    def label(self, figure: str) -> dict[str, int]:
        """Return a count by its label."""
        return {label: each["value"] for label, each in self.result["by_label"].get("voice", {}).get(figure, {}).items()}

    @property
    def dead_letters(self) -> Any:
        """Return how many lines could not be used, by reason."""
        return self.result["dead_letters_by_reason"]


@pytest.fixture(params=["ours", "collected"])
def replayed(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[..., Replayed]:
    """Return what replays a file of a case: ours, or the collected one."""

    def replay(case: str, file: str = "queue_log", options: Sequence[str] = (), connector: str = "asterisk-queue-log") -> Replayed:
        if request.param == "collected":
            require(COLLECTED.is_dir(), f"the collected cases are not there: {COLLECTED}")
            (folder,) = COLLECTED.glob(f"{case}-*")
            path = folder / file
        else:
            path = OURS / f"{case}-{file}"
        assert main(["replay", "--json", "--connector", connector, *options, str(path)]) == 0
        return Replayed(json.loads(capsys.readouterr().out))

    return replay


def test_02_complete_without_connect(replayed: Callable[..., Replayed]) -> None:
    """COMPLETEAGENT in another queue than the call was seen in, its CONNECT lost: the line itself has queue, wait and talk."""
    found = replayed("02")

    assert [found.of("q01", figure) for figure in ("offered", "answered", "answer_rate", "asa", "att")] == [1, 1, 1.0, 12.0, 6.0]
    assert found.of("q00", "answered") == 0
    assert found.dead_letters == {}


def test_04_exit_without_trace(replayed: Callable[..., Replayed]) -> None:
    """What the dialplan of an old Asterisk writes itself ends the wait."""
    found = replayed("04")

    assert [found.total(figure) for figure in ("offered", "answered", "asa")] == [3, 1, 30.0]
    # Three decided: one answered, one timed out, one found the queue empty.
    assert found.total("answer_rate") == pytest.approx(1 / 3)
    assert (found.now("waiting"), found.total("lost_contacts"), found.dead_letters) == (0, 0, {})


def test_06_queuestart_ends_open_calls(replayed: Callable[..., Replayed]) -> None:
    """With Asterisk its channels were gone: no caller waits or talks any more, and nothing gets lost hours later."""
    for file in ("queue_log", "queue_log_later"):
        found = replayed("06", file)

        assert (found.now("waiting"), found.now("in_progress"), found.now("longest_wait_seconds")) == (0, 0, None)
        assert (found.total("lost_contacts"), found.of("sales", "answered"), found.of("sales", "handled")) == (0, 2, 2)
        # From the answer to the crash 477 s, and 60 s after it.
        assert found.of("sales", "att") == pytest.approx((477 + 60) / 2)


def test_07_the_repeated_hour(replayed: Callable[..., Replayed]) -> None:
    """Local times without an offset are read in the order of the file."""
    found = replayed("07", options=["--zone", "Europe/Berlin"])

    assert [found.total(figure) for figure in ("offered", "answered", "handled", "att")] == [2, 2, 2, 180.0]
    assert found.now("in_progress") == 0
    assert found.result["notes"] == []


def test_07_the_hour_that_is_left_out(replayed: Callable[..., Replayed]) -> None:
    """In spring nothing is ambiguous: ten seconds before the gap and ten after it are twenty."""
    found = replayed("07", "spring", ["--zone", "Europe/Berlin"])

    assert [found.total(figure) for figure in ("offered", "answered", "asa", "att")] == [1, 1, 20.0, 60.0]


def test_08_complete_with_an_empty_call_time(replayed: Callable[..., Replayed]) -> None:
    """A parameter that is empty, with others after it, was written empty: the line is not cut."""
    found = replayed("08")

    assert [found.total(figure) for figure in ("offered", "answered", "handled")] == [2, 2, 2]
    assert (found.now("in_progress"), found.dead_letters) == (0, {})


def test_09_unpause_after_logoff(replayed: Callable[..., Replayed]) -> None:
    """Who logged off stays away, whatever the platform tidies up afterwards."""
    found = replayed("09", options=["--zone", "UTC"])

    assert found.result["totals"]["utilization"]["denominator"] == 900.0
    assert found.now("agents_by_state") == {}


@pytest.mark.parametrize(("file", "answered"), [("events.jsonl", 1), ("events_b.jsonl", 0)], ids=["joined", "no answer reported"])
def test_13_joining_a_chat_is_no_response(
    replayed: Callable[..., Replayed], request: pytest.FixtureRequest, file: str, answered: int
) -> None:
    """The chat is taken after a few seconds, and the customer has the first response when the agent writes; a system's message is none.

    Collected: joined after 5 s, written after 120 s. Ours: joined 8 s after the entry, written 91 s after the arrival.
    """
    found = replayed("13", file, connector="canonical")
    taken, written = (5, 120) if "collected" in request.node.name else (8, 91)

    assert found.total("first_response_time") == written
    assert (found.total("answered"), found.total("asa")) == (answered, taken if answered else None)


@pytest.mark.parametrize("bot_time", ["left_out", "counted"])
def test_14_durations_begin_with_the_handover(
    replayed: Callable[..., Replayed], request: pytest.FixtureRequest, tmp_path: Path, bot_time: str
) -> None:
    """Reply and resolution leave out the bot's time where the definition excludes it; the first response did before.

    Collected: words 0, handed over 300, replied 420, resolved 720 s; ours: words 2, handed over 250, replied 360, resolved 550 s.
    """
    center = tmp_path / "center.yaml"
    center.write_text(f"service_level: {{threshold_s: 60, first_response: handed_over, bot_time: {bot_time}}}\n", encoding="utf-8")
    found = replayed("14", "events.jsonl", ["--config", str(center)], connector="canonical")
    words, handed, replied, resolved = (0, 300, 420, 720) if "collected" in request.node.name else (2, 250, 360, 550)

    left_out = bot_time == "left_out"
    assert found.total("first_response_time") == replied - handed
    assert found.total("average_response_time") == replied - (handed if left_out else words)
    assert found.total("resolution_time") == resolved - (handed if left_out else 0)


@pytest.mark.parametrize("file", ["queue_log", "queue_log_cut"])
def test_24_bytes_that_are_no_utf8(replayed: Callable[..., Replayed], file: str) -> None:
    """One bad byte in a name loses no answer; the damage is counted and reported."""
    found = replayed("24", file)

    assert [found.total(figure) for figure in ("answered", "asa", "att")] == [1, 10.0, 60.0]
    assert found.dead_letters == {}
    assert [note[:7] for note in found.result["notes"]] == ["2 lines"]


def test_25_kinds_that_wazo_adds(replayed: Callable[..., Replayed]) -> None:
    """Who is kept out is not offered, who finds no agents left leaves, and wrap-up is known."""
    found = replayed("25")

    assert (found.total("not_offered"), found.label("not_offered")) == (3, {"closed": 1, "full": 1, "unknown": 1})
    assert [found.total(figure) for figure in ("offered", "answered", "acw")] == [2, 1, 15.0]
    assert found.total("answer_rate") == 0.5
    assert (found.now("waiting"), found.dead_letters) == (0, {})


def test_options_of_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A site's own kinds and encoding are options of every command that reads a log; errors in them are reported."""
    log = tmp_path / "queue_log"
    log.write_bytes("1771840800|1.1|窓口|NONE|ENTERQUEUE||1|1\n1771840830|1.1|窓口|NONE|HUNGUP|\n".encode("cp932"))
    read = ["replay", "--json", "--connector", "asterisk-queue-log", str(log)]

    assert main([*read, "--encoding", "cp932", "--kind", "HUNGUP=left_queue:abandoned"]) == 0
    assert Replayed(json.loads(capsys.readouterr().out)).of("窓口", "abandoned") == 1

    for option, value, message in (
        ("--kind", "HUNGUP=left", "'left' is none of ignored, queued"),
        ("--kind", "HUNGUP", "write KIND=MEANING"),
        ("--encoding", "utf-16", "ASCII"),
        ("--encoding", "hex", "ASCII"),
    ):
        try:
            code = main([*read, option, value])
        except SystemExit as error:
            code = int(str(error.code))
        assert code == 2
        assert message in capsys.readouterr().err


def test_a_file_of_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a site writes once; each entry that is wrong is named with its line."""
    log, kinds = tmp_path / "queue_log", tmp_path / "kinds.yaml"
    log.write_text("1771840800|1.1|q|NONE|ENTERQUEUE||1|1\n1771840830|1.1|q|NONE|HUNGUP|late\n", encoding="utf-8")
    read = ["replay", "--json", "--connector", "asterisk-queue-log", "--kinds", str(kinds), str(log)]

    kinds.write_text('kinds:\n  HUNGUP: left_queue:abandoned\n  "HUNGUP|late": left_queue:timeout\n', encoding="utf-8")
    assert main(read) == 0
    found = Replayed(json.loads(capsys.readouterr().out))
    assert (found.of("q", "abandoned"), found.now("waiting"), found.dead_letters) == (0, 0, {})
    assert main([*read, "--kind", "HUNGUP|late=left_queue:abandoned"]) == 0
    assert Replayed(json.loads(capsys.readouterr().out)).of("q", "abandoned") == 1

    for text, message in (
        ("kinds:\n  A: ignored\n  B: gone\n", ":3: kinds.B"),
        ("other: {}\n", "permitted: this key alone"),
        ("kinds: [1\n", "kinds.yaml:"),
    ):
        kinds.write_text(text, encoding="utf-8")
        assert main(read) == 2
        assert message in capsys.readouterr().err
    assert main([*read[:-2], str(tmp_path / "nowhere.yaml"), str(log)]) == 2
