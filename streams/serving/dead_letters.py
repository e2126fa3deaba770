"""How many dead letters there are, by topic: from offsets alone, for what stands in dead letters few should read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from aiokafka import AIOKafkaConsumer

from schemas.topics import TOPICS, topic
from streams.serving.broker import PATIENCE_SECONDS, MissingTopicError, keep_trying, partitions_of, stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import TopicPartition

__all__ = ["Dead", "DeadLetterCounts", "DeadLetterWatch"]

#: Topics of dead letters, without prefix.
_NAMES: Final = tuple(sorted({each.dead_letters for each in TOPICS if each.dead_letters is not None}))
_LOOK_SECONDS: Final = 30.0
_HOUR_MS: Final = 3_600_000
#: Nothing has been heard of Kafka for so long: what was known says nothing of now.
_OLD_MS: Final = 180_000


class Dead(NamedTuple):
    """Dead letters of a topic, at most: marks of transactions are counted too. None is none."""

    last_hour: int
    last_day: int
    held: int


class DeadLetterCounts:
    """What was last counted."""

    def __init__(self) -> None:
        self._counted: dict[str, Dead] = {}
        self._at_ms: int | None = None

    def counted(self, found: Mapping[str, Dead], at_ms: int) -> None:
        """Take what was counted at an instant, by topic without prefix."""
        self._counted, self._at_ms = dict(found), at_ms

    def at(self, now_ms: int) -> dict[str, Dead] | None:
        """Return what is known, by topic without prefix; None where that is nothing, or too old."""
        known = self._at_ms is not None and now_ms - self._at_ms <= _OLD_MS
        return dict(self._counted) if known else None


class DeadLetterWatch:
    """Asks now and then where the topics of dead letters begin and end; that takes no right to read them."""

    def __init__(
        self,
        counts: DeadLetterCounts,
        *,
        bootstrap: str,
        topic_prefix: str,
        client_options: Mapping[str, Any] | None = None,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._look_seconds = look_seconds
        self._counts = counts
        self._prefix = topic_prefix
        self._client: dict[str, Any] = {"bootstrap_servers": bootstrap, "client_id": "contact-streams-serve", **(client_options or {})}

    async def run(self) -> None:
        """Count until cancelled; failures of Kafka are logged and tried again."""
        await keep_trying("topics of dead letters", self._follow, "counted")

    async def _follow(self) -> NoReturn:
        consumer = AIOKafkaConsumer(**self._client, group_id=None, enable_auto_commit=False)
        try:
            await asyncio.wait_for(consumer.start(), PATIENCE_SECONDS)
            names: dict[TopicPartition, str] = {}
            while True:
                if len({*names.values()}) < len(_NAMES):
                    names = await self._places()
                # Before the worker has made any there is nothing to say.
                if names:
                    now_ms = int(time.time() * 1000)
                    self._counts.counted(await _counted(consumer, names, now_ms), now_ms)
                await asyncio.sleep(self._look_seconds)
        finally:
            await stop(consumer)

    async def _places(self) -> dict[TopicPartition, str]:
        found: dict[TopicPartition, str] = {}
        for name in _NAMES:
            with contextlib.suppress(MissingTopicError):
                found.update(dict.fromkeys(await partitions_of(topic(name).full_name(self._prefix), self._client), name))
        return found


async def _counted(consumer: AIOKafkaConsumer, names: Mapping[TopicPartition, str], now_ms: int) -> dict[str, Dead]:
    places = list(names)
    begins = await asyncio.wait_for(consumer.beginning_offsets(places), PATIENCE_SECONDS)
    ends = await asyncio.wait_for(consumer.end_offsets(places), PATIENCE_SECONDS)
    found: dict[str, Dead] = {}
    since = [
        await asyncio.wait_for(consumer.offsets_for_times(dict.fromkeys(places, now_ms - hours * _HOUR_MS)), PATIENCE_SECONDS)
        for hours in (1, 24)
    ]
    for place, name in names.items():
        hour, day = (0 if each.get(place) is None else max(0, ends[place] - each[place].offset) for each in since)
        before = found.get(name, Dead(0, 0, 0))
        found[name] = Dead(before.last_hour + hour, before.last_day + day, before.held + ends[place] - begins[place])
    return found
