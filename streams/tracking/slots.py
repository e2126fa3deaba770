"""Capacity and contacts in use of an agent, by channel, as last reported (``docs/counting.md`` section 13)."""

from __future__ import annotations

from typing import Any

__all__ = ["SlotReport", "Slots", "slot_report_of", "slots_after", "slots_of"]

#: Channel (None: all), capacity, contacts in use; None if not reported.
SlotReport = tuple[str | None, int | None, int | None]
#: The last report of each channel.
Slots = tuple[SlotReport, ...]

#: No agent has more contacts at a time: larger numbers are ignored.
_MOST = 1_000


def slot_report_of(event: Any) -> SlotReport | None:
    """Return the slots in a decoded change of state, None without any."""
    capacity, in_use = (None if number is None or number > _MOST else number for number in (event.capacity, event.in_use))
    return None if capacity is None and in_use is None else (event.channel, capacity, in_use)


def slots_after(slots: Slots, report: SlotReport) -> Slots:
    """Return the slots after a report: of all channels together, or of single ones."""
    channel, capacity, in_use = report
    by_channel = {slot[0]: slot for slot in slots if (slot[0] is None) == (channel is None)}
    _, capacity_before, in_use_before = by_channel.get(channel, (None, None, None))
    by_channel[channel] = (channel, capacity_before if capacity is None else capacity, in_use_before if in_use is None else in_use)
    return tuple(sorted(by_channel.values(), key=str))


def slots_of(slots: Slots) -> tuple[int, int] | None:
    """Return capacity and contacts in use, over channels with both; None if there is none."""
    known = [(capacity, in_use) for _, capacity, in_use in slots if capacity is not None and in_use is not None]
    return (sum(capacity for capacity, _ in known), sum(in_use for _, in_use in known)) if known else None
