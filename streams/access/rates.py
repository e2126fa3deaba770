"""How often an account may ask, on average and at once; whoever looks says what time it is."""

from __future__ import annotations

from typing import Final

__all__ = ["REQUESTS_PER_MINUTE", "RequestRates"]

#: Of one account, unless the access file says another number: a board asks 15 to 30 times a minute, and a user may have 20 of them.
REQUESTS_PER_MINUTE: Final = 1200

_SECONDS: Final = 60.0
#: Of more accounts, those that have asked for nothing of late are forgotten.
_REMEMBERED: Final = 10_000


class RequestRates:
    """What accounts have asked for of late: of each one number (the generic cell rate algorithm, a token bucket of a minute's requests)."""

    def __init__(self) -> None:
        #: Account → when all that it has asked for so far will be as if it had not been, in seconds.
        self._until: dict[str, float] = {}
        self._look_at = _REMEMBERED
        #: The accounts that were held up, and have not rested since.
        self._held: set[str] = set()

    def __len__(self) -> int:
        return len(self._until)

    def wait(self, account: str, now: float, per_minute: int) -> float:
        """Take a request and return 0, or return after how many seconds one would be taken; what is not taken does not count."""
        step = _SECONDS / per_minute
        ahead = self._until.get(account, now) - now
        if ahead <= 0.0:
            ahead = 0.0
            self._held.discard(account)
        elif ahead + step > _SECONDS:
            return ahead + step - _SECONDS
        self._until[account] = now + ahead + step
        if len(self._until) > self._look_at:
            self._forget(now)
        return 0.0

    def is_new(self, account: str) -> bool:
        """Say, of an account that has to wait, whether it is the first time since it has rested."""
        if account in self._held:
            return False
        self._held.add(account)
        return True

    def _forget(self, now: float) -> None:
        self._until = {account: until for account, until in self._until.items() if until > now}
        self._held.intersection_update(self._until)
        self._look_at = max(_REMEMBERED, 2 * len(self._until))
