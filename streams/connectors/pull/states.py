"""The last state of a platform's records, by key: packed in memory, with the changes since the last transaction separate."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Final, NamedTuple

import orjson

from schemas.connector_state import SeenRecord
from streams.connectors.kit.model import Seen, UnusableError

__all__ = ["Change", "States"]

_DAY_MS: Final = 86_400_000

#: The state of a record is ids, times and statuses; more than this is an error.
_MAX_SEEN_BYTES: Final = 64 * 1024
_MAX_KEY_CHARACTERS: Final = 300

#: Keys that one transaction evicts at most.
_FORGOTTEN_AT_A_TIME: Final = 1_000


class Change(NamedTuple):
    """The row that a transaction writes for a key; one without a value deletes it."""

    key: str
    value: bytes | None


class _Stored(NamedTuple):
    seen: bytes
    touched_ms: int


def _packed(seen: Seen) -> bytes:
    """Return the JSON, in a copy: the result of orjson references its buffer of kilobytes."""
    return bytes(memoryview(orjson.dumps(seen)))


class States(MutableMapping[str, Seen]):
    """A mapping that `translate` reads and changes. Changes are provisional until ``commit``, and undone by ``roll_back``.

    A hundred thousand tickets take about 30 MB.

    Args:
        source: of the records.
        remembered_days: how long an unchanged key is retained.
    """

    def __init__(self, source: str, remembered_days: int) -> None:
        self._source = source
        self._remembered_ms = remembered_days * _DAY_MS
        self._stored: dict[str, _Stored] = {}
        self._changed: dict[str, _Stored | None] = {}
        self._now_ms = 0
        self._checked_ms = 0

    def restore(self, record: SeenRecord) -> None:
        """Restore a row of an earlier process."""
        self._stored[record.key] = _Stored(_packed(record.seen), record.touched_ms)

    def forget(self, key: str) -> None:
        """Drop a key that an earlier process deleted."""
        self._stored.pop(key, None)

    def begin(self, now_ms: int) -> None:
        """Begin a page; evict keys that are not reported any more."""
        self._now_ms = now_ms
        if now_ms - self._checked_ms < _DAY_MS // 24:
            return
        old = [key for key, stored in self._stored.items() if stored.touched_ms < now_ms - self._remembered_ms]
        self._changed.update(dict.fromkeys(old[:_FORGOTTEN_AT_A_TIME]))
        if len(old) <= _FORGOTTEN_AT_A_TIME:
            self._checked_ms = now_ms

    def changes(self) -> Iterator[Change]:
        """Yield the rows that the transaction has to write."""
        for key, stored in self._changed.items():
            if stored is None:
                yield Change(key, None)
            else:
                record = SeenRecord(source=self._source, key=key, seen=orjson.loads(stored.seen), touched_ms=stored.touched_ms)
                yield Change(key, orjson.dumps(record.model_dump()))

    def commit(self) -> None:
        """Make the changes final."""
        for key, stored in self._changed.items():
            if stored is None:
                self._stored.pop(key, None)
            else:
                self._stored[key] = stored
        self._changed.clear()

    def roll_back(self) -> None:
        """Undo the changes."""
        self._changed.clear()

    def __getitem__(self, key: str) -> Seen:
        if len(key) > _MAX_KEY_CHARACTERS:
            raise UnusableError("not_permitted", f"an id of more than {_MAX_KEY_CHARACTERS} characters")
        stored = self._changed[key] if key in self._changed else self._stored[key]
        if stored is None:
            raise KeyError(key)
        seen: Seen = orjson.loads(stored.seen)
        return seen

    def __setitem__(self, key: str, seen: Seen) -> None:
        packed = _packed(seen)
        if len(packed) > _MAX_SEEN_BYTES:
            raise UnusableError("not_permitted", f"more than {_MAX_SEEN_BYTES} bytes of state for one record")
        stored = self._stored.get(key)
        touched_ms = self._now_ms - self._now_ms % _DAY_MS
        if stored is not None and stored.seen == packed and stored.touched_ms >= touched_ms:
            # Unchanged, and of today: nothing to write.
            self._changed.pop(key, None)
        else:
            self._changed[key] = _Stored(packed, touched_ms)

    def __delitem__(self, key: str) -> None:
        if key in self._stored:
            self._changed[key] = None
        else:
            del self._changed[key]

    def __iter__(self) -> Iterator[str]:
        return iter({*self._stored, *self._changed} - {key for key, stored in self._changed.items() if stored is None})

    def __len__(self) -> int:
        removed = sum(stored is None for stored in self._changed.values())
        added = sum(key not in self._stored for key in self._changed)
        return len(self._stored) + added - removed
