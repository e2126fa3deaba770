"""What all who read from Kafka here do alike: look for a topic without making it, try again after failures, and stop."""

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

#: Pauses before trying again after a failure, doubled each time up to the second.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 5.0
#: How long any question to the brokers may take.
PATIENCE_SECONDS = 5.0


class TopicError(Exception):
    """The topic is another than the one that was read, or not to be read yet."""


class MissingTopicError(TopicError):
    """There is no such topic."""


async def keep_trying(what: str, attempt: Callable[[], Awaitable[NoReturn]], done: str = "read") -> NoReturn:
    """Attempt until cancelled; failures of Kafka are logged, each once until another comes. ``done`` is what is attempted.

    That Kafka is not reached at all is not for each topic to say: serving says it once, with what it means.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    pause = _FIRST_PAUSE_SECONDS
    told = ""
    while True:
        began = loop.time()
        try:
            await attempt()
        except asyncio.CancelledError as error:
            # aiokafka lets the cancelling of its own tasks out: only ours ends this one.
            if task is None or task.cancelling():
                raise
            reason: BaseException = error
        except (KafkaError, OSError, TimeoutError, TopicError) as error:
            if task is not None and task.cancelling():
                # Cancelled in the moment that it failed: of the two, Python 3.11 may tell only this one.
                raise asyncio.CancelledError from error
            reason = error
        if loop.time() - began > _LONGEST_PAUSE_SECONDS:
            pause, told = _FIRST_PAUSE_SECONDS, ""
        if (kind := type(reason).__name__) != told:
            told = kind
            if isinstance(reason, MissingTopicError):
                log.warning("%s is not there. Waiting for the worker to create it.", what)
            else:
                level = logging.DEBUG if isinstance(reason, KafkaConnectionError) else logging.WARNING
                log.log(level, "%s cannot be %s: %r. Trying again until it can.", what, done, reason)
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def partitions_of(name: str, client: Mapping[str, Any]) -> list[TopicPartition]:
    """Return the partitions of a topic.

    Raises:
        MissingTopicError: there is no such topic.
        TopicError: it has no partitions yet.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        admin = AIOKafkaAdminClient(**client)
        try:
            await admin.start()
            # Asking for a topic by name would make it where brokers make topics by themselves.
            if name not in await admin.list_topics():
                raise MissingTopicError(f"there is no topic {name}")
            (found,) = await admin.describe_topics([name])
        finally:
            await admin.close()
    partitions = [TopicPartition(name, entry["partition"]) for entry in found["partitions"]]
    if not partitions:
        raise TopicError(f"{name} shows no partitions yet")
    return partitions


async def stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client in whatever state it is; without brokers it stops halfway, and its connections would be tried forever."""
    for end in (client.stop, client.client.close if isinstance(client, AIOKafkaProducer) else client._client.close):  # noqa: SLF001 - closing a client twice is harmless
        # Waited for, not awaited: what is raised here is of no use to anybody.
        task = asyncio.ensure_future(end())
        _, late = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        for stuck in late:
            stuck.cancel()
        if task.done() and not task.cancelled() and task.exception() is not None:
            log.debug("The client did not stop in order: %r.", task.exception())
