"""Parts of the demo that end by themselves: which, how, with the end of its log; and when the demo continues without it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from streams.demo import run as demo_run
from streams.demo.processes import ending
from streams.demo.run import DemoError, DemoSettings, _Demo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEP = ["-c", "import time; time.sleep(60)"]
ENDS = ["-c", "import sys; print('first'); print('cannot go on', file=sys.stderr); sys.exit(3)"]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_run, "_RESTART_SECONDS", 0.2)
    monkeypatch.setattr(demo_run, "_MIN_LIFE_SECONDS", 0.0)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[_Demo]:
    """Return a demo that is up, with a feeder that does nothing."""
    made = _Demo(DemoSettings(), tmp_path)
    made.is_up = True
    try:
        made._start("feeder", SLEEP)
        yield made
    finally:
        made.stop()


def ended(demo: _Demo, name: str) -> None:
    """Wait until a process has ended."""
    deadline = time.monotonic() + 20
    while demo._child(name).code is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_end_of_a_part_is_described() -> None:
    """By the code that a shell would show: of a signal its name; 0 is what one that is asked to stop ends with."""
    assert ending(0) == "ended with exit code 0, as when it is asked to stop"
    assert ending(82) == "ended with exit code 82"
    assert ending(128 + signal.SIGKILL) == "was ended by SIGKILL"
    assert ending(255) == "ended with exit code 255"


@pytest.mark.parametrize("name", ["gateway", "serve"])
def test_the_demo_continues_and_restarts_a_part(demo: _Demo, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With its code, the last lines of its log, and what is so meanwhile; the next one has the same arguments and a log of its own."""
    demo._start(name, ENDS)
    ended(demo, name)
    demo._supervise()
    output = capsys.readouterr().out

    assert f"The {name} ended with exit code 3. The end of its log:\n    first\n    cannot go on\n" in output
    assert "The demo continues without it and restarts it in 0.2 s" in output
    demo._supervise()
    assert [child.name for child in demo._children] == ["feeder"]
    time.sleep(0.25)
    demo._supervise()
    assert capsys.readouterr().out == f"The {name} is restarted.\n"
    assert demo._child(name).log.name == f"{name}-2.log"


def test_the_end_of_a_process_is_described_the_same_way() -> None:
    """The signal of the process comes as a code of 128 and more from its guard, that of the guard itself below zero."""
    assert ending(0) == "ended with exit code 0, as when it is asked to stop"
    assert ending(3) == "ended with exit code 3"
    assert ending(128 + 9) == ending(-9) == "was ended by SIGKILL"
    assert ending(255) == "ended with exit code 255"


def test_killed_from_outside(demo: _Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A signal is named through a guard process, and a log without a line is called empty."""
    demo._start("gateway", ["-c", "import os; os.kill(os.getpid(), 9)"])
    ended(demo, "gateway")
    demo._supervise()

    assert "The gateway was ended by SIGKILL. The end of its log:\n    (empty)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "settings", "lasts", "up"),
    [
        ("worker", DemoSettings(), 0.0, True),
        ("gateway", DemoSettings(seconds=30), 0.0, True),
        ("gateway", DemoSettings(), 60.0, True),
        ("gateway", DemoSettings(), 0.0, False),
    ],
    ids=["worker", "proves its figures", "ends again at once", "starts"],
)
def test_the_end_of_a_required_part_ends_it(
    name: str, settings: DemoSettings, lasts: float, up: bool, demo: _Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason names the part and how it ended; its log is shown with it."""
    monkeypatch.setattr(demo_run, "_MIN_LIFE_SECONDS", lasts)
    demo._settings, demo.is_up = settings, up
    if lasts:
        demo._start(name, ["-c", "pass"])
        ended(demo, name)
        demo._children.pop().stop()
    demo._start(name, ENDS)
    ended(demo, name)

    with pytest.raises(DemoError, match=f"^the {name} ended with exit code 3\\.$") as raised:
        demo._supervise()
    assert [child.name for child in raised.value.children] == [name]
