"""How long is too long, and links to platforms: what is refused, and what comes of what is not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from streams.configuration import Configuration
from streams.configuration.floor import Links, too_long_after


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("https://x.example/calls", "has no {conversation_id}"),
        ("https://x.example/{conversation}", "{conversation_id} and {source} alone"),
        ("https://x.example/{conversation_id.__class__}", "{conversation_id} and {source} alone"),
        ("https://x.example/{conversation_id:>99999999}", "{conversation_id} and {source} alone"),
        ("https://x.example/{conversation_id!r}", "{conversation_id} and {source} alone"),
        ("https://x.example/{}/{conversation_id}", "{conversation_id} and {source} alone"),
        ("https://x.example/{conversation_id", "is no address"),
        ("javascript:alert('{conversation_id}')", "does not begin with https:// and a host"),
        ("//x.example/{conversation_id}", "does not begin with https:// and a host"),
        ("https://{conversation_id}/", "the host is fixed"),
        ("https://user@x.example/{conversation_id}", "the host is fixed"),
        ("https://x.example/a b/{conversation_id}", "no blanks"),
    ],
)
def test_what_is_no_link_is_refused(template: str, said: str) -> None:
    """With what is wrong and an example."""
    with pytest.raises(ValidationError) as error:
        Configuration.model_validate({"links": {"conversation": template}})

    assert said in str(error.value)


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
