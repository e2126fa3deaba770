"""The parameters of the schemes that verify senders of webhooks; data alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Signed", "Verification"]

#: See ``Verification.signed``.
Signed = Literal["body", "timestamp+body", "timestamp.body", "timestamp:body", "id.timestamp.body", "url+form", "url+body_sha256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A scheme: the header, the signature and the signed bytes, and how old they may be."""

    #: ``hmac``: a signature of the message. ``token``: the header (or the query's parameter) is the secret. ``basic``: user and password.
    kind: Literal["hmac", "token", "basic"] = "hmac"
    header: str = ""
    algorithm: Literal["sha1", "sha256"] = "sha256"
    #: A header that may name another algorithm, as ``algorithm=HMAC_SHA256`` among others; empty where there is none.
    algorithm_header: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    #: Before the signature, such as ``sha256=``.
    prefix: str = ""
    #: Several signatures in one header are separated by this; empty for one alone.
    separator: str = ""
    #: The bytes signed: the raw body; with timestamp or id before it; the URL with the sorted fields of the form; the URL, whose query has
    #: the hash of the body (``bodySHA256``).
    signed: Signed = "body"
    timestamp_header: str = ""
    id_header: str = ""
    #: Seconds that the timestamp may differ from now; 0 where the sender sends none.
    tolerance_seconds: float = 0.0
    #: The key: the secret as it is; ``client_id&secret``; the base64 after ``whsec_``.
    key: Literal["plain", "client_id&secret", "whsec"] = "plain"
    #: The query's parameter that has the secret, where no header can; it is kept out of logs.
    query_parameter: str = ""
