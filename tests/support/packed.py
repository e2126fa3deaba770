"""Batches of records as a sender may pack them, whatever they hold: written byte by byte, after the protocol's description."""

from __future__ import annotations

import struct
import zlib
from itertools import repeat
from typing import TYPE_CHECKING, Any

import cramjam
from aiokafka.record.util import calc_crc32c

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiokafka import AIOKafkaProducer

__all__ = ["CODECS", "batch", "legacy_batch", "packed", "publish", "record", "zeros"]

#: Name → number in the attributes of a batch.
CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}

_MIB = 1024 * 1024
_XERIAL = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)


def _varint(number: int) -> bytes:
    zigzag, written = 2 * number if number >= 0 else -2 * number - 1, b""
    while zigzag > 0x7F:
        written += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return written + bytes([zigzag])


def record(offset: int, value: bytes | None) -> bytes:
    """Return a record without key, the one at ``offset`` of its batch."""
    body = b"\0" + _varint(0) + _varint(offset) + _varint(-1)
    body += _varint(-1) if value is None else _varint(len(value)) + value
    body += _varint(0)
    return _varint(len(body)) + body


def zeros(mebibytes: int) -> Iterator[bytes]:
    """Yield the pieces of one record of ``mebibytes`` MiB of zeros."""
    size = mebibytes * _MIB
    begin, end = b"\0" + _varint(0) + _varint(0) + _varint(-1) + _varint(size), _varint(0)
    yield _varint(len(begin) + size + len(end)) + begin
    yield from repeat(bytes(_MIB), mebibytes)
    yield end


def packed(codec: str, pieces: Iterable[bytes]) -> bytes:
    """Return pieces packed, without all of them in memory at once."""
    if codec == "snappy":
        blocks = (piece[at : at + 32768] for piece in pieces for at in range(0, len(piece), 32768))
        return _XERIAL + b"".join(struct.pack(">i", len(each)) + each for each in map(bytes, map(cramjam.snappy.compress_raw, blocks)))
    if codec == "gzip":
        packing = zlib.compressobj(9, wbits=31)
        return b"".join(map(packing.compress, pieces)) + packing.flush()
    compressor: Any = cramjam.zstd.Compressor()
    if codec == "lz4":
        compressor = cramjam.lz4.Compressor(level=9, content_checksum=False, block_linked=False)
    for piece in pieces:
        compressor.compress(piece)
    return bytes(compressor.finish())


def batch(codec: str | None, content: bytes, *, base: int = 0, count: int = 1) -> bytes:
    """Return a batch of ``count`` records; ``content`` is theirs, packed."""
    attributes = CODECS[codec] if codec else 0
    rest = struct.pack(">hiqqqhii", attributes, count - 1, 7, 7, -1, -1, -1, count) + content
    return struct.pack(">qiibI", base, 9 + len(rest), -1, 2, calc_crc32c(rest)) + rest


def legacy_batch(codec: str | None, content: bytes, *, magic: int, offset: int = 0) -> bytes:
    """Return a message of before Kafka 0.11: ``content`` is its value, or with a codec packed messages."""
    head = struct.pack(">bb", magic, CODECS[codec] if codec else 0) + (struct.pack(">q", 7) if magic else b"")
    rest = head + struct.pack(">ii", -1, len(content)) + content
    return struct.pack(">qiI", offset, 4 + len(rest), zlib.crc32(rest)) + rest


async def publish(producer: AIOKafkaProducer, topic: str, partition: int, content: bytes) -> int:
    """Publish a batch unchanged; return the offset of its first record."""
    builder = producer.create_batch()
    builder.append(key=None, value=b"", timestamp=None)
    builder._build = lambda: content
    sent = await producer.send_batch(builder, topic, partition=partition)
    return int((await sent).offset)
