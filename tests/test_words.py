"""Texts that users read, and the names, comments and docstrings that developers read, are in the field's words."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).parents[1]
PACKAGES = ("streams", "schemas", "benchmarks")

#: Word or phrase → what is written in its place.
INSTEAD = {
    r"nobody|somebody|anybody|everybody|whoever": "the role that is meant",
    r"(counted|count|counting|counts) (\w+ )?anew": "recomputed, recounted",
    r"(made|makes|make) anew": "recreated",
    r"anew": "again, restarted, reset",
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
#: The same in comments and docstrings, where the rest of the dialect hides as well.
INSTEAD_IN_PROSE = INSTEAD | {
    r"told": "reported, published, notified, configured",
    r"said": "reported, returned, stated",
    r"heard( of)?": "received, last seen",
    r"takes? note": "records",
    r"says? whether": "returns whether",
}
#: Parts of names → what names say in their place.
INSTEAD_IN_NAMES = {
    "told": "reported, published, settings, entry",
    "tell": "report, publish, notify",
    "tells": "reports, publishes, notifies",
    "said": "reported, text",
    "says": "reports, text",
    "heard": "received, last_seen",
    "anew": "again, recomputed, reset",
    "nobody": "the role that is meant",
    "somebody": "the role that is meant",
    "whoever": "the role that is meant",
    "apart": "separate",
    "stood": "was",
}
#: Names that are public: of fields and models of records, answers and stored state.
PUBLIC = frozenset({"counted_anew", "told", "told_at", "ToldTo", "HeardFact", "heard_ms"})
#: Where a file is read, which Python calls so.
POSITION = "tell"
#: What stands in these marks is quoted: a name, a key or what a platform calls it.
QUOTED = re.compile(r"``.*?``|`.*?`|\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)", re.DOTALL)


def sources() -> Iterator[tuple[str, str]]:
    """Yield name and content of every module."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


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


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and content of every comment and docstring, without what they quote."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, QUOTED.sub("", node.value.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], QUOTED.sub("", token.string)


def names(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and parts of every name that is not public, the parts separated by spaces."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string not in {*PUBLIC, POSITION}:
            yield token.start[0], re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", token.string)


def dialect(text: str, instead: Mapping[str, str] = INSTEAD) -> list[str]:
    """Return which words of a text are not used any more, and what to write."""
    if re.search(rf"\b({'|'.join(instead)})\b", text, re.IGNORECASE) is None:
        return []
    found = ((re.search(rf"\b({words})\b", text, re.IGNORECASE), better) for words, better in instead.items())
    return [f"{match[0]!r}: write {better!r}" for match, better in found if match is not None]


def found(name: str, parts: Iterable[tuple[int, str]], instead: Mapping[str, str]) -> list[str]:
    """Return where parts of a module are in dialect."""
    lines: dict[str, int] = {}
    for line, text in parts:
        lines.setdefault(text, line)
    return [f"{name}:{line}: {each}" for text, line in lines.items() for each in dialect(text, instead)]


def test_messages_are_in_the_words_of_the_field() -> None:
    """No text of the product has a word of the list."""
    wrong = [each for name, source in sources() if name.startswith("streams/") for each in found(name, texts(source), INSTEAD)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_comments_and_docstrings_are_in_the_words_of_the_field() -> None:
    """Nor has a comment or docstring."""
    wrong = [each for name, source in sources() for each in found(name, prose(source), INSTEAD_IN_PROSE)]
    assert not wrong, "\n" + "\n".join(wrong)


def test_names_are_in_the_words_of_the_field() -> None:
    """Nor has a name a part that is dialect, unless it is public."""
    wrong = [each for name, source in sources() for each in found(name, names(source), INSTEAD_IN_NAMES)]
    assert not wrong, "\n" + "\n".join(wrong)


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


@pytest.mark.parametrize("source", ['"""Say whether it was told."""\n', "def f():\n    '''Nobody calls it.'''\n", "x = 1  #: said twice\n"])
def test_dialect_is_seen_in_prose(source: str) -> None:
    """In the docstring of a module or function, in a comment."""
    assert found("module", prose(source), INSTEAD_IN_PROSE)


@pytest.mark.parametrize("source", ["told_so = 1", "def tell_all(): ...", "class TellTale: ...", "f(_said=1)", "x.last_heard"])
def test_dialect_is_seen_in_names(source: str) -> None:
    """In a variable, a function, a class, an argument, an attribute."""
    assert found("module", names(source), INSTEAD_IN_NAMES)


def test_docstrings_are_no_messages() -> None:
    """Nor are slots, names of what is served, or reasons that are public."""
    assert [*texts('class Agent:\n    __slots__ = ("nobody",)\n')] == []
    assert [*texts('"""Set aside: was set aside."""\ndef f():\n    """Made anew."""\n')] == []
    assert dialect("source_quarantined") == []


def test_what_is_quoted_or_public_stays() -> None:
    """A key of stored state, a name of a platform, and names that only contain a word."""
    assert found("module", prose('"""State has the key ``told``."""\n# The column `said` of "told apart".\n'), INSTEAD_IN_PROSE) == []
    assert found("module", names("row.told_at; intellect; storytelling"), INSTEAD_IN_NAMES) == []
