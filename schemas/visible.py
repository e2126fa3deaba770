"""Names as people and terminals see them: what cannot be seen is shown by its number, what commands a terminal is no command."""

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
#: Where every character can be seen there is nothing to do: plain text, kana, kanji and what is between.
_PLAIN = re.compile("[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u3001-\u312f\u4e00-\u9fff\uff01-\uff9f]*").fullmatch
_EDGES = re.compile("^[ \u3000]+|[ \u3000]+$| {2,}")


def visible(name: str) -> str:
    """Return a name with everything in it that cannot be seen by its number, as the page shows it: ``sales⟨U+200B⟩``."""
    numbered = name.replace("⟨", "⟨U+27E8⟩") if "⟨" in name else name
    spaced = _EDGES.sub(lambda found: found[0].replace(" ", "␣").replace("\u3000", "⟨U+3000⟩"), numbered)
    return spaced if _PLAIN(spaced) else "".join(_number(each) if _unseen(each) else each for each in spaced)


def harmless(text: str) -> str:
    """Return lines of text without anything that a terminal would obey, or that would turn their order."""
    return text if _PLAIN(text) else "".join(_number(each) if each not in "\n\t" and _unseen(each) else each for each in text)


def in_one_line(text: str) -> str:
    """Return a text as ``harmless`` does, and without ends of lines and tabs: where a line says one thing, no text may begin another."""
    return text if _PLAIN(text) else "".join(_number(each) if _unseen(each) else each for each in text)


def escaped_json(document: str) -> str:
    """Return a JSON document that says the same without a character that cannot be seen."""
    return document if _PLAIN(document) else "".join(_in_json(each) if each != "\n" and _unseen(each) else each for each in document)


def _unseen(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _UNSEEN or (category == "Zs" and character not in " \u3000") or character in _FILLERS


def _number(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
