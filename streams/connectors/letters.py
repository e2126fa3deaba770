"""Dead letters read back from their topics, and what today's decoder says of each; sending them is not done here."""

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

__all__ = ["Judge", "Letter", "LetterReader", "Marks", "NoTopicError", "NotWholeError", "Verdict", "Wanted", "dead_letter_topics", "ranges"]

#: More than any record that a broker of ours takes in becomes when unpacked, unless somebody means it to.
_MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024

#: Largest dead letter and its headers: fetched whole, and little more than one of them at a time.
_FETCH_BYTES: Final = 9 * 1024 * 1024

#: How long disconnecting may take, in seconds.
_STOP_SECONDS: Final = 5.0


class NoTopicError(Exception):
    """A dead-letter topic is not there."""


class NotWholeError(Exception):
    """The bytes of the record are not all in its dead letter."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; ``at_ms`` is when it was set aside."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, record: ConsumerRecord) -> Letter:
        """Return the letter that a record holds."""
        return cls(
            record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, tuple(map(tuple, record.headers))
        )

    def said(self, name: str) -> str | None:
        """Return the text of a header; of several, the last one, which was added last."""
        found = [value for header, value in self.headers if header == name]
        return found[-1].decode(errors="replace") if found else None

    @property
    def place(self) -> str:
        """Names it: ``topic/partition/offset``."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def reason(self) -> str:
        """Why it was set aside, as it is counted."""
        return self.said(REASON) or "unknown"

    @property
    def detail(self) -> str:
        """The same for people."""
        return self.said(DETAIL) or ""

    @property
    def origin(self) -> Origin | None:
        """Where the record was; None for what a connector could not make a record of."""
        try:
            return origin_of(self.headers)
        except ValueError:
            return None

    def original(self) -> bytes | None:
        """Return the value that the record had.

        Raises:
            NotWholeError: only its beginning was kept, or it is packed and cannot be unpacked.
        """
        encoding = self.said(CONTENT_ENCODING)
        if encoding is None or self.value is None:
            return self.value
        if encoding != "gzip":
            message = f"only the first {len(self.value)} bytes were kept"
            raise NotWholeError(message)
        unpacking = zlib.decompressobj(wbits=31)
        try:
            value = unpacking.decompress(self.value, _MAX_UNPACKED_BYTES)
        except zlib.error as error:
            message = f"it cannot be unpacked: {error}"
            raise NotWholeError(message) from error
        if not unpacking.eof:
            message = f"it is cut, or longer than {_MAX_UNPACKED_BYTES} bytes when unpacked"
            raise NotWholeError(message)
        return value


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant; None means all. Times are when they were set aside, in milliseconds."""

    reasons: frozenset[str] | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Say whether this one is meant."""
        return (
            (self.reasons is None or letter.reason in self.reasons)
            and (self.since_ms is None or letter.at_ms >= self.since_ms)
            and (self.until_ms is None or letter.at_ms < self.until_ms)
        )


def dead_letter_topics(prefix: str, source: str | None = None) -> dict[str, int]:
    """Return the dead-letter topics, or that of one source, named with or without prefix and version: full name → partitions.

    Raises:
        ValueError: the source has none.
    """
    found = [(entry, topic(entry.dead_letters)) for entry in TOPICS if entry.dead_letters]
    chosen = {
        letters.full_name(prefix): letters.partitions
        for entry, letters in found
        if source is None or source in {entry.name, entry.full_name(prefix), entry.name.rpartition(".")[0]}
    }
    if not chosen:
        message = f"{source}: no topic with dead letters; there are {', '.join(entry.name for entry, _ in found)}"
        raise ValueError(message)
    return chosen


# ---- What would become of it -------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What today's worker would say to a letter sent back now; ``impossible`` if it cannot be replayed at all."""

    outcome: Literal["accepted", "rejected", "impossible"]
    why: str = ""
    value: bytes | None = None


class Judge:
    """Decides as the track stages do."""

    def __init__(self, prefix: str) -> None:
        """Know the topics whose names begin with the prefix."""
        decoders: dict[str, Callable[[bytes | None], Any]] = {
            "contact-events.v1": decode_contact_event,
            "agent-events.v1": decode_agent_event,
            "customer-events.v1": decode_customer_event,
        }
        self._known = {topic(name).full_name(prefix): (topic(name).partitions, decode) for name, decode in decoders.items()}

    def judge(self, letter: Letter, now_ms: int) -> Verdict:
        """Return what would become of a letter that is sent back at an instant."""
        origin = letter.origin
        if origin is None:
            return Verdict("impossible", "it never was a record; its sender has to send it again")
        partitions, decode = self._known.get(origin.topic, (0, decode_contact_event))
        if not 0 <= origin.partition < partitions:
            return Verdict("impossible", f"it came from partition {origin.partition} of {origin.topic}, which is none of ours")
        try:
            value = letter.original()
            event = decode(value)
        except NotWholeError as error:
            return Verdict("impossible", f"{error}; the record itself is at {origin.topic}/{origin.partition}/{origin.offset}")
        except Rejected as rejected:
            return Verdict("rejected", str(rejected), value)
        wrong = bound_times(event, now_ms)
        if wrong is None and event.type == "source.heartbeat":
            wrong = bound_complete_through(event, now_ms)
        if wrong is not None:
            return Verdict("rejected", f"{wrong}: {TIME_DETAILS[wrong]}", value)
        return Verdict("accepted", "", value)


# ---- What was sent back already ----------------------------------------------------------------------------------------------------


def ranges(offsets: Sequence[int]) -> str:
    """Return ascending offsets as text: ``17-20,25``."""
    spans: list[list[int]] = []
    for offset in offsets:
        if spans and spans[-1][1] == offset - 1:
            spans[-1][1] = offset
        else:
            spans.append([offset, offset])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)


class Marks:
    """Offsets of one partition that were replayed, by the notes among its letters; one byte an offset."""

    def __init__(self, begin: int, end: int) -> None:
        """Begin with none of the offsets from ``begin`` to before ``end``."""
        self._begin = begin
        self._marks = bytearray(max(0, end - begin))

    def add(self, text: str) -> None:
        """Take in a note; what is none is passed over."""
        for span in text.split(","):
            first, _, last = span.partition("-")
            if first.isascii() and first.isdigit() and (not last or (last.isascii() and last.isdigit())):
                low = max(int(first) - self._begin, 0)
                high = min(int(last or first) + 1 - self._begin, len(self._marks))
                if low < high:
                    self._marks[low:high] = b"\x01" * (high - low)

    def __contains__(self, offset: int) -> bool:
        """Say whether an offset was sent back."""
        place = offset - self._begin
        return 0 <= place < len(self._marks) and self._marks[place] == 1


# ---- The topics --------------------------------------------------------------------------------------------------------------------


class LetterReader:
    """Reads dead-letter topics, committed records only, up to where they ended when it was opened. Holds a few fetches in memory."""

    def __init__(self, bootstrap: str, topics: Mapping[str, int], client_options: Mapping[str, Any] | None = None) -> None:
        """Prepare to read these topics, full name → partitions."""
        self._topics = topics
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            client_id="contact-streams-dead-letters",
            enable_auto_commit=False,
            isolation_level="read_committed",
            # Retention may pass the place that is read next.
            auto_offset_reset="earliest",
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_FETCH_BYTES,
            **(client_options or {}),
        )
        self.begins: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        """Connect, and find where each partition begins and ends."""
        try:
            await self._consumer.start()
            known = await self._consumer.topics()
            if missing := [name for name in self._topics if name not in known]:
                message = f"there is no topic {', '.join(missing)}: wrong --prefix, or no worker has run here yet"
                raise NoTopicError(message)  # noqa: TRY301 - stops the consumer as any other failure
            places = [TopicPartition(name, number) for name, partitions in self._topics.items() for number in range(partitions)]
            self.begins = await self._consumer.beginning_offsets(places)
            self.ends = await self._consumer.end_offsets(places)
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disconnect. A consumer that has just been told where to read may miss that it is to stop: then it is told again."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._consumer.stop(), _STOP_SECONDS)

    @property
    def places(self) -> list[TopicPartition]:
        """The partitions, in order."""
        return sorted(self.ends)

    async def letters(self, place: TopicPartition, since_ms: int | None = None, end: int | None = None) -> AsyncIterator[Letter]:
        """Yield the letters of a partition in order, from an instant on and up to an offset."""
        begin = self.begins[place]
        if since_ms is not None:
            found = (await self._consumer.offsets_for_times({place: max(since_ms, 0)}))[place]
            begin = self.ends[place] if found is None else found.offset
        async for record in self._records(place, begin, self.ends[place] if end is None else end):
            letter = Letter.of(record)
            if letter.said(REPLAYED) is None:
                yield letter

    async def marks(self, place: TopicPartition) -> Marks:
        """Return what was sent back of a partition."""
        marks = Marks(self.begins[place], self.ends[place])
        async for record in self._records(place, self.begins[place], self.ends[place]):
            for name, value in record.headers:
                if name == REPLAYED:
                    marks.add(value.decode(errors="replace"))
        return marks

    async def letter(self, place: TopicPartition, offset: int) -> Letter | None:
        """Return one letter, None if it is not there (any more)."""
        if self.begins[place] <= offset < self.ends[place]:
            async for record in self._records(place, offset, offset + 1):
                return Letter.of(record)
        return None

    async def _records(self, place: TopicPartition, begin: int, end: int) -> AsyncIterator[ConsumerRecord]:
        if begin >= end:
            return
        consumer = self._consumer
        consumer.assign([place])
        consumer.seek(place, begin)
        # The position, not the last record, says when the end is reached: control records take offsets too.
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=500, max_records=500)).get(place, ()):
                if record.offset >= end:
                    return
                yield record
