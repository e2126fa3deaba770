"""Who may send to the gateway, and how much: bearer tokens and token buckets; no network, and the clock is injected."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TOKENS_VARIABLE", "Bucket", "Senders", "TokensError"]

#: ``name=token`` pairs, separated by commas or white space; one name may have several tokens, while one replaces another.
TOKENS_VARIABLE: Final = "CONTACT_STREAMS_GATEWAY_TOKENS"

#: Shorter tokens can be guessed.
_MIN_TOKEN_LENGTH: Final = 16

#: Of the Authorization header; what is longer is not hashed.
_MAX_HEADER_LENGTH: Final = 1000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")


class TokensError(ValueError):
    """The tokens cannot be used; the message names the entry, never the token."""


class Senders:
    """The senders that have a token."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        """Take token → sender name."""
        # Digests have one length, so that comparing them tells nothing of a token's.
        self._digests = [(_digest(token), name) for token, name in (tokens or {}).items()]

    @classmethod
    def parse(cls, text: str) -> Senders:
        """Return the senders of ``name=token`` pairs.

        Raises:
            TokensError: an entry is no pair, a name or a token is unfit, or two names share a token.
        """
        tokens: dict[str, str] = {}
        for number, entry in enumerate(re.split(r"[,\s]+", text.strip(", \t\r\n")), start=1):
            name, separator, token = entry.partition("=")
            if not entry:
                continue
            if not separator or not _NAME.fullmatch(name):
                message = f"entry {number}: write name=token, the name of letters, digits, _ . : / - and at most 80 characters"
                raise TokensError(message)
            if len(token) < _MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable():
                message = f"entry {number} ({name}): a token has at least {_MIN_TOKEN_LENGTH} printable ASCII characters"
                raise TokensError(message)
            if tokens.setdefault(token, name) != name:
                message = f"entry {number} ({name}): the same token belongs to {tokens[token]}"
                raise TokensError(message)
        return cls(tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    @property
    def names(self) -> list[str]:
        """The names, each once."""
        return sorted({name for _, name in self._digests})

    def named_by(self, authorization: str | None) -> str | None:
        """Return whose token an Authorization header carries, None for nobody's.

        Every token is compared, each in constant time: how long it takes tells nothing.
        """
        if authorization is None or len(authorization) > _MAX_HEADER_LENGTH:
            return None
        scheme, _, token = authorization.partition(" ")
        given = _digest(token.strip())
        found = None
        for digest, name in self._digests:
            if hmac.compare_digest(digest, given):
                found = name
        return found if scheme.lower() == "bearer" else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


@dataclass(slots=True)
class Bucket:
    """A token bucket that may go into debt: a request is let in while anything is left, and pays for what it held.

    Args:
        per_second: how much flows in.
        burst: how much it holds.
        now: monotonic seconds.
    """

    per_second: float
    burst: float
    now: Callable[[], float]
    _level: float = math.inf
    _at: float = -math.inf

    def wait_seconds(self) -> float:
        """Return 0 if a request may come in, else how long until one may."""
        now = self.now()
        self._level = min(self.burst, self._level + (now - self._at) * self.per_second) if math.isfinite(self._at) else self.burst
        self._at = now
        return 0.0 if self._level > 0 else (-self._level) / self.per_second + 1 / self.per_second

    def pay(self, amount: float) -> None:
        """Take out what a request cost."""
        self._level -= amount
