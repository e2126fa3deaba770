"""Throttle guesses: each failure delays further attempts for longer, and no user's failures lock another one out.

Failures are counted under four keys, in bounded memory. A browser in which a user has logged in before is *known* for that user (by a
signed cookie), and only its own failures delay it. All others are delayed by failures

- of their address for that name: after a few,
- of their address for any name: after more, as many users may share an address,
- of that name from any address: after a hundred; then the name permits one attempt every few seconds.

So an attack on a name, even from ten thousand addresses or from the same one, never delays its owner's browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import ceil, log2
from typing import Final

__all__ = ["Attempt", "Rule", "Throttle"]

#: Names and addresses remembered under each rule.
_REMEMBERED: Final = 20_000
#: Among this many of the oldest, the one with the fewest failures is evicted: made-up names evict one another.
_FORGOTTEN_AMONG: Final = 64


#: Rounding error of a wait that is over.
_NOTHING_SECONDS: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How failures under one key delay the next attempt."""

    #: Failures without a delay.
    free: int
    #: The pause after one more, in seconds; it doubles with each further one.
    first_seconds: float = 1.0
    longest_seconds: float
    #: After the pause one failure is forgotten per this time.
    forgiven_seconds: float

    @property
    def most(self) -> float:
        """The most failures counted: more would not delay longer, only be remembered longer."""
        return self.free + 1 + ceil(log2(self.longest_seconds / self.first_seconds))

    def pause(self, failures: float) -> float:
        """Return how long the next attempt must wait, in seconds."""
        beyond = failures - self.free
        return 0.0 if beyond <= 0 else min(self.longest_seconds, self.first_seconds * 2.0 ** (beyond - 1))


#: An address and a name: a user who mistypes has five tries.
PAIR: Final = Rule(free=5, longest_seconds=900.0, forgiven_seconds=600.0)
#: An address: an office behind one address mistypes now and then.
CLIENT: Final = Rule(free=30, longest_seconds=300.0, forgiven_seconds=60.0)
#: A name: NIST SP 800-63B permits at most a hundred consecutive failures.
NAME: Final = Rule(free=100, longest_seconds=10.0, forgiven_seconds=60.0)
#: A browser in which the user has logged in before.
KNOWN: Final = Rule(free=10, longest_seconds=300.0, forgiven_seconds=600.0)


@dataclass(slots=True)
class _Count:
    failures: float = 0.0
    at: float = 0.0


class _Counts:
    """Failures by key, under one rule."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._by_key: dict[str, _Count] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def wait(self, key: str, now: float) -> float:
        count = self._by_key.get(key)
        if count is None:
            return 0.0
        count.at = min(count.at, now)  # a clock set back delays no longer than the pause
        return max(0.0, self._rule.pause(count.failures) - (now - count.at))

    def add(self, key: str, now: float) -> None:
        count = self._by_key.pop(key, None) or _Count(at=now)
        beyond_pause = max(0.0, now - count.at - self._rule.pause(count.failures))
        left = max(0.0, count.failures - beyond_pause / self._rule.forgiven_seconds)
        count.failures = min(self._rule.most, left + 1.0)
        count.at = now
        self._by_key[key] = count
        if len(self._by_key) > _REMEMBERED:
            del self._by_key[min(islice(self._by_key, _FORGOTTEN_AMONG), key=lambda each: self._by_key[each].failures)]

    def undo(self, key: str) -> None:
        count = self._by_key.get(key)
        if count is not None:
            count.failures -= 1.0
            if count.failures <= 0.0:
                del self._by_key[key]

    def forget(self, key: str) -> None:
        self._by_key.pop(key, None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login attempt: the keys under which it counts."""

    name: str
    client: str
    #: The id of a known browser; None for one that is not known for the name.
    browser: str | None = None


class Throttle:
    """Decides which attempts are permitted. The caller passes the time, in seconds."""

    def __init__(self) -> None:
        self._pairs, self._clients, self._names, self._known = _Counts(PAIR), _Counts(CLIENT), _Counts(NAME), _Counts(KNOWN)

    def __len__(self) -> int:
        return len(self._pairs) + len(self._clients) + len(self._names) + len(self._known)

    def begin(self, attempt: Attempt, now: float) -> float:
        """Count an attempt and return 0, or return in how many seconds one is permitted.

        It counts as failed at once, so that parallel attempts are no way around; ``succeeded`` reverts that.
        """
        keys = self._keys(attempt)
        wait = max(counts.wait(key, now) for counts, key in keys)
        if wait > _NOTHING_SECONDS:
            return wait
        for counts, key in keys:
            counts.add(key, now)
        return 0.0

    def succeeded(self, attempt: Attempt) -> None:
        """Record that an attempt was right: forget its own failures, and keep those of others."""
        for counts, key in self._keys(attempt):
            if counts in (self._pairs, self._known):
                counts.forget(key)
            else:
                counts.undo(key)

    def undecided(self, attempt: Attempt) -> None:
        """Revert an attempt that could not be checked."""
        for counts, key in self._keys(attempt):
            counts.undo(key)

    def _keys(self, attempt: Attempt) -> list[tuple[_Counts, str]]:
        if attempt.browser is not None:
            return [(self._known, attempt.browser)]
        return [(self._pairs, f"{attempt.client}\n{attempt.name}"), (self._clients, attempt.client), (self._names, attempt.name)]
