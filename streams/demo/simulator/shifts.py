"""Shifts: nine per team over 24 hours, each with breaks and lunch, staggered so that a team is never absent entirely."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DAY_MS", "SHIFTS", "Pause", "Shift"]

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
#: A shift repeats after this.
DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Pause:
    """A planned absence; times in milliseconds, from the opening of the center."""

    start_ms: int
    length_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch of work; times in milliseconds, from the opening of the center."""

    start_ms: int
    end_ms: int
    pauses: tuple[Pause, ...]


def _crew(starts: tuple[float, ...], hours: float, pauses: tuple[tuple[float, int, str], ...], stagger: float) -> list[Shift]:
    """Return one shift per start; ``pauses``: hours after the crew's first start, minutes, state; each agent ``stagger`` hours later."""
    return [
        Shift(
            int(start * _HOUR_MS),
            int((start + hours) * _HOUR_MS),
            tuple(
                Pause(int((starts[0] + offset + rank * stagger) * _HOUR_MS), minutes * _MINUTE_MS, state)
                for offset, minutes, state in pauses
            ),
        )
        for rank, start in enumerate(starts)
    ]


#: The shifts of one team: five by day, two by evening, two by night.
SHIFTS: tuple[Shift, ...] = (
    *_crew((-0.1, 0.0, 0.25, 0.5, 1.0), 9.0, ((1.4, 12, "break"), (3.2, 40, "lunch"), (6.4, 12, "break")), 0.55),
    *_crew((3.0, 4.0), 10.0, ((1.75, 12, "break"), (3.0, 30, "meeting"), (5.0, 30, "meal"), (8.0, 12, "break")), 1.0),
    *_crew((12.0, 12.75), 12.0, ((2.0, 12, "break"), (4.0, 30, "meal"), (7.0, 12, "break"), (9.0, 15, "break")), 1.0),
)
