"""Logins that are under way at the provider, each bound to the browser that began it; nothing is kept of them here."""

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

#: So long may one take to type a name, a password and what else the provider asks for.
ATTEMPT_SECONDS: Final = 10 * 60

_COOKIE: Final = re.compile(r"(\d{1,12}\.[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{0,2000})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login that is under way; the values are secrets of the browser and of this process."""

    #: Comes back in the address that the provider sends the browser to: who did not begin does not know it.
    state: str = field(repr=False)
    #: Comes back in the ID token.
    nonce: str = field(repr=False)
    #: Proves to the provider that who began asks for the tokens (PKCE).
    verifier: str = field(repr=False)
    #: The path where the login leads.
    target: str

    @property
    def challenge(self) -> str:
        """What is told of the verifier at the beginning, by S256."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())


class Attempts:
    """Makes attempts, and knows them again by the cookie of their browser; ``clock`` tells seconds since the epoch.

    All values are made of the cookie by a key of this process: a flood of attempts takes no memory, and one ends with the process.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def begin(self, target: str) -> tuple[str, Attempt]:
        """Return the value of the cookie, and the attempt."""
        made = f"{int(self._clock())}.{secrets.token_urlsafe(32)}.{_text(target.encode())}"
        return f"{made}.{self._derived('cookie', made)}", self._attempt(made, target)

    def of(self, cookie: str) -> Attempt | None:
        """Return the attempt of a cookie; None for one that was not made here, or too long ago."""
        found = _COOKIE.fullmatch(cookie)
        if found is None or not hmac.compare_digest(self._derived("cookie", found[1]), found[2]):
            return None
        began, _, target = found[1].split(".")
        if not 0 <= self._clock() - int(began) < ATTEMPT_SECONDS:
            return None
        try:
            return self._attempt(found[1], base64.urlsafe_b64decode(target + "=" * (-len(target) % 4)).decode())
        except (binascii.Error, UnicodeDecodeError):
            return None

    def _attempt(self, made: str, target: str) -> Attempt:
        return Attempt(self._derived("state", made), self._derived("nonce", made), self._derived("verifier", made), target)

    def _derived(self, use: str, made: str) -> str:
        return _text(hmac.new(self._key, f"{use} {made}".encode(), hashlib.sha256).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
