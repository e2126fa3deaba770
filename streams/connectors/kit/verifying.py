"""Verify the raw bytes of a delivery by its scheme, before anything in them is read; no input raises."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.connectors.kit.verification import Verification

__all__ = ["MIN_SECRET_LENGTH", "VERIFYING_REASONS", "Delivery", "Refusal", "SecretError", "Verified", "Verifier", "signature"]

#: Why a delivery is refused.
VERIFYING_REASONS: Final = ("no_signature", "wrong_signature", "no_timestamp", "stale", "replayed", "no_token", "wrong_token")

#: Shorter ones can be guessed.
MIN_SECRET_LENGTH: Final = 8

#: Limits of a header: a longer one is no signature, and further signatures in it are ignored.
_MAX_HEADER: Final = 4_096
_MAX_SIGNATURES: Final = 20

#: Deliveries remembered; the oldest are evicted. One replayed after that still counts once, by its events' ids.
_MAX_REMEMBERED: Final = 50_000

_MAX_FIELDS: Final = 1_000

_SECONDS: Final = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")
_MILLISECONDS: Final = re.compile(r"[0-9]{12,14}")
_FRACTION: Final = re.compile(r"(\.[0-9]{6})[0-9]+")
_BODY_SHA256: Final = "bodySHA256"
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_SCHEME_PORTS: Final = {"http": 80, "https": 443}


class SecretError(ValueError):
    """A secret does not fit its scheme; the message does not show it."""


class Delivery(NamedTuple):
    """A delivery by webhook."""

    body: bytes
    #: Found by name in any case.
    headers: Mapping[str, str]
    query: Mapping[str, str]
    #: As the sender was given it and signs it, with its query.
    url: str


class Refusal(NamedTuple):
    """Why a delivery is refused: 401 where the proof of its sender is missing, else 403."""

    status: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A verified delivery; ``mark`` identifies it when it is replayed, empty where its scheme has no time."""

    mark: bytes


class Verifier:
    """Verifies deliveries of one sender.

    Args:
        scheme: its parameters.
        secrets: the active ones: several while one replaces another. Each is tried, so that the duration reveals nothing.

    Raises:
        SecretError: there is none, or one is too short or has another form than the scheme's.
    """

    def __init__(self, scheme: Verification, secrets: Sequence[str]) -> None:
        if not secrets:
            raise SecretError("a secret is needed")
        self._scheme = scheme
        self._keys = [_key(scheme, secret) for secret in secrets]
        #: Mark → until when it is remembered, in seconds since the epoch; oldest first.
        self._taken: OrderedDict[bytes, float] = OrderedDict()

    def before_body(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Refusal | None:
        """Return why a delivery can be refused before its body is read, None if it cannot."""
        scheme = self._scheme
        if scheme.kind != "hmac":
            return self._by_token(headers, query)
        if not _header(headers, scheme.header):
            return Refusal(_UNAUTHORIZED, "no_signature", f"send the signature in {scheme.header}")
        for name in (scheme.timestamp_header, scheme.id_header):
            if name and not _header(headers, name):
                return Refusal(_UNAUTHORIZED, "no_timestamp", f"send {name}, which is signed")
        return None

    def check(self, delivery: Delivery, now: float) -> Verified | Refusal:
        """Return the verified delivery, or why it is refused; ``now`` is in seconds since the epoch."""
        refusal = self.before_body(delivery.headers, delivery.query)
        if refusal is not None:
            return refusal
        scheme = self._scheme
        if scheme.kind != "hmac":
            return Verified(b"")
        messages = _signed(scheme, delivery)
        algorithm = _algorithm(scheme, delivery.headers)
        given = _given(scheme, _header(delivery.headers, scheme.header))
        is_signed = False
        for key in self._keys:
            for message in messages:
                expected = _encoded(scheme, key, message, algorithm)
                for signature_given in given:
                    is_signed |= hmac.compare_digest(expected, signature_given)
        if not is_signed:
            return Refusal(_FORBIDDEN, "wrong_signature", "the signature is of another secret, or of other bytes")
        if not scheme.tolerance_seconds:
            return Verified(b"")
        at = _seconds(_header(delivery.headers, scheme.timestamp_header))
        if at is None or abs(now - at) > scheme.tolerance_seconds:
            detail = f"{scheme.timestamp_header} differs by more than {scheme.tolerance_seconds:g} s from now"
            return Refusal(_FORBIDDEN, "stale", detail)
        mark = hashlib.sha256(messages[0]).digest()
        if self._taken.get(mark, 0.0) >= now:
            return Refusal(_FORBIDDEN, "replayed", "this delivery was accepted already")
        return Verified(mark)

    def taken(self, verified: Verified, now: float) -> None:
        """Remember an accepted delivery: from now on it is refused. A delivery that failed may be sent again as it is."""
        if not verified.mark:
            return
        # A time that is ahead by the tolerance stays valid for twice as long.
        self._taken[verified.mark] = now + 2 * self._scheme.tolerance_seconds
        while self._taken and (len(self._taken) > _MAX_REMEMBERED or next(iter(self._taken.values())) < now):
            self._taken.popitem(last=False)

    def crc(self, token: str) -> str:
        """Return the answer to a challenge with a token: ``sha256=`` and the base64 of its HMAC, by the first secret."""
        return "sha256=" + base64.b64encode(hmac.digest(self._keys[0], token.encode(errors="replace"), "sha256")).decode()

    def _by_token(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Refusal | None:
        scheme = self._scheme
        given = _token(scheme, headers, query)
        if given is None:
            where = " or ".join(filter(None, (scheme.header, scheme.query_parameter and "the parameter of the address")))
            return Refusal(_UNAUTHORIZED, "no_token", f"send the secret in {where or 'Authorization'}")
        digest, matches = _digest(given), False
        for key in self._keys:
            matches |= hmac.compare_digest(_digest(key), digest)
        return None if matches else Refusal(_FORBIDDEN, "wrong_token", "the secret is another one")


def signature(scheme: Verification, secret: str, delivery: Delivery) -> str:
    """Return the header that a sender of an ``hmac`` scheme writes, prefix included."""
    algorithm = _algorithm(scheme, delivery.headers)
    return scheme.prefix + _encoded(scheme, _key(scheme, secret), _signed(scheme, delivery)[0], algorithm).decode()


def _key(scheme: Verification, secret: str) -> bytes:
    if len(secret) < MIN_SECRET_LENGTH:
        raise SecretError(f"a secret has at least {MIN_SECRET_LENGTH} characters")
    if scheme.kind == "basic" and ":" not in secret:
        raise SecretError("write user:password")
    if scheme.kind != "hmac":
        return secret.encode()
    if scheme.key == "client_id&secret" and "&" not in secret:
        raise SecretError("write the client id, &, and the client's secret")
    if scheme.key == "whsec":
        try:
            key = base64.b64decode(secret.removeprefix("whsec_").encode(), validate=True)
        except (binascii.Error, UnicodeEncodeError, ValueError) as error:
            raise SecretError("write whsec_ and base64, as the sender shows it") from error
        if len(key) < MIN_SECRET_LENGTH:
            raise SecretError(f"a secret has at least {MIN_SECRET_LENGTH} bytes")
        return key
    return secret.encode()


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name) if name else None
    return value.strip() if value is not None and len(value) <= _MAX_HEADER else ""


def _given(scheme: Verification, header: str) -> list[bytes]:
    """Return the signatures of a header without their prefix; those with another prefix are ignored."""
    parts = header.split(scheme.separator)[:_MAX_SIGNATURES] if scheme.separator else [header]
    prefix = scheme.prefix
    return [part.strip().removeprefix(prefix).encode(errors="replace") for part in parts if part.strip().startswith(prefix)]


def _algorithm(scheme: Verification, headers: Mapping[str, str]) -> str:
    """Return the algorithm of a delivery: the one that its sender names, if it is known and stronger."""
    named = _header(headers, scheme.algorithm_header).upper().replace(" ", "").split(",")
    return "sha256" if "ALGORITHM=HMAC_SHA256" in named else scheme.algorithm


def _encoded(scheme: Verification, key: bytes, message: bytes, algorithm: str) -> bytes:
    digest = hmac.digest(key, message, algorithm)
    # Compared as text: base64 has several texts for some bytes, of which a sender writes one.
    return base64.b64encode(digest) if scheme.encoding == "base64" else digest.hex().encode()


def _signed(scheme: Verification, delivery: Delivery) -> list[bytes]:
    """Return the signed message; where an address may be signed with its port and without, both."""
    body = delivery.body
    timestamp = _header(delivery.headers, scheme.timestamp_header).encode(errors="replace")
    match scheme.signed:
        case "body":
            return [body]
        case "timestamp+body":
            return [timestamp + body]
        case "timestamp.body":
            return [timestamp + b"." + body]
        case "timestamp:body":
            return [timestamp + b":" + body]
        case "id.timestamp.body":
            return [_header(delivery.headers, scheme.id_header).encode(errors="replace") + b"." + timestamp + b"." + body]
        case "url+form":
            fields = _form(body)
            return [] if fields is None else [url.encode(errors="replace") + fields for url in _urls(delivery.url)]
        case "url+body_sha256":
            given = delivery.query.get(_BODY_SHA256, "").encode(errors="replace")
            same = hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), given)
            return [url.encode(errors="replace") for url in _urls(delivery.url)] if same else []


def _form(body: bytes) -> bytes | None:
    """Return the fields of a form as they are signed: sorted by name, of a repeated name each value once; None if it is none."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict") if body else []
    except ValueError:
        return None
    return "".join(name + value for name, value in sorted(set(fields))).encode(errors="replace")


def _urls(url: str) -> Iterator[str]:
    """Yield an address as it is, and with its default port added or its port removed."""
    yield url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if port is None and parts.scheme in _SCHEME_PORTS:
        yield urlunsplit(parts._replace(netloc=f"{host}:{_SCHEME_PORTS[parts.scheme]}"))
    elif port is not None:
        yield urlunsplit(parts._replace(netloc=host))


def _seconds(text: str) -> float | None:
    """Return a time in seconds since the epoch: seconds, milliseconds, or ISO 8601 with an offset."""
    if _SECONDS.fullmatch(text):
        return float(text)
    if _MILLISECONDS.fullmatch(text):
        return int(text) / 1000
    try:
        at = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _token(scheme: Verification, headers: Mapping[str, str], query: Mapping[str, str]) -> bytes | None:
    """Return the secret of a delivery, None if it has none."""
    if scheme.kind == "basic":
        kind, _, text = _header(headers, scheme.header or "Authorization").partition(" ")
        if kind.lower() != "basic" or not text:
            return None
        try:
            return base64.b64decode(text.strip().encode(errors="replace"), validate=True)
        except (binascii.Error, ValueError):
            return b""
    value = _header(headers, scheme.header)
    if value and value.lower().startswith(scheme.prefix.lower()):
        return value[len(scheme.prefix) :].strip().encode(errors="replace")
    parameter = query.get(scheme.query_parameter) if scheme.query_parameter else None
    return None if parameter is None or len(parameter) > _MAX_HEADER else parameter.encode(errors="replace")


def _digest(text: bytes) -> bytes:
    # Digests have one length, so that a comparison reveals nothing of a secret's.
    return hashlib.sha256(text).digest()
