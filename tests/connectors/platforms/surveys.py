"""Translate fixtures of survey tools, and compute the figures of the two tickets that the answers are about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from streams.configuration import Configuration
from streams.connectors.kit.model import Context
from streams.connectors.kit.translating import translate
from streams.connectors.platforms import connector
from streams.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.connectors.kit.translating import Translated

NOW = datetime(2026, 4, 8, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")

FORM = {"questions": {"How was it?": "csat 1-5", "Would you tell a friend?": "nps"}, "contact": "Case"}
FORM_JA = {"questions": {"対応の満足度": "csat 1-5", "すすめたいか": "nps 0-10"}, "contact": "受付番号"}
SCORES = {f"410{score}": score for score in range(1, 6)}

#: Connector, file, settings: each has answers 5 and 10 about ticket T-100, and 2 and 3 about T-200.
ANSWERS: list[tuple[str, str, dict[str, Any]]] = [
    ("typeform", "webhook.jsonl", {}),
    ("delighted", "webhook.jsonl", {}),
    ("surveymonkey", "responses.json", {"questions": {"8801": {"kind": "csat", "scale": "1-5", "scores": SCORES}, "8802": "nps"}}),
    ("qualtrics", "responses.json", {"questions": {"QID1": "csat", "QID2": "nps 0-10"}}),
    ("google-forms", "answers.ja.csv", FORM_JA),
    ("google-forms", "answers.en.csv", FORM),
    ("microsoft-forms", "answers.csv", FORM),
]

#: Personal values of the fixtures: none of them may pass.
PERSONAL = ("private", "anna ", "anna.", "杏奈", "example.net", "198.51.100", "49155", "example/r/")


def translated(name: str, body: bytes, settings: dict[str, Any] | None = None, *, now: datetime = NOW) -> Translated:
    """Return the translation of a body; times without an offset are Tokyo's."""
    context = Context(source=name, zone=TOKYO, customer_key=lambda identity: f"v1:{len(identity)}", settings=settings or {})
    return translate(connector(name), body, context, origin=f"hooks/{name}", now=now)


def scores_of(done: Translated) -> list[tuple[str, str, float, str | None]]:
    """Return conversation, kind, score and scale of each answer, in order of the conversation."""
    return sorted((e.conversation_id, e.kind, e.score, e.scale) for e in done.events)  # type: ignore[attr-defined]


def tickets(*ids: str, day: str = "2026-04-07", hour: int = 7) -> list[bytes]:
    """Return two tickets of a desk, resolved before they are asked about."""
    lines = []
    for number, ticket in enumerate(ids):
        common = {"source": "desk", "conversation_id": ticket}
        steps: list[tuple[str, dict[str, Any]]] = [
            ("contact.arrived", {"channel": "ticket"}),
            ("contact.queued", {"queue": "support", "channel": "ticket"}),
            ("contact.message", {"author_kind": "agent", "agent": "A", "public": True}),
            ("contact.status_changed", {"status": "resolved"}),
        ]
        for minute, (type_, more) in enumerate(steps):
            at = f"{day}T{hour:02}:{minute + 10 * number:02}:00Z"
            lines.append(
                orjson.dumps({"type": type_, "event_id": f"{ticket}-{minute}", "occurred_at": at, "received_at": at, **common, **more})
            )
    return lines


def figures(events: Iterable[Any], *, of: Iterable[bytes]) -> dict[str, Any]:
    """Return the figures of ``total`` when answers and the tickets they are about are counted together."""
    replay = Replay(Configuration.model_validate({"joined_sources": [["*"]]}))
    for line in of:
        replay.add(line, "contact")
    for event in events:
        replay.add(event.model_dump_json(exclude_none=True).encode(), "contact")
    result = replay.finish()
    assert result["dead_letters"] == []
    totals: dict[str, Any] = result["totals"]
    return totals
