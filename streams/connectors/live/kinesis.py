"""Read a stream of Kinesis shard by shard; the cursor holds sequence numbers, and is stored with the events."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from streams.connectors.kit.reading import loaded, written
from streams.connectors.live.amazon import address, answering, service
from streams.connectors.pull.model import Page, Pull, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streams.connectors.pull.model import PollContext

__all__ = ["kinesis"]

#: Of one shard at a time: a page is held in memory.
_PAGE_RECORDS: Final = 1_000

#: A record may be found this long after it was put into the stream.
_WITHHELD: Final = timedelta(seconds=5)


def kinesis(name: str, *, final_after: timedelta = timedelta(0)) -> Pull:
    """Return how to poll a stream.

    Args:
        name: of the connector.
        final_after: how long after it occurred something is reported at the latest.
    """

    async def fetch(poll: PollContext) -> AsyncGenerator[Page, None]:
        """Yield what is new in each shard."""
        stream = text_of(poll.settings, "stream")
        of_stream = {"StreamARN" if stream.startswith("arn:") else "StreamName": stream}
        with answering("kinesis"):
            async with service("kinesis", poll.settings) as client:
                shards = [shard async for shard in _shards(client, of_stream)]
                known: dict[str, str] = dict(poll.cursor.get("shards", {}))
                behind = timedelta(0)
                # A shard that the stream has dropped is dropped here too.
                positions = {shard: known.get(shard, "") for shard in shards}
                for shard in shards:
                    # A shard split off later is read from its beginning.
                    is_new = bool(known) and shard not in known
                    async for data, position, late in _read(client, of_stream, shard, positions[shard], poll, is_new=is_new):
                        positions[shard] = position
                        behind = max(behind, late)
                        if data:
                            yield Page(data, {"shards": dict(positions)})
                yield Page(b"", {"shards": positions}, poll.now() - behind - _WITHHELD - final_after)

    return Pull(name=name, fetch=fetch, base=_base, poll_seconds=2.0)


def _base(settings: Mapping[str, Any]) -> str:
    text_of(settings, "stream")
    return address("kinesis", settings)


async def _shards(client: Any, of_stream: Mapping[str, str]) -> AsyncGenerator[str, None]:
    request: Mapping[str, str] = of_stream
    while True:
        answer = await client.list_shards(**request)
        for shard in answer["Shards"]:
            yield str(shard["ShardId"])
        if not answer.get("NextToken"):
            return
        request = {"NextToken": answer["NextToken"]}


async def _read(
    client: Any, of_stream: Mapping[str, str], shard: str, position: str, poll: PollContext, *, is_new: bool
) -> AsyncGenerator[tuple[bytes, str, timedelta], None]:
    """Yield records, the sequence number of the last of them, and how far behind the end of the shard that is."""
    if position:
        begin: dict[str, Any] = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
    elif is_new:
        begin = {"ShardIteratorType": "TRIM_HORIZON"}
    else:
        begin = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": poll.since}
    iterator = (await client.get_shard_iterator(**of_stream, ShardId=shard, **begin))["ShardIterator"]
    while iterator:
        answer = await client.get_records(ShardIterator=iterator, Limit=_PAGE_RECORDS)
        records = answer["Records"]
        late = timedelta(milliseconds=answer.get("MillisBehindLatest") or 0)
        if records:
            position = records[-1]["SequenceNumber"]
        yield b"\n".join(_json(record["Data"]) for record in records), position, late
        iterator = answer.get("NextShardIterator")
        if not late:
            return


def _json(data: bytes) -> bytes:
    """Return a record on one line; bytes that are no JSON object inside one, so that the record alone is rejected."""
    try:
        content = loaded(data)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        content = {"not_json": base64.b64encode(data).decode()}
    return written(content)
