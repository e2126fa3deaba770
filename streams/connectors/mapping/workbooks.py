"""Read sheets of workbooks (.xlsx) row by row, after a check of their unpacked size."""

from __future__ import annotations

import warnings
import zipfile
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from streams.connectors.inputs import Input

__all__ = ["MAX_COLUMNS", "MAX_SHARED_BYTES", "MAX_UNPACKED_BYTES", "MAX_WORKBOOK_BYTES", "WorkbookError", "sheet_rows"]

#: The largest workbook, packed and unpacked, in bytes, and the most that has to fit into memory: the texts that its cells share.
MAX_WORKBOOK_BYTES: Final = 256 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 2 * 1024 * 1024 * 1024
MAX_SHARED_BYTES: Final = 256 * 1024 * 1024
MAX_COLUMNS: Final = 1_000
_IN_MEMORY_BYTES: Final = 8 * 1024 * 1024


class WorkbookError(Exception):
    """A workbook cannot be read; ``key`` is that of ``read`` which would change it."""

    def __init__(self, reason: str, *key: str) -> None:
        super().__init__(reason)
        self.key = key


def sheet_rows(file: Input, sheet: str | None) -> Generator[tuple[int, tuple[Any, ...]]]:
    """Yield number and cells of each row that has any: texts, whole numbers and Decimals, booleans, None; times as ISO 8601 without offset.

    Raises:
        WorkbookError: the file is no workbook, is too large, has no such sheet, or openpyxl is missing.
        OSError: the file cannot be read.
    """
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra
        from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415 - as above
    except ImportError as error:
        raise WorkbookError("workbooks need openpyxl: pip install 'contact-streams[xlsx]'", "format") from error
    with _seekable(file) as raw:
        _check_size(raw)
        try:
            with warnings.catch_warnings():
                # They are about styles and extensions, which no content depends on.
                warnings.simplefilter("ignore")
                book = load_workbook(raw, read_only=True, data_only=True, keep_links=False)
        except (InvalidFileException, KeyError, ValueError, zipfile.BadZipFile, SyntaxError) as error:
            raise WorkbookError(f"cannot be read as a workbook ({type(error).__name__})", "format") from error
        try:
            names = [worksheet.title for worksheet in book.worksheets]
            if sheet is not None and sheet not in names:
                raise WorkbookError(f"has no sheet {sheet!r}; permitted: {', '.join(names)}", "sheet")
            if not names:
                raise WorkbookError("has no sheet with cells", "format")
            yield from _cells(book[sheet if sheet is not None else names[0]])
        finally:
            book.close()


def _cells(sheet: Any) -> Iterator[tuple[int, tuple[Any, ...]]]:
    # The declared size may be wrong or missing.
    sheet.reset_dimensions()
    try:
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            cells = list(map(_content, row))
            while cells and cells[-1] is None:
                cells.pop()
            if len(cells) > MAX_COLUMNS:
                raise WorkbookError(f"row {number} has {len(cells)} columns; permitted: at most {MAX_COLUMNS}", "format")
            if cells:
                yield number, tuple(cells)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile, SyntaxError, EOFError) as error:
        raise WorkbookError(f"is damaged ({type(error).__name__})", "format") from error


def _content(cell: Any) -> Any:
    """Return the content of a cell as a mapping reads it."""
    if cell is None or isinstance(cell, (bool, int)):
        return cell
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else Decimal(repr(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep="T", timespec="milliseconds" if cell.microsecond else "seconds")
    if isinstance(cell, timedelta):
        seconds = round(cell.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return cell.isoformat() if isinstance(cell, (date, time)) else str(cell)


@contextmanager
def _seekable(file: Input) -> Iterator[IO[bytes]]:
    """Yield the bytes of a file as a seekable stream."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as copy:
        size = 0
        with closing(file.chunks()) as chunks:
            for data in chunks:
                size += len(data)
                if size > MAX_WORKBOOK_BYTES:
                    raise WorkbookError(f"has more than {MAX_WORKBOOK_BYTES} bytes; save it as CSV", "format")
                copy.write(data)
        if not size:
            raise WorkbookError("is empty; permitted: a workbook (.xlsx)", "format")
        copy.seek(0)
        yield copy


def _check_size(raw: IO[bytes]) -> None:
    """Raise WorkbookError if it is no workbook, or would become too large."""
    try:
        with zipfile.ZipFile(raw) as packed:
            entries = packed.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise WorkbookError("is no workbook (.xlsx); save an old .xls as .xlsx", "format") from error
    shared = sum(entry.file_size for entry in entries if entry.filename.lower().endswith("sharedstrings.xml"))
    unpacked = sum(entry.file_size for entry in entries)
    if shared > MAX_SHARED_BYTES or unpacked > MAX_UNPACKED_BYTES:
        raise WorkbookError(f"would have {unpacked} bytes when it is unpacked; save it as CSV", "format")
