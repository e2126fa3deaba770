"""A proxy between Kafka clients and the embedded broker that lets a fetch wait for records as Apache Kafka does.

The embedded broker answers an empty fetch at once, so that each consumer fetches thousands of times a second. The relay delays such an
answer until a record is written, or until the client's maximum wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from typing import Final

__all__ = ["Relay", "finds_nothing"]

_PRODUCE, _FETCH, _METADATA, _FIND_COORDINATOR, _END_TRANSACTION = 0, 1, 3, 10, 26
#: Answers with addresses of brokers.
_WITH_ADDRESSES: Final = frozenset({_METADATA, _FIND_COORDINATOR})
#: Requests after which a consumer may find something.
_WRITES: Final = frozenset({_PRODUCE, _END_TRANSACTION})
#: Versions of a fetch whose format is known here; others are passed on unchanged.
_KNOWN_FETCHES: Final = range(4, 12)
#: Time from the first of several consecutive writes until waiting fetches are repeated.
_GATHER_SECONDS: Final = 0.025

_HOST: Final = "127.0.0.1"
_LENGTH: Final = struct.Struct(">i")
_SHORT: Final = struct.Struct(">h")
_REQUEST_HEAD: Final = struct.Struct(">hhih")
_FETCH_BEGIN: Final = struct.Struct(">ii")

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Listens on a free port of 127.0.0.1 and passes everything on to the broker; runs in a separate thread."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        #: set, and replaced, after something was written
        self._written = asyncio.Event()
        self._is_waking = False
        self._thread: threading.Thread | None = None
        self._connections: set[asyncio.Task[None]] = set()
        #: The port to give to clients, 0 until it is started.
        self.port = 0
        #: api key → number of requests to the broker
        self.asked: dict[int, int] = {}

    def start(self) -> None:
        """Begin to listen; raise OSError if that is impossible."""
        started = threading.Event()
        failed: list[OSError] = []

        def run() -> None:
            try:
                asyncio.run(self._run(started))
            except OSError as error:
                failed.append(error)
            finally:
                started.set()

        self._thread = threading.Thread(target=run, name="embedded-broker-relay", daemon=True)
        self._thread.start()
        started.wait()
        if failed:
            raise failed[0]

    def stop(self) -> None:
        """Close every connection; stopping twice is harmless."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(stop.set)
        thread.join()

    async def _run(self, started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, _HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        try:
            await self._stop.wait()
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                broker = await asyncio.open_connection(_HOST, self._broker_port)
                try:
                    await self._pass_on((reader, writer), broker)
                finally:
                    broker[1].close()
            finally:
                writer.close()

    async def _pass_on(self, client: _Connection, broker: _Connection) -> None:
        """Pass requests on one after another, as a broker processes them."""
        while True:
            request = await _frame(client[0])
            key, version, _, client_id_length = _REQUEST_HEAD.unpack_from(request)
            body = _REQUEST_HEAD.size + max(0, client_id_length)
            if key == _PRODUCE and not _wants_answer(request, body, version):
                _send(broker[1], request)
                self._note_write()
                continue
            if key == _FETCH and version in _KNOWN_FETCHES:
                answer = await self._fetch(broker, request, version, _FETCH_BEGIN.unpack_from(request, body)[1])
            else:
                answer = await self._answer(broker, key, request)
            if key in _WITH_ADDRESSES:
                host = _HOST.encode()
                answer = answer.replace(host + _LENGTH.pack(self._broker_port), host + _LENGTH.pack(self.port))
            elif key in _WRITES:
                self._note_write()
            _send(client[1], answer)
            await client[1].drain()

    async def _answer(self, broker: _Connection, key: int, request: bytes) -> bytes:
        self.asked[key] = self.asked.get(key, 0) + 1
        _send(broker[1], request)
        await broker[1].drain()
        return await _frame(broker[0])

    async def _fetch(self, broker: _Connection, request: bytes, version: int, longest_ms: int) -> bytes:
        """Repeat a fetch after each write until it returns records, or until the client's maximum wait."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + longest_ms / 1000
        while True:
            written = self._written  # before the fetch: a write meanwhile must not be missed
            answer = await self._answer(broker, _FETCH, request)
            left = deadline - loop.time()
            if left <= 0 or not finds_nothing(answer, version):
                return answer
            try:
                # Not wait_for: in Python 3.11 it ignores a cancellation that coincides with a write.
                async with asyncio.timeout(left):
                    await written.wait()
            except TimeoutError:
                return answer

    def _note_write(self) -> None:
        """Repeat all waiting fetches after a moment: writes come in groups."""
        if self._loop is not None and not self._is_waking:
            self._is_waking = True
            self._loop.call_later(_GATHER_SECONDS, self._wake_fetches)

    def _wake_fetches(self) -> None:
        self._is_waking = False
        self._written.set()
        self._written = asyncio.Event()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)


def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.writelines((_LENGTH.pack(len(frame)), frame))


def _wants_answer(request: bytes, body: int, version: int) -> bool:
    """Return whether a produce request asks for acknowledgement; otherwise there is no answer."""
    if version >= 3:  # noqa: PLR2004 - since then it begins with a transactional id
        body += _SHORT.size + max(0, _SHORT.unpack_from(request, body)[0])
    return bool(_SHORT.unpack_from(request, body)[0])


def finds_nothing(answer: bytes, version: int) -> bool:
    """Return whether the answer to a fetch of this version has neither a record nor an error."""
    at = 8  # correlation id, throttle time
    if version >= 7:  # noqa: PLR2004 - error and session
        if _SHORT.unpack_from(answer, at)[0]:
            return False
        at += 6
    (topics,) = _LENGTH.unpack_from(answer, at)
    at += 4
    for _ in range(topics):
        at += 2 + _SHORT.unpack_from(answer, at)[0]
        (partitions,) = _LENGTH.unpack_from(answer, at)
        at += 4
        for _ in range(partitions):
            if _SHORT.unpack_from(answer, at + 4)[0]:
                return False
            # partition, error, high watermark, last stable offset, from 5 on the log's start
            at += 4 + 2 + 8 + 8 + (8 if version >= 5 else 0)  # noqa: PLR2004
            aborted = max(0, _LENGTH.unpack_from(answer, at)[0])
            at += 4 + 16 * aborted + (4 if version >= 11 else 0)  # noqa: PLR2004 - from 11 on the replica to read from
            (size,) = _LENGTH.unpack_from(answer, at)
            if size > 0:
                return False
            at += 4
    return True
