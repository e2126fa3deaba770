"""Tables as files that spreadsheets open: CSV, and workbooks with the ``xlsx`` extra."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING, Final

from streams.serving.tables import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.serving.tables import Row

__all__ = ["MAX_ROWS", "TooManyRowsError", "write_csv", "write_workbook"]

#: Of a sheet, its head left out.
MAX_ROWS: Final = 1_048_575

#: What a spreadsheet takes for the beginning of a formula, in full width too.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


class TooManyRowsError(ValueError):
    """A sheet does not hold so many rows."""


def write_csv(rows: Iterable[Row], file: IO[bytes], *, mark: bool = False) -> int:
    """Write rows as UTF-8 and return their number; ``mark`` puts the byte order mark first that Excel needs to know it as such.

    Texts that a spreadsheet would take for a formula get an apostrophe before them.
    """
    if mark:
        file.write(b"\xef\xbb\xbf")
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    number = 0
    for row in rows:
        writer.writerow([_defused(cell) for cell in row])
        number += 1
    text.flush()
    text.detach()
    return number


def _defused(cell: object) -> object:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def write_workbook(rows: Iterable[Row], file: IO[bytes]) -> int:
    """Write rows as a workbook of one sheet and return their number; texts are texts, whatever they begin with.

    Raises:
        ImportError: the extra is not installed.
        TooManyRowsError: the sheet would be too long.
    """
    from openpyxl import Workbook  # noqa: PLC0415 - an extra
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - the same
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE  # noqa: PLC0415 - the same

    book = Workbook(write_only=True)
    sheet = book.create_sheet("figures")
    sheet.freeze_panes = "A2"
    sheet.append(COLUMNS)
    number = 0
    for row in rows:
        number += 1
        if number > MAX_ROWS:
            sheet.close()
            raise TooManyRowsError(f"a sheet holds {MAX_ROWS} rows; choose windows, scopes or KPIs, or ask for CSV")
        cells = []
        for value in row:
            if isinstance(value, str):
                cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
                cell.data_type = "s"
                cells.append(cell)
            else:
                cells.append(value)
        sheet.append(cells)
    book.save(file)
    return number
