"""Poll a mailbox by IMAP for mails that appeared in its folders since the last poll. Nothing in it is changed or marked as read."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any, Final, cast

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from streams.connectors.kit.reading import written
from streams.connectors.platforms.imap import ROLES
from streams.connectors.pull.client import LOOPBACK
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.model import Cursor, Page, PollContext, Pull, text_of, time_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

__all__ = ["PULL"]

_TIMEOUT_SECONDS: Final = 30
_PAGE_MAILS: Final = 200
#: Read of the headers of a mail; what is beyond is no header that counts.
_MAX_HEADER_BYTES: Final = 16_384
_HEADERS: Final = "MESSAGE-ID IN-REPLY-TO REFERENCES FROM AUTO-SUBMITTED PRECEDENCE"
#: Longer than an address may be, with its name.
_MAX_ADDRESS: Final = 2_000
_FETCHED: Final = ("INTERNALDATE", f"BODY.PEEK[HEADER.FIELDS ({_HEADERS})]<0.{_MAX_HEADER_BYTES}>")
_ID: Final = re.compile(r"<[^<>\s]{1,500}>")

#: The server's clock may be behind by this: it may still deliver mails with earlier times.
_WITHHELD: Final = timedelta(seconds=60)
#: A mail delivered this long before the last poll was in another folder then.
_MOVED_AFTER: Final = timedelta(minutes=10)
_MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class _Folder:
    name: str
    role: str
    queue: str | None


@dataclass(frozen=True, slots=True)
class _Account:
    host: str
    port: int
    tls: bool
    user: str
    password: str
    folders: tuple[_Folder, ...]


def _account(settings: Mapping[str, Any]) -> _Account:
    """Return the account of the settings; raise ValueError."""
    host, port, tls = text_of(settings, "host"), settings.get("port", 993), settings.get("tls", True)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port <= _MAX_PORT:
        raise ValueError("port: a whole number, 1 to 65535")
    if tls is not True and (tls is not False or host not in LOOPBACK):
        raise ValueError("tls: true; false is permitted to this machine alone")
    folders = settings.get("folders")
    if not isinstance(folders, Mapping) or not folders:
        raise ValueError(f"folders: a folder and its role a line; roles are {', '.join(ROLES)}")
    return _Account(host, port, tls, text_of(settings, "user"), text_of(settings, "password"), tuple(map(_folder, folders.items())))


def _folder(entry: tuple[object, object]) -> _Folder:
    name, value = entry
    role, queue = (value.get("role"), value.get("queue")) if isinstance(value, Mapping) else (value, None)
    if role not in ROLES or not (queue is None or isinstance(queue, str)):
        raise ValueError(f"folders.{name}: {', '.join(ROLES)}; or such as {{role: inbox, queue: billing}}")
    return _Folder(str(name), str(role), queue)


async def _fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
    """Poll each folder for mails with higher numbers than before."""
    account = _account(poll.settings)
    began = poll.now()
    cursor: dict[str, Any] = {"folders": {}, **poll.cursor}
    connection = await _call(account, _open, account)
    try:
        for folder in account.folders:
            async for page in _new_mails(poll, account, connection, folder, cursor, began):
                cursor = dict(page.cursor)
                yield page
    finally:
        with contextlib.suppress(PollError):
            await _call(account, connection.logout)
    yield Page(b"", {**cursor, "asked": began.isoformat()}, began - _WITHHELD)


async def _new_mails(
    poll: PollContext, account: _Account, connection: IMAPClient, folder: _Folder, cursor: Cursor, began: datetime
) -> AsyncGenerator[Page, None]:
    chosen = await _call(account, connection.select_folder, folder.name, readonly=True)
    validity, following = int(chosen[b"UIDVALIDITY"]), int(chosen.get(b"UIDNEXT", 1))
    known, before = cursor["folders"].get(folder.name), time_of(cursor, "asked")
    since: datetime | None = None
    if known is not None and known["uidvalidity"] == validity:
        last = int(known["uid"])
        # The range holds the last mail also where nothing is new.
        uids = [uid for uid in await _call(account, connection.search, ["UID", f"{last + 1}:*"]) if uid > last]
    elif folder.role in {"done", "junk"}:
        # When a mail was moved to such a folder is only known if a poll saw it.
        last, uids = following - 1, []
    else:
        # At a first start, or when the server renumbered the folder: mails count once, by their ids.
        since = poll.since if before is None else min(before, began) - timedelta(days=1)
        last = following - 1
        uids = await _call(account, connection.search, ["SINCE", (since - timedelta(days=1)).date()])
    uids = sorted(uids)
    for at in range(0, len(uids), _PAGE_MAILS) or [0]:
        page_uids = uids[at : at + _PAGE_MAILS]
        fetched = await _call(account, connection.fetch, page_uids, list(_FETCHED)) if page_uids else {}
        mails = [*_mails(fetched, folder, validity, began, since, before if since is None else None)]
        position = {"uidvalidity": validity, "uid": max([last, *page_uids]) if at + _PAGE_MAILS >= len(uids) else page_uids[-1]}
        cursor = {**cursor, "folders": {**cursor["folders"], folder.name: position}}
        if mails or position != known:
            yield Page(b"\n".join(map(written, mails)), cursor)


def _mails(
    fetched: Mapping[int, Mapping[bytes, Any]],
    folder: _Folder,
    validity: int,
    began: datetime,
    since: datetime | None,
    before: datetime | None,
) -> Iterator[dict[str, Any]]:
    """Yield mails as the connector reads them: with ``since`` those delivered from then on, with ``before`` marking moved ones."""
    for uid, parts in sorted(fetched.items()):
        delivered = parts.get(b"INTERNALDATE")
        raw = next((value for name, value in parts.items() if name.startswith(b"BODY[HEADER")), b"")
        if not isinstance(delivered, datetime) or (since is not None and delivered < since):
            continue
        headers = BytesHeaderParser().parsebytes(raw)
        ids = {name: _ID.findall(str(headers.get(name, ""))) for name in ("Message-ID", "In-Reply-To", "References")}
        yield {
            "role": folder.role,
            "folder": folder.name,
            "queue": folder.queue,
            "uidvalidity": validity,
            "uid": uid,
            "at": delivered.isoformat(),
            "seen_at": began.isoformat(),
            "back": folder.role == "inbox" and before is not None and delivered < before - _MOVED_AFTER,
            # A mail without an id is identified by its position.
            "message_id": next(iter(ids["Message-ID"]), f"<{validity}.{uid}@{folder.name}>"),
            "in_reply_to": next(iter(ids["In-Reply-To"]), None),
            "references": ids["References"][:1],
            "from": _address(headers.get("From")),
            "auto_submitted": _short(headers.get("Auto-Submitted")),
            "precedence": _short(headers.get("Precedence")),
        }


def _address(header: object) -> str | None:
    """Return the address of a header, None where it has none; the header is not trusted."""
    try:
        return None if header is None else parseaddr(str(header)[:_MAX_ADDRESS])[1] or None
    except RecursionError:
        # Comments within comments.
        return None


def _short(header: object) -> str | None:
    return None if header is None else str(header)[:80]


def _open(account: _Account) -> IMAPClient:
    context = ssl.create_default_context() if account.tls else None
    connection = IMAPClient(account.host, account.port, ssl=account.tls, ssl_context=context, timeout=_TIMEOUT_SECONDS)
    # Times with their offset, not this machine's.
    connection.normalise_times = False
    try:
        connection.login(account.user, account.password)
    except BaseException:
        connection.shutdown()
        raise
    return connection


async def _call(account: _Account, method: Callable[..., Any], *what: Any, **how: Any) -> Any:
    """Return an answer of the server; raise PollError, without text of the server."""
    try:
        return await asyncio.to_thread(lambda: method(*what, **how))
    except LoginError as error:
        raise PollError("refused", f"at {account.host} does not take user and password") from error
    except IMAPClientError as error:
        named = cast("tuple[object, ...]", what)
        folder = f" {named[0]!r}" if method.__name__ == "select_folder" and named else ""
        raise PollError("refused", f"at {account.host} refuses {method.__name__}{folder}: does the folder exist?") from error
    except (OSError, ssl.SSLError) as error:
        raise PollError("unreachable", f"at {account.host} port {account.port} is not reached ({type(error).__name__})") from error


PULL = Pull(
    name="imap",
    fetch=_fetch,
    # No HTTP: this checks the settings before the first poll.
    base=lambda settings: f"https://{_account(settings).host}",
    poll_seconds=30.0,
)
