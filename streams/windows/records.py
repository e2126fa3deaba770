"""The record of a window as JSON, put together of parts that are JSON already: its names in order, what is no content apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.json import Encoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.windows.scope_state import ScopeState

__all__ = ["window_content"]

#: As everything that is published: what comes back from the topic may have been written in another order.
_encode: Final = Encoder(order="sorted").encode


def window_content(
    state: ScopeState,
    name: str,
    bounds: tuple[str, str] | None,
    figures: Mapping[str, Any],
    by_label: bytes | None,
    counts: bytes,
    otherwise: Mapping[str, Any],
    *,
    final: bool,
    late_events: int,
) -> bytes:
    """Return what a record says, open: without the last brace.

    Args:
        state: the scope and channel.

        name: of the window.

        bounds: start and end, where they are part of what it says: those of trailing windows move on without a word.

        figures: those of the window, as JSON.

        by_label: those by label; None where there are none.

        counts: the sums.

        otherwise: what intervals and days say beside their figures by offer.

        final: whether only late events change it.

        late_events: how many came late.
    """
    parts = [b"{"]
    others = figures.get("by_definition")
    if others:
        parts += (b'"by_definition":{', b",".join([_encode(label) + b":" + others[label] for label in sorted(others)]), b"},")
    if by_label is not None:
        parts += (b'"by_label":', by_label, b",")
    if "by_outcome" in otherwise:
        parts += (b'"by_outcome":{"kpis":', otherwise["by_outcome"]["kpis"], b"},")
    parts += (state.written_channel, counts, b',"definitions":', figures["definitions"])
    if "exceptions" in otherwise:
        parts += (b',"exceptions":', _encode(otherwise["exceptions"]))
    parts += (b',"final":true,"kind":"window","kpis":' if final else b',"final":false,"kind":"window","kpis":', figures["kpis"])
    parts += (b',"late_events":%d' % late_events, state.written_window(name))
    if bounds is not None:
        parts.append(b',"window_end":"%b","window_start":"%b"' % (bounds[1].encode(), bounds[0].encode()))
    if "without_exceptions" in otherwise:
        parts += (b',"without_exceptions":{"kpis":', otherwise["without_exceptions"]["kpis"], b"}")
    return b"".join(parts)
