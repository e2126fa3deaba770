"""Record repeated actions of a client once per interval, and count the repeats; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schemas.audit import ANYONE, NOTHING, AuditRecord
from streams.listening import client_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


__all__ = ["MANY_CLIENTS", "Repeats", "alike"]

#: Beyond this many clients at a time they are counted together: there may be as many as there are addresses.
_MOST: Final = 10_000

#: The reason of a record of many clients.
MANY_CLIENTS: Final = "many_clients"


def alike(record: AuditRecord) -> Hashable:
    """Return what equal records have in common; an IPv6 client has an entire network of addresses."""
    address = None if record.client_address is None else client_of(record.client_address)
    return record.action, record.outcome, record.actor, address, record.about, record.reason


@dataclass(slots=True)
class _Seen:
    until: float
    times: int = 0
    last: AuditRecord | None = None


class Repeats:
    """Records that were seen within ``seconds``; times are those of any monotonic clock."""

    def __init__(self, seconds: float, most: int = _MOST) -> None:
        self._seconds = seconds
        self._most = most
        #: In the order of begin, and so of end.
        self._seen: dict[Hashable, _Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def holds(self, record: AuditRecord, now: float) -> bool:
        """Return whether one like it was seen recently, and count it if so."""
        seen = self._seen.get(alike(record))
        if seen is None or now >= seen.until:
            return False
        seen.times += 1
        seen.last = record
        return True

    def remember(self, record: AuditRecord, now: float) -> None:
        """Remember the first of its kind; where there are too many, forget the oldest."""
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        key = alike(record)
        self._seen.pop(key, None)
        self._seen[key] = _Seen(now + self._seconds)

    def is_first(self, record: AuditRecord, now: float) -> bool:
        """Return whether none like it was seen recently, and remember or count it; beyond the limit all others count as one."""
        if len(self._seen) >= self._most and alike(record) not in self._seen:
            record = record.model_copy(update={"actor": ANYONE, "client_address": None, "about": NOTHING, "reason": MANY_CLIENTS})
        if self.holds(record, now):
            return False
        self.remember(record, now)
        return True

    def ended(self, now: float | None = None) -> Iterator[AuditRecord]:
        """Forget what has ended by ``now``, by default all, and yield the last record of each repeated one with the number of repeats."""
        while self._seen:
            key, seen = next(iter(self._seen.items()))
            if now is not None and now < seen.until:
                return
            del self._seen[key]
            if seen.last is not None:
                yield seen.last.model_copy(update={"times": seen.times})
