"""Contradictions between definitions: unknown names, and versions out of order."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from streams.configuration.base import nearest
from streams.configuration.definitions import INLINE, effective_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["definition_problems"]

At = tuple[int | str, ...]


def definition_problems(content: Mapping[str, Any]) -> Iterator[tuple[At, str, At | None]]:
    """Yield location, reason and another location of contradictions in a file's content; parts without a valid form are skipped."""
    known = _keys(content.get("definitions"))
    for name, versions in known.items():
        if name == INLINE:
            yield ("definitions", name), f"{name!r} is reserved for service_level; permitted: another name", None
        yield from _versions(("definitions", name), versions)
    yield from _names(("default_definitions",), content.get("default_definitions"), known)
    for queue, entry in _keys(content.get("queues")).items():
        at = ("queues", queue)
        yield from _names((*at, "definitions"), _keys(entry).get("definitions"), known)
        if _keys(entry).get("definitions") is not None and _keys(entry).get("service_level") is not None:
            yield (*at, "definitions"), "service_level is given too; permitted: one of the two", (*at, "service_level")


def _names(at: At, choice: Any, known: Mapping[str, Any]) -> Iterator[tuple[At, str, At | None]]:
    lists = _keys(choice) if isinstance(choice, dict) else {None: choice}
    for channel, names in lists.items():
        for index, name in enumerate(names if isinstance(names, list | tuple) else ()):
            if isinstance(name, str) and name not in known:
                permitted = ", ".join(known) or "none, for there are no definitions"
                location = (*at, index) if channel in (None, "*") else (*at, channel, index)
                yield location, f"{name!r} is not among definitions{nearest(name, known)}; permitted: {permitted}", None


def _versions(at: At, versions: Any) -> Iterator[tuple[At, str, At | None]]:
    entries = [_keys(version) for version in versions] if isinstance(versions, list | tuple) else []
    for index, (before, after) in enumerate(pairwise(entries)):
        here, last = (*at, index + 1), (*at, index)
        one, other = before.get("version", 1), after.get("version", 1)
        if isinstance(one, int) and isinstance(other, int) and other <= one:
            yield (*here, "version"), f"version {other} follows version {one}; permitted: versions that increase", (*last, "version")
        since = after.get("effective_from")
        if since is None:
            reason = f"version {other} needs effective_from; permitted: an instant with an offset, such as 2026-04-01T00:00:00+09:00"
            yield (*here, "effective_from"), reason, None
            continue
        earlier, later = _instant(before.get("effective_from")), _instant(since)
        if earlier is not None and later is not None and later <= earlier:
            what = "is effective at the same time as" if later == earlier else "is effective earlier than"
            reason = f"version {other} {what} version {one}; permitted: an instant after that"
            yield (*here, "effective_from"), reason, (*last, "effective_from")


def _instant(text: Any) -> int | None:
    try:
        return effective_ms(text)
    except (TypeError, ValueError):
        return None


def _keys(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
