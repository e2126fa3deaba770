"""Long lists in pages, in the order of keys: an entry present throughout appears once, whatever changes between two pages."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_LIMIT", "Paging", "cursor_of", "number_of"]

#: The largest page.
MAX_LIMIT = 10_000


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


_E = TypeVar("_E", bound=_Keyed)


@dataclass(frozen=True, slots=True)
class Paging:
    """The requested part of a list: ``limit`` entries behind a key; all by default."""

    limit: int | None = None
    after: str | None = None

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> Paging:
        """Return the paging of the parameters ``limit`` and ``cursor``; raise ValueError, which states what is permitted."""
        limit, cursor = query.get("limit"), query.get("cursor")
        number = None if limit is None else number_of(limit, 1, MAX_LIMIT)
        if limit is not None and number is None:
            raise ValueError(f"limit {limit[:20]!r}; permitted: 1 to {MAX_LIMIT}")
        return cls(number, None if cursor is None else _key_of(cursor))

    def of(self, entries: list[_E]) -> tuple[list[_E], str | None]:
        """Return the page of entries, which are in the order of their keys, and the next cursor; None on the last page."""
        begin = 0 if self.after is None else bisect_right(entries, self.after, key=lambda entry: entry.key)
        end = len(entries) if self.limit is None else begin + self.limit
        page = entries[begin:end]
        return page, cursor_of(page[-1].key) if page and end < len(entries) else None


def number_of(text: str, least: int, most: int) -> int | None:
    """Return an integer within bounds, None if the text is none. Its length is checked first: Python refuses thousands of digits."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if least <= number <= most else None


def cursor_of(key: str) -> str:
    """Return the cursor of the entries behind a key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _key_of(cursor: str) -> str:
    try:
        return base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error) as error:
        raise ValueError("cursor: take it as it is from the Link of the page before") from error
