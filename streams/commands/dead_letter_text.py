"""Dead letters as text: without control characters, and with values only on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.times import format_ms
from streams.connectors.dead_letters import IncompleteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.connectors.dead_letters import DeadLetter

__all__ = ["brief", "came_from", "facts", "pages", "printable", "row", "short", "summary"]

_KEY_CHARACTERS: Final = 40
#: A detail may list everything that is permitted; ``show`` and ``--json`` print all of it.
_DETAIL_CHARACTERS: Final = 120
_HEX_WIDTH: Final = 16
#: The shown part of a value; ``--raw`` prints all.
_SHOWN_BYTES: Final = 64 * 1024


def printable(text: str | bytes) -> str:
    """Return text with every control or formatting character, and every undecodable byte, escaped."""
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", errors="backslashreplace").decode()


def brief(text: str) -> str:
    """Return a reason's detail, cut to fit a line."""
    text = printable(text)
    return text if len(text) <= _DETAIL_CHARACTERS else f"{text[: _DETAIL_CHARACTERS - 1]}…"


def short(name: str, prefix: str) -> str:
    """Return a location without the prefix of its topic, as ``show`` accepts it."""
    return name.removeprefix(f"{prefix}.") if prefix else name


def came_from(dead_letter: DeadLetter) -> str:
    """Return the original location of a dead letter's record, or what its connector read it from."""
    origin = dead_letter.origin
    if origin is not None:
        return f"{origin.topic}/{origin.partition}/{origin.offset}"
    return dead_letter.header("dead-letter-origin") or "unknown"


def facts(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter for ``list --json``, without its value."""
    origin = dead_letter.origin
    return {
        "topic": dead_letter.topic,
        "partition": dead_letter.partition,
        "offset": dead_letter.offset,
        "at": format_ms(dead_letter.at_ms),
        "reason": dead_letter.reason,
        "detail": dead_letter.detail,
        "source": None if origin is None else {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset},
        "origin": dead_letter.header("dead-letter-origin"),
        "key": None if dead_letter.key is None else printable(dead_letter.key),
        "bytes": None if dead_letter.value is None else len(dead_letter.value),
    }


def row(dead_letter: DeadLetter, prefix: str) -> str:
    """Return the line of a dead letter in a table."""
    key = "-" if dead_letter.key is None else printable(dead_letter.key)
    if len(key) > _KEY_CHARACTERS:
        key = key[: _KEY_CHARACTERS - 1] + "…"
    size = "no value" if dead_letter.value is None else f"{len(dead_letter.value)} B"
    origin = short(printable(came_from(dead_letter)), prefix)
    return (
        f"{short(dead_letter.location, prefix)}  {format_ms(dead_letter.at_ms)}  {printable(dead_letter.reason):<14}  {origin}"
        f"  key {key}  {size}  {brief(dead_letter.detail)}"
    )


def summary(reasons: Mapping[str, int]) -> str:
    """Return counts by reason, the largest first."""
    ordered = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{printable(reason)} {count:,}" for reason, count in ordered) or "none"


def pages(dead_letter: DeadLetter) -> Iterator[str]:
    """Yield the lines that show one dead letter completely, as text or else as bytes in hex."""
    origin = dead_letter.origin
    yield f"place      {dead_letter.location}"
    yield f"refused    {format_ms(dead_letter.at_ms)}"
    yield f"reason     {printable(dead_letter.reason)}: {printable(dead_letter.detail)}"
    yield f"came from  {printable(came_from(dead_letter))}" + ("" if origin is None else f", published {format_ms(origin.timestamp_ms)}")
    yield f"key        {'none' if dead_letter.key is None else printable(dead_letter.key)}"
    yield "headers"
    for name, content in dead_letter.headers:
        yield f"  {printable(name)}: {printable(content)}"
    try:
        value = dead_letter.original()
    except IncompleteError as error:
        value = dead_letter.value
        yield f"value      incomplete: {error}"
    if value is None:
        yield "value      none"
        return
    yield f"value      {len(value)} bytes"
    yield from _value(value[:_SHOWN_BYTES])
    if len(value) > _SHOWN_BYTES:
        yield f"and {len(value) - _SHOWN_BYTES} bytes more: --raw prints all"


def _value(value: bytes) -> Iterator[str]:
    text = value.decode(errors="ignore")
    # A character that is cut at the end is no reason for hex.
    if len(value) - len(text.encode()) < 4 and value.startswith(text.encode()):  # noqa: PLR2004 - no character has more bytes
        yield from (f"  {printable(line)}" for line in text.split("\n"))
        if cut := value[len(text.encode()) :]:
            yield f"  then {cut.hex(' ')}"
        return
    for start in range(0, len(value), _HEX_WIDTH):
        part = value[start : start + _HEX_WIDTH]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)  # noqa: PLR2004 - printable ASCII
        yield f"  {start:08x}  {part.hex(' '):<{3 * _HEX_WIDTH}} {shown}"
