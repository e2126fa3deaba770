"""Browsers in which somebody has logged in before: a cookie that says so, signed by what the access file keeps of the password.

It lets no one in. It only spares its owner the delays that others' guessing brings, and ends with the password.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

__all__ = ["LASTING_SECONDS", "known_browser", "make_known"]

LASTING_SECONDS: Final = 90 * 24 * 60 * 60

_LONGEST: Final = 200


def make_known(entry: str, name: str, now: float) -> str:
    """Return the value of the cookie of another browser of ``name``, whose password is kept as ``entry``."""
    said = f"{secrets.token_hex(8)}.{int(now)}"
    return f"{said}.{_signature(entry, name, said)}"


def known_browser(cookie: str, entry: str, name: str, now: float) -> str | None:
    """Return what tells the browser of a cookie from others of ``name``; None if it is none, another's, or too old."""
    said, _, signature = cookie.rpartition(".")
    browser, _, since = said.partition(".")
    if len(cookie) > _LONGEST or not cookie.isascii() or not since.isdecimal():
        return None
    if not hmac.compare_digest(signature, _signature(entry, name, said)) or now - int(since) >= LASTING_SECONDS:
        return None
    return browser


def _signature(entry: str, name: str, said: str) -> str:
    return hmac.digest(entry.encode(), f"known browser\n{name}\n{said}".encode(), "sha256").hex()
