"""What publishers and ledgers do with a producer of Kafka alike: give it records in their order, and stop it within a bound."""

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

#: A request of the gateway that is no JSON at all becomes one dead letter; the dead-letter topics take 8 MiB.
MAX_REQUEST_BYTES: Final = 3 * 512 * 1024

#: How long stopping waits for what is under way, in seconds.
STOP_SECONDS: Final = 5.0

#: After so many records of a request, others have their turn.
_SENT_AT_A_TIME: Final = 200


@contextlib.contextmanager
def unanswered() -> Iterator[list[asyncio.Future[Any]]]:
    """Give the list of what Kafka has yet to answer; it is retrieved also where nobody waits any more, or asyncio complains of it."""
    pending: list[asyncio.Future[Any]] = []
    try:
        yield pending
    finally:
        for future in pending:
            future.add_done_callback(_retrieved)


async def send(producer: Any, records: Iterable[OutgoingRecord], pending: list[asyncio.Future[Any]]) -> None:
    """Give records to a producer in their order, and add to ``pending`` what will say that Kafka has each."""
    for number, record in enumerate(records, start=1):
        if number % _SENT_AT_A_TIME == 0:
            # Where there is room in the producer, nothing here waits: what others send must not wait either.
            await asyncio.sleep(0)
        partitions = sorted(await producer.partitions_for(record.topic)) if record.everywhere else [None]
        for partition in partitions:
            sent = producer.send(record.topic, record.value, key=record.key, partition=partition, headers=record.headers)
            pending.append(await sent)


async def stopped(producer: Any) -> None:
    """Stop a producer, which gives up its transaction; with Kafka gone that would take forever."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (TimeoutError, KafkaError, OSError):
        logger.warning("The Kafka producer did not stop in time.")


def _retrieved(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
