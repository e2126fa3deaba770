"""What a customer is known by beyond a connector: a keyed hash, never the number or address itself."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CUSTOMER_KEY_VARIABLE", "WITHHELD", "hashed_customer"]

#: The variable of the environment with the secret that customers are hashed with; without it nothing of a customer passes.
CUSTOMER_KEY_VARIABLE: Final = "CONTACT_STREAMS_CUSTOMER_KEY"

#: What stands in place of a caller's number, in lower case: one that stands for many callers would become one big customer.
WITHHELD: Final = frozenset(
    {"", "<unknown>", "anonymous", "asterisk", "none", "private", "restricted", "unavailable", "unknown", "withheld"},
)


def hashed_customer(key: bytes, version: int = 1) -> Callable[[str], str]:
    """Return what turns a caller's number into a customer key: ``v<version>:`` and HMAC-SHA256 of its digits."""

    def keyed(number: str) -> str:
        digits = "".join(character for character in number if character.isalnum() or character == "+")
        return f"v{version}:{hmac.new(key, digits.encode(), hashlib.sha256).hexdigest()}"

    return keyed
