"""Families of keys joined by links: union and find, in one place and one order (``docs/counting.md`` section 16.1)."""

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

#: Families checked at a flush, to dissolve silent ones.
_SWEPT = 64


def over_before_ms(configuration: Configuration, through_ms: int) -> int:
    """Return the instant before which a customer's last fact makes it expire."""
    customers = configuration.customers
    return through_ms - (customers.retention_days + customers.repeat_days + RETENTION_SLACK_DAYS + 2) * DAY_MS


class _Family:
    """Keys that links join. The first in order is its root."""

    __slots__ = ("keys", "last_seen_ms", "links", "reports")

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = set(keys)
        #: (key, linked key) → the earliest instant
        self.links: dict[tuple[str, str], int] = {}
        self.last_seen_ms = 0
        #: key → (instant of its last fact, None for none; is active), as its partition reported
        self.reports: dict[str, tuple[int | None, bool]] = {}

    def absorb(self, other: _Family) -> None:
        self.keys |= other.keys
        self.links |= other.links
        self.reports |= other.reports
        self.last_seen_ms = max(self.last_seen_ms, other.last_seen_ms)

    def last_ms(self) -> int:
        """Return the latest possible instant of a fact: reports may be up to a day old."""
        return max(self.last_seen_ms, *(at for at, _ in self.reports.values() if at is not None), 0) + DAY_MS

    def is_over(self, before_ms: int) -> bool:
        return self.last_ms() < before_ms and self.keys == self.reports.keys() and not any(active for _, active in self.reports.values())

    def fact(self, *, gone: bool = False) -> dict[str, Any]:
        links = sorted([at, key, other] for (key, other), at in self.links.items())
        family: dict[str, Any] = {"kind": "family", "keys": sorted(self.keys), "links": links, "heard_ms": self.last_seen_ms}
        return {**family, "links": [], "heard_ms": self.last_ms(), "gone": True} if gone else family


class LinkTracker:
    """Joins keys to families, from links and from reports of the partitions of customers."""

    def __init__(self, configuration: Configuration, contact_parts: Iterable[Part]) -> None:
        self._configuration = configuration
        self.parts = Parts(contact_parts)
        #: key → its family
        self.families: dict[str, _Family] = {}
        #: links refused since this was last reset: they would join too many keys
        self.refused = 0
        self._changed: set[str] = set()
        self._rows: set[str] = set()
        self._dissolved: list[dict[str, Any]] = []
        self._round: list[str] = []

    def apply(self, fact: dict[str, Any]) -> None:
        """Apply a record of customer-links."""
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
        one, two = (self.families.get(joined) or _Family([joined]) for joined in (key, other))
        if one is not two and key not in two.keys:
            if len(one.keys) + len(two.keys) > MAX_JOINED_KEYS:
                self.refused += 1
                return
            for family in (one, two):
                self._changed.discard(min(family.keys))
                self._rows.add(min(family.keys))
            one.absorb(two)
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
        for member in family.keys:
            del self.families[member]

    def flush(self) -> None:
        """Dissolve silent families; each flush checks others."""
        if not self._round:
            self._round = list(self.families)
        self._round, swept = self._round[:-_SWEPT], self._round[-_SWEPT:]
        for key in swept:
            self._dissolve_if_over(key)

    def outgoing(self) -> Iterator[dict[str, Any]]:
        """Yield changed families since the last call, in order, for the partitions of customers."""
        dissolved, self._dissolved = self._dissolved, []
        changed, self._changed = self._changed, set()
        yield from dissolved
        for root in sorted(changed):
            yield self.families[root].fact()

    # --- rows

    def changed_rows(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield root and row of families changed since the last call, None for removed ones."""
        changed, self._rows = self._rows, set()
        for root in sorted(changed):
            family = self.families.get(root)
            if family is None or min(family.keys) != root:
                yield root, None
            else:
                reports = {key: [at, active] for key, (at, active) in sorted(family.reports.items())}
                yield root, {**family.fact(), "reports": reports}

    def restore_row(self, row: dict[str, Any]) -> None:
        """Restore a family."""
        family = _Family(row["keys"])
        family.links = {(key, other): at for at, key, other in row["links"]}
        family.last_seen_ms = row["heard_ms"]
        family.reports = {key: (at, active) for key, (at, active) in row["reports"].items()}
        self.families.update(dict.fromkeys(family.keys, family))
