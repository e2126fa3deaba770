"""Any chat bot that can send JSON: sessions that begin, are solved, end or go to agents; names of fields are settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting, UnusableError
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.sessions import SESSION_IDS, Session
from streams.connectors.kit.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable

_FIELDS: Final = {
    "event": "event",
    "session": "session",
    "id": "id",
    "time": "time",
    "category": "category",
    "queue": "queue",
    "bot": "bot",
}
_MEANINGS: Final = ("started", "categorized", "confirmed_solved", "left", "handed_over", "nothing")


def _table(context: Context, setting: str, permitted: Iterable[str] | None) -> dict[str, str]:
    table = context.settings.get(setting) or {}
    if not isinstance(table, dict) or (permitted is not None and not set(map(str, table.values())) <= set(permitted)):
        raise UnusableError("bad_setting", f"{setting}: a name a line" + (f", with one of {', '.join(permitted)}" if permitted else ""))
    return {str(name): str(meaning) for name, meaning in table.items()}


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content, context.zone)
    paths = {**_FIELDS, **_table(context, "fields", None)}
    event = fields.need(paths["event"])
    meaning = _table(context, "events", _MEANINGS).get(event, event)
    if meaning not in _MEANINGS:
        raise UnusableError("unknown_kind", f"{paths['event']}: one of {', '.join(_MEANINGS)}, or a text under events")
    at, category = fields.time(paths["time"]), fields.text(paths["category"])
    session = Session(context, connector="bot", identity=fields.need(paths["session"]))
    event_key = (
        fields.text(paths["id"]) or f"{meaning}\0{'' if at is None else at.isoformat()}\0{category if meaning == 'categorized' else ''}"
    )
    common: dict[str, Any] = {"started": {"kind": "bot", "category": category}, "categorized": {"category": category}}.get(meaning, {})
    if meaning == "nothing":
        return []
    if meaning == "categorized":
        fields.need(paths["category"])
        return [session.event("contact.categorized", at, event_key, **common)]
    if meaning == "started":
        return [session.event("self_service.started", at, event_key, **common)]
    if meaning == "handed_over":
        return [session.event("contact.handed_over", at, event_key, queue=fields.text(paths["queue"]), bot=fields.text(paths["bot"]))]
    return [session.event("self_service.ended", at, event_key, kind="bot", outcome=meaning)]


CONNECTOR = Connector(
    name="bot",
    title="Any chat bot",
    family="self_service",
    delivery="live",
    ways=("webhook", "file"),
    kinds={"event": "self_service.started, self_service.ended, contact.handed_over or contact.categorized, by its meaning"},
    ignored={},
    read=json_records,
    kind=lambda _record: "event",
    translate=_translate,
    reports={"transfer": ""},
    # The fields that a bot sends beside these are unknown: any may be personal.
    personal=("*",),
    verification=Verification(kind="token", header="Authorization", prefix="Bearer "),
    settings=(
        Setting(name="fields", meaning="Dotted paths of event, session, id, time, category, queue and bot", default=_FIELDS),
        Setting(name="events", meaning=f"The bot's own name of an event → one of {', '.join(_MEANINGS)}", default={}),
        SESSION_IDS,
    ),
)
