"""Keycloak for tests: the real provider from Maven Central's zip, on a free loopback port, with the realm of deploy/, gone with the run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tests.support.kafka import die_with_parent, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

__all__ = ["PASSWORD", "REALM_FILE", "SECRET", "VALUES", "VERSION", "Keycloak", "Realm", "keycloak", "missing"]

_POM = Path(__file__).with_name("keycloak-pom.xml")
#: What runs a whole setup imports it as it is.
REALM_FILE = Path(__file__).parents[2] / "deploy" / "keycloak" / "contact-center.json"
_found = re.search(r"<keycloak\.version>(.+)</keycloak\.version>", _POM.read_text(encoding="utf-8"))
if _found is None:
    raise RuntimeError(f"{_POM} names no keycloak.version.")

#: The version of Keycloak that tests run against.
VERSION: str = _found.group(1)

#: Of the people of the realm.
PASSWORD = "a-password-of-tests"

#: What this server proves itself with, with what has to be encoded on its way.
SECRET = "a secret: of+tests%"

#: The variables of the realm file, for the realm that Keycloak itself imports.
VALUES = {
    "CONTACT_STREAMS_PUBLIC_URL": "http://127.0.0.1:9",
    "CONTACT_STREAMS_LOGOUT_URL": "http://127.0.0.1:9",
    "CONTACT_STREAMS_OIDC_CLIENT_SECRET": SECRET,
    "CONTACT_STREAMS_SCRAPE_CLIENT_SECRET": "a-secret-of-prometheus",
    "CONTACT_STREAMS_EXAMPLE_PASSWORD": PASSWORD,
}

#: A cold JVM that makes its tables, on two busy cores.
_READY_SECONDS = 120.0
_BUILD_SECONDS = 180.0

_DATABASE = "--db=dev-mem"
_JAVA = ["java", "-Xms64m", "-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError"]
_OPENS = ["java.util", "java.util.concurrent", "java.security", "java.lang"]


def missing() -> str | None:
    """Return why Keycloak cannot run here, or None when it can."""
    if shutil.which("java") is None:
        return "Keycloak needs Java 17 or newer on the path: apt-get install default-jre-headless"
    if not _cached().exists() and shutil.which("mvn") is None:
        return "Maven is needed once, to fetch Keycloak: apt-get install maven"
    return None


def _cached() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "contact-streams" / f"keycloak-{VERSION}"


def home() -> Path:
    """Return the folder of Keycloak, fetched and built for its database on first use."""
    folder = _cached()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unpacked = folder / f"keycloak-{VERSION}"
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            print(f"Fetching Keycloak {VERSION} with Maven into {folder}.", file=sys.stderr, flush=True)  # noqa: T201
            subprocess.run(
                [
                    "mvn",
                    "--batch-mode",
                    "--quiet",
                    f"--file={_POM}",
                    "dependency:unpack-dependencies",
                    "-DincludeScope=runtime",
                    f"-DoutputDirectory={folder}",
                ],
                check=True,
                timeout=900,
            )
            subprocess.run([*_command(unpacked), "build", _DATABASE], check=True, timeout=_BUILD_SECONDS, stdout=subprocess.DEVNULL)
            (folder / ".complete").touch()
            print(f"Keycloak {VERSION} is there.", file=sys.stderr, flush=True)  # noqa: T201
    return unpacked


def _command(unpacked: Path) -> list[str]:
    # As bin/kc.sh does, which would leave a shell between us and the process.
    return [
        *_JAVA,
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENS),
        "-Duser.language=en",
        "-Duser.country=US",
        "-Djava.net.preferIPv4Stack=true",
        f"-Dkc.home.dir={unpacked}",
        f"-Djboss.server.config.dir={unpacked / 'conf'}",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Dpicocli.disable.closures=true",
        "-cp",
        str(unpacked / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
    ]


class Keycloak:
    """One running Keycloak, and what its administrator does there."""

    def __init__(self, folder: Path) -> None:
        """Lay it out below ``folder``, with the realm file of deploy/ to import; nothing runs yet."""
        self._home = folder / "home"
        self._home.mkdir()
        for each in home().iterdir():
            if each.name != "data":
                (self._home / each.name).symlink_to(each)
        imported = self._home / "data" / "import"
        imported.mkdir(parents=True)
        shutil.copy(REALM_FILE, imported)
        self._port = free_port()
        self._log = folder / "keycloak.log"
        self._admin_password = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def issuer(self, realm: str) -> str:
        """Return the issuer of the tokens of a realm."""
        return f"{self.url}/realms/{realm}"

    def start(self) -> None:
        """Start it. Call it from the main thread: it dies with the thread that started it."""
        options = [
            "--import-realm",
            "--http-enabled=true",
            "--http-host=127.0.0.1",
            f"--http-port={self._port}",
            f"--hostname={self.url}",
            "--cache=local",
        ]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_command(self._home), "start", "--optimized", *options],
                env=os.environ | VALUES | {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": self._admin_password},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
            )

    def pause(self) -> None:
        """Pause it: no request is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it continue."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def wait_ready(self) -> None:
        """Wait until it answers."""
        import urllib.error
        import urllib.request

        deadline = time.monotonic() + _READY_SECONDS
        address = f"{self.issuer('master')}/.well-known/openid-configuration"
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"Keycloak ended with {self._process.returncode}:\n{self._tail()}")
            with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310
                if answer.status == 200:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"Keycloak is not ready after {_READY_SECONDS:.0f} s:\n{self._tail()}")

    def imported(self, http: aiohttp.ClientSession) -> Realm:
        """Return the realm that Keycloak has created from the file by itself."""
        return Realm(self, http, "contact-center", self._admin_password)

    async def realm(self, http: aiohttp.ClientSession, **values: str) -> Realm:
        """Make the realm of deploy/ under a name of its own, with ``VALUES`` and these in place of its variables."""
        text = REALM_FILE.read_text(encoding="utf-8")
        document = orjson.loads(re.sub(r"\$\{(\w+)\}", lambda found: (VALUES | values)[found[1]], text))
        document["realm"] = f"contact-center-{secrets.token_hex(4)}"
        realm = Realm(self, http, document["realm"], self._admin_password)
        await realm.ask("POST", "", json=document, above=True)
        return realm

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, which)


class Realm:
    """One realm, and what its administrator does there."""

    def __init__(self, keycloak: Keycloak, http: aiohttp.ClientSession, name: str, admin_password: str) -> None:
        self.name = name
        self.keycloak = keycloak
        self._http = http
        self._admin_password = admin_password

    @property
    def issuer(self) -> str:
        """The issuer of its tokens."""
        return self.keycloak.issuer(self.name)

    async def ask(self, method: str, path: str, *, json: Any = None, above: bool = False) -> Any:
        """Ask the interface for administrators; return what it answers. ``above`` is of all realms."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": self._admin_password}
        async with self._http.post(f"{self.keycloak.issuer('master')}/protocol/openid-connect/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        address = f"{self.keycloak.url}/admin/realms{'' if above else '/' + self.name}{path}"
        async with self._http.request(method, address, json=json, headers={"Authorization": f"Bearer {token}"}) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise AssertionError(f"{method} {path}: {answer.status} {body[:500]!r}")
            return orjson.loads(body) if body else None

    async def user(self, name: str) -> dict[str, Any]:
        """Return a user as Keycloak has it."""
        found: list[dict[str, Any]] = await self.ask("GET", f"/users?exact=true&username={name}")
        return found[0]

    async def enable(self, name: str, *, enabled: bool) -> None:
        """Let a user in, or do not."""
        user = await self.user(name)
        await self.ask("PUT", f"/users/{user['id']}", json={**user, "enabled": enabled})

    async def move(self, name: str, group: str) -> None:
        """Take a user out of all groups and into this one."""
        user = await self.user(name)
        groups = {each["name"]: each["id"] for each in await self.ask("GET", "/groups")}
        for each in await self.ask("GET", f"/users/{user['id']}/groups"):
            await self.ask("DELETE", f"/users/{user['id']}/groups/{each['id']}")
        await self.ask("PUT", f"/users/{user['id']}/groups/{groups[group]}")

    async def rotate_keys(self) -> None:
        """Sign with a new key from now on, and take the old ones back."""
        kind = "org.keycloak.keys.KeyProvider"
        old = [each for each in await self.ask("GET", f"/components?type={kind}") if each["providerId"] == "rsa-generated"]
        component = {"name": "new", "providerId": "rsa-generated", "providerType": kind, "config": {"priority": ["200"]}}
        await self.ask("POST", "/components", json=component)
        for each in old:
            await self.ask("DELETE", f"/components/{each['id']}")

    async def program_token(self, client: str, secret: str) -> str:
        """Return an access token of a program."""
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
        async with self._http.post(f"{self.issuer}/protocol/openid-connect/token", data=form) as answer:
            token: str = (await answer.json())["access_token"]
            return token


@contextlib.contextmanager
def keycloak() -> Iterator[Keycloak]:
    """Run Keycloak for the length of a ``with`` block. Call it from the main thread."""
    with tempfile.TemporaryDirectory(prefix="contact-streams-keycloak-", ignore_cleanup_errors=True) as folder:
        running = Keycloak(Path(folder))
        try:
            running.start()
            running.wait_ready()
            yield running
        finally:
            running.close()
