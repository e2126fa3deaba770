"""What customer and agents wrote, read back from a list of all that was said: section 11 of ``docs/counting.md``, without the pipeline."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from schemas.contact import ContactMessage

__all__ = ["Correspondence", "is_customers", "is_reply"]


def is_reply(message: ContactMessage) -> bool:
    """Say whether an agent wrote it, and to the customer."""
    return message.author_kind == "agent" and message.public is not False and message.automatic is not True


def is_customers(message: ContactMessage) -> bool:
    """Say whether the customer wrote it, and not a machine."""
    return message.author_kind == "customer" and message.public is not False and message.automatic is not True


class _Said(NamedTuple):
    """One thing that happened: the customer's ``words``, a ``reply``, ``settled``, or the ``turn`` is the customer's."""

    what: str
    at: int
    agent: str | None = None


class Correspondence:
    """Everything that was said in a conversation; each question is answered by reading all of it."""

    def __init__(self) -> None:
        self.said: list[_Said] = []
        self.arrived = False
        self.thanks: list[bool | None] = []
        """Of each of the customer's messages, whether there are thanks in it, if anybody looked."""
        self.trips: list[int] = []
        self.trips_told = 0
        self.texts_told: set[str] = set()

    # ---- what happens

    def hear(self, at: int) -> None:
        """The customer says something."""
        self.said.append(_Said("words", at))

    def read(self, at: int, thanks: bool | None) -> None:
        """The customer writes."""
        self.hear(at)
        self.thanks.append(thanks)

    def settle(self, at: int) -> None:
        """Nothing is waited for any more."""
        self.said.append(_Said("settled", at))

    def turn_to_customer(self, at: int) -> None:
        """It is the customer's turn, somebody says."""
        self.said.append(_Said("turn", at))

    def reply(self, at: int, agent: str | None) -> tuple[int | None, list[str]]:
        """An agent replies: return when the words began that this answers, if it does, and what it counts for."""
        begun = self._stretch()
        after = self._replies_to_last_words()
        self.said.append(_Said("reply", at, agent))
        counts = ["replies"] if agent is None else ["replies", "replies_named"]
        if begun is not None:
            self.trips.append(at)
            counts.append("response_count")
        elif not after:
            counts = []
        elif _is_other(after[-1], agent) and not any(_is_other(*each) for each in pairwise(after)):
            counts.append("duplicate_replies")
        return begun, counts

    # ---- what it comes to

    @property
    def known(self) -> bool:
        """Whether any message was told of."""
        return self.replied or bool(self.thanks)

    @property
    def replied(self) -> bool:
        """Whether an agent ever replied."""
        return any(each.what == "reply" for each in self.said)

    def is_settled(self) -> bool:
        """Say whether it was settled since the customer's last words."""
        return any(each.what == "settled" for each in self._since("words"))

    def waits_since(self) -> int | None:
        """Return since when the customer waits for a reply."""
        return next((each.at for each in self._since("reply", "settled", "turn") if each.what == "words"), None)

    def trips_since_last_asked(self) -> int:
        """Return the round trips since this was last asked."""
        before, self.trips_told = self.trips_told, len(self.trips)
        return self.trips_told - before

    def new_texts(self) -> list[str]:
        """Return what holds of the customer's texts, each once."""
        holds = {"texts": bool(self.thanks), "texts_looked": self.thanks != [None] * len(self.thanks), "thanked": True in self.thanks}
        new = [name for name, it_does in holds.items() if it_does and name not in self.texts_told]
        self.texts_told.update(new)
        return new

    def _since(self, *kinds: str) -> list[_Said]:
        """Return what was said after the last of some kinds."""
        ends = [number for number, each in enumerate(self.said, start=1) if each.what in kinds]
        return self.said[max(ends, default=0) :]

    def _stretch(self) -> int | None:
        """Return when the words began that nobody has answered: those after the last settling that words came after."""
        begun, is_over = None, False
        for each in self._since("reply"):
            if each.what == "settled":
                is_over = True
            elif each.what == "words" and (begun is None or is_over):
                begun, is_over = each.at, False
        return begun

    def _replies_to_last_words(self) -> list[str | None]:
        """Return who replied since the customer's last words, if there were any."""
        if not any(each.what == "words" for each in self.said):
            return []
        return [each.agent for each in self._since("words") if each.what == "reply"]


def _is_other(before: str | None, agent: str | None) -> bool:
    return before is not None and agent is not None and before != agent
