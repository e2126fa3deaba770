"""TEMPOSTAR's files are read from a folder and from OpenSSH's own SFTP server, once they are whole, each order once."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.other import OrderCancelled, OrderPlaced, SourceHeartbeat
from streams.connectors.live import pull_of
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from tests.support.kafka import die_with_parent, free_port
from tests.support.polling import Clock, poll_once
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 4, 7, tzinfo=UTC)
HEADER = "システム受注番号,受注日時,受注進捗コード,注文者メールアドレス,税込金額,配送毎配送料"


def put(folder: Path, name: str, *rows: str, at: datetime = NOW - timedelta(hours=2)) -> Path:
    """Write a file as it is at an instant."""
    path = folder / name
    path.write_bytes("\r\n".join([HEADER, *rows, ""]).encode("cp932"))
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def row(order: str, *, progress: str = "2") -> str:
    """Return a row of an order."""
    return f"{order},2026/04/06 09:00,{progress},hanako@customer.example,1000,300"


def orders(ledger: MemoryLedger) -> list[str]:
    """Return the published orders, repeats too."""
    return sorted(str(event.order_id) for event in ledger.events if isinstance(event, OrderPlaced))


@contextmanager
def sftp_server(folder: Path) -> Iterator[dict[str, Any]]:
    """Run OpenSSH's server for this user; give the settings of a connector that reads a folder there."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    require(Path(program).exists(), "OpenSSH's server is not there: apt-get install openssh-server")
    for name in ("host", "user", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    (folder / "authorized").chmod(0o600)
    port = free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'authorized'}\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
        encoding="utf-8",
    )
    # It wants this folder when root runs it.
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = folder / "sshd.log"
    with log.open("wb") as output:
        server = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=output, preexec_fn=die_with_parent)  # noqa: PLW1509
    try:
        _reachable(port, log)
        yield {
            "host": "127.0.0.1",
            "port": port,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "private_key": (folder / "user").read_text(encoding="utf-8"),
            "host_key": (folder / "host.pub").read_text(encoding="utf-8"),
        }
    finally:
        server.kill()
        server.wait()


def _reachable(port: int, log: Path) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(log.read_text(encoding="utf-8"))


@pytest.fixture(params=["folder", "sftp"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give a folder for files, and the settings to read it: as it is, and over SFTP."""
    folder = tmp_path / "orders"
    folder.mkdir()
    if request.param == "folder":
        yield folder, {"folder": str(folder)}
        return
    keys = tmp_path / "keys"
    keys.mkdir()
    with sftp_server(keys) as settings:
        yield folder, {**settings, "folder": str(folder)}


def test_files_come(place: tuple[Path, dict[str, Any]]) -> None:
    """A file is read once its lock is there, in the order of names; one that is changed again, and each order counts once."""
    folder, settings = place
    settings = {**settings, "cancelled_codes": ["9"]}
    clock, ledger = Clock(NOW), MemoryLedger("platform")

    async def ask() -> None:
        await poll_once("tempostar", settings, ledger, clock)

    put(folder, "order20260406100000utf8.csv", row("A-1"), row("A-2"))
    put(folder, "order20260406120000utf8.csv", row("A-3"))
    (folder / "order20260406100000utf8.lock").touch()
    (folder / "readme.txt").write_text("not this one", encoding="utf-8")
    (folder / "readme.lock").touch()
    asyncio.run(ask())
    assert orders(ledger) == ["A-1", "A-2"]

    (folder / "order20260406120000utf8.csv.lock").touch()
    asyncio.run(ask())
    assert orders(ledger) == ["A-1", "A-2", "A-3"]

    # The first one is rewritten, with an order that is cancelled by now; nothing of it is published twice.
    put(folder, "order20260406100000utf8.csv", row("A-1", progress="9"), row("A-2"), row("A-4"), at=NOW - timedelta(hours=1))
    for _ in range(2):
        asyncio.run(ask())
    assert orders(ledger) == ["A-1", "A-2", "A-3", "A-4"]
    (cancelled,) = [event for event in ledger.events if isinstance(event, OrderCancelled)]
    # The time is in the file's name alone: 10:00 in Japan.
    assert (cancelled.order_id, cancelled.occurred_at) == ("A-1", datetime(2026, 4, 6, 1, tzinfo=UTC))
    # As far as the newest file was written.
    assert [event.complete_through for event in ledger.events if isinstance(event, SourceHeartbeat)][-1] == NOW - timedelta(hours=1)
    assert ledger.rejected == []


@pytest.mark.parametrize(
    ("lock", "there", "read"), [("none", [], True), ("busy", ["f.lock"], False), ("busy", [], True), ("ready", [], False)]
)
def test_what_a_lock_means(lock: str, there: list[str], read: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As the setting wants it; a file that waits for long is logged."""
    put(tmp_path, "f.csv", row("A-1"))
    for name in there:
        (tmp_path / name).touch()
    ledger = MemoryLedger("platform")
    asyncio.run(poll_once("tempostar", {"folder": str(tmp_path), "lock": lock}, ledger, Clock(NOW)))
    assert orders(ledger) == (["A-1"] if read else [])
    assert ("wait for their .lock" in caplog.text) == (lock == "ready")


def test_another_server_and_another_user_are_refused(tmp_path: Path) -> None:
    """A server with another key is sent nothing; a refused key is distinguished from an outage; no message has a key."""
    with sftp_server(tmp_path) as settings:
        other = (tmp_path / "other.pub").read_text(encoding="utf-8")
        for changed, message in (
            ({"host_key": other}, "host key"),
            ({"private_key": (tmp_path / "other").read_text(encoding="utf-8")}, "refused user"),
            ({"private_key": "no key"}, "is no key"),
            ({"folder": str(tmp_path / "nowhere")}, "folder or file"),
        ):
            with pytest.raises(PollError, match=message) as raised:
                asyncio.run(poll_once("tempostar", {"folder": str(tmp_path), **settings, **changed}, MemoryLedger("platform"), Clock(NOW)))
            assert raised.value.reason == "refused"
            assert "PRIVATE" not in str(raised.value)
        settings["port"] = free_port()
        with pytest.raises(PollError, match="cannot be reached") as raised:
            asyncio.run(poll_once("tempostar", {"folder": str(tmp_path), **settings}, MemoryLedger("platform"), Clock(NOW)))
        assert raised.value.reason == "unreachable"


def test_settings_are_checked() -> None:
    """What is missing is named before anything is read."""
    pull = pull_of("tempostar")
    assert pull is not None
    for settings, message in (
        ({}, "folder"),
        ({"folder": "/f", "lock": "maybe"}, "lock: permitted"),
        ({"folder": "/f", "host": "h", "user": "u", "password": "p"}, "host_key"),
        ({"folder": "/f", "host": "h", "user": "u", "host_key": "k"}, "password or private_key"),
    ):
        with pytest.raises(ValueError, match=message):
            pull.base(settings)
