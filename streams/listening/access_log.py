"""An access log in a standard format, without secrets: of a path its pattern, no query, and of headers the user agent alone."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, cast

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

    from aiohttp.web_request import BaseRequest

__all__ = ["CLIENT", "AccessLog", "Form", "Requests", "line_of"]

_log = logging.getLogger(__name__)

Form = Literal["combined", "json"]

#: The client's address where a trusted proxy has forwarded it.
CLIENT: Final = web.RequestKey("client", str)

#: Lines that may wait for a slow disk; further ones are dropped and counted. No request waits for its line.
_MOST_WAITING: Final = 10_000
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MAX_AGENT: Final = 200
#: The file holds addresses of clients.
_MODE: Final = 0o640


def line_of(request: BaseRequest, response: web.StreamResponse, seconds: float, form: Form, now: float) -> str:
    """Return the line of a request that ended at ``now`` (seconds since the epoch) after ``seconds``.

    The line has the pattern of the route instead of the client's path, without names or ids, or ``/-`` where no route matches. Identity
    and user are always ``-``: the audit records the user.
    """
    client = request.get(CLIENT, request.remote) or "-"
    method = request.method if request.method in _METHODS else "-"
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    agent = request.headers.get("User-Agent", "")[:_MAX_AGENT]
    # Of a stream, the bytes sent.
    size = response.body_length if response.content_length is None else 0 if method == "HEAD" else response.content_length
    began = datetime.fromtimestamp(now - seconds, UTC)
    if form == "json":
        document = {
            "time": began.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "client": client,
            "method": method,
            "path": _pattern(request),
            "protocol": version,
            "status": response.status,
            "bytes": size,
            "seconds": round(seconds, 3),
            "user_agent": agent,
        }
        return json.dumps(document)
    quoted = json.dumps(agent or "-")  # quotes, backslashes and all beyond ASCII escaped: no line can be forged
    day = f"{began:%d}/{_MONTHS[began.month - 1]}/{began:%Y:%H:%M:%S} +0000"
    return f'{client} - - [{day}] "{method} {_pattern(request)} {version}" {response.status} {size or "-"} "-" {quoted}'


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _pattern(request: BaseRequest) -> str:
    route = getattr(getattr(request, "_match_info", None), "route", None)
    resource = getattr(route, "resource", None)
    return "/-" if resource is None else str(resource.canonical)


class AccessLog(logging.Logger):
    """Writes lines in a thread, and logs a failure once.

    A file is reopened when another has its name (rotation by renaming), and is only appended to (``copytruncate``): no signal is needed.

    Args:
        path: of the file; None writes to stdout.
        form: Combined Log Format, or a JSON object a line.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path | None, form: Form = "combined") -> None:
        super().__init__("contact-streams-access", logging.INFO)
        self.form = form
        writer = logging.StreamHandler(sys.stdout) if path is None else _File(path)
        waiting: queue.Queue[logging.LogRecord] = queue.Queue(_MOST_WAITING)
        self._handler = _Waiting(waiting)
        self.addHandler(self._handler)
        self._listener = logging.handlers.QueueListener(waiting, writer)
        self._listener.start()
        self._writer = writer

    @property
    def left_out(self) -> int:
        """Lines dropped because the disk was too slow or full."""
        return self._handler.left_out + (self._writer.left_out if isinstance(self._writer, _File) else 0)

    def close(self) -> None:
        """Write the waiting lines, and stop."""
        self._listener.stop()
        self._writer.close()


class Requests(AbstractAccessLogger):
    """Passes each request to an ``AccessLog``."""

    def log(self, request: BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line of a request that took ``time`` seconds."""
        if isinstance(self.logger, AccessLog):
            self.logger.info("%s", line_of(request, response, time, self.logger.form, _now()))


def _now() -> float:
    return time.time()


class _Waiting(logging.handlers.QueueHandler):
    left_out = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - of logging
        """Drop and count a line that the queue has no room for."""
        self.left_out += 1


class _File(logging.handlers.WatchedFileHandler):
    left_out = 0
    _failing = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="a", encoding="ascii")

    def _open(self) -> TextIOWrapper:
        def private(name: str, flags: int) -> int:
            return os.open(name, flags, _MODE)

        return cast("TextIOWrapper", open(self.baseFilename, self.mode, encoding=self.encoding, opener=private))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.reopenIfNeeded()
            line = (self.format(record) + "\n").encode("ascii", "backslashreplace")
            # Unbuffered: lines that a full disk refuses must not pile up.
            if os.write(cast("TextIOWrapper", self.stream).fileno(), line) < len(line):
                self.left_out += 1
        except (OSError, ValueError) as error:
            self.left_out += 1
            if not self._failing:
                _log.warning("The access log cannot be written; lines are dropped. file=%s reason=%s", self.baseFilename, error)
            self._failing = True
        else:
            self._failing = False
