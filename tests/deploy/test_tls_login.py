"""The whole setup with TLS and a provider, without containers: Keycloak as compose.tls.yaml starts it, serve over TLS, and a login."""

from __future__ import annotations

import asyncio
import html
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from tests.deploy.test_containers import DEPLOY, ROOT
from tests.deploy.test_tls_setup import OVER, make_certificates
from tests.deploy.watched import free_ports
from tests.support import keycloak as provider
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.nightly

PASSWORD = "a-password-of-tests"
_START_SECONDS = 200


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return a value of compose.tls.yaml with variables, names and places of this machine."""
    text = re.sub(r"\$\{\w+:\?[^}]*\}", PASSWORD, text)
    for there, here in values.items():
        text = text.replace(there, here)
    return text


def until(url: str, context: ssl.SSLContext, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until an address answers."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5, context=context):  # noqa: S310 - our own
                return
        except OSError:
            assert process.poll() is None, log.read_text(encoding="utf-8")[-4000:]
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")[-4000:]
            time.sleep(0.5)


async def seen_by(user: str, address: str, context: ssl.SSLContext) -> tuple[int, dict[str, Any], str]:
    """Log in as a browser does, by the page of Keycloak; return status and body of the session, and the name of its cookie."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as browser:
        async with browser.get(f"{address}/", headers={"Accept": "text/html"}, allow_redirects=False) as first:
            assert (first.status, first.headers["Location"]) == (303, "/login")
        async with browser.get(f"{address}/login/provider") as page:
            form = re.search(r'<form[^>]+id="kc-form-login"[^>]+action="([^"]+)"', await page.text())
        assert form is not None
        fields = {"username": user, "password": PASSWORD}
        async with browser.post(URL(html.unescape(form[1]), encoded=True), data=fields) as answer:
            assert str(answer.url).startswith(f"{address}/"), answer.url
        (cookie,) = [each.key for each in browser.cookie_jar if each["path"] == "/" and each.key.endswith("session") and each["secure"]]
        async with browser.get(f"{address}/api/v1/session") as session:
            return session.status, await session.json(), cookie


def test_people_of_the_provider_log_in_over_tls(tmp_path: Path) -> None:
    """With the realm, variables and options of deploy/: Keycloak takes them, and serve finds it, trusts it and lets its people in."""
    reason = provider.missing()
    require(reason is None, reason or "")
    secrets, home = tmp_path / "secrets", tmp_path / "keycloak"
    make_certificates(secrets)
    # A copy: it builds itself for this way to start.
    shutil.copytree(provider.home(), home, symlinks=True)
    (home / "data" / "import").mkdir(parents=True)
    shutil.copy(DEPLOY / "keycloak" / "contact-center.json", home / "data" / "import")
    port, http, board = free_ports(3)
    values = {
        "keycloak.localhost:8444": f"localhost:{port}",
        "board.localhost:8443": f"localhost:{board}",
        "https://serve:8080": f"https://localhost:{board}",
        "/etc/keycloak-tls": str(secrets / "server"),
        "/etc/contact-streams-tls": str(secrets / "server"),
        "/etc/contact-streams-access": str(tmp_path),
        "/etc/contact-streams/": f"{DEPLOY / 'configuration'}/",
    }
    access = (DEPLOY / "tls" / "access.yaml").read_text(encoding="utf-8")
    (tmp_path / "access.yaml").write_text(with_values(access, values), encoding="utf-8")

    environment = {name: with_values(text, values) for name, text in OVER["services"]["keycloak"]["environment"].items()}
    environment |= {"KC_HTTPS_PORT": str(port), "KC_HTTP_PORT": str(http), "KC_HTTP_HOST": "127.0.0.1", "JAVA_OPTS_APPEND": "-Xmx400m"}
    context = ssl.create_default_context(cafile=secrets / "authority" / "ca.crt")
    command = [str(home / "bin" / "kc.sh"), *OVER["services"]["keycloak"]["command"]]
    arguments = [with_values(argument, values) for argument in OVER["services"]["serve"]["command"]]
    serve_environment = {name: with_values(text, values) for name, text in OVER["services"]["serve"]["environment"].items()}
    with (
        (tmp_path / "keycloak.log").open("wb") as log,
        (tmp_path / "serve.log").open("wb") as serve_log,
        subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True) as keycloak,
        subprocess.Popen(
            [sys.executable, "-m", "streams", *arguments, f"--port={board}", "--bootstrap=127.0.0.1:9"],
            cwd=ROOT,
            env=os.environ | serve_environment,
            stdout=serve_log,
            stderr=serve_log,
        ) as serve,
    ):
        try:
            until(f"https://localhost:{board}/healthz", context, serve, tmp_path / "serve.log")
            address = f"https://localhost:{port}/realms/contact-center/.well-known/openid-configuration"
            until(address, context, keycloak, tmp_path / "keycloak.log")
            status, body, cookie = asyncio.run(asyncio.wait_for(seen_by("aoki", f"https://localhost:{board}", context), 60))
        finally:
            os.killpg(keycloak.pid, signal.SIGKILL)
            serve.terminate()
    assert (status, cookie) == (200, "__Host-session"), (tmp_path / "serve.log").read_text(encoding="utf-8")
    assert body == {"kind": "provider", "name": "aoki", "rights": ["figures"]}
