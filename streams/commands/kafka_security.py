"""Security settings of Kafka in the environment, for every client of every command."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiokafka.helpers import create_ssl_context

from streams.unpacking import bound_batches

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KafkaSecurityError", "kafka_client_options"]

_PROTOCOL: Final = "CONTACT_STREAMS_KAFKA_SECURITY_PROTOCOL"
_MECHANISM: Final = "CONTACT_STREAMS_KAFKA_SASL_MECHANISM"
_USERNAME: Final = "CONTACT_STREAMS_KAFKA_SASL_USERNAME"
_PASSWORD: Final = "CONTACT_STREAMS_KAFKA_SASL_PASSWORD"  # noqa: S105 - the name of a variable
_CA: Final = "CONTACT_STREAMS_KAFKA_SSL_CAFILE"
_CERTIFICATE: Final = "CONTACT_STREAMS_KAFKA_SSL_CERTFILE"
_KEY: Final = "CONTACT_STREAMS_KAFKA_SSL_KEYFILE"

_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_SASL: Final = (_MECHANISM, _USERNAME, _PASSWORD)
_SSL: Final = (_CA, _CERTIFICATE, _KEY)


class KafkaSecurityError(Exception):
    """The variables contradict each other or cannot be used; the message has their names and never their values."""


def kafka_client_options(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the options of every aiokafka client, none for plain text; and bound the batches that consumers read.

    Raises:
        KafkaSecurityError: a variable is missing, is not permitted beside the others, or names a file that cannot be used.
    """
    bound_batches()
    given = {name: environment[name] for name in (_PROTOCOL, *_SASL, *_SSL) if environment.get(name)}
    protocol = given.get(_PROTOCOL, "PLAINTEXT")
    if protocol not in _PROTOCOLS:
        raise KafkaSecurityError(f"{_PROTOCOL}: not permitted as it is; permitted: {', '.join(_PROTOCOLS)}")
    for names, part in ((_SASL, "SASL"), (_SSL, "SSL")):
        idle = [name for name in names if name in given]
        if idle and part not in protocol.split("_"):
            permitted = ", ".join(other for other in _PROTOCOLS if part in other.split("_"))
            raise KafkaSecurityError(f"{', '.join(idle)}: means nothing with {protocol}; set {_PROTOCOL} to one of {permitted}")
    options: dict[str, Any] = {} if protocol == "PLAINTEXT" else {"security_protocol": protocol}
    if protocol.startswith("SASL"):
        options |= _sasl(given, protocol)
    if protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(given)
    return options


def _sasl(given: Mapping[str, str], protocol: str) -> dict[str, str]:
    missing = [name for name in _SASL if name not in given]
    if missing:
        raise KafkaSecurityError(f"{', '.join(missing)}: required with {protocol}")
    if given[_MECHANISM] not in _MECHANISMS:
        raise KafkaSecurityError(f"{_MECHANISM}: not permitted as it is; permitted: {', '.join(_MECHANISMS)}")
    return {
        "sasl_mechanism": given[_MECHANISM],
        "sasl_plain_username": given[_USERNAME],
        "sasl_plain_password": given[_PASSWORD],
    }


def _ssl_context(given: Mapping[str, str]) -> ssl.SSLContext:
    if _KEY in given and _CERTIFICATE not in given:
        raise KafkaSecurityError(f"{_KEY}: means nothing without {_CERTIFICATE}")
    for name in _SSL:
        if name in given and not (Path(given[name]).is_file() and os.access(given[name], os.R_OK)):
            raise KafkaSecurityError(f"{name}: {given[name]} does not exist or cannot be read")
    try:
        # Without a file, the authorities that this machine trusts.
        context: ssl.SSLContext = create_ssl_context(cafile=given.get(_CA), certfile=given.get(_CERTIFICATE), keyfile=given.get(_KEY))
    except (ssl.SSLError, OSError) as error:
        named = ", ".join(name for name in _SSL if name in given)
        reason = getattr(error, "reason", None) or error.strerror or "no certificate in it"
        raise KafkaSecurityError(f"{named}: cannot be used: {reason}; permitted: PEM, and a key without a password that fits") from error
    return context
