"""Webhooks are verified as their senders sign: each signature is created here by hand, as the sender documents it."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

import pytest
from multidict import CIMultiDict

from streams.connectors.kit.verifying import Delivery, Refusal, Verified, Verifier
from streams.connectors.platforms import connector
from tests.support.platforms import fixture

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "a-secret-of-the-webhook"
#: 2026-05-12T09:00:00Z, and as Zendesk writes it.
NOW, WRITTEN = 1_778_576_400, "2026-05-12T09:00:00Z"


def _hmac(message: bytes, algorithm: str = "sha256", secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), message, algorithm).digest()


def _zendesk(body: bytes, secret: str) -> dict[str, str]:
    signature = base64.b64encode(_hmac(WRITTEN.encode() + body, secret=secret)).decode()
    return {"x-zendesk-webhook-signature": signature, "x-zendesk-webhook-signature-timestamp": WRITTEN}


def _chatwoot(body: bytes, secret: str) -> dict[str, str]:
    signature = _hmac(f"{NOW}.".encode() + body, secret=secret).hex()
    return {"x-chatwoot-signature": f"sha256={signature}", "x-chatwoot-timestamp": f"{NOW}"}


def _web_form(body: bytes, secret: str) -> dict[str, str]:
    return {"x-signature": "sha256=" + _hmac(f"{NOW}.".encode() + body, secret=secret).hex(), "x-timestamp": f"{NOW}"}


def _intercom(body: bytes, secret: str) -> dict[str, str]:
    return {"x-hub-signature": "sha1=" + _hmac(body, "sha1", secret).hex()}


def _facebook(body: bytes, secret: str) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + _hmac(body, secret=secret).hex()}


def _x(body: bytes, secret: str) -> dict[str, str]:
    return {"x-twitter-webhooks-signature": "sha256=" + base64.b64encode(_hmac(body, secret=secret)).decode()}


SENDERS: dict[str, tuple[Callable[[bytes, str], dict[str, str]], str]] = {
    "chatwoot": (_chatwoot, "two-tickets.jsonl"),
    "facebook": (_facebook, "deliveries.jsonl"),
    "intercom": (_intercom, "two-tickets.jsonl"),
    "web-form": (_web_form, "posted.jsonl"),
    "x": (_x, "deliveries.jsonl"),
    "zendesk": (_zendesk, "two-tickets.jsonl"),
}


@pytest.mark.parametrize("name", SENDERS)
def test_signed_by_its_sender(name: str) -> None:
    """Accepted unchanged; refused with another secret, another body, or five minutes and a second later where it has a time."""
    sign, file = SENDERS[name]
    platform = connector(name)
    assert platform.verification is not None
    assert platform.translate is not None, "a connector that compares cannot be served by the gateway"
    body = fixture(name, file).splitlines()[0]

    def checked(body_sent: bytes, headers: dict[str, str], now: float = NOW) -> Verified | Refusal:
        assert platform.verification is not None
        return Verifier(platform.verification, [SECRET]).check(Delivery(body_sent, CIMultiDict(headers), {}, ""), now)

    headers = sign(body, SECRET)
    assert isinstance(checked(body, headers), Verified)
    for wrong in (checked(body, sign(body, "another-secret-of-it")), checked(body + b" ", headers)):
        assert isinstance(wrong, Refusal)
        assert (wrong.status, wrong.reason) == (403, "wrong_signature")
    later = checked(body, headers, NOW + 301)
    assert isinstance(later, Refusal if platform.verification.tolerance_seconds else Verified)


@pytest.mark.parametrize("name", ["amazon-connect-contact-events", "genesys-cloud"])
def test_an_api_destination_is_verified_by_its_key(name: str) -> None:
    """EventBridge sends the key of its connection in a header; without it, or with another one, nothing is accepted."""
    scheme = connector(name).verification
    assert scheme is not None
    verifier = Verifier(scheme, ["the key of the connection"])
    answers = [
        verifier.check(Delivery(b"{}", headers, {}, ""), 0.0)
        for headers in ({"X-Api-Key": "the key of the connection"}, {"X-Api-Key": "x"}, {})
    ]
    assert [getattr(answer, "status", 200) for answer in answers] == [200, 403, 401]
