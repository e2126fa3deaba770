"""Which worker's transactions may hold a source partition: committed to Kafka before the first of them, released after the last.

A claim is the metadata of the partition's committed offset: the transactional id of the worker. Kafka accepts it only from the
member to which the group's current generation has assigned the partition, so a worker that missed a rebalance claims nothing.
The next owner of the partition fences a worker that has not released its claim: Kafka ends that worker's open transaction and
refuses its later ones.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    IllegalGenerationError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    NoError,
    NotCoordinatorError,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka.client import AIOKafkaClient

    from streams.engine.settings import EngineSettings

__all__ = ["Claims", "Member"]

Partition = tuple[str, int]

_HELD, _RELEASED = "held by ", "released by "

#: Transient: the coordinator moves, or ends a transaction.
_PASSING = (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    NodeNotReadyError,
    NotCoordinatorError,
    RequestTimedOutError,
    UnknownTopicOrPartitionError,  # a broker that has just started
)
_PAUSE_SECONDS = 0.02
#: Kafka ends an open transaction everywhere in milliseconds; unreachable brokers take longer.
_PATIENCE_SECONDS = 15.0

#: The group continues without this member, or is about to.
_OUTDATED = (IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


class Member(NamedTuple):
    """This worker's membership of the group, from one rebalance to the next."""

    generation: int
    name: str


class Claims:
    """Reads, writes and releases claims of one application, and fences workers that have not released theirs."""

    def __init__(self, settings: EngineSettings, client: AIOKafkaClient, holder: str) -> None:
        """Claim as ``holder``, a transactional id, through ``client``, which is connected."""
        self._client = client
        self._group = settings.app_id
        self._timeout_ms = int(settings.transaction_timeout_seconds * 1000)
        self._holder = holder
        #: Metadata of the committed offset of a claimed partition.
        self.held = _HELD + holder

    async def fence(self, partitions: Iterable[Partition]) -> None:
        """Fence the workers that hold one of ``partitions``; when this returns, Kafka has ended all their transactions."""
        committed = await self._committed_metadata(partitions)
        outdated = {_to_fence(self._group, partition, metadata) for partition, metadata in committed.items()} - {None, self._holder}
        await asyncio.gather(*(self._fence(transactional_id) for transactional_id in outdated if transactional_id is not None))

    async def claim(self, member: Member, offsets: Mapping[Partition, int]) -> bool:
        """Claim the partitions that are read from these offsets; return False if the group continues without ``member``."""
        return await self._commit(member, offsets, self.held)

    async def release(self, member: Member, offsets: Mapping[Partition, int]) -> bool:
        """Release claims; all transactions must be complete. Return False if the group continues without it: others then fence it."""
        return await self._commit(member, offsets, _RELEASED + self._holder)

    async def _committed_metadata(self, partitions: Iterable[Partition]) -> dict[Partition, str]:
        wanted: dict[str, list[int]] = {}
        for name, number in partitions:
            wanted.setdefault(name, []).append(number)
        answer = await self._ask(CoordinationType.GROUP, self._group, OffsetFetchRequest(self._group, list(wanted.items())))
        committed: dict[Partition, str] = {}
        for name, answered in answer.topics:
            for number, _, metadata, _ in answered:
                committed[name, number] = metadata or ""
        return committed

    async def _fence(self, transactional_id: str) -> None:
        await self._ask(CoordinationType.TRANSACTION, transactional_id, InitProducerIdRequest(transactional_id, self._timeout_ms))

    async def _commit(self, member: Member, offsets: Mapping[Partition, int], metadata: str) -> bool:
        by_topic: dict[str, list[tuple[int, int, str]]] = {}
        for (name, number), offset in offsets.items():
            by_topic.setdefault(name, []).append((number, offset, metadata))
        retention = OffsetCommitRequest.DEFAULT_RETENTION_TIME
        request = OffsetCommitRequest(self._group, member.generation, member.name, retention, list(by_topic.items()))
        try:
            await self._ask(CoordinationType.GROUP, self._group, request)
        except _OUTDATED:
            return False
        return True

    async def _ask(self, kind: CoordinationType, key: str, request: Any) -> Any:
        """Return the answer of the coordinator of ``key``; retry after a transient error."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                node = await self._client.coordinator_lookup(kind, key)
                if not await self._client.ready(node, group=ConnectionGroup.COORDINATION):
                    raise NodeNotReadyError(str(node))
                answer = await self._client.send(node, request, group=ConnectionGroup.COORDINATION)
                _raise_error(answer)
            except _PASSING:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return answer


def _to_fence(group: str, partition: Partition, metadata: str) -> str | None:
    """Return the transactional id to fence by the metadata of a partition's offset."""
    if metadata.startswith(_HELD):
        return metadata.removeprefix(_HELD)
    if metadata.startswith(_RELEASED):
        return None
    # Earlier versions claimed nothing and had one transactional id per partition.
    return f"{group}-{partition[0]}-{partition[1]}"


def _raise_error(answer: Any) -> None:
    """Raise the first error of an answer."""
    codes = [getattr(answer, "error_code", 0)]
    codes += [partition[-1] for _, partitions in getattr(answer, "topics", ()) for partition in partitions]
    for code in codes:
        error: type[KafkaError] = for_code(code)
        if error is not NoError:
            raise error
