"""How often an account may send requests, on average and at once; callers pass the time."""

from __future__ import annotations

from typing import Final

__all__ = ["REQUESTS_PER_MINUTE", "RequestRates"]

#: Of one account, unless the access file sets another number: a board sends 15 to 30 a minute, and a user may have 20 boards.
REQUESTS_PER_MINUTE: Final = 1200

_SECONDS: Final = 60.0
#: Beyond this many accounts, idle ones are dropped.
_REMEMBERED: Final = 10_000


class RequestRates:
    """Recent requests of accounts, one number each (the generic cell rate algorithm, a token bucket of a minute's requests)."""

    def __init__(self) -> None:
        #: Account → when its requests so far no longer count, in seconds.
        self._until: dict[str, float] = {}
        self._drop_at = _REMEMBERED
        #: The accounts that had to wait, and have not been idle since.
        self._waiting: set[str] = set()

    def __len__(self) -> int:
        return len(self._until)

    def wait(self, account: str, now: float, per_minute: int) -> float:
        """Accept a request and return 0, or return after how many seconds one would be accepted; a refused one does not count."""
        step = _SECONDS / per_minute
        ahead = self._until.get(account, now) - now
        if ahead <= 0.0:
            ahead = 0.0
            self._waiting.discard(account)
        elif ahead + step > _SECONDS:
            return ahead + step - _SECONDS
        self._until[account] = now + ahead + step
        if len(self._until) > self._drop_at:
            self._drop_idle(now)
        return 0.0

    def is_new(self, account: str) -> bool:
        """Return whether an account that has to wait does so for the first time since it was idle."""
        if account in self._waiting:
            return False
        self._waiting.add(account)
        return True

    def _drop_idle(self, now: float) -> None:
        self._until = {account: until for account, until in self._until.items() if until > now}
        self._waiting.intersection_update(self._until)
        self._drop_at = max(_REMEMBERED, 2 * len(self._until))
