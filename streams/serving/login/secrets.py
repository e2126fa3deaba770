"""Random secrets, and what is kept of them."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import Final

__all__ = ["hash_of", "is_secret", "new_secret"]

_BYTES: Final = 32
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """Return 256 random bits as 43 characters that a cookie and a link can hold."""
    return secrets.token_urlsafe(_BYTES)


def is_secret(text: str) -> bool:
    """Say whether a text can be one of these."""
    return _SECRET.fullmatch(text) is not None


def hash_of(secret: str) -> str:
    """Return what is kept of a secret, ``sha256:`` and 64 hexadecimal digits. It needs no salt: the secret is random."""
    return f"sha256:{sha256(secret.encode()).hexdigest()}"
