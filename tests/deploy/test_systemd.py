"""The units for systemd run commands that there are, with options that they have, and are kept to what they need."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.require import require

ROOT = Path(__file__).parents[2]
UNITS = {unit.stem.removeprefix("contact-streams-"): unit for unit in (ROOT / "deploy" / "systemd").glob("*.service")}
#: Unit → an instance, options as docs/install.md has them, and the message about a missing file.
TRIED = {
    "worker@": ("a", "--replication 3 --port 9465"),
    "serve": ("", "--host 0.0.0.0 --access access.yaml --tls-certificate a --tls-key b"),
    "gateway": ("", "--replication 3"),
    "connector@": ("shop", "--port 9470 --replication 3"),
    "mapping@": ("desk", "--pattern *.csv --lock ready --replication 3"),
}
#: 0 is shut off, 10 is wide open; up to 2 systemd reports OK, and a service without any hardening has 9.6.
MOST_EXPOSED = 2.0


def values_of(unit: str, name: str) -> list[str]:
    """Return the values of a setting."""
    lines = [line for line in UNITS[unit].read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def installed(unit: str, tmp_path: Path) -> Path:
    """Return a copy that is called as an installed one, of a program that there is."""
    copy = tmp_path / UNITS[unit].name.replace("@", f"@{TRIED[unit][0]}")
    copy.write_text(
        UNITS[unit].read_text(encoding="utf-8").replace("/opt/contact-streams/bin/contact-streams", "/bin/true"), encoding="utf-8"
    )
    return copy


def analyze() -> str:
    """Return the program that checks units."""
    program = shutil.which("systemd-analyze")
    require(program, "systemd-analyze is not there: apt-get install systemd")
    assert program is not None
    return program


def test_every_long_running_command_has_a_unit() -> None:
    """Worker, serve, gateway, connectors and folders; docs/install.md names each."""
    assert UNITS.keys() == TRIED.keys()
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert [unit for unit in UNITS if f"| `contact-streams-{unit}{'NAME' if unit.endswith('@') else ''}` |" not in page] == []


@pytest.mark.parametrize("unit", TRIED)
def test_command_line(unit: str) -> None:
    """Its command takes these options, and those of the page."""
    instance, options = TRIED[unit]
    (line,) = values_of(unit, "ExecStart")
    (variable,) = re.findall(r"\$([A-Z_]+)", line)
    program, *arguments = shlex.split(line.replace("%i", instance).replace("%H", "host").replace(f"${variable}", options))
    assert program == "/opt/contact-streams/bin/contact-streams"
    assert variable in (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    arguments = [str(ROOT / "nowhere.yaml") if each.startswith("/etc/contact-streams/") else each for each in arguments]
    done = subprocess.run([sys.executable, "-m", "streams", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    # It gets to reading its files: wrong options are reported before.
    assert (done.returncode, "No such file" in done.stderr or "nowhere.yaml" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("unit", TRIED)
def test_settings_that_are_wrong_are_not_tried_again(unit: str) -> None:
    """Status 2 is of settings; whatever ends otherwise is started again, without end: a worker without Kafka ends with 82 each time."""
    assert values_of(unit, "RestartPreventExitStatus") == ["2"]
    assert values_of(unit, "Restart") == ["always" if unit == "worker@" else "on-failure"]
    assert values_of(unit, "StartLimitIntervalSec") == ["0"]
    assert int(values_of(unit, "RestartSec")[0]) >= (10 if unit in {"connector@", "mapping@"} else 5)
    # A worker gives itself 25 s to end.
    assert values_of(unit, "TimeoutStopSec") == ["30"]


@pytest.mark.parametrize("unit", TRIED)
def test_no_unit_waits_for_another(unit: str) -> None:
    """The order of starting does not matter, so none is declared."""
    assert values_of(unit, "After") == values_of(unit, "Wants") == ["network-online.target"]
    assert values_of(unit, "Requires") == []


@pytest.mark.parametrize("unit", TRIED)
def test_systemd_accepts_it(unit: str, tmp_path: Path) -> None:
    """The check of systemd itself finds nothing."""
    done = subprocess.run(
        [analyze(), "verify", "--man=no", str(installed(unit, tmp_path))], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "contact-streams" in line]) == (0, []), done.stderr


@pytest.mark.parametrize("unit", TRIED)
def test_it_is_hardened(unit: str, tmp_path: Path) -> None:
    """By the judgment of systemd itself what it is exposed to is little."""
    done = subprocess.run(
        [analyze(), "security", "--offline=true", "--no-pager", str(installed(unit, tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED, done.stdout
