"""The compiled extension `_compiled.c`, where a compiler was present."""

from __future__ import annotations

from typing import Any

__all__ = ["compiled"]

#: The module, as `_compiled.pyi` describes it; None: callers use their Python code.
compiled: Any
try:
    from schemas import _compiled
except ImportError:
    compiled = None
else:
    compiled = _compiled
