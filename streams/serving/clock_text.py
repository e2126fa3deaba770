"""Times as texts of sentences."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["time_of_day", "zone_of"]


def time_of_day(ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """Return a time of day with its zone, because readers may be in another; with the date if it is not today."""
    then, now = (datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone) for at_ms in (ms, now_ms))
    return f"{then:%H:%M:%S} {zone_of(then)}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M:%S} {zone_of(then)}"


def zone_of(at: datetime) -> str:
    """Return the name of a time's zone, or its offset from UTC if it has none, as the page does."""
    name = at.tzname() or ""
    return f"UTC{name[:3]}{':' if name[3:] else ''}{name[3:]}" if name.startswith(("+", "-")) else name
