"""The table that ``contact-streams replay`` prints: a row a queue and channel, readable also where there are hundreds."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from streams.catalogue import WORDS
from streams.catalogue.percent import percent
from streams.commands.uncounted import reasons_of, said_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["table"]

_COLUMNS: Final = ("offered", "answered", "abandoned", "service_level", "answer_rate", "asa", "att", "aht")
_RATIOS: Final = frozenset({"service_level", "answer_rate"})
_COUNTS: Final = frozenset({"offered", "answered", "abandoned"})
#: The header comes again after so many rows: about a screen.
_HEADER_EVERY: Final = 40
#: Columns of the screen that the name of a queue takes at most.
_NAME_WIDTH: Final = 40
_SHOWN_LETTERS: Final = 20


def table(result: dict[str, Any]) -> Iterator[str]:
    """Yield the lines: when it is of, a row a queue and channel, all of it, and what could not be used."""
    header = ["queue", "channel", *_COLUMNS]
    rows = [[_short(queue), channel, *_cells(kpis)] for queue, channels in result["queues"].items() for channel, kpis in channels.items()]
    total = ["all", "", *_cells(result["totals"])]
    widths = [max(map(_width, column)) for column in zip(header, *rows, total, strict=True)]
    yield f"as of {result['as_of'] or 'no event'}"
    if len(rows) > _HEADER_EVERY:
        # Nobody scrolls through hundreds of queues for what all of them come to.
        yield from (_line(header, widths), _line(total, widths))
    for number, row in enumerate(rows):
        if number % _HEADER_EVERY == 0:
            yield from [""] * (len(rows) > _HEADER_EVERY)
            yield _line(header, widths)
        yield _line(row, widths)
    if not rows:
        yield _line(header, widths)
    yield _line(total, widths)
    yield from said_of(reasons_of(result.get("by_label", {}).values()))
    yield from _without_handle_time(result["queues"])
    yield from _letters(result)
    yield from result.get("notes", ())


def _without_handle_time(queues: dict[str, Any]) -> Iterator[str]:
    """Yield what to do where talk is known and no handle time is: call records mostly tell neither hold nor wrap-up."""
    known = [{name: (kpis.get(name) or {}).get("value") for name in ("att", "aht")} for by in queues.values() for kpis in by.values()]
    number = sum(each["att"] is not None and each["aht"] is None for each in known)
    if number:
        yield f"aht has no value in {number} row{'s' * (number > 1)}: {WORDS['en']['aht.unknown']} (docs/definitions.md)"


def _letters(result: dict[str, Any]) -> Iterator[str]:
    reasons = Counter(result["dead_letters_by_reason"])
    number = reasons.total()
    if not number:
        return
    yield f"{number} dead letter{'s' * (number > 1)}:"
    if number > _SHOWN_LETTERS:
        yield from (f"  {count} {reason}" for reason, count in reasons.most_common())
        yield f"  the first {_SHOWN_LETTERS} of them (--out lists all):"
    for each in result["dead_letters"][:_SHOWN_LETTERS]:
        yield f"  {each['origin']}: {each['reason']}: {each['detail']}"


def _line(row: list[str], widths: list[int]) -> str:
    names = [f"{name}{' ' * (width - _width(name))}" for name, width in zip(row[:2], widths[:2], strict=True)]
    figures = [f"{figure:>{width}}" for figure, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join([*names, *figures])


def _width(text: str) -> int:
    """Return how many columns of a screen a text takes: Chinese and Japanese characters take two each."""
    return len(text) + sum(unicodedata.east_asian_width(each) in "WF" for each in text)


def _short(name: str) -> str:
    """Return a name without its middle if it is too long: names of queues differ at their ends."""
    if _width(name) <= _NAME_WIDTH:
        return name
    begin, end = name, ""
    while _width(begin) > _NAME_WIDTH // 2:
        begin = begin[:-1]
    for each in reversed(name):
        if _width(each + end) > _NAME_WIDTH - _width(begin) - 1:
            break
        end = each + end
    return f"{begin}…{end}"


def _cells(kpis: dict[str, Any]) -> list[str]:
    return [_cell(name, (kpis.get(name) or {}).get("value")) for name in _COLUMNS]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in _RATIOS:
        return f"{percent(value)} %"
    return f"{value:.0f}" if name in _COUNTS else f"{value:.1f} s"
