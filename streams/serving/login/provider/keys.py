"""The keys with which a provider signs, as it published them last; taken up anew when they are old, or when a token names another."""

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

#: Keys are published anew after so long, so that one that the provider took back ends.
_KEPT_SECONDS: Final = 5 * 60.0
#: They go on being used for so long while the provider cannot be asked.
_LASTING_SECONDS: Final = 60 * 60.0
#: What strangers send can have keys asked for only so often.
_ASKED_ANEW_SECONDS: Final = 10.0
_MAX_KEYS: Final = 100
#: RFC 7518 asks for at least so much; a shorter key can be factored.
_MIN_RSA_BITS: Final = 2048
#: Kinds of keys with two halves. One secret for both sides, ``oct``, would let anyone who can check a token make one.
_KINDS: Final[dict[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class Keys:
    """The keys of one provider.

    Args:
        fetch: asks the provider for its key set; raises ProviderProblem.
        clock: seconds that only go on.
    """

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched = self._asked = float("-inf")
        self._asking = asyncio.Lock()

    async def that_may_verify(self, kid: str | None, *, from_provider: bool = False) -> KeySet:
        """Return the keys, with the one named ``kid`` if the provider has it.

        Args:
            kid: what the token names; None where it names none.
            from_provider: the token came from the provider itself: a key that is not known is asked for at once.

        Raises:
            ProviderProblem: there are none, and the provider cannot be asked.
        """
        known = self._knows(kid)
        fresh = self._clock() - self._fetched < _KEPT_SECONDS
        # While one request asks, others go on with what is there.
        if not (known and (fresh or self._asking.locked())):
            await self._ask(kid, at_once=from_provider and not known)
        if self._keys is None or self._clock() - self._fetched >= _LASTING_SECONDS:
            raise ProviderAwayError("the keys of the provider cannot be asked for")
        return self._keys

    def _knows(self, kid: str | None) -> bool:
        return self._keys is not None and (kid is None or any(key.kid == kid for key in self._keys))

    async def _ask(self, kid: str | None, *, at_once: bool) -> None:
        before = self._fetched
        async with self._asking:
            if self._fetched > before and self._knows(kid):  # another has asked meanwhile
                return
            if not at_once and self._clock() - self._asked < _ASKED_ANEW_SECONDS:
                return
            self._asked = self._clock()
            try:
                keys = key_set_of(await self._fetch())
            except ProviderProblem as problem:
                _log.warning("The keys of the provider cannot be taken up: %s.", problem)
                return
            self._keys, self._fetched = keys, self._clock()


def key_set_of(body: bytes) -> KeySet:
    """Return the keys of a key set that can check signatures; what else it holds is left out.

    Raises:
        ProviderProblem: it is no key set, or holds no such key.
    """
    try:
        entries = orjson.loads(body)["keys"]
    except (ValueError, TypeError, KeyError):
        entries = None
    if not isinstance(entries, list):
        raise ProviderProblem("what it publishes as its keys is no key set")
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
    # Six bits a character of Base64, the last of which may be fill.
    return len(modulus.rstrip("=")) * 6 // 8 * 8 if isinstance(modulus, str) else 0
