"""Which keys are one customer, as one partition of customers knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.windows.slices import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.tracking.customer_spans import Links

__all__ = ["Families", "Family"]


class Family:
    """Keys that links ever join; the customer is counted where the first of them is at home."""

    __slots__ = ("keys", "last_seen_ms", "links", "reported", "root")

    def __init__(self, keys: Iterable[str], links: Links, last_seen_ms: int) -> None:
        self.keys = tuple(sorted(keys))
        self.root = self.keys[0]
        self.links = links
        #: when the last of the links was told
        self.last_seen_ms = last_seen_ms
        #: key that is at home here → when its last fact came and whether it is active, as last reported
        self.reported: dict[str, tuple[int | None, bool]] = {}


class Families:
    """The families of which a key is at home here, or the first key of all; and what changes in them."""

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
        """Put a family in the place of those that its keys had; none if it is ``gone``. Nothing has been reported of it."""
        for key in family.keys:
            before = self._of.pop(key, None)
            if before is not None:
                self._changed.add(before.root)
        self._changed.add(family.root)
        if not gone:
            self._of.update(dict.fromkeys(family.keys, family))

    def is_news(self, key: str, last_ms: int | None, active: bool) -> bool:
        """Say whether news of a key is to be reported, and note it as reported; the passing of time is news once a day."""
        family = self._of[key]
        before = family.reported.get(key)
        if before is not None and before[1] == active and (last_ms is None or (before[0] is not None and last_ms < before[0] + DAY_MS)):
            return False
        family.reported[key] = (last_ms, active)
        self._changed.add(family.root)
        return True

    def changed_rows(self) -> Iterator[tuple[str, dict[str, Any] | None]]:
        """Yield root and row of the families changed since the last call, None where there is none any more."""
        changed, self._changed = self._changed, set()
        for root in sorted(changed):
            family = self._of.get(root)
            if family is None or family.root != root:
                yield root, None
            else:
                reported = {key: [at, active] for key, (at, active) in sorted(family.reported.items())}
                yield root, {"keys": family.keys, "links": family.links, "heard_ms": family.last_seen_ms, "reported": reported}

    def restore_row(self, row: dict[str, Any]) -> None:
        """Take a kept family back in."""
        family = Family(row["keys"], [(at, key, other) for at, key, other in row["links"]], row["heard_ms"])
        family.reported = {key: (at, active) for key, (at, active) in row["reported"].items()}
        self._of.update(dict.fromkeys(family.keys, family))
