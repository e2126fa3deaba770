"""Topics made when they are missing and refused when their partition count is another than declared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

__all__ = ["PartitionMismatchError", "TopicSpec", "ensure_topics"]

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


class PartitionMismatchError(RuntimeError):
    """A topic exists with another number of partitions than declared."""


async def ensure_topics(bootstrap: str, specs: Iterable[TopicSpec], **client_options: Any) -> None:
    """Create the topics of ``specs`` that are missing and verify the partition counts of all.

    ``client_options`` are those of ``EngineSettings``. Settings and replication of topics that exist are the
    operator's and stay as they are.

    Raises PartitionMismatchError, naming every topic that differs, before anything is created.
    """
    wanted = {spec.name: spec for spec in specs}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **client_options)
    await admin.start()
    try:
        found = await _partitions(admin, wanted)
        _verify(wanted, found)
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
            _verify(wanted, found)
    finally:
        await admin.close()


def _verify(wanted: Mapping[str, TopicSpec], found: Mapping[str, int]) -> None:
    wrong = [
        f"{name} has {found[name]} partitions, {spec.partitions} are declared"
        for name, spec in sorted(wanted.items())
        if name in found and found[name] != spec.partitions
    ]
    if wrong:
        raise PartitionMismatchError(f"{'; '.join(wrong)}. Partition counts are permanent: declare what is there, or use new topics.")


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
        # Another worker that starts at the same moment may have been quicker.
        if error not in (NoError, TopicAlreadyExistsError):
            raise error(f"{name}: {message}")
