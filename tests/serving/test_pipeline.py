"""What a worker exports about itself: the lag of its partitions, and counters that begin with 0."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from streams.engine.health import Health, PartitionHealth
from streams.serving.pipeline import PipelineCollector
from streams.stages.counters import StageCounters

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LAG = "contact_center_consumer_lag_records"
DEAD = "contact_center_events_dead_lettered"


_TOO_MANY = (
    "too_many_events",
    "too_many_open_conversations",
    "too_many_out_of_order",
    "too_many_people",
    "too_many_sources",
    "ends_workers",
    "unreadable_batch",
)


def family(name: str, health: Health | None = None, counters: dict[str, StageCounters] | None = None) -> Metric:
    """Return one family of a worker's metrics."""
    return next(each for each in PipelineCollector(health or Health(), counters or {}).collect() if each.name == name)


def test_the_lag_is_from_the_last_flush_to_the_end() -> None:
    """Of each owned partition: its end less the committed offset; 0 where a flush went beyond the end that Kafka reported last."""
    health = Health(
        partitions={
            ("events", 0): PartitionHealth(7, 0, 0.5, end_offset=12),
            ("events", 1): PartitionHealth(9, 0, 0.5, end_offset=9),
            ("panes", 0): PartitionHealth(9, 0, 0.5, end_offset=6),
        },
        last_answer=monotonic(),
    )

    lags = {(sample.labels["topic"], sample.labels["partition"]): sample.value for sample in family(LAG, health).samples}
    assert lags == {("events", "0"): 5, ("events", "1"): 0, ("panes", "0"): 0}


def test_the_lag_is_unknown_without_kafka() -> None:
    """While Kafka does not answer its ends are unknown: no sample, rather than an old one."""
    partitions = {("events", 0): PartitionHealth(7, 0, 0.5, end_offset=12)}

    assert family(LAG, Health(partitions=partitions)).samples == []
    assert family(LAG, Health(partitions=partitions, last_answer=monotonic() - 3600)).samples == []


def test_overfull_customers_are_exported_by_their_owner() -> None:
    """The number in owned partitions of customers; not in those of other workers, or in revoked ones."""
    name, counters = "contact_center_customers_overfull", {"customers": StageCounters(overfull={0: 3, 1: 4, 2: 5})}
    owner = Health(partitions={("center.customer-facts.v2", number): PartitionHealth(0, 0, 0.5) for number in (0, 2, 3)})

    found = [family(name, health, of) for health, of in ((owner, counters), (Health(), counters), (owner, {}))]
    assert [(sample.labels, sample.value) for each in found for sample in each.samples] == [({}, 8), ({}, 0), ({}, 0)]


def test_quarantined_sources_are_exported_by_the_partitions_owner() -> None:
    """A sample a source, with the number of partitions; a worker that has taken over a partition exports it."""
    counters = {
        "track-contacts": StageCounters(quarantined={("events", 0): ("bot",), ("events", 1): ("bot", "fax"), ("events", 2): ("x",)})
    }
    health = Health(partitions={("events", number): PartitionHealth(0, 0, 0.5) for number in (0, 1)})

    found = family("contact_center_source_quarantined_partitions", health, counters).samples
    assert [(sample.labels, sample.value) for sample in found] == [
        ({"flow": "track-contacts", "source": "bot"}, 2),
        ({"flow": "track-contacts", "source": "fax"}, 1),
    ]


def test_dead_letters_of_every_reason_begin_with_0() -> None:
    """Prometheus sees no increase where a series begins, so every reason is there before its first dead letter."""
    counters = {"track-contacts": StageCounters(rejected={"invalid_json": 2, "of_tomorrow": 1}), "roll-up": StageCounters()}

    found = {(sample.labels["flow"], sample.labels["reason"]): sample.value for sample in family(DEAD, counters=counters).samples}
    none = ("empty", "too_large", "invalid_utf8", "unknown_type", "missing_field", "wrong_type", "invalid_value")
    times = ("time_too_old", "time_in_future", "complete_through_in_future")
    assert found == {
        **{("track-contacts", reason): 0 for reason in (*none, *times, *_TOO_MANY, "source_quarantined")},
        ("track-contacts", "invalid_json"): 2,
        ("track-contacts", "of_tomorrow"): 1,
    }
