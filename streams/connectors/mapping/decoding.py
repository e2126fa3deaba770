"""Decode the bytes of a data file: lines in any encoding, UTF-16 among them; undecodable bytes are rejected or replaced."""

from __future__ import annotations

import codecs
from contextlib import closing
from typing import TYPE_CHECKING, Final

from streams.connectors.inputs import Input
from streams.connectors.mapping.texts import BadRecordError

if TYPE_CHECKING:
    from collections.abc import Generator

    from streams.connectors.lines import Line
    from streams.connectors.mapping.format import Reading

__all__ = ["MAX_RECORD_BYTES", "REPLACEMENT", "as_utf_8", "decode", "text_of_line"]

#: The longest record; a dead letter of it still fits into its topic.
MAX_RECORD_BYTES: Final = 1024 * 1024

#: Replaces undecodable bytes.
REPLACEMENT: Final = "\ufffd"

_WIDE: Final = ("utf-16", "utf-16-le", "utf-16-be")
#: In UTF-8, a character truncated in UTF-16: invalid there too.
_CUT: Final = b"\xff"


def as_utf_8(file: Input, reading: Reading) -> tuple[Input, Reading]:
    """Return a file and how it is read, both changed to UTF-8 where its line ends are not those of ASCII."""
    if reading.encoding not in _WIDE:
        return file, reading
    return _Narrowed(file, reading.encoding), reading.model_copy(update={"encoding": "utf-8"})


class _Narrowed(Input):
    """A file of UTF-16 read as UTF-8; invalid characters stay invalid."""

    def __init__(self, file: Input, encoding: str) -> None:
        super().__init__(file.path)
        self._file = file
        self._encoding = encoding

    def chunks(self) -> Generator[bytes]:
        """See Input."""
        decoder = codecs.getincrementaldecoder(self._encoding)("surrogatepass")
        with closing(self._file.chunks()) as chunks:
            for data in chunks:
                yield decoder.decode(data).encode("utf-8", "surrogatepass")
        try:
            yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            yield _CUT


def decode(raw: bytes, reading: Reading) -> tuple[str, int]:
    """Return bytes as text, and the count of replaced characters; raise UnicodeDecodeError unless replacing is permitted."""
    try:
        return raw.decode(reading.encoding), 0
    except UnicodeDecodeError:
        if reading.bad_bytes == "reject":
            raise
    text = raw.decode(reading.encoding, "replace")
    return text, text.count(REPLACEMENT)


def text_of_line(line: Line, reading: Reading) -> tuple[str, int]:
    """Return the text of a line, and the count of replaced characters; raise BadRecordError."""
    if line.length > MAX_RECORD_BYTES:
        raise BadRecordError("too_long", f"{line.length} bytes; permitted: at most {MAX_RECORD_BYTES}. The first of them are kept.")
    try:
        text, replaced = decode(line.raw, reading)
    except UnicodeDecodeError as error:
        detail = f"byte {error.start} of the line is no {reading.encoding} text; another encoding? Or read.bad_bytes: replace"
        raise BadRecordError("not_text", detail) from None
    return (text.removeprefix("\ufeff") if line.start == 0 else text), replaced
