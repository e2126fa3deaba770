"""A mailbox on a real IMAP server, as a mail program uses it, is asked: what appears in which folder, once, whatever happens between."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from streams.connectors.live import pull_of
from streams.connectors.pull.entries import MemoryLedger
from streams.connectors.pull.failures import PollError
from streams.connectors.pull.status import RunSettings
from tests.support.dovecot import PASSWORD, Dovecot, dovecot
from tests.support.platforms import counted, figures, two_tickets
from tests.support.polling import Clock, poller

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = datetime(2026, 5, 12, 9, tzinfo=UTC)
#: One with a name that IMAP writes otherwise than it reads.
DONE, SHARED = "対応済み", "Support"
FOLDERS = {"INBOX": "inbox", SHARED: {"role": "inbox", "queue": "shared"}, "Sent": "sent", DONE: "done", "Junk": "junk"}
CUSTOMER, SHOP = "Haru Kusunoki <haru.kusunoki@example.jp>", "a@shop.example"


class Desk:
    """A mailbox, who works in it, and the connector that asks it."""

    def __init__(self, server: Dovecot) -> None:
        self.server = server
        self.ledger = MemoryLedger("mail")
        self.clock = Clock(DAY - timedelta(minutes=1))
        self.settings: dict[str, Any] = {**server.settings, "folders": FOLDERS, "agents": {SHOP: "A"}}
        with server.client() as client:
            for name in ("Sent", DONE, "Junk", SHARED):
                if not client.folder_exists(name):
                    client.create_folder(name)
            for name in FOLDERS:
                client.select_folder(name)
                client.delete_messages(client.search())
                client.expunge()

    def at(self, minutes: float) -> datetime:
        """Return a time of the story, to which the clock goes."""
        self.clock.now = DAY + timedelta(minutes=minutes)
        return self.clock.now

    def mail(self, folder: str, minutes: float, number: int, root: int | None = None, who: str = CUSTOMER, **headers: str) -> None:
        """Put a mail into a folder, as it is delivered or sent."""
        lines = [f"From: {who}", "Subject: The parcel never came", f"Message-ID: <{number}@mail.example>"]
        if root is not None:
            lines += [f"In-Reply-To: <{root}@mail.example>", f"References: <{root}@mail.example>"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        with self.server.client() as client:
            client.append(folder, "\r\n".join([*lines, "", "Where is it?"]).encode(), msg_time=self.at(minutes))

    def move(self, number: int, start: str, to: str, minutes: float) -> None:
        """Move a mail from one folder to another."""
        self.at(minutes)
        with self.server.client() as client:
            client.select_folder(start)
            (uid,) = client.search(["HEADER", "Message-ID", f"<{number}@mail.example>"])
            client.move([uid], to)

    def ask(self) -> None:
        """Poll until there is no more for now, as a process that restarts."""
        run = RunSettings(since=DAY - timedelta(hours=1))
        asyncio.run(poller("imap", self.settings, self.ledger, self.clock, run=run, source="mail").run(asyncio.Event(), once=True))

    @property
    def events(self) -> list[Any]:
        """Return the events about mails, each as often as it was published."""
        return [event for event in self.ledger.events if event.type != "source.heartbeat"]

    def published(self) -> list[tuple[str, str]]:
        """Return type and time of the events, each id once."""
        once = {event.event_id: event for event in reversed(self.events)}
        return [(each.type, each.occurred_at.strftime("%H:%M")) for each in reversed([*once.values()])]


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    """Run one server for all tests of the file."""
    with dovecot() as running:
        yield running


@pytest.fixture
def desk(server: Dovecot) -> Desk:
    """Give an empty mailbox that was asked once."""
    made = Desk(server)
    made.ask()
    return made


def test_two_tickets(desk: Desk) -> None:
    """Mails come, are answered and are moved to what is done; the figures are those worked out by hand, but for surveys."""
    desk.mail("INBOX", 0, 1)
    desk.mail("INBOX", 5, 2)
    desk.ask()
    desk.mail("Sent", 5 + 1 / 60, 20, 2, "noreply@shop.example", Auto_Submitted="auto-replied")
    desk.mail("Sent", 10, 10, 1, SHOP)
    desk.ask()
    desk.mail("Sent", 25, 21, 2, SHOP)
    desk.move(2, "INBOX", DONE, 25)
    desk.ask()
    desk.mail("INBOX", 30, 11, 1)
    desk.mail("Sent", 40, 12, 1, SHOP)
    desk.move(1, "INBOX", DONE, 40)
    desk.ask()
    desk.mail("INBOX", 60, 13, 1)
    desk.ask()
    desk.mail("Sent", 75, 14, 1, SHOP)
    desk.move(13, "INBOX", DONE, 75)
    desk.ask()
    desk.ask()
    assert not desk.ledger.rejected
    wanted = two_tickets(csat=False)
    assert figures(counted(desk.events), wanted, {})["all"] == pytest.approx(wanted["all"])


def test_a_mail_is_published_once_whatever_fails(desk: Desk) -> None:
    """Kafka does not acknowledge a page: its mails are read again, under the same ids, and no other is left out."""
    for number in range(1, 6):
        desk.mail("INBOX", number, number)
    desk.ledger.in_doubt = True
    with pytest.raises(Exception, match="does not answer"):
        desk.ask()
    desk.mail("INBOX", 9, 9)
    desk.ask()
    arrivals = [event.event_id for event in desk.events if event.type == "contact.arrived"]
    assert len(arrivals) == len(set(arrivals)) == 6


def test_a_folder_that_was_renumbered(desk: Desk) -> None:
    """Mails that were published before have the same ids under their new numbers; one that came meanwhile is not left out."""
    desk.mail(SHARED, 1, 1)
    desk.ask()
    before = {event.event_id for event in desk.events}
    with desk.server.client() as client:
        was = client.folder_status(SHARED, ["UIDVALIDITY"])
        client.delete_folder(SHARED)
        client.create_folder(SHARED)
        assert client.folder_status(SHARED, ["UIDVALIDITY"]) != was
    desk.mail(SHARED, 1, 1)
    desk.mail(SHARED, 2, 2)
    desk.at(3)
    desk.ask()
    news = [event for event in desk.events if event.event_id not in before]
    assert [event.type for event in news] == ["contact.arrived", "contact.queued", "contact.message"]
    assert {event.queue for event in desk.events if event.type == "contact.queued"} == {"shared"}


def test_a_mail_that_is_moved_back_is_open_again(desk: Desk) -> None:
    """At the time at which it is seen; a mail that was delivered long before the last round was not delivered now."""
    desk.mail("INBOX", 0, 1)
    desk.ask()
    desk.move(1, "INBOX", DONE, 30)
    desk.ask()
    desk.move(1, DONE, "INBOX", 50)
    desk.ask()
    statuses = [event for event in desk.events if event.type == "contact.status_changed"]
    assert [(event.status, event.occurred_at.minute) for event in statuses] == [("resolved", 30), ("reopened", 50)]


def test_junk_and_mails_from_before_the_start(server: Dovecot) -> None:
    """Mails from before the start count nothing; mails in done folders at the start have no time; junk is withdrawn."""
    desk = Desk(server)
    desk.mail("INBOX", -120, 1)
    desk.mail(DONE, -30, 2)
    desk.mail("INBOX", -30, 3)
    desk.at(0)
    desk.ask()
    assert desk.published() == [("contact.arrived", "08:30"), ("contact.queued", "08:30"), ("contact.message", "08:30")]
    desk.move(3, "INBOX", "Junk", 5)
    desk.ask()
    assert desk.published()[-1] == ("contact.excluded", "09:05")


def test_nothing_in_the_mailbox_changes(desk: Desk) -> None:
    """A mail that was asked for is still unread."""
    desk.mail("INBOX", 0, 1)
    desk.ask()
    with desk.server.client() as client:
        client.select_folder("INBOX", readonly=True)
        assert [*client.get_flags(client.search()).values()] in ([()], [(b"\\Recent",)])


def test_how_far_it_is(desk: Desk) -> None:
    """A minute behind the clock: the server's may be late by as much."""
    runner = poller("imap", desk.settings, desk.ledger, desk.clock, source="mail")
    desk.at(8)
    asyncio.run(runner.run(asyncio.Event(), once=True))
    assert runner.status.complete_through == DAY + timedelta(minutes=7)


def test_headers_that_are_wrong(desk: Desk) -> None:
    """No id, two ids, bytes that are no text, a header of a megabyte: a mail is a mail."""
    with desk.server.client() as client:
        for head in (b"From: x", b"From: =?utf-8?q?=FF?= <\xff@x>\r\nMessage-ID: <a@x> <b@x>", b"References: " + b"<r@x>\r\n " * 100_000):
            client.append("INBOX", head + b"\r\n\r\ntext", msg_time=desk.at(1))
    desk.ask()
    assert not desk.ledger.rejected
    assert [event.type for event in desk.events].count("contact.message") == 3


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        ({"password": "wrong"}, "refused", "does not take user and password"),
        ({"folders": {"Nowhere": "inbox"}}, "refused", "does the folder exist?"),
        ({"port": 1}, "unreachable", "is not reached"),
    ],
)
def test_failures_are_reported(desk: Desk, change: dict[str, Any], reason: str, message: str) -> None:
    """With a reason, and without the server's text."""
    desk.settings |= change
    with pytest.raises(PollError, match=message) as raised:
        desk.ask()
    assert raised.value.reason == reason
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [{"host": ""}, {"port": 0}, {"tls": False, "host": "mail.example"}, {"folders": {}}, {"folders": {"INBOX": "outbox"}}, {"tls": "no"}],
)
def test_settings_are_checked(change: dict[str, Any]) -> None:
    """Before anything is asked; without TLS only this machine."""
    pull = pull_of("imap")
    assert pull is not None
    settings = {"host": "127.0.0.1", "user": "u", "password": "p", "folders": {"INBOX": "inbox"}, **change}
    with pytest.raises(ValueError, match=f"^{next(reversed([*change])) if 'host' not in change else '(host|tls)'}"):
        pull.base(settings)
