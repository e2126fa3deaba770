"""Notify receivers of alerts: one of any number of servers decides and sends, and writes its steps before and after.

The consumer group member that owns the only partition of alert-actions leads. It uses the single transactional id, so that Kafka fences
an earlier leader and rejects its writes. Each notification is written before it is sent, and its outcome after. When a leader ends in
between, the next one sends it again under the same id.
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
from streams.serving.alerting.decisions import decide, ingested, with_outcome
from streams.serving.alerting.expectations import Expectations, Outlook
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

#: How often due notifications are checked.
_POLL_MS: Final = 200
#: The most alerts with notifications to come; the others wait in the history.
_MOST_OPEN: Final = 10_000
_AT_A_TIME: Final = 200
#: How often expired records are deleted.
_EXPIRE_SECONDS: Final = 60.0
_LONGEST_HOLD_SECONDS: Final = 3600.0
#: How often expectations are evaluated.
_EVALUATE_SECONDS: Final = 15.0


def notification_group(topic_prefix: str) -> str:
    """Return the name of the consumer group, and of the transactional id, that all servers share."""
    return f"{topic_prefix}.alert-notification" if topic_prefix else "alert-notification"


class Notifier:
    """Leads, or is on standby.

    Args:
        alerting: returns the current configuration of receivers and routes.
        compose: composes the message of a notification, with current figures.
        firing: ids of the alerts that fire, None while that is not known.
        expects: expectations of queues, None while unknown; called only while a rule needs them.
        has_rules: whether a rule is on expectations.
        session_seconds: a leader that is silent for this long counts as dead.
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
        """Lead or be on standby until cancelled, once a receiver or a rule on expectations is configured.

        Failures of Kafka are logged and retried.
        """
        while not (self.alerting().receivers or self.has_rules()):  # noqa: ASYNC110 - the file has no event
            await asyncio.sleep(1)
        await keep_trying(self._topic, self._standby, "led")

    async def _standby(self) -> NoReturn:
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
            # From here on an earlier leader is fenced.
            await asyncio.wait_for(producer.start(), PATIENCE_SECONDS)
            await asyncio.wait_for(history.start(), PATIENCE_SECONDS)
            log.info("This process sends notifications of the alerts of %s.", self.history)
            await lead.run()
        finally:
            await lead.end()
            await stop(history)
            await stop(producer)


class _Lead:
    """One term as leader, from the state in the topic on."""

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
        #: Receiver → the notification being sent to it.
        self._sending: dict[str, asyncio.Task[Notification]] = {}
        self._expired_at = -_EXPIRE_SECONDS
        self._expectations = Expectations()
        self._evaluated_at = -_EVALUATE_SECONDS

    async def run(self) -> NoReturn:
        """Restore the actions, then ingest, decide, send and record outcomes."""
        await self._restore()
        loop = asyncio.get_running_loop()
        while True:
            await self._poll(_POLL_MS)
            await self._ingest()
            await self._evaluate_expectations()
            # An acknowledgement that is in the topic now counts in this decision.
            await self._catch_up()
            decided = decide(self._actions, self._notifier.alerting(), self._now_ms())
            deleted = [*decided.deleted]
            if loop.time() - self._expired_at >= _EXPIRE_SECONDS:
                self._expired_at = loop.time()
                firing = self._notifier.firing()
                deleted += [] if firing is None else self._actions.expired(firing, self._now_ms())
            done = [task.result() for task in self._sending.values() if task.done()]
            await self._write([*decided.records, *done], deleted)
            self._sending = {name: task for name, task in self._sending.items() if not task.done()}
            self._send()

    async def end(self) -> None:
        """Stop sending; the next leader sends unfinished notifications again."""
        tasks = [*self._sending.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._notifier.deliveries.waiting_since_ms.clear()

    async def _restore(self) -> None:
        await self._consumer.seek_to_beginning(self._partition)
        await self._catch_up()
        self._actions.known = True
        partitions = await partitions_of(self._notifier.history, self._notifier.client)
        self._history.assign(partitions)
        ends = await asyncio.wait_for(self._history.end_offsets(partitions), PATIENCE_SECONDS)
        started = []
        for partition in partitions:
            offset = self._actions.offset(partition.partition)
            if offset is None or offset > ends[partition]:
                # Alerts from before the first start are skipped; those in a recreated topic are not.
                offset = ends[partition] if offset is None else 0
                started.append(self._progress(partition.partition, offset))
            self._history.seek(partition, offset)
        await self._write(started, [])

    def _progress(self, partition: int, offset: int) -> ActionProgress:
        revision = self._actions.revision_of(f"progress|{partition}") + 1
        return ActionProgress(partition=partition, offset=offset, revision=revision)

    async def _poll(self, timeout_ms: int) -> None:
        batches = await self._consumer.getmany(self._partition, timeout_ms=timeout_ms)
        for records in batches.values():
            for record in records:
                self._actions.feed(record.key, record.value)

    async def _catch_up(self) -> None:
        """Read the topic up to its current end."""
        ends = await asyncio.wait_for(self._consumer.end_offsets([self._partition]), PATIENCE_SECONDS)
        async with asyncio.timeout(PATIENCE_SECONDS * 6):
            while await self._consumer.position(self._partition) < ends[self._partition]:
                await self._poll(_POLL_MS)

    async def _ingest(self) -> None:
        """Write alerts that fired or cleared to the topic of actions, with the offset reached."""
        if len(self._actions.open_alerts()) >= _MOST_OPEN:
            return
        batches = await self._history.getmany(timeout_ms=0, max_records=_AT_A_TIME)
        for partition, records in batches.items():
            for record in records:
                try:
                    opened = ingested(self._actions, read_alert(record.value or b""), record.timestamp)
                except ValueError:
                    log.exception("%s [%d] %d is no alert and is skipped.", partition.topic, partition.partition, record.offset)
                    self._notifier.deliveries.rejected += 1
                    opened = None
                progress = self._progress(partition.partition, record.offset + 1)
                await self._write([progress] if opened is None else [opened, progress], [])

    async def _evaluate_expectations(self) -> None:
        """Evaluate rules on expectations periodically, and ingest what fires or clears."""
        notifier, loop = self._notifier, asyncio.get_running_loop()
        alerts = self._actions.expected()
        if notifier.expects is None or not (notifier.has_rules() or any(each.alert.state == "firing" for each in alerts)):
            return
        if loop.time() - self._evaluated_at < _EVALUATE_SECONDS:
            return
        self._evaluated_at = loop.time()
        outlook = await notifier.expects()
        if outlook is None:
            return
        for changed in self._expectations.evaluate(outlook, alerts, self._now_ms()):
            opened = ingested(self._actions, changed.alert, self._now_ms())
            await self._write([changed] if opened is None else [changed, opened], [])

    async def _write(self, records: Sequence[ActionRecord], deleted: Sequence[str]) -> None:
        """Write in one transaction, and update the table."""
        if not records and not deleted:
            return
        values: list[tuple[bytes, bytes | None]] = [*map(encoded, records), *((key.encode(), None) for key in deleted)]
        async with self._producer.transaction():
            for key, value in values:
                await self._producer.send(self._partition.topic, value, key=key, partition=self._partition.partition)
        for key, value in values:
            self._actions.feed(key, value)

    def _send(self) -> None:
        """Send each receiver its oldest due notification, one at a time."""
        alerting, waiting = self._notifier.alerting(), self._notifier.deliveries.waiting_since_ms
        waiting.clear()
        for message in self._actions.due():
            key = TopicPartition(f"receiver:{message.receiver}", 0)
            waiting.setdefault(key, int(message.decided_at.timestamp() * 1000))
            if message.receiver not in self._sending:
                attempts = _Attempts(self._notifier, message, alerting)
                self._sending[message.receiver] = asyncio.create_task(attempts.until_outcome())

    def _now_ms(self) -> int:
        return int(self._notifier.clock() * 1000)


class _Attempts:
    """Attempts to send one notification."""

    def __init__(self, notifier: Notifier, message: Notification, alerting: Alerting) -> None:
        self._notifier, self._message, self._of = notifier, message, alerting

    async def until_outcome(self) -> Notification:
        """Send until it is accepted or refused; return it with its outcome."""
        notifier, message = self._notifier, self._message
        pause, longest = notifier.pauses
        where = (message.message_id, message.event, message.receiver)
        while True:
            receiver: Receiver | None = notifier.alerting().receivers.get(message.receiver)
            if receiver is None:
                log.error("Message %s (%s) is dropped: receiver %s is no longer configured.", *where)
                notifier.deliveries.attempts["refused"] += 1
                return self._with_outcome(accepted=False)
            delay = pause * random.uniform(0.5, 1)
            try:
                answer: Answer = await send(receiver, notifier.compose(message), notifier.environment, notifier.clock())
            except SettingError as error:
                notifier.deliveries.attempts["failed"] += 1
                log.error("Message %s (%s) to receiver %s waits: %s.", *where, error)  # noqa: TRY400 - the text suffices
            else:
                if answer.accepted or answer.refused:
                    notifier.deliveries.attempts["delivered" if answer.accepted else "refused"] += 1
                    result = "is delivered" if answer.accepted else f"is refused with {answer.text} and dropped"
                    log.log(logging.INFO if answer.accepted else logging.ERROR, "Message %s (%s) to receiver %s %s.", *where, result)
                    return self._with_outcome(accepted=answer.accepted)
                notifier.deliveries.attempts["failed"] += 1
                log.warning("Message %s (%s) to receiver %s is not delivered: %s. It is retried.", *where, answer.text)
                if answer.retry_after_seconds is not None:
                    delay = max(delay, min(answer.retry_after_seconds, _LONGEST_HOLD_SECONDS))
            await asyncio.sleep(delay)
            pause = min(pause * 2, longest)

    def _with_outcome(self, *, accepted: bool) -> Notification:
        return with_outcome(self._message, accepted=accepted, now_ms=int(self._notifier.clock() * 1000))
