"""The setup with TLS, a login and a provider: its files fit each other, and a real Prometheus scrapes real processes with them."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
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

import pytest
import yaml

from streams.configuration.access import load_access
from streams.listening.tls import Certificates, TlsFiles
from tests.deploy.test_containers import COMPOSE, DEPLOY, PINNED, ROOT, SERVICES, published
from tests.deploy.watched import free_ports, running, until_ready
from tests.support.keycloak import VERSION
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

OVER: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.tls.yaml").read_text(encoding="utf-8"))
TEXT = (DEPLOY / "compose.tls.yaml").read_text(encoding="utf-8")
REALM: dict[str, Any] = json.loads((DEPLOY / "keycloak" / "contact-center.json").read_text(encoding="utf-8"))
PROMETHEUS = (DEPLOY / "prometheus" / "prometheus-tls.yml").read_text(encoding="utf-8")
#: Where the container has the folder that the script fills.
SECRETS = {"/etc/contact-streams-tls": "server", "/etc/prometheus/tls": "prometheus", "/etc/keycloak-tls": "server"}


def make_certificates(folder: Path, *names: str) -> None:
    """Run the script of deploy/."""
    require(shutil.which("openssl"), "openssl makes certificates: apt-get install openssl")
    script = DEPLOY / "tls" / "make-certificates.sh"
    environment = os.environ | {"CONTACT_STREAMS_TLS_FOLDER": str(folder)}
    subprocess.run([script, *names], env=environment, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the steps of docs/tls.md fill: they are run as written, but for those that need Docker."""
    require(shutil.which("openssl"), "openssl makes certificates: apt-get install openssl")
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("secrets", ".env"))
    text = (ROOT / "docs" / "tls.md").read_text(encoding="utf-8").partition("## A whole setup in ten minutes")[2]
    steps = text.split("```")[1]
    ours = f"docker run --rm {SERVICES['serve']['image']}"
    assert ours in steps
    steps = steps.replace(ours, f"PYTHONPATH={ROOT} {sys.executable} -m streams")
    run = [line for line in steps.strip().splitlines() if not line.startswith(("docker ", "curl "))]
    assert len(run) == 6
    subprocess.run(["sh", "-euc", "\n".join(run)], cwd=folder, check=True, capture_output=True, timeout=120)
    return folder / "deploy" / "tls" / "secrets"


# ---- Certificates ------------------------------------------------------------------------------------------------------------------------


def test_the_processes_accept_the_files_of_the_script(secrets: Path) -> None:
    """Certificate, key and authority of each folder fit; the key of the authority is its owner's alone."""
    server = secrets / "server"
    files = TlsFiles(certificate=server / "server.crt", key=server / "server.key", client_ca=server / "ca.crt")
    certificates = Certificates(files)

    assert {"localhost", "127.0.0.1", "serve", "gateway", "worker", "board.localhost", "keycloak.localhost"} == certificates.names
    assert certificates.expires - time.time() == pytest.approx(90 * 86_400, abs=600)
    context = ssl.create_default_context(cafile=secrets / "prometheus" / "ca.crt")
    context.load_cert_chain(secrets / "prometheus" / "prometheus.crt", secrets / "prometheus" / "prometheus.key")
    assert (secrets / "authority").stat().st_mode & 0o077 == 0
    assert (secrets / "authority" / "ca.key").stat().st_mode & 0o077 == 0
    assert not list(secrets.glob(".work*"))


def test_the_script_renews_under_the_same_authority(tmp_path: Path) -> None:
    """A client that trusts the authority trusts the new certificates, which replace the old ones in one step."""
    make_certificates(tmp_path)
    first = tmp_path / "server"
    assert "board.example" not in Certificates(TlsFiles(certificate=first / "server.crt", key=first / "server.key")).names
    authority, before = (tmp_path / "authority" / "ca.crt").read_bytes(), (tmp_path / "server" / "server.crt").read_bytes()
    make_certificates(tmp_path, "board.example")

    assert (tmp_path / "authority" / "ca.crt").read_bytes() == authority
    assert (tmp_path / "server" / "server.crt").read_bytes() != before
    assert "board.example" in Certificates(TlsFiles(certificate=first / "server.crt", key=first / "server.key")).names
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-CAfile",
        str(tmp_path / "authority" / "ca.crt"),
        str(tmp_path / "server" / "server.crt"),
    ]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


# ---- compose.tls.yaml --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["serve", "gateway", "worker", "worker-2"])
def test_commands_over_tls_are_real(name: str, secrets: Path) -> None:
    """The options exist and fit the files that are mounted; --insecure is gone; ports agree."""
    service = OVER["services"][name]
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"streams.commands.{name.partition('-')[0]}").add_parser(parser.add_subparsers())
    options = parser.parse_args(service["command"])

    assert not options.insecure
    assert options.host == "0.0.0.0"  # noqa: S104 - in its container
    assert str(options.access) == "/etc/contact-streams-access/access.yaml"
    for path in (options.tls_certificate, options.tls_key, options.tls_client_ca):
        if path is not None:
            assert str(path.parent) in {mount.split(":")[1] for mount in service["volumes"]}
            assert (secrets / SECRETS[str(path.parent)] / path.name).is_file()
    # Only Prometheus sends requests to a worker.
    assert [each.rpartition(":")[2] for each in published(service)] == ([] if "worker" in name else [str(options.port)])
    assert SERVICES[name]["environment"]["CONTACT_STREAMS_HEALTH_PORT"] == str(options.port)
    compile(service["healthcheck"]["test"][3], "healthcheck", "exec")


def test_mounts_over_tls_are_folders_that_the_steps_fill(secrets: Path) -> None:
    """Read-only; of the secrets each service sees its own folder, and none the authority's key."""
    for name, service in OVER["services"].items():
        for mount in service.get("volumes", []):
            source, target, *how = mount.split(":")
            if source.startswith("./tls/secrets/"):
                assert (secrets / source.removeprefix("./tls/secrets/")).is_dir(), mount
                assert "authority" not in source
            elif source.startswith("."):
                assert (DEPLOY / source).exists(), mount
            else:
                assert source in OVER["volumes"]
                continue
            assert how == ["ro"], mount
            assert target in {*SECRETS, "/etc/contact-streams-access", "/etc/prometheus/prometheus.yml", "/opt/keycloak/data/import"}, name
    ignored = subprocess.run(["git", "check-ignore", "--quiet", "deploy/tls/secrets/server/server.key"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_the_provider_is_the_one_that_tests_run_on() -> None:
    """Pinned, of the version of the tests, without privileges, reached from this machine alone; the rest adds no service."""
    keycloak = OVER["services"]["keycloak"]
    assert set(OVER["services"]) - set(COMPOSE["services"]) == {"keycloak"}
    assert PINNED.fullmatch(keycloak["image"])
    assert keycloak["image"].partition("@")[0] == f"quay.io/keycloak/keycloak:{VERSION}"
    assert keycloak["cap_drop"] == ["ALL"]
    assert keycloak["security_opt"] == ["no-new-privileges:true"]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published(keycloak))


def test_variables_of_the_setup_are_required() -> None:
    """Each is empty in the example, a missing one names the fix, and all that the realm asks for is given."""
    asked = dict(re.findall(r"\$\{(\w+):\?([^}]*)\}", TEXT))
    example = [line for line in (DEPLOY / "tls" / "example.env").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]

    assert sorted(example) == sorted(f"{name}=" for name in asked)
    assert set(re.findall(r"\$\{?(\w+)", TEXT)) == set(asked)
    assert all("deploy/tls/example.env" in advice for advice in asked.values())
    of_realm = set(re.findall(r"\$\{(\w+)\}", json.dumps(REALM)))
    assert of_realm == {name for name in OVER["services"]["keycloak"]["environment"] if name.startswith("CONTACT_STREAMS_")}


def test_the_access_file_and_the_realm_fit(secrets: Path) -> None:
    """Issuer, client and groups are the realm's, the address is the one that browsers use, and Prometheus may scrape."""
    access = load_access(secrets / "access" / "access.yaml")
    keycloak = OVER["services"]["keycloak"]["environment"]

    assert access.provider is not None
    assert access.provider.issuer == f"{keycloak['KC_HOSTNAME']}/realms/{REALM['realm']}"
    assert access.provider.client_id in {client["clientId"] for client in REALM["clients"]}
    assert access.groups.keys() == {group["name"] for group in REALM["groups"]}
    assert access.public_url == keycloak["CONTACT_STREAMS_PUBLIC_URL"]
    assert access.tokens.keys() == access.certificates.keys() == {"prometheus"}
    port = keycloak["CONTACT_STREAMS_PUBLIC_URL"].rpartition(":")[2]
    assert published(OVER["services"]["serve"])[0].partition(":")[0] == port
    assert (
        published(OVER["services"]["keycloak"])[0].split(":")[1] == keycloak["KC_HOSTNAME"].rpartition(":")[2] == keycloak["KC_HTTPS_PORT"]
    )


# ---- Prometheus --------------------------------------------------------------------------------------------------------------------------


def prometheus_with(secrets: Path, addresses: Mapping[str, str], *, certificate: bool = False) -> str:
    """Return the configuration of deploy/ with files and addresses of this machine, else as it is.

    With ``certificate``, its two lines are uncommented and the token is left out.
    """
    text = PROMETHEUS.replace("/etc/prometheus/tls", str(secrets / "prometheus"))
    if certificate:
        text = re.sub(r"# ((?:cert|key)_file: )", r"\1", text)
    configuration = yaml.safe_load(text)
    del configuration["rule_files"], configuration["alerting"]
    configuration["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    jobs = {job["job_name"].removeprefix("contact-streams-"): job for job in configuration["scrape_configs"]}
    for name, job in jobs.items():
        del job["dns_sd_configs"]
        if name in addresses:
            job["static_configs"] = [{"targets": [addresses[name]]}]
    if certificate:
        # Serve alone has an authority of client certificates.
        del jobs["serve"]["authorization"]
    configuration["scrape_configs"] = [jobs[name] for name in addresses]
    return str(yaml.safe_dump(configuration, sort_keys=False))


@pytest.mark.parametrize("certificate", [False, True], ids=["token", "certificate"])
def test_prometheus_reads_the_configuration_over_tls(certificate: bool, secrets: Path, tmp_path: Path) -> None:
    """Prometheus' own check accepts it with either way to be known, and it differs from the other one in nothing but that."""
    promtool = shutil.which("promtool")
    require(promtool, "promtool checks deploy/: apt-get install prometheus")
    assert promtool is not None
    (tmp_path / "prometheus.yml").write_text(
        prometheus_with(secrets, {"serve": "a:1", "worker": "b:1", "gateway": "c:1"}, certificate=certificate), encoding="utf-8"
    )
    done = subprocess.run([promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    plain, over = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")), yaml.safe_load(PROMETHEUS)
    for job in over["scrape_configs"]:
        for key in ("scheme", "tls_config", "authorization"):
            job.pop(key, None)
    assert over == plain


@contextlib.contextmanager
def processes(secrets: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Run serve and gateway with the options of the setup; Kafka is not there, and neither needs it to be scraped."""
    serve, gateway = free_ports(2)
    given = {"CONTACT_STREAMS_GATEWAY_TOKENS": "crm=0123456789abcdef", "CONTACT_STREAMS_OIDC_CLIENT_SECRET": "a-secret-of-tests"}
    environment = os.environ | given
    places = {
        "/etc/contact-streams-tls": str(secrets / "server"),
        "/etc/contact-streams-access": str(secrets / "access"),
        "/etc/contact-streams/": f"{DEPLOY / 'configuration'}/",
    }
    with contextlib.ExitStack() as stack:
        for name, port in (("serve", serve), ("gateway", gateway)):
            arguments = [*OVER["services"][name]["command"], f"--port={port}", "--bootstrap=127.0.0.1:9"]
            for there, here in places.items():
                arguments = [argument.replace(there, here) for argument in arguments]
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-m", "streams", *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)
            )
            stack.callback(process.send_signal, signal.SIGTERM)
        context = ssl.create_default_context(cafile=secrets / "authority" / "ca.crt")
        for port in (serve, gateway):
            until_healthy(f"https://localhost:{port}/healthz", context, folder)
        yield {"serve": f"127.0.0.1:{serve}", "gateway": f"127.0.0.1:{gateway}"}


def until_healthy(url: str, context: ssl.SSLContext, folder: Path) -> None:
    """Wait until an address answers over TLS."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5, context=context):  # noqa: S310 - our own
                return
        except OSError:
            assert time.monotonic() < deadline, "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.log"))
            time.sleep(0.1)


def scraped(folder: Path, configuration: str, jobs: int) -> dict[str, tuple[str, str]]:
    """Return health and last error of each job of a Prometheus that runs for as long as it takes to know them."""
    folder.mkdir()
    (folder / "prometheus.yml").write_text(configuration, encoding="utf-8")
    (own,) = free_ports(1)
    url = f"http://127.0.0.1:{own}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{own}",
    ]
    with running("prometheus", command, folder):
        until_ready(f"{url}/-/ready", folder / "prometheus.log")
        deadline = time.monotonic() + 20
        found: dict[str, tuple[str, str]] = {}
        while len(found) < jobs:
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
            with urllib.request.urlopen(f"{url}/api/v1/targets", timeout=10) as answer:  # noqa: S310 - our own
                targets = json.load(answer)["data"]["activeTargets"]
            found = {
                each["labels"]["job"].removeprefix("contact-streams-"): (each["health"], each["lastError"])
                for each in targets
                if each["health"] != "unknown"
            }
        return found


def test_a_real_prometheus_scrapes_over_tls(secrets: Path, tmp_path: Path) -> None:
    """With its token and with its certificate; without either, or with another token, neither serve nor gateway answers."""
    require(shutil.which("prometheus"), "prometheus scrapes: apt-get install prometheus")
    with processes(secrets, tmp_path) as addresses:
        by_token, both = prometheus_with(secrets, addresses), {"serve": ("up", ""), "gateway": ("up", "")}
        assert scraped(tmp_path / "token", by_token, 2) == both
        by_certificate = prometheus_with(secrets, addresses, certificate=True)
        assert by_certificate.count("authorization") == by_token.count("authorization") - 1
        assert scraped(tmp_path / "certificate", by_certificate, 2) == both

        unknown = yaml.safe_load(by_token)
        for job in unknown["scrape_configs"]:
            job.pop("authorization", None)
        neither = dict.fromkeys(("serve", "gateway"), ("down", "server returned HTTP status 401 Unauthorized"))
        assert scraped(tmp_path / "unknown", yaml.safe_dump(unknown), 2) == neither
        (tmp_path / "another.token").write_text("csa_" + "a" * 43, encoding="utf-8")
        another = by_token.replace(str(secrets / "prometheus" / "serve.token"), str(tmp_path / "another.token"))
        assert scraped(tmp_path / "another", another, 2) == neither
