"""Progress of a replay: a bar on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from streams.connectors.inputs import Input

__all__ = ["ReplayProgress"]

logger = logging.getLogger(__name__)

#: Between two updates: on a terminal, elsewhere.
_BAR_SECONDS: Final = 0.2
_LINE_SECONDS: Final = 10.0
_KNOWN: Final = "{percentage:3.0f} % |{bar}| {postfix}, {remaining} left"
_UNKNOWN: Final = "{postfix}, {elapsed} so far"


class ReplayProgress:
    """Shows on stderr the number of counted events, their rate, and the remaining time; nothing above level INFO."""

    def __init__(self, file: Input) -> None:
        self._file = file
        self._began = self._shown = time.monotonic()
        self._bar: Any = None
        self._every = _LINE_SECONDS

    def __enter__(self) -> Self:
        if logger.isEnabledFor(logging.INFO) and sys.stderr.isatty():
            import tqdm  # noqa: PLC0415 - a script needs no bar

            tqdm.tqdm.monitor_interval = 0
            size = self._file.size_bytes
            form = _UNKNOWN if size is None else _KNOWN
            self._bar = tqdm.tqdm(total=size, file=sys.stderr, bar_format=form, leave=False, dynamic_ncols=True, mininterval=0)
            self._every = _BAR_SECONDS
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def note(self, events: int) -> None:
        """Update the number of counted events; cheap between two displays."""
        now = time.monotonic()
        if now - self._shown < self._every:
            return
        self._shown = now
        seconds = now - self._began
        counted = f"{events:,} events, {events / seconds:,.0f} a second"
        size, position = self._file.size_bytes, self._file.position_bytes
        if self._bar is not None:
            self._bar.set_postfix_str(counted, refresh=False)
            self._bar.update(position - self._bar.n)
        elif size and position:
            left = seconds * (size - position) / position
            logger.info("Replay: %s, %.0f %% of the file, about %.0f s left.", counted, 100 * position / size, left)
        else:
            logger.info("Replay: %s.", counted)
