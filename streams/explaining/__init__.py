"""Which contacts are behind a figure: each conversation is counted alone with the tracker of the worker; no broker, no clock."""

from __future__ import annotations

from streams.explaining.answer import Answer, explain
from streams.explaining.conversation import explain_conversation
from streams.explaining.log import PartitionLog
from streams.explaining.question import EXPLAINED, Question, QuestionError

__all__ = ["EXPLAINED", "Answer", "PartitionLog", "Question", "QuestionError", "explain", "explain_conversation"]
