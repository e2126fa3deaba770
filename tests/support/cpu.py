"""How much of a processor something takes, for tests that run beside others."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["timed"]


@contextmanager
def timed() -> Iterator[list[float]]:
    """Yield a list that gets the processor time of what is done; Python looks for no cycles in what other tests left meanwhile."""
    taken: list[float] = []
    enabled = gc.isenabled()
    gc.disable()
    before = time.process_time()
    try:
        yield taken
    finally:
        taken.append(time.process_time() - before)
        if enabled:
            gc.enable()
