"""Compose the message about alerts that receivers read: bounded in length, with current values, in English and Japanese."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from streams.catalogue import LANGUAGES, WORDS
from streams.catalogue.words import Language
from streams.serving.alert_text import texts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from schemas.alert_actions import Notification
    from schemas.alerts import AlertRecord

    Current = Callable[[AlertRecord], AlertRecord]

__all__ = ["Message", "message_of", "test_message"]

#: The most alerts that are named; the others are counted.
_NAMED: Final = 10
#: The longest sentence about one alert, in characters.
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a receiver. ``message_id`` is the same at every attempt."""

    message_id: str
    event: str
    step: int
    #: Language → the text, and the subject.
    texts: dict[Language, str]
    subjects: dict[Language, str]
    alerts: list[dict[str, Any]]
    link: str | None

    def text(self, language: Literal["en", "ja", "both"]) -> str:
        """Return the text in a language, or in both."""
        return "\n\n".join(self.texts[each] for each in LANGUAGES if language in {each, "both"})

    def subject(self, language: Literal["en", "ja", "both"]) -> str:
        """Return the subject."""
        return self.subjects["ja" if language == "ja" else "en"]


def message_of(notification: Notification, current: Current, zone: ZoneInfo, board_url: str | None) -> Message:
    """Return the message of a notification; ``current`` returns an alert with its current figures, where known."""
    shown = notification.alerts if notification.event == "cleared" else [current(alert) for alert in notification.alerts]
    first = shown[0]
    link = None
    if board_url is not None:
        link = board_url.rstrip("/") + "/"
        if len(shown) == 1 and first.scope_kind == "queue":
            link += f"?queue={quote(first.scope, safe='')}"
    texts: dict[Language, str] = {}
    subjects: dict[Language, str] = {}
    sentences = [texts_of(alert, zone) for alert in shown[:_NAMED]]
    for language in LANGUAGES:
        subjects[language] = _subject(language, notification.event, shown)
        lines = [_short(each[f"text_{language}"]) for each in sentences]
        if len(shown) > _NAMED:
            lines.append(_text(language, "alert.more", n=f"{len(shown) - _NAMED}"))
        if notification.event == "escalated":
            lines.insert(0, _text(language, "alert.unacknowledged"))
        if link is not None:
            lines.append(link)
        texts[language] = "\n".join(lines)
    alerts = [alert.model_dump(mode="json") for alert in shown]
    return Message(notification.message_id, notification.event, notification.step, texts, subjects, alerts, link)


def test_message(board_url: str | None) -> Message:
    """Return a test message."""
    texts: dict[Language, str] = {
        language: _text(language, "alert.test") + ("" if board_url is None else f"\n{board_url}") for language in LANGUAGES
    }
    subjects: dict[Language, str] = {language: _text(language, "alert.test") for language in LANGUAGES}
    return Message(str(uuid.uuid4()), "test", 0, texts, subjects, [], board_url)


def _subject(language: Language, event: str, alerts: list[AlertRecord]) -> str:
    head = _text(language, "alert.cleared" if event == "cleared" else f"alert.{alerts[0].severity}")
    if event == "escalated":
        head = f"{_text(language, 'alert.escalated')}: {head}"
    scope = alerts[0].scope if alerts[0].scope_kind != "total" else _text(language, "scope.total")
    others = f" (+{len(alerts) - 1})" if len(alerts) > 1 else ""
    return _short(f"{head}: {alerts[0].rule} – {scope}{others}".translate(dict.fromkeys(range(32), " ")))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _text(language: Language, name: str, /, **blanks: str) -> str:
    return WORDS[language][name].format(**blanks)
