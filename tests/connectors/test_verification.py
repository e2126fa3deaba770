"""Verification of webhooks: what vendors publish and their libraries sign is taken; anything else is 401 or 403, and nothing raises.

Oracles are vectors that vendors publish, and the libraries of Twilio and of Standard Webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

from streams.connectors import platforms
from streams.connectors.kit import verifying
from streams.connectors.kit.verification import Verification
from streams.connectors.kit.verifying import Delivery, Refusal, SecretError, Verified, Verifier, signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOW = 1_790_000_000.0
SECRET = "a-secret-of-some-length"
BODY = b'{"type":"message","text":"\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf"}'

LINE = Verification(header="X-Line-Signature", encoding="base64")
TYPEFORM = Verification(header="Typeform-Signature", encoding="base64", prefix="sha256=")
ZENDESK = Verification(
    header="X-Zendesk-Webhook-Signature",
    encoding="base64",
    signed="timestamp+body",
    timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
    tolerance_seconds=300,
)
INTERCOM = Verification(header="X-Hub-Signature", algorithm="sha1", prefix="sha1=")
CHATWOOT = Verification(
    header="X-Chatwoot-Signature",
    prefix="sha256=",
    signed="timestamp.body",
    timestamp_header="X-Chatwoot-Timestamp",
    tolerance_seconds=300,
)
FRONT = Verification(
    header="X-Front-Signature",
    encoding="base64",
    signed="timestamp:body",
    timestamp_header="X-Front-Request-Timestamp",
    tolerance_seconds=300,
)
SURVEYMONKEY = Verification(header="Sm-Signature", algorithm="sha1", encoding="base64", key="client_id&secret")
STANDARD = Verification(
    header="webhook-signature",
    encoding="base64",
    prefix="v1,",
    separator=" ",
    signed="id.timestamp.body",
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
    tolerance_seconds=300,
    key="whsec",
)
TWILIO = Verification(header="X-Twilio-Signature", algorithm="sha1", encoding="base64", signed="url+form")
TWILIO_STREAMS = Verification(header="X-Twilio-Signature", algorithm="sha1", encoding="base64", signed="url+body_sha256")
TOKEN = Verification(kind="token", header="Authorization", prefix="Bearer ", query_parameter="token")
BASIC = Verification(kind="basic")

SIGNED = {
    "line": LINE,
    "typeform": TYPEFORM,
    "zendesk": ZENDESK,
    "intercom": INTERCOM,
    "chatwoot": CHATWOOT,
    "front": FRONT,
    "surveymonkey": SURVEYMONKEY,
    "standard webhooks": STANDARD,
    "twilio": TWILIO,
    "twilio event streams": TWILIO_STREAMS,
}
#: What vendors' schemes are built from, and what each connector declares of its own.
SIGNED |= {
    f"connector {name}": scheme
    for name in platforms.names()
    if (scheme := platforms.connector(name).verification) is not None and scheme.kind == "hmac"
}
TIMED = {name: scheme for name, scheme in SIGNED.items() if scheme.tolerance_seconds}
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
FORM = urlencode({"CallSid": "CA1234567890ABCDE", "To": "+18005551212", "Digits": "1234", "From": "+14158675309", "Empty": ""}).encode()


def secret_of(scheme: Verification) -> str:
    """Return a secret of the form that a scheme wants."""
    return WHSEC if scheme.key == "whsec" else f"client-id&{SECRET}" if scheme.key == "client_id&secret" else SECRET


def delivery_of(scheme: Verification, body: bytes | None = None, *, at: float = NOW, secret: str = "") -> Delivery:
    """Return a delivery as its sender signs it."""
    body = (FORM if scheme.signed == "url+form" else BODY) if body is None else body
    query = {"bodySHA256": hashlib.sha256(body).hexdigest()} if scheme.signed == "url+body_sha256" else {"foo": "1"}
    there = CIMultiDict({name: f"{at:.0f}" for name in [scheme.timestamp_header] if name})
    there.update({name: "msg_1" for name in [scheme.id_header] if name})
    delivery = Delivery(body, there, query, f"https://hooks.example.com/v1/hooks/x?{urlencode(query)}")
    there[scheme.header] = signature(scheme, secret or secret_of(scheme), delivery)
    return delivery


def with_header(delivery: Delivery, name: str, value: str | None) -> Delivery:
    """Return a delivery with another header, or without."""
    headers = CIMultiDict(delivery.headers)
    headers.pop(name, None)
    if value is not None:
        headers[name] = value
    return delivery._replace(headers=headers)


def checked(scheme: Verification, delivery: Delivery, *, now: float = NOW, secrets: tuple[str, ...] = ()) -> tuple[int, str]:
    """Return status and reason of a refusal, 200 for a verified delivery."""
    outcome = Verifier(scheme, secrets or (secret_of(scheme),)).check(delivery, now)
    return (outcome.status, outcome.reason) if isinstance(outcome, Refusal) else (200, "")


# ---- What vendors sign -------------------------------------------------------------------------------------------------------------------


def headers(**given_: str) -> Mapping[str, str]:
    """Return headers, written with _ for -."""
    return CIMultiDict({name.replace("_", "-"): value for name, value in given_.items()})


def test_lines_published_vector() -> None:
    """From the tests of LINE's Python SDK."""
    delivery = Delivery(b"bodybodybodybody", headers(x_line_signature="/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="), {}, "")

    assert checked(LINE, delivery, secrets=("channel_secret",)) == (200, "")


def test_typeforms_vector() -> None:
    """From a public receiver's documentation."""
    body = (
        b'{"event_type":"form_response","form_response":{"form_id":"aBcDefGhIj","token":"8lBh6Y7h2qOHo",'
        b'"submitted_at":"2023-01-27T15:40:21Z"}}'
    )
    delivery = Delivery(body, headers(typeform_signature="sha256=SxAJUw6vn/KWUnuo8L+etZQ1+P6nGF+4t92qCVhABgo="), {}, "")

    assert checked(TYPEFORM, delivery, secrets=("typeform_webhook_secret_2026",)) == (200, "")


def test_twilios_published_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the tests of Twilio's SDKs; its token of five characters is shorter than ours may be."""
    monkeypatch.setattr(verifying, "MIN_SECRET_LENGTH", 5)
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    given_ = headers(x_twilio_signature="RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    delivery = Delivery(urlencode(fields).encode(), given_, {}, "https://mycompany.com/myapp.php?foo=1&bar=2")

    assert checked(TWILIO, delivery, secrets=("12345",)) == (200, "")


@pytest.mark.parametrize("url", ["https://example.com/v1/hooks/x", "https://example.com:8443/v1/hooks/x?a=b", "http://example.com:80/x"])
@pytest.mark.parametrize("fields", [[("A", "1")], [("B", "2"), ("A", ""), ("B", "1")], [("名", "値 +&=")], []])
def test_signatures_of_twilios_library_are_verified(url: str, fields: list[tuple[str, str]]) -> None:
    """Forms of any fields, of several values, of other scripts, with the port and without."""
    theirs = RequestValidator(SECRET)
    params = MultiDict(fields)
    given_ = headers(x_twilio_signature=theirs.compute_signature(url, params))

    assert checked(TWILIO, Delivery(urlencode(fields).encode(), given_, {}, url)) == (200, "")
    assert checked(TWILIO, Delivery(urlencode([*fields, ("More", "1")]).encode(), given_, {}, url)) == (403, "wrong_signature")


def test_twilios_shared_keys_sign_with_a_stronger_algorithm() -> None:
    """A header names it; without the header, or with an algorithm that is not known, the account's own is expected."""
    url, fields = "https://example.com/v1/hooks/x", [("A", "1")]
    strong = RequestValidator(SECRET).compute_signature(url, MultiDict(fields), "HMAC_SHA256")
    scheme = replace(TWILIO, algorithm_header="X-Twilio-Webhooks-Signature-Settings")
    expected = {
        "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256": (200, ""),
        "algorithm=HMAC_MD5": (403, "wrong_signature"),
        "algorithm=": (403, "wrong_signature"),
        "": (403, "wrong_signature"),
    }
    for settings_, answer in expected.items():
        given_ = headers(x_twilio_signature=strong, x_twilio_webhooks_signature_settings=settings_)
        assert checked(scheme, Delivery(urlencode(fields).encode(), given_, {}, url)) == answer, settings_


def test_signatures_of_twilios_library_for_json_are_verified() -> None:
    """The hash of the body is in the address, and the address is signed."""
    theirs = RequestValidator(SECRET)
    sha = theirs.compute_hash(BODY.decode())
    url = f"https://hooks.example.com/v1/hooks/x?bodySHA256={sha}"
    delivery = Delivery(BODY, headers(x_twilio_signature=theirs.compute_signature(url, {})), {"bodySHA256": sha}, url)

    assert checked(TWILIO_STREAMS, delivery) == (200, "")
    assert checked(TWILIO_STREAMS, delivery._replace(body=BODY + b" ")) == (403, "wrong_signature")


def test_signatures_of_the_standard_webhooks_library_are_verified() -> None:
    """Svix and others sign so: id, time and body, with the bytes behind whsec_."""
    theirs = Webhook(WHSEC).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    given_ = headers(webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek", webhook_timestamp=f"{NOW:.0f}", webhook_signature=f"v1a,abc {theirs}")

    assert checked(STANDARD, Delivery(BODY, given_, {}, "")) == (200, "")


def test_zendesk_signs_the_time_before_the_body() -> None:
    """As its documentation computes it: base64(HMAC-SHA256(secret, time + body)), the time in ISO 8601, the body perhaps empty."""
    at = datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for body in (BODY, b""):
        theirs = base64.b64encode(hmac.new(SECRET.encode(), at.encode() + body, hashlib.sha256).digest()).decode()
        given_ = headers(x_zendesk_webhook_signature=theirs, x_zendesk_webhook_signature_timestamp=at)

        assert checked(ZENDESK, Delivery(body, given_, {}, "")) == (200, "")


def test_xs_challenge_is_answered_as_documented() -> None:
    """sha256= and the base64 of the token's HMAC by the consumer secret."""
    theirs = "sha256=" + base64.b64encode(hmac.new(SECRET.encode(), b"a-token", hashlib.sha256).digest()).decode()

    assert Verifier(LINE, [SECRET]).crc("a-token") == theirs


# ---- What is refused ---------------------------------------------------------------------------------------------------------------------


def forged(scheme: Verification) -> Iterator[tuple[str, Delivery, tuple[int, str]]]:
    """Yield deliveries that are not the sender's, each with its refusal."""
    good = delivery_of(scheme)
    right = good.headers[scheme.header]
    digest = right.removeprefix(scheme.prefix)
    raw = base64.b64decode(digest) if scheme.encoding == "base64" else bytes.fromhex(digest)
    other = raw.hex() if scheme.encoding == "base64" else base64.b64encode(raw).decode()
    wrong = 403, "wrong_signature"
    yield "missing", with_header(good, scheme.header, None), (401, "no_signature")
    yield "empty", with_header(good, scheme.header, ""), (401, "no_signature")
    yield "blank", with_header(good, scheme.header, "   "), (401, "no_signature")
    yield "too long", with_header(good, scheme.header, right * 200), (401, "no_signature")
    yield "of another secret", delivery_of(scheme, secret="client&" + "x" * 20 if scheme.key != "whsec" else WHSEC[:-4] + "AAA="), wrong
    yield "truncated", with_header(good, scheme.header, right[:-1]), wrong
    yield "one character", with_header(good, scheme.header, scheme.prefix + digest[0]), wrong
    yield "prefix alone", with_header(good, scheme.header, scheme.prefix or "="), wrong
    yield "other encoding", with_header(good, scheme.header, scheme.prefix + other), wrong
    yield "with more", with_header(good, scheme.header, right + "00"), wrong
    yield "no ASCII", with_header(good, scheme.header, scheme.prefix + "\udce3é" + digest), wrong
    yield "body changed", good._replace(body=good.body + (b"&More=1" if scheme.signed == "url+form" else b" ")), wrong
    if scheme.prefix:
        yield "without its prefix", with_header(good, scheme.header, digest), wrong
        yield "with another prefix", with_header(good, scheme.header, "v0=" + digest), wrong
    if scheme.timestamp_header:
        yield "no time", with_header(good, scheme.timestamp_header, None), (401, "no_timestamp")
        yield "time changed", with_header(good, scheme.timestamp_header, f"{NOW + 1:.0f}"), wrong
    if scheme.id_header:
        yield "no id", with_header(good, scheme.id_header, None), (401, "no_timestamp")
        yield "id changed", with_header(good, scheme.id_header, "msg_2"), wrong
    if "url" in scheme.signed:
        yield "address changed", good._replace(url=good.url.replace("/x?", "/y?")), wrong
        yield "no address", good._replace(url="https://[::1"), wrong
    if scheme.signed == "url+body_sha256":
        yield "no hash of the body", good._replace(query={}), wrong


@pytest.mark.parametrize("name", SIGNED)
def test_a_foreign_signature_is_refused(name: str) -> None:
    """Each with 401 where something is missing and 403 where it is wrong; the right one is taken."""
    scheme = SIGNED[name]
    assert checked(scheme, delivery_of(scheme)) == (200, "")

    assert {what: checked(scheme, delivery) for what, delivery, _ in forged(scheme)} == {what: why for what, _, why in forged(scheme)}


@pytest.mark.parametrize("name", TIMED)
def test_a_stale_delivery_is_refused(name: str) -> None:
    """Also where its signature is right: what is older, or further ahead, than the tolerance."""
    scheme = TIMED[name]
    for at, expected in ((NOW - 299, 200), (NOW - 301, 403), (NOW + 299, 200), (NOW + 301, 403)):
        assert checked(scheme, delivery_of(scheme, at=at))[0] == expected, at
    assert checked(scheme, delivery_of(scheme, at=0)) == (403, "stale")


@pytest.mark.parametrize("at", ["", "yesterday", "99999999999999999999", "-1", "1e9", "NaN", "2026-99-99T00:00:00Z", "١٢٣٤٥٦٧٨٩٠"])
def test_an_invalid_time_is_stale_even_if_signed(at: str) -> None:
    """Nothing that its sender writes there is believed, and nothing raises."""
    delivery = with_header(delivery_of(ZENDESK), ZENDESK.timestamp_header, at or None)
    signed = with_header(delivery, ZENDESK.header, signature(ZENDESK, SECRET, delivery))

    assert checked(ZENDESK, signed) == ((401, "no_timestamp") if not at else (403, "stale"))


@pytest.mark.parametrize("at", [f"{NOW:.0f}", f"{NOW * 1000:.0f}", "2026-09-21T14:13:20Z", "2026-09-21T14:13:20.123456789Z"])
def test_times_are_read_in_the_forms_that_senders_write(at: str) -> None:
    """Seconds, milliseconds, ISO 8601 down to nanoseconds."""
    delivery = with_header(delivery_of(ZENDESK), ZENDESK.timestamp_header, at)

    assert checked(ZENDESK, with_header(delivery, ZENDESK.header, signature(ZENDESK, SECRET, delivery))) == (200, "")


@pytest.mark.parametrize("name", TIMED)
def test_a_replayed_delivery_is_refused(name: str) -> None:
    """Once taken; what was not, because Kafka was away, is taken when its sender sends it again."""
    scheme = TIMED[name]
    verifier, delivery = Verifier(scheme, [secret_of(scheme)]), delivery_of(scheme)
    first, again = verifier.check(delivery, NOW), verifier.check(delivery, NOW + 1)
    assert isinstance(first, Verified)
    assert isinstance(again, Verified), "it was not taken yet"

    verifier.taken(first, NOW)

    played = verifier.check(delivery, NOW + 2)
    assert isinstance(played, Refusal)
    assert (played.status, played.reason) == (403, "replayed")
    assert isinstance(verifier.check(delivery_of(scheme, at=NOW + 3), NOW + 3), Verified), "another delivery of the same body"


def test_remembered_deliveries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten first, and what is too old to be believed with it."""
    monkeypatch.setattr(verifying, "_MAX_REMEMBERED", 100)
    verifier = Verifier(ZENDESK, [SECRET])
    for number in range(300):
        verified = verifier.check(delivery_of(ZENDESK, b"%d" % number), NOW)
        assert isinstance(verified, Verified)
        verifier.taken(verified, NOW)
    assert len(verifier._taken) == 100
    assert isinstance(verifier.check(delivery_of(ZENDESK, b"299"), NOW), Refusal)
    later = NOW + 1000
    verified = verifier.check(delivery_of(ZENDESK, b"x", at=later), later)
    assert isinstance(verified, Verified)
    verifier.taken(verified, later)
    assert len(verifier._taken) == 1


# ---- Rotation, several signatures, tokens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNED)
def test_each_active_secret_is_accepted_during_rotation(name: str) -> None:
    """Both are taken; the old one no more once it is deleted."""
    scheme = SIGNED[name]
    old = secret_of(scheme)
    new = old[:-8] + "QUJDREU=" if scheme.key == "whsec" else old + "-2"

    for signed_by in (old, new):
        assert checked(scheme, delivery_of(scheme, secret=signed_by), secrets=(old, new)) == (200, "")
    assert checked(scheme, delivery_of(scheme, secret=old), secrets=(new,)) == (403, "wrong_signature")


def test_one_right_signature_of_several_is_enough() -> None:
    """A sender that replaces its secret signs with both; more than twenty are not looked at."""
    good = delivery_of(STANDARD)
    right = good.headers[STANDARD.header]

    assert checked(STANDARD, with_header(good, STANDARD.header, f"v1,{'A' * 43}= {right}")) == (200, "")
    assert checked(STANDARD, with_header(good, STANDARD.header, f"{'v1,QQ== ' * 20}{right}")) == (403, "wrong_signature")


def test_a_token_is_read_from_the_header_or_the_address() -> None:
    """And a wrong one is refused, whichever way it comes."""
    url = "https://hooks.example.com/v1/hooks/x"
    expected = {
        (("Authorization", f"Bearer {SECRET}"), None): (200, ""),
        (("authorization", f"bearer {SECRET}"), None): (200, ""),
        (None, SECRET): (200, ""),
        (None, None): (401, "no_token"),
        (None, ""): (403, "wrong_token"),
        (None, SECRET[:-1]): (403, "wrong_token"),
        (None, "x" * 5000): (401, "no_token"),
        (("Authorization", SECRET), None): (401, "no_token"),
        (("Authorization", "Bearer "), None): (401, "no_token"),
        (("Authorization", f"Bearer {SECRET}x"), None): (403, "wrong_token"),
        (("Authorization", "Bearer \udcff"), None): (403, "wrong_token"),
    }
    for (header, parameter), answer in expected.items():
        delivery = Delivery(BODY, CIMultiDict([header] if header else []), {} if parameter is None else {"token": parameter}, url)
        assert checked(TOKEN, delivery) == answer, (header, parameter)


def test_user_and_password_are_read_from_basic_authentication() -> None:
    """In base64; what is none is refused."""

    def basic(text: bytes) -> str:
        return f"Basic {base64.b64encode(text).decode()}"

    expected = {
        basic(b"user:pass-word"): (200, ""),
        basic(b"user:pass-wor"): (403, "wrong_token"),
        basic(b"\xff\xfe"): (403, "wrong_token"),
        "Basic %%%": (403, "wrong_token"),
        "Basic é": (403, "wrong_token"),
        "Basic": (401, "no_token"),
        "Bearer user:pass-word": (401, "no_token"),
        "": (401, "no_token"),
    }
    for header, answer in expected.items():
        assert checked(BASIC, Delivery(BODY, CIMultiDict({"Authorization": header}), {}, ""), secrets=("user:pass-word",)) == answer, header


@pytest.mark.parametrize(
    ("scheme", "secret", "why"),
    [
        (LINE, "short", "at least 8 characters"),
        (SURVEYMONKEY, "no-client-id-in-here", "client id"),
        (STANDARD, "whsec_***********", "base64"),
        (STANDARD, "whsec_QQ==", "at least 8"),
        (BASIC, "no-colon-in-here", "user:password"),
    ],
)
def test_a_secret_that_cannot_be_the_senders_is_refused_at_start(scheme: Verification, secret: str, why: str) -> None:
    """With what to write, and without the secret."""
    with pytest.raises(SecretError, match=why) as found:
        Verifier(scheme, [secret])
    assert secret not in str(found.value)
    with pytest.raises(SecretError):
        Verifier(scheme, [])


# ---- Nothing raises ----------------------------------------------------------------------------------------------------------------------

anything = st.text(max_size=200) | st.binary(max_size=200).map(lambda some: some.decode("utf-8", "surrogateescape"))


@settings(max_examples=150, deadline=None)
@given(
    scheme=st.sampled_from([*SIGNED.values(), TOKEN, BASIC]),
    body=st.binary(max_size=300),
    values=st.lists(anything, min_size=3, max_size=3),
    query=st.dictionaries(st.sampled_from(["token", "bodySHA256", "x"]), anything),
    url=anything,
)
def test_no_delivery_raises(scheme: Verification, body: bytes, values: list[str], query: dict[str, str], url: str) -> None:
    """Whatever bytes, headers, parameters and addresses: a refusal."""
    names = (scheme.header or "Authorization", scheme.timestamp_header or "x", scheme.id_header or "y")
    there = CIMultiDict(zip(names, values, strict=True))

    outcome = Verifier(scheme, [secret_of(scheme) + ":"] if scheme.key != "whsec" else [WHSEC]).check(
        Delivery(body, there, query, url), NOW
    )

    assert isinstance(outcome, Refusal)
    assert outcome.status in {401, 403}
