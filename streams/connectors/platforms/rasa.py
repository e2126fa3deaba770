"""Rasa: the events of its event broker, as JSON lines of a file or a Kafka topic, in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.connectors.kit.fields import Fields
from streams.connectors.kit.model import Connector, Context, Draft, Record, Setting
from streams.connectors.kit.reading import json_records
from streams.connectors.kit.sessions import SESSION_IDS, Session, categories_of, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_HANDOVER_ACTIONS: Final = ("action_handoff", "action_human_handoff", "action_handover")
_OF_THE_BOT: Final = "internal to the bot: no figure depends on it"


def _translate(record: Record, context: Context) -> Iterable[Draft]:
    fields = Fields(record.content)
    kind, at, sender = fields.need("event"), fields.need_time("timestamp"), fields.need("sender_id")
    session = Session(context, connector="rasa", identity=sender)
    # The bot's own clock and the kind distinguish the events of a sender; a repeated line has the same of both.
    event_key = f"{kind}\0{fields.number('timestamp')}\0{fields.text('name') or ''}"
    if kind == "session_started":
        return [session.event("self_service.started", at, event_key, kind="bot")]
    if kind in {"restart", "session_ended"}:
        return [session.event("self_service.ended", at, event_key, kind="bot", outcome="left")]
    if kind == "pause":
        return [session.event("contact.handed_over", at, event_key)]
    if kind == "action":
        name = fields.text("name") or ""
        if name in names_of(context, "handover_actions", _HANDOVER_ACTIONS):
            return [session.event("contact.handed_over", at, event_key)]
        if name in names_of(context, "solved_actions"):
            return [session.event("self_service.ended", at, event_key, kind="bot", outcome="confirmed_solved")]
        return []
    category = categories_of(context).get(fields.text("parse_data.intent.name") or "")
    return [] if category is None else [session.event("contact.categorized", at, event_key, category=category)]


CONNECTOR = Connector(
    name="rasa",
    title="Rasa",
    family="self_service",
    # The topic retains events while no connector reads it.
    delivery="journal",
    ways=("kafka", "file", "webhook"),
    kinds={
        "session_started": "self_service.started",
        "session_ended": "self_service.ended: left",
        "restart": "self_service.ended: left",
        "pause": "contact.handed_over",
        "action": "contact.handed_over for `handover_actions`, self_service.ended: confirmed_solved for `solved_actions`; others nothing",
        "user": "contact.categorized where `categories` has its intent; its text is not read",
    },
    ignored={
        "bot": "a message of the bot: no figure depends on it",
        "resume": "the bot continues after an agent: the session was handed over",
        **dict.fromkeys(
            (
                "action_execution_rejected",
                "active_loop",
                "cancel_reminder",
                "cancel_unfeaturized_reminder",
                "dialogue_stack_updated",
                "entities",
                "export",
                "flow_cancelled",
                "flow_completed",
                "flow_interrupted",
                "flow_resumed",
                "flow_started",
                "followup",
                "form",
                "form_validation",
                "internal",
                "loop_interrupted",
                "redo",
                "reminder",
                "reset_slots",
                "rewind",
                "slot",
                "undo",
                "user_featurization",
            ),
            _OF_THE_BOT,
        ),
        "agent": "a message of an agent while the bot pauses: the desk reports it",
    },
    read=json_records,
    kind=lambda record: Fields(record.content).need("event"),
    translate=_translate,
    reports={"transfer": ""},
    personal=("sender_id", "text", "data", "metadata", "parse_data", "value", "input_channel", "message_id", "entities", "key"),
    settings=(
        Setting(name="handover_actions", meaning="Actions that hand the customer over to agents", default=list(_HANDOVER_ACTIONS)),
        Setting(name="solved_actions", meaning="Actions that run when the customer confirms that all is solved", default=[]),
        Setting(name="categories", meaning="Intent → category, for what customers ask about", default={}),
        SESSION_IDS,
        Setting(name="bootstrap", meaning="Address of the Kafka of the event broker, host:port", default=""),
        Setting(name="topic", meaning="Its topic", default="rasa_events"),
        Setting(name="security_protocol", meaning="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", default="PLAINTEXT"),
        Setting(name="sasl_mechanism", meaning="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", default=""),
    ),
    credentials=(
        Setting(name="username", meaning="Of a user of that Kafka who may read the topic"),
        Setting(name="password", meaning="Of the same user"),
    ),
    guessed=("Which events newer versions add.",),
)
