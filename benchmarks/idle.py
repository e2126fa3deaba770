"""Measures what the demo takes of a core once its figures have caught up, by process.

``python -m benchmarks.idle`` starts the demo (its broker, worker, serve, gateway and connectors), waits until it has caught up, and then
adds up the CPU of each of its processes for a minute. Prints a line for each and one of JSON with all.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.measuring import cpu_seconds

__all__ = ["shares"]

_PATIENCE_SECONDS: Final = 300.0
#: What follows the catching up directly is not measured.
_CALM_SECONDS: Final = 15.0


def _parents() -> dict[int, int]:
    """Return the parent of every process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        found[int(stat.parent.name)] = int(fields[1])
    return found


def _below(root: int) -> set[int]:
    """Return a process and all that descend from it."""
    parents = _parents()
    found, more = {root}, True
    while more:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
    return found


def _name(pid: int) -> str:
    """Return what a process of the demo does: its module or command."""
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    line = " ".join(arguments)
    if "guard.py" in line:
        return "guard"
    found = re.search(r"-m (streams\.demo\.\w+|streams \w+)", line)
    return found[1] if found else Path(arguments[0]).name


def shares(seconds: float, *arguments: str) -> dict[str, float]:
    """Run a demo, and return what its processes take of a core once it has caught up, by what they do."""
    command = [sys.executable, "-u", "-m", "streams", "demo", "--open-hours", "0.5", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as demo:
        try:
            output, line, until = "", " ", time.monotonic() + _PATIENCE_SECONDS
            while "caught up" not in line:
                line = demo.stdout.readline() if demo.stdout else ""
                output += line
                if not line or time.monotonic() > until:
                    raise SystemExit(f"The demo did not catch up:\n{output[-3000:]}")
            time.sleep(_CALM_SECONDS)
            names = {pid: _name(pid) for pid in _below(demo.pid)}
            before, began = {pid: cpu_seconds(pid) for pid in names}, time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - began
            found: dict[str, float] = {}
            for pid, name in names.items():
                found[name] = found.get(name, 0.0) + (cpu_seconds(pid) - before[pid]) / took
            return found
        finally:
            demo.send_signal(signal.SIGINT)
            try:
                demo.wait(30)
            except subprocess.TimeoutExpired:
                demo.kill()


def main() -> None:
    """Print a line a process, and one of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="measured (default: %(default)s)")
    given = parser.parse_args()
    found = shares(given.seconds)
    for name, share in sorted(found.items(), key=lambda each: -each[1]):
        print(f"{name:28} {share:.3f} of a core")
    print(f"{'all':28} {sum(found.values()):.3f} of a core")
    print(json.dumps({"seconds": given.seconds, "all": sum(found.values()), "by_process": found}))


if __name__ == "__main__":
    main()
