"""Links to our own survey: their content, signed so that it cannot be forged, in a text short enough for an SMS. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from streams.connectors.kit.surveys import SCALES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_LINK_DAYS", "LinkKeys", "SurveyLink", "scale_ends"]

#: With one link a customer could guess a shorter secret offline.
_MIN_KEY_LENGTH: Final = 32

MAX_LINK_DAYS: Final = 366

_KINDS: Final = ("csat", "nps", "ces")
#: Version, kind, lowest and highest score, expiry in seconds since the epoch; the id of the conversation follows.
_HEAD: Final = struct.Struct(">BBHHI")
_VERSION: Final = 1
_MAC_BYTES: Final = 16
_MAX_ID_BYTES: Final = 800
_MAX_TOKEN: Final = 1_200
_PURPOSE: Final = b"contact-streams survey link 1\0"
#: A customer cannot answer more choices than this by a tap.
_MAX_CHOICES: Final = 11
_MAX_SCORE: Final = 999


@dataclass(frozen=True, slots=True)
class SurveyLink:
    """The content of a link: the kind of survey, the conversation, and the expiry."""

    conversation_id: str
    kind: Literal["csat", "nps", "ces"]
    low: int
    high: int
    #: Seconds since the epoch.
    expires: int

    @property
    def scale(self) -> str:
        """The scale as events have it, ``1-5``."""
        return f"{self.low}-{self.high}"


def scale_ends(kind: str, scale: str | None) -> tuple[int, int]:
    """Return the lowest and highest score of a scale, by default that of the kind; raise ValueError for one that no page can show."""
    text = SCALES[kind] if scale is None else scale
    first, dash, last = text.partition("-")
    numbers = dash and first.isdecimal() and last.isdecimal()
    if not numbers or not 0 < int(last) - int(first) < _MAX_CHOICES or int(last) > _MAX_SCORE:
        message = f"{text!r} is no scale for a link: the lowest and highest score such as 1-5, at most {_MAX_CHOICES} of them"
        raise ValueError(message)
    return int(first), int(last)


class LinkKeys:
    """Signs and reads links.

    Args:
        secrets: the active ones; the first signs, so that a new one precedes the old one until its links have expired.

    Raises:
        ValueError: there is none, or one is too short.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets or any(len(secret) < _MIN_KEY_LENGTH for secret in secrets):
            message = f"survey links need a secret of at least {_MIN_KEY_LENGTH} characters, such as from: openssl rand -hex 32"
            raise ValueError(message)
        self._keys = [hashlib.sha256(_PURPOSE + secret.encode()).digest() for secret in secrets]

    def token(self, link: SurveyLink) -> str:
        """Return the last part of a link; raise ValueError for an id that is empty or too long."""
        name = link.conversation_id.encode()
        if not 0 < len(name) <= _MAX_ID_BYTES:
            message = f"the id of a conversation has 1 to {_MAX_ID_BYTES} bytes"
            raise ValueError(message)
        content = _HEAD.pack(_VERSION, _KINDS.index(link.kind), link.low, link.high, link.expires) + name
        return _text(content + _mac(self._keys[0], content))

    def read(self, token: str) -> SurveyLink | None:
        """Return the content of a link, None if none of the secrets has signed it; the caller checks its expiry."""
        if len(token) > _MAX_TOKEN or not token.isascii():
            return None
        try:
            signed = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if _text(signed) != token:
            # Base64 has several texts for some bytes; only the canonical one is a link.
            return None
        content, mac = signed[:-_MAC_BYTES], signed[-_MAC_BYTES:]
        matches = [hmac.compare_digest(mac, _mac(key, content)) for key in self._keys]
        if not any(matches) or len(content) <= _HEAD.size:
            return None
        version, kind, low, high, expires = _HEAD.unpack_from(content)
        if version != _VERSION or kind >= len(_KINDS):
            return None
        return SurveyLink(content[_HEAD.size :].decode(errors="replace"), _KINDS[kind], low, high, expires)


def _text(signed: bytes) -> str:
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:_MAC_BYTES]
