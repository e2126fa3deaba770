"""The options of commands that listen, and their settings; this module imports the HTTP server."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.commands.common import count
from streams.configuration.access import AccessError
from streams.listening import ConnectionLimits, Listening
from streams.listening.access_log import AccessLog
from streams.listening.addresses import is_loopback
from streams.listening.hosts import Hosts
from streams.listening.proxies import Proxies
from streams.listening.tls import Certificates, TlsError, TlsFiles
from streams.serving.door import WatchedAccess
from streams.serving.reload import now_ms
from streams.serving.scraping import Scraping

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection

__all__ = [
    "ListeningError",
    "add_connection_options",
    "add_insecure_option",
    "add_metrics_option",
    "listening",
    "listening_beside",
    "why_not_open",
]

logger = logging.getLogger(__name__)

#: Browsers that connected by TLS use only TLS for a year.
_HSTS_SECONDS: Final = 365 * 24 * 3600
_ANYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - refused without a login


class ListeningError(ValueError):
    """Options that cannot be used to listen; the message states what to do."""


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Declare the limits of connections, TLS, names, proxies and the access log."""
    defaults = ConnectionLimits()
    parser.add_argument(
        "--max-connections",
        type=count,
        default=defaults.total,
        metavar="N",
        help="maximum concurrent HTTP connections (default: %(default)s)",
    )
    parser.add_argument(
        "--max-connections-per-address",
        type=count,
        default=defaults.per_address,
        metavar="N",
        help="maximum of these per address; addresses of --behind-proxy have no such limit (default: %(default)s)",
    )
    group = parser.add_argument_group("TLS and names")
    group.add_argument(
        "--tls-certificate",
        type=Path,
        metavar="FILE",
        help="use TLS with this certificate (PEM, with intermediates); a changed file is loaded without a restart",
    )
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key (PEM, without a passphrase)")
    group.add_argument("--tls-client-ca", type=Path, metavar="FILE", help="authorities (PEM) of client certificates")
    group.add_argument(
        "--tls-client",
        choices=("required", "optional"),
        help="with --tls-client-ca, whether a client certificate is required (default: required)",
    )
    group.add_argument(
        "--hsts-seconds",
        type=int,
        default=_HSTS_SECONDS,
        metavar="N",
        help="with TLS, how long browsers use only TLS for this name, on any port; 0 sends no such header (default: %(default)s)",
    )
    group.add_argument(
        "--behind-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a proxy (address or network, repeat for several) that ends TLS; its X-Forwarded-For and -Proto are trusted, and without "
        "--tls-certificate only it and this machine are served",
    )
    group.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which clients reach this server, beside loopback, the address itself and the names of the certificate; "
        "repeat for several; *.NAME, or * for any",
    )
    group.add_argument("--access-log", metavar="FILE", help="write one line per request, - for stdout; includes client addresses")
    group.add_argument("--access-log-format", choices=("combined", "json"), default="combined", help="(default: %(default)s)")


def add_insecure_option(parser: argparse.ArgumentParser, without: str) -> None:
    """Declare the option by which an operator lets other machines reach the server ``without`` its protection."""
    parser.add_argument("--insecure", action="store_true", help=f"let other machines reach it without {without}")


def add_metrics_option(parser: argparse.ArgumentParser) -> None:
    """Declare which clients may read ``/metrics`` of a process that serves no figures."""
    parser.add_argument(
        "--access",
        type=Path,
        metavar="FILE",
        help="access file (YAML): a client reads /metrics with a token or client certificate of it that may see all figures; without it, "
        "only this machine reads them",
    )


def listening_beside(args: argparse.Namespace) -> Listening:
    """Return the settings for a process that serves ``/metrics`` beside its work; raise ListeningError."""
    how = listening(args)
    try:
        access = None if args.access is None else WatchedAccess(args.access, now_ms())
    except AccessError as error:
        raise ListeningError(str(error)) from error
    if access is None and not args.insecure and not is_loopback(args.host):
        logger.warning("/metrics is served to this machine only: --access FILE permits other machines with a token, --insecure all.")
    return replace(how, metrics_refusal=Scraping(access, insecure=args.insecure).refusal)


def listening(args: argparse.Namespace, *, names: Callable[[], Collection[str]] = frozenset, same_origin: bool = True) -> Listening:
    """Return the settings of those options.

    Args:
        args: the options.
        names: returns further names by which clients reach the server.
        same_origin: whether a browser may request changes only from the server's own pages.

    Raises:
        ListeningError: the options contradict each other or the files that they name.
    """
    certificates = _certificates(args)
    if args.hsts_seconds < 0:
        raise ListeningError("--hsts-seconds is 0 or more")
    try:
        proxies = Proxies(args.behind_proxy)
    except ValueError as error:
        raise ListeningError(f"--behind-proxy: {error}") from error

    def others() -> Collection[str]:
        return {*names(), *(() if certificates is None else certificates.names)}

    is_own_name = args.host not in _ANYWHERE
    return Listening(
        limits=ConnectionLimits(total=args.max_connections, per_address=args.max_connections_per_address),
        certificates=certificates,
        hosts=Hosts([*args.allowed_host, *([args.host] if is_own_name else [])], others),
        proxies=proxies,
        hsts_seconds=args.hsts_seconds if certificates is not None or proxies else 0,
        access_log=_access_log(args),
        same_origin=same_origin,
    )


def why_not_open(args: argparse.Namespace, *, login: str | None) -> str | None:
    """Return why the server may not listen where other machines reach it, and what to do; None if it may.

    ``login`` is the option for a login, None if there is one.
    """
    if args.insecure or is_loopback(args.host):
        return None
    lacks = [] if login is None else [f"login ({login})"]
    if args.tls_certificate is None and not args.behind_proxy:
        lacks.append("TLS (--tls-certificate FILE --tls-key FILE, or --behind-proxy ADDRESS where a proxy ends it)")
    if not lacks:
        return None
    return (
        f"other machines reach {args.host or 'all addresses'}, and there is no {' and no '.join(lacks)}. "
        "Add what is missing, use --host 127.0.0.1, or permit it with --insecure."
    )


def _certificates(args: argparse.Namespace) -> Certificates | None:
    if args.tls_certificate is None and args.tls_key is None:
        if args.tls_client_ca is not None or args.tls_client is not None:
            raise ListeningError("--tls-client-ca and --tls-client need --tls-certificate and --tls-key")
        return None
    if args.tls_certificate is None or args.tls_key is None:
        raise ListeningError("--tls-certificate and --tls-key are used together")
    if args.tls_client is not None and args.tls_client_ca is None:
        raise ListeningError("--tls-client needs --tls-client-ca: the authorities of client certificates")
    files = TlsFiles(certificate=args.tls_certificate, key=args.tls_key, client_ca=args.tls_client_ca, client=args.tls_client or "required")
    try:
        return Certificates(files)
    except TlsError as error:
        raise ListeningError(str(error)) from error


def _access_log(args: argparse.Namespace) -> AccessLog | None:
    if args.access_log is None:
        return None
    try:
        return AccessLog(None if args.access_log == "-" else Path(args.access_log), args.access_log_format)
    except OSError as error:
        raise ListeningError(f"--access-log {args.access_log}: cannot be written: {error.strerror or error}") from error
