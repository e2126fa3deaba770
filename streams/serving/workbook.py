"""Makes a workbook of lines of JSON: ``python -m streams.serving.workbook < LINES > WORKBOOK``. What it costs is nobody else's time."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, Final

import orjson
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from streams.serving.tables import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["main"]

#: What the library takes for a formula or an error.
_TAKEN_FOR_MORE: Final = ("=", "#")
#: The boards come first.
_NICE: Final = 10


def make(lines: Iterable[bytes], file: IO[bytes]) -> None:
    """Write a workbook of one sheet, its first row the names of the columns; texts are texts, whatever they begin with."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("figures")
    sheet.freeze_panes = "A2"
    sheet.append(COLUMNS)
    for line in lines:
        cells: list[object] = []
        for value in orjson.loads(line):
            if not isinstance(value, str):
                cells.append(value)
                continue
            text = ILLEGAL_CHARACTERS_RE.sub("", value)
            if not text.startswith(_TAKEN_FOR_MORE):
                cells.append(text)
                continue
            cell = WriteOnlyCell(sheet, text)
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    book.save(file)


def main() -> None:
    """Read and write."""
    os.nice(_NICE)
    make(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
