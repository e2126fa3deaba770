"""A real Prometheus scrapes with tokens that it gets at a real Keycloak by itself."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.test_utils import unused_port

from tests.deploy.test_tls_setup import scraped
from tests.serving.login.provider.real_server import real_server
from tests.support.keycloak import VALUES
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.keycloak import Keycloak

#: As docs/access.md writes it.
CONFIGURATION = """
scrape_configs:
  - job_name: contact-streams-serve
    scrape_interval: 1s
    oauth2:
      client_id: prometheus
      client_secret_file: {secret}
      token_url: {issuer}/protocol/openid-connect/token
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


def test_prometheus_scrapes_with_tokens_of_keycloak(keycloak: Keycloak, tmp_path: Path) -> None:
    """With the group of its service account it scrapes; without a role of that group, or with the audience of another, it is refused."""
    require(shutil.which("prometheus"), "prometheus scrapes: apt-get install prometheus")
    (tmp_path / "secret").write_text(VALUES["CONTACT_STREAMS_SCRAPE_CLIENT_SECRET"], encoding="utf-8")

    async def check() -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            realm = await keycloak.realm(http)
        provider = {"issuer": realm.issuer, "client_id": "contact-streams", "audience": "contact-streams-api"}
        viewer = {"monitoring": [{"role": "viewer"}]}
        for number, (audience, groups, health, error) in enumerate(
            [
                ("contact-streams-api", viewer, "up", ""),
                ("contact-streams-api", {"monitoring": []}, "down", "server returned HTTP status 403 Forbidden"),
                ("another-api", viewer, "down", "server returned HTTP status 401 Unauthorized"),
            ]
        ):
            port = unused_port()
            text = CONFIGURATION.format(secret=tmp_path / "secret", issuer=realm.issuer, port=port)
            keys = {"provider": {**provider, "audience": audience}, "public_url": "http://127.0.0.1:9", "groups": groups}
            async with real_server(port, **keys):
                assert await asyncio.to_thread(scraped, tmp_path / str(number), text, 1) == {"serve": (health, error)}

    asyncio.run(asyncio.wait_for(check(), 180))
