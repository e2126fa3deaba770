"""What libraries log is limited: of lines that say the same, one within a minute, and how many there were besides."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_KINDS", "OVER_SECONDS", "LimitedLibraries", "limit_libraries"]

#: Of one kind of line one is logged within so many seconds.
OVER_SECONDS: Final = 60.0
#: Kinds that are remembered at a time: a library that makes up a new text each time is limited as one kind beyond.
MAX_KINDS: Final = 500
_NUMBERS: Final = re.compile(r"\d+")
#: Ours say each thing once, or pause in between.
_OURS: Final = ("streams", "schemas", "root", "__main__")


class LimitedLibraries(logging.Filter):
    """Lets everything of the project pass, and of libraries what is new. ``monotonic`` returns seconds that no one sets back."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        #: kind → when its time began, and how many lines there were since
        self._kinds: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is logged; the first after a flood also says how many were not."""
        if record.name.partition(".")[0] in _OURS:
            return True
        # Without its numbers: a port, a node or an offset makes no new kind of line.
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
    """Limit what every handler of the root logger lets through, unless everything is asked for."""
    if logging.getLogger().level <= logging.DEBUG:
        return
    limits = LimitedLibraries()
    for handler in logging.getLogger().handlers:
        handler.addFilter(limits)
