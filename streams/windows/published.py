"""What was published last under each key: it decides whether a record is published, and its revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import Raw, Struct
from msgspec.json import Decoder, Encoder, decode

from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from streams.windows.scope_keys import ScopeKey

__all__ = ["Published"]

_NOT_CONTENT = ("as_of", "complete_through", "revision", "longest_wait_seconds", "backlog_oldest_seconds")
#: A trailing window without changes moves on without a new revision.
_NOT_TRAILING_CONTENT = (*_NOT_CONTENT, "window_start", "window_end")
_NOT_PROGRESS_CONTENT = ("revision",)
_DIGEST_BYTES = 8
#: Keys of windows that end with a start: their number grows until they expire.
_DATED = ("window|interval", "window|day")

# Sorted: so a record read back from the topic compares equal.
_encode = Encoder(order="sorted").encode


class _Current(NamedTuple):
    """The last record: content as JSON without the last brace; empty content: the next record is published."""

    revision: int
    as_of: str
    content: bytes


class _Judged(Struct):
    """The parts of a window's content that alert rules read."""

    kpis: dict[str, Raw] = {}
    definitions: dict[str, str] = {}


_judged: Final = Decoder(_Judged).decode


class Published:
    """Current records with content; of intervals and days, stored for days, only the revision and a digest of the content."""

    def __init__(self) -> None:
        self._current: dict[str, _Current] = {}
        #: the content that was parsed last, and the result
        self._parsed: tuple[bytes, _Judged] = b"", _Judged()
        #: key without the start → start → revision and digest, packed: a day has thousands
        self._dated: dict[str, dict[int, bytes]] = {}
        #: scopes and channels whose last interval or day has expired since the last check
        self.expired_keys: set[ScopeKey] = set()

    def restore(self, key: str, record: dict[str, Any]) -> None:
        """Restore a record that was published earlier."""
        content, _ = _split(record)
        if key.startswith(_DATED):
            window, start = _parts(key)
            self._dated.setdefault(window, {})[start] = _packed(record["revision"], _digest(content))
        else:
            self._current[key] = _Current(record["revision"], record.get("as_of") or "", content)

    def revise(self, key: str, record: dict[str, Any]) -> bytes | None:
        """Record what is published; return it with its revision as JSON, or None if the content has not changed."""
        content, remaining = _split(record)
        revision = self.revise_dated(*_parts(key), content) if key.startswith(_DATED) else self.revise_current(key, content, record)
        if revision is None:
            return None
        remaining["revision"] = revision
        return b"%b,%b" % (content, _encode(remaining)[1:])

    def revise_current(self, key: str, content: bytes, record: Mapping[str, Any]) -> int | None:
        """Record the content of a trailing window, or of now; return its revision, or None if it has not changed."""
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
        """Record the content of an interval or day, by its key without the start; return its revision, or None if unchanged."""
        digest = _digest(content)
        starts = self._dated.get(window)
        if starts is None:
            starts = self._dated[window] = {}
        packed = starts.get(start_ms, b"")
        if digest == packed[-_DIGEST_BYTES:]:
            return None
        revision = int.from_bytes(packed[:-_DIGEST_BYTES]) + 1
        starts[start_ms] = _packed(revision, digest)
        return revision

    def set_back(self, as_of_ms: int, *, again: bool) -> Iterator[str]:
        """Delete intervals and days that begin after as-of, and yield their keys: an older version published them.

        Records with a later as-of are published again with their next content; with ``again`` so is every interval and day.
        """
        as_of = format_ms(as_of_ms)
        for key, last in self._current.items():
            if last.as_of > as_of:
                self._current[key] = last._replace(content=b"")
        for window, revisions in list(self._dated.items()):
            for start in [start for start in revisions if start > as_of_ms]:
                del revisions[start]
                yield f"{window}|{start}"
            if again:
                self._dated[window] = {start: packed[:-_DIGEST_BYTES] + bytes(_DIGEST_BYTES) for start, packed in revisions.items()}

    def figure(self, key: str, kpi: str) -> tuple[dict[str, Any], str | None]:
        """Return a figure of a current window and its definition; an empty figure if it was never published."""
        last = self._current.get(key)
        if last is None or not last.content:
            return {}, None
        content, judged = self._parsed
        if content is not last.content:
            judged = _judged(last.content + b"}")
            self._parsed = last.content, judged
        figure = judged.kpis.get(kpi)
        return {} if figure is None else decode(figure), judged.definitions.get(kpi)

    def expire(self, before_ms: int) -> Iterator[str]:
        """Drop the intervals and days that began before an instant, and yield their keys."""
        for window, revisions in list(self._dated.items()):
            for start in [start for start in revisions if start < before_ms]:
                del revisions[start]
                yield f"{window}|{start}"
            if not revisions:
                del self._dated[window]
                scope_key = _scope_key_of(window)
                if scope_key is not None:
                    self.expired_keys.add(scope_key)

    def scope_keys(self) -> set[ScopeKey]:
        """Return the scopes and channels that have current records."""
        return {scope_key for key in self._current if (scope_key := _scope_key_of(key)) is not None}

    def without_dated(self, scope_keys: Iterable[ScopeKey]) -> set[ScopeKey]:
        """Return those of some scopes and channels without a published interval or day."""
        return set(scope_keys).difference(map(_scope_key_of, self._dated))

    def forget(self, scope_keys: Collection[ScopeKey]) -> Iterator[str]:
        """Drop the current records of some scopes and channels, and yield their keys."""
        for key in [key for key in self._current if _scope_key_of(key) in scope_keys]:
            del self._current[key]
            yield key

    def __len__(self) -> int:
        return len(self._current) + sum(map(len, self._dated.values()))


def _scope_key_of(key: str) -> ScopeKey | None:
    """Return the scope and channel of a key without a start; None if it is neither of a window nor of now."""
    kind, _, suffix = key.partition("|")
    if kind == "window":
        _, _, suffix = suffix.partition("|")
    elif kind != "now":
        return None
    channel, _, scope = suffix.partition("|")
    return scope, None if channel == "-" else channel


def _parts(key: str) -> tuple[str, int]:
    window, _, start = key.rpartition("|")
    return window, int(start)


def _split(record: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the content of a record as JSON without the last brace, and the remaining fields; content is never empty."""
    if record["kind"] == "progress":
        names: tuple[str, ...] = _NOT_PROGRESS_CONTENT
    else:
        names = _NOT_TRAILING_CONTENT if record.get("window", "").startswith("trailing") else _NOT_CONTENT
    content = record.copy()
    remaining = {name: content.pop(name) for name in names if name in content}
    return _encode(content)[:-1], remaining


def _packed(revision: int, digest: bytes) -> bytes:
    return revision.to_bytes((revision.bit_length() + 7) // 8) + digest


def _digest(content: bytes) -> bytes:
    # Valid in this process only: Python's own hash is far faster than a cryptographic one.
    return hash(content).to_bytes(_DIGEST_BYTES, signed=True)
