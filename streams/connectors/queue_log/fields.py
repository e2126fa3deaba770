"""Split a line of a queue_log into fields, and validate the content of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["NO_CALL", "BadLineError", "Fields", "name_of", "seconds", "state_name", "transfer_times"]

#: Texts in place of the id of a call.
NO_CALL: Final = frozenset({"", "NONE", "REALTIME", "MANAGER", "CLI"})

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_NOT_IN_STATE: Final = re.compile(r"[^\w]+")


class BadLineError(Exception):
    """A line is no event; carries reason and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Fields:
    """One line, split into fields."""

    at_ms: int
    call: str
    queue: str | None
    member: str | None
    kind: str
    parameters: list[str]


def name_of(text: str) -> str | None:
    """Return a name, None where the log has none."""
    return None if text in {"", "NONE"} else text


def state_name(text: str) -> str:
    """Return a pause reason as a state: lower case, joined by _; empty if there is none."""
    return _NOT_IN_STATE.sub("_", text.lower()).strip("_")


def seconds(parameters: list[str], index: int, what: str, *, per_second: int = 1) -> float | None:
    """Return a duration in seconds, None where the line has none; raise BadLineError for a negative one and for other text."""
    text = parameters[index] if index < len(parameters) else ""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise BadLineError("not_a_number", f"the {what} is no number")
    if text.startswith("-"):
        raise BadLineError("negative_duration", f"the {what} is negative")
    return float(text) / per_second


def transfer_times(kind: str, parameters: list[str]) -> None:
    """Reject negative times. How many parameters precede them differs by kind and by method."""
    before = 3 if kind == "ATTENDEDTRANSFER" and parameters[0] == "LINK" else 2
    seconds(parameters, before, "hold time")
    seconds(parameters, before + 1, "call time")
