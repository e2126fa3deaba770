"""The contacts behind figures of a morning made by hand: when, how long they waited, what became of them; all expectations by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml

from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.explaining import PartitionLog, Question, QuestionError, contacts_behind, explain
from tests.explaining.hour import CONFIGURATION, EVENTS, event

if TYPE_CHECKING:
    from collections.abc import Sequence

QUEUE = "support 窓口"
AT_MS = parse_time_ms("2026-03-02T09:05:00Z")


def behind(
    kpi: str, window: str, *, waiting: bool = False, label: str | None = None, more: Sequence[dict[str, Any]] = ()
) -> list[tuple[Any, ...]]:
    """Return id, source, parts, when it came, the seconds it waited, and what became of it."""
    configuration = Configuration.model_validate(yaml.safe_load(CONFIGURATION))
    question = Question.of([], configuration, queue=QUEUE, kpi=kpi, window=window, at_ms=AT_MS)
    log = PartitionLog(configuration, question.until_ms)
    for offset, record in enumerate([*EVENTS, *more]):
        log.take(orjson.dumps(record), offset, parse_time_ms(record["received_at"]))
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
        for each in contacts_behind(explain(question, configuration, logs), logs, waiting=waiting, label=label)
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


def test_of_one_category() -> None:
    """Two complain of the bill and one of nothing that is named; one thanks for the bill, in a text that another one has too."""
    surveys = [
        event("contact.categorized", "09:04:00", "met", category="bill", complaint=True),
        event("contact.categorized", "09:04:00", "late", complaint=True),
        event("contact.categorized", "09:04:10", "gone", category="power"),
        event("contact.categorized", "09:04:20", "gone", category="bill", complaint=True),
        event("contact.categorized", "09:04:00", "back", category="bill"),
        event("contact.message", "09:02:10", "back", author_kind="customer", thanks=True),
        event("contact.message", "09:01:05", "gone", author_kind="customer", thanks=False),
    ]

    def ids(kpi: str, label: str | None) -> set[str]:
        return {each[0] for each in behind(kpi, "day", label=label, more=surveys)}

    assert ids("complaints", None) == {"met", "late", "gone"}
    assert ids("complaints", "bill") == {"met", "gone"}
    assert ids("complaints", "") == {"late"}
    assert ids("complaints", "power") == set()
    assert (ids("gratitude_rate", None), ids("gratitude_rate", "bill"), ids("gratitude_rate", "")) == ({"back", "gone"}, {"back"}, set())
    assert ids("contacts_by_category", "bill") == {"met", "gone", "back"}
    with pytest.raises(QuestionError, match=r"'offered' is not counted by label; permitted with label: .*complaints"):
        behind("offered", "day", label="bill")


@pytest.mark.parametrize("scope", ["total:all", "department:care"])
def test_of_several_queues_each_contact_names_its_own(scope: str) -> None:
    """All six of the morning, the one of the other queue among them; who waits is found of all together too."""
    configuration = Configuration.model_validate(yaml.safe_load(CONFIGURATION))

    def found(window: str, *, waiting: bool) -> list[tuple[Any, ...]]:
        question = Question.of([], configuration, scope=scope, channel="voice", kpi="offered", window=window, at_ms=AT_MS)
        log = PartitionLog(configuration, question.until_ms)
        for offset, each in enumerate(EVENTS):
            log.take(orjson.dumps(each), offset, parse_time_ms(each["received_at"]))
        answer = explain(question, configuration, {0: log})
        contacts = contacts_behind(answer, {0: log}, waiting=waiting, belongs=lambda name: scope in configuration.scopes_of_queue(name))
        return [(contact.conversation_id, contact.queue, contact.outcome) for contact in contacts]

    assert found("day", waiting=False) == [
        ("gone", QUEUE, "abandoned"),
        ("elsewhere", "other", "answered"),
        ("here", QUEUE, "waiting"),
        ("back", QUEUE, "callback"),
        ("late", QUEUE, "answered"),
        ("met", QUEUE, "answered"),
    ]
    assert found("trailing_15m", waiting=True) == [("here", QUEUE, "waiting")]


def test_a_scope_that_there_is_not() -> None:
    """The error names it."""
    with pytest.raises(QuestionError, match="nothing is known of site:nowhere"):
        Question.of([], Configuration(), scope="site:nowhere", kpi="offered", at_ms=AT_MS)
