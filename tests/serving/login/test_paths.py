"""Where a login leads: no text makes it lead to another server."""

from __future__ import annotations

import pytest

from streams.serving.login.paths import in_language, login_path, own_path


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?view=wall&lang=ja&queue=%E5%8F%97%E4%BB%98&rotate=10",
        "/?window=5&pin=a+b&pin=c%2Fd",
        "/api/v1/openapi.json",
        "/api/",
        "/?next=https://evil.example/",
        "/a..b/...c",
        "/" + "." * 1998,
    ],
)
def test_own_paths_are_kept(path: str) -> None:
    """As they are: what is chosen on the page is in its address."""
    assert own_path(path) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "evil.example",
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/ /evil.example",
        "/\x00/evil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/a/..//evil.example",
        "/./",
        "/..",
        "/a//evil.example",
        "/\u2215evil.example",
        "/\uff0fevil.example",
        "/\x7f",
        "javascript:alert(1)",
        "/javascript:alert(1)\r\nSet-Cookie: a=b",
        "/#@evil.example",
        "/?a#b",
        "/login",
        "/login?next=/",
        "/logout",
        "/kiosk",
        "@evil.example",
        "/" + "a" * 2000,
        "?view=wall",
        "/<script>",
        '/"onmouseover=',
    ],
)
def test_all_else_leads_home(text: str) -> None:
    """Other hosts however they are written, what a browser reads otherwise than we do, and the login itself."""
    assert own_path(text) == "/"


def test_very_long_texts_are_judged_at_once() -> None:
    """No text takes the pattern long: it is short before it is read, and the pattern tries nothing twice."""
    for text in ("/" + "a/" * 999 + "\\", "/" + "a" * 1998 + "\\", "/" + "a" * 10_000_000):
        assert own_path(text) == "/"


def test_the_login_leads_on() -> None:
    """The next path is one parameter, whatever it holds."""
    assert login_path("/login", "/") == "/login"
    assert login_path("/login", "/?view=wall&lang=ja") == "/login?next=%2F%3Fview%3Dwall%26lang%3Dja"
    assert login_path("/login", "//evil.example") == "/login"


def test_a_language_is_asked_for_once() -> None:
    """What else the query asks for stays as it was written; the path is still one of this server."""
    for path, asked in (
        ("/", "/?lang=ja"),
        ("/?lang=en&window=5", "/?window=5&lang=ja"),
        ("/?view=wall&queue=a%26b&lang=en", "/?view=wall&queue=a%26b&lang=ja"),
    ):
        assert in_language(path, "ja") == own_path(asked) == asked
