"""The recount of a round in a process of its own: it counts while the workers catch up, and uses all cores when they have ended."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from schemas.events import parse_agent_event, parse_contact_event, parse_customer_event
from streams.configuration import load_configuration
from tests.oracle.recount import recount
from tests.properties.compare import customer_differences, differences
from tests.support.children import start_module
from tests.support.product_load import events_of, final_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.base import Event

__all__ = ["Recounting", "main", "recounting"]

_PARSERS = {"agent-events": parse_agent_event, "customer-events": parse_customer_event}


@dataclass(frozen=True)
class Recounting:
    """A recount that has begun."""

    #: The instant of the final heartbeats.
    final_ms: int
    _process: subprocess.Popen[bytes]

    def differences(self, latest: dict[str, dict[str, Any]]) -> list[str]:
        """Wait for the recount and return one line a figure that is not exactly its."""
        output, _ = self._process.communicate(orjson.dumps(latest))
        if self._process.returncode:
            raise RuntimeError(f"The recount ended with {self._process.returncode}: its output is above.")
        found: list[str] = orjson.loads(output)
        return found


@contextmanager
def recounting(seed: int, events: int, configuration: Path) -> Iterator[Recounting]:
    """Begin to recount the first ``events`` of a round; leaving ends it."""
    *_, last = events_of(seed, events)
    process = start_module("tests.support.verification", [seed, events, str(configuration)])
    try:
        yield Recounting(final_ms(last), process)
    finally:
        process.kill()
        process.wait()


def main(arguments: str) -> None:
    """Recount, read the latest records by key from standard input and print the differences; ``arguments`` is JSON."""
    seed, count, configuration = json.loads(arguments)
    gc.disable()  # millions of objects that all stay: collecting would take most of the time
    emissions = list(events_of(seed, count))
    events: list[Event] = [_PARSERS.get(each.destination, parse_contact_event)(orjson.dumps(each.event)) for each in emissions]
    final = final_ms(emissions[-1])
    recounted = recount(events, load_configuration(Path(configuration)), final, final)
    latest = orjson.loads(sys.stdin.buffer.read())
    found = differences(latest, recounted, processes=os.cpu_count() or 1) + customer_differences(latest, recounted)
    sys.stdout.buffer.write(orjson.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
