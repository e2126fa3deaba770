"""A stream of Kinesis is read shard by shard; how far is kept as sequence numbers, with the events."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import loaded, written
from streams.connectors.live.amazon import address, answering, service
from streams.connectors.pull.model import Page, Pull, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streams.connectors.pull.model import Asking

__all__ = ["kinesis"]

#: Of one shard at a time: a page is in memory as a whole.
_PAGE_RECORDS: Final = 1_000

#: What was put into a stream later than this before it is read may not be found yet.
_WITHHELD: Final = timedelta(seconds=5)


def kinesis(name: str, *, settles: timedelta = timedelta(0)) -> Pull:
    """Return how a connector reads its stream.

    Args:
        name: of the connector.
        settles: how long after something occurred it is told at the latest.
    """

    async def fetch(asking: Asking) -> AsyncGenerator[Page, None]:
        """Yield what is new in each shard."""
        stream = text_of(asking.settings, "stream")
        of_stream = {"StreamARN" if stream.startswith("arn:") else "StreamName": stream}
        with answering("kinesis"):
            async with service("kinesis", asking.settings) as client:
                shards = [shard async for shard in _shards(client, of_stream)]
                known: dict[str, str] = dict(asking.cursor.get("shards", {}))
                behind = timedelta(0)
                # A shard that its stream has forgotten is forgotten here too.
                places = {shard: known.get(shard, "") for shard in shards}
                for shard in shards:
                    # One that came of another since all of them were first seen is new as a whole.
                    is_new = bool(known) and shard not in known
                    async for data, place, late in _read(client, of_stream, shard, places[shard], asking, is_new=is_new):
                        places[shard] = place
                        behind = max(behind, late)
                        if data:
                            yield Page(data, {"shards": dict(places)})
                yield Page(b"", {"shards": places}, asking.now() - behind - _WITHHELD - settles)

    return Pull(name=name, fetch=fetch, base=_base, poll_seconds=2.0)


def _base(settings: Mapping[str, Any]) -> str:
    text_of(settings, "stream")
    return address("kinesis", settings)


async def _shards(client: Any, of_stream: Mapping[str, str]) -> AsyncGenerator[str, None]:
    asked: Mapping[str, str] = of_stream
    while True:
        answer = await client.list_shards(**asked)
        for shard in answer["Shards"]:
            yield str(shard["ShardId"])
        if not answer.get("NextToken"):
            return
        asked = {"NextToken": answer["NextToken"]}


async def _read(
    client: Any, of_stream: Mapping[str, str], shard: str, place: str, asking: Asking, *, is_new: bool
) -> AsyncGenerator[tuple[bytes, str, timedelta], None]:
    """Yield records, the sequence number of the last of them, and how far behind the end of the shard that is."""
    if place:
        begin: dict[str, Any] = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": place}
    elif is_new:
        begin = {"ShardIteratorType": "TRIM_HORIZON"}
    else:
        begin = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": asking.since}
    iterator = (await client.get_shard_iterator(**of_stream, ShardId=shard, **begin))["ShardIterator"]
    while iterator:
        answer = await client.get_records(ShardIterator=iterator, Limit=_PAGE_RECORDS)
        records = answer["Records"]
        late = timedelta(milliseconds=answer.get("MillisBehindLatest") or 0)
        if records:
            place = records[-1]["SequenceNumber"]
        yield b"\n".join(_json(record["Data"]) for record in records), place, late
        iterator = answer.get("NextShardIterator")
        if not late:
            return


def _json(data: bytes) -> bytes:
    """Return a record on one line; what is no JSON object as one that holds its bytes, so that it is rejected alone."""
    try:
        content = loaded(data)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        content = {"not_json": base64.b64encode(data).decode()}
    return written(content)
