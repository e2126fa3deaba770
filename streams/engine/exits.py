"""How a worker ends when it must not continue: one log line, a specific exit code, and no clean-up; the next one restores."""

from __future__ import annotations

import logging
import os
import signal
from enum import IntEnum
from typing import Final, NoReturn

__all__ = ["CRASH_VARIABLE", "CrashPoint", "ExitCode", "leave"]

logger = logging.getLogger(__name__)

#: ``after_rows:3`` ends the process the third time it reaches that point. For fault tests; inert unless set.
CRASH_VARIABLE: Final = "CONTACT_STREAMS_CRASH_AT"


class ExitCode(IntEnum):
    """Why the process ended."""

    #: Another worker owns the partition now, or a transaction outlived its timeout.
    FENCED = 81
    #: A flush failed in any other way, or did not end.
    FLUSH_FAILED = 82
    #: A stage raised; the offsets of its chunk were not committed.
    STAGE_FAILED = 83
    #: State could not be restored.
    RESTORE_FAILED = 84
    #: Faust dropped a chunk without seeking back.
    CHUNK_LOST = 85
    # 86 was a flood of bad records: now their source is quarantined and the worker continues.
    #: The configuration contradicts what was published, such as a definition that was changed in place.
    CONFIGURATION_REFUSED = 87


def leave(code: ExitCode, message: str, *details: object, error: BaseException | None = None) -> NoReturn:
    """Log ``message`` and end the process at once: nothing may be flushed after a failure."""
    logger.critical("%s: " + message, code.name, *details, exc_info=error)  # noqa: G003 - the code leads the line
    logging.shutdown()
    os._exit(code)


class CrashPoint:
    """A named place where a test may have the process die."""

    def __init__(self, name: str) -> None:
        """Arm this point if the environment names it."""
        wanted, _, count = os.environ.get(CRASH_VARIABLE, "").partition(":")
        self._name = name
        self._left = int(count or 1) if wanted == name else 0

    @property
    def armed(self) -> bool:
        """Whether a pass will end the process, now or later."""
        return self._left > 0

    def reach(self) -> None:
        """Die here as by kill -9, if this is the requested pass."""
        if self._left:
            self._left -= 1
            if not self._left:
                print(f"Crash point {self._name} reached.", flush=True)  # noqa: T201 - tests read it
                os.kill(os.getpid(), signal.SIGKILL)
