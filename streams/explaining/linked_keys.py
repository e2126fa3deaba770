"""Find the keys of one customer by the links that sources have sent; no broker, no clock.

A family has at most as many keys as in counting (``docs/counting.md`` section 16.1); the earliest links build it.
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

#: Links remembered; beyond that the first received are evicted.
_MOST_LINKS = 100_000
_KIND = b"customer.linked"


class LinkedKeys:
    """Reads the topic of customer events; ignores all but links."""

    def __init__(self, _: Configuration) -> None:
        #: both keys, in order → when the link first occurred, and was last received
        self._links: dict[tuple[str, str], tuple[int, int]] = {}
        self._joined: Mapping[str, str] | None = None
        #: The newest instant at which a link was received; None before that.
        self.received_ms: int | None = None
        self.rejected = 0

    def take(self, value: bytes | None, published_ms: int) -> None:
        """Take one record."""
        # Without an escape the kind is in the bytes as it is; the few records with one are all decoded.
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
        at, last_seen_ms = self._links.get(pair, (event.occurred_ms, 0))
        if pair not in self._links and len(self._links) >= _MOST_LINKS:
            del self._links[next(iter(self._links))]
        self._links[pair] = min(at, event.occurred_ms), max(last_seen_ms, event.received_ms)
        self._joined = None

    def forget(self, age_ms: int) -> None:
        """Evict links that were last received this long before the newest."""
        before_ms = (self.received_ms or 0) - age_ms
        expired = [pair for pair, (_, last_seen_ms) in self._links.items() if last_seen_ms < before_ms]
        for pair in expired:
            del self._links[pair]
            self._joined = None

    def joined(self) -> Mapping[str, str]:
        """Return for each linked key the smallest of its customer's keys; the order in which links arrive does not matter."""
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
