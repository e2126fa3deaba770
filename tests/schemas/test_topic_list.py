"""The topic list: names that Kafka accepts, partitions that fit together, settings that do what they are for."""

from __future__ import annotations

import re

import pytest

from schemas.limits import MAX_RECORD_BYTES
from schemas.topics import TOPICS, Topic, dead_letters_of, state_of, topic

#: What senders publish and the engine reads.
EVENTS = ["contact-events.v1", "agent-events.v1", "customer-events.v1"]
COMPACTED = [entry for entry in TOPICS if entry.cleanup_policy == "compact"]
DELETED = [entry for entry in TOPICS if entry.cleanup_policy == "delete"]


def name_of(entry: Topic) -> str:
    """Return the name for the test's id."""
    return entry.name


def test_names_are_versioned_and_unlike() -> None:
    """Names use lower case, dashes and dots, end in a version, and none occurs twice."""
    names = [entry.name for entry in TOPICS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*\.v[1-9]", name) for name in names)


def test_the_prefix_is_the_users() -> None:
    """The default prefix, another one, and none."""
    entry = topic("contact-events.v1")

    assert entry.full_name() == "contactcenter.contact-events.v1"
    assert entry.full_name("acme.support") == "acme.support.contact-events.v1"
    assert entry.full_name("") == "contact-events.v1"


@pytest.mark.parametrize("entry", [entry for entry in TOPICS if entry.partitions_of], ids=name_of)
def test_state_has_as_many_partitions_as_its_source(entry: Topic) -> None:
    """State is found by the source partition's number."""
    assert entry.partitions_of is not None
    source = topic(entry.partitions_of)

    assert entry.partitions == source.partitions
    assert state_of(source.name) is entry


def test_only_engine_sources_have_state() -> None:
    """A topic without state has none."""
    assert [entry.name for entry in TOPICS if state_of(entry.name)] == [
        *EVENTS,
        "customer-facts.v2",
        "customer-links.v1",
        "customer-facts.v1",
    ]


@pytest.mark.parametrize("entry", COMPACTED, ids=name_of)
def test_compacted_topics_are_compacted_and_keep_everything_alive(entry: Topic) -> None:
    """The latest record of a key never expires, outdated ones go soon, and deletions stay readable for a day."""
    config = entry.config()

    assert config["cleanup.policy"] == "compact"
    assert "retention.ms" not in config
    assert int(config["segment.ms"]) <= 3_600_000
    assert float(config["min.cleanable.dirty.ratio"]) <= 0.1
    assert int(config["delete.retention.ms"]) >= 86_400_000
    assert int(config["max.compaction.lag.ms"]) < int(config["delete.retention.ms"])


@pytest.mark.parametrize("entry", DELETED, ids=name_of)
def test_other_topics_expire(entry: Topic) -> None:
    """Every topic that is not compacted states how long it retains records."""
    config = entry.config()

    assert config["cleanup.policy"] == "delete"
    # Heartbeats are of use for seconds.
    assert int(config["retention.ms"]) >= (3_600_000 if entry.name == "worker-heartbeats.v1" else 7 * 86_400_000)
    assert "min.cleanable.dirty.ratio" not in config


@pytest.mark.parametrize("entry", TOPICS, ids=name_of)
def test_records_fit_and_the_broker_stamps_them(entry: Topic) -> None:
    """The broker takes more than a reader accepts, so that a refusal has a reason; timestamps are the broker's."""
    config = entry.config()

    assert int(config["max.message.bytes"]) >= 4 * MAX_RECORD_BYTES
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert all(isinstance(value, str) for value in config.values())


def test_any_record_fits_its_dead_letter() -> None:
    """The largest record a source takes, with headers added, is still taken by its dead letters, which outlive it."""
    sources = [entry for entry in TOPICS if entry.dead_letters]
    assert [entry.name for entry in sources] == EVENTS
    for entry in sources:
        dead_letters = dead_letters_of(entry.name)
        assert dead_letters is not None
        assert int(dead_letters.config()["max.message.bytes"]) > int(entry.config()["max.message.bytes"])
        assert (dead_letters.retention_ms or 0) > (entry.retention_ms or 0)


def test_topics_without_dead_letters() -> None:
    """Only what senders publish and the engine reads can be set aside."""
    assert dead_letters_of("queue-panes.v1") is None


def test_an_unknown_name_is_an_error() -> None:
    """A misspelled topic is not created by accident."""
    with pytest.raises(KeyError):
        topic("contact-event.v1")
