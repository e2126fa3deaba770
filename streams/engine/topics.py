"""Creation of missing topics, and refusal of topics whose partition count differs from the declared one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from streams.engine.topic_settings import apply_settings

__all__ = ["PartitionMismatchError", "TopicCreationError", "TopicSpec", "ensure_topics"]

#: How often the creation of a topic is checked, and the pause between two checks: 10 s in all.
_CHECKS, _PAUSE_SECONDS = 50, 0.2


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic's required state."""

    name: str
    #: Permanent: keys and state are placed by it.
    partitions: int
    replication: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    #: Settings that are applied to an existing topic, if permitted; all others are the operator's.
    enforced: Mapping[str, str] = field(default_factory=dict)


class PartitionMismatchError(RuntimeError):
    """A topic exists with another number of partitions than declared."""


class TopicCreationError(RuntimeError):
    """A topic is missing, and Kafka does not let this process create it."""


async def ensure_topics(bootstrap: str, specs: Iterable[TopicSpec], **client_options: Any) -> None:
    """Create the topics of ``specs`` that are missing and verify the partition counts of all.

    ``client_options`` are those of ``EngineSettings``. Settings and replication of existing topics are the operator's and do not change,
    except the settings in ``enforced``; where changing them is not permitted, a warning is logged.

    Raises PartitionMismatchError, naming every topic that differs and its fix, before anything is created; TopicCreationError when
    Kafka does not permit creation.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **client_options)
    await admin.start()
    try:
        found = await _partitions(admin, wanted)
        await _verify(bootstrap, wanted, found, client_options)
        await apply_settings(admin, {name: wanted[name].enforced for name in found if wanted[name].enforced})
        absent = [wanted[name] for name in wanted if name not in found]
        if absent:
            await _create(admin, absent)
            for _ in range(_CHECKS):
                found = await _partitions(admin, wanted)
                if len(found) == len(wanted):
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                raise TimeoutError(f"Topics are missing after their creation: {sorted(wanted.keys() - found.keys())}.")
            await _verify(bootstrap, wanted, found, client_options)
    finally:
        await admin.close()


async def _verify(bootstrap: str, wanted: Mapping[str, TopicSpec], found: Mapping[str, int], client_options: Mapping[str, Any]) -> None:
    wrong = [spec for name, spec in sorted(wanted.items()) if name in found and found[name] != spec.partitions]
    if not wrong:
        return
    mismatches = [f"{spec.name} has {found[spec.name]} partitions, {spec.partitions} are declared" for spec in wrong]
    empty = await _empty(bootstrap, {spec.name: found[spec.name] for spec in wrong}, client_options)
    fixes = []
    for spec in wrong:
        tool = f"kafka-topics.sh --bootstrap-server {bootstrap}"
        if spec.name not in empty:
            continue
        if found[spec.name] < spec.partitions:
            fixes.append(f"{tool} --alter --topic {spec.name} --partitions {spec.partitions}")
        else:
            fixes.append(f"{tool} --delete --topic {spec.name}")
    advice = f" No records are in {', '.join(sorted(empty))}: run `{'` and `'.join(fixes)}`, then start again." if fixes else ""
    if len(fixes) < len(wrong):
        advice += (
            " Where there are records, the partition count is permanent: it decides where keys and state are. Use new topics (another "
            "--prefix), or delete these topics with their records."
        )
    raise PartitionMismatchError(f"{'; '.join(mismatches)}.{advice}")


async def _empty(bootstrap: str, counts: Mapping[str, int], client_options: Mapping[str, Any]) -> set[str]:
    """Return the topics that never had a record."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, **client_options)
    await consumer.start()
    try:
        partitions = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
        ends = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return {name for name in counts if not any(end for partition, end in ends.items() if partition.topic == name)}


async def _partitions(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    # Describing a missing topic would create it where the broker has auto-creation, with the broker's partition count.
    existing = sorted(set(names) & set(await admin.list_topics()))
    if not existing:
        return {}
    counts: dict[str, int] = {}
    for topic in await admin.describe_topics(existing):
        error = for_code(topic["error_code"])
        if error is NoError:
            counts[topic["topic"]] = len(topic["partitions"])
        elif error is not UnknownTopicOrPartitionError and not error.retriable:
            raise error(topic["topic"])
    return counts


async def _create(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> None:
    answer = await admin.create_topics(
        [NewTopic(spec.name, spec.partitions, spec.replication, topic_configs=dict(spec.config)) for spec in specs]
    )
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
            raise TopicCreationError(
                f"{name} is missing, and Kafka does not permit this process to create it. Start a worker first, as a user who may "
                "create topics, or permit it (operation Create); docs/topics.md has partitions and settings."
            )
        if error is InvalidReplicationFactorError:
            raise TopicCreationError(f"{name} cannot be created: {message}. --replication must not exceed the number of brokers.")
        # Another worker that starts at the same moment may have been faster.
        if error not in (NoError, TopicAlreadyExistsError):
            raise error(f"{name}: {message}")
