"""The record of a window as JSON, joined from encoded parts in the order of names; fields that are no content follow separately."""

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

#: Sorted, as all published records: so a record read back from the topic compares equal.
_encode: Final = Encoder(order="sorted").encode
_FINAL: Final = (b',"final":false,"kind":"window","kpis":', b',"final":true,"kind":"window","kpis":')


@lru_cache(maxsize=4096)
def written_bounds(start_ms: int, end_ms: int) -> bytes:
    """Return the JSON fields of start and end of a window."""
    return b',"window_end":"%b","window_start":"%b"' % (format_ms(end_ms).encode(), format_ms(start_ms).encode())


def window_content(
    state: ScopeState,
    name: str,
    bounds: bytes,
    figures: EncodedFigures,
    extra: Mapping[str, Any],
    *,
    final: bool,
    late_events: int,
) -> bytes:
    """Return the content of a record as JSON without the last brace.

    Args:
        state: of the scope and channel.

        name: of the window.

        bounds: from ``written_bounds``, where they are content; empty for trailing windows, whose bounds move without a revision.

        figures: of the sums.

        extra: fields of intervals and days beside their figures by offer.

        final: whether only late events change it.

        late_events: number of late events.
    """
    if extra:
        return b"".join(_with_others(state, name, bounds, figures, extra, final=final, late_events=late_events))
    return b"".join(
        (
            figures.head, state.written_channel, figures.counts, _FINAL[final], figures.kpis, b',"late_events":%d' % late_events,
            state.written_window(name), bounds,
        )
    )  # fmt: skip


def _with_others(
    state: ScopeState, name: str, bounds: bytes, figures: EncodedFigures, extra: Mapping[str, Any], *, final: bool, late_events: int
) -> Iterator[bytes]:
    yield figures.head
    if "by_outcome" in extra:
        yield b'"by_outcome":{"kpis":%b},' % extra["by_outcome"]["kpis"]
    yield state.written_channel
    yield figures.counts
    if "exceptions" in extra:
        yield b',"exceptions":%b' % _encode(extra["exceptions"])
    yield from (_FINAL[final], figures.kpis, b',"late_events":%d' % late_events, state.written_window(name), bounds)
    if "without_exceptions" in extra:
        yield b',"without_exceptions":{"kpis":%b}' % extra["without_exceptions"]["kpis"]
