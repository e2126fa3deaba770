"""What the names of some sums say, worked out once: most windows have the names of others, or those they had before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.json import encode

from streams.catalogue.quantities import DEFINITION_MARK, LABEL_MARK, by_definition, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Known", "known_of"]

#: So many sets of names are remembered, and so many names as JSON.
_MOST: Final = 1024
_MOST_WRITTEN: Final = 65_536


class Known:
    """What a set of names says; there is one for it at a time."""

    __slots__ = ("_amounts", "_plain", "judged", "labelled", "labels")

    def __init__(self, names: tuple[str, ...]) -> None:
        #: what is summed by label → label → the name of its sum
        self.labels: dict[str, dict[str, str]] = {}
        #: what a definition judges in larger scopes: the definition → what takes the amounts, and their names without it
        self.judged: dict[str, tuple[Callable[[Mapping[str, int]], tuple[int, ...]], tuple[str, ...]]] = {}
        #: what is made of the sums with a label, in parts that change more seldom than others: `streams.windows.labels` fills it
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
                definition, rest = by_definition(name)
                if definition is not None:
                    of.setdefault(definition, []).append((name, rest))
        for definition, judged in of.items():
            self.judged[definition] = values_of([name for name, _ in judged]), tuple(rest for _, rest in judged)
        self._amounts = values_of(plain)
        #: names as JSON, with room at every second place for the amounts
        self._plain = [b""] * (2 * len(plain))
        self._plain[::2] = map(_written.__getitem__, plain)

    def plain(self, sums: Mapping[str, int]) -> bytes:
        """Return the sums of these names without a label as JSON, in the order of names."""
        if not self._plain:
            return b"{}"
        text = self._plain.copy()
        text[1::2] = encode(self._amounts(sums))[1:-1].split(b",")
        return b"{%b}" % b"".join(text)[1:]


def known_of(sums: Mapping[str, int]) -> Known:
    """Return what the names of sums say."""
    names = tuple(sums)
    found = _known.get(names)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[names] = Known(names)
    return found


class _Written(dict[str, bytes]):
    """A name as it stands behind others in an object of JSON."""

    def __missing__(self, name: str) -> bytes:
        if len(self) >= _MOST_WRITTEN:
            self.clear()
        written = self[name] = b",%b:" % encode(name)
        return written


_written: Final = _Written()
_known: Final[dict[tuple[str, ...], Known]] = {}
