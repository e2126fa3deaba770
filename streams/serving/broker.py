"""What all Kafka clients of serve share: find a topic without creating it, retry after failures, and stop."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, NoReturn

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiokafka import AIOKafkaConsumer

__all__ = ["PATIENCE_SECONDS", "MissingTopicError", "TopicError", "keep_trying", "partitions_of", "stop"]

log = logging.getLogger(__name__)

#: Pause before a retry: the first, doubled each time up to the longest.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 5.0
#: Timeout of a request to the brokers.
PATIENCE_SECONDS = 5.0


class TopicError(Exception):
    """The topic was recreated, or cannot be read yet."""


class MissingTopicError(TopicError):
    """The topic does not exist."""


async def keep_trying(what: str, attempt: Callable[[], Awaitable[NoReturn]], done: str = "read") -> NoReturn:
    """Attempt until cancelled. Log each kind of failure of Kafka once in a row; ``done`` is the participle for the log.

    A lost connection is logged at debug level only: serve logs it once, with its consequences.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    pause = _FIRST_PAUSE_SECONDS
    logged = ""
    while True:
        began = loop.time()
        try:
            await attempt()
        except asyncio.CancelledError as error:
            # aiokafka leaks the cancellation of its own tasks; only a cancellation of this task ends it.
            if task is None or task.cancelling():
                raise
            reason: BaseException = error
        except (KafkaError, OSError, TimeoutError, TopicError) as error:
            if task is not None and task.cancelling():
                # Cancelled at the moment of the failure: Python 3.11 may report only the failure.
                raise asyncio.CancelledError from error
            reason = error
        if loop.time() - began > _LONGEST_PAUSE_SECONDS:
            pause, logged = _FIRST_PAUSE_SECONDS, ""
        if (kind := type(reason).__name__) != logged:
            logged = kind
            if isinstance(reason, MissingTopicError):
                log.warning("%s does not exist. Waiting for the worker to create it.", what)
            else:
                level = logging.DEBUG if isinstance(reason, KafkaConnectionError) else logging.WARNING
                log.log(level, "%s cannot be %s: %r. Trying again until it can.", what, done, reason)
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def partitions_of(name: str, client: Mapping[str, Any]) -> list[TopicPartition]:
    """Return the partitions of a topic.

    Raises:
        MissingTopicError: the topic does not exist.
        TopicError: it has no partitions yet.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        admin = AIOKafkaAdminClient(**client)
        try:
            await admin.start()
            # A request for one topic would create it where brokers create topics automatically.
            if name not in await admin.list_topics():
                raise MissingTopicError(f"there is no topic {name}")
            (description,) = await admin.describe_topics([name])
        finally:
            await admin.close()
    partitions = [TopicPartition(name, entry["partition"]) for entry in description["partitions"]]
    if not partitions:
        raise TopicError(f"{name} has no partitions yet")
    return partitions


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client in any state; without brokers a plain stop ends halfway, and its connections would retry forever."""
    for end in (client.stop, client.client.close if isinstance(client, AIOKafkaProducer) else client._client.close):  # noqa: SLF001 - closing a client twice is harmless
        # Waited for, not awaited: its errors do not matter here.
        task = asyncio.ensure_future(end())
        _, late = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        for stuck in late:
            stuck.cancel()
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.debug("The client did not stop cleanly: %r.", task.exception())
