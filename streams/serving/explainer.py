"""Answers which contacts are behind a figure, from the events that Kafka still has, one question at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.times import TimeFormatError, format_ms, parse_time_ms
from streams.catalogue import LANGUAGES
from streams.explaining import PartitionLog, Question, QuestionError, contacts_behind, counted_by_label, explain
from streams.serving.call_backs import link_document
from streams.serving.endpoints import MAX_LISTED
from streams.serving.paging import number_of
from streams.serving.reading import Reading
from streams.serving.threads import in_thread
from streams.serving.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiokafka import ConsumerRecord

    from streams.configuration import Configuration
    from streams.explaining import Answer, Contact
    from streams.serving.event_log import EventLog, Limits, Span

__all__ = ["WAITING", "Explainer", "answered", "asked_of", "watched"]

#: Current figures with contacts behind them: the waiting ones.
WAITING = ("waiting", "longest_wait")

#: Prefixes of the scopes that are wider than a queue.
WIDER = ("site:", "department:", "business:", "total:")

#: Conversations listed a part by default.
_LISTED = 20

#: A figure may change while its events are read: how often it is tried.
_TRIES = 3


async def answered(
    find: Callable[[], Awaitable[Question]],
    log: EventLog,
    configuration: Configuration,
    limits: Limits,
    *,
    look_back_ms: int | None = None,
    report: Callable[[Span], None] | None = None,
) -> tuple[Answer, Span, dict[int, PartitionLog]]:
    """Return the answer, the span read for it and its logs by partition; ``find`` looks the figure up again for every try.

    Raises:
        QuestionError: the figure does not exist.
        TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
    """
    for left in reversed(range(_TRIES)):
        question = await find()
        logs: dict[int, PartitionLog] = {}

        def take(records: Iterable[ConsumerRecord], question: Question = question, logs: dict[int, PartitionLog] = logs) -> None:
            _take(records, configuration, question.until_ms, logs)

        span = await log.events(question.since_ms(configuration, look_back_ms), limits, take, report)
        answer = await in_thread(explain, question, configuration, logs)
        if answer.agrees is not False or span.incomplete or not answer.differences or not left:
            break
        await asyncio.sleep(1)
    return answer, span, logs


async def watched(
    conversation: str,
    log: EventLog,
    configuration: Configuration,
    since_ms: int,
    limits: Limits,
    logs: dict[int, PartitionLog],
    report: Callable[[Span], None] | None = None,
) -> Span:
    """Read the events published since an instant into one log per partition, each watching a conversation.

    Raises:
        TopicError, KafkaError, OSError, TimeoutError: Kafka does not answer.
    """
    return await log.events(since_ms, limits, lambda records: _take(records, configuration, None, logs, conversation), report)


def _take(
    records: Iterable[ConsumerRecord],
    configuration: Configuration,
    until_ms: int | None,
    logs: dict[int, PartitionLog],
    conversation: str | None = None,
) -> None:
    for record in records:
        log = logs.get(record.partition)
        if log is None:
            log = logs[record.partition] = PartitionLog(configuration, until_ms, watched=conversation)
        log.take(record.value, record.offset, record.timestamp)


def asked_of(query: Mapping[str, str], *, wider: bool = False) -> tuple[str, int, dict[str, Any]]:
    """Return the language, the limit and the arguments of ``Question.of`` of a request's parameters; raise QuestionError.

    ``wider`` permits a wider scope in place of a queue.
    """
    scoped = wider and "scope" in query
    subject = "scope" if scoped else "queue"
    asked: dict[str, Any] = {name: query[name] for name in (subject, "kpi", "window", "channel") if name in query}
    if missing := [name for name in (subject, "kpi") if name not in asked]:
        raise QuestionError(f"required: {', '.join(missing)}")
    if scoped and "queue" in query:
        raise QuestionError("permitted: queue or scope, not both")
    if scoped and not asked["scope"].startswith(WIDER):
        raise QuestionError(f"scope {asked['scope'][:40]!r}; permitted: {', '.join(f'{kind}NAME' for kind in WIDER[:-1])} and total:all")
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


class _Answering(NamedTuple):
    """The question about contacts that is being answered, and the progress of reading its events."""

    asker: str
    asked: Mapping[str, Any]
    reading: Reading


class Explainer:
    """Answers for the API."""

    def __init__(self, log: EventLog, configuration: Callable[[], Configuration], limits: Limits) -> None:
        self._log = log
        self._configuration = configuration
        self._limits = limits
        self.turns = Turns()
        self._answering: _Answering | None = None

    def reading(self, asker: str, asked: Mapping[str, Any]) -> Reading | None:
        """Return the progress of reading for a question that ``contacts`` is answering; None if it is not reading for it."""
        answering = self._answering
        return answering.reading if answering is not None and (answering.asker, answering.asked) == (asker, asked) else None

    async def document(
        self, records: Callable[[str], Iterable[Mapping[str, Any]]], *, asker: str, lang: str, limit: int, asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the answer as JSON has it, after waiting for the turn; ``asked`` are the arguments of ``Question.of``.

        Raises:
            NoTurnError: too many questions wait, or the wait timed out.
            QuestionError, TopicError, KafkaError, OSError, TimeoutError: as ``answered``.
        """
        async with self.turns.turn(asker):
            configuration = self._configuration()

            async def find() -> Question:
                return Question.of(records(f"queue:{asked['queue']}"), configuration, **asked)

            async with asyncio.timeout(2 * self._limits.seconds):
                answer, span, _ = await answered(find, self._log, configuration, self._limits)
        return {**answer.document(lang=lang, limit=limit), "read": span.document()}

    async def contacts(
        self,
        records: Callable[[str], Iterable[Mapping[str, Any]]],
        *,
        asker: str,
        limit: int,
        asked: Mapping[str, Any],
        label: str | None = None,
    ) -> dict[str, Any]:
        """Return the contacts behind a figure as JSON has them; for a waiting figure, the waiting contacts.

        ``label`` selects the contacts counted under it, as in ``contacts_behind``.
        ``asked`` may have a ``scope`` in place of ``queue``.

        Raises:
            NoTurnError, QuestionError, TopicError, KafkaError, OSError, TimeoutError: as ``document``.
        """
        if label is not None:
            counted_by_label(asked["kpi"])
        waiting = asked["kpi"] in WAITING
        # The contacts waiting at an instant are found through any figure as of that instant.
        of_window = {**asked, "kpi": "offered", "window": "trailing_15m"} if waiting else asked
        async with self.turns.turn(asker):
            configuration = self._configuration()
            scope = asked.get("scope") or f"queue:{asked['queue']}"

            def set_reading(topic: str, since_ms: int | None, share: float) -> None:
                self._answering = _Answering(asker, dict(asked), Reading(topic, share, since_ms))

            async def find() -> Question:
                question = Question.of(records(scope), configuration, **of_window)
                set_reading(self._log.topic, question.since_ms(configuration), 0.0)
                return question

            def report(span: Span) -> None:
                if self._answering is not None:
                    set_reading(span.topic, self._answering.reading.since_ms, span.passed / max(1, span.to_pass))

            try:
                async with asyncio.timeout(2 * self._limits.seconds):
                    answer, span, logs = await answered(find, self._log, configuration, self._limits, report=report)
                listed = await in_thread(
                    contacts_behind,
                    answer,
                    logs,
                    waiting=waiting,
                    label=label,
                    belongs=lambda queue: scope in configuration.scopes_of_queue(queue),
                )
            finally:
                self._answering = None
        question = answer.question
        window = None if waiting else question.window
        return {
            "scope": scope,
            "queue": asked.get("queue"),
            "channel": question.channel,
            "kpi": asked["kpi"],
            "label": label,
            "window": window,
            "window_start": None if waiting else format_ms(question.span.start_ms),
            "window_end": None if waiting else format_ms(question.span.end_ms),
            "contacts_as_of": None if question.until_ms is None else format_ms(question.until_ms),
            "agrees": None if waiting else answer.agrees,
            "complete": not span.incomplete,
            "total": len(listed),
            "contacts": [_document(contact, configuration) for contact in listed[:limit]],
        }


def _document(contact: Contact, configuration: Configuration) -> dict[str, Any]:
    return {
        "conversation_id": contact.conversation_id,
        "source": contact.source,
        "queue": contact.queue,
        "parts": list(contact.parts),
        "entered": None if contact.entered_ms is None else format_ms(contact.entered_ms),
        "waited_seconds": None if contact.waited_ms is None else contact.waited_ms / 1000,
        "outcome": contact.outcome,
        **link_document(configuration.links, contact.conversation_id, contact.source),
    }
