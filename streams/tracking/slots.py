"""How many contacts a person can take and has, by channel, as last reported (``docs/counting.md`` section 13)."""

from __future__ import annotations

from typing import Any

__all__ = ["SlotReport", "Slots", "slot_report_of", "slots_after", "slots_of"]

#: Channel (None: all), capacity, contacts in use; None what an event does not say.
SlotReport = tuple[str | None, int | None, int | None]
#: The same of each channel, as last said.
Slots = tuple[SlotReport, ...]

#: No agent takes more at a time: a larger number is no number of contacts.
_MOST = 1_000


def slot_report_of(event: Any) -> SlotReport | None:
    """Return what a decoded change of state says of slots, None for nothing."""
    capacity, in_use = (None if number is None or number > _MOST else number for number in (event.capacity, event.in_use))
    return None if capacity is None and in_use is None else (event.channel, capacity, in_use)


def slots_after(slots: Slots, report: SlotReport) -> Slots:
    """Return what is known once an event has said something: of all channels together, or of single ones."""
    channel, capacity, in_use = report
    kept = {each[0]: each for each in slots if (each[0] is None) == (channel is None)}
    _, capacity_before, in_use_before = kept.get(channel, (None, None, None))
    kept[channel] = (channel, capacity_before if capacity is None else capacity, in_use_before if in_use is None else in_use)
    return tuple(sorted(kept.values(), key=str))


def slots_of(slots: Slots) -> tuple[int, int] | None:
    """Return capacity and contacts in use, over the channels of which both are known; None if there is none."""
    known = [(capacity, in_use) for _, capacity, in_use in slots if capacity is not None and in_use is not None]
    return (sum(each[0] for each in known), sum(each[1] for each in known)) if known else None
