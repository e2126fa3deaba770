"""Server-sent events from received bytes, and the messages in them."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ValidationError

from schemas.api import AlertsMessage, ChangeMessage, SnapshotMessage
from streams.client.errors import UnexpectedAnswerError

__all__ = ["MAX_EVENT_BYTES", "EventReader", "Message", "message_of"]

Message = SnapshotMessage | ChangeMessage | AlertsMessage

#: More than the snapshot of ten thousand queues.
MAX_EVENT_BYTES: Final = 256 * 1024 * 1024

_TYPES: Final[dict[str, type[BaseModel]]] = {"snapshot": SnapshotMessage, "change": ChangeMessage, "alerts": AlertsMessage}


class EventReader:
    """Joins chunks to events; an event longer than the limit raises UnexpectedAnswerError."""

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._begun: list[bytes] = []
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """Return the events that a chunk completes: their names and their data."""
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise UnexpectedAnswerError(f"an event has more than {self._max_bytes} bytes")
        *lines, tail = chunk.split(b"\n")
        events = []
        for part in lines:
            line = b"".join([*self._begun, part]).removesuffix(b"\r")
            self._begun.clear()
            if line:
                self._take(line)
                continue
            if self._data:
                events.append((self._event, b"\n".join(self._data)))
            self._event, self._data = "", []
            self._size = len(tail)
        if tail:
            self._begun.append(tail)
        return events

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")


def message_of(event: str, data: bytes) -> Message | None:
    """Return a message, None for an event of another name; raise UnexpectedAnswerError if its data is invalid."""
    model = _TYPES.get(event)
    if model is None:
        return None
    try:
        return model.model_validate_json(data)  # type: ignore[return-value]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnexpectedAnswerError(f"an event {event!r} does not fit this version: {where}: {first['msg']}") from None
