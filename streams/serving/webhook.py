"""Posts a body to the address that is told of alerts, signed; says what came of it and never what the address or the secret is."""

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

#: A shorter secret could be tried out.
_MIN_SECRET_CHARACTERS = 16
#: Answers that a later attempt may change, beside those from 500.
_LATER = frozenset({408, 429})
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts are posted to. Neither the address, which may hold a password or a token, nor the secret is ever shown."""

    url: str = field(repr=False)
    #: Empty: nothing is signed.
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
        """What logs may say of the address."""
        return str(URL(self.url).origin())

    async def post(self, session: aiohttp.ClientSession, alert: AlertRecord, body: bytes, now: float) -> Answer:
        """Post once; ``now`` is the time in seconds since the epoch. Raises nothing that a receiver or a network can bring about."""
        timestamp = str(int(now))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "contact-streams",
            # A header takes no line breaks and, between some, nothing beyond ASCII.
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
            # Only its kind: texts of such errors may quote the address.
            return Answer(None, type(error).__name__, None)


class Answer(NamedTuple):
    """What came of a post; no status if nothing was answered."""

    status: int | None
    text: str
    retry_after_seconds: float | None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP

    @property
    def refused(self) -> bool:
        """Whether the receiver would refuse it forever."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in _LATER  # noqa: PLR2004 - HTTP


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of the signature header: ``v1=`` and HMAC-SHA256 of ``timestamp.body`` in hexadecimal digits."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def session_of(webhook: Webhook) -> aiohttp.ClientSession:
    """Return a session to post with; the caller closes it."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=webhook.timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Alerts are rare: a connection kept for the next one would have been closed by then.
        connector=aiohttp.TCPConnector(force_close=True),
    )


def retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, given as a number or as a date; None without one that can be read."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
