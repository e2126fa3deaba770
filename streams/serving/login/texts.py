"""Texts of the login pages, in English and Japanese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LANGUAGES", "TEXTS", "Language", "language_of"]

Language = Literal["en", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

#: Characters of a header that are read, and languages in it.
_HEADER, _PARTS = 500, 20

TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "title": "Log in",
        "name": "Name",
        "password": "Password",
        "enter": "Log in",
        "provider": "Log in with your organization’s account",
        "or": "or with a name and password of this server",
        "wrong": "Name or password is wrong.",
        "throttled": "Too many attempts. Try again in {wait}.",
        "busy": "The server is busy. Try again in a moment.",
        "form": "The form could not be read. Enter name and password again.",
        "provider_away": "Your organization’s login does not answer. Try again in a moment.",
        "provider_again": "The login was not completed. Try again.",
        "no_rights": "Your account has no rights here. Ask the operator of this server.",
        "elsewhere": "The form was sent from another page. Log in here.",
        "seconds": "{n} s",
        "minutes": "{n} min",
        "logged_in": "Logged in as {name}.",
        "go_on": "Continue",
        "leave": "Log out",
        "other_language": "日本語",
        "kiosk_title": "Screen",
        "kiosk_opening": "Opening the wallboard …",
        "kiosk_failed": "This link is not valid: it has been used, has expired, or is incomplete. Ask for a new one.",
        "kiosk_later": "The server is not ready. This page retries by itself.",
        "kiosk_script": "This page needs JavaScript.",
    },
    "ja": {
        "title": "ログイン",
        "name": "ユーザー名",
        "password": "パスワード",
        "enter": "ログイン",
        "provider": "組織のアカウントでログイン",
        "or": "またはこのサーバーのユーザー名とパスワードで",
        "wrong": "ユーザー名またはパスワードが違います。",
        "throttled": "試行回数が多すぎます。{wait}後にもう一度お試しください。",
        "busy": "サーバーが混み合っています。しばらくしてからもう一度お試しください。",
        "form": "内容を読み取れませんでした。ユーザー名とパスワードをもう一度入力してください。",
        "provider_away": "組織のログインサービスが応答しません。しばらくしてからもう一度お試しください。",
        "provider_again": "ログインを完了できませんでした。もう一度お試しください。",
        "no_rights": "アカウントは確認できましたが、閲覧できる内容がありません。サーバーの管理者にお問い合わせください。",
        "elsewhere": "別のページから送信されました。このページでログインしてください。",
        "seconds": "{n}秒",
        "minutes": "{n}分",
        "logged_in": "{name}としてログインしています。",
        "go_on": "続ける",
        "leave": "ログアウト",
        "other_language": "English",
        "kiosk_title": "表示画面",
        "kiosk_opening": "ウォールボードを開いています…",
        "kiosk_failed": "このリンクは使えません。使用済みか、期限切れか、途中で切れています。新しいリンクを発行してもらってください。",
        "kiosk_later": "サーバーの準備ができていません。自動的に再試行します。",
        "kiosk_script": "このページにはJavaScriptが必要です。",
    },
}


def language_of(asked: str | None, accepted: str) -> Language:
    """Return the requested language, else the first supported one of an ``Accept-Language`` header, else English."""
    if asked in LANGUAGES:
        return asked
    best: Language = "en"
    highest = 0.0
    for part in accepted[:_HEADER].split(",")[:_PARTS]:
        name, _, weight = part.strip().partition(";")
        language = name.strip().lower().partition("-")[0]
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and highest < quality <= 1.0:
            best, highest = language, quality
    return best
