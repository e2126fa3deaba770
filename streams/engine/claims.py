"""Which worker's transactions may hold a source partition: said in Kafka before the first of them, and taken back after the last.

A claim is the metadata of the partition's committed offset: the transactional id of the worker. Kafka takes it only from the
member that the group's present generation has assigned the partition to, so a worker that has missed a rebalance claims nothing.
The worker that takes the partition next fences the worker that has not released its claim: Kafka then ends that worker's open
transaction, and refuses it from there on.
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

Place = tuple[str, int]

_HELD, _RELEASED = "held by ", "released by "

#: What passes by itself: the coordinator moves, or ends a transaction.
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
#: Kafka ends an open transaction everywhere in milliseconds; brokers that are away take longer.
_PATIENCE_SECONDS = 15.0

#: The group has gone on without this member, or is about to.
_OUTDATED = (IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)


class Member(NamedTuple):
    """Who this worker is in the group, since one of its rebalances and until the next."""

    generation: int
    name: str


class Claims:
    """Reads, makes and takes back claims of one application, and fences those who have not taken theirs back."""

    def __init__(self, settings: EngineSettings, client: AIOKafkaClient, holder: str) -> None:
        """Claim as ``holder``, a transactional id, through ``client``, which is connected."""
        self._client = client
        self._group = settings.app_id
        self._timeout_ms = int(settings.transaction_timeout_seconds * 1000)
        self._holder = holder
        #: What the committed offsets of a partition that is held say.
        self.held = _HELD + holder

    async def fence(self, places: Iterable[Place]) -> None:
        """Fence the workers that hold one of ``places``; when this returns, Kafka has ended all their transactions."""
        found = await self._said(places)
        outdated = {_to_fence(self._group, place, said) for place, said in found.items()} - {None, self._holder}
        await asyncio.gather(*(self._fence(transactional_id) for transactional_id in outdated if transactional_id is not None))

    async def claim(self, member: Member, offsets: Mapping[Place, int]) -> bool:
        """Claim the partitions that are to be read on from these offsets; False if the group has gone on without ``member``."""
        return await self._commit(member, offsets, self.held)

    async def release(self, member: Member, offsets: Mapping[Place, int]) -> bool:
        """Take claims back; all transactions have to be over. False if the group has gone on: then others fence this worker."""
        return await self._commit(member, offsets, _RELEASED + self._holder)

    async def _said(self, places: Iterable[Place]) -> dict[Place, str]:
        wanted: dict[str, list[int]] = {}
        for name, number in places:
            wanted.setdefault(name, []).append(number)
        answer = await self._ask(CoordinationType.GROUP, self._group, OffsetFetchRequest(self._group, list(wanted.items())))
        found: dict[Place, str] = {}
        for name, partitions in answer.topics:
            for number, _, metadata, _ in partitions:
                found[name, number] = metadata or ""
        return found

    async def _fence(self, transactional_id: str) -> None:
        await self._ask(CoordinationType.TRANSACTION, transactional_id, InitProducerIdRequest(transactional_id, self._timeout_ms))

    async def _commit(self, member: Member, offsets: Mapping[Place, int], said: str) -> bool:
        by_topic: dict[str, list[tuple[int, int, str]]] = {}
        for (name, number), offset in offsets.items():
            by_topic.setdefault(name, []).append((number, offset, said))
        retention = OffsetCommitRequest.DEFAULT_RETENTION_TIME
        request = OffsetCommitRequest(self._group, member.generation, member.name, retention, list(by_topic.items()))
        try:
            await self._ask(CoordinationType.GROUP, self._group, request)
        except _OUTDATED:
            return False
        return True

    async def _ask(self, kind: CoordinationType, key: str, request: Any) -> Any:
        """Return what the coordinator of ``key`` answers without an error; try again while the error is one that passes."""
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


def _to_fence(group: str, place: Place, said: str) -> str | None:
    """Return the transactional id to fence by what the offset of a partition says."""
    if said.startswith(_HELD):
        return said.removeprefix(_HELD)
    if said.startswith(_RELEASED):
        return None
    # Versions before claimed nothing and had a transactional id a partition.
    return f"{group}-{place[0]}-{place[1]}"


def _raise_error(answer: Any) -> None:
    """Raise the first error of an answer, whatever it is about."""
    codes = [getattr(answer, "error_code", 0)]
    codes += [partition[-1] for _, partitions in getattr(answer, "topics", ()) for partition in partitions]
    for code in codes:
        error: type[KafkaError] = for_code(code)
        if error is not NoError:
            raise error
