"""Measures what ``contact-streams replay`` takes: events a second of one core, and how much it has resident on the way through a file.

The file is that of the simulated center (``--rate`` of them side by side), written before and deleted after; with ``--pipe`` there is none,
and the events come in on standard input. They are read and counted in a process of its own by what the command reads and counts with.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.memory import peak_mib, resident_mib
from streams.commands.event_files import canonical_pieces
from streams.configuration import load_configuration
from streams.connectors.inputs import Input
from streams.demo.simulator.load import load_events
from streams.engine.memory import collect_seldom
from streams.replay import Replay

__all__ = ["measured"]

_ROOT: Final = Path(__file__).parents[1]
_CONFIGURATION: Final = _ROOT / "streams" / "demo" / "configuration.yaml"
#: Looks at the process, in parts of the file.
_LOOKS: Final = 8


def measured(events: int, rate: int, directory: Path | None = None, *, pipe: bool = False) -> dict[str, Any]:
    """Return the cost of a process for a file of ``events``.

    ``events_per_second`` is by CPU, from the first event to the last figure; ``resident_mib`` by events counted so far.
    """
    command = [sys.executable, "-m", "benchmarks.replay", "--events", str(events)]
    write = [*command, "--rate", str(rate), "--write"]
    if pipe:
        with subprocess.Popen(write, cwd=_ROOT, stdout=subprocess.PIPE) as writer:
            done = subprocess.run([*command, "--run", "-"], cwd=_ROOT, stdin=writer.stdout, stdout=subprocess.PIPE, check=True)
    else:
        with tempfile.NamedTemporaryFile(dir=directory, suffix=".jsonl") as file:
            subprocess.run(write, cwd=_ROOT, stdout=file, check=True)
            done = subprocess.run([*command, "--run", file.name], cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return {"rate": rate, **found}


def _write(events: int, rate: int) -> None:
    """Write the events of the simulated center to standard output, a line each."""
    for each in load_events(events, 1, rate=rate):
        sys.stdout.buffer.write(orjson.dumps(each.event) + b"\n")


def _run(file: Path, events: int) -> dict[str, Any]:
    """Count a file in this process as the command does."""
    collect_seldom()
    configuration = load_configuration(_CONFIGURATION)
    began, step = time.process_time(), max(1, events // _LOOKS)
    resident: dict[int, float | None] = {0: resident_mib()}
    cpu_us: dict[int, float] = {}
    due, before, counted = step, began, 0
    with closing(Replay(configuration, file=file.name, figures_only=True)) as replay:
        with closing(canonical_pieces(Input(file), None, [])) as pieces:
            for piece, number in pieces:
                replay.add_piece(piece)
                if due <= number <= events:
                    now = time.process_time()
                    resident[number], cpu_us[number] = resident_mib(), round((now - before) / (number - counted) * 1e6, 2)
                    due, before, counted = due + step, now, number
        result = replay.figures(replay.last_ms)
        intervals = sum(len(orjson.dumps(each)) > 0 for each in result["intervals"])
    cpu_s = time.process_time() - began
    return {
        "events": events,
        "events_per_second": round(events / cpu_s),
        "cpu_us_by_events": cpu_us,
        "resident_mib": {number: None if mib is None else round(mib, 1) for number, mib in resident.items()},
        "peak_mib": peak_mib(),
        "offered": result["totals"]["offered"]["value"],
        "intervals": intervals,
        "as_of": result["as_of"],
    }


def main() -> int:
    """Write, measure, delete, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--rate", type=int, nargs="+", default=[1, 200], help="centers side by side (default: 1 200)")
    parser.add_argument("--directory", type=Path, help="where the file is: some 300 MB a million events (default: the temporary directory)")
    parser.add_argument("--pipe", action="store_true", help="without a file")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run is not None:
        print(json.dumps(_run(args.run, args.events)))
    elif args.write:
        _write(args.events, args.rate[0])
    else:
        for rate in args.rate:
            print(json.dumps(measured(args.events, rate, args.directory, pipe=args.pipe)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
