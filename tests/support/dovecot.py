"""A Dovecot of Debian's package: an IMAP server on the loopback address, with its mails in a folder of its own."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imapclient import IMAPClient

from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PASSWORD", "USER", "Dovecot", "dovecot"]

USER: Final = "desk"
PASSWORD: Final = "a-password-of-tests"
#: Debian's user nobody: mails are never read as root.
_UNPRIVILEGED: Final = 65534
_READY_SECONDS: Final = 15
#: Where Debian has it, which is not on every user's path.
_PLACES: Final = "/usr/sbin"

_CONFIGURATION: Final = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
{internal}
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home/%u
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


class Dovecot:
    """A server that runs."""

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def settings(self) -> dict[str, object]:
        """Return what a connector needs to reach it."""
        return {"host": "127.0.0.1", "port": self.port, "tls": False, "user": USER, "password": PASSWORD}

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        """Give a connection as a mail program has it."""
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10) as client:
            client.login(USER, PASSWORD)
            yield client


@contextmanager
def dovecot() -> Iterator[Dovecot]:
    """Run a server; skip, in CI fail, where Dovecot is not installed."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    require(program is not None, "a mailbox needs Dovecot: apt-get install dovecot-imapd")
    assert program is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not pytest's folder: that of another user may not be entered by the one who reads mails.
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        configuration = _prepare(folder, port)
        process = subprocess.Popen([program, "-F", "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        _wait(process, port, folder)
        yield Dovecot(port)
    finally:
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, port: int) -> Path:
    root = os.getuid() == 0
    uid, gid = (_UNPRIVILEGED, _UNPRIVILEGED) if root else (os.getuid(), os.getgid())
    folder.chmod(0o755)
    for name in ("mail", "home", "state"):
        (folder / name).mkdir()
        if root:
            os.chown(folder / name, uid, gid)
    internal = ""
    if not root:
        me, group = pwd.getpwuid(uid).pw_name, grp.getgrgid(gid).gr_name
        internal = f"default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {group}"
    path = folder / "dovecot.conf"
    path.write_text(_CONFIGURATION.format(folder=folder, internal=internal, password=PASSWORD, uid=uid, gid=gid, port=port))
    return path


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            if connection.recv(4) == b"* OK":
                return
        time.sleep(0.05)
    log = folder / "log"
    raise AssertionError(f"Dovecot does not answer: {log.read_text() if log.exists() else 'no log'}")
