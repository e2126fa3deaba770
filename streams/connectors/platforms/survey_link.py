"""Our own survey: a signed link for SMS and mail, whose page the gateway serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.connectors.kit.drafting import hashed_id
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.surveys import SCALES, within

if TYPE_CHECKING:
    from collections.abc import Iterable


def _translate(record: Record, _context: Context) -> Iterable[Draft]:
    fields = Fields(record.content)
    conversation, kind, scale, score = fields.need("conversation_id"), fields.need("kind"), fields.need("scale"), fields.number("score")
    if kind not in SCALES or score is None or not within(score, scale):
        raise UnusableError("not_on_scale", "the answer is not on the scale of its link")
    # One answer to a question counts per conversation, over all its links.
    return [
        {
            "type": "survey.answered",
            "event_id": f"survey-link:{hashed_id(conversation, kind, size=12)}",
            "conversation_id": conversation,
            "kind": kind,
            "score": score,
            "scale": scale,
            "revision": int(fields.number("answered_ms") or 0),
        }
    ]


CONNECTOR = Connector(
    name="survey-link",
    title="Survey link",
    family="survey",
    delivery="live",
    ways=("page",),
    kinds={"answer": "survey.answered"},
    ignored={},
    read=json_records,
    kind=lambda _record: "answer",
    translate=_translate,
    reports={"csat": ""},
    settings=(
        Setting(name="organization", meaning="The organization that the page names", default=""),
        Setting(
            name="texts",
            meaning="The question of a kind in place of ours, by language: `{csat: {en: How was it?, ja: いかがでしたか。}}`",
            default={},
        ),
    ),
)
