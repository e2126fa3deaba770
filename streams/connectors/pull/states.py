"""What was last seen of a platform's records, by key: packed in memory, with what changed since the last transaction told apart."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Final, NamedTuple

import orjson

from schemas.connector_state import SeenRecord
from streams.connectors.kit.model import Seen, UnusableError

__all__ = ["Change", "States"]

_DAY_MS: Final = 86_400_000

#: What a connector keeps of a record is ids, times and states; more than this is none of it.
_MAX_SEEN_BYTES: Final = 64 * 1024
_MAX_KEY_CHARACTERS: Final = 300

#: So many are forgotten in one transaction at most.
_FORGOTTEN_AT_A_TIME: Final = 1_000


class Change(NamedTuple):
    """What a transaction writes of a key; without a value it is forgotten."""

    key: str
    value: bytes | None


class _Kept(NamedTuple):
    seen: bytes
    touched_ms: int


def _packed(seen: Seen) -> bytes:
    """Return the JSON, in a copy: what orjson returns holds on to the kilobytes that it was written in."""
    return bytes(memoryview(orjson.dumps(seen)))


class States(MutableMapping[str, Seen]):
    """A mapping that `translate` reads and changes. Changes are provisional until ``keep``, and gone with ``drop``.

    A hundred thousand tickets take about 30 MB.

    Args:
        source: whose records these are.
        remembered_days: how long a key is kept that nothing comes of.
    """

    def __init__(self, source: str, remembered_days: int) -> None:
        self._source = source
        self._remembered_ms = remembered_days * _DAY_MS
        self._kept: dict[str, _Kept] = {}
        self._changed: dict[str, _Kept | None] = {}
        self._now_ms = 0
        self._looked_ms = 0

    def restore(self, record: SeenRecord) -> None:
        """Take what was kept by an earlier process."""
        self._kept[record.key] = _Kept(_packed(record.seen), record.touched_ms)

    def forget(self, key: str) -> None:
        """Take note that an earlier process forgot a key."""
        self._kept.pop(key, None)

    def begin(self, now_ms: int) -> None:
        """Begin with a page; what is not told of any more is forgotten with it."""
        self._now_ms = now_ms
        if now_ms - self._looked_ms < _DAY_MS // 24:
            return
        old = [key for key, kept in self._kept.items() if kept.touched_ms < now_ms - self._remembered_ms]
        self._changed.update(dict.fromkeys(old[:_FORGOTTEN_AT_A_TIME]))
        if len(old) <= _FORGOTTEN_AT_A_TIME:
            self._looked_ms = now_ms

    def changes(self) -> Iterator[Change]:
        """Yield what the transaction has to write."""
        for key, kept in self._changed.items():
            if kept is None:
                yield Change(key, None)
            else:
                record = SeenRecord(source=self._source, key=key, seen=orjson.loads(kept.seen), touched_ms=kept.touched_ms)
                yield Change(key, orjson.dumps(record.model_dump()))

    def keep(self) -> None:
        """Take the changes as done."""
        for key, kept in self._changed.items():
            if kept is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = kept
        self._changed.clear()

    def drop(self) -> None:
        """Take the changes back."""
        self._changed.clear()

    def __getitem__(self, key: str) -> Seen:
        if len(key) > _MAX_KEY_CHARACTERS:
            raise UnusableError("not_permitted", f"an id of more than {_MAX_KEY_CHARACTERS} characters")
        kept = self._changed[key] if key in self._changed else self._kept[key]
        if kept is None:
            raise KeyError(key)
        seen: Seen = orjson.loads(kept.seen)
        return seen

    def __setitem__(self, key: str, seen: Seen) -> None:
        packed = _packed(seen)
        if len(packed) > _MAX_SEEN_BYTES:
            raise UnusableError("not_permitted", f"more than {_MAX_SEEN_BYTES} bytes to keep of one record")
        kept = self._kept.get(key)
        touched_ms = self._now_ms - self._now_ms % _DAY_MS
        if kept is not None and kept.seen == packed and kept.touched_ms >= touched_ms:
            # As before, and of today: nothing to write.
            self._changed.pop(key, None)
        else:
            self._changed[key] = _Kept(packed, touched_ms)

    def __delitem__(self, key: str) -> None:
        if key in self._kept:
            self._changed[key] = None
        else:
            del self._changed[key]

    def __iter__(self) -> Iterator[str]:
        return iter({*self._kept, *self._changed} - {key for key, kept in self._changed.items() if kept is None})

    def __len__(self) -> int:
        return len(self._kept)
