"""Converts lines of JSON to a workbook, at low priority: ``python -m streams.serving.workbook < LINES > WORKBOOK``."""

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

#: Prefixes that the library reads as a formula or an error.
_SPECIAL: Final = ("=", "#")
#: Lower priority than the server of boards.
_NICE: Final = 10


def make(lines: Iterable[bytes], file: IO[bytes]) -> None:
    """Write a workbook of one sheet with the column names as first row; texts stay texts, whatever their prefix."""
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
            if not text.startswith(_SPECIAL):
                cells.append(text)
                continue
            cell = WriteOnlyCell(sheet, text)
            cell.data_type = "s"
            cells.append(cell)
        sheet.append(cells)
    book.save(file)


def main() -> None:
    """Convert standard input to standard output."""
    os.nice(_NICE)
    make(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
