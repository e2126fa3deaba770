"""Tables as spreadsheet files: CSV, and workbooks where the ``xlsx`` extra is installed."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
from typing import IO, TYPE_CHECKING, Final

import orjson

from streams.serving.tables import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.serving.tables import Row

__all__ = ["MAX_ROWS", "TooManyRowsError", "write_csv", "write_lines", "write_workbook"]

#: Rows of a sheet, without the header.
MAX_ROWS: Final = 1_048_575

#: Prefixes that a spreadsheet reads as a formula, full-width forms included.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


class TooManyRowsError(ValueError):
    """The rows exceed the limit of a sheet."""


def write_csv(rows: Iterable[Row], file: IO[bytes], *, mark: bool = False) -> int:
    """Write rows as UTF-8 and return their number; ``mark`` prepends the byte order mark that Excel needs.

    Texts that a spreadsheet would read as a formula get a leading apostrophe.
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


def write_lines(rows: Iterable[Row], file: IO[bytes]) -> int:
    """Write rows as lines of JSON for `streams.serving.workbook`, and return their number.

    Raises:
        TooManyRowsError: the rows exceed the limit of a sheet.
    """
    number = 0
    for row in rows:
        number += 1
        if number > MAX_ROWS:
            raise TooManyRowsError(f"a sheet holds {MAX_ROWS} rows; choose windows, scopes or KPIs, or ask for CSV")
        file.write(orjson.dumps([*row]) + b"\n")
    return number


async def write_workbook(lines: IO[bytes], file: IO[bytes], seconds: float) -> None:
    """Convert such lines to a workbook in a separate process, so that this one stays responsive.

    Args:
        lines: read from its beginning; both files have to be files of the system.
        file: the workbook.
        seconds: the timeout.

    Raises:
        TimeoutError: it took longer.
        RuntimeError: it failed.
    """
    lines.flush()
    lines.seek(0)
    # The same modules as in this process, and none from the working directory.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", "streams.serving.workbook"]
    process = await asyncio.create_subprocess_exec(*command, stdin=lines, stdout=file, stderr=asyncio.subprocess.PIPE, env=environment)
    try:
        async with asyncio.timeout(seconds):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"no workbook was created: {errors.decode(errors='replace')[-500:]}")
