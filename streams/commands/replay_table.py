"""The table of ``contact-streams replay``: one row per queue and channel, readable also with hundreds of rows."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from streams.catalogue import WORDS
from streams.catalogue.percent import percent
from streams.commands.uncounted import reasons_of, uncounted_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["table"]

_COLUMNS: Final = ("offered", "answered", "abandoned", "service_level", "answer_rate", "asa", "att", "aht")
_RATIOS: Final = frozenset({"service_level", "answer_rate"})
_COUNTS: Final = frozenset({"offered", "answered", "abandoned"})
#: The header repeats after this many rows, about a screen.
_HEADER_EVERY: Final = 40
#: The most columns of the screen for the name of a queue.
_NAME_WIDTH: Final = 40
_SHOWN_DEAD_LETTERS: Final = 20


def table(result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines: the instant, a row per queue and channel, the total, and dead letters."""
    header = ["queue", "channel", *_COLUMNS]
    rows = [[_short(queue), channel, *_cells(kpis)] for queue, channels in result["queues"].items() for channel, kpis in channels.items()]
    total = ["all", "", *_cells(result["totals"])]
    widths = [max(map(_width, column)) for column in zip(header, *rows, total, strict=True)]
    yield f"as of {result['as_of'] or 'no event'}"
    if len(rows) > _HEADER_EVERY:
        # With hundreds of queues the total also comes first.
        yield from (_line(header, widths), _line(total, widths))
    for number, row in enumerate(rows):
        if number % _HEADER_EVERY == 0:
            yield from [""] * (len(rows) > _HEADER_EVERY)
            yield _line(header, widths)
        yield _line(row, widths)
    if not rows:
        yield _line(header, widths)
    yield _line(total, widths)
    yield from uncounted_lines(reasons_of(result.get("by_label", {}).values()))
    yield from _without_handle_time(result["queues"])
    yield from _dead_letters(result)
    yield from result.get("notes", ())


def _without_handle_time(queues: dict[str, Any]) -> Iterator[str]:
    """Yield advice where talk time is known and handle time is not: call records mostly report neither hold nor wrap-up."""
    rows = [{name: (kpis.get(name) or {}).get("value") for name in ("att", "aht")} for by in queues.values() for kpis in by.values()]
    number = sum(row["att"] is not None and row["aht"] is None for row in rows)
    if number:
        yield f"aht has no value in {number} row{'s' * (number > 1)}: {WORDS['en']['aht.unknown']} (docs/definitions.md)"


def _dead_letters(result: dict[str, Any]) -> Iterator[str]:
    reasons = Counter(result["dead_letters_by_reason"])
    number = reasons.total()
    if not number:
        return
    yield f"{number} dead letter{'s' * (number > 1)}:"
    if number > _SHOWN_DEAD_LETTERS:
        yield from (f"  {count} {reason}" for reason, count in reasons.most_common())
        yield f"  the first {_SHOWN_DEAD_LETTERS} of them (--out lists all):"
    for dead_letter in result["dead_letters"][:_SHOWN_DEAD_LETTERS]:
        yield f"  {dead_letter['origin']}: {dead_letter['reason']}: {dead_letter['detail']}"


def _line(row: list[str], widths: list[int]) -> str:
    names = [f"{name}{' ' * (width - _width(name))}" for name, width in zip(row[:2], widths[:2], strict=True)]
    figures = [f"{figure:>{width}}" for figure, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*names, *figures])


def _width(text: str) -> int:
    """Return the columns of a screen that a text takes: Chinese and Japanese characters take two each."""
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def _short(name: str) -> str:
    """Return a name without its middle if it is too long: names of queues differ at their ends."""
    if _width(name) <= _NAME_WIDTH:
        return name
    begin, end = name, ""
    while _width(begin) > _NAME_WIDTH // 2:
        begin = begin[:-1]
    for character in reversed(name):
        if _width(character + end) > _NAME_WIDTH - _width(begin) - 1:
            break
        end = character + end
    return f"{begin}…{end}"


def _cells(kpis: dict[str, Any]) -> list[str]:
    return [_cell(name, (kpis.get(name) or {}).get("value")) for name in _COLUMNS]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in _RATIOS:
        return f"{percent(value)} %"
    return f"{value:.0f}" if name in _COUNTS else f"{value:.1f} s"
