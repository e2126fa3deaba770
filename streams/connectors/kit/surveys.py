"""Answers to surveys: kind and scale of questions, scores of answers, and their conversations. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from schemas.times import to_ms
from streams.connectors.kit.drafting import draft, hashed_id
from streams.connectors.kit.model import Setting, UnusableError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from streams.connectors.kit.model import Context, Draft

__all__ = ["SCALES", "Given", "Question", "answers", "contact_of", "survey_settings", "within"]

SurveyKind = Literal["csat", "nps", "ces"]

#: The scale of a kind by default.
SCALES: Final[dict[str, str]] = {"csat": "1-5", "nps": "0-10", "ces": "1-7"}

#: Questions of these names need no setting.
_STANDARD_QUESTIONS: Final = {kind: f"{kind} {scale}" for kind, scale in SCALES.items()}

_CONTACT: Final = "contact_id"
_SCALE: Final = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,6}(?:\.[0-9]{1,6})?")


def survey_settings(questions: Mapping[str, str] = _STANDARD_QUESTIONS) -> tuple[Setting, ...]:
    """Return the settings that every survey connector has, with the platform's own defaults."""
    meaning = (
        "Question, by its id, reference or text → kind (csat, nps, ces) and scale, such as `csat 1-5`; "
        "or kind, scale and scores, where answers are texts or choices: `{kind: csat, scale: 0-1, scores: {good: 1, bad: 0}}`"
    )
    return (
        Setting(name="questions", meaning=meaning, default=dict(questions)),
        Setting(name="contact", meaning="Under which name a response carries the id of the conversation it is about", default=_CONTACT),
        Setting(
            name="conversation_prefix",
            meaning="Put before that id, where the conversations of the other source begin with it, such as `zendesk:`",
            default="",
        ),
    )


@dataclass(frozen=True, slots=True)
class Question:
    """The kind of a question, and the scores of its answers."""

    kind: SurveyKind
    #: Lowest and highest score, ``1-5``.
    scale: str
    #: Text of an answer → score, where answers are no numbers.
    scores: Mapping[str, float] = field(default_factory=dict)


class Given(NamedTuple):
    """One answer: the names of its question, the platform's own id first, and its value."""

    names: tuple[str, ...]
    #: A number, a boolean, a text, or a list of the names of a choice (its id, reference and label as texts, its worth as a number);
    #: None without an answer.
    value: object


def _questions_of(context: Context, default: Mapping[str, str]) -> dict[str, Question]:
    """Return the configured questions by name; raise UnusableError ``bad_setting``."""
    raw = context.settings.get("questions") or default
    if not isinstance(raw, dict):
        raise UnusableError("bad_setting", "questions: a question and its kind a line")
    return {str(name): _question(str(name), entry) for name, entry in raw.items()}


def _question(name: str, raw: object) -> Question:
    where = f"questions.{name}"
    if isinstance(raw, str):
        kind, _, scale = raw.strip().partition(" ")
        scores: Any = {}
    elif isinstance(raw, dict):
        kind, scale, scores = raw.get("kind", ""), raw.get("scale", ""), raw.get("scores", {})
    else:
        raise UnusableError("bad_setting", f"{where}: such as `csat 1-5`")
    if kind not in SCALES:
        raise UnusableError("bad_setting", f"{where}: its kind is one of {', '.join(SCALES)}")
    scale = str(scale).strip() or SCALES[kind]
    ends = _ends(scale)
    if ends is None or ends[0] >= ends[1]:
        raise UnusableError("bad_setting", f"{where}: a scale is its lowest and highest score, such as 1-5")
    if not isinstance(scores, dict) or not all(
        isinstance(score, (int, float)) and not isinstance(score, bool) for score in scores.values()
    ):
        raise UnusableError("bad_setting", f"{where}.scores: from answers to numbers")
    return Question(cast("SurveyKind", kind), scale, {str(answer): float(score) for answer, score in scores.items()})


def _ends(scale: str) -> tuple[int, int] | None:
    match = _SCALE.fullmatch(scale)
    return None if match is None else (int(match[1]), int(match[2]))


def within(score: float, scale: str) -> bool:
    """Return whether a score is on a scale."""
    ends = _ends(scale)
    return ends is not None and ends[0] <= score <= ends[1]


def _score(question: Question, name: str, value: object) -> float | None:
    """Return the score of an answer, None for no answer; raise UnusableError."""
    candidates = value if isinstance(value, (list, tuple)) else [value]
    given = [candidate for candidate in candidates if candidate is not None and candidate != ""]
    if not given:
        return None
    for answer in given:
        text = ("true" if answer else "false") if isinstance(answer, bool) else str(answer).strip()
        if text in question.scores:
            return _on_scale(question, name, question.scores[text])
    for answer in given:
        number = float(answer) if isinstance(answer, (bool, int, float)) else None
        # The names of a choice may be digits too: they are no scores.
        if isinstance(answer, str) and not isinstance(value, (list, tuple)) and _NUMBER.fullmatch(answer.strip()):
            number = float(answer)
        if number is not None and math.isfinite(number):
            return _on_scale(question, name, number)
    raise UnusableError("unknown_answer", f"{name}: the answer is no number, and questions.{name}.scores does not have it")


def _on_scale(question: Question, name: str, score: float) -> float:
    if not within(score, question.scale):
        raise UnusableError("not_on_scale", f"{name}: the answer is not on the scale {question.scale}")
    return score


def contact_of(context: Context) -> str:
    """Return the name under which a response carries the id of its conversation."""
    return str(context.settings.get("contact") or _CONTACT)


def answers(
    context: Context,
    *,
    connector: str,
    response: str,
    at: datetime,
    contact: str | None,
    given: Iterable[Given],
    questions: Mapping[str, str] = _STANDARD_QUESTIONS,
) -> list[Draft]:
    """Return an event for each answer to a question that is configured.

    Args:
        context: with the settings of ``survey_settings``.
        connector: its name; an answer that names no contact is a conversation of its own, ``CONNECTOR:RESPONSE``.
        response: the platform's id of the response, the same when it is sent again or changed.
        at: when it was given, or last changed.
        contact: the id of its conversation, None where the response has none.
        given: every question that was shown, answered or not.
        questions: those of the platform, where none are configured.

    Raises:
        UnusableError: ``unknown_question`` where not one question is configured, ``unknown_answer``, ``not_on_scale``, ``bad_setting``.
    """
    configured = _questions_of(context, questions)
    prefix = str(context.settings.get("conversation_prefix") or "")
    conversation = f"{prefix}{contact}" if contact else f"{connector}:{response}"
    drafts: list[Draft] = []
    known = False
    for names, value in given:
        name = next((name for name in names if name in configured), None)
        if name is None:
            continue
        known = True
        question = configured[name]
        score = _score(question, name, value)
        if score is None:
            continue
        # By the platform's id of the question, shortened: the text of a question may be longer than an id.
        which = hashed_id(names[0], size=6)
        drafts.append(
            draft(
                "survey.answered",
                f"{connector}:{response}-{question.kind}-{which}",
                at,
                conversation_id=conversation,
                kind=question.kind,
                score=score,
                scale=question.scale,
                # Of several versions of one answer the last counts, in whatever order they arrive.
                revision=to_ms(at),
            )
        )
    if not known:
        raise UnusableError("unknown_question", "none of the questions that it answers is in the setting `questions`")
    return drafts
