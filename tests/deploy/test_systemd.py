"""The unit for systemd runs a command that there is, with options that it has, and keeps what it may write to one folder."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.require import require

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "contact-streams-connector@.service"
LINES = [line for line in UNIT.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def said(name: str) -> list[str]:
    """Return the values of a setting."""
    return [line.partition("=")[2] for line in LINES if line.startswith(f"{name}=")]


def test_command_line() -> None:
    """Its command takes these options, and those that the comment tells of."""
    (line,) = said("ExecStart")
    program, *arguments = shlex.split(line.replace("%i", "shop").replace("$CONNECTOR_OPTIONS", "--port 9470 --replication 3"))
    assert program.endswith("/contact-streams")
    arguments[arguments.index("/etc/contact-streams/connectors.yaml")] = str(ROOT / "nowhere.yaml")
    done = subprocess.run([sys.executable, "-m", "streams", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    # It comes as far as its file: what is wrong with options is said before.
    assert (done.returncode, "nowhere.yaml" in done.stderr) == (2, True), done.stderr


def test_settings_that_are_wrong_are_not_tried_again() -> None:
    """Status 2 is of settings; an outage ends nothing; whatever ends otherwise is started again, with time for another process."""
    assert said("RestartPreventExitStatus") == ["2"]
    assert said("Restart") == ["on-failure"]
    assert int(said("RestartSec")[0]) > 10


def test_systemd_takes_it(tmp_path: Path) -> None:
    """The check of systemd itself finds nothing."""
    program = shutil.which("systemd-analyze")
    require(program, "systemd-analyze is not there: apt-get install systemd")
    assert program is not None
    unit = tmp_path / "contact-streams-connector@shop.service"
    # The program is not installed there.
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/contact-streams/bin/contact-streams", "/bin/true"), encoding="utf-8")
    done = subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "contact-streams" in line]) == (0, []), done.stderr
