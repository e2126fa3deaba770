"""Where a login may lead: to a place of this server, and nowhere else."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

__all__ = ["HOME", "in_language", "login_path", "own_path"]

HOME: Final = "/"

_LONGEST: Final = 2000
#: A path of named steps, and a query: no step is empty or dots, so that no browser takes it for another host's however it reads it.
_STEP: Final = r"(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~!$&'()*+,;=:@%-]+"
_OWN: Final = re.compile(rf"/(?:{_STEP}(?:/{_STEP})*/?)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
#: They lead back here.
_NOT: Final = re.compile(r"/(?:login|logout|kiosk)(?:[/?]|$)")


def own_path(text: str) -> str:
    """Return a path, with query, of this server as it was given; ``/`` for whatever is not surely one."""
    if len(text) > _LONGEST or _OWN.fullmatch(text) is None or _NOT.match(text) is not None:
        return HOME
    return text


def in_language(path: str, language: str) -> str:
    """Return a path, with query, that asks for the page in a language."""
    steps, _, query = path.partition("?")
    kept = [each for each in query.split("&") if each and each.partition("=")[0] != "lang"]
    return f"{steps}?{'&'.join([*kept, f'lang={language}'])}"


def login_path(login: str, after: str) -> str:
    """Return the path of the login from which one goes on to a place of this server."""
    after = own_path(after)
    return login if after == HOME else f"{login}?next={quote(after, safe='')}"
