"""Which workers are silent, by the records of the heartbeat topic; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SILENCE_SECONDS", "Silence"]

#: A worker without a heartbeat for this long, in place of two a second, is dead, paused or cut off.
SILENCE_SECONDS = 2.5

#: The most that the time between two own heartbeats counts: where processors are short, other workers are late as well.
_MAX_STEP_MS = 1000

#: After a longer gap between own heartbeats, this worker was paused or Kafka was away: other workers need not be silent.
_PAUSED_MS = 3000

#: A removed worker that reports again cannot be removed again for this long: an overloaded one must not cause endless rebalances.
#: Meanwhile Kafka's session timeout applies.
_PARDON_MS = 60_000


@dataclass(slots=True)
class _LastSeen:
    #: Empty once it has been removed.
    member: str
    #: By the clock below.
    at_ms: int
    not_before_ms: int = 0


class Silence:
    """Judges by the broker's times alone, in the order of the topic: all workers reach the same decision.

    Its clock advances with this worker's own heartbeats, in bounded steps: another worker is silent for as long as only own heartbeats
    arrive. So neither a pause of this worker nor one of Kafka makes others look dead.
    """

    def __init__(self, own: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Judge as the worker named ``own``."""
        self._own = own
        self._silence_ms = int(silence_seconds * 1000)
        self._last_seen: dict[str, _LastSeen] = {}
        self._own_at: int | None = None
        self._clock_ms = 0

    def record_heartbeat(self, worker: str, member: str | None, at_ms: int) -> list[tuple[str, str]]:
        """Record a heartbeat, a clean stop if ``member`` is None; return worker and group member of those that are silent now."""
        if worker == self._own:
            return self._judge(at_ms)
        if member is None:
            self._last_seen.pop(worker, None)
            return []
        known = self._last_seen.setdefault(worker, _LastSeen("", 0))
        known.at_ms = self._clock_ms + (0 if self._own_at is None else _step(at_ms - self._own_at))
        # Between two memberships it has no name in the group: only the previous member could be removed.
        known.member = member or known.member
        return []

    def record_removal(self, worker: str) -> None:
        """Record that the group has removed a silent worker: it is not returned again while it stays silent."""
        known = self._last_seen.get(worker)
        if known is not None:
            known.member, known.not_before_ms = "", self._clock_ms + _PARDON_MS

    def _judge(self, at_ms: int) -> list[tuple[str, str]]:
        if self._own_at is None:
            # Just started. Kafka answers, so a live worker is seen within half the time.
            self._clock_ms += self._silence_ms // 2
        else:
            self._clock_ms += _step(at_ms - self._own_at)
            if at_ms - self._own_at > _PAUSED_MS:
                for known in self._last_seen.values():
                    known.at_ms = self._clock_ms
        self._own_at, now = at_ms, self._clock_ms
        for worker in [worker for worker, known in self._last_seen.items() if not known.member and now > known.not_before_ms > 0]:
            del self._last_seen[worker]
        return [
            (worker, known.member)
            for worker, known in self._last_seen.items()
            if known.member and now >= known.not_before_ms and now - known.at_ms >= self._silence_ms
        ]


def _step(ms: int) -> int:
    return min(max(ms, 0), _MAX_STEP_MS)
