"""Which keys links make one customer: union and find, decided in one place and in one order (``docs/counting.md`` section 16.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.limits import MAX_JOINED_KEYS
from streams.tracking.parts import Parts
from streams.windows.customer_merge import RETENTION_SLACK_DAYS
from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.configuration import Configuration
    from streams.tracking.parts import Part

__all__ = ["LinkTracker", "over_before_ms"]

#: How many families a flush looks at, to dissolve the silent.
_SWEPT = 64


def over_before_ms(configuration: Configuration, through_ms: int) -> int:
    """Return the instant after which a customer who is not to be forgotten must have a fact."""
    customers = configuration.customers
    return through_ms - (customers.retention_days + customers.repeat_days + RETENTION_SLACK_DAYS + 2) * DAY_MS


class _Family:
    """Keys that links join. The first in order is its root."""

    __slots__ = ("keys", "last_seen_ms", "links", "reports")

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = set(keys)
        #: (told under, to) → the earliest
        self.links: dict[tuple[str, str], int] = {}
        self.last_seen_ms = 0
        #: key → when its last fact came, as its partition reported, None for never, and whether it is active
        self.reports: dict[str, tuple[int | None, bool]] = {}

    def take_in(self, other: _Family) -> None:
        self.keys |= other.keys
        self.links |= other.links
        self.reports |= other.reports
        self.last_seen_ms = max(self.last_seen_ms, other.last_seen_ms)

    def last_ms(self) -> int:
        """Return the latest instant at which something may have been heard: reports may be up to a day old."""
        return max(self.last_seen_ms, *(at for at, _ in self.reports.values() if at is not None), 0) + DAY_MS

    def is_over(self, before_ms: int) -> bool:
        return self.last_ms() < before_ms and self.keys == self.reports.keys() and not any(active for _, active in self.reports.values())

    def fact(self, *, gone: bool = False) -> dict[str, Any]:
        links = sorted([at, key, other] for (key, other), at in self.links.items())
        told: dict[str, Any] = {"kind": "family", "keys": sorted(self.keys), "links": links, "heard_ms": self.last_seen_ms}
        return {**told, "links": [], "heard_ms": self.last_ms(), "gone": True} if gone else told


class LinkTracker:
    """Takes links, and what the partitions of customers report of linked keys; says who is one family."""

    def __init__(self, configuration: Configuration, contact_parts: Iterable[Part]) -> None:
        self._configuration = configuration
        self.parts = Parts(contact_parts)
        #: key → its family
        self.families: dict[str, _Family] = {}
        #: links passed over since this was last set back, for they would join too many keys
        self.refused = 0
        self._changed: set[str] = set()
        self._rows: set[str] = set()
        self._dissolved: list[dict[str, Any]] = []
        self._round: list[str] = []

    def apply(self, fact: dict[str, Any]) -> None:
        """Take a record of customer-links."""
        kind, key = fact["kind"], fact.get("customer_key", "")
        if kind == "progress":
            self.parts.take(fact)
        elif kind == "link":
            if fact["linked_key"] != key:
                self._link(key, fact["linked_key"], fact["at_ms"])
        else:
            self._dissolve_if_over(key)
            family = self.families.get(key)
            if family is not None:
                family.reports[key] = (fact["at_ms"], fact["active"])
                self._rows.add(min(family.keys))

    def _link(self, key: str, other: str, at_ms: int) -> None:
        self._dissolve_if_over(key)
        self._dissolve_if_over(other)
        one, two = (self.families.get(each) or _Family([each]) for each in (key, other))
        if one is not two and key not in two.keys:
            if len(one.keys) + len(two.keys) > MAX_JOINED_KEYS:
                self.refused += 1
                return
            for family in (one, two):
                self._changed.discard(min(family.keys))
                self._rows.add(min(family.keys))
            one.take_in(two)
            self.families.update(dict.fromkeys(one.keys, one))
        one.links[key, other] = min(at_ms, one.links.get((key, other), at_ms))
        one.last_seen_ms = max(one.last_seen_ms, at_ms)
        self._changed.add(min(one.keys))
        self._rows.add(min(one.keys))

    def _dissolve_if_over(self, key: str) -> None:
        family, through = self.families.get(key), self.parts.through_ms()
        if family is None or through is None or not family.is_over(over_before_ms(self._configuration, through)):
            return
        root = min(family.keys)
        self._changed.discard(root)
        self._rows.add(root)
        self._dissolved.append(family.fact(gone=True))
        for each in family.keys:
            del self.families[each]

    def flush(self) -> None:
        """Dissolve families of whom nothing is heard any more; each flush looks at others."""
        if not self._round:
            self._round = list(self.families)
        self._round, looked_at = self._round[:-_SWEPT], self._round[-_SWEPT:]
        for key in looked_at:
            self._dissolve_if_over(key)

    def outgoing(self) -> Iterator[dict[str, Any]]:
        """Yield what the partitions of customers are to know of families since the last call, in order."""
        dissolved, self._dissolved = self._dissolved, []
        changed, self._changed = self._changed, set()
        yield from dissolved
        for root in sorted(changed):
            yield self.families[root].fact()

    # --- rows

    def changed_rows(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield root and row of the families changed since the last call, None where there is none any more."""
        changed, self._rows = self._rows, set()
        for root in sorted(changed):
            family = self.families.get(root)
            if family is None or min(family.keys) != root:
                yield root, None
            else:
                reports = {key: [at, active] for key, (at, active) in sorted(family.reports.items())}
                yield root, {**family.fact(), "reports": reports}

    def restore_row(self, row: dict[str, Any]) -> None:
        """Take a kept family back in."""
        family = _Family(row["keys"])
        family.links = {(key, other): at for at, key, other in row["links"]}
        family.last_seen_ms = row["heard_ms"]
        family.reports = {key: (at, active) for key, (at, active) in row["reports"].items()}
        self.families.update(dict.fromkeys(family.keys, family))
