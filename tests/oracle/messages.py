"""Messages of customer and agents, evaluated from a list of all of them: section 11 of ``docs/counting.md``, without the pipeline."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from schemas.contact import ContactMessage

__all__ = ["Correspondence", "is_customers", "is_reply"]


def is_reply(message: ContactMessage) -> bool:
    """Return whether an agent wrote it to the customer."""
    return message.author_kind == "agent" and message.public is not False and message.automatic is not True


def is_customers(message: ContactMessage) -> bool:
    """Return whether the customer wrote it, not a machine."""
    return message.author_kind == "customer" and message.public is not False and message.automatic is not True


class _Entry(NamedTuple):
    """A text of the ``customer``, a ``reply``, ``closed``, or a ``turn`` to the customer."""

    what: str
    at: int
    agent: str | None = None


class Correspondence:
    """All entries of a conversation; each method reads all of them."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.arrived = False
        self.thanks: list[bool | None] = []
        """Whether each customer message contains thanks; None if it was not examined."""
        self.trips: list[int] = []
        self.trips_returned = 0
        self.texts_returned: set[str] = set()

    # ---- entries

    def record_customer(self, at: int) -> None:
        """Record that the customer wrote."""
        self.entries.append(_Entry("customer", at))

    def record_message(self, at: int, thanks: bool | None) -> None:
        """Record a message of the customer."""
        self.record_customer(at)
        self.thanks.append(thanks)

    def close(self, at: int) -> None:
        """Record that no reply is due any more."""
        self.entries.append(_Entry("closed", at))

    def turn_to_customer(self, at: int) -> None:
        """Record that a status names the customer as next."""
        self.entries.append(_Entry("turn", at))

    def record_reply(self, at: int, agent: str | None) -> tuple[int | None, list[str]]:
        """Record a reply; return the start of the texts that it answers, if any, and what it counts for."""
        begun = self._stretch()
        after = self._replies_to_last_text()
        self.entries.append(_Entry("reply", at, agent))
        counts = ["replies"] if agent is None else ["replies", "replies_named"]
        if begun is not None:
            self.trips.append(at)
            counts.append("response_count")
        elif not after:
            counts = []
        elif _is_other(after[-1], agent) and not any(_is_other(*each) for each in pairwise(after)):
            counts.append("duplicate_replies")
        return begun, counts

    # ---- results

    @property
    def known(self) -> bool:
        """Whether any message was reported."""
        return self.replied or bool(self.thanks)

    @property
    def replied(self) -> bool:
        """Whether an agent ever replied."""
        return any(each.what == "reply" for each in self.entries)

    def is_closed(self) -> bool:
        """Return whether it was closed after the customer's last text."""
        return any(each.what == "closed" for each in self._since("customer"))

    def waits_since(self) -> int | None:
        """Return since when the customer has waited for a reply."""
        return next((each.at for each in self._since("reply", "closed", "turn") if each.what == "customer"), None)

    def new_trips(self) -> int:
        """Return the round trips since the last call."""
        before, self.trips_returned = self.trips_returned, len(self.trips)
        return self.trips_returned - before

    def new_texts(self) -> list[str]:
        """Return the properties of the customer's texts, each once."""
        holds = {"texts": bool(self.thanks), "texts_looked": self.thanks != [None] * len(self.thanks), "thanked": True in self.thanks}
        new = [name for name, applies in holds.items() if applies and name not in self.texts_returned]
        self.texts_returned.update(new)
        return new

    def _since(self, *kinds: str) -> list[_Entry]:
        """Return the entries after the last of some kinds."""
        ends = [number for number, each in enumerate(self.entries, start=1) if each.what in kinds]
        return self.entries[max(ends, default=0) :]

    def _stretch(self) -> int | None:
        """Return the start of the unanswered texts: of those after the last closing that has texts after it."""
        begun, is_over = None, False
        for each in self._since("reply"):
            if each.what == "closed":
                is_over = True
            elif each.what == "customer" and (begun is None or is_over):
                begun, is_over = each.at, False
        return begun

    def _replies_to_last_text(self) -> list[str | None]:
        """Return the agents who replied after the customer's last text, if there was one."""
        if not any(each.what == "customer" for each in self.entries):
            return []
        return [each.agent for each in self._since("customer") if each.what == "reply"]


def _is_other(before: str | None, agent: str | None) -> bool:
    return before is not None and agent is not None and before != agent
