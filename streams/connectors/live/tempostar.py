"""Read TEMPOSTAR's files of orders from a folder, of this machine or of an SFTP server (``contact-streams[sftp]``)."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from streams.connectors.folders import LOCKS, File, FolderError, complete, listed, regular
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Page, PollContext, Pull, text_of

__all__ = ["PULL"]

_MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_CONNECT_SECONDS: Final = 30


class _Folder(NamedTuple):
    """A folder, wherever it is."""

    files: Callable[[], Awaitable[list[File]]]
    #: None where the file does not exist any more.
    read: Callable[[str], Awaitable[bytes | None]]


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Read the files that are new, in the order of their names; what was read stays where it is."""
    async with _folder(poll.settings) as folder:
        files = await folder.files()
        ready = complete(files, str(poll.settings.get("lock") or "ready"), poll.now())
        wanted = sorted(file for file in ready if fnmatch.fnmatch(file.name, str(poll.settings.get("pattern") or "*.csv")))
        # Files that were removed are dropped from the cursor.
        there = {file.version for file in files}
        seen = dict.fromkeys(version for version in poll.cursor.get("told") or () if version in there)
        for file in wanted:
            if file.version in seen:
                continue
            if file.size > _MAX_FILE_BYTES:
                raise PollError("malformed", f"has a file of more than {_MAX_FILE_BYTES} bytes")
            content = await folder.read(file.name)
            if content is None or len(content) != file.size:
                # It was rewritten or removed since the folder was listed: the next poll sees what it is then.
                continue
            seen[file.version] = None
            yield Page(content, {"told": list(seen)}, name=file.name)
    last = max((file.changed for file in wanted if file.version in seen), default=None)
    # The last file is complete as of its time; when the next one arrives is not known.
    yield Page(b"", {"told": list(seen)}, None if last is None else datetime.fromtimestamp(last, UTC))


@contextlib.asynccontextmanager
async def _folder(settings: Mapping[str, Any]) -> AsyncGenerator[_Folder, None]:
    path = text_of(settings, "folder")
    if not settings.get("host"):
        try:
            yield _local(Path(path))
        except FolderError as error:
            raise PollError("refused", str(error)) from error
        return
    import asyncssh  # noqa: PLC0415 - a folder of this machine needs no extra

    try:
        key = settings.get("private_key")
        async with (
            asyncssh.connect(
                text_of(settings, "host"),
                int(settings.get("port") or 22),
                username=text_of(settings, "user"),
                password=settings.get("password") or None,
                client_keys=[asyncssh.import_private_key(str(key))] if key else None,
                # Only the configured host key; nothing of this user's own settings.
                known_hosts=([asyncssh.import_public_key(text_of(settings, "host_key"))], [], []),
                config=[],
                agent_path=None,
                connect_timeout=_CONNECT_SECONDS,
                login_timeout=_CONNECT_SECONDS,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):
            yield _remote(sftp, path.rstrip("/"))
    except asyncssh.PermissionDenied as error:
        raise PollError("refused", "refused user, password or key") from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise PollError("refused", "has another host key than `host_key`") from error
    except asyncssh.KeyImportError as error:
        raise PollError("refused", "cannot be polled: `private_key` or `host_key` is no key") from error
    except FolderError as error:
        raise PollError("refused", str(error)) from error
    except asyncssh.SFTPError as error:
        raise PollError("refused", f"refused a folder or file (SFTP code {error.code})") from error
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise PollError("unreachable", f"cannot be reached or broke off ({type(error).__name__})") from error


def _local(path: Path) -> _Folder:
    def read(name: str) -> bytes | None:
        try:
            with (path / name).open("rb") as file:
                return file.read(_MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PollError("refused", f"cannot be read: {path / name}: {error.strerror}") from error

    return _Folder(lambda: asyncio.to_thread(listed, path), lambda name: asyncio.to_thread(read, name))


def _remote(sftp: Any, path: str) -> _Folder:
    async def files() -> list[File]:
        entries = await sftp.readdir(path or ".")
        return regular(
            (str(entry.filename), entry.attrs.size or 0, entry.attrs.mtime or 0, entry.attrs.permissions or 0) for entry in entries
        )

    async def read(name: str) -> bytes | None:
        import asyncssh  # noqa: PLC0415 - as above

        try:
            async with sftp.open(f"{path}/{name}" if path else name, "rb") as file:
                return bytes(await file.read(_MAX_FILE_BYTES + 1))
        except asyncssh.SFTPNoSuchFile:
            return None

    return _Folder(files, read)


def _base(settings: Mapping[str, Any]) -> str:
    """Return an address that is not used; raise ValueError for settings that cannot be used."""
    text_of(settings, "folder")
    if str(settings.get("lock") or "ready") not in LOCKS:
        raise ValueError(f"lock: permitted: {', '.join(LOCKS)}")
    if settings.get("host"):
        for name in ("user", "host_key"):
            text_of(settings, name)
        if not settings.get("password") and not settings.get("private_key"):
            raise ValueError("credentials: password or private_key: one is required")
        import asyncssh  # noqa: F401, PLC0415 - missing, it fails before the first poll
    return "https://localhost"


PULL = Pull(name="tempostar", fetch=_fetch, base=_base)
