"""The codecs of Kafka, none of which unpacks to more than a batch may hold. They take what aiokafka's take, and return bytes."""

from __future__ import annotations

import contextlib
import gzip
import io
import mmap
import struct
import threading
from typing import TYPE_CHECKING, Any, Final

import cramjam
from aiokafka.codec import _detect_xerial_stream

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DECODERS", "MAX_UNPACKED_BYTES", "TooLargeError", "unpacked"]

#: As much as the largest topic takes in one batch that is not packed: packing gives a sender no more room.
MAX_UNPACKED_BYTES: Final = 8 * 1024 * 1024

_XERIAL_HEADER_BYTES: Final = 16
_PIECE_BYTES: Final = 64 * 1024
#: What is packed to less than one part in so many is unpacked twice: events take a tenth.
_USUAL_RATIO: Final = 20


class TooLargeError(Exception):
    """What is packed is larger than ``MAX_UNPACKED_BYTES``."""

    def __str__(self) -> str:
        return f"they unpack to more than {MAX_UNPACKED_BYTES} bytes; have their producer put less into a batch (batch.size)"


class _Unpacked(threading.local):
    """How many bytes this thread has unpacked."""

    bytes = 0


unpacked: Final = _Unpacked()


def _counted(content: bytes) -> bytes:
    if len(content) > MAX_UNPACKED_BYTES:
        raise TooLargeError
    unpacked.bytes += len(content)
    return content


def gzip_decode(payload: Any) -> bytes:
    """Replaces codec.py, gzip_decode."""
    content, size = list[bytes](), 0
    with gzip.GzipFile(fileobj=io.BytesIO(payload)) as file:
        # Python takes memory for what is asked for, whatever comes.
        while size <= MAX_UNPACKED_BYTES and (piece := file.read(_PIECE_BYTES)):
            content.append(piece)
            size += len(piece)
    return _counted(b"".join(content))


def snappy_decode(payload: Any) -> bytes:
    """Replaces codec.py, snappy_decode: one block, or several with their lengths in the form of xerial."""
    blocks = [memoryview(payload)]
    if _detect_xerial_stream(payload):
        rest, blocks = blocks[0][_XERIAL_HEADER_BYTES:], []
        while rest:
            (length,) = struct.unpack_from("!i", rest)
            if not 0 < length <= len(rest) - 4:
                raise ValueError("a block of Snappy says a length that it does not have")
            blocks.append(rest[4 : 4 + length])
            rest = rest[4 + length :]
    # A block is as large as it says, or refused.
    if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > MAX_UNPACKED_BYTES:
        raise TooLargeError
    return _counted(b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks))


def _decoder_of_frames(codec: Any) -> Callable[[Any], bytes]:
    def decode(payload: Any) -> bytes:
        room = bytearray(min(MAX_UNPACKED_BYTES, _PIECE_BYTES + _USUAL_RATIO * len(payload)))
        with contextlib.suppress(TooLargeError):
            return _decoded(codec, payload, room)
        # Of such memory only what is written to is taken.
        with mmap.mmap(-1, MAX_UNPACKED_BYTES) as most:
            return _decoded(codec, payload, most)

    return decode


def _decoded(codec: Any, payload: Any, room: bytearray | mmap.mmap) -> bytes:
    try:
        size = codec.decompress_into(payload, room)
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error):
            raise TooLargeError from None
        raise
    return _counted(bytes(room[:size]))


#: By their names in aiokafka's readers.
DECODERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "gzip_decode": gzip_decode,
    "snappy_decode": snappy_decode,
    "lz4_decode": _decoder_of_frames(cramjam.lz4),
    "zstd_decode": _decoder_of_frames(cramjam.zstd),
}
