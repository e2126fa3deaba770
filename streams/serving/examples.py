"""Examples for the API documents: records of a small center, and answers composed of them."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["EXAMPLES", "example_of"]

_SCOPED: Final = {
    "scope_kind": "queue",
    "scope": "sales",
    "channel": "voice",
    "as_of": "2026-04-01T09:00:00.000Z",
    "complete_through": "2026-04-01T08:59:55.000Z",
    "revision": 7,
}
_LEVEL: Final = {"value": 0.74, "numerator": 37, "denominator": 50, "coverage": 1}
_WINDOW: Final = {
    **_SCOPED,
    "kind": "window",
    "window": "trailing_15m",
    "window_start": "2026-04-01T08:45:00.000Z",
    "window_end": "2026-04-01T09:00:00.000Z",
    "final": False,
    "late_events": 0,
    "definitions": {"service_level": "service_level@1"},
    "kpis": {"offered": {"value": 52, "numerator": 52, "denominator": None, "coverage": None}, "service_level": _LEVEL},
    "counts": {"offered": 52, "answered": 45},
}

_ALERT: Final = {
    "kind": "alert",
    "alert_id": "3f0c9e4f",
    "rule": "low-service-level",
    "severity": "critical",
    "scope_kind": "queue",
    "scope": "sales",
    "channel": "voice",
    "state": "firing",
    "since": "2026-04-01T08:54:00.000Z",
    "fired_at": "2026-04-01T08:55:00.000Z",
    "kpi": "service_level_live",
    "window": "trailing_15m",
    "value": 0.62,
    "numerator": 31,
    "denominator": 50,
    "below": 0.8,
    "clear_at": 0.8,
    "minimum_contacts": 10,
    "for_seconds": 60,
    "clear_for_seconds": 60,
    "definition": "service_level@1",
    "as_of": "2026-04-01T08:55:00.000Z",
    "revision": 2,
}

#: Component → its example. Other examples are composed of these.
EXAMPLES: Final[dict[str, Any]] = {
    "Acknowledgement": {
        "kind": "acknowledged",
        "revision": 1,
        "alert_id": "3f0c9e4f",
        "rule": "low-service-level",
        "scope_kind": "queue",
        "scope": "sales",
        "channel": "voice",
        "by": {"kind": "user", "name": "tanaka"},
        "at": "2026-04-01T09:00:00.000Z",
        "note": None,
    },
    "Silence": {
        "kind": "silence",
        "revision": 1,
        "silence_id": "9a3b",
        "rule": "low-service-level",
        "scope": "queue:sales",
        "until": "2026-04-01T10:00:00.000Z",
        "reason": "fire drill",
        "by": {"kind": "user", "name": "tanaka"},
        "at": "2026-04-01T09:00:00.000Z",
    },
    "Actor": {"kind": "user", "name": "tanaka"},
    "SilenceBody": {"rule": "low-service-level", "scope": "queue:sales", "until": "2026-04-01T10:00:00.000Z", "reason": "fire drill"},
    "FigureValue": _LEVEL,
    "WindowFigures": _WINDOW,
    "NowFigures": {
        **_SCOPED,
        "kind": "now",
        "waiting": 2,
        "waiting_since": "2026-04-01T08:58:48.000Z",
        "longest_wait_seconds": 72,
        "in_progress": 6,
        "waiting_past_threshold": 2,
    },
    "ProgressFigures": {
        "kind": "progress",
        "pane_partition": 0,
        "as_of": "2026-04-01T09:00:00.000Z",
        "complete_through": "2026-04-01T08:59:55.000Z",
        "stale_sources": [],
        "sources": {"pbx": "2026-04-01T09:00:00.000Z"},
        "beyond_limits": {},
        "revision": 7,
    },
    "DefinitionFigures": {
        "kind": "definition",
        "name": "service_level",
        "version": 1,
        "effective_from": None,
        "known_since": None,
        "content": {"threshold_seconds": 20},
        "revision": 1,
    },
    "ServedAlert": _ALERT,
    "PastAlertAnswer": {
        **_ALERT,
        "state": "cleared",
        "cleared_at": "2026-04-01T09:00:00.000Z",
        "cleared_because": "recovered",
        "value": 0.81,
        "as_of": "2026-04-01T09:00:00.000Z",
        "revision": 3,
        "duration_seconds": 360.0,
        "events": [
            {"event": "fired", "at": "2026-04-01T08:55:00.000Z", "value": 0.62},
            {"event": "delivered", "at": "2026-04-01T08:55:06.000Z", "of": "fired", "receiver": "floor"},
            {"event": "acknowledged", "at": "2026-04-01T08:57:00.000Z", "by": {"kind": "user", "name": "tanaka"}, "note": None},
            {"event": "cleared", "at": "2026-04-01T09:00:00.000Z", "because": "recovered", "value": 0.81},
        ],
    },
    "AgentFigures": {
        **_WINDOW,
        "scope_kind": "agent",
        "scope": "tanaka",
        "channel": None,
        "window": "day",
        "window_start": "2026-03-31T15:00:00.000Z",
        "window_end": "2026-04-01T15:00:00.000Z",
        "definitions": {},
        "kpis": {"occupancy": {"value": 0.75, "numerator": 900, "denominator": 1200, "coverage": 1}},
        "counts": {"handling_ms": 900_000},
    },
    "TargetStanding": {
        "kpi": "service_level",
        "scope_kind": "queue",
        "scope": "sales",
        "channel": None,
        "window": "day",
        "of_queue": True,
        "unit": "ratio",
        "direction": "up",
        "target": 0.8,
        "stretch": None,
        "low": None,
        "high": None,
        "start_value": None,
        "start_date": None,
        "due": None,
        "figure": _LEVEL,
        "window_start": "2026-03-31T15:00:00.000Z",
        "provisional": True,
        "attainment": {"value": 0.925, "numerator": 0.74, "denominator": 0.8, "coverage": 1},
        "standing": "missed",
        "met": False,
        "stretch_met": None,
        "margin": -0.06,
        "progress": None,
    },
    "Interval": {
        "start": "2026-04-01T08:45:00.000Z",
        "end": "2026-04-01T09:00:00.000Z",
        "final": False,
        "offered": 52,
        "service_level": 0.74,
        "denominator": 50,
        "exceptions": [],
    },
    "QueueInterval": {
        "start": "2026-04-01T08:30:00.000Z",
        "end": "2026-04-01T08:45:00.000Z",
        "final": True,
        "exceptions": [],
        "offered": 52,
        "answered": 45,
        "abandoned": 5,
        "handled": 44,
        "answer_rate": {"value": 0.9, "numerator": 45, "denominator": 50, "coverage": 1},
        "service_level": _LEVEL,
        "asa_seconds": 18.4,
        "aht_seconds": 225,
        "workload_agents": 11,
        "staff_required": 13,
    },
    "WaitBucket": {"up_to_seconds": 20, "answered": 12, "abandoned": 1},
    "StaffInterval": {"start": "2026-04-01T08:30:00.000Z", "end": "2026-04-01T08:45:00.000Z", "actual": 12.5, "scheduled": 14},
    "ScopeDay": {
        "scope_kind": "queue",
        "scope": "sales",
        "channel": "voice",
        "start": "2026-03-31T15:00:00.000Z",
        "end": "2026-04-01T15:00:00.000Z",
        "offered": 52,
        "answered": 45,
        "abandoned": 5,
        "handled": 44,
        "answer_rate": {"value": 0.9, "numerator": 45, "denominator": 50, "coverage": 1},
        "abandon_rate": {"value": 0.1, "numerator": 5, "denominator": 50, "coverage": 1},
        "service_level": _LEVEL,
        "asa": {"value": 18.4, "numerator": 828, "denominator": 45, "coverage": 1},
        "aht": {"value": 233.2, "numerator": 9328, "denominator": 40, "coverage": 0.9},
        "threshold_seconds": 20,
        "target": 0.8,
        "met": False,
        "contacts_to_restore": 15,
        "contacts_to_spare": 0,
        "events_uncounted": {"no_begin": 2},
        "coverage": {"aht": 0.9},
    },
    "SourceHealth": {
        "source": "pbx",
        "code": "heard",
        "last_seen": "2026-04-01T09:00:00.000Z",
        "stale": False,
        "silent_seconds": 1,
        "feeds": ["queue:sales"],
        "text_en": "pbx was last seen at 09:00:00, 1 s ago: its events are counted.",
        "text_ja": "pbx：最終受信 09:00:00（1秒前）。受信分は集計されています。",
    },
    "DeadLetterTopic": {"last_hour": 0, "last_day": 2, "held": 4},
    "ReadyAnswer": {"status": "ready", "connected": True, "stale": False, "code": "ok", "since": None},
    "SourceStanding": {"last_seen": "2026-04-01T09:00:00.000Z", "stale": False},
    "AuditRecord": {
        "kind": "audit",
        "audit_id": "5f1d0c",
        "at": "2026-04-01T09:00:00.000Z",
        "action": "looked_at_agents",
        "outcome": "done",
        "actor": {"kind": "user", "name": "tanaka"},
        "client_address": "192.0.2.7",
        "about": {"endpoint": "GET /api/v1/agents"},
        "times": 1,
        "instance": "serve-1",
    },
    "CountDifference": {"contacts": 51, "served": 52},
    "OpenApiDocument": {"openapi": "3.1.0", "info": {"title": "Contact Streams", "version": "1"}},
}

_OF_TYPES: Final[dict[str, Any]] = {"string": "…", "integer": 0, "number": 0.0, "boolean": False, "null": None}
#: The key in an example of a map, where its field has none.
_NAME: Final = "sales"


def example_of(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return an example of a schema, composed of its own and its parts' examples; ``schemas`` are the components by name."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    for key in ("const", "enum", "anyOf", "oneOf"):
        if key in schema:
            value = schema[key]
            return value if key == "const" else value[0] if key == "enum" else example_of(value[0], schemas)
    kind = schema.get("type")
    if kind == "array":
        return [example_of(schema["items"], schemas)]
    if kind == "object":
        required = schema.get("required", ())
        if "properties" in schema:
            return {name: example_of(part, schemas) for name, part in schema["properties"].items() if name in required}
        more = schema.get("additionalProperties")
        return {_NAME: example_of(more, schemas)} if isinstance(more, dict) else {}
    return _OF_TYPES[kind or "null"]
