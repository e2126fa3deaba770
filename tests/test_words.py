"""What people read while they use the product is in the field's words: no dialect in messages, logs and help texts."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]

#: Word or phrase → what is written in its place.
INSTEAD = {
    r"nobody|somebody|whoever": "the role that is meant",
    r"(counted|count|counting|counts) (\w+ )?anew": "recomputed, recounted",
    r"(made|makes|make) anew": "recreated",
    r"(is|are|was|were|be|been) set aside|set aside (since|at|before)": "dead-lettered",
    r"(is|are|was|were|be|been|cannot be) sent back|sends? back": "replayed",
    r"without a farewell|let go": "did not stop in time",
    r"does not live": "is not alive",
    r"an error of ours": "internal error",
    r"is no folder": "the directory does not exist",
    r"it is awaited": "waiting for it to be created",
    r"the newest so many": "show at most N",
    r"take(n)? back in": "restore",
    r"bent records?": "malformed records",
    r"mend the sender": "fix the sender",
}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and content of every text in a source that is neither docstring nor slot: messages, help texts, logs."""
    tree = ast.parse(source)
    unread = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__slots__":
            unread |= {id(each) for each in ast.walk(node.value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unread:
            yield node.lineno, node.value


def dialect(text: str) -> list[str]:
    """Return what a text says in words that are not used any more, and what to write."""
    found = ((re.search(rf"\b({words})\b", text, re.IGNORECASE), instead) for words, instead in INSTEAD.items())
    return [f"{match[0]!r}: write {instead!r}" for match, instead in found if match is not None]


def test_messages_are_in_the_words_of_the_field() -> None:
    """No text of the package has a word of the list."""
    found = []
    for path in sorted((ROOT / "streams").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}:{line}: {each}" for line, text in texts(path.read_text(encoding="utf-8")) for each in dialect(text)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        'log.error("%s was made anew")',
        'print(f"{n} records were set aside since {t}")',
        'parser.add_argument("--limit", help="the newest so many")',
        'fail("nobody is there to be asked")',
    ],
)
def test_dialect_is_seen(source: str) -> None:
    """In a log, a formatted text, a help text, an error."""
    assert [each for _, text in texts(source) for each in dialect(text)]


def test_docstrings_are_no_messages() -> None:
    """Nor are slots, names of what is served, or reasons that are public."""
    assert [*texts('class Agent:\n    __slots__ = ("nobody",)\n')] == []
    assert [*texts('"""Set aside: was set aside."""\ndef f():\n    """Made anew."""\n')] == []
    assert dialect("source_quarantined") == []
