"""Tokens and other random secrets that a server issues once, and stores as hashes."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

__all__ = ["TOKEN_FORM", "bearer_of", "digest_of", "hash_of", "is_secret", "is_token", "new_secret", "new_token"]

# A plain SHA-256 protects these secrets: they have 256 random bits, so that none can be guessed, and a slow hash would only slow the server
# down. It would not protect passwords, so that tokens of another form match no hash of a file.
#: Prefix of tokens for the API of the server.
TOKEN_FORM: Final = "csa_"  # noqa: S105 - a prefix
_BYTES: Final = 32
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_HASH_BEGIN: Final = "sha256:"
#: Of the Authorization header; a longer one is not hashed.
_MAX_HEADER_LENGTH: Final = 1000


def new_secret() -> str:
    """Return 256 random bits as 43 characters that fit in a cookie and a link."""
    return secrets.token_urlsafe(_BYTES)


def is_secret(text: str) -> bool:
    """Return whether a text has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def new_token(form: str) -> str:
    """Return a token of 256 random bits; the prefix ``form``, such as ``cst_``, shows its purpose."""
    return form + new_secret()


def is_token(text: str, form: str) -> bool:
    """Return whether a text has the form of a token with a prefix."""
    return text.startswith(form) and is_secret(text[len(form) :])


def digest_of(token: str) -> bytes:
    """Return the SHA-256 of a token or secret: digests have one length, so that a comparison reveals nothing of a token's."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def hash_of(token: str) -> str:
    """Return the stored hash of a token or secret, ``sha256:`` and 64 hexadecimal digits. It needs no salt: the secret is random."""
    return _HASH_BEGIN + digest_of(token).hex()


def bearer_of(authorization: str | None, *, longest: int = _MAX_HEADER_LENGTH) -> str | None:
    """Return the token of an Authorization header, None without one, and for one that is too long."""
    if authorization is None or len(authorization) > longest:
        return None
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
