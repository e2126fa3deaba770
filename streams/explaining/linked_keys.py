"""Which keys are one customer's, by the links that sources have told; no broker, no clock.

Families have as many keys at most as those that count (``docs/counting.md`` section 16.1), and the earliest links make them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.decoding import decode_customer_event
from schemas.limits import MAX_JOINED_KEYS
from schemas.structs import CustomerLinked
from streams.explaining.accepting import accepted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration import Configuration

__all__ = ["LinkedKeys"]

#: Links remembered; beyond that those that were told first are given up.
_MOST_LINKS = 100_000
_KIND = b"customer.linked"


class LinkedKeys:
    """Takes the records of the topic of customer events; all but links is passed over."""

    def __init__(self, _: Configuration) -> None:
        #: both keys, in order → when the link was told of first, and heard of last
        self._links: dict[tuple[str, str], tuple[int, int]] = {}
        self._joined: Mapping[str, str] | None = None
        #: The newest instant at which a link was received; None before that.
        self.received_ms: int | None = None
        self.rejected = 0

    def take(self, value: bytes | None, published_ms: int) -> None:
        """Take one record."""
        # A record in which no text is escaped names its kind as it is; of others, there are few, each is read.
        if value is None or (_KIND not in value and b"\\" not in value):
            return
        event = accepted(decode_customer_event, value, published_ms)
        if event is None:
            self.rejected += 1
            return
        if not isinstance(event, CustomerLinked) or event.customer_key == event.linked_key:
            return
        self.received_ms = max(self.received_ms or 0, event.received_ms)
        pair = min(event.customer_key, event.linked_key), max(event.customer_key, event.linked_key)
        at, heard = self._links.get(pair, (event.occurred_ms, 0))
        if pair not in self._links and len(self._links) >= _MOST_LINKS:
            del self._links[next(iter(self._links))]
        self._links[pair] = min(at, event.occurred_ms), max(heard, event.received_ms)
        self._joined = None

    def forget(self, age_ms: int) -> None:
        """Give up links that were heard of last so long before the newest."""
        before_ms = (self.received_ms or 0) - age_ms
        gone = [pair for pair, (_, heard) in self._links.items() if heard < before_ms]
        for pair in gone:
            del self._links[pair]
            self._joined = None

    def joined(self) -> Mapping[str, str]:
        """Return of each linked key the first, in order, of its customer's keys; whatever order links came in, it is the same."""
        if self._joined is None:
            families: dict[str, set[str]] = {}
            for one, other in sorted(self._links, key=lambda pair: (self._links[pair][0], pair)):
                mine, theirs = (families.get(key) or {key} for key in (one, other))
                if mine is theirs or len(mine) + len(theirs) > MAX_JOINED_KEYS:
                    continue
                mine |= theirs
                families.update(dict.fromkeys(mine, mine))
            first = {id(family): min(family) for family in families.values()}
            self._joined = {key: first[id(family)] for key, family in families.items()}
        return self._joined
