"""Whether an event is known already: the compiled function and its substitute agree."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.compiled import compiled
from streams.tracking.facts import AnyFact, Ended, Held, Queued
from streams.tracking.state import _EVENT_ID, Conversation, _any_has
from tests.support.require import require

FACTS: list[AnyFact] = [Queued(1, 0, "event-1", None, "A"), Held(2, 0, "事象-2", ""), Ended(3, 0, "", None), Held(4, 0, "évent", None)]


@pytest.mark.parametrize(
    "event_id", ["event-1", "事象-2", "", "évent", "event-2", "事象-3", "event-", "event-11", "ev", "事", "ývent", "\U0001f600"]
)
def test_both_find_the_same(event_id: str) -> None:
    """Of whatever characters, of the same length or not, and where the text is another object."""
    require(compiled is not None, "schemas/_compiled.c is not compiled")
    known = event_id in {fact.event_id for fact in FACTS}
    copied = "".join([*event_id])

    assert compiled.any_has(FACTS, _EVENT_ID, copied) is known
    assert _any_has(FACTS, _EVENT_ID, copied) is known
    assert not compiled.any_has([], _EVENT_ID, copied)


def test_facts_are_known_whether_folded_or_not() -> None:
    """A repeat is one of either."""
    conversation = Conversation("c")
    conversation.state.facts, conversation.fresh = FACTS[:1], FACTS[1:2]

    assert [conversation.knows(event_id) for event_id in ("event-1", "事象-2", "évent")] == [True, True, False]


@pytest.mark.parametrize(
    "arguments", [(FACTS, "event_id", "x"), (tuple(FACTS), _EVENT_ID, "x"), (["text"], _EVENT_ID, "x"), (FACTS, _EVENT_ID, 1), ()]
)
def test_what_has_no_such_slot_is_refused(arguments: Any) -> None:
    """It reads memory by place: nothing but facts may get there."""
    require(compiled is not None, "schemas/_compiled.c is not compiled")
    with pytest.raises(TypeError, match="any_has"):
        compiled.any_has(*arguments)
