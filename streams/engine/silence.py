"""Which workers have fallen silent, by what stands in the topic of their heartbeats; no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SILENCE_SECONDS", "Silence"]

#: A worker whose heartbeat comes twice a second and has not come for so long is dead, paused or cut off.
SILENCE_SECONDS = 2.5

#: Longer between two heartbeats of one's own, one has been paused oneself, or Kafka was away: that says nothing about others.
_OWN_GAP_MS = 1500

#: A worker that was removed and speaks again has this long before it may be removed a second time: an overloaded one must not cause
#: rebalances without end. Meanwhile Kafka's session timeout holds.
_PARDON_MS = 60_000


@dataclass(slots=True)
class _Heard:
    member: str
    at_ms: int
    not_before_ms: int = 0


class Silence:
    """Judges by the broker's times alone, in the order of the topic: every worker that reads it comes to the same end.

    A worker is silent for as long as others were heard *continuously* without it. So neither a pause of one's own nor one of Kafka's
    makes others look dead.
    """

    def __init__(self, own: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        """Judge as the worker named ``own``."""
        self._own = own
        self._silence_ms = int(silence_seconds * 1000)
        self._heard: dict[str, _Heard] = {}
        #: Times of one's own last heartbeat, and of the first since which none was missing.
        self._own_at: int | None = None
        self._own_since = 0

    def heard(self, worker: str, member: str | None, at_ms: int) -> list[tuple[str, str]]:
        """Take a heartbeat, None for ``member`` being a farewell; return worker and group member of those found silent by it."""
        if worker == self._own:
            return self._judge(at_ms)
        if member is None:
            self._heard.pop(worker, None)
            return []
        known = self._heard.get(worker)
        if known is None:
            self._heard[worker] = _Heard(member, at_ms)
        elif member:
            known.member, known.at_ms = member, at_ms
        else:  # between two memberships: alive, but nothing could be removed
            known.at_ms = at_ms
        return []

    def removed(self, worker: str) -> None:
        """Take note that the group has removed a worker found silent: while it stays silent it is not found again."""
        known = self._heard.get(worker)
        if known is not None:
            known.member, known.not_before_ms = "", (self._own_at or 0) + _PARDON_MS

    def _judge(self, at_ms: int) -> list[tuple[str, str]]:
        if self._own_at is None:
            # Just started. Kafka answers, so who lives is heard within half the time; whoever died before need not be waited for longer.
            self._own_since = at_ms - self._silence_ms // 2
        elif at_ms - self._own_at > _OWN_GAP_MS:
            self._own_since = at_ms
        self._own_at = at_ms
        for worker in [worker for worker, known in self._heard.items() if not known.member and at_ms > known.not_before_ms > 0]:
            del self._heard[worker]
        return [
            (worker, known.member)
            for worker, known in self._heard.items()
            if known.member and at_ms >= known.not_before_ms and at_ms - max(known.at_ms, self._own_since) >= self._silence_ms
        ]
