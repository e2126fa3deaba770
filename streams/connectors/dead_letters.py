"""Read dead letters from their topics, and decide with the current decoder what a replay of each would do; nothing is sent here."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.dead_letters import CONTENT_ENCODING, DETAIL, REASON, REPLAYED, Origin, origin_of
from schemas.decoding import Rejected, decode_agent_event, decode_contact_event, decode_customer_event
from schemas.limits import TIME_DETAILS, bound_complete_through, bound_times
from schemas.topics import TOPICS, topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from types import TracebackType

    from aiokafka import ConsumerRecord

__all__ = [
    "DeadLetter",
    "DeadLetterReader",
    "IncompleteError",
    "Judge",
    "NoTopicError",
    "ReplayedOffsets",
    "Verdict",
    "Wanted",
    "dead_letter_topics",
    "ranges",
]

#: Unpacked, a record that the broker accepts is smaller than this, unless its producer intends harm.
_MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024

#: The largest dead letter with its headers: a fetch holds little more than one of them.
_FETCH_BYTES: Final = 9 * 1024 * 1024

#: How long disconnecting may take, in seconds.
_STOP_SECONDS: Final = 5.0


class NoTopicError(Exception):
    """A dead-letter topic does not exist."""


class IncompleteError(Exception):
    """The dead letter does not hold all bytes of its record."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter; ``at_ms`` is when it was written."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, record: ConsumerRecord) -> DeadLetter:
        """Return the dead letter that a record holds."""
        return cls(
            record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, tuple(map(tuple, record.headers))
        )

    def header(self, name: str) -> str | None:
        """Return the text of a header; of several, the last one added."""
        values = [value for header, value in self.headers if header == name]
        return values[-1].decode(errors="replace") if values else None

    @property
    def location(self) -> str:
        """``topic/partition/offset``."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def reason(self) -> str:
        """Why the record was dead-lettered, as metrics count it."""
        return self.header(REASON) or "unknown"

    @property
    def detail(self) -> str:
        """The same for operators."""
        return self.header(DETAIL) or ""

    @property
    def origin(self) -> Origin | None:
        """Where the record was; None for what a connector could not turn into a record."""
        try:
            return origin_of(self.headers)
        except ValueError:
            return None

    def original(self) -> bytes | None:
        """Return the value of the record.

        Raises:
            IncompleteError: only its beginning is stored, or it is packed and cannot be unpacked.
        """
        encoding = self.header(CONTENT_ENCODING)
        if encoding is None or self.value is None:
            return self.value
        if encoding != "gzip":
            message = f"only the first {len(self.value)} bytes are stored"
            raise IncompleteError(message)
        unpacking = zlib.decompressobj(wbits=31)
        try:
            value = unpacking.decompress(self.value, _MAX_UNPACKED_BYTES)
        except zlib.error as error:
            message = f"it cannot be unpacked: {error}"
            raise IncompleteError(message) from error
        if not unpacking.eof:
            message = f"it is cut, or longer than {_MAX_UNPACKED_BYTES} bytes when unpacked"
            raise IncompleteError(message)
        return value


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters are selected; None means all. Times are when they were written, in milliseconds."""

    reasons: frozenset[str] | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def matches(self, dead_letter: DeadLetter) -> bool:
        """Return whether a dead letter is selected."""
        return (
            (self.reasons is None or dead_letter.reason in self.reasons)
            and (self.since_ms is None or dead_letter.at_ms >= self.since_ms)
            and (self.until_ms is None or dead_letter.at_ms < self.until_ms)
        )


def dead_letter_topics(prefix: str, source: str | None = None) -> dict[str, int]:
    """Return the dead-letter topics, or that of one source, named with or without prefix and version: full name → partitions.

    Raises:
        ValueError: the source has none.
    """
    topics = [(entry, topic(entry.dead_letters)) for entry in TOPICS if entry.dead_letters]
    chosen = {
        dead_letters.full_name(prefix): dead_letters.partitions
        for entry, dead_letters in topics
        if source is None or source in {entry.name, entry.full_name(prefix), entry.name.rpartition(".")[0]}
    }
    if not chosen:
        message = f"{source}: no topic with dead letters; there are {', '.join(entry.name for entry, _ in topics)}"
        raise ValueError(message)
    return chosen


# ---- What a replay would do --------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What the current worker would do with a dead letter replayed now; ``impossible`` if it cannot be replayed at all."""

    outcome: Literal["accepted", "rejected", "impossible"]
    why: str = ""
    value: bytes | None = None


class Judge:
    """Decides as the track stages do."""

    def __init__(self, prefix: str) -> None:
        """Judge dead letters of the topics whose names begin with the prefix."""
        decoders: dict[str, Callable[[bytes | None], Any]] = {
            "contact-events.v1": decode_contact_event,
            "agent-events.v1": decode_agent_event,
            "customer-events.v1": decode_customer_event,
        }
        self._known = {topic(name).full_name(prefix): (topic(name).partitions, decode) for name, decode in decoders.items()}

    def judge(self, dead_letter: DeadLetter, now_ms: int) -> Verdict:
        """Return what would become of a dead letter replayed at an instant."""
        origin = dead_letter.origin
        if origin is None:
            return Verdict("impossible", "it never was a record; its sender has to send it again")
        partitions, decode = self._known.get(origin.topic, (0, decode_contact_event))
        if not 0 <= origin.partition < partitions:
            return Verdict("impossible", f"it came from partition {origin.partition} of {origin.topic}, which is none of ours")
        try:
            value = dead_letter.original()
            event = decode(value)
        except IncompleteError as error:
            return Verdict("impossible", f"{error}; the record itself is at {origin.topic}/{origin.partition}/{origin.offset}")
        except Rejected as rejected:
            return Verdict("rejected", str(rejected), value)
        wrong = bound_times(event, now_ms)
        if wrong is None and event.type == "source.heartbeat":
            wrong = bound_complete_through(event, now_ms)
        if wrong is not None:
            return Verdict("rejected", f"{wrong}: {TIME_DETAILS[wrong]}", value)
        return Verdict("accepted", "", value)


# ---- What was replayed already -----------------------------------------------------------------------------------------------------


def ranges(offsets: Sequence[int]) -> str:
    """Return ascending offsets as text: ``17-20,25``."""
    spans: list[list[int]] = []
    for offset in offsets:
        if spans and spans[-1][1] == offset - 1:
            spans[-1][1] = offset
        else:
            spans.append([offset, offset])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)


class ReplayedOffsets:
    """Offsets of one partition that were replayed, from the replay notes in its topic; one byte an offset."""

    def __init__(self, begin: int, end: int) -> None:
        """Begin with none of the offsets from ``begin`` to before ``end``."""
        self._begin = begin
        self._replayed = bytearray(max(0, end - begin))

    def add(self, text: str) -> None:
        """Read a replay note; ignore a text that is none."""
        for span in text.split(","):
            first, _, last = span.partition("-")
            if first.isascii() and first.isdigit() and (not last or (last.isascii() and last.isdigit())):
                low = max(int(first) - self._begin, 0)
                high = min(int(last or first) + 1 - self._begin, len(self._replayed))
                if low < high:
                    self._replayed[low:high] = b"\x01" * (high - low)

    def __contains__(self, offset: int) -> bool:
        """Return whether an offset was replayed."""
        index = offset - self._begin
        return 0 <= index < len(self._replayed) and self._replayed[index] == 1


# ---- The topics --------------------------------------------------------------------------------------------------------------------


class DeadLetterReader:
    """Reads committed records of dead-letter topics, up to the end offsets when it was opened. Holds a few fetches in memory."""

    def __init__(self, bootstrap: str, topics: Mapping[str, int], client_options: Mapping[str, Any] | None = None) -> None:
        """Prepare to read these topics, full name → partitions."""
        self._topics = topics
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            client_id="contact-streams-dead-letters",
            enable_auto_commit=False,
            isolation_level="read_committed",
            # Retention may pass the offset that is read next.
            auto_offset_reset="earliest",
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_FETCH_BYTES,
            **(client_options or {}),
        )
        self.begins: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        """Connect, and read where each partition begins and ends."""
        try:
            await self._consumer.start()
            known = await self._consumer.topics()
            if missing := [name for name in self._topics if name not in known]:
                message = f"there is no topic {', '.join(missing)}: wrong --prefix, or no worker has run here yet"
                raise NoTopicError(message)  # noqa: TRY301 - stops the consumer as any other failure
            partitions = [TopicPartition(name, number) for name, count in self._topics.items() for number in range(count)]
            self.begins = await self._consumer.beginning_offsets(partitions)
            self.ends = await self._consumer.end_offsets(partitions)
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect. A consumer that was just assigned may miss a stop; the timeout ends the wait."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._consumer.stop(), _STOP_SECONDS)

    @property
    def partitions(self) -> list[TopicPartition]:
        """The partitions, in order."""
        return sorted(self.ends)

    async def dead_letters(
        self, partition: TopicPartition, since_ms: int | None = None, end: int | None = None
    ) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters of a partition in order, from an instant on and up to an offset."""
        begin = self.begins[partition]
        if since_ms is not None:
            first = (await self._consumer.offsets_for_times({partition: max(since_ms, 0)}))[partition]
            begin = self.ends[partition] if first is None else first.offset
        async for record in self._records(partition, begin, self.ends[partition] if end is None else end):
            dead_letter = DeadLetter.of(record)
            if dead_letter.header(REPLAYED) is None:
                yield dead_letter

    async def replayed(self, partition: TopicPartition) -> ReplayedOffsets:
        """Return the offsets of a partition that were replayed."""
        replayed = ReplayedOffsets(self.begins[partition], self.ends[partition])
        async for record in self._records(partition, self.begins[partition], self.ends[partition]):
            for name, value in record.headers:
                if name == REPLAYED:
                    replayed.add(value.decode(errors="replace"))
        return replayed

    async def dead_letter(self, partition: TopicPartition, offset: int) -> DeadLetter | None:
        """Return one dead letter, None if it is not there (any more)."""
        if self.begins[partition] <= offset < self.ends[partition]:
            async for record in self._records(partition, offset, offset + 1):
                return DeadLetter.of(record)
        return None

    async def _records(self, partition: TopicPartition, begin: int, end: int) -> AsyncIterator[ConsumerRecord]:
        if begin >= end:
            return
        consumer = self._consumer
        consumer.assign([partition])
        consumer.seek(partition, begin)
        # The position, not the last record, shows when the end is reached: control records take offsets too.
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(partition, timeout_ms=500, max_records=500)).get(partition, ()):
                if record.offset >= end:
                    return
                yield record
