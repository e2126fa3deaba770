"""Dialogflow CX: fulfillment requests by webhook, distinguished by their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.answers import Answers
from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.sessions import SESSION_IDS, Session, categories_of
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Tag → its meaning.
_TAGS: Final = {"start": "started", "handoff": "handed_over", "solved": "confirmed_solved", "end": "left"}
_MEANINGS: Final = frozenset({"started", "handed_over", "confirmed_solved", "left", "nothing"})


def _kind(record: Record) -> str:
    fields = Fields(record.content)
    if fields.get("sessionInfo") is None or fields.get("fulfillmentInfo") is None:
        raise UnusableError("unknown_kind", "no fulfillment request: sessionInfo and fulfillmentInfo are required")
    return "fulfillment"


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content)
    tags = context.settings.get("tags") or _TAGS
    if not isinstance(tags, dict) or not all(isinstance(meaning, str) and meaning in _MEANINGS for meaning in tags.values()):
        raise UnusableError("bad_setting", f"tags: a tag and one of {', '.join(sorted(_MEANINGS))} a line")
    tag = fields.text("fulfillmentInfo.tag") or ""
    contact = fields.text(f"sessionInfo.parameters.{context.settings.get('contact') or 'contact_id'}")
    session = Session(context, connector="dialogflow-cx", identity=contact or fields.need("sessionInfo.session").rpartition("/")[2])
    # A request has no time: it occurs when it arrives. The first of a session begins it.
    events = [session.event("self_service.started", None, "started", kind="bot")]
    category = categories_of(context).get(fields.text("intentInfo.displayName") or "")
    if category is not None:
        events.append(session.event("contact.categorized", None, f"categorized\0{category}", category=category))
    meaning = tags.get(tag, "nothing")
    if meaning == "handed_over":
        events.append(session.event("contact.handed_over", None, meaning))
    elif meaning in {"confirmed_solved", "left"}:
        events.append(session.event("self_service.ended", None, "ended", kind="bot", outcome=meaning))
    return events


CONNECTOR = Connector(
    name="dialogflow-cx",
    title="Dialogflow CX",
    family="self_service",
    delivery="live",
    ways=("webhook",),
    kinds={"fulfillment": "self_service.started at a session's first; by its tag contact.handed_over or self_service.ended"},
    ignored={},
    read=json_records,
    kind=_kind,
    translate=_translate,
    reports={"transfer": ""},
    personal=(
        "text",
        "transcript",
        "triggerIntent",
        "triggerEvent",
        "dtmfDigits",
        "payload",
        "messages",
        "sentimentAnalysisResult",
        "sessionInfo",
        "intentInfo.parameters",
        "pageInfo.formInfo",
        "languageInfo",
    ),
    answers=Answers(within_seconds=4.0, empty=True),
    verification=Verification(kind="token", header="X-Webhook-Token"),
    settings=(
        Setting(name="tags", meaning="Tag of a fulfillment → started, handed_over, confirmed_solved, left or nothing", default=_TAGS),
        Setting(
            name="contact",
            meaning="The session parameter with the id of the conversation; without it that of the session",
            default="contact_id",
        ),
        Setting(name="categories", meaning="Display name of an intent → category, for what customers ask about", default={}),
        SESSION_IDS,
    ),
    guessed=("The structure of the request is from memory of the vendor's reference.",),
)
