"""The words of the project are few, each explained once in docs/design.md, and in use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
TABLE = DESIGN.split("\n## Words\n")[1].split("\n## ")[0]
WORDS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line.startswith("| ")][2:]

#: A newcomer cannot distinguish more nouns.
MOST_WORDS = 45
#: The most words of a meaning, one sentence.
MOST_IN_A_MEANING = 20
#: What these words replaced: no page is to use them in their old sense again.
REPLACED = ("ledger", "cohort", "matter's", "staff standing", "counted anew", "made anew", "taken back in")


def test_there_are_few() -> None:
    """A table that was not found would have none."""
    assert 0 < len(WORDS) <= MOST_WORDS


def test_each_is_explained_once() -> None:
    """No word is there twice, and no meaning is that of two words."""
    words, meanings = zip(*WORDS, strict=True)

    assert len(set(words)) == len(words)
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize(("word", "meaning"), WORDS, ids=lambda text: text[:20])
def test_a_meaning_is_a_sentence_and_the_word_is_in_use(word: str, meaning: str) -> None:
    """It can be read at once, and some other page uses the word."""
    assert len(meaning.split()) <= MOST_IN_A_MEANING
    assert meaning.endswith(".")
    pages = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "design.md")
    assert re.search(rf"\b{re.escape(word)}s?\b", pages, re.IGNORECASE)


@pytest.mark.parametrize("word", REPLACED)
def test_replaced_words_are_not_in_the_normative_pages(word: str) -> None:
    """Pages about counting use postings and cells, not their former names."""
    for name in ("counting", "judging", "metrics", "contributing"):
        assert word not in (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
