"""The prefix of topic names, in a module of its own: commands declare their options without loading the models."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_PREFIX"]

#: What the full names of all topics begin with, unless the configuration sets another prefix.
DEFAULT_PREFIX: Final = "contactcenter"
