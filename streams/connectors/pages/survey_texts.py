"""The page of a survey link in English and Japanese, as HTML that needs no script, no cookie and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.connectors.survey_links import SurveyLink

__all__ = ["POLICY", "Language", "language_of", "message_page", "question_page"]

Language = Literal["en", "ja"]

_TEXTS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "title": "Your opinion",
        "csat": "How satisfied are you with how we helped you?",
        "nps": "How likely are you to recommend us to a friend or colleague?",
        "ces": "How easy was it to get your issue resolved?",
        "csat_low": "Not at all satisfied",
        "csat_high": "Very satisfied",
        "nps_low": "Not at all likely",
        "nps_high": "Very likely",
        "ces_low": "Very difficult",
        "ces_high": "Very easy",
        "tap": "Tap a number. Your answer is sent at once.",
        "thanks": "Thank you for your answer: {score}",
        "again": "You may change it: the last answer counts.",
        "not_valid": "This link is not valid",
        "not_valid_more": "Please open the link as it was sent to you, in full.",
        "expired": "This survey has ended",
        "expired_more": "Thank you for your interest.",
        "later": "Your answer could not be saved",
        "later_more": "Please try again in a moment.",
        "too_often": "Too many answers",
        "too_often_more": "Your last answer counts. Please try again later.",
        "privacy": "We store your answer with the number of your contact, and nothing else.",
        "other": "日本語",
    },
    "ja": {
        "title": "アンケート",
        "csat": "今回の対応にどの程度ご満足いただけましたか。",
        "nps": "ご友人や同僚に、当社をどの程度すすめたいと思いますか。",
        "ces": "お問い合わせの解決は、どの程度簡単でしたか。",
        "csat_low": "まったく満足していない",
        "csat_high": "とても満足している",
        "nps_low": "まったくすすめたくない",
        "nps_high": "ぜひすすめたい",
        "ces_low": "とても難しかった",
        "ces_high": "とても簡単だった",
        "tap": "数字を押してください。回答はすぐに送信されます。",
        "thanks": "ご回答ありがとうございました: {score}",
        "again": "回答は変更できます。最後の回答が有効です。",
        "not_valid": "このリンクは無効です",
        "not_valid_more": "お送りしたリンクを、そのまま最後まで開いてください。",
        "expired": "このアンケートは終了しました",
        "expired_more": "ご関心をお寄せいただき、ありがとうございます。",
        "later": "回答を保存できませんでした",
        "later_more": "しばらくしてから、もう一度お試しください。",
        "too_often": "回答の回数が多すぎます",
        "too_often_more": "最後の回答が有効です。しばらくしてからお試しください。",
        "privacy": "保存するのは、回答とお問い合わせの番号だけです。",
        "other": "English",
    },
}

_STYLE: Final = (
    ":root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--dim:#57606a;--line:#8c959f;--ok:#0550ae}"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--dim:#9ea7b3;--line:#6e7681;--ok:#79c0ff}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--bg);color:var(--fg);font:1.0625rem/1.6 system-ui,"
    "'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',sans-serif}"
    "main{max-width:38rem;margin:0 auto;padding:1.5rem 1.25rem 2rem}"
    "header{display:flex;justify-content:space-between;gap:1rem;color:var(--dim)}"
    "a{color:var(--ok)}"
    "h1{font-size:1.4rem;line-height:1.4;margin:1.5rem 0 .5rem}"
    "fieldset{border:0;margin:0;padding:0;min-width:0}"
    "legend{padding:0;font-size:1.4rem;font-weight:600;line-height:1.4;margin:0 0 .25rem}"
    "p{margin:.25rem 0 1rem}"
    "form{margin-top:1.5rem}"
    ".choices{display:grid;grid-template-columns:repeat(auto-fit,minmax(3.2rem,1fr));gap:.5rem;margin:.75rem 0 .4rem}"
    "button{min-height:3.25rem;font:inherit;font-weight:600;color:inherit;background:transparent;"
    "border:2px solid var(--line);border-radius:.6rem;cursor:pointer}"
    "button:hover{border-color:var(--ok)}button:focus-visible{outline:3px solid var(--ok);outline-offset:2px}"
    "button[aria-pressed=true]{border-color:var(--ok);background:var(--ok);color:var(--bg)}"
    ".ends{display:flex;justify-content:space-between;gap:1rem;color:var(--dim);font-size:.95rem}"
    ".ends span:last-child{text-align:right}"
    "footer{margin-top:2rem;color:var(--dim);font-size:.9rem}"
)

#: Permits the browser to apply our style and to send the form to us, and nothing else.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def language_of(requested: str | None, accepted: str) -> Language:
    """Return the language of the page: the requested one, else the browser's preference (``Accept-Language``)."""
    if requested == "en":
        return "en"
    if requested == "ja":
        return "ja"
    best: tuple[float, Language] = (0.0, "en")
    for part in accepted[:500].split(",")[:20]:
        tag, _, parameter = part.partition(";")
        name = tag.strip().lower().partition("-")[0]
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1) if parameter else 1.0
        except ValueError:
            continue
        if name == "ja" and weight > best[0]:
            best = (weight, "ja")
        elif name == "en" and weight > best[0]:
            best = (weight, "en")
    return best[1]


def question_page(language: Language, link: SurveyLink, organization: str, texts: Mapping[str, object], answered: int | None) -> str:
    """Return the page with the question, or with thanks for an answer that may be changed."""
    labels = _TEXTS[language]
    questions = texts.get(link.kind)
    configured = questions.get(language) if isinstance(questions, dict) else None
    question = configured if isinstance(configured, str) and configured else labels[link.kind]
    buttons = "".join(
        f'<button name="score" value="{score}"{" aria-pressed=true" if score == answered else ""}'
        f' aria-label="{score}{_end(labels, link, score)}">{score}</button>'
        for score in range(link.low, link.high + 1)
    )
    thanks = hint = ""
    if answered is None:
        hint = f"<p>{escape(labels['tap'])}</p>"
    else:
        thanks = f'<h1 role="status">{escape(labels["thanks"].format(score=answered))}</h1><p>{escape(labels["again"])}</p>'
    body = (
        f'{thanks}<form method="post" action="?lang={language}"><fieldset><legend>{escape(question)}</legend>{hint}'
        f'<div class="choices">{buttons}</div><div class="ends"><span>{link.low}: {escape(labels[f"{link.kind}_low"])}</span>'
        f"<span>{link.high}: {escape(labels[f'{link.kind}_high'])}</span></div></fieldset></form>"
        f"<footer>{escape(labels['privacy'])}</footer>"
    )
    return _page(language, body, organization)


def _end(labels: Mapping[str, str], link: SurveyLink, score: int) -> str:
    name = "low" if score == link.low else "high" if score == link.high else ""
    return f": {escape(labels[f'{link.kind}_{name}'])}" if name else ""


def message_page(language: Language, message: Literal["not_valid", "expired", "later", "too_often"], organization: str = "") -> str:
    """Return a page that states why there is no question, or no answer."""
    labels = _TEXTS[language]
    return _page(language, f"<h1>{escape(labels[message])}</h1><p>{escape(labels[f'{message}_more'])}</p>", organization)


def _page(language: Language, body: str, organization: str) -> str:
    labels, other = _TEXTS[language], "en" if language == "ja" else "ja"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>{escape(labels["title"])}</title>'
        f"<style>{_STYLE}</style></head><body><main><header><span>{escape(organization)}</span>"
        f'<a href="?lang={other}" hreflang="{other}" lang="{other}">{labels["other"]}</a></header>'
        f"{body}</main></body></html>\n"
    )
