"""Times as sentences name them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["time_of_day", "zone_of"]


def time_of_day(ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """Return a time of day with its zone, for readers may be elsewhere; with the date if that is another day than now."""
    then, now = (datetime.fromtimestamp(each / 1000, UTC).astimezone(zone) for each in (ms, now_ms))
    return f"{then:%H:%M:%S} {zone_of(then)}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M:%S} {zone_of(then)}"


def zone_of(at: datetime) -> str:
    """Return how the zone of a time is called, as the page does where it has no name but what it differs by from UTC."""
    name = at.tzname() or ""
    return f"UTC{name[:3]}{':' if name[3:] else ''}{name[3:]}" if name.startswith(("+", "-")) else name
