"""Finds the record that ends a process, in a child that is a copy of this process and alone suffers the effects."""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import warnings
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.engine.stage import Flush, Record, Stage

__all__ = ["Culprit", "find_culprit"]

logger = logging.getLogger(__name__)

#: A record or a flush that takes longer hangs.
HANGS_AFTER_SECONDS = 10.0

#: Kafka's default of the largest batch of a topic.
_MAX_BYTES = 1_048_588
#: Overhead of a batch with one record.
_BATCH_BYTES = 200

_STARTED: Final = b"."
_COLLECTS: Final = b"c"
_OK: Final = b"!"
_RAISES: Final = b"\0"
#: A status of the child.
_TOO_LARGE: Final = 3


class Culprit(NamedTuple):
    """The first record, by its index in the chunk, that ends a process, and how it ends."""

    at: int
    how: str


def find_culprit(
    stage: Stage, changelog: str | None, records: Sequence[Record], limits: Mapping[str, int], *, hangs_after: float = HANGS_AFTER_SECONDS
) -> Culprit | None:
    """Return the record at which both of two children ended, or None: the end of one alone is bad luck. ``stage`` does not change.

    ``limits`` is the maximum record size by topic.
    """
    first = _culprit(stage, changelog, records, limits, hangs_after)
    if first is None:
        return None
    again = _culprit(stage, changelog, records[: first.at + 1], limits, hangs_after)
    return first if again is not None and again.at == first.at else None


def _culprit(
    stage: Stage, changelog: str | None, records: Sequence[Record], limits: Mapping[str, int], hangs_after: float
) -> Culprit | None:
    begun, how = _run(stage, changelog, records, limits, hangs_after)
    if how is None:
        return None
    if begun >= 0:
        return Culprit(begun, how)
    # It ended while collecting: bisect to find the record. An empty flush must succeed.
    good, bad = 0, len(records)
    while bad - good > 1:
        middle = (good + bad) // 2
        if _run(stage, changelog, records[:middle], limits, hangs_after)[1] is None:
            good = middle
        else:
            bad = middle
    return Culprit(bad - 1, how)


def _run(
    stage: Stage, changelog: str | None, records: Sequence[Record], limits: Mapping[str, int], hangs_after: float
) -> tuple[int, str | None]:
    """Have a child process ``records`` and collect; return the index at its end, -1 while collecting, and how; None if it did not end."""
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        # Other threads are not copied. The child uses only the stage, which no other thread uses.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reads)
        _be_child(stage, changelog, records, limits, writes)
    os.close(writes)
    progress, how = b"", "hangs"
    try:
        while True:
            if not select.select([reads], [], [], hangs_after)[0]:
                os.kill(child, signal.SIGKILL)
                break
            more = os.read(reads, 65536)
            if not more:
                how = "ends the process"
                break
            progress += more
    finally:
        os.close(reads)
        _, status = os.waitpid(child, 0)
    if progress.endswith(_OK):
        return 0, None
    progress, _, raised = progress.partition(_RAISES)
    if raised:
        how = f"raises {raised.decode(errors='replace')}"
    elif how != "hangs" and os.WIFSIGNALED(status):
        how = f"ends the process by signal {os.WTERMSIG(status)}"
    elif how != "hangs":
        how = "writes a record too large for its topic" if os.WEXITSTATUS(status) == _TOO_LARGE else how
    return (-1 if _COLLECTS in progress else progress.count(_STARTED) - 1), how


def _be_child(stage: Stage, changelog: str | None, records: Sequence[Record], limits: Mapping[str, int], writes: int) -> NoReturn:
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        gc.disable()
        for record in records:
            os.write(writes, _STARTED)
            stage.process([record])
        os.write(writes, _COLLECTS)
        if _too_large(stage.collect(), changelog, limits):
            status = _TOO_LARGE
        else:
            os.write(writes, _OK)
    except BaseException as error:  # noqa: BLE001 - only its name is reported; its message may hold personal data
        os.write(writes, _RAISES + type(error).__name__.encode())
    finally:
        os._exit(status)


def _too_large(flush: Flush, changelog: str | None, limits: Mapping[str, int]) -> bool:
    """Return whether Kafka would refuse a record of a flush for its size."""
    if changelog is not None and flush.rows:
        room = limits.get(changelog, _MAX_BYTES) - _BATCH_BYTES
        if any(len(key) + len(value or b"") > room for key, value in flush.rows):
            return True
    return any(
        len(output.key or b"") + len(output.value or b"") + sum(len(name) + len(value) + 4 for name, value in output.headers)
        > limits.get(output.topic, _MAX_BYTES) - _BATCH_BYTES
        for output in flush.outputs
    )
