"""Tokens that a server gives out once, and keeps as hashes."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

__all__ = ["TOKEN_FORM", "bearer_of", "digest_of", "hash_of", "is_token", "new_token"]

# A plain SHA-256 keeps a secret that nobody can guess: these have 256 random bits, so that no list of likely tokens leads to a hash, and a
# slow hash would only slow the server down. It would not do for passwords, so a token of another form is taken with no hash of a file.
#: What tokens for the API of the server begin with.
TOKEN_FORM: Final = "csa_"  # noqa: S105 - the beginning of all of them
_TOKEN_BYTES: Final = 32
_RANDOM: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_HASH_BEGIN: Final = "sha256:"
#: Of the Authorization header; what is longer is not hashed.
_MAX_HEADER_LENGTH: Final = 1000


def new_token(form: str) -> str:
    """Return a token of 256 random bits; ``form``, such as ``cst_``, says what it is for to who finds one."""
    return form + secrets.token_urlsafe(_TOKEN_BYTES)


def is_token(text: str, form: str) -> bool:
    """Say whether a text looks like a token of a form."""
    return text.startswith(form) and _RANDOM.fullmatch(text, len(form)) is not None


def digest_of(token: str) -> bytes:
    """Return the SHA-256 of a token: digests have one length, so that comparing them tells nothing of a token's."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def hash_of(token: str) -> str:
    """Return what a file holds of a token."""
    return _HASH_BEGIN + digest_of(token).hex()


def bearer_of(authorization: str | None, *, longest: int = _MAX_HEADER_LENGTH) -> str | None:
    """Return the token of an Authorization header, None without one, and for one that is no token of ours by its length alone."""
    if authorization is None or len(authorization) > longest:
        return None
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
