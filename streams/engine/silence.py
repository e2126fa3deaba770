"""Which workers have fallen silent, by what stands in the topic of their heartbeats; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SILENCE_SECONDS", "Silence"]

#: A worker whose heartbeat comes twice a second and has not come for so long is dead, paused or cut off.
SILENCE_SECONDS = 2.5

#: So much of the time between two heartbeats of one's own counts at most: where processors are short, others are late as well.
_MAX_STEP_MS = 1000

#: After a longer time without one of one's own, one has been paused oneself, or Kafka was away: that says nothing about others.
_PAUSED_MS = 3000

#: A worker that was removed and speaks again has this long before it may be removed a second time: an overloaded one must not cause
#: rebalances without end. Meanwhile Kafka's session timeout holds.
_PARDON_MS = 60_000


@dataclass(slots=True)
class _Heard:
    #: Empty once it has been removed.
    member: str
    #: By the clock below.
    at_ms: int
    not_before_ms: int = 0


class Silence:
    """Judges by the broker's times alone, in the order of the topic: every worker that reads it comes to the same end.

    Its clock goes on by one's own heartbeats, in steps that are bounded: a worker is silent for as long as oneself was heard without it. So
    neither a pause of one's own nor one of Kafka's makes others look dead.
    """

    def __init__(self, own: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Judge as the worker named ``own``."""
        self._own = own
        self._silence_ms = int(silence_seconds * 1000)
        self._heard: dict[str, _Heard] = {}
        self._own_at: int | None = None
        self._clock_ms = 0

    def heard(self, worker: str, member: str | None, at_ms: int) -> list[tuple[str, str]]:
        """Take a heartbeat, None for ``member`` being a clean stop; return worker and group member of those found silent by it."""
        if worker == self._own:
            return self._judge(at_ms)
        if member is None:
            self._heard.pop(worker, None)
            return []
        known = self._heard.setdefault(worker, _Heard("", 0))
        known.at_ms = self._clock_ms + (0 if self._own_at is None else _step(at_ms - self._own_at))
        # Between two memberships it has no name in the group: it lives, but the one before is all that could be removed.
        known.member = member or known.member
        return []

    def removed(self, worker: str) -> None:
        """Take note that the group has removed a worker found silent: while it stays silent it is not found again."""
        known = self._heard.get(worker)
        if known is not None:
            known.member, known.not_before_ms = "", self._clock_ms + _PARDON_MS

    def _judge(self, at_ms: int) -> list[tuple[str, str]]:
        if self._own_at is None:
            # Just started. Kafka answers, so live workers are seen within half the time; one that died before is not waited for longer.
            self._clock_ms += self._silence_ms // 2
        else:
            self._clock_ms += _step(at_ms - self._own_at)
            if at_ms - self._own_at > _PAUSED_MS:
                for known in self._heard.values():
                    known.at_ms = self._clock_ms
        self._own_at, now = at_ms, self._clock_ms
        for worker in [worker for worker, known in self._heard.items() if not known.member and now > known.not_before_ms > 0]:
            del self._heard[worker]
        return [
            (worker, known.member)
            for worker, known in self._heard.items()
            if known.member and now >= known.not_before_ms and now - known.at_ms >= self._silence_ms
        ]


def _step(ms: int) -> int:
    return min(max(ms, 0), _MAX_STEP_MS)
