"""Send a message to a receiver, in the format of its system; return the outcome, never an address or a secret.

Formats: Slack https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, Teams
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook, LINE
https://developers.line.biz/en/reference/messaging-api/#send-push-message with its retry key
https://developers.line.biz/en/docs/messaging-api/retrying-api-request.
"""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson
from yarl import URL

from schemas.times import from_ms
from streams.configuration.alerting import LineReceiver, MailReceiver, SlackReceiver, TeamsReceiver, WebhookReceiver, variables_of
from streams.serving.webhook import Answer, Webhook, retry_after, signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.alerting import Alerting, Receiver
    from streams.serving.alerting.messages import Message

__all__ = ["SettingError", "missing_variables", "send", "unset"]

_SECONDS: Final = 10.0
#: Teams accepts 28 kB, LINE 5000 characters a message: longer ones are cut.
_TEAMS_CHARACTERS: Final = 6000
_LINE_CHARACTERS: Final = 4500
_SLACK_CHARACTERS: Final = 12_000
_CONFLICT: Final = 409
_PERMANENT: Final = 500


class SettingError(Exception):
    """An environment variable is missing or unusable; the text names the variable, never its value."""


def missing_variables(receiver: Receiver, environment: Mapping[str, str]) -> list[str]:
    """Return which of the environment variables of a receiver are not set."""
    return [name for name in variables_of(receiver) if not environment.get(name, "").strip()]


def unset(alerting: Alerting, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return which receivers lack environment variables, each with their names."""
    missing = ((name, missing_variables(receiver, environment)) for name, receiver in alerting.receivers.items())
    return [f"receiver {name} needs {', '.join(names)}, which is not set in the environment" for name, names in missing if names]


async def send(receiver: Receiver, message: Message, environment: Mapping[str, str], now: float) -> Answer:
    """Send once; ``now`` is in seconds since the epoch. Raise SettingError; failures of receiver and network are in the answer."""
    if lacking := missing_variables(receiver, environment):
        raise SettingError(f"{', '.join(lacking)} is not set")
    match receiver:
        case MailReceiver():
            return await asyncio.to_thread(_mail, receiver, message, environment, now)
        case WebhookReceiver():
            return await _webhook(receiver, message, environment, now)
        case SlackReceiver():
            return await _post(receiver.url_variable, environment, {"text": _escaped(message.text(receiver.language))}, {}, now)
        case TeamsReceiver():
            return await _post(receiver.url_variable, environment, _card(receiver, message), {}, now)
        case LineReceiver():
            return await _line(receiver, message, environment, now)


async def _webhook(receiver: WebhookReceiver, message: Message, environment: Mapping[str, str], now: float) -> Answer:
    texts = {f"text_{language}": text for language, text in message.texts.items()}
    fields = {"message_id": message.message_id, "event": message.event, "step": message.step, "board_url": message.link}
    body = orjson.dumps({**fields, "text": message.text(receiver.language), **texts, "alerts": message.alerts})
    secret = "" if receiver.secret_variable is None else environment[receiver.secret_variable].strip()
    url = environment[receiver.url_variable].strip()
    try:
        Webhook(url, secret)
    except ValueError as error:
        raise SettingError(f"{receiver.url_variable}, {receiver.secret_variable}: {error}") from None
    timestamp = str(int(now))
    headers = {
        "Idempotency-Key": message.message_id,
        "Contact-Streams-Event": message.event,
        "Contact-Streams-Timestamp": timestamp,
    }
    if secret:
        headers["Contact-Streams-Signature"] = signature(secret, timestamp, body)
    return await _request(url, body, headers, now)


async def _line(receiver: LineReceiver, message: Message, environment: Mapping[str, str], now: float) -> Answer:
    text = message.text(receiver.language)[:_LINE_CHARACTERS]
    body = orjson.dumps({"to": environment[receiver.to_variable].strip(), "messages": [{"type": "text", "text": text}]})
    headers = {"Authorization": f"Bearer {environment[receiver.token_variable].strip()}", "X-Line-Retry-Key": message.message_id}
    answer = await _request(f"{receiver.api_url.rstrip('/')}/v2/bot/message/push", body, headers, now)
    # LINE has accepted a message with this key before.
    return answer if answer.status != _CONFLICT else Answer(200, "accepted before", None)


async def _post(variable: str, environment: Mapping[str, str], document: Any, headers: dict[str, str], now: float) -> Answer:
    url = environment[variable].strip()
    try:
        Webhook(url)
    except ValueError as error:
        raise SettingError(f"{variable}: {error}") from None
    return await _request(url, orjson.dumps(document), headers, now)


async def _request(url: str, body: bytes, headers: dict[str, str], now: float) -> Answer:
    headers = {"Content-Type": "application/json", "User-Agent": "contact-streams", **headers}
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(URL(url), data=body, headers=headers, allow_redirects=False) as response,
        ):
            return Answer(response.status, f"status {response.status}", retry_after(response.headers.get("Retry-After"), now))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        # Only the type: texts of these errors may quote the address.
        return Answer(None, type(error).__name__, None)


def _escaped(text: str) -> str:
    """Return a text without Slack markup: the name of a queue must not notify a channel."""
    return text[:_SLACK_CHARACTERS].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _card(receiver: TeamsReceiver, message: Message) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "TextBlock", "text": message.subject(receiver.language), "weight": "Bolder", "wrap": True}]
    lines = message.text(receiver.language)[:_TEAMS_CHARACTERS].splitlines()
    blocks += [{"type": "TextBlock", "text": _plain(line), "wrap": True} for line in lines if line]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    if message.link is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Contact Streams", "url": message.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _plain(line: str) -> str:
    """Return a line without Markdown links."""
    return line.replace("[", "\\[").replace("]", "\\]")


def _mail(receiver: MailReceiver, message: Message, environment: Mapping[str, str], now: float) -> Answer:
    mail = EmailMessage()
    mail["From"], mail["To"] = receiver.sender, ", ".join(receiver.to)
    mail["Subject"] = message.subject(receiver.language)
    mail["Date"] = format_datetime(from_ms(int(now * 1000)))
    # The same at every attempt, so that mail programs recognize a repeat.
    mail["Message-ID"] = f"<{message.message_id}@{receiver.sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text(receiver.language))
    try:
        with _connected(receiver) as server:
            if receiver.user_variable is not None and receiver.password_variable is not None:
                server.login(environment[receiver.user_variable].strip(), environment[receiver.password_variable].strip())
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        return Answer(400 if codes and min(codes) >= _PERMANENT else None, f"recipients refused, {max(codes, default=0)}", None)
    except smtplib.SMTPAuthenticationError:
        return Answer(None, "the login is refused", None)
    except smtplib.SMTPResponseException as error:
        return Answer(400 if error.smtp_code >= _PERMANENT else None, f"status {error.smtp_code}", None)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return Answer(None, type(error).__name__, None)
    return Answer(250, "status 250", None)


def _connected(receiver: MailReceiver) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if receiver.tls == "tls":
        return smtplib.SMTP_SSL(receiver.host, receiver.port, timeout=_SECONDS, context=context)
    server = smtplib.SMTP(receiver.host, receiver.port, timeout=_SECONDS)
    if receiver.tls == "starttls":
        try:
            server.starttls(context=context)
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
    return server
