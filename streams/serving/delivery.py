"""Delivers alerts to a webhook: each by one of any number of processes, in order, at least once, none dropped."""

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

#: A receiver that asks for a longer pause is asked again after this.
_LONGEST_HOLD_SECONDS = 3600.0
#: How long an attempt under way may take to end when its partition is taken away.
_GRACE_SECONDS = 3.0
#: A month: alerts wait for their receiver, and meanwhile nothing is polled.
_MAX_POLL_INTERVAL_MS = 30 * 24 * 60 * 60 * 1000 - 1


def group_of(topic_prefix: str) -> str:
    """Return the name of the consumer group that all delivering processes share."""
    return f"{topic_prefix}.alert-delivery" if topic_prefix else "alert-delivery"


class Delivery:
    """Follows the history of alerts as a member of the group, and posts what its partitions hold.

    An offset is committed once the receiver has answered with 2xx, or with a refusal that would block the rest forever. The group
    begins at the newest end, or at the beginning of a topic that is made later; from then on nothing is passed over.
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
        #: The loop's time before which the receiver wants no request.
        self._hold_until = 0.0
        self._was_missing = False

    async def run(self) -> None:
        """Deliver until cancelled; nothing that goes wrong here ends the process or holds up what it serves."""
        log.info("Alerts of %s are delivered to %s.", self._topic, self._webhook.name)
        while True:
            try:
                await keep_trying(self._topic, self._follow)
            except Exception as error:  # noqa: BLE001 - see above
                # Without its text, which may quote the address.
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("Delivering alerts failed: internal error, %s. It begins again:\n%s", type(error).__name__, where)  # noqa: TRY400
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
            # Where the topic no longer has what was committed: with the oldest that it has.
            auto_offset_reset="earliest",
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MS,
        )
        async with session_of(self._webhook) as session:
            await follow_as_group(consumer, self._topic, lambda partition: self._deliver(consumer, partition, session))

    async def _deliver(self, consumer: AIOKafkaConsumer, partition: TopicPartition, session: aiohttp.ClientSession) -> None:
        """Deliver a partition until it is taken away."""
        try:
            await self._begin(consumer, partition)
            while True:
                record = await consumer.getone(partition)
                self.deliveries.waiting_since_ms[partition] = record.timestamp
                await self._settle(consumer, partition, record, session)
                del self.deliveries.waiting_since_ms[partition]
        except (CommitFailedError, IllegalStateError):
            log.warning("%s [%d] was given to another process meanwhile, which may repeat an alert.", self._topic, partition.partition)
        finally:
            self.deliveries.waiting_since_ms.pop(partition, None)

    async def _begin(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        """Commit where the group begins, if it is new: a restart before the first alert must not begin anew."""
        if await consumer.committed(partition) is not None:
            return
        await consumer.position(partition)  # where the consumer goes by itself: it must not do so after us
        await (consumer.seek_to_beginning if self._was_missing else consumer.seek_to_end)(partition)
        await consumer.commit({partition: await consumer.position(partition)})

    async def _settle(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, record: ConsumerRecord, session: aiohttp.ClientSession
    ) -> None:
        """Post an alert until it is accepted or refused, and commit."""
        try:
            alert, body = self._body(record.value)
        except ValueError:
            log.exception("%s [%d] %d is no alert and is left out.", self._topic, partition.partition, record.offset)
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
        """Return an alert and what is posted of it; raise ValueError if it is none."""
        alert = read_alert(value or b"")
        # Fields that this version does not know are handed on.
        return alert, orjson.dumps({**orjson.loads(value or b""), **texts_of(alert, self.zone)})

    def _count(self, alert: AlertRecord, answer: Answer) -> None:
        where = (alert.alert_id, alert.state, alert.rule)
        if answer.accepted:
            self.deliveries.attempts["delivered"] += 1
            log.info("Alert %s (%s, rule %s) is delivered.", *where)
        elif answer.refused:
            self.deliveries.attempts["refused"] += 1
            log.error("Alert %s (%s, rule %s) is refused by the webhook with %s and given up.", *where, answer.text)
        else:
            self.deliveries.attempts["failed"] += 1
            log.warning("Alert %s (%s, rule %s) is not delivered: %s. It is tried again.", *where, answer.text)


async def follow_as_group(consumer: AIOKafkaConsumer, name: str, deliver: Callable[[TopicPartition], Awaitable[None]]) -> NoReturn:
    """Start the consumer and run ``deliver`` for each partition of a topic while the group gives it to us; end with the first error."""
    rounds = _Rounds(deliver)
    try:
        await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
        consumer.subscribe([name], listener=rounds)
        await rounds.failure
    finally:
        await rounds.end()
        await stop(consumer)
    raise AssertionError("a round ends only by an error")


class _Rounds(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """One task for each partition that the group gives us: a receiver that fails one alert holds up no other partition."""

    def __init__(self, deliver: Callable[[TopicPartition], Awaitable[None]]) -> None:
        #: Gets the error that ended a round; never a result.
        self.failure: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
        self._deliver = deliver
        self._tasks: set[asyncio.Task[None]] = set()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin with the partitions."""
        self._tasks.update(asyncio.ensure_future(self._run(partition)) for partition in assigned)

    async def on_partitions_revoked(self, _: Iterable[TopicPartition]) -> None:
        """End with all partitions: the group takes them all away before it gives them anew."""
        await self.end()

    async def end(self) -> None:
        """End all rounds."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, partition: TopicPartition) -> None:
        task = asyncio.current_task()
        try:
            await self._deliver(partition)
        except asyncio.CancelledError:
            # aiokafka lets the cancelling of its own tasks out: only ours ends this one.
            if not self.failure.done() and task is not None and not task.cancelling():
                self.failure.set_exception(KafkaError(f"reading partition {partition.partition} was cut off"))
            raise
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            if not self.failure.done():
                self.failure.set_exception(error)


async def _undisturbed(attempt: Awaitable[Answer]) -> Answer:
    """Wait for an attempt; when cancelled, give it a moment: an answer that is on its way need not be asked for again."""
    task = asyncio.ensure_future(attempt)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_GRACE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
