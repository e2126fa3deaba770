"""What waits for somebody beyond the queues: callbacks still to be made, and the backlog of the reply channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Open", "Pending"]


class Open(NamedTuple):
    """What of one conversation is pending, and the group of its place."""

    group: int
    backlog: str | None
    start: int | None
    callback: bool
    due: int | None


class Pending:
    """The open matters of all conversations by group."""

    def __init__(self) -> None:
        self._open: dict[int, dict[str, Open]] = {}

    def note(self, name: str, before: Open | None, after: Open | None) -> None:
        """Replace what is known of a conversation."""
        if before is not None:
            del self._open[before.group][name]
        if after is not None:
            self._open.setdefault(after.group, {})[name] = after

    def figures(self, groups: Iterable[int]) -> dict[str, Any]:
        """Return what is pending in some groups together, as fields of a now record; nothing for nothing."""
        backlog: dict[str, int] = {}
        starts: list[int] = []
        due: list[int] = []
        callbacks = 0
        for group in groups:
            for each in self._open.get(group, {}).values():
                if each.backlog is not None:
                    backlog[each.backlog] = backlog.get(each.backlog, 0) + 1
                    if each.start is not None:
                        starts.append(each.start)
                if each.callback:
                    callbacks += 1
                    if each.due is not None:
                        due.append(each.due)
        found: dict[str, Any] = {}
        if backlog:
            found |= {"backlog": backlog, "backlog_oldest_ms": min(starts, default=None)}
        if callbacks:
            found |= {"callbacks_waiting": callbacks, "callback_due_ms": sorted(due)}
        return found
