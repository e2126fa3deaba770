"""Typeform's deliveries, one per answered form."""

from __future__ import annotations

from typing import Any

import orjson

from streams.demo.formats.calls import uuid_of

__all__ = ["typeform_delivery"]


def typeform_delivery(event: dict[str, Any]) -> bytes:
    """Return Typeform's delivery of a ``survey.answered``; its hidden field has the id of the conversation."""
    kind: str = event["kind"]
    field = {"id": kind, "type": "opinion_scale", "ref": kind}
    sent = {
        "event_id": uuid_of("delivery", event["event_id"]),
        "event_type": "form_response",
        "form_response": {
            "form_id": "demo",
            "token": uuid_of("answer", event["event_id"]),
            "landed_at": event["occurred_at"],
            "submitted_at": event["occurred_at"],
            "hidden": {"contact_id": event["conversation_id"]},
            "definition": {"id": "demo", "title": "demo", "fields": [field]},
            "answers": [{"type": "number", "number": event["score"], "field": field}],
        },
    }
    return orjson.dumps(sent)
