"""Every queue in one interval of the past: the board as it was, from the interval windows that the store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.times import format_ms
from streams.serving.intervals import interval_document
from streams.serving.store import TRENDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.access.views import View
    from streams.serving.store import Entry, Store

__all__ = ["earlier_of"]

_SCOPES = ("queue", "total")


def earlier_of(store: Store, at_ms: int | None, targets: Mapping[str, float], view: View) -> dict[str, Any]:
    """Return queues and totals, as far as a view shows them, in the interval that holds an instant; ``targets`` are those of queues.

    Without an instant it is the last interval that is over, else the last one. Start and end are null where no interval is held.
    """
    held = [each for each in store.group(TRENDS) if _is_shown(each, view)]
    # A record can be newer than the progress told once a second.
    as_of_ms = max([store.as_of_ms or 0, *(each.as_of_ms or 0 for each in held)])
    starts = sorted({each.window_start_ms for each in held})
    if at_ms is None:
        over = [each.window_start_ms for each in held if (each.window_end_ms or 0) <= as_of_ms]
        at_ms = max(over or starts, default=None)
    found = [each for each in held if at_ms is not None and each.window_start_ms <= at_ms < (each.window_end_ms or 0)]
    return {
        "window": TRENDS,
        "start": format_ms(min(each.window_start_ms for each in found)) if found else None,
        "end": format_ms(max(each.window_end_ms or 0 for each in found)) if found else None,
        "starts": [format_ms(each) for each in starts],
        "scopes": [
            {
                "scope_kind": each.scope_kind,
                "scope": each.scope,
                "channel": each.channel,
                "target": targets.get(each.scope) if each.scope_kind == "queue" else None,
                **interval_document(each, as_of_ms),
            }
            for each in found
        ],
    }


def _is_shown(entry: Entry, view: View) -> bool:
    return entry.channel is not None and entry.scope_kind in _SCOPES and view.sees(entry.scope_kind, entry.scope)
