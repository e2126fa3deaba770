"""The topic of actions in memory, for tests of what is kept there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.serving.alerting.action_log import encoded
from streams.serving.alerting.actions import Actions, key_of
from streams.serving.topic_writer import NotWrittenError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.alert_actions import ActionRecord

__all__ = ["MemoryActionLog", "known_actions"]


def known_actions() -> Actions:
    """Return a table that has read an empty topic."""
    actions = Actions()
    actions.take_over(Actions())
    return actions


class MemoryActionLog:
    """A topic that one server follows: what is written is read at once."""

    def __init__(self, actions: Actions) -> None:
        self.actions = actions
        self.fails = False
        #: All records, as they came: key and whether it was deleted.
        self.written: list[tuple[str, bool]] = []

    async def write(self, record: ActionRecord | None = None, *, without: Iterable[str] = ()) -> None:
        """Write a record and delete keys."""
        if self.fails or not self.actions.known:
            raise NotWrittenError
        for key in without:
            self.actions.feed(key.encode(), None)
            self.written.append((key, True))
        if record is not None:
            self.actions.feed(*encoded(record))
            self.written.append((key_of(record), False))
