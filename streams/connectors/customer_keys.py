"""The key of a customer beyond a connector: a keyed hash, never the number or address itself."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CUSTOMER_KEY_VARIABLE", "WITHHELD", "hashed_customer"]

#: Environment variable with the secret of the hash; without it no customer key is published.
CUSTOMER_KEY_VARIABLE: Final = "CONTACT_STREAMS_CUSTOMER_KEY"

#: Texts that platforms send instead of a withheld number, in lower case: hashed, all such callers would become one customer.
WITHHELD: Final = frozenset(
    {"", "<unknown>", "anonymous", "asterisk", "none", "private", "restricted", "unavailable", "unknown", "withheld"},
)


def hashed_customer(key: bytes, version: int = 1) -> Callable[[str], str]:
    """Return the function from a caller's number to a customer key: ``v<version>:`` and HMAC-SHA256 of its digits."""

    def keyed(number: str) -> str:
        digits = "".join(character for character in number if character.isalnum() or character == "+")
        return f"v{version}:{hmac.new(key, digits.encode(), hashlib.sha256).hexdigest()}"

    return keyed
