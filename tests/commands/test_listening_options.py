"""Options of commands that listen: off loopback none starts without a login and TLS; errors are reported before anything starts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from streams.cli import main
from tests.support.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

SENDERS = "CONTACT_STREAMS_GATEWAY_TOKENS"
TOKEN = "crm=0123456789abcdef"


@pytest.fixture
def certificate(tmp_path: Path) -> list[str]:
    """Return the options of a certificate that can be used."""
    pair = Authority(tmp_path).server("localhost")
    return ["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)]


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Run a command that ends with 2 without having started, and return its message."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.7", "board.example"])  # noqa: S104 - the point
def test_off_loopback_serve_wants_a_login_and_tls(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names both, and the three ways on."""
    message = refusal(capsys, ["serve", "--host", host, "--port", "0"])

    assert message.startswith(f"contact-streams: serve: other machines reach {host or 'all addresses'}, and there is ")
    for what in (
        "no login (--access FILE) and no TLS",
        "--tls-certificate FILE --tls-key FILE",
        "--behind-proxy",
        "--host 127.0.0.1",
        "--insecure",
    ):
        assert what in message


@pytest.mark.parametrize("with_proxy", [False, True])
def test_tls_alone_is_no_login(with_proxy: bool, certificate: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Of serve with TLS, its own or a proxy's, the login alone is missed."""
    how = ["--behind-proxy", "192.0.2.1"] if with_proxy else certificate
    message = refusal(capsys, ["serve", "--host", "192.0.2.7", "--port", "0", *how])

    assert "there is no login (--access FILE). " in message
    assert "--tls-certificate" not in message


def test_off_loopback_the_gateway_requires_tls_and_tokens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens in plain text are readable by every machine on the way."""
    monkeypatch.setenv(SENDERS, TOKEN)
    message = refusal(capsys, ["gateway", "--host", "192.0.2.7", "--port", "0"])

    assert "--tls-certificate FILE" in message
    assert "--insecure" in message
    assert TOKEN.partition("=")[2] not in message


@pytest.mark.parametrize(
    ("how", "next_message"),
    [("insecure", "cannot listen on 192.0.2.7"), ("tls", "cannot listen on 192.0.2.7"), ("proxy", "cannot listen on 192.0.2.7")],
)
def test_with_the_required_options_it_listens(
    how: str, next_message: str, certificate: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets to the address, which no machine has (RFC 5737)."""
    monkeypatch.setenv(SENDERS, TOKEN)
    options = {"insecure": ["--insecure"], "tls": certificate, "proxy": ["--behind-proxy", "192.0.2.1"]}[how]

    assert main(["gateway", "--host", "192.0.2.7", "--port", "0", *options]) == 2
    assert next_message in capsys.readouterr().err


def test_without_tokens_insecure_must_be_given(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the gateway stays on this machine, with it any machine may send."""
    monkeypatch.delenv(SENDERS, raising=False)
    assert "loopback address only" in refusal(capsys, ["gateway", "--host", "192.0.2.7", "--port", "0"])
    assert main(["gateway", "--host", "192.0.2.7", "--port", "0", "--insecure"]) == 2
    assert "cannot listen on 192.0.2.7" in capsys.readouterr().err


COMMANDS = {
    "serve": ["serve"],
    "gateway": ["gateway"],
    "worker": ["worker"],
}
WRONG = [
    (["--tls-certificate", "a.crt"], "--tls-certificate and --tls-key are used together"),
    (["--tls-key", "a.key"], "--tls-certificate and --tls-key are used together"),
    (["--tls-certificate", "no.crt", "--tls-key", "no.key"], "no.crt: cannot be read: No such file or directory"),
    (["--tls-client-ca", "ca.crt"], "--tls-client-ca and --tls-client need --tls-certificate and --tls-key"),
    (["--behind-proxy", "proxy.example"], "--behind-proxy: 'proxy.example' is no address and no network such as 10.0.0.0/8"),
    (["--access-log", "no/such/folder/log"], "--access-log no/such/folder/log: cannot be written: No such file or directory"),
    (["--hsts-seconds", "-1"], "--hsts-seconds is 0 or more"),
]


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize(("options", "complaint"), WRONG, ids=[" ".join(options)[:30] for options, _ in WRONG])
def test_options_that_do_not_go_together_are_named(
    command: str, options: list[str], complaint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command that listens prints the same."""
    monkeypatch.delenv(SENDERS, raising=False)
    message = refusal(capsys, [*COMMANDS[command], "--port", "0", *options])
    assert re.search(rf"contact-streams: {command}: {re.escape(complaint)}", message)


def test_client_certificates_need_their_authority(certificate: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """--tls-client alone would let in no client, or every client."""
    message = refusal(capsys, ["serve", "--port", "0", *certificate, "--tls-client", "optional"])
    assert "--tls-client needs --tls-client-ca" in message
