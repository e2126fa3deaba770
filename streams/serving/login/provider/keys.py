"""The signing keys of a provider, cached; fetched again when they are old, or when a token names an unknown one."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from streams.serving.login.provider.problems import ProviderAwayError, ProviderProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Keys", "key_set_of"]

_log = logging.getLogger(__name__)

#: How long keys are cached, so that a revoked key ends.
_CACHE_SECONDS: Final = 5 * 60.0
#: How long cached keys are used while the provider cannot be reached.
_LASTING_SECONDS: Final = 60 * 60.0
#: The least time between two fetches caused by tokens from outside.
_FETCH_PAUSE_SECONDS: Final = 10.0
_MAX_KEYS: Final = 100
#: The minimum of RFC 7518; a shorter key can be factored.
_MIN_RSA_BITS: Final = 2048
#: Asymmetric keys. With a shared secret, ``oct``, a verifier of tokens could issue them.
_KINDS: Final[dict[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class Keys:
    """The keys of one provider.

    Args:
        fetch: fetches the provider's key set; raises ProviderProblem.
        clock: seconds of a monotonic clock.
    """

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._asking = asyncio.Lock()

    async def that_may_verify(self, kid: str | None, *, from_provider: bool = False) -> KeySet:
        """Return the keys, including ``kid`` if the provider has it.

        Args:
            kid: the key id of the token; None without one.
            from_provider: the token came from the provider itself: an unknown key is fetched at once.

        Raises:
            ProviderProblem: there are none, and they cannot be fetched.
        """
        known = self._knows(kid)
        fresh = self._clock() - self._fetched_at < _CACHE_SECONDS
        # While one request fetches, others use the cached keys.
        if not (known and (fresh or self._asking.locked())):
            await self._refresh(kid, at_once=from_provider and not known)
        if self._keys is None or self._clock() - self._fetched_at >= _LASTING_SECONDS:
            raise ProviderAwayError("the keys of the provider cannot be fetched")
        return self._keys

    def _knows(self, kid: str | None) -> bool:
        return self._keys is not None and (kid is None or any(key.kid == kid for key in self._keys))

    async def _refresh(self, kid: str | None, *, at_once: bool) -> None:
        before = self._fetched_at
        async with self._asking:
            if self._fetched_at > before and self._knows(kid):  # another request has fetched them
                return
            if not at_once and self._clock() - self._tried_at < _FETCH_PAUSE_SECONDS:
                return
            self._tried_at = self._clock()
            try:
                keys = key_set_of(await self._fetch())
            except ProviderProblem as problem:
                _log.warning("The keys of the provider cannot be updated: %s.", problem)
                return
            self._keys, self._fetched_at = keys, self._clock()


def key_set_of(body: bytes) -> KeySet:
    """Return the signature keys of a key set; skip its other keys.

    Raises:
        ProviderProblem: it is no key set, or has no such key.
    """
    try:
        entries = orjson.loads(body)["keys"]
    except (ValueError, TypeError, KeyError):
        entries = None
    if not isinstance(entries, list):
        raise ProviderProblem("its keys are no key set")
    keys = [key for entry in entries[:_MAX_KEYS] if (key := _key(entry)) is not None]
    if not keys:
        raise ProviderProblem(f"its key set holds no key for signatures: RSA of {_MIN_RSA_BITS} bits or more, EC or OKP")
    return KeySet(list(keys))


def _key(entry: Any) -> RSAKey | ECKey | OKPKey | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    kind = _KINDS.get(str(entry.get("kty")))
    if kind is None or (kind is RSAKey and _rsa_bits(entry.get("n")) < _MIN_RSA_BITS):
        return None
    try:
        return kind.import_key(entry)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _rsa_bits(modulus: object) -> int:
    # Six bits a character of Base64; the last may be padding.
    return len(modulus.rstrip("=")) * 6 // 8 * 8 if isinstance(modulus, str) else 0
