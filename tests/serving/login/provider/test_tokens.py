"""Which tokens of a provider are taken: every known way to bring a wrong one, with keys made here."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import orjson
import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from streams.serving.login.provider.keys import Keys, key_set_of
from streams.serving.login.provider.problems import ProviderAwayError, ProviderProblem, TokenError
from streams.serving.login.provider.tokens import LEEWAY_SECONDS, check_access, check_id, check_logout, verified

ISSUER, CLIENT, AUDIENCE = "https://login.example.com/realms/center", "contact-streams", "contact-streams-api"
NOW = 1_800_000_000.5
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
OTHER = RSAKey.generate_key(2048, {"kid": "two", "use": "sig", "alg": "RS256"})
STRANGER = RSAKey.generate_key(2048, {"kid": "one"})

ACCESS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "f3c1", "iat": int(NOW) - 5, "exp": int(NOW) + 300}
ID = {**ACCESS, "aud": CLIENT, "nonce": "n-1"}
ENDS = {"iss": ISSUER, "aud": CLIENT, "sub": "f3c1", "iat": int(NOW), "exp": int(NOW) + 120, "jti": "j", "events": {LOGOUT: {}}}


class Published:
    """The keys that a provider publishes, and how often it was asked for them."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.seconds = 0.0
        self.away = False

    async def fetch(self) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise ProviderAwayError("it cannot be asked")
        return orjson.dumps({"keys": [key.as_dict(private=False) for key in self.keys]})

    def taken(self) -> Keys:
        return Keys(self.fetch, lambda: self.seconds)


def signed(claims: dict[str, Any], key: Any = KEY, **header: Any) -> str:
    """Return a token; its header names the key by default."""
    head = {"alg": "RS256", "kid": key.kid, **header}
    registry = jws.JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
    return jwt.encode({name: value for name, value in head.items() if value is not None}, dict(claims), key, registry=registry)


def segment(value: bytes) -> str:
    """Return one part of a token."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def raw(header: bytes, payload: bytes, key: RSAKey = KEY) -> str:
    """Return a rightly signed token of exactly these bytes, which no library would write."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    text = f"{segment(header)}.{segment(payload)}"
    private = key.private_key
    assert private is not None
    return f"{text}.{segment(private.sign(text.encode(), PKCS1v15(), SHA256()))}"


def access(token: str, keys: Keys | None = None) -> dict[str, Any]:
    """Return the claims of an access token, or raise what its bearer is refused with."""

    async def look() -> dict[str, Any]:
        claims, kind = await verified(token, keys or Published(KEY, OTHER).taken())
        check_access(claims, kind, issuer=ISSUER, audience=AUDIENCE, now=NOW)
        return claims

    return asyncio.run(look())


def refused(token: str, reason: str, keys: Keys | None = None) -> None:
    """Look that a token is refused for this reason, by a text that holds nothing of it."""
    with pytest.raises(TokenError) as error:
        access(token, keys)
    assert reason in str(error.value)
    assert not any(part and part in str(error.value) for part in token.split("."))


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", RSAKey.generate_key(2048, {"kid": "k"})),
        ("PS384", RSAKey.generate_key(2048, {"kid": "k"})),
        ("ES256", ECKey.generate_key("P-256", {"kid": "k"})),
        ("ES512", ECKey.generate_key("P-521", {"kid": "k"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "k"})),
    ],
)
def test_tokens_signed_by_a_key_pair_are_taken(algorithm: str, key: Any) -> None:
    """A token of the issuer for this audience is taken, by each kind of key pair."""
    assert access(signed(ACCESS, key, alg=algorithm), Published(key).taken())["sub"] == "f3c1"


@pytest.mark.parametrize(
    "claims",
    [
        {**ACCESS, "aud": ["account", AUDIENCE]},
        {**ACCESS, "exp": int(NOW) - LEEWAY_SECONDS + 1},
        {**ACCESS, "nbf": int(NOW) + LEEWAY_SECONDS},
    ],
    ids=["one audience of several", "expired within the leeway", "valid from within the leeway"],
)
def test_what_the_rules_permit_is_taken(claims: dict[str, Any]) -> None:
    """What lies just within the rules is taken."""
    assert access(signed(claims))["sub"] == "f3c1"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({**ACCESS, "exp": int(NOW) - LEEWAY_SECONDS}, "it has expired (exp)"),
        ({**ACCESS, "exp": int(NOW) - 30}, "it has expired (exp)"),
        ({**ACCESS, "exp": None}, "(exp)"),
        ({**ACCESS, "exp": "2100-01-01"}, "(exp)"),
        ({**ACCESS, "exp": True}, "(exp)"),
        ({**ACCESS, "nbf": int(NOW) + LEEWAY_SECONDS + 1}, "(nbf)"),
        ({**ACCESS, "iat": int(NOW) + LEEWAY_SECONDS + 1}, "(iat)"),
        ({**ACCESS, "aud": "another-api"}, "(aud)"),
        ({**ACCESS, "aud": ["another-api", AUDIENCE + "2"]}, "(aud)"),
        ({**ACCESS, "aud": {AUDIENCE: 1}}, "(aud)"),
        ({**ACCESS, "aud": []}, "(aud)"),
        ({**ACCESS, "iss": ISSUER + "/"}, "(iss)"),
        ({**ACCESS, "iss": "https://login.example.com/realms/other"}, "(iss)"),
        ({**ACCESS, "iss": [ISSUER]}, "(iss)"),
        ({**ACCESS, "sub": ""}, "(sub)"),
        ({**ACCESS, "sub": 7}, "(sub)"),
        ({**ACCESS, "nonce": "n-1"}, "it is no access token"),
        ({**ACCESS, "events": {LOGOUT: {}}}, "it is no access token"),
        ({**ACCESS, "typ": "ID"}, "(typ)"),
        ({**ACCESS, "typ": "Refresh"}, "(typ)"),
    ],
)
def test_access_tokens_with_wrong_claims_are_refused(claims: dict[str, Any], reason: str) -> None:
    """Expired, not yet valid, for another audience, of another issuer, of another kind: each is refused, with its rule."""
    refused(signed({name: value for name, value in claims.items() if value is not None}), reason)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp"])
def test_access_tokens_without_a_required_claim_are_refused(claim: str) -> None:
    """A token without one of these claims is refused: a missing claim is not assumed."""
    refused(signed({name: value for name, value in ACCESS.items() if name != claim}), f"({claim}")


def test_tokens_without_a_signature_are_refused() -> None:
    """``alg: none`` in any writing is refused, with and without something in the place of the signature."""
    payload = segment(orjson.dumps(ACCESS))
    for name in ("none", "None", "NONE", "nOnE", ""):
        header = segment(orjson.dumps({"alg": name, "kid": "one"}))
        for signature in ("", segment(b"signature")):
            refused(f"{header}.{payload}.{signature}", "its algorithm is not permitted")
    refused(f"{segment(orjson.dumps({'kid': 'one'}))}.{payload}.", "its algorithm is not permitted")


def test_a_public_key_is_no_secret() -> None:
    """The public key, which is known to all, signs nothing as the secret of an HMAC (key confusion), in each of its written forms."""
    payload = segment(orjson.dumps(ACCESS))
    forms = (KEY.as_pem(private=False), KEY.as_der(private=False), orjson.dumps(KEY.as_dict(private=False)))
    for secret in (*forms, forms[0].rstrip(b"\n"), str(KEY.as_dict(private=False)["n"]).encode()):
        for name, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            text = f"{segment(orjson.dumps({'alg': name, 'kid': 'one'}))}.{payload}"
            refused(f"{text}.{segment(hmac.new(secret, text.encode(), digest).digest())}", "its algorithm is not permitted")
    # Nor does one secret for both sides count as a key if the provider should publish one.
    secret_key = OctKey.generate_key(256, {"kid": "shared"})
    with pytest.raises(ProviderProblem, match="no key for signatures"):
        key_set_of(orjson.dumps({"keys": [secret_key.as_dict(private=True)]}))


def test_keys_that_a_token_brings_along_are_passed_over() -> None:
    """A stranger's key in the header, or an address of one, opens nothing, whether or not the token names a key of the provider."""
    keys = Published(KEY)
    for kid in ("one", "stranger", None):
        for brought in (
            {"jwk": STRANGER.as_dict(private=False)},
            {"jku": "http://127.0.0.1:1/keys"},
            {"x5u": "http://127.0.0.1:1/chain.pem"},
            {"x5c": [segment(STRANGER.as_der(private=False))]},
        ):
            refused(signed(ACCESS, STRANGER, kid=kid, **brought), "its signature or form is wrong", keys.taken())
    # The same headers around a right signature change nothing.
    assert access(signed(ACCESS, KEY, jku="http://127.0.0.1:1/keys"), keys.taken())["sub"] == "f3c1"


def test_what_must_be_understood_is_not_guessed() -> None:
    """A header that has to be understood, and is not known here, refuses the token; one that may be passed over does not."""
    refused(raw(orjson.dumps({"alg": "RS256", "kid": "one", "crit": ["exp"], "exp": 1}), orjson.dumps(ACCESS)), "an unknown extension")
    refused(raw(orjson.dumps({"alg": "RS256", "kid": "one", "crit": []}), orjson.dumps(ACCESS)), "an unknown extension")
    refused(raw(orjson.dumps({"alg": "RS256", "kid": "one", "b64": False, "crit": ["b64"]}), orjson.dumps(ACCESS)), "unknown extension")
    assert access(raw(orjson.dumps({"alg": "RS256", "kid": "one", "of_no_standard": 1}), orjson.dumps(ACCESS)))["sub"] == "f3c1"


def test_duplicate_claims_and_headers_are_refused() -> None:
    """Of two claims or headers with one name another reader could take the other: the token is refused, however well it is signed."""
    twice = orjson.dumps(ACCESS)[:-1] + b',"aud":"another-api"}'
    assert json.loads(twice)["aud"] == "another-api"
    refused(raw(orjson.dumps({"alg": "RS256", "kid": "one"}), twice), "its signature or form is wrong")
    refused(raw(b'{"alg":"none","alg":"RS256","kid":"one"}', orjson.dumps(ACCESS)), "its header cannot be read")
    nested = orjson.dumps(ACCESS)[:-1] + b',"realm_access":{"roles":["a"],"roles":["b"]}}'
    refused(raw(orjson.dumps({"alg": "RS256", "kid": "one"}), nested), "its signature or form is wrong")


def test_changed_and_broken_tokens_are_refused() -> None:
    """What was changed on the way, cut, or is no token at all is refused, and raises nothing else."""
    header, payload, signature = signed(ACCESS).split(".")
    more = segment(orjson.dumps({**ACCESS, "groups": ["admin"]}))
    for token in (
        f"{header}.{more}.{signature}",
        f"{header}.{payload}.{signature[:-4]}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}.{signature}",
        "",
        "..",
        "a.b.c",
        f"{segment(b'[1]')}.{payload}.{signature}",
        f"{segment(b'[' * 700)}.{payload}.{signature}",
        f"{segment(bytes([255, 254]))}.{payload}.{signature}",
        f"é{header}.{payload}.{signature}",
        raw(orjson.dumps({"alg": "RS256", "kid": 7}), orjson.dumps(ACCESS)),
        signed(ACCESS, KEY, kid="k" * 301),
        raw(orjson.dumps({"alg": "RS256", "kid": "one"}), b"[" * 9000),
        raw(orjson.dumps({"alg": "RS256", "kid": "one"}), b'"text"'),
        raw(orjson.dumps({"alg": "RS256", "kid": "one"}), b'{"exp":NaN}'),
        raw(orjson.dumps({"alg": "RS256", "kid": "one"}), orjson.dumps(ACCESS).replace(str(ACCESS["exp"]).encode(), b"1e999")),
    ):
        with pytest.raises(TokenError):
            access(token)


def test_huge_tokens_are_refused_before_they_are_read() -> None:
    """A token longer than any that a header holds is refused at once, and no key is asked for."""
    published = Published(KEY)
    refused(signed({**ACCESS, "groups": ["g" * 40] * 2000}), "it is too long", published.taken())
    refused("a" * 5_000_000, "it is too long", published.taken())
    assert published.asked == 0


def test_keys_with_another_purpose_sign_nothing() -> None:
    """A key for encryption, one of another algorithm, and one too short to be safe check no signature."""
    encrypting = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    keys = Published(KEY, encrypting, RSAKey.generate_key(2048, {"kid": "ps", "alg": "PS256"}))
    refused(signed(ACCESS, encrypting.import_key({**encrypting.as_dict(private=True), "use": "sig"})), "its signature", keys.taken())
    with pytest.raises(ProviderProblem, match="no key for signatures"):
        key_set_of(orjson.dumps({"keys": [encrypting.as_dict(private=False)]}))
    ps_only = keys.keys[2]
    refused(signed(ACCESS, RSAKey.import_key({**ps_only.as_dict(private=True), "alg": "RS256"})), "its signature", keys.taken())
    with pytest.warns(UserWarning, match="2048"):
        short = RSAKey.generate_key(1024, {"kid": "short"})
    with pytest.raises(ProviderProblem, match="no key for signatures"):
        key_set_of(orjson.dumps({"keys": [short.as_dict(private=False)]}))


def test_keys_are_taken_up_when_the_provider_changes_them() -> None:
    """A token of a new key is accepted at once; one of a revoked key is rejected after five minutes."""
    published = Published(KEY)
    keys = published.taken()
    access(signed(ACCESS), keys)
    published.keys = [OTHER]
    published.seconds = 11
    assert access(signed(ACCESS, OTHER), keys)["sub"] == "f3c1"
    refused(signed(ACCESS, KEY), "its signature or form is wrong", keys)

    published = Published(KEY, OTHER)
    keys = published.taken()
    access(signed(ACCESS), keys)
    published.keys = [OTHER]
    published.seconds = 299
    access(signed(ACCESS), keys)
    published.seconds = 300
    refused(signed(ACCESS), "its signature or form is wrong", keys)


def test_a_storm_of_unknown_keys_asks_the_provider_once() -> None:
    """A thousand tokens with unknown keys cause one fetch in ten seconds, also in parallel, and block no valid token."""
    published = Published(KEY)
    keys = published.taken()

    async def storm() -> list[object]:
        tokens = [signed(ACCESS, STRANGER, kid=f"k{number}") for number in range(1000)]
        return await asyncio.gather(*(verified(token, keys) for token in tokens), return_exceptions=True)

    assert all(isinstance(answer, TokenError) for answer in asyncio.run(storm()))
    assert published.asked == 1
    keys = published.taken()
    published.asked, published.seconds = 0, 20.0
    access(signed(ACCESS), keys)
    for number in range(100):
        published.seconds += 0.1
        refused(signed(ACCESS, STRANGER, kid=f"k{number}"), "its signature or form is wrong", keys)
    access(signed(ACCESS), keys)
    assert published.asked == 2


def test_keys_of_the_provider_itself_are_not_kept_waiting() -> None:
    """A token that came from the provider by a key of this moment is taken, also right after strangers had keys asked for."""
    published = Published(KEY)
    keys = published.taken()
    access(signed(ACCESS), keys)
    published.keys.append(OTHER)
    refused(signed(ACCESS, OTHER), "its signature or form is wrong", keys)
    claims, _ = asyncio.run(verified(signed(ID, OTHER), keys, from_provider=True))
    assert claims["nonce"] == "n-1"


def test_keys_last_while_the_provider_is_away_but_not_for_ever() -> None:
    """Cached keys are used for an hour; without any, and after it, a token is not rejected: it cannot be checked."""
    published = Published(KEY)
    published.away = True
    keys = published.taken()
    with pytest.raises(ProviderAwayError):
        access(signed(ACCESS), keys)
    published.away, published.seconds = False, 10
    access(signed(ACCESS), keys)
    published.away, published.seconds = True, 3600
    access(signed(ACCESS), keys)
    published.seconds = 3610
    with pytest.raises(ProviderAwayError):
        access(signed(ACCESS), keys)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[1,{"kty":"EC","crv":"P-256","x":"AA"}]}', b"\xff"]
)
def test_what_is_no_key_set_is_a_problem_of_the_provider(body: bytes) -> None:
    """Answers that are no key set are named as such."""
    with pytest.raises(ProviderProblem):
        key_set_of(body)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aud": "another-client"}, "(aud)"),
        ({"iss": "https://login.example.com/realms/other"}, "(iss)"),
        ({"exp": int(NOW) - LEEWAY_SECONDS}, "(exp)"),
        ({"iat": None}, "(iat)"),
        ({"sub": None}, "(sub)"),
        ({"nonce": None}, "(nonce)"),
        ({"nonce": "n-2"}, "(nonce)"),
        ({"nonce": ["n-1"]}, "(nonce)"),
        ({"nonce": "\ud800"}, "(nonce)"),
        ({"azp": "another-client"}, "(azp)"),
        ({"aud": [CLIENT, "account"]}, "(azp)"),
        ({"events": {LOGOUT: {}}}, "no ID token"),
    ],
)
def test_id_tokens_of_another_login_are_refused(changed: dict[str, Any], reason: str) -> None:
    """An ID token is for this client, of this login, of now; each other is refused with its rule."""
    claims = {name: value for name, value in {**ID, **changed}.items() if value is not None}
    with pytest.raises(TokenError) as error:
        check_id(claims, issuer=ISSUER, client_id=CLIENT, nonce="n-1", now=NOW)
    assert reason in str(error.value)


def test_id_tokens_of_this_login_are_taken() -> None:
    """The right one is taken, for several audiences if it names this server (azp), and refreshed without a nonce."""
    check_id(ID, issuer=ISSUER, client_id=CLIENT, nonce="n-1", now=NOW)
    check_id({**ID, "aud": [CLIENT, "account"], "azp": CLIENT}, issuer=ISSUER, client_id=CLIENT, nonce="n-1", now=NOW)
    check_id({name: value for name, value in ID.items() if name != "nonce"}, issuer=ISSUER, client_id=CLIENT, nonce=None, now=NOW)


@pytest.mark.parametrize(
    ("changed", "kind", "reason"),
    [
        ({"events": None}, "", "(events)"),
        ({"events": {}}, "", "(events)"),
        ({"events": {LOGOUT: "now"}}, "", "(events)"),
        ({"nonce": "n-1"}, "logout+jwt", "(nonce)"),
        ({"sub": None}, "", "(sub, sid)"),
        ({"jti": None}, "", "(jti)"),
        ({"aud": AUDIENCE}, "", "(aud)"),
        ({"iat": int(NOW) - 200, "exp": int(NOW) + 9999}, "", "(iat)"),
        ({}, "at+jwt", "(typ)"),
    ],
)
def test_tokens_that_end_no_session_are_refused(changed: dict[str, Any], kind: str, reason: str) -> None:
    """Only a fresh logout token for this client ends sessions."""
    check_logout(ENDS, "logout+jwt", issuer=ISSUER, client_id=CLIENT, now=NOW)
    claims = {name: value for name, value in {**ENDS, **changed}.items() if value is not None}
    with pytest.raises(TokenError) as error:
        check_logout(claims, kind, issuer=ISSUER, client_id=CLIENT, now=NOW)
    assert reason in str(error.value)
