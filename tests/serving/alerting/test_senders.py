"""Messages in the form that each system takes: a real SMTP server; fakes of Slack, Teams and LINE, which need accounts."""

from __future__ import annotations

import asyncio
import email
import email.policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import unused_port
from aiosmtpd.controller import Controller
from pydantic import TypeAdapter

from schemas.alert_actions import Notification
from streams.cli import main
from streams.configuration.alerting import Receiver
from streams.serving.alerting.current import current_of
from streams.serving.alerting.messages import message_of
from streams.serving.alerting.senders import SettingError, send
from streams.serving.webhook import signature
from tests.serving.alerting.center import FakeSystem, cleared, fired
from tests.serving.records import Backend, window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemas.alerts import AlertRecord
    from streams.serving.alerting.messages import Message
    from streams.serving.webhook import Answer

RECEIVER: TypeAdapter[Receiver] = TypeAdapter(Receiver)
NOW = 1_780_000_000.0


def message(*alerts: AlertRecord, event: str = "fired", backend: Backend | None = None) -> Message:
    """Return the message of some alerts."""
    composed = {"message_id": "123e4567-e89b-12d3-a456-426614174000", "receiver": "x", "event": event, "step": 0}
    held = list(alerts or (fired(),))
    notification = Notification.model_validate({**composed, "alerts": held, "decided_at": "2026-04-01T09:00:00.000Z"})
    current = current_of((backend or Backend()).store)
    return message_of(notification, current, ZoneInfo("Asia/Tokyo"), "https://board.example.com")


def sent(receiver: dict[str, Any], composed: Message, **environment: str) -> Answer:
    """Send a message."""
    return asyncio.run(send(RECEIVER.validate_python(receiver), composed, environment, NOW))


def sent_to_fake(receiver: dict[str, Any], composed: Message, answers: list[int], **environment: str) -> tuple[Answer, FakeSystem]:
    """Send a message to a fake."""
    fake = FakeSystem(answers=answers)

    async def check() -> Answer:
        async with fake.listening():
            addressed = {name: value.replace("FAKE", fake.url) for name, value in receiver.items()}
            given = {name: value.replace("FAKE", fake.url) for name, value in environment.items()}
            return await send(RECEIVER.validate_python(addressed), composed, given, NOW)

    return asyncio.run(check()), fake


def test_a_message_names_figure_scope_value_threshold_since_and_where_to_look() -> None:
    """In both languages, as a person reads it: by hand."""
    composed = message()
    assert composed.texts["en"] == (
        "Critical: Queue sales (Voice) – service level (live) 62.0 %, 31 of 50, last 15 min, below 80.0 %, since 2026-04-01 17:54 JST, "
        "rule low-service-level\nhttps://board.example.com/?queue=sales"
    )
    assert "サービスレベル" in composed.texts["ja"]
    assert "62.0%" in composed.texts["ja"]
    assert composed.subjects == {"en": "Critical: low-service-level – sales", "ja": "重大: low-service-level – sales"}
    assert message(event="escalated").texts["en"].startswith("This is not acknowledged yet.\nCritical: ")


def test_the_value_is_that_of_now() -> None:
    """A newer figure of the same window replaces the one at firing; that of another window or channel does not."""
    figure = {"service_level_live": {"value": 0.5, "numerator": 30.0, "denominator": 60.0}}
    other = {"service_level_live": {"value": 0.1, "numerator": 1.0, "denominator": 10.0}}
    backend = Backend.fed(
        [
            window("queue:sales", kpis=figure, as_of="2026-04-01T09:00:00Z"),
            window("queue:sales", "chat", kpis=other, as_of="2026-04-01T09:00:00Z"),
            window("queue:sales", name="trailing_5m", kpis=other, as_of="2026-04-01T09:00:00Z"),
        ]
    )
    assert "50.0 %, 30 of 60" in message(backend=backend).texts["en"]
    assert "62.0 %" in message(cleared(), event="cleared", backend=backend).texts["en"]


def test_a_message_is_bounded_for_any_names() -> None:
    """Fifty alerts of queues with the longest names: ten are named, of the others the number; no line break comes from a name."""
    composed = message(*(fired(f"{number}\n{'長' * 280}") for number in range(50)))
    assert composed.texts["en"].count("Critical") == 10
    assert "40 more" in composed.texts["en"]
    assert max(map(len, composed.texts.values())) < 5000
    assert "\n" not in composed.subjects["en"]
    assert len(composed.texts["en"].splitlines()) == 12


def test_slack() -> None:
    """A text in which nothing calls a channel, as incoming webhooks take it."""
    receiver = {"kind": "slack", "language": "en", "url_variable": "SLACK"}
    answer, fake = sent_to_fake(receiver, message(fired("<!channel> & co")), [], SLACK="FAKE/services/T0/B0/x")
    assert answer.accepted
    ((path, _, body),) = fake.requests
    assert path == "/services/T0/B0/x"
    assert body.keys() == {"text"}
    assert "&lt;!channel&gt; &amp; co" in body["text"]


def test_teams() -> None:
    """An Adaptive Card in a message, with a link to the board."""
    receiver = {"kind": "teams", "language": "ja", "url_variable": "TEAMS"}
    answer, fake = sent_to_fake(receiver, message(), [202], TEAMS="FAKE/workflows/x")
    assert answer.accepted
    ((_, _, body),) = fake.requests
    card = body["attachments"][0]
    assert (body["type"], card["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert card["content"]["type"] == "AdaptiveCard"
    assert card["content"]["body"][0]["text"] == "重大: low-service-level – sales"
    assert card["content"]["actions"][0]["url"] == "https://board.example.com/?queue=sales"


@pytest.mark.parametrize(
    ("status", "accepted", "refused"), [(200, True, False), (409, True, False), (429, False, False), (400, False, True)]
)
def test_line(status: int, accepted: bool, refused: bool) -> None:
    """A push message with the key of the message; that LINE has taken it before is as good as that it takes it."""
    receiver = {"kind": "line", "token_variable": "TOKEN", "to_variable": "TO", "api_url": "FAKE"}
    answer, fake = sent_to_fake(receiver, message(), [status], TOKEN="secret-token", TO="U123")
    assert (answer.accepted, answer.refused) == (accepted, refused)
    ((path, headers, body),) = fake.requests
    assert path == "/v2/bot/message/push"
    assert headers["Authorization"] == "Bearer secret-token"
    assert headers["X-Line-Retry-Key"] == "123e4567-e89b-12d3-a456-426614174000"
    assert body["to"] == "U123"
    assert [each["type"] for each in body["messages"]] == ["text"]


def test_webhook_is_signed() -> None:
    """The signature verifies over what was sent; the key is the message's."""
    receiver = {"kind": "webhook", "url_variable": "URL", "secret_variable": "SECRET"}
    answer, fake = sent_to_fake(receiver, message(), [], URL="FAKE/x", SECRET="a secret of the test 42")
    assert answer.accepted
    ((_, headers, body),) = fake.requests
    assert headers["Idempotency-Key"] == body["message_id"]
    assert headers["Contact-Streams-Timestamp"] == str(int(NOW))
    assert headers["Contact-Streams-Signature"].startswith("v1=")
    assert headers["Contact-Streams-Signature"] != signature("another secret of it 42", str(int(NOW)), b"")


class Inbox:
    """Keeps what a mail server takes; refuses recipients of a domain, and everything while it is busy."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.busy = False

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd
        if address.endswith("@gone.example"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd
        if self.busy:
            return "451 try again later"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    """Run a real SMTP server on this machine."""
    held, port = Inbox(), unused_port()
    controller = Controller(held, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield held, port
    finally:
        controller.stop()


def test_mail(inbox: tuple[Inbox, int]) -> None:
    """A mail in both languages, with the same Message-ID at every attempt; refusals of a server are distinguished."""
    held, port = inbox
    receiver: dict[str, Any] = {
        "kind": "mail",
        "to": ("a@example.com", "b@example.com"),
        "sender": "board@example.com",
        "host": "127.0.0.1",
    }
    receiver |= {"port": port, "tls": "none"}
    held.busy = True
    answer = sent(receiver, message())
    assert (answer.accepted, answer.refused) == (False, False)
    held.busy = False
    assert sent(receiver, message(fired("解約 窓口"))).accepted
    assert sent(receiver, message(fired("解約 窓口"))).accepted
    first, second = held.mails
    assert first["Subject"] == "Critical: low-service-level – 解約 窓口"
    assert first["To"] == "a@example.com, b@example.com"
    assert first["Message-ID"] == second["Message-ID"] == "<123e4567-e89b-12d3-a456-426614174000@example.com>"
    assert "サービスレベル" in first.get_content()
    gone = sent({**receiver, "to": ("x@gone.example",)}, message())
    assert (gone.accepted, gone.refused) == (False, True)
    # A server without TLS is given nothing where TLS is asked for.
    assert not sent({**receiver, "tls": "starttls"}, message()).accepted
    assert len(held.mails) == 2


def test_nothing_listens() -> None:
    """It is tried again, and the address is in no text."""
    port = unused_port()
    slack = {"kind": "slack", "url_variable": "URL"}
    answer = sent(slack, message(), URL=f"http://127.0.0.1:{port}/secret-path")
    assert (answer.accepted, answer.refused) == (False, False)
    assert "secret-path" not in answer.text
    mail: dict[str, Any] = {"kind": "mail", "to": ("a@example.com",), "sender": "b@example.com", "host": "127.0.0.1", "port": port}
    assert not sent(mail, message()).accepted


def test_a_variable_that_is_not_set_is_named() -> None:
    """Its name, and never what others hold."""
    with pytest.raises(SettingError, match=r"^TOKEN is not set$"):
        sent({"kind": "line", "token_variable": "TOKEN", "to_variable": "TO"}, message(), TO="U123")


def test_the_command_tries_a_receiver(inbox: tuple[Inbox, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It sends a test message; a missing receiver, and one that is down, are reported."""
    held, port = inbox
    file = tmp_path / "center.yaml"
    mail = "{kind: mail, to: [a@example.com], sender: b@example.com, host: 127.0.0.1, tls: none, language: ja"
    file.write_text(f"alerting: {{receivers: {{floor: {mail}, port: {port}}}, down: {mail}, port: {unused_port()}}}}}}}\n", "utf-8")
    assert main(["alerts", "test", "floor", "--config", str(file)]) == 0
    assert "テスト" in held.mails[0].get_content()
    assert main(["alerts", "test", "flour", "--config", str(file)]) == 2
    assert "did you mean floor?" in capsys.readouterr().err
    assert main(["alerts", "test", "down", "--config", str(file)]) == 1
    assert "has not accepted the message" in capsys.readouterr().err
