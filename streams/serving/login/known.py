"""Recognize browsers in which a user has logged in before, by a cookie signed with the password's entry in the access file.

The cookie grants no access. It spares its owner the delays caused by guesses of others, and ends with the password.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

__all__ = ["LASTING_SECONDS", "known_browser", "make_known"]

LASTING_SECONDS: Final = 90 * 24 * 60 * 60

_LONGEST: Final = 200


def make_known(entry: str, name: str, now: float) -> str:
    """Return a cookie value for a new browser of ``name``, whose password is stored as ``entry``."""
    payload = f"{secrets.token_hex(8)}.{int(now)}"
    return f"{payload}.{_signature(entry, name, payload)}"


def known_browser(cookie: str, entry: str, name: str, now: float) -> str | None:
    """Return the id of a cookie's browser among those of ``name``; None if it is invalid, of another name, or too old."""
    payload, _, signature = cookie.rpartition(".")
    browser, _, since = payload.partition(".")
    if len(cookie) > _LONGEST or not cookie.isascii() or not since.isdecimal():
        return None
    if not hmac.compare_digest(signature, _signature(entry, name, payload)) or now - int(since) >= LASTING_SECONDS:
        return None
    return browser


def _signature(entry: str, name: str, payload: str) -> str:
    return hmac.digest(entry.encode(), f"known browser\n{name}\n{payload}".encode(), "sha256").hex()
