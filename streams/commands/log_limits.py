"""A limit of library logs: one line of a kind per minute, with the number of suppressed ones."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_KINDS", "OVER_SECONDS", "LimitedLibraries", "limit_libraries"]

#: One line of a kind is logged within this time.
OVER_SECONDS: Final = 60.0
#: The most kinds in memory: further kinds of a library are limited together.
MAX_KINDS: Final = 500
_NUMBERS: Final = re.compile(r"\d+")
#: The project's own loggers are not limited.
_OURS: Final = ("streams", "schemas", "root", "__main__")


class LimitedLibraries(logging.Filter):
    """Passes all records of the project, and new kinds of libraries. ``monotonic`` returns monotonic seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        #: kind → start of its interval, and number of lines since
        self._kinds: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a line; the first after a flood also states how many were suppressed."""
        if record.name.partition(".")[0] in _OURS:
            return True
        # Without numbers: a port, a node or an offset is no new kind of line.
        kind = (record.name, record.levelno, _NUMBERS.sub("0", str(record.msg)))
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
            kind = (record.name, record.levelno, "")
        now = self._monotonic()
        began, lines = self._kinds.get(kind, (now, 0))
        if now - began >= OVER_SECONDS:
            if lines > 1:
                record.msg, record.args = f"{record.getMessage()} ({lines - 1} lines like this were left out)", None
            began, lines = now, 0
        self._kinds[kind] = (began, lines + 1)
        return lines == 0


def limit_libraries() -> None:
    """Limit library logs of every handler of the root logger, except at level DEBUG."""
    if logging.getLogger().level <= logging.DEBUG:
        return
    limits = LimitedLibraries()
    for handler in logging.getLogger().handlers:
        handler.addFilter(limits)
