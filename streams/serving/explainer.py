"""Answers which contacts are behind a figure, from the events that Kafka still has; one question at a time, the others wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from schemas.times import TimeFormatError, parse_time_ms
from streams.catalogue import LANGUAGES
from streams.explaining import PartitionLog, Question, QuestionError, explain
from streams.serving.endpoints import MAX_LISTED
from streams.serving.paging import number_of
from streams.serving.threads import in_thread
from streams.serving.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from aiokafka import ConsumerRecord

    from streams.configuration import Configuration
    from streams.explaining import Answer
    from streams.serving.event_log import EventLog, Limits, Span

__all__ = ["Explainer", "answered", "asked_of", "watched"]

#: Conversations listed a part, unless asked otherwise.
_LISTED = 20

#: A figure may be on the move while its events are read: it is asked for again so often.
_TRIES = 3


async def answered(
    find: Callable[[], Awaitable[Question]],
    log: EventLog,
    configuration: Configuration,
    limits: Limits,
    *,
    look_back_ms: int | None = None,
    told: Callable[[Span], None] | None = None,
) -> tuple[Answer, Span]:
    """Return the answer and what was read for it; ``find`` looks the figure up anew at every try.

    Raises:
        QuestionError: there is no such figure.
        TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
    """
    for left in reversed(range(_TRIES)):
        question = await find()
        logs: dict[int, PartitionLog] = {}

        def take(records: Iterable[ConsumerRecord], question: Question = question, logs: dict[int, PartitionLog] = logs) -> None:
            _take(records, configuration, question.until_ms, logs)

        span = await log.events(question.since_ms(configuration, look_back_ms), limits, take, told)
        answer = await in_thread(explain, question, configuration, logs)
        if answer.agrees is not False or span.incomplete or not answer.differences or not left:
            break
        await asyncio.sleep(1)
    return answer, span


async def watched(
    conversation: str,
    log: EventLog,
    configuration: Configuration,
    since_ms: int,
    limits: Limits,
    logs: dict[int, PartitionLog],
    told: Callable[[Span], None] | None = None,
) -> Span:
    """Read the events published since an instant into one log a partition, each of which watches a conversation.

    Raises:
        TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
    """
    return await log.events(since_ms, limits, lambda records: _take(records, configuration, None, logs, conversation), told)


def _take(
    records: Iterable[ConsumerRecord],
    configuration: Configuration,
    until_ms: int | None,
    logs: dict[int, PartitionLog],
    conversation: str | None = None,
) -> None:
    for record in records:
        mine = logs.get(record.partition)
        if mine is None:
            mine = logs[record.partition] = PartitionLog(configuration, until_ms, watched=conversation)
        mine.take(record.value, record.offset, record.timestamp)


def asked_of(query: Mapping[str, str]) -> tuple[str, int, dict[str, Any]]:
    """Return language, number listed and what ``Question.of`` takes, from the parameters of a request; raise QuestionError."""
    asked: dict[str, Any] = {name: query[name] for name in ("queue", "kpi", "window", "channel") if name in query}
    if missing := [name for name in ("queue", "kpi") if name not in asked]:
        raise QuestionError(f"required: {', '.join(missing)}")
    lang = query.get("lang", "en")
    if lang not in LANGUAGES:
        raise QuestionError(f"unknown lang {lang!r}; permitted: {', '.join(LANGUAGES)}")
    limit = query.get("limit", str(_LISTED))
    listed = number_of(limit, 0, MAX_LISTED)
    if listed is None:
        raise QuestionError(f"limit {limit[:20]!r}; permitted: 0 to {MAX_LISTED}")
    if "at" in query:
        try:
            asked["at_ms"] = parse_time_ms(query["at"])
        except TimeFormatError as error:
            raise QuestionError(f"at {query['at']!r}; permitted: an RFC 3339 time with an offset, such as 2026-03-29T12:00:00Z") from error
    return lang, listed, asked


class Explainer:
    """Answers for the API."""

    def __init__(self, log: EventLog, configuration: Callable[[], Configuration], limits: Limits) -> None:
        self._log = log
        self._configuration = configuration
        self._limits = limits
        self.turns = Turns()

    async def document(
        self, records: Callable[[str], Iterable[Mapping[str, Any]]], *, asker: str, lang: str, limit: int, asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the answer as JSON has it, when the turn has come; ``asked`` is what ``Question.of`` takes.

        Raises:
            NoTurnError: too many questions wait, or the turn did not come.
            QuestionError, TopicError, KafkaError, OSError, TimeoutError: as ``answered``.
        """
        async with self.turns.turn(asker):
            configuration = self._configuration()

            async def find() -> Question:
                return Question.of(records(asked["queue"]), configuration, **asked)

            async with asyncio.timeout(2 * self._limits.seconds):
                answer, span = await answered(find, self._log, configuration, self._limits)
        return {**answer.document(lang=lang, limit=limit), "read": span.document()}
