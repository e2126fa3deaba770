"""A provider as small as one can be, over real HTTP, that tests can have fail, lie and change its mind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import RSAKey
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "SmallProvider", "small_provider"]

#: With what has to be encoded before it is sent (RFC 6749, 2.3.1).
CLIENT_ID, CLIENT_SECRET = "contact-streams", "a secret: of+tests%"
_BASIC = base64.b64encode(b"contact-streams:a+secret%3A+of%2Btests%25").decode()


class SmallProvider:
    """Its answers can be changed while it runs."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.issuer = ""
        self.clock: Callable[[], float] = time.time
        #: The claims of a user's tokens, by name.
        self.claims: dict[str, dict[str, Any]] = {"aoki": {"preferred_username": "aoki", "groups": ["tokyo"]}}
        self.disabled: set[str] = set()
        #: Replaces its usual answer.
        self.offer: dict[str, Any] = {}
        self.token_answer: dict[str, Any] = {}
        self.id_claims: dict[str, Any] = {}
        self.status: int | None = None
        self.body: bytes | None = None
        self.hangs = False
        self.userinfo: dict[str, Any] | None = None
        self.public = False
        #: Every path that was asked for, and every form of the token endpoint.
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []
        #: Every token that was given.
        self.given: list[str] = []
        self.redirected = False
        self._codes: dict[str, tuple[str, Mapping[str, str]]] = {}
        self._refresh: dict[str, str] = {}
        self._access: dict[str, str] = {}

    @property
    def app(self) -> web.Application:
        """The provider as an application."""
        app = web.Application(middlewares=[self._troubled])
        app.router.add_get("/.well-known/openid-configuration", self._offer)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/userinfo", self._userinfo)
        app.router.add_post("/token", self._token)
        return app

    def log_in(self, login_url: str, user: str) -> dict[str, str]:
        """Log a user in, as the page behind this address would, and return the query of the browser's return."""
        asked = dict(URL(login_url).query)
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT_ID
        code = secrets.token_urlsafe(16)
        self._codes[code] = (user, asked)
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def signed(self, claims: Mapping[str, Any], **header: Any) -> str:
        """Return a token of this provider."""
        now = int(self.clock())
        whole = {"iss": self.issuer, "iat": now, "exp": now + 300, **claims}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid, **header}, whole, self.key)

    @web.middleware
    async def _troubled(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.hangs:
            await asyncio.sleep(60)
        if self.redirected:
            raise web.HTTPFound(f"{self.issuer}{request.path}?again")
        if self.status is not None or self.body is not None:
            return web.Response(status=self.status or 200, body=self.body or b"{}")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _offer(self, request: web.Request) -> web.Response:
        offer = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/logout",
            "authorization_response_iss_parameter_supported": True,
            **self.offer,
        }
        return _json({name: value for name, value in offer.items() if value is not None})

    async def _keys(self, request: web.Request) -> web.Response:
        return _json({"keys": [self.key.as_dict(private=False)]})

    async def _userinfo(self, request: web.Request) -> web.Response:
        user = self._access.get(request.headers["Authorization"].removeprefix("Bearer "))
        return web.Response(status=401) if user is None else _json({"sub": f"sub-{user}", **(self.userinfo or {})})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        if self.public:
            known = "Authorization" not in request.headers and form.get("client_id") == CLIENT_ID
        else:
            known = request.headers.get("Authorization") == f"Basic {_BASIC}"
        if not known:
            return _json({"error": "invalid_client"}, status=401)
        nonce = {}
        if form["grant_type"] == "authorization_code":
            user, asked = self._codes.pop(form["code"], ("", {}))
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
            if not user or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
                return _json({"error": "invalid_grant"}, status=400)
            nonce = {"nonce": asked["nonce"]}
        else:
            user = self._refresh.pop(form["refresh_token"], "")
        if not user or user in self.disabled:
            return _json({"error": "invalid_grant"}, status=400)
        refresh, access = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._refresh[refresh] = self._access[access] = user
        claims = {"sub": f"sub-{user}", "sid": f"sid-{user}", "aud": CLIENT_ID, **nonce, **self.claims[user], **self.id_claims}
        answer = {
            "token_type": "Bearer",
            "id_token": self.signed({name: value for name, value in claims.items() if value is not None}),
            "refresh_token": refresh,
            "access_token": access,
            **self.token_answer,
        }
        self.given += [str(answer[name]) for name in ("id_token", "refresh_token", "access_token")]
        return _json({name: value for name, value in answer.items() if value is not None})


def _json(document: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json", status=status)


@contextlib.asynccontextmanager
async def small_provider() -> AsyncIterator[SmallProvider]:
    """Run one for the length of a block."""
    provider = SmallProvider()
    async with TestServer(provider.app) as server:
        provider.issuer = str(server.make_url("")).rstrip("/")
        yield provider
