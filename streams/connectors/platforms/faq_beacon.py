"""FAQ beacon: a script of less than 1 kB, or an image, on the pages of a FAQ; the gateway serves both and receives their events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting
from streams.connectors.kit.reading import json_records

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Event of a page → outcome of the session, None where it begins.
_OUTCOMES: Final = {"started": None, "solved": "confirmed_solved", "left": "left", "contact": "handed_over"}


def _fits(text: str, pattern: str) -> bool:
    """Return whether a text matches a pattern, in which ``*`` matches any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content)
    event, session, category = fields.need("event"), fields.need("session"), fields.text("category")
    patterns = context.settings.get("categories") or []
    # Pages are public: an unexpected text must not become the label of a figure.
    if category is not None and not any(_fits(category, str(pattern)) for pattern in patterns):
        category = None
    outcome = _OUTCOMES[event]
    draft: Draft = {
        "type": "self_service.started" if outcome is None else "self_service.ended",
        "event_id": f"faq-beacon:{session}-{'started' if outcome is None else 'ended'}",
        "conversation_id": f"faq-beacon:{session}",
        "kind": "faq",
    }
    if category is not None:
        draft["category"] = category
    if outcome is not None:
        draft["outcome"] = outcome
    return [draft]


CONNECTOR = Connector(
    name="faq-beacon",
    title="FAQ beacon",
    family="self_service",
    delivery="live",
    ways=("page",),
    kinds={
        "started": "self_service.started",
        "solved": "self_service.ended: confirmed_solved",
        "left": "self_service.ended: left",
        "contact": "self_service.ended: handed_over",
    },
    ignored={},
    read=json_records,
    kind=lambda record: Fields(record.content).need("event"),
    translate=_translate,
    reports={},
    settings=(
        Setting(name="origins", meaning="The sites whose pages may send events, such as [https://www.example.com]", required=True),
        Setting(name="categories", meaning="Categories that pages may name, with * for any text; others are left out", default=[]),
        Setting(name="events_per_second", meaning="How many events a second are accepted; ten times as many at once", default=50.0),
    ),
)
