"""Names for pages and terminals: invisible characters are shown by number, and no character commands a terminal."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["escaped_json", "harmless", "in_one_line", "visible"]

#: Controls, formats, private and unassigned characters, surrogates, ends of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
#: Fillers and selectors that are drawn as nothing.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(number) for span in ((0x180B, 0x1810), (0xFE00, 0xFE10), (0xE0100, 0xE01F0)) for number in range(*span)
}
#: Every character of these is visible: plain text, kana, kanji and what is between.
_PLAIN = re.compile("[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u3001-\u312f\u4e00-\u9fff\uff01-\uff9f]*").fullmatch
_EDGES = re.compile("^[ \u3000]+|[ \u3000]+$| {2,}")


def visible(name: str) -> str:
    """Return a name with every invisible character shown by its number, as the page does: ``sales⟨U+200B⟩``."""
    numbered = name.replace("⟨", "⟨U+27E8⟩") if "⟨" in name else name
    spaced = _EDGES.sub(lambda match: match[0].replace(" ", "␣").replace("\u3000", "⟨U+3000⟩"), numbered)
    return spaced if _PLAIN(spaced) else "".join(_number(character) if _unseen(character) else character for character in spaced)


def harmless(text: str) -> str:
    """Return lines of text without characters that a terminal would obey, or that would turn their order."""
    if _PLAIN(text):
        return text
    return "".join(_number(character) if character not in "\n\t" and _unseen(character) else character for character in text)


def in_one_line(text: str) -> str:
    """Return a text as ``harmless`` does, but also without ends of lines and tabs: no text may begin a line of its own."""
    return text if _PLAIN(text) else "".join(_number(character) if _unseen(character) else character for character in text)


def escaped_json(document: str) -> str:
    """Return an equal JSON document without invisible characters."""
    if _PLAIN(document):
        return document
    return "".join(_in_json(character) if character != "\n" and _unseen(character) else character for character in document)


def _unseen(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _UNSEEN or (category == "Zs" and character not in " \u3000") or character in _FILLERS


def _number(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
