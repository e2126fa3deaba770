"""Release of freed memory to the machine: each flush takes many megabytes for a moment, at other addresses than the one before."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from streams.engine.health import Health

__all__ = ["RELEASE_SECONDS", "collect_seldom", "hold_little", "hold_until_release", "release_memory", "release_regularly"]

#: Seconds between two releases; at least 1,000 times the duration of the last one, which grows with the memory in use.
RELEASE_SECONDS = 15.0
_PAUSE_FACTOR = 1000

#: Seconds between two collections of the young generation. Each object is scanned once, however often; nothing is counted meanwhile.
_COLLECT_SECONDS = 1.0
#: With fewer young objects a collection would find little.
_FEW_YOUNG = 20_000
#: Above this share of processor time no event waits for a collection alone. The process then collects only when memory is released:
#: by then most young objects are gone.
_FULL_LOAD = 0.95

#: New objects before a collection of cycles, and collections of the young between two of an older generation. Counted state has no
#: cycles; with fewer new objects, a collection scans the rows and records of a flush, which are gone after it.
_YOUNG, _LOOKS, _MIDDLE_LOOKS = 1_000_000, 50, 100

#: Parameters of glibc's mallopt: the free memory at the end that is released, the size from which a block is mapped separately, and
#: the number of arenas.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 128 * 1024
#: The largest threshold that glibc accepts; and what a flush or fetch allocates again and again.
_HUGE_BYTES, _REUSED_BYTES = 32 * 1024 * 1024, 64 * 1024 * 1024


def _glibc() -> ctypes.CDLL | None:
    """Return glibc, None if the process has another C library."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


def collect_seldom() -> None:
    """Have Python collect cycles only after a million new objects; ``release_memory`` collects as well."""
    gc.set_threshold(_YOUNG, _LOOKS, _MIDDLE_LOOKS)


def hold_little() -> None:
    """Have large blocks released when freed, and free memory shared by all threads; call it before there are threads.

    By default glibc retains blocks up to the largest one freed so far, and gives each thread separate free memory.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_ARENA_MAX, 1)


def hold_until_release() -> None:
    """Have freed blocks reused until ``release_memory``, and free memory shared by all threads; call it before there are threads.

    The kernel zeroes a separately mapped block page by page, at every flush and fetch: building a request of 3 MB took 18 ms in place
    of 1.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _HUGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _REUSED_BYTES)
        library.mallopt(_M_ARENA_MAX, 1)


def release_memory() -> None:
    """Collect young cycles, and release every free page; the latter with glibc alone."""
    # With the worker's high thresholds the middle generation would be collected every half hour, and the old one is huge.
    gc.collect(1)
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


async def release_regularly(_health: Health) -> NoReturn:
    """Release free memory regularly; in between, unless at full load, collect the young generation, so that each collection is short."""
    due = time.monotonic() + RELEASE_SECONDS
    while True:
        since, computed = time.monotonic(), time.process_time()
        await asyncio.sleep(_COLLECT_SECONDS)
        began = time.monotonic()
        if began < due:
            if gc.get_count()[0] >= _FEW_YOUNG and time.process_time() - computed < _FULL_LOAD * (began - since):
                gc.collect(1)
        else:
            release_memory()
            ended = time.monotonic()
            due = ended + max(RELEASE_SECONDS, _PAUSE_FACTOR * (ended - began))
