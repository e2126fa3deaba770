"""What is compiled of this project: `_compiled.c`, where there was a compiler."""

from __future__ import annotations

from typing import Any

__all__ = ["compiled"]

#: The module, as `_compiled.pyi` describes it; None: who would use it does without.
compiled: Any
try:
    from schemas import _compiled
except ImportError:
    compiled = None
else:
    compiled = _compiled
