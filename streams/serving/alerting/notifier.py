"""Tells people of alerts: one of any number of servers decides and sends, and writes down what it does before and after.

The member of the consumer group that has the only partition of alert-actions leads. It takes the one transactional id, so that Kafka
fences a leader that was thought dead: what that one decides or settles from then on is not written. Each message is written before it is
sent, and settled after; a leader that ends in between leaves it to the next, which sends it again under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.alert_actions import ActionProgress, ActionRecord, Notification
from schemas.topics import topic
from streams.serving.alerting.action_log import encoded
from streams.serving.alerting.actions import Actions, actions_topic
from streams.serving.alerting.deciding import decide, settled, taken_in
from streams.serving.alerting.expecting import Expecting, Outlook
from streams.serving.alerting.senders import SettingError, send
from streams.serving.alerts import read_alert
from streams.serving.broker import PATIENCE_SECONDS, keep_trying, partitions_of, stop
from streams.serving.deliveries import Deliveries
from streams.serving.delivery import follow_as_group

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from streams.configuration.alerting import Alerting, Receiver
    from streams.serving.alerting.messages import Message
    from streams.serving.webhook import Answer

__all__ = ["Notifier", "notification_group"]

log = logging.getLogger(__name__)

#: How often it is looked whether something is due.
_LOOK_MS: Final = 200
#: So many alerts that are not told yet are held; the history keeps the others until then.
_MOST_OPEN: Final = 10_000
_AT_A_TIME: Final = 200
#: How often what is over is deleted.
_TIDY_SECONDS: Final = 60.0
_LONGEST_HOLD_SECONDS: Final = 3600.0
#: How often it is looked at what is expected.
_EXPECT_SECONDS: Final = 15.0


def notification_group(topic_prefix: str) -> str:
    """Return the name of the consumer group, and of the transactional id, that all servers share."""
    return f"{topic_prefix}.alert-notification" if topic_prefix else "alert-notification"


class Notifier:
    """Leads, or stands by.

    Args:
        alerting: who is told of what, as configured now.
        compose: makes the message of a notification, with the figures of now.
        firing: ids of the alerts that fire, None while that is not known.
        expects: what is expected of queues, None while that is not known; asked only while a rule is about that.
        has_rules: whether a rule is about what is expected.
        session_seconds: a leader that is silent for so long is taken for dead.
        pauses_seconds: between attempts at a receiver, doubled from the first to the second.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        topic_prefix: str,
        alerting: Callable[[], Alerting],
        compose: Callable[[Notification], Message],
        firing: Callable[[], Sequence[str] | None] = lambda: None,
        expects: Callable[[], Awaitable[Outlook | None]] | None = None,
        has_rules: Callable[[], bool] = lambda: False,
        client_options: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
        environment: Mapping[str, str] = os.environ,
        deliveries: Deliveries | None = None,
        session_seconds: float = 10.0,
        pauses_seconds: tuple[float, float] = (1.0, 60.0),
    ) -> None:
        self.deliveries = Deliveries() if deliveries is None else deliveries
        self.client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-notifier", **(client_options or {})}
        self._topic, self.history = actions_topic(topic_prefix), topic("alerts.v1").full_name(topic_prefix)
        self._group = notification_group(topic_prefix)
        self.alerting, self.compose, self.firing = alerting, compose, firing
        self.expects, self.has_rules = expects, has_rules
        self.clock, self.environment = clock, environment
        self._session_ms = int(session_seconds * 1000)
        self.pauses = pauses_seconds

    async def run(self) -> NoReturn:
        """Lead or stand by until cancelled, from when a receiver or a rule about what is expected is configured.

        Failures of Kafka are logged and tried again.
        """
        while not (self.alerting().receivers or self.has_rules()):  # noqa: ASYNC110 - the file tells nobody
            await asyncio.sleep(1)
        await keep_trying(self._topic, self._stand_by, "led")

    async def _stand_by(self) -> NoReturn:
        await partitions_of(self._topic, self.client)
        await partitions_of(self.history, self.client)
        consumer = AIOKafkaConsumer(
            **self.client,
            group_id=self._group,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=self._session_ms // 3,
        )
        await follow_as_group(consumer, self._topic, lambda partition: self._lead(consumer, partition))

    async def _lead(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        if partition.partition != 0:
            return
        producer = AIOKafkaProducer(**self.client, acks="all", transactional_id=self._group)
        history = AIOKafkaConsumer(
            **self.client, group_id=None, enable_auto_commit=False, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        lead = _Lead(self, consumer, partition, producer, history)
        try:
            # From here on whoever led before writes nothing more.
            await asyncio.wait_for(producer.start(), PATIENCE_SECONDS)
            await asyncio.wait_for(history.start(), PATIENCE_SECONDS)
            log.info("This process tells people of the alerts of %s.", self.history)
            await lead.go_on()
        finally:
            await lead.end()
            await stop(history)
            await stop(producer)


class _Lead:
    """One time of leading, from the state in the topic on."""

    def __init__(
        self,
        notifier: Notifier,
        consumer: AIOKafkaConsumer,
        partition: TopicPartition,
        producer: AIOKafkaProducer,
        history: AIOKafkaConsumer,
    ) -> None:
        self._notifier, self._consumer, self._partition = notifier, consumer, partition
        self._producer, self._history = producer, history
        self._actions = Actions()
        #: Receiver → what is being sent to it.
        self._sending: dict[str, asyncio.Task[Notification]] = {}
        self._tidied = -_TIDY_SECONDS
        self._expecting = Expecting()
        self._expected = -_EXPECT_SECONDS

    async def go_on(self) -> NoReturn:
        """Read what was done, then take in, decide, send and settle."""
        await self._restore()
        loop = asyncio.get_running_loop()
        while True:
            await self._hear(_LOOK_MS)
            await self._take_in()
            await self._expect()
            # An acknowledgement that is in the topic now is seen before it is decided.
            await self._catch_up()
            decided = decide(self._actions, self._notifier.alerting(), self._now_ms())
            gone = [*decided.gone]
            if loop.time() - self._tidied >= _TIDY_SECONDS:
                self._tidied = loop.time()
                firing = self._notifier.firing()
                gone += [] if firing is None else self._actions.over(firing, self._now_ms())
            done = [task.result() for task in self._sending.values() if task.done()]
            await self._write([*decided.records, *done], gone)
            self._sending = {name: task for name, task in self._sending.items() if not task.done()}
            self._send()

    async def end(self) -> None:
        """Stop sending; what is under way is sent again by the next."""
        tasks = [*self._sending.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._notifier.deliveries.waiting_since_ms.clear()

    async def _restore(self) -> None:
        await self._consumer.seek_to_beginning(self._partition)
        await self._catch_up()
        self._actions.known = True
        places = await partitions_of(self._notifier.history, self._notifier.client)
        self._history.assign(places)
        ends = await asyncio.wait_for(self._history.end_offsets(places), PATIENCE_SECONDS)
        begun = []
        for place in places:
            offset = self._actions.offset(place.partition)
            if offset is None or offset > ends[place]:
                # What fired before anyone was to be told is left alone; what is in a topic that was made anew is not.
                offset = ends[place] if offset is None else 0
                begun.append(self._progress(place.partition, offset))
            self._history.seek(place, offset)
        await self._write(begun, [])

    def _progress(self, partition: int, offset: int) -> ActionProgress:
        revision = self._actions.revision_of(f"progress|{partition}") + 1
        return ActionProgress(partition=partition, offset=offset, revision=revision)

    async def _hear(self, timeout_ms: int) -> None:
        batches = await self._consumer.getmany(self._partition, timeout_ms=timeout_ms)
        for records in batches.values():
            for record in records:
                self._actions.feed(record.key, record.value)

    async def _catch_up(self) -> None:
        """Read what is in the topic at this moment."""
        ends = await asyncio.wait_for(self._consumer.end_offsets([self._partition]), PATIENCE_SECONDS)
        async with asyncio.timeout(PATIENCE_SECONDS * 6):
            while await self._consumer.position(self._partition) < ends[self._partition]:
                await self._hear(_LOOK_MS)

    async def _take_in(self) -> None:
        """Take alerts that fired or cleared into the topic of actions, with how far that is."""
        if len(self._actions.open_alerts()) >= _MOST_OPEN:
            return
        batches = await self._history.getmany(timeout_ms=0, max_records=_AT_A_TIME)
        for place, records in batches.items():
            for record in records:
                try:
                    told = taken_in(self._actions, read_alert(record.value or b""), record.timestamp)
                except ValueError:
                    log.exception("%s [%d] %d is no alert and is left out.", place.topic, place.partition, record.offset)
                    self._notifier.deliveries.rejected += 1
                    told = None
                progress = self._progress(place.partition, record.offset + 1)
                await self._write([progress] if told is None else [told, progress], [])

    async def _expect(self) -> None:
        """Have rules about what is expected look at that, now and again; what fires or clears is taken in with it."""
        notifier, loop = self._notifier, asyncio.get_running_loop()
        stand = self._actions.expected()
        if notifier.expects is None or not (notifier.has_rules() or any(each.alert.state == "firing" for each in stand)):
            return
        if loop.time() - self._expected < _EXPECT_SECONDS:
            return
        self._expected = loop.time()
        outlook = await notifier.expects()
        if outlook is None:
            return
        for changed in self._expecting.look(outlook, stand, self._now_ms()):
            told = taken_in(self._actions, changed.alert, self._now_ms())
            await self._write([changed] if told is None else [changed, told], [])

    async def _write(self, records: Sequence[ActionRecord], gone: Sequence[str]) -> None:
        """Write in one transaction, and have it in the table."""
        if not records and not gone:
            return
        values: list[tuple[bytes, bytes | None]] = [*map(encoded, records), *((key.encode(), None) for key in gone)]
        async with self._producer.transaction():
            for key, value in values:
                await self._producer.send(self._partition.topic, value, key=key, partition=self._partition.partition)
        for key, value in values:
            self._actions.feed(key, value)

    def _send(self) -> None:
        """Have each receiver be sent the oldest that it is due, one at a time."""
        alerting, waiting = self._notifier.alerting(), self._notifier.deliveries.waiting_since_ms
        waiting.clear()
        for message in self._actions.due():
            place = TopicPartition(f"receiver:{message.receiver}", 0)
            waiting.setdefault(place, int(message.decided_at.timestamp() * 1000))
            if message.receiver not in self._sending:
                attempts = _Attempts(self._notifier, message, alerting)
                self._sending[message.receiver] = asyncio.create_task(attempts.until_settled())

    def _now_ms(self) -> int:
        return int(self._notifier.clock() * 1000)


class _Attempts:
    """Attempts at one message."""

    def __init__(self, notifier: Notifier, message: Notification, alerting: Alerting) -> None:
        self._notifier, self._message, self._of = notifier, message, alerting

    async def until_settled(self) -> Notification:
        """Send until it is accepted or refused; return what came of it."""
        notifier, message = self._notifier, self._message
        pause, longest = notifier.pauses
        where = (message.message_id, message.event, message.receiver)
        while True:
            receiver: Receiver | None = notifier.alerting().receivers.get(message.receiver)
            if receiver is None:
                log.error("Message %s (%s) is given up: receiver %s is not configured any more.", *where)
                notifier.deliveries.attempts["refused"] += 1
                return self._settled(accepted=False)
            held = pause * random.uniform(0.5, 1)
            try:
                answer: Answer = await send(receiver, notifier.compose(message), notifier.environment, notifier.clock())
            except SettingError as error:
                notifier.deliveries.attempts["failed"] += 1
                log.error("Message %s (%s) to receiver %s waits: %s.", *where, error)  # noqa: TRY400 - the text says all
            else:
                if answer.accepted or answer.refused:
                    notifier.deliveries.attempts["delivered" if answer.accepted else "refused"] += 1
                    said = "is delivered" if answer.accepted else f"is refused with {answer.text} and given up"
                    log.log(logging.INFO if answer.accepted else logging.ERROR, "Message %s (%s) to receiver %s %s.", *where, said)
                    return self._settled(accepted=answer.accepted)
                notifier.deliveries.attempts["failed"] += 1
                log.warning("Message %s (%s) to receiver %s is not delivered: %s. It is tried again.", *where, answer.text)
                if answer.retry_after_seconds is not None:
                    held = max(held, min(answer.retry_after_seconds, _LONGEST_HOLD_SECONDS))
            await asyncio.sleep(held)
            pause = min(pause * 2, longest)

    def _settled(self, *, accepted: bool) -> Notification:
        return settled(self._message, accepted=accepted, now_ms=int(self._notifier.clock() * 1000))
