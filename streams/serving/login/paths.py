"""Check paths to redirect to after a login: of this server alone."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

__all__ = ["HOME", "in_language", "login_path", "own_path"]

HOME: Final = "/"

_LONGEST: Final = 2000
#: A path of named segments, and a query: no segment is empty or dots, so that no browser reads it as another host's.
_SEGMENT: Final = r"(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~!$&'()*+,;=:@%-]+"
_OWN: Final = re.compile(rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*/?)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
#: Paths that lead back to the login.
_NOT: Final = re.compile(r"/(?:login|logout|kiosk)(?:[/?]|$)")


def own_path(text: str) -> str:
    """Return a path of this server, with query, unchanged; ``/`` for any other text."""
    if len(text) > _LONGEST or _OWN.fullmatch(text) is None or _NOT.match(text) is not None:
        return HOME
    return text


def in_language(path: str, language: str) -> str:
    """Return a path, with query, for the page in a language."""
    path, _, query = path.partition("?")
    parameters = [each for each in query.split("&") if each and each.partition("=")[0] != "lang"]
    return f"{path}?{'&'.join([*parameters, f'lang={language}'])}"


def login_path(login: str, after: str) -> str:
    """Return the path of the login that redirects to ``after``."""
    after = own_path(after)
    return login if after == HOME else f"{login}?next={quote(after, safe='')}"
