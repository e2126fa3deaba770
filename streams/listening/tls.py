"""TLS of a server: its certificate, reloaded when the files change, and the names of its clients' certificates."""

from __future__ import annotations

import logging
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from prometheus_client.core import GaugeMetricFamily

from streams.catalogue import SERVING_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aiohttp import web
    from prometheus_client import Metric

__all__ = ["Certificates", "TlsError", "TlsFiles", "names_of_certificate"]

_log = logging.getLogger(__name__)

#: Of TLS 1.2: forward secrecy and authenticated encryption alone. TLS 1.3 has no others, and comes first.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME: an expired certificate is read too.
_ANY_TIME: Final = 0x200000
#: A handshake of TLS 1.2 has two messages each way.
_MOST_TURNS: Final = 6

_EXPIRY: Final = "contact_center_tls_certificate_expiry_timestamp_seconds"
_VALID: Final = "contact_center_tls_files_valid"
_HELP: Final = {about.name: about.help for about in SERVING_METRICS}

_Stamp = tuple[tuple[int, int, int] | None, ...]


class TlsError(Exception):
    """Files that cannot be used for TLS; the message states which, why and what to do, and quotes nothing of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The files of certificate and key, PEM each, and of the authorities that sign clients' certificates."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    #: Whether a client needs a certificate.
    client: Literal["required", "optional"] = "required"

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return (self.certificate, self.key, *([] if self.client_ca is None else [self.client_ca]))


class _Pair(NamedTuple):
    """A certificate and its key."""

    context: ssl.SSLContext
    #: Seconds since the epoch.
    begins: float
    expires: float
    #: DNS names and addresses that the certificate is for, in lower case; a name may begin with ``*.``.
    names: frozenset[str]


class Certificates:
    """The certificate of a server. A pair that cannot be used leaves the one before in force; open connections keep theirs.

    Args:
        files: to watch.
        clock: seconds since the epoch.

    Raises:
        TlsError: the files cannot be used.
    """

    def __init__(self, files: TlsFiles, clock: Callable[[], float] = time.time) -> None:
        self.files = files
        self._clock = clock
        self._stamp = self._seen = _stamp_of(files)
        self._pair = _load(files)
        self._failure = ""
        if self._pair.expires <= clock():
            _log.warning("The certificate has expired: clients will refuse it. file=%s expired=%s", files.certificate, _text(self.expires))

    @property
    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        return self._pair.context

    @property
    def expires(self) -> float:
        """When the certificate in force expires, in seconds since the epoch."""
        return self._pair.expires

    @property
    def names(self) -> frozenset[str]:
        """DNS names and addresses that the certificate in force is for; a name may begin with ``*.``."""
        return self._pair.names

    @property
    def valid(self) -> bool:
        """Whether the current files are in force."""
        return not self._failure

    @property
    def status(self) -> str:
        """The status on health pages."""
        expiry = f"certificate {'expired' if self.expires <= self._clock() else 'expires'} {_text(self.expires)}"
        return expiry if self.valid else f"{expiry}; the changed files are refused: {self._failure}"

    def poll(self) -> None:
        """Load changed files once two polls find the same, so that none is half written."""
        stamp = _stamp_of(self.files)
        if stamp == self._stamp:
            self._seen = stamp
            return
        if stamp != self._seen:
            self._seen = stamp
            return
        self._stamp = stamp
        try:
            pair = _load(self.files)
            self._check(pair)
        except TlsError as error:
            self._failure = str(error)
            _log.error("The changed TLS files are refused; the certificate of before stays in force. reason=%s", error)
            return
        self._pair, self._failure = pair, ""
        _log.info("Another certificate is in force. file=%s expires=%s", self.files.certificate, _text(self.expires))

    def _check(self, pair: _Pair) -> None:
        now = self._clock()
        if pair.expires <= now < self.expires:
            raise TlsError(f"{self.files.certificate}: expired {_text(pair.expires)}, before the one in force")
        if pair.begins > now:
            raise TlsError(f"{self.files.certificate}: not valid before {_text(pair.begins)}")

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        yield GaugeMetricFamily(_EXPIRY, _HELP[_EXPIRY], value=self.expires)
        yield GaugeMetricFamily(_VALID, _HELP[_VALID], value=float(self.valid))


def names_of_certificate(request: web.Request, now: float | None = None) -> tuple[str, ...]:
    """Return the names of the verified client certificate of the request's connection.

    URIs, DNS names and e-mail addresses of its subject alternative names, then its common names; () without one, or once it has expired.
    """
    transport = request.transport
    certificate: Mapping[str, Any] | None = None if transport is None else transport.get_extra_info("peercert")
    if not certificate or ssl.cert_time_to_seconds(certificate["notAfter"]) <= (time.time() if now is None else now):
        return ()
    alternatives: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())
    names = [name for wanted in ("URI", "DNS", "email") for kind, name in alternatives if kind == wanted]
    subject: tuple[tuple[tuple[str, str], ...], ...] = certificate.get("subject", ())
    names += [name for part in subject for kind, name in part if kind == "commonName"]
    return tuple(dict.fromkeys(names))


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stamp_of(files: TlsFiles) -> _Stamp:
    return tuple(_stat(path) for path in files.paths)


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path, holds: str, what: str) -> str:
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise TlsError(f"{path}: cannot be read: {error.strerror or error}") from error
    if holds not in text:
        raise TlsError(f"{path}: holds no {what} (PEM)")
    return text


def _load(files: TlsFiles) -> _Pair:
    _read(files.certificate, "-----BEGIN CERTIFICATE-----", "certificate")
    if "ENCRYPTED" in _read(files.key, " PRIVATE KEY-----", "private key"):
        raise TlsError(f"{files.key}: the key is encrypted: give one without a passphrase, readable by this process alone")
    try:
        context = _context(files)
        certificate = _shown(_context(files), files.certificate)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(f"{files.key}: not the key of {files.certificate}") from error
        raise TlsError(
            f"{files.certificate}, {files.key}: cannot be used ({getattr(error, 'verify_message', '') or error.reason})"
        ) from error
    except OSError as error:
        raise TlsError(f"{files.certificate}, {files.key}: cannot be read: {error.strerror or error}") from error
    if files.client_ca is not None:
        _ask_clients(context, files.client_ca, files.client)
    names = frozenset(name.lower() for kind, name in certificate.get("subjectAltName", ()) if kind in {"DNS", "IP Address"})
    begins, expires = (float(ssl.cert_time_to_seconds(certificate[which])) for which in ("notBefore", "notAfter"))
    return _Pair(context, begins, expires, names)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # A client of TLS 1.2 could repeat costly handshakes on one connection.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # Never prompt for a password.
    context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    return context


def _ask_clients(context: ssl.SSLContext, path: Path, client: str) -> None:
    _read(path, "-----BEGIN CERTIFICATE-----", "certificate of an authority")
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"{path}: cannot be used ({getattr(error, 'reason', None) or error})") from error
    if not context.get_ca_certs():
        raise TlsError(f"{path}: holds no certificate of an authority (CA:TRUE)")
    context.verify_mode = ssl.CERT_REQUIRED if client == "required" else ssl.CERT_OPTIONAL


def _shown(context: ssl.SSLContext, certificate: Path) -> Mapping[str, Any]:
    """Return the certificate as a client reads it, by a handshake in memory: this proves that it is usable."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False
    asking.load_verify_locations(cafile=certificate)
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _ANY_TIME
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = asking.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True)
    for _ in range(_MOST_TURNS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert() or {}
