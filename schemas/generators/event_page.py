"""Writes `docs/events.md`: every kind of event with its fields, in tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from schemas.agent import AgentModel
from schemas.base import MAX_SECONDS, Event
from schemas.contact import ContactModel
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS
from schemas.generators.json_schema import kind_of
from schemas.limits import (
    MAX_AHEAD_MS,
    MAX_COMPLETE_AHEAD_MS,
    MAX_FACTS,
    MAX_FORECASTS,
    MAX_PLANS,
    MAX_RECORD_BYTES,
    MAX_SOURCES,
    TOO_MANY_EVENTS,
    TOO_MANY_SOURCES,
)
from schemas.operator import OPERATOR_KINDS, OperatorModel
from schemas.other import CustomerModel, SourceHeartbeat, SourceSnapshot
from schemas.rejection import REJECT_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["event_page"]

#: A call from its beginning to its end, as it is published; `replay` counts it.
_SAMPLE: tuple[dict[str, Any], ...] = (
    {"type": "contact.queued", "occurred_at": "2026-03-02T09:00:00Z", "queue": "support", "channel": "voice"},
    {"type": "contact.answered", "occurred_at": "2026-03-02T09:00:12Z", "agent": "ada", "reports": ["hold", "wrap_up"]},
    {"type": "contact.held", "occurred_at": "2026-03-02T09:01:00Z"},
    {"type": "contact.resumed", "occurred_at": "2026-03-02T09:01:30Z"},
    {"type": "contact.ended", "occurred_at": "2026-03-02T09:04:12Z", "by": "customer"},
    {"type": "contact.wrapped_up", "occurred_at": "2026-03-02T09:04:42Z", "agent": "ada"},
)

_SOURCE_KINDS: tuple[type[Event], ...] = (SourceHeartbeat, SourceSnapshot)

_INTRODUCTION = f"""<!-- Written by `python -m schemas.generate` from the models in `schemas/`: change those. -->

# Events

What connectors publish and the engine counts. A record's value is one JSON object in UTF-8; its `type` is one of the kinds below.
JSON Schemas of every kind are in `schemas/json/events/`, of every topic in `schemas/json/topics/`.

## Rules

- **Unknown stays unknown.** A field that a platform does not report is absent (or null, which means the same); it is never guessed.
- **Only additions.** Readers ignore fields that they do not know. Within `v1` a new field is optional; any other change makes a new topic.
- **Times** are RFC 3339 text with a capital `T` and with `Z` or an offset: `2026-08-06T12:34:56.789Z`.
  A fraction has 1 to 9 digits; what is finer than a millisecond is cut off. Numbers are no times.
- **Durations** are seconds, from 0 to ten years, and may have a fraction.
- **Texts** hold no control characters and are not blank; white space at their ends is removed. Lengths are in characters.
- **Types are strict**: a number is no text and `"1"` is no number.
- **A record has at most {MAX_RECORD_BYTES // 1024} KiB.** `occurred_at` is not before the year 2000 (`time_too_old`)
  and at most {MAX_AHEAD_MS // 60_000} minutes after `received_at`; both are at most {MAX_AHEAD_MS // 60_000} minutes after the broker
  appended the record (`time_in_future`).
- **No sender moves time beyond the append.** A later receipt, by a clock that is ahead, counts as the time of the append.
  A heartbeat whose `complete_through` is more than {MAX_COMPLETE_AHEAD_MS // 1000} seconds after its `received_at` is refused
  (`complete_through_in_future`).
- **An id is that of one conversation, or one person.** At most {MAX_FACTS:,} events of a conversation are counted. Of a person at most
  {MAX_FACTS:,} events in the few minutes in which they may still change something, and {MAX_PLANS:,} plans.
  Of a queue and channel at most {MAX_FORECASTS:,} forecasts that have not passed. Events beyond these become
  dead letters (`{TOO_MANY_EVENTS}`).
- **A source is a system**: a partition accepts at most {MAX_SOURCES} (`{TOO_MANY_SOURCES}`).
- **A record that breaks a rule becomes a dead letter** with one of the reasons {", ".join(f"`{reason}`" for reason in REJECT_REASONS)}.

A *conversation* is one customer's matter; a *contact* is what the platform gives an id; a *visit* is one stay in one queue.
Contact ids stay the platform's own; of customers only keyed hashes are published.
"""

_SOURCES = """## Sources

A connector publishes these to every partition of `contact-events.v1` and `agent-events.v1`: they distinguish a quiet night from a dead
feed.
"""


_ORDERS = """## Orders

Not events, though in the same topics: `contact-streams` writes these to every partition of the topics of events for an operator,
and workers carry them out. Connectors do not accept them. Each carries, beside its `type`:
"""


def _content(schema: dict[str, Any]) -> str:
    """Return what a field may hold, from its JSON Schema."""
    if "anyOf" in schema:
        return " or ".join(_content(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    match schema.get("type"):
        case "string" if schema.get("format") == "date-time":
            return "time"
        case "string":
            low, high = schema["minLength"], schema["maxLength"]
            return f"text of {high}" if low == high else f"text, {low}–{high}"
        case "number" if schema.get("maximum") == MAX_SECONDS:
            return "seconds"
        case "number":
            return f"number from {schema['minimum']:g} to {schema['maximum']:g}"
        case "integer":
            return f"whole number from {schema['minimum']} to {schema['maximum']}"
        case "boolean":
            return "true or false"
        case "array":
            return f"list of at most {schema['maxItems']}: {_content(schema['items'])}"
    raise TypeError(f"no text for {schema!r}")


def _table(model: type[BaseModel], skipped: Iterable[str]) -> str:
    """Return the table of the fields of a model but those `skipped`."""
    schema = TypeAdapter(model).json_schema(by_alias=True)
    required = schema.get("required", [])
    rows = [
        f"| `{name}` | {_content(entry)} | {'yes' if name in required else ''} | {' '.join(entry.get('description', '').split())} |"
        for name, entry in schema["properties"].items()
        if name not in {*skipped, "type"}
    ]
    if not rows:
        return "No fields of its own."
    return "\n".join(["| field | holds | required | meaning |", "| --- | --- | --- | --- |", *rows])


def _kind(model: type[Event], base: type[Event]) -> str:
    return f"### {kind_of(model)}\n\n{(model.__doc__ or '').strip()}\n\n{_table(model, base.model_fields)}\n"


def _order(name: str, model: type[OperatorModel]) -> str:
    return f"### {name}\n\n{(model.__doc__ or '').strip()}\n\n{_table(model, OperatorModel.model_fields)}\n"


def _section(title: str, text: str, base: type[Event], models: Iterable[type[Event]]) -> str:
    """Return one topic's section: its text, the fields its kinds share, and the kinds."""
    parts = [f"## {title}\n\n{text}\n"]
    if base is not Event:
        parts.append(f"Each carries, beside the common fields:\n\n{_table(base, Event.model_fields)}\n")
    parts += [_kind(model, base) for model in models if model not in _SOURCE_KINDS]
    return "\n".join(parts)


def _sample() -> str:
    """Return the section with a call as published events."""
    lines = []
    for number, sample in enumerate(_SAMPLE, 1):
        event = {
            **sample,
            "received_at": sample["occurred_at"],
            "event_id": f"call-7-{number}",
            "source": "pbx-osaka",
            "conversation_id": "call-7",
        }
        lines.append(json.dumps({"event_id": event.pop("event_id"), **event}))
    return (
        "## A sample\n\nA call of which everything is known, one event a line. Save it as `call.jsonl`, and "
        "`contact-streams replay --connector canonical call.jsonl` counts it:\n"
        "offered 1, answered 1 after 12 s, 210 s of talk, 30 s on hold, 30 s of wrap-up. The gateway accepts the same lines "
        "([docs/connectors.md](connectors.md)).\n\n```json\n" + "\n".join(lines) + "\n```\n"
    )


def event_page() -> str:
    """Return the text of `docs/events.md`."""
    customer_kinds = [model for model in CUSTOMER_KINDS if issubclass(model, CustomerModel)]
    forecast_kinds = [model for model in CUSTOMER_KINDS if not issubclass(model, CustomerModel | SourceHeartbeat | SourceSnapshot)]
    sections = [
        _INTRODUCTION,
        _sample(),
        f"## Common fields\n\n{_table(Event, ())}\n",
        _section("Contact events", "Topic `contact-events.v1`, keyed by `conversation_id`.", ContactModel, CONTACT_KINDS),
        _section("Agent events", "Topic `agent-events.v1`, keyed by `person_id`.", AgentModel, AGENT_KINDS),
        _section("Customer events", "Topic `customer-events.v1`, keyed by `customer_key`.", CustomerModel, customer_kinds),
        _section("Forecasts", "Topic `customer-events.v1`, keyed by `queue`.", Event, forecast_kinds),
        _SOURCES,
        *(_kind(model, Event) for model in _SOURCE_KINDS),
        f"{_ORDERS}\n{_table(OperatorModel, ())}\n",
        *(_order(name, model) for name, model in OPERATOR_KINDS.items()),
    ]
    return "\n".join(sections)
