"""The open calls of one Asterisk by its log: those that end with it, and the call that a line of a member belongs to."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["Call", "OpenCalls"]

#: Beyond what any Asterisk has at a time, and beyond any call: such a call has lost its end.
_MAX_CALLS: Final = 10_000
_MAX_AGE_MS: Final = 24 * 3_600_000
_MAX_MEMBERS: Final = 2_000


@dataclass(slots=True)
class Call:
    """A call in a queue, or with a member."""

    since_ms: int
    queue: str | None = None
    #: The member who answered it; None while it waits.
    member: str | None = None
    #: Whether it waits, or is answered, as far as is known.
    waits: bool = True


class OpenCalls:
    """Open calls by id, the one that changed last at the end, and the last call of each member."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._latest: OrderedDict[str, str] = OrderedDict()

    def state(self) -> dict[str, Any]:
        """Return everything known, as JSON."""
        return {"open": {call: asdict(entry) for call, entry in self._calls.items()}, "latest": dict(self._latest)}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what ``state`` returned."""
        self._calls = OrderedDict((call, Call(**entry)) for call, entry in state.get("open", {}).items())
        self._latest = OrderedDict(state.get("latest", {}))

    def record_queued(self, call: str, queue: str | None, at_ms: int) -> None:
        """Record that a call waits."""
        self._record(call, Call(at_ms, queue))

    def record_answered(self, call: str, queue: str | None, member: str | None, at_ms: int) -> None:
        """Record that a member has a call."""
        self._record(call, Call(at_ms, queue, member, waits=False))
        if member is not None:
            self._latest[member] = call
            self._latest.move_to_end(member)
            if len(self._latest) > _MAX_MEMBERS:
                self._latest.popitem(last=False)

    def close(self, call: str) -> Call | None:
        """Forget a call that left its queue, ended or was transferred; return it if it was known."""
        return self._calls.pop(call, None)

    def waiting_call(self, call: str) -> Call | None:
        """Return a call that is known to wait without an answer so far."""
        call_entry = self._calls.get(call)
        return call_entry if call_entry is not None and call_entry.waits else None

    def latest_of(self, member: str) -> str | None:
        """Return the call that a member had last."""
        return self._latest.get(member)

    def take_all(self) -> list[str]:
        """Forget all open calls; return their ids."""
        calls = list(self._calls)
        self._calls.clear()
        return calls

    def _record(self, call: str, entry: Call) -> None:
        self._calls[call] = entry
        self._calls.move_to_end(call)
        while len(self._calls) > _MAX_CALLS or next(iter(self._calls.values())).since_ms < entry.since_ms - _MAX_AGE_MS:
            self._calls.popitem(last=False)
