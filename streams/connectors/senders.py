"""The senders of a gateway and their rates: bearer tokens and token buckets; no network, and the clock is injected."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.configuration.definitions import effective_ms
from streams.connectors.permissions import Permissions
from streams.listening.tokens import bearer_of, digest_of, is_token
from streams.listening.tokens import new_token as new_token_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.configuration.senders import SendersFile, SenderToken

__all__ = ["TOKENS_VARIABLE", "Bucket", "Senders", "TokensError", "new_token"]

#: ``name=token`` pairs, separated by commas or white space; one name may have several tokens, while one replaces another.
TOKENS_VARIABLE: Final = "CONTACT_STREAMS_GATEWAY_TOKENS"

#: Shorter tokens can be guessed.
_MIN_TOKEN_LENGTH: Final = 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")

_FORM: Final = "cst_"
_HASH_BEGIN: Final = "sha256:"


class TokensError(ValueError):
    """The tokens cannot be used; the message names the entry, never the token."""


class _Key(NamedTuple):
    """One token that is known."""

    digest: bytes
    sender: str
    from_ms: float
    until_ms: float
    #: whether only a token of ``new_token`` fits
    ours: bool


def new_token() -> str:
    """Return a token for a senders file, of 256 random bits."""
    return new_token_of(_FORM)


class Senders:
    """The senders that have a token, and their permissions."""

    def __init__(self, tokens: Mapping[str, str] | None = None, file: SendersFile | None = None) -> None:
        """Read token → sender name, and a senders file; a sender of both has the permissions of the file."""
        # Digests have one length, so that a comparison reveals nothing of a token's.
        self._given = [_Key(digest_of(token), name, -math.inf, math.inf, ours=False) for token, name in (tokens or {}).items()]
        self._has_file = False
        self._keys: list[_Key] = []
        #: The sources that senders may report by name; others, by a pattern, are known once they are reported.
        self.sources: frozenset[str] = frozenset()
        self._permissions: dict[str, Permissions] = {}
        self._take(file)

    @classmethod
    def parse(cls, text: str, file: SendersFile | None = None) -> Senders:
        """Return the senders of ``name=token`` pairs, and of a senders file.

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
        return cls(tokens, file)

    def take(self, file: SendersFile) -> None:
        """Apply another senders file from now on."""
        self._take(file)

    def _take(self, file: SendersFile | None) -> None:
        of_file = {} if file is None else file.senders
        self._has_file = self._has_file or file is not None
        permissions = {key.sender: Permissions.of_own_source(key.sender) for key in self._given}
        self._permissions = permissions | {name: Permissions.of(name, sender) for name, sender in of_file.items()}
        named = (permitted.sources.exact for permitted in self._permissions.values() if permitted.sources is not None)
        self.sources = frozenset[str]().union(*named)
        self._keys = [*self._given, *(_key(name, token) for name, sender in of_file.items() for token in sender.tokens)]

    def __bool__(self) -> bool:
        """Return whether a token is needed: with a senders file it is, also where no sender in it has one."""
        return self._has_file or bool(self._keys)

    @property
    def names(self) -> list[str]:
        """The names, each once."""
        return sorted(self._permissions)

    def permissions_of(self, name: str) -> Permissions | None:
        """Return the permissions of a sender, None for one that is not known."""
        return self._permissions.get(name)

    def senders_of(self, source: str) -> Iterator[str]:
        """Yield the senders that may report a source."""
        for name, permitted in self._permissions.items():
            if permitted.sources is None or source in permitted.sources:
                yield name

    def named_by(self, authorization: str | None, now_ms: float) -> str | None:
        """Return the sender of the token in an Authorization header; None for an unknown token, and outside its period of validity.

        Every token is compared, each in constant time: the duration reveals nothing.
        """
        token = bearer_of(authorization)
        if token is None:
            return None
        given, ours = digest_of(token), is_token(token, _FORM)
        sender = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, given) and (ours or not key.ours) and key.from_ms <= now_ms < key.until_ms:
                sender = key.sender
        return sender


def _key(name: str, token: SenderToken) -> _Key:
    begins = -math.inf if token.not_before is None else effective_ms(token.not_before)
    ends = math.inf if token.not_after is None else effective_ms(token.not_after)
    return _Key(bytes.fromhex(token.hash.removeprefix(_HASH_BEGIN)), name, begins, ends, ours=True)


@dataclass(slots=True)
class Bucket:
    """A token bucket that may go into debt: a request is admitted while anything is left, and pays for its content afterwards.

    Args:
        per_second: the rate of refill.
        burst: the capacity.
        now: monotonic seconds.
    """

    per_second: float
    burst: float
    now: Callable[[], float]
    _level: float = math.inf
    _at: float = -math.inf

    def wait_seconds(self) -> float:
        """Return 0 if a request is admitted, else the wait until one is."""
        now = self.now()
        self._level = min(self.burst, self._level + (now - self._at) * self.per_second) if math.isfinite(self._at) else self.burst
        self._at = now
        return 0.0 if self._level > 0 else (-self._level) / self.per_second + 1 / self.per_second

    def pay(self, amount: float) -> None:
        """Charge the cost of a request."""
        self._level -= amount
