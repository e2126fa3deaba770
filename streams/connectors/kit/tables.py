"""Tables (CSV) that platforms export: a record a row, by the names of the header; no input or output."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING, Final

from streams.connectors.kit.model import Record, UnusableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["table_records", "text_of"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZIP: Final = b"PK\x03\x04"
_MAX_COLUMNS: Final = 1_000


def text_of(body: bytes, encodings: tuple[str, ...] = ("utf-8", "cp932")) -> str:
    """Return the text of a file: by its byte order mark, else by the first encoding that fits; raise UnusableError."""
    if body.startswith(_ZIP):
        raise UnusableError("not_text", "a workbook, not a text: save it as CSV, or read it by a mapping with format xlsx")
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            encodings = (encoding,)
            break
    for encoding in encodings:
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnusableError("not_text", f"no text in {' or '.join(encodings)}")


def table_records(*encodings: str, delimiter: str = ",") -> Callable[[bytes, str], Iterator[Record]]:
    """Return a reader of tables with a header; empty rows are skipped.

    Args:
        encodings: tried in turn where there is no byte order mark; by default UTF-8 and cp932.
        delimiter: between columns.
    """

    def read(body: bytes, origin: str) -> Iterator[Record]:
        text = text_of(body, encodings or ("utf-8", "cp932"))
        header: list[str] | None = None
        number = 0
        try:
            for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
                row = [cell.strip() for cell in cells]
                if not any(row):
                    continue
                if header is None:
                    if len(row) > _MAX_COLUMNS:
                        raise UnusableError("not_a_table", f"more than {_MAX_COLUMNS} columns")
                    header = row
                    continue
                # A cell without a header is named by its position, so that the connector sees a row that is too long.
                content = {header[at] if at < len(header) else f"column {at + 1}": cell for at, cell in enumerate(row)}
                yield Record(content, delimiter.join(cells).encode(), origin, number)
                number += 1
        except csv.Error as error:
            raise UnusableError("not_a_table", f"row {number + 1}: unbalanced quotes") from error

    return read
