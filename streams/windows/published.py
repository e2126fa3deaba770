"""What was published last under each key: it decides whether a record is news, and which revision it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Raw, Struct
from msgspec.json import Decoder, Encoder, decode

from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from streams.windows.scope_keys import ScopeKey

__all__ = ["Published"]

_CONTENT_APART = ("as_of", "complete_through", "revision", "longest_wait_seconds", "backlog_oldest_seconds")
#: A trailing window in which nothing changes moves on without a word.
_TRAILING_APART = (*_CONTENT_APART, "window_start", "window_end")
_PROGRESS_APART = ("revision",)
_DIGEST_BYTES = 8
#: Keys of windows that end with their start: there are ever more of them, until they are given up.
_DATED = ("window|interval", "window|day")

# Sorted: what comes back from the topic may have been written in another order.
_encode = Encoder(order="sorted").encode


class _Current(NamedTuple):
    """What was published last: content is without its parts apart and the last brace; empty: whatever comes is news."""

    revision: int
    as_of: str
    content: bytes


class _Judged(Struct):
    """What rules look at in a window's content."""

    kpis: dict[str, Raw] = {}
    definitions: dict[str, str] = {}


_judged: Final = Decoder(_Judged).decode


class Published:
    """Records of what is current; of intervals and days, kept for days, no more than the revision and a digest of the content."""

    def __init__(self) -> None:
        self._current: dict[str, _Current] = {}
        #: the content that a rule looked at last, and what was found in it
        self._looked_at: tuple[bytes, _Judged] = b"", _Judged()
        #: key without the start → start → revision and digest, packed: there are thousands a day
        self._dated: dict[str, dict[int, bytes]] = {}
        #: scopes and channels of which the last interval, or day, was given up since the last look
        self.emptied: set[ScopeKey] = set()

    def restore(self, key: str, record: dict[str, Any]) -> None:
        """Take a record that was published earlier."""
        content, _ = _taken_apart(record)
        if key.startswith(_DATED):
            window, start = _parts(key)
            self._dated.setdefault(window, {})[start] = _kept(record["revision"], _digest(content))
        else:
            self._current[key] = _Current(record["revision"], record.get("as_of") or "", content)

    def revise(self, key: str, record: dict[str, Any]) -> bytes | None:
        """Return a record with its revision as JSON if it is news, and it is the last published; None if it is none."""
        content, apart = _taken_apart(record)
        revision = self.revise_dated(*_parts(key), content) if key.startswith(_DATED) else self.revise_current(key, content, record)
        if revision is None:
            return None
        apart["revision"] = revision
        # Encoded once: what is apart follows the content.
        return b"%b,%b" % (content, _encode(apart)[1:])

    def revise_current(self, key: str, content: bytes, record: Mapping[str, Any]) -> int | None:
        """Take what a record of a trailing window, or of now, says; return its revision if that is news."""
        last = self._current.get(key)
        if last is None:
            revision = 1
        elif last.content == content:
            return None
        else:
            revision = last.revision + 1
        self._current[key] = _Current(revision, record.get("as_of") or "", content)
        return revision

    def revise_dated(self, window: str, start_ms: int, content: bytes) -> int | None:
        """Take what a record of an interval or day says, by its key without the start; return its revision if that is news."""
        digest = _digest(content)
        starts = self._dated.get(window)
        if starts is None:
            starts = self._dated[window] = {}
        kept = starts.get(start_ms, b"")
        if digest == kept[-_DIGEST_BYTES:]:
            return None
        revision = int.from_bytes(kept[:-_DIGEST_BYTES]) + 1
        starts[start_ms] = _kept(revision, digest)
        return revision

    def set_back(self, as_of_ms: int, *, again: bool) -> Iterator[str]:
        """Yield the keys of intervals and days that have not begun yet at as-of: an older version let them begin.

        What says that it is of a later as-of is news when it is next told; with ``again`` so is every interval and day.
        """
        as_of = format_ms(as_of_ms)
        for key, last in self._current.items():
            if last.as_of > as_of:
                self._current[key] = last._replace(content=b"")
        for window, kept in list(self._dated.items()):
            for start in [start for start in kept if start > as_of_ms]:
                del kept[start]
                yield f"{window}|{start}"
            if again:
                self._dated[window] = {start: packed[:-_DIGEST_BYTES] + bytes(_DIGEST_BYTES) for start, packed in kept.items()}

    def figure(self, key: str, kpi: str) -> tuple[dict[str, Any], str | None]:
        """Return a figure of a current window and what it is judged by; nothing if it was never published."""
        last = self._current.get(key)
        if last is None or not last.content:
            return {}, None
        content, judged = self._looked_at
        if content is not last.content:
            judged = _judged(last.content + b"}")
            self._looked_at = last.content, judged
        figure = judged.kpis.get(kpi)
        return {} if figure is None else decode(figure), judged.definitions.get(kpi)

    def give_up(self, before_ms: int) -> Iterator[str]:
        """Forget the intervals and days that began before an instant, and yield their keys."""
        for window, kept in list(self._dated.items()):
            for start in [start for start in kept if start < before_ms]:
                del kept[start]
                yield f"{window}|{start}"
            if not kept:
                del self._dated[window]
                place = _place(window)
                if place is not None:
                    self.emptied.add(place)

    def places(self) -> set[ScopeKey]:
        """Return the scopes and channels of which something is published as current."""
        return {place for key in self._current if (place := _place(key)) is not None}

    def without_dated(self, places: Iterable[ScopeKey]) -> set[ScopeKey]:
        """Return those of some scopes and channels of which no interval or day is published."""
        return set(places).difference(map(_place, self._dated))

    def forget(self, places: Collection[ScopeKey]) -> Iterator[str]:
        """Forget what was published as current of some scopes and channels, and yield its keys."""
        for key in [key for key in self._current if _place(key) in places]:
            del self._current[key]
            yield key

    def __len__(self) -> int:
        return len(self._current) + sum(map(len, self._dated.values()))


def _place(key: str) -> ScopeKey | None:
    """Return the scope and channel of a key, of an interval or day without the start; None if it is of neither."""
    kind, _, rest = key.partition("|")
    if kind == "window":
        _, _, rest = rest.partition("|")
    elif kind != "now":
        return None
    channel, _, scope = rest.partition("|")
    return scope, None if channel == "-" else channel


def _parts(key: str) -> tuple[str, int]:
    window, _, start = key.rpartition("|")
    return window, int(start)


def _taken_apart(record: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the content of a record as JSON, never without any, without its last brace, and the parts that are no content.

    Of a progress, how far it has come is all there is.
    """
    if record["kind"] == "progress":
        names: tuple[str, ...] = _PROGRESS_APART
    else:
        names = _TRAILING_APART if record.get("window", "").startswith("trailing") else _CONTENT_APART
    content = record.copy()
    apart = {name: content.pop(name) for name in names if name in content}
    return _encode(content)[:-1], apart


def _kept(revision: int, digest: bytes) -> bytes:
    return revision.to_bytes((revision.bit_length() + 7) // 8) + digest


def _digest(content: bytes) -> bytes:
    # Kept by this process alone, and no secret: Python's own hash takes a fraction of a cryptographic one.
    return hash(content).to_bytes(_DIGEST_BYTES, signed=True)
