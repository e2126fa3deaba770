"""Find conditions that hold for no row though their column holds something that none of them names: mostly a misspelled value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from schemas.visible import visible
from streams.connectors.mapping.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.connectors.mapping.format import Condition, MappingFile

__all__ = ["Unmatched"]

#: The most distinct contents of a column that is compared with fixed values, how many of them are shown, and at what length.
_CONTENTS: Final = 20
_SHOWN: Final = 6
_LENGTH: Final = 40


class Unmatched:
    """The contents that events of a mapping expect of a column, and those it holds; nested paths and tables are left out."""

    def __init__(self, file: MappingFile) -> None:
        #: Index of an event → its type and the column that decides it.
        self._expected: dict[int, tuple[str, str]] = {}
        #: Column → the contents that some condition names.
        self._named: dict[str, set[str]] = {}
        for index, event in enumerate(file.events):
            if event.when is not None and event.each is None and (column := self._column(event.when)) is not None:
                self._expected[index] = event.type, column
        self._held: set[int] = set()
        self._rows = 0
        self._contents: dict[str, Counter[str]] = {column: Counter() for _, column in self._expected.values()}

    def _column(self, spec: Condition) -> str | None:
        if spec.from_ is None or (spec.equals is None and spec.in_ is None):
            return None
        named = spec.in_ if spec.in_ is not None else [spec.equals]
        self._named.setdefault(spec.from_, set()).update(text_of(scalar) for scalar in named)
        return spec.from_

    def row(self, values: Mapping[str, Any]) -> None:
        """Record a row."""
        self._rows += 1
        for column, contents in self._contents.items():
            content = values.get(column.replace("\\.", "."))
            if isinstance(content, str | int | float) and content != "" and len(contents) <= _CONTENTS:
                contents[text_of(content)[:_LENGTH]] += 1

    def holds(self, index: int) -> None:
        """Record that the condition of an event holds."""
        self._held.add(index)

    def notes(self) -> list[str]:
        """Return a sentence for each event that matched no row though its column holds something that no condition names."""
        sentences = []
        for index, (kind, column) in self._expected.items():
            contents = self._contents[column]
            if index in self._held or len(contents) > _CONTENTS or not any(content not in self._named[column] for content in contents):
                continue
            shown = ", ".join(f"{visible(content)} {count:,}" for content, count in contents.most_common(_SHOWN))
            others = f" and {len(contents) - _SHOWN} more" * (len(contents) > _SHOWN)
            sentences.append(f"{kind}: 0 of {self._rows:,} rows; {visible(column)} holds {shown}{others}")
        return sentences
