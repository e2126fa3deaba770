"""A real Asterisk on loopback for tests: queues, members behind Local channels, and calls that the manager interface originates."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SECRET", "USER", "Asterisk"]

USER, SECRET = "contact-streams", "for-tests-only-7d1e"
_PLACES = (Path("/opt/asterisk-for-tests/usr"), Path("/usr"))
_MODULES = (
    "app_queue", "app_senddtmf", "pbx_config", "app_dial", "app_stack", "res_timing_timerfd", "bridge_simple", "bridge_holding",
    "bridge_softmix", "bridge_builtin_features", "codec_ulaw", "res_musiconhold", "func_callerid",
)  # fmt: skip
_EMPTY = ("features", "ccss", "cdr", "cel", "indications", "musiconhold", "udptl", "codecs", "extconfig", "logger")


def _folders() -> tuple[Path, Path] | None:
    """Return where modules and documentation are: Asterisk does not start without the latter."""
    for place in _PLACES:
        for modules in (place / "lib/asterisk/modules", place / "lib/x86_64-linux-gnu/asterisk/modules"):
            if (modules / "app_queue.so").exists():
                return modules, place / "share/asterisk"
    return None


class Asterisk:
    """One Asterisk in a folder of its own; ``start`` and ``stop`` may be repeated.

    Args:
        folder: an empty one, of which it keeps logs and state.
        queues: sections of ``queues.conf``, without ``[general]``.
        dialplan: of ``extensions.conf``.
    """

    def __init__(self, folder: Path, queues: str, dialplan: str) -> None:
        found = _folders()
        require(shutil.which("asterisk") and found, "Asterisk is not there: .ci/asterisk installs it on Debian")
        assert found is not None
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: asyncio.subprocess.Process | None = None
        for name in ("etc", "log", "spool", "lib", "db", "keys", "run"):
            (folder / name).mkdir()
        places = {
            "astetcdir": "etc", "astvarlibdir": "lib", "astdbdir": "db", "astkeydir": "keys", "astagidir": "lib", "astspooldir": "spool",
            "astrundir": "run", "astlogdir": "log",
        }  # fmt: skip
        lines = [f"{name} => {folder / place}" for name, place in places.items()]
        self._write("asterisk", ["[directories]", f"astmoddir => {found[0]}", f"astdatadir => {found[1]}", *lines])
        self._write("modules", ["[modules]", "autoload=no", *(f"load = {name}.so" for name in _MODULES)])
        general = ["[general]", "enabled=yes", "bindaddr=127.0.0.1", f"port={self.port}", "timestampevents=yes"]
        # What docs/connectors/asterisk-ami.md permits; the test has a session of its own to originate and pass calls on.
        page = [f"[{USER}]", f"secret={SECRET}", "read=call,agent,dialplan", "write=reporting", "deny=0.0.0.0/0.0.0.0"]
        page.append("permit=127.0.0.1/255.255.255.255")
        ours = ["[test]", f"secret={SECRET}", "read=", "write=originate,call,command"]
        self._write("manager", [*general, *page, *ours])
        self._write("queues", ["[general]", "persistentmembers=no", "log_membername_as_agent=yes", queues])
        self._write("extensions", [dialplan])
        for name in _EMPTY:
            self._write(name, ["[general]"])

    @property
    def queue_log(self) -> Path:
        """Where it writes what its queues do."""
        return self.folder / "log" / "queue_log"

    async def start(self) -> None:
        """Return once its manager interface answers."""
        command = ["asterisk", "-C", str(self.folder / "etc" / "asterisk.conf"), "-f", "-n"]
        output = (self.folder / "log" / "console").open("ab")
        self._process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL)
        output.close()
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    break
                assert self._process.returncode is None, (self.folder / "log" / "console").read_text(errors="replace")[-2000:]
                await asyncio.sleep(0.05)
            # It listens before its queues and dialplan are there.
            await self.actions([{"Action": "Command", "Command": "core waitfullybooted"}])

    async def stop(self, *, kill: bool = False) -> None:
        """End it, or have it die."""
        if self._process is not None and self._process.returncode is None:
            (self._process.kill if kill else self._process.terminate)()
            try:
                async with asyncio.timeout(3):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._process = None

    async def actions(self, actions: Iterable[Mapping[str, str]]) -> list[str]:
        """Send actions one after another; return what each answered first."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        answers = []
        try:
            await reader.readline()
            login = {"Action": "Login", "Username": "test", "Secret": SECRET, "Events": "off"}
            for action in (login, *actions):
                writer.write("".join(f"{name}: {value}\r\n" for name, value in action.items()).encode() + b"\r\n")
                async with asyncio.timeout(10):
                    answers.append((await reader.readuntil(b"\r\n\r\n")).decode())
        finally:
            writer.close()
        return answers[1:]

    async def call(self, queue: str, caller: str, number: str) -> None:
        """Have a caller of the dialplan's ``[callers]`` enter an extension of ``[queues]``."""
        (answer,) = await self.actions(
            [
                {
                    "Action": "Originate",
                    "Channel": f"Local/{caller}@callers/n",
                    "Context": "queues",
                    "Exten": queue,
                    "Priority": "1",
                    "Async": "true",
                    "CallerID": f'"Kim Example" <{number}>',
                }
            ]
        )
        assert "Success" in answer, answer

    def _write(self, name: str, lines: Iterable[str]) -> None:
        (self.folder / "etc" / f"{name}.conf").write_text("\n".join([*lines, ""]), encoding="utf-8")
        os.utime(self.folder / "etc" / f"{name}.conf")
