"""Passwords of local users: rules, hashes, and verification, a few at a time and outside the loop."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from argon2 import PasswordHasher

__all__ = ["NEEDS_ARGON2", "BusyError", "Passwords", "hashed", "is_outdated", "problem_of"]

#: NIST SP 800-63B: a least length, no rules about kinds of characters, no common passwords.
_SHORTEST, _LONGEST = 12, 1000
_FEWEST_CHARACTERS: Final = 5
#: Common choices of twelve characters, and those guessed for every product.
_GUESSED: Final = (
    "password",
    "passwort",
    "contactstreams",
    "contactcenter",
    "callcenter",
    "qwertyuiop",
    "letmein",
    "administrator",
    "welcome",
)
#: With this many characters beside a common one a password is accepted.
_OWN: Final = 8
_RUNS: Final = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm")

NEEDS_ARGON2: Final = "passwords need argon2-cffi: pip install 'contact-streams[login]'"

#: Each verification takes 64 MiB and a tenth of a second of a core.
_AT_A_TIME, _MAX_WAITING = 2, 30
#: Waiting slots reserved for browsers in which the user was before, so that guesses from elsewhere cannot take them.
_FOR_KNOWN: Final = 10


class BusyError(Exception):
    """Too many passwords wait to be verified."""


def problem_of(password: str, name: str) -> str | None:
    """Return why a password cannot be chosen by an account, as the end of a sentence; None where it can."""
    if len(password) < _SHORTEST:
        return f"has fewer than {_SHORTEST} characters"
    if len(password) > _LONGEST:
        return f"has more than {_LONGEST} characters"
    if any(ord(character) < ord(" ") or ord(character) == 0x7F for character in password):  # noqa: PLR2004 - DEL
        return "holds a control character, which no page can send"
    if len(set(password)) < _FEWEST_CHARACTERS:
        return f"has fewer than {_FEWEST_CHARACTERS} different characters"
    left = "".join(character for character in password.casefold() if character.isalnum())
    for run in _RUNS:
        if left and (left in run * 3 or left in run[::-1] * 3):
            return "is one of the first that are guessed"
    for common in (*_GUESSED, name.casefold()):
        if len(common) > 2 and common in left and len(left.replace(common, "")) < _OWN:  # noqa: PLR2004 - shorter names are in many words
            return "is one of the first that are guessed"
    return None


def _hasher() -> PasswordHasher:
    # An extra that few commands need.
    from argon2 import PasswordHasher  # noqa: PLC0415

    return PasswordHasher()


def hashed(password: str) -> str:
    """Return the hash of a password for the access file: argon2id, with the low-memory parameters of RFC 9106.

    Raises:
        ImportError: argon2-cffi is not installed.
    """
    return _hasher().hash(_composed(password))


def is_outdated(entry: str) -> bool:
    """Return whether a hash of the access file has other parameters than the current ones."""
    return _hasher().check_needs_rehash(entry)


class Passwords:
    """Verifies passwords, in a time that does not depend on whether the user exists."""

    def __init__(self, *, at_a_time: int = _AT_A_TIME, max_waiting: int = _MAX_WAITING, for_known: int = _FOR_KNOWN) -> None:
        self._threads = ThreadPoolExecutor(at_a_time, thread_name_prefix="passwords")
        self._most = at_a_time + max_waiting
        self._for_known = for_known
        self._under_way = 0

    async def verify(self, entry: str | None, password: str, others: Iterable[str] = (), *, known: bool = False) -> bool:
        """Return whether a password matches a hash; ``entry`` is None for an unknown name, and then takes as long as one of ``others``.

        ``known`` is a browser in which the user was before; slots are reserved for these.

        Raises:
            BusyError: too many wait already.
        """
        if self._under_way >= self._most - (0 if known else self._for_known):
            raise BusyError
        self._under_way += 1
        hash_ = _dummy_hash(others) if entry is None else entry
        try:
            # A client that disconnects frees its slot only when the thread is done.
            verifying = asyncio.get_running_loop().run_in_executor(self._threads, _is_right, hash_, password)
        except RuntimeError:  # shut down
            self._under_way -= 1
            raise BusyError from None
        verifying.add_done_callback(self._done)
        return await asyncio.shield(verifying) and entry is not None

    def _done(self, _: object) -> None:
        self._under_way -= 1

    def close(self) -> None:
        """Accept no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_right(entry: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as above

    try:
        return _hasher().verify(entry, _composed(password[: _LONGEST + 1]))
    except (VerificationError, InvalidHashError):
        return False


def _dummy_hash(others: Iterable[str]) -> str:
    """Return a hash that matches no password, with the parameters of most users."""
    parameters = Counter(other.rsplit("$", 2)[0] for other in others).most_common(1)
    before = parameters[0][0] if parameters else "$argon2id$v=19$m=65536,t=3,p=4"
    salt, digest = (b64encode(secrets.token_bytes(count)).rstrip(b"=").decode() for count in (16, 32))
    return f"{before}${salt}${digest}"


def _composed(password: str) -> str:
    # Keyboards compose a letter and its accent differently.
    return normalize("NFC", password)
