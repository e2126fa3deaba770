"""Memory that was freed goes back to the machine: a flush takes many megabytes for a moment, in other places than the flush before."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from streams.engine.health import Health

__all__ = ["GIVE_BACK_SECONDS", "give_back", "give_back_regularly", "hold_little", "hold_until_given_back", "look_seldom_for_cycles"]

#: Between two times. It takes some milliseconds, more the more there is, and so much longer than that must lie between them.
GIVE_BACK_SECONDS = 15.0
_REST = 1000

#: Between two looks at what is young. Each object is looked at once, however often there is a look; nothing is counted meanwhile.
_LOOK_SECONDS = 1.0
#: With fewer that are young a look would find little.
_FEW_YOUNG = 20_000
#: A process that computes for more than this share of the time has no event that waits for a look alone. It looks only when memory
#: goes back: by then most of what a look would have gone through is gone without one.
_FULL_LOAD = 0.95

#: New objects between two looks for those that only refer to each other, and looks at the young between two at those that are older.
#: What is counted has no cycles; with fewer, a look goes through the rows and records of a flush, which are gone after it.
_YOUNG, _LOOKS, _MIDDLE_LOOKS = 1_000_000, 50, 100

#: Parameters of glibc's mallopt: how much may be free at the end before it goes back by itself, the size from which a block is mapped by
#: itself, and how many arenas there are.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 128 * 1024
#: The largest that glibc takes; and what a flush or fetch takes again and again.
_HUGE_BYTES, _REUSED_BYTES = 32 * 1024 * 1024, 64 * 1024 * 1024


def _glibc() -> ctypes.CDLL | None:
    """Return the C library of the process, None if it is another one."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


def look_seldom_for_cycles() -> None:
    """Have Python look for objects that only refer to each other when there are a million new ones; ``give_back`` looks as well."""
    gc.set_threshold(_YOUNG, _LOOKS, _MIDDLE_LOOKS)


def hold_little() -> None:
    """Have large blocks go back when they are freed, and all threads share what is free; before there are threads.

    By itself glibc takes the largest block freed so far for one that is worth keeping, and gives each thread free memory of its own.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_ARENA_MAX, 1)


def hold_until_given_back() -> None:
    """Have blocks that are freed used again until ``give_back``, and all threads share what is free; before there are threads.

    A block that is mapped by itself is zeroed by the kernel page by page, at every flush and fetch: a request of 3 MB took 18 ms to
    put together in place of 1.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, _HUGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _REUSED_BYTES)
        library.mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Free what only refers to itself, of what is young, and return every page that is free; the latter with glibc alone."""
    # The thresholds of the worker are high: the middle generation would be looked at every half hour, and the old one is huge.
    gc.collect(1)
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


async def give_back_regularly(_health: Health) -> NoReturn:
    """Give back what is free, again and again; in between, look at what is young, so that no look takes long: not at full load."""
    due = time.monotonic() + GIVE_BACK_SECONDS
    while True:
        since, computed = time.monotonic(), time.process_time()
        await asyncio.sleep(_LOOK_SECONDS)
        began = time.monotonic()
        if began < due:
            if gc.get_count()[0] >= _FEW_YOUNG and time.process_time() - computed < _FULL_LOAD * (began - since):
                gc.collect(1)
        else:
            give_back()
            ended = time.monotonic()
            due = ended + max(GIVE_BACK_SECONDS, _REST * (ended - began))
