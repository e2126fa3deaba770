"""Posts signed alerts to a webhook; logs the result, never the address or the secret."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    from schemas.alerts import AlertRecord

__all__ = ["Answer", "Webhook", "retry_after", "session_of", "signature"]

#: A shorter secret could be guessed.
_MIN_SECRET_CHARACTERS = 16
#: Statuses below 500 that a later attempt may change.
_LATER = frozenset({408, 429})
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Webhook:
    """The webhook that alerts are posted to. The address, which may hold a password or a token, and the secret are never shown."""

    url: str = field(repr=False)
    #: Empty: posts are not signed.
    secret: str = field(default="", repr=False)
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        try:
            url = URL(self.url)
            usable = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("the webhook's URL has to be http://host/... or https://host/...")
        if self.secret and len(self.secret) < _MIN_SECRET_CHARACTERS:
            raise ValueError(f"the webhook's secret has to have at least {_MIN_SECRET_CHARACTERS} characters")

    @property
    def name(self) -> str:
        """The part of the address that may be logged."""
        return str(URL(self.url).origin())

    async def post(self, session: aiohttp.ClientSession, alert: AlertRecord, body: bytes, now: float) -> Answer:
        """Post once; ``now`` is in seconds since the epoch. Raises no error of a receiver or network."""
        timestamp = str(int(now))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "contact-streams",
            # A header permits no line breaks, and some proxies permit only ASCII.
            "Contact-Streams-Alert-Id": quote(alert.alert_id, safe=_ASCII),
            "Contact-Streams-Alert-State": alert.state,
            "Contact-Streams-Timestamp": timestamp,
        }
        if self.secret:
            headers["Contact-Streams-Signature"] = signature(self.secret, timestamp, body)
        try:
            async with session.post(URL(self.url), data=body, headers=headers, allow_redirects=False) as response:
                return Answer(response.status, f"status {response.status}", retry_after(response.headers.get("Retry-After"), now))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Only the type: texts of such errors may quote the address.
            return Answer(None, type(error).__name__, None)


class Answer(NamedTuple):
    """The result of a post; no status without an answer."""

    status: int | None
    text: str
    retry_after_seconds: float | None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has accepted the alert."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP

    @property
    def refused(self) -> bool:
        """Whether the receiver would refuse every attempt."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _LATER  # noqa: PLR2004 - HTTP


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature header: ``v1=`` and HMAC-SHA256 of ``timestamp.body`` in hexadecimal digits."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def session_of(webhook: Webhook) -> aiohttp.ClientSession:
    """Return a session for posts; the caller closes it."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=webhook.timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Alerts are rare: a pooled connection would be closed before the next one.
        connector=aiohttp.TCPConnector(force_close=True),
    )


def retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds of a ``Retry-After`` header, a number or a date; None if it is missing or invalid."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
