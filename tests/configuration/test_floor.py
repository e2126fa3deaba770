"""How long is too long, and links to platforms: what is refused, and what comes of what is not."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pydantic import ValidationError

from streams.configuration import Configuration
from streams.configuration.floor import Links, too_long_after


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("https://x.example/calls", "has no {conversation_id}"),
        ("https://x.example/{conversation}", "only {conversation_id} and {source}"),
        ("https://x.example/{conversation_id.__class__}", "only {conversation_id} and {source}"),
        ("https://x.example/{conversation_id:>99999999}", "only {conversation_id} and {source}"),
        ("https://x.example/{conversation_id!r}", "only {conversation_id} and {source}"),
        ("https://x.example/{}/{conversation_id}", "only {conversation_id} and {source}"),
        ("https://x.example/{conversation_id", "is no address"),
        *(
            (f"{scheme}{{conversation_id}}", "does not begin with https:// and a host")
            for scheme in (
                "javascript:alert(1)//x.example/",
                "JavaScript://x.example/%0a",
                "data:text/html,",
                "file:///",
                "ftp://x.example/",
            )
        ),
        ("vbscript://x.example/{conversation_id}", "does not begin with https:// and a host"),
        ("javascript:alert('{conversation_id}')", "does not begin with https:// and a host"),
        ("//x.example/{conversation_id}", "does not begin with https:// and a host"),
        ("https://{conversation_id}/", "the host is fixed"),
        ("https://user@x.example/{conversation_id}", "the host is fixed"),
        ("https://x.example/a b/{conversation_id}", "no blanks"),
    ],
)
def test_what_is_no_link_is_refused(template: str, message: str) -> None:
    """With what is wrong and an example."""
    with pytest.raises(ValidationError) as error:
        Configuration.model_validate({"links": {"conversation": template}})

    assert message in str(error.value)


def test_ids_are_escaped() -> None:
    """Whatever an id holds, it stays one part of the path; a source may have its own address, and braces may be doubled."""
    links = Links(
        conversation="https://x.example/{source}/{conversation_id}?tab={{1}}", sources={"mail": "https://m.example/#{conversation_id}"}
    )

    assert (
        links.of_conversation("a/../b?c=1&d#e 予約", "p b")
        == "https://x.example/p%20b/a%2F..%2Fb%3Fc%3D1%26d%23e%20%E4%BA%88%E7%B4%84?tab={1}"
    )
    assert links.of_conversation("7", "mail") == "https://m.example/#7"
    assert Links().of_conversation("7", "mail") is None


#: What an id may hold that means something in an address, to a browser, or in a script.
HOSTILE = [
    "a/b", "a\\b", "../../admin", "%2e%2e", "%2F", "?next=//evil.example", "#top", "a b", "a+b&c=d;e", "javascript:alert(1)",
    "//evil.example", "user@evil.example", '"><script>', "'onclick=", "{source}", "予約 7", "é", "…", "a\u2028b", "x" * 200,
]  # fmt: skip


@pytest.mark.parametrize("id_", HOSTILE)
def test_a_link_leads_to_the_id_and_nowhere_else(id_: str) -> None:
    """In a path and in a query: scheme, host and the parts around it are those of the template, and what is between is the id."""
    links = Links(conversation="https://x.example/calls/{conversation_id}/show?id={conversation_id}&src={source}")
    found = links.of_conversation(id_, id_[:100])
    assert found is not None
    parts = urlsplit(found)

    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "x.example", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "calls", id_, "show"]
    assert parse_qs(parts.query, strict_parsing=True) == {"id": [id_], "src": [id_[:100]]}
    assert not set(found) & set(" \"'<>\\")


@pytest.mark.parametrize("id_", [".", ".."])
def test_what_no_escape_keeps_from_leading_up_has_no_link(id_: str) -> None:
    """A browser takes them for a way up even when they are escaped."""
    links = Links(conversation="https://x.example/calls/{conversation_id}")

    assert links.of_conversation(id_, "pbx") is None
    assert links.of_conversation("7", id_) is None
    assert links.of_conversation("...", "pbx") == "https://x.example/calls/..."


def test_the_first_word_with_a_limit_decides() -> None:
    """The reason, then the platform's word, then the state; the configuration over what is usual, and 0 is never."""
    limits = Configuration.model_validate({"too_long_seconds": {"After-Call Work": 60, "meeting": 1200, "break": 0, "handling": 900}})
    known = limits.too_long_seconds

    assert too_long_after(known, "Lunch", "away", "unavailable") == 3600
    assert too_long_after(known, None, "after_call_work", "wrap_up") == 60
    assert too_long_after(known, None, "acw", "wrap_up") == 300
    assert too_long_after(known, "Meeting", "away", "unavailable") == 1200
    assert too_long_after(known, "break", "away", "unavailable") is None
    assert too_long_after(known, None, None, "handling") == 900
    assert too_long_after({}, None, "interacting", "handling") is None
