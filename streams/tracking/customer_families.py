"""Families of keys that are one customer, in one partition of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.tracking.customer_spans import Links

__all__ = ["Families", "Family"]


class Family:
    """Keys that links ever join; the customer is counted at the home of the first key."""

    __slots__ = ("keys", "last_seen_ms", "links", "reported", "root")

    def __init__(self, keys: Iterable[str], links: Links, last_seen_ms: int) -> None:
        self.keys = tuple(sorted(keys))
        self.root = self.keys[0]
        self.links = links
        #: instant of the last link
        self.last_seen_ms = last_seen_ms
        #: key at home here → (instant of its last fact, is active), as last reported
        self.reported: dict[str, tuple[int | None, bool]] = {}


class Families:
    """The families with a key at home here, and their changes."""

    def __init__(self) -> None:
        self._of: dict[str, Family] = {}
        self._changed: set[str] = set()

    def get(self, key: str) -> Family | None:
        """Return the family of a key; None for a key of its own."""
        return self._of.get(key)

    def __contains__(self, key: str) -> bool:
        return key in self._of

    def roots(self) -> Iterator[str]:
        """Yield the first key of each family."""
        for key, family in self._of.items():
            if key == family.root:
                yield key

    def replace(self, family: Family, *, gone: bool) -> None:
        """Replace the families of its keys by a family, without reports yet; by none if it is ``gone``."""
        for key in family.keys:
            before = self._of.pop(key, None)
            if before is not None:
                self._changed.add(before.root)
        self._changed.add(family.root)
        if not gone:
            self._of.update(dict.fromkeys(family.keys, family))

    def is_news(self, key: str, last_ms: int | None, active: bool) -> bool:
        """Return whether a change of a key needs a report, and record it; a later instant does once a day."""
        family = self._of[key]
        before = family.reported.get(key)
        if before is not None and before[1] == active and (last_ms is None or (before[0] is not None and last_ms < before[0] + DAY_MS)):
            return False
        family.reported[key] = (last_ms, active)
        self._changed.add(family.root)
        return True

    def changed_rows(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield root and row of families changed since the last call, None for removed ones."""
        changed, self._changed = self._changed, set()
        for root in sorted(changed):
            family = self._of.get(root)
            if family is None or family.root != root:
                yield root, None
            else:
                reported = {key: [at, active] for key, (at, active) in sorted(family.reported.items())}
                yield root, {"keys": family.keys, "links": family.links, "heard_ms": family.last_seen_ms, "reported": reported}

    def restore_row(self, row: dict[str, Any]) -> None:
        """Restore a family."""
        family = Family(row["keys"], [(at, key, other) for at, key, other in row["links"]], row["heard_ms"])
        family.reported = {key: (at, active) for key, (at, active) in row["reported"].items()}
        self._of.update(dict.fromkeys(family.keys, family))
