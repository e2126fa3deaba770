"""Send records by a Kafka producer in their order, and stop it within a bound; for publishers and ledgers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.connectors.outgoing import OutgoingRecord

__all__ = ["MAX_REQUEST_BYTES", "STOP_SECONDS", "send", "stopped", "unanswered"]

logger = logging.getLogger(__name__)

#: A request of the gateway that is no JSON becomes one dead letter; the dead-letter topics take 8 MiB.
MAX_REQUEST_BYTES: Final = 3 * 512 * 1024

#: How long stopping waits for records in flight.
STOP_SECONDS: Final = 5.0

#: Records of a request after which other tasks run.
_SENT_AT_A_TIME: Final = 200


@contextlib.contextmanager
def unanswered() -> Iterator[list[asyncio.Future[Any]]]:
    """Yield the list of pending futures; their errors are retrieved also after a cancellation, or asyncio logs them."""
    pending: list[asyncio.Future[Any]] = []
    try:
        yield pending
    finally:
        for future in pending:
            future.add_done_callback(_retrieved)


async def send(producer: Any, records: Iterable[OutgoingRecord], pending: list[asyncio.Future[Any]]) -> None:
    """Send records in their order, and add the future of each acknowledgement to ``pending``."""
    for number, record in enumerate(records, start=1):
        if number % _SENT_AT_A_TIME == 0:
            # With room in its buffer the producer never yields: other senders must not wait.
            await asyncio.sleep(0)
        partitions = sorted(await producer.partitions_for(record.topic)) if record.everywhere else [None]
        for partition in partitions:
            sending = producer.send(record.topic, record.value, key=record.key, partition=partition, headers=record.headers)
            pending.append(await sending)


async def stopped(producer: Any) -> None:
    """Stop a producer, which aborts its transaction; without Kafka that would take for ever."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (TimeoutError, KafkaError, OSError):
        logger.warning("The Kafka producer did not stop in time.")


def _retrieved(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
