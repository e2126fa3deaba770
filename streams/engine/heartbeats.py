"""A worker's heartbeats, and the removal of silent workers from the group, long before their session times out.

They run in a separate thread: a long chunk must not look like death. Each heartbeat reports the state of the main loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NoError, UnknownMemberIdError, for_code
from aiokafka.protocol.group import LeaveGroupRequest

from streams.engine.silence import Silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.engine.health import Health
    from streams.engine.settings import EngineSettings

__all__ = ["Heartbeats"]

logger = logging.getLogger(__name__)

_INTERVAL_SECONDS = 0.5
#: A main loop without progress for this long is stalled, though its process is alive.
_STALLED_SECONDS = 1.75
#: A worker that has read nothing for this long is not restoring.
_RESTORING_SECONDS = 10.0
_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_LISTEN_MS = 2_000
#: How many past heartbeats are read at the start: a worker may have died before this one started.
_PAST_HEARTBEATS = 500


class Heartbeats:
    """Publishes a ``schemas.workers.WorkerHeartbeat`` twice a second, and removes workers whose heartbeats are missing."""

    def __init__(self, settings: EngineSettings, health: Health, member_id: Callable[[], str]) -> None:
        """Report the partitions in ``health``; ``member_id`` returns this worker's name in the group, empty between two memberships."""
        self._settings = settings
        self._health = health
        self._member_id = member_id
        self.worker = uuid.uuid4().hex
        #: A process that restarts with the same instance id is the same member of the group.
        self._name = settings.group_instance_id or self.worker
        self._silence = Silence(self._name, settings.silence_seconds)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._has_warned_of_clocks = False

    def start(self) -> None:
        """Start, if a topic is configured."""
        if self._settings.heartbeats_topic is not None and self._thread is None:
            self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="heartbeats", daemon=True)
            self._thread.start()

    async def stop(self) -> None:
        """Announce a clean stop: a static member keeps its partitions through a restart."""
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended already
                self._loop.call_soon_threadsafe(self._stopping.set)
        await asyncio.to_thread(self._thread.join, _PATIENCE_SECONDS)

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        logged = ""
        while not self._stopping.is_set():
            try:
                await self._connected(self._stopping)
            # aiokafka leaks the cancellation of its own tasks; nothing cancels this one, whose end would look like the worker's.
            except (KafkaError, OSError, TimeoutError, asyncio.CancelledError) as error:
                if (kind := type(error).__name__) != logged:
                    logged = kind
                    logger.warning("Heartbeats cannot be exchanged: %r. Trying again until they can.", error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _PAUSE_SECONDS)

    async def _connected(self, stopping: asyncio.Event) -> None:
        """Publish and read heartbeats until the stop or a failure."""
        settings = self._settings
        common: dict[str, Any] = {
            "bootstrap_servers": settings.bootstrap,
            "client_id": f"{settings.client_id}-heartbeats",
            "request_timeout_ms": int(_PATIENCE_SECONDS * 1000),
            **settings.client_options,
        }
        producer = AIOKafkaProducer(acks=1, **common)
        consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            # Its own heartbeats answer each fetch earlier.
            fetch_max_wait_ms=_LISTEN_MS,
            consumer_timeout_ms=_LISTEN_MS,
            **common,
        )
        clients = (producer, consumer)
        tasks: list[asyncio.Task[Any]] = []
        try:
            for client in clients:
                await asyncio.wait_for(client.start(), _PATIENCE_SECONDS)
            tasks = [asyncio.create_task(job) for job in (self._publish(producer, stopping), self._listen(consumer), stopping.wait())]
            done, _ = await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for client in clients:
                with contextlib.suppress(Exception, asyncio.CancelledError):
                    await asyncio.wait_for(client.stop(), _PATIENCE_SECONDS)

    async def _publish(self, producer: AIOKafkaProducer, stopping: asyncio.Event) -> None:
        member = ""
        while not stopping.is_set():
            member = self._member_id()
            await self._send(producer, {"member_id": member, "going_on": self.going_on(), "restoring": self.restoring()})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _INTERVAL_SECONDS)
        await self._send(producer, {"member_id": None, "going_on": {}})

    async def _send(self, producer: AIOKafkaProducer, state: dict[str, Any]) -> None:
        heartbeat = {"kind": "worker", "worker": self.worker, "instance_id": self._settings.group_instance_id, **state}
        value = json.dumps(heartbeat).encode()
        topic = self._settings.heartbeats_topic
        await asyncio.wait_for(producer.send_and_wait(topic, value, key=self.worker.encode(), partition=0), _PATIENCE_SECONDS)

    def going_on(self) -> dict[str, list[int]]:
        """Return the source partitions that are restored and flushed, by topic; none while the main loop is stalled."""
        health = self._health
        if health.recovering or time.monotonic() - health.last_progress > _STALLED_SECONDS:
            return {}
        by_topic: dict[str, list[int]] = {}
        for topic, partition in sorted(list(health.partitions)):  # noqa: C414 - copied at once: the main loop changes it
            by_topic.setdefault(topic, []).append(partition)
        return by_topic

    def restoring(self) -> bool:
        """Return whether state is being restored."""
        return self._health.recovering and time.monotonic() - self._health.last_progress <= _RESTORING_SECONDS

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        partition = TopicPartition(self._settings.heartbeats_topic, 0)
        consumer.assign([partition])
        end = (await asyncio.wait_for(consumer.end_offsets([partition]), _PATIENCE_SECONDS))[partition]
        first = (await asyncio.wait_for(consumer.beginning_offsets([partition]), _PATIENCE_SECONDS))[partition]
        consumer.seek(partition, max(first, end - _PAST_HEARTBEATS))
        while True:
            for record in (await consumer.getmany(partition, timeout_ms=_LISTEN_MS)).get(partition, []):
                if record.timestamp_type != 1:  # senders' clocks need not agree
                    if not self._has_warned_of_clocks:
                        self._has_warned_of_clocks = True
                        logger.warning(
                            "%s has no broker times (LogAppendTime): silent workers are removed by the session timeout alone.",
                            partition.topic,
                        )
                    continue
                for worker, member in self._silent_after(record.value, record.timestamp):
                    await self._remove(worker, member)

    def _silent_after(self, value: bytes | None, at_ms: int) -> list[tuple[str, str]]:
        try:
            heartbeat = json.loads(value or b"")
            worker, member = heartbeat["worker"], heartbeat["member_id"]
            name = heartbeat.get("instance_id") or worker
        except (ValueError, TypeError, KeyError, AttributeError):
            return []
        if not isinstance(name, str) or not isinstance(member, str | None):
            return []
        if name == self._name and worker != self.worker:  # from this member's previous process
            return []
        return self._silence.record_heartbeat(name, member, at_ms)

    async def _remove(self, worker: str, member: str) -> None:
        """Remove a member from the group. If it is alive it joins again, and its transactions are fenced: counts stay exact."""
        settings = self._settings
        admin = AIOKafkaAdminClient(
            bootstrap_servers=settings.bootstrap, request_timeout_ms=int(_PATIENCE_SECONDS * 1000), **settings.client_options
        )
        try:
            await asyncio.wait_for(admin.start(), _PATIENCE_SECONDS)
            coordinator = await asyncio.wait_for(admin.find_coordinator(settings.app_id), _PATIENCE_SECONDS)
            request = LeaveGroupRequest(settings.app_id, member)
            answer = await asyncio.wait_for(admin._send_request_to_node(coordinator, request), _PATIENCE_SECONDS)
            error = for_code(answer.error_code)
        except (KafkaError, OSError, TimeoutError) as failed:
            logger.warning("Worker %s is silent, but could not be removed from the group: %r.", worker, failed)
            return
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(admin.close(), _PATIENCE_SECONDS)
        if error is NoError:
            logger.warning(
                "Worker %s (%s) has been silent for %.1f s and was removed from the group: other workers take over its partitions.",
                *(worker, member, settings.silence_seconds),
            )
        elif error is not UnknownMemberIdError:
            logger.warning("Worker %s is silent, but the group did not remove it: %s.", worker, error.__name__)
            return
        self._silence.record_removal(worker)
