"""The codecs of Kafka, bounded by the size of a batch. They have the signatures of aiokafka's, and return bytes."""

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

#: The largest unpacked batch of any topic: packing gives a producer no more room.
MAX_UNPACKED_BYTES: Final = 8 * 1024 * 1024

_XERIAL_HEADER_BYTES: Final = 16
_PIECE_BYTES: Final = 64 * 1024
#: A batch with a higher ratio of compression is unpacked twice; that of events is ten.
_USUAL_RATIO: Final = 20


class TooLargeError(Exception):
    """A batch unpacks to more than ``MAX_UNPACKED_BYTES``."""

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
        # Python allocates the requested size, whatever it reads.
        while size <= MAX_UNPACKED_BYTES and (piece := file.read(_PIECE_BYTES)):
            content.append(piece)
            size += len(piece)
    return _counted(b"".join(content))


def snappy_decode(payload: Any) -> bytes:
    """Replaces codec.py, snappy_decode: one block, or several with their lengths in the form of xerial."""
    blocks = [memoryview(payload)]
    if _detect_xerial_stream(payload):
        remaining, blocks = blocks[0][_XERIAL_HEADER_BYTES:], []
        while remaining:
            (length,) = struct.unpack_from("!i", remaining)
            if not 0 < length <= len(remaining) - 4:
                raise ValueError("a block of Snappy has a wrong length")
            blocks.append(remaining[4 : 4 + length])
            remaining = remaining[4 + length :]
    # A block has the length in its header, or is refused.
    if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > MAX_UNPACKED_BYTES:
        raise TooLargeError
    return _counted(b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks))


def _decoder_of_frames(codec: Any) -> Callable[[Any], bytes]:
    def decode(payload: Any) -> bytes:
        room = bytearray(min(MAX_UNPACKED_BYTES, _PIECE_BYTES + _USUAL_RATIO * len(payload)))
        with contextlib.suppress(TooLargeError):
            return _decoded(codec, payload, room)
        # Only the pages that are written take memory.
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
