"""Security settings of Kafka: which go together, and that every process gets in through listeners of Apache Kafka that ask."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.times import format_ms
from streams.cli import main
from streams.commands.kafka_security import KafkaSecurityError, kafka_client_options
from streams.worker import create_topics
from tests.support import kafka as apache
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.capture import CaptureFixture

ROOT = Path(__file__).parents[2]
K = "CONTACT_STREAMS_KAFKA_"
SASL = {
    f"{K}SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    f"{K}SASL_MECHANISM": "SCRAM-SHA-256",
    f"{K}SASL_USERNAME": apache.USER,
    f"{K}SASL_PASSWORD": apache.PASSWORD,
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost that signed itself, and its key in the same file."""
    require(shutil.which("openssl"), "a certificate is made with openssl: apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    keys = ["-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "ca.pem"]
    subprocess.run(["openssl", "req", "-x509", *keys, *subject], cwd=folder, check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "ca.pem").read_text())
    return folder


class TestVariables:
    """What the environment becomes."""

    def test_nothing(self) -> None:
        """Without variables, and with PLAINTEXT, clients get no option; empty variables count as missing."""
        assert kafka_client_options({}) == {}

    def test_every_client_is_bound(self) -> None:
        """Each command that reaches Kafka asks for options, and from then on its consumers unpack within bounds."""
        program = (
            "import sys; from aiokafka.record import default_records; from streams.commands.kafka_security import kafka_client_options; "
        )
        program += "kafka_client_options({}); print(default_records.gzip_decode.__module__)"
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == "streams.unpacking.codecs\n"
        assert kafka_client_options({f"{K}SECURITY_PROTOCOL": "PLAINTEXT", f"{K}SASL_PASSWORD": ""}) == {}

    def test_sasl(self) -> None:
        """Mechanism, name and password go to the client under its names."""
        assert kafka_client_options(SASL) == {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": "contact-streams",
            "sasl_plain_password": "a-secret-of-tests",
        }

    def test_ssl(self, certificate: Path) -> None:
        """With a file of authorities only those are trusted, and names are checked."""
        found = kafka_client_options({f"{K}SECURITY_PROTOCOL": "SSL", f"{K}SSL_CAFILE": str(certificate / "ca.pem")})

        context = found["ssl_context"]
        assert (found["security_protocol"], context.verify_mode, context.check_hostname) == ("SSL", ssl.CERT_REQUIRED, True)
        assert [dict(pair[0] for pair in each["subject"]) for each in context.get_ca_certs()] == [{"commonName": "localhost"}]

    def test_a_certificate_of_ours(self, certificate: Path) -> None:
        """A certificate with its key is taken, in two files or in one."""
        ours = {**SASL, f"{K}SECURITY_PROTOCOL": "SASL_SSL"}
        two = {f"{K}SSL_CERTFILE": str(certificate / "ca.pem"), f"{K}SSL_KEYFILE": str(certificate / "key.pem")}

        for files in (two, {f"{K}SSL_CERTFILE": str(certificate / "both.pem")}):
            assert isinstance(
                kafka_client_options({**SASL, **ours, **files, f"{K}SECURITY_PROTOCOL": "SASL_SSL"})["ssl_context"], ssl.SSLContext
            )

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            (
                {"SECURITY_PROTOCOL": "TLS"},
                "SECURITY_PROTOCOL: not permitted as it is; permitted: PLAINTEXT, SSL, SASL_PLAINTEXT,",
            ),
            (
                {"SECURITY_PROTOCOL": ""},
                f"SASL_PASSWORD: means nothing with PLAINTEXT; set {K}SECURITY_PROTOCOL to one of SASL_PLAINTEXT, SASL_SSL",
            ),
            ({"SECURITY_PROTOCOL": "SSL"}, "SASL_PASSWORD: means nothing with SSL; set "),
            ({"SASL_MECHANISM": "GSSAPI"}, "SASL_MECHANISM: not permitted as it is; permitted: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
            (
                {"SASL_MECHANISM": "", "SASL_PASSWORD": ""},
                f"SASL_MECHANISM, {K}SASL_PASSWORD: required with SASL_PLAINTEXT",
            ),
            ({"SSL_CAFILE": "/etc/ca.pem"}, "SSL_CAFILE: means nothing with SASL_PLAINTEXT; set "),
            ({"SECURITY_PROTOCOL": "SASL_SSL", "SSL_CAFILE": "/no/ca.pem"}, "SSL_CAFILE: /no/ca.pem does not exist or cannot be read"),
            ({"SECURITY_PROTOCOL": "SASL_SSL", "SSL_CAFILE": __file__}, "SSL_CAFILE: cannot be used: "),
            (
                {"SECURITY_PROTOCOL": "SASL_SSL", "SSL_KEYFILE": __file__},
                f"SSL_KEYFILE: means nothing without {K}SSL_CERTFILE",
            ),
        ],
    )
    def test_conflicting_variables(self, changes: dict[str, str], complaint: str) -> None:
        """The message names the variables and what is permitted, never their values."""
        with pytest.raises(KafkaSecurityError) as caught:
            kafka_client_options({**SASL, **{f"{K}{name}": value for name, value in changes.items()}})

        assert complaint in str(caught.value)
        assert apache.PASSWORD not in str(caught.value)

    @pytest.mark.parametrize(
        "arguments", [["worker"], ["serve"], ["gateway"], ["connector", "asterisk-queue-log", __file__, "--once"]], ids=lambda each: each[0]
    )
    def test_every_command_refuses(self, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture[str]) -> None:
        """Before anything is connected: status 2 and a sentence."""
        monkeypatch.setenv(f"{K}SASL_PASSWORD", apache.PASSWORD)

        assert main(arguments) == 2
        errors = capsys.readouterr().err
        assert f"{K}SASL_PASSWORD: means nothing with PLAINTEXT" in errors
        assert apache.PASSWORD not in errors


# ---- Apache Kafka with listeners that ask --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(certificate: Path) -> Iterator[apache.Cluster]:
    """One node with a listener for SCRAM in plain text and one for PLAIN over TLS."""
    require(apache.missing() is None, apache.missing() or "")
    module = "org.apache.kafka.common.security"
    listeners = {
        "SASL": apache.Listener(
            "SASL_PLAINTEXT",
            {
                "sasl.enabled.mechanisms": "SCRAM-SHA-256",
                "scram-sha-256.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
            },
        ),
        "TLS": apache.Listener(
            "SASL_SSL",
            {
                "sasl.enabled.mechanisms": "PLAIN",
                "plain.sasl.jaas.config": f'{module}.plain.PlainLoginModule required user_{apache.USER}="{apache.PASSWORD}";',
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(certificate / "both.pem"),
            },
        ),
    }
    with apache.cluster(listeners=listeners) as running:
        asyncio.run(create_topics(running.bootstrap, "secured"))
        yield running


@contextmanager
def process(log: Path, environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, its output in a log."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "streams", *arguments, "--prefix", "secured", "--log-level", "DEBUG"],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=apache.die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
        )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def until(what: Any, log: Path, seconds: float = 60) -> Any:
    """Return the first answer of ``what`` that holds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except (HTTPException, OSError):
            pass
        time.sleep(0.2)
    raise AssertionError("\n".join(line for line in log.read_text().splitlines() if " DEBUG " not in line)[-4000:])


def logged(log: Path, pattern: str) -> str:
    """Return what a pattern finds in a log."""
    found = re.search(pattern, log.read_text())
    return found[1] if found else ""


def ask(address: str, path: str, body: bytes | None = None) -> bytes:
    """Return what a server answers to GET, or to POST of JSON."""
    connection = HTTPConnection(address, timeout=20)
    try:
        connection.request("GET" if body is None else "POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.mark.kafka
class TestApacheKafka:
    """Real clients, real listeners."""

    def test_worker_serve_and_gateway_by_scram(self, secured: apache.Cluster, tmp_path: Path) -> None:
        """A contact taken by the gateway is counted and shown, and no log has the password, not even for debugging."""
        logs = {name: tmp_path / f"{name}.log" for name in ("worker", "gateway", "serve")}
        kafka = ["--bootstrap", secured.bootstrap_of("SASL")]
        with (
            process(logs["worker"], SASL, "worker", *kafka, "--port", "-1"),
            process(logs["gateway"], SASL, "gateway", *kafka, "--port", "0"),
        ):
            until(lambda: logged(logs["worker"], "(Worker ready)"), logs["worker"])
            with process(logs["serve"], SASL, "serve", *kafka, "--port", "0"):
                gateway = until(lambda: logged(logs["gateway"], r"gateway http://(\S+)/v1/events"), logs["gateway"])
                event = {"type": "contact.queued", "event_id": "1", "conversation_id": "c", "queue": "sales", "source": "test"}
                body = orjson.dumps({**event, "occurred_at": format_ms(time.time_ns() // 1_000_000)})
                assert orjson.loads(ask(gateway, "/v1/events", body))["accepted"] == 1
                serve = until(lambda: logged(logs["serve"], r"serving http://(\S+)/"), logs["serve"])

                assert until(lambda: b'"sales"' in ask(serve, "/metrics"), logs["serve"])
        for log in logs.values():
            assert apache.PASSWORD not in log.read_text()

    def test_connector_over_tls(self, secured: apache.Cluster, certificate: Path, tmp_path: Path) -> None:
        """With our authority the connector gets in by name and password; without it the certificate is not trusted and nothing is sent."""
        log = tmp_path / "queue_log"
        log.write_text("1772442000|1.1|sales|NONE|ENTERQUEUE||0312345678|1\n")
        tls = {**SASL, f"{K}SECURITY_PROTOCOL": "SASL_SSL", f"{K}SASL_MECHANISM": "PLAIN", f"{K}SSL_CAFILE": str(certificate / "ca.pem")}
        arguments = ["connector", "asterisk-queue-log", str(log), "--once", "--bootstrap", secured.bootstrap_of("TLS")]

        with process(tmp_path / "in.log", tls, *arguments) as running:
            assert running.wait(60) == 0, (tmp_path / "in.log").read_text()[-4000:]
        assert "1 lines: 1 events, 0 dead letters" in (tmp_path / "in.log").read_text()
        with process(tmp_path / "out.log", {**tls, f"{K}SSL_CAFILE": ""}, *arguments) as running:
            assert running.wait(120) == 1
        assert apache.PASSWORD not in (tmp_path / "in.log").read_text() + (tmp_path / "out.log").read_text()
