"""On a simulated hour the contacts behind every figure make exactly that figure, as the stages count it and as the oracle does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from schemas.events import parse_agent_event, parse_contact_event
from streams.configuration import load_configuration
from streams.demo.simulator.load import load_events
from streams.explaining import PartitionLog, Question, explain
from streams.replay import Replay
from tests.oracle.recount import Recount, recount
from tests.support.product import CONFIGURATION
from tests.support.product_load import final_ms

if TYPE_CHECKING:
    from streams.configuration import Configuration

SEED, EVENTS, PARTITIONS = 5, 2_500, 3
FAR = 253_402_300_799_000

#: KPIs of each kind: a level, a rate, a count, a mean.
KPIS = ("service_level", "abandon_rate", "offered", "aht")

#: Sums that the pipeline and the oracle have under the same names.
SUMS = (
    "offered",
    "answered",
    "abandoned",
    "handled",
    "answered_wait_ms",
    "talk_ms",
    "wrap_ms",
    "hold_ms",
    "transfers_out",
    "lost_contacts",
)


class Hour:
    """The hour counted as a whole, by conversation, and by the oracle."""

    def __init__(self) -> None:
        self.configuration: Configuration = load_configuration(CONFIGURATION)
        emissions = list(load_events(EVENTS, SEED, rate=1))
        self.final_ms = final_ms(emissions[-1])
        self.replay = Replay(self.configuration)
        self.logs = {number: PartitionLog(self.configuration, self.final_ms) for number in range(PARTITIONS)}
        parsed = []
        for offset, each in enumerate(emissions):
            value = orjson.dumps(each.event)
            of_people = each.destination == "agent-events"
            parsed.append((parse_agent_event if of_people else parse_contact_event)(value))
            everywhere = each.destination == "every-partition"
            if of_people or everywhere:
                self.replay.add(value, "agent")
            if not of_people:
                self.replay.add(value, "contact")
                for number, log in self.logs.items():
                    if everywhere or number == sum(each.key.encode()) % PARTITIONS:
                        log.take(value, offset, FAR)
        self.replay.finish(self.final_ms)
        for log in self.logs.values():
            log.complete_all(self.final_ms)
        self.oracle: Recount = recount(parsed, self.configuration, self.final_ms, self.final_ms)


@pytest.fixture(scope="module")
def hour() -> Hour:
    """Count the hour once."""
    return Hour()


@pytest.mark.parametrize("window", ["trailing_15m", "interval_15m", "day"])
def test_contacts_make_the_figure(hour: Hour, window: str) -> None:
    """Of every queue: sums, figure and what was served are one, each amount is in one part, and the oracle counts the same."""
    contacts = 0
    for name, queue in hour.configuration.queues.items():
        assert queue.channel is not None
        for kpi in KPIS:
            question = Question.of(hour.replay.latest.values(), hour.configuration, queue=name, kpi=kpi, window=window)
            answer = explain(question, hour.configuration, hour.logs)
            assert answer.differences == {}, (name, kpi)
            assert answer.agrees is True, (name, kpi, answer.figure, question.served)
            if kpi == "service_level":
                start = None if window.startswith("trailing") else question.span.start_ms
                counted = hour.oracle.counts(f"queue:{name}", queue.channel, window, start)
                for field in SUMS:
                    assert answer.counts.get(field, 0) == counted.get(field, 0), field
                met = sum(each.amount for each in answer.parts if each.part.endswith("_met"))
                missed = sum(each.amount for each in answer.parts if each.part.endswith("_missed"))
                assert (met, met + missed) == (answer.figure["numerator"], answer.figure["denominator"])
                contacts += int(met + missed)
    assert contacts > 20


def test_what_is_missing_is_said(hour: Hour) -> None:
    """With a partition left out the contacts make another figure than the one served, and the counts that differ are named."""
    name = next(iter(hour.configuration.queues))
    question = Question.of(hour.replay.latest.values(), hour.configuration, queue=name, kpi="offered", window="day")
    answer = explain(question, hour.configuration, {0: hour.logs[0], 1: hour.logs[1]})

    assert answer.agrees is False
    assert answer.differences is not None
    mine, served = answer.differences["offered"]
    assert mine == answer.figure["value"]
    assert served == hour.oracle.counts(f"queue:{name}", "voice", "day")["offered"] > mine


def test_another_configuration_is_noticed(hour: Hour) -> None:
    """Equal counts of which another definition makes another figure: the worker counts with another configuration."""
    name = next(iter(hour.configuration.queues))
    level = hour.configuration.service_level.model_copy(update={"abandon": "handled_only", "threshold_s": 0.001})
    queue = hour.configuration.queues[name].model_copy(update={"service_level": level, "definitions": None})
    other = hour.configuration.model_copy(update={"queues": {**hour.configuration.queues, name: queue}})
    question = Question.of(hour.replay.latest.values(), other, queue=name, kpi="service_level", window="day")
    answer = explain(question, other, hour.logs)

    assert answer.differences == {}
    assert answer.agrees is False
