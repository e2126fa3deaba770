"""Parsed names of sums, cached: most windows have the same set of names as others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.json import encode

from streams.catalogue.quantities import DEFINITION_MARK, LABEL_MARK, by_definition, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SumNames", "sum_names_of"]

#: Sets of names in the cache, and names as JSON.
_MAX_SETS: Final = 1024
_MAX_WRITTEN: Final = 65_536


class SumNames:
    """A set of names of sums, parsed; one instance a set while it is cached."""

    __slots__ = ("_amounts", "_plain", "judged", "labelled", "labels")

    def __init__(self, names: tuple[str, ...]) -> None:
        #: field → label → name of the sum
        self.labels: dict[str, dict[str, str]] = {}
        #: definition of queues in larger scopes → getter of the amounts, and their names without the definition
        self.judged: dict[str, tuple[Callable[[Mapping[str, int]], tuple[int, ...]], tuple[str, ...]]] = {}
        #: JSON of the sums with a label, filled by `streams.windows.labels`
        self.labelled: Any = None
        together = "".join(names)
        with_label = [name for name in names if LABEL_MARK in name] if LABEL_MARK in together else []
        for name in sorted(with_label):
            what, _, label = name.partition(LABEL_MARK)
            self.labels.setdefault(what, {})[label] = name
        plain = sorted(set(names).difference(with_label) if with_label else names)
        of: dict[str, list[tuple[str, str]]] = {}
        for name in (*plain, *with_label) if DEFINITION_MARK in together else ():
            if DEFINITION_MARK in name:
                definition, field = by_definition(name)
                if definition is not None:
                    of.setdefault(definition, []).append((name, field))
        for definition, judged in of.items():
            self.judged[definition] = values_of([name for name, _ in judged]), tuple(field for _, field in judged)
        self._amounts = values_of(plain)
        #: names as JSON at even indexes, amounts go to odd ones
        self._plain = [b""] * (2 * len(plain))
        self._plain[::2] = map(_written.__getitem__, plain)

    def plain(self, sums: Mapping[str, int]) -> bytes:
        """Return the sums without a label as JSON, in the order of names."""
        if not self._plain:
            return b"{}"
        text = self._plain.copy()
        text[1::2] = encode(self._amounts(sums))[1:-1].split(b",")
        return b"{%b}" % b"".join(text)[1:]


def sum_names_of(sums: Mapping[str, int]) -> SumNames:
    """Return the parsed names of sums."""
    names = tuple(sums)
    parsed = _cache.get(names)
    if parsed is None:
        if len(_cache) >= _MAX_SETS:
            _cache.clear()
        parsed = _cache[names] = SumNames(names)
    return parsed


class _Written(dict[str, bytes]):
    """Cache of names as JSON keys after a comma."""

    def __missing__(self, name: str) -> bytes:
        if len(self) >= _MAX_WRITTEN:
            self.clear()
        written = self[name] = b",%b:" % encode(name)
        return written


_written: Final = _Written()
_cache: Final[dict[tuple[str, ...], SumNames]] = {}
