"""What the names of a window's sums say, worked out once for each set of names: mostly they are the same as in many other windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.json import encode

from streams.catalogue.quantities import LABEL_MARK, by_definition, taking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Known", "known_of"]

#: So many sets of names are remembered, and of each so many figures by label.
_MOST: Final = 1024
_MOST_LABELLED: Final = 64


class Known:
    """What a set of names says; there is one for it at a time."""

    __slots__ = ("_amounts", "_of_labels", "_plain", "_written", "judged", "labels")

    def __init__(self, names: tuple[str, ...]) -> None:
        #: what is summed by label → label → the name of its sum
        self.labels: dict[str, dict[str, str]] = {}
        #: what a definition judges in larger scopes: the name, the definition, and the name without it
        self.judged: list[tuple[str, str, str]] = []
        for name in names:
            what, mark, label = name.partition(LABEL_MARK)
            if mark:
                self.labels.setdefault(what, {})[label] = name
            definition, rest = by_definition(name)
            if definition is not None:
                self.judged.append((name, definition, rest))
        plain = sorted(name for name in names if LABEL_MARK not in name)
        self._amounts = taking(plain)
        #: names as JSON, with room at every second place for the amounts
        self._plain = [part for number, name in enumerate(plain) for part in (b"%b%b:" % (b"," if number else b"{", encode(name)), b"")]
        self._of_labels = taking([name for labels in self.labels.values() for name in labels.values()])
        #: sums with a label → their figures as JSON
        self._written: dict[tuple[int, ...], bytes] = {}

    def plain(self, sums: Mapping[str, int]) -> bytes:
        """Return the sums of these names without a label as JSON, in the order of names."""
        if not self._plain:
            return b"{}"
        text = self._plain.copy()
        text[1::2] = encode(self._amounts(sums))[1:-1].split(b",")
        return b"".join(text) + b"}"

    def by_label(self, sums: Mapping[str, int], write: Callable[[Mapping[str, int], Known], bytes]) -> bytes:
        """Return what ``write`` makes of the sums with a label: they change more seldom than others."""
        if not self.labels:
            return b"{}"
        amounts = self._of_labels(sums)
        found = self._written.get(amounts)
        if found is None:
            if len(self._written) >= _MOST_LABELLED:
                self._written.clear()
            found = self._written[amounts] = write(sums, self)
        return found


def known_of(sums: Mapping[str, int]) -> Known:
    """Return what the names of sums say."""
    names = tuple(sums)
    found = _known.get(names)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[names] = Known(names)
    return found


_known: Final[dict[tuple[str, ...], Known]] = {}
