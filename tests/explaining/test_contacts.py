"""The contacts behind figures of a morning made by hand: when, how long they waited, what became of them; all expectations by hand."""

from __future__ import annotations

from typing import Any

import orjson
import yaml

from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.explaining import PartitionLog, Question, contacts_behind, explain
from tests.explaining.hour import CONFIGURATION, EVENTS

QUEUE = "support 窓口"
AT_MS = parse_time_ms("2026-03-02T09:05:00Z")


def behind(kpi: str, window: str, *, waiting: bool = False) -> list[tuple[Any, ...]]:
    """Return id, source, parts, when it came, the seconds it waited, and what became of it."""
    configuration = Configuration.model_validate(yaml.safe_load(CONFIGURATION))
    question = Question.of([], configuration, queue=QUEUE, kpi=kpi, window=window, at_ms=AT_MS)
    log = PartitionLog(configuration, question.until_ms)
    for offset, event in enumerate(EVENTS):
        log.take(orjson.dumps(event), offset, parse_time_ms(event["received_at"]))
    logs = {0: log}
    begin_ms = parse_time_ms("2026-03-02T09:00:00Z")
    return [
        (
            each.conversation_id,
            each.source,
            each.parts,
            ((each.entered_ms or 0) - begin_ms) / 1000,
            (each.waited_ms or 0) / 1000,
            each.outcome,
        )
        for each in contacts_behind(explain(question, configuration, logs), logs, waiting=waiting)
    ]


def test_abandoned_first_then_the_latest() -> None:
    """Of the day all five of the queue, who still waits too; nothing of the other queue."""
    assert behind("offered", "day") == [
        ("gone", "pbx", ("counted",), 60, 12, "abandoned"),
        ("here", "pbx", ("counted",), 180, 0, "waiting"),
        ("back", "pbx", ("counted",), 120, 0, "callback"),
        ("late", "pbx", ("counted",), 5, 30, "answered"),
        ("met", "pbx", ("counted",), 0, 10, "answered"),
    ]


def test_a_figure_has_its_own_contacts_alone() -> None:
    """Of the abandoned the one; of the service level each with its part."""
    assert [each[0] for each in behind("abandoned", "trailing_5m")] == ["gone"]
    assert [(each[0], each[2], each[5]) for each in behind("service_level", "day")] == [
        ("gone", ("abandoned_missed",), "abandoned"),
        ("here", ("undecided",), "waiting"),
        ("back", ("flow_out_callback_not_counted",), "callback"),
        ("late", ("answered_missed",), "answered"),
        ("met", ("answered_met",), "answered"),
    ]


def test_who_waits_now() -> None:
    """At 09:05 one has waited for two minutes."""
    assert behind("offered", "trailing_15m", waiting=True) == [("here", "pbx", ("waiting",), 180, 120, "waiting")]
