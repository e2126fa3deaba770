"""The record of a window as JSON, put together of parts that are JSON already: its names in order, what is no content apart."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import Encoder

from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.windows.encoded_figures import EncodedFigures
    from streams.windows.scope_state import ScopeState

__all__ = ["window_content", "written_bounds"]

#: As everything that is published: what comes back from the topic may have been written in another order.
_encode: Final = Encoder(order="sorted").encode
_FINAL: Final = (b',"final":false,"kind":"window","kpis":', b',"final":true,"kind":"window","kpis":')


@lru_cache(maxsize=4096)
def written_bounds(start_ms: int, end_ms: int) -> bytes:
    """Return start and end of a window as they stand in its record."""
    return b',"window_end":"%b","window_start":"%b"' % (format_ms(end_ms).encode(), format_ms(start_ms).encode())


def window_content(
    state: ScopeState,
    name: str,
    bounds: bytes,
    said: EncodedFigures,
    otherwise: Mapping[str, Any],
    *,
    final: bool,
    late_events: int,
) -> bytes:
    """Return what a record says, open: without the last brace.

    Args:
        state: the scope and channel.

        name: of the window.

        bounds: start and end as ``written_bounds`` makes them, where they are part of what it says: those of trailing windows move on
            without a word.

        said: what its sums come to.

        otherwise: what intervals and days say beside their figures by offer.

        final: whether only late events change it.

        late_events: how many came late.
    """
    if otherwise:
        return b"".join(_with_others(state, name, bounds, said, otherwise, final=final, late_events=late_events))
    return b"".join(
        (
            said.head, state.written_channel, said.counts, _FINAL[final], said.kpis, b',"late_events":%d' % late_events,
            state.written_window(name), bounds,
        )
    )  # fmt: skip


def _with_others(
    state: ScopeState, name: str, bounds: bytes, said: EncodedFigures, otherwise: Mapping[str, Any], *, final: bool, late_events: int
) -> Iterator[bytes]:
    yield said.head
    if "by_outcome" in otherwise:
        yield b'"by_outcome":{"kpis":%b},' % otherwise["by_outcome"]["kpis"]
    yield state.written_channel
    yield said.counts
    if "exceptions" in otherwise:
        yield b',"exceptions":%b' % _encode(otherwise["exceptions"])
    yield from (_FINAL[final], said.kpis, b',"late_events":%d' % late_events, state.written_window(name), bounds)
    if "without_exceptions" in otherwise:
        yield b',"without_exceptions":{"kpis":%b}' % otherwise["without_exceptions"]["kpis"]
