"""Tokens and other random secrets that a server gives out once, and keeps as hashes."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

__all__ = ["TOKEN_FORM", "bearer_of", "digest_of", "hash_of", "is_secret", "is_token", "new_secret", "new_token"]

# A plain SHA-256 keeps a secret that nobody can guess: these have 256 random bits, so that no list of likely tokens leads to a hash, and a
# slow hash would only slow the server down. It would not do for passwords, so a token of another form is taken with no hash of a file.
#: What tokens for the API of the server begin with.
TOKEN_FORM: Final = "csa_"  # noqa: S105 - the beginning of all of them
_BYTES: Final = 32
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_HASH_BEGIN: Final = "sha256:"
#: Of the Authorization header; what is longer is not hashed.
_MAX_HEADER_LENGTH: Final = 1000


def new_secret() -> str:
    """Return 256 random bits as 43 characters that a cookie and a link can hold."""
    return secrets.token_urlsafe(_BYTES)


def is_secret(text: str) -> bool:
    """Say whether a text can be one of these."""
    return _SECRET.fullmatch(text) is not None


def new_token(form: str) -> str:
    """Return a token of 256 random bits; ``form``, such as ``cst_``, says what it is for to who finds one."""
    return form + new_secret()


def is_token(text: str, form: str) -> bool:
    """Say whether a text looks like a token of a form."""
    return text.startswith(form) and is_secret(text[len(form) :])


def digest_of(token: str) -> bytes:
    """Return the SHA-256 of a token or secret: digests have one length, so that comparing them tells nothing of a token's."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def hash_of(token: str) -> str:
    """Return what is kept of a token or secret, ``sha256:`` and 64 hexadecimal digits. It needs no salt: the secret is random."""
    return _HASH_BEGIN + digest_of(token).hex()


def bearer_of(authorization: str | None, *, longest: int = _MAX_HEADER_LENGTH) -> str | None:
    """Return the token of an Authorization header, None without one, and for one that is no token of ours by its length alone."""
    if authorization is None or len(authorization) > longest:
        return None
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
