"""Pending logins at the provider, each bound to the browser that began it; the server stores none."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ATTEMPT_SECONDS", "Attempt", "Attempts"]

#: How long a user may take to log in at the provider.
ATTEMPT_SECONDS: Final = 10 * 60

_COOKIE: Final = re.compile(r"(\d{1,12}\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{0,2000})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One pending login; the values are secrets of the browser and of this process."""

    #: Returned in the provider's redirect: proves that this browser began the login.
    state: str = field(repr=False)
    #: Returned in the ID token.
    nonce: str = field(repr=False)
    #: Proves to the provider that the server that began the login redeems the code (PKCE).
    verifier: str = field(repr=False)
    #: The path to redirect to after the login.
    target: str

    @property
    def challenge(self) -> str:
        """The S256 challenge of the verifier."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())


class Attempts:
    """Begins attempts, and recognizes them by the cookie of their browser; ``clock`` returns seconds since the epoch.

    All values are derived from the cookie with a key of this process: attempts take no memory, and end with the process.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def begin(self, target: str) -> tuple[str, Attempt]:
        """Return the value of the cookie, and the attempt."""
        seed = f"{int(self._clock())}.{secrets.token_urlsafe(32)}.{_text(target.encode())}"
        return f"{seed}.{self._derived('cookie', seed)}", self._attempt(seed, target)

    def of(self, cookie: str) -> Attempt | None:
        """Return the attempt of a cookie; None for a cookie that is not from here, or too old."""
        match = _COOKIE.fullmatch(cookie)
        if match is None or not hmac.compare_digest(self._derived("cookie", match[1]), match[2]):
            return None
        began, _, target = match[1].split(".")
        if not 0 <= self._clock() - int(began) < ATTEMPT_SECONDS:
            return None
        try:
            return self._attempt(match[1], base64.urlsafe_b64decode(target + "=" * (-len(target) % 4)).decode())
        except (binascii.Error, UnicodeDecodeError):
            return None

    def _attempt(self, seed: str, target: str) -> Attempt:
        return Attempt(self._derived("state", seed), self._derived("nonce", seed), self._derived("verifier", seed), target)

    def _derived(self, use: str, seed: str) -> str:
        return _text(hmac.new(self._key, f"{use} {seed}".encode(), hashlib.sha256).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
