"""Replay of dead letters: in order, each once, with a note of the replay in the same transaction."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer

from schemas.dead_letters import REPLAYED, REPLAYED_FROM, original_headers
from streams.commands.dead_letter_text import brief, came_from, printable, short, summary
from streams.connectors.dead_letters import Judge, ranges
from streams.engine.flush import Share, TransactionWriter
from streams.engine.stage import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import TopicPartition

    from streams.connectors.dead_letters import DeadLetter, DeadLetterReader, Verdict, Wanted

__all__ = ["Outcome", "Sender", "consider", "group", "replay"]

#: The most dead letters, or bytes, of a transaction.
_BATCH_RECORDS: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024

#: How long Kafka may take for one transaction, in seconds; a little longer than the transaction timeout.
_LIMIT_SECONDS: Final = 30.0
_TRANSACTION_MS: Final = 20_000

#: Between two lines of progress, in seconds.
_PROGRESS_SECONDS: Final = 5.0


def group(prefix: str) -> str:
    """Return the consumer group and transactional id of a replay: of two concurrent replays, the earlier one is fenced."""
    return f"{prefix}.dead-letters-replay"


@dataclass(slots=True)
class Outcome:
    """The outcome of the dead letters that were read, actual or expected."""

    sent: int = 0
    already: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    impossible: int = 0
    #: The last dead letter that was read; everything wanted before it is decided.
    up_to: str | None = None
    stopped: bool = False

    @property
    def seen(self) -> int:
        """The number of dead letters that were read."""
        return self.sent + self.already + self.rejected.total() + self.impossible

    def sentence(self, verb: str) -> str:
        """Return it as a sentence."""
        return (
            f"{self.sent:,} {verb}; {self.already:,} were replayed before; {self.rejected.total():,} still rejected "
            f"({summary(self.rejected)}); {self.impossible:,} cannot be replayed"
        )


@dataclass(slots=True)
class Sender:
    """Writes dead letters to their original topics."""

    bootstrap: str
    prefix: str
    client_options: Mapping[str, Any]
    _producer: Any = None
    _writer: TransactionWriter | None = None

    async def start(self) -> None:
        """Connect, and end an open transaction of an earlier sender."""
        name = group(self.prefix)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            client_id=name,
            transactional_id=name,
            transaction_timeout_ms=_TRANSACTION_MS,
            max_batch_size=256 * 1024,
            # A record that fits the dead-letter topic compressed has to fit its own topic too.
            compression_type="gzip",
            retry_backoff_ms=20,
            **self.client_options,
        )
        async with asyncio.timeout(_LIMIT_SECONDS):
            await self._producer.start()
        self._writer = TransactionWriter(self._producer, name)

    async def send(self, partition: TopicPartition, dead_letters: list[tuple[DeadLetter, bytes | None]], next_offset: int) -> None:
        """Replay dead letters of a partition and write the note: both when this returns, or neither after a failure."""
        if self._writer is None:
            raise RuntimeError("Not started.")
        outputs = [_output(dead_letter, value) for dead_letter, value in dead_letters]
        note = ranges([dead_letter.offset for dead_letter, _ in dead_letters])
        outputs.append(Output(partition.topic, partition.partition, None, None, ((REPLAYED, note.encode()),)))
        async with asyncio.timeout(_LIMIT_SECONDS):
            await self._writer.write(self._writer.prepare([Share(partition, next_offset, None, [], outputs)]))

    async def stop(self) -> None:
        """Disconnect; a transaction that failed ends by itself."""
        if self._producer is not None:
            try:
                async with asyncio.timeout(5):
                    await self._producer.stop()
            except TimeoutError:
                sys.stderr.write("The Kafka client did not stop in time.\n")


def _output(dead_letter: DeadLetter, value: bytes | None) -> Output:
    origin = dead_letter.origin
    if origin is None:
        raise ValueError(f"{dead_letter.location} was never a record.")
    headers = [(name, content or b"") for name, content in original_headers(dead_letter.headers)]
    # To its original partition, where the records of its key are; a record without a key has one as well.
    return Output(origin.topic, origin.partition, dead_letter.key, value, (*headers, (REPLAYED_FROM, dead_letter.location.encode())))


async def consider(
    reader: DeadLetterReader, wanted: Wanted, judge: Judge, *, everything: bool, prefix: str = "", show: Callable[[str], None] | None = None
) -> Outcome:
    """Return the expected outcome without writing, and show a line for each dead letter if requested."""
    outcome = Outcome()
    for partition in reader.partitions:
        replayed = await reader.replayed(partition)
        async for dead_letter in reader.dead_letters(partition, wanted.since_ms):
            if wanted.matches(dead_letter):
                verdict = None if dead_letter.offset in replayed else judge.judge(dead_letter, _now_ms())
                _count(outcome, dead_letter, verdict, everything=everything)
                if show is not None:
                    target = printable(came_from(dead_letter).rpartition("/")[0])
                    show(f"{short(dead_letter.location, prefix)} → {short(target, prefix)}: {_text_of(verdict, everything=everything)}")
    return outcome


async def replay(
    reader: DeadLetterReader, sender: Sender, wanted: Wanted, judge: Judge, *, everything: bool, stop: asyncio.Event
) -> Outcome:
    """Replay dead letters, partition by partition and in order, until the end or until ``stop`` is set.

    The reader has to be opened after the sender was started: only then every other sender is fenced.
    """
    outcome = Outcome()
    shown = time.monotonic()
    for partition in reader.partitions:
        replayed = await reader.replayed(partition)
        waiting: list[tuple[DeadLetter, bytes | None]] = []
        size = 0
        batch = Outcome(up_to=outcome.up_to)
        async for dead_letter in reader.dead_letters(partition, wanted.since_ms):
            if stop.is_set():
                break
            if not wanted.matches(dead_letter):
                continue
            verdict = None if dead_letter.offset in replayed else judge.judge(dead_letter, _now_ms())
            _count(batch, dead_letter, verdict, everything=everything)
            if verdict is not None and _is_sent(verdict, everything=everything):
                waiting.append((dead_letter, verdict.value))
                size += len(verdict.value or b"")
            if len(waiting) >= _BATCH_RECORDS or size >= _BATCH_BYTES:
                await sender.send(partition, waiting, dead_letter.offset + 1)
                _add(outcome, batch)
                waiting, size, batch = [], 0, Outcome(up_to=outcome.up_to)
            if time.monotonic() - shown > _PROGRESS_SECONDS:
                shown = time.monotonic()
                sys.stderr.write(f"{outcome.sent:,} replayed, {outcome.seen:,} read, up to {outcome.up_to}\n")
        if waiting:
            await sender.send(partition, waiting, waiting[-1][0].offset + 1)
        _add(outcome, batch)
        if stop.is_set():
            outcome.stopped = True
            break
    return outcome


def _is_sent(verdict: Verdict, *, everything: bool) -> bool:
    return verdict.outcome == "accepted" or (everything and verdict.outcome == "rejected")


def _count(outcome: Outcome, dead_letter: DeadLetter, verdict: Verdict | None, *, everything: bool) -> None:
    outcome.up_to = dead_letter.location
    if verdict is None:
        outcome.already += 1
    elif _is_sent(verdict, everything=everything):
        outcome.sent += 1
    elif verdict.outcome == "rejected":
        outcome.rejected[verdict.why.partition(":")[0]] += 1
    else:
        outcome.impossible += 1


def _add(outcome: Outcome, more: Outcome) -> None:
    outcome.sent += more.sent
    outcome.already += more.already
    outcome.rejected += more.rejected
    outcome.impossible += more.impossible
    outcome.up_to = more.up_to


def _text_of(verdict: Verdict | None, *, everything: bool) -> str:
    if verdict is None:
        return "replayed before"
    if verdict.outcome == "rejected":
        return f"still rejected: {brief(verdict.why)}" + (", replayed anyway" if everything else "")
    return "accepted" if verdict.outcome == "accepted" else f"cannot be replayed: {printable(verdict.why)}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
