"""Delivers alerts to a webhook: each by one process of the group, in order, at least once, without loss."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import traceback
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from schemas.topics import topic
from streams.serving.alert_text import texts_of
from streams.serving.alerts import read_alert
from streams.serving.broker import PATIENCE_SECONDS, MissingTopicError, keep_trying, partitions_of, stop
from streams.serving.deliveries import Deliveries
from streams.serving.webhook import session_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    import aiohttp
    from aiokafka import ConsumerRecord

    from schemas.alerts import AlertRecord
    from streams.serving.webhook import Answer, Webhook

__all__ = ["Delivery", "follow_as_group", "group_of"]

log = logging.getLogger(__name__)

#: Upper limit of the pause that a receiver asks for.
_LONGEST_HOLD_SECONDS = 3600.0
#: How long a running attempt may take to end when its partition is revoked.
_GRACE_SECONDS = 3.0
#: A month: while alerts wait for their receiver, nothing is polled.
_MAX_POLL_INTERVAL_MS = 30 * 24 * 60 * 60 * 1000 - 1


def group_of(topic_prefix: str) -> str:
    """Return the name of the consumer group of all delivering processes."""
    return f"{topic_prefix}.alert-delivery" if topic_prefix else "alert-delivery"


class Delivery:
    """Follows the history of alerts as a member of the group, and posts the alerts of its partitions.

    An offset is committed once the receiver has answered with 2xx, or with a refusal that would block later alerts forever. The group
    starts at the end of the topic, or at the beginning of a topic created later; after that it skips nothing.
    """

    def __init__(
        self,
        webhook: Webhook,
        *,
        bootstrap: str,
        topic_prefix: str,
        client_options: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
        zone: str = "UTC",
        pauses_seconds: tuple[float, float] = (1.0, 60.0),
    ) -> None:
        self.deliveries = Deliveries()
        self._webhook = webhook
        self._topic = topic("alerts.v1").full_name(topic_prefix)
        self._group = group_of(topic_prefix)
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-alerts", **(client_options or {})}
        self._clock = clock
        self.zone = ZoneInfo(zone)
        self._first_pause, self._longest_pause = pauses_seconds
        #: The loop's time before which the receiver accepts no request.
        self._hold_until = 0.0
        self._was_missing = False

    async def run(self) -> None:
        """Deliver until cancelled; no error here ends the process or delays what it serves."""
        log.info("Alerts of %s are delivered to %s.", self._topic, self._webhook.name)
        while True:
            try:
                await keep_trying(self._topic, self._follow)
            except Exception as error:  # noqa: BLE001 - see above
                # Without the error's text, which may quote the address.
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("Delivering alerts failed: internal error, %s. It restarts:\n%s", type(error).__name__, where)  # noqa: TRY400
            await asyncio.sleep(self._longest_pause)

    async def _follow(self) -> NoReturn:
        try:
            await partitions_of(self._topic, self._client)
        except MissingTopicError:
            self._was_missing = True
            raise
        consumer = AIOKafkaConsumer(
            **self._client,
            group_id=self._group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            # If the topic no longer has the committed offset, start with its oldest record.
            auto_offset_reset="earliest",
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
        )
        async with session_of(self._webhook) as session:
            await follow_as_group(consumer, self._topic, lambda partition: self._deliver(consumer, partition, session))

    async def _deliver(self, consumer: AIOKafkaConsumer, partition: TopicPartition, session: aiohttp.ClientSession) -> None:
        """Deliver a partition until it is revoked."""
        try:
            await self._begin(consumer, partition)
            while True:
                record = await consumer.getone(partition)
                self.deliveries.waiting_since_ms[partition] = record.timestamp
                await self._deliver_record(consumer, partition, record, session)
                del self.deliveries.waiting_since_ms[partition]
        except (CommitFailedError, IllegalStateError):
            log.warning("%s [%d] was given to another process meanwhile, which may repeat an alert.", self._topic, partition.partition)
        finally:
            self.deliveries.waiting_since_ms.pop(partition, None)

    async def _begin(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        """Commit the start offset of a new group, so that a restart before the first alert does not move it."""
        if await consumer.committed(partition) is not None:
            return
        await consumer.position(partition)  # let the consumer seek by itself first, so that it does not do so later
        await (consumer.seek_to_beginning if self._was_missing else consumer.seek_to_end)(partition)
        await consumer.commit({partition: await consumer.position(partition)})

    async def _deliver_record(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, record: ConsumerRecord, session: aiohttp.ClientSession
    ) -> None:
        """Post an alert until it is accepted or refused, and commit."""
        try:
            alert, body = self._body(record.value)
        except ValueError:
            log.exception("%s [%d] %d is not an alert and is skipped.", self._topic, partition.partition, record.offset)
            self.deliveries.rejected += 1
            await consumer.commit({partition: record.offset + 1})
            return

        async def attempt() -> Answer:
            answer = await self._webhook.post(session, alert, body, self._clock())
            self._count(alert, answer)
            if answer.accepted or answer.refused:
                await consumer.commit({partition: record.offset + 1})
            return answer

        loop = asyncio.get_running_loop()
        pause = self._first_pause
        while True:
            await asyncio.sleep(self._hold_until - loop.time())
            answer = await _undisturbed(attempt())
            if answer.accepted or answer.refused:
                return
            if answer.retry_after_seconds is not None:
                self._hold_until = loop.time() + min(answer.retry_after_seconds, _LONGEST_HOLD_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, self._longest_pause)

    def _body(self, value: bytes | None) -> tuple[AlertRecord, bytes]:
        """Return an alert and the body to post; raise ValueError if the value is invalid."""
        alert = read_alert(value or b"")
        # Fields unknown to this version are passed on.
        return alert, orjson.dumps({**orjson.loads(value or b""), **texts_of(alert, self.zone)})

    def _count(self, alert: AlertRecord, answer: Answer) -> None:
        about = (alert.alert_id, alert.state, alert.rule)
        if answer.accepted:
            self.deliveries.attempts["delivered"] += 1
            log.info("Alert %s (%s, rule %s) is delivered.", *about)
        elif answer.refused:
            self.deliveries.attempts["refused"] += 1
            log.error("Alert %s (%s, rule %s) is refused by the webhook with %s and dropped.", *about, answer.text)
        else:
            self.deliveries.attempts["failed"] += 1
            log.warning("Alert %s (%s, rule %s) is not delivered: %s. It is tried again.", *about, answer.text)


async def follow_as_group(consumer: AIOKafkaConsumer, name: str, deliver: Callable[[TopicPartition], Awaitable[None]]) -> NoReturn:
    """Start the consumer and run ``deliver`` for each assigned partition of a topic; end with the first error."""
    tasks = _PartitionTasks(deliver)
    try:
        await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
        consumer.subscribe([name], listener=tasks)
        await tasks.failure
    finally:
        await tasks.end()
        await stop(consumer)
    raise AssertionError("delivery ends only by an error")


class _PartitionTasks(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """One task for each assigned partition: a receiver that fails one alert delays no other partition."""

    def __init__(self, deliver: Callable[[TopicPartition], Awaitable[None]]) -> None:
        #: Receives the error that ended a task; never a result.
        self.failure: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
        self._deliver = deliver
        self._tasks: set[asyncio.Task[None]] = set()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start a task for each partition."""
        self._tasks.update(asyncio.ensure_future(self._run(partition)) for partition in assigned)

    async def on_partitions_revoked(self, _: Iterable[TopicPartition]) -> None:
        """End all tasks: the group revokes all partitions before it assigns them again."""
        await self.end()

    async def end(self) -> None:
        """End all tasks."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, partition: TopicPartition) -> None:
        task = asyncio.current_task()
        try:
            await self._deliver(partition)
        except asyncio.CancelledError:
            # aiokafka leaks the cancellation of its own tasks; only a cancellation of this task ends it.
            if not self.failure.done() and task is not None and not task.cancelling():
                self.failure.set_exception(KafkaError(f"reading partition {partition.partition} was cut off"))
            raise
        except Exception as error:  # noqa: BLE001 - passed to the waiter
            if not self.failure.done():
                self.failure.set_exception(error)


async def _undisturbed(attempt: Awaitable[Answer]) -> Answer:
    """Wait for an attempt; when cancelled, give it a moment, because an answer may be on its way."""
    task = asyncio.ensure_future(attempt)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_GRACE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
