"""What topics begin with, by itself: a command declares its options without the models of all that is in them."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_PREFIX"]

#: What the full names of all topics begin with, unless the configuration says otherwise.
DEFAULT_PREFIX: Final = "contactcenter"
