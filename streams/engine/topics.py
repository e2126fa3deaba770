"""Topics made when they are missing and refused when their partition count is another than declared."""

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

from streams.engine.topic_settings import bring_to

__all__ = ["NotMadeError", "PartitionMismatchError", "TopicSpec", "ensure_topics"]

#: How often a topic just made is looked for, and the time between two looks: 10 s in all.
_LOOKS, _PAUSE_SECONDS = 50, 0.2


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it has to be."""

    name: str
    #: Permanent: keys and state are placed by it.
    partitions: int
    replication: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    #: Settings that a topic which exists is brought to, if that is permitted; all others are the operator's.
    kept: Mapping[str, str] = field(default_factory=dict)


class PartitionMismatchError(RuntimeError):
    """A topic exists with another number of partitions than declared."""


class NotMadeError(RuntimeError):
    """A topic is missing, and Kafka does not let this process make it."""


async def ensure_topics(bootstrap: str, specs: Iterable[TopicSpec], **client_options: Any) -> None:
    """Create the topics of ``specs`` that are missing and verify the partition counts of all.

    ``client_options`` are those of ``EngineSettings``. Settings and replication of topics that exist are the
    operator's and stay as they are, but for what a spec says is ``kept``; where that is not permitted, a warning says so.

    Raises PartitionMismatchError, naming every topic that differs and what fixes it, before anything is created; NotMadeError when
    Kafka does not permit to create.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **client_options)
    await admin.start()
    try:
        found = await _partitions(admin, wanted)
        await _verify(bootstrap, wanted, found, client_options)
        await bring_to(admin, {name: wanted[name].kept for name in found if wanted[name].kept})
        absent = [wanted[name] for name in wanted if name not in found]
        if absent:
            await _create(admin, absent)
            for _ in range(_LOOKS):
                found = await _partitions(admin, wanted)
                if len(found) == len(wanted):
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                raise TimeoutError(f"Topics not there after their creation: {sorted(wanted.keys() - found.keys())}.")
            await _verify(bootstrap, wanted, found, client_options)
    finally:
        await admin.close()


async def _verify(bootstrap: str, wanted: Mapping[str, TopicSpec], found: Mapping[str, int], client_options: Mapping[str, Any]) -> None:
    wrong = [spec for name, spec in sorted(wanted.items()) if name in found and found[name] != spec.partitions]
    if not wrong:
        return
    said = [f"{spec.name} has {found[spec.name]} partitions, {spec.partitions} are declared" for spec in wrong]
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
    raise PartitionMismatchError(f"{'; '.join(said)}.{advice}")


async def _empty(bootstrap: str, counts: Mapping[str, int], client_options: Mapping[str, Any]) -> set[str]:
    """Return the topics in which there is no record and never was one."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, **client_options)
    await consumer.start()
    try:
        places = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
        ends = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    return {name for name in counts if not any(end for place, end in ends.items() if place.topic == name)}


async def _partitions(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    # Asked about a topic by name, a broker that creates topics by itself would make it, with partitions of its own choice.
    there = sorted(set(names) & set(await admin.list_topics()))
    if not there:
        return {}
    found: dict[str, int] = {}
    for topic in await admin.describe_topics(there):
        error = for_code(topic["error_code"])
        if error is NoError:
            found[topic["topic"]] = len(topic["partitions"])
        elif error is not UnknownTopicOrPartitionError and not error.retriable:
            raise error(topic["topic"])
    return found


async def _create(admin: AIOKafkaAdminClient, specs: list[TopicSpec]) -> None:
    answer = await admin.create_topics(
        [NewTopic(spec.name, spec.partitions, spec.replication, topic_configs=dict(spec.config)) for spec in specs]
    )
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
            raise NotMadeError(
                f"{name} is missing, and Kafka does not permit this process to make it. Start a worker first, as a user who may create "
                "topics, or permit it (operation Create); docs/topics.md has partitions and settings."
            )
        if error is InvalidReplicationFactorError:
            raise NotMadeError(f"{name} cannot be made: {message}. Give as --replication what there are brokers for.")
        # Another worker that starts at the same moment may have been quicker.
        if error not in (NoError, TopicAlreadyExistsError):
            raise error(f"{name}: {message}")
