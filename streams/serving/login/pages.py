"""The login pages as HTML, in the wallboard's style; they load nothing from elsewhere, and the form needs no script."""

from __future__ import annotations

from html import escape
from math import ceil
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from streams.serving.content_policy import content_policy
from streams.serving.login.texts import TEXTS

if TYPE_CHECKING:
    from streams.serving.login.texts import Language

__all__ = ["PAGE_HEADERS", "kiosk_page", "login_page", "wait_text"]

#: As of all pages, except that forms may be sent here. With ``no-referrer`` browsers send no origin with a form.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": content_policy(forms=True),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}

_MINUTE: Final = 60


def login_page(
    language: Language,
    *,
    after: str,
    problem: str | None = None,
    name: str = "",
    passwords: bool = True,
    provider: str | None = None,
    logged_in: str | None = None,
    can_continue: bool = True,
) -> str:
    """Return the login page.

    Args:
        language: of its texts.
        after: the path to redirect to after the login.
        problem: the text about what went wrong.
        name: the name entered before.
        passwords: whether there are local users.
        provider: the path at which a provider's login begins.
        logged_in: the account that is logged in already.
        can_continue: whether to link to ``after``.
    """
    texts = TEXTS[language]
    parts = [f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""]
    if logged_in is not None:
        way_on = f'<a href="{escape(after)}">{texts["go_on"]}</a>'
        parts.append(
            f"<p>{escape(texts['logged_in'].format(name=logged_in))} {way_on if can_continue else ''}</p>"
            f'<form method="post" action="/logout"><button class="quiet" type="submit">{texts["leave"]}</button></form>'
        )
    if provider is not None:
        address = f"{provider}?{urlencode({'next': after})}"
        parts.append(f'<p><a class="button" href="{escape(address)}">{texts["provider"]}</a></p>')
        if passwords:
            parts.append(f'<p class="or">{texts["or"]}</p>')
    if passwords or provider is None:
        parts.append(_form(language, after=after, name=name, focus=logged_in is None and not problem))
    other: Language = "en" if language == "ja" else "ja"
    switch = f"/login?{urlencode({'next': after, 'lang': other})}"
    parts.append(f'<p class="language"><a lang="{other}" hreflang="{other}" href="{escape(switch)}">{texts["other_language"]}</a></p>')
    return _page(language, texts["title"], "".join(parts), script="login.js", attributes=f' data-next="{escape(after)}"')


def kiosk_page(language: Language, *, after: str) -> str:
    """Return the page of a screen's link; its script redeems the ticket in the fragment."""
    texts = TEXTS[language]
    messages = "".join(f' data-{key}="{escape(texts[f"kiosk_{key}"])}"' for key in ("failed", "later"))
    body = f'<p id="standing" role="status">{texts["kiosk_opening"]}</p><noscript><p class="problem">{texts["kiosk_script"]}</p></noscript>'
    return _page(language, texts["kiosk_title"], body, script="kiosk.js", attributes=f' data-next="{escape(after)}"{messages}')


def wait_text(language: Language, seconds: float) -> str:
    """Return a waiting time as text."""
    texts, rounded = TEXTS[language], max(1, ceil(seconds))
    return texts["seconds"].format(n=rounded) if rounded < 2 * _MINUTE else texts["minutes"].format(n=ceil(rounded / _MINUTE))


def _form(language: Language, *, after: str, name: str, focus: bool) -> str:
    texts = TEXTS[language]
    at_name, at_password = (" autofocus", "") if focus or not name else ("", " autofocus")
    return (
        '<form method="post" action="/login">'
        f'<label for="name">{texts["name"]}</label>'
        f'<input id="name" name="name" value="{escape(name)}" autocomplete="username" autocapitalize="none" autocorrect="off" '
        f'spellcheck="false" maxlength="100" required{at_name}>'
        f'<label for="password">{texts["password"]}</label>'
        f'<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1000" required{at_password}>'
        f'<input type="hidden" name="next" value="{escape(after)}"><input type="hidden" name="lang" value="{language}">'
        f'<button type="submit">{texts["enter"]}</button></form>'
    )


def _page(language: Language, title: str, body: str, *, script: str, attributes: str) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="dark light"><title>{title} – Contact Streams</title>'
        '<link rel="icon" href="/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="/wallboard.css">'
        f'<link rel="stylesheet" href="/login.css"><script src="/{script}" type="module"></script></head>'
        f"<body{attributes}><header><h1>Contact Streams</h1></header><main><h2>{title}</h2>{body}</main></body></html>"
    )
